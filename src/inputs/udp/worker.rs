//! One receiving thread: waits for any of the sockets, takes what is there, submits whole batches.
//!
//! Datagrams are received into a slab of the thread (`sys::mmsg`) and copied from there into the builder:
//! the slab is sparse, has room for the largest datagram in each slot, and what is used of it stays in the
//! CPU's cache; the batch is dense.
//! A batch is submitted when it is full or when no socket has any more; nothing waits for a timer.
//! A socket has its turn for [`ROUNDS`] full receive calls even if it has more, so that a flooded one does
//! not starve the others.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::senders::Senders;
use crate::message::{Builder, Flags, FlowControl, Gate, InputInfo, Names, Pool, Sender, Submit};
use crate::net::access::{Access, Verdict};
use crate::net::report::Limiter;
use crate::stats::{self, Counter};
use crate::sys::clock;
use crate::sys::epoll::{Epoll, NO_REPORT, READ, READ_EXCLUSIVE};
use crate::sys::mmsg::{self, Slab};
use crate::sys::process::Scheduling;

/// Receive calls' worth of datagrams from one socket before the others get their turn.
const ROUNDS: usize = 8;
/// How long the sockets are emptied at a stop.
const DRAIN_TIME: Duration = Duration::from_secs(1);
/// Microseconds between two lines about the same kind of loss at one listener.
const REPORT_INTERVAL: i64 = 60_000_000;
/// Addresses remembered as reported.
const REFUSED_MAX: usize = 1024;
/// Microseconds between two looks at a socket's count of dropped packets.
const DROPS_INTERVAL: i64 = 1_000_000;
/// The token of the stop event; sockets have their listener's index.
const STOP: u64 = u64::MAX;

/// A bound socket and what its messages share.
pub(super) struct Listener {
    pub(super) socket: UdpSocket,
    /// E.g. `imudp(*/514/IPv4)`.
    pub(super) name: String,
    pub(super) input: Arc<InputInfo>,
    pub(super) submit: Arc<dyn Submit>,
    pub(super) pool: Arc<Pool>,
    pub(super) names: Option<Arc<dyn Names>>,
    /// `None` lets everybody send.
    pub(super) guard: Option<Arc<Guard>>,
    pub(super) counters: ListenerCounters,
}

/// Who may send to a listener (`allowedSender`), and who was told off.
pub(super) struct Guard {
    list: Access,
    /// `net.permitACLWarning`.
    reports: bool,
    limiter: Limiter,
    disallowed: Arc<Counter>,
    /// When an address was last reported; forgotten altogether when it has [`REFUSED_MAX`] entries.
    refused: Mutex<HashMap<IpAddr, i64>>,
}

impl Guard {
    pub(super) fn new(list: Access, reports: bool, disallowed: Arc<Counter>) -> Self {
        let (limiter, refused) = (Limiter::default(), Mutex::default());
        Self { list, reports, limiter, disallowed, refused }
    }

    /// Counts a datagram that is not taken, and says so once in [`REPORT_INTERVAL`] and address.
    fn refuse(&self, address: IpAddr, now: i64) {
        self.disallowed.add(1);
        let address = address.to_canonical();
        if self.reports && self.is_due(address, now) {
            let text =
                format_args!("imudp: UDP message from disallowed sender {address} discarded");
            self.limiter.error(now, None, text);
        }
    }

    fn is_due(&self, address: IpAddr, now: i64) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.get(&address).is_some_and(|&t| (t..t + REPORT_INTERVAL).contains(&now)) {
            return false;
        }
        if refused.len() >= REFUSED_MAX {
            refused.clear();
        }
        refused.insert(address, now);
        true
    }
}

impl Gate for Guard {
    fn allows(&self, name: &[u8]) -> bool {
        self.list.allows_name(name)
    }

    fn refused(&self, sender: &Sender, received: i64) {
        if let Some(address) = sender.addr() {
            self.refuse(address.ip(), received);
        }
    }
}

/// The counters of a listener; the first two are the reference's.
pub(super) struct ListenerCounters {
    submitted: Arc<Counter>,
    pub(super) disallowed: Arc<Counter>,
    truncated: Arc<Counter>,
    empty: Arc<Counter>,
    kernel_drops: Arc<Counter>,
    /// The socket's count, which wraps, as it was last added to `kernel_drops`. Locked once per batch at
    /// most, and only after the first drop.
    drops_seen: Mutex<u32>,
}

impl ListenerCounters {
    pub(super) fn new(object: &mut stats::Object) -> Self {
        Self {
            submitted: object.counter("submitted"),
            disallowed: object.counter("disallowed"),
            truncated: object.counter("truncated"),
            empty: object.counter("empty"),
            kernel_drops: object.counter("kernel.drops"),
            drops_seen: Mutex::default(),
        }
    }

    /// Takes the socket's drop count to now; returns how many are new.
    fn dropped(&self, count: u32) -> u64 {
        let mut seen = self.drops_seen.lock().unwrap_or_else(PoisonError::into_inner);
        let new = count.wrapping_sub(*seen);
        if new > u32::MAX / 2 {
            return 0; // another thread was faster with a later count
        }
        *seen = count;
        self.kernel_drops.add(new.into());
        new.into()
    }
}

/// What all threads share.
pub(super) struct Shared {
    pub(super) listeners: Vec<Listener>,
    /// Raised to end the threads.
    pub(super) stop: nix::sys::eventfd::EventFd,
    pub(super) batch_size: usize,
    /// The clock is read at every n-th receive call; 1 or more.
    pub(super) time_requery: usize,
    pub(super) message_bytes: usize,
    pub(super) scheduling: Option<(Scheduling, i32)>,
}

/// The counters of a thread.
struct Counters {
    calls: Arc<Counter>,
    received: Arc<Counter>,
}

/// A ruleset's batch under construction.
struct Outlet {
    submit: Arc<dyn Submit>,
    builder: Builder,
    /// Distinguishes the batches of this thread, of all outlets.
    batch: u64,
}

/// The thread.
pub(super) struct Worker {
    shared: Arc<Shared>,
    epoll: Epoll,
    intake: Intake,
}

/// The part of a thread that takes datagrams in.
struct Intake {
    slab: Slab,
    senders: Senders,
    outlets: Vec<Outlet>,
    /// In the order of [`Shared::listeners`].
    states: Vec<ListenerState>,
    /// Number of the next batch.
    batches: u64,
    counters: Counters,
    /// Reception time of the datagrams being taken in.
    now: i64,
}

/// What a thread keeps for a listener.
struct ListenerState {
    /// Index of the outlet.
    outlet: usize,
    truncations: Limit,
    drops: Limit,
    /// When the drops were last looked at.
    drops_seen: i64,
}

impl Worker {
    /// Thread number `number`.
    pub(super) fn new(shared: &Arc<Shared>, number: usize, stats: &stats::Set) -> io::Result<Self> {
        let epoll = Epoll::new()?;
        epoll.add(&shared.stop, READ, STOP)?;
        for (token, listener) in (0_u64..).zip(&shared.listeners) {
            epoll.add(&listener.socket, READ_EXCLUSIVE, token)?;
        }
        let mut object = stats::Object::new(format!("imudp(w{number})"), "imudp");
        let calls = object.counter("called.recvmmsg");
        object.counter("called.recvmsg"); // never: all kernels that Rust runs on have recvmmsg
        let counters = Counters { calls, received: object.counter("msgs.received") };
        stats.add(object);
        Ok(Self { shared: Arc::clone(shared), epoll, intake: Intake::new(shared, counters) })
    }

    /// Receives until the stop event comes, and then what the sockets still hold.
    pub(super) fn run(mut self) {
        if let Some((scheduling, priority)) = self.shared.scheduling {
            if let Err(why) = scheduling.apply(priority) {
                log::error!("imudp: pthread_setschedparam() failed - ignoring: {why}");
            }
        }
        let mut buffer = [NO_REPORT; 16];
        let mut more = false;
        loop {
            let timeout = more.then_some(Duration::ZERO);
            let reports = match self.epoll.wait(&mut buffer, timeout) {
                Ok(reports) => reports,
                Err(why) => {
                    log::error!("imudp: waiting for sockets failed: {why}");
                    break;
                }
            };
            more = false;
            for report in reports.iter().filter(|r| r.u64 != STOP) {
                let listener = usize::try_from(report.u64).unwrap_or(usize::MAX);
                more |= self.intake.receive(&self.shared, listener);
            }
            if reports.iter().any(|r| r.u64 == STOP) {
                break;
            }
            if !more {
                self.intake.submit();
            }
        }
        self.intake.drain(&self.shared);
    }
}

impl Intake {
    fn new(shared: &Shared, counters: Counters) -> Self {
        let mut outlets: Vec<Outlet> = Vec::new();
        let mut states = Vec::new();
        for listener in &shared.listeners {
            let outlet = outlets.iter().position(|o| Arc::ptr_eq(&o.submit, &listener.submit));
            let outlet = outlet.unwrap_or_else(|| {
                let submit = Arc::clone(&listener.submit);
                let builder = Builder::new(Arc::clone(&listener.pool));
                outlets.push(Outlet { submit, builder, batch: outlets.len() as u64 });
                outlets.len() - 1
            });
            let (truncations, drops) = (Limit::default(), Limit::default());
            states.push(ListenerState { outlet, truncations, drops, drops_seen: 0 });
        }
        let ttl = shared.listeners.iter().find_map(|l| l.names.as_ref()?.ttl());
        Self {
            slab: Slab::new(shared.batch_size),
            senders: Senders::new(ttl),
            batches: outlets.len() as u64,
            outlets,
            states,
            counters,
            now: 0,
        }
    }

    /// Takes what a socket has, for one turn; returns whether there may be more.
    fn receive(&mut self, shared: &Shared, index: usize) -> bool {
        let Some(listener) = shared.listeners.get(index) else { return false };
        let (mut calls, mut received) = (0, 0);
        let more = loop {
            let result = self.slab.receive(&listener.socket);
            if calls % shared.time_requery == 0 {
                self.now = clock::now_usec();
            }
            calls += 1;
            let n = match result {
                Ok(n) => n,
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => break false,
                Err(why) if why.kind() == io::ErrorKind::Interrupted => break true,
                Err(why) => {
                    log::error!("imudp: error receiving on socket: {why}");
                    break false;
                }
            };
            received += self.take_in(listener, index, shared.message_bytes);
            if n < shared.batch_size {
                break false; // the socket is empty; should one have come since, epoll reports it
            }
            if received >= ROUNDS * shared.batch_size {
                break true;
            }
        };
        self.counters.calls.add(calls as u64);
        self.counters.received.add(received as u64);
        if let Some(state) = self.states.get_mut(index) {
            state.look_at_drops(self.now, listener);
        }
        more
    }

    /// Appends the slab's datagrams to the listener's batch; returns how many there were.
    fn take_in(&mut self, listener: &Listener, index: usize, message_bytes: usize) -> usize {
        let Some(state) = self.states.get_mut(index) else { return 0 };
        let Some(outlet) = self.outlets.get_mut(state.outlet) else { return 0 };
        let (mut all, mut submitted, mut empty, mut truncated) = (0, 0, 0, 0);
        for packet in self.slab.packets() {
            let make = || listener.sender(packet.from);
            let Some(entry) = self.senders.find(index, packet.from, self.now, make) else {
                continue;
            };
            for datagram in packet.datagrams() {
                all += 1;
                let text = datagram.get(..message_bytes).unwrap_or(datagram);
                if text.is_empty() {
                    empty += 1;
                    continue;
                }
                if outlet.builder.is_full() {
                    outlet.submit(&mut self.batches);
                }
                let Some(sender) = entry.index(outlet.batch, &mut outlet.builder) else {
                    if let Some(guard) = &listener.guard {
                        guard.refuse(packet.from.ip(), self.now);
                    }
                    continue;
                };
                let mut flags = entry.flags;
                if text.len() < datagram.len() {
                    flags.set(Flags::TRUNCATED);
                    truncated += 1;
                    let lengths = (datagram.len(), text.len());
                    state.report_truncation(self.now, listener, packet.from, lengths);
                }
                let raw = outlet.builder.bytes().append(text);
                outlet.builder.push_from(raw, self.now, sender, flags);
                submitted += 1;
            }
        }
        listener.counters.submitted.add(submitted);
        listener.counters.empty.add(empty);
        listener.counters.truncated.add(truncated);
        all
    }

    /// Hands all batches on.
    fn submit(&mut self) {
        for outlet in &mut self.outlets {
            outlet.submit(&mut self.batches);
        }
    }

    /// Takes what the sockets still hold, for a bounded time: a flood may go on.
    fn drain(&mut self, shared: &Shared) {
        let begin = Instant::now();
        for listener in 0..shared.listeners.len() {
            while self.receive(shared, listener) && begin.elapsed() < DRAIN_TIME {}
        }
        self.submit();
        for (state, listener) in self.states.iter_mut().zip(&shared.listeners) {
            state.drops_seen = 0;
            state.look_at_drops(self.now, listener);
        }
    }
}

impl Outlet {
    /// Hands the batch on, if there is anything in it.
    fn submit(&mut self, batches: &mut u64) {
        if !self.builder.is_empty() {
            self.submit.submit(self.builder.seal(), FlowControl::None);
            self.batch = *batches;
            *batches += 1;
        }
    }
}

impl Listener {
    /// A sender at `from`; `None` where it is not allowed to send.
    fn sender(&self, from: SocketAddr) -> Option<Sender> {
        let guard = self.guard.as_ref();
        let verdict = guard.map_or(Verdict::Allowed, |guard| guard.list.check(from.ip()));
        if verdict == Verdict::Refused {
            return None;
        }
        let sender = Sender::network(Arc::clone(&self.input), from, self.names.clone());
        match guard.filter(|_| verdict == Verdict::ByName) {
            Some(guard) => Some(sender.behind(Arc::<Guard>::clone(guard))),
            None => Some(sender),
        }
    }
}

impl ListenerState {
    /// Counts and reports what the kernel has dropped, once in [`DROPS_INTERVAL`].
    fn look_at_drops(&mut self, now: i64, listener: &Listener) {
        if (self.drops_seen..self.drops_seen + DROPS_INTERVAL).contains(&now) {
            return;
        }
        self.drops_seen = now;
        let Some(count) = mmsg::dropped(&listener.socket) else { return };
        let new = listener.counters.dropped(count);
        if let Some(n) = self.drops.report(now, new) {
            log::warn!(
                "{}: the kernel dropped {n} datagrams since the last report: its receive buffer was \
                 full; raise rcvbufSize or the module's threads and batchSize",
                listener.name,
            );
        }
    }

    fn report_truncation(
        &mut self,
        now: i64,
        listener: &Listener,
        from: SocketAddr,
        (wire_bytes, kept_bytes): (usize, usize),
    ) {
        if let Some(n) = self.truncations.report(now, 1) {
            log::warn!(
                "{}: datagram of {wire_bytes} bytes from {} cut to {kept_bytes} bytes \
                 (maxMessageSize); {n} since the last report",
                listener.name,
                from.ip().to_canonical(),
            );
        }
    }
}

/// Lets one report through per [`REPORT_INTERVAL`] and counts what the others would have said.
#[derive(Default)]
struct Limit {
    /// Time of the last report.
    last: Option<i64>,
    held_back: u64,
}

impl Limit {
    /// `new` more events: how many to report now, if it is time.
    fn report(&mut self, now: i64, new: u64) -> Option<u64> {
        self.held_back += new;
        // A clock that was set back must not silence reports.
        let is_early = self.last.is_some_and(|t| (t..t + REPORT_INTERVAL).contains(&now));
        if self.held_back == 0 || is_early {
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_losses_come_once_a_minute_with_what_was_held_back() {
        let mut limit = Limit::default();
        let minute = REPORT_INTERVAL;
        let cases = [(0, 0, None), (5, 2, Some(2)), (6, 3, None), (minute + 4, 1, None)];
        for (now, new, expected) in cases {
            assert_eq!(limit.report(now, new), expected, "{now}");
        }
        assert_eq!(limit.report(minute + 5, 0), Some(4));
        assert_eq!(limit.report(minute + 4, 1), Some(1), "the clock was set back");
    }

    #[test]
    fn an_address_is_told_off_once_a_minute_and_the_memory_is_bounded() {
        let guard = Guard::new(Access::default(), true, Arc::default());
        let address = |n: u32| IpAddr::from(n.to_be_bytes());
        let cases = [(0, true), (1, false), (REPORT_INTERVAL, true), (5, true), (6, false)];
        for (now, expected) in cases {
            assert_eq!(guard.is_due(address(1), now), expected, "{now}");
        }
        for n in 0..3000 {
            guard.is_due(address(n), 0);
            assert!(guard.refused.lock().unwrap().len() <= REFUSED_MAX);
        }
    }

    #[test]
    fn drop_counts_wrap_and_never_go_back() {
        let mut object = stats::Object::new("x", "x");
        let counters = ListenerCounters::new(&mut object);
        let counts = [5, 5, 3, 2_000_000_000, 4_000_000_000, 2];
        let news = counts.map(|count| counters.dropped(count));
        assert_eq!(news, [5, 0, 0, 1_999_999_995, 2_000_000_000, 294_967_298]);
    }
}

//! A bound socket: what its messages share, who may send to it, and what is told about its losses.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};

use crate::message::{FlowControl, Gate, InputInfo, Names, Pool, Sender, Submit};
use crate::net::access::{Access, Verdict};
use crate::net::report::Limiter;
use crate::ratelimit::{self, Limiter as RateLimiter};
use crate::stats::{self, Counter};
use crate::sys::mmsg;

/// Microseconds between two lines about the same kind of loss at one listener.
const REPORT_INTERVAL: i64 = 60_000_000;
/// Microseconds between two looks at a socket's count of dropped packets.
const DROPS_INTERVAL: i64 = 1_000_000;
/// Addresses remembered as reported.
const REFUSED_MAX: usize = 1024;

/// A bound socket and what its messages share.
pub(super) struct Listener {
    pub(super) socket: UdpSocket,
    /// The thread that serves it, where each thread has its own; `None`: all do.
    pub(super) thread: Option<usize>,
    /// E.g. `imudp(*/514/IPv4)`.
    pub(super) name: String,
    pub(super) input: Arc<InputInfo>,
    pub(super) submit: Arc<dyn Submit>,
    pub(super) pool: Arc<Pool>,
    pub(super) names: Option<Arc<dyn Names>>,
    /// `None` lets everybody send.
    pub(super) guard: Option<Arc<Guard>>,
    /// How many messages are taken; `None` is all.
    pub(super) rate: Option<Arc<RateLimiter>>,
    pub(super) counters: ListenerCounters,
}

/// Who may send to a listener (`allowedSender`), and who was told off.
pub(super) struct Guard {
    list: Access,
    /// `net.permitACLWarning`.
    reports: bool,
    limiter: Limiter,
    disallowed: Arc<Counter>,
    /// Those of them that had been submitted when their name told.
    by_name: Arc<Counter>,
    /// When an address was last reported; forgotten altogether when it has [`REFUSED_MAX`] entries.
    refused: Mutex<HashMap<IpAddr, i64>>,
}

impl Guard {
    pub(super) fn new(list: Access, reports: bool, counters: &ListenerCounters) -> Self {
        let (limiter, refused) = (Limiter::default(), Mutex::default());
        let disallowed = Arc::clone(&counters.disallowed);
        let by_name = Arc::clone(&counters.by_name);
        Self { list, reports, limiter, disallowed, by_name, refused }
    }

    /// Counts a datagram that is not taken, and says so once in [`REPORT_INTERVAL`] and address.
    pub(super) fn refuse(&self, address: IpAddr, now: i64) {
        self.disallowed.add(1);
        let address = address.to_canonical();
        if self.reports && self.is_due(address, now) {
            let text =
                format_args!("imudp: UDP message from disallowed sender discarded: {address}");
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
            self.by_name.add(1);
            self.refuse(address.ip(), received);
        }
    }
}

/// The counters of a listener; the first two are the reference's.
pub(super) struct ListenerCounters {
    pub(super) submitted: Arc<Counter>,
    pub(super) disallowed: Arc<Counter>,
    by_name: Arc<Counter>,
    pub(super) truncated: Arc<Counter>,
    pub(super) empty: Arc<Counter>,
    pub(super) limits: ratelimit::Counters,
    kernel_drops: Arc<Counter>,
    /// Whether the kernel could be asked for them.
    drops_valid: Arc<Counter>,
    /// The socket's count, which wraps, as it was last added to `kernel_drops`. Locked once per batch at
    /// most, and only after the first drop.
    drops_seen: Mutex<u32>,
}

impl ListenerCounters {
    pub(super) fn new(object: &mut stats::Object) -> Self {
        Self {
            submitted: object.counter("submitted"),
            disallowed: object.counter("disallowed"),
            by_name: object.counter("disallowed.byname"),
            truncated: object.counter("truncated"),
            empty: object.counter("empty"),
            kernel_drops: object.counter("kernel.drops"),
            drops_valid: object.gauge("kernel.drops.valid"),
            limits: ratelimit::Counters::new(object),
            drops_seen: Mutex::default(),
        }
    }

    /// The same counters for another socket.
    pub(super) fn twin(&self) -> Self {
        Self {
            submitted: Arc::clone(&self.submitted),
            disallowed: Arc::clone(&self.disallowed),
            by_name: Arc::clone(&self.by_name),
            truncated: Arc::clone(&self.truncated),
            empty: Arc::clone(&self.empty),
            kernel_drops: Arc::clone(&self.kernel_drops),
            drops_valid: Arc::clone(&self.drops_valid),
            limits: self.limits.clone(),
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

impl Listener {
    /// The same listener with a socket of its own for `thread`.
    pub(super) fn twin(&self, socket: UdpSocket, thread: usize) -> Self {
        Self {
            socket,
            thread: Some(thread),
            name: self.name.clone(),
            input: Arc::clone(&self.input),
            submit: Arc::clone(&self.submit),
            pool: Arc::clone(&self.pool),
            names: self.names.clone(),
            guard: self.guard.clone(),
            rate: self.rate.clone(),
            counters: self.counters.twin(),
        }
    }

    /// The end: what the rate limiter has held back.
    pub(super) fn submit_rest(&self) {
        if let Some(batch) = self.rate.as_ref().and_then(|rate| rate.finish()) {
            self.counters.submitted.add(batch.len() as u64);
            self.submit.submit(batch, FlowControl::None);
        }
    }

    /// A sender at `from`; `None` where it is not allowed to send.
    pub(super) fn sender(&self, from: SocketAddr) -> Option<Sender> {
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

/// What a thread keeps for a listener.
pub(super) struct ListenerState {
    /// Index of the outlet.
    pub(super) outlet: usize,
    truncations: Limit,
    drops: Limit,
    /// When the drops were last looked at.
    drops_seen: i64,
}

impl ListenerState {
    pub(super) fn new(outlet: usize) -> Self {
        let (truncations, drops) = (Limit::default(), Limit::default());
        Self { outlet, truncations, drops, drops_seen: 0 }
    }

    /// As [`Self::count_drops`], once in [`DROPS_INTERVAL`].
    pub(super) fn look_at_drops(&mut self, now: i64, listener: &Listener) {
        if !(self.drops_seen..self.drops_seen + DROPS_INTERVAL).contains(&now) {
            self.drops_seen = now;
            self.count_drops(now, listener);
        }
    }

    /// Counts and reports what the kernel has dropped.
    pub(super) fn count_drops(&mut self, now: i64, listener: &Listener) {
        let count = mmsg::dropped(&listener.socket);
        listener.counters.drops_valid.set(u64::from(count.is_some()));
        let Some(count) = count else { return };
        let new = listener.counters.dropped(count);
        if let Some(n) = self.drops.report(now, new) {
            log::warn!(
                "{}: the kernel dropped {n} datagrams since the last report: its receive buffer was \
                 full; raise rcvbufSize or the module's threads and batchSize",
                listener.name,
            );
        }
    }

    pub(super) fn report_truncation(
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
        let counters = ListenerCounters::new(&mut stats::Object::new("x", "x"));
        let guard = Guard::new(Access::default(), true, &counters);
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

//! One receiving thread: waits for any of the sockets, takes what is there, submits whole batches.
//!
//! Datagrams are received into a slab of the thread (`sys::mmsg`) and copied from there into the builder:
//! the slab is sparse, has room for the largest datagram in each slot, and what is used of it stays in the
//! CPU's cache; the batch is dense.
//! A batch is submitted when it is full or when no socket has any more. In a steady stream the thread then rests
//! for a moment ([`super::pace`]).
//! A socket has its turn for [`ROUNDS`] full receive calls even if it has more, so that a flooded one does
//! not starve the others.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::listener::{Listener, ListenerState};
use super::pace::Pace;
use super::senders::Senders;
use crate::message::{Builder, Flags, FlowControl, Submit};
use crate::ratelimit::Limiter;
use crate::stats::{self, Counter};
use crate::sys::clock;
use crate::sys::epoll::{Epoll, NO_REPORT, READ, READ_EXCLUSIVE};
use crate::sys::mmsg::{self, Slab};
use crate::sys::process::Scheduling;

/// Receive calls' worth of datagrams from one socket before the others get their turn.
const ROUNDS: usize = 8;
/// How long the sockets are emptied at a stop.
const DRAIN_TIME: Duration = Duration::from_secs(1);
/// The token of the stop event; sockets have their listener's index.
const STOP: u64 = u64::MAX;

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
    /// Where there is a rate limit: it, and what counts the messages it has passed. The outlet is one
    /// listener's then.
    rate: Option<(Arc<Limiter>, Arc<Counter>)>,
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
    /// Datagrams since the last rest.
    received: usize,
    pace: Pace,
}

impl Worker {
    /// Thread number `number`.
    pub(super) fn new(shared: &Arc<Shared>, number: usize, stats: &stats::Set) -> io::Result<Self> {
        let epoll = Epoll::new()?;
        epoll.add(&shared.stop, READ, STOP)?;
        for (token, listener) in (0_u64..).zip(&shared.listeners) {
            if listener.thread.is_some_and(|thread| thread != number) {
                continue;
            }
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
        if let Some((scheduling, priority)) = self.shared.scheduling
            && let Err(why) = scheduling.apply(priority)
        {
            log::error!("imudp: pthread_setschedparam() failed - ignoring: {why}");
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
            let mut held = false;
            for report in reports.iter().filter(|r| r.u64 != STOP) {
                let listener = usize::try_from(report.u64).unwrap_or(usize::MAX);
                if self.intake.holds_back(&self.shared, listener) {
                    held = true;
                } else {
                    more |= self.intake.receive(&self.shared, listener);
                }
            }
            if reports.iter().any(|r| r.u64 == STOP) {
                break;
            }
            if !more {
                self.intake.submit();
                if !held {
                    self.rest();
                }
            }
        }
        self.intake.drain(&self.shared);
    }

    /// Lets datagrams gather where they come fast. A stop waits no longer for this than for a full receive.
    fn rest(&mut self) {
        let Intake { pace, now, received, .. } = &mut self.intake;
        if let Some(rest) = pace.rest(*now, std::mem::take(received)) {
            clock::pause(rest);
        }
    }
}

impl Intake {
    fn new(shared: &Shared, counters: Counters) -> Self {
        let mut outlets: Vec<Outlet> = Vec::new();
        let mut states = Vec::new();
        for listener in &shared.listeners {
            let serves = |o: &Outlet| o.rate.is_none() && Arc::ptr_eq(&o.submit, &listener.submit);
            let outlet = outlets.iter().position(serves).filter(|_| listener.rate.is_none());
            let outlet = outlet.unwrap_or_else(|| {
                let submit = Arc::clone(&listener.submit);
                let builder = Builder::new(Arc::clone(&listener.pool));
                let submitted = || Arc::clone(&listener.counters.submitted);
                let rate = listener.rate.as_ref().map(|rate| (Arc::clone(rate), submitted()));
                outlets.push(Outlet { submit, rate, builder, batch: outlets.len() as u64 });
                outlets.len() - 1
            });
            states.push(ListenerState::new(outlet));
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
            received: 0,
            pace: Pace::new(shared.listeners.iter().map(|listener| &listener.socket)),
        }
    }

    /// Whether the rules are behind with what they have, and the socket has room: its datagrams wait there then,
    /// where they cost no memory of ours. Waits for the rules a little. epoll reports the socket again.
    fn holds_back(&self, shared: &Shared, index: usize) -> bool {
        let (Some(listener), Some(state)) = (shared.listeners.get(index), self.states.get(index))
        else {
            return false;
        };
        let outlet = self.outlets.get(state.outlet);
        outlet.is_some_and(|outlet| outlet.submit.is_pressed(self.pace.patience()))
            && !mmsg::is_half_full(&listener.socket)
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
        self.received += received;
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
        if listener.rate.is_none() {
            listener.counters.submitted.add(submitted);
        }
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
            state.count_drops(self.now, listener);
        }
    }
}

impl Outlet {
    /// Hands the batch on, if there is anything in it.
    fn submit(&mut self, batches: &mut u64) {
        if !self.builder.is_empty() {
            let mut batch = self.builder.seal_dense();
            if let Some((rate, submitted)) = &self.rate {
                rate.apply(&mut batch);
                submitted.add(batch.len() as u64);
            }
            if !batch.is_empty() {
                self.submit.submit(batch, FlowControl::None);
            }
            self.batch = *batches;
            *batches += 1;
        }
    }
}

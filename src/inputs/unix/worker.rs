//! The receiving thread: waits for any of the sockets, takes what is there, submits whole batches.
//!
//! Datagrams are received into a slab (`sys::local`) and copied from there into the socket's builder, as in imudp: the
//! slab has room for the longest message in each slot, the batch is dense. A batch is submitted when it is full or when
//! no socket has any more. A socket has its turn for [`ROUNDS`] full receive calls even if it has more.
//!
//! Senders wait in the kernel while a socket's queue is full (`net.unix.max_dgram_qlen`), so nothing is lost there; a
//! sender that does not want to wait is told.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::listener::Listener;
use super::parse::{Parser, Stamper};
use super::settings::{Annotate, Reading};
use super::trusted::Trusted;
use super::{Counters, Shared};
use crate::limits::{LOCAL_DATAGRAMS, LOCAL_RECEIVE_BYTES};
use crate::message::{Builder, Flags, Sender, Vars};
use crate::sync::lock;
use crate::sys::clock;
use crate::sys::epoll::{Epoll, NO_REPORT, READ};
use crate::sys::local::{Datagram, Slab};

/// Receive calls' worth of datagrams from one socket before the others get their turn.
const ROUNDS: usize = 8;
/// How long the sockets are emptied at a stop.
const DRAIN_TIME: Duration = Duration::from_secs(1);
/// The token of the stop event; sockets have their listener's index.
const STOP: u64 = u64::MAX;

/// The thread.
pub(super) struct Worker {
    shared: Arc<Shared>,
    epoll: Epoll,
    slab: Slab,
    slots: usize,
    outlets: Vec<Outlet>,
    reader: Reader,
}

/// What all datagrams are read with.
struct Reader {
    stamper: Stamper,
    trusted: Trusted,
    own_pid: i32,
}

/// A listener's batch under construction.
struct Outlet {
    builder: Builder,
    sender: Arc<Sender>,
    /// Processes that sent the messages, one by one, where that is asked for.
    pids: Vec<i32>,
}

impl Worker {
    /// A thread for all of `shared`'s sockets.
    pub(super) fn new(shared: &Arc<Shared>) -> io::Result<Self> {
        let epoll = Epoll::new()?;
        epoll.add(&shared.stop, READ, STOP)?;
        let mut outlets = Vec::new();
        for (token, listener) in (0_u64..).zip(&shared.listeners) {
            epoll.add(&listener.socket, READ, token)?;
            outlets.push(Outlet {
                builder: Builder::new(Arc::clone(&listener.settings.env.pool)),
                sender: listener.sender(),
                pids: Vec::new(),
            });
        }
        let slots = (LOCAL_RECEIVE_BYTES / shared.message_bytes.max(1)).clamp(1, LOCAL_DATAGRAMS);
        Ok(Self {
            shared: Arc::clone(shared),
            epoll,
            slab: Slab::new(slots, shared.message_bytes),
            slots,
            outlets,
            reader: Reader {
                stamper: Stamper::default(),
                trusted: Trusted::default(),
                own_pid: i32::try_from(std::process::id()).unwrap_or(0),
            },
        })
    }

    /// Receives until the stop event comes, and then what the sockets still hold.
    pub(super) fn run(mut self) {
        let mut buffer = [NO_REPORT; 16];
        let mut more = false;
        loop {
            let timeout = more.then_some(Duration::ZERO);
            let reports = match self.epoll.wait(&mut buffer, timeout) {
                Ok(reports) => reports,
                Err(why) => {
                    log::error!("imuxsock: waiting for sockets failed: {why}");
                    break;
                }
            };
            more = false;
            for report in reports.iter().filter(|report| report.u64 != STOP) {
                more |= self.receive(usize::try_from(report.u64).unwrap_or(usize::MAX));
            }
            if reports.iter().any(|report| report.u64 == STOP) {
                break;
            }
            if !more {
                self.submit();
            }
        }
        self.drain();
    }

    /// Takes what a socket has, for one turn; returns whether there may be more.
    fn receive(&mut self, index: usize) -> bool {
        let shared = Arc::clone(&self.shared);
        let (Some(listener), Some(outlet)) =
            (shared.listeners.get(index), self.outlets.get_mut(index))
        else {
            return false;
        };
        if outlet.builder.is_empty() {
            outlet.begin(listener);
        }
        for _ in 0..ROUNDS {
            let received = match self.slab.receive(&listener.socket) {
                Ok(received) => received,
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => return false,
                Err(why) if why.kind() == io::ErrorKind::Interrupted => return true,
                Err(why) => {
                    let why = crate::inputs::reason(&why);
                    log::error!("imuxsock: recvfrom UNIX: {why}");
                    return false;
                }
            };
            shared.counters.received.add(received as u64);
            // Only for what the kernel gives no time.
            let now = clock::now_usec();
            for datagram in self.slab.datagrams() {
                outlet.take_in(listener, &shared.counters, datagram, now, &mut self.reader);
            }
            if received < self.slots {
                return false; // the socket is empty; should one have come since, epoll reports it
            }
        }
        true
    }

    /// Hands all batches on.
    fn submit(&mut self) {
        for (outlet, listener) in self.outlets.iter_mut().zip(&self.shared.listeners) {
            outlet.submit(listener, &self.shared.counters);
        }
    }

    /// Takes what the sockets still hold, for a bounded time: where they could not be closed, a flood may go on.
    fn drain(&mut self) {
        let begin = Instant::now();
        for index in 0..self.shared.listeners.len() {
            let is_closed = self.shared.listeners.get(index).is_some_and(|l| l.socket.close());
            while is_closed && self.receive(index) && begin.elapsed() < DRAIN_TIME {}
        }
        self.submit();
    }
}

impl Outlet {
    /// Makes a message of a datagram.
    fn take_in(
        &mut self,
        listener: &Listener,
        counters: &Counters,
        datagram: Datagram<'_>,
        now: i64,
        reader: &mut Reader,
    ) {
        let settings = &listener.settings;
        // Where the kernel was not told to say it, there is none.
        let sender = datagram.sender;
        if datagram.bytes.is_empty() {
            counters.empty.add(1);
            return;
        }
        if settings.drop_own && sender.is_some_and(|sender| sender.pid == reader.own_pid) {
            counters.own.add(1);
            return;
        }
        if self.builder.is_full() {
            self.submit(listener, counters);
        }
        let mut raw = self.builder.bytes().append(datagram.bytes);
        let mut variables = None;
        match (settings.annotate, sender) {
            (Annotate::Text, Some(sender)) => {
                raw.len += self.builder.bytes().append(reader.trusted.text(sender)).len;
            }
            (Annotate::Variables, Some(sender)) => {
                variables = Some(Vars::of_message(reader.trusted.variables(sender)));
            }
            _ => {}
        }
        let received = datagram.sent.filter(|_| settings.kernel_time).unwrap_or(now);
        let mut cut = Flags::empty();
        if datagram.is_cut {
            counters.truncated.add(1);
            cut.set(Flags::TRUNCATED);
        }
        match settings.reading {
            Reading::Special(stamp) => {
                let parsers = &settings.env.parsers;
                let (sanitise, slash) = (&parsers.sanitise, parsers.permit_slash_in_program_name);
                let parser = Parser { sanitise, slash, stamp };
                let pid = sender.filter(|_| settings.kernel_pid).map(|sender| sender.pid);
                let bytes = self.builder.bytes();
                let mut record = parser.parse(bytes, raw, received, pid, &mut reader.stamper);
                record.flags.set(cut);
                self.builder.push_record(record, &self.sender);
            }
            Reading::Parsers(flags) => {
                self.builder.push(raw, received, &self.sender, flags.with(cut));
            }
        }
        if let Some(variables) = variables {
            self.builder.set_vars(variables);
        }
        if settings.rate_per_process {
            self.pids.push(sender.map_or(0, |sender| sender.pid));
        }
    }

    /// Hands the batch on, if there is anything in it.
    fn submit(&mut self, listener: &Listener, counters: &Counters) {
        if self.builder.is_empty() {
            return;
        }
        let mut batch = self.builder.seal_dense();
        if let Some(rate) = &listener.rate {
            rate.apply_to(&mut batch, &self.pids);
            self.pids.clear();
        }
        counters.submitted.add(batch.len() as u64);
        if !batch.is_empty() {
            listener.settings.env.submit.submit(batch, listener.settings.flow);
        }
    }

    /// Before a batch: a HUP may have found another name of the machine.
    fn begin(&mut self, listener: &Listener) {
        let is_local = listener.settings.host.is_none();
        if is_local && *self.sender.fromhost() != **lock(&listener.settings.env.hostname) {
            self.sender = listener.sender();
        }
    }
}

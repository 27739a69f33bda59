//! What a worker does: take turns with sessions, fill batches, submit them, give the sessions back.
//!
//! The order of these steps is what keeps a connection's messages in order; `net::ready` explains it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::conf::Excess;
use super::counters::{Tally, WorkerCells};
use super::server::Shared;
use super::session::{End, Session, Step, Stream};
use crate::framing::raw::Whole;
use crate::limits;
use crate::message::{Batch, Builder};
use crate::net::ready::Owned;
use crate::net::transport::Interest;
use crate::ratelimit;
use crate::sys::clock;

/// A session as the queue and the table hold it.
pub(super) type Boxed = Box<Session>;

/// One receiving thread's own things.
pub(super) struct Worker {
    shared: Arc<Shared>,
    /// The worker's own counters; none without a pool.
    cells: Option<WorkerCells>,
    builder: Builder,
    tally: Tally,
    /// Sessions to be armed once their frames are submitted.
    drained: Vec<Owned<Boxed>>,
    /// Sessions to be queued again once their frames are submitted.
    unfinished: Vec<Owned<Boxed>>,
    /// Sessions to be closed once their frames are submitted: a peer that sees the end of its connection
    /// may open another, whose messages come after.
    over: Vec<Owned<Boxed>>,
    /// Sessions that wait for memory, once their frames are submitted.
    short: Vec<Owned<Boxed>>,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, cells: Option<WorkerCells>) -> Self {
        let builder = Builder::new(Arc::clone(&shared.env.pool));
        Self {
            shared,
            cells,
            builder,
            tally: Tally::default(),
            drained: Vec::new(),
            unfinished: Vec::new(),
            over: Vec::new(),
            short: Vec::new(),
        }
    }

    /// The life of a pool's thread.
    pub(super) fn run(mut self) {
        loop {
            let owned = match self.shared.ready.next() {
                Some(owned) => owned,
                None => {
                    self.flush();
                    let Some(owned) = self.shared.ready.wait() else { return };
                    owned
                }
            };
            self.turn(owned);
        }
    }

    /// Without a pool: a turn for every session that is queued now.
    pub(super) fn round(&mut self) {
        for _ in 0..self.shared.ready.waiting() {
            let Some(owned) = self.shared.ready.next() else { break };
            self.turn(owned);
        }
        self.flush();
    }

    /// After the workers have ended: what the sessions' sockets still hold, and the end of their streams.
    pub(super) fn finish(mut self) {
        let deadline = Instant::now() + Duration::from_millis(limits::FINAL_READ_MSEC);
        for mut owned in self.shared.ready.drain() {
            if !may_send(&owned.session) {
                self.over.push(owned);
                continue;
            }
            match self.last_words(&mut owned.session, deadline) {
                Some(end) => self.end(owned, &end),
                None => self.close(owned),
            }
        }
        self.flush();
        self.submit_rest();
    }

    /// Reads what is there already, within limits: once in any case. `Some` if the session ended by itself.
    fn last_words(&mut self, session: &mut Session, deadline: Instant) -> Option<End> {
        for reads in 0..limits::FINAL_READS {
            if reads > 0 && Instant::now() >= deadline {
                break;
            }
            if self.builder.is_full() {
                self.submit();
            }
            match session.receive(&self.shared, &mut self.builder, &mut self.tally) {
                Step::More => {}
                Step::Whole(whole) => {
                    if let Some(end) = self.submit_whole(session, whole) {
                        return Some(end);
                    }
                }
                Step::Drained | Step::Nothing | Step::Short => return None,
                Step::Over(end) => return Some(end),
            }
        }
        None
    }

    /// Reads a session until it is drained, over, or it is others' turn.
    fn turn(&mut self, mut owned: Owned<Boxed>) {
        self.tally.runs += 1;
        if owned.session.is_timed_out {
            return self.end(owned, &End::TimedOut);
        }
        if std::mem::take(&mut owned.session.is_unheard) && !owned.session.sender.has_answer() {
            // Its name is late: it is judged when it says something.
            return self.drained.push(owned);
        }
        if !may_send(&owned.session) {
            return self.over.push(owned);
        }
        let mut reads = 0;
        loop {
            if self.builder.is_full() {
                self.flush();
                // Its frames are submitted, so it may go; a whole batch is turn enough. Without a pool
                // nobody looks for others with input until the turn is over.
                if reads > 0 && (self.is_alone() || self.others_wait()) {
                    self.shared.ready.requeue(std::iter::once(owned));
                    return;
                }
            }
            let held = self.builder.bytes().len();
            match owned.session.receive(&self.shared, &mut self.builder, &mut self.tally) {
                Step::More => {}
                Step::Whole(whole) => {
                    if let Some(end) = self.submit_whole(&mut owned.session, whole) {
                        return self.end(owned, &end);
                    }
                }
                Step::Short => {
                    self.tally.short += 1;
                    return self.short.push(owned);
                }
                Step::Drained => {
                    let received = self.builder.bytes().len() - held;
                    if received < limits::STAY_BYTES || self.is_alone() || self.others_wait() {
                        return self.drained.push(owned);
                    }
                    // While this much is submitted more comes, mostly, and to read that now costs less
                    // than to arm the socket, and to wake the poller and another worker.
                    self.flush();
                }
                Step::Nothing => {
                    self.tally.empty_reads += u64::from(reads == 0);
                    return self.drained.push(owned);
                }
                Step::Over(end) => return self.end(owned, &end),
            }
            reads += 1;
            if reads >= self.shared.conf.max_reads {
                self.tally.starved += 1;
                return self.unfinished.push(owned);
            }
        }
    }

    /// Whether other sessions have input and no worker, or the pool is stopping.
    fn others_wait(&self) -> bool {
        self.shared.ready.wants_turn()
    }

    /// Whether there is no pool and the worker is the poller thread's.
    fn is_alone(&self) -> bool {
        self.cells.is_none()
    }

    /// A session that is over by itself.
    fn end(&mut self, mut owned: Owned<Boxed>, end: &End) {
        match end {
            // What a TLS handshake looks like as text is nobody's message.
            End::Tls | End::Refused(_) => {}
            End::Closed | End::Undecodable(_) => self.finish_stream(&mut owned.session),
            End::Failed(_) | End::TimedOut if !self.shared.conf.is_raw() => {
                self.finish_stream(&mut owned.session);
            }
            End::Failed(_) | End::Broken(_) | End::TimedOut => {
                owned.session.drop_unfinished(&mut self.tally);
            }
        }
        let cells = &self.shared.cells;
        match end {
            End::Closed | End::Refused(_) => {}
            End::TimedOut => cells.timed_out.add(1),
            End::Failed(_) | End::Tls | End::Broken(_) | End::Undecodable(_) => cells.broken.add(1),
        }
        owned.session.report_end(&self.shared, end, &mut self.tally);
        self.over.push(owned);
    }

    /// Ends a session that its peer has not ended.
    fn close(&mut self, mut owned: Owned<Boxed>) {
        self.finish_stream(&mut owned.session);
        self.over.push(owned);
    }

    fn finish_stream(&mut self, session: &mut Session) {
        if let Some(whole) = session.finish(&self.shared, &mut self.builder, &mut self.tally) {
            // Nothing follows it that could be wrong.
            self.submit_whole(session, whole);
        }
    }

    /// Submits a message that has a storage of its own, after what is in the builder, and decodes what was received
    /// behind it. `Some` if that ends the session.
    fn submit_whole(&mut self, session: &mut Session, whole: Whole) -> Option<End> {
        self.submit();
        self.builder.bytes().append(whole.text.get(whole.rest..).unwrap_or_default());
        self.tally.submitted += 1;
        self.tally.oversize += u64::from(whole.cut);
        self.hand_over(session.batch(whole));
        session.decode(&self.shared, &mut self.builder, 0, Stream::GoesOn, &mut self.tally).err()
    }

    /// Submits what was read and gives back the sessions it was read from.
    fn flush(&mut self) {
        self.submit();
        self.release();
    }

    fn submit(&mut self) {
        if self.builder.is_empty() {
            // What is there was copied to decoders as unfinished frames.
            self.builder.bytes().truncate(0);
            self.count();
        } else {
            let batch = self.builder.seal();
            self.hand_over(batch);
        }
    }

    fn hand_over(&mut self, mut batch: Batch) {
        if let Some(rate) = &self.shared.rate {
            rate.apply(&mut batch);
            self.tally.submitted = batch.len() as u64;
        }
        // Counted first: who has seen a message finds it counted.
        self.count();
        if batch.is_empty() {
            self.shared.env.pool.give(batch);
        } else {
            self.shared.env.submit.submit(batch, self.shared.conf.flow);
        }
    }

    fn count(&mut self) {
        let tally = std::mem::take(&mut self.tally);
        self.shared.cells.add(&tally);
        if let Some(cells) = &self.cells {
            cells.add(&tally);
        }
    }

    /// What the rate limiter has held back, when nothing more comes.
    fn submit_rest(&mut self) {
        if let Some(batch) = self.shared.rate.as_ref().and_then(ratelimit::Limiter::finish) {
            self.tally.submitted += batch.len() as u64;
            self.shared.cells.add(&std::mem::take(&mut self.tally));
            self.shared.env.submit.submit(batch, self.shared.conf.flow);
        }
    }

    fn release(&mut self) {
        let ready = &self.shared.ready;
        for owned in self.over.drain(..) {
            // The slot is free before the socket closes, for a peer that connects again.
            drop(ready.close(owned));
            self.shared.cells.closed.add(1);
            self.shared.cells.open.sub(1);
        }
        if !self.unfinished.is_empty() {
            ready.requeue(self.unfinished.drain(..));
        }
        if self.shared.conf.excess == Excess::Wait && ready.has_made_room() {
            self.shared.poller.wake();
        }
        if !self.short.is_empty() {
            let tokens: Vec<_> = self.short.iter().map(Owned::token).collect();
            ready.park(self.short.drain(..));
            let awake = self.shared.budget.wait(tokens.into_iter());
            self.shared.resume(&awake);
        }
        if !self.drained.is_empty() {
            if self.shared.conf.timeout.is_some() {
                let now = self.shared.uptime_msec();
                self.drained.iter_mut().for_each(|owned| owned.session.waits_since = Some(now));
            }
            let poller = &self.shared.poller;
            let (mut failure, mut awaited) = (None, Vec::new());
            let unwatched = ready.arm(self.drained.drain(..), |owned| {
                let transport = &owned.session.transport;
                let interest = transport.interest();
                let armed = poller.rearm_session(transport.fd(), owned.token(), &interest);
                if let Interest::Event(event) = interest {
                    awaited.push((event, owned.token()));
                }
                armed.map_err(|why| failure = Some(why)).is_ok()
            });
            for (event, token) in awaited {
                let shared = Arc::downgrade(&self.shared);
                event.when_done(Box::new(move || {
                    if let Some(shared) = shared.upgrade() {
                        shared.resume(&[token]);
                    }
                }));
            }
            if let Some(why) = failure {
                let count = unwatched.len();
                log::error!(code = EPOLL_CTL; "epoll_ctl failed re-arm of {count} sockets: {why}");
                // Nobody would ever hear of them again.
                self.over.extend(unwatched);
            }
        }
    }
}

/// Whether the peer may send, where that depends on its name; reports it if not.
fn may_send(session: &Session) -> bool {
    !session.sender.has_gate() || session.sender.is_allowed(clock::now_usec())
}

/// Return code of a failed `epoll_ctl(2)`.
pub(super) const EPOLL_CTL: u16 = 2163;

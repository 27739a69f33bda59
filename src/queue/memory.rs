//! The queue in memory: one lock, taken once per push and once per batch on the consumer's side.
//!
//! ```text
//! Open ──release──► Released ──drain──► Draining ──stop──► Stopping
//!   └────────────────────────drain─────────▲ └─ empty and no worker left ─► Closed ◄─ all workers gone ─┘
//! ```
//! Invariants, all under the lock: `waiting` is the sum of the lengths in `items`; the fill level is
//! `waiting + taken`; a worker sleeps only after it has seen that there is nothing for it to do, and every
//! change that could give it something to do notifies (`wake_one`) or wakes all.
//! There is no wake-up call while a worker runs: it looks again before it sleeps.

mod work;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Work;
use super::rhythm::DOZE_MESSAGES;
use super::settings::{Settings, Type};
use super::watermark::Marks;
use crate::message::FlowControl;
use crate::stats::{self, Counter};
use crate::sync::model::{Condvar, Mutex, MutexGuard, lock, wait_until};

/// How long a flow-controlled input is held up at a time.
const HOLD: Duration = Duration::from_secs(1);
/// How long an input is paced at a time: longer than a disk is busy now and then. A queue that does not move
/// in that time is not paced for until it moves again.
const PACE: Duration = Duration::from_millis(200);

/// What a submitter has to do after a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// Nothing.
    Done,
    /// Start a further worker; it counts already. `active` did so before.
    StartWorker {
        /// Number of workers before this one.
        active: usize,
    },
}

/// What a worker has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Process what was put into its list.
    Work,
    /// End: there is nothing left to do, or too little for so many workers.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Open,
    /// Inputs are ending: nobody is held up, and what they still hold is taken over the limit.
    Released,
    /// Empty the queue, then end.
    Draining,
    /// Finish the present batch, then end.
    Stopping,
    /// No worker is left; pushes are refused and counted.
    Closed,
}

/// The counters of a queue (`core.queue`).
#[derive(Debug)]
pub(super) struct Counters {
    size: Arc<Counter>,
    enqueued: Arc<Counter>,
    bytes: Arc<Counter>,
    full: Arc<Counter>,
    discarded_full: Arc<Counter>,
    discarded_mark: Arc<Counter>,
    max_size: Arc<Counter>,
    sampled_out: Option<Arc<Counter>>,
    pub(super) lost: Arc<Counter>,
}

impl Counters {
    /// Registers the counters under the queue's name; those who watch it get its limits, too.
    pub(super) fn register(name: &str, settings: &Settings, set: &stats::Set) -> Self {
        let mut object = stats::Object::new(name, "core.queue");
        let counters = Self {
            size: object.gauge("size"),
            enqueued: object.counter("enqueued"),
            bytes: object.counter("size.enqueued"),
            full: object.counter("full"),
            discarded_full: object.counter("discarded.full"),
            discarded_mark: object.counter("discarded.nf"),
            max_size: object.gauge("maxqsize"),
            sampled_out: (settings.sampling > 0).then(|| object.counter("discarded.sampling")),
            lost: object.counter("lost.shutdown"),
        };
        object.gauge("size.limit").set(settings.size as u64);
        object.gauge("size.high").set(settings.high_watermark as u64);
        set.add(object);
        counters
    }
}

struct State<W> {
    items: VecDeque<W>,
    /// Messages in `items`.
    waiting: usize,
    /// Messages that workers have taken and not yet committed.
    taken: usize,
    phase: Phase,
    /// Workers that serve the queue (a worker that has been told to end does not).
    workers: usize,
    /// Worker threads that have not yet ended.
    threads: usize,
    /// Workers asleep, and wake-up calls made to them that they have not answered.
    idle: usize,
    called: usize,
    /// Whether a worker dozes: it counts as running.
    dozing: bool,
    /// Submitters asleep: for room, for pace, for the light mark, for the full mark.
    need_room: usize,
    paced: usize,
    held_light: usize,
    held_full: usize,
    /// Messages committed since the start, and whether a paced submitter has waited for that in vain.
    committed: u64,
    stalled: bool,
    /// Messages since the last one that sampling kept.
    skipped: usize,
    /// These two can be changed while the queue runs.
    timeout_enqueue: Duration,
    timeout_shutdown: Duration,
}

/// A bounded queue between threads.
pub(super) struct Memory<W> {
    state: Mutex<State<W>>,
    /// Workers wait here.
    work: Condvar,
    /// Submitters wait here while the queue is full.
    room: Condvar,
    /// Submitters wait here while flow control holds them up.
    relief: Condvar,
    /// Shutdown waits here for threads to end.
    ended: Condvar,
    marks: Marks,
    dequeue_batch: usize,
    take: usize,
    min_dequeue: (usize, Duration),
    timeout_worker: Option<Duration>,
    sampling: usize,
    flow_from_message: bool,
    pub(super) counters: Counters,
}

impl<W: Work> Memory<W> {
    /// An empty queue. `settings` have been corrected.
    pub(super) fn new(settings: &Settings, counters: Counters) -> Self {
        // A fixed array holds `size` elements of one message each; here elements are mostly whole batches.
        let room = if settings.kind == Type::FixedArray { settings.size.min(4096) } else { 0 };
        Self {
            state: Mutex::new(State {
                items: VecDeque::with_capacity(room),
                waiting: 0,
                taken: 0,
                phase: Phase::Open,
                workers: 0,
                threads: 0,
                idle: 0,
                called: 0,
                dozing: false,
                need_room: 0,
                paced: 0,
                held_light: 0,
                held_full: 0,
                committed: 0,
                stalled: false,
                skipped: 0,
                timeout_enqueue: settings.timeout_enqueue,
                timeout_shutdown: settings.timeout_shutdown,
            }),
            work: Condvar::new(),
            room: Condvar::new(),
            relief: Condvar::new(),
            ended: Condvar::new(),
            marks: Marks::new(settings),
            dequeue_batch: settings.dequeue_batch,
            take: settings.dequeue_batch.max(settings.take),
            min_dequeue: (settings.min_dequeue_batch, settings.min_dequeue_timeout),
            timeout_worker: settings.timeout_worker,
            sampling: settings.sampling,
            flow_from_message: settings.flow_from_message,
            counters,
        }
    }

    /// Messages that wait or are being processed.
    pub(super) fn len(&self) -> usize {
        lock(&self.state).len()
    }

    /// Replaces `timeoutEnqueue` for pushes to come.
    pub(super) fn set_timeout_enqueue(&self, timeout: Duration) {
        lock(&self.state).timeout_enqueue = timeout;
    }

    /// Replaces `timeoutShutdown`.
    pub(super) fn set_timeout_shutdown(&self, timeout: Duration) {
        lock(&self.state).timeout_shutdown = timeout;
    }

    /// `timeoutShutdown` as it is now.
    pub(super) fn timeout_shutdown(&self) -> Duration {
        lock(&self.state).timeout_shutdown
    }

    /// Adds work, in the order of `spec/queues-actions.md` section 2: discard mark, flow control, room.
    pub(super) fn push(&self, mut work: W, flow: FlowControl) -> Pushed {
        self.counters.enqueued.add(work.len() as u64);
        self.counters.bytes.add(work.bytes());
        let flow = if self.flow_from_message { work.flow() } else { flow };

        let mut state = lock(&self.state);
        self.drop_unimportant(&state, &mut work);
        if work.is_empty() {
            return Pushed::Done;
        }
        state = self.hold(state, flow);
        self.sample(&mut state, &mut work);
        loop {
            if work.is_empty() {
                return self.advise(&mut state);
            }
            let room = match state.phase {
                Phase::Open => self.marks.room(state.len()),
                Phase::Released | Phase::Draining => usize::MAX,
                Phase::Stopping | Phase::Closed => {
                    self.counters.discarded_full.add(work.len() as u64);
                    return Pushed::Done;
                }
            };
            if work.len() <= room {
                self.append(&mut state, work);
                return self.advise(&mut state);
            }
            if room > 0 {
                let rest = work.split_off(room);
                self.append(&mut state, std::mem::replace(&mut work, rest));
            }
            self.counters.full.add(1);
            let (again, roomy) = self.wait_for_room(state);
            state = again;
            if !roomy {
                self.counters.discarded_full.add(work.len() as u64);
                return self.advise(&mut state);
            }
        }
    }

    fn drop_unimportant(&self, state: &State<W>, work: &mut W) {
        let before = work.len();
        if let Some(from) = self.marks.droppable_from(state.len(), before) {
            work.retain(&mut |index, severity| {
                index < from || !self.marks.is_unimportant(severity)
            });
            self.counters.discarded_mark.add((before - work.len()) as u64);
        }
    }

    fn sample(&self, state: &mut State<W>, work: &mut W) {
        if let Some(counter) = &self.counters.sampled_out {
            let before = work.len();
            work.retain(&mut |_, _| {
                state.skipped = (state.skipped + 1) % self.sampling;
                state.skipped == 0
            });
            counter.add((before - work.len()) as u64);
        }
    }

    /// Flow control: a light hold is one wait of at most a second, a full one lasts. Below the light mark an
    /// input that can wait a little is paced ([`limits::QUEUE_PACE`](crate::limits::QUEUE_PACE)).
    fn hold<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<W>>,
        flow: FlowControl,
    ) -> MutexGuard<'a, State<W>> {
        let marks = &self.marks;
        match flow {
            FlowControl::None => {}
            FlowControl::Light if marks.holds_light(state.len(), false) => {
                state = self.wait_for_relief(
                    state,
                    HOLD,
                    |s| &mut s.held_light,
                    |size| marks.holds_light(size, true),
                );
            }
            FlowControl::Light if !state.stalled && marks.paces(state.len(), false) => {
                let committed = state.committed;
                state = self.wait_for_relief(
                    state,
                    PACE,
                    |s| &mut s.paced,
                    |size| marks.paces(size, true),
                );
                state.stalled = state.committed == committed;
            }
            FlowControl::Light => {}
            FlowControl::Full => {
                while state.phase == Phase::Open && marks.holds_full(state.len(), false) {
                    state = self.wait_for_relief(
                        state,
                        HOLD,
                        |s| &mut s.held_full,
                        |size| marks.holds_full(size, false),
                    );
                }
            }
        }
        state
    }

    /// Waits while there is more than inputs are paced at, for at most `patience`; whether there still is.
    pub(super) fn is_pressed(&self, patience: Duration) -> bool {
        let mut state = lock(&self.state);
        let mut pressed = self.marks.paces(state.len(), false);
        if pressed {
            let still = |size| self.marks.paces(size, true);
            state = self.wait_for_relief(state, patience, |s| &mut s.paced, still);
            pressed = self.marks.paces(state.len(), true);
        }
        pressed
    }

    /// Waits while `held` says so of the fill level, for at most `patience`, counted among those `asleep`.
    fn wait_for_relief<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<W>>,
        patience: Duration,
        asleep: fn(&mut State<W>) -> &mut usize,
        held: impl Fn(usize) -> bool,
    ) -> MutexGuard<'a, State<W>> {
        let deadline = Instant::now() + patience;
        *asleep(&mut state) += 1;
        while state.phase == Phase::Open && held(state.len()) && Instant::now() < deadline {
            state = wait_until(&self.relief, state, deadline);
        }
        *asleep(&mut state) -= 1;
        state
    }

    /// Waits until something fits, for `timeoutEnqueue`.
    fn wait_for_room<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<W>>,
    ) -> (MutexGuard<'a, State<W>>, bool) {
        let full =
            |state: &State<W>| state.phase == Phase::Open && self.marks.room(state.len()) == 0;
        if state.timeout_enqueue > Duration::ZERO {
            let deadline = Instant::now() + state.timeout_enqueue;
            state.need_room += 1;
            // A worker may be asleep: the head of this very push may be what it waits for.
            self.end_doze(&mut state);
            self.wake_one(&mut state);
            while full(&state) && Instant::now() < deadline {
                state = wait_until(&self.room, state, deadline);
            }
            state.need_room -= 1;
        }
        let roomy = !full(&state);
        (state, roomy)
    }

    fn append(&self, state: &mut State<W>, work: W) {
        state.waiting += work.len();
        state.items.push_back(work);
        let size = state.len() as u64;
        self.counters.size.set(size);
        self.counters.max_size.raise(size);
    }

    /// After a push: wakes or asks for a worker where too few run.
    fn advise(&self, state: &mut State<W>) -> Pushed {
        if state.dozing && state.waiting >= self.dequeue_batch.min(DOZE_MESSAGES) {
            self.end_doze(state);
        }
        let running = state.workers + state.called - state.idle;
        if running >= self.marks.wanted_workers(state.len()) || self.wake_one(state) {
            return Pushed::Done;
        }
        // The first worker is started with the queue, not by a push.
        let active = state.workers;
        if active == 0 || state.phase > Phase::Draining {
            return Pushed::Done;
        }
        state.workers += 1;
        state.threads += 1;
        Pushed::StartWorker { active }
    }

    fn end_doze(&self, state: &mut State<W>) {
        if std::mem::take(&mut state.dozing) {
            // Whoever wakes looks for work; if it is another worker, the doze goes on to its end.
            self.work.notify_one();
        }
    }

    fn wake_one(&self, state: &mut State<W>) -> bool {
        let asleep = state.idle > state.called;
        if asleep {
            state.called += 1;
            self.work.notify_one();
        }
        asleep
    }

    /// Lets go of everyone who is held up or waits for room. Called when the inputs have been told to end:
    /// what exceeds the limit is bounded by what they hold and by what they still read (`limits::FINAL_READS`).
    pub(super) fn release(&self) {
        self.enter(Phase::Released);
    }

    /// Phase 1: empty the queue. Whether that succeeded before `deadline`.
    pub(super) fn drain(&self, deadline: Instant) -> bool {
        self.enter(Phase::Draining);
        self.wait_for_threads(deadline)
    }

    /// Phase 2: finish the present batches only. Whether that succeeded before `deadline`.
    pub(super) fn stop(&self, deadline: Instant) -> bool {
        self.enter(Phase::Stopping);
        self.wait_for_threads(deadline)
    }

    /// Phase 3: give up. Returns how many messages are lost.
    pub(super) fn abandon(&self) -> usize {
        let mut state = lock(&self.state);
        self.close(&mut state);
        let lost = state.len();
        state.items.clear();
        state.waiting = 0;
        state.taken = 0;
        self.counters.size.set(0);
        self.counters.lost.add(lost as u64);
        lost
    }

    fn enter(&self, phase: Phase) {
        let mut state = lock(&self.state);
        state.phase = state.phase.max(phase);
        self.work.notify_all();
        self.room.notify_all();
        self.relief.notify_all();
    }

    fn close(&self, state: &mut State<W>) {
        state.phase = Phase::Closed;
        self.room.notify_all();
    }

    fn wait_for_threads(&self, deadline: Instant) -> bool {
        let mut state = lock(&self.state);
        while state.threads > 0 && Instant::now() < deadline {
            state = wait_until(&self.ended, state, deadline);
        }
        state.threads == 0
    }
}

impl<W: Work> State<W> {
    fn len(&self) -> usize {
        self.waiting + self.taken
    }

    fn take(&mut self, most: usize, list: &mut Vec<W>) {
        let mut taken = 0;
        while let Some(front) = self.items.front() {
            if taken > 0 && taken + front.len() > most {
                break;
            }
            taken += front.len();
            list.extend(self.items.pop_front());
        }
        self.waiting -= taken;
        self.taken += taken;
    }
}

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
mod models;

//! The running queue: worker threads around [`memory`](super::memory), and shutdown in three phases.
//!
//! A worker's round: take up to `dequeueBatchSize` messages, consume them work by work, commit, report them
//! done. Work larger than that is committed in slices, so that no transaction covers more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::memory::{Counters, Memory, Next, Pushed};
use super::rhythm::Rhythm;
use super::settings::{Settings, Type};
use super::{Commit, Consume, Consumers, Work};
use crate::message::FlowControl;
use crate::stats;
use crate::sync::{Condvar, Mutex, lock, wait_until};
use crate::sys::{clock, process};

/// A queue with its worker threads; of type `Direct`, only the consumers.
pub struct Queue<W>(Arc<Shared<W>>);

struct Shared<W> {
    name: String,
    settings: Settings,
    consumers: Consumers<W>,
    /// Set when workers have to give up what they do.
    interrupt: Arc<Interrupt>,
    /// Set when the queue is emptied to end: it no longer keeps to its window and its pauses.
    ending: Interrupt,
    /// `None`: type `Direct`.
    memory: Option<Memory<W>>,
    /// Consumers that no submitter is using; type `Direct` only.
    spare: Mutex<Vec<Box<dyn Consume<W>>>>,
}

impl<W: Work> Queue<W> {
    /// A queue that accepts work; nothing is processed before [`Queue::start`]. `settings` have been corrected.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        settings: Settings,
        consumers: Consumers<W>,
        stats: &stats::Set,
    ) -> Self {
        let name = name.into();
        let memory = (settings.kind != Type::Direct).then(|| {
            let counters = Counters::register(&name, &settings, stats);
            Memory::new(&settings, counters)
        });
        Self(Arc::new(Shared {
            name,
            settings,
            consumers,
            interrupt: Arc::default(),
            ending: Interrupt::default(),
            memory,
            spare: Mutex::new(Vec::new()),
        }))
    }

    /// The queue's name: `main Q`, a ruleset's name, `<action> queue`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether it is of type `Direct` and keeps nothing.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        self.0.memory.is_none()
    }

    /// Messages that wait or are being processed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.memory.as_ref().map_or(0, Memory::len)
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Replaces `timeoutEnqueue` for pushes to come.
    pub fn set_timeout_enqueue(&self, timeout: Duration) {
        if let Some(memory) = &self.0.memory {
            memory.set_timeout_enqueue(timeout);
        }
    }

    /// Replaces `timeoutShutdown`.
    pub fn set_timeout_shutdown(&self, timeout: Duration) {
        if let Some(memory) = &self.0.memory {
            memory.set_timeout_shutdown(timeout);
        }
    }

    /// Starts the first worker; others come with the load.
    ///
    /// # Errors
    /// When the kernel gives no further thread.
    pub fn start(&self) -> std::io::Result<()> {
        let Some(memory) = &self.0.memory else { return Ok(()) };
        memory.add_worker();
        self.spawn(memory)
    }

    /// Waits until there are fewer messages than inputs are paced at, for at most `patience`; whether there are
    /// still more.
    #[must_use]
    pub fn is_pressed(&self, patience: Duration) -> bool {
        self.0.memory.as_ref().is_some_and(|memory| memory.is_pressed(patience))
    }

    /// Takes work. May hold the caller up, as `flow` allows, and while there is no room; what finds none in
    /// time is dropped and counted. Type `Direct`: the work is done on return.
    pub fn push(&self, work: W, flow: FlowControl) {
        let Some(memory) = &self.0.memory else {
            return self.consume_here(work);
        };
        if let Pushed::StartWorker { active } = memory.push(work, flow) {
            log::info!(
                "{}: high activity - starting 1 additional worker thread(s), currently {active} \
                 active worker threads.",
                self.0.name
            );
            if let Err(why) = self.spawn(memory) {
                log::error!("{}: cannot start an additional worker thread: {why}", self.0.name);
            }
        }
    }

    /// Lets go of all submitters that are held up, and holds up none any more. To be called when the inputs
    /// have been told to end: what each still holds is taken, if need be above the limit.
    pub fn release(&self) {
        if let Some(memory) = &self.0.memory {
            memory.release();
        }
    }

    /// Ends the queue (`spec/queues-actions.md` section 5): empties it within `timeoutShutdown`, then lets
    /// the workers finish their batch within `timeoutActionCompletion`, then gives up. Returns the number of
    /// messages lost; they are also counted and logged.
    #[must_use]
    pub fn shutdown(&self) -> usize {
        let Shared { name, settings, interrupt, ending, memory, spare, .. } = &*self.0;
        let timeout = memory.as_ref().map_or(settings.timeout_shutdown, Memory::timeout_shutdown);
        if timeout.is_zero() {
            interrupt.set(); // no time to empty the queue, so there is no first phase
        }
        ending.set();
        let Some(memory) = memory else {
            interrupt.set();
            lock(spare).clear();
            return 0;
        };
        if !memory.drain(Instant::now() + timeout) {
            log::info!(
                "{name}: regular queue shutdown timed out on primary queue (this is OK, timeout was {})",
                timeout.as_millis()
            );
            interrupt.set();
            if !memory.stop(Instant::now() + settings.timeout_action) {
                log::info!(
                    "{name}: immediate shutdown timed out on primary queue (this is acceptable and \
                     triggers cancellation)"
                );
            }
        }
        let lost = memory.abandon();
        if lost > 0 {
            log::warn!(
                "{name}: {lost} messages lost at shutdown: they were not processed within \
                 queue.timeoutShutdown and queue.timeoutActionCompletion"
            );
        }
        lost
    }

    fn spawn(&self, memory: &Memory<W>) -> std::io::Result<()> {
        let shared = Arc::clone(&self.0);
        let name = format!("rs:{}:Reg", self.0.name);
        match process::spawn(&name, move || shared.serve()) {
            // The thread reports its end to the queue itself; see `Memory::thread_ended`.
            Ok(_) => Ok(()),
            Err(why) => {
                memory.worker_failed();
                Err(why)
            }
        }
    }

    fn consume_here(&self, mut work: W) {
        let spare = lock(&self.0.spare).pop();
        let mut consumer = spare.unwrap_or_else(|| (self.0.consumers)(&self.0.interrupt));
        let messages = work.len();
        consumer.consume(&mut work, 0..messages);
        consumer.finish(work);
        consumer.commit(Commit::All);
        lock(&self.0.spare).push(consumer);
    }
}

impl<W: Work> Shared<W> {
    /// The life of a worker thread.
    fn serve(&self) {
        let Some(memory) = &self.memory else { return };
        let mut consumer = (self.consumers)(&self.interrupt);
        let mut list = Vec::new();
        let mut rhythm = Rhythm::default();
        let mut done = 0;
        while memory.next(done, &mut list, &mut rhythm) == Next::Work {
            self.wait_for_window();
            done = self.round(memory, consumer.as_mut(), &mut list);
        }
        drop(consumer);
        memory.thread_ended();
    }

    /// Processes all work of `list` and returns how many messages are committed but not yet reported done.
    fn round(&self, memory: &Memory<W>, consumer: &mut dyn Consume<W>, list: &mut Vec<W>) -> usize {
        let most = self.settings.dequeue_batch;
        let (mut slice, mut open) = (0, 0);
        for mut work in list.drain(..) {
            let mut from = 0;
            while from < work.len() && !self.interrupt.is_set() {
                let to = work.len().min(from + most - slice);
                consumer.consume(&mut work, from..to);
                slice += to - from;
                open += to - from;
                from = to;
                if slice == most && from < work.len() {
                    slice = 0;
                    if consumer.commit(self.slice_extent()) {
                        memory.done(open);
                        open = 0;
                    }
                    self.pause();
                }
            }
            consumer.finish(work);
        }
        if open > 0 {
            consumer.commit(Commit::All);
            self.pause();
        }
        open
    }

    /// How far a slice is committed: before a pause nothing is left lying.
    fn slice_extent(&self) -> Commit {
        if self.settings.slowdown.is_zero() { Commit::Transactions } else { Commit::All }
    }

    /// `dequeueSlowdown`, after each batch.
    fn pause(&self) {
        if !self.settings.slowdown.is_zero() {
            self.ending.wait(self.settings.slowdown);
        }
    }

    /// Waits while `dequeueTimeBegin`/`dequeueTimeEnd` do not allow work, unless the queue is ending.
    fn wait_for_window(&self) {
        if self.settings.window.1 == 25 {
            return;
        }
        loop {
            let now = clock::now_secs();
            let second = (now + i64::from(clock::local_offset(now))).rem_euclid(86_400);
            let wait = until_window(self.settings.window, second);
            if wait.is_zero() || self.ending.wait(wait) {
                return;
            }
        }
    }
}

/// How long it is from `second` of the day until `window` (from ≤ hour < to, around midnight where `from` is
/// the larger) opens; zero within it.
fn until_window((from, to): (u8, u8), second: i64) -> Duration {
    let hour = second / 3600;
    let (from, to) = (i64::from(from), i64::from(to));
    let inside = if to < from { hour < to || hour >= from } else { (from..to).contains(&hour) };
    let wait = if inside { 0 } else { (from * 3600 - second).rem_euclid(86_400) };
    Duration::from_secs(wait.unsigned_abs())
}

/// Tells the threads of one queue to come to an end; waits on it end at once when it is set.
#[derive(Debug, Default)]
pub struct Interrupt {
    set: Mutex<bool>,
    changed: Condvar,
}

impl Interrupt {
    /// Sets it, for good.
    pub fn set(&self) {
        *lock(&self.set) = true;
        self.changed.notify_all();
    }

    /// Whether it is set.
    #[must_use]
    pub fn is_set(&self) -> bool {
        *lock(&self.set)
    }

    /// Waits for at most `patience`, and returns whether the interrupt is set.
    pub fn wait(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut set = lock(&self.set);
        while !*set && Instant::now() < deadline {
            set = wait_until(&self.changed, set, deadline);
        }
        *set
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::ops::Range;
    use std::sync::mpsc::{self, Receiver, Sender};

    use super::super::testing::{Numbers, settings};
    use super::*;
    use crate::stats::{Purpose, Set};

    /// What a test's consumer reports.
    #[derive(Debug, PartialEq, Eq)]
    enum Seen {
        Messages(Vec<u32>),
        Commit,
    }

    /// Reports what it is given, and waits for a word from the test before each commit, if the test wants it.
    struct Probe {
        seen: Sender<Seen>,
        go: Option<Arc<Mutex<Receiver<()>>>>,
    }

    impl Consume<Numbers> for Probe {
        fn consume(&mut self, work: &mut Numbers, range: Range<usize>) {
            let ids = work.0[range].iter().map(|message| message.0).collect();
            let _ = self.seen.send(Seen::Messages(ids));
        }
        fn commit(&mut self, _extent: Commit) -> bool {
            let _ = self.seen.send(Seen::Commit);
            if let Some(go) = &self.go {
                let _ = lock(go).recv();
            }
            true
        }
        fn finish(&mut self, _work: Numbers) {}
    }

    struct Rig {
        queue: Queue<Numbers>,
        seen: Receiver<Seen>,
        go: Sender<()>,
        stats: Set,
    }

    fn rig(settings: Settings, gated: bool) -> Rig {
        let (seen_sender, seen) = mpsc::channel();
        let (go, gate) = mpsc::channel();
        let gate = gated.then(|| Arc::new(Mutex::new(gate)));
        let seen_sender = Mutex::new(seen_sender);
        let mut settings = settings;
        settings.correct("q");
        let stats = Set::default();
        let consumers: Consumers<Numbers> = Box::new(move |_| {
            Box::new(Probe { seen: lock(&seen_sender).clone(), go: gate.clone() })
        });
        let queue = Queue::new("q", settings, consumers, &stats);
        Rig { queue, seen, go, stats }
    }

    fn small() -> Settings {
        Settings { dequeue_batch: 4, ..settings() }
    }

    impl Rig {
        fn counter(&self, name: &str) -> u64 {
            self.stats.total(None, name)
        }

        fn until_commit(&self) -> Vec<Vec<u32>> {
            let mut got = Vec::new();
            loop {
                match self.seen.recv().expect("the worker lives") {
                    Seen::Messages(ids) => got.push(ids),
                    Seen::Commit => return got,
                }
            }
        }
    }

    #[test]
    fn small_works_share_a_commit_and_large_ones_are_sliced() {
        let rig = rig(small(), false);
        for ids in [0..1, 1..3, 3..4, 4..5, 5..15] {
            rig.queue.push(Numbers::of(ids, 6), FlowControl::None);
        }
        rig.queue.start().unwrap();
        let commits: Vec<_> = (0..5).map(|_| rig.until_commit()).collect();
        assert_eq!(
            commits,
            [
                vec![vec![0], vec![1, 2], vec![3]],
                vec![vec![4]],
                vec![vec![5, 6, 7, 8]],
                vec![vec![9, 10, 11, 12]],
                vec![vec![13, 14]],
            ]
        );
        assert_eq!(rig.queue.shutdown(), 0);
        assert_eq!((rig.counter("enqueued"), rig.counter("size")), (15, 0));
        assert_eq!((rig.counter("size.enqueued"), rig.counter("maxqsize")), (150, 15));
    }

    #[test]
    fn shutdown_loses_only_what_the_timeouts_do_not_allow_for_and_says_how_much() {
        let settings = Settings {
            timeout_shutdown: Duration::ZERO,
            timeout_action: Duration::from_secs(600),
            ..small()
        };
        let rig = rig(settings, true);
        rig.queue.push(Numbers::of(0..10, 6), FlowControl::None);
        rig.queue.start().unwrap();
        assert_eq!(rig.until_commit(), [vec![0, 1, 2, 3]]);
        rig.go.send(()).unwrap();
        assert_eq!(rig.until_commit(), [vec![4, 5, 6, 7]]);
        // The worker is inside its second commit now; shutdown interrupts it after that one.
        let Rig { queue, go, seen, stats } = rig;
        let word = std::thread::scope(|scope| {
            let interrupt = Arc::clone(&queue.0.interrupt);
            scope.spawn(move || {
                interrupt.wait(Duration::from_secs(600));
                go.send(()).unwrap();
            });
            queue.shutdown()
        });
        assert_eq!(word, 2);
        assert_eq!(seen.try_recv().ok(), None);
        assert_eq!(stats.total(None, "lost.shutdown"), 2);
        queue.push(Numbers::of(0..3, 6), FlowControl::Full);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_worker_that_never_returns_is_left_behind() {
        let settings = Settings {
            timeout_shutdown: Duration::ZERO,
            timeout_action: Duration::ZERO,
            ..small()
        };
        let rig = rig(settings, true);
        rig.queue.push(Numbers::of(0..3, 6), FlowControl::None);
        rig.queue.start().unwrap();
        rig.until_commit();
        assert_eq!(rig.queue.shutdown(), 3);
    }

    #[test]
    fn more_workers_come_with_the_load_and_end_when_idle() {
        let settings = Settings {
            workers: 3,
            worker_messages: 10,
            timeout_worker: Some(Duration::ZERO),
            ..small()
        };
        let rig = rig(settings, true);
        rig.queue.start().unwrap();
        for id in 0..40 {
            rig.queue.push(Numbers::of(id..id + 1, 6), FlowControl::None);
        }
        // Three workers stand in a commit at once.
        for _ in 0..3 {
            rig.until_commit();
        }
        for _ in 0..40 {
            rig.go.send(()).unwrap();
        }
        assert_eq!(rig.queue.shutdown(), 0);
    }

    #[test]
    fn direct_queues_work_in_the_submitters_thread() {
        let rig = rig(Settings { kind: Type::Direct, ..settings() }, false);
        rig.queue.push(Numbers::of(0..2, 6), FlowControl::None);
        assert_eq!(rig.seen.try_recv(), Ok(Seen::Messages(vec![0, 1])));
        assert_eq!(rig.seen.try_recv(), Ok(Seen::Commit));
        assert_eq!(rig.queue.shutdown(), 0);
        assert!(rig.stats.read(Purpose::Look).is_empty());
    }

    #[test]
    fn windows_open_on_the_hour() {
        let hour = 3600;
        // (from, to), second of the day, seconds to wait
        let table = [
            ((8, 17), 8 * hour, 0),
            ((8, 17), 17 * hour - 1, 0),
            ((8, 17), 17 * hour, 15 * hour),
            ((8, 17), 7 * hour + 1, hour - 1),
            ((22, 6), 23 * hour, 0),
            ((22, 6), 5 * hour, 0),
            ((22, 6), 6 * hour, 16 * hour),
        ];
        for (window, second, want) in table {
            let got = until_window(window, second);
            assert_eq!(got.as_secs(), want.unsigned_abs(), "{window:?} {second}");
        }
    }

    /// Several submitters, several workers, marks in reach: every message is processed or counted as dropped.
    #[test]
    fn stress_conserves_messages() {
        let settings = Settings {
            size: 500,
            workers: 3,
            worker_messages: 50,
            dequeue_batch: 16,
            timeout_enqueue: Duration::ZERO,
            discard_severity: 7,
            discard_mark: 400,
            timeout_shutdown: Duration::from_secs(600),
            ..settings()
        };
        let rig = rig(settings, false);
        rig.queue.start().unwrap();
        std::thread::scope(|scope| {
            for submitter in 0..4_u32 {
                let queue = &rig.queue;
                scope.spawn(move || {
                    for round in 0..500 {
                        let first = submitter * 1_000_000 + round * 10;
                        let work = Numbers::of(first..first + round % 10, 6 + (round % 2) as u8);
                        let flow =
                            if round % 3 == 0 { FlowControl::Light } else { FlowControl::None };
                        queue.push(work, flow);
                    }
                });
            }
        });
        assert_eq!(rig.queue.shutdown(), 0);
        let mut ids: Vec<u32> = Vec::new();
        while let Ok(seen) = rig.seen.try_recv() {
            if let Seen::Messages(some) = seen {
                ids.extend(some);
            }
        }
        let processed = ids.len() as u64;
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len() as u64, processed, "a message was processed twice");
        let dropped = rig.counter("discarded.full") + rig.counter("discarded.nf");
        assert_eq!(rig.counter("enqueued"), processed + dropped);
        assert_eq!(rig.counter("enqueued"), 4 * 50 * 45);
        assert!(rig.counter("maxqsize") <= 500);
    }
}

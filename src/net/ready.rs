//! Who owns a session when: the session table and the FIFO of sessions with input, under one lock.
//!
//! | state   | owner          | leaves it by                                                          |
//! |---------|----------------|-----------------------------------------------------------------------|
//! | armed   | the table      | [`Ready::wake`]: the poller saw input → queued; [`Ready::take_unless`], [`Ready::pick`] → running |
//! | queued  | the queue      | [`Ready::next`], [`Ready::wait`]: a worker pops it → running          |
//! | running | one thread     | [`Ready::arm`], [`Ready::park`] → armed, [`Ready::requeue`] → queued, [`Ready::close`] |
//! | closed  | nobody         | the slot is free; its generation has risen, so old tokens name nobody |
//!
//! A session is moved by value, so two owners do not compile, and closing consumes it. An accepted session
//! starts as running, owned by the thread that accepted it.
//!
//! **Order within a connection.** Frames read from a session lie in the worker's builder until it submits.
//! If the session became armed or queued before that, another worker could read and submit its later frames
//! first. Therefore a worker *holds* every session it has read from, and gives them back together, under
//! one lock, only after it has submitted the batch that contains their frames. Batches still fill, because
//! the worker goes on popping other sessions in between; it submits when the builder is full or when the
//! queue is empty, and so holds no session for longer than it takes to fill one batch.
//!
//! **Re-arming is the last touch, and under the lock.** A report that comes at once finds its session in the table,
//! because whoever heard of it waits for the lock. Arming after the lock would be by the number of a descriptor that
//! is no longer the worker's: a session that is in the table may be closed for its silence, its number be the next
//! connection's by then, and that one would be watched under a token that names nobody.
//!
//! **No lost wake-up.** A worker goes to sleep only while it holds the lock and sees an empty queue, and it
//! is counted as idle before it lets go; `wake` pushes under the same lock and then wakes as many workers as
//! it pushed sessions, but no more than are idle. The loom models below check this.

use std::collections::VecDeque;

use super::session::{Table, Token};
use crate::sync::model::{Condvar, Mutex, lock, wait};

/// A session that runs: whoever holds this is its only owner.
#[derive(Debug)]
pub struct Owned<S> {
    token: Token,
    /// The session itself.
    pub session: S,
}

impl<S> Owned<S> {
    /// The name of the session in epoll.
    pub fn token(&self) -> Token {
        self.token
    }
}

/// What [`Ready::take_unless`] found.
#[derive(Debug)]
pub enum Found<S, T> {
    /// The session is closed.
    Nobody,
    /// The queue or another thread owns it.
    Busy,
    /// It stays armed, for this reason.
    Kept(T),
    /// It is the caller's now.
    Taken(Owned<S>),
}

/// The sessions of one input.
#[derive(Debug)]
pub struct Ready<S> {
    shared: Mutex<Shared<S>>,
    work: Condvar,
}

#[derive(Debug)]
struct Shared<S> {
    table: Table<S>,
    queue: VecDeque<Owned<S>>,
    /// Workers asleep in [`Ready::wait`].
    idle: usize,
    /// Whether a connection waits until a session closes.
    room_wanted: bool,
    stopping: bool,
}

impl<S> Ready<S> {
    /// No session, and room for `limit` of them.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let shared = Shared {
            table: Table::new(limit),
            queue: VecDeque::new(),
            idle: 0,
            room_wanted: false,
            stopping: false,
        };
        Self { shared: Mutex::new(shared), work: Condvar::new() }
    }

    /// Accepted → running. `None` when the limit is reached.
    pub fn open(&self, session: impl FnOnce() -> S) -> Option<Owned<S>> {
        let token = lock(&self.shared).table.reserve()?;
        Some(Owned { token, session: session() })
    }

    /// Whether there is room for another session; if not, [`Ready::has_made_room`] will say so once there is.
    pub fn has_room(&self) -> bool {
        let mut shared = lock(&self.shared);
        shared.room_wanted = shared.table.is_full();
        !shared.room_wanted
    }

    /// Whether [`Ready::has_room`] was in vain and there is room now; says so once.
    pub fn has_made_room(&self) -> bool {
        let mut shared = lock(&self.shared);
        let made = shared.room_wanted && !shared.table.is_full();
        shared.room_wanted &= !made;
        made
    }

    /// Armed → running, for those that `is_over` picks.
    pub fn pick(&self, mut is_over: impl FnMut(&S) -> bool) -> Vec<Owned<S>> {
        let mut shared = lock(&self.shared);
        let tokens = shared.table.armed_where(&mut is_over);
        let owned = |token| shared.table.take(token).map(|session| Owned { token, session });
        tokens.into_iter().filter_map(owned).collect()
    }

    /// Whether [`Ready::stop`] was called.
    pub fn is_stopping(&self) -> bool {
        lock(&self.shared).stopping
    }

    /// Armed → queued, for all of one `epoll_wait`. Stale tokens are passed over.
    pub fn wake(&self, tokens: impl Iterator<Item = Token>) {
        let mut shared = lock(&self.shared);
        let before = shared.queue.len();
        for token in tokens {
            if let Some(session) = shared.table.take(token) {
                shared.queue.push_back(Owned { token, session });
            }
        }
        let pushed = shared.queue.len() - before;
        let wake = pushed.min(shared.idle);
        drop(shared);
        self.notify(wake);
    }

    /// Queued → running, without waiting. `None` when nothing is queued, or when the pool is stopping.
    pub fn next(&self) -> Option<Owned<S>> {
        let mut shared = lock(&self.shared);
        if shared.stopping { None } else { shared.queue.pop_front() }
    }

    /// Queued → running; sleeps while nothing is queued. `None` when the pool is stopping.
    pub fn wait(&self) -> Option<Owned<S>> {
        let mut shared = lock(&self.shared);
        loop {
            if shared.stopping {
                return None;
            }
            if let Some(owned) = shared.queue.pop_front() {
                return Some(owned);
            }
            shared.idle += 1;
            shared = wait(&self.work, shared);
            shared.idle -= 1;
        }
    }

    /// How many sessions wait for a worker.
    pub fn waiting(&self) -> usize {
        lock(&self.shared).queue.len()
    }

    /// Whether a turn that could go on should end: others wait, or the pool is stopping.
    pub fn wants_turn(&self) -> bool {
        let shared = lock(&self.shared);
        shared.stopping || !shared.queue.is_empty()
    }

    /// Running → armed, for sessions that something else than their descriptors wakes, or that are watched already.
    pub fn park(&self, sessions: impl Iterator<Item = Owned<S>>) {
        let refused = self.arm(sessions, |_| true);
        debug_assert!(refused.is_empty());
    }

    /// Running → armed: `watch` has the descriptor watched. Returns the sessions for which it could not.
    pub fn arm(
        &self,
        sessions: impl Iterator<Item = Owned<S>>,
        mut watch: impl FnMut(&Owned<S>) -> bool,
    ) -> Vec<Owned<S>> {
        let mut refused = Vec::new();
        let mut shared = lock(&self.shared);
        for owned in sessions {
            if watch(&owned) {
                shared.table.park(owned.token, owned.session);
            } else {
                refused.push(owned);
            }
        }
        refused
    }

    /// Armed → running, unless `keep` has a reason against it. A session that is kept is not touched.
    pub fn take_unless<T>(&self, token: Token, keep: impl FnOnce(&S) -> Option<T>) -> Found<S, T> {
        let mut shared = lock(&self.shared);
        match shared.table.look(token) {
            None => Found::Nobody,
            Some(None) => Found::Busy,
            Some(Some(session)) => match keep(session) {
                Some(reason) => Found::Kept(reason),
                None => match shared.table.take(token) {
                    Some(session) => Found::Taken(Owned { token, session }),
                    None => Found::Busy,
                },
            },
        }
    }

    /// Running → queued, at the tail: the session has more to read, but it is others' turn.
    pub fn requeue(&self, sessions: impl Iterator<Item = Owned<S>>) {
        let mut shared = lock(&self.shared);
        let before = shared.queue.len();
        shared.queue.extend(sessions);
        let pushed = shared.queue.len() - before;
        let wake = pushed.min(shared.idle);
        drop(shared);
        self.notify(wake);
    }

    /// Running → closed. The slot is free for the next connection before the caller drops the session.
    pub fn close(&self, owned: Owned<S>) -> S {
        lock(&self.shared).table.close(owned.token);
        owned.session
    }

    /// Sessions that are open, in any state.
    pub fn open_count(&self) -> usize {
        lock(&self.shared).table.open()
    }

    /// From now on [`Ready::next`] and [`Ready::wait`] return `None`; sleeping workers wake to see it.
    pub fn stop(&self) {
        lock(&self.shared).stopping = true;
        self.work.notify_all();
    }

    /// Armed or queued → running, all of them: for the last read, after the workers have ended.
    pub fn drain(&self) -> Vec<Owned<S>> {
        let mut shared = lock(&self.shared);
        assert!(shared.stopping, "workers would still take sessions");
        let mut all: Vec<_> = shared.queue.drain(..).collect();
        for token in shared.table.armed() {
            all.extend(shared.table.take(token).map(|session| Owned { token, session }));
        }
        all
    }

    fn notify(&self, workers: usize) {
        for _ in 0..workers {
            self.work.notify_one();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_session_passes_through_all_states() {
        let ready = Ready::new(1);
        let running = ready.open(|| 's').unwrap();
        assert!(ready.open(|| 't').is_none(), "the limit holds");
        let token = running.token();
        ready.wake([token].into_iter());
        assert_eq!(ready.waiting(), 0, "a running session is not queued");

        ready.park([running].into_iter());
        assert!(ready.next().is_none(), "an armed session is not served");
        ready.wake([token, token].into_iter());
        assert_eq!(ready.waiting(), 1, "an armed session is queued once");

        let running = ready.next().unwrap();
        ready.requeue([running].into_iter());
        let running = ready.wait().unwrap();
        assert_eq!(ready.close(running), 's');
        assert_eq!(ready.open_count(), 0);
        ready.wake([token].into_iter());
        assert_eq!(ready.waiting(), 0, "a closed session's token names nobody");
    }

    #[test]
    fn an_armed_session_is_taken_unless_there_is_a_reason_to_keep_it() {
        let ready = Ready::new(1);
        let running = ready.open(|| 7).unwrap();
        let token = running.token();
        assert!(matches!(ready.take_unless(token, |_| None::<()>), Found::Busy));
        ready.park([running].into_iter());
        assert!(matches!(ready.take_unless(token, |n| Some(*n)), Found::Kept(7)));
        let Found::Taken(owned) = ready.take_unless(token, |_| None::<()>) else {
            panic!("it was armed")
        };
        ready.close(owned);
        assert!(matches!(ready.take_unless(token, |_| None::<()>), Found::Nobody));
    }

    #[test]
    fn after_the_stop_nothing_is_served_and_everything_is_drained() {
        let ready = Ready::new(3);
        let owned: Vec<_> = "abc".chars().map(|s| ready.open(|| s).unwrap()).collect();
        let queued = owned[1].token();
        ready.park(owned.into_iter());
        assert!(!ready.wants_turn());
        ready.wake([queued].into_iter());
        assert!(ready.wants_turn(), "others wait");
        ready.stop();
        assert!(ready.wants_turn());
        assert!(ready.next().is_none());
        assert!(ready.wait().is_none());
        let mut drained: Vec<_> = ready.drain().into_iter().map(|o| ready.close(o)).collect();
        drained.sort_unstable();
        assert_eq!(drained, ['a', 'b', 'c']);
    }
}

/// Run by `RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=2 cargo test --lib --release loom_`. A lost wake-up
/// shows as a deadlock, which loom reports.
#[cfg(all(test, loom))]
mod models {
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use loom::thread;

    use super::*;

    /// What a worker does, without the batch: `serve` is the turn.
    fn worker<S: 'static>(
        ready: &Arc<Ready<S>>,
        serve: impl Fn(&Ready<S>, Owned<S>) + 'static,
    ) -> thread::JoinHandle<()> {
        let ready = Arc::clone(ready);
        thread::spawn(move || {
            while let Some(owned) = ready.next().or_else(|| ready.wait()) {
                serve(&ready, owned);
            }
        })
    }

    #[test]
    fn loom_two_workers_serve_two_sessions_once_each() {
        loom::model(|| {
            let ready = Arc::new(Ready::new(2));
            let left = Arc::new(AtomicUsize::new(2));
            let owned: Vec<_> = (0..2).map(|n| ready.open(|| n).unwrap()).collect();
            let tokens: Vec<_> = owned.iter().map(Owned::token).collect();
            ready.park(owned.into_iter());
            let workers: Vec<_> = (0..2)
                .map(|_| {
                    let left = Arc::clone(&left);
                    worker(&ready, move |ready, owned| {
                        // `close` asserts that the session has one owner.
                        ready.close(owned);
                        if left.fetch_sub(1, SeqCst) == 1 {
                            ready.stop();
                        }
                    })
                })
                .collect();
            for token in tokens {
                ready.wake([token].into_iter());
            }
            workers.into_iter().for_each(|w| w.join().unwrap());
            assert_eq!(ready.open_count(), 0);
        });
    }

    /// One socket in an epoll set, as the kernel sees it.
    #[derive(Default)]
    struct Socket {
        unread: usize,
        armed: bool,
    }

    impl Socket {
        /// Whether epoll reports, which disarms.
        fn report(&mut self) -> bool {
            let report = self.armed && self.unread > 0;
            self.armed &= !report;
            report
        }
    }

    #[test]
    fn loom_bytes_that_come_while_a_session_is_armed_are_not_forgotten() {
        loom::model(|| {
            let ready = Arc::new(Ready::new(1));
            let socket = Arc::new(Mutex::new(Socket { unread: 0, armed: true }));
            let owned = ready.open(|| 0_usize).unwrap();
            let token = owned.token();
            ready.park([owned].into_iter());
            let workers: Vec<_> = (0..2)
                .map(|_| {
                    let socket = Arc::clone(&socket);
                    worker(&ready, move |ready, mut owned| {
                        owned.session += std::mem::take(&mut lock(&socket).unread);
                        if owned.session == 2 {
                            ready.close(owned);
                            return ready.stop();
                        }
                        let mut report = false;
                        ready.arm([owned].into_iter(), |_| {
                            let mut socket = lock(&socket);
                            socket.armed = true;
                            report = socket.report();
                            true
                        });
                        // The poller hears of it as soon as the kernel does, but has to wait for the lock.
                        if report {
                            ready.wake([token].into_iter());
                        }
                    })
                })
                .collect();
            for _ in 0..2 {
                let report = {
                    let mut socket = lock(&socket);
                    socket.unread += 1;
                    socket.report()
                };
                if report {
                    ready.wake([token].into_iter());
                }
            }
            workers.into_iter().for_each(|w| w.join().unwrap());
            assert_eq!(ready.open_count(), 0);
        });
    }

    #[test]
    fn loom_the_stop_leaves_every_session_with_one_owner() {
        loom::model(|| {
            let ready = Arc::new(Ready::new(1));
            let owned = ready.open(|| 0_usize).unwrap();
            let token = owned.token();
            ready.park([owned].into_iter());
            let serve = |ready: &Ready<usize>, mut owned: Owned<usize>| {
                owned.session += 1;
                match owned.session {
                    1 => ready.requeue([owned].into_iter()),
                    _ => ready.park([owned].into_iter()),
                }
            };
            let workers: Vec<_> = (0..2).map(|_| worker(&ready, serve)).collect();
            ready.wake([token].into_iter());
            ready.stop();
            workers.into_iter().for_each(|w| w.join().unwrap());
            assert_eq!(ready.drain().len(), 1);
        });
    }
}

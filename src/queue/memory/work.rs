//! The workers' side: they begin and end, take work, wait for it, and say what is done.

use std::time::Instant;

use super::{Memory, Next, Phase, State};
use crate::queue::Work;
use crate::queue::rhythm::{DOZE, Rhythm};
use crate::sync::model::{MutexGuard, lock, wait, wait_until};

impl<W: Work> Memory<W> {
    /// Counts the worker that starts with the queue.
    pub(in crate::queue) fn add_worker(&self) {
        let mut state = lock(&self.state);
        state.workers += 1;
        state.threads += 1;
    }

    /// Takes back a worker that could not be started.
    pub(in crate::queue) fn worker_failed(&self) {
        lock(&self.state).workers -= 1;
        self.thread_ended();
    }

    /// The last act of a worker thread.
    pub(in crate::queue) fn thread_ended(&self) {
        let mut state = lock(&self.state);
        state.threads -= 1;
        if state.threads == 0 && state.phase >= Phase::Draining {
            self.close(&mut state);
        }
        self.ended.notify_all();
    }

    /// Marks `done` messages as committed, and waits for more to do: up to `take` messages, or
    /// one larger work, are put into `list`.
    pub(in crate::queue) fn next(
        &self,
        done: usize,
        list: &mut Vec<W>,
        rhythm: &mut Rhythm,
    ) -> Next {
        let mut state = lock(&self.state);
        self.retire(&mut state, done);
        let mut impatient_at = None;
        loop {
            if state.phase >= Phase::Stopping {
                break;
            }
            let enough = state.waiting >= self.min_dequeue.0.max(1);
            let late = impatient_at.is_some_and(|at| Instant::now() >= at);
            let hurry = late || state.phase == Phase::Draining;
            if enough || (state.waiting > 0 && hurry) {
                state.take(self.take, list);
                self.drop_in_front(&mut state, list);
                if list.is_empty() {
                    continue;
                }
                return Next::Work;
            }
            if state.phase == Phase::Draining {
                break;
            }
            if state.waiting > 0 {
                let at = *impatient_at.get_or_insert_with(|| Instant::now() + self.min_dequeue.1);
                state = self.sleep(state, Some(at));
                continue;
            }
            impatient_at = None;
            if rhythm.is_steady() && !state.dozing {
                state = self.doze(state);
                rhythm.dozed(state.waiting);
                continue;
            }
            let began = Instant::now();
            let lifetime = self.timeout_worker.filter(|_| state.workers > 1);
            let retires_at = lifetime.map(|lifetime| began + lifetime);
            state = self.sleep(state, retires_at);
            rhythm.waited(began.elapsed());
            let expired = retires_at.is_some_and(|at| Instant::now() >= at);
            if expired && state.waiting == 0 && state.workers > 1 {
                break;
            }
        }
        state.workers -= 1;
        Next::End
    }

    /// Above the discard mark unimportant messages go that are in the queue already, too: those whose turn it is.
    fn drop_in_front(&self, state: &mut State<W>, list: &mut Vec<W>) {
        let mut most = self.marks.droppable_in_front(state.len());
        if most == 0 {
            return;
        }
        let mut dropped = 0;
        list.retain_mut(|work| {
            work.retain(&mut |_, severity| {
                let keep = most == 0 || !self.marks.is_unimportant(severity);
                most -= usize::from(!keep);
                dropped += usize::from(!keep);
                keep
            });
            !work.is_empty()
        });
        self.counters.discarded_mark.add(dropped as u64);
        self.retire(state, dropped);
    }

    fn sleep<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<W>>,
        deadline: Option<Instant>,
    ) -> MutexGuard<'a, State<W>> {
        state.idle += 1;
        state = match deadline {
            Some(deadline) => wait_until(&self.work, state, deadline),
            None => wait(&self.work, state),
        };
        state.idle -= 1;
        state.called = state.called.saturating_sub(1);
        state
    }

    /// Waits a little without being called, unless much comes.
    fn doze<'a>(&'a self, mut state: MutexGuard<'a, State<W>>) -> MutexGuard<'a, State<W>> {
        state.dozing = true;
        state = wait_until(&self.work, state, Instant::now() + DOZE);
        state.dozing = false;
        state
    }

    /// Marks messages as committed, within a larger work.
    pub(in crate::queue) fn done(&self, done: usize) {
        let mut state = lock(&self.state);
        self.retire(&mut state, done);
    }

    fn retire(&self, state: &mut State<W>, done: usize) {
        if done == 0 {
            return;
        }
        state.taken = state.taken.saturating_sub(done);
        state.committed += done as u64;
        state.stalled = false;
        let size = state.len();
        self.counters.size.set(size as u64);
        if state.need_room > 0 && self.marks.room(size) > 0 {
            self.room.notify_all();
        }
        let light = state.held_light > 0 && !self.marks.holds_light(size, true);
        let full = state.held_full > 0 && !self.marks.holds_full(size, true);
        let pace = state.paced > 0 && !self.marks.paces(size, true);
        if light || full || pace {
            self.relief.notify_all();
        }
    }
}

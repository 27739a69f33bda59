//! Names the action that holds its thread up: a peer that does not read, a disk that hangs.
//!
//! Each thread notes when it begins and ends a batch; the control thread looks once a second.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Seconds in one batch after which an action is named.
const BUSY_SECONDS: i64 = 10;

/// The threads of one action, by number.
#[derive(Debug, Default)]
pub(super) struct Watch(Mutex<Vec<Thread>>);

#[derive(Debug, Default)]
struct Thread {
    /// Second in which its present batch began.
    since: Option<i64>,
    /// Whether this batch has been reported.
    reported: bool,
    gone: bool,
}

impl Watch {
    /// A new thread; its number.
    pub(super) fn join(&self) -> usize {
        let mut threads = self.lock();
        let number = threads.iter().position(|thread| thread.gone).unwrap_or(threads.len());
        if number == threads.len() {
            threads.push(Thread::default());
        }
        threads[number] = Thread::default();
        number
    }

    /// The thread has ended.
    pub(super) fn leave(&self, number: usize) {
        self.lock()[number] = Thread { gone: true, ..Thread::default() };
    }

    /// The thread begins a batch.
    pub(super) fn begin(&self, number: usize, second: i64) {
        self.lock()[number] = Thread { since: Some(second), ..Thread::default() };
    }

    /// The thread has finished its batch.
    pub(super) fn end(&self, number: usize) {
        self.lock()[number].since = None;
    }

    /// For how many seconds a thread has been busy with its batch at most, and whether that is news to be
    /// reported.
    pub(super) fn busy(&self, now: i64) -> (i64, bool) {
        let mut news = false;
        let mut longest = 0;
        for thread in &mut *self.lock() {
            let Some(since) = thread.since else { continue };
            longest = longest.max(now - since);
            if now - since >= BUSY_SECONDS {
                news |= !std::mem::replace(&mut thread.reported, true);
            }
        }
        (longest, news)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Thread>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_batch_is_news_once() {
        let watch = Watch::default();
        let (first, second) = (watch.join(), watch.join());
        assert_eq!(watch.busy(100), (0, false));
        watch.begin(first, 100);
        watch.begin(second, 105);
        assert_eq!(watch.busy(109), (9, false));
        assert_eq!(watch.busy(110), (10, true));
        assert_eq!(watch.busy(111), (11, false));
        watch.end(first);
        assert_eq!(watch.busy(116), (11, true), "the second");
        watch.leave(second);
        assert_eq!(watch.busy(200), (0, false));
        assert_eq!(watch.join(), second);
    }
}

//! When work comes in drops, waking a worker for each of them costs more than the work: the wake-up in the
//! submitter, two switches, cold caches. So a worker whose last waits were all short takes a doze: it waits a
//! little without being called, and takes what has come together in the meantime.
//!
//! The first message after a pause is never delayed, nor are the next few. In a steady stream of small works
//! the delay is at most [`DOZE`]; a batch's worth of messages ends the doze at once.

use std::time::Duration;

/// Length of a doze.
pub(super) const DOZE: Duration = Duration::from_millis(1);
/// Messages that end a doze early.
pub(super) const DOZE_MESSAGES: usize = 256;
/// A wait up to this long is short: work comes at some thousand drops a second.
const SHORT: Duration = Duration::from_millis(2);
/// Short waits in a row before a doze.
const STEADY: u8 = 8;
/// A doze that brings fewer messages than this was not worth its while.
const WORTH: usize = 4;

/// What a worker knows about how its work comes.
#[derive(Debug, Default)]
pub(super) struct Rhythm {
    short_waits: u8,
}

impl Rhythm {
    /// Work came after this time.
    pub(super) fn waited(&mut self, time: Duration) {
        self.short_waits = if time <= SHORT { (self.short_waits + 1).min(STEADY) } else { 0 };
    }

    /// Whether the next wait is to be a doze.
    pub(super) fn is_steady(&self) -> bool {
        self.short_waits == STEADY
    }

    /// A doze has brought so many messages.
    pub(super) fn dozed(&mut self, messages: usize) {
        self.short_waits = match messages {
            // It fell between two bursts.
            0 => STEADY / 2,
            1..WORTH => 0,
            _ => STEADY,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_steady_stream_makes_a_worker_doze() {
        let mut rhythm = Rhythm::default();
        for _ in 0..STEADY {
            assert!(!rhythm.is_steady());
            rhythm.waited(SHORT);
        }
        assert!(rhythm.is_steady());
        rhythm.dozed(WORTH);
        assert!(rhythm.is_steady());
        // Bursts, and a doze between two of them.
        rhythm.dozed(0);
        for _ in 0..STEADY / 2 {
            assert!(!rhythm.is_steady());
            rhythm.waited(SHORT);
        }
        assert!(rhythm.is_steady());
        // Somebody waits for each message before sending the next: no doze would bring more than one.
        rhythm.dozed(1);
        assert!(!rhythm.is_steady());
        for _ in 1..STEADY {
            rhythm.waited(Duration::ZERO);
        }
        rhythm.waited(SHORT * 2);
        assert!(!rhythm.is_steady());
    }
}

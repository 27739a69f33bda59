//! The limit of an action (`action.ratelimit.name`, and `rateLimit.…` of omfwd): what is beyond it is dropped, or waits.

use std::sync::Arc;
use std::time::Duration;

use super::policy::{Mode, Policy};
use super::window::{Verdict, Window};
use crate::stats::{Counter, Object};
use crate::sync::{Mutex, lock};

/// The limiter of one action, shared by its threads.
#[derive(Debug)]
pub struct OutputLimiter {
    /// As messages name it.
    name: String,
    /// Where the messages come from, or go to, as messages name it.
    peer: String,
    policy: Arc<Policy>,
    window: Mutex<Window>,
    counters: Counters,
}

/// The counters `ratelimit.…` of an action.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    allowed: Arc<Counter>,
    dropped: Arc<Counter>,
    paced: Arc<Counter>,
    paced_usec: Arc<Counter>,
}

impl Counters {
    /// Registers them.
    #[must_use]
    pub fn new(object: &mut Object) -> Self {
        Self {
            allowed: object.counter("ratelimit.allowed"),
            dropped: object.counter("ratelimit.dropped"),
            paced: object.counter("ratelimit.paced"),
            paced_usec: object.counter("ratelimit.paced_usec"),
        }
    }

    /// Only what is dropped has a counter, this one.
    #[must_use]
    pub fn of_drops(dropped: Arc<Counter>) -> Self {
        Self { dropped, ..Self::default() }
    }
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The action takes it.
    Allowed,
    /// The action does not take it; that is counted.
    Dropped,
    /// To be asked again after this time at the latest.
    Wait(Duration),
}

impl OutputLimiter {
    /// A limiter that calls itself `name` where it says that it drops messages of `peer`.
    #[must_use]
    pub fn new(name: String, peer: String, policy: Arc<Policy>, counters: Counters) -> Self {
        Self { name, peer, policy, window: Mutex::default(), counters }
    }

    /// The limiter of this action.
    #[must_use]
    pub fn of_action(action: &str, policy: Arc<Policy>, counters: Counters) -> Self {
        Self::new(format!("action[{action}]"), action.to_owned(), policy, counters)
    }

    /// Judges a message; `now` yields the second.
    pub fn admit(&self, now: impl FnOnce() -> i64) -> Admission {
        let limits = self.policy.limits();
        if limits.interval == 0 {
            self.counters.allowed.add(1);
            return Admission::Allowed;
        }
        let mut window = lock(&self.window);
        if limits.mode == Mode::Pace {
            let wait = window.wait(limits.interval, limits.burst, now());
            drop(window);
            let Some(seconds) = wait else {
                self.counters.allowed.add(1);
                return Admission::Allowed;
            };
            // Looked at once a second, so that a changed policy counts soon.
            let pause = Duration::from_secs(seconds.min(1));
            self.counters.paced.add(1);
            self.counters.paced_usec.add(u64::try_from(pause.as_micros()).unwrap_or(u64::MAX));
            return Admission::Wait(pause);
        }
        let missed = window.roll(limits.interval, now());
        let verdict = window.admit(limits.burst);
        drop(window);
        super::tell_missed(&self.name, missed, limits);
        match verdict {
            Verdict::Passed => {
                self.counters.allowed.add(1);
                Admission::Allowed
            }
            Verdict::Dropped { first } => {
                self.counters.dropped.add(1);
                if first {
                    super::tell_begin(&self.name, &self.peer);
                }
                Admission::Dropped
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Limits;
    use super::*;

    fn limiter(mode: Mode) -> OutputLimiter {
        let limits = Limits { interval: 10, burst: 2, mode, ..Limits::default() };
        OutputLimiter::of_action("x", Arc::new(Policy::inline(limits)), Counters::default())
    }

    #[test]
    fn beyond_the_burst_messages_are_dropped_and_counted() {
        let limiter = limiter(Mode::Drop);
        let admitted = [0, 0, 5, 11].map(|now| limiter.admit(|| now));
        let (allowed, dropped) = (Admission::Allowed, Admission::Dropped);
        assert_eq!(admitted, [allowed, allowed, dropped, allowed]);
        let Counters { allowed, dropped, paced, .. } = &limiter.counters;
        assert_eq!((allowed.get(), dropped.get(), paced.get()), (3, 1, 0));
    }

    #[test]
    fn paced_messages_wait_for_the_next_window() {
        let limiter = limiter(Mode::Pace);
        let second = Admission::Wait(Duration::from_secs(1));
        let admitted = [0, 0, 5, 9, 10].map(|now| limiter.admit(|| now));
        let allowed = Admission::Allowed;
        assert_eq!(admitted, [allowed, allowed, second, second, allowed]);
        assert_eq!(limiter.counters.paced_usec.get(), 2_000_000);
    }
}

//! Holds reports of statistics up until a test lets them go, so that it knows what they count.
//!
//! It is the first object of every report: while it is blocked, no other has been read.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::stats::{self, Counter, Live, Object, Purpose, Reading};
use crate::sync::{lock, wait};

/// Where a report passes, or waits.
#[derive(Debug)]
pub(super) struct Gate {
    object: Object,
    potential_ms: Arc<Counter>,
    actual_ms: Arc<Counter>,
    invocations: Arc<Counter>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The next report waits.
    blocked: bool,
    /// The next report goes through, the one after that waits.
    once: bool,
    /// A report has gone through and is reading the objects behind it.
    inside: bool,
    /// A report has been read to its end since somebody last asked.
    passed: bool,
    /// When a test began to hold reports up.
    since: Option<Instant>,
    /// The module ends: nothing waits any more.
    ended: bool,
}

impl Default for Gate {
    fn default() -> Self {
        let mut object = Object::new("imdiag-stats-reporting-controller", "imdiag");
        let potential_ms = object.counter("potentialTotalArtificialDelayInMs");
        let actual_ms = object.counter("actualTotalArtificialDelayInMs");
        let invocations = object.counter("delayInvocationCount");
        let (state, changed) = Default::default();
        Self { object, potential_ms, actual_ms, invocations, state, changed }
    }
}

impl Gate {
    /// Blocks it, from the next report on; one that is under way is let finish first.
    pub(super) fn block(&self) {
        let mut state = lock(&self.state);
        while state.inside && !state.ended {
            state = wait(&self.changed, state);
        }
        (state.blocked, state.once, state.passed) = (true, false, false);
        state.since = Some(Instant::now());
    }

    /// Opens it and waits for a report to be read; then it is blocked again if `again`. `false`: it was not blocked.
    pub(super) fn let_pass(&self, again: bool) -> bool {
        let mut state = lock(&self.state);
        let Some(since) = state.since else { return false };
        self.potential_ms.add(milliseconds(since.elapsed()));
        self.invocations.add(1);
        (state.blocked, state.once, state.since) = (false, again, None);
        self.changed.notify_all();
        while !(state.passed || state.ended) {
            state = wait(&self.changed, state);
        }
        state.passed = false;
        state.since = again.then(Instant::now);
        true
    }

    /// Lets everybody go, for good.
    pub(super) fn end(&self) {
        lock(&self.state).ended = true;
        self.changed.notify_all();
    }
}

impl Live for Gate {
    fn read(&self, purpose: Purpose) -> Reading {
        if purpose != Purpose::Look {
            let came = Instant::now();
            let mut state = lock(&self.state);
            while state.blocked && !state.ended {
                state = wait(&self.changed, state);
            }
            state.blocked = std::mem::take(&mut state.once);
            state.inside = true;
            drop(state);
            self.actual_ms.add(milliseconds(came.elapsed()));
        }
        stats::Object::read(&self.object, purpose)
    }

    fn round_over(&self, purpose: Purpose) {
        if purpose != Purpose::Look {
            let mut state = lock(&self.state);
            (state.inside, state.passed) = (false, true);
            drop(state);
            self.changed.notify_all();
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::process;

    fn report(gate: &Gate) {
        gate.read(Purpose::Report);
        gate.round_over(Purpose::Report);
    }

    #[test]
    fn reports_wait_while_it_is_blocked() {
        let gate = Arc::new(Gate::default());
        assert!(!gate.let_pass(false), "it is open");
        report(&gate);
        gate.block();
        gate.read(Purpose::Look); // waits for nothing
        let reports = {
            let gate = Arc::clone(&gate);
            process::spawn("reports", move || (0..3).for_each(|_| report(&gate))).unwrap()
        };
        // Each goes through only when it is let.
        for again in [true, true, false] {
            assert!(!reports.is_finished());
            assert!(gate.let_pass(again));
        }
        reports.join().unwrap();
        assert_eq!(gate.read(Purpose::Look).get("delayInvocationCount"), Some(3));
        assert!(!gate.let_pass(false), "it is open again");
    }

    #[test]
    fn nobody_waits_beyond_the_end() {
        let gate = Gate::default();
        gate.block();
        gate.end();
        gate.read(Purpose::Reset);
        gate.block();
        assert!(gate.let_pass(true));
    }
}

//! Whether an action takes a message at all: MARK suppression, every nth time, once in an interval.
//!
//! The decisions count over all threads of the action, as the reference's do, so they share one small lock;
//! an action without any of these options has no gate and takes none.

use std::sync::{Mutex, PoisonError};

use super::settings;
use crate::message::{Flags, Msg};

/// The counting part of [`settings::Gate`].
#[derive(Debug)]
pub(super) struct Gate {
    options: settings::Gate,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Messages not executed since the last that was.
    skipped: i64,
    /// Second from which `every_nth_timeout` counts.
    counting_since: Option<i64>,
    /// Second of the last execution, by the clock, for `once_interval`.
    executed: Option<i64>,
    /// Reception second of the last message executed, for MARK.
    received: i64,
}

impl Gate {
    /// A gate, if any counting option asks for one.
    pub(super) fn new(options: settings::Gate) -> Option<Self> {
        let counts = options.skip_marks || options.every_nth > 1 || options.once_interval > 0;
        let state =
            State { skipped: 0, counting_since: None, executed: None, received: i64::MIN / 2 };
        counts.then(|| Self { options, state: Mutex::new(state) })
    }

    /// Whether the message is executed. The order of the questions is the reference's (`action.c`).
    pub(super) fn admits(&self, msg: &Msg<'_>) -> bool {
        let Self { options, state } = self;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = msg.env.now.div_euclid(1_000_000);
        let received = msg.record.received.div_euclid(1_000_000);
        let mark = options.skip_marks && msg.record.flags.has(Flags::MARK);
        if mark && received - state.received < options.mark_interval / 2 {
            return false;
        }
        if options.every_nth > 1 {
            let since = *state.counting_since.get_or_insert(now);
            if options.every_nth_timeout > 0 && now - since > options.every_nth_timeout {
                state.skipped = 0;
                state.counting_since = Some(now);
            }
            if state.skipped < options.every_nth - 1 {
                state.skipped += 1;
                return false;
            }
            state.skipped = 0;
        }
        if options.once_interval > 0 {
            let due = |executed: i64| executed.saturating_add(options.once_interval) <= now;
            if !state.executed.is_none_or(due) {
                return false;
            }
            state.executed = Some(now);
        }
        state.received = received;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::testing::{environment, message};

    /// Which of the messages at these (second, is a MARK) are admitted.
    fn admitted(options: settings::Gate, at: &[(i64, bool)]) -> Vec<bool> {
        let gate = Gate::new(options).expect("a gate");
        let admits = |&(second, mark): &(i64, bool)| {
            let mut env = environment();
            env.now = second * 1_000_000;
            let mut batch = message("text");
            batch.records[0].received = env.now;
            if mark {
                batch.records[0].flags.set(Flags::MARK);
            }
            gate.admits(&Msg::at(&batch, 0, &env).expect("a message"))
        };
        at.iter().map(admits).collect()
    }

    #[test]
    fn no_option_no_gate() {
        assert!(Gate::new(settings::Gate { every_nth: 1, ..Default::default() }).is_none());
    }

    #[test]
    fn every_nth_time_counts_and_times_out() {
        let options = settings::Gate { every_nth: 3, ..Default::default() };
        let at = [(0, false); 7];
        assert_eq!(admitted(options, &at), [false, false, true, false, false, true, false]);
        let options = settings::Gate { every_nth_timeout: 10, ..options };
        let at = [(0, false), (1, false), (20, false), (21, false), (22, false)];
        assert_eq!(admitted(options, &at), [false, false, false, false, true]);
    }

    #[test]
    fn once_in_an_interval() {
        let options = settings::Gate { once_interval: 10, ..Default::default() };
        let at = [(100, false), (101, false), (109, false), (110, false), (111, false)];
        assert_eq!(admitted(options, &at), [true, false, false, true, false]);
    }

    #[test]
    fn a_mark_is_dropped_if_the_action_ran_lately() {
        let options =
            settings::Gate { skip_marks: true, mark_interval: 1200, ..Default::default() };
        let at = [(10, true), (20, true), (700, false), (1299, true), (1300, true)];
        assert_eq!(admitted(options, &at), [true, false, true, false, true]);
    }
}

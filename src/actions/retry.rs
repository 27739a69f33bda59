//! The state machine around every output (`spec/queues-actions.md` section 6.3).
//!
//! ```text
//!             push ok                        tried as often as allowed
//!         ┌──────────┐    failure    ┌───────┐ ──────────────────────► ┌───────────┐
//!  ──────►│  Ready   │ ────────────► │ retry │                         │ Suspended │ messages are lost
//!         └──────────┘ ◄──────────── └───────┘ ◄────────────────────── └───────────┘ until `until`
//!                         resumed                 now ≥ until
//!  a failure that disables: Disabled, for good; every message is lost
//! ```
//! "Retry" happens within one call and may wait, for at most `resumeInterval` at a time; the queue's
//! interrupt ends the wait. An attempt is `resume` and, if something is pending, `commit`; one that makes
//! progress does not count, so an output whose `resume` always says yes cannot make us spin.

use std::sync::Arc;
use std::time::Duration;

use super::action::Action;
use super::{Effect, Failure, OutputWorker};
use crate::message::Msg;
use crate::queue::Interrupt;
use crate::ratelimit::output::Admission;
use crate::sys::clock;

/// Shortest pause between two tries; `resumeInterval="0"` must not spin.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(10);

/// One thread's end of an action: its worker and its view of the state.
pub struct Runner {
    action: Arc<Action>,
    worker: Box<dyn OutputWorker>,
    interrupt: Arc<Interrupt>,
    /// Its number in the action's watch.
    number: usize,
    state: State,
    /// The output says that it works again, and has yet to prove it.
    trial: bool,
    /// Messages pushed since the last commit, for the counters.
    pushed: u64,
    lost: u64,
    /// Beyond the action's rate limit.
    dropped: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    /// Until this second.
    Suspended(i64),
    Disabled,
}

/// What becomes of a message that is to be pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Readiness {
    Ready,
    /// Nothing is to be tried now.
    Suspended,
    /// It was tried again, in vain.
    Failed,
}

impl Runner {
    /// A thread's end of `action`; `interrupt` ends its waits when the daemon stops.
    #[must_use]
    pub fn new(action: Arc<Action>, interrupt: Arc<Interrupt>) -> Self {
        let worker = action.worker();
        let number = action.watch.join();
        Self {
            action,
            worker,
            interrupt,
            number,
            state: State::Ready,
            trial: false,
            pushed: 0,
            lost: 0,
            dropped: 0,
        }
    }

    /// The action.
    #[must_use]
    pub fn action(&self) -> &Action {
        &self.action
    }

    /// Hands over a message that [`Action::admits`]. `false`: the action is suspended or disabled, and the
    /// message is lost for it, and counted.
    pub fn push(&mut self, msg: &Msg<'_>) -> bool {
        self.pushed += 1;
        if self.pushed == 1 || self.state != State::Ready {
            match self.readiness(msg) {
                Readiness::Ready => {}
                refused => {
                    self.lose(msg, refused == Readiness::Failed);
                    return false;
                }
            }
        }
        if !self.is_within_limit(msg) {
            self.dropped += 1;
            return true;
        }
        loop {
            let Self { action, worker, lost, .. } = self;
            let outcome = worker.push(msg, &mut |why, text| {
                *lost += 1;
                action.lost(why, text);
            });
            let Err(failure) = outcome else { break };
            if !self.retry(failure) {
                self.lose(msg, true);
                return false;
            }
        }
        if self.action.settings().commit_each {
            let lost = self.lost;
            self.flush();
            return self.lost == lost;
        }
        true
    }

    /// Whether what was pushed may wait for the end of a batch that is larger than a transaction.
    #[must_use]
    pub fn may_collect(&self) -> bool {
        !self.worker.is_transactional()
    }

    /// End of the batch: writes everything out, with retries as configured, and brings the counters up to
    /// date. Without a queue the reference counts each message as a batch.
    pub fn commit(&mut self, from_queue: bool) {
        self.flush();
        self.action.watch.end(self.number);
        let counters = &self.action.counters;
        if from_queue {
            counters.batches.add(1);
        } else {
            counters.processed.add(self.pushed);
            counters.batches.add(self.pushed);
        }
        counters.failed.add(self.lost);
        counters.written.add(self.pushed - self.lost - self.dropped);
        self.pushed = 0;
        self.lost = 0;
        self.dropped = 0;
    }

    /// Whether the message is within `action.ratelimit.name`; waits where that says so, until the daemon stops:
    /// what is left then goes out at once.
    fn is_within_limit(&mut self, msg: &Msg<'_>) -> bool {
        let Some(rate) = &self.action.rate else { return true };
        let mut admission = rate.admit(|| msg.env.now.div_euclid(1_000_000));
        while let Admission::Wait(pause) = admission {
            // What is pending does not wait as well.
            self.flush();
            if self.interrupt.wait(pause) {
                return true;
            }
            let Some(rate) = &self.action.rate else { return true };
            admission = rate.admit(clock::now_secs);
        }
        admission == Admission::Allowed
    }

    fn flush(&mut self) {
        if self.worker.pending() > 0
            && let Err(failure) = self.commit_worker()
        {
            self.retry(failure);
        }
        debug_assert_eq!(self.worker.pending(), 0, "a commit leaves nothing pending");
    }

    fn commit_worker(&mut self) -> Result<(), Failure> {
        let Self { action, worker, lost, .. } = self;
        let some = worker.pending() > 0;
        worker.commit(&mut |why, text| {
            *lost += 1;
            action.lost(why, text);
        })?;
        if some && std::mem::replace(&mut self.trial, false) {
            self.action.resumed();
        }
        Ok(())
    }

    /// Whether the action takes a message, the first of a batch or in trouble: it works, or the time has come
    /// to try it again.
    fn readiness(&mut self, msg: &Msg<'_>) -> Readiness {
        let now = msg.env.now.div_euclid(1_000_000);
        if self.pushed == 1 {
            self.action.watch.begin(self.number, now);
        }
        let due = match self.state {
            State::Ready => true,
            State::Suspended(until) => until <= now,
            State::Disabled => false,
        };
        if !due {
            return Readiness::Suspended;
        }
        let (failure, otherwise) = match self.action.check_external_state() {
            Err(failure) => (failure, Readiness::Suspended),
            Ok(()) if self.state == State::Ready => return Readiness::Ready,
            Ok(()) => match self.worker.resume() {
                Err(failure) => (failure, Readiness::Failed),
                Ok(()) => {
                    self.state = State::Ready;
                    return Readiness::Ready;
                }
            },
        };
        if self.retry(failure) { Readiness::Ready } else { otherwise }
    }

    /// Something failed: tries again as often as allowed. On `true` the action is ready and nothing is
    /// pending; on `false` it is suspended or disabled, and what was pending is lost.
    fn retry(&mut self, mut failure: Failure) -> bool {
        let mut pending = self.worker.pending();
        let mut tries = 0;
        self.trial = true;
        let mut said = Said::default();
        loop {
            if failure.effect == Effect::Disable {
                self.action.disable(&failure);
                self.state = State::Disabled;
                self.discard(&failure);
                return false;
            }
            if said.is_news(&failure, tries) {
                log::error!(code = failure.code; "{failure}");
            }
            self.action.report_outage();
            // The first try is at once, as the reference's is; the others come after the interval.
            let progress = self.worker.pending() < pending;
            pending = self.worker.pending();
            // An output's own pause comes before the first try, too.
            let mut pause = failure.pause;
            if tries > 0 && !progress {
                let settings = self.action.settings();
                // The try at once is one of those allowed, even where there are to be none.
                if settings.resume_retry_count.is_some_and(|most| tries >= most.max(1)) {
                    self.state = State::Suspended(self.action.suspend());
                    self.discard(&failure);
                    return false;
                }
                let interval = settings.resume_interval.try_into().unwrap_or(0);
                pause = pause.or(Some(Duration::from_secs(interval)));
            }
            if let Some(pause) = pause {
                self.action.count_wait(pause);
                if self.is_interrupted(pause, &failure) {
                    return false;
                }
            }
            tries = if progress { 1 } else { tries + 1 };
            self.action.counters.retries.add(1);
            let external = self.action.check_external_state();
            match external.and_then(|()| self.worker.resume()).and_then(|()| self.commit_worker()) {
                Ok(()) => {
                    self.state = State::Ready;
                    return true;
                }
                Err(again) => failure = again,
            }
        }
    }

    /// Waits before the next try; if the daemon stops meanwhile, what is pending is lost.
    fn is_interrupted(&mut self, pause: Duration, failure: &Failure) -> bool {
        let stops = self.interrupt.wait(pause.max(RETRY_PAUSE_MIN));
        if stops {
            self.discard(&Failure { text: "shutdown".into(), ..failure.clone() });
        }
        stops
    }

    /// Gives up a message that was never pushed; its text matters only to the error file, as does whether the output
    /// was `tried`.
    fn lose(&mut self, msg: &Msg<'_>, tried: bool) {
        let why = Failure::suspend(2007, "suspended");
        if self.action.keeps_lost() {
            let Self { action, worker, .. } = self;
            let mut sink = |why: &Failure, text: &[u8]| match why.effect {
                Effect::Suspend if !tried => action.refused(text),
                _ => action.lost(why, text),
            };
            if worker.pending() == 0 && worker.push(msg, &mut sink).is_ok() {
                worker.discard(&why, &mut sink);
            }
        }
        self.lost += 1;
    }

    fn discard(&mut self, why: &Failure) {
        let Self { action, worker, lost, .. } = self;
        worker.discard(why, &mut |why, text| {
            *lost += 1;
            action.lost(why, text);
        });
    }
}

/// What has been logged in an outage.
#[derive(Default)]
struct Said {
    texts: Vec<String>,
    /// Pauses that outputs have asked for since something was forgotten.
    waited: Duration,
}

impl Said {
    /// Whether a failure has to be logged, after so many tries. The first try is at once and usually ends as what
    /// came before it. Of an output that tries again in its own time the same is said once a minute.
    fn is_news(&mut self, failure: &Failure, tries: u64) -> bool {
        if failure.pause.is_some() && self.waited >= SILENCE {
            *self = Self::default();
        }
        self.waited = self.waited.saturating_add(failure.pause.unwrap_or_default());
        let known = self.texts.contains(&failure.text);
        if !known && self.texts.len() < TEXTS_MAX {
            self.texts.push(failure.text.clone());
        }
        match failure.pause {
            Some(_) => !known,
            None => tries != 1 || !known,
        }
    }
}

/// How long an output that tries again in its own time does not repeat itself.
const SILENCE: Duration = Duration::from_secs(60);
/// Texts that are kept.
const TEXTS_MAX: usize = 16;

impl Drop for Runner {
    fn drop(&mut self) {
        self.action.watch.leave(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::settings::Settings;
    use crate::actions::testing::{Script, environment, message, settings};
    use crate::stats;

    struct Bench {
        script: Arc<Script>,
        set: stats::Set,
        runner: Runner,
        interrupt: Arc<Interrupt>,
    }

    fn bench(change: impl FnOnce(&mut Settings)) -> Bench {
        let mut settings = settings();
        change(&mut settings);
        let (script, set) = (Arc::new(Script::default()), stats::Set::default());
        let output = Arc::clone(&script);
        let interrupt = Arc::new(Interrupt::default());
        let action = Arc::new(Action::new(settings, output, &set));
        let runner = Runner::new(action, Arc::clone(&interrupt));
        Bench { script, set, runner, interrupt }
    }

    impl Bench {
        fn push(&mut self, text: &str, second: i64) -> bool {
            let mut env = environment();
            env.now = second.saturating_mul(1_000_000);
            let batch = message(text);
            self.runner.push(&Msg::at(&batch, 0, &env).expect("a message"))
        }

        fn count(&self, name: &str) -> u64 {
            self.set.total(None, name)
        }

        /// Commits, and checks the ledger against what the output has.
        fn commit(&mut self) -> Vec<String> {
            self.runner.commit(false);
            let written = self.script.written();
            assert_eq!(self.count("processed"), self.count("written") + self.count("failed"));
            assert_eq!(self.count("written"), written.len() as u64);
            written
        }
    }

    /// Far in the future: every suspension is over.
    const LATER: i64 = 1 << 40;

    #[test]
    fn all_is_well() {
        let mut bench = bench(|_| ());
        for text in ["a", "b", "c"] {
            assert!(bench.push(text, 1));
        }
        assert_eq!(bench.commit(), ["a", "b", "c"]);
        assert_eq!(
            (bench.count("failed"), bench.count("suspended"), bench.count("retries")),
            (0, 0, 0)
        );
    }

    #[test]
    fn a_failure_is_retried_at_once_and_nothing_is_doubled() {
        let mut bench = bench(|_| ());
        // Of three messages the first is written, then the output fails, then it works again.
        bench.script.commits(&[Some(1), None]);
        for text in ["a", "b", "c"] {
            bench.push(text, 1);
        }
        assert_eq!(bench.commit(), ["a", "b", "c"]);
        assert_eq!(
            (bench.count("resumed"), bench.count("failed"), bench.count("suspended")),
            (1, 0, 0)
        );
    }

    #[test]
    fn without_retries_a_batch_is_lost_and_later_ones_until_the_time_is_over() {
        let mut bench = bench(|_| ());
        bench.script.commits(&[Some(1), Some(0)]);
        bench.push("a", 1);
        bench.push("b", 1);
        assert_eq!(bench.commit(), ["a"]);
        assert!(!bench.push("c", 1));
        assert_eq!(bench.commit(), ["a"]);
        assert_eq!((bench.count("failed"), bench.count("suspended")), (2, 1));
        assert!(bench.push("d", LATER));
        assert_eq!(bench.commit(), ["a", "d"]);
        assert_eq!((bench.count("failed"), bench.count("resumed")), (2, 1));
    }

    #[test]
    fn retries_are_counted_out() {
        let mut bench = bench(|settings| {
            settings.resume_retry_count = Some(3);
            settings.resume_interval = 0;
        });
        // The first failure, the try at once, two more: the fourth gives up.
        bench.script.commits(&[Some(0); 3]);
        bench.push("a", 1);
        assert_eq!(bench.commit(), ["a"]);
        bench.script.commits(&[Some(0); 4]);
        bench.push("b", 1);
        assert_eq!(bench.commit(), ["a"]);
        assert_eq!((bench.count("failed"), bench.count("suspended")), (1, 2));
    }

    #[test]
    fn an_output_with_its_own_pauses_repeats_itself_once_a_minute() {
        let failure = |pause, text: &str| Failure {
            pause: Some(Duration::from_secs(pause)),
            ..Failure::suspend(2007, text)
        };
        let mut said = Said::default();
        let mut news = |pause, text: &str| said.is_news(&failure(pause, text), 5);
        assert!(news(1, "401"));
        // 2, 4, … 32: 63 seconds in all.
        assert!((1..6).all(|power| !news(1 << power, "401")));
        assert!(news(60, "401") && news(60, "401"));
        assert!(news(60, "401") && news(1, "another one") && !news(1, "another one"));
        let mut said = Said::default();
        let plain = Failure::suspend(2007, "broken");
        assert_eq!(
            [0, 1, 2, 3].map(|tries| said.is_news(&plain, tries)),
            [true, false, true, true]
        );
    }

    #[test]
    fn a_pause_of_the_outputs_own_is_an_outage() {
        let mut bench = bench(|_| ());
        bench.script.asks_for(Duration::from_millis(1));
        bench.script.commits(&[Some(0)]);
        bench.push("a", 1);
        assert_eq!(bench.commit(), ["a"]);
        assert_eq!((bench.count("suspended"), bench.count("resumed")), (1, 1));
    }

    #[test]
    fn endless_retries_lose_nothing_until_the_daemon_stops() {
        let mut bench = bench(|settings| {
            settings.resume_retry_count = None;
            settings.resume_interval = 0;
        });
        bench.script.commits(&[Some(0); 10]);
        bench.push("a", 1);
        assert_eq!(bench.commit(), ["a"]);
        assert_eq!((bench.count("suspended"), bench.count("suspended.now")), (1, 0));
        bench.script.commits(&[Some(0); 10]);
        bench.interrupt.set();
        bench.push("b", 1);
        assert_eq!(bench.commit(), ["a"]);
        assert_eq!((bench.count("failed"), bench.count("suspended.now")), (1, 1));
    }

    #[test]
    fn a_bad_message_costs_only_itself() {
        let mut bench = bench(|_| ());
        for text in ["a", "bad", "c"] {
            assert!(bench.push(text, 1));
        }
        assert_eq!(bench.commit(), ["a", "c"]);
        assert_eq!((bench.count("failed"), bench.count("suspended")), (1, 0));
    }

    #[test]
    fn a_disabled_action_takes_nothing_any_more() {
        let mut bench = bench(|_| ());
        bench.push("a", 1);
        bench.push("disable", 1);
        bench.commit();
        assert!(!bench.push("b", LATER));
        assert!(bench.commit().is_empty());
        assert_eq!(bench.count("failed"), 3);
    }

    #[test]
    fn an_output_that_fails_in_push_is_resumed_and_gets_the_message() {
        let mut bench = bench(|_| ());
        bench.push("a", 1);
        bench.script.pushes_fail(1);
        assert!(bench.push("b", 1));
        assert_eq!(bench.commit(), ["a", "b"]);
        assert_eq!(bench.count("resumed"), 1);
    }

    #[test]
    fn what_is_given_up_goes_to_the_error_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("errors");
        let mut bench = bench(|settings| settings.error_file = Some((path.clone(), 0)));
        bench.script.commits(&[Some(0), Some(0)]);
        bench.push("a", 1);
        bench.commit();
        bench.push("b", 1);
        bench.commit();
        bench.script.commits(&[Some(0), Some(0)]);
        bench.push("c", LATER);
        bench.commit();
        let lines = std::fs::read_to_string(path).expect("the error file");
        let line = |status, text| {
            format!("{{ \"action\": \"test\", \"status\": {status}, \"template0\": \"{text}\" }}\n")
        };
        assert_eq!(lines, line(-2007, "a") + &line(0, "b") + &line(-2007, "c"));
    }

    #[test]
    fn an_external_file_suspends_the_action() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("state");
        let mut bench = bench(|settings| settings.external_state = Some(path.clone()));
        assert!(bench.push("a", 1), "there is no file");
        bench.commit();
        std::fs::write(&path, "SUSPENDED\n").expect("written");
        assert!(!bench.push("b", 1));
        bench.commit();
        assert!(!bench.push("c", LATER), "still");
        bench.commit();
        std::fs::write(&path, "READY\n").expect("written");
        assert!(bench.push("d", LATER));
        assert_eq!(bench.commit(), ["a", "d"]);
        assert_eq!((bench.count("suspended"), bench.count("resumed")), (1, 1));
    }

    #[test]
    fn each_message_is_committed_where_the_next_action_depends_on_it() {
        let mut bench = bench(|settings| settings.commit_each = true);
        assert!(bench.push("a", 1));
        assert_eq!(bench.script.written(), ["a"]);
        bench.script.commits(&[Some(0), Some(0)]);
        assert!(!bench.push("b", 1));
        assert_eq!(bench.commit(), ["a"]);
    }
}

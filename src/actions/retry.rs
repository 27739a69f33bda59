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

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::error_file::ErrorFile;
use super::gate::Gate;
use super::settings::Settings;
use super::{Effect, Failure, Output, OutputWorker};
use crate::message::timestamp::Time;
use crate::message::{Msg, Zone};
use crate::queue::Interrupt;
use crate::stats::{self, Counter};
use crate::sys::clock;

/// A configured action, shared by all threads that run it.
pub struct Action {
    settings: Settings,
    output: Arc<dyn Output>,
    gate: Option<Gate>,
    error_file: Option<ErrorFile>,
    counters: Counters,
    /// What threads have to agree on: one suspends for all.
    shared: Mutex<Shared>,
}

#[derive(Debug)]
struct Counters {
    processed: Arc<Counter>,
    batches: Arc<Counter>,
    failed: Arc<Counter>,
    suspended: Arc<Counter>,
    suspended_seconds: Arc<Counter>,
    resumed: Arc<Counter>,
    written: Arc<Counter>,
    retries: Arc<Counter>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Second until which the action is suspended.
    until: Option<i64>,
    /// Suspensions since the action last worked, up to 20.
    rounds: i64,
    /// Whether something failed since the action last worked.
    outage: bool,
    /// Whether that outage is in the counter `suspended`.
    counted: bool,
    disabled: bool,
    /// Second in which a lost message was last logged.
    lost_logged: i64,
}

/// One thread's end of an action: its worker and its view of the state.
pub struct Runner {
    action: Arc<Action>,
    worker: Box<dyn OutputWorker>,
    interrupt: Arc<Interrupt>,
    state: State,
    /// The output says that it works again, and has yet to prove it.
    trial: bool,
    /// Messages pushed since the last commit, for the counters.
    pushed: u64,
    lost: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    /// Until this second.
    Suspended(i64),
    Disabled,
}

impl Action {
    /// An action; its counters are added to `stats`.
    #[must_use]
    pub fn new(settings: Settings, output: Arc<dyn Output>, stats: &stats::Set) -> Self {
        let mut object = stats::Object::new(settings.name.clone(), "core.action");
        let counters = Counters {
            processed: object.counter("processed"),
            batches: object.counter("batchesprocessed"),
            failed: object.counter("failed"),
            suspended: object.counter("suspended"),
            suspended_seconds: object.gauge("suspended.duration"),
            resumed: object.counter("resumed"),
            written: object.counter("written"),
            retries: object.counter("retries"),
        };
        stats.add(object);
        Self {
            gate: Gate::new(settings.gate),
            error_file: settings
                .error_file
                .clone()
                .map(|(path, limit)| ErrorFile::new(path, limit)),
            settings,
            output,
            counters,
            shared: Mutex::default(),
        }
    }

    /// Its name and options.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether the action takes the message at all: its `execOnly…` and MARK options. `previous_suspended`:
    /// the action before this one did not take it.
    #[must_use]
    pub fn admits(&self, msg: &Msg<'_>, previous_suspended: bool) -> bool {
        self.gate.as_ref().is_none_or(|gate| gate.admits(msg))
            && (previous_suspended || !self.settings.gate.when_previous_suspended)
    }

    /// Counts messages handed over to the action's queue.
    pub fn count_queued(&self, messages: u64) {
        self.counters.processed.add(messages);
    }

    /// HUP: the output and the error file are opened anew.
    pub fn hup(&self) {
        self.output.hup();
        if let Some(file) = &self.error_file {
            file.reopen();
        }
    }

    /// Once a second, from the control thread.
    pub fn tick(&self, now_seconds: i64) {
        self.output.tick(now_seconds);
    }

    /// After the last commit: writes out what the output buffers beyond it.
    pub fn close(&self) {
        self.output.close();
    }

    fn shared(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Suspends for all threads. A thread that comes to it later joins, silently and uncounted.
    fn suspend(&self) -> State {
        let Settings { name, module, .. } = &self.settings;
        let now = clock::now_secs();
        let mut shared = self.shared();
        if let Some(until) = shared.until.filter(|&until| until > now) {
            return State::Suspended(until);
        }
        let mut duration = self.settings.resume_interval.saturating_mul(shared.rounds / 10 + 1);
        if self.settings.resume_interval_max > 0 {
            duration = duration.min(self.settings.resume_interval_max);
        }
        let until = now.saturating_add(duration);
        let round = shared.rounds;
        shared.until = Some(until);
        shared.rounds = (round + 1).min(20);
        self.count_outage(&mut shared, duration);
        drop(shared);
        if self.settings.report_continuation || (self.settings.report_suspension && round == 0) {
            log::warn!(
                code = 2007;
                "action '{name}' suspended (module '{module}'), next retry is {}, retry nbr {round}. \
                 There should be messages before this one giving the reason for suspension.",
                local_time(until)
            );
        }
        State::Suspended(until)
    }

    /// Something failed: says so once in an outage.
    fn report_outage(&self) {
        let Settings { name, module, report_suspension, .. } = &self.settings;
        let mut shared = self.shared();
        let (known, round) = (std::mem::replace(&mut shared.outage, true), shared.rounds);
        drop(shared);
        if !known && *report_suspension {
            log::warn!(
                code = 2007;
                "action '{name}' suspended (module '{module}'), retry {round}. There should be messages \
                 before this one giving the reason for suspension."
            );
        }
    }

    /// Counts an outage once, and the seconds in which nothing is tried. (The reference leaves out outages
    /// that it waits for with `resumeRetryCount`; they hold up the queue, so they count here.)
    fn count_outage(&self, shared: &mut Shared, seconds: i64) {
        self.counters.suspended.add(u64::from(!std::mem::replace(&mut shared.counted, true)));
        self.counters.suspended_seconds.add(u64::try_from(seconds).unwrap_or(0));
    }

    /// The output works again.
    fn resumed(&self) {
        let Settings { name, module, .. } = &self.settings;
        let mut shared = self.shared();
        if !std::mem::replace(&mut shared.outage, false) {
            return;
        }
        shared.until = None;
        shared.rounds = 0;
        shared.counted = false;
        drop(shared);
        self.counters.resumed.add(1);
        if self.settings.report_suspension {
            log::info!(code = 2359; "action '{name}' resumed (module '{module}')");
        }
    }

    fn disable(&self, failure: &Failure) {
        if !std::mem::replace(&mut self.shared().disabled, true) {
            let Settings { name, module, .. } = &self.settings;
            log::error!(code = failure.code; "{failure}");
            log::error!(code = 2006; "action '{name}' (module '{module}') disabled");
        }
    }

    /// Takes one message that is given up.
    fn lost(&self, why: &Failure, text: &[u8]) {
        if let Some(file) = &self.error_file {
            file.write(&self.settings.name, why, text);
        }
        if why.effect == Effect::Data {
            let now = clock::now_secs();
            if std::mem::replace(&mut self.shared().lost_logged, now) != now {
                let Settings { name, module, .. } = &self.settings;
                log::error!(code = why.code; "{why}");
                log::error!(
                    code = why.code;
                    "action '{name}' (module '{module}') message lost, could not be processed. \
                     Check for additional error messages before this one."
                );
            }
        }
    }
}

impl Runner {
    /// A thread's end of `action`; `interrupt` ends its waits when the daemon stops.
    #[must_use]
    pub fn new(action: Arc<Action>, interrupt: Arc<Interrupt>) -> Self {
        let worker = Arc::clone(&action.output).worker();
        Self { action, worker, interrupt, state: State::Ready, trial: false, pushed: 0, lost: 0 }
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
        if self.state != State::Ready && !self.try_resume(msg.env.now.div_euclid(1_000_000)) {
            self.lose(msg);
            return false;
        }
        loop {
            let Self { action, worker, lost, .. } = self;
            let outcome = worker.push(msg, &mut |why, text| {
                *lost += 1;
                action.lost(why, text);
            });
            let Err(failure) = outcome else { break };
            if !self.retry(failure) {
                self.lose(msg);
                return false;
            }
        }
        if self.action.settings.commit_each {
            let lost = self.lost;
            self.flush();
            return self.lost == lost;
        }
        true
    }

    /// End of the batch: writes everything out, with retries as configured, and brings the counters up to
    /// date. Without a queue the reference counts each message as a batch.
    pub fn commit(&mut self, from_queue: bool) {
        self.flush();
        let counters = &self.action.counters;
        if from_queue {
            counters.batches.add(1);
        } else {
            counters.processed.add(self.pushed);
            counters.batches.add(self.pushed);
        }
        counters.failed.add(self.lost);
        counters.written.add(self.pushed - self.lost);
        self.pushed = 0;
        self.lost = 0;
    }

    fn flush(&mut self) {
        if self.worker.pending() > 0 {
            if let Err(failure) = self.commit_worker() {
                self.retry(failure);
            }
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

    /// Whether a suspended action works again, or at least may be tried again.
    fn try_resume(&mut self, now: i64) -> bool {
        let State::Suspended(until) = self.state else { return false };
        if now < until {
            return false;
        }
        match self.worker.resume() {
            Ok(()) => {
                self.state = State::Ready;
                true
            }
            Err(failure) => self.retry(failure),
        }
    }

    /// Something failed: tries again as often as allowed. On `true` the action is ready and nothing is
    /// pending; on `false` it is suspended or disabled, and what was pending is lost.
    fn retry(&mut self, mut failure: Failure) -> bool {
        let mut pending = self.worker.pending();
        let mut tries = 0;
        self.trial = true;
        let mut said = String::new();
        loop {
            if failure.effect == Effect::Disable {
                self.action.disable(&failure);
                self.state = State::Disabled;
                self.discard(&failure);
                return false;
            }
            if tries != 1 || failure.text != said {
                log::error!(code = failure.code; "{failure}");
                said.clone_from(&failure.text);
            }
            self.action.report_outage();
            // The first try is at once, as the reference's is; the others come after the interval.
            let progress = self.worker.pending() < pending;
            pending = self.worker.pending();
            if tries > 0 && !progress {
                if self.action.settings.resume_retry_count.is_some_and(|most| tries > most) {
                    self.state = self.action.suspend();
                    self.discard(&failure);
                    return false;
                }
                let interval = self.action.settings.resume_interval;
                self.action.count_outage(&mut self.action.shared(), interval);
                let seconds = u64::try_from(interval).unwrap_or(0);
                if self.interrupt.wait(Duration::from_secs(seconds)) {
                    self.discard(&Failure { text: "shutdown".into(), ..failure });
                    return false;
                }
            }
            tries = if progress { 1 } else { tries + 1 };
            self.action.counters.retries.add(1);
            match self.worker.resume().and_then(|()| self.commit_worker()) {
                Ok(()) => {
                    self.state = State::Ready;
                    return true;
                }
                Err(again) => failure = again,
            }
        }
    }

    /// Gives up a message that was never pushed; its text matters only to the error file.
    fn lose(&mut self, msg: &Msg<'_>) {
        let why = Failure::suspend(2123, "suspended");
        if self.action.error_file.is_some() {
            let Self { action, worker, .. } = self;
            let mut sink = |why: &Failure, text: &[u8]| action.lost(why, text);
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

/// `ctime` without its line feed, in local time: `Fri Nov 20 07:39:41 2026`.
fn local_time(epoch: i64) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let zone = Zone { offset: 0, from: 0, until: 0, lookup: clock::local_offset };
    let time = Time::from_epoch_usec(epoch.saturating_mul(1_000_000), &zone);
    let day = DAYS.get(usize::from(time.weekday())).copied().unwrap_or_default();
    let month = MONTHS.get(usize::from(time.month.saturating_sub(1))).copied().unwrap_or_default();
    format!(
        "{day} {month} {:2} {:02}:{:02}:{:02} {}",
        time.day, time.hour, time.minute, time.second, time.year
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::testing::{Script, environment, message, settings};

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
            let objects = self.set.objects();
            let found = objects[0].counters.iter().find(|counter| counter.0 == name);
            found.expect("a counter").2.get()
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
        // The first failure, the try at once, three more: the fifth gives up.
        bench.script.commits(&[Some(0); 4]);
        bench.push("a", 1);
        assert_eq!(bench.commit(), ["a"]);
        bench.script.commits(&[Some(0); 5]);
        bench.push("b", 1);
        assert_eq!(bench.commit(), ["a"]);
        assert_eq!((bench.count("failed"), bench.count("suspended")), (1, 2));
    }

    #[test]
    fn endless_retries_lose_nothing_until_the_daemon_stops() {
        let mut bench = bench(|settings| {
            settings.resume_retry_count = None;
            settings.resume_interval = 0;
        });
        bench.script.commits(&[Some(0); 500]);
        bench.push("a", 1);
        assert_eq!(bench.commit(), ["a"]);
        bench.script.commits(&[Some(0); 500]);
        bench.interrupt.set();
        bench.push("b", 1);
        assert_eq!(bench.commit(), ["a"]);
        assert_eq!(bench.count("failed"), 1);
    }

    #[test]
    fn the_interval_grows_every_ten_rounds_up_to_its_limit() {
        let mut bench = bench(|settings| settings.resume_interval_max = 50);
        let mut seconds = Vec::new();
        for _ in 0..22 {
            bench.script.commits(&[Some(0), Some(0)]);
            let before = bench.count("suspended.duration");
            bench.runner.action.shared().until = None;
            bench.push("a", LATER);
            bench.commit();
            seconds.push(bench.count("suspended.duration") - before);
        }
        assert_eq!(seconds[..10], [30; 10]);
        assert_eq!(seconds[10..22], [50; 12], "60 is above the limit");
        assert_eq!(bench.count("suspended"), 1, "one outage");
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
        let lines = std::fs::read_to_string(path).expect("the error file");
        let expected = "{ \"action\": \"test\", \"status\": -2007, \"template0\": \"a\" }\n\
                        { \"action\": \"test\", \"status\": -2123, \"template0\": \"b\" }\n";
        assert_eq!(lines, expected);
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

    #[test]
    fn ctime() {
        let time = local_time(1_795_160_000);
        assert!(time.starts_with("Fri Nov 20 ") || time.starts_with("Thu Nov 19 "), "{time}");
    }
}

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

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Rendered, waiting for the commit (or written, or not meant for this action now).
    Yes,
    /// The action's options leave this message out; what came before it still counts as the previous action.
    Skipped,
    /// The action is suspended or disabled; the message is lost for it, and counted.
    No,
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
            error_file: settings.error_file.clone().map(|(path, limit)| ErrorFile::new(path, limit)),
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
        drop(shared);
        self.counters.suspended_seconds.add(u64::try_from(duration).unwrap_or(0));
        if round == 0 {
            self.counters.suspended.add(1);
        }
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

    /// The output works again.
    fn resumed(&self) {
        let Settings { name, module, .. } = &self.settings;
        let mut shared = self.shared();
        shared.until = None;
        shared.rounds = 0;
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
        Self { action, worker, interrupt, state: State::Ready, pushed: 0, lost: 0 }
    }

    /// The action.
    #[must_use]
    pub fn action(&self) -> &Action {
        &self.action
    }

    /// Hands a message over. `previous_suspended`: the action before this one did not take it.
    pub fn push(&mut self, msg: &Msg<'_>, previous_suspended: bool) -> Taken {
        let gate = self.action.gate.as_ref();
        if gate.is_some_and(|gate| !gate.admits(msg))
            || (self.action.settings.gate.when_previous_suspended && !previous_suspended)
        {
            return Taken::Skipped;
        }
        self.pushed += 1;
        if self.state != State::Ready && !self.try_resume(msg.env.now.div_euclid(1_000_000)) {
            self.lose(msg);
            return Taken::No;
        }
        loop {
            let Self { action, worker, lost, .. } = self;
            let outcome = worker.push(msg, &mut |why, text| {
                *lost += 1;
                action.lost(why, text);
            });
            match outcome {
                Ok(()) => break,
                Err(failure) if !self.retry(failure) => {
                    self.lose(msg);
                    return Taken::No;
                }
                Err(_) => {}
            }
        }
        if self.action.settings.commit_each {
            let lost = self.lost;
            self.flush();
            if self.lost > lost || self.state != State::Ready {
                return Taken::No;
            }
        }
        Taken::Yes
    }

    /// End of the batch: writes everything out, with retries as configured, and brings the counters up to
    /// date. `batches` is how many the reference would have counted.
    pub fn commit(&mut self, batches: Option<u64>) {
        self.flush();
        let counters = &self.action.counters;
        counters.processed.add(self.pushed);
        counters.batches.add(batches.unwrap_or(self.pushed));
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
        worker.commit(&mut |why, text| {
            *lost += 1;
            action.lost(why, text);
        })
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
                self.action.resumed();
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
        let mut was_reported = self.state != State::Ready;
        loop {
            if failure.effect == Effect::Disable {
                self.action.disable(&failure);
                self.state = State::Disabled;
                self.discard(&failure);
                return false;
            }
            log::error!(code = failure.code; "{failure}");
            if !std::mem::replace(&mut was_reported, true) {
                self.report_retry();
            }
            // The first try is at once, as the reference's is; the others come after the interval.
            let progress = self.worker.pending() < pending;
            pending = self.worker.pending();
            if tries > 0 && !progress {
                if self.action.settings.resume_retry_count.is_some_and(|most| tries > most) {
                    self.state = self.action.suspend();
                    self.discard(&failure);
                    return false;
                }
                let seconds = u64::try_from(self.action.settings.resume_interval).unwrap_or(0);
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
                    self.action.resumed();
                    return true;
                }
                Err(again) => failure = again,
            }
        }
    }

    fn report_retry(&self) {
        let Settings { name, module, report_suspension, .. } = &self.action.settings;
        if *report_suspension {
            let round = self.action.shared().rounds;
            log::warn!(
                code = 2007;
                "action '{name}' suspended (module '{module}'), retry {round}. There should be messages \
                 before this one giving the reason for suspension."
            );
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

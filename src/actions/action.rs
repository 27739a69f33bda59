//! A configured action: its output, options and counters, and what its threads have to agree on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::error_file::ErrorFile;
use super::gate::Gate;
use super::settings::Settings;
use super::watch::Watch;
use super::{Effect, Failure, Output, OutputWorker};
use crate::message::timestamp::Time;
use crate::message::{Msg, Zone};
use crate::ratelimit::Policy;
use crate::ratelimit::output::{self, OutputLimiter};
use crate::stats::{self, Counter};
use crate::sys::clock;

/// A configured action, shared by all threads that run it.
pub struct Action {
    settings: Settings,
    output: Arc<dyn Output>,
    gate: Option<Gate>,
    error_file: Option<ErrorFile>,
    pub(super) counters: Counters,
    pub(super) rate: Option<OutputLimiter>,
    pub(super) watch: Watch,
    /// What threads have to agree on: one suspends for all.
    shared: Mutex<Shared>,
}

/// rsyslog's return code for an output that may work later.
const SUSPENDED: u16 = 2007;

/// The counters of `core.action`; the last three are ours.
#[derive(Debug)]
pub(super) struct Counters {
    pub(super) processed: Arc<Counter>,
    pub(super) batches: Arc<Counter>,
    pub(super) failed: Arc<Counter>,
    suspended: Arc<Counter>,
    suspended_seconds: Arc<Counter>,
    /// 1 while the output does not work.
    suspended_now: Arc<Counter>,
    resumed: Arc<Counter>,
    limits: output::Counters,
    pub(super) written: Arc<Counter>,
    pub(super) retries: Arc<Counter>,
    busy: Arc<Counter>,
}

impl Counters {
    fn register(action: &str, stats: &stats::Set) -> Self {
        let mut object = stats::Object::new(action, "core.action");
        let processed = object.counter("processed");
        let batches = object.counter("batchesprocessed");
        let failed = object.counter("failed");
        let suspended = object.counter("suspended");
        let suspended_seconds = object.gauge("suspended.duration");
        let resumed = object.counter("resumed");
        let limits = output::Counters::new(&mut object);
        let counters = Self {
            processed,
            batches,
            failed,
            suspended,
            suspended_seconds,
            resumed,
            limits,
            written: object.counter("written"),
            retries: object.counter("retries"),
            busy: object.gauge("busy.seconds"),
            suspended_now: object.gauge("suspended.now"),
        };
        stats.add(object);
        counters
    }
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
    /// Of the time in which nothing was tried, what is less than a second and not in `suspended.duration`.
    uncounted: Duration,
    disabled: bool,
    /// Second in which a lost message was last logged.
    lost_logged: i64,
}

impl Action {
    /// An action; its counters are added to `stats`.
    #[must_use]
    pub fn new(settings: Settings, output: Arc<dyn Output>, stats: &stats::Set) -> Self {
        let counters = Counters::register(&settings.name, stats);
        let limiter = |policy: &Arc<Policy>| {
            OutputLimiter::of_action(&settings.name, Arc::clone(policy), counters.limits.clone())
        };
        Self {
            rate: settings.rate.as_ref().map(limiter),
            gate: Gate::new(settings.gate),
            error_file: settings
                .error_file
                .clone()
                .map(|(path, limit)| ErrorFile::new(path, limit)),
            settings,
            output,
            counters,
            watch: Watch::default(),
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

    /// Whether it depends on the message, or on the action before, that this one takes it.
    #[must_use]
    pub fn is_conditional(&self) -> bool {
        self.gate.is_some() || self.settings.gate.when_previous_suspended
    }

    /// Counts messages handed over to the action's queue.
    pub fn count_queued(&self, messages: u64) {
        self.counters.processed.add(messages);
    }

    /// HUP: the output and the error file are opened anew. Returns how many files the output has.
    pub fn hup(&self) -> usize {
        if let Some(file) = &self.error_file {
            file.reopen();
        }
        self.output.hup()
    }

    /// Once a second, from the control thread.
    pub fn tick(&self, now_seconds: i64) {
        self.output.tick(now_seconds);
        let (seconds, news) = self.watch.busy(now_seconds);
        self.counters.busy.set(u64::try_from(seconds).unwrap_or(0));
        if news {
            let Settings { name, module, .. } = &self.settings;
            log::warn!(
                "action '{name}' (module '{module}') has been busy with one batch for {seconds} seconds; \
                 the messages behind it wait"
            );
        }
    }

    /// After the last commit: writes out what the output buffers beyond it.
    pub fn close(&self) {
        let lost = self.output.close() as u64;
        self.counters.written.sub(lost);
        self.counters.failed.add(lost);
    }

    /// Suspends for all threads, until the second it returns. A thread that comes to it later joins,
    /// silently and uncounted.
    pub(super) fn suspend(&self) -> i64 {
        let Settings { name, module, .. } = &self.settings;
        let now = clock::now_secs();
        let mut shared = self.shared();
        if let Some(until) = shared.until.filter(|&until| until > now) {
            return until;
        }
        let mut duration = self.settings.resume_interval.saturating_mul(shared.rounds / 10 + 1);
        if self.settings.resume_interval_max > 0 {
            duration = duration.min(self.settings.resume_interval_max);
        }
        let until = now.saturating_add(duration);
        let round = shared.rounds;
        shared.until = Some(until);
        shared.rounds = (round + 1).min(20);
        self.count_outage(&mut shared, Duration::from_secs(duration.try_into().unwrap_or(0)));
        drop(shared);
        if self.settings.report_continuation || (self.settings.report_suspension && round == 0) {
            log::warn!(
                code = 2007;
                "action '{name}' suspended (module '{module}'), next retry is {}, retry nbr {round}. \
                 There should be messages before this one giving the reason for suspension.",
                local_time(until)
            );
        }
        until
    }

    /// Looks at `action.externalstate.file`. A file that cannot be read says nothing.
    pub(super) fn check_external_state(&self) -> Result<(), Failure> {
        let Some(path) = &self.settings.external_state else { return Ok(()) };
        let Ok(content) = std::fs::read(path) else { return Ok(()) };
        if content.trim_ascii_end() != b"SUSPENDED" {
            return Ok(());
        }
        let Settings { name, module, .. } = &self.settings;
        let text = format!("action '{name}' suspended (module '{module}') by external state file");
        Err(Failure::suspend(2007, text))
    }

    /// Something failed: says so once in an outage.
    pub(super) fn report_outage(&self) {
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

    /// Counts an outage once, and the time in which nothing is tried, in full seconds. (The reference leaves out outages
    /// that it waits for with `resumeRetryCount`; they hold up the queue, so they count here.)
    fn count_outage(&self, shared: &mut Shared, pause: Duration) {
        self.counters.suspended_now.set(1);
        self.counters.suspended.add(u64::from(!std::mem::replace(&mut shared.counted, true)));
        let pause = pause.saturating_add(shared.uncounted);
        shared.uncounted = Duration::from_nanos(pause.subsec_nanos().into());
        self.counters.suspended_seconds.add(pause.as_secs());
    }

    /// The output works again.
    pub(super) fn resumed(&self) {
        let Settings { name, module, .. } = &self.settings;
        let mut shared = self.shared();
        if !std::mem::replace(&mut shared.outage, false) {
            return;
        }
        shared.until = None;
        self.counters.suspended_now.set(0);
        shared.rounds = 0;
        shared.counted = false;
        drop(shared);
        self.counters.resumed.add(1);
        if self.settings.report_suspension {
            log::info!(code = 2359; "action '{name}' resumed (module '{module}')");
        }
    }

    pub(super) fn disable(&self, failure: &Failure) {
        if !std::mem::replace(&mut self.shared().disabled, true) {
            self.counters.suspended_now.set(1);
            let Settings { name, module, .. } = &self.settings;
            log::error!(code = failure.code; "{failure}");
            log::error!(code = 2006; "action '{name}' (module '{module}') disabled");
        }
    }

    /// Takes one message that nothing was tried with: the action is suspended. The reference has no status for that.
    pub(super) fn refused(&self, text: &[u8]) {
        if let Some(file) = &self.error_file {
            file.write(&self.settings.name, 0, text);
        }
    }

    /// Takes one message that is given up.
    pub(super) fn lost(&self, why: &Failure, text: &[u8]) {
        if let Some(file) = &self.error_file {
            // As in the reference, whatever made the output fail.
            let status = if why.effect == Effect::Suspend { SUSPENDED } else { why.code };
            file.write(&self.settings.name, status, text);
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

    /// Counts a wait of this length for the output to come back.
    pub(super) fn count_wait(&self, pause: Duration) {
        self.count_outage(&mut self.shared(), pause);
    }

    /// A new thread's end of the output.
    pub(super) fn worker(&self) -> Box<dyn OutputWorker> {
        Arc::clone(&self.output).worker()
    }

    /// Whether lost messages are kept in an error file.
    pub(super) fn keeps_lost(&self) -> bool {
        self.error_file.is_some()
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
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
    use crate::actions::testing::{Script, settings};

    #[test]
    fn the_interval_grows_every_ten_rounds_up_to_its_limit() {
        let set = stats::Set::default();
        let settings = Settings { resume_interval_max: 50, ..settings() };
        let action = Action::new(settings, Arc::new(Script::default()), &set);
        let waited = || action.counters.suspended_seconds.get();
        let suspend = |_| {
            let before = waited();
            action.shared().until = None;
            action.suspend();
            waited() - before
        };
        let seconds: Vec<u64> = (0..22).map(suspend).collect();
        assert_eq!(seconds[..10], [30; 10]);
        assert_eq!(seconds[10..22], [50; 12], "60 is above the limit");
        let until = action.suspend();
        assert_eq!((action.suspend(), waited()), (until, seconds.iter().sum()), "joined");
        assert_eq!(action.counters.suspended.get(), 1, "one outage");
    }

    #[test]
    fn ctime() {
        let time = local_time(1_795_160_000);
        assert!(time.starts_with("Fri Nov 20 ") || time.starts_with("Thu Nov 19 "), "{time}");
    }
}

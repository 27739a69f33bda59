//! The `action.*` parameters of one action (`spec/queues-actions.md` section 6.1).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use crate::param::{Args, Module};
use crate::ratelimit::Policy;

/// [`Gate::mark_interval`] where no module makes such messages.
pub const MARK_INTERVAL_SECONDS: i64 = 20 * 60;

/// What an action's surroundings are configured to do.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `name`, or `action-<n>-<module>`.
    pub name: String,
    /// The module, as messages name it: `builtin:omfile`.
    pub module: String,
    /// Retries before messages are given up; `None` is without end.
    pub resume_retry_count: Option<u64>,
    /// Seconds from a suspension to the next try.
    pub resume_interval: i64,
    /// Longest time between two tries, seconds; 0 is no limit.
    pub resume_interval_max: i64,
    /// Whether suspension and resumption are logged.
    pub report_suspension: bool,
    /// Whether each further failed try is logged.
    pub report_continuation: bool,
    /// File for messages that are given up, and its largest size in bytes (0: no limit).
    pub error_file: Option<(PathBuf, u64)>,
    /// File that suspends the action while its content is `SUSPENDED`.
    pub external_state: Option<PathBuf>,
    /// When the action takes a message at all.
    pub gate: Gate,
    /// What is beyond it is dropped or waits.
    pub rate: Option<Arc<Policy>>,
    /// Whether each message is committed by itself, because the next action runs only if this one failed.
    pub commit_each: bool,
}

/// When an action takes a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gate {
    /// MARK messages only if the action has not run for half of `mark_interval`.
    pub skip_marks: bool,
    /// Seconds from one MARK message to the next.
    pub mark_interval: i64,
    /// Each nth message only; 0 and 1 take all.
    pub every_nth: i64,
    /// Seconds after which that count starts anew; 0 is never.
    pub every_nth_timeout: i64,
    /// Seconds that must lie between two executions.
    pub once_interval: i64,
    /// Only directly after an action that is suspended.
    pub when_previous_suspended: bool,
}

impl Settings {
    /// Reads the arguments of the action `name`. `report` holds the global defaults of
    /// `action.reportSuspension` and `action.reportSuspensionContinuation`.
    #[must_use]
    pub fn new(args: &Args, name: &str, module: &Module, report: (bool, bool)) -> Self {
        let prefix = if module.builtin { "builtin:" } else { "" };
        let module = format!("{prefix}{}", module.name);
        let number = |name| args.int(name).unwrap_or(0);
        let flag =
            |name, default| if args.value(name).is_some() { args.bool(name) } else { default };
        let path = |name| args.str(name).map(|path| PathBuf::from(OsStr::from_bytes(path)));
        let limit = u64::try_from(number("action.errorfile.maxsize")).unwrap_or(0);
        Self {
            name: name.to_owned(),
            module,
            resume_retry_count: u64::try_from(number("action.resumeRetryCount")).ok(),
            resume_interval: number("action.resumeInterval"),
            resume_interval_max: number("action.resumeIntervalMax"),
            report_suspension: flag("action.reportSuspension", report.0),
            report_continuation: flag("action.reportSuspensionContinuation", report.1),
            error_file: path("action.errorfile").map(|path| (path, limit)),
            external_state: path("action.externalstate.file"),
            gate: Gate {
                skip_marks: !args.bool("action.writeAllMarkMessages"),
                mark_interval: MARK_INTERVAL_SECONDS,
                every_nth: number("action.execOnlyEveryNthTime"),
                every_nth_timeout: number("action.execOnlyEveryNthTimeTimeout"),
                once_interval: number("action.execOnlyOnceEveryInterval"),
                when_previous_suspended: args.bool("action.execOnlyWhenPreviousIsSuspended"),
            },
            rate: None,
            commit_each: false,
        }
    }
}

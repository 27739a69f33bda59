//! impstats' parameters, checked.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::Duration;

use super::push::Push;
use crate::param::{Args, Problem};
use crate::stats::report::Format;

/// Seconds between two reports where the setting makes no sense.
const INTERVAL_DEFAULT: u64 = 300;

/// The `module()` statement.
pub(super) struct Settings {
    pub(super) interval: Duration,
    /// Facility and severity.
    pub(super) pri: u8,
    pub(super) bracketing: bool,
    pub(super) syslog: bool,
    pub(super) reset: bool,
    pub(super) file: Option<PathBuf>,
    pub(super) overwrite: bool,
    pub(super) format: Format,
    /// The ruleset that was asked for.
    pub(super) ruleset: Option<String>,
    pub(super) ledger: bool,
    pub(super) push: Option<Push>,
}

impl Settings {
    pub(super) fn new(args: &Args, problems: &mut Vec<Problem>) -> Self {
        let number = |name| args.int(name).and_then(|n| u8::try_from(n).ok()).unwrap_or_default();
        let path = |name| args.str(name).map(|path| PathBuf::from(OsStr::from_bytes(path)));
        let settings = Self {
            interval: interval(args, problems),
            pri: number("facility") << 3 | number("severity"),
            bracketing: args.bool("bracketing"),
            syslog: args.bool("log.syslog"),
            reset: args.bool("resetCounters"),
            file: path("log.file"),
            overwrite: args.bool("log.file.overwrite"),
            format: format(args, problems),
            ruleset: args.text("ruleset"),
            ledger: args.bool("ledger"),
            push: Push::new(args, problems),
        };
        settings.warn(problems);
        settings
    }

    fn warn(&self, problems: &mut Vec<Problem>) {
        if self.ruleset.is_some() && !self.syslog {
            let text = "impstats: log.syslog set to \"off\" but ruleset specified - with these settings, the ruleset will \
                        never be used, because regular syslog processing is turned off - ruleset parameter is ignored";
            problems.push(Problem::warning(text).at("ruleset").code(2207));
        }
        if self.syslog && self.format == Format::Zabbix && self.file.is_none() {
            let text = "impstats: log.syslog set to \"on\" and format set to \"zabbix\" without log.file set. This is not \
                        recommended due to potential for pstats msg truncation leading to malformed JSON. Ensure \
                        \"$MaxMessageSize\" at the top of rsyslog.conf to a sufficient size or ensure log.file is \
                        specified. Increasing $MaxMessageSize may have other adverse side effect.";
            problems.push(Problem::warning(text).at("format").code(2207));
        }
    }
}

fn interval(args: &Args, problems: &mut Vec<Problem>) -> Duration {
    let seconds = args.int("interval").unwrap_or_default();
    let what = if seconds == 0 { "zero".to_owned() } else { seconds.to_string() };
    let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0);
    Duration::from_secs(seconds.unwrap_or_else(|| {
        let text = format!(
            "impstats: stats interval {what} not permitted, using default of {INTERVAL_DEFAULT} seconds"
        );
        let problem = Problem::error(text).at("interval");
        // One below zero is waited for without a word by the reference.
        let is_zero = args.int("interval") == Some(0);
        problems.push(if is_zero { problem } else { Problem { warning: true, ..problem } });
        INTERVAL_DEFAULT
    }))
}

fn format(args: &Args, problems: &mut Vec<Problem>) -> Format {
    if args.bool("PStatCEE") {
        return Format::Cee;
    }
    if args.bool("PStatJSON") {
        return Format::Json;
    }
    let name = args.text("format").unwrap_or_default();
    Format::from_name(&name).unwrap_or_else(|| {
        let text = format!("impstats: invalid format {name}");
        let help =
            "one of legacy, json, json-elasticsearch, cee, prometheus, zabbix; legacy is used";
        problems.push(Problem::error(text).at("format").help(help));
        Format::Legacy
    })
}

#[cfg(test)]
mod tests {
    use super::super::MODULE;
    use super::*;
    use crate::param::Value;

    fn settings(given: &[(&'static str, Value)]) -> (Settings, Vec<String>) {
        let mut args = Args::defaults(&[MODULE.module_params]);
        given.iter().for_each(|(name, value)| args.set(name, value.clone()));
        let mut problems = Vec::new();
        let settings = Settings::new(&args, &mut problems);
        (settings, problems.into_iter().map(|problem| problem.text).collect())
    }

    fn word(text: &str) -> Value {
        Value::Str(text.as_bytes().to_vec())
    }

    #[test]
    fn defaults() {
        let (settings, problems) = settings(&[]);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!((settings.interval.as_secs(), settings.pri), (300, 46));
        assert!(settings.syslog && !settings.reset && settings.ledger);
    }

    #[test]
    fn an_interval_of_nothing_becomes_the_default() {
        for (given, what) in [(0, "zero"), (-3, "-3")] {
            let (settings, problems) = settings(&[("interval", Value::Int(given))]);
            let expected = format!(
                "impstats: stats interval {what} not permitted, using default of 300 seconds"
            );
            assert_eq!((settings.interval.as_secs(), problems), (300, vec![expected]));
        }
    }

    #[test]
    fn formats_by_name_and_by_directive() {
        let (json, problems) = settings(&[("format", word("JSON"))]);
        assert_eq!((json.format, problems.len()), (Format::Json, 0));
        let (legacy, problems) = settings(&[("format", word("xml"))]);
        assert_eq!(problems, ["impstats: invalid format xml"]);
        assert_eq!(legacy.format, Format::Legacy);
        let both = [("PStatJSON", Value::Bool(true)), ("PStatCEE", Value::Bool(true))];
        assert_eq!(settings(&both).0.format, Format::Cee);
        assert_eq!(settings(&both[..1]).0.format, Format::Json);
    }

    #[test]
    fn settings_that_do_not_go_together_are_warned_of() {
        let (_, problems) = settings(&[("ruleset", word("r")), ("log.syslog", Value::Bool(false))]);
        assert!(problems[0].ends_with("ruleset parameter is ignored"), "{problems:?}");
        let (_, problems) = settings(&[("format", word("zabbix"))]);
        assert!(problems[0].contains("malformed JSON"), "{problems:?}");
    }
}

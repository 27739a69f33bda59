//! The parameters of omsendertrack, and how an action is made from them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::SenderTrack;
use super::alarm::{self, Alarm};
use super::counters::{self, Counters};
use super::keeper::{self, Keeper};
use super::show::Show;
use super::state::Format;
use super::table::Table;
use crate::actions::{Output, OutputEnv};
use crate::limits;
use crate::param::{Args, Class, Kind, Module, Param, Problem};
use crate::template::{Content, Options, Template};

/// Seconds, up to about 68 years.
const SECONDS: Kind = Kind::Int { min: 0, max: i32::MAX as i64 };
const SECONDS_MIN_1: Kind = Kind::Int { min: 1, max: i32::MAX as i64 };

pub(super) static MODULE: Module = Module {
    name: "omsendertrack",
    class: Class::Output,
    builtin: false,
    summary: "Counts messages by sender and keeps the counts in a file.",
    module_params: &[],
    params: &[
        Param::new(
            "senderId",
            Kind::Str,
            Some("%fromhost-ip%"),
            "What a sender is: name of a template, or a text with %properties%. Bytes that are not UTF-8 become U+FFFD.",
        ),
        Param::new(
            "interval",
            SECONDS_MIN_1,
            Some("60"),
            "Seconds from one write of the state file to the next.",
        ),
        Param::required(
            "stateFile",
            Kind::Str,
            "File of the counts: read at start, replaced when written.",
        ),
        Param::new(
            "cmdFile",
            Kind::Str,
            None,
            "File of commands, executed and deleted on HUP: DELETE, RESET, GET, FLUSH.",
        ),
        Param::new(
            "stateFormat",
            Kind::Choice(&["plain", "extended"]),
            Some("plain"),
            "Fields of the state file: those rsyslog writes, or those of its documentation, too.",
        ),
        Param::new(
            "maxSenders",
            Kind::NONNEG,
            Some("0"),
            "Senders kept apart; more are counted together as _other. 0: 16777216.",
        ),
        Param::new(
            "expire",
            SECONDS,
            Some("0"),
            "Seconds after which a sender not seen is forgotten. 0: never.",
        ),
        Param::new(
            "alarm.silence",
            SECONDS,
            Some("0"),
            "Seconds after which a sender not seen is an alarm. 0: no alarm.",
        ),
        Param::new(
            "alarm.rate",
            Kind::NONNEG,
            Some("0"),
            "Messages per second above which a sender is an alarm. 0: no alarm.",
        ),
        Param::new(
            "alarm.interval",
            SECONDS_MIN_1,
            Some("10"),
            "Seconds between two looks at all senders for alarms; rates are over them.",
        ),
    ],
    legacy_create: None,
    counters: counters::NAMES,
    examples: &[r#"module(load="omsendertrack")
template(name="byHost" type="string" string="%hostname%")
action(type="omsendertrack" senderId="byHost" stateFile="/var/lib/sluice/senders.json"
       cmdFile="/var/lib/sluice/senders.commands" alarm.silence="3600")"#],
};

/// Makes the action. Reads the state file, and touches nothing else.
pub(super) fn build(
    args: &Args,
    _: &Args,
    env: &OutputEnv<'_>,
) -> Result<Arc<dyn Output>, Vec<Problem>> {
    let id = id(args, env).map_err(|problem| vec![problem])?;
    let (path, settings) = settings(args).map_err(|problem| vec![problem])?;
    let own = place(&path);
    if env.files.borrow().contains(&own) {
        let file = path.display();
        let text = format!("omsendertrack: statefile '{file}' already used by another action");
        return Err(vec![Problem::error(text).at("stateFile")]);
    }
    env.files.borrow_mut().push(own);
    let limit = args.count("maxSenders").filter(|&limit| limit > 0).unwrap_or(limits::SENDERS);
    let table = Arc::new(Table::new(limit));
    let counters = Arc::new(Counters::new(env.name, &env.stats));
    let (file, problem) = keeper::load(path, &table);
    if let Some(text) = problem {
        (env.report)(Problem::warning(text).at("stateFile").code(2461));
    }
    if let Some(alarm) = alarm(args, env.name, &table, &counters) {
        env.tasks.add(Box::new(alarm));
    }
    env.stats.senders().add(Arc::new(Show {
        table: Arc::clone(&table),
        action: env.name.to_owned(),
        silence: args.int("alarm.silence").filter(|&seconds| seconds > 0),
    }));
    env.tasks.add(Box::new(Keeper {
        table: Arc::clone(&table),
        counters: Arc::clone(&counters),
        settings,
        file,
        unsaved: true,
        others: 0,
    }));
    Ok(Arc::new(SenderTrack { id, table, counters }))
}

/// The template of ids: one of that name, or a text with properties.
fn id(args: &Args, env: &OutputEnv<'_>) -> Result<Arc<Template>, Problem> {
    let text = args.str("senderId").unwrap_or_default();
    if (env.template)(text).is_none() && text.contains(&b'%') {
        let mut wrong = None;
        let mut report = |_, problem: Problem| wrong = wrong.take().or(Some(problem));
        let content = Content::String { text, legacy: false };
        let template = Template::compile("senderId", &content, Options::default(), &mut report);
        return match (template, wrong) {
            (Some(template), None) => Ok(Arc::new(template)),
            (_, Some(problem)) => Err(problem.at("senderId")),
            (None, None) => Err(Problem::error("senderId is no template").at("senderId")),
        };
    }
    env.template_or_problem(0, text).map_err(|problem| problem.at("senderId"))
}

/// The state file and the rest.
fn settings(args: &Args) -> Result<(PathBuf, keeper::Settings), Problem> {
    let path = |name| {
        let path = args.str(name).filter(|path| !path.is_empty());
        path.map(|path| PathBuf::from(OsStr::from_bytes(path)))
    };
    let missing = || {
        let text = "omsendertrack: 'statefile' parameter is required";
        Problem::error(text).at("stateFile").code(2208)
    };
    let settings = keeper::Settings {
        commands: path("cmdFile"),
        interval: seconds(args, "interval"),
        format: match args.choice("stateFormat") {
            Some("extended") => Format::Extended,
            _ => Format::Plain,
        },
        expire: args.int("expire").filter(|&seconds| seconds > 0),
    };
    Ok((path("stateFile").ok_or_else(missing)?, settings))
}

fn alarm(args: &Args, action: &str, table: &Arc<Table>, counters: &Arc<Counters>) -> Option<Alarm> {
    let settings = alarm::Settings {
        silence: args.int("alarm.silence").filter(|&seconds| seconds > 0),
        rate: args.int("alarm.rate").and_then(|rate| u64::try_from(rate).ok()).filter(|&r| r > 0),
        interval: seconds(args, "alarm.interval"),
    };
    let wanted = settings.silence.is_some() || settings.rate.is_some();
    wanted.then(|| Alarm {
        table: Arc::clone(table),
        counters: Arc::clone(counters),
        settings,
        action: action.to_owned(),
        looked: Instant::now(),
        began: 0,
    })
}

fn seconds(args: &Args, name: &str) -> Duration {
    let seconds = args.int(name).and_then(|seconds| u64::try_from(seconds).ok());
    Duration::from_secs(seconds.unwrap_or(1).max(1))
}

/// The same for every way to name a file in a directory that is there.
fn place(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = parent.unwrap_or(Path::new(".")).canonicalize();
    match (directory, path.file_name()) {
        (Ok(directory), Some(name)) => directory.join(name),
        _ => path.to_owned(),
    }
}

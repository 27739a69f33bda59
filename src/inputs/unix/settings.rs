//! What imuxsock was told: a socket's settings, from its `input()` statement or, for the system's log, from `module()`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::parse::Stamp;
use crate::inputs::InputEnv;
use crate::message::{Flags, FlowControl};
use crate::param::{Args, Problem};
use crate::ratelimit::{Limits, Policy, Scope};

/// The reference's codes.
const INVALID_PARAMS: u16 = 2016;
const MISSING_PARAMS: u16 = 2211;
const NO_SOCKET_NAME: u16 = 2206;
const PARAM_ERROR: u16 = 1000;

/// What is known of a socket before it is opened.
#[derive(Clone)]
pub(super) struct Settings {
    /// `None`: the system's log, wherever that is.
    pub(super) path: Option<PathBuf>,
    pub(super) create_path: bool,
    pub(super) unlink: bool,
    /// `None`: the local one.
    pub(super) host: Option<Vec<u8>>,
    pub(super) flow: FlowControl,
    pub(super) drop_own: bool,
    pub(super) kernel_time: bool,
    pub(super) kernel_pid: bool,
    pub(super) annotate: Annotate,
    pub(super) reading: Reading,
    /// The limit of the socket as a whole, or of each process.
    pub(super) rate: Arc<Policy>,
    pub(super) rate_per_process: bool,
    pub(super) rate_severity: i32,
    pub(super) env: InputEnv,
}

/// Where that goes which the kernel knows of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Annotate {
    /// Nowhere.
    No,
    /// Behind the message.
    Text,
    /// Into its variables.
    Variables,
}

/// Who finds the fields of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// The parser of local messages.
    Special(Stamp),
    /// Those of the ruleset; they get these flags.
    Parsers(Flags),
}

/// Names of parameters that `module()` and `input()` have alike.
struct Names {
    unlink: &'static str,
    ignore_timestamp: &'static str,
    ignore_own: &'static str,
    flow_control: &'static str,
    kernel_time: &'static str,
    annotate: &'static str,
    parse_trusted: &'static str,
    special_parser: &'static str,
    parse_hostname: &'static str,
    kernel_pid: &'static str,
    rate: [&'static str; 4],
}

const SYSTEM: Names = Names {
    unlink: "sysSock.unlink",
    ignore_timestamp: "sysSock.ignoreTimestamp",
    ignore_own: "sysSock.ignoreOwnMessages",
    flow_control: "sysSock.flowControl",
    kernel_time: "sysSock.useSysTimeStamp",
    annotate: "sysSock.annotate",
    parse_trusted: "sysSock.parseTrusted",
    special_parser: "sysSock.useSpecialParser",
    parse_hostname: "sysSock.parseHostname",
    kernel_pid: "sysSock.usePidFromSystem",
    rate: [
        "sysSock.rateLimit.interval",
        "sysSock.rateLimit.burst",
        "sysSock.rateLimit.severity",
        "sysSock.rateLimit.name",
    ],
};

const OTHER: Names = Names {
    unlink: "unlink",
    ignore_timestamp: "ignoreTimestamp",
    ignore_own: "ignoreOwnMessages",
    flow_control: "flowControl",
    kernel_time: "useSysTimeStamp",
    annotate: "annotate",
    parse_trusted: "parseTrusted",
    special_parser: "useSpecialParser",
    parse_hostname: "parseHostname",
    kernel_pid: "usePidFromSystem",
    rate: ["rateLimit.interval", "rateLimit.burst", "rateLimit.severity", "rateLimit.name"],
};

impl Settings {
    /// The system's log, unless it is not wanted.
    pub(super) fn system(args: &Args, env: &InputEnv, problems: &mut Vec<Problem>) -> Option<Self> {
        if !args.bool("sysSock.use") || args.bool("omitLocalLogging") {
            return None;
        }
        let path = args.text("sysSock.name").map(PathBuf::from);
        let parse_hostname = args.bool(SYSTEM.parse_hostname);
        Self::new(args, &SYSTEM, (path, parse_hostname), env, problems)
    }

    /// That of an `input()` statement.
    pub(super) fn other(args: &Args, env: &InputEnv, problems: &mut Vec<Problem>) -> Option<Self> {
        let Some(path) = args.text("socket") else {
            let text = "imuxsock: input(type=\"imuxsock\") defines an additional UNIX socket; set Socket=\"...\" for \
                        that input, or configure the system log socket with module-level SysSock.* parameters";
            problems.push(Problem::error(text).code(MISSING_PARAMS));
            return None;
        };
        if path.is_empty() {
            let text =
                "imuxsock: socket name must be specified, but is not - listener not created ";
            problems.push(Problem::error(text).code(NO_SOCKET_NAME).at("socket"));
            return None;
        }
        let create_path = args.bool("createPath");
        if create_path && !args.bool(OTHER.unlink) {
            let text = format!(
                "imuxsock: CreatePath=\"on\" cannot be combined with Unlink=\"off\" for socket '{path}'; use \
                 Unlink=\"on\" when rsyslog creates/manages the socket path"
            );
            problems.push(Problem::error(text).code(PARAM_ERROR).at("createPath"));
            return None;
        }
        let parse_hostname = match args.value(OTHER.parse_hostname) {
            Some(_) => args.bool(OTHER.parse_hostname),
            None => path.starts_with(':'),
        };
        let place = (Some(PathBuf::from(path)), parse_hostname);
        let settings = Self::new(args, &OTHER, place, env, problems)?;
        let host = args.str("hostName").map(<[u8]>::to_vec);
        Some(Self { create_path, host, ..settings })
    }

    fn new(
        args: &Args,
        names: &Names,
        (path, parse_hostname): (Option<PathBuf>, bool),
        env: &InputEnv,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let ignore_timestamp = args.bool(names.ignore_timestamp);
        let kernel_time = args.bool(names.kernel_time);
        let reading = if args.bool(names.special_parser) {
            Reading::Special(match (kernel_time, ignore_timestamp) {
                (true, _) => Stamp::Replaced,
                (false, true) => Stamp::Skipped,
                (false, false) => Stamp::Taken,
            })
        } else {
            let mut flags = Flags::NEEDS_PARSING;
            for (flag, is_set) in
                [(Flags::IGNORE_DATE, ignore_timestamp), (Flags::PARSE_HOSTNAME, parse_hostname)]
            {
                if is_set {
                    flags.set(flag);
                }
            }
            Reading::Parsers(flags)
        };
        let annotate = match (args.bool(names.annotate), args.bool(names.parse_trusted)) {
            (false, _) => Annotate::No,
            (true, false) => Annotate::Text,
            (true, true) => Annotate::Variables,
        };
        let (rate, rate_per_process) = rate(args, names, env, problems)?;
        let severity = args.int(names.rate[2]).unwrap_or_default();
        Some(Self {
            path,
            create_path: false,
            unlink: args.bool(names.unlink),
            host: None,
            flow: if args.bool(names.flow_control) {
                FlowControl::Light
            } else {
                FlowControl::None
            },
            drop_own: match args.value(names.ignore_own) {
                Some(_) => args.bool(names.ignore_own),
                None => env.keeps_own_messages,
            },
            kernel_time,
            kernel_pid: args.bool(names.kernel_pid),
            annotate,
            reading,
            rate,
            rate_per_process,
            rate_severity: i32::try_from(severity).unwrap_or(i32::MAX),
            env: env.clone(),
        })
    }

    /// Whether anything depends on what the kernel says of a datagram.
    pub(super) fn needs_descriptions(&self) -> bool {
        self.drop_own
            || self.kernel_time
            || self.kernel_pid
            || self.annotate != Annotate::No
            || self.rate_per_process
    }

    /// Where the socket is to be.
    pub(super) fn place(&self) -> &Path {
        self.path.as_deref().unwrap_or_else(|| super::socket::system_log())
    }
}

/// The rate limit, and whether it is one for each process.
fn rate(
    args: &Args,
    names: &Names,
    env: &InputEnv,
    problems: &mut Vec<Problem>,
) -> Option<(Arc<Policy>, bool)> {
    let [interval, burst, _, name] = names.rate;
    let Some(object) = args.text(name) else {
        let number = |name| args.int(name).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        let limits =
            Limits { interval: number(interval), burst: number(burst), ..Limits::default() };
        return Some((Arc::new(Policy::inline(limits)), limits.interval > 0));
    };
    if args.given(interval) || args.given(burst) {
        let prefix = if name == OTHER.rate[3] { "" } else { "syssock." };
        let text = format!(
            "imuxsock: {prefix}ratelimit.name is mutually exclusive with {prefix}ratelimit.interval and \
             {prefix}ratelimit.burst - using {prefix}ratelimit.name"
        );
        problems.push(Problem::error(text).code(INVALID_PARAMS).at(name));
    }
    match env.limits.find(&object, Scope::Input, "imuxsock") {
        Ok(policy) => Some((policy, false)),
        Err(problem) => {
            problems.push(problem.at(name));
            None
        }
    }
}

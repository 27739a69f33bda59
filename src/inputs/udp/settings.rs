//! imudp's statements, checked: from arguments to what the sockets and threads are made with.

use std::path::PathBuf;
use std::sync::Arc;

use super::socket::{Binding, FreeBind};
use crate::inputs::InputEnv;
use crate::net::access::{self, Access};
use crate::param::{Args, Problem};
use crate::ratelimit::Policy;
use crate::sys::process::Scheduling;

/// Most threads.
const THREADS_MAX: usize = 32;
/// Datagrams per call, where the setting is out of range.
const BATCH_SIZE_DEFAULT: usize = 32;
/// Most datagrams per call: the kernel takes no more (`UIO_MAXIOV`).
const BATCH_SIZE_MAX: i64 = 1024;
/// Largest `rcvbufSize`, bytes.
const RECEIVE_BUFFER_BYTES_MAX: usize = 1 << 30;
/// The reference's code of parameters that do not go together.
pub(super) const INVALID_PARAMS: u16 = 2016;

/// The `module()` statement.
pub(super) struct Settings {
    pub(super) threads: usize,
    pub(super) batch_size: usize,
    pub(super) time_requery: usize,
    pub(super) preserve_case: bool,
    pub(super) scheduling: Option<(Scheduling, i32)>,
    pub(super) allowed_senders: Option<Vec<Vec<u8>>>,
}

/// One `input()` statement.
pub(super) struct Statement {
    pub(super) ports: Vec<String>,
    pub(super) binding: Binding,
    pub(super) port_file: Option<PathBuf>,
    pub(super) name: String,
    pub(super) append_port: bool,
    pub(super) default_tz: Option<i32>,
    /// The rate limit of each listener.
    pub(super) rate: Arc<Policy>,
    /// `None` lets everybody send.
    pub(super) access: Option<Access>,
    pub(super) env: InputEnv,
}

impl Settings {
    pub(super) fn new(args: &Args, problems: &mut Vec<Problem>) -> Self {
        let batch_size = args.int("batchSize").unwrap_or_default();
        let batch_size = if (1..=BATCH_SIZE_MAX).contains(&batch_size) {
            usize::try_from(batch_size).unwrap_or(BATCH_SIZE_DEFAULT)
        } else {
            let text = format!(
                "imudp: batchSize must be 1 to {BATCH_SIZE_MAX}, using {BATCH_SIZE_DEFAULT}"
            );
            problems.push(Problem::error(text).code(INVALID_PARAMS).at("batchSize"));
            BATCH_SIZE_DEFAULT
        };
        let mut threads = args.count("threads").unwrap_or(1);
        if threads > THREADS_MAX {
            let text = format!(
                "imudp: configured for {threads} worker threads, but maximum permitted is {THREADS_MAX}"
            );
            problems.push(Problem::error(text).code(1000).at("threads"));
            threads = THREADS_MAX;
        }
        let requery = args.int("timeRequery").unwrap_or_default().unsigned_abs();
        Self {
            threads: threads.max(1),
            batch_size,
            time_requery: usize::try_from(requery).unwrap_or(usize::MAX).max(1),
            preserve_case: args.bool("preserveCase"),
            scheduling: scheduling(args).unwrap_or_else(|problem| {
                problems.push(problem);
                None
            }),
            allowed_senders: allowed_senders(args, problems).filter(|list| !list.is_empty()),
        }
    }
}

/// Both settings or neither; anything wrong leaves the kernel's default.
fn scheduling(args: &Args) -> Result<Option<(Scheduling, i32)>, Problem> {
    let problem = |param, text: String| Problem::error(text).code(2205).at(param);
    let policy = args.text("schedulingPolicy");
    let (policy, priority) = match (policy, args.int("schedulingPriority")) {
        (None, None) => return Ok(None),
        (Some(policy), Some(priority)) => (policy, priority),
        (Some(_), None) => {
            let text = "imudp: scheduling policy set, but without priority - ignoring settings";
            return Err(problem("schedulingPolicy", text.to_owned()));
        }
        (None, Some(_)) => {
            let text = "imudp: scheduling priority set, but without policy - ignoring settings";
            return Err(problem("schedulingPriority", text.to_owned()));
        }
    };
    let scheduling = match policy.to_ascii_lowercase().as_str() {
        "fifo" => Scheduling::Fifo,
        "rr" => Scheduling::RoundRobin,
        "other" => Scheduling::Other,
        _ => {
            let text = format!("imudp: invalid scheduling policy '{policy}' - ignoring setting");
            return Err(problem("schedulingPolicy", text).help("fifo, rr or other"));
        }
    };
    let (lowest, highest) = scheduling.priorities();
    match i32::try_from(priority) {
        Ok(priority) if (lowest..=highest).contains(&priority) => Ok(Some((scheduling, priority))),
        _ => Err(problem(
            "schedulingPriority",
            format!(
                "imudp: scheduling priority {priority} out of range ({lowest} - {highest}) for \
                 scheduling policy '{policy}' - ignoring settings"
            ),
        )),
    }
}

impl Statement {
    /// `None` where a problem costs the statement. `module_senders` is the list of the `module()` statement.
    pub(super) fn new(
        args: &Args,
        module_senders: Option<&Vec<Vec<u8>>>,
        env: &InputEnv,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let ports: Vec<String> =
            args.array("port").unwrap_or_default().iter().map(|p| port_text(p)).collect();
        report_deprecated(args, problems);
        if let Some((text, param)) = contradiction(args, ports.len()) {
            problems.push(Problem::error(text).code(INVALID_PARAMS).at(param));
            return None;
        }
        let own_senders = allowed_senders(args, problems);
        if own_senders.as_ref().is_some_and(Vec::is_empty) {
            return None;
        }
        // A list that is not given here came from `$AllowedSender`, of which the daemon says what is wrong with it; the
        // module's goes before that.
        let given = own_senders.as_ref().filter(|_| args.given("allowedSender")).or(module_senders);
        let rules = env.access;
        let access = match (given, &own_senders) {
            (Some(list), _) => Some(Access::new(list, rules, problems)),
            (None, Some(list)) => Some(Access::new(list, rules, &mut Vec::new())),
            (None, None) => None,
        };
        let rate = match env.limits.of_input("imudp", args, problems) {
            Ok(rate) => rate,
            Err(problem) => {
                problems.push(problem);
                return None;
            }
        };
        let binding = binding(args, env, problems);
        Some(Self {
            ports,
            binding,
            port_file: args.text("listenPortFileName").map(PathBuf::from),
            name: args.text("inputname").or_else(|| args.text("name")).unwrap_or_default(),
            append_port: args.bool("name.appendPort") || args.bool("inputname.appendPort"),
            default_tz: default_tz(args, problems),
            rate,
            access,
            env: env.clone(),
        })
    }
}

fn report_deprecated(args: &Args, problems: &mut Vec<Problem>) {
    for (old, new) in [("inputname", "name"), ("inputname.appendPort", "name.appendPort")] {
        if args.given(old) {
            let text = format!(
                "imudp: deprecated parameter {} used. Suggest to use {} instead",
                old.to_ascii_lowercase(),
                new.to_ascii_lowercase()
            );
            problems.push(Problem::error(text).code(2307).at(old));
        }
    }
}

/// What two parameters say that cannot both be obeyed, and one of the two.
fn contradiction(args: &Args, ports: usize) -> Option<(&'static str, &'static str)> {
    let both = |a, b| args.given(a) && args.given(b);
    let ports_of_kernel = || {
        let ports = args.array("port").unwrap_or_default();
        ports.iter().any(|port| port == b"0")
    };
    if args.bool("reusePort") && (ports_of_kernel() || args.given("listenPortFileName")) {
        let text = "imudp: reusePort needs a fixed port: several sockets are bound to it";
        return Some((text, "reusePort"));
    }
    if args.given("listenPortFileName") && ports > 1 {
        let text = "imudp: listenPortFileName cannot be used with multiple port values; use one \
                    input per port";
        Some((text, "listenPortFileName"))
    } else if both("name", "inputname") {
        let text = "imudp: name and inputname parameter specified - only one can be used";
        Some((text, "inputname"))
    } else if both("name.appendPort", "inputname.appendPort") {
        let text = "imudp: name.appendport and inputname.appendport parameter specified - only \
                    one can be used";
        Some((text, "inputname.appendPort"))
    } else {
        None
    }
}

/// The list, if there is one; an empty one is an error.
fn allowed_senders(args: &Args, problems: &mut Vec<Problem>) -> Option<Vec<Vec<u8>>> {
    let list = args.array("allowedSender")?;
    if list.is_empty() {
        let text = "imudp: allowedSender array must not be empty";
        problems.push(Problem::error(text).code(INVALID_PARAMS).at("allowedSender"));
    }
    if args.given("allowedSender") {
        problems.extend(access::malformed(list));
    }
    Some(list.to_vec())
}

fn default_tz(args: &Args, problems: &mut Vec<Problem>) -> Option<i32> {
    let text = args.str("defaultTZ")?;
    let offset = crate::inputs::zone_offset(text);
    if offset.is_none() {
        let text = String::from_utf8_lossy(text);
        let text = format!("imudp: defaultTZ '{text}' is not an offset - ignoring setting");
        problems.push(Problem::warning(text).at("defaultTZ").help("e.g. -05:00"));
    }
    offset
}

fn port_text(port: &[u8]) -> String {
    if port.is_empty() { "514".to_owned() } else { String::from_utf8_lossy(port).into_owned() }
}

fn binding(args: &Args, env: &InputEnv, problems: &mut Vec<Problem>) -> Binding {
    let wanted = args.size("rcvbufSize").map_or(0, |n| usize::try_from(n).unwrap_or(usize::MAX));
    let receive_buffer_bytes = if wanted > RECEIVE_BUFFER_BYTES_MAX {
        let text = "imudp: rcvbufsize maximum is 1 GiB, using default instead";
        problems.push(Problem::error(text).code(2211).at("rcvbufSize"));
        0
    } else {
        wanted
    };
    Binding {
        address: args.text("address").filter(|a| a != "*"),
        device: args.text("device").filter(|d| !d.is_empty()),
        receive_buffer_bytes,
        free_bind: match args.int("ipFreeBind") {
            Some(0) => FreeBind::No,
            Some(n) if n < 2 => FreeBind::Silently,
            _ => FreeBind::WithWarning,
        },
        reuse_port: args.bool("reusePort"),
        family: env.ip_protocol,
    }
}

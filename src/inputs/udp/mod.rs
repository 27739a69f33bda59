//! imudp: syslog over UDP, one datagram one message (`spec/imudp.md`).
//!
//! Every port and address family of every `input()` statement is a listener; the module's threads serve all
//! listeners. Nothing here waits for a queue or a name server: a full queue drops and counts.
//!
//! - `socket`: how a listener is bound.
//! - `worker`: how a thread receives.
//! - `senders`: which sender a datagram is from.
//!
//! Not here: rate limits and `allowedSender`, which are not implemented yet.

mod senders;
mod socket;
mod worker;

use std::net::UdpSocket;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use self::socket::{Binding, FreeBind};
use self::worker::{Listener, ListenerCounters, Shared, Worker};
use super::{Input, InputEnv, InputKind, Running};
use crate::message::InputInfo;
use crate::param::{Args, Class, Kind, Module, Param, Problem};
use crate::stats;
use crate::sys::process::{self, Scheduling};

/// The module's description.
pub static MODULE: Module = Module {
    name: "imudp",
    class: Class::Input,
    builtin: false,
    summary: "Receives syslog messages over UDP.",
    module_params: MODULE_PARAMS,
    params: INPUT_PARAMS,
    legacy_create: Some(("UDPServerRun", "port")),
    counters: &[
        ("submitted", "Messages handed to the queue, per listener."),
        ("disallowed", "Datagrams from senders that are not allowed, per listener."),
        ("truncated", "Datagrams cut to maxMessageSize, per listener."),
        ("empty", "Datagrams without a byte, which make no message, per listener."),
        (
            "kernel.drops",
            "Datagrams lost because the socket's receive buffer was full, per listener.",
        ),
        ("called.recvmmsg", "Receive calls, per thread."),
        ("called.recvmsg", "Receive calls for a single datagram, per thread; always 0."),
        ("msgs.received", "Datagrams received, per thread."),
    ],
    examples: &[
        "module(load=\"imudp\")\ninput(type=\"imudp\" port=\"514\")",
        "module(load=\"imudp\" threads=\"2\" batchSize=\"64\")\n\
         input(type=\"imudp\" port=[\"514\", \"10514\"] address=\"127.0.0.1\" rcvbufSize=\"4m\")",
        "$ModLoad imudp\n$UDPServerAddress 127.0.0.1\n$UDPServerRun 514",
    ],
};

/// The module for the registry.
pub static KIND: InputKind = InputKind { module: &MODULE, build };

const MODULE_PARAMS: &[Param] = &[
    Param::new(
        "timeRequery",
        Kind::INT,
        Some("2"),
        "The clock is read at every n-th receive call; 0 and 1 mean every call.",
    )
    .legacy("UDPServerTimeRequery"),
    Param::new(
        "schedulingPolicy",
        Kind::Word,
        None,
        "How the kernel schedules the threads: fifo, rr or other; only with schedulingPriority.",
    )
    .legacy("IMUDPSchedulingPolicy"),
    Param::new(
        "schedulingPriority",
        Kind::INT,
        None,
        "Priority of the threads, within the policy's range; only with schedulingPolicy.",
    )
    .legacy("IMUDPSchedulingPriority"),
    Param::new(
        "batchSize",
        Kind::INT,
        Some("32"),
        "Most datagrams one receive call takes, 1 to 1024.",
    ),
    Param::new(
        "threads",
        Kind::POSITIVE,
        Some("1"),
        "Receiving threads, at most 32; each serves all ports.",
    ),
    Param::new(
        "preserveCase",
        Kind::Bool,
        Some("off"),
        "Keeps the case of the sender's name (fromhost).",
    ),
    Param::new(
        "allowedSender",
        Kind::Array,
        None,
        "Addresses, networks and names that may send; the default for all inputs.",
    )
    .missing(),
];

const INPUT_PARAMS: &[Param] = &[
    Param::required(
        "port",
        Kind::Array,
        "Ports to listen on, as numbers; 0 lets the kernel choose, an empty string is 514.",
    ),
    Param::new(
        "address",
        Kind::Str,
        None,
        "Local address or name to bind to; * and none are all addresses.",
    )
    .legacy("UDPServerAddress"),
    Param::new("ruleset", Kind::Str, None, "The ruleset that processes the messages.")
        .legacy("InputUDPServerBindRuleset"),
    Param::new(
        "name",
        Kind::Word,
        Some("imudp"),
        "The inputname property, and the counters' prefix.",
    ),
    Param::new("inputname", Kind::Word, None, "Deprecated: the same as name."),
    Param::new(
        "name.appendPort",
        Kind::Bool,
        Some("off"),
        "Appends the port to the inputname property.",
    ),
    Param::new(
        "inputname.appendPort",
        Kind::Bool,
        None,
        "Deprecated: the same as name.appendPort.",
    ),
    Param::new("device", Kind::Str, None, "Network device to bind to, e.g. eth0."),
    Param::new(
        "defaultTZ",
        Kind::Str,
        None,
        "Offset from UTC, e.g. -05:00, of times that name none (RFC 3164).",
    ),
    Param::new(
        "rateLimit.interval",
        Kind::INT,
        Some("0"),
        "Seconds of a rate limit's window; 0 is no limit.",
    )
    .missing(),
    Param::new("rateLimit.burst", Kind::INT, Some("10000"), "Messages let through in a window.")
        .missing(),
    Param::new("rateLimit.name", Kind::Str, None, "A shared ratelimit() object.").missing(),
    Param::new(
        "rcvbufSize",
        Kind::SIZE,
        Some("0"),
        "Bytes of the sockets' receive buffers, at most 1 GiB; 0 leaves the system's default.",
    ),
    Param::new(
        "ipFreeBind",
        Kind::INT,
        Some("2"),
        "An address this machine does not have: 0 is an error, 1 is bound, 2 is bound with a warning.",
    ),
    Param::new(
        "listenPortFileName",
        Kind::Str,
        None,
        "File that the port's number is written to; for one port and one address.",
    ),
    Param::new(
        "allowedSender",
        Kind::Array,
        None,
        "Addresses, networks and names that may send; replaces the module's.",
    )
    .missing(),
];

/// Most threads.
const THREADS_MAX: usize = 32;
/// Datagrams per call, where the setting is out of range.
const BATCH_SIZE_DEFAULT: usize = 32;
/// Most datagrams per call: the kernel takes no more (`UIO_MAXIOV`).
const BATCH_SIZE_MAX: i64 = 1024;
/// Largest `rcvbufSize`, bytes.
const RECEIVE_BUFFER_BYTES_MAX: usize = 1 << 30;
/// Bytes of a listener's name, as the reference cuts it.
const NAME_BYTES_MAX: usize = 63;

/// The module with its `input()` statements.
struct Udp {
    settings: Settings,
    statements: Vec<Statement>,
    /// Bound by `open`.
    listeners: Vec<Listener>,
    /// Of the first statement; the threads' counters belong to no other.
    stats: Option<Arc<stats::Set>>,
    message_bytes: usize,
}

/// The `module()` statement.
struct Settings {
    threads: usize,
    batch_size: usize,
    time_requery: usize,
    preserve_case: bool,
    scheduling: Option<(Scheduling, i32)>,
}

/// One `input()` statement.
struct Statement {
    ports: Vec<String>,
    binding: Binding,
    port_file: Option<PathBuf>,
    name: String,
    append_port: bool,
    default_tz: Option<i32>,
    env: InputEnv,
}

fn build(args: &Args) -> (Box<dyn Input>, Vec<Problem>) {
    let mut problems = Vec::new();
    let settings = Settings::new(args, &mut problems);
    let (statements, listeners) = (Vec::new(), Vec::new());
    let udp = Udp { settings, statements, listeners, stats: None, message_bytes: 0 };
    (Box::new(udp), problems)
}

impl Settings {
    fn new(args: &Args, problems: &mut Vec<Problem>) -> Self {
        let batch_size = args.int("batchSize").unwrap_or_default();
        let batch_size = if (1..=BATCH_SIZE_MAX).contains(&batch_size) {
            usize::try_from(batch_size).unwrap_or(BATCH_SIZE_DEFAULT)
        } else {
            let text = format!(
                "imudp: batchSize must be 1 to {BATCH_SIZE_MAX}, using {BATCH_SIZE_DEFAULT}"
            );
            problems.push(Problem::error(text).code(2016).at("batchSize"));
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
    /// `None` where a problem costs the statement.
    fn new(args: &Args, env: &InputEnv, problems: &mut Vec<Problem>) -> Option<Self> {
        let ports: Vec<String> =
            args.array("port").unwrap_or_default().iter().map(|p| port_text(p)).collect();
        let port_file = args.text("listenPortFileName").map(PathBuf::from);
        let refused = if port_file.is_some() && ports.len() > 1 {
            let text = "imudp: listenPortFileName cannot be used with multiple port values; \
                        use one input per port";
            Some((text, "listenPortFileName"))
        } else if args.given("name") && args.given("inputname") {
            Some((
                "imudp: name and inputname parameter specified - only one can be used",
                "inputname",
            ))
        } else if args.given("name.appendPort") && args.given("inputname.appendPort") {
            let text = "imudp: name.appendport and inputname.appendport parameter specified - \
                        only one can be used";
            Some((text, "inputname.appendPort"))
        } else {
            None
        };
        for (old, new) in [("inputname", "name"), ("inputname.appendPort", "name.appendPort")] {
            if args.given(old) {
                let text = format!(
                    "imudp: deprecated parameter {} used. Suggest to use {} instead",
                    old.to_ascii_lowercase(),
                    new.to_ascii_lowercase()
                );
                problems.push(Problem::warning(text).code(2307).at(old));
            }
        }
        if let Some((text, param)) = refused {
            problems.push(Problem::error(text).code(2016).at(param));
            return None;
        }
        let name = args.text("inputname").or_else(|| args.text("name")).unwrap_or_default();
        let append_port = args.bool("name.appendPort") || args.bool("inputname.appendPort");
        let binding = binding(args, env, problems);
        if !env.ruleset_found {
            for port in &ports {
                let text = format!(
                    "imudp: ruleset '{}' for {}:{port} not found - using default ruleset instead",
                    args.text("ruleset").unwrap_or_default(),
                    binding.address_text(),
                );
                problems.push(Problem::error(text).at("ruleset"));
            }
        }
        let default_tz = args.str("defaultTZ").and_then(|text| {
            let offset = super::zone_offset(text);
            if offset.is_none() {
                let text = String::from_utf8_lossy(text);
                let text = format!("imudp: defaultTZ '{text}' is not an offset - ignoring setting");
                problems.push(Problem::error(text).at("defaultTZ").help("e.g. -05:00"));
            }
            offset
        });
        Some(Self { ports, binding, port_file, name, append_port, default_tz, env: env.clone() })
    }

    /// Binds the sockets of all ports.
    fn open(&self, preserve_case: bool, problems: &mut Vec<Problem>) -> Vec<Listener> {
        let mut listeners = Vec::new();
        for port in &self.ports {
            let mut name = self.name.clone();
            if self.append_port {
                name.push_str(port);
            }
            let input = super::info(name.as_bytes(), self.default_tz, preserve_case);
            let sockets = self.binding.open(port, problems);
            if let Err(problem) = self.tell_port(&sockets) {
                problems.push(problem);
                continue;
            }
            listeners.extend(sockets.into_iter().map(|s| self.listener(port, &input, s)));
        }
        listeners
    }

    fn tell_port(&self, sockets: &[UdpSocket]) -> Result<(), Problem> {
        let (Some(path), false) = (&self.port_file, sockets.is_empty()) else { return Ok(()) };
        let [socket] = sockets else {
            let text = format!(
                "imudp: listenPortFileName requires exactly one bound socket, got {}; set address \
                 to a single local address",
                sockets.len()
            );
            return Err(Problem::error(text).code(2016).at("listenPortFileName"));
        };
        let port = socket.local_addr().map_or(0, |address| address.port());
        socket::write_port_file(path, port)
    }

    fn listener(&self, port: &str, input: &Arc<InputInfo>, socket: UdpSocket) -> Listener {
        let family = match socket.local_addr() {
            Ok(address) if address.is_ipv4() => "IPv4",
            _ => "IPv6",
        };
        let mut name = format!("{}({}/{port}/{family})", self.name, self.binding.address_text());
        let cut = (0..=NAME_BYTES_MAX).rev().find(|&n| name.is_char_boundary(n)).unwrap_or(0);
        name.truncate(cut);
        let mut object = stats::Object::new(name.clone(), "imudp");
        let counters = ListenerCounters::new(&mut object);
        self.env.stats.add(object);
        Listener {
            socket,
            name,
            input: Arc::clone(input),
            submit: Arc::clone(&self.env.submit),
            pool: Arc::clone(&self.env.pool),
            names: self.env.names.clone(),
            counters,
        }
    }
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
        family: env.ip_protocol,
    }
}

impl Input for Udp {
    fn add(&mut self, args: &Args, env: &InputEnv) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.statements.extend(Statement::new(args, env, &mut problems));
        self.stats.get_or_insert_with(|| Arc::clone(&env.stats));
        self.message_bytes = env.message_bytes;
        problems
    }

    fn check(&self) -> Vec<Problem> {
        if !self.statements.is_empty() {
            return Vec::new();
        }
        let text = "imudp: module loaded, but no listeners defined - no input will be gathered";
        vec![Problem::error(text).code(2212)]
    }

    fn open(&mut self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for statement in &self.statements {
            self.listeners.extend(statement.open(self.settings.preserve_case, &mut problems));
        }
        if self.listeners.is_empty() && !self.statements.is_empty() {
            let text = "imudp: no listeners could be started, input not activated.";
            problems.push(Problem::error(text));
        }
        problems
    }

    fn start(self: Box<Self>) -> std::io::Result<Box<dyn Running>> {
        let (Some(stats), false) = (self.stats, self.listeners.is_empty()) else {
            return Ok(Box::new(Threads { stop: None, threads: Vec::new() }));
        };
        let flags = nix::sys::eventfd::EfdFlags::EFD_CLOEXEC;
        let shared = Arc::new(Shared {
            listeners: self.listeners,
            stop: nix::sys::eventfd::EventFd::from_flags(flags)?,
            batch_size: self.settings.batch_size,
            time_requery: self.settings.time_requery,
            message_bytes: self.message_bytes,
            scheduling: self.settings.scheduling,
        });
        let mut threads = Vec::new();
        for number in 0..self.settings.threads {
            let worker = Worker::new(&shared, number, &stats)?;
            threads.push(process::spawn(&format!("imudp(w{number})"), || worker.run())?);
        }
        Ok(Box::new(Threads { stop: Some(shared), threads }))
    }
}

/// The running threads.
struct Threads {
    stop: Option<Arc<Shared>>,
    threads: Vec<JoinHandle<()>>,
}

impl Running for Threads {
    fn stop(&self) {
        if let Some(shared) = &self.stop {
            // Fails only when the counter would overflow, and then the event is raised already.
            let _ = shared.stop.write(1);
        }
    }

    fn join(self: Box<Self>) {
        for thread in self.threads {
            // The release build aborts on panic; in a test build the panic has been printed.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;

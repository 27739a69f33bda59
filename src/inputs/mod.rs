//! Inputs: each file here is one `im…` module. An input knows sockets and framing; it does not know rules.

pub mod diag;
pub mod internal;
pub mod kernel;
pub mod mark;
pub mod stats;
pub mod tcp;
pub mod udp;
pub mod unix;

use std::sync::Arc;
use std::time::Duration;

use crate::message::{InputInfo, Labels, Names, Pool, Submit};
use crate::net::access;
use crate::param::{Args, Kind, Module, Param, Problem, SecureDefaults};
use crate::parsers::ParserOptions;
use crate::ratelimit::Kit;
use crate::ruleset::Hostname;
use crate::stats::Set;
use crate::task::Tasks;
use crate::tls;

pub use crate::sys::socket::IpProtocol;

/// What the daemon lends an `input()` statement.
#[derive(Clone)]
pub struct InputEnv {
    /// Where sealed batches go: the input's ruleset, or the default one where `ruleset` names none that exists.
    pub submit: Arc<dyn Submit>,
    /// Whether `submit` is what `ruleset` asked for. Where an `input()` names none that exists, that has been reported.
    pub ruleset_found: bool,
    /// Storage for builders.
    pub pool: Arc<Pool>,
    /// Reverse DNS; `None` with `net.enableDNS="off"`.
    pub names: Option<Arc<dyn Names>>,
    /// Where the input registers its counters.
    pub stats: Arc<Set>,
    /// Takes work that the input wants done from time to time.
    pub tasks: Arc<Tasks>,
    /// `maxMessageSize`, bytes.
    pub message_bytes: usize,
    /// Families to bind.
    pub ip_protocol: IpProtocol,
    /// Local host name, for inputs without a peer; a HUP may change it.
    pub hostname: Hostname,
    /// `processInternalMessages`: the daemon's own messages are not sent to the system's log.
    pub keeps_own_messages: bool,
    /// How messages of the input's ruleset are parsed, for limits that look into them.
    pub parsers: Arc<ParserOptions>,
    /// What limits are made of.
    pub limits: Arc<Kit>,
    /// How lists of allowed senders are read.
    pub access: access::Rules,
    /// What `global()` says about stream drivers.
    pub tls: Arc<tls::settings::Defaults>,
    /// `compatibility.defaults.secure`.
    pub secure: SecureDefaults,
}

/// The parameters of a rate limit, for the tables of inputs; see [`Kit::of_input`].
pub const RATE_LIMIT_PARAMS: [Param; 3] = [
    Param::new(
        "rateLimit.interval",
        Kind::Int { min: 0, max: u32::MAX as i64 },
        Some("0"),
        "Seconds of the rate limit's window; 0 is no limit.",
    )
    .lenient(),
    Param::new(
        "rateLimit.burst",
        Kind::Int { min: 0, max: u32::MAX as i64 },
        Some("10000"),
        "Messages let through in a window.",
    )
    .lenient(),
    Param::new(
        "rateLimit.name",
        Kind::Str,
        None,
        "A ratelimit() object to use instead of interval and burst.",
    ),
];

/// What a module may ask of the daemon, and change in it, that tests drive it with (imdiag).
pub trait Control: Send + Sync {
    /// Messages in all queues that are not direct, those being processed included.
    fn queued(&self) -> usize;
    /// Whether HUP was sent and is not yet completely processed.
    fn hup_pending(&self) -> bool;
    /// Whether a lookup table is being read again, or about to be.
    fn reloading(&self) -> bool;
    /// Whether there is a main queue that keeps messages.
    fn has_main_queue(&self) -> bool;
    /// Changes a timeout from now on.
    fn set_timeout(&self, which: Timeout, value: Duration);
    /// Turns debug output on.
    fn enable_debug(&self);
}

/// A timeout that can be changed while the daemon runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// `timeoutShutdown` of the main queue.
    MainShutdown,
    /// `timeoutEnqueue` of the main queue.
    MainEnqueue,
    /// `inputs.timeout.shutdown`.
    Inputs,
}

/// How the daemon ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The signal that stopped it.
    pub signal: i32,
    /// Messages that were left in queues.
    pub left: usize,
}

/// Something to be done as the last step of the process. An error makes it end with a failure code.
pub type Farewell = Box<dyn FnOnce(End) -> Result<(), String>>;

/// All inputs of one module: its `module()` statement and every `input()` statement that names it, because
/// some modules serve all of them with the same threads.
/// Life: build → `add` each → `check` → `open` (sockets bound, before privileges are dropped) → `start` → stop.
pub trait Input: Send {
    /// Lends what a module needs that receives without an `input()` statement; comes before the first `add`.
    /// Messages go to the `ruleset` of the `module()` statement where it has one, else to the default ruleset.
    fn lend(&mut self, _env: &InputEnv, _control: &Arc<dyn Control>) {}

    /// Takes in one `input()` statement and says what is wrong with it. The module decides which errors cost
    /// the statement and which only a setting. Touches nothing outside: a configuration check ends here.
    fn add(&mut self, args: &Args, env: &InputEnv) -> Vec<Problem>;

    /// Says what is wrong with the statements as a whole, after the last one.
    fn check(&self) -> Vec<Problem> {
        Vec::new()
    }

    /// Binds the sockets of all statements. What could not be bound is reported and left out.
    fn open(&mut self) -> Vec<Problem>;

    /// Starts the threads.
    ///
    /// # Errors
    /// When a thread or an epoll set cannot be had.
    fn start(self: Box<Self>) -> std::io::Result<Box<dyn Running>>;
}

/// A running input.
pub trait Running: Send {
    /// Stops accepting and reading, submits what is complete, and ends the threads (`join` waits for that).
    fn stop(&self);
    /// HUP: reads again what was read from files, such as certificates. What cannot be used leaves the old in place.
    fn hup(&self) {}
    /// What is to be done when everything else has ended; asked for before `join`.
    fn farewell(&self) -> Option<Farewell> {
        None
    }
    /// Waits until all threads have ended.
    fn join(self: Box<Self>);
}

/// Makes a module's inputs, none yet, from the arguments of its `module()` statement; says what is wrong with those.
pub type Build = fn(&Args) -> (Box<dyn Input>, Vec<Problem>);

/// An input module: its descriptor and its constructor.
#[derive(Clone, Copy)]
pub struct InputKind {
    /// The parameter tables and documentation.
    pub module: &'static Module,
    /// Makes the module's inputs.
    pub build: Build,
}

/// The part of an input that every message of it carries.
#[must_use]
pub fn info(name: &[u8], default_tz: Option<i32>, preserve_case: bool) -> Arc<InputInfo> {
    labelled(name, default_tz, preserve_case, Labels::default())
}

/// The same for an input that knows more about its messages.
#[must_use]
pub fn labelled(
    name: &[u8],
    default_tz: Option<i32>,
    preserve_case: bool,
    labels: Labels,
) -> Arc<InputInfo> {
    Arc::new(InputInfo { name: name.into(), default_tz, preserve_case, labels })
}

/// Reads an offset such as `+05:30` or `-08:00` (`defaultTZ`) as seconds east of UTC.
#[must_use]
pub fn zone_offset(text: &[u8]) -> Option<i32> {
    let digit = |b: u8| b.is_ascii_digit().then(|| i32::from(b - b'0'));
    let &[sign, h1, h2, b':', m1, m2] = text else { return None };
    let hours = digit(h1)? * 10 + digit(h2)?;
    let minutes = digit(m1)? * 10 + digit(m2)?;
    let seconds = (hours * 60 + minutes) * 60;
    match sign {
        _ if hours > 23 || minutes > 59 => None,
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

/// Two ends in one process: 1,000 connections want 2,000 descriptors.
#[cfg(test)]
pub(crate) fn raise_descriptor_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    assert!(hard >= 4096, "needs 4096 descriptors");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
}

/// An operating system's error without its number.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn hostname(name: &[u8]) -> Hostname {
        Arc::new(crate::sync::Mutex::new(name.into()))
    }

    #[test]
    fn offsets() {
        let cases: [(&[u8], Option<i32>); 8] = [
            (b"+01:00", Some(3600)),
            (b"-08:30", Some(-30600)),
            (b"+00:00", Some(0)),
            (b"01:00", None),
            (b"+1:00", None),
            (b"+24:00", None),
            (b"+01:60", None),
            (b"+0a:00", None),
        ];
        for (text, expected) in cases {
            assert_eq!(zone_offset(text), expected, "{}", String::from_utf8_lossy(text));
        }
    }
}

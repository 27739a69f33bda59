//! imklog: the kernel's log, line by line, from /proc/kmsg or whatever `logPath` names.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::reader::{Counters, Format, Nothing, Outlet, Reader};
use super::{ACTIVATION_FAILED, line, not_opened, parameters};
use crate::inputs::{Control, Input, InputEnv, InputKind, Running};
use crate::param::{Args, Problem};
use crate::ratelimit::{Limits, Policy, Scope};
use crate::sys::{clock, console};

/// The module for the registry.
pub static KIND: InputKind = InputKind { module: &parameters::KLOG, build };

const NAME: &str = "imklog";
/// Where Linux shows its log as lines.
const PATH: &str = "/proc/kmsg";
/// The reference's code of parameters that exclude each other.
const INVALID_PARAMS: u16 = 2016;

/// The module.
struct Klog {
    args: Args,
    path: PathBuf,
    console_level: Option<i32>,
    lent: Option<(InputEnv, Counters)>,
    policy: Option<Arc<Policy>>,
    problems: Vec<Problem>,
    opened: Option<std::fs::File>,
}

fn build(args: &Args) -> (Box<dyn Input>, Vec<Problem>) {
    let level = args.int("consoleLogLevel").filter(|level| *level != -1);
    let path = args.text("logPath").filter(|path| !path.is_empty());
    let klog = Klog {
        args: args.clone(),
        path: path.map_or_else(|| PathBuf::from(PATH), PathBuf::from),
        console_level: level.map(|level| i32::try_from(level).unwrap_or(i32::MAX)),
        lent: None,
        policy: None,
        problems: Vec::new(),
        opened: None,
    };
    (Box::new(klog), Vec::new())
}

impl Klog {
    /// What `rateLimitInterval`, `rateLimitBurst` and `rateLimit.name` come to.
    fn policy(&mut self, env: &InputEnv) -> Option<Arc<Policy>> {
        let args = &self.args;
        let number = |name| args.int(name).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        let Some(name) = args.text("rateLimit.name") else {
            let (interval, burst) = (number("rateLimitInterval"), number("rateLimitBurst"));
            let limits = Limits { interval, burst, ..Limits::default() };
            return Some(Arc::new(Policy::inline(limits)));
        };
        if args.given("rateLimitInterval") || args.given("rateLimitBurst") {
            let text = "imklog: ratelimit.name is mutually exclusive with ratelimitinterval and ratelimitburst - \
                        using ratelimit.name";
            self.problems.push(Problem::error(text).code(INVALID_PARAMS).at("rateLimit.name"));
        }
        let found = env.limits.find(&name, Scope::Input, NAME);
        found.map_err(|problem| self.problems.push(problem.at("rateLimit.name"))).ok()
    }
}

impl Input for Klog {
    fn lend(&mut self, env: &InputEnv, _control: &Arc<dyn Control>) {
        let counters = Counters::new(NAME, "discarded.facility", &env.stats);
        if let (Some(name), false) = (self.args.text("ruleset"), env.ruleset_found) {
            let text =
                format!("imklog: ruleset '{name}' not found - using default ruleset instead");
            self.problems.push(Problem::error(text).at("ruleset"));
        }
        self.policy = self.policy(env);
        self.lent = Some((env.clone(), counters));
    }

    fn add(&mut self, _args: &Args, _env: &InputEnv) -> Vec<Problem> {
        Vec::new() // it has no input() statements
    }

    fn check(&self) -> Vec<Problem> {
        self.problems.clone()
    }

    fn open(&mut self) -> Vec<Problem> {
        if self.policy.is_none() {
            return Vec::new(); // that has been said
        }
        match open(&self.path) {
            Ok(file) => self.opened = Some(file),
            Err(why) => {
                not_opened(NAME, &self.path, &why);
                let text = format!("activation of module {NAME} failed");
                return vec![Problem::error(text).code(ACTIVATION_FAILED)];
            }
        }
        if let Some(level) = self.console_level
            && let Err(why) = console::set_level(level)
        {
            let why = crate::inputs::reason(&why);
            let text = format!("imklog: cannot set console log level: {why}");
            log::warn!(code = 0, kernel = true; "{text}");
            self.console_level = None;
        }
        Vec::new()
    }

    fn start(self: Box<Self>) -> std::io::Result<Box<dyn Running>> {
        let Self { args, console_level, lent, policy, opened, .. } = *self;
        let (Some((env, counters)), Some(policy), Some(file)) = (lent, policy, opened) else {
            return Ok(Box::new(Nothing));
        };
        let format = Lines {
            buffer: vec![0; env.message_bytes.max(2)],
            used: 0,
            permits_others: args.bool("permitNonKernelFacility"),
            parses_stamp: args.bool("parseKernelTimestamp"),
            keeps_stamp: args.bool("keepKernelTimestamp"),
            scratch: Vec::new(),
        };
        let outlet = Outlet::new(NAME, &env, policy, counters);
        let thread = Reader { module: NAME, file, format, outlet }.start()?;
        Ok(Box::new(Log { thread: Box::new(thread), console_level }))
    }
}

/// Never waits: a named pipe is open before anybody writes to it.
fn open(path: &Path) -> std::io::Result<std::fs::File> {
    let flags = nix::fcntl::OFlag::O_NONBLOCK.bits();
    std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// The running module.
struct Log {
    thread: Box<dyn Running>,
    console_level: Option<i32>,
}

impl Running for Log {
    fn stop(&self) {
        self.thread.stop();
    }

    fn join(self: Box<Self>) {
        self.thread.join();
        if self.console_level.is_some() {
            // Who was permitted to change it may not be any more.
            let _ = console::restore();
        }
    }
}

/// Lines, as far as they fit into a message.
struct Lines {
    /// As long as a message may be.
    buffer: Vec<u8>,
    /// Bytes of a line that has not ended yet.
    used: usize,
    permits_others: bool,
    parses_stamp: bool,
    keeps_stamp: bool,
    scratch: Vec<u8>,
}

impl Format for Lines {
    fn room(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.used..).unwrap_or_default()
    }

    fn take(&mut self, count: usize, now: i64, outlet: &mut Outlet) {
        self.used = (self.used + count).min(self.buffer.len());
        let mut start = 0;
        while let Some(text) = self.buffer.get(start..self.used)
            && let Some(len) = memchr::memchr(b'\n', text)
        {
            self.line(start..start + len, now, outlet);
            start += len + 1;
        }
        if self.used - start >= self.buffer.len() - 1 {
            // It would not end within the buffer: what there is of it is a message.
            self.line(start..self.used, now, outlet);
            start = self.used;
        }
        self.buffer.copy_within(start..self.used, 0);
        self.used -= start;
    }

    fn pause(&mut self, end: bool, now: i64, outlet: &mut Outlet) {
        if end && self.used > 0 {
            self.line(0..self.used, now, outlet);
            self.used = 0;
        }
    }
}

impl Lines {
    fn line(&mut self, at: std::ops::Range<usize>, now: i64, outlet: &mut Outlet) {
        let text = self.buffer.get(at).unwrap_or_default();
        let line = line::parse(text, self.keeps_stamp, &mut self.scratch);
        if line.pri > 7 && !self.permits_others {
            outlet.discard();
            return;
        }
        let stamp = line.stamp.filter(|_| self.parses_stamp);
        let time = stamp.map(|stamp| (now - clock::monotonic_usec()).saturating_add(stamp));
        outlet.push(line.text, line.pri, time.unwrap_or(now), None);
    }
}

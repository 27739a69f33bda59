//! The commands: a line in, a line out (`spec/imdiag.md` section 2).

use std::sync::Arc;
use std::time::Duration;

use super::super::{Control, InputEnv, Timeout};
use super::gate::Gate;
use crate::message::{Builder, Flags, FlowControl, Sender};
use crate::queue::Interrupt;
use crate::stats::Counter;
use crate::sys::clock;

/// Between two looks at the queues, and how many must find them empty.
const QUEUE_POLL: Duration = Duration::from_millis(100);
const QUEUE_LOOKS: u32 = 3;
/// Between two looks at HUP, and how many must find it done.
const HUP_POLL: Duration = Duration::from_micros(2500);
const HUP_LOOKS: u32 = 10;
/// Answers of `AwaitStatsReport`.
const REPORTED: &str = "stats reporting was unblocked";
const NOT_BLOCKED: &str = "imdiag::error : stats reporting was not blocked, bug?";

/// What all connections share.
pub(super) struct Commands {
    pub(super) env: InputEnv,
    pub(super) control: Arc<dyn Control>,
    /// Of injected messages.
    pub(super) sender: Arc<Sender>,
    pub(super) flow: FlowControl,
    pub(super) submitted: Arc<Counter>,
    pub(super) gate: Arc<Gate>,
    /// How often the queues must be found empty, and once more.
    pub(super) looks: u32,
    /// Set when the input is told to stop.
    pub(super) stop: Interrupt,
}

/// The number of looks at the queues: the environment may ask for more, as slow machines need.
pub(super) fn looks(asked: Option<&str>) -> u32 {
    match asked.map(|text| text.trim().parse::<u32>()) {
        Some(Ok(n)) if n > 200 => {
            log::error!(code = 1000; "env var CI_SHUTDOWN_QUEUE_EMPTY_CHECKS has value over 200, which is the maximum - capped to 200");
            200
        }
        Some(Ok(n)) if n > 0 => n,
        Some(_) => {
            log::error!(code = 1000; "env var CI_SHUTDOWN_QUEUE_EMPTY_CHECKS has value below 1, ignored; using default instead");
            QUEUE_LOOKS
        }
        None => QUEUE_LOOKS,
    }
}

impl Commands {
    /// Carries out a request. `None`: there is no answer.
    pub(super) fn run(&self, request: &[u8]) -> Option<String> {
        let (command, rest) = word(request);
        let command = String::from_utf8_lossy(command).to_ascii_lowercase();
        let answer = match command.as_str() {
            "getmainmsgqueuesize" => self.control.queued().to_string(),
            "waitmainqueueempty" => self.wait_queues_empty(),
            "awaitlookuptablereload" => {
                while self.control.reloading() && !self.stop.wait(QUEUE_POLL) {}
                "no pending lookup-table reloads found".into()
            }
            "injectmsg" => match self.inject(rest) {
                Ok(count) => format!("{count} messages injected"),
                Err(why) => {
                    log::error!(code = 1000; "imdiag: {why}");
                    return None;
                }
            },
            "blockstatsreporting" => {
                self.gate.block();
                "next stats reporting call will be blocked".into()
            }
            "awaitstatsreport" => {
                let again = word(rest).0.eq_ignore_ascii_case(b"block_again");
                let passed = self.gate.let_pass(again);
                let answer = if passed { REPORTED } else { NOT_BLOCKED };
                answer.into()
            }
            "awaithupcomplete" => self.await_hup(),
            "enabledebug" => {
                self.control.enable_debug();
                "debug enabled".into()
            }
            "setmainmsgqueuetimeoutshutdown" => self.set_timeout(rest, Some(Timeout::MainShutdown)),
            "setmainmsgqueuetimeoutenqueue" => self.set_timeout(rest, Some(Timeout::MainEnqueue)),
            "setinputshutdowntimeout" => self.set_timeout(rest, Some(Timeout::Inputs)),
            // Defaults count when a queue is made, and none is made while the daemon runs.
            "setdefaultactionqueuetimeoutshutdown" | "setdefaultactionqueuetimeoutenqueue" => {
                self.set_timeout(rest, None)
            }
            "setsegdiskfault" | "clearsegdiskfault" => "ERROR: unsupported".into(),
            // The spelling is the reference's.
            unknown => format!("unkown command '{unknown}'"),
        };
        Some(answer)
    }

    /// Waits until all queues have been found empty several times in a row; one look may come just between
    /// two queues.
    fn wait_queues_empty(&self) -> String {
        let mut empty = 0;
        loop {
            empty = if self.control.queued() == 0 { empty + 1 } else { 0 };
            if empty > self.looks || self.stop.wait(QUEUE_POLL) {
                return "mainqueue empty".into();
            }
        }
    }

    fn await_hup(&self) -> String {
        let (mut looks, mut left, mut seen) = (0, HUP_LOOKS, false);
        while left > 0 {
            looks += 1;
            if self.control.hup_pending() {
                seen = true;
                left = HUP_LOOKS;
            } else {
                left -= 1;
            }
            if self.stop.wait(HUP_POLL) {
                break;
            }
        }
        let what = if seen { "seen HUP request, looks" } else { "timeout - looks" };
        let like = if seen { "like it" } else { "like_HUP" };
        format!("{what} {like} has completed [{looks} tries]")
    }

    fn set_timeout(&self, rest: &[u8], which: Option<Timeout>) -> String {
        let Some(value) = milliseconds(rest) else {
            return "ERROR: invalid timeout value".into();
        };
        if let Some(which) = which {
            let of_main = matches!(which, Timeout::MainShutdown | Timeout::MainEnqueue);
            if of_main && !self.control.has_main_queue() {
                return "ERROR: main queue not yet initialized".into();
            }
            self.control.set_timeout(which, value);
        }
        "OK".into()
    }

    /// `FROM COUNT [DELAY]` or `literal TEXT`; returns how many messages there were.
    fn inject(&self, rest: &[u8]) -> Result<i64, String> {
        let (first, rest) = word(rest);
        let mut messages = Injection::new(self);
        if first.eq_ignore_ascii_case(b"literal") {
            messages.push(rest.get(1..).unwrap_or_default());
            messages.submit();
            return Ok(1);
        }
        let from = number(first, "from")?;
        let (count, rest) = word(rest);
        let count = number(count, "count")?;
        let (delay, _) = word(rest);
        let delay = if delay.is_empty() { 0 } else { number(delay, "delay-ms")? };
        let shown = delay;
        let delay = u64::try_from(delay).map(Duration::from_millis);
        let delay = delay.map_err(|_| format!("invalid delay-ms value '{shown}'"))?;
        for i in 0..count {
            let n = from.wrapping_add(i);
            messages.push(format!("<167>Mar  1 01:00:00 192.0.2.8 tag msgnum:{n:08}:").as_bytes());
            if !delay.is_zero() && i + 1 < count {
                messages.submit();
                self.stop.wait(delay);
            }
            if self.stop.is_set() {
                break;
            }
        }
        messages.submit();
        Ok(count)
    }
}

/// Messages on their way to the queue.
struct Injection<'a> {
    commands: &'a Commands,
    builder: Builder,
    received: i64,
}

impl<'a> Injection<'a> {
    fn new(commands: &'a Commands) -> Self {
        let builder = Builder::new(Arc::clone(&commands.env.pool));
        Self { commands, builder, received: 0 }
    }

    fn push(&mut self, text: &[u8]) {
        if self.builder.is_empty() {
            self.received = clock::now_usec();
        }
        let text = text.get(..self.commands.env.message_bytes).unwrap_or(text);
        let raw = self.builder.bytes().append(text);
        let flags = Flags::NEEDS_PARSING.with(Flags::PARSE_HOSTNAME);
        self.builder.push(raw, self.received, &self.commands.sender, flags);
        if self.builder.is_full() {
            self.submit();
        }
    }

    fn submit(&mut self) {
        if !self.builder.is_empty() {
            self.commands.submitted.add(self.builder.len() as u64);
            self.commands.env.submit.submit(self.builder.seal(), self.commands.flow);
        }
    }
}

/// The first word and what follows it, from the blank on.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let start = text.iter().position(|&b| b != b' ').unwrap_or(text.len());
    let (_, text) = text.split_at(start);
    text.split_at(memchr::memchr(b' ', text).unwrap_or(text.len()))
}

fn number(text: &[u8], what: &str) -> Result<i64, String> {
    if text.is_empty() {
        return Err(format!("missing {what} argument"));
    }
    let shown = String::from_utf8_lossy(text);
    shown.parse().map_err(|_| format!("invalid {what} value '{shown}'"))
}

/// A number of milliseconds, with blanks around it.
fn milliseconds(text: &[u8]) -> Option<Duration> {
    let digits = std::str::from_utf8(text.trim_ascii()).ok()?;
    digits.parse().ok().map(Duration::from_millis)
}

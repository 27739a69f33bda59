//! immark: a message from time to time that shows that the daemon is alive (`spec/local-inputs.md` section 5).
//!
//! ```text
//! control thread: every `interval` ─► use.syslogCall on:  one of the daemon's own messages
//!                                  └► off, or `ruleset`:  a message of its own
//! ```
//! It has no thread of its own. With `use.markFlag`, actions know the message (`action.writeAllMarkMessages`).

use std::sync::Arc;
use std::time::Duration;

use super::{Control, Input, InputEnv, InputKind, Running};
use crate::message::{Batch, Builder, Flags, FlowControl, Sender};
use crate::param::{Args, Class, Kind, Module, Param, Problem};
use crate::stats::{Counter, Object};
use crate::sync::lock;
use crate::sys::clock;
use crate::task::Task;

/// The module for the registry.
pub static KIND: InputKind = InputKind { module: &MODULE, build };

/// The module's description.
pub static MODULE: Module = Module {
    name: "immark",
    class: Class::Input,
    builtin: false,
    summary: "Makes a message from time to time that shows that the daemon is alive.",
    module_params: PARAMS,
    params: &[],
    legacy_create: None,
    counters: &[(
        "submitted",
        "Messages handed to the queue; those of use.syslogCall count as the daemon's own.",
    )],
    examples: &[
        "module(load=\"immark\" interval=\"1200\")",
        "module(load=\"immark\" use.syslogCall=\"off\" markMessageText=\"alive\")",
        "$ModLoad immark\n$MarkMessagePeriod 1200",
    ],
};

const PARAMS: &[Param] = &[
    Param::new(
        "interval",
        Kind::Int { min: 0, max: i32::MAX as i64 },
        Some("1200"),
        "Seconds from one message to the next; 0 is an error. For half of it, an action that has run takes none, see \
         action.writeAllMarkMessages.",
    )
    .legacy("MarkMessagePeriod"),
    Param::new("ruleset", Kind::Str, None, "The ruleset that processes the messages."),
    Param::new("markMessageText", Kind::Str, Some("-- MARK --"), "The text."),
    Param::new(
        "use.markFlag",
        Kind::Bool,
        Some("on"),
        "Whether action.writeAllMarkMessages holds for the messages.",
    ),
    Param::new(
        "use.syslogCall",
        Kind::Bool,
        Some("on"),
        "Whether they are the daemon's own messages, which processInternalMessages is about, rather than messages of \
         this input. Not together with ruleset.",
    ),
];

/// PRI of the messages: facility syslog, severity info.
const PRI: u8 = (5 << 3) | 6;
const TAG: &[u8] = b"rsyslogd:";

/// The module; it does its work as a task.
struct Mark {
    interval: Duration,
    text: Vec<u8>,
    flags: Flags,
    ruleset: Option<String>,
    own: bool,
    problems: Vec<Problem>,
}

fn build(args: &Args) -> (Box<dyn Input>, Vec<Problem>) {
    let interval = args.int("interval").and_then(|seconds| u64::try_from(seconds).ok());
    let mark = Mark {
        interval: Duration::from_secs(interval.unwrap_or(0)),
        text: args.str("markMessageText").unwrap_or_default().to_vec(),
        flags: if args.bool("use.markFlag") { Flags::MARK } else { Flags::empty() },
        ruleset: args.text("ruleset"),
        own: args.bool("use.syslogCall"),
        problems: Vec::new(),
    };
    (Box::new(mark), Vec::new())
}

impl Input for Mark {
    fn lend(&mut self, env: &InputEnv, _control: &Arc<dyn Control>) {
        if let Some(name) = &self.ruleset {
            if !env.ruleset_found {
                let text =
                    format!("immark: ruleset '{name}' not found - using default ruleset instead");
                self.problems.push(Problem::error(text).at("ruleset"));
            }
            if self.own {
                let text = "immark: ruleset specified, but configured to log via syslog call - switching to \
                            rsyslog-internal logging";
                let help = "write use.syslogCall=\"off\"";
                self.problems.push(Problem::error(text).at("ruleset").help(help));
                self.own = false;
            }
        }
        if self.interval.is_zero() {
            let text = "immark: mark message period must not be 0, can not run";
            self.problems.push(Problem::error(text).at("interval"));
            return;
        }
        let mut object = Object::new("immark", "immark");
        let submitted = object.counter("submitted");
        env.stats.add(object);
        env.tasks.add(Box::new(Marker {
            interval: self.interval,
            text: std::mem::take(&mut self.text),
            flags: self.flags,
            own: self.own,
            env: env.clone(),
            submitted,
            ended: false,
        }));
    }

    fn add(&mut self, _args: &Args, _env: &InputEnv) -> Vec<Problem> {
        Vec::new() // it has no input() statements
    }

    fn check(&self) -> Vec<Problem> {
        self.problems.clone()
    }

    fn open(&mut self) -> Vec<Problem> {
        Vec::new()
    }

    fn start(self: Box<Self>) -> std::io::Result<Box<dyn Running>> {
        Ok(Box::new(Nothing))
    }
}

/// The task ends with the thread that runs it.
struct Nothing;

impl Running for Nothing {
    fn stop(&self) {}
    fn join(self: Box<Self>) {}
}

/// The task.
struct Marker {
    interval: Duration,
    text: Vec<u8>,
    flags: Flags,
    own: bool,
    env: InputEnv,
    submitted: Arc<Counter>,
    /// There are no messages any more.
    ended: bool,
}

impl Marker {
    fn message(&self) -> Batch {
        let input = super::info(b"immark", None, true);
        let sender = Arc::new(Sender::local(input, &lock(&self.env.hostname)));
        let mut builder = Builder::new(Arc::clone(&self.env.pool));
        builder.push_own((&self.text, TAG), PRI, clock::now_usec(), &sender);
        let mut batch = builder.seal();
        batch.records.iter_mut().for_each(|record| record.flags.set(self.flags));
        batch
    }
}

impl Task for Marker {
    fn interval(&self) -> Option<Duration> {
        Some(self.interval)
    }

    fn run(&mut self) {
        if self.ended {
            return;
        }
        if !self.own {
            self.submitted.add(1);
            self.env.submit.submit(self.message(), FlowControl::None);
            return;
        }
        let text = String::from_utf8_lossy(&self.text);
        if self.flags.has(Flags::MARK) {
            log::info!(code = 0, mark = true; "{text}");
        } else {
            log::info!(code = 0; "{text}");
        }
    }

    fn inputs_ended(&mut self) {
        self.ended = true;
    }
}

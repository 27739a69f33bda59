//! imuxsock: messages of local programs, syslog(3)'s among them (`spec/local-inputs.md` section 1).
//!
//! The system's log socket and every `input()` statement's are served by one thread. A datagram is one message; who
//! sent it and when, the kernel says.
//!
//! - `parameters`: what it can be told; `settings`: what it was told.
//! - `socket`: how a socket is bound, or taken over from systemd, and how it goes; `listener`: what it is in between.
//! - `worker`: how datagrams are received.
//! - `parse`: the format of local messages; `trusted`: what is known of their senders.

mod listener;
mod parameters;
mod parse;
mod settings;
mod socket;
mod trusted;
mod worker;

use std::sync::Arc;
use std::thread::JoinHandle;

use self::listener::Listener;
pub use self::parameters::MODULE;
use self::settings::Settings;
use self::socket::Socket;
use self::worker::Worker;
use super::{Control, Input, InputEnv, InputKind, Running};
use crate::param::{Args, Problem};
use crate::ratelimit;
use crate::stats::{self, Counter};
use crate::sys::process;

/// The module for the registry.
pub static KIND: InputKind = InputKind { module: &MODULE, build };

/// The reference's code of a module that does not run.
const DOES_NOT_RUN: u16 = 3000;

/// The module with its sockets.
struct Unix {
    args: Args,
    /// The system's log first, if it is wanted.
    sockets: Vec<Settings>,
    counters: Counters,
    /// Opened by `open`.
    listeners: Vec<Listener>,
    /// Of settings that nobody could be told about yet.
    problems: Vec<Problem>,
}

/// The counters of all sockets together; the reference has no others.
#[derive(Clone, Default)]
struct Counters {
    submitted: Arc<Counter>,
    received: Arc<Counter>,
    empty: Arc<Counter>,
    truncated: Arc<Counter>,
    own: Arc<Counter>,
    limits: ratelimit::Counters,
    limiters: Arc<Counter>,
}

impl Counters {
    fn new(object: &mut stats::Object) -> Self {
        Self {
            submitted: object.counter("submitted"),
            limits: ratelimit::Counters::named(object, "ratelimit.discarded"),
            limiters: object.gauge("ratelimit.numratelimiters"),
            received: object.counter("msgs.received"),
            empty: object.counter("empty"),
            truncated: object.counter("truncated"),
            own: object.counter("discarded.own"),
        }
    }
}

/// What the thread and its owner share.
struct Shared {
    listeners: Vec<Listener>,
    /// Raised to end the thread.
    stop: nix::sys::eventfd::EventFd,
    message_bytes: usize,
    counters: Counters,
}

fn build(args: &Args) -> (Box<dyn Input>, Vec<Problem>) {
    let unix = Unix {
        args: args.clone(),
        sockets: Vec::new(),
        counters: Counters::default(),
        listeners: Vec::new(),
        problems: Vec::new(),
    };
    (Box::new(unix), Vec::new())
}

impl Input for Unix {
    fn lend(&mut self, env: &InputEnv, _control: &Arc<dyn Control>) {
        let mut object = stats::Object::new(listener::NAME, "imuxsock");
        self.counters = Counters::new(&mut object);
        env.stats.add(object);
        self.sockets.extend(Settings::system(&self.args, env, &mut self.problems));
    }

    fn add(&mut self, args: &Args, env: &InputEnv) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.sockets.extend(Settings::other(args, env, &mut problems));
        problems
    }

    fn check(&self) -> Vec<Problem> {
        self.problems.clone()
    }

    fn open(&mut self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let Counters { limits, limiters, .. } = &self.counters;
        for settings in self.sockets.drain(..) {
            if let Some(socket) = Socket::open(&settings, &mut problems) {
                log::debug!("imuxsock: listening at '{}'", socket.path().display());
                self.listeners.push(Listener::new(socket, settings, limits, limiters));
            }
        }
        if self.listeners.is_empty() && !problems.is_empty() {
            // The first one ends in a blank in rsyslogd, too.
            for text in [
                "imuxsock does not run because we could not acquire any socket ",
                "activation of module imuxsock failed",
            ] {
                problems.push(Problem::error(text).code(DOES_NOT_RUN));
            }
        }
        problems
    }

    fn start(self: Box<Self>) -> std::io::Result<Box<dyn Running>> {
        let Some(first) = self.listeners.first() else {
            return Ok(Box::new(Threads(None)));
        };
        let message_bytes = first.settings.env.message_bytes;
        let flags = nix::sys::eventfd::EfdFlags::EFD_CLOEXEC;
        let shared = Arc::new(Shared {
            listeners: self.listeners,
            stop: nix::sys::eventfd::EventFd::from_flags(flags)?,
            message_bytes,
            counters: self.counters,
        });
        let worker = Worker::new(&shared)?;
        let thread = process::spawn("in:imuxsock", || worker.run())?;
        Ok(Box::new(Threads(Some((shared, thread)))))
    }
}

/// The running thread, if there is any socket.
struct Threads(Option<(Arc<Shared>, JoinHandle<()>)>);

impl Running for Threads {
    fn stop(&self) {
        if let Some((shared, _)) = &self.0 {
            // Fails only when the counter would overflow, and then the event is raised already.
            let _ = shared.stop.write(1);
        }
    }

    fn join(self: Box<Self>) {
        let Some((shared, thread)) = self.0 else { return };
        // The release build aborts on panic; in a test build the panic has been printed.
        let _ = thread.join();
        for listener in &shared.listeners {
            if let Some(batch) = listener.rate.as_ref().and_then(ratelimit::Limiter::finish) {
                shared.counters.submitted.add(batch.len() as u64);
                listener.settings.env.submit.submit(batch, listener.settings.flow);
            }
        }
    }
}

#[cfg(test)]
mod tests;

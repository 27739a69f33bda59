//! imdiag: lets tests drive the daemon over a TCP connection (`spec/imdiag.md`); it is what rsyslog's test
//! bench talks to.
//!
//! Not for production: who can connect can flood the main queue and hold up the shutdown. It is there only
//! where the configuration loads it, and listens on loopback unless it is given an address.
//!
//! - `parameters`: what it can be told.
//! - `server`: connections.
//! - `commands`: what a request does.
//! - `gate`: holds reports of statistics up.
//! - `marker`: the termination file and the guard against hanging.

mod commands;
mod gate;
mod marker;
mod parameters;
mod server;
#[cfg(test)]
mod tests;

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use self::commands::Commands;
use self::gate::Gate;
use self::marker::{Cause, Marker};
pub use self::parameters::MODULE;
use self::server::Server;
use super::{Control, Farewell, Input, InputEnv, InputKind, Running};
use crate::message::{FlowControl, Sender};
use crate::param::{Args, Problem};
use crate::queue::Interrupt;
use crate::stats::{self, Counter};

/// The module for the registry.
pub static KIND: InputKind = InputKind { module: &MODULE, build };

/// What the module was told, and what `open` made of it.
struct Diag {
    port: Option<String>,
    address: Option<String>,
    port_file: Option<PathBuf>,
    abort_timeout: Option<Duration>,
    marker: Option<Marker>,
    flow: FlowControl,
    sessions_max: usize,
    input_name: Vec<u8>,
    lent: Option<(InputEnv, Arc<dyn Control>)>,
    submitted: Arc<Counter>,
    gate: Arc<Gate>,
    listeners: Vec<TcpListener>,
}

fn build(args: &Args) -> (Box<dyn Input>, Vec<Problem>) {
    let seconds = args.int("abortTimeout").and_then(|n| u64::try_from(n).ok());
    let diag = Diag {
        port: args.text("serverRun"),
        address: args.text("address"),
        port_file: args.text("listenPortFileName").map(PathBuf::from),
        abort_timeout: seconds.map(Duration::from_secs),
        marker: args.text("properTerminationFile").map(|path| Marker(path.into())),
        flow: match args.choice("injectDelayMode") {
            Some("light") => FlowControl::Light,
            Some("full") => FlowControl::Full,
            _ => FlowControl::None,
        },
        sessions_max: args.count("maxSessions").unwrap_or(0),
        input_name: args.str("serverInputName").unwrap_or_default().to_vec(),
        lent: None,
        submitted: Arc::default(),
        gate: Arc::default(),
        listeners: Vec::new(),
    };
    (Box::new(diag), Vec::new())
}

impl Input for Diag {
    fn lend(&mut self, env: &InputEnv, control: &Arc<dyn Control>) {
        let mut object = stats::Object::new("imdiag", "imdiag");
        self.submitted = object.counter("submitted");
        env.stats.add(object);
        env.stats.add_first(Arc::<Gate>::clone(&self.gate));
        self.lent = Some((env.clone(), Arc::clone(control)));
    }

    fn add(&mut self, args: &Args, _env: &InputEnv) -> Vec<Problem> {
        if self.port.is_some() {
            let text = "imdiag: only a single listener is supported, trying to add a second";
            return vec![Problem::error(text)];
        }
        self.port = args.text("port");
        Vec::new()
    }

    fn open(&mut self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let (Some(patience), Some((_, control))) = (self.abort_timeout, &self.lent) {
            let guard = marker::guard(patience, self.marker.clone(), Arc::clone(control));
            if let Err(why) = guard {
                let text = format!("imdiag: error enabling timeoutGuard thread - {why}");
                problems.push(Problem::error(text));
            }
        }
        if let Some(port) = &self.port {
            match server::open(self.address.as_deref(), port, self.port_file.as_deref()) {
                Ok(listeners) => self.listeners = listeners,
                Err(why) => problems.extend(why),
            }
        }
        problems
    }

    fn start(self: Box<Self>) -> std::io::Result<Box<dyn Running>> {
        let mut server = None;
        if let (Some((env, control)), false) = (self.lent, self.listeners.is_empty()) {
            let input = super::info(&self.input_name, None, true);
            let checks = std::env::var("CI_SHUTDOWN_QUEUE_EMPTY_CHECKS").ok();
            let commands = Commands {
                env,
                control,
                sender: Arc::new(Sender::local(input, b"127.0.0.1")),
                flow: self.flow,
                submitted: self.submitted,
                gate: Arc::clone(&self.gate),
                looks: commands::looks(checks.as_deref()),
                stop: Interrupt::default(),
            };
            server = Some(Server::start(self.listeners, Arc::new(commands), self.sessions_max)?);
        }
        Ok(Box::new(Serving { server, marker: self.marker }))
    }
}

/// The running module.
struct Serving {
    server: Option<Server>,
    marker: Option<Marker>,
}

impl Running for Serving {
    fn stop(&self) {
        if let Some(server) = &self.server {
            server.stop();
        }
    }

    fn farewell(&self) -> Option<Farewell> {
        let marker = self.marker.clone()?;
        Some(Box::new(move |end| marker.write(Cause::Normal, end)))
    }

    fn join(self: Box<Self>) {
        if let Some(server) = self.server {
            server.join();
        }
    }
}

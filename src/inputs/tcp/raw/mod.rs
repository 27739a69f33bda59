//! imrawtcp: lines of any kind over TCP, as Elastic's "Custom TCP Logs" takes them (`spec/elastic-tcp.md`).
//!
//! It is imtcp with another framing ([`framing::raw`](crate::framing::raw)), other parameters and other defaults;
//! sockets, sessions, workers and counters are the same code. Its messages are texts that no syslog parser touches:
//! `$msg` and `$rawmsg` are what was received. What a text says as syslog is read when it becomes a document
//! (template `SLUICE_ECS`).
//!
//! - `parameters`: the table.
//! - `conf`: a checked statement; `tls` its TLS.

mod conf;
mod parameters;
mod tls;

use std::io;
use std::sync::Arc;

use super::server::Server;
use super::{Imtcp, NO_LISTENERS};
use crate::inputs::{Input, InputEnv, InputKind, Running};
use crate::message::labels::Outcomes;
use crate::param::{Args, Problem};
use crate::stats;

/// The module, for the registry.
pub static KIND: InputKind = InputKind { module: &parameters::MODULE, build };

fn build(module: &Args) -> (Box<dyn Input>, Vec<Problem>) {
    (
        Box::new(Imrawtcp(Imtcp { module: module.clone(), servers: Vec::new(), given_up: false })),
        Vec::new(),
    )
}

/// All `input(type="imrawtcp")` statements.
struct Imrawtcp(Imtcp);

impl Input for Imrawtcp {
    fn add(&mut self, args: &Args, env: &InputEnv) -> Vec<Problem> {
        let (mut conf, problems) = match conf::conf(args, &env.limits) {
            Ok(checked) => checked,
            Err(problems) => return problems,
        };
        let tls = match tls::settings(args) {
            Ok(settings) => settings,
            Err(problem) => return vec![problem],
        };
        if let Some(syslog) = &mut conf.labels.syslog {
            syslog.outcomes = outcomes(args, env);
        }
        self.0.servers.push(Server::new(conf, env.clone(), tls, None));
        problems
    }

    fn check(&self) -> Vec<Problem> {
        if !self.0.servers.is_empty() {
            return Vec::new();
        }
        let text = "imrawtcp: module loaded, but no listeners defined - no input will be gathered";
        vec![Problem::error(text).code(NO_LISTENERS)]
    }

    fn open(&mut self) -> Vec<Problem> {
        let problems = self.0.servers.iter_mut().flat_map(Server::open).collect();
        self.0.servers.retain(Server::is_open);
        problems
    }

    fn start(self: Box<Self>) -> io::Result<Box<dyn Running>> {
        Box::new(self.0).start()
    }
}

/// The counters of what reads texts as syslog, named as Elastic's: its processors are told apart by a tag.
fn outcomes(args: &Args, env: &InputEnv) -> Arc<Outcomes> {
    let tag = args.text("syslog.tag").map(|tag| format!(".{tag}")).unwrap_or_default();
    let mut object = stats::Object::new(format!("processor.syslog{tag}"), KIND.module.name);
    let outcomes = Outcomes {
        success: object.counter("success"),
        failure: object.counter("failure"),
        missing: object.counter("missing"),
    };
    env.stats.add(object);
    Arc::new(outcomes)
}

#[cfg(test)]
mod tests;

//! imtcp: syslog over TCP (`spec/imtcp.md`).
//!
//! - `parameters`: the tables.
//! - `conf`: a checked statement.
//! - `server`: one statement at work: its sockets and threads, and what they share.
//! - `stream_driver`: a checked statement's TLS.
//! - `accept`: the poller thread, which accepts connections and hands sessions to workers.
//! - `handshakes`: TLS handshakes that are not complete, and how long they may take.
//! - `budget`: the memory of large messages.
//! - [`raw`]: imrawtcp, the same with another framing and other parameters.
//! - `guard`: who may connect; `seats`: how often; `preamble`: whose connection a balancer's is.
//! - `worker`: who reads, when batches are submitted, when sessions are given back.
//! - `session`: one connection; `compressed`: its stream, where that is compressed.
//! - `counters`: what is counted.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::string_slice)]

mod accept;
mod budget;
mod compressed;
mod conf;
mod counters;
mod guard;
mod handshakes;
mod parameters;
mod preamble;
pub mod raw;
mod seats;
mod server;
mod session;
mod stream_driver;
mod worker;

use std::io;

use nix::sys::resource::{Resource, getrlimit};

use self::conf::{Conf, Statement};
use self::server::Server;
use super::{Input, InputEnv, InputKind, Running};
use crate::net::access::{self, Access};
use crate::param::{Args, Problem, SecureDefaults};

/// The module, for the registry.
pub static KIND: InputKind = InputKind { module: &parameters::MODULE, build };

fn build(module: &Args) -> (Box<dyn Input>, Vec<Problem>) {
    let mut problems: Vec<_> = conf::allowed_senders(module).err().into_iter().collect();
    problems.extend(access::malformed(module.array("allowedSender").unwrap_or_default()));
    (Box::new(Imtcp { module: module.clone(), servers: Vec::new(), given_up: false }), problems)
}

/// All `input(type="imtcp")` statements.
struct Imtcp {
    module: Args,
    servers: Vec<Server>,
    /// Whether there are statements that the reference would give up only when it starts.
    given_up: bool,
}

impl Input for Imtcp {
    fn add(&mut self, args: &Args, env: &InputEnv) -> Vec<Problem> {
        let (conf, mut problems) =
            match Conf::new(&self.module, args, (env.message_bytes, &env.limits)) {
                Ok(checked) => checked,
                Err(problem) => {
                    self.given_up |= problem.at_start;
                    return vec![problem];
                }
            };
        let access = self.access(&conf, args, env, &mut problems);
        let statement = Statement { module: &self.module, input: args };
        if env.secure == SecureDefaults::Strict
            && let Some(problem) = conf.unbounded_windows(&statement)
        {
            problems.push(problem);
            return problems;
        }
        let tls = match stream_driver::settings(&statement, (&env.tls, env.secure), &mut problems) {
            Ok(tls) => tls,
            Err(problem) => {
                self.given_up |= problem.at_start;
                problems.push(problem);
                return problems;
            }
        };
        self.servers.push(Server::new(conf, env.clone(), tls, access));
        problems
    }

    fn check(&self) -> Vec<Problem> {
        if self.given_up || !self.servers.is_empty() {
            return Vec::new();
        }
        let text = "imtcp: module loaded, but no listeners defined - no input will be gathered";
        vec![Problem::error(text).code(NO_LISTENERS)]
    }

    fn open(&mut self) -> Vec<Problem> {
        let mut problems: Vec<_> = self.servers.iter_mut().flat_map(Server::open).collect();
        self.servers.retain(Server::is_open);
        problems.extend(self.too_few_descriptors());
        problems
    }

    fn start(self: Box<Self>) -> io::Result<Box<dyn Running>> {
        let mut running = Imtcps(Vec::new());
        for server in self.servers {
            match server.start() {
                Ok(started) => running.0.push(started),
                Err(why) => {
                    running.stop();
                    Box::new(running).join();
                    return Err(why);
                }
            }
        }
        Ok(Box::new(running))
    }
}

impl Imtcp {
    /// Who may connect. Of a list that is not given here, `$AllowedSender`'s, the daemon says what is wrong with it.
    fn access(
        &self,
        conf: &Conf,
        args: &Args,
        env: &InputEnv,
        problems: &mut Vec<Problem>,
    ) -> Option<Access> {
        let list = conf.allowed_senders.as_ref()?;
        let own = args.given("allowedSender");
        if own {
            problems.extend(access::malformed(list));
        }
        let mut found = Vec::new();
        let access = Access::new(list, env.access, &mut found);
        if own || self.module.given("allowedSender") {
            problems.append(&mut found);
        }
        Some(access)
    }

    /// A warning if the process may not open as many descriptors as there may be sessions.
    fn too_few_descriptors(&self) -> Option<Problem> {
        let sessions: usize = self.servers.iter().map(|server| server.conf.max_sessions).sum();
        let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
        (sessions as u64 > limit).then(|| {
            Problem::warning(format!(
                "imtcp: maxSessions allows {sessions} sessions, but the process may open only {limit} files"
            ))
            .at("maxSessions")
            .help("raise LimitNOFILE= of the service, or ulimit -n")
        })
    }
}

/// Return code of a module without input.
const NO_LISTENERS: u16 = 2212;

struct Imtcps(Vec<server::Running>);

impl Running for Imtcps {
    fn stop(&self) {
        self.0.iter().for_each(server::Running::stop);
    }

    fn hup(&self) {
        self.0.iter().for_each(server::Running::hup);
    }

    fn join(self: Box<Self>) {
        self.0.into_iter().for_each(server::Running::join);
    }
}

#[cfg(test)]
mod tests;

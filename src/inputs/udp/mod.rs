//! imudp: syslog over UDP, one datagram one message (`spec/imudp.md`).
//!
//! Every port and address family of every `input()` statement is a listener; the module's threads serve all
//! listeners. Nothing here waits for a queue or a name server: a full queue drops and counts.
//!
//! - `parameters`: what it can be told; `settings`: what it was told.
//! - `socket`: how a listener is bound; `listener`: what it is then.
//! - `worker`: how a thread receives; `pace`: how long it lets datagrams gather.
//! - `senders`: which sender a datagram is from.

mod listener;
mod pace;
mod parameters;
mod senders;
mod settings;
mod socket;
mod worker;

use std::net::UdpSocket;
use std::sync::Arc;
use std::thread::JoinHandle;

use self::listener::{Guard, Listener, ListenerCounters};
pub use self::parameters::MODULE;
use self::settings::{INVALID_PARAMS, Settings, Statement};
use self::worker::{Shared, Worker};
use super::{Input, InputEnv, InputKind, Running};
use crate::message::{InputInfo, Labels};
use crate::net::access::Access;
use crate::param::{Args, Problem};
use crate::ratelimit::Limiter;
use crate::stats;
use crate::sys::process;

/// The module for the registry.
pub static KIND: InputKind = InputKind { module: &MODULE, build };

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
    /// Whether there are statements that the reference would give up only when it starts.
    given_up: bool,
}

fn build(args: &Args) -> (Box<dyn Input>, Vec<Problem>) {
    let mut problems = Vec::new();
    let settings = Settings::new(args, &mut problems);
    let (statements, listeners) = (Vec::new(), Vec::new());
    let udp =
        Udp { settings, statements, listeners, stats: None, message_bytes: 0, given_up: false };
    (Box::new(udp), problems)
}

impl Statement {
    /// Binds the sockets of all ports.
    fn open(&self, settings: &Settings, problems: &mut Vec<Problem>) -> Vec<Listener> {
        let Settings { threads, preserve_case, .. } = *settings;
        let mut listeners = Vec::new();
        for port in &self.ports {
            let mut name = self.name.clone();
            if self.append_port {
                name.push_str(port);
            }
            let input = {
                let labels = Labels::syslog("udp");
                super::labelled(name.as_bytes(), self.default_tz, preserve_case, labels)
            };
            let sockets = self.binding.open(port, problems);
            if let Err(problem) = self.tell_port(&sockets) {
                problems.push(problem);
                continue;
            }
            let listener = |socket| self.listener(port, &input, self.access.as_ref(), socket);
            let mut of_port: Vec<_> = sockets.into_iter().map(listener).collect();
            if self.binding.reuse_port {
                self.open_twins(threads, &mut of_port, problems);
            }
            listeners.append(&mut of_port);
        }
        listeners
    }

    /// Gives each further thread its own socket for each of these listeners, or says why it has none. What is to be
    /// said of the first socket is true of all, and was said.
    fn open_twins(
        &self,
        threads: usize,
        listeners: &mut Vec<Listener>,
        problems: &mut Vec<Problem>,
    ) {
        let originals = listeners.len();
        for place in 0..originals {
            let Some(original) = listeners.get_mut(place) else { return };
            original.thread = Some(0);
            let opened = (1..threads)
                .map(|thread| Ok(original.twin(self.binding.open_again(&original.socket)?, thread)))
                .collect::<std::io::Result<Vec<_>>>();
            match opened {
                Ok(twins) => listeners.extend(twins),
                Err(why) => {
                    let name = &original.name;
                    let text = format!(
                        "imudp: {name}: threads share a socket in spite of reusePort: {why}"
                    );
                    original.thread = None;
                    problems.push(Problem::error(text).at("reusePort"));
                }
            }
        }
    }

    fn tell_port(&self, sockets: &[UdpSocket]) -> Result<(), Problem> {
        let (Some(path), false) = (&self.port_file, sockets.is_empty()) else { return Ok(()) };
        let [socket] = sockets else {
            let text = format!(
                "imudp: listenPortFileName requires exactly one bound socket, got {}; set address \
                 to a single local address",
                sockets.len()
            );
            return Err(Problem::error(text).code(INVALID_PARAMS).at("listenPortFileName"));
        };
        let port = socket.local_addr().map_or(0, |address| address.port());
        socket::write_port_file(path, port)
    }

    fn listener(
        &self,
        port: &str,
        input: &Arc<InputInfo>,
        list: Option<&Access>,
        socket: UdpSocket,
    ) -> Listener {
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
        let rate = Limiter::new(
            &self.env.limits,
            Arc::clone(&self.rate),
            name.clone(),
            &self.env.parsers,
            counters.limits.clone(),
        );
        let guard =
            list.map(|list| Arc::new(Guard::new(list.clone(), self.env.access.report, &counters)));
        Listener {
            socket,
            thread: None,
            name,
            input: Arc::clone(input),
            submit: Arc::clone(&self.env.submit),
            pool: Arc::clone(&self.env.pool),
            names: self.env.names.clone(),
            guard,
            rate: rate.map(Arc::new),
            counters,
        }
    }
}

impl Input for Udp {
    fn add(&mut self, args: &Args, env: &InputEnv) -> Vec<Problem> {
        let mut problems = Vec::new();
        let module_senders = self.settings.allowed_senders.as_ref();
        let statement = Statement::new(args, module_senders, env, &mut problems);
        self.given_up |= statement.is_none() && problems.iter().any(|problem| problem.at_start);
        self.statements.extend(statement);
        self.stats.get_or_insert_with(|| Arc::clone(&env.stats));
        self.message_bytes = env.message_bytes;
        problems
    }

    fn check(&self) -> Vec<Problem> {
        if self.given_up || !self.statements.is_empty() {
            return Vec::new();
        }
        let text = "imudp: module loaded, but no listeners defined - no input will be gathered";
        vec![Problem::error(text).code(2212)]
    }

    fn open(&mut self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for statement in &self.statements {
            self.listeners.extend(statement.open(&self.settings, &mut problems));
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
        for listener in self.stop.iter().flat_map(|shared| &shared.listeners) {
            listener.submit_rest();
        }
    }
}

#[cfg(test)]
mod tests;

//! omfwd: messages to other syslog servers.
//!
//! `settings` what the action is told · `frame` a message as it goes on the wire · `worker` a thread's messages ·
//! `pool` TCP: one `connection` to each target, perhaps a compressed `stream` · `driver` TLS · `udp` datagrams ·
//! `connect` sockets.
//! Each thread of the action has its own connections.
//!
//! TCP does not tell which messages have reached the other end's program: what was written to a connection that
//! breaks may be lost there, as with every plain TCP syslog sender. What could not be written is kept.

use std::sync::Arc;

use super::{Output, OutputEnv, OutputKind, OutputWorker};
use crate::param::{Args, Problem};
use crate::ratelimit::output::{self, OutputLimiter};
use crate::stats::{Counter, Object};
use crate::template::Template;
use crate::tls::client::Connector;

mod connect;
mod connection;
mod driver;
mod frame;
mod params;
mod pool;
mod settings;
mod stream;
#[cfg(test)]
mod tests;
mod udp;
mod worker;

use pool::Pool;
use settings::Settings;
use udp::Datagrams;
use worker::Worker;

/// The omfwd module.
pub static KIND: OutputKind = OutputKind { module: &params::MODULE, build };

fn build(args: &Args, module: &Args, env: &OutputEnv<'_>) -> Result<Arc<dyn Output>, Vec<Problem>> {
    let settings = Settings::new(args, module, env).map_err(|problem| vec![problem])?;
    let named = args.str("template").or_else(|| module.str("template"));
    let template = env.template_or_problem(0, named.unwrap_or(b"RSYSLOG_TraditionalForwardFormat"));
    let template = template.map_err(|problem| vec![problem])?;
    let transport = if settings.tcp { "TCP" } else { "UDP" };
    let object = |(host, port): &(String, String)| {
        let mut object = Object::new(format!("{transport}-{host}-{port}"), "omfwd");
        let counters = Counters::new(&mut object);
        (object, counters)
    };
    let (mut objects, counters): (Vec<_>, Vec<_>) = settings.targets.iter().map(object).unzip();
    let limiter =
        limiter(&settings, &mut objects[0], args, env).map_err(|problem| vec![problem])?;
    objects.into_iter().for_each(|object| env.stats.add(object));
    let tls =
        driver::connector(args, module, settings.tcp, env).map_err(|problem| vec![problem])?;
    Ok(Arc::new(Forward { name: env.name.to_owned(), settings, template, tls, limiter, counters }))
}

/// What `rateLimit.…` come to. The limiter is named after the first target, and counts there.
fn limiter(
    settings: &Settings,
    object: &mut Object,
    args: &Args,
    env: &OutputEnv<'_>,
) -> Result<Option<OutputLimiter>, Problem> {
    let mut problems = Vec::new();
    let policy = env.reentries.limits().of_input("omfwd", args, &mut problems);
    // The reference builds actions while it reads the configuration, inputs when it starts.
    let policy = policy.map_err(|problem| Problem { at_start: false, ..problem })?;
    problems.into_iter().for_each(env.report);
    if policy.is_idle() {
        return Ok(None);
    }
    let transport = if settings.tcp { "tcp" } else { "udp" };
    let (host, port) = &settings.targets[0];
    let peer = format!("{transport}:[{host}]:{port}");
    let counters = output::Counters::of_drops(object.counter("discarded.ratelimit"));
    Ok(Some(OutputLimiter::new("omfwd".to_owned(), peer, policy, counters)))
}

/// A configured omfwd action.
struct Forward {
    /// The action's.
    name: String,
    settings: Settings,
    template: Arc<Template>,
    tls: Option<Connector>,
    limiter: Option<OutputLimiter>,
    /// One for each target.
    counters: Vec<Counters>,
}

/// What was sent to one target.
struct Counters {
    bytes: Arc<Counter>,
    messages: Arc<Counter>,
    connects: Arc<Counter>,
}

impl Counters {
    fn new(object: &mut Object) -> Self {
        Self {
            bytes: object.counter("bytes.sent"),
            messages: object.counter("messages.sent"),
            connects: object.counter("num.connects"),
        }
    }
}

impl Output for Forward {
    fn worker(self: Arc<Self>) -> Box<dyn OutputWorker> {
        if self.settings.tcp {
            let pool = Pool::new(self.settings.targets.len());
            Box::new(Worker::new(self, pool))
        } else {
            Box::new(Worker::new(self, Datagrams::default()))
        }
    }

    /// Certificates and keys are read again.
    fn hup(&self) -> usize {
        let name = &self.name;
        match self.tls.as_ref().map(Connector::reload) {
            None => {}
            Some(Ok(())) => log::debug!("omfwd: action '{name}' has read its certificates again"),
            Some(Err(problem)) => log::error!(
                code = problem.code.unwrap_or_default();
                "omfwd: action '{name}' goes on with the certificates it had: {}", problem.text
            ),
        }
        0
    }
}

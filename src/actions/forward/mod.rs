//! omfwd: messages to other syslog servers.
//!
//! `settings` what the action is told · `frame` a message as it goes on the wire · `connect` sockets ·
//! `tcp` a pool of connections · `udp` datagrams. Each thread of the action has its own connections.
//!
//! TCP does not tell which messages have reached the other end's program: what was written to a connection that
//! breaks may be lost there, as with every plain TCP syslog sender. What could not be written is kept.

use std::sync::Arc;

use super::{Output, OutputEnv, OutputKind, OutputWorker};
use crate::param::{Args, Problem};
use crate::stats::{Counter, Object};
use crate::template::Template;

mod connect;
mod frame;
mod params;
mod settings;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;

use settings::Settings;

/// The omfwd module.
pub static KIND: OutputKind = OutputKind { module: &params::MODULE, build };

fn build(args: &Args, module: &Args, env: &OutputEnv<'_>) -> Result<Arc<dyn Output>, Vec<Problem>> {
    let settings = Settings::new(args, env).map_err(|problem| vec![problem])?;
    let named = args.str("template").or_else(|| module.str("template"));
    let template = env.template_or_problem(0, named.unwrap_or(b"RSYSLOG_TraditionalForwardFormat"));
    let template = template.map_err(|problem| vec![problem])?;
    let transport = if settings.tcp { "TCP" } else { "UDP" };
    let counters = settings.targets.iter().map(|(host, port)| {
        let mut object = Object::new(format!("{transport}-{host}-{port}"), "omfwd");
        let counters = Counters {
            bytes: object.counter("bytes.sent"),
            messages: object.counter("messages.sent"),
            connects: object.counter("num.connects"),
        };
        env.stats.add(object);
        counters
    });
    let counters = counters.collect();
    Ok(Arc::new(Forward { settings, template, counters }))
}

/// A configured omfwd action.
struct Forward {
    settings: Settings,
    template: Arc<Template>,
    /// One for each target.
    counters: Vec<Counters>,
}

/// What was sent to one target.
struct Counters {
    bytes: Arc<Counter>,
    messages: Arc<Counter>,
    connects: Arc<Counter>,
}

impl Output for Forward {
    fn worker(self: Arc<Self>) -> Box<dyn OutputWorker> {
        if self.settings.tcp {
            Box::new(tcp::Worker::new(self))
        } else {
            Box::new(udp::Worker::new(self))
        }
    }
}

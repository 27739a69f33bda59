//! An open socket with all that its messages share.

use std::sync::Arc;

use super::settings::Settings;
use super::socket::Socket;
use crate::message::{Labels, Sender};
use crate::ratelimit::{self, Limiter};
use crate::stats::Counter;
use crate::sync::lock;

/// As messages and properties name the input.
pub(super) const NAME: &str = "imuxsock";

/// The socket.
pub(super) struct Listener {
    pub(super) socket: Socket,
    pub(super) settings: Settings,
    /// `None` takes everything.
    pub(super) rate: Option<Limiter>,
}

impl Listener {
    /// An open socket; `limiters` shows how many processes are limited one by one.
    pub(super) fn new(
        socket: Socket,
        settings: Settings,
        counters: &ratelimit::Counters,
        limiters: &Arc<Counter>,
    ) -> Self {
        let env = &settings.env;
        let policy = Arc::clone(&settings.rate);
        let counters = counters.clone();
        let rate = Limiter::new(&env.limits, policy, NAME.to_owned(), &env.parsers, counters);
        let rate = rate.map(|rate| rate.from_severity(settings.rate_severity)).map(|rate| {
            if settings.rate_per_process { rate.per_process(Arc::clone(limiters)) } else { rate }
        });
        Self { socket, settings, rate }
    }

    /// Where its messages come from.
    pub(super) fn sender(&self) -> Arc<Sender> {
        let input = crate::inputs::labelled(NAME.as_bytes(), None, true, Labels::syslog("unix"));
        let local = lock(&self.settings.env.hostname);
        let host = self.settings.host.as_deref().unwrap_or(&local);
        Arc::new(Sender::local(input, host))
    }
}

//! The environment of a round of rule evaluation: time, zone, host name. Read once per batch, so that all
//! messages of a batch agree and none costs a clock call.

use std::sync::Arc;

use crate::message::vars::Globals;
use crate::message::{Env, Zone};
use crate::sync::{Mutex, lock};
use crate::sys::{clock, process};

/// Zones change their offset at multiples of this many seconds only.
const ZONE_STEP: i64 = 15 * 60;

/// The local host name, which the control thread may replace at HUP.
pub type Hostname = Arc<Mutex<Box<[u8]>>>;

/// One thread's environment.
#[derive(Debug)]
pub struct Round {
    env: Env,
    running: bool,
    hostname: Hostname,
}

impl Round {
    /// No round has begun yet.
    #[must_use]
    pub fn new(hostname: Hostname, globals: Arc<Globals>) -> Self {
        let unknown = Zone { until: i64::MIN, lookup: clock::local_offset, ..Zone::UTC };
        let env = Env { now: 0, zone: unknown, hostname: Box::default(), uptime: 0, globals };
        Self { env, running: false, hostname }
    }

    /// Begins a round, unless one has begun since the last [`Round::end`].
    pub fn begin(&mut self) {
        if std::mem::replace(&mut self.running, true) {
            return;
        }
        self.env.now = clock::now_usec();
        self.env.uptime = process::uptime_secs();
        let second = self.env.now.div_euclid(1_000_000);
        let zone = &mut self.env.zone;
        if second < zone.from || second >= zone.until {
            zone.offset = clock::local_offset(second);
            zone.from = second - second.rem_euclid(ZONE_STEP);
            zone.until = zone.from + ZONE_STEP;
        }
        let hostname = lock(&self.hostname);
        if *hostname != self.env.hostname {
            self.env.hostname.clone_from(&hostname);
        }
    }

    /// The time may go on.
    pub fn end(&mut self) {
        self.running = false;
    }

    /// The environment of the present round.
    #[must_use]
    pub fn env(&self) -> &Env {
        &self.env
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_one_moment_and_the_next_sees_changes() {
        let hostname: Hostname = Arc::new(Mutex::new(b"before".as_slice().into()));
        let mut round = Round::new(Arc::clone(&hostname), Arc::default());
        round.begin();
        let first = round.env().clone();
        assert_eq!(*first.hostname, *b"before");
        assert!(first.now > 0);
        *lock(&hostname) = b"after".as_slice().into();
        round.begin();
        assert_eq!((round.env().now, &*round.env().hostname), (first.now, b"before".as_slice()));
        round.end();
        round.begin();
        assert_eq!(*round.env().hostname, *b"after");
        let second = first.now / 1_000_000;
        assert!(first.zone.from <= second && second < first.zone.until);
        assert_eq!(first.zone.offset_at(second), clock::local_offset(second));
    }
}

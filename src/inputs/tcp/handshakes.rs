//! Connections whose TLS handshake is not complete, as the poller thread keeps them: who took too long is closed, and
//! who only waits makes room for others.
//!
//! A worker looks at the deadline whenever a peer sends something; this is about peers that send nothing. Entries of
//! sessions that are open or gone by now are dropped when they come to the front.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::server::Shared;
use super::session::End;
use super::worker::Boxed;
use crate::limits;
use crate::net::ready::Found;
use crate::net::session::Token;

/// In the order of acceptance.
#[derive(Debug)]
pub(super) struct Handshakes {
    /// How long a handshake may take.
    patience: Duration,
    waiting: VecDeque<(Instant, Token)>,
    /// When to look again at a session that a worker was busy with.
    look_again: Option<Instant>,
}

/// What is at the front of the list.
enum Front {
    /// Nobody who waits.
    Nobody,
    /// Younger than asked for, or with a worker.
    Stays,
    /// Closed.
    Closed,
}

impl Handshakes {
    /// None yet; each may take `patience`.
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, waiting: VecDeque::new(), look_again: None }
    }

    /// Takes in a session that was just accepted.
    pub(super) fn push(&mut self, token: Token) {
        self.waiting.push_back((Instant::now(), token));
    }

    /// When [`Handshakes::expire`] has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let (since, _) = self.waiting.front()?;
        Some(self.look_again.unwrap_or(*since + self.patience))
    }

    /// Closes sessions that took too long.
    pub(super) fn expire(&mut self, shared: &Shared) {
        self.look_again = None;
        while matches!(self.close_front(shared, self.patience), Front::Closed) {}
    }

    /// Closes the oldest session that is waiting for its peer, unless it is too young for that.
    pub(super) fn make_room(&mut self, shared: &Shared) -> bool {
        let stall = Duration::from_millis(limits::HANDSHAKE_STALL_MSEC);
        matches!(self.close_front(shared, stall), Front::Closed)
    }

    /// Closes the first session that is opening, if it has been at least for `age`.
    fn close_front(&mut self, shared: &Shared, age: Duration) -> Front {
        while let Some((since, token)) = self.waiting.front() {
            let old = since.elapsed() >= age;
            let judge = |session: &Boxed| {
                let opening = session.transport.is_opening();
                (!opening || !old).then_some(opening)
            };
            match shared.ready.take_unless(*token, judge) {
                Found::Kept(true) => return Front::Stays,
                Found::Nobody | Found::Kept(false) => {
                    self.waiting.pop_front();
                }
                Found::Busy => {
                    let pause = Duration::from_millis(limits::HANDSHAKE_LOOK_MSEC);
                    self.look_again = old.then(|| Instant::now() + pause);
                    return Front::Stays;
                }
                Found::Taken(mut owned) => {
                    self.waiting.pop_front();
                    let refusal = owned.session.transport.expire();
                    shared.close_refused(owned, &End::Refused(refusal));
                    return Front::Closed;
                }
            }
        }
        Front::Nobody
    }
}

//! Who may connect (`allowedSender`, `spec/imtcp.md` section 5).
//!
//! An address is judged when its connection is accepted. Where its name decides, the session goes to a worker at
//! once, whether its peer says something or not: the worker asks for the name, for no longer than the resolver's own
//! limit. A name that is late is asked for again when the peer says something; who has none by then is refused.

use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;

use super::seats::{Full, Seat};
use super::server::Shared;
use crate::message::{Gate, Sender};
use crate::net::access::{Access, Verdict};
use crate::net::report::Limiter;
use crate::stats::Counter;
use crate::sys::clock;

/// The list of an input, and what is done about peers that are not on it.
pub(super) struct Guard {
    pub(super) list: Access,
    /// `net.permitACLWarning`.
    pub(super) reports: bool,
    pub(super) limiter: Arc<Limiter>,
    pub(super) refused: Arc<Counter>,
}

/// Return code of the error about a peer that may not connect.
pub(super) const NOT_PERMITTED: u16 = 2063;

impl Guard {
    /// Counts and reports a refused connection; `peer` is its name or address, address and port.
    pub(super) fn refuse(&self, now: i64, peer: impl Display) {
        self.refused.add(1);
        if self.reports {
            self.limiter.error(
                now,
                Some(NOT_PERMITTED),
                format_args!("connection request from disallowed sender {peer} discarded"),
            );
        }
    }
}

/// Why a peer gets no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TurnedAway {
    /// It is not on the list.
    Refused,
    /// Its address has as many sessions as one may have.
    Crowded,
}

impl Shared {
    /// A sender at this address, taken at its word.
    pub(super) fn sender(&self, peer: SocketAddr) -> Sender {
        Sender::network(Arc::clone(&self.info), peer, self.env.names.clone())
    }

    /// Judges a peer by its address: who it is and its seat. One that is turned away is counted and reported.
    pub(super) fn introduce(
        &self,
        peer: SocketAddr,
    ) -> Result<(Arc<Sender>, Option<Box<Seat>>), TurnedAway> {
        let mut sender = self.sender(peer);
        let (ip, port) = (peer.ip().to_canonical(), peer.port());
        if let Some(guard) = &self.guard {
            match guard.list.check(peer.ip()) {
                Verdict::Allowed => {}
                Verdict::ByName => sender = sender.behind(Arc::<Guard>::clone(guard)),
                Verdict::Refused => {
                    guard.refuse(clock::now_usec(), format_args!("{ip} ({ip}:{port})"));
                    return Err(TurnedAway::Refused);
                }
            }
        }
        match self.seats.take(peer.ip(), self.conf.address_sessions) {
            Ok(seat) => Ok((Arc::new(sender), seat.map(Box::new))),
            Err(Full) => {
                self.cells.crowded.add(1);
                let (name, most) = (&self.conf.name, self.conf.address_sessions);
                self.limiter.error(
                    clock::now_usec(),
                    None,
                    format_args!(
                        "imtcp {name}: {ip} has {most} sessions already - dropping incoming request"
                    ),
                );
                Err(TurnedAway::Crowded)
            }
        }
    }
}

impl Gate for Guard {
    fn allows(&self, name: &[u8]) -> bool {
        self.list.allows_name(name)
    }

    fn refused(&self, sender: &Sender, received: i64) {
        let text = |bytes| String::from_utf8_lossy(bytes);
        let (host, ip) = (text(sender.known_host()), text(&sender.ip));
        self.refuse(received, format_args!("{host} ({ip}:{})", text(&sender.port)));
    }
}

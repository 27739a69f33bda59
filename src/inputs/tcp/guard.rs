//! Who may connect (`allowedSender`, `spec/imtcp.md` section 5).
//!
//! An address is judged when its connection is accepted. Where its name decides, the worker asks for that
//! before it first reads from the session: the resolver then has had some time, and waits no longer than
//! its own limit. A peer whose name is not to be had is refused.

use std::fmt::Display;
use std::sync::Arc;

use crate::message::{Gate, Sender};
use crate::net::access::Access;
use crate::net::report::Limiter;
use crate::stats::Counter;

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

//! What a balancer puts before a session's first byte: the PROXY protocol (`proxyProtocol`, `trustedProxies`).
//!
//! The header is taken off the socket before anything else reads from it, a TLS handshake included. Bytes behind it
//! stay there: they are looked at first, and only the header's own are taken.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, BorrowedFd};

use super::server::Shared;
use super::session::{End, Session, Step};
use crate::limits;
use crate::net::proxy::{self, Outcome};
use crate::net::transport::Refusal;
use crate::sys::clock;
use crate::sys::socket::peek;

/// A header that is still to come, as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Preamble(Vec<u8>);

/// What has come of it.
#[derive(Debug)]
pub(super) enum Progress {
    /// It is complete; the peer it names, if it names one.
    Complete(Option<SocketAddr>),
    /// Nothing more to read now.
    Waits,
    /// There is none; why.
    Invalid(&'static str),
    /// The session is over.
    Over(End),
}

impl Preamble {
    /// Takes what there is of the header.
    pub(super) fn read(&mut self, socket: BorrowedFd<'_>) -> Progress {
        let mut buffer = [0; limits::PROXY_HEADER_BYTES];
        let there = match peek(socket, &mut buffer) {
            Ok(0) => return Progress::Over(End::Closed),
            Ok(len) => buffer.get(..len).unwrap_or_default(),
            Err(why) if would_block(&why) => return Progress::Waits,
            Err(why) => return Progress::Over(End::Failed(why)),
        };
        let held = self.0.len();
        self.0.extend_from_slice(there);
        let (own, progress) = match proxy::parse(&self.0) {
            Outcome::Complete(header) => (header.len, Progress::Complete(header.source)),
            Outcome::NeedsMore => (self.0.len(), Progress::Waits),
            Outcome::Invalid(why) => return Progress::Invalid(why),
        };
        let mut own = buffer.get_mut(..own.saturating_sub(held)).unwrap_or_default();
        while !own.is_empty() {
            // They are there, so this takes them all; a signal may come in between.
            match nix::unistd::read(socket, own) {
                Ok(len @ 1..) => own = own.get_mut(len..).unwrap_or_default(),
                Ok(0) => return Progress::Over(End::Closed),
                Err(nix::errno::Errno::EINTR) => {}
                Err(why) => return Progress::Over(End::Failed(why.into())),
            }
        }
        progress
    }
}

impl Session {
    /// Takes the header that the session begins with. `Some` where there is nothing to receive yet, or no more.
    pub(super) fn open(&mut self, shared: &Shared) -> Option<Step> {
        let progress = self.preamble.as_mut()?.read(self.transport.as_fd());
        match progress {
            Progress::Waits => Some(Step::Nothing),
            Progress::Over(end) => Some(Step::Over(end)),
            Progress::Invalid(why) => {
                shared.cells.not_proxied.add(1);
                let (ip, port) = (&self.sender.ip, &self.sender.port);
                let text = format!(
                    "imtcp {}: connection of trusted proxy {}:{} does not begin with a PROXY protocol header: {why} - \
                     closed",
                    shared.conf.name,
                    String::from_utf8_lossy(ip),
                    String::from_utf8_lossy(port),
                );
                let refusal = Refusal { lines: vec![(None, text)] };
                Some(Step::Over(End::Refused(refusal)))
            }
            Progress::Complete(source) => {
                shared.cells.proxied.add(1);
                self.preamble = None;
                // Without a source the connection is the balancer's own.
                let peer = source.or_else(|| self.sender.addr())?;
                let Ok((sender, seat)) = shared.introduce(peer) else {
                    return Some(Step::Over(End::Refused(Refusal::default())));
                };
                let is_allowed = !sender.has_gate() || sender.is_allowed(clock::now_usec());
                (self.sender, self.seat) = (sender, seat);
                (!is_allowed).then(|| Step::Over(End::Refused(Refusal::default())))
            }
        }
    }
}

fn would_block(why: &io::Error) -> bool {
    matches!(why.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

//! Whether a peer's certificates have been revoked, asked of their authorities' OCSP responders
//! (`streamDriver.TlsRevocationCheck`, RFC 6960).
//!
//! ```text
//! handshake ─► questions: one per certificate with a responder ─► known? ─► verdict
//!                                                                  │ no
//!              session parked, nothing watched ◄─ Inquiry ◄────────┤
//!                        ▲                                         ▼
//!                        └──── woken ◄── answer kept ◄── thread `ocsp` asks (checker)
//! ```
//! No worker waits: a session whose answers are not known yet is parked like an idle one, and its handshake's deadline
//! goes on. Questions are asked by threads of their own, so many at a time, and only a part of those of one responder:
//! one that is slow holds up its own certificates only. Equal questions are asked once, and answers kept for as long as
//! they are valid; HUP forgets them.
//!
//! It comes after the certificate was found valid and the peer permitted: a stranger's certificate makes us connect
//! nowhere. **Without a good answer about every certificate of the chain that names a responder the peer is not let in.**
//! One that names a list of revoked certificates, but no responder, cannot be checked and is not let in either; one that
//! names neither is not asked about. All as in the reference.

mod checker;
mod question;

use std::sync::Arc;

use openssl::ssl::SslRef;

use self::checker::{Answer, Lookup};
pub use self::checker::{Cells, Checker};
use self::question::questions;
use super::context::Context;
use crate::net::transport::{Awaited, Call};

/// Why a peer is not let in: the reference's return code where it has been revoked, and the words.
pub(super) type Reason = (Option<u16>, String);

/// The questions about one peer.
#[derive(Debug)]
pub(super) struct Inquiry(Vec<Arc<Lookup>>);

impl Inquiry {
    /// Has everything asked that has to be known of a peer whose handshake is complete.
    ///
    /// # Errors
    /// What cannot be asked.
    pub(super) fn begin(
        checker: &Checker,
        ssl: &SslRef,
        context: &Context,
    ) -> Result<Self, Reason> {
        let questions = questions(ssl, context).map_err(|why| (None, why))?;
        Ok(Self(questions.into_iter().map(|question| checker.ask(question)).collect()))
    }

    /// What has come of it, as soon as that is clear.
    pub(super) fn result(&self) -> Option<Result<(), Reason>> {
        let mut is_complete = true;
        for lookup in &self.0 {
            match lookup.answer() {
                Some(Answer::Good) => {}
                Some(Answer::Bad(code, why)) => return Some(Err((code, why))),
                None => is_complete = false,
            }
        }
        is_complete.then_some(Ok(()))
    }
}

impl Awaited for Inquiry {
    fn when_done(&self, call: Call) {
        match self.0.iter().find(|lookup| lookup.answer().is_none()) {
            Some(lookup) => lookup.when_answered(call),
            None => call(),
        }
    }
}

//! TLS for inputs and outputs, on OpenSSL: the stream drivers `ossl` and `gtls` of the reference.
//!
//! - [`settings`]: what a configuration comes to; [`driver`]: how the `streamDriver…` parameters come to that.
//! - [`priority`]: `gnutlsPriorityString` in its two spellings; `gnutls` translates the one that is not OpenSSL's.
//! - [`context`]: certificates, keys and lists of authorities as loaded; read again on HUP.
//! - [`http`]: connections of the HTTP library.
//! - [`pem`]: where certificates and keys come from; [`key`]: private keys.
//! - [`peer`]: which certificates are let in.
//! - [`revocation`]: whether certificates have been revoked, asked by OCSP.
//! - [`verdict`]: the judgement of a peer after its handshake.
//! - [`transport`]: a session's handshake and reading; [`client`]: the other end, which outputs open.
//!
//! **Nobody unauthorised gets a byte through.** A connection is a [`transport::Server`] that is *opening* until its
//! handshake is complete and [`verdict`] has let the peer in. Only an open one is read from; there is no other way to
//! that state, and a connection that is refused never leaves the one it was in.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::string_slice)]

pub mod client;
pub mod context;
pub mod driver;
mod gnutls;
pub mod http;
pub mod key;
pub mod peer;
pub mod pem;
pub mod priority;
pub mod revocation;
pub mod settings;
pub mod transport;
pub mod verdict;

pub use context::{Context, Store};
pub use pem::Pem;
pub use settings::{Auth, Driver, Expired, Settings};

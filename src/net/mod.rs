//! Sockets and who serves them: listeners, sessions, the poller and the ready-queue of the worker pools.
//!
//! - [`listener`]: sockets bound and listening, the port file.
//! - [`transport`]: how a session's bytes are received.
//! - [`session`]: the table of open sessions and the tokens that name them.
//! - [`ready`]: who owns a session when; the queue between poller and workers.
//! - [`poller`]: the epoll set.
//! - [`proxy`]: what a balancer says of whose a connection is.
//! - [`access`]: which addresses and names may send.
//! - [`report`]: how often peers may write to the log.
//! - [`resolver`]: the names of peers, off the receive path.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::string_slice)]

pub mod access;
pub mod listener;
pub mod poller;
pub mod proxy;
pub mod ready;
pub mod report;
pub mod resolver;
pub mod session;
pub mod transport;

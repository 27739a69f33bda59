//! Starts a daemon on a configuration, talks to it over real sockets, and looks at what it wrote.
//!
//! Nothing here sleeps and no port is fixed: waiting means blocking on inotify of the test's own
//! directory (every file the daemon writes lives there) until a condition holds or a deadline passes.
//! The daemon is the crate's `sluiced`, or the program named by the environment variable `DAEMON`; running the
//! suite with `DAEMON=/usr/sbin/rsyslogd` shows which expectations are facts about the reference.

#[allow(dead_code, reason = "the load generator has a sink of its own")]
pub(crate) mod bulk_server;
pub(crate) mod daemon;
pub(crate) mod ledger;
#[allow(dead_code, reason = "the load generator uses a part of it")]
pub(crate) mod pki;
pub(crate) mod send;

pub(crate) use daemon::{Daemon, Stopped};

//! End-to-end tests: a real daemon, real sockets, real files.

mod harness;
mod lifecycle;
mod messages;
mod tcp;
mod udp;

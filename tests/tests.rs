//! End-to-end tests: a real daemon, real sockets, real files.

mod actions;
mod conformance;
mod counters;
mod diag;
mod durability;
mod elastic;
mod harness;
mod hostile;
mod http;
mod lifecycle;
mod lookups;
mod messages;
mod newer_modules;

mod notify;
mod outputs;
mod oversize;
mod queues;
mod ratelimits;
mod sendertrack;
mod stats;
mod tcp;
mod tidy;
mod tls;
mod udp;
mod validation;
mod watch;
mod yaml;

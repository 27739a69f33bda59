//! The way of a message, the layers, what each folder may know.
//!
//! # Start-up
//! `cli` reads the command line and asks `config` for a checked [`Config`](crate::config::Config): every problem
//! of the text has been collected by then. [`daemon`](crate::daemon) builds templates, outputs, rulesets, queues and
//! inputs from it — still without touching the system, so that `-N1` ends here — and then starts them in the
//! order outputs → queues → inputs. It stops them in reverse.
//!
//! # Data path
//! | stage | where | cost is per |
//! |---|---|---|
//! | `recv`, `recvmmsg` into a builder's free storage | `net`, `inputs` | receive |
//! | find frames in place, note a 64-byte record each | `framing`, `message` | message |
//! | seal the batch, hand it to a queue | `message`, `queue` | batch |
//! | sanitise, find the header fields | `parsers` | message |
//! | walk the rules | `script`, `ruleset` | message |
//! | change the message: new texts go to the batch's end, with a new record | `modifiers` | message that is modified |
//! | render into the action's buffer | `template`, `actions` | message |
//! | write, flush, sync | `actions` | batch |
//!
//! Between receive and write there is no heap allocation, no lock and no clock call per message; all three are per
//! batch. `tests/allocations.rs` counts the first.
//!
//! # Layers
//! A module imports only from lower ranks; `tests/tidy` reads every `use crate::` and fails on an upward one.
//! `0 sys limits task · 1 param stats message state_file · 2 framing parsers template config net queue lookup · 3 tls script · 4 ruleset ·
//! 5 inputs modifiers actions · 6 registry · 7 daemon control · 8 cli manual`
//!
//! Things that are deliberately absent: `framing`, `parsers`, `template`, `script` and `config` do no I/O, read no
//! clock and take no lock. `config` names no module: it gets a catalogue. `net` knows no rules. Only `registry`
//! names all modules, only `daemon` starts them, only `sys` holds `unsafe`.
//!
//! # The loss ledger
//! For every input, queue and action: received = processed + queued + dropped, and each drop has a named counter.
//! The end-to-end tests read the counters that `-d` prints at exit and check the sum.

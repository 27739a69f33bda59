//! sluice: a syslog collector that takes over from rsyslog without a changed configuration.
//!
//! One message, from wire to disk:
//! ```text
//!  kernel ─recv─► Builder.bytes ─framing─► Record (offsets) ─seal─► Batch ─push─► Queue ─pop─► parse headers
//!    (net, inputs)                (framing)                 (message)      (queue)            (parsers)
//!                                                                                                │
//!  file/socket ◄─one write─ action buffer ◄─render template─ action.push(msg) ◄─ ruleset program, message by message
//!    (actions)                              (template)                            (script, ruleset)
//! ```

// How it is built and why.
pub mod manual;

// The command line.
pub mod cli;

// Text to typed values.
pub mod config;

// What a module's table says about its parameters.
pub mod param;

// All modules, by name.
pub mod registry;

// Every limit, with the relations between them.
pub mod limits;

// Batches of messages, records of offsets, the view of one message.
pub mod message;

// Sockets, the poller, the ready-queue, sessions.
pub mod net;

// TLS upon sockets: certificates, who is let in.
pub mod tls;

// What receives.
pub mod inputs;

// Bytes to frames.
pub mod framing;

// Frames to header fields.
pub mod parsers;

// Between inputs and rules, and before actions that run on their own.
pub mod queue;

// Tables that scripts look values up in.
pub mod lookup;

// How many messages are taken.
pub mod ratelimit;

// Filters, compiled.
pub mod script;

// The program of a ruleset, message by message.
pub mod ruleset;

// A message to text.
pub mod template;

// What changes messages between rules.
pub mod modifiers;

// What writes.
pub mod actions;

// Counters and their objects.
pub mod stats;

// Work that is done from time to time.
pub mod task;

// Files that keep what would be forgotten.
pub mod state_file;

// Signals and timers.
pub mod control;

// Builds, starts and stops everything.
pub mod daemon;

// Locks that loom can model.
pub mod sync;

// The only `unsafe`.
pub mod sys;

// For fuzzers and benches.
#[doc(hidden)]
pub mod testing;

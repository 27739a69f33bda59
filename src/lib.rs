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

pub mod limits;
pub mod sync;
pub mod sys;

pub mod message;
pub mod param;
pub mod stats;

pub mod net;

pub mod config;
pub mod framing;
pub mod parsers;
pub mod queue;
pub mod template;

pub mod actions;
pub mod inputs;

#[doc(hidden)]
pub mod testing;

//! A message and the batch it travels in.
//!
//! - [`batch`]: bytes, records and senders of up to a thousand messages; builder and pool.
//! - [`amend`]: what modifiers change about a message.
//! - [`pri`]: facility and severity.
//! - [`record`]: 64 bytes of offsets per message.
//! - [`sender`]: where messages come from.
//! - [`submit`]: where inputs hand batches to.
//! - [`view`]: `Msg`, how rules and templates see a message.
//! - [`property`]: everything about a message that has a name.
//! - [`timestamp`]: times and zones.
//! - [`date`]: times as text.
//! - [`json`]: JSON values and text.
//! - [`labels`]: what an input says about its messages; [`zoneinfo`]: zones by name.
//! - [`vars`]: the variables of a message.
//! - `own`: messages that the daemon makes itself.

pub mod amend;
pub mod batch;
mod copy;
pub mod date;
pub mod json;
pub mod labels;
mod own;
pub mod pri;
pub mod property;
pub mod record;
#[cfg(test)]
pub(crate) mod sample;
pub mod sender;
pub mod submit;
pub mod timestamp;
pub mod vars;
pub mod view;
pub mod zoneinfo;

pub use amend::{Amendment, Part, TooLarge};
pub use batch::{Appender, Batch, Builder, Bytes, Held, Pool};
pub use date::DateFormat;
pub use json::Json;
pub use labels::Labels;
pub use property::Property;
pub use record::{Field, Flags, NO_VARS, Record, Span};
pub use sender::{Gate, InputInfo, Name, Names, Sender};
pub use submit::{FlowControl, Submit};
pub use timestamp::{Sign, Time, Zone};
pub use vars::{Path, Scope, Vars};
pub use view::{Env, Msg};

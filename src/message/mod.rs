//! A message and the batch it travels in.
//!
//! - [`batch`]: bytes, records and senders of up to a thousand messages; builder and pool.
//! - [`pri`]: facility and severity.
//! - [`record`]: 64 bytes of offsets per message.
//! - [`sender`]: where messages come from.
//! - [`submit`]: where inputs hand batches to.
//! - [`view`]: `Msg`, how rules and templates see a message.
//! - [`timestamp`]: times and zones.

pub mod batch;
pub mod json;
pub mod pri;
pub mod record;
pub mod sender;
pub mod submit;
pub mod timestamp;
pub mod view;

pub use batch::{Appender, Batch, Builder, Bytes, Pool};
pub use record::{Field, Flags, NO_VARS, Record, Span};
pub use sender::{InputInfo, Names, Sender};
pub use submit::{FlowControl, Submit};
pub use timestamp::{Sign, Time, Zone};
pub use view::{Env, Msg};

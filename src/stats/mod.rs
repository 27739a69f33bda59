//! Counters, the objects they belong to, the set of all objects, and reports of it.
//!
//! A thread on the data path counts in a plain integer of its own and adds it to the shared cell once per
//! batch, so the shared cell is touched a thousand times less often than messages pass.
//!
//! ```text
//! Counter ◄─ data path          Set ─read─► Vec<Reading> ─report─► lines
//!    └─ Object, Bucket, Percentiles ─┘          └─ledger─► rows
//! ```

pub mod bucket;
pub mod bucket_file;
pub mod catalogue;
pub mod counter;
pub mod ledger;
pub mod percentiles;
pub mod reading;
pub mod report;
pub mod senders;
pub mod set;
pub mod tracked;

pub use bucket::Bucket;
pub use bucket_file::BucketFile;
pub use counter::Counter;
pub use percentiles::Percentiles;
pub use reading::{Name, Purpose, Reading, Value};
pub use set::{Live, Object, Set, Style};
pub use tracked::Tracked;

//! Counters, the objects they belong to, and the set of all objects.
//!
//! A thread on the data path counts in a plain integer of its own and adds it to the shared cell once per
//! batch, so the shared cell is touched a thousand times less often than messages pass.

pub mod bucket;
pub mod counter;
pub mod percentiles;
pub mod report;
pub mod set;

pub use bucket::Bucket;
pub use counter::Counter;
pub use percentiles::Percentiles;
pub use set::{Live, Object, Set, Style};

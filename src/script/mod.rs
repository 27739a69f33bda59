//! Filters: expressions, selectors and property-based filters, compiled once and evaluated per message.
//!
//! ```text
//! config::Stmt ─compile─► Filter ─matches(msg, scratch)─► bool
//! ```
//! - [`value`]: numbers and texts, their conversions and comparisons (`spec/config-language.md` section 6).
//! - [`compile`]: the checked syntax tree → [`compile::Cond`] and [`compile::Term`].
//! - [`eval`]: evaluation, with buffers lent by the worker thread: no allocation per message.
//! - [`functions`]: what scripts can call.
//! - [`filter`]: what stands before a block of statements.
//!
//! Nothing here fails on a message: whatever a peer sends has a truth value.

pub mod compile;
pub mod eval;
pub mod filter;
pub mod functions;
pub mod value;

pub use compile::{Compiler, Term};
pub use eval::Scratch;
pub use filter::Filter;
pub use functions::Environment;

#[cfg(test)]
mod tests;

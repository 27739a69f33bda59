//! Entry points for fuzzers and benches, and the plain models that property tests compare with. Not an
//! interface of the crate.

pub mod framing;
pub mod parsers;

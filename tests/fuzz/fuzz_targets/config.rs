//! Fuzz target: see `sluice::testing::config::fuzz`. Its seeds are `tests/data/diagnostics`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sluice::testing::config::fuzz(data));

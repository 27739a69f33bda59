//! Fuzz target: see `sluice::testing::parsers::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sluice::testing::parsers::fuzz(data));

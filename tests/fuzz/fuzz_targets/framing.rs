//! Fuzz target: see `sluice::testing::framing::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sluice::testing::framing::fuzz(data));

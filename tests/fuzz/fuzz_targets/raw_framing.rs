//! Fuzz target: see `sluice::testing::raw_framing::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sluice::testing::raw_framing::fuzz(data));

//! Fuzz target: see `sluice::testing::http::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sluice::testing::http::fuzz(data));

//! One shared number. `Relaxed` everywhere: counters order nothing, and a report may be a batch behind.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that many threads add to and a report reads.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        if n != 0 {
            self.0.fetch_add(n, Relaxed);
        }
    }
    /// Takes `n` away; for gauges such as a queue's size.
    pub fn sub(&self, n: u64) {
        self.0.fetch_sub(n, Relaxed);
    }
    /// The present value.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
    /// Replaces the value; for gauges.
    pub fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }
    /// Raises the value to `n`; for high-water marks.
    pub fn raise(&self, n: u64) {
        self.0.fetch_max(n, Relaxed);
    }
    /// Reads and zeroes in one step, so that no increment falls between.
    pub fn take(&self) -> u64 {
        self.0.swap(0, Relaxed)
    }
}

//! One shared number. `Relaxed` everywhere: counters order nothing, and a report may be a batch behind.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that many threads add to and a report reads.
///
/// A report that resets it only remembers how far it had come: nothing that is counted meanwhile is lost, and the
/// total stays.
#[derive(Debug, Default)]
pub struct Counter {
    total: AtomicU64,
    /// The total at the last reset.
    reported: AtomicU64,
}

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        if n != 0 {
            self.total.fetch_add(n, Relaxed);
        }
    }
    /// Takes `n` away; for gauges such as a queue's size.
    pub fn sub(&self, n: u64) {
        self.total.fetch_sub(n, Relaxed);
    }
    /// The value since the start.
    pub fn get(&self) -> u64 {
        self.total.load(Relaxed)
    }
    /// The value since the last [`Counter::reset`].
    pub fn since_reset(&self) -> u64 {
        self.get().wrapping_sub(self.reported.load(Relaxed))
    }
    /// The value since the last reset; it begins anew.
    pub fn reset(&self) -> u64 {
        let total = self.get();
        total.wrapping_sub(self.reported.swap(total, Relaxed))
    }
    /// Replaces the value; for gauges.
    pub fn set(&self, n: u64) {
        self.total.store(n, Relaxed);
    }
    /// Raises the value to `n`; for high-water marks.
    pub fn raise(&self, n: u64) {
        self.total.fetch_max(n, Relaxed);
    }
    /// Reads and zeroes in one step; for high-water marks.
    pub fn take(&self) -> u64 {
        self.total.swap(0, Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_forgets_nothing() {
        let counter = Counter::default();
        counter.add(5);
        assert_eq!((counter.since_reset(), counter.reset()), (5, 5));
        counter.add(2);
        assert_eq!((counter.since_reset(), counter.reset(), counter.reset()), (2, 2, 0));
        assert_eq!(counter.get(), 7);
    }
}

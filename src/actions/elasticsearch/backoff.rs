//! How long to wait before the next try: twice as long each time, with jitter, up to a limit.

use std::time::Duration;

/// The pauses of one worker.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    /// Failures since the last success.
    tries: u32,
    random: u64,
}

impl Backoff {
    /// Pauses from `first` to `longest`; `seed` tells workers apart.
    pub(super) fn new(first: Duration, longest: Duration, seed: u64) -> Self {
        Self { first, longest, tries: 0, random: seed | 1 }
    }

    /// The pause after one more failure; `asked` is what the server wants at least, within the limit. Between half
    /// of the full pause and all of it, so that clients that failed together do not come back together.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let full = self.first.saturating_mul(1 << self.tries.min(20)).min(self.longest);
        self.tries += 1;
        // xorshift64: Marsaglia, "Xorshift RNGs", 2003.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let half = full / 2;
        let thousandth = u32::try_from(self.random % 1001).unwrap_or(0);
        (half + half * thousandth / 1000).max(asked.unwrap_or_default()).min(self.longest)
    }

    /// Something was delivered.
    pub(super) fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_limit_and_begin_anew() {
        let second = Duration::from_secs;
        let mut backoff = Backoff::new(second(1), second(60), 42);
        for full in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            let pause = backoff.next(None);
            assert!(pause >= second(full) / 2 && pause <= second(full), "{full}: {pause:?}");
        }
        backoff.reset();
        assert!(backoff.next(None) <= second(1));
        assert_eq!(backoff.next(Some(second(7))), second(7));
        assert_eq!(backoff.next(Some(second(999))), second(60));
    }
}

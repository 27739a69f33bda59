//! How often peers may write to the log: a few lines per second and input, the rest as a number.
//!
//! Every occurrence is counted by the caller; this is only about lines.

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};

use crate::limits::PEER_REPORTS_PER_SEC;

/// Passes the first lines of every second.
#[derive(Debug, Default)]
pub struct Limiter(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    second: i64,
    said: u32,
    suppressed: u64,
}

impl Limiter {
    /// Logs an error that a peer caused at `now` (microseconds since the epoch), unless too many went before.
    pub fn error(&self, now: i64, code: Option<u16>, text: impl Display) {
        let Some(suppressed) = self.admit(now / 1_000_000) else { return };
        if suppressed > 0 {
            log::warn!("{suppressed} messages about peers suppressed");
        }
        match code {
            Some(code) => log::error!(code = code; "{text}"),
            None => log::error!("{text}"),
        }
    }

    /// Says how many lines were suppressed since the last one, if any were; for the end.
    pub fn finish(&self) {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let suppressed = std::mem::take(&mut window.suppressed);
        drop(window);
        if suppressed > 0 {
            log::warn!("{suppressed} messages about peers suppressed");
        }
    }

    /// `Some(number of lines suppressed before)` where one more line may be written in this second.
    fn admit(&self, second: i64) -> Option<u64> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if window.second != second {
            window.second = second;
            window.said = 0;
        }
        if window.said >= PEER_REPORTS_PER_SEC {
            window.suppressed += 1;
            return None;
        }
        window.said += 1;
        Some(std::mem::take(&mut window.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_leaves_a_few_lines_per_second_and_a_number() {
        let limiter = Limiter::default();
        let passed = (0..100).filter(|_| limiter.admit(7).is_some()).count();
        assert_eq!(passed, PEER_REPORTS_PER_SEC as usize);
        assert_eq!(limiter.admit(8), Some(100 - u64::from(PEER_REPORTS_PER_SEC)));
        assert_eq!(limiter.admit(8), Some(0));
    }
}

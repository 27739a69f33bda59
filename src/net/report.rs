//! How often peers may write to the log: some lines per minute and input, the rest as a number.
//!
//! Every occurrence is counted by the caller; this is only about lines.

use std::fmt::Display;

use crate::limits::{PEER_REPORTS, PEER_REPORTS_SECS};
use crate::sync::{Mutex, lock};

/// Passes the first lines of every window of time.
#[derive(Debug, Default)]
pub struct Limiter(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    /// When it began, seconds since the epoch.
    began: i64,
    said: u32,
    suppressed: u64,
}

impl Limiter {
    /// Logs an error that a peer caused at `now` (microseconds since the epoch), unless too many went before.
    pub fn error(&self, now: i64, code: Option<u16>, text: impl Display) {
        let Some(admitted) = self.admit(now / 1_000_000) else { return };
        if admitted.suppressed > 0 {
            log::warn!("{} messages about peers suppressed", admitted.suppressed);
        }
        match code {
            Some(code) => log::error!(code = code; "{text}"),
            None => log::error!("{text}"),
        }
        if admitted.is_last {
            log::warn!(
                "further messages about peers are counted only, for {PEER_REPORTS_SECS} seconds"
            );
        }
    }

    /// Says how many lines were suppressed since the last one, if any were; for the end.
    pub fn finish(&self) {
        let mut window = lock(&self.0);
        let suppressed = std::mem::take(&mut window.suppressed);
        drop(window);
        if suppressed > 0 {
            log::warn!("{suppressed} messages about peers suppressed");
        }
    }

    /// `Some` where one more line may be written at this second.
    fn admit(&self, second: i64) -> Option<Admitted> {
        let mut window = lock(&self.0);
        // A clock that was set back begins a new window, too.
        if !(window.began..window.began + PEER_REPORTS_SECS).contains(&second) {
            window.began = second;
            window.said = 0;
        }
        if window.said >= PEER_REPORTS {
            window.suppressed += 1;
            return None;
        }
        window.said += 1;
        let suppressed = std::mem::take(&mut window.suppressed);
        Some(Admitted { suppressed, is_last: window.said == PEER_REPORTS })
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Admitted {
    /// Lines suppressed since the one before.
    suppressed: u64,
    /// Whether the window has no more lines.
    is_last: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_leaves_some_lines_per_window_and_a_number() {
        let limiter = Limiter::default();
        let passed: Vec<_> = (0..100).filter_map(|_| limiter.admit(1000)).collect();
        assert_eq!(passed.len(), PEER_REPORTS as usize);
        assert_eq!(passed.iter().position(|a| a.is_last), Some(passed.len() - 1));
        assert_eq!(limiter.admit(1000 + PEER_REPORTS_SECS - 1), None);
        let suppressed = |at| limiter.admit(at).map(|a| a.suppressed);
        let next = 1000 + PEER_REPORTS_SECS;
        assert_eq!(suppressed(next), Some(101 - u64::from(PEER_REPORTS)));
        assert_eq!(suppressed(next), Some(0));
        assert_eq!(suppressed(5), Some(0), "the clock was set back");
    }
}

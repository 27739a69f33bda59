//! So many messages in a window of so many seconds. The arithmetic is the reference's, to the second.

/// A window under way. Times are whole seconds since the epoch.
#[derive(Debug, Default)]
pub struct Window {
    /// When it began; `None` until the next message.
    begin: Option<i64>,
    done: u64,
    missed: u64,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passes.
    Passed,
    /// It is one too many; `first` of its window.
    Dropped {
        /// Whether none was dropped before in this window.
        first: bool,
    },
}

impl Window {
    /// Ends a window that is over at `now`, also by a clock that was set back, and returns what was dropped
    /// in it. To be asked before each [`Window::admit`].
    pub fn roll(&mut self, interval: u32, now: i64) -> u64 {
        let begin = *self.begin.get_or_insert(now);
        if (begin..=begin + i64::from(interval)).contains(&now) {
            return 0;
        }
        // The next window begins with the message after this one, and this one counts for it.
        self.begin = None;
        self.done = 0;
        self.take_missed()
    }

    /// Judges a message.
    pub fn admit(&mut self, burst: u32) -> Verdict {
        if self.done < u64::from(burst) {
            self.done += 1;
            return Verdict::Passed;
        }
        self.missed += 1;
        Verdict::Dropped { first: self.missed == 1 }
    }

    /// Judges a message that may wait: for how many seconds. A window of these begins anew once its time is over.
    pub fn wait(&mut self, interval: u32, burst: u32, now: i64) -> Option<u64> {
        let begin = *self.begin.get_or_insert(now);
        let end = begin + i64::from(interval);
        if !(begin..end).contains(&now) {
            self.begin = Some(now);
            self.done = 0;
        }
        if self.done < u64::from(burst) {
            self.done += 1;
            return None;
        }
        Some(u64::try_from(end - now).unwrap_or(1).max(1))
    }

    /// How many were dropped since this was last asked.
    pub fn take_missed(&mut self) -> u64 {
        std::mem::take(&mut self.missed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(window: &mut Window, interval: u32, burst: u32, at: &[i64]) -> Vec<bool> {
        let admit = |&now: &i64| {
            window.roll(interval, now);
            window.admit(burst) == Verdict::Passed
        };
        at.iter().map(admit).collect()
    }

    #[test]
    fn a_burst_passes_and_the_next_window_opens_after_the_interval() {
        let mut window = Window::default();
        let at = [100, 100, 101, 102, 103, 103, 103, 104];
        let expected = [true, true, false, false, true, true, false, false];
        assert_eq!(passed(&mut window, 2, 2, &at), expected);
        assert_eq!(window.take_missed(), 2);
    }

    #[test]
    fn what_was_dropped_is_told_once_and_with_the_next_window() {
        let mut window = Window::default();
        assert_eq!(passed(&mut window, 5, 1, &[10, 10, 15]), [true, false, false]);
        assert_eq!((window.roll(5, 16), window.roll(5, 16)), (2, 0));
        assert_eq!(window.admit(1), Verdict::Passed);
        assert_eq!(window.admit(1), Verdict::Dropped { first: true });
        assert_eq!(window.admit(1), Verdict::Dropped { first: false });
    }

    #[test]
    fn a_clock_that_was_set_back_opens_a_window() {
        let mut window = Window::default();
        assert_eq!(passed(&mut window, 5, 1, &[100, 100, 50, 50]), [true, false, true, false]);
    }

    #[test]
    fn a_burst_of_nothing_stops_everything() {
        assert_eq!(passed(&mut Window::default(), 1, 0, &[1, 2, 9]), [false; 3]);
    }
}

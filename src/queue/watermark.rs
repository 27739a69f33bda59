//! What a fill level means: room, marks, wanted workers. Pure arithmetic; `size` is always the number of
//! messages that wait or are being processed.

use super::settings::Settings;
use crate::limits;

/// The marks of one queue, in messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    size: usize,
    full_delay: usize,
    light_delay: usize,
    discard: usize,
    discard_severity: u8,
    workers: usize,
    worker_messages: usize,
}

impl Marks {
    /// From corrected settings.
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            size: settings.size,
            full_delay: settings.full_delay.unwrap_or(settings.size),
            light_delay: settings.light_delay.unwrap_or(settings.size),
            discard: settings.discard_mark,
            discard_severity: settings.discard_severity,
            workers: settings.workers,
            worker_messages: settings.worker_messages,
        }
    }

    /// How many messages still fit.
    pub(super) fn room(&self, size: usize) -> usize {
        self.size.saturating_sub(size)
    }

    /// Of messages arriving at fill level `size`: from which one on unimportant ones are dropped, if any.
    pub(super) fn droppable_from(&self, size: usize, arriving: usize) -> Option<usize> {
        let from = self.discard.saturating_sub(size);
        (self.discard_severity < 8 && from < arriving).then_some(from)
    }

    /// How many unimportant messages at the front are dropped at fill level `size`: what is at and above the mark.
    pub(super) fn droppable_in_front(&self, size: usize) -> usize {
        if self.discard_severity < 8 { (size + 1).saturating_sub(self.discard) } else { 0 }
    }

    /// Whether a severity is one of those dropped.
    pub(super) fn is_unimportant(&self, severity: u8) -> bool {
        severity >= self.discard_severity
    }

    /// Whether an input that can wait a little is held up, and (once held up) still is: down to half the
    /// mark, so that it does not stop and go with every batch.
    pub(super) fn holds_light(&self, size: usize, held: bool) -> bool {
        if held { size >= self.light_delay.div_ceil(2) } else { size >= self.light_delay }
    }

    /// The same for an input that can wait.
    pub(super) fn holds_full(&self, size: usize, held: bool) -> bool {
        if held { size >= self.full_delay.div_ceil(2) } else { size >= self.full_delay }
    }

    /// Whether an input that can wait a little is paced, and (once it waits) still is.
    pub(super) fn paces(&self, size: usize, held: bool) -> bool {
        let mark = limits::QUEUE_PACE.min(self.light_delay);
        if held { size >= mark.div_ceil(2) } else { size >= mark }
    }

    /// How many workers should run.
    pub(super) fn wanted_workers(&self, size: usize) -> usize {
        (size / self.worker_messages + 1).min(self.workers)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::settings;
    use super::*;

    fn marks(given: Settings) -> Marks {
        let mut settings = Settings { size: 100_000, ..given };
        settings.correct("q");
        Marks::new(&settings)
    }

    #[test]
    fn levels() {
        let marks = marks(Settings { discard_severity: 6, ..settings() });
        assert_eq!(marks.room(99_999), 1);
        assert_eq!(marks.room(100_500), 0);
        assert_eq!(marks.droppable_from(97_000, 1_000), None);
        assert_eq!(marks.droppable_from(97_000, 1_001), Some(1_000));
        assert_eq!(marks.droppable_from(99_000, 1), Some(0));
        assert!(marks.is_unimportant(6) && !marks.is_unimportant(5));
        assert!(!marks.holds_light(69_999, false) && marks.holds_light(70_000, false));
        assert!(marks.holds_light(35_000, true) && !marks.holds_light(34_999, true));
        assert!(marks.holds_full(97_000, false) && !marks.holds_full(48_499, true));
        assert!(!marks.paces(8191, false) && marks.paces(8192, false) && marks.paces(4096, true));
    }

    #[test]
    fn a_worker_for_every_so_many_messages() {
        let marks = marks(Settings { workers: 2, worker_messages: 40_000, ..settings() });
        let wanted = [0, 39_999, 40_000, 99_999].map(|size| marks.wanted_workers(size));
        assert_eq!(wanted, [1, 1, 2, 2]);
    }

    #[test]
    fn nothing_is_dropped_by_severity_unless_asked_for() {
        assert_eq!(marks(settings()).droppable_from(100_000, 10), None);
    }
}

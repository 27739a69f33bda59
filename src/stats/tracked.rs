//! Messages by sender (`global(senders.keepTrack="on")`, `spec/impstats.md` section 8.1).
//!
//! Queue workers add what each sender of a batch has sent; a report shows it; who has been silent for long is
//! forgotten. What is shown of a sender is its name, or its address.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Counter, Live, Purpose, Reading};
use crate::limits;
use crate::message::Zone;
use crate::message::timestamp::Time;
use crate::stats::report::SenderCount;
use crate::sys::clock;
use crate::task::Task;

/// The reference's codes of its messages about senders.
const APPEARED: u16 = 2430;
const GONE_AWAY: u16 = 2429;
/// Senders that are read under one lock.
const READ_AT_ONCE: usize = 256;
/// Longest time between two looks for silent senders.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// The senders.
#[derive(Debug)]
pub struct Tracked {
    table: Mutex<Table>,
    settings: Settings,
    /// Messages of senders for which there was no room.
    untracked: Counter,
}

/// What the configuration says about senders.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Seconds of silence after which a sender is forgotten.
    pub timeout: i64,
    /// Whether new senders are told.
    pub report_new: bool,
    /// Whether those that are forgotten are.
    pub report_gone: bool,
}

#[derive(Debug, Default)]
struct Table {
    known: HashMap<Arc<[u8]>, Arc<Entry>>,
    /// The same, in the order in which they came.
    list: Vec<Arc<Entry>>,
}

#[derive(Debug)]
struct Entry {
    sender: Arc<[u8]>,
    messages: Counter,
    /// Second of the last message.
    last: AtomicI64,
}

impl Tracked {
    /// No senders.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { table: Mutex::default(), settings, untracked: Counter::default() }
    }

    /// Adds messages: sender, number, second of the last one. Costs one lock.
    pub fn record(&self, counts: &[(&[u8], u64, i64)]) {
        let (mut new, mut refused) = (Vec::new(), 0);
        let mut table = self.lock();
        for &(sender, messages, last) in counts {
            let room = table.list.len() < limits::SENDERS_TRACKED;
            let entry = match table.known.get(sender) {
                Some(entry) => entry,
                None if room => {
                    new.push(sender);
                    table.add(sender)
                }
                None => {
                    refused += messages;
                    continue;
                }
            };
            entry.messages.add(messages);
            entry.last.fetch_max(last, Relaxed);
        }
        drop(table);
        if refused > 0 && self.untracked.get() == 0 {
            log::warn!(
                "senders.keepTrack: there are {} senders, more are not tracked; their messages are counted as \
                 untracked",
                limits::SENDERS_TRACKED
            );
        }
        self.untracked.add(refused);
        if self.settings.report_new {
            for sender in new {
                log::info!(code = APPEARED; "new sender '{}'", String::from_utf8_lossy(sender));
            }
        }
    }

    /// All senders, in the order in which they came.
    fn counts(&self, purpose: Purpose) -> Vec<SenderCount> {
        let mut counts = Vec::new();
        loop {
            // A few at a time, so that nobody who records waits for all of them.
            let table = self.lock();
            let some: Vec<_> =
                table.list.iter().skip(counts.len()).take(READ_AT_ONCE).cloned().collect();
            drop(table);
            if some.is_empty() {
                return counts;
            }
            counts.extend(some.iter().map(|entry| SenderCount {
                sender: entry.sender.to_vec(),
                messages: match purpose {
                    Purpose::Reset => entry.messages.reset(),
                    _ => entry.messages.since_reset(),
                },
            }));
        }
    }

    /// Forgets who has been silent for too long at second `now`.
    fn forget(&self, now: i64) {
        let oldest = now.saturating_sub(self.settings.timeout);
        let is_gone = |entry: &Arc<Entry>| entry.last.load(Relaxed) < oldest;
        let mut table = self.lock();
        let gone: Vec<_> = table.list.iter().filter(|entry| is_gone(entry)).cloned().collect();
        if gone.is_empty() {
            return;
        }
        table.list.retain(|entry| !is_gone(entry));
        for entry in &gone {
            table.known.remove(&entry.sender);
        }
        drop(table);
        if self.settings.report_gone {
            for entry in gone {
                let last = entry.last.load(Relaxed);
                let zone = Zone::at(last, clock::local_offset);
                let at = Time::from_epoch_usec(last.saturating_mul(1_000_000), &zone);
                log::warn!(
                    code = GONE_AWAY;
                    "removing sender '{}' from connection table, last seen at {:04}-{:02}-{:02} \
                     {:02}:{:02}:{:02}",
                    String::from_utf8_lossy(&entry.sender),
                    at.year, at.month, at.day, at.hour, at.minute, at.second
                );
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn add(&mut self, sender: &[u8]) -> &Entry {
        let name: Arc<[u8]> = sender.into();
        let (messages, last) = (Counter::default(), AtomicI64::new(i64::MIN));
        let entry = Arc::new(Entry { sender: Arc::clone(&name), messages, last });
        self.list.push(Arc::clone(&entry));
        self.known.entry(name).or_insert(entry)
    }
}

impl Live for Tracked {
    fn read(&self, _purpose: Purpose) -> Reading {
        let mut reading = Reading::new("senders", "core");
        let tracked = i64::try_from(self.lock().list.len()).unwrap_or(i64::MAX);
        reading.gauge(b"tracked".as_slice(), tracked);
        reading.counter(b"untracked".as_slice(), self.untracked.get());
        reading
    }

    fn senders(&self, purpose: Purpose) -> Vec<SenderCount> {
        self.counts(purpose)
    }
}

/// Forgets silent senders from time to time.
pub struct Housekeeping(pub Arc<Tracked>);

impl Task for Housekeeping {
    fn interval(&self) -> Option<Duration> {
        let timeout = u64::try_from(self.0.settings.timeout).unwrap_or(u64::MAX).max(1);
        Some(Duration::from_secs(timeout).min(HOUSEKEEPING))
    }

    fn run(&mut self) {
        self.0.forget(clock::now_secs());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracked() -> Tracked {
        Tracked::new(Settings { timeout: 10, report_new: true, report_gone: true })
    }

    fn read(tracked: &Tracked, purpose: Purpose) -> Vec<(String, u64)> {
        let counts = tracked.senders(purpose).into_iter();
        counts.map(|c| (String::from_utf8_lossy(&c.sender).into_owned(), c.messages)).collect()
    }

    #[test]
    fn messages_are_counted_by_sender_and_reset_with_a_report() {
        let tracked = tracked();
        tracked.record(&[(b"a", 2, 100), (b"b", 1, 100), (b"a", 3, 101)]);
        let expected = [("a".to_owned(), 5), ("b".to_owned(), 1)];
        for purpose in [Purpose::Look, Purpose::Report, Purpose::Reset] {
            assert_eq!(read(&tracked, purpose), expected);
        }
        tracked.record(&[(b"b", 1, 102)]);
        assert_eq!(read(&tracked, Purpose::Reset), [("a".to_owned(), 0), ("b".to_owned(), 1)]);
    }

    #[test]
    fn who_is_silent_is_forgotten() {
        let tracked = tracked();
        tracked.record(&[(b"a", 1, 100), (b"b", 1, 105), (b"c", 1, 101)]);
        tracked.forget(110);
        assert_eq!(read(&tracked, Purpose::Look).len(), 3);
        tracked.forget(112);
        assert_eq!(read(&tracked, Purpose::Look), [("b".to_owned(), 1)]);
        tracked.record(&[(b"a", 1, 113)]);
        assert_eq!(read(&tracked, Purpose::Look)[1], ("a".to_owned(), 1), "it begins anew");
    }

    #[test]
    fn senders_are_bounded_and_all_are_read() {
        let tracked = tracked();
        for sender in 0..limits::SENDERS_TRACKED + 2 {
            tracked.record(&[(sender.to_string().as_bytes(), 3, 1)]);
        }
        assert_eq!(tracked.senders(Purpose::Look).len(), limits::SENDERS_TRACKED);
        assert_eq!(tracked.read(Purpose::Look).get("untracked"), Some(6));
    }
}

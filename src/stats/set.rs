//! Statistics objects and the set of all of them, in creation order (`spec/impstats.md` section 1).

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::catalogue::{self, Rank};
use super::report::SenderCount;
use super::{Counter, Name, Purpose, Reading, Value, senders};

/// How a counter behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Grows; begins anew with `resetCounters`.
    Counter,
    /// A present value; never reset.
    Gauge,
    /// A high-water mark; begins anew with `resetCounters`.
    Peak,
}

#[derive(Debug)]
struct Cell {
    name: Cow<'static, str>,
    style: Style,
    is_ours: bool,
    counter: Arc<Counter>,
}

/// Named counters of one thing: an input, a worker, a queue, an action.
#[derive(Debug)]
pub struct Object {
    name: String,
    origin: &'static str,
    namespace: Option<&'static str>,
    cells: Vec<Cell>,
}

impl Object {
    /// An object without counters. Names are e.g. `main Q`, `imtcp(514)`, origins e.g. `core.queue`, `imtcp`.
    #[must_use]
    pub fn new(name: impl Into<String>, origin: &'static str) -> Self {
        Self { name: name.into(), origin, namespace: None, cells: Vec::new() }
    }

    /// In JSON, its counters stand in an object of this name.
    #[must_use]
    pub fn in_namespace(mut self, namespace: &'static str) -> Self {
        self.namespace = Some(namespace);
        self
    }

    /// Adds a counter and returns its cell.
    pub fn counter(&mut self, name: impl Into<Cow<'static, str>>) -> Arc<Counter> {
        self.cell(name.into(), Style::Counter)
    }

    /// Adds a gauge and returns its cell.
    pub fn gauge(&mut self, name: impl Into<Cow<'static, str>>) -> Arc<Counter> {
        self.cell(name.into(), Style::Gauge)
    }

    /// Adds a high-water mark and returns its cell.
    pub fn peak(&mut self, name: impl Into<Cow<'static, str>>) -> Arc<Counter> {
        self.cell(name.into(), Style::Peak)
    }

    fn cell(&mut self, name: Cow<'static, str>, style: Style) -> Arc<Counter> {
        let counter = Arc::new(Counter::default());
        let is_ours = catalogue::is_our_counter(self.origin, &name);
        self.cells.push(Cell { name, style, is_ours, counter: Arc::clone(&counter) });
        counter
    }

    /// The object as it is now.
    #[must_use]
    pub fn read(&self, purpose: Purpose) -> Reading {
        let mut reading = Reading::new(&*self.name, self.origin);
        reading.namespace = self.namespace;
        reading.values.extend(self.cells.iter().map(|cell| cell.read(purpose)));
        reading
    }
}

impl Cell {
    fn read(&self, purpose: Purpose) -> Value {
        let name: Name = match &self.name {
            Cow::Borrowed(name) => Cow::Borrowed(name.as_bytes()),
            Cow::Owned(name) => Cow::Owned(name.clone().into_bytes()),
        };
        let total = self.counter.get();
        let recent = match (self.style, purpose) {
            (Style::Gauge, _) => total,
            (Style::Counter, Purpose::Reset) => self.counter.reset(),
            (Style::Counter, _) => self.counter.since_reset(),
            (Style::Peak, Purpose::Reset) => self.counter.take(),
            (Style::Peak, _) => total,
        };
        Value { name, style: self.style, is_ours: self.is_ours, recent, total }
    }
}

/// An object whose counters change while the daemon runs.
pub trait Live: std::fmt::Debug + Send + Sync {
    /// The object as it is now.
    fn read(&self, purpose: Purpose) -> Reading;

    /// Messages by sender, if this is what counts them.
    fn senders(&self, _purpose: Purpose) -> Vec<SenderCount> {
        Vec::new()
    }

    /// All objects have been read.
    fn round_over(&self, _purpose: Purpose) {}
}

impl Live for Object {
    fn read(&self, purpose: Purpose) -> Reading {
        Self::read(self, purpose)
    }
}

/// All objects of the daemon.
#[derive(Debug, Default)]
pub struct Set(Mutex<Vec<Entry>>, senders::Tables);

#[derive(Clone, Debug)]
struct Entry {
    rank: Rank,
    object: Arc<dyn Live>,
}

impl Set {
    /// Adds a finished object.
    pub fn add(&self, object: Object) {
        let rank = catalogue::rank(object.origin, &object.name);
        self.insert(Entry { rank, object: Arc::new(object) });
    }

    /// The tables of senders.
    #[must_use]
    pub fn senders(&self) -> &senders::Tables {
        &self.1
    }

    /// Adds an object that is read anew for each report.
    pub fn add_live(&self, origin: &'static str, object: Arc<dyn Live>) {
        self.insert(Entry { rank: catalogue::rank(origin, ""), object });
    }

    /// Adds an object that is read before all others.
    pub fn add_first(&self, object: Arc<dyn Live>) {
        self.insert(Entry { rank: Rank::First, object });
    }

    fn insert(&self, entry: Entry) {
        let mut entries = self.lock();
        let place = entries.partition_point(|other| other.rank <= entry.rank);
        entries.insert(place, entry);
    }

    /// All objects as they are now, in output order.
    #[must_use]
    pub fn read(&self, purpose: Purpose) -> Vec<Reading> {
        // A live object may take a lock of its own: not under this one.
        let entries = self.lock().clone();
        let readings = entries.iter().map(|entry| entry.object.read(purpose)).collect();
        entries.iter().for_each(|entry| entry.object.round_over(purpose));
        readings
    }

    /// Messages by sender (`senders.keepTrack`).
    #[must_use]
    pub fn sender_counts(&self, purpose: Purpose) -> Vec<SenderCount> {
        let entries = self.lock().clone();
        entries.iter().flat_map(|entry| entry.object.senders(purpose)).collect()
    }

    /// Sum of the totals of a counter over all objects that have it; `object` chooses one of them by name.
    #[cfg(test)]
    pub(crate) fn total(&self, object: Option<&str>, counter: &str) -> u64 {
        let objects = self.read(Purpose::Look);
        let chosen = objects.iter().filter(|o| object.is_none_or(|name| o.name == name.as_bytes()));
        let totals: Vec<u64> = chosen.filter_map(|object| object.get(counter)).collect();
        assert!(!totals.is_empty(), "no counter {counter} of {object:?} among {objects:#?}");
        totals.iter().sum()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_and_peaks_begin_anew_and_gauges_do_not() {
        let mut object = Object::new("x", "omfile");
        let (counter, gauge, peak) = (object.counter("c"), object.gauge("g"), object.peak("p"));
        counter.add(3);
        gauge.set(4);
        peak.raise(5);
        let recent = |purpose| object.read(purpose).values.iter().map(|v| v.recent).collect();
        let expected: [(Purpose, Vec<u64>); 5] = [
            (Purpose::Look, vec![3, 4, 5]),
            (Purpose::Report, vec![3, 4, 5]),
            (Purpose::Reset, vec![3, 4, 5]),
            (Purpose::Reset, vec![0, 4, 0]),
            (Purpose::Look, vec![0, 4, 0]),
        ];
        for (purpose, expected) in expected {
            let found: Vec<u64> = recent(purpose);
            assert_eq!(found, expected, "{purpose:?}");
        }
        peak.raise(2);
        assert_eq!(object.read(Purpose::Look).get("p"), Some(2));
        assert_eq!(object.read(Purpose::Look).get("c"), Some(3), "the total stays");
    }

    #[test]
    fn queues_and_workers_come_last_in_the_order_in_which_they_came() {
        let set = Set::default();
        for (name, origin) in [
            ("q1", "core.queue"),
            ("r", "impstats"),
            ("a", "core.action"),
            ("w0/x", "imtcp"),
            ("q2", "core.queue"),
            ("x(514)", "imtcp"),
        ] {
            set.add(Object::new(name, origin));
        }
        let names: Vec<_> = set.read(Purpose::Look).into_iter().map(|o| o.name).collect();
        assert_eq!(names, [b"a".as_slice(), b"x(514)", b"r", b"q1", b"q2", b"w0/x"]);
    }
}

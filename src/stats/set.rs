//! Statistics objects and the set of all of them, in creation order (`spec/impstats.md` section 1).

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Counter;

/// How a counter behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Grows; zeroed by `resetCounters`.
    Counter,
    /// A present value; never zeroed.
    Gauge,
}

/// Named counters of one thing: an input, a worker, a queue, an action.
#[derive(Debug)]
pub struct Object {
    /// E.g. `main Q`, `imtcp(514)`.
    pub name: String,
    /// E.g. `core.queue`, `imtcp`.
    pub origin: &'static str,
    /// Name, behaviour and cell, in output order.
    pub counters: Vec<(Cow<'static, str>, Style, Arc<Counter>)>,
}

impl Object {
    /// An object without counters.
    #[must_use]
    pub fn new(name: impl Into<String>, origin: &'static str) -> Self {
        Self { name: name.into(), origin, counters: Vec::new() }
    }

    /// Adds a counter and returns its cell.
    pub fn counter(&mut self, name: impl Into<Cow<'static, str>>) -> Arc<Counter> {
        self.cell(name.into(), Style::Counter)
    }

    /// Adds a gauge and returns its cell.
    pub fn gauge(&mut self, name: impl Into<Cow<'static, str>>) -> Arc<Counter> {
        self.cell(name.into(), Style::Gauge)
    }

    fn cell(&mut self, name: Cow<'static, str>, style: Style) -> Arc<Counter> {
        let cell = Arc::new(Counter::default());
        self.counters.push((name, style, Arc::clone(&cell)));
        cell
    }
}

/// An object whose counters change while the daemon runs.
pub trait Live: std::fmt::Debug + Send + Sync {
    /// The object as it is now.
    fn read(&self) -> Object;
}

#[derive(Clone, Debug)]
enum Entry {
    Fixed(Arc<Object>),
    Live(Arc<dyn Live>),
}

/// All objects of the daemon.
#[derive(Debug, Default)]
pub struct Set(Mutex<Vec<Entry>>);

impl Set {
    /// Adds a finished object.
    pub fn add(&self, object: Object) {
        self.lock().push(Entry::Fixed(Arc::new(object)));
    }

    /// Adds an object that is read anew for each report.
    pub fn add_live(&self, object: Arc<dyn Live>) {
        self.lock().push(Entry::Live(object));
    }

    /// All objects, in creation order.
    #[must_use]
    pub fn objects(&self) -> Vec<Arc<Object>> {
        // A live object may take a lock of its own: not under this one.
        let entries = self.lock().clone();
        let read = |entry| match entry {
            Entry::Fixed(object) => object,
            Entry::Live(live) => Arc::new(live.read()),
        };
        entries.into_iter().map(read).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

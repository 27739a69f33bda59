//! Statistics objects and the set of all of them, in creation order (`spec/impstats.md` section 1).

use std::sync::{Arc, Mutex, PoisonError};

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
    pub counters: Vec<(&'static str, Style, Arc<Counter>)>,
}

impl Object {
    /// An object without counters.
    #[must_use]
    pub fn new(name: impl Into<String>, origin: &'static str) -> Self {
        Self { name: name.into(), origin, counters: Vec::new() }
    }

    /// Adds a counter and returns its cell.
    pub fn counter(&mut self, name: &'static str) -> Arc<Counter> {
        self.cell(name, Style::Counter)
    }

    /// Adds a gauge and returns its cell.
    pub fn gauge(&mut self, name: &'static str) -> Arc<Counter> {
        self.cell(name, Style::Gauge)
    }

    fn cell(&mut self, name: &'static str, style: Style) -> Arc<Counter> {
        let cell = Arc::new(Counter::default());
        self.counters.push((name, style, Arc::clone(&cell)));
        cell
    }
}

/// All objects of the daemon.
#[derive(Debug, Default)]
pub struct Set(Mutex<Vec<Arc<Object>>>);

impl Set {
    /// Adds a finished object.
    pub fn add(&self, object: Object) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::new(object));
    }

    /// All objects, in creation order.
    #[must_use]
    pub fn objects(&self) -> Vec<Arc<Object>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

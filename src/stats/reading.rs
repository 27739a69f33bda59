//! What all counters were at one moment: the one thing that every report of a round is made from.

use std::borrow::Cow;

use super::Style;

/// What a reading is for, and so what it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To look: changes nothing.
    Look,
    /// A periodic report: windows and periods end.
    Report,
    /// The same, and counters begin anew (`resetCounters`).
    Reset,
}

/// The name of a counter: bytes, because scripts make names of what messages bring.
pub type Name = Cow<'static, [u8]>;

/// One counter at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Name.
    pub name: Name,
    /// How it behaves.
    pub style: Style,
    /// Whether the reference has it; reports that must be the reference's leave others out.
    pub is_ours: bool,
    /// The value since the last reset; of a gauge, the bits of an `i64`.
    pub recent: u64,
    /// The value since the start.
    pub total: u64,
}

/// One object at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// E.g. `main Q`, `imtcp(514)`.
    pub name: Vec<u8>,
    /// E.g. `core.queue`, `imtcp`.
    pub origin: &'static str,
    /// In JSON, the counters stand in an object of this name.
    pub namespace: Option<&'static str>,
    /// Whether the reference has such an object.
    pub is_ours: bool,
    /// In output order.
    pub values: Vec<Value>,
}

impl Reading {
    /// Without counters.
    #[must_use]
    pub fn new(name: impl Into<Vec<u8>>, origin: &'static str) -> Self {
        let is_ours = super::catalogue::is_our_object(origin);
        Self { name: name.into(), origin, namespace: None, is_ours, values: Vec::new() }
    }

    /// Adds a gauge that is only there while it is read.
    pub fn gauge(&mut self, name: impl Into<Name>, value: i64) {
        let value = u64::from_ne_bytes(value.to_ne_bytes());
        self.push(name.into(), Style::Gauge, value, value);
    }

    /// Adds a counter that is never reset.
    pub fn counter(&mut self, name: impl Into<Name>, total: u64) {
        self.push(name.into(), Style::Counter, total, total);
    }

    fn push(&mut self, name: Name, style: Style, recent: u64, total: u64) {
        self.values.push(Value { name, style, is_ours: false, recent, total });
    }

    /// The total of the counter of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<u64> {
        self.values.iter().find(|value| *value.name == *name.as_bytes()).map(|value| value.total)
    }

    /// The counters that the reference has.
    pub fn reference_values(&self) -> impl Iterator<Item = &Value> {
        self.values.iter().filter(|value| !value.is_ours)
    }
}

impl Value {
    /// The value to show, in decimal.
    #[must_use]
    pub fn text(&self) -> String {
        match self.style {
            Style::Counter | Style::Peak => self.recent.to_string(),
            Style::Gauge => i64::from_ne_bytes(self.recent.to_ne_bytes()).to_string(),
        }
    }
}

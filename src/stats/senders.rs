//! Tables of senders, for whoever shows them: the modules that keep them and those that show them know nothing of
//! each other.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// A table of senders that somebody keeps.
pub trait Senders: fmt::Debug + Send + Sync {
    /// What there is to show at the second `now`: at most `most` senders of each kind.
    fn look(&self, most: usize, now: i64) -> Report;
}

/// What a table shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Who keeps the table.
    pub name: String,
    /// Senders in it.
    pub senders: usize,
    /// Those with the most messages, most first.
    pub top: Vec<Row>,
    /// How many have not been heard of for `silence` seconds, and of them those with the most messages.
    pub silent: usize,
    /// See `silent`.
    pub gone: Vec<Row>,
    /// Seconds without a message that count as silence.
    pub silence: i64,
}

/// A sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its id: any bytes.
    pub sender: Box<[u8]>,
    /// Its messages.
    pub messages: u64,
    /// Second of the first one.
    pub first: i64,
    /// Second of the last one.
    pub last: i64,
}

/// All tables of the daemon.
#[derive(Debug, Default)]
pub struct Tables(Mutex<Vec<Arc<dyn Senders>>>);

impl Tables {
    /// Adds a table.
    pub fn add(&self, table: Arc<dyn Senders>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(table);
    }

    /// All of them, in the order in which they came.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<dyn Senders>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

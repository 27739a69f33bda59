//! What an omsendertrack action counts about itself.

use std::sync::Arc;

use crate::stats::{self, Counter};

/// The counters, with a sentence each.
pub(super) static NAMES: &[(&str, &str)] = &[
    ("senders", "Senders in the table now."),
    ("messages", "Messages counted."),
    ("others", "Of these: counted as `_other`, because the table was full."),
    ("writes", "Times the state file was written."),
    ("write.errors", "Times it could not be."),
    ("commands", "Commands executed."),
    ("evicted", "Senders forgotten after `expire` seconds."),
    ("silent", "Senders that are silent now, by `alarm.silence`."),
    ("silence.alarms", "Alarms about senders that fell silent."),
    ("flooding", "Senders that are above `alarm.rate` now."),
    ("rate.alarms", "Alarms about senders that went above it."),
];

/// The cells.
#[derive(Debug)]
pub(super) struct Counters {
    pub(super) senders: Arc<Counter>,
    pub(super) messages: Arc<Counter>,
    pub(super) others: Arc<Counter>,
    pub(super) writes: Arc<Counter>,
    pub(super) write_errors: Arc<Counter>,
    pub(super) commands: Arc<Counter>,
    pub(super) evicted: Arc<Counter>,
    pub(super) silent: Arc<Counter>,
    pub(super) silence_alarms: Arc<Counter>,
    pub(super) flooding: Arc<Counter>,
    pub(super) rate_alarms: Arc<Counter>,
}

impl Counters {
    /// The counters of the action of this name, added to `stats`.
    pub(super) fn new(action: &str, stats: &stats::Set) -> Self {
        let mut object = stats::Object::new(format!("{action}(omsendertrack)"), "omsendertrack");
        let counters = Self {
            senders: object.gauge("senders"),
            messages: object.counter("messages"),
            others: object.counter("others"),
            writes: object.counter("writes"),
            write_errors: object.counter("write.errors"),
            commands: object.counter("commands"),
            evicted: object.counter("evicted"),
            silent: object.gauge("silent"),
            silence_alarms: object.counter("silence.alarms"),
            flooding: object.gauge("flooding"),
            rate_alarms: object.counter("rate.alarms"),
        };
        stats.add(object);
        counters
    }
}

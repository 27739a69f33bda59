//! The loss ledger: for every input, queue and action, received = processed + queued + dropped.
//!
//! It is computed from the counters, since the start: a reset does not touch it. Between two counters messages
//! move on, so that a row is exact only when nothing flows.

use std::fmt;

use super::{Name, Reading};

/// Where in a message's way a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// From the outside to a queue.
    Input,
    /// Between inputs and rules, or before an action.
    Queue,
    /// Received bytes to a message.
    Parser,
    /// To the outside.
    Action,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Input => "input",
            Self::Queue => "queue",
            Self::Parser => "parser",
            Self::Action => "action",
        })
    }
}

/// Messages of one input, queue or action since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is.
    pub stage: Stage,
    /// Name of the statistics object.
    pub name: Vec<u8>,
    /// Came in.
    pub received: u64,
    /// Were handed on.
    pub processed: u64,
    /// Are still here.
    pub queued: u64,
    /// Were dropped, by reason: the counters' names.
    pub dropped: Vec<(Name, u64)>,
}

impl Row {
    /// Messages dropped for whatever reason.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().map(|(_, count)| count).sum()
    }

    fn new(stage: Stage, object: &Reading, is_drop: impl Fn(&str) -> bool) -> Self {
        let drops = object
            .values
            .iter()
            .filter(|value| std::str::from_utf8(&value.name).is_ok_and(&is_drop));
        Self {
            stage,
            name: object.name.clone(),
            received: 0,
            processed: 0,
            queued: 0,
            dropped: drops.map(|value| (value.name.clone(), value.total)).collect(),
        }
    }
}

/// The rows of all objects that messages pass through, in the objects' order.
#[must_use]
pub fn rows(objects: &[Reading]) -> Vec<Row> {
    objects.iter().filter_map(row).collect()
}

fn row(object: &Reading) -> Option<Row> {
    match object.origin {
        "core.queue" => {
            let mut row = Row::new(Stage::Queue, object, is_drop);
            row.received = object.get("enqueued")?;
            row.queued = object.get("size")?;
            row.processed = row.received.saturating_sub(row.queued + row.dropped_total());
            Some(row)
        }
        "core.action" => {
            let mut row = Row::new(Stage::Action, object, |name| name == "failed");
            row.received = object.get("processed")?;
            row.processed = object.get("written")?;
            row.queued = row.received.saturating_sub(row.processed + row.dropped_total());
            Some(row)
        }
        "core.parser" => {
            let mut row = Row::new(Stage::Parser, object, is_drop);
            row.received = row.dropped_total();
            Some(row)
        }
        origin if origin == "core" || origin.starts_with("im") => {
            let mut row = Row::new(Stage::Input, object, is_drop);
            // Who is refused by name is so behind the queue, and counts as refused here all the same.
            let by_name = object.get("disallowed.byname").unwrap_or(0);
            row.processed = object.get("submitted")?.saturating_sub(by_name);
            row.received = row.processed + row.dropped_total();
            Some(row)
        }
        _ => None,
    }
}

/// Whether a counter of this name counts dropped messages.
fn is_drop(counter: &str) -> bool {
    let beginnings = ["discarded", "lost", "dropped", "ratelimit.discarded", "ratelimit.dropped"];
    matches!(counter, "disallowed" | "empty" | "kernel.drops")
        || beginnings.iter().any(|beginning| counter.starts_with(beginning))
}

/// The ledger as an object of a report: sums over the whole way, then every row.
#[must_use]
pub fn object(rows: &[Row]) -> Reading {
    let mut object = Reading::new("ledger", "sluice");
    let of = |stage: Stage| rows.iter().filter(move |row| row.stage == stage);
    let dropped = rows.iter().map(Row::dropped_total).sum();
    let queued = rows.iter().map(|row| row.queued).sum();
    object.counter(b"received".as_slice(), of(Stage::Input).map(|row| row.received).sum());
    object.counter(b"processed".as_slice(), of(Stage::Action).map(|row| row.processed).sum());
    object.gauge(b"queued".as_slice(), signed(queued));
    object.counter(b"dropped".as_slice(), dropped);
    for row in rows {
        let name = |what: &[u8]| [&*row.name, b".", what].concat();
        object.counter(name(b"received"), row.received);
        object.counter(name(b"processed"), row.processed);
        object.gauge(name(b"queued"), signed(row.queued));
        object.counter(name(b"dropped"), row.dropped_total());
        for (reason, count) in &row.dropped {
            object.counter(name(&[b"dropped.", &**reason].concat()), *count);
        }
    }
    object
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::report::full;
    use super::super::{Object, Purpose};
    use super::*;

    /// Eleven datagrams: one refused, two dropped by the full queue, one that is still there, six written, one lost.
    fn readings() -> Vec<Reading> {
        let object = |name: &str, origin, counters: &[(&'static str, u64)]| {
            let mut object = Object::new(name, origin);
            counters.iter().for_each(|(name, count)| object.counter(*name).add(*count));
            object.read(Purpose::Look)
        };
        vec![
            object("udp", "imudp", &[("submitted", 10), ("disallowed", 1), ("kernel.drops", 0)]),
            object("main Q", "core.queue", &[("size", 1), ("enqueued", 10), ("discarded.full", 2)]),
            object("a", "core.action", &[("processed", 7), ("failed", 1), ("written", 6)]),
            object("imudp(w0)", "imudp", &[("msgs.received", 11)]),
            object("dynafile cache x", "omfile", &[("requests", 3)]),
        ]
    }

    #[test]
    fn every_row_adds_up() {
        let rows = rows(&readings());
        let found: Vec<_> = rows
            .iter()
            .map(|row| (row.stage, row.received, row.processed, row.queued, row.dropped_total()))
            .collect();
        let expected = [
            (Stage::Input, 11, 10, 0, 1),
            (Stage::Queue, 10, 7, 1, 2),
            (Stage::Action, 7, 6, 0, 1),
        ];
        assert_eq!(found, expected);
        for (_, received, processed, queued, dropped) in found {
            assert_eq!(received, processed + queued + dropped);
        }
    }

    #[test]
    fn who_is_refused_by_name_was_received_once() {
        let mut udp = Object::new("udp", "imudp");
        for (name, count) in [("submitted", 5), ("disallowed", 3), ("disallowed.byname", 2)] {
            udp.counter(name).add(count);
        }
        let rows = rows(&[udp.read(Purpose::Look)]);
        assert_eq!((rows[0].received, rows[0].processed, rows[0].dropped_total()), (6, 3, 3));
    }

    #[test]
    fn the_object_names_every_reason() {
        assert_eq!(
            full(&object(&rows(&readings()))),
            "ledger: origin=sluice received=11 processed=6 queued=1 dropped=4 udp.received=11 \
             udp.processed=10 udp.queued=0 udp.dropped=1 udp.dropped.disallowed=1 \
             udp.dropped.kernel.drops=0 main Q.received=10 main Q.processed=7 main Q.queued=1 \
             main Q.dropped=2 main Q.dropped.discarded.full=2 a.received=7 a.processed=6 a.queued=0 \
             a.dropped=1 a.dropped.failed=1 "
        );
    }
}

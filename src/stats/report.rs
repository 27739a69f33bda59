//! Renders statistics objects as lines; `spec/impstats.md` section 5.

use std::fmt::Write as _;

use super::{Object, Style};

/// The legacy line: `name: origin=o a=1 b=2 `, with its trailing blank.
#[must_use]
pub fn legacy(object: &Object) -> String {
    let mut line = format!("{}: ", object.name);
    if !object.origin.is_empty() {
        let _ = write!(line, "origin={} ", object.origin);
    }
    for (name, style, cell) in &object.counters {
        // Gauges print as signed integers, as the reference does.
        let _ = match style {
            Style::Counter => write!(line, "{name}={} ", cell.get()),
            Style::Gauge => {
                write!(line, "{name}={} ", i64::from_ne_bytes(cell.get().to_ne_bytes()))
            }
        };
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legacy_line_ends_in_a_blank() {
        let mut object = Object::new("main Q", "core.queue");
        object.gauge("size").set(1);
        object.counter("enqueued").add(5);
        assert_eq!(legacy(&object), "main Q: origin=core.queue size=1 enqueued=5 ");
    }
}

//! `/metrics`: Prometheus' text format, with names that stay (`sluice-metrics(5)`).
//!
//! Unlike impstats' `format="prometheus"`, which has the reference's names, the object is a label here and not a part
//! of the name: `sluice_<origin>_<counter>{object="…"}`, with `_total` where it is a counter. Counters count from the
//! start, whatever `resetCounters` does. What scripts name by what messages bring is a label, too.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::stats::ledger;
use crate::stats::report::prometheus::escape;
use crate::stats::{Reading, Style, Value};

/// Samples by metric.
type Metrics = BTreeMap<String, Metric>;

#[derive(Default)]
struct Metric {
    help: String,
    is_counter: bool,
    /// Labels and value.
    samples: BTreeMap<String, String>,
}

/// All counters, the ledger, and since when they count.
pub(super) fn text(objects: &[Reading], started: i64) -> Vec<u8> {
    let mut metrics = Metrics::new();
    let mut add = |name: &str, help: &str, is_counter: bool, labels: String, value: String| {
        let metric = metrics.entry(name.to_owned()).or_insert_with(|| Metric {
            help: help.to_owned(),
            is_counter,
            ..Metric::default()
        });
        metric.samples.insert(labels, value);
    };
    let version = concat!("version=\"", env!("CARGO_PKG_VERSION"), "\"");
    add("sluice_build_info", "The version.", false, version.to_owned(), "1".to_owned());
    let help = "When counting began, seconds since the epoch.";
    add("sluice_start_time_seconds", help, false, String::new(), started.to_string());
    for object in objects.iter().filter(|object| object.origin != "sluice") {
        for value in &object.values {
            let (name, labels) = sample(object, value);
            let help = if is_metric(object, value) {
                format!("Counter {} of {}.", shown(&value.name), object.origin)
            } else {
                format!("Values of {}.", object.origin)
            };
            add(&name, &help, value.style == Style::Counter, labels, total(value));
        }
    }
    for row in ledger::rows(objects) {
        let labels = format!("stage=\"{}\",object=\"{}\"", row.stage, label(&row.name));
        let number = |n: u64| n.to_string();
        for (name, help, is_counter, value) in [
            ("received_total", "Messages that came in.", true, row.received),
            ("processed_total", "Messages that were handed on.", true, row.processed),
            ("queued", "Messages that are still here.", false, row.queued),
        ] {
            let name = format!("sluice_ledger_{name}");
            add(&name, help, is_counter, labels.clone(), number(value));
        }
        for (reason, count) in &row.dropped {
            let labels = format!("{labels},reason=\"{}\"", label(reason));
            add(
                "sluice_ledger_dropped_total",
                "Messages that were dropped.",
                true,
                labels,
                number(*count),
            );
        }
    }
    write(&metrics)
}

/// Whether a counter's name is part of a metric's. What messages bring is not: it could be anything.
fn is_metric(object: &Reading, value: &Value) -> bool {
    let is_plain = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_');
    !object.origin.ends_with(".bucket") && value.name.iter().all(is_plain)
}

/// The metric of a counter, and its labels.
fn sample(object: &Reading, value: &Value) -> (String, String) {
    let end = if value.style == Style::Counter { "_total" } else { "" };
    let origin = if object.origin.is_empty() { "other" } else { object.origin };
    let labels = format!("object=\"{}\"", label(&object.name));
    if !is_metric(object, value) {
        let labels = format!("{labels},counter=\"{}\"", label(&value.name));
        return (format!("sluice_{}_value{end}", part(origin.as_bytes())), labels);
    }
    (format!("sluice_{}_{}{end}", part(origin.as_bytes()), part(&value.name)), labels)
}

/// A part of a metric's name.
fn part(text: &[u8]) -> String {
    let safe = |byte: &u8| if byte.is_ascii_alphanumeric() { char::from(*byte) } else { '_' };
    text.iter().map(safe).collect()
}

/// A label's value: UTF-8, escaped.
fn label(text: &[u8]) -> String {
    let mut out = Vec::new();
    escape(shown(text).as_bytes(), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn shown(text: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(text)
}

fn total(value: &Value) -> String {
    match value.style {
        Style::Counter | Style::Peak => value.total.to_string(),
        Style::Gauge => i64::from_ne_bytes(value.total.to_ne_bytes()).to_string(),
    }
}

fn write(metrics: &Metrics) -> Vec<u8> {
    let mut out = String::new();
    for (name, Metric { help, is_counter, samples }) in metrics {
        let kind = if *is_counter { "counter" } else { "gauge" };
        // Writing into memory does not fail.
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            let _ = match labels.as_str() {
                "" => writeln!(out, "{name} {value}"),
                labels => writeln!(out, "{name}{{{labels}}} {value}"),
            };
        }
    }
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Object, Purpose};

    #[test]
    fn metrics_are_typed_and_named_by_origin_and_counter() {
        let mut queue = Object::new("main Q", "core.queue");
        queue.gauge("size").set(0);
        queue.gauge("busy").sub(1);
        queue.counter("discarded.full").add(2);
        queue.counter("enqueued").add(12);
        let mut bucket = Reading::new("b\"\n", "dynstats.bucket");
        bucket.counter(b"any\nfake \xff".as_slice(), 3);
        let objects = [queue.read(Purpose::Reset), queue.read(Purpose::Look), bucket];
        let text = String::from_utf8(text(&objects[1..], 7)).expect("UTF-8");
        for line in [
            "# TYPE sluice_core_queue_discarded_full_total counter\nsluice_core_queue_discarded_full_total{object=\"main Q\"} 2\n",
            "# TYPE sluice_core_queue_busy gauge\nsluice_core_queue_busy{object=\"main Q\"} -1\n",
            "sluice_dynstats_bucket_value_total{object=\"b\\\"\\n\",counter=\"any\\nfake \u{fffd}\"} 3\n",
            "sluice_start_time_seconds 7\n",
            "sluice_ledger_dropped_total{stage=\"queue\",object=\"main Q\",reason=\"discarded.full\"} 2\n",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(!text.contains("\nfake"), "what a message brings makes no line:\n{text}");
        let mut lines: Vec<_> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
        let all = lines.len();
        lines.dedup();
        assert_eq!(lines.len(), all, "every metric once");
    }
}

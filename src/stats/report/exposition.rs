//! Prometheus' text format as Prometheus wants it: every metric once, with its type, all samples together.
//!
//! Names are those of [`prometheus`](super::prometheus). Where objects share a name, labels tell their samples apart.

use std::collections::HashMap;
use std::io::Write as _;

use super::prometheus::metric_name;
use crate::stats::{Reading, Style, Value};

/// Appends all counters of the reference's objects and of the ledger.
pub fn write(objects: &[Reading], out: &mut Vec<u8>) {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut metrics: Vec<(String, Vec<(&Reading, &Value)>)> = Vec::new();
    for object in objects.iter().filter(|object| !object.is_ours) {
        for value in object.reference_values() {
            let name = metric_name(&[&*object.name, b"_", &*value.name, b"_total"].concat());
            let place = *places.entry(name.clone()).or_insert_with(|| {
                metrics.push((name, Vec::new()));
                metrics.len() - 1
            });
            if let Some((_, samples)) = metrics.get_mut(place) {
                samples.push((object, value));
            }
        }
    }
    for (name, samples) in &metrics {
        metric(name, samples, out);
    }
}

/// A text for a comment: UTF-8, and with no other escapes than a comment may have. (The lines of `prometheus`, which
/// are the reference's, also escape quotes, and no parser of the format takes that.)
fn help(text: &[u8]) -> String {
    String::from_utf8_lossy(text).replace('\\', "\\\\").replace('\n', "\\n")
}

fn metric(name: &str, samples: &[(&Reading, &Value)], out: &mut Vec<u8>) {
    let Some((object, value)) = samples.first() else { return };
    let kind = if value.style == Style::Counter { "counter" } else { "gauge" };
    // Writing into memory does not fail.
    let _ = writeln!(
        out,
        "# HELP {name} rsyslog stats: origin=\"{}\" object=\"{}\", counter=\"{}\"\n# TYPE {name} {kind}",
        object.origin,
        help(&object.name),
        help(&value.name)
    );
    for (number, (object, value)) in samples.iter().enumerate() {
        let _ = match (samples.len(), number) {
            (1, _) => writeln!(out, "{name} {}", value.text()),
            (_, 0) => writeln!(out, "{name}{{origin=\"{}\"}} {}", object.origin, value.text()),
            _ => writeln!(
                out,
                "{name}{{origin=\"{}\",duplicate=\"{number}\"}} {}",
                object.origin,
                value.text()
            ),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Object, Purpose};

    #[test]
    fn every_metric_stands_once_and_samples_differ() {
        let mut objects = Vec::new();
        for origin in ["dynstats", "percentile"] {
            let mut object = Object::new("global", origin);
            object.counter("b.ops").add(3);
            object.gauge("now").set(7);
            objects.push(object.read(Purpose::Look));
        }
        let mut out = Vec::new();
        write(&objects, &mut out);
        assert_eq!(
            String::from_utf8_lossy(&out),
            "# HELP U__global__b_2E_ops__total rsyslog stats: origin=\"dynstats\" object=\"global\", \
             counter=\"b.ops\"\n# TYPE U__global__b_2E_ops__total counter\n\
             U__global__b_2E_ops__total{origin=\"dynstats\"} 3\n\
             U__global__b_2E_ops__total{origin=\"percentile\",duplicate=\"1\"} 3\n\
             # HELP global_now_total rsyslog stats: origin=\"dynstats\" object=\"global\", counter=\"now\"\n\
             # TYPE global_now_total gauge\nglobal_now_total{origin=\"dynstats\"} 7\n\
             global_now_total{origin=\"percentile\",duplicate=\"1\"} 7\n"
        );
    }
    #[test]
    fn a_comment_is_one_line_of_text() {
        let mut object = Reading::new(b"a\"b\\\n\xff".as_slice(), "o");
        object.counter(b"c".as_slice(), 1);
        let mut out = Vec::new();
        write(&[object], &mut out);
        let text = String::from_utf8(out).expect("UTF-8");
        let first = text.lines().next().expect("a line");
        assert!(first.ends_with("object=\"a\"b\\\\\\n\u{fffd}\", counter=\"c\""), "{first}");
        assert_eq!(text.lines().count(), 3);
    }
}

//! Prometheus' text format as Prometheus wants it: every metric once, with its type, all samples together.
//!
//! Names are those of [`prometheus`](super::prometheus). Where objects share a name, labels tell their samples apart.

use std::collections::HashMap;
use std::io::Write as _;

use super::prometheus::{escape, metric_name};
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

fn metric(name: &str, samples: &[(&Reading, &Value)], out: &mut Vec<u8>) {
    let Some((object, value)) = samples.first() else { return };
    out.extend_from_slice(format!("# HELP {name} rsyslog stats: origin=\"").as_bytes());
    escape(object.origin.as_bytes(), out);
    out.extend_from_slice(b"\" object=\"");
    escape(&object.name, out);
    out.extend_from_slice(b"\", counter=\"");
    escape(&value.name, out);
    let kind = if value.style == Style::Counter { "counter" } else { "gauge" };
    // Writing into memory does not fail.
    let _ = writeln!(out, "\"\n# TYPE {name} {kind}");
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
}

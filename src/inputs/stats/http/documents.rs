//! `/stats.json`, `/senders.json`, and what keeps `/readyz` from saying yes.

use std::fmt::Write as _;

use crate::stats::ledger::{self, Row};
use crate::stats::senders::{self, Report};
use crate::stats::{Reading, Style};

/// All objects with their counters since the start, the ledger, and whether the daemon is ready, at `now`, in
/// microseconds.
pub(super) fn stats(objects: &[Reading], started: i64, now: i64) -> Vec<u8> {
    let mut out = format!("{{\"time\":{},\"started\":{started},\"obstacles\":", now / 1000);
    list(&mut out, &obstacles(objects), |out, text| quote(out, text.as_bytes()));
    out.push_str(",\"objects\":");
    let shown: Vec<_> = objects.iter().filter(|object| object.origin != "sluice").collect();
    list(&mut out, &shown, |out, object| write_object(out, object));
    out.push_str(",\"ledger\":");
    list(&mut out, &ledger::rows(objects), write_row);
    out.push_str("}\n");
    out.into_bytes()
}

fn write_object(out: &mut String, object: &Reading) {
    out.push_str("{\"name\":");
    quote(out, &object.name);
    out.push_str(",\"origin\":");
    quote(out, object.origin.as_bytes());
    for (kind, is_counter) in [("counters", true), ("gauges", false)] {
        let _ = write!(out, ",\"{kind}\":{{");
        let values = object.values.iter().filter(|v| (v.style == Style::Counter) == is_counter);
        for (number, value) in values.enumerate() {
            out.push_str(if number == 0 { "" } else { "," });
            quote(out, &value.name);
            let _ = match value.style {
                Style::Gauge => write!(out, ":{}", i64::from_ne_bytes(value.total.to_ne_bytes())),
                _ => write!(out, ":{}", value.total),
            };
        }
        out.push('}');
    }
    out.push('}');
}

fn write_row(out: &mut String, row: &Row) {
    let Row { stage, received, processed, queued, .. } = row;
    let _ = write!(out, "{{\"stage\":\"{stage}\",\"name\":");
    quote(out, &row.name);
    let _ = write!(
        out,
        ",\"received\":{received},\"processed\":{processed},\"queued\":{queued},\"dropped\":{{"
    );
    for (number, (reason, count)) in row.dropped.iter().enumerate() {
        out.push_str(if number == 0 { "" } else { "," });
        quote(out, reason);
        let _ = write!(out, ":{count}");
    }
    out.push_str("}}");
}

/// The tables of senders at the second `now`.
pub(super) fn senders(reports: &[Report], now: i64) -> Vec<u8> {
    let mut out = format!("{{\"time\":{now},\"tables\":");
    list(&mut out, reports, |out, report| {
        let Report { senders, silent, silence, .. } = report;
        out.push_str("{\"name\":");
        quote(out, report.name.as_bytes());
        let _ = write!(
            out,
            ",\"senders\":{senders},\"silent\":{silent},\"silence\":{silence},\"top\":"
        );
        list(out, &report.top, write_sender);
        out.push_str(",\"gone\":");
        list(out, &report.gone, write_sender);
        out.push('}');
    });
    out.push_str("}\n");
    out.into_bytes()
}

fn write_sender(out: &mut String, row: &senders::Row) {
    let senders::Row { messages, first, last, .. } = row;
    out.push_str("{\"sender\":");
    quote(out, &row.sender);
    let _ = write!(out, ",\"messages\":{messages},\"firstseen\":{first},\"lastseen\":{last}}}");
}

/// Why the daemon is not ready: queues above their high mark, actions that are suspended.
pub(super) fn obstacles(objects: &[Reading]) -> Vec<String> {
    let obstacle = |object: &Reading| {
        let name = String::from_utf8_lossy(&object.name);
        let get = |counter| object.get(counter);
        match object.origin {
            "core.queue" => {
                let (size, high) = (get("size")?, get("size.high")?);
                let over = high > 0 && size >= high;
                over.then(|| {
                    format!("queue \"{name}\" holds {size} messages; its high mark is {high}")
                })
            }
            "core.action" => {
                let suspended = get("suspended.now")? > 0;
                suspended.then(|| format!("action \"{name}\" is suspended"))
            }
            _ => None,
        }
    };
    objects.iter().filter_map(obstacle).collect()
}

fn list<T>(out: &mut String, items: &[T], mut write: impl FnMut(&mut String, &T)) {
    out.push('[');
    for (number, item) in items.iter().enumerate() {
        out.push_str(if number == 0 { "" } else { "," });
        write(out, item);
    }
    out.push(']');
}

/// A JSON string; what is not UTF-8 becomes U+FFFD.
fn quote(out: &mut String, text: &[u8]) {
    out.push('"');
    for c in String::from_utf8_lossy(text).chars() {
        let _ = match c {
            '"' | '\\' => write!(out, "\\{c}"),
            c if c < ' ' => write!(out, "\\u{:04x}", u32::from(c)),
            c => write!(out, "{c}"),
        };
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Object, Purpose};

    #[test]
    fn stats_have_objects_ledger_and_obstacles() {
        let mut queue = Object::new("main Q", "core.queue");
        queue.gauge("size").set(9);
        queue.gauge("size.high").set(8);
        queue.counter("enqueued").add(12);
        let mut action = Object::new("a\"\n\u{e9}", "core.action");
        let suspended = action.gauge("suspended.now");
        let read = || [queue.read(Purpose::Look), action.read(Purpose::Look)];
        let text = String::from_utf8(stats(&read(), 7, 5000)).expect("UTF-8");
        assert_eq!(
            text,
            "{\"time\":5,\"started\":7,\"obstacles\":[\"queue \\\"main Q\\\" holds 9 messages; its high mark is 8\"],\
             \"objects\":[{\"name\":\"main Q\",\"origin\":\"core.queue\",\"counters\":{\"enqueued\":12},\
             \"gauges\":{\"size\":9,\"size.high\":8}},\
             {\"name\":\"a\\\"\\u000a\u{e9}\",\"origin\":\"core.action\",\"counters\":{},\"gauges\":{\"suspended.now\":0}}],\
             \"ledger\":[{\"stage\":\"queue\",\"name\":\"main Q\",\"received\":12,\"processed\":3,\"queued\":9,\"dropped\":{}}]}\n"
        );
        suspended.set(1);
        assert_eq!(obstacles(&read()).len(), 2);
        queue.gauge("other").set(0);
    }

    #[test]
    fn senders_are_tables() {
        let row =
            senders::Row { sender: b"a\xff".as_slice().into(), messages: 3, first: 1, last: 2 };
        let report = Report {
            name: "t".to_owned(),
            senders: 2,
            top: vec![row.clone(), row],
            silent: 0,
            gone: Vec::new(),
            silence: 300,
        };
        let sender = "{\"sender\":\"a\u{fffd}\",\"messages\":3,\"firstseen\":1,\"lastseen\":2}";
        assert_eq!(
            String::from_utf8(senders(&[report], 9)).expect("UTF-8"),
            format!(
                "{{\"time\":9,\"tables\":[{{\"name\":\"t\",\"senders\":2,\"silent\":0,\"silence\":300,\
                 \"top\":[{sender},{sender}],\"gone\":[]}}]}}\n"
            )
        );
    }
}

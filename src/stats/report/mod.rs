//! Renders readings as lines; `spec/impstats.md` section 5.

pub mod exposition;
pub mod json;
pub mod legacy;
pub mod prometheus;
pub mod zabbix;

use super::{Reading, Value};

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `name: origin=o a=1 b=2 `
    #[default]
    Legacy,
    /// `{ "name": "name", "origin": "o", "a": 1, "b": 2 }`
    Json,
    /// The same with `!` for each `.` in names of counters.
    JsonElasticsearch,
    /// `@cee: ` and JSON.
    Cee,
    /// Three lines for each counter.
    Prometheus,
    /// One line with all objects.
    Zabbix,
}

impl Format {
    /// The format of this name, without regard to case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let names = [
            ("legacy", Self::Legacy),
            ("json", Self::Json),
            ("json-elasticsearch", Self::JsonElasticsearch),
            ("cee", Self::Cee),
            ("prometheus", Self::Prometheus),
            ("zabbix", Self::Zabbix),
        ];
        names.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, format)| *format)
    }
}

/// Messages of one sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderCount {
    /// Name or address.
    pub sender: Vec<u8>,
    /// Messages since the last reset.
    pub messages: u64,
}

/// Everything one round of reports shows.
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// All objects.
    pub objects: Vec<Reading>,
    /// Senders (`senders.keepTrack`).
    pub senders: Vec<SenderCount>,
    /// The time, as [`zabbix`] shows it.
    pub date: String,
}

impl Round {
    /// The lines, each without its end, handed to `line` one by one. Shown is what the reference has.
    pub fn lines(&self, format: Format, line: &mut dyn FnMut(&[u8])) {
        let mut out = Vec::new();
        if format == Format::Zabbix {
            zabbix::write(self, &mut out);
            return line(&out);
        }
        for object in self.reference_objects() {
            if format == Format::Prometheus {
                prometheus::lines(object, line);
                continue;
            }
            out.clear();
            match format {
                Format::Legacy => legacy::write(object, object.reference_values(), &mut out),
                Format::JsonElasticsearch => json::write_elasticsearch(object, &mut out),
                Format::Cee => {
                    out.extend_from_slice(b"@cee: ");
                    json::write(object, &mut out);
                }
                _ => json::write(object, &mut out),
            }
            line(&out);
        }
        for sender in &self.senders {
            out.clear();
            match format {
                Format::Prometheus => break,
                Format::Legacy => legacy::write_sender(sender, &mut out),
                _ => json::write_sender(sender, &mut out),
            }
            line(&out);
        }
    }

    fn reference_objects(&self) -> impl Iterator<Item = &Reading> {
        self.objects.iter().filter(|object| !object.is_ours)
    }
}

/// The legacy line of an object with the totals of all its counters, also those the reference has not: for `-d`.
#[must_use]
pub fn full(object: &Reading) -> String {
    let mut out = Vec::new();
    let totals = object.values.iter().map(|value| Value { recent: value.total, ..value.clone() });
    let totals: Vec<_> = totals.collect();
    legacy::write(object, totals.iter(), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Object, Purpose};

    #[test]
    fn names_of_formats() {
        assert_eq!(Format::from_name("JSON"), Some(Format::Json));
        assert_eq!(Format::from_name("json-ElasticSearch"), Some(Format::JsonElasticsearch));
        assert_eq!(Format::from_name("xml"), None);
    }

    /// A queue, an object of ours, two senders.
    fn round() -> Round {
        let mut queue = Object::new("main Q", "core.queue");
        queue.gauge("size").set(1);
        queue.counter("enqueued").add(5);
        queue.counter("size.enqueued").add(412);
        queue.counter("lost.shutdown").add(9);
        let mut ours = Object::new("parsers", "core.parser");
        ours.counter("discarded.empty").add(1);
        let percentile = Object::new("global", "percentile");
        let read = |object: &Object| object.read(Purpose::Look);
        let sender = |sender: &[u8]| SenderCount { sender: sender.to_vec(), messages: 2 };
        Round {
            objects: vec![read(&queue), read(&ours), read(&percentile)],
            senders: vec![sender(b"10.0.0.1"), sender(b"a\"b")],
            date: "Fri Nov 20 07:39:51 2026".into(),
        }
    }

    #[test]
    fn rounds_in_all_formats() {
        let json = r#"{ "name": "main Q", "origin": "core.queue", "size": 1, "enqueued": 5, "size.enqueued": 412 }"#;
        let empty = r#"{ "name": "global", "origin": "percentile" }"#;
        let senders = [
            r#"{ "name":"_sender_stat", "origin":"impstats", "sender":"10.0.0.1", "messages":2}"#,
            r#"{ "name":"_sender_stat", "origin":"impstats", "sender":"a\"b", "messages":2}"#,
        ];
        let [first, second] = senders;
        let cases: [(Format, Vec<String>); 5] = [
            (
                Format::Legacy,
                vec![
                    "main Q: origin=core.queue size=1 enqueued=5 size.enqueued=412 ".into(),
                    "global: origin=percentile ".into(),
                    "_sender_stat: sender=10.0.0.1 messages=2".into(),
                    "_sender_stat: sender=a\"b messages=2".into(),
                ],
            ),
            (Format::Json, vec![json.into(), empty.into(), first.into(), second.into()]),
            (
                Format::JsonElasticsearch,
                vec![
                    json.replace("size.enqueued", "size!enqueued"),
                    empty.into(),
                    first.into(),
                    second.into(),
                ],
            ),
            (
                Format::Cee,
                vec![
                    format!("@cee: {json}"),
                    format!("@cee: {empty}"),
                    first.into(),
                    second.into(),
                ],
            ),
            (
                Format::Zabbix,
                vec![format!(
                    "{{ \"timedate\": \"Fri Nov 20 07:39:51 2026\", \"stats_core_queue\": [{json}], \
                     \"stats_percentile\": [{empty}], \"stats_impstats\": [{first},{second}]}}"
                )],
            ),
        ];
        for (format, expected) in cases {
            let mut found = Vec::new();
            round().lines(format, &mut |line| {
                found.push(String::from_utf8_lossy(line).into_owned());
            });
            assert_eq!(found, expected, "{format:?}");
        }
    }

    #[test]
    fn prometheus_has_three_lines_for_each_counter_and_no_senders() {
        let mut found = Vec::new();
        round().lines(Format::Prometheus, &mut |line| {
            found.push(String::from_utf8_lossy(line).into_owned());
        });
        assert_eq!(found.len(), 3);
        assert_eq!(
            found[1],
            "# HELP U__main_20_Q__enqueued__total rsyslog stats: origin=\"core.queue\" object=\"main Q\", \
             counter=\"enqueued\"\n# TYPE U__main_20_Q__enqueued__total counter\n\
             U__main_20_Q__enqueued__total 5\n"
        );
    }
}

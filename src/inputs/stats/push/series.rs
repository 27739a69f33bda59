//! Readings as series: a name, sorted labels, a value.

use crate::stats::report::prometheus::metric_name;
use crate::stats::{Reading, Style, Value};

/// Name and value of a label.
pub(super) type Pair<'a> = (&'a [u8], &'a [u8]);

/// A label of all series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Label {
    name: Vec<u8>,
    value: Vec<u8>,
}

impl Label {
    /// Reads `name=value`; the name may be one of Prometheus, and not one of its own (`__…`).
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let (name, value) = text.split_at(memchr::memchr(b'=', text)?);
        let valid = |&byte: &u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let starts_well = name.first().is_some_and(|byte| !byte.is_ascii_digit());
        let fits = starts_well && name.iter().all(valid) && !name.starts_with(b"__");
        fits.then(|| Self {
            name: name.to_vec(),
            value: value.get(1..).unwrap_or_default().to_vec(),
        })
    }
}

/// Which labels series have.
pub(super) struct Labels {
    /// `push.labels`; these win over those below.
    pub(super) fixed: Vec<Label>,
    /// `push.label.instance`: the host's name.
    pub(super) instance: bool,
    /// `push.label.job`; empty is none.
    pub(super) job: Vec<u8>,
    /// `push.label.origin`
    pub(super) origin: bool,
    /// `push.label.name`
    pub(super) name: bool,
}

impl Labels {
    /// Hands every counter to `take`: labels, sorted by name, and value.
    pub(super) fn series(
        &self,
        objects: &[Reading],
        host: &[u8],
        take: &mut dyn FnMut(&[Pair<'_>], f64),
    ) {
        for object in objects.iter().filter(|object| !object.is_ours) {
            let origin = if object.origin.is_empty() { "core" } else { object.origin };
            for value in object.reference_values() {
                let parts = [origin.as_bytes(), b"_", &*object.name, b"_", &*value.name, b"_total"];
                let metric = metric_name(&parts.concat());
                let mut labels: Vec<Pair<'_>> = vec![(b"__name__".as_slice(), metric.as_bytes())];
                labels.extend(self.fixed.iter().map(|label| (&*label.name, &*label.value)));
                let mut add = |wanted: bool, name: &'static [u8], value| {
                    if wanted && !labels.iter().any(|(known, _)| *known == name) {
                        labels.push((name, value));
                    }
                };
                add(self.instance, b"instance", host);
                add(!self.job.is_empty(), b"job", &self.job);
                add(self.origin, b"origin", origin.as_bytes());
                add(self.name, b"name", &object.name);
                labels.sort_unstable();
                take(&labels, number(value));
            }
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "samples are doubles")]
fn number(value: &Value) -> f64 {
    match value.style {
        Style::Gauge => i64::from_ne_bytes(value.recent.to_ne_bytes()) as f64,
        Style::Counter | Style::Peak => value.recent as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_and_the_users_win() {
        let mut object = Reading::new("o", "");
        object.gauge(b"g".as_slice(), -2);
        let label = |text: &[u8]| Label::parse(text).expect("a label");
        let labels = Labels {
            fixed: vec![label(b"zone=a=b"), label(b"job=x")],
            instance: true,
            job: b"rsyslog".to_vec(),
            origin: true,
            name: true,
        };
        let mut found = Vec::new();
        labels.series(&[object], b"h", &mut |labels, value| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let labels = labels.iter().map(|(name, value)| text(name) + "=" + &text(value));
            found.push((labels.collect::<Vec<_>>().join(","), value));
        });
        let expected = "__name__=core_o_g_total,instance=h,job=x,name=o,origin=core,zone=a=b";
        assert_eq!(found, [(expected.to_owned(), -2.0)]);
    }

    #[test]
    fn what_is_no_label() {
        for text in [&b"x"[..], b"=v", b"9x=v", b"a-b=v", b"__name__=v"] {
            assert_eq!(Label::parse(text), None, "{}", String::from_utf8_lossy(text));
        }
        assert_eq!(Label::parse(b"x="), Some(Label { name: b"x".to_vec(), value: Vec::new() }));
    }
}

//! impstats' `format="prometheus"`: three lines for each counter, with the reference's names of metrics.

use std::io::Write as _;

use crate::stats::Reading;

/// Hands the lines of each counter to `line`, three at a time, the last one with its end.
pub fn lines(object: &Reading, line: &mut dyn FnMut(&[u8])) {
    let mut out = Vec::new();
    for value in object.reference_values() {
        let name = metric_name(&[&*object.name, b"_", &*value.name, b"_total"].concat());
        out.clear();
        out.extend_from_slice(b"# HELP ");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b" rsyslog stats: origin=\"");
        escape(object.origin.as_bytes(), &mut out);
        out.extend_from_slice(b"\" object=\"");
        escape(&object.name, &mut out);
        out.extend_from_slice(b"\", counter=\"");
        escape(&value.name, &mut out);
        // Writing into memory does not fail.
        let _ = write!(out, "\"\n# TYPE {name} counter\n{name} {}\n", value.text());
        line(&out);
    }
}

/// The name of a metric for any name: as it is where it may be, else in Prometheus's reversible `U__` encoding.
#[must_use]
pub fn metric_name(raw: &[u8]) -> String {
    let safe = |&byte: &u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':';
    let starts_well = raw.first().is_some_and(|byte| !byte.is_ascii_digit());
    if starts_well && raw.iter().all(safe) && !raw.starts_with(b"U__") {
        return String::from_utf8_lossy(raw).into_owned();
    }
    let mut name = String::from("U__");
    for chunk in raw.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '_' => name.push_str("__"),
                ':' => name.push(c),
                c if c.is_ascii_alphanumeric() => name.push(c),
                c => name.push_str(&format!("_{:X}_", u32::from(c))),
            }
        }
        for byte in chunk.invalid() {
            name.push_str(&format!("_x{byte:02X}_"));
        }
    }
    name
}

/// Appends a text for use between quotes in a comment or a label.
pub fn escape(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            _ => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_metrics() {
        let cases: [(&[u8], &str); 8] = [
            (b"foo_bar_total", "foo_bar_total"),
            (b"main Q_enqueued_total", "U__main_20_Q__enqueued__total"),
            (
                b"action-0-builtin:omfile_processed_total",
                "U__action_2D_0_2D_builtin:omfile__processed__total",
            ),
            (b"9x", "U__9x"),
            (b"U__a_c_total", "U__U____a__c__total"),
            ("\u{e9}_c".as_bytes(), "U___E9___c"),
            (b"\xe9_c", "U___xE9___c"),
            (b"\xe2\x82x", "U___xE2__x82_x"),
        ];
        for (raw, expected) in cases {
            assert_eq!(metric_name(raw), expected, "{}", String::from_utf8_lossy(raw));
        }
    }

    #[test]
    fn comments_are_escaped() {
        let mut object = Reading::new("a\"b\\\nc", "o");
        object.counter(b"n".as_slice(), 7);
        let mut found = Vec::new();
        lines(&object, &mut |line| found.push(String::from_utf8_lossy(line).into_owned()));
        assert!(found[0].contains("origin=\"o\" object=\"a\\\"b\\\\\\nc\", counter=\"n\"\n"));
        assert!(found[0].ends_with("__n__total 7\n"));
    }
}

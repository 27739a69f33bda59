//! JSON as libfastjson writes it: a blank behind each colon and comma and inside the braces, `/` escaped.

use super::SenderCount;
use crate::stats::{Reading, Value};

/// Longest name of a counter for Elasticsearch, bytes, as in the reference.
const ELASTICSEARCH_NAME_BYTES: usize = 255;

/// Appends `{ "name": …, "origin": …, counters }`.
pub fn write(object: &Reading, out: &mut Vec<u8>) {
    write_with(object, out, |value, out| write_text(&value.name, out));
}

/// The same with `!` for each dot in names of counters: old Elasticsearch takes no dots in names.
pub fn write_elasticsearch(object: &Reading, out: &mut Vec<u8>) {
    write_with(object, out, |value, out| {
        let name = value.name.get(..ELASTICSEARCH_NAME_BYTES).unwrap_or(&value.name);
        let name: Vec<u8> = name.iter().map(|&b| if b == b'.' { b'!' } else { b }).collect();
        write_text(&name, out);
    });
}

fn write_with(object: &Reading, out: &mut Vec<u8>, name: impl Fn(&Value, &mut Vec<u8>)) {
    out.extend_from_slice(b"{ \"name\": ");
    write_text(&object.name, out);
    if !object.origin.is_empty() {
        out.extend_from_slice(b", \"origin\": ");
        write_text(object.origin.as_bytes(), out);
    }
    let mut separator: &[u8] = b", ";
    if let Some(namespace) = object.namespace {
        out.extend_from_slice(b", ");
        write_text(namespace.as_bytes(), out);
        out.extend_from_slice(b": {");
        separator = b" ";
    }
    for value in object.reference_values() {
        out.extend_from_slice(separator);
        separator = b", ";
        name(value, out);
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.text().as_bytes());
    }
    out.extend_from_slice(if object.namespace.is_some() { b" } }" } else { b" }" });
}

/// Appends the line of a sender. The reference sets it differently from the others, and does not escape it.
pub fn write_sender(count: &SenderCount, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{ \"name\":\"_sender_stat\", \"origin\":\"impstats\", \"sender\":");
    write_text(&count.sender, out);
    out.extend_from_slice(format!(", \"messages\":{}}}", count.messages).as_bytes());
}

/// Appends `text` in quotes. Bytes from 0x80 stay as they are.
pub fn write_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' | b'/' => out.extend_from_slice(&[b'\\', byte]),
            b'\x08' => out.extend_from_slice(b"\\b"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\x0c' => out.extend_from_slice(b"\\f"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(object: &Reading) -> String {
        let mut out = Vec::new();
        write(object, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn texts_are_escaped_as_libfastjson_does() {
        let mut out = Vec::new();
        write_text(b"a\"b/c\\\x08\n\r\t\x0c\x01\x1f\xe9", &mut out);
        assert_eq!(out, b"\"a\\\"b\\/c\\\\\\b\\n\\r\\t\\f\\u0001\\u001f\xe9\"");
    }

    #[test]
    fn counters_of_a_namespace_stand_in_an_object() {
        let mut object = Reading::new("b", "dynstats.bucket");
        object.namespace = Some("values");
        let empty = r#"{ "name": "b", "origin": "dynstats.bucket", "values": { } }"#;
        assert_eq!(text(&object), empty);
        object.counter(b"x".as_slice(), 1);
        object.counter(b"y".as_slice(), 2);
        let full = r#"{ "name": "b", "origin": "dynstats.bucket", "values": { "x": 1, "y": 2 } }"#;
        assert_eq!(text(&object), full);
    }

    #[test]
    fn names_for_elasticsearch() {
        let mut object = Reading::new("a.b", "");
        object.counter(vec![b'.'; 300], 1);
        let mut out = Vec::new();
        write_elasticsearch(&object, &mut out);
        let expected = format!("{{ \"name\": \"a.b\", \"{}\": 1 }}", "!".repeat(255));
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}

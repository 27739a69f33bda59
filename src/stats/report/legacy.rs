//! `name: origin=o a=1 b=2 `, with its trailing blank. Nothing is escaped.

use super::SenderCount;
use crate::stats::{Reading, Value};

/// Appends the line of an object with these of its values.
pub fn write<'a>(object: &Reading, values: impl Iterator<Item = &'a Value>, out: &mut Vec<u8>) {
    out.extend_from_slice(&object.name);
    out.extend_from_slice(b": ");
    if !object.origin.is_empty() {
        out.extend_from_slice(b"origin=");
        out.extend_from_slice(object.origin.as_bytes());
        out.push(b' ');
    }
    for value in values {
        out.extend_from_slice(&value.name);
        out.push(b'=');
        out.extend_from_slice(value.text().as_bytes());
        out.push(b' ');
    }
}

/// Appends the line of a sender; it has no trailing blank.
pub fn write_sender(count: &SenderCount, out: &mut Vec<u8>) {
    out.extend_from_slice(b"_sender_stat: sender=");
    out.extend_from_slice(&count.sender);
    out.extend_from_slice(format!(" messages={}", count.messages).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauges_are_signed_and_origins_optional() {
        let mut object = Reading::new("x", "");
        object.gauge(b"g".as_slice(), -1);
        object.counter(b"c".as_slice(), 1 << 63);
        let mut out = Vec::new();
        write(&object, object.values.iter(), &mut out);
        assert_eq!(out, b"x: g=-1 c=9223372036854775808 ");
    }
}

//! A record of /dev/kmsg as imkmsg reads it (kernel documentation, ABI/testing/dev-kmsg):
//!
//! ```text
//! 6,339,5140900,-;NET: Registered PF_INET6 protocol family
//!  SUBSYSTEM=acpi
//!  DEVICE=+acpi:PNP0A03:00
//! ```
//! PRI, number, microseconds on the kernel's clock, flags; text; properties, one a line.

use super::line::decimal;
use crate::message::json::{Case, Json, Object};
use crate::message::pri;

/// Bytes of a text, of a property's name and of its value, as in the reference.
const TEXT_BYTES: usize = 1023;

/// What stands in a record.
#[derive(Debug, PartialEq)]
pub(super) struct Record<'a> {
    pub(super) pri: u8,
    pub(super) text: &'a [u8],
    /// Microseconds on the kernel's clock.
    pub(super) stamp: i64,
    /// Number, text and properties.
    pub(super) variables: Json,
}

/// Reads a record; `None` where it is none.
pub(super) fn parse(record: &[u8]) -> Option<Record<'_>> {
    let (head, rest) = record.split_at(memchr::memchr(b';', record)?);
    let mut fields = head.splitn(3, |c| *c == b',');
    let number = |field: &[u8]| field.iter().all(u8::is_ascii_digit).then(|| decimal(field));
    let value = number(fields.next()?)?;
    let pri = u8::try_from(value).ok().filter(|value| *value <= pri::MAX).unwrap_or(pri::INVALID);
    let sequence = number(fields.next()?)?;
    let stamp = fields.next()?;
    let digits = stamp.iter().take_while(|c| c.is_ascii_digit()).count();
    let stamp = decimal(stamp.get(..digits).unwrap_or_default());
    let mut lines = rest.get(1..)?.split(|c| *c == b'\n');
    let text = cut(lines.next().unwrap_or_default());
    let mut variables = Object::default();
    variables.set(b"sequnum", Json::Int(sequence), Case::Sensitive);
    variables.set(b"msg", Json::text(text), Case::Sensitive);
    for line in lines {
        // A blank stands before it.
        let line = line.get(1..).unwrap_or_default();
        let Some(end) = line.iter().position(|c| matches!(c, b'=' | b' ')) else { break };
        let (name, value) = line.split_at(end);
        let value = cut(value.get(1..).unwrap_or_default());
        variables.set(cut(name), Json::text(value), Case::Sensitive);
    }
    Some(Record { pri, text, stamp, variables: Json::Object(variables) })
}

fn cut(text: &[u8]) -> &[u8] {
    text.get(..TEXT_BYTES).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::json::Style;

    fn read(record: &[u8]) -> Option<(u8, Vec<u8>, i64, String)> {
        let Record { pri, text, stamp, variables } = parse(record)?;
        let mut json = Vec::new();
        variables.write(Style::Spaced, &mut json);
        Some((pri, text.to_vec(), stamp, String::from_utf8(json).unwrap()))
    }

    #[test]
    fn records() {
        let text = "6,339,5140900,-;NET: Registered\n SUBSYSTEM=acpi\n DEVICE=+acpi:P:0\n";
        let expected = (
            6,
            b"NET: Registered".to_vec(),
            5_140_900,
            "{ \"sequnum\": 339, \"msg\": \"NET: Registered\", \"SUBSYSTEM\": \"acpi\", \"DEVICE\": \"+acpi:P:0\" }".to_owned(),
        );
        assert_eq!(read(text.as_bytes()), Some(expected));
        let plain = read(b"12,1,7,c,caller=T1;a;b=c").unwrap();
        assert_eq!((plain.0, plain.1.as_slice(), plain.2), (12, b"a;b=c".as_slice(), 7));
        assert_eq!(read(b"999,1,7,-;x").unwrap().0, pri::INVALID);
        for none in ["", ";", "6", "6,1,2,-", "x,1,2,-;a", "6,x,2,-;a", "6;x"] {
            assert_eq!(read(none.as_bytes()), None, "{none}");
        }
        let long = [b"6,1,1,-;".as_slice(), &[b'x'; 2000]].concat();
        assert_eq!(read(&long).unwrap().1.len(), TEXT_BYTES);
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            parse(&bytes);
            parse(&[b"6,1,2,-;".as_slice(), &bytes].concat());
        }
    }
}

//! The state file: senders as a JSON array, one to a line.
//!
//! Written as the reference writes it, escaped where it forgets to, and in the order of the ids. Read with tolerance:
//! names and shapes of fields as its documentation has them, white space anywhere, unknown fields.

use std::io::{self, BufRead, Read, Write};

use super::table::{Snapshot, Stat};
use crate::message::date::write_decimal;
use crate::message::json::{self, Json, parse::Parsed, value::Case};
use crate::message::{DateFormat, Time, Zone};
use crate::state_file::Unreadable;

/// What is written of each sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// As the reference does.
    Plain,
    /// With the fields of its documentation besides.
    Extended,
}

/// Writes the whole file; averages are up to the second `now`.
///
/// # Errors
/// Those of `out`.
pub(super) fn write(
    snapshot: Snapshot,
    format: Format,
    now: i64,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut line = b"[\n".to_vec();
    let mut first = true;
    snapshot.in_order(|name, stat| {
        line.extend_from_slice(if std::mem::take(&mut first) { b"" } else { b",\n" });
        write_sender(name, stat, format, now, &mut line);
        let written = out.write_all(&line);
        line.clear();
        written
    })?;
    line.extend_from_slice(if first { b"]\n" } else { b"\n]\n" });
    out.write_all(&line)
}

/// Appends a sender as an object.
pub(super) fn write_sender(name: &[u8], stat: &Stat, format: Format, now: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"sender\":\"");
    write_name(name, out);
    out.extend_from_slice(b"\",\"messages\":");
    write_decimal(stat.messages, out);
    out.extend_from_slice(b",\"firstseen\":");
    write_seconds(stat.first, out);
    out.extend_from_slice(b",\"lastseen\":");
    write_seconds(stat.last, out);
    if format == Format::Extended {
        out.extend_from_slice(b",\"senderid\":\"");
        write_name(name, out);
        out.extend_from_slice(b"\",\"last-event-time\":\"");
        write_time(stat.last, out);
        out.extend_from_slice(b"\",\"message-count\":");
        write_decimal(stat.messages, out);
        out.extend_from_slice(b",\"avg-message-count\":");
        write_average(stat, now, out);
    }
    out.push(b'}');
}

/// Appends an id as the inside of a JSON string. Bytes that are not UTF-8 become U+FFFD.
pub(super) fn write_name(name: &[u8], out: &mut Vec<u8>) {
    for chunk in name.utf8_chunks() {
        let mut rest = chunk.valid().as_bytes();
        while let Some(at) = rest.iter().position(|c| *c < b' ' || matches!(c, b'"' | b'\\')) {
            let (plain, special) = rest.split_at(at);
            out.extend_from_slice(plain);
            let Some((special, behind)) = special.split_first() else { break };
            match special {
                b'"' | b'\\' => out.extend([b'\\', *special]),
                _ => out.extend(format!("\\u{special:04x}").bytes()),
            }
            rest = behind;
        }
        out.extend_from_slice(rest);
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

fn write_seconds(seconds: i64, out: &mut Vec<u8>) {
    if seconds < 0 {
        out.push(b'-');
    }
    write_decimal(seconds.unsigned_abs(), out);
}

fn write_time(seconds: i64, out: &mut Vec<u8>) {
    // Years of four digits: what is beyond has no such form.
    let seconds = seconds.clamp(-62_135_596_800, 253_402_300_799);
    let time = Time::from_epoch_usec(seconds.saturating_mul(1_000_000), &Zone::UTC);
    let mut text = Vec::new();
    DateFormat::Rfc3339.write(&time, &mut text);
    out.extend_from_slice(text.get(..19).unwrap_or_default());
    out.extend_from_slice(b".000Z");
}

/// Messages per second since the first one.
fn write_average(stat: &Stat, now: i64, out: &mut Vec<u8>) {
    let seconds = u128::from(now.saturating_sub(stat.first).max(1).unsigned_abs());
    let thousandths = (u128::from(stat.messages) * 1000 + seconds / 2) / seconds;
    write_decimal(u64::try_from(thousandths / 1000).unwrap_or(u64::MAX), out);
    out.extend(format!(".{:03}", thousandths % 1000).bytes());
}

/// Calls `each` with every sender of a file; returns the number of elements that are none.
///
/// # Errors
/// The file is no JSON array, or cannot be read. What was read until then has been handed over.
pub(super) fn read(
    input: impl Read,
    each: &mut dyn FnMut(&[u8], Stat),
) -> Result<usize, Unreadable> {
    let mut reader = Elements { input: io::BufReader::with_capacity(BUFFER, input), offset: 0 };
    match reader.next_byte()? {
        None => return Ok(0),
        Some(b'[') => {}
        Some(_) => return Err(reader.corrupt("does not begin with '['")),
    }
    let (mut element, mut skipped) = (Vec::new(), 0);
    let mut goes_on = true;
    while goes_on {
        goes_on = reader.element(&mut element)? == b',';
        if element.trim_ascii() == b"]" {
            break;
        }
        let Parsed { value: Some(value), end } = json::parse(&element, Case::Sensitive) else {
            return Err(reader.corrupt("has no valid JSON value"));
        };
        // The element has its comma or bracket at its end.
        if end + 1 != element.len() {
            return Err(reader.corrupt("has something between a value and the comma behind it"));
        }
        match sender(&value) {
            Some((name, stat)) => each(name, stat),
            None => skipped += 1,
        }
    }
    match reader.next_byte()? {
        None => Ok(skipped),
        Some(_) => Err(reader.corrupt("goes on behind its last ']'")),
    }
}

/// What an element says of a sender.
fn sender(value: &Json) -> Option<(&[u8], Stat)> {
    let Json::Object(object) = value else { return None };
    let field =
        |names: &[&str]| names.iter().find_map(|name| object.get(name.as_bytes(), Case::Sensitive));
    let Json::Str(name) = field(&["sender", "senderid", "hostname"])? else { return None };
    let messages = number(field(&["messages", "message-count"])?)?;
    let last = time(field(&["lastseen", "last-event-time"])?)?;
    let first = match field(&["firstseen"]) {
        Some(value) => time(value)?,
        None => last,
    };
    Some((name, Stat { messages, first, last }))
}

/// A number that is not negative, also in quotes.
fn number(value: &Json) -> Option<u64> {
    match value {
        Json::Int(number) => u64::try_from(*number).ok(),
        Json::Str(text) | Json::Double(_, text) => {
            let text = std::str::from_utf8(text.trim_ascii()).ok()?;
            text.parse().ok().or_else(|| whole(text.parse().ok()?))
        }
        _ => None,
    }
}

/// The whole part of a number that is not negative.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, and the nearest number is meant"
)]
fn whole(number: f64) -> Option<u64> {
    (number >= 0.0).then_some(number as u64)
}

/// Seconds, also in quotes, or a date.
fn time(value: &Json) -> Option<i64> {
    if let Json::Int(seconds) = value {
        return Some(*seconds);
    }
    if let Json::Str(text) = value
        && let Some((time, end)) = Time::decode_rfc3339(text)
        && end == text.len()
    {
        return Some(time.to_epoch());
    }
    number(value).and_then(|seconds| i64::try_from(seconds).ok())
}

/// A file, element by element.
struct Elements<R> {
    input: io::BufReader<R>,
    /// Bytes taken so far.
    offset: u64,
}

impl<R: Read> Elements<R> {
    /// The next byte that is not white space.
    fn next_byte(&mut self) -> Result<Option<u8>, Unreadable> {
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Ok(None);
            }
            let blanks = buffer.iter().take_while(|c| c.is_ascii_whitespace()).count();
            let found = buffer.get(blanks).copied();
            self.take(blanks + usize::from(found.is_some()));
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    /// Reads up to the comma or bracket behind the next element, and returns which of them it is.
    fn element(&mut self, element: &mut Vec<u8>) -> Result<u8, Unreadable> {
        element.clear();
        let mut scan = Scan::default();
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Err(self.corrupt("ends before its last ']'"));
            }
            let end = buffer.iter().position(|c| scan.ends(*c));
            let last = end.and_then(|end| buffer.get(end).copied());
            let len = end.map_or(buffer.len(), |end| end + 1);
            element.extend_from_slice(buffer.get(..len).unwrap_or_default());
            self.take(len);
            if element.len() > ELEMENT_BYTES {
                return Err(self.corrupt("has an element of more than 16 MiB"));
            }
            if let Some(last) = last {
                return Ok(last);
            }
        }
    }

    fn take(&mut self, bytes: usize) {
        self.input.consume(bytes);
        self.offset += bytes as u64;
    }

    fn corrupt(&self, what: &str) -> Unreadable {
        Unreadable::Corrupt(format!("{what}, at byte {}", self.offset))
    }
}

/// Finds the end of an element.
#[derive(Default)]
struct Scan {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Scan {
    /// Whether `byte` is the comma or the bracket behind the element.
    fn ends(&mut self, byte: u8) -> bool {
        if self.in_string {
            self.in_string = self.escaped || byte != b'"';
            self.escaped = !self.escaped && byte == b'\\';
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' => self.depth = self.depth.saturating_sub(1),
            b']' if self.depth > 0 => self.depth -= 1,
            b']' => return true,
            b',' => return self.depth == 0,
            _ => {}
        }
        false
    }
}

/// Bytes of an element; that of the longest id has less than 1 MiB.
const ELEMENT_BYTES: usize = 16 * 1024 * 1024;
/// Bytes read at once.
const BUFFER: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::super::table::Table;
    use super::*;

    /// The senders of a file, or what is wrong with it.
    fn senders(text: &str) -> Result<(Vec<(String, Stat)>, usize), String> {
        let mut found = Vec::new();
        let mut each = |name: &[u8], stat| {
            found.push((String::from_utf8_lossy(name).into_owned(), stat));
        };
        // One byte at a time, so that every element is cut everywhere.
        let skipped = read(OneByOne(text.as_bytes()), &mut each);
        let whole = read(text.as_bytes(), &mut |_, _| {});
        match (skipped, whole) {
            (Ok(skipped), Ok(again)) if skipped == again => Ok((found, skipped)),
            (Err(Unreadable::Corrupt(why)), Err(Unreadable::Corrupt(_))) => Err(why),
            other => panic!("{other:?}"),
        }
    }

    struct OneByOne<'a>(&'a [u8]);

    impl Read for OneByOne<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let (Some((first, rest)), [to, ..]) = (self.0.split_first(), buffer) else {
                return Ok(0);
            };
            *to = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    fn stat(messages: u64, first: i64, last: i64) -> Stat {
        Stat { messages, first, last }
    }

    fn written(senders: &[(&[u8], Stat)], format: Format, now: i64) -> String {
        let table = Table::new(100);
        for (name, stat) in senders {
            assert!(table.load(name, *stat));
        }
        let mut out = Vec::new();
        write(table.copy(), format, now, &mut out).expect("a buffer takes everything");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn the_file_is_that_of_the_reference_in_order() {
        assert_eq!(written(&[], Format::Plain, 0), "[\n]\n");
        let some = [(&b"h2"[..], stat(1, 1_795_161_433, 1_795_161_436)), (b"10/7", stat(42, 5, 6))];
        assert_eq!(
            written(&some, Format::Plain, 0),
            "[\n{\"sender\":\"10/7\",\"messages\":42,\"firstseen\":5,\"lastseen\":6},\n\
             {\"sender\":\"h2\",\"messages\":1,\"firstseen\":1795161433,\"lastseen\":1795161436}\n]\n"
        );
    }

    #[test]
    fn the_extended_file_has_the_fields_of_the_documentation() {
        let some = [(&b"a"[..], stat(10, 1_795_161_433, 1_795_161_436))];
        let line = |now| written(&some, Format::Extended, now);
        assert_eq!(
            line(1_795_161_436),
            "[\n{\"sender\":\"a\",\"messages\":10,\"firstseen\":1795161433,\"lastseen\":1795161436,\
             \"senderid\":\"a\",\"last-event-time\":\"2026-11-20T07:57:16.000Z\",\"message-count\":10,\
             \"avg-message-count\":3.333}\n]\n"
        );
        // A clock that was set back: no negative average.
        assert!(line(0).contains("\"avg-message-count\":10.000}"));
        assert_eq!(senders(&line(0)), Ok((vec![("a".to_owned(), some[0].1)], 0)));
    }

    #[test]
    fn any_id_makes_valid_json() {
        let id = b"a\"b\\c/\x01\n\x7f\xff\xc3\xa4\xe2\x82";
        let text = written(&[(id, stat(1, 2, 3))], Format::Plain, 0);
        assert!(text.contains("a\\\"b\\\\c/\\u0001\\u000a\x7f\u{fffd}ä\u{fffd}\""), "{text}");
        let back = senders(&text).expect("valid");
        assert_eq!(back.0, [("a\"b\\c/\x01\n\x7f\u{fffd}ä\u{fffd}".to_owned(), stat(1, 2, 3))]);
        let long = "x\x02".repeat(10 * 1024);
        let text = written(&[(long.as_bytes(), stat(1, 2, 3))], Format::Plain, 0);
        assert_eq!(senders(&text), Ok((vec![(long, stat(1, 2, 3))], 0)));
    }

    #[test]
    fn fields_of_every_name_and_shape() {
        let cases = [
            (r#"{"sender":"a","messages":5,"firstseen":1,"lastseen":2}"#, stat(5, 1, 2)),
            (r#"{"sender":"a","messages":"12","firstseen":"1","lastseen":"2"}"#, stat(12, 1, 2)),
            (r#"{"sender":"a","messages":5000000000,"lastseen":2}"#, stat(5_000_000_000, 2, 2)),
            (
                r#"{"sender":"a","messages":"18446744073709551615","lastseen":2}"#,
                stat(u64::MAX, 2, 2),
            ),
            (r#"{"hostname":"a","message-count":1e3,"lastseen":2,"x":[{}]}"#, stat(1000, 2, 2)),
            (
                r#"{"senderid":"a","message-count":"7","last-event-time":"2026-11-20T08:17:16.000Z"}"#,
                stat(7, 1_795_162_636, 1_795_162_636),
            ),
        ];
        for (text, wanted) in cases {
            let found = senders(&format!("[{text}]"));
            assert_eq!(found, Ok((vec![("a".to_owned(), wanted)], 0)), "{text}");
        }
    }

    #[test]
    fn what_is_no_sender_is_skipped() {
        let none = [
            "1",
            "null",
            "\"x\"",
            "[[]]",
            r#"{"sender":"a"}"#,
            r#"{"sender":"a","messages":-1,"lastseen":2}"#,
            r#"{"sender":"a","messages":NaN,"lastseen":2}"#,
            r#"{"sender":"a","messages":"x","lastseen":2}"#,
            r#"{"sender":"a","messages":1,"lastseen":{}}"#,
            r#"{"sender":5,"messages":1,"lastseen":2}"#,
        ];
        for text in none {
            assert_eq!(senders(&format!("[ {text} ]\n\n \n")), Ok((vec![], 1)), "{text}");
        }
        assert_eq!(senders(r#"[1,null,{"sender":"a"}]"#), Ok((vec![], 3)));
        assert_eq!(senders("[\n]\n"), Ok((vec![], 0)));
        assert_eq!(senders("[1,]"), Ok((vec![], 1)), "as lenient as the reference's library");
    }

    #[test]
    fn what_is_no_array_is_corrupt() {
        for text in ["", " \n"] {
            assert_eq!(senders(text), Ok((vec![], 0)), "an empty file is a missing file");
        }
        let sender = r#"{"sender":"a","messages":5,"firstseen":1,"lastseen":2}"#;
        let whole = format!("[\n{sender},\n{sender}\n]\n");
        for cut in 1..whole.len() - 1 {
            assert!(senders(&whole[..cut]).is_err(), "cut at {cut}");
        }
        for text in ["{}", "[", "]", "[1] x", "[}", "[1 2]", "[{\"a\":1}}]", "[[[", "\u{feff}[]"] {
            assert!(senders(text).is_err(), "{text}");
        }
        let deep = "[".repeat(1_000_000);
        assert!(senders(&deep).is_err());
        assert!(senders(&format!("[{}1{}]", "[".repeat(50), "]".repeat(50))).is_err());
    }
}

//! The format of messages between programs and log of one machine: PRI, perhaps a time, TAG, MSG; no host name.
//!
//! Everything here is as in rsyslog 8.2610, because outputs are compared with it: a message without PRI loses its
//! first two bytes; a time that takes up another number of bytes than the sixteen of `Oct 11 22:14:15 ` leaves a part
//! of it in TAG, and MSG begins as many bytes late or early. `rawmsg` has all of it.

use std::io::Write as _;

use crate::limits::LOCAL_TAG_BYTES;
use crate::message::timestamp::Context;
use crate::message::{Bytes, DateFormat, Field, Flags, Record, Span, Time, Zone, pri};
use crate::parsers::{self, SanitiseOptions, sanitise};
use crate::sys::clock;

/// Bytes of the time that the kernel's takes the place of, with the blank behind it.
const STAMP_BYTES: usize = 16;

/// What becomes of the time in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamp {
    /// The kernel's is written over it.
    Replaced,
    /// It is passed over.
    Skipped,
    /// It is the message's.
    Taken,
}

/// How messages are read.
pub(super) struct Parser<'a> {
    pub(super) sanitise: &'a SanitiseOptions,
    /// Whether `/` does not end a program name.
    pub(super) slash: bool,
    pub(super) stamp: Stamp,
}

/// PRI, and where the text behind it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pri {
    value: u8,
    end: usize,
}

impl Pri {
    fn decode(text: &[u8]) -> Self {
        let digits = text.iter().skip(1).take_while(|c| c.is_ascii_digit()).count();
        let number = text.get(1..=digits).unwrap_or_default();
        let value = number.iter().fold(0_u32, |value, digit| {
            value.saturating_mul(10).saturating_add(u32::from(digit - b'0'))
        });
        let is_valid = text.first() == Some(&b'<')
            && text.get(1 + digits) == Some(&b'>')
            && (1..=3).contains(&digits);
        let value = u8::try_from(value).ok().filter(|value| is_valid && *value <= pri::MAX);
        // Behind the digits stands the '>', or whatever is there in its place.
        Self { value: value.unwrap_or(pri::INVALID), end: 2 + digits }
    }
}

/// Writes times, each second once.
pub(super) struct Stamper {
    zone: Zone,
    second: i64,
    text: Vec<u8>,
}

impl Default for Stamper {
    fn default() -> Self {
        Self { zone: Zone::UTC, second: i64::MIN, text: Vec::new() }
    }
}

impl Stamper {
    /// The local time, as in `Oct 11 22:14:15 `.
    fn write(&mut self, usec: i64) -> &[u8] {
        let second = usec.div_euclid(1_000_000);
        if second != self.second || self.text.is_empty() {
            let is_known = (self.zone.from..self.zone.until).contains(&second);
            if !is_known || self.text.is_empty() {
                self.zone = Zone::at(second, clock::local_offset);
            }
            self.second = second;
            self.text.clear();
            let time = Time::from_epoch_usec(usec, &self.zone);
            DateFormat::Rfc3164.write(&time, &mut self.text);
            self.text.push(b' ');
        }
        &self.text
    }
}

impl Parser<'_> {
    /// Reads the message at `raw`, the end of `bytes`: cleans it and finds its fields. `pid` is what is to stand in
    /// TAG. The record's sender is still to be set.
    pub(super) fn parse(
        &self,
        bytes: &mut Bytes,
        raw: Span,
        received: i64,
        pid: Option<i32>,
        stamper: &mut Stamper,
    ) -> Record {
        let pri = Pri::decode(bytes.get(raw));
        let raw = sanitise::sanitise(bytes, raw, self.sanitise);
        let mut record = Record::unparsed(raw, received, 0, Flags::empty());
        record.pri = pri.value;
        let text = bytes.get_mut(raw);
        let mut at = pri.end.min(text.len());
        // MSG is counted from the end: see above.
        let mut rest = text.len() - at;
        let context = Context { year: 0, offset: 0, year_after: false, zone_after: false };
        let head = text.get(at..).unwrap_or_default();
        let stamp = Time::decode(head, &context);
        // The blank behind a leading year counts twice: MSG begins one byte early.
        let early = usize::from(stamp.is_some() && has_leading_year(head));
        if let Some((_, len)) = stamp {
            match self.stamp {
                Stamp::Replaced => {
                    let over = text.get_mut(at..).unwrap_or_default();
                    over.iter_mut().zip(stamper.write(received)).for_each(|(to, from)| *to = *from);
                    at += STAMP_BYTES;
                }
                Stamp::Skipped => at += len,
                Stamp::Taken => {
                    record.timestamp = Field::new(at, len);
                    record.flags.set(Flags::HAS_TIMESTAMP);
                    at += len;
                }
            }
            rest = (rest + early).saturating_sub(len);
        }
        let body = text.get(at..).unwrap_or_default();
        let tag = body.iter().take(rest.min(LOCAL_TAG_BYTES)).take_while(|c| **c != b' ').count();
        rest = if tag == body.len() { 0 } else { rest - tag };
        let msg_at = raw.start as usize + text.len() - rest;
        record.msg = Span::new(msg_at, rest);
        record.tag = Field::new(at.min(text.len()), tag);
        if let Some(pid) = pid {
            set_pid(bytes, &mut record, pid);
        }
        let Field { start, len } = record.tag;
        let tag = Span { start: raw.start + u32::from(start), len: u32::from(len) };
        record.program_len = parsers::program_len(bytes.get(tag), self.slash);
        record
    }
}

/// Whether a text that begins with a time begins with the year of an RFC 3164 one.
fn has_leading_year(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_digit) && Time::decode_rfc3339(text).is_none()
}

/// Puts the process id into TAG, in the place of what stands in its last brackets, or of the byte at its end, which is
/// the colon. TAG then stands behind the text; where it cannot, or would be too long, it stays as it is.
fn set_pid(bytes: &mut Bytes, record: &mut Record, pid: i32) {
    let Field { start, len } = record.tag;
    let old = Span { start: record.raw.start + u32::from(start), len: u32::from(len) };
    let tag = bytes.get(old);
    let kept = tag.iter().rposition(|c| *c == b'[').unwrap_or(tag.len().saturating_sub(1));
    let mut text = [0_u8; 16];
    let mut room = &mut text[..];
    // It has room for any number.
    let _ = write!(room, "[{pid}]:");
    let unused = room.len();
    let brackets = text.get(..text.len() - unused).unwrap_or_default();
    let new = bytes.len() - record.raw.start as usize;
    let field = Field::new(new, kept + brackets.len());
    if kept + brackets.len() > LOCAL_TAG_BYTES + 1 || field.len == 0 {
        return;
    }
    bytes.append_copy(Span { len: u32::try_from(kept).unwrap_or_default(), ..old });
    bytes.append(brackets);
    record.tag = field;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::Builder;

    /// What is read: PRI, TAG, MSG, raw text, program name.
    type Row<'a> = (&'a str, u8, &'a str, &'a str);

    fn read(text: &[u8], stamp: Stamp, pid: Option<i32>) -> (u8, Vec<u8>, Vec<u8>, Vec<u8>, usize) {
        let options = SanitiseOptions::default();
        let parser = Parser { sanitise: &options, slash: false, stamp };
        let mut builder = Builder::new(std::sync::Arc::default());
        builder.bytes().append(b"before");
        let raw = builder.bytes().append(text);
        // 1970, 2 January, in UTC.
        let mut stamper =
            Stamper { text: b"Jan  2 00:00:00 ".to_vec(), second: 86_400, ..Stamper::default() };
        let record = parser.parse(builder.bytes(), raw, 86_400_000_000, pid, &mut stamper);
        let bytes = builder.bytes();
        let Field { start, len } = record.tag;
        let tag = Span { start: record.raw.start + u32::from(start), len: u32::from(len) };
        let end = |span: Span| span.range().end;
        assert_eq!(end(record.msg), end(record.raw), "MSG is the end of the text");
        assert!(record.msg.start >= record.raw.start && end(tag) <= bytes.len());
        let texts = [tag, record.msg, record.raw].map(|span| bytes.get(span).to_vec());
        let [tag, msg, raw] = texts;
        (record.pri, tag, msg, raw, usize::from(record.program_len))
    }

    /// As rsyslogd 8.2302 and 8.2610 do it, but for PRI and rawmsg, which are 8.2610's.
    #[test]
    fn messages() {
        let rows: &[Row<'_>] = &[
            ("<13>Nov 22 00:00:00 tag: hello", 13, "tag:", " hello"),
            ("<13>tag[12]: no stamp", 13, "tag[12]:", " no stamp"),
            ("<13>Nov 22 00:00:00  two blanks", 13, "", " two blanks"),
            ("<13>Nov 22 00:00:00 tag:nospace", 13, "tag:nospace", ""),
            ("<13>Nov 22 00:00:00 tag: lf\n", 13, "tag:", " lf"),
            ("<13>t\tag: x\n\n", 13, "t#011ag:", " x#012"),
            (
                "<13>2026-11-22T00:27:31.123456+00:00 tag: msg text that is long enough to see",
                13,
                ":31.123456+00:00",
                "at is long enough to see",
            ),
            ("<13>2026-11-22T00:27:31Z tag: msg", 13, ":31Z", " msg"),
            ("<13>Nov 22 00:00:00: tag: colon stamp", 13, "", "tag: colon stamp"),
            ("<13>Nov 22 00:00:00.123 tag: frac", 13, "123", ": frac"),
            ("<13>Nov  2 1:2:3 tag: short stamp", 13, ":", "0 : short stamp"),
            ("<13>2026 Nov 22 00:00:00 tag: year", 13, "0:00", ": year"),
            ("<13>Nov  2 1:2:3 t", 13, "", ""),
            ("hello world", 199, "llo", " world"),
            ("x13>foo bar", 199, "foo", " bar"),
            ("<999>tag: big", 199, "tag:", " big"),
            ("<1234>tag: four digits", 199, "tag:", " four digits"),
            ("<>tag: x", 199, "tag:", " x"),
            ("<192>tag: over", 199, "tag:", " over"),
            ("<191>tag: max", 191, "tag:", " max"),
            ("<013>tag: zero", 13, "tag:", " zero"),
            ("<13>", 13, "", ""),
            ("<13", 199, "", ""),
            ("a", 199, "", ""),
            ("<1>a", 1, "a", ""),
        ];
        for (text, pri, tag, msg) in rows {
            let (got_pri, got_tag, got_msg, ..) = read(text.as_bytes(), Stamp::Replaced, None);
            let got =
                (got_pri, String::from_utf8(got_tag).unwrap(), String::from_utf8(got_msg).unwrap());
            assert_eq!(got, (*pri, (*tag).to_owned(), (*msg).to_owned()), "{text}");
        }
    }

    #[test]
    fn the_time_is_replaced_skipped_or_taken() {
        let text = b"<13>Nov 22 00:00:00 tag: hello";
        let raw = |stamp| read(text, stamp, None).3;
        assert_eq!(raw(Stamp::Replaced), b"<13>Jan  2 00:00:00 tag: hello");
        for stamp in [Stamp::Skipped, Stamp::Taken] {
            assert_eq!(raw(stamp), text);
            let long = b"<13>2026-11-22T00:27:31Z tag: msg";
            let (_, tag, msg, ..) = read(long, stamp, None);
            assert_eq!((tag.as_slice(), msg.as_slice()), (b"tag:".as_slice(), b" msg".as_slice()));
        }
    }

    #[test]
    fn process_ids_from_the_kernel() {
        let rows = [
            ("<13>tag: x", "tag[7]:", 3),
            ("<13>tag[99]: x", "tag[7]:", 3),
            ("<13>a[b[c]d]: x", "a[b[7]:", 1),
            ("<13>foo bar", "fo[7]:", 2),
            ("<13> x", "[7]:", 0),
        ];
        for (text, expected, program) in rows {
            let (_, tag, msg, raw, len) = read(text.as_bytes(), Stamp::Replaced, Some(7));
            assert_eq!(
                (String::from_utf8(tag).unwrap().as_str(), len),
                (expected, program),
                "{text}"
            );
            assert_eq!(raw, text.as_bytes());
            assert!(text.as_bytes().ends_with(&msg));
        }
        let long = [b"<13>".as_slice(), &[b'x'; 600], b" y"].concat();
        assert_eq!(read(&long, Stamp::Replaced, Some(7)).1, [b'x'; 511]);
        let far = [b"<13>tag: ".as_slice(), &[b'x'; 70_000]].concat();
        assert_eq!(read(&far, Stamp::Replaced, Some(7)).1, b"tag:");
    }

    proptest! {
        /// Whatever comes is a message with all its fields inside.
        #[test]
        fn any_bytes(
            text in proptest::collection::vec(any::<u8>(), 1..80),
            head in "(<[0-9]{0,4}>?)?((Nov 22 0:00:0[0-9]:? )|(2026-11-22T00:00:00(Z|[+]01:00) ))?",
            stamp in prop_oneof![Just(Stamp::Replaced), Just(Stamp::Skipped), Just(Stamp::Taken)],
            pid in proptest::option::of(any::<i32>()),
        ) {
            let text = [head.as_bytes(), &text].concat();
            let (_, tag, msg, raw, program) = read(&text, stamp, pid);
            prop_assert!(program <= tag.len() && tag.len() <= LOCAL_TAG_BYTES + 1);
            prop_assert!(raw.ends_with(&msg));
            if pid.is_none() {
                prop_assert!(!tag.contains(&b' '));
            }
        }
    }
}

//! The RFC 5424 parser (`spec/message-model.md` section 5). It checks next to nothing, as the reference
//! does: what begins like RFC 5424 is split at blanks.

use super::{ParserOptions, msg_from};
use crate::message::{Field, Flags, Record, Time};

/// Parses `raw` from `start`, which is behind the PRI. `false`: it is not RFC 5424, and nothing was changed.
pub fn parse(raw: &[u8], start: usize, record: &mut Record, options: &ParserOptions) -> bool {
    if !raw.get(start..).is_some_and(|rest| rest.starts_with(b"1 ")) {
        return false;
    }
    record.version = 1;
    let mut cursor = Cursor { raw, at: start + 2 };
    if cursor.timestamp(record) {
        record.host = cursor.field();
        record.flags.set(Flags::HAS_HOST);
        record.app = cursor.field();
        record.procid = cursor.field();
        record.msgid = cursor.field();
        // The reference shows MSGID where there is no structured data.
        record.sd = cursor.structured_data().unwrap_or(record.msgid);
        let app = usize::from(record.app.start);
        let app = raw.get(app..app + usize::from(record.app.len)).unwrap_or_default();
        record.program_len = options.program_len(app).min(PROGRAM_BYTES);
    }
    record.msg = msg_from(record, cursor.at);
    true
}

/// The reference cuts the TAG it builds from APP-NAME and PROCID, and with it the program name.
const PROGRAM_BYTES: u16 = 511;

struct Cursor<'a> {
    raw: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn rest(&self) -> &[u8] {
        self.raw.get(self.at..).unwrap_or_default()
    }

    /// TIMESTAMP, which may be `-`. `false`: there is none, and nothing was consumed.
    fn timestamp(&mut self, record: &mut Record) -> bool {
        if self.rest().starts_with(b"- ") {
            self.at += 2;
            return true;
        }
        let Some((_, len)) = Time::decode_rfc3339(self.rest()) else { return false };
        if !record.flags.has(Flags::IGNORE_DATE) {
            record.timestamp = Field::new(self.at, len);
            if record.timestamp.len > 0 {
                record.flags.set(Flags::HAS_TIMESTAMP);
            }
        }
        self.at += len;
        true
    }

    /// A field up to the next blank, which is consumed.
    fn field(&mut self) -> Field {
        let rest = self.rest();
        let len = memchr::memchr(b' ', rest).unwrap_or(rest.len());
        self.take(len)
    }

    /// STRUCTURED-DATA: `-`, or `[` up to a `]` with a blank or nothing behind it. Without such an end it
    /// takes all but the last byte, which is the reference's way.
    fn structured_data(&mut self) -> Option<Field> {
        let rest = self.rest();
        let len = match rest.first() {
            Some(b'-') => 1,
            Some(b'[') => sd_len(rest),
            _ => return None,
        };
        Some(self.take(len))
    }

    fn take(&mut self, len: usize) -> Field {
        let field = Field::new(self.at, len);
        self.at += len;
        if self.raw.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
        field
    }
}

/// Length of an element list; `rest` begins with `[`.
fn sd_len(rest: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = memchr::memchr2(b']', b'\\', rest.get(at..).unwrap_or_default()) {
        at += found;
        at += match rest.get(at..).unwrap_or_default() {
            [b']'] | [b']', b' ', ..] => return at + 1,
            [b'\\', b']'] => return at + 2,
            [b'\\', b']', ..] => 2,
            _ => 1,
        };
    }
    rest.len() - 1
}

//! Single messages taken out of their batch and put into another: what has to move with a record.

use super::batch::Batch;
use super::record::{Field, Record, Span};

/// The header fields of a record; each may lie behind the raw text, where a parser has put it.
pub(super) type Fields<'a> = [&'a mut Field; 7];

/// All header fields.
pub(super) fn fields(record: &mut Record) -> Fields<'_> {
    let Record { timestamp, host, tag, app, procid, msgid, sd, .. } = record;
    [timestamp, host, tag, app, procid, msgid, sd]
}

/// All bytes a record refers to, fields behind the raw text included.
pub(super) fn extent(record: &Record) -> Span {
    let mut copy = *record;
    let end = |field: &mut Field| u32::from(field.start) + u32::from(field.len);
    let fields = fields(&mut copy).into_iter().map(end).max().unwrap_or(0);
    Span { start: record.raw.start, len: record.raw.len.max(fields) }
}

impl Record {
    /// The same message with only the `len` bytes of its raw text from `start` on; at its end MSG loses what the raw
    /// text does. Fields stay if they lie in this part, or behind the raw text.
    #[must_use]
    pub fn section(&self, start: u32, len: u32) -> Self {
        let mut part = *self;
        let gone = self.raw.len.saturating_sub(len);
        part.raw = Span { start: self.raw.start + start, len };
        part.msg.start += start;
        part.msg.len = part.msg.len.saturating_sub(gone);
        for field in fields(&mut part) {
            let moved = u32::from(field.start).checked_sub(start);
            let within =
                |at: &u32| *at >= self.raw.len - start || *at + u32::from(field.len) <= len;
            let moved = moved.filter(within).and_then(|at| u16::try_from(at).ok());
            *field = moved.map_or_else(Field::default, |start| Field { start, len: field.len });
        }
        part
    }
}

impl Batch {
    /// A batch of the message at `index` alone, which no modifier has changed yet.
    #[must_use]
    pub fn single(&self, index: usize) -> Option<Self> {
        let mut copy = Self { flow: self.flow, ..Self::default() };
        let record = copy.adopt(self, index)?;
        copy.records.push(record);
        Some(copy)
    }

    /// Copies the bytes and the sender of another batch's message, which no modifier has changed yet, and returns
    /// its record in this batch; it is not added to the records.
    pub fn adopt(&mut self, other: &Self, index: usize) -> Option<Record> {
        let mut record = *other.records.get(index)?;
        let sender = other.senders.get(usize::from(record.sender))?;
        let all = self.bytes.append(other.bytes.get(extent(&record)));
        record.msg.start = all.start + record.msg.start.wrapping_sub(record.raw.start);
        record.raw.start = all.start;
        self.senders.push(std::sync::Arc::clone(sender));
        record.sender = u16::try_from(self.senders.len() - 1).ok()?;
        Some(record)
    }

    /// Gives a record of this batch another MSG; the raw text changes with it.
    pub fn replace_msg(&mut self, record: &mut Record, msg: &[u8]) {
        let head = Span { len: record.msg.start - record.raw.start, ..record.raw };
        let old = *record;
        let start = self.bytes.append_copy(head).start;
        let msg = self.bytes.append(msg);
        record.raw = Span { start, len: head.len + msg.len };
        record.msg = msg;
        for field in fields(record) {
            if field.len > 0 && u32::from(field.start) >= old.raw.len {
                let from = old.raw.start + u32::from(field.start);
                let copy = self.bytes.append_copy(Span { start: from, len: u32::from(field.len) });
                *field = Field::new((copy.start - start) as usize, usize::from(field.len));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::message::{Env, Flags, Msg, Sender, Zone};

    fn env() -> Env {
        Env {
            now: 0,
            zone: Zone::UTC,
            hostname: Box::default(),
            uptime: 0,
            globals: Arc::default(),
        }
    }

    /// `first`, then "head: text" with the tag "tag" behind the raw text.
    fn batch() -> Batch {
        let mut batch = Batch::default();
        batch.bytes.append(b"first");
        let raw = batch.bytes.append(b"head: text");
        batch.bytes.append(b"tag");
        let mut record = Record::unparsed(raw, 7, 0, Flags::empty());
        record.msg = Span { start: raw.start + 5, len: 5 };
        record.host = Field::new(0, 4);
        record.tag = Field::new(10, 3);
        batch.records.push(record);
        batch.senders.push(Arc::new(Sender::local(Arc::default(), b"here")));
        batch
    }

    fn texts(batch: &Batch) -> [String; 4] {
        let env = env();
        let msg = Msg::at(batch, 0, &env).unwrap();
        let parts = [msg.raw(), msg.msg(), msg.field(msg.record.host), msg.field(msg.record.tag)];
        parts.map(|part| String::from_utf8_lossy(part).into_owned())
    }

    #[test]
    fn a_message_moves_with_all_that_is_its_own() {
        let expected = ["head: text", " text", "head", "tag"];
        assert_eq!(texts(&batch()), expected);
        let single = batch().single(0).unwrap();
        assert_eq!(
            (texts(&single), single.bytes.used()),
            (expected.map(str::to_owned), &b"head: texttag"[..])
        );
        let mut other = batch();
        other.records[0] = other.adopt(&single, 0).unwrap();
        assert_eq!((texts(&other), other.records[0].sender), (expected.map(str::to_owned), 1));
        assert!(batch().single(1).is_none());
    }

    #[test]
    fn another_msg_leaves_the_header() {
        let mut batch = batch();
        let mut record = batch.records[0];
        batch.replace_msg(&mut record, b" something longer");
        batch.records[0] = record;
        assert_eq!(texts(&batch), ["head: something longer", " something longer", "head", "tag"]);
    }
}

//! What a modifier changes about a message, beside its variables, and how the change gets into the batch.
//!
//! A record is never changed once rules run for it: queues may have noted its place. A changed message gets a new
//! record behind the others ([`Batch::record`]); changed texts are appended to the batch's bytes.

use std::ops::Range;
use std::sync::Arc;

use super::batch::Batch;
use super::copy::{extent, fields};
use super::record::{Field, Flags, Record, Span};
use crate::limits;

/// A text of a message that can be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The complete message. MSG begins in it where it did before; the other parts stay what they are.
    Raw,
    /// The MSG part. The complete message then ends in the new text.
    Msg,
    /// HOSTNAME.
    Hostname,
    /// The TAG, even of an RFC 5424 message, where it is made from other fields otherwise. Comes with the length of
    /// the program name in it.
    Tag(u16),
    /// PROCID of an RFC 5424 message.
    ProcId,
    /// MSGID of an RFC 5424 message.
    MsgId,
    /// STRUCTURED-DATA.
    StructuredData,
}

/// The changes to one message. Empty again after [`Batch::amend`], with its room kept.
#[derive(Debug, Default)]
pub struct Amendment {
    texts: Vec<u8>,
    parts: Vec<(Part, Range<usize>)>,
    parsed: Option<bool>,
    pri: Option<u8>,
    /// New `fromhost` and `fromhost-ip`.
    fromhost: [Option<Box<[u8]>>; 2],
}

impl Amendment {
    /// Replaces a part by what `write` appends. Of two texts for one part the later one counts, and a complete message
    /// replaces the MSG part set before.
    pub fn set(&mut self, part: Part, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.texts.len();
        write(&mut self.texts);
        self.parts.push((part, start..self.texts.len()));
    }

    /// What the property `parsesuccess` says.
    pub fn set_parsed(&mut self, success: bool) {
        self.parsed = Some(success);
    }

    /// Replaces facility and severity.
    pub fn set_pri(&mut self, pri: u8) {
        self.pri = Some(pri);
    }

    /// Replaces the name of the sender (`fromhost`).
    pub fn set_fromhost(&mut self, name: &[u8]) {
        self.fromhost[0] = Some(name.into());
    }

    /// Replaces the address of the sender (`fromhost-ip`).
    pub fn set_fromhost_ip(&mut self, address: &[u8]) {
        self.fromhost[1] = Some(address.into());
    }

    /// The facility and severity set so far.
    #[must_use]
    pub fn pri(&self) -> Option<u8> {
        self.pri
    }

    /// Whether nothing is to be changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { parts, parsed, pri, fromhost, texts: _ } = self;
        parts.is_empty() && parsed.is_none() && pri.is_none() && *fromhost == [None, None]
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.texts.clear();
        self.parts.clear();
        self.parsed = None;
        self.pri = None;
        self.fromhost = [None, None];
    }

    /// The last text for that part that no complete message has replaced.
    fn text(&self, wanted: Part) -> Option<&[u8]> {
        let is = |part: &Part| *part == wanted || *part == Part::Raw;
        let (part, range) = self.parts.iter().rev().find(|(part, _)| is(part))?;
        self.texts.get(range.clone()).filter(|_| *part == wanted)
    }
}

impl Batch {
    /// Changes the message at `index` and returns the place of its new record: the same one where there was nothing
    /// to change.
    ///
    /// # Errors
    /// The batch has grown too much already ([`limits::AMENDED_BATCH_BYTES`]); the message stays as it was.
    pub fn amend(&mut self, index: u32, change: &mut Amendment) -> Result<u32, TooLarge> {
        let known = self.record(index as usize).copied();
        let Some(mut record) = known.filter(|_| !change.is_empty()) else {
            return Ok(index);
        };
        if let Some(success) = change.parsed {
            record.flags.clear(Flags::PARSE_OK);
            if success {
                record.flags.set(Flags::PARSE_OK);
            }
        }
        record.pri = change.pri.unwrap_or(record.pri);
        let fits = self.replace_sender(&mut record, change)
            && (change.parts.is_empty() || self.replace_texts(&mut record, change));
        change.clear();
        let place = u32::try_from(self.records.len() + self.later.len());
        match place {
            Ok(place) if fits => {
                self.later.push(record);
                Ok(place)
            }
            _ => Err(TooLarge),
        }
    }

    /// Appends a sender for that message alone, if it is to come from elsewhere. `false`: there is no room.
    fn replace_sender(&mut self, record: &mut Record, change: &mut Amendment) -> bool {
        let [name, address] = std::mem::take(&mut change.fromhost);
        let Some(sender) = self.senders.get(usize::from(record.sender)) else { return true };
        if name.is_none() && address.is_none() {
            return true;
        }
        let Ok(place) = u16::try_from(self.senders.len()) else { return false };
        let sender = Arc::new(sender.renamed(name, address));
        self.senders.push(sender);
        record.sender = place;
        true
    }

    /// Appends the new texts, and what has to stand beside them. `false`: there is no room.
    fn replace_texts(&mut self, record: &mut Record, change: &Amendment) -> bool {
        let more = 2 * extent(record).len as usize + change.texts.len();
        if self.bytes.len() + more > limits::AMENDED_BATCH_BYTES {
            return false;
        }
        self.bytes.reserve(more);
        let old = *record;
        let kept = self.place_message(record, change);
        let start = record.raw.start;
        for field in fields(record) {
            let end = u32::from(field.start) + u32::from(field.len);
            if *field != Field::default() && end > kept {
                let place = old.raw.start + u32::from(field.start);
                let copy = self.bytes.append_copy(Span { start: place, len: field.len.into() });
                *field = Field::new((copy.start - start) as usize, field.len.into());
            }
        }
        for (part, range) in &change.parts {
            let text = change.texts.get(range.clone()).unwrap_or_default();
            let field = Field::new(self.bytes.len() - start as usize, text.len());
            match part {
                Part::Raw | Part::Msg => continue,
                Part::Hostname => {
                    record.host = field;
                    record.flags.set(Flags::HAS_HOST);
                }
                // An empty one is none: that of an RFC 5424 message is then made from other fields again.
                Part::Tag(_) if text.is_empty() => record.tag = Field::default(),
                Part::Tag(program_len) => {
                    record.tag = field;
                    record.program_len = *program_len;
                }
                Part::ProcId => record.procid = field,
                Part::MsgId => record.msgid = field,
                Part::StructuredData => record.sd = field,
            }
            self.bytes.append(text);
        }
        true
    }

    /// Puts the complete message and its MSG part to the end of the bytes, where texts can follow them. Returns how
    /// many bytes at the start are as they were: fields in there need not be copied.
    fn place_message(&mut self, record: &mut Record, change: &Amendment) -> u32 {
        let old = *record;
        let head = old.msg.start.checked_sub(old.raw.start);
        let head = head.filter(|head| head + old.msg.len <= old.raw.len);
        let msg = change.text(Part::Msg);
        if let Some(raw) = change.text(Part::Raw) {
            let head = head.unwrap_or(0).min(u32::try_from(raw.len()).unwrap_or(u32::MAX));
            let (start, behind) = raw.split_at(head as usize);
            record.raw = self.bytes.append(start);
            record.msg = self.bytes.append(msg.unwrap_or(behind));
            record.raw.len += record.msg.len;
            return 0;
        }
        let Some(msg) = msg else {
            record.raw = self.bytes.append_copy(old.raw);
            if let Some(head) = head {
                record.msg.start = record.raw.start + head;
            }
            return old.raw.len;
        };
        let Some(head) = head else {
            // MSG is no part of the complete message any more.
            record.msg = self.bytes.append(msg);
            record.raw = self.bytes.append_copy(old.raw);
            return old.raw.len;
        };
        let start = self.bytes.append_copy(Span { len: head, ..old.raw }).start;
        record.msg = self.bytes.append(msg);
        record.raw = Span { start, len: head + record.msg.len };
        head
    }
}

/// A batch in which modifiers have changed more than there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Property;
    use crate::message::sample::Sample;

    /// Host, TAG, program, MSG and the complete message.
    fn show(sample: &Sample, index: u32) -> String {
        let msg = sample.at(index as usize);
        let mut out = Vec::new();
        for name in ["hostname", "syslogtag", "programname", "structured-data", "msg", "rawmsg"] {
            let property = Property::parse(name.as_bytes()).expect("a property");
            msg.write_property(&property, &mut out);
            out.push(b'|');
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn parts_are_replaced_and_the_others_stay() {
        let mut sample = Sample::rfc3164(13, "Oct 11 22:14:15", "h", "t[1]:", "t", b" x y");
        let mut change = Amendment::default();
        assert_eq!(sample.batch().amend(0, &mut change), Ok(0), "nothing to change");
        change.set(Part::Msg, |out| out.extend_from_slice(b"long new text"));
        let first = sample.batch().amend(0, &mut change).expect("room");
        assert!(change.is_empty());
        let head = "<13>Oct 11 22:14:15 h t[1]:";
        assert_eq!(show(&sample, first), format!("h|t[1]:|t|-|long new text|{head}long new text|"));
        assert_eq!(show(&sample, 0), format!("h|t[1]:|t|-| x y|{head} x y|"), "the old one stays");

        change.set(Part::Tag(3), |out| out.extend_from_slice(b"new:"));
        change.set(Part::Hostname, |out| out.extend_from_slice(b"other"));
        change.set(Part::StructuredData, |out| out.extend_from_slice(b"[a]"));
        change.set_parsed(true);
        change.set_pri(7);
        let second = sample.batch().amend(first, &mut change).expect("room");
        assert_eq!(
            show(&sample, second),
            format!("other|new:|new|[a]|long new text|{head}long new text|")
        );
        assert_eq!(sample.at(second as usize).severity(), 7);
        assert!(sample.at(second as usize).record.flags.has(Flags::PARSE_OK));

        change.set(Part::Raw, |out| out.extend_from_slice(b"raw"));
        let third = sample.batch().amend(second, &mut change).expect("room");
        assert_eq!(show(&sample, third), "other|new:|new|[a]||raw|");
        change.set(Part::Msg, |out| out.push(b'm'));
        let fourth = sample.batch().amend(third, &mut change).expect("room");
        assert_eq!(show(&sample, fourth), "other|new:|new|[a]|m|rawm|");
    }

    #[test]
    fn of_message_and_part_the_later_one_counts() {
        let mut sample = Sample::rfc3164(13, "Oct 11 22:14:15", "h", "t[1]:", "t", b" x y");
        let mut change = Amendment::default();
        change.set(Part::Msg, |out| out.push(b'm'));
        change.set(Part::Raw, |out| out.extend_from_slice(b"raw"));
        let place = sample.batch().amend(0, &mut change).expect("room");
        assert_eq!(show(&sample, place), "h|t[1]:|t|-||raw|");
        change.set(Part::Raw, |out| out.extend_from_slice(b"raw"));
        change.set(Part::Msg, |out| out.push(b'm'));
        let place = sample.batch().amend(0, &mut change).expect("room");
        assert_eq!(show(&sample, place), "h|t[1]:|t|-|m|rawm|");
    }

    #[test]
    fn a_message_can_come_from_elsewhere() {
        let mut sample = Sample::rfc3164(13, "Oct 11 22:14:15", "h", "t[1]:", "t", b" x y");
        let mut change = Amendment::default();
        change.set_fromhost(b"name");
        change.set_fromhost_ip(b"10.0.0.1");
        let place = sample.batch().amend(0, &mut change).expect("room");
        assert!(change.is_empty());
        let sender = |index| {
            let sender = sample.at(index as usize).sender();
            (sender.fromhost().to_vec(), sender.ip.to_vec())
        };
        assert_eq!(sender(place), (b"name".to_vec(), b"10.0.0.1".to_vec()));
        assert_ne!(sender(0), sender(place));
    }

    #[test]
    fn the_tag_of_an_rfc_5424_message_can_differ_from_its_fields() {
        let mut sample = Sample::rfc5424(13, ["-", "h", "app", "7", "-", "[s]", "text"]);
        let mut change = Amendment::default();
        change.set(Part::Tag(2), |out| out.extend_from_slice(b"tag"));
        let place = sample.batch().amend(0, &mut change).expect("room");
        assert!(show(&sample, place).starts_with("h|tag|ta|[s]|text|"), "{}", show(&sample, place));
        change.set(Part::Tag(0), |_| {});
        let place = sample.batch().amend(0, &mut change).expect("room");
        assert!(show(&sample, place).starts_with("h|app[7]|app|"), "{}", show(&sample, place));
    }

    #[test]
    fn what_does_not_fit_leaves_the_message_as_it_was() {
        let mut sample = Sample::raw(b"x");
        sample.batch().bytes.reserve(limits::AMENDED_BATCH_BYTES);
        sample.batch().bytes.advance(limits::AMENDED_BATCH_BYTES);
        let mut change = Amendment::default();
        change.set(Part::Msg, |out| out.push(b'y'));
        assert_eq!(sample.batch().amend(0, &mut change), Err(TooLarge));
        assert_eq!(show(&sample, 0).split('|').next_back(), Some(""));
        assert!(change.is_empty());
    }
}

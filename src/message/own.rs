//! Messages that the daemon makes itself: text and TAG are known, there is nothing to parse.

use std::sync::Arc;

use super::batch::Builder;
use super::record::{Field, Flags, Record};
use super::sender::Sender;

impl Builder {
    /// Adds a message whose MSG and `rawmsg` are `text`, received at `received` (microseconds since the epoch). The
    /// program name is `tag` without its colon.
    pub fn push_own(
        &mut self,
        (text, tag): (&[u8], &[u8]),
        pri: u8,
        received: i64,
        sender: &Arc<Sender>,
    ) {
        let behind = Field::new(text.len(), tag.len());
        let bytes = self.bytes();
        let (mut record, tag_field) = if behind.len > 0 || tag.is_empty() {
            // TAG stands behind the text, so that `rawmsg` is the text.
            let raw = bytes.append(text);
            bytes.append(tag);
            (Record::unparsed(raw, received, 0, Flags::empty()), behind)
        } else {
            // A text of 64 KiB: TAG cannot stand behind it, so it is part of `rawmsg`.
            let raw = bytes.append(&[tag, b" ", text].concat());
            let mut record = Record::unparsed(raw, received, 0, Flags::empty());
            let head = u32::try_from(tag.len() + 1).unwrap_or_default();
            record.msg.start += head;
            record.msg.len -= head;
            (record, Field::new(0, tag.len()))
        };
        record.tag = tag_field;
        let program = tag.strip_suffix(b":").unwrap_or(tag);
        record.program_len = u16::try_from(program.len()).unwrap_or_default();
        record.pri = pri;
        self.push_record(record, sender);
    }
}

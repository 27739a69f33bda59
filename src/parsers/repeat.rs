//! Messages come in trains: those of a program that says several things in a second begin with the same bytes. A
//! message whose header is, byte by byte, that of the message before it has that message's fields, too.

use super::rfc3164::USUAL_BYTES;
use super::{Parser, ParserOptions, Rfc3164Options};
use crate::message::{Batch, Flags, Record};

/// Bytes of a header that is compared; a longer one is parsed again.
const HEADER_BYTES: usize = 128;

/// What an input says of a message that the parser heeds.
const INPUT: Flags = Flags::PARSE_HOSTNAME.with(Flags::IGNORE_DATE).with(Flags::INTERNAL);
/// What the parser finds out.
const FOUND: Flags = Flags::HAS_TIMESTAMP.with(Flags::HAS_HOST).with(Flags::REPEATABLE);

/// Marks a message, parsed from `start` on, whose header may be taken over by others.
///
/// Nothing behind the first byte of MSG, which ended the header, may have been heeded: there is that byte; the text
/// begins with a timestamp of the usual length with a blank at its end; nobody else in the chain looks at the text.
pub(super) fn mark(
    record: &mut Record,
    raw: &[u8],
    start: usize,
    options: &ParserOptions,
    own: &Rfc3164Options,
) {
    let Record { timestamp, msg, .. } = *record;
    let header = (msg.start - record.raw.start) as usize;
    let is_usual = usize::from(timestamp.start) == start
        && usize::from(timestamp.len) == USUAL_BYTES
        && raw.get(start + USUAL_BYTES - 1) == Some(&b' ');
    let is_alone = matches!(
        *options.chain,
        [Parser::Rfc3164(_), ..] | [Parser::Rfc5424, Parser::Rfc3164(_), ..]
    );
    if is_usual
        && is_alone
        && msg.len > 0
        && header < HEADER_BYTES
        && !own.square_brackets_in_hostname
        && !own.year_after_timestamp
    {
        record.flags.set(Flags::REPEATABLE);
    }
}

/// Gives the message at `index` the fields of the one before it, if it has the same header. Both are of one batch and
/// go through the same parsers.
pub(super) fn take(batch: &mut Batch, index: usize) -> bool {
    let Some((before, [record, ..])) = batch.records.split_at_mut_checked(index) else {
        return false;
    };
    let Some(last) = before.last().filter(|last| last.flags.has(Flags::REPEATABLE)) else {
        return false;
    };
    let header = last.msg.start - last.raw.start;
    // With the byte behind it.
    let compared = header as usize + 1;
    let (old, new) = (batch.bytes.get(last.raw), batch.bytes.get(record.raw));
    let same = match (old.get(..compared), new.get(..compared)) {
        (Some(old), Some(new)) => old == new,
        _ => false,
    };
    if !same || last.flags.only(INPUT) != record.flags.only(INPUT) {
        return false;
    }
    record.flags.set(last.flags.only(FOUND));
    record.pri = last.pri;
    record.version = last.version;
    record.program_len = last.program_len;
    record.timestamp = last.timestamp;
    record.host = last.host;
    record.tag = last.tag;
    record.msg = record.raw;
    record.msg.start += header;
    record.msg.len -= header;
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parsers::{Outcome, parse};
    use crate::testing::parsers::{NETWORK, batch};

    /// The fields of the second of two messages, parsed behind the first, and alone.
    fn behind(first: &str, second: &str, options: &ParserOptions) -> [String; 2] {
        let fields = |texts: &[&str]| {
            let mut batch = batch(texts.iter().map(|text| text.as_bytes()), NETWORK);
            for index in 0..texts.len() {
                assert!(matches!(parse(&mut batch, index, options), Outcome::Parsed));
            }
            let record = batch.records[texts.len() - 1];
            let mut relative = record;
            relative.raw.start = 0;
            relative.msg.start -= record.raw.start;
            format!("{relative:?}")
        };
        [fields(&[first, second]), fields(&[second])]
    }

    #[test]
    fn a_message_means_the_same_behind_any_other() {
        let texts = [
            "<13>Oct 11 22:14:15 host app: one",
            "<13>Oct 11 22:14:15 host app: two",
            "<13>Oct 11 22:14:15 host app:",
            "<13>Oct 11 22:14:15 host app: ",
            "<13>Oct 11 22:14:15 host app",
            "<13>Oct 11 22:14:15 host application: x",
            "<13>Oct 11 22:14:15 host",
            "<13>Oct 11 22:14:15 hos",
            "<13>Oct 11 22:14:15 hostile app: x",
            "<13>Oct 11 22:14:15 host: x",
            "<13>Oct 11 22:14:15 app[1]: x",
            "<13>Oct 11 22:14:1x host app: x",
            "<13>Oct 11 22:14:1",
            "<13>Oct 11 22:14:15.5 host app: x",
            "<14>Oct 11 22:14:15 host app: one",
            "<13>Oct 11 22:14:15 [fe80::1] app: x",
            "<13>Oct 11 22:14:15 2024 host app: x",
            "Oct 11 22:14:15 host app: x",
            "<13>host app: x",
            "<13>1 2024-01-02T03:04:05Z host app - - - x",
            "<13>{\"a\": 1}",
            "<13>{\"a\": 2}",
        ];
        let own = |change: fn(&mut Rfc3164Options)| {
            let mut own = Rfc3164Options::default();
            change(&mut own);
            let chain = vec![Parser::Rfc5424, Parser::Rfc3164(own)];
            ParserOptions { chain, ..ParserOptions::default() }
        };
        let options = [
            own(|_| {}),
            own(|own| own.square_brackets_in_hostname = true),
            own(|own| own.year_after_timestamp = true),
            own(|own| own.remove_msg_first_space = true),
            own(|own| own.tag_ending_by_colon = true),
        ];
        for options in &options {
            for first in texts {
                for second in texts {
                    let [behind, alone] = behind(first, second, options);
                    assert_eq!(behind, alone, "{second:?} behind {first:?}, {options:?}");
                }
            }
        }
    }

    #[test]
    fn the_header_of_a_train_is_taken_over() {
        let options = ParserOptions::default();
        let texts = ["<13>Oct 11 22:14:15 host app: one", "<13>Oct 11 22:14:15 host app: two"];
        let mut batch = batch(texts.map(str::as_bytes), NETWORK);
        assert!(!take(&mut batch, 0) && !take(&mut batch, 1), "nothing is known yet");
        parse(&mut batch, 0, &options);
        assert!(take(&mut batch, 1));
        assert_eq!(batch.bytes.get(batch.records[1].msg), b" two");
    }
}

//! The RFC 3164 parser (`spec/message-model.md` section 6): never refuses a message, but makes the best of
//! what devices send, by the reference's heuristics.

use std::cell::Cell;
use std::ops::Range;

use super::{ParserOptions, class, msg_from};
use crate::message::{Field, Flags, Record, Time, pri, timestamp};

/// Parameters of a `parser(type="pmrfc3164")` object; the built-in parser has the defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rfc3164Options {
    /// `detect.YearAfterTimestamp`.
    pub year_after_timestamp: bool,
    /// `permit.squareBracketsInHostname`.
    pub square_brackets_in_hostname: bool,
    /// `permit.slashesInHostname`.
    pub slashes_in_hostname: bool,
    /// `permit.AtSignsInHostname`.
    pub at_signs_in_hostname: bool,
    /// `force.tagEndingByColon`: a TAG without a colon is text, and `-` stands in for it.
    pub tag_ending_by_colon: bool,
    /// `remove.msgFirstSpace`.
    pub remove_msg_first_space: bool,
    /// `detect.headerless` and what goes with it.
    pub headerless: Option<Headerless>,
}

/// What becomes of a message without a timestamp where `detect.headerless` is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headerless {
    /// `headerless.hostname`; without it the sender's name.
    pub hostname: Option<Box<[u8]>>,
    /// `headerless.tag`.
    pub tag: Box<[u8]>,
    /// `headerless.ruleset`: where the caller sends the message.
    pub ruleset: Option<Box<str>>,
    /// `headerless.errorfile`: where the caller appends the raw text and LF.
    pub error_file: Option<Box<str>>,
    /// `headerless.drop`.
    pub drop: bool,
}

impl Default for Headerless {
    fn default() -> Self {
        Self {
            hostname: None,
            tag: b"headerless".as_slice().into(),
            ruleset: None,
            error_file: None,
            drop: false,
        }
    }
}

/// What the text does not say about a parsed message.
#[derive(Debug)]
pub struct Beside<'o> {
    /// Where its TAG is.
    pub tag: Tag,
    /// It has no timestamp, and there are options about that. They name the host where the text does not; what is
    /// taken from the text all the same goes before, as in the reference.
    pub headerless: Option<&'o Headerless>,
}

/// Where the TAG of a parsed message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// In the text, if there is one.
    Found,
    /// It is `-`, whatever the text says.
    Dash,
    /// In the options about messages without header; the text was not asked.
    Given,
}

/// Parses `raw` from `start`, which is behind the PRI.
pub fn parse<'o>(
    raw: &[u8],
    start: usize,
    record: &mut Record,
    globals: &ParserOptions,
    options: &'o Rfc3164Options,
) -> Beside<'o> {
    record.version = 0;
    let rest = raw.get(start..).unwrap_or_default();
    let (at, beside) = if record.pri == pri::INVALID || is_data(rest) {
        (start, Beside { tag: Tag::Found, headerless: None })
    } else {
        header(raw, start, record, globals, options)
    };
    let drop_blank = options.remove_msg_first_space && raw.get(at) == Some(&b' ');
    record.msg = msg_from(record, at + usize::from(drop_blank));
    beside
}

/// Takes the header; returns where MSG begins.
fn header<'o>(
    raw: &[u8],
    start: usize,
    record: &mut Record,
    globals: &ParserOptions,
    options: &'o Rfc3164Options,
) -> (usize, Beside<'o>) {
    let (mut at, mut headerless) = (start, None);
    if let Some(time) = timestamp(raw.get(start..).unwrap_or_default(), options) {
        at += time.end;
        if !record.flags.has(Flags::IGNORE_DATE) {
            record.timestamp = Field::new(start + time.start, time.len());
            if record.timestamp.len > 0 {
                record.flags.set(Flags::HAS_TIMESTAMP);
            }
        }
    } else {
        headerless = options.headerless.as_ref();
    }
    let is_dropped = headerless.is_some_and(|headerless| headerless.drop);
    if is_dropped {
        record.flags.set(Flags::DISCARDED);
    }
    if is_dropped || !globals.parse_hostname_and_tag || record.flags.has(Flags::INTERNAL) {
        let tag = if headerless.is_some() { Tag::Given } else { Tag::Found };
        return (at, Beside { tag, headerless });
    }
    let at = hostname(raw, at, record, options);
    let (at, tag) = program_tag(raw, at, record, globals, options);
    (at, Beside { tag, headerless })
}

/// Whether the message is JSON or the like, without a header.
fn is_data(rest: &[u8]) -> bool {
    let first = rest.iter().find(|c| !matches!(c, b' ' | b'\t'));
    matches!(first, Some(b'{' | b'['))
}

/// Length of `Mmm dd hh:mm:ss` and the blank behind it.
pub(super) const USUAL_BYTES: usize = 16;

thread_local! {
    /// The last timestamp of that length that was one: most messages come in the second of the one before.
    static KNOWN: Cell<[u8; USUAL_BYTES]> = const { Cell::new([0; USUAL_BYTES]) };
}

/// Where the timestamp is, with what ends it; some devices put one blank before it.
fn timestamp(rest: &[u8], options: &Rfc3164Options) -> Option<Range<usize>> {
    let year_after = options.year_after_timestamp;
    let usual = rest.first_chunk().filter(|_| !year_after);
    if usual.is_some_and(|usual| *usual == KNOWN.get()) {
        return Some(0..USUAL_BYTES);
    }
    let context = timestamp::Context { year: 0, offset: 0, year_after, zone_after: false };
    if let Some((_, len)) = Time::decode(rest, &context) {
        // A blank at its end shows that nothing behind it matters.
        if let Some(usual) = usual.filter(|usual| len == USUAL_BYTES && usual.ends_with(b" ")) {
            KNOWN.set(*usual);
        }
        return Some(0..len);
    }
    let behind = rest.strip_prefix(b" ").filter(|behind| !behind.is_empty())?;
    Time::decode_rfc3164(behind, &context).map(|(_, len)| 1..len + 1)
}

/// Takes the host name at `at`, if there is one; returns where the TAG begins.
fn hostname(raw: &[u8], at: usize, record: &mut Record, options: &Rfc3164Options) -> usize {
    let rest = raw.get(at..).unwrap_or_default();
    if rest.is_empty() || !record.flags.has(Flags::PARSE_HOSTNAME) {
        return at;
    }
    let bracket = options.square_brackets_in_hostname && rest.first() == Some(&b'[');
    let mut class = class::HOST;
    if options.at_signs_in_hostname {
        class |= class::AT;
    }
    if options.slashes_in_hostname {
        class |= class::SLASH;
    }
    let mut len = usize::from(bracket);
    // `[]` is no address; any later bracket ends it.
    len += usize::from(bracket && rest.get(1) == Some(&b']'));
    let searched = rest.get(..HOSTNAME_BYTES).unwrap_or(rest);
    len += class::span(searched.get(len..).unwrap_or_default(), class);
    let last = len.checked_sub(1).and_then(|last| rest.get(last));
    let complete = if bracket {
        rest.get(len) == Some(&b']')
    } else {
        last.is_some_and(u8::is_ascii_alphanumeric)
    };
    // A host name is the whole rest, whatever it ends in, or has a blank behind it.
    let end = if len == rest.len() {
        len
    } else {
        len += usize::from(bracket && complete);
        if !complete || rest.get(len) != Some(&b' ') {
            return at;
        }
        len + 1
    };
    record.host = Field::new(at, len);
    if record.host.len > 0 {
        record.flags.set(Flags::HAS_HOST);
    }
    at + end
}

/// Takes the TAG at `at`: up to a colon, which belongs to it, or a blank, which does not. Returns where MSG
/// begins.
fn program_tag(
    raw: &[u8],
    at: usize,
    record: &mut Record,
    globals: &ParserOptions,
    options: &Rfc3164Options,
) -> (usize, Tag) {
    let rest = raw.get(at..).unwrap_or_default();
    let searched = rest.get(..TAG_BYTES).unwrap_or(rest);
    // Nearly every TAG ends where its program name does, and that is near.
    let slash = if globals.permit_slash_in_program_name { class::SLASH } else { 0 };
    let program = class::span(searched, class::PROGRAM_WORD | slash);
    let behind = searched.get(program..).unwrap_or_default();
    let len = program
        + match behind {
            [] | [b':' | b' ', ..] => 0,
            _ => memchr::memchr2(b':', b' ', behind).unwrap_or(behind.len()),
        };
    let colon = rest.get(len) == Some(&b':');
    if options.tag_ending_by_colon && !colon {
        let blank = at.checked_sub(1).and_then(|before| raw.get(before)) == Some(&b' ');
        return (at - usize::from(blank), Tag::Dash);
    }
    record.program_len = u16::try_from(program).unwrap_or(u16::MAX);
    let len = len + usize::from(colon);
    record.tag = Field::new(at, len);
    (at + len, Tag::Found)
}

/// Longest host name, bytes.
const HOSTNAME_BYTES: usize = 511;
/// Longest TAG, bytes, without its colon.
const TAG_BYTES: usize = 510;

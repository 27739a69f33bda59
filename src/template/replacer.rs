//! The property replacer: one property on its way into the text (`spec/config-language.md` section 12.4).
//!
//! The order of the steps is fixed: fetch → select (field or expression) → positions → blank or nothing →
//! case → control characters → path → last LF → blanks → format. The first three only narrow a slice of the
//! message; a copy is made where the value changes, and the format is written straight to the output.

use std::cell::Cell;

use crate::message::{DateFormat, Msg, Property, date, json};
use crate::sys::regex::{CAPTURES_MAX, SharedRegex};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A property that is no time.
    Property(Property),
    /// The header's time.
    Reported(DateFormat),
    /// The header's time, at UTC.
    ReportedUtc(DateFormat),
    /// The arrival time.
    Received(DateFormat),
    /// The arrival time, at UTC.
    ReceivedUtc(DateFormat),
}

impl Source {
    /// The source for `property`; times take `format` and are at UTC if `utc` is set.
    pub(super) fn new(property: Property, format: DateFormat, utc: bool) -> Self {
        match (property, utc) {
            (Property::Timestamp, false) => Self::Reported(format),
            (Property::Timestamp, true) => Self::ReportedUtc(format),
            (Property::TimeGenerated, false) => Self::Received(format),
            (Property::TimeGenerated, true) => Self::ReceivedUtc(format),
            (property, _) => Self::Property(property),
        }
    }

    /// Appends the value to `out`.
    pub(super) fn write(&self, msg: &Msg<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Property(property) => msg.write_property(property, out),
            Self::Reported(format) => msg.write_reported(*format, out),
            Self::ReportedUtc(format) => format.write(&date::utc(&msg.reported()), out),
            Self::Received(format) => format.write(&msg.received(), out),
            Self::ReceivedUtc(format) => format.write(&date::utc(&msg.received()), out),
        }
    }

    /// The value, made in `scratch` if need be.
    fn value<'s>(&self, msg: &Msg<'s>, scratch: &'s mut Vec<u8>) -> &'s [u8] {
        if let Self::Property(property) = self {
            return msg.property(property, scratch);
        }
        scratch.clear();
        self.write(msg, scratch);
        scratch
    }
}

/// A property with all its options.
#[derive(Debug)]
pub(super) struct Replacer {
    /// What is fetched.
    pub(super) source: Source,
    /// Which part of it is taken.
    pub(super) select: Select,
    /// Which bytes of that.
    pub(super) position: Option<Position>,
    /// How they change.
    pub(super) change: Change,
    /// How the result is written.
    pub(super) format: Format,
}

impl Replacer {
    /// The property as it is.
    pub(super) fn new(source: Source) -> Self {
        Self {
            source,
            select: Select::All,
            position: None,
            change: Change::default(),
            format: Format::Plain,
        }
    }

    /// Whether nothing but fetching is to be done.
    pub(super) fn is_identity(&self) -> bool {
        self.is_plain() && self.change == Change::default()
    }

    /// Whether this is a blank unless `property` is empty or begins with one.
    pub(super) fn is_blank_before(&self, property: &Property) -> bool {
        let blank = Change { blank_only: true, ..Change::default() };
        self.is_plain()
            && self.change == blank
            && matches!(&self.source, Source::Property(own) if own == property)
    }

    fn is_plain(&self) -> bool {
        matches!((&self.select, self.position, &self.format), (Select::All, None, Format::Plain))
    }

    /// Appends the text for `msg` to `out`.
    pub(super) fn write(&self, msg: &Msg<'_>, out: &mut Vec<u8>) {
        with_scratch(|[fetched, changed]| {
            let value = self.source.value(msg, fetched);
            let value = match self.select.apply(value) {
                Ok(value) => value,
                Err(failure) => return out.extend_from_slice(failure),
            };
            let (value, padding) = match self.position {
                Some(position) => position.cut(value),
                None => (value, 0),
            };
            if padding == 0 && self.change == Change::default() {
                return self.format.write(value, out);
            }
            changed.clear();
            changed.extend_from_slice(value);
            changed.resize(changed.len() + padding, b' ');
            self.change.apply(changed, fetched);
            self.format.write(changed, out);
        });
    }
}

thread_local! {
    /// Buffers of this thread, reused from message to message.
    static SCRATCH: Cell<[Vec<u8>; 2]> = const { Cell::new([const { Vec::new() }; 2]) };
}

/// Lends this thread's buffers. They are taken, not borrowed: fetching a host name may log, and where queues
/// are direct the log message is rendered before the name is there.
pub(super) fn with_scratch(use_them: impl FnOnce(&mut [Vec<u8>; 2])) {
    let mut buffers = SCRATCH.take();
    use_them(&mut buffers);
    SCRATCH.set(buffers);
}

/// Which part of a value is taken.
#[derive(Debug)]
pub(super) enum Select {
    /// All of it.
    All,
    /// A field.
    Field(Field),
    /// What an expression matches.
    Match(Match),
    /// An expression that does not compile.
    BadExpression,
}

impl Select {
    /// The part, or a text that goes to the output without any further step.
    fn apply<'v>(&self, value: &'v [u8]) -> Result<&'v [u8], &'static [u8]> {
        match self {
            Self::All => Ok(value),
            Self::Field(field) => field.extract(value).ok_or(b"**FIELD NOT FOUND**"),
            Self::Match(expression) => Ok(expression.extract(value)),
            Self::BadExpression => Err(b"**NO MATCH** **BAD REGULAR EXPRESSION**"),
        }
    }
}

/// A field of a value that a character divides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// From 1.
    pub(super) number: i64,
    /// What stands between fields.
    pub(super) delimiter: u8,
    /// Several delimiters in a row count as one.
    pub(super) runs: bool,
}

impl Field {
    fn extract(self, value: &[u8]) -> Option<&[u8]> {
        let mut rest = value;
        let mut number = 1;
        while number < self.number {
            let at = memchr::memchr(self.delimiter, rest)?;
            rest = rest.get(at + 1..)?;
            while self.runs && rest.first() == Some(&self.delimiter) {
                rest = rest.get(1..)?;
            }
            number += 1;
        }
        let end = memchr::memchr(self.delimiter, rest).unwrap_or(rest.len());
        if number == self.number { rest.get(..end) } else { None }
    }
}

/// The part of a value that an expression, or a group in it, matches.
#[derive(Debug)]
pub(super) struct Match {
    /// The expression.
    pub(super) regex: SharedRegex,
    /// How many matches are skipped before the one to use.
    pub(super) skip: usize,
    /// The group to use; 0 is the whole match.
    pub(super) group: usize,
    /// What stands for no match.
    pub(super) missing: Missing,
}

/// What a value becomes that an expression does not match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Missing {
    /// `**NO MATCH**`
    #[default]
    Text,
    /// Nothing.
    Blank,
    /// The value itself.
    Value,
    /// `0`
    Zero,
}

impl Match {
    fn extract<'v>(&self, value: &'v [u8]) -> &'v [u8] {
        let mut groups = [const { None }; CAPTURES_MAX];
        let mut rest = value;
        for tries in 0..=self.skip {
            if !self.regex.captures(rest, &mut groups) {
                break;
            }
            if tries == self.skip {
                // A group that took no part in the match is empty, whatever `missing` says.
                let group = groups.get(self.group).cloned().flatten();
                return group.and_then(|range| rest.get(range)).unwrap_or_default();
            }
            let end = groups[0].as_ref().map_or(0, |range| range.end);
            rest = rest.get(end..).unwrap_or_default();
        }
        match self.missing {
            Missing::Text => b"**NO MATCH**",
            Missing::Blank => b"",
            Missing::Value => value,
            Missing::Zero => b"0",
        }
    }
}

/// A range of bytes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// First byte, from 1; or its distance from the end.
    pub(super) from: i64,
    /// Last byte, from 1, or below 0 that many bytes before the last; or its distance from the end.
    pub(super) to: i64,
    /// Both are distances from the end.
    pub(super) from_end: bool,
    /// The result has the range's length: shorter values are padded with blanks.
    pub(super) fixed_width: bool,
}

impl Position {
    /// A `to` from here on means the end of any value; there is no width to be padded to then.
    pub(super) const END: i64 = 9_999_999;

    /// The range of `value`, and how many blanks are missing from it.
    fn cut(self, value: &[u8]) -> (&[u8], usize) {
        let len = i64::try_from(value.len()).unwrap_or(i64::MAX);
        let (from, to) = if self.from_end {
            (len.saturating_sub(self.from), len.saturating_sub(self.to).max(0))
        } else if self.to < 0 {
            (self.from.saturating_sub(1), (len - 1).saturating_add(self.to).max(0))
        } else {
            (self.from.saturating_sub(1), (self.to - 1).max(0))
        };
        let from = from.max(0);
        if from >= len || to < from {
            return (b"", 0);
        }
        let index = |n: i64| usize::try_from(n).unwrap_or(usize::MAX);
        let cut = value.get(index(from)..index(to.min(len - 1)) + 1).unwrap_or_default();
        let missing =
            if self.fixed_width && to + 1 < Self::END { (to + 1 - len).max(0) } else { 0 };
        (cut, index(missing))
    }
}

/// How a value changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// Becomes a blank, or nothing if it begins with one.
    pub(super) blank_only: bool,
    /// Case of letters.
    pub(super) case: Case,
    /// Control characters.
    pub(super) control: Control,
    /// Made safe as part of a file name.
    pub(super) path: Path,
    /// Loses an LF at its end.
    pub(super) drop_last_lf: bool,
    /// Several blanks in a row become one.
    pub(super) compress_space: bool,
}

/// What happens to letters (ASCII).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Case {
    /// Nothing.
    #[default]
    Keep,
    /// Lower case.
    Lower,
    /// Upper case.
    Upper,
}

/// What happens to control characters: below 0x20, and 0x7f.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Control {
    /// Nothing.
    #[default]
    Keep,
    /// `#` and three decimal digits.
    Escape,
    /// `#` and three octal digits.
    EscapeOctal,
    /// A blank.
    Space,
    /// Dropped.
    Drop,
}

/// What happens to slashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Path {
    /// Nothing.
    #[default]
    Keep,
    /// Dropped.
    Drop,
    /// `_`
    Replace,
}

impl Change {
    /// Changes `text`; `spare` is overwritten.
    fn apply(self, text: &mut Vec<u8>, spare: &mut Vec<u8>) {
        if self.blank_only && !text.is_empty() {
            let blank = text.first() != Some(&b' ');
            text.clear();
            text.extend(blank.then_some(b' '));
        }
        match self.case {
            Case::Keep => {}
            Case::Lower => text.make_ascii_lowercase(),
            Case::Upper => text.make_ascii_uppercase(),
        }
        match self.control {
            Control::Keep => {}
            Control::Drop => text.retain(|c| !c.is_ascii_control()),
            Control::Space => replace(text, |c| c.is_ascii_control(), b' '),
            Control::Escape => escape_control(text, spare, 10),
            Control::EscapeOctal => escape_control(text, spare, 8),
        }
        match self.path {
            Path::Keep => {}
            Path::Drop => text.retain(|c| *c != b'/'),
            Path::Replace => replace(text, |c| *c == b'/', b'_'),
        }
        if self.path != Path::Keep {
            match text.as_mut_slice() {
                [] => text.push(b'_'),
                [first @ b'.'] | [first @ b'.', b'.'] => *first = b'_',
                _ => {}
            }
        }
        if self.drop_last_lf && self.control != Control::Escape && text.ends_with(b"\n") {
            text.pop();
        }
        if self.compress_space {
            text.dedup_by(|next, before| *next == b' ' && *before == b' ');
        }
    }
}

fn replace(text: &mut [u8], wanted: impl Fn(&u8) -> bool, by: u8) {
    text.iter_mut().filter(|c| wanted(c)).for_each(|c| *c = by);
}

fn escape_control(text: &mut Vec<u8>, spare: &mut Vec<u8>, base: u8) {
    if !text.iter().any(u8::is_ascii_control) {
        return;
    }
    spare.clear();
    for c in text.iter().copied() {
        if c.is_ascii_control() {
            let digit = |value: u8| b'0' + value % base;
            spare.extend([b'#', digit(c / base / base), digit(c / base), digit(c)]);
        } else {
            spare.push(c);
        }
    }
    std::mem::swap(text, spare);
}

/// How a value is written.
#[derive(Debug)]
pub(super) enum Format {
    /// As it is.
    Plain,
    /// In quotes, quotes doubled.
    Csv,
    /// As the inside of a JSON string.
    Json(Escapes),
    /// As a member of a JSON object.
    Member(JsonField),
}

/// What happens to a backslash in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escapes {
    /// It is escaped.
    Escape,
    /// It stays if it is part of an escape (`jsonr`, `jsonfr`).
    Keep,
}

/// `"name":value`
#[derive(Debug)]
pub(super) struct JsonField {
    /// The name, written as it is.
    pub(super) name: Box<[u8]>,
    /// What happens to backslashes in the value.
    pub(super) escapes: Escapes,
    /// What the value is taken for.
    pub(super) data: DataType,
    /// What an empty value becomes.
    pub(super) on_empty: OnEmpty,
    /// A number 0 is left out.
    pub(super) omit_zero: bool,
}

/// What the value of a JSON member is taken for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum DataType {
    /// A string.
    #[default]
    String,
    /// A number, written as it is, without white space around.
    Number,
    /// `false` if it is `0`, else `true`.
    Bool,
    /// A number if there are only digits, else a string.
    Auto,
}

/// What an empty value becomes as a JSON member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum OnEmpty {
    /// What the data type makes of it.
    #[default]
    Keep,
    /// Nothing: the member is left out.
    Skip,
    /// `null`
    Null,
}

impl Format {
    fn write(&self, value: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Plain => out.extend_from_slice(value),
            Self::Csv => write_csv(value, out),
            Self::Json(escapes) => escapes.write(value, out),
            Self::Member(field) => field.write(value, out),
        }
    }
}

fn write_csv(value: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut parts = value.split(|c| *c == b'"');
    out.extend_from_slice(parts.next().unwrap_or_default());
    for part in parts {
        out.extend_from_slice(b"\"\"");
        out.extend_from_slice(part);
    }
    out.push(b'"');
}

impl Escapes {
    fn write(self, value: &[u8], out: &mut Vec<u8>) {
        let mut rest = value;
        if self == Self::Keep {
            while let Some(at) = memchr::memchr(b'\\', rest) {
                let (plain, escape) = rest.split_at(at);
                json::escape_upper(plain, out);
                let (kept, behind) = match escape {
                    [_, b'"' | b'/' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't' | b'u', ..] => {
                        escape.split_at(2)
                    }
                    _ => (b"\\\\".as_slice(), escape.get(1..).unwrap_or_default()),
                };
                out.extend_from_slice(kept);
                rest = behind;
            }
        }
        json::escape_upper(rest, out);
    }
}

impl JsonField {
    fn write(&self, value: &[u8], out: &mut Vec<u8>) {
        if value.is_empty() && self.on_empty == OnEmpty::Skip {
            return;
        }
        let value = if self.data == DataType::Number { trim(value) } else { value };
        if self.omit_zero && self.data == DataType::Number && value == b"0" {
            return;
        }
        out.push(b'"');
        out.extend_from_slice(&self.name);
        out.extend_from_slice(b"\":");
        let bare = match self.data {
            _ if value.is_empty() && self.on_empty == OnEmpty::Null => {
                return out.extend_from_slice(b"null");
            }
            DataType::Bool if value == b"0" => return out.extend_from_slice(b"false"),
            DataType::Bool => return out.extend_from_slice(b"true"),
            DataType::Number if value.is_empty() => return out.push(b'0'),
            DataType::Number => true,
            DataType::Auto => !value.is_empty() && value.iter().all(u8::is_ascii_digit),
            DataType::String => false,
        };
        out.extend((!bare).then_some(b'"'));
        self.escapes.write(value, out);
        out.extend((!bare).then_some(b'"'));
    }
}

/// Without the white space of C around it.
fn trim(value: &[u8]) -> &[u8] {
    let white = |c: &u8| matches!(c, b' ' | b'\t'..=b'\r');
    let start = value.iter().position(|c| !white(c)).unwrap_or(value.len());
    let end = value.iter().rposition(|c| !white(c)).map_or(start, |last| last + 1);
    value.get(start..end).unwrap_or_default()
}

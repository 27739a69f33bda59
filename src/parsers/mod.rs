//! From a received text to a message: cleans the text and finds the header fields.
//!
//! Parsing fills the offsets of a [`Record`] and copies nothing, unless the text has control characters to
//! escape. Values such as times are checked here and decoded where they are used.
//!
//! - [`unpack`]: messages that came compressed.
//! - [`sanitise`]: what is done to the text first.
//! - [`rfc5424`], [`rfc3164`]: the parsers. Each takes a message or leaves it to the next of the chain.
//! - [`null`], [`lastmsg`], [`ciscoios`], [`db2diag`]: further parsers, to be loaded and named.
//! - [`aixforwardedfrom`], [`cisconames`], [`panngfw`], [`snare`]: those that take no message, but repair it for the
//!   parsers behind them.
//! - `repeat`: messages with the header of the one before.
//! - [`settings`]: options, from the configuration.

pub mod aixforwardedfrom;
pub mod ciscoios;
pub mod cisconames;
mod class;
pub mod db2diag;
mod inflate;
pub mod lastmsg;
pub mod null;
pub mod panngfw;
mod repeat;
pub mod rfc3164;
pub mod rfc5424;
pub mod sanitise;
pub mod settings;
pub mod snare;

use std::fmt;

use crate::config::Timezone;
use crate::message::{Batch, Field, Flags, Record, Span, pri};
use crate::param::{Args, Module, Problem};

use rfc3164::Beside;
pub use rfc3164::{Headerless, Rfc3164Options};
pub use sanitise::SanitiseOptions;

/// How the messages of a ruleset are parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParserOptions {
    /// What is done to the text.
    pub sanitise: SanitiseOptions,
    /// `parser.supportCompressionExtension`: a message that begins with `z` is a zlib stream.
    pub unpack: bool,
    /// `parser.permitSlashInProgramName`: `/` does not end a program name.
    pub permit_slash_in_program_name: bool,
    /// `parser.parseHostnameAndTag`: off, an RFC 3164 header ends with its timestamp.
    pub parse_hostname_and_tag: bool,
    /// The parsers, in the order in which they are asked.
    pub chain: Vec<Parser>,
}

/// A parser with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parser {
    /// `rsyslog.rfc5424`.
    Rfc5424,
    /// `rsyslog.rfc3164`, or a `parser(type="pmrfc3164")` object.
    Rfc3164(Rfc3164Options),
    /// `rsyslog.pmnull`, or a `parser(type="pmnull")` object.
    Null(null::Null),
    /// `rsyslog.lastline`.
    LastMessage,
    /// `rsyslog.ciscoios`, or a `parser(type="pmciscoios")` object.
    CiscoIos(ciscoios::CiscoIos),
    /// `db2.diag`, or a `parser(type="pmdb2diag")` object.
    Db2Diag(db2diag::Db2Diag),
    /// Repairs a message, and leaves it to the next one.
    Repair(Repair),
}

/// Parsers that only repair messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repair {
    /// `rsyslog.aixforwardedfrom`.
    AixForwardedFrom,
    /// `rsyslog.cisconames`.
    CiscoNames,
    /// `rsyslog.panngfw`.
    PanNgfw,
    /// `rsyslog.snare`, or a `parser(type="pmsnare")` object, with what a tab looks like.
    Snare(Box<[u8]>),
}

/// A parser module: its descriptor and its constructor.
#[derive(Clone, Copy)]
pub struct ParserKind {
    /// The parameter tables and documentation.
    pub module: &'static Module,
    /// The name of the parser that is there once the module is.
    pub name: &'static str,
    /// Whether `parser()` objects can be made.
    pub instances: bool,
    /// Makes a parser from the arguments of such an object, or from the defaults.
    pub build: fn(&Args, &ParserEnv<'_>) -> Parser,
}

/// What a parser may have to know beside its own arguments.
#[derive(Clone, Copy)]
pub struct ParserEnv<'a> {
    /// The arguments of `global()`.
    pub globals: &'a Args,
    /// The `timezone()` objects.
    pub zones: &'a [Timezone],
    /// Takes what is wrong with the arguments; the parser is there all the same.
    pub report: &'a dyn Fn(Problem),
}

impl Default for ParserOptions {
    fn default() -> Self {
        Self {
            sanitise: SanitiseOptions::default(),
            unpack: true,
            permit_slash_in_program_name: false,
            parse_hostname_and_tag: true,
            chain: Parser::default_chain(),
        }
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'o> {
    /// It is parsed, or did not need to be.
    Parsed,
    /// It has no header, and the parser's options say what to do about that. Where they say to drop it, it
    /// is marked as discarded.
    Headerless(&'o Headerless),
    /// It is empty: marked as discarded, to be counted, not to be logged.
    Empty,
    /// No parser took it: its MSG is the whole text, and it is to be logged as [`Unparsable`].
    Refused,
}

/// Unpacks the message at `index` if it is compressed and still to be parsed. `index` must be within the batch.
///
/// # Errors
/// zlib's return code; the message stays as it is.
pub fn unpack(batch: &mut Batch, index: usize, options: &ParserOptions) -> Result<(), i32> {
    let Some(record) = batch.records.get(index) else { return Ok(()) };
    if batch.bytes.get(record.raw).first() != Some(&b'z') {
        return Ok(());
    }
    unpack_packed(batch, index, options)
}

/// The same for a message that looks compressed.
#[cold]
fn unpack_packed(batch: &mut Batch, index: usize, options: &ParserOptions) -> Result<(), i32> {
    let Batch { bytes, records, .. } = batch;
    let Some(record) = records.get_mut(index) else { return Ok(()) };
    let is_parsed = !record.flags.has(Flags::NEEDS_PARSING);
    if is_parsed || !options.unpack || record.flags.has(Flags::NO_COMPRESSION) {
        return Ok(());
    }
    let start = bytes.len();
    // Offsets into a batch are `u32`.
    let room = usize::try_from(u32::MAX).unwrap_or(usize::MAX).saturating_sub(start);
    let limit = options.sanitise.message_bytes.min(room);
    bytes.reserve(limit);
    let (used, spare) = bytes.used_and_spare_mut();
    let stream = used.get(record.raw.range()).and_then(|raw| raw.get(1..)).unwrap_or_default();
    let len = inflate::inflate(stream, spare.get_mut(..limit).unwrap_or_default())?;
    bytes.advance(len);
    record.raw = Span::new(start, len);
    Ok(())
}

/// Parses the message at `index`, once: its record gets its fields, and [`Flags::NEEDS_PARSING`] is cleared.
/// `index` must be within the batch.
pub fn parse<'o>(batch: &mut Batch, index: usize, options: &'o ParserOptions) -> Outcome<'o> {
    let Some(record) = batch.records.get_mut(index) else { return Outcome::Empty };
    if !record.flags.has(Flags::NEEDS_PARSING) {
        return Outcome::Parsed;
    }
    record.flags.clear(Flags::NEEDS_PARSING);
    if record.raw.len == 0 {
        record.flags.set(Flags::DISCARDED);
        return Outcome::Empty;
    }
    record.raw = sanitise::sanitise(&mut batch.bytes, record.raw, &options.sanitise);
    if repeat::take(batch, index) {
        return Outcome::Parsed;
    }
    parse_header(batch, index, options)
}

fn parse_header<'o>(batch: &mut Batch, index: usize, options: &'o ParserOptions) -> Outcome<'o> {
    let Some(record) = batch.records.get_mut(index) else { return Outcome::Empty };
    let (pri, start) = pri::decode(batch.bytes.get(record.raw));
    record.pri = pri;
    let outcome = options.chain.iter().find_map(|parser| ask(parser, batch, index, start, options));
    outcome.unwrap_or_else(|| {
        // A repair may have changed its length.
        if let Some(record) = batch.records.get_mut(index) {
            record.msg = record.raw;
        }
        Outcome::Refused
    })
}

/// Has one parser look at a message whose text behind the PRI begins at `start`; `None` if it leaves it to the next.
fn ask<'o>(
    parser: &'o Parser,
    batch: &mut Batch,
    index: usize,
    start: usize,
    options: &ParserOptions,
) -> Option<Outcome<'o>> {
    let Batch { bytes, records, .. } = batch;
    let record = records.get_mut(index)?;
    let raw = bytes.get(record.raw);
    match parser {
        Parser::Rfc5424 => {
            rfc5424::parse(raw, start, record, options).then_some(())?;
            if record.app.len == 0 && record.flags.has(Flags::HAS_HOST) {
                record.program_len = 1;
                add_texts(batch, index, &[(|record| &mut record.app, b"-")]);
            }
        }
        Parser::Rfc3164(own) => {
            let beside = rfc3164::parse(raw, start, record, options, own);
            if beside.tag == rfc3164::Tag::Found {
                repeat::mark(record, raw, start, options, own);
            }
            add_beside(batch, index, &beside, options);
            if let Some(how) = beside.headerless {
                return Some(Outcome::Headerless(how));
            }
        }
        Parser::Null(own) => {
            null::parse(record, own);
            record.program_len = options.program_len(&own.tag);
            add_texts(batch, index, &[(|record| &mut record.tag, &own.tag)]);
        }
        Parser::LastMessage => lastmsg::parse(raw, start, record).then_some(())?,
        Parser::CiscoIos(own) => {
            let apart = ciscoios::parse(raw, start, record, options, own)?;
            let mut texts = Vec::new();
            if let Some((time, minutes)) = apart.time {
                let sign = if minutes < 0 { '-' } else { '+' };
                let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
                let zone = format!("{sign}{hours:02}:{minutes:02}").into_bytes();
                let slot: fn(&mut Record) -> &mut Field = |record| &mut record.timestamp;
                texts.push((slot, [raw.get(time).unwrap_or_default(), &zone].concat()));
            }
            if let Some(tag) = apart.tag {
                texts.push((
                    |record| &mut record.tag,
                    [raw.get(tag).unwrap_or_default(), b":"].concat(),
                ));
            }
            let slots: Vec<Slot<'_>> = texts.iter().map(|(slot, text)| (*slot, &**text)).collect();
            add_texts(batch, index, &slots);
        }
        Parser::Db2Diag(own) => {
            if let Some(time) = db2diag::parse(raw, record, own)? {
                add_texts(batch, index, &[(|record| &mut record.timestamp, time.as_bytes())]);
            }
        }
        Parser::Repair(repair) => {
            let len = repair.apply(bytes.get_mut(record.raw), start);
            record.raw.len = u32::try_from(len).unwrap_or(record.raw.len);
            record.msg = record.raw;
            return None;
        }
    }
    Some(Outcome::Parsed)
}

impl Repair {
    /// Repairs a message whose text behind the PRI begins at `start`. Returns how long it is now.
    fn apply(&self, raw: &mut [u8], start: usize) -> usize {
        match self {
            Self::AixForwardedFrom => aixforwardedfrom::repair(raw, start),
            Self::CiscoNames => cisconames::repair(raw, start),
            Self::PanNgfw => panngfw::repair(raw, start),
            Self::Snare(tab) => snare::repair(raw, start, tab),
        }
    }
}

/// Removes `count` bytes at `at` from a text, and returns its new length.
fn remove(text: &mut [u8], at: usize, count: usize) -> usize {
    let len = text.len();
    let from = (at + count).min(len);
    text.copy_within(from.., at.min(len));
    len - (from - at.min(from))
}

/// Gives a message what its text does not say.
fn add_beside(batch: &mut Batch, index: usize, beside: &Beside<'_>, options: &ParserOptions) {
    let Some(record) = batch.records.get_mut(index) else { return };
    let tag = match (beside.tag, beside.headerless) {
        (rfc3164::Tag::Dash, _) => Some(&b"-"[..]),
        (rfc3164::Tag::Given, Some(how)) => Some(&*how.tag),
        _ => None,
    };
    let host = beside.headerless.and_then(|how| how.hostname.as_deref());
    let host = host.filter(|_| !record.flags.has(Flags::HAS_HOST));
    let mut slots: Vec<Slot<'_>> = Vec::new();
    if let Some(tag) = tag {
        record.program_len = options.program_len(tag);
        slots.push((|record| &mut record.tag, tag));
    }
    if let Some(host) = host {
        record.flags.set(Flags::HAS_HOST);
        slots.push((|record| &mut record.host, host));
    }
    add_texts(batch, index, &slots);
}

/// A field of a record, and its text.
type Slot<'a> = (fn(&mut Record) -> &mut Field, &'a [u8]);

/// Gives a message fields that do not stand in its text: the text is copied, with theirs behind it.
fn add_texts(batch: &mut Batch, index: usize, slots: &[Slot<'_>]) {
    if slots.is_empty() {
        return;
    }
    let Some(record) = batch.records.get_mut(index) else { return };
    let msg_at = record.msg.start - record.raw.start;
    record.raw = batch.bytes.append_copy(record.raw);
    record.msg.start = record.raw.start + msg_at;
    for (field, text) in slots {
        let start = batch.bytes.append(text).start - record.raw.start;
        *field(record) = Field::new(start as usize, text.len());
    }
}

impl ParserOptions {
    /// Length of the program name at the start of a TAG or APP-NAME: up to the first byte that is not
    /// printable ASCII, a colon, an opening bracket or, unless permitted, a slash.
    fn program_len(&self, tag: &[u8]) -> u16 {
        program_len(tag, self.permit_slash_in_program_name)
    }
}

/// The same where `slash` says whether slashes are permitted.
#[must_use]
pub fn program_len(tag: &[u8], slash: bool) -> u16 {
    let slash = if slash { class::SLASH } else { 0 };
    u16::try_from(class::span(tag, class::PROGRAM | slash)).unwrap_or(u16::MAX)
}

/// The MSG part of a record: everything from `at` on.
fn msg_from(record: &Record, at: usize) -> Span {
    let at = u32::try_from(at).unwrap_or(u32::MAX).min(record.raw.len);
    Span { start: record.raw.start + at, len: record.raw.len - at }
}

/// The log line about a message that no parser took, `.0` being its text. That it is discarded is not so: these are the
/// reference's words, which tools look for.
#[derive(Debug)]
pub struct Unparsable<'a>(pub &'a [u8]);

impl fmt::Display for Unparsable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = self.0.get(..60).unwrap_or(self.0);
        write!(
            f,
            "Error: one message could not be processed by any parser, message is being discarded \
             (start of raw msg: '{}')",
            String::from_utf8_lossy(start)
        )
    }
}

#[cfg(test)]
mod tests;

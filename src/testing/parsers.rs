//! Parsers: a message parsed alone and shown field by field, the fuzz target, and the bench hook.

use std::sync::Arc;

use crate::message::{
    Batch, Builder, Env, Field, Flags, InputInfo, Msg, Record, Sender, Span, Zone,
};
use crate::parsers::{
    Outcome, Parser, ParserOptions, Rfc3164Options, SanitiseOptions, parse, unpack,
};

/// What network inputs set.
pub const NETWORK: Flags = Flags::NEEDS_PARSING.with(Flags::PARSE_HOSTNAME);

/// A batch of unparsed messages.
#[must_use]
pub fn batch<'a>(texts: impl IntoIterator<Item = &'a [u8]>, flags: Flags) -> Batch {
    let sender = Arc::new(Sender::local(Arc::new(InputInfo::default()), b"sender"));
    let mut builder = Builder::new(Arc::default());
    for text in texts {
        let raw = builder.bytes().append(text);
        builder.push(raw, 0, &sender, flags);
    }
    builder.seal()
}

/// A parsed message's fields as texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// PRI.
    pub pri: u8,
    /// Protocol version.
    pub version: u8,
    /// The complete text.
    pub raw: Vec<u8>,
    /// Timestamp, if it is not the reception time.
    pub timestamp: Option<Vec<u8>>,
    /// Host name, if it is not the sender's.
    pub host: Option<Vec<u8>>,
    /// TAG.
    pub tag: Vec<u8>,
    /// Program name.
    pub program: Vec<u8>,
    /// APP-NAME, PROCID, MSGID and STRUCTURED-DATA.
    pub fields: [Vec<u8>; 4],
    /// MSG.
    pub msg: Vec<u8>,
}

/// The first message of a batch.
///
/// # Panics
/// Where there is none, or where a field lies outside of the batch.
#[must_use]
pub fn first(batch: &Batch) -> Parsed {
    let record = batch.records.first().expect("one message");
    let field = |field: Field| {
        let start = record.raw.start as usize + usize::from(field.start);
        let range = start..start + usize::from(field.len);
        batch.bytes.used().get(range).expect("a field lies in the batch").to_vec()
    };
    let name = if record.version == 1 { record.app } else { record.tag };
    Parsed {
        pri: record.pri,
        version: record.version,
        raw: batch.bytes.get(record.raw).to_vec(),
        timestamp: record.flags.has(Flags::HAS_TIMESTAMP).then(|| field(record.timestamp)),
        host: record.flags.has(Flags::HAS_HOST).then(|| field(record.host)),
        tag: field(record.tag),
        program: field(Field { len: record.program_len.min(name.len), ..name }),
        fields: [record.app, record.procid, record.msgid, record.sd].map(field),
        msg: batch.bytes.get(record.msg).to_vec(),
    }
}

/// Fuzz target: any bytes parse, and no field lies outside of the message. The first bytes of `data` choose
/// the options.
///
/// # Panics
/// Where the parsers are wrong.
pub fn fuzz(data: &[u8]) {
    let Some((&[text, header], raw)) = data.split_first_chunk::<2>() else { return };
    let bit = |byte: u8, n: u8| byte >> n & 1 == 1;
    let options = ParserOptions {
        unpack: true,
        sanitise: SanitiseOptions {
            message_bytes: 128,
            drop_trailing_lf: !bit(text, 0),
            drop_trailing_cr: bit(text, 1),
            space_lf: bit(text, 2),
            escape_control: !bit(text, 3),
            escape_tab: !bit(text, 4),
            escape_8bit: bit(text, 5),
            c_style: bit(text, 6),
            prefix: b'#',
        },
        permit_slash_in_program_name: bit(text, 7),
        parse_hostname_and_tag: !bit(header, 7),
        chain: vec![
            Parser::Rfc5424,
            Parser::Rfc3164(Rfc3164Options {
                year_after_timestamp: bit(header, 0),
                square_brackets_in_hostname: bit(header, 1),
                slashes_in_hostname: bit(header, 2),
                at_signs_in_hostname: bit(header, 3),
                tag_ending_by_colon: bit(header, 4),
                remove_msg_first_space: bit(header, 5),
                headerless: bit(header, 6).then(Default::default),
            }),
        ],
    };
    for flags in [NETWORK, NETWORK.with(Flags::IGNORE_DATE), Flags::NEEDS_PARSING] {
        let mut batch = batch([raw], flags);
        let _ = unpack(&mut batch, 0, &options); // a broken stream stays as it is
        let outcome = parse(&mut batch, 0, &options);
        assert_eq!(raw.is_empty(), matches!(outcome, Outcome::Empty));
        check(&batch, &options, matches!(outcome, Outcome::Headerless(_)));
    }
}

/// The invariants of a parsed record.
fn check(batch: &Batch, options: &ParserOptions, headerless: bool) {
    let parsed = first(batch);
    let record = batch.records.first().expect("one message");
    assert!(!record.flags.has(Flags::NEEDS_PARSING));
    let end = |span: Span| span.start + span.len;
    assert!(end(record.raw) as usize <= batch.bytes.len());
    assert!(record.msg.start >= record.raw.start && end(record.msg) == end(record.raw));
    let mut inside = vec![record.timestamp, record.procid, record.msgid, record.sd];
    if !headerless && parsed.tag != b"-" && parsed.fields[0] != b"-" {
        inside.extend([record.host, record.tag, record.app]);
    }
    for field in inside {
        assert!(u32::from(field.start) + u32::from(field.len) <= record.raw.len);
    }
    let env = Env {
        now: 0,
        zone: Zone::UTC,
        hostname: Box::default(),
        uptime: 0,
        globals: Arc::default(),
    };
    if let Some(text) = Msg::at(batch, 0, &env).and_then(|msg| msg.from_hostname()) {
        let host = parsed.host.as_deref().expect("else it would not stand in the text");
        assert_eq!(text, [host, b" ", &parsed.tag, &parsed.msg].concat());
        assert!(parsed.msg.starts_with(b" "));
    }
    let sanitise = &options.sanitise;
    for c in &parsed.raw {
        assert!(*c != 0);
        assert!(*c >= b' ' || !sanitise.escape_control || (*c == b'\t' && !sanitise.escape_tab));
    }
}

/// Bench hook: a batch of the messages whose parsing has a budget, 200 bytes each (`DESIGN.md` section 2).
#[must_use]
pub fn sample() -> Batch {
    let mut text = b"<165>Oct 11 22:14:15 host-17.example.org app[1234]: ".to_vec();
    text.resize(200, b'x');
    batch(std::iter::repeat_n(&text[..], 1000), NETWORK)
}

/// Bench hook: parses all messages of a batch, again where they were parsed before; returns the total length
/// of their MSG parts.
pub fn parse_all(batch: &mut Batch, options: &ParserOptions) -> u64 {
    let mut total = 0;
    for index in 0..batch.len() {
        if let Some(record) = batch.records.get_mut(index) {
            *record = Record::unparsed(record.raw, record.received, record.sender, NETWORK);
        }
        parse(batch, index, options);
        total += batch.records.get(index).map_or(0, |record| u64::from(record.msg.len));
    }
    total
}

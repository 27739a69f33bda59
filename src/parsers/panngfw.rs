//! pmpanngfw: repairs what Palo Alto Networks firewalls send: comma-separated values become tab-separated ones,
//! without quotes.

use super::{Parser, ParserEnv, ParserKind, Repair};
use crate::param::{Args, Class, Module};

static MODULE: Module = Module {
    name: "pmpanngfw",
    class: Class::Parser,
    builtin: false,
    summary: "Separates the fields of Palo Alto Networks firewalls with tabs, for the parsers behind it.",
    module_params: &[],
    params: &[],
    legacy_create: None,
    counters: &[],
    examples: &[r#"module(load="pmpanngfw")
ruleset(name="r" parser=["rsyslog.panngfw", "rsyslog.rfc3164"]) {
    action(type="omfile" file="/var/log/devices")
}"#],
};

/// The pmpanngfw module.
pub static KIND: ParserKind =
    ParserKind { module: &MODULE, name: "rsyslog.panngfw", instances: false, build };

fn build(_: &Args, _: &ParserEnv<'_>) -> Parser {
    Parser::Repair(Repair::PanNgfw)
}

/// What the fourth field may be.
const TYPES: [&[u8]; 4] = [b"THREAT,", b"TRAFFIC,", b"SYSTEM,", b"CONFIG,"];
/// Bytes that have to stand behind the third comma.
const REST: usize = 8;

/// Where in a field of comma-separated values a byte is.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Start,
    Plain,
    Quoted,
    /// Behind a quote in a quoted field: its end, or a quote that is part of it.
    QuoteInQuoted,
}

/// Rewrites the message; returns how long it is now.
pub(super) fn repair(raw: &mut [u8], start: usize) -> usize {
    let len = raw.len();
    let text = raw.get(start..).unwrap_or_default();
    let mut commas = memchr::memchr_iter(b',', text).map(|at| start + at);
    let (Some(first), Some(second), Some(third)) = (commas.next(), commas.next(), commas.next())
    else {
        return len;
    };
    let rest = raw.get(third + 1..).unwrap_or_default();
    if rest.len() < REST || !TYPES.iter().any(|kind| rest.starts_with(kind)) {
        return len;
    }
    for comma in [first, second, third] {
        raw[comma] = b'\t';
    }
    // Never behind the byte that is read, so the text is rewritten in place.
    let (mut state, mut to) = (State::Start, third + 1);
    for from in third + 1..len {
        let byte = raw[from];
        let (next, written) = match (state, byte) {
            (State::Quoted, b'"') => (State::QuoteInQuoted, None),
            (State::Quoted, _) | (State::QuoteInQuoted, b'"') => (State::Quoted, Some(byte)),
            (_, b',') => (State::Start, Some(b'\t')),
            // Nothing else may follow a quote: what is rewritten so far stays, as in the reference.
            (State::QuoteInQuoted, _) => return len,
            (State::Start, b'"') => (State::Quoted, None),
            (State::Start | State::Plain, _) => (State::Plain, Some(byte)),
        };
        state = next;
        if let Some(byte) = written {
            raw[to] = byte;
            to += 1;
        }
    }
    to
}

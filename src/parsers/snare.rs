//! pmsnare: repairs what Snare agents send: tabs around the name of the event log, which become blanks.

use super::{Parser, ParserEnv, ParserKind, Repair, remove};
use crate::param::{Args, Class, Kind, Module, Param};

static MODULE: Module = Module {
    name: "pmsnare",
    class: Class::Parser,
    builtin: false,
    summary: "Repairs messages of Snare agents, for the parsers behind it.",
    module_params: &[],
    params: &[
        Param::new(
            PREFIX,
            Kind::Char,
            None,
            "What a tab looks like: the first character of its escape; as in global() by default.",
        ),
        Param::new(
            ESCAPE,
            Kind::Bool,
            None,
            "Whether control characters are escaped; as in global() by default.",
        ),
        Param::new(ESCAPE_TAB, Kind::Bool, None, "Whether tabs are; as in global() by default."),
        Param::new(C_STYLE, Kind::Bool, None, "Whether as \\t; as in global() by default."),
    ],
    legacy_create: None,
    counters: &[],
    examples: &[r#"module(load="pmsnare")
ruleset(name="r" parser=["rsyslog.snare", "rsyslog.rfc5424", "rsyslog.rfc3164"]) {
    action(type="omfile" file="/var/log/windows")
}"#],
};

const PREFIX: &str = "parser.controlCharacterEscapePrefix";
const ESCAPE: &str = "parser.escapeControlCharactersOnReceive";
const ESCAPE_TAB: &str = "parser.escapeControlCharacterTab";
const C_STYLE: &str = "parser.escapeControlCharactersCStyle";

/// The pmsnare module.
pub static KIND: ParserKind =
    ParserKind { module: &MODULE, name: "rsyslog.snare", instances: true, build };

fn build(args: &Args, env: &ParserEnv<'_>) -> Parser {
    let source = |name: &str| if args.given(name) { args } else { env.globals };
    let flag = |name| source(name).bool(name);
    let prefix = source(PREFIX).str(PREFIX).and_then(|text| text.first()).copied();
    Parser::Repair(Repair::Snare(match () {
        () if !flag(ESCAPE) || !flag(ESCAPE_TAB) => Box::new(*b"\t"),
        () if flag(C_STYLE) => Box::new(*b"\\t"),
        () => Box::new([prefix.unwrap_or(b'#'), b'0', b'1', b'1']),
    }))
}

/// Shortest message looked at.
const SHORTEST: usize = 30;
/// Bytes of the time in a syslog header, with the blank behind it.
const TIME: usize = 16;
/// What stands where the TAG should.
const TAGS: [&[u8]; 2] = [b"MSWinEventLog", b"LinuxKAudit"];

/// Makes blanks of the tabs around the tag; `tab` is what a tab looks like. Returns how long the message is now.
pub(super) fn repair(raw: &mut [u8], start: usize, tab: &[u8]) -> usize {
    let mut len = raw.len();
    let text = raw.get(start..).unwrap_or_default();
    if text.len() < SHORTEST {
        return len;
    }
    let separates = |c: &u8| matches!(c, b' ' | b'\t') || Some(c) == tab.first();
    let first = text.iter().position(separates).unwrap_or(text.len());
    let rest = text.get(first..).unwrap_or_default();
    let after_tag = if rest.len() > tab.len() && begins(rest, tab) {
        // A host name, but no time.
        let Some(tag) = tag(&rest[tab.len()..], tab) else { return len };
        len = blank(raw, start + first, tab);
        start + first + 1 + tag
    } else {
        let rest = text.get(TIME..).unwrap_or_default();
        let host = rest.iter().position(|c| *c == b' ').map_or(rest.len(), |at| at + 1);
        let Some(tag) = tag(&rest[host..], tab) else { return len };
        start + TIME + host + tag
    };
    blank(raw.get_mut(..len).unwrap_or_default(), after_tag, tab)
}

/// The length of the tag that `text` begins with, if a tab follows.
fn tag(text: &[u8], tab: &[u8]) -> Option<usize> {
    let found = TAGS.iter().find(|tag| begins(text, tag))?.len();
    begins(text.get(found..)?, tab).then_some(found)
}

fn begins(text: &[u8], with: &[u8]) -> bool {
    text.get(..with.len()).is_some_and(|text| text.eq_ignore_ascii_case(with))
}

/// Makes a blank of the tab at this place.
fn blank(raw: &mut [u8], at: usize, tab: &[u8]) -> usize {
    if let Some(first) = raw.get_mut(at) {
        *first = b' ';
    }
    remove(raw, at + 1, tab.len() - 1)
}

//! pmlastmsg: `last message repeated 5 times`, which some daemons send without any header.

use super::{Parser, ParserEnv, ParserKind, msg_from};
use crate::message::Record;
use crate::param::{Args, Class, Module};

static MODULE: Module = Module {
    name: "pmlastmsg",
    class: Class::Parser,
    builtin: false,
    summary: "Recognises \"last message repeated n times\".",
    module_params: &[],
    params: &[],
    legacy_create: None,
    counters: &[],
    examples: &[r#"module(load="pmlastmsg")
ruleset(name="r" parser=["rsyslog.lastline", "rsyslog.rfc5424", "rsyslog.rfc3164"]) {
    action(type="omfile" file="/var/log/devices")
}"#],
};

/// The pmlastmsg module.
pub static KIND: ParserKind =
    ParserKind { module: &MODULE, name: "rsyslog.lastline", instances: false, build };

fn build(_: &Args, _: &ParserEnv<'_>) -> Parser {
    Parser::LastMessage
}

/// Takes a message that is nothing else behind the PRI, but for blanks in front. It has neither time nor TAG.
pub fn parse(raw: &[u8], start: usize, record: &mut Record) -> bool {
    let text = raw.get(start..).unwrap_or_default();
    let blanks = text.iter().take_while(|c| **c == b' ').count();
    let text = text.get(blanks..).unwrap_or_default();
    let number = strip(text, b"last message repeated ", |text, part| text.split_at_checked(part));
    let digits = number.and_then(|text| {
        strip(text, b" times", |text, part| {
            let (digits, part) = text.split_at_checked(text.len().checked_sub(part)?)?;
            Some((part, digits))
        })
    });
    let found = digits.is_some_and(|d| !d.is_empty() && d.iter().all(u8::is_ascii_digit));
    if found {
        record.version = 0;
        record.msg = msg_from(record, start);
    }
    found
}

/// The text without a part of it that `split` finds, in any case.
fn strip<'t>(
    text: &'t [u8],
    part: &[u8],
    split: impl Fn(&'t [u8], usize) -> Option<(&'t [u8], &'t [u8])>,
) -> Option<&'t [u8]> {
    let (found, rest) = split(text, part.len())?;
    found.eq_ignore_ascii_case(part).then_some(rest)
}

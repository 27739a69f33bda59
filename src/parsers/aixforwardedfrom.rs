//! pmaixforwardedfrom: repairs what AIX makes of forwarded messages, `Message forwarded from host:` or `From host:`
//! where the host name should stand.

use super::{Parser, ParserEnv, ParserKind, Repair, remove};
use crate::param::{Args, Class, Module};

static MODULE: Module = Module {
    name: "pmaixforwardedfrom",
    class: Class::Parser,
    builtin: false,
    summary: "Repairs messages that AIX has forwarded, for the parsers behind it.",
    module_params: &[],
    params: &[],
    legacy_create: None,
    counters: &[],
    examples: &[r#"module(load="pmaixforwardedfrom")
ruleset(name="r" parser=["rsyslog.aixforwardedfrom", "rsyslog.rfc3164"]) {
    action(type="omfile" file="/var/log/devices")
}"#],
};

/// The pmaixforwardedfrom module.
pub static KIND: ParserKind =
    ParserKind { module: &MODULE, name: "rsyslog.aixforwardedfrom", instances: false, build };

fn build(_: &Args, _: &ParserEnv<'_>) -> Parser {
    Parser::Repair(Repair::AixForwardedFrom)
}

/// Bytes of the time and the blank behind it.
const TIME: usize = 16;
/// Shortest message looked at: a time, `From `, a name of one letter, `: `.
const SHORTEST: usize = 24;

/// Removes what stands before the host name, and the colon behind it. Returns how long the message is now.
pub(super) fn repair(raw: &mut [u8], start: usize) -> usize {
    let len = raw.len();
    let blanks = raw.iter().skip(start).take_while(|c| **c == b' ').count();
    let host = start + blanks + TIME;
    if len < start + blanks + SHORTEST {
        return len;
    }
    let rest = raw.get(host..).unwrap_or_default();
    let begins = |with: &[u8]| rest.get(..with.len()).is_some_and(|r| r.eq_ignore_ascii_case(with));
    let skipped = match () {
        () if begins(b"From ") => 5,
        () if begins(b"Message forwarded from ") => 23,
        () => return len,
    };
    if rest.len() < skipped + 2 {
        return len;
    }
    let len = remove(raw, host, skipped);
    let name = raw.get(host..len).unwrap_or_default();
    match memchr::memchr2(b' ', b':', name) {
        Some(at) if name.get(at) == Some(&b':') => {
            remove(raw.get_mut(..len).unwrap_or_default(), host + at, 1)
        }
        _ => len,
    }
}

//! pmcisconames: repairs what Cisco devices with `logging device-id` send, a host name with blank and colon behind it.

use super::{Parser, ParserEnv, ParserKind, Repair, remove};
use crate::param::{Args, Class, Module};

static MODULE: Module = Module {
    name: "pmcisconames",
    class: Class::Parser,
    builtin: false,
    summary: "Repairs Cisco messages with host names, for the parsers behind it.",
    module_params: &[],
    params: &[],
    legacy_create: None,
    counters: &[],
    examples: &[r#"module(load="pmcisconames")
ruleset(name="r" parser=["rsyslog.cisconames", "rsyslog.rfc3164"]) {
    action(type="omfile" file="/var/log/devices")
}"#],
};

/// The pmcisconames module.
pub static KIND: ParserKind =
    ParserKind { module: &MODULE, name: "rsyslog.cisconames", instances: false, build };

fn build(_: &Args, _: &ParserEnv<'_>) -> Parser {
    Parser::Repair(Repair::CiscoNames)
}

/// Shortest message looked at: a time, a name of one letter and ` : %ASA-1-000000: `.
const SHORTEST: usize = 34;

/// Removes `: ` in front of a TAG that begins with `%`. Returns how long the message is now.
pub(super) fn repair(raw: &mut [u8], start: usize) -> usize {
    let blanks = raw.iter().skip(start).take_while(|c| **c == b' ').count();
    let start = start + blanks;
    let Some(text) = raw.get(start..).filter(|text| text.len() >= SHORTEST) else {
        return raw.len();
    };
    let is = |places: &[usize], c: u8| places.iter().all(|at| text.get(*at) == Some(&c));
    let time = if is(&[9, 12], b':') && is(&[3, 6, 15], b' ') {
        16
    } else if is(&[14, 17], b':') && is(&[3, 6, 11, 20], b' ') {
        21
    } else {
        return raw.len();
    };
    let rest = text.get(time..).unwrap_or_default();
    let Some(blank) = memchr::memchr(b' ', rest) else { return raw.len() };
    // Something has to follow.
    if rest.len() - blank >= 4 && rest[blank..].starts_with(b" : %") {
        remove(raw, start + time + blank + 1, 2)
    } else {
        raw.len()
    }
}

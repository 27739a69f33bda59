//! pmnull: no parser at all. The whole text is MSG; TAG, facility and severity come from the configuration.

use super::{Parser, ParserEnv, ParserKind};
use crate::message::{Record, pri};
use crate::param::{Args, Class, Kind, Module, Param};

static MODULE: Module = Module {
    name: "pmnull",
    class: Class::Parser,
    builtin: false,
    summary: "Takes every message as it is.",
    module_params: &[],
    params: &[
        Param::new("tag", Kind::Str, None, "Tag of the messages."),
        Param::new("syslogfacility", Kind::Facility, Some("user"), "Facility of the messages.")
            .lenient(),
        Param::new("syslogseverity", Kind::Severity, Some("notice"), "Severity of the messages.")
            .lenient(),
    ],
    legacy_create: None,
    counters: &[],
    examples: &[r#"module(load="pmnull")
parser(name="raw" type="pmnull" tag="device:" syslogfacility="local0")
ruleset(name="r" parser=["raw"]) {
    action(type="omfile" file="/var/log/devices")
}"#],
};

/// The pmnull module.
pub static KIND: ParserKind =
    ParserKind { module: &MODULE, name: "rsyslog.pmnull", instances: true, build };

fn build(args: &Args, _: &ParserEnv<'_>) -> Parser {
    let number = |name| args.int(name).unwrap_or_default();
    let pri = number("syslogfacility") * 8 + number("syslogseverity");
    let pri = u8::try_from(pri).ok().filter(|pri| *pri <= pri::MAX).unwrap_or(pri::INVALID);
    Parser::Null(Null { tag: args.str("tag").unwrap_or_default().into(), pri })
}

/// What messages get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Null {
    /// Their TAG; the caller puts it there.
    pub tag: Box<[u8]>,
    /// Facility and severity.
    pub pri: u8,
}

/// Takes a message.
pub fn parse(record: &mut Record, options: &Null) {
    record.pri = options.pri;
    record.msg = record.raw;
}

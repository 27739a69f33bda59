//! pmciscoios: what Cisco's IOS sends: a counter, perhaps an origin, a time of its own kind, and a TAG that begins
//! with `%`.

use std::ops::Range;

use super::{Parser, ParserEnv, ParserKind, ParserOptions, msg_from};
use crate::config::Timezone;
use crate::message::{Field, Flags, Record, timestamp};
use crate::param::{Args, Class, Kind, Module, Param};

static MODULE: Module = Module {
    name: "pmciscoios",
    class: Class::Parser,
    builtin: false,
    summary: "Parses messages of Cisco's IOS.",
    module_params: &[],
    params: &[
        Param::new(
            "present.origin",
            Kind::Bool,
            Some("off"),
            "The origin stands behind the counter.",
        ),
        Param::new("present.xr", Kind::Bool, Some("off"), "The messages are those of IOS XR."),
    ],
    legacy_create: None,
    counters: &[],
    examples: &[r#"module(load="pmciscoios")
parser(name="origin" type="pmciscoios" present.origin="on")
ruleset(name="r" parser=["rsyslog.ciscoios", "origin", "rsyslog.rfc3164"]) {
    action(type="omfile" file="/var/log/devices")
}"#],
};

/// The pmciscoios module.
pub static KIND: ParserKind =
    ParserKind { module: &MODULE, name: "rsyslog.ciscoios", instances: true, build };

fn build(args: &Args, env: &ParserEnv<'_>) -> Parser {
    Parser::CiscoIos(CiscoIos {
        origin: args.bool("present.origin"),
        xr: args.bool("present.xr"),
        zones: env.zones.into(),
    })
}

/// What such messages contain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CiscoIos {
    /// `present.origin`
    pub origin: bool,
    /// `present.xr`
    pub xr: bool,
    /// Zones that times may name.
    pub zones: Box<[Timezone]>,
}

/// Longest TAG, without its colon.
const TAG_BYTES: usize = 510;
/// Longest origin.
const ORIGIN_BYTES: usize = 511;

/// What a message has that does not stand in its text as such.
#[derive(Debug, Default)]
pub struct Apart {
    /// The text of the time, and how far east of UTC it is: it names a zone that is known.
    pub time: Option<(Range<usize>, i32)>,
    /// The TAG that gets its colon: XR writes a blank between them.
    pub tag: Option<Range<usize>>,
}

/// Parses `raw` from `start`; `None`: the message is none of these.
pub fn parse(
    raw: &[u8],
    start: usize,
    record: &mut Record,
    globals: &ParserOptions,
    options: &CiscoIos,
) -> Option<Apart> {
    let rest = |at: usize| raw.get(at..).unwrap_or_default();
    let skip_to = |at: usize, c: u8| at + memchr::memchr(c, rest(at)).unwrap_or(rest(at).len());
    let mut apart = Apart::default();
    let mut at = start + rest(start).iter().take_while(|c| c.is_ascii_digit()).count();
    at += rest(at).starts_with(b": ").then_some(2)?;
    let mut host = Field::default();
    if options.origin {
        let len = memchr::memmem::find(rest(at), b": ").filter(|len| *len <= ORIGIN_BYTES)?;
        host = Field::new(at, len);
        at += len + 2;
    }
    if options.xr {
        at = skip_to(at, b':') + 1;
        raw.get(at)?;
    }
    at += usize::from(matches!(rest(at).first(), Some(b'*' | b'.')));
    let time = timestamp::with_zone_name(rest(at))?;
    let name = rest(at).get(time.zone)?;
    if let Some(zone) = options.zones.iter().find(|zone| zone.name == name) {
        apart.time = Some((at..at + time.end, zone.offset));
    }
    // As in the reference, the time counts whatever becomes of the rest.
    record.timestamp = Field::new(at, time.end);
    record.flags.set(Flags::HAS_TIMESTAMP);
    at += time.len;
    if options.xr {
        at = skip_to(at, b'%');
        raw.get(at + 1)?;
    }
    rest(at).starts_with(b"%").then_some(())?;
    let searched = rest(at).get(..TAG_BYTES).unwrap_or(rest(at));
    let len = memchr::memchr2(b':', b' ', searched).unwrap_or(searched.len());
    let behind = at + len + usize::from(options.xr);
    rest(behind).starts_with(b": ").then_some(())?;
    if options.xr && rest(at + len).first() != Some(&b':') {
        apart.tag = Some(at..at + len);
    }
    record.version = 0;
    record.tag = Field::new(at, len + 1);
    record.program_len = globals.program_len(rest(at).get(..len).unwrap_or_default());
    if options.origin {
        record.host = host;
        record.flags.set(Flags::HAS_HOST);
    }
    record.msg = msg_from(record, behind + 1);
    Some(apart)
}

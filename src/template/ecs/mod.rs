//! Template `SLUICE_ECS`: a message as a document in the Elastic Common Schema (`spec/elastic-tcp.md` section 5).
//!
//! One line of JSON, valid whatever bytes a peer sends, its members in one order:
//! `@timestamp message tags error input log source data_stream event ecs agent host`. What its input says about a
//! message ([`Labels`]) decides which members there are; messages of the syslog inputs are read as syslog.
//!
//! - [`syslog`](mod@syslog): reads a text as syslog; [`structured`] its STRUCTURED-DATA.
//!
//! Where it is not what Filebeat writes:
//! - With an error, `message` stays the whole text: the reference may cut its beginning off.
//! - `source.*` is there, and `event.created` where `@timestamp` is the message's own.
//! - A time without a year that would lie more than a day ahead is taken for last year's.

mod structured;
mod syslog;

use std::cell::RefCell;

use self::syslog::{Clock, Parsed};
use crate::message::date::write_decimal;
use crate::message::labels::Syslog;
use crate::message::timestamp::Time;
use crate::message::{DateFormat, Flags, Labels, Msg, Sender, json};
use crate::sys::machine::{self, Machine};

/// What is the same in all documents of the process.
#[derive(Debug)]
pub(super) struct Document {
    /// The members `ecs` and `agent`, with commas before them.
    agent: Vec<u8>,
    /// The member `host`, with a comma before it.
    host: Vec<u8>,
}

thread_local! {
    /// Errors of the message at hand, and its structured data; kept for their storage.
    static SCRATCH: RefCell<[Vec<u8>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
}

impl Document {
    /// A template for documents made on this machine.
    pub(super) fn new(machine: &Machine) -> Self {
        Self { agent: agent(machine), host: host(machine) }
    }

    /// Appends the document.
    pub(super) fn write(&self, msg: &Msg<'_>, out: &mut Vec<u8>) {
        SCRATCH.with_borrow_mut(|[errors, object]| {
            errors.clear();
            object.clear();
            self.write_with(msg, errors, object, out);
        });
    }

    fn write_with(
        &self,
        msg: &Msg<'_>,
        errors: &mut Vec<u8>,
        object: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) {
        let sender = msg.sender();
        let labels = &sender.input.labels;
        let raw = text(msg);
        out.reserve(raw.len() + self.agent.len() + self.host.len() + 512);
        let parsed = read(msg, labels, errors);
        let sd = parsed.as_ref().and_then(|parsed| parsed.structured);
        // What is not strictly RFC 5424's goes back to the front of the text.
        let is_object = sd.is_some_and(|raw| structured::write(raw, object));
        let overwrites = labels.syslog.as_ref().is_some_and(|options| options.overwrite_keys);
        let own_time = parsed.as_ref().and_then(|parsed| parsed.timestamp).filter(|_| overwrites);

        out.extend_from_slice(b"{\"@timestamp\":\"");
        write_time(own_time.unwrap_or(msg.record.received), out);
        out.extend_from_slice(b"\",\"message\":\"");
        match &parsed {
            Some(parsed) if errors.is_empty() && overwrites => {
                write_message(raw, parsed, sd.filter(|_| !is_object), out);
            }
            _ => json::escape_strict(raw, out),
        }
        out.push(b'"');
        write_tags(labels, msg.record.flags, out);
        let ignores = labels.syslog.as_ref().is_some_and(|options| options.ignore_failure);
        if !errors.is_empty() && !ignores {
            member(b",\"error\":{\"message\":\"", errors, b"\"}", out);
        }
        member(b",\"input\":{\"type\":\"", labels.input.as_bytes(), b"\"}", out);
        let header = parsed.as_ref().map(|parsed| (parsed, is_object.then_some(&**object)));
        write_log(sender, header, labels.keep_null, out);
        write_source(sender, out);
        member(
            b",\"data_stream\":{\"type\":\"logs\",\"dataset\":\"",
            labels.dataset.as_bytes(),
            b"\",\"namespace\":\"",
            out,
        );
        member(b"", labels.namespace.as_bytes(), b"\"},\"event\":{", out);
        if own_time.is_some() {
            out.extend_from_slice(b"\"created\":\"");
            write_time(msg.record.received, out);
            out.extend_from_slice(b"\",");
        }
        member(b"\"dataset\":\"", labels.dataset.as_bytes(), b"\"", out);
        if labels.preserve_original {
            member(b",\"original\":\"", raw, b"\"", out);
        }
        out.push(b'}');
        out.extend_from_slice(&self.agent);
        if !labels.tags.iter().any(|tag| **tag == *b"forwarded") {
            out.extend_from_slice(&self.host);
        }
        out.push(b'}');
    }
}

/// The message's text. The daemon's own messages have no header.
fn text<'t>(msg: &Msg<'t>) -> &'t [u8] {
    if msg.record.flags.has(Flags::INTERNAL) { msg.msg() } else { msg.raw() }
}

/// Reads the text as syslog, if the input says so. Errors begin with the reference's words.
fn read<'t>(msg: &Msg<'t>, labels: &Labels, errors: &mut Vec<u8>) -> Option<Parsed<'t>> {
    let options = labels.syslog.as_ref()?;
    if msg.record.flags.has(Flags::INTERNAL) {
        return None;
    }
    let known = &*options.field == "message"
        || (labels.preserve_original && &*options.field == "event.original");
    let start = |errors: &mut Vec<u8>| {
        errors.extend_from_slice(b"syslog failed to process field \"");
        errors.extend_from_slice(options.field.as_bytes());
        errors.extend_from_slice(b"\": ");
        errors.len()
    };
    let outcomes = &*options.outcomes;
    if !known {
        if !options.ignore_missing {
            start(errors);
            errors.extend_from_slice(b"key not found");
            outcomes.missing.add(1);
            outcomes.failure.add(u64::from(!options.ignore_failure));
        }
        return None;
    }
    let begin = start(errors);
    let parsed = parse(msg, options, errors, begin);
    if errors.len() == begin {
        errors.clear();
        outcomes.success.add(1);
    } else {
        outcomes.failure.add(1);
    }
    Some(parsed)
}

fn parse<'t>(msg: &Msg<'t>, options: &Syslog, errors: &mut Vec<u8>, begin: usize) -> Parsed<'t> {
    let clock = Clock {
        received: msg.record.received,
        zone: &options.zone,
        local: &msg.env.zone,
        rolls_over: options.year_rollover,
    };
    syslog::parse(msg.raw(), options.format, &clock, errors, begin)
}

/// MSG behind structured data that stayed text; the whole text where both are empty.
fn write_message(raw: &[u8], parsed: &Parsed<'_>, sd: Option<&[u8]>, out: &mut Vec<u8>) {
    match (sd, parsed.message) {
        (None, None) => json::escape_strict(raw, out),
        (sd, message) => {
            json::escape_strict(sd.unwrap_or_default(), out);
            if sd.is_some() && message.is_some() {
                out.push(b' ');
            }
            json::escape_strict(message.unwrap_or_default(), out);
        }
    }
}

fn write_time(usec: i64, out: &mut Vec<u8>) {
    let time = Time::from_epoch(usec.div_euclid(1_000_000));
    let usec = u32::try_from(usec.rem_euclid(1_000_000)).unwrap_or(0);
    let sign = crate::message::Sign::Zulu;
    DateFormat::Rfc3339.write(&Time { usec, precision: 3, sign, ..time }, out);
}

fn write_tags(labels: &Labels, flags: Flags, out: &mut Vec<u8>) {
    let cut = flags.has(Flags::TRUNCATED);
    let start = out.len();
    let tags = labels
        .preserve_original
        .then_some(&b"preserve_original_event"[..])
        .into_iter()
        .chain(labels.tags.iter().map(|tag| &**tag))
        .chain(cut.then_some(&b"truncated"[..]));
    for tag in tags {
        let lead: &[u8] = if out.len() == start { b",\"tags\":[\"" } else { b",\"" };
        member(lead, tag, b"\"", out);
    }
    if out.len() > start {
        out.push(b']');
    }
}

/// `lead`, the text escaped, `trail`.
fn member(lead: &[u8], text: &[u8], trail: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(lead);
    json::escape_strict(text, out);
    out.extend_from_slice(trail);
}

/// What a header says, and its structured data as an object.
type Header<'a> = (&'a Parsed<'a>, Option<&'a [u8]>);

fn write_log(sender: &Sender, header: Option<Header<'_>>, nulls: bool, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(b",\"log\":{");
    let empty = out.len();
    if sender.addr().is_some() {
        let v6 = sender.ip.contains(&b':');
        let (lead, trail): (&[u8], &[u8]) = if v6 {
            (b"\"source\":{\"address\":\"[", b"]:")
        } else {
            (b"\"source\":{\"address\":\"", b":")
        };
        member(lead, &sender.ip, trail, out);
        out.extend_from_slice(&sender.port);
        out.extend_from_slice(b"\"}");
    }
    if let Some((parsed, object)) = header {
        let syslog = out.len();
        if out.len() > empty {
            out.push(b',');
        }
        out.extend_from_slice(b"\"syslog\":{");
        let before = out.len();
        write_header(parsed, object, nulls, out);
        if out.len() == before {
            out.truncate(syslog);
        } else {
            out.push(b'}');
        }
    }
    if out.len() == empty {
        return out.truncate(start);
    }
    out.push(b'}');
}

fn write_header(parsed: &Parsed<'_>, object: Option<&[u8]>, nulls: bool, out: &mut Vec<u8>) {
    let start = out.len();
    let separate = |out: &mut Vec<u8>| {
        if out.len() > start {
            out.push(b',');
        }
    };
    if let Some(pri) = parsed.pri {
        let (facility, severity) = (pri >> 3, pri & 7);
        out.extend_from_slice(b"\"priority\":");
        write_decimal(pri.into(), out);
        out.extend_from_slice(b",\"facility\":{\"code\":");
        write_decimal(facility.into(), out);
        member(b",\"name\":\"", name(&FACILITIES, facility), b"\"},\"severity\":{\"code\":", out);
        write_decimal(severity.into(), out);
        member(b",\"name\":\"", name(&SEVERITIES, severity), b"\"}", out);
    }
    // A process id without a process says nothing.
    let procid = parsed.procid.filter(|_| parsed.appname.is_some());
    for (key, value, of_5424) in [
        (&b"\"version\":"[..], parsed.version, true),
        (b"\"hostname\":", parsed.hostname, false),
        (b"\"appname\":", parsed.appname, false),
        (b"\"procid\":", procid, true),
        (b"\"msgid\":", parsed.msgid, true),
    ] {
        match value {
            Some(value) => {
                separate(out);
                out.extend_from_slice(key);
                member(b"\"", value, b"\"", out);
            }
            None if nulls && (parsed.is_5424 || !of_5424) => {
                separate(out);
                out.extend_from_slice(key);
                out.extend_from_slice(b"null");
            }
            None => {}
        }
    }
    if let Some(object) = object {
        separate(out);
        out.extend_from_slice(b"\"structured_data\":");
        out.extend_from_slice(object);
    }
}

fn write_source(sender: &Sender, out: &mut Vec<u8>) {
    if sender.addr().is_none() {
        return;
    }
    member(b",\"source\":{\"address\":\"", &sender.ip, b"\",\"ip\":\"", out);
    // An address with an interface is none to Elasticsearch.
    let ip = sender.ip.split(|c| *c == b'%').next().unwrap_or_default();
    member(b"", ip, b"\",\"port\":", out);
    out.extend_from_slice(&sender.port);
    out.push(b'}');
}

fn name(names: &[&'static str], code: u8) -> &'static [u8] {
    names.get(usize::from(code)).map_or(b"", |name| name.as_bytes())
}

fn agent(machine: &Machine) -> Vec<u8> {
    let mut out = b",\"ecs\":{\"version\":\"8.11.0\"},\"agent\":{\"ephemeral_id\":\"".to_vec();
    out.extend_from_slice(uuid(machine::random_bytes()).as_bytes());
    out.extend_from_slice(b"\",\"id\":\"");
    // The same after every start, and not the machine id itself.
    let mut id = *b"sluice:agent.id.";
    for (at, digit) in machine.id.bytes().enumerate() {
        if let Some(byte) = id.get_mut(at / 2) {
            *byte = byte.rotate_left(3) ^ digit;
        }
    }
    out.extend_from_slice(uuid(id).as_bytes());
    member(b"\",\"name\":\"", machine.hostname.as_bytes(), b"\"", &mut out);
    member(
        b",\"type\":\"sluice\",\"version\":\"",
        env!("CARGO_PKG_VERSION").as_bytes(),
        b"\"}",
        &mut out,
    );
    out
}

/// As a UUID of version 8: "vendor-specific" (RFC 9562).
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = |part: &[u8]| part.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (a, rest) = bytes.split_at(4);
    let (b, rest) = rest.split_at(2);
    let (c, rest) = rest.split_at(2);
    let (d, e) = rest.split_at(2);
    [a, b, c, d, e].map(hex).join("-")
}

fn host(machine: &Machine) -> Vec<u8> {
    let mut out = Vec::new();
    member(b",\"host\":{\"architecture\":\"", machine.architecture.as_bytes(), b"\"", &mut out);
    out.extend_from_slice(b",\"containerized\":");
    out.extend_from_slice(if machine.is_container { b"true" } else { b"false" });
    member(b",\"hostname\":\"", machine.hostname.as_bytes(), b"\"", &mut out);
    if !machine.id.is_empty() {
        member(b",\"id\":\"", machine.id.as_bytes(), b"\"", &mut out);
    }
    for (key, list) in [("ip", &machine.addresses), ("mac", &machine.hardware)] {
        if !list.is_empty() {
            let list = list.iter().map(|item| format!("\"{item}\"")).collect::<Vec<_>>().join(",");
            out.extend_from_slice(format!(",\"{key}\":[{list}]").as_bytes());
        }
    }
    member(b",\"name\":\"", machine.hostname.as_bytes(), b"\"", &mut out);
    out.extend_from_slice(b",\"os\":{\"type\":\"linux\"");
    let kernel = Some(machine.kernel.as_str()).filter(|kernel| !kernel.is_empty());
    for (key, value) in [
        ("codename", machine.os("VERSION_CODENAME")),
        ("family", family(machine)),
        ("kernel", kernel),
        ("name", machine.os("NAME")),
        ("platform", machine.os("ID")),
        ("version", machine.os("VERSION").or(machine.os("VERSION_ID"))),
    ] {
        if let Some(value) = value {
            member(format!(",\"{key}\":\"").as_bytes(), value.as_bytes(), b"\"", &mut out);
        }
    }
    out.extend_from_slice(b"}}");
    out
}

/// The system's family, as Beats groups them.
fn family(machine: &Machine) -> Option<&'static str> {
    let own = machine.os("ID").unwrap_or_default();
    let like = machine.os("ID_LIKE").unwrap_or_default();
    let mut names = std::iter::once(own).chain(like.split(' '));
    names.find_map(|name| match name {
        "debian" | "ubuntu" => Some("debian"),
        "rhel" | "redhat" | "centos" | "fedora" | "amzn" | "rocky" | "almalinux" => Some("redhat"),
        "suse" | "sles" | "opensuse" => Some("suse"),
        "arch" => Some("arch"),
        "alpine" => Some("alpine"),
        _ => None,
    })
}

const SEVERITIES: [&str; 8] =
    ["Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug"];

const FACILITIES: [&str; 24] = [
    "kernel",
    "user-level",
    "mail",
    "system",
    "security/authorization",
    "syslogd",
    "line printer",
    "network news",
    "UUCP",
    "clock",
    "security/authorization",
    "FTP",
    "NTP",
    "log audit",
    "log alert",
    "clock",
    "local0",
    "local1",
    "local2",
    "local3",
    "local4",
    "local5",
    "local6",
    "local7",
];

#[cfg(test)]
mod tests;

//! Properties: everything about a message that a configuration can name (`spec/message-model.md` section 2).
//!
//! Most properties are a slice of the message; [`Msg::property`] hands those out without copying. The rest
//! is composed into a buffer that the caller lends and uses again.

use super::date::{DateFormat, local_time, utc, write_decimal};
use super::json::{self, Json, Style};
use super::pri;
use super::record::{Field, Flags, Record};
use super::vars::{Path, Scope};
use super::view::Msg;

/// A property of a message, or of the system at the time the message is processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Property {
    /// The MSG part.
    Msg,
    /// The complete message.
    RawMsg,
    /// The complete message without its `<PRI>`.
    RawMsgAfterPri,
    /// The parsed host name, else the sender's name.
    Hostname,
    /// The TAG; for RFC 5424 messages `APP-NAME[PROCID]`.
    SyslogTag,
    /// The TAG's program.
    ProgramName,
    /// APP-NAME, or the program name.
    AppName,
    /// PROCID, or what stands between brackets in the TAG.
    ProcId,
    /// MSGID.
    MsgId,
    /// STRUCTURED-DATA.
    StructuredData,
    /// `1` for RFC 5424 messages, else `0`.
    ProtocolVersion,
    /// PRI as a number.
    Pri,
    /// `facility.severity`.
    PriText,
    /// Facility as a number.
    Facility,
    /// Facility as a name.
    FacilityText,
    /// Severity as a number.
    Severity,
    /// Severity as a name.
    SeverityText,
    /// The header's time, else the arrival time.
    Timestamp,
    /// The arrival time.
    TimeGenerated,
    /// The input's name.
    InputName,
    /// The sender's name.
    FromHost,
    /// The sender's address.
    FromHostIp,
    /// The sender's port.
    FromHostPort,
    /// Constant `1`.
    Iut,
    /// The message as a JSON object.
    JsonMesg,
    /// `OK` or `FAIL`: whether a module that reports it has parsed the message.
    ParseSuccess,
    /// 32 hexadecimal digits that name this message.
    Uuid,
    /// A part of the current time: local, or UTC if the flag is set.
    Clock(Clock, bool),
    /// The current time in seconds since the epoch.
    NowUnix,
    /// The local host name.
    MyHostname,
    /// The UTF-8 byte order mark.
    Bom,
    /// Seconds since the system has started.
    Uptime,
    /// The message's JSON tree, with blanks.
    AllJson,
    /// The message's JSON tree, without blanks.
    AllJsonPlain,
    /// A node of a JSON tree.
    Variable(Scope, Path),
}

/// A part of the current time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// `YYYY-MM-DD`.
    Date,
    /// Four digits.
    Year,
    /// Two digits.
    Month,
    /// Two digits.
    Day,
    /// Two digits.
    Hour,
    /// `00` or `01`.
    HalfHour,
    /// `00` to `03`.
    QuarterHour,
    /// Two digits.
    Minute,
    /// `0` (Sunday) to `6`.
    Weekday,
}

/// All fixed names; the first one for a property is the one to show.
static NAMES: &[(&str, Property)] = &[
    ("msg", Property::Msg),
    ("rawmsg", Property::RawMsg),
    ("rawmsg-after-pri", Property::RawMsgAfterPri),
    ("hostname", Property::Hostname),
    ("source", Property::Hostname),
    ("syslogtag", Property::SyslogTag),
    ("programname", Property::ProgramName),
    ("app-name", Property::AppName),
    ("procid", Property::ProcId),
    ("msgid", Property::MsgId),
    ("structured-data", Property::StructuredData),
    ("protocol-version", Property::ProtocolVersion),
    ("pri", Property::Pri),
    ("pri-text", Property::PriText),
    ("syslogfacility", Property::Facility),
    ("syslogfacility-text", Property::FacilityText),
    ("syslogseverity", Property::Severity),
    ("syslogpriority", Property::Severity),
    ("syslogseverity-text", Property::SeverityText),
    ("syslogpriority-text", Property::SeverityText),
    ("timestamp", Property::Timestamp),
    ("timereported", Property::Timestamp),
    ("timegenerated", Property::TimeGenerated),
    ("timereceived", Property::TimeGenerated),
    ("inputname", Property::InputName),
    ("fromhost", Property::FromHost),
    ("fromhost-ip", Property::FromHostIp),
    ("fromhost-port", Property::FromHostPort),
    ("iut", Property::Iut),
    ("jsonmesg", Property::JsonMesg),
    ("parsesuccess", Property::ParseSuccess),
    ("uuid", Property::Uuid),
    ("$now", Property::Clock(Clock::Date, false)),
    ("$year", Property::Clock(Clock::Year, false)),
    ("$month", Property::Clock(Clock::Month, false)),
    ("$day", Property::Clock(Clock::Day, false)),
    ("$hour", Property::Clock(Clock::Hour, false)),
    ("$hhour", Property::Clock(Clock::HalfHour, false)),
    ("$qhour", Property::Clock(Clock::QuarterHour, false)),
    ("$minute", Property::Clock(Clock::Minute, false)),
    ("$wday", Property::Clock(Clock::Weekday, false)),
    ("$now-utc", Property::Clock(Clock::Date, true)),
    ("$year-utc", Property::Clock(Clock::Year, true)),
    ("$month-utc", Property::Clock(Clock::Month, true)),
    ("$day-utc", Property::Clock(Clock::Day, true)),
    ("$hour-utc", Property::Clock(Clock::Hour, true)),
    ("$hhour-utc", Property::Clock(Clock::HalfHour, true)),
    ("$qhour-utc", Property::Clock(Clock::QuarterHour, true)),
    ("$minute-utc", Property::Clock(Clock::Minute, true)),
    ("$wday-utc", Property::Clock(Clock::Weekday, true)),
    ("$now-unixtimestamp", Property::NowUnix),
    ("$myhostname", Property::MyHostname),
    ("$bom", Property::Bom),
    ("$uptime", Property::Uptime),
    ("$!all-json", Property::AllJson),
    ("$!all-json-plain", Property::AllJsonPlain),
];

impl Property {
    /// The property of that name, in any case. A name that starts with `!`, `.` or `/`, with or without a
    /// `$` in front, is the path of a variable.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        let fixed = NAMES.iter().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name));
        if let Some((_, property)) = fixed {
            return Some(property.clone());
        }
        Path::parse(name).map(|(scope, path)| Self::Variable(scope, path))
    }

    /// All names that [`Property::parse`] knows by themselves, for suggestions.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }
}

impl<'a> Msg<'a> {
    /// The text of `property`, times as RFC 3164. `scratch` is used, and overwritten, only where the text
    /// does not stand in the message as it is.
    pub fn property<'s>(&self, property: &Property, scratch: &'s mut Vec<u8>) -> &'s [u8]
    where
        'a: 's,
    {
        if let Some(text) = self.borrowed(property) {
            return text;
        }
        scratch.clear();
        self.compose(property, scratch);
        scratch
    }

    /// Appends the text of `property` to `out`, times as RFC 3164.
    pub fn write_property(&self, property: &Property, out: &mut Vec<u8>) {
        match self.borrowed(property) {
            Some(text) => out.extend_from_slice(text),
            None => self.compose(property, out),
        }
    }

    /// Severity, 0–7.
    #[must_use]
    pub fn severity(&self) -> u8 {
        self.record.severity()
    }

    /// Facility, 0–24 (24 is invalid).
    #[must_use]
    pub fn facility(&self) -> u8 {
        self.record.facility()
    }

    /// The host name from the header, else the sender's name.
    #[must_use]
    pub fn hostname(&self) -> &'a [u8] {
        if self.record.flags.has(Flags::HAS_HOST) {
            self.field(self.record.host)
        } else {
            self.sender().fromhost()
        }
    }

    /// HOSTNAME, TAG and MSG as one text, where they stand in the message just so: with a blank between each.
    /// That is how most RFC 3164 messages come.
    #[must_use]
    pub fn from_hostname(&self) -> Option<&'a [u8]> {
        let Record { version, flags, raw, msg, host, tag, .. } = *self.record;
        let tag_start = u32::from(host.start) + u32::from(host.len) + 1;
        let tag_end = tag_start + u32::from(tag.len);
        if version != 0
            || !flags.has(Flags::HAS_HOST)
            || u32::from(tag.start) != tag_start
            || raw.start + tag_end != msg.start
        {
            return None;
        }
        let text = self.raw().get(usize::from(host.start)..(tag_end + msg.len) as usize)?;
        let blank_at = |at: usize| text.get(at) == Some(&b' ');
        let blanks =
            blank_at(host.len.into()) && blank_at((tag_end - u32::from(host.start)) as usize);
        blanks.then_some(text)
    }

    /// Appends the TAG.
    pub fn write_tag(&self, out: &mut Vec<u8>) {
        match self.borrowed_tag() {
            Some(tag) => out.extend_from_slice(tag),
            None => self.compose_tag(out),
        }
    }

    /// The text of a property that exists as such; `None` where it has to be composed.
    fn borrowed(&self, property: &Property) -> Option<&'a [u8]> {
        let record = self.record;
        Some(match property {
            Property::Msg => self.msg(),
            Property::RawMsg => self.raw(),
            Property::RawMsgAfterPri => after_pri(self.raw()),
            Property::Hostname => self.hostname(),
            Property::SyslogTag => return self.borrowed_tag(),
            Property::ProgramName => self.program(),
            Property::AppName => self.app_name(),
            Property::ProcId => self.procid(),
            Property::MsgId => self.header(record.msgid),
            Property::StructuredData => self.header(record.sd),
            Property::ProtocolVersion if record.version == 0 => b"0",
            Property::ProtocolVersion => b"1",
            Property::Pri if record.pri > pri::MAX => b"invld",
            Property::Facility if record.pri > pri::MAX => b"invld",
            Property::FacilityText => facility_name(record.facility()),
            Property::SeverityText => severity_name(record.severity()),
            Property::InputName => &self.sender().input.name,
            Property::FromHost => self.sender().fromhost(),
            Property::FromHostIp => &self.sender().ip,
            Property::FromHostPort => &self.sender().port,
            Property::Iut => b"1",
            Property::ParseSuccess if record.flags.has(Flags::PARSE_OK) => b"OK",
            Property::ParseSuccess => b"FAIL",
            Property::MyHostname => &self.env.hostname,
            Property::Bom => b"\xef\xbb\xbf",
            Property::Pri
            | Property::PriText
            | Property::Facility
            | Property::Severity
            | Property::Timestamp
            | Property::TimeGenerated
            | Property::JsonMesg
            | Property::Uuid
            | Property::Clock(..)
            | Property::NowUnix
            | Property::Uptime
            | Property::AllJson
            | Property::AllJsonPlain
            | Property::Variable(..) => return None,
        })
    }

    /// Appends a property that [`Msg::borrowed`] does not have.
    fn compose(&self, property: &Property, out: &mut Vec<u8>) {
        let record = self.record;
        match property {
            Property::SyslogTag => self.compose_tag(out),
            Property::Pri => write_decimal(record.pri.into(), out),
            Property::Facility => write_decimal(record.facility().into(), out),
            Property::Severity => write_decimal(record.severity().into(), out),
            Property::PriText => {
                out.extend_from_slice(facility_name(record.facility()));
                out.push(b'.');
                out.extend_from_slice(severity_name(record.severity()));
            }
            Property::Timestamp => self.write_reported(DateFormat::Rfc3164, out),
            Property::TimeGenerated => DateFormat::Rfc3164.write(&self.received(), out),
            Property::JsonMesg => self.compose_json(out),
            Property::Uuid => self.compose_uuid(out),
            Property::Clock(part, in_utc) => self.compose_clock(*part, *in_utc, out),
            Property::NowUnix => {
                write_decimal(u64::try_from(self.env.now / 1_000_000).unwrap_or(0), out);
            }
            Property::Uptime => write_decimal(self.env.uptime, out),
            Property::AllJson => self.write_all_json(Style::Spaced, out),
            Property::AllJsonPlain => self.write_all_json(Style::Compact, out),
            Property::Variable(scope, path) => self.write_variable((*scope, path), out),
            _ => unreachable!("{property:?} is borrowed"),
        }
    }

    /// A container as JSON, a string as it is.
    fn write_variable(&self, name: (Scope, &Path), out: &mut Vec<u8>) {
        let globals = &*self.env.globals;
        self.vars.with(name, globals, |node| {
            if let Some(node) = node {
                node.append_to(globals.style, out);
            }
        });
    }

    fn write_all_json(&self, style: Style, out: &mut Vec<u8>) {
        match self.vars.tree(Scope::Message) {
            Some(tree) => tree.write(style, out),
            None => out.extend_from_slice(b"{}"),
        }
    }

    /// The TAG, unless it has to be made from APP-NAME and PROCID.
    fn borrowed_tag(&self) -> Option<&'a [u8]> {
        match self.record.version {
            0 => Some(self.field(self.record.tag)),
            // A modifier has put one there.
            _ if self.record.tag.start != 0 => Some(self.field(self.record.tag)),
            _ if self.procid() == b"-" => Some(self.field(self.record.app)),
            _ => None,
        }
    }

    fn compose_tag(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.field(self.record.app));
        out.push(b'[');
        out.extend_from_slice(self.procid());
        out.push(b']');
    }

    fn program(&self) -> &'a [u8] {
        let has_tag = self.record.version == 0 || self.record.tag.start != 0;
        let name = if has_tag { self.record.tag } else { self.record.app };
        self.field(Field { len: self.record.program_len.min(name.len), ..name })
    }

    fn app_name(&self) -> &'a [u8] {
        match self.record.version {
            // A parser has found one.
            0 if self.record.app.start != 0 => self.field(self.record.app),
            0 if self.program().is_empty() => b"-",
            0 => self.program(),
            _ => self.field(self.record.app),
        }
    }

    fn procid(&self) -> &'a [u8] {
        // In an RFC 3164 message only a modifier has put one there.
        if self.record.version != 0 || self.record.procid.start != 0 {
            return self.header(self.record.procid);
        }
        let tag = self.field(self.record.tag);
        let inner = memchr::memchr(b'[', tag).and_then(|open| tag.get(open + 1..));
        let closed = |inner: &'a [u8]| inner.get(..memchr::memchr(b']', inner)?);
        inner.and_then(closed).unwrap_or(b"-")
    }

    /// A field that only RFC 5424 headers have: `-` where the parser did not get to it. It may be empty.
    fn header(&self, field: Field) -> &'a [u8] {
        if field.start == 0 { b"-" } else { self.field(field) }
    }

    fn compose_clock(&self, part: Clock, in_utc: bool, out: &mut Vec<u8>) {
        let mut time = local_time(self.env.now, &self.env.zone);
        if in_utc {
            time = utc(&time);
        }
        let format = match part {
            Clock::Date => {
                let start = out.len();
                DateFormat::PgSql.write(&time, out);
                return out.truncate(start + "YYYY-MM-DD".len());
            }
            Clock::Year => DateFormat::Year,
            Clock::Month => DateFormat::Month,
            Clock::Day => DateFormat::Day,
            Clock::Hour => DateFormat::Hour,
            Clock::HalfHour => return out.extend([b'0', b'0' + time.minute / 30]),
            Clock::QuarterHour => return out.extend([b'0', b'0' + time.minute / 15]),
            Clock::Minute => DateFormat::Minute,
            Clock::Weekday => DateFormat::Weekday,
        };
        format.write(&time, out);
    }

    /// `jsonmesg`: all properties of the message as JSON strings, and `$!`. `uuid` is what the reference shows for a
    /// message whose uuid nobody has asked for.
    fn compose_json(&self, out: &mut Vec<u8>) {
        const MEMBERS: [(&str, Property); 19] = [
            ("msg", Property::Msg),
            ("rawmsg", Property::RawMsg),
            ("timereported", Property::Timestamp),
            ("hostname", Property::Hostname),
            ("syslogtag", Property::SyslogTag),
            ("inputname", Property::InputName),
            ("fromhost", Property::FromHost),
            ("fromhost-ip", Property::FromHostIp),
            ("fromhost-port", Property::FromHostPort),
            ("pri", Property::Pri),
            ("syslogfacility", Property::Facility),
            ("syslogseverity", Property::Severity),
            ("timegenerated", Property::TimeGenerated),
            ("programname", Property::ProgramName),
            ("protocol-version", Property::ProtocolVersion),
            ("structured-data", Property::StructuredData),
            ("app-name", Property::AppName),
            ("procid", Property::ProcId),
            ("msgid", Property::MsgId),
        ];
        let style = self.env.globals.style;
        let (comma, colon): (&[u8], &[u8]) = match style {
            Style::Spaced => (b", ", b": "),
            Style::Compact => (b",", b":"),
        };
        out.extend_from_slice(if style == Style::Spaced { b"{ " } else { b"{" });
        for (name, property) in &MEMBERS {
            out.push(b'"');
            out.extend_from_slice(name.as_bytes());
            out.push(b'"');
            out.extend_from_slice(colon);
            out.push(b'"');
            match (property, self.borrowed(property)) {
                (_, Some(text)) => json::escape(text, out),
                (Property::Timestamp, _) => self.write_reported(DateFormat::Rfc3339, out),
                (Property::TimeGenerated, _) => DateFormat::Rfc3339.write(&self.received(), out),
                (Property::SyslogTag, _) => {
                    json::escape(self.field(self.record.app), out);
                    out.push(b'[');
                    json::escape(self.procid(), out);
                    out.push(b']');
                }
                (_, None) => self.compose(property, out),
            }
            out.push(b'"');
            out.extend_from_slice(comma);
        }
        let variables = self.vars.tree(Scope::Message).unwrap_or(&Json::Null);
        for (name, value) in [("uuid", &Json::Null), ("$!", variables)] {
            out.push(b'"');
            out.extend_from_slice(name.as_bytes());
            out.push(b'"');
            out.extend_from_slice(colon);
            value.write(style, out);
            out.extend_from_slice(if name == "uuid" { comma } else { b"" });
        }
        out.extend_from_slice(if style == Style::Spaced { b" }" } else { b"}" });
    }

    /// A version 4 UUID, made from where and when the message is: its place in memory and its arrival time
    /// name it once in this process, whose random key does the rest.
    fn compose_uuid(&self, out: &mut Vec<u8>) {
        use std::collections::hash_map::RandomState;
        use std::hash::BuildHasher;
        static KEYS: std::sync::OnceLock<[RandomState; 2]> = std::sync::OnceLock::new();
        let keys = KEYS.get_or_init(|| [RandomState::new(), RandomState::new()]);
        let place = (self.raw().as_ptr().addr(), self.record.received);
        let [high, low] = [0, 1].map(|half: usize| keys[half].hash_one(place));
        let high = high & !0xf000 | 0x4000;
        let low = low & !(0b11 << 62) | (0b10 << 62);
        for half in [high, low] {
            for byte in half.to_be_bytes() {
                for nibble in [byte >> 4, byte & 15] {
                    out.push(if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 });
                }
            }
        }
    }
}

/// A message text without its `<PRI>`, if the closing `>` stands where one to three digits would put it.
fn after_pri(raw: &[u8]) -> &[u8] {
    match raw {
        [b'<', _, b'>', rest @ ..]
        | [b'<', _, _, b'>', rest @ ..]
        | [b'<', _, _, _, b'>', rest @ ..] => rest,
        _ => raw,
    }
}

/// The name of a facility; `invld` above 23.
#[must_use]
pub fn facility_name(facility: u8) -> &'static [u8] {
    FACILITIES.get(usize::from(facility)).map_or(b"invld", |name| name.as_bytes())
}

/// The name of a severity; `invld` above 7.
#[must_use]
pub fn severity_name(severity: u8) -> &'static [u8] {
    SEVERITIES.get(usize::from(severity)).map_or(b"invld", |name| name.as_bytes())
}

/// Facility names by number, as properties show them.
pub const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
];
/// Severity names by number, as properties show them.
pub const SEVERITIES: [&str; 8] =
    ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

#[cfg(test)]
mod tests;

//! Templates that exist without being configured, and the string generators behind four of them
//! (`spec/message-model.md` section 10).

use std::sync::Arc;

use super::program::{Escape, Op};
use super::replacer::{Position, Replacer, Source};
use super::{Body, Content, Options, Template};
use crate::message::{DateFormat, Property};

/// The names of all built-in templates.
pub const NAMES: [&str; 18] = [
    "RSYSLOG_DebugFormat",
    "RSYSLOG_FileFormat",
    "RSYSLOG_ForwardFormat",
    "RSYSLOG_PerSourceKey",
    "RSYSLOG_SyslogProtocol23Format",
    "RSYSLOG_SyslogRFC5424Format",
    "RSYSLOG_SysklogdFileFormat",
    "RSYSLOG_TraditionalFileFormat",
    "RSYSLOG_TraditionalForwardFormat",
    "RSYSLOG_omudpspoofDfltSourceTpl",
    " FullJSONFmt",
    " StdClickHouseFmt",
    " StdDBFmt",
    " StdJSONFmt",
    " StdOmSenderTrack-senderid",
    " StdPgSQLFmt",
    " StdUsrMsgFmt",
    " WallFmt",
];

/// The built-in template of that name.
#[must_use]
pub fn builtin(name: &[u8]) -> Option<Arc<Template>> {
    let name = *NAMES.iter().find(|known| known.as_bytes() == name)?;
    if let Some(ops) = generator(name.as_bytes()) {
        let body = Body::Text(ops, Escape::None);
        return Some(Arc::new(Template { name: name.to_owned(), body }));
    }
    let (_, text, options) = *STRINGS.iter().find(|(own, ..)| *own == name)?;
    let content = Content::String { text: text.as_bytes(), legacy: false };
    let mut problems = Vec::new();
    let template = Template::compile(name, &content, options, &mut problems);
    debug_assert!(problems.is_empty(), "{name}: {problems:?}");
    template.map(Arc::new)
}

/// The operations of a string generator (`template(type="plugin")`, `$template name,=generator`).
pub(super) fn generator(name: &[u8]) -> Option<Vec<Op>> {
    let (forward, format) = match name {
        b"RSYSLOG_FileFormat" => (false, DateFormat::Rfc3339),
        b"RSYSLOG_TraditionalFileFormat" => (false, DateFormat::Rfc3164),
        b"RSYSLOG_ForwardFormat" => (true, DateFormat::Rfc3339),
        b"RSYSLOG_TraditionalForwardFormat" => (true, DateFormat::Rfc3164),
        _ => return None,
    };
    let constant = |text: &[u8]| Op::Constant(text.into());
    let property = |property| Op::Value(Source::Property(property));
    let time = Op::Value(Source::Reported(format));
    let middle = [constant(b" "), property(Property::Hostname), constant(b" ")];
    let end = [Op::Blank { when_empty: true }, property(Property::Msg)];
    let mut ops = Vec::new();
    if forward {
        // RFC 3164: a tag has no more than 32 characters.
        let tag = Source::Property(Property::SyslogTag);
        let first = Position { from: 1, to: 32, from_end: false, fixed_width: false };
        let tag = Replacer { position: Some(first), ..Replacer::new(tag) };
        ops.extend([constant(b"<"), property(Property::Pri), constant(b">"), time]);
        ops.extend(middle);
        ops.push(Op::Replace(Box::new(tag)));
        ops.extend(end);
    } else {
        ops.push(time);
        ops.extend(middle);
        ops.push(property(Property::SyslogTag));
        ops.extend(end);
        ops.push(constant(b"\n"));
    }
    Some(ops)
}

const PLAIN: Options = Options {
    sql: false,
    stdsql: false,
    json: false,
    jsonf: false,
    jsonftree: false,
    case_sensitive: false,
};
const SQL: Options = Options { sql: true, ..PLAIN };
const STDSQL: Options = Options { stdsql: true, ..PLAIN };

/// The built-in templates that are texts.
const STRINGS: [(&str, &str, Options); 14] = [
    (
        "RSYSLOG_DebugFormat",
        "Debug line with all properties:\n\
         FROMHOST: '%FROMHOST%', fromhost-ip: '%fromhost-ip%', HOSTNAME: '%HOSTNAME%', PRI: %PRI%,\n\
         syslogtag '%syslogtag%', programname: '%programname%', APP-NAME: '%APP-NAME%', \
         PROCID: '%PROCID%', MSGID: '%MSGID%',\n\
         TIMESTAMP: '%TIMESTAMP%', STRUCTURED-DATA: '%STRUCTURED-DATA%',\n\
         msg: '%msg%'\n\
         escaped msg: '%msg:::drop-cc%'\n\
         inputname: %inputname% rawmsg: '%rawmsg%'\n\
         $!:%$!%\n$.:%$.%\n$/:%$/%\n\n",
        PLAIN,
    ),
    ("RSYSLOG_PerSourceKey", "%hostname%", PLAIN),
    (
        "RSYSLOG_SyslogProtocol23Format",
        "<%PRI%>1 %TIMESTAMP:::date-rfc3339% %HOSTNAME% %APP-NAME% %PROCID% %MSGID% \
         %STRUCTURED-DATA% %msg%\n",
        PLAIN,
    ),
    (
        "RSYSLOG_SyslogRFC5424Format",
        "<%PRI%>1 %TIMESTAMP:::date-rfc3339% %HOSTNAME% %APP-NAME% %PROCID% %MSGID% \
         %STRUCTURED-DATA% %msg%",
        PLAIN,
    ),
    (
        "RSYSLOG_SysklogdFileFormat",
        "%TIMESTAMP% %HOSTNAME% %syslogtag%%msg:::sp-if-no-1st-sp%%msg%\n",
        PLAIN,
    ),
    ("RSYSLOG_omudpspoofDfltSourceTpl", "%fromhost-ip%", PLAIN),
    (
        " FullJSONFmt",
        "{\"message\":\"%msg:::json%\",\"fromhost\":\"%HOSTNAME:::json%\",\
         \"programname\":\"%programname%\",\"procid\":\"%PROCID%\",\"msgid\":\"%MSGID%\",\
         \"facility\":\"%syslogfacility-text%\",\"priority\":\"%syslogpriority-text%\",\
         \"timereported\":\"%timereported:::date-rfc3339%\",\
         \"timegenerated\":\"%timegenerated:::date-rfc3339%\"}",
        PLAIN,
    ),
    (
        " StdClickHouseFmt",
        "INSERT INTO rsyslog.SystemEvents (severity, facility, timestamp, hostname, tag, message) \
         VALUES (%syslogseverity%, %syslogfacility%, '%timereported:::date-unixtimestamp%', \
         '%hostname%', '%syslogtag%', '%msg%')",
        STDSQL,
    ),
    (
        " StdDBFmt",
        "insert into SystemEvents (Message, Facility, FromHost, Priority, DeviceReportedTime, \
         ReceivedAt, InfoUnitID, SysLogTag) values ('%msg%', %syslogfacility%, '%HOSTNAME%', \
         %syslogpriority%, '%timereported:::date-mysql%', '%timegenerated:::date-mysql%', %iut%, \
         '%syslogtag%')",
        SQL,
    ),
    (
        " StdJSONFmt",
        "{\"message\":\"%msg:::json%\",\"fromhost\":\"%HOSTNAME:::json%\",\
         \"facility\":\"%syslogfacility-text%\",\"priority\":\"%syslogpriority-text%\",\
         \"timereported\":\"%timereported:::date-rfc3339%\",\
         \"timegenerated\":\"%timegenerated:::date-rfc3339%\"}",
        PLAIN,
    ),
    (" StdOmSenderTrack-senderid", "%fromhost-ip%", PLAIN),
    (
        " StdPgSQLFmt",
        "insert into SystemEvents (Message, Facility, FromHost, Priority, DeviceReportedTime, \
         ReceivedAt, InfoUnitID, SysLogTag) values ('%msg%', %syslogfacility%, '%HOSTNAME%', \
         %syslogpriority%, '%timereported:::date-pgsql%', '%timegenerated:::date-pgsql%', %iut%, \
         '%syslogtag%')",
        STDSQL,
    ),
    (" StdUsrMsgFmt", " %syslogtag%%msg%\n\r", PLAIN),
    (
        " WallFmt",
        "\r\n\x07Message from syslogd@%HOSTNAME% at %timegenerated% ...\r\n %syslogtag%%msg%\n\r",
        PLAIN,
    ),
];

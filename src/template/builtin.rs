//! Templates that exist without being configured, and the string generators behind four of them
//! (`spec/message-model.md` section 10).

use std::sync::Arc;

use super::program::Line;
use super::{Body, Content, Options, Template, ecs};
use crate::message::DateFormat;
use crate::sys::machine::Machine;

/// The names of all built-in templates.
pub const NAMES: [&str; 19] = [
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
    "SLUICE_ECS",
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
    if let Some(line) = generator(name.as_bytes()) {
        return Some(Arc::new(Template { name: name.to_owned(), body: Body::Line(line) }));
    }
    if name == "SLUICE_ECS" {
        let document = Box::new(ecs::Document::new(&Machine::look()));
        return Some(Arc::new(Template { name: name.to_owned(), body: Body::Ecs(document) }));
    }
    let (_, text, options) = *STRINGS.iter().find(|(own, ..)| *own == name)?;
    let content = Content::String { text: text.as_bytes(), legacy: false };
    let mut report = |_, problem| debug_assert!(false, "{name}: {problem:?}");
    Template::compile(name, &content, options, &mut report).map(Arc::new)
}

/// The string generator of that name (`template(type="plugin")`, `$template name,=generator`).
pub(super) fn generator(name: &[u8]) -> Option<Line> {
    let (forward, format) = match name {
        b"RSYSLOG_FileFormat" => (false, DateFormat::Rfc3339),
        b"RSYSLOG_TraditionalFileFormat" => (false, DateFormat::Rfc3164),
        b"RSYSLOG_ForwardFormat" => (true, DateFormat::Rfc3339),
        b"RSYSLOG_TraditionalForwardFormat" => (true, DateFormat::Rfc3164),
        _ => return None,
    };
    Some(Line { forward, format })
}

const PLAIN: Options = Options {
    sql: false,
    stdsql: false,
    json: false,
    jsonf: false,
    jsonftree: false,
    case_sensitive: false,
    paths: super::Paths::Keep,
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

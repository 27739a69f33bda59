//! `global()` as typed values: the one place that reads its parameters by name.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::CommandLine;
use crate::inputs::{IpProtocol, internal};
use crate::message::json::{Case, Style};
use crate::message::vars;
use crate::net::access;
use crate::net::resolver::local_name;
use crate::param::{Args, SecureDefaults};
use crate::ruleset::oversize;
use crate::stats::tracked;
use crate::sys::children::Exits;
use crate::tls;

/// What `global()` says to the daemon and its modules.
#[derive(Debug)]
pub(super) struct Globals {
    /// `maxMessageSize`, bytes.
    pub(super) message_bytes: usize,
    /// `net.ipprotocol`.
    pub(super) ip_protocol: IpProtocol,
    /// `net.enableDNS`.
    pub(super) dns: bool,
    /// `dropMsgsWithMaliciousDNSPTRRecords`.
    pub(super) drops_forged: bool,
    /// `net.acl…` and `net.permitACLWarning`: how lists of allowed senders are read.
    pub(super) access: access::Rules,
    /// `reverseLookup.cache.ttl.*`; `None` is for ever.
    pub(super) dns_ttl: Option<Duration>,
    /// `senders.…`; `None` without `senders.keepTrack`.
    pub(super) senders: Option<tracked::Settings>,
    /// `umask`.
    pub(super) umask: Option<u32>,
    /// `maxOpenFiles`.
    pub(super) open_files: Option<u64>,
    /// `inputs.timeout.shutdown`.
    pub(super) input_shutdown: Duration,
    /// `action.reportSuspension` and its continuation.
    pub(super) report_suspension: (bool, bool),
    /// Identity to take on once the sockets are open.
    pub(super) privileges: Privileges,
    /// `shutdown.enable.ctlc`.
    pub(super) ctrl_c: bool,
    /// `$LogRSyslogStatusMessages`.
    pub(super) status_messages: bool,
    /// `variables.caseSensitive`.
    pub(super) case: Case,
    /// `compactJsonString`.
    pub(super) style: Style,
    /// `reportChildProcessExits`.
    pub(super) child_exits: Exits,
    /// `compatibility.defaults.secure`.
    pub(super) secure: SecureDefaults,
    /// `defaultNetstreamDriver…`.
    pub(super) tls: Arc<tls::settings::Defaults>,
    /// `-A`
    pub(super) send_to_all: bool,
}

/// `privdrop.*`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Privileges {
    /// User id.
    pub(super) user: Option<u32>,
    /// Group id.
    pub(super) group: Option<u32>,
    /// Keep supplemental groups.
    pub(super) keep_supplemental: bool,
}

impl Globals {
    /// Reads the checked arguments, and what the command line adds.
    pub(super) fn new(args: &Args, directives: &Args, said: CommandLine) -> Self {
        let number = |name| args.int(name).and_then(|n| u32::try_from(n).ok());
        let ttl = args
            .bool("reverseLookup.cache.ttl.enable")
            .then(|| args.int("reverseLookup.cache.ttl.default"));
        Self {
            message_bytes: args.size("maxMessageSize").map_or(0, to_usize),
            ip_protocol: match args.str("net.ipprotocol") {
                Some(b"ipv4-only") => IpProtocol::V4Only,
                Some(b"ipv6-only") => IpProtocol::V6Only,
                _ => IpProtocol::Unspecified,
            },
            dns: args.bool("net.enableDNS"),
            drops_forged: args.bool("dropMsgsWithMaliciousDNSPTRRecords"),
            access: access::Rules {
                dns: args.bool("net.enableDNS"),
                resolve_names: args.bool("net.aclResolveHostname"),
                keep_unresolved: args.bool("net.aclAddHostnameOnFail"),
                report: args.bool("net.permitACLWarning"),
            },
            dns_ttl: ttl.flatten().and_then(|n| u64::try_from(n).ok()).map(Duration::from_secs),
            senders: args.bool("senders.keepTrack").then(|| tracked::Settings {
                timeout: args.int("senders.timeoutAfter").unwrap_or(i64::MAX),
                report_new: args.bool("senders.reportNew"),
                report_gone: args.bool("senders.reportGoneAway"),
            }),
            umask: number("umask"),
            open_files: args.int("maxOpenFiles").and_then(|n| u64::try_from(n).ok()),
            input_shutdown: args
                .int("inputs.timeout.shutdown")
                .map_or(Duration::from_secs(1), |ms| {
                    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
                }),
            report_suspension: (
                args.bool("action.reportSuspension"),
                args.bool("action.reportSuspensionContinuation"),
            ),
            privileges: Privileges {
                user: number("privdrop.user.id").or_else(|| number("privdrop.user.name")),
                group: number("privdrop.group.id").or_else(|| number("privdrop.group.name")),
                keep_supplemental: args.bool("privdrop.group.keepSupplemental"),
            },
            ctrl_c: args.bool("shutdown.enable.ctlc"),
            status_messages: directives.bool("LogRSyslogStatusMessages"),
            case: match args.bool("variables.caseSensitive") {
                true => Case::Sensitive,
                false => Case::Insensitive,
            },
            style: if args.bool("compactJsonString") { Style::Compact } else { Style::Spaced },
            child_exits: args
                .str("reportChildProcessExits")
                .and_then(Exits::parse)
                .unwrap_or_default(),
            secure: args
                .str("compatibility.defaults.secure")
                .and_then(SecureDefaults::parse)
                .unwrap_or_default(),
            tls: Arc::new(stream_driver(args)),
            send_to_all: said.send_to_all,
        }
    }

    /// What all messages' variables have in common.
    pub(super) fn variables(&self) -> vars::Globals {
        vars::Globals::new(self.case, self.style)
    }
}

/// `processInternalMessages`.
pub(super) fn keeps_own_messages(args: &Args) -> bool {
    if args.given("processInternalMessages") {
        args.bool("processInternalMessages")
    } else {
        internal::Settings::default().process
    }
}

/// What happens to the daemon's own messages.
pub(super) fn internal_settings(
    args: &Args,
    directives: &Args,
    foreground: bool,
) -> internal::Settings {
    let default = internal::Settings::default();
    let number = |name| args.int(name).unwrap_or(0);
    internal::Settings {
        process: keeps_own_messages(args),
        interval: number("internalmsg.ratelimit.interval"),
        burst: u64::try_from(number("internalmsg.ratelimit.burst")).unwrap_or(0),
        severity: u8::try_from(number("internalmsg.severity")).unwrap_or(default.severity),
        errors_to_stderr: directives.bool("ErrorMessagesToStderr"),
        all_to_stderr: args.bool("allMessagesToStderr"),
        stderr_max: args
            .int("errorMessagesToStderr.maxNumber")
            .and_then(|most| u64::try_from(most).ok()),
        foreground,
        debug_file: args.str("debug.logFile").map(|path| OsStr::from_bytes(path).into()),
        debug: directives.int("DebugLevel").map(|level| level >= 2),
        debug_shutdown: args.bool("debug.onShutdown"),
    }
}

/// `oversizemsg.…`.
pub(super) fn oversize(args: &Args) -> oversize::Settings {
    oversize::Settings {
        limit: args.size("maxMessageSize").map_or(usize::MAX, to_usize),
        report: args.bool("oversizemsg.report"),
        mode: match args.str("oversizemsg.input.mode") {
            Some(b"split") => oversize::Mode::Split,
            Some(b"accept") => oversize::Mode::Accept,
            _ => oversize::Mode::Truncate,
        },
        error_file: args.str("oversizemsg.errorfile").map(|path| OsStr::from_bytes(path).into()),
    }
}

/// `defaultNetstreamDriver…`: the stream driver of who names none.
fn stream_driver(args: &Args) -> tls::settings::Defaults {
    let file = |name: &str| {
        let text = args.str(name).filter(|text| !text.is_empty())?;
        Some(PathBuf::from(OsStr::from_bytes(text)))
    };
    let extra = args.str("netstreamDriverCaExtraFiles").unwrap_or_default();
    let extra = extra.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    tls::settings::Defaults {
        driver: args.text("defaultNetstreamDriver").unwrap_or_default(),
        ca_file: file("defaultNetstreamDriverCAFile"),
        extra_ca_files: extra
            .filter(|name| !name.is_empty())
            .map(|name| PathBuf::from(OsStr::from_bytes(name)))
            .collect(),
        cert_file: file("defaultNetstreamDriverCertFile"),
        key_file: file("defaultNetstreamDriverKeyFile"),
        crl_file: file("defaultNetstreamDriverCRLFile"),
    }
}

/// `environment`: names and values.
pub(super) fn environment(args: &Args) -> impl Iterator<Item = (&OsStr, &OsStr)> {
    let entries = args.array("environment").unwrap_or_default();
    entries.iter().filter_map(|entry| {
        let (name, value) = entry.split_at(memchr::memchr(b'=', entry)?);
        Some((OsStr::from_bytes(name), OsStr::from_bytes(value.get(1..)?)))
    })
}

/// The name messages of this machine carry: `localHostname`, or the system's (`spec/message-model.md` section 8).
pub(super) fn hostname(args: &Args) -> Box<[u8]> {
    match args.str("localHostname") {
        Some(name) => name.into(),
        None => local_name(args.bool("net.enableDNS"), args.bool("preserveFQDN")).into(),
    }
}

fn to_usize(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

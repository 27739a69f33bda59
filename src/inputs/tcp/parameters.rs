//! imtcp's tables, and what a pair of `module()` and `input()` statements comes to (`spec/imtcp.md` section 1).

use std::path::PathBuf;

use crate::framing;
use crate::inputs::zone_offset;
use crate::limits;
use crate::message::FlowControl;
use crate::param::{Args, Class, Kind, Module, Param, Problem};

/// imtcp's descriptor.
pub(super) static MODULE: Module = Module {
    name: "imtcp",
    class: Class::Input,
    builtin: false,
    summary: "Receives syslog over TCP, octet-counted or delimited.",
    module_params: MODULE_PARAMS,
    params: PARAMS,
    legacy_create: Some(("InputTCPServerRun", "port")),
    counters: &[
        ("submitted", "Messages handed to the ruleset."),
        ("bytes.received", "Bytes received, with frame headers and delimiters."),
        ("bytes.decompressed", "Bytes that came out of compressed streams."),
        ("decompression.errors", "Sessions closed for a broken compressed stream."),
        ("sessions.opened", "Connections accepted as sessions."),
        ("sessions.closed", "Sessions that have ended."),
        ("sessions.rejected", "Connections closed at once because maxSessions was reached."),
        ("sessions.failed", "Connections that could not be accepted or set up."),
        ("sessions.open", "Sessions open now."),
        ("frames.oversize", "Frames longer than maxMessageSize, split or cut."),
        ("framing.errors", "Framing errors, lost incomplete frames and TLS on the plain port."),
        ("runs", "Per worker: turns of sessions."),
        ("read", "Per worker: receives that brought bytes."),
        ("emptyread", "Per worker: turns in which nothing was read."),
        ("starvation_protect", "Per worker: turns cut off by starvationProtection.maxReads."),
        (
            "accept",
            "Per worker: accept calls, with those that found nothing; made by the poller, shown at w0.",
        ),
    ],
    examples: &[
        "module(load=\"imtcp\" maxSessions=\"500\")\ninput(type=\"imtcp\" port=\"10514\")\n",
        "module(load=\"imtcp\")\ninput(type=\"imtcp\" port=\"10514\" address=\"127.0.0.1\" name=\"routers\"\n      \
         framingFix.cisco.asa=\"on\" workerThreads=\"4\")\n",
        "$ModLoad imtcp\n$InputTCPMaxSessions 500\n$InputTCPServerRun 10514\n",
    ],
};

/// What `module()` may say; each is the default for every `input()`.
const MODULE_PARAMS: &[Param] = &[
    Param::new(
        "octetCountedFraming",
        Kind::Bool,
        Some("on"),
        "Default of supportOctetCountedFraming.",
    ),
    MAX_SESSIONS,
    MAX_LISTENERS.aliases(&["maxListners"]),
    WORKER_THREADS,
    MAX_READS,
    FLOW_CONTROL,
    DISABLE_LF,
    DELIMITER,
    DISCARD_TRUNCATED,
    MAX_FRAME_SIZE,
    NOTIFY_OPEN,
    NOTIFY_CLOSE,
    PRESERVE_CASE,
    KEEP_ALIVE,
    KEEP_ALIVE_PROBES,
    KEEP_ALIVE_TIME,
    KEEP_ALIVE_INTERVAL,
    ALLOWED_SENDER,
    NAMESPACE,
    DRIVER_NAME,
    DRIVER_MODE,
    DRIVER_AUTH,
    DRIVER_EXPIRED,
    PERMITTED_PEER,
    DRIVER_PURPOSE,
    DRIVER_SAN,
    DRIVER_DEPTH,
    DRIVER_REVOCATION,
    DRIVER_CA,
    DRIVER_CRL,
    DRIVER_KEY,
    DRIVER_CERT,
    PRIORITY_STRING,
    COMPRESSION_MODE,
    COMPRESSION_DRIVER,
    COMPRESSION_RATIO,
    COMPRESSION_RECEIVE,
    COMPRESSION_WINDOWS,
];

/// What `input()` may say.
const PARAMS: &[Param] = &[
    Param::required(
        "port",
        Kind::Str,
        "Decimal port or service name; 0 lets the kernel choose, see listenPortFileName.",
    ),
    Param::new(
        "address",
        Kind::Str,
        None,
        "Address or host name to listen on; unset or * is all addresses of both families.",
    ),
    Param::new(
        "name",
        Kind::Str,
        Some("imtcp"),
        "The inputname property and the first part of the counters' name.",
    )
    .legacy("InputTCPServerInputName"),
    Param::new(
        "ruleset",
        Kind::Str,
        None,
        "Ruleset that the messages go to; unset is the default ruleset.",
    )
    .legacy("InputTCPServerBindRuleset"),
    Param::new(
        "listenPortFileName",
        Kind::Str,
        None,
        "File that receives the port the kernel chose for port 0, in decimal.",
    )
    .legacy("InputTCPServerListenPortFile"),
    Param::new(
        "defaultTZ",
        Kind::Str,
        None,
        "Zone of RFC 3164 times, e.g. -05:00; unset is the local zone.",
    ),
    Param::new(
        "supportOctetCountedFraming",
        Kind::Bool,
        Some("on"),
        "Whether a frame that begins with a digit is octet-counted.",
    )
    .legacy("InputTCPServerSupportOctetCountedFraming"),
    Param::new(
        "framingFix.cisco.asa",
        Kind::Bool,
        Some("off"),
        "Ignore blanks at the start of a frame.",
    ),
    Param::new(
        "multiLine",
        Kind::Bool,
        Some("off"),
        "A line feed ends a frame only where < follows.",
    ),
    Param::new(
        "framing.delimiter.regex",
        Kind::Str,
        None,
        "POSIX extended expression that the first line of a message matches.",
    ),
    Param::new(
        "rateLimit.interval",
        Kind::INT,
        Some("0"),
        "Seconds of the rate limit's window; 0 is no limit.",
    )
    .missing(),
    Param::new("rateLimit.burst", Kind::INT, Some("10000"), "Messages passed per window.")
        .missing(),
    Param::new(
        "rateLimit.name",
        Kind::Str,
        None,
        "A ratelimit() object to use instead of interval and burst.",
    )
    .missing(),
    Param::new(
        "socketBacklog",
        Kind::NONNEG,
        Some("0"),
        "Connections the kernel keeps until they are accepted; 0 takes maxSessions, at most 4096.",
    ),
    MAX_SESSIONS.legacy("InputTCPMaxSessions"),
    MAX_LISTENERS.legacy("InputTCPMaxListeners"),
    WORKER_THREADS,
    MAX_READS,
    FLOW_CONTROL.legacy("InputTCPFlowControl"),
    DISABLE_LF.legacy("InputTCPServerDisableLFDelimiter"),
    DELIMITER.legacy("InputTCPServerAddtlFrameDelimiter"),
    DISCARD_TRUNCATED,
    MAX_FRAME_SIZE,
    NOTIFY_OPEN,
    NOTIFY_CLOSE.legacy("InputTCPServerNotifyOnConnectionClose"),
    PRESERVE_CASE.legacy("InputTCPServerPreserveCase"),
    KEEP_ALIVE.legacy("InputTCPServerKeepAlive"),
    KEEP_ALIVE_PROBES.legacy("InputTCPServerKeepAlive_probes"),
    KEEP_ALIVE_TIME.legacy("InputTCPServerKeepAlive_time"),
    KEEP_ALIVE_INTERVAL.legacy("InputTCPServerKeepAlive_intvl"),
    ALLOWED_SENDER,
    NAMESPACE,
    DRIVER_NAME,
    DRIVER_MODE.legacy("InputTCPServerStreamDriverMode"),
    DRIVER_AUTH.legacy("InputTCPServerStreamDriverAuthMode"),
    DRIVER_EXPIRED,
    PERMITTED_PEER.legacy("InputTCPServerStreamDriverPermittedPeer"),
    DRIVER_PURPOSE,
    DRIVER_SAN,
    DRIVER_DEPTH,
    DRIVER_REVOCATION,
    DRIVER_CA,
    DRIVER_CRL,
    DRIVER_KEY,
    DRIVER_CERT,
    PRIORITY_STRING,
    COMPRESSION_MODE.legacy("InputTCPServerCompressionMode"),
    COMPRESSION_DRIVER.legacy("InputTCPServerCompressionDriver"),
    COMPRESSION_RATIO,
    COMPRESSION_RECEIVE,
    COMPRESSION_WINDOWS,
];

// Parameters of both statements.
const MAX_SESSIONS: Param = Param::new(
    "maxSessions",
    Kind::POSITIVE,
    Some("200"),
    "Sessions open at a time; a connection beyond is closed at once and counted.",
);
const MAX_LISTENERS: Param = Param::new(
    "maxListeners",
    Kind::POSITIVE,
    Some("20"),
    "Sockets per input; IPv4 and IPv6 are two.",
);
const WORKER_THREADS: Param = Param::new(
    "workerThreads",
    Kind::POSITIVE,
    Some("2"),
    "Threads that receive; 1 leaves everything to the listener's thread.",
);
const MAX_READS: Param = Param::new(
    "starvationProtection.maxReads",
    Kind::NONNEG,
    Some("500"),
    "Receives of one session before it is others' turn; 0 is no limit.",
);
const FLOW_CONTROL: Param = Param::new(
    "flowControl",
    Kind::Bool,
    Some("on"),
    "Whether peers are held up while the queue is above its light-delay mark.",
);
const DISABLE_LF: Param = Param::new(
    "disableLFDelimiter",
    Kind::Bool,
    Some("off"),
    "Whether a line feed does not end a frame.",
);
const DELIMITER: Param = Param::new(
    "addtlFrameDelimiter",
    Kind::Int { min: -1, max: 255 },
    Some("-1"),
    "Value of a further byte that ends a frame; -1 is none.",
);
const DISCARD_TRUNCATED: Param = Param::new(
    "discardTruncatedMsg",
    Kind::Bool,
    Some("off"),
    "Whether the rest of a too long message is dropped instead of becoming messages of its own.",
);
const MAX_FRAME_SIZE: Param = Param::new(
    "maxFrameSize",
    Kind::INT,
    Some("200000"),
    "Octet count in bytes from which a frame counts as delimited, 1 to 200000000.",
);
const NOTIFY_OPEN: Param = Param::new(
    "notifyOnConnectionOpen",
    Kind::Bool,
    Some("off"),
    "Whether an opened connection is logged.",
);
const NOTIFY_CLOSE: Param = Param::new(
    "notifyOnConnectionClose",
    Kind::Bool,
    Some("off"),
    "Whether a closed connection is logged.",
);
const PRESERVE_CASE: Param = Param::new(
    "preserveCase",
    Kind::Bool,
    Some("on"),
    "Whether fromhost keeps its case; off makes it lower case.",
);
const KEEP_ALIVE: Param = Param::new(
    "keepAlive",
    Kind::Bool,
    Some("off"),
    "Whether idle connections are probed (SO_KEEPALIVE).",
);
const KEEP_ALIVE_PROBES: Param = Param::new(
    "keepAlive.probes",
    Kind::NONNEG,
    Some("0"),
    "Unanswered probes after which a connection is dead; 0 leaves it to the system.",
);
const KEEP_ALIVE_TIME: Param = Param::new(
    "keepAlive.time",
    Kind::NONNEG,
    Some("0"),
    "Idle seconds before the first probe; 0 leaves it to the system.",
);
const KEEP_ALIVE_INTERVAL: Param = Param::new(
    "keepAlive.interval",
    Kind::NONNEG,
    Some("0"),
    "Seconds between probes; 0 leaves it to the system.",
);
const ALLOWED_SENDER: Param = Param::new(
    "allowedSender",
    Kind::Array,
    None,
    "Addresses, networks and host names that may connect.",
)
.missing();
const NAMESPACE: Param = Param::new(
    "networkNamespace",
    Kind::Str,
    None,
    "Network namespace of the listening sockets, by its name under /var/run/netns.",
);
const DRIVER_NAME: Param = Param::new(
    "streamDriver.name",
    Kind::Str,
    None,
    "Transport: ptcp, or gtls, ossl, mbedtls for TLS.",
)
.missing();
const DRIVER_MODE: Param =
    Param::new("streamDriver.mode", Kind::NONNEG, Some("0"), "0 plain, 1 TLS.").missing();
const DRIVER_AUTH: Param = Param::new(
    "streamDriver.authMode",
    Kind::Str,
    None,
    "How peers are authenticated: anon, x509/certvalid, x509/fingerprint, x509/name.",
)
.missing();
const DRIVER_EXPIRED: Param = Param::new(
    "streamDriver.permitExpiredCerts",
    Kind::Choice(&["on", "off", "warn"]),
    Some("off"),
    "Whether expired certificates are accepted.",
)
.missing();
const PERMITTED_PEER: Param = Param::new(
    "permittedPeer",
    Kind::Array,
    None,
    "Names or fingerprints of certificates that may connect.",
)
.missing();
const DRIVER_PURPOSE: Param = Param::new(
    "streamDriver.CheckExtendedKeyPurpose",
    Kind::Bool,
    Some("off"),
    "Whether the certificate's extended key purpose is checked.",
)
.missing();
const DRIVER_SAN: Param = Param::new(
    "streamDriver.PrioritizeSAN",
    Kind::Bool,
    Some("off"),
    "Whether the common name is ignored where a subject alternative name exists.",
)
.missing();
const DRIVER_DEPTH: Param = Param::new(
    "streamDriver.TlsVerifyDepth",
    Kind::NONNEG,
    Some("0"),
    "Longest certificate chain; 0 is the library's default.",
)
.missing();
const DRIVER_REVOCATION: Param = Param::new(
    "streamDriver.TlsRevocationCheck",
    Kind::Bool,
    Some("off"),
    "Whether revocation is asked for by OCSP.",
)
.missing();
const DRIVER_CA: Param =
    Param::new("streamDriver.CAFile", Kind::Str, None, "Certificates of the authorities, PEM.")
        .missing();
const DRIVER_CRL: Param =
    Param::new("streamDriver.CRLFile", Kind::Str, None, "Revocation list, PEM.").missing();
const DRIVER_KEY: Param =
    Param::new("streamDriver.KeyFile", Kind::Str, None, "Private key, PEM.").missing();
const DRIVER_CERT: Param =
    Param::new("streamDriver.CertFile", Kind::Str, None, "Certificate, PEM.").missing();
const PRIORITY_STRING: Param = Param::new(
    "gnutlsPriorityString",
    Kind::Str,
    None,
    "GnuTLS priority string, or OpenSSL commands Name=Value.",
)
.missing();
const COMPRESSION_MODE: Param = Param::new(
    "compression.mode",
    Kind::Choice(&["none", "stream:always"]),
    Some("none"),
    "Whether streams are compressed.",
)
.missing();
const COMPRESSION_DRIVER: Param = Param::new(
    "compression.driver",
    Kind::Choice(&["zlib", "zstd"]),
    Some("zlib"),
    "How streams are compressed.",
)
.missing();
const COMPRESSION_RATIO: Param = Param::new(
    "compression.maxExpansionRatio",
    Kind::NONNEG,
    Some("1024"),
    "Largest ratio of decompressed to received bytes; 0 is no limit.",
)
.missing();
const COMPRESSION_RECEIVE: Param = Param::new(
    "compression.maxDecompressedBytesPerReceive",
    Kind::SIZE,
    Some("64m"),
    "Largest number of bytes out of one receive; 0 is no limit.",
)
.missing();
const COMPRESSION_WINDOWS: Param = Param::new(
    "compression.maxTotalZstdWindowBytes",
    Kind::SIZE,
    Some("64m"),
    "Bytes of zstd windows of all sessions of an input; 0 is no limit.",
)
.missing();

/// Idle connections are probed like this; 0 leaves a value to the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeepAlive {
    pub(super) probes: u32,
    pub(super) time_secs: u64,
    pub(super) interval_secs: u64,
}

/// A checked `input()` statement.
#[derive(Clone, Debug)]
pub(super) struct Conf {
    pub(super) name: String,
    pub(super) port: String,
    pub(super) address: Option<String>,
    /// Name of a network namespace.
    pub(super) namespace: Option<String>,
    pub(super) port_file: Option<PathBuf>,
    /// Seconds east of UTC.
    pub(super) default_tz: Option<i32>,
    pub(super) preserve_case: bool,
    pub(super) backlog: i32,
    pub(super) max_sessions: usize,
    pub(super) max_listeners: usize,
    pub(super) workers: usize,
    /// Receives per turn; `usize::MAX` is no limit.
    pub(super) max_reads: usize,
    pub(super) flow: FlowControl,
    pub(super) notify_open: bool,
    pub(super) notify_close: bool,
    pub(super) keep_alive: Option<KeepAlive>,
    pub(super) framing: framing::Options,
    /// What a frame's first line matches; takes precedence over all other framing options.
    pub(super) boundary: Option<framing::Boundary>,
}

impl Conf {
    /// Checks the statement. `None` where an error costs the whole input.
    pub(super) fn new(
        module: &Args,
        input: &Args,
        message_bytes: usize,
    ) -> (Option<Self>, Vec<Problem>) {
        let mut problems = Vec::new();
        // A value given here counts, then one given at module(), then the default or legacy directive.
        let of = |name: &str| {
            if !input.given(name) && module.given(name) { module } else { input }
        };
        let bool = |name: &str| of(name).bool(name);
        let count = |name: &str| of(name).count(name).unwrap_or(0);

        let max_frame_size = of("maxFrameSize").int("maxFrameSize").unwrap_or(0);
        if !(1..=200_000_000).contains(&max_frame_size) {
            problems.push(
                Problem::error(format!(
                    "imtcp: invalid value for 'maxFrameSize' parameter given is {max_frame_size}, \
                     valid range is 1..200000000"
                ))
                .at("maxFrameSize"),
            );
            return (None, problems);
        }
        let boundary = input.str("framing.delimiter.regex").map(framing::Boundary::new).transpose();
        let boundary = match boundary {
            Ok(boundary) => boundary,
            Err(why) => {
                let text = format!("imtcp: error in framing.delimiter.regex expansion: {why}");
                problems.push(Problem::error(text).at("framing.delimiter.regex"));
                return (None, problems);
            }
        };
        let port_file = input.text("listenPortFileName").map(PathBuf::from);
        let port = Self::port(input, port_file.is_some(), &mut problems);
        let octet_counting = match input.given("supportOctetCountedFraming") {
            false if module.given("octetCountedFraming") => module.bool("octetCountedFraming"),
            _ => input.bool("supportOctetCountedFraming"),
        };
        let max_sessions = count("maxSessions");
        let delimiter = of("addtlFrameDelimiter").int("addtlFrameDelimiter");
        let conf = port.map(|port| Self {
            name: input.text("name").unwrap_or_default(),
            port,
            address: input.text("address").filter(|address| address != "*"),
            namespace: of("networkNamespace")
                .text("networkNamespace")
                .filter(|name| !name.is_empty()),
            port_file,
            default_tz: Self::default_tz(input, &mut problems),
            preserve_case: bool("preserveCase"),
            backlog: backlog(input.count("socketBacklog").unwrap_or(0), max_sessions),
            max_sessions,
            max_listeners: count("maxListeners"),
            workers: count("workerThreads"),
            max_reads: match count("starvationProtection.maxReads") {
                0 => usize::MAX,
                n => n,
            },
            flow: if bool("flowControl") { FlowControl::Light } else { FlowControl::None },
            notify_open: bool("notifyOnConnectionOpen"),
            notify_close: bool("notifyOnConnectionClose"),
            keep_alive: bool("keepAlive").then(|| KeepAlive {
                probes: u32::try_from(count("keepAlive.probes")).unwrap_or(u32::MAX),
                time_secs: count("keepAlive.time") as u64,
                interval_secs: count("keepAlive.interval") as u64,
            }),
            framing: framing::Options {
                message_bytes,
                max_frame_size: u32::try_from(max_frame_size).unwrap_or(u32::MAX),
                octet_counting,
                lf: !bool("disableLFDelimiter"),
                delimiter: delimiter.and_then(|byte| u8::try_from(byte).ok()),
                cisco_fix: input.bool("framingFix.cisco.asa"),
                multi_line: input.bool("multiLine"),
                discard_truncated: bool("discardTruncatedMsg"),
            },
            boundary,
        });
        (conf, problems)
    }

    /// The port to bind; the reference falls back to 514 where nobody could learn the kernel's choice.
    fn port(input: &Args, has_file: bool, problems: &mut Vec<Problem>) -> Option<String> {
        let port = input.text("port").unwrap_or_default();
        let digits: String = port.chars().take_while(char::is_ascii_digit).collect();
        if !digits.is_empty() && digits.parse::<u16>().is_err() {
            let text = format!("Invalid TCP listen port {port} - ignored.");
            problems.push(Problem::error(text).at("port"));
            return None;
        }
        match port.as_str() {
            "" => Some("10514".to_owned()),
            "0" if !has_file => {
                let text = "imtcp: port 0 and no port file set -> using port 514 instead";
                problems.push(Problem::warning(text).at("port"));
                Some("514".to_owned())
            }
            _ => Some(port),
        }
    }

    fn default_tz(input: &Args, problems: &mut Vec<Problem>) -> Option<i32> {
        let text = input.str("defaultTZ")?;
        let offset = zone_offset(text);
        if offset.is_none() {
            let text = String::from_utf8_lossy(text);
            problems.push(
                Problem::error(format!("imtcp: defaultTZ '{text}' is not a time zone offset"))
                    .at("defaultTZ")
                    .help("write an offset such as -05:00"),
            );
        }
        offset
    }
}

/// The kernel's queue of connections. Every session that may be open may also wait there, up to the kernel's
/// own limit. The reference takes `max_sessions / 10 + 5` by default. Measured with 1,000 clients that connect
/// at once, send 10 messages each and close: with that backlog (105) the kernel dropped 1,300 handshakes it
/// had told the clients were complete, and 8,100 of the 10,000 messages arrived; with this one, all.
fn backlog(configured: usize, max_sessions: usize) -> i32 {
    let wanted = match configured {
        0 => max_sessions.min(limits::BACKLOG_MAX).max(max_sessions / 10 + 5),
        _ => configured,
    };
    i32::try_from(wanted).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::Value;

    fn module() -> Args {
        Args::defaults(&[MODULE.module_params])
    }

    fn input(port: &str) -> Args {
        let mut args = Args::defaults(&[MODULE.params]);
        args.set("port", Value::Str(port.into()));
        args
    }

    fn conf(module: &Args, input: &Args) -> Conf {
        let (conf, problems) = Conf::new(module, input, 8096);
        assert_eq!(problems, []);
        conf.unwrap()
    }

    #[test]
    fn defaults_are_the_references() {
        let conf = conf(&module(), &input("10514"));
        assert_eq!(conf.name, "imtcp");
        assert_eq!((conf.max_sessions, conf.max_listeners, conf.workers), (200, 20, 2));
        assert_eq!((conf.max_reads, conf.flow), (500, FlowControl::Light));
        assert_eq!((conf.notify_open, conf.notify_close, conf.preserve_case), (false, false, true));
        assert_eq!((conf.address, conf.keep_alive, conf.default_tz), (None, None, None));
        assert_eq!(conf.framing, framing::Options::default());
    }

    #[test]
    fn a_value_of_the_input_wins_over_the_modules_and_that_over_a_legacy_directive() {
        let mut module = module();
        module.set("maxSessions", Value::Int(7));
        module.set("octetCountedFraming", Value::Bool(false));
        module.set("addtlFrameDelimiter", Value::Int(200));
        module.set("flowControl", Value::Bool(false));
        let mut input = input("10514");
        input.set_default("maxSessions", Some(Value::Int(5)));
        let inherited = conf(&module, &input);
        assert_eq!(inherited.max_sessions, 7);
        assert_eq!(inherited.framing.delimiter, Some(200));
        assert_eq!(inherited.flow, FlowControl::None);
        assert!(!inherited.framing.octet_counting);

        input.set("maxSessions", Value::Int(9));
        input.set("supportOctetCountedFraming", Value::Bool(true));
        input.set("addtlFrameDelimiter", Value::Int(-1));
        let own = conf(&module, &input);
        assert_eq!((own.max_sessions, own.framing.delimiter), (9, None));
        assert!(own.framing.octet_counting);

        let mut legacy = Args::defaults(&[MODULE.params]);
        legacy.set("port", Value::Str(Vec::new()));
        legacy.set_default("maxSessions", Some(Value::Int(5)));
        let legacy = conf(&Args::defaults(&[MODULE.module_params]), &legacy);
        assert_eq!((legacy.max_sessions, legacy.port.as_str()), (5, "10514"));
    }

    #[test]
    fn ports() {
        let rows = [
            ("10514", Some("10514"), None),
            ("syslog-tls", Some("syslog-tls"), None),
            (
                "0",
                Some("514"),
                Some("imtcp: port 0 and no port file set -> using port 514 instead"),
            ),
            ("65536", None, Some("Invalid TCP listen port 65536 - ignored.")),
            ("99999999999", None, Some("Invalid TCP listen port 99999999999 - ignored.")),
        ];
        for (port, bound, text) in rows {
            let (conf, problems) = Conf::new(&module(), &input(port), 8096);
            assert_eq!(conf.map(|c| c.port).as_deref(), bound, "{port}");
            assert_eq!(problems.first().map(|p| p.text.as_str()), text, "{port}");
        }
        let mut input = input("0");
        input.set("listenPortFileName", Value::Str(b"/run/port".to_vec()));
        assert_eq!(conf(&module(), &input).port, "0");
    }

    #[test]
    fn values_out_of_range_are_named() {
        for size in [0, -1, 200_000_001] {
            let mut input = input("1");
            input.set("maxFrameSize", Value::Int(size));
            let (conf, problems) = Conf::new(&module(), &input, 8096);
            assert!(conf.is_none());
            let text = format!(
                "imtcp: invalid value for 'maxFrameSize' parameter given is {size}, valid range is 1..200000000"
            );
            assert_eq!(problems[0].text, text);
        }
        let mut regex = input("1");
        regex.set("framing.delimiter.regex", Value::Str(b"^<[".to_vec()));
        let (conf, problems) = Conf::new(&module(), &regex, 8096);
        assert!(conf.is_none());
        assert!(
            problems[0].text.starts_with("imtcp: error in framing.delimiter.regex expansion: ")
        );

        let mut input = input("1");
        input.set("defaultTZ", Value::Str(b"Europe/Berlin".to_vec()));
        let (conf, problems) = Conf::new(&module(), &input, 8096);
        assert_eq!((conf.unwrap().default_tz, problems.len()), (None, 1));
    }

    #[test]
    fn the_backlog_has_room_for_every_session_unless_configured() {
        for (configured, sessions, expected) in [
            (0, 200, 200),
            (0, 2, 5),
            (0, 1000, 1000),
            (0, 10_000, 4096),
            (0, 100_000, 10_005),
            (7, 1000, 7),
        ] {
            assert_eq!(backlog(configured, sessions), expected, "{configured} {sessions}");
        }
    }
}

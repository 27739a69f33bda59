//! imtcp's tables (`spec/imtcp.md` sections 1.1 and 9).

use crate::inputs::RATE_LIMIT_PARAMS;
use crate::param::{Class, Kind, Module, Param};

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
        ("discarded.ratelimit", "Messages beyond the rate limit."),
        ("discarded.persource", "Messages beyond what the rate limit allows their source."),
        ("repeated.held", "Messages held back by $RepeatedMsgReduction."),
        ("repeated.told", "Messages submitted in their place."),
        ("sessions.opened", "Connections accepted as sessions."),
        ("sessions.closed", "Sessions that have ended."),
        ("sessions.rejected", "Connections closed at once because maxSessions was reached."),
        ("sessions.refused", "Connections of peers that allowedSender does not admit."),
        ("sessions.crowded", "Connections closed at once because of maxSessionsPerAddress."),
        ("sessions.timedout", "Sessions closed because of idleTimeout."),
        ("sessions.broken", "Sessions closed because the connection or its content was broken."),
        ("proxy.headers", "PROXY protocol headers that were read."),
        ("proxy.errors", "Connections of trustedProxies that do not begin with such a header."),
        ("sessions.failed", "Connections that could not be accepted or set up."),
        ("sessions.open", "Sessions open now."),
        ("frames.oversize", "Frames longer than maxMessageSize, split or cut."),
        ("framing.errors", "Framing errors, lost incomplete frames and TLS on the plain port."),
        ("tls.handshakes.ok", "With TLS: handshakes after which the peer was let in."),
        ("tls.handshakes.resumed", "With TLS: those of them that resumed a session."),
        (
            "tls.handshakes.failed",
            "With TLS: handshakes that failed, took too long, or whose peer was not let in.",
        ),
        ("tls.handshakes.open", "With TLS: handshakes that are not complete now."),
        (
            "tls.certificate.notafter.seconds",
            "With TLS: when the first certificate of the input's chain ends, seconds since the epoch.",
        ),
        (
            "tls.ocsp.queries",
            "With TlsRevocationCheck: certificates that responders were asked about.",
        ),
        (
            "tls.ocsp.failed",
            "With TlsRevocationCheck: those of them that no responder had a usable answer about.",
        ),
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
        "global(defaultNetstreamDriverCAFile=\"/etc/tls/ca.pem\" defaultNetstreamDriverCertFile=\"/etc/tls/cert.pem\"\n       \
         defaultNetstreamDriverKeyFile=\"/etc/tls/key.pem\")\nmodule(load=\"imtcp\" streamDriver.name=\"ossl\" \
         streamDriver.mode=\"1\" streamDriver.authMode=\"x509/name\")\ninput(type=\"imtcp\" port=\"6514\" \
         permittedPeer=[\"*.example.net\"])\n",
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
    IDLE_TIMEOUT,
    ADDRESS_SESSIONS,
    PROXY_PROTOCOL,
    TRUSTED_PROXIES,
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
    HANDSHAKE_TIMEOUT,
    MAX_HANDSHAKES,
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
    RATE_LIMIT_PARAMS[0],
    RATE_LIMIT_PARAMS[1],
    RATE_LIMIT_PARAMS[2],
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
    IDLE_TIMEOUT,
    ADDRESS_SESSIONS,
    PROXY_PROTOCOL,
    TRUSTED_PROXIES,
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
    HANDSHAKE_TIMEOUT,
    MAX_HANDSHAKES,
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
    Kind::Int { min: 0, max: 255 },
    None,
    "Value of a further byte that ends a frame; none if not given.",
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
);
const IDLE_TIMEOUT: Param = Param::new(
    "idleTimeout",
    Kind::NONNEG,
    Some("0"),
    "Seconds of silence after which a session is closed; 0 is no limit. Not in rsyslog.",
);
const ADDRESS_SESSIONS: Param = Param::new(
    "maxSessionsPerAddress",
    Kind::NONNEG,
    Some("0"),
    "Sessions that one address may have at a time; 0 is no limit. Not in rsyslog.",
);
const PROXY_PROTOCOL: Param = Param::new(
    "proxyProtocol",
    Kind::Bool,
    Some("off"),
    "Whether connections of trustedProxies begin with a PROXY protocol header, version 1 (its line ends with CR LF) or 2. \
     Not in rsyslog.",
);
const TRUSTED_PROXIES: Param = Param::new(
    "trustedProxies",
    Kind::Array,
    None,
    "Addresses and networks of balancers, whose word counts for who the peer is. Not in rsyslog.",
);
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
    "Transport: ptcp, or ossl or gtls for TLS; unset is defaultNetstreamDriver of global().",
);
const DRIVER_MODE: Param =
    Param::new("streamDriver.mode", Kind::NONNEG, Some("0"), "0 plain, 1 TLS.");
const DRIVER_AUTH: Param = Param::new(
    "streamDriver.authMode",
    Kind::Str,
    None,
    "How peers are authenticated: anon, x509/certvalid, x509/fingerprint, x509/name.",
);
const DRIVER_EXPIRED: Param = Param::new(
    "streamDriver.permitExpiredCerts",
    Kind::Choice(&["on", "off", "warn"]),
    Some("off"),
    "Whether expired certificates are accepted.",
)
.lenient();
const PERMITTED_PEER: Param = Param::new(
    "permittedPeer",
    Kind::Array,
    None,
    "Names or fingerprints of certificates that may connect.",
);
const DRIVER_PURPOSE: Param = Param::new(
    "streamDriver.CheckExtendedKeyPurpose",
    Kind::Bool,
    Some("off"),
    "Whether the certificate's extended key purpose is checked.",
);
const DRIVER_SAN: Param = Param::new(
    "streamDriver.PrioritizeSAN",
    Kind::Bool,
    Some("off"),
    "Whether the common name is ignored where a subject alternative name exists.",
);
const DRIVER_DEPTH: Param = Param::new(
    "streamDriver.TlsVerifyDepth",
    Kind::POSITIVE,
    None,
    "Longest certificate chain; the library's default if not given.",
);
const DRIVER_REVOCATION: Param = Param::new(
    "streamDriver.TlsRevocationCheck",
    Kind::Bool,
    Some("off"),
    "Whether certificates' authorities are asked by OCSP whether they have been revoked; a peer of which that cannot be \
     found out is refused. Driver ossl.",
);
const DRIVER_CA: Param =
    Param::new("streamDriver.CAFile", Kind::Str, None, "Certificates of the authorities, PEM.");
const DRIVER_CRL: Param =
    Param::new("streamDriver.CRLFile", Kind::Str, None, "Revocation list, PEM.");
const DRIVER_KEY: Param = Param::new("streamDriver.KeyFile", Kind::Str, None, "Private key, PEM.");
const DRIVER_CERT: Param =
    Param::new("streamDriver.CertFile", Kind::Str, None, "Certificate, PEM.");
const PRIORITY_STRING: Param = Param::new(
    "gnutlsPriorityString",
    Kind::Str,
    None,
    "GnuTLS priority string, or OpenSSL commands Name=Value.",
);
const HANDSHAKE_TIMEOUT: Param = Param::new(
    "streamDriver.handshakeTimeout",
    Kind::Int { min: 1, max: 86_400 },
    Some("20"),
    "Seconds a TLS handshake may take (not in rsyslog).",
);
const MAX_HANDSHAKES: Param = Param::new(
    "streamDriver.maxHandshakes",
    Kind::POSITIVE,
    Some("1000"),
    "TLS handshakes that may be incomplete at a time; further connections wait to be accepted (not in rsyslog).",
);
const COMPRESSION_MODE: Param = Param::new(
    "compression.mode",
    Kind::Choice(&["none", "stream:always"]),
    Some("none"),
    "Whether streams are compressed.",
);
const COMPRESSION_DRIVER: Param = Param::new(
    "compression.driver",
    Kind::Choice(&["zlib", "zstd"]),
    Some("zlib"),
    "How streams are compressed.",
);
const COMPRESSION_RATIO: Param = Param::new(
    "compression.maxExpansionRatio",
    Kind::NONNEG,
    Some("1024"),
    "Largest ratio of decompressed to received bytes; 0 is no limit.",
);
const COMPRESSION_RECEIVE: Param = Param::new(
    "compression.maxDecompressedBytesPerReceive",
    Kind::NONNEG,
    Some("67108864"),
    "Largest number of bytes out of one receive; 0 is no limit.",
);
const COMPRESSION_WINDOWS: Param = Param::new(
    "compression.maxTotalZstdWindowBytes",
    Kind::NONNEG,
    Some("67108864"),
    "Bytes of zstd windows of all sessions of an input; 0 is no limit.",
);

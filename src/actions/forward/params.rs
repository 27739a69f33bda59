//! The parameter table of omfwd (`spec/queues-actions.md` section 8).

use crate::param::{Class, Kind, Module, Param};

static MODULE_PARAMS: &[Param] = &[
    Param::new("template", Kind::Word, None, "Template of actions that name none.")
        .legacy("ActionForwardDefaultTemplate"),
    Param::new(
        "ioBuffer.maxSize",
        Kind::NONNEG,
        None,
        "Bytes sent with one write at most, up to 16384 (TCP).",
    ),
    Param::new("streamDriver.caFile", Kind::Str, None, "CA file of actions that name none."),
    Param::new("streamDriver.crlFile", Kind::Str, None, "CRL file of actions that name none."),
    Param::new("streamDriver.caExtraFiles", Kind::Str, None, "More CA files, separated by commas."),
    Param::new("streamDriver.keyFile", Kind::Str, None, "Key file of actions that name none."),
    Param::new("streamDriver.certFile", Kind::Str, None, "Certificate of actions that name none."),
];

static PARAMS: &[Param] = &[
    Param::new("target", Kind::Array, None, "Host or hosts to send to; several share the messages (TCP)."),
    Param::new("targetSrv", Kind::Word, None, "Domain whose SRV records name the hosts.").missing(),
    Param::new("port", Kind::Array, None, "Port, or one for each target (514)."),
    Param::new("protocol", Kind::Word, Some("udp"), "udp or tcp."),
    Param::new("template", Kind::Word, None, "Template of the messages (RSYSLOG_TraditionalForwardFormat)."),
    Param::new("address", Kind::Word, None, "Own address to send from (UDP)."),
    Param::new("device", Kind::Word, None, "Network interface or VRF to send from."),
    Param::new("networkNamespace", Kind::Word, None, "Network namespace to send from."),
    Param::new(
        "TCP_Framing",
        Kind::Word,
        Some("traditional"),
        "traditional (a delimiter ends each message) or octet-counted (RFC 6587).",
    ),
    Param::new("TCP_FrameDelimiter", Kind::INT, Some("10"), "Delimiter of traditional framing, ASCII code."),
    Param::new(
        "zipLevel",
        Kind::INT,
        Some("9"),
        "Compression level 0-9; giving it turns on compression.mode=\"single\".",
    ),
    Param::new(
        "compression.mode",
        Kind::Word,
        None,
        "none; single: each message that shrinks is compressed; stream:always: all that goes through a connection (TCP).",
    ),
    Param::new(
        "compression.driver",
        Kind::Word,
        Some("zlib"),
        "zlib or zstd; zstd only with compression.mode=\"stream:always\".",
    ),
    Param::new(
        "compression.stream.flushOnTXEnd",
        Kind::Bool,
        Some("on"),
        "The receiver can unpack each batch at once. Off is smaller, but what is gathered when a connection breaks is lost.",
    ),
    Param::new(
        "ipFreeBind",
        Kind::INT,
        Some("2"),
        "Bind to an address that this machine does not have (yet): 0 no, 1 yes, 2 yes and say so.",
    ),
    Param::new("maxErrorMessages", Kind::INT, None, "Has no effect.")
        .deprecated("it has no effect; leave it out"),
    Param::new("rebindInterval", Kind::INT, Some("0"), "Messages after which the connection is made anew."),
    Param::new("keepAlive", Kind::Bool, Some("off"), "TCP keep-alive.").legacy("ActionSendTCPKeepAlive"),
    Param::new("keepAlive.probes", Kind::NONNEG, Some("0"), "Unanswered probes that end it (0: system's).")
        .legacy("ActionSendTCPKeepAlive_Probes"),
    Param::new("keepAlive.time", Kind::NONNEG, Some("0"), "Idle seconds before probes (0: system's).")
        .legacy("ActionSendTCPKeepAlive_Time"),
    Param::new("keepAlive.interval", Kind::NONNEG, Some("0"), "Seconds between probes (0: system's).")
        .legacy("ActionSendTCPKeepAlive_Intvl"),
    Param::new("tcp_user_timeout", Kind::NONNEG, Some("0"), "Milliseconds data may stay unacknowledged."),
    Param::new("conErrSkip", Kind::NONNEG, Some("0"), "Report only every n-th broken connection."),
    Param::new(
        "gnutlsPriorityString",
        Kind::Str,
        None,
        "Protocol versions and ciphers (TLS): OpenSSL's configuration commands, or a GnuTLS priority string.",
    ),
    Param::new("streamDriver", Kind::Word, None, "ptcp (plain TCP), ossl or gtls (TLS); defaultNetstreamDriver where not given.")
        .aliases(&["streamDriver.name"])
        .legacy("ActionSendStreamDriver"),
    Param::new("streamDriverMode", Kind::INT, Some("0"), "1 is TLS.")
        .aliases(&["streamDriver.mode"])
        .legacy("ActionSendStreamDriverMode"),
    Param::new(
        "streamDriverAuthMode",
        Kind::Word,
        None,
        "How the server is checked (TLS): anon, x509/certvalid, x509/name (where not given) or x509/fingerprint.",
    )
    .aliases(&["streamDriver.authMode"])
    .legacy("ActionSendStreamDriverAuthMode"),
    Param::new(
        "streamDriverPermittedPeers",
        Kind::Word,
        None,
        "Names, with wildcards, or fingerprints of servers, separated by commas (TLS); with x509/name the target where not given.",
    )
    .legacy("ActionSendStreamDriverPermittedPeer"),
    Param::new(
        "streamDriver.permitExpiredCerts",
        Kind::Word,
        Some("off"),
        "Whether expired certificates are accepted (TLS): on, off or warn; another word is an error and means off.",
    ),
    Param::new("streamDriverRemoteSNI", Kind::Str, None, "Server name to ask for (TLS); the target where not given.")
        .aliases(&["streamDriver.remoteSNI"])
        .legacy("ActionSendStreamDriverRemoteSNI"),
    Param::new(
        "streamDriver.CheckExtendedKeyPurpose",
        Kind::Bool,
        Some("off"),
        "Whether the certificate's extended key purpose is checked (TLS; ossl always does).",
    ),
    Param::new(
        "streamDriver.PrioritizeSAN",
        Kind::Bool,
        Some("off"),
        "Whether the common name is ignored where a subject alternative name exists (TLS).",
    ),
    Param::new("streamDriver.TlsVerifyDepth", Kind::POSITIVE, None, "Longest certificate chain (TLS); the library's default if not given."),
    Param::new("streamDriver.caFile", Kind::Str, None, "CA file (TLS); defaultNetstreamDriverCAFile where not given."),
    Param::new("streamDriver.crlFile", Kind::Str, None, "File of revoked certificates (TLS)."),
    Param::new("streamDriver.caExtraFiles", Kind::Str, None, "More CA files, separated by commas (TLS)."),
    Param::new("streamDriver.keyFile", Kind::Str, None, "Our private key (TLS), for servers that ask for a certificate."),
    Param::new("streamDriver.certFile", Kind::Str, None, "Our certificate and its chain (TLS)."),
    Param::new(
        "resendLastMsgOnReconnect",
        Kind::Bool,
        Some("off"),
        "After a broken connection, send the last message of the old one again: it may have been lost.",
    )
    .legacy("ActionSendResendLastMsgOnReconnect"),
    Param::new(
        "extendedConnectionCheck",
        Kind::Bool,
        Some("on"),
        "Before each write, look whether the peer has closed the connection.",
    ),
    Param::new("udp.sendToAll", Kind::Bool, None, "Send to all addresses of the target, not the first that works."),
    Param::new("udp.sendDelay", Kind::INT, Some("0"), "Microseconds to wait after each datagram."),
    Param::new("udp.sendBuf", Kind::SIZE, Some("0"), "Send buffer of the socket, bytes (0: system's)."),
    Param::new("pool.resumeInterval", Kind::POSITIVE, Some("30"), "Seconds before a failed target is tried again."),
    Param::new("rateLimit.interval", Kind::NONNEG, Some("0"), "Seconds of the rate limit's window; 0 is no limit.").lenient(),
    Param::new("rateLimit.burst", Kind::NONNEG, Some("200"), "Messages sent in a window; others are dropped.").lenient(),
    Param::new("rateLimit.name", Kind::Str, None, "A ratelimit() object to use instead of interval and burst."),
];

/// The descriptor of omfwd.
pub(super) static MODULE: Module = Module {
    name: "omfwd",
    class: Class::Output,
    builtin: true,
    summary: "Forwards messages to other syslog servers over UDP, TCP or TLS.",
    module_params: MODULE_PARAMS,
    params: PARAMS,
    legacy_create: None,
    counters: &[
        ("bytes.sent", "Bytes sent to the target."),
        ("messages.sent", "Messages sent to the target."),
        ("num.connects", "Connections made to the target (TCP)."),
        (
            "discarded.ratelimit",
            "Messages beyond the rate limit of the action (at its first target).",
        ),
    ],
    examples: &[
        r#"*.* action(type="omfwd" target="127.0.0.1" port="10514" protocol="tcp" TCP_Framing="octet-counted")"#,
        "*.* @127.0.0.1:10514",
        "*.* @@(o)127.0.0.1:10514;RSYSLOG_SyslogProtocol23Format",
    ],
};

//! imrawtcp's table (`spec/elastic-tcp.md` sections 1 to 4).

use crate::inputs::RATE_LIMIT_PARAMS;
use crate::param::{Class, Kind, Module, Param};

/// imrawtcp's descriptor.
pub(super) static MODULE: Module = Module {
    name: "imrawtcp",
    class: Class::Input,
    builtin: false,
    summary: "Receives lines of any kind over TCP, as Elastic's Custom TCP Logs does.",
    module_params: &[],
    params: PARAMS,
    legacy_create: None,
    counters: &[
        ("submitted", "Messages handed to the ruleset."),
        ("bytes.received", "Bytes received, with delimiters and counts."),
        ("sessions.opened", "Connections accepted as sessions."),
        ("sessions.closed", "Sessions that have ended."),
        ("sessions.rejected", "Always 0: connections beyond maxConnections wait."),
        ("sessions.refused", "Always 0: there is no list of senders."),
        ("sessions.failed", "Connections that could not be accepted or set up."),
        ("sessions.open", "Sessions open now."),
        (
            "sessions.timedout",
            "Sessions closed because their peer was silent for longer than timeout.",
        ),
        (
            "frames.oversize",
            "Messages longer than maxMessageSize that were cut (oversize=\"truncate\").",
        ),
        ("frames.incomplete", "Messages lost because their connection ended within them."),
        (
            "framing.errors",
            "Sessions closed, and their last message lost, because it was too long or its count no number.",
        ),
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
            "success",
            "With syslog, in the object processor.syslog: texts that were read without an error, for each document made.",
        ),
        ("failure", "There: texts that are no syslog, or are not there."),
        ("missing", "There: texts that are not there, because syslog.field does not exist."),
        ("discarded.ratelimit", "Messages beyond the rate limit."),
        ("discarded.persource", "Messages beyond what the rate limit allows their source."),
        ("repeated.held", "Messages held back by $RepeatedMsgReduction."),
        ("repeated.told", "Messages submitted in their place."),
        ("memory.waits", "Times a session was not read because memoryBudget was used up."),
        ("memory.used", "Bytes of large messages that are under way or in queues."),
    ],
    examples: &[
        r#"module(load="imrawtcp")
input(type="imrawtcp" address="0.0.0.0" port="8080" tags=["app"])
action(type="omfile" file="/var/log/app.ndjson" template="SLUICE_ECS")"#,
        r#"module(load="imrawtcp")
input(type="imrawtcp" port="9000" framing="rfc6587" syslog="on" syslog.timezone="UTC"
      preserveOriginalEvent="on" dataset="appliance.syslog" maxMessageSize="1m")
action(type="omfile" file="/var/log/appliance.ndjson" template="SLUICE_ECS")"#,
    ],
};

const PARAMS: &[Param] = &[
    Param::new(
        "address",
        Kind::Str,
        Some("localhost"),
        "Address or host name to listen on; 0.0.0.0 or * is all addresses.",
    ),
    Param::new("port", Kind::Str, Some("8080"), "Port or service name; 0 lets the kernel choose."),
    Param::new(
        "framing",
        Kind::Str,
        Some("delimiter"),
        "How the stream is cut: delimiter, or rfc6587 (octet counts, else the delimiter).",
    ),
    Param::new(
        "lineDelimiter",
        Kind::Str,
        Some("\\n"),
        "What ends a message, of any length; \\n \\r \\t \\0 \\\\ and \\xHH stand for the bytes. With \\n a CR before it goes, too.",
    ),
    Param::new(
        "maxMessageSize",
        Kind::Size { min: 1, max: crate::limits::MESSAGE_BYTES_MAX as u64 },
        Some("20m"),
        "Longest message in bytes, without delimiter or count.",
    ),
    Param::new(
        "oversize",
        Kind::Choice(&["close", "truncate"]),
        Some("close"),
        "What becomes of a longer message: its connection is closed and it is lost, or its beginning is taken (tag truncated).",
    ),
    Param::new(
        "stripCr",
        Kind::Bool,
        Some("off"),
        "With rfc6587, too, a CR before the delimiter \\n goes with it.",
    ),
    Param::new("skipEmpty", Kind::Bool, Some("off"), "Leave out empty messages."),
    Param::new(
        "maxConnections",
        Kind::NONNEG,
        Some("0"),
        "Connections at a time; others wait in the kernel until one ends. 0 is no limit.",
    ),
    Param::new(
        "timeout",
        Kind::Str,
        Some("300s"),
        "How long a peer may be silent, as 300s, 5m or 1m30s; 0 is for ever. What it has sent of a message is lost.",
    ),
    Param::new(
        "memoryBudget",
        Kind::Size { min: 1, max: u64::MAX },
        Some("256m"),
        "Bytes that messages of more than 16 KiB may take together, until they are written; senders wait beyond it. At least maxMessageSize. Beside it each connection may hold 32 KiB of a message.",
    ),
    Param::new("tags", Kind::Array, None, "Tags of the documents."),
    Param::new(
        "dataset",
        Kind::Str,
        Some("tcp.generic"),
        "data_stream.dataset: lower case, no - and none of \\ / * ? \" < > | , # : or blank, 100 bytes at most.",
    ),
    Param::new(
        "namespace",
        Kind::Str,
        Some("default"),
        "data_stream.namespace, with the same rules.",
    ),
    Param::new(
        "pipeline",
        Kind::Str,
        None,
        "Ingest pipeline that Elasticsearch sends the documents through.",
    ),
    Param::new(
        "preserveOriginalEvent",
        Kind::Bool,
        Some("off"),
        "Keep the text as it was received in event.original, and tag the document.",
    ),
    Param::new(
        "keepNull",
        Kind::Bool,
        Some("off"),
        "Write fields that a syslog header leaves out (-) as null.",
    ),
    Param::new(
        "syslog",
        Kind::Bool,
        Some("off"),
        "Read the text as syslog when it becomes a document.",
    ),
    Param::new(
        "syslog.field",
        Kind::Str,
        Some("message"),
        "The field that is read: message or event.original.",
    ),
    Param::new(
        "syslog.format",
        Kind::Choice(&["auto", "rfc3164", "rfc5424"]),
        Some("auto"),
        "The header's format.",
    ),
    Param::new(
        "syslog.timezone",
        Kind::Str,
        Some("Local"),
        "Zone of times without one: Local, UTC, a name such as Europe/Berlin, or +0200.",
    ),
    Param::new(
        "syslog.yearRollover",
        Kind::Bool,
        Some("on"),
        "Whether a time without a year that would lie more than a day ahead is taken for last year's.",
    ),
    Param::new(
        "syslog.overwriteKeys",
        Kind::Bool,
        Some("on"),
        "Whether message and @timestamp are replaced by what the header says.",
    ),
    Param::new(
        "syslog.ignoreMissing",
        Kind::Bool,
        Some("off"),
        "Whether it is no failure that syslog.field does not exist.",
    ),
    Param::new(
        "syslog.ignoreFailure",
        Kind::Bool,
        Some("off"),
        "Whether texts that are no syslog get no error.message.",
    ),
    Param::new(
        "syslog.tag",
        Kind::Str,
        None,
        "Tells this reader of syslog from those of other inputs: its counters' object is processor.syslog.TAG. Documents do not have it.",
    ),
    Param::new(
        "name",
        Kind::Str,
        Some("imrawtcp"),
        "The inputname property and the first part of the counters' name.",
    ),
    Param::new(
        "ruleset",
        Kind::Str,
        None,
        "Ruleset that the messages go to; unset is the default ruleset.",
    ),
    Param::new("listenPortFileName", Kind::Str, None, "File that gets the port the kernel chose."),
    Param::new(
        "workerThreads",
        Kind::Int { min: 1, max: 1024 },
        Some("2"),
        "Threads that receive.",
    ),
    Param::new(
        "starvationProtection.maxReads",
        Kind::NONNEG,
        Some("500"),
        "Receives of one session before others get their turn; 0 is no limit.",
    ),
    Param::new(
        "socketBacklog",
        Kind::NONNEG,
        Some("0"),
        "Connections the kernel keeps until they are accepted; 0 is 4096.",
    ),
    RATE_LIMIT_PARAMS[0],
    RATE_LIMIT_PARAMS[1],
    RATE_LIMIT_PARAMS[2],
    Param::new("networkNamespace", Kind::Str, None, "Network namespace of the sockets."),
    Param::new(
        "tls.enabled",
        Kind::Bool,
        None,
        "Whether peers speak TLS; unset, they do where any other parameter tls.* is given.",
    ),
    Param::new(
        "tls.certificate",
        Kind::Str,
        None,
        "The certificate and its chain: the name of a PEM file, which HUP reads again, or the PEM text itself.",
    ),
    Param::new(
        "tls.key",
        Kind::Str,
        None,
        "The private key, likewise. Text in the configuration is not shown in messages, nor by -o.",
    ),
    Param::new("tls.keyPassphrase", Kind::Str, None, "Passphrase of the private key."),
    Param::new(
        "tls.certificateAuthorities",
        Kind::Array,
        None,
        "Certificates that clients' ones are checked with: names of PEM files, or PEM texts.",
    ),
    Param::new(
        "tls.clientAuthentication",
        Kind::Choice(&["none", "optional", "required"]),
        None,
        "Whether clients need a certificate; unset is required with certificateAuthorities, else none. optional: one that is shown is checked. Without certificateAuthorities the system's count.",
    ),
    Param::new(
        "tls.verificationMode",
        Kind::Choice(&["full", "strict", "certificate", "none"]),
        Some("full"),
        "none: a certificate is not checked, whoever made it; all others check its chain and its dates.",
    ),
    Param::new(
        "tls.supportedProtocols",
        Kind::Array,
        None,
        "Versions of TLS: TLSv1.1, TLSv1.2, TLSv1.3; unset is 1.2 and 1.3.",
    ),
    Param::new(
        "tls.cipherSuites",
        Kind::Array,
        None,
        "Ciphers below TLS 1.3, by Elastic's or OpenSSL's names.",
    ),
    Param::new("tls.curveTypes", Kind::Array, None, "Curves: P-256, P-384, P-521, X25519."),
    Param::new(
        "tls.caSha256",
        Kind::Array,
        None,
        "SHA-256 in base64 of certificates, or of their public keys, one of which has to be in the chain of a client's certificate.",
    ),
];

//! What imuxsock can be told: its tables for configuration, help and documentation.

use crate::param::{Class, Kind, Module, Param};

/// The module's description.
pub static MODULE: Module = Module {
    name: "imuxsock",
    class: Class::Input,
    builtin: false,
    summary: "Receives the messages of local programs over Unix datagram sockets such as /dev/log.",
    module_params: MODULE_PARAMS,
    params: INPUT_PARAMS,
    legacy_create: Some(("AddUnixListenSocket", "socket")),
    counters: &[
        ("submitted", "Messages handed to the queue, of all sockets."),
        ("ratelimit.discarded", "Messages beyond a rate limit."),
        ("ratelimit.numratelimiters", "Processes whose messages are limited one by one."),
        ("msgs.received", "Datagrams received."),
        ("empty", "Datagrams without a byte, which make no message."),
        ("truncated", "Datagrams cut to maxMessageSize."),
        ("discarded.own", "The daemon's own messages, dropped because of ignoreOwnMessages."),
        ("discarded.persource", "Messages beyond what the rate limit allows their source."),
        ("repeated.held", "Messages held back by $RepeatedMsgReduction."),
        ("repeated.told", "Messages submitted in their place."),
    ],
    examples: &[
        "module(load=\"imuxsock\")",
        "module(load=\"imuxsock\" sysSock.use=\"off\")\n\
         input(type=\"imuxsock\" socket=\"/var/lib/jail/dev/log\" createPath=\"on\" hostName=\"jail\")",
        "$ModLoad imuxsock\n$SystemLogRateLimitInterval 5\n$AddUnixListenSocket /var/lib/jail/dev/log",
    ],
};

const MODULE_PARAMS: &[Param] = &[
    Param::new("sysSock.use", Kind::Bool, Some("on"), "Whether the system's log socket is opened."),
    // The same the other way round.
    Param::new(
        "omitLocalLogging",
        Kind::Bool,
        Some("off"),
        "Whether the system's log socket is left alone.",
    )
    .legacy("OmitLocalLogging")
    .legacy_only(),
    Param::new(
        "sysSock.name",
        Kind::Word,
        None,
        "Path of the system's log socket; not set, it is /dev/log, or what journald forwards to where that is there.",
    )
    .legacy("SystemLogSocketName"),
    Param::new(
        "sysSock.unlink",
        Kind::Bool,
        Some("on"),
        "Whether what stands at the path is removed before and the socket afterwards.",
    ),
    Param::new(
        "sysSock.ignoreTimestamp",
        Kind::Bool,
        Some("on"),
        "Whether the time in the message gives way to the time of reception.",
    )
    .legacy("SystemLogSocketIgnoreMsgTimestamp"),
    Param::new(
        "sysSock.ignoreOwnMessages",
        Kind::Bool,
        None,
        "Whether messages of the daemon itself are dropped; not set, it is what processInternalMessages is.",
    ),
    Param::new(
        "sysSock.flowControl",
        Kind::Bool,
        Some("off"),
        "Whether senders are held up while the queue is filling.",
    )
    .legacy("SystemLogSocketFlowControl"),
    Param::new(
        "sysSock.useSysTimeStamp",
        Kind::Bool,
        Some("on"),
        "Whether the time is the one at which the kernel took the message.",
    )
    .legacy("SystemLogUseSysTimeStamp"),
    Param::new(
        "sysSock.annotate",
        Kind::Bool,
        Some("off"),
        "Whether what the kernel knows of the sender is put behind the message.",
    )
    .legacy("SystemLogSocketAnnotate"),
    Param::new(
        "sysSock.parseTrusted",
        Kind::Bool,
        Some("off"),
        "With annotate: whether it goes into the variables of the message instead.",
    )
    .legacy("SystemLogParseTrusted"),
    Param::new(
        "sysSock.useSpecialParser",
        Kind::Bool,
        Some("on"),
        "Whether messages have the format of local ones; off, the ruleset's parsers read them.",
    ),
    Param::new(
        "sysSock.parseHostname",
        Kind::Bool,
        Some("on"),
        "Without the special parser: whether a host name is looked for.",
    ),
    Param::new(
        "sysSock.usePidFromSystem",
        Kind::Bool,
        Some("off"),
        "Whether the process id in the tag is the one that the kernel knows.",
    )
    .legacy("SystemLogUsePIDFromSystem"),
    Param::new(
        "sysSock.rateLimit.interval",
        RATE,
        Some("0"),
        "Seconds of the window in which each process may send so many messages; 0 is no limit.",
    )
    .legacy("SystemLogRateLimitInterval"),
    Param::new(
        "sysSock.rateLimit.burst",
        RATE,
        Some("200"),
        "Messages of a process let through in a window.",
    )
    .legacy("SystemLogRateLimitBurst"),
    Param::new(
        "sysSock.rateLimit.severity",
        Kind::INT,
        Some("1"),
        "Messages of a smaller severity number are not limited.",
    )
    .legacy("SystemLogRateLimitSeverity"),
    Param::new(
        "sysSock.rateLimit.name",
        Kind::Str,
        None,
        "A ratelimit() object to use instead of interval and burst, for the socket as a whole.",
    ),
];

const INPUT_PARAMS: &[Param] = &[
    Param::new("socket", Kind::Str, None, "Path of the socket; there is no input without it."),
    Param::new(
        "hostName",
        Kind::Str,
        None,
        "Host name of the messages; not set, it is the local one. The directive is for the next socket only.",
    )
    .legacy_once("InputUnixListenSocketHostName"),
    Param::new(
        "ignoreTimestamp",
        Kind::Bool,
        Some("on"),
        "Whether the time in the message gives way to the time of reception.",
    )
    .legacy("InputUnixListenSocketIgnoreMsgTimestamp"),
    Param::new(
        "ignoreOwnMessages",
        Kind::Bool,
        None,
        "Whether messages of the daemon itself are dropped; not set, it is what processInternalMessages is.",
    ),
    Param::new(
        "flowControl",
        Kind::Bool,
        Some("off"),
        "Whether senders are held up while the queue is filling.",
    )
    .legacy("InputUnixListenSocketFlowControl"),
    Param::new(
        "createPath",
        Kind::Bool,
        Some("off"),
        "Whether missing directories of the path are made.",
    )
    .legacy("InputUnixListenSocketCreatePath"),
    Param::new(
        "unlink",
        Kind::Bool,
        Some("on"),
        "Whether what stands at the path is removed before and the socket afterwards.",
    ),
    Param::new(
        "useSysTimeStamp",
        Kind::Bool,
        Some("on"),
        "Whether the time is the one at which the kernel took the message.",
    )
    .legacy("InputUnixListenSocketUseSysTimeStamp"),
    Param::new(
        "annotate",
        Kind::Bool,
        Some("off"),
        "Whether what the kernel knows of the sender is put behind the message.",
    )
    .legacy("InputUnixListenSocketAnnotate"),
    Param::new(
        "parseTrusted",
        Kind::Bool,
        Some("off"),
        "With annotate: whether it goes into the variables of the message instead.",
    ),
    Param::new(
        "usePidFromSystem",
        Kind::Bool,
        Some("off"),
        "Whether the process id in the tag is the one that the kernel knows.",
    )
    .legacy("InputUnixListenSocketUsePIDFromSystem"),
    Param::new(
        "useSpecialParser",
        Kind::Bool,
        Some("on"),
        "Whether messages have the format of local ones; off, the ruleset's parsers read them.",
    ),
    Param::new(
        "parseHostname",
        Kind::Bool,
        None,
        "Without the special parser: whether a host name is looked for; not set, only for a path that begins with a colon.",
    ),
    Param::new("ruleset", Kind::Str, None, "The ruleset that processes the messages."),
    Param::new(
        "rateLimit.interval",
        RATE,
        Some("0"),
        "Seconds of the window in which each process may send so many messages; 0 is no limit.",
    )
    .legacy("IMUXSockRateLimitInterval"),
    Param::new(
        "rateLimit.burst",
        RATE,
        Some("200"),
        "Messages of a process let through in a window.",
    )
    .legacy("IMUXSockRateLimitBurst"),
    Param::new(
        "rateLimit.severity",
        Kind::INT,
        Some("1"),
        "Messages of a smaller severity number are not limited.",
    )
    .legacy("IMUXSockRateLimitSeverity"),
    Param::new(
        "rateLimit.name",
        Kind::Str,
        None,
        "A ratelimit() object to use instead of interval and burst, for the socket as a whole.",
    ),
];

const RATE: Kind = Kind::Int { min: 0, max: u32::MAX as i64 };

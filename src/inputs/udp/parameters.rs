//! What imudp can be told: its tables for configuration, help and documentation.

use crate::inputs::RATE_LIMIT_PARAMS;
use crate::param::{Class, Kind, Module, Param};

/// The module's description.
pub static MODULE: Module = Module {
    name: "imudp",
    class: Class::Input,
    builtin: false,
    summary: "Receives syslog messages over UDP.",
    module_params: MODULE_PARAMS,
    params: INPUT_PARAMS,
    legacy_create: Some(("UDPServerRun", "port")),
    counters: &[
        ("submitted", "Messages handed to the queue, per listener."),
        ("disallowed", "Datagrams from senders that are not allowed, per listener."),
        (
            "disallowed.byname",
            "Those of them that were submitted, because only their name told; dropped behind the queue.",
        ),
        ("truncated", "Datagrams cut to maxMessageSize, per listener."),
        ("discarded.ratelimit", "Messages beyond the rate limit, per listener."),
        (
            "discarded.persource",
            "Messages beyond what the rate limit allows their source, per listener.",
        ),
        ("repeated.held", "Messages held back by $RepeatedMsgReduction, per listener."),
        ("repeated.told", "Messages submitted in their place, per listener."),
        ("empty", "Datagrams without a byte, which make no message, per listener."),
        (
            "kernel.drops",
            "Datagrams lost because the socket's receive buffer was full, per listener.",
        ),
        (
            "kernel.drops.valid",
            "Whether the kernel tells about such losses: 1, or 0 where kernel.drops means nothing.",
        ),
        ("called.recvmmsg", "Receive calls, per thread."),
        ("called.recvmsg", "Receive calls for a single datagram, per thread; always 0."),
        ("msgs.received", "Datagrams received, per thread."),
    ],
    examples: &[
        "module(load=\"imudp\")\ninput(type=\"imudp\" port=\"514\")",
        "module(load=\"imudp\" threads=\"2\" batchSize=\"64\")\n\
         input(type=\"imudp\" port=[\"514\", \"10514\"] address=\"127.0.0.1\" rcvbufSize=\"4m\")",
        "$ModLoad imudp\n$UDPServerAddress 127.0.0.1\n$UDPServerRun 514",
    ],
};

const MODULE_PARAMS: &[Param] = &[
    Param::new(
        "timeRequery",
        Kind::INT,
        Some("2"),
        "The clock is read at every n-th receive call; 0 and 1 mean every call.",
    )
    .legacy("UDPServerTimeRequery"),
    Param::new(
        "schedulingPolicy",
        Kind::Word,
        None,
        "How the kernel schedules the threads: fifo, rr or other; only with schedulingPriority.",
    )
    .legacy("IMUDPSchedulingPolicy"),
    Param::new(
        "schedulingPriority",
        Kind::INT,
        None,
        "Priority of the threads, within the policy's range; only with schedulingPolicy.",
    )
    .legacy("IMUDPSchedulingPriority"),
    Param::new(
        "batchSize",
        Kind::INT,
        Some("32"),
        "Most datagrams one receive call takes, 1 to 1024.",
    ),
    Param::new(
        "threads",
        Kind::POSITIVE,
        Some("1"),
        "Receiving threads, at most 32; each serves all ports.",
    ),
    Param::new(
        "preserveCase",
        Kind::Bool,
        Some("off"),
        "Keeps the case of the sender's name (fromhost).",
    ),
    Param::new(
        "allowedSender",
        Kind::Array,
        None,
        "Addresses, networks and host names (with * and ?) that may send; for inputs without their own.",
    ),
];

const INPUT_PARAMS: &[Param] = &[
    Param::required(
        "port",
        Kind::Array,
        "Ports to listen on, as numbers; 0 lets the kernel choose, an empty string is 514.",
    ),
    Param::new(
        "address",
        Kind::Str,
        None,
        "Local address or name to bind to; * and none are all addresses.",
    )
    .legacy("UDPServerAddress"),
    Param::new("ruleset", Kind::Str, None, "The ruleset that processes the messages.")
        .legacy("InputUDPServerBindRuleset"),
    Param::new(
        "name",
        Kind::Word,
        Some("imudp"),
        "The inputname property, and the counters' prefix.",
    ),
    Param::new("inputname", Kind::Word, None, "Deprecated: the same as name."),
    Param::new(
        "name.appendPort",
        Kind::Bool,
        Some("off"),
        "Appends the port to the inputname property.",
    ),
    Param::new(
        "inputname.appendPort",
        Kind::Bool,
        None,
        "Deprecated: the same as name.appendPort.",
    ),
    Param::new("device", Kind::Str, None, "Network device to bind to, e.g. eth0."),
    Param::new(
        "defaultTZ",
        Kind::Str,
        None,
        "Offset from UTC, e.g. -05:00, of times that name none (RFC 3164).",
    ),
    RATE_LIMIT_PARAMS[0],
    RATE_LIMIT_PARAMS[1],
    RATE_LIMIT_PARAMS[2],
    Param::new(
        "rcvbufSize",
        Kind::SIZE,
        Some("0"),
        "Bytes of the sockets' receive buffers, at most 1 GiB; 0 leaves the system's default.",
    ),
    Param::new(
        "ipFreeBind",
        Kind::INT,
        Some("2"),
        "An address this machine does not have: 0 is an error, 1 is bound, 2 is bound with a warning.",
    ),
    Param::new(
        "listenPortFileName",
        Kind::Str,
        None,
        "File that the port's number is written to; for one port and one address.",
    ),
    Param::new(
        "reusePort",
        Kind::Bool,
        Some("off"),
        "A socket for each of the module's threads (SO_REUSEPORT), to which the kernel deals senders out; others \
         of the same user may then bind to the port as well. Not in rsyslog.",
    ),
    Param::new(
        "allowedSender",
        Kind::Array,
        None,
        "Addresses, networks and host names (with * and ?) that may send; replaces the module's.",
    ),
];

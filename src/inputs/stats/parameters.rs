//! What impstats can be told: its table for configuration, help and documentation.

use crate::param::{Class, Kind, Module, Param};

/// The module's description.
pub static MODULE: Module = Module {
    name: "impstats",
    class: Class::Input,
    builtin: false,
    summary: "Reports all counters from time to time.",
    module_params: MODULE_PARAMS,
    params: &[],
    legacy_create: None,
    counters: &[
        ("utime", "CPU time in user mode, microseconds."),
        ("stime", "CPU time in the kernel, microseconds."),
        ("maxrss", "most resident memory, KiB."),
        ("minflt", "page faults without I/O."),
        ("majflt", "page faults with I/O."),
        ("inblock", "reads from disks."),
        ("oublock", "writes to disks."),
        ("nvcsw", "waits that gave the CPU away."),
        ("nivcsw", "times another thread took the CPU."),
        ("openfiles", "open descriptors."),
        ("submitted", "lines handed to the queue."),
    ],
    examples: &[
        "module(load=\"impstats\" interval=\"60\" log.syslog=\"off\" log.file=\"/var/log/impstats.log\")",
        "module(load=\"impstats\" interval=\"10\" format=\"json\" resetCounters=\"on\" ruleset=\"stats\")\n\
         ruleset(name=\"stats\") { action(type=\"omfile\" file=\"/var/log/stats.json\") }",
        "module(load=\"impstats\" log.syslog=\"off\" http.listen=\"127.0.0.1:9153\")",
        "$ModLoad impstats\n$PStatInterval 600\n$PStatSeverity 7",
    ],
};

const MODULE_PARAMS: &[Param] = &[
    Param::new("interval", Kind::INT, Some("300"), "Seconds between two reports.")
        .legacy("PStatInterval")
        .legacy_alias("PStatsInterval"),
    Param::new(
        "facility",
        Kind::Int { min: 0, max: 23 },
        Some("5"),
        "Facility of the messages, as a number.",
    )
    .lenient()
    .legacy("PStatFacility"),
    Param::new(
        "severity",
        Kind::Int { min: 0, max: 7 },
        Some("6"),
        "Severity of the messages, as a number.",
    )
    .lenient()
    .legacy("PStatSeverity"),
    Param::new(
        "bracketing",
        Kind::Bool,
        Some("off"),
        "Each report begins with a line BEGIN and ends with a line END.",
    ),
    Param::new("log.syslog", Kind::Bool, Some("on"), "Reports are messages, one for each line."),
    Param::new(
        "resetCounters",
        Kind::Bool,
        Some("off"),
        "Counters begin anew with each report; gauges do not.",
    ),
    Param::new("log.file", Kind::Word, None, "Reports are also appended to this file."),
    Param::new(
        "log.file.overwrite",
        Kind::Bool,
        Some("off"),
        "The file holds the last report only, and is replaced as a whole. With format=\"prometheus\" it is a valid \
         exposition, for node_exporter's textfile collector.",
    ),
    Param::new(
        "format",
        Kind::Word,
        Some("legacy"),
        "How lines look: legacy, json, json-elasticsearch, cee, prometheus or zabbix.",
    ),
    Param::new("PStatJSON", Kind::Bool, Some("off"), "Lines are JSON.")
        .legacy("PStatJSON")
        .legacy_only(),
    Param::new("PStatCEE", Kind::Bool, Some("off"), "Lines are JSON behind a CEE cookie.")
        .legacy("PStatCEE")
        .legacy_only(),
    Param::new("ruleset", Kind::Str, None, "Ruleset that processes the messages."),
    Param::new(
        "ledger",
        Kind::Bool,
        Some("on"),
        "The object ledger is reported, too: for each input, queue and action, what it has received, processed, \
         holds and has dropped, and why. rsyslog has no such object.",
    ),
    Param::new(
        "http.listen",
        Kind::Word,
        None,
        "Counters over HTTP: address:port, or the absolute path of a Unix socket. See sluice-metrics(5).",
    ),
    Param::new(
        "http.allow",
        Kind::Bool,
        Some("off"),
        "http.listen may be another address than loopback.",
    ),
    Param::new("http.listenPortFileName", Kind::Word, None, "The port is written to this file."),
    Param::new("push.url", Kind::Word, None, "Prometheus remote-write endpoint."),
    Param::new("push.labels", Kind::Array, None, "Labels of all series, name=value."),
    Param::new("push.timeout.ms", Kind::INT, Some("5000"), "Milliseconds a request may take."),
    Param::new("push.label.instance", Kind::Bool, Some("on"), "Series carry the host name."),
    Param::new("push.label.origin", Kind::Bool, Some("off"), "Series carry the object's origin."),
    Param::new("push.label.name", Kind::Bool, Some("off"), "Series carry the object's name."),
    Param::new("push.label.job", Kind::Word, Some("rsyslog"), "Label job; empty for none."),
    Param::new("push.tls.cafile", Kind::Word, None, "Authorities to trust, PEM."),
    Param::new("push.tls.certfile", Kind::Word, None, "Client certificate, PEM."),
    Param::new("push.tls.keyfile", Kind::Word, None, "Its key, PEM."),
    Param::new(
        "push.tls.insecureSkipVerify",
        Kind::Bool,
        Some("off"),
        "The endpoint's certificate is not checked.",
    ),
    Param::new("push.batch.maxBytes", Kind::INT, Some("0"), "Bytes of one push; 0 is no limit."),
    Param::new("push.batch.maxSeries", Kind::INT, Some("0"), "Series of one push; 0 is no limit."),
];

//! What imklog and imkmsg can be told: their tables for configuration, help and documentation.

use crate::param::{Class, Kind, Module, Param};

/// imklog's description.
pub(super) static KLOG: Module = Module {
    name: "imklog",
    class: Class::Input,
    builtin: false,
    summary: "Reads the kernel's log.",
    module_params: KLOG_PARAMS,
    params: &[],
    legacy_create: None,
    counters: &[
        ("submitted", "Messages handed to the queue."),
        ("msgs.received", "Lines read."),
        ("discarded.facility", "Lines of other facilities than kern, which are not permitted."),
        ("discarded.ratelimit", "Messages beyond the rate limit."),
        ("discarded.persource", "Messages beyond what the rate limit allows their source."),
        ("repeated.held", "Messages held back by $RepeatedMsgReduction."),
        ("repeated.told", "Messages submitted in their place."),
    ],
    examples: &[
        "module(load=\"imklog\")",
        "module(load=\"imklog\" permitNonKernelFacility=\"on\" parseKernelTimestamp=\"on\")",
        "$ModLoad imklog\n$KLogPermitNonKernelFacility on",
    ],
};

const KLOG_PARAMS: &[Param] = &[
    Param::new("ruleset", Kind::Str, None, "The ruleset that processes the messages."),
    Param::new(
        "logPath",
        Kind::Word,
        Some("/proc/kmsg"),
        "What is read: the kernel's log, or any other file or named pipe with such lines.",
    )
    .legacy("KLogPath"),
    Param::new(
        "permitNonKernelFacility",
        Kind::Bool,
        Some("off"),
        "Whether messages of other facilities than kern are taken, which user space has written there.",
    )
    .legacy("KLogPermitNonKernelFacility"),
    Param::new(
        "consoleLogLevel",
        Kind::INT,
        Some("-1"),
        "Messages of a smaller severity number go to the console, too; -1 changes nothing.",
    )
    .legacy("KLogConsoleLogLevel"),
    Param::new(
        "parseKernelTimestamp",
        Kind::Bool,
        Some("off"),
        "Whether the kernel's time, of a clock that stands still while the machine sleeps, is the message's.",
    )
    .legacy("KLogParseKernelTimestamp"),
    Param::new(
        "keepKernelTimestamp",
        Kind::Bool,
        Some("off"),
        "Whether the kernel's time stays in the text.",
    )
    .legacy("KLogKeepKernelTimestamp"),
    Param::new(
        "internalMsgFacility",
        Kind::Facility,
        Some("syslog"),
        "Facility of the module's own messages.",
    )
    .legacy("KLogInternalMsgFacility")
    .no_effect("rsyslogd does not use it on Linux either"),
    Param::new("rateLimitInterval", RATE, Some("0"), "Seconds of the rate limit's window; 0 is no limit."),
    Param::new("rateLimitBurst", RATE, Some("10000"), "Messages let through in a window."),
    Param::new(
        "rateLimit.name",
        Kind::Str,
        None,
        "A ratelimit() object to use instead of interval and burst.",
    ),
    gone("kLogLocalIPIF", "KLogLocalIPIF"),
    gone("debugPrintKernelSymbols", "DebugPrintKernelSymbols"),
    gone("kLogSymbolLookup", "KLogSymbolLookup"),
    gone("kLogSymbolsTwice", "KLogSymbolsTwice"),
    gone("kLogUseSyscallInterface", "KLogUseSyscallInterface"),
];

/// A directive that rsyslogd, too, only knows as gone.
const fn gone(name: &'static str, directive: &'static str) -> Param {
    Param::new(name, Kind::Gone, None, "Of old kernels; has no effect.")
        .legacy(directive)
        .legacy_only()
}

/// imkmsg's description.
pub(super) static KMSG: Module = Module {
    name: "imkmsg",
    class: Class::Input,
    builtin: false,
    summary: "Reads the kernel's log from /dev/kmsg, with the properties of devices as variables.",
    module_params: KMSG_PARAMS,
    params: &[],
    legacy_create: None,
    counters: &[
        ("submitted", "Messages handed to the queue."),
        ("msgs.received", "Records read."),
        ("discarded.malformed", "Records that are none."),
        ("discarded.ratelimit", "Messages beyond the rate limit, of which there is none."),
        ("discarded.persource", "Messages beyond what the rate limit allows their source."),
        ("repeated.held", "Messages held back by $RepeatedMsgReduction."),
        ("repeated.told", "Messages submitted in their place."),
    ],
    examples: &["module(load=\"imkmsg\" readMode=\"new-only\")"],
};

const KMSG_PARAMS: &[Param] = &[
    Param::new(
        "readMode",
        Kind::Word,
        Some("full-boot"),
        "Where reading begins: full-always, with all that the kernel remembers; new-only, with what is new; full-boot, \
         with all while the machine is starting.",
    ),
    Param::new(
        "parseKernelTimestamp",
        Kind::Word,
        Some("startup"),
        "Whose time is taken: on or always, the kernel's; off, that of reading; startup, the kernel's for what was there \
         before.",
    ),
    Param::new(
        "expectedBootCompleteSeconds",
        Kind::POSITIVE,
        Some("90"),
        "With full-boot: for how many seconds the machine is taken to be starting.",
    ),
];

const RATE: Kind = Kind::Int { min: 0, max: u32::MAX as i64 };

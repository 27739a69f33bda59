//! What imdiag can be told: its tables for configuration, help and documentation.

use crate::param::{Class, CoreSetting, Kind, Module, Param};

/// The module's description.
pub static MODULE: Module = Module {
    name: "imdiag",
    class: Class::Input,
    builtin: false,
    summary: "Lets tests drive the daemon over a TCP connection.",
    module_params: MODULE_PARAMS,
    params: INPUT_PARAMS,
    legacy_create: None,
    counters: &[
        ("submitted", "Messages handed to the queue."),
        (
            "potentialTotalArtificialDelayInMs",
            "Milliseconds for which statistics reports would have been held up.",
        ),
        (
            "actualTotalArtificialDelayInMs",
            "Milliseconds for which statistics reports were held up.",
        ),
        ("delayInvocationCount", "How often a statistics report was held up."),
    ],
    examples: &[
        "module(load=\"imdiag\" serverRun=\"0\" listenPortFileName=\"/tmp/imdiag.port\")",
        "module(load=\"imdiag\")\ninput(type=\"imdiag\" port=\"13500\")",
    ],
};

const PORT_DOC: &str = "Port to listen on; 0 lets the kernel choose one.";

const MODULE_PARAMS: &[Param] = &[
    Param::new("serverRun", Kind::Str, None, PORT_DOC).legacy_always("IMDiagServerRun"),
    Param::new(
        "address",
        Kind::Word,
        None,
        "Address to listen on; where it is not given, only this machine can connect.",
    ),
    Param::new("listenPortFileName", Kind::Str, None, "File that gets the port in decimal.")
        .legacy_always("IMDiagListenPortFileName"),
    Param::new(
        "abortTimeout",
        Kind::POSITIVE,
        None,
        "Seconds after which a process that still runs is aborted.",
    )
    .lenient()
    .legacy_always("IMDiagAbortTimeout"),
    Param::new(
        "properTerminationFile",
        Kind::Str,
        None,
        "File that the process writes as its last step, with how it ended.",
    ),
    Param::new(
        "injectDelayMode",
        Kind::Choice(&["no", "light", "full"]),
        Some("no"),
        "How far injected messages may be held up when the queue fills.",
    )
    .legacy_always("IMDiagInjectDelayMode"),
    Param::new("maxSessions", Kind::POSITIVE, Some("20"), "Most connections at a time.")
        .lenient()
        .legacy_always("IMDiagMaxSessions"),
    Param::new("serverInputName", Kind::Str, Some("imdiag"), "inputname of injected messages.")
        .legacy_always("IMDiagServerInputName"),
    Param::new("serverStreamDriverMode", Kind::INT, Some("0"), "Transport mode; 0 is plain TCP.")
        .legacy_always("IMDiagServerStreamDriverMode")
        .missing(),
    Param::new("serverStreamDriverAuthMode", Kind::Str, None, "How peers are authenticated.")
        .legacy_always("IMDiagServerStreamDriverAuthMode")
        .missing(),
    Param::new("serverStreamDriverPermittedPeer", Kind::Array, None, "Peers that may connect.")
        .legacy_always("IMDiagServerStreamDriverPermittedPeer")
        .missing(),
    Param::new(
        "mainMsgQueueTimeoutShutdown",
        Kind::NONNEG,
        None,
        "Milliseconds for emptying the main queue at shutdown.",
    )
    .lenient()
    .legacy_always("IMDiagMainMsgQueueTimeoutShutdown")
    .sets(CoreSetting::MainQueue("queue.timeoutShutdown")),
    Param::new(
        "mainMsgQueueTimeoutEnqueue",
        Kind::NONNEG,
        None,
        "Milliseconds for which a message waits for room in the main queue.",
    )
    .lenient()
    .legacy_always("IMDiagMainMsgQueueTimeoutEnqueue")
    .sets(CoreSetting::MainQueue("queue.timeoutEnqueue")),
    Param::new(
        "inputShutdownTimeout",
        Kind::NONNEG,
        None,
        "Milliseconds for which inputs may take to end.",
    )
    .lenient()
    .legacy_always("IMDiagInputShutdownTimeout")
    .sets(CoreSetting::Global("inputs.timeout.shutdown")),
    Param::new(
        "defaultActionQueueTimeoutShutdown",
        Kind::NONNEG,
        None,
        "Milliseconds for emptying an action's queue at shutdown, unless the action says otherwise.",
    )
    .lenient()
    .legacy_always("IMDiagDefaultActionQueueTimeoutShutdown")
    .sets(CoreSetting::Global("default.action.queue.timeoutShutdown")),
    Param::new(
        "defaultActionQueueTimeoutEnqueue",
        Kind::NONNEG,
        None,
        "Milliseconds for which a message waits for room in an action's queue, unless the action says otherwise.",
    )
    .lenient()
    .legacy_always("IMDiagDefaultActionQueueTimeoutEnqueue")
    .sets(CoreSetting::Global("default.action.queue.timeoutEnqueue")),
];

const INPUT_PARAMS: &[Param] = &[Param::required("port", Kind::Str, PORT_DOC)];

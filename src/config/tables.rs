//! The parameter tables of the core objects: `global()`, queues, `action.*`, templates, rulesets, `include()`.
//!
//! Modules carry their own tables. Defaults are configuration text; `None` is "not set". What this version does
//! not do yet is `.missing()`: the checker reports it wherever it is given with another value than the default.

use crate::param::{Kind, Param};

const MILLISECONDS: Kind = Kind::INT;
const HOUR: Kind = Kind::Int { min: 0, max: 25 };
const NO_LISTS: &str = "debug output has no such list; -o shows the configuration";

/// `global(…)` and the `$` directives of the same meaning.
pub static GLOBAL: &[Param] = &[
    Param::new("workDirectory", Kind::Str, None, "Directory of state files; must exist.")
        .legacy("WorkDirectory"),
    Param::new(
        "operatingStateFile",
        Kind::Str,
        None,
        "File that gets the daemon's own messages and tells whether it ended well.",
    ),
    Param::new(
        "dropMsgsWithMaliciousDNSPTRRecords",
        Kind::Bool,
        Some("off"),
        "Drop messages whose sender's PTR record is a numeric address.",
    )
    .legacy("DropMsgsWithMaliciousDNSPTRRecords"),
    Param::new("localHostname", Kind::Word, None, "Host name to use instead of the system's.")
        .legacy("LocalHostName"),
    Param::new(
        "preserveFQDN",
        Kind::Bool,
        Some("off"),
        "Keep the domain part of the local host name.",
    )
    .legacy("PreserveFQDN"),
    Param::new(
        "compactJsonString",
        Kind::Bool,
        Some("off"),
        "Render JSON variables without blanks.",
    ),
    Param::new("debug.onShutdown", Kind::Bool, Some("off"), "Write debug output during shutdown."),
    Param::new(
        "debug.logFile",
        Kind::Str,
        None,
        "File that gets the debug output, too; emptied at the start.",
    )
    .legacy("DebugFile"),
    Param::new("debug.gnutls", Kind::NONNEG, Some("0"), "Debug level of the TLS library.")
        .no_effect("OpenSSL is used, which has no such level"),
    Param::new(
        "debug.abortOnProgramError",
        Kind::Bool,
        Some("off"),
        "Abort when a program error is found.",
    )
    .always("on", "a program error always ends it"),
    Param::new("debug.unloadModules", Kind::Bool, Some("on"), "Unload modules at exit.")
        .always("off", "modules are compiled in"),
    Param::new("debug.files", Kind::Array, None, "Source files whose debug output is wanted.")
        .no_effect("they are rsyslogd's source files"),
    Param::new(
        "debug.whitelist",
        Kind::Bool,
        Some("off"),
        "Whether debug.files names the wanted or the unwanted files.",
    )
    .no_effect("they are rsyslogd's source files"),
    Param::new(
        "defaultNetstreamDriver",
        Kind::Word,
        Some("ptcp"),
        "Transport of TCP inputs and outputs that name none.",
    )
    .legacy("DefaultNetstreamDriver"),
    Param::new("defaultNetstreamDriverCAFile", Kind::Str, None, "Default CA certificate file.")
        .legacy("DefaultNetstreamDriverCAFile"),
    Param::new(
        "defaultNetstreamDriverCRLFile",
        Kind::Str,
        None,
        "Default certificate revocation list file.",
    )
    .legacy("DefaultNetstreamDriverCRLFile"),
    Param::new("defaultNetstreamDriverKeyFile", Kind::Str, None, "Default private key file.")
        .legacy("DefaultNetstreamDriverKeyFile"),
    Param::new("defaultNetstreamDriverCertFile", Kind::Str, None, "Default certificate file.")
        .legacy("DefaultNetstreamDriverCertFile"),
    Param::new("netstreamDriverCaExtraFiles", Kind::Str, None, "Further CA certificate files.")
        .legacy("NetstreamDriverCaExtraFiles"),
    Param::new(
        "defaultOpensslEngine",
        Kind::Str,
        None,
        "OpenSSL engine that DSA and ciphers are taken from; one that cannot be loaded is reported at the start.",
    )
        .legacy("DefaultOpensslEngine"),
    Param::new("maxMessageSize", Kind::SIZE, Some("8096"), "Longest message, bytes; at least 128.")
        .legacy("MaxMessageSize"),
    Param::new(
        "oversizemsg.errorfile",
        Kind::Word,
        None,
        "File that gets messages longer than maxMessageSize as JSON lines.",
    ),
    Param::new(
        "oversizemsg.report",
        Kind::Bool,
        Some("on"),
        "Log messages longer than maxMessageSize that an input has not cut.",
    ),
    Param::new(
        "oversizemsg.input.mode",
        Kind::Word,
        Some("truncate"),
        "What becomes of a message longer than maxMessageSize that an input has not cut: truncate, split or accept.",
    ),
    Param::new(
        "reportChildProcessExits",
        Kind::Word,
        Some("errors"),
        "Which ends of child processes are logged: none, errors or all.",
    ),
    Param::new(
        "action.reportSuspension",
        Kind::Bool,
        Some("on"),
        "Log when an action is suspended or resumed.",
    ),
    Param::new(
        "action.reportSuspensionContinuation",
        Kind::Bool,
        Some("off"),
        "Log each further failed attempt to resume an action.",
    ),
    Param::new(
        "parser.controlCharacterEscapePrefix",
        Kind::Char,
        Some("#"),
        "Character before an escaped control character.",
    )
    .legacy("ControlCharacterEscapePrefix"),
    Param::new(
        "parser.dropTrailingLFOnReception",
        Kind::Bool,
        Some("on"),
        "Drop a line feed at the end of a message.",
    )
    .legacy("DropTrailingLFOnReception"),
    Param::new(
        "parser.dropTrailingCROnReception",
        Kind::Bool,
        Some("off"),
        "Drop a carriage return at the end of a message.",
    )
    .legacy("DropTrailingCROnReception"),
    Param::new(
        "parser.escapeControlCharactersOnReceive",
        Kind::Bool,
        Some("on"),
        "Escape control characters.",
    )
    .legacy("EscapeControlCharactersOnReceive"),
    Param::new("parser.escapeControlCharacterTab", Kind::Bool, Some("on"), "Escape tabs, too.")
        .legacy("EscapeControlCharacterTab"),
    Param::new(
        "parser.escapeControlCharactersCStyle",
        Kind::Bool,
        Some("off"),
        "Escape the way C does.",
    ),
    Param::new("parser.spaceLFOnReceive", Kind::Bool, Some("off"), "Turn line feeds into blanks.")
        .legacy("SpaceLFOnReceive"),
    Param::new(
        "parser.escape8BitCharactersOnReceive",
        Kind::Bool,
        Some("off"),
        "Escape bytes above 127.",
    )
    .legacy("Escape8BitCharactersOnReceive"),
    Param::new(
        "parser.parseHostnameAndTag",
        Kind::Bool,
        Some("on"),
        "Look for host name and tag in a message.",
    ),
    Param::new(
        "parser.permitSlashInProgramName",
        Kind::Bool,
        Some("off"),
        "A slash does not end the program name.",
    ),
    Param::new(
        "parser.supportCompressionExtension",
        Kind::Bool,
        Some("on"),
        "Accept single messages that are compressed (first byte z).",
    ),
    Param::new(
        "stdlog.channelspec",
        Kind::Str,
        None,
        "Channel of the library liblogging-stdlog, without which this is built: giving it is an error.",
    ),
    Param::new(
        "janitor.interval",
        Kind::POSITIVE,
        Some("10"),
        "Minutes between two runs of housekeeping.",
    )
    .no_effect("idle files are looked for every second"),
    Param::new(
        "senders.keepTrack",
        Kind::Bool,
        Some("off"),
        "Count messages by sender, for impstats.",
    ),
    Param::new(
        "senders.timeoutAfter",
        Kind::POSITIVE,
        Some("43200"),
        "Seconds of silence after which a sender is gone.",
    ),
    Param::new("senders.reportGoneAway", Kind::Bool, Some("off"), "Log senders that are gone."),
    Param::new("senders.reportNew", Kind::Bool, Some("off"), "Log new senders."),
    Param::new(
        "inputs.timeout.shutdown",
        Kind::POSITIVE,
        Some("1000"),
        "Milliseconds an input may take to stop.",
    ),
    Param::new("privdrop.user.name", Kind::User, None, "User to run as after start.")
        .legacy("PrivDropToUser"),
    Param::new("privdrop.user.id", Kind::POSITIVE, None, "User id to run as after start.")
        .legacy("PrivDropToUserID"),
    Param::new("privdrop.group.name", Kind::Group, None, "Group to run as after start.")
        .legacy("PrivDropToGroup"),
    Param::new("privdrop.group.id", Kind::POSITIVE, None, "Group id to run as after start.")
        .legacy("PrivDropToGroupID"),
    Param::new(
        "privdrop.group.keepSupplemental",
        Kind::Bool,
        Some("off"),
        "Keep the supplementary groups.",
    ),
    Param::new(
        "net.ipprotocol",
        Kind::Word,
        Some("unspecified"),
        "Address families to use: unspecified, ipv4-only or ipv6-only.",
    ),
    Param::new(
        "net.aclAddHostnameOnFail",
        Kind::Bool,
        Some("off"),
        "Take a host name of a sender list that has no address as a pattern for names.",
    ),
    Param::new(
        "net.aclResolveHostname",
        Kind::Bool,
        Some("on"),
        "Take host names of sender lists for the addresses they have at the start.",
    ),
    Param::new("net.enableDNS", Kind::Bool, Some("on"), "Resolve the names of senders."),
    Param::new(
        "net.permitACLWarning",
        Kind::Bool,
        Some("on"),
        "Log messages from senders that are not permitted.",
    ),
    Param::new("maxOpenFiles", Kind::POSITIVE, None, "Limit of open files of the process.")
        .legacy("MaxOpenFiles"),
    Param::new(
        "umask",
        Kind::FileMode,
        None,
        "File creation mask of the process; inherited if not given.",
    )
    .legacy("Umask"),
    Param::new(
        "compatibility.configFormat.legacy",
        Kind::Word,
        Some("enable"),
        "What becomes of $ directives behind this object: enable, warn or disable.",
    ),
    Param::new(
        "compatibility.configFormat.syslogd",
        Kind::Word,
        Some("enable"),
        "What becomes of selectors behind this object: enable, warn or disable.",
    ),
    Param::new(
        "compatibility.configFormat.property",
        Kind::Word,
        Some("enable"),
        "What becomes of property-based filters behind this object: enable, warn or disable.",
    ),
    Param::new(
        "compatibility.defaults.secure",
        Kind::Word,
        Some("warn"),
        "Defaults that are not safe: backward-compatible keeps them, warn says so, strict takes safe ones (and is \
         abortOnUncleanConfig=\"on\").",
    ),
    Param::new(
        "systemd.notifyReadyDelay",
        Kind::Bool,
        Some("off"),
        "Tell systemd only when all modules are ready.",
    )
    .always("on", "systemd is always told only when all inputs are ready"),
    Param::new(
        "abortOnUncleanConfig",
        Kind::Bool,
        Some("off"),
        "Do not start when the configuration has an error.",
    )
    .legacy("AbortOnUncleanConfig"),
    Param::new(
        "abortOnFailedQueueStartup",
        Kind::Bool,
        Some("off"),
        "Do not start when a queue cannot be started.",
    )
    .always("on", "a queue that cannot be started always ends the start"),
    Param::new(
        "variables.caseSensitive",
        Kind::Bool,
        Some("off"),
        "Names of JSON variables differ by case.",
    ),
    Param::new("environment", Kind::Array, None, "NAME=value pairs put into the environment."),
    Param::new(
        "processInternalMessages",
        Kind::Bool,
        Some("off"),
        "Handle the daemon's own messages by its rules; RSYSLOG_DFLT_LOG_INTERNAL=1 in the environment is on.",
    ),
    Param::new(
        "internalmsg.ratelimit.interval",
        Kind::POSITIVE,
        Some("60"),
        "Seconds of the window for own messages.",
    ),
    Param::new(
        "internalmsg.ratelimit.burst",
        Kind::POSITIVE,
        Some("100"),
        "Own messages per window.",
    ),
    Param::new(
        "internalmsg.severity",
        Kind::Severity,
        Some("info"),
        "Least severity of own messages that are kept.",
    ),
    Param::new(
        "allMessagesToStderr",
        Kind::Bool,
        Some("off"),
        "Write all own messages to standard error, too.",
    ),
    Param::new(
        "errorMessagesToStderr.maxNumber",
        Kind::POSITIVE,
        None,
        "How many own errors go to standard error; all if not set.",
    ),
    Param::new("shutdown.enable.ctlc", Kind::Bool, Some("off"), "SIGINT stops the daemon."),
    Param::new(
        "shutdown.queue.doubleSize",
        Kind::Bool,
        Some("off"),
        "Queues may grow to twice their size while stopping.",
    )
    .always("on", "while stopping a queue takes all that still comes, whatever its size"),
    Param::new(
        "default.action.queue.timeoutShutdown",
        MILLISECONDS,
        Some("10"),
        "Default for action queues, ms.",
    ),
    Param::new(
        "default.action.queue.timeoutActionCompletion",
        MILLISECONDS,
        Some("1000"),
        "Default for action queues, ms.",
    ),
    Param::new(
        "default.action.queue.timeoutEnqueue",
        MILLISECONDS,
        Some("2000"),
        "Default for action queues, ms.",
    ),
    Param::new(
        "default.action.queue.timeoutWorkerThreadShutdown",
        MILLISECONDS,
        Some("60000"),
        "Default for action queues, ms.",
    ),
    Param::new(
        "default.ruleset.queue.timeoutShutdown",
        MILLISECONDS,
        Some("1500"),
        "Default for ruleset queues, ms.",
    ),
    Param::new(
        "default.ruleset.queue.timeoutActionCompletion",
        MILLISECONDS,
        Some("1000"),
        "Default for ruleset queues, ms.",
    ),
    Param::new(
        "default.ruleset.queue.timeoutEnqueue",
        MILLISECONDS,
        Some("2000"),
        "Default for ruleset queues, ms.",
    ),
    Param::new(
        "default.ruleset.queue.timeoutWorkerThreadShutdown",
        MILLISECONDS,
        Some("60000"),
        "Default for ruleset queues, ms.",
    ),
    Param::new(
        "reverseLookup.cache.ttl.default",
        Kind::NONNEG,
        Some("86400"),
        "Seconds a resolved name is kept.",
    ),
    Param::new("reverseLookup.cache.ttl.enable", Kind::Bool, Some("off"), "Resolved names expire."),
    Param::new(
        "libcapng.enable",
        Kind::Bool,
        Some("on"),
        "Give up capabilities that are not needed.",
    )
    .always("off", "capabilities are left to the service manager (CapabilityBoundingSet=)"),
    Param::new(
        "libcapng.default",
        Kind::Bool,
        Some("on"),
        "Stop when capabilities cannot be given up.",
    )
    .always("off", "capabilities are left to the service manager (CapabilityBoundingSet=)"),
    Param::new(
        "security.abortOnIDResolutionFail",
        Kind::Bool,
        Some("on"),
        "An unknown user name ends the load at once.",
    ),
    Param::new(
        "internal.developerOnly.options",
        Kind::INT,
        Some("0"),
        "For the reference's developers.",
    )
    .no_effect("it is for rsyslogd's developers"),
];

/// Directives without an object form.
pub static DIRECTIVES: &[Param] = &[
    Param::new(
        "RepeatedMsgReduction",
        Kind::Bool,
        Some("off"),
        "Replace repeated messages by a count.",
    )
    .legacy("RepeatedMsgReduction"),
    Param::new(
        "LogRSyslogStatusMessages",
        Kind::Bool,
        Some("on"),
        "Log start and stop of the daemon.",
    )
    .legacy("LogRSyslogStatusMessages"),
    Param::new(
        "ErrorMessagesToStderr",
        Kind::Bool,
        Some("on"),
        "Write own errors to standard error.",
    )
    .legacy("ErrorMessagesToStderr"),
    Param::new("DebugPrintTemplateList", Kind::Bool, Some("on"), "Show templates in debug output.")
        .legacy("DebugPrintTemplateList")
        .always("off", NO_LISTS),
    Param::new("DebugPrintModuleList", Kind::Bool, Some("on"), "Show modules in debug output.")
        .legacy("DebugPrintModuleList")
        .always("off", NO_LISTS),
    Param::new(
        "DebugPrintCfSysLineHandlerList",
        Kind::Bool,
        Some("on"),
        "Show directives in debug output.",
    )
    .legacy("DebugPrintCfSysLineHandlerList")
    .always("off", NO_LISTS),
    Param::new("GenerateConfigGraph", Kind::Word, None, "File to draw the configuration to.")
        .legacy("GenerateConfigGraph")
        .no_effect("rsyslogd accepts it and draws nothing, either"),
    Param::new("ModDir", Kind::Word, None, "Directory of modules.")
        .legacy("ModDir")
        .no_effect("modules are compiled in"),
    Param::new("DebugLevel", Kind::INT, None, "2 and more turns debug output on, 0 off.")
        .legacy("DebugLevel"),
    Param::new(
        "LocalHostIPIF",
        Kind::Word,
        None,
        "Interface whose address stands for local messages.",
    )
    .legacy("LocalHostIPIF")
    .missing(),
    Param::new("OptimizeForUniprocessor", Kind::Gone, None, "No effect.")
        .legacy("OptimizeForUniprocessor"),
    Param::new("Sleep", Kind::Gone, None, "No effect.").legacy("Sleep"),
    Param::new("OMFileForceChown", Kind::Gone, None, "No effect.").legacy("OMFileForceChown"),
];

/// `name`, `type` and `action.*` of an action.
pub static ACTION: &[Param] = &[
    Param::new("name", Kind::Word, None, "Name in messages and statistics.").legacy("ActionName"),
    Param::required("type", Kind::Str, "Module that does the work."),
    Param::new(
        "action.errorfile",
        Kind::Str,
        None,
        "File that gets messages which could not be delivered.",
    ),
    Param::new(
        "action.errorfile.maxsize",
        Kind::NONNEG,
        Some("0"),
        "Size at which the error file is not written any more, bytes; 0 is never.",
    ),
    Param::new(
        "action.writeAllMarkMessages",
        Kind::Bool,
        Some("on"),
        "MARK messages are written even if the action was used lately.",
    )
    .legacy("ActionWriteAllMarkMessages"),
    Param::new(
        "action.execOnlyEveryNthTime",
        Kind::NONNEG,
        Some("0"),
        "Run for every n-th message only; 0 and 1 are all.",
    )
    .lenient()
    .legacy("ActionExecOnlyEveryNthTime"),
    Param::new(
        "action.execOnlyEveryNthTimeTimeout",
        Kind::NONNEG,
        Some("0"),
        "Seconds after which that count begins anew; 0 is never.",
    )
    .lenient()
    .legacy("ActionExecOnlyEveryNthTimeTimeout"),
    Param::new(
        "action.execOnlyOnceEveryInterval",
        Kind::NONNEG,
        Some("0"),
        "Seconds that must lie between two runs.",
    )
    .lenient()
    .legacy("ActionExecOnlyOnceEveryInterval"),
    Param::new(
        "action.execOnlyWhenPreviousIsSuspended",
        Kind::Bool,
        Some("off"),
        "Run only while the action before this one is suspended.",
    )
    .legacy("ActionExecOnlyWhenPreviousIsSuspended"),
    Param::new(
        "action.repeatedMsgContainsOriginalMsg",
        Kind::Bool,
        Some("off"),
        "The count of repeated messages quotes the message.",
    )
    .legacy("RepeatedMsgContainsOriginalMsg")
    .always("on", "as in rsyslogd, the count of repeated messages always quotes the message"),
    Param::new(
        "action.resumeRetryCount",
        Kind::Int { min: -1, max: i32::MAX as i64 },
        Some("0"),
        "Retries before a message is given up; -1 is without end.",
    )
    .legacy("ActionResumeRetryCount"),
    Param::new(
        "action.resumeInterval",
        Kind::NONNEG,
        Some("30"),
        "Seconds from a suspension to the first retry.",
    )
    .lenient()
    .legacy("ActionResumeInterval"),
    Param::new(
        "action.resumeIntervalMax",
        Kind::POSITIVE,
        Some("1800"),
        "Longest time between two retries, seconds.",
    ),
    Param::new(
        "action.reportSuspension",
        Kind::Bool,
        None,
        "Log suspension and resumption; global() gives the default.",
    ),
    Param::new(
        "action.reportSuspensionContinuation",
        Kind::Bool,
        None,
        "Log each failed retry; global() gives the default.",
    ),
    Param::new(
        "action.externalstate.file",
        Kind::Str,
        None,
        "File whose content SUSPENDED suspends the action.",
    ),
    Param::new(
        "action.copyMsg",
        Kind::Bool,
        Some("off"),
        "Give the action's queue a message of its own: a queue always keeps variables as they were.",
    ),
    Param::new(
        "action.ratelimit.name",
        Kind::Str,
        None,
        "A ratelimit() object of scope output: what is beyond it is dropped, or waits in the action's queue.",
    ),
];

/// Values of `queue.type`.
pub const QUEUE_TYPES: &[&str] = &["FixedArray", "LinkedList", "Disk", "Direct", "SegmentedDisk"];

/// What differs between the three classes of queues (`spec/queues-actions.md` section 1).
struct QueueDefaults {
    kind: &'static str,
    size: &'static str,
    batch: &'static str,
    workers: &'static str,
    worker_minimum: Option<&'static str>,
    high: Option<&'static str>,
    low: Option<&'static str>,
    file_size: &'static str,
    shutdown: &'static str,
}

const QUEUE_ROWS: usize = 34;

#[rustfmt::skip]
const fn queue_table(d: &QueueDefaults) -> [Param; QUEUE_ROWS] {
    [
        Param::new("queue.type", Kind::Choice(QUEUE_TYPES), Some(d.kind), "How messages are held."),
        Param::new("queue.size", Kind::Size { min: 1, max: u32::MAX as u64 }, Some(d.size), "Messages the queue holds.").lenient(),
        Param::new("queue.dequeueBatchSize", Kind::Int { min: 1, max: 1 << 20 }, Some(d.batch), "Most messages processed in one go.").lenient(),
        Param::new("queue.minDequeueBatchSize", Kind::NONNEG, Some("0"), "Messages a worker waits for before it starts.").lenient(),
        Param::new("queue.minDequeueBatchSize.timeout", Kind::NONNEG, Some("1000"), "Longest such wait, ms.").lenient(),
        Param::new("queue.workerThreads", Kind::Int { min: 1, max: 1024 }, Some(d.workers), "Most threads working on the queue."),
        Param::new("queue.workerThreadMinimumMessages", Kind::INT, d.worker_minimum, "Messages per thread before another one is started; size/threads if not given."),
        Param::new("queue.highWatermark", Kind::INT, d.high, "Messages at which spilling to disk begins; 90 % of the size if not given."),
        Param::new("queue.lowWatermark", Kind::INT, d.low, "Messages at which spilling ends; 70 % of the high mark if not given."),
        Param::new("queue.fullDelayMark", Kind::INT, None, "Messages at which inputs that can wait are held; 97 % if not given, 0 is off."),
        Param::new("queue.lightDelayMark", Kind::INT, None, "Messages at which TCP inputs are slowed down; 70 % if not given, 0 is off."),
        Param::new("queue.discardMark", Kind::INT, None, "Messages at which less important ones are dropped; 98 % if not given."),
        Param::new("queue.discardSeverity", Kind::Severity, Some("8"), "Least severity that may be dropped then; 8 is none.").lenient(),
        Param::new("queue.timeoutShutdown", MILLISECONDS, Some(d.shutdown), "Time to run empty at shutdown, ms."),
        Param::new("queue.timeoutActionCompletion", MILLISECONDS, Some("1000"), "Time to finish the current batch after that, ms."),
        Param::new("queue.timeoutEnqueue", MILLISECONDS, Some("2000"), "Longest wait for room before a message is dropped, ms."),
        Param::new("queue.timeoutWorkerThreadShutdown", MILLISECONDS, Some("60000"), "Idle time after which an additional thread ends, ms."),
        Param::new("queue.dequeueSlowdown", Kind::NONNEG, Some("0"), "Pause after each batch, µs.").lenient(),
        Param::new("queue.dequeueTimeBegin", HOUR, Some("0"), "First hour in which messages are taken out.").lenient(),
        Param::new("queue.dequeueTimeEnd", HOUR, Some("25"), "Hour at which that ends; 25 is no limit.").lenient(),
        Param::new("queue.samplingInterval", Kind::NONNEG, Some("0"), "Keep every n-th message only; 0 is all.").lenient(),
        Param::new("queue.takeFlowCtlFromMsg", Kind::Bool, Some("off"), "Wait for room the way the message's input asked for."),
        Param::new("queue.saveOnShutdown", Kind::Bool, Some("on"), "Write what is left to disk at shutdown, if the queue has a disk part."),
        Param::new("queue.filename", Kind::Word, None, "Name of the queue's files; with it the queue has a disk part.").missing(),
        Param::new("queue.spoolDirectory", Kind::Word, None, "Directory of the queue's files; workDirectory if not given.").missing(),
        Param::new("queue.maxDiskSpace", Kind::SIZE, Some("0"), "Most bytes on disk; 0 is no limit.").missing(),
        Param::new("queue.maxFileSize", Kind::SIZE, Some(d.file_size), "Size of one queue file, bytes.").missing(),
        Param::new("queue.checkpointInterval", Kind::NONNEG, Some("0"), "Writes between two state files; 0 is only at the end.").missing().lenient(),
        Param::new("queue.syncQueueFiles", Kind::Bool, Some("off"), "Flush queue files to the disk after every write.").missing(),
        Param::new("queue.diskQueueType", Kind::Choice(&["auto", "disk", "segmentedDisk"]), Some("auto"), "Format of the disk part.").missing(),
        Param::new("queue.diskQueueAutoUpgrade", Kind::Bool, Some("off"), "Turn old queue files into the new format.").missing(),
        Param::new("queue.diskQueueIdleTimeout", Kind::INT, Some("60000"), "Idle time after which queue files are closed, ms; -1 is never.").missing(),
        Param::new("queue.onCorruption", Kind::Choice(&["safe", "ignore", "inMemory"]), Some("safe"), "What is done with broken queue files.").missing(),
        Param::new("queue.cry.provider", Kind::Word, None, "Encryption of queue files.").missing(),
    ]
}

/// Directives of the legacy main queue and of legacy action queues: what follows `MainMsgQueue` or
/// `ActionQueue`, and the parameter it sets.
macro_rules! queue_directives {
    ($prefix:literal) => {
        [
            ("queue.type", concat!($prefix, "Type")),
            ("queue.size", concat!($prefix, "Size")),
            ("queue.dequeueBatchSize", concat!($prefix, "DequeueBatchSize")),
            ("queue.workerThreads", concat!($prefix, "WorkerThreads")),
            ("queue.workerThreadMinimumMessages", concat!($prefix, "WorkerThreadMinimumMessages")),
            ("queue.highWatermark", concat!($prefix, "HighWaterMark")),
            ("queue.lowWatermark", concat!($prefix, "LowWaterMark")),
            ("queue.discardMark", concat!($prefix, "DiscardMark")),
            ("queue.discardSeverity", concat!($prefix, "DiscardSeverity")),
            ("queue.timeoutShutdown", concat!($prefix, "TimeoutShutdown")),
            ("queue.timeoutActionCompletion", concat!($prefix, "TimeoutActionCompletion")),
            ("queue.timeoutEnqueue", concat!($prefix, "TimeoutEnqueue")),
            ("queue.timeoutWorkerThreadShutdown", concat!($prefix, "WorkerTimeoutThreadShutdown")),
            ("queue.dequeueSlowdown", concat!($prefix, "DequeueSlowdown")),
            ("queue.dequeueTimeBegin", concat!($prefix, "DequeueTimeBegin")),
            ("queue.dequeueTimeEnd", concat!($prefix, "DequeueTimeEnd")),
            ("queue.saveOnShutdown", concat!($prefix, "SaveOnShutdown")),
            ("queue.filename", concat!($prefix, "Filename")),
            ("queue.maxDiskSpace", concat!($prefix, "MaxDiskSpace")),
            ("queue.maxFileSize", concat!($prefix, "MaxFileSize")),
            ("queue.checkpointInterval", concat!($prefix, "CheckpointInterval")),
            ("queue.syncQueueFiles", concat!($prefix, "SyncQueueFiles")),
        ]
    };
}

const fn with_directives<const N: usize>(
    mut rows: [Param; QUEUE_ROWS],
    directives: &[(&'static str, &'static str); N],
) -> [Param; QUEUE_ROWS] {
    let mut i = 0;
    while i < N {
        let mut row = 0;
        while !same(rows[row].name, directives[i].0) {
            row += 1;
        }
        rows[row] = rows[row].legacy(directives[i].1);
        i += 1;
    }
    rows
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

/// The main queue without a `main_queue()` object: `$MainMsgQueue…`.
pub static QUEUE_MAIN: &[Param] = &with_directives(
    queue_table(&QueueDefaults {
        kind: "FixedArray",
        size: "100000",
        batch: "256",
        workers: "2",
        worker_minimum: Some("40000"),
        high: Some("80000"),
        low: Some("20000"),
        file_size: "1m",
        shutdown: "1500",
    }),
    &queue_directives!("MainMsgQueue"),
);

/// Queues of `main_queue()` and `ruleset()`.
pub static QUEUE_RULESET: &[Param] = &queue_table(&QueueDefaults {
    kind: "FixedArray",
    size: "50000",
    batch: "1024",
    workers: "1",
    worker_minimum: None,
    high: None,
    low: None,
    file_size: "16m",
    shutdown: "1500",
});

/// Queues of actions, with `$ActionQueue…`.
pub static QUEUE_ACTION: &[Param] = &with_directives(
    queue_table(&QueueDefaults {
        kind: "Direct",
        size: "1000",
        batch: "128",
        workers: "1",
        worker_minimum: None,
        high: None,
        low: None,
        file_size: "1m",
        shutdown: "10",
    }),
    &queue_directives!("ActionQueue"),
);

/// `ruleset(…)`.
pub static RULESET: &[Param] = &[
    Param::required("name", Kind::Str, "Name, unique without regard to case."),
    Param::new("parser", Kind::Array, None, "Parsers to try, in this order."),
];

/// `module(…)`, apart from the module's own.
pub static MODULE: &[Param] = &[Param::required("load", Kind::Word, "The module.")];

/// `input(…)`, apart from the module's own.
pub static INPUT: &[Param] = &[Param::required("type", Kind::Word, "The input module.")];

/// `parser(…)`, apart from the module's own.
pub static PARSER: &[Param] = &[
    Param::required("name", Kind::Str, "Name, by which rulesets refer to it; case matters."),
    Param::required("type", Kind::Str, "The parser module."),
];

/// `lookup_table(…)`.
pub static LOOKUP_TABLE: &[Param] = &[
    Param::required("name", Kind::Str, "Name, by which lookup() refers to it; case matters."),
    Param::required("file", Kind::Str, "Its content, as JSON."),
    Param::new("reloadOnHUP", Kind::Bool, Some("on"), "Read the file again when HUP is received."),
];

/// `dyn_stats(…)`.
pub static DYN_STATS: &[Param] = &[
    Param::required("name", Kind::Str, "Name, by which dyn_inc() refers to it; case matters."),
    Param::new(
        "resettable",
        Kind::Bool,
        Some("on"),
        "Every report zeroes the counters, whatever resetCounters says; off: none does.",
    ),
    Param::new("maxCardinality", Kind::POSITIVE, Some("2000"), "How many counters there may be."),
    Param::new(
        "unusedMetricLife",
        Kind::POSITIVE,
        Some("3600"),
        "Seconds after which a counter that is not counted up may be forgotten.",
    ),
    Param::new(
        "persistStateInterval",
        Kind::POSITIVE,
        None,
        "Operations after which the counters, as the next report would have them, are written to a state file; it is read at the next start.",
    ),
    Param::new(
        "persistStateTimeInterval",
        Kind::POSITIVE,
        None,
        "Seconds after which they are. With either, they are written at the end, too.",
    ),
    Param::new(
        "statefile.directory",
        Kind::Str,
        None,
        "Directory of the state file; workDirectory if not given.",
    ),
];

/// `ratelimit(…)`.
pub static RATELIMIT: &[Param] = &[
    Param::required("name", Kind::Str, "Name, by which ratelimit.name refers to it; case matters."),
    Param::new("interval", U32, Some("0"), "Seconds of a window; 0 is no limit."),
    Param::new("burst", U32, Some("10000"), "Messages let through in a window."),
    Param::new(
        "severity",
        Kind::Severity,
        None,
        "Messages more important than this severity are not limited; all are if it is not given.",
    )
    .lenient(),
    Param::new(
        "policy",
        Kind::Str,
        None,
        "YAML file whose interval, burst, severity and perSource go before what is given here.",
    ),
    Param::new(
        "policyWatch",
        Kind::Bool,
        Some("off"),
        "Read the files again when they change, not only on HUP.",
    ),
    Param::new(
        "policyWatchDebounce",
        Kind::Str,
        Some("5s"),
        "How long a changed file must be left alone; with ms, s, m or h.",
    ),
    Param::new("perSource", Kind::Bool, Some("off"), "Limit each source of messages by itself."),
    Param::new(
        "perSourcePolicy",
        Kind::Str,
        None,
        "YAML file with default and overrides for perSource.",
    ),
    Param::new(
        "perSourceKeyTpl",
        Kind::Str,
        None,
        "Template whose text tells sources apart; unset is the host name in the message.",
    ),
    Param::new("perSourceMaxStates", U32, Some("0"), "Sources kept; 0 is 10000."),
    Param::new("perSourceTopN", U32, Some("0"), "Sources counted that lost most; 0 is 10."),
];

const U32: Kind = Kind::Int { min: 0, max: u32::MAX as i64 };

/// `percentile_stats(…)`.
pub static PERCENTILE_STATS: &[Param] = &[
    Param::required(
        "name",
        Kind::Str,
        "Name, by which percentile_observe() refers to it; case matters.",
    ),
    Param::new("percentiles", Kind::Array, None, "Which percentiles, 0 to 100 each."),
    Param::new("windowsize", Kind::POSITIVE, Some("1"), "How many values of a key are kept."),
    Param::new(
        "delimiter",
        Kind::Str,
        Some("."),
        "What stands between a key and what is shown of it.",
    ),
];

/// `timezone(…)`.
pub static TIMEZONE: &[Param] = &[
    Param::required("id", Kind::Str, "Name of the zone, as messages spell it."),
    Param::required(
        "offset",
        Kind::Word,
        "Distance from UTC: + or -, two digits, a colon, two digits.",
    ),
];

/// `include(…)`.
pub static INCLUDE: &[Param] = &[
    Param::new("file", Kind::Str, None, "File, pattern or directory to read."),
    Param::new("text", Kind::Str, None, "Configuration text to read."),
    Param::new(
        "mode",
        Kind::Choice(&["required", "optional", "abort-if-missing"]),
        Some("required"),
        "What a missing file means.",
    ),
];

/// `template(…)`.
pub static TEMPLATE: &[Param] = &[
    Param::required("name", Kind::Str, "Name; case matters."),
    Param::required(
        "type",
        Kind::Str,
        "Where its content comes from: string, list, subtree or plugin.",
    ),
    Param::new("string", Kind::Str, None, "Text with %property% in it."),
    Param::new("subtree", Kind::Str, None, "JSON variable to render."),
    Param::new("plugin", Kind::Str, None, "String generator."),
    Param::new(
        "option.sql",
        Kind::Bool,
        Some("off"),
        "Escape properties for SQL with backslashes.",
    ),
    Param::new("option.stdsql", Kind::Bool, Some("off"), "Escape properties for standard SQL."),
    Param::new("option.json", Kind::Bool, Some("off"), "Escape properties for JSON."),
    Param::new("option.jsonf", Kind::Bool, Some("off"), "Make a JSON object of the elements."),
    Param::new(
        "option.jsonftree",
        Kind::Bool,
        Some("off"),
        "Make a nested JSON object of dotted names.",
    ),
    Param::new(
        "option.casesensitive",
        Kind::Bool,
        Some("off"),
        "Names of JSON variables keep their case.",
    ),
];

/// `property(…)` in a template.
pub static PROPERTY: &[Param] = &[
    Param::required("name", Kind::Str, "Property or JSON variable."),
    Param::new("outname", Kind::Str, None, "Field name in structured outputs."),
    Param::new(
        "dateformat",
        Kind::Choice(&[
            "mysql",
            "pgsql",
            "rfc3164",
            "rfc3164-buggyday",
            "rfc3339",
            "unixtimestamp",
            "subseconds",
            "wdayname",
            "wday",
            "year",
            "month",
            "day",
            "hour",
            "minute",
            "second",
            "tzoffshour",
            "tzoffsmin",
            "tzoffsdirection",
            "ordinal",
            "week",
        ]),
        None,
        "How a time is written.",
    )
    .exact(),
    Param::new("date.inUTC", Kind::Bool, Some("off"), "Convert a time to UTC."),
    Param::new(
        "caseConversion",
        Kind::Choice(&["lower", "upper"]),
        None,
        "Change the case of letters.",
    )
    .exact(),
    Param::new(
        "controlCharacters",
        Kind::Choice(&["escape", "escape-octal", "space", "drop"]),
        None,
        "What is done with control characters.",
    )
    .exact(),
    Param::new(
        "securePath",
        Kind::Choice(&["drop", "replace"]),
        None,
        "What is done with slashes.",
    )
    .exact(),
    Param::new(
        "format",
        Kind::Choice(&["csv", "json", "jsonf", "jsonr", "jsonfr"]),
        None,
        "Quoting.",
    )
    .exact(),
    Param::new("position.from", Kind::INT, None, "First byte, from 1."),
    Param::new("position.to", Kind::INT, None, "Last byte; negative counts from the end."),
    Param::new("position.relativeToEnd", Kind::Bool, Some("off"), "Positions count from the end."),
    Param::new("field.number", Kind::INT, None, "Field to take, from 1."),
    Param::new(
        "field.delimiter",
        Kind::Int { min: 0, max: 255 },
        Some("9"),
        "Code of the character between fields.",
    )
    .lenient(),
    Param::new("regex.expression", Kind::Str, None, "POSIX regular expression."),
    Param::new("regex.type", Kind::Choice(&["BRE", "ERE"]), Some("BRE"), "Its kind.").exact(),
    Param::new(
        "regex.noMatchMode",
        Kind::Choice(&["DFLT", "BLANK", "FIELD", "ZERO"]),
        Some("DFLT"),
        "What stands for no match.",
    )
    .exact(),
    Param::new("regex.match", Kind::INT, Some("0"), "Which match, from 0."),
    Param::new(
        "regex.submatch",
        Kind::INT,
        Some("0"),
        "Which part of it; 0 is the whole match, 9 the last.",
    ),
    Param::new("dropLastLF", Kind::Bool, Some("off"), "Drop a line feed at the end."),
    Param::new("compressSpace", Kind::Bool, Some("off"), "Make one blank of several."),
    Param::new("fixedWidth", Kind::Bool, Some("off"), "Fill up with blanks to the positions."),
    Param::new("mandatory", Kind::Bool, Some("off"), "Keep an empty field in structured outputs."),
    Param::new(
        "spIfNo1stSP",
        Kind::Bool,
        Some("off"),
        "A blank if the value does not begin with one, else nothing.",
    ),
    Param::new("omitIfZero", Kind::Bool, Some("off"), "Leave the field out when it is 0."),
    Param::new(
        "dataType",
        Kind::Choice(&["string", "number", "bool", "auto"]),
        None,
        "JSON type of the field.",
    )
    .exact(),
    Param::new(
        "onEmpty",
        Kind::Choice(&["keep", "skip", "null"]),
        None,
        "What an empty field becomes.",
    )
    .exact(),
];

/// `constant(…)` in a template.
pub static CONSTANT: &[Param] = &[
    Param::required("value", Kind::Str, "The text."),
    Param::new("outname", Kind::Str, None, "Field name in structured outputs."),
    Param::new("format", Kind::Choice(&["jsonf"]), None, "Quoting.").exact(),
];

/// The module behind `/path` and `?template`.
pub const FILE_MODULE: &str = "omfile";

/// The module behind `|pipe`.
pub const PIPE_MODULE: &str = "ompipe";

/// The module behind `^program`.
pub const SHELL_MODULE: &str = "omshell";

/// The module behind `@host` and `@@host`.
pub const FORWARD_MODULE: &str = "omfwd";

/// The module behind `user,user`.
pub const USERS_MODULE: &str = "omusrmsg";

/// Module behind `~`, which goes by no other name in selector lines.
pub const DISCARD_MODULE: &str = "omdiscard";

/// Modules that selector lines alone know: `action(type=…)` does not.
pub static SELECTOR_ONLY_MODULES: &[&str] = &[DISCARD_MODULE, SHELL_MODULE];

/// Every module of the reference: those that the catalogue lacks are reported as not implemented yet.
pub static REFERENCE_MODULES: &[&str] = &[
    "fmaffinity",
    "fmffaup",
    "fmhash",
    "fmhttp",
    "fmpcre",
    "fmunflatten",
    "imbatchreport",
    "imbeats",
    "imczmq",
    "imdocker",
    "imdtls",
    "imfile",
    "imgssapi",
    "imhiredis",
    "imhttp",
    "imjournal",
    "imkafka",
    "imklog",
    "imkmsg",
    "immark",
    "imotel",
    "impcap",
    "improg",
    "impstats",
    "imptcp",
    "imrelp",
    "imsolaris",
    "imtcp",
    "imtuxedoulog",
    "imudp",
    "imuxsock",
    "lmcry_gcry",
    "lmcry_ossl",
    "lmsig_ksi_ls12",
    "mmaitag",
    "mmanon",
    "mmcapture",
    "mmcount",
    "mmdarwin",
    "mmdblookup",
    "mmexternal",
    "mmfields",
    "mmgeoip",
    "mmgrok",
    "mmjsonparse",
    "mmjsonrewrite",
    "mmjsontransform",
    "mmkubernetes",
    "mmleefparse",
    "mmnormalize",
    "mmpstrucdata",
    "mmrfc5424addhmac",
    "mmrm1stspace",
    "mmsequence",
    "mmsnareparse",
    "mmsnmptrapd",
    "mmstrucdata",
    "mmtaghostname",
    "mmutf8fix",
    "omamqp1",
    "omazureeventhubs",
    "omclickhouse",
    "omczmq",
    "omdiscard",
    "omdtls",
    "omelasticsearch",
    "omfile",
    "omfile-hardened",
    "omfwd",
    "omgssapi",
    "omhdfs",
    "omhiredis",
    "omhttp",
    "omhttpfs",
    "omjournal",
    "omkafka",
    "omlibdbi",
    "ommail",
    "ommongodb",
    "ommysql",
    "omotel",
    "ompgsql",
    "ompipe",
    "omprog",
    "omrabbitmq",
    "omrelp",
    "omruleset",
    "omsendertrack",
    "omsentinel",
    "omshell",
    "omsnmp",
    "omstdout",
    "omtcl",
    "omtesting",
    "omudpspoof",
    "omusrmsg",
    "omuxsock",
    "pmaixforwardedfrom",
    "pmciscoios",
    "pmcisconames",
    "pmdb2diag",
    "pmlastmsg",
    "pmnormalize",
    "pmnull",
    "pmpanngfw",
    "pmrfc3164",
    "pmrfc3164sd",
    "pmrfc5424",
    "pmsnare",
];

/// Libraries of the reference and its generators of texts, which it loads as modules and which are part of this program.
pub static LIBRARY_MODULES: &[&str] = &[
    "lmnet",
    "lmnetstrms",
    "lmnsd_gtls",
    "lmnsd_ossl",
    "lmnsd_ptcp",
    "lmregexp",
    "lmtcpclt",
    "lmtcpsrv",
    "lmzlibw",
    "lmzstdw",
    "smfile",
    "smfwd",
    "smtradfile",
    "smtradfwd",
];

/// Directives of modules that this version does not have, without the `$`.
pub static UNAVAILABLE_DIRECTIVES: &[&str] = &[
    "ActionSendTCPRebindInterval",
    "ActionSendUDPRebindInterval",
    "ActionSendStreamDriverPermitExpiredCerts",
    "ActionForwardDefaultTemplateName",
    "ActionUDPSendToAll",
    "ActionSendUDPSendToAll",
    "ActionSendUDPSendDelay",
    "InputFileName",
    "InputFileTag",
    "InputFileStateFile",
    "InputFileSeverity",
    "InputFileFacility",
    "InputFilePollInterval",
    "InputFilePersistStateInterval",
    "InputFileReadMode",
    "InputFileMaxLinesAtOnce",
    "InputFileBindRuleset",
    "InputRunFileMonitor",
    "IMJournalStateFile",
    "IMJournalRateLimitInterval",
    "IMJournalRateLimitBurst",
    "IMJournalIgnorePreviousMessages",
    "InputPTCPServerRun",
    "InputRELPServerRun",
    "InputRELPServerBindRuleset",
    "InputGSSServerRun",
    "ActionOMProgBinary",
    "ActionExecScript",
    "OMUxSockSocket",
    "OMUxSockDefaultTemplate",
    "ActionMailSMTPServer",
    "ActionMailSMTPPort",
    "ActionMailFrom",
    "ActionMailTo",
    "ActionMailSubject",
    "ActionMailEnableBody",
    "ActionLibdbiDriver",
    "ActionLibdbiHost",
    "ActionLibdbiUserName",
    "ActionLibdbiPassword",
    "ActionLibdbiDBName",
    "ActionOmmysqlServerPort",
    "OMMySQLConfigFile",
    "OMMySQLConfigSection",
    "ActionSNMPTarget",
    "ActionSNMPVersion",
    "ActionSNMPCommunity",
    "ActionOMRulesetRulesetName",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::Args;

    #[test]
    fn defaults_parse_and_names_are_unique() {
        let tables = [
            GLOBAL,
            DIRECTIVES,
            ACTION,
            QUEUE_MAIN,
            QUEUE_RULESET,
            QUEUE_ACTION,
            RULESET,
            MODULE,
            INPUT,
            INCLUDE,
            TEMPLATE,
            PROPERTY,
            CONSTANT,
        ];
        for table in tables {
            let _ = Args::defaults(&[table]);
            for (i, param) in table.iter().enumerate() {
                assert!(
                    table[..i].iter().all(|other| !other.is(param.name)),
                    "{} twice",
                    param.name
                );
                assert!(
                    param.doc.ends_with('.'),
                    "{}: a sentence ends with a full stop",
                    param.name
                );
            }
        }
    }
}

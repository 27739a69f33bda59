//! The parameter table of omfile (`spec/queues-actions.md` section 7).

use crate::param::{Class, Kind, Module, Param};

/// Largest numeric user or group id.
const ID: Kind = Kind::Int { min: -1, max: u32::MAX as i64 };

static MODULE_PARAMS: &[Param] = &[
    Param::new("template", Kind::Word, None, "Template of actions that name none.")
        .legacy("ActionFileDefaultTemplate"),
    Param::new("addLF", Kind::Bool, Some("on"), "End lines in LF, in actions that do not say."),
    Param::new("compression.driver", Kind::Word, Some("zlib"), "Compression library for zipLevel.")
        .missing(),
    Param::new("compression.zstd.workers", Kind::POSITIVE, None, "Compression threads of zstd.")
        .missing(),
    Param::new(
        "dirCreateMode",
        Kind::FileMode,
        None,
        "Mode of directories created by action() objects that do not say.",
    ),
    Param::new(
        "fileCreateMode",
        Kind::FileMode,
        None,
        "Mode of files created by action() objects that do not say.",
    ),
    Param::new(
        "dirOwner",
        Kind::User,
        None,
        "Owner of directories created by action() objects that do not say.",
    ),
    Param::new("dirOwnerNum", ID, None, "The same, as number."),
    Param::new(
        "dirGroup",
        Kind::Group,
        None,
        "Group of directories created by action() objects that do not say.",
    ),
    Param::new("dirGroupNum", ID, None, "The same, as number."),
    Param::new(
        "fileOwner",
        Kind::User,
        None,
        "Owner of files created by action() objects that do not say.",
    ),
    Param::new("fileOwnerNum", ID, None, "The same, as number."),
    Param::new(
        "fileGroup",
        Kind::Group,
        None,
        "Group of files created by action() objects that do not say.",
    ),
    Param::new("fileGroupNum", ID, None, "The same, as number."),
    Param::new(
        "dynafile.doNotSuspend",
        Kind::Bool,
        Some("on"),
        "A dynamic file that cannot be opened costs its messages only; off suspends the action.",
    ),
    Param::new(
        "followSymlinks",
        Kind::Bool,
        None,
        "Off refuses paths that are symbolic links, in action() objects that do not say.",
    ),
    Param::new(
        "dynafile.dangerousPermitPathEscape",
        Kind::Bool,
        Some("off"),
        "Let message contents lead dynamic paths out of their constant directory.",
    ),
    Param::new(
        "dynafile.restrictTemplateType",
        Kind::Bool,
        Some("off"),
        "Accept only string and list templates as dynamic file names: their constant prefix is known.",
    ),
];

static PARAMS: &[Param] = &[
    Param::new("file", Kind::Str, None, "Path of the file to write; this or dynaFile."),
    Param::new("dynaFile", Kind::Str, None, "Template that makes the path, message by message."),
    Param::new("template", Kind::Word, None, "Template of the lines (RSYSLOG_FileFormat)."),
    Param::new("dynaFileCacheSize", Kind::INT, Some("10"), "Dynamic files held open at a time.")
        .legacy("DynaFileCacheSize"),
    Param::new(
        "zipLevel",
        Kind::INT,
        Some("0"),
        "Compression level, up to 9; 0 is none, -1 zlib's default. Each write is compressed by itself: the more lines it \
         has, the better.",
    )
    .legacy("OMFileZipLevel"),
    Param::new("veryRobustZip", Kind::Bool, Some("off"), "Finish the gzip stream at each flush.")
        .always("on", "the gzip stream is finished at each write"),
    Param::new("flushInterval", Kind::INT, Some("1"), "Seconds between flushes of asyncWriting.")
        .legacy("OMFileFlushInterval"),
    Param::new(
        "asyncWriting",
        Kind::Bool,
        Some("off"),
        "With flushOnTXEnd=\"off\": write what is gathered after flushInterval, from another thread.",
    )
    .legacy("OMFileASyncWriting"),
    Param::new("flushOnTXEnd", Kind::Bool, Some("on"), "Write at the end of each batch.")
        .legacy("OMFileFlushOnTXEnd"),
    Param::new(
        "ioBufferSize",
        Kind::SIZE,
        Some("4096"),
        "Bytes gathered before a write with flushOnTXEnd=\"off\"; with \"on\" a batch is one write.",
    )
    .legacy("OMFileIOBufferSize"),
    Param::new("dirOwner", Kind::User, None, "Owner of directories created here.").legacy("DirOwner"),
    Param::new("dirOwnerNum", ID, None, "The same, as number.").legacy("DirOwnerNum"),
    Param::new("dirGroup", Kind::Group, None, "Group of directories created here.")
        .legacy("DirGroup"),
    Param::new("dirGroupNum", ID, None, "The same, as number.").legacy("DirGroupNum"),
    Param::new("fileOwner", Kind::User, None, "Owner of files created here.").legacy("FileOwner"),
    Param::new("fileOwnerNum", ID, None, "The same, as number.").legacy("FileOwnerNum"),
    Param::new("fileGroup", Kind::Group, None, "Group of files created here.").legacy("FileGroup"),
    Param::new("fileGroupNum", ID, None, "The same, as number.").legacy("FileGroupNum"),
    Param::new("dirCreateMode", Kind::FileMode, Some("0700"), "Mode of directories created here.")
        .legacy("DirCreateMode"),
    Param::new("fileCreateMode", Kind::FileMode, Some("0644"), "Mode of files created here.")
        .legacy("FileCreateMode"),
    Param::new(
        "failOnChOwnFailure",
        Kind::Bool,
        Some("on"),
        "Report an owner that cannot be set as error rather than warning; the file is written either way.",
    )
    .legacy("FailOnChownFailure"),
    Param::new("createDirs", Kind::Bool, Some("on"), "Create missing parent directories.")
        .legacy("CreateDirs"),
    Param::new("sync", Kind::Bool, Some("off"), "Have each batch on disk before going on.")
        .legacy("ActionFileEnableSync"),
    Param::new("followSymlinks", Kind::Bool, Some("on"), "Off refuses a path that is a symbolic link."),
    Param::new("sig.provider", Kind::Word, None, "Signature provider.").missing(),
    Param::new("cry.provider", Kind::Word, None, "Encryption provider.").missing(),
    Param::new(
        "closeTimeout",
        Kind::POSITIVE,
        None,
        "Minutes without a message after which a file is closed (dynamic files: 10; others: never).",
    ),
    Param::new("rotation.sizeLimit", Kind::SIZE, Some("0"), "Size, bytes, at which the file is rotated."),
    Param::new("rotation.sizeLimitCommand", Kind::Str, None, "Program that moves the full file away."),
    Param::new(
        "rotation.sizeLimitCommandPassFileName",
        Kind::Bool,
        Some("on"),
        "Give the program the file's path as its last argument.",
    ),
    Param::new(
        "dynafile.dangerousPermitPathEscape",
        Kind::Bool,
        Some("off"),
        "Let message contents lead a dynamic path out of its constant directory.",
    ),
    Param::new("addLF", Kind::Bool, Some("on"), "End each line in LF where the template does not."),
];

/// omfile's descriptor.
pub(super) static MODULE: Module = Module {
    name: "omfile",
    class: Class::Output,
    builtin: true,
    summary: "Writes messages to files, with fixed names or names made from the message.",
    module_params: MODULE_PARAMS,
    params: PARAMS,
    legacy_create: None,
    counters: &[
        ("requests", "messages for dynamic files."),
        ("level0", "messages for the same file as the one before."),
        ("missed", "files that had to be opened."),
        ("evicted", "files closed to make room for another."),
        ("maxused", "most files open at a time."),
        ("closetimeouts", "files closed because nothing was written for closeTimeout."),
    ],
    examples: &[
        r#"action(type="omfile" file="/var/log/all.log")"#,
        r#"template(name="perhost" type="string" string="/var/log/%HOSTNAME%.log")
*.* action(type="omfile" dynaFile="perhost" dynaFileCacheSize="100" fileCreateMode="0640")"#,
        r"mail.* -/var/log/mail.log",
    ],
};

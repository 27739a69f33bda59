//! Tests of the whole loader, and what the tests of its parts share.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use super::ast::{Expr, ExprKind, Item, StmtKind, Variable};
use super::{Catalogue, Config, Diagnostic, Diagnostics, Loader, ObjectArgs, Stmt, load, parse};
use crate::message::Scope;
use crate::param::{About, Class, Kind, Module, Param};

/// Files and variables in memory; `/dir/` names are directories.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) files: HashMap<PathBuf, Vec<u8>>,
    pub(super) env: HashMap<Vec<u8>, Vec<u8>>,
}

impl Memory {
    fn with(files: &[(&str, &str)]) -> Self {
        let files =
            files.iter().map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec()));
        Self { files: files.collect(), ..Self::default() }
    }
}

impl Loader for Memory {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(|| io::Error::from_raw_os_error(2))
    }

    fn expand(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        let text = pattern.to_string_lossy();
        let Some((before, after)) = text.split_once('*') else {
            return match self.files.contains_key(pattern) {
                true => Ok(vec![pattern.to_owned()]),
                false => Err(io::Error::from_raw_os_error(2)),
            };
        };
        let fits = |path: &&PathBuf| {
            let path = path.to_string_lossy();
            path.starts_with(before) && path.ends_with(after)
        };
        let mut found: Vec<_> = self.files.keys().filter(fits).cloned().collect();
        found.sort();
        Ok(found)
    }

    fn is_directory(&self, path: &Path) -> bool {
        matches!(path.to_str(), Some("/tmp" | "/var/lib/rsyslog" | "/var/spool/rsyslog"))
    }

    fn current_directory(&self) -> PathBuf {
        PathBuf::from("/cwd")
    }

    fn env(&self, name: &[u8]) -> Option<Vec<u8>> {
        self.env.get(name).cloned()
    }
}

/// An input and an output like those of the program, and one that is not loaded from the start.
static OUTPUT: Module = Module {
    name: "omfile",
    class: Class::Output,
    builtin: true,
    summary: "Files.",
    module_params: &[
        Param::new("template", Kind::Word, None, "Template.").legacy("ActionFileDefaultTemplate"),
        Param::new("dirCreateMode", Kind::FileMode, Some("0700"), "Mode."),
    ],
    params: &[
        Param::new("file", Kind::Str, None, "Path."),
        Param::new("dynaFile", Kind::Str, None, "Template of the path."),
        Param::new("template", Kind::Word, None, "Template."),
        Param::new("sync", Kind::Bool, Some("off"), "Flush.").legacy("ActionFileEnableSync"),
        Param::new("zipLevel", Kind::INT, Some("0"), "Compression.")
            .legacy("OMFileZipLevel")
            .missing(),
        Param::new("fileOwner", Kind::User, None, "Owner.").legacy("FileOwner"),
        Param::new("fileGroup", Kind::Group, None, "Group.").legacy("FileGroup"),
        Param::new("fileCreateMode", Kind::FileMode, Some("0644"), "Mode.")
            .legacy("FileCreateMode"),
        Param::new("dirCreateMode", Kind::FileMode, Some("0700"), "Mode.").legacy("DirCreateMode"),
        Param::new("rotation.sizeLimit", Kind::SIZE, Some("0"), "Limit."),
        Param::new("rotation.sizeLimitCommand", Kind::Str, None, "Command."),
        Param::new("rotation.sizeLimitCommandPassFileName", Kind::Bool, Some("on"), "Pass."),
    ],
    legacy_create: None,
    counters: &[],
    examples: &[],
};

static STDOUT: Module = Module {
    name: "omstdout",
    class: Class::Output,
    builtin: false,
    summary: "Standard output.",
    module_params: &[],
    params: &[Param::new("template", Kind::Word, None, "Template.")],
    legacy_create: None,
    counters: &[],
    examples: &[],
};

static TCP: Module = Module {
    name: "imtcp",
    class: Class::Input,
    builtin: false,
    summary: "TCP.",
    module_params: &[Param::new("maxSessions", Kind::POSITIVE, Some("200"), "Sessions.")],
    params: &[
        Param::required("port", Kind::Str, "Port."),
        Param::new("address", Kind::Str, None, "Address."),
        Param::new("name", Kind::Str, Some("imtcp"), "Name.").legacy("InputTCPServerInputName"),
        Param::new("ruleset", Kind::Str, None, "Ruleset.").legacy("InputTCPServerBindRuleset"),
        Param::new("maxSessions", Kind::POSITIVE, Some("200"), "Sessions.")
            .legacy("InputTCPMaxSessions"),
        Param::new("allowedSender", Kind::Array, None, "Senders."),
    ],
    legacy_create: Some(("InputTCPServerRun", "port")),
    counters: &[],
    examples: &[],
};

static UDP: Module = Module {
    name: "imudp",
    class: Class::Input,
    builtin: false,
    summary: "UDP.",
    module_params: &[
        Param::new("timeRequery", Kind::INT, Some("2"), "Clock.").legacy("UDPServerTimeRequery"),
        Param::new("threads", Kind::POSITIVE, Some("1"), "Threads."),
    ],
    params: &[
        Param::required("port", Kind::Array, "Ports."),
        Param::new("address", Kind::Str, None, "Address.").legacy("UDPServerAddress"),
        Param::new("ruleset", Kind::Str, None, "Ruleset.").legacy("InputUDPServerBindRuleset"),
        Param::new("allowedSender", Kind::Array, None, "Senders."),
    ],
    legacy_create: Some(("UDPServerRun", "port")),
    counters: &[],
    examples: &[],
};

static PARSER: Module = Module {
    name: "pmrfc3164",
    class: Class::Parser,
    builtin: true,
    summary: "A parser.",
    module_params: &[],
    params: &[Param::new("permit.slashesInHostname", Kind::Bool, Some("off"), "Slashes.")],
    legacy_create: None,
    counters: &[],
    examples: &[],
};

pub(super) const CATALOGUE: Catalogue<'static> = Catalogue {
    modules: &[&OUTPUT, &STDOUT, &TCP, &UDP, &PARSER],
    templates: &["RSYSLOG_FileFormat", "RSYSLOG_TraditionalFileFormat"],
    parsers: &[
        crate::config::ParserName { name: "rsyslog.rfc5424", module: &PARSER, instances: true },
        crate::config::ParserName { name: "rsyslog.rfc3164", module: &PARSER, instances: true },
    ],
};

/// Loads one text.
pub(super) fn load_text(text: &str) -> (Config, Diagnostics) {
    load_files(&[("c.conf", text)])
}

pub(super) fn load_files(files: &[(&str, &str)]) -> (Config, Diagnostics) {
    load("c.conf", &Memory::with(files), &CATALOGUE)
}

/// Parses `if <text> then stop` and gives the condition and the diagnostics as text.
pub(super) fn first_condition(text: &str) -> (Option<Expr>, String) {
    let mut diagnostics = Diagnostics::default();
    let disk = format!("if {text} then stop\n").into_bytes();
    let tree = parse::parse("t", disk, &Memory::default(), &mut diagnostics);
    let condition = tree.items.into_iter().find_map(|item| match item {
        Item::Stmt(stmt) => match stmt.kind {
            StmtKind::If { arms, .. } => arms.into_iter().next().map(|(condition, _)| condition),
            _ => None,
        },
        Item::Object(_) => None,
    });
    (condition, diagnostics.render())
}

/// An expression with all its parentheses.
pub(super) fn show(expr: &Expr) -> String {
    let list = |operands: &[Expr], word: &str| {
        format!("({})", operands.iter().map(show).collect::<Vec<_>>().join(word))
    };
    let quoted = |text: &[u8]| format!("\"{}\"", String::from_utf8_lossy(text));
    match &expr.kind {
        ExprKind::Number(number) => number.to_string(),
        ExprKind::String(text) => quoted(text),
        ExprKind::Array(items) => {
            format!("[{}]", items.iter().map(|item| quoted(item)).collect::<Vec<_>>().join(","))
        }
        ExprKind::Variable(variable) => show_variable(variable),
        ExprKind::Exists(variable) => format!("exists({})", show_variable(variable)),
        ExprKind::Function { name, args } => format!("{name}{}", list(args, ",")),
        ExprKind::Not(inner) => format!("(not {})", show(inner)),
        ExprKind::Negate(inner) => format!("-{}", show(inner)),
        ExprKind::And(operands) => list(operands, " and "),
        ExprKind::Or(operands) => list(operands, " or "),
        ExprKind::Compare(op, left, right) => {
            format!("({} {} {})", show(left), op.word(), show(right))
        }
        ExprKind::Binary(op, left, right) => {
            format!("({} {} {})", show(left), op.word(), show(right))
        }
        ExprKind::Pri(mask) => format!("pri{mask:02x?}"),
    }
}

fn show_variable(variable: &Variable) -> String {
    match variable {
        Variable::Property(name) => format!("${name}"),
        Variable::Json { tree, path } => {
            let root = match tree {
                Scope::Message => '!',
                Scope::Local => '.',
                Scope::Global => '/',
            };
            format!("${root}{}", String::from_utf8_lossy(path))
        }
    }
}

/// Every `tests/data/diagnostics/*.conf` gives the text in its `.expected`; `UPDATE_EXPECT=1` rewrites those.
#[test]
fn golden_diagnostics() -> io::Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/diagnostics");
    let mut cases = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(&directory)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "conf") {
            continue;
        }
        cases += 1;
        let name =
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut memory = Memory::default();
        memory.files.insert(PathBuf::from(&name), std::fs::read(&path)?);
        let (_, diagnostics) = load(&name, &memory, &CATALOGUE);
        let mut text = diagnostics.render();
        if let Some(fatal) = diagnostics.fatal() {
            text += &format!("fatal: {fatal}\n");
        }
        text += &format!("errors: {}\n", diagnostics.has_errors());
        let expected = path.with_extension("expected");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&expected, &text)?;
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != text {
            wrong.push(format!("{name}:\n{text}"));
        }
    }
    assert!(cases >= 30, "only {cases} cases found");
    assert!(wrong.is_empty(), "run with UPDATE_EXPECT=1 if this is right:\n{}", wrong.join("\n"));
    Ok(())
}

/// The configuration Debian installs, its comments left out.
const DEBIAN: &str = r#"module(load="imuxsock") # provides support for local system logging
module(load="imklog")   # provides kernel logging support
#module(load="immark")  # provides --MARK-- message capability
$ActionFileDefaultTemplate RSYSLOG_TraditionalFileFormat
$FileOwner root
$FileGroup root
$FileCreateMode 0640
$DirCreateMode 0755
$Umask 0022
$WorkDirectory /var/spool/rsyslog
$IncludeConfig /etc/rsyslog.d/*.conf
auth,authpriv.*			/var/log/auth.log
*.*;auth,authpriv.none		-/var/log/syslog
cron.*				-/var/log/cron.log
kern.*				-/var/log/kern.log
mail.*				-/var/log/mail.log
*.emerg				:omusrmsg:*
"#;

/// What Ubuntu adds to it.
const UBUNTU: &str = r#"module(load="imklog" permitnonkernelfacility="on")
$RepeatedMsgReduction on
$PrivDropToUser root
$PrivDropToGroup root
*.*;auth,authpriv.none		-/var/log/syslog
*.=debug;\
	auth,authpriv.none;\
	news.none;mail.none	-/var/log/debug
*.=info;*.=notice;*.=warn;\
	auth,authpriv.none;\
	cron,daemon.none;\
	mail,news.none		-/var/log/messages
:msg,contains,"[UFW " /var/log/ufw.log
& stop
if $programname == 'cloud-init' then /var/log/cloud-init.log
:syslogtag, isequal, "[CLOUDINIT]" /var/log/cloud-init.log
& stop
"#;

/// The configuration of RHEL and Fedora.
const RHEL: &str = r#"global(workDirectory="/var/lib/rsyslog")
module(load="builtin:omfile" Template="RSYSLOG_TraditionalFileFormat")
module(load="imuxsock"    # provides support for local system logging (e.g. via logger command)
       SysSock.Use="off") # Turn off message reception via local log socket;
module(load="imjournal" UsePid="system" # PID nummber is retrieved as the ID of the process
       FileCreateMode="0644"
       StateFile="imjournal.state") # File to store the position in the journal
include(file="/etc/rsyslog.d/*.conf" mode="optional")
*.info;mail.none;authpriv.none;cron.none                /var/log/messages
authpriv.*                                              /var/log/secure
mail.*                                                  -/var/log/maillog
cron.*                                                  /var/log/cron
*.emerg                                                 :omusrmsg:*
uucp,news.crit                                          /var/log/spooler
local7.*                                                /var/log/boot.log
#action(type="omfwd"
# queue.filename="fwdRule1"       # unique name prefix for spool files
# Target="remote_host" Port="514" Protocol="tcp")
"#;

/// The configurations of the distributions load; only what is not there yet is reported.
#[test]
fn distributions() {
    let cases = [(DEBIAN, 5, 3), (UBUNTU, 6, 1), (RHEL, 6, 3)];
    for (text, actions, missing) in cases {
        let (config, diagnostics) = load_text(text);
        let rendered = diagnostics.render();
        let unsafe_defaults = |found: &&Diagnostic| found.about == About::Insecure;
        let others: Vec<_> = diagnostics.iter().filter(|found| !unsafe_defaults(found)).collect();
        assert!(others.iter().all(|found| found.about == About::Missing), "{rendered}");
        assert_eq!(others.len(), missing, "{rendered}");
        assert_eq!(config.actions.len(), actions, "{rendered}");
    }
}

#[test]
fn directives_act_on_what_follows() {
    let (config, diagnostics) = load_text(
        "*.* /tmp/before\n\
         $FileCreateMode 0640\n\
         $ActionFileDefaultTemplate RSYSLOG_TraditionalFileFormat\n\
         $ActionFileEnableSync on\n\
         $ActionName named\n\
         $ActionQueueType LinkedList\n\
         $ActionQueueSize 10,000\n\
         $ActionResumeRetryCount -1\n\
         *.* /tmp/first\n\
         *.* -/tmp/second;RSYSLOG_FileFormat # comment\n\
         action(type=\"omfile\" file=\"/tmp/third\")\n\
         $ResetConfigVariables\n\
         *.* /tmp/last\n",
    );
    assert!(diagnostics.is_empty(), "{}", diagnostics.render());
    let [before, first, second, third, last] = config.actions.as_slice() else {
        panic!("{:?}", config.actions)
    };
    assert_eq!(before.args.args.int("fileCreateMode"), Some(0o644));
    assert_eq!(before.args.args.str("template"), None);
    assert_eq!(before.name, "action-0-builtin:omfile");
    assert_eq!(first.args.args.int("fileCreateMode"), Some(0o640));
    assert_eq!(first.args.args.str("template"), Some(&b"RSYSLOG_TraditionalFileFormat"[..]));
    assert!(first.args.args.bool("sync"));
    assert_eq!(first.name, "named");
    assert_eq!(first.queue.args.choice("queue.type"), Some("LinkedList"));
    assert_eq!(first.queue.args.size("queue.size"), Some(10_000));
    assert_eq!(first.queue.args.int("queue.timeoutEnqueue"), Some(50));
    assert_eq!(first.core.args.int("action.resumeRetryCount"), Some(-1));
    assert!(!second.args.args.bool("sync"));
    assert_eq!(second.args.args.str("template"), Some(&b"RSYSLOG_FileFormat"[..]));
    assert_eq!(second.name, "action-2-builtin:omfile");
    assert_eq!(second.queue.args.choice("queue.type"), Some("Direct"));
    assert_eq!(second.core.args.int("action.resumeRetryCount"), Some(-1));
    assert_eq!(third.args.args.int("fileCreateMode"), Some(0o644));
    assert_eq!(third.args.args.str("template"), Some(&b"RSYSLOG_TraditionalFileFormat"[..]));
    assert_eq!(third.queue.args.int("queue.timeoutEnqueue"), Some(2000));
    assert_eq!(last.args.args.int("fileCreateMode"), Some(0o644));
    assert_eq!(last.core.args.int("action.resumeRetryCount"), Some(0));
}

#[test]
fn legacy_inputs_and_rulesets() {
    let (config, diagnostics) = load_text(
        "$ModLoad imtcp.so\n\
         $ModLoad /usr/lib/rsyslog/imudp\n\
         $MainMsgQueueWorkerThreads 4\n\
         $AllowedSender UDP, 127.0.0.1, 10.0.0.0/8 # ours\n\
         $InputTCPMaxSessions 500\n\
         $InputTCPServerBindRuleset remote\n\
         $InputTCPServerRun 10514\n\
         $UDPServerAddress 127.0.0.1\n\
         $UDPServerRun 514\n\
         $InputTCPServerRun # the module's own port\n\
         $RuleSet remote\n\
         $RulesetParser rsyslog.rfc5424\n\
         $RulesetCreateMainQueue on\n\
         *.* /tmp/remote\n\
         $RuleSet RSYSLOG_DefaultRuleset\n\
         *.* /tmp/local\n\
         $DefaultRuleset Remote\n\
         input(type=\"imudp\" port=[\"1\", \"2\"])\n",
    );
    assert!(diagnostics.is_empty(), "{}", diagnostics.render());
    let [tcp, udp, own, both] = config.inputs.as_slice() else { panic!("{:?}", config.inputs) };
    assert_eq!(own.args.args.str("port"), Some(&b""[..]));
    assert_eq!(tcp.args.args.str("port"), Some(&b"10514"[..]));
    assert_eq!(tcp.args.args.int("maxSessions"), Some(500));
    assert_eq!(config.ruleset(tcp.ruleset).name, "remote");
    assert_eq!(udp.args.args.str("address"), Some(&b"127.0.0.1"[..]));
    assert_eq!(udp.args.args.array("allowedSender").map(<[_]>::len), Some(2));
    assert_eq!(tcp.args.args.array("allowedSender"), None);
    assert_eq!(both.args.args.array("port").map(<[_]>::len), Some(2));
    assert_eq!(config.ruleset(both.ruleset).name, "remote");
    assert_eq!(config.main_queue.args.int("queue.workerThreads"), Some(4));
    let remote = config.ruleset(tcp.ruleset);
    assert_eq!(remote.parsers, ["rsyslog.rfc5424"]);
    let queue = remote.queue.as_ref().map(|queue| queue.args.int("queue.workerThreads"));
    assert_eq!(queue, Some(Some(4)));
    assert_eq!(remote.body.len(), 1);
    assert_eq!(config.rulesets[0].body.len(), 1);
}

#[test]
fn queue_timeouts_have_global_defaults() {
    const TIMEOUTS: [&str; 4] = [
        "timeoutEnqueue",
        "timeoutShutdown",
        "timeoutActionCompletion",
        "timeoutWorkerThreadShutdown",
    ];
    let defaults = |class: &str, first: usize| -> String {
        let parameter = |(n, name)| format!("default.{class}.queue.{name}=\"{}\" ", first + n);
        TIMEOUTS.iter().enumerate().map(parameter).collect()
    };
    let (config, diagnostics) = load_text(&format!(
        "main_queue(queue.timeoutEnqueue=\"7\")\n\
         ruleset(name=\"r\" queue.type=\"LinkedList\") {{ stop }}\n\
         action(type=\"omfile\" file=\"/a\")\n\
         *.* /b\n\
         global({} {})\n",
        defaults("ruleset", 20),
        defaults("action", 30),
    ));
    assert!(!diagnostics.has_errors(), "{}", diagnostics.render());
    let timeouts = |queue: &ObjectArgs| {
        TIMEOUTS.map(|name| queue.args.int(&format!("queue.{name}")).expect("a number"))
    };
    assert_eq!(timeouts(&config.main_queue), [7, 21, 22, 23]);
    assert_eq!(config.rulesets[1].queue.as_ref().map(timeouts), Some([20, 21, 22, 23]));
    assert_eq!(timeouts(&config.actions[0].queue), [30, 31, 32, 33]);
    // Old directives have defaults of their own.
    assert_eq!(timeouts(&config.actions[1].queue), [50, 0, 1000, 60000]);
    let (config, _) = load_text(&format!("global({})\n*.* /b\n", defaults("ruleset", 20)));
    assert_eq!(timeouts(&config.main_queue), [2000, 1500, 1000, 60000]);
}

#[test]
fn out_channels() {
    let (config, diagnostics) = load_text(
        "$outchannel ring,/var/log/ring, 5242880, /usr/bin/rotate /var/log/ring\n*.* :omfile:$ring;RSYSLOG_FileFormat\n",
    );
    assert!(diagnostics.is_empty(), "{}", diagnostics.render());
    let args = &config.actions[0].args.args;
    assert_eq!(args.str("file"), Some(&b"/var/log/ring"[..]));
    assert_eq!(args.size("rotation.sizeLimit"), Some(5_242_880));
    assert_eq!(args.str("rotation.sizeLimitCommand"), Some(&b"/usr/bin/rotate /var/log/ring"[..]));
    assert!(!args.bool("rotation.sizeLimitCommandPassFileName"));
    assert_eq!(args.str("template"), Some(&b"RSYSLOG_FileFormat"[..]));
}

/// What is left of a ruleset's body, in short.
fn outline(config: &Config, body: &[Stmt]) -> String {
    let parts = body.iter().map(|stmt| match stmt {
        Stmt::If { arms, otherwise } => {
            let arms = arms
                .iter()
                .map(|(c, then)| format!("if {} {{{}}}", show(c), outline(config, then)));
            let arms = arms.collect::<Vec<_>>().join(" else ");
            if otherwise.is_empty() {
                arms
            } else {
                format!("{arms} else {{{}}}", outline(config, otherwise))
            }
        }
        Stmt::PriFilter { mask, then } => {
            let set: u32 = mask.iter().map(|bits| bits.count_ones()).sum();
            format!("pri({set}) {{{}}}", outline(config, then))
        }
        Stmt::PropFilter { property, op, negate, value, then, .. } => {
            let sign = if *negate { "!" } else { "" };
            let value = String::from_utf8_lossy(value);
            format!(
                ":{} {sign}{op:?} <{value}> {{{}}}",
                show_variable(property),
                outline(config, then)
            )
        }
        Stmt::Action(id) | Stmt::Modify(id) => {
            let file = config.action(*id).args.args.text("file");
            file.unwrap_or_default()
        }
        Stmt::Call(id) => format!("call {}", config.ruleset(*id).name),
        Stmt::CallIndirect(name) => format!("call_indirect {}", show(name)),
        Stmt::Set { target, value, how } => format!("{how:?} {target:?} {}", show(value)),
        Stmt::ReloadLookupTable { table, stub, .. } => format!("reload {table:?} {stub:?}"),
        Stmt::Unset(target) => format!("unset {target:?}"),
        Stmt::Foreach { variable, collection, body } => {
            format!("foreach {variable:?} {} {{{}}}", show(collection), outline(config, body))
        }
        Stmt::Stop => "stop".to_owned(),
    });
    parts.collect::<Vec<_>>().join(" ")
}

#[test]
fn statements() {
    let cases = [
        ("*.* /a\n", "/a"),
        ("mail.* /a\n& /b\n& stop\n", "pri(8) {/a /b stop}"),
        ("mail.err { /a\n/b\n}\n", "pri(4) {/a /b}"),
        (":msg, !contains, \"a\\\"b\\\\d\" /a\n", ":$msg !Contains <a\"b\\d> {/a}"),
        (":App-Name, isempty, \"\" stop\n", ":$App-Name IsEmpty <> {stop}"),
        (
            "if $msg == 'a' then /a\nelse if $msg == 'b' then /b\nelse { /c\nstop }\n",
            "if ($msg == \"a\") {/a} else if ($msg == \"b\") {/b} else {/c stop}",
        ),
        (
            "if $msg == 'a' then if $msg == 'b' then /b\nelse /c\n",
            "if ($msg == \"a\") {if ($msg == \"b\") {/b} else {/c}}",
        ),
        ("if $syslogseverity <= 3 then /a\n", "pri(100) {/a}"),
        (
            "if $syslogfacility-text == 'mail' and not ($syslogseverity-text == 'error') then /a\n",
            "pri(7) {/a}",
        ),
        ("if prifilt('mail.*') or $syslogfacility == 3 then /a\n", "pri(16) {/a}"),
        ("if 1 == 1 then /a\n", "if (1 == 1) {/a}"),
        ("if 0 then /a\nelse /b\n", "/b"),
        ("if 2 - 1 then /a\nelse /b\n", "/a"),
        ("if $msg == 'a' then continue\n", ""),
        ("if $msg == 'a' then { stop } else { /b\n }\n", "if ($msg == \"a\") {stop} else {/b}"),
        ("*.* call later\nruleset(name=\"later\") { stop }\n", "call later"),
        ("include(text=\"*.* /a\")\n*.* /b\n", "/a /b"),
        ("if $msg == 'a' then { include(text=\"/a\") }\n*.* /b\n", "if ($msg == \"a\") {/a} /b"),
        ("action(type=\"omfile\" file=\"/a\" config.enabled=\"off\")\n*.* /b\n", "/b"),
        ("action(type=\"omfile\" file=\"/a\\x41\\102\\t\")\n", "/aAB\t"),
        ("/* comment\n over lines */\n*.* /a # comment\n", "/a"),
        ("*.* action(type=\"omfile\" # why\n file=\"/a\" /* and */ sync=\"on\")\n", "/a"),
        (
            "template (name=\"t\" type=\"list\") { property(name=\"msg\") constant(value=\"x\") }\n*.* /a;t\n",
            "/a",
        ),
    ];
    for (text, expect) in cases {
        let (config, diagnostics) = load_text(text);
        assert!(!diagnostics.has_errors(), "{text}\n{}", diagnostics.render());
        assert_eq!(outline(&config, &config.rulesets[0].body), expect, "{text}");
    }
}

#[test]
fn includes() {
    let files = [
        ("c.conf", "$IncludeConfig /d/*.conf\ninclude(file=\"/d/x\" mode=\"optional\")\n*.* /c\n"),
        ("/d/20.conf", "*.* /20\n"),
        ("/d/10.conf", "if $msg == 'a' then {\n*.* /10\ninclude(file=\"/d/sub\")\n"),
        ("/d/sub", "*.* /sub\n}\n"),
    ];
    let (config, diagnostics) = load_files(&files);
    assert!(diagnostics.is_empty(), "{}", diagnostics.render());
    let expect = "if ($msg == \"a\") {/10 /sub} /20 /c";
    assert_eq!(outline(&config, &config.rulesets[0].body), expect);

    let (_, diagnostics) = load_files(&[("c.conf", "include(file=\"c.conf\")\n*.* /c\n")]);
    let text = "trying to include file 'c.conf', which is already included - ignored";
    assert!(diagnostics.render().contains(text), "{}", diagnostics.render());

    // Every file includes the next one twice.
    let names: Vec<String> = (0..64).map(|i| format!("/f{i}")).collect();
    let texts: Vec<String> =
        (1..65).map(|i| format!("include(file=\"/f{i}\")\n").repeat(2)).collect();
    let mut files: Vec<(&str, &str)> = vec![("c.conf", "include(file=\"/f0\")\n*.* /c\n")];
    files.extend(names.iter().map(String::as_str).zip(texts.iter().map(String::as_str)));
    let (_, diagnostics) = load_files(&files);
    assert!(diagnostics.has_errors());
}

#[test]
fn backticks() {
    let mut memory = Memory::with(&[
        ("c.conf", "action(type=\"omfile\" file=`echo /$A/${A}b/$UNSET/x$A`)\n*.* `x`\n"),
        ("/secret", "top secret"),
    ]);
    memory.env.insert(b"A".to_vec(), b"val".to_vec());
    let (config, _) = load("c.conf", &memory, &CATALOGUE);
    assert_eq!(config.actions[0].args.args.str("file"), Some(&b"/val/valb//xval"[..]));
    memory.files.insert("c.conf".into(), b"action(type=\"omfile\" file=`cat /secret`)\n".to_vec());
    let (config, diagnostics) = load("c.conf", &memory, &CATALOGUE);
    assert!(diagnostics.is_empty(), "{}", diagnostics.render());
    assert_eq!(config.actions[0].args.args.str("file"), Some(&b"top secret"[..]));
}

#[test]
fn a_missing_master_file_is_fatal() {
    let (_, diagnostics) = load("nowhere", &Memory::default(), &CATALOGUE);
    assert!(diagnostics.fatal().is_some());
    let text = "rsyslogd: could not open config file 'nowhere': No such file or directory [v8.2608.0 try https://www.rsyslog.com/e/2104 ]\n";
    assert_eq!(diagnostics.render(), text);
}

#[test]
fn nesting_is_bounded() {
    let deep = "if $msg == 'a' then {\n".repeat(10_000);
    let (_, diagnostics) = load_text(&deep);
    assert!(diagnostics.render().contains("levels deep"));
    let chain =
        "if $msg == 'a' then /a\n".to_owned() + &"else if $msg == 'b' then /b\n".repeat(5_000);
    let (config, diagnostics) = load_text(&chain);
    assert!(diagnostics.is_empty(), "{}", diagnostics.render());
    assert_eq!(config.actions.len(), 5_001);
    let (_, diagnostics) = load_text(&"*.foo /x\n".repeat(5_000));
    assert!(diagnostics.render().contains("more messages are not shown"));
}

/// Words of the language, to be put together at random.
const WORDS: [&str; 48] = [
    "if ",
    "$msg ",
    "== ",
    "'a' ",
    "\"b\" ",
    "then ",
    "{ ",
    "} ",
    "\n",
    "*.* ",
    "/tmp/x",
    "action(",
    "type=",
    "\"omfile\" ",
    ")",
    "ruleset(",
    "name=\"q\" ",
    "& ",
    "stop ",
    "else ",
    "call q ",
    "$FileOwner root\n",
    ":msg, contains, \"x\" ",
    "template(",
    "[",
    "]",
    ",",
    "\\",
    "`echo $A`",
    "include(file=\"/d/x\")",
    "not ",
    "and ",
    "or ",
    "(",
    "foreach ",
    "set $!a = ",
    "; ",
    "/*",
    "*/",
    "#",
    "$template t,\"%msg%\"\n",
    "~\n",
    "\0",
    "\"",
    "input(type=\"imtcp\" port=\"1\") ",
    "$InputTCPServerRun 1\n",
    "@host\n",
    "$IncludeConfig /d/*\n",
];

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]

    /// Nothing that stands in a file makes the loader panic or run on for ever.
    #[test]
    fn any_words(words in proptest::collection::vec(proptest::sample::select(&WORDS[..]), 0..60)) {
        let (_, diagnostics) = load_files(&[("c.conf", &words.concat()), ("/d/x", "} then ( /*")]);
        let _ = diagnostics.render();
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
        let mut memory = Memory::default();
        memory.files.insert("c.conf".into(), bytes);
        let _ = load("c.conf", &memory, &CATALOGUE).1.render();
    }

    /// Good configurations with one byte changed or cut off.
    #[test]
    fn broken_configurations(at in 0..1100_usize, byte in proptest::prelude::any::<u8>(), which in 0..3_usize) {
        let mut text = [DEBIAN, UBUNTU, RHEL][which].as_bytes().to_vec();
        let at = at % text.len();
        text[at] = byte;
        let mut memory = Memory::default();
        memory.files.insert("c.conf".into(), text.clone());
        let _ = load("c.conf", &memory, &CATALOGUE).1.render();
        text.truncate(at);
        memory.files.insert("c.conf".into(), text);
        let _ = load("c.conf", &memory, &CATALOGUE).1.render();
    }
}

#[test]
fn large_configurations_with_many_errors() {
    let rulesets = (0..5_000).map(|i| format!("ruleset(name=\"r{i}\") {{ call x{i} }}\n"));
    let (_, diagnostics) = load_text(&rulesets.collect::<String>());
    assert!(diagnostics.has_errors());
}

//! Tests of the whole loader, and what the tests of its parts share.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use super::ast::{BinaryOp, CompareOp, Expr, ExprKind, Item, JsonTree, StmtKind, Variable};
use super::{Catalogue, Config, Diagnostics, Loader, load, parse};
use crate::param::{Class, Kind, Module, Param};

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

pub(super) const CATALOGUE: Catalogue<'static> = Catalogue {
    modules: &[&OUTPUT, &STDOUT, &TCP, &UDP],
    templates: &["RSYSLOG_FileFormat", "RSYSLOG_TraditionalFileFormat"],
    parsers: &["rsyslog.rfc5424", "rsyslog.rfc3164"],
};

/// Loads one text.
pub(super) fn load_text(text: &str) -> (Config, Diagnostics) {
    load_files(&[("c.conf", text)])
}

fn load_files(files: &[(&str, &str)]) -> (Config, Diagnostics) {
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
            let word = match op {
                CompareOp::Eq => "==",
                CompareOp::Ne => "!=",
                CompareOp::Lt => "<",
                CompareOp::Le => "<=",
                CompareOp::Gt => ">",
                CompareOp::Ge => ">=",
                CompareOp::Contains => "contains",
                CompareOp::ContainsI => "contains_i",
                CompareOp::StartsWith => "startswith",
                CompareOp::StartsWithI => "startswith_i",
                CompareOp::EndsWith => "endswith",
            };
            format!("({} {word} {})", show(left), show(right))
        }
        ExprKind::Binary(op, left, right) => {
            let word = match op {
                BinaryOp::Add => "+",
                BinaryOp::Sub => "-",
                BinaryOp::Mul => "*",
                BinaryOp::Div => "/",
                BinaryOp::Mod => "%",
                BinaryOp::Concat => "&",
            };
            format!("({} {word} {})", show(left), show(right))
        }
        ExprKind::Pri(mask) => format!("pri{mask:02x?}"),
    }
}

fn show_variable(variable: &Variable) -> String {
    match variable {
        Variable::Property(name) => format!("${name}"),
        Variable::Json { tree, path } => {
            let root = match tree {
                JsonTree::Message => '!',
                JsonTree::Local => '.',
                JsonTree::Global => '/',
            };
            format!("${root}{}", String::from_utf8_lossy(path))
        }
    }
}

//! Help text, rendered from the flag table and the modules' parameter tables; nothing is written twice.

use std::fmt::Write as _;

use super::flags::FLAGS;
use crate::param::{Kind, Module, Param, Support};
use crate::registry;

/// What `--help` shows: the flags and the modules.
pub(crate) fn overview() -> String {
    let mut out = String::from(
        "usage: sluiced [options]\n\
         sluiced receives syslog and writes it to files; it reads rsyslog's configuration.\n\n",
    );
    for flag in FLAGS {
        let head = match flag.value {
            Some(value) => format!("-{} {value}", flag.letter),
            None => format!("-{}", flag.letter),
        };
        let _ = match flag.gone {
            Some(instead) => writeln!(out, "  {head:<12} Gone; use {instead}."),
            None => writeln!(out, "  {head:<12} {}", flag.doc),
        };
    }
    out.push_str("  --explain FILE  Report what becomes of a configuration here: what loads, what is not supported, what differs.\n  --help [MODULE]  Show this help, or a module's parameters.\n  --version    Show the version.\n  --stats SOCKET [--watch]\n               Show what a running daemon has received, processed, holds and has dropped; its impstats needs\n               http.listen=\"SOCKET\". With --watch every second.\n\nModules:\n");
    for module in registry::modules() {
        let _ = writeln!(out, "  {:<12} {}", module.name, module.summary);
    }
    out
}

/// What `--help MODULE` shows; `None` for an unknown module.
pub(crate) fn module(name: &str) -> Option<String> {
    let module = registry::modules().find(|m| m.name.eq_ignore_ascii_case(name))?;
    let mut out = format!("{}: {}\n", module.name, module.summary);
    let load = format!("module(load=\"{}\")", module.name);
    let instance = match module.class {
        crate::param::Class::Input => format!("input(type=\"{}\")", module.name),
        crate::param::Class::Parser => format!("parser(type=\"{}\")", module.name),
        _ => format!("action(type=\"{}\")", module.name),
    };
    for (title, params) in [(load, module.module_params), (instance, module.params)] {
        if !params.is_empty() {
            let _ = writeln!(out, "\nParameters of {title}:");
            params.iter().for_each(|p| parameter(&mut out, p));
        }
    }
    counters(&mut out, module);
    for example in module.examples {
        let _ = writeln!(out, "\nExample:\n{}", example.trim_end());
    }
    Some(out)
}

fn parameter(out: &mut String, param: &Param) {
    let _ = write!(out, "  {} ({}", param.name, kind(&param.kind));
    let _ = match (param.required, param.default) {
        (true, _) => write!(out, ", required"),
        (false, Some(default)) => write!(out, ", default {default}"),
        (false, None) => Ok(()),
    };
    let _ = writeln!(out, ")\n      {}", param.doc);
    match param.support {
        Support::Full => {}
        Support::Missing => out.push_str("      Not implemented in this version.\n"),
        Support::Deprecated(advice) => {
            let _ = writeln!(out, "      Deprecated: {advice}");
        }
        Support::NoEffect { reason, .. } => {
            let _ = writeln!(out, "      Accepted without effect: {reason}.");
        }
    }
    for directive in param.legacy.into_iter().chain(param.legacy_alias) {
        let only = if param.legacy_only { ", the only way to write it" } else { "" };
        let _ = writeln!(out, "      Legacy: ${directive}{only}");
    }
}

fn counters(out: &mut String, module: &Module) {
    if !module.counters.is_empty() {
        out.push_str("\nCounters:\n");
        for (name, doc) in module.counters {
            let _ = writeln!(out, "  {name}: {doc}");
        }
    }
}

/// What a parameter accepts, in words.
pub(crate) fn kind(kind: &Kind) -> String {
    match kind {
        Kind::Bool => "on or off".into(),
        Kind::Int { min: i64::MIN, max: i64::MAX } => "number".into(),
        Kind::Int { min, max: i64::MAX } => format!("number, {min} or more"),
        Kind::Int { min, max } => format!("number, {min} to {max}"),
        Kind::Size { .. } => "size with k/m/g".into(),
        Kind::Word => "word".into(),
        Kind::Char => "one character".into(),
        Kind::Str => "string".into(),
        Kind::Array => "string or array".into(),
        Kind::FileMode => "octal mode".into(),
        Kind::User => "user".into(),
        Kind::Group => "group".into(),
        Kind::Facility => "facility".into(),
        Kind::Severity => "severity".into(),
        Kind::Choice(words) => words.join(" | "),
        Kind::Gone => "no effect".into(),
    }
}

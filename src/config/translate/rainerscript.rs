//! Writes RainerScript.

use super::super::ast::{ObjectKind, Parameter};
use super::script::object_string;
use super::{Entry, sorted};

/// Objects by their kinds; rulesets come last, because the others are what they refer to.
const ORDER: [ObjectKind; 12] = [
    ObjectKind::Global,
    ObjectKind::MainQueue,
    ObjectKind::Module,
    ObjectKind::Input,
    ObjectKind::Template,
    ObjectKind::LookupTable,
    ObjectKind::Parser,
    ObjectKind::Timezone,
    ObjectKind::DynStats,
    ObjectKind::PercentileStats,
    ObjectKind::Ratelimit,
    ObjectKind::Ruleset,
];

/// The whole text.
pub(super) fn write(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for kind in ORDER {
        for entry in entries.iter().filter(|entry| entry.kind == kind) {
            for remark in &entry.remarks {
                out.extend_from_slice(format!("# TRANSLATION WARNING: {remark}\n").as_bytes());
            }
            write_entry(entry, &mut out);
        }
    }
    out
}

fn write_entry(entry: &Entry<'_>, out: &mut Vec<u8>) {
    object(entry.kind, &entry.params, out);
    if let Some(body) = &entry.body {
        out.extend_from_slice(b" {\n");
        out.extend_from_slice(&body.script);
        out.push(b'}');
    } else if entry.kind == ObjectKind::Ruleset {
        out.extend_from_slice(b" {}");
    }
    if !entry.elements.is_empty() {
        out.extend_from_slice(b" {\n");
        for element in entry.elements {
            out.extend_from_slice(b"  ");
            object(element.kind, &sorted(&element.params), out);
            out.push(b'\n');
        }
        out.push(b'}');
    }
    out.extend_from_slice(b"\n\n");
}

/// `kind(name="value" …)`
pub(super) fn object(kind: ObjectKind, params: &[&Parameter], out: &mut Vec<u8>) {
    out.extend_from_slice(kind.keyword().as_bytes());
    out.push(b'(');
    for (index, param) in params.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(param.name.as_bytes());
        out.push(b'=');
        if param.array {
            out.push(b'[');
        }
        for (index, value) in param.value.iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(b", ");
            }
            out.extend_from_slice(&object_string(value));
        }
        if param.array {
            out.push(b']');
        }
    }
    out.push(b')');
}

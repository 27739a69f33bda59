//! A configuration in its other form (`-F rainerscript`, `-F yaml`), byte for byte as the reference writes it where that
//! loads again: objects by their sections with sorted parameters, statements as scripts.
//!
//! It is made of the syntax tree, so that it says what was written and not what became of it. Statements outside of
//! rulesets become the body of a ruleset `RSYSLOG_DefaultRuleset`, which [`check`](super::check) takes as what it is;
//! with `$` directives, whose meaning is where they stand, there is no translation.

mod body;
mod rainerscript;
pub(super) mod script;
mod yaml;

use self::body::Body;
use super::ast::{Item, Object, ObjectKind, Parameter, Span, Stmt, Tree};
use super::check::DEFAULT_RULESET;

/// What a configuration can be translated into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Its own language.
    RainerScript,
    /// YAML.
    Yaml,
}

/// Sections of the YAML format with one item for each object, in the order in which they are written. Rulesets are read
/// last, wherever they stand.
pub(super) const SECTIONS: [(&str, ObjectKind); 10] = [
    ("modules", ObjectKind::Module),
    ("inputs", ObjectKind::Input),
    ("templates", ObjectKind::Template),
    ("rulesets", ObjectKind::Ruleset),
    ("lookup_tables", ObjectKind::LookupTable),
    ("parsers", ObjectKind::Parser),
    ("timezones", ObjectKind::Timezone),
    ("dyn_stats", ObjectKind::DynStats),
    ("perctile_stats", ObjectKind::PercentileStats),
    ("ratelimits", ObjectKind::Ratelimit),
];

/// Sections of which there is one object only.
pub(super) const SINGLE_SECTIONS: [(&str, ObjectKind); 2] =
    [("global", ObjectKind::Global), ("mainqueue", ObjectKind::MainQueue)];

/// An object to be written.
struct Entry<'a> {
    kind: ObjectKind,
    params: Vec<&'a Parameter>,
    elements: &'a [Object],
    body: Option<Body>,
    /// Remarks that are written in front of it.
    remarks: Vec<String>,
}

/// The text, and what cannot be said in it.
pub(super) fn translate(tree: &Tree, format: Format) -> (Vec<u8>, Vec<(Span, String)>) {
    let name = default_ruleset_name();
    let mut problems = Vec::new();
    let entries = entries(tree, &name, &mut problems);
    let text = match format {
        Format::RainerScript => rainerscript::write(&entries),
        Format::Yaml => yaml::write(&entries, &mut problems),
    };
    (text, problems)
}

fn default_ruleset_name() -> Parameter {
    Parameter {
        name: "name".to_owned(),
        value: vec![DEFAULT_RULESET.as_bytes().to_vec()],
        array: false,
        span: Span::default(),
        value_span: Span::default(),
    }
}

/// All objects in the order of the text; `global()` and `main_queue()` once, with the parameters of all of them.
fn entries<'a>(
    tree: &'a Tree,
    default_name: &'a Parameter,
    problems: &mut Vec<(Span, String)>,
) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    let mut default = None;
    let mut items = tree.items.iter().peekable();
    while let Some(item) = items.next() {
        match item {
            Item::Object(object) => {
                match entries.iter_mut().find(|entry| entry.kind == object.kind) {
                    Some(first) if SINGLE_SECTIONS.iter().any(|(_, kind)| *kind == object.kind) => {
                        // What the reference appends is in the reverse order of the text.
                        first.params.extend(object.params.iter().rev());
                    }
                    _ => {
                        if is_default_ruleset(object) {
                            default = Some(entries.len());
                        }
                        entries.push(entry(object, problems));
                    }
                }
            }
            Item::Stmt(first) => {
                let mut chain: Vec<&Stmt> = vec![first];
                while let Some(Item::Stmt(next)) =
                    items.next_if(|next| matches!(next, Item::Stmt(statement) if statement.chained))
                {
                    chain.push(next);
                }
                let index = *default.get_or_insert_with(|| {
                    entries.push(default_ruleset(default_name));
                    entries.len() - 1
                });
                let Entry { body, remarks, .. } = &mut entries[index];
                body.get_or_insert_default().append(&chain, remarks, problems);
            }
        }
    }
    entries
}

fn is_default_ruleset(object: &Object) -> bool {
    let name = object.params.iter().find(|param| param.name.eq_ignore_ascii_case("name"));
    object.kind == ObjectKind::Ruleset
        && name.is_some_and(|name| name.value == [DEFAULT_RULESET.as_bytes()])
}

fn default_ruleset(name: &Parameter) -> Entry<'_> {
    let remark = format!("top-level statements normalized into explicit {DEFAULT_RULESET}");
    Entry {
        kind: ObjectKind::Ruleset,
        params: vec![name],
        elements: &[],
        body: None,
        remarks: vec![remark],
    }
}

fn entry<'a>(object: &'a Object, problems: &mut Vec<(Span, String)>) -> Entry<'a> {
    let mut remarks = Vec::new();
    let statements = object.body.as_ref().filter(|body| !body.is_empty());
    let body = statements.map(|body| {
        let mut whole = Body::default();
        whole.append(&body.iter().collect::<Vec<_>>(), &mut remarks, problems);
        whole
    });
    Entry {
        kind: object.kind,
        params: sorted(&object.params),
        elements: &object.elements,
        body,
        remarks,
    }
}

/// Parameters as they are written: what the object is called first, the others by their names.
fn sorted<'p>(params: impl IntoIterator<Item = &'p Parameter>) -> Vec<&'p Parameter> {
    let mut params: Vec<_> = params.into_iter().collect();
    params.sort_by_key(|param| (rank(&param.name), &param.name));
    params
}

fn rank(name: &str) -> usize {
    let first = ["name", "type", "load"];
    first.iter().position(|known| *known == name).unwrap_or(first.len())
}

#[cfg(test)]
mod tests;

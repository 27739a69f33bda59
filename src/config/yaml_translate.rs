//! A configuration in YAML becomes one in RainerScript (`spec/config-language.md` section 14), in which everything
//! stands in the line it had: what is said about the translation is said about the file.

use std::path::Path;

use super::ast::{Item, ObjectKind, Tree};
use super::diagnostic::Diagnostics;
use super::include;
use super::translate::{SECTIONS, SINGLE_SECTIONS, script};
use crate::limits;
use crate::param::yaml::{Kind, Member, Node};

/// What became of a file.
pub(super) struct Translation {
    /// RainerScript.
    pub(super) text: String,
    /// What could not be translated.
    pub(super) problems: Vec<String>,
    /// Whether the file is YAML at all.
    pub(super) readable: bool,
}

/// Translates `text`, the content of the file `name`.
pub(super) fn translate(name: &str, text: &str) -> Translation {
    let mut translator = Translator { name, out: String::new(), line: 1, problems: Vec::new() };
    let readable = match Node::parse(text, limits::YAML_DEPTH) {
        Ok(Some(root)) => {
            translator.file(&root);
            true
        }
        Ok(None) => true,
        Err(why) => {
            translator.problem(why);
            false
        }
    };
    Translation { text: translator.out, problems: translator.problems, readable }
}

/// Puts the rulesets of files in YAML behind what else stands in them, as the reference does: what they refer to may
/// stand in a later section.
pub(super) fn rulesets_last(tree: &mut Tree, diagnostics: &Diagnostics) {
    let of_yaml = |item: &Item| {
        let Item::Object(object) = item else { return None };
        let source = diagnostics.source(object.span)?;
        include::is_yaml(Path::new(source.name())).then_some(object.kind)
    };
    for run in tree.items.chunk_by_mut(|a, b| of_yaml(a).is_some() == of_yaml(b).is_some()) {
        run.sort_by_key(|item| of_yaml(item) == Some(ObjectKind::Ruleset));
    }
}

struct Translator<'a> {
    name: &'a str,
    out: String,
    /// The line that `out` ends in.
    line: usize,
    problems: Vec<String>,
}

impl Translator<'_> {
    fn problem(&mut self, what: impl std::fmt::Display) {
        self.problems.push(format!("yamlconf: {}: {what}", self.name));
    }

    /// A problem of what begins in `line`.
    fn problem_at(&mut self, line: usize, what: impl std::fmt::Display) {
        self.problem(format!("{what} (line {line})"));
    }

    /// Appends `text`, in `line` unless that is over already.
    fn put(&mut self, line: usize, text: &str) {
        while self.line < line {
            self.out.push('\n');
            self.line += 1;
        }
        self.out.push_str(text);
        self.line += text.bytes().filter(|byte| *byte == b'\n').count();
    }

    fn file(&mut self, root: &Node) {
        let Some(sections) = root.members() else {
            return self.problem_at(root.line, "expected a mapping at top level");
        };
        for (index, section) in sections.iter().enumerate() {
            if sections.iter().take(index).any(|before| before.key == section.key) {
                self.problem(format!(
                    "duplicate top-level key '{}' - this is unsupported; use sequences for multiple items or \
                     include: for file-level composition",
                    section.key
                ));
            }
            if section.value.text().is_some() {
                if section.key != "version" {
                    self.problem(format!(
                        "key '{}' has a scalar value but expects a mapping or sequence",
                        section.key
                    ));
                }
                continue;
            }
            self.section(section);
        }
        self.put(0, "\n");
    }

    fn section(&mut self, section: &Member) {
        let key = match section.key.as_str() {
            "include" => return self.includes(section),
            "version" => return,
            "main_queue" => "mainqueue",
            "testbench_modules" => "modules",
            key => key,
        };
        let kind = |table: &[(&str, ObjectKind)]| {
            table.iter().find(|(name, _)| *name == key).map(|(_, kind)| *kind)
        };
        match (kind(&SINGLE_SECTIONS), kind(&SECTIONS)) {
            (Some(kind), _) => self.single(kind.keyword(), section),
            (_, Some(ObjectKind::Template)) => self.each(section, Self::template),
            (_, Some(ObjectKind::Ruleset)) => self.each(section, Self::ruleset),
            (_, Some(kind)) => self.each(section, |this, line, members| {
                this.object(line, kind.keyword(), members);
                this.put(0, "\n");
            }),
            (None, None) => self.problem(format!("unknown top-level key '{key}' – ignoring")),
        }
    }

    fn single(&mut self, object: &str, section: &Member) {
        match section.value.members() {
            Some(members) => {
                self.object(section.line, object, members);
                self.put(0, "\n");
            }
            None => self.problem_at(section.line, format!("'{}' must be a mapping", section.key)),
        }
    }

    fn each(&mut self, section: &Member, mut one: impl FnMut(&mut Self, usize, &[Member])) {
        let Some(items) = section.value.items() else {
            return self.problem_at(section.line, format!("'{}' must be a sequence", section.key));
        };
        for item in items {
            match item.members() {
                Some(members) => one(self, item.line, members),
                None => self.problem_at(item.line, "sequence item must be a mapping"),
            }
        }
    }

    /// `object(name="value" …)`
    fn object<'m>(
        &mut self,
        line: usize,
        object: &str,
        members: impl IntoIterator<Item = &'m Member>,
    ) {
        self.put(line, object);
        self.put(0, "(");
        for Member { key, line, value } in members {
            let known =
                key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._".contains(&byte));
            if !known || !key.starts_with(|c: char| c.is_ascii_alphabetic()) {
                self.problem_at(
                    *line,
                    format!("parameter '{key}' not known -- typo in config file?"),
                );
                continue;
            }
            match &value.kind {
                Kind::Map(_) => self
                    .problem(format!("nested mapping for key '{key}' is not supported – ignoring")),
                Kind::Text(text) => {
                    self.put(*line, &format!(" {key}="));
                    self.put(0, &quoted(text));
                }
                Kind::List(items) => {
                    self.put(*line, &format!(" {key}=["));
                    self.strings(items);
                    self.put(0, "]");
                }
            }
        }
        self.put(0, ")");
    }

    fn strings(&mut self, items: &[Node]) {
        for (index, item) in items.iter().enumerate() {
            let Some(text) = item.text() else {
                self.problem_at(item.line, "array elements must be scalars");
                continue;
            };
            self.put(item.line, if index > 0 { ", " } else { "" });
            self.put(0, &quoted(text));
        }
    }

    fn template(&mut self, line: usize, members: &[Member]) {
        self.object(line, "template", members.iter().filter(|member| member.key != "elements"));
        let Some(elements) = find(members, "elements") else { return self.put(0, "\n") };
        let Some(items) = elements.items() else {
            return self.problem_at(elements.line, "'elements' must be a sequence");
        };
        self.put(0, " {\n");
        for item in items {
            let element = item.members().and_then(<[Member]>::first);
            match element.map(|element| (element.key.as_str(), element.value.members())) {
                Some((kind @ ("property" | "constant"), Some(members))) => {
                    self.object(item.line, kind, members);
                    self.put(0, "\n");
                }
                _ => self.problem_at(
                    item.line,
                    "elements: item must be a mapping whose key is 'property' or 'constant'",
                ),
            }
        }
        self.put(0, "}\n");
    }

    fn ruleset(&mut self, line: usize, members: &[Member]) {
        let rules = ["script", "statements", "filter", "actions"];
        let [script, statements, filter, actions] = rules.map(|name| find(members, name));
        let is_rule = |member: &&Member| !rules.contains(&member.key.as_str());
        self.object(line, "ruleset", members.iter().filter(is_rule));
        self.put(0, " {\n");
        if (script.is_some() || statements.is_some()) && actions.is_some() {
            self.problem_at(
                line,
                "ruleset cannot have both 'script'/'statements' and 'actions'; use one or the other",
            );
        } else if let Some(script) = script {
            match script.text() {
                Some(text) => self.put(script.line, text),
                None => self.problem_at(script.line, "'script' value must be a scalar string"),
            }
        } else if let Some(statements) = statements {
            self.statements(statements);
        } else if let Some(actions) = actions {
            self.filtered(filter, actions);
        }
        self.put(0, "\n}\n");
    }

    /// `actions:` behind a `filter:`, which is to begin a line.
    fn filtered(&mut self, filter: Option<&Node>, actions: &Node) {
        let filter = filter.and_then(Node::text).filter(|text| !text.is_empty());
        if let Some(filter) = filter {
            self.put(0, "\n");
            self.put(0, filter);
            self.put(0, " {\n");
        }
        let Some(items) = actions.items() else {
            return self.problem_at(actions.line, "'actions' value must be a sequence");
        };
        for item in items {
            match item.members() {
                Some(members) => {
                    self.object(item.line, "action", members);
                    self.put(0, "\n");
                }
                None => self.problem_at(item.line, "actions: item must be a mapping"),
            }
        }
        if filter.is_some() {
            self.put(0, "}\n");
        }
    }

    fn statements(&mut self, list: &Node) {
        let Some(items) = list.items() else {
            return self.problem_at(list.line, "statements must be a sequence");
        };
        for item in items {
            match item.members() {
                Some(members) => self.statement(item.line, members),
                None => self
                    .problem_at(item.line, "each item in a statements: sequence must be a mapping"),
            }
        }
    }

    fn statement(&mut self, line: usize, members: &[Member]) {
        let text = |name: &str| find(members, name).and_then(Node::text);
        let is_on = |name: &str| text(name).is_some_and(|value| !matches!(value, "false" | "0"));
        if let Some(condition) = text("if") {
            self.put(line, &format!("if ({condition}) then {{\n"));
            if let Some(action) = find(members, "action").and_then(Node::members) {
                self.object(line, "action", action);
            } else if let Some(then) = find(members, "then") {
                self.statements(then);
            }
            self.put(0, "}");
            if let Some(otherwise) = find(members, "else") {
                self.put(0, " else {\n");
                self.statements(otherwise);
                self.put(0, "}");
            }
            self.put(0, "\n");
        } else if is_on("stop") {
            self.put(line, "stop\n");
        } else if is_on("continue") {
            self.put(line, "continue\n");
        } else if let Some(name) = text("call") {
            self.put(line, &format!("call {name}\n"));
        } else if let Some(expression) = text("call_indirect") {
            self.put(line, &format!("call_indirect {expression};\n"));
        } else if let Some(name) = text("unset") {
            self.put(line, &format!("unset {name};\n"));
        } else if find(members, "type").is_some() {
            self.object(line, "action", members);
            self.put(0, "\n");
        } else if !self.compound(line, members) {
            self.problem_at(
                line,
                "unrecognised statement item in statements: (expected if/type/stop/continue/call/\
                 call_indirect/unset/set/foreach/reload_lookup_table)",
            );
        }
    }

    /// Statements whose value is a mapping.
    fn compound(&mut self, line: usize, members: &[Member]) -> bool {
        let Some(Member { key, value, .. }) = members.first() else { return false };
        let Some(parts) = value.members() else { return false };
        let text = |name: &str| find(parts, name).and_then(Node::text);
        match key.as_str() {
            "set" => match (text("var"), text("expr")) {
                (Some(name), Some(value)) => self.put(line, &format!("set {name} = {value};\n")),
                _ => self.problem_at(line, "set: requires both 'var' and 'expr' keys"),
            },
            "foreach" => match (text("var"), text("in"), find(parts, "do")) {
                (Some(name), Some(list), Some(body)) => {
                    self.put(line, &format!("foreach ({name} in {list}) do {{\n"));
                    self.statements(body);
                    self.put(0, "}\n");
                }
                _ => self.problem_at(line, "foreach: requires 'var', 'in', and 'do' keys"),
            },
            "reload_lookup_table" => match (text("table"), text("stub_value")) {
                (Some(table), stub) => {
                    let stub = stub.map_or(String::new(), |stub| format!(", {}", quoted(stub)));
                    self.put(line, &format!("reload_lookup_table({}{stub})\n", quoted(table)));
                }
                _ => self.problem_at(line, "reload_lookup_table: 'table' key is required"),
            },
            _ => return false,
        }
        true
    }

    /// Files in YAML come before all others of a list, as in the reference.
    fn includes(&mut self, section: &Member) {
        let is_yaml = |path: &str| path.ends_with(".yaml") || path.ends_with(".yml");
        for yaml in [true, false] {
            self.each(section, |this, line, members| {
                let text = |name: &str| find(members, name).and_then(Node::text);
                match text("path") {
                    Some(path) if is_yaml(path) == yaml => {
                        let optional = text("optional").is_some_and(|value| {
                            ["on", "yes", "1"].iter().any(|on| value.eq_ignore_ascii_case(on))
                        });
                        let mode = if optional { "optional" } else { "required" };
                        let path = quoted(path);
                        this.put(line, &format!("include(file={path} mode=\"{mode}\")\n"));
                    }
                    None if yaml => {
                        this.problem_at(line, "include item missing required 'path' key");
                    }
                    _ => {}
                }
            });
        }
    }
}

fn find<'m>(members: &'m [Member], name: &str) -> Option<&'m Node> {
    members.iter().find(|member| member.key == name).map(|member| &member.value)
}

/// As a string of an object.
fn quoted(text: &str) -> String {
    String::from_utf8_lossy(&script::object_string(text.as_bytes())).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(yaml: &str, script: &str, problems: &[&str]) {
        let translation = translate("f", yaml);
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&translation.text), words(script), "{yaml}");
        let known: Vec<String> =
            problems.iter().map(|problem| format!("yamlconf: f: {problem}")).collect();
        assert_eq!(translation.problems, known, "{yaml}");
    }

    #[test]
    fn every_section_has_its_object() {
        check(
            "version: 2\nglobal: {workDirectory: /tmp, environment: [a=b, \"c=d\"]}\nmainqueue:\n  queue.size: 7\n\
             modules:\n  - load: imtcp\ninputs:\n  - {type: imtcp, port: \"514\"}\ntimezones: [{id: X}]\n",
            "global( workDirectory=\"/tmp\" environment=[\"a=b\", \"c=d\"]) main_queue( queue.size=\"7\") \
             module( load=\"imtcp\") input( type=\"imtcp\" port=\"514\") timezone( id=\"X\")",
            &[],
        );
        check(
            "templates:\n  - {name: t, type: string, string: \"a\\n\\\"b\\\"\"}\n  - name: l\n    type: list\n    \
             elements:\n      - property: {name: msg}\n      - constant: {value: x}\n",
            "template( name=\"t\" type=\"string\" string=\"a\\n\\\"b\\\"\") template( name=\"l\" type=\"list\") { \
             property( name=\"msg\") constant( value=\"x\") }",
            &[],
        );
        check(
            "include:\n  - path: a.conf\n  - {path: b.yaml, optional: yes}\n",
            "include(file=\"b.yaml\" mode=\"optional\") include(file=\"a.conf\" mode=\"required\")",
            &[],
        );
    }

    #[test]
    fn statements_become_statements() {
        check(
            "rulesets:\n  - name: r\n    statements:\n      - if: $msg contains \"x\"\n        then:\n          - {stop: true}\n        \
             else:\n          - {type: omfile, file: /x}\n      - {set: {var: $!a, expr: 1 + 2}}\n      - {unset: $!a}\n      \
             - foreach: {var: $.i, in: $!l, do: [{call: x}]}\n      - {call_indirect: $!a}\n      - {continue: true}\n      \
             - {reload_lookup_table: {table: t, stub_value: s}}\n",
            "ruleset( name=\"r\") { if ($msg contains \"x\") then { stop } else { action( type=\"omfile\" file=\"/x\") } \
             set $!a = 1 + 2; unset $!a; foreach ($.i in $!l) do { call x } call_indirect $!a; continue \
             reload_lookup_table(\"t\", \"s\") }",
            &[],
        );
        check(
            "rulesets:\n  - name: r\n    filter: mail.*\n    actions:\n      - {type: omfile, file: /m}\n",
            "ruleset( name=\"r\") { mail.* { action( type=\"omfile\" file=\"/m\") } }",
            &[],
        );
    }

    #[test]
    fn lines_stay() {
        let text = translate(
            "f",
            "# c\n\nmodules:\n  - load: imtcp\nrulesets:\n  - name: r\n    script: |\n      stop\n",
        )
        .text;
        let line = |word: &str| text.lines().position(|line| line.contains(word)).unwrap() + 1;
        assert_eq!((line("module"), line("ruleset"), line("stop")), (4, 6, 8));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        check(
            "bogus: {}\nx: 1\n",
            "",
            &[
                "unknown top-level key 'bogus' – ignoring",
                "key 'x' has a scalar value but expects a mapping or sequence",
            ],
        );
        check("global: [a]\n", "", &["'global' must be a mapping (line 1)"]);
        check(
            "global: {a: {b: c}, \"x y\": 1}\n",
            "global()",
            &[
                "nested mapping for key 'a' is not supported – ignoring",
                "parameter 'x y' not known -- typo in config file? (line 1)",
            ],
        );
    }
}

//! A configuration as YAML (`-F yaml`): the objects by their sections, statements as scripts.
//!
//! It is made of the syntax tree, so that it says what was written and not what became of it. Statements outside of
//! rulesets become scripts of `RSYSLOG_DefaultRuleset`; with `$` directives, whose meaning is where they stand, there
//! is no translation.

use super::ast::{Item, Object, ObjectKind, Parameter, Span, Tree};
use super::script_text::Script;
use super::yaml_translate::DEFAULT_RULESET;

/// Sections with one item for each object, in the order in which they are written: what is referred to comes first.
const SECTIONS: [(ObjectKind, &str); 9] = [
    (ObjectKind::Module, "modules"),
    (ObjectKind::Timezone, "timezones"),
    (ObjectKind::Parser, "parsers"),
    (ObjectKind::LookupTable, "lookup_tables"),
    (ObjectKind::DynStats, "dyn_stats"),
    (ObjectKind::PercentileStats, "perctile_stats"),
    (ObjectKind::Ratelimit, "ratelimits"),
    // Rulesets follow.
    (ObjectKind::Template, "templates"),
    (ObjectKind::Input, "inputs"),
];

/// The text, and what cannot be said in it.
pub(super) fn translate(tree: &Tree) -> (String, Vec<(Span, String)>) {
    let mut writer = Writer::default();
    writer.out.push_str("version: 2\n");
    let objects: Vec<&Object> = tree
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Object(object) => Some(object),
            Item::Stmt(_) => None,
        })
        .collect();
    for (kind, section) in [(ObjectKind::Global, "global"), (ObjectKind::MainQueue, "mainqueue")] {
        let own = objects.iter().filter(|object| object.kind == kind);
        let params: Vec<_> = own.flat_map(|object| &object.params).collect();
        if !params.is_empty() {
            writer.out.push_str(&format!("\n{section}:\n"));
            params.iter().for_each(|param| writer.param(param, "  "));
        }
    }
    for (kind, section) in SECTIONS {
        let own: Vec<_> = objects.iter().filter(|object| object.kind == kind).collect();
        if !own.is_empty() {
            writer.out.push_str(&format!("\n{section}:\n"));
            own.iter().for_each(|object| writer.item(object));
        }
        if kind == ObjectKind::Template {
            writer.rulesets(tree);
        }
    }
    (writer.out, writer.problems)
}

#[derive(Default)]
struct Writer {
    out: String,
    problems: Vec<(Span, String)>,
}

impl Writer {
    /// Rulesets, and the statements between them, in their order: actions are numbered by it.
    fn rulesets(&mut self, tree: &Tree) {
        let start = self.out.len();
        let mut top = Script::default();
        for item in &tree.items {
            match item {
                Item::Stmt(statement) => top.statements(std::slice::from_ref(statement)),
                Item::Object(object) if object.kind == ObjectKind::Ruleset => {
                    self.top(&mut top);
                    self.item(object);
                }
                Item::Object(_) => {}
            }
        }
        self.top(&mut top);
        if self.out.len() > start {
            self.out.insert_str(start, "\nrulesets:\n");
        }
    }

    fn top(&mut self, script: &mut Script) {
        if !script.text.is_empty() {
            self.out.push_str(&format!("  - name: \"{DEFAULT_RULESET}\"\n"));
            self.script(&script.text);
        }
        script.text.clear();
        self.problems.append(&mut script.problems);
    }

    /// `- name: value …`, and what stands in the object's braces.
    fn item(&mut self, object: &Object) {
        let start = self.out.len();
        object.params.iter().for_each(|param| self.param(param, "    "));
        if self.out.len() == start {
            // An item is a mapping, if an empty one.
            self.out.push_str("  - {}\n");
        } else {
            self.out.replace_range(start..start + 4, "  - ");
        }
        if !object.elements.is_empty() {
            self.out.push_str("    elements:\n");
        }
        for element in &object.elements {
            self.out.push_str(&format!("      - {}:\n", element.kind.keyword()));
            element.params.iter().for_each(|param| self.param(param, "          "));
        }
        if let Some(body) = object.body.as_ref().filter(|body| !body.is_empty()) {
            let mut script = Script::default();
            script.statements(body);
            self.script(&script.text);
            self.problems.append(&mut script.problems);
        }
    }

    fn script(&mut self, text: &str) {
        self.out.push_str("    script: |\n");
        for line in text.lines() {
            self.out.push_str(&format!("      {line}\n"));
        }
    }

    fn param(&mut self, param: &Parameter, indent: &str) {
        let values: Vec<_> = param
            .value
            .iter()
            .map(|value| match std::str::from_utf8(value) {
                Ok(text) => scalar(text),
                Err(_) => {
                    let text = "bytes that are not UTF-8 cannot be translated".to_owned();
                    self.problems.push((param.value_span, text));
                    String::new()
                }
            })
            .collect();
        let values = values.join(", ");
        let values = if param.array { format!("[{values}]") } else { values };
        self.out.push_str(&format!("{indent}{}: {values}\n", param.name));
    }
}

/// A text in double quotes.
fn scalar(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() && u32::from(c) < 0x100 => {
                out.push_str(&format!("\\x{:02x}", u32::from(c)));
            }
            // Line ends to YAML, and what a text may not begin with.
            '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::super::tests::{CATALOGUE, Memory};
    use super::super::{Diagnostics, read_tree};
    use super::*;

    fn memory(name: &str, text: &[u8]) -> Memory {
        let mut memory = Memory::default();
        memory.files.insert(name.into(), text.to_vec());
        memory
    }

    fn yaml(name: &str, text: &[u8]) -> (String, Vec<String>) {
        let mut diagnostics = Diagnostics::default();
        let tree = read_tree(name, &memory(name, text), &mut diagnostics);
        assert!(!diagnostics.has_errors(), "{}", diagnostics.render());
        let (text, problems) = translate(&tree);
        (text, problems.into_iter().map(|(_, why)| why).collect())
    }

    const SCRIPT: &str = r#"
global(workDirectory="/tmp" environment=["a=b", "c=d"])
global(maxMessageSize="2k")
main_queue(queue.size="2000")
module(load="imtcp")
input(type="imtcp" port="514" ruleset="r1")
template(name="t1" type="string" string="%msg%\n\t\"x\" \\ \x01 \u00e4")
template(name="t2" type="list") { property(name="msg" format="json") constant(value="a\n") }
mail.*;*.err /var/log/mail;t1
& stop
:msg, !contains, "foo \"x\" a\\b" { action(type="omfile" file="/b") stop }
if $msg contains "x" and not ($!a == 1 or $.b == 'y$') and ($!c or $!d) then {
   set $!a = 1 + 2 * strlen($msg) - (3 - 4) % - $!b;
   reset $/g = "a" & 1 + 2 & ("b" & "c");
   action(type="omfile" file="/c" template="t1")
} else if prifilt("mail.*") then { call r1 } else { unset $!a; }
if ($msg == ["a", "b"]) == (1 < 2) then if exists($!x) then /one
ruleset(name="r1" queue.type="LinkedList") {
   # comment
   foreach ($.i in $!list) do { set $!x!y = $.i!z; }
   call_indirect $!r & "x";
   *.* action(type="omfile" file="/r")
   continue
}
ruleset(name="empty") { }
timezone(id="CET" offset="+01:00")
*.* -/last
"#;

    /// What is translated says the same: it loads without more messages, and its translation is itself.
    #[test]
    fn there_and_back() {
        let script = SCRIPT.replace("\\u00e4", "\u{e4}");
        let (first, problems) = yaml("c.conf", script.as_bytes());
        assert_eq!(problems, Vec::<String>::new());
        let (second, problems) = yaml("c.yaml", first.as_bytes());
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(second, first);
        let load = |name: &str, text: &str| {
            let memory = memory(name, text.as_bytes());
            super::super::load(name, &memory, &CATALOGUE)
        };
        let ((before, _), (after, found)) = (load("c.conf", &script), load("c.yaml", &first));
        assert!(!found.has_errors(), "{}", found.render());
        assert!(spanless(&after) == spanless(&before), "{first}");
    }

    /// The checked configuration without the places of its parts.
    fn spanless(config: &super::super::Config) -> Vec<String> {
        let mut parts: Vec<String> = Vec::new();
        for ruleset in &config.rulesets {
            parts.push(format!("{} {:?}", ruleset.name, ruleset.body));
        }
        for template in &config.templates {
            parts.push(format!("{} {:?}", template.name, template.kind));
        }
        let actions = config
            .actions
            .iter()
            .map(|action| format!("{:?}", action.args.args))
            .collect::<Vec<_>>();
        parts.push(format!("{} {} actions", actions.len(), config.inputs.len()));
        let mut text = parts.join("\n");
        while let Some(start) = text.find("Span {") {
            let end = text[start..].find('}').unwrap();
            text.replace_range(start..=start + end, "");
        }
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_has_no_translation_is_named() {
        let (text, problems) =
            yaml("c.conf", b"$FileOwner root\n*.* /a\xff\nglobal(localHostname=\"\xff\")\n");
        assert_eq!(
            problems,
            [
                "bytes that are not UTF-8 cannot be translated",
                "legacy $-directive '$FileOwner root' is not supported by the translator",
                "bytes that are not UTF-8 cannot be translated",
            ],
            "{text}"
        );
    }

    #[test]
    fn the_form() {
        let (text, _) = yaml(
            "c.conf",
            b"module(load=\"imtcp\")\nruleset(name=\"r\") { if $msg == 'a' then stop }\n*.* /x\n",
        );
        let expected = "version: 2\n\nmodules:\n  - load: \"imtcp\"\n\nrulesets:\n  - name: \"r\"\n    script: |\n      \
                        if $msg == \"a\" then {\n        stop\n      }\n  - name: \"RSYSLOG_DefaultRuleset\"\n    \
                        script: |\n      *.* {\n        /x\n      }\n";
        assert_eq!(text, expected);
    }
}

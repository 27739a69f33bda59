//! Writes YAML.
//!
//! What YAML cannot hold as it is, is escaped: strings are in double quotes, and a script with control characters is one,
//! too. The reference writes such a script as it is, and cannot read it again.

use std::fmt::Write as _;

use super::super::ast::{Parameter, Span};
use super::body::{Action, Body, Form};
use super::{Entry, SECTIONS, SINGLE_SECTIONS, sorted};

/// The whole text.
pub(super) fn write(entries: &[Entry<'_>], problems: &mut Vec<(Span, String)>) -> Vec<u8> {
    let mut writer = Writer { out: "version: 2\n\n".to_owned(), problems };
    for (section, kind) in SINGLE_SECTIONS {
        if let Some(entry) = entries.iter().find(|entry| entry.kind == kind) {
            let _ = writeln!(writer.out, "{section}:");
            entry.params.iter().for_each(|param| writer.param(param, "  "));
            writer.out.push('\n');
        }
    }
    for (section, kind) in SECTIONS {
        let mut own = entries.iter().filter(|entry| entry.kind == kind).peekable();
        if own.peek().is_some() {
            let _ = writeln!(writer.out, "{section}:");
            own.for_each(|entry| writer.item(entry));
        }
    }
    writer.out.into_bytes()
}

struct Writer<'p> {
    out: String,
    problems: &'p mut Vec<(Span, String)>,
}

impl Writer<'_> {
    /// `- name: value …`, and what stands in the object's braces.
    fn item(&mut self, entry: &Entry<'_>) {
        for remark in &entry.remarks {
            let _ = writeln!(self.out, "  # TRANSLATION WARNING: {remark}");
        }
        self.mapping(&entry.params, "  ");
        if !entry.elements.is_empty() {
            self.out.push_str("    elements:\n");
        }
        for element in entry.elements {
            // The reference writes the parameters beside the element's kind, and cannot read that again.
            let _ = writeln!(self.out, "      - {}:", element.kind.keyword());
            let params = sorted(&element.params);
            params.into_iter().for_each(|param| self.param(param, "          "));
        }
        if let Some(body) = &entry.body {
            self.body(body);
        }
    }

    fn body(&mut self, body: &Body) {
        match &body.form {
            Form::Script => self.script(&body.script),
            Form::Actions(actions) => self.actions(actions),
            Form::Filter(filter, actions) => {
                let filter = self.scalar(filter, Span::default());
                let _ = writeln!(self.out, "    filter: {filter}");
                self.actions(actions);
            }
            Form::Statements(statements) => {
                self.out.push_str("    statements:\n");
                for (condition, actions) in statements {
                    let condition = self.scalar(condition, Span::default());
                    let _ = writeln!(self.out, "      - if: {condition}");
                    if let [action] = actions.as_slice() {
                        self.out.push_str("        action:\n");
                        action.iter().for_each(|param| self.param(param, "          "));
                    } else {
                        self.out.push_str("        then:\n");
                        actions.iter().for_each(|action| self.action(action, "          "));
                    }
                }
            }
        }
    }

    fn actions(&mut self, actions: &[Action]) {
        self.out.push_str("    actions:\n");
        actions.iter().for_each(|action| self.action(action, "      "));
    }

    fn action(&mut self, action: &Action, indent: &str) {
        self.mapping(&action.iter().collect::<Vec<_>>(), indent);
    }

    /// A mapping as an item of a list.
    fn mapping(&mut self, params: &[&Parameter], indent: &str) {
        if params.is_empty() {
            let _ = writeln!(self.out, "{indent}- {{}}");
        }
        for (index, param) in params.iter().enumerate() {
            let bullet = if index == 0 { "- " } else { "  " };
            self.param(param, &format!("{indent}{bullet}"));
        }
    }

    fn param(&mut self, param: &Parameter, indent: &str) {
        let values: Vec<_> =
            param.value.iter().map(|value| self.scalar(value, param.value_span)).collect();
        let values = values.join(", ");
        let values = if param.array { format!("[{values}]") } else { values };
        let _ = writeln!(self.out, "{indent}{}: {values}", param.name);
    }

    /// A block, where it can be one.
    fn script(&mut self, script: &[u8]) {
        let text = self.utf8(script, Span::default());
        let plain = text.chars().all(|c| c == '\n' || is_plain(c));
        if !plain || text.lines().any(|line| !line.starts_with("  ")) {
            let _ = writeln!(self.out, "    script: {}", in_quotes(&text));
            return;
        }
        self.out.push_str("    script: |\n");
        for line in text.lines() {
            let _ = writeln!(self.out, "      {line}");
        }
    }

    fn scalar(&mut self, text: &[u8], place: Span) -> String {
        in_quotes(&self.utf8(text, place))
    }

    fn utf8(&mut self, text: &[u8], place: Span) -> String {
        String::from_utf8(text.to_vec()).unwrap_or_else(|_| {
            self.problems.push((place, "bytes that are not UTF-8 cannot be translated".to_owned()));
            String::new()
        })
    }
}

/// Whether a character may stand in a YAML text as it is, and stays what it is.
fn is_plain(c: char) -> bool {
    let line_end_or_mark = matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
    !c.is_control() && !line_end_or_mark && !matches!(c, '\u{fffe}' | '\u{ffff}') || c == '\t'
}

/// A text in double quotes.
fn in_quotes(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_plain(c) => out.push(c),
            c if u32::from(c) < 0x100 => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}

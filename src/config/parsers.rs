//! `parser()`, and the chains of rulesets.

use super::ParserName;
use super::args;
use super::ast::{Object, Span};
use super::check::Checker;
use super::checked::{ParserDecl, RulesetId};
use super::diagnostic::{Diagnostic, did_you_mean};
use super::tables;
use crate::param::{Class, Module};

impl Checker<'_> {
    pub(super) fn parser(&mut self, object: &Object) {
        // All that is missing is told at once.
        let name = args::word(object, "name", self.diagnostics);
        let module = args::word(object, "type", self.diagnostics);
        let (Some((name, at)), Some((written, module_at))) = (name, module) else { return };
        let name = String::from_utf8_lossy(&name).into_owned();
        if self.has_parser(&name) {
            let text = format!("parser module name '{name}' already exists");
            self.diagnostics.push(Diagnostic::plain(at, text).code(2402));
            return;
        }
        let module_name = Self::module_name(&written);
        let known = self.known.get(&module_name).copied();
        let usable = |module: &Module| {
            self.loaded.contains_key(module.name)
                && self.kinds().any(|kind| kind.module.name == module.name && kind.instances)
        };
        let is_name = written.eq_ignore_ascii_case(module_name.as_bytes());
        let Some(module) = known.filter(|module| is_name && usable(module)) else {
            self.unknown_parser_module(&written, module_at);
            if tables::REFERENCE_MODULES.contains(&module_name.as_str()) {
                self.missing_parsers.insert(name);
            }
            return;
        };
        let checked = args::check(object, [tables::PARSER, module.params], self.diagnostics);
        let Ok([_, args]) = checked else { return };
        self.config.parsers.push(ParserDecl { name, module, args });
    }

    fn unknown_parser_module(&mut self, written: &[u8], at: Span) {
        let name = Self::module_name(written);
        let known = self.known.get(&name);
        if known.is_none() && tables::REFERENCE_MODULES.contains(&name.as_str()) {
            self.missing(at, &format!("module '{name}'"));
            return;
        }
        let parsers = self.catalogue.modules.iter().filter(|m| m.class == Class::Parser);
        let help = match known {
            Some(module) if module.class == Class::Parser => Some(self.how_to_use(module)),
            _ => did_you_mean(&name, parsers.map(|module| module.name)),
        };
        let shown = String::from_utf8_lossy(written);
        let text = format!("parser module name '{shown}' is unknown");
        self.diagnostics.push(Diagnostic::plain(at, text).code(2209).maybe_help(help));
    }

    fn has_parser(&self, name: &str) -> bool {
        self.parser_names().any(|known| known == name)
    }

    fn parser_names(&self) -> impl Iterator<Item = &str> {
        let own = self.config.parsers.iter().map(|parser| parser.name.as_str());
        let loaded = self.kinds().filter(|kind| self.loaded.contains_key(kind.module.name));
        loaded.map(|kind| kind.name).chain(own)
    }

    fn kinds(&self) -> impl Iterator<Item = &ParserName> {
        self.catalogue.parsers.iter()
    }

    /// Help for who wants to make a parser of a module that is not loaded, or of which there is only one.
    fn how_to_use(&self, module: &Module) -> String {
        let one = self.kinds().find(|kind| kind.module.name == module.name && !kind.instances);
        match one {
            Some(kind) if module.builtin => format!("there is one only: {}", kind.name),
            Some(kind) => format!(
                "module(load=\"{}\") alone makes the parser; its name is {}",
                module.name, kind.name
            ),
            None => format!("load it first: module(load=\"{}\")", module.name),
        }
    }

    /// Appends a parser to a ruleset's chain.
    pub(super) fn add_parser(&mut self, ruleset: RulesetId, name: &str, span: Span) {
        if self.has_parser(name) {
            self.config.rulesets[ruleset.0].parsers.push(name.to_owned());
            return;
        }
        if self.missing_parsers.contains(name) {
            return;
        }
        let text = format!(
            "error: parser '{name}' unknown at this time (maybe defined too late in rsyslog.conf?)"
        );
        let help = match self.kinds().find(|kind| kind.name == name) {
            Some(kind) => Some(format!("load it first: module(load=\"{}\")", kind.module.name)),
            None => did_you_mean(name, self.parser_names()),
        };
        self.diagnostics.push(Diagnostic::plain(span, text).code(2159).maybe_help(help));
    }
}

//! `module()` and `input()`: which modules there are, and which are loaded.

use super::args;
use super::ast::{Object, Span};
use super::check::{Checker, Reference};
use super::checked::{InputDecl, ModuleDecl, ObjectArgs, RulesetId};
use super::diagnostic::{Diagnostic, did_you_mean};
use super::tables;
use crate::param::{Class, CoreSetting, Module, Param, Value};

/// What stands before the names of built-in modules where they are loaded.
const BUILTIN: &str = "builtin:";

impl Checker<'_> {
    /// The name behind `builtin:`, a directory and `.so`.
    pub(super) fn module_name(written: &[u8]) -> String {
        let name = String::from_utf8_lossy(written).to_ascii_lowercase();
        let name = name.rsplit('/').next().unwrap_or_default();
        let name = name.strip_suffix(".so").unwrap_or(name);
        name.strip_prefix("builtin:").unwrap_or(name).to_owned()
    }

    pub(super) fn module(&mut self, object: &Object) {
        let Some((written, at)) = args::word(object, "load", self.diagnostics) else { return };
        let Some(module) = self.find_module(&written, at) else { return };
        let repeated = if module.builtin {
            self.module_objects.contains(module.name)
        } else {
            self.loaded.contains_key(module.name)
        };
        if repeated {
            self.already_loaded(module, at);
            let others =
                object.params.iter().filter(|param| !param.name.eq_ignore_ascii_case("load"));
            for param in others {
                let text = format!("parameter '{}' not known -- typo in config file?", param.name);
                let help = format!("give it where {} is loaded first", module.name);
                self.diagnostics
                    .push(Diagnostic::parsing(param.span, text).line(object.end_line).help(help));
            }
            return;
        }
        self.module_objects.insert(module.name);
        let tables = [tables::MODULE, module.module_params];
        let object_name = if module.class == Class::Input { "input" } else { "action" };
        let beside = format!("{object_name}(type=\"{}\")", module.name);
        let checked =
            args::check_beside(object, tables, (module.params, &beside), self.diagnostics);
        let Ok([_, given]) = checked else { return };
        for row in module.module_params.iter().filter(|row| given.args.given(row.name)) {
            if let Some(value) = given.args.value(row.name) {
                self.set_core(row, value, given.place(row.name));
            }
        }
        match self.loaded.get(module.name) {
            Some(index) => {
                let args = &mut self.config.modules[*index].args;
                let has_template = args.args.param("template").is_some();
                if has_template
                    && given.args.given("template")
                    && args.args.value("template").is_some()
                {
                    let text = format!(
                        "{}: warning: default template was already set via legacy directive - may lead to \
                         inconsistent results.",
                        module.name
                    );
                    let diagnostic = Diagnostic::parsing(given.place("template"), text);
                    self.diagnostics.push(diagnostic.line(object.end_line));
                }
                args.merge(&given);
            }
            None => self.add_module(module, given),
        }
    }

    /// Passes the value of a module's parameter on to the setting of the core that it stands for.
    pub(super) fn set_core(&mut self, row: &Param, value: &Value, span: Span) {
        match row.sets {
            Some(CoreSetting::Global(name)) => self.set_global(name, value.clone(), span),
            Some(CoreSetting::MainQueue(name)) if !self.has_main_queue() => {
                self.config.main_queue.args.set(name, value.clone());
                self.config.main_queue.note(name, span);
            }
            Some(CoreSetting::MainQueue(_)) | None => {}
        }
    }

    pub(super) fn already_loaded(&mut self, module: &Module, span: Span) {
        let name = module.name;
        let (text, code) = if module.builtin {
            (format!("parameters for built-in module builtin:{name} already set - ignored"), 2220)
        } else {
            (format!("module '{name}' already in this config, cannot be added"), 2221)
        };
        self.diagnostics.push(Diagnostic::plain(span, text).code(code));
    }

    pub(super) fn add_module(&mut self, module: &'static Module, args: ObjectArgs) {
        self.loaded.insert(module.name, self.config.modules.len());
        self.config.modules.push(ModuleDecl { module, args });
    }

    /// The module to load; reported if there is none.
    pub(super) fn find_module(&mut self, written: &[u8], span: Span) -> Option<&'static Module> {
        let name = Self::module_name(written);
        let shown = String::from_utf8_lossy(written);
        if let Some(module) = self.known.get(&name).copied() {
            if !module.builtin || shown.to_ascii_lowercase().starts_with(BUILTIN) {
                return Some(module);
            }
            let text = format!("could not load module '{shown}', errors: there is no such file");
            let help = format!("it is built in; to give it parameters, load \"{BUILTIN}{name}\"");
            self.diagnostics.push(Diagnostic::plain(span, text).code(2066).help(help));
            return None;
        }
        if tables::LIBRARY_MODULES.contains(&name.as_str()) {
            let what = format!("module '{name}'");
            let diagnostic = Diagnostic::without_effect(span, &what, "what it does is built in");
            self.diagnostics.push(diagnostic);
            return None;
        }
        if tables::REFERENCE_MODULES.contains(&name.as_str()) {
            self.missing(span, &format!("module '{name}'"));
            return None;
        }
        let text = format!("could not load module '{shown}', errors: there is no such module");
        let help = self.near_module(&name, None);
        self.diagnostics.push(Diagnostic::plain(span, text).code(2066).maybe_help(help));
        None
    }

    fn near_module(&self, name: &str, class: Option<Class>) -> Option<String> {
        let ours =
            self.catalogue.modules.iter().filter(|m| class.is_none_or(|class| m.class == class));
        did_you_mean(name, ours.map(|module| module.name))
    }

    /// The loaded module of an `input()` or `action()`; `None`, and reported, if there is none.
    pub(super) fn loaded_module(
        &mut self,
        written: &[u8],
        class: Class,
        span: Span,
    ) -> Option<&'static Module> {
        let name = Self::module_name(written);
        let known = self.known.get(&name).copied();
        let fits = |module: &Module| match class {
            Class::Output => matches!(module.class, Class::Output | Class::Modifier),
            other => module.class == other,
        };
        let is_name = written.eq_ignore_ascii_case(name.as_bytes());
        let loaded = |module: &&'static Module| self.loaded.contains_key(module.name);
        if let Some(module) = known.filter(|module| is_name && fits(module)).filter(loaded) {
            return Some(module);
        }
        if known.is_none() && tables::REFERENCE_MODULES.contains(&name.as_str()) {
            self.missing(span, &format!("module '{name}'"));
            return None;
        }
        let help = match known {
            Some(module) if fits(module) && !is_name => Some(format!("write \"{name}\"")),
            Some(module) if fits(module) => Some(format!("load it first: module(load=\"{name}\")")),
            _ => self.near_module(&name, Some(class)),
        };
        let what = if class == Class::Input { "input module" } else { "module" };
        let text = format!("{what} name '{}' is unknown", String::from_utf8_lossy(written));
        self.diagnostics.push(Diagnostic::plain(span, text).code(2209).maybe_help(help));
        None
    }

    pub(super) fn input(&mut self, object: &Object) {
        let Some((written, at)) = args::word(object, "type", self.diagnostics) else { return };
        let Some(module) = self.loaded_module(&written, Class::Input, at) else {
            return;
        };
        if module.params.is_empty() {
            let text = format!("input module '{}' does not support input() statement", module.name);
            let help = format!("what it can be told stands in module(load=\"{}\")", module.name);
            self.diagnostics.push(Diagnostic::plain(at, text).code(2224).help(help));
            return;
        }
        let tables = [tables::INPUT, module.params];
        let beside = format!("module(load=\"{}\")", module.name);
        let beside = (module.module_params, beside.as_str());
        let checked = args::check_beside(object, tables, beside, self.diagnostics);
        let Ok([_, args]) = checked else { return };
        self.add_input(module, args);
    }

    pub(super) fn add_input(&mut self, module: &'static Module, args: ObjectArgs) {
        let ruleset = args.args.param("ruleset").and_then(|_| args.args.text("ruleset"));
        self.input_rulesets
            .push(ruleset.map(|name| Reference { name, span: args.place("ruleset") }));
        self.config.inputs.push(InputDecl { module, args, ruleset: RulesetId(0) });
    }
}

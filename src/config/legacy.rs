//! The `$` directives and the actions of old selector lines.
//!
//! Which directives exist follows from the tables: a parameter with a `legacy` name makes one. What they set
//! is kept here until something uses it: an input is made by its module's `legacy_create` directive, an action
//! by a line that ends in `/path` and the like. Queue settings and the action's name count for the next
//! action only, all others for all that follow.

use std::collections::HashMap;

use super::args;
use super::ast::{Directive, Span};
use super::check::{Checker, Reference};
use super::checked::{
    AllowedSenders, ObjectArgs, OutChannel, TemplateDecl, TemplateKind, TemplateOptions,
};
use super::compatibility::Syntax;
use super::diagnostic::{Diagnostic, did_you_mean};
use super::legacy_value::{self, Bad};
use super::{Catalogue, tables};
use crate::param::{Args, Kind, Module, Param, Support, Value};

/// What a directive does.
#[derive(Clone, Copy)]
enum Target {
    Global(&'static Param),
    Directive(&'static Param),
    MainQueue(&'static Param),
    ActionQueue(&'static Param),
    Action(&'static Param),
    /// A parameter of `module()`.
    Module(&'static Module, &'static Param),
    /// A parameter of the module's next inputs or actions.
    Instance(&'static Module, &'static Param),
    /// Makes an input; the parameter takes the argument.
    Create(&'static Module, &'static Param),
    ModLoad,
    Ruleset,
    DefaultRuleset,
    RulesetParser,
    RulesetCreateMainQueue,
    Template,
    OutChannel,
    AllowedSender,
    Reset,
}

/// A value that a directive has set, with its place.
pub(super) type Setting = (&'static Param, Value, Span);

/// What the directives have set so far.
pub(super) struct Legacy {
    /// By lower-case name.
    targets: HashMap<String, (&'static str, Target)>,
    /// Parameters of inputs and actions to come, by module name.
    pub(super) instances: HashMap<&'static str, Vec<Setting>>,
    pub(super) action: Vec<Setting>,
    pub(super) action_queue: Vec<Setting>,
}

/// Directives that no table row stands behind.
const SPECIAL: [(&str, Target); 9] = [
    ("ModLoad", Target::ModLoad),
    ("RuleSet", Target::Ruleset),
    ("DefaultRuleset", Target::DefaultRuleset),
    ("RulesetParser", Target::RulesetParser),
    ("RulesetCreateMainQueue", Target::RulesetCreateMainQueue),
    ("Template", Target::Template),
    ("OutChannel", Target::OutChannel),
    ("AllowedSender", Target::AllowedSender),
    ("ResetConfigVariables", Target::Reset),
];

/// Directives with which the reference comes to grief where there is no argument.
const NEEDING_ARGUMENTS: [&str; 8] = [
    "ActionFileDefaultTemplate",
    "DefaultNetstreamDriverCAFile",
    "DefaultNetstreamDriverCertFile",
    "DefaultNetstreamDriverCRLFile",
    "DefaultNetstreamDriverKeyFile",
    "LocalHostIPIF",
    "ModLoad",
    "RulesetParser",
];

impl Legacy {
    pub(super) fn new(catalogue: &Catalogue<'_>) -> Self {
        let mut targets = HashMap::new();
        let mut add = |rows: &'static [Param], target: &dyn Fn(&'static Param) -> Target| {
            for row in rows {
                for name in row.legacy.into_iter().chain(row.legacy_alias) {
                    targets.insert(name.to_ascii_lowercase(), (name, target(row)));
                }
            }
        };
        add(tables::GLOBAL, &Target::Global);
        add(tables::DIRECTIVES, &Target::Directive);
        add(tables::QUEUE_MAIN, &Target::MainQueue);
        add(tables::QUEUE_ACTION, &Target::ActionQueue);
        add(tables::ACTION, &Target::Action);
        for module in catalogue.modules {
            add(module.module_params, &|row| Target::Module(module, row));
            add(module.params, &|row| Target::Instance(module, row));
        }
        for module in catalogue.modules {
            let Some((directive, param)) = module.legacy_create else { continue };
            if let Some(row) = module.params.iter().find(|row| row.is(param)) {
                let target = (directive, Target::Create(module, row));
                targets.insert(directive.to_ascii_lowercase(), target);
            }
        }
        targets.extend(SPECIAL.iter().map(|special| (special.0.to_ascii_lowercase(), *special)));
        Self { targets, instances: HashMap::new(), action: Vec::new(), action_queue: Vec::new() }
    }
}

/// Whether what follows the slash of an allowed sender is a number.
fn is_sender(entry: &[u8]) -> bool {
    let bits = entry.iter().position(|byte| *byte == b'/').map(|slash| &entry[slash + 1..]);
    bits.is_none_or(|bits| !bits.is_empty() && bits.iter().all(u8::is_ascii_digit))
}

/// Replaces the earlier setting of the same parameter; arrays grow.
fn remember(settings: &mut Vec<Setting>, row: &'static Param, value: Value, span: Span) {
    match settings.iter_mut().find(|(known, ..)| std::ptr::eq(*known, row)) {
        Some((_, Value::Array(items), place)) => {
            if let Value::Array(more) = value {
                items.extend(more);
            }
            *place = span;
        }
        Some(known) => *known = (row, value, span),
        None => settings.push((row, value, span)),
    }
}

pub(super) fn apply(settings: &[Setting], to: &mut ObjectArgs) {
    for (row, value, span) in settings {
        to.args.set(row.name, value.clone());
        to.note(row.name, *span);
    }
}

impl Checker<'_> {
    /// Carries out a directive.
    pub(super) fn directive(&mut self, directive: &Directive) {
        let name = directive.name.to_ascii_lowercase();
        let text = [b"$", directive.name.as_bytes(), b" ", &directive.argument].concat();
        let text = text.trim_ascii_end();
        if !self.permits(Syntax::Directive, text, directive.span, directive.span.line) {
            return;
        }
        let target = self.legacy.targets.get(&name).map(|(_, target)| *target);
        let module = match target {
            Some(
                Target::Module(module, _) | Target::Instance(module, _) | Target::Create(module, _),
            ) => Some(module),
            _ => None,
        };
        match target {
            Some(target) if module.is_none_or(|module| self.loaded.contains_key(module.name)) => {
                self.carry_out(target, directive);
            }
            _ => self.unknown_directive(directive, &name, module),
        }
    }

    /// The directive of this name, as it is written.
    pub(super) fn directive_named(&self, name: &str) -> Option<&'static str> {
        self.legacy.targets.get(&name.to_ascii_lowercase()).map(|(name, _)| *name)
    }

    fn unknown_directive(&mut self, directive: &Directive, name: &str, module: Option<&Module>) {
        if tables::UNAVAILABLE_DIRECTIVES.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            self.missing(directive.span, &format!("directive '${}'", directive.name));
            return;
        }
        let help = match module {
            Some(module) => Some(format!("load the module first: $ModLoad {}", module.name)),
            None => {
                let known = self.legacy.targets.values().map(|(name, _)| *name);
                did_you_mean(name, known.chain(["IncludeConfig"]))
            }
        };
        let text = format!(
            "invalid or yet-unknown config file command '{}' - have you forgotten to load a module?",
            directive.name
        );
        self.diagnostics.push(Diagnostic::plain(directive.span, text).code(3003).maybe_help(help));
    }

    fn carry_out(&mut self, target: Target, directive: &Directive) {
        match target {
            Target::ModLoad => self.mod_load(directive),
            Target::Ruleset => {
                let Some(name) = self.word(directive) else { return };
                let known = self.ruleset_named(&name);
                self.current_ruleset =
                    known.unwrap_or_else(|| self.add_ruleset(&name, directive.span));
            }
            Target::DefaultRuleset => {
                // Not only its first word.
                let name = String::from_utf8_lossy(&directive.argument).trim().to_owned();
                if name.is_empty() {
                    return;
                }
                self.default_ruleset = Some(Reference { name, span: directive.argument_span });
            }
            Target::RulesetParser => {
                let Some(name) = self.word(directive) else { return };
                self.add_parser(self.current_ruleset, &name, directive.argument_span);
            }
            Target::RulesetCreateMainQueue => self.create_main_queue(directive),
            Target::Template => self.legacy_template(directive),
            Target::OutChannel => self.out_channel(directive),
            Target::AllowedSender => self.allowed_sender(directive),
            Target::Reset => {
                self.legacy.instances.clear();
                self.legacy.action.clear();
                self.legacy.action_queue.clear();
            }
            Target::Create(module, row) => self.create(module, row, directive),
            Target::Module(module, row) | Target::Instance(module, row)
                if self.is_set_by_object(module, row) =>
            {
                let text = format!(
                    "command '{}' is currently not permitted - did you already set it via a RainerScript command \
                     (v6+ config)?",
                    directive.name
                );
                let help =
                    format!("give module(load=\"{}\") the parameter {}", module.name, row.name);
                self.diagnostics
                    .push(Diagnostic::plain(directive.span, text).code(2222).help(help));
            }
            Target::Global(row)
            | Target::Directive(row)
            | Target::MainQueue(row)
            | Target::ActionQueue(row)
            | Target::Action(row)
            | Target::Module(_, row)
            | Target::Instance(_, row) => {
                if let Some(value) = self.value(row, directive) {
                    self.keep(target, row, value, directive.argument_span);
                }
            }
        }
    }

    fn keep(&mut self, target: Target, row: &'static Param, value: Value, span: Span) {
        match target {
            Target::Global(_) => self.set_global(row.name, value, span),
            Target::Directive(_) => {
                self.config.directives.args.set(row.name, value);
                self.config.directives.note(row.name, span);
            }
            // With a main_queue() object its legacy settings have no meaning.
            Target::MainQueue(_) if self.has_main_queue() => {}
            Target::MainQueue(_) => {
                self.config.main_queue.args.set(row.name, value);
                self.config.main_queue.note(row.name, span);
            }
            Target::ActionQueue(_) => remember(&mut self.legacy.action_queue, row, value, span),
            Target::Action(_) => remember(&mut self.legacy.action, row, value, span),
            Target::Module(module, _) => self.set_module_param(module, row, value, span),
            Target::Instance(module, _) => {
                let settings = self.legacy.instances.entry(module.name).or_default();
                remember(settings, row, value, span);
            }
            _ => {}
        }
    }

    /// Whether a directive for a parameter of the module comes too late: behind its `module()`. Built-in modules check
    /// what is set already parameter by parameter.
    fn is_set_by_object(&self, module: &Module, row: &Param) -> bool {
        let is_object = self.module_objects.contains(module.name);
        let is_of_module = module.module_params.iter().any(|param| param.is(row.name));
        is_object && is_of_module && !module.builtin && !row.legacy_always
    }

    fn set_module_param(&mut self, module: &Module, row: &'static Param, value: Value, span: Span) {
        self.set_core(row, &value, span);
        let Some(index) = self.loaded.get(module.name) else { return };
        let args = &mut self.config.modules[*index].args;
        // What module() was given stays; the reference refuses to change it.
        if args.args.given(row.name) {
            let text = format!(
                "{}: {} already set via module global parameter - can no longer be changed",
                module.name, row.name
            );
            self.diagnostics.push(Diagnostic::plain(span, text));
            return;
        }
        args.args.set_default(row.name, Some(value));
        args.note(row.name, span);
    }

    /// The value of a directive; what is wrong with it, or not there yet, is reported.
    fn value(&mut self, row: &'static Param, directive: &Directive) -> Option<Value> {
        let span = directive.argument_span;
        if row.kind == Kind::Gone {
            let text = "config directive is no longer supported -- ignored";
            self.diagnostics.push(Diagnostic::parsing(directive.span, text).warning().code(2357));
            return None;
        }
        if directive.argument.is_empty() && matches!(row.kind, Kind::Word | Kind::Str | Kind::Array)
        {
            self.word(directive)?;
        }
        let (value, rest) = match legacy_value::parse(row, &directive.argument) {
            Ok(parsed) => parsed,
            Err(bad) => {
                self.bad_value(row, directive, bad);
                return None;
            }
        };
        self.extra_characters(rest, span);
        let what = || format!("directive '${}'", directive.name);
        match row.support {
            Support::Missing if !args::means(row, row.default, &value) => {
                self.missing(directive.span, &what());
            }
            Support::NoEffect { always, .. }
                if args::means(row, always.or(row.default), &value) => {}
            Support::NoEffect { reason, .. } => {
                let diagnostic = Diagnostic::without_effect(directive.span, &what(), reason);
                self.diagnostics.push(diagnostic);
            }
            _ => {}
        }
        Some(value)
    }

    fn bad_value(&mut self, row: &Param, directive: &Directive, bad: Bad) {
        let Bad { text, code, lenient } = bad;
        let mut diagnostic = Diagnostic::plain(directive.argument_span, text);
        diagnostic.code = code;
        let word = directive.argument.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        if lenient {
            diagnostic = diagnostic.warning().help("the value that was there before stays");
        }
        let help = args::advice(row.kind, &[word.to_vec()]);
        self.diagnostics.push(diagnostic.maybe_help(help));
        if matches!(row.kind, Kind::User | Kind::Group) {
            self.diagnostics.count_unresolved_id();
        }
    }

    /// What is left of a directive's line must be blank or a comment.
    fn extra_characters(&mut self, rest: &[u8], span: Span) {
        let rest = rest.trim_ascii_start();
        if !rest.is_empty() && rest[0] != b'#' {
            let shown = String::from_utf8_lossy(rest);
            let text = format!("error: extra characters in config line ignored: '{shown}'");
            self.diagnostics.push(Diagnostic::plain(span, text));
        }
    }

    /// The only word of a directive's argument.
    fn word(&mut self, directive: &Directive) -> Option<String> {
        let (word, rest) = legacy_value::word(&directive.argument);
        if word.is_empty() {
            // Mostly the reference takes the empty word and says nothing.
            let text = format!("${}: an argument is missing - ignored", directive.name);
            let needed =
                NEEDING_ARGUMENTS.iter().any(|name| name.eq_ignore_ascii_case(&directive.name));
            let diagnostic = Diagnostic::plain(directive.span, text);
            self.diagnostics.push(if needed { diagnostic } else { diagnostic.warning() });
            return None;
        }
        self.extra_characters(rest, directive.argument_span);
        Some(String::from_utf8_lossy(word).into_owned())
    }

    fn mod_load(&mut self, directive: &Directive) {
        let Some(name) = self.word(directive) else { return };
        let name = if name == "MySQL" { "ommysql" } else { &name };
        let Some(module) = self.find_module(name.as_bytes(), directive.argument_span) else {
            return;
        };
        if self.loaded.contains_key(module.name) {
            if !module.builtin {
                self.already_loaded(module, directive.argument_span);
            }
            return;
        }
        let args = Args::defaults(&[module.module_params]);
        self.add_module(module, ObjectArgs::new(args, directive.span));
    }

    /// Makes an input with the settings given so far.
    fn create(&mut self, module: &'static Module, row: &'static Param, directive: &Directive) {
        let mut args = ObjectArgs::new(Args::defaults(&[module.params]), directive.span);
        apply(self.legacy.instances.get(module.name).map_or(&[], Vec::as_slice), &mut args);
        // Without an argument it is the empty text, of which the module knows what it stands for.
        let argument: &[u8] =
            if directive.argument.starts_with(b"#") { b"" } else { &directive.argument };
        let (word, rest) = legacy_value::word(argument);
        self.extra_characters(rest, directive.argument_span);
        match row.kind.parse(row.name, &[word.to_vec()]) {
            Ok(value) => args.args.set(row.name, value),
            Err(text) => {
                self.diagnostics.push(Diagnostic::plain(directive.argument_span, text));
                return;
            }
        }
        args.note(row.name, directive.argument_span);
        self.add_input(module, args);
        if let Some(settings) = self.legacy.instances.get_mut(module.name) {
            settings.retain(|(row, ..)| !row.legacy_once);
        }
    }

    /// `$RulesetCreateMainQueue on`: the current ruleset gets a queue with the main queue's settings.
    fn create_main_queue(&mut self, directive: &Directive) {
        match legacy_value::word(&directive.argument) {
            (b"on", rest) => {
                self.extra_characters(rest, directive.argument_span);
                let mut queue = self.config.main_queue.clone();
                queue.span = directive.span;
                self.config.rulesets[self.current_ruleset.0].queue = Some(queue);
            }
            (b"off", rest) => self.extra_characters(rest, directive.argument_span),
            (word, _) => {
                let shown = String::from_utf8_lossy(word);
                let text = format!("Option value must be on or off, but is '{shown}'");
                self.diagnostics.push(Diagnostic::plain(directive.argument_span, text));
            }
        }
    }

    /// `$template name,"text"[,option]` or `$template name,=generator`
    fn legacy_template(&mut self, directive: &Directive) {
        let (name, rest) = legacy_value::field(&directive.argument);
        let shown = String::from_utf8_lossy(name).into_owned();
        let mut decl = TemplateDecl {
            name: shown,
            kind: TemplateKind::Plugin(Vec::new()),
            options: TemplateOptions::default(),
            span: directive.span,
            body: directive.argument_span,
        };
        if let Some(generator) = rest.strip_prefix(b"=") {
            let (generator, rest) = legacy_value::word(generator);
            decl.kind = TemplateKind::Plugin(generator.to_vec());
            self.extra_characters(rest, directive.argument_span);
        } else if let Some((text, rest)) = legacy_value::template_text(rest) {
            decl.kind = TemplateKind::String { text: text.to_vec(), legacy: true };
            let rest = self.template_options(rest, &mut decl);
            self.extra_characters(rest, directive.argument_span);
        } else {
            let text = format!("Template '{}' invalid, does not start with '\"'!", decl.name);
            let help = "a legacy template is written $template name,\"text\"";
            let diagnostic = Diagnostic::plain(directive.argument_span, text);
            self.diagnostics.push(diagnostic.warning().help(help));
            self.extra_characters(rest, directive.argument_span);
            return;
        }
        self.add_template(decl);
    }

    fn template_options<'t>(&mut self, mut rest: &'t [u8], decl: &mut TemplateDecl) -> &'t [u8] {
        while let Some(behind) = rest.trim_ascii_start().strip_prefix(b",") {
            let end = behind.iter().position(|byte| *byte == b',').unwrap_or(behind.len());
            let (option, next) = behind.split_at(end);
            rest = next;
            let word = option.trim_ascii();
            let keep = decl.options.case_sensitive;
            let none = TemplateOptions { case_sensitive: keep, ..TemplateOptions::default() };
            match String::from_utf8_lossy(word).to_ascii_lowercase().as_str() {
                "sql" => decl.options = TemplateOptions { sql: true, ..none },
                "stdsql" => decl.options = TemplateOptions { stdsql: true, ..none },
                "json" => decl.options = TemplateOptions { json: true, ..none },
                "jsonf" => decl.options = TemplateOptions { jsonf: true, ..none },
                "jsonftree" => decl.options = TemplateOptions { jsonftree: true, ..none },
                "nosql" => decl.options = none,
                "casesensitive" => decl.options.case_sensitive = true,
                other => {
                    let text =
                        format!("template '{}': invalid option '{other}' ignored", decl.name);
                    self.diagnostics.push(Diagnostic::plain(decl.body, text).warning());
                }
            }
        }
        rest
    }

    /// `$outchannel name,path[,size[,command]]`
    fn out_channel(&mut self, directive: &Directive) {
        let (name, rest) = legacy_value::field(&directive.argument);
        let end = rest.iter().position(|byte| matches!(byte, b' ' | b',')).unwrap_or(rest.len());
        let (path, rest) = rest.split_at(end);
        let rest = legacy_value::skip_comma(rest);
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (size, rest) = rest.split_at(digits);
        let size = size.iter().fold(0_u64, |size, digit| {
            size.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
        });
        self.config.out_channels.push(OutChannel {
            name: String::from_utf8_lossy(name).into_owned(),
            path: path.to_vec(),
            size_limit: size,
            command: legacy_value::skip_comma(rest).to_vec(),
            span: directive.span,
        });
    }

    /// `$AllowedSender protocol, entry, …`
    fn allowed_sender(&mut self, directive: &Directive) {
        let (protocol, rest) = legacy_value::field(&directive.argument);
        let name = String::from_utf8_lossy(protocol).to_ascii_uppercase();
        if !matches!(name.as_str(), "UDP" | "TCP") {
            let shown = String::from_utf8_lossy(protocol);
            let text = format!("Invalid protocol '{shown}' in allowed sender list, line ignored");
            self.diagnostics.push(Diagnostic::plain(directive.argument_span, text).code(3000));
            return;
        }
        let end = rest.iter().position(|byte| *byte == b'#').unwrap_or(rest.len());
        let separator = |byte: &u8| *byte == b',' || byte.is_ascii_whitespace();
        let written = rest[..end].split(separator).filter(|entry| !entry.is_empty());
        let (entries, malformed): (Vec<_>, Vec<_>) =
            written.map(<[u8]>::to_vec).partition(|entry| is_sender(entry));
        for _ in malformed {
            let text = "Error -3005 parsing address in allowed senderlist - ignoring.";
            self.diagnostics.push(Diagnostic::plain(directive.argument_span, text).code(3005));
        }
        let span = directive.argument_span;
        self.config.allowed_senders.push(AllowedSenders { protocol: name, entries, span });
    }
}

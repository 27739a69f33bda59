//! Syntax tree to [`Config`]: the objects, the order they act in, and what is resolved at the end.
//!
//! Objects and directives are taken in the order of the text, because the legacy ones act on what follows them
//! and a template must stand before the action that uses it. Only the names of rulesets are resolved when all
//! has been read.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::args::{self, Left};
use super::ast::{Item, Object, ObjectKind, Span, Tree};
use super::checked::{ActionId, Config, ObjectArgs, RulesetDecl, RulesetId};
use super::diagnostic::{Diagnostic, Diagnostics};
use super::legacy::Legacy;
use super::statements::Chain;
use super::{Catalogue, Loader, tables};
use crate::limits;
use crate::param::{Args, Module, Value};

/// The ruleset that statements outside of any `ruleset()` belong to.
pub(super) const DEFAULT_RULESET: &str = "RSYSLOG_DefaultRuleset";

/// A name to be resolved when all has been read.
pub(super) struct Reference {
    pub(super) name: String,
    pub(super) span: Span,
}

pub(super) struct Checker<'a> {
    pub(super) catalogue: &'a Catalogue<'a>,
    pub(super) loader: &'a dyn Loader,
    pub(super) diagnostics: &'a mut Diagnostics,
    pub(super) config: Config,
    /// All modules by lower-case name.
    pub(super) known: HashMap<String, &'static Module>,
    /// Index into `config.modules` of those that can be used.
    pub(super) loaded: HashMap<&'static str, usize>,
    /// By lower-case name.
    rulesets: HashMap<String, RulesetId>,
    pub(super) current_ruleset: RulesetId,
    /// Of each ruleset, the actions that stand last outside of `ruleset()`.
    pub(super) chains: HashMap<RulesetId, Chain>,
    /// By exact name, built-in ones included.
    pub(super) templates: HashSet<Vec<u8>>,
    pub(super) action_names: HashSet<String>,
    /// Actions met so far, those that came to nothing included.
    pub(super) actions_counted: usize,
    /// Actions made by `action()`: the defaults of global() are for their queues only.
    pub(super) object_actions: Vec<ActionId>,
    /// What `Stmt::Call` means until the end.
    pub(super) calls: Vec<Reference>,
    /// The rulesets of `config.inputs`.
    pub(super) input_rulesets: Vec<Option<Reference>>,
    pub(super) default_ruleset: Option<Reference>,
    has_main_queue: bool,
    /// Modules that module() has loaded, or given parameters.
    pub(super) module_objects: HashSet<&'static str>,
    /// Place of the first `global()`.
    pub(super) first_global: Option<Span>,
    /// Parsers of modules that are not there yet; using one is no further error.
    pub(super) missing_parsers: HashSet<String>,
    pub(super) legacy: Legacy,
}

/// Messages in a queue above which its size may be a mistake.
const LARGE_QUEUE: u64 = 500_000;

/// Checks a tree; what is wrong is left out and reported.
pub(super) fn check(
    tree: Tree,
    loader: &dyn Loader,
    catalogue: &Catalogue<'_>,
    diagnostics: &mut Diagnostics,
) -> Config {
    let mut checker = Checker::new(loader, catalogue, diagnostics);
    for item in tree.items {
        match item {
            Item::Object(object) => checker.object(object),
            Item::Stmt(stmt) => checker.top_statement(stmt),
        }
    }
    checker.finish()
}

impl<'a> Checker<'a> {
    fn new(
        loader: &'a dyn Loader,
        catalogue: &'a Catalogue<'a>,
        diagnostics: &'a mut Diagnostics,
    ) -> Self {
        let object = |table| ObjectArgs::new(Args::defaults(&[table]), Span::default());
        let config = Config {
            globals: object(tables::GLOBAL),
            directives: object(tables::DIRECTIVES),
            modules: Vec::new(),
            main_queue: object(tables::QUEUE_MAIN),
            inputs: Vec::new(),
            templates: Vec::new(),
            parsers: Vec::new(),
            timezones: Vec::new(),
            lookup_tables: Vec::new(),
            dyn_stats: Vec::new(),
            percentile_stats: Vec::new(),
            ratelimits: Vec::new(),
            rulesets: Vec::new(),
            default_ruleset: RulesetId(0),
            actions: Vec::new(),
            out_channels: Vec::new(),
            allowed_senders: Vec::new(),
            discards: false,
        };
        let mut checker = Self {
            catalogue,
            loader,
            diagnostics,
            config,
            known: catalogue.modules.iter().map(|m| (m.name.to_ascii_lowercase(), *m)).collect(),
            loaded: HashMap::new(),
            rulesets: HashMap::new(),
            current_ruleset: RulesetId(0),
            chains: HashMap::new(),
            templates: catalogue.templates.iter().map(|name| name.as_bytes().to_vec()).collect(),
            action_names: HashSet::new(),
            actions_counted: 0,
            object_actions: Vec::new(),
            calls: Vec::new(),
            input_rulesets: Vec::new(),
            default_ruleset: None,
            has_main_queue: false,
            module_objects: HashSet::new(),
            first_global: None,
            missing_parsers: HashSet::new(),
            legacy: Legacy::new(catalogue),
        };
        for module in catalogue.modules.iter().filter(|module| module.builtin) {
            checker.add_module(
                module,
                ObjectArgs::new(Args::defaults(&[module.module_params]), Span::default()),
            );
        }
        checker.add_ruleset(DEFAULT_RULESET, Span::default());
        checker
    }

    /// An error in the reference's "error during parsing file" form.
    pub(super) fn error(&mut self, span: Span, text: impl Into<String>) {
        self.diagnostics.push(Diagnostic::parsing(span, text));
    }

    /// Says that this version has not `what`.
    pub(super) fn missing(&mut self, span: Span, what: &str) {
        self.diagnostics.push(Diagnostic::missing(span, what));
    }

    fn object(&mut self, object: Object) {
        if args::is_disabled(&object) {
            return;
        }
        match object.kind {
            ObjectKind::Global => self.global(&object),
            ObjectKind::Module => self.module(&object),
            ObjectKind::Input => self.input(&object),
            ObjectKind::MainQueue => self.main_queue(&object),
            ObjectKind::Template => self.template(&object),
            ObjectKind::Ruleset => self.ruleset(object),
            ObjectKind::Property | ObjectKind::Constant => {
                let text =
                    format!("{}() is only possible inside of template()", object.kind.keyword());
                self.error(object.span, text);
            }
            ObjectKind::Parser => self.parser(&object),
            ObjectKind::Timezone => self.timezone(&object),
            ObjectKind::LookupTable => self.lookup_table(&object),
            ObjectKind::DynStats => self.dyn_stats(&object),
            ObjectKind::PercentileStats => self.percentile_stats(&object),
            ObjectKind::Ratelimit => self.ratelimit(&object),
            ObjectKind::Action | ObjectKind::Include => {
                self.missing(object.span, &format!("object {}()", object.kind.keyword()));
            }
        }
    }

    fn global(&mut self, object: &Object) {
        let Ok([given]) = args::check(object, [tables::GLOBAL], self.diagnostics) else {
            let text = "error processing global config parameters [global(...)]";
            self.diagnostics.push(Diagnostic::plain(object.span, text).code(2211).follow_up());
            return;
        };
        self.first_global.get_or_insert(object.span);
        for row in tables::GLOBAL.iter().filter(|row| given.args.given(row.name)) {
            let place = given.place(row.name);
            if self.config.globals.args.given(row.name) {
                let text = format!(
                    "parameter '{}' specified more than once - one instance is ignored. Fix config",
                    row.name.to_ascii_lowercase()
                );
                let first = self.config.globals.place(row.name);
                let help = format!("it was given first in line {}", first.line);
                self.diagnostics
                    .push(Diagnostic::parsing(place, text).line(object.end_line).help(help));
                continue;
            }
            if let Some(value) = given.args.value(row.name) {
                self.set_global(row.name, value.clone(), place);
            }
        }
    }

    /// Sets a global parameter, by `global()` or a directive.
    pub(super) fn set_global(&mut self, name: &'static str, value: Value, place: Span) {
        let value = match (name, value) {
            ("workDirectory", Value::Str(path)) => match self.work_directory(path, place) {
                Some(path) => Value::Str(path),
                None => return,
            },
            ("environment", Value::Array(entries)) => {
                Value::Array(self.environment(entries, place))
            }
            ("maxMessageSize", Value::Size(size)) => Value::Size(self.message_size(size, place)),
            ("oversizemsg.input.mode", Value::Str(mode)) => {
                Value::Str(self.oversize_mode(mode, place))
            }
            (_, Value::Str(word)) if !self.is_known_word(name, &word, place) => return,
            (_, value) => value,
        };
        self.config.globals.args.set(name, value);
        self.config.globals.note(name, place);
    }

    /// The entries that are well-formed.
    fn environment(&mut self, mut entries: Vec<Vec<u8>>, place: Span) -> Vec<Vec<u8>> {
        entries.retain(|entry| {
            let shown = String::from_utf8_lossy(entry);
            let text = match memchr::memchr(b'=', entry) {
                Some(1..=limits::ENVIRONMENT_NAME_BYTES) if !entry.contains(&0) => return true,
                None => format!(
                    "environment variable entry is missing equal sign (for value): '{shown}'"
                ),
                Some(_) => format!(
                    "environment variable name too long [max {} chars] or malformed entry: '{shown}'",
                    limits::ENVIRONMENT_NAME_BYTES
                ),
            };
            self.diagnostics.push(Diagnostic::parsing(place, text));
            false
        });
        entries
    }

    /// One of the modes there are. The reference takes any other word for `truncate` and says nothing.
    fn oversize_mode(&mut self, mode: Vec<u8>, place: Span) -> Vec<u8> {
        if matches!(mode.as_slice(), b"truncate" | b"split" | b"accept") {
            return mode;
        }
        let text = format!(
            "oversizemsg.input.mode: unknown mode '{}' - truncate is used",
            String::from_utf8_lossy(&mode)
        );
        let diagnostic = Diagnostic::parsing(place, text).warning();
        self.diagnostics.push(diagnostic.help("one of truncate, split, accept"));
        b"truncate".to_vec()
    }

    /// `maxMessageSize` within its limits.
    fn message_size(&mut self, size: u64, place: Span) -> u64 {
        const MIN: u64 = limits::MESSAGE_BYTES_MIN as u64;
        const MAX: u64 = limits::MESSAGE_BYTES_MAX as u64;
        let text = match size {
            ..MIN => format!(
                "maxMessageSize tried to set to {size}, but cannot be less than {MIN} - set to {MIN} instead"
            ),
            MIN..=MAX => return size,
            _ => format!("maxMessageSize larger than {MAX} - reduced to {MAX}"),
        };
        self.diagnostics.push(Diagnostic::plain(place, text).code(2009));
        size.clamp(MIN, MAX)
    }

    fn work_directory(&mut self, mut path: Vec<u8>, place: Span) -> Option<Vec<u8>> {
        use std::os::unix::ffi::OsStrExt as _;
        let before = path.len();
        while path.len() > 1 && path.ends_with(b"/") {
            path.pop();
        }
        let shown = String::from_utf8_lossy(&path).into_owned();
        if path.len() < before {
            let text = format!("$WorkDirectory: trailing slashes removed, new value is '{shown}'");
            self.diagnostics.push(Diagnostic::plain(place, text).code(2182));
        }
        if self.loader.is_directory(Path::new(std::ffi::OsStr::from_bytes(&path))) {
            return Some(path);
        }
        let text = format!(
            "$WorkDirectory: {shown} can not be accessed, probably does not exist - directive ignored"
        );
        self.diagnostics.push(Diagnostic::plain(place, text).code(2181));
        None
    }

    fn main_queue(&mut self, object: &Object) {
        if self.has_main_queue {
            let text = "main_queue() object can only be specified once - all but first ignored";
            self.diagnostics.push(Diagnostic::plain(object.span, text));
            return;
        }
        self.has_main_queue = true;
        let first = self.diagnostics.len();
        match args::check(object, [tables::QUEUE_RULESET], self.diagnostics) {
            Ok([mut queue]) => {
                self.check_queue(&mut queue);
                self.config.main_queue = queue;
            }
            Err(Left::Disabled) => {}
            Err(Left::Invalid) => {
                let text = "error processing queue config parameters";
                self.diagnostics
                    .push(Diagnostic::parsing(object.span, text).line(object.end_line).follow_up());
            }
        }
        // The reference looks at this object when all has been read.
        self.diagnostics.after_reading(first);
    }

    /// Whether a `main_queue()` object was met.
    pub(super) fn has_main_queue(&self) -> bool {
        self.has_main_queue
    }

    /// What is to be said about the queue of an object.
    pub(super) fn check_queue(&mut self, queue: &mut ObjectArgs) {
        self.check_queue_type(queue);
        let Some(size) = queue.args.size("queue.size").filter(|size| *size > LARGE_QUEUE) else {
            return;
        };
        let text = format!(
            "queue.size={size} is very large - is this really intended? More info at \
             https://www.rsyslog.com/avoid-overly-large-in-memory-queues/"
        );
        let diagnostic = Diagnostic::parsing(queue.place("queue.size"), text);
        self.diagnostics.push(diagnostic.warning().code(2357));
    }

    /// Disk queues are not there yet: says so, and takes a queue in memory.
    pub(super) fn check_queue_type(&mut self, queue: &mut ObjectArgs) {
        let Some(kind @ ("Disk" | "SegmentedDisk")) = queue.args.choice("queue.type") else {
            return;
        };
        let what = format!("queue type {kind}");
        let diagnostic = Diagnostic::missing(queue.place("queue.type"), &what);
        self.diagnostics.push(diagnostic.help("a queue in memory (LinkedList) is used"));
        queue.args.set("queue.type", Value::Choice("LinkedList"));
    }

    /// Adds an empty ruleset; the caller has made sure that the name is new.
    pub(super) fn add_ruleset(&mut self, name: &str, span: Span) -> RulesetId {
        let id = RulesetId(self.config.rulesets.len());
        self.rulesets.insert(name.to_ascii_lowercase(), id);
        self.config.rulesets.push(RulesetDecl {
            name: name.to_owned(),
            queue: None,
            parsers: Vec::new(),
            body: Vec::new(),
            span,
        });
        id
    }

    pub(super) fn ruleset_named(&self, name: &str) -> Option<RulesetId> {
        self.rulesets.get(&name.to_ascii_lowercase()).copied()
    }

    fn ruleset(&mut self, object: Object) {
        let checked =
            args::check(&object, [tables::RULESET, tables::QUEUE_RULESET], self.diagnostics);
        let Ok([args, mut queue]) = checked else {
            return;
        };
        let name = args.args.text("name").unwrap_or_default();
        if name == DEFAULT_RULESET && object.params.len() == 1 {
            // Not so in the reference, which cannot read what it translates: another way to write what stands outside.
            let mut body = std::mem::take(&mut self.config.rulesets[0].body);
            self.statements(object.body.unwrap_or_default(), &mut body);
            self.config.rulesets[0].body = body;
            return;
        }
        if let Some(first) = self.ruleset_named(&name) {
            let text = format!("error: ruleset '{name}' specified more than once");
            let line = self.config.ruleset(first).span.line;
            let help = (line > 0).then(|| format!("the first one, in line {line}, is used"));
            let diagnostic = Diagnostic::plain(args.place("name"), text).code(2306);
            self.diagnostics.push(diagnostic.maybe_help(help));
            return;
        }
        let id = self.add_ruleset(&name, object.span);
        for parser in args.args.array("parser").unwrap_or_default() {
            self.add_parser(id, &String::from_utf8_lossy(parser), args.place("parser"));
        }
        if tables::QUEUE_RULESET.iter().any(|row| queue.args.given(row.name)) {
            self.check_queue(&mut queue);
            self.config.rulesets[id.0].queue = Some(queue);
        }
        let mut body = Vec::new();
        self.statements(object.body.unwrap_or_default(), &mut body);
        self.config.rulesets[id.0].body = body;
    }

    /// Resolves the names of rulesets.
    fn finish(mut self) -> Config {
        let mut resolved = Vec::with_capacity(self.calls.len());
        for call in std::mem::take(&mut self.calls) {
            let found = self.ruleset_named(&call.name);
            if found.is_none() {
                let text = format!("ruleset '{}' cannot be found", call.name);
                self.unknown_ruleset(Diagnostic::parsing(call.span, text), &call.name);
            }
            resolved.push(found);
        }
        for ruleset in &mut self.config.rulesets {
            super::statements::resolve_calls(&mut ruleset.body, &resolved);
        }
        if let Some(default) = self.default_ruleset.take() {
            match self.ruleset_named(&default.name) {
                Some(id) => self.config.default_ruleset = id,
                None => {
                    let text = format!("error -2157 setting default ruleset '{}'", default.name);
                    let mut diagnostic = Diagnostic::plain(default.span, text).code(2157);
                    diagnostic.at_start = true;
                    self.unknown_ruleset(diagnostic, &default.name);
                }
            }
        }
        for (index, reference) in std::mem::take(&mut self.input_rulesets).into_iter().enumerate() {
            let id = reference.and_then(|reference| self.input_ruleset(index, &reference));
            self.config.inputs[index].ruleset = id.unwrap_or(self.config.default_ruleset);
        }
        self.allow_senders();
        self.default_queue_timeouts();
        self.secure_defaults();
        let abort = self.config.globals.args.bool("security.abortOnIDResolutionFail");
        if abort && self.diagnostics.unresolved_ids() > 0 {
            self.diagnostics.fail("");
        }
        self.config
    }

    /// `$AllowedSender` is what inputs have that were given no list of their own.
    fn allow_senders(&mut self) {
        let lines = &self.config.allowed_senders;
        for input in &mut self.config.inputs {
            let name = input.module.name.to_ascii_uppercase();
            let own = lines.iter().filter(|line| name.ends_with(line.protocol.as_str()));
            let entries: Vec<_> = own.flat_map(|line| line.entries.iter().cloned()).collect();
            if !entries.is_empty() && input.args.args.param("allowedSender").is_some() {
                input.args.args.set_default("allowedSender", Some(Value::Array(entries)));
            }
        }
    }

    /// `default.action.queue.…` and `default.ruleset.queue.…` of global().
    fn default_queue_timeouts(&mut self) {
        let config = &mut self.config;
        let rulesets = config.rulesets.iter_mut().filter_map(|ruleset| ruleset.queue.as_mut());
        let main_queue = self.has_main_queue.then_some(&mut config.main_queue);
        for queue in rulesets.chain(main_queue) {
            default_timeouts("default.ruleset.", &config.globals.args, &mut queue.args);
        }
        for id in &self.object_actions {
            let queue = &mut config.actions[id.0].queue;
            default_timeouts("default.action.", &config.globals.args, &mut queue.args);
        }
    }

    fn unknown_ruleset(&mut self, diagnostic: Diagnostic, name: &str) {
        let known = self.config.rulesets.iter().map(|ruleset| ruleset.name.as_str());
        let help = self.diagnostics.suggest(name, known);
        self.diagnostics.push(diagnostic.maybe_help(help));
    }

    fn warn_of_shared_queue(&mut self, id: RulesetId, reference: &Reference) {
        let queue = self.config.rulesets[id.0].queue.as_ref();
        if queue.is_some_and(|queue| queue.args.choice("queue.type") != Some("Direct")) {
            return;
        }
        let text = format!(
            "input-bound ruleset '{}' has no dedicated non-direct queue; input processing will share \
             the main queue or run synchronously",
            reference.name
        );
        let help = "give the ruleset one: ruleset(… queue.type=\"LinkedList\")";
        let diagnostic = Diagnostic::parsing(reference.span, text).warning().code(2357);
        self.diagnostics.push(diagnostic.help(help));
    }

    fn input_ruleset(&mut self, index: usize, reference: &Reference) -> Option<RulesetId> {
        if let Some(id) = self.ruleset_named(&reference.name) {
            self.warn_of_shared_queue(id, reference);
            return Some(id);
        }
        let input = &self.config.inputs[index];
        let (module, args) = (input.module.name, &input.args.args);
        let text = |name| args.param(name).and_then(|_| args.text(name));
        let places: Vec<String> = match args.param("port").and_then(|_| args.value("port")) {
            // One listener each.
            Some(Value::Array(ports)) => {
                let address = text("address").unwrap_or_else(|| "*".to_owned());
                let place = |port| format!(" for {address}:{}", String::from_utf8_lossy(port));
                ports.iter().map(|port| place(port)).collect()
            }
            Some(Value::Str(port)) => vec![format!(" for port {}", String::from_utf8_lossy(port))],
            _ => {
                vec![text("socket").map_or_else(String::new, |path| format!(" for socket {path}"))]
            }
        };
        for place in places {
            let name = &reference.name;
            let text = format!(
                "{module}: ruleset '{name}'{place} not found - using default ruleset instead"
            );
            self.unknown_ruleset(Diagnostic::plain(reference.span, text), name);
        }
        None
    }
}

/// Gives a queue the timeouts that global() has for queues of its class.
fn default_timeouts(class: &str, globals: &Args, queue: &mut Args) {
    for name in [
        "queue.timeoutShutdown",
        "queue.timeoutActionCompletion",
        "queue.timeoutEnqueue",
        "queue.timeoutWorkerThreadShutdown",
    ] {
        let global = format!("{class}{name}");
        if globals.given(&global) {
            queue.set_default(name, globals.value(&global).cloned());
        }
    }
}

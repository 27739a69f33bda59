//! The checked configuration: what [`load`](super::load) returns and the daemon builds from.

use super::ast::{Expr, PriMask, Span};
use super::diagnostic::Diagnostic;
use crate::message::vars::Assign;
use crate::message::{Path, Scope};
use crate::param::{Args, Module, Problem};

/// The checked arguments of an object, with the places they stand at.
#[derive(Clone, Debug, Default)]
pub struct ObjectArgs {
    /// The values.
    pub args: Args,
    /// The object's keyword, directive or legacy text.
    pub span: Span,
    spans: Vec<(&'static str, Span)>,
}

impl ObjectArgs {
    /// Arguments that no text has given yet.
    #[must_use]
    pub fn new(args: Args, span: Span) -> Self {
        Self { args, span, spans: Vec::new() }
    }

    /// Notes where the parameter `name` (as in its table) was given.
    pub fn note(&mut self, name: &'static str, span: Span) {
        self.spans.push((name, span));
    }

    /// Where the parameter was given; the object itself if it was not.
    #[must_use]
    pub fn place(&self, name: &str) -> Span {
        let found = self.spans.iter().rev().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or(self.span, |(_, span)| *span)
    }

    /// Whether nothing at all was given.
    pub(super) fn is_bare(&self) -> bool {
        self.spans.is_empty()
    }

    /// Takes over what `other`, of the same tables, was given.
    pub(super) fn merge(&mut self, other: &Self) {
        for param in other.args.params().filter(|param| other.args.given(param.name)) {
            if let Some(value) = other.args.value(param.name) {
                self.args.set(param.name, value.clone());
                self.note(param.name, other.place(param.name));
            }
        }
        self.span = other.span;
    }

    /// What a module's `build` found wrong, at its place.
    #[must_use]
    pub fn diagnose(&self, problem: &Problem) -> Diagnostic {
        let at = problem.param.map_or(self.span, |name| self.place(name));
        Diagnostic::from_problem(problem, at)
    }
}

/// Index into [`Config::actions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActionId(pub usize);

/// Index into [`Config::rulesets`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RulesetId(pub usize);

/// A checked configuration. Everything that could not be made sense of is left out and stands in the
/// diagnostics.
#[derive(Clone, Debug)]
pub struct Config {
    /// `global()` and its legacy directives; table [`GLOBAL`](super::tables::GLOBAL).
    pub globals: ObjectArgs,
    /// Directives that have no object form; table [`DIRECTIVES`](super::tables::DIRECTIVES).
    pub directives: ObjectArgs,
    /// Every module that was loaded, and every built-in one, in load order, each once.
    pub modules: Vec<ModuleDecl>,
    /// Parameters of the main queue, with `queue.` names; table [`QUEUE_MAIN`](super::tables::QUEUE_MAIN)
    /// without a `main_queue()` object, [`QUEUE_RULESET`](super::tables::QUEUE_RULESET) with one.
    pub main_queue: ObjectArgs,
    /// Inputs in the order written.
    pub inputs: Vec<InputDecl>,
    /// Templates in the order written; names are unique.
    pub templates: Vec<TemplateDecl>,
    /// `parser()` objects in the order written; names are unique, and none is that of a built-in parser.
    pub parsers: Vec<ParserDecl>,
    /// `timezone()` objects: what parsers that understand names of time zones know. Names may be there twice.
    pub timezones: Vec<Timezone>,
    /// `lookup_table()` objects in the order written; names are unique.
    pub lookup_tables: Vec<LookupDecl>,
    /// `dyn_stats()` objects in the order written; of those with the same name the last one counts. Table
    /// [`DYN_STATS`](super::tables::DYN_STATS).
    pub dyn_stats: Vec<ObjectArgs>,
    /// `percentile_stats()` objects in the order written, those without percentiles left out; of those with the same
    /// name the first one counts.
    pub percentile_stats: Vec<PercentileDecl>,
    /// `ratelimit()` objects in the order written; names are unique. Table [`RATELIMIT`](super::tables::RATELIMIT).
    pub ratelimits: Vec<ObjectArgs>,
    /// Rulesets; the first is `RSYSLOG_DefaultRuleset`.
    pub rulesets: Vec<RulesetDecl>,
    /// The ruleset of inputs that name none (`$DefaultRuleset`).
    pub default_ruleset: RulesetId,
    /// All actions, in the order written.
    pub actions: Vec<ActionDecl>,
    /// `$outchannel` definitions.
    pub out_channels: Vec<OutChannel>,
    /// `$AllowedSender` lines, in order.
    pub allowed_senders: Vec<AllowedSenders>,
    /// Whether a `~` was met: it is a [`Stmt::Stop`] here, but an action where they are counted.
    pub discards: bool,
}

/// An `$AllowedSender` line.
#[derive(Clone, Debug)]
pub struct AllowedSenders {
    /// In upper case: `UDP`, `TCP`.
    pub protocol: String,
    /// Addresses, networks and names.
    pub entries: Vec<Vec<u8>>,
    /// Where.
    pub span: Span,
}

impl Config {
    /// The `module()` arguments of a module; its defaults if it was never loaded.
    #[must_use]
    pub fn module_args(&self, module: &'static Module) -> ObjectArgs {
        let found = self.modules.iter().find(|decl| decl.module.name == module.name);
        found.map_or_else(
            || ObjectArgs::new(Args::defaults(&[module.module_params]), Span::default()),
            |decl| decl.args.clone(),
        )
    }

    /// The ruleset of this index.
    #[must_use]
    pub fn ruleset(&self, id: RulesetId) -> &RulesetDecl {
        &self.rulesets[id.0]
    }

    /// The action of this index.
    #[must_use]
    pub fn action(&self, id: ActionId) -> &ActionDecl {
        &self.actions[id.0]
    }

    /// Whether there is any action; without one the reference refuses to start.
    #[must_use]
    pub fn has_actions(&self) -> bool {
        self.discards || !self.actions.is_empty()
    }
}

/// A loaded module.
#[derive(Clone, Debug)]
pub struct ModuleDecl {
    /// Which.
    pub module: &'static Module,
    /// Of its `module_params` table.
    pub args: ObjectArgs,
}

/// An input to be made.
#[derive(Clone, Debug)]
pub struct InputDecl {
    /// Its module.
    pub module: &'static Module,
    /// Of the module's `params` table.
    pub args: ObjectArgs,
    /// Where its messages go.
    pub ruleset: RulesetId,
}

/// An action to be made.
#[derive(Clone, Debug)]
pub struct ActionDecl {
    /// Its module.
    pub module: &'static Module,
    /// `name=`, or the reference's default `action-<n>-<module>`.
    pub name: String,
    /// Of the module's `params` table.
    pub args: ObjectArgs,
    /// `name`, `action.*`; table [`ACTION`](super::tables::ACTION).
    pub core: ObjectArgs,
    /// `queue.*`; table [`QUEUE_ACTION`](super::tables::QUEUE_ACTION).
    pub queue: ObjectArgs,
    /// What `module()` sets for its actions does not count: a selector line makes it, for which directives do,
    /// or `module()` stands further down.
    pub own_defaults: bool,
}

/// A parser to be made.
#[derive(Clone, Debug)]
pub struct ParserDecl {
    /// Exact name.
    pub name: String,
    /// Its module.
    pub module: &'static Module,
    /// Of the module's `params` table.
    pub args: ObjectArgs,
}

/// A lookup table to be loaded.
#[derive(Clone, Debug)]
pub struct LookupDecl {
    /// Exact name.
    pub name: String,
    /// Table [`LOOKUP_TABLE`](super::tables::LOOKUP_TABLE).
    pub args: ObjectArgs,
}

/// Percentiles to be kept.
#[derive(Clone, Debug)]
pub struct PercentileDecl {
    /// Which; 0 to 100 each.
    pub percents: Vec<u8>,
    /// Table [`PERCENTILE_STATS`](super::tables::PERCENTILE_STATS).
    pub args: ObjectArgs,
}

/// A name for a distance from UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timezone {
    /// As messages spell it.
    pub name: Vec<u8>,
    /// Minutes east of UTC.
    pub offset: i32,
}

/// A ruleset.
#[derive(Clone, Debug)]
pub struct RulesetDecl {
    /// As first written.
    pub name: String,
    /// Its own queue, if any `queue.*` parameter was given; table
    /// [`QUEUE_RULESET`](super::tables::QUEUE_RULESET).
    pub queue: Option<ObjectArgs>,
    /// Parser names in the order they are tried; empty for the default chain.
    pub parsers: Vec<String>,
    /// What is done with each message.
    pub body: Vec<Stmt>,
    /// Its keyword or directive.
    pub span: Span,
}

/// A checked statement.
#[derive(Clone, Debug)]
pub enum Stmt {
    /// The first arm whose condition holds runs, else `otherwise`.
    If {
        /// Conditions and their blocks, at least one.
        arms: Vec<(Expr, Vec<Self>)>,
        /// The last `else`.
        otherwise: Vec<Self>,
    },
    /// Runs `then` for messages whose PRI is in the mask.
    PriFilter {
        /// The mask.
        mask: PriMask,
        /// The block.
        then: Vec<Self>,
    },
    /// Runs `then` if the property passes the test.
    PropFilter {
        /// Which property.
        property: super::ast::Variable,
        /// The test.
        op: PropOp,
        /// Whether the result is inverted.
        negate: bool,
        /// What it is compared with; a pattern for the regular expressions.
        value: Vec<u8>,
        /// The block.
        then: Vec<Self>,
        /// The filter, for messages about its pattern.
        span: Span,
    },
    /// Runs an action.
    Action(ActionId),
    /// Runs an action that modifies the message.
    Modify(ActionId),
    /// Runs a ruleset, or hands the message to its queue if it has one.
    Call(RulesetId),
    /// Runs the ruleset of that name, which is known only then.
    CallIndirect(Expr),
    /// Gives a variable a value.
    Set {
        /// Which.
        target: (Scope, Path),
        /// The value.
        value: Expr,
        /// What becomes of the one that is there.
        how: Assign,
    },
    /// Removes a variable.
    Unset((Scope, Path)),
    /// Has a lookup table read its file again.
    ReloadLookupTable {
        /// Its name.
        table: Vec<u8>,
        /// What all look-ups give if the file cannot be read.
        stub: Option<Vec<u8>>,
        /// The statement.
        span: Span,
    },
    /// Runs a block for each item of a list, or each member of an object.
    Foreach {
        /// Which variable holds the item.
        variable: (Scope, Path),
        /// What is gone through.
        collection: Expr,
        /// The block.
        body: Vec<Self>,
    },
    /// Ends the processing of the message.
    Stop,
}

/// Tests of a property-based filter, all case-sensitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PropOp {
    /// Equal bytes.
    IsEqual,
    /// Substring.
    Contains,
    /// Prefix.
    StartsWith,
    /// Suffix.
    EndsWith,
    /// Empty; the value is ignored.
    IsEmpty,
    /// POSIX basic regular expression.
    Regex,
    /// POSIX extended regular expression.
    EreRegex,
}

/// A template to be compiled.
#[derive(Clone, Debug)]
pub struct TemplateDecl {
    /// Exact name; invalid UTF-8 is replaced.
    pub name: String,
    /// Its content.
    pub kind: TemplateKind,
    /// `option.…`
    pub options: TemplateOptions,
    /// Its keyword or directive; content errors are shown at `body`.
    pub span: Span,
    /// The `string=`, `subtree=` or `plugin=` value, or the keyword again.
    pub body: Span,
}

/// Where a template's content comes from.
#[derive(Clone, Debug)]
pub enum TemplateKind {
    /// `%property%` text.
    String {
        /// The text.
        text: Vec<u8>,
        /// Of `$template`: `\n`, `\101` and the like are still to be decoded.
        legacy: bool,
    },
    /// `property()` and `constant()` objects.
    List(Vec<Element>),
    /// A JSON subtree, e.g. `$!a!b`.
    Subtree(Vec<u8>),
    /// A string generator built into the program.
    Plugin(Vec<u8>),
}

/// An element of a list template.
#[derive(Clone, Debug)]
pub enum Element {
    /// Table [`PROPERTY`](super::tables::PROPERTY).
    Property(ObjectArgs),
    /// Table [`CONSTANT`](super::tables::CONSTANT).
    Constant(ObjectArgs),
}

/// `option.…` of a template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TemplateOptions {
    /// Escape for SQL with backslashes.
    pub sql: bool,
    /// Escape for standard SQL.
    pub stdsql: bool,
    /// Escape for JSON.
    pub json: bool,
    /// Make a JSON object of the fields.
    pub jsonf: bool,
    /// Make a nested JSON object of dotted fields.
    pub jsonftree: bool,
    /// JSON names keep their case.
    pub case_sensitive: bool,
}

/// `$outchannel name,path[,maxsize[,command]]`
#[derive(Clone, Debug)]
pub struct OutChannel {
    /// Its name, without `$`.
    pub name: String,
    /// The file.
    pub path: Vec<u8>,
    /// Bytes at which the command runs; 0 is never.
    pub size_limit: u64,
    /// Command with arguments, may be empty.
    pub command: Vec<u8>,
    /// The directive.
    pub span: Span,
}

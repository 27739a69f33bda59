//! The syntax tree of rsyslog's configuration language: what stands in the files, not yet what it means.
//!
//! Includes are already expanded and backticks already replaced; everything else is as written. The tree is
//! built by `parse`, read once by `check`. Expressions are the exception: `script` compiles the same [`Expr`]
//! that the parser made, after `check` has verified and simplified it.
//!
//! Depth is bounded: blocks and expressions nest at most [`limits::NESTING_DEPTH`](crate::limits::NESTING_DEPTH)
//! and [`limits::EXPRESSION_DEPTH`](crate::limits::EXPRESSION_DEPTH) levels, and the two constructs that real
//! configurations chain without end (`else if`, `or`) are flat lists here.

use crate::message::Scope;

/// Where something stands: a piece of one of the files read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Index into the list of sources.
    pub file: u16,
    /// Physical line, from 1.
    pub line: u32,
    /// First byte, counted in the file as it is on disk.
    pub offset: u32,
    /// Bytes, at least one; pieces that reach over a line end are shown to the end of their first line.
    pub len: u32,
}

/// A whole configuration, in the order of reading.
#[derive(Debug, Default)]
pub struct Tree {
    /// Top-level pieces.
    pub items: Vec<Item>,
}

/// A top-level piece.
#[derive(Debug)]
pub enum Item {
    /// `global(…)`, `template(…) {…}`, `ruleset(…) {…}` and the like.
    Object(Object),
    /// A statement, which goes to the current legacy ruleset; or a directive.
    Stmt(Stmt),
}

/// Which object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// `global(…)`
    Global,
    /// `module(load=…)`
    Module,
    /// `input(type=…)`
    Input,
    /// `action(type=…)`
    Action,
    /// `ruleset(name=…) { … }`
    Ruleset,
    /// `template(name=…)`
    Template,
    /// `property(name=…)` inside a template
    Property,
    /// `constant(value=…)` inside a template
    Constant,
    /// `main_queue(…)`
    MainQueue,
    /// `parser(name=… type=…)`
    Parser,
    /// `timezone(id=… offset=…)`
    Timezone,
    /// `lookup_table(name=… file=…)`
    LookupTable,
    /// `dyn_stats(name=…)`
    DynStats,
    /// `percentile_stats(name=…)`
    PercentileStats,
    /// `ratelimit(name=…)`
    Ratelimit,
    /// `include(file=…)`; expanded by the parser, never in a tree
    Include,
}

impl ObjectKind {
    /// Every object with its keyword.
    pub const ALL: [(&'static str, Self); 16] = [
        ("global", Self::Global),
        ("module", Self::Module),
        ("input", Self::Input),
        ("action", Self::Action),
        ("ruleset", Self::Ruleset),
        ("template", Self::Template),
        ("property", Self::Property),
        ("constant", Self::Constant),
        ("main_queue", Self::MainQueue),
        ("parser", Self::Parser),
        ("timezone", Self::Timezone),
        ("lookup_table", Self::LookupTable),
        ("dyn_stats", Self::DynStats),
        ("percentile_stats", Self::PercentileStats),
        ("ratelimit", Self::Ratelimit),
        ("include", Self::Include),
    ];

    /// The keyword.
    #[must_use]
    pub fn keyword(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(word, _)| word)
    }
}

/// An object with its parameters.
#[derive(Debug)]
pub struct Object {
    /// Which.
    pub kind: ObjectKind,
    /// Parameters in the order written.
    pub params: Vec<Parameter>,
    /// `property()` and `constant()` of a template.
    pub elements: Vec<Self>,
    /// Statements of a ruleset; `None` without braces.
    pub body: Option<Vec<Stmt>>,
    /// The keyword.
    pub span: Span,
    /// Line of the closing parenthesis: the reference names this one in its messages.
    pub end_line: u32,
}

/// `name="value"` or `name=["a", "b"]`.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// As written.
    pub name: String,
    /// One element, or those of the array; escapes and backticks are resolved.
    pub value: Vec<Vec<u8>>,
    /// Whether written with brackets.
    pub array: bool,
    /// The name.
    pub span: Span,
    /// The value, quotes included.
    pub value_span: Span,
}

/// `$Name argument`.
#[derive(Clone, Debug)]
pub struct Directive {
    /// Without the `$`, as written.
    pub name: String,
    /// The rest of the line, outer blanks removed.
    pub argument: Vec<u8>,
    /// The whole directive.
    pub span: Span,
    /// The argument; of the directive where there is none.
    pub argument_span: Span,
}

/// A statement, or a directive between statements.
#[derive(Debug)]
pub struct Stmt {
    /// What it does.
    pub kind: StmtKind,
    /// Its first token.
    pub span: Span,
    /// Whether `&` joins it to the one before.
    pub chained: bool,
    /// The line the reference's lexer has reached when it reports on this statement.
    pub end_line: u32,
}

/// The statements.
#[derive(Debug)]
pub enum StmtKind {
    /// `if … then … else if … then … else …`: the first arm that holds runs.
    If {
        /// Conditions and their blocks, at least one.
        arms: Vec<(Expr, Vec<Stmt>)>,
        /// The last `else`.
        otherwise: Vec<Stmt>,
    },
    /// `mail.*;auth.none <block>`
    PriFilter {
        /// As written.
        selector: Vec<u8>,
        /// The block.
        then: Vec<Stmt>,
    },
    /// `:property, [!]operation, "value" <block>`
    PropFilter {
        /// As written.
        text: Vec<u8>,
        /// The same, taken apart.
        filter: PropFilter,
        /// The block.
        then: Vec<Stmt>,
    },
    /// `action(…)`
    Action(Object),
    /// A legacy action: the rest of its line.
    LegacyAction(Vec<u8>),
    /// `$Name argument`, which acts on what follows it in the text
    Directive(Directive),
    /// `stop`
    Stop,
    /// `continue`
    Continue,
    /// `call name`
    Call(Vec<u8>),
    /// `call_indirect expr;`
    CallIndirect(Expr),
    /// `set $!x = expr;` or `reset …`
    Set {
        /// Target, as written behind the `$`.
        target: Variable,
        /// Value.
        value: Expr,
        /// `reset`: replace, never merge.
        reset: bool,
    },
    /// `unset $!x;`
    Unset(Variable),
    /// `foreach ($.x in expr) do …`
    Foreach {
        /// Loop variable.
        variable: Variable,
        /// What is gone through.
        collection: Expr,
        /// The block.
        body: Vec<Stmt>,
    },
    /// `reload_lookup_table("name", "stub")`
    ReloadLookupTable(Vec<Expr>),
}

/// A property-based filter as written.
#[derive(Clone, Debug)]
pub struct PropFilter {
    /// Property name without the colon.
    pub property: Vec<u8>,
    /// Operation without the `!`.
    pub operation: Vec<u8>,
    /// Whether `!` stands before it.
    pub negate: bool,
    /// The value, `\"` and `\\` resolved.
    pub value: Vec<u8>,
    /// The property name.
    pub property_span: Span,
    /// The operation.
    pub operation_span: Span,
}

/// `$…` in an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// A message property (`msg`) or system property (`$now`), as written; case does not matter.
    Property(String),
    /// `$!a!b`, `$.a!b`, `$/a!b`.
    Json {
        /// Which tree.
        tree: Scope,
        /// Path behind the root character, e.g. `a!b`; empty for the whole tree.
        path: Vec<u8>,
    },
}

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it computes.
    pub kind: ExprKind,
    /// Operands: their token; operators: the operator.
    pub span: Span,
}

/// The expressions.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// A number.
    Number(i64),
    /// A string, escapes resolved.
    String(Vec<u8>),
    /// `["a", "b"]`
    Array(Vec<Vec<u8>>),
    /// `$…`
    Variable(Variable),
    /// `exists($!x)`
    Exists(Variable),
    /// `name(args)`; names are matched exactly.
    Function {
        /// As written.
        name: String,
        /// Arguments.
        args: Vec<Expr>,
    },
    /// `not x`
    Not(Box<Expr>),
    /// `-x`
    Negate(Box<Expr>),
    /// `a and b and …`, two operands or more, evaluated left to right until one is false.
    And(Vec<Expr>),
    /// `a or b or …`, two operands or more, evaluated left to right until one is true.
    Or(Vec<Expr>),
    /// A comparison, 1 or 0.
    Compare(CompareOp, Box<Expr>, Box<Expr>),
    /// Arithmetic and concatenation.
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// The message's PRI is in the mask. Not parsed but made by `check`: `prifilt("…")`, and comparisons of
    /// facility or severity with a constant.
    Pri(PriMask),
}

/// One byte per facility (0–23, and 24 for an invalid one); bit *n* stands for severity *n*.
pub type PriMask = [u8; 25];

/// Comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareOp {
    /// `==`
    Eq,
    /// `!=`, `<>`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `contains`
    Contains,
    /// `contains_i`
    ContainsI,
    /// `startswith`
    StartsWith,
    /// `startswith_i`
    StartsWithI,
    /// `endswith`
    EndsWith,
}

impl CompareOp {
    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::Contains => "contains",
            Self::ContainsI => "contains_i",
            Self::StartsWith => "startswith",
            Self::StartsWithI => "startswith_i",
            Self::EndsWith => "endswith",
        }
    }
}

/// Arithmetic and concatenation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`, 0 when dividing by 0
    Div,
    /// `%`, 0 when dividing by 0
    Mod,
    /// `&` on strings
    Concat,
}

impl BinaryOp {
    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Concat => "&",
        }
    }
}

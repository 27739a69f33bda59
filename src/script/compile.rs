//! From the checked syntax tree to what is evaluated per message: names resolved, constants folded, texts
//! prepared for searching.

use memchr::memmem;

use super::eval::Scratch;
use super::functions::{self, Environment, Prepared};
use super::value::Value;
use crate::config::ast::{BinaryOp, CompareOp, Expr, ExprKind, PriMask, Span, Variable};
use crate::config::{Diagnostic, PropOp};
use crate::message::{Path, Property, Scope};
use crate::param::Problem;
use crate::sys::regex::{Flavour, SharedRegex};

/// A condition: true or false for a message.
#[derive(Debug)]
pub enum Cond {
    /// Always so.
    Const(bool),
    /// The message's PRI is in the mask.
    Pri(Box<PriMask>),
    /// Inverted.
    Not(Box<Self>),
    /// All hold; evaluated in order until one does not.
    All(Box<[Self]>),
    /// One holds; evaluated in order until one does.
    Any(Box<[Self]>),
    /// A text against constants: by far the most frequent test.
    Text(Term, TextTest),
    /// Any two values.
    Compare(CompareOp, Box<(Term, Term)>),
    /// A value of a type that is known only then, equal to one of these texts; a number, to the least of them.
    Among(Term, Box<[u8]>, TextTest),
    /// A variable that is there.
    Exists(Scope, Path),
    /// A value that is not 0.
    Truth(Term),
    /// A text that a pattern matches.
    Regex(Term, SharedRegex),
}

/// A value: a number, a text or a node of a tree for a message.
#[derive(Debug)]
pub enum Term {
    /// A number.
    Number(i64),
    /// A text.
    Text(Box<[u8]>),
    /// A property of the message or the system that does not depend on variables.
    Property(Property),
    /// A property that shows variables.
    Tree(Property),
    /// A variable.
    Variable(Scope, Path),
    /// What a function returns.
    Call(Box<Prepared>),
    /// 1 or 0.
    Truth(Box<Cond>),
    /// `-x`
    Negate(Box<Self>),
    /// Arithmetic.
    Arithmetic(BinaryOp, Box<(Self, Self)>),
    /// `a & b`
    Concat(Box<(Self, Self)>),
}

/// A test of a text against one or several constants, any of which suffices.
#[derive(Debug)]
pub enum TextTest {
    /// Equal to this one.
    Equal(Box<[u8]>),
    /// Equal to one of these, sorted.
    OneOf(Box<[Box<[u8]>]>),
    /// Contains one.
    Contains(Box<[memmem::Finder<'static>]>),
    /// Contains one, in any case.
    ContainsNoCase(Box<[Box<[u8]>]>),
    /// Begins with one.
    StartsWith(Box<[Box<[u8]>]>),
    /// Begins with one, in any case.
    StartsWithNoCase(Box<[Box<[u8]>]>),
    /// Ends with one.
    EndsWith(Box<[Box<[u8]>]>),
}

/// Compiles conditions and values, and collects what is wrong with them.
#[derive(Debug, Default)]
pub struct Compiler<'e> {
    /// What functions can refer to.
    pub environment: Environment<'e>,
    /// What could not be compiled; it counts as 0, and a filter never matches.
    pub diagnostics: Vec<Diagnostic>,
}

impl Compiler<'_> {
    /// Compiles an expression that decides an `if`.
    pub fn condition(&mut self, expr: &Expr) -> Cond {
        match &expr.kind {
            ExprKind::And(operands) => Cond::all(self.conds(operands)),
            ExprKind::Or(operands) => Cond::any(self.conds(operands)),
            ExprKind::Not(operand) => self.condition(operand).negate(),
            ExprKind::Pri(mask) => Cond::Pri(Box::new(*mask)),
            ExprKind::Compare(op, left, right) => self.compare(*op, left, right),
            ExprKind::Exists(variable) => self.exists(variable, expr.span),
            _ => match self.value(expr) {
                Term::Truth(cond) => *cond,
                term if term.is_constant() => Cond::Const(term.fold().is_true()),
                term => Cond::Truth(term),
            },
        }
    }

    /// Compiles a property-based filter, without its negation; `None` if there is no such property.
    pub fn property_test(
        &mut self,
        variable: &Variable,
        op: PropOp,
        value: &[u8],
        span: Span,
    ) -> Option<Cond> {
        let term = self.variable(variable, span)?;
        let test = |op| Some(TextTest::new(op, vec![value.into()]));
        let test = match op {
            PropOp::IsEqual => test(CompareOp::Eq),
            PropOp::Contains => test(CompareOp::Contains),
            PropOp::StartsWith => test(CompareOp::StartsWith),
            PropOp::EndsWith => test(CompareOp::EndsWith),
            PropOp::IsEmpty => Some(TextTest::Equal(Box::default())),
            PropOp::Regex | PropOp::EreRegex => None,
        };
        if let Some(test) = test {
            return Some(Cond::Text(term, test));
        }
        let flavour = if op == PropOp::Regex { Flavour::Basic } else { Flavour::Extended };
        Some(match SharedRegex::new(value, flavour, false) {
            Ok(regex) => Cond::Regex(term, regex),
            Err(why) => {
                // The reference finds out at the first message, so this does not make the load fail.
                let text = format!("Error in regular expression: {why}");
                self.report(Problem::warning(text).help("nothing matches it"), span);
                Cond::Const(false)
            }
        })
    }

    fn report(&mut self, problem: Problem, span: Span) {
        self.diagnostics.push(Diagnostic::from_problem(&problem, span));
    }

    fn conds(&mut self, operands: &[Expr]) -> Vec<Cond> {
        operands.iter().map(|operand| self.condition(operand)).collect()
    }

    fn compare(&mut self, op: CompareOp, left: &Expr, right: &Expr) -> Cond {
        use CompareOp::{Eq, Ge, Gt, Le, Lt, Ne};
        use ExprKind::Array;
        let equality = matches!(op, Eq | Ne);
        if equality && matches!(left.kind, Array(_)) && !matches!(right.kind, Array(_)) {
            return self.compare(op, right, left);
        }
        let right_term = match &right.kind {
            // Sorted, as the reference does it before it takes the first element.
            Array(items) if equality => Term::Text(
                items.iter().min().map(|item| item.as_slice().into()).unwrap_or_default(),
            ),
            _ => self.value(right),
        };
        let terms = (self.value(left), right_term);
        let ordering = matches!(op, Lt | Le | Gt | Ge);
        let texts = match (&right.kind, &terms.1) {
            _ if ordering || equality && terms.0.is_number() => None,
            (Array(items), _) => Some(items.iter().map(|item| item.as_slice().into()).collect()),
            (_, Term::Text(text)) => Some(vec![text.clone()]),
            _ => None,
        };
        let cond = match texts {
            Some(texts) if equality && matches!(terms.0, Term::Call(_)) => {
                let first = texts.iter().min().cloned().unwrap_or_default();
                Cond::Among(terms.0, first, TextTest::new(op, texts)).negate_if(op == Ne)
            }
            Some(texts) => Cond::Text(terms.0, TextTest::new(op, texts)).negate_if(op == Ne),
            None => Cond::Compare(op, Box::new(terms)),
        };
        if cond.is_constant() { Cond::Const(cond.fold()) } else { cond }
    }

    /// Compiles an expression whose value is wanted.
    pub fn value(&mut self, expr: &Expr) -> Term {
        let term = match &expr.kind {
            ExprKind::Number(n) => Term::Number(*n),
            ExprKind::String(text) => Term::Text(text.as_slice().into()),
            // An array where one value is wanted is its first element.
            ExprKind::Array(items) => {
                Term::Text(items.first().map(|item| item.as_slice().into()).unwrap_or_default())
            }
            ExprKind::Variable(variable) => {
                self.variable(variable, expr.span).unwrap_or(Term::Number(0))
            }
            ExprKind::Negate(operand) => Term::Negate(Box::new(self.value(operand))),
            ExprKind::Binary(op, left, right) => {
                let operands = Box::new((self.value(left), self.value(right)));
                match op {
                    BinaryOp::Concat => Term::Concat(operands),
                    _ => Term::Arithmetic(*op, operands),
                }
            }
            ExprKind::Function { name, args } => self.call(name, args, expr.span),
            ExprKind::Not(_)
            | ExprKind::And(_)
            | ExprKind::Or(_)
            | ExprKind::Compare(..)
            | ExprKind::Exists(_)
            | ExprKind::Pri(_) => Term::Truth(Box::new(self.condition(expr))),
        };
        // Joined texts that `config` has left are arguments, and not read as one constant there: `cnum("0" & "17")`.
        let joined = matches!(term, Term::Concat(_));
        if term.is_constant() && !joined { term.fold() } else { term }
    }

    /// A call of a function, or the value it has if there is something wrong with it.
    fn call(&mut self, name: &str, args: &[Expr], span: Span) -> Term {
        let args = args.iter().map(|arg| self.value(arg)).collect();
        match functions::prepare(name, args, &self.environment) {
            Ok(prepared) => Term::Call(Box::new(prepared)),
            Err(faulty) => {
                let problems = faulty.problems.into_iter();
                problems.for_each(|problem| self.report(problem.code(2207), span));
                faulty.value
            }
        }
    }

    fn exists(&mut self, variable: &Variable, span: Span) -> Cond {
        match self.variable(variable, span) {
            Some(Term::Variable(scope, path)) => Cond::Exists(scope, path),
            // What is no variable does not exist as one.
            _ => Cond::Const(false),
        }
    }

    fn variable(&mut self, variable: &Variable, span: Span) -> Option<Term> {
        let name = match variable {
            Variable::Property(name) => name,
            Variable::Json { tree, path } => {
                return Some(Term::Variable(*tree, Path::new(path)));
            }
        };
        match Property::parse(name.as_bytes()) {
            Some(property @ Property::JsonMesg) => Some(Term::Tree(property)),
            Some(property) => Some(Term::Property(property)),
            None => {
                self.report(Problem::error(format!("invalid property '{name}'")).code(2207), span);
                None
            }
        }
    }
}

impl Cond {
    fn all(conds: Vec<Self>) -> Self {
        if conds.iter().any(|cond| matches!(cond, Self::Const(false))) {
            return Self::Const(false);
        }
        let mut rest: Vec<_> =
            conds.into_iter().filter(|cond| !matches!(cond, Self::Const(true))).collect();
        match (rest.pop(), rest.is_empty()) {
            (None, _) => Self::Const(true),
            (Some(only), true) => only,
            (Some(last), false) => {
                rest.push(last);
                Self::All(rest.into())
            }
        }
    }

    fn any(conds: Vec<Self>) -> Self {
        // a or b = not (not a and not b)
        match Self::all(conds.into_iter().map(Self::negate).collect()) {
            Self::All(conds) => Self::Any(conds.into_iter().map(Self::negate).collect()),
            one => one.negate(),
        }
    }

    /// The opposite.
    #[must_use]
    pub fn negate(self) -> Self {
        match self {
            Self::Const(truth) => Self::Const(!truth),
            Self::Not(cond) => *cond,
            cond => Self::Not(Box::new(cond)),
        }
    }

    /// The opposite, if asked for.
    #[must_use]
    pub fn negate_if(self, opposite: bool) -> Self {
        if opposite { self.negate() } else { self }
    }

    fn is_constant(&self) -> bool {
        match self {
            Self::Const(_) => true,
            Self::Pri(_) | Self::Regex(..) | Self::Exists(..) => false,
            Self::Not(cond) => cond.is_constant(),
            Self::All(conds) | Self::Any(conds) => conds.iter().all(Self::is_constant),
            Self::Text(term, _) | Self::Among(term, ..) | Self::Truth(term) => term.is_constant(),
            Self::Compare(_, terms) => terms.0.is_constant() && terms.1.is_constant(),
        }
    }

    /// Its value, if it is constant.
    fn fold(&self) -> bool {
        self.holds(None, &mut Scratch::default())
    }
}

impl Term {
    /// Whether the value is a number for every message.
    fn is_number(&self) -> bool {
        matches!(self, Self::Number(_) | Self::Truth(_) | Self::Negate(_) | Self::Arithmetic(..))
    }

    fn is_constant(&self) -> bool {
        match self {
            Self::Number(_) | Self::Text(_) => true,
            Self::Property(_) | Self::Tree(_) | Self::Variable(..) | Self::Call(_) => false,
            Self::Truth(cond) => cond.is_constant(),
            Self::Negate(term) => term.is_constant(),
            Self::Arithmetic(_, terms) | Self::Concat(terms) => {
                terms.0.is_constant() && terms.1.is_constant()
            }
        }
    }

    /// The constant it amounts to.
    fn fold(self) -> Self {
        match self {
            Self::Number(_) | Self::Text(_) => self,
            term => match term.value(None, &mut Scratch::default(), &mut Vec::new()) {
                Value::Number(n) => Self::Number(n),
                Value::Text(text) => Self::Text(text.into()),
                Value::Json(_) => unreachable!("no constant is JSON"),
            },
        }
    }

    fn is_true(&self) -> bool {
        self.value(None, &mut Scratch::default(), &mut Vec::new()).is_true()
    }
}

impl TextTest {
    /// Prepares constants for `op`: `Eq`, `Ne` (to be negated by the caller) or one of the text searches.
    fn new(op: CompareOp, mut texts: Vec<Box<[u8]>>) -> Self {
        match op {
            CompareOp::Contains => Self::Contains(
                texts.iter().map(|text| memmem::Finder::new(text).into_owned()).collect(),
            ),
            CompareOp::ContainsI => Self::ContainsNoCase(texts.into()),
            CompareOp::StartsWith => Self::StartsWith(texts.into()),
            CompareOp::StartsWithI => Self::StartsWithNoCase(texts.into()),
            CompareOp::EndsWith => Self::EndsWith(texts.into()),
            _ if texts.len() == 1 => Self::Equal(texts.swap_remove(0)),
            _ => {
                texts.sort_unstable();
                Self::OneOf(texts.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CompareOp::{
        Contains, ContainsI, EndsWith, Eq, Ge, Gt, Le, Lt, Ne, StartsWith, StartsWithI,
    };

    fn expr(kind: ExprKind) -> Expr {
        Expr { kind, span: Span::default() }
    }
    fn n(n: i64) -> Expr {
        expr(ExprKind::Number(n))
    }
    fn s(text: &str) -> Expr {
        expr(ExprKind::String(text.into()))
    }
    fn arr(texts: &[&str]) -> Expr {
        expr(ExprKind::Array(texts.iter().map(|text| text.as_bytes().to_vec()).collect()))
    }
    fn cmp(left: Expr, op: CompareOp, right: Expr) -> Expr {
        expr(ExprKind::Compare(op, Box::new(left), Box::new(right)))
    }
    fn bin(left: Expr, op: BinaryOp, right: Expr) -> Expr {
        expr(ExprKind::Binary(op, Box::new(left), Box::new(right)))
    }
    fn not(operand: Expr) -> Expr {
        expr(ExprKind::Not(Box::new(operand)))
    }
    fn property(name: &str) -> Expr {
        expr(ExprKind::Variable(Variable::Property(name.into())))
    }

    /// The vectors of `spec/config-language.md` section 19 that need no message and no function.
    #[test]
    fn constants_fold_as_the_reference_evaluates_them() {
        let table = [
            (cmp(s("007"), Eq, n(7)), true),
            (cmp(s("007"), Eq, s("7")), false),
            (cmp(bin(s("12ab"), BinaryOp::Add, n(1)), Eq, n(13)), true),
            (cmp(bin(s(""), BinaryOp::Add, n(1)), Eq, n(1)), true),
            (cmp(bin(n(5), BinaryOp::Div, n(0)), Eq, n(0)), true),
            (cmp(bin(n(7), BinaryOp::Mod, n(4)), Eq, n(3)), true),
            (cmp(s("9"), Lt, s("10")), true),
            (cmp(s("9a"), Lt, s("10")), false),
            (cmp(s("a"), Lt, s("B")), false),
            (cmp(s("b"), Ge, s("b")), true),
            (cmp(n(3), Le, s("2")), false),
            (cmp(n(3), Gt, s("2")), true),
            (cmp(s("foo"), Eq, arr(&["bar", "foo"])), true),
            (cmp(s("foo"), Ne, arr(&["bar", "foo"])), false),
            (cmp(arr(&["bar", "foo"]), Eq, s("foo")), true),
            (cmp(arr(&["bar", "foo"]), Ne, s("fo")), true),
            (cmp(n(5), Eq, arr(&["5", "6"])), true),
            (cmp(n(6), Eq, arr(&["5", "6"])), false),
            (cmp(n(1567), Contains, arr(&["x", "56"])), true),
            (cmp(s("FOObar"), StartsWithI, arr(&["x", "foo"])), true),
            (cmp(s("FOObar"), StartsWith, s("foo")), false),
            (cmp(s("xx"), Contains, s("")), true),
            (cmp(s("a Fox"), ContainsI, s("fOX")), true),
            (cmp(s("a Fo"), ContainsI, s("fOX")), false),
            (cmp(s("a.log"), EndsWith, arr(&[".gz", ".log"])), true),
            (cmp(s("g"), EndsWith, s("log")), false),
            (cmp(s("abc"), Eq, n(0)), false),
            (cmp(s(""), Eq, n(0)), true),
            (cmp(cmp(n(1), Eq, n(1)), Eq, n(1)), true),
            // "a" & 1 + 2, with & and + of one precedence: ("a1") + 2
            (cmp(bin(bin(s("a"), BinaryOp::Concat, n(1)), BinaryOp::Add, n(2)), Eq, n(2)), true),
            (cmp(expr(ExprKind::Negate(Box::new(s("12x")))), Eq, n(-12)), true),
            (not(n(0)), true),
            (s("0x"), false),
            (s("1x"), true),
            (expr(ExprKind::Or(vec![n(1), expr(ExprKind::And(vec![n(0), n(0)]))])), true),
        ];
        for (index, (expr, want)) in table.into_iter().enumerate() {
            let mut compiler = Compiler::default();
            let cond = compiler.condition(&expr);
            assert!(compiler.diagnostics.is_empty());
            assert!(matches!(cond, Cond::Const(got) if got == want), "row {index}: {cond:?}");
        }
    }

    #[test]
    fn constants_vanish_from_and_and_or() {
        let mut compiler = Compiler::default();
        let test = || cmp(property("msg"), Eq, s("x"));
        let cond = compiler.condition(&expr(ExprKind::And(vec![n(1), test()])));
        assert!(matches!(cond, Cond::Text(..)), "{cond:?}");
        let cond = compiler.condition(&expr(ExprKind::Or(vec![test(), n(0), not(test())])));
        let Cond::Any(conds) = &cond else { panic!("{cond:?}") };
        assert!(matches!(**conds, [Cond::Text(..), Cond::Not(_)]), "{cond:?}");
        let cond = compiler.condition(&expr(ExprKind::Or(vec![test(), n(1)])));
        assert!(matches!(cond, Cond::Const(true)), "{cond:?}");
    }

    #[test]
    fn what_does_not_exist_is_reported_and_0() {
        let function = |name: &str, args| expr(ExprKind::Function { name: name.into(), args });
        let table = [
            (function("nope", vec![]), "function 'nope' not found"),
            (function("strlen", vec![]), "number of parameters for strlen() must be 1 but is 0."),
            (property("nonexist"), "invalid property 'nonexist'"),
        ];
        for (part, want) in table {
            let mut compiler = Compiler::default();
            let cond = compiler.condition(&cmp(n(0), Eq, part));
            assert!(matches!(cond, Cond::Const(true)), "{cond:?}");
            let text = format!("{:?}", compiler.diagnostics[0]);
            assert!(text.contains(want), "{text}");
        }
    }

    #[test]
    fn a_broken_pattern_is_a_warning_and_never_matches() {
        let mut compiler = Compiler::default();
        let msg = Variable::Property("msg".into());
        let cond = compiler.property_test(&msg, PropOp::EreRegex, b"(", Span::default());
        assert!(matches!(cond, Some(Cond::Const(false))));
        assert_eq!(compiler.diagnostics.len(), 1);
    }
}

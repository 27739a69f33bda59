//! Expressions, verified and simplified: names that do not exist, constants, comparisons that are PRI masks.
//!
//! The simplifications are those of the reference that an administrator can see (`spec/config-language.md`
//! section 5.4); the rest is left to the compiler of the script.

use std::collections::HashSet;

use super::ast::{BinaryOp, CompareOp, Expr, ExprKind, PriMask, Span, Variable};
use super::checked::LookupDecl;
use super::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use super::selector;
use crate::message::Property;
use crate::param::{FACILITIES, SEVERITIES, constant_number, syslog_name};

/// What `lookup()` says without a table.
const NO_TABLE: &str = "TABLE-NOT-FOUND";

/// What stands before an expression.
pub(super) struct Before<'a> {
    pub(super) templates: &'a HashSet<Vec<u8>>,
    pub(super) tables: &'a [LookupDecl],
}

/// Verifies and simplifies an expression. What is wrong is reported and becomes 0, as in the reference.
pub(super) fn value(expr: Expr, before: &Before<'_>, diagnostics: &mut Diagnostics) -> Expr {
    Folder { diagnostics, before, in_arguments: false }.fold(expr)
}

struct Folder<'d> {
    diagnostics: &'d mut Diagnostics,
    before: &'d Before<'d>,
    /// Within the arguments of a function, where the reference leaves constants alone.
    in_arguments: bool,
}

impl Folder<'_> {
    fn fold(&mut self, expr: Expr) -> Expr {
        let span = expr.span;
        let kind = match expr.kind {
            ExprKind::Not(inner) => not(self.fold(*inner)),
            ExprKind::Negate(inner) => match self.fold(*inner) {
                Expr { kind: ExprKind::Number(number), .. } => {
                    ExprKind::Number(number.wrapping_neg())
                }
                inner => ExprKind::Negate(Box::new(inner)),
            },
            ExprKind::And(operands) => self.chain(operands, true),
            ExprKind::Or(operands) => self.chain(operands, false),
            ExprKind::Compare(op, left, right) => {
                let (left, right) = (self.fold(*left), self.fold(*right));
                if self.in_arguments {
                    ExprKind::Compare(op, Box::new(left), Box::new(right))
                } else {
                    compare(op, left, right, self.diagnostics)
                }
            }
            ExprKind::Binary(op, left, right) => {
                let (left, right) = (self.fold(*left), self.fold(*right));
                if self.in_arguments {
                    ExprKind::Binary(op, Box::new(left), Box::new(right))
                } else {
                    binary(op, left, right)
                }
            }
            ExprKind::Function { name, args } => self.function(name, args, span),
            ExprKind::Variable(variable) => {
                if check_property(&variable, span, self.diagnostics) {
                    ExprKind::Variable(variable)
                } else {
                    ExprKind::Number(0)
                }
            }
            kind => kind,
        };
        Expr { kind, span }
    }

    /// `and` or `or`: masks side by side become one; a constant operand is worth a warning.
    fn chain(&mut self, operands: Vec<Expr>, and: bool) -> ExprKind {
        let mut joined: Vec<Expr> = Vec::with_capacity(operands.len());
        for (i, operand) in operands.into_iter().enumerate() {
            self.warn_of_constant(&operand, i, and);
            let operand = self.fold(operand);
            match (joined.last_mut().map(|last| &mut last.kind), &operand.kind) {
                (Some(ExprKind::Pri(last)), ExprKind::Pri(mask)) => {
                    for (bits, other) in last.iter_mut().zip(mask) {
                        *bits = if and { *bits & other } else { *bits | other };
                    }
                }
                _ => joined.push(operand),
            }
        }
        match (joined.len(), joined.pop()) {
            (1, Some(only)) => only.kind,
            (_, last) => {
                joined.extend(last);
                if and { ExprKind::And(joined) } else { ExprKind::Or(joined) }
            }
        }
    }

    fn warn_of_constant(&mut self, operand: &Expr, position: usize, and: bool) {
        if !matches!(operand.kind, ExprKind::Number(_) | ExprKind::String(_) | ExprKind::Array(_)) {
            return;
        }
        let side = if position == 0 { "left" } else { "right" };
        let word = if and { "AND" } else { "OR" };
        let text = format!(
            "boolean operator '{word}' has constant {side} operand; did you mean to repeat the comparison?"
        );
        let help = "write $x == 'a' or $x == 'b', or $x == ['a', 'b']";
        let diagnostic = Diagnostic::parsing(operand.span, text).warning().code(2357);
        self.diagnostics.push(diagnostic.help(help));
    }

    /// Whether `exec_template()` has the name of a template that does not stand before it; reported then.
    fn is_too_early(&mut self, args: &[Expr], span: Span) -> bool {
        let [Expr { kind: ExprKind::String(name), .. }] = args else { return false };
        if self.before.templates.contains(name) {
            return false;
        }
        let shown = String::from_utf8_lossy(name);
        let text = format!("exec_template(): template '{shown}' could not be found");
        let known = self.before.templates.iter().filter_map(|name| std::str::from_utf8(name).ok());
        let help = self.diagnostics.suggest(&shown, known);
        let help = help.unwrap_or_else(|| "a template must stand before its use".to_owned());
        self.diagnostics.push(Diagnostic::parsing(span, text).help(help));
        true
    }

    /// Whether `lookup()` has the name of a table that does not stand before it; reported then.
    fn has_no_table(&mut self, args: &[Expr], span: Span) -> bool {
        let [Expr { kind: ExprKind::String(name), .. }, _] = args else { return false };
        if self.before.tables.iter().any(|table| table.name.as_bytes() == name) {
            return false;
        }
        let shown = String::from_utf8_lossy(name);
        let text = format!("lookup table '{shown}' not found (used in function: lookup)");
        let known = self.before.tables.iter().map(|table| table.name.as_str());
        let help = self.diagnostics.suggest(&shown, known);
        let help = help.unwrap_or_else(|| "a lookup_table() must stand before its use".to_owned());
        self.diagnostics.push(Diagnostic::parsing(span, text).help(help));
        true
    }

    /// `prifilt()` is a mask; other functions are looked up by the script's compiler.
    fn function(&mut self, name: String, args: Vec<Expr>, span: Span) -> ExprKind {
        if name != "prifilt" {
            let outside = std::mem::replace(&mut self.in_arguments, true);
            let args: Vec<_> = args.into_iter().map(|arg| self.fold(arg)).collect();
            self.in_arguments = outside;
            if name == "exec_template" && self.is_too_early(&args, span) {
                return ExprKind::Number(0);
            }
            if name == "lookup" && self.has_no_table(&args, span) {
                return ExprKind::String(NO_TABLE.into());
            }
            return ExprKind::Function { name, args };
        }
        let wrong = match args.as_slice() {
            [Expr { kind: ExprKind::String(text), .. }] => {
                let (mask, result) = selector::decode(text);
                if let Err(bad) = result {
                    self.diagnostics.push(Diagnostic::plain(span, bad.text()));
                }
                return ExprKind::Pri(mask);
            }
            [_] => "param 1 of prifilt() must be a constant string".to_owned(),
            _ => format!("number of parameters for prifilt() must be 1 but is {}.", args.len()),
        };
        self.diagnostics.push(Diagnostic::parsing(span, wrong));
        if args.len() != 1 {
            let text = "Invalid function prifilt";
            self.diagnostics.push(Diagnostic::parsing(span, text).follow_up());
        }
        ExprKind::Number(0)
    }
}

/// Whether the property exists; reported if not. JSON variables always do.
pub(super) fn check_property(
    variable: &Variable,
    span: Span,
    diagnostics: &mut Diagnostics,
) -> bool {
    let Variable::Property(name) = variable else { return true };
    let exists = |name: &str| Property::parse(name.as_bytes()).is_some();
    if exists(name) {
        return true;
    }
    let help = if exists(&format!("${name}")) {
        Some(format!("did you mean '$${name}'? System properties have a dollar sign of their own"))
    } else {
        did_you_mean(name, Property::names())
    };
    let text = format!("invalid property '{name}'");
    diagnostics.push(Diagnostic::parsing(span, text).maybe_help(help));
    false
}

fn not(inner: Expr) -> ExprKind {
    match inner.kind {
        ExprKind::Pri(mask) => ExprKind::Pri(mask.map(|bits| !bits)),
        ExprKind::Number(number) => ExprKind::Number(i64::from(number == 0)),
        kind => ExprKind::Not(Box::new(Expr { kind, span: inner.span })),
    }
}

fn binary(op: BinaryOp, left: Expr, right: Expr) -> ExprKind {
    let text = |expr: &Expr| match &expr.kind {
        ExprKind::Number(number) => Some(number.to_string().into_bytes()),
        ExprKind::String(text) => Some(text.clone()),
        _ => None,
    };
    let number = |expr: &Expr| match &expr.kind {
        ExprKind::Number(number) => Some(*number),
        ExprKind::String(text) => Some(constant_number(text)),
        _ => None,
    };
    if op == BinaryOp::Concat {
        if let (Some(mut text), Some(behind)) = (text(&left), text(&right)) {
            text.extend(behind);
            return ExprKind::String(text);
        }
    } else if let (Some(a), Some(b)) = (number(&left), number(&right)) {
        return ExprKind::Number(match op {
            BinaryOp::Add => a.wrapping_add(b),
            BinaryOp::Sub => a.wrapping_sub(b),
            BinaryOp::Mul => a.wrapping_mul(b),
            BinaryOp::Div if b == 0 => 0,
            BinaryOp::Div => a.wrapping_div(b),
            _ if b == 0 => 0,
            _ => a.wrapping_rem(b),
        });
    }
    ExprKind::Binary(op, Box::new(left), Box::new(right))
}

/// Comparisons of facility and severity become masks, if the property's name is in lower case: so it is in the
/// reference.
fn compare(op: CompareOp, left: Expr, right: Expr, diagnostics: &mut Diagnostics) -> ExprKind {
    let property = match &left.kind {
        ExprKind::Variable(Variable::Property(name)) => Some(name.as_str()),
        _ => None,
    };
    let equality = matches!(op, CompareOp::Eq | CompareOp::Ne);
    let mask = match (property, &right.kind) {
        (Some("syslogseverity"), ExprKind::Number(number)) => by_number(op, *number, 7)
            .map(selector_severities)
            .ok_or(format!("syslogseverity {number}")),
        (Some("syslogfacility"), ExprKind::Number(number)) => by_number(op, *number, 24)
            .map(selector_facilities)
            .ok_or(format!("syslogfacility {number}")),
        (Some("syslogseverity-text"), ExprKind::String(name)) if equality => {
            let number = syslog_name(name, SEVERITIES).and_then(|number| by_number(op, number, 7));
            number.map(selector_severities).ok_or(format!("syslogseverity '{}'", lossy(name)))
        }
        (Some("syslogfacility-text"), ExprKind::String(name)) if equality => {
            // A number is C's code of the facility: eight times its number, and a severity.
            let code = name.first().is_some_and(u8::is_ascii_digit);
            let number = syslog_name(name, FACILITIES);
            let number = number.map(|number| if code { number >> 3 } else { number });
            let number = number.and_then(|number| by_number(op, number, 24));
            number.map(selector_facilities).ok_or(format!("facility '{}'", lossy(name)))
        }
        _ => return ExprKind::Compare(op, Box::new(left), Box::new(right)),
    };
    match mask {
        Ok(Some(mask)) => ExprKind::Pri(mask),
        Ok(None) => ExprKind::Compare(op, Box::new(left), Box::new(right)),
        Err(what) => {
            // The reference's words; the comparison is made all the same, and `!=` holds.
            let text = format!("invalid {what}, expression will always evaluate to FALSE");
            diagnostics.push(Diagnostic::parsing(right.span, text));
            ExprKind::Compare(op, Box::new(left), Box::new(right))
        }
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A comparison with a number of `0..=max`; `None` if it is another one.
fn by_number(op: CompareOp, number: i64, max: u8) -> Option<(CompareOp, u8)> {
    let number = u8::try_from(number).ok().filter(|number| *number <= max)?;
    Some((op, number))
}

fn selector_severities((op, number): (CompareOp, u8)) -> Option<PriMask> {
    accept(op, number).map(selector::severities)
}

fn selector_facilities((op, number): (CompareOp, u8)) -> Option<PriMask> {
    accept(op, number).map(selector::facilities)
}

/// The numbers a comparison holds for; `None` if it compares texts.
fn accept(op: CompareOp, with: u8) -> Option<impl Fn(u8) -> bool> {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let orders = match op {
        CompareOp::Eq => [Equal, Equal],
        CompareOp::Ne => [Less, Greater],
        CompareOp::Lt => [Less, Less],
        CompareOp::Le => [Less, Equal],
        CompareOp::Gt => [Greater, Greater],
        CompareOp::Ge => [Greater, Equal],
        _ => return None,
    };
    Some(move |number: u8| orders.contains(&number.cmp(&with)))
}

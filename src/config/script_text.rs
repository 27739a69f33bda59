//! Statements and expressions as RainerScript again: what a translation keeps as a script.
//!
//! Parentheses stand where the precedence of operators asks for them, so that a long chain does not become a deep one.

use super::ast::{
    BinaryOp, Directive, Expr, ExprKind, Object, PropFilter, Span, Stmt, StmtKind, Variable,
};
use crate::message::Scope;

/// A script being written, and what in it has no such form.
#[derive(Default)]
pub(super) struct Script {
    pub(super) text: String,
    pub(super) problems: Vec<(Span, String)>,
    depth: usize,
}

impl Script {
    /// Adds statements, one a line.
    pub(super) fn statements(&mut self, statements: &[Stmt]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn line(&mut self, text: &str) {
        self.text.extend(std::iter::repeat_n("  ", self.depth));
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn block(&mut self, head: &str, body: &[Stmt], tail: &str) {
        self.line(&format!("{head} {{"));
        self.depth += 1;
        if body.is_empty() {
            // Nothing in braces is a syntax error.
            self.line("continue");
        }
        self.statements(body);
        self.depth -= 1;
        if !tail.is_empty() {
            self.line(tail);
        }
    }

    fn statement(&mut self, statement: &Stmt) {
        match &statement.kind {
            StmtKind::If { arms, otherwise } => {
                for (index, (condition, then)) in arms.iter().enumerate() {
                    let start = if index > 0 { "} else if" } else { "if" };
                    self.block(&format!("{start} {} then", expression(condition)), then, "");
                }
                if !otherwise.is_empty() {
                    self.block("} else", otherwise, "");
                }
                self.line("}");
            }
            StmtKind::PriFilter { selector, then } => {
                let selector = self.utf8(selector, statement.span);
                self.block(&selector, then, "}");
            }
            StmtKind::PropFilter { filter, then } => {
                let PropFilter { property, operation, negate, value, .. } = filter;
                let value = self.utf8(value, statement.span);
                if value.ends_with('\\') {
                    // Written so, the quote behind it would not end the value.
                    let text = "a value that ends in a backslash cannot be translated".to_owned();
                    self.problems.push((statement.span, text));
                }
                let value = value.replace('\\', "\\\\").replace('"', "\\\"");
                let not = if *negate { "!" } else { "" };
                let [property, operation] =
                    [property, operation].map(|word| String::from_utf8_lossy(word));
                self.block(&format!(":{property}, {not}{operation}, \"{value}\""), then, "}");
            }
            StmtKind::Action(action) => self.line(&object(action)),
            StmtKind::LegacyAction(text) => {
                let text = self.utf8(text, statement.span);
                self.line(&text);
            }
            StmtKind::Directive(directive) => self.directive(directive),
            StmtKind::Stop => self.line("stop"),
            StmtKind::Continue => self.line("continue"),
            StmtKind::Call(name) => self.line(&format!("call {}", String::from_utf8_lossy(name))),
            StmtKind::CallIndirect(name) => {
                self.line(&format!("call_indirect {};", expression(name)));
            }
            StmtKind::Set { target, value, reset } => {
                let word = if *reset { "reset" } else { "set" };
                self.line(&format!("{word} {} = {};", variable(target), expression(value)));
            }
            StmtKind::Unset(target) => self.line(&format!("unset {};", variable(target))),
            StmtKind::Foreach { variable: item, collection, body } => {
                let head = format!("foreach ({} in {}) do", variable(item), expression(collection));
                self.block(&head, body, "}");
            }
            StmtKind::ReloadLookupTable(args) => {
                self.line(&format!("reload_lookup_table({})", list(args)));
            }
        }
    }

    /// Directives act on what follows them in a text, which has no order in the other format.
    fn directive(&mut self, directive: &Directive) {
        let argument = String::from_utf8_lossy(&directive.argument);
        let text = format!(
            "legacy $-directive '${} {argument}' is not supported by the translator",
            directive.name
        );
        self.problems.push((directive.span, text));
    }

    fn utf8(&mut self, text: &[u8], span: Span) -> String {
        String::from_utf8(text.to_vec()).unwrap_or_else(|_| {
            self.problems.push((span, "bytes that are not UTF-8 cannot be translated".into()));
            String::new()
        })
    }
}

/// `action(name="value" …)`
fn object(object: &Object) -> String {
    let params: Vec<_> = object
        .params
        .iter()
        .map(|param| {
            let values: Vec<_> =
                param.value.iter().map(|value| quoted(value, Strings::Object)).collect();
            let values = values.join(", ");
            let values = if param.array { format!("[{values}]") } else { values };
            format!("{}={values}", param.name)
        })
        .collect();
    format!("{}({})", object.kind.keyword(), params.join(" "))
}

fn variable(variable: &Variable) -> String {
    match variable {
        Variable::Property(name) => format!("${name}"),
        Variable::Json { tree, path } => {
            let sign = match tree {
                Scope::Message => '!',
                Scope::Local => '.',
                Scope::Global => '/',
            };
            format!("${sign}{}", String::from_utf8_lossy(path))
        }
    }
}

/// How tightly an expression binds: what binds less than its place needs parentheses.
fn rank(expr: &Expr) -> u8 {
    match &expr.kind {
        ExprKind::And(_) | ExprKind::Or(_) => 0,
        ExprKind::Compare(..) => 1,
        ExprKind::Binary(BinaryOp::Add | BinaryOp::Sub | BinaryOp::Concat, ..) => 2,
        ExprKind::Binary(..) => 3,
        ExprKind::Not(_) | ExprKind::Negate(_) => 4,
        _ => 5,
    }
}

fn expression(expr: &Expr) -> String {
    let two = |operator: &str, left: &Expr, right: &Expr| {
        let own = rank(expr);
        format!("{} {operator} {}", operand(left, own), operand(right, own + 1))
    };
    match &expr.kind {
        ExprKind::Number(n) => n.to_string(),
        ExprKind::String(text) => quoted(text, Strings::Expression),
        ExprKind::Array(items) => {
            let items: Vec<_> =
                items.iter().map(|item| quoted(item, Strings::Expression)).collect();
            format!("[{}]", items.join(", "))
        }
        ExprKind::Variable(name) => variable(name),
        ExprKind::Exists(name) => format!("exists({})", variable(name)),
        ExprKind::Function { name, args } => format!("{name}({})", list(args)),
        ExprKind::Not(inner) => format!("not {}", operand(inner, 4)),
        ExprKind::Negate(inner) => format!("- {}", operand(inner, 4)),
        ExprKind::And(operands) => chain(" and ", operands),
        ExprKind::Or(operands) => chain(" or ", operands),
        ExprKind::Compare(op, left, right) => two(op.word(), left, right),
        ExprKind::Binary(op, left, right) => two(op.word(), left, right),
        // Made by the checker, never parsed.
        ExprKind::Pri(_) => String::new(),
    }
}

fn operand(expr: &Expr, least: u8) -> String {
    let text = expression(expr);
    if rank(expr) < least { format!("({text})") } else { text }
}

/// `and` and `or` bind alike, from the left.
fn chain(between: &str, operands: &[Expr]) -> String {
    let text = |(index, expr): (usize, &Expr)| operand(expr, u8::from(index > 0));
    operands.iter().enumerate().map(text).collect::<Vec<_>>().join(between)
}

fn list(args: &[Expr]) -> String {
    args.iter().map(expression).collect::<Vec<_>>().join(", ")
}

/// Where a string stands: each place has its own escapes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Strings {
    /// A dollar sign would begin a variable.
    Expression,
    /// A parameter of an object.
    Object,
}

/// A string in double quotes.
pub(super) fn quoted(text: &[u8], place: Strings) -> String {
    let mut out = String::from("\"");
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                '$' if place == Strings::Expression => out.push_str("\\$"),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\r' => out.push_str("\\r"),
                c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out.push('"');
    out
}

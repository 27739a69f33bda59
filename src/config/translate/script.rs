//! Statements and expressions as RainerScript again.
//!
//! Every operation stands in parentheses, and `else if` is an `if` in an `else`, as the reference writes them; but where
//! that would nest deeper than can be read again, parentheses stand only where precedence asks for them, and chains
//! stay chains. Bytes are written as they are: only what would end a string or a line is escaped.

use super::super::ast::{
    BinaryOp, Directive, Expr, ExprKind, ObjectKind, Parameter, Span, Stmt, StmtKind, Variable,
};
use super::rainerscript;
use super::sorted;
use crate::limits;
use crate::message::Scope;

/// Operators within each other up to which every one is put into parentheses.
const OPERATORS_IN_PARENTHESES: usize = limits::EXPRESSION_DEPTH / 2;
/// Blocks within each other up to which `else if` opens another one.
const BLOCKS_OF_ELSE: usize = limits::NESTING_DEPTH / 2;

/// A script being written, what is to be remarked about it, and what in it has no such form.
#[derive(Default)]
pub(super) struct Script {
    pub(super) text: Vec<u8>,
    pub(super) remarks: Vec<String>,
    pub(super) problems: Vec<(Span, String)>,
    depth: usize,
}

impl Script {
    /// An empty one that is indented `depth` times.
    pub(super) fn new(depth: usize) -> Self {
        Self { depth, ..Self::default() }
    }

    fn line(&mut self, text: impl AsRef<[u8]>) {
        self.text.extend(std::iter::repeat_n(b' ', 2 * self.depth));
        self.text.extend_from_slice(text.as_ref());
        self.text.push(b'\n');
    }

    /// The lines between `head {` and the closing brace, which is left to the caller.
    fn block(&mut self, head: &[u8], body: &[Stmt]) {
        self.line([head, b" {"].concat());
        self.depth += 1;
        body.iter().for_each(|statement| self.statement(statement));
        self.depth -= 1;
    }

    /// Adds a statement.
    pub(super) fn statement(&mut self, statement: &Stmt) {
        match &statement.kind {
            StmtKind::If { arms, otherwise } => self.conditional(arms, otherwise),
            StmtKind::PriFilter { selector, then } => {
                if !self.selected(selector, then) {
                    self.remarks.push("PRI selector normalized into if/prifilt() form".to_owned());
                    let head = [b"if prifilt(", &*object_string(selector), b") then"].concat();
                    self.block(&head, then);
                    self.line("}");
                }
            }
            StmtKind::PropFilter { text, then, .. } => {
                if !self.selected(text, then) {
                    self.block(text, then);
                    self.line("}");
                }
            }
            StmtKind::Set { target, value, reset } => {
                let word = if *reset { "reset" } else { "set" };
                let mut text = format!("{word} {} = ", variable(target)).into_bytes();
                text.extend(expression(value));
                text.push(b';');
                self.line(text);
            }
            StmtKind::Unset(target) => self.line(format!("unset {};", variable(target))),
            StmtKind::Foreach { variable: item, collection, body } => {
                let mut head = format!("foreach ({} in ", variable(item)).into_bytes();
                head.extend(expression(collection));
                head.extend_from_slice(b") do");
                self.block(&head, body);
                self.line("}");
            }
            StmtKind::ReloadLookupTable(args) => {
                self.line([b"reload_lookup_table(", &*list(args), b")"].concat());
            }
            StmtKind::Directive(directive) => self.directive(directive),
            _ => {
                let text = self.action(statement);
                self.line(text);
            }
        }
    }

    fn conditional(&mut self, arms: &[(Expr, Vec<Stmt>)], otherwise: &[Stmt]) {
        let nested = self.depth + arms.len() <= BLOCKS_OF_ELSE;
        let depth = self.depth;
        for (index, (condition, then)) in arms.iter().enumerate() {
            let mut head = Vec::new();
            if index > 0 && nested {
                self.line("} else {");
                self.depth += 1;
            } else if index > 0 {
                head.extend_from_slice(b"} else ");
            }
            head.extend_from_slice(b"if ");
            head.extend(expression(condition));
            head.extend_from_slice(b" then");
            self.block(&head, then);
        }
        if !otherwise.is_empty() {
            self.block(b"} else", otherwise);
        }
        self.line("}");
        while self.depth > depth {
            self.depth -= 1;
            self.line("}");
        }
    }

    /// A filter in front of the actions it selects for, `false` if there is more than actions.
    fn selected(&mut self, filter: &[u8], then: &[Stmt]) -> bool {
        if !then.iter().all(is_action) {
            return false;
        }
        for (index, statement) in then.iter().enumerate() {
            let action = self.action(statement);
            let before = if index == 0 { [filter, b" "].concat() } else { b"& ".to_vec() };
            self.line([before, action].concat());
        }
        true
    }

    /// What can stand behind a filter.
    fn action(&mut self, statement: &Stmt) -> Vec<u8> {
        match &statement.kind {
            StmtKind::Action(object) => action(&object.params),
            StmtKind::LegacyAction(text) if text.starts_with(b"~") => b"stop".to_vec(),
            StmtKind::LegacyAction(text) => match legacy_action(text) {
                Some(params) => action(&params),
                None => {
                    self.remarks.push("legacy action syntax preserved as script text".to_owned());
                    text.clone()
                }
            },
            StmtKind::Stop => b"stop".to_vec(),
            StmtKind::Continue => b"continue".to_vec(),
            StmtKind::Call(name) => [b"call ", &**name].concat(),
            StmtKind::CallIndirect(name) => [b"call_indirect ", &*expression(name), b";"].concat(),
            _ => Vec::new(),
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
}

fn is_action(statement: &Stmt) -> bool {
    matches!(
        statement.kind,
        StmtKind::Action(_)
            | StmtKind::LegacyAction(_)
            | StmtKind::Stop
            | StmtKind::Continue
            | StmtKind::Call(_)
            | StmtKind::CallIndirect(_)
    )
}

fn action(params: &[Parameter]) -> Vec<u8> {
    let mut text = Vec::new();
    rainerscript::object(ObjectKind::Action, &sorted(params), &mut text);
    text
}

/// The parameters that `/path;template` and `:omusrmsg:users;template` stand for, sorted; `None` for other actions.
///
/// The reference takes the template for a part of the path; here the action does what it did.
pub(super) fn legacy_action(text: &[u8]) -> Option<Vec<Parameter>> {
    let (module, name, rest) = match text {
        [b'-', path @ ..] if path.starts_with(b"/") => ("omfile", "file", path),
        [b'/', ..] => ("omfile", "file", text),
        _ => ("omusrmsg", "users", text.strip_prefix(b":omusrmsg:")?),
    };
    let end = rest.iter().position(|byte| matches!(byte, b';' | b' ' | b'\t'));
    let (value, rest) = rest.split_at(end.unwrap_or(rest.len()));
    let rest = rest.trim_ascii_start();
    let mut params = vec![("type", module.as_bytes()), (name, value)];
    match rest.first() {
        None | Some(b'#') => {}
        Some(b';') => {
            let name = rest[1..].trim_ascii_start();
            let end = name.iter().position(|byte| *byte == b'#' || byte.is_ascii_whitespace());
            params.push(("template", &name[..end.unwrap_or(name.len())]));
        }
        Some(_) => return None,
    }
    params.sort_by_key(|(name, _)| (super::rank(name), *name));
    let param = |(name, value): (&str, &[u8])| Parameter {
        name: name.to_owned(),
        value: vec![value.to_vec()],
        array: false,
        span: Span::default(),
        value_span: Span::default(),
    };
    Some(params.into_iter().map(param).collect())
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
fn binding(expr: &Expr) -> u8 {
    match &expr.kind {
        ExprKind::And(_) | ExprKind::Or(_) => 0,
        ExprKind::Compare(..) => 1,
        ExprKind::Binary(BinaryOp::Add | BinaryOp::Sub | BinaryOp::Concat, ..) => 2,
        ExprKind::Binary(..) => 3,
        ExprKind::Not(_) | ExprKind::Negate(_) => 4,
        _ => 5,
    }
}

/// How many operations are within each other, each of a chain in the one before it.
fn height(expr: &Expr) -> usize {
    match &expr.kind {
        ExprKind::And(operands) | ExprKind::Or(operands) => {
            operands.len() + operands.iter().map(height).max().unwrap_or(0)
        }
        ExprKind::Compare(_, left, right) | ExprKind::Binary(_, left, right) => {
            1 + height(left).max(height(right))
        }
        ExprKind::Not(inner) | ExprKind::Negate(inner) => 1 + height(inner),
        ExprKind::Function { args, .. } => 1 + args.iter().map(height).max().unwrap_or(0),
        _ => 0,
    }
}

fn expression(expr: &Expr) -> Vec<u8> {
    let all = height(expr) <= OPERATORS_IN_PARENTHESES;
    let mut out = Vec::new();
    Writer { out: &mut out, all }.expr(expr);
    out
}

fn list(args: &[Expr]) -> Vec<u8> {
    args.iter().map(expression).collect::<Vec<_>>().join(&b", "[..])
}

struct Writer<'o> {
    out: &'o mut Vec<u8>,
    /// Whether every operation is put into parentheses.
    all: bool,
}

impl Writer<'_> {
    fn put(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Number(n) => self.put(&n.to_string()),
            ExprKind::String(text) => self.out.extend(expression_string(text)),
            ExprKind::Array(items) => {
                self.put("[");
                let items: Vec<_> = items.iter().map(|item| expression_string(item)).collect();
                self.out.extend(items.join(&b", "[..]));
                self.put("]");
            }
            ExprKind::Variable(name) => self.put(&variable(name)),
            ExprKind::Exists(name) => self.put(&format!("exists({})", variable(name))),
            ExprKind::Function { name, args } => {
                self.put(name);
                self.put("(");
                for (index, arg) in args.iter().enumerate() {
                    self.put(if index > 0 { ", " } else { "" });
                    self.expr(arg);
                }
                self.put(")");
            }
            ExprKind::Not(inner) => {
                self.put("not ");
                self.operand(inner, 4);
            }
            ExprKind::Negate(inner) => {
                self.put("-");
                self.operand(inner, 4);
            }
            ExprKind::And(operands) => self.chain(" and ", operands),
            ExprKind::Or(operands) => self.chain(" or ", operands),
            ExprKind::Compare(op, left, right) => self.two(op.word(), left, right, binding(expr)),
            ExprKind::Binary(op, left, right) => self.two(op.word(), left, right, binding(expr)),
            // Made by the checker, never parsed.
            ExprKind::Pri(_) => {}
        }
    }

    /// In parentheses where it binds less than `least` and has none of its own.
    fn operand(&mut self, expr: &Expr, least: u8) {
        let needed = !self.all && binding(expr) < least;
        self.put(if needed { "(" } else { "" });
        self.expr(expr);
        self.put(if needed { ")" } else { "" });
    }

    fn two(&mut self, operator: &str, left: &Expr, right: &Expr, own: u8) {
        self.put(if self.all { "(" } else { "" });
        self.operand(left, own);
        self.put(&format!(" {operator} "));
        self.operand(right, own + 1);
        self.put(if self.all { ")" } else { "" });
    }

    /// `and` and `or` bind alike, from the left.
    fn chain(&mut self, between: &str, operands: &[Expr]) {
        let parentheses = if self.all { operands.len().saturating_sub(1) } else { 0 };
        self.out.extend(std::iter::repeat_n(b'(', parentheses));
        for (index, operand) in operands.iter().enumerate() {
            self.put(if index > 0 { between } else { "" });
            self.operand(operand, u8::from(index > 0));
            self.put(if index > 0 && self.all { ")" } else { "" });
        }
    }
}

/// A string as a parameter of an object.
pub(in crate::config) fn object_string(text: &[u8]) -> Vec<u8> {
    quoted(text, b"")
}

/// A string in an expression, where a dollar sign would begin a variable.
fn expression_string(text: &[u8]) -> Vec<u8> {
    quoted(text, b"$")
}

fn quoted(text: &[u8], special: &[u8]) -> Vec<u8> {
    let mut out = vec![b'"'];
    for byte in text {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', *byte]),
            b'\n' => out.extend(b"\\n"),
            b'\t' => out.extend(b"\\t"),
            b'\r' => out.extend(b"\\r"),
            0 => out.extend(b"\\x00"),
            _ if special.contains(byte) => out.extend([b'\\', *byte]),
            _ => out.push(*byte),
        }
    }
    out.push(b'"');
    out
}

//! Expressions, and the statements that contain them.
//!
//! Precedence, lowest first: `and` and `or` on one level · comparisons · `+ - &` · `* / %` · `not` and unary
//! minus. All levels group to the left. So `not $a == 1` is `(not $a) == 1`, and `1 or 0 and 0` is 0.

use super::ast::{BinaryOp, CompareOp, Expr, ExprKind, Span, StmtKind, Variable};
use super::diagnostic::{Diagnostic, did_you_mean};
use super::include;
use super::lex::{self, BadEscape, Ex, Token};
use super::parse::{Parser, SyntaxError, inside};
use crate::limits;
use crate::message::Scope;

/// The operators and keywords that are words, for who has misspelt one.
const OPERATORS: [&str; 13] = [
    "and",
    "or",
    "not",
    "then",
    "do",
    "in",
    "contains",
    "contains_i",
    "startswith",
    "startswith_i",
    "endswith",
    "exists",
    "else",
];

/// An expression and the height of its tree.
type Tall = (Expr, usize);

/// Operators by how tightly they bind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    And,
    Or,
    Compare(CompareOp),
    Binary(BinaryOp),
}

impl Operator {
    fn of(token: Ex) -> Option<Self> {
        Some(match token {
            Ex::And => Self::And,
            Ex::Or => Self::Or,
            Ex::Compare(op) => Self::Compare(op),
            Ex::Plus => Self::Binary(BinaryOp::Add),
            Ex::Minus => Self::Binary(BinaryOp::Sub),
            Ex::Ampersand => Self::Binary(BinaryOp::Concat),
            Ex::Star => Self::Binary(BinaryOp::Mul),
            Ex::Slash => Self::Binary(BinaryOp::Div),
            Ex::Percent => Self::Binary(BinaryOp::Mod),
            _ => return None,
        })
    }

    fn level(self) -> u8 {
        match self {
            Self::And | Self::Or => 1,
            Self::Compare(_) => 2,
            Self::Binary(BinaryOp::Add | BinaryOp::Sub | BinaryOp::Concat) => 3,
            Self::Binary(BinaryOp::Mul | BinaryOp::Div | BinaryOp::Mod) => 4,
        }
    }
}

impl Parser<'_> {
    /// Behind `if`: all arms and the last `else`.
    pub(super) fn if_statement(&mut self) -> Result<StmtKind, SyntaxError> {
        let mut arms = Vec::new();
        loop {
            let condition = self.expression()?;
            self.expect(Ex::Then, "'then' is missing")?;
            arms.push((condition, self.block()?));
            if !self.take_keyword(lex::Keyword::Else) {
                return Ok(StmtKind::If { arms, otherwise: Vec::new() });
            }
            if !self.take_keyword(lex::Keyword::If) {
                let otherwise = self.block()?;
                return Ok(StmtKind::If { arms, otherwise });
            }
        }
    }

    /// Behind `foreach`.
    pub(super) fn foreach(&mut self) -> Result<StmtKind, SyntaxError> {
        self.expect(Ex::Open, "'(' is missing")?;
        let variable = self.variable()?;
        self.expect(Ex::In, "'in' is missing")?;
        let collection = self.expression()?;
        self.expect(Ex::Close, "')' is missing")?;
        self.expect(Ex::Do, "'do' is missing")?;
        Ok(StmtKind::Foreach { variable, collection, body: self.block()? })
    }

    /// Behind `set` or `reset`.
    pub(super) fn set(&mut self, reset: bool) -> Result<StmtKind, SyntaxError> {
        let target = self.variable()?;
        self.expect(Ex::Assign, "'=' is missing")?;
        let value = self.expression().inspect_err(|_| {
            self.diagnostics.advise_last("is the ';' missing that ends the 'set' before it?");
        })?;
        self.expect(Ex::Semicolon, "';' is missing, which ends 'set'")?;
        Ok(StmtKind::Set { target, value, reset })
    }

    /// Behind `unset`.
    pub(super) fn unset(&mut self) -> Result<StmtKind, SyntaxError> {
        let target = self.variable()?;
        self.expect(Ex::Semicolon, "';' is missing")?;
        Ok(StmtKind::Unset(target))
    }

    /// Behind `call`.
    pub(super) fn call(&mut self) -> Result<StmtKind, SyntaxError> {
        loop {
            let (token, span, bytes) = self.token(lex_ruleset_name);
            match token {
                Ex::Word => return Ok(StmtKind::Call(bytes)),
                Ex::End => {
                    return Err(self.syntax_error(
                        span,
                        b"",
                        Some("a ruleset name is missing".into()),
                    ));
                }
                _ => self.invalid_byte_in("'call' statement", &bytes, span),
            }
        }
    }

    /// Behind `call_indirect`.
    pub(super) fn call_indirect(&mut self) -> Result<StmtKind, SyntaxError> {
        let name = self.expression()?;
        self.expect(Ex::Semicolon, "';' is missing")?;
        Ok(StmtKind::CallIndirect(name))
    }

    /// Behind `reload_lookup_table`.
    pub(super) fn reload_lookup_table(&mut self) -> Result<StmtKind, SyntaxError> {
        self.expect(Ex::Open, "'(' is missing")?;
        Ok(StmtKind::ReloadLookupTable(self.arguments()?.0))
    }

    fn expect(&mut self, wanted: Ex, help: &str) -> Result<Span, SyntaxError> {
        let (token, span, bytes) = self.expr_token();
        if token == wanted {
            return Ok(span);
        }
        Err(self.unexpected(token, span, &bytes, Some(help)))
    }

    fn variable(&mut self) -> Result<Variable, SyntaxError> {
        let (token, span, bytes) = self.expr_token();
        if token == Ex::Variable {
            return Ok(variable(&bytes));
        }
        Err(self.unexpected(token, span, &bytes, Some("a variable is written $!name or $.name")))
    }

    /// The next token; stray bytes are reported and passed over, as are texts in double quotes with a `$`, which to
    /// the reference are no tokens either.
    fn expr_token(&mut self) -> (Ex, Span, Vec<u8>) {
        loop {
            let (token, span, bytes) = self.token(lex::expr);
            match token {
                Ex::Invalid => self.invalid_byte_in("expression ", &bytes, span),
                Ex::DoubleQuoted if self.has_bare_dollar(&bytes, span) => {}
                token => return (token, span, bytes),
            }
        }
    }

    fn look_expr(&mut self) -> Ex {
        self.look(lex::expr).0
    }

    fn invalid_byte_in(&mut self, place: &str, bytes: &[u8], span: Span) {
        let shown = String::from_utf8_lossy(bytes);
        let text = format!(
            "invalid character '{shown}' in {place}- is there an invalid escape sequence somewhere?"
        );
        let help = match bytes {
            b"!" => Some("to negate, write: not ($msg contains \"x\")"),
            b"|" => Some("the operators are words: and, or, not"),
            b"{" => Some("'then' or 'do' is missing before it"),
            _ => None,
        };
        self.diagnostics.push(Diagnostic::parsing(span, text).maybe_help(help.map(str::to_owned)));
    }

    fn unexpected(
        &mut self,
        token: Ex,
        span: Span,
        bytes: &[u8],
        help: Option<&str>,
    ) -> SyntaxError {
        let help = match token {
            Ex::UnclosedText => {
                self.invalid_byte_in("expression ", &bytes[..1], span);
                Some("the text that begins here is not closed")
            }
            Ex::UnclosedComment => Some("the comment that begins here is not closed"),
            Ex::Assign => Some("to compare, write '=='"),
            Ex::Word if bytes.eq_ignore_ascii_case(b"endswith_i") => {
                Some("there is no endswith_i; use endswith with tolower()")
            }
            Ex::Not => Some("to negate, write: not ($msg contains \"x\")"),
            Ex::Ampersand => Some("'&' joins texts; the other operator is written: and"),
            _ => help,
        };
        if token == Ex::Word
            && let Some(near) = did_you_mean(&String::from_utf8_lossy(bytes), OPERATORS)
        {
            return self.syntax_error(span, bytes, Some(near));
        }
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        self.syntax_error(span, line, help.map(str::to_owned))
    }

    /// A whole expression.
    pub(super) fn expression(&mut self) -> Result<Expr, SyntaxError> {
        let outside = std::mem::take(&mut self.depth);
        let (expr, _) = self.operators(1)?;
        self.depth = outside;
        Ok(expr)
    }

    /// Operands joined by operators of at least this level.
    fn operators(&mut self, level: u8) -> Result<Tall, SyntaxError> {
        let mut left = self.operand()?;
        loop {
            let token = self.look_expr();
            if token == Ex::Invalid {
                let (_, span, bytes) = self.token(lex::expr);
                self.invalid_byte_in("expression ", &bytes, span);
                continue;
            }
            let operator = Operator::of(token).filter(|operator| operator.level() >= level);
            let Some(operator) = operator else { return Ok(left) };
            let (_, span, _) = self.expr_token();
            let right = self.operators(operator.level() + 1)?;
            left = self.join(operator, left, right, span)?;
        }
    }

    /// `left op right`, a new level unless it continues a chain of `and` or `or`.
    fn join(
        &mut self,
        operator: Operator,
        (mut left, height): Tall,
        (right, right_height): Tall,
        span: Span,
    ) -> Result<Tall, SyntaxError> {
        let is_chain = match (operator, &mut left.kind) {
            (Operator::And, ExprKind::And(operands)) | (Operator::Or, ExprKind::Or(operands)) => {
                Some(operands)
            }
            _ => None,
        };
        if let Some(operands) = is_chain {
            operands.push(right);
            return self.tall(left, height.max(right_height + 1));
        }
        let kind = match operator {
            Operator::And => ExprKind::And(vec![left, right]),
            Operator::Or => ExprKind::Or(vec![left, right]),
            Operator::Compare(op) => ExprKind::Compare(op, Box::new(left), Box::new(right)),
            Operator::Binary(op) => ExprKind::Binary(op, Box::new(left), Box::new(right)),
        };
        self.tall(Expr { kind, span }, height.max(right_height) + 1)
    }

    /// An expression that is not too high to be gone through by recursion.
    fn tall(&mut self, expr: Expr, height: usize) -> Result<Tall, SyntaxError> {
        if height <= limits::EXPRESSION_DEPTH {
            return Ok((expr, height));
        }
        let text =
            format!("expression is nested more than {} levels deep", limits::EXPRESSION_DEPTH);
        self.diagnostics.push(Diagnostic::parsing(expr.span, text));
        Err(SyntaxError)
    }

    fn operand(&mut self) -> Result<Tall, SyntaxError> {
        let (token, span, bytes) = self.expr_token();
        let mut height = 1;
        let kind = match token {
            Ex::Not | Ex::Minus => {
                self.enter(limits::EXPRESSION_DEPTH, span)?;
                let (operand, below) = self.operand()?;
                self.depth -= 1;
                height += below;
                let operand = Box::new(operand);
                if token == Ex::Not { ExprKind::Not(operand) } else { ExprKind::Negate(operand) }
            }
            Ex::Open => {
                self.enter(limits::EXPRESSION_DEPTH, span)?;
                let inner = self.operators(1)?;
                self.expect(Ex::Close, "')' is missing")?;
                self.depth -= 1;
                return Ok(inner);
            }
            Ex::Number(number) => ExprKind::Number(number),
            Ex::DoubleQuoted | Ex::SingleQuoted | Ex::Backticks => {
                ExprKind::String(self.text(token, &bytes, span))
            }
            Ex::Variable => ExprKind::Variable(variable(&bytes)),
            Ex::OpenArray => ExprKind::Array(self.array()?),
            Ex::Exists => {
                self.expect(Ex::Open, "'(' is missing")?;
                let variable = self.variable()?;
                self.expect(Ex::Close, "')' is missing")?;
                ExprKind::Exists(variable)
            }
            Ex::Word => {
                let name = String::from_utf8_lossy(&bytes).into_owned();
                if self.look_expr() != Ex::Open {
                    let help = "texts are quoted, variables begin with '$'";
                    let (token, span, bytes) = self.expr_token();
                    return Err(self.unexpected(token, span, &bytes, Some(help)));
                }
                self.enter(limits::EXPRESSION_DEPTH, span)?;
                self.expr_token();
                let (args, below) = self.arguments()?;
                self.depth -= 1;
                height += below;
                ExprKind::Function { name, args }
            }
            _ => return Err(self.unexpected(token, span, &bytes, None)),
        };
        self.tall(Expr { kind, span }, height)
    }

    /// Arguments behind the opening parenthesis, and the closing one.
    fn arguments(&mut self) -> Result<(Vec<Expr>, usize), SyntaxError> {
        let mut args = Vec::new();
        let mut highest = 0;
        if self.look_expr() == Ex::Close {
            self.expr_token();
            return Ok((args, highest));
        }
        loop {
            let (arg, height) = self.operators(1)?;
            args.push(arg);
            highest = highest.max(height);
            let (token, span, bytes) = self.expr_token();
            match token {
                Ex::Comma => {}
                Ex::Close => return Ok((args, highest)),
                _ => return Err(self.unexpected(token, span, &bytes, Some("expected ',' or ')'"))),
            }
        }
    }

    /// `"a", "b" ]`
    fn array(&mut self) -> Result<Vec<Vec<u8>>, SyntaxError> {
        let mut items = Vec::new();
        loop {
            let (token, span, bytes) = self.expr_token();
            if !matches!(token, Ex::DoubleQuoted | Ex::SingleQuoted | Ex::Backticks) {
                let help = "arrays hold quoted texts only";
                return Err(self.unexpected(token, span, &bytes, Some(help)));
            }
            items.push(self.text(token, &bytes, span));
            let (token, span, bytes) = self.expr_token();
            match token {
                Ex::Comma => {}
                Ex::CloseArray => return Ok(items),
                _ => return Err(self.unexpected(token, span, &bytes, Some("expected ',' or ']'"))),
            }
        }
    }

    /// The meaning of a quoted text; what is wrong with it is reported, and it is taken as far as it goes.
    fn text(&mut self, token: Ex, quoted: &[u8], span: Span) -> Vec<u8> {
        let inner = &quoted[1..quoted.len() - 1];
        let text = lex::unescape_expr(inner).unwrap_or_else(|BadEscape(at)| {
            let place = inside(span, at + 1);
            self.invalid_byte_in("expression ", &quoted[..1], place);
            inner.to_vec()
        });
        if token == Ex::Backticks { include::backticks(self, &text, span) } else { text }
    }

    fn has_bare_dollar(&mut self, quoted: &[u8], span: Span) -> bool {
        let mut escaped = false;
        for (at, byte) in quoted.iter().enumerate() {
            if *byte == b'$' && !escaped {
                let shown = String::from_utf8_lossy(quoted);
                let text =
                    format!("$-sign in double quotes must be escaped, problem string is: {shown}");
                let help = "write \\$, or use single quotes";
                self.diagnostics.push(Diagnostic::parsing(inside(span, at), text).help(help));
                return true;
            }
            escaped = *byte == b'\\' && !escaped;
        }
        false
    }
}

/// A ruleset name behind `call`; any other byte is an `Invalid` token.
fn lex_ruleset_name(text: &[u8], at: usize) -> Token<Ex> {
    let rest = text.get(at..).unwrap_or_default();
    let start = at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n')).count();
    let Some(first) = text.get(start) else { return Token { kind: Ex::End, start, end: start } };
    if !first.is_ascii_alphabetic() {
        return Token { kind: Ex::Invalid, start, end: start + 1 };
    }
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let len = text[start..].iter().take_while(is_name).count();
    Token { kind: Ex::Word, start, end: start + len }
}

/// `$name`, `$$name`, `$!path`, `$.path`, `$/path`
pub(super) fn variable(token: &[u8]) -> Variable {
    let name = token.strip_prefix(b"$").unwrap_or(token);
    let tree = match name.first() {
        Some(b'!') => Some(Scope::Message),
        Some(b'.') => Some(Scope::Local),
        Some(b'/') => Some(Scope::Global),
        _ => None,
    };
    match tree {
        Some(tree) => Variable::Json { tree, path: name[1..].to_vec() },
        None => Variable::Property(String::from_utf8_lossy(name).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{first_condition, show};

    #[test]
    fn precedence() {
        let cases = [
            ("not $a == 1", "((not $a) == 1)"),
            ("1 or 0 and 0", "((1 or 0) and 0)"),
            ("1 or 0 or 2 or 3", "(1 or 0 or 2 or 3)"),
            ("1 and 2 and (3 or 4)", "(1 and 2 and (3 or 4))"),
            ("\"a\" & 1 + 2", "((\"a\" & 1) + 2)"),
            ("1 == 1 == 1", "((1 == 1) == 1)"),
            ("1 + 2 * 3 < 4 % 2", "((1 + (2 * 3)) < (4 % 2))"),
            ("-1 - -$x!y", "(-1 - -$x!y)"),
            ("010 + 0x10", "(8 + 16)"),
            ("$a-b contains ['x', \"y\"]", "($a-b contains [\"x\",\"y\"])"),
            ("$a - b(1,$!c)", "($a - b(1,$!c))"),
            ("exists($.x!y) <> 2", "(exists($.x!y) != 2)"),
            ("'\\x41\\102\\t\\$' startswith_i \"\"", "(\"AB\t$\" startswith_i \"\")"),
            ("$MSG endswith 'x' /* why */", "($MSG endswith \"x\")"),
        ];
        for (text, expect) in cases {
            let (expr, diagnostics) = first_condition(text);
            assert_eq!(expr.map(|e| show(&e)).as_deref(), Some(expect), "{text}\n{diagnostics}");
        }
    }

    #[test]
    fn wrong_expressions() {
        let cases = [
            ("$msg = 3", "syntax error on token '='"),
            ("1 +", "syntax error on token 'then'"),
            ("(1", "syntax error on token 'then'"),
            ("[1]", "syntax error on token '1'"),
            ("08", "syntax error on token '8'"),
            ("foo == 1", "syntax error on token '=='"),
            ("1 == \"a$b\"", "syntax error on token 'then'"),
            ("\"$!x\" == 1", "$-sign in double quotes must be escaped, problem string is: \"$!x\""),
            (
                "'\\q' == 1",
                "invalid character ''' in expression - is there an invalid escape sequence somewhere?",
            ),
            (
                "1 # 2",
                "invalid character '#' in expression - is there an invalid escape sequence somewhere?",
            ),
        ];
        for (text, expect) in cases {
            let (_, diagnostics) = first_condition(text);
            assert!(diagnostics.contains(expect), "{text}\n{diagnostics}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        for text in
            ["(".repeat(100_000), "not ".repeat(100_000), "1+".repeat(100_000), "f(".repeat(5000)]
        {
            let (_, diagnostics) = first_condition(&format!("{text}1"));
            assert!(
                diagnostics.contains("levels deep"),
                "{}",
                &diagnostics[..200.min(diagnostics.len())]
            );
        }
        let (expr, _) = first_condition(&vec!["1"; 100_000].join(" or "));
        assert!(expr.is_some(), "a long chain is flat");
    }
}

//! Objects: `name(parameter="value" …)`, and the bodies of templates and rulesets.

use super::ast::{Object, ObjectKind, Parameter, Span};
use super::diagnostic::Diagnostic;
use super::include;
use super::lex::{self, BadEscape, Keyword, Obj, Top};
use super::parse::{Parser, SyntaxError, inside};
use crate::limits;

const ESCAPES: &str = "known escapes are \\\" \\' \\\\ \\? \\a \\b \\f \\n \\r \\t \\v \\xHH and octal digits; \
                       a backslash is written \\\\";

impl Parser<'_> {
    /// A declarative object with its body; its keyword and parenthesis have been taken.
    pub(super) fn declaration(
        &mut self,
        kind: ObjectKind,
        span: Span,
    ) -> Result<Object, SyntaxError> {
        let mut object = self.object(kind, span)?;
        if !matches!(kind, ObjectKind::Template | ObjectKind::Ruleset) {
            return Ok(object);
        }
        let (next, brace) = self.peek();
        if next != Top::Keyword(Keyword::Open) {
            if kind == ObjectKind::Ruleset {
                let (_, at, bytes) = self.take();
                let help = "a ruleset has a body: ruleset(name=\"x\") { ... }";
                return Err(self.syntax_error(at, &bytes, Some(help.to_owned())));
            }
            // The reference has looked for a brace before it comes to check the object.
            object.end_line = self.reached_line();
            return Ok(object);
        }
        self.take();
        if kind == ObjectKind::Template {
            self.template_elements(&mut object)?;
        } else {
            self.enter(limits::NESTING_DEPTH, span)?;
            object.body = Some(self.statements_to_brace(brace, true)?);
            self.depth -= 1;
        }
        Ok(object)
    }

    fn template_elements(&mut self, template: &mut Object) -> Result<(), SyntaxError> {
        loop {
            match self.peek().0 {
                Top::Object(kind @ (ObjectKind::Property | ObjectKind::Constant)) => {
                    let (_, span, _) = self.take();
                    let element = self.object(kind, keyword_only(span, kind))?;
                    template.elements.push(element);
                }
                Top::Keyword(Keyword::Close) => {
                    self.take();
                    return Ok(());
                }
                _ => {
                    let (_, span, bytes) = self.take();
                    let help = "a template's braces hold property() and constant() objects";
                    return Err(self.syntax_error(span, &bytes, Some(help.to_owned())));
                }
            }
        }
    }

    /// The parameters of an object, behind its opening parenthesis.
    pub(super) fn object(&mut self, kind: ObjectKind, span: Span) -> Result<Object, SyntaxError> {
        let mut invalid = false;
        let mut object = Object {
            kind,
            params: Vec::new(),
            elements: Vec::new(),
            body: None,
            span,
            end_line: span.line,
        };
        loop {
            let (token, at, bytes) = self.token(lex::object);
            match token {
                Obj::Close => {
                    object.end_line = at.line;
                    return Ok(object);
                }
                Obj::Name => {
                    let name = String::from_utf8_lossy(&bytes).into_owned();
                    let param = self.parameter(name, at)?;
                    object.params.push(param);
                }
                // Of several stray bytes only the first is worth a message.
                Obj::Invalid if std::mem::replace(&mut invalid, true) => {}
                Obj::Invalid => self.invalid_in_object(&bytes, at, None),
                _ => return Err(self.object_error(token, at, &bytes, span)),
            }
        }
    }

    fn invalid_in_object(&mut self, bytes: &[u8], at: Span, help: Option<&str>) {
        let shown = String::from_utf8_lossy(bytes);
        let text = format!(
            "invalid character '{shown}' in object definition - is there an invalid escape sequence \
             somewhere?"
        );
        let quotes = (shown == "'").then_some("object parameters are written in double quotes");
        let help = help.or(quotes).map(str::to_owned);
        self.diagnostics.push(Diagnostic::parsing(at, text).maybe_help(help));
    }

    fn object_error(&mut self, token: Obj, at: Span, bytes: &[u8], opened: Span) -> SyntaxError {
        let help = match token {
            Obj::End => format!("the parenthesis opened in line {} is not closed", opened.line),
            Obj::UnclosedText => {
                self.invalid_in_object(&bytes[..1], at, None);
                "the text that begins here is not closed".to_owned()
            }
            Obj::UnclosedComment => "the comment that begins here is not closed".to_owned(),
            Obj::Text | Obj::Backticks => "a parameter is written name=\"value\"".to_owned(),
            Obj::Comma => "parameters are separated by blanks, not by commas".to_owned(),
            _ => "expected a parameter name or ')'".to_owned(),
        };
        self.syntax_error(
            at,
            bytes.split(|byte| *byte == b'\n').next().unwrap_or_default(),
            Some(help),
        )
    }

    /// `= "value"` or `= [ "a", "b" ]`
    fn parameter(&mut self, name: String, span: Span) -> Result<Parameter, SyntaxError> {
        let (token, at, bytes) = self.significant_in_object();
        if token != Obj::Equals {
            return Err(self.object_error(token, at, &bytes, span));
        }
        let (token, value_span, bytes) = self.significant_in_object();
        let mut value = Vec::new();
        let array = token == Obj::Open;
        let mut value_span = value_span;
        match token {
            Obj::Text | Obj::Backticks => value.push(self.object_text(token, &bytes, value_span)),
            Obj::Open => {
                let end = self.object_array(&mut value, span)?;
                value_span.len = (end.offset + end.len).saturating_sub(value_span.offset);
            }
            Obj::Name | Obj::Invalid => {
                let help = "values are always quoted, numbers too".to_owned();
                return Err(self.syntax_error(value_span, &bytes, Some(help)));
            }
            _ => return Err(self.object_error(token, value_span, &bytes, span)),
        }
        Ok(Parameter { name, value, array, span, value_span })
    }

    /// `"a", "b" ]`, one text at least; in the YAML format there may be none.
    fn object_array(&mut self, value: &mut Vec<Vec<u8>>, name: Span) -> Result<Span, SyntaxError> {
        loop {
            let (token, at, bytes) = self.significant_in_object();
            match token {
                Obj::Text | Obj::Backticks => value.push(self.object_text(token, &bytes, at)),
                Obj::CloseArray if value.is_empty() && self.is_in_yaml() => return Ok(at),
                _ => return Err(self.object_error(token, at, &bytes, name)),
            }
            let (token, at, bytes) = self.significant_in_object();
            match token {
                Obj::Comma => {}
                Obj::CloseArray => return Ok(at),
                _ => {
                    let help = "the texts of an array are separated by commas".to_owned();
                    return Err(self.syntax_error(at, &bytes, Some(help)));
                }
            }
        }
    }

    fn significant_in_object(&mut self) -> (Obj, Span, Vec<u8>) {
        loop {
            let (token, at, bytes) = self.token(lex::object);
            if token != Obj::Invalid || bytes.first().is_some_and(u8::is_ascii_digit) {
                return (token, at, bytes);
            }
            self.invalid_in_object(&bytes, at, None);
        }
    }

    /// The meaning of a quoted text; what is wrong with it is reported, and it is taken as far as it goes.
    fn object_text(&mut self, token: Obj, quoted: &[u8], span: Span) -> Vec<u8> {
        let inner = &quoted[1..quoted.len() - 1];
        let text = lex::unescape_object(inner).unwrap_or_else(|BadEscape(at)| {
            let place = inside(span, at + 1);
            self.invalid_in_object(b"\"", place, Some(ESCAPES));
            inner.to_vec()
        });
        if token == Obj::Backticks { include::backticks(self, &text, span) } else { text }
    }

    /// A declaration where only statements may stand: reported and read over.
    pub(super) fn misplaced(&mut self, kind: ObjectKind, span: Span) -> Result<(), SyntaxError> {
        let text = format!(
            "declarative object '{}(' not permitted in action block [stmt]",
            kind.keyword()
        );
        let help = "move it out of the braces";
        self.diagnostics.push(Diagnostic::parsing(span, text).help(help));
        self.declaration(kind, span)?;
        Ok(())
    }
}

/// The keyword of an object without its parenthesis.
pub(super) fn keyword_only(mut span: Span, kind: ObjectKind) -> Span {
    span.len = u32::try_from(kind.keyword().len()).unwrap_or(span.len);
    span
}

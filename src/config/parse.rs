//! Tokens to syntax tree: the grammar of `spec/config-language.md` section 3.
//!
//! Includes are expanded here, by putting the file on a stack of sources: a file may hold half of a block, as in
//! the reference. `$` directives may stand between any two tokens of the statement grammar; they are collected
//! while looking for the next token and put in front of the statement that follows.
//!
//! After a syntax error the reference reads no further. So what stands behind it is not taken into the tree, but
//! it is still read, from the next line that looks like a beginning, to report further errors in the same run.

use std::path::Path;
use std::sync::Arc;

use super::args;
use super::ast::{Directive, Item, Object, ObjectKind, PropFilter, Span, Stmt, StmtKind, Tree};
use super::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use super::lex::{self, Keyword, Token, Top};
use super::objects::keyword_only;
use super::source::Source;
use super::{Loader, include, tables};
use crate::limits;

/// The text cannot be understood from here on; the reason has been reported.
#[derive(Debug)]
pub(super) struct SyntaxError;

/// How many syntax errors are reported before the rest is not looked at any more.
const SYNTAX_ERRORS: usize = 20;

/// A source being read.
struct Frame {
    source: Arc<Source>,
    file: u16,
    at: usize,
}

/// The sources on the stack, the token looked at, and how deep in blocks or parentheses that is.
pub(super) struct Parser<'a> {
    pub(super) loader: &'a dyn Loader,
    pub(super) diagnostics: &'a mut Diagnostics,
    frames: Vec<Frame>,
    /// The next token, when it was looked at already.
    peeked: Option<(Token<Top>, Span)>,
    /// Directives met on the way to it.
    directives: Vec<Directive>,
    pub(super) depth: usize,
    syntax_errors: usize,
    files_read: usize,
    bytes_read: usize,
}

/// Parses a master file that has been read.
pub(super) fn parse(
    name: &str,
    disk: Vec<u8>,
    loader: &dyn Loader,
    diagnostics: &mut Diagnostics,
) -> Tree {
    let mut parser = Parser {
        loader,
        diagnostics,
        frames: Vec::new(),
        peeked: None,
        directives: Vec::new(),
        depth: 0,
        syntax_errors: 0,
        files_read: 0,
        bytes_read: 0,
    };
    parser.open(name, disk, Span::default());
    parser.tree(name)
}

impl Parser<'_> {
    /// Puts a text on the stack; it is read next.
    pub(super) fn open(&mut self, name: &str, disk: Vec<u8>, by: Span) {
        self.files_read += 1;
        self.bytes_read += disk.len();
        let refused = if self.frames.len() >= limits::INCLUDE_DEPTH {
            Some(format!("more than {} nested includes", limits::INCLUDE_DEPTH))
        } else if self.files_read > limits::INCLUDE_FILES {
            Some(format!("more than {} included files", limits::INCLUDE_FILES))
        } else if self.bytes_read > limits::CONFIG_BYTES {
            Some(format!("more than {} bytes of configuration", limits::CONFIG_BYTES))
        } else {
            None
        };
        if let Some(why) = refused {
            let text = format!("cannot include '{name}': {why} - ignored");
            self.diagnostics.push(Diagnostic::parsing(by, text));
            return;
        }
        if let Some(nul) = memchr::memchr(0, &disk) {
            let line = disk[..nul].iter().filter(|byte| **byte == b'\n').count() + 1;
            let text = format!("config file '{name}' contains a NUL byte in line {line}");
            self.diagnostics.push(Diagnostic::parsing(by, text));
        }
        let source = Arc::new(Source::new(name, disk));
        let place = self.frames.last().map(|frame| (frame.file, frame.at));
        if let Some(file) = self.diagnostics.add_source(Arc::clone(&source), place) {
            self.frames.push(Frame { source, file, at: 0 });
        }
    }

    /// Whether a file of this name is being read.
    pub(super) fn is_open(&self, name: &str) -> bool {
        self.frames.iter().any(|frame| frame.source.name() == name)
    }

    /// Whether what is being read was written in the YAML format.
    pub(super) fn is_in_yaml(&self) -> bool {
        self.frames.last().is_some_and(|frame| include::is_yaml(Path::new(frame.source.name())))
    }

    /// The source being read; at the very end, nothing is.
    fn current(&self) -> (Arc<Source>, u16, usize) {
        self.frames.last().map_or_else(
            || (Arc::new(Source::new("", Vec::new())), 0, 0),
            |frame| (Arc::clone(&frame.source), frame.file, frame.at),
        )
    }

    fn advance(&mut self, to: usize) {
        if let Some(frame) = self.frames.last_mut() {
            frame.at = to;
        }
    }

    /// The next token by `lex`, one of the modes inside a statement, with its span and bytes.
    pub(super) fn token<T>(&mut self, lex: fn(&[u8], usize) -> Token<T>) -> (T, Span, Vec<u8>) {
        let (source, file, at) = self.current();
        let token = lex(source.text(), at);
        self.advance(token.end);
        let bytes = source.text()[token.start..token.end].to_vec();
        (token.kind, source.span(file, token.start, token.end), bytes)
    }

    /// What [`token`](Self::token) would give, without taking it.
    pub(super) fn look<T>(&mut self, lex: fn(&[u8], usize) -> Token<T>) -> (T, Span) {
        let (source, file, at) = self.current();
        let token = lex(source.text(), at);
        (token.kind, source.span(file, token.start, token.end))
    }

    /// The next token between statements, without taking it. Ends of included files, directives and
    /// stray bytes are dealt with on the way.
    pub(super) fn peek(&mut self) -> (Top, Span) {
        loop {
            if let Some((token, span)) = &self.peeked {
                return (token.kind, *span);
            }
            let (source, file, at) = self.current();
            let token = lex::top(source.text(), at);
            let span = source.span(file, token.start, token.end);
            let text = &source.text()[token.start..token.end];
            match token.kind {
                Top::End if self.frames.len() > 1 => {
                    self.frames.pop();
                    continue;
                }
                Top::Directive => self.directive(text, span, token.end),
                Top::BsdBlock => self.bsd_block(text, span),
                Top::Invalid => self.invalid_byte(text, span),
                Top::UnclosedComment => self.unclosed_comment(span),
                _ => {
                    self.peeked = Some((token, span));
                    return (token.kind, span);
                }
            }
            if !matches!(token.kind, Top::Directive) {
                self.advance(token.end);
            }
        }
    }

    /// Takes the token that [`peek`](Self::peek) has found.
    pub(super) fn take(&mut self) -> (Top, Span, Vec<u8>) {
        self.peek();
        let Some((token, span)) = self.peeked.take() else {
            return (Top::End, Span::default(), Vec::new());
        };
        let (source, _, _) = self.current();
        self.advance(token.end);
        let bytes = source.text().get(token.start..token.end).unwrap_or_default().to_vec();
        (token.kind, span, bytes)
    }

    /// Takes a keyword if it is next.
    pub(super) fn take_keyword(&mut self, keyword: Keyword) -> bool {
        let is_next = self.peek().0 == Top::Keyword(keyword);
        if is_next {
            self.take();
        }
        is_next
    }

    /// The line the reference's lexer has reached: that of the token it has looked at last.
    pub(super) fn reached_line(&mut self) -> u32 {
        let (kind, span) = self.peek();
        let (source, _, at) = self.current();
        if kind == Top::End { source.place(at.max(source.text().len())).0 } else { span.line }
    }

    fn bsd_block(&mut self, text: &[u8], span: Span) {
        let text = format!(
            "BSD-style blocks are no longer supported in rsyslog, see https://www.rsyslog.com/g/BSD for \
             details and a solution (Block '{}')",
            String::from_utf8_lossy(text)
        );
        self.diagnostics.push(Diagnostic::plain(span, text).code(2304));
    }

    fn invalid_byte(&mut self, text: &[u8], span: Span) {
        let shown = String::from_utf8_lossy(text);
        let text =
            format!("invalid character '{shown}' - is there an invalid escape sequence somewhere?");
        let mut diagnostic = Diagnostic::parsing(span, text);
        if shown == "(" {
            let source = self.current().0;
            let before = source.text().get(..span.offset as usize).unwrap_or_default();
            let mut words =
                before.trim_ascii_end().rsplit(|b| !b.is_ascii_alphanumeric() && *b != b'_');
            let word = String::from_utf8_lossy(words.next().unwrap_or_default());
            let known = ObjectKind::ALL.iter().map(|(name, _)| *name);
            diagnostic = diagnostic.maybe_help(did_you_mean(&word, known));
        }
        if shown == ":" {
            diagnostic = diagnostic.help(
                "a property filter is :property, [!]operation, \"value\" with a property of letters and \
                 hyphens; for a variable write: if $!name contains \"value\" then",
            );
        }
        self.diagnostics.push(diagnostic);
    }

    fn unclosed_comment(&mut self, span: Span) {
        self.diagnostics.push(Diagnostic::parsing(span, "comment is not closed").help("add */"));
    }

    /// `$Name argument`: an include is expanded at once, the others are kept for the statement list.
    fn directive(&mut self, text: &[u8], span: Span, end: usize) {
        let name_len = text[1..].iter().take_while(|byte| !byte.is_ascii_whitespace()).count() + 1;
        let (name, rest) = text.split_at(name_len);
        let blanks = rest.len() - rest.trim_ascii_start().len();
        let argument = rest.trim_ascii();
        let mut argument_span = span;
        if !argument.is_empty() {
            let start = u32::try_from(name_len + blanks).unwrap_or(u32::MAX);
            argument_span.offset = span.offset.saturating_add(start);
            argument_span.len = u32::try_from(argument.len()).unwrap_or(u32::MAX);
        }
        self.advance(end);
        let directive = Directive {
            name: String::from_utf8_lossy(&name[1..]).into_owned(),
            argument: argument.to_vec(),
            span,
            argument_span,
        };
        if directive.name.eq_ignore_ascii_case("includeconfig") {
            // The path ends at the first blank; a comment may follow.
            let path = argument.split(u8::is_ascii_whitespace).next().unwrap_or_default();
            include::files(self, path, include::Mode::Required, argument_span);
        } else {
            self.directives.push(directive);
        }
    }

    /// All items up to the end of the master file.
    fn tree(&mut self, master: &str) -> Tree {
        let mut tree = Tree::default();
        while self.syntax_errors < SYNTAX_ERRORS {
            let mut statements = Vec::new();
            let result = self.item(&mut tree, &mut statements);
            if self.syntax_errors == 0 || result.is_err() && self.syntax_errors == 1 {
                tree.items.extend(statements.into_iter().map(Item::Stmt));
            }
            match result {
                Ok(true) => {}
                Ok(false) => break,
                Err(SyntaxError) => self.resume(master),
            }
        }
        tree
    }

    /// One object or statement; `false` at the end.
    fn item(&mut self, tree: &mut Tree, statements: &mut Vec<Stmt>) -> Result<bool, SyntaxError> {
        let (kind, _) = self.peek();
        self.flush_directives(statements);
        match kind {
            Top::End => return Ok(false),
            Top::Object(ObjectKind::Action | ObjectKind::Include) => self.statement(statements)?,
            Top::Object(kind) => {
                let (_, span, _) = self.take();
                let object = self.declaration(kind, keyword_only(span, kind))?;
                if self.syntax_errors == 0 {
                    tree.items.extend(statements.drain(..).map(Item::Stmt));
                    tree.items.push(Item::Object(object));
                }
            }
            _ => self.statement(statements)?,
        }
        Ok(true)
    }

    fn flush_directives(&mut self, statements: &mut Vec<Stmt>) {
        statements.extend(self.directives.drain(..).map(|directive| Stmt {
            span: directive.span,
            chained: false,
            end_line: directive.span.line,
            kind: StmtKind::Directive(directive),
        }));
    }

    /// Goes on behind a syntax error at a line that looks like a beginning.
    fn resume(&mut self, master: &str) {
        self.syntax_errors += 1;
        if self.syntax_errors == 1 {
            let text = format!("could not interpret master config file '{master}'.");
            self.diagnostics.push_without_place(text, Some(2207));
        }
        self.peeked = None;
        self.directives.clear();
        self.depth = 0;
        while let Some(frame) = self.frames.last_mut() {
            let text = frame.source.text();
            while let Some(line_feed) = memchr::memchr(b'\n', &text[frame.at..]) {
                frame.at += line_feed + 1;
                if looks_like_a_beginning(text, frame.at) {
                    return;
                }
            }
            frame.at = text.len();
            if self.frames.len() == 1 {
                return;
            }
            self.frames.pop();
        }
    }

    /// Reports that the grammar has no place for this token.
    pub(super) fn syntax_error(
        &mut self,
        span: Span,
        token: &[u8],
        help: Option<String>,
    ) -> SyntaxError {
        let shown = String::from_utf8_lossy(token);
        let text = format!("syntax error on token '{shown}'");
        self.diagnostics.push(Diagnostic::parsing(span, text).maybe_help(help));
        SyntaxError
    }

    /// Enters a level of nesting; the caller leaves it by `self.depth -= 1`.
    pub(super) fn enter(&mut self, limit: usize, span: Span) -> Result<(), SyntaxError> {
        if self.depth >= limit {
            let text = format!("nested more than {limit} levels deep");
            self.diagnostics.push(Diagnostic::parsing(span, text));
            return Err(SyntaxError);
        }
        self.depth += 1;
        Ok(())
    }

    /// Statements up to the closing brace, which is taken. Only a ruleset's body may be empty.
    pub(super) fn statements_to_brace(
        &mut self,
        brace: Span,
        may_be_empty: bool,
    ) -> Result<Vec<Stmt>, SyntaxError> {
        let mut statements = Vec::new();
        let mut any = may_be_empty;
        loop {
            let (kind, span) = self.peek();
            self.flush_directives(&mut statements);
            if kind == Top::Keyword(Keyword::Close) && any {
                self.take();
                return Ok(statements);
            }
            if kind == Top::End {
                let help = "the '}' to this '{' is missing";
                self.syntax_error(brace, b"", Some(help.to_owned()));
                self.diagnostics.set_line(span.line);
                return Err(SyntaxError);
            }
            self.statement(&mut statements)?;
            any = true;
        }
    }

    /// `{ … }` or one statement.
    pub(super) fn block(&mut self) -> Result<Vec<Stmt>, SyntaxError> {
        let (kind, span) = self.peek();
        self.enter(limits::NESTING_DEPTH, span)?;
        let statements = if kind == Top::Keyword(Keyword::Open) {
            self.take();
            self.statements_to_brace(span, false)?
        } else {
            let mut statements = Vec::new();
            self.flush_directives(&mut statements);
            self.statement(&mut statements)?;
            statements
        };
        self.depth -= 1;
        Ok(statements)
    }

    /// One statement; of a chain `A & B`, all.
    pub(super) fn statement(&mut self, to: &mut Vec<Stmt>) -> Result<(), SyntaxError> {
        let (token, span, bytes) = self.take();
        let kind = match token {
            Top::Keyword(Keyword::If) => self.if_statement()?,
            Top::Keyword(Keyword::Foreach) => self.foreach()?,
            Top::Keyword(Keyword::Set) => self.set(false)?,
            Top::Keyword(Keyword::Reset) => self.set(true)?,
            Top::Keyword(Keyword::Unset) => self.unset()?,
            Top::Keyword(Keyword::ReloadLookupTable) => self.reload_lookup_table()?,
            Top::PriFilter => StmtKind::PriFilter { selector: bytes, then: self.block()? },
            Top::PropFilter => {
                let filter = prop_filter(&bytes, span);
                StmtKind::PropFilter { text: bytes, filter, then: self.block()? }
            }
            Top::Object(ObjectKind::Include) => {
                let object =
                    self.object(ObjectKind::Include, keyword_only(span, ObjectKind::Include))?;
                self.include(&object);
                return Ok(());
            }
            Top::Object(kind) if kind != ObjectKind::Action => {
                return self.misplaced(kind, keyword_only(span, kind));
            }
            _ => return self.action_list(token, span, &bytes, to),
        };
        let end_line = self.reached_line();
        to.push(Stmt { kind, span, chained: false, end_line });
        Ok(())
    }

    /// `action & action & …`
    fn action_list(
        &mut self,
        mut token: Top,
        mut span: Span,
        first: &[u8],
        to: &mut Vec<Stmt>,
    ) -> Result<(), SyntaxError> {
        let mut bytes = first.to_vec();
        let mut chained = false;
        loop {
            let kind = self.action(token, span, bytes)?;
            let end_line = match &kind {
                StmtKind::Action(object) => object.end_line,
                _ => span.line,
            };
            to.push(Stmt { kind, span, chained, end_line });
            chained = true;
            if self.peek().0 != Top::Keyword(Keyword::And) {
                return Ok(());
            }
            self.take();
            self.peek();
            self.flush_directives(to);
            (token, span, bytes) = self.take();
        }
    }

    /// An action or one of the statements that may stand in its place.
    fn action(&mut self, token: Top, span: Span, bytes: Vec<u8>) -> Result<StmtKind, SyntaxError> {
        match token {
            Top::Object(ObjectKind::Action) => {
                let object =
                    self.object(ObjectKind::Action, keyword_only(span, ObjectKind::Action))?;
                Ok(StmtKind::Action(object))
            }
            Top::LegacyAction => Ok(StmtKind::LegacyAction(bytes)),
            Top::Keyword(Keyword::Stop) => Ok(StmtKind::Stop),
            Top::Keyword(Keyword::Continue) => Ok(StmtKind::Continue),
            Top::Keyword(Keyword::Call) => self.call(),
            Top::Keyword(Keyword::CallIndirect) => self.call_indirect(),
            Top::End => Err(self.syntax_error(span, b"", Some("an action is missing".to_owned()))),
            Top::Keyword(Keyword::Close) => {
                let help = "there is nothing between the braces, or no brace to close";
                Err(self.syntax_error(span, &bytes, Some(help.to_owned())))
            }
            _ => Err(self.syntax_error(span, &bytes, None)),
        }
    }

    fn include(&mut self, object: &Object) {
        let Ok([checked]) = args::check(object, [tables::INCLUDE], self.diagnostics) else {
            return;
        };
        include::object(self, &checked, object.end_line);
    }
}

/// A place inside a token that does not reach over a line end before it.
pub(super) fn inside(mut span: Span, at: usize) -> Span {
    span.offset = span.offset.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
    span.len = 1;
    span
}

/// Takes `:property, [!]operation, "value"` apart; the lexer has checked its form.
fn prop_filter(text: &[u8], span: Span) -> PropFilter {
    let piece = |from: usize| {
        let rest = &text[from..];
        let end = memchr::memchr(b',', rest).unwrap_or(rest.len());
        let word = rest[..end].trim_ascii();
        let blanks = rest[..end].len() - rest[..end].trim_ascii_start().len();
        let mut at = inside(span, from + blanks);
        at.len = u32::try_from(word.len().max(1)).unwrap_or(1);
        (word, at, (from + end + 1).min(text.len()))
    };
    let (property, property_span, next) = piece(1);
    let (operation, operation_span, next) = piece(next);
    let quoted = text[next..].trim_ascii();
    let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    let (negate, operation) =
        operation.strip_prefix(b"!").map_or((false, operation), |op| (true, op));
    PropFilter {
        property: property.to_vec(),
        operation: operation.to_vec(),
        negate,
        value: unescape_quotes(inner),
        property_span,
        operation_span,
    }
}

/// In a property filter a backslash makes the next byte, whichever it is, stand for itself.
fn unescape_quotes(inner: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(byte) = bytes.next() {
        if *byte == b'\\' { out.extend(bytes.next()) } else { out.push(*byte) }
    }
    out
}

/// Whether a syntax error's effects have probably ended at this line.
fn looks_like_a_beginning(text: &[u8], at: usize) -> bool {
    let indented = text.get(at).is_some_and(|byte| matches!(byte, b' ' | b'\t'));
    !indented
        && matches!(
            lex::top(text, at).kind,
            Top::Object(_)
                | Top::PriFilter
                | Top::PropFilter
                | Top::Directive
                | Top::Keyword(Keyword::If)
        )
}

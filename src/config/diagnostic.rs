//! What is wrong with a configuration, where, and what to write instead.
//!
//! A diagnostic is printed as the reference prints it, so that scripts that look for its text still find it,
//! and is followed by the place and the help:
//! ```text
//! rsyslogd: error during parsing file F, on or before line 3: parameter 'prot' not known … [v8.2608.0 try https://www.rsyslog.com/e/2207 ]
//!   --> F:3:20
//!    |
//!  3 | input(type="imtcp" prot="514")
//!    |                    ^^^^
//!    = help: did you mean 'port'?
//! ```

use std::fmt::Write as _;
use std::sync::Arc;

use super::ast::Span;
use super::source::Source;
use crate::limits;
use crate::param::{About, Problem, not_implemented};

/// The version of the reference whose language and messages these are.
pub const REFERENCE_VERSION: &str = "8.2608.0";

/// How bad it is: any error makes `-N1` exit with 1 and trips `abortOnUncleanConfig`; a warning does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Something is left out or not as the text says.
    Error,
    /// Works, but may not be meant.
    Warning,
}

/// Which of the reference's message forms the first line takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `error during parsing file F, on or before line N: …`
    Parsing,
    /// `error during config processing: …`
    Processing,
    /// The bare text.
    Plain,
}

/// One finding.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Form of the first line.
    pub shape: Shape,
    /// The reference's wording where it has one.
    pub text: String,
    /// The reference's return code; `None` for its messages without one.
    pub code: Option<u16>,
    /// Where.
    pub span: Option<Span>,
    /// The line to name in a [`Shape::Parsing`] message when it is not that of the span.
    pub line: Option<u32>,
    /// What to write instead.
    pub help: Option<String>,
    /// What it is about.
    pub about: About,
    /// Found only at the start by the reference: the configuration counts as clean in spite of it.
    pub at_start: bool,
}

impl Diagnostic {
    /// An error of the reference's "error during parsing file" form (code 2207) at `span`.
    #[must_use]
    pub fn parsing(span: Span, text: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            shape: Shape::Parsing,
            text: text.into(),
            code: Some(2207),
            span: Some(span),
            line: None,
            help: None,
            about: About::Mistake,
            at_start: false,
        }
    }

    /// An error: rsyslog has this, and this version has not.
    #[must_use]
    pub fn missing(span: Span, what: &str) -> Self {
        Self { about: About::Missing, ..Self::parsing(span, not_implemented(what)) }
    }

    /// A warning: this is accepted and changes nothing here, for this reason.
    #[must_use]
    pub fn without_effect(span: Span, what: &str, reason: &str) -> Self {
        let text = format!("{what} has no effect in sluiced: {reason}");
        Self { about: About::NoEffect, ..Self::parsing(span, text).warning().code(2357) }
    }

    /// An error whose first line is the bare text, without a code.
    #[must_use]
    pub fn plain(span: Span, text: impl Into<String>) -> Self {
        Self { shape: Shape::Plain, code: None, ..Self::parsing(span, text) }
    }

    /// What a module found wrong with its object; `at` is the place of the parameter it names.
    #[must_use]
    pub fn from_problem(problem: &Problem, at: Span) -> Self {
        // The reference's code for all its errors of that form; its warnings of that form have another one.
        let is_parsing = problem.code == Some(2207);
        Self {
            shape: if is_parsing { Shape::Parsing } else { Shape::Plain },
            severity: if problem.warning { Severity::Warning } else { Severity::Error },
            code: if is_parsing && problem.warning { Some(2357) } else { problem.code },
            help: problem.help.clone(),
            about: problem.about,
            at_start: problem.at_start,
            ..Self::plain(at, problem.text.clone())
        }
    }

    /// As a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// With this code.
    #[must_use]
    pub fn code(mut self, code: u16) -> Self {
        self.code = Some(code);
        self
    }

    /// With advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With advice, if there is any.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// As a consequence of the finding before it.
    #[must_use]
    pub fn follow_up(mut self) -> Self {
        self.about = About::FollowUp;
        self
    }

    /// In another form of the first line.
    #[must_use]
    pub fn shape(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }

    /// Naming this line instead of the span's.
    #[must_use]
    pub fn line(mut self, line: u32) -> Self {
        self.line = Some(line);
        self
    }
}

/// A source, and the place in another one that it was read at: that one's index, and a byte of its glued text.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    pub(super) source: Arc<Source>,
    pub(super) at: Option<(u16, usize)>,
}

/// All findings of one run, with the sources to show them in.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    sources: Vec<Opened>,
    dropped: usize,
    errors: usize,
    unresolved_ids: usize,
    fatal: Option<String>,
}

impl Diagnostics {
    /// Adds one; beyond [`limits::DIAGNOSTICS`] they are only counted.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if diagnostic.severity == Severity::Error && !diagnostic.at_start {
            self.errors += 1;
        }
        if self.list.len() < limits::DIAGNOSTICS {
            self.list.push(diagnostic);
        } else {
            self.dropped += 1;
        }
    }

    /// Makes the last finding name this line.
    pub(super) fn set_line(&mut self, line: u32) {
        if let Some(last) = self.list.last_mut() {
            last.line = Some(line);
        }
    }

    /// Gives the last finding advice, if it has none.
    pub(super) fn advise_last(&mut self, help: &str) {
        if let Some(last) = self.list.last_mut() {
            last.help.get_or_insert_with(|| help.to_owned());
        }
    }

    /// `did you mean 'x'?` for names that the configuration itself makes: with thousands of names and
    /// thousands of errors only the first ones are worth the search.
    pub(super) fn suggest<'a>(
        &self,
        word: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Option<String> {
        if self.list.len() < SUGGESTIONS { did_you_mean(word, known) } else { None }
    }

    /// The sources alone.
    pub(super) fn without_findings(self) -> Self {
        Self { sources: self.sources, ..Self::default() }
    }

    /// How many findings are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Puts the findings from the `first` on, which came up when what was read was built, where the reference, which
    /// builds while it reads, says them: before those about later lines of the same file.
    pub fn settle(&mut self, first: usize) {
        for finding in self.list.split_off(first.min(self.list.len())) {
            let later = |span: Span| {
                let is_later = |other: Span| other.file == span.file && other.line > span.line;
                self.list.iter().position(|other| other.span.is_some_and(is_later))
            };
            let at = finding.span.filter(|span| span.line > 0).and_then(later);
            self.list.insert(at.unwrap_or(self.list.len()), finding);
        }
    }

    /// Gives all findings from the `first` on the form of those that come up after reading.
    pub(super) fn after_reading(&mut self, first: usize) {
        for diagnostic in self.list.iter_mut().skip(first) {
            if diagnostic.shape == Shape::Parsing {
                diagnostic.shape = Shape::Processing;
            }
        }
    }

    /// Adds an error that has no place in a file.
    pub(super) fn push_without_place(&mut self, text: String, code: Option<u16>) {
        let diagnostic = Diagnostic::plain(Span::default(), text);
        self.push(Diagnostic { span: None, code, ..diagnostic });
    }

    /// Makes a source known that was opened `at` a place of another one, and returns its index for
    /// [`Span::file`]; `None` when there are more sources than a span can number.
    pub(super) fn add_source(
        &mut self,
        source: Arc<Source>,
        at: Option<(u16, usize)>,
    ) -> Option<u16> {
        let index = u16::try_from(self.sources.len()).ok()?;
        self.sources.push(Opened { source, at });
        Some(index)
    }

    /// All sources, in the order they were opened.
    pub(super) fn sources(&self) -> &[Opened] {
        &self.sources
    }

    /// The source a span points into.
    #[must_use]
    pub fn source(&self, span: Span) -> Option<&Arc<Source>> {
        self.sources.get(usize::from(span.file)).map(|opened| &opened.source)
    }

    /// Notes that a user or group name has no id.
    pub(super) fn count_unresolved_id(&mut self) {
        self.unresolved_ids += 1;
    }

    /// How many names had no id.
    pub(super) fn unresolved_ids(&self) -> usize {
        self.unresolved_ids
    }

    /// Notes that the reference would have ended on the spot, with this line on standard error.
    pub(super) fn fail(&mut self, text: impl Into<String>) {
        self.fatal.get_or_insert_with(|| text.into());
    }

    /// The last line to print before exiting with status 1, whatever else was asked for: the master file
    /// cannot be read, an `abort-if-missing` file is missing, a user name has no id. Empty for no line.
    #[must_use]
    pub fn fatal(&self) -> Option<&str> {
        self.fatal.as_deref()
    }

    /// Whether any finding is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Whether there is no finding at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The findings in the order they were made.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// All findings as text for standard error.
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = String::new();
        let mut shown = None;
        for diagnostic in &self.list {
            // What is said about the same place once more needs no second picture of it.
            let again = diagnostic.span.is_some() && diagnostic.span == shown;
            self.render_one(diagnostic, !again, &mut out);
            shown = diagnostic.span;
        }
        if self.dropped > 0 {
            let _ = writeln!(out, "rsyslogd: {} more messages are not shown", self.dropped);
        }
        out
    }

    /// The reference's line of one finding, without `rsyslogd: ` before and the version behind.
    #[must_use]
    pub fn headline(&self, diagnostic: &Diagnostic) -> String {
        let severity = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let text = &diagnostic.text;
        match (diagnostic.shape, diagnostic.span) {
            (Shape::Plain, _) => text.clone(),
            (Shape::Parsing, Some(span)) => {
                let line = diagnostic.line.unwrap_or(span.line);
                let file = self.source(span).map_or("(null)", |source| source.name());
                format!("{severity} during parsing file {file}, on or before line {line}: {text}")
            }
            _ => format!("{severity} during config processing: {text}"),
        }
    }

    fn render_one(&self, diagnostic: &Diagnostic, picture: bool, out: &mut String) {
        let _ = writeln!(out, "rsyslogd: {}{}", self.headline(diagnostic), suffix(diagnostic.code));
        if diagnostic.about == About::FollowUp {
            return;
        }
        // Line 0 stands for what no text has given, as the arguments of a module that was not loaded.
        let span = diagnostic.span.filter(|span| picture && span.line > 0);
        let shown = span.and_then(|span| Some((span, self.source(span)?)));
        let gutter = shown.map_or(1, |(span, _)| span.line.to_string().len());
        if let Some((span, source)) = shown {
            let (line, column) = source.line_at(span.offset);
            let _ = writeln!(out, "  --> {}:{}:{column}", source.name(), span.line);
            let _ = writeln!(out, " {:gutter$} |", "");
            let _ = writeln!(out, " {:gutter$} | {line}", span.line);
            let indent: String =
                line.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            let room = line.chars().count().saturating_sub(column - 1).max(1);
            let carets = (span.len as usize).clamp(1, room);
            let _ = writeln!(out, " {:gutter$} | {indent}{}", "", "^".repeat(carets));
        }
        if let Some(help) = &diagnostic.help {
            let _ = writeln!(out, " {:gutter$} = help: {help}", "");
        }
    }
}

/// The name in `known` that `word` was probably meant to be.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = match word.len() {
        0..=3 => 1,
        4..=6 => 2,
        _ => 3,
    };
    known
        .into_iter()
        .filter(|name| name.len().abs_diff(word.len()) <= allowed)
        .map(|name| (distance(word, name), name))
        .filter(|(distance, name)| *distance <= allowed && *distance < name.len())
        .min()
        .map(|(_, name)| name)
}

/// `did you mean 'x'?`, if something is near.
#[must_use]
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, known).map(|name| format!("did you mean '{name}'?"))
}

/// Optimal string alignment distance without regard to case: insertions, deletions, replacements and swapped
/// neighbours.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if b.len() > NAME_BYTES {
        return usize::MAX;
    }
    // Row i holds the distances of the first i bytes of `a` from all beginnings of `b`.
    let mut before = [0; NAME_BYTES + 1];
    let mut last: [usize; NAME_BYTES + 1] = std::array::from_fn(|j| j);
    for (i, x) in a.iter().enumerate() {
        let mut row = [0; NAME_BYTES + 1];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let differs = !x.eq_ignore_ascii_case(y);
            let mut best = (last[j] + usize::from(differs)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0
                && j > 0
                && x.eq_ignore_ascii_case(&b[j - 1])
                && a[i - 1].eq_ignore_ascii_case(y)
            {
                best = best.min(before[j - 1] + 1);
            }
            row[j + 1] = best;
        }
        before = last;
        last = row;
    }
    last[b.len()]
}

/// Longer names are not compared.
const NAME_BYTES: usize = 63;

/// How many findings get a suggestion out of the configuration's own names.
const SUGGESTIONS: usize = 100;

/// What rsyslogd writes behind a message with return code `code`. The general error, 3000, has no page of its own.
#[must_use]
pub fn suffix(code: Option<u16>) -> String {
    match code {
        None | Some(3000) => format!(" [v{REFERENCE_VERSION}]"),
        Some(code) => format!(" [v{REFERENCE_VERSION} try https://www.rsyslog.com/e/{code} ]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_names() {
        let known = ["port", "address", "name", "ruleset", "startswith", "contains"];
        let cases = [
            ("prot", Some("port")),
            ("Adress", Some("address")),
            ("contians", Some("contains")),
            ("rulset", Some("ruleset")),
            ("zzzz", None),
            ("", None),
        ];
        for (word, expect) in cases {
            assert_eq!(nearest(word, known), expect, "{word}");
        }
    }
}

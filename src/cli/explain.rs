//! `--explain FILE`: what becomes of an rsyslog.conf here, before anybody moves to it. What loads, what is not
//! supported, what is wrong, and what behaves in another way than with rsyslogd, each with its place.

use std::fmt::Write as _;

use crate::config::diagnostic::Severity;
use crate::config::{Config, Diagnostic, Diagnostics, Span};
use crate::param::About;

/// What is written otherwise in a configuration's text and means something else here: words to look for, in lower
/// case, and what to say. The complete list of differences is CHANGELOG.md; here stands what a text shows.
const DIFFERENCES: [(&[&str], &str); 9] = [
    (
        &["date-ordinal", "date-week", "dateformat=\"ordinal\"", "dateformat=\"week\""],
        "the day and week of the year are those the time shows; rsyslogd is wrong east of UTC",
    ),
    (
        &["date-utc", "date.inutc"],
        "the fraction of a second stays what it is; rsyslogd puts its digits to the end",
    ),
    (
        &["rfc3164-buggyday"],
        "always has the zero; rsyslogd writes a blank where the message's time was written as rfc3164 before",
    ),
    (&["get_property("], "what is not there is empty; rsyslogd yields a NUL byte"),
    (
        &["replace("],
        "replacing an empty text changes nothing; rsyslogd puts the new text in between",
    ),
    (&["addtlframedelimiter"], "works above 127 as well"),
    (
        &["dequeueslowdown", "dequeuetimebegin"],
        "does not hold up the emptying of the queue at the end",
    ),
    (
        &["escapecontrolcharactersonreceive"],
        "control characters behind a NUL are kept; rsyslogd loses them",
    ),
    (&["action.copymsg"], "a queue keeps the variables as they were, with copyMsg or without"),
];

/// The report on `config`, loaded from `path`.
pub(super) fn report(path: &str, config: &Config, diagnostics: &Diagnostics) -> String {
    let mut out = format!("{path}: what becomes of it in sluice {}\n", env!("CARGO_PKG_VERSION"));
    loads(&mut out, config, diagnostics);
    let is_missing = |diagnostic: &&Diagnostic| diagnostic.about == About::Missing;
    let all = || diagnostics.iter().filter(|diagnostic| diagnostic.about != About::FollowUp);
    let section = |out: &mut String, title: &str, chosen: Vec<&Diagnostic>| {
        if chosen.is_empty() {
            return;
        }
        let _ = writeln!(out, "\n{title}");
        for diagnostic in chosen {
            let place = place(diagnostics, diagnostic.span);
            let _ = writeln!(out, "  {place}{}", diagnostic.text.trim());
            if let Some(help) = &diagnostic.help {
                let _ = writeln!(out, "      {help}");
            }
        }
    };
    let errors = |diagnostic: &&Diagnostic| diagnostic.severity == Severity::Error;
    section(&mut out, "Not supported:", all().filter(is_missing).collect());
    section(
        &mut out,
        "Wrong, here and with rsyslogd:",
        all().filter(|d| errors(d) && !is_missing(d)).collect(),
    );
    section(&mut out, "Warnings:", all().filter(|d| !errors(d) && !is_missing(d)).collect());
    let differences = differences(diagnostics);
    if !differences.is_empty() {
        out.push_str("\nDifferent from rsyslogd, on purpose:\n");
        out.push_str(&differences);
    }
    if let Some(fatal) = diagnostics.fatal() {
        let _ = writeln!(out, "\nDoes not start: {fatal}");
    } else if !config.has_actions() {
        out.push_str("\nDoes not start: there are no active actions\n");
    }
    out
}

fn loads(out: &mut String, config: &Config, diagnostics: &Diagnostics) {
    out.push_str("\nLoads:\n");
    for decl in config.modules.iter().filter(|decl| decl.args.span.line > 0) {
        let place = place(diagnostics, Some(decl.args.span));
        let _ = writeln!(out, "  {place}module {}: {}", decl.module.name, decl.module.summary);
    }
    for input in &config.inputs {
        let place = place(diagnostics, Some(input.args.span));
        let ruleset = &config.ruleset(input.ruleset).name;
        let _ = writeln!(out, "  {place}input {} to ruleset {ruleset}", input.module.name);
    }
    for template in &config.templates {
        let _ = writeln!(out, "  template {}", template.name);
    }
    for ruleset in config.rulesets.iter().filter(|ruleset| !ruleset.body.is_empty()) {
        let queue = if ruleset.queue.is_some() { ", with a queue" } else { "" };
        let place = place(diagnostics, Some(ruleset.span));
        let _ = writeln!(
            out,
            "  {place}ruleset {} with {} statements{queue}",
            ruleset.name,
            ruleset.body.len()
        );
    }
    for action in &config.actions {
        let place = place(diagnostics, Some(action.args.span));
        let _ = writeln!(out, "  {place}action {} ({})", action.name, action.module.name);
    }
}

/// Lines in which something stands that means something else here, the first of each file.
fn differences(diagnostics: &Diagnostics) -> String {
    let mut out = String::new();
    for file in 0..=u16::MAX {
        let span = Span { file, ..Span::default() };
        let Some(source) = diagnostics.source(span) else { break };
        let text = source.text().to_ascii_lowercase();
        for (words, note) in DIFFERENCES {
            let find = |word: &&str| memchr::memmem::find(&text, word.as_bytes());
            if let Some(at) = words.iter().filter_map(find).min() {
                let (line, _) = source.place(at);
                let _ = writeln!(out, "  {}:{line}: {note}", source.name());
            }
        }
    }
    out
}

/// `file:line: `, or nothing for what no text has given.
fn place(diagnostics: &Diagnostics, span: Option<Span>) -> String {
    let span = span.filter(|span| span.line > 0);
    let source = span.and_then(|span| Some((span, diagnostics.source(span)?)));
    source.map_or(String::new(), |(span, source)| format!("{}:{}: ", source.name(), span.line))
}

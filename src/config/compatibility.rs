//! `compatibility.*` of `global()`: which old forms of configuration are permitted from there on, and what is said about
//! defaults that are not safe. Beside it the other parameters of `global()` that take one of a few words.

use super::ast::Span;
use super::check::Checker;
use super::diagnostic::Diagnostic;
use crate::param::{Problem, SecureDefaults, Value};
use crate::sys::children::Exits;

/// An old form of configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    /// `$Name argument`
    Directive,
    /// `mail.*`
    Selector,
    /// `:msg, contains, "x"`
    PropertyFilter,
}

impl Syntax {
    /// What the reference calls it, and the parameter that says what becomes of it.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Directive => ("$-directive", "compatibility.configFormat.legacy"),
            Self::Selector => ("classic syslogd filter", "compatibility.configFormat.syslogd"),
            Self::PropertyFilter => {
                ("classic property-based filter", "compatibility.configFormat.property")
            }
        }
    }
}

impl Checker<'_> {
    /// Whether an old form may be used; says what is to be said about it.
    pub(super) fn permits(&mut self, syntax: Syntax, text: &[u8], span: Span, line: u32) -> bool {
        let (kind, parameter) = syntax.names();
        let policy = self.config.globals.args.str(parameter).unwrap_or_default();
        if policy == b"enable" {
            return true;
        }
        let shown = String::from_utf8_lossy(text);
        let option = parameter.to_ascii_lowercase();
        let permitted = policy == b"warn";
        let diagnostic = if permitted {
            let text = format!("obsolete {kind} syntax encountered: '{shown}'");
            Diagnostic::parsing(span, text).warning().code(2357)
        } else {
            let text = format!(
                "obsolete {kind} syntax disabled: '{shown}'; use global({option}=\"enable\") to enable it"
            );
            Diagnostic::parsing(span, text)
        };
        self.diagnostics.push(diagnostic.line(line));
        permitted
    }

    /// Whether `word` is a value of the parameter, where that takes one of a few; reported if not.
    pub(super) fn is_known_word(&mut self, name: &str, word: &[u8], place: Span) -> bool {
        let shown = String::from_utf8_lossy(word);
        let lower = name.to_ascii_lowercase();
        let (known, diagnostic) = match name {
            "net.ipprotocol" => {
                let known = matches!(word, b"unspecified" | b"ipv4-only" | b"ipv6-only");
                let text = format!("invalid net.ipprotocol parameter '{shown}' -- ignored");
                let help = "one of unspecified, ipv4-only, ipv6-only";
                (known, Diagnostic::plain(place, text).help(help))
            }
            "reportChildProcessExits" => {
                let text = format!(
                    "invalid value '{shown}' for global parameter reportChildProcessExits -- ignored"
                );
                let diagnostic = Diagnostic::plain(place, text).code(2425);
                (Exits::parse(word).is_some(), diagnostic.help("one of none, errors, all"))
            }
            "compatibility.configFormat.legacy"
            | "compatibility.configFormat.syslogd"
            | "compatibility.configFormat.property" => {
                let known = matches!(word, b"enable" | b"warn" | b"disable");
                let text = format!("invalid value '{shown}' for global parameter {lower}");
                let help = "one of enable, warn, disable";
                (known, Diagnostic::parsing(place, text).help(help))
            }
            "compatibility.defaults.secure" => {
                let text = format!("invalid value '{shown}' for global parameter {lower}");
                let help = "one of strict, backward-compatible, warn";
                let known = SecureDefaults::parse(word).is_some();
                (known, Diagnostic::parsing(place, text).help(help))
            }
            "stdlog.channelspec" => {
                let text = "rsyslog wasn't compiled with liblogging-stdlog support. The 'stdlog.channelspec' \
                            parameter is ignored. Note: the syslog API is used instead.";
                (false, Diagnostic::plain(place, text))
            }
            _ => return true,
        };
        if !known {
            self.diagnostics.push(diagnostic);
        }
        known
    }

    /// What the safe defaults mean for the configuration as a whole, once all of it is read.
    pub(super) fn secure_defaults(&mut self) {
        let args = &self.config.globals.args;
        let word = args.str("compatibility.defaults.secure").unwrap_or_default();
        let policy = SecureDefaults::parse(word).unwrap_or_default();
        if policy == SecureDefaults::Strict {
            self.config.globals.args.set("abortOnUncleanConfig", Value::Bool(true));
            return;
        }
        let Some(place) = self.first_global.filter(|_| !args.bool("abortOnUncleanConfig")) else {
            return;
        };
        let warning: Option<Problem> = policy.warning("global(abortOnUncleanConfig=\"off\")");
        if let Some(problem) = warning {
            self.diagnostics.push(Diagnostic::from_problem(&problem, place));
        }
    }
}

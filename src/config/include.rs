//! What is read from outside while parsing: `include()`, `$IncludeConfig`, backticks.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::ast::Span;
use super::checked::ObjectArgs;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::parse::Parser;
use super::yaml_translate;

/// Longest name of an environment variable in `` `echo …` ``, bytes, as in the reference.
const ENVIRONMENT_NAME_BYTES: usize = 511;

/// What a missing file means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Required,
    Optional,
    AbortIfMissing,
}

/// `include(file= | text= [mode=])`
pub(super) fn object(parser: &mut Parser<'_>, include: &ObjectArgs, line: u32) {
    let mode = match include.args.choice("mode") {
        Some("optional") => Mode::Optional,
        Some("abort-if-missing") => Mode::AbortIfMissing,
        _ => Mode::Required,
    };
    let wrong = match (include.args.str("file"), include.args.str("text")) {
        (Some(_), Some(_)) => {
            "include() must have either 'file' or 'text' parameter, but both are set - ignored"
        }
        (None, None) if include.is_bare() => {
            "include() must have either 'file' or 'text' parameter - ignored"
        }
        (None, None) => "include must have either 'file' or 'text' parameter - ignored",
        (Some(pattern), None) => return files(parser, pattern, mode, include.place("file")),
        (None, Some(text)) => return parser.open("text", text.to_vec(), include.place("text")),
    };
    parser.diagnostics.push(Diagnostic::parsing(include.span, wrong).line(line));
}

/// Puts the files of a pattern or directory on the stack, the first on top.
pub(super) fn files(parser: &mut Parser<'_>, pattern: &[u8], mode: Mode, by: Span) {
    let path = Path::new(std::ffi::OsStr::from_bytes(pattern));
    let files = match parser.loader.expand(path) {
        Ok(files) => files,
        Err(error) => return missing(parser, path, mode, by, &error),
    };
    for file in files.iter().rev() {
        let name = file.to_string_lossy();
        if parser.is_open(&name) {
            let text =
                format!("trying to include file '{name}', which is already included - ignored");
            parser.diagnostics.push(Diagnostic::parsing(by, text));
            continue;
        }
        match parser.loader.read(file) {
            Ok(disk) if is_yaml(file) => {
                if let Some(text) = rainerscript(&name, &disk, parser.diagnostics) {
                    parser.open(&name, text, by);
                }
            }
            Ok(disk) => parser.open(&name, disk, by),
            Err(error) => missing(parser, file, mode, by, &error),
        }
    }
}

/// Whether the file is in the YAML format, by its name.
pub(super) fn is_yaml(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// What a file in the YAML format says in the other one; `None`, and a problem, if it is not YAML.
pub(super) fn rainerscript(
    name: &str,
    disk: &[u8],
    diagnostics: &mut Diagnostics,
) -> Option<Vec<u8>> {
    let translation = yaml_translate::translate(name, &String::from_utf8_lossy(disk));
    for problem in translation.problems {
        diagnostics.push_without_place(problem, Some(2207));
    }
    translation.readable.then(|| translation.text.into_bytes())
}

fn missing(parser: &mut Parser<'_>, path: &Path, mode: Mode, by: Span, error: &std::io::Error) {
    let name = path.display();
    if mode == Mode::Optional {
        return;
    }
    let cwd = parser.loader.current_directory();
    let text = format!(
        "error accessing config file or directory '{name}' [cwd: {}]: {}",
        cwd.display(),
        reason(error)
    );
    parser.diagnostics.push(Diagnostic::parsing(by, text));
    if mode == Mode::AbortIfMissing {
        parser.diagnostics.fail(format!(
            "include file '{name}' mode is set to abort-if-missing and the file is indeed missing - thus \
             aborting rsyslog"
        ));
    }
}

/// The system's text for an error, as the reference prints it: without the number.
pub(super) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// What stands for `` `echo …` `` or `` `cat …` ``.
pub(super) fn backticks(parser: &mut Parser<'_>, text: &[u8], span: Span) -> Vec<u8> {
    if let Some(words) = text.strip_prefix(b"echo ") {
        return echo(parser, words, span);
    }
    let shown = String::from_utf8_lossy(text);
    if let Some(path) = text.strip_prefix(b"cat ") {
        let content = parser.loader.read(Path::new(std::ffi::OsStr::from_bytes(path)));
        return content.unwrap_or_else(|error| {
            let text = format!("file could not be accessed for `{shown}`");
            let diagnostic = Diagnostic::parsing(span, text).help(reason(&error));
            parser.diagnostics.push(diagnostic);
            b"/* file could not be accessed - see error messages */".to_vec()
        });
    }
    let text = format!("invalid backtick parameter `{shown}` - replaced by empty string (\"\")");
    let help = "`echo $NAME` and `cat FILE` are possible";
    parser.diagnostics.push(Diagnostic::parsing(span, text).help(help));
    Vec::new()
}

/// Replaces `$NAME` and `${NAME}`.
fn echo(parser: &mut Parser<'_>, mut rest: &[u8], span: Span) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(dollar) = memchr::memchr(b'$', rest) {
        out.extend_from_slice(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        let name = if let Some(braced) = rest.strip_prefix(b"{") {
            let end = memchr::memchr(b'}', braced).unwrap_or(braced.len());
            rest = braced.get(end + 1..).unwrap_or_default();
            &braced[..end]
        } else {
            let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
            let end = rest.iter().position(|byte| !is_name(byte)).unwrap_or(rest.len());
            let (name, behind) = rest.split_at(end);
            // A name that a dollar sign ends takes the sign with it as text: a quirk of the reference.
            rest = behind;
            if let Some(behind) = rest.strip_prefix(b"$") {
                out.extend(parser.loader.env(name).unwrap_or_default());
                out.push(b'$');
                rest = behind;
                continue;
            }
            name
        };
        if name.len() > ENVIRONMENT_NAME_BYTES {
            let shown = String::from_utf8_lossy(&name[..ENVIRONMENT_NAME_BYTES]);
            let text = format!("environment variable too long, begins with {shown}");
            parser.diagnostics.push(Diagnostic::parsing(span, text));
            return Vec::new();
        }
        out.extend(parser.loader.env(name).unwrap_or_default());
    }
    out.extend_from_slice(rest);
    out
}

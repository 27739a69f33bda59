//! From entries, as a configuration lists them, to the operations that write a text.

use super::format::{Format, JsonField};
use super::replacer::{self, Replacer, Source};
use super::{Body, Options, Paths, Report, change, json_tree};
use crate::message::{DateFormat, Msg, Property, json};
use crate::param::{About, Problem};

/// A part of a template as it was configured.
#[derive(Debug)]
pub(super) enum Entry {
    /// Fixed text.
    Constant(Box<[u8]>),
    /// A fixed member of a JSON object: name and value, not escaped.
    Member(Box<[u8]>, Box<[u8]>),
    /// A property with its options. The name is for JSON objects.
    Field(Replacer, Box<[u8]>),
}

impl Entry {
    /// Names of variables, and the members they become, are lower case unless the template says otherwise.
    fn lower_case(&mut self) {
        if let Self::Field(replacer, name) = self
            && let Source::Property(Property::Variable(_, path)) = &mut replacer.source
        {
            path.make_ascii_lowercase();
            name.make_ascii_lowercase();
        }
    }

    /// The entry's name if it is a member of a JSON object.
    pub(super) fn member_name(&self) -> Option<&[u8]> {
        match self {
            Self::Member(name, _) => Some(name),
            Self::Field(Replacer { format: Format::Member(_), .. }, name) => Some(name),
            _ => None,
        }
    }

    /// The operation that writes the entry; a member of a JSON object gets `name`.
    pub(super) fn into_op(self, name: Option<&[u8]>) -> Op {
        match self {
            Self::Constant(text) => Op::Constant(text),
            Self::Member(own, value) => {
                let mut text = vec![b'"'];
                json::escape(name.unwrap_or(&own), &mut text);
                text.extend_from_slice(b"\": \"");
                json::escape(&value, &mut text);
                text.push(b'"');
                Op::Constant(text.into())
            }
            Self::Field(mut replacer, own) => {
                if let Format::Member(JsonField { name: slot, .. }) = &mut replacer.format {
                    *slot = name.map_or(own, Box::from);
                }
                Op::from(replacer)
            }
        }
    }
}

/// One step of writing a text.
#[derive(Debug)]
pub(super) enum Op {
    /// Fixed text.
    Constant(Box<[u8]>),
    /// A property as it is.
    Value(Source),
    /// A blank, unless MSG is empty or begins with one.
    Blank,
    /// A property that is cut, changed or formatted.
    Replace(Box<Replacer>),
}

impl From<Replacer> for Op {
    fn from(replacer: Replacer) -> Self {
        if replacer.is_identity() {
            return Self::Value(replacer.source);
        }
        if replacer.is_blank_before(&Property::Msg) {
            return Self::Blank;
        }
        Self::Replace(Box::new(replacer))
    }
}

impl Op {
    /// Whether it shows the sender or fixed text.
    pub(super) fn is_of_sender(&self) -> bool {
        use Property::{FromHost, FromHostIp, FromHostPort, InputName};
        match self {
            Self::Constant(_) => true,
            Self::Value(Source::Property(property)) => {
                matches!(property, FromHost | FromHostIp | FromHostPort | InputName)
            }
            _ => false,
        }
    }

    /// Appends the operation's text to `out`.
    pub(super) fn write(&self, msg: &Msg<'_>, out: &mut Vec<u8>) {
        match self {
            // Mostly a blank; pushing it spares a call for one byte.
            Self::Constant(text) => match **text {
                [c] => out.push(c),
                _ => out.extend_from_slice(text),
            },
            Self::Value(source) => source.write(msg, out),
            Self::Blank => {
                if !matches!(msg.msg().first(), None | Some(b' ')) {
                    out.push(b' ');
                }
            }
            Self::Replace(replacer) => replacer.write(msg, out),
        }
    }

    /// The same with properties escaped.
    pub(super) fn write_escaped(&self, escape: Escape, msg: &Msg<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        self.write(msg, out);
        if !matches!(self, Self::Constant(_)) {
            escape.apply(out, start);
        }
    }
}

/// A whole line in one operation: what the reference's string generators write, which most files consist of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// With `<PRI>` in front, a TAG of RFC 3164's 32 characters at most, and no LF.
    pub(super) forward: bool,
    /// How the time is written.
    pub(super) format: DateFormat,
}

impl Line {
    /// Appends the line. Unlike a string template, it has a blank before an empty MSG.
    pub(super) fn write(self, msg: &Msg<'_>, out: &mut Vec<u8>) {
        if let (false, Some(rest)) = (self.forward, msg.from_hostname()) {
            out.reserve(rest.len() + 128);
            msg.write_reported(self.format, out);
            out.push(b' ');
            out.extend_from_slice(rest);
            return out.push(b'\n');
        }
        let (hostname, text) = (msg.hostname(), msg.msg());
        out.reserve(hostname.len() + text.len() + 128);
        if self.forward {
            out.push(b'<');
            msg.write_property(&Property::Pri, out);
            out.push(b'>');
        }
        msg.write_reported(self.format, out);
        out.push(b' ');
        out.extend_from_slice(hostname);
        out.push(b' ');
        let tag = out.len();
        msg.write_tag(out);
        if self.forward {
            out.truncate(tag + 32);
        }
        if text.first() != Some(&b' ') {
            out.push(b' ');
        }
        out.extend_from_slice(text);
        if !self.forward {
            out.push(b'\n');
        }
    }
}

/// How properties are escaped, after everything else (`option.sql` and others).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escape {
    /// Not.
    None,
    /// `'` and `\` get a backslash.
    Sql,
    /// `'` is doubled.
    StdSql,
    /// `"` and `\` get a backslash.
    Json,
}

impl Escape {
    /// Escapes the bytes of `out` from `start` on.
    fn apply(self, out: &mut Vec<u8>, start: usize) {
        let (special, prefix) = match self {
            Self::None => return,
            Self::Sql => ([b'\'', b'\\'], b'\\'),
            Self::StdSql => ([b'\'', b'\''], b'\''),
            Self::Json => ([b'"', b'\\'], b'\\'),
        };
        let text = out.get(start..).unwrap_or_default();
        if memchr::memchr2(special[0], special[1], text).is_none() {
            return;
        }
        replacer::with_scratch(|[scratch, _]| {
            scratch.clear();
            scratch.extend(out.drain(start..));
            let mut rest = scratch.as_slice();
            while let Some(at) = memchr::memchr2(special[0], special[1], rest) {
                let (plain, from_special) = rest.split_at(at);
                out.extend_from_slice(plain);
                out.push(prefix);
                out.extend(from_special.first());
                rest = from_special.get(1..).unwrap_or_default();
            }
            out.extend_from_slice(rest);
        });
    }
}

/// Makes properties safe as parts of file names where that is wanted and nothing is said about them.
fn secure_paths(name: &str, entries: &mut [Entry], paths: Paths, report: Report<'_>) {
    let mut open = entries.iter_mut().filter_map(|entry| match entry {
        Entry::Field(replacer, _) if replacer.change.path == change::Path::Keep => Some(replacer),
        _ => None,
    });
    match paths {
        Paths::Keep => {}
        Paths::Replace => open.for_each(|replacer| replacer.change.path = change::Path::Replace),
        Paths::Warn if open.next().is_some() => {
            let text = format!(
                "backward-compatible insecure default in use: omfile dynafile template '{name}' has fields without \
                 securepath handling; use global(compatibility.defaults.secure=\"strict\") to default them to \
                 secpath-replace"
            );
            let problem = Problem::warning(text).code(2207);
            report(None, Problem { about: About::Insecure, ..problem });
        }
        Paths::Warn => {}
    }
}

/// Makes the body of a template from its entries.
pub(super) fn body(
    name: &str,
    mut entries: Vec<Entry>,
    options: Options,
    report: Report<'_>,
) -> Body {
    if !options.case_sensitive {
        entries.iter_mut().for_each(Entry::lower_case);
    }
    secure_paths(name, &mut entries, options.paths, report);
    if options.jsonf || options.jsonftree {
        report_duplicates(name, &entries, report);
    }
    let entries = if options.jsonftree {
        match json_tree::Node::build(entries) {
            Ok(root) => return Body::Tree(root),
            Err(entries) => {
                let text = format!(
                    "template '{name}' with option jsonftree has conflicting keys (e.g. 'a' and 'a.b'); \
                     falling back to flat JSON output."
                );
                report(None, Problem::warning(text));
                entries
            }
        }
    } else {
        entries
    };
    let ops = entries.into_iter().map(|entry| entry.into_op(None)).collect();
    match options {
        Options { jsonf: true, .. } | Options { jsonftree: true, .. } => Body::Object(ops),
        Options { sql: true, .. } => Body::Text(ops, Escape::Sql),
        Options { stdsql: true, .. } => Body::Text(ops, Escape::StdSql),
        Options { json: true, .. } => Body::Text(ops, Escape::Json),
        _ => Body::Text(ops, Escape::None),
    }
}

fn report_duplicates(name: &str, entries: &[Entry], report: Report<'_>) {
    for (index, entry) in entries.iter().enumerate() {
        let Some(key) = entry.member_name() else { continue };
        if entries.iter().take(index).any(|earlier| earlier.member_name() == Some(key)) {
            let key = String::from_utf8_lossy(key);
            let text = format!(
                "template '{name}': duplicate JSON key '{key}' encountered; later definition takes precedence"
            );
            report(Some(index), Problem::error(text));
        }
    }
}

/// Appends a JSON object of the operations' texts; empty ones are left out.
pub(super) fn write_object(ops: &[Op], msg: &Msg<'_>, out: &mut Vec<u8>) {
    out.push(b'{');
    write_members(ops, out, |op, out| op.write(msg, out));
    out.extend_from_slice(b"}\n");
}

/// Appends what `write` makes of each item, with `, ` between those that are not empty. Returns whether
/// there was one.
pub(super) fn write_members<T>(
    items: &[T],
    out: &mut Vec<u8>,
    write: impl Fn(&T, &mut Vec<u8>),
) -> bool {
    let mut any = false;
    for item in items {
        let before = out.len();
        if any {
            out.extend_from_slice(b", ");
        }
        let start = out.len();
        write(item, out);
        if out.len() == start {
            out.truncate(before);
        } else {
            any = true;
        }
    }
    any
}

//! Templates: how a message becomes text.
//!
//! ```text
//! string template ──parse──┐
//! list template ────list───┼──► entries ──program──► flat list of operations ──render──► bytes
//! built-in, plugin ─builtin┘                (or a JSON object: flat, or nested by json_tree)
//!
//! one property (replacer): fetch ─► select ─► change ─► format
//! ```
//! `SLUICE_ECS` is a generator of its own: `ecs` makes a document of a message.
//! A template is compiled once and rendered by many threads. Rendering appends to the caller's buffer; what
//! it needs besides (scratch space, regular expressions) belongs to the thread, so that a message costs no
//! allocation and no lock. A template never fails: what cannot be had becomes one of the texts that
//! `spec/config-language.md` section 12.4 prescribes.
//!
//! Where the reference is wrong, this is not (cases under `tests/conformance/templates`):
//! - `rfc3164-buggyday` pads with a zero, whatever format the time was shown in before; the day and the week
//!   of the year know zones; a fraction keeps its value at UTC.
//! - `option.json` escapes values too that are nothing but quotes and backslashes.
//! - Positions that end before they begin yield nothing, not `**OUT OF MEMORY**`; a fixed width up to the end
//!   (`$`) is no width.
//! - `F,<delimiter>+` is obeyed, which the reference only documents.

mod builtin;
mod change;
mod ecs;
mod format;
mod json_tree;
mod list;
mod parse;
mod program;
mod replacer;
mod select;

pub use builtin::{NAMES as BUILTIN_NAMES, builtin};

use self::program::{Escape, Line, Op};
use crate::message::{Msg, Property};
use crate::param::{About, Args, Problem};

/// A compiled template.
#[derive(Debug)]
pub struct Template {
    /// The name, as actions refer to it.
    pub name: String,
    body: Body,
}

/// The forms a template can take.
#[derive(Debug)]
enum Body {
    /// A string generator.
    Line(Line),
    /// The operations' texts one after the other, properties escaped.
    Text(Vec<Op>, Escape),
    /// A JSON object of the operations' texts, each of which is a member.
    Object(Vec<Op>),
    /// A JSON object with objects inside.
    Tree(json_tree::Node),
    /// The JSON text of a variable.
    Subtree(Property),
    /// A document in the Elastic Common Schema.
    Ecs(Box<ecs::Document>),
}

/// What a template is made from.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// Text with `%property%`s.
    String {
        /// The text.
        text: &'a [u8],
        /// Of `$template`: escapes such as `\n` and `\101` are still to be decoded.
        legacy: bool,
    },
    /// The objects in the body of a list template.
    List(&'a [Element<'a>]),
    /// The path of a variable, e.g. `$!a!b`.
    Subtree(&'a [u8]),
    /// The name of a string generator.
    Plugin(&'a [u8]),
}

/// Takes what is wrong with a template; the number is that of the object in its body, from 0.
pub type Report<'r> = &'r mut dyn FnMut(Option<usize>, Problem);

/// An object in the body of a list template.
#[derive(Clone, Copy, Debug)]
pub enum Element<'a> {
    /// `property(…)`
    Property(&'a Args),
    /// `constant(…)`
    Constant(&'a Args),
}

/// `option.…` of a template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Escape for SQL with backslashes.
    pub sql: bool,
    /// Escape for standard SQL.
    pub stdsql: bool,
    /// Escape for JSON.
    pub json: bool,
    /// Make a JSON object of the fields.
    pub jsonf: bool,
    /// Make a nested JSON object of dotted fields.
    pub jsonftree: bool,
    /// Names of variables keep their case.
    pub case_sensitive: bool,
    /// What becomes of properties that could lead out of a directory.
    pub paths: Paths,
}

/// What becomes of properties with slashes in a template that makes the names of files and says nothing of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paths {
    /// They stay.
    #[default]
    Keep,
    /// They stay, and that is said.
    Warn,
    /// They are replaced.
    Replace,
}

impl Template {
    /// Compiles a template. Errors in details leave a template all the same.
    pub fn compile(
        name: &str,
        content: &Content<'_>,
        options: Options,
        report: Report<'_>,
    ) -> Option<Self> {
        let body = match content {
            Content::String { text, legacy } => {
                parse::entries(name, text, *legacy, &mut |problem| report(None, problem))
                    .map(|entries| program::body(name, entries, options, report))
            }
            Content::List(elements) => list::entries(name, elements, report)
                .map(|entries| program::body(name, entries, options, report)),
            Content::Subtree(path) => subtree(path, report),
            Content::Plugin(generator) => plugin(name, generator, report),
        };
        if body.is_none() {
            let problem = Problem::error("error processing template object").code(2207);
            report(None, Problem { about: About::FollowUp, ..problem });
        }
        Some(Self { name: name.to_owned(), body: body? })
    }

    /// Appends the rendered text of `msg` to `out`.
    pub fn render(&self, msg: &Msg<'_>, out: &mut Vec<u8>) {
        match &self.body {
            Body::Line(line) => line.write(msg, out),
            Body::Text(ops, Escape::None) => ops.iter().for_each(|op| op.write(msg, out)),
            Body::Text(ops, escape) => {
                ops.iter().for_each(|op| op.write_escaped(*escape, msg, out));
            }
            Body::Object(ops) => program::write_object(ops, msg, out),
            Body::Tree(root) => root.write_document(msg, out),
            Body::Subtree(variable) => msg.write_property(variable, out),
            Body::Ecs(document) => document.write(msg, out),
        }
    }

    /// The constant text a rendered message begins with, e.g. a directory.
    #[must_use]
    pub fn leading_constant(&self) -> &[u8] {
        match &self.body {
            Body::Text(ops, _) => match ops.first() {
                Some(Op::Constant(text)) => text,
                _ => b"",
            },
            _ => b"",
        }
    }

    /// Whether its form shows the constant text it begins with; string generators and subtrees do not.
    #[must_use]
    pub fn is_inspectable(&self) -> bool {
        !matches!(self.body, Body::Line(_) | Body::Subtree(_) | Body::Ecs(_))
    }

    /// Whether it shows anything but the sender and fixed text, so that a message must be parsed first.
    #[must_use]
    pub fn needs_parsing(&self) -> bool {
        match &self.body {
            Body::Text(ops, _) => !ops.iter().all(Op::is_of_sender),
            _ => true,
        }
    }

    /// Whether properties are escaped for SQL (`option.sql` or `option.stdsql`).
    #[must_use]
    pub fn is_sql(&self) -> bool {
        matches!(self.body, Body::Text(_, Escape::Sql | Escape::StdSql))
    }
}

fn subtree(path: &[u8], report: Report<'_>) -> Option<Body> {
    let variable = Property::parse(path).filter(|_| path.starts_with(b"$!"));
    if variable.is_none() {
        let path = String::from_utf8_lossy(path);
        let text = "invalid subtree parameter, variable must start with '$!' but var name is";
        report(None, Problem::error(format!("{text} '{path}'")));
    }
    variable.map(Body::Subtree)
}

fn plugin(name: &str, generator: &[u8], report: Report<'_>) -> Option<Body> {
    let line = builtin::generator(generator);
    if line.is_none() {
        let text = "error -2159 defining template via plugin (strgen) module";
        report(None, Problem::error(format!("template '{name}': {text}")).code(2159));
    }
    line.map(Body::Line)
}

#[cfg(test)]
mod tests;

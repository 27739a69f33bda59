//! Configuration: text → syntax tree → checked [`Config`].
//!
//! ```text
//!  files ─source─► glued text ─lex─► tokens ─parse─► ast::Tree ─check, legacy─► Config
//!                                                                     │
//!                         all along: diagnostic::Diagnostics ◄────────┘
//! ```
//! Nothing here reads a file, an environment variable or a clock: that is the [`Loader`]'s part. Nothing here
//! names a module either: what exists comes in as a [`Catalogue`]. Later stages never see configuration text.

pub mod ast;
mod config;
pub mod diagnostic;
pub mod source;
pub mod tables;

use std::path::{Path, PathBuf};

pub use ast::{Expr, PriMask, Span};
pub use config::{
    ActionDecl, ActionId, Config, Element, InputDecl, ModuleDecl, ObjectArgs, OutChannel, PropOp,
    RulesetDecl, RulesetId, Stmt, TemplateDecl, TemplateKind, TemplateOptions,
};
pub use diagnostic::{Diagnostic, Diagnostics};

use crate::param::Module;

/// What the world outside gives to the loading of a configuration.
pub trait Loader {
    /// The content of a file.
    ///
    /// # Errors
    /// Those of the file system.
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>>;

    /// The files an `include` means: the matches of a pattern in alphabetical order; for a directory
    /// all files in it that are not hidden. A pattern without a match gives none, a plain name
    /// without a file gives the error.
    ///
    /// # Errors
    /// Those of the file system.
    fn expand(&self, pattern: &Path) -> std::io::Result<Vec<PathBuf>>;

    /// Whether `path` is a directory that can be entered.
    fn is_directory(&self, path: &Path) -> bool;

    /// An environment variable.
    fn env(&self, name: &[u8]) -> Option<Vec<u8>>;
}

/// What this program has: the checker knows modules, properties and templates only from here.
#[derive(Clone, Copy, Debug)]
pub struct Catalogue<'a> {
    /// All modules.
    pub modules: &'a [&'static Module],
    /// Names of the built-in templates.
    pub templates: &'a [&'static str],
    /// Names of the parsers that exist without a `parser()` object.
    pub parsers: &'a [&'static str],
}

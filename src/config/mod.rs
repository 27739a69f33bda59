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
pub mod diagnostic;
pub mod tables;

pub mod source;

mod args;
mod check;
mod checked;
mod compatibility;
mod dyn_stats;
mod expr;
mod fold;
mod forward_target;
mod include;
mod legacy;
mod legacy_action;
mod legacy_value;
mod lex;
mod loader;
mod lookup_tables;
mod merged;
mod modules;
mod objects;
mod parse;
mod parsers;
mod ratelimits;
mod secret;
mod selector;
mod statements;
mod templates;
mod timezones;
mod translate;
mod yaml_translate;

use std::path::Path;

pub use ast::{Expr, PriMask, Span};
pub use checked::{
    ActionDecl, ActionId, AllowedSenders, Config, Element, InputDecl, LookupDecl, ModuleDecl,
    ObjectArgs, OutChannel, ParserDecl, PercentileDecl, PropOp, RulesetDecl, RulesetId, Stmt,
    TemplateDecl, TemplateKind, TemplateOptions, Timezone,
};
pub use diagnostic::{Diagnostic, Diagnostics};
pub use loader::{Loader, SystemLoader};
pub use merged::merged;
pub use translate::Format;

use crate::param::Module;

/// What this program has: the checker knows modules, properties and templates only from here.
#[derive(Clone, Copy, Debug)]
pub struct Catalogue<'a> {
    /// All modules.
    pub modules: &'a [&'static Module],
    /// Names of the built-in templates.
    pub templates: &'a [&'static str],
    /// Names of the parsers that exist without a `parser()` object, once their module is loaded, and the module.
    pub parsers: &'a [ParserName],
}

/// A parser that is there once its module is loaded.
#[derive(Clone, Copy, Debug)]
pub struct ParserName {
    /// Its name.
    pub name: &'static str,
    /// Its module.
    pub module: &'static Module,
    /// Whether `parser()` can make others of the same kind.
    pub instances: bool,
}

/// Loads the configuration that begins in the file `path`.
///
/// All that is wrong is collected; the configuration holds what could be made sense of. The caller decides by
/// [`Diagnostics::fatal`] and [`Diagnostics::has_errors`] whether to go on with it.
pub fn load(path: &str, loader: &dyn Loader, catalogue: &Catalogue<'_>) -> (Config, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let tree = read_tree(path, loader, &mut diagnostics);
    let config = check::check(tree, loader, catalogue, &mut diagnostics);
    (config, diagnostics)
}

/// The configuration that begins in the file `path` in another form.
///
/// # Errors
/// What has no such form, each with its place.
pub fn translate(path: &str, loader: &dyn Loader, format: Format) -> Result<Vec<u8>, Diagnostics> {
    // What is wrong with the text was said when it was loaded.
    let mut diagnostics = Diagnostics::default();
    let tree = read_tree(path, loader, &mut diagnostics);
    let (text, problems) = translate::translate(&tree, format);
    if problems.is_empty() {
        return Ok(text);
    }
    let mut diagnostics = diagnostics.without_findings();
    for (place, what) in problems {
        let file = diagnostics.source(place).filter(|_| place.line > 0);
        let place_name =
            file.map_or_else(String::new, |file| format!("{}:{}: ", file.name(), place.line));
        diagnostics.push(Diagnostic::plain(place, place_name + &what).code(2207));
    }
    Err(diagnostics)
}

fn read_tree(path: &str, loader: &dyn Loader, diagnostics: &mut Diagnostics) -> ast::Tree {
    let mut tree = parse_file(path, loader, diagnostics);
    yaml_translate::rulesets_last(&mut tree, diagnostics);
    tree
}

fn parse_file(path: &str, loader: &dyn Loader, diagnostics: &mut Diagnostics) -> ast::Tree {
    match loader.read(Path::new(path)) {
        Ok(disk) if include::is_yaml(Path::new(path)) => {
            let disk = include::rainerscript(path, &disk, diagnostics);
            if disk.is_none() {
                diagnostics.push_without_place(
                    format!("could not interpret master config file '{path}'."),
                    Some(2207),
                );
            }
            parse::parse(path, disk.unwrap_or_default(), loader, diagnostics)
        }
        Ok(disk) => parse::parse(path, disk, loader, diagnostics),
        Err(error) => {
            let why = include::reason(&error);
            let text = format!("could not open config file '{path}': {why}");
            diagnostics.push_without_place(text, Some(2104));
            diagnostics.fail("");
            ast::Tree::default()
        }
    }
}

#[cfg(test)]
mod tests;

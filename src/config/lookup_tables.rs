//! `lookup_table()`, and the statement that has one read its file again.

use super::args;
use super::ast::{Expr, ExprKind, Object, Span};
use super::check::Checker;
use super::checked::{LookupDecl, Stmt};
use super::diagnostic::Diagnostic;
use super::tables;

impl Checker<'_> {
    pub(super) fn lookup_table(&mut self, object: &Object) {
        let Ok([args]) = args::check(object, [tables::LOOKUP_TABLE], self.diagnostics) else {
            return;
        };
        let name = args.args.text("name").unwrap_or_default();
        if self.config.lookup_tables.iter().any(|table| table.name == name) {
            let text = format!("lookup_table: duplicate name '{name}' in current config set");
            self.diagnostics.push(Diagnostic::plain(args.place("name"), text).code(2046));
            return;
        }
        self.config.lookup_tables.push(LookupDecl { name, args });
    }

    pub(super) fn reload_lookup_table(&mut self, args: Vec<Expr>, span: Span) -> Option<Stmt> {
        const USAGE: &str = "statement ignored: reload_lookup_table(table_name, \
                             optional:stub_value_in_case_reload_fails) expected 1 or 2 arguments";
        let count = args.len();
        let mut texts = Vec::new();
        for arg in args {
            match arg.kind {
                ExprKind::String(text) => texts.push(text),
                _ => {
                    let text = format!("{USAGE}, all of them constant strings");
                    self.error(arg.span, text);
                    return None;
                }
            }
        }
        let mut texts = texts.into_iter();
        match (texts.next(), texts.next(), texts.next()) {
            (Some(table), stub, None) => Some(Stmt::ReloadLookupTable { table, stub, span }),
            _ => {
                self.error(span, format!("{USAGE}, but found '{count}'"));
                None
            }
        }
    }
}

//! `dyn_stats()`: sets of counters that scripts count up.

use super::args;
use super::ast::Object;
use super::check::Checker;
use super::diagnostic::Diagnostic;
use super::tables;

impl Checker<'_> {
    pub(super) fn dyn_stats(&mut self, object: &Object) {
        let Ok([args]) = args::check(object, [tables::DYN_STATS], self.diagnostics) else {
            return;
        };
        let name = args.args.text("name").unwrap_or_default();
        if self.config.dyn_stats.iter().any(|other| other.args.text("name").as_ref() == Some(&name))
        {
            let text = format!(
                "dynstats: duplicate bucket name '{name}' in current config set; impstats output may be \
                 ambiguous"
            );
            self.diagnostics.push(Diagnostic::plain(args.place("name"), text).code(0).warning());
        }
        self.config.dyn_stats.push(args);
    }
}

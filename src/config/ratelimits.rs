//! `ratelimit()`: limits that inputs and actions refer to by name.

use super::args;
use super::ast::Object;
use super::check::Checker;
use super::diagnostic::Diagnostic;
use super::tables;

impl Checker<'_> {
    pub(super) fn ratelimit(&mut self, object: &Object) {
        let Ok([args]) = args::check(object, [tables::RATELIMIT], self.diagnostics) else {
            return;
        };
        let name = args.args.text("name");
        if self.config.ratelimits.iter().any(|other| other.args.text("name") == name) {
            let name = name.unwrap_or_default();
            let text = format!("ratelimit: duplicate name '{name}' in current config set");
            self.diagnostics.push(Diagnostic::plain(args.place("name"), text).code(2046));
            return;
        }
        self.config.ratelimits.push(args);
    }
}

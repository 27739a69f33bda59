//! `dyn_stats()` and `percentile_stats()`: sets of counters that scripts make.

use super::args;
use super::ast::Object;
use super::check::Checker;
use super::checked::PercentileDecl;
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

    pub(super) fn percentile_stats(&mut self, object: &Object) {
        let Ok([args]) = args::check(object, [tables::PERCENTILE_STATS], self.diagnostics) else {
            return;
        };
        let Some(texts) = args.args.array("percentiles") else { return };
        let mut percents = Vec::with_capacity(texts.len());
        for text in texts {
            let text = String::from_utf8_lossy(text);
            match text.parse::<u8>() {
                Ok(percent @ 0..=100) => percents.push(percent),
                _ => {
                    let text = format!(
                        "perctile: percentile value '{text}' is invalid - must be an integer between 0 and 100"
                    );
                    let place = args.place("percentiles");
                    self.diagnostics.push(Diagnostic::plain(place, text).code(1000));
                    return;
                }
            }
        }
        self.config.percentile_stats.push(PercentileDecl { percents, args });
    }
}

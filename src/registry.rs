//! All modules there are. The only file that names them: deleting a module's file and its line here leaves a
//! program that compiles.

use crate::actions::{self, OutputKind};
use crate::config::ParserName;
use crate::inputs::{self, InputKind};
use crate::modifiers::{self, ModifierKind};
use crate::param::Module;
use crate::parsers::{self, ParserKind};
use crate::script::functions;

/// Inputs.
pub static INPUTS: &[&InputKind] = &[
    &inputs::diag::KIND,
    &inputs::kernel::klog::KIND,
    &inputs::kernel::kmsg::KIND,
    &inputs::mark::KIND,
    &inputs::stats::KIND,
    &inputs::tcp::KIND,
    &inputs::tcp::raw::KIND,
    &inputs::udp::KIND,
    &inputs::unix::KIND,
];

/// Outputs.
pub static OUTPUTS: &[&OutputKind] = &[
    &actions::file::KIND,
    &actions::discard::KIND,
    &actions::elasticsearch::KIND,
    &actions::forward::KIND,
    &actions::pipe::KIND,
    &actions::shell::KIND,
    &actions::stdout::KIND,
    &actions::users::KIND,
    &actions::sendertrack::KIND,
];

/// Message modifiers.
pub static MODIFIERS: &[&ModifierKind] = &[
    &modifiers::mmanon::KIND,
    &modifiers::mmcount::KIND,
    &modifiers::mmexternal::KIND,
    &modifiers::mmfields::KIND,
    &modifiers::mmjsonparse::KIND,
    &modifiers::mmjsontransform::KIND,
    &modifiers::mmpstrucdata::KIND,
    &modifiers::mmrm1stspace::KIND,
    &modifiers::mmsequence::KIND,
    &modifiers::mmutf8fix::KIND,
];

/// Parsers.
pub static PARSERS: &[&ParserKind] = &[
    &parsers::settings::RFC5424_KIND,
    &parsers::settings::RFC3164_KIND,
    &parsers::aixforwardedfrom::KIND,
    &parsers::ciscoios::KIND,
    &parsers::cisconames::KIND,
    &parsers::db2diag::KIND,
    &parsers::lastmsg::KIND,
    &parsers::null::KIND,
    &parsers::panngfw::KIND,
    &parsers::snare::KIND,
];

/// The descriptors of all modules.
pub fn modules() -> impl Iterator<Item = &'static Module> {
    let inputs = INPUTS.iter().map(|kind| kind.module);
    let outputs = OUTPUTS.iter().map(|kind| kind.module);
    let modifiers = MODIFIERS.iter().map(|kind| kind.module);
    let parsers = PARSERS.iter().map(|kind| kind.module);
    inputs.chain(parsers).chain(functions::modules()).chain(modifiers).chain(outputs)
}

/// The input module of this name.
#[must_use]
pub fn input(name: &str) -> Option<&'static InputKind> {
    INPUTS.iter().copied().find(|kind| kind.module.name == name)
}

/// The output module of this name.
#[must_use]
pub fn output(name: &str) -> Option<&'static OutputKind> {
    OUTPUTS.iter().copied().find(|kind| kind.module.name == name)
}

/// The parsers that are there once their modules are.
#[must_use]
pub fn parser_names() -> Vec<ParserName> {
    let name = |kind: &&ParserKind| {
        let ParserKind { module, name, instances, .. } = **kind;
        ParserName { name, module, instances }
    };
    PARSERS.iter().map(name).collect()
}

/// The modifier module of this name.
#[must_use]
pub fn modifier(name: &str) -> Option<&'static ModifierKind> {
    MODIFIERS.iter().copied().find(|kind| kind.module.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::{Args, Param};

    #[test]
    fn tables_are_sound() {
        let mut names = Vec::new();
        for module in modules() {
            assert!(!names.contains(&module.name), "{} is there twice", module.name);
            names.push(module.name);
            assert!(module.summary.ends_with('.'), "{}", module.name);
            for table in [module.module_params, module.params] {
                check(module.name, table);
            }
            for (counter, doc) in module.counters {
                assert!(doc.ends_with('.'), "{} {counter}", module.name);
            }
        }
    }

    /// What a module here has is not said to be unavailable.
    #[test]
    fn directives_are_there_or_not() {
        let mut rows =
            modules().flat_map(|module| module.module_params.iter().chain(module.params));
        let there = rows.find_map(|row| {
            let mut names = row.legacy.iter().chain(&row.legacy_alias);
            names.find(|name| crate::config::tables::UNAVAILABLE_DIRECTIVES.contains(name))
        });
        assert_eq!(there, None);
    }

    fn check(module: &str, table: &'static [Param]) {
        let _ = Args::defaults(&[table]); // panics on a default that does not parse
        for (i, param) in table.iter().enumerate() {
            assert!(param.doc.ends_with('.'), "{module} {}", param.name);
            let names = || std::iter::once(&param.name).chain(param.aliases);
            for other in &table[i + 1..] {
                assert!(
                    !names().any(|name| other.is(name)),
                    "{module} {} is there twice",
                    param.name
                );
            }
        }
    }
}

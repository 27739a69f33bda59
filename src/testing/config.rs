//! Configuration: the fuzz target.

use std::io;
use std::path::{Path, PathBuf};

use crate::config::{Catalogue, Format, Loader, load, translate};
use crate::{registry, template};

/// One file, which is also what every `include` finds once.
struct One<'a>(&'a [u8]);

impl Loader for One<'_> {
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Ok(self.0.to_vec())
    }

    fn expand(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(vec![pattern.to_owned()])
    }

    fn is_directory(&self, _: &Path) -> bool {
        true
    }

    fn current_directory(&self) -> PathBuf {
        PathBuf::from("/")
    }

    fn env(&self, name: &[u8]) -> Option<Vec<u8>> {
        Some(name.to_vec())
    }
}

/// Loads any bytes as a configuration. Whatever they are, that ends, and what is wrong can be shown; what is right can be
/// translated, and the translation is its own.
pub fn fuzz(data: &[u8]) {
    let modules: Vec<_> = registry::modules().collect();
    let catalogue = Catalogue {
        modules: &modules,
        templates: &template::BUILTIN_NAMES,
        parsers: &registry::parser_names(),
    };
    let (_, diagnostics) = load("fuzz.conf", &One(data), &catalogue);
    let text = diagnostics.render();
    assert_eq!(text.is_empty(), diagnostics.is_empty());
    if diagnostics.has_errors() {
        return;
    }
    for (format, name) in [(Format::Yaml, "fuzz.yaml"), (Format::RainerScript, "fuzz.conf")] {
        // The first translation may say what it changed; from then on nothing is changed.
        let again = |text: &[u8]| translate(name, &One(text), format);
        if let Ok(first) = translate("fuzz.conf", &One(data), format) {
            let second = again(&first).expect("a translation can be translated");
            assert_eq!(again(&second).ok(), Some(second));
        }
    }
}

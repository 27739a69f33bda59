//! Entry points for fuzzers and benches, and the plain models that property tests compare with. Not an
//! interface of the crate.

pub mod config;
pub mod framing;
pub mod http;
pub mod parsers;
pub mod raw_framing;

/// Calls `each` with a stream in one piece, in pieces of `step` bytes, and, if it is short, cut in two at each place.
fn each_cut<'s>(stream: &'s [u8], step: usize, mut each: impl FnMut(&[&'s [u8]])) {
    each(&[stream]);
    each(&stream.chunks(step).collect::<Vec<_>>());
    if stream.len() <= 64 {
        for at in 0..stream.len() {
            let (head, tail) = stream.split_at(at);
            each(&[head, tail]);
        }
    }
}

#[cfg(test)]
mod tests {
    /// Every stored file of a fuzz target's corpus.
    fn corpus(target: &str, fuzz: fn(&[u8])) {
        let folder = format!("{}/tests/fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
        let mut files = 0;
        for entry in std::fs::read_dir(folder).expect("a folder for each target") {
            let data = std::fs::read(entry.expect("a file").path()).expect("readable");
            fuzz(&data);
            files += 1;
        }
        assert!(files > 10, "{target}: {files} files");
    }

    /// The golden diagnostics and the texts expected of them are as good a corpus as any.
    #[test]
    fn config_corpus() {
        corpus("../../data/diagnostics", super::config::fuzz);
    }

    #[test]
    fn framing_corpus() {
        corpus("framing", super::framing::fuzz);
    }

    #[test]
    fn http_corpus() {
        corpus("http", super::http::fuzz);
    }

    #[test]
    fn raw_framing_corpus() {
        corpus("raw_framing", super::raw_framing::fuzz);
    }

    #[test]
    fn parsers_corpus() {
        corpus("parsers", super::parsers::fuzz);
    }
}

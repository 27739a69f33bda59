//! `zipLevel`: what is written to a file, compressed.
//!
//! Each write is a gzip member of its own. Members one behind the other are a gzip file (RFC 1952, section 2.2), so `zcat`
//! shows all of what was written, whenever the daemon ended and however often the file was opened. rsyslogd does that with
//! `veryRobustZip` only; its one long member cannot be read beyond the place where a daemon was killed.

use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;

/// The highest level there is.
pub(super) const LEVEL_MAX: i64 = 9;

/// `zipLevel`, which is not 0: up to 9, or −1 for zlib's default.
#[must_use]
pub(super) fn level(given: i64) -> Option<Compression> {
    match given {
        0 => None,
        ..0 => Some(Compression::default()),
        given => Some(Compression::new(u32::try_from(given.min(LEVEL_MAX)).unwrap_or_default())),
    }
}

/// The member that holds `text`.
///
/// # Errors
/// None that is known: memory is all it takes.
pub(super) fn member(level: Compression, text: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 4 + HEADER), level);
    encoder.write_all(text)?;
    encoder.finish()
}

/// Bytes around what is compressed: header and trailer, and some.
const HEADER: usize = 64;

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::MultiGzDecoder;

    use super::*;

    #[test]
    fn members_are_one_file() {
        let mut file = Vec::new();
        for (text, given) in [("a\n", 1), ("", 9), ("b\nc\n", -1), ("d\n", 99)] {
            file.extend(member(level(given).unwrap(), text.as_bytes()).unwrap());
        }
        let mut read = String::new();
        MultiGzDecoder::new(&file[..]).read_to_string(&mut read).unwrap();
        assert_eq!(read, "a\nb\nc\nd\n");
        assert!(level(0).is_none());
    }
}

//! A rendered message as it goes on the wire: cut to size, perhaps compressed, framed.

use std::io::Write as _;

use flate2::write::ZlibEncoder;

use super::settings::{Compression, Framing, Settings};

/// Shorter messages are not compressed: it would not make them smaller.
const COMPRESS_BYTES_MIN: usize = 60;

/// Renders into `out` what `render` writes, as one frame. `scratch` is the caller's, for reuse.
pub(super) fn append(
    settings: &Settings,
    scratch: &mut Vec<u8>,
    out: &mut Vec<u8>,
    render: impl FnOnce(&mut Vec<u8>),
) {
    scratch.clear();
    render(scratch);
    scratch.truncate(settings.message_bytes);
    if let Compression::Single(level) = settings.compression
        && scratch.len() > COMPRESS_BYTES_MIN
        && let Some(packed) = compressed(scratch, level)
    {
        *scratch = packed;
    }
    if !settings.tcp {
        return out.extend_from_slice(scratch);
    }
    // What is compressed may contain any delimiter.
    let packed = scratch.first() == Some(&b'z');
    match settings.framing {
        Framing::Delimiter(delimiter) if !packed => {
            out.extend_from_slice(scratch);
            if scratch.last() != Some(&delimiter) {
                out.push(delimiter);
            }
        }
        _ => {
            // Writing to a Vec cannot fail.
            let _ = write!(out, "{} ", scratch.len());
            out.extend_from_slice(scratch);
        }
    }
}

/// `z` and the zlib stream, if that is shorter.
fn compressed(text: &[u8], level: u32) -> Option<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(vec![b'z'], flate2::Compression::new(level));
    encoder.write_all(text).ok()?;
    let packed = encoder.finish().ok()?;
    (packed.len() < text.len()).then_some(packed)
}

#[cfg(test)]
mod tests {
    use super::super::tests::settings;
    use super::*;

    fn frame(settings: &Settings, text: &[u8]) -> Vec<u8> {
        let mut out = b"before ".to_vec();
        append(settings, &mut Vec::new(), &mut out, |out| out.extend_from_slice(text));
        out.split_off(7)
    }

    #[test]
    fn frames() {
        let plain = Settings { tcp: true, message_bytes: 8, ..settings() };
        assert_eq!(frame(&plain, b"abc"), b"abc\n");
        assert_eq!(frame(&plain, b"abc\n"), b"abc\n", "one LF is enough");
        assert_eq!(frame(&plain, b""), b"\n");
        assert_eq!(frame(&plain, b"0123456789"), b"01234567\n", "cut");
        assert_eq!(frame(&plain, b"zip"), b"3 zip", "looks compressed");
        let counted = Settings { framing: Framing::OctetCounted, ..plain.clone() };
        assert_eq!(frame(&counted, b"a\nb"), b"3 a\nb");
        assert_eq!(frame(&Settings { tcp: false, ..plain }, b"abc"), b"abc", "a datagram");
    }

    #[test]
    fn what_shrinks_is_compressed() {
        let zip = Settings { tcp: true, compression: Compression::Single(9), ..settings() };
        let text = b"x".repeat(1000);
        let framed = frame(&zip, &text);
        let blank = framed.iter().position(|byte| *byte == b' ').expect("counted");
        let packed = &framed[blank + 1..];
        assert_eq!(framed[..blank], *packed.len().to_string().as_bytes());
        let mut decoder = flate2::write::ZlibDecoder::new(Vec::new());
        decoder.write_all(packed.strip_prefix(b"z").expect("mark")).expect("zlib");
        assert_eq!(decoder.finish().expect("whole"), text);
        assert_eq!(frame(&zip, &text[..60]), [&text[..60], b"\n"].concat(), "too short");
    }
}

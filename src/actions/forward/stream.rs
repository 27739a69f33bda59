//! Compression of all that goes through one connection (`compression.mode="stream:always"`): one zlib stream (RFC 1950)
//! or one Zstandard frame (RFC 8878), which the receiver unpacks as it comes.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use zstd::stream::write::Encoder as ZstdEncoder;

/// What a connection's stream is compressed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stream {
    pub(super) format: Format,
    /// 0 (none) to 9 (smallest).
    pub(super) level: u32,
    /// Whether each batch can be unpacked as soon as it is received.
    pub(super) flush: bool,
}

/// `compression.driver`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Format {
    #[default]
    Zlib,
    Zstd,
}

/// The sending end of one stream.
pub(super) struct Packer {
    encoder: Encoder,
    flush: bool,
}

enum Encoder {
    Zlib(ZlibEncoder<Vec<u8>>),
    Zstd(ZstdEncoder<'static, Vec<u8>>),
}

impl Packer {
    /// The beginning of a stream.
    ///
    /// # Errors
    /// The library's.
    pub(super) fn new(stream: Stream) -> io::Result<Self> {
        let encoder = match stream.format {
            Format::Zlib => {
                Encoder::Zlib(ZlibEncoder::new(Vec::new(), Compression::new(stream.level)))
            }
            Format::Zstd => {
                let level = i32::try_from(stream.level).unwrap_or(i32::MAX);
                Encoder::Zstd(ZstdEncoder::new(Vec::new(), level)?)
            }
        };
        Ok(Self { encoder, flush: stream.flush })
    }

    /// Takes a batch or a part of it, and returns what is to be sent for it now; `is_last` ends the batch.
    ///
    /// # Errors
    /// The library's.
    pub(super) fn pack(&mut self, batch: &[u8], is_last: bool) -> io::Result<Vec<u8>> {
        let flush = self.flush && is_last;
        let out = match &mut self.encoder {
            Encoder::Zlib(encoder) => {
                feed(encoder, batch, flush)?;
                encoder.get_mut()
            }
            Encoder::Zstd(encoder) => {
                feed(encoder, batch, flush)?;
                encoder.get_mut()
            }
        };
        Ok(std::mem::take(out))
    }

    /// The end of the stream: what is still to be sent.
    ///
    /// # Errors
    /// The library's.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        match self.encoder {
            Encoder::Zlib(encoder) => encoder.finish(),
            Encoder::Zstd(encoder) => encoder.finish(),
        }
    }
}

fn feed(encoder: &mut impl Write, batch: &[u8], flush: bool) -> io::Result<()> {
    encoder.write_all(batch)?;
    if flush { encoder.flush() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn unpacked(format: Format, packed: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        let read = match format {
            Format::Zlib => flate2::read::ZlibDecoder::new(packed).read_to_end(&mut text),
            Format::Zstd => zstd::Decoder::new(packed).expect("zstd").read_to_end(&mut text),
        };
        // A stream that goes on ends too early for the readers; what they have got counts.
        read.map_err(|why| why.kind()).unwrap_or_default();
        text
    }

    #[test]
    fn each_batch_can_be_unpacked_at_once() {
        for format in [Format::Zlib, Format::Zstd] {
            let mut packer = Packer::new(Stream { format, level: 9, flush: true }).expect("new");
            let mut wire = packer.pack(b"one\n", true).expect("packed");
            assert_eq!(unpacked(format, &wire), b"one\n", "{format:?}");
            wire.extend(packer.pack(b"two\n", true).expect("packed"));
            assert_eq!(unpacked(format, &wire), b"one\ntwo\n", "{format:?}");
            wire.extend(packer.finish().expect("end"));
            assert_eq!(unpacked(format, &wire), b"one\ntwo\n", "{format:?}");
        }
    }

    #[test]
    fn without_a_flush_batches_are_gathered() {
        for format in [Format::Zlib, Format::Zstd] {
            let mut packer = Packer::new(Stream { format, level: 1, flush: false }).expect("new");
            let mut wire = packer.pack(b"one\n", true).expect("packed");
            assert_eq!(unpacked(format, &wire), b"", "{format:?}");
            wire.extend(packer.pack(b"two\n", true).expect("packed"));
            wire.extend(packer.finish().expect("end"));
            assert_eq!(unpacked(format, &wire), b"one\ntwo\n", "{format:?}");
        }
    }
}

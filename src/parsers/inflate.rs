//! Messages that are compressed one by one: a `z`, then a zlib stream (RFC 1950).

use flate2::{Decompress, FlushDecompress, Status};

/// zlib's return code, which the reference shows, for a stream that is broken or ends early.
const DATA_ERROR: i32 = -3;
/// The same for a text that does not fit.
const BUFFER_ERROR: i32 = -5;

/// Unpacks the zlib stream at the start of `stream` into `out`; returns the text's length.
///
/// # Errors
/// zlib's return code.
pub(super) fn inflate(stream: &[u8], out: &mut [u8]) -> Result<usize, i32> {
    let mut zlib = Decompress::new(true);
    let status = zlib.decompress(stream, out, FlushDecompress::Finish);
    let len = usize::try_from(zlib.total_out()).unwrap_or(out.len());
    match status {
        Ok(Status::StreamEnd) => Ok(len),
        Ok(_) if len == out.len() => Err(BUFFER_ERROR),
        Ok(_) | Err(_) => Err(DATA_ERROR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"<13>Oct 11 22:14:15 host app: hello hello hello hello";
    /// What zlib makes of it: stored, and with the fixed codes.
    const STORED: &[u8] =
        b"\x78\x01\x01\x35\x00\xca\xff<13>Oct 11 22:14:15 host app: hello hello hello \
        hello\x90\x16\x10\x93";
    const FIXED: &[u8] = b"\x78\xda\xb3\x31\x34\xb6\xf3\x4f\x2e\x51\x30\x34\x54\x30\x32\xb2\x32\x34\xb1\x32\
        \x34\x55\xc8\xc8\x2f\x2e\x51\x48\x2c\x28\xb0\x52\xc8\x48\xcd\xc9\xc9\xc7\x24\x01\x90\x16\x10\x93";
    /// `0,0;1,1;4,2;9,3;…`, as `n * n,n in hex;` for 60 numbers, with codes of its own.
    const DYNAMIC: &[u8] = include_bytes!("../../tests/data/squares.zlib");

    fn unpacked(stream: &[u8]) -> Result<Vec<u8>, i32> {
        let mut out = vec![0; 500];
        inflate(stream, &mut out).map(|len| out[..len].to_vec())
    }

    fn squares() -> Vec<u8> {
        (0..60).map(|n| format!("{},{n:x};", n * n)).collect::<String>().into_bytes()
    }

    #[test]
    fn every_kind_of_block() {
        assert_eq!(unpacked(STORED).as_deref(), Ok(TEXT));
        assert_eq!(unpacked(FIXED).as_deref(), Ok(TEXT));
        assert_eq!(unpacked(DYNAMIC), Ok(squares()));
        assert_eq!(unpacked(&[FIXED, b"behind"].concat()).as_deref(), Ok(TEXT));
    }

    #[test]
    fn broken_streams_have_zlibs_codes() {
        let mut out = [0; TEXT.len() - 1];
        assert_eq!(inflate(FIXED, &mut out), Err(BUFFER_ERROR));
        assert_eq!(inflate(STORED, &mut out), Err(BUFFER_ERROR));
        for text in ["", "x", "ebra crossing"] {
            assert_eq!(unpacked(text.as_bytes()), Err(DATA_ERROR), "{text}");
        }
        for whole in [STORED, FIXED, DYNAMIC] {
            for end in 0..whole.len() {
                assert_eq!(unpacked(&whole[..end]), Err(DATA_ERROR), "{end}");
            }
        }
    }

    #[test]
    fn a_flipped_bit_is_found() {
        for whole in [STORED, FIXED, DYNAMIC] {
            let text = unpacked(whole);
            // Bits of the first byte may stand for another window, which nobody asks for; so those of the
            // padding before the checksum.
            for bit in 16..whole.len() * 8 {
                let mut stream = whole.to_vec();
                stream[bit / 8] ^= 1 << (bit % 8);
                let result = unpacked(&stream);
                assert!(result.is_err() || result == text, "{bit}");
            }
        }
    }
}

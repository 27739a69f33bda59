//! What a listener's configuration says about framing; shared by all its sessions.

use crate::limits;

/// Framing options of a listener (`spec/imtcp.md` section 1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `maxMessageSize`: a longer frame is split, or cut where `discard_truncated` says so. Bytes.
    pub message_bytes: usize,
    /// `maxFrameSize`: a larger octet count is taken for text. Bytes.
    pub max_frame_size: u32,
    /// `supportOctetCountedFraming`: a frame that begins with a digit is counted.
    pub octet_counting: bool,
    /// Whether LF ends a frame: `disableLFDelimiter` is off.
    pub lf: bool,
    /// `addtlFrameDelimiter`: a byte that ends a frame, too.
    pub delimiter: Option<u8>,
    /// `framingFix.cisco.asa`: blanks before a frame are ignored.
    pub cisco_fix: bool,
    /// `multiLine`: a delimiter ends a frame only where `<` follows.
    pub multi_line: bool,
    /// `discardTruncatedMsg`: what exceeds `message_bytes` is dropped, not split off.
    pub discard_truncated: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            message_bytes: limits::MESSAGE_BYTES_DEFAULT,
            max_frame_size: limits::FRAME_BYTES_DEFAULT,
            octet_counting: true,
            lf: true,
            delimiter: None,
            cisco_fix: false,
            multi_line: false,
            discard_truncated: false,
        }
    }
}

impl Options {
    /// Where the first delimiter stands in `input`, at or behind `from`.
    #[must_use]
    pub fn find_delimiter(&self, input: &[u8], from: usize) -> Option<usize> {
        let rest = input.get(from..)?;
        let found = match (self.lf, self.delimiter) {
            (true, None) => memchr::memchr(b'\n', rest),
            (true, Some(other)) => memchr::memchr2(b'\n', other, rest),
            (false, Some(other)) => memchr::memchr(other, rest),
            (false, None) => None,
        };
        found.map(|at| from + at)
    }
}

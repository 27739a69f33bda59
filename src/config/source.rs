//! One configuration text, made ready for the lexer: blanks at line ends gone, continued lines glued.
//!
//! The reading rules are those of `spec/config-language.md` section 1. The lexer works on the glued
//! text; [`Source::place`] leads from there back to the line and byte on disk. Unlike the reference, which
//! reads lines in pieces of 10,239 bytes and treats each piece as a line, lines may have any length.

use std::borrow::Cow;

use super::ast::Span;
use super::secret::masked;

/// A piece of glued text and where it came from.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// First byte in the glued text.
    text: u32,
    /// The same byte on disk.
    disk: u32,
    /// Its line, from 1.
    line: u32,
}

/// One file, or one text given by `include(text=…)`.
#[derive(Clone, Debug)]
pub struct Source {
    name: String,
    disk: Vec<u8>,
    text: Vec<u8>,
    pieces: Vec<Piece>,
}

impl Source {
    /// Prepares `disk`, the bytes of the file `name`. Bytes beyond 4 GiB are not looked at; the loader
    /// refuses far smaller files.
    #[must_use]
    pub fn new(name: impl Into<String>, disk: Vec<u8>) -> Self {
        let mut text = Vec::with_capacity(disk.len() + 1);
        let mut pieces = Vec::new();
        let (mut continued, mut disk_offset, mut line) = (false, 0, 0);
        for raw in disk.split_inclusive(|&byte| byte == b'\n') {
            line += 1;
            let start = if continued { raw.len() - raw.trim_ascii_start().len() } else { 0 };
            let kept = trim_end(raw.get(start..).unwrap_or_default());
            let piece = Piece { text: offset(text.len()), disk: offset(disk_offset + start), line };
            pieces.push(piece);
            disk_offset += raw.len();
            match kept.split_last() {
                Some((b'\\', rest)) => {
                    text.extend_from_slice(rest);
                    continued = true;
                }
                Some(_) => {
                    text.extend_from_slice(kept);
                    continued = false;
                }
                // A blank line does not end a continuation.
                None => {}
            }
            if !continued {
                text.push(b'\n');
            }
        }
        if continued {
            text.push(b'\n');
        }
        Self { name: name.into(), disk, text, pieces }
    }

    /// As it appears in messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The glued text; ends in a line feed unless empty.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The glued text as it may be shown: without private keys.
    #[must_use]
    pub fn shown(&self) -> Cow<'_, [u8]> {
        masked(&self.text)
    }

    /// The span on disk of `start..end` of the glued text.
    #[must_use]
    pub fn span(&self, file: u16, start: usize, end: usize) -> Span {
        let (line, disk) = self.place(start);
        Span { file, line, offset: disk, len: offset(end.saturating_sub(start).max(1)) }
    }

    /// Line and byte on disk of a byte of the glued text.
    #[must_use]
    pub fn place(&self, at: usize) -> (u32, u32) {
        let at = offset(at);
        let after = self.pieces.partition_point(|piece| piece.text <= at);
        let Some(piece) = after.checked_sub(1).and_then(|i| self.pieces.get(i)) else {
            return (1, 0);
        };
        (piece.line, piece.disk + (at - piece.text))
    }

    /// The line on disk that `offset` is in, without its end, with unprintable bytes and private keys replaced, and the
    /// column of `offset` in it, in characters from 1.
    #[must_use]
    pub fn line_at(&self, offset: u32) -> (String, usize) {
        let at = (offset as usize).min(self.disk.len());
        let disk = masked(&self.disk);
        let (before, behind) = disk.split_at(at);
        let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |i| i + 1);
        let end = behind.iter().position(|&byte| byte == b'\n').map_or(behind.len(), |i| i);
        let head = printable(&before[start..]);
        let column = head.chars().count() + 1;
        (head + printable(&behind[..end]).trim_end(), column)
    }
}

fn trim_end(line: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    let end = line.iter().rposition(|byte| !is_blank(byte)).map_or(0, |last| last + 1);
    &line[..end]
}

fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c })
        .collect()
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_trimmed_and_glued() {
        let cases: &[(&str, &str)] = &[
            ("", ""),
            ("a", "a\n"),
            ("a  \t\r\nb\n", "a\nb\n"),
            ("mail.*;\\\n\t  auth.none\\\n /x\n*.* /y\n", "mail.*;auth.none/x\n*.* /y\n"),
            ("a \\\n\n  b\nc", "a b\nc\n"),
            ("a\\\n", "a\n"),
            ("a\\", "a\n"),
            ("\\", "\n"),
        ];
        for (disk, text) in cases {
            let source = Source::new("t", disk.as_bytes().to_vec());
            assert_eq!(String::from_utf8_lossy(source.text()), *text, "{disk:?}");
        }
    }

    #[test]
    fn places_lead_back_to_the_disk() {
        let source = Source::new("t", b"one \\\n   two\nthree\n".to_vec());
        assert_eq!(source.text(), b"one two\nthree\n");
        assert_eq!(source.place(0), (1, 0));
        assert_eq!(source.place(4), (2, 9));
        assert_eq!(source.place(8), (3, 13));
        assert_eq!(source.line_at(9), ("   two".to_owned(), 4));
        assert_eq!(source.line_at(1000), (String::new(), 1));
    }
}

//! JSON: values, and text the way the reference's library writes it.
//!
//! - [`value`]: [`Json`], the type of variables.
//! - [`parse`](mod@parse): text to value.

pub mod parse;
mod strict;
pub mod value;

pub use parse::{Parsed, parse, parse_whole};
pub use strict::escape_strict;
pub use value::{Case, Json, Object, Style};

/// Appends `text` as the inside of a JSON string: quotes, backslashes, slashes and control characters are
/// escaped, hexadecimal digits in lower case. Other bytes pass unchanged, valid UTF-8 or not.
pub fn escape(text: &[u8], out: &mut Vec<u8>) {
    write_escaped(text, b"0123456789abcdef", out);
}

/// As [`escape`] with hexadecimal digits in upper case: the `json` options of templates.
pub fn escape_upper(text: &[u8], out: &mut Vec<u8>) {
    write_escaped(text, b"0123456789ABCDEF", out);
}

/// Length of the part of `text` before the first byte that needs an escape.
#[must_use]
pub fn plain_prefix(text: &[u8]) -> usize {
    // No branch per byte, so that the compiler takes whole chunks in vector registers.
    let special = |c: u8| (c < b' ') | (c == b'"') | (c == b'\\') | (c == b'/');
    let plain = |chunk: &&[u8]| chunk.iter().fold(0, |any, c| any | u8::from(special(*c))) == 0;
    let checked = text.chunks_exact(CHUNK).take_while(plain).count() * CHUNK;
    let rest = text.get(checked..).unwrap_or_default();
    checked + rest.iter().position(|c| special(*c)).unwrap_or(rest.len())
}

/// Bytes looked at together.
const CHUNK: usize = 32;

/// Appends the escape for `c`, which needs one; with these sixteen hexadecimal digits.
pub fn write_escape(c: u8, hex: &[u8; 16], out: &mut Vec<u8>) {
    let short = match c {
        b'"' | b'\\' | b'/' => c,
        8 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        12 => b'f',
        b'\r' => b'r',
        _ => {
            out.extend_from_slice(b"\\u00");
            return out.extend([hex[usize::from(c >> 4)], hex[usize::from(c & 15)]]);
        }
    };
    out.extend([b'\\', short]);
}

fn write_escaped(mut text: &[u8], hex: &[u8; 16], out: &mut Vec<u8>) {
    loop {
        let (plain, rest) = text.split_at(plain_prefix(text));
        out.extend_from_slice(plain);
        let Some((special, rest)) = rest.split_first() else { return };
        write_escape(*special, hex, out);
        text = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        let mut out = Vec::new();
        escape(b"a\"\\/\x08\t\n\x0c\r\x01\x1f\x7f\xff", &mut out);
        assert_eq!(out, b"a\\\"\\\\\\/\\b\\t\\n\\f\\r\\u0001\\u001f\x7f\xff");
        out.clear();
        escape_upper(b"\x1f", &mut out);
        assert_eq!(out, b"\\u001F");
    }
}

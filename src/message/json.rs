//! JSON text, the way the reference's library writes it.

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
    let special = memchr::memchr3(b'"', b'\\', b'/', text).unwrap_or(text.len());
    let plain = text.get(..special).unwrap_or(text);
    plain.iter().position(|c| *c < b' ').unwrap_or(special)
}

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

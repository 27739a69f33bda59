//! Classes of bytes, looked up in a table.

/// Letters, digits, dot, underscore and hyphen: what a host name consists of.
pub(super) const HOST: u8 = 1;
/// Printable ASCII without colon, opening bracket and slash: what a program name consists of.
pub(super) const PROGRAM: u8 = 1 << 1;
/// A slash.
pub(super) const SLASH: u8 = 1 << 2;
/// An at sign.
pub(super) const AT: u8 = 1 << 3;
/// [`PROGRAM`] without the blank: what a program name in a message consists of.
pub(super) const PROGRAM_WORD: u8 = 1 << 4;

/// How many bytes at the start of `text` are of one of the classes.
pub(super) fn span(text: &[u8], classes: u8) -> usize {
    let outside = |c: &u8| CLASSES[usize::from(*c)] & classes == 0;
    text.iter().position(outside).unwrap_or(text.len())
}

static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut c = 0_u8;
    while c < 0x80 {
        let host = c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
        let program = c >= b' ' && c < 0x7f && !matches!(c, b':' | b'[' | b'/');
        classes[c as usize] = match c {
            b'/' => SLASH,
            b' ' => PROGRAM,
            b'@' => AT | PROGRAM | PROGRAM_WORD,
            _ => (if host { HOST } else { 0 }) | (if program { PROGRAM | PROGRAM_WORD } else { 0 }),
        };
        c += 1;
    }
    classes
};

//! What is done to a received text before it is parsed (`spec/message-model.md` section 4): line ends
//! dropped, control characters escaped. A text that needs no escaping, nearly every one, is not copied.

use crate::limits;
use crate::message::{Bytes, Span};

/// The `parser.*` parameters of `global()` that concern the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SanitiseOptions {
    /// `maxMessageSize`: an escaped text is cut to this. Bytes.
    pub message_bytes: usize,
    /// `parser.dropTrailingLFOnReception`.
    pub drop_trailing_lf: bool,
    /// `parser.dropTrailingCROnReception`.
    pub drop_trailing_cr: bool,
    /// `parser.spaceLFOnReceive`: LF becomes a blank.
    pub space_lf: bool,
    /// `parser.escapeControlCharactersOnReceive`; NUL is escaped without it, too.
    pub escape_control: bool,
    /// `parser.escapeControlCharacterTab`.
    pub escape_tab: bool,
    /// `parser.escape8BitCharactersOnReceive`.
    pub escape_8bit: bool,
    /// `parser.escapeControlCharactersCStyle`: `\n` and `\x7F`, not `#012`.
    pub c_style: bool,
    /// `parser.controlCharacterEscapePrefix`.
    pub prefix: u8,
}

impl Default for SanitiseOptions {
    fn default() -> Self {
        Self {
            message_bytes: limits::MESSAGE_BYTES_DEFAULT,
            drop_trailing_lf: true,
            drop_trailing_cr: false,
            space_lf: false,
            escape_control: true,
            escape_tab: true,
            escape_8bit: false,
            c_style: false,
            prefix: b'#',
        }
    }
}

/// Cleans the text at `raw`; returns where the clean one is: a part of it, or a changed copy at the end.
pub fn sanitise(bytes: &mut Bytes, raw: Span, options: &SanitiseOptions) -> Span {
    let text = trim(bytes.get(raw), options);
    // It begins where it did.
    let raw =
        Span { start: raw.start, len: raw.len.min(u32::try_from(text.len()).unwrap_or(raw.len)) };
    let Some(first) = options.first_special(text) else { return raw };
    // A byte becomes four at most.
    bytes.reserve(4 * raw.len as usize);
    let start = bytes.len();
    let (used, spare) = bytes.used_and_spare_mut();
    let len = options.escape(used.get(raw.range()).unwrap_or_default(), first, spare);
    bytes.advance(len);
    Span::new(start, len)
}

/// Drops one trailing NUL, then one LF, then one CR.
fn trim<'a>(mut text: &'a [u8], options: &SanitiseOptions) -> &'a [u8] {
    if !matches!(text.last(), Some(b'\0' | b'\n' | b'\r')) {
        return text;
    }
    text = text.strip_suffix(b"\0").unwrap_or(text);
    if options.drop_trailing_lf {
        text = text.strip_suffix(b"\n").unwrap_or(text);
    }
    if options.drop_trailing_cr {
        text = text.strip_suffix(b"\r").unwrap_or(text);
    }
    text
}

impl SanitiseOptions {
    /// Where the first byte stands that has to be looked at one by one.
    fn first_special(&self, text: &[u8]) -> Option<usize> {
        if self.escape_control && !self.escape_8bit {
            return first_control(text);
        }
        if !self.escape_control && !self.escape_8bit && !self.space_lf {
            return memchr::memchr(0, text);
        }
        text.iter().position(|c| match c {
            b'\n' => self.space_lf || self.escape_control,
            0 => true,
            1..=0x1f => self.escape_control,
            _ => *c > 0x7f && self.escape_8bit,
        })
    }

    /// Writes the escaped `text`, of which the first special byte is known, into `out`; returns how much
    /// that is. `out` must have room for four times the text.
    fn escape(&self, text: &[u8], first: usize, out: &mut [u8]) -> usize {
        // The reference wants room for one more escape before it takes a byte, and only where it escapes;
        // but what lies before the last byte before the first escape it copies without a look.
        let limit = self.message_bytes.min(4 * text.len()).saturating_sub(3);
        let limit = if self.only_space_lf(text) { usize::MAX } else { limit };
        let mut out = Output { out, len: 0 };
        let mut rest = text;
        let copied = first.saturating_sub(1).min(limit.saturating_add(3));
        if let Some((head, tail)) = text.split_at_checked(copied) {
            out.push(head);
            rest = tail;
        }
        while !rest.is_empty() && out.len < limit {
            let plain = self.first_special(rest).unwrap_or(rest.len()).min(limit - out.len);
            let Some((head, tail)) = rest.split_at_checked(plain) else { break };
            out.push(head);
            rest = tail;
            if let (Some((special, tail)), true) = (rest.split_first(), out.len < limit) {
                self.escape_byte(*special, &mut out);
                rest = tail;
            }
        }
        out.len
    }

    /// Whether no byte is to be escaped, but LF replaced.
    fn only_space_lf(&self, text: &[u8]) -> bool {
        let without = Self { space_lf: false, ..self.clone() };
        self.space_lf
            && text.split(|c| *c == b'\n').all(|line| without.first_special(line).is_none())
    }

    fn escape_byte(&self, byte: u8, out: &mut Output<'_>) {
        match byte {
            b'\n' if self.space_lf => out.push(b" "),
            b'\t' if !self.escape_tab => out.push(b"\t"),
            1..=0x1f if !self.escape_control => out.push(&[byte]),
            _ if self.c_style => match c_letter(byte) {
                Some(letter) => out.push(&[b'\\', letter]),
                None => out.push(&[b'\\', b'x', hex(byte >> 4), hex(byte & 15)]),
            },
            _ => {
                let octal = |shift: u8| b'0' + (byte >> shift & 7);
                out.push(&[self.prefix, octal(6), octal(3), octal(0)]);
            }
        }
    }
}

/// Bytes being written into a room that is large enough.
struct Output<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl Output<'_> {
    fn push(&mut self, bytes: &[u8]) {
        if let Some(to) = self.out.get_mut(self.len..self.len + bytes.len()) {
            to.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }
}

/// The first byte below a blank.
fn first_control(text: &[u8]) -> Option<usize> {
    let is_control = |c: &u8| *c < b' ';
    for (index, piece) in text.chunks(PIECE).enumerate() {
        if lowest(piece) < b' ' {
            return piece.iter().position(is_control).map(|at| index * PIECE + at);
        }
    }
    None
}

/// The smallest byte, found in lanes that the compiler compares at once.
fn lowest(text: &[u8]) -> u8 {
    let least = |bytes: &[u8]| bytes.iter().fold(u8::MAX, |low, c| low.min(*c));
    // It overlaps the block before.
    let Some(last) = text.last_chunk::<LANES>() else { return least(text) };
    let mut lanes = *last;
    for block in text.chunks_exact(LANES) {
        lanes.iter_mut().zip(block).for_each(|(low, c)| *low = (*low).min(*c));
    }
    least(&lanes)
}

/// Bytes compared at once.
const LANES: usize = 32;
/// Bytes looked at before the first control character among them is searched, so that a text full of them
/// is not looked at again and again.
const PIECE: usize = 16 * LANES;

/// The letter of a C escape sequence.
fn c_letter(byte: u8) -> Option<u8> {
    Some(match byte {
        0 => b'0',
        7 => b'a',
        8 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        11 => b'v',
        12 => b'f',
        b'\r' => b'r',
        27 => b'e',
        _ => return None,
    })
}

fn hex(digit: u8) -> u8 {
    if digit < 10 { b'0' + digit } else { b'A' + digit - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Builder;

    /// The clean text, and whether it is a copy.
    fn clean(text: &[u8], options: &SanitiseOptions) -> (Vec<u8>, bool) {
        let mut builder = Builder::new(std::sync::Arc::default());
        let raw = builder.bytes().append(text);
        let span = sanitise(builder.bytes(), raw, options);
        (builder.bytes().get(span).to_vec(), span.start != raw.start)
    }

    fn check(options: &SanitiseOptions, rows: &[(&[u8], &[u8])]) {
        for (text, expected) in rows {
            let (got, _) = clean(text, options);
            assert_eq!(got, *expected, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn defaults() {
        let rows: &[(&[u8], &[u8])] = &[
            (b"<13>a: b", b"<13>a: b"),
            (b"<13>a: b\n", b"<13>a: b"),
            (b"<13>a: b\n\n", b"<13>a: b#012"),
            (b"<13>a: b\0", b"<13>a: b"),
            (b"<13>a: b\0\0", b"<13>a: b#000"),
            (b"<13>a: b\n\0", b"<13>a: b"),
            (b"<13>a: b\0\n", b"<13>a: b#000"),
            (b"<13>a: b\r\n", b"<13>a: b#015"),
            (b"<13>x\0y", b"<13>x#000y"),
            (b"\ta\x1f", b"#011a#037"),
            (b"\x7f\x80\xff\xc3\xa9", b"\x7f\x80\xff\xc3\xa9"),
            (b"\n", b""),
            (b"\0", b""),
        ];
        check(&SanitiseOptions::default(), rows);
    }

    #[test]
    fn options() {
        let base = SanitiseOptions::default;
        check(&SanitiseOptions { drop_trailing_cr: true, ..base() }, &[(b"a\r\n", b"a")]);
        check(&SanitiseOptions { drop_trailing_lf: false, ..base() }, &[(b"a\n", b"a#012")]);
        check(&SanitiseOptions { space_lf: true, ..base() }, &[(b"a\nb\tc\nd\n", b"a b#011c d")]);
        check(&SanitiseOptions { space_lf: true, ..base() }, &[(b"\na\nb", b" a b")]);
        check(&SanitiseOptions { escape_tab: false, ..base() }, &[(b"a\tb\rc", b"a\tb#015c")]);
        let off = SanitiseOptions { escape_control: false, ..base() };
        check(&off, &[(b"a\tb\rc", b"a\tb\rc"), (b"a\tb\0c\x01d", b"a\tb#000c\x01d")]);
        let eight = SanitiseOptions { escape_8bit: true, ..base() };
        check(&eight, &[(b"\xc3\xa9\x7f\t", b"#303#251\x7f#011")]);
        check(&SanitiseOptions { prefix: b'\\', ..base() }, &[(b"a\nb", b"a\\012b")]);
        let c_style = SanitiseOptions { c_style: true, ..base() };
        check(
            &c_style,
            &[(b"\0\x07\x08\t\n\x0b\x0c\r\x1b\x01\x1f.", br"\0\a\b\t\n\v\f\r\e\x01\x1F.")],
        );
        let c_style_8bit = SanitiseOptions { escape_8bit: true, ..c_style };
        check(&c_style_8bit, &[(b"\xc3\xa9\n.", br"\xC3\xA9\n.")]);
    }

    #[test]
    fn only_a_changed_text_is_copied() {
        let long = [b'x'; 100];
        for at in 0..long.len() {
            let mut text = long;
            assert!(!clean(&text, &SanitiseOptions::default()).1);
            text[at] = b'\r';
            let (got, copied) = clean(&text, &SanitiseOptions::default());
            assert!(copied);
            assert_eq!(got.len(), 103, "{at}");
            assert_eq!(&got[at..at + 4], b"#015");
        }
    }

    /// The reference's figures: it stops taking bytes once another escape might not fit.
    #[test]
    fn limited_to_the_message_size() {
        let options = SanitiseOptions { message_bytes: 128, ..SanitiseOptions::default() };
        for (plain, tabs, expected) in [
            (200, 0, 200),
            (100, 7, 128),
            (101, 7, 125),
            (124, 1, 128),
            (125, 1, 125),
            (300, 1, 128),
        ] {
            let text = [vec![b'x'; plain], vec![b'\t'; tabs]].concat();
            assert_eq!(clean(&text, &options).0.len(), expected, "{plain} + {tabs}");
        }
        let options = SanitiseOptions { space_lf: true, ..options };
        assert_eq!(clean(&[b'\n'; 200], &options).0, [b' '; 199]);
    }
}

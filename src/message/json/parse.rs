//! JSON text to values, as lenient as the reference's library: single quotes, a comma before a closing bracket,
//! comments, words in any case. A number or a word needs something behind it: at the very end of the text it may
//! be cut off. Nesting is bounded by `limits::JSON_DEPTH`, and recursion with it.

use super::value::{Case, Json, Object, leading_number};
use crate::limits;

/// What was found in a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The first value; `None` if it is not valid or not complete.
    pub value: Option<Json>,
    /// Where the text goes on behind it, white space and comments passed over.
    pub end: usize,
}

/// Reads the value a text begins with.
#[must_use]
pub fn parse(text: &[u8], case: Case) -> Parsed {
    let mut parser = Parser { text, at: 0, case };
    let value = parser.document();
    Parsed { value, end: parser.at }
}

/// Reads a text that is nothing but one value. `null` is none.
#[must_use]
pub fn parse_whole(text: &[u8], case: Case) -> Option<Json> {
    let parsed = parse(text, case);
    let value = parsed.value.filter(|value| *value != Json::Null)?;
    (parsed.end == text.len()).then_some(value)
}

struct Parser<'t> {
    text: &'t [u8],
    at: usize,
    case: Case,
}

impl Parser<'_> {
    fn document(&mut self) -> Option<Json> {
        self.skip_blanks()?;
        let value = self.value(0)?;
        let complete = match value {
            Json::Str(_) | Json::Array(_) | Json::Object(_) => true,
            _ => self.peek().is_some(),
        };
        self.skip_blanks()?;
        complete.then_some(value)
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// White space and comments; `None` if a comment is not closed.
    fn skip_blanks(&mut self) -> Option<()> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t'..=b'\r') => self.at += 1,
                Some(b'/') => {
                    let close: &[u8] = match self.text.get(self.at + 1) {
                        Some(b'*') => b"*/",
                        Some(b'/') => b"\n",
                        _ => return None,
                    };
                    self.at += 2;
                    self.at += memchr::memmem::find(self.rest(), close)? + close.len();
                }
                _ => return Some(()),
            }
        }
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        match self.peek()? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' | b'\'' => Some(Json::Str(self.string()?.into())),
            b'-' if matches!(self.text.get(self.at + 1), Some(b'i' | b'I')) => {
                self.at += 1;
                self.word(b"infinity").then(|| Json::double(f64::NEG_INFINITY))
            }
            b'0'..=b'9' | b'-' => self.number(),
            b'i' | b'I' => self.word(b"infinity").then(|| Json::double(f64::INFINITY)),
            b't' | b'T' => self.word(b"true").then_some(Json::Bool(true)),
            b'f' | b'F' => self.word(b"false").then_some(Json::Bool(false)),
            b'n' | b'N' if self.word(b"null") => Some(Json::Null),
            b'n' | b'N' => self.word(b"nan").then(|| Json::double(f64::NAN)),
            _ => None,
        }
    }

    fn word(&mut self, word: &[u8]) -> bool {
        let found = self.rest().get(..word.len()).is_some_and(|w| w.eq_ignore_ascii_case(word));
        if found {
            self.at += word.len();
        }
        found
    }

    fn number(&mut self) -> Option<Json> {
        let start = self.at;
        let (mut fraction, mut exponent) = (false, None);
        while let Some(byte @ (b'0'..=b'9' | b'.' | b'+' | b'-' | b'e' | b'E')) = self.peek() {
            match byte {
                b'.' if fraction || exponent.is_some() => return None,
                b'.' => fraction = true,
                b'e' | b'E' if exponent.is_some() => return None,
                b'e' | b'E' => exponent = Some(self.at),
                b'-' if self.at != start && exponent.is_none_or(|at| at + 1 != self.at) => {
                    return None;
                }
                _ => {}
            }
            self.at += 1;
        }
        let text = self.text.get(start..self.at)?;
        let has_digit = |text: &[u8]| text.iter().any(u8::is_ascii_digit);
        if !has_digit(text.get(..2).unwrap_or(text)) {
            return None;
        }
        if !fraction && exponent.is_none() {
            return Some(Json::Int(leading_number(text)));
        }
        Some(Json::Double(leading_double(text), text.into()))
    }

    /// A quoted text, escapes resolved. As in the reference it ends at a NUL (`\u0000`): behind one, texts of the
    /// configuration could neither be compared nor written to a file of lines.
    fn string(&mut self) -> Option<Vec<u8>> {
        let quote = self.take()?;
        let mut string = Vec::new();
        loop {
            let rest = self.rest();
            let plain = rest.get(..memchr::memchr2(quote, b'\\', rest)?)?;
            string.extend_from_slice(plain);
            self.at += plain.len();
            if self.take()? == quote {
                string.truncate(memchr::memchr(0, &string).unwrap_or(string.len()));
                return Some(string);
            }
            match self.take()? {
                c @ (b'"' | b'\\' | b'/') => string.push(c),
                b'b' => string.push(8),
                b'n' => string.push(b'\n'),
                b'r' => string.push(b'\r'),
                b't' => string.push(b'\t'),
                b'f' => string.push(12),
                b'u' => self.unicode(&mut string)?,
                _ => return None,
            }
        }
    }

    /// Behind `\u`. Halves of characters become U+FFFD.
    fn unicode(&mut self, string: &mut Vec<u8>) -> Option<()> {
        let mut code = self.hex()?;
        while (0xd800..0xdc00).contains(&code) && self.rest().starts_with(b"\\u") {
            self.at += 2;
            let low = self.hex()?;
            if (0xdc00..0xe000).contains(&low) {
                code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                break;
            }
            string.extend_from_slice("\u{fffd}".as_bytes());
            code = low;
        }
        let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        string.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Some(())
    }

    /// Four digits.
    fn hex(&mut self) -> Option<u32> {
        let mut code = 0;
        for _ in 0..4 {
            code = code * 16 + char::from(self.take()?).to_digit(16)?;
        }
        Some(code)
    }

    /// The next byte behind blanks.
    fn token(&mut self) -> Option<u8> {
        self.skip_blanks()?;
        self.take()
    }

    /// A value inside of something at `depth`.
    fn inner(&mut self, depth: usize) -> Option<Json> {
        if depth + 1 >= limits::JSON_DEPTH {
            return None;
        }
        self.value(depth + 1)
    }

    fn array(&mut self, depth: usize) -> Option<Json> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.skip_blanks()?;
            if self.peek()? == b']' {
                self.at += 1;
                return Some(Json::Array(items));
            }
            items.push(self.inner(depth)?);
            match self.token()? {
                b']' => return Some(Json::Array(items)),
                b',' => {}
                _ => return None,
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<Json> {
        self.at += 1;
        let mut object = Object::default();
        loop {
            self.skip_blanks()?;
            match self.peek()? {
                b'}' => {
                    self.at += 1;
                    return Some(Json::Object(object));
                }
                b'"' | b'\'' => {}
                _ => return None,
            }
            let name = self.string()?;
            if self.token()? != b':' {
                return None;
            }
            self.skip_blanks()?;
            let value = self.inner(depth)?;
            object.set(&name, value, self.case);
            match self.token()? {
                b'}' => return Some(Json::Object(object)),
                b',' => {}
                _ => return None,
            }
        }
    }
}

/// What `%lf` makes of a number's text: the longest part that is one.
fn leading_double(text: &[u8]) -> f64 {
    let text = std::str::from_utf8(text).unwrap_or_default();
    let parts = (1..=text.len()).rev().filter_map(|len| text.get(..len)?.parse().ok());
    parts.into_iter().next().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::json::Style;

    /// What the reference's library makes of each text; `-` for an error.
    #[test]
    fn as_the_reference_reads_it() {
        let deep = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
        let table = [
            (r#"{"a":1,"A":2}"#, r#"{"a":2}"#),
            ("{a:1}", "-"),
            ("{'a':'b'}", r#"{"a":"b"}"#),
            (r#"{"a":1,}"#, r#"{"a":1}"#),
            ("[1,2,]", "[1,2]"),
            ("[1,,2]", "-"),
            ("nul", "-"),
            ("null", "-"),
            ("null ", "null"),
            ("True", "-"),
            ("True ", "true"),
            ("5", "-"),
            ("5 ", "5"),
            ("1-2", "-"),
            ("\"abc", "-"),
            (r#""a\u00e4\ud83d\ude00x""#, r#""aä😀x""#),
            (r#""a\qb""#, "-"),
            (r#""\ud800x""#, "\"\u{fffd}x\""),
            (r#"["\ud83d\u0041","\ude00"]"#, "[\"\u{fffd}A\",\"\u{fffd}\"]"),
            (r#"["\ud800\ud800\udc00"]"#, "[\"\u{fffd}\u{10000}\"]"),
            (r#"["\u12"]"#, "-"),
            (r#"{"a\u0000b":"c\u0000d"}"#, r#"{"a":"c"}"#),
            ("\"a\tb\"", r#""a\tb""#),
            ("/* c */ {'a'/**/: // x\n 1}", r#"{"a":1}"#),
            ("// x", "-"),
            ("{} // x", "-"),
            ("[1]/", "-"),
            ("[1]/*x*/", "[1]"),
            (r#"{"a":1 "b":2}"#, "-"),
            (r#"{"a"}"#, "-"),
            ("[1 2]", "-"),
            ("{", "-"),
            ("", "-"),
            ("[01,-5,1.,1.5e3,1e5,1E+5,1e]", "[1,-5,1.,1.5e3,1e5,1E+5,1e]"),
            ("[-]", "-"),
            ("[--5]", "-"),
            ("[1.2.3]", "-"),
            ("[1e+-5]", "-"),
            ("[1e5.2]", "-"),
            ("[1+2]", "[1]"),
            (
                "[99999999999999999999,-99999999999999999999]",
                "[9223372036854775807,-9223372036854775808]",
            ),
            ("[Infinity,-infinity,nULL,fAlse]", "[Infinity,-Infinity,null,false]"),
            ("[nu]", "-"),
            ("[truex]", "-"),
            ("{,}", "-"),
            ("[\"a\"'b']", "-"),
            (&deep(31), &deep(31)),
            (&deep(32), "-"),
        ];
        for (text, want) in table {
            let mut out = Vec::new();
            match parse(text.as_bytes(), Case::Insensitive).value {
                Some(value) => value.write(Style::Compact, &mut out),
                None => out.push(b'-'),
            }
            assert_eq!(String::from_utf8_lossy(&out), want, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_and_what_is_written_is_read_again(
            text in r#"[\]\[{}",:'\\u0-9a-f/* e.+-]{0,40}"#,
            any: Vec<u8>,
        ) {
            for text in [text.as_bytes(), &any] {
                let Parsed { value, end } = parse(text, Case::Sensitive);
                assert!(end <= text.len());
                let Some(value) = value else { continue };
                for style in [Style::Compact, Style::Spaced] {
                    let mut written = Vec::new();
                    value.write(style, &mut written);
                    written.push(b' ');
                    let again = parse(&written, Case::Sensitive).value;
                    proptest::prop_assert_eq!(again.as_ref(), Some(&value));
                }
            }
        }
    }

    #[test]
    fn what_stands_behind_is_seen() {
        let end = |text: &str| parse(text.as_bytes(), Case::Insensitive).end;
        assert_eq!(end("{} x"), 3);
        assert_eq!(end("12x"), 2);
        let whole = |text: &str| parse_whole(text.as_bytes(), Case::Insensitive);
        assert_eq!(whole(" [] \n"), Some(Json::Array(Vec::new())));
        assert_eq!(whole("[] x"), None);
        assert_eq!(whole("null "), None);
    }

    #[test]
    fn fractions_have_a_value() {
        let table =
            [("1.5e3", 1500.0), ("1.", 1.0), ("1e", 1.0), ("-0.5", -0.5), ("1e999", f64::INFINITY)];
        for (text, want) in table {
            let value = parse(format!("[{text}]").as_bytes(), Case::Insensitive).value;
            let Some(Json::Array(items)) = value else { panic!("{text}") };
            assert_eq!(items, [Json::Double(want, text.as_bytes().into())]);
        }
    }
}

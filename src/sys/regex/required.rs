//! What every text that a pattern matches must contain: looking for that first spares most searches, which cost
//! the C library a microsecond and more.
//!
//! Only what stands outside of all groups is looked at, and whatever is not plainly a literal ends one: this may
//! find less than there is, never more. A proptest beside [`super::SharedRegex`] compares the two.

use super::Flavour;

/// Shortest literal worth looking for, bytes.
const WORTH: usize = 2;

/// The longest literal that each match contains, if there is one worth looking for.
pub(super) fn literal(pattern: &[u8], flavour: Flavour) -> Option<Vec<u8>> {
    let mut reader = Reader { pattern, at: 0, flavour };
    let (mut longest, mut present) = (Vec::new(), Vec::new());
    // A second repeat may make optional what the first one does not, as in `a+?`.
    let mut repeated = false;
    while let Some(token) = reader.token() {
        match token {
            Token::Literal(byte) => {
                if std::mem::take(&mut repeated) {
                    keep_longer(&mut longest, &mut present);
                }
                present.push(byte);
                continue;
            }
            Token::Repeat { optional: false } => {
                repeated = true;
                continue;
            }
            Token::Repeat { optional: true } => {
                present.pop();
            }
            Token::Open => reader.skip_group()?,
            Token::Other => {}
            Token::Or | Token::Close | Token::Broken => return None,
        }
        repeated = false;
        keep_longer(&mut longest, &mut present);
    }
    keep_longer(&mut longest, &mut present);
    (longest.len() >= WORTH).then_some(longest)
}

fn keep_longer(longest: &mut Vec<u8>, present: &mut Vec<u8>) {
    if present.len() > longest.len() {
        std::mem::swap(longest, present);
    }
    present.clear();
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Literal(u8),
    /// What stands before it may occur several times, or not at all if `optional`.
    Repeat {
        optional: bool,
    },
    Open,
    Close,
    Or,
    /// An anchor, a set of bytes, a back reference.
    Other,
    /// Not understood.
    Broken,
}

struct Reader<'p> {
    pattern: &'p [u8],
    at: usize,
    flavour: Flavour,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<u8> {
        let byte = self.pattern.get(self.at).copied()?;
        self.at += 1;
        Some(byte)
    }

    fn token(&mut self) -> Option<Token> {
        let extended = self.flavour == Flavour::Extended;
        Some(match self.next()? {
            b'\\' => match self.next() {
                None => Token::Broken,
                Some(byte) if extended && is_operator(byte) => Token::Literal(byte),
                Some(byte @ (b'.' | b'[' | b']' | b'*' | b'^' | b'$' | b'\\' | b'/')) => {
                    Token::Literal(byte)
                }
                Some(byte) if !extended && is_operator(byte) => self.operator(byte),
                Some(_) => Token::Other,
            },
            b'.' | b'^' | b'$' => Token::Other,
            b'*' => Token::Repeat { optional: true },
            b'[' => self.set(),
            byte if extended && is_operator(byte) => self.operator(byte),
            byte => Token::Literal(byte),
        })
    }

    /// What extended expressions write as it is and basic ones with a backslash.
    fn operator(&mut self, byte: u8) -> Token {
        match byte {
            b'(' => Token::Open,
            b')' => Token::Close,
            b'|' => Token::Or,
            b'+' => Token::Repeat { optional: false },
            b'?' => Token::Repeat { optional: true },
            // The number may be 0.
            _ => match self.pattern.get(self.at..).and_then(|rest| memchr::memchr(b'}', rest)) {
                Some(end) if byte == b'{' => {
                    self.at += end + 1;
                    Token::Repeat { optional: true }
                }
                _ => Token::Broken,
            },
        }
    }

    /// The rest of a bracket expression.
    fn set(&mut self) -> Token {
        if self.pattern.get(self.at) == Some(&b'^') {
            self.at += 1;
        }
        // As the first one it stands for itself.
        if self.pattern.get(self.at) == Some(&b']') {
            self.at += 1;
        }
        while let Some(byte) = self.next() {
            match byte {
                b']' => return Token::Other,
                // `[:alpha:]`, `[.x.]`, `[=x=]`
                b'[' => {
                    let Some(kind @ (b':' | b'.' | b'=')) = self.pattern.get(self.at).copied()
                    else {
                        continue;
                    };
                    let rest = self.pattern.get(self.at + 1..).unwrap_or_default();
                    let Some(end) = rest.windows(2).position(|two| two == [kind, b']']) else {
                        return Token::Broken;
                    };
                    self.at += 1 + end + 2;
                }
                _ => {}
            }
        }
        Token::Broken
    }

    /// Goes behind the group that has been opened; `None` if it does not end.
    fn skip_group(&mut self) -> Option<()> {
        let mut depth = 1;
        while depth > 0 {
            match self.token()? {
                Token::Open => depth += 1,
                Token::Close => depth -= 1,
                Token::Broken => return None,
                _ => {}
            }
        }
        Some(())
    }
}

fn is_operator(byte: u8) -> bool {
    matches!(byte, b'(' | b')' | b'|' | b'+' | b'?' | b'{' | b'}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals() {
        use Flavour::{Basic, Extended};
        let rows = [
            ("n=[0-9]*00 abc", Basic, Some("00 abc")),
            ("user=[a-z]+ uid=[0-9]+", Extended, Some("user=")),
            ("^abc$", Extended, Some("abc")),
            ("abcd?ef", Extended, Some("abc")),
            ("abcd+ef", Extended, Some("abcd")),
            ("abcd*", Extended, Some("abc")),
            ("foo+?bar", Extended, Some("bar")),
            ("abc+?", Extended, Some("ab")),
            ("abc+*d", Extended, Some("ab")),
            ("abc\\+*", Basic, Some("ab")),
            ("abc{0,1}d", Extended, Some("ab")),
            ("abc\\{0,1\\}d", Basic, Some("ab")),
            ("abc\\+d?", Basic, Some("abc")),
            ("a(bcd)ef", Extended, Some("ef")),
            ("a\\(bcd\\)ef", Basic, Some("ef")),
            ("a(b|c(d|e)[)])fg", Extended, Some("fg")),
            ("a\\.b\\(c", Extended, Some("a.b(c")),
            ("a.b+", Basic, Some("b+")),
            ("[]abc]de", Extended, Some("de")),
            ("[^]abc]de", Extended, Some("de")),
            ("[[:alpha:]x]de", Extended, Some("de")),
            ("ab\\bcde\\w", Extended, Some("cde")),
            ("abc|def", Extended, None),
            ("abc\\|def", Basic, None),
            ("(abc|def)", Extended, None),
            ("a", Extended, None),
            ("abc}", Extended, None),
            ("abc)", Extended, None),
            ("", Extended, None),
        ];
        for (pattern, flavour, expected) in rows {
            let got = literal(pattern.as_bytes(), flavour);
            assert_eq!(got.as_deref(), expected.map(str::as_bytes), "{pattern}");
        }
    }
}

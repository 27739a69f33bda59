//! Bytes to tokens, in the three modes of rsyslog's language (`spec/config-language.md` section 2).
//!
//! There is no lexer state: the parser knows what may come next and calls [`top`], [`object`] or [`expr`] at a
//! position. Where the language is line-oriented ([`top`]), the longest match wins as in the reference, which is
//! why `mail.* /x` is a selector, `mail` a user to write to, and `-host` alone on a line a BSD block.

use super::ast::{CompareOp, ObjectKind};

/// A token and its place in the glued text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<T> {
    pub kind: T,
    pub start: usize,
    pub end: usize,
}

/// Between statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Top {
    Keyword(Keyword),
    /// The name and its opening parenthesis.
    Object(ObjectKind),
    /// `mail.*;auth.none`
    PriFilter,
    /// `:msg, contains, "x"`
    PropFilter,
    /// To the end of the line, or a single word.
    LegacyAction,
    /// `$Name argument`, to the end of the line.
    Directive,
    /// `!prog`, `+host`, `-host`
    BsdBlock,
    UnclosedComment,
    Invalid,
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    If,
    Else,
    Foreach,
    Stop,
    Continue,
    Call,
    CallIndirect,
    Set,
    Reset,
    Unset,
    ReloadLookupTable,
    And,
    Open,
    Close,
}

/// Inside the parentheses of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obj {
    Close,
    Name,
    Equals,
    Open,
    CloseArray,
    Comma,
    /// `"…"`, or with backticks.
    Text,
    Backticks,
    UnclosedText,
    UnclosedComment,
    Invalid,
    End,
}

/// Inside an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ex {
    Open,
    Close,
    OpenArray,
    CloseArray,
    Comma,
    Semicolon,
    Assign,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Ampersand,
    Compare(CompareOp),
    And,
    Or,
    Not,
    In,
    Then,
    Do,
    Exists,
    Number(i64),
    Variable,
    /// `"…"`: a bare `$` is not allowed in it.
    DoubleQuoted,
    SingleQuoted,
    Backticks,
    Word,
    UnclosedText,
    UnclosedComment,
    Invalid,
    End,
}

fn byte(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(0)
}

/// Length of the run of bytes at `at` that `accept` takes.
fn run(text: &[u8], at: usize, accept: impl Fn(u8) -> bool) -> usize {
    text.get(at..).unwrap_or_default().iter().take_while(|byte| accept(**byte)).count()
}

fn line_end(text: &[u8], at: usize) -> usize {
    at + run(text, at, |byte| byte != b'\n')
}

/// First position that is neither white space nor comment; the start of a comment that never ends.
fn skip(text: &[u8], mut at: usize, hash_comments: bool) -> Result<usize, usize> {
    loop {
        at += run(text, at, |byte| matches!(byte, b' ' | b'\t' | b'\n'));
        match (byte(text, at), byte(text, at + 1)) {
            (b'#', _) if hash_comments => at = line_end(text, at),
            (b'/', b'*') => {
                let body = text.get(at + 2..).unwrap_or_default();
                at += 4 + memchr::memmem::find(body, b"*/").ok_or(at)?;
            }
            _ => return Ok(at),
        }
    }
}

const KEYWORDS: [(&str, Keyword); 11] = [
    ("if", Keyword::If),
    ("else", Keyword::Else),
    ("foreach", Keyword::Foreach),
    ("stop", Keyword::Stop),
    ("continue", Keyword::Continue),
    ("call", Keyword::Call),
    ("call_indirect", Keyword::CallIndirect),
    ("set", Keyword::Set),
    ("reset", Keyword::Reset),
    ("unset", Keyword::Unset),
    ("reload_lookup_table", Keyword::ReloadLookupTable),
];

/// The next token between statements.
pub(super) fn top(text: &[u8], at: usize) -> Token<Top> {
    let start = match skip(text, at, true) {
        Ok(start) => start,
        Err(start) => return Token { kind: Top::UnclosedComment, start, end: text.len() },
    };
    if start >= text.len() {
        return Token { kind: Top::End, start, end: start };
    }
    let line = &text[start..line_end(text, start)];
    let token = |kind, len: usize| Token { kind, start, end: start + len };
    // Patterns that count only where a line begins come first, unless another one takes more.
    if begins_line(text, start) {
        if let Some(len) = prop_filter(text, start) {
            return token(Top::PropFilter, len);
        }
        if let Some(len) = pri_filter(line).filter(|len| *len >= word_len(line)) {
            return token(Top::PriFilter, len);
        }
        if matches!(line[0], b'+' | b'-') && is_host_selector(&line[1..]) {
            return token(Top::BsdBlock, line.len());
        }
    }
    match line[0] {
        b'{' => token(Top::Keyword(Keyword::Open), 1),
        b'}' => token(Top::Keyword(Keyword::Close), 1),
        b'&' => token(Top::Keyword(Keyword::And), 1),
        b'$' if byte(line, 1).is_ascii_alphabetic() => token(Top::Directive, line.len()),
        b'!' if is_single_word(&line[1..]) => token(Top::BsdBlock, line.len()),
        b'+' | b'-' if byte(line, 1) == b'*' && is_comment(&line[2..]) => {
            token(Top::BsdBlock, line.len())
        }
        b'*' => token(Top::LegacyAction, 1),
        b'/' if line.len() > 1 => token(Top::LegacyAction, line.len()),
        b':' => {
            let name = run(line, 1, |byte| byte.is_ascii_alphanumeric());
            let closed = name > 0 && byte(line, 1 + name) == b':';
            token(
                if closed { Top::LegacyAction } else { Top::Invalid },
                if closed { line.len() } else { 1 },
            )
        }
        b'~' => token(Top::LegacyAction, line.len()),
        b'|' | b'.' | b'-' | b'@' | b'^' | b'?' | b'>' if line.len() > 1 => {
            token(Top::LegacyAction, line.len())
        }
        first if first.is_ascii_alphanumeric() || first == b'_' => {
            let (kind, len) = word(text, start);
            token(kind, len)
        }
        _ => token(Top::Invalid, 1),
    }
}

/// `[a-z0-9_][a-z0-9_\-\+,;]*`: keywords, users.
fn word_len(text: &[u8]) -> usize {
    if !(byte(text, 0).is_ascii_alphanumeric() || byte(text, 0) == b'_') {
        return 0;
    }
    run(text, 0, |byte| byte.is_ascii_alphanumeric() || b"_-+,;".contains(&byte))
}

/// A keyword, an object with its parenthesis, or a list of users.
fn word(text: &[u8], start: usize) -> (Top, usize) {
    let len = word_len(&text[start..]);
    let word = &text[start..start + len];
    let gap = run(text, start + len, |byte| matches!(byte, b' ' | b'\t' | b'\n'));
    if byte(text, start + len + gap) == b'(' {
        let object =
            ObjectKind::ALL.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(word));
        if let Some((_, kind)) = object {
            return (Top::Object(*kind), len + gap + 1);
        }
    }
    let keyword = KEYWORDS.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(word));
    (keyword.map_or(Top::LegacyAction, |(_, keyword)| Top::Keyword(*keyword)), len)
}

fn begins_line(text: &[u8], at: usize) -> bool {
    let before = text[..at].iter().rposition(|byte| !matches!(byte, b' ' | b'\t'));
    before.is_none_or(|last| text[last] == b'\n')
}

/// `[*a-z]+[0-7]*[.,][,!=;.*a-z0-7]+`
fn pri_filter(line: &[u8]) -> Option<usize> {
    let letter = |byte: u8| byte == b'*' || byte.is_ascii_alphabetic();
    let digit = |byte: u8| (b'0'..=b'7').contains(&byte);
    let letters = run(line, 0, letter);
    let dot = letters + run(line, letters, digit);
    if letters == 0 || !matches!(byte(line, dot), b'.' | b',') {
        return None;
    }
    let rest = run(line, dot + 1, |byte| letter(byte) || digit(byte) || b",!=;.".contains(&byte));
    (rest > 0).then_some(dot + 1 + rest)
}

/// `:property, [!]operation, "value"`; the value may reach over line ends. Names with anything but letters and
/// hyphens are none to the reference: `$!x`, `$.x` and `contains_i` have no place here.
fn prop_filter(text: &[u8], start: usize) -> Option<usize> {
    let blanks = |at| at + run(text, at, |byte| byte == b' ');
    let comma = |at| (byte(text, at) == b',').then(|| blanks(at + 1));
    if byte(text, start) != b':' {
        return None;
    }
    let mut at = start + 1;
    at += usize::from(byte(text, at) == b'$');
    let property = run(text, at, |byte| byte.is_ascii_alphabetic() || byte == b'-');
    if property == 0 {
        return None;
    }
    at = comma(blanks(at + property))?;
    at += usize::from(byte(text, at) == b'!');
    let operation = run(text, at, |byte| byte.is_ascii_alphabetic());
    if operation == 0 {
        return None;
    }
    at = comma(blanks(at + operation))?;
    if byte(text, at) != b'"' {
        return None;
    }
    // The value ends at the first quote without a backslash before it; failing that, at the last quote.
    let mut last = None;
    for quote in memchr::memchr_iter(b'"', text.get(at + 1..)?) {
        let quote = at + 1 + quote;
        last = Some(quote);
        if text[quote - 1] != b'\\' || quote - 1 == at {
            break;
        }
    }
    last.map(|quote| quote + 1 - start)
}

/// `[a-z0-9.:-]+[ \t]*$`
fn is_host_selector(rest: &[u8]) -> bool {
    let host = run(rest, 0, |byte| byte.is_ascii_alphanumeric() || b".:-".contains(&byte));
    host > 0 && rest[host..].iter().all(|byte| matches!(byte, b' ' | b'\t'))
}

fn is_single_word(rest: &[u8]) -> bool {
    let rest = rest.trim_ascii_end();
    !rest.is_empty() && !rest.iter().any(u8::is_ascii_whitespace)
}

fn is_comment(rest: &[u8]) -> bool {
    matches!(rest.trim_ascii_start().first(), None | Some(b'#'))
}

/// The next token inside an object's parentheses.
pub(super) fn object(text: &[u8], at: usize) -> Token<Obj> {
    let start = match skip(text, at, true) {
        Ok(start) => start,
        Err(start) => return Token { kind: Obj::UnclosedComment, start, end: text.len() },
    };
    let token = |kind, len: usize| Token { kind, start, end: start + len };
    if start >= text.len() {
        return token(Obj::End, 0);
    }
    match text[start] {
        b')' => token(Obj::Close, 1),
        b'=' => token(Obj::Equals, 1),
        b'[' => token(Obj::Open, 1),
        b']' => token(Obj::CloseArray, 1),
        b',' => token(Obj::Comma, 1),
        quote @ (b'"' | b'`') => match quoted(text, start) {
            Some(len) => token(if quote == b'"' { Obj::Text } else { Obj::Backticks }, len),
            None => Token { kind: Obj::UnclosedText, start, end: text.len() },
        },
        first if first.is_ascii_alphabetic() => {
            let len =
                run(text, start, |byte| byte.is_ascii_alphanumeric() || b"_.".contains(&byte));
            token(Obj::Name, len)
        }
        _ => token(Obj::Invalid, 1),
    }
}

/// Length of the quoted text at `start`, both quotes included.
fn quoted(text: &[u8], start: usize) -> Option<usize> {
    let quote = text[start];
    let mut at = start + 1;
    loop {
        match text.get(at)? {
            b'\\' => at += 2,
            byte if *byte == quote => return Some(at + 1 - start),
            _ => at += 1,
        }
    }
}

const WORDS: [(&str, Ex); 13] = [
    ("then", Ex::Then),
    ("do", Ex::Do),
    ("or", Ex::Or),
    ("and", Ex::And),
    ("not", Ex::Not),
    ("in", Ex::In),
    ("exists", Ex::Exists),
    ("contains", Ex::Compare(CompareOp::Contains)),
    ("contains_i", Ex::Compare(CompareOp::ContainsI)),
    ("startswith", Ex::Compare(CompareOp::StartsWith)),
    ("startswith_i", Ex::Compare(CompareOp::StartsWithI)),
    ("endswith", Ex::Compare(CompareOp::EndsWith)),
    // Not in the reference's grammar, and so a name there, too; listed to give it a better message.
    ("endswith_i", Ex::Word),
];

/// The next token of an expression.
pub(super) fn expr(text: &[u8], at: usize) -> Token<Ex> {
    let start = match skip(text, at, false) {
        Ok(start) => start,
        Err(start) => return Token { kind: Ex::UnclosedComment, start, end: text.len() },
    };
    let token = |kind, len: usize| Token { kind, start, end: start + len };
    if start >= text.len() {
        return token(Ex::End, 0);
    }
    match (text[start], byte(text, start + 1)) {
        (b'=', b'=') => token(Ex::Compare(CompareOp::Eq), 2),
        (b'!', b'=') | (b'<', b'>') => token(Ex::Compare(CompareOp::Ne), 2),
        (b'<', b'=') => token(Ex::Compare(CompareOp::Le), 2),
        (b'>', b'=') => token(Ex::Compare(CompareOp::Ge), 2),
        (b'<', _) => token(Ex::Compare(CompareOp::Lt), 1),
        (b'>', _) => token(Ex::Compare(CompareOp::Gt), 1),
        (b'=', _) => token(Ex::Assign, 1),
        (b'(', _) => token(Ex::Open, 1),
        (b')', _) => token(Ex::Close, 1),
        (b'[', _) => token(Ex::OpenArray, 1),
        (b']', _) => token(Ex::CloseArray, 1),
        (b',', _) => token(Ex::Comma, 1),
        (b';', _) => token(Ex::Semicolon, 1),
        (b'+', _) => token(Ex::Plus, 1),
        (b'-', _) => token(Ex::Minus, 1),
        (b'*', _) => token(Ex::Star, 1),
        (b'/', _) => token(Ex::Slash, 1),
        (b'%', _) => token(Ex::Percent, 1),
        (b'&', _) => token(Ex::Ampersand, 1),
        (b'$', _) => {
            let root = usize::from(b"$!./".contains(&byte(text, start + 1)));
            let accept = |byte: u8| byte.is_ascii_alphanumeric() || b"!@-_.[]".contains(&byte);
            token(Ex::Variable, 1 + root + run(text, start + 1 + root, accept))
        }
        (quote @ (b'"' | b'\'' | b'`'), _) => match (quoted(text, start), quote) {
            (None, _) => Token { kind: Ex::UnclosedText, start, end: text.len() },
            (Some(len), b'"') => token(Ex::DoubleQuoted, len),
            (Some(len), b'\'') => token(Ex::SingleQuoted, len),
            (Some(len), _) => token(Ex::Backticks, len),
        },
        (b'0'..=b'9', _) => {
            let (number, len) = number(&text[start..]);
            token(Ex::Number(number), len)
        }
        (first, _) if first.is_ascii_alphabetic() => {
            let len = run(text, start, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let word = &text[start..start + len];
            let found = WORDS.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(word));
            token(found.map_or(Ex::Word, |(_, kind)| *kind), len)
        }
        _ => token(Ex::Invalid, 1),
    }
}

/// Decimal, octal after `0`, hexadecimal after `0x`; too large ones saturate as in the reference.
fn number(text: &[u8]) -> (i64, usize) {
    let hex = if text[0] == b'0' && matches!(byte(text, 1), b'x' | b'X') {
        run(text, 2, |byte| byte.is_ascii_hexdigit())
    } else {
        0
    };
    let octal =
        if text[0] == b'0' { run(text, 1, |byte| (b'0'..=b'7').contains(&byte)) } else { 0 };
    let (radix, digits, len) = match (hex, octal) {
        (1.., _) => (16, 2..2 + hex, 2 + hex),
        (_, 1..) => (8, 1..1 + octal, 1 + octal),
        _ if text[0] == b'0' => (10, 0..1, 1),
        _ => {
            let len = run(text, 0, |byte| byte.is_ascii_digit());
            (10, 0..len, len)
        }
    };
    let digits = std::str::from_utf8(&text[digits]).unwrap_or_default();
    (i64::from_str_radix(digits, radix).unwrap_or(i64::MAX), len)
}

/// Why the inside of a quoted text is wrong, and at which byte of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadEscape(pub usize);

/// Resolves the escapes of an object's `"…"` or backtick text; `inner` is without the quotes.
pub(super) fn unescape_object(inner: &[u8]) -> Result<Vec<u8>, BadEscape> {
    unescape(inner, |rest| match rest {
        [b'a', ..] => Some((7, 1)),
        [b'b', ..] => Some((8, 1)),
        [b'f', ..] => Some((12, 1)),
        [b'n', ..] => Some((b'\n', 1)),
        [b'r', ..] => Some((b'\r', 1)),
        [b't', ..] => Some((b'\t', 1)),
        // A quirk of the reference.
        [b'v', ..] => Some((b'?', 1)),
        [byte @ (b'"' | b'\'' | b'`' | b'?' | b'\\'), ..] => Some((*byte, 1)),
        [b'x', digits @ ..] => hex(digits),
        digits => octal(digits, 1),
    })
}

/// Resolves the escapes of a text in an expression; `inner` is without the quotes.
pub(super) fn unescape_expr(inner: &[u8]) -> Result<Vec<u8>, BadEscape> {
    unescape(inner, |rest| match rest {
        [b'b', ..] => Some((8, 1)),
        [b'n', ..] => Some((b'\n', 1)),
        [b'r', ..] => Some((b'\r', 1)),
        [b't', ..] => Some((b'\t', 1)),
        [byte @ (b'"' | b'\'' | b'`' | b'$' | b'\\'), ..] => Some((*byte, 1)),
        [b'x', digits @ ..] => hex(digits),
        digits => octal(digits, 3),
    })
}

/// `decode` gets what follows a backslash and says which byte that is and how much of it is used up.
fn unescape(
    inner: &[u8],
    decode: impl Fn(&[u8]) -> Option<(u8, usize)>,
) -> Result<Vec<u8>, BadEscape> {
    let mut out = Vec::with_capacity(inner.len());
    let mut at = 0;
    while let Some(byte) = inner.get(at) {
        if *byte == b'\\' {
            let (byte, used) = decode(&inner[at + 1..]).ok_or(BadEscape(at))?;
            out.push(byte);
            at += 1 + used;
        } else {
            out.push(*byte);
            at += 1;
        }
    }
    Ok(out)
}

fn hex(digits: &[u8]) -> Option<(u8, usize)> {
    let digits = std::str::from_utf8(digits.get(..2)?).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
    Some((u8::from_str_radix(digits, 16).ok()?, 3))
}

/// One to three octal digits, at least `least`; a value above 255 loses its upper bits.
fn octal(digits: &[u8], least: usize) -> Option<(u8, usize)> {
    let len = run(digits, 0, |byte| (b'0'..=b'7').contains(&byte)).min(3);
    let value = digits[..len].iter().fold(0u16, |value, digit| value * 8 + u16::from(digit - b'0'));
    (len >= least).then(|| (value.to_le_bytes()[0], len))
}

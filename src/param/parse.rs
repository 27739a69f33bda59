//! How a parameter's text becomes a value, with the reference's wording for what does not.

use std::fmt;

use nix::unistd::{Group, User};

use super::{Kind, Value};
use crate::sys::error;

/// Facility names with their numbers (`spec/config-language.md` section 5.1). `mark` is the reference's
/// internal facility and outside of the table of selectors.
pub const FACILITIES: &[(&str, u8)] = &[
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("security", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("cron", 9),
    ("authpriv", 10),
    ("ftp", 11),
    ("ntp", 12),
    ("bsd_security", 13),
    ("console", 14),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
    ("invld", 24),
    ("mark", 25),
];

/// Severity names with their numbers.
pub const SEVERITIES: &[(&str, u8)] = &[
    ("emerg", 0),
    ("panic", 0),
    ("alert", 1),
    ("crit", 2),
    ("err", 3),
    ("error", 3),
    ("warning", 4),
    ("warn", 4),
    ("notice", 5),
    ("info", 6),
    ("debug", 7),
];

/// The number of a name in one of the tables above, or of decimal digits as they are.
#[must_use]
pub fn syslog_name(word: &[u8], names: &[(&str, u8)]) -> Option<i64> {
    if word.first().is_some_and(u8::is_ascii_digit) {
        return std::str::from_utf8(word).ok()?.parse().ok();
    }
    let found = names.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(word));
    found.map(|(_, number)| i64::from(*number))
}

/// A number of an object parameter: optional `-`, decimal digits; octal after a leading `0`.
#[must_use]
pub fn number(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let radix = if digits.len() > 1 && digits.starts_with('0') { 8 } else { 10 };
    Some(sign * i64::from_str_radix(digits, radix).ok()?)
}

/// The number that a constant text in an expression begins with, as rsyslog's library reads it: behind `0` octal,
/// behind `0x` hexadecimal. In the latter the letters a to f count as 0 to 5, in every version of rsyslog; results
/// have to be the same here.
#[must_use]
pub fn constant_number(text: &[u8]) -> i64 {
    let (radix, digits, negative) = match text {
        [b'0', b'x', digits @ ..] => (16, digits, false),
        [b'0', digits @ ..] => (8, digits, false),
        [b'-', digits @ ..] => (10, digits, true),
        digits => (10, digits, false),
    };
    let value = |byte: &u8| match byte.to_ascii_lowercase() {
        digit @ b'0'..=b'9' if u32::from(digit - b'0') < radix => Some(i64::from(digit - b'0')),
        letter @ b'a'..=b'f' if radix == 16 => Some(i64::from(letter - b'a')),
        _ => None,
    };
    let number = digits
        .iter()
        .map_while(value)
        .fold(0_i64, |number, digit| number.wrapping_mul(i64::from(radix)).wrapping_add(digit));
    if negative { number.wrapping_neg() } else { number }
}

/// What a size suffix multiplies by: lower case 1024, upper case 1000.
#[must_use]
pub fn size_unit(suffix: u8) -> Option<u64> {
    let power = b"kmgtpe".iter().position(|letter| *letter == suffix.to_ascii_lowercase())? + 1;
    let base: u64 = if suffix.is_ascii_lowercase() { 1024 } else { 1000 };
    base.checked_pow(u32::try_from(power).ok()?)
}

fn size(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, suffix) = text.split_at(digits);
    let unit = match suffix {
        [] => 1,
        [letter] => size_unit(*letter)?,
        _ => return None,
    };
    let number =
        if digits.is_empty() { Some(0) } else { std::str::from_utf8(digits).ok()?.parse().ok() };
    number.and_then(|number: u64| number.checked_mul(unit))
}

fn file_mode(text: &[u8]) -> Option<i64> {
    let octal = text.iter().all(|byte| (b'0'..=b'7').contains(byte));
    if !octal || !(4..=5).contains(&text.len()) || text.first() != Some(&b'0') {
        return None;
    }
    i64::from_str_radix(std::str::from_utf8(text).ok()?, 8).ok()
}

impl Kind {
    /// Whether a value that is wrong is so only because of its range, or because no such name is known.
    #[must_use]
    pub fn takes(&self, text: &[Vec<u8>]) -> bool {
        match self {
            Self::Int { .. } => Self::INT.parse("", text).is_ok(),
            Self::Size { .. } => Self::SIZE.parse("", text).is_ok(),
            Self::Facility | Self::Severity | Self::Choice(_) => text.len() == 1,
            _ => false,
        }
    }

    /// Parses the text of the parameter `name`: one element, or several for an array.
    ///
    /// # Errors
    /// The reference's message.
    pub fn parse(&self, name: &str, text: &[Vec<u8>]) -> Result<Value, String> {
        let name = name.to_ascii_lowercase();
        if *self == Self::Array {
            return Ok(Value::Array(text.to_vec()));
        }
        let [one] = text else {
            return Err(format!("parameter '{name}' is not a string, which is not permitted"));
        };
        let shown = String::from_utf8_lossy(one);
        let bad = |why: &dyn fmt::Display| format!("parameter '{name}' {why}");
        match *self {
            Self::Bool => match one.as_slice() {
                b"on" => Ok(Value::Bool(true)),
                b"off" => Ok(Value::Bool(false)),
                _ => Err(bad(&"must be \"on\" or \"off\" but is neither. Results unpredictable.")),
            },
            Self::Int { min, max } => {
                let number = number(one).ok_or_else(|| bad(&"is not a proper number"))?;
                in_range(number, min, max).map(Value::Int).map_err(|why| bad(&why))
            }
            Self::Size { min, max } => {
                let size = size(one).ok_or_else(|| bad(&"does not contain a valid size"))?;
                if size < min || size > max {
                    return Err(bad(&format_args!("must be between {min} and {max} (was {size})")));
                }
                Ok(Value::Size(size))
            }
            Self::Word if one.iter().any(u8::is_ascii_whitespace) => {
                Err(bad(&"contains whitespace, which is not permitted"))
            }
            Self::Char if one.len() != 1 => Err(bad(&format_args!(
                "must contain exactly one character but contains {} - cannot be processed",
                one.len()
            ))),
            Self::Gone => Err(bad(&"is no longer supported")),
            Self::FileMode => file_mode(one).map(Value::Int).ok_or_else(|| {
                format!(
                    "file modes need to be specified as 4- or 5-digit octal numbers starting with '0' \
                     -parameter '{name}=\"{shown}\"' is not a file mode"
                )
            }),
            Self::User => user(&shown).map(Value::Int).map_err(|why| {
                format!("parameter '{name}': ID for user '{shown}' could not be found: {why}")
            }),
            Self::Group => group(&shown)
                .map(Value::Int)
                .map_err(|_| format!("parameter '{name}': ID for group {shown} could not be found")),
            Self::Facility => syslog_name(one, FACILITIES)
                .filter(|number| (0..=24).contains(number))
                .map(Value::Int)
                .ok_or_else(|| bad(&format_args!("has an unknown facility '{shown}'"))),
            Self::Severity => syslog_name(one, SEVERITIES)
                .filter(|number| (0..=8).contains(number))
                .map(Value::Int)
                .ok_or_else(|| format!("invalid {name} value '{shown}', there is no such severity")),
            Self::Choice(words) => words
                .iter()
                .find(|word| word.eq_ignore_ascii_case(&shown))
                .map(|word| Value::Choice(word))
                .ok_or_else(|| unknown_choice(&name, &shown, words)),
            Self::Word | Self::Char | Self::Str | Self::Array => Ok(Value::Str(one.clone())),
        }
    }
}

fn in_range(number: i64, min: i64, max: i64) -> Result<i64, String> {
    match (min, max) {
        (0, _) if number < 0 => Err(format!("cannot be less than zero (was {number})")),
        (1, _) if number < 1 => Err(format!("cannot be less than one (was {number})")),
        _ if number < min || number > max => {
            Err(format!("must be between {min} and {max} (was {number})"))
        }
        _ => Ok(number),
    }
}

fn unknown_choice(name: &str, shown: &str, words: &[&str]) -> String {
    if name == "queue.type" {
        return format!("param '{name}': unknown queue type: '{shown}'");
    }
    format!(
        "parameter '{name}' has an invalid value '{shown}', must be one of {}",
        words.join(", ")
    )
}

/// The id of a user name.
///
/// # Errors
/// Why there is none.
pub fn user(name: &str) -> Result<i64, String> {
    match User::from_name(name) {
        Ok(Some(user)) => Ok(i64::from(user.uid.as_raw())),
        Ok(None) => Err(error::text(libc::ENOENT)),
        Err(errno) => Err(error::text(errno as i32)),
    }
}

/// The id of a group name.
///
/// # Errors
/// Why there is none.
pub fn group(name: &str) -> Result<i64, String> {
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(i64::from(group.gid.as_raw())),
        Ok(None) => Err(error::text(libc::ENOENT)),
        Err(errno) => Err(error::text(errno as i32)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(kind: Kind, text: &str) -> Result<Value, String> {
        kind.parse("P", &[text.as_bytes().to_vec()])
    }

    #[test]
    fn numbers() {
        let cases = [
            ("0", Some(0)),
            ("10", Some(10)),
            ("010", Some(8)),
            ("08", None),
            ("-5", Some(-5)),
            ("+5", None),
            ("0x10", None),
            ("", None),
            ("-", None),
            (" 1", None),
            ("1 ", None),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
        ];
        for (text, expect) in cases {
            assert_eq!(number(text.as_bytes()), expect, "{text:?}");
        }
        let negative = parse(Kind::NONNEG, "-1").unwrap_err();
        assert_eq!(negative, "parameter 'p' cannot be less than zero (was -1)");
    }

    #[test]
    fn sizes() {
        let cases = [
            ("8k", Some(8192)),
            ("8K", Some(8000)),
            ("1g", Some(1 << 30)),
            ("1E", Some(1_000_000_000_000_000_000)),
            ("17e", None),
            ("16384", Some(16384)),
            ("1kb", None),
            ("1x", None),
            ("-1", None),
        ];
        for (text, expect) in cases {
            let got = parse(Kind::SIZE, text).ok();
            assert_eq!(got, expect.map(Value::Size), "{text:?}");
        }
    }

    #[test]
    fn the_other_kinds() {
        let ok = [
            (Kind::Bool, "on", Value::Bool(true)),
            (Kind::FileMode, "0640", Value::Int(0o640)),
            (Kind::FileMode, "02755", Value::Int(0o2755)),
            (Kind::User, "root", Value::Int(0)),
            (Kind::Group, "root", Value::Int(0)),
            (Kind::Facility, "LOCAL7", Value::Int(23)),
            (Kind::Facility, "3", Value::Int(3)),
            (Kind::Severity, "warn", Value::Int(4)),
            (Kind::Choice(&["FixedArray"]), "fixedarray", Value::Choice("FixedArray")),
            (Kind::Char, "#", Value::Str(b"#".to_vec())),
        ];
        for (kind, text, expect) in ok {
            assert_eq!(parse(kind, text), Ok(expect), "{text:?}");
        }
        let bad = [
            (Kind::Bool, "On"),
            (Kind::FileMode, "640"),
            (Kind::FileMode, "0648"),
            (Kind::User, "no such user"),
            (Kind::Group, "no such group"),
            (Kind::Facility, "foo"),
            (Kind::Severity, "9"),
            (Kind::Word, "a b"),
            (Kind::Char, "ab"),
            (Kind::Choice(&["a"]), "b"),
            (Kind::Gone, "x"),
        ];
        for (kind, text) in bad {
            assert!(parse(kind, text).is_err(), "{text:?}");
        }
        assert!(Kind::Str.parse("p", &[vec![], vec![]]).is_err(), "an array is not a string");
    }
}

//! Values of `$` directives: words up to a blank, numbers with separators, and what is left behind them.

use crate::param::{self, FACILITIES, Kind, Param, SEVERITIES, Value, size_unit, syslog_name};

/// Why a value is wrong: the reference's message and code.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) text: String,
    pub(super) code: Option<u16>,
    /// The reference takes it and says nothing: a check of the configuration does not fail.
    pub(super) lenient: bool,
}

fn bad(text: impl Into<String>, code: u16) -> Bad {
    Bad { text: text.into(), code: Some(code), lenient: false }
}

/// The largest number a directive may have.
const NUMBER_MAX: i64 = 1 << 31;

/// Parameters whose numbers the reference looks at, too, where a directive sets them.
const STRICT: [&str; 3] = ["queue.workerThreads", "maxMessageSize", "maxOpenFiles"];

/// The first word and what follows it.
pub(super) fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let text = text.trim_ascii_start();
    let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    text.split_at(end)
}

/// What stands before a comma, and what follows it without leading blanks.
pub(super) fn field(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| *byte == b',').unwrap_or(text.len());
    let (field, rest) = text.split_at(end);
    (field.trim_ascii(), skip_comma(rest))
}

/// Skips blanks, one comma, blanks.
pub(super) fn skip_comma(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii_start();
    text.strip_prefix(b",").unwrap_or(text).trim_ascii_start()
}

/// The text of a legacy template, without its quotes, and what follows it. A quote does not end the text
/// behind a backslash or between percent signs.
pub(super) fn template_text(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.trim_ascii_start().strip_prefix(b"\"")?;
    let mut at = 0;
    loop {
        match text.get(at) {
            // The reference does not mind if the closing quote is missing.
            None => return Some((text, b"")),
            Some(b'"') => return Some((&text[..at], &text[at + 1..])),
            Some(b'\\') => at = (at + 2).min(text.len()),
            Some(b'%') => at = property_end(text, at + 1),
            Some(_) => at += 1,
        }
    }
}

/// Behind the percent sign that closes a property. A regular expression in it ends with `--end`.
fn property_end(text: &[u8], start: usize) -> usize {
    let rest = &text[start..];
    let Some(close) = memchr::memchr(b'%', rest) else { return text.len() };
    let regex = memchr::memmem::find(&rest[..close], b":R,");
    let end = regex.and_then(|regex| {
        let end = regex + memchr::memmem::find(&rest[regex..], b"--end")?;
        Some(end + memchr::memchr(b'%', &rest[end..])?)
    });
    start + end.unwrap_or(close) + 1
}

/// Parses the argument of the directive that sets `row`; returns what is left.
pub(super) fn parse<'t>(row: &Param, text: &'t [u8]) -> Result<(Value, &'t [u8]), Bad> {
    let text = text.trim_ascii_start();
    let (first, rest) = word(text);
    let shown = String::from_utf8_lossy(first).into_owned();
    match row.kind {
        Kind::Bool => match first {
            b"on" | b"off" => Ok((Value::Bool(first == b"on"), rest)),
            _ => {
                let text = format!("Option value must be on or off, but is '{shown}'");
                Err(Bad { text, code: None, lenient: false })
            }
        },
        Kind::Int { min, max } => {
            let (number, rest) = sized_number(text)?;
            let lenient = number < min && !STRICT.contains(&row.name);
            let number = integer(number, min, max).map_err(|bad| Bad { lenient, ..bad })?;
            Ok((Value::Int(number), rest))
        }
        Kind::Size { min, max } => {
            let (number, rest) = sized_number(text)?;
            let size = u64::try_from(number).ok().filter(|size| *size >= min && *size <= max);
            let size = size.ok_or_else(|| {
                let text = format!("value {number} must be between {min} and {max}.");
                Bad { lenient: number < 0 && !STRICT.contains(&row.name), ..bad(text, 2009) }
            });
            Ok((Value::Size(size?), rest))
        }
        Kind::FileMode => file_mode(text),
        Kind::User => match param::user(&shown) {
            Ok(id) => Ok((Value::Int(id), rest)),
            Err(_) => Err(bad(format!("ID for user '{shown}' could not be found or error"), 3003)),
        },
        Kind::Group => match param::group(&shown) {
            Ok(id) => Ok((Value::Int(id), rest)),
            Err(_) => Err(bad(format!("ID for group '{shown}' could not be found"), 3003)),
        },
        Kind::Char => match text.split_first() {
            Some((first, rest)) => Ok((Value::Str(vec![*first]), rest)),
            None => Err(bad("No character available", 3003)),
        },
        Kind::Severity if row.legacy.is_some_and(|name| name.starts_with("Action")) => {
            severity_number(text)
        }
        Kind::Facility | Kind::Severity => {
            let (names, max) =
                if row.kind == Kind::Facility { (FACILITIES, 24) } else { (SEVERITIES, 8) };
            let number = syslog_name(first, names).filter(|number| (0..=max).contains(number));
            let number = number.ok_or_else(|| Bad {
                lenient: row.kind == Kind::Severity,
                ..bad(format!("unknown name '{shown}'"), 2009)
            })?;
            Ok((Value::Int(number), rest))
        }
        Kind::Choice(_) if row.name == "queue.type" => {
            let queue = if row.legacy.is_some_and(|name| name.starts_with("Main")) {
                "mainmessagequeuetype"
            } else {
                "actionqueue"
            };
            let value = row.kind.parse(row.name, &[first.to_vec()]);
            let value = value.map_err(|_| bad(format!("unknown {queue} parameter: {shown}"), 2016));
            Ok((value?, rest))
        }
        Kind::Choice(_) | Kind::Word | Kind::Str | Kind::Array | Kind::Gone => {
            if first.is_empty() {
                return Err(bad("could not extract value: it is missing", 3003));
            }
            let value = row.parse(&[first.to_vec()]).map_err(|text| bad(text, 2009));
            Ok((value?, rest))
        }
    }
}

/// `$ActionQueueDiscardSeverity` takes no name.
fn severity_number(text: &[u8]) -> Result<(Value, &[u8]), Bad> {
    let (number, rest) = sized_number(text)?;
    let number = integer(number, 0, 8).map_err(|bad| Bad { lenient: true, ..bad })?;
    Ok((Value::Int(number), rest))
}

/// Digits with `.` and `,` between them as one likes, and a size suffix.
fn sized_number(text: &[u8]) -> Result<(i64, &[u8]), Bad> {
    let (negative, digits) = text.strip_prefix(b"-").map_or((false, text), |digits| (true, digits));
    if !digits.first().is_some_and(u8::is_ascii_digit) {
        return Err(bad("invalid number", 2010));
    }
    let is_part = |byte: &&u8| byte.is_ascii_digit() || matches!(byte, b'.' | b',');
    let len = digits.iter().take_while(is_part).count();
    let (number, mut rest) = digits.split_at(len);
    let number = number.iter().filter(|byte| byte.is_ascii_digit()).fold(0_i64, |number, digit| {
        number.saturating_mul(10).saturating_add(i64::from(digit - b'0'))
    });
    let mut unit = 1;
    if let Some(found) = rest.first().copied().and_then(size_unit) {
        unit = i64::try_from(found).unwrap_or(i64::MAX);
        rest = &rest[1..];
    }
    let number = number.saturating_mul(unit);
    Ok((if negative { -number } else { number }, rest))
}

fn integer(number: i64, min: i64, max: i64) -> Result<i64, Bad> {
    let wrong = match (min, max) {
        _ if number > NUMBER_MAX => format!("value {number} too large for integer argument."),
        (1, _) if number < 1 => format!("value {number} must be greater than zero."),
        (0, _) if number < 0 => format!("value {number} must not be less than zero."),
        _ if number < min || number > max => {
            format!("value {number} must be between {min} and {max}.")
        }
        _ => return Ok(number),
    };
    Err(bad(wrong, 2009))
}

/// `0` and three octal digits; what follows them is left.
fn file_mode(text: &[u8]) -> Result<(Value, &[u8]), Bad> {
    let digits = text.get(..4).unwrap_or_default();
    let octal = digits.iter().all(|byte| (b'0'..=b'7').contains(byte));
    if digits.first() != Some(&b'0') || !octal {
        return Err(bad("value must be octal (e.g 0644).", 2009));
    }
    let mode = digits.iter().fold(0, |mode, digit| mode * 8 + i64::from(digit - b'0'));
    Ok((Value::Int(mode), &text[4..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let parsed = |kind, text: &str| {
            let row = Param::new("x", kind, None, "X.");
            let parsed = parse(&row, text.as_bytes());
            parsed.map(|(value, rest)| (value, rest.to_vec())).map_err(|bad| bad.text)
        };
        let good = [
            (Kind::Bool, "on # why", Value::Bool(true), " # why"),
            (Kind::INT, "1,000,000 x", Value::Int(1_000_000), " x"),
            (Kind::INT, "1k", Value::Int(1024), ""),
            (Kind::INT, "-1", Value::Int(-1), ""),
            (Kind::SIZE, "8m", Value::Size(8 << 20), ""),
            (Kind::FileMode, "0640", Value::Int(0o640), ""),
            (Kind::FileMode, "06401", Value::Int(0o640), "1"),
            (Kind::User, "root", Value::Int(0), ""),
            (Kind::Word, "/var/x  y", Value::Str(b"/var/x".to_vec()), "  y"),
            (Kind::Char, "#", Value::Str(b"#".to_vec()), ""),
            (Kind::Severity, "warn", Value::Int(4), ""),
        ];
        for (kind, text, value, rest) in good {
            assert_eq!(parsed(kind, text), Ok((value, rest.as_bytes().to_vec())), "{text:?}");
        }
        let wrong = [
            (Kind::Bool, "On", "Option value must be on or off, but is 'On'"),
            (Kind::INT, "x", "invalid number"),
            (Kind::INT, "3000000000", "value 3000000000 too large for integer argument."),
            (Kind::POSITIVE, "0", "value 0 must be greater than zero."),
            (Kind::NONNEG, "-3", "value -3 must not be less than zero."),
            (Kind::FileMode, "640", "value must be octal (e.g 0644)."),
        ];
        for (kind, text, expect) in wrong {
            assert_eq!(parsed(kind, text), Err(expect.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn template_texts() {
        let cases = [
            (r#""%msg%\n",sql"#, Some((r"%msg%\n", ",sql"))),
            (r#" "a \" b""#, Some((r#"a \" b"#, ""))),
            (
                r#""%msg:R,ERE,1,DFLT:"%x"--end% c""#,
                Some((r#"%msg:R,ERE,1,DFLT:"%x"--end% c"#, "")),
            ),
            (r#""open"#, Some(("open", ""))),
            (r#""open\"#, Some((r"open\", ""))),
            ("x", None),
        ];
        for (text, expect) in cases {
            let got = template_text(text.as_bytes());
            let expect =
                expect.map(|(text, rest): (&str, &str)| (text.as_bytes(), rest.as_bytes()));
            assert_eq!(got, expect, "{text}");
        }
    }
}

//! A line of the kernel's log as imklog reads it: `<PRI>[secs.usecs] text`.
//!
//! What user space has written into it has a PRI of its own behind the kernel's; that one counts.

use crate::message::pri;

/// What stands in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) pri: u8,
    pub(super) text: &'a [u8],
    /// Microseconds on the kernel's clock.
    pub(super) stamp: Option<i64>,
}

/// PRI of a line without one: kern.info.
const DEFAULT: u8 = 6;

/// Reads a line without its LF. `keeps_stamp` leaves the kernel's time in the text, `scratch` is used where it does
/// not.
pub(super) fn parse<'a>(line: &'a [u8], keeps_stamp: bool, scratch: &'a mut Vec<u8>) -> Line<'a> {
    let stamp = stamp(line);
    let text = match &stamp {
        Some((_, at)) if !keeps_stamp => {
            scratch.clear();
            scratch.extend_from_slice(line.get(..at.start).unwrap_or_default());
            scratch.extend_from_slice(line.get(at.end..).unwrap_or_default());
            scratch.as_slice()
        }
        _ => line,
    };
    let second = match text {
        [_, _, _, second @ ..] if second.first() == Some(&b'<') => second,
        [_, _, _, b' ', second @ ..] => second,
        _ => &[],
    };
    let second = priority(second).filter(|(pri, _)| *pri > 7);
    let (pri, text) = second.or_else(|| priority(text)).unwrap_or((DEFAULT, text));
    Line { pri, text, stamp: stamp.map(|(usec, _)| usec) }
}

/// `<N>` with any number of digits, and the text behind it.
fn priority(text: &[u8]) -> Option<(u8, &[u8])> {
    let rest = text.strip_prefix(b"<")?;
    let digits = rest.iter().take_while(|c| c.is_ascii_digit()).count();
    let (number, rest) = rest.split_at_checked(digits)?;
    let rest = rest.strip_prefix(b">")?;
    let value = u8::try_from(decimal(number)).ok().filter(|value| *value <= pri::MAX)?;
    (digits > 0).then_some((value, rest))
}

/// The time right behind the PRI, in microseconds, and where it stands.
fn stamp(line: &[u8]) -> Option<(i64, std::ops::Range<usize>)> {
    let start = (1..=4).find(|at| line.get(*at) == Some(&b'>'))? + 1;
    let text = line.get(start..)?;
    let inner = text.strip_prefix(b"[")?;
    let blanks = inner.iter().take_while(|c| c.is_ascii_whitespace() || **c == 0x0b).count();
    let inner = inner.get(blanks..)?;
    let digits = |text: &[u8]| text.iter().take_while(|c| c.is_ascii_digit()).count();
    let (seconds, rest) = inner.split_at_checked(digits(inner))?;
    let rest = rest.strip_prefix(b".")?;
    let (usec, rest) = rest.split_at_checked(digits(rest))?;
    let rest = rest.strip_prefix(b"]")?;
    let usec = decimal(seconds).saturating_mul(1_000_000).saturating_add(decimal(usec));
    Some((usec, start..line.len() - rest.len()))
}

/// A number of digits only, or the largest there is.
pub(super) fn decimal(digits: &[u8]) -> i64 {
    digits.iter().fold(0_i64, |number, digit| {
        number.saturating_mul(10).saturating_add(i64::from(digit.wrapping_sub(b'0')))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As rsyslogd 8.2610's imklog does it.
    #[test]
    fn lines() {
        let rows: [(&str, u8, &str, Option<i64>); 22] = [
            ("<6>[    0.000000] Linux", 6, " Linux", Some(0)),
            ("<4>[    1.234567] warning", 4, " warning", Some(1_234_567)),
            ("<14>[    2.5] user", 14, " user", Some(2_000_005)),
            ("<4><13>second", 13, "second", None),
            ("<4> <13>second", 13, "second", None),
            ("<4><5>second below 8", 4, "<5>second below 8", None),
            ("<12>[3.3]<14>x", 12, "<14>x", Some(3_000_003)),
            ("<6>[3.3]<14>x", 14, "x", Some(3_000_003)),
            ("no pri", 6, "no pri", None),
            ("<999>bad", 6, "<999>bad", None),
            ("<0000013>zeros", 13, "zeros", None),
            ("<191>[1.1] local7", 191, " local7", Some(1_000_001)),
            ("<6>[abc] x", 6, "[abc] x", None),
            ("<6>[ 12.5 x", 6, "[ 12.5 x", None),
            ("<6>[.]x", 6, "x", Some(0)),
            ("abc<13>x", 13, "x", None),
            ("<6>", 6, "", None),
            ("<6>[4.4]", 6, "", Some(4_000_004)),
            ("", 6, "", None),
            ("<", 6, "<", None),
            ("<>x", 6, "<>x", None),
            ("<6>[99999999999999999999.1]x", 6, "x", Some(i64::MAX)),
        ];
        for (line, pri, text, stamp) in rows {
            let mut scratch = Vec::new();
            let got = parse(line.as_bytes(), false, &mut scratch);
            assert_eq!(got, Line { pri, text: text.as_bytes(), stamp }, "{line}");
        }
        let mut scratch = Vec::new();
        let kept = parse(b"<6>[    0.000001] Linux", true, &mut scratch);
        assert_eq!(kept, Line { pri: 6, text: b"[    0.000001] Linux", stamp: Some(1) });
    }

    proptest! {
        /// Whatever comes is a message, and a part of the line.
        #[test]
        fn any_bytes(
            head in "(<[0-9]{0,4}>?)?(\\[ {0,3}[0-9]{0,22}\\.[0-9]{0,22}\\]?)?( ?<[0-9]{0,3}>)?",
            text in proptest::collection::vec(any::<u8>(), 0..30),
            keeps in any::<bool>(),
        ) {
            let line = [head.as_bytes(), &text].concat();
            let mut scratch = Vec::new();
            let got = parse(&line, keeps, &mut scratch);
            prop_assert!(got.pri <= pri::MAX && got.text.len() <= line.len());
            prop_assert!(line.ends_with(got.text) || !keeps);
        }
    }
}

//! Selectors: `mail.*;auth,authpriv.none` to a mask of severities per facility
//! (`spec/config-language.md` section 5.1).

use super::ast::PriMask;
use crate::param::{FACILITIES, SEVERITIES, syslog_name};

/// What is wrong with a selector; the mask holds what was decoded before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BadSelector {
    Priority(String),
    Facility(String),
}

impl BadSelector {
    /// The reference's message.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Priority(word) => format!("unknown priority name \"{word}\""),
            Self::Facility(word) => format!("unknown facility name \"{word}\""),
        }
    }

    /// The word at fault, and all words that would do.
    pub(super) fn word_and_known(&self) -> (&str, Vec<&'static str>) {
        let (word, names) = match self {
            Self::Priority(word) => (word, SEVERITIES),
            Self::Facility(word) => (word, FACILITIES),
        };
        (word.trim_start_matches(['!', '=']), names.iter().map(|(name, _)| *name).collect())
    }
}

/// Which severities one selector means.
#[derive(Clone, Copy)]
enum Level {
    /// `*`
    All,
    /// `none`
    None,
    /// `p`: this one and all more important ones.
    From(u32),
    /// `=p`
    Only(u32),
}

/// Decodes a selector, left to right; order matters.
pub(super) fn decode(selector: &[u8]) -> (PriMask, Result<(), BadSelector>) {
    let mut mask = [0; 25];
    let mut rest = Some(selector.trim_ascii()).filter(|text| !text.is_empty());
    while let Some(text) = rest {
        match decode_one(text, &mut mask) {
            Ok(behind) => rest = behind,
            Err(bad) => return (mask, Err(bad)),
        }
    }
    (mask, Ok(()))
}

/// `facility[,facility].[!][=]priority`; returns what is behind the semicolons or commas that follow, if there are any:
/// behind them must be another one.
fn decode_one<'a>(part: &'a [u8], mask: &mut PriMask) -> Result<Option<&'a [u8]>, BadSelector> {
    let shown = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
    let end = |text: &[u8], of: &[u8]| {
        text.iter().position(|byte| of.contains(byte)).unwrap_or(text.len())
    };
    let (facilities, rest) = part.split_at(end(part, b".;"));
    let priority = rest.strip_prefix(b".").unwrap_or_default();
    let (priority, rest) = priority.split_at(end(priority, b",;"));
    let (negate, word) = priority.strip_prefix(b"!").map_or((false, priority), |word| (true, word));
    let level = level(word).ok_or_else(|| BadSelector::Priority(shown(word)))?;
    for facility in facilities.split(|byte| *byte == b',').filter(|word| !word.is_empty()) {
        if facility.first() == Some(&b'*') {
            mask.iter_mut().for_each(|bits| apply(bits, level, negate));
            continue;
        }
        let number = facility_number(facility);
        let number = number.ok_or_else(|| BadSelector::Facility(shown(facility)))?;
        // `mark` lies outside of the table and selects nothing.
        if let Some(bits) = mask.get_mut(number) {
            apply(bits, level, negate);
        }
    }
    let next = rest.iter().position(|byte| !matches!(byte, b',' | b';')).unwrap_or(rest.len());
    Ok((next > 0).then(|| &rest[next..]))
}

/// A name, or the number as in a PRI: eight times the facility.
fn facility_number(word: &[u8]) -> Option<usize> {
    let numeric = word.first().is_some_and(u8::is_ascii_digit);
    let number = usize::try_from(syslog_name(word, FACILITIES)?).ok()?;
    let number = if numeric { number >> 3 } else { number };
    (number <= 25).then_some(number)
}

fn level(word: &[u8]) -> Option<Level> {
    let (only, word) = word.strip_prefix(b"=").map_or((false, word), |word| (true, word));
    if word == b"*" {
        // `=*` asks for a priority that no message has, in the reference by accident.
        return Some(if only { Level::Only(8) } else { Level::All });
    }
    if word.eq_ignore_ascii_case(b"none") {
        return Some(Level::None);
    }
    let number = u32::try_from(syslog_name(word, SEVERITIES)?).ok()?;
    Some(match (number, only) {
        // What the reference's own marks for `none` and `*` are as numbers.
        (16, _) => Level::None,
        (255, false) => Level::All,
        (_, true) => Level::Only(number),
        (_, false) => Level::From(number.min(7)),
    })
}

fn apply(bits: &mut u8, level: Level, negate: bool) {
    let chosen = match level {
        Level::All => 0xff,
        Level::None => 0,
        Level::From(number) => u8::MAX >> (7 - number),
        Level::Only(number) => 1_u8.checked_shl(number).unwrap_or(0),
    };
    match (level, negate) {
        (Level::All | Level::None, false) => *bits = chosen,
        (Level::All | Level::None, true) => *bits = !chosen,
        (_, false) => *bits |= chosen,
        (_, true) => {
            if *bits == 0 {
                *bits = 0xff;
            }
            *bits &= !chosen;
        }
    }
}

/// The mask of a comparison of `$syslogseverity` with `number`.
pub(super) fn severities(accept: impl Fn(u8) -> bool) -> PriMask {
    let bits = (0..8).filter(|number| accept(*number)).fold(0, |bits, number| bits | 1 << number);
    [bits; 25]
}

/// The mask of a comparison of `$syslogfacility` with a number.
pub(super) fn facilities(accept: impl Fn(u8) -> bool) -> PriMask {
    let mut mask = [0; 25];
    for (number, bits) in (0..).zip(&mut mask) {
        if accept(number) {
            *bits = 0xff;
        }
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Facilities with their bits, all others being 0.
    fn mask(set: &[(usize, u8)]) -> PriMask {
        let mut mask = [0; 25];
        for (facility, bits) in set {
            mask[*facility] = *bits;
        }
        mask
    }

    fn all_but(set: &[(usize, u8)]) -> PriMask {
        let mut mask = [0xff; 25];
        for (facility, bits) in set {
            mask[*facility] = *bits;
        }
        mask
    }

    #[test]
    fn selectors() {
        let cases: &[(&str, PriMask)] = &[
            ("*.*", [0xff; 25]),
            ("mail.err", mask(&[(2, 0b1111)])),
            ("mail.=err", mask(&[(2, 0b1000)])),
            ("MAIL.3", mask(&[(2, 0b1111)])),
            ("mail.*", mask(&[(2, 0xff)])),
            ("16.*", mask(&[(2, 0xff)])),
            ("mail,news.crit", mask(&[(2, 0b111), (7, 0b111)])),
            ("*.*;auth,authpriv.none", all_but(&[(4, 0), (10, 0)])),
            ("auth.none;*.*", [0xff; 25]),
            ("*.info;mail.none", {
                let mut m = [0x7f; 25];
                m[2] = 0;
                m
            }),
            ("mail.!err", mask(&[(2, 0b1111_0000)])),
            ("mail.*;mail.!=info", mask(&[(2, 0b1011_1111)])),
            ("mail.!=info", mask(&[(2, 0b1011_1111)])),
            ("mail.!*", mask(&[])),
            ("mail.!none", mask(&[(2, 0xff)])),
            ("mail.=*;news.!=*", mask(&[(7, 0xff)])),
            ("*.=debug;auth.none", {
                let mut m = [0x80; 25];
                m[4] = 0;
                m
            }),
            ("mark.*", mask(&[])),
            ("invld.*", mask(&[(24, 0xff)])),
            ("mail.*,news.*", mask(&[(2, 0xff), (7, 0xff)])),
            ("mail.10,news.=10,uucp.16,cron.255", mask(&[(2, 0xff), (9, 0xff)])),
        ];
        for (text, expect) in cases {
            assert_eq!(decode(text.as_bytes()), (*expect, Ok(())), "{text}");
        }
    }

    #[test]
    fn wrong_selectors_keep_what_was_decoded() {
        let (mask_of, result) = decode(b"mail.*;news.foo;*.*");
        assert_eq!(mask_of, mask(&[(2, 0xff)]));
        assert_eq!(result, Err(BadSelector::Priority("foo".into())));
        assert_eq!(decode(b"foo.*").1, Err(BadSelector::Facility("foo".into())));
        assert_eq!(decode(b"mail").1, Err(BadSelector::Priority(String::new())));
        for open in ["*.*;", "mail.info,", "mail.info;;", "mail;*.*"] {
            let nothing = BadSelector::Priority(String::new());
            assert_eq!(decode(open.as_bytes()).1, Err(nothing), "{open}");
        }
        assert_eq!(decode(b" mail.*;,news.* "), (mask(&[(2, 0xff), (7, 0xff)]), Ok(())));
        assert_eq!(decode(b""), (mask(&[]), Ok(())));
        assert_eq!(decode(b"999.*").1, Err(BadSelector::Facility("999".into())));
        assert_eq!(decode(b"mail.8x").1, Err(BadSelector::Priority("8x".into())));
    }
}

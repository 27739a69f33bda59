//! Which bytes of a property are taken: a field, what an expression matches, a range of positions. None of this
//! copies.

use crate::sys::regex::{CAPTURES_MAX, SharedRegex};

/// Which part of a value is taken.
#[derive(Debug)]
pub(super) enum Select {
    /// All of it.
    All,
    /// A field.
    Field(Field),
    /// What an expression matches.
    Match(Match),
    /// An expression that does not compile.
    BadExpression,
}

impl Select {
    /// The part, or a text that goes to the output without any further step.
    pub(super) fn apply<'v>(&self, value: &'v [u8]) -> Result<&'v [u8], &'static [u8]> {
        match self {
            Self::All => Ok(value),
            Self::Field(field) => field.extract(value).ok_or(b"**FIELD NOT FOUND**"),
            Self::Match(expression) => Ok(expression.extract(value)),
            Self::BadExpression => Err(b"**NO MATCH** **BAD REGULAR EXPRESSION**"),
        }
    }
}

/// A field of a value that a character divides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// From 1.
    pub(super) number: i64,
    /// What stands between fields.
    pub(super) delimiter: u8,
    /// Several delimiters in a row count as one.
    pub(super) runs: bool,
}

impl Field {
    fn extract(self, value: &[u8]) -> Option<&[u8]> {
        let mut rest = value;
        let mut number = 1;
        while number < self.number {
            let at = memchr::memchr(self.delimiter, rest)?;
            rest = rest.get(at + 1..)?;
            while self.runs && rest.first() == Some(&self.delimiter) {
                rest = rest.get(1..)?;
            }
            number += 1;
        }
        let end = memchr::memchr(self.delimiter, rest).unwrap_or(rest.len());
        if number == self.number { rest.get(..end) } else { None }
    }
}

/// The part of a value that an expression, or a group in it, matches.
#[derive(Debug)]
pub(super) struct Match {
    /// The expression.
    pub(super) regex: SharedRegex,
    /// How many matches are skipped before the one to use.
    pub(super) skip: usize,
    /// The group to use; 0 is the whole match.
    pub(super) group: usize,
    /// What stands for no match.
    pub(super) missing: Missing,
}

/// What a value becomes that an expression does not match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Missing {
    /// `**NO MATCH**`
    #[default]
    Text,
    /// Nothing.
    Blank,
    /// The value itself.
    Value,
    /// `0`
    Zero,
}

impl Match {
    fn extract<'v>(&self, value: &'v [u8]) -> &'v [u8] {
        let mut groups = [const { None }; CAPTURES_MAX];
        let mut rest = value;
        for tries in 0..=self.skip {
            if !self.regex.captures(rest, &mut groups) {
                break;
            }
            if tries == self.skip {
                // A group that took no part in the match is empty, whatever `missing` says.
                let group = groups.get(self.group).cloned().flatten();
                return group.and_then(|range| rest.get(range)).unwrap_or_default();
            }
            let end = groups[0].as_ref().map_or(0, |range| range.end);
            rest = rest.get(end..).unwrap_or_default();
        }
        match self.missing {
            Missing::Text => b"**NO MATCH**",
            Missing::Blank => b"",
            Missing::Value => value,
            Missing::Zero => b"0",
        }
    }
}

/// A range of bytes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// First byte, from 1; or its distance from the end.
    pub(super) from: i64,
    /// Last byte, from 1, or below 0 that many bytes before the last; or its distance from the end.
    pub(super) to: i64,
    /// Both are distances from the end.
    pub(super) from_end: bool,
    /// The result has the range's length: shorter values are padded with blanks.
    pub(super) fixed_width: bool,
}

impl Position {
    /// A `to` from here on means the end of any value; there is no width to be padded to then.
    pub(super) const END: i64 = 9_999_999;

    /// The range of `value`, and how many blanks are missing from it.
    pub(super) fn cut(self, value: &[u8]) -> (&[u8], usize) {
        let len = i64::try_from(value.len()).unwrap_or(i64::MAX);
        let (from, to) = if self.from_end {
            (len.saturating_sub(self.from), len.saturating_sub(self.to).max(0))
        } else if self.to < 0 {
            (self.from.saturating_sub(1), (len - 1).saturating_add(self.to).max(0))
        } else {
            (self.from.saturating_sub(1), (self.to - 1).max(0))
        };
        let from = from.max(0);
        if from >= len || to < from {
            return (b"", 0);
        }
        let index = |n: i64| usize::try_from(n).unwrap_or(usize::MAX);
        let cut = value.get(index(from)..index(to.min(len - 1)) + 1).unwrap_or_default();
        let missing =
            if self.fixed_width && to + 1 < Self::END { (to + 1 - len).max(0) } else { 0 };
        (cut, index(missing))
    }
}

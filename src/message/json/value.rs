//! JSON values, ordered and on bytes: what variables hold.
//!
//! They behave as those of the reference's library do where a configuration can see it: a member keeps its
//! place and its first spelling when it gets a new value, and the place of a removed member goes to the next
//! new one. Strings and names are any bytes; nothing requires UTF-8.

use std::io::Write as _;

use super::escape;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`; as a variable the same as none.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number without fraction.
    Int(i64),
    /// A number with fraction or exponent, and how it is written.
    Double(f64, Box<[u8]>),
    /// A string, not escaped.
    Str(Box<[u8]>),
    /// A list.
    Array(Vec<Self>),
    /// Named values.
    Object(Object),
}

/// How names of members compare (`global(variables.caseSensitive=…)`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Case {
    /// `a` is not `A`.
    Sensitive,
    /// ASCII letters are the same in either case.
    #[default]
    Insensitive,
}

impl Case {
    /// Whether two names are the same.
    #[must_use]
    pub fn same(self, left: &[u8], right: &[u8]) -> bool {
        match self {
            Self::Sensitive => left == right,
            Self::Insensitive => left.eq_ignore_ascii_case(right),
        }
    }
}

/// How a value is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// `{ "a": [ 1, 2 ] }`
    #[default]
    Spaced,
    /// `{"a":[1,2]}`
    Compact,
}

/// The members of an object, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object {
    /// `None`: a place that a removed member has left.
    members: Vec<Option<(Box<[u8]>, Json)>>,
}

impl Object {
    /// The members in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Json)> {
        self.members.iter().flatten().map(|(name, value)| (&**name, value))
    }

    /// The value of a member.
    #[must_use]
    pub fn get(&self, name: &[u8], case: Case) -> Option<&Json> {
        self.iter().find(|(known, _)| case.same(known, name)).map(|(_, value)| value)
    }

    /// The value of a member, to be changed.
    pub fn get_mut(&mut self, name: &[u8], case: Case) -> Option<&mut Json> {
        let mut members = self.members.iter_mut().flatten();
        members.find(|(known, _)| case.same(known, name)).map(|(_, value)| value)
    }

    /// Gives a member a value. A new one is spelled like this and takes the first free place.
    pub fn set(&mut self, name: &[u8], value: Json, case: Case) {
        if let Some(known) = self.get_mut(name, case) {
            *known = value;
            return;
        }
        let member = Some((name.into(), value));
        match self.members.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = member,
            None => self.members.push(member),
        }
    }

    /// Removes a member, if it is there.
    pub fn remove(&mut self, name: &[u8], case: Case) {
        let is_it = |place: &&mut Option<(Box<[u8]>, Json)>| {
            place.as_ref().is_some_and(|(known, _)| case.same(known, name))
        };
        if let Some(place) = self.members.iter_mut().find(is_it) {
            *place = None;
        }
    }

    /// The members in order.
    pub fn into_members(self) -> impl Iterator<Item = (Box<[u8]>, Json)> {
        self.members.into_iter().flatten()
    }

    /// Takes over the members of another object.
    pub fn merge(&mut self, other: Self, case: Case) {
        for (name, value) in other.into_members() {
            self.set(&name, value, case);
        }
    }
}

impl FromIterator<(Box<[u8]>, Json)> for Object {
    /// Names must differ.
    fn from_iter<T: IntoIterator<Item = (Box<[u8]>, Json)>>(members: T) -> Self {
        Self { members: members.into_iter().map(Some).collect() }
    }
}

impl Json {
    /// A number with fraction, written as C's `%.17g` does, with `.0` where nothing shows that it is one.
    #[must_use]
    pub fn double(value: f64) -> Self {
        Self::Double(value, format_double(value).into())
    }

    /// A string.
    #[must_use]
    pub fn text(text: &[u8]) -> Self {
        Self::Str(text.into())
    }

    /// A copy, as a statement takes it: fractions are written anew.
    #[must_use]
    pub fn copy(&self) -> Self {
        match self {
            Self::Double(value, _) => Self::double(*value),
            Self::Array(items) => Self::Array(items.iter().map(Self::copy).collect()),
            Self::Object(object) => Self::Object(
                object.iter().map(|(name, value)| (name.into(), value.copy())).collect(),
            ),
            other => other.clone(),
        }
    }

    /// As a number: what is none is 0.
    #[must_use]
    pub fn number(&self) -> i64 {
        match self {
            Self::Bool(truth) => (*truth).into(),
            Self::Int(n) => *n,
            #[expect(clippy::cast_possible_truncation, reason = "the nearest number is wanted")]
            Self::Double(value, _) => *value as i64,
            Self::Str(text) => leading_number(text),
            Self::Null | Self::Array(_) | Self::Object(_) => 0,
        }
    }

    /// Appends the value as a text: strings without quotes, `null` as nothing, others as JSON.
    pub fn append_to(&self, style: Style, out: &mut Vec<u8>) {
        match self {
            Self::Null => {}
            Self::Str(text) => out.extend_from_slice(text),
            other => other.write(style, out),
        }
    }

    /// Appends the value as JSON.
    pub fn write(&self, style: Style, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(true) => out.extend_from_slice(b"true"),
            Self::Bool(false) => out.extend_from_slice(b"false"),
            // Writing to a Vec cannot fail.
            Self::Int(n) => drop(write!(out, "{n}")),
            Self::Double(_, text) => out.extend_from_slice(text),
            Self::Str(text) => {
                out.push(b'"');
                escape(text, out);
                out.push(b'"');
            }
            Self::Array(items) => {
                let write = |item: &Self, out: &mut Vec<u8>| item.write(style, out);
                write_container(*b"[]", items.iter(), style, write, out);
            }
            Self::Object(object) => {
                let write = |(name, value): (&[u8], &Self), out: &mut Vec<u8>| {
                    out.push(b'"');
                    escape(name, out);
                    out.extend_from_slice(if style == Style::Spaced { b"\": " } else { b"\":" });
                    value.write(style, out);
                };
                write_container(*b"{}", object.iter(), style, write, out);
            }
        }
    }
}

fn write_container<T>(
    [open, close]: [u8; 2],
    items: impl Iterator<Item = T>,
    style: Style,
    write: impl Fn(T, &mut Vec<u8>),
    out: &mut Vec<u8>,
) {
    out.push(open);
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        if style == Style::Spaced {
            out.push(b' ');
        }
        write(item, out);
    }
    if style == Style::Spaced {
        out.push(b' ');
    }
    out.push(close);
}

/// `%.17g`, at most 17 digits without zeros at the end and an exponent below 1e-4 and from 1e17 on; and `.0` behind
/// whole numbers. (The reference appends that even to an exponent.)
fn format_double(value: f64) -> Vec<u8> {
    if !value.is_finite() {
        let text = if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        };
        return text.into();
    }
    let scientific = format!("{value:.16e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if (-4..17).contains(&exponent) {
        let decimals = usize::try_from(16 - exponent).unwrap_or(0);
        let text = trim(&format!("{value:.decimals$}"));
        return if text.contains('.') { text } else { text + ".0" }.into();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trim(digits), exponent.abs()).into()
}

/// What `strtoll` makes of a text.
pub(super) fn leading_number(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    let digits = digits.iter().take_while(|c| c.is_ascii_digit());
    let signed = |digit: &u8| {
        let digit = i64::from(digit - b'0');
        if negative { -digit } else { digit }
    };
    digits.fold(0, |n: i64, digit| n.saturating_mul(10).saturating_add(signed(digit)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::json::parse;

    fn show(value: &Json, style: Style) -> String {
        let mut out = Vec::new();
        value.write(style, &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn both_styles() {
        let text = br#"{"a":[1,-2,1.50],"b":{},"c":[],"d":null,"e":true,"f":"x/\"\u0001"}"#;
        let value = parse(text, Case::Insensitive).value.expect("valid");
        assert_eq!(
            show(&value, Style::Spaced),
            r#"{ "a": [ 1, -2, 1.50 ], "b": { }, "c": [ ], "d": null, "e": true, "f": "x\/\"\u0001" }"#
        );
        assert_eq!(
            show(&value, Style::Compact),
            r#"{"a":[1,-2,1.50],"b":{},"c":[],"d":null,"e":true,"f":"x\/\"\u0001"}"#
        );
        assert_eq!(show(&value.copy(), Style::Compact).find("1.5]"), Some(11), "copied numbers");
    }

    #[test]
    fn places_and_spellings_stay() {
        let mut object = Object::default();
        for (name, n) in [("Aa", 1), ("b", 2), ("c", 3), ("AA", 4)] {
            object.set(name.as_bytes(), Json::Int(n), Case::Insensitive);
        }
        assert_eq!(show(&Json::Object(object.clone()), Style::Compact), r#"{"Aa":4,"b":2,"c":3}"#);
        assert_eq!(object.get(b"aa", Case::Insensitive), Some(&Json::Int(4)));
        assert_eq!(object.get(b"aa", Case::Sensitive), None);
        object.remove(b"B", Case::Insensitive);
        object.set(b"d", Json::Int(5), Case::Insensitive);
        assert_eq!(show(&Json::Object(object), Style::Compact), r#"{"Aa":4,"d":5,"c":3}"#);
    }

    #[test]
    fn doubles_as_c_writes_them() {
        let table = [
            (1.5, "1.5"),
            (0.1, "0.10000000000000001"),
            (2.0, "2.0"),
            (-0.0, "-0.0"),
            (1e17, "1e+17"),
            (1e16, "10000000000000000.0"),
            (1.5e-7, "1.4999999999999999e-07"),
            (1e300, "1.0000000000000001e+300"),
            (f64::INFINITY, "Infinity"),
        ];
        for (value, want) in table {
            assert_eq!(String::from_utf8_lossy(&format_double(value)), want);
        }
    }

    #[test]
    fn values_as_numbers() {
        let table = [
            ("\"12ab\"", 12),
            ("\" -7\"", -7),
            ("\"x\"", 0),
            ("3.9", 3),
            ("true", 1),
            ("[1]", 0),
            ("null", 0),
            ("\"99999999999999999999\"", i64::MAX),
        ];
        for (text, want) in table {
            let value = parse(format!("{text} ").as_bytes(), Case::Insensitive).value;
            assert_eq!(value.expect(text).number(), want, "{text}");
        }
    }
}

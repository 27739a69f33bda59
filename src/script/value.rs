//! Values of expressions: numbers, texts and JSON, with the reference's conversions and comparisons
//! (`spec/config-language.md` sections 6.1 to 6.3).

use std::cmp::Ordering;
use std::io::Write as _;

use crate::config::ast::BinaryOp;
use crate::message::Json;
use crate::message::json::Style;

/// A value while an expression is evaluated.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// A number.
    Number(i64),
    /// A text: of the message, of the configuration, or composed in a buffer.
    Text(&'a [u8]),
    /// A node of a tree; strings that variables hold are [`Value::Text`].
    Json(Json),
}

impl Value<'_> {
    /// As a number, and whether it is one: optional `-`, decimal digits. An empty text is 0 and a number;
    /// of other texts the leading digits are taken ("12ab" → 12). JSON is a number whatever it is.
    #[must_use]
    pub fn number(&self) -> (i64, bool) {
        match self {
            Self::Number(n) => (*n, true),
            Self::Text(text) => number(text),
            Self::Json(node) => (node.number(), true),
        }
    }

    /// Appends the value as text.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        match self {
            // Writing to a Vec cannot fail.
            Self::Number(n) => drop(write!(out, "{n}")),
            Self::Text(text) => out.extend_from_slice(text),
            Self::Json(node) => node.append_to(Style::Spaced, out),
        }
    }

    /// As a node of a tree; texts in trees have no NUL, as in the reference.
    #[must_use]
    pub fn into_json(self) -> Json {
        match self {
            Self::Number(n) => Json::Int(n),
            Self::Text(text) if memchr::memchr(0, text).is_some() => {
                let text: Vec<u8> = text.iter().copied().filter(|byte| *byte != 0).collect();
                Json::text(&text)
            }
            Self::Text(text) => Json::text(text),
            Self::Json(node) => node,
        }
    }

    /// Its truth: whether it is a number other than 0.
    #[must_use]
    pub fn is_true(&self) -> bool {
        self.number().0 != 0
    }

    /// `==`. A text and a text or JSON compare as texts; a number and a text as numbers, if the text is one, else
    /// as texts; numbers and JSON as numbers, so that any two containers are equal.
    #[must_use]
    pub fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Text(text), number @ Self::Number(_))
            | (number @ Self::Number(_), Self::Text(text)) => {
                Self::Text(text).order(number).is_eq()
            }
            (Self::Text(text), Self::Json(node)) => Self::equals_json(text, node),
            (Self::Json(_), Self::Text(text)) => self.bytes(&mut Room::default()) == *text,
            _ => self.number().0 == other.number().0,
        }
    }

    /// A text on the left of JSON: as numbers, if the text is one.
    fn equals_json(text: &[u8], node: &Json) -> bool {
        match number(text) {
            (n, true) => n == node.number(),
            (_, false) => {
                let mut written = Vec::new();
                node.append_to(Style::Spaced, &mut written);
                written == text
            }
        }
    }

    /// `< <= > >=`: as numbers if both sides are, else as texts, byte by byte. (The reference truncates the
    /// difference of the numbers to 32 bits; this does not.)
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        match (self.number(), other.number()) {
            ((a, true), (b, true)) => a.cmp(&b),
            _ => self.bytes(&mut Room::default()).cmp(other.bytes(&mut Room::default())),
        }
    }

    /// As text; `room` holds it where it is none.
    pub fn bytes<'s>(&'s self, room: &'s mut Room) -> &'s [u8] {
        match self {
            Self::Text(text) => text,
            Self::Number(n) => {
                room.decimal = Decimal::new(*n);
                room.decimal.bytes()
            }
            Self::Json(node) => {
                node.append_to(Style::Spaced, &mut room.json);
                &room.json
            }
        }
    }
}

/// Room for the text of a value that is none. Only JSON takes memory.
#[derive(Debug, Default)]
pub struct Room {
    decimal: Decimal,
    json: Vec<u8>,
}

/// The number that a text begins with, and whether the whole text is that number.
fn number(text: &[u8]) -> (i64, bool) {
    let (negative, digits) = match text.split_first() {
        Some((b'-', digits)) => (true, digits),
        _ => (false, text),
    };
    let mut n = 0_i64;
    let mut rest = digits.iter();
    for digit in rest.by_ref() {
        if !digit.is_ascii_digit() {
            return (if negative { n.wrapping_neg() } else { n }, false);
        }
        n = n.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
    }
    (if negative { n.wrapping_neg() } else { n }, true)
}

/// Arithmetic; a division by zero is zero, and what exceeds 64 bits wraps. Not for `Concat`.
#[must_use]
pub fn arithmetic(op: BinaryOp, left: i64, right: i64) -> i64 {
    match op {
        BinaryOp::Add => left.wrapping_add(right),
        BinaryOp::Sub => left.wrapping_sub(right),
        BinaryOp::Mul => left.wrapping_mul(right),
        BinaryOp::Div if right == 0 => 0,
        BinaryOp::Div => left.wrapping_div(right),
        BinaryOp::Mod if right == 0 => 0,
        BinaryOp::Mod => left.wrapping_rem(right),
        BinaryOp::Concat => unreachable!("texts are joined elsewhere"),
    }
}

/// The decimal text of a number, without allocation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Decimal {
    text: [u8; 20],
    len: usize,
}

impl Decimal {
    /// Writes the number.
    #[must_use]
    pub fn new(n: i64) -> Self {
        let mut decimal = Self::default();
        let mut room = decimal.text.as_mut_slice();
        // The longest text, that of i64::MIN, has 20 bytes.
        let _ = write!(room, "{n}");
        decimal.len = 20 - room.len();
        decimal
    }

    /// The text.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.text.get(..self.len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Value::{Number, Text};
    use super::*;

    #[test]
    fn texts_become_numbers() {
        let table: [(&str, i64, bool); 9] = [
            ("", 0, true),
            ("007", 7, true),
            ("-12", -12, true),
            ("-", 0, true),
            ("12ab", 12, false),
            ("ab", 0, false),
            (" 1", 0, false),
            ("+1", 0, false),
            ("9223372036854775808", i64::MIN, true),
        ];
        for (text, n, whole) in table {
            assert_eq!(Text(text.as_bytes()).number(), (n, whole), "{text}");
        }
    }

    #[test]
    fn equality_by_type() {
        let table = [
            (Text(b"007"), Number(7), true),
            (Text(b"007"), Text(b"7"), false),
            (Text(b"abc"), Number(0), false),
            (Text(b""), Number(0), true),
            (Number(24), Number(24), true),
            (Text(b"24x"), Number(24), false),
        ];
        for (left, right, want) in table {
            assert_eq!(left.equals(&right), want, "{left:?} {right:?}");
            assert_eq!(right.equals(&left), want, "{right:?} {left:?}");
        }
    }

    #[test]
    fn equality_with_json_by_side() {
        let node = |text: &str| {
            let parsed = crate::message::json::parse(text.as_bytes(), Default::default());
            Value::Json(parsed.value.expect(text))
        };
        let table = [
            (Text(b"5"), node("5 "), true),
            (Text(b"05"), node("5 "), true),
            (node("5 "), Text(b"05"), false),
            (node("5 "), Text(b"5"), true),
            (Text(b"[ 1 ]"), node("[1]"), true),
            (Text(b"[1]"), node("[1]"), false),
            (node("[1]"), Text(b"[ 1 ]"), true),
            (node("[1]"), node("{}"), true), // containers are 0
            (node("[1]"), Number(0), true),
            (node("true "), Number(1), true),
            (Number(3), node("3.7 "), true),
        ];
        for (left, right, want) in table {
            assert_eq!(left.equals(&right), want, "{left:?} {right:?}");
        }
    }

    #[test]
    fn order_by_type() {
        let table = [
            (Text(b"9"), Text(b"10"), Ordering::Less),
            (Text(b"9a"), Text(b"10"), Ordering::Greater),
            (Text(b"a"), Text(b"B"), Ordering::Greater),
            (Text(b"a"), Text(b"ab"), Ordering::Less),
            (Number(10), Text(b"9x"), Ordering::Less),
            (Number(4_294_967_297), Number(1), Ordering::Greater),
        ];
        for (left, right, want) in table {
            assert_eq!(left.order(&right), want, "{left:?} {right:?}");
        }
    }

    #[test]
    fn extreme_numbers_are_written_in_full() {
        for n in [i64::MIN, -1, 0, 7, i64::MAX] {
            assert_eq!(Decimal::new(n).bytes(), n.to_string().as_bytes());
        }
        assert_eq!(arithmetic(BinaryOp::Div, i64::MIN, -1), i64::MIN);
        assert_eq!(arithmetic(BinaryOp::Div, 5, 0), 0);
        assert_eq!(arithmetic(BinaryOp::Mod, 7, 4), 3);
    }
}

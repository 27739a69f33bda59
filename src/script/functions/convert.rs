//! Functions that make numbers of texts and texts of numbers.

use std::io::Write as _;

use super::{Function, Kind, Returned};
use crate::param::constant_number;
use crate::script::value::Value;

/// The functions of this file.
pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "cstr",
        args: 1..=1,
        doc: "A value as a text.",
        examples: &[("cstr(2 + 3) & 1", "51"), ("cstr('a')", "a")],
        kind: Kind::Plain(|call, out| {
            call.value(0, |value| value.append_to(out));
            Returned::Text
        }),
    },
    Function {
        name: "cnum",
        args: 1..=1,
        doc: "A value as a number: of a text, the digits it begins with. A text in the configuration that begins with 0 \
              is octal, with 0x hexadecimal (rsyslog takes the letters a to f for 0 to 5 there, and so does this).",
        examples: &[
            ("cnum('3 apples')", "3"),
            ("cnum('010')", "8"),
            ("cnum('0x10')", "16"),
            ("cnum('0x1F')", "21"),
            ("cnum(cstr('010'))", "10"),
            ("cnum('x')", "0"),
            ("cnum(7)", "7"),
        ],
        kind: Kind::Plain(|call, _| {
            let literal = call.is_literal(0);
            call.value(0, |value| match value {
                Value::Text(text) if literal => Returned::Number(constant_number(text)),
                value => Returned::Number(value.number().0),
            })
        }),
    },
    Function {
        name: "cbool",
        args: 1..=1,
        doc: "1, or 0 for the number 0 and the texts '', '0', 'no', 'off' and 'false', in any case and with white space \
              around them.",
        examples: &[
            ("cbool('on')", "1"),
            ("cbool(' OFF ')", "0"),
            ("cbool('False')", "0"),
            ("cbool('00')", "1"),
            ("cbool(0)", "0"),
            ("cbool(-1)", "1"),
        ],
        kind: Kind::Plain(|call, _| {
            call.value(0, |value| match value {
                Value::Number(n) => Returned::from(*n != 0),
                other => Returned::from(is_true(other.bytes(&mut Default::default()))),
            })
        }),
    },
    Function {
        name: "int2hex",
        args: 1..=1,
        doc: "A number in hexadecimal digits; NAN where there is no number.",
        examples: &[
            ("int2hex(255)", "ff"),
            ("int2hex(-1)", "ffffffffffffffff"),
            ("int2hex('12x')", "NAN"),
            ("int2hex('')", "0"),
        ],
        kind: Kind::Plain(|call, out| {
            match call.number(0) {
                // Writing to a Vec cannot fail.
                (n, true) => drop(write!(out, "{n:x}")),
                (_, false) => out.extend_from_slice(b"NAN"),
            }
            Returned::Text
        }),
    },
];

fn is_true(text: &[u8]) -> bool {
    let white = |c: &u8| matches!(c, b' ' | b'\t'..=b'\r');
    let start = text.iter().position(|c| !white(c)).unwrap_or(text.len());
    let end = text.iter().rposition(|c| !white(c)).map_or(start, |last| last + 1);
    let word = text.get(start..end).unwrap_or_default();
    let falsehoods: [&[u8]; 5] = [b"", b"0", b"no", b"off", b"false"];
    !falsehoods.iter().any(|falsehood| word.eq_ignore_ascii_case(falsehood))
}

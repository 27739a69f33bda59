//! Functions that cut and join texts.

use memchr::memmem;

use super::{Call, Function, Kind, Returned};

/// The functions of this file.
pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "strlen",
        args: 1..=1,
        doc: "Length of a text in bytes.",
        examples: &[("strlen('')", "0"), ("strlen('äb')", "3"), ("strlen(12)", "2")],
        kind: Kind::Plain(|call, _| {
            Returned::Number(call.text(0, |text| i64::try_from(text.len()).unwrap_or(i64::MAX)))
        }),
    },
    Function {
        name: "substring",
        args: 3..=3,
        doc: "The part of a text from a position (0 is the first) with a length; a negative length counts from the \
              length of the whole.",
        examples: &[
            ("substring('hello', 1, 2)", "el"),
            ("substring('hello', 2, -1)", "llo"),
            ("substring('hello', -5, 2)", "he"),
            ("substring('hello', 5, 2)", ""),
            ("substring('hello', 0, -9)", ""),
            ("substring('hello', '3x', 99999999999)", "lo"),
        ],
        kind: Kind::Plain(substring),
    },
    Function {
        name: "ltrim",
        args: 1..=1,
        doc: "A text without the blanks it begins with.",
        examples: &[("'<' & ltrim('  a b ') & '>'", "<a b >"), ("ltrim(' ')", "")],
        kind: Kind::Plain(|call, out| {
            call.text(0, |text| {
                let start = text.iter().position(|c| *c != b' ').unwrap_or(text.len());
                out.extend_from_slice(text.get(start..).unwrap_or_default());
            });
            Returned::Text
        }),
    },
    Function {
        name: "rtrim",
        args: 1..=1,
        doc: "A text without the blanks it ends in.",
        examples: &[("'<' & rtrim(' a b  ') & '>'", "< a b>"), ("rtrim('   ')", "")],
        kind: Kind::Plain(|call, out| {
            call.text(0, |text| {
                let end = text.iter().rposition(|c| *c != b' ').map_or(0, |last| last + 1);
                out.extend_from_slice(text.get(..end).unwrap_or_default());
            });
            Returned::Text
        }),
    },
    Function {
        name: "tolower",
        args: 1..=1,
        doc: "A text with the letters A to Z in lower case.",
        examples: &[("tolower('ABC äÄ 1')", "abc äÄ 1")],
        kind: Kind::Plain(|call, out| {
            call.value(0, |value| value.append_to(out));
            out.make_ascii_lowercase();
            Returned::Text
        }),
    },
    Function {
        name: "toupper",
        args: 1..=1,
        doc: "A text with the letters a to z in upper case.",
        examples: &[("toupper('abc äÄ 1')", "ABC äÄ 1")],
        kind: Kind::Plain(|call, out| {
            call.value(0, |value| value.append_to(out));
            out.make_ascii_uppercase();
            Returned::Text
        }),
    },
    Function {
        name: "field",
        args: 3..=3,
        doc: "A field of a text, the first being 1; fields end at a character, given by its code, or at a text.",
        examples: &[
            ("field('a,b,c', 44, 2)", "b"),
            ("field('a,b', ',', 5)", "***FIELD NOT FOUND***"),
            ("field('a, b, c', ', ', 3)", "c"),
            ("field('a,', 44, 2)", ""),
            ("field('a,b', 44, 0)", "***FIELD NOT FOUND***"),
        ],
        kind: Kind::Plain(field),
    },
    Function {
        name: "replace",
        args: 3..=3,
        doc: "A text with every occurrence of another one replaced.",
        examples: &[
            ("replace('foobar', 'foo', 'x')", "xbar"),
            ("replace('aaa', 'aa', 'b')", "ba"),
            ("replace('abc', '', 'x')", "abc"),
        ],
        kind: Kind::Plain(|call, out| {
            call.texts(|[text, find, with]| replace(text, find, with, out));
            Returned::Text
        }),
    },
    Function {
        name: "wrap",
        args: 2..=3,
        doc: "A text between two copies of another one, whose occurrences inside are replaced by the third if it is \
              given.",
        examples: &[
            ("wrap('foo', '|')", "|foo|"),
            ("wrap(\"ab'c\", \"'\", '-')", "'ab-c'"),
            ("wrap('', '##')", "####"),
        ],
        kind: Kind::Plain(|call, out| {
            let escaped = call.len() == 3;
            call.texts(|[text, around, with]| {
                out.extend_from_slice(around);
                if escaped {
                    replace(text, around, with, out);
                } else {
                    out.extend_from_slice(text);
                }
                out.extend_from_slice(around);
            });
            Returned::Text
        }),
    },
];

fn substring(call: &mut Call<'_, '_>, out: &mut Vec<u8>) -> Returned {
    let (from, len) = (call.number(1).0, call.number(2).0);
    call.text(0, |text| {
        let whole = i64::try_from(text.len()).unwrap_or(i64::MAX);
        let from = from.clamp(0, whole);
        let len = if len < 0 { whole.saturating_add(len) } else { len };
        let len = len.clamp(0, whole - from);
        let index = |n: i64| usize::try_from(n).unwrap_or(0);
        out.extend_from_slice(text.get(index(from)..index(from + len)).unwrap_or_default());
    });
    Returned::Text
}

fn field(call: &mut Call<'_, '_>, out: &mut Vec<u8>) -> Returned {
    use crate::script::value::Value;
    let number = call.number(2).0;
    let mut delimiter = call.scratch.take();
    call.value(1, |value| match value {
        Value::Text(text) => delimiter.extend_from_slice(text),
        // A character's code; what exceeds a byte is cut off.
        other => delimiter.push(other.number().0.to_le_bytes()[0]),
    });
    call.text(0, |text| {
        out.extend_from_slice(nth(text, &delimiter, number).unwrap_or(b"***FIELD NOT FOUND***"));
    });
    call.scratch.give(delimiter);
    Returned::Text
}

fn nth<'t>(text: &'t [u8], delimiter: &[u8], number: i64) -> Option<&'t [u8]> {
    if number < 1 {
        return None;
    }
    let mut rest = text;
    // An empty delimiter is found at once, for ever.
    for _ in 1..(if delimiter.is_empty() { 1 } else { number }) {
        rest = rest.get(memmem::find(rest, delimiter)? + delimiter.len()..)?;
    }
    rest.get(..memmem::find(rest, delimiter).unwrap_or(rest.len()))
}

fn replace(text: &[u8], find: &[u8], with: &[u8], out: &mut Vec<u8>) {
    if find.is_empty() {
        return out.extend_from_slice(text);
    }
    let mut from = 0;
    for at in memmem::find_iter(text, find) {
        out.extend_from_slice(text.get(from..at).unwrap_or_default());
        out.extend_from_slice(with);
        from = at + find.len();
    }
    out.extend_from_slice(text.get(from..).unwrap_or_default());
}

//! Functions that make, read and change JSON.

use super::{Call, Function, Kind, Returned};
use crate::message::json::{Case, parse_whole};
use crate::message::vars::Assign;
use crate::message::{Json, Path};
use crate::script::value::{Room, Value};

/// The functions of this file.
pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "parse_json",
        args: 2..=2,
        doc: "Puts the value of a JSON text at a variable, whose name is a text; 0, or 1 and a script error where the text \
              is not valid.",
        examples: &[
            ("parse_json('{bad', '\\$!x') & script_error()", "11"),
            ("parse_json('{\"a\":1}', '\\$!x') & script_error()", "00"),
        ],
        kind: Kind::Plain(store),
    },
    Function {
        name: "get_property",
        args: 2..=2,
        doc: "A member of an object by name, or of a list by index; of other values the value itself. Nothing and a script \
              error where there is none.",
        examples: &[
            ("get_property(split('a,b', ','), 1)", "b"),
            ("get_property(split('a,b', ','), 2) & script_error()", "1"),
            ("get_property('a', 'b') & script_error()", "1"),
            ("get_property(cstr('a'), 'b') & script_error()", "a0"),
        ],
        kind: Kind::Plain(get_property),
    },
    Function {
        name: "split",
        args: 2..=2,
        doc: "The parts of a text between separators, as a list.",
        examples: &[
            ("split('a, b,c', ',')", "[ \"a\", \" b\", \"c\" ]"),
            ("split('a::b', '::')", "[ \"a\", \"b\" ]"),
            ("split('', ',')", "[ \"\" ]"),
            ("split('a', '')", "[ ]"),
        ],
        kind: Kind::Plain(|call, _| {
            Returned::Json(Json::Array(call.texts(|[text, by]| split(text, by))))
        }),
    },
    Function {
        name: "append_json",
        args: 2..=3,
        doc: "A copy of a list with a further value, or of an object with a member of that name set.",
        examples: &[
            ("append_json(split('a', ','), 'b')", "[ \"a\", \"b\" ]"),
            ("append_json(split('a', ','), 7)", "[ \"a\", 7 ]"),
            ("append_json('a', 7)", ""),
        ],
        kind: Kind::Plain(append_json),
    },
    Function {
        name: "b64_decode",
        args: 1..=1,
        doc: "The bytes that a text in base 64 stands for; nothing where it is not valid.",
        examples: &[
            ("b64_decode('aGVsbG8=')", "hello"),
            ("b64_decode('aGVs bG8')", "hello"),
            ("b64_decode('a*')", ""),
            ("b64_decode('')", ""),
        ],
        kind: Kind::Plain(|call, out| {
            let start = out.len();
            if call.text(0, |text| decode_base64(text, out)).is_none() {
                out.truncate(start);
            }
            Returned::Text
        }),
    },
];

fn case(call: &Call<'_, '_>) -> Case {
    call.msg.map_or(Case::default(), |msg| msg.env.globals.case)
}

fn store(call: &mut Call<'_, '_>, _: &mut Vec<u8>) -> Returned {
    let case = case(call);
    let (value, target) = call.texts(|[text, name]| (parse_whole(text, case), Path::parse(name)));
    call.scratch.error = value.is_none();
    if let (Some(value), Some((scope, path)), Some(msg)) = (value, target, call.msg) {
        let globals = &msg.env.globals;
        call.scratch.vars.assign((scope, &path), value, Assign::Merge, globals);
    }
    Returned::from(call.scratch.error)
}

fn get_property(call: &mut Call<'_, '_>, out: &mut Vec<u8>) -> Returned {
    let case = case(call);
    let found = if call.is_literal(0) { None } else { member(call, case, out) };
    call.scratch.error = found.is_none();
    found.unwrap_or(Returned::Text)
}

fn member(call: &mut Call<'_, '_>, case: Case, out: &mut Vec<u8>) -> Option<Returned> {
    let node = call.value(0, |value| match value {
        Value::Json(node) => Some(node.clone()),
        Value::Text(text) => {
            out.extend_from_slice(text);
            None
        }
        Value::Number(_) => None,
    });
    let found = match node {
        None => return Some(Returned::Text),
        Some(Json::Object(object)) => call.text(1, |name| match name {
            b"" => Some(Json::Object(object.clone())),
            _ => object.get(name, case).cloned(),
        })?,
        Some(Json::Array(mut items)) => {
            let (index, is_number) = call.number(1);
            let index = usize::try_from(index).ok().filter(|n| is_number && *n < items.len())?;
            items.swap_remove(index)
        }
        Some(scalar @ (Json::Bool(_) | Json::Int(_) | Json::Double(..))) => {
            return Some(Returned::Number(scalar.number()));
        }
        Some(other) => other,
    };
    Some(match found {
        Json::Null => Returned::Text,
        found => Returned::Json(found),
    })
}

fn split(text: &[u8], by: &[u8]) -> Vec<Json> {
    if by.is_empty() {
        return Vec::new();
    }
    let mut parts = Vec::new();
    let mut from = 0;
    for at in memchr::memmem::find_iter(text, by) {
        parts.push(Json::text(text.get(from..at).unwrap_or_default()));
        from = at + by.len();
    }
    parts.push(Json::text(text.get(from..).unwrap_or_default()));
    parts
}

fn append_json(call: &mut Call<'_, '_>, _: &mut Vec<u8>) -> Returned {
    let node = call.value(0, |value| match value {
        Value::Json(node) => node.copy(),
        _ => Json::Null,
    });
    Returned::Json(match node {
        Json::Array(mut items) => {
            // What could not be made is not appended.
            items.extend(Some(call.json(1)).filter(|value| *value != Json::Null));
            Json::Array(items)
        }
        Json::Object(mut object) if call.len() == 3 => {
            let (case, value) = (case(call), call.json(2));
            if value != Json::Null {
                call.value(1, |name| object.set(name.bytes(&mut Room::default()), value, case));
            }
            Json::Object(object)
        }
        _ => Json::Null,
    })
}

/// Appends what `text` stands for. Blanks, tabs and line ends are passed over, and all behind the first `=`.
fn decode_base64(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (mut bits, mut count) = (0_u32, 0);
    for c in text {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b' ' | b'\t' | b'\n' | b'\r' => continue,
            b'=' => break,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count).to_le_bytes()[0]);
        }
    }
    Some(())
}

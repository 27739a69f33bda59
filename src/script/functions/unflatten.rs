//! fmunflatten: objects whose members are named by paths become objects in objects.

use super::{Call, Function, Kind, Returned};
use crate::limits;
use crate::message::Json;
use crate::message::json::{Case, Object};
use crate::param::{Class, Module};
use crate::script::value::Value;

/// The module that this function comes with.
pub(super) static MODULE: Module = Module {
    name: "fmunflatten",
    class: Class::Function,
    builtin: false,
    summary: "The function unflatten().",
    module_params: &[],
    params: &[],
    legacy_create: None,
    counters: &[],
    examples: &[r#"module(load="fmunflatten")
set $!nested = unflatten($!, ".");
action(type="omfile" file="/var/log/all")"#],
};

/// The functions of this file.
pub(super) static FUNCTIONS: &[Function] = &[Function {
    name: "unflatten",
    args: 2..=2,
    doc: "A copy of an object in which the members a.b and a.c have become members of a, for the separator \".\"; 0 and a \
          script error where there is no object.",
    examples: &[("unflatten('text', '.') & script_error()", "01")],
    kind: Kind::Plain(|call, _| {
        let made = unflatten(call);
        call.scratch.error = made.is_none();
        made.map_or(Returned::Number(0), Returned::Json)
    }),
}];

/// Longest part of a name, bytes; what is longer is cut.
const PART_BYTES: usize = 255;

fn unflatten(call: &mut Call<'_, '_>) -> Option<Json> {
    let separator = call.value(1, |value| match value {
        Value::Text([one]) => Some(*one),
        Value::Number(code) => Some(code.to_le_bytes()[0]),
        _ => None,
    });
    let Some(separator) = separator.filter(|separator| *separator != 0) else {
        log::error!(
            code = 2407;
            "unflatten: invalid argument 2 (delim), single character required (as string or decimal charcode)"
        );
        return None;
    };
    let case = call.msg.map_or(Case::default(), |msg| msg.env.globals.case);
    call.value(0, |value| match value {
        Value::Json(Json::Object(object)) => {
            let mut nested = Object::default();
            spread(object, (separator, case), limits::JSON_DEPTH, &mut nested);
            Some(Json::Object(nested))
        }
        Value::Json(other) => Some(other.copy()),
        Value::Number(_) | Value::Text(_) => None,
    })
}

/// Puts the members of an object where their names say, which makes up to `room` levels out of names; from there on
/// names stay as they are.
fn spread(object: &Object, (separator, case): (u8, Case), room: usize, into: &mut Object) {
    for (name, value) in object.iter() {
        let mut parts: Vec<&[u8]> =
            name.splitn(room.max(1), |c| *c == separator).map(cut).collect();
        let left = room.saturating_sub(parts.len());
        let Some(last) = parts.pop() else { continue };
        let parent = parts.into_iter().try_fold(&mut *into, |node, part| inner(node, part, case));
        let Some(parent) = parent else { continue };
        if let Json::Object(object) = value {
            if let Some(node) = inner(parent, last, case) {
                spread(object, (separator, case), left, node);
            }
        } else {
            parent.remove(last, case);
            parent.set(last, value.copy(), case);
        }
    }
}

fn cut(part: &[u8]) -> &[u8] {
    part.get(..PART_BYTES).unwrap_or(part)
}

/// The object of this name, made if there is none.
fn inner<'o>(node: &'o mut Object, name: &[u8], case: Case) -> Option<&'o mut Object> {
    if !matches!(node.get(name, case), Some(Json::Object(_))) {
        node.remove(name, case);
        node.set(name, Json::Object(Object::default()), case);
    }
    match node.get_mut(name, case) {
        Some(Json::Object(object)) => Some(object),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth(value: &Json) -> usize {
        match value {
            Json::Object(object) => 1 + object.iter().map(|(_, v)| depth(v)).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// Names that are paths, in objects in objects: the two do not multiply.
    #[test]
    fn what_names_make_is_bounded_in_all() {
        let name = ["a"; limits::JSON_DEPTH].join(".");
        let mut value = Json::Int(1);
        for _ in 1..limits::JSON_DEPTH {
            let mut outer = Object::default();
            outer.set(name.as_bytes(), value, Case::Sensitive);
            value = Json::Object(outer);
        }
        let Json::Object(object) = &value else { panic!("an object") };
        let mut nested = Object::default();
        spread(object, (b'.', Case::Sensitive), limits::JSON_DEPTH, &mut nested);
        let depth = depth(&Json::Object(nested));
        assert!((limits::JSON_DEPTH..=2 * limits::JSON_DEPTH).contains(&depth), "{depth}");
    }
}

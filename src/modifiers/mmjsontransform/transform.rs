//! The transformations. Each makes a new object; an error says, in the reference's words, which names cannot both be
//! there. Depth is bounded: what a path would nest deeper than [`limits::JSON_DEPTH`] is such an error, too.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::policy::Rules;
use crate::limits;
use crate::message::Json;
use crate::message::json::{Case, Object};

/// `{"a.b": 1, "a": {"c": 2}}` becomes `{"a": {"b": 1, "c": 2}}`.
pub(super) fn unflatten(object: &Object, case: Case) -> Result<Object, String> {
    nest(object, b"", 0, case)
}

/// `{"a": {"b": 1, "c": 2}}` becomes `{"a.b": 1, "a.c": 2}`.
pub(super) fn flatten(object: &Object, case: Case) -> Result<Object, String> {
    let mut flat = Object::default();
    spread(object, b"", case, &mut flat)?;
    Ok(flat)
}

/// A copy without what is to be dropped, the rest by its new names. Names with dots are taken as paths, old ones too.
pub(super) fn prepare(object: &Object, rules: &Rules, case: Case) -> Result<Object, String> {
    rewrite(object, b"", 0, rules, case)
}

fn rewrite(
    object: &Object,
    context: &[u8],
    depth: usize,
    rules: &Rules,
    case: Case,
) -> Result<Object, String> {
    let mut made = Object::default();
    // All conflicts are found, the first is told.
    let mut conflict = Ok(());
    for (name, value) in object.iter() {
        let full = join(context, name);
        if rules.drops(&full, case) {
            continue;
        }
        let target = rules.target(&full, case).unwrap_or(name);
        // A target that begins with the names above this one counts from here.
        let inside = target.strip_prefix(context).and_then(|rest| rest.strip_prefix(b"."));
        let target = inside.filter(|_| !context.is_empty()).unwrap_or(target);
        let depth = deeper(&full, target, depth)?;
        let value = match value {
            Json::Object(inner) => Json::Object(rewrite(inner, &full, depth, rules, case)?),
            other => other.copy(),
        };
        conflict = conflict.and(insert(&mut made, target, value, case));
    }
    conflict.map(|()| made)
}

fn nest(object: &Object, context: &[u8], depth: usize, case: Case) -> Result<Object, String> {
    let mut made = Object::default();
    for (name, value) in object.iter() {
        let is_path = name.contains(&b'.');
        let full = if is_path { name.to_vec() } else { join(context, name) };
        let value = nested(value, &full, deeper(&full, name, depth)?, case)?;
        if is_path {
            insert(&mut made, name, value, case)?;
            continue;
        }
        match (made.get_mut(name, case), value) {
            (None, value) => made.set(name, value, case),
            (Some(Json::Object(known)), Json::Object(value)) => merge(known, value, &full, case)?,
            _ => return Err(incompatible(&full)),
        }
    }
    Ok(made)
}

fn nested(value: &Json, context: &[u8], depth: usize, case: Case) -> Result<Json, String> {
    Ok(match value {
        Json::Object(object) => Json::Object(nest(object, context, depth, case)?),
        Json::Array(items) => {
            let depth = deeper(context, b"", depth)?;
            let item = |(i, item)| {
                nested(item, &[context, format!("[{i}]").as_bytes()].concat(), depth, case)
            };
            Json::Array(items.iter().enumerate().map(item).collect::<Result<_, _>>()?)
        }
        other => other.copy(),
    })
}

fn spread(object: &Object, prefix: &[u8], case: Case, into: &mut Object) -> Result<(), String> {
    for (name, value) in object.iter() {
        let full = join(prefix, name);
        if let Json::Object(inner) = value {
            spread(inner, &full, case, into)?;
            continue;
        }
        let value = flat(value, case)?;
        match into.get(&full, case) {
            None => into.set(&full, value, case),
            Some(known) if same(known, &value, case) => {}
            Some(_) => {
                let full = shown(&full);
                return Err(format!("flattened key '{full}' collides with an existing value"));
            }
        }
    }
    Ok(())
}

fn flat(value: &Json, case: Case) -> Result<Json, String> {
    Ok(match value {
        Json::Object(object) => Json::Object(flatten(object, case)?),
        Json::Array(items) => {
            Json::Array(items.iter().map(|item| flat(item, case)).collect::<Result<_, _>>()?)
        }
        other => other.copy(),
    })
}

/// Puts a value where a path of names with dots in between says.
fn insert(object: &mut Object, path: &[u8], value: Json, case: Case) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("dotted path '{}' {what}", shown(path)));
    let mut names: Vec<&[u8]> = path.split(|c| *c == b'.').collect();
    let leaf = names.pop().unwrap_or_default();
    let mut node = object;
    for name in names {
        if name.is_empty() {
            return wrong("contains an empty segment");
        }
        if node.get(name, case).is_none() {
            node.set(name, Json::Object(Object::default()), case);
        }
        let Some(Json::Object(inner)) = node.get_mut(name, case) else {
            let name = shown(name);
            return wrong(&format!("collides with existing non-object value at '{name}'"));
        };
        node = inner;
    }
    if leaf.is_empty() {
        return wrong("ends with an empty segment");
    }
    match (node.get_mut(leaf, case), value) {
        (None, value) => node.set(leaf, value, case),
        (Some(Json::Object(known)), Json::Object(value)) => return merge(known, value, path, case),
        _ => return wrong("collides with existing non-object value"),
    }
    Ok(())
}

/// Adds the members of `source`. What both have must be objects, or the same.
fn merge(into: &mut Object, source: Object, context: &[u8], case: Case) -> Result<(), String> {
    for (name, value) in source.into_members() {
        let full = join(context, &name);
        match (into.get_mut(&name, case), value) {
            (None, value) => into.set(&name, value, case),
            (Some(Json::Object(known)), Json::Object(value)) => merge(known, value, &full, case)?,
            (Some(known), value) if same(known, &value, case) => {}
            _ => return Err(incompatible(&full)),
        }
    }
    Ok(())
}

/// Whether two values are equal; the order of members does not count.
fn same(a: &Json, b: &Json, case: Case) -> bool {
    match (a, b) {
        (Json::Object(a), Json::Object(b)) => {
            let in_b = |(name, value): (&[u8], &Json)| {
                b.get(name, case).is_some_and(|other| same(value, other, case))
            };
            a.iter().count() == b.iter().count() && a.iter().all(in_b)
        }
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b, case))
        }
        (Json::Double(a, _), Json::Double(b, _)) => a.partial_cmp(b) == Some(Ordering::Equal),
        (a, b) => a == b,
    }
}

fn incompatible(full: &[u8]) -> String {
    format!("object key '{}' collides with an incompatible value", shown(full))
}

/// The depth below a member whose name is this path.
fn deeper(full: &[u8], path: &[u8], depth: usize) -> Result<usize, String> {
    let depth = depth + path.split(|c| *c == b'.').count();
    if depth > limits::JSON_DEPTH {
        let (full, most) = (shown(full), limits::JSON_DEPTH);
        return Err(format!("dotted path '{full}' leads deeper than {most} levels"));
    }
    Ok(depth)
}

fn join(context: &[u8], name: &[u8]) -> Vec<u8> {
    match context {
        b"" => name.to_vec(),
        context => [context, b".", name].concat(),
    }
}

fn shown(name: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::json::{Style, parse_whole};

    fn object(text: &str) -> Object {
        match parse_whole(text.as_bytes(), Case::Insensitive) {
            Some(Json::Object(object)) => object,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn show(made: Result<Object, String>) -> String {
        let write = |object| {
            let mut out = Vec::new();
            Json::Object(object).write(Style::Compact, &mut out);
            String::from_utf8(out).expect("UTF-8")
        };
        made.map_or_else(|why| why, write)
    }

    fn both(text: &str) -> (String, String) {
        let object = object(text);
        (show(unflatten(&object, Case::Insensitive)), show(flatten(&object, Case::Insensitive)))
    }

    /// Text, unflattened, flattened, and unflattened after the policy below.
    const ROWS: &[(&str, &str, &str, &str)] = &[
        (
            r#"{"a.b":1.10,"a.c":{"d.e":[{"x.y":1},{"x":{"z":2}}]},"n":null}"#,
            r#"{"a":{"b":1.1000000000000001,"c":{"d":{"e":[{"x":{"y":1}},{"x":{"z":2}}]}}},"n":null}"#,
            r#"{"a.b":1.1000000000000001,"a.c.d.e":[{"x.y":1},{"x.z":2}],"n":null}"#,
            r#"{"a":{"b":1.1000000000000001,"c":{"d":{"e":[{"x":{"y":1}},{"x":{"z":2}}]}}},"n":null}"#,
        ),
        (
            r#"{"a":{"b":1},"a.b":2}"#,
            r#"dotted path 'a.b' collides with existing non-object value"#,
            r#"flattened key 'a.b' collides with an existing value"#,
            r#"dotted path 'a.b' collides with existing non-object value"#,
        ),
        (
            r#"{"a":{"b":1},"a.b":1}"#,
            r#"dotted path 'a.b' collides with existing non-object value"#,
            r#"{"a.b":1}"#,
            r#"dotted path 'a.b' collides with existing non-object value"#,
        ),
        (
            r#"{"a.b":1,"a":{"c":2}}"#,
            r#"{"a":{"b":1,"c":2}}"#,
            r#"{"a.b":1,"a.c":2}"#,
            r#"{"a":{"b":1,"c":2}}"#,
        ),
        (
            r#"{"a..b":1}"#,
            r#"dotted path 'a..b' contains an empty segment"#,
            r#"{"a..b":1}"#,
            r#"dotted path 'a..b' contains an empty segment"#,
        ),
        (
            r#"{"a.":1}"#,
            r#"dotted path 'a.' ends with an empty segment"#,
            r#"{"a.":1}"#,
            r#"dotted path 'a.' ends with an empty segment"#,
        ),
        (
            r#"{".a":1}"#,
            r#"dotted path '.a' contains an empty segment"#,
            r#"{".a":1}"#,
            r#"dotted path '.a' contains an empty segment"#,
        ),
        (
            r#"{"":1,"x":2}"#,
            r#"{"":1,"x":2}"#,
            r#"{"":1,"x":2}"#,
            r#"dotted path '' ends with an empty segment"#,
        ),
        (
            r#"{"a":1,"a.b":2}"#,
            r#"dotted path 'a.b' collides with existing non-object value at 'a'"#,
            r#"{"a":1,"a.b":2}"#,
            r#"dotted path 'a.b' collides with existing non-object value at 'a'"#,
        ),
        (
            r#"{"A.b":1,"a.c":2}"#,
            r#"{"A":{"b":1,"c":2}}"#,
            r#"{"A.b":1,"a.c":2}"#,
            r#"{"A":{"b":1,"c":2}}"#,
        ),
        (
            r#"{"a":{"b.c":1},"a.b":{"d":2},"a.b.c":1}"#,
            r#"dotted path 'a.b.c' collides with existing non-object value"#,
            r#"{"a.b.c":1,"a.b.d":2}"#,
            r#"dotted path 'a.b.c' collides with existing non-object value"#,
        ),
        (
            r#"{"a":[1],"a.b":1}"#,
            r#"dotted path 'a.b' collides with existing non-object value at 'a'"#,
            r#"{"a":[1],"a.b":1}"#,
            r#"dotted path 'a.b' collides with existing non-object value at 'a'"#,
        ),
        (
            r#"{"a":null,"a.b":1}"#,
            r#"dotted path 'a.b' collides with existing non-object value at 'a'"#,
            r#"{"a":null,"a.b":1}"#,
            r#"dotted path 'a.b' collides with existing non-object value at 'a'"#,
        ),
        (
            r#"{"old":{"name":1},"src":"1.2.3.4","secret":"x","nest":{"a":1,"gone":2,"keep":3}}"#,
            r#"{"old":{"name":1},"src":"1.2.3.4","secret":"x","nest":{"a":1,"gone":2,"keep":3}}"#,
            r#"{"old.name":1,"src":"1.2.3.4","secret":"x","nest.a":1,"nest.gone":2,"nest.keep":3}"#,
            r#"{"old":{"new":{"name":1}},"source":{"ip":"1.2.3.4"},"nest":{"b":{"c":1},"keep":3}}"#,
        ),
        (
            r#"{"old.name":1,"new.name":1}"#,
            r#"{"old":{"name":1},"new":{"name":1}}"#,
            r#"{"old.name":1,"new.name":1}"#,
            r#"dotted path 'new.name' collides with existing non-object value"#,
        ),
        (
            r#"{"old.name":1,"new":{"name":2}}"#,
            r#"{"old":{"name":1},"new":{"name":2}}"#,
            r#"{"old.name":1,"new.name":2}"#,
            r#"object key 'new.name' collides with an incompatible value"#,
        ),
        (
            r#"{"x":{"src":5},"Secret":1,"SRC":2}"#,
            r#"{"x":{"src":5},"Secret":1,"SRC":2}"#,
            r#"{"x.src":5,"Secret":1,"SRC":2}"#,
            r#"{"x":{"src":5},"source":{"ip":2}}"#,
        ),
        (
            r#"{"a":{},"b":[],"c":[[{"q.r":{}}]]}"#,
            r#"{"a":{},"b":[],"c":[[{"q":{"r":{}}}]]}"#,
            r#"{"b":[],"c":[[{}]]}"#,
            r#"{"a":{},"b":[],"c":[[{"q":{"r":{}}}]]}"#,
        ),
        (
            r#"{"e":{"f":1},"e.f":1.0}"#,
            r#"dotted path 'e.f' collides with existing non-object value"#,
            r#"flattened key 'e.f' collides with an existing value"#,
            r#"dotted path 'e.f' collides with existing non-object value"#,
        ),
        (
            r#"{"s.t":"1","s":{"t":1}}"#,
            r#"object key 's.t' collides with an incompatible value"#,
            r#"flattened key 's.t' collides with an existing value"#,
            r#"object key 's.t' collides with an incompatible value"#,
        ),
        (
            r#"{"k.l":{"m":1},"k":{"l":{"n":2}}}"#,
            r#"{"k":{"l":{"m":1,"n":2}}}"#,
            r#"{"k.l.m":1,"k.l.n":2}"#,
            r#"{"k":{"l":{"m":1,"n":2}}}"#,
        ),
        (
            r#"{"a.b":1e2,"big.x":12345678901234567890,"u":"\u00e9/"}"#,
            r#"{"a":{"b":100.0},"big":{"x":9223372036854775807},"u":"é\/"}"#,
            r#"{"a.b":100.0,"big.x":9223372036854775807,"u":"é\/"}"#,
            r#"{"a":{"b":100.0},"big":{"x":9223372036854775807},"u":"é\/"}"#,
        ),
    ];

    /// Values from rsyslog 8.2610, one run for each.
    #[test]
    fn as_the_reference_does() {
        let rules = Rules::parse(POLICY).expect("a policy");
        for (text, nested, flat, prepared) in ROWS {
            assert_eq!(both(text), ((*nested).into(), (*flat).into()), "{text}");
            let made = prepare(&object(text), &rules, Case::Insensitive);
            let made = made.and_then(|object| unflatten(&object, Case::Insensitive));
            assert_eq!(show(made), *prepared, "{text}");
        }
    }

    const POLICY: &str = "map:\n  rename: {old.name: new.name, src: source.ip, nest.a: nest.b.c}\n  \
                          drop: [secret, nest.gone]\n";

    #[test]
    fn depth_is_bounded() {
        let path = vec!["a"; limits::JSON_DEPTH].join(".");
        assert!(!both(&format!("{{\"{path}\":1}}")).0.contains("deeper"));
        assert!(both(&format!("{{\"{path}.a\":1}}")).0.ends_with("leads deeper than 32 levels"));
        let nested = format!("{{\"{path}\":{{\"a\":1}}}}");
        assert!(both(&nested).0.ends_with("leads deeper than 32 levels"));
        let rules = Rules::parse(POLICY).expect("a policy");
        let made = prepare(&object(&nested), &rules, Case::Insensitive);
        assert!(show(made).ends_with("leads deeper than 32 levels"));
    }
}

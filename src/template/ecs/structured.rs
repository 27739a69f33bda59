//! STRUCTURED-DATA as an object of objects.
//!
//! Elements with the same id are merged, of parameters with the same name the last one wins: a JSON object must not
//! have a name twice. What is not exactly RFC 5424's syntax, or has more parameters than [`limits::SD_PARAMS`], stays
//! text.

use crate::limits;
use crate::message::json;

/// One parameter; an element without parameters has one without name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Param<'t> {
    id: &'t [u8],
    name: &'t [u8],
    /// Still escaped.
    value: &'t [u8],
}

/// Appends the object that `raw` stands for; `false`, and nothing appended, where it is not strictly RFC 5424's.
pub(super) fn write(raw: &[u8], out: &mut Vec<u8>) -> bool {
    let mut params = [Param { id: b"", name: b"", value: b"" }; limits::SD_PARAMS];
    let Some(count) = parse(raw, &mut params) else { return false };
    let params = params.get(..count).unwrap_or_default();
    out.push(b'{');
    let mut first = true;
    for (index, param) in params.iter().enumerate() {
        let known = params.iter().take(index).any(|other| other.id == param.id);
        if !known {
            separate(&mut first, out);
            write_element(param.id, params.get(index..).unwrap_or_default(), out);
        }
    }
    out.push(b'}');
    true
}

/// Writes the element of this id: `params` begins with its first parameter.
fn write_element(id: &[u8], params: &[Param<'_>], out: &mut Vec<u8>) {
    out.push(b'"');
    json::escape_strict(id, out);
    out.extend_from_slice(b"\":{");
    let mut first = true;
    let own = |param: &&Param<'_>| param.id == id && !param.name.is_empty();
    for (index, param) in params.iter().enumerate().filter(|(_, param)| own(param)) {
        let later = params.get(index + 1..).unwrap_or_default();
        let same = |other: &&Param<'_>| own(other) && other.name == param.name;
        let earlier = params.get(..index).unwrap_or_default();
        if earlier.iter().any(|other| same(&other)) {
            continue;
        }
        let value = later.iter().rfind(same).map_or(param.value, |last| last.value);
        separate(&mut first, out);
        out.push(b'"');
        json::escape_strict(param.name, out);
        out.extend_from_slice(b"\":\"");
        write_value(value, out);
        out.push(b'"');
    }
    out.push(b'}');
}

fn separate(first: &mut bool, out: &mut Vec<u8>) {
    if !std::mem::replace(first, false) {
        out.push(b',');
    }
}

/// Without the backslashes before quotes, backslashes and brackets.
fn write_value(mut value: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr::memchr(b'\\', value) {
        let (plain, escape) = value.split_at(at);
        json::escape_strict(plain, out);
        match escape.get(1) {
            Some(c @ (b'"' | b'\\' | b']')) => {
                json::escape_strict(&[*c], out);
                value = escape.get(2..).unwrap_or_default();
            }
            _ => {
                json::escape_strict(b"\\", out);
                value = escape.get(1..).unwrap_or_default();
            }
        }
    }
    json::escape_strict(value, out);
}

fn parse<'t>(raw: &'t [u8], params: &mut [Param<'t>]) -> Option<usize> {
    let mut rest = raw;
    let mut count = 0;
    let mut add = |param| {
        *params.get_mut(count)? = param;
        count += 1;
        Some(())
    };
    while !rest.is_empty() {
        let id;
        (id, rest) = name(rest.strip_prefix(b"[")?)?;
        add(Param { id, name: b"", value: b"" })?;
        while let Some(after) = rest.strip_prefix(b" ") {
            let (name, after) = name(after)?;
            let after = after.strip_prefix(b"=\"")?;
            let end = value_end(after)?;
            let (value, after) = after.split_at(end);
            rest = after.get(1..)?;
            add(Param { id, name, value })?;
        }
        rest = rest.strip_prefix(b"]")?;
    }
    Some(count)
}

/// SD-NAME, and what follows it.
fn name(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let fits = |c: &u8| c.is_ascii_graphic() && !matches!(c, b'=' | b']' | b'"');
    let len = text.iter().take_while(|c| fits(c)).count();
    (1..=32).contains(&len).then(|| text.split_at(len))
}

/// Where the closing quote is. A bracket must be escaped.
fn value_end(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr3(b'"', b'\\', b']', text.get(at..)?)?;
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(raw: &str) -> Option<String> {
        let mut out = Vec::new();
        write(raw.as_bytes(), &mut out).then(|| String::from_utf8(out).expect("UTF-8"))
    }

    /// Rows 32 to 34 of `spec/elastic-tcp.md` section 10, and others.
    #[test]
    fn objects() {
        for (raw, expected) in [
            (r#"[a b="c\"d\\e\]f"]"#, Some(r#"{"a":{"b":"c\"d\\e]f"}}"#)),
            (r#"[x@1 k="1"][x@1 k="2" j="3"]"#, Some(r#"{"x@1":{"k":"2","j":"3"}}"#)),
            (r#"[a][b c="\q"][a d=""]"#, Some(r#"{"a":{"d":""},"b":{"c":"\\q"}}"#)),
            (r#"[a.b c.d="x"]"#, Some(r#"{"a.b":{"c.d":"x"}}"#)),
            (r#"[action:"Drop"; flags:"1"]"#, None),
            (r#"[a b="c]"]"#, None),
            (r#"[a b="c"#, None),
            ("[]", None),
            (r#"[a  b="c"]"#, None),
            (&format!("[{}]", "x".repeat(33)), None),
        ] {
            assert_eq!(object(raw).as_deref(), expected, "{raw}");
        }
    }

    #[test]
    fn many_keys_stay_text() {
        let keys = |n: usize| (0..n).map(|i| format!(" k{i}=\"v\"")).collect::<String>();
        assert!(object(&format!("[a{}]", keys(limits::SD_PARAMS - 1))).is_some());
        assert!(object(&format!("[a{}]", keys(limits::SD_PARAMS))).is_none());
        assert!(object(&format!("[a{}]", keys(1_000_000))).is_none());
    }
}

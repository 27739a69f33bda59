//! The content of a lookup table: from the text of its file to what is looked up. No file is touched here.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use super::texts::Texts;
use crate::message::Json;
use crate::message::json::{self, Case, Object, Style};
use crate::param::Problem;
use crate::sys::regex::{Flavour, SharedRegex};

/// Return codes of the reference.
const INVALID_VALUE: u16 = 2009;
const JSON_PARSE: u16 = 2303;

/// What is looked up in.
#[derive(Debug)]
pub struct Table {
    rows: Rows,
    nomatch: Box<[u8]>,
}

/// A value; equal ones share their text.
pub(super) type Shared = Arc<[u8]>;

#[derive(Debug)]
enum Rows {
    /// `string`: exact keys.
    Text(Texts),
    /// `array`: values of consecutive numbers.
    Array { first: u32, values: Box<[Shared]> },
    /// `sparseArray`: the lower ends of ranges, ascending.
    Sparse { keys: Box<[u32]>, values: Box<[Shared]> },
    /// `regex`: the first that matches.
    Regex(Box<[(SharedRegex, Shared)]>),
    /// The file cannot be read any more, and this is what every look-up gives.
    Stub,
}

impl Table {
    /// Reads the content of the file `file` of the table `name`. What is wrong is reported; with nothing but
    /// remarks there is a table all the same.
    pub(super) fn parse(
        name: &str,
        file: &str,
        text: &[u8],
        report: &mut dyn FnMut(Problem),
    ) -> Option<Self> {
        let Some(root) = json::parse(text, Case::Insensitive).value else {
            report(
                Problem::error(format!("lookup table file '{file}' json parsing error"))
                    .code(JSON_PARSE),
            );
            return None;
        };
        let empty = Object::default();
        let members = if let Json::Object(members) = &root { members } else { &empty };
        match member(members, "version").map(Json::number) {
            Some(1) => {}
            Some(version) => {
                report(invalid(format!(
                    "lookup table named: '{name}' uses unsupported version: {version}"
                )));
                return None;
            }
            None => report(invalid(format!(
                "lookup table named: '{name}' doesn't specify version (will use default value: 1)"
            ))),
        }
        build(name, members).map_err(|why| report(invalid(why))).ok()
    }

    /// A table that gives `value` for every key.
    pub(super) fn stub(value: &[u8]) -> Self {
        Self { rows: Rows::Stub, nomatch: value.into() }
    }

    /// Whether every key gives `value` because of [`Table::stub`].
    pub(super) fn is_stub_of(&self, value: &[u8]) -> bool {
        matches!(self.rows, Rows::Stub) && *self.nomatch == *value
    }

    /// Whether keys are numbers.
    #[must_use]
    pub fn has_numbers(&self) -> bool {
        matches!(self.rows, Rows::Array { .. } | Rows::Sparse { .. })
    }

    /// The value of a number, of which the low 32 bits count.
    #[must_use]
    pub fn number(&self, key: i64) -> &[u8] {
        let key = u32::try_from(key & i64::from(u32::MAX)).unwrap_or(u32::MAX);
        let found = match &self.rows {
            Rows::Array { first, values } => {
                key.checked_sub(*first).and_then(|index| values.get(usize::try_from(index).ok()?))
            }
            Rows::Sparse { keys, values } => {
                at_or_below(keys, &key).and_then(|index| values.get(index))
            }
            Rows::Text(_) | Rows::Regex(_) | Rows::Stub => None,
        };
        found.map_or(&self.nomatch, |value| value)
    }

    /// The value of a text.
    #[must_use]
    pub fn text(&self, key: &[u8]) -> &[u8] {
        let found = match &self.rows {
            Rows::Text(rows) => rows.get(key),
            Rows::Regex(rows) => {
                rows.iter().find(|(regex, _)| regex.is_match(key)).map(|(_, value)| &**value)
            }
            Rows::Array { .. } | Rows::Sparse { .. } | Rows::Stub => None,
        };
        found.unwrap_or(&self.nomatch)
    }
}

fn invalid(text: String) -> Problem {
    Problem::error(text).code(INVALID_VALUE)
}

/// A member that is there and not `null`.
fn member<'o>(object: &'o Object, name: &str) -> Option<&'o Json> {
    object.get(name.as_bytes(), Case::Insensitive).filter(|value| **value != Json::Null)
}

fn text(value: &Json) -> Vec<u8> {
    let mut text = Vec::new();
    value.append_to(Style::Spaced, &mut text);
    text
}

fn build(name: &str, root: &Object) -> Result<Table, String> {
    let Some(Json::Array(rows)) = member(root, "table") else {
        return Err(format!("lookup table named: '{name}' has invalid table definition"));
    };
    let kind = member(root, "type").map_or_else(|| b"string".to_vec(), text);
    let nomatch = member(root, "nomatch").map(text).unwrap_or_default().into();
    let kind = String::from_utf8_lossy(&kind).into_owned();
    let mut reader = Reader { name, kind: &kind, values: HashMap::new() };
    let rows = match kind.as_str() {
        "string" => reader.strings(rows),
        "array" => reader.array(rows),
        "sparseArray" => reader.sparse(rows),
        "regex" => reader.regexes(rows),
        // The misspelling is the reference's.
        _ => Err(format!("lookup table named: '{name}' uses unupported type: '{kind}'")),
    };
    Ok(Table { rows: rows?, nomatch })
}

/// Reads rows.
struct Reader<'r> {
    name: &'r str,
    kind: &'r str,
    /// Those met so far, with their numbers.
    values: HashMap<Shared, usize>,
}

impl Reader<'_> {
    /// The value of a row, `field` being what it is called.
    fn value(&mut self, row: &Json, field: &str) -> Result<Shared, String> {
        self.numbered_value(row, field).map(|(value, _)| value)
    }

    /// The same with its number.
    fn numbered_value(&mut self, row: &Json, field: &str) -> Result<(Shared, usize), String> {
        let Some(value) = field_of(row, field) else {
            let Self { name, kind, .. } = self;
            return Err(format!(
                "'{kind}' lookup table named: '{name}' has record(s) without '{field}' field"
            ));
        };
        let value = text(value);
        if let Some((known, number)) = self.values.get_key_value(value.as_slice()) {
            return Ok((Arc::clone(known), *number));
        }
        let (value, number) = (Shared::from(value), self.values.len());
        self.values.insert(Arc::clone(&value), number);
        Ok((value, number))
    }

    fn index<'j>(&self, row: &'j Json) -> Result<&'j Json, String> {
        let Self { name, kind, .. } = self;
        field_of(row, "index").ok_or_else(|| {
            format!("'{kind}' lookup table named: '{name}' has record(s) without 'index' field")
        })
    }

    fn strings(&mut self, rows: &[Json]) -> Result<Rows, String> {
        let mut table = Vec::with_capacity(rows.len());
        for row in rows {
            let (_, number) = self.numbered_value(row, "value")?;
            table.push((text(self.index(row)?), number));
        }
        let table = without_duplicates(table);
        let mut values: Vec<_> = self.values.drain().collect();
        values.sort_unstable_by_key(|(_, number)| *number);
        let values = values.into_iter().map(|(value, _)| value).collect();
        let name = self.name;
        let too_large = || format!("lookup table named: '{name}' takes more than 4 GiB");
        Texts::new(table, values).map(Rows::Text).ok_or_else(too_large)
    }

    /// Rows by number, ascending.
    fn numbers(&mut self, rows: &[Json]) -> Result<(Vec<u32>, Box<[Shared]>), String> {
        let Self { name, kind, .. } = *self;
        let mut table = Vec::with_capacity(rows.len());
        for row in rows {
            let value = self.value(row, "value")?;
            let index = self.index(row)?.number();
            let index = u32::try_from(index).map_err(|_| {
                format!(
                    "'{kind}' lookup table name: '{name}' has index '{index}' outside uint32 range"
                )
            })?;
            table.push((index, value));
        }
        table.sort_by_key(|(index, _)| *index);
        let (keys, values): (Vec<_>, Vec<_>) = table.into_iter().unzip();
        Ok((keys, values.into()))
    }

    fn array(&mut self, rows: &[Json]) -> Result<Rows, String> {
        let (keys, values) = self.numbers(rows)?;
        for (key, next) in keys.iter().zip(keys.iter().skip(1)) {
            let wanted = key.wrapping_add(1);
            if *next != wanted {
                return Err(format!(
                    "'array' lookup table name: '{}' has non-contiguous members between index \
                     '{wanted}' and '{next}'",
                    self.name
                ));
            }
        }
        Ok(Rows::Array { first: keys.first().copied().unwrap_or_default(), values })
    }

    fn sparse(&mut self, rows: &[Json]) -> Result<Rows, String> {
        let (keys, values) = self.numbers(rows)?;
        Ok(Rows::Sparse { keys: keys.into(), values })
    }

    fn regexes(&mut self, rows: &[Json]) -> Result<Rows, String> {
        let mut table = Vec::with_capacity(rows.len());
        for row in rows {
            let value = self.value(row, "tag")?;
            let name = self.name;
            let pattern = text(field_of(row, "regex").ok_or_else(|| {
                format!(
                    "'regex' lookup table named: '{name}' has record(s) without required fields"
                )
            })?);
            let regex = SharedRegex::new(&pattern, Flavour::Extended, false).map_err(|why| {
                let pattern = String::from_utf8_lossy(&pattern);
                format!("error compiling regex '{pattern}' in lookup table '{name}': {why}")
            })?;
            table.push((regex, value));
        }
        Ok(Rows::Regex(table.into()))
    }
}

/// Where the last of the ascending `keys` is that is not above `key`. Of equal ones it is the one that halving comes
/// upon first, as in C's `bsearch()`, because that is the one whose value the reference gives.
fn at_or_below<K: Ord>(keys: &[K], key: &K) -> Option<usize> {
    let (mut low, mut high) = (0, keys.len());
    while low < high {
        let middle = low.midpoint(high);
        match keys.get(middle)?.cmp(key) {
            Ordering::Equal => return Some(middle),
            Ordering::Greater => high = middle,
            Ordering::Less => low = middle + 1,
        }
    }
    low.checked_sub(1)
}

/// One row of each key, the one that [`at_or_below`] finds.
fn without_duplicates(mut rows: Vec<(Vec<u8>, usize)>) -> Vec<(Vec<u8>, usize)> {
    rows.sort_by(|(key, _), (other, _)| key.cmp(other));
    if !rows.iter().zip(rows.iter().skip(1)).any(|((key, _), (next, _))| key == next) {
        return rows;
    }
    let keys: Vec<&[u8]> = rows.iter().map(|(key, _)| key.as_slice()).collect();
    let found: Vec<bool> =
        keys.iter().enumerate().map(|(at, key)| at_or_below(&keys, key) == Some(at)).collect();
    rows.into_iter().zip(found).filter(|(_, found)| *found).map(|(row, _)| row).collect()
}

fn field_of<'j>(row: &'j Json, field: &str) -> Option<&'j Json> {
    match row {
        Json::Object(members) => member(members, field),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table, and what was reported.
    fn parse(text: &str) -> (Option<Table>, Vec<String>) {
        let mut reported = Vec::new();
        let table = Table::parse("t", "f", text.as_bytes(), &mut |p| reported.push(p.text));
        (table, reported)
    }

    fn table(content: &str) -> Table {
        let (table, reported) = parse(&format!("{{\"version\":1,\"nomatch\":\"no\",{content}}}"));
        assert!(reported.is_empty(), "{reported:?}");
        table.expect("a table")
    }

    #[test]
    fn every_type_finds() {
        let strings = table(
            r#""table":[{"index":"a","value":"1"},{"index":2,"value":2},{"index":"","value":{"x":1}}]"#,
        );
        let rows: [(&str, &str); 5] =
            [("a", "1"), ("2", "2"), ("", r#"{ "x": 1 }"#), ("A", "no"), ("b", "no")];
        for (key, value) in rows {
            assert_eq!(String::from_utf8_lossy(strings.text(key.as_bytes())), value, "{key}");
        }
        let array = table(
            r#""type":"array","table":[{"index":4,"value":"four"},{"index":3,"value":"three"}]"#,
        );
        let sparse = table(
            r#""type":"sparseArray","table":[{"index":10,"value":"b"},{"index":"5","value":"a"}]"#,
        );
        let rows: [(i64, &str, &str); 8] = [
            (2, "no", "no"),
            (3, "three", "no"),
            (4, "four", "no"),
            (5, "no", "a"),
            (9, "no", "a"),
            (10, "no", "b"),
            (-1, "no", "b"),
            (4_294_967_296 + 3, "three", "no"),
        ];
        for (key, in_array, in_sparse) in rows {
            assert_eq!(array.number(key), in_array.as_bytes(), "{key}");
            assert_eq!(sparse.number(key), in_sparse.as_bytes(), "{key}");
        }
        let regex = table(
            r#""type":"regex","table":[{"regex":"^a+$","tag":"as"},{"regex":"a|b","tag":"one"}]"#,
        );
        for (key, value) in [("aa", "as"), ("xb", "one"), ("c", "no")] {
            assert_eq!(regex.text(key.as_bytes()), value.as_bytes(), "{key}");
        }
        assert!(array.has_numbers() && sparse.has_numbers());
        assert!(!regex.has_numbers() && !strings.has_numbers());
        assert_eq!(table(r#""table":[]"#).text(b"x"), b"no");
        let twice = table(
            r#""table":[{"index":"a","value":1},{"index":"b","value":2},{"index":"a","value":3},
                {"index":"a","value":4},{"index":"c","value":5}]"#,
        );
        let values = [b"a", b"b", b"c"].map(|key| twice.text(key).to_vec());
        assert_eq!(values, [b"4", b"2", b"5"]);
        assert_eq!(table(r#""type":"array","table":[]"#).number(0), b"no");
    }

    #[test]
    fn what_is_wrong_is_told_as_the_reference_does() {
        let rows = [
            ("{\"version\":1,", "lookup table file 'f' json parsing error"),
            ("{\"version\":2}", "lookup table named: 't' uses unsupported version: 2"),
            ("{\"version\":1}", "lookup table named: 't' has invalid table definition"),
            (
                r#"{"version":1,"type":"x","table":[]}"#,
                "lookup table named: 't' uses unupported type: 'x'",
            ),
            (
                r#"{"version":1,"table":[{"index":"a"}]}"#,
                "'string' lookup table named: 't' has record(s) without 'value' field",
            ),
            (
                r#"{"version":1,"table":[{"value":"a"}]}"#,
                "'string' lookup table named: 't' has record(s) without 'index' field",
            ),
            (
                r#"{"version":1,"type":"array","table":[{"index":1,"value":1},{"index":3,"value":1}]}"#,
                "'array' lookup table name: 't' has non-contiguous members between index '2' and '3'",
            ),
            (
                r#"{"version":1,"type":"sparseArray","table":[{"index":-1,"value":1}]}"#,
                "'sparseArray' lookup table name: 't' has index '-1' outside uint32 range",
            ),
            (
                r#"{"version":1,"type":"regex","table":[{"regex":"a"}]}"#,
                "'regex' lookup table named: 't' has record(s) without 'tag' field",
            ),
            (
                r#"{"version":1,"type":"regex","table":[{"tag":"a"}]}"#,
                "'regex' lookup table named: 't' has record(s) without required fields",
            ),
            (
                r#"{"version":1,"type":"regex","table":[{"regex":"(","tag":"a"}]}"#,
                "error compiling regex '(' in lookup table 't': Unmatched ( or \\(",
            ),
        ];
        for (text, wanted) in rows {
            let (table, reported) = parse(text);
            assert!(table.is_none(), "{text}");
            assert_eq!(reported, [wanted], "{text}");
        }
        let (table, reported) = parse(r#"{"table":[]}"#);
        assert!(table.is_some_and(|table| table.text(b"x").is_empty()));
        assert_eq!(
            reported,
            ["lookup table named: 't' doesn't specify version (will use default value: 1)"]
        );
    }

    #[test]
    fn a_stub_gives_one_value() {
        let stub = Table::stub(b"s");
        assert_eq!((stub.text(b"x"), stub.number(7)), (&b"s"[..], &b"s"[..]));
        assert!(stub.is_stub_of(b"s") && !stub.is_stub_of(b"t"));
    }
}

//! How the bytes of a property are written: as they are, as CSV, as JSON.

use crate::message::json;

/// How a value is written.
#[derive(Debug)]
pub(super) enum Format {
    /// As it is.
    Plain,
    /// In quotes, quotes doubled.
    Csv,
    /// As the inside of a JSON string.
    Json(Escapes),
    /// As a member of a JSON object.
    Member(JsonField),
}

/// What happens to a backslash in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escapes {
    /// It is escaped.
    Escape,
    /// It stays if it is part of an escape (`jsonr`, `jsonfr`).
    Keep,
}

/// `"name":value`
#[derive(Debug)]
pub(super) struct JsonField {
    /// The name, written as it is.
    pub(super) name: Box<[u8]>,
    /// What happens to backslashes in the value.
    pub(super) escapes: Escapes,
    /// What the value is taken for.
    pub(super) data: DataType,
    /// What an empty value becomes.
    pub(super) on_empty: OnEmpty,
    /// A number 0 is left out.
    pub(super) omit_zero: bool,
}

/// What the value of a JSON member is taken for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum DataType {
    /// A string.
    #[default]
    String,
    /// A number, written as it is, without white space around.
    Number,
    /// `false` if it is `0`, else `true`.
    Bool,
    /// A number if there are only digits, else a string.
    Auto,
}

/// What an empty value becomes as a JSON member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum OnEmpty {
    /// What the data type makes of it.
    #[default]
    Keep,
    /// Nothing: the member is left out.
    Skip,
    /// `null`
    Null,
}

impl Format {
    /// The format of that name (`csv`, `json` and its variants), a member of a JSON object still without its
    /// name.
    pub(super) fn parse(name: &[u8]) -> Option<Self> {
        let member = |escapes| {
            Self::Member(JsonField {
                name: Box::default(),
                escapes,
                data: DataType::default(),
                on_empty: OnEmpty::default(),
                omit_zero: false,
            })
        };
        Some(match name {
            b"csv" => Self::Csv,
            b"json" => Self::Json(Escapes::Escape),
            b"jsonr" => Self::Json(Escapes::Keep),
            b"jsonf" => member(Escapes::Escape),
            b"jsonfr" => member(Escapes::Keep),
            _ => return None,
        })
    }

    /// Appends `value` to `out`.
    pub(super) fn write(&self, value: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Plain => out.extend_from_slice(value),
            Self::Csv => write_csv(value, out),
            Self::Json(escapes) => escapes.write(value, out),
            Self::Member(field) => field.write(value, out),
        }
    }
}

fn write_csv(value: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut parts = value.split(|c| *c == b'"');
    out.extend_from_slice(parts.next().unwrap_or_default());
    for part in parts {
        out.extend_from_slice(b"\"\"");
        out.extend_from_slice(part);
    }
    out.push(b'"');
}

impl Escapes {
    fn write(self, value: &[u8], out: &mut Vec<u8>) {
        let mut rest = value;
        if self == Self::Keep {
            while let Some(at) = memchr::memchr(b'\\', rest) {
                let (plain, escape) = rest.split_at(at);
                json::escape_upper(plain, out);
                let (kept, behind) = match escape {
                    [_, b'"' | b'/' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't' | b'u', ..] => {
                        escape.split_at(2)
                    }
                    _ => (b"\\\\".as_slice(), escape.get(1..).unwrap_or_default()),
                };
                out.extend_from_slice(kept);
                rest = behind;
            }
        }
        json::escape_upper(rest, out);
    }
}

impl JsonField {
    fn write(&self, value: &[u8], out: &mut Vec<u8>) {
        if value.is_empty() && self.on_empty == OnEmpty::Skip {
            return;
        }
        let value = if self.data == DataType::Number { trim(value) } else { value };
        if self.omit_zero && self.data == DataType::Number && value == b"0" {
            return;
        }
        out.push(b'"');
        out.extend_from_slice(&self.name);
        out.extend_from_slice(b"\":");
        let bare = match self.data {
            _ if value.is_empty() && self.on_empty == OnEmpty::Null => {
                return out.extend_from_slice(b"null");
            }
            DataType::Bool if value == b"0" => return out.extend_from_slice(b"false"),
            DataType::Bool => return out.extend_from_slice(b"true"),
            DataType::Number if value.is_empty() => return out.push(b'0'),
            DataType::Number => true,
            DataType::Auto => !value.is_empty() && value.iter().all(u8::is_ascii_digit),
            DataType::String => false,
        };
        out.extend((!bare).then_some(b'"'));
        self.escapes.write(value, out);
        out.extend((!bare).then_some(b'"'));
    }
}

/// Without the white space of C around it.
fn trim(value: &[u8]) -> &[u8] {
    let white = |c: &u8| matches!(c, b' ' | b'\t'..=b'\r');
    let start = value.iter().position(|c| !white(c)).unwrap_or(value.len());
    let end = value.iter().rposition(|c| !white(c)).map_or(start, |last| last + 1);
    value.get(start..end).unwrap_or_default()
}

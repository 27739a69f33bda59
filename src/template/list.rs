//! List templates: `property(…)` and `constant(…)` objects (`spec/config-language.md` section 12.2).

use super::Element;
use super::parse::{format, unknown_property};
use super::program::Entry;
use super::replacer::{
    Case, Change, Control, DataType, Field, Format, Match, Missing, OnEmpty, Path, Position,
    Replacer, Select, Source,
};
use crate::message::{DateFormat, Property};
use crate::param::{Args, Problem};
use crate::sys::regex::{CAPTURES_MAX, Flavour, SharedRegex};

/// The entries of a list template; `None`, after looking at all of them, if one is wrong.
pub(super) fn entries(
    template: &str,
    elements: &[Element<'_>],
    problems: &mut Vec<Problem>,
) -> Option<Vec<Entry>> {
    let before = problems.len();
    let mut entries = Vec::with_capacity(elements.len());
    for element in elements {
        let entry = match element {
            Element::Property(args) => property(template, args),
            Element::Constant(args) => constant(args),
        };
        match entry {
            Ok(entry) => entries.push(entry),
            Err(found) => problems.extend(found),
        }
    }
    (problems.len() == before).then_some(entries)
}

fn constant(args: &Args) -> Result<Entry, Vec<Problem>> {
    let value = unescape(args.str("value").unwrap_or_default());
    match (args.str("format"), args.str("outname")) {
        (None, _) => Ok(Entry::Constant(value.into())),
        (Some(b"jsonf"), Some(name)) => Ok(Entry::Member(name.into(), value.into())),
        (Some(b"jsonf"), None) => {
            let text = "constant set to format jsonf, but outname not specified - aborting";
            Err(vec![Problem::error(text).at("format").code(2207)])
        }
        (Some(other), _) => Err(vec![
            Problem::error(format!("invalid format type '{}' for constant", other.escape_ascii()))
                .at("format"),
        ]),
    }
}

fn property(template: &str, args: &Args) -> Result<Entry, Vec<Problem>> {
    let name = args.str("name").unwrap_or_default();
    let Some(property) = Property::parse(name) else {
        return Err(unknown_property(name).into_iter().map(|p| p.at("name")).collect());
    };
    let one = |problem| vec![problem];
    let date = choice(args, "dateformat", "date format", DateFormat::parse).map_err(one)?;
    let source = Source::new(property, date, args.bool("date.inutc"));
    let mut replacer = Replacer::new(source);
    replacer.select = select(template, args).map_err(one)?;
    replacer.position = position(args).map_err(one)?;
    replacer.change = Change::try_from(args).map_err(one)?;
    replacer.format = json_format(args).map_err(one)?;
    let default_name = name.strip_prefix(b"$!").unwrap_or(name);
    Ok(Entry::Field(replacer, args.str("outname").unwrap_or(default_name).into()))
}

/// The value of `param`, or the default where it is not given. `what` stands in the message for a bad one.
fn choice<T: Default>(
    args: &Args,
    param: &'static str,
    what: &str,
    parse: impl Fn(&[u8]) -> Option<T>,
) -> Result<T, Problem> {
    let Some(text) = args.str(param) else { return Ok(T::default()) };
    parse(text).ok_or_else(|| {
        Problem::error(format!("invalid {what} '{}' for property", text.escape_ascii())).at(param)
    })
}

fn select(template: &str, args: &Args) -> Result<Select, Problem> {
    let flavour = choice(args, "regex.type", "regex.type", |text| match text {
        b"BRE" => Some(Flavour::Basic),
        b"ERE" => Some(Flavour::Extended),
        _ => None,
    })?;
    let missing = choice(args, "regex.nomatchmode", "format type", |text| match text {
        b"DFLT" => Some(Missing::Text),
        b"BLANK" => Some(Missing::Blank),
        b"FIELD" => Some(Missing::Value),
        b"ZERO" => Some(Missing::Zero),
        _ => None,
    })?;
    let number = args.int("field.number");
    match (number, args.str("regex.expression")) {
        (None, None) => Ok(Select::All),
        (Some(_), Some(_)) => Err(Problem::error(
            "both field extraction and regex extraction specified - this is not possible, remove one",
        )
        .at("regex.expression")),
        (Some(number), None) => {
            // The reference keeps the low eight bits of the delimiter's code.
            let code = args.int("field.delimiter").unwrap_or(i64::from(b'\t')).rem_euclid(256);
            let delimiter = u8::try_from(code).unwrap_or_default();
            Ok(Select::Field(Field { number, delimiter, runs: false }))
        }
        (None, Some(pattern)) => {
            let skip = selector(template, args, "regex.match")?;
            let group = selector(template, args, "regex.submatch")?;
            match SharedRegex::new(pattern, flavour, false) {
                Ok(regex) => Ok(Select::Match(Match { regex, skip, group, missing })),
                Err(why) => Err(Problem::error(format!(
                    "error compiling regex '{}'",
                    pattern.escape_ascii()
                ))
                .at("regex.expression")
                .help(why)),
            }
        }
    }
}

fn selector(template: &str, args: &Args, param: &'static str) -> Result<usize, Problem> {
    let given = args.int(param).unwrap_or(0);
    usize::try_from(given).ok().filter(|n| *n < CAPTURES_MAX).ok_or_else(|| {
        Problem::error(format!(
            "template {template} error: {param}={given} is invalid (supported range 0..{})",
            CAPTURES_MAX - 1
        ))
        .at(param)
    })
}

fn position(args: &Args) -> Result<Option<Position>, Problem> {
    let (given_from, given_to) = (args.int("position.from"), args.int("position.to"));
    let from_end = args.bool("position.relativetoend");
    let from = given_from.unwrap_or(0);
    let to = given_to.unwrap_or(if given_from.is_some() { TO_DEFAULT } else { 0 });
    if from_end && to > from {
        // With the reference's spelling, and its blank at the end.
        let text =
            format!("position.to={to} is higher than postion.from={from} in 'relativeToEnd' mode ");
        return Err(Problem::error(text).at("position.to"));
    }
    if !from_end && to >= 0 && to < from {
        let text = format!("position.to={to} is lower than postion.from={from} ");
        return Err(Problem::error(text).at("position.to"));
    }
    let fixed_width = args.bool("fixedwidth");
    Ok((from != 0 || to != 0).then_some(Position { from, to, from_end, fixed_width }))
}

impl TryFrom<&Args> for Change {
    type Error = Problem;

    fn try_from(args: &Args) -> Result<Self, Problem> {
        Ok(Self {
            blank_only: args.bool("spifno1stsp"),
            case: choice(args, "caseconversion", "caseconversion type", |text| match text {
                b"lower" => Some(Case::Lower),
                b"upper" => Some(Case::Upper),
                _ => None,
            })?,
            control: choice(args, "controlcharacters", "controlcharacter mode", |t| match t {
                b"escape" => Some(Control::Escape),
                b"escape-octal" => Some(Control::EscapeOctal),
                b"space" => Some(Control::Space),
                b"drop" => Some(Control::Drop),
                _ => None,
            })?,
            path: choice(args, "securepath", "securepath mode", |text| match text {
                b"drop" => Some(Path::Drop),
                b"replace" => Some(Path::Replace),
                _ => None,
            })?,
            drop_last_lf: args.bool("droplastlf"),
            compress_space: args.bool("compressspace"),
        })
    }
}

fn json_format(args: &Args) -> Result<Format, Problem> {
    let mut chosen = choice(args, "format", "format type", |text| format(text).map(Some))?;
    let data = choice(args, "datatype", "dataType", |text| match text {
        b"string" => Some(DataType::String),
        b"number" => Some(DataType::Number),
        b"bool" => Some(DataType::Bool),
        b"auto" => Some(DataType::Auto),
        _ => None,
    })?;
    let on_empty = choice(args, "onempty", "onEmpty value", |text| match text {
        b"keep" => Some(OnEmpty::Keep),
        b"skip" => Some(OnEmpty::Skip),
        b"null" => Some(OnEmpty::Null),
        _ => None,
    })?;
    if let Some(Format::Member(field)) = &mut chosen {
        field.data = data;
        field.on_empty = on_empty;
        field.omit_zero = args.bool("omitifzero");
    }
    Ok(chosen.unwrap_or(Format::Plain))
}

/// Decodes the escapes of a constant: the second round, after the one of every quoted value.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at(at);
        out.extend_from_slice(plain);
        let (decoded, used) = match *escape {
            [_, b'a', ..] => (7, 2),
            [_, b'b', ..] => (8, 2),
            [_, b'f', ..] => (12, 2),
            [_, b'n', ..] => (b'\n', 2),
            [_, b'r', ..] => (b'\r', 2),
            [_, b't', ..] => (b'\t', 2),
            [_, b'0', ..] => (0, 2),
            [_, c @ (b'\'' | b'"' | b'?' | b'\\'), ..] => (c, 2),
            [_, b'x', high, low, ..] => match (hex(high), hex(low)) {
                (Some(high), Some(low)) => (high << 4 | low, 4),
                _ => (b'\\', 1),
            },
            _ => (b'\\', 1),
        };
        out.push(decoded);
        rest = escape.get(used..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// What a missing `position.to` stands for: the end of any value.
const TO_DEFAULT: i64 = 2_000_000_000;

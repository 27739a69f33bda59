//! List templates: `property(…)` and `constant(…)` objects (`spec/config-language.md` section 12.2).

use super::change::{Case, Change, Control, Path};
use super::format::{DataType, Format, OnEmpty};
use super::parse::unknown_property;
use super::program::Entry;
use super::replacer::{Replacer, Source};
use super::select::{Field, Match, Missing, Position, Select};
use super::{Element, Report};
use crate::message::{DateFormat, Property};
use crate::param::{Args, Problem};
use crate::sys::regex::{CAPTURES_MAX, Flavour, SharedRegex};

/// The entries of a list template; `None`, after looking at all of them, if one is wrong.
pub(super) fn entries(
    template: &str,
    elements: &[Element<'_>],
    report: Report<'_>,
) -> Option<Vec<Entry>> {
    let mut entries = Vec::with_capacity(elements.len());
    for (index, element) in elements.iter().enumerate() {
        let entry = match element {
            Element::Property(args) => property(template, args),
            Element::Constant(args) => constant(args),
        };
        match entry {
            Ok(entry) => entries.push(entry),
            Err(found) => found.into_iter().for_each(|problem| report(Some(index), problem)),
        }
    }
    (entries.len() == elements.len()).then_some(entries)
}

fn constant(args: &Args) -> Result<Entry, Vec<Problem>> {
    let value = unescape(args.str("value").unwrap_or_default());
    match (args.given("format"), args.str("outname")) {
        (false, _) => Ok(Entry::Constant(value.into())),
        (true, Some(name)) => Ok(Entry::Member(name.into(), value.into())),
        (true, None) => {
            let text = "constant set to format jsonf, but outname not specified - aborting";
            Err(vec![Problem::error(text).at("format").code(2207)])
        }
    }
}

fn property(template: &str, args: &Args) -> Result<Entry, Vec<Problem>> {
    let name = args.str("name").unwrap_or_default();
    let Some(property) = Property::parse(name) else {
        return Err(unknown_property(name).into_iter().map(|p| p.at("name")).collect());
    };
    let date = args.str("dateformat").and_then(DateFormat::parse).unwrap_or_default();
    let replacer = Replacer {
        source: Source::new(property, date, args.bool("date.inutc")),
        select: select(template, args).map_err(|problem| vec![problem])?,
        position: position(args).map_err(|problem| vec![problem])?,
        change: change(args),
        format: property_format(args),
    };
    let default_name = name.strip_prefix(b"$!").unwrap_or(name);
    Ok(Entry::Field(replacer, args.str("outname").unwrap_or(default_name).into()))
}

/// What the word given for `param` means; the default where none is given. `config` lets only words of the
/// table pass, in the table's spelling.
fn choice<T: Copy + Default>(args: &Args, param: &str, words: &[(&str, T)]) -> T {
    let given = args.str(param).unwrap_or_default();
    words
        .iter()
        .find(|(word, _)| word.as_bytes() == given)
        .map_or(T::default(), |(_, means)| *means)
}

fn select(template: &str, args: &Args) -> Result<Select, Problem> {
    match (args.int("field.number"), args.str("regex.expression")) {
        (None, None) => Ok(Select::All),
        (Some(_), Some(_)) => Err(Problem::error(
            "both field extraction and regex extraction specified - this is not possible, remove one",
        )
        .at("regex.expression")),
        (Some(number), None) => {
            let code = args.int("field.delimiter").and_then(|code| u8::try_from(code).ok());
            let delimiter = code.unwrap_or(b'\t');
            Ok(Select::Field(Field { number, delimiter, runs: false }))
        }
        (None, Some(pattern)) => expression(template, args, pattern),
    }
}

fn expression(template: &str, args: &Args, pattern: &[u8]) -> Result<Select, Problem> {
    let flavour =
        choice(args, "regex.type", &[("BRE", Flavour::Basic), ("ERE", Flavour::Extended)]);
    let missing = choice(
        args,
        "regex.nomatchmode",
        &[
            ("DFLT", Missing::Text),
            ("BLANK", Missing::Blank),
            ("FIELD", Missing::Value),
            ("ZERO", Missing::Zero),
        ],
    );
    let skip = selector(template, args, "regex.match")?;
    let group = selector(template, args, "regex.submatch")?;
    match SharedRegex::new(pattern, flavour, false) {
        Ok(regex) => Ok(Select::Match(Match { regex, skip, group, missing })),
        Err(why) => {
            let text = format!("error compiling regex '{}'", String::from_utf8_lossy(pattern));
            Err(Problem::error(text).at("regex.expression").help(why))
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
    if from_end && given_from.is_none() && given_to.is_none() {
        // What the reference has for positions that are not given.
        let text = "position.to=0 is higher than postion.from=-1 in 'relativeToEnd' mode ";
        return Err(Problem::error(text).at("position.relativetoend").help("give position.from"));
    }
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

fn change(args: &Args) -> Change {
    Change {
        blank_only: args.bool("spifno1stsp"),
        case: choice(args, "caseconversion", &[("lower", Case::Lower), ("upper", Case::Upper)]),
        control: choice(
            args,
            "controlcharacters",
            &[
                ("escape", Control::Escape),
                ("escape-octal", Control::EscapeOctal),
                ("space", Control::Space),
                ("drop", Control::Drop),
            ],
        ),
        path: choice(args, "securepath", &[("drop", Path::Drop), ("replace", Path::Replace)]),
        drop_last_lf: args.bool("droplastlf"),
        compress_space: args.bool("compressspace"),
    }
}

fn property_format(args: &Args) -> Format {
    let mut chosen = args.str("format").and_then(Format::parse).unwrap_or(Format::Plain);
    if let Format::Member(field) = &mut chosen {
        field.data = choice(
            args,
            "datatype",
            &[
                ("string", DataType::String),
                ("number", DataType::Number),
                ("bool", DataType::Bool),
                ("auto", DataType::Auto),
            ],
        );
        field.on_empty = choice(
            args,
            "onempty",
            &[("keep", OnEmpty::Keep), ("skip", OnEmpty::Skip), ("null", OnEmpty::Null)],
        );
        field.omit_zero = args.bool("omitifzero");
    }
    chosen
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

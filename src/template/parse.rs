//! Texts with `%name:from:to:options:fieldname%` (`spec/config-language.md` section 12.3).
//!
//! The reference reads on after most mistakes; so does this parser, to the same result.

use super::change::{Case, Control, Path};
use super::format::{Escapes, Format, JsonField};
use super::program::Entry;
use super::replacer::{Replacer, Source};
use super::select::{Field, Match, Missing, Position, Select};
use crate::message::{DateFormat, Property};
use crate::param::Problem;
use crate::sys::regex::{Flavour, SharedRegex};

/// The entries of a string template; `None` if there can be no template. A `$template` (`legacy`) ends at its
/// first mistake instead.
pub(super) fn entries(
    template: &str,
    text: &[u8],
    legacy: bool,
    report: &mut dyn FnMut(Problem),
) -> Option<Vec<Entry>> {
    let mut parser = Parser { template, rest: text, report };
    let mut entries = Vec::new();
    while let Some(c) = parser.peek() {
        if c != b'%' {
            entries.push(Entry::Constant(parser.constant(legacy).into()));
            continue;
        }
        parser.skip();
        match parser.field() {
            Ok((replacer, name)) => entries.push(Entry::Field(replacer, name)),
            Err(shown) if legacy => {
                entries.push(Entry::Constant(shown.into()));
                break;
            }
            Err(_) => return None,
        }
    }
    Some(entries)
}

/// What is known about a property while its options are read.
struct Draft {
    replacer: Replacer,
    /// Announced, but its text has not been read yet.
    expression: Option<Expression>,
    format: DateFormat,
    utc: bool,
    from: i64,
    to: i64,
    from_end: bool,
    fixed_width: bool,
}

/// The options of a regular expression.
#[derive(Clone, Copy)]
struct Expression {
    flavour: Flavour,
    skip: usize,
    group: usize,
    missing: Missing,
}

/// Reads a template's text from front to back.
struct Parser<'a> {
    template: &'a str,
    rest: &'a [u8],
    report: &'a mut dyn FnMut(Problem),
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn skip(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    /// Takes `token` if it comes next.
    fn eat(&mut self, token: &[u8]) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes everything before the first of `ends`.
    fn until(&mut self, ends: &[u8]) -> &'a [u8] {
        let end = self.rest.iter().position(|c| ends.contains(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// A decimal number; none is 0. `Err` holds what stands for one that is too large.
    fn number(&mut self) -> Result<i64, i64> {
        let mut number = Ok(0);
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            self.skip();
            let next = number.map(|n: i64| n * 10 + i64::from(digit - b'0'));
            number = next.and_then(|n| if n > NUMBER_MAX { Err(NUMBER_MAX) } else { Ok(n) });
        }
        number
    }

    /// A number; one that is too large is reported as `what` and replaced.
    fn number_of(&mut self, what: &str) -> i64 {
        self.number().unwrap_or_else(|most| {
            self.error(format!("error: {what} in template is too large - using {most}"));
            most
        })
    }

    fn digit(&mut self) -> Option<usize> {
        let digit = self.peek().filter(u8::is_ascii_digit)?;
        self.skip();
        Some(usize::from(digit - b'0'))
    }

    fn error(&mut self, text: String) {
        (self.report)(Problem::error(text));
    }

    /// Text up to the next `%`.
    fn constant(&mut self, escapes: bool) -> Vec<u8> {
        if !escapes {
            return self.until(b"%").to_vec();
        }
        let mut text = Vec::new();
        loop {
            text.extend_from_slice(self.until(b"%\\"));
            if !self.eat(b"\\") {
                return text;
            }
            match self.peek() {
                None => return text,
                Some(b'0'..=b'9') => text.push(self.escaped_code()),
                Some(c) => {
                    self.skip();
                    text.push(match c {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        other => other,
                    });
                }
            }
        }
    }

    /// The byte of a decimal code.
    fn escaped_code(&mut self) -> u8 {
        let number = self.number();
        if number.is_err() {
            let text = "template numeric escape value too large, using 255 as substitute";
            self.error(text.to_owned());
        }
        number.map_or(u8::MAX, |n| u8::try_from(n).unwrap_or(u8::MAX))
    }

    /// A property with its options, behind the first `%`; takes the last one. `Err` is what it renders to if
    /// rendered all the same.
    fn field(&mut self) -> Result<(Replacer, Box<[u8]>), &'static [u8]> {
        let whole = self.rest;
        let name = self.until(b"%:");
        let Some(property) = Property::parse(name) else {
            unknown_property(name).into_iter().for_each(&mut *self.report);
            return Err(b"**INVALID PROPERTY NAME**");
        };
        let is_tree = matches!(property, Property::Variable(..));
        let mut draft = Draft {
            replacer: Replacer::new(Source::Property(Property::Iut)),
            expression: None,
            format: DateFormat::default(),
            utc: false,
            from: 0,
            to: 0,
            from_end: false,
            fixed_width: false,
        };
        if self.eat(b":") {
            self.from(whole, &mut draft)?;
        }
        if self.eat(b":") {
            self.to(&mut draft);
        }
        if self.eat(b":") {
            self.options(&mut draft);
        }
        let field_name = if self.eat(b":") {
            self.until(b"%:")
        } else if is_tree && matches!(name.get(1), Some(b'!' | b'.')) {
            name.get(2..).unwrap_or_default()
        } else {
            name
        };
        self.skip();
        draft.replacer.source = Source::new(property, draft.format, draft.utc);
        draft.replacer.position = draft.position();
        Ok((draft.replacer, field_name.into()))
    }

    /// The second part: a position, or the beginning of a field or expression.
    fn from(&mut self, whole: &[u8], draft: &mut Draft) -> Result<(), &'static [u8]> {
        match self.peek() {
            Some(b'R') => {
                self.skip();
                self.expression(whole, draft);
                Ok(())
            }
            Some(b'F') => {
                self.skip();
                self.field_delimiter(whole, draft)
            }
            _ => {
                draft.from = self.number_of("frompos value");
                self.until(b"%:");
                Ok(())
            }
        }
    }

    /// `R,<BRE|ERE>,<submatch>,<no match>,<match>` behind the `R`.
    fn expression(&mut self, whole: &[u8], draft: &mut Draft) {
        let mut flavour = Flavour::Basic;
        if self.eat(b",") {
            match self.word(&[(b"BRE", Flavour::Basic), (b"ERE", Flavour::Extended)]) {
                Some(named) => flavour = named,
                None => self.error(format!(
                    "error: invalid regular expression type, rest of line {}",
                    String::from_utf8_lossy(self.rest)
                )),
            }
        }
        let group = if self.eat(b",") { self.digit().unwrap_or(0) } else { 0 };
        let mut missing = Missing::Text;
        if self.eat(b",") {
            match self.word(&MISSING_NAMES) {
                Some(named) => missing = named,
                None if self.peek() == Some(b',') => {}
                None => self.error(format!(
                    "template {} error: invalid regular expression type, rest of line {}",
                    self.template,
                    String::from_utf8_lossy(self.rest)
                )),
            }
        }
        let skip = if self.eat(b",") { self.digit().unwrap_or(0) } else { 0 };
        if self.peek() != Some(b':') {
            return self.error(invalid_from("R", whole));
        }
        draft.expression = Some(Expression { flavour, skip, group, missing });
    }

    /// The text of an expression. Without its end mark there is no expression and nothing is taken.
    fn pattern(&mut self, expression: Expression, draft: &mut Draft) {
        let Some(end) = memchr::memmem::find(self.rest, b"--end") else { return };
        let (pattern, rest) = self.rest.split_at(end);
        self.rest = rest.strip_prefix(b"--end").unwrap_or(rest);
        let Expression { flavour, skip, group, missing } = expression;
        draft.replacer.select = match SharedRegex::new(pattern, flavour, false) {
            Ok(regex) => Select::Match(Match { regex, skip, group, missing }),
            Err(_) => Select::BadExpression,
        };
    }

    /// One of `words`, if a comma or a colon follows it.
    fn word<T: Copy>(&mut self, words: &[(&[u8], T)]) -> Option<T> {
        let (word, meaning) = words.iter().find(|(word, _)| {
            let behind = self.rest.strip_prefix(*word).and_then(<[u8]>::first);
            matches!(behind, Some(b',' | b':'))
        })?;
        self.eat(word);
        Some(*meaning)
    }

    /// `F,<delimiter>,<from>` behind the `F`.
    fn field_delimiter(&mut self, whole: &[u8], draft: &mut Draft) -> Result<(), &'static [u8]> {
        let mut field = Field { number: 0, delimiter: b'\t', runs: false };
        if self.peek() == Some(b':') {
            draft.replacer.select = Select::Field(field);
            return Ok(());
        }
        if !self.eat(b",") {
            self.error(invalid_from("F", whole));
            return Ok(());
        }
        if !self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.error(format!("{} - using 9 (HT) as field delimiter", invalid_from("F,", whole)));
        } else if let Some(delimiter) = self.delimiter_code() {
            field.delimiter = delimiter;
            field.runs = self.eat(b"+");
            if self.eat(b",") {
                draft.from = self.number_of("frompos value");
            } else if self.peek() != Some(b':') {
                let c = self.peek().map_or(String::new(), |c| char::from(c).to_string());
                let text = format!(
                    "error: invalid character '{c}' in frompos after \"F,\", property: '{}' be sure to use \
                     DECIMAL character codes!",
                    String::from_utf8_lossy(whole)
                );
                (self.report)(Problem::error(text).code(2207));
                return Err(b"**FIELD NOT FOUND**");
            }
        }
        draft.replacer.select = Select::Field(field);
        Ok(())
    }

    /// The decimal code of a delimiter; `None`, and a problem, if it is no byte.
    fn delimiter_code(&mut self) -> Option<u8> {
        let number = self.number();
        let code = number.ok().and_then(|n| u8::try_from(n).ok());
        match number {
            Ok(n) if code.is_none() => self.error(format!(
                "error: non-USASCII delimiter character value {n} in template - using 9 (HT) as substitute"
            )),
            Err(_) => self.error(
                "error: delimiter value in template is too large - using 9 (HT) as substitute".to_owned(),
            ),
            Ok(_) => {}
        }
        code
    }

    /// The third part: a position, a field number or the expression that was announced.
    fn to(&mut self, draft: &mut Draft) {
        if let Some(expression) = draft.expression.take() {
            return self.pattern(expression, draft);
        }
        if self.eat(b"$") {
            draft.to = Position::END;
            return;
        }
        if let Select::Field(mut field) = draft.replacer.select {
            field.number = self.number_of("field number");
            draft.replacer.select = Select::Field(field);
            if self.eat(b",") {
                draft.to = self.number_of("topos value");
            }
        } else {
            draft.to = self.number_of("topos value");
        }
        self.until(b"%:");
    }

    /// The fourth part: options with commas between them, in any case.
    fn options(&mut self, draft: &mut Draft) {
        while !matches!(self.peek(), None | Some(b'%' | b':')) {
            let option = self.until(b"%:,").to_ascii_lowercase();
            self.eat(b",");
            if draft.set(&option) {
                continue;
            }
            let shown = String::from_utf8_lossy(&option);
            self.error(match Format::parse(&option) {
                Some(_) => format!(
                    "error: can only specify one option out of (json, jsonf, jsonr, jsonfr, csv) - {shown} \
                     ignored"
                ),
                None => format!("template error: invalid field option '{shown}' specified - ignored"),
            });
        }
    }
}

impl Draft {
    /// Sets an option, unless there is none of that name or it comes too late.
    fn set(&mut self, option: &[u8]) -> bool {
        let change = &mut self.replacer.change;
        match option {
            b"date-utc" => self.utc = true,
            b"lowercase" => change.case = Case::Lower,
            b"uppercase" => change.case = Case::Upper,
            b"sp-if-no-1st-sp" => change.blank_only = true,
            b"compressspace" => change.compress_space = true,
            b"escape-cc" => change.control = Control::Escape,
            b"drop-cc" => change.control = Control::Drop,
            b"space-cc" => change.control = Control::Space,
            b"drop-last-lf" => change.drop_last_lf = true,
            b"secpath-drop" => change.path = Path::Drop,
            b"secpath-replace" if change.path == Path::Keep => change.path = Path::Replace,
            b"secpath-replace" => {}
            b"pos-end-relative" => self.from_end = true,
            b"fixed-width" => self.fixed_width = true,
            b"mandatory-field" => {} // matters only where an output takes a JSON object
            _ => {
                if let Some(format) = option.strip_prefix(b"date-").and_then(DateFormat::parse) {
                    self.format = format;
                    return true;
                }
                let Some(format) = Format::parse(option) else { return false };
                match &self.replacer.format {
                    Format::Plain => {}
                    // The reference forgets this one when it asks whether there is a format already.
                    Format::Member(JsonField { escapes: Escapes::Keep, .. }) => {}
                    _ => return false,
                }
                self.replacer.format = format;
            }
        }
        true
    }

    /// The positions, in the order they make sense in.
    fn position(&self) -> Option<Position> {
        let (low, high) = (self.from.min(self.to), self.from.max(self.to));
        let (from, to) = if self.from_end { (high, low) } else { (low, high) };
        let (from_end, fixed_width) = (self.from_end, self.fixed_width);
        (high != 0).then_some(Position { from, to, from_end, fixed_width })
    }
}

/// What to say about a name that is no property; a `$` that was forgotten is pointed out.
pub(super) fn unknown_property(name: &[u8]) -> Vec<Problem> {
    let shown = String::from_utf8_lossy(name);
    let mut problems = vec![Problem::error(format!("invalid property '{shown}'")).code(2207)];
    let with_dollar = [b"$", name].concat();
    let system = Property::parse(&with_dollar).filter(|p| !matches!(p, Property::Variable(..)));
    if system.is_some() {
        let lower = with_dollar.to_ascii_lowercase();
        let meant = String::from_utf8_lossy(&lower);
        problems.push(
            Problem::error(format!(
                "did you mean '{meant}' instead of '{shown}'? \
                 See also: https://www.rsyslog.com/rsyslog-info-1/"
            ))
            .code(2207),
        );
    }
    problems
}

fn invalid_from(after: &str, whole: &[u8]) -> String {
    format!(
        "error: invalid character in frompos after \"{after}\", property: '%{}'",
        String::from_utf8_lossy(whole)
    )
}

const MISSING_NAMES: [(&[u8], Missing); 4] = [
    (b"DFLT", Missing::Text),
    (b"BLANK", Missing::Blank),
    (b"FIELD", Missing::Value),
    (b"ZERO", Missing::Zero),
];

/// The largest number that is read.
const NUMBER_MAX: i64 = i32::MAX as i64;

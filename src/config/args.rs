//! An object's parameters against its tables: names, kinds, required ones, what is not there yet.

use super::ast::{Object, Parameter, Span};
use super::checked::ObjectArgs;
use super::diagnostic::{Diagnostic, Diagnostics, did_you_mean, nearest};
use crate::param::{Args, Kind, Param, Support, Value};

/// Why an object has no arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// `config.enabled` is not `on`: leave it out and say nothing.
    Disabled,
    /// A value or a required parameter is wrong, and that has been said.
    Invalid,
}

/// Whether `config.enabled` leaves the object out.
pub(super) fn is_disabled(object: &Object) -> bool {
    let enabled = object.params.iter().rfind(|p| p.name.eq_ignore_ascii_case("config.enabled"));
    enabled.is_some_and(|param| param.value != [b"on".to_vec()])
}

/// The last value given to `name`.
fn text<'a>(object: &'a Object, name: &str) -> Option<&'a Parameter> {
    object.params.iter().rfind(|param| param.name.eq_ignore_ascii_case(name))
}

/// The value of the parameter that says what the object is, with its place; reported if it is not there.
pub(super) fn word(
    object: &Object,
    name: &str,
    diagnostics: &mut Diagnostics,
) -> Option<(Vec<u8>, Span)> {
    let wrong = match text(object, name) {
        Some(Parameter { value, value_span, array: false, .. }) => {
            return Some((value.first().cloned().unwrap_or_default(), *value_span));
        }
        Some(param) => {
            let text = format!("parameter '{name}' is not a string, which is not permitted");
            Diagnostic::parsing(param.value_span, text)
        }
        None => {
            let written = object.params.iter().map(|param| param.name.as_str());
            let named = text(object, "name").filter(|_| name == "load");
            let meant = nearest(name, written).or(named.map(|param| param.name.as_str()));
            let help = meant.map(|written| format!("write {name}= instead of {written}="));
            required(object, name).maybe_help(help)
        }
    };
    diagnostics.push(wrong.line(object.end_line));
    None
}

fn required(object: &Object, name: &str) -> Diagnostic {
    let name = name.to_ascii_lowercase();
    let text = format!("parameter '{name}' required but not specified - fix config");
    Diagnostic::parsing(object.span, text).line(object.end_line)
}

/// Checks an object against its tables, one [`ObjectArgs`] for each.
///
/// Unknown names are reported, but the object is created; so it is in the reference. A wrong value or a missing
/// required parameter drops the object after all parameters were looked at; a wrong one of its queue costs the
/// queue's parameters only.
pub(super) fn check<const N: usize>(
    object: &Object,
    tables: [&'static [Param]; N],
    diagnostics: &mut Diagnostics,
) -> Result<[ObjectArgs; N], Left> {
    check_beside(object, tables, (&[], ""), diagnostics)
}

/// As [`check`]. A name that is in none of the tables but in `beside` is one of the object that is named there.
pub(super) fn check_beside<const N: usize>(
    object: &Object,
    tables: [&'static [Param]; N],
    beside: (&[Param], &str),
    diagnostics: &mut Diagnostics,
) -> Result<[ObjectArgs; N], Left> {
    if is_disabled(object) {
        return Err(Left::Disabled);
    }
    let mut checked = tables.map(|table| ObjectArgs::new(Args::defaults(&[table]), object.span));
    let mut valid = [true; N];
    for (i, param) in object.params.iter().enumerate() {
        if param.name.eq_ignore_ascii_case("config.enabled") {
            continue;
        }
        let found = tables.iter().enumerate().find_map(|(table, rows)| {
            let row = rows.iter().find(|row| row.is(&param.name) && !row.legacy_only);
            row.map(|row| (table, row))
        });
        let later = &object.params[i + 1..];
        let repeated = later.iter().any(|other| {
            found.map_or(other.name.eq_ignore_ascii_case(&param.name), |(_, row)| {
                row.is(&other.name)
            })
        });
        if repeated {
            diagnostics.push(
                Diagnostic::parsing(
                    param.span,
                    format!(
                        "duplicate parameter '{}' -- interpretation is ambiguous, one value will be \
                         randomly selected. Fix this problem.",
                        param.name
                    ),
                )
                .line(object.end_line)
                .help("the value written last is used"),
            );
            // The reference finds the ones that are left over, too.
            diagnostics.push(unknown(param, []).line(object.end_line).follow_up());
            continue;
        }
        let Some((table, row)) = found else {
            let known = tables.iter().flat_map(|rows| rows.iter());
            let known = known.filter(|row| !row.legacy_only).map(|row| row.name);
            let mut diagnostic = unknown(param, known).line(object.end_line);
            if beside.0.iter().any(|row| row.is(&param.name)) {
                diagnostic = diagnostic.help(format!("it is a parameter of {}", beside.1));
            }
            diagnostics.push(diagnostic);
            continue;
        };
        valid[table] &= set(row, param, object.end_line, &mut checked[table], diagnostics);
    }
    for (table, rows) in tables.iter().enumerate() {
        for row in rows.iter().filter(|row| row.required && !checked[table].args.given(row.name)) {
            if object.params.iter().any(|param| row.is(&param.name)) {
                continue;
            }
            diagnostics.push(required(object, row.name));
            valid[table] = false;
        }
    }
    for (table, valid) in valid.iter_mut().enumerate() {
        let is_queue = tables[table].iter().all(|row| row.name.starts_with("queue."));
        if !*valid && is_queue && N > 1 {
            let text = "error processing queue config parameters";
            diagnostics
                .push(Diagnostic::parsing(object.span, text).line(object.end_line).follow_up());
            checked[table] = ObjectArgs::new(Args::defaults(&[tables[table]]), object.span);
            *valid = true;
        }
    }
    if valid.contains(&false) { Err(Left::Invalid) } else { Ok(checked) }
}

fn unknown<'a>(param: &Parameter, known: impl IntoIterator<Item = &'a str>) -> Diagnostic {
    let text = format!("parameter '{}' not known -- typo in config file?", param.name);
    Diagnostic::parsing(param.span, text).maybe_help(did_you_mean(&param.name, known))
}

/// Sets one parameter; `false` if its value is wrong.
fn set(
    row: &'static Param,
    param: &Parameter,
    line: u32,
    to: &mut ObjectArgs,
    diagnostics: &mut Diagnostics,
) -> bool {
    let parsed = if param.array && row.kind != Kind::Array {
        let name = row.name.to_ascii_lowercase();
        Err(format!("parameter '{name}' is not a string, which is not permitted"))
    } else {
        row.parse(&param.value)
    };
    let value = match parsed {
        Ok(value) => value,
        Err(text) => {
            let mut diagnostic = Diagnostic::parsing(param.value_span, text).line(line);
            let lenient = row.lenient && row.kind.takes(&param.value);
            if lenient {
                let default = row.default.map_or("none", |text| text);
                diagnostic = diagnostic.warning().help(format!("the default counts: {default}"));
            }
            diagnostics.push(diagnostic.maybe_help(advice(row.kind, &param.value)));
            if row.kind == Kind::User {
                diagnostics.count_unresolved_id();
            }
            // An obsolete parameter is reported but does not hurt; without a severity the default counts.
            return lenient || matches!(row.kind, Kind::Gone | Kind::Severity);
        }
    };
    report_support(row, &value, param, line, diagnostics);
    to.args.set(row.name, value);
    to.note(row.name, param.value_span);
    true
}

fn report_support(
    row: &Param,
    value: &Value,
    param: &Parameter,
    line: u32,
    diagnostics: &mut Diagnostics,
) {
    match row.support {
        Support::Full => {}
        Support::Missing if means(row, row.default, value) => {}
        Support::Missing => {
            let what = format!("parameter '{}'", row.name);
            diagnostics.push(Diagnostic::missing(param.span, &what).line(line));
        }
        Support::Deprecated(advice) => {
            let text = format!(
                "parameter '{}' deprecated but accepted, consider removing or replacing it",
                row.name.to_ascii_lowercase()
            );
            let diagnostic = Diagnostic::parsing(param.span, text).line(line);
            diagnostics.push(diagnostic.help(advice));
        }
        Support::NoEffect { always, .. } if means(row, always.or(row.default), value) => {}
        Support::NoEffect { reason, .. } => {
            let what = format!("parameter '{}'", row.name);
            diagnostics.push(Diagnostic::without_effect(param.span, &what, reason).line(line));
        }
    }
}

/// Whether `text`, written for this parameter, would be `value`.
pub(super) fn means(row: &Param, text: Option<&str>, value: &Value) -> bool {
    let parsed = text.map(|text| row.kind.parse(row.name, &[text.as_bytes().to_vec()]));
    matches!(parsed, Some(Ok(parsed)) if parsed == *value)
}

/// What to write instead of a wrong value.
pub(super) fn advice(kind: Kind, value: &[Vec<u8>]) -> Option<String> {
    let word = String::from_utf8_lossy(value.first()?);
    match kind {
        Kind::Bool => {
            let lower = word.to_ascii_lowercase();
            let meant = match lower.as_str() {
                "on" | "yes" | "true" | "1" | "enable" | "enabled" => "on",
                "off" | "no" | "false" | "0" | "disable" | "disabled" => "off",
                _ => return None,
            };
            Some(format!("write \"{meant}\""))
        }
        Kind::Choice(words) => {
            let near = did_you_mean(&word, words.iter().copied());
            near.or_else(|| Some(format!("one of {}", words.join(", "))))
        }
        Kind::Facility => {
            did_you_mean(&word, crate::param::FACILITIES.iter().map(|(name, _)| *name))
        }
        Kind::Severity => {
            did_you_mean(&word, crate::param::SEVERITIES.iter().map(|(name, _)| *name))
        }
        Kind::FileMode => Some("for example \"0640\"".to_owned()),
        Kind::Size { .. } => Some(size_advice(&word)),
        _ => None,
    }
}

/// How a size such as `20MiB`, as others write them, is written here.
fn size_advice(word: &str) -> String {
    let (digits, unit) = word.split_at(word.bytes().take_while(u8::is_ascii_digit).count());
    let lower = unit.trim().to_ascii_lowercase();
    let ours = match lower.as_bytes() {
        b"b" => Some(String::new()),
        [letter @ (b'k' | b'm' | b'g' | b't'), b'i', b'b'] => Some(char::from(*letter).to_string()),
        [letter @ (b'k' | b'm' | b'g' | b't'), b'b'] => {
            Some(char::from(*letter).to_uppercase().to_string())
        }
        _ => None,
    };
    match ours.filter(|_| !digits.is_empty()) {
        Some(unit) => format!("write \"{digits}{unit}\""),
        None => "a number of bytes; k, m, g behind it stand for powers of 1024, K, M, G of 1000"
            .to_owned(),
    }
}

//! `timezone()`: names for distances from UTC.

use super::args::{self, Left};
use super::ast::Object;
use super::check::Checker;
use super::checked::Timezone;
use super::diagnostic::Diagnostic;
use super::tables;

impl Checker<'_> {
    pub(super) fn timezone(&mut self, object: &Object) {
        let args = match args::check(object, [tables::TIMEZONE], self.diagnostics) {
            Ok([args]) => args,
            Err(Left::Disabled) => return,
            Err(Left::Invalid) => {
                let text = "error processing timezone config parameters";
                self.diagnostics.push(Diagnostic::plain(object.span, text).code(2211).follow_up());
                return;
            }
        };
        let name = args.args.str("id").unwrap_or_default().to_vec();
        match offset(args.args.str("offset").unwrap_or_default()) {
            Ok(offset) => self.config.timezones.push(Timezone { name, offset }),
            Err(text) => {
                let diagnostic = Diagnostic::parsing(args.place("offset"), text);
                self.diagnostics.push(diagnostic.line(object.end_line));
            }
        }
    }
}

/// Minutes east of UTC.
fn offset(text: &[u8]) -> Result<i32, &'static str> {
    const FORMAT: &str = "timezone offset has invalid format. Must be +/-hh:mm, e.g. \"-07:00\".";
    let [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] = *text else { return Err(FORMAT) };
    if ![h1, h2, m1, m2].iter().all(u8::is_ascii_digit) {
        return Err(FORMAT);
    }
    let number = |tens: u8, ones: u8| i32::from(tens - b'0') * 10 + i32::from(ones - b'0');
    let (hours, minutes) = (number(h1, h2), number(m1, m2));
    if hours > 12 || minutes > 59 {
        return Err("timezone offset outside of supported range (hours 0..12, minutes 0..59)");
    }
    let minutes = hours * 60 + minutes;
    Ok(if sign == b'-' { -minutes } else { minutes })
}

#[cfg(test)]
mod tests {
    use super::offset;

    #[test]
    fn offsets() {
        let good: [(&[u8], i32); 4] =
            [(b"+00:00", 0), (b"+01:30", 90), (b"-07:00", -420), (b"-12:59", -779)];
        for (text, minutes) in good {
            assert_eq!(offset(text), Ok(minutes));
        }
        for text in [&b"+13:00"[..], b"+00:60", b"1:00", b"+1:00", b"+01-00", b"+01:0x", b""] {
            assert!(offset(text).is_err());
        }
    }
}

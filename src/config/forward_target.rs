//! What stands behind `@` in a selector line: `@host`, `@@host:port`, `@(z9)[::1]:514`, `@@(o)host`.

use crate::param::Value;

/// A host to forward to, as a selector line writes it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Target<'t> {
    pub(super) tcp: bool,
    /// `o`: octet-counted frames.
    pub(super) octet_counted: bool,
    /// `z` and a digit: compression of single messages.
    pub(super) zip_level: Option<u8>,
    pub(super) host: &'t [u8],
    /// Digits, or nothing.
    pub(super) port: &'t [u8],
    /// What follows: `;template`, a comment, or nothing.
    pub(super) rest: &'t [u8],
    /// What is wrong with the options; the reference goes on without them.
    pub(super) wrong: Vec<String>,
}

impl<'t> Target<'t> {
    /// Reads the text from its first `@` on.
    pub(super) fn parse(text: &'t [u8]) -> Self {
        let mut target = Self::default();
        let mut text = text.strip_prefix(b"@").unwrap_or(text);
        if let Some(rest) = text.strip_prefix(b"@") {
            target.tcp = true;
            text = rest;
        }
        if let Some(options) = text.strip_prefix(b"(") {
            text = target.options(options);
        }
        let (host, rest) = match text.strip_prefix(b"[") {
            Some(inner) => {
                let end = position(inner, |byte| byte == b']');
                (&inner[..end], inner.get(end + 1..).unwrap_or_default())
            }
            None => text.split_at(position(text, |byte| matches!(byte, b';' | b':' | b'#'))),
        };
        target.host = host.trim_ascii_end();
        text = rest;
        if let Some(port) = text.strip_prefix(b":") {
            let end = position(port, |byte| !byte.is_ascii_digit());
            (target.port, text) = port.split_at(end);
        }
        let skipped = |byte: u8| matches!(byte, b';' | b'#') || byte.is_ascii_whitespace();
        target.rest = &text[position(text, skipped)..];
        target
    }

    /// Reads `z9,o)` and returns what follows.
    fn options(&mut self, mut text: &'t [u8]) -> &'t [u8] {
        loop {
            match text {
                [b'z', level @ b'0'..=b'9', ..] => self.zip_level = Some(level - b'0'),
                [b'z', rest @ ..] => {
                    let shown = rest.first().map_or(' ', |byte| char::from(*byte));
                    self.wrong.push(format!(
                        "Invalid compression level '{shown}' specified in forwarding action - NOT turning on \
                         compression."
                    ));
                }
                [b'o', ..] => self.octet_counted = true,
                [other, ..] => {
                    let shown = char::from(*other);
                    self.wrong
                        .push(format!("Invalid option {shown} in forwarding action - ignoring."));
                }
                [] => {}
            }
            let end = position(text, |byte| matches!(byte, b',' | b')'));
            match text.get(end) {
                Some(b',') => text = &text[end + 1..],
                Some(_) => return &text[end + 1..],
                None => {
                    self.wrong.push("Option block not terminated in forwarding action.".to_owned());
                    return b"";
                }
            }
        }
    }

    /// The same as parameters of `action()`.
    pub(super) fn settings(&self) -> Vec<(&'static str, Value)> {
        let mut settings = vec![
            ("target", Value::Array(vec![self.host.to_vec()])),
            ("protocol", Value::Str(if self.tcp { b"tcp".to_vec() } else { b"udp".to_vec() })),
        ];
        if !self.port.is_empty() {
            settings.push(("port", Value::Array(vec![self.port.to_vec()])));
        }
        if self.octet_counted {
            settings.push(("TCP_Framing", Value::Str(b"octet-counted".to_vec())));
        }
        if let Some(level) = self.zip_level {
            settings.push(("zipLevel", Value::Int(i64::from(level))));
        }
        settings
    }
}

fn position(text: &[u8], found: impl Fn(u8) -> bool) -> usize {
    text.iter().position(|byte| found(*byte)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        let host = |host: &'static str, port: &'static str, rest: &'static str| Target {
            host: host.as_bytes(),
            port: port.as_bytes(),
            rest: rest.as_bytes(),
            ..Target::default()
        };
        let rows = [
            ("@h", host("h", "", "")),
            ("@h:12x;T # c", host("h", "12", ";T # c")),
            ("@@h # c", Target { tcp: true, ..host("h", "", "# c") }),
            ("@[::1]:5;T", host("::1", "5", ";T")),
            (
                "@@(z3,o)h:1",
                Target { tcp: true, octet_counted: true, zip_level: Some(3), ..host("h", "1", "") },
            ),
        ];
        for (text, expected) in rows {
            assert_eq!(Target::parse(text.as_bytes()), expected, "{text}");
        }
        let wrong = Target::parse(b"@(z,q,oh");
        assert_eq!(wrong.wrong.len(), 3, "{wrong:?}");
        assert!(wrong.octet_counted && wrong.host.is_empty());
    }
}

//! Private keys in a configuration's text, unreadable where the text is shown: in the pictures of diagnostics and in the
//! whole configuration that `-o` writes.

use std::borrow::Cow;

use memchr::memmem;

/// The text with stars for what stands within private keys in PEM. Lines and lengths stay as they are, so that
/// positions still hold.
pub(super) fn masked(text: &[u8]) -> Cow<'_, [u8]> {
    let mut out = Cow::Borrowed(text);
    let mut done = 0;
    while let Some(found) = text.get(done..).and_then(|rest| memmem::find(rest, BEGIN)) {
        let start = done + found + BEGIN.len();
        let rest = text.get(start..).unwrap_or_default();
        // What has no end goes on to the end of its string.
        let len = memmem::find(rest, b"-----END ")
            .or_else(|| memchr::memchr2(b'"', b'\'', rest))
            .unwrap_or(rest.len());
        done = start + len;
        let key = out.to_mut().get_mut(start..done).unwrap_or_default();
        key.iter_mut().filter(|byte| !byte.is_ascii_whitespace()).for_each(|byte| *byte = b'*');
    }
    out
}

const BEGIN: &[u8] = b"PRIVATE KEY-----";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_masked_and_nothing_else() {
        for (text, shown) in [
            ("a=\"b\"", "a=\"b\""),
            ("-----BEGIN CERTIFICATE-----\nMII\n", "-----BEGIN CERTIFICATE-----\nMII\n"),
            (
                "k=\"-----BEGIN PRIVATE KEY-----\nMIIE\nvQ==\n-----END PRIVATE KEY-----\n\" b=\"c\"",
                "k=\"-----BEGIN PRIVATE KEY-----\n****\n****\n-----END PRIVATE KEY-----\n\" b=\"c\"",
            ),
            (
                r#"-----BEGIN RSA PRIVATE KEY-----\nMI\n-----END RSA PRIVATE KEY-----" d"#,
                r#"-----BEGIN RSA PRIVATE KEY-----******-----END RSA PRIVATE KEY-----" d"#,
            ),
            ("\"BEGIN PRIVATE KEY-----MI\" e", "\"BEGIN PRIVATE KEY-----**\" e"),
            ("PRIVATE KEY-----MI", "PRIVATE KEY-----**"),
        ] {
            assert_eq!(String::from_utf8_lossy(&masked(text.as_bytes())), shown);
        }
    }
}

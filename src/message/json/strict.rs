//! JSON strings that every parser takes, whatever the bytes: invalid UTF-8 becomes U+FFFD.

/// Appends `text` as the inside of a JSON string. Quotes, backslashes and control characters are escaped; each byte
/// that is no part of valid UTF-8 becomes `\ufffd`, as Go's encoder writes it. All else passes unchanged.
pub fn escape_strict(mut text: &[u8], out: &mut Vec<u8>) {
    loop {
        match std::str::from_utf8(text) {
            Ok(_) => return escape_valid(text, out),
            Err(why) => {
                let (valid, rest) = text.split_at(why.valid_up_to());
                escape_valid(valid, out);
                let bad = why.error_len().unwrap_or(rest.len());
                for _ in 0..bad {
                    out.extend_from_slice(b"\\ufffd");
                }
                text = rest.get(bad..).unwrap_or_default();
            }
        }
    }
}

fn escape_valid(mut text: &[u8], out: &mut Vec<u8>) {
    loop {
        let (plain, rest) = text.split_at(plain_prefix(text));
        out.extend_from_slice(plain);
        let Some((special, rest)) = rest.split_first() else { return };
        match special {
            b'"' | b'\\' => out.extend([b'\\', *special]),
            _ => super::write_escape(*special, b"0123456789abcdef", out),
        }
        text = rest;
    }
}

/// Length of the part of `text` before the first byte that needs an escape.
fn plain_prefix(text: &[u8]) -> usize {
    // No branch per byte, so that the compiler takes whole chunks in vector registers.
    let special = |c: u8| (c < b' ') | (c == b'"') | (c == b'\\');
    let plain = |chunk: &&[u8]| chunk.iter().fold(0, |any, c| any | u8::from(special(*c))) == 0;
    let checked = text.chunks_exact(super::CHUNK).take_while(plain).count() * super::CHUNK;
    let rest = text.get(checked..).unwrap_or_default();
    checked + rest.iter().position(|c| special(*c)).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(text: &[u8]) -> String {
        let mut out = Vec::new();
        escape_strict(text, &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn any_bytes_become_a_string() {
        for (text, expected) in [
            (&b"plain / text"[..], "plain / text"),
            (b"\"\\\x08\t\n\x0c\r\x00\x1f\x7f", "\\\"\\\\\\b\\t\\n\\f\\r\\u0000\\u001f\x7f"),
            (b"\xff", "\\ufffd"),
            (b"a\xe2\x82b", "a\\ufffd\\ufffdb"),
            (b"a\xe2\x82", "a\\ufffd\\ufffd"),
            (b"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"),
            ("ü€😀".as_bytes(), "ü€😀"),
            (br"\ud800", r"\\ud800"),
        ] {
            assert_eq!(escaped(text), expected, "{text:?}");
        }
    }

    proptest! {
        /// For any bytes: valid to a strict parser, and the same text but for what is no UTF-8.
        #[test]
        fn any_bytes_are_read_back_by_serde(
            parts in proptest::collection::vec(
                prop_oneof![
                    any::<Vec<u8>>(),
                    any::<String>().prop_map(String::into_bytes),
                    proptest::sample::select(vec![
                        &b"\xed\xa0\x80"[..], b"\xf0\x9f\x98", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\\ud800",
                        b"\xe2\x80\xa8", b"\x7f", b"\0", b"\"\\", b"0123456789abcdef0123456789abcdef",
                    ]).prop_map(<[u8]>::to_vec),
                ],
                0..8,
            ),
        ) {
            let bytes = parts.concat();
            let json = format!("\"{}\"", escaped(&bytes));
            let read: String = serde_json::from_str(&json).expect("valid JSON");
            let mut expected = String::new();
            for chunk in bytes.utf8_chunks() {
                expected.push_str(chunk.valid());
                expected.extend(chunk.invalid().iter().map(|_| '\u{fffd}'));
            }
            prop_assert_eq!(read, expected);
        }

        #[test]
        fn what_comes_out_is_read_back(text: String, around in 0..70_usize) {
            let text = format!("{}{text}", "x".repeat(around));
            let json = format!("\"{}\"", escaped(text.as_bytes()));
            let parsed = crate::message::json::parse_whole(json.as_bytes(), crate::message::json::Case::Sensitive);
            let expected = crate::message::Json::Str(text.as_bytes().into());
            prop_assert_eq!(parsed, Some(expected));
        }
    }
}

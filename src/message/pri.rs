//! PRI: facility and severity in one number, `<N>` at the start of a message.

/// The PRI of a message without one: user.notice.
pub const DEFAULT: u8 = 13;
/// The PRI of a message whose own is malformed: facility 24, which shows as `invld`, severity debug.
pub const INVALID: u8 = 199;
/// The largest valid PRI, local7.debug.
pub const MAX: u8 = 191;

/// The PRI at the start of `raw` and the bytes it takes up (`spec/message-model.md` section 3): `<`, one to
/// three digits, `>`. A text that does not begin with `<` has the default one; one that does, but is malformed
/// or too large, the invalid one. Both take up nothing.
#[must_use]
pub fn decode(raw: &[u8]) -> (u8, usize) {
    let digit = |c: u8| c.wrapping_sub(b'0');
    match *raw {
        [b'<', a @ b'0'..=b'9', b'>', ..] => (digit(a), 3),
        [b'<', a @ b'0'..=b'9', b @ b'0'..=b'9', b'>', ..] => (digit(a) * 10 + digit(b), 4),
        [b'<', a @ b'0'..=b'1', b @ b'0'..=b'9', c @ b'0'..=b'9', b'>', ..] => {
            let pri = digit(a) * 100 + digit(b) * 10 + digit(c);
            if pri <= MAX { (pri, 5) } else { (INVALID, 0) }
        }
        [b'<', ..] => (INVALID, 0),
        _ => (DEFAULT, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows() {
        let rows: &[(&str, (u8, usize))] = &[
            ("<0>a", (0, 3)),
            ("<7>", (7, 3)),
            ("<34>a", (34, 4)),
            ("<034>q", (34, 5)),
            ("<000>q", (0, 5)),
            ("<191>q", (191, 5)),
            ("<192>q", (INVALID, 0)),
            ("<299>q", (INVALID, 0)),
            ("<999>q", (INVALID, 0)),
            ("<0191>q", (INVALID, 0)),
            ("<>q", (INVALID, 0)),
            ("<", (INVALID, 0)),
            ("<1", (INVALID, 0)),
            ("<=", (INVALID, 0)),
            ("<1a>q", (INVALID, 0)),
            ("< 1>q", (INVALID, 0)),
            ("<-1>q", (INVALID, 0)),
            ("no pri", (DEFAULT, 0)),
            (" <1>q", (DEFAULT, 0)),
            ("", (DEFAULT, 0)),
        ];
        for (raw, expected) in rows {
            assert_eq!(decode(raw.as_bytes()), *expected, "{raw}");
        }
    }
}

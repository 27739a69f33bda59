//! Notices a peer that opens a plain connection with a TLS handshake (`spec/imtcp.md` section 4.8), also
//! where its first bytes trickle in one by one.

/// What the first bytes of a connection say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// More bytes are needed.
    Need,
    /// A TLS handshake.
    Yes,
    /// Anything else.
    No,
}

/// Judges the first bytes of a connection: a handshake record (22) of TLS 1.0–1.3 and plausible length.
#[must_use]
pub fn tls_hello(first: &[u8]) -> Verdict {
    let fits = |at: usize, check: fn(u8) -> bool| first.get(at).copied().is_none_or(check);
    if !(fits(0, |c| c == 22) && fits(1, |c| c == 3) && fits(2, |c| c <= 4) && fits(3, |c| c <= 64))
    {
        return Verdict::No;
    }
    match first {
        [_, _, _, high, low, ..] => {
            let length = u16::from_be_bytes([*high, *low]);
            if (40..=16_384).contains(&length) { Verdict::Yes } else { Verdict::No }
        }
        _ => Verdict::Need,
    }
}

/// Holds the first bytes of a connection back until it is clear that they are not TLS.
#[derive(Debug, Default)]
pub struct Probe {
    bytes: [u8; 5],
    len: u8,
}

impl Probe {
    /// Judges the connection's bytes so far, `input` being the latest. While the verdict is `Need` the input
    /// is held; then the held bytes of *earlier* calls come before the input.
    pub fn judge(&mut self, input: &[u8]) -> Verdict {
        let held = usize::from(self.len);
        let mut first = self.bytes;
        let mut len = held;
        for (to, from) in first.iter_mut().skip(held).zip(input) {
            *to = *from;
            len += 1;
        }
        let verdict = tls_hello(first.get(..len).unwrap_or_default());
        if verdict == Verdict::Need {
            self.bytes = first;
            self.len = u8::try_from(len).unwrap_or(5);
        }
        verdict
    }

    /// The bytes held: at most 4. A connection that ends or turns out not to be TLS has still to decode them.
    #[must_use]
    pub fn held(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &[(&[u8], Verdict)] = &[
        (b"", Verdict::Need),
        (b"\x16", Verdict::Need),
        (b"\x16\x03\x01\x02", Verdict::Need),
        (b"\x16\x03\x01\x02\x00", Verdict::Yes),
        (b"\x16\x03\x00\x00\x28more", Verdict::Yes),
        (b"\x16\x03\x04\x40\x00", Verdict::Yes),
        (b"\x16\x03\x04\x40\x01", Verdict::No),
        (b"\x16\x03\x04\x00\x27", Verdict::No),
        (b"\x16\x03\x05\x02\x00", Verdict::No),
        (b"\x16\x04", Verdict::No),
        (b"\x16\x03\x01\x41", Verdict::No),
        (b"<13>a", Verdict::No),
    ];

    #[test]
    fn first_bytes() {
        for (first, verdict) in ROWS {
            assert_eq!(tls_hello(first), *verdict, "{first:?}");
        }
    }

    #[test]
    fn trickling_bytes() {
        for (first, expected) in ROWS {
            let mut probe = Probe::default();
            let mut verdict = Verdict::Need;
            for (at, byte) in first.iter().enumerate() {
                verdict = probe.judge(&[*byte]);
                if verdict != Verdict::Need {
                    assert_eq!(probe.held(), &first[..at]);
                    break;
                }
            }
            assert_eq!(verdict, *expected, "{first:?}");
        }
    }
}

//! What can be wrong with a stream of frames, and how the log puts it.

use std::fmt;

/// A framing error. Decoding goes on behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The octet count ended in this byte, not in a blank.
    NotSpace(u8),
    /// The octet count was 0.
    ZeroCount,
    /// The octet count exceeds `maxMessageSize`; the frame is split or cut.
    Oversize {
        /// The octet count.
        size: u32,
        /// `maxMessageSize`.
        limit: usize,
    },
    /// The octet count exceeds `maxFrameSize`; it is taken for text.
    TooLarge(u32),
    /// The stream ended within a counted frame, whose last part is lost.
    Incomplete {
        /// How many bytes of it are dropped.
        received: usize,
        /// How many bytes were to come; `None` if it ended within the count.
        missing: Option<u32>,
    },
    /// No line matched the expression of `framing.delimiter.regex` within twice `maxMessageSize`; the record
    /// is taken to end here.
    NoBoundary {
        /// Bytes received of the record.
        size: usize,
    },
}

/// A peer as framing errors name it; `(hostname unknown)` and the like are the caller's business.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'a> {
    /// Host name.
    pub host: &'a [u8],
    /// Address.
    pub ip: &'a [u8],
    /// Port.
    pub port: &'a [u8],
}

/// The log line for a fault (`spec/imtcp.md` sections 4 and 4.3).
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// What is wrong.
    pub fault: Fault,
    /// The name of the input.
    pub input: &'a [u8],
    /// Who sent it.
    pub peer: Peer<'a>,
}

impl fmt::Display for Peer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, ip, port) = (lossy(self.host), lossy(self.ip), lossy(self.port));
        write!(f, "(hostname) {host}, (ip) {ip}, (port) {port}")
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fault, input, peer } = self;
        let input = lossy(input);
        let framing_error = |f: &mut fmt::Formatter<'_>| {
            write!(f, "imtcp {input}: Framing Error in received TCP message from peer: {peer}: ")
        };
        match *fault {
            Fault::NotSpace(byte) => {
                framing_error(f)?;
                // The reference prints a signed char.
                let value = i8::from_ne_bytes([byte]);
                write!(f, "delimiter is not SP but has ASCII value {value}.")
            }
            Fault::ZeroCount => {
                framing_error(f)?;
                f.write_str("invalid octet count 0.")
            }
            Fault::TooLarge(size) => {
                framing_error(f)?;
                write!(f, "frame too large: {size}, change to octet stuffing")
            }
            Fault::Oversize { size, limit } => write!(
                f,
                "imtcp {input}: received oversize message from peer: {peer}: size is {size} bytes, \
                 max msg size is {limit}, truncating..."
            ),
            Fault::NoBoundary { size } => write!(
                f,
                "imtcp: more then double max message size ({size}) received without finding frame \
                 terminator via regex - assuming end of frame now. Input: {input}, peer: {peer}"
            ),
            Fault::Incomplete { received, missing } => {
                write!(f, "Incomplete frame at end of stream in session with {peer}, ")?;
                match missing {
                    Some(missing) => write!(f, "{received} octets held and {missing} missing")?,
                    None => write!(f, "{received} digits of its octet count received")?,
                }
                f.write_str(" - ignoring extra data (a message may be lost).")
            }
        }
    }
}

fn lossy(text: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wording() {
        let peer = Peer { host: b"h", ip: b"::1", port: b"9" };
        let framing = "imtcp in: Framing Error in received TCP message from peer: \
                       (hostname) h, (ip) ::1, (port) 9: ";
        let rows = [
            (
                Fault::NotSpace(b'X'),
                format!("{framing}delimiter is not SP but has ASCII value 88."),
            ),
            (
                Fault::NotSpace(0xc8),
                format!("{framing}delimiter is not SP but has ASCII value -56."),
            ),
            (Fault::ZeroCount, format!("{framing}invalid octet count 0.")),
            (
                Fault::Oversize { size: 307, limit: 128 },
                "imtcp in: received oversize message from peer: (hostname) h, (ip) ::1, (port) 9: \
                 size is 307 bytes, max msg size is 128, truncating..."
                    .to_owned(),
            ),
            (
                Fault::TooLarge(1005),
                format!("{framing}frame too large: 1005, change to octet stuffing"),
            ),
            (
                Fault::NoBoundary { size: 17 },
                "imtcp: more then double max message size (17) received without finding frame terminator \
                 via regex - assuming end of frame now. Input: in, peer: (hostname) h, (ip) ::1, (port) 9"
                    .to_owned(),
            ),
            (
                Fault::Incomplete { received: 9, missing: Some(11) },
                "Incomplete frame at end of stream in session with (hostname) h, (ip) ::1, (port) 9, \
                 9 octets held and 11 missing - ignoring extra data (a message may be lost)."
                    .to_owned(),
            ),
            (
                Fault::Incomplete { received: 3, missing: None },
                "Incomplete frame at end of stream in session with (hostname) h, (ip) ::1, (port) 9, \
                 3 digits of its octet count received - ignoring extra data (a message may be lost)."
                    .to_owned(),
            ),
        ];
        for (fault, expected) in rows {
            assert_eq!(Report { fault, input: b"in", peer }.to_string(), expected);
        }
    }
}

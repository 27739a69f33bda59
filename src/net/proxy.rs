//! The PROXY protocol, versions 1 and 2 (`haproxy/doc/proxy-protocol.txt`): what a balancer puts before the first
//! byte of a connection to say whose it is.
//!
//! What the specification lets nobody send is refused: version 1's line ends with CR LF (`loggen` of syslog-ng ends it
//! with LF alone), and the families of version 2 are those that it lists.
//!
//! Bytes in, values out. All bytes of a header that is not complete belong to it, so a reader may take them off the
//! socket; once it is complete, [`Header::len`] says where the stream begins.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::limits;

/// A complete header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes it takes up.
    pub len: usize,
    /// The peer of the balancer; `None` where the connection is the balancer's own, or of a kind that has no address.
    pub source: Option<SocketAddr>,
}

/// What bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A header.
    Complete(Header),
    /// The beginning of one.
    NeedsMore,
    /// No header; why.
    Invalid(&'static str),
}

/// What version 2 begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// What version 1 begins with.
const WORD: &[u8] = b"PROXY ";
/// Longest header of version 1, with its end.
const LINE_BYTES: usize = 107;

/// Reads the header that a connection begins with.
#[must_use]
pub fn parse(bytes: &[u8]) -> Outcome {
    let begins = |whole: &[u8]| {
        let len = bytes.len().min(whole.len());
        bytes.get(..len) == whole.get(..len)
    };
    if begins(&SIGNATURE) {
        return version_2(bytes).unwrap_or(Outcome::NeedsMore);
    }
    if begins(WORD) {
        return version_1(bytes);
    }
    Outcome::Invalid("it begins with something else")
}

/// `None`: more bytes are needed.
fn version_2(bytes: &[u8]) -> Option<Outcome> {
    let &command = bytes.get(12)?;
    if command >> 4 != 2 {
        return Some(Outcome::Invalid("its version is unknown"));
    }
    let &family = bytes.get(13)?;
    let len = 16 + usize::from(number(bytes, 14)?);
    if len > limits::PROXY_HEADER_BYTES {
        return Some(Outcome::Invalid("it is too long"));
    }
    let body = bytes.get(16..len)?;
    let source = match (command & 0xf, family) {
        // LOCAL: the balancer looks whether we are alive.
        (0, _) => None,
        (1, 0x11) => match array::<4>(body, 0).zip(number(body, 8)) {
            Some((ip, port)) => Some(SocketAddr::from((Ipv4Addr::from(ip), port))),
            None => return Some(Outcome::Invalid("its address is cut off")),
        },
        (1, 0x21) => match array::<16>(body, 0).zip(number(body, 32)) {
            Some((ip, port)) => Some(SocketAddr::from((Ipv6Addr::from(ip), port))),
            None => return Some(Outcome::Invalid("its address is cut off")),
        },
        // Unspecified, datagrams, local sockets: no address that could be shown.
        (1, 0x00 | 0x12 | 0x22 | 0x31 | 0x32) => None,
        (1, _) => return Some(Outcome::Invalid("its address family is unknown")),
        _ => return Some(Outcome::Invalid("its command is unknown")),
    };
    Some(Outcome::Complete(Header { len, source }))
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_be_bytes)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

fn version_1(bytes: &[u8]) -> Outcome {
    let Some(end) = memchr::memchr(b'\n', bytes.get(..LINE_BYTES).unwrap_or(bytes)) else {
        return match bytes.len() {
            LINE_BYTES.. => Outcome::Invalid("its line does not end"),
            _ => Outcome::NeedsMore,
        };
    };
    let line = bytes.get(..end).unwrap_or_default();
    let Some(line) = line.strip_suffix(b"\r").and_then(|line| std::str::from_utf8(line).ok())
    else {
        return Outcome::Invalid("its line does not end with CR LF");
    };
    let words: Vec<&str> = line.split(' ').collect();
    let source = match words.as_slice() {
        ["PROXY", "UNKNOWN", ..] => None,
        ["PROXY", family @ ("TCP4" | "TCP6"), source, destination, from, to] => {
            let address = |ip, port| address(*family == "TCP4", ip, port);
            match address(source, from).zip(address(destination, to)) {
                Some((source, _)) => Some(source),
                None => return Outcome::Invalid("its address cannot be read"),
            }
        }
        _ => return Outcome::Invalid("its line cannot be read"),
    };
    Outcome::Complete(Header { len: end + 1, source })
}

/// An address of one family, and a port in digits alone, without leading zeros.
fn address(is_v4: bool, ip: &str, port: &str) -> Option<SocketAddr> {
    let ip: IpAddr = ip.parse().ok()?;
    let number: u16 = port.parse().ok()?;
    let is_plain = number.to_string() == port;
    (ip.is_ipv4() == is_v4 && is_plain).then_some(SocketAddr::from((ip, number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(len: usize, source: Option<&str>) -> Outcome {
        Outcome::Complete(Header { len, source: source.map(|text| text.parse().unwrap()) })
    }

    fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, body].concat()
    }

    /// Every beginning needs more, and what follows does not count.
    fn check(header: &[u8], expected: Outcome) {
        for cut in 0..header.len() {
            assert_eq!(parse(&header[..cut]), Outcome::NeedsMore, "{cut} of {header:?}");
        }
        assert_eq!(parse(header), expected);
        assert_eq!(parse(&[header, b"<13>a\n\r\n"].concat()), expected);
    }

    #[test]
    fn lines() {
        let line = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n";
        check(line, complete(line.len(), Some("192.0.2.1:56324")));
        let line = b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n";
        check(line, complete(line.len(), Some("[2001:db8::1]:1")));
        check(b"PROXY UNKNOWN\r\n", complete(15, None));
        check(b"PROXY UNKNOWN ffff::1 x\r\n", complete(25, None));
    }

    #[test]
    fn binary_headers() {
        let v4 = [192, 0, 2, 1, 198, 51, 100, 1, 0xdc, 4, 1, 0xbb];
        check(&v2(0x21, 0x11, &v4), complete(28, Some("192.0.2.1:56324")));
        let with_tlv = [&v4[..], &[4, 0, 1, 0]].concat();
        check(&v2(0x21, 0x11, &with_tlv), complete(32, Some("192.0.2.1:56324")));
        let mut v6 = [0; 36];
        v6[15] = 1;
        v6[33] = 7;
        check(&v2(0x21, 0x21, &v6), complete(52, Some("[::1]:7")));
        check(&v2(0x20, 0, &[]), complete(16, None));
        check(&v2(0x21, 0x31, &[0; 216]), complete(232, None));
    }

    #[test]
    fn what_is_no_header_is_refused_as_early_as_it_can_be() {
        let cases: [(&[u8], &str); 18] = [
            (b"<", "it begins with something else"),
            (b"PROXX", "it begins with something else"),
            (b"\r\n\r\n\n", "it begins with something else"),
            (b"PROXY TCP4 192.0.2.1 198.51.100.1 1 2\n", "its line does not end with CR LF"),
            (b"PROXY TCP4 ::1 ::1 1 2\r\n", "its address cannot be read"),
            (b"PROXY TCP4 192.0.2.1 198.51.100.1 65536 2\r\n", "its address cannot be read"),
            (b"PROXY TCP4 192.0.2.1 198.51.100.1 +1 2\r\n", "its address cannot be read"),
            (b"PROXY TCP4 192.0.2.1 198.51.100.1 01 2\r\n", "its address cannot be read"),
            (b"PROXY TCP4 192.0.2.1 ::1 1 2\r\n", "its address cannot be read"),
            (b"PROXY TCP4 192.0.2.1 198.51.100.1 1 x\r\n", "its address cannot be read"),
            (b"PROXY TCP5 x\r\n", "its line cannot be read"),
            (b"PROXY TCP4  192.0.2.1 198.51.100.1 1 2\r\n", "its line cannot be read"),
            (&[&SIGNATURE[..], &[0x11]].concat(), "its version is unknown"),
            (&v2(0x21, 0x13, &[1; 36]), "its address family is unknown"),
            (&v2(0x21, 0x41, &[1; 36]), "its address family is unknown"),
            (&[&SIGNATURE[..], &[0x22, 0x11, 0, 0]].concat(), "its command is unknown"),
            (&[&SIGNATURE[..], &[0x21, 0x11, 0xff, 0xff]].concat(), "it is too long"),
            (&v2(0x21, 0x11, &[1; 9]), "its address is cut off"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(parse(bytes), Outcome::Invalid(expected), "{bytes:?}");
        }
        let endless = [b"PROXY TCP4 ".as_slice(), &[b'1'; 96]].concat();
        assert_eq!(parse(&endless[..106]), Outcome::NeedsMore);
        assert_eq!(parse(&endless), Outcome::Invalid("its line does not end"));
    }
}

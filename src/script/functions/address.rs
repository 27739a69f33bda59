//! Functions about network addresses.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use super::{Function, Kind, Returned};

const TO_NUMBER: Function = Function {
    name: "ip42num",
    args: 1..=1,
    doc: "The number of an IPv4 address, or -1 where it is none. Parts are not checked to be below 256.",
    examples: &[
        ("ip42num('192.168.1.1')", "3232235777"),
        ("ip42num(' 0.0.1.0 ')", "256"),
        ("ip42num('1.2.3')", "-1"),
        ("ip42num('1..2.3')", "-1"),
        ("ip42num('1.2 .3.4')", "-1"),
        ("ip42num('1.2.3.400')", "16909456"),
    ],
    kind: Kind::Plain(|call, _| Returned::Number(call.text(0, to_number).map_or(-1, i64::from))),
};

/// The functions of this file.
pub(super) static FUNCTIONS: &[Function] = &[
    TO_NUMBER,
    Function { name: "ipv42num", examples: &[("ipv42num('0.0.0.7')", "7")], ..TO_NUMBER },
    Function {
        name: "num2ipv4",
        args: 1..=1,
        doc: "The IPv4 address of a number, or -1 where it is none.",
        examples: &[
            ("num2ipv4(3232235777)", "192.168.1.1"),
            ("num2ipv4(4294967296)", "-1"),
            ("num2ipv4(-1)", "-1"),
            ("num2ipv4('1x')", "-1"),
        ],
        kind: Kind::Plain(|call, out| {
            let (n, is_number) = call.number(0);
            match u32::try_from(n).ok().filter(|_| is_number) {
                // Writing to a Vec cannot fail.
                Some(address) => drop(write!(out, "{}", Ipv4Addr::from_bits(address))),
                None => out.extend_from_slice(b"-1"),
            }
            Returned::Text
        }),
    },
    Function {
        name: "is_in_subnet",
        args: 2..=2,
        doc: "Whether an IPv4 or IPv6 address is in a network, written address/length.",
        examples: &[
            ("is_in_subnet('192.168.1.77', '192.168.1.0/24')", "1"),
            ("is_in_subnet('192.168.2.1', '192.168.1.0/24')", "0"),
            ("is_in_subnet('10.0.0.1', '0.0.0.0/0')", "1"),
            ("is_in_subnet('2001:db8::1', '2001:db8::/32')", "1"),
            ("is_in_subnet('2001:db8::1', '10.0.0.0/8')", "0"),
            ("is_in_subnet('10.0.0.1', '10.0.0.0/33')", "0"),
            ("is_in_subnet('10.0.0.1', '10.0.0.0')", "0"),
            ("is_in_subnet('host', '10.0.0.0/8')", "0"),
        ],
        kind: Kind::Plain(|call, _| {
            Returned::from(call.texts(|[address, net]| is_inside(address, net).unwrap_or(false)))
        }),
    },
];

/// Four numbers and three dots between them, blanks around.
fn to_number(text: &[u8]) -> Option<u32> {
    let start = text.iter().position(|c| *c != b' ').unwrap_or(text.len());
    let end = text.iter().rposition(|c| *c != b' ').map_or(start, |last| last + 1);
    let mut parts = [0_u32; 4];
    let mut part = 0;
    let mut after_dot = false;
    for byte in text.get(start..end)? {
        match byte {
            b'0'..=b'9' => {
                let sum = parts.get_mut(part)?;
                *sum = sum.wrapping_mul(10).wrapping_add(u32::from(byte - b'0'));
                after_dot = false;
            }
            b'.' if after_dot => return None,
            b'.' => {
                part += 1;
                after_dot = true;
            }
            _ => return None,
        }
    }
    let sum = |sum: u32, part: &u32| sum.wrapping_mul(256).wrapping_add(*part);
    (part == 3).then(|| parts.iter().fold(0, sum))
}

fn is_inside(address: &[u8], net: &[u8]) -> Option<bool> {
    let address: IpAddr = std::str::from_utf8(address).ok()?.parse().ok()?;
    let (net, bits) = std::str::from_utf8(net).ok()?.split_once('/')?;
    let bits: u32 = bits.trim_start().parse().ok()?;
    let shifted = |a: u128, b: u128, width: u32| {
        let drop = width.checked_sub(bits)?;
        // A shift by the whole width leaves nothing to differ.
        Some((a ^ b).checked_shr(drop).unwrap_or(0) == 0)
    };
    match (address, net.parse().ok()?) {
        (IpAddr::V4(a), IpAddr::V4(b)) => shifted(a.to_bits().into(), b.to_bits().into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => shifted(a.to_bits(), b.to_bits(), 128),
        _ => None,
    }
}

//! Finds addresses in text and takes them apart, as the reference's mmanon does: by what a text looks like from one
//! byte on, whatever stands before it.

/// The IPv4 address that `text` begins with: its length.
pub(super) fn ipv4(text: &[u8]) -> Option<usize> {
    let mut at = octet(text)?;
    for _ in 0..3 {
        let rest = text.get(at..)?.strip_prefix(b".")?;
        at += 1 + octet(rest)?;
    }
    Some(at)
}

/// One to three digits of 0 to 255: how many.
fn octet(text: &[u8]) -> Option<usize> {
    let len = text.iter().take_while(|c| c.is_ascii_digit()).count();
    let digits = text.get(..len).filter(|digits| matches!(digits.len(), 1..=3))?;
    (decimal(digits) <= 255).then_some(len)
}

fn decimal(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |n, digit| n * 10 + u32::from(digit - b'0'))
}

/// The value of an IPv4 address that [`ipv4`] has found.
pub(super) fn ipv4_value(text: &[u8]) -> u32 {
    text.split(|c| *c == b'.').fold(0, |n, part| n << 8 | decimal(part) & 0xff)
}

/// What stands at a place of an IPv6 address.
enum Part {
    /// This many hexadecimal digits, at most five.
    Digits(usize),
    Colon,
    Dot,
    Other,
}

/// Takes the next part of an address; a dot is one only if `dots`.
fn part(text: &[u8], at: &mut usize, dots: bool) -> Part {
    let rest = text.get(*at..).unwrap_or_default();
    let digits = rest.iter().take(5).take_while(|c| c.is_ascii_hexdigit()).count();
    *at += digits;
    if digits > 0 {
        return Part::Digits(digits);
    }
    match rest.first() {
        Some(b':') => {
            *at += 1;
            Part::Colon
        }
        Some(b'.') if dots => {
            *at += 1;
            Part::Dot
        }
        _ => Part::Other,
    }
}

/// The IPv6 address that `text` begins with: its length. Five digits behind `::` and two groups are a port.
pub(super) fn ipv6(text: &[u8]) -> Option<usize> {
    let (mut at, mut groups) = (0, 0);
    let (mut after_colon, mut short, mut just_short) = (false, false, false);
    while at < text.len() {
        match part(text, &mut at, false) {
            Part::Digits(5) => return (short && groups >= 2).then(|| at - 6),
            Part::Digits(_) => {
                if (groups == 7 && short) || groups > 7 || (groups == 0 && after_colon && !short) {
                    return None;
                }
                (after_colon, just_short) = (false, false);
                groups += 1;
            }
            Part::Colon => {
                if after_colon {
                    if short {
                        return None;
                    }
                    (short, just_short) = (true, true);
                }
                after_colon = true;
            }
            Part::Dot | Part::Other => {
                let complete = if after_colon {
                    just_short && groups < 8
                } else {
                    (groups == 8 && !short) || (groups < 8 && short)
                };
                return complete.then_some(at);
            }
        }
        if groups == 8 && !short {
            return Some(at);
        }
    }
    (groups < 8 && short).then_some(at)
}

/// The IPv6 address ending in an IPv4 address that `text` begins with: its length, and where the IPv4 part begins.
pub(super) fn embedded(text: &[u8]) -> Option<(usize, usize)> {
    let (mut at, mut groups) = (0, 0);
    let (mut after_colon, mut short) = (false, false);
    while at < text.len() {
        match part(text, &mut at, true) {
            Part::Digits(_) => {
                // One more than the six groups: the first number of the IPv4 part looks like one.
                if (groups == 6 && short) || groups > 6 || (groups == 0 && after_colon && !short) {
                    return None;
                }
                after_colon = false;
                groups += 1;
            }
            Part::Colon => {
                if after_colon {
                    if short {
                        return None;
                    }
                    short = true;
                }
                after_colon = true;
            }
            Part::Dot => {
                if after_colon || (groups == 0 && short) || (groups <= 6 && !short) {
                    return None;
                }
                let start = memchr::memrchr(b':', text.get(..at)?)? + 1;
                let len = ipv4(text.get(start..)?)?;
                return (start + len >= at).then_some((start + len, start));
            }
            Part::Other => return None,
        }
    }
    None
}

/// The value of an IPv6 address that [`ipv6`] has found. (Like the reference, does not see a single digit behind `::`.)
pub(super) fn ipv6_value(text: &[u8]) -> u128 {
    join(groups(text, 8, text.len().saturating_sub(1)))
}

/// The value of an address that [`embedded`] has found, whose IPv4 part begins at `start`.
pub(super) fn embedded_value(text: &[u8], start: usize) -> u128 {
    let (head, tail) = text.split_at(start.min(text.len()));
    let tail = ipv4_value(tail);
    let mut groups = groups(head, 6, head.len());
    (groups[6], groups[7]) = (i64::from(tail >> 16), i64::from(tail & 0xffff));
    join(groups)
}

/// The groups of an address of `count` groups; those behind `::` count from the end, if `::` ends before `limit`.
fn groups(text: &[u8], count: usize, limit: usize) -> [i64; 8] {
    let mut groups = [0_i32; 8];
    let (mut group, mut colons, mut at) = (0, 0, 0);
    while at < text.len() && colons < 2 {
        match digit(text[at]) {
            Some(value) => {
                groups[group & 7] = groups[group & 7].wrapping_mul(16).wrapping_add(value);
                colons = 0;
            }
            None => {
                colons += 1;
                group += usize::from(colons < 2);
            }
        }
        at += 1;
    }
    if colons == 2 && at < limit {
        let (mut group, mut shift) = (count - 1, 0);
        for c in text[at..].iter().rev() {
            match digit(*c) {
                Some(value) => {
                    groups[group] = groups[group].wrapping_add(value.wrapping_shl(shift));
                    shift += 4;
                }
                None => (group, shift) = (group.saturating_sub(1), 0),
            }
        }
    } else if colons == 2 {
        groups[group.min(count)..count].fill(0);
    }
    groups.map(i64::from)
}

fn digit(c: u8) -> Option<i32> {
    char::from(c).to_digit(16).and_then(|digit| i32::try_from(digit).ok())
}

/// The address of these groups. In an embedded one, a group may have more than four digits; as in the reference, they
/// spill over into those before.
fn join(groups: [i64; 8]) -> u128 {
    let half = |groups: &[i64]| {
        groups.iter().fold(0, |n, group| n << 16 | u64::from_ne_bytes(group.to_ne_bytes()))
    };
    u128::from(half(&groups[..4])) << 64 | u128::from(half(&groups[4..]))
}

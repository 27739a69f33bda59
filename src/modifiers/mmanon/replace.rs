//! What addresses are replaced by.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::io::Write as _;
use std::sync::Arc;

use crate::limits;
use crate::sync::{Mutex, lock};

/// Kinds of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
    /// IPv6 ending in IPv4.
    Embedded,
}

/// What the last bits become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Zero,
    /// Something else each time.
    Random,
    /// The same for the same address.
    Consistent,
    /// And for no other one.
    Unique,
}

/// Attempts to find an unused address where no limit is configured: the reference would try for ever when all are used.
const ATTEMPTS: usize = 1 << 16;

/// Replaces the addresses of one kind.
#[derive(Clone)]
pub(super) struct Replacer {
    family: Family,
    method: Method,
    bits: u32,
    /// Further attempts to find an unused address.
    tries: Option<usize>,
    zero_in_the_end: bool,
    known: Arc<Mutex<Known>>,
}

/// What addresses have become.
#[derive(Default)]
struct Known {
    replaced: HashMap<u128, u128>,
    used: HashSet<u128>,
}

impl Replacer {
    pub(super) fn new(
        family: Family,
        method: Method,
        bits: u32,
        tries: Option<usize>,
        zero_in_the_end: bool,
    ) -> Self {
        Self { family, method, bits, tries, zero_in_the_end, known: Arc::default() }
    }

    /// Appends what this address becomes.
    pub(super) fn write(&self, address: u128, out: &mut Vec<u8>) {
        let new = match self.method {
            Method::Zero => self.zeroed(address),
            Method::Random => self.random(address),
            Method::Consistent | Method::Unique => self.consistent(address),
        };
        let octet = |shift: u32| new >> shift & 0xff;
        let group = |index: u32| new >> (112 - 16 * index) & 0xffff;
        // Writing to a Vec cannot fail.
        let _ = match self.family {
            Family::V4 => {
                write!(out, "{}.{}.{}.{}", octet(24), octet(16), octet(8), octet(0))
            }
            Family::V6 | Family::Embedded => (0..6)
                .try_for_each(|index| {
                    let colon = if index > 0 { ":" } else { "" };
                    write!(out, "{colon}{:x}", group(index))
                })
                .and_then(|()| match self.family {
                    Family::V6 => write!(out, ":{:x}:{:x}", group(6), group(7)),
                    _ => write!(out, ":{}.{}.{}.{}", octet(24), octet(16), octet(8), octet(0)),
                }),
        };
    }

    fn mask(&self) -> u128 {
        1_u128.checked_shl(self.bits).map_or(u128::MAX, |bit| bit - 1)
    }

    fn zeroed(&self, address: u128) -> u128 {
        address & !self.mask()
    }

    fn random(&self, address: u128) -> u128 {
        let half = |n: u8| u128::from(RandomState::new().hash_one(n));
        self.zeroed(address) | (half(0) << 64 | half(1)) & self.mask()
    }

    fn consistent(&self, address: u128) -> u128 {
        let mut known = lock(&self.known);
        let Known { replaced, used } = &mut *known;
        if let Some(new) = replaced.get(&address) {
            return *new;
        }
        if replaced.len() >= limits::REPLACED_ADDRESSES {
            return self.zeroed(address);
        }
        let mut new = self.random(address);
        if self.method == Method::Unique {
            let tries = self.tries.unwrap_or(ATTEMPTS);
            let mut attempts = 0;
            while used.contains(&new) && attempts < tries {
                new = self.random(address);
                attempts += 1;
            }
            if used.contains(&new) {
                self.report_exhausted(tries);
                if self.zero_in_the_end {
                    new = self.zeroed(address);
                }
            }
            used.insert(new);
        }
        replaced.insert(address, new);
        if replaced.len() == limits::REPLACED_ADDRESSES {
            log::warn!(
                "mmanon: {} addresses are remembered, further ones become zero",
                limits::REPLACED_ADDRESSES
            );
        }
        new
    }

    fn report_exhausted(&self, tries: usize) {
        let family = match self.family {
            Family::V4 => "ipv4",
            Family::V6 => "ipv6",
            Family::Embedded => "embeddedipv4",
        };
        let handling = if self.zero_in_the_end { "zero" } else { "accept-duplicates" };
        log::warn!(
            code = 0;
            "mmanon: unique retry limit {tries} reached for {family} random-consistent-unique; handling={handling}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(replacer: &Replacer, address: u128) -> String {
        let mut out = Vec::new();
        replacer.write(address, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn zeros() {
        let zero = |family, bits| Replacer::new(family, Method::Zero, bits, None, false);
        assert_eq!(text(&zero(Family::V4, 12), 0xc0a8_ffff), "192.168.240.0");
        assert_eq!(text(&zero(Family::V4, 32), 0xc0a8_ffff), "0.0.0.0");
        assert_eq!(text(&zero(Family::V6, 4), 0x1f), "0:0:0:0:0:0:0:10");
        assert_eq!(text(&zero(Family::V6, 128), u128::MAX), "0:0:0:0:0:0:0:0");
        assert_eq!(text(&zero(Family::Embedded, 8), 0xffff_0102_0304), "0:0:0:0:0:ffff:1.2.3.0");
    }

    #[test]
    fn consistent_ones_stay_and_unique_ones_differ() {
        let replacer = Replacer::new(Family::V4, Method::Consistent, 16, None, false);
        let first = text(&replacer, 0x0102_0304);
        assert!(first.starts_with("1.2."));
        assert_eq!(text(&replacer.clone(), 0x0102_0304), first, "threads agree");

        for zero_in_the_end in [false, true] {
            let replacer = Replacer::new(Family::V4, Method::Unique, 2, Some(500), zero_in_the_end);
            let mut all: Vec<_> = (0..4).map(|address| text(&replacer, address)).collect();
            all.sort();
            assert_eq!(all, ["0.0.0.0", "0.0.0.1", "0.0.0.2", "0.0.0.3"]);
        }
        let replacer = Replacer::new(Family::V4, Method::Unique, 1, Some(0), true);
        let mut last = Vec::new();
        for address in [2, 3] {
            last.push(replacer.consistent(address));
        }
        assert!(last == [2, 3] || last == [3, 2] || last[1] == 2, "{last:?}");
    }
}

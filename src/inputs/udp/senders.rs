//! Which sender a datagram belongs to: a cache with a fixed number of places, one per receiving thread.
//!
//! A place is found by a hash of listener, address and port, and each hash leads to [`WAYS`] places of which
//! the least recently used one gives way. So a flood of forged addresses costs a new [`Sender`] per datagram
//! but never memory or a longer search. The hash is keyed at random; that it is not a cryptographic one
//! costs nothing, because there are no chains to grow.

use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::message::{Builder, Flags, Sender};

/// Places for one hash.
const WAYS: usize = 4;
/// Number of hashes; a power of two.
const SETS: usize = 1024;

const _: () = assert!(SETS.is_power_of_two());

/// The cache.
#[derive(Debug)]
pub(super) struct Senders {
    sets: Vec<[Option<Entry>; WAYS]>,
    keys: [u64; 3],
    /// Microseconds after which a sender is made anew, because its name may have changed.
    ttl: i64,
}

/// What is known about an address at a listener.
#[derive(Debug)]
pub(super) struct Entry {
    key: Key,
    /// `None` is not allowed to send.
    sender: Option<Arc<Sender>>,
    /// Flags of its messages.
    pub(super) flags: Flags,
    /// When it was made, microseconds since the epoch.
    made: i64,
    /// The batch that `index` is valid for.
    batch: u64,
    /// The sender's index in that batch.
    index: u16,
}

impl Entry {
    fn new(key: Key, made: i64, sender: Option<Sender>) -> Self {
        let mut flags = Flags::NEEDS_PARSING.with(Flags::PARSE_HOSTNAME);
        if sender.as_ref().is_some_and(Sender::has_gate) {
            flags.set(Flags::CHECK_SENDER);
        }
        let sender = sender.map(Arc::new);
        Self { key, sender, flags, made, batch: u64::MAX, index: 0 }
    }

    /// The sender's index in `builder`'s present batch, which is number `batch` among all of this thread;
    /// `None` where it is not allowed to send.
    pub(super) fn index(&mut self, batch: u64, builder: &mut Builder) -> Option<u16> {
        let sender = self.sender.as_ref()?;
        if self.batch != batch {
            self.index = builder.sender_index(sender);
            self.batch = batch;
        }
        Some(self.index)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    ip: u128,
    /// Zone of a link-local address; 0 for all others.
    scope: u32,
    port: u16,
    listener: usize,
}

impl Key {
    fn new(listener: usize, from: SocketAddr) -> Self {
        let (ip, scope) = match from {
            SocketAddr::V4(v4) => (v4.ip().to_ipv6_mapped().to_bits(), 0),
            SocketAddr::V6(v6) => (v6.ip().to_bits(), v6.scope_id()),
        };
        Self { ip, scope, port: from.port(), listener }
    }

    fn hash(self, keys: [u64; 3]) -> usize {
        let rest = u64::from(self.scope) << 16 | u64::from(self.port);
        #[allow(clippy::cast_possible_truncation, reason = "the two halves of the number")]
        let (high, low) = ((self.ip >> 64) as u64, self.ip as u64);
        let address = fold(high ^ keys[0], low ^ keys[1]);
        let listener = keys[2].wrapping_add(self.listener as u64);
        #[allow(clippy::cast_possible_truncation, reason = "any bits will do")]
        let hash = fold(address ^ rest, listener) as usize;
        hash
    }
}

/// Multiplies and folds the product's halves together, so that every bit of it depends on all of both.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    #[allow(clippy::cast_possible_truncation, reason = "the two halves of the product")]
    let halves = (product as u64) ^ ((product >> 64) as u64);
    halves
}

impl Senders {
    /// With names that hold for `ttl`; `None` is for good.
    pub(super) fn new(ttl: Option<Duration>) -> Self {
        let secret = RandomState::new();
        // Odd, so that no multiplication loses everything.
        let keys = [0_u8, 1, 2].map(|n| secret.hash_one(n) | 1);
        let sets = std::iter::repeat_with(Default::default).take(SETS).collect();
        let ttl = ttl.and_then(|ttl| i64::try_from(ttl.as_micros()).ok()).unwrap_or(i64::MAX);
        Self { sets, keys, ttl }
    }

    /// The entry of the address `from`; `make` is called for one that is not known, or not at `now` any more,
    /// and gives `None` where the address is not allowed to send. (Always `Some`, but for the compiler.)
    pub(super) fn find(
        &mut self,
        listener: usize,
        from: SocketAddr,
        now: i64,
        make: impl FnOnce() -> Option<Sender>,
    ) -> Option<&mut Entry> {
        let key = Key::new(listener, from);
        let place = key.hash(self.keys) % SETS;
        let set = self.sets.get_mut(place)?;
        let known = set.iter().position(|e| e.as_ref().is_some_and(|e| e.key == key));
        // To the front: what is found, or in its stead what was not used for longest.
        set.get_mut(..=known.unwrap_or(WAYS - 1))?.rotate_right(1);
        let entry = set.first_mut()?;
        let ttl = self.ttl.unsigned_abs();
        let is_fresh =
            |entry: &Entry| entry.key == key && now.wrapping_sub(entry.made).unsigned_abs() <= ttl;
        if !entry.as_ref().is_some_and(is_fresh) {
            *entry = Some(Entry::new(key, now, make()));
        }
        entry.as_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{InputInfo, Pool, Span};

    fn sender(from: SocketAddr) -> Sender {
        Sender::network(Arc::new(InputInfo::default()), from, None)
    }

    #[test]
    fn one_sender_per_listener_address_and_port_within_a_batch() {
        let mut builder = Builder::new(Arc::new(Pool::default()));
        let mut senders = Senders::new(None);
        let addresses: Vec<SocketAddr> =
            ["10.0.0.1:1", "10.0.0.1:2", "10.0.0.2:1", "[::1]:1", "[fe80::1%1]:1", "[fe80::1%2]:1"]
                .map(|a| a.parse().unwrap())
                .into();
        for batch in 1..=3 {
            for _round in 0..3 {
                for (listener, expected) in [(0, 0..6), (7, 6..12)] {
                    for (from, expected) in addresses.iter().zip(expected) {
                        let entry = senders.find(listener, *from, 0, || Some(sender(*from)));
                        let index = entry.unwrap().index(batch, &mut builder).unwrap();
                        assert_eq!(usize::from(index), expected);
                        builder.push_from(Span::new(0, 0), 0, index, Flags::empty());
                    }
                }
            }
            let sealed = builder.seal();
            assert_eq!(sealed.senders.len(), 12);
            assert_eq!(sealed.records.len(), 36);
            let made = sealed.senders[2].addr().unwrap();
            assert_eq!(made, addresses[2], "batch {batch}");
        }
    }

    #[test]
    fn more_addresses_than_places_are_made_anew_and_never_confused() {
        let mut builder = Builder::new(Arc::new(Pool::default()));
        let mut senders = Senders::new(None);
        let mut made = 0;
        let places = u32::try_from(SETS * WAYS).unwrap();
        for batch in 0..4 * places / 1024 {
            // Every address twice, with twice as many others in between as there are places.
            let addresses: Vec<SocketAddr> = (batch * 1024..)
                .take(1024)
                .map(|n| SocketAddr::from(((n % (2 * places)).to_be_bytes(), 514)))
                .collect();
            for from in &addresses {
                let entry = senders.find(0, *from, 0, || {
                    made += 1;
                    Some(sender(*from))
                });
                let index = entry.unwrap().index(batch.into(), &mut builder).unwrap();
                builder.push_from(Span::new(0, 0), 0, index, Flags::empty());
            }
            let sealed = builder.seal();
            for (record, from) in sealed.records.iter().zip(addresses) {
                assert_eq!(sealed.senders[usize::from(record.sender)].addr(), Some(from));
            }
        }
        assert!(made > 2 * SETS * WAYS, "the second round finds few of the first: {made}");
        let kept = senders.sets.iter().flatten().flatten().count();
        assert!(kept > SETS * WAYS * 9 / 10, "the hash spreads: {kept}");
    }

    #[test]
    fn senders_are_made_anew_when_their_names_time_is_over() {
        let mut senders = Senders::new(Some(Duration::from_secs(1)));
        let from = SocketAddr::from(([10, 0, 0, 1], 514));
        let mut made_at = Vec::new();
        for now in [5_000_000, 5_999_999, 6_000_000, 6_000_001, 6_000_002, 0] {
            let make = || {
                made_at.push(now);
                Some(sender(from))
            };
            senders.find(0, from, now, make);
        }
        assert_eq!(made_at, [5_000_000, 6_000_001, 0], "also when the clock is set back");
    }
}

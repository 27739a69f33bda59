//! The rows of a `string` table: exact keys, in few memory accesses.
//!
//! ```text
//! slots   | tag, at |    -    | tag, at | …      found by the key's hash, next one on collision
//!                │
//! rows    | … |len|value|key bytes|len|value|key bytes| …
//!                      │
//! values  | text | text | …                      each once
//! ```
//! A large table lies beyond the CPU's nearer caches, so what counts is how many places a look-up touches: one slot and
//! one row here, against four in a `HashMap` of boxes. The keys are the operator's, not a peer's: the hash need not
//! withstand anybody.

use super::table::Shared;

/// Exact keys with their values.
#[derive(Debug)]
pub(super) struct Texts {
    /// A power of two of them, a fifth of which are empty, and one at least.
    slots: Box<[Slot]>,
    rows: Vec<u8>,
    values: Vec<Shared>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// A part of the hash that its place does not tell.
    tag: u32,
    /// Where its row begins, plus one; 0 is no row.
    at: u32,
}

/// Bytes before a row's key: its length and the number of its value.
const HEAD_BYTES: usize = 8;
/// Where in them the number is.
const VALUE_AT: usize = 4;

impl Texts {
    /// A table of these rows, of which a later one replaces an earlier one of the same key. `None` where they take
    /// 4 GiB or more.
    pub(super) fn new(rows: Vec<(Vec<u8>, usize)>, values: Vec<Shared>) -> Option<Self> {
        let slots = (rows.len() + rows.len() / 4 + 1).next_power_of_two();
        let slots = vec![Slot::default(); slots].into();
        let mut texts = Self { slots, rows: Vec::new(), values };
        for (key, value) in rows {
            texts.insert(&key, u32::try_from(value).ok()?)?;
        }
        texts.rows.shrink_to_fit();
        Some(texts)
    }

    /// The value of `key`.
    pub(super) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let slot = self.slots.get(self.place(key).0)?;
        let (_, value) = self.row(*slot)?;
        self.values.get(value as usize).map(|value| &**value)
    }

    fn insert(&mut self, key: &[u8], value: u32) -> Option<()> {
        let (place, tag) = self.place(key);
        let slot = self.slots.get_mut(place)?;
        if let Some(at) = slot.at.checked_sub(1) {
            let at = at as usize;
            let place = self.rows.get_mut(at + VALUE_AT..at + HEAD_BYTES)?;
            place.copy_from_slice(&value.to_le_bytes());
            return Some(());
        }
        let at = u32::try_from(self.rows.len() + 1).ok()?;
        *slot = Slot { tag, at };
        self.rows.extend(u32::try_from(key.len()).ok()?.to_le_bytes());
        self.rows.extend(value.to_le_bytes());
        self.rows.extend(key);
        Some(())
    }

    /// The slot that holds `key`, or the empty one where it would be put; and its tag.
    fn place(&self, key: &[u8]) -> (usize, u32) {
        let hash = hash(key);
        let tag = u32::try_from(hash >> 32).unwrap_or_default();
        let mask = self.slots.len() - 1;
        let mut place = usize::try_from(hash & u64::from(u32::MAX)).unwrap_or_default() & mask;
        // There is an empty slot.
        while let Some(slot) = self.slots.get(place) {
            let found = slot.tag == tag && self.row(*slot).is_some_and(|(known, _)| known == key);
            if slot.at == 0 || found {
                break;
            }
            place = (place + 1) & mask;
        }
        (place, tag)
    }

    /// Key and value number of a slot's row.
    fn row(&self, slot: Slot) -> Option<(&[u8], u32)> {
        let row = self.rows.get(slot.at.checked_sub(1)? as usize..)?;
        let (len, rest) = row.split_first_chunk()?;
        let (value, rest) = rest.split_first_chunk()?;
        let key = rest.get(..u32::from_le_bytes(*len) as usize)?;
        Some((key, u32::from_le_bytes(*value)))
    }
}

/// Eight bytes at a time, multiplied and folded.
fn hash(key: &[u8]) -> u64 {
    const FACTOR: u128 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| {
        let product = u128::from(hash ^ word) * FACTOR;
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = product.to_le_bytes();
        u64::from_le_bytes([a, b, c, d, e, f, g, h]) ^ u64::from_le_bytes([i, j, k, l, m, n, o, p])
    };
    let words = key.chunks_exact(8);
    let mut last = [0; 8];
    words.remainder().iter().zip(&mut last).for_each(|(from, to)| *to = *from);
    let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap_or_default());
    let start = 0x243f_6a88_85a3_08d3 ^ key.len() as u64;
    let hash = words.fold(start, |hash, bytes| mix(hash, word(bytes)));
    mix(mix(hash, word(&last)), 0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn texts(rows: &[(Vec<u8>, usize)]) -> Texts {
        let values = (0..10).map(|n| Shared::from(format!("value {n}").as_bytes())).collect();
        Texts::new(rows.to_vec(), values).expect("small")
    }

    #[test]
    fn an_empty_table_has_nothing() {
        assert_eq!(texts(&[]).get(b""), None);
        assert_eq!(texts(&[]).get(b"key"), None);
    }

    #[test]
    fn keys_that_look_alike() {
        let rows: Vec<_> = (0..50_000).map(|n| (format!("k{n}").into_bytes(), n % 10)).collect();
        let texts = texts(&rows);
        for (key, value) in &rows {
            assert_eq!(texts.get(key), Some(format!("value {value}").as_bytes()));
        }
        assert_eq!(texts.get(b"k50000"), None);
        // Mostly it is a short way to each.
        let mask = texts.slots.len() - 1;
        let far = |(key, _): &&(Vec<u8>, usize)| {
            let home = usize::try_from(hash(key) & u64::from(u32::MAX)).expect("fits");
            texts.place(key).0.wrapping_sub(home) & mask > 8
        };
        assert!(rows.iter().filter(far).count() < rows.len() / 20);
    }

    proptest::proptest! {
        #[test]
        fn like_a_map(
            rows in proptest::collection::vec(
                (proptest::collection::vec(0..3_u8, 0..12), 0..10_usize), 0..60,
            ),
            keys in proptest::collection::vec(proptest::collection::vec(0..3_u8, 0..12), 20),
        ) {
            let texts = texts(&rows);
            let map: HashMap<_, _> = rows.iter().cloned().collect();
            for key in rows.iter().map(|(key, _)| key).chain(&keys) {
                let expected = map.get(key).map(|value| format!("value {value}").into_bytes());
                proptest::prop_assert_eq!(texts.get(key).map(<[u8]>::to_vec), expected);
            }
        }
    }
}

//! A copy of the table, to be read in the order of its senders.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::ops::Deref;

use super::shard::{Entry, Shard, Stat};

/// A copy of a table.
pub(in super::super) struct Snapshot(Vec<Part>);

/// The copy of a shard.
struct Part {
    entries: Vec<Entry>,
    names: Vec<u8>,
}

impl Snapshot {
    /// The copies that `shards` yields, of which each is made before the next one is asked for.
    pub(super) fn of<S: Deref<Target = Shard>>(shards: impl Iterator<Item = S>) -> Self {
        let copy = |shard: S| Part { entries: shard.entries.clone(), names: shard.names.clone() };
        Self(shards.map(copy).collect())
    }

    /// Calls `each` with all senders, ordered by the bytes of their ids, until it fails.
    pub(in super::super) fn in_order<E>(
        mut self,
        mut each: impl FnMut(&[u8], &Stat) -> Result<(), E>,
    ) -> Result<(), E> {
        for Part { entries, names } in &mut self.0 {
            entries.sort_unstable_by(|a, b| a.name(names).cmp(b.name(names)));
        }
        let heads = self.0.iter().filter_map(|Part { entries, names }| {
            let mut rest = entries.iter();
            rest.next().map(|entry| Head { name: entry.name(names), entry, rest, names })
        });
        let mut heads: BinaryHeap<Head<'_>> = heads.collect();
        while let Some(mut head) = heads.peek_mut() {
            each(head.name, &head.entry.stat)?;
            match head.rest.next() {
                Some(entry) => {
                    head.name = entry.name(head.names);
                    head.entry = entry;
                }
                None => {
                    PeekMut::pop(head);
                }
            }
        }
        Ok(())
    }
}

/// The next sender of a part.
struct Head<'s> {
    name: &'s [u8],
    entry: &'s Entry,
    rest: std::slice::Iter<'s, Entry>,
    names: &'s [u8],
}

// A heap hands out the greatest first, so the order is turned round.
impl Ord for Head<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.name.cmp(self.name)
    }
}

impl PartialOrd for Head<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Head<'_> {}

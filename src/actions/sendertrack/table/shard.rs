//! A part of the table, under one lock.
//!
//! The index holds places of entries, not names: entries lie one behind the other, and so do their names in a buffer
//! of their own. A sender costs 32 bytes, its name, and its share of the index.

use hashbrown::HashTable;

/// What is known of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Stat {
    /// Its messages.
    pub(in super::super) messages: u64,
    /// Second of the commit that brought the first one.
    pub(in super::super) first: i64,
    /// Second of the commit that brought the last one.
    pub(in super::super) last: i64,
}

/// What the alarms know of a sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Watch {
    /// Its messages when it was last looked at.
    pub(in super::super) messages: u64,
    /// An alarm about its silence was given.
    pub(in super::super) silent: bool,
    /// An alarm about its rate was given.
    pub(in super::super) flooding: bool,
}

#[derive(Default)]
pub(super) struct Shard {
    index: HashTable<Slot>,
    pub(super) entries: Vec<Entry>,
    pub(super) names: Vec<u8>,
    /// What the alarms know of each entry; shorter than `entries` by the new ones, empty without alarms.
    pub(super) watch: Vec<Watch>,
    /// Differs from the last snapshot.
    pub(super) changed: bool,
    /// Bytes of `names` that belonged to senders that are gone.
    waste: usize,
}

#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) stat: Stat,
    start: u32,
    len: u32,
}

/// Half of the hash, so that the index grows without hashing all names again, and where the entry is.
#[derive(Clone, Copy)]
struct Slot {
    hash: u32,
    place: u32,
}

impl Stat {
    /// Adds messages of the second `now`.
    pub(super) fn add(&mut self, messages: u64, now: i64) {
        self.messages = self.messages.saturating_add(messages);
        self.last = now;
    }

    /// Adds what was known of the same sender elsewhere.
    pub(super) fn merge(&mut self, other: Self) {
        self.messages = self.messages.saturating_add(other.messages);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

impl Entry {
    /// Its bytes in the shard's `names`.
    pub(super) fn name<'n>(&self, names: &'n [u8]) -> &'n [u8] {
        let start = self.start as usize;
        names.get(start..start + self.len as usize).unwrap_or_default()
    }
}

impl Shard {
    /// The sender of this name and hash.
    pub(super) fn find(&self, hash: u64, name: &[u8]) -> Option<&Entry> {
        let Self { index, entries, names, .. } = self;
        let same = |slot: &Slot| slot.is(hash, entries, names, name);
        entries.get(index.find(spread(half(hash)), same)?.place as usize)
    }

    /// The same, to be changed.
    pub(super) fn find_mut(&mut self, hash: u64, name: &[u8]) -> Option<&mut Stat> {
        let Self { index, entries, names, .. } = self;
        let same = |slot: &Slot| slot.is(hash, entries, names, name);
        let place = index.find(spread(half(hash)), same)?.place as usize;
        entries.get_mut(place).map(|entry| &mut entry.stat)
    }

    /// Adds a sender that is not there yet; whether it fits.
    pub(super) fn insert(&mut self, hash: u64, name: &[u8], stat: Stat) -> bool {
        let (place, start, len) = (self.entries.len(), self.names.len(), name.len());
        let (Ok(place), Ok(start), Ok(len)) = (place.try_into(), start.try_into(), len.try_into())
        else {
            return false;
        };
        let slot = Slot { hash: half(hash), place };
        self.index.insert_unique(spread(slot.hash), slot, |slot| spread(slot.hash));
        self.names.extend_from_slice(name);
        self.entries.push(Entry { stat, start, len });
        self.changed = true;
        true
    }

    /// Keeps some entries, in their order, and returns how many are gone.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Entry, &[u8]) -> bool) -> usize {
        let before = self.entries.len();
        // Where each entry goes.
        let mut next = 0;
        let names = &self.names;
        let kept = self.entries.iter().map(|entry| {
            keep(entry, names).then(|| {
                next += 1;
                next - 1
            })
        });
        let goes: Vec<Option<u32>> = kept.collect();
        let gone = goes.iter().filter(|to| to.is_none()).count();
        if gone == 0 {
            return 0;
        }
        let stays = |place: usize| goes.get(place).copied().flatten();
        self.index.retain(|slot| match stays(slot.place as usize) {
            Some(to) => {
                slot.place = to;
                true
            }
            None => false,
        });
        if !self.watch.is_empty() {
            self.watch.resize(before, Watch::default());
        }
        keep_places(&mut self.watch, |place| stays(place).is_some());
        let left = self.entries.iter().zip(&goes).filter(|(_, to)| to.is_none());
        self.waste += left.map(|(entry, _)| entry.len as usize).sum::<usize>();
        keep_places(&mut self.entries, |place| stays(place).is_some());
        self.changed = true;
        if self.waste > self.names.len() / 2 {
            self.compact();
        }
        gone
    }

    /// Gives up the room of senders that are gone.
    fn compact(&mut self) {
        let mut names = Vec::with_capacity(self.names.len().saturating_sub(self.waste));
        for entry in &mut self.entries {
            let start = u32::try_from(names.len()).unwrap_or(u32::MAX);
            names.extend_from_slice(entry.name(&self.names));
            entry.start = start;
        }
        self.names = names;
        self.waste = 0;
        self.entries.shrink_to_fit();
        self.watch.shrink_to_fit();
        self.index.shrink_to_fit(|slot| spread(slot.hash));
    }
}

impl Slot {
    fn is(self, hash: u64, entries: &[Entry], names: &[u8], name: &[u8]) -> bool {
        self.hash == half(hash)
            && entries.get(self.place as usize).is_some_and(|entry| entry.name(names) == name)
    }
}

fn keep_places<T>(items: &mut Vec<T>, mut keep: impl FnMut(usize) -> bool) {
    let mut place = 0;
    items.retain(|_| {
        place += 1;
        keep(place - 1)
    });
}

/// The half of a hash that an index keeps.
#[allow(clippy::cast_possible_truncation, reason = "that is the point")]
fn half(hash: u64) -> u32 {
    hash as u32
}

/// It, spread over as many bits as an index wants.
fn spread(half: u32) -> u64 {
    u64::from(half).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

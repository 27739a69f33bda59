//! Who has sent how much, and when: the table of one action.
//!
//! ```text
//! worker: Tally.add(id) … ── commit: one lock per shard ──► Shard.entries[place]
//!         hash → shard, runs of one sender are one                ▲
//!                                          index: hash → place ───┘   names: all ids, one behind the other
//! ```
//! Ids are hashed with a key of the process: peers choose them, and must not be able to choose collisions.

mod shard;
mod snapshot;
mod tally;
#[cfg(test)]
mod tests;

use std::hash::BuildHasher as _;
use std::sync::{LazyLock, Mutex, MutexGuard};

use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;

use self::shard::Shard;
pub(super) use self::shard::{Stat, Watch};
pub(super) use self::snapshot::Snapshot;
pub(super) use self::tally::Tally;
use crate::limits;
use crate::sync::lock;
use crate::sys::machine;

/// The sender that takes what has no room.
pub(super) const OTHER: &[u8] = b"_other";

/// Shards of a table: a snapshot holds up only the workers that need the shard being copied.
const SHARDS: usize = 64;

/// All senders of an action, shared by its threads.
pub(super) struct Table {
    shards: [Mutex<Shard>; SHARDS],
    hasher: SeedableRandomState,
    /// How many senders there may be besides [`OTHER`].
    limit: usize,
    /// Senders in all shards. Locked within a shard's lock, and only when a sender comes or goes.
    senders: Mutex<usize>,
}

/// The half of the key that all tables of the process share; the other half is each table's own.
static SEED: LazyLock<SharedSeed> = LazyLock::new(|| SharedSeed::from_u64(random()));

/// What a commit did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    /// Messages in all.
    pub(super) messages: u64,
    /// Of these: counted as [`OTHER`].
    pub(super) others: u64,
}

impl Table {
    /// An empty table of at most `limit` senders.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: SeedableRandomState::with_seed(random(), &SEED),
            limit: limit.min(limits::SENDERS),
            senders: Mutex::new(0),
        }
    }

    /// Number of senders.
    pub(super) fn len(&self) -> usize {
        *lock(&self.senders)
    }

    /// Adds the messages of `tally`, which came at the second `now`, and empties it.
    pub(super) fn count(&self, tally: &mut Tally, now: i64) -> Counted {
        let mut counted = Counted { messages: tally.len() as u64, others: 0 };
        for (shard, runs) in self.shards.iter().zip(&tally.runs) {
            if runs.is_empty() {
                continue;
            }
            let mut shard = lock(shard);
            for run in runs {
                if !self.add(&mut shard, run.hash, run.name(&tally.text), run.messages, now) {
                    counted.others += run.messages;
                }
            }
            shard.changed = true;
        }
        if counted.others > 0 {
            let hash = self.hash(OTHER);
            let mut shard = self.shard(hash);
            shard.changed = true;
            self.add(&mut shard, hash, OTHER, counted.others, now);
        }
        tally.clear();
        counted
    }

    /// Adds what a file says of a sender; whether there was room.
    pub(super) fn load(&self, name: &[u8], loaded: Stat) -> bool {
        let hash = self.hash(name);
        let mut shard = self.shard(hash);
        if let Some(stat) = shard.find_mut(hash, name) {
            stat.merge(loaded);
            return true;
        }
        self.insert(&mut shard, hash, name, loaded)
    }

    /// What is known of this sender.
    pub(super) fn get(&self, name: &[u8]) -> Option<Stat> {
        let hash = self.hash(name);
        self.shard(hash).find(hash, name).map(|entry| entry.stat)
    }

    /// Changes what is known of this sender; whether it is there.
    pub(super) fn change(&self, name: &[u8], change: impl FnOnce(&mut Stat)) -> bool {
        let hash = self.hash(name);
        let mut shard = self.shard(hash);
        let found = shard.find_mut(hash, name).map(change).is_some();
        shard.changed |= found;
        found
    }

    /// Changes what is known of every sender.
    pub(super) fn change_all(&self, mut change: impl FnMut(&mut Stat)) {
        for mut shard in self.locked() {
            shard.changed |= !shard.entries.is_empty();
            shard.entries.iter_mut().for_each(|entry| change(&mut entry.stat));
        }
    }

    /// Forgets this sender; whether it was there.
    pub(super) fn remove(&self, name: &[u8]) -> bool {
        let gone = self.shard(self.hash(name)).retain(|entry, names| entry.name(names) != name);
        self.left(gone);
        gone > 0
    }

    /// Forgets the senders that `keep` does not want to keep; returns how many.
    pub(super) fn retain(&self, mut keep: impl FnMut(&Stat) -> bool) -> usize {
        let gone = self.locked().map(|mut shard| shard.retain(|entry, _| keep(&entry.stat))).sum();
        self.left(gone);
        gone
    }

    /// Calls `look` with each sender and what the alarms know of it, shard by shard.
    pub(super) fn watch(&self, mut look: impl FnMut(&[u8], &Stat, &mut Watch)) {
        for mut shard in self.locked() {
            let Shard { entries, names, watch, .. } = &mut *shard;
            watch.resize(entries.len(), Watch::default());
            for (entry, watch) in entries.iter().zip(watch) {
                look(entry.name(names), &entry.stat, watch);
            }
        }
    }

    /// Calls `look` with each sender, shard by shard, in no order.
    pub(super) fn each(&self, mut look: impl FnMut(&[u8], &Stat)) {
        for shard in self.locked() {
            shard.entries.iter().for_each(|entry| look(entry.name(&shard.names), &entry.stat));
        }
    }

    /// Whether anything has changed since the last snapshot.
    pub(super) fn is_changed(&self) -> bool {
        self.locked().any(|shard| shard.changed)
    }

    /// A copy of the whole table, which holds up nobody for longer than the copy of a shard takes.
    pub(super) fn copy(&self) -> Snapshot {
        Snapshot::of(self.locked())
    }

    /// The same to be saved: [`Self::is_changed`] counts from here.
    pub(super) fn copy_to_save(&self) -> Snapshot {
        Snapshot::of(self.locked().map(|mut shard| {
            shard.changed = false;
            shard
        }))
    }

    /// Counts messages of a sender, who comes to be if there is room.
    fn add(&self, shard: &mut Shard, hash: u64, name: &[u8], messages: u64, now: i64) -> bool {
        if let Some(stat) = shard.find_mut(hash, name) {
            stat.add(messages, now);
            return true;
        }
        self.insert(shard, hash, name, Stat { messages, first: now, last: now })
    }

    fn insert(&self, shard: &mut Shard, hash: u64, name: &[u8], stat: Stat) -> bool {
        let mut senders = lock(&self.senders);
        let admitted =
            name == OTHER || (*senders < self.limit && name.len() <= limits::SENDER_BYTES);
        let inserted = admitted && shard.insert(hash, name, stat);
        *senders += usize::from(inserted);
        inserted
    }

    fn left(&self, gone: usize) {
        let mut senders = lock(&self.senders);
        *senders = senders.saturating_sub(gone);
    }

    /// All shards, each locked while it is looked at.
    fn locked(&self) -> impl Iterator<Item = MutexGuard<'_, Shard>> {
        self.shards.iter().map(lock)
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        lock(&self.shards[shard_of(hash)])
    }

    fn hash(&self, name: &[u8]) -> u64 {
        self.hasher.hash_one(name)
    }
}

fn random() -> u64 {
    u64::from_ne_bytes(machine::random_bytes())
}

/// The shard of a hash: its upper bits.
fn shard_of(hash: u64) -> usize {
    usize::try_from(hash >> (u64::BITS - SHARDS.ilog2())).unwrap_or(0)
}

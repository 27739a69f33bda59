//! What one worker has seen of senders since its last commit.

use super::{SHARDS, Table, shard_of};
use crate::limits;

/// The senders of one worker's batch, not counted yet.
pub(in super::super) struct Tally {
    /// The ids of all runs.
    pub(super) text: Vec<u8>,
    pub(super) runs: [Vec<Run>; SHARDS],
    /// The shard that has the last run.
    last: Option<usize>,
    len: usize,
    /// Where an id is repaired.
    repaired: Vec<u8>,
}

/// Messages of one sender, one behind the other.
pub(super) struct Run {
    pub(super) hash: u64,
    start: usize,
    len: usize,
    pub(super) messages: u64,
}

impl Run {
    pub(super) fn name<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        text.get(self.start..self.start + self.len).unwrap_or_default()
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            text: Vec::new(),
            runs: [const { Vec::new() }; SHARDS],
            last: None,
            len: 0,
            repaired: Vec::new(),
        }
    }
}

impl Tally {
    /// Adds a message, whose sender's id `render` appends to the buffer it gets.
    pub(in super::super) fn add(&mut self, table: &Table, render: impl FnOnce(&mut Vec<u8>)) {
        let start = self.text.len();
        render(&mut self.text);
        self.len += 1;
        if !self.text.get(start..).unwrap_or_default().is_ascii() {
            self.repair(start);
        }
        let id = self.text.get(start..).unwrap_or_default();
        if let Some(run) = self.last.and_then(|shard| self.runs[shard].last_mut())
            && run.name(&self.text) == id
        {
            run.messages += 1;
            self.text.truncate(start);
            return;
        }
        let hash = table.hash(id);
        let shard = shard_of(hash);
        self.runs[shard].push(Run { hash, start, len: id.len(), messages: 1 });
        self.last = Some(shard);
    }

    /// Makes the id from `start` on UTF-8: what the state file cannot tell apart is one sender, before a restart as after
    /// it. Bytes that are none become U+FFFD, as there.
    #[cold]
    fn repair(&mut self, start: usize) {
        let id = self.text.get(start..).unwrap_or_default();
        if std::str::from_utf8(id).is_ok() {
            return;
        }
        self.repaired.clear();
        for chunk in id.utf8_chunks() {
            self.repaired.extend_from_slice(chunk.valid().as_bytes());
            if !chunk.invalid().is_empty() {
                self.repaired.extend_from_slice("\u{fffd}".as_bytes());
            }
        }
        self.text.truncate(start);
        self.text.extend_from_slice(&self.repaired);
    }

    /// Messages that are not counted yet.
    pub(in super::super) fn len(&self) -> usize {
        self.len
    }

    /// Forgets them.
    pub(in super::super) fn clear(&mut self) {
        self.text.clear();
        self.text.shrink_to(limits::BATCH_BYTES);
        self.repaired.shrink_to(limits::SENDER_BYTES);
        self.runs.iter_mut().for_each(Vec::clear);
        self.last = None;
        self.len = 0;
    }

    /// The name of each sender that is noted, with the number of its messages.
    pub(in super::super) fn each(&self, mut each: impl FnMut(&[u8], u64)) {
        for run in self.runs.iter().flatten() {
            each(run.name(&self.text), run.messages);
        }
    }
}

//! The table of open sessions: a slab with a free list, and tokens that a later tenant does not answer to.
//!
//! The table holds a session only while it is *armed*; queued and running sessions are owned by the queue
//! or by a worker (see [`ready`](super::ready)) and leave their slot reserved. It is not a lock: `ready`
//! keeps it under its own.

/// Names a session in epoll: slot and generation. A slot's generation rises when its session closes, so a
/// stale report names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    index: u32,
    generation: u32,
}

impl Token {
    /// Highest slot number plus one: numbers above are left to the poller's own tokens.
    pub const INDEX_LIMIT: u32 = u32::MAX - 1024;

    /// As epoll carries it.
    #[must_use]
    pub fn to_u64(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    /// From what epoll carried.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "the two halves are taken apart")]
    pub fn from_u64(bits: u64) -> Self {
        Self { index: bits as u32, generation: (bits >> 32) as u32 }
    }
}

/// Open sessions, at most a fixed number of them.
#[derive(Debug)]
pub struct Table<S> {
    entries: Vec<Entry<S>>,
    /// First free entry, or `entries.len()`.
    free: u32,
    open: usize,
    limit: usize,
}

#[derive(Debug)]
struct Entry<S> {
    generation: u32,
    slot: Slot<S>,
}

#[derive(Debug)]
enum Slot<S> {
    /// No session; the next free entry, or the number of entries.
    Free { next: u32 },
    /// Reserved for a session that the queue or a worker owns.
    Out,
    /// Waiting for input.
    Armed(S),
}

impl<S> Table<S> {
    /// An empty table for `limit` sessions.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let limit = limit.min(Token::INDEX_LIMIT as usize);
        Self { entries: Vec::new(), free: 0, open: 0, limit }
    }

    /// Sessions that are open, whoever owns them.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open
    }

    /// Whether the limit is reached.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.open >= self.limit
    }

    /// Reserves a slot for a session the caller owns; `None` when the limit is reached.
    pub fn reserve(&mut self) -> Option<Token> {
        if self.is_full() {
            return None;
        }
        let index = self.free;
        if let Some(entry) = self.entries.get_mut(index as usize) {
            let Slot::Free { next } = entry.slot else { unreachable!("the free list is free") };
            self.free = next;
            entry.slot = Slot::Out;
            self.open += 1;
            return Some(Token { index, generation: entry.generation });
        }
        self.entries.push(Entry { generation: 0, slot: Slot::Out });
        self.free = index + 1;
        self.open += 1;
        Some(Token { index, generation: 0 })
    }

    /// Takes in a session that its owner gives back to wait for input.
    pub fn park(&mut self, token: Token, session: S) {
        self.owned(token).slot = Slot::Armed(session);
    }

    /// Hands out the waiting session of `token`; `None` for a stale token or a session that is not waiting.
    pub fn take(&mut self, token: Token) -> Option<S> {
        let entry = self.entry(token)?;
        match std::mem::replace(&mut entry.slot, Slot::Out) {
            Slot::Armed(session) => Some(session),
            other => {
                entry.slot = other;
                None
            }
        }
    }

    /// The session of `token`: `None` for a stale token, `Some(None)` for a session that is not waiting.
    pub fn look(&mut self, token: Token) -> Option<Option<&S>> {
        self.entry(token).map(|entry| match &entry.slot {
            Slot::Armed(session) => Some(session),
            Slot::Free { .. } | Slot::Out => None,
        })
    }

    /// Frees the slot of a session that its owner closes.
    pub fn close(&mut self, token: Token) {
        let next = self.free;
        let entry = self.owned(token);
        entry.slot = Slot::Free { next };
        entry.generation = entry.generation.wrapping_add(1);
        self.free = token.index;
        self.open -= 1;
    }

    /// The tokens of all waiting sessions.
    #[must_use]
    pub fn armed(&self) -> Vec<Token> {
        self.armed_where(&mut |_| true)
    }

    /// The tokens of the waiting sessions that `pick` picks.
    #[must_use]
    pub fn armed_where(&self, pick: &mut dyn FnMut(&S) -> bool) -> Vec<Token> {
        let waiting = |(index, entry): (u32, &Entry<S>)| match &entry.slot {
            Slot::Armed(session) if pick(session) => {
                Some(Token { index, generation: entry.generation })
            }
            _ => None,
        };
        (0..).zip(&self.entries).filter_map(waiting).collect()
    }

    /// The entry of a session that the caller owns. Any other token is a programmer's error.
    fn owned(&mut self, token: Token) -> &mut Entry<S> {
        match self.entry(token) {
            Some(entry) if matches!(entry.slot, Slot::Out) => entry,
            _ => unreachable!("a session has one owner, whose token is current"),
        }
    }

    fn entry(&mut self, token: Token) -> Option<&mut Entry<S>> {
        let entry = self.entries.get_mut(token.index as usize)?;
        (entry.generation == token.generation).then_some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_epoll() {
        for token in [
            Token { index: 0, generation: 0 },
            Token { index: 7, generation: u32::MAX },
            Token { index: Token::INDEX_LIMIT, generation: 1 },
        ] {
            assert_eq!(Token::from_u64(token.to_u64()), token);
        }
    }

    #[test]
    fn a_slot_is_reused_but_its_old_token_is_not_answered() {
        let mut table = Table::new(2);
        let first = table.reserve().unwrap();
        let second = table.reserve().unwrap();
        assert!(table.reserve().is_none(), "the limit holds");
        assert!(table.take(first).is_none(), "owned by us, not waiting");
        table.park(first, 'a');
        table.park(second, 'b');
        assert_eq!(table.take(first), Some('a'));
        assert_eq!(table.take(first), None, "no second owner");
        table.close(first);
        assert_eq!(table.open(), 1);

        let third = table.reserve().unwrap();
        assert_eq!(third.index, first.index, "the free list is used");
        table.park(third, 'c');
        assert_eq!(table.take(first), None, "a stale report names nobody");
        assert_eq!(table.armed(), [third, second]);
        assert_eq!(table.take(third), Some('c'));
    }

    #[test]
    fn freed_slots_are_taken_last_in_first_out_before_new_ones() {
        let mut table = Table::<()>::new(10);
        let tokens: Vec<_> = (0..4).map(|_| table.reserve().unwrap()).collect();
        table.close(tokens[1]);
        table.close(tokens[3]);
        let again: Vec<_> = (0..3).map(|_| table.reserve().unwrap().index).collect();
        assert_eq!(again, [3, 1, 4]);
        assert_eq!(table.open(), 5);
    }
}

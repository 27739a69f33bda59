//! A window per source of messages, in bounded memory: the source that was silent longest makes room.

use std::collections::HashMap;

/// How much a source may send: `max` messages in `window` seconds; 0 for either is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// Messages.
    pub max: u32,
    /// Seconds.
    pub window: u32,
}

/// What all sources are allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Those without a rule of their own.
    pub default: Allowance,
    /// Sources with a rule of their own.
    pub overrides: HashMap<Box<[u8]>, Allowance>,
}

impl Rules {
    fn of(&self, key: &[u8]) -> Allowance {
        self.overrides.get(key).copied().unwrap_or(self.default)
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// It may pass.
    pub allowed: bool,
    /// Other sources that were forgotten for its own.
    pub evicted: u64,
}

/// The sources seen lately: a list by age through a vector, and where in it a source is.
#[derive(Debug, Default)]
pub struct Sources {
    entries: Vec<Entry>,
    places: HashMap<Box<[u8]>, usize>,
    /// Ends of the list by age.
    newest: usize,
    oldest: usize,
    /// Entries that hold no source.
    free: Vec<usize>,
}

#[derive(Debug)]
struct Entry {
    key: Box<[u8]>,
    begin: i64,
    count: u32,
    dropped: u64,
    newer: usize,
    older: usize,
}

/// No entry.
const NONE: usize = usize::MAX;

impl Sources {
    /// Judges a message of the source `key` at `now` seconds; at most `limit` sources are kept.
    pub fn judge(&mut self, key: &[u8], now: i64, rules: &Rules, limit: usize) -> Outcome {
        let (place, evicted) = self.touch(key, now, limit.max(1));
        let Allowance { max, window } = rules.of(key);
        let Some(entry) = self.entries.get_mut(place) else {
            return Outcome { allowed: true, evicted };
        };
        if max == 0 || window == 0 {
            return Outcome { allowed: true, evicted };
        }
        if !(entry.begin..entry.begin + i64::from(window)).contains(&now) {
            entry.begin = now;
            entry.count = 0;
        }
        let allowed = entry.count < max;
        if allowed {
            entry.count += 1;
        } else {
            entry.dropped += 1;
        }
        Outcome { allowed, evicted }
    }

    /// How many sources are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The sources that lost most messages, with their number, at most `n` of them.
    #[must_use]
    pub fn worst(&self, n: usize) -> Vec<(&[u8], u64)> {
        let live = self.places.values().filter_map(|&place| self.entries.get(place));
        let mut worst: Vec<_> =
            live.filter(|e| e.dropped > 0).map(|e| (&*e.key, e.dropped)).collect();
        worst.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        worst.truncate(n);
        worst
    }

    /// The entry of `key`, now the newest; and how many others went for it.
    fn touch(&mut self, key: &[u8], now: i64, limit: usize) -> (usize, u64) {
        if let Some(&place) = self.places.get(key) {
            self.unlink(place);
            self.link(place);
            return (place, 0);
        }
        let mut evicted = 0;
        while self.places.len() >= limit {
            self.evict();
            evicted += 1;
        }
        let entry =
            Entry { key: key.into(), begin: now, count: 0, dropped: 0, newer: NONE, older: NONE };
        let place = match self.free.pop() {
            Some(place) => {
                if let Some(slot) = self.entries.get_mut(place) {
                    *slot = entry;
                }
                place
            }
            None => {
                self.entries.push(entry);
                self.entries.len() - 1
            }
        };
        self.places.insert(key.into(), place);
        self.link(place);
        (place, evicted)
    }

    fn evict(&mut self) {
        let place = self.oldest;
        self.unlink(place);
        if let Some(entry) = self.entries.get_mut(place) {
            let key = std::mem::take(&mut entry.key);
            self.places.remove(&key);
            self.free.push(place);
        }
    }

    /// Takes an entry out of the list.
    fn unlink(&mut self, place: usize) {
        let Some(entry) = self.entries.get(place) else { return };
        let (newer, older) = (entry.newer, entry.older);
        match self.entries.get_mut(newer) {
            Some(entry) => entry.older = older,
            None => self.newest = older,
        }
        match self.entries.get_mut(older) {
            Some(entry) => entry.newer = newer,
            None => self.oldest = newer,
        }
    }

    /// Puts an entry at the new end of the list.
    fn link(&mut self, place: usize) {
        let before = if self.places.len() > 1 { self.newest } else { NONE };
        if let Some(entry) = self.entries.get_mut(place) {
            (entry.newer, entry.older) = (NONE, before);
        }
        match self.entries.get_mut(before) {
            Some(entry) => entry.newer = place,
            None => self.oldest = place,
        }
        self.newest = place;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(max: u32, window: u32) -> Rules {
        let own = Allowance { max: 1, window: 100 };
        let free = Allowance { max: 0, window: 100 };
        let overrides = [(b"own".as_slice().into(), own), (b"free".as_slice().into(), free)];
        Rules { default: Allowance { max, window }, overrides: overrides.into() }
    }

    #[test]
    fn each_source_has_its_own_window_and_some_their_own_rule() {
        let mut sources = Sources::default();
        let rules = rules(2, 10);
        let mut allowed = |key: &str, now| sources.judge(key.as_bytes(), now, &rules, 9).allowed;
        assert_eq!([allowed("a", 0), allowed("a", 9), allowed("a", 9)], [true, true, false]);
        assert_eq!([allowed("b", 9), allowed("a", 10), allowed("a", 5)], [true; 3]);
        assert_eq!([allowed("own", 0), allowed("own", 50)], [true, false]);
        assert!((0..50).all(|_| allowed("free", 0)));
        assert_eq!(sources.worst(9), [(b"a".as_slice(), 1), (b"own".as_slice(), 1)]);
        assert_eq!(sources.worst(1).len(), 1);
    }

    #[test]
    fn the_source_that_was_silent_longest_makes_room() {
        let mut sources = Sources::default();
        let rules = rules(1, 10);
        let mut judge = |key: &str| {
            let outcome = sources.judge(key.as_bytes(), 0, &rules, 3);
            (outcome.allowed, outcome.evicted)
        };
        for key in ["a", "b", "c"] {
            assert_eq!(judge(key), (true, 0));
        }
        assert_eq!(judge("a"), (false, 0));
        assert_eq!(judge("d"), (true, 1), "b goes");
        assert_eq!(judge("a"), (false, 0));
        assert_eq!(judge("b"), (true, 1), "c goes");
        assert_eq!(judge("d"), (false, 0));
        // A smaller limit takes effect with the next new source.
        let outcome = sources.judge(b"e", 0, &rules, 1);
        assert_eq!((outcome.evicted, sources.len()), (3, 1));
        assert_eq!(sources.judge(b"e", 0, &rules, 0).evicted, 0, "at least one");
    }

    #[test]
    fn many_sources_take_bounded_memory() {
        let mut sources = Sources::default();
        for n in 0..10_000_u32 {
            sources.judge(&n.to_le_bytes(), 0, &rules(1, 1), 100);
        }
        assert_eq!((sources.len(), sources.entries.len()), (100, 100));
    }
}

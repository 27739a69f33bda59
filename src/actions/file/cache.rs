//! The dynamic files of one action that are open: the least recently used one makes room for a new one.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::stream::{Idle, Settings, Stream};
use crate::stats::{self, Counter};

/// Open files by name. The lock is held for a look-up only, never during I/O.
pub(super) struct Cache {
    size: usize,
    settings: Arc<Settings>,
    state: Mutex<State>,
    pub(super) counters: Counters,
}

/// The counters of omfile's statistics object (`spec/impstats.md` section 8).
pub(super) struct Counters {
    pub(super) requests: Arc<Counter>,
    pub(super) level0: Arc<Counter>,
    missed: Arc<Counter>,
    evicted: Arc<Counter>,
    most_used: Arc<Counter>,
    close_timeouts: Arc<Counter>,
}

#[derive(Default)]
struct State {
    files: HashMap<Box<[u8]>, Entry>,
    /// Counts look-ups; an entry's number is the time of its last one.
    clock: u64,
}

struct Entry {
    stream: Arc<Stream>,
    used: u64,
}

impl Cache {
    /// A cache of at most `size` files, whose counters stand under the template's name.
    pub(super) fn new(
        size: usize,
        settings: Arc<Settings>,
        template: &str,
        set: &stats::Set,
    ) -> Self {
        let mut object = stats::Object::new(format!("dynafile cache {template}"), "omfile");
        let counters = Counters {
            requests: object.counter("requests"),
            level0: object.counter("level0"),
            missed: object.counter("missed"),
            evicted: object.counter("evicted"),
            most_used: object.peak("maxused"),
            close_timeouts: object.counter("closetimeouts"),
        };
        set.add(object);
        Self { size, settings, state: Mutex::default(), counters }
    }

    /// How many files are held open.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The file `name`. A new one may push out another that no thread holds.
    pub(super) fn get(&self, name: &[u8]) -> Arc<Stream> {
        let mut state = self.lock();
        state.clock += 1;
        let used = state.clock;
        if let Some(entry) = state.files.get_mut(name) {
            entry.used = used;
            return Arc::clone(&entry.stream);
        }
        self.counters.missed.add(1);
        let evicted = if state.files.len() < self.size { None } else { oldest(&state.files) };
        let evicted = evicted.and_then(|oldest| state.files.remove_entry(&oldest));
        let path = PathBuf::from(OsStr::from_bytes(name));
        let stream = Arc::new(Stream::new(path, Arc::clone(&self.settings)));
        state.files.insert(name.into(), Entry { stream: Arc::clone(&stream), used });
        self.counters.most_used.raise(state.files.len() as u64);
        drop(state);
        if let Some((name, entry)) = evicted {
            self.counters.evicted.add(1);
            self.close(name, entry);
        }
        stream
    }

    /// Closes a file taken out of the cache. One that cannot write what it holds goes back.
    fn close(&self, name: Box<[u8]>, entry: Entry) {
        if entry.stream.close() > 0 {
            self.lock().files.entry(name).or_insert(entry);
        }
    }

    /// Forgets a file that could not be opened.
    pub(super) fn forget(&self, name: &[u8]) {
        let mut state = self.lock();
        if state.files.get(name).is_some_and(|entry| entry.stream.is_free()) {
            state.files.remove(name);
        }
    }

    /// All files.
    pub(super) fn streams(&self) -> Vec<Arc<Stream>> {
        self.lock().files.values().map(|entry| Arc::clone(&entry.stream)).collect()
    }

    /// Closes and forgets the files to which nothing was written for `idle` seconds. Returns those among them that
    /// hold lines back, and are not closed.
    pub(super) fn close_unused(&self, now: i64, idle: i64) -> Vec<Arc<Stream>> {
        let (mut closed, mut holding) = (0, Vec::new());
        self.lock().files.retain(|_, entry| {
            if Arc::strong_count(&entry.stream) > 1 {
                return true;
            }
            let state = entry.stream.close_unused(now, idle);
            closed += u64::from(state == Idle::Closed);
            if state == Idle::Holds {
                holding.push(Arc::clone(&entry.stream));
            }
            state != Idle::Closed
        });
        self.counters.close_timeouts.add(closed);
        holding
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of the least recently used file that no thread holds and no error keeps from being closed.
fn oldest(files: &HashMap<Box<[u8]>, Entry>) -> Option<Box<[u8]>> {
    let free = |entry: &Entry| Arc::strong_count(&entry.stream) == 1 && entry.stream.is_free();
    let candidates = files.iter().filter(|(_, entry)| free(entry));
    candidates.min_by_key(|(_, entry)| entry.used).map(|(name, _)| name.clone())
}

//! Files that are watched: read again once they have changed and then been left alone for a while.
//!
//! Somebody asks from time to time. A file system's own notice would come at once, but not from a share, and who writes a
//! file in several steps is waited for in any case.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use crate::limits;
use crate::sync::{Mutex, lock};

/// Whether files have changed: by their time, size and identity, so that a replaced file counts, too.
#[derive(Debug)]
pub struct Watch {
    /// How long a changed file must be left alone.
    debounce: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    seen: [Mark; 2],
    /// When the last change was seen; `None` once it was dealt with.
    changed: Option<Instant>,
}

/// What changes with a file's content.
type Mark = Option<(SystemTime, u64, u64)>;

impl Watch {
    /// As the files are now.
    #[must_use]
    pub fn new(debounce: Duration, files: &[Option<PathBuf>; 2]) -> Self {
        Self { debounce, state: Mutex::new(State { seen: marks(files), changed: None }) }
    }

    /// How often [`Watch::is_due`] is to be asked.
    #[must_use]
    pub fn interval(&self) -> Duration {
        (self.debounce / 2).clamp(limits::WATCH_INTERVAL_MIN, limits::WATCH_INTERVAL_MAX)
    }

    /// Whether they have changed and then been left alone, at this time; true once for each change.
    pub fn is_due(&self, now: Instant, files: &[Option<PathBuf>; 2]) -> bool {
        let mut state = lock(&self.state);
        let present = marks(files);
        if present != state.seen {
            *state = State { seen: present, changed: Some(now) };
        }
        let due = state.changed.is_some_and(|at| now.duration_since(at) >= self.debounce);
        if due {
            state.changed = None;
        }
        due
    }
}

fn marks(files: &[Option<PathBuf>; 2]) -> [Mark; 2] {
    use std::os::unix::fs::MetadataExt as _;
    let mark = |path: &Option<PathBuf>| {
        let found = std::fs::metadata(path.as_ref()?).ok()?;
        Some((found.modified().ok()?, found.len(), found.ino()))
    };
    [mark(&files[0]), mark(&files[1])]
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_change_counts_once_it_has_been_left_alone_for_as_long_as_asked() {
        let dir = tempfile::tempdir().unwrap();
        let files = [Some(dir.path().join("file")), None];
        let path = files[0].as_ref().unwrap();
        fs::write(path, "a").unwrap();
        let watch = Watch::new(Duration::from_millis(200), &files);
        assert_eq!(watch.interval(), Duration::from_millis(100));
        let start = Instant::now();
        let is_due = |msec| watch.is_due(start + Duration::from_millis(msec), &files);
        assert!(!is_due(0));
        fs::write(path, "ab").unwrap();
        assert!(!is_due(100) && !is_due(299) && is_due(300) && !is_due(600));
        fs::write(path, "abc").unwrap();
        assert!(!is_due(700));
        fs::write(path, "abcd").unwrap();
        assert!(!is_due(800) && !is_due(900) && is_due(1000), "since the second");
        fs::remove_file(path).unwrap();
        assert!(!is_due(2000) && is_due(2200));
    }
}

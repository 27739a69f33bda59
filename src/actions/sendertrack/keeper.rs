//! Keeps the state file: reads it when the daemon is built, writes it from time to time, on demand and at the end.
//!
//! A file that cannot be read as one is never overwritten: it is renamed first, and if that fails nothing is written.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::commands;
use super::counters::Counters;
use super::state::{self, Format};
use super::table::{Stat, Table};
use crate::limits;
use crate::state_file::StateFile;
use crate::sys::clock;
use crate::task::Task;

/// The state file of an action, and its command file.
pub(super) struct Keeper {
    pub(super) table: Arc<Table>,
    pub(super) counters: Arc<Counters>,
    pub(super) settings: Settings,
    pub(super) file: StateFile,
    /// The table was changed and could not be written since.
    pub(super) unsaved: bool,
    /// Messages counted as `_other` when that was last said.
    pub(super) others: u64,
}

/// What the configuration says.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) commands: Option<PathBuf>,
    pub(super) interval: Duration,
    pub(super) format: Format,
    /// Seconds after which a sender is forgotten.
    pub(super) expire: Option<i64>,
}

/// Reads the state file into the table; what the operator should know comes second. Changes nothing outside.
pub(super) fn load(path: PathBuf, table: &Table) -> (StateFile, Option<String>) {
    let mut without_room = 0_u64;
    let most = limits::SENDER_STATE_BYTES;
    let (file, read) = StateFile::read("omsendertrack: statefile", path, MODE, most, |input| {
        let each = &mut |name: &[u8], stat| without_room += u64::from(!table.load(name, stat));
        state::read(input, each).inspect_err(|_| {
            table.retain(|_| false);
        })
    });
    let problem = match read {
        Ok(None) => None,
        Ok(Some(0)) if without_room == 0 => None,
        Ok(Some(skipped)) => Some(format!(
            "{} has {skipped} elements that are no senders, which were skipped, and {without_room} senders beyond \
             'maxSenders', which were dropped",
            file.shown()
        )),
        Err(why) => Some(why),
    };
    (file, problem)
}

impl Keeper {
    /// Forgets senders that have not been seen for long.
    fn expire(&self, now: i64) {
        if let Some(seconds) = self.settings.expire {
            let gone = self.table.retain(|stat| !is_over(stat, seconds, now));
            self.counters.evicted.add(gone as u64);
        }
    }

    /// Writes the state file if anything has changed since it was last written, or `always`.
    pub(super) fn save(&mut self, always: bool) {
        let now = clock::now_secs();
        self.expire(now);
        self.counters.senders.set(self.table.len() as u64);
        self.tell_others();
        self.unsaved |= always || self.table.is_changed();
        if !self.unsaved || !self.file.is_replaceable() {
            return;
        }
        let format = self.settings.format;
        let snapshot = self.table.copy_to_save();
        if self.file.save(|out| state::write(snapshot, format, now, out)) {
            self.unsaved = false;
            self.counters.writes.add(1);
        } else {
            self.counters.write_errors.add(1);
        }
    }

    /// Says how many messages came from senders that had no room.
    fn tell_others(&mut self) {
        let others = self.counters.others.get();
        let more = others.saturating_sub(self.others);
        self.others = others;
        if more > 0 {
            log::warn!(
                "omsendertrack: the table of statefile '{}' is full with {} senders; {more} messages of others were \
                 counted as '_other'",
                self.file.path().display(),
                self.table.len()
            );
        }
    }
}

impl Task for Keeper {
    fn interval(&self) -> Option<Duration> {
        Some(self.settings.interval)
    }

    fn start(&mut self) {
        self.counters.senders.set(self.table.len() as u64);
        self.file.set_aside();
    }

    fn run(&mut self) {
        self.save(false);
    }

    fn hup(&mut self) {
        let Some(path) = self.settings.commands.clone() else { return };
        let done = commands::execute(&path, &self.table, self.file.path());
        self.counters.commands.add(done.commands);
        self.counters.senders.set(self.table.len() as u64);
        if done.flush || self.table.is_changed() && done.commands > 0 {
            self.save(done.flush);
        }
    }

    fn stop(&mut self) {
        self.save(true);
    }
}

/// Whether a sender has not been seen for so many seconds.
fn is_over(stat: &Stat, seconds: i64, now: i64) -> bool {
    now.saturating_sub(stat.last) > seconds
}

/// Mode of a new state file, before the umask.
const MODE: u32 = 0o644;

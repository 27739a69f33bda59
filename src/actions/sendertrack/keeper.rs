//! Keeps the state file: reads it when the daemon is built, writes it from time to time, on demand and at the end.
//!
//! A file that cannot be read as one is never overwritten: it is renamed first, and if that fails nothing is written.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::commands;
use super::counters::Counters;
use super::state::{self, Format, Unreadable};
use super::table::{Stat, Table};
use crate::limits;
use crate::message::date;
use crate::sys::replace::{self, Failed, Step};
use crate::sys::{clock, process};
use crate::task::Task;

/// The state file of an action, and its command file.
pub(super) struct Keeper {
    pub(super) table: Arc<Table>,
    pub(super) counters: Arc<Counters>,
    pub(super) settings: Settings,
    /// Of what is in the place of the state file.
    pub(super) found: Found,
    /// The table was changed and could not be written since.
    pub(super) unsaved: bool,
    /// What failed last, so that it is not said again.
    pub(super) failure: Option<(Step, io::ErrorKind)>,
    /// Messages counted as `_other` when that was last said.
    pub(super) others: u64,
}

/// What the configuration says.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) path: PathBuf,
    pub(super) commands: Option<PathBuf>,
    pub(super) interval: Duration,
    pub(super) format: Format,
    /// Seconds after which a sender is forgotten.
    pub(super) expire: Option<i64>,
}

/// What is in the place of the state file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A state file of ours, or nothing: it may be replaced.
    Replaceable,
    /// Something that must be set aside first.
    SetAside,
    /// Something that must be left alone: a device, a directory, a pipe, or a file that could not be set aside.
    LeaveAlone,
}

/// What loading a state file came to.
pub(super) struct Loaded {
    /// What is in its place.
    pub(super) found: Found,
    /// What the operator should know.
    pub(super) problem: Option<String>,
}

/// Reads the state file into the table. Changes nothing outside.
pub(super) fn load(path: &Path, table: &Table) -> Loaded {
    let file = path.display();
    let problem = |found, text: String| Loaded {
        found,
        problem: Some(format!("omsendertrack: statefile '{file}' {text}")),
    };
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let opened = opened.and_then(|file| file.metadata().map(|metadata| (file, metadata)));
    let input = match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Loaded { found: Found::Replaceable, problem: None };
        }
        Err(error) => return problem(Found::SetAside, unreadable(&error)),
        Ok((_, metadata)) if !metadata.is_file() => {
            let text = "is not a regular file; it is left alone, and nothing is written";
            return problem(Found::LeaveAlone, text.to_owned());
        }
        Ok((_, metadata)) if metadata.len() > limits::SENDER_STATE_BYTES => {
            let text = format!(
                "has more than {} bytes; starting without any previous data",
                limits::SENDER_STATE_BYTES
            );
            return problem(Found::SetAside, text);
        }
        Ok((file, _)) => file.take(limits::SENDER_STATE_BYTES),
    };
    let mut without_room = 0_u64;
    let read = state::read(input, &mut |name, stat| {
        without_room += u64::from(!table.load(name, stat));
    });
    match read {
        Ok(0) if without_room == 0 => Loaded { found: Found::Replaceable, problem: None },
        Ok(skipped) => problem(
            Found::Replaceable,
            format!(
                "has {skipped} elements that are no senders, which were skipped, and {without_room} senders \
                 beyond 'maxSenders', which were dropped"
            ),
        ),
        Err(Unreadable::Corrupt(why)) => {
            table.retain(|_| false);
            let text = format!("is corrupt: it {why}; starting without any previous data");
            problem(Found::SetAside, text)
        }
        Err(Unreadable::Io(error)) => {
            table.retain(|_| false);
            problem(Found::SetAside, unreadable(&error))
        }
    }
}

fn unreadable(error: &io::Error) -> String {
    let (user, _) = process::effective_ids();
    format!(
        "cannot be read: {error} (user id {user}); starting without any previous data. Check the permissions of the \
         file and of its directory"
    )
}

impl Keeper {
    /// Renames what is in the place of the state file and is none.
    fn set_aside(&mut self) {
        if self.found != Found::SetAside {
            return;
        }
        let path = &self.settings.path;
        let aside = replace::aside(path, &date::stamp(clock::now_secs()));
        match fs::rename(path, &aside) {
            Ok(()) => {
                self.found = Found::Replaceable;
                log::error!(
                    "omsendertrack: statefile '{}' was set aside as '{}'",
                    path.display(),
                    aside.display()
                );
            }
            Err(error) => {
                self.found = Found::LeaveAlone;
                let (user, _) = process::effective_ids();
                log::error!(
                    "omsendertrack: statefile '{}' cannot be set aside as '{}': {error} (user id {user}); it is left \
                     as it is, and nothing is written",
                    path.display(),
                    aside.display()
                );
            }
        }
    }

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
        if !self.unsaved || self.found != Found::Replaceable {
            return;
        }
        let Settings { path, format, .. } = &self.settings;
        let snapshot = self.table.copy_to_save();
        match replace::replace(path, MODE, |out| state::write(snapshot, *format, now, out)) {
            Ok(()) => {
                self.unsaved = false;
                self.counters.writes.add(1);
                if self.failure.take().is_some() {
                    log::info!("omsendertrack: statefile '{}' is written again", path.display());
                }
            }
            Err(failed) => self.failed(&failed),
        }
    }

    /// Counts a failure, and says so if it is another one than before.
    fn failed(&mut self, failed: &Failed) {
        self.counters.write_errors.add(1);
        let what = Some((failed.step, failed.error.kind()));
        if std::mem::replace(&mut self.failure, what) == what {
            return;
        }
        let file = self.settings.path.display();
        let (user, _) = process::effective_ids();
        log::error!(
            "omsendertrack: statefile '{file}' is not written: {failed} (user id {user}). Check space and permissions \
             of its directory; messages are counted all the same, and the next try is in {} seconds",
            self.settings.interval.as_secs()
        );
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
                self.settings.path.display(),
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
        self.set_aside();
    }

    fn run(&mut self) {
        self.save(false);
    }

    fn hup(&mut self) {
        let Some(path) = self.settings.commands.clone() else { return };
        let done = commands::execute(&path, &self.table, &self.settings);
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

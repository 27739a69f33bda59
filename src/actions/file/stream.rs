//! One output file, shared by all threads that write to it: open, write, rotate, close.
//!
//! A thread takes the lock once per batch. HUP never waits for it: it raises the generation, closes what
//! nobody is writing to, and whoever writes closes the file himself when he is done. A line that a failing
//! disk took only in part is kept here ([`Torn`]), so that it is completed and never written twice.

use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use flate2::Compression;

use super::open::{self, Creation};
use super::pack;
use super::rotate::Rotation;
use crate::actions::lines::Lines;
use crate::actions::{Failure, reason};

/// What all files of one action have in common.
#[derive(Debug)]
pub(super) struct Settings {
    /// Owners, modes, links.
    pub(super) creation: Creation,
    /// Whether each batch is forced to disk.
    pub(super) sync: bool,
    /// Bytes gathered before a write; 0 writes at each commit.
    pub(super) gather: usize,
    /// The size limit.
    pub(super) rotation: Option<Rotation>,
    /// Whether and how what is written is compressed.
    pub(super) zip: Option<Compression>,
    /// Raised by HUP. `Relaxed` is enough: a writer that misses it by one batch finds it at the next, and
    /// the closing itself is ordered by the file's lock.
    pub(super) generation: AtomicU64,
}

impl Settings {
    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }
}

/// A file that is open, or will be at the next write.
#[derive(Debug)]
pub(super) struct Stream {
    path: PathBuf,
    settings: Arc<Settings>,
    state: Mutex<State>,
    /// Lines that `state` holds back, as its lock was last let go: for whoever cannot wait for it. `Relaxed`, as
    /// `is_on_disk`: nothing else is read on the strength of it.
    held: AtomicUsize,
    /// What was last opened is a file on a disk, not a pipe or terminal that somebody has to read.
    is_on_disk: AtomicBool,
}

/// What became of a file that may be unused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Idle {
    /// It is used, or was not open.
    No,
    /// It is unused, but lines are held back that have to be written first.
    Holds,
    /// It was unused and is closed.
    Closed,
}

#[derive(Debug, Default)]
struct State {
    open: Option<Open>,
    torn: Option<Torn>,
    /// Lines gathered for a larger write.
    gathered: Lines,
    chown_reported: bool,
    /// The generation in which the size limit could not be enforced: nothing is written in it any more.
    stopped: Option<u64>,
    /// Whether something was written since the last look, and the second of the look that saw it.
    wrote: bool,
    used: i64,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Written to since it was opened.
    used: bool,
    generation: u64,
}

/// A line cut in two by an error, or several that were compressed together.
#[derive(Debug)]
struct Torn {
    /// As it goes to the file.
    text: Vec<u8>,
    /// How many lines are in it.
    lines: usize,
    /// How many bytes of it are written.
    done: usize,
    /// Device and inode of the file they are in.
    file: (u64, u64),
}

impl Stream {
    pub(super) fn new(path: PathBuf, settings: Arc<Settings>) -> Self {
        Self {
            path,
            settings,
            state: Mutex::default(),
            held: AtomicUsize::new(0),
            is_on_disk: AtomicBool::new(false),
        }
    }

    /// Its path, for messages.
    pub(super) fn path(&self) -> std::path::Display<'_> {
        self.path.display()
    }

    /// Lines that are taken for written and are not in the file yet.
    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Whether writing ends by itself, sooner or later.
    pub(super) fn is_on_disk(&self) -> bool {
        self.is_on_disk.load(Ordering::Relaxed)
    }

    /// Takes a file that is open already.
    #[cfg(test)]
    pub(super) fn adopt(&self, file: File) {
        let generation = self.settings.generation();
        self.locked(|state| state.open = Some(Open { file, used: false, generation }));
    }

    /// Writes `lines` out and empties them; or, on failure, removes from them what is settled.
    ///
    /// # Errors
    /// The file cannot be opened or written; `lines` holds the rest. `Disable`: not before the next HUP.
    pub(super) fn write(&self, lines: &mut Lines) -> Result<(), Failure> {
        self.locked(|state| {
            state.wrote = true;
            // A file that cannot be opened is reported now, not when the buffer is full.
            self.ensure_open(state)?;
            if self.settings.gather > state.gathered.text().len() + lines.text().len() {
                state.gathered.append(lines);
                return Ok(());
            }
            self.flush_gathered(state)?;
            self.write_lines(state, lines)?;
            self.after_write(state)
        })
    }

    /// Opens the file if it is not open, and writes what an error left behind.
    ///
    /// # Errors
    /// The file cannot be opened or written.
    pub(super) fn resume(&self) -> Result<(), Failure> {
        self.locked(|state| {
            self.ensure_open(state)?;
            self.write_torn(state)?;
            self.flush_gathered(state)?;
            self.after_write(state)
        })
    }

    /// HUP: closes the file, unless a thread is writing to it; that thread will do it.
    /// Returns whether lines are held back, which [`Stream::close`] would write.
    pub(super) fn close_if_idle(&self) -> bool {
        let Some(mut state) = self.try_lock() else { return false };
        let holds = state.holds_lines();
        if !holds {
            state.open = None;
        }
        holds
    }

    /// Writes out what is held back and closes. Returns how many lines could not be written.
    pub(super) fn close(&self) -> usize {
        self.locked(|state| {
            if state.open.is_none() && state.holds_lines() {
                // An error has closed it; the lines' last chance. Its failure shows in the count.
                let _ = self.open(state);
            }
            self.finish(state);
            state.lines_held()
        })
    }

    /// Closes if nobody is writing, nothing is held back, and nothing was written for `idle` seconds before `now`.
    pub(super) fn close_unused(&self, now: i64, idle: i64) -> Idle {
        let Some(mut state) = self.try_lock() else { return Idle::No };
        if std::mem::take(&mut state.wrote) || state.used == 0 {
            state.used = now;
        }
        match state.open {
            Some(_) if now - state.used < idle => Idle::No,
            Some(_) if state.holds_lines() => Idle::Holds,
            Some(_) => {
                state.open = None;
                Idle::Closed
            }
            None => Idle::No,
        }
    }

    /// Whether no thread is writing and no error keeps a line here.
    pub(super) fn is_free(&self) -> bool {
        self.try_lock().is_some_and(|state| state.torn.is_none())
    }

    /// Whether lines wait here to be written together.
    pub(super) fn has_gathered(&self) -> bool {
        self.try_lock().is_some_and(|state| !state.gathered.is_empty())
    }

    /// Writes the lines that wait to be written together.
    ///
    /// # Errors
    /// The file cannot be opened or written.
    pub(super) fn flush(&self) -> Result<(), Failure> {
        self.locked(|state| {
            if state.gathered.is_empty() {
                return Ok(());
            }
            self.ensure_open(state)?;
            self.flush_gathered(state)?;
            self.after_write(state)
        })
    }

    /// Writes what is held back, as far as the open file takes it, and closes.
    fn finish(&self, state: &mut State) {
        if state.open.is_some() {
            let outcome = self.write_torn(state).and_then(|()| self.flush_gathered(state));
            if let Err(failure) = outcome {
                log::error!(code = failure.code; "{failure}");
            }
        }
        state.open = None;
    }

    fn flush_gathered(&self, state: &mut State) -> Result<(), Failure> {
        let mut gathered = std::mem::take(&mut state.gathered);
        let outcome = self.write_lines(state, &mut gathered);
        state.gathered = gathered;
        outcome
    }

    /// Completes a torn line, writes all of `lines`, rotates where due. The file is open; HUP is not
    /// looked at, so that lines held back go to the file they were meant for.
    fn write_lines(&self, state: &mut State, lines: &mut Lines) -> Result<(), Failure> {
        while !lines.is_empty() {
            if state.open.is_none() {
                self.open(state)?;
            }
            self.write_torn(state)?;
            let State { open: Some(open), torn, .. } = state else { continue };
            let rotation = self.settings.rotation.as_ref();
            let full = rotation.and_then(|r| r.end(size(&open.file), open.used, lines.ends()));
            let end = full.unwrap_or(lines.text().len());
            let outcome = match self.settings.zip {
                None => write_plain(&mut open.file, lines, end, torn),
                Some(level) => write_packed(&mut open.file, lines, level, torn),
            };
            open.used = true;
            let full = match (rotation, self.settings.zip) {
                // What it has become is known now.
                (Some(rotation), Some(_)) => size(&open.file) >= rotation.limit,
                _ => full.is_some(),
            };
            outcome.map_err(|error| self.write_failed(state, &error))?;
            if full {
                self.rotate(state)?;
            }
        }
        Ok(())
    }

    fn write_torn(&self, state: &mut State) -> Result<(), Failure> {
        let State { open: Some(open), torn: Some(torn), .. } = state else { return Ok(()) };
        if identity(&open.file) != torn.file {
            // The file that holds the first part is gone: the line goes whole into the new one.
            torn.done = 0;
            torn.file = identity(&open.file);
        }
        let (written, outcome) = write_all(&mut open.file, &torn.text[torn.done..]);
        torn.done += written;
        if let Err(error) = outcome {
            return Err(self.write_failed(state, &error));
        }
        state.torn = None;
        Ok(())
    }

    fn write_failed(&self, state: &mut State, error: &io::Error) -> Failure {
        let number = state.open.as_ref().map_or(-1, |open| open.file.as_raw_fd());
        let gone = [libc::EIO, libc::ENOTCONN, libc::ESTALE, libc::EBADF, libc::EPIPE];
        if error.raw_os_error().is_some_and(|number| gone.contains(&number)) {
            // A network file system or a pipe's reader went away: the file has to be opened anew.
            state.open = None;
        }
        let text = format!(
            "file '{}'[{number}] write error - see https://www.rsyslog.com/solving-rsyslog-write-errors/ \
             for help OS error: {}",
            self.path.display(),
            reason(error)
        );
        Failure::suspend(2027, text)
    }

    fn ensure_open(&self, state: &mut State) -> Result<(), Failure> {
        let generation = self.settings.generation();
        if let Some(open) = &state.open {
            if open.generation == generation {
                return Ok(());
            }
            // HUP came since: what is held back belongs to the file it was meant for.
            self.finish(state);
        }
        self.open(state)
    }

    fn open(&self, state: &mut State) -> Result<(), Failure> {
        let generation = self.settings.generation();
        if state.stopped == Some(generation) {
            let text = format!("file '{}' is at its size limit", self.path.display());
            return Err(Failure::disable(2126, text));
        }
        let file = open::open(&self.path, &self.settings.creation, &mut state.chown_reported)?;
        self.is_on_disk.store(file.metadata().is_ok_and(|meta| meta.is_file()), Ordering::Relaxed);
        state.open = Some(Open { file, used: false, generation });
        Ok(())
    }

    /// Closes the file, which has reached its limit, and has the command move it away.
    fn rotate(&self, state: &mut State) -> Result<(), Failure> {
        let (Some(rotation), Some(open)) = (&self.settings.rotation, &state.open) else {
            return Ok(());
        };
        let generation = open.generation;
        state.open = None;
        rotation.run(&self.path).inspect_err(|failure| {
            log::error!(code = failure.code; "{failure}");
            state.stopped = Some(generation);
        })
    }

    fn after_write(&self, state: &mut State) -> Result<(), Failure> {
        let Some(open) = &state.open else { return Ok(()) };
        if self.settings.sync {
            match open.file.sync_data() {
                // Pipes and terminals cannot be synchronised.
                Err(error) if !matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EROFS)) => {
                    return Err(self.write_failed(state, &error));
                }
                _ => {}
            }
        }
        if open.generation != self.settings.generation() {
            state.open = None;
        }
        Ok(())
    }

    /// Does `work` under the lock.
    fn locked<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = work(&mut state);
        self.held.store(state.lines_held(), Ordering::Relaxed);
        outcome
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, State>> {
        match self.state.try_lock() {
            Ok(state) => Some(state),
            Err(TryLockError::Poisoned(state)) => Some(state.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl State {
    /// Lines that are taken for written and are not in the file.
    fn lines_held(&self) -> usize {
        self.gathered.len() + self.torn.as_ref().map_or(0, |torn| torn.lines)
    }

    fn holds_lines(&self) -> bool {
        self.lines_held() > 0
    }
}

/// Writes `lines` up to the end of one of them, and forgets what is settled.
fn write_plain(
    file: &mut File,
    lines: &mut Lines,
    end: usize,
    torn: &mut Option<Torn>,
) -> io::Result<()> {
    let (written, outcome) = write_all(file, &lines.text()[..end]);
    if written == lines.text().len() {
        lines.clear();
    } else if let Some((text, done)) = lines.advance(written) {
        *torn = Some(Torn { text, lines: 1, done, file: identity(file) });
    }
    outcome
}

/// Writes all `lines` compressed, and forgets them once a part of that is written.
fn write_packed(
    file: &mut File,
    lines: &mut Lines,
    level: Compression,
    torn: &mut Option<Torn>,
) -> io::Result<()> {
    let text = pack::member(level, lines.text())?;
    let (written, outcome) = write_all(file, &text);
    if written > 0 {
        if written < text.len() {
            let lines = lines.len();
            *torn = Some(Torn { text, lines, done: written, file: identity(file) });
        }
        lines.clear();
    }
    outcome
}

/// Writes until all is written or an error stops it: how much is written, and the error.
fn write_all(file: &mut File, text: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while written < text.len() {
        match file.write(&text[written..]) {
            Ok(0) => return (written, Err(ErrorKind::WriteZero.into())),
            Ok(n) => written += n,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

/// Device and inode of an open file.
fn identity(file: &File) -> (u64, u64) {
    file.metadata().map_or((0, 0), |meta| (meta.dev(), meta.ino()))
}

/// Size of an open file, bytes.
fn size(file: &File) -> u64 {
    file.metadata().map_or(0, |meta| meta.len())
}

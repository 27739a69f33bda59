//! What is measured: the daemon's CPU clock and memory, and the growth of its file.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::time::{ClockId, ClockNanosleepFlags, clock_nanosleep};

use crate::harness::Daemon;

/// A daemon under load. Its file is `out` in its directory.
pub(crate) struct Subject {
    pub(crate) daemon: Daemon,
}

impl Subject {
    /// Starts `program` on `config` and waits until its sockets are bound.
    pub(crate) fn start(program: &Path, config: &str) -> Self {
        Self::start_in(program, config, |_| {})
    }

    /// The same in a directory where `prepare` has put things.
    pub(crate) fn start_in(program: &Path, config: &str, prepare: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::Builder::new().prefix("sluice-bench-").tempdir().expect("temp dir");
        prepare(dir.path());
        let daemon = Daemon::start_program(program, config, &[], dir);
        daemon.unwatch();
        Self { daemon }
    }

    /// File descriptors the daemon holds.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.daemon.pid())).expect("fd").count()
    }

    /// The file the daemon writes.
    pub(crate) fn output(&self) -> PathBuf {
        self.daemon.dir().join("out")
    }

    /// TERM and wait; yields the output for the check, and a complaint when the end was not clean.
    pub(crate) fn stop(self) -> (tempfile::TempDir, Option<String>) {
        self.daemon.signal(Signal::SIGTERM);
        let stopped = self.daemon.join();
        let complaint =
            (!stopped.status.success()).then(|| format!("{}: {}", stopped.status, stopped.stderr));
        (stopped.dir, complaint)
    }
}

/// Follows a file whose lines all have the same length, without reading it.
pub(crate) struct Growth {
    path: PathBuf,
    line: Option<u64>,
}

impl Growth {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, line: None }
    }

    /// Lines in the file now.
    pub(crate) fn lines(&mut self) -> u64 {
        let size = fs::metadata(&self.path).map_or(0, |data| data.len());
        if self.line.is_none() {
            self.line = first_line(&self.path);
        }
        self.line.map_or(0, |line| size / line)
    }

    /// Waits until `lines` lines are there, or nothing has come for `patience`. Returns the lines found and when
    /// the last of them was seen.
    pub(crate) fn wait(&mut self, lines: u64, patience: Duration) -> (u64, Instant) {
        let mut last = (self.lines(), Instant::now());
        loop {
            if last.0 >= lines || last.1.elapsed() > patience {
                return last;
            }
            pause(Duration::from_millis(1));
            let now = self.lines();
            if now > last.0 {
                last = (now, Instant::now());
            }
        }
    }
}

/// Sleeps: a load generator paces itself by the clock.
pub(crate) fn pause(time: Duration) {
    let _ = clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::empty(), &time.into());
}

/// Waits until `done`; false when `patience` ran out first.
pub(crate) fn wait_until(patience: Duration, mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !done() {
        if start.elapsed() > patience {
            return false;
        }
        pause(Duration::from_millis(1));
    }
    true
}

/// Bytes of the first line with its LF, once it is complete.
fn first_line(path: &Path) -> Option<u64> {
    let mut head = Vec::new();
    File::open(path).ok()?.take(4096).read_to_end(&mut head).ok()?;
    head.iter().position(|&byte| byte == b'\n').map(|at| at as u64 + 1)
}

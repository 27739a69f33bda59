//! The termination file, and the guard that aborts a process that hangs.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::super::{Control, End};
use crate::config::diagnostic::REFERENCE_VERSION;
use crate::queue::Interrupt;
use crate::sys::process;

/// How the process came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// By the last step of main.
    Normal,
    /// By the guard.
    Guard,
}

/// The termination file.
#[derive(Clone, Debug)]
pub(super) struct Marker(pub(super) PathBuf);

impl Marker {
    /// Writes the file, which must not be a symbolic link.
    pub(super) fn write(&self, cause: Cause, end: End) -> Result<(), String> {
        let (status, reason, phase) = match cause {
            Cause::Normal => ("ok", "normal", "main-return"),
            Cause::Guard => ("error", "timeoutGuard", "timeoutguard-abort"),
        };
        let text = format!(
            "status={status}\nreason={reason}\npid={}\nsignal={}\nversion={REFERENCE_VERSION}\n\
             phase={phase}\nqueue.overall.size={}\n",
            std::process::id(),
            end.signal,
            end.left
        );
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.custom_flags(libc::O_NOFOLLOW);
        let written = options.open(&self.0).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|why| {
            format!("error writing proper termination file '{}': {why}", self.0.display())
        })
    }
}

/// Aborts the process unless it has ended within `patience`.
///
/// # Errors
/// When the thread cannot be had.
pub(super) fn guard(
    patience: Duration,
    marker: Option<Marker>,
    control: Arc<dyn Control>,
) -> io::Result<()> {
    let expire = move || {
        // Nobody sets it: the thread ends with the process.
        Interrupt::default().wait(patience);
        let text = format!(
            "timeoutGuard: rsyslog still active after expiry of guard period ({} seconds), pid {}; \
             aborting\n",
            patience.as_secs(),
            std::process::id()
        );
        // What cannot be written cannot be told.
        let _ = io::stderr().write_all(text.as_bytes());
        if let Some(marker) = marker {
            let _ = marker.write(Cause::Guard, End { signal: 0, left: control.queued() });
        }
        std::process::abort();
    };
    process::spawn("imdiag guard", expire).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_says_how_it_ended_and_is_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("end");
        let marker = Marker(path.clone());
        std::fs::write(
            &path,
            "something from an earlier run, and longer than what comes".repeat(9),
        )
        .unwrap();
        marker.write(Cause::Normal, End { signal: 15, left: 3 }).unwrap();
        let expected = format!(
            "status=ok\nreason=normal\npid={}\nsignal=15\nversion={REFERENCE_VERSION}\n\
             phase=main-return\nqueue.overall.size=3\n",
            std::process::id()
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);

        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let refused = Marker(link).write(Cause::Guard, End { signal: 0, left: 0 });
        assert!(refused.unwrap_err().starts_with("error writing proper termination file '"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
    }
}

//! The pid file (`spec/local-inputs.md` section 6): decimal number, no newline, written whole or not at all.
//!
//! A start first takes the [`Claim`], a lock on `NAME.tmp`, looks for an old file, and holds the lock until the new one
//! stands: of two that come at the same time one is refused before it has done anything.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::sys::process;

/// The right to write a pid file, which no other process has meanwhile.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    temporary: PathBuf,
    /// `None` once it has become the pid file.
    file: Option<Flock<File>>,
}

/// A written pid file; removed when dropped.
#[derive(Debug)]
pub struct PidFile(PathBuf);

impl Claim {
    /// Refuses while the process named in an old file is alive, or another one is about to write the file. A stale file
    /// is taken over.
    ///
    /// # Errors
    /// The text for the user.
    pub fn take(path: &Path) -> Result<Self, String> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let temporary = PathBuf::from(temporary);
        let shown = path.display();
        let failed = |e: io::Error| format!("error writing pid file '{shown}': {e}");
        let file = loop {
            let file =
                File::options().create(true).append(true).open(&temporary).map_err(failed)?;
            let file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(file) => file,
                Err((_, Errno::EWOULDBLOCK)) => {
                    return Err(refusal(path, "another process that is about to start"));
                }
                Err((_, why)) => return Err(failed(why.into())),
            };
            // The process that had the lock before may have made this file its pid file.
            let identity = |file: &fs::Metadata| (file.dev(), file.ino());
            let own = file.metadata().map_err(failed)?;
            if fs::metadata(&temporary).is_ok_and(|now| identity(&now) == identity(&own)) {
                break file;
            }
        };
        let claim = Self { path: path.to_owned(), temporary, file: Some(file) };
        match other_process(path) {
            Some(pid) => Err(refusal(path, &format!("pid {pid}"))),
            None => Ok(claim),
        }
    }

    /// Writes our pid: temporary file, fsync, rename.
    ///
    /// # Errors
    /// With the path in the text.
    pub fn write(mut self) -> io::Result<PidFile> {
        let Self { path, temporary, file } = &mut self;
        let write = |file: &mut File| {
            file.set_len(0)?;
            write!(file, "{}", std::process::id())?;
            file.sync_all()?;
            fs::rename(&*temporary, &*path)
        };
        // Let go of when it is written, so that nobody else takes the name meanwhile.
        let written = file.as_mut().map_or(Ok(()), |file| write(file));
        written.map_err(|e| {
            let text = format!("error writing pid file '{}': {e}", path.display());
            io::Error::new(e.kind(), text)
        })?;
        *file = None;
        Ok(PidFile(path.clone()))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.file.is_some() {
            // The start has failed. What stays behind does no harm.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // After a privilege drop this may fail; the next start finds a stale file and takes it over.
        let _ = fs::remove_file(&self.0);
    }
}

/// The process that an old file names, if it is alive and not this one.
fn other_process(path: &Path) -> Option<i32> {
    let pid = fs::read_to_string(path).ok()?.trim().parse::<i32>().ok()?;
    let own = i32::try_from(std::process::id()).ok();
    (Some(pid) != own && process::is_alive(pid)).then_some(pid)
}

fn refusal(path: &Path, other: &str) -> String {
    format!(
        "pidfile '{}' and {other} already exist.\nIf you want to run multiple instances, you need to \
         specify different pid files for them (-i option).",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_file_is_taken_over_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        let temporary = dir.path().join("pid.tmp");
        drop(Claim::take(&path).unwrap());
        assert!(!temporary.exists());
        for stale in ["", "garbage", "-1", "2147483647"] {
            fs::write(&path, stale).unwrap();
            // What a start that was killed has left.
            fs::write(&temporary, "12345678").unwrap();
            Claim::take(&path).expect(stale);
        }
        fs::write(&path, "1").unwrap();
        assert!(Claim::take(&path).unwrap_err().contains("pid 1 already exist"));
        assert!(!temporary.exists());
        fs::remove_file(&path).unwrap();
        let file = Claim::take(&path).unwrap().write().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), std::process::id().to_string());
        assert!(!temporary.exists());
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn of_two_starts_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        let first = Claim::take(&path).unwrap();
        assert!(Claim::take(&path).unwrap_err().contains("about to start"));
        let file = first.write().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), std::process::id().to_string());
        drop(file);
        Claim::take(&path).unwrap();
        let nowhere = dir.path().join("no/pid");
        assert!(Claim::take(&nowhere).unwrap_err().contains("error writing pid file"));
    }
}

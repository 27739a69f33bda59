//! The pid file (`spec/local-inputs.md` section 6): decimal number, no newline, written whole or not at all.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::sys::process::is_alive;

/// A written pid file; removed when dropped.
#[derive(Debug)]
pub struct PidFile(PathBuf);

impl PidFile {
    /// Refuses to go on while the process named in an old file is alive. A stale file is taken over.
    ///
    /// # Errors
    /// The text for the user.
    pub fn check(path: &Path) -> Result<(), String> {
        let Ok(old) = fs::read_to_string(path) else { return Ok(()) };
        let Ok(pid) = old.trim().parse::<i32>() else { return Ok(()) };
        let own = i32::try_from(std::process::id()).ok();
        if Some(pid) == own || !is_alive(pid) {
            return Ok(());
        }
        Err(format!(
            "pidfile '{}' and pid {pid} already exist.\nIf you want to run multiple instances, you need to \
             specify different pid files for them (-i option).",
            path.display()
        ))
    }

    /// Writes our pid: temporary file, fsync, rename.
    ///
    /// # Errors
    /// With the path in the text.
    pub fn write(path: &Path) -> io::Result<Self> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let write = || {
            let mut file = fs::File::create(&temporary)?;
            write!(file, "{}", std::process::id())?;
            file.sync_all()?;
            fs::rename(&temporary, path)
        };
        write().map_err(|e| {
            let text = format!("error writing pid file '{}': {e}", path.display());
            io::Error::new(e.kind(), text)
        })?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // After a privilege drop this may fail; the next start finds a stale file and takes it over.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_file_is_taken_over_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        assert_eq!(PidFile::check(&path), Ok(()));
        for stale in ["", "garbage", "-1", "2147483647"] {
            fs::write(&path, stale).unwrap();
            assert_eq!(PidFile::check(&path), Ok(()), "{stale:?}");
        }
        fs::write(&path, "1").unwrap();
        assert!(PidFile::check(&path).unwrap_err().contains("pid 1 already exist"));
        let file = PidFile::write(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), std::process::id().to_string());
        drop(file);
        assert!(!path.exists());
    }
}

//! Replacing a file whole or not at all: whoever opens it finds the old content or the new one, also after a crash.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// What has failed.
#[derive(Debug)]
pub struct Failed {
    /// In which step.
    pub step: Step,
    /// The path of that step.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

/// The steps of a replacement that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Creating the temporary file.
    Create,
    /// Writing it, to the disk.
    Write,
    /// Giving it the name of the file.
    Rename,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = match self.step {
            Step::Create => "create",
            Step::Write => "write",
            Step::Rename => "rename",
        };
        write!(f, "cannot {step} '{}': {}", self.path.display(), self.error)
    }
}

/// The file that becomes `path` in the end.
#[must_use]
pub fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    name.into()
}

/// Replaces `path` by what `write` writes: a temporary file beside it, synced, then renamed, then the directory
/// synced as far as that goes. `mode` is that of the new file, before the umask. A symbolic link at `path` is
/// replaced, not followed; one at the temporary file's name is an error.
///
/// # Errors
/// `path` is as it was then, and the temporary file is gone.
pub fn replace(
    path: &Path,
    mode: u32,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), Failed> {
    let temporary = temporary(path);
    let failed = |step, path: &Path, error| Failed { step, path: path.to_owned(), error };
    let file = create(&temporary, mode).map_err(|error| failed(Step::Create, &temporary, error))?;
    let mut out = BufWriter::with_capacity(BUFFER, file);
    let written =
        write(&mut out).and_then(|()| out.flush()).and_then(|()| out.get_ref().sync_all());
    // A buffer that could not be written must not be tried again when it is dropped.
    let (file, _) = out.into_parts();
    drop(file);
    let renamed = match written {
        Err(error) => Err(failed(Step::Write, &temporary, error)),
        Ok(()) => fs::rename(&temporary, path).map_err(|error| failed(Step::Rename, path, error)),
    };
    if renamed.is_err() {
        // It failed already; what cannot be removed either is overwritten next time.
        let _ = fs::remove_file(&temporary);
        return renamed;
    }
    // Some file systems cannot sync a directory; the rename stands without, only not through a crash of the machine.
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let _ = File::open(directory.unwrap_or(Path::new("."))).and_then(|dir| dir.sync_all());
    Ok(())
}

/// A name that is not taken yet for what is no such file and must not be overwritten; `stamp` says when.
#[must_use]
pub fn aside(path: &Path, stamp: &str) -> PathBuf {
    let named = |tail: String| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".corrupt-{stamp}{tail}"));
        PathBuf::from(name)
    };
    let taken = |path: &PathBuf| path.symlink_metadata().is_ok();
    let tails = (1..1000).map(|n| named(format!("-{n}")));
    let mut names = std::iter::once(named(String::new())).chain(tails);
    names.find(|name| !taken(name)).unwrap_or_else(|| named("-more".to_owned()))
}

fn create(temporary: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    // O_NONBLOCK: a pipe in its place must not hold us up.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    options.write(true).create(true).truncate(true).mode(mode).custom_flags(flags);
    let file = options.open(temporary)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is something else"));
    }
    Ok(file)
}

/// Bytes written at once.
const BUFFER: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn text(path: &Path, text: &[u8]) -> Result<(), Failed> {
        replace(path, 0o644, |out| out.write_all(text))
    }

    #[test]
    fn what_is_set_aside_replaces_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("state");
        let first = aside(&path, "19700101T000000");
        fs::write(&first, "1").expect("written");
        let second = aside(&path, "19700101T000000");
        assert!(first.ends_with("state.corrupt-19700101T000000") && first != second);
    }

    #[test]
    fn a_file_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        for round in ["one", "two"] {
            text(&path, round.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), round);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failure_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        fs::write(&path, "old").unwrap();
        let failed = replace(&path, 0o644, |out| {
            out.write_all(b"new")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(failed.unwrap_err().step, Step::Write);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert!(!temporary(&path).exists());

        fs::write(dir.path().join("victim"), "mine").unwrap();
        symlink(dir.path().join("victim"), temporary(&path)).unwrap();
        assert_eq!(text(&path, b"new").unwrap_err().step, Step::Create);
        assert_eq!(fs::read_to_string(dir.path().join("victim")).unwrap(), "mine");
        fs::remove_file(temporary(&path)).unwrap();

        let pipe = nix::unistd::mkfifo(&temporary(&path), nix::sys::stat::Mode::S_IRWXU);
        pipe.unwrap();
        assert_eq!(text(&path, b"new").unwrap_err().step, Step::Create);
        fs::remove_file(temporary(&path)).unwrap();

        let directory = dir.path().join("d");
        fs::create_dir_all(directory.join("full")).unwrap();
        let failed = text(&directory, b"new").unwrap_err();
        assert_eq!(failed.step, Step::Rename);
        assert!(failed.to_string().contains("/d'"), "{failed}");
    }

    #[test]
    fn a_link_is_replaced_and_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, target) = (dir.path().join("f"), dir.path().join("target"));
        fs::write(&target, "old").unwrap();
        symlink(&target, &path).unwrap();
        text(&path, b"new").unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "old");
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
    }
}

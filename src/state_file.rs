//! A state file: read when the daemon is built, replaced as a whole from time to time and at the end.
//!
//! What is there and is no such file is never overwritten: it is set aside under another name when the daemon starts,
//! and if that cannot be done, or it is no file at all, nothing is written. What is in a file is its owner's matter.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Read as _, Take};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::message::date;
use crate::sys::replace::{self, Step};
use crate::sys::{clock, process};

/// A state file, and what is known of its place.
pub struct StateFile {
    /// What it is, for messages: `omsendertrack: statefile`.
    what: &'static str,
    path: PathBuf,
    /// Of a new file, before the umask.
    mode: u32,
    found: Found,
    /// What failed last, so that it is not said again.
    failure: Option<(Step, ErrorKind)>,
}

/// What is in the place of a state file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// A state file, or nothing.
    Replaceable,
    /// Something that must be set aside first.
    Other,
    /// Something that could not be, or that is no file at all: somebody needs it where it is.
    Stuck,
}

/// Why a file could not be read to its end.
#[derive(Debug)]
pub enum Unreadable {
    /// It is no such file; a part of a sentence that begins with "it".
    Corrupt(String),
    /// It cannot be read.
    Io(io::Error),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl StateFile {
    /// A file at `path` that may have `most` bytes, with what `read` makes of it: `None` where there is none, a
    /// sentence for the operator where it cannot be read. `what` names its kind in messages. Changes nothing outside.
    pub fn read<T>(
        what: &'static str,
        path: PathBuf,
        mode: u32,
        most: u64,
        read: impl FnOnce(Take<File>) -> Result<T, Unreadable>,
    ) -> (Self, Result<Option<T>, String>) {
        let mut file = Self { what, path, mode, found: Found::Other, failure: None };
        let starts = "starting without any previous data";
        let outcome = match open(&file.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Ok(None)),
            Err(error) => Ok(Err(Unreadable::Io(error))),
            Ok((_, metadata)) if !metadata.is_file() => {
                file.found = Found::Stuck;
                Err("is not a regular file; it is left alone, and nothing is written".to_owned())
            }
            Ok((_, metadata)) if metadata.len() > most => {
                Err(format!("has more than {most} bytes; {starts}"))
            }
            Ok((input, _)) => Ok(read(input.take(most)).map(Some)),
        };
        let outcome = outcome.and_then(|outcome| {
            outcome.map_err(|why| match why {
                Unreadable::Corrupt(why) => format!("is corrupt: it {why}; {starts}"),
                Unreadable::Io(error) => format!(
                    "cannot be read: {error} (user id {}); {starts}. Check the permissions of the file and of its \
                     directory",
                    user()
                ),
            })
        });
        if outcome.is_ok() {
            file.found = Found::Replaceable;
        }
        let named = outcome.map_err(|text| format!("{} {text}", file.shown()));
        (file, named)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its kind and its path, for messages.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{} '{}'", self.what, self.path.display())
    }

    /// Renames what is in its place and is no such file. Once, when the daemon starts.
    pub fn set_aside(&mut self) {
        if self.found != Found::Other {
            return;
        }
        let aside = replace::aside(&self.path, &date::stamp(clock::now_secs()));
        let (shown, aside_shown) = (self.shown(), aside.display());
        match fs::rename(&self.path, &aside) {
            Ok(()) => {
                self.found = Found::Replaceable;
                log::error!("{shown} was set aside as '{aside_shown}'");
            }
            Err(error) => {
                self.found = Found::Stuck;
                log::error!(
                    "{shown} cannot be set aside as '{aside_shown}': {error} (user id {}); it is left as it is, and \
                     nothing is written",
                    user()
                );
            }
        }
    }

    /// Whether it may be written at all.
    #[must_use]
    pub fn is_replaceable(&self) -> bool {
        self.found == Found::Replaceable
    }

    /// Replaces the file by what `write` writes, if it [may be](Self::is_replaceable); whether that was done. What
    /// fails is said once, until it is another failure or it works again.
    pub fn save(&mut self, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> bool {
        if !self.is_replaceable() {
            return false;
        }
        match replace::replace(&self.path, self.mode, write) {
            Ok(()) => {
                if self.failure.take().is_some() {
                    log::info!("{} is written again", self.shown());
                }
                true
            }
            Err(failed) => {
                let what = Some((failed.step, failed.error.kind()));
                if std::mem::replace(&mut self.failure, what) != what {
                    log::error!(
                        "{} is not written: {failed} (user id {}). Check space and permissions of its directory; \
                         counting goes on, and it is tried again",
                        self.shown(),
                        user()
                    );
                }
                false
            }
        }
    }
}

fn open(path: &Path) -> io::Result<(File, fs::Metadata)> {
    // A pipe in its place must not hold us up.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

fn user() -> u32 {
    process::effective_ids().0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::unix::fs::symlink;

    /// A file that is good if it begins with `good`.
    fn file(path: &Path) -> (StateFile, Result<Option<usize>, String>) {
        StateFile::read("x: file", path.to_owned(), 0o640, 10, |mut input| {
            let mut text = String::new();
            input.read_to_string(&mut text)?;
            let good = text.starts_with("good");
            if good { Ok(text.len()) } else { Err(Unreadable::Corrupt("is bad".to_owned())) }
        })
    }

    fn write(file: &mut StateFile) -> bool {
        file.save(|out| out.write_all(b"good"))
    }

    fn names(dir: &Path) -> usize {
        fs::read_dir(dir).expect("readable").count()
    }

    #[test]
    fn a_good_file_or_none_is_replaced() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("f");
        for found in [None, Some(4)] {
            let (mut file, read) = file(&path);
            assert_eq!(read, Ok(found));
            file.set_aside();
            assert!(write(&mut file));
            assert_eq!((fs::read(&path).expect("there"), names(dir.path())), (b"good".into(), 1));
        }
    }

    #[test]
    fn what_is_no_such_file_is_set_aside_and_said() {
        for (text, said) in [
            ("bad", "is corrupt: it is bad; starting without any previous data"),
            ("good, but long", "has more than 10 bytes; starting without any previous data"),
        ] {
            let dir = tempfile::tempdir().expect("a directory");
            let path = dir.path().join("f");
            fs::write(&path, text).expect("written");
            let (mut file, read) = file(&path);
            assert_eq!(read, Err(format!("x: file '{}' {said}", path.display())));
            assert!(!write(&mut file), "not before it is set aside");
            assert_eq!(fs::read_to_string(&path).expect("there"), text);
            file.set_aside();
            assert!(write(&mut file));
            assert_eq!((fs::read(&path).expect("there"), names(dir.path())), (b"good".into(), 2));
        }
    }

    #[test]
    fn what_is_no_file_at_all_stays() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("f");
        symlink("/dev/null", &path).expect("linked");
        let (mut file, read) = file(&path);
        assert!(read.is_err_and(|text| text.contains("is not a regular file; it is left alone")));
        file.set_aside();
        assert!(!file.is_replaceable() && !write(&mut file));
        assert!(path.is_symlink() && names(dir.path()) == 1);
    }

    #[test]
    fn a_failure_is_kept_until_it_works_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut file, _) = file(&dir.path().join("sub/f"));
        assert!(!write(&mut file) && !write(&mut file));
        assert_eq!(file.failure, Some((Step::Create, ErrorKind::NotFound)));
        fs::create_dir(dir.path().join("sub")).expect("created");
        assert!(write(&mut file) && file.failure.is_none());
    }
}

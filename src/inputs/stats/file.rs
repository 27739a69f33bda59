//! `log.file`: each round is appended in one write, or replaces the file as a whole.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Mode of files that are made.
const MODE: u32 = 0o600;
/// Names that are tried for a temporary file.
const NAMES: usize = 8;

/// The file.
pub(super) struct LogFile {
    path: PathBuf,
    overwrite: bool,
    /// Open from the first round after the start or a HUP on.
    file: Option<File>,
    /// Whether the last round could not be written, and that was said.
    failed: bool,
}

impl LogFile {
    pub(super) fn new(path: PathBuf, overwrite: bool) -> Self {
        Self { path, overwrite, file: None, failed: false }
    }

    /// Closes the file; the next round makes it anew where it was moved away.
    pub(super) fn hup(&mut self) {
        self.file = None;
    }

    /// Writes a round. What goes wrong is logged once, until it works again.
    pub(super) fn write(&mut self, text: &[u8]) {
        let written = if self.overwrite { replace(&self.path, text) } else { self.append(text) };
        match written {
            Ok(()) => self.failed = false,
            Err(why) => {
                self.file = None;
                if !std::mem::replace(&mut self.failed, true) {
                    let path = self.path.display();
                    log::error!(
                        "impstats: cannot write stats file {path}: {why} - its reports are lost until that is \
                         mended"
                    );
                }
            }
        }
    }

    fn append(&mut self, text: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let open = OpenOptions::new().append(true).create(true).mode(MODE).open(&self.path);
                self.file.insert(open?)
            }
        };
        file.write_all(text)
    }
}

/// Puts a new file in the place of an old one: whoever reads sees either.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let (temporary, mut file) = create_beside(path)?;
    let written = file.write_all(text).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // What cannot be renamed need not stay; if it cannot be removed either, the error above says enough.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// A new file beside `path`, as mkstemp(3) makes it, but closed in children.
fn create_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for _ in 0..NAMES {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".tmp.{:06x}", RandomState::new().build_hasher().finish() & 0xff_ffff));
        let open = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&name);
        match open {
            Ok(file) => return Ok((name.into(), file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn rounds_are_appended_and_a_file_that_was_moved_is_made_anew_after_hup() {
        let dir = tempfile::tempdir().expect("made");
        let path = dir.path().join("stats");
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).expect("read");
        let mut file = LogFile::new(path.clone(), false);
        file.write(b"a\n");
        file.write(b"b\n");
        fs::rename(&path, dir.path().join("old")).expect("moved");
        file.write(b"c\n");
        assert_eq!(read("old"), "a\nb\nc\n");
        file.hup();
        file.write(b"d\n");
        assert_eq!((read("old"), read("stats")), ("a\nb\nc\n".into(), "d\n".into()));
        assert_eq!(fs::metadata(path).expect("there").permissions().mode() & 0o777, MODE);
    }

    #[test]
    fn a_file_that_is_replaced_holds_one_round_and_leaves_nothing_beside() {
        let dir = tempfile::tempdir().expect("made");
        let path = dir.path().join("stats");
        let mut file = LogFile::new(path.clone(), true);
        for round in ["a\n", "b\n"] {
            file.write(round.as_bytes());
            assert_eq!(fs::read_to_string(&path).expect("read"), round);
        }
        assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 1);
        assert_eq!(fs::metadata(path).expect("there").permissions().mode() & 0o777, MODE);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_tried_again() {
        let dir = tempfile::tempdir().expect("made");
        for overwrite in [false, true] {
            let path = dir.path().join(format!("{overwrite}/stats"));
            let mut file = LogFile::new(path.clone(), overwrite);
            file.write(b"a\n");
            assert!(file.failed);
            fs::create_dir(path.parent().expect("a parent")).expect("made");
            file.write(b"b\n");
            assert!(!file.failed);
            assert_eq!(fs::read_to_string(path).expect("read"), "b\n");
        }
    }
}

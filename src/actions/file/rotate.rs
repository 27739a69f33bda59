//! `rotation.sizeLimit` and `$outchannel`: what happens to a file that has reached its size.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::actions::Failure;
use crate::actions::execute::execute;
use crate::sys::children::Exits;

/// The limit and what to do about it.
#[derive(Debug)]
pub(super) struct Rotation {
    /// Bytes; a file of this size or more takes one more line and is rotated.
    pub(super) limit: u64,
    /// `ioBufferSize`, bytes: how often the size is looked at within a batch.
    pub(super) buffer: usize,
    /// The configured command: a program up to the first blank, then one argument.
    pub(super) command: Option<Vec<u8>>,
    /// Whether the file's path is added as an argument.
    pub(super) pass_file_name: bool,
    /// How the command's end is told.
    pub(super) exits: Exits,
}

impl Rotation {
    /// The end of the line after which a file of `size` bytes is rotated; `None` if it takes all lines, which
    /// end at `ends`.
    ///
    /// As in the reference, a line goes through a buffer first, and it is then that the size is looked at: what
    /// the buffer holds does not count yet, and the line itself still goes into the old file. A file that is not
    /// `used`, not written to since it was opened, has no size before the buffer is full for the first time.
    pub(super) fn end(&self, size: u64, used: bool, ends: &[usize]) -> Option<usize> {
        ends.iter().copied().find(|end| {
            let flushed = end - end % self.buffer.max(1);
            (used || flushed > 0) && size.saturating_add(flushed as u64) >= self.limit
        })
    }

    /// Runs the command for the (closed) file at `path` and looks whether it helped.
    ///
    /// # Errors
    /// There is no command, or the file is still there and as large as before.
    pub(super) fn run(&self, path: &Path) -> Result<(), Failure> {
        let name = path.display();
        let Some(command) = &self.command else {
            let text = format!("file size limit cmd for file '{name}' failed with code -2125.");
            return Err(Failure::disable(3000, text));
        };
        let (program, argument) = match command.iter().position(|&byte| byte == b' ') {
            Some(blank) => (&command[..blank], Some(&command[blank + 1..])),
            None => (command.as_slice(), None),
        };
        let arguments = argument.map(|argument| OsStr::from_bytes(argument).to_owned());
        let file = self.pass_file_name.then(|| named(path).into_os_string());
        let arguments: Vec<OsString> = arguments.into_iter().chain(file).collect();
        if let Err(error) = execute(OsStr::from_bytes(program), &arguments, self.exits) {
            let program = String::from_utf8_lossy(program);
            log::error!(code = 3000; "file size limit cmd '{program}' for file '{name}': {error}");
        }
        match std::fs::metadata(path) {
            Ok(meta) if meta.len() >= self.limit => {
                let text =
                    format!("file size limit cmd for file '{name}' did no resolve situation");
                Err(Failure::disable(3000, text))
            }
            _ => Ok(()),
        }
    }
}

/// The path as the command gets it: with a directory, be it only `./`.
fn named(path: &Path) -> PathBuf {
    let bare = path.parent().is_none_or(|parent| parent.as_os_str().is_empty());
    if bare { Path::new(".").join(path) } else { path.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_gets_its_directory() {
        assert_eq!(named(Path::new("log")), Path::new("./log"));
        assert_eq!(named(Path::new("a/log")), Path::new("a/log"));
        assert_eq!(named(Path::new("/log")), Path::new("/log"));
    }

    #[test]
    fn a_full_file_takes_one_more_line() {
        let rotation = Rotation {
            limit: 10,
            buffer: 6,
            command: None,
            pass_file_name: true,
            exits: Exits::Errors,
        };
        let ends = [4, 8, 12, 16];
        let rows = [
            ((0, true), Some(12)),
            ((3, true), Some(12)),
            ((4, true), Some(8)),
            ((9, true), Some(8)),
            ((10, true), Some(4)),
            ((11, true), Some(4)),
            ((11, false), Some(8)),
        ];
        for ((size, used), end) in rows {
            assert_eq!(rotation.end(size, used, &ends), end, "at size {size}, used: {used}");
        }
        assert_eq!(rotation.end(0, true, &[3, 9]), None);
        assert_eq!(rotation.end(10, false, &[3]), None);
        assert_eq!(rotation.end(10, true, &[]), None);
    }
}

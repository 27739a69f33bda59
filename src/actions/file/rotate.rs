//! `rotation.sizeLimit` and `$outchannel`: what happens to a file that has reached its size.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::actions::Failure;

/// The limit and what to do about it.
#[derive(Debug)]
pub(super) struct Rotation {
    /// Bytes; a file of this size or more is rotated.
    pub(super) limit: u64,
    /// The configured command: a program up to the first blank, then one argument.
    pub(super) command: Option<Vec<u8>>,
    /// Whether the file's path is added as an argument.
    pub(super) pass_file_name: bool,
}

impl Rotation {
    /// How many bytes of lines ending at `ends` go into a file of `size` bytes before it must be rotated:
    /// up to and with the line that reaches the limit. Unlike the reference's buffers, which cut in
    /// mid-line, a line stays whole.
    pub(super) fn room(&self, size: u64, ends: &[usize]) -> usize {
        let left = usize::try_from(self.limit.saturating_sub(size)).unwrap_or(usize::MAX);
        let line = ends.partition_point(|&end| end < left).min(ends.len().saturating_sub(1));
        ends.get(line).copied().unwrap_or(0)
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
        let mut process = Command::new(OsStr::from_bytes(program));
        process.args(argument.map(OsStr::from_bytes)).stdin(Stdio::null());
        if self.pass_file_name {
            process.arg(path);
        }
        if let Err(error) = process.status() {
            // ECHILD: the control thread reaped the program first; the file's size tells how it went.
            if error.raw_os_error() != Some(libc::ECHILD) {
                let program = String::from_utf8_lossy(program);
                log::error!(code = 3000; "file size limit cmd '{program}' for file '{name}': {error}");
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_reaches_the_limit_is_the_last() {
        let rotation = Rotation { limit: 10, command: None, pass_file_name: true };
        let ends = [4, 8, 12];
        for (size, bytes) in [(0, 12), (2, 8), (3, 8), (6, 4), (9, 4), (10, 4), (11, 4)] {
            assert_eq!(rotation.room(size, &ends), bytes, "at size {size}");
        }
        assert_eq!(rotation.room(0, &[3]), 3);
        assert_eq!(rotation.room(0, &[]), 0);
    }
}

//! `action.errorfile`: one JSON line for each message an action gives up.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::message::json;

/// The file, opened with the first message.
#[derive(Debug)]
pub(super) struct ErrorFile {
    path: PathBuf,
    /// Largest size in bytes; 0 is no limit.
    limit: u64,
    state: Mutex<State>,
    /// HUP has come: the file is to be opened anew. A lock of its own, never held during I/O.
    stale: Mutex<bool>,
}

#[derive(Debug, Default)]
struct State {
    file: Option<File>,
    size: u64,
    line: Vec<u8>,
}

impl ErrorFile {
    pub(super) fn new(path: PathBuf, limit: u64) -> Self {
        Self { path, limit, state: Mutex::default(), stale: Mutex::default() }
    }

    /// Adds a line; `status` is rsyslog's return code without its sign. The reference cuts the line that would exceed
    /// the limit, and so do we.
    pub(super) fn write(&self, action: &str, status: u16, text: &[u8]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut *self.stale.lock().unwrap_or_else(PoisonError::into_inner)) {
            state.file = None;
        }
        if state.file.is_none() && !self.open(action, &mut state) {
            return;
        }
        let State { file: Some(file), size, line } = &mut *state else { return };
        line.clear();
        line.extend_from_slice(b"{ \"action\": \"");
        json::escape(action.as_bytes(), line);
        line.extend_from_slice(
            format!("\", \"status\": {}, \"template0\": \"", -i32::from(status)).as_bytes(),
        );
        json::escape(text, line);
        line.extend_from_slice(b"\" }\n");
        if self.limit > 0 {
            let room = usize::try_from(self.limit.saturating_sub(*size)).unwrap_or(usize::MAX);
            if room < line.len() {
                line.truncate(room);
                if let Some(last) = line.last_mut() {
                    *last = b'\n';
                }
            }
        }
        *size += line.len() as u64;
        if let Err(error) = file.write_all(line) {
            let path = self.path.display();
            log::error!(code = 2027; "action {action}: error writing errorFile {path}: {error}");
        }
    }

    /// HUP: the file is opened again with the next message. Does not wait for a write that is stuck.
    pub(super) fn reopen(&self) {
        *self.stale.lock().unwrap_or_else(PoisonError::into_inner) = true;
        if let Ok(mut state) = self.state.try_lock() {
            state.file = None;
        }
    }

    fn open(&self, action: &str, state: &mut State) -> bool {
        let opened = OpenOptions::new().append(true).create(true).mode(0o660).open(&self.path);
        match opened {
            Ok(file) => {
                state.size = file.metadata().map_or(0, |meta| meta.len());
                state.file = Some(file);
                true
            }
            Err(error) => {
                let path = self.path.display();
                log::error!(code = 3000; "action {action}: error opening error file {path}: {error}");
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_per_message_up_to_the_limit() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("errors");
        ErrorFile::new(path.clone(), 0).write("a", 2007, b"say \"hi\"\n");
        let line =
            "{ \"action\": \"a\", \"status\": -2007, \"template0\": \"say \\\"hi\\\"\\n\" }\n";
        assert_eq!(std::fs::read_to_string(&path).expect("the file"), line);
        let file = ErrorFile::new(path.clone(), line.len() as u64 + 4);
        for _ in 0..3 {
            file.write("b", 0, b"x");
        }
        assert_eq!(std::fs::read_to_string(&path).expect("the file"), format!("{line}{{ \"\n"));
        std::fs::remove_file(&path).expect("removed");
        file.write("b", 0, b"x");
        assert!(!path.exists());
        file.reopen();
        file.write("b", 0, b"x");
        assert!(path.exists());
    }
}

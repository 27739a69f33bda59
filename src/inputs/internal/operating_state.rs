//! `operatingStateFile`: what the daemon has to say about itself, and whether it ended well. A file of the last run that
//! does not end in `CLEAN CLOSE` is kept beside the new one.
//!
//! ```text
//! 20261121-195022: STATE INITIALIZING 8.2608.0
//! 20261121-195022: MSG   could not bind to port 514
//! 20261121-195101: STATE CLEAN CLOSE
//! ```

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::config::diagnostic::REFERENCE_VERSION;
use crate::message::{Time, Zone};
use crate::sync::{Mutex, lock};
use crate::sys::clock;

static FILE: Mutex<Option<File>> = Mutex::new(None);

/// What the file of a daemon that ended well ends in.
const CLEAN: &str = "CLEAN CLOSE";
/// Bytes of a line.
const LINE_BYTES: usize = 1023;

/// Begins the file; looks at the one that is there first.
pub fn open(path: &Path) {
    let shown = path.display();
    if let Err(why) = check(path) {
        // That it has no end was said when the configuration was checked.
        if !is_too_short(path) {
            log::error!("{why}");
        }
        let previous = PathBuf::from(format!("{shown}.previous"));
        match std::fs::rename(path, &previous) {
            Ok(()) => log::info!(
                "existing state file '{shown}' renamed to '{}' - you may want to review it",
                previous.display()
            ),
            Err(e) => log::error!(
                "could not rename existing operatingStateFile '{shown}' to '{}': {e} - ignored",
                previous.display()
            ),
        }
    }
    let mut options = OpenOptions::new();
    match options.append(true).create(true).mode(0o660).open(path) {
        Ok(file) => *lock(&FILE) = Some(file),
        Err(e) => {
            log::error!("error opening operatingStateFile '{shown}' for write: {e} - ignoring it");
        }
    }
    write("STATE", &format!("INITIALIZING {REFERENCE_VERSION}"));
}

/// Ends it.
pub fn close() {
    write("STATE", CLEAN);
    *lock(&FILE) = None;
}

/// Adds a message.
pub(super) fn message(text: &str) {
    write("MSG", text);
}

/// Whether there is a file that is too short for any end, as an empty one is.
#[must_use]
pub fn is_too_short(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= CLEAN.len() as u64)
}

/// Whether the file that is there, if any, ends as it should; else why not.
fn check(path: &Path) -> Result<(), String> {
    let shown = path.display();
    let text = match tail(path) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(format!("error reading existing operatingStateFile '{shown}': {e}")),
    };
    let text = String::from_utf8_lossy(&text);
    let last = text.lines().next_back().unwrap_or_default();
    if text.ends_with('\n') && last.ends_with(CLEAN) {
        return Ok(());
    }
    Err(format!(
        "existing operatingStateFile '{shown}' does not end with '{CLEAN}', instead it has '{last}' - this probably \
         indicates an improper shutdown"
    ))
}

/// The last bytes of a file, more than its last line.
fn tail(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let before = file.metadata()?.len().saturating_sub(2 * LINE_BYTES as u64);
    file.seek(SeekFrom::Start(before))?;
    let mut text = Vec::new();
    file.take(2 * LINE_BYTES as u64).read_to_end(&mut text)?;
    Ok(text)
}

fn write(tag: &str, text: &str) {
    let mut file = lock(&FILE);
    let Some(file) = &mut *file else { return };
    let zone = Zone::at(clock::now_secs(), clock::local_offset);
    let Time { year, month, day, hour, minute, second, .. } =
        Time::from_epoch_usec(clock::now_usec(), &zone);
    let mut line = format!(
        "{year}{month:02}{day:02}-{hour:02}{minute:02}{second:02}: {tag:5} {}",
        text.replace('\n', " ")
    );
    let end = (0..=LINE_BYTES - 1).rev().find(|&n| line.is_char_boundary(n)).unwrap_or(0);
    line.truncate(end);
    line.push('\n');
    if let Err(e) = file.write_all(line.as_bytes()) {
        // Not by the log, which would come back here.
        let _ =
            writeln!(io::stderr(), "rsyslogd: error writing operating state file: {e} - line lost");
    }
}

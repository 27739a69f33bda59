//! Debug output (`-d`, SIGUSR1, `$DebugLevel`): to standard error, and to the file of `debug.logFile`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::OnceLock;

use log::LevelFilter;

use crate::sync::{Mutex, lock};
use crate::sys::clock;

/// Where debug output goes beside standard error.
static FILE: Mutex<Option<File>> = Mutex::new(None);

/// Takes this file from now on, emptied.
///
/// # Errors
/// When it cannot be opened.
pub(super) fn open(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    *lock(&FILE) = Some(file);
    Ok(())
}

/// Writes to all who get debug output. Nobody can be told where it cannot be written.
pub fn write(text: &[u8]) {
    let _ = io::stderr().write_all(text);
    if let Some(file) = &mut *lock(&FILE) {
        let _ = file.write_all(text);
    }
}

/// The lines of debug output: time and thread, then the text, like rsyslogd's.
pub(super) fn logger() -> &'static env_logger::Logger {
    static LOGGER: OnceLock<env_logger::Logger> = OnceLock::new();
    LOGGER.get_or_init(|| {
        env_logger::Builder::new()
            .filter_level(LevelFilter::Trace)
            .target(env_logger::Target::Pipe(Box::new(Outputs)))
            .format(|out, record| {
                let now = clock::now_usec();
                let (seconds, micros) = (now.div_euclid(1_000_000), now.rem_euclid(1_000_000));
                let thread = std::thread::current();
                let thread = thread.name().unwrap_or("?");
                writeln!(out, "{seconds}.{micros:06}:{thread:<15}: {}", record.args())
            })
            .build()
    })
}

/// [`write()`], as a writer.
struct Outputs;

impl Write for Outputs {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        write(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

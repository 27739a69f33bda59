//! Whether the files are there that `global()` names. Looked at when the configuration is read, so that a check of it
//! says so as well; nothing is written.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access};

use crate::config::{Config, Diagnostics};
use crate::inputs::internal::operating_state;
use crate::param::Problem;

/// The files that TLS reads, and what the reference calls them.
const READ: [(&str, &str); 4] = [
    ("defaultNetstreamDriverCAFile", " file"),
    ("defaultNetstreamDriverCRLFile", " file"),
    ("defaultNetstreamDriverKeyFile", ""),
    ("defaultNetstreamDriverCertFile", ""),
];

/// The files that are written.
const WRITTEN: [&str; 2] = ["operatingStateFile", "debug.logFile"];

/// The reference's code of a file that cannot be opened.
const NO_FILE_ACCESS: u16 = 2039;

/// The reference's code of a file that cannot be read as it should.
const IO_ERROR: u16 = 2027;

/// Reports the files that cannot be used.
pub(super) fn check(config: &Config, diagnostics: &mut Diagnostics) {
    let globals = &config.globals;
    let path = |name| globals.args.str(name).map(|path| Path::new(OsStr::from_bytes(path)));
    for (name, what) in READ {
        let Some(path) = path(name) else { continue };
        if let Err(why) = access(path, AccessFlags::R_OK) {
            let text = format!(
                "error: {}{what} '{}' could not be accessed: {}",
                name.to_ascii_lowercase(),
                path.display(),
                why.desc()
            );
            let problem = Problem::error(text).code(NO_FILE_ACCESS).at(name);
            diagnostics.push(globals.diagnose(&problem));
        }
    }
    check_last_run(config, diagnostics);
    for name in WRITTEN {
        let Some(path) = path(name) else { continue };
        if let Err(why) = writable(path) {
            let text = match name {
                "operatingStateFile" => format!(
                    "error opening operatingStateFile '{}' for write - ignoring it: {}",
                    path.display(),
                    why.desc()
                ),
                _ => format!("debug log file '{}' could not be opened", path.display()),
            };
            diagnostics.push(globals.diagnose(&Problem::error(text).at(name).help(why.desc())));
        }
    }
}

/// Reports a file of the last run that has no end.
fn check_last_run(config: &Config, diagnostics: &mut Diagnostics) {
    const NAME: &str = "operatingStateFile";
    let Some(path) = config.globals.args.str(NAME) else { return };
    let path = Path::new(OsStr::from_bytes(path));
    if operating_state::is_too_short(path) {
        let text = format!(
            "error seeking to end of existing operatingStateFile '{}' - this may be an indication of a problem, \
             e.g. empty file: Invalid argument",
            path.display()
        );
        let problem = Problem::error(text).code(IO_ERROR).at(NAME);
        diagnostics.push(config.globals.diagnose(&problem));
    }
}

/// Whether the file could be opened for writing, or made.
fn writable(path: &Path) -> Result<(), Errno> {
    match access(path, AccessFlags::W_OK) {
        Err(Errno::ENOENT) if path.as_os_str().is_empty() => Err(Errno::ENOENT),
        Err(Errno::ENOENT) => {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            access(parent.unwrap_or(Path::new(".")), AccessFlags::W_OK | AccessFlags::X_OK)
        }
        found => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_can_be_written_where_its_directory_is() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(writable(&dir.path().join("new")), Ok(()));
        assert_eq!(writable(&dir.path().join("no/new")), Err(Errno::ENOENT));
        assert_eq!(writable(Path::new("")), Err(Errno::ENOENT));
        assert!(!dir.path().join("new").exists(), "it is only asked");
    }
}

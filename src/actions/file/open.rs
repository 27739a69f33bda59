//! Opens output files for appending: creates what is missing and gives it its owner and mode.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, chown, fchown};
use std::path::Path;

use crate::actions::{Failure, reason};

/// What files and directories are created with.
#[derive(Debug)]
pub(super) struct Creation {
    /// Mode of new files, before the umask.
    pub(super) file_mode: u32,
    /// Mode of new directories, before the umask.
    pub(super) dir_mode: u32,
    /// Owner and group of new files; `None` leaves them.
    pub(super) file_owner: (Option<u32>, Option<u32>),
    /// Owner and group of new directories.
    pub(super) dir_owner: (Option<u32>, Option<u32>),
    /// Whether missing parent directories are made.
    pub(super) dirs: bool,
    /// Whether a path that is a symbolic link is opened.
    pub(super) follow_symlinks: bool,
    /// Whether it is said when one is followed.
    pub(super) warn_of_symlinks: bool,
    /// Whether an owner that cannot be set is reported as error, else as warning.
    pub(super) chown_failure_is_error: bool,
}

/// Opens `path` for appending. `chown_reported` keeps a failing owner from being reported twice.
///
/// # Errors
/// A suspension whose text names the path, the error and the user id.
pub(super) fn open(
    path: &Path,
    creation: &Creation,
    chown_reported: &mut bool,
) -> Result<File, Failure> {
    let failed = |error: &io::Error| {
        let code = if error.kind() == ErrorKind::NotFound { 2040 } else { 2433 };
        let text = format!("file '{}': open error: {}", path.display(), reason(error));
        Failure::suspend(code, text)
    };
    if creation.warn_of_symlinks && path.is_symlink() {
        log::warn!(
            "omfile: following symbolic link output file '{}'; set action(type=\"omfile\" followSymlinks=\"off\") or \
             global(compatibility.defaults.secure=\"strict\") to reject final-component symlinks",
            path.display()
        );
    }
    let mut options = OpenOptions::new();
    let no_follow = if creation.follow_symlinks { 0 } else { libc::O_NOFOLLOW };
    options.append(true).custom_flags(libc::O_NOCTTY | no_follow);
    match options.open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        other => return other.map_err(|error| failed(&error)),
    }
    if creation.dirs {
        create_parents(path, creation, chown_reported).map_err(|error| {
            let text = format!(
                "omfile: creating parent directories for file '{}' failed: {}",
                path.display(),
                reason(&error)
            );
            Failure::suspend(2040, text)
        })?;
    }
    let created = options.create(true).mode(creation.file_mode).open(path);
    let file = created.map_err(|error| failed(&error))?;
    let (owner, group) = creation.file_owner;
    if owner.is_some() || group.is_some() {
        let outcome = fchown(&file, owner, group);
        report_chown(path, outcome, creation, chown_reported);
    }
    Ok(file)
}

fn create_parents(path: &Path, creation: &Creation, chown_reported: &mut bool) -> io::Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    let missing = parent.ancestors().take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists());
    let missing: Vec<&Path> = missing.collect();
    for dir in missing.into_iter().rev() {
        match DirBuilder::new().mode(creation.dir_mode).create(dir) {
            // Another thread or program was faster.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            other => other?,
        }
        let (owner, group) = creation.dir_owner;
        if owner.is_some() || group.is_some() {
            report_chown(dir, chown(dir, owner, group), creation, chown_reported);
        }
    }
    Ok(())
}

/// The reference loses or doubles messages when the owner cannot be set; we say so once and write.
fn report_chown(path: &Path, outcome: io::Result<()>, creation: &Creation, reported: &mut bool) {
    let Err(error) = outcome else { return };
    if std::mem::replace(reported, true) {
        return;
    }
    let text = format!("omfile: chown for file '{}' failed: {}", path.display(), reason(&error));
    if creation.chown_failure_is_error {
        log::error!(code = 2433; "{text}");
    } else {
        log::warn!(code = 2433; "{text}");
    }
}

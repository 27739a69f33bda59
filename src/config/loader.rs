//! What the world outside gives to the loading of a configuration.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use crate::{limits, sys};

/// Files and environment, for [`load`](super::load).
pub trait Loader {
    /// The content of a file.
    ///
    /// # Errors
    /// Those of the file system.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The files an `include` means: the matches of a pattern in alphabetical order; for a directory
    /// all files in it that are not hidden. A pattern without a match gives none, a plain name
    /// without a file gives the error.
    ///
    /// # Errors
    /// Those of the file system.
    fn expand(&self, pattern: &Path) -> io::Result<Vec<PathBuf>>;

    /// Whether `path` is a directory.
    fn is_directory(&self, path: &Path) -> bool;

    /// Where relative paths begin, for messages.
    fn current_directory(&self) -> PathBuf;

    /// An environment variable.
    fn env(&self, name: &[u8]) -> Option<Vec<u8>>;
}

/// The machine this runs on.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemLoader;

impl Loader for SystemLoader {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        sys::files::read(path, limits::CONFIG_BYTES)
    }

    fn expand(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        sys::files::expand(pattern)
    }

    fn is_directory(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn current_directory(&self) -> PathBuf {
        std::env::current_dir().unwrap_or_default()
    }

    fn env(&self, name: &[u8]) -> Option<Vec<u8>> {
        // The standard library panics on names that cannot be.
        let possible = !name.is_empty() && !name.iter().any(|byte| matches!(byte, b'=' | 0));
        possible.then(|| std::env::var_os(OsStr::from_bytes(name)))?.map(|value| value.into_vec())
    }
}

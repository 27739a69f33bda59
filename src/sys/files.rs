//! Finding configuration files: shell patterns and directories, in alphabetical order.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

/// Directories inside of directories that are looked into.
const DEPTH: usize = 16;

/// The content of a file of at most `limit` bytes; pipes and devices are read, too, but not for ever.
///
/// # Errors
/// Those of the file system, and `FileTooLarge`.
pub fn read(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX);
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut content)?;
    if content.len() > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(content)
}

/// The files that `pattern` means: for a directory, all in it and below that are not hidden; for a name with
/// `*`, `?` or `[…]`, all that match, which may be none; else the file of that name.
///
/// # Errors
/// When a plain name cannot be accessed, or a directory that is named plainly cannot be read.
pub fn expand(pattern: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if pattern.is_dir() {
        in_directory(pattern, DEPTH, &mut found)?;
    } else if has_magic(pattern.as_os_str().as_bytes()) {
        for path in matches(pattern) {
            if path.is_dir() {
                in_directory(&path, DEPTH, &mut found)?;
            } else {
                found.push(path);
            }
        }
    } else {
        fs::metadata(pattern)?;
        found.push(pattern.to_owned());
    }
    found.retain(|path| is_readable(path));
    Ok(found)
}

/// Devices, pipes and sockets are no configuration. What cannot be looked at is kept, for reading it to fail.
fn is_readable(path: &Path) -> bool {
    fs::metadata(path).map_or(true, |metadata| metadata.is_file())
}

fn in_directory(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries: Vec<PathBuf> = fs::read_dir(directory)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    entries.retain(|path| !path.file_name().is_some_and(is_hidden));
    entries.sort();
    for path in entries {
        match path.is_dir() {
            true if depth > 0 => in_directory(&path, depth - 1, found)?,
            true => {}
            false => found.push(path),
        }
    }
    Ok(())
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b".")
}

fn has_magic(name: &[u8]) -> bool {
    name.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// All paths a pattern matches, in order. Directories that cannot be read match nothing.
fn matches(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let name = component.as_os_str();
        let magic = matches!(component, Component::Normal(_)) && has_magic(name.as_bytes());
        let mut next = Vec::new();
        for directory in found {
            if magic {
                next.extend(entries_matching(&directory, name.as_bytes()));
            } else {
                next.push(directory.join(name));
            }
        }
        found = next;
    }
    found.retain(|path| path.symlink_metadata().is_ok());
    found
}

fn entries_matching(directory: &Path, pattern: &[u8]) -> Vec<PathBuf> {
    let shown = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let Ok(entries) = fs::read_dir(shown) else { return Vec::new() };
    let hidden = pattern.starts_with(b".");
    let mut names: Vec<_> = entries
        .flatten()
        .map(|entry| entry.file_name())
        .filter(|name| (hidden || !is_hidden(name)) && fits(pattern, name.as_bytes()))
        .collect();
    names.sort();
    names.into_iter().map(|name| directory.join(name)).collect()
}

/// Whether a name matches a pattern of `*`, `?`, `[a-z]`, `[!a-z]` and bytes, of which `\` makes the next one
/// stand for itself.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    // Where to go on after a mismatch: behind the last star, with one byte more for it.
    let mut retry = None;
    while n < name.len() {
        if pattern.get(p) == Some(&b'*') {
            retry = Some((p + 1, n + 1));
            p += 1;
        } else if let Some(len) = fits_one(&pattern[p..], name[n]) {
            p += len;
            n += 1;
        } else if let Some((star, next)) = retry {
            (p, n) = (star, next);
            retry = Some((star, next + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Length of the pattern's first element if the byte fits it.
fn fits_one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'[', rest @ ..] => match set(rest, byte) {
            Some((fits, len)) => fits.then_some(len + 1),
            None => (byte == b'[').then_some(1),
        },
        [b'\\', literal, ..] => (*literal == byte).then_some(2),
        [literal, ..] => (*literal == byte).then_some(1),
        [] => None,
    }
}

/// Whether the byte is in the set behind `[`, and the set's length; `None` if it is not closed.
fn set(pattern: &[u8], byte: u8) -> Option<(bool, usize)> {
    let negated = matches!(pattern.first(), Some(b'!' | b'^'));
    let first = usize::from(negated);
    let mut at = first;
    let mut found = false;
    loop {
        match *pattern.get(at)? {
            b']' if at > first => return Some((found != negated, at + 1)),
            from => match (pattern.get(at + 1), pattern.get(at + 2)) {
                (Some(b'-'), Some(to)) if *to != b']' => {
                    found |= (from..=*to).contains(&byte);
                    at += 3;
                }
                _ => {
                    found |= from == byte;
                    at += 1;
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let yes = [
            ("*.conf", "a.conf"),
            ("*", "a"),
            ("a*b*c", "aXbYbZc"),
            ("?[0-9].conf", "x5.conf"),
            ("[!a]x", "bx"),
            ("[]]", "]"),
            ("[", "["),
            ("\\*", "*"),
            ("a**", "a"),
        ];
        for (pattern, name) in yes {
            assert!(fits(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
        let no = [
            ("*.conf", "a.cfg"),
            ("?", ""),
            ("[!a]x", "ax"),
            ("a*b", "ac"),
            ("", "a"),
            ("\\*", "x"),
        ];
        for (pattern, name) in no {
            assert!(!fits(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
    }

    #[test]
    fn reading_is_bounded() {
        let endless = read(Path::new("/dev/zero"), 1000).map_err(|error| error.kind());
        assert_eq!(endless, Err(io::ErrorKind::FileTooLarge));
        assert_eq!(read(Path::new("/dev/null"), 0).ok(), Some(Vec::new()));
    }

    #[test]
    fn files_come_in_order() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        fs::create_dir_all(dir.path().join("d/sub"))?;
        for name in
            ["20-b.conf", "10-a.conf", ".hidden.conf", "x.cfg", "d/30.conf", "d/sub/40.conf"]
        {
            fs::write(dir.path().join(name), "")?;
        }
        let names = |pattern: &str| -> io::Result<Vec<String>> {
            let found = expand(&dir.path().join(pattern))?;
            let short =
                |path: PathBuf| path.strip_prefix(dir.path()).map(|p| p.display().to_string());
            Ok(found.into_iter().flat_map(short).collect())
        };
        assert_eq!(names("*.conf")?, ["10-a.conf", "20-b.conf"]);
        assert_eq!(names("*/*.conf")?, ["d/30.conf"]);
        assert_eq!(names("d")?, ["d/30.conf", "d/sub/40.conf"]);
        assert_eq!(names("no*")?, [""; 0]);
        assert_eq!(names("x.cfg")?, ["x.cfg"]);
        assert!(names("missing").is_err());
        Ok(())
    }
}

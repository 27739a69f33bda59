//! Who is logged in at which terminal: systemd's sessions where it runs, else utmp(5).

use std::ffi::CStr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// A user at a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Login name.
    pub user: Vec<u8>,
    /// The terminal's name below `/dev`.
    pub terminal: Vec<u8>,
}

/// All logins with a terminal.
#[must_use]
pub fn logins() -> Vec<Login> {
    let sessions = Path::new("/run/systemd/sessions");
    // What sd_booted(3) looks at.
    if Path::new("/run/systemd/system").is_dir() && sessions.is_dir() {
        return of_sessions(sessions);
    }
    of_utmp()
}

/// Reads logind's session files, as libsystemd does.
fn of_sessions(directory: &Path) -> Vec<Login> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files.iter().filter_map(|path| of_session(&super::files::read(path, 64 * 1024).ok()?)).collect()
}

fn of_session(text: &[u8]) -> Option<Login> {
    let value = |key: &[u8]| {
        let lines = text.split(|byte| *byte == b'\n');
        lines.filter_map(|line| line.strip_prefix(key)).next().map(<[u8]>::to_vec)
    };
    Some(Login { user: value(b"USER=")?, terminal: value(b"TTY=")? })
}

/// getutxent(3) keeps its place in the file for the whole process.
static UTMP: Mutex<()> = Mutex::new(());

fn of_utmp() -> Vec<Login> {
    let _one = UTMP.lock().unwrap_or_else(PoisonError::into_inner);
    let mut logins = Vec::new();
    // SAFETY: takes no arguments; the lock keeps all calls of this process apart.
    unsafe { libc::setutxent() };
    loop {
        // SAFETY: as above.
        let entry = unsafe { libc::getutxent() };
        // SAFETY: null, or "a pointer to a struct utmpx in static storage" (getutxent(3)), valid up to the next
        // call, which comes after the last use of this reference.
        let Some(entry) = (unsafe { entry.as_ref() }) else { break };
        let user = text(&entry.ut_user);
        if entry.ut_type == libc::USER_PROCESS && !user.is_empty() && user != b"LOGIN" {
            logins.push(Login { user, terminal: text(&entry.ut_line) });
        }
    }
    // SAFETY: as for setutxent.
    unsafe { libc::endutxent() };
    logins
}

/// A field that ends at a NUL byte or at its own end.
fn text(field: &[libc::c_char]) -> Vec<u8> {
    let bytes: Vec<u8> = field.iter().flat_map(|byte| byte.to_ne_bytes()).chain([0]).collect();
    CStr::from_bytes_until_nul(&bytes).map(|text| text.to_bytes().to_vec()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_needs_a_user_and_a_terminal() {
        let login = of_session(b"# private\nUID=0\nUSER=root\nTTY=pts/3\nACTIVE=1\n");
        assert_eq!(login, Some(Login { user: b"root".to_vec(), terminal: b"pts/3".to_vec() }));
        assert_eq!(of_session(b"UID=0\nUSER=root\n"), None, "no terminal, e.g. cron");
        assert_eq!(of_sessions(Path::new("/nonexistent")), []);
    }

    #[test]
    fn utmp_is_read_to_its_end() {
        for login in of_utmp() {
            assert!(!login.user.is_empty() && !login.terminal.contains(&0));
        }
        assert_eq!(text(&[97, 98]), b"ab", "no NUL where it is full");
    }
}

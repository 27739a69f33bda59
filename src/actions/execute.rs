//! Runs a program to its end, for the actions that do so.

use std::ffi::{OsStr, OsString};
use std::io;
use std::process::{Command, ExitStatus, Stdio};

/// Runs `program`, searched in `PATH` if it has no slash; what the kernel cannot execute is a shell script, as
/// for execvp(3).
///
/// # Errors
/// It cannot be started. `ECHILD`: it was, and the control thread has reaped it first.
pub(super) fn execute(program: &OsStr, arguments: &[OsString]) -> io::Result<ExitStatus> {
    let run = |process: &mut Command| process.args(arguments).stdin(Stdio::null()).status();
    match run(&mut Command::new(program)) {
        Err(error) if error.raw_os_error() == Some(libc::ENOEXEC) => {
            run(Command::new("/bin/sh").arg(program))
        }
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_script_without_an_interpreter_is_one_for_the_shell() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("script");
        std::fs::write(&script, format!("echo \"$1 $2\" >{}/out", dir.path().display())).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
        assert!(execute(script.as_os_str(), &["one".into(), "two".into()]).unwrap().success());
        assert_eq!(std::fs::read_to_string(dir.path().join("out")).unwrap(), "one two\n");
    }
}

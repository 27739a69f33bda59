//! Runs a program to its end, for the actions that do so.

use std::ffi::{OsStr, OsString};
use std::io;
use std::process::{Command, ExitStatus, Stdio};

use crate::sys::children::Exits;

/// Runs `program`, searched in `PATH` if it has no slash; what the kernel cannot execute is a shell script, as
/// for execvp(3). How it ended is told as `exits` says.
///
/// # Errors
/// It cannot be started.
pub(super) fn execute(
    program: &OsStr,
    arguments: &[OsString],
    exits: Exits,
) -> io::Result<ExitStatus> {
    let run = |process: &mut Command| {
        let mut child = process.args(arguments).stdin(Stdio::null()).spawn()?;
        let status = child.wait()?;
        exits.report(&program.to_string_lossy(), child.id(), status);
        Ok(status)
    };
    match run(&mut Command::new(program)) {
        Err::<_, io::Error>(error) if error.raw_os_error() == Some(libc::ENOEXEC) => {
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
        assert!(
            execute(script.as_os_str(), &["one".into(), "two".into()], Exits::Errors)
                .unwrap()
                .success()
        );
        assert_eq!(std::fs::read_to_string(dir.path().join("out")).unwrap(), "one two\n");
    }
}

//! What is told about the ends of child processes (`global(reportChildProcessExits)`).

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

/// Which ends are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exits {
    /// None.
    None,
    /// Those with another status than 0, and by a signal.
    #[default]
    Errors,
    /// All.
    All,
}

impl Exits {
    /// The parameter's value.
    #[must_use]
    pub fn parse(word: &[u8]) -> Option<Self> {
        match word {
            b"none" => Some(Self::None),
            b"errors" => Some(Self::Errors),
            b"all" => Some(Self::All),
            _ => None,
        }
    }

    /// Says how a program ended, if that is to be said; in the reference's words.
    pub fn report(self, program: &str, pid: u32, status: ExitStatus) {
        if self == Self::None || self == Self::Errors && status.success() {
            return;
        }
        match (status.code(), status.signal()) {
            (Some(0), _) => log::info!("program '{program}' (pid {pid}) exited with status 0"),
            (Some(code), _) => {
                log::warn!("program '{program}' (pid {pid}) exited with status {code}");
            }
            (None, Some(signal)) => {
                log::warn!("program '{program}' (pid {pid}) terminated by signal {signal}");
            }
            (None, None) => {}
        }
    }
}

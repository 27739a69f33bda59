//! Which of the kernel's messages go to the console: klogctl(3).

use std::io;
use std::ptr;

/// "SYSLOG_ACTION_CONSOLE_ON: If a previous SYSLOG_ACTION_CONSOLE_OFF command has been performed, this command
/// restores console_loglevel".
const CONSOLE_ON: i32 = 7;
/// "SYSLOG_ACTION_CONSOLE_LEVEL: The call sets console_loglevel to the value given in len, which must be an integer
/// between 1 and 8 (inclusive)."
const CONSOLE_LEVEL: i32 = 8;

/// Messages of a smaller severity number than `level` go to the console from now on.
///
/// # Errors
/// Those of syslog(2): no such level, or no right to set it.
pub fn set_level(level: i32) -> io::Result<()> {
    control(CONSOLE_LEVEL, level)
}

/// Turns the console on, if it was turned off.
///
/// # Errors
/// Those of syslog(2).
pub fn restore() -> io::Result<()> {
    control(CONSOLE_ON, 0)
}

fn control(action: i32, value: i32) -> io::Result<()> {
    // SAFETY: these two actions take no buffer.
    let rc = unsafe { libc::klogctl(action, ptr::null_mut(), value) };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_no_level_99() {
        assert!(set_level(99).is_err());
    }
}

//! What the C library says about an error number, which is what rsyslogd's messages quote.

use std::io;

/// The text of error `number`: `No such file or directory`.
#[must_use]
pub fn text(number: i32) -> String {
    let text = io::Error::from_raw_os_error(number).to_string();
    match text.rsplit_once(" (os error ") {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_the_c_librarys() {
        assert_eq!(text(libc::ENOENT), "No such file or directory");
        assert_eq!(text(libc::ELOOP), "Too many levels of symbolic links");
    }
}

//! Where certificates and keys come from: a file, or the configuration itself.
//!
//! A file is read each time it is asked for, so that HUP brings what is in it then. Text of the configuration is never
//! shown: it may be a private key.

use std::borrow::Cow;
use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;

/// PEM text, or where it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Pem {
    /// In this file.
    File(PathBuf),
    /// In the configuration.
    Inline(Vec<u8>),
}

impl Pem {
    /// The text.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(&self) -> io::Result<Cow<'_, [u8]>> {
        match self {
            Self::File(path) => fs::read(path).map(Cow::Owned),
            Self::Inline(text) => Ok(Cow::Borrowed(text)),
        }
    }

    /// Whether a value is PEM text rather than the name of a file.
    #[must_use]
    pub fn is_text(value: &[u8]) -> bool {
        value.trim_ascii_start().starts_with(b"-----BEGIN ")
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Inline(text) => write!(f, "Inline({} bytes)", text.len()),
        }
    }
}

/// The file's name; of text only that it is text.
impl fmt::Display for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Inline(_) => f.write_str("PEM text of the configuration"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_not_shown() {
        let text = b"\n -----BEGIN PRIVATE KEY-----\nc2VjcmV0\n";
        assert!(Pem::is_text(text) && !Pem::is_text(b"/etc/-----BEGIN "));
        let pem = Pem::Inline(text.to_vec());
        assert_eq!(format!("{pem} {pem:?}"), "PEM text of the configuration Inline(39 bytes)");
        assert_eq!(pem.read().ok().as_deref(), Some(&text[..]));
        assert!(Pem::File("/nonexistent/x".into()).read().is_err());
    }
}

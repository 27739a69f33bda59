//! What a listener's configuration says about framing, and what a stream can do wrong.

use memchr::memmem::Finder;

/// How a stream is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// By the delimiter only.
    #[default]
    Delimiter,
    /// By counts where a frame begins with a digit, by the delimiter elsewhere.
    Rfc6587,
}

/// What becomes of a message that is too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Oversize {
    /// The connection is closed, the message dropped.
    #[default]
    Close,
    /// Its beginning is a message, the rest is skipped.
    Truncate,
}

/// What a listener's configuration says about framing.
#[derive(Clone, Debug)]
pub struct Options {
    /// How the stream is cut.
    pub mode: Mode,
    /// What ends a frame; not empty.
    pub delimiter: Finder<'static>,
    /// Longest message, bytes, without count and delimiter.
    pub message_bytes: usize,
    /// What becomes of longer ones.
    pub oversize: Oversize,
    /// Whether a CR before the delimiter LF goes with it in rfc6587 mode, too.
    pub strip_cr: bool,
    /// Whether empty frames are left out.
    pub skip_empty: bool,
    /// Bytes of an unfinished frame from which on the session reads into it.
    pub own_bytes: usize,
}

impl Options {
    /// Whether one CR before the delimiter goes with it.
    pub(super) fn strips_cr(&self) -> bool {
        (self.mode == Mode::Delimiter || self.strip_cr) && self.delimiter.needle() == b"\n"
    }

    pub(super) fn delimiter_len(&self) -> usize {
        self.delimiter.needle().len()
    }
}

/// What ends a stream before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A message is longer than the limit.
    Oversize {
        /// The limit, bytes.
        limit: usize,
    },
    /// What stands before the first blank of a frame that begins with a digit is no number.
    Count {
        /// The byte that is no digit; a digit where the number is too large for any machine.
        byte: u8,
    },
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Oversize { limit } => {
                write!(f, "a message is longer than maxMessageSize ({limit} bytes)")
            }
            Self::Count { byte } if byte.is_ascii_digit() => {
                f.write_str("the octet count of a frame is too large for a number")
            }
            Self::Count { byte } => {
                write!(
                    f,
                    "the octet count of a frame has the byte {byte} where a digit or blank belongs"
                )
            }
        }
    }
}

//! The framing of imrawtcp (`spec/elastic-tcp.md` section 3): a delimiter of any length, or the counts of RFC 6587.
//!
//! ```text
//!   delimiter mode   Line ── delimiter ──► Line
//!   rfc6587 mode     Start ── first of two bytes is a digit ──► Count ── SP ──► Counted ── used up ──► Start
//!                          └─ it is not ──► Line ── delimiter ──► Start
//!   over message_bytes: an error, or a cut frame and SkipLine / SkipCounted up to the frame's end
//! ```
//! Unlike the [`Decoder`](super::Decoder) of syslog, every frame counts, empty ones too, and what is wrong with a
//! stream ends it. Every byte is looked at once, apart from the few around the seam of two receives.
//!
//! A frame that is not complete is copied to `partial`. When that has grown to [`Options::own_bytes`], the session
//! reads right into it ([`RawDecoder::room`], [`RawDecoder::advance`]), and the complete message is handed over with
//! its storage: a large message is copied once at most, in its first part.
//!
//! - `options`: what a listener's configuration says, and what is wrong with a stream.
//! - `line`: frames that end with the delimiter; `counted`: those that begin with their length.
//! - `own`: frames that have grown large, in storage of their own.

mod counted;
mod line;
mod options;
mod own;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub use options::{Broken, Mode, Options, Oversize};
pub use own::Whole;

/// Takes the frames a [`RawDecoder`] finds.
pub trait RawSink {
    /// A frame that lies inside the input. `cut`: it is the beginning of a longer one.
    fn frame(&mut self, range: Range<usize>, cut: bool);
    /// A frame of bytes from earlier receives followed by a part of the input, which may be empty.
    fn joined(&mut self, head: &[u8], tail: Range<usize>, cut: bool);
}

/// The framing state of one session. While no frame is under way it owns no memory.
#[derive(Debug, Default)]
pub struct RawDecoder {
    state: State,
    /// What earlier receives brought of the frame under way: never a whole delimiter. In `SkipLine` the last bytes
    /// skipped, fewer than the delimiter has.
    partial: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Start,
    Line,
    Count(u64),
    /// Bytes to come of the message, and bytes to skip after them.
    Counted(usize, u64),
    SkipLine,
    SkipCounted(u64),
}

impl RawDecoder {
    /// Decodes the bytes of one receive.
    ///
    /// # Errors
    /// The stream is over; what it has brought of an unfinished frame is dropped.
    pub fn feed(
        &mut self,
        options: &Options,
        input: &[u8],
        sink: &mut impl RawSink,
    ) -> Result<(), Broken> {
        let mut at = 0;
        while at < input.len() {
            at = match self.state {
                State::Start => self.start(options, input, at, sink),
                State::Line => self.line(options, input, at, sink)?,
                State::Count(value) => self.count(options, input, at, value, sink)?,
                State::Counted(left, skip) => self.counted(input, at, (left, skip), sink),
                State::SkipLine => self.skip_line(options, input, at),
                State::SkipCounted(left) => self.skip_counted(input, at, left),
            };
        }
        if self.partial.is_empty() {
            self.partial = Vec::new();
        }
        Ok(())
    }

    /// Bytes that are held of an unfinished frame.
    #[must_use]
    pub fn held(&self) -> usize {
        self.partial.len()
    }

    /// Ends the stream: a frame without its delimiter is complete, a counted one is lost. Returns the number of
    /// bytes that are lost as well.
    pub fn finish(&mut self, options: &Options) -> (Option<Whole>, usize) {
        let Self { state, partial } = std::mem::take(self);
        let len = partial.len();
        let text = match state {
            State::Line => &*partial,
            // One byte, too few to tell: a count that has begun is lost, of a delimiter nothing is made.
            State::Start if partial.first().is_some_and(u8::is_ascii_digit) => return (None, len),
            State::Start if options.delimiter.needle() != partial.as_slice() => &partial,
            State::Count(_) | State::Counted(..) => return (None, len),
            _ => return (None, 0),
        };
        if text.is_empty() {
            return (None, 0);
        }
        let cr = options.strips_cr() && text.last() == Some(&b'\r');
        let end = text.len() - usize::from(cr);
        let cut = end > options.message_bytes;
        if cut && options.oversize == Oversize::Close {
            return (None, len);
        }
        if end == 0 && options.skip_empty {
            return (None, 0);
        }
        (Some(Whole { len: end.min(options.message_bytes), rest: len, text: partial, cut }), 0)
    }

    /// Decides how the next frame is framed: in rfc6587 mode by two bytes.
    fn start(
        &mut self,
        options: &Options,
        input: &[u8],
        at: usize,
        sink: &mut impl RawSink,
    ) -> usize {
        if options.mode == Mode::Delimiter {
            self.state = State::Line;
            return at;
        }
        let rest = input.get(at..).unwrap_or_default();
        let (first, held) = match self.partial.first() {
            Some(first) => (*first, true),
            None => (rest.first().copied().unwrap_or_default(), false),
        };
        if !held && rest.len() < 2 {
            self.partial.extend_from_slice(rest);
            return input.len();
        }
        if first.is_ascii_digit() {
            self.state = State::Count(if held { u64::from(first - b'0') } else { 0 });
            self.partial.clear();
        } else if held && options.delimiter.needle() == [first] {
            self.partial.clear();
            if !options.skip_empty {
                sink.joined(b"", at..at, false);
            }
        } else {
            self.state = State::Line;
        }
        at
    }

    fn refuse(&self, options: &Options) -> Result<(), Broken> {
        match options.oversize {
            Oversize::Truncate => Ok(()),
            Oversize::Close => Err(Broken::Oversize { limit: options.message_bytes }),
        }
    }
}

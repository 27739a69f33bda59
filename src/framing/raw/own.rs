//! A frame that has grown large is received right into storage of its own, which the message keeps.

use super::counted::after_counted;
use super::line::next_line;
use super::{Broken, Options, RawDecoder, State};

/// A message in storage of its own.
#[derive(Debug, PartialEq, Eq)]
pub struct Whole {
    /// The message, and behind `len` what was received after it.
    pub text: Vec<u8>,
    /// Its length.
    pub len: usize,
    /// Where in `text` the next frame begins.
    pub rest: usize,
    /// Whether it is the beginning of a longer one.
    pub cut: bool,
}

impl RawDecoder {
    /// Room for up to `most` bytes behind an unfinished frame that has grown large, to be received into; then call
    /// [`RawDecoder::advance`]. `None`: the frame is not large, receive elsewhere and call [`RawDecoder::feed`].
    pub fn room(&mut self, options: &Options, most: usize) -> Option<&mut [u8]> {
        let room = match self.state {
            State::Line => most,
            State::Counted(left, _) => left.min(most),
            _ => return None,
        };
        let held = self.partial.len();
        // More than a delimiter, so that no message that is received here is empty.
        if held < options.own_bytes.max(options.delimiter_len() + 1) {
            return None;
        }
        self.partial.reserve_exact(self.storage_with_room(options, most) - held);
        self.partial.resize(held + room, 0);
        self.partial.get_mut(held..)
    }

    /// Bytes of storage that an unfinished frame has.
    #[must_use]
    pub fn storage(&self) -> usize {
        self.partial.capacity()
    }

    /// Bytes of storage that it will have with [`RawDecoder::room`]: enough, else twice as much as now, but no more than
    /// the longest message takes.
    #[must_use]
    pub fn storage_with_room(&self, options: &Options, most: usize) -> usize {
        let longest = match self.state {
            State::Counted(left, _) => self.partial.len() + left,
            _ => options.message_bytes + options.delimiter_len() + most,
        };
        let needed = (self.partial.len() + most).min(longest);
        let now = self.partial.capacity();
        if needed <= now { now } else { needed.max(longest.min(now * 2)) }
    }

    /// Takes `used` bytes of the `room` bytes that [`RawDecoder::room`] gave as received; a message if they end it.
    ///
    /// # Errors
    /// As [`RawDecoder::feed`].
    pub fn advance(
        &mut self,
        options: &Options,
        room: usize,
        used: usize,
    ) -> Result<Option<Whole>, Broken> {
        let held = self.partial.len().saturating_sub(room);
        self.partial.truncate(held + used);
        if let State::Counted(left, skip) = self.state {
            if used < left {
                self.state = State::Counted(left - used, skip);
                return Ok(None);
            }
            self.state = after_counted(skip);
            let len = self.partial.len();
            return Ok(Some(self.whole(len, len, skip > 0)));
        }
        let seam = held.saturating_sub(options.delimiter_len() - 1);
        let found = options.delimiter.find(self.partial.get(seam..).unwrap_or_default());
        let Some(end) = found.map(|at| seam + at) else {
            return self.overlong(options);
        };
        let rest = end + options.delimiter_len();
        if end > options.message_bytes {
            self.refuse(options)?;
            self.state = next_line(options);
            return Ok(Some(self.whole(options.message_bytes, rest, true)));
        }
        self.state = next_line(options);
        let text = self.partial.get(..end).unwrap_or_default();
        let len = text.len() - usize::from(options.strips_cr() && text.last() == Some(&b'\r'));
        Ok(Some(self.whole(len, rest, false)))
    }

    /// An own frame without a delimiter so far: whether it is too long by now.
    fn overlong(&mut self, options: &Options) -> Result<Option<Whole>, Broken> {
        if self.partial.len() < options.message_bytes + options.delimiter_len() {
            return Ok(None);
        }
        self.refuse(options)?;
        self.state = State::SkipLine;
        let keep = self.partial.len() - (options.delimiter_len() - 1);
        let tail = self.partial.split_off(keep);
        let len = self.partial.len();
        let whole = self.whole(options.message_bytes, len, true);
        self.partial = tail;
        Ok(Some(whole))
    }

    fn whole(&mut self, len: usize, rest: usize, cut: bool) -> Whole {
        Whole { text: std::mem::take(&mut self.partial), len, rest, cut }
    }
}

//! Frames that end with the delimiter, which may have any length and lie across the seam of two receives.

use super::{Broken, Mode, Options, RawDecoder, RawSink, State};

impl RawDecoder {
    /// Looks for the delimiter of the line that is under way.
    pub(super) fn line(
        &mut self,
        options: &Options,
        input: &[u8],
        at: usize,
        sink: &mut impl RawSink,
    ) -> Result<usize, Broken> {
        let rest = input.get(at..).unwrap_or_default();
        let held = self.partial.len();
        // Where the delimiter is, counted from the first byte held.
        let seam = self.find_at_seam(options, rest);
        let end = seam.or_else(|| options.delimiter.find(rest).map(|place| held + place));
        let Some(end) = end else {
            if held + rest.len() >= options.message_bytes + options.delimiter_len() {
                self.refuse(options)?;
                self.emit(options, (rest, at), options.message_bytes, true, sink);
                self.state = State::SkipLine;
                self.keep_seam(options, rest);
            } else {
                self.partial.extend_from_slice(rest);
            }
            return Ok(input.len());
        };
        let too_long = end > options.message_bytes;
        if too_long {
            self.refuse(options)?;
        }
        self.emit(options, (rest, at), end.min(options.message_bytes), too_long, sink);
        self.partial.clear();
        self.state = next_line(options);
        Ok(at + (end + options.delimiter_len()).saturating_sub(held))
    }

    /// Where a delimiter begins that begins in the bytes held, or so near to them that both are looked at.
    fn find_at_seam(&self, options: &Options, rest: &[u8]) -> Option<usize> {
        let reach = options.delimiter_len() - 1;
        if self.partial.is_empty() || reach == 0 {
            return None;
        }
        let from = self.partial.len().saturating_sub(reach);
        let mut window = self.partial.get(from..).unwrap_or_default().to_vec();
        window.extend_from_slice(rest.get(..reach.min(rest.len())).unwrap_or_default());
        options.delimiter.find(&window).map(|place| from + place)
    }

    /// Hands over the first `len` bytes of what is held and `rest`, which is the input from `at` on.
    fn emit(
        &self,
        options: &Options,
        (rest, at): (&[u8], usize),
        len: usize,
        cut: bool,
        sink: &mut impl RawSink,
    ) {
        let mut head = self.partial.get(..len).unwrap_or(&self.partial);
        let mut tail = len - head.len();
        if options.strips_cr() && !cut {
            match tail.checked_sub(1) {
                Some(last) if rest.get(last) == Some(&b'\r') => tail = last,
                Some(_) => {}
                None => head = head.strip_suffix(b"\r").unwrap_or(head),
            }
        }
        if head.is_empty() && tail == 0 && options.skip_empty {
            return;
        }
        if head.is_empty() {
            sink.frame(at..at + tail, cut);
        } else {
            sink.joined(head, at..at + tail, cut);
        }
    }

    /// Keeps the bytes that may begin a delimiter, at the end of what is held and `rest`.
    fn keep_seam(&mut self, options: &Options, rest: &[u8]) {
        let reach = options.delimiter_len() - 1;
        let of_rest = rest.len().saturating_sub(reach);
        let rest = rest.get(of_rest..).unwrap_or_default();
        let kept = self.partial.len().min(reach - rest.len());
        self.partial.drain(..self.partial.len() - kept);
        self.partial.extend_from_slice(rest);
    }

    /// Skips the rest of a line that was cut.
    pub(super) fn skip_line(&mut self, options: &Options, input: &[u8], at: usize) -> usize {
        let rest = input.get(at..).unwrap_or_default();
        let held = self.partial.len();
        let seam = self.find_at_seam(options, rest);
        let end = seam.or_else(|| options.delimiter.find(rest).map(|place| held + place));
        let Some(end) = end else {
            self.keep_seam(options, rest);
            return input.len();
        };
        self.partial.clear();
        self.state = next_line(options);
        at + (end + options.delimiter_len()).saturating_sub(held)
    }
}

/// What follows a line.
pub(super) fn next_line(options: &Options) -> State {
    if options.mode == Mode::Delimiter { State::Line } else { State::Start }
}

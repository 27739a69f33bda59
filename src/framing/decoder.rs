//! The framing state machine of one session (`spec/imtcp.md` section 4).
//!
//! It looks at every received byte once, finds frames in place, and copies only what belongs to a frame
//! that is not complete yet. How the stream was cut into receives makes no difference to the frames.
//!
//! ```text
//!            digit                       SP, count in range
//!   Start ────────► Count ──────────────────────────────────────► Counted ──┐ count used up: frame
//!     │ ▲             │ count 0 or over max_frame_size               │      │
//!     │ │             ▼                                              │ over message_bytes
//!     │ └─────────── Line ◄───┐ no `<` follows                       ▼ and discarding
//!     │   delimiter:  ▲ │   Peek (multi_line: delimiter was        SkipCounted ── used up ──► Start
//!     └───────────────┘ │     │ the last byte received)
//!       anything else   └─────┘    Line ── over message_bytes and discarding ──► SkipLine ── delimiter ──► Start
//! ```

use std::ops::Range;

use super::fault::Fault;
use super::options::Options;

/// Takes the frames a [`Decoder`] finds. No frame is empty.
pub trait Sink {
    /// A frame that lies inside the input. `oversize`: it was cut off, announced as too long, or is too long.
    fn frame(&mut self, range: Range<usize>, oversize: bool);
    /// A frame of bytes from earlier receives followed by a part of the input, which may be empty.
    fn joined(&mut self, head: &[u8], tail: Range<usize>, oversize: bool);
    /// Something is wrong with the stream; decoding goes on.
    fn fault(&mut self, fault: Fault);
}

/// The framing state of one session. While no frame is under way it owns no memory.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub struct Decoder {
    state: State,
    /// In `Count` the count so far, in `Counted` and `SkipCounted` how many bytes are to come.
    remain: u32,
    /// Whether the frame under way is to be reported as oversize.
    oversize: bool,
    /// What earlier receives brought of the frame under way, at most `message_bytes`.
    partial: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Start,
    Count,
    Line,
    /// Holds the delimiter that was the last byte received.
    Peek(u8),
    Counted,
    SkipLine,
    SkipCounted,
}

impl Decoder {
    /// Decodes the bytes of one receive.
    pub fn feed(&mut self, options: &Options, input: &[u8], sink: &mut impl Sink) {
        let mut at = 0;
        while at < input.len() {
            at = match self.state {
                State::Start => self.start(options, input, at),
                State::Count => self.count(options, input, at, sink),
                State::Line if options.multi_line => self.lines(options, input, at, sink),
                State::Line => self.line(options, input, at, sink),
                State::Peek(delimiter) => self.peek(options, input, at, delimiter, sink),
                State::Counted => self.counted(options, input, at, sink),
                State::SkipLine => self.skip_line(options, input, at),
                State::SkipCounted => self.skip_counted(input, at),
            };
        }
        if self.partial.is_empty() {
            self.partial = Vec::new();
        }
    }

    /// Ends the stream: a delimited frame is complete without its delimiter, a counted one is lost.
    pub fn finish(&mut self, sink: &mut impl Sink) {
        match self.state {
            State::Start => {}
            State::Line | State::Peek(_) | State::SkipLine => self.emit(0..0, sink),
            State::Count => {
                sink.fault(Fault::Incomplete { received: self.partial.len(), missing: None });
            }
            State::Counted | State::SkipCounted => {
                let missing = Some(self.remain);
                sink.fault(Fault::Incomplete { received: self.partial.len(), missing });
            }
        }
        *self = Self::default();
    }

    /// Decides by the first byte how the next frame is framed.
    fn start(&mut self, options: &Options, input: &[u8], at: usize) -> usize {
        let rest = input.get(at..).unwrap_or_default();
        let blanks =
            if options.cisco_fix { rest.iter().take_while(|c| **c == b' ').count() } else { 0 };
        self.oversize = false;
        if let Some(first) = rest.get(blanks) {
            let counted = options.octet_counting && first.is_ascii_digit();
            self.state = if counted { State::Count } else { State::Line };
            self.remain = 0;
        }
        at + blanks
    }

    /// Reads the octet count and the one byte that ends it, whatever that is.
    fn count(&mut self, options: &Options, input: &[u8], at: usize, sink: &mut impl Sink) -> usize {
        let mut end = at;
        while let Some(digit) = input.get(end).filter(|c| c.is_ascii_digit()) {
            if self.remain <= COUNT_MAX {
                self.remain = self.remain * 10 + u32::from(digit - b'0');
            }
            end += 1;
        }
        let Some(&terminator) = input.get(end) else {
            self.keep_digits(options, input, at..end);
            return end;
        };
        if terminator != b' ' {
            sink.fault(Fault::NotSpace(terminator));
        }
        if self.remain == 0 {
            sink.fault(Fault::ZeroCount);
        } else if self.remain as usize > options.message_bytes {
            sink.fault(Fault::Oversize { size: self.remain, limit: options.message_bytes });
            self.oversize = true;
        }
        self.state = State::Line;
        if self.remain > options.max_frame_size {
            // It was no count: the digits belong to the text.
            sink.fault(Fault::TooLarge(self.remain));
            self.keep_digits(options, input, at..end);
        } else {
            self.partial.clear();
            if self.remain > 0 {
                self.state = State::Counted;
            }
        }
        end + 1
    }

    /// Digits beyond the message size are dropped.
    fn keep_digits(&mut self, options: &Options, input: &[u8], range: Range<usize>) {
        let room = options.message_bytes.saturating_sub(self.partial.len());
        let digits = input.get(range).unwrap_or_default();
        self.partial.extend(digits.iter().take(room));
    }

    /// A counted frame, as far as it was received.
    fn counted(
        &mut self,
        options: &Options,
        input: &[u8],
        at: usize,
        sink: &mut impl Sink,
    ) -> usize {
        let end = self.advance(input, at);
        if self.remain == 0 {
            self.take_last(options, input, at..end, sink);
        } else {
            self.take(options, input, at..end, false, sink);
        }
        end
    }

    fn skip_counted(&mut self, input: &[u8], at: usize) -> usize {
        let end = self.advance(input, at);
        if self.remain == 0 {
            self.state = State::Start;
        }
        end
    }

    /// Takes what is there of `remain` bytes; returns where they end.
    fn advance(&mut self, input: &[u8], at: usize) -> usize {
        let available = u32::try_from(input.len() - at).unwrap_or(u32::MAX);
        let taken = self.remain.min(available);
        self.remain -= taken;
        at + taken as usize
    }

    /// A delimited frame, as far as it was received.
    fn line(&mut self, options: &Options, input: &[u8], at: usize, sink: &mut impl Sink) -> usize {
        if let Some(end) = options.find_delimiter(input, at) {
            self.take_last(options, input, at..end, sink);
            end + 1
        } else {
            self.take(options, input, at..input.len(), false, sink);
            input.len()
        }
    }

    /// A delimited frame in which a delimiter counts as text unless `<` follows.
    fn lines(&mut self, options: &Options, input: &[u8], at: usize, sink: &mut impl Sink) -> usize {
        let (mut start, mut from) = (at, at);
        while let Some(end) = options.find_delimiter(input, from) {
            let next = input.get(end + 1);
            if next == Some(&b'<') {
                self.take(options, input, start..end, true, sink);
                return end + 1;
            }
            let full = self.partial.len() + (end - start) >= options.message_bytes;
            if next.is_none() || full {
                self.take(options, input, start..end, false, sink);
                if self.state == State::SkipLine {
                    return end;
                }
                // A message that is just full has no room for its delimiter.
                let room = self.partial.len() < options.message_bytes;
                start = if room { end } else { end + 1 };
            }
            if let (None, Some(delimiter)) = (next, input.get(end)) {
                self.state = State::Peek(*delimiter);
                return input.len();
            }
            from = end + 1;
        }
        self.take(options, input, start..input.len(), false, sink);
        input.len()
    }

    /// The byte that decides whether the delimiter before it ended a frame.
    fn peek(
        &mut self,
        options: &Options,
        input: &[u8],
        at: usize,
        delimiter: u8,
        sink: &mut impl Sink,
    ) -> usize {
        if input.get(at) == Some(&b'<') {
            self.emit(at..at, sink);
            self.state = State::Start;
        } else {
            if self.partial.len() < options.message_bytes {
                self.partial.push(delimiter);
            }
            self.state = State::Line;
        }
        at
    }

    fn skip_line(&mut self, options: &Options, input: &[u8], at: usize) -> usize {
        let Some(end) = options.find_delimiter(input, at) else { return input.len() };
        self.state = State::Start;
        end + 1
    }

    /// Takes a range of the input as the last part of the frame under way: mostly all of it.
    fn take_last(
        &mut self,
        options: &Options,
        input: &[u8],
        range: Range<usize>,
        sink: &mut impl Sink,
    ) {
        let whole = self.partial.is_empty() && (1..=options.message_bytes).contains(&range.len());
        if whole {
            sink.frame(range, std::mem::take(&mut self.oversize));
            self.state = State::Start;
        } else {
            self.take(options, input, range, true, sink);
        }
    }

    /// Takes a range of the input as the next part, if `done` the last one, of the frame under way; splits
    /// or cuts what gets too long.
    fn take(
        &mut self,
        options: &Options,
        input: &[u8],
        mut range: Range<usize>,
        done: bool,
        sink: &mut impl Sink,
    ) {
        while self.partial.len() + range.len() > options.message_bytes {
            let cut = range.start + options.message_bytes.saturating_sub(self.partial.len());
            self.oversize = true;
            self.emit(range.start..cut, sink);
            range.start = cut;
            if options.discard_truncated {
                let counted = self.state == State::Counted;
                self.state = if counted { State::SkipCounted } else { State::SkipLine };
                range.start = range.end;
            }
        }
        if done {
            self.emit(range, sink);
            self.state = State::Start;
        } else {
            self.partial.extend_from_slice(input.get(range).unwrap_or_default());
        }
    }

    /// Hands over the partial buffer and a range of the input as one frame, unless that is empty.
    fn emit(&mut self, range: Range<usize>, sink: &mut impl Sink) {
        let oversize = std::mem::take(&mut self.oversize);
        if !self.partial.is_empty() {
            sink.joined(&self.partial, range, oversize);
            self.partial.clear();
        } else if !range.is_empty() {
            sink.frame(range, oversize);
        }
    }
}

/// A count that has grown past this takes no further digit (the reference's limit against overflow).
const COUNT_MAX: u32 = 200_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    struct Ignore;

    impl Sink for Ignore {
        fn frame(&mut self, _: Range<usize>, _: bool) {}
        fn joined(&mut self, _: &[u8], _: Range<usize>, _: bool) {}
        fn fault(&mut self, _: Fault) {}
    }

    #[test]
    fn an_idle_session_owns_no_memory() {
        assert!(size_of::<Decoder>() <= 40);
        let (mut decoder, options) = (Decoder::default(), Options::default());
        for (input, held) in [("<13>a", 5), ("b\n", 0), ("8 <1", 2), ("3>a: b", 0), ("1", 1)] {
            decoder.feed(&options, input.as_bytes(), &mut Ignore);
            assert_eq!(decoder.partial.len(), held, "{input}");
            assert_eq!(decoder.partial.capacity() == 0, held == 0, "{input}");
        }
    }

    /// However much a peer sends, no more than one message is held.
    #[test]
    fn a_line_without_end_is_held_in_pieces() {
        let (mut decoder, options) = (Decoder::default(), Options::default());
        for _ in 0..100 {
            decoder.feed(&options, &[b'A'; 5000], &mut Ignore);
            assert!(decoder.partial.len() <= options.message_bytes);
        }
    }
}

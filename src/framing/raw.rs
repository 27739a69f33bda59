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

use std::ops::Range;

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
    /// Whether empty frames are left out.
    pub skip_empty: bool,
    /// Bytes of an unfinished frame from which on the session reads into it.
    pub own_bytes: usize,
}

impl Options {
    /// Whether one CR before the delimiter goes with it.
    fn strips_cr(&self) -> bool {
        self.mode == Mode::Delimiter && self.delimiter.needle() == b"\n"
    }

    fn delimiter_len(&self) -> usize {
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

/// Takes the frames a [`RawDecoder`] finds.
pub trait RawSink {
    /// A frame that lies inside the input. `cut`: it is the beginning of a longer one.
    fn frame(&mut self, range: Range<usize>, cut: bool);
    /// A frame of bytes from earlier receives followed by a part of the input, which may be empty.
    fn joined(&mut self, head: &[u8], tail: Range<usize>, cut: bool);
}

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

    /// Room for up to `most` bytes behind an unfinished frame that has grown large, to be received into; then call
    /// [`RawDecoder::advance`]. `None`: the frame is not large, receive elsewhere and call [`RawDecoder::feed`].
    pub fn room(&mut self, options: &Options, most: usize) -> Option<&mut [u8]> {
        let room = match self.state {
            State::Line => most,
            State::Counted(left, _) => left.min(most),
            _ => return None,
        };
        let held = self.partial.len();
        if held < options.own_bytes {
            return None;
        }
        self.partial.resize(held + room, 0);
        self.partial.get_mut(held..)
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

    fn line(
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

    fn refuse(&self, options: &Options) -> Result<(), Broken> {
        match options.oversize {
            Oversize::Truncate => Ok(()),
            Oversize::Close => Err(Broken::Oversize { limit: options.message_bytes }),
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

    /// Reads the digits of an octet count, and the blank that ends it.
    fn count(
        &mut self,
        options: &Options,
        input: &[u8],
        at: usize,
        value: u64,
        sink: &mut impl RawSink,
    ) -> Result<usize, Broken> {
        let mut value = value;
        let mut end = at;
        while let Some(digit) = input.get(end).filter(|byte| byte.is_ascii_digit()) {
            let next =
                value.checked_mul(10).and_then(|ten| ten.checked_add(u64::from(digit - b'0')));
            // The reference reads the count as a signed number.
            value =
                next.filter(|n| i64::try_from(*n).is_ok()).ok_or(Broken::Count { byte: *digit })?;
            end += 1;
        }
        match input.get(end) {
            None => {
                self.state = State::Count(value);
                return Ok(end);
            }
            Some(b' ') => {}
            Some(byte) => return Err(Broken::Count { byte: *byte }),
        }
        end += 1;
        let limit = options.message_bytes as u64;
        if value > limit {
            self.refuse(options)?;
        }
        self.state = match value {
            0 => State::Start,
            _ => State::Counted(
                usize::try_from(value.min(limit)).unwrap_or(options.message_bytes),
                value.saturating_sub(limit),
            ),
        };
        if value == 0 && !options.skip_empty {
            sink.frame(end..end, false);
        }
        Ok(end)
    }

    fn counted(
        &mut self,
        input: &[u8],
        at: usize,
        (left, skip): (usize, u64),
        sink: &mut impl RawSink,
    ) -> usize {
        let rest = input.get(at..).unwrap_or_default();
        if rest.len() < left {
            self.partial.extend_from_slice(rest);
            self.state = State::Counted(left - rest.len(), skip);
            return input.len();
        }
        let end = at + left;
        if self.partial.is_empty() {
            sink.frame(at..end, skip > 0);
        } else {
            sink.joined(&self.partial, at..end, skip > 0);
            self.partial.clear();
        }
        self.state = after_counted(skip);
        end
    }

    fn skip_line(&mut self, options: &Options, input: &[u8], at: usize) -> usize {
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

    fn skip_counted(&mut self, input: &[u8], at: usize, left: u64) -> usize {
        let there = input.len() - at;
        match usize::try_from(left) {
            Ok(left) if left <= there => {
                self.state = State::Start;
                at + left
            }
            _ => {
                self.state = State::SkipCounted(left - there as u64);
                input.len()
            }
        }
    }
}

fn after_counted(skip: u64) -> State {
    if skip > 0 { State::SkipCounted(skip) } else { State::Start }
}

fn next_line(options: &Options) -> State {
    if options.mode == Mode::Delimiter { State::Line } else { State::Start }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Default, PartialEq, Eq, Clone)]
    struct Seen {
        frames: Vec<(Vec<u8>, bool)>,
        broken: Option<Broken>,
    }

    struct Sink<'a>(&'a [u8], &'a mut Seen);

    impl RawSink for Sink<'_> {
        fn frame(&mut self, range: Range<usize>, cut: bool) {
            self.1.frames.push((self.0[range].to_vec(), cut));
        }
        fn joined(&mut self, head: &[u8], tail: Range<usize>, cut: bool) {
            self.1.frames.push(([head, &self.0[tail]].concat(), cut));
        }
    }

    fn options(mode: Mode, delimiter: &[u8]) -> Options {
        Options {
            mode,
            delimiter: Finder::new(delimiter).into_owned(),
            message_bytes: 10_000,
            oversize: Oversize::Close,
            skip_empty: false,
            own_bytes: usize::MAX,
        }
    }

    /// What a session does with the parts of a stream.
    fn decode<'a>(options: &Options, parts: impl IntoIterator<Item = &'a [u8]>) -> Seen {
        let (mut decoder, mut seen) = (RawDecoder::default(), Seen::default());
        for part in parts {
            if let Err(broken) = receive(&mut decoder, options, part, &mut seen) {
                seen.broken = Some(broken);
                return seen;
            }
        }
        let (whole, _) = decoder.finish(options);
        seen.frames.extend(whole.map(|whole| (whole.text[..whole.len].to_vec(), whole.cut)));
        assert_eq!(decoder.held(), 0);
        seen
    }

    fn receive(
        decoder: &mut RawDecoder,
        options: &Options,
        mut part: &[u8],
        seen: &mut Seen,
    ) -> Result<(), Broken> {
        while let Some(room) = decoder.room(options, part.len()) {
            let (room, n) = (room.len(), {
                let n = room.len().min(part.len());
                room[..n].copy_from_slice(&part[..n]);
                n
            });
            part = &part[n..];
            if let Some(whole) = decoder.advance(options, room, n)? {
                seen.frames.push((whole.text[..whole.len].to_vec(), whole.cut));
                decoder.feed(
                    options,
                    &whole.text[whole.rest..],
                    &mut Sink(&whole.text[whole.rest..], seen),
                )?;
            }
            if part.is_empty() {
                return Ok(());
            }
        }
        decoder.feed(options, part, &mut Sink(part, seen))
    }

    /// The rules of the specification, on the whole stream at once.
    fn model(o: &Options, mut stream: &[u8]) -> Seen {
        let mut seen = Seen::default();
        let d = o.delimiter.needle();
        let over = |text: &[u8], seen: &mut Seen| -> bool {
            if text.len() <= o.message_bytes {
                if !(o.skip_empty && text.is_empty()) {
                    seen.frames.push((text.to_vec(), false));
                }
                return true;
            }
            if o.oversize == Oversize::Close {
                seen.broken = Some(Broken::Oversize { limit: o.message_bytes });
                return false;
            }
            seen.frames.push((text[..o.message_bytes].to_vec(), true));
            true
        };
        loop {
            if stream.is_empty() {
                return seen;
            }
            let counted = o.mode == Mode::Rfc6587 && stream[0].is_ascii_digit();
            if o.mode == Mode::Rfc6587 && stream.len() == 1 && (counted || d == stream) {
                return seen;
            }
            if counted {
                let (n, rest) = match model_count(stream) {
                    Ok(Some(count)) => count,
                    Ok(None) => return seen,
                    Err(broken) => {
                        seen.broken = Some(broken);
                        return seen;
                    }
                };
                stream = rest;
                let n = usize::try_from(n).unwrap();
                if n > o.message_bytes && o.oversize == Oversize::Close {
                    seen.broken = Some(Broken::Oversize { limit: o.message_bytes });
                    return seen;
                }
                if stream.len() < n.min(o.message_bytes) {
                    return seen;
                }
                if stream.len() < n {
                    seen.frames.push((stream[..o.message_bytes].to_vec(), true));
                    return seen;
                }
                over(&stream[..n], &mut seen);
                stream = &stream[n..];
                continue;
            }
            let end = stream.windows(d.len()).position(|w| w == d);
            let mut text = &stream[..end.unwrap_or(stream.len())];
            // An endless line is refused when it can no longer end in time.
            let open = end.is_none() && text.len() >= o.message_bytes + d.len();
            if o.strips_cr() && (text.len() <= o.message_bytes || (end.is_none() && !open)) {
                text = text.strip_suffix(b"\r").unwrap_or(text);
            }
            let Some(end) = end else {
                if open || text.len() <= o.message_bytes || o.oversize == Oversize::Truncate {
                    over(text, &mut seen);
                }
                return seen;
            };
            if !over(text, &mut seen) {
                return seen;
            }
            stream = &stream[end + d.len()..];
        }
    }

    /// An octet count and what follows it; none where it does not end.
    fn model_count(stream: &[u8]) -> Result<Option<(u64, &[u8])>, Broken> {
        let mut n: u64 = 0;
        let digits = stream.iter().take_while(|c| c.is_ascii_digit()).count();
        for byte in &stream[..digits] {
            match n.checked_mul(10).and_then(|n| n.checked_add(u64::from(byte - b'0'))) {
                Some(next) if i64::try_from(next).is_ok() => n = next,
                _ => return Err(Broken::Count { byte: *byte }),
            }
        }
        match stream.get(digits) {
            None => Ok(None),
            Some(b' ') => Ok(Some((n, &stream[digits + 1..]))),
            Some(byte) => Err(Broken::Count { byte: *byte }),
        }
    }

    fn check(what: &str, options: &Options, stream: &[u8], expected: &Seen) {
        assert_eq!(&model(options, stream), expected, "{what}: the model");
        for own_bytes in [usize::MAX, 1, 5] {
            let options = Options { own_bytes, ..options.clone() };
            assert_eq!(&decode(&options, [stream]), expected, "{what}, whole, {own_bytes}");
            assert_eq!(&decode(&options, stream.chunks(1)), expected, "{what}, bytes, {own_bytes}");
            for at in 0..stream.len() {
                let (head, tail) = stream.split_at(at);
                assert_eq!(
                    &decode(&options, [head, tail]),
                    expected,
                    "{what}, at {at}, {own_bytes}"
                );
            }
        }
    }

    fn seen(texts: &[&str], broken: Option<Broken>) -> Seen {
        Seen {
            frames: texts.iter().map(|text| (text.as_bytes().to_vec(), false)).collect(),
            broken,
        }
    }

    /// The rows on framing of `spec/elastic-tcp.md` section 10.
    #[test]
    fn edge_cases_however_cut() {
        let lf = options(Mode::Delimiter, b"\n");
        let of = |delimiter: &[u8]| options(Mode::Delimiter, delimiter);
        let rfc = options(Mode::Rfc6587, b"\n");
        let count = |byte| Some(Broken::Count { byte });
        type Row<'a> = (&'a str, &'a Options, &'a [u8], &'a [&'a str], Option<Broken>);
        let rows: &[Row<'_>] = &[
            ("1", &lf, b"a\nb\n", &["a", "b"], None),
            ("2", &lf, b"a\r\nb", &["a", "b"], None),
            ("3", &lf, b"a\r\r\n", &["a\r"], None),
            ("4", &lf, b"\n\na\n", &["", "", "a"], None),
            ("5", &of(b"END"), b"aENDbEND", &["a", "b"], None),
            ("6", &of(b"\r\n"), b"a\nb\r\n", &["a\nb"], None),
            ("8", &rfc, b"5 hello3 abcx\n", &["hello", "abc", "x"], None),
            ("9", &rfc, b"5 he\nlo", &["he\nlo"], None),
            ("10 letters", &rfc, b"12abc \n", &[], count(b'a')),
            ("10 a letter", &rfc, b"5x ", &[], count(b'x')),
            ("10 a date", &rfc, b"2024-01-01 x\n", &[], count(b'-')),
            ("10a", &rfc, b"5 hello\n5 world\n", &["hello", "", "world"], None),
            ("10b", &rfc, b"<13>a\r\n", &["<13>a\r"], None),
            ("10c", &rfc, b"0 <13>b\n", &["", "<13>b"], None),
            ("10d", &rfc, b"x", &["x"], None),
            (
                "10e",
                &of(b"<END>"),
                b"hello<END>END>hola<END>bonjour<ENDx<END>hey",
                &["hello", "END>hola", "bonjour<ENDx", "hey"],
                None,
            ),
            ("11", &rfc, b"10 abc", &[], None),
            ("12", &rfc, b"<13>x", &["<13>x"], None),
            ("14", &lf, b"5 hello\n", &["5 hello"], None),
            ("17", &rfc, b"99999999999999999999 x", &[], count(b'9')),
            ("leading zeros", &rfc, b"0000000000000000000000005 hello", &["hello"], None),
            ("signs", &rfc, b"+5 x\n-5 y\n", &["+5 x", "-5 y"], None),
            ("an overlapping delimiter", &of(b"aab"), b"aaab!aab", &["a", "!"], None),
            ("CR at the end", &lf, b"a\r", &["a"], None),
        ];
        for (what, options, stream, texts, broken) in rows {
            check(what, options, stream, &seen(texts, *broken));
        }
        let skip = |options: &Options| Options { skip_empty: true, ..options.clone() };
        check("4, skipping", &skip(&lf), b"\n\na\n", &seen(&["a"], None));
        let both = seen(&["hello", "world"], None);
        check("10a, skipping", &skip(&rfc), b"5 hello\n5 world\n", &both);
    }

    #[test]
    fn messages_that_are_too_long() {
        let small = |mode| Options { message_bytes: 10, ..options(mode, b"\n") };
        let (lf, rfc) = (small(Mode::Delimiter), small(Mode::Rfc6587));
        let cut = |options: &Options| Options { oversize: Oversize::Truncate, ..options.clone() };
        let broken = Some(Broken::Oversize { limit: 10 });
        let first = (b"0123456789".to_vec(), true);
        let two = Seen { frames: vec![first.clone(), (b"x".to_vec(), false)], broken: None };
        let text = b"0123456789AB\nx\n";
        check("15", &lf, text, &seen(&[], broken));
        check("15, cut", &cut(&lf), text, &two);
        check("16", &lf, b"012345678\n0123456789\n", &seen(&["012345678", "0123456789"], None));
        let counted = b"12 0123456789AB1 x";
        check("counted", &rfc, counted, &seen(&[], broken));
        check("counted, cut", &cut(&rfc), counted, &two);
        let long = [b"0123456789".as_slice(), &b"abc".repeat(20), b"END", b"x"].concat();
        let end = Options { delimiter: Finder::new(b"END").into_owned(), ..cut(&lf) };
        check("a long delimiter, cut", &end, &long, &two);
        let endless = Seen { frames: vec![first], broken: None };
        check("no end, cut", &cut(&lf), &b"0123456789".repeat(5), &endless);
    }

    /// What a peer announces is not what is allocated.
    #[test]
    fn a_count_allocates_nothing() {
        let mut decoder = RawDecoder::default();
        let options = Options { message_bytes: 1 << 30, ..options(Mode::Rfc6587, b"\n") };
        let mut seen = Seen::default();
        decoder.feed(&options, b"1000000000 x", &mut Sink(b"1000000000 x", &mut seen)).unwrap();
        assert_eq!(decoder.held(), 1);
        assert!(decoder.partial.capacity() < 100);
    }

    const DELIMITERS: &[&[u8]] = &[b"\n", b";", b"\r\n", b";;", b"ab;", b"aba"];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        #[test]
        fn any_stream_in_any_parts_decodes_as_by_the_model(
            stream in prop::collection::vec(
                prop::sample::select(b"\n\n\r<  01259;;;abab".to_vec()), 0..60),
            cuts in prop::collection::vec(0..60_usize, 0..6),
            rfc: bool,
            truncate: bool,
            skip_empty: bool,
            delimiter in prop::sample::select(DELIMITERS),
            message_bytes in prop::sample::select([1_usize, 3, 10, 100].as_slice()),
            own_bytes in prop::sample::select([2_usize, 7, usize::MAX].as_slice()),
        ) {
            let options = Options {
                message_bytes,
                oversize: if truncate { Oversize::Truncate } else { Oversize::Close },
                skip_empty,
                own_bytes,
                ..options(if rfc { Mode::Rfc6587 } else { Mode::Delimiter }, delimiter)
            };
            let mut cuts: Vec<_> = cuts.into_iter().filter(|cut| *cut < stream.len()).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let parts = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]);
            prop_assert_eq!(decode(&options, parts), model(&options, &stream));
        }
    }
}

//! Framing: a model that takes one byte at a time, and the check that the decoder agrees with it however
//! the stream is cut.

use std::ops::Range;

use crate::framing::{Decoder, Fault, Options, Sink};

/// What comes out of framing: a frame with its oversize mark, or a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A frame.
    Frame(Vec<u8>, bool),
    /// A fault.
    Fault(Fault),
}

/// The plainest decoder that follows `spec/imtcp.md` section 4: one byte at a time, one buffer.
#[derive(Clone, Default)]
pub(crate) struct Model {
    state: &'static str,
    counted: bool,
    remain: u32,
    buffer: Vec<u8>,
    oversize: bool,
    events: Vec<Event>,
}

impl Model {
    fn submit(&mut self) {
        let frame = std::mem::take(&mut self.buffer);
        if !frame.is_empty() {
            self.events.push(Event::Frame(frame, self.oversize));
        }
        self.oversize = false;
    }

    /// Takes a byte; `last` is the one before it.
    pub(crate) fn byte(&mut self, o: &Options, c: u8, last: &mut u8) {
        let delimiter = (c == b'\n' && o.lf) || Some(c) == o.delimiter;
        if self.state == "check" {
            self.state = "start";
            if c == b'<' {
                self.submit();
            } else {
                self.state = "message";
                self.buffer.extend((self.buffer.len() < o.message_bytes).then_some(*last));
            }
        }
        if self.state.is_empty() || self.state == "start" {
            if c == b' ' && o.cisco_fix {
                self.state = "start";
                return;
            }
            self.counted = o.octet_counting && c.is_ascii_digit();
            self.state = if self.counted { "count" } else { "message" };
            (self.remain, self.oversize) = (0, false);
        }
        match self.state {
            "message" if !self.counted && delimiter && o.multi_line => self.state = "check",
            "message" if !self.counted && delimiter => {
                self.submit();
                self.state = "start";
            }
            "message" => self.message(o, c),
            "truncating" if self.counted => self.octet(false),
            "truncating" if delimiter => self.state = "start",
            "truncating" => {}
            _ => self.count(o, c),
        }
        *last = c;
    }

    fn message(&mut self, o: &Options, c: u8) {
        if self.buffer.len() < o.message_bytes {
            self.buffer.push(c);
        } else {
            self.oversize = true;
            self.submit();
            if o.discard_truncated {
                self.state = "truncating";
            } else {
                self.buffer.push(c);
            }
        }
        if self.counted {
            self.octet(true);
        }
    }

    fn octet(&mut self, submit: bool) {
        self.remain -= 1;
        if self.remain == 0 {
            if submit {
                self.submit();
            }
            self.state = "start";
        }
    }

    fn count(&mut self, o: &Options, c: u8) {
        if c.is_ascii_digit() {
            if self.remain <= 200_000_000 {
                self.remain = self.remain * 10 + u32::from(c - b'0');
            }
            self.buffer.extend((self.buffer.len() < o.message_bytes).then_some(c));
            return;
        }
        let mut fault = |fault| self.events.push(Event::Fault(fault));
        if c != b' ' {
            fault(Fault::NotSpace(c));
        }
        if self.remain == 0 {
            fault(Fault::ZeroCount);
            self.counted = false;
        } else if self.remain as usize > o.message_bytes {
            fault(Fault::Oversize { size: self.remain, limit: o.message_bytes });
            self.oversize = true;
        }
        if self.remain > o.max_frame_size {
            fault(Fault::TooLarge(self.remain));
            self.counted = false;
        } else {
            self.buffer.clear();
        }
        self.state = "message";
    }

    /// The events of the stream that ends here.
    pub(crate) fn finish(mut self) -> Vec<Event> {
        let missing = (self.state != "count").then_some(self.remain);
        if self.counted && !self.state.is_empty() && self.state != "start" {
            let received = self.buffer.len();
            self.events.push(Event::Fault(Fault::Incomplete { received, missing }));
        } else {
            self.submit();
        }
        self.events
    }
}

/// The events of `stream`, by the model.
#[must_use]
pub fn model(options: &Options, stream: &[u8]) -> Vec<Event> {
    let mut model = Model::default();
    let mut last = 0;
    for c in stream {
        model.byte(options, *c, &mut last);
    }
    model.finish()
}

/// The events of a stream that arrives in the given pieces, by the decoder.
#[must_use]
pub fn decode<'a>(options: &Options, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
    go_on(&mut Decoder::default(), options, pieces)
}

/// The events of the rest of a stream, in the given pieces, by a decoder that has taken what came before.
pub(crate) fn go_on<'a>(
    decoder: &mut Decoder,
    options: &Options,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<Event> {
    let mut collector = Collector { input: &[], events: Vec::new() };
    for piece in pieces {
        collector.input = piece;
        decoder.feed(options, piece, &mut collector);
    }
    collector.input = &[];
    decoder.finish(&mut collector);
    collector.events
}

struct Collector<'a> {
    input: &'a [u8],
    events: Vec<Event>,
}

impl Sink for Collector<'_> {
    fn frame(&mut self, range: Range<usize>, oversize: bool) {
        self.joined(&[], range, oversize);
    }

    fn joined(&mut self, head: &[u8], tail: Range<usize>, oversize: bool) {
        let tail = self.input.get(tail).expect("a frame lies inside the input");
        assert!(!head.is_empty() || !tail.is_empty(), "no frame is empty");
        self.events.push(Event::Frame([head, tail].concat(), oversize));
    }

    fn fault(&mut self, fault: Fault) {
        self.events.push(Event::Fault(fault));
    }
}

/// Fuzz target: the decoder agrees with the model however the stream is cut. The first bytes of `data`
/// choose the options and where to cut.
pub fn fuzz(data: &[u8]) {
    let Some((&[bits, delimiter, step], stream)) = data.split_first_chunk::<3>() else { return };
    let bit = |n: u8| bits >> n & 1 == 1;
    let options = Options {
        message_bytes: 8,
        max_frame_size: 30,
        octet_counting: bit(0),
        lf: bit(1),
        delimiter: bit(2).then_some(delimiter),
        cisco_fix: bit(3),
        multi_line: bit(4),
        discard_truncated: bit(5),
    };
    let expected = model(&options, stream);
    super::each_cut(stream, usize::from(step % 7) + 1, |pieces| {
        assert_eq!(decode(&options, pieces.iter().copied()), expected);
    });
}

/// Bench hook: the number of frames in a stream, found by the decoder in one go.
#[must_use]
pub fn count_frames(options: &Options, stream: &[u8]) -> usize {
    struct Counter(usize);
    impl Sink for Counter {
        fn frame(&mut self, range: Range<usize>, _: bool) {
            self.0 += usize::from(!range.is_empty());
        }
        fn joined(&mut self, _: &[u8], _: Range<usize>, _: bool) {
            self.0 += 1;
        }
        fn fault(&mut self, _: Fault) {}
    }
    let mut counter = Counter(0);
    Decoder::default().feed(options, stream, &mut counter);
    counter.0
}

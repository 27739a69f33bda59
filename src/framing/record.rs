//! Frames that begin with a line matching an expression (`framing.delimiter.regex`, `spec/imtcp.md` section 4.7).
//!
//! ```text
//! record |<33>first line\n second line\n third line\n<3|
//!                                                   ^ line: under test; once it matches, what stands before
//!                                                     it, without its line feed, is a frame
//! ```
//! A frame is known to be complete only when the next one begins, so the last record of a burst waits for
//! more data or the end of the connection. The first line of a connection begins a frame in any case.
//!
//! The expression is tried as each byte comes, as the reference does: the record ends as soon as a *part* of
//! the line matches, and segmentation makes no difference. Trying it once per receive says the same, except
//! for expressions that may match a part of a line but not a longer part; [`Boundary`] tells them apart.
//!
//! A record of up to twice `maxMessageSize` is handed over whole: `oversizemsg.input.mode` says what becomes of it.

use super::decoder::Sink;
use super::fault::Fault;
use crate::sys::regex::{Flavour, SharedRegex};

/// What a frame's first line matches.
#[derive(Clone, Debug)]
pub struct Boundary {
    regex: SharedRegex,
    /// Whether a line matches when a part of it, from its start, does. Not so where the expression can see
    /// the text's end.
    monotonic: bool,
}

impl Boundary {
    /// Compiles a POSIX extended expression.
    ///
    /// # Errors
    /// The C library's description of what is wrong.
    pub fn new(pattern: &[u8]) -> Result<Self, String> {
        let regex = SharedRegex::new(pattern, Flavour::Extended, false)?;
        let sees_end = |pair: &[u8]| matches!(pair, [b'\\', b'b' | b'B' | b'>' | b'\'']);
        let monotonic = !pattern.contains(&b'$') && !pattern.windows(2).any(sees_end);
        Ok(Self { regex, monotonic })
    }

    /// Whether a part of `line` from its start on matches, the part being `tested` bytes long or longer.
    fn begins_frame(&self, line: &[u8], tested: usize) -> bool {
        // To the reference's regexec a NUL ends the text.
        let line = line.split(|&byte| byte == 0).next().unwrap_or_default();
        if self.monotonic {
            return self.regex.is_match(line);
        }
        (tested..=line.len())
            .any(|len| line.get(..len).is_some_and(|part| self.regex.is_match(part)))
    }
}

/// The framing state of one session.
#[derive(Debug, Default)]
pub struct RecordDecoder {
    /// What has come of the record, at most twice the message size.
    record: Vec<u8>,
    /// Where the line under test begins; 0 while there is none.
    line: usize,
}

impl RecordDecoder {
    /// Decodes the bytes of one receive.
    pub fn feed(
        &mut self,
        boundary: &Boundary,
        message_bytes: usize,
        mut input: &[u8],
        sink: &mut impl Sink,
    ) {
        while !input.is_empty() {
            let room = (2 * message_bytes).saturating_sub(self.record.len());
            if room == 0 {
                sink.fault(Fault::NoBoundary { size: self.record.len() + 1 });
                self.emit(self.record.len(), message_bytes, sink);
                continue;
            }
            let line_end = memchr::memchr(b'\n', input).unwrap_or(input.len());
            let (part, rest) = input.split_at(line_end.min(room));
            self.text(boundary, message_bytes, part, sink);
            input = match rest.split_first() {
                Some((b'\n', rest)) if part.len() < room => {
                    self.record.push(b'\n');
                    self.line = self.record.len();
                    rest
                }
                _ => rest,
            };
        }
    }

    /// Ends the stream: the record is complete, without the line feed at its end.
    pub fn finish(&mut self, message_bytes: usize, sink: &mut impl Sink) {
        let len = self.record.strip_suffix(b"\n").unwrap_or(&self.record).len();
        self.emit(len, message_bytes, sink);
        *self = Self::default();
    }

    /// Takes a part of a line, without line feed.
    fn text(
        &mut self,
        boundary: &Boundary,
        message_bytes: usize,
        part: &[u8],
        sink: &mut impl Sink,
    ) {
        let tested = self.record.len() + 1;
        self.record.extend_from_slice(part);
        if self.line == 0 || part.is_empty() {
            return;
        }
        let line = self.record.get(self.line..).unwrap_or_default();
        if boundary.begins_frame(line, tested - self.line) {
            let line = self.line;
            self.emit_before(line, message_bytes, sink);
        }
    }

    /// Hands over the lines before `line`, which begins the next record.
    fn emit_before(&mut self, line: usize, message_bytes: usize, sink: &mut impl Sink) {
        let next = self.record.split_off(line);
        self.emit(line.saturating_sub(1), message_bytes, sink);
        self.record = next;
    }

    /// Hands over the first `len` bytes of the record, and empties it.
    fn emit(&mut self, len: usize, message_bytes: usize, sink: &mut impl Sink) {
        let frame = self.record.get(..len).unwrap_or_default();
        if !frame.is_empty() {
            sink.joined(frame, 0..0, len > message_bytes);
        }
        self.record.clear();
        self.line = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Default, PartialEq, Eq)]
    struct Frames(Vec<(Vec<u8>, bool)>, Vec<Fault>);

    impl Sink for Frames {
        fn frame(&mut self, _: Range<usize>, _: bool) {
            unreachable!("records are copied");
        }
        fn joined(&mut self, head: &[u8], tail: Range<usize>, oversize: bool) {
            assert!(tail.is_empty());
            self.0.push((head.to_vec(), oversize));
        }
        fn fault(&mut self, fault: Fault) {
            self.1.push(fault);
        }
    }

    const MESSAGE_BYTES: usize = 16;

    fn decode<'a>(pattern: &str, parts: impl IntoIterator<Item = &'a [u8]>) -> Frames {
        let boundary = Boundary::new(pattern.as_bytes()).unwrap();
        let mut decoder = RecordDecoder::default();
        let mut frames = Frames::default();
        for part in parts {
            decoder.feed(&boundary, MESSAGE_BYTES, part, &mut frames);
        }
        decoder.finish(MESSAGE_BYTES, &mut frames);
        frames
    }

    /// The rules of the specification, byte by byte.
    fn reference(pattern: &str, input: &[u8]) -> Frames {
        let regex = SharedRegex::new(pattern.as_bytes(), Flavour::Extended, false).unwrap();
        let mut frames = Frames::default();
        let (mut record, mut line) = (Vec::new(), 0);
        let emit = |frame: &[u8], frames: &mut Frames| {
            if !frame.is_empty() {
                frames.0.push((frame.to_vec(), frame.len() > MESSAGE_BYTES));
            }
        };
        for &byte in input {
            if record.len() >= 2 * MESSAGE_BYTES {
                frames.1.push(Fault::NoBoundary { size: record.len() + 1 });
                emit(&record, &mut frames);
                record.clear();
                line = 0;
            }
            record.push(byte);
            if byte == b'\n' {
                line = record.len();
            } else if line > 0 {
                let text = record[line..].split(|&b| b == 0).next().unwrap();
                if regex.is_match(text) {
                    emit(&record[..line - 1], &mut frames);
                    record.drain(..line);
                    line = 0;
                }
            }
        }
        emit(record.strip_suffix(b"\n").unwrap_or(&record), &mut frames);
        frames
    }

    #[test]
    fn records() {
        const PRI: &str = "^<[0-9]{2}>";
        let rows: &[(&str, &[u8], &[&str])] = &[
            (PRI, b"", &[]),
            (PRI, b"\n", &[]),
            (PRI, b"<33>a\nb\n<33>c\n", &["<33>a\nb", "<33>c"]),
            (PRI, b"no pri\n<33>a\n<3>b\n<33>c", &["no pri", "<33>a\n<3>b", "<33>c"]),
            (PRI, b"\n\n<33>a", &["\n", "<33>a"]),
            (PRI, b"<33>a\n\0<33>b\n<33>c", &["<33>a\n\0<33>b", "<33>c"]),
            (PRI, b"<33>0123456789\n<33>c", &["<33>0123456789", "<33>c"]),
            (PRI, b"<33>0123456789xxx\n<33>c", &["<33>0123456789xxx", "<33>c"]),
            // A part of the line matches, though the whole does not.
            ("^a$", b"x\nabc\nd", &["x", "abc\nd"]),
            ("b\\>", b"x\nabc\nd", &["x", "abc\nd"]),
        ];
        for (pattern, input, expected) in rows {
            let check = |frames: &Frames, how: &str| {
                let texts: Vec<_> =
                    frames.0.iter().map(|f| String::from_utf8_lossy(&f.0).into_owned()).collect();
                assert_eq!(
                    texts,
                    *expected,
                    "{pattern} {:?} {how}",
                    String::from_utf8_lossy(input)
                );
            };
            check(&reference(pattern, input), "by the reference");
            check(&decode(pattern, [*input]), "whole");
            check(&decode(pattern, input.chunks(1)), "byte by byte");
            for at in 0..input.len() {
                check(&decode(pattern, [&input[..at], &input[at..]]), "in two");
            }
        }
    }

    #[test]
    fn a_record_without_end_is_cut() {
        let frames = decode("^<", [[b'x'; 4 * MESSAGE_BYTES + 1].as_slice()]);
        let piece = (vec![b'x'; 2 * MESSAGE_BYTES], true);
        assert_eq!(frames.0, [piece.clone(), piece, (b"x".to_vec(), false)]);
        assert_eq!(frames.1, vec![Fault::NoBoundary { size: 2 * MESSAGE_BYTES + 1 }; 2]);
    }

    #[test]
    fn a_bad_expression_is_refused() {
        assert!(Boundary::new(b"^<[0-9").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_parts_decode_as_by_the_reference(
            input in prop::collection::vec(prop::sample::select(b"<3>ab\n\0".as_slice()), 0..120),
            cuts in prop::collection::vec(0..120_usize, 0..5),
            pattern in prop::sample::select(["^<3", "^<3$", "a", "b*>", "a\\b", "^"].as_slice()),
        ) {
            let mut cuts: Vec<_> = cuts.into_iter().filter(|cut| *cut < input.len()).collect();
            cuts.extend([0, input.len()]);
            cuts.sort_unstable();
            let parts = cuts.windows(2).map(|pair| &input[pair[0]..pair[1]]);
            prop_assert_eq!(decode(pattern, parts), reference(pattern, &input));
        }
    }
}

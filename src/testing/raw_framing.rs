//! imrawtcp's framing: a model that looks at the whole stream at once, and the check that the decoder agrees with it
//! however the stream is cut.

use std::ops::Range;

use memchr::memmem::Finder;

use crate::framing::raw::{Broken, Mode, Options, Oversize, RawDecoder, RawSink};

/// What comes out of a stream.
#[derive(Debug, Default, PartialEq, Eq, Clone)]
pub struct Seen {
    /// Messages, and whether they were cut.
    pub frames: Vec<(Vec<u8>, bool)>,
    /// What ended the stream before its end.
    pub broken: Option<Broken>,
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

/// What a session makes of the parts of a stream.
///
/// # Panics
/// The decoder keeps something after the end.
#[must_use]
pub fn decode<'a>(options: &Options, parts: impl IntoIterator<Item = &'a [u8]>) -> Seen {
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

/// The rules of `spec/elastic-tcp.md` section 3, on the whole stream at once.
///
/// # Panics
/// A count that fits into `i64` is longer than memory.
#[must_use]
pub fn model(o: &Options, mut stream: &[u8]) -> Seen {
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
        let strips_cr = (o.mode == Mode::Delimiter || o.strip_cr) && d == b"\n";
        if strips_cr && (text.len() <= o.message_bytes || (end.is_none() && !open)) {
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

/// Fuzz target: the decoder agrees with the model however the stream is cut, and whether frames get storage of their own
/// or not. The first bytes of `data` choose the options and where to cut.
///
/// # Panics
/// Where the decoder is wrong.
pub fn fuzz(data: &[u8]) {
    let Some((&[bits, delimiter, size, step], stream)) = data.split_first_chunk::<4>() else {
        return;
    };
    let bit = |n: u8| bits >> n & 1 == 1;
    let delimiter = DELIMITERS[usize::from(delimiter) % DELIMITERS.len()];
    let options = |own_bytes| Options {
        mode: if bit(0) { Mode::Rfc6587 } else { Mode::Delimiter },
        delimiter: Finder::new(delimiter).into_owned(),
        message_bytes: usize::from(size % 32) + 1,
        oversize: if bit(1) { Oversize::Truncate } else { Oversize::Close },
        strip_cr: bit(3),
        skip_empty: bit(2),
        own_bytes,
    };
    let expected = model(&options(usize::MAX), stream);
    for own_bytes in [usize::MAX, 1, 5] {
        let options = options(own_bytes);
        super::each_cut(stream, usize::from(step % 7) + 1, |parts| {
            assert_eq!(decode(&options, parts.iter().copied()), expected);
        });
    }
}

/// Delimiters with every kind of overlap with themselves and with the other parts of streams.
const DELIMITERS: [&[u8]; 10] =
    [b"\n", b";", b"\r\n", b";;", b"ab;", b"aba", b"\0", b"END", b"\r", b"12 "];

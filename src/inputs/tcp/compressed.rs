//! Sessions whose stream is compressed as a whole (`compression.mode="stream:always"`, `spec/imtcp.md` section 8).
//!
//! ```text
//! socket ─receive─► pending (16 KiB at most) ─decoder─► the builder's free storage ─► framing
//! ```
//! Pieces of output are small, and each is checked against the limits before it is looked at: neither a stream of
//! zeros nor a window of gigabytes costs more than they allow. An idle session keeps its decoder, but no bytes.

use std::io;
use std::sync::Arc;

use flate2::{Decompress, FlushDecompress, Status};
use zstd::stream::raw::{Decoder as Zstd, Operation as _};

use crate::limits;
use crate::net::transport::{Received, Refusal, Transport};
use crate::sync::{Mutex, lock};

/// How streams are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Driver {
    Zlib,
    Zstd,
}

impl Driver {
    /// As messages name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Zlib => "zlib",
            Self::Zstd => "zstd",
        }
    }
}

/// The parameters `compression.…`; 0 is no limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conf {
    pub(super) driver: Driver,
    /// Output for each byte of input, over the whole stream.
    pub(super) ratio: u64,
    /// Output bytes of one receive.
    pub(super) per_receive: u64,
    /// Bytes of all zstd windows of the input.
    pub(super) windows: u64,
}

/// The zstd windows that the sessions of an input have, bytes.
#[derive(Debug, Default)]
pub(super) struct Windows(Mutex<u64>);

/// A part of them; given back when it is dropped.
#[derive(Debug)]
struct Reservation {
    windows: Arc<Windows>,
    bytes: u64,
}

impl Reservation {
    fn new(windows: &Arc<Windows>, bytes: u64, limit: u64) -> Option<Self> {
        let mut used = lock(&windows.0);
        let sum = used.checked_add(bytes).filter(|&sum| sum <= limit)?;
        *used = sum;
        drop(used);
        Some(Self { windows: Arc::clone(windows), bytes })
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        *lock(&self.windows.0) -= self.bytes;
    }
}

/// The decoding end of a session.
pub(super) struct Compressed {
    conf: Conf,
    windows: Arc<Windows>,
    decoder: Decoder,
    /// Received and not decoded yet, from `at` on.
    pending: Vec<u8>,
    at: usize,
    /// Whether the decoder may have more without further input.
    holds_output: bool,
    /// Whether the socket was empty after the last receive.
    drained: bool,
    received: u64,
    produced: u64,
    /// Output of the last receive so far.
    of_receive: u64,
}

enum Decoder {
    /// No byte has come.
    New,
    Zlib(Box<Decompress>),
    Zstd {
        decoder: Box<Zstd<'static>>,
        /// Held as long as the decoder.
        _window: Option<Reservation>,
    },
    /// The stream is complete.
    Ended,
    /// It broke; that was reported.
    Failed,
}

impl std::fmt::Debug for Compressed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compressed").field("conf", &self.conf).finish_non_exhaustive()
    }
}

/// What a step brought.
#[derive(Debug)]
pub(super) enum Piece {
    /// So many bytes of output, perhaps none; `more`: another step will bring something.
    Bytes { len: usize, more: bool },
    /// Nothing to read now.
    Nothing,
    /// The peer has closed its side.
    Closed,
    /// The connection is broken.
    Failed(io::Error),
    /// The transport does not let the peer in.
    Refused(Refusal),
    /// What came is not to be decoded, or beyond a limit.
    Broken(Broken),
}

/// Why a stream is not decoded further.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken(pub(super) String);

/// Output of the decoder.
struct Output {
    used: usize,
    made: usize,
    ended: bool,
}

impl Compressed {
    pub(super) fn new(conf: Conf, windows: &Arc<Windows>) -> Self {
        Self {
            conf,
            windows: Arc::clone(windows),
            decoder: Decoder::New,
            pending: Vec::new(),
            at: 0,
            holds_output: false,
            drained: false,
            received: 0,
            produced: 0,
            of_receive: 0,
        }
    }

    /// How many bytes were received so far.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Decodes a piece into `room`, after a receive if nothing is pending.
    pub(super) fn step(&mut self, transport: &mut Transport, room: &mut [u8]) -> Piece {
        let len = room.len().min(limits::INFLATE_BYTES);
        let room = room.get_mut(..len).unwrap_or_default();
        if !self.has_work() {
            match self.receive(transport) {
                Received::Bytes { drained, .. } => self.drained = drained,
                Received::Nothing => return Piece::Nothing,
                Received::Closed => return Piece::Closed,
                Received::Failed(why) => return Piece::Failed(why),
                Received::Refused(refusal) => return Piece::Refused(refusal),
            }
        }
        match self.decode(room) {
            Ok(len) => {
                if self.at >= self.pending.len() {
                    (self.pending, self.at) = (Vec::new(), 0);
                }
                Piece::Bytes { len, more: self.has_work() || !self.drained }
            }
            Err(why) => {
                self.decoder = Decoder::Failed;
                (self.pending, self.holds_output) = (Vec::new(), false);
                Piece::Broken(why)
            }
        }
    }

    /// Whether the stream is not complete: what to say about it.
    pub(super) fn truncation(&self) -> Option<Broken> {
        let unfinished = match self.decoder {
            Decoder::New => self.received > 0,
            Decoder::Zlib(_) | Decoder::Zstd { .. } => true,
            Decoder::Ended | Decoder::Failed => false,
        };
        let driver = self.conf.driver.name();
        unfinished.then(|| Broken(format!("{driver} stream ended before trailer")))
    }

    fn has_work(&self) -> bool {
        let needs_header = matches!(self.decoder, Decoder::New) && self.header() == Header::Short;
        self.holds_output || (self.at < self.pending.len() && !needs_header)
    }

    fn receive(&mut self, transport: &mut Transport) -> Received {
        let held = self.pending.len();
        self.pending.resize(held + limits::COMPRESSED_BYTES, 0);
        let received = transport.receive(self.pending.get_mut(held..).unwrap_or_default());
        let len = if let Received::Bytes { len, .. } = received { len } else { 0 };
        self.pending.truncate(held + len);
        self.received += len as u64;
        self.of_receive = 0;
        received
    }

    /// The header of a zstd frame whose window is to be reserved.
    fn header(&self) -> Header {
        if self.conf.driver == Driver::Zlib || self.conf.windows == 0 {
            return Header::Window(0);
        }
        frame_header(&self.pending)
    }

    fn decode(&mut self, room: &mut [u8]) -> Result<usize, Broken> {
        if matches!(self.decoder, Decoder::New) {
            let Header::Window(bytes) = self.header() else { return Ok(0) };
            self.decoder = self.open(bytes)?;
        }
        let input = self.pending.get(self.at..).unwrap_or_default();
        let Output { used, made, ended } = match &mut self.decoder {
            Decoder::Zlib(decoder) => inflate(decoder, input, room)?,
            Decoder::Zstd { decoder, .. } => unzstd(decoder, input, room)?,
            Decoder::New | Decoder::Ended | Decoder::Failed => return Err(self.after_end()),
        };
        self.at += used;
        self.holds_output = made == room.len() && !ended;
        self.check(made as u64)?;
        if ended {
            self.decoder = Decoder::Ended;
            // What was made is parsed first; what follows it is an error, at the next step.
        }
        Ok(made)
    }

    fn open(&self, window: u64) -> Result<Decoder, Broken> {
        if self.conf.driver == Driver::Zlib {
            return Ok(Decoder::Zlib(Box::new(Decompress::new(true))));
        }
        let reservation = match self.conf.windows {
            0 => None,
            limit => Some(
                Reservation::new(&self.windows, window, limit)
                    .ok_or_else(|| Broken("zstd decoder window budget exhausted".to_owned()))?,
            ),
        };
        let decoder = Zstd::new().map_err(|why| Broken(why.to_string()))?;
        Ok(Decoder::Zstd { decoder: Box::new(decoder), _window: reservation })
    }

    fn after_end(&self) -> Broken {
        Broken(format!("data after end of {} stream", self.conf.driver.name()))
    }

    /// Whether so much output is within the limits.
    fn check(&mut self, made: u64) -> Result<(), Broken> {
        self.of_receive = self.of_receive.saturating_add(made);
        self.produced = self.produced.saturating_add(made);
        let Conf { ratio, per_receive, .. } = self.conf;
        if per_receive != 0 && self.of_receive > per_receive {
            let text = "decompressed bytes exceeded configured per-receive limit";
            return Err(Broken(text.to_owned()));
        }
        if ratio != 0 && self.produced > self.received.saturating_mul(ratio) {
            let text = "decompressed bytes exceeded configured expansion ratio";
            return Err(Broken(text.to_owned()));
        }
        Ok(())
    }
}

fn inflate(decoder: &mut Decompress, input: &[u8], room: &mut [u8]) -> Result<Output, Broken> {
    let before = (decoder.total_in(), decoder.total_out());
    let status = decoder
        .decompress(input, room, FlushDecompress::Sync)
        .map_err(|_| Broken("zlib inflate failed".to_owned()))?;
    let grown = |now: u64, before: u64| usize::try_from(now - before).unwrap_or(usize::MAX);
    let (used, made) = (grown(decoder.total_in(), before.0), grown(decoder.total_out(), before.1));
    if status == Status::BufError && made == 0 && used == 0 && !input.is_empty() {
        return Err(Broken("zlib inflate made no progress".to_owned()));
    }
    Ok(Output { used, made, ended: status == Status::StreamEnd })
}

fn unzstd(decoder: &mut Zstd<'_>, input: &[u8], room: &mut [u8]) -> Result<Output, Broken> {
    let status = decoder.run_on_buffers(input, room).map_err(|why| Broken(why.to_string()))?;
    Ok(Output { used: status.bytes_read, made: status.bytes_written, ended: status.remaining == 0 })
}

/// What a zstd frame begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Header {
    /// More bytes are needed.
    Short,
    /// It asks for a window of so many bytes; none for a frame to be skipped, and for what is no frame, which the
    /// decoder will refuse.
    Window(u64),
}

/// Reads the header of a zstd frame (RFC 8878 section 3.1.1.1).
fn frame_header(bytes: &[u8]) -> Header {
    const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    let is_prefix = |whole: &[u8; 4]| bytes.iter().zip(whole).all(|(a, b)| a == b);
    if !is_prefix(&MAGIC) {
        return Header::Window(0);
    }
    let Some(&descriptor) = bytes.get(4) else { return Header::Short };
    let single_segment = descriptor & 0x20 != 0;
    if !single_segment {
        let Some(&window) = bytes.get(5) else { return Header::Short };
        let base = 1_u64 << (10 + (window >> 3));
        return Header::Window(base + base / 8 * u64::from(window & 7));
    }
    let dictionary = [0, 1, 2, 4].get(usize::from(descriptor & 3)).copied().unwrap_or(0);
    let size = [1, 2, 4, 8].get(usize::from(descriptor >> 6)).copied().unwrap_or(8);
    let Some(field) = bytes.get(5 + dictionary..5 + dictionary + size) else {
        return Header::Short;
    };
    let number = field.iter().rev().fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
    Header::Window(if size == 2 { number + 256 } else { number })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::{TcpListener, TcpStream};

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    fn conf(driver: Driver) -> Conf {
        Conf { driver, ratio: 1024, per_receive: 64 << 20, windows: 64 << 20 }
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        zstd::bulk::compress(text, 3).unwrap()
    }

    /// What comes out of these segments, and how it ends.
    fn decode(conf: Conf, segments: &[&[u8]]) -> (Vec<u8>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let stream = listener.accept().unwrap().0;
        let mut transport = Transport::Plain(stream);
        let mut compressed = Compressed::new(conf, &Arc::default());
        let mut out = Vec::new();
        let mut room = vec![0; 100_000];
        let mut segments = segments.iter();
        loop {
            if !compressed.has_work() {
                match segments.next() {
                    Some(segment) => peer.write_all(segment).unwrap(),
                    None => peer.shutdown(std::net::Shutdown::Write).unwrap(),
                }
            }
            match compressed.step(&mut transport, &mut room) {
                Piece::Bytes { len, .. } => out.extend_from_slice(&room[..len]),
                Piece::Nothing => {}
                Piece::Closed => {
                    let end = compressed.truncation().map_or_else(String::new, |why| why.0);
                    return (out, end);
                }
                Piece::Failed(why) => panic!("{why}"),
                Piece::Refused(refusal) => panic!("{refusal:?}"),
                Piece::Broken(why) => return (out, why.0),
            }
        }
    }

    #[test]
    fn streams_come_out_whole_however_they_are_cut() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        for (driver, stream) in [(Driver::Zlib, zlib(&text)), (Driver::Zstd, zstd(&text))] {
            let (out, end) = decode(conf(driver), &[&stream]);
            assert_eq!((out == text, end.as_str()), (true, ""), "{driver:?}");
            let (head, tail) = stream.split_at(3);
            let (out, end) = decode(conf(driver), &[head, tail]);
            assert_eq!((out == text, end.as_str()), (true, ""), "{driver:?}");
        }
        for (driver, stream) in [(Driver::Zlib, zlib(b"text")), (Driver::Zstd, zstd(b"text"))] {
            let bytes: Vec<&[u8]> = stream.chunks(1).collect();
            assert_eq!(decode(conf(driver), &bytes), (b"text".to_vec(), String::new()));
            assert_eq!(decode(conf(driver), &[]), (Vec::new(), String::new()), "silent");
        }
    }

    #[test]
    fn what_is_wrong_with_a_stream_is_named() {
        let (zlib, zstd) = (zlib(b"text"), zstd(b"text"));
        let behind = |stream: &[u8]| [stream, b"x"].concat();
        let cut = |stream: &[u8]| stream[..stream.len() - 1].to_vec();
        let cases: [(Driver, Vec<u8>, &str); 7] = [
            (Driver::Zlib, behind(&zlib), "data after end of zlib stream"),
            (Driver::Zstd, behind(&zstd), "data after end of zstd stream"),
            (Driver::Zlib, cut(&zlib), "zlib stream ended before trailer"),
            (Driver::Zstd, cut(&zstd), "zstd stream ended before trailer"),
            (Driver::Zstd, zstd[..4].to_vec(), "zstd stream ended before trailer"),
            (Driver::Zlib, b"<13>plain".to_vec(), "zlib inflate failed"),
            (Driver::Zstd, b"<13>plain".to_vec(), "Unknown frame descriptor"),
        ];
        for (driver, stream, expected) in cases {
            assert_eq!(decode(conf(driver), &[&stream]).1, expected, "{driver:?}");
        }
    }

    #[test]
    fn bombs_are_cut_off_early() {
        let zeros = vec![0; 4 << 20];
        for (driver, bomb) in [(Driver::Zlib, zlib(&zeros)), (Driver::Zstd, zstd(&zeros))] {
            let strict = Conf { ratio: 10, ..conf(driver) };
            let (out, end) = decode(strict, &[&bomb]);
            assert_eq!(end, "decompressed bytes exceeded configured expansion ratio");
            assert!(out.len() <= 10 * bomb.len(), "{}", out.len());
            let strict = Conf { ratio: 0, per_receive: 1 << 20, ..conf(driver) };
            let (out, end) = decode(strict, &[&bomb]);
            assert_eq!(end, "decompressed bytes exceeded configured per-receive limit");
            assert!(out.len() <= 1 << 20, "{}", out.len());
        }
    }

    #[test]
    fn windows_are_reserved_from_the_header_and_given_back() {
        let windows = Arc::<Windows>::default();
        let first = Reservation::new(&windows, 40, 64).unwrap();
        assert!(Reservation::new(&windows, 25, 64).is_none());
        drop(first);
        assert!(Reservation::new(&windows, 64, 64).is_some());
        assert_eq!(*lock(&windows.0), 0);
        let small = Conf { windows: 1000, ..conf(Driver::Zstd) };
        let (out, end) = decode(small, &[&zstd(&[7; 5000])]);
        assert_eq!((out, end.as_str()), (Vec::new(), "zstd decoder window budget exhausted"));
    }

    #[test]
    fn frame_headers() {
        let magic = [0x28, 0xb5, 0x2f, 0xfd];
        let header = |rest: &[u8]| frame_header(&[&magic, rest].concat());
        assert_eq!(frame_header(&[]), Header::Short);
        assert_eq!(frame_header(&magic[..3]), Header::Short);
        assert_eq!(frame_header(b"<1"), Header::Window(0));
        assert_eq!(frame_header(&[0x50, 0x2a, 0x4d, 0x18]), Header::Window(0), "skippable");
        assert_eq!((header(&[]), header(&[0])), (Header::Short, Header::Short));
        assert_eq!(header(&[0, 0]), Header::Window(1024));
        assert_eq!(header(&[0, 0x88 | 7]), Header::Window((1 << 27) + (1 << 24) * 7));
        assert_eq!(header(&[0, 0xff]), Header::Window((1 << 41) + (1 << 38) * 7));
        assert_eq!(header(&[0x20, 9]), Header::Window(9));
        assert_eq!(header(&[0x21, 0, 9]), Header::Window(9));
        assert_eq!(header(&[0x60, 1]), Header::Short);
        assert_eq!(header(&[0x60, 1, 1]), Header::Window(257 + 256));
        assert_eq!(
            header(&[0xe3, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1]),
            Header::Window(1 << 56 | 1)
        );
    }
}

//! One connection: its socket, its framing state, and who is at the other end.
//!
//! An idle session owns no buffer. Bytes are received straight into the worker's builder, frames are found
//! there, and only an unfinished frame is copied out, into the decoder.

use std::ops::Range;
use std::sync::Arc;

use super::budget::Lease;
use super::compressed::{self, Compressed, Piece, Windows};
use super::conf::{self, Conf};
use super::counters::Tally;
use super::preamble::Preamble;
use super::seats::Seat;
use super::server::Shared;
use crate::framing::fault::{Fault, Peer, Report};
use crate::framing::raw::{Broken, RawDecoder, RawSink, Whole};
use crate::framing::tls_hello::{Probe, Verdict};
use crate::framing::{Decoder, RecordDecoder, Sink};
use crate::limits;
use crate::message::{Appender, Batch, Builder, Flags, Held, Sender};
use crate::net::transport::{Received, Refusal, Transport};
use crate::sys::clock;

/// One connection.
#[derive(Debug)]
pub(super) struct Session {
    /// Its place among those of its address. Stands first, and so is given up first: a peer that sees its connection
    /// closed finds it free.
    pub(super) seat: Option<Box<Seat>>,
    pub(super) transport: Transport,
    pub(super) sender: Arc<Sender>,
    decoder: Framing,
    /// The header that is still to come before the stream.
    pub(super) preamble: Option<Box<Preamble>>,
    /// It was silent for too long.
    pub(super) is_timed_out: bool,
    /// Whether a worker is to judge the peer by its name before it has said anything.
    pub(super) is_unheard: bool,
    /// Where the stream is compressed.
    compressed: Option<Box<Compressed>>,
    /// Until it is clear that the peer does not speak TLS.
    probe: Option<Probe>,
    /// Messages so far.
    messages: u64,
    /// Bytes received so far.
    bytes: u64,
    /// What a large message that is under way holds of the input's memory.
    lease: Option<Box<Lease>>,
    /// Since when the peer is waited for, where silence has a limit ([`Shared::uptime_msec`]).
    pub(super) waits_since: Option<u64>,
    /// When the large message began.
    large_since: u64,
}

// 10,000 idle sessions are to cost no more than 15 MiB, with their slots and senders.
const _: () = assert!(size_of::<Session>() <= 160);

/// How the session's stream is cut into messages.
#[derive(Debug)]
enum Framing {
    /// By counts and delimiters.
    Standard(Decoder),
    /// By lines that match an expression.
    Records(RecordDecoder),
    /// As imrawtcp does.
    Raw(RawDecoder),
}

impl Framing {
    fn new(conf: &Conf) -> Self {
        match conf.framing {
            conf::Framing::Standard(_) => Self::Standard(Decoder::default()),
            conf::Framing::Records(..) => Self::Records(RecordDecoder::default()),
            conf::Framing::Raw(_) => Self::Raw(RawDecoder::default()),
        }
    }

    fn feed(&mut self, conf: &Conf, input: &[u8], sink: &mut Frames<'_, '_>) -> Result<(), Broken> {
        match (self, &conf.framing) {
            (Self::Standard(decoder), conf::Framing::Standard(options)) => {
                decoder.feed(options, input, sink);
            }
            (Self::Records(decoder), conf::Framing::Records(boundary, message_bytes)) => {
                decoder.feed(boundary, *message_bytes, input, sink);
            }
            (Self::Raw(decoder), conf::Framing::Raw(options)) => {
                return decoder.feed(options, input, sink);
            }
            _ => unreachable!("made for the same configuration"),
        }
        Ok(())
    }

    fn finish(&mut self, conf: &Conf, sink: &mut impl Sink) {
        match (self, &conf.framing) {
            (Self::Standard(decoder), _) => decoder.finish(sink),
            (Self::Records(decoder), conf::Framing::Records(_, message_bytes)) => {
                decoder.finish(*message_bytes, sink);
            }
            // Its last message comes with storage of its own.
            _ => {}
        }
    }
}

/// How a receive of a session ended.
#[derive(Debug)]
pub(super) enum Step {
    /// Bytes came, and more are waiting.
    More,
    /// Bytes came, and no more are waiting.
    Drained,
    /// A large message is complete; more may be waiting.
    Whole(Whole),
    /// There is no memory for more of a large message now.
    Short,
    /// Nothing to read now.
    Nothing,
    /// The session is over.
    Over(End),
}

/// Why a session is over.
#[derive(Debug)]
pub(super) enum End {
    /// The peer closed it.
    Closed,
    /// The connection broke.
    Failed(std::io::Error),
    /// The peer speaks TLS.
    Tls,
    /// The stream cannot be cut into messages.
    Broken(Broken),
    /// The peer was silent for too long.
    TimedOut,
    /// The compressed stream cannot be decoded.
    Undecodable(compressed::Broken),
    /// The transport does not let the peer in.
    Refused(Refusal),
}

/// Whether bytes are the last ones of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    GoesOn,
    Ends,
}

impl Session {
    pub(super) fn new(
        conf: &Conf,
        windows: &Arc<Windows>,
        transport: Transport,
        sender: Arc<Sender>,
    ) -> Self {
        let compressed = conf.compression.map(|conf| Box::new(Compressed::new(conf, windows)));
        // imrawtcp takes any bytes; compressed or encrypted ones are not mistaken for anything else.
        let is_probed = compressed.is_none()
            && matches!(transport, Transport::Plain(_))
            && !matches!(conf.framing, conf::Framing::Raw(_));
        Self {
            transport,
            sender,
            decoder: Framing::new(conf),
            probe: is_probed.then(Probe::default),
            compressed,
            seat: None,
            preamble: None,
            is_timed_out: false,
            is_unheard: false,
            messages: 0,
            bytes: 0,
            lease: None,
            waits_since: None,
            large_since: 0,
        }
    }

    /// Receives once and decodes what came, into `builder`, which is not full.
    pub(super) fn receive(
        &mut self,
        shared: &Arc<Shared>,
        builder: &mut Builder,
        tally: &mut Tally,
    ) -> Step {
        self.waits_since = None;
        if self.preamble.is_some()
            && let Some(step) = self.open(shared)
        {
            return step;
        }
        if self.lease.is_some() {
            return self.receive_large(shared, tally);
        }
        if self.compressed.is_some() {
            return self.receive_compressed(shared, builder, tally);
        }
        let start = builder.bytes().len();
        let held = self.probe.as_ref().map_or(0, |probe| {
            builder.bytes().append(probe.held());
            probe.held().len()
        });
        let spare = builder.bytes().spare_mut();
        // Room stays for a frame that is joined of an earlier receive's bytes and these.
        let most = if shared.budget.is_short() { limits::LARGE_BYTES } else { limits::RECV_BYTES };
        let room = spare.len().saturating_sub(limits::JOIN_BYTES).min(most);
        let received = self.transport.receive(spare.get_mut(..room).unwrap_or_default());
        let Received::Bytes { len, drained } = received else {
            builder.bytes().truncate(start);
            return match received {
                Received::Closed => Step::Over(End::Closed),
                Received::Failed(why) => Step::Over(End::Failed(why)),
                Received::Refused(refusal) => Step::Over(End::Refused(refusal)),
                _ => Step::Nothing,
            };
        };
        tally.reads += 1;
        tally.bytes += len as u64;
        self.bytes += len as u64;
        builder.bytes().advance(len);
        match self.judge(builder, start + held) {
            Verdict::No => {
                if let Err(end) = self.decode(shared, builder, start, Stream::GoesOn, tally) {
                    return Step::Over(end);
                }
            }
            Verdict::Need => builder.bytes().truncate(start),
            Verdict::Yes => {
                builder.bytes().truncate(start);
                return Step::Over(End::Tls);
            }
        }
        if drained { Step::Drained } else { Step::More }
    }

    /// The same for a compressed stream: one piece of it.
    fn receive_compressed(
        &mut self,
        shared: &Arc<Shared>,
        builder: &mut Builder,
        tally: &mut Tally,
    ) -> Step {
        let Some(compressed) = &mut self.compressed else { return Step::Nothing };
        let start = builder.bytes().len();
        let before = compressed.received();
        let spare = builder.bytes().spare_mut();
        let room = spare.len().saturating_sub(limits::JOIN_BYTES);
        let piece = compressed.step(&mut self.transport, spare.get_mut(..room).unwrap_or_default());
        let received = compressed.received() - before;
        tally.reads += u64::from(received > 0);
        tally.bytes += received;
        self.bytes += received;
        match piece {
            Piece::Bytes { len, more } => {
                tally.decompressed += len as u64;
                builder.bytes().advance(len);
                if let Err(end) = self.decode(shared, builder, start, Stream::GoesOn, tally) {
                    return Step::Over(end);
                }
                if more { Step::More } else { Step::Drained }
            }
            Piece::Nothing => Step::Nothing,
            Piece::Closed => Step::Over(End::Closed),
            Piece::Failed(why) => Step::Over(End::Failed(why)),
            Piece::Refused(refusal) => Step::Over(End::Refused(refusal)),
            Piece::Broken(why) => Step::Over(End::Undecodable(why)),
        }
    }

    /// Whether the connection begins with a TLS handshake; the newest bytes lie from `start` on.
    fn judge(&mut self, builder: &mut Builder, start: usize) -> Verdict {
        let Some(probe) = &mut self.probe else { return Verdict::No };
        let verdict = probe.judge(builder.bytes().used().get(start..).unwrap_or_default());
        if verdict == Verdict::No {
            self.probe = None;
        }
        verdict
    }

    /// Takes what an unfinished message holds from the budget, if that is much.
    fn lease_large(&mut self, shared: &Arc<Shared>) {
        let Framing::Raw(decoder) = &self.decoder else { return };
        if decoder.held() >= limits::LARGE_BYTES && self.lease.is_none() {
            let mut lease = Lease::new(shared);
            lease.set(decoder.storage());
            self.lease = Some(Box::new(lease));
            self.large_since = shared.uptime_msec();
        }
    }

    /// Receives once, right into the large message that is under way.
    fn receive_large(&mut self, shared: &Shared, tally: &mut Tally) -> Step {
        let Self { decoder, lease, transport, .. } = self;
        let (Framing::Raw(decoder), Some(lease)) = (decoder, lease) else { return Step::Nothing };
        let conf::Framing::Raw(options) = &shared.conf.framing else { return Step::Nothing };
        if !lease.grow_to(decoder.storage_with_room(options, limits::RECV_BYTES)) {
            return Step::Short;
        }
        let Some(room) = decoder.room(options, limits::RECV_BYTES) else { return Step::Nothing };
        let size = room.len();
        let received = transport.receive(room);
        let (used, then) = match received {
            Received::Bytes { len, drained } => {
                tally.reads += 1;
                tally.bytes += len as u64;
                self.bytes += len as u64;
                (len, if drained { Step::Drained } else { Step::More })
            }
            Received::Nothing => (0, Step::Nothing),
            Received::Closed => (0, Step::Over(End::Closed)),
            Received::Failed(why) => (0, Step::Over(End::Failed(why))),
            Received::Refused(refusal) => (0, Step::Over(End::Refused(refusal))),
        };
        let advanced = decoder.advance(options, size, used);
        lease.set(decoder.storage());
        match advanced {
            Ok(None) => then,
            Ok(Some(whole)) => {
                lease.set(whole.text.capacity());
                Step::Whole(whole)
            }
            Err(broken) => {
                tally.errors += 1;
                Step::Over(End::Broken(broken))
            }
        }
    }

    /// The batch of a message that has storage of its own; the message's part of the memory goes with it.
    pub(super) fn batch(&mut self, whole: Whole) -> Batch {
        self.messages += 1;
        let flags = if whole.cut { CUT } else { Flags::ANY_SIZE };
        let Whole { text, len, .. } = whole;
        let mut batch =
            Batch::of_one(text, len, clock::now_usec(), Arc::clone(&self.sender), flags);
        batch.held = self.lease.take().map(|lease| lease as Box<dyn Held>);
        batch
    }

    /// Gives up what has come of an unfinished message.
    pub(super) fn drop_unfinished(&mut self, tally: &mut Tally) {
        let Framing::Raw(decoder) = &self.decoder else { return };
        tally.incomplete += u64::from(decoder.held() > 0);
        self.decoder = Framing::Raw(RawDecoder::default());
        self.lease = None;
    }

    /// Whether the session is to be closed because its peer took too long: `now` and `limit` in milliseconds.
    pub(super) fn is_too_slow(&self, now: u64, limit: u64, others_wait: bool) -> bool {
        // Without a time the session waits for us, not for its peer.
        let Some(since) = self.waits_since else { return false };
        let hoards = others_wait && self.lease.is_some() && now >= self.large_since + limit;
        hoards || now >= since + limit
    }

    /// Ends the stream: what is a message without its delimiter becomes one; with storage of its own where that
    /// is how the session receives.
    pub(super) fn finish(
        &mut self,
        shared: &Arc<Shared>,
        builder: &mut Builder,
        tally: &mut Tally,
    ) -> Option<Whole> {
        if let (Framing::Raw(decoder), conf::Framing::Raw(options)) =
            (&mut self.decoder, &shared.conf.framing)
        {
            let (whole, lost) = decoder.finish(options);
            tally.incomplete += u64::from(lost > 0);
            return whole;
        }
        let start = builder.bytes().len();
        if let Some(why) = self.compressed.as_ref().and_then(|stream| stream.truncation()) {
            // What is there of the last frame is not to be trusted.
            let what = "detected truncated compressed stream";
            self.report_broken(shared, what, &why, tally);
            return None;
        }
        if let Some(probe) = self.probe.take() {
            builder.bytes().append(probe.held());
        }
        let _ = self.decode(shared, builder, start, Stream::Ends, tally);
        None
    }

    /// Decodes the builder's bytes from `start` on.
    ///
    /// # Errors
    /// The stream ends there.
    pub(super) fn decode(
        &mut self,
        shared: &Arc<Shared>,
        builder: &mut Builder,
        start: usize,
        stream: Stream,
        tally: &mut Tally,
    ) -> Result<(), End> {
        let Self { decoder, sender, messages, .. } = self;
        let decoded = builder.decode(start, |input, appender| {
            let mut frames = Frames::new(shared, input, appender, sender);
            let fed = decoder.feed(&shared.conf, input, &mut frames);
            if stream == Stream::Ends {
                decoder.finish(&shared.conf, &mut frames);
            }
            *messages += frames.count(tally);
            fed.map_err(|broken| {
                tally.errors += 1;
                End::Broken(broken)
            })
        });
        self.lease_large(shared);
        decoded
    }

    fn report_broken(
        &self,
        shared: &Shared,
        what: &str,
        why: &compressed::Broken,
        tally: &mut Tally,
    ) {
        tally.broken_streams += 1;
        let text = |bytes| String::from_utf8_lossy(bytes);
        let (host, ip) = (text(self.sender.known_host()), text(&self.sender.ip));
        let (port, why) = (text(&self.sender.port), &why.0);
        let driver = shared.conf.compression.map_or("", |conf| conf.driver.name());
        shared.limiter.error(
            clock::now_usec(),
            Some(BROKEN_STREAM),
            format_args!("imtcp: {what} from {host} ({ip}:{port}), driver={driver}: {why}"),
        );
    }

    /// Says that and why the session is over, where that is wanted.
    pub(super) fn report_end(&self, shared: &Shared, end: &End, tally: &mut Tally) {
        let ip = String::from_utf8_lossy(&self.sender.ip);
        let port = String::from_utf8_lossy(&self.sender.port);
        match end {
            End::Closed if shared.conf.notify_close => {
                let Self { messages, bytes, .. } = self;
                log::info!(
                    code = PEER_CLOSED;
                    "Netstream session closed by remote peer {ip}:{port} after {messages} messages, \
                     {bytes} bytes."
                );
            }
            End::Closed => {}
            End::Broken(why) => shared.limiter.error(
                clock::now_usec(),
                None,
                format_args!(
                    "{} {}: connection from {ip}:{port} closed: {why}; what it had sent of that message \
                     is lost",
                    shared.conf.module, shared.conf.name
                ),
            ),
            End::TimedOut => log::debug!("connection from {ip}:{port} was silent for too long"),
            End::Undecodable(why) => {
                self.report_broken(shared, "received invalid compressed stream", why, tally);
            }
            End::Failed(why) => shared.limiter.error(
                clock::now_usec(),
                None,
                format_args!(
                    "netstream session from {ip}:{port} will be closed due to error: {why}"
                ),
            ),
            End::Refused(Refusal { lines }) => {
                let now = clock::now_usec();
                lines.iter().for_each(|(code, text)| shared.limiter.error(now, *code, text));
            }
            End::Tls => {
                tally.errors += 1;
                let host = String::from_utf8_lossy(self.sender.known_host());
                let now = clock::now_usec();
                shared.limiter.error(
                    now,
                    Some(TLS_ON_PLAIN),
                    format_args!(
                        "imtcp: TLS handshake detected from {host} ({ip}:{port}) but listener is not \
                         TLS-enabled. Enable TLS on this listener or disable TLS on the client. See \
                         https://www.rsyslog.com/doc/faq/imtcp-tls-gibberish.html for troubleshooting."
                    ),
                );
                shared.limiter.error(
                    now,
                    None,
                    format_args!("Tearing down TCP Session from {ip}:{port}"),
                );
            }
        }
    }
}

/// Return code of the notice about a closed connection.
/// A message of imrawtcp, whose limit is its own, that was cut to that.
const CUT: Flags = Flags::TRUNCATED.with(Flags::ANY_SIZE);

const PEER_CLOSED: u16 = 2144;
/// Return code of the error about a compressed stream.
const BROKEN_STREAM: u16 = 2141;
/// Return code of the error about TLS on a plain listener.
const TLS_ON_PLAIN: u16 = 2465;

/// Takes the frames of one receive into the builder.
struct Frames<'a, 'b> {
    shared: &'a Shared,
    input: &'a [u8],
    appender: &'a mut Appender<'b>,
    sender: &'a Arc<Sender>,
    /// One reading of the clock for all frames of a receive.
    now: i64,
    messages: u64,
    oversize: u64,
    errors: u64,
}

impl<'a, 'b> Frames<'a, 'b> {
    fn new(
        shared: &'a Shared,
        input: &'a [u8],
        appender: &'a mut Appender<'b>,
        sender: &'a Arc<Sender>,
    ) -> Self {
        let now = clock::now_usec();
        Self { shared, input, appender, sender, now, messages: 0, oversize: 0, errors: 0 }
    }

    /// Adds what was counted; returns the messages.
    fn count(&self, tally: &mut Tally) -> u64 {
        tally.submitted += self.messages;
        tally.oversize += self.oversize;
        tally.errors += self.errors;
        self.messages
    }

    /// imrawtcp's messages are texts of any kind: no parser of syslog changes them.
    fn raw_flags(&mut self, cut: bool) -> Flags {
        self.messages += 1;
        self.oversize += u64::from(cut);
        if cut { CUT } else { Flags::ANY_SIZE }
    }

    fn flags(&mut self, oversize: bool) -> Flags {
        self.messages += 1;
        let mut flags = Flags::NEEDS_PARSING.with(Flags::PARSE_HOSTNAME);
        if self.shared.conf.compression.is_some() {
            flags.set(Flags::NO_COMPRESSION);
        }
        if oversize {
            self.oversize += 1;
            return flags.with(Flags::TRUNCATED).with(Flags::OVERSIZE);
        }
        flags
    }
}

impl RawSink for Frames<'_, '_> {
    fn frame(&mut self, range: Range<usize>, cut: bool) {
        let flags = self.raw_flags(cut);
        self.appender.frame(range, self.now, self.sender, flags);
    }

    fn joined(&mut self, head: &[u8], tail: Range<usize>, cut: bool) {
        let flags = self.raw_flags(cut);
        let tail = self.input.get(tail).unwrap_or_default();
        self.appender.joined(head, tail, self.now, self.sender, flags);
    }
}

impl Sink for Frames<'_, '_> {
    fn frame(&mut self, range: Range<usize>, oversize: bool) {
        let flags = self.flags(oversize);
        self.appender.frame(range, self.now, self.sender, flags);
    }

    fn joined(&mut self, head: &[u8], tail: Range<usize>, oversize: bool) {
        let flags = self.flags(oversize);
        let tail = self.input.get(tail).unwrap_or_default();
        self.appender.joined(head, tail, self.now, self.sender, flags);
    }

    #[cold]
    fn fault(&mut self, fault: Fault) {
        // An oversize frame is counted where it is handed over.
        self.errors += u64::from(!matches!(fault, Fault::Oversize { .. }));
        let Sender { ip, port, .. } = &**self.sender;
        let peer = Peer { host: self.sender.known_host(), ip, port };
        let input = self.shared.conf.name.as_bytes();
        self.shared.limiter.error(self.now, None, Report { fault, input, peer });
    }
}

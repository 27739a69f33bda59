//! One connection: its socket, its framing state, and who is at the other end.
//!
//! An idle session owns no buffer. Bytes are received straight into the worker's builder, frames are found
//! there, and only an unfinished frame is copied out, into the decoder.

use std::ops::Range;
use std::sync::Arc;

use super::conf::Conf;
use super::counters::Tally;
use super::server::Shared;
use crate::framing::fault::{Fault, Peer, Report};
use crate::framing::tls_hello::{Probe, Verdict};
use crate::framing::{Decoder, RecordDecoder, Sink};
use crate::limits;
use crate::message::{Appender, Builder, Flags, Sender};
use crate::net::transport::{Received, Transport};
use crate::sys::clock;

/// One connection.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) transport: Transport,
    pub(super) sender: Arc<Sender>,
    decoder: Framing,
    /// Until it is clear that the peer does not speak TLS.
    probe: Option<Probe>,
    /// Messages so far.
    messages: u64,
    /// Bytes received so far.
    bytes: u64,
}

// 10,000 idle sessions are to cost no more than 15 MiB, with their slots and senders.
const _: () = assert!(size_of::<Session>() <= 96);

/// How the session's stream is cut into messages.
#[derive(Debug)]
enum Framing {
    /// By counts and delimiters.
    Standard(Decoder),
    /// By lines that match an expression.
    Records(RecordDecoder),
}

impl Framing {
    fn new(conf: &Conf) -> Self {
        match conf.boundary {
            None => Self::Standard(Decoder::default()),
            Some(_) => Self::Records(RecordDecoder::default()),
        }
    }

    fn feed(&mut self, conf: &Conf, input: &[u8], sink: &mut impl Sink) {
        match (self, &conf.boundary) {
            (Self::Standard(decoder), _) => decoder.feed(&conf.framing, input, sink),
            (Self::Records(decoder), Some(boundary)) => {
                decoder.feed(boundary, conf.framing.message_bytes, input, sink);
            }
            (Self::Records(_), None) => unreachable!("made for the same configuration"),
        }
    }

    fn finish(&mut self, conf: &Conf, sink: &mut impl Sink) {
        match self {
            Self::Standard(decoder) => decoder.finish(sink),
            Self::Records(decoder) => decoder.finish(conf.framing.message_bytes, sink),
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
}

/// Whether bytes are the last ones of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    GoesOn,
    Ends,
}

impl Session {
    pub(super) fn new(conf: &Conf, transport: Transport, sender: Arc<Sender>) -> Self {
        Self {
            transport,
            sender,
            decoder: Framing::new(conf),
            probe: Some(Probe::default()),
            messages: 0,
            bytes: 0,
        }
    }

    /// Receives once and decodes what came, into `builder`, which is not full.
    pub(super) fn receive(
        &mut self,
        shared: &Shared,
        builder: &mut Builder,
        tally: &mut Tally,
    ) -> Step {
        let start = builder.bytes().len();
        let held = self.probe.as_ref().map_or(0, |probe| {
            builder.bytes().append(probe.held());
            probe.held().len()
        });
        let spare = builder.bytes().spare_mut();
        // Room stays for a frame that is joined of an earlier receive's bytes and these.
        let room = spare.len().saturating_sub(limits::JOIN_BYTES).min(limits::RECV_BYTES);
        let received = self.transport.receive(spare.get_mut(..room).unwrap_or_default());
        let Received::Bytes { len, drained } = received else {
            builder.bytes().truncate(start);
            return match received {
                Received::Closed => Step::Over(End::Closed),
                Received::Failed(why) => Step::Over(End::Failed(why)),
                _ => Step::Nothing,
            };
        };
        tally.reads += 1;
        tally.bytes += len as u64;
        self.bytes += len as u64;
        builder.bytes().advance(len);
        match self.judge(builder, start + held) {
            Verdict::No => self.decode(shared, builder, start, Stream::GoesOn, tally),
            Verdict::Need => builder.bytes().truncate(start),
            Verdict::Yes => {
                builder.bytes().truncate(start);
                return Step::Over(End::Tls);
            }
        }
        if drained { Step::Drained } else { Step::More }
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

    /// Ends the stream: what is a message without its delimiter becomes one.
    pub(super) fn finish(&mut self, shared: &Shared, builder: &mut Builder, tally: &mut Tally) {
        let start = builder.bytes().len();
        if let Some(probe) = self.probe.take() {
            builder.bytes().append(probe.held());
        }
        self.decode(shared, builder, start, Stream::Ends, tally);
    }

    /// Decodes the builder's bytes from `start` on.
    fn decode(
        &mut self,
        shared: &Shared,
        builder: &mut Builder,
        start: usize,
        stream: Stream,
        tally: &mut Tally,
    ) {
        let Self { decoder, sender, messages, .. } = self;
        builder.decode(start, |input, appender| {
            let mut frames = Frames::new(shared, input, appender, sender);
            decoder.feed(&shared.conf, input, &mut frames);
            if stream == Stream::Ends {
                decoder.finish(&shared.conf, &mut frames);
            }
            *messages += frames.count(tally);
        });
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
            End::Failed(why) => shared.limiter.error(
                clock::now_usec(),
                None,
                format_args!(
                    "netstream session from {ip}:{port} will be closed due to error: {why}"
                ),
            ),
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
const PEER_CLOSED: u16 = 2144;
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

    fn flags(&mut self, oversize: bool) -> Flags {
        self.messages += 1;
        let flags = Flags::NEEDS_PARSING.with(Flags::PARSE_HOSTNAME);
        if oversize {
            self.oversize += 1;
            return flags.with(Flags::TRUNCATED);
        }
        flags
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

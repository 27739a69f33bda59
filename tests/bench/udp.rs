//! The UDP side of the generator: four sockets, two threads, a paced rate.

use std::io::IoSlice;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::sockopt::UdpGsoSegment;
use nix::sys::socket::{MsgFlags, MultiHeaders, sendmmsg, setsockopt};

use crate::frames::{self, Framing, MESSAGE_BYTES};
use crate::meter::pause;

/// Datagrams sent in a row from one socket.
const SEGMENTS: usize = 16;
/// How often the sender wakes.
const TICK: Duration = Duration::from_millis(1);

/// How datagrams are handed to the kernel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One by one, as devices and hosts do: the kernel carries each by itself. They are handed to it with few calls
    /// (`sendmmsg`), so that the generator is not what ends first.
    Single,
    /// In trains that the kernel cuts apart (`UDP_SEGMENT`), as a relay does.
    Train,
}

/// Threads that send, each with its share of the sockets.
const THREADS: usize = 2;
/// Messages rendered for each socket; they are sent over and over.
const RENDERED: usize = 256 * SEGMENTS;

/// Four sockets with their rendered messages.
pub(crate) struct Senders {
    shape: Shape,
    sources: Vec<Source>,
}

/// A socket and what it sends.
struct Source {
    socket: UdpSocket,
    frames: Vec<u8>,
}

impl Senders {
    /// Number of sockets.
    const COUNT: usize = 4;

    /// Sockets towards `port`.
    pub(crate) fn new(port: u16, shape: Shape) -> Self {
        let open = |index| {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
            socket.connect((Ipv4Addr::LOCALHOST, port)).expect("connect");
            let segment = i32::try_from(MESSAGE_BYTES).expect("small");
            if shape == Shape::Train {
                setsockopt(&socket, UdpGsoSegment, &segment).expect("UDP_SEGMENT");
            }
            Source { socket, frames: frames::render(Framing::None, index, RENDERED) }
        };
        Self { shape, sources: (0..Self::COUNT).map(open).collect() }
    }

    /// Sends about `rate` messages per second for `time`, evenly over the sockets.
    /// Returns the messages sent and the rate reached.
    pub(crate) fn pace(&self, rate: usize, time: Duration) -> (usize, usize) {
        let start = Instant::now();
        let shares = self.sources.chunks(Self::COUNT / THREADS);
        let sent = thread::scope(|scope| {
            let send = |share| scope.spawn(move || pace(self.shape, share, rate / THREADS, time));
            let threads: Vec<_> = shares.map(send).collect();
            threads.into_iter().map(|thread| thread.join().expect("a sender")).sum()
        });
        let micros = usize::try_from(start.elapsed().as_micros()).expect("short");
        (sent, sent * 1_000_000 / micros.max(1))
    }
}

/// One thread's part of it: its sources take turns. Returns the messages sent.
fn pace(shape: Shape, sources: &[Source], rate: usize, time: Duration) -> usize {
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < time {
        let due = usize::try_from(start.elapsed().as_micros()).expect("short") * rate / 1_000_000;
        while sent < due {
            let batch = sent / SEGMENTS;
            sources[batch % sources.len()].send(shape, batch / sources.len());
            sent += SEGMENTS;
        }
        pause(TICK);
    }
    sent
}

impl Source {
    /// Sends the messages of a batch, a datagram each, with one system call.
    fn send(&self, shape: Shape, batch: usize) {
        let mut batches = self.frames.chunks(SEGMENTS * MESSAGE_BYTES);
        let bytes = batches.nth(batch % (RENDERED / SEGMENTS)).expect("rendered");
        match shape {
            Shape::Train => drop(self.socket.send(bytes).expect("send")),
            Shape::Single => send_each(&self.socket, bytes),
        }
    }
}

/// Hands each message in `bytes` to the kernel as a datagram of its own.
fn send_each(socket: &UdpSocket, bytes: &[u8]) {
    let (messages, _) = bytes.as_chunks::<MESSAGE_BYTES>();
    let datagrams: [_; SEGMENTS] = std::array::from_fn(|at| [IoSlice::new(&messages[at])]);
    let mut headers = MultiHeaders::<()>::preallocate(SEGMENTS, None);
    let (fd, nowhere, flags) = (socket.as_raw_fd(), [None; SEGMENTS], MsgFlags::empty());
    let sent = sendmmsg(fd, &mut headers, &datagrams, nowhere, [], flags).expect("sendmmsg");
    assert_eq!(sent.count(), SEGMENTS, "all of them fit the send buffer");
}

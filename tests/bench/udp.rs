//! The UDP side of the generator: four sockets, a paced rate.

use std::io::IoSlice;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd as _;
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

/// Four sockets with their rendered messages.
pub(crate) struct Senders {
    shape: Shape,
    sockets: Vec<UdpSocket>,
    frames: Vec<Vec<u8>>,
}

impl Senders {
    /// Number of sockets.
    pub(crate) const COUNT: usize = 4;

    /// Sockets towards `port` that can send up to `messages` messages each, numbered from 0.
    pub(crate) fn new(port: u16, messages: usize, shape: Shape) -> Self {
        let open = |_| {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
            socket.connect((Ipv4Addr::LOCALHOST, port)).expect("connect");
            let segment = i32::try_from(MESSAGE_BYTES).expect("small");
            if shape == Shape::Train {
                setsockopt(&socket, UdpGsoSegment, &segment).expect("UDP_SEGMENT");
            }
            socket
        };
        let render = |connection| frames::render(Framing::None, connection, messages);
        Self {
            shape,
            sockets: (0..Self::COUNT).map(open).collect(),
            frames: (0..Self::COUNT).map(render).collect(),
        }
    }

    /// Sends about `rate` messages per second for `time`, evenly over the sockets, always from message 0.
    /// Returns the messages sent and the rate reached.
    pub(crate) fn pace(&self, rate: usize, time: Duration) -> (usize, usize) {
        let start = Instant::now();
        let mut sent = 0;
        while start.elapsed() < time {
            let due =
                usize::try_from(start.elapsed().as_micros()).expect("short") * rate / 1_000_000;
            while sent < due {
                sent += self.send(sent);
            }
            pause(TICK);
        }
        let micros = usize::try_from(start.elapsed().as_micros()).expect("short");
        (sent, sent * 1_000_000 / micros.max(1))
    }

    /// Sends the batch that follows after `sent` messages; the sockets take turns.
    fn send(&self, sent: usize) -> usize {
        let batch = sent / SEGMENTS;
        let (socket, at) = (batch % Self::COUNT, batch / Self::COUNT * SEGMENTS * MESSAGE_BYTES);
        let bytes =
            self.frames[socket].get(at..at + SEGMENTS * MESSAGE_BYTES).expect("enough rendered");
        let socket = &self.sockets[socket];
        match self.shape {
            Shape::Train => drop(socket.send(bytes).expect("send")),
            Shape::Single => send_each(socket, bytes),
        }
        SEGMENTS
    }
}

/// Sends the messages in `bytes`, a datagram each, with one system call.
fn send_each(socket: &UdpSocket, bytes: &[u8]) {
    let datagrams: Vec<_> = bytes.chunks(MESSAGE_BYTES).map(|text| [IoSlice::new(text)]).collect();
    let mut headers = MultiHeaders::<()>::preallocate(SEGMENTS, None);
    let (fd, nowhere, flags) = (socket.as_raw_fd(), [None; SEGMENTS], MsgFlags::empty());
    let sent = sendmmsg(fd, &mut headers, &datagrams, nowhere, [], flags).expect("sendmmsg");
    assert_eq!(sent.count(), SEGMENTS, "all of them fit the send buffer");
}

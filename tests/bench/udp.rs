//! The UDP side of the generator: four sockets, a paced rate.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::UdpGsoSegment;

use crate::frames::{self, Framing, MESSAGE_BYTES};
use crate::meter::pause;

/// Datagrams handed to the kernel in one call. The kernel cuts them apart (`UDP_SEGMENT`); a plain `send` for each
/// costs the generator more than the daemon under test needs to receive it.
const SEGMENTS: usize = 16;
/// How often the sender wakes.
const TICK: Duration = Duration::from_millis(1);

/// Four sockets with their rendered messages.
pub(crate) struct Senders {
    sockets: Vec<UdpSocket>,
    frames: Vec<Vec<u8>>,
}

impl Senders {
    /// Number of sockets.
    pub(crate) const COUNT: usize = 4;

    /// Sockets towards `port` that can send up to `messages` messages each, numbered from 0.
    pub(crate) fn new(port: u16, messages: usize) -> Self {
        let open = |_| {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
            socket.connect((Ipv4Addr::LOCALHOST, port)).expect("connect");
            let segment = i32::try_from(MESSAGE_BYTES).expect("small");
            setsockopt(&socket, UdpGsoSegment, &segment).expect("UDP_SEGMENT");
            socket
        };
        let render = |connection| frames::render(Framing::None, connection, messages);
        Self {
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
        self.sockets[socket].send(bytes).expect("send");
        SEGMENTS
    }
}

//! How the bytes of a session are received: from a socket, or from a layer upon one, such as TLS.

use std::fmt::Debug;
use std::io::{self, Read as _};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, RawFd};
use std::sync::Arc;

/// A connected, non-blocking socket, or what is layered upon one.
#[derive(Debug)]
pub enum Transport {
    /// TCP as it is.
    Plain(TcpStream),
    /// Something upon it.
    Layered(Box<dyn Layer>),
}

/// A protocol between a socket and its session. It never waits.
pub trait Layer: Debug + Send {
    /// As [`Transport::receive`].
    fn receive(&mut self, buffer: &mut [u8]) -> Received;
    /// The socket below.
    fn socket(&self) -> BorrowedFd<'_>;
    /// What has to happen before `receive` can go on.
    fn interest(&self) -> Interest;
    /// Whether the peer has yet to show who it is: no byte of it has been taken as a message's.
    fn is_opening(&self) -> bool;
    /// Gives up on a peer that is opening and took too long; says what is to be said of that.
    fn expire(&mut self) -> Refusal;
}

/// What a session is woken by.
#[derive(Clone, Debug, Default)]
pub enum Interest {
    /// Bytes from the peer.
    #[default]
    Read,
    /// Room for bytes to the peer.
    Write,
    /// Something else: the socket is not watched.
    Event(Arc<dyn Awaited>),
}

/// Something that happens elsewhere than on the socket.
pub trait Awaited: Debug + Send + Sync {
    /// Makes the call once it has happened, or at once where it has. It may be made too early: look again then.
    fn when_done(&self, call: Call);
}

/// What wakes a session.
pub type Call = Box<dyn FnOnce() + Send>;

/// What a receive brought.
#[derive(Debug)]
pub enum Received {
    /// So many bytes, at least one. `drained`: no more were waiting when they were taken.
    Bytes {
        /// How many.
        len: usize,
        /// Whether the source was empty after it.
        drained: bool,
    },
    /// Nothing to read now.
    Nothing,
    /// The peer has closed its side in good order.
    Closed,
    /// The connection is broken.
    Failed(io::Error),
    /// The layer does not let the peer in. Nothing it sent was or will be handed out.
    Refused(Refusal),
}

/// Why a layer does not let a peer in.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// What to log, each line with the reference's return code; none where it is not worth a line.
    pub lines: Vec<(Option<u16>, String)>,
}

impl Refusal {
    /// One line.
    #[must_use]
    pub fn line(code: u16, text: String) -> Self {
        Self { lines: vec![(Some(code), text)] }
    }
}

impl Transport {
    /// Reads what is there into `buffer`, which must not be empty. Never waits.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Received {
        let stream = match self {
            Self::Plain(stream) => stream,
            Self::Layered(layer) => return layer.receive(buffer),
        };
        loop {
            return match stream.read(buffer) {
                Ok(0) => Received::Closed,
                Ok(len) => Received::Bytes { len, drained: len < buffer.len() },
                Err(why) => match why.kind() {
                    io::ErrorKind::WouldBlock => Received::Nothing,
                    io::ErrorKind::Interrupted => continue,
                    _ => Received::Failed(why),
                },
            };
        }
    }

    /// What the session is to be woken by.
    #[must_use]
    pub fn interest(&self) -> Interest {
        match self {
            Self::Plain(_) => Interest::Read,
            Self::Layered(layer) => layer.interest(),
        }
    }

    /// Whether the peer has yet to show who it is.
    #[must_use]
    pub fn is_opening(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Layered(layer) => layer.is_opening(),
        }
    }

    /// Gives up on a peer that is opening and took too long.
    pub fn expire(&mut self) -> Refusal {
        match self {
            Self::Plain(_) => Refusal::default(),
            Self::Layered(layer) => layer.expire(),
        }
    }

    /// The number of the descriptor that epoll watches.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl AsFd for Transport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Plain(stream) => stream.as_fd(),
            Self::Layered(layer) => layer.socket(),
        }
    }
}

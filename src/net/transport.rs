//! How the bytes of a session are received. Plain TCP so far; TLS will be another variant.

use std::io::{self, Read as _};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, RawFd};

/// A connected, non-blocking socket, or what is layered upon one.
#[derive(Debug)]
pub enum Transport {
    /// TCP as it is.
    Plain(TcpStream),
}

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
}

impl Transport {
    /// Reads what is there into `buffer`, which must not be empty. Never waits.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Received {
        let Self::Plain(stream) = self;
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

    /// The number of the descriptor that epoll watches.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl AsFd for Transport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        let Self::Plain(stream) = self;
        stream.as_fd()
    }
}

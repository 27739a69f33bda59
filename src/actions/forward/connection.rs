//! One connection to a target, over TCP or TLS: what is sent through it, and whether the other end is still there.

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::os::fd::AsFd as _;

use socket2::SockRef;

use super::stream::Packer;
use super::{Forward, connect};
use crate::actions::Failure;
use crate::tls::client::Client;

pub(super) struct Connection {
    wire: Wire,
    /// With `compression.mode="stream:always"`.
    packer: Option<Packer>,
}

/// What became of bytes to send.
pub(super) struct Sent {
    /// How many of them are gone.
    pub(super) taken: usize,
    /// How many bytes that made on the wire.
    pub(super) wire: usize,
    pub(super) outcome: io::Result<()>,
}

impl Connection {
    /// Connects to a target.
    ///
    /// # Errors
    /// `Suspend`: see [`connect::tcp`]; or there is no TLS with it.
    pub(super) fn open(forward: &Forward, host: &str, port: &str) -> Result<Self, Failure> {
        let packer = forward.settings.stream().map(Packer::new).transpose();
        let packer = packer.map_err(|why| Failure::suspend(2027, format!("omfwd: {why}")))?;
        let socket = connect::tcp(&forward.settings, host, port)?;
        let wire = match &forward.tls {
            None => Wire::Plain(socket),
            Some(tls) => {
                let client =
                    tls.connect(socket, host).map_err(|why| Failure::suspend(2027, why))?;
                Wire::Tls(Box::new(client))
            }
        };
        Ok(Self { wire, packer })
    }

    /// Looks whether the peer has closed or reset the connection. Syslog servers send nothing, and what one sends
    /// is of no use.
    ///
    /// # Errors
    /// It has; `UnexpectedEof` where it closed it in order.
    pub(super) fn check(&mut self) -> io::Result<()> {
        let socket = match &self.wire {
            Wire::Plain(socket) => socket,
            Wire::Tls(client) => client.socket(),
        };
        let mut byte = [std::mem::MaybeUninit::uninit()];
        let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
        match (SockRef::from(&socket.as_fd()).recv_with_flags(&mut byte, flags), &mut self.wire) {
            (Ok(0), _) => Err(io::ErrorKind::UnexpectedEof.into()),
            (Err(error), _) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            (Ok(_), Wire::Tls(client)) => client.drain(),
            _ => Ok(()),
        }
    }

    /// Sends `bytes`, in one write where the socket takes them; `is_last` of a batch. Of a compressed stream all or
    /// nothing counts as taken.
    pub(super) fn send(&mut self, bytes: &[u8], is_last: bool) -> Sent {
        let Some(packer) = &mut self.packer else {
            let (taken, outcome) = self.write(bytes);
            return Sent { taken, wire: taken, outcome };
        };
        let (wire, outcome) = match packer.pack(bytes, is_last) {
            Ok(packed) => self.write(&packed),
            Err(why) => (0, Err(why)),
        };
        Sent { taken: if outcome.is_ok() { bytes.len() } else { 0 }, wire, outcome }
    }

    fn write(&mut self, bytes: &[u8]) -> (usize, io::Result<()>) {
        let mut taken = 0;
        while taken < bytes.len() {
            match self.wire.write(&bytes[taken..]) {
                Ok(0) => return (taken, Err(io::ErrorKind::WriteZero.into())),
                Ok(more) => taken += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (taken, Err(error)),
            }
        }
        (taken, Ok(()))
    }

    /// Closes the connection behind the end of the compressed stream. Returns how many bytes that made.
    ///
    /// # Errors
    /// What the compression had gathered could not be sent.
    pub(super) fn close(mut self) -> (usize, io::Result<()>) {
        match self.packer.take().map(Packer::finish) {
            None => (0, Ok(())),
            Some(Ok(rest)) => self.write(&rest),
            Some(Err(why)) => (0, Err(why)),
        }
    }
}

/// What carries the bytes.
enum Wire {
    Plain(TcpStream),
    Tls(Box<Client>),
}

impl Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(client) => client.write(bytes),
        }
    }
}

//! Senders: every call returns only when the peer has taken (TCP) or been handed (UDP) all of it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use super::daemon::DEADLINE;

/// A connection to the daemon, without Nagle's delay and with a limit on every wait.
pub(crate) fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("connect");
    stream.set_nodelay(true).expect("TCP_NODELAY");
    stream.set_read_timeout(Some(DEADLINE)).expect("SO_RCVTIMEO");
    stream
}

/// Sends `bytes` on a new connection and returns when the daemon has closed its end too,
/// that is: when it has read and submitted everything.
pub(crate) fn tcp(port: u16, bytes: &[u8]) {
    tcp_chunks(port, [bytes]);
}

/// The same, one write per chunk.
pub(crate) fn tcp_chunks<'a>(port: u16, chunks: impl IntoIterator<Item = &'a [u8]>) {
    let mut stream = connect(port);
    for chunk in chunks {
        // The daemon may close first (TLS hello, session limit): that is for the test to notice.
        if stream.write_all(chunk).is_err() {
            return;
        }
    }
    finish(stream);
}

/// Ends our side and waits for the daemon's end of stream.
pub(crate) fn finish(mut stream: TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    let mut rest = Vec::new();
    // A reset after the daemon closed with unread data is an end as well.
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.is_empty(), "the daemon sent {rest:?}");
}

/// Sends `bytes` and breaks the connection with RST.
pub(crate) fn tcp_reset(port: u16, bytes: &[u8]) {
    let mut stream = connect(port);
    stream.write_all(bytes).expect("write");
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
}

/// Sends each datagram from one socket.
pub(crate) fn udp(port: u16, datagrams: &[&[u8]]) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("bind");
    for datagram in datagrams {
        socket.send_to(datagram, ("127.0.0.1", port)).expect("send");
    }
}

/// Sends each datagram to the Unix socket at `path`, from one socket.
pub(crate) fn unix(path: &Path, datagrams: &[&[u8]]) {
    let socket = UnixDatagram::unbound().expect("socket");
    for datagram in datagrams {
        socket.send_to(datagram, path).expect("send");
    }
}

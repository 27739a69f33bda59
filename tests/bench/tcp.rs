//! The TCP side of the generator: one thread, many connections, as fast as the daemon reads.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use socket2::{Domain, Socket, Type};

/// One connection and what it still has to send.
struct Lane<'a> {
    stream: TcpStream,
    left: &'a [u8],
}

/// Connects `count` blocking streams, one after the other.
pub(crate) fn connect(port: u16, count: usize) -> Vec<TcpStream> {
    let connect = |_| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("connect");
    (0..count).map(connect).collect()
}

/// Sends `frames[i]` on `streams[i]`, all at once, each as fast as it is taken; closes a stream at its end.
pub(crate) fn flood(streams: Vec<TcpStream>, frames: &[Vec<u8>]) {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("epoll");
    let mut lanes: Vec<Option<Lane<'_>>> = Vec::new();
    for (index, (stream, frames)) in streams.into_iter().zip(frames).enumerate() {
        stream.set_nonblocking(true).expect("non-blocking");
        let event = EpollEvent::new(EpollFlags::EPOLLOUT, index as u64);
        epoll.add(stream.as_fd(), event).expect("epoll add");
        lanes.push(Some(Lane { stream, left: frames }));
    }
    let mut open = lanes.len();
    let mut events = [EpollEvent::empty(); 256];
    while open > 0 {
        let ready = epoll.wait(&mut events, EpollTimeout::NONE).expect("epoll wait");
        for event in &events[..ready] {
            let index = usize::try_from(event.data()).expect("index");
            let Some(lane) = &mut lanes[index] else { continue };
            if !lane.write() {
                // Dropping the stream sends FIN and takes it off epoll.
                lanes[index] = None;
                open -= 1;
            }
        }
    }
}

/// Sends `block` again and again on every stream until `end`; returns how often, all streams together.
pub(crate) fn flood_until(streams: Vec<TcpStream>, block: &[u8], end: Instant) -> usize {
    let sent: Vec<usize> = std::thread::scope(|scope| {
        let send = |mut stream: TcpStream| {
            move || {
                let mut times = 0;
                while Instant::now() < end {
                    stream.write_all(block).expect("the daemon keeps reading");
                    times += 1;
                }
                times
            }
        };
        let threads: Vec<_> = streams.into_iter().map(|stream| scope.spawn(send(stream))).collect();
        threads.into_iter().map(|thread| thread.join().expect("sender")).collect()
    });
    sent.iter().sum()
}

/// Starts `frames.len()` connections in the same moment and sends one element on each as soon as it stands.
/// Returns complaints: connections refused or reset.
pub(crate) fn burst(port: u16, frames: &[Vec<u8>]) -> Vec<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into();
    let open = |_| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("socket");
        socket.set_nonblocking(true).expect("non-blocking");
        // EINPROGRESS: completion shows as writability.
        let _ = socket.connect(&address);
        TcpStream::from(socket)
    };
    let mut streams: Vec<TcpStream> = (0..frames.len()).map(open).collect();
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("epoll");
    for (index, stream) in streams.iter().enumerate() {
        let event = EpollEvent::new(EpollFlags::EPOLLOUT | EpollFlags::EPOLLONESHOT, index as u64);
        epoll.add(stream.as_fd(), event).expect("epoll add");
    }
    let mut complaints = Vec::new();
    let mut waiting = streams.len();
    let mut events = [EpollEvent::empty(); 256];
    while waiting > 0 {
        let ready = epoll.wait(&mut events, EpollTimeout::from(60_000_u16)).expect("epoll wait");
        if ready == 0 {
            complaints.push(format!("{waiting} connections were not taken within a minute"));
            break;
        }
        for event in &events[..ready] {
            let index = usize::try_from(event.data()).expect("index");
            if let Err(error) = streams[index].write_all(&frames[index]) {
                complaints.push(format!("connection {index}: {error}"));
            }
            waiting -= 1;
        }
    }
    for (index, stream) in streams.iter_mut().enumerate() {
        if let Err(error) = await_end(stream) {
            complaints.push(format!("connection {index} at its end: {error}"));
        }
    }
    complaints.truncate(5);
    complaints
}

/// Says FIN and waits for the peer's.
fn await_end(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.shutdown(std::net::Shutdown::Write)?;
    stream.read(&mut [0]).map(drop)
}

impl Lane<'_> {
    /// Writes what the socket takes now; false when all is sent.
    fn write(&mut self) -> bool {
        /// Bytes per write: enough to make the call cheap, little enough to serve all lanes in turn.
        const CHUNK: usize = 128 * 1024;
        let chunk = &self.left[..self.left.len().min(CHUNK)];
        match self.stream.write(chunk) {
            Ok(taken) => self.left = &self.left[taken..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("the daemon broke a connection: {error}"),
        }
        !self.left.is_empty()
    }
}

//! The thread: accepts, reads a request, writes an answer, closes. Nothing blocks but the wait for all of them.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::Socket;

use super::request::{Outcome, Status, parse};
use super::routes::{Routes, answer};
use crate::limits;

/// The thread's state.
pub(super) struct Server {
    listener: Socket,
    /// The other end is closed when the daemon stops.
    stopped: UnixStream,
    routes: Routes,
    /// Oldest first.
    connections: Vec<Connection>,
    /// Until then nobody is accepted, for want of a descriptor.
    resting: Option<Instant>,
}

/// What ends the thread; so does dropping it.
pub(super) struct Stop(UnixStream);

impl Stop {
    /// Ends the thread.
    pub(super) fn now(&self) {
        // It fails if the thread has ended.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl Server {
    /// A server for a socket that listens and does not block.
    pub(super) fn new(listener: Socket, routes: Routes) -> io::Result<(Self, Stop)> {
        let (stopped, stop) = UnixStream::pair()?;
        let connections = Vec::new();
        Ok((Self { listener, stopped, routes, connections, resting: None }, Stop(stop)))
    }

    /// Serves until it is stopped.
    pub(super) fn run(mut self) {
        loop {
            match self.turn() {
                Ok(true) => {}
                Ok(false) => return,
                Err(why) => {
                    return log::error!("impstats: http.listen: the server has ended: {why}");
                }
            }
            let now = Instant::now();
            let routes = &self.routes;
            self.connections.retain_mut(|connection| connection.go_on(routes, now));
        }
    }

    /// Waits for something to happen and accepts what comes; `false`: stopped.
    fn turn(&mut self) -> io::Result<bool> {
        self.resting = self.resting.filter(|end| *end > Instant::now());
        let deadlines = self.connections.iter().map(|connection| connection.deadline);
        let due = deadlines.chain(self.resting).min();
        let accepting = if self.resting.is_none() { PollFlags::POLLIN } else { PollFlags::empty() };
        let mut fds = vec![
            PollFd::new(self.stopped.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.listener.as_fd(), accepting),
        ];
        fds.extend(
            self.connections.iter().map(|connection| {
                PollFd::new(connection.socket.as_fd(), connection.state.interest())
            }),
        );
        match poll(&mut fds, timeout(due)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = |fd: Option<&PollFd<'_>>| fd.and_then(PollFd::any).unwrap_or(false);
        let (stopped, comes) = (ready(fds.first()), ready(fds.get(1)));
        if comes && !stopped {
            self.accept();
        }
        Ok(!stopped)
    }

    /// Accepts what waits. Beyond the limit, the oldest connection goes: an honest one is done by then.
    fn accept(&mut self) {
        for _ in 0..limits::HTTP_CONNECTIONS {
            let socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) => {
                    if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionAborted)
                    {
                        // Without a descriptor left. Whoever asked is in the backlog, and poll() would say so at once.
                        self.resting = Some(Instant::now() + limits::HTTP_REST);
                    }
                    return;
                }
            };
            if socket.set_nonblocking(true).is_err() {
                continue;
            }
            if self.connections.len() >= limits::HTTP_CONNECTIONS {
                self.connections.remove(0).refuse(Status::Unavailable);
            }
            self.connections.push(Connection::new(socket));
        }
    }
}

fn timeout(due: Option<Instant>) -> PollTimeout {
    let Some(due) = due else { return PollTimeout::NONE };
    // One millisecond more, so that it is over when the wait ends.
    let left = due.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
    PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
}

/// A client.
struct Connection {
    socket: Socket,
    state: State,
    deadline: Instant,
}

enum State {
    /// The request so far.
    Reading(Vec<u8>),
    /// The answer and how much of it is written.
    Writing(Vec<u8>, usize),
    /// The answer is written; what the client still sends is thrown away, lest the kernel tear the answer down with
    /// it. So many bytes more.
    Draining(usize),
}

impl State {
    fn interest(&self) -> PollFlags {
        match self {
            Self::Reading(_) | Self::Draining(_) => PollFlags::POLLIN,
            Self::Writing(..) => PollFlags::POLLOUT,
        }
    }
}

impl Connection {
    fn new(socket: Socket) -> Self {
        let deadline = Instant::now() + limits::HTTP_REQUEST_TIME;
        Self { socket, state: State::Reading(Vec::new()), deadline }
    }

    /// Goes on as far as that goes without waiting; whether the connection is still needed.
    fn go_on(&mut self, routes: &Routes, now: Instant) -> bool {
        if now >= self.deadline {
            if matches!(self.state, State::Reading(_)) {
                self.write_now(&answer(Status::Timeout));
            }
            return false;
        }
        loop {
            let step = match &mut self.state {
                State::Reading(request) => match read(&mut self.socket, request, routes) {
                    Ok(Some(answer)) => {
                        self.deadline = now + limits::HTTP_ANSWER_TIME;
                        Ok(State::Writing(answer, 0))
                    }
                    Ok(None) => return true,
                    Err(error) => Err(error),
                },
                State::Writing(answer, done) => match self.socket.write(&answer[*done..]) {
                    Ok(written) if *done + written < answer.len() => {
                        *done += written;
                        continue;
                    }
                    Ok(_) => {
                        self.deadline = now + limits::HTTP_DRAIN_TIME;
                        self.socket.shutdown(Shutdown::Write).map(|()| State::Draining(DRAIN_BYTES))
                    }
                    Err(error) => Err(error),
                },
                State::Draining(left) => match self.socket.read(&mut [0; 4096]) {
                    Ok(1..) if *left == 0 => return false,
                    Ok(bytes @ 1..) => {
                        *left = left.saturating_sub(bytes);
                        continue;
                    }
                    Ok(_) => return false,
                    Err(error) => Err(error),
                },
            };
            match step {
                Ok(state) => self.state = state,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
    }

    /// Ends the connection with a status, if it still waits for one.
    fn refuse(mut self, status: Status) {
        if matches!(self.state, State::Reading(_)) {
            self.write_now(&answer(status));
        }
    }

    /// Writes what the socket takes at once: all of a short answer.
    fn write_now(&mut self, answer: &[u8]) {
        // The connection is closed next, whether the client has got it or not.
        let _ = self.socket.write(answer);
        let _ = self.socket.shutdown(Shutdown::Write);
    }
}

/// Reads on; the answer when there is enough of a request for one, `None` when there is nothing to read.
fn read(
    socket: &mut Socket,
    request: &mut Vec<u8>,
    routes: &Routes,
) -> io::Result<Option<Vec<u8>>> {
    loop {
        let room = limits::HTTP_REQUEST_BYTES.saturating_sub(request.len());
        let mut buffer = [0; 2048];
        let len = room.min(buffer.len());
        match socket.read(&mut buffer[..len]) {
            // The client has closed its end before it has asked for anything.
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(bytes) => request.extend_from_slice(&buffer[..bytes]),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
        match parse(request, routes.checks_host) {
            Outcome::Incomplete => {}
            Outcome::Request(request) => return Ok(Some(routes.answer(&request))),
            Outcome::Refused(status) => return Ok(Some(answer(status))),
        }
    }
}

/// Bytes behind a request that are read and thrown away.
const DRAIN_BYTES: usize = 256 * 1024;

//! The connections: one thread accepts, and one thread serves each connection, request by request.

use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::commands::Commands;
use crate::limits::{BACKLOG_MAX, FRAME_BYTES_DEFAULT};
use crate::net::listener;
use crate::param::Problem;
use crate::sys::process;
use crate::sys::socket::IpProtocol;

/// Sockets at most, where the address is a name.
const SOCKETS_MAX: usize = 20;
/// How often another port is tried where the one that IPv4 got is taken for IPv6.
const PORT_TRIES: usize = 20;
/// Digits of a request's length.
const LENGTH_DIGITS: u64 = 9;

/// Binds; the port goes into the file before anyone can be served.
pub(super) fn open(
    address: Option<&str>,
    port: &str,
    port_file: Option<&Path>,
) -> Result<Vec<TcpListener>, Vec<Problem>> {
    if let Some(address) = address {
        let spec = listener::Spec {
            address: Some(address),
            port,
            family: IpProtocol::Unspecified,
            backlog: i32::try_from(BACKLOG_MAX).unwrap_or(i32::MAX),
            sockets: SOCKETS_MAX,
            namespace: None,
            port_file,
        };
        return listener::open(&spec).map(|(listeners, _)| listeners);
    }
    let failed = |why: String| vec![Problem::error(format!("imdiag: port {port}: {why}"))];
    let number = port.parse().map_err(|_| failed("not a port number".into()))?;
    let listeners = on_loopback(number).map_err(|why| failed(why.to_string()))?;
    if let (Some(file), Some(listener)) = (port_file, listeners.first()) {
        let text = listener.local_addr().map(|address| address.port().to_string());
        let written = text.and_then(|text| std::fs::write(file, text));
        written.map_err(|why| failed(format!("port file '{}': {why}", file.display())))?;
    }
    Ok(listeners)
}

/// Both loopback addresses with the same port, as clients try both.
fn on_loopback(port: u16) -> io::Result<Vec<TcpListener>> {
    let bind = |ip: IpAddr, port| {
        let listener = TcpListener::bind((ip, port))?;
        listener.set_nonblocking(true)?;
        Ok::<_, io::Error>(listener)
    };
    let mut tries = 0;
    loop {
        let v4 = bind(Ipv4Addr::LOCALHOST.into(), port)?;
        tries += 1;
        match bind(Ipv6Addr::LOCALHOST.into(), v4.local_addr()?.port()) {
            Ok(v6) => return Ok(vec![v4, v6]),
            Err(why) if why.kind() == io::ErrorKind::AddrInUse => {
                if port != 0 || tries == PORT_TRIES {
                    return Err(why);
                }
            }
            // There is no IPv6.
            Err(_) => return Ok(vec![v4]),
        }
    }
}

/// The thread that accepts.
pub(super) struct Server {
    commands: Arc<Commands>,
    wake: Arc<EventFd>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Starts to serve.
    pub(super) fn start(
        listeners: Vec<TcpListener>,
        commands: Arc<Commands>,
        sessions_max: usize,
    ) -> io::Result<Self> {
        let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC)?);
        let acceptor = Acceptor {
            listeners,
            commands: Arc::clone(&commands),
            wake: Arc::clone(&wake),
            sessions: Vec::new(),
            sessions_max,
        };
        let thread = process::spawn("imdiag", move || acceptor.run())?;
        Ok(Self { commands, wake, thread })
    }

    pub(super) fn stop(&self) {
        self.commands.stop.set();
        self.commands.gate.end();
        // Fails only when the counter would overflow, and then the event is raised already.
        let _ = self.wake.write(1);
    }

    pub(super) fn join(self) {
        // The release build aborts on panic; in a test build the panic has been printed.
        let _ = self.thread.join();
    }
}

struct Acceptor {
    listeners: Vec<TcpListener>,
    commands: Arc<Commands>,
    wake: Arc<EventFd>,
    sessions: Vec<(TcpStream, JoinHandle<()>)>,
    sessions_max: usize,
}

impl Acceptor {
    fn run(mut self) {
        while !self.commands.stop.is_set() {
            if let Err(why) = self.wait() {
                log::error!("imdiag: cannot wait for connections: {why}");
                return;
            }
            self.sessions.retain(|(_, thread)| !thread.is_finished());
            self.accept();
        }
        for (stream, thread) in self.sessions {
            // Fails where the peer has gone, and then nobody reads any more.
            let _ = stream.shutdown(std::net::Shutdown::Both);
            let _ = thread.join();
        }
    }

    fn wait(&self) -> io::Result<()> {
        let listeners = self.listeners.iter().map(|listener| listener.as_fd());
        let fds = listeners.chain([self.wake.as_fd()]);
        let mut fds: Vec<_> = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
            Err(why) => Err(why.into()),
        }
    }

    fn accept(&mut self) {
        for listener in &self.listeners {
            // What cannot be accepted now is tried again with the next event.
            let Ok((stream, peer)) = listener.accept() else { continue };
            if self.sessions.len() >= self.sessions_max {
                log::error!("imdiag: too many connections - dropping that of {peer}");
                continue;
            }
            let commands = Arc::clone(&self.commands);
            let session = stream.set_nonblocking(false).and_then(|()| stream.try_clone());
            let session = session.and_then(|twin| {
                let serve = move || serve(&twin, &commands);
                Ok((stream, process::spawn("imdiag session", serve)?))
            });
            match session {
                Ok(session) => self.sessions.push(session),
                Err(why) => log::error!("imdiag: cannot serve {peer}: {why}"),
            }
        }
    }
}

/// Serves a connection until its peer closes it.
fn serve(stream: &TcpStream, commands: &Commands) {
    let mut reader = BufReader::new(stream);
    let mut request = Vec::new();
    while let Ok(true) = read_request(&mut reader, &mut request) {
        if let Some(mut answer) = commands.run(&request) {
            answer.push('\n');
            // One write, as clients expect an answer in one piece.
            if (&*stream).write_all(answer.as_bytes()).is_err() {
                break;
            }
        }
    }
    // The acceptor keeps a twin of the socket until it looks again.
    let _ = stream.shutdown(std::net::Shutdown::Both);
}

/// Reads `LINE LF`, or `LENGTH SP LINE`. `false` at the end.
fn read_request(reader: &mut impl BufRead, request: &mut Vec<u8>) -> io::Result<bool> {
    request.clear();
    let Some(first) = reader.fill_buf()?.first() else { return Ok(false) };
    if first.is_ascii_digit() {
        reader.by_ref().take(LENGTH_DIGITS + 1).read_until(b' ', request)?;
        let digits = std::str::from_utf8(request.trim_ascii_end()).unwrap_or_default();
        let length = digits.parse::<u32>().ok().filter(|n| *n <= FRAME_BYTES_DEFAULT);
        let length = length.ok_or(io::ErrorKind::InvalidData)?;
        request.clear();
        reader.by_ref().take(length.into()).read_to_end(request)?;
    } else {
        reader.by_ref().take(FRAME_BYTES_DEFAULT.into()).read_until(b'\n', request)?;
    }
    if request.last() == Some(&b'\n') {
        request.pop();
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_come_in_lines_and_counted() {
        let mut reader: &[u8] = b"one\n7 two 2\nxthree\n\nfour";
        let mut request = Vec::new();
        for expected in ["one", "two 2\nx", "three", "", "four"] {
            assert!(read_request(&mut reader, &mut request).unwrap());
            assert_eq!(String::from_utf8_lossy(&request), expected);
        }
        assert!(!read_request(&mut reader, &mut request).unwrap());
        for mut bad in ["9999999999 x", "200001 x", "12"] {
            let mut reader = bad.as_bytes();
            bad = "";
            let read = read_request(&mut reader, &mut request);
            assert!(read.is_err() || request == bad.as_bytes(), "{read:?}");
        }
    }

    #[test]
    fn loopback_only_with_one_port_for_both_families() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("port");
        let listeners = open(None, "0", Some(&file)).unwrap();
        let written = std::fs::read_to_string(&file).unwrap();
        for listener in &listeners {
            let address = listener.local_addr().unwrap();
            assert!(address.ip().is_loopback());
            assert_eq!(address.port().to_string(), written);
        }
        assert!(open(None, "syslog", None).is_err());
        assert!(open(None, &written, None).is_err());
    }
}

//! The sockets of one `input()` statement: one per port and address (`spec/imudp.md` section 3).

use std::io::{self, ErrorKind, Write as _};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use socket2::{Domain, Socket, Type};

use crate::inputs::IpProtocol;
use crate::param::Problem;
use crate::sys::mmsg;
use crate::sys::socket::{SocketType, passive_addresses};

/// What to do with an address this machine does not have (`ipFreeBind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FreeBind {
    /// Fail.
    No,
    /// Bind to it nevertheless.
    Silently,
    /// The same, with a warning.
    WithWarning,
}

/// How to make a statement's sockets.
#[derive(Debug)]
pub(super) struct Binding {
    /// Host name or address; `None` is all of this machine.
    pub(super) address: Option<String>,
    /// `device`.
    pub(super) device: Option<String>,
    /// `rcvbufSize`, bytes; 0 leaves the system's.
    pub(super) receive_buffer_bytes: usize,
    /// `ipFreeBind`.
    pub(super) free_bind: FreeBind,
    /// `reusePort`: several sockets share the port, and the kernel deals senders out to them.
    pub(super) reuse_port: bool,
    /// Families to bind.
    pub(super) family: IpProtocol,
}

impl Binding {
    /// The bind address as messages and counters show it.
    pub(super) fn address_text(&self) -> &str {
        self.address.as_deref().unwrap_or("*")
    }

    /// Binds a socket to `port` of each address. What went wrong is added to `problems`.
    pub(super) fn open(&self, port: &str, problems: &mut Vec<Problem>) -> Vec<UdpSocket> {
        let addresses = self.addresses(port).unwrap_or_else(|why| {
            problems.push(Problem::error(why));
            Vec::new()
        });
        let mut sockets = Vec::new();
        for address in addresses {
            match self.bind(address, problems) {
                Ok(socket) => sockets.push(socket),
                // A machine without IPv6 is no error.
                Err(why) if is_family_missing(&why, address) => {}
                Err(why) => {
                    problems.push(Problem::error(format!("imudp: {address}: {why}")).at("port"));
                }
            }
        }
        if sockets.is_empty() {
            problems.push(Problem::error(format!(
                "imudp: Could not create udp listener, ignoring port {port} bind-address {}.",
                self.address_text()
            )));
        }
        sockets
    }

    /// One more socket bound to where `socket` is.
    pub(super) fn open_again(&self, socket: &UdpSocket) -> io::Result<UdpSocket> {
        self.bind(socket.local_addr()?, &mut Vec::new())
    }

    fn addresses(&self, port: &str) -> Result<Vec<SocketAddr>, String> {
        if port.parse::<u16>().is_err() {
            // AI_NUMERICSERV: names of /etc/services are not taken.
            return Err(format!("imudp: port '{port}' is not a number from 0 to 65535"));
        }
        let host = self.address.as_deref();
        passive_addresses(host, port, self.family, SocketType::Datagram)
            .map_err(|why| format!("imudp: address '{}': {why}", self.address_text()))
    }

    fn bind(&self, address: SocketAddr, problems: &mut Vec<Problem>) -> io::Result<UdpSocket> {
        let step = |what: &'static str| {
            move |why: io::Error| io::Error::new(why.kind(), format!("{what}: {why}"))
        };
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
        if address.is_ipv6() {
            socket.set_only_v6(true).map_err(step("IPV6_V6ONLY"))?;
        }
        socket.set_reuse_address(true).map_err(step("SO_REUSEADDR"))?;
        if self.reuse_port {
            socket.set_reuse_port(true).map_err(step("SO_REUSEPORT"))?;
        }
        socket.set_nonblocking(true).map_err(step("O_NONBLOCK"))?;
        if let Some(device) = &self.device {
            let bound = socket.bind_device(Some(device.as_bytes()));
            bound.map_err(step("create UDP socket bound to device failed"))?;
        }
        self.set_receive_buffer(&socket, problems);
        match socket.bind(&address.into()) {
            Err(why)
                if why.kind() == ErrorKind::AddrNotAvailable && self.free_bind != FreeBind::No =>
            {
                let freed = if address.is_ipv6() {
                    socket.set_freebind_v6(true)
                } else {
                    socket.set_freebind_v4(true)
                };
                freed.map_err(step("setsockopt(IP_FREEBIND)"))?;
                socket.bind(&address.into()).map_err(step("bind with IP_FREEBIND"))?;
                if self.free_bind == FreeBind::WithWarning {
                    let text = format!("bound address {} IP free", self.address_text());
                    problems.push(Problem::warning(text).code(2186).at("ipFreeBind"));
                }
            }
            bound => bound.map_err(step("bind"))?,
        }
        // Where the kernel refuses, every packet is one datagram, and that is right too.
        let _ = mmsg::take_packets(&socket);
        Ok(socket.into())
    }

    fn set_receive_buffer(&self, socket: &Socket, problems: &mut Vec<Problem>) {
        let wanted = self.receive_buffer_bytes;
        if wanted == 0 {
            return;
        }
        if mmsg::force_receive_buffer(socket, wanted).is_err() {
            // Without the privilege; up to net.core.rmem_max. What came of it is read back.
            let _ = socket.set_recv_buffer_size(wanted);
        }
        let fd = socket.as_raw_fd();
        let Ok(doubled) = socket.recv_buffer_size() else { return };
        log::info!("socket {fd}, actual os socket rcvbuf size {doubled}");
        if doubled / 2 != wanted {
            let text = format!(
                "cannot set os socket rcvbuf size {wanted} for socket {fd}, value now is {}",
                doubled / 2
            );
            problems.push(
                Problem::error(text)
                    .at("rcvbufSize")
                    .help("raise net.core.rmem_max, or start with CAP_NET_ADMIN"),
            );
        }
    }
}

fn is_family_missing(why: &io::Error, address: SocketAddr) -> bool {
    address.is_ipv6()
        && (why.raw_os_error() == Some(libc::EAFNOSUPPORT)
            || (address.ip().is_unspecified() && why.kind() == ErrorKind::AddrNotAvailable))
}

/// Writes the number of the bound port to a file that must not be a symbolic link or anything else but a file.
pub(super) fn write_port_file(path: &Path, port: u16) -> Result<(), Problem> {
    let problem = |text: String| {
        Problem::error(format!("imudp: listenPortFileName: {text}"))
            .code(2027)
            .at("listenPortFileName")
    };
    let failed = |what: &'static str| {
        move |why: io::Error| {
            problem(format!("error while trying to {what} {}: {why}", path.display()))
        }
    };
    let irregular = || problem(format!("refusing to write to non-regular file {}", path.display()));
    match path.symlink_metadata() {
        Ok(found) if !found.is_file() => return Err(irregular()),
        Err(why) if why.kind() != ErrorKind::NotFound => return Err(failed("inspect")(why)),
        _ => {}
    }
    let mut file = std::fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .map_err(failed("open"))?;
    if !file.metadata().map_err(failed("inspect"))?.is_file() {
        return Err(irregular());
    }
    write!(file, "{port}").map_err(failed("write"))
}

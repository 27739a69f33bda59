//! Sockets to send from.

use std::io;
use std::net::{SocketAddr, TcpStream, UdpSocket};

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use super::settings::{FreeBind, Settings};
use crate::actions::{Failure, reason};
use crate::limits;
use crate::sys::namespace;
use crate::sys::socket::{SocketType, passive_addresses, peer_addresses};

/// Connects to a target, at the first of its addresses that accepts.
///
/// # Errors
/// `Suspend`: it has no address, or none accepts in time.
pub(super) fn tcp(settings: &Settings, host: &str, port: &str) -> Result<TcpStream, Failure> {
    let addresses =
        peer_addresses(host, port, settings.family, SocketType::Stream).map_err(|why| {
            Failure::suspend(2027, format!("cannot resolve hostname '{host}': {why}"))
        })?;
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        let connected = inside(settings, || tcp_to(settings, address))?;
        match connected {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    let text = format!("cannot connect to {host}:{port}: {}", reason(&last));
    Err(Failure::suspend(2027, text))
}

fn tcp_to(settings: &Settings, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.bind_device(settings.device.as_deref())?;
    if let Some(alive) = settings.keep_alive {
        let mut options = TcpKeepalive::new();
        if let Some(time) = alive.time {
            options = options.with_time(time);
        }
        if let Some(interval) = alive.interval {
            options = options.with_interval(interval);
        }
        if let Some(probes) = alive.probes {
            options = options.with_retries(probes);
        }
        socket.set_tcp_keepalive(&options)?;
    }
    if settings.user_timeout.is_some() {
        socket.set_tcp_user_timeout(settings.user_timeout)?;
    }
    socket.connect_timeout(&address.into(), limits::CONNECT_TIMEOUT)?;
    Ok(socket.into())
}

/// A UDP target: its addresses, and a socket for each address family among them.
pub(super) struct Udp {
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) v4: Option<UdpSocket>,
    pub(super) v6: Option<UdpSocket>,
}

impl Udp {
    /// Finds the target's addresses and opens the sockets.
    ///
    /// # Errors
    /// `Suspend`: it has no address, or a socket cannot be had.
    pub(super) fn open(settings: &Settings, host: &str, port: &str) -> Result<Self, Failure> {
        let found = peer_addresses(host, port, settings.family, SocketType::Datagram);
        let addresses = found.map_err(|why| {
            let text =
                format!("omfwd: could not get addrinfo for hostname '{host}':'{port}': {why}");
            Failure::suspend(2007, text)
        })?;
        let socket = |v4: bool| -> Result<Option<UdpSocket>, Failure> {
            let Some(address) = addresses.iter().find(|address| address.is_ipv4() == v4) else {
                return Ok(None);
            };
            let own = own_address(settings, host, *address)?;
            let opened = inside(settings, || udp_socket(settings, *address, own))?;
            opened.map(Some).map_err(|error| {
                Failure::suspend(
                    2007,
                    format!("omfwd: cannot open a UDP socket: {}", reason(&error)),
                )
            })
        };
        let (v4, v6) = (socket(true)?, socket(false)?);
        Ok(Self { addresses, v4, v6 })
    }

    /// Sends one datagram.
    ///
    /// # Errors
    /// The kernel's.
    pub(super) fn send(&self, datagram: &[u8], to: SocketAddr) -> io::Result<usize> {
        let socket = if to.is_ipv4() { &self.v4 } else { &self.v6 };
        match socket {
            Some(socket) => socket.send_to(datagram, to),
            None => Err(io::ErrorKind::AddrNotAvailable.into()),
        }
    }
}

/// The address to send from to `to`, if one is configured.
fn own_address(
    settings: &Settings,
    host: &str,
    to: SocketAddr,
) -> Result<Option<SocketAddr>, Failure> {
    let Some(own) = &settings.address else { return Ok(None) };
    let found = passive_addresses(Some(own), "0", settings.family, SocketType::Datagram);
    let fitting =
        found.map(|all| all.into_iter().find(|address| address.is_ipv4() == to.is_ipv4()));
    let why = match fitting {
        Ok(Some(address)) => return Ok(Some(address)),
        Ok(None) => "Address family for hostname not supported".to_owned(),
        Err(why) => why,
    };
    let text = format!("omfwd: cannot use bind address '{own}' for host '{host}': {why}");
    Err(Failure::suspend(2007, text))
}

fn udp_socket(
    settings: &Settings,
    to: SocketAddr,
    own: Option<SocketAddr>,
) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(to), Type::DGRAM, Some(Protocol::UDP))?;
    socket.bind_device(settings.device.as_deref())?;
    if settings.send_buffer > 0 {
        socket.set_send_buffer_size(settings.send_buffer)?;
    }
    let Some(own) = own else { return Ok(socket.into()) };
    match socket.bind(&own.into()) {
        Err(error)
            if error.kind() == io::ErrorKind::AddrNotAvailable
                && settings.free_bind != FreeBind::No =>
        {
            if settings.free_bind == FreeBind::Logged {
                log::warn!("Trying to bind to non-local address (IP_FREEBIND): {}", own.ip());
            }
            if own.is_ipv4() {
                socket.set_freebind_v4(true)?;
            } else {
                socket.set_freebind_v6(true)?;
            }
            socket.bind(&own.into())?;
        }
        done => done?,
    }
    Ok(socket.into())
}

/// Runs `body` in the action's network namespace.
fn inside<T: Send>(settings: &Settings, body: impl FnOnce() -> T + Send) -> Result<T, Failure> {
    match &settings.namespace {
        Some(name) => namespace::within(name, body).map_err(|why| Failure::suspend(2007, why)),
        None => Ok(body()),
    }
}

//! getaddrinfo(3), to listen and to send; `std` resolves no service names, no unspecified host and both families only.

use std::ffi::{CStr, CString};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::ptr;

/// Which address families sockets are opened for (`global(net.ipprotocol=…)`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IpProtocol {
    /// Both.
    #[default]
    Unspecified,
    /// IPv4.
    V4Only,
    /// IPv6.
    V6Only,
}

/// What a socket carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketType {
    /// TCP.
    Stream,
    /// UDP.
    Datagram,
}

/// The addresses to bind for `host` (`None`: all of this machine) and `service` (a decimal port or a name
/// of `/etc/services`), in the C library's order.
///
/// # Errors
/// The C library's words, e.g. `Name or service not known`.
pub fn passive_addresses(
    host: Option<&str>,
    service: &str,
    family: IpProtocol,
    kind: SocketType,
) -> Result<Vec<SocketAddr>, String> {
    addresses(host, service, family, kind, libc::AI_PASSIVE)
}

/// The addresses of a peer, in the order in which they are to be tried (RFC 6724).
///
/// # Errors
/// The C library's words, e.g. `Name or service not known`.
pub fn peer_addresses(
    host: &str,
    service: &str,
    family: IpProtocol,
    kind: SocketType,
) -> Result<Vec<SocketAddr>, String> {
    addresses(Some(host), service, family, kind, 0)
}

fn addresses(
    host: Option<&str>,
    service: &str,
    family: IpProtocol,
    kind: SocketType,
    flags: i32,
) -> Result<Vec<SocketAddr>, String> {
    let text = |s: &str| CString::new(s).map_err(|_| "NUL byte in the name".to_owned());
    let host = host.map(text).transpose()?;
    let service = text(service)?;
    let hints = libc::addrinfo {
        ai_flags: flags,
        ai_family: match family {
            IpProtocol::Unspecified => libc::AF_UNSPEC,
            IpProtocol::V4Only => libc::AF_INET,
            IpProtocol::V6Only => libc::AF_INET6,
        },
        ai_socktype: match kind {
            SocketType::Stream => libc::SOCK_STREAM,
            SocketType::Datagram => libc::SOCK_DGRAM,
        },
        ai_protocol: 0,
        ai_addrlen: 0,
        ai_addr: ptr::null_mut(),
        ai_canonname: ptr::null_mut(),
        ai_next: ptr::null_mut(),
    };
    let mut list = ptr::null_mut();
    let host = host.as_ref().map_or(ptr::null(), |h| h.as_ptr());
    // SAFETY: the strings end in NUL and live through the call, like `hints`; `list` is written on success.
    let rc = unsafe { libc::getaddrinfo(host, service.as_ptr(), &raw const hints, &raw mut list) };
    if rc != 0 {
        // SAFETY: returns a static string for every code.
        let why = unsafe { libc::gai_strerror(rc) };
        // SAFETY: that string ends in NUL.
        return Err(unsafe { CStr::from_ptr(why) }.to_string_lossy().into_owned());
    }
    let mut addresses = Vec::new();
    let mut next = list;
    // SAFETY: every element of the list, up to the null pointer, is valid until freeaddrinfo.
    while let Some(info) = unsafe { next.as_ref() } {
        addresses.extend(address(info));
        next = info.ai_next;
    }
    // SAFETY: the list came from getaddrinfo and is not used any more.
    unsafe { libc::freeaddrinfo(list) };
    Ok(addresses)
}

/// Looks at what a stream has to read, without taking it. Never waits; 0 is the end of the stream.
///
/// # Errors
/// Those of recv(2); `WouldBlock` where there is nothing.
pub fn peek(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
    let (fd, at) = (socket.as_raw_fd(), buffer.as_mut_ptr());
    // SAFETY: the descriptor is open for the call, and `at` points to as many writable bytes as are named.
    let len = unsafe { libc::recv(fd, at.cast(), buffer.len(), flags) };
    usize::try_from(len).map_err(|_| io::Error::last_os_error())
}

/// The address of one element of getaddrinfo's list; `None` for a family other than the two of IP.
fn address(info: &libc::addrinfo) -> Option<SocketAddr> {
    match info.ai_family {
        libc::AF_INET => {
            // SAFETY: getaddrinfo gives AF_INET elements a sockaddr_in.
            let v4 = unsafe { ptr::read_unaligned(info.ai_addr.cast::<libc::sockaddr_in>()) };
            let ip = v4.sin_addr.s_addr.to_ne_bytes();
            Some(SocketAddr::from((ip, u16::from_be(v4.sin_port))))
        }
        libc::AF_INET6 => {
            // SAFETY: getaddrinfo gives AF_INET6 elements a sockaddr_in6.
            let v6 = unsafe { ptr::read_unaligned(info.ai_addr.cast::<libc::sockaddr_in6>()) };
            Some(SocketAddr::V6(std::net::SocketAddrV6::new(
                v6.sin6_addr.s6_addr.into(),
                u16::from_be(v6.sin6_port),
                v6.sin6_flowinfo,
                v6.sin6_scope_id,
            )))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unspecified_host_gives_the_wildcard_addresses() {
        let port = |family| {
            let found = passive_addresses(None, "10514", family, SocketType::Stream).unwrap();
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(port(IpProtocol::V4Only), ["0.0.0.0:10514"]);
        assert_eq!(port(IpProtocol::V6Only), ["[::]:10514"]);
        assert_eq!(port(IpProtocol::Unspecified).len(), 2);
    }

    #[test]
    fn service_names_and_literals_resolve() {
        let v4 = |host, service| {
            passive_addresses(Some(host), service, IpProtocol::V4Only, SocketType::Datagram)
        };
        assert_eq!(v4("127.0.0.1", "0").unwrap(), [SocketAddr::from(([127, 0, 0, 1], 0))]);
        assert!(v4("127.0.0.1", "no-such-service").is_err());
        assert!(v4("127.0.0.1\0", "1").is_err());
    }
}

//! Many datagrams with one system call: `recvmmsg(2)` into buffers that live as long as their thread.
//!
//! ```text
//! headers  [h0][h1][h2] …   one per slot; hold pointers into the three arrays below, set once
//! vectors  [v0][v1][v2] …   where the payload goes
//! names    [n0][n1][n2] …   the source address, written by the kernel
//! control  [c0][c1][c2] …   ancillary data, written by the kernel: the count of dropped datagrams
//! payload  |slot 0 ····|slot 1 ····|slot 2 ····|
//! ```
//! The arrays never grow or move after [`Slab::new`]. Not `nix`: its headers keep the lengths the kernel
//! shrank in the call before, so ancillary data vanishes after the first datagram without any.

use std::io;
use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd as _};
use std::ptr;

use libc::{c_int, c_void, iovec, mmsghdr, sockaddr_in, sockaddr_in6, sockaddr_storage, socklen_t};

/// Room for one `SO_RXQ_OVFL` message, aligned as `CMSG_FIRSTHDR` needs it.
type Control = [u64; 4];

const _: () = assert!(size_of::<Control>() >= size_of::<libc::cmsghdr>() + size_of::<u64>());

/// Receive buffers for a fixed number of datagrams.
pub struct Slab {
    headers: Vec<mmsghdr>,
    names: Vec<sockaddr_storage>,
    control: Vec<Control>,
    payload: Vec<u8>,
    /// Pointed to by `headers`.
    _vectors: Vec<iovec>,
    slot_bytes: usize,
    /// Datagrams of the last call; only their headers have been changed by the kernel.
    filled: usize,
}

// SAFETY: the pointers are to heap memory that the struct owns and nobody else knows.
unsafe impl Send for Slab {}

/// One received datagram.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// What was received of it: at most a slot.
    pub text: &'a [u8],
    /// How long it was on the wire; longer than `text` where it was cut.
    pub wire_bytes: usize,
    /// Where it came from.
    pub from: SocketAddr,
}

impl Slab {
    /// Buffers for `slots` datagrams of up to `slot_bytes` each.
    #[must_use]
    pub fn new(slots: usize, slot_bytes: usize) -> Self {
        // SAFETY: all-zero bytes are a valid address storage (family 0, unspecified).
        let no_name: sockaddr_storage = unsafe { std::mem::zeroed() };
        // SAFETY: all-zero bytes are a valid header (null pointers, zero lengths).
        let no_header: mmsghdr = unsafe { std::mem::zeroed() };
        let mut payload = vec![0_u8; slots * slot_bytes];
        let mut names = vec![no_name; slots];
        let mut control = vec![Control::default(); slots];
        let mut vectors: Vec<iovec> = payload
            .chunks_exact_mut(slot_bytes)
            .map(|slot| iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: slot_bytes })
            .collect();
        let mut headers = vec![no_header; slots];
        let parts = headers.iter_mut().zip(&mut vectors).zip(&mut names).zip(&mut control);
        for (((header, vector), name), control) in parts {
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_name = ptr::from_mut(name).cast::<c_void>();
            header.msg_hdr.msg_control = control.as_mut_ptr().cast::<c_void>();
        }
        Self { headers, names, control, payload, _vectors: vectors, slot_bytes, filled: slots }
    }

    /// Receives as many datagrams as there are slots, or as there are now; returns how many.
    /// Those of the call before are overwritten.
    ///
    /// # Errors
    /// Those of `recvmmsg(2)`; on a non-blocking socket without data `WouldBlock`.
    pub fn receive(&mut self, socket: &impl AsFd) -> io::Result<usize> {
        // Both lengths are "value-result": the kernel has overwritten those of the slots it filled.
        for header in self.headers.iter_mut().take(self.filled) {
            header.msg_hdr.msg_namelen = length_of::<sockaddr_storage>();
            header.msg_hdr.msg_controllen = size_of::<Control>();
        }
        self.filled = 0;
        let slots = u32::try_from(self.headers.len()).unwrap_or(u32::MAX);
        let (fd, headers) = (socket.as_fd().as_raw_fd(), self.headers.as_mut_ptr());
        // MSG_TRUNC: "return the real length of the packet or datagram, even when it was longer than
        // the passed buffer".
        // SAFETY: there are `slots` headers; each points to one vector, name and control buffer of its own,
        // of the lengths it says. All of them belong to `self`, which is borrowed for writing.
        let n = unsafe { libc::recvmmsg(fd, headers, slots, libc::MSG_TRUNC, ptr::null_mut()) };
        self.filled = usize::try_from(n).map_err(|_| io::Error::last_os_error())?;
        Ok(self.filled)
    }

    /// The datagrams of the last call. One from an address that is neither IPv4 nor IPv6 shows `[::]:0`.
    pub fn datagrams(&self) -> impl Iterator<Item = Datagram<'_>> {
        let slots = self.payload.chunks_exact(self.slot_bytes).zip(&self.headers).zip(&self.names);
        slots.take(self.filled).map(|((slot, header), name)| {
            let wire_bytes = header.msg_len as usize;
            let text = slot.get(..wire_bytes).unwrap_or(slot);
            Datagram { text, wire_bytes, from: address(name) }
        })
    }

    /// How many datagrams the socket had dropped, for want of room, before the last one received came in;
    /// counts from the socket's creation and wraps. `None`: no drop yet, or none were received.
    #[must_use]
    pub fn drops(&self) -> Option<u32> {
        let last = self.filled.checked_sub(1)?;
        let length = self.headers.get(last)?.msg_hdr.msg_controllen;
        let control = self.control.get(last)?;
        let bytes = length.min(size_of::<Control>());
        drop_count(control, bytes)
    }
}

impl std::fmt::Debug for Slab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Slab({} x {} bytes)", self.headers.len(), self.slot_bytes)
    }
}

/// Asks the kernel to tell with each datagram how many were dropped (`SO_RXQ_OVFL`).
///
/// # Errors
/// Those of `setsockopt(2)`.
pub fn report_drops(socket: &impl AsFd) -> io::Result<()> {
    set_int(socket, libc::SO_RXQ_OVFL, 1)
}

/// How many datagrams the socket has dropped since it was made, at any time and without receiving
/// (`SO_MEMINFO`); `None` where the kernel is too old to tell.
#[must_use]
pub fn dropped(socket: &impl AsFd) -> Option<u32> {
    const SK_MEMINFO_DROPS: usize = 8; // linux/sock_diag.h
    let mut info = [0_u32; SK_MEMINFO_DROPS + 1];
    let mut length = length_of::<[u32; SK_MEMINFO_DROPS + 1]>();
    let fd = socket.as_fd().as_raw_fd();
    let value = info.as_mut_ptr().cast();
    // SAFETY: the kernel writes at most `length` bytes, which is the array's size.
    let rc =
        unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_MEMINFO, value, &raw mut length) };
    let complete = rc == 0 && length == length_of::<[u32; SK_MEMINFO_DROPS + 1]>();
    complete.then(|| info[SK_MEMINFO_DROPS])
}

/// Sets the receive buffer beyond `net.core.rmem_max` (`SO_RCVBUFFORCE`); the kernel doubles the value.
///
/// # Errors
/// Those of `setsockopt(2)`; without `CAP_NET_ADMIN` it is `PermissionDenied`.
pub fn force_receive_buffer(socket: &impl AsFd, bytes: usize) -> io::Result<()> {
    set_int(socket, libc::SO_RCVBUFFORCE, c_int::try_from(bytes).unwrap_or(c_int::MAX))
}

fn set_int(socket: &impl AsFd, option: c_int, value: c_int) -> io::Result<()> {
    let fd = socket.as_fd().as_raw_fd();
    let (pointer, length) = ((&raw const value).cast(), length_of::<c_int>());
    // SAFETY: the pointer is to `length` bytes that live through the call.
    let rc = unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, option, pointer, length) };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The drop count in `bytes` bytes of ancillary data.
fn drop_count(control: &Control, bytes: usize) -> Option<u32> {
    // SAFETY: all-zero bytes are a valid header.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_control = control.as_ptr().cast::<c_void>().cast_mut();
    message.msg_controllen = bytes;
    // SAFETY: the header describes `bytes` bytes of `control`; null where a cmsghdr does not fit.
    let first = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    // SAFETY: null, or a cmsghdr within `control`, which is aligned for it.
    let first = unsafe { first.as_ref() }?;
    if (first.cmsg_level, first.cmsg_type) != (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) {
        return None;
    }
    // SAFETY: the data follows the header within `control`, which has room for more than a u32.
    let data = unsafe { libc::CMSG_DATA(ptr::from_ref(first)) };
    // SAFETY: as above; the kernel wrote a u32 there.
    Some(unsafe { ptr::read_unaligned(data.cast::<u32>()) })
}

/// A kernel address as a Rust one.
fn address(name: &sockaddr_storage) -> SocketAddr {
    match c_int::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says which struct it is, and the storage is large and aligned enough for all.
            let v4 = unsafe { &*ptr::from_ref(name).cast::<sockaddr_in>() };
            let ip = Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes());
            SocketAddr::new(IpAddr::V4(ip), u16::from_be(v4.sin_port))
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { &*ptr::from_ref(name).cast::<sockaddr_in6>() };
            let (ip, port) = (Ipv6Addr::from(v6.sin6_addr.s6_addr), u16::from_be(v6.sin6_port));
            SocketAddr::V6(SocketAddrV6::new(ip, port, 0, v6.sin6_scope_id))
        }
        _ => SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0),
    }
}

/// The size of a struct as the socket calls want it.
const fn length_of<T>() -> socklen_t {
    assert!(size_of::<T>() <= 1024);
    #[allow(clippy::cast_possible_truncation, reason = "asserted above")]
    let length = size_of::<T>() as socklen_t;
    length
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    fn pair(address: &str) -> (UdpSocket, UdpSocket) {
        let receiver = UdpSocket::bind(address).unwrap();
        receiver.set_nonblocking(true).unwrap();
        let sender = UdpSocket::bind(address).unwrap();
        sender.connect(receiver.local_addr().unwrap()).unwrap();
        (receiver, sender)
    }

    #[test]
    fn datagrams_come_with_address_and_wire_length() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let (receiver, sender) = pair(address);
            let mut slab = Slab::new(4, 8);
            for text in [b"one".as_slice(), b"", b"longer than a slot", b"12345678", b"five"] {
                sender.send(text).unwrap();
            }
            assert_eq!(slab.receive(&receiver).unwrap(), 4);
            let got: Vec<_> = slab.datagrams().map(|d| (d.text.to_vec(), d.wire_bytes)).collect();
            let expected: [(&[u8], usize); 4] =
                [(b"one", 3), (b"", 0), (b"longer t", 18), (b"12345678", 8)];
            assert_eq!(got, expected.map(|(text, bytes)| (text.to_vec(), bytes)));
            assert!(slab.datagrams().all(|d| d.from == sender.local_addr().unwrap()));

            assert_eq!(slab.receive(&receiver).unwrap(), 1);
            assert_eq!(slab.datagrams().map(|d| d.text.to_vec()).collect::<Vec<_>>(), [b"five"]);
            assert_eq!(slab.receive(&receiver).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            assert_eq!(slab.datagrams().count(), 0);
        }
    }

    #[test]
    fn drops_are_told_again_after_a_datagram_without_ancillary_data() {
        let (receiver, sender) = pair("127.0.0.1:0");
        report_drops(&receiver).unwrap();
        let mut slab = Slab::new(2, 64);
        sender.send(b"before any drop").unwrap();
        assert_eq!(slab.receive(&receiver).unwrap(), 1);
        assert_eq!(slab.drops(), None);

        socket2::SockRef::from(&receiver).set_recv_buffer_size(1).unwrap(); // the kernel's minimum
        for _ in 0..1000 {
            sender.send(&[b'x'; 60]).unwrap();
        }
        let mut received = 0;
        while let Ok(n) = slab.receive(&receiver) {
            received += n;
        }
        sender.send(b"after the drops").unwrap();
        assert_eq!(slab.receive(&receiver).unwrap(), 1);
        let dropped_then = u32::try_from(1000 - received).unwrap();
        assert!(dropped_then > 0);
        assert_eq!(slab.drops(), Some(dropped_then));
        assert_eq!(dropped(&receiver), Some(dropped_then));
    }
}

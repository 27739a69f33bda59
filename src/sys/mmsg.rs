//! Many datagrams with one system call: `recvmmsg(2)` into buffers that live as long as their thread.
//!
//! ```text
//! headers  [h0][h1][h2] …   one per slot; hold pointers into the three arrays below, set once
//! vectors  [v0][v1][v2] …   where the payload goes
//! names    [n0][n1][n2] …   the source address, written by the kernel
//! control  [c0][c1][c2] …   ancillary data, written by the kernel: how a packet is cut into datagrams
//! payload  |slot 0 ···|gap|slot 1 ···|gap|slot 2 ···|gap|
//! ```
//! The arrays never grow or move after [`Slab::new`]. Not `nix`: its headers keep the lengths the kernel
//! shrank in the call before, so ancillary data vanishes after the first datagram without any.
//!
//! A *packet* is what one slot takes: a datagram, or several of one sender that the kernel handed on in one
//! piece (`UDP_GRO`), which spares most of the cost of receiving them.

use std::io;
use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd as _};
use std::ptr;

use libc::{c_int, c_void, iovec, mmsghdr, sockaddr_in, sockaddr_in6, sockaddr_storage, socklen_t};

/// Bytes of a slot: the kernel hands on no larger packet.
const SLOT_BYTES: usize = 65_536;
/// Distance of the slots: not a power of two, so that their beginnings spread over the CPU's cache.
const STRIDE_BYTES: usize = SLOT_BYTES + 17 * 64;
/// Room for one ancillary message with an `int`, aligned as `CMSG_FIRSTHDR` needs it.
type Control = [u64; 4];

const _: () = assert!(size_of::<Control>() >= size_of::<libc::cmsghdr>() + size_of::<u64>());

/// Receive buffers for a fixed number of packets.
pub struct Slab {
    headers: Vec<mmsghdr>,
    names: Vec<sockaddr_storage>,
    control: Vec<Control>,
    /// Untouched pages of it cost no memory.
    payload: Vec<u8>,
    /// Pointed to by `headers`.
    _vectors: Vec<iovec>,
    /// Packets of the last call; only their headers have been changed by the kernel.
    filled: usize,
}

// SAFETY: the pointers are to heap memory that the struct owns and nobody else knows.
unsafe impl Send for Slab {}

/// One received packet.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Where it came from.
    pub from: SocketAddr,
    payload: &'a [u8],
    /// Bytes of each datagram but for the last, which may be shorter.
    segment_bytes: usize,
}

impl<'a> Packet<'a> {
    /// The datagrams: one at least, which may be empty.
    pub fn datagrams(self) -> impl Iterator<Item = &'a [u8]> {
        let empty = self.payload.is_empty().then_some(self.payload);
        empty.into_iter().chain(self.payload.chunks(self.segment_bytes))
    }
}

impl Slab {
    /// Buffers for `slots` packets.
    #[must_use]
    pub fn new(slots: usize) -> Self {
        // SAFETY: all-zero bytes are a valid address storage (family 0, unspecified).
        let no_name: sockaddr_storage = unsafe { std::mem::zeroed() };
        // SAFETY: all-zero bytes are a valid header (null pointers, zero lengths).
        let no_header: mmsghdr = unsafe { std::mem::zeroed() };
        let mut payload = vec![0_u8; slots * STRIDE_BYTES];
        let mut names = vec![no_name; slots];
        let mut control = vec![Control::default(); slots];
        let mut vectors: Vec<iovec> = payload
            .chunks_exact_mut(STRIDE_BYTES)
            .map(|slot| iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: SLOT_BYTES })
            .collect();
        let mut headers = vec![no_header; slots];
        let parts = headers.iter_mut().zip(&mut vectors).zip(&mut names).zip(&mut control);
        for (((header, vector), name), control) in parts {
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_name = ptr::from_mut(name).cast::<c_void>();
            header.msg_hdr.msg_control = control.as_mut_ptr().cast::<c_void>();
        }
        Self { headers, names, control, payload, _vectors: vectors, filled: slots }
    }

    /// Receives as many packets as there are slots, or as there are now; returns how many.
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
        // SAFETY: there are `slots` headers; each points to one vector, name and control buffer of its own,
        // of the lengths it says. All of them belong to `self`, which is borrowed for writing.
        let n = unsafe { libc::recvmmsg(fd, headers, slots, 0, ptr::null_mut()) };
        self.filled = usize::try_from(n).map_err(|_| io::Error::last_os_error())?;
        Ok(self.filled)
    }

    /// The packets of the last call. One from an address that is neither IPv4 nor IPv6 shows `[::]:0`.
    pub fn packets(&self) -> impl Iterator<Item = Packet<'_>> {
        let slots = self.payload.chunks_exact(STRIDE_BYTES);
        let parts = slots.zip(&self.headers).zip(&self.names).zip(&self.control);
        parts.take(self.filled).map(|(((slot, header), name), control)| {
            let length = header.msg_len as usize;
            let payload = slot.get(..length).unwrap_or(slot);
            let segment_bytes = segment_bytes(control, header.msg_hdr.msg_controllen);
            let segment_bytes = segment_bytes.unwrap_or(length).max(1);
            Packet { from: address(name), payload, segment_bytes }
        })
    }
}

impl std::fmt::Debug for Slab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Slab({} slots)", self.headers.len())
    }
}

/// Lets the kernel hand on datagrams of one sender in one piece (`UDP_GRO`, Linux 5.0).
///
/// # Errors
/// Those of `setsockopt(2)`; without it every packet is one datagram.
pub fn take_packets(socket: &impl AsFd) -> io::Result<()> {
    set_int(socket, libc::SOL_UDP, libc::UDP_GRO, 1)
}

/// How many packets the socket has dropped, for want of room, since it was made; wraps. This is the number
/// that `SO_RXQ_OVFL` would attach to every datagram, at a cost for each, as `SO_MEMINFO` (Linux 4.12) gives
/// it at any time. `None` where the kernel does not tell.
#[must_use]
pub fn dropped(socket: &impl AsFd) -> Option<u32> {
    memory(socket).map(|info| info[SK_MEMINFO_DROPS])
}

/// Whether at least half of the receive buffer is taken, by the kernel's count. Where it does not tell, it is.
#[must_use]
pub fn is_half_full(socket: &impl AsFd) -> bool {
    memory(socket).is_none_or(|info| info[SK_MEMINFO_RMEM_ALLOC] >= info[SK_MEMINFO_RCVBUF] / 2)
}

/// Places in what `SO_MEMINFO` tells (`linux/sock_diag.h`).
const SK_MEMINFO_RMEM_ALLOC: usize = 0;
const SK_MEMINFO_RCVBUF: usize = 1;
const SK_MEMINFO_DROPS: usize = 8;

fn memory(socket: &impl AsFd) -> Option<[u32; SK_MEMINFO_DROPS + 1]> {
    let mut info = [0_u32; SK_MEMINFO_DROPS + 1];
    let mut length = length_of::<[u32; SK_MEMINFO_DROPS + 1]>();
    let fd = socket.as_fd().as_raw_fd();
    let value = info.as_mut_ptr().cast();
    // SAFETY: the kernel writes at most `length` bytes, which is the array's size.
    let rc =
        unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_MEMINFO, value, &raw mut length) };
    let complete = rc == 0 && length == length_of::<[u32; SK_MEMINFO_DROPS + 1]>();
    complete.then_some(info)
}

/// Sets the receive buffer beyond `net.core.rmem_max` (`SO_RCVBUFFORCE`); the kernel doubles the value.
///
/// # Errors
/// Those of `setsockopt(2)`; without `CAP_NET_ADMIN` it is `PermissionDenied`.
pub fn force_receive_buffer(socket: &impl AsFd, bytes: usize) -> io::Result<()> {
    set_int(
        socket,
        libc::SOL_SOCKET,
        libc::SO_RCVBUFFORCE,
        c_int::try_from(bytes).unwrap_or(c_int::MAX),
    )
}

fn set_int(socket: &impl AsFd, level: c_int, option: c_int, value: c_int) -> io::Result<()> {
    let fd = socket.as_fd().as_raw_fd();
    let (pointer, length) = ((&raw const value).cast(), length_of::<c_int>());
    // SAFETY: the pointer is to `length` bytes that live through the call.
    let rc = unsafe { libc::setsockopt(fd, level, option, pointer, length) };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The length of a packet's datagrams, in the first `bytes` bytes of its ancillary data.
fn segment_bytes(control: &Control, bytes: usize) -> Option<usize> {
    if bytes == 0 {
        return None; // a single datagram
    }
    // SAFETY: all-zero bytes are a valid header.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_control = control.as_ptr().cast::<c_void>().cast_mut();
    message.msg_controllen = bytes.min(size_of::<Control>());
    // SAFETY: the header describes that many bytes of `control`; null where a cmsghdr does not fit.
    let first = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    // SAFETY: null, or a cmsghdr within `control`, which is aligned for it.
    let first = unsafe { first.as_ref() }?;
    if (first.cmsg_level, first.cmsg_type) != (libc::SOL_UDP, libc::UDP_GRO) {
        return None;
    }
    // SAFETY: the data follows the header within `control`, which has room for more than an int.
    let data = unsafe { libc::CMSG_DATA(ptr::from_ref(first)) };
    // SAFETY: as above; the kernel wrote an int there.
    usize::try_from(unsafe { ptr::read_unaligned(data.cast::<c_int>()) }).ok()
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
    fn packets_come_with_their_address() {
        let v6 = UdpSocket::bind("[::1]:0").is_ok();
        for address in ["127.0.0.1:0", "[::1]:0"].into_iter().take(1 + usize::from(v6)) {
            let (receiver, sender) = pair(address);
            let mut slab = Slab::new(4);
            for text in [b"one".as_slice(), b"", &[b'x'; 65_507], b"four", b"five"] {
                sender.send(text).unwrap();
            }
            assert_eq!(slab.receive(&receiver).unwrap(), 4);
            let texts = |slab: &Slab| {
                let datagrams = slab.packets().flat_map(Packet::datagrams);
                datagrams.map(<[u8]>::to_vec).collect::<Vec<_>>()
            };
            assert_eq!(
                texts(&slab),
                [b"one".to_vec(), vec![], vec![b'x'; 65_507], b"four".to_vec()]
            );
            assert!(slab.packets().all(|p| p.from == sender.local_addr().unwrap()));

            assert_eq!(slab.receive(&receiver).unwrap(), 1);
            assert_eq!(texts(&slab), [b"five"]);
            assert_eq!(slab.receive(&receiver).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            assert_eq!(slab.packets().count(), 0);
        }
    }

    #[test]
    fn packets_of_several_datagrams_are_cut_as_they_were_sent() {
        let (receiver, sender) = pair("127.0.0.1:0");
        if take_packets(&receiver).is_err() {
            return; // a kernel without it
        }
        let mut slab = Slab::new(8);
        // Whole pieces, a shorter last one, and single datagrams before and after.
        for (bytes, piece) in [(5, 0), (30, 10), (25, 10), (7, 0)] {
            set_int(&sender, libc::SOL_UDP, libc::UDP_SEGMENT, piece).unwrap();
            sender.send(&vec![b'x'; bytes]).unwrap();
        }
        assert_eq!(slab.receive(&receiver).unwrap(), 4);
        let lengths = slab.packets().map(|p| p.datagrams().map(<[u8]>::len).collect::<Vec<_>>());
        let expected = [vec![5], vec![10, 10, 10], vec![10, 10, 5], vec![7]];
        assert_eq!(lengths.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_buffer_is_half_full_before_it_drops() {
        let (receiver, sender) = pair("127.0.0.1:0");
        if dropped(&receiver).is_none() {
            return; // a kernel that does not tell
        }
        assert!(!is_half_full(&receiver));
        while !is_half_full(&receiver) {
            sender.send(&[b'x'; 60]).unwrap();
        }
        assert_eq!(dropped(&receiver), Some(0));
    }

    #[test]
    fn dropped_packets_are_counted() {
        let (receiver, sender) = pair("127.0.0.1:0");
        if dropped(&receiver).is_none() {
            return; // a kernel that does not tell
        }
        assert_eq!(dropped(&receiver), Some(0));
        socket2::SockRef::from(&receiver).set_recv_buffer_size(1).unwrap(); // the kernel's minimum
        for _ in 0..1000 {
            sender.send(&[b'x'; 60]).unwrap();
        }
        let (mut slab, mut received) = (Slab::new(2), 0);
        while let Ok(n) = slab.receive(&receiver) {
            received += n;
        }
        assert!(received < 1000);
        assert_eq!(dropped(&receiver), Some(u32::try_from(1000 - received).unwrap()));
    }
}

//! Unix datagram sockets as logs: many datagrams with one system call, each with the time it came and who sent it.
//!
//! ```text
//! headers  [h0][h1][h2] …   one per slot; hold pointers into the two arrays below, set once
//! control  [c0][c1][c2] …   ancillary data, written by the kernel: time and credentials, in this order
//! payload  |slot 0   |slot 1   |slot 2   |
//! ```
//! The arrays never grow or move after [`Slab::new`]. The room for ancillary data is what time and credentials take
//! up, to the byte: descriptors that a sender attaches find none, so that the kernel closes them (`MSG_CTRUNC`).

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::ptr;

use libc::{c_int, c_void, iovec, mmsghdr, socklen_t, timeval, ucred};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// Ancillary data of a datagram, aligned as `CMSG_FIRSTHDR` needs it.
type Control = [u64; 8];

/// Bytes of it that are used.
const CONTROL_BYTES: usize = space::<timeval>() + space::<ucred>();

const _: () = assert!(CONTROL_BYTES <= size_of::<Control>());

/// First of the descriptors that systemd passes, sd_listen_fds(3).
const LISTEN_FDS_START: RawFd = 3;
/// Most descriptors that are looked at.
const LISTEN_FDS_MAX: RawFd = 1024;

/// Receive buffers for a fixed number of datagrams.
pub struct Slab {
    headers: Vec<mmsghdr>,
    control: Vec<Control>,
    /// Untouched pages of it cost no memory.
    payload: Vec<u8>,
    slot_bytes: usize,
    /// Pointed to by `headers`.
    _vectors: Vec<iovec>,
    /// Datagrams of the last call; only their headers have been changed by the kernel.
    filled: usize,
}

// SAFETY: the pointers are to heap memory that the struct owns and nobody else knows.
unsafe impl Send for Slab {}

/// Who sent a datagram, as the kernel says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Process id; 0 where the process is in a namespace that is not to be seen from here.
    pub pid: i32,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// A received datagram.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// What it holds, as far as it found room.
    pub bytes: &'a [u8],
    /// Whether it was longer.
    pub is_cut: bool,
    /// Its sender, where the socket was told to say so ([`describe_senders`]).
    pub sender: Option<Credentials>,
    /// When it was sent, microseconds since the epoch; as for `sender`.
    pub sent: Option<i64>,
}

impl Slab {
    /// Buffers for `slots` datagrams of up to `slot_bytes` (one at least).
    #[must_use]
    pub fn new(slots: usize, slot_bytes: usize) -> Self {
        let slot_bytes = slot_bytes.max(1);
        // SAFETY: all-zero bytes are a valid header (null pointers, zero lengths).
        let no_header: mmsghdr = unsafe { std::mem::zeroed() };
        let mut payload = vec![0_u8; slots * slot_bytes];
        let mut control = vec![Control::default(); slots];
        let mut vectors: Vec<iovec> = payload
            .chunks_exact_mut(slot_bytes)
            .map(|slot| iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: slot_bytes })
            .collect();
        let mut headers = vec![no_header; slots];
        for ((header, vector), control) in headers.iter_mut().zip(&mut vectors).zip(&mut control) {
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = control.as_mut_ptr().cast::<c_void>();
        }
        Self { headers, control, payload, slot_bytes, _vectors: vectors, filled: slots }
    }

    /// Receives as many datagrams as there are slots, or as there are now; returns how many. Never waits. Those of
    /// the call before are overwritten.
    ///
    /// # Errors
    /// Those of `recvmmsg(2)`; `WouldBlock` where there is none.
    pub fn receive(&mut self, socket: &impl AsFd) -> io::Result<usize> {
        // "value-result": the kernel has overwritten those of the slots it filled.
        for header in self.headers.iter_mut().take(self.filled) {
            header.msg_hdr.msg_controllen = CONTROL_BYTES;
        }
        self.filled = 0;
        let slots = u32::try_from(self.headers.len()).unwrap_or(u32::MAX);
        let (fd, headers) = (socket.as_fd().as_raw_fd(), self.headers.as_mut_ptr());
        let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
        // SAFETY: there are `slots` headers; each points to one vector and control buffer of its own, of the
        // lengths it says. All of them belong to `self`, which is borrowed for writing.
        let n = unsafe { libc::recvmmsg(fd, headers, slots, flags, ptr::null_mut()) };
        self.filled = usize::try_from(n).map_err(|_| io::Error::last_os_error())?;
        Ok(self.filled)
    }

    /// The datagrams of the last call.
    pub fn datagrams(&self) -> impl Iterator<Item = Datagram<'_>> {
        let slots = self.payload.chunks_exact(self.slot_bytes);
        slots.zip(&self.headers).take(self.filled).map(|(slot, header)| {
            let (sent, sender) = describe(&header.msg_hdr);
            Datagram {
                bytes: slot.get(..header.msg_len as usize).unwrap_or(slot),
                is_cut: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
                sender,
                sent,
            }
        })
    }
}

impl std::fmt::Debug for Slab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Slab({} slots, {} control buffers)", self.headers.len(), self.control.len())
    }
}

/// Time and credentials in a datagram's ancillary data.
fn describe(header: &libc::msghdr) -> (Option<i64>, Option<Credentials>) {
    let (mut sent, mut sender) = (None, None);
    // SAFETY: the header is one of a slab, and describes a control buffer that lives as long as it does.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(ptr::from_ref(header)) };
    // SAFETY: null, or a cmsghdr within the buffer, which is aligned for it.
    while let Some(part) = unsafe { next.as_ref() } {
        // SAFETY: the data follows its header within the buffer.
        let data = unsafe { libc::CMSG_DATA(next) };
        let whole = |bytes: usize| part.cmsg_len >= length(bytes);
        match (part.cmsg_level, part.cmsg_type) {
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMP) if whole(size_of::<timeval>()) => {
                // SAFETY: the length says that the kernel wrote one there.
                let time = unsafe { ptr::read_unaligned(data.cast::<timeval>()) };
                #[allow(clippy::useless_conversion, reason = "not on machines of 32 bits")]
                let usec = i64::from(time.tv_sec) * 1_000_000 + i64::from(time.tv_usec);
                sent = Some(usec);
            }
            (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) if whole(size_of::<ucred>()) => {
                // SAFETY: as above.
                let ucred { pid, uid, gid } = unsafe { ptr::read_unaligned(data.cast::<ucred>()) };
                sender = Some(Credentials { pid, uid, gid });
            }
            _ => {}
        }
        // SAFETY: as for the first; null behind the last.
        next = unsafe { libc::CMSG_NXTHDR(ptr::from_ref(header), next) };
    }
    (sent, sender)
}

/// Has the kernel say of each datagram who sent it and when (`SO_PASSCRED`, `SO_TIMESTAMP`).
///
/// # Errors
/// The name of the option that cannot be had, and why.
pub fn describe_senders(socket: &impl AsFd) -> Result<(), (&'static str, io::Error)> {
    set(socket, libc::SO_PASSCRED).map_err(|why| ("SO_PASSCRED", why))?;
    set(socket, libc::SO_TIMESTAMP).map_err(|why| ("SO_TIMESTAMP", why))
}

fn set(socket: &impl AsFd, option: c_int) -> io::Result<()> {
    let on: c_int = 1;
    let fd = socket.as_fd().as_raw_fd();
    let (pointer, length) = ((&raw const on).cast(), socklen::<c_int>());
    // SAFETY: the pointer is to `length` bytes that live through the call.
    let rc = unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, option, pointer, length) };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Whether systemd runs this machine, sd_booted(3).
#[must_use]
pub fn is_systemd_booted() -> bool {
    Path::new("/run/systemd/system").symlink_metadata().is_ok_and(|data| data.is_dir())
}

/// The Unix datagram socket bound to `path` among those that systemd has passed (sd_listen_fds(3)), as a duplicate,
/// with the number that systemd gave it. `None` where there is none, or they are for another process.
#[must_use]
pub fn passed_socket(path: &Path) -> Option<(UnixDatagram, RawFd)> {
    let number = |name| std::env::var(name).ok()?.parse::<RawFd>().ok();
    if number("LISTEN_PID")? != nix::unistd::getpid().as_raw() {
        return None;
    }
    let count = number("LISTEN_FDS")?.clamp(0, LISTEN_FDS_MAX);
    (LISTEN_FDS_START..LISTEN_FDS_START + count).find_map(|fd| {
        // SAFETY: systemd says that these are open and for us; whatever else they are, they are not closed here.
        let passed = unsafe { BorrowedFd::borrow_raw(fd) };
        fcntl(passed, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).ok()?;
        let socket = socket2::SockRef::from(&passed);
        let is_datagram = socket.r#type().is_ok_and(|kind| kind == socket2::Type::DGRAM);
        let bound = socket.local_addr().ok()?;
        let is_meant = bound
            .as_pathname()
            .is_some_and(|bound| bound.as_os_str().as_bytes() == path.as_os_str().as_bytes());
        if !is_datagram || !is_meant {
            return None;
        }
        Some((UnixDatagram::from(passed.try_clone_to_owned().ok()?), fd))
    })
}

/// Bytes of ancillary data that a value takes up, its header and what follows it included.
const fn space<T>() -> usize {
    // SAFETY: computes; touches no memory.
    unsafe { libc::CMSG_SPACE(socklen::<T>()) as usize }
}

/// What `cmsg_len` is for `bytes` bytes of data.
fn length(bytes: usize) -> usize {
    // SAFETY: computes; touches no memory.
    unsafe { libc::CMSG_LEN(socklen_t::try_from(bytes).unwrap_or(socklen_t::MAX)) as usize }
}

/// The size of a struct as the socket calls want it.
const fn socklen<T>() -> socklen_t {
    assert!(size_of::<T>() <= 1024);
    #[allow(clippy::cast_possible_truncation, reason = "asserted above")]
    let length = size_of::<T>() as socklen_t;
    length
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

    use super::*;

    #[test]
    fn datagrams_come_with_time_and_sender() {
        let (receiver, sender) = UnixDatagram::pair().unwrap();
        describe_senders(&receiver).unwrap();
        let mut slab = Slab::new(2, 8);
        let before = crate::sys::clock::now_usec();
        for text in [b"one".as_slice(), b"exactly8", b"", b"nine long"] {
            sender.send(text).unwrap();
        }
        let mut got = Vec::new();
        while let Ok(n) = slab.receive(&receiver) {
            assert_eq!(n, 2);
            for datagram in slab.datagrams() {
                let after = crate::sys::clock::now_usec();
                assert!((before..=after).contains(&datagram.sent.unwrap()));
                let Credentials { pid, uid, gid } = datagram.sender.unwrap();
                assert_eq!(u32::try_from(pid).unwrap(), std::process::id());
                assert_eq!((uid, gid), crate::sys::process::effective_ids());
                got.push((datagram.bytes.to_vec(), datagram.is_cut));
            }
        }
        let expected: [(&[u8], bool); 4] =
            [(b"one", false), (b"exactly8", false), (b"", false), (b"nine lon", true)];
        assert_eq!(got, expected.map(|(bytes, is_cut)| (bytes.to_vec(), is_cut)));
    }

    /// A sender that attaches descriptors must not fill our table.
    #[test]
    fn attached_descriptors_are_not_taken() {
        let (receiver, sender) = UnixDatagram::pair().unwrap();
        describe_senders(&receiver).unwrap();
        let (kept, attached) = UnixDatagram::pair().unwrap();
        let fds = [attached.as_raw_fd()];
        let (text, rights) = ([IoSlice::new(b"x")], [ControlMessage::ScmRights(&fds)]);
        let none = None::<&nix::sys::socket::UnixAddr>;
        sendmsg(sender.as_raw_fd(), &text, &rights, MsgFlags::empty(), none).unwrap();
        drop(attached);
        let mut slab = Slab::new(1, 8);
        assert_eq!(slab.receive(&receiver).unwrap(), 1);
        assert!(slab.datagrams().next().unwrap().sender.is_some());
        // The other end is gone if nobody has taken it.
        assert!(kept.send(b"y").is_err());
    }

    #[test]
    fn a_socket_that_was_not_told_to_says_nothing_of_its_senders() {
        let (receiver, sender) = UnixDatagram::pair().unwrap();
        sender.send(b"x").unwrap();
        let mut slab = Slab::new(1, 8);
        assert_eq!(slab.receive(&receiver).unwrap(), 1);
        let datagram = slab.datagrams().next().unwrap();
        assert_eq!((datagram.sender, datagram.sent), (None, None));
        assert_eq!(slab.receive(&receiver).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}

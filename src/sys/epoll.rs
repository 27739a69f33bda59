//! epoll(7): registration, re-arming by number, waiting.
//!
//! Not `nix::sys::epoll`: its `modify` borrows the descriptor, but re-arming is the *last* touch of a
//! session, made after the session was handed back to the table (`net::ready`).

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::time::Duration;

/// Input, edge-triggered, disarmed by the first report: how sockets are registered.
#[allow(clippy::cast_sign_loss, reason = "bit sets; libc writes them as int")]
pub const READ_ONCE: u32 = (libc::EPOLLIN | libc::EPOLLET | libc::EPOLLONESHOT) as u32;
/// Room for output, otherwise as [`READ_ONCE`].
#[allow(clippy::cast_sign_loss, reason = "bit sets; libc writes them as int")]
pub const WRITE_ONCE: u32 = (libc::EPOLLOUT | libc::EPOLLET | libc::EPOLLONESHOT) as u32;
/// Input, reported for as long as there is some.
#[allow(clippy::cast_sign_loss, reason = "a bit set; libc writes it as int")]
pub const READ: u32 = libc::EPOLLIN as u32;

/// As [`READ`], for a descriptor that is in the sets of several threads: not all of them wake.
#[allow(clippy::cast_sign_loss, reason = "a bit set; libc writes it as int")]
pub const READ_EXCLUSIVE: u32 = (libc::EPOLLIN | libc::EPOLLEXCLUSIVE) as u32;

/// An epoll set.
#[derive(Debug)]
pub struct Epoll(OwnedFd);

/// One report of [`Epoll::wait`].
pub type Report = libc::epoll_event;

/// A report with nothing in it, to fill a buffer with.
pub const NO_REPORT: Report = Report { events: 0, u64: 0 };

impl Epoll {
    /// An empty set, closed on exec.
    ///
    /// # Errors
    /// Those of `epoll_create1(2)`: no descriptor or memory left.
    pub fn new() -> io::Result<Self> {
        // SAFETY: takes no pointer.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call above made the descriptor and nobody else knows it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Adds `fd` under `token`.
    ///
    /// # Errors
    /// Those of `epoll_ctl(2)`: memory or `max_user_watches` used up.
    pub fn add(&self, fd: &impl AsFd, events: u32, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd.as_fd().as_raw_fd(), events, token)
    }

    /// Arms `fd` again, which was added under `token`. What is unread by now is reported at once.
    ///
    /// # Errors
    /// Those of `epoll_ctl(2)`: a descriptor that is closed or not in the set.
    pub fn rearm(&self, fd: RawFd, events: u32, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, events, token)
    }

    fn control(&self, operation: i32, fd: RawFd, events: u32, token: u64) -> io::Result<()> {
        let mut event = Report { events, u64: token };
        // SAFETY: `event` lives through the call; the kernel copies it. A wrong descriptor is EBADF or ENOENT.
        let rc = unsafe { libc::epoll_ctl(self.0.as_raw_fd(), operation, fd, &raw mut event) };
        if rc < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Waits for reports and returns those that came; none after `timeout`, or when a signal interrupts.
    ///
    /// # Errors
    /// Those of `epoll_wait(2)` but for EINTR.
    pub fn wait<'a>(
        &self,
        buffer: &'a mut [Report],
        timeout: Option<Duration>,
    ) -> io::Result<&'a [Report]> {
        let room = i32::try_from(buffer.len()).unwrap_or(i32::MAX);
        // Rounded up, so that a deadline has passed when the wait is over.
        let millis = timeout
            .map_or(-1, |t| i32::try_from(t.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX));
        // SAFETY: the kernel writes at most `room` reports, which is the buffer's length or less.
        let n = unsafe { libc::epoll_wait(self.0.as_raw_fd(), buffer.as_mut_ptr(), room, millis) };
        match usize::try_from(n) {
            Ok(n) => Ok(buffer.get(..n).unwrap_or_default()),
            Err(_) => match io::Error::last_os_error() {
                why if why.kind() == io::ErrorKind::Interrupted => Ok(&[]),
                why => Err(why),
            },
        }
    }
}

//! The epoll set of one input: its listeners, its sessions, and the descriptor that wakes the poller thread.
//!
//! Sockets are registered `EPOLLIN|EPOLLET|EPOLLONESHOT`: a report disarms them, so one thread at a time
//! serves a socket, and arming again reports what is unread by then. (A layer such as TLS may want `EPOLLOUT`
//! instead.) That is why a worker may re-arm after a short read without the extra read that returns EAGAIN.

use std::io;
use std::os::fd::{AsFd, RawFd};
use std::time::Duration;

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::session::Token;
use super::transport::Interest;
use crate::limits;
use crate::sys::epoll::{Epoll, NO_REPORT, READ, READ_ONCE, Report, WRITE_ONCE};

/// What the poller thread wakes up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// [`Poller::wake`] was called.
    Woken,
    /// The listener of this number has connections.
    Listener(u32),
    /// The session has what it waited for, mostly input, or was closed by its peer.
    Session(Token),
}

/// Listeners have the token numbers from here upwards, with generation 0.
const LISTENER_BASE: u64 = Token::INDEX_LIMIT as u64;
/// The token of the wake-up descriptor.
const WAKE: u64 = u64::MAX;

impl Event {
    fn from_u64(bits: u64) -> Self {
        match bits {
            WAKE => Self::Woken,
            LISTENER_BASE..=0xffff_ffff => {
                Self::Listener(u32::try_from(bits - LISTENER_BASE).unwrap_or_default())
            }
            _ => Self::Session(Token::from_u64(bits)),
        }
    }
}

/// An epoll set that can be woken.
#[derive(Debug)]
pub struct Poller {
    epoll: Epoll,
    wake: EventFd,
}

impl Poller {
    /// An empty set.
    ///
    /// # Errors
    /// When there is no descriptor left.
    pub fn new() -> io::Result<Self> {
        let epoll = Epoll::new()?;
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        epoll.add(&wake, READ, WAKE)?;
        Ok(Self { epoll, wake })
    }

    /// Adds listener `number`, armed.
    ///
    /// # Errors
    /// Those of `epoll_ctl(2)`.
    pub fn add_listener(&self, fd: &impl AsFd, number: u32) -> io::Result<()> {
        self.epoll.add(fd, READ_ONCE, LISTENER_BASE + u64::from(number))
    }

    /// Arms listener `number` again.
    ///
    /// # Errors
    /// Those of `epoll_ctl(2)`.
    pub fn rearm_listener(&self, fd: RawFd, number: u32) -> io::Result<()> {
        self.epoll.rearm(fd, READ_ONCE, LISTENER_BASE + u64::from(number))
    }

    /// Adds a session's socket, armed. Called by the poller thread only, which serves no report before it
    /// has parked or queued the session; a report about one that is queued is of no use, and arming it tells again.
    ///
    /// # Errors
    /// Those of `epoll_ctl(2)`: memory or `max_user_watches` used up.
    pub fn add_session(&self, fd: &impl AsFd, token: Token) -> io::Result<()> {
        self.epoll.add(fd, READ_ONCE, token.to_u64())
    }

    /// Arms a session on its way to the table, unless its socket is none of its interest. The last touch of it (see
    /// [`ready`](super::ready)).
    ///
    /// # Errors
    /// Those of `epoll_ctl(2)`; none is expected for a descriptor that is in the set.
    pub fn rearm_session(&self, fd: RawFd, token: Token, interest: &Interest) -> io::Result<()> {
        let events = match interest {
            Interest::Read => READ_ONCE,
            Interest::Write => WRITE_ONCE,
            Interest::Event(_) => return Ok(()),
        };
        self.epoll.rearm(fd, events, token.to_u64())
    }

    /// Makes the present or the next [`Poller::wait`] return [`Event::Woken`], until [`Poller::clear`].
    pub fn wake(&self) {
        // Fails only when the count is at its maximum, and then the poller is awake anyway.
        let _ = self.wake.write(1);
    }

    /// Takes note of [`Event::Woken`].
    pub fn clear(&self) {
        // Fails only where nobody has called `wake` since.
        let _ = self.wake.read();
    }

    /// Waits for events, at most for `timeout`.
    ///
    /// # Errors
    /// Those of `epoll_wait(2)`; none is expected.
    pub fn wait<'a>(
        &self,
        buffer: &'a mut Buffer,
        timeout: Option<Duration>,
    ) -> io::Result<impl Iterator<Item = Event> + Clone + use<'a>> {
        let reports = self.epoll.wait(&mut buffer.0, timeout)?;
        Ok(reports.iter().map(|report| Event::from_u64(report.u64)))
    }
}

/// Room for the events of one wait.
#[derive(Debug)]
pub struct Buffer([Report; limits::POLL_EVENTS]);

impl Default for Buffer {
    fn default() -> Self {
        Self([NO_REPORT; limits::POLL_EVENTS])
    }
}

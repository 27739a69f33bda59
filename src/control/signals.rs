//! Signals as values: handlers only set a flag and write a byte to a pipe; the control thread reads both.

use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGTTIN, SIGUSR1, SIGXFSZ};

/// What the control thread wakes up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// HUP: reopen files.
    Hup,
    /// TERM, or INT and QUIT where they are allowed: stop; the number goes into the exit message.
    Stop(i32),
    /// USR1.
    ToggleDebug,
    /// The time is up.
    Tick,
}

/// The signals the daemon listens to.
#[derive(Debug)]
pub struct Signals {
    wake: UnixStream,
    flags: Vec<(Event, Arc<AtomicBool>)>,
}

impl Signals {
    /// Installs the handlers. `interactive` (debug mode, or `shutdown.enable.ctlc`) lets INT and QUIT stop the
    /// daemon; otherwise they are ignored, as are PIPE, XFSZ and TTIN always. The fifth TERM aborts the process.
    /// `hup_sent` is set as soon as HUP comes.
    ///
    /// # Errors
    /// When a handler cannot be installed.
    pub fn install(interactive: bool, hup_sent: Arc<AtomicBool>) -> io::Result<Self> {
        let (wake, write_end) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        write_end.set_nonblocking(true)?;
        let stop = |signal| (signal, Event::Stop(signal));
        let mut wanted = vec![(SIGHUP, Event::Hup), stop(SIGTERM), (SIGUSR1, Event::ToggleDebug)];
        let mut ignored = vec![SIGPIPE, SIGXFSZ, SIGTTIN];
        if interactive {
            wanted.extend([stop(SIGINT), stop(SIGQUIT)]);
        } else {
            ignored.extend([SIGINT, SIGQUIT]);
        }
        signal_hook::flag::register(SIGHUP, hup_sent)?;
        let mut flags = Vec::new();
        for (signal, event) in wanted {
            let flag = Arc::new(AtomicBool::new(false));
            // Handlers run in the order of registration: the flag is up before the wake-up byte is written.
            signal_hook::flag::register(signal, Arc::clone(&flag))?;
            signal_hook::low_level::pipe::register(signal, write_end.try_clone()?)?;
            flags.push((event, flag));
        }
        for signal in ignored {
            // A handler that does nothing, rather than SIG_IGN, which children would inherit over exec.
            signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
        }
        crate::sys::process::abort_on_repeated_term(5)?;
        Ok(Self { wake, flags })
    }

    /// Waits up to `timeout` and returns what has happened since the last call; [`Event::Tick`] if nothing.
    ///
    /// # Errors
    /// When polling fails for another reason than a signal.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<Vec<Event>> {
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(self.wake.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
        }
        let mut drain = [0; 64];
        while matches!(self.wake.read(&mut drain), Ok(n) if n > 0) {}
        // AcqRel: pairs with the handler's store, so that nothing it did before is missed.
        let raised = self.flags.iter().filter(|(_, flag)| flag.swap(false, Ordering::AcqRel));
        let events: Vec<Event> = raised.map(|(event, _)| *event).collect();
        Ok(if events.is_empty() { vec![Event::Tick] } else { events })
    }
}

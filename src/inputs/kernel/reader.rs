//! The thread that reads the kernel's log, for both modules.
//!
//! What is read waits for its submission only as long as there is more to read. At the end of a file, which the kernel's
//! log has not but a file or a named pipe in its place, it is looked again after [`LOOK_MSEC`].

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::thread::JoinHandle;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::inputs::{InputEnv, Running, reason};
use crate::message::json::Json;
use crate::message::{Builder, FlowControl, Labels, Sender, Vars};
use crate::ratelimit::{self, Limiter, Policy};
use crate::stats::{self, Counter};
use crate::sync::lock;
use crate::sys::{clock, process};

/// TAG of all messages.
const TAG: &[u8] = b"kernel:";
/// Milliseconds until it is looked again for more of a file.
const LOOK_MSEC: u16 = 500;

/// How what is read becomes messages.
pub(super) trait Format: Send + 'static {
    /// Where the next bytes go; not empty.
    fn room(&mut self) -> &mut [u8];
    /// There are `count` more; `now` is the time, microseconds since the epoch.
    fn take(&mut self, count: usize, now: i64, outlet: &mut Outlet);
    /// There are no more for now, or the log is at its `end`.
    fn pause(&mut self, end: bool, now: i64, outlet: &mut Outlet);
}

/// The log, open, and where its messages go.
pub(super) struct Reader<F> {
    pub(super) module: &'static str,
    pub(super) file: File,
    pub(super) format: F,
    pub(super) outlet: Outlet,
}

/// Where messages go.
pub(super) struct Outlet {
    module: &'static str,
    env: InputEnv,
    builder: Builder,
    sender: Arc<Sender>,
    rate: Option<Limiter>,
    counters: Counters,
}

/// The counters of a module.
#[derive(Clone, Default)]
pub(super) struct Counters {
    submitted: Arc<Counter>,
    received: Arc<Counter>,
    /// What is no message, or of a facility that is not wanted.
    discarded: Arc<Counter>,
    limits: ratelimit::Counters,
}

impl Counters {
    /// Registers them; `discarded` is the name for what is left out.
    pub(super) fn new(module: &'static str, discarded: &'static str, stats: &stats::Set) -> Self {
        let mut object = stats::Object::new(module, module);
        let counters = Self {
            submitted: object.counter("submitted"),
            received: object.counter("msgs.received"),
            discarded: object.counter(discarded),
            limits: ratelimit::Counters::new(&mut object),
        };
        stats.add(object);
        counters
    }
}

impl Outlet {
    pub(super) fn new(
        module: &'static str,
        env: &InputEnv,
        policy: Arc<Policy>,
        counters: Counters,
    ) -> Self {
        let limits = counters.limits.clone();
        Self {
            module,
            builder: Builder::new(Arc::clone(&env.pool)),
            sender: sender(module, env),
            rate: Limiter::new(&env.limits, policy, module.to_owned(), &env.parsers, limits),
            env: env.clone(),
            counters,
        }
    }

    /// Adds a message.
    pub(super) fn push(&mut self, text: &[u8], pri: u8, time: i64, variables: Option<Json>) {
        self.counters.received.add(1);
        if self.builder.is_full() {
            self.submit();
        }
        if self.builder.is_empty() && *self.sender.fromhost() != **lock(&self.env.hostname) {
            self.sender = sender(self.module, &self.env); // a HUP has found another name
        }
        self.builder.push_own((text, TAG), pri, time, &self.sender);
        if let Some(variables) = variables {
            self.builder.set_vars(Vars::of_message(variables));
        }
    }

    /// Leaves one out.
    pub(super) fn discard(&mut self) {
        self.counters.received.add(1);
        self.counters.discarded.add(1);
    }

    fn submit(&mut self) {
        if self.builder.is_empty() {
            return;
        }
        let mut batch = self.builder.seal();
        if let Some(rate) = &self.rate {
            rate.apply(&mut batch);
        }
        self.hand_on(batch);
    }

    fn hand_on(&self, batch: crate::message::Batch) {
        self.counters.submitted.add(batch.len() as u64);
        if !batch.is_empty() {
            self.env.submit.submit(batch, FlowControl::Light);
        }
    }
}

fn sender(module: &str, env: &InputEnv) -> Arc<Sender> {
    let labels = Labels::syslog("kernel");
    let input = crate::inputs::labelled(module.as_bytes(), None, true, labels);
    Arc::new(Sender::local(input, &lock(&env.hostname)))
}

impl<F: Format> Reader<F> {
    /// Starts the thread.
    ///
    /// # Errors
    /// When it cannot be had.
    pub(super) fn start(self) -> io::Result<Thread> {
        let stop = Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC)?);
        let name = format!("in:{}", self.module);
        let event = Arc::clone(&stop);
        let thread = process::spawn(&name, move || self.run(&event))?;
        Ok(Thread { stop, thread })
    }

    fn run(mut self, stop: &EventFd) {
        let mut wait = Wait::No;
        while !self.is_stopped(stop, wait) {
            wait = Wait::No;
            let read = self.file.read(self.format.room());
            let now = clock::now_usec();
            match read {
                Ok(0) => {
                    self.format.pause(true, now, &mut self.outlet);
                    self.outlet.submit();
                    wait = Wait::Time;
                }
                Ok(count) => self.format.take(count, now, &mut self.outlet),
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => {
                    self.format.pause(false, now, &mut self.outlet);
                    self.outlet.submit();
                    wait = Wait::More;
                }
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                // Of /dev/kmsg: what came next is gone.
                Err(why) if why.kind() == io::ErrorKind::BrokenPipe => {
                    let text = "some messages in circular buffer got overwritten";
                    log::warn!(code = 0, kernel = true; "{}: {text}", self.module);
                }
                Err(why) => {
                    let (module, why) = (self.module, reason(&why));
                    let text = format!("{module}: error reading kernel log - shutting down: {why}");
                    log::error!(code = 0, kernel = true; "{text}");
                    break;
                }
            }
        }
        self.format.pause(true, clock::now_usec(), &mut self.outlet);
        self.outlet.submit();
        if let Some(batch) = self.outlet.rate.as_ref().and_then(Limiter::finish) {
            self.outlet.hand_on(batch);
        }
    }

    /// Waits as it is told; whether the end has come.
    fn is_stopped(&self, stop: &EventFd, wait: Wait) -> bool {
        let event = PollFd::new(stop.as_fd(), PollFlags::POLLIN);
        let mut fds = [event, PollFd::new(self.file.as_fd(), PollFlags::POLLIN)];
        // An interrupted wait is followed by another one.
        let _ = match wait {
            Wait::No => poll(&mut fds[..1], PollTimeout::ZERO),
            Wait::More => poll(&mut fds, PollTimeout::NONE),
            Wait::Time => poll(&mut fds[..1], LOOK_MSEC),
        };
        fds.first().is_some_and(|event| event.any().unwrap_or(false))
    }
}

/// What is waited for before the next read.
#[derive(Clone, Copy, Debug)]
enum Wait {
    /// Nothing.
    No,
    /// More of the log.
    More,
    /// The time to look again.
    Time,
}

/// The running thread.
pub(super) struct Thread {
    stop: Arc<EventFd>,
    thread: JoinHandle<()>,
}

impl Running for Thread {
    fn stop(&self) {
        // Fails only when the counter would overflow, and then the event is raised already.
        let _ = self.stop.write(1);
    }

    fn join(self: Box<Self>) {
        // The release build aborts on panic; in a test build the panic has been printed.
        let _ = self.thread.join();
    }
}

/// A module that has nothing to read.
pub(super) struct Nothing;

impl Running for Nothing {
    fn stop(&self) {}
    fn join(self: Box<Self>) {}
}

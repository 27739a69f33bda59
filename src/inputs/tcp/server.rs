//! One `input()` statement at work: its sockets, its poller thread, its pool.
//!
//! The poller thread accepts connections and hands sessions with input to the workers; with
//! `workerThreads="1"` it is the only thread and takes the turns itself, by the same code. Accepting stays
//! with the poller because workers may be held up by a full queue.
//!
//! The end: the poller is woken, closes the listeners, lets the workers run out, reads every session once
//! more, and ends their streams as if the peers had closed them.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};

use super::parameters::{Conf, KeepAlive};
use super::session::{Session, Tally};
use super::worker::{Boxed, EPOLL_CTL, Worker};
use crate::inputs::{InputEnv, info};
use crate::limits;
use crate::message::{InputInfo, Sender};
use crate::net::listener;
use crate::net::poller::{Buffer, Event, Poller};
use crate::net::ready::Ready;
use crate::net::report::Limiter;
use crate::net::transport::Transport;
use crate::param::Problem;
use crate::stats::{Counter, Object};
use crate::sys::{clock, process};

/// A configured input, before its threads run.
pub(super) struct Server {
    pub(super) conf: Conf,
    env: InputEnv,
    listeners: Vec<TcpListener>,
}

impl Server {
    pub(super) fn new(conf: Conf, env: InputEnv) -> Self {
        Self { conf, env, listeners: Vec::new() }
    }

    /// Binds the sockets; none if there was a problem that forbids it.
    pub(super) fn open(&mut self) -> Vec<Problem> {
        let spec = listener::Spec {
            address: self.conf.address.as_deref(),
            port: &self.conf.port,
            family: self.env.ip_protocol,
            backlog: self.conf.backlog,
            sockets: self.conf.max_listeners,
            port_file: self.conf.port_file.as_deref(),
        };
        match listener::open(&spec) {
            Ok((listeners, problems)) => {
                self.listeners = listeners;
                problems
            }
            Err(problems) => problems,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        !self.listeners.is_empty()
    }

    /// Starts the threads.
    pub(super) fn start(self) -> io::Result<Running> {
        let Self { conf, env, listeners } = self;
        let shared = Arc::new(Shared {
            poller: Poller::new()?,
            ready: Ready::new(conf.max_sessions),
            limiter: Limiter::default(),
            info: info(conf.name.as_bytes(), conf.default_tz, conf.preserve_case),
            cells: Cells::new(&conf, &env),
            conf,
            env,
        });
        for (number, listener) in (0..).zip(&listeners) {
            shared.poller.add_listener(listener, number)?;
        }
        let (pool, accepts) = Pool::start(&shared)?;
        let listeners = listeners.into_iter().map(|l| (l, None)).collect();
        let thread = PollerThread { shared: Arc::clone(&shared), listeners, pool, accepts };
        let thread = process::spawn("in:imtcp", move || thread.run())?;
        Ok(Running { shared, thread })
    }
}

/// What the threads of an input have in common.
pub(super) struct Shared {
    pub(super) conf: Conf,
    pub(super) env: InputEnv,
    pub(super) poller: Poller,
    pub(super) ready: Ready<Boxed>,
    pub(super) limiter: Limiter,
    pub(super) cells: Cells,
    info: Arc<InputInfo>,
}

/// A started input.
pub(super) struct Running {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

impl Running {
    pub(super) fn stop(&self) {
        self.shared.poller.wake();
    }

    pub(super) fn join(self) {
        if self.thread.join().is_err() {
            log::error!("imtcp: the listener thread of input '{}' panicked", self.shared.conf.name);
        }
    }
}

/// Who takes the turns of sessions.
enum Pool {
    /// The poller thread itself.
    Inline(Box<Worker>),
    /// These threads.
    Threads(Vec<JoinHandle<()>>),
}

impl Pool {
    /// Starts the workers; the counter is for the poller's accepts.
    fn start(shared: &Arc<Shared>) -> io::Result<(Self, Option<Arc<Counter>>)> {
        if shared.conf.workers <= 1 {
            let worker = Worker::new(Arc::clone(shared), None);
            return Ok((Self::Inline(Box::new(worker)), None));
        }
        let mut threads = Vec::new();
        let mut accepts = None;
        for number in 0..shared.conf.workers {
            let (cells, accept) = WorkerCells::new(number, shared);
            accepts.get_or_insert(accept);
            let worker = Worker::new(Arc::clone(shared), Some(cells));
            match process::spawn(&format!("w{number}/imtcp"), move || worker.run()) {
                Ok(thread) => threads.push(thread),
                Err(why) => {
                    shared.ready.stop();
                    join_all(threads);
                    return Err(why);
                }
            }
        }
        Ok((Self::Threads(threads), accepts))
    }
}

fn join_all(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        if thread.join().is_err() {
            log::error!("imtcp: a worker thread panicked");
        }
    }
}

/// The thread that waits for sockets.
struct PollerThread {
    shared: Arc<Shared>,
    /// Each with the time until which it rests, if no connection could be accepted for want of resources.
    listeners: Vec<(TcpListener, Option<Instant>)>,
    pool: Pool,
    accepts: Option<Arc<Counter>>,
}

impl PollerThread {
    fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut buffer = Buffer::default();
        loop {
            let events = match shared.poller.wait(&mut buffer, self.timeout()) {
                Ok(events) => events,
                Err(why) => {
                    log::error!(
                        "imtcp: epoll_wait failed, input '{}' ends: {why}",
                        shared.conf.name
                    );
                    break;
                }
            };
            shared.ready.wake(events.clone().filter_map(|event| match event {
                Event::Session(token) => Some(token),
                Event::Woken | Event::Listener(_) => None,
            }));
            let mut woken = false;
            for event in events {
                match event {
                    Event::Woken => woken = true,
                    Event::Listener(number) => self.accept(number),
                    Event::Session(_) => {}
                }
            }
            if woken {
                break;
            }
            self.end_rests();
            if let Pool::Inline(worker) = &mut self.pool {
                worker.round();
            }
        }
        self.finish();
    }

    /// How long to wait: not at all with sessions queued for this thread, until the next rest ends otherwise.
    fn timeout(&self) -> Option<Duration> {
        if matches!(self.pool, Pool::Inline(_)) && self.shared.ready.waiting() > 0 {
            return Some(Duration::ZERO);
        }
        let next = self.listeners.iter().filter_map(|(_, rest)| *rest).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    fn finish(self) {
        let Self { shared, listeners, pool, .. } = self;
        drop(listeners);
        shared.ready.stop();
        let worker = match pool {
            Pool::Inline(worker) => *worker,
            Pool::Threads(threads) => {
                join_all(threads);
                Worker::new(Arc::clone(&shared), None)
            }
        };
        worker.finish();
        shared.limiter.finish();
    }

    /// Accepts what waits at a listener, within limits, and arms the listener again.
    fn accept(&mut self, number: u32) {
        let Some((listener, rest)) = self.listeners.get_mut(number as usize) else { return };
        let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        let mut calls = 0;
        for _ in 0..limits::ACCEPTS_PER_TURN {
            calls += 1;
            match SockRef::from(&*listener).accept4(flags) {
                Ok((socket, peer)) => {
                    let Some(peer) = peer.as_socket() else { continue };
                    self.shared.admit(socket.into(), peer, listener);
                }
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => break,
                Err(why) if lacks_resources(&why) => {
                    self.shared.cells.failed.add(1);
                    self.shared.failed_accept(&why);
                    *rest = Some(Instant::now() + Duration::from_millis(limits::ACCEPT_REST_MSEC));
                    break;
                }
                // The connection is broken already: accept(2) says to go on to the next.
                Err(why) => log::debug!("imtcp: accept: {why}"),
            }
        }
        if let Some(counter) = &self.accepts {
            counter.add(calls);
        }
        if rest.is_none() {
            self.shared.arm_listener(listener, number);
        }
    }

    /// Arms the listeners that have rested long enough.
    fn end_rests(&mut self) {
        if self.listeners.iter().all(|(_, rest)| rest.is_none()) {
            return;
        }
        let now = Instant::now();
        for (number, (listener, rest)) in (0..).zip(&mut self.listeners) {
            if rest.is_some_and(|until| until <= now) {
                *rest = None;
                self.shared.arm_listener(listener, number);
            }
        }
    }
}

/// Whether accepting has to wait until descriptors or memory are free again; the connection stays queued.
fn lacks_resources(why: &io::Error) -> bool {
    matches!(
        why.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM | libc::EPERM)
    )
}

impl Shared {
    /// Makes a session of a connection, or closes it.
    fn admit(&self, stream: TcpStream, peer: SocketAddr, listener: &TcpListener) {
        if let Some(keep_alive) = &self.conf.keep_alive {
            set_keep_alive(&stream, keep_alive);
        }
        let session = || {
            let names = self.env.names.clone();
            let sender = Arc::new(Sender::network(Arc::clone(&self.info), peer, names));
            (Transport::Plain(stream), sender)
        };
        let Some(owned) = self.ready.open(|| {
            let (transport, sender) = session();
            Box::new(Session::new(transport, sender))
        }) else {
            self.cells.rejected.add(1);
            return self.reject(peer, listener);
        };
        if let Err(why) = self.poller.add_session(&owned.session.transport, owned.token()) {
            self.cells.failed.add(1);
            self.limiter.error(
                clock::now_usec(),
                Some(EPOLL_CTL),
                format_args!("epoll_ctl failed on session with {peer}: {why}"),
            );
            drop(self.ready.close(owned));
            return;
        }
        self.cells.opened.add(1);
        self.cells.open.add(1);
        if self.conf.notify_open {
            let host = String::from_utf8_lossy(owned.session.sender.known_host());
            let (ip, port) = (peer.ip().to_canonical(), peer.port());
            log::info!("imtcp: connection established with host: {host} ({ip}:{port})");
        }
        self.ready.park(std::iter::once(owned));
    }

    #[cold]
    fn reject(&self, peer: SocketAddr, listener: &TcpListener) {
        let now = clock::now_usec();
        let text = "too many tcp sessions - dropping incoming request";
        self.limiter.error(now, Some(TOO_MANY_SESSIONS), text);
        let local = listener.local_addr().map_or_else(|_| "?".to_owned(), |a| a.to_string());
        self.limiter.error(
            now,
            Some(TOO_MANY_SESSIONS),
            format_args!(
                "tcpsrv listener (inputname: '{}') failed to process incoming connection from {peer} \
                 to {local} with error -{TOO_MANY_SESSIONS}",
                self.conf.name
            ),
        );
    }

    #[cold]
    fn failed_accept(&self, why: &io::Error) {
        self.limiter.error(
            clock::now_usec(),
            None,
            format_args!(
                "tcpsrv listener (inputname: '{}') cannot accept connections for now: {why}",
                self.conf.name
            ),
        );
    }

    fn arm_listener(&self, listener: &TcpListener, number: u32) {
        if let Err(why) = self.poller.rearm_listener(listener.as_raw_fd(), number) {
            log::error!(code = EPOLL_CTL; "epoll_ctl failed on listener {number}: {why}");
        }
    }
}

/// Return code of the error about a connection beyond `maxSessions`.
const TOO_MANY_SESSIONS: u16 = 2079;

fn set_keep_alive(stream: &TcpStream, conf: &KeepAlive) {
    let mut wanted = TcpKeepalive::new();
    if conf.time_secs > 0 {
        wanted = wanted.with_time(Duration::from_secs(conf.time_secs));
    }
    if conf.interval_secs > 0 {
        wanted = wanted.with_interval(Duration::from_secs(conf.interval_secs));
    }
    if conf.probes > 0 {
        wanted = wanted.with_retries(conf.probes);
    }
    if let Err(why) = SockRef::from(stream).set_tcp_keepalive(&wanted) {
        log::warn!("imtcp: keep-alive could not be set: {why}");
    }
}

/// The counters of an input.
pub(super) struct Cells {
    submitted: Arc<Counter>,
    bytes: Arc<Counter>,
    oversize: Arc<Counter>,
    errors: Arc<Counter>,
    opened: Arc<Counter>,
    rejected: Arc<Counter>,
    failed: Arc<Counter>,
    pub(super) closed: Arc<Counter>,
    pub(super) open: Arc<Counter>,
}

impl Cells {
    fn new(conf: &Conf, env: &InputEnv) -> Self {
        let mut object = Object::new(object_name(format!("{}({})", conf.name, conf.port)), "imtcp");
        let submitted = object.counter("submitted");
        let bytes = object.counter("bytes.received");
        // Streams are not decompressed here.
        object.counter("bytes.decompressed");
        object.counter("decompression.errors");
        let cells = Self {
            submitted,
            bytes,
            opened: object.counter("sessions.opened"),
            closed: object.counter("sessions.closed"),
            rejected: object.counter("sessions.rejected"),
            failed: object.counter("sessions.failed"),
            open: object.gauge("sessions.open"),
            oversize: object.counter("frames.oversize"),
            errors: object.counter("framing.errors"),
        };
        env.stats.add(object);
        cells
    }

    pub(super) fn add(&self, tally: &Tally) {
        self.submitted.add(tally.submitted);
        self.bytes.add(tally.bytes);
        self.oversize.add(tally.oversize);
        self.errors.add(tally.errors);
    }
}

/// The counters of one worker of a pool.
pub(super) struct WorkerCells {
    runs: Arc<Counter>,
    reads: Arc<Counter>,
    empty_reads: Arc<Counter>,
    starved: Arc<Counter>,
}

impl WorkerCells {
    /// The cells, and the one for accepts.
    fn new(number: usize, shared: &Shared) -> (Self, Arc<Counter>) {
        let name = format!("w{number}/{}", shared.conf.name);
        let mut object = Object::new(object_name(name), "imtcp");
        let cells = Self {
            runs: object.counter("runs"),
            reads: object.counter("read"),
            empty_reads: object.counter("emptyread"),
            starved: object.counter("starvation_protect"),
        };
        let accepts = object.counter("accept");
        shared.env.stats.add(object);
        (cells, accepts)
    }

    pub(super) fn add(&self, tally: &Tally) {
        self.runs.add(tally.runs);
        self.reads.add(tally.reads);
        self.empty_reads.add(tally.empty_reads);
        self.starved.add(tally.starved);
    }
}

/// The reference keeps 63 bytes of an object's name.
fn object_name(mut name: String) -> String {
    let end = (0..=63.min(name.len())).rev().find(|&end| name.is_char_boundary(end));
    name.truncate(end.unwrap_or(0));
    name
}

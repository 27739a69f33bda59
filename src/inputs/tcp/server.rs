//! One `input()` statement at work: its sockets, its poller thread, its pool.
//!
//! The poller thread accepts connections and hands sessions with input to the workers; with
//! `workerThreads="1"` it is the only thread and takes the turns itself, by the same code. Accepting stays
//! with the poller because workers may be held up by a full queue.
//!
//! The end: the poller is woken, closes the listeners, lets the workers run out, reads every session once
//! more, and ends their streams as if the peers had closed them.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use super::accept::PollerThread;
use super::budget::Budget;
use super::compressed::Windows;
use super::conf::{Conf, Framing};
use super::counters::{Cells, Tally, WorkerCells};
use super::guard::Guard;
use super::seats::Seats;
use super::session::End;
use super::worker::{Boxed, Worker};
use crate::inputs::{InputEnv, labelled};
use crate::message::InputInfo;
use crate::net::access::Access;
use crate::net::listener;
use crate::net::poller::Poller;
use crate::net::ready::{Owned, Ready};
use crate::net::report::Limiter;
use crate::net::session::Token;
use crate::param::Problem;
use crate::ratelimit;
use crate::stats::Counter;
use crate::sys::process;
use crate::tls;
use crate::tls::transport::{self, Engine};

/// A configured input, before its threads run.
pub(super) struct Server {
    pub(super) conf: Conf,
    env: InputEnv,
    listeners: Vec<TcpListener>,
    /// Who may connect; `None` is everybody.
    access: Option<Access>,
    /// Whose connections begin with a PROXY protocol header; `None` is nobody's.
    proxies: Option<Access>,
    /// TLS as configured; `None` is plain TCP.
    tls: Option<tls::Settings>,
    /// TLS with its files loaded.
    store: Option<tls::Store>,
    /// Registered when the sockets are bound, so that inputs are reported in the order of their modules.
    cells: Option<AllCells>,
}

/// The counters of an input, and with TLS those of handshakes.
type AllCells = (Cells, Option<transport::Cells>);

impl Server {
    pub(super) fn new(
        conf: Conf,
        env: InputEnv,
        tls: Option<tls::Settings>,
        access: Option<Access>,
    ) -> Self {
        let (listeners, proxies) = (Vec::new(), None);
        Self { conf, env, listeners, access, proxies, tls, store: None, cells: None }
    }

    /// Loads certificates and binds the sockets; none if there was a problem that forbids it.
    pub(super) fn open(&mut self) -> Vec<Problem> {
        let spec = listener::Spec {
            address: self.conf.address.as_deref(),
            port: &self.conf.port,
            family: self.env.ip_protocol,
            backlog: self.conf.backlog,
            sockets: self.conf.max_listeners,
            namespace: self.conf.namespace.as_deref(),
            port_file: self.conf.port_file.as_deref(),
        };
        if let Some(settings) = self.tls.take() {
            match tls::Store::open(settings, &self.conf.name) {
                Ok(store) => self.store = Some(store),
                Err(problem) => {
                    let ignored = Problem { code: problem.code, ..listener::not_created(&spec) };
                    return vec![problem, ignored];
                }
            }
        }
        match listener::open(&spec) {
            Ok((listeners, mut problems)) => {
                if !listeners.is_empty() {
                    self.cells = Some(Cells::new(&self.conf, &self.env.stats, self.store.as_ref()));
                }
                self.listeners = listeners;
                let list = self.conf.proxies.as_ref();
                self.proxies = list.map(|list| Access::new(list, self.env.access, &mut problems));
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
        let Self { conf, env, listeners, access, proxies, store, cells, .. } = self;
        let cells = cells.unwrap_or_else(|| Cells::new(&conf, &env.stats, store.as_ref()));
        let shared = Arc::new(Shared::new(conf, env, (access, proxies), store, cells)?);
        for (number, listener) in (0..).zip(&listeners) {
            shared.poller.add_listener(listener, number)?;
        }
        let (pool, accepts) = Pool::start(&shared)?;
        let name = format!("in:{}", shared.conf.module);
        let thread = PollerThread::new(Arc::clone(&shared), listeners, pool, accepts);
        let thread = process::spawn(&name, move || thread.run())
            // The workers end by themselves.
            .inspect_err(|_| shared.ready.stop())?;
        Ok(Running { shared, thread })
    }
}

/// What the threads of an input have in common.
pub(super) struct Shared {
    pub(super) conf: Conf,
    pub(super) env: InputEnv,
    pub(super) poller: Poller,
    pub(super) ready: Ready<Boxed>,
    pub(super) limiter: Arc<Limiter>,
    pub(super) guard: Option<Arc<Guard>>,
    pub(super) proxies: Option<Access>,
    pub(super) seats: Arc<Seats>,
    pub(super) cells: Cells,
    /// How many messages are taken; `None` is all.
    pub(super) rate: Option<ratelimit::Limiter>,
    pub(super) budget: Budget,
    /// When the input was started: the times of sessions count from it.
    started: Instant,
    /// Memory of compressed streams.
    pub(super) windows: Arc<Windows>,
    /// What TLS sessions are made with; `None` is plain TCP.
    pub(super) tls: Option<Arc<Engine>>,
    /// What all senders of the input have in common.
    pub(super) info: Arc<InputInfo>,
}

impl Shared {
    pub(super) fn new(
        conf: Conf,
        env: InputEnv,
        (access, proxies): (Option<Access>, Option<Access>),
        store: Option<tls::Store>,
        (cells, handshakes): AllCells,
    ) -> io::Result<Self> {
        let limiter = Arc::<Limiter>::default();
        let tls = store
            .zip(handshakes)
            .map(|(store, cells)| Arc::new(Engine::new(store, cells, Arc::clone(&limiter))));
        let guard = access.map(|list| {
            let (limiter, refused) = (Arc::clone(&limiter), Arc::clone(&cells.refused));
            Arc::new(Guard { list, reports: env.access.report, limiter, refused })
        });
        let (policy, name) = (Arc::clone(&conf.rate), "tcpsrv".to_owned());
        let rate =
            ratelimit::Limiter::new(&env.limits, policy, name, &env.parsers, cells.limits.clone());
        let message_bytes = match &conf.framing {
            Framing::Raw(options) => options.message_bytes,
            _ => 0,
        };
        let budget = Budget::new(conf.budget, message_bytes, Arc::clone(&cells.memory));
        Ok(Self {
            poller: Poller::new()?,
            rate,
            ready: Ready::new(conf.max_sessions),
            limiter,
            guard,
            proxies,
            seats: Arc::default(),
            info: labelled(
                conf.name.as_bytes(),
                conf.default_tz,
                conf.preserve_case,
                conf.labels.clone(),
            ),
            budget,
            started: Instant::now(),
            windows: Arc::default(),
            cells,
            tls,
            conf,
            env,
        })
    }

    /// Closes a session that its transport never let in: nothing of it was or will be read.
    pub(super) fn close_refused(&self, owned: Owned<Boxed>, end: &End) {
        owned.session.report_end(self, end, &mut Tally::default());
        // The slot is free before the socket closes, for a peer that connects again.
        drop(self.ready.close(owned));
        self.cells.closed.add(1);
        self.cells.open.sub(1);
    }
}

impl Shared {
    /// Milliseconds since the input was started.
    pub(super) fn uptime_msec(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Lets sessions go on that wait for memory.
    pub(super) fn resume(&self, sessions: &[Token]) {
        self.ready.wake(sessions.iter().copied());
        if self.conf.workers <= 1 {
            // The poller thread is the worker.
            self.poller.wake();
        }
    }
}

/// A started input.
pub(super) struct Running {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

impl Running {
    pub(super) fn stop(&self) {
        self.shared.ready.stop();
        self.shared.poller.wake();
    }

    /// Reads certificates and keys again.
    pub(super) fn hup(&self) {
        let Some(engine) = &self.shared.tls else { return };
        let Conf { module, name, .. } = &self.shared.conf;
        match engine.reload() {
            Ok(()) => {
                self.shared.cells.renewed(engine.store());
                log::debug!("{module}: input '{name}' has read its certificates again");
            }
            Err(problem) => {
                let text = &problem.text;
                log::error!(
                    code = problem.code.unwrap_or_default();
                    "{module}: input '{name}' goes on with the certificates it had: {text}"
                );
            }
        }
    }

    pub(super) fn join(self) {
        if self.thread.join().is_err() {
            let conf = &self.shared.conf;
            log::error!("{}: the listener thread of input '{}' panicked", conf.module, conf.name);
        }
    }
}

/// Who takes the turns of sessions.
pub(super) enum Pool {
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
            let (cells, accept) = WorkerCells::new(number, &shared.conf, &shared.env.stats);
            accepts.get_or_insert(accept);
            let worker = Worker::new(Arc::clone(shared), Some(cells));
            match process::spawn(&format!("w{number}/{}", shared.conf.module), move || worker.run())
            {
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

pub(super) fn join_all(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        if thread.join().is_err() {
            log::error!("a worker thread of a TCP input panicked");
        }
    }
}

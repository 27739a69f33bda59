//! The poller thread: hands sessions with input to the workers, and accepts connections.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};

use super::conf::{Excess, KeepAlive};
use super::counters::Tally;
use super::guard::{NOT_PERMITTED, TurnedAway};
use super::handshakes::Handshakes;
use super::server::{Pool, Shared, join_all};
use super::session::{End, Session};
use super::worker::{Boxed, EPOLL_CTL, Worker};
use crate::limits;
use crate::net::access::Verdict;
use crate::net::poller::{Buffer, Event};
use crate::net::ready::Owned;
use crate::net::transport::Transport;
use crate::stats::Counter;
use crate::sys::clock;
use crate::tls;

/// The thread that waits for sockets.
pub(super) struct PollerThread {
    shared: Arc<Shared>,
    listeners: Vec<Listener>,
    pool: Pool,
    /// Counts calls of accept; none without a pool.
    accepts: Option<Arc<Counter>>,
    /// When silent peers are looked for next.
    next_look: Option<Instant>,
    handshakes: Handshakes,
}

struct Listener {
    socket: TcpListener,
    /// Until when it is left alone, after a connection could not be accepted for want of resources.
    rests_until: Option<Instant>,
    /// Whether it is left alone until a session closes.
    waits_for_room: bool,
}

impl PollerThread {
    pub(super) fn new(
        shared: Arc<Shared>,
        sockets: Vec<TcpListener>,
        pool: Pool,
        accepts: Option<Arc<Counter>>,
    ) -> Self {
        let awake = |socket| Listener { socket, rests_until: None, waits_for_room: false };
        let listeners = sockets.into_iter().map(awake).collect();
        let next_look = look_interval(&shared).map(|pause| Instant::now() + pause);
        let patience = shared.tls.as_ref().map_or(Duration::MAX, |engine| engine.patience());
        let handshakes = Handshakes::new(patience);
        Self { shared, listeners, pool, accepts, next_look, handshakes }
    }

    /// The life of the thread.
    pub(super) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut buffer = Buffer::default();
        loop {
            let look = self.look();
            let events = match shared.poller.wait(&mut buffer, self.timeout()) {
                Ok(events) => events,
                Err(why) => {
                    log::error!(
                        "{}: epoll_wait failed, input '{}' ends: {why}",
                        shared.conf.module,
                        shared.conf.name
                    );
                    break;
                }
            };
            // With as many events as fit there may be more: the look is put off.
            let look = look.filter(|_| events.clone().count() < limits::POLL_EVENTS);
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
                if shared.ready.is_stopping() {
                    break;
                }
                shared.poller.clear();
                self.make_room();
            }
            self.end_rests();
            if let Some(now) = look {
                self.close_silent(now);
            }
            self.handshakes.expire(&shared);
            if let Pool::Inline(worker) = &mut self.pool {
                worker.round();
            }
        }
        self.finish();
    }

    /// How long to wait: not at all with sessions queued for this thread, otherwise until the next rest ends or the
    /// next handshake has taken too long.
    fn timeout(&self) -> Option<Duration> {
        if matches!(self.pool, Pool::Inline(_)) && self.shared.ready.waiting() > 0 {
            return Some(Duration::ZERO);
        }
        let rests = self.listeners.iter().filter_map(|listener| listener.rests_until);
        let next = rests.chain(self.next_look).chain(self.handshakes.deadline()).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// The order of the end: no new connections, no more work, no workers, the last bytes.
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
        let Some(listener) = self.listeners.get_mut(number as usize) else { return };
        let mut calls = 0;
        let mut rest = false;
        for _ in 0..limits::ACCEPTS_PER_TURN {
            if self.shared.conf.excess == Excess::Wait && !self.shared.ready.has_room() {
                listener.waits_for_room = true;
                break;
            }
            let is_full = self.shared.tls.as_ref().is_some_and(|engine| engine.is_full());
            if is_full && !self.handshakes.make_room(&self.shared) {
                rest = true;
                break;
            }
            calls += 1;
            let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
            match SockRef::from(&listener.socket).accept4(flags) {
                Ok((socket, peer)) => {
                    if let Some(peer) = peer.as_socket() {
                        let handshakes = &mut self.handshakes;
                        self.shared.admit(socket.into(), peer, &listener.socket, handshakes);
                    }
                }
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => break,
                Err(why) if concerns_connection(&why) => log::debug!("accept: {why}"),
                Err(why) => {
                    self.shared.report_failed_accept(&why);
                    rest = true;
                    break;
                }
            }
        }
        if let Some(counter) = &self.accepts {
            counter.add(calls);
        }
        if rest {
            let pause = Duration::from_millis(limits::ACCEPT_REST_MSEC);
            listener.rests_until = Some(Instant::now() + pause);
        } else if !listener.waits_for_room {
            self.shared.arm_listener(&listener.socket, number);
        }
    }

    /// A session has closed: arms the listeners that wait for that.
    fn make_room(&mut self) {
        for (number, listener) in (0..).zip(&mut self.listeners) {
            if std::mem::take(&mut listener.waits_for_room) {
                self.shared.arm_listener(&listener.socket, number);
            }
        }
    }

    /// If it is time to look for silent peers: what time it is, before the events are waited for. So whoever has sent
    /// something in time is among them, however long this thread had to wait for its turn.
    fn look(&self) -> Option<u64> {
        let is_due = self.next_look.is_some_and(|at| at <= Instant::now());
        is_due.then(|| self.shared.uptime_msec())
    }

    /// Closes sessions whose peers took too long, without what they hold of an unfinished message.
    fn close_silent(&mut self, now: u64) {
        let shared = &self.shared;
        self.next_look = look_interval(shared).map(|pause| Instant::now() + pause);
        let limit = shared.conf.timeout.map_or(0, |timeout| timeout.as_millis());
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        let others_wait = shared.budget.has_waiting();
        for owned in shared.ready.pick(|session| session.is_too_slow(now, limit, others_wait)) {
            shared.time_out(owned);
        }
        if shared.conf.excess == Excess::Wait && shared.ready.has_made_room() {
            self.make_room();
        }
    }

    /// Arms the listeners that have rested long enough.
    fn end_rests(&mut self) {
        for (number, listener) in (0..).zip(&mut self.listeners) {
            if listener.rests_until.is_some_and(|until| until <= Instant::now()) {
                listener.rests_until = None;
                self.shared.arm_listener(&listener.socket, number);
            }
        }
    }
}

/// Whether an error of accept(2) is about one connection, so that the next one may be fine: "Linux accept()
/// passes already-pending network errors on the new socket as an error code". All others, such as EMFILE,
/// would come again at once, so the listener rests; its connections wait in the kernel meanwhile.
fn concerns_connection(why: &io::Error) -> bool {
    matches!(
        why.raw_os_error(),
        Some(
            libc::EINTR
                | libc::ECONNABORTED
                | libc::EPERM
                | libc::EPROTO
                | libc::ENOPROTOOPT
                | libc::EOPNOTSUPP
                | libc::ENETDOWN
                | libc::ENETUNREACH
                | libc::ENONET
                | libc::EHOSTDOWN
                | libc::EHOSTUNREACH
                | libc::ETIMEDOUT
        )
    )
}

/// How often silent peers are looked for: late by a tenth of what they are allowed at most.
fn look_interval(shared: &Shared) -> Option<Duration> {
    let timeout = shared.conf.timeout?;
    Some((timeout / 10).clamp(limits::SILENCE_LOOK_MIN, limits::SILENCE_LOOK_MAX))
}

impl Shared {
    /// Closes a session whose peer was silent for too long.
    fn time_out(&self, mut owned: Owned<Boxed>) {
        if !self.conf.is_raw() {
            // A line without its end is a message: a worker makes it one.
            owned.session.is_timed_out = true;
            return self.ready.requeue(std::iter::once(owned));
        }
        let mut tally = Tally::default();
        let mut session = self.ready.close(owned);
        session.drop_unfinished(&mut tally);
        session.report_end(self, &End::TimedOut, &mut tally);
        self.cells.add(&tally);
        self.cells.timed_out.add(1);
        self.cells.closed.add(1);
        self.cells.open.sub(1);
    }

    /// What a session receives by; `None` where it cannot be had.
    fn transport(&self, stream: TcpStream, peer: SocketAddr) -> Option<Transport> {
        let Some(engine) = &self.tls else { return Some(Transport::Plain(stream)) };
        match tls::transport::Server::accept(engine, stream, peer) {
            Ok(server) => Some(Transport::Layered(Box::new(server))),
            Err(why) => {
                self.cells.failed.add(1);
                let text = format_args!("imtcp: no TLS session with {peer} to be had: {why}");
                self.limiter.error(clock::now_usec(), None, text);
                None
            }
        }
    }

    /// Makes a session of a connection, or closes it.
    fn admit(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        listener: &TcpListener,
        handshakes: &mut Handshakes,
    ) {
        if let Some(keep_alive) = &self.conf.keep_alive {
            set_keep_alive(&stream, keep_alive);
        }
        let proxies = self.proxies.as_ref();
        let is_proxy = proxies.is_some_and(|list| list.check(peer.ip()) == Verdict::Allowed);
        // Of a balancer's connection, the peer that it names is looked at, once it has done so.
        let introduced =
            if is_proxy { Ok((Arc::new(self.sender(peer)), None)) } else { self.introduce(peer) };
        let (sender, seat) = match introduced {
            Ok(introduced) => introduced,
            Err(why) => return self.report_turned_away(why, peer, listener),
        };
        let Some(transport) = self.transport(stream, peer) else { return };
        // A peer that only waits in the midst of its handshake is no reason to turn another away.
        if self.tls.is_some() && self.ready.open_count() >= self.conf.max_sessions {
            handshakes.make_room(self);
        }
        let session = || {
            let mut session = Session::new(&self.conf, &self.windows, transport, sender);
            session.seat = seat;
            session.preamble = is_proxy.then(Box::default);
            session.waits_since = self.conf.timeout.map(|_| self.uptime_msec());
            Box::new(session)
        };
        let Some(mut owned) = self.ready.open(session) else {
            self.cells.rejected.add(1);
            return self.report_rejected(peer, listener);
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
            let sender = &owned.session.sender;
            let text = |bytes| String::from_utf8_lossy(bytes);
            let (host, ip) = (text(sender.known_host()), text(&sender.ip));
            let port = peer.port();
            log::info!("imtcp: connection established with host: {host} ({ip}:{port})");
        }
        if self.tls.is_some() {
            handshakes.push(owned.token());
        }
        if owned.session.sender.has_gate() {
            // Its name decides: a worker asks for that now, not when the peer says something.
            owned.session.is_unheard = true;
            self.ready.requeue(std::iter::once(owned));
        } else {
            self.ready.park(std::iter::once(owned));
        }
    }

    #[cold]
    fn report_rejected(&self, peer: SocketAddr, listener: &TcpListener) {
        let now = clock::now_usec();
        let text = "too many tcp sessions - dropping incoming request";
        self.limiter.error(now, Some(TOO_MANY_SESSIONS), text);
        self.report_listener(now, TOO_MANY_SESSIONS, peer, listener);
    }

    #[cold]
    fn report_turned_away(&self, why: TurnedAway, peer: SocketAddr, listener: &TcpListener) {
        let code = match why {
            TurnedAway::Refused => NOT_PERMITTED,
            TurnedAway::Crowded => TOO_MANY_SESSIONS,
        };
        if why == TurnedAway::Crowded || self.guard.as_ref().is_some_and(|guard| guard.reports) {
            self.report_listener(clock::now_usec(), code, peer, listener);
        }
    }

    fn report_listener(&self, now: i64, code: u16, peer: SocketAddr, listener: &TcpListener) {
        let name = &self.conf.name;
        let local = listener.local_addr().map_or_else(|_| "?".to_owned(), |a| a.to_string());
        self.limiter.error(
            now,
            Some(code),
            format_args!(
                "tcpsrv listener (inputname: '{name}') failed to process incoming connection from \
                 {peer} to {local} with error -{code}"
            ),
        );
    }

    #[cold]
    fn report_failed_accept(&self, why: &io::Error) {
        self.cells.failed.add(1);
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
        log::warn!("keep-alive of a TCP session could not be set: {why}");
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::OwnedFd;

    use super::super::counters::Cells;
    use super::super::tests::{Collector, arguments, environment};
    use super::super::{Conf, KIND};
    use super::*;
    use crate::param::{Args, Value};

    #[test]
    fn a_connection_that_epoll_refuses_leaves_nothing_behind() {
        let env = environment(&Arc::new(Collector::default()), 8096);
        let module = Args::defaults(&[KIND.module.module_params]);
        let mut args = arguments(&[("maxSessions", Value::Int(1))]);
        args.set("port", Value::Str(b"1".to_vec()));
        let (conf, _) =
            Conf::new(&module, &args, (8096, &crate::ratelimit::Kit::default())).unwrap();
        let cells = Cells::new(&conf, &env.stats, None);
        let shared = Shared::new(conf, env, (None, None), None, cells).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = listener.local_addr().unwrap();
        // What is no socket cannot be watched.
        let refused = || TcpStream::from(OwnedFd::from(File::open("/dev/null").unwrap()));
        let handshakes = &mut Handshakes::new(Duration::MAX);
        for _ in 0..3 {
            shared.admit(refused(), peer, &listener, handshakes);
            assert_eq!(shared.ready.open_count(), 0);
        }
        assert_eq!((shared.cells.failed.get(), shared.cells.opened.get()), (3, 0));
        let accepted = TcpStream::connect(peer).unwrap();
        shared.admit(accepted, peer, &listener, handshakes);
        assert_eq!((shared.ready.open_count(), shared.cells.open.get()), (1, 1));
        shared.admit(TcpStream::connect(peer).unwrap(), peer, &listener, handshakes);
        assert_eq!((shared.ready.open_count(), shared.cells.rejected.get()), (1, 1));
    }

    #[test]
    fn keep_alive_is_set_where_it_is_configured() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let socket = SockRef::from(&stream);
        let system = socket.tcp_keepalive_retries().unwrap();
        let conf = KeepAlive { probes: 0, time_secs: 77, interval_secs: 5 };
        set_keep_alive(&stream, &conf);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(77));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(5));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), system);
        set_keep_alive(&stream, &KeepAlive { probes: 3, ..conf });
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
    }

    #[test]
    fn only_errors_of_one_connection_let_the_listener_go_on() {
        for (errno, one) in [
            (libc::ECONNABORTED, true),
            (libc::EPERM, true),
            (libc::EMFILE, false),
            (libc::ENFILE, false),
            (libc::ENOBUFS, false),
            (libc::ENOMEM, false),
            (libc::EBADF, false),
        ] {
            assert_eq!(concerns_connection(&io::Error::from_raw_os_error(errno)), one, "{errno}");
        }
    }
}

//! A TLS connection that a peer has opened to us: handshake, judgement, reading. A state machine that never waits.
//!
//! ```text
//! opening ──handshake complete and the verdict is good──► open ──► (dropped: says goodbye)
//!    │  └──and revocation is to be asked about──► checking ──► open
//!    └──handshake failed, verdict bad, revoked, too late──► shut
//! ```
//! With TLS 1.3 the session ticket is not sent behind the handshake, as is usual, but in answer to the peer's goodbye:
//! a client that only writes never reads it, and when it closes its socket with that unread, its kernel sends RST and
//! throws away what it has not sent yet.
//!
//! Only `open` is ever read from, and the arrow to it passes the verdict: whatever a peer sends, in whatever pieces,
//! before it is let in stays in OpenSSL.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use openssl::error::ErrorStack;
use openssl::ssl::{Error, ErrorCode, ShutdownState, Ssl, SslStream};
use openssl::x509::X509VerifyResult;

use super::context::{Store, reason, stack};
use super::revocation::{self, Checker, Inquiry, Reason};
use super::settings::{Driver, Settings};
use super::verdict;
use crate::net::report::Limiter;
use crate::net::transport::{Interest, Layer, Received, Refusal};
use crate::param::Problem;
use crate::stats::{Counter, Object};
use crate::sys::{clock, tls};

/// What the connections of one input have in common.
#[derive(Debug)]
pub struct Engine {
    /// Certificates and rules.
    store: Store,
    /// What is counted.
    cells: Cells,
    /// For lines about peers that are let in all the same.
    limiter: Arc<Limiter>,
    /// Who finds out whether a certificate has been revoked, where that is wanted.
    checker: Option<Checker>,
}

impl Engine {
    /// What connections are made with.
    #[must_use]
    pub fn new(store: Store, mut cells: Cells, limiter: Arc<Limiter>) -> Self {
        let checker = cells.revocation.take().map(Checker::new);
        Self { store, cells, limiter, checker }
    }

    /// Certificates and rules.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Loads all files again, for connections from now on, and forgets what was found out about certificates.
    ///
    /// # Errors
    /// As [`Store::reload`].
    pub fn reload(&self) -> Result<(), Problem> {
        if let Some(checker) = &self.checker {
            checker.forget();
        }
        self.store.reload()
    }

    /// How long a handshake may take, the peer's being let in included.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.store.settings().handshake_patience
    }

    /// Whether as many handshakes are incomplete as may be.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.cells.open.get() >= self.store.settings().handshakes_max as u64
    }
}

/// Counters of handshakes.
#[derive(Debug)]
pub struct Cells {
    ok: Arc<Counter>,
    resumed: Arc<Counter>,
    failed: Arc<Counter>,
    open: Arc<Counter>,
    revocation: Option<revocation::Cells>,
}

impl Cells {
    /// Adds the counters to an input's object.
    #[must_use]
    pub fn new(object: &mut Object, settings: &Settings) -> Self {
        Self {
            ok: object.counter("tls.handshakes.ok"),
            resumed: object.counter("tls.handshakes.resumed"),
            failed: object.counter("tls.handshakes.failed"),
            open: object.gauge("tls.handshakes.open"),
            revocation: settings.check_revocation.then(|| revocation::Cells::new(object)),
        }
    }
}

/// The server's end of a TLS connection.
#[derive(Debug)]
pub struct Server {
    stream: SslStream<Socket>,
    engine: Arc<Engine>,
    peer: SocketAddr,
    state: State,
    interest: Interest,
    /// How the stream ended, where bytes had to be handed out first.
    end: Option<Received>,
}

#[derive(Debug)]
enum State {
    Opening(Opening),
    /// The handshake is complete; the answers are on their way.
    Checking(Opening, Arc<Inquiry>),
    Open,
    Shut,
}

/// A handshake; counted as open for as long as this lives.
#[derive(Debug)]
struct Opening {
    deadline: Instant,
    gauge: Arc<Counter>,
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.gauge.sub(1);
    }
}

impl Server {
    /// Begins with a connection that was just accepted. Nothing is sent or received yet.
    ///
    /// # Errors
    /// No memory.
    pub fn accept(
        engine: &Arc<Engine>,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> Result<Self, ErrorStack> {
        let ssl = Ssl::new(&engine.store.current())?;
        let stream = SslStream::new(ssl, Socket { stream, drained: false, over: false, bytes: 0 })?;
        let gauge = Arc::clone(&engine.cells.open);
        gauge.add(1);
        let opening = Opening { deadline: Instant::now() + engine.patience(), gauge };
        Ok(Self {
            stream,
            engine: Arc::clone(engine),
            peer,
            state: State::Opening(opening),
            interest: Interest::Read,
            end: None,
        })
    }

    /// Takes the opening as far as it goes now. `None` where it has to be continued.
    fn open(&mut self) -> Option<Result<(), Refusal>> {
        let (opening, inquiry) = match &self.state {
            State::Opening(opening) => (opening, None),
            State::Checking(opening, inquiry) => (opening, Some(Arc::clone(inquiry))),
            State::Open | State::Shut => return None,
        };
        if Instant::now() >= opening.deadline {
            return Some(Err(self.too_late()));
        }
        if let Some(inquiry) = inquiry {
            return self.check(&inquiry);
        }
        match self.stream.accept() {
            Ok(()) => self.judge().map_or_else(|refusal| Some(Err(refusal)), |()| self.inquire()),
            Err(why) => match why.code() {
                ErrorCode::WANT_READ => {
                    self.interest = Interest::Read;
                    None
                }
                ErrorCode::WANT_WRITE => {
                    self.interest = Interest::Write;
                    None
                }
                _ => Some(Err(self.broken(&why))),
            },
        }
    }

    fn judge(&mut self) -> Result<(), Refusal> {
        let ip = self.peer.ip().to_canonical();
        let remark = verdict::judge(self.engine.store.settings(), self.stream.ssl(), &ip)?;
        if let Some(remark) = remark {
            self.engine.limiter.error(clock::now_usec(), None, remark);
        }
        Ok(())
    }

    /// Asks whether the certificates of a peer have been revoked that is welcome otherwise.
    fn inquire(&mut self) -> Option<Result<(), Refusal>> {
        let Some(checker) = &self.engine.checker else { return Some(Ok(())) };
        let ssl = self.stream.ssl();
        match Inquiry::begin(checker, ssl, &ssl.ssl_context().to_owned()) {
            Ok(inquiry) => self.check(&Arc::new(inquiry)),
            Err(reason) => Some(Err(self.revoked(reason))),
        }
    }

    /// Looks at what has come of that.
    fn check(&mut self, inquiry: &Arc<Inquiry>) -> Option<Result<(), Refusal>> {
        match inquiry.result() {
            Some(Ok(())) => Some(Ok(())),
            Some(Err(reason)) => Some(Err(self.revoked(reason))),
            None => {
                self.interest = Interest::Event(Arc::<Inquiry>::clone(inquiry));
                self.state = match std::mem::replace(&mut self.state, State::Shut) {
                    State::Opening(opening) => State::Checking(opening, Arc::clone(inquiry)),
                    other => other,
                };
                None
            }
        }
    }

    fn revoked(&self, (code, why): Reason) -> Refusal {
        let (ip, driver) = (self.peer.ip().to_canonical(), self.engine.store.settings().driver);
        let error = if code.is_some() { verdict::REVOKED } else { 0 };
        let mut refusal = verdict::invalid(driver, &ip, error, "revocation check failed");
        refusal.lines.insert(0, (code, why));
        refusal
    }

    fn refuse(&mut self, refusal: Refusal) -> Refusal {
        self.state = State::Shut;
        self.engine.cells.failed.add(1);
        refusal
    }

    /// Why the handshake failed.
    fn broken(&self, why: &Error) -> Refusal {
        // Who says nothing at all was only looking whether the port is open.
        if self.stream.get_ref().bytes == 0 {
            return Refusal::default();
        }
        let settings = self.engine.store.settings();
        let ssl = self.stream.ssl();
        let mut refusal = Refusal::default();
        if ssl.verify_result() != X509VerifyResult::OK {
            let ip = self.peer.ip().to_canonical();
            let (code, text) = (ssl.verify_result().as_raw(), ssl.verify_result().error_string());
            refusal = verdict::invalid(settings.driver, &ip, code, text);
        }
        let cause = match (why.code(), why.ssl_error(), why.io_error()) {
            _ if self.stream.get_ref().over => {
                "SSL_ERROR_SYSCALL: the peer closed the connection".to_owned()
            }
            (ErrorCode::SSL, Some(errors), _) => match settings.driver {
                Driver::Ossl => format!("error code: 1 (SSL_ERROR_SSL), {}", stack(errors)),
                Driver::Gtls => format!("error code: 1: {}", reason(errors)),
            },
            (_, _, Some(why)) => format!("SSL_ERROR_SYSCALL: {why}"),
            (code, ..) => format!("error code: {}", code.as_raw()),
        };
        refusal.lines.push((None, self.failed(&cause)));
        refusal
    }

    fn too_late(&self) -> Refusal {
        let seconds = self.engine.patience().as_secs();
        let cause = format!("a timeout: it was not complete within {seconds} seconds");
        Refusal { lines: vec![(None, self.failed(&cause))] }
    }

    fn failed(&self, cause: &str) -> String {
        let (ip, port) = (self.peer.ip().to_canonical(), self.peer.port());
        match self.engine.store.settings().driver {
            Driver::Ossl => format!(
                "nsd_ossl:TLS session terminated with remote client '{ip}:{port}': Handshake failed with {cause}"
            ),
            Driver::Gtls => format!(
                "nsd_gtls:TLS session terminated with remote client '{ip}:{port}': gnutls returned error on \
                 handshake: {cause}"
            ),
        }
    }

    /// Reads what one read of the socket brought.
    fn read(&mut self, buffer: &mut [u8]) -> Received {
        let mut len = 0;
        loop {
            let room = buffer.get_mut(len..).unwrap_or_default();
            if room.is_empty() {
                return Received::Bytes { len, drained: false };
            }
            match self.stream.ssl_read(room) {
                Ok(more) => len += more,
                Err(why) => return self.end_of_read(len, why),
            }
            if !tls::has_pending(self.stream.ssl()) {
                return Received::Bytes { len, drained: self.stream.get_ref().drained };
            }
        }
    }

    fn end_of_read(&mut self, len: usize, why: Error) -> Received {
        let end = match why.code() {
            ErrorCode::WANT_READ => {
                self.interest = Interest::Read;
                Received::Nothing
            }
            ErrorCode::WANT_WRITE => {
                self.interest = Interest::Write;
                Received::Nothing
            }
            ErrorCode::ZERO_RETURN => Received::Closed,
            // Without a word, as with plain TCP.
            _ if self.stream.get_ref().over => Received::Closed,
            _ => Received::Failed(match why.into_io_error() {
                Ok(why) => why,
                Err(why) => {
                    io::Error::other(why.ssl_error().map_or_else(|| why.to_string(), reason))
                }
            }),
        };
        match (len, end) {
            (0, end) => end,
            (len, Received::Nothing) => Received::Bytes { len, drained: true },
            (len, end) => {
                self.end = Some(end);
                Received::Bytes { len, drained: false }
            }
        }
    }
}

impl Layer for Server {
    fn receive(&mut self, buffer: &mut [u8]) -> Received {
        if let Some(end) = self.end.take() {
            return end;
        }
        match &self.state {
            State::Open => self.read(buffer),
            State::Shut => Received::Closed,
            State::Opening(_) | State::Checking(..) => match self.open() {
                None => Received::Nothing,
                Some(Err(refusal)) => Received::Refused(self.refuse(refusal)),
                Some(Ok(())) => {
                    self.engine.cells.ok.add(1);
                    let is_resumed = self.stream.ssl().session_reused();
                    self.engine.cells.resumed.add(u64::from(is_resumed));
                    self.state = State::Open;
                    self.interest = Interest::Read;
                    self.read(buffer)
                }
            },
        }
    }

    fn socket(&self) -> BorrowedFd<'_> {
        self.stream.get_ref().stream.as_fd()
    }

    fn interest(&self) -> Interest {
        self.interest.clone()
    }

    fn is_opening(&self) -> bool {
        matches!(self.state, State::Opening(_) | State::Checking(..))
    }

    fn expire(&mut self) -> Refusal {
        let refusal = self.too_late();
        self.refuse(refusal)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !matches!(self.state, State::Open) {
            return;
        }
        // A peer that does not read, or is gone, is not told.
        if self.engine.checker.is_none()
            && self.stream.get_shutdown().contains(ShutdownState::RECEIVED)
            && tls::new_session_ticket(self.stream.ssl())
        {
            let _ = self.stream.do_handshake();
        }
        let _ = self.stream.shutdown();
    }
}

/// The socket, and what its last read showed.
#[derive(Debug)]
struct Socket {
    stream: TcpStream,
    /// Whether it was empty after that.
    drained: bool,
    /// Whether the peer has closed its side.
    over: bool,
    /// Bytes received so far.
    bytes: u64,
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.stream.read(buffer);
        self.drained = !matches!(result, Ok(len) if len == buffer.len());
        self.over = matches!(result, Ok(0));
        self.bytes += result.as_ref().map_or(0, |len| *len as u64);
        result
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

//! TLS connections that we open to syslog servers. They wait: whoever opens one has a thread for it.
//!
//! The server is judged by the same rules as clients are ([`super::verdict`]). Where names are asked for and none are
//! permitted, the server has to have the name that it was asked for by.

use std::io::{self, Read as _, Write};
use std::net::{IpAddr, TcpStream};
use std::time::Duration;

use openssl::ssl::{ErrorCode, HandshakeError, Ssl, SslStream};
use openssl::x509::X509VerifyResult;

use super::context::{Store, reason};
use super::peer::Names;
use super::settings::{Auth, Settings};
use super::verdict;
use crate::net::transport::Refusal;
use crate::param::Problem;

/// How long the goodbye at the end of a connection may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// What connections to servers are made with.
#[derive(Debug)]
pub struct Connector {
    store: Store,
    /// The name to ask servers for; their own where there is none.
    sni: Option<String>,
}

impl Connector {
    /// Loads all files.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open(settings: Settings, sni: Option<String>) -> Result<Self, Problem> {
        Ok(Self { store: Store::client(settings)?, sni })
    }

    /// Loads all files again, for connections from now on.
    ///
    /// # Errors
    /// As [`Store::open`]; what was loaded stays.
    pub fn reload(&self) -> Result<(), Problem> {
        self.store.reload()
    }

    /// Makes TLS of a connection to `host`.
    ///
    /// # Errors
    /// Why there is none: the handshake failed or took too long, or the server is not the right one.
    pub fn connect(&self, socket: TcpStream, host: &str) -> Result<Client, String> {
        let peer = socket.peer_addr().map_or(IpAddr::from([0; 4]), |peer| peer.ip()).to_canonical();
        let failed = |why: &dyn std::fmt::Display| {
            let driver = self.store.settings().driver.name();
            format!(
                "nsd_{driver}:TLS session terminated with remote syslog server '{peer}': Handshake failed with {why}"
            )
        };
        let patience = self.store.settings().handshake_patience;
        wait(&socket, Some(patience)).map_err(|why| failed(&why))?;
        let mut ssl = Ssl::new(&self.store.current()).map_err(|why| failed(&reason(&why)))?;
        let name = self.sni.as_deref().unwrap_or(host);
        if self.sni.is_some() || name.parse::<IpAddr>().is_err() {
            ssl.set_hostname(name).map_err(|why| failed(&reason(&why)))?;
        }
        let stream = ssl.connect(socket).map_err(|why| self.broken(&why, &peer, &failed))?;
        wait(stream.get_ref(), None).map_err(|why| failed(&why))?;
        match verdict::judge(&self.settings_for(host), stream.ssl(), &peer) {
            Ok(remark) => {
                if let Some(remark) = remark {
                    log::warn!("{remark}");
                }
                Ok(Client { stream })
            }
            Err(refusal) => Err(text(&refusal)),
        }
    }

    /// Who may be at the other end.
    fn settings_for(&self, host: &str) -> Settings {
        let mut settings = self.store.settings().clone();
        if matches!(&settings.auth, Auth::Name(names) if names.is_empty()) {
            settings.auth = Auth::Name(Names::of_host(host));
        }
        settings
    }

    fn broken(
        &self,
        why: &HandshakeError<TcpStream>,
        peer: &IpAddr,
        failed: &dyn Fn(&dyn std::fmt::Display) -> String,
    ) -> String {
        let (stream, is_late) = match why {
            HandshakeError::SetupFailure(why) => return failed(&reason(why)),
            HandshakeError::Failure(stream) => (stream, false),
            HandshakeError::WouldBlock(stream) => (stream, true),
        };
        let verified = stream.ssl().verify_result();
        if verified != X509VerifyResult::OK {
            let driver = self.store.settings().driver;
            return text(&verdict::invalid(
                driver,
                peer,
                verified.as_raw(),
                verified.error_string(),
            ));
        }
        let error = stream.error();
        match (is_late, error.ssl_error(), error.io_error()) {
            (true, ..) => {
                let seconds = self.store.settings().handshake_patience.as_secs();
                failed(&format!("a timeout: it was not complete within {seconds} seconds"))
            }
            (_, Some(errors), _) => failed(&format!("error code: 1: {}", reason(errors))),
            (_, _, Some(why)) => failed(&format!("SSL_ERROR_SYSCALL: {why}")),
            _ => failed(&"SSL_ERROR_SYSCALL: the peer closed the connection"),
        }
    }
}

fn wait(socket: &TcpStream, patience: Option<Duration>) -> io::Result<()> {
    socket.set_read_timeout(patience)?;
    socket.set_write_timeout(patience)
}

fn text(refusal: &Refusal) -> String {
    refusal.lines.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("; ")
}

/// An open connection.
#[derive(Debug)]
pub struct Client {
    stream: SslStream<TcpStream>,
}

impl Client {
    /// The socket below.
    #[must_use]
    pub fn socket(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    /// Reads what the server has sent, which is of no use but may be its goodbye. Does not wait.
    ///
    /// # Errors
    /// The connection is at its end; `UnexpectedEof` where the server closed it in order.
    pub fn drain(&mut self) -> io::Result<()> {
        self.stream.get_ref().set_nonblocking(true)?;
        let mut buffer = [0; 512];
        let outcome = loop {
            match self.stream.ssl_read(&mut buffer) {
                Ok(0) => break Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(why) => {
                    break match why.code() {
                        ErrorCode::WANT_READ | ErrorCode::WANT_WRITE => Ok(()),
                        ErrorCode::ZERO_RETURN => Err(io::ErrorKind::UnexpectedEof.into()),
                        _ => Err(why
                            .into_io_error()
                            .unwrap_or_else(|_| io::ErrorKind::UnexpectedEof.into())),
                    };
                }
            }
        };
        self.stream.get_ref().set_nonblocking(false)?;
        outcome
    }
}

impl Write for Client {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Drop for Client {
    /// Says goodbye and waits for the answer: a socket that is closed with something unread in it is reset, and what
    /// was not yet sent is thrown away then.
    fn drop(&mut self) {
        if wait(self.stream.get_ref(), Some(FAREWELL)).is_ok() && self.stream.shutdown().is_ok() {
            let mut buffer = [0; 512];
            while self.stream.read(&mut buffer).is_ok_and(|bytes| bytes > 0) {}
        }
    }
}

//! A client on OpenSSL, with control over how its bytes reach the wire.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::TcpMaxSeg;
use openssl::ssl::{Ssl, SslContext, SslMethod, SslStream, SslVerifyMode, SslVersion};
use socket2::{Domain, Socket, Type};

use crate::harness::pki::Identity;
use crate::harness::send;

/// How bytes are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    /// As OpenSSL writes them.
    AsTheyCome,
    /// In segments of one byte.
    Dribbled,
    /// Kept until something has to be read: the end of the handshake and what follows it come together.
    Together,
    /// Little is read at a time, through a window that holds little: the other side cannot write all at once.
    Narrow,
}

/// Who connects, and how.
#[derive(Clone)]
pub(super) struct Client<'a> {
    pub(super) identity: Option<&'a Identity>,
    pub(super) version: SslVersion,
    pub(super) wire: Wire,
    /// What goes before the handshake.
    pub(super) header: &'a [u8],
}

impl<'a> Client<'a> {
    pub(super) fn new(identity: Option<&'a Identity>) -> Self {
        Self { identity, version: SslVersion::TLS1_3, wire: Wire::AsTheyCome, header: b"" }
    }

    pub(super) fn header(mut self, header: &'a [u8]) -> Self {
        self.header = header;
        self
    }

    pub(super) fn version(mut self, version: SslVersion) -> Self {
        self.version = version;
        self
    }

    pub(super) fn wire(mut self, wire: Wire) -> Self {
        self.wire = wire;
        self
    }

    /// What connections are made from, without a check of the server's name.
    pub(super) fn context(&self) -> SslContext {
        let mut builder = SslContext::builder(SslMethod::tls_client()).expect("context");
        builder.set_verify(SslVerifyMode::NONE);
        builder.set_min_proto_version(Some(self.version)).expect("version");
        builder.set_max_proto_version(Some(self.version)).expect("version");
        builder.set_cipher_list("DEFAULT@SECLEVEL=0").expect("ciphers");
        if let Some(identity) = self.identity {
            builder.set_certificate(&identity.certificate).expect("certificate");
            builder.set_private_key(&identity.key).expect("key");
            for certificate in &identity.chain {
                builder.add_extra_chain_cert(certificate.clone()).expect("chain");
            }
        }
        builder.build()
    }

    /// Connects and shakes hands. With TLS 1.3 the client is through before the server has judged it.
    pub(super) fn connect(&self, port: u16) -> io::Result<SslStream<Line>> {
        let ssl = Ssl::new(&self.context()).expect("session");
        let stream = if self.wire == Wire::Narrow { narrow(port) } else { send::connect(port) };
        let mut line = Line { stream, wire: self.wire, kept: Vec::new() };
        line.write_all(self.header)?;
        let mut stream = SslStream::new(ssl, line).expect("stream");
        stream.connect().map_err(io::Error::other)?;
        Ok(stream)
    }

    /// Sends one message, says goodbye, and returns when the server has closed its end: it has dealt with everything.
    pub(super) fn send(&self, port: u16, message: &str) -> io::Result<()> {
        finish(self.connect(port)?, format!("<13>{message}\n").as_bytes())
    }
}

/// Sends `bytes` and waits for the end of the connection.
pub(super) fn finish(mut stream: SslStream<Line>, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)?;
    stream.shutdown().map_err(io::Error::other)?;
    stream.get_mut().flush()?;
    let mut rest = Vec::new();
    stream.get_mut().stream.read_to_end(&mut rest).map(drop)
}

/// A connection with the smallest receive buffer that there is, and segments so small that the other side's send buffer
/// does not grow large either.
fn narrow(port: u16) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("socket");
    socket.set_recv_buffer_size(1).expect("SO_RCVBUF");
    setsockopt(&socket, TcpMaxSeg, &88).expect("TCP_MAXSEG");
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    socket.connect(&address.into()).expect("connect");
    socket.set_read_timeout(Some(Duration::from_secs(60))).expect("SO_RCVTIMEO");
    socket.into()
}

/// A socket with control over its reads and writes.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) stream: TcpStream,
    wire: Wire,
    kept: Vec<u8>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.flush()?;
        loop {
            match self.stream.read(buffer) {
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.wire {
            Wire::AsTheyCome | Wire::Narrow => return self.stream.write(bytes),
            // Without Nagle's delay each byte is a segment.
            Wire::Dribbled => bytes.chunks(1).try_for_each(|byte| self.stream.write_all(byte))?,
            Wire::Together => self.kept.extend_from_slice(bytes),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.wire == Wire::Together {
            let kept = std::mem::take(&mut self.kept);
            self.stream.write_all(&kept)?;
        }
        Ok(())
    }
}

//! One POST over HTTP/1.1, with TLS for `https://`.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};

use crate::tls::key;

/// Bytes of an answer that are read: its first line is enough.
const ANSWER_BYTES: usize = 4096;

/// `push.tls.…`
#[derive(Clone, Debug, Default)]
pub(in super::super) struct TlsFiles {
    pub(super) ca: Option<String>,
    pub(super) certificate: Option<String>,
    pub(super) key: Option<String>,
    pub(super) insecure: bool,
}

/// Where reports go.
pub(super) struct Endpoint {
    /// Host, and port where the URL has one.
    authority: String,
    host: String,
    port: u16,
    path: String,
    tls: Option<TlsFiles>,
}

impl Endpoint {
    /// The endpoint of this URL. `warn` takes what does not keep it from being used.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(super) fn new(
        url: &str,
        files: TlsFiles,
        warn: &mut dyn FnMut(String),
    ) -> Result<Self, String> {
        let wrong = || format!("impstats: push.url '{url}' is not http:// or https:// with a host");
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(wrong()),
        };
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/"),
        };
        let (host, port) = match authority.rsplit_once(':') {
            // The last colon of [::1] is none before a port.
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| wrong())?)
            }
            _ => (authority, if secure { 443 } else { 80 }),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || authority.contains('@') || url.contains(char::is_whitespace) {
            return Err(wrong());
        }
        let given = files.insecure
            || [&files.ca, &files.certificate, &files.key].iter().any(|file| file.is_some());
        if given && !secure {
            warn("impstats: push.tls.* configured but push.url is not https; TLS options will be ignored".into());
        } else if secure {
            files.check()?;
            if files.insecure {
                warn(format!(
                    "impstats: TLS verification disabled for push.url '{url}' (testing only)"
                ));
            }
        }
        Ok(Self {
            authority: authority.to_owned(),
            host: host.to_owned(),
            port,
            path: path.to_owned(),
            tls: secure.then_some(files),
        })
    }

    /// Posts a request, which takes as long as `timeout` at most, apart from asking a name server.
    ///
    /// # Errors
    /// In the reference's words: the endpoint's refusal, or what went wrong on the way.
    pub(super) fn post(&self, body: &[u8], timeout: Duration) -> Result<(), String> {
        let status = self.exchange(body, Instant::now() + timeout);
        match status.map_err(|why| format!("impstats_push: HTTP request failed: {why}"))? {
            200..=299 => Ok(()),
            status => Err(format!("impstats_push: HTTP {status} from remote endpoint")),
        }
    }

    fn exchange(&self, body: &[u8], deadline: Instant) -> io::Result<u16> {
        let socket = Timed { socket: self.connect(deadline)?, deadline };
        let Some(files) = &self.tls else { return self.send(socket, body) };
        let connector = files.connector()?;
        let connector = connector.configure().map_err(io::Error::other)?;
        let stream = connector.verify_hostname(!files.insecure).connect(&self.host, socket);
        self.send(stream.map_err(io::Error::other)?, body)
    }

    fn connect(&self, deadline: Instant) -> io::Result<TcpStream> {
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, left(deadline)?) {
                Ok(socket) => return Ok(socket),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn send(&self, mut stream: impl Read + Write, body: &[u8]) -> io::Result<u16> {
        let Self { authority, path, .. } = self;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: rsyslog-impstats\r\nContent-Type: \
             application/x-protobuf\r\nContent-Encoding: snappy\r\nX-Prometheus-Remote-Write-Version: 0.1.0\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat())?;
        stream.flush()?;
        let mut answer = Vec::new();
        while !answer.contains(&b'\n') && answer.len() < ANSWER_BYTES {
            let mut some = [0; 256];
            match stream.read(&mut some)? {
                0 => break,
                n => answer.extend_from_slice(some.get(..n).unwrap_or_default()),
            }
        }
        let line = answer.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let status = line.split(' ').nth(1).and_then(|status| status.trim().parse().ok());
        let is_http = line.starts_with("HTTP/1.");
        status.filter(|_| is_http).ok_or_else(|| io::Error::other("the answer is not HTTP"))
    }
}

impl TlsFiles {
    fn check(&self) -> Result<(), String> {
        match (&self.certificate, &self.key) {
            (Some(_), None) => {
                return Err(
                    "impstats: push.tls.certfile is set but push.tls.keyfile is missing".into()
                );
            }
            (None, Some(_)) => {
                return Err(
                    "impstats: push.tls.keyfile is set but push.tls.certfile is missing".into()
                );
            }
            _ => {}
        }
        let files = [("cafile", &self.ca), ("certfile", &self.certificate), ("keyfile", &self.key)];
        for (name, path) in files.iter().filter_map(|(name, path)| Some((name, path.as_ref()?))) {
            std::fs::File::open(path).map_err(|why| {
                format!("impstats: push.tls.{name} '{path}' is not readable: {why}")
            })?;
        }
        Ok(())
    }

    fn connector(&self) -> io::Result<SslConnector> {
        let mut builder = SslConnector::builder(SslMethod::tls_client())?;
        if let Some(file) = &self.ca {
            builder.set_ca_file(file)?;
        }
        if let (Some(certificate), Some(key)) = (&self.certificate, &self.key) {
            builder.set_certificate_chain_file(certificate)?;
            let key = key::load::<io::Error>(key.as_ref(), b"")?;
            builder.set_private_key(&key)?;
        }
        if self.insecure {
            builder.set_verify(SslVerifyMode::NONE);
        }
        Ok(builder.build())
    }
}

/// A socket whose reads and writes end at a deadline, however slowly the other end goes on.
#[derive(Debug)]
struct Timed {
    socket: TcpStream,
    deadline: Instant,
}

impl Read for Timed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(left(self.deadline)?))?;
        self.socket.read(into).map_err(in_words)
    }
}

impl Write for Timed {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(left(self.deadline)?))?;
        self.socket.write(from).map_err(in_words)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a timeout is called.
fn in_words(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::new(io::ErrorKind::TimedOut, "timed out"),
        _ => error,
    }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(in_words(io::ErrorKind::WouldBlock.into())) } else { Ok(left) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn endpoint(url: &str) -> Result<Endpoint, String> {
        Endpoint::new(url, TlsFiles::default(), &mut |_| ())
    }

    #[test]
    fn urls() {
        let cases = [
            ("http://h", ("h", "h", 80, "/", false)),
            ("HTTPS://h/w?x=1", ("h", "h", 443, "/w?x=1", true)),
            ("http://h:9090/api", ("h:9090", "h", 9090, "/api", false)),
            ("http://[::1]:9/a", ("[::1]:9", "::1", 9, "/a", false)),
            ("http://[::1]/a", ("[::1]", "::1", 80, "/a", false)),
        ];
        for (url, expected) in cases {
            let found = endpoint(url).expect(url);
            let tls = found.tls.is_some();
            let Endpoint { authority, host, port, path, .. } = &found;
            assert_eq!((&**authority, &**host, *port, &**path, tls), expected);
        }
        for url in ["h:80", "ftp://h", "http://", "http://h:x/", "http://u@h/", "http://h/a b"] {
            assert!(endpoint(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_server_that_does_not_answer_costs_no_more_than_the_timeout() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = listener.local_addr().expect("an address");
        let endpoint = endpoint(&format!("http://{address}/")).expect("an endpoint");
        let why = endpoint.post(b"x", Duration::from_millis(20)).expect_err("no answer");
        assert_eq!(why, "impstats_push: HTTP request failed: timed out");
    }
}

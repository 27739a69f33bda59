//! HTTPS for the HTTP library, with the system's OpenSSL. Files are read when a connection is made, so a new certificate
//! needs no restart.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use openssl::error::ErrorStack;
use openssl::ssl::{
    HandshakeError, SslConnector, SslConnectorBuilder, SslMethod, SslStream, SslVerifyMode,
    SslVersion,
};
use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout,
    TcpConnector, Transport, TransportAdapter,
};
use ureq::{Agent, Error};

use super::key;

/// A client with these options for `https://`, and what else it is to do. It says who it is, takes every status for an
/// answer, follows no redirections, and goes through no proxy that only the environment names.
#[must_use]
pub fn agent(
    options: Options,
    configure: impl FnOnce(ConfigBuilder<AgentScope>) -> ConfigBuilder<AgentScope>,
) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(concat!("sluice/", env!("CARGO_PKG_VERSION")))
        .max_redirects(0)
        .proxy(None);
    let connector =
        ConnectProxyConnector::default().chain(TcpConnector::default()).chain(Tls(options));
    Agent::with_parts(configure(config).build(), connector, DefaultResolver::default())
}

/// How servers are known, and how we are known to them.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Certificates that servers' ones are checked with; `None` for the system's.
    pub authorities: Option<PathBuf>,
    /// The certificate we show, and its key.
    pub certificate: Option<PathBuf>,
    /// See `certificate`.
    pub key: Option<PathBuf>,
    /// Passphrase of the key.
    pub passphrase: Option<Vec<u8>>,
    /// The oldest version.
    pub version: Option<SslVersion>,
    /// Cipher suites of TLS 1.3, as OpenSSL writes lists.
    pub suites: Option<String>,
    /// Key exchange groups, likewise.
    pub groups: Option<String>,
    /// Any certificate will do.
    pub takes_any: bool,
    /// Any name will do.
    pub skips_name: bool,
}

impl Options {
    /// What does not depend on files.
    ///
    /// # Errors
    /// The library does not take it.
    pub fn builder(&self) -> Result<SslConnectorBuilder, ErrorStack> {
        // Checks certificates and names, with the system's authorities.
        let mut builder = SslConnector::builder(SslMethod::tls_client())?;
        if self.version.is_some() {
            builder.set_min_proto_version(self.version)?;
        }
        if let Some(suites) = &self.suites {
            builder.set_ciphersuites(suites)?;
        }
        if let Some(groups) = &self.groups {
            builder.set_groups_list(groups)?;
        }
        if self.takes_any {
            builder.set_verify(SslVerifyMode::NONE);
        }
        Ok(builder)
    }
}

/// Makes TLS of a TCP connection, where the URL asks for it.
#[derive(Debug)]
struct Tls(Options);

impl Tls {
    fn connector(&self) -> io::Result<SslConnector> {
        let mut builder = self.0.builder()?;
        let named = |file: &Path, why: io::Error| {
            io::Error::new(why.kind(), format!("{}: {why}", file.display()))
        };
        if let Some(file) = &self.0.authorities {
            builder.set_ca_file(file).map_err(|why| named(file, why.into()))?;
        }
        if let (Some(certificate), Some(file)) = (&self.0.certificate, &self.0.key) {
            builder
                .set_certificate_chain_file(certificate)
                .map_err(|why| named(certificate, why.into()))?;
            let passphrase = self.0.passphrase.as_deref().unwrap_or_default();
            let key = fs::read(file).and_then(|pem| Ok(key::load(&pem, passphrase)?));
            let key = key.map_err(|why| named(file, why))?;
            builder.set_private_key(&key).and_then(|()| builder.check_private_key())?;
        }
        Ok(builder.build())
    }
}

impl<In: Transport> Connector<In> for Tls {
    type Out = Either<In, TlsTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let Some(transport) = chained else { return Ok(None) };
        if !details.needs_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let connector = self.connector().map_err(failed)?;
        let mut configuration = connector.configure().map_err(failed)?;
        configuration.set_verify_hostname(!self.0.skips_name && !self.0.takes_any);
        let host = details.uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let mut adapter = TransportAdapter::new(
            Box::new(transport) as Box<dyn Transport>,
            details.current_time.clone(),
        );
        adapter.set_timeout(details.timeout);
        let stream = configuration.connect(host, adapter).map_err(|why| match why {
            HandshakeError::SetupFailure(why) => failed(why),
            HandshakeError::Failure(stream) | HandshakeError::WouldBlock(stream) => {
                let verified = stream.ssl().verify_result();
                failed(std::io::Error::other(format!("{}: {verified}", stream.into_error())))
            }
        })?;
        let (input, output) =
            (details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Either::B(TlsTransport { buffers: LazyBuffers::new(input, output), stream })))
    }
}

fn failed(why: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Io(std::io::Error::other(why))
}

/// A connection with TLS.
struct TlsTransport {
    buffers: LazyBuffers,
    stream: SslStream<TransportAdapter>,
}

impl std::fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsTransport").finish_non_exhaustive()
    }
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.get_mut().set_timeout(timeout);
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        Ok(self.stream.write_all(output)?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.get_mut().set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

//! HTTPS with the system's OpenSSL. Files are read when a connection is made, so a new certificate needs no restart.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use openssl::error::ErrorStack;
use openssl::ssl::{
    HandshakeError, SslConnector, SslFiletype, SslMethod, SslStream, SslVerifyMode,
};
use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
    TransportAdapter,
};

/// How servers are known, and how we are known to them.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    /// Certificates that servers' ones are checked with; `None` for the system's.
    pub(super) authorities: Option<PathBuf>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    /// Any certificate will do.
    pub(super) takes_any: bool,
    /// Any name will do.
    pub(super) skips_name: bool,
}

/// Makes TLS of a TCP connection, where the URL asks for it.
#[derive(Debug)]
pub(super) struct Tls(Options);

impl Tls {
    pub(super) fn new(options: Options) -> Self {
        Self(options)
    }

    fn connector(&self) -> Result<SslConnector, ErrorStack> {
        let Options { authorities, certificate, key, takes_any, .. } = &self.0;
        // Checks certificates and names, with the system's authorities.
        let mut builder = SslConnector::builder(SslMethod::tls_client())?;
        if let Some(file) = authorities {
            builder.set_ca_file(file)?;
        }
        if let (Some(certificate), Some(key)) = (certificate, key) {
            builder.set_certificate_chain_file(certificate)?;
            builder.set_private_key_file(key, SslFiletype::PEM)?;
            builder.check_private_key()?;
        }
        if *takes_any {
            builder.set_verify(SslVerifyMode::NONE);
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
pub(super) struct TlsTransport {
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

//! Certificates, keys and lists as loaded, in the form that connections are made from.
//!
//! A context is made whole or not at all. On HUP a new one is made from the same sources; only if that succeeds does it
//! take the place of the old one, which connections that are open go on using. Session tickets belong to a context, so
//! nobody resumes a session past a certificate that was withdrawn since.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Mutex;

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{
    SslContext, SslContextBuilder, SslFiletype, SslMethod, SslMode, SslOptions,
    SslSessionCacheMode, SslVerifyMode, SslVersion,
};
use openssl::x509::store::X509Lookup;
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509PurposeId, X509VerifyResult};

use super::key;
use super::pem::Pem;
use super::settings::{Auth, Driver, Expired, Settings};
use crate::limits;
use crate::param::Problem;
use crate::sync::lock;
use crate::sys::tls;

/// What connections are made from.
pub type Context = SslContext;

/// The present context of a configuration, and how to make the next one.
#[derive(Debug)]
pub struct Store {
    settings: Settings,
    /// Of a server: sessions are resumed only where they began.
    id: Option<Vec<u8>>,
    current: Mutex<Loaded>,
}

/// What files came to.
#[derive(Debug)]
struct Loaded {
    context: Context,
    /// See [`Store::first_end`].
    first_end: Option<u64>,
}

impl Store {
    /// Loads all files of a server that is called `id`.
    ///
    /// # Errors
    /// The first file that cannot be used, in the reference's words.
    pub fn open(settings: Settings, id: &str) -> Result<Self, Problem> {
        // "the length of sid_ctx must not exceed 32 bytes"
        Self::new(settings, Some(openssl::sha::sha256(id.as_bytes()).to_vec()))
    }

    /// Loads all files of a client.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn client(settings: Settings) -> Result<Self, Problem> {
        Self::new(settings, None)
    }

    fn new(settings: Settings, id: Option<Vec<u8>>) -> Result<Self, Problem> {
        let current = Mutex::new(load(&settings, id.as_deref())?);
        Ok(Self { settings, id, current })
    }

    /// What was configured.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The present context.
    #[must_use]
    pub fn current(&self) -> Context {
        lock(&self.current).context.clone()
    }

    /// The second since the epoch at which the first certificate of our chain ends: from then on peers no longer
    /// believe us. `None` without a certificate.
    #[must_use]
    pub fn first_end(&self) -> Option<u64> {
        lock(&self.current).first_end
    }

    /// Loads all files again, for connections from now on.
    ///
    /// # Errors
    /// As [`Store::open`]; the present context stays.
    pub fn reload(&self) -> Result<(), Problem> {
        let next = load(&self.settings, self.id.as_deref())?;
        *lock(&self.current) = next;
        Ok(())
    }
}

fn load(settings: &Settings, id: Option<&[u8]>) -> Result<Loaded, Problem> {
    let basics = match id {
        Some(id) => server(settings, id),
        None => client(settings),
    };
    let mut builder = basics.map_err(|why| {
        Problem::error(format!("TLS could not be set up: {}", reason(&why))).code(BASE_INIT)
    })?;
    settings.priority.apply(&mut builder).map_err(|why| Problem::error(why).code(SYS_ERR))?;
    authorities(&mut builder, settings)?;
    let first_end = identity(&mut builder, settings)?;
    verification(&mut builder, settings)
        .map_err(|why| Problem::error(format!("TLS could not be set up: {}", reason(&why))))?;
    Ok(Loaded { context: builder.build(), first_end })
}

/// What does not depend on files.
fn basics(method: SslMethod) -> Result<SslContextBuilder, ErrorStack> {
    let mut builder = SslContextBuilder::new(method)?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_options(
        SslOptions::NO_SSLV2
            | SslOptions::NO_SSLV3
            | SslOptions::NO_COMPRESSION
            | SslOptions::NO_RENEGOTIATION,
    );
    builder.set_mode(SslMode::AUTO_RETRY | SslMode::RELEASE_BUFFERS);
    Ok(builder)
}

fn server(settings: &Settings, id: &[u8]) -> Result<SslContextBuilder, ErrorStack> {
    let mut builder = basics(SslMethod::tls_server())?;
    // One read of the socket brings many records; who is idle owns no buffer.
    builder.set_read_ahead(true);
    tls::set_read_buffer(&mut builder, limits::TLS_READ_BYTES);
    tls::set_dh_auto(&mut builder);
    // Sessions are kept by the peers, in tickets, so that they cost nothing here.
    builder.set_session_cache_mode(SslSessionCacheMode::OFF);
    builder.set_session_id_context(id)?;
    if settings.check_revocation {
        // The check wants the whole chain, which is not in a ticket.
        builder.set_options(SslOptions::NO_TICKET);
    }
    // Of TLS 1.3: a ticket goes with the goodbye (see `transport`).
    builder.set_num_tickets(0)?;
    tls::set_session_timeout(&mut builder, limits::TLS_RESUME_SECS);
    if settings.certificate.is_none() {
        // Only in anonymous mode; TLS 1.3 has no suite without a certificate.
        builder.set_max_proto_version(Some(SslVersion::TLS1_2))?;
        builder.set_cipher_list("ADH:AECDH:!eNULL:@SECLEVEL=0")?;
    }
    Ok(builder)
}

fn client(settings: &Settings) -> Result<SslContextBuilder, ErrorStack> {
    let mut builder = basics(SslMethod::tls_client())?;
    if settings.auth == Auth::Anonymous {
        // Also to servers that have no certificate: it would not be looked at. `DEFAULT` would take suites without one
        // out for good, whatever follows.
        builder.set_cipher_list("ALL:!eNULL:!PSK:!SRP:!RC4:!3DES:+aNULL:@SECLEVEL=0")?;
    }
    Ok(builder)
}

/// Whom we believe, and whom they have disowned.
fn authorities(builder: &mut SslContextBuilder, settings: &Settings) -> Result<(), Problem> {
    for pem in &settings.extra_authorities {
        load_ca(builder, pem)
            .map_err(|why| no_access("Extra Certificate file", pem, &why, CERT_ERR))?;
    }
    if let Some(pem) = &settings.authorities {
        load_ca(builder, pem).map_err(|why| no_access("CA certificate", pem, &why, CERT_ERR))?;
    }
    if let Some(file) = &settings.crl_file {
        load_crl(builder, file)
            .map_err(|why| no_access("CRL", &Pem::File(file.clone()), &why, CRL_INVALID))?;
    }
    Ok(())
}

/// Our certificate and key; returns when the first certificate of the chain ends.
fn identity(builder: &mut SslContextBuilder, settings: &Settings) -> Result<Option<u64>, Problem> {
    let Some(certificate) = &settings.certificate else { return Ok(None) };
    let Some(key_pem) = &settings.key else { return Ok(None) };
    let first_end = load_certificate(builder, certificate)
        .map_err(|why| no_access("Certificate file", certificate, &why, CERT_ERR))?;
    let passphrase = settings.key_passphrase.as_deref().unwrap_or_default();
    let key =
        load_key(key_pem, passphrase).map_err(|why| no_access("Key", key_pem, &why, KEY_ERR))?;
    builder.set_private_key(&key).and_then(|()| builder.check_private_key()).map_err(|why| {
        Problem::error(format!(
            "Error: Certificate and key are not usable together: '{certificate}', '{key_pem}': {}",
            reason(&why)
        ))
        .code(KEY_ERR)
    })?;
    Ok(Some(first_end))
}

/// Which certificates OpenSSL lets pass; `verdict` judges those afterwards.
fn verification(builder: &mut SslContextBuilder, settings: &Settings) -> Result<(), ErrorStack> {
    if settings.auth == Auth::Anonymous {
        builder.set_verify(SslVerifyMode::NONE);
        return Ok(());
    }
    let required = match settings.auth {
        Auth::CertOptional => SslVerifyMode::PEER,
        _ => SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT,
    };
    if matches!(settings.auth, Auth::Fingerprint(_) | Auth::CertAny) {
        // A list vouches for the certificate, or nobody has to.
        builder.set_verify_callback(required, |_, _| true);
        return Ok(());
    }
    let permits_expired = settings.expired != Expired::Deny;
    builder.set_verify_callback(required, move |valid, chain| {
        let excused = permits_expired && chain.error().as_raw() == EXPIRED;
        if excused {
            chain.set_error(X509VerifyResult::OK);
        }
        valid || excused
    });
    if let Some(depth) = settings.verify_depth {
        builder.set_verify_depth(depth);
    }
    if settings.driver == Driver::Gtls && !settings.check_purpose {
        builder.verify_param_mut().set_purpose(X509PurposeId::ANY)?;
    }
    if settings.crl_file.is_some() {
        builder.verify_param_mut().set_flags(X509VerifyFlags::CRL_CHECK)?;
    }
    Ok(())
}

/// Why a file could not be used.
enum Unusable {
    Io(io::Error),
    Content(ErrorStack),
    Empty,
}

impl From<io::Error> for Unusable {
    fn from(why: io::Error) -> Self {
        Self::Io(why)
    }
}

impl From<ErrorStack> for Unusable {
    fn from(why: ErrorStack) -> Self {
        Self::Content(why)
    }
}

fn load_ca(builder: &mut SslContextBuilder, pem: &Pem) -> Result<(), Unusable> {
    match pem {
        Pem::File(file) => {
            // For the reason: OpenSSL's is vague.
            fs::File::open(file)?;
            builder.set_ca_file(file)?;
        }
        Pem::Inline(text) => {
            let authorities = X509::stack_from_pem(text)?;
            if authorities.is_empty() {
                return Err(Unusable::Empty);
            }
            for authority in authorities {
                builder.cert_store_mut().add_cert(authority)?;
            }
        }
    }
    Ok(())
}

fn load_crl(builder: &mut SslContextBuilder, file: &Path) -> Result<(), Unusable> {
    fs::File::open(file)?;
    let lookup = builder.cert_store_mut().add_lookup(X509Lookup::file())?;
    lookup.load_crl_file(file, SslFiletype::PEM)?;
    Ok(())
}

fn load_key(pem: &Pem, passphrase: &[u8]) -> Result<PKey<Private>, Unusable> {
    Ok(key::load(&pem.read()?, passphrase)?)
}

/// Returns when the first certificate of the chain ends.
fn load_certificate(builder: &mut SslContextBuilder, pem: &Pem) -> Result<u64, Unusable> {
    let mut chain = X509::stack_from_pem(&pem.read()?)?.into_iter();
    let own = chain.next().ok_or(Unusable::Empty)?;
    builder.set_certificate(&own)?;
    if chain.len() == 0 {
        tls::build_chain(builder);
    }
    let mut first_end = seconds(own.not_after())?;
    for certificate in chain {
        first_end = first_end.min(seconds(certificate.not_after())?);
        builder.add_extra_chain_cert(certificate)?;
    }
    Ok(first_end)
}

/// Seconds since the epoch; 0 before it.
fn seconds(time: &Asn1TimeRef) -> Result<u64, ErrorStack> {
    let since = Asn1Time::from_unix(0)?.diff(time)?;
    let seconds = i64::from(since.days) * 86_400 + i64::from(since.secs);
    Ok(u64::try_from(seconds).unwrap_or(0))
}

fn no_access(what: &str, pem: &Pem, why: &Unusable, code: u16) -> Problem {
    let why = match why {
        Unusable::Io(why) => why.to_string(),
        Unusable::Content(why) => stack(why),
        Unusable::Empty => "it contains no certificate".to_owned(),
    };
    let text = match pem {
        Pem::File(file) => format!(
            "Error: {what} '{}' could not be accessed. Check at least: 1) file path is correct, 2) file exist, 3) \
             permissions are correct, 4) file content is correct: {why}",
            file.display()
        ),
        Pem::Inline(_) => format!("Error: {what}: the {pem} cannot be used: {why}"),
    };
    Problem::error(text).code(code)
}

/// What OpenSSL says, without the places in its source.
pub(super) fn reason(errors: &ErrorStack) -> String {
    let texts: Vec<_> = errors.errors().iter().filter_map(|error| error.reason()).collect();
    if texts.is_empty() { "unknown error".to_owned() } else { texts.join(", ") }
}

/// The same in the reference's words, which are searched for: with codes and the parts of OpenSSL.
pub(super) fn stack(errors: &ErrorStack) -> String {
    let mut text = "OpenSSL Error Stack:".to_owned();
    for error in errors.errors() {
        let (library, why) = (error.library().unwrap_or("lib(0)"), error.reason());
        let why = why.unwrap_or("unknown error");
        text.push_str(&format!(" error:{:08X}:{library}::{why}", error.code()));
    }
    text
}

/// `X509_V_ERR_CERT_HAS_EXPIRED`.
pub(super) const EXPIRED: i32 = 10;

// Return codes of the reference.
const SYS_ERR: u16 = 2095;
const CERT_ERR: u16 = 2084;
const CRL_INVALID: u16 = 2333;
const KEY_ERR: u16 = 2446;
const BASE_INIT: u16 = 2459;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_certificates_are_seconds_since_the_epoch() {
        for (text, wanted) in [
            ("20380119031408Z", 1 << 31),
            ("19700102000001Z", 86_401),
            ("19500101000000Z", 0),
            ("99991231235959Z", 253_402_300_799),
        ] {
            let time = Asn1Time::from_str(text).expect("a time");
            assert_eq!(seconds(&time).ok(), Some(wanted), "{text}");
        }
    }
}

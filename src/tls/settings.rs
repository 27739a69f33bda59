//! What the stream driver's parameters come to: plain values, nothing loaded yet (`spec/imtcp.md` section 7).

use std::path::PathBuf;
use std::time::Duration;

use super::peer::{Fingerprints, Names};
use super::pem::Pem;
use super::priority::Priority;

/// Which of the reference's drivers is asked for. OpenSSL does the work of both; they differ in words and details.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// OpenSSL.
    Ossl,
    /// GnuTLS.
    Gtls,
}

impl Driver {
    /// The name in a configuration and in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ossl => "ossl",
            Self::Gtls => "gtls",
        }
    }
}

/// Who may talk to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Anybody; no certificate is asked for.
    Anonymous,
    /// Who has a certificate that our authorities vouch for.
    CertValid,
    /// The same, and who has no certificate at all.
    CertOptional,
    /// Who has a certificate, whoever vouches for it.
    CertAny,
    /// Who has one of these certificates, whoever vouches for it.
    Fingerprint(Fingerprints),
    /// Who has a certificate that our authorities vouch for, and that carries one of these names.
    Name(Names),
}

/// What is done about expired certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expired {
    /// The peer is refused.
    #[default]
    Deny,
    /// The peer is let in and named in the log.
    Warn,
    /// The peer is let in.
    Permit,
}

/// A stream driver in mode 1.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which driver.
    pub driver: Driver,
    /// Who may talk to us.
    pub auth: Auth,
    /// `permitExpiredCerts`.
    pub expired: Expired,
    /// Authorities.
    pub authorities: Option<Pem>,
    /// Further authorities.
    pub extra_authorities: Vec<Pem>,
    /// Our certificate and its chain.
    pub certificate: Option<Pem>,
    /// Our private key.
    pub key: Option<Pem>,
    /// What the key is encrypted with.
    pub key_passphrase: Option<Vec<u8>>,
    /// SHA-256 of certificates or public keys, one of which has to be in the chain that vouches for a peer; none: any.
    pub pins: Vec<[u8; 32]>,
    /// Revoked certificates, PEM.
    pub crl_file: Option<PathBuf>,
    /// Whether a certificate's extended key usage has to allow clients, where it has one.
    pub check_purpose: bool,
    /// Whether certificates' authorities are asked, by OCSP, whether they have been revoked.
    pub check_revocation: bool,
    /// Whether the common name counts only in certificates without subject alternative names.
    pub prioritize_san: bool,
    /// Longest chain; `None` is the library's limit.
    pub verify_depth: Option<u32>,
    /// Protocol versions and ciphers.
    pub priority: Priority,
    /// How long a handshake may take.
    pub handshake_patience: Duration,
    /// Handshakes that may be incomplete at a time.
    pub handshakes_max: usize,
}

/// What `global()` says where an input or an output does not.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// `defaultNetstreamDriver`.
    pub driver: String,
    /// `defaultNetstreamDriverCAFile`.
    pub ca_file: Option<PathBuf>,
    /// `netstreamDriverCaExtraFiles`.
    pub extra_ca_files: Vec<PathBuf>,
    /// `defaultNetstreamDriverCertFile`.
    pub cert_file: Option<PathBuf>,
    /// `defaultNetstreamDriverKeyFile`.
    pub key_file: Option<PathBuf>,
    /// `defaultNetstreamDriverCRLFile`.
    pub crl_file: Option<PathBuf>,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            driver: "ptcp".to_owned(),
            ca_file: None,
            extra_ca_files: Vec::new(),
            cert_file: None,
            key_file: None,
            crl_file: None,
        }
    }
}

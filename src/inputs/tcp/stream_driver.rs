//! What the `streamDriver.…` parameters of an input come to, and every combination that makes no sense
//! (`spec/imtcp.md` section 7).

use std::path::PathBuf;
use std::time::Duration;

use super::conf::Statement;
use crate::param::{Problem, SecureDefaults};
use crate::tls::peer::{Fingerprints, Names};
use crate::tls::priority::Priority;
use crate::tls::settings::Defaults;
use crate::tls::{Auth, Driver, Expired, Pem, Settings};

/// The driver in mode 1, or `None` for plain TCP; the input survives what is added to `problems`.
///
/// # Errors
/// A combination that costs the input.
pub(super) fn settings(
    statement: &Statement<'_>,
    (defaults, secure): (&Defaults, SecureDefaults),
    problems: &mut Vec<Problem>,
) -> Result<Option<Settings>, Problem> {
    let read = Reader { statement, defaults, secure };
    let Some(driver) = read.driver()? else {
        read.refuse_with_plain_tcp()?;
        let hints = statement.of(AUTH).given(AUTH);
        problems.extend(secure.warning(if hints { NOT_ACTIVE } else { PLAIN }));
        return Ok(None);
    };
    if secure == SecureDefaults::Strict && read.mode() == 0 {
        let text = format!(
            "imtcp input: compatibility.defaults.secure=\"strict\" rejects explicit streamdriver.mode=\"0\" with \
             TLS-capable stream driver \"{}\"; use streamdriver.mode=\"1\" to enable TLS or select ptcp/plain TCP \
             intentionally",
            driver.name()
        );
        return Err(Problem::error(text).at(MODE).code(1000));
    }
    read.refuse_with(driver)?;
    let settings = Settings {
        driver,
        auth: read.auth(driver, problems)?,
        expired: match statement.of(EXPIRED).choice(EXPIRED) {
            Some("on") => Expired::Permit,
            Some("warn") => Expired::Warn,
            _ => Expired::Deny,
        },
        authorities: read.pem(CA_FILE, &defaults.ca_file),
        extra_authorities: defaults.extra_ca_files.iter().cloned().map(Pem::File).collect(),
        certificate: read.pem(CERT_FILE, &defaults.cert_file),
        key: read.pem(KEY_FILE, &defaults.key_file),
        key_passphrase: None,
        pins: Vec::new(),
        crl_file: read.file(CRL_FILE, &defaults.crl_file),
        check_purpose: statement.bool(PURPOSE),
        check_revocation: statement.bool(REVOCATION),
        prioritize_san: statement.bool(SAN),
        verify_depth: read.verify_depth(problems),
        priority: read.priority()?,
        handshake_patience: Duration::from_secs(statement.count(TIMEOUT) as u64),
        handshakes_max: statement.count(HANDSHAKES),
    };
    if read.mode() == 0 {
        problems.extend(secure.warning(NOT_ACTIVE).map(|problem| problem.at(MODE)));
        return Ok(None);
    }
    if settings.auth == Auth::Anonymous {
        problems.extend(secure.warning(ANONYMOUS).map(|problem| problem.at(AUTH)));
    }
    if settings.check_revocation && settings.auth == Auth::Anonymous {
        let text = "imtcp: streamDriver.TlsRevocationCheck has nothing to check: with streamDriver.authMode=\"anon\" \
                    peers show no certificate";
        problems.push(Problem::warning(text).at(REVOCATION));
    }
    check_files(&settings)?;
    Ok(Some(settings))
}

const NOT_ACTIVE: &str = "imtcp has TLS-related settings but streamdriver.mode=\"0\"; mode 0 uses plain TCP so TLS is not \
                          active (see https://docs.rsyslog.com/doc/faq/tls_mode0_disables_tls.html)";
const PLAIN: &str = "imtcp input uses streamdriver.mode=\"0\" (plain TCP without TLS); see \
                     https://docs.rsyslog.com/doc/faq/tls_mode0_disables_tls.html";
const ANONYMOUS: &str = "imtcp uses streamdriver.authmode=\"anon\"; server identity is not authenticated, so MITM is \
                         possible (see https://docs.rsyslog.com/doc/faq/tls_anon_auth_mitm.html)";

const NAME: &str = "streamDriver.name";
const MODE: &str = "streamDriver.mode";
const AUTH: &str = "streamDriver.authMode";
const EXPIRED: &str = "streamDriver.permitExpiredCerts";
const PEERS: &str = "permittedPeer";
const PURPOSE: &str = "streamDriver.CheckExtendedKeyPurpose";
const SAN: &str = "streamDriver.PrioritizeSAN";
const DEPTH: &str = "streamDriver.TlsVerifyDepth";
const REVOCATION: &str = "streamDriver.TlsRevocationCheck";
const CA_FILE: &str = "streamDriver.CAFile";
const CRL_FILE: &str = "streamDriver.CRLFile";
const KEY_FILE: &str = "streamDriver.KeyFile";
const CERT_FILE: &str = "streamDriver.CertFile";
const PRIORITY: &str = "gnutlsPriorityString";
const TIMEOUT: &str = "streamDriver.handshakeTimeout";
const HANDSHAKES: &str = "streamDriver.maxHandshakes";

// Return codes of the reference.
const BAD_MODE: u16 = 2081;
const NOT_SUPPORTED: u16 = 2086;
const NOT_IN_THIS_MODE: u16 = 2087;
const NO_CA: u16 = 2329;
const NO_CERT: u16 = 2330;
const NO_KEY: u16 = 2331;

/// What the reference finds when it starts the listener, which it then has not.
fn error(at: &'static str, code: u16, text: impl Into<String>) -> Problem {
    Problem::error(text).at(at).code(code).at_start()
}

struct Reader<'a> {
    statement: &'a Statement<'a>,
    defaults: &'a Defaults,
    secure: SecureDefaults,
}

impl Reader<'_> {
    fn text(&self, name: &str) -> Option<String> {
        self.statement.of(name).text(name).filter(|text| !text.is_empty())
    }

    fn mode(&self) -> i64 {
        let args = self.statement.of(MODE);
        // Where the safe defaults are wanted, a driver that can do TLS does it.
        let safe = self.secure == SecureDefaults::Strict && matches!(self.driver(), Ok(Some(_)));
        if safe && !args.given(MODE) { 1 } else { args.int(MODE).unwrap_or(0) }
    }

    fn peers(&self) -> &[Vec<u8>] {
        self.statement.of(PEERS).array(PEERS).unwrap_or_default()
    }

    fn file(&self, name: &str, default: &Option<PathBuf>) -> Option<PathBuf> {
        self.text(name).map(PathBuf::from).or_else(|| default.clone())
    }

    /// The reference's drivers take files only.
    fn pem(&self, name: &str, default: &Option<PathBuf>) -> Option<Pem> {
        self.file(name, default).map(Pem::File)
    }

    /// `None` is plain TCP.
    fn driver(&self) -> Result<Option<Driver>, Problem> {
        let name = self.text(NAME).unwrap_or_else(|| self.defaults.driver.clone());
        match name.to_ascii_lowercase().as_str() {
            "ptcp" => Ok(None),
            "ossl" => Ok(Some(Driver::Ossl)),
            "gtls" => Ok(Some(Driver::Gtls)),
            "mbedtls" => Err(Problem::error("stream driver 'mbedtls' is not implemented")
                .at(NAME)
                .help("write ossl: OpenSSL does the same work")),
            _ => Err(Problem::error(format!("stream driver '{name}' does not exist"))
                .at(NAME)
                .at_start()
                .help("write ptcp, or ossl or gtls for TLS")),
        }
    }

    /// What plain TCP has no use for.
    fn refuse_with_plain_tcp(&self) -> Result<(), Problem> {
        let by_driver = "ptcp netstream driver";
        let refuse = |at, what: String| {
            Err(error(at, NOT_SUPPORTED, format!("error: {what} not supported by {by_driver}")))
        };
        let mode = self.mode();
        if mode != 0 {
            return Err(error(
                MODE,
                BAD_MODE,
                format!("error: driver mode {mode} not supported by {by_driver}"),
            )
            .help("TLS takes streamDriver.name=\"ossl\""));
        }
        if let Some(mode) = self.text(AUTH).filter(|mode| !mode.eq_ignore_ascii_case("anon")) {
            return refuse(AUTH, format!("authentication mode '{mode}'"));
        }
        if !self.peers().is_empty() {
            let text = format!("authentication not supported by {by_driver}");
            return Err(error(PEERS, NOT_IN_THIS_MODE, text));
        }
        if self.statement.of(EXPIRED).given(EXPIRED) {
            return refuse(EXPIRED, "permitexpiredcerts setting".to_owned());
        }
        for (name, what) in [
            (PURPOSE, "driver ChkExtendedKeyUsage 1"),
            (SAN, "driver prioritizeSan 1"),
            (REVOCATION, "TLS revocation checking"),
        ] {
            if self.statement.bool(name) {
                return refuse(name, what.to_owned());
            }
        }
        for (name, what) in [
            (CA_FILE, "CA File setting"),
            (CRL_FILE, "CRL File setting"),
            (KEY_FILE, "TLS Key File setting"),
            (CERT_FILE, "TLS Cert File setting"),
            (PRIORITY, "gnutlsPriorityString"),
        ] {
            if let Some(value) = self.text(name) {
                return refuse(name, format!("{what} '{value}'"));
            }
        }
        Ok(())
    }

    /// What one of the drivers has no use for.
    fn refuse_with(&self, driver: Driver) -> Result<(), Problem> {
        let name = driver.name();
        let mode = self.mode();
        if !(0..=1).contains(&mode) {
            let text =
                format!("error: driver mode {mode} not supported by {name} netstream driver");
            return Err(error(MODE, BAD_MODE, text).help("write 0 for plain TCP, 1 for TLS"));
        }
        if driver == Driver::Ossl && self.statement.bool(PURPOSE) {
            let text = "error: driver ChkExtendedKeyUsage 1 not supported by ossl netstream driver";
            return Err(error(PURPOSE, NOT_SUPPORTED, text).help(
                "the ossl driver always checks the extended key purpose, where there is one",
            ));
        }
        if driver == Driver::Gtls && self.statement.bool(REVOCATION) {
            let text = "error: TLS revocation checking not supported by gtls netstream driver (GnuTLS does not \
                        implement OCSP checking)";
            return Err(error(REVOCATION, NOT_SUPPORTED, text).help("take the ossl driver"));
        }
        if driver == Driver::Gtls && !self.defaults.extra_ca_files.is_empty() {
            let text = "error: extra CA Files setting not supported by gtls netstream driver";
            return Err(error(NAME, NOT_SUPPORTED, text).help("take the ossl driver"));
        }
        Ok(())
    }

    fn auth(&self, driver: Driver, problems: &mut Vec<Problem>) -> Result<Auth, Problem> {
        let mode = self.text(AUTH).unwrap_or_else(|| "x509/name".to_owned());
        let peers = self.peers();
        let none = |auth| {
            if peers.is_empty() {
                return Ok(auth);
            }
            let text = format!(
                "authentication not supported by {} netstream driver in the configured authentication mode - ignored",
                driver.name()
            );
            Err(error(PEERS, NOT_IN_THIS_MODE, text)
                .help("permittedPeer goes with the modes x509/name and x509/fingerprint"))
        };
        let auth = match mode.to_ascii_lowercase().as_str() {
            "anon" => return none(Auth::Anonymous),
            "x509/certvalid" => return none(Auth::CertValid),
            "x509/fingerprint" => Fingerprints::parse(peers).map(Auth::Fingerprint).map_err(|entry| {
                Problem::error(format!("'{entry}' is not a fingerprint"))
                    .at(PEERS)
                    .help("write SHA1: or SHA256: and the digest, as openssl x509 -noout -fingerprint -sha256 shows it")
            })?,
            "x509/name" => Names::parse(peers).map(Auth::Name).map_err(|entry| {
                Problem::error(format!("error compiling wildcard expression '{entry}'"))
                    .at(PEERS)
                    .help("an asterisk stands at the beginning or the end of a part between dots, once")
            })?,
            _ => {
                let text = format!(
                    "error: authentication mode '{mode}' not supported by {} netstream driver",
                    driver.name()
                );
                return Err(error(AUTH, NOT_SUPPORTED, text)
                    .help("write anon, x509/certvalid, x509/name or x509/fingerprint"));
            }
        };
        if peers.is_empty() && self.mode() == 1 {
            problems.push(
                Problem::warning(format!(
                    "imtcp: authentication mode {mode} without permittedPeer lets nobody in"
                ))
                .at(AUTH),
            );
        }
        Ok(auth)
    }

    /// A depth that makes no sense costs the setting, not the listener.
    fn verify_depth(&self, problems: &mut Vec<Problem>) -> Option<u32> {
        match self.statement.of(DEPTH).int(DEPTH).unwrap_or(0) {
            0 => None,
            1 => {
                let text = "streamdriver.TlsVerifyDepth must be 2 or higher but is 1";
                problems.push(Problem::error(text).at(DEPTH));
                None
            }
            depth => Some(u32::try_from(depth).unwrap_or(u32::MAX).min(100)),
        }
    }

    fn priority(&self) -> Result<Priority, Problem> {
        let text = self.text(PRIORITY).unwrap_or_default();
        Priority::parse(&text).map_err(|why| Problem::error(why).at(PRIORITY))
    }
}

/// Whether everything is there that the mode needs.
fn check_files(settings: &Settings) -> Result<(), Problem> {
    let missing = |at, code, what| {
        let global = match at {
            CA_FILE => "defaultNetstreamDriverCAFile",
            CERT_FILE => "defaultNetstreamDriverCertFile",
            _ => "defaultNetstreamDriverKeyFile",
        };
        Err(error(at, code, format!("Error: {what} is not set"))
            .help(format!("give {at}, or {global} in global()")))
    };
    // Somebody has to vouch for the certificate, or for what is said about it.
    let needs_ca = matches!(settings.auth, Auth::CertValid | Auth::Name(_))
        || (settings.check_revocation && settings.auth != Auth::Anonymous);
    if needs_ca && settings.authorities.is_none() && settings.extra_authorities.is_empty() {
        return missing(CA_FILE, NO_CA, "CA certificate");
    }
    match (&settings.certificate, &settings.key) {
        (Some(_), Some(_)) => Ok(()),
        (Some(_), None) => missing(KEY_FILE, NO_KEY, "Key file"),
        (None, None) if settings.auth == Auth::Anonymous => Ok(()),
        (None, _) => missing(CERT_FILE, NO_CERT, "Certificate file"),
    }
}

//! What the `streamDriver…` parameters of a module come to, and every combination that makes no sense
//! (`spec/imtcp.md` section 7).

use std::path::PathBuf;

use super::peer::{Fingerprints, Names};
use super::priority::Priority;
use super::settings::Defaults;
use super::{Auth, Driver, Expired, Pem, Settings};
use crate::limits;
use crate::param::{Args, Problem, SecureDefaults, Value};

/// How a module spells the parameters, and what it says about them.
#[derive(Debug)]
pub struct Spelling {
    /// The module, and how it calls itself where the safe defaults refuse something.
    pub module: &'static str,
    /// See `module`.
    pub strict_module: &'static str,
    /// What is said of plain TCP where that is not safe enough.
    pub plain: &'static str,
    /// `streamDriver.name`
    pub name: &'static str,
    /// `streamDriver.mode`
    pub mode: &'static str,
    /// `streamDriver.authMode`
    pub auth: &'static str,
    /// `permittedPeer`
    pub peers: &'static str,
    /// `streamDriver.TlsRevocationCheck`; not every module has it.
    pub revocation: Option<&'static str>,
}

/// Which end of its connections a module is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It accepts them, and has to show a certificate.
    Server,
    /// It opens them.
    Client,
}

// What all modules spell alike, but for case, which does not count.
const EXPIRED: &str = "streamDriver.permitExpiredCerts";
const PURPOSE: &str = "streamDriver.CheckExtendedKeyPurpose";
const SAN: &str = "streamDriver.PrioritizeSAN";
const DEPTH: &str = "streamDriver.TlsVerifyDepth";
const CA_FILE: &str = "streamDriver.CAFile";
const CRL_FILE: &str = "streamDriver.CRLFile";
const KEY_FILE: &str = "streamDriver.KeyFile";
const CERT_FILE: &str = "streamDriver.CertFile";
const PRIORITY: &str = "gnutlsPriorityString";

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

/// One statement's parameters.
pub struct Reader<'a> {
    /// Their names.
    pub spelling: &'static Spelling,
    /// Which end of connections they are for.
    pub end: End,
    /// The arguments in which a parameter is to be looked up.
    pub of: &'a dyn Fn(&'static str) -> &'a Args,
    /// Permitted peers.
    pub peers: Vec<Vec<u8>>,
    /// Further files of authorities, beside or instead of those of `global()`.
    pub extra_ca_files: Option<Vec<PathBuf>>,
    /// What `global()` says.
    pub defaults: &'a Defaults,
    /// `compatibility.defaults.secure`
    pub secure: SecureDefaults,
}

impl Reader<'_> {
    /// The driver in mode 1, or `None` for plain TCP; the module survives what is added to `problems`. How long handshakes
    /// may take and how many there may be is left to the caller.
    ///
    /// # Errors
    /// A combination that costs the statement.
    pub fn settings(&self, problems: &mut Vec<Problem>) -> Result<Option<Settings>, Problem> {
        let Spelling { module, strict_module, plain, .. } = self.spelling;
        let not_active = format!(
            "{module} has TLS-related settings but streamdriver.mode=\"0\"; mode 0 uses plain TCP so TLS is not active \
             (see https://docs.rsyslog.com/doc/faq/tls_mode0_disables_tls.html)"
        );
        let Some(driver) = self.driver()? else {
            self.refuse_with_plain_tcp()?;
            let hints = self.given(self.spelling.auth);
            problems.extend(self.secure.warning(if hints { &not_active } else { plain }));
            return Ok(None);
        };
        if self.secure == SecureDefaults::Strict && self.mode() == 0 {
            let text = format!(
                "{strict_module}: compatibility.defaults.secure=\"strict\" rejects explicit streamdriver.mode=\"0\" with \
                 TLS-capable stream driver \"{}\"; use streamdriver.mode=\"1\" to enable TLS or select ptcp/plain TCP \
                 intentionally",
                driver.name()
            );
            return Err(Problem::error(text).at(self.spelling.mode).code(1000));
        }
        self.refuse_with(driver)?;
        let settings = self.of_driver(driver, problems)?;
        if self.mode() == 0 {
            let warning = self.secure.warning(&not_active);
            problems.extend(warning.map(|problem| problem.at(self.spelling.mode)));
            return Ok(None);
        }
        if settings.auth == Auth::Anonymous {
            let text = format!(
                "{module} uses streamdriver.authmode=\"anon\"; server identity is not authenticated, so MITM is \
                 possible (see https://docs.rsyslog.com/doc/faq/tls_anon_auth_mitm.html)"
            );
            problems
                .extend(self.secure.warning(&text).map(|problem| problem.at(self.spelling.auth)));
        }
        if settings.check_revocation && settings.auth == Auth::Anonymous {
            let text = format!(
                "{module}: streamDriver.TlsRevocationCheck has nothing to check: with streamDriver.authMode=\"anon\" \
                 peers show no certificate"
            );
            problems.extend(self.spelling.revocation.map(|at| Problem::warning(text).at(at)));
        }
        self.check_files(&settings)?;
        Ok(Some(settings))
    }

    fn of_driver(&self, driver: Driver, problems: &mut Vec<Problem>) -> Result<Settings, Problem> {
        Ok(Settings {
            driver,
            auth: self.auth(driver, problems)?,
            expired: self.expired(),
            authorities: self.pem(CA_FILE, &self.defaults.ca_file),
            extra_authorities: self.extra_ca_files().iter().cloned().map(Pem::File).collect(),
            certificate: self.pem(CERT_FILE, &self.defaults.cert_file),
            key: self.pem(KEY_FILE, &self.defaults.key_file),
            key_passphrase: None,
            pins: Vec::new(),
            crl_file: self.file(CRL_FILE, &self.defaults.crl_file),
            check_purpose: self.bool(PURPOSE),
            check_revocation: self.spelling.revocation.is_some_and(|name| self.bool(name)),
            prioritize_san: self.bool(SAN),
            verify_depth: self.verify_depth(problems),
            priority: self.priority()?,
            handshake_patience: limits::CONNECT_TIMEOUT,
            handshakes_max: usize::MAX,
        })
    }

    fn extra_ca_files(&self) -> &[PathBuf] {
        self.extra_ca_files.as_ref().unwrap_or(&self.defaults.extra_ca_files)
    }

    fn expired(&self) -> Expired {
        let word = match (self.of)(EXPIRED).value(EXPIRED) {
            Some(Value::Choice(word)) => (*word).to_owned(),
            _ => (self.of)(EXPIRED).text(EXPIRED).unwrap_or_default().to_ascii_lowercase(),
        };
        match word.as_str() {
            "on" => Expired::Permit,
            "warn" => Expired::Warn,
            _ => Expired::Deny,
        }
    }

    fn given(&self, name: &'static str) -> bool {
        (self.of)(name).given(name)
    }

    fn bool(&self, name: &'static str) -> bool {
        (self.of)(name).bool(name)
    }

    fn text(&self, name: &'static str) -> Option<String> {
        (self.of)(name).text(name).filter(|text| !text.is_empty())
    }

    fn mode(&self) -> i64 {
        let mode = self.spelling.mode;
        let args = (self.of)(mode);
        // Where the safe defaults are wanted, a driver that can do TLS does it.
        let safe = self.secure == SecureDefaults::Strict && matches!(self.driver(), Ok(Some(_)));
        if safe && !args.given(mode) { 1 } else { args.int(mode).unwrap_or(0) }
    }

    fn file(&self, name: &'static str, default: &Option<PathBuf>) -> Option<PathBuf> {
        self.text(name).map(PathBuf::from).or_else(|| default.clone())
    }

    /// The reference's drivers take files only.
    fn pem(&self, name: &'static str, default: &Option<PathBuf>) -> Option<Pem> {
        self.file(name, default).map(Pem::File)
    }

    /// `None` is plain TCP.
    fn driver(&self) -> Result<Option<Driver>, Problem> {
        let name = self.text(self.spelling.name).unwrap_or_else(|| self.defaults.driver.clone());
        match name.to_ascii_lowercase().as_str() {
            "ptcp" => Ok(None),
            "ossl" => Ok(Some(Driver::Ossl)),
            "gtls" => Ok(Some(Driver::Gtls)),
            "mbedtls" => Err(Problem::error("stream driver 'mbedtls' is not implemented")
                .at(self.spelling.name)
                .help("write ossl: OpenSSL does the same work")),
            _ => Err(Problem::error(format!("stream driver '{name}' does not exist"))
                .at(self.spelling.name)
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
                self.spelling.mode,
                BAD_MODE,
                format!("error: driver mode {mode} not supported by {by_driver}"),
            )
            .help(format!("TLS takes {}=\"ossl\"", self.spelling.name)));
        }
        if let Some(mode) =
            self.text(self.spelling.auth).filter(|mode| !mode.eq_ignore_ascii_case("anon"))
        {
            return refuse(self.spelling.auth, format!("authentication mode '{mode}'"));
        }
        if !self.peers.is_empty() {
            let text = format!("authentication not supported by {by_driver}");
            return Err(error(self.spelling.peers, NOT_IN_THIS_MODE, text));
        }
        if self.given(EXPIRED) {
            return refuse(EXPIRED, "permitexpiredcerts setting".to_owned());
        }
        for (name, what) in [
            (Some(PURPOSE), "driver ChkExtendedKeyUsage 1"),
            (Some(SAN), "driver prioritizeSan 1"),
            (self.spelling.revocation, "TLS revocation checking"),
        ] {
            if let Some(name) = name
                && self.bool(name)
            {
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
            return Err(
                error(self.spelling.mode, BAD_MODE, text).help("write 0 for plain TCP, 1 for TLS")
            );
        }
        if driver == Driver::Ossl && self.bool(PURPOSE) {
            let text = "error: driver ChkExtendedKeyUsage 1 not supported by ossl netstream driver";
            return Err(error(PURPOSE, NOT_SUPPORTED, text).help(
                "the ossl driver always checks the extended key purpose, where there is one",
            ));
        }
        if driver == Driver::Gtls
            && let Some(revocation) = self.spelling.revocation
            && self.bool(revocation)
        {
            let text = "error: TLS revocation checking not supported by gtls netstream driver (GnuTLS does not \
                        implement OCSP checking)";
            return Err(error(revocation, NOT_SUPPORTED, text).help("take the ossl driver"));
        }
        if driver == Driver::Gtls && !self.extra_ca_files().is_empty() {
            let text = "error: extra CA Files setting not supported by gtls netstream driver";
            return Err(error(self.spelling.name, NOT_SUPPORTED, text).help("take the ossl driver"));
        }
        Ok(())
    }

    fn auth(&self, driver: Driver, problems: &mut Vec<Problem>) -> Result<Auth, Problem> {
        let mode = self.text(self.spelling.auth).unwrap_or_else(|| "x509/name".to_owned());
        let peers = self.peers.as_slice();
        let none = |auth| {
            if peers.is_empty() {
                return Ok(auth);
            }
            let text = format!(
                "authentication not supported by {} netstream driver in the configured authentication mode - ignored",
                driver.name()
            );
            Err(error(self.spelling.peers, NOT_IN_THIS_MODE, text).help(format!(
                "{} goes with the modes x509/name and x509/fingerprint",
                self.spelling.peers
            )))
        };
        let auth = match mode.to_ascii_lowercase().as_str() {
            "anon" => return none(Auth::Anonymous),
            "x509/certvalid" => return none(Auth::CertValid),
            "x509/fingerprint" => Fingerprints::parse(peers).map(Auth::Fingerprint).map_err(|entry| {
                Problem::error(format!("'{entry}' is not a fingerprint"))
                    .at(self.spelling.peers)
                    .help("write SHA1: or SHA256: and the digest, as openssl x509 -noout -fingerprint -sha256 shows it")
            })?,
            "x509/name" => Names::parse(peers).map(Auth::Name).map_err(|entry| {
                Problem::error(format!("error compiling wildcard expression '{entry}'"))
                    .at(self.spelling.peers)
                    .help("an asterisk stands at the beginning or the end of a part between dots, once")
            })?,
            _ => {
                let text = format!(
                    "error: authentication mode '{mode}' not supported by {} netstream driver",
                    driver.name()
                );
                return Err(error(self.spelling.auth, NOT_SUPPORTED, text)
                    .help("write anon, x509/certvalid, x509/name or x509/fingerprint"));
            }
        };
        let consequence = match (self.end, &auth) {
            (End::Server, _) => Some("lets nobody in"),
            (End::Client, Auth::Fingerprint(_)) => Some("trusts nobody"),
            // The target is whom it talks to.
            (End::Client, _) => None,
        };
        if let Some(consequence) = consequence
            && peers.is_empty()
            && self.mode() == 1
        {
            let Spelling { module, peers, .. } = self.spelling;
            let text =
                format!("{module}: authentication mode {mode} without {peers} {consequence}");
            problems.push(Problem::warning(text).at(self.spelling.auth));
        }
        Ok(auth)
    }

    /// A depth that makes no sense costs the setting, not the listener.
    fn verify_depth(&self, problems: &mut Vec<Problem>) -> Option<u32> {
        match (self.of)(DEPTH).int(DEPTH).unwrap_or(0) {
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

    /// Whether everything is there that the mode needs.
    fn check_files(&self, settings: &Settings) -> Result<(), Problem> {
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
            (None, None) if self.end == End::Client || settings.auth == Auth::Anonymous => Ok(()),
            (None, _) => missing(CERT_FILE, NO_CERT, "Certificate file"),
        }
    }
}

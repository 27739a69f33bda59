//! What `tls.*` comes to: the semantics of Elastic's `ssl.*` (`spec/elastic-tcp.md` section 6) in terms of our stream
//! drivers.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::Duration;

use crate::limits;
use crate::param::{Args, Problem};
use crate::tls::priority::Priority;
use crate::tls::{Auth, Driver, Expired, Pem, Settings};

/// The settings of a statement with TLS.
///
/// # Errors
/// What is wrong with it.
pub(super) fn settings(args: &Args) -> Result<Option<Settings>, Problem> {
    let enabled = match args.given(ENABLED) {
        true => args.bool(ENABLED),
        // As with Elastic, a section that is there is meant.
        false => SECTION.iter().any(|name| args.given(name)),
    };
    if !enabled {
        return Ok(None);
    }
    let files = args.array(AUTHORITIES).unwrap_or_default();
    let mut authorities: Vec<_> = files.iter().map(|value| pem(value)).collect();
    let auth = auth(args, !authorities.is_empty());
    let pins = pins(args)?;
    if matches!(auth, Auth::CertValid | Auth::CertOptional) && authorities.is_empty() {
        authorities.push(Pem::File(SYSTEM_AUTHORITIES.into()));
    }
    let mut authorities = authorities.into_iter();
    Ok(Some(Settings {
        driver: Driver::Ossl,
        auth,
        expired: Expired::Deny,
        authorities: authorities.next(),
        extra_authorities: authorities.collect(),
        certificate: Some(required(args, CERTIFICATE)?),
        key: Some(required(args, KEY)?),
        key_passphrase: args.str(PASSPHRASE).map(<[u8]>::to_vec),
        pins,
        crl_file: None,
        check_purpose: false,
        check_revocation: false,
        prioritize_san: false,
        verify_depth: None,
        priority: priority(args)?,
        handshake_patience: HANDSHAKE_PATIENCE,
        handshakes_max: limits::BACKLOG_MAX,
    }))
}

const ENABLED: &str = "tls.enabled";
const CERTIFICATE: &str = "tls.certificate";
const KEY: &str = "tls.key";
const AUTHORITIES: &str = "tls.certificateAuthorities";
const CLIENTS: &str = "tls.clientAuthentication";
const MODE: &str = "tls.verificationMode";
const PASSPHRASE: &str = "tls.keyPassphrase";
const PINS: &str = "tls.caSha256";
const PROTOCOLS: &str = "tls.supportedProtocols";
const CIPHERS: &str = "tls.cipherSuites";
const CURVES: &str = "tls.curveTypes";
/// All of Elastic's section but `enabled`.
const SECTION: [&str; 10] =
    [CERTIFICATE, KEY, PASSPHRASE, AUTHORITIES, CLIENTS, MODE, PROTOCOLS, CIPHERS, CURVES, PINS];
/// Debian's certificates of all authorities, for clients that need one of any.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(60);

/// PEM text, or the name of a file, as Elastic takes either.
fn pem(value: &[u8]) -> Pem {
    if Pem::is_text(value) {
        return Pem::Inline(value.to_vec());
    }
    Pem::File(PathBuf::from(OsStr::from_bytes(value)))
}

fn required(args: &Args, param: &'static str) -> Result<Pem, Problem> {
    args.str(param).map(pem).ok_or_else(|| {
        let at = [CERTIFICATE, KEY].into_iter().chain(SECTION).find(|name| args.given(name));
        Problem::error(format!("imrawtcp: TLS is on, but {param} is missing"))
            .at(at.unwrap_or(ENABLED))
            .help("give the certificate and its key: names of PEM files, or their text")
    })
}

fn auth(args: &Args, has_authorities: bool) -> Auth {
    let wanted = match args.str(CLIENTS) {
        Some(wanted) => wanted,
        None if has_authorities => b"required",
        None => b"none",
    };
    match (wanted, args.str(MODE) == Some(b"none")) {
        (b"required", false) => Auth::CertValid,
        (b"required", true) => Auth::CertAny,
        (b"optional", false) => Auth::CertOptional,
        // Nobody would look at a certificate.
        _ => Auth::Anonymous,
    }
}

/// `tls.caSha256`.
fn pins(args: &Args) -> Result<Vec<[u8; 32]>, Problem> {
    let texts = args.array(PINS).unwrap_or_default();
    let pin = |text: &Vec<u8>| {
        let text = String::from_utf8_lossy(text);
        let bytes = openssl::base64::decode_block(&text).ok();
        bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| {
            let why = format!("imrawtcp: {PINS}: \"{text}\" is no SHA-256 in base64");
            Problem::error(why).at(PINS).help(
                "openssl x509 -in ca.pem -outform der | openssl dgst -sha256 -binary | base64",
            )
        })
    };
    texts.iter().map(pin).collect()
}

/// The library's commands for versions, ciphers and curves.
fn priority(args: &Args) -> Result<Priority, Problem> {
    let list = |name: &str| -> Vec<String> {
        let words = args.array(name).unwrap_or_default();
        words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    };
    let mut versions = list(PROTOCOLS);
    if versions.is_empty() {
        versions.extend(["TLSv1.2".to_owned(), "TLSv1.3".to_owned()]);
    }
    versions.sort();
    if let Some(other) = versions.iter().find(|version| !VERSIONS.contains(&version.as_str())) {
        let text = format!("imrawtcp: {PROTOCOLS}: \"{other}\" is none of {}", VERSIONS.join(", "));
        return Err(Problem::error(text).at(PROTOCOLS));
    }
    let mut commands = Vec::new();
    if let (Some(first), Some(last)) = (versions.first(), versions.last()) {
        commands.push(format!("MinProtocol={first}"));
        commands.push(format!("MaxProtocol={last}"));
    }
    let mut ciphers: Vec<_> = list(CIPHERS)
        .iter()
        .filter(|name| !is_of_13(name))
        .map(|name| openssl_name(name))
        .collect();
    let curves = list(CURVES);
    // One by one, to name the one at fault.
    for (command, names, param) in
        [("CipherString", &ciphers, CIPHERS), ("Curves", &curves, CURVES)]
    {
        for name in names {
            if Priority::parse(&format!("{command}={name}")).is_err() {
                let text = format!("imrawtcp: {param}: OpenSSL does not know \"{name}\"");
                return Err(Problem::error(text).at(param));
            }
        }
    }
    if versions.first().is_some_and(|version| version == "TLSv1.1") {
        // Its signatures are too weak for any higher level.
        ciphers.extend(ciphers.is_empty().then(|| "DEFAULT".to_owned()));
        ciphers.push("@SECLEVEL=0".to_owned());
    }
    if !ciphers.is_empty() {
        commands.push(format!("CipherString={}", ciphers.join(":")));
    }
    if !curves.is_empty() {
        commands.push(format!("Curves={}", curves.join(":")));
    }
    let why = |why: String| Problem::error(format!("imrawtcp: tls: {why}"));
    Priority::parse(&commands.join("\n")).map_err(why)
}

/// Whether it is a suite of TLS 1.3: those are always on, as with Elastic.
fn is_of_13(name: &str) -> bool {
    name.starts_with("TLS-") || name.starts_with("TLS_")
}

/// OpenSSL's name of a cipher that Elastic calls so; its own names stay as they are.
fn openssl_name(name: &str) -> String {
    name.strip_prefix("RSA-")
        .unwrap_or(name)
        .replace("AES-128-CBC", "AES128")
        .replace("AES-256-CBC", "AES256")
        .replace("AES-128", "AES128")
        .replace("AES-256", "AES256")
        // As Elastic writes it.
        .replace("POLY1205", "POLY1305")
}

const VERSIONS: [&str; 3] = ["TLSv1.1", "TLSv1.2", "TLSv1.3"];

#[cfg(test)]
mod tests {
    use super::super::parameters::MODULE;
    use super::*;
    use crate::param::Value;

    fn check(params: &[(&'static str, Value)]) -> Result<Option<Settings>, Problem> {
        let mut args = Args::defaults(&[MODULE.params]);
        for (name, value) in params {
            args.set(name, value.clone());
        }
        settings(&args)
    }

    fn text(value: &str) -> Value {
        Value::Str(value.as_bytes().to_vec())
    }

    fn list(values: &[&str]) -> Value {
        Value::Array(values.iter().map(|value| value.as_bytes().to_vec()).collect())
    }

    #[test]
    fn clients_need_certificates_where_there_are_authorities() {
        assert!(check(&[]).unwrap().is_none());
        let pair = [(CERTIFICATE, text("c")), (KEY, text("k"))];
        let auth = |more: &[(&'static str, Value)]| {
            let settings = check(&[&pair[..], more].concat()).unwrap().expect("TLS");
            (settings.auth, settings.authorities)
        };
        let system = Some(Pem::File(SYSTEM_AUTHORITIES.into()));
        let a = || Some(Pem::File("a".into()));
        assert_eq!(auth(&[]), (Auth::Anonymous, None));
        assert_eq!(auth(&[(AUTHORITIES, list(&["a"]))]), (Auth::CertValid, a()));
        assert_eq!(
            auth(&[(CLIENTS, Value::Choice("required"))]),
            (Auth::CertValid, system.clone())
        );
        let none = [(AUTHORITIES, list(&["a"])), (CLIENTS, Value::Choice("none"))];
        assert_eq!(auth(&none), (Auth::Anonymous, a()));
        let optional = (CLIENTS, Value::Choice("optional"));
        assert_eq!(auth(std::slice::from_ref(&optional)), (Auth::CertOptional, system.clone()));
        let unchecked = (MODE, Value::Choice("none"));
        assert_eq!(auth(&[optional, unchecked.clone()]).0, Auth::Anonymous);
        assert_eq!(auth(&[(AUTHORITIES, list(&["a"])), unchecked]).0, Auth::CertAny);
        let tuned = [
            (PROTOCOLS, list(&["TLSv1.2", "TLSv1.3"])),
            (CIPHERS, list(&["ECDHE-RSA-AES-128-GCM-SHA256"])),
            (CURVES, list(&["P-256", "X25519"])),
        ];
        assert_eq!(auth(&tuned).0, Auth::Anonymous);
    }

    /// Elastic's list of names below TLS 1.3, without those that no OpenSSL of today has.
    #[test]
    fn elastics_names_of_ciphers_are_known() {
        let names = [
            "ECDHE-ECDSA-AES-128-CBC-SHA",
            "ECDHE-ECDSA-AES-128-CBC-SHA256",
            "ECDHE-ECDSA-AES-128-GCM-SHA256",
            "ECDHE-ECDSA-AES-256-CBC-SHA",
            "ECDHE-ECDSA-AES-256-GCM-SHA384",
            "ECDHE-ECDSA-CHACHA20-POLY1205",
            "ECDHE-RSA-AES-128-CBC-SHA",
            "ECDHE-RSA-AES-128-CBC-SHA256",
            "ECDHE-RSA-AES-128-GCM-SHA256",
            "ECDHE-RSA-AES-256-CBC-SHA",
            "ECDHE-RSA-AES-256-GCM-SHA384",
            "ECDHE-RSA-CHACHA20-POLY1205",
            "RSA-AES-128-CBC-SHA",
            "RSA-AES-128-CBC-SHA256",
            "RSA-AES-128-GCM-SHA256",
            "RSA-AES-256-CBC-SHA",
            "RSA-AES-256-GCM-SHA384",
            "TLS-AES-128-GCM-SHA256",
        ];
        let params = [(CERTIFICATE, text("c")), (KEY, text("k")), (CIPHERS, list(&names))];
        assert!(check(&params).unwrap().is_some());
    }

    #[test]
    fn pem_text_is_told_from_files() {
        let inline = "-----BEGIN X-----\n";
        let given = [
            (CERTIFICATE, text(inline)),
            (KEY, text("/k")),
            (AUTHORITIES, list(&["/a", &format!("  {inline}")])),
        ];
        let settings = check(&given).unwrap().expect("TLS");
        assert_eq!(settings.certificate, Some(Pem::Inline(inline.into())));
        assert_eq!(settings.key, Some(Pem::File("/k".into())));
        assert_eq!(settings.authorities, Some(Pem::File("/a".into())));
        assert_eq!(settings.extra_authorities, [Pem::Inline(format!("  {inline}").into())]);
    }

    #[test]
    fn what_is_missing_or_unknown_is_named() {
        let pair = [(CERTIFICATE, text("c")), (KEY, text("k"))];
        for (params, at) in [
            (vec![(ENABLED, Value::Bool(true))], ENABLED),
            (vec![(CERTIFICATE, text("c"))], CERTIFICATE),
            (vec![(KEY, text("k"))], KEY),
            (vec![(CLIENTS, Value::Choice("optional"))], CLIENTS),
            (vec![(MODE, Value::Choice("none"))], MODE),
            ([&pair[..], &[(PINS, list(&["c2hvcnQ="]))]].concat(), PINS),
            ([&pair[..], &[(PINS, list(&["no base64"]))]].concat(), PINS),
            ([&pair[..], &[(PROTOCOLS, list(&["SSLv3"]))]].concat(), PROTOCOLS),
            ([&pair[..], &[(CIPHERS, list(&["AES-128-GCM-MD4"]))]].concat(), CIPHERS),
            ([&pair[..], &[(CURVES, list(&["P-255"]))]].concat(), CURVES),
        ] {
            assert_eq!(check(&params).unwrap_err().param, Some(at), "{params:?}");
        }
    }
}

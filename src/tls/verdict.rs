//! The judgement of a peer whose handshake is complete, and the words for one that is refused.
//!
//! A resumed session is judged like a new one: the certificate comes from the session then, and whether it has expired
//! is looked at here, since OpenSSL does not verify it again.

use std::cmp::Ordering;
use std::fmt::Display;

use openssl::asn1::Asn1Time;
use openssl::sha::sha256;
use openssl::ssl::SslRef;
use openssl::x509::{X509Ref, X509VerifyResult};

use super::context::EXPIRED;
use super::peer::{show_fingerprint, show_names};
use super::settings::{Auth, Driver, Expired, Settings};
use crate::net::transport::Refusal;

/// Whether the peer may talk to us; `Some` is what is to be said of one that may.
///
/// # Errors
/// What is to be said of one that may not.
pub(super) fn judge(
    settings: &Settings,
    ssl: &SslRef,
    ip: &dyn Display,
) -> Result<Option<String>, Refusal> {
    if settings.auth == Auth::Anonymous {
        return Ok(None);
    }
    let Some(certificate) = ssl.peer_certificate() else {
        return match settings.auth {
            Auth::CertOptional => Ok(None),
            _ => Err(no_certificate(settings.driver, ip)),
        };
    };
    if settings.auth == Auth::CertAny {
        return Ok(None);
    }
    // With a fingerprint nobody vouches for the certificate, so there is nothing to be valid.
    let verified = ssl.verify_result();
    if !matches!(settings.auth, Auth::Fingerprint(_)) && verified != X509VerifyResult::OK {
        return Err(invalid(settings.driver, ip, verified.as_raw(), verified.error_string()));
    }
    permitted(settings, &certificate, ip)?;
    if !settings.pins.is_empty() && !has_pin(settings, ssl) {
        let text = format!(
            "TLS session terminated with '{ip}': no pinned authority is in the chain of its certificate"
        );
        return Err(Refusal::line(NOT_PERMITTED, text));
    }
    let expired = is_expired(&certificate)
        || ssl.verified_chain().is_some_and(|chain| chain.iter().any(is_expired));
    match settings.expired {
        Expired::Deny if expired => Err(invalid(settings.driver, ip, EXPIRED, EXPIRED_TEXT)),
        Expired::Warn if expired => Ok(Some(format!(
            "net_ossl:CertValidity check - warning talking to peer '{ip}': certificate expired: {EXPIRED_TEXT}"
        ))),
        _ => Ok(None),
    }
}

fn permitted(settings: &Settings, certificate: &X509Ref, ip: &dyn Display) -> Result<(), Refusal> {
    let (permitted, text) = match &settings.auth {
        Auth::Anonymous | Auth::CertValid | Auth::CertOptional | Auth::CertAny => return Ok(()),
        Auth::Fingerprint(list) => (list.permit(certificate), show_fingerprint(certificate)),
        Auth::Name(list) => {
            (list.permit(certificate, settings.prioritize_san), show_names(certificate))
        }
    };
    if permitted {
        return Ok(());
    }
    let text = match (settings.driver, &settings.auth) {
        (Driver::Ossl, Auth::Fingerprint(_)) => format!(
            "net_ossl:TLS session terminated with remote syslog server '{ip}': Fingerprint check failed, not \
             permitted to talk to {text}"
        ),
        (Driver::Ossl, _) => format!(
            "net_ossl:TLS session terminated with remote syslog server: peer name not authorized, not permitted to \
             talk to {text}(peer '{ip}')"
        ),
        (Driver::Gtls, Auth::Fingerprint(_)) => format!(
            "error: peer fingerprint '{text}' unknown - we are not permitted to talk to it (peer '{ip}')"
        ),
        (Driver::Gtls, _) => format!(
            "error: peer name not authorized -  not permitted to talk to it. Names: {text}(peer '{ip}')"
        ),
    };
    Err(Refusal::line(NOT_PERMITTED, text))
}

/// Whether a pin is that of a certificate in the verified chain, or of its public key.
fn has_pin(settings: &Settings, ssl: &SslRef) -> bool {
    let is_pinned = |certificate: &X509Ref| {
        let key = certificate.public_key().and_then(|key| key.public_key_to_der());
        [certificate.to_der(), key]
            .into_iter()
            .flatten()
            .any(|der| settings.pins.contains(&sha256(&der)))
    };
    ssl.verified_chain().is_some_and(|chain| chain.iter().any(is_pinned))
}

fn no_certificate(driver: Driver, ip: &dyn Display) -> Refusal {
    let text = match driver {
        Driver::Ossl => format!(
            "net_ossl:TLS session terminated with remote syslog server '{ip}': Peer check failed, peer did not \
             provide a certificate."
        ),
        Driver::Gtls => {
            format!("error: peer {ip} did not provide a certificate, not permitted to talk to it")
        }
    };
    Refusal::line(NO_CERTIFICATE, text)
}

/// A certificate that OpenSSL did not let pass. Of one that has ended or was revoked the reference says so while it looks
/// at the chain, in words of their own.
pub(super) fn invalid(driver: Driver, ip: &dyn Display, error: i32, reason: &str) -> Refusal {
    let (code, invalid) = match error {
        EXPIRED => (CERT_EXPIRED, Some("certificate expired")),
        REVOKED => (CERT_REVOKED, Some("certificate revoked")),
        _ => (CERT_INVALID, None),
    };
    let talk = "not permitted to talk to peer";
    let cause = match (driver, invalid) {
        (_, Some(why)) => format!("{talk} '{ip}', certificate invalid: {why}"),
        (Driver::Gtls, None) => format!("{talk} '{ip}', certificate invalid: {reason}"),
        (Driver::Ossl, None) => format!("{talk}, certificate validation failed: {reason}"),
    };
    let text = match driver {
        Driver::Ossl => {
            format!("net_ossl:TLS session terminated with remote syslog server '{ip}': {cause}")
        }
        Driver::Gtls => cause,
    };
    Refusal::line(code, text)
}

fn is_expired(certificate: &X509Ref) -> bool {
    // A time that cannot be compared is no excuse.
    let order = Asn1Time::days_from_now(0).and_then(|now| certificate.not_after().compare(&now));
    order.map_or(true, |order| order == Ordering::Less)
}

/// `X509_V_ERR_CERT_REVOKED`.
pub(super) const REVOKED: i32 = 23;
/// What OpenSSL says of [`EXPIRED`].
const EXPIRED_TEXT: &str = "certificate has expired";

// Return codes of the reference.
const NO_CERTIFICATE: u16 = 2085;
const NOT_PERMITTED: u16 = 2088;
const CERT_INVALID: u16 = 2090;
const CERT_EXPIRED: u16 = 2092;
pub(super) const CERT_REVOKED: u16 = 2334;

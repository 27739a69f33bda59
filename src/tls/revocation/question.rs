//! One question to a responder, and the judgement of what it answers.

use std::time::Duration;

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::ocsp::{
    OcspBasicResponse, OcspCertId, OcspCertStatus, OcspFlag, OcspRequest, OcspResponse,
    OcspResponseStatus, OcspRevokedStatus,
};
use openssl::sha::Sha256;
use openssl::ssl::SslRef;
use openssl::stack::Stack;
use openssl::x509::{X509, X509Ref, X509VerifyResult};
use ureq::Agent;

use super::checker::Answer;
use crate::limits;
use crate::sys::ocsp::{Nonce, add_nonce, compare_nonce, seconds_until};
use crate::tls::context::{Context, reason};
use crate::tls::peer::show_subject;
use crate::tls::verdict::CERT_REVOKED;

/// What a question is known by: a digest of the certificate and its issuer's key.
pub(super) type Key = [u8; 32];

/// About one certificate.
pub(super) struct Question {
    pub(super) key: Key,
    certificate: X509,
    issuer: X509,
    /// As messages show it.
    name: String,
    /// `http` URLs, at least one.
    responders: Vec<String>,
    /// The peer's chain: who signs the answer may be vouched for by it.
    chain: Vec<X509>,
    /// Whom we believe.
    context: Context,
}

/// A question's answer, and how long it may be relied on.
pub(super) struct Judged {
    pub(super) answer: Answer,
    pub(super) keep: Duration,
}

/// What has to be asked about a peer.
///
/// # Errors
/// What cannot be asked, but would have to be.
pub(super) fn questions(ssl: &SslRef, context: &Context) -> Result<Vec<Question>, String> {
    let chain: Vec<X509> = match (ssl.verified_chain(), ssl.peer_certificate()) {
        (Some(chain), _) => chain.iter().map(X509Ref::to_owned).collect(),
        (None, Some(certificate)) => vec![certificate],
        (None, None) => return Err("OCSP: there is no certificate to ask about".to_owned()),
    };
    let about = |index| Question::about(&chain, index, context).transpose();
    (0..chain.len()).filter_map(about).collect()
}

/// The responders that a certificate names; `None` where it names none, empty where we can use none of them.
fn responders(certificate: &X509Ref) -> Option<Vec<String>> {
    let places = certificate.authority_info()?;
    let mut named = places.iter().filter(|place| place.method().nid() == Nid::AD_OCSP).peekable();
    named.peek()?;
    let usable = named.filter_map(|place| place.location().uri());
    let usable = usable.filter(|url| url.starts_with("http://")).map(str::to_owned);
    Some(usable.take(limits::OCSP_RESPONDERS).collect())
}

impl Question {
    /// `None` where the certificate need not be asked about.
    fn about(chain: &[X509], index: usize, context: &Context) -> Result<Option<Self>, String> {
        let Some(certificate) = chain.get(index) else { return Ok(None) };
        let name = show_subject(certificate);
        let Some(responders) = responders(certificate) else {
            return match certificate.crl_distribution_points() {
                None => Ok(None),
                Some(_) => Err(format!(
                    "OCSP: {name} names a list of revoked certificates but no responder: CRL-only certificates can't \
                     be validated"
                )),
            };
        };
        if responders.is_empty() {
            return Err(format!("OCSP: none of the responders that {name} names is asked by http"));
        }
        let issuer = chain.get(index + 1).or(Some(certificate));
        let issuer = issuer
            .filter(|issuer| issuer.issued(certificate) == X509VerifyResult::OK)
            .cloned()
            .or_else(|| issuer_among_ours(certificate, context))
            .ok_or_else(|| format!("OCSP: Could not find any issuer for: \"{name}\""))?;
        let key = key(certificate, &issuer).map_err(|why| format!("OCSP: {}", reason(&why)))?;
        let (certificate, chain, context) = (certificate.clone(), chain.to_vec(), context.clone());
        Ok(Some(Self { key, certificate, issuer, name, responders, chain, context }))
    }

    /// Whose certificates wait for each other: host and port of the first responder.
    pub(super) fn responder(&self) -> &str {
        let first = self.responders.first().map_or("", String::as_str);
        first.trim_start_matches("http://").split('/').next().unwrap_or_default()
    }

    /// Asks one responder after the other, until one of them knows. Waits for them.
    pub(super) fn ask(&self, agent: &Agent) -> Judged {
        let mut last = String::new();
        for url in &self.responders {
            match self.ask_one(agent, url) {
                Ok(judged) => return judged,
                Err(why) => {
                    last = format!("OCSP: no usable answer about {} from {url}: {why}", self.name);
                }
            }
        }
        Judged { answer: Answer::Bad(None, last), keep: Duration::ZERO }
    }

    fn ask_one(&self, agent: &Agent, url: &str) -> Result<Judged, String> {
        let (request, body) = self.request().map_err(|why| reason(&why))?;
        let response = agent
            .post(url)
            .header("Content-Type", "application/ocsp-request")
            .send(&body)
            .map_err(|why| why.to_string())?;
        // Redirections are not followed; others are errors already.
        if response.status() != 200 {
            return Err(format!("http status: {}", response.status().as_u16()));
        }
        let mut body = response.into_body();
        let answer = body.with_config().limit(limits::OCSP_ANSWER_BYTES).read_to_vec();
        self.judge(&request, &answer.map_err(|why| why.to_string())?)
    }

    fn id(&self) -> Result<OcspCertId, ErrorStack> {
        // The digest that responders know; it only names the certificate.
        OcspCertId::from_cert(MessageDigest::sha1(), &self.certificate, &self.issuer)
    }

    fn request(&self) -> Result<(OcspRequest, Vec<u8>), ErrorStack> {
        let mut request = OcspRequest::new()?;
        request.add_id(self.id()?)?;
        add_nonce(&mut request)?;
        let body = request.to_der()?;
        Ok((request, body))
    }

    fn judge(&self, request: &OcspRequest, answer: &[u8]) -> Result<Judged, String> {
        let response = OcspResponse::from_der(answer).map_err(|_| "it is no OCSP response")?;
        if response.status() != OcspResponseStatus::SUCCESSFUL {
            return Err(format!("Response status: {}", show_status(response.status())));
        }
        let basic = response.basic().map_err(|_| "Failed to decode the basic OCSP response")?;
        match compare_nonce(request, &basic) {
            Nonce::Equal => {}
            Nonce::Absent => log::debug!(
                "no nonce in the OCSP response about {}: no protection against replay",
                self.name
            ),
            Nonce::Other => return Err("Nonce mismatch in OCSP response".to_owned()),
        }
        self.verify(&basic)
            .map_err(|why| format!("OCSP response verification failed: {}", reason(&why)))?;
        let id = self.id().map_err(|why| reason(&why))?;
        let status = basic.find_status(&id).ok_or("it says nothing about the certificate")?;
        status
            .check_validity(limits::OCSP_LEEWAY_SECS, None)
            .map_err(|_| "OCSP response is not valid (either expired or not yet valid)")?;
        let most = limits::OCSP_KEEP_MAX.as_secs();
        let keep = match status.next_update() {
            None => limits::OCSP_KEEP_DEFAULT,
            Some(time) => {
                let seconds = seconds_until(time).unwrap_or(0);
                Duration::from_secs(u64::try_from(seconds).unwrap_or(0).min(most))
            }
        };
        match status.status {
            OcspCertStatus::GOOD => Ok(Judged { answer: Answer::Good, keep }),
            OcspCertStatus::REVOKED => {
                let why = show_reason(status.reason);
                let text = format!(
                    "OCSP: Certificate status is REVOKED for: {} (reason: {why})",
                    self.name
                );
                Ok(Judged { answer: Answer::Bad(Some(CERT_REVOKED), text), keep })
            }
            // Another responder may know more.
            _ => Err("Certificate status is UNKNOWN".to_owned()),
        }
    }

    /// Whether who signed the answer may: the issuer, or whom it has entitled to.
    fn verify(&self, basic: &OcspBasicResponse) -> Result<(), ErrorStack> {
        let mut chain = Stack::new()?;
        for certificate in &self.chain {
            chain.push(certificate.clone())?;
        }
        basic.verify(&chain, self.context.cert_store(), OcspFlag::empty())
    }
}

fn issuer_among_ours(certificate: &X509Ref, context: &Context) -> Option<X509> {
    let known = context.cert_store().all_certificates();
    known
        .iter()
        .find(|known| known.issued(certificate) == X509VerifyResult::OK)
        .map(X509Ref::to_owned)
}

fn key(certificate: &X509Ref, issuer: &X509Ref) -> Result<Key, ErrorStack> {
    let mut digest = Sha256::new();
    digest.update(&certificate.digest(MessageDigest::sha256())?);
    digest.update(&issuer.public_key()?.public_key_to_der()?);
    Ok(digest.finish())
}

/// RFC 6960 section 4.2.1.
fn show_status(status: OcspResponseStatus) -> &'static str {
    match status {
        OcspResponseStatus::MALFORMED_REQUEST => "Malformed request",
        OcspResponseStatus::INTERNAL_ERROR => "Internal error in OCSP responder",
        OcspResponseStatus::TRY_LATER => "Try again later",
        OcspResponseStatus::SIG_REQUIRED => "Must sign the request",
        OcspResponseStatus::UNAUTHORIZED => "Request unauthorized",
        _ => "Unknown Response Status",
    }
}

/// RFC 5280 section 5.3.1.
fn show_reason(reason: OcspRevokedStatus) -> &'static str {
    match reason {
        OcspRevokedStatus::UNSPECIFIED => "unspecified",
        OcspRevokedStatus::KEY_COMPROMISE => "keyCompromise",
        OcspRevokedStatus::CA_COMPROMISE => "cACompromise",
        OcspRevokedStatus::AFFILIATION_CHANGED => "affiliationChanged",
        OcspRevokedStatus::STATUS_SUPERSEDED => "superseded",
        OcspRevokedStatus::STATUS_CESSATION_OF_OPERATION => "cessationOfOperation",
        OcspRevokedStatus::STATUS_CERTIFICATE_HOLD => "certificateHold",
        OcspRevokedStatus::REMOVE_FROM_CRL => "removeFromCRL",
        _ => "(UNKNOWN)",
    }
}

//! Certificates made for a test, by OpenSSL.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use openssl::asn1::{Asn1Integer, Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Extension, X509NameBuilder};

/// A certificate and its key, and who signed it where that is no root.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) certificate: X509,
    pub(crate) key: PKey<Private>,
    pub(crate) chain: Vec<X509>,
}

/// What a certificate is to say.
#[derive(Clone, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) common_name: Option<&'a str>,
    pub(crate) dns: Vec<String>,
    pub(crate) addresses: Vec<IpAddr>,
    /// It ended a day ago.
    pub(crate) expired: bool,
    /// It is a server's and no client's.
    pub(crate) server_only: bool,
    pub(crate) authority: bool,
    /// Its key is RSA's, not of a curve.
    pub(crate) rsa: bool,
    pub(crate) serial: u32,
    /// URLs of OCSP responders.
    pub(crate) responders: Vec<String>,
    /// The URL of a list of revoked certificates.
    pub(crate) revocation_list: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    pub(crate) fn name(common_name: &'a str) -> Self {
        Self { common_name: Some(common_name), ..Self::default() }
    }

    pub(crate) fn dns(mut self, name: &str) -> Self {
        self.dns.push(name.to_owned());
        self
    }
}

impl Identity {
    /// A root that vouches for itself.
    pub(crate) fn root(name: &str) -> Self {
        let wanted = Wanted { authority: true, ..Wanted::name(name) };
        make(&wanted, None)
    }

    /// One that nobody but itself vouches for.
    pub(crate) fn own(wanted: &Wanted<'_>) -> Self {
        make(wanted, None)
    }

    /// One that this authority vouches for.
    pub(crate) fn issue(&self, wanted: &Wanted<'_>) -> Self {
        make(wanted, Some(self))
    }

    /// Writes `NAME.pem`, with the chain, and `NAME.key`.
    pub(crate) fn write(&self, dir: &Path, name: &str) {
        let mut pem = self.certificate.to_pem().expect("PEM");
        for certificate in &self.chain {
            pem.extend(certificate.to_pem().expect("PEM"));
        }
        fs::write(dir.join(format!("{name}.pem")), pem).expect("write");
        let key = self.key.private_key_to_pem_pkcs8().expect("PEM");
        fs::write(dir.join(format!("{name}.key")), key).expect("write");
    }

    /// As `permittedPeer` has it.
    pub(crate) fn fingerprint(&self, name: &str) -> String {
        let digest = match name {
            "SHA1" => MessageDigest::sha1(),
            _ => MessageDigest::sha256(),
        };
        let bytes = self.certificate.digest(digest).expect("digest");
        let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        format!("{name}:{}", hex.join(":"))
    }
}

fn make(wanted: &Wanted<'_>, issuer: Option<&Identity>) -> Identity {
    let key = if wanted.rsa {
        PKey::from_rsa(Rsa::generate(2048).expect("key")).expect("key")
    } else {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("curve");
        PKey::from_ec_key(EcKey::generate(&group).expect("key")).expect("key")
    };
    let mut name = X509NameBuilder::new().expect("name");
    if let Some(text) = wanted.common_name {
        name.append_entry_by_nid(Nid::COMMONNAME, text).expect("common name");
    }
    let name = name.build();
    let mut builder = X509::builder().expect("certificate");
    builder.set_version(2).expect("version");
    let serial = BigNum::from_u32(wanted.serial.max(1)).expect("number");
    builder.set_serial_number(&Asn1Integer::from_bn(&serial).expect("serial")).expect("serial");
    builder.set_subject_name(&name).expect("subject");
    let issuer_name = issuer.map_or(&*name, |issuer| issuer.certificate.subject_name());
    builder.set_issuer_name(issuer_name).expect("issuer");
    builder.set_pubkey(&key).expect("key");
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs())
        .expect("fits");
    let day = 24 * 60 * 60;
    let (from, to) =
        if wanted.expired { (now - 2 * day, now - day) } else { (now - day, now + day) };
    builder.set_not_before(&Asn1Time::from_unix(from).expect("time")).expect("from");
    builder.set_not_after(&Asn1Time::from_unix(to).expect("time")).expect("to");
    if wanted.authority {
        let constraints = BasicConstraints::new().critical().ca().build().expect("constraints");
        builder.append_extension(constraints).expect("constraints");
    }
    if wanted.server_only {
        let usage = ExtendedKeyUsage::new().server_auth().build().expect("usage");
        builder.append_extension(usage).expect("usage");
    }
    if !wanted.dns.is_empty() || !wanted.addresses.is_empty() {
        let mut names = SubjectAlternativeName::new();
        for dns in &wanted.dns {
            names.dns(dns);
        }
        for address in &wanted.addresses {
            names.ip(&address.to_string());
        }
        let context = builder.x509v3_context(issuer.map(|issuer| &*issuer.certificate), None);
        let names = names.build(&context).expect("names");
        builder.append_extension(names).expect("names");
    }
    if !wanted.responders.is_empty() {
        let describe = |url: &String| der(0x30, &[OCSP, &der(0x86, url.as_bytes())].concat());
        let places: Vec<u8> = wanted.responders.iter().flat_map(describe).collect();
        append(&mut builder, "1.3.6.1.5.5.7.1.1", &der(0x30, &places));
    }
    if let Some(url) = wanted.revocation_list {
        let point = der(0xa0, &der(0xa0, &der(0x86, url.as_bytes())));
        append(&mut builder, "2.5.29.31", &der(0x30, &der(0x30, &point)));
    }
    let signer = issuer.map_or(&key, |issuer| &issuer.key);
    builder.sign(signer, MessageDigest::sha256()).expect("sign");
    let mut chain = Vec::new();
    if let Some(issuer) = issuer.filter(|issuer| !issuer.chain.is_empty() || !is_root(issuer)) {
        chain.push(issuer.certificate.clone());
        chain.extend(issuer.chain.iter().cloned());
    }
    Identity { certificate: builder.build(), key, chain }
}

/// The object identifier id-ad-ocsp, encoded.
const OCSP: &[u8] = &[0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01];

/// An element of DER.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = u16::try_from(content.len()).expect("short").to_be_bytes();
    [&[tag, 0x82], &len[..], content].concat()
}

fn append(builder: &mut X509Builder, name: &str, content: &[u8]) {
    let name = Asn1Object::from_str(name).expect("object");
    let content = Asn1OctetString::new_from_bytes(content).expect("string");
    let extension = X509Extension::new_from_der(&name, false, &content).expect("extension");
    builder.append_extension(extension).expect("extension");
}

fn is_root(identity: &Identity) -> bool {
    identity.certificate.verify(&identity.key).unwrap_or(false)
}

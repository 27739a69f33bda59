//! Which certificates are let in: `permittedPeer` as fingerprints or as names.
//!
//! A name on the list may have wildcards. It is compared label by label, from one dot to the next: `*` stands for any
//! label, `*x` and `x*` for one that ends or begins so; both names have the same number of labels. Names in a
//! certificate are taken as they are: an asterisk there stands for itself. Letters of ASCII are equal in both cases.
//!
//! Every byte of a certificate is its owner's: a name with a byte that no host name has, such as NUL, is no name.

use std::net::IpAddr;

use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::x509::{X509NameEntryRef, X509NameRef, X509Ref};

/// Digests of certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprints(Vec<Fingerprint>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Fingerprint {
    digest: Digest,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Digest {
    Sha1,
    Sha256,
}

impl Digest {
    const ALL: [(&str, Self, usize); 2] = [("SHA1", Self::Sha1, 20), ("SHA256", Self::Sha256, 32)];

    fn of(self, certificate: &X509Ref) -> Vec<u8> {
        let digest = match self {
            Self::Sha1 => MessageDigest::sha1(),
            Self::Sha256 => MessageDigest::sha256(),
        };
        certificate.digest(digest).map(|bytes| bytes.to_vec()).unwrap_or_default()
    }
}

impl Fingerprints {
    /// Reads entries such as `SHA1:AA:BB:…` and `SHA256:AA:…`, upper or lower case.
    ///
    /// # Errors
    /// The entry that is none.
    pub fn parse(entries: &[Vec<u8>]) -> Result<Self, String> {
        let parse = |entry: &Vec<u8>| {
            let text = String::from_utf8_lossy(entry);
            fingerprint(&text).ok_or_else(|| text.into_owned())
        };
        entries.iter().map(parse).collect::<Result<_, _>>().map(Self)
    }

    /// Whether the certificate is on the list.
    #[must_use]
    pub fn permit(&self, certificate: &X509Ref) -> bool {
        let digests = Digest::ALL.map(|(_, digest, _)| (digest, digest.of(certificate)));
        self.0.iter().any(|permitted| {
            digests
                .iter()
                .any(|(digest, bytes)| permitted.digest == *digest && permitted.bytes == *bytes)
        })
    }
}

fn fingerprint(text: &str) -> Option<Fingerprint> {
    let (name, digits) = text.split_once(':')?;
    let (_, digest, len) =
        Digest::ALL.into_iter().find(|(known, ..)| known.eq_ignore_ascii_case(name))?;
    let byte = |pair: &str| match pair.len() {
        2 => u8::from_str_radix(pair, 16).ok(),
        _ => None,
    };
    let bytes: Vec<u8> = digits.split(':').map(byte).collect::<Option<_>>()?;
    (bytes.len() == len).then_some(Fingerprint { digest, bytes })
}

/// A certificate's SHA-1 fingerprint, as the list has it: for messages.
#[must_use]
pub fn show_fingerprint(certificate: &X509Ref) -> String {
    use std::fmt::Write as _;
    let mut text = "SHA1".to_owned();
    for byte in Digest::Sha1.of(certificate) {
        let _ = write!(text, ":{byte:02X}");
    }
    text
}

/// Names of peers, with wildcards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(Vec<Pattern>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    /// No wildcard, in lower case, and as an address where it is one.
    Plain(Vec<u8>, Option<IpAddr>),
    Labels(Vec<Label>),
}

/// One label of a pattern, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Label {
    Any,
    Is(Vec<u8>),
    Begins(Vec<u8>),
    Ends(Vec<u8>),
}

impl Names {
    /// Reads the list.
    ///
    /// # Errors
    /// The entry with an asterisk in the middle of a label.
    pub fn parse(entries: &[Vec<u8>]) -> Result<Self, String> {
        let parse = |entry: &Vec<u8>| {
            Pattern::parse(entry).ok_or_else(|| String::from_utf8_lossy(entry).into_owned())
        };
        entries.iter().map(parse).collect::<Result<_, _>>().map(Self)
    }

    /// Whether nobody is on the list.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The name of one host, which is no pattern.
    #[must_use]
    pub fn of_host(host: &str) -> Self {
        let name = host.to_ascii_lowercase();
        let address = name.parse().ok();
        Self(vec![Pattern::Plain(name.into_bytes(), address)])
    }

    /// Whether a name of the certificate is on the list: its subject alternative names, then its common name unless
    /// those have `priority` and there are some, then its whole subject (`/C=…/CN=…`).
    #[must_use]
    pub fn permit(&self, certificate: &X509Ref, priority: bool) -> bool {
        let alternatives = alternative_names(certificate);
        let has_alternatives = !alternatives.is_empty();
        if alternatives.iter().any(|name| self.has(name)) {
            return true;
        }
        let subject = certificate.subject_name();
        let common = (!(priority && has_alternatives)).then(|| common_name(subject)).flatten();
        common.is_some_and(|name| self.has(&Name::Text(name)))
            || one_line(subject).is_some_and(|line| self.has_subject(&line))
    }

    fn has(&self, name: &Name) -> bool {
        self.0.iter().any(|pattern| pattern.matches(name))
    }

    fn has_subject(&self, line: &[u8]) -> bool {
        self.0.iter().any(
            |pattern| matches!(pattern, Pattern::Plain(text, _) if text.eq_ignore_ascii_case(line)),
        )
    }
}

impl Pattern {
    fn parse(entry: &[u8]) -> Option<Self> {
        let text = entry.to_ascii_lowercase();
        if !text.contains(&b'*') {
            let address = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
            return Some(Self::Plain(text, address));
        }
        text.split(|byte| *byte == b'.').map(Label::parse).collect::<Option<_>>().map(Self::Labels)
    }

    fn matches(&self, name: &Name) -> bool {
        match (self, name) {
            (Self::Plain(_, Some(address)), Name::Address(other)) => address == other,
            (Self::Plain(text, _), Name::Text(name)) => name == text,
            (Self::Labels(labels), Name::Text(name)) => in_labels(labels, name),
            (Self::Labels(labels), Name::Address(address)) => {
                in_labels(labels, address.to_string().as_bytes())
            }
            (Self::Plain(_, None), Name::Address(_)) | (_, Name::Unusable) => false,
        }
    }
}

fn in_labels(labels: &[Label], name: &[u8]) -> bool {
    let mut parts = name.split(|byte| *byte == b'.');
    labels.iter().all(|label| parts.next().is_some_and(|part| label.matches(part)))
        && parts.next().is_none()
}

impl Label {
    fn parse(text: &[u8]) -> Option<Self> {
        let label = match text {
            b"*" => Self::Any,
            [b'*', rest @ ..] => Self::Ends(rest.to_vec()),
            [rest @ .., b'*'] => Self::Begins(rest.to_vec()),
            _ => Self::Is(text.to_vec()),
        };
        match &label {
            Self::Is(rest) | Self::Begins(rest) | Self::Ends(rest) if rest.contains(&b'*') => None,
            _ => Some(label),
        }
    }

    fn matches(&self, part: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Is(text) => part == text,
            Self::Begins(text) => part.starts_with(text),
            Self::Ends(text) => part.ends_with(text),
        }
    }
}

/// A name of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    /// In lower case; graphic ASCII.
    Text(Vec<u8>),
    Address(IpAddr),
    /// Not a name that a host can have; there all the same.
    Unusable,
}

/// DNS names and addresses of the subject; a mail address, a URI or a directory name is no peer's name.
fn alternative_names(certificate: &X509Ref) -> Vec<Name> {
    let Some(names) = certificate.subject_alt_names() else { return Vec::new() };
    let mut found = Vec::new();
    for name in &names {
        if let Some(bytes) = name.ipaddress() {
            found.push(address(bytes).map_or(Name::Unusable, Name::Address));
        } else if let Some(text) = name.dnsname() {
            found.push(usable(text.as_bytes()).map_or(Name::Unusable, Name::Text));
        } else if name.email().or(name.uri()).is_none() && name.directory_name().is_none() {
            found.push(Name::Unusable);
        }
    }
    found
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    v4().or_else(|| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from))
}

/// The first common name.
fn common_name(subject: &X509NameRef) -> Option<Vec<u8>> {
    let entry = subject.entries_by_nid(Nid::COMMONNAME).next()?;
    usable(entry.data().to_string().ok()?.as_bytes())
}

/// In lower case, if it consists of what names consist of.
fn usable(name: &[u8]) -> Option<Vec<u8>> {
    let plain = !name.is_empty() && name.iter().all(|byte| matches!(byte, b' '..=b'~'));
    plain.then(|| name.to_ascii_lowercase())
}

/// The subject as `/C=AT/O=Example/CN=name`; `None` where a value could pass for another entry.
fn one_line(subject: &X509NameRef) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    for entry in subject.entries() {
        let value = usable(entry.data().to_string().ok()?.as_bytes())?;
        if value.contains(&b'/') {
            return None;
        }
        line.push(b'/');
        line.extend_from_slice(entry.object().nid().short_name().ok()?.as_bytes());
        line.push(b'=');
        line.extend_from_slice(&value);
    }
    Some(line)
}

/// The names of a certificate as messages show them: the first few, without bytes that upset a terminal.
#[must_use]
pub fn show_names(certificate: &X509Ref) -> String {
    let mut names = Vec::new();
    let show =
        |text: &str| text.chars().take(NAME_CHARS).collect::<String>().escape_debug().to_string();
    if let Some(alternatives) = certificate.subject_alt_names() {
        for name in alternatives.iter().take(NAMES_SHOWN) {
            if let Some(text) = name.dnsname() {
                names.push(format!("DNSname: {}", show(text)));
            } else if let Some(address) = name.ipaddress().and_then(address) {
                names.push(format!("IPaddress: {address}"));
            }
        }
        if alternatives.len() > NAMES_SHOWN {
            names.push(format!("and {} more", alternatives.len() - NAMES_SHOWN));
        }
    }
    let common = certificate.subject_name().entries_by_nid(Nid::COMMONNAME).next();
    if let Some(text) = common.and_then(|entry| entry.data().to_string().ok()) {
        names.push(format!("CN: {}", show(&text)));
    }
    names.iter().map(|name| format!("{name}; ")).collect()
}

/// The subject of a certificate as messages show it, e.g. `/O=Example/CN=name`.
#[must_use]
pub fn show_subject(certificate: &X509Ref) -> String {
    let entry = |entry: &X509NameEntryRef| {
        let key = entry.object().nid().short_name().unwrap_or("?");
        let value = entry.data().to_string().unwrap_or_default();
        let value = value.chars().take(NAME_CHARS).collect::<String>();
        format!("/{key}={}", value.escape_debug())
    };
    certificate.subject_name().entries().take(NAMES_SHOWN).map(entry).collect()
}

/// Names that a message shows.
const NAMES_SHOWN: usize = 8;
/// Characters of each that it shows.
const NAME_CHARS: usize = 128;

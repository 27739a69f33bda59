//! The cheapest client that a TLS 1.3 server takes for one: it shakes hands, says one line and leaves.
//!
//! A client on OpenSSL takes more CPU than the server that it is to measure, on the same cores. This one does what the
//! server would notice and no more: a thread's X25519 key serves all its handshakes, and it believes what it is told,
//! so the certificate is not parsed, and neither its signature nor the server's Finished is verified. What it sends is
//! right: a server takes the line only after a Finished that is. (RFC 8446, one cipher suite, one group.)

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use openssl::derive::Deriver;
use openssl::pkey::{Id, PKey, Private};
use openssl::sha::{Sha384, sha384};
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};

/// Bytes of SHA-384.
const HASH: usize = 48;
/// Bytes of a GCM tag.
const TAG: usize = 16;
/// Bytes of a record's header.
const HEADER: usize = 5;

// Types of records.
const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const APPLICATION: u8 = 23;
/// The type of a handshake message.
const FINISHED: u8 = 20;

type Hash = [u8; HASH];

/// What the handshakes of one thread have in common.
pub(crate) struct Client {
    key: PKey<Private>,
    /// The ClientHello, without its record's header.
    hello: Vec<u8>,
    /// What a handshake's secrets begin with: there is no shared key of an earlier one.
    early: Hash,
    port: u16,
}

impl Client {
    pub(crate) fn new(port: u16) -> Self {
        let key = PKey::generate_x25519().expect("X25519");
        let hello = hello(&key.raw_public_key().expect("public key"));
        let early = hmac(&[0; HASH], &[&[0; HASH]]);
        Self { key, hello, early: expand(&early, "derived", &sha384(b"")), port }
    }

    /// One connection.
    pub(crate) fn say(&self, line: &[u8]) -> io::Result<()> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut records = Records { stream, buffer: Vec::with_capacity(8192), taken: 0 };
        records.stream.write_all(&record(HANDSHAKE, &self.hello))?;

        let mut transcript = Sha384::new();
        transcript.update(&self.hello);
        let (kind, server_hello) = records.next()?;
        let share = if kind == HANDSHAKE { key_share(&server_hello) } else { None };
        let share = share.ok_or_else(|| io::Error::other("no ServerHello"))?;
        transcript.update(&server_hello);
        let secret = hmac(&self.early, &[&self.shared(share)?]);
        let so_far = transcript.clone().finish();
        let client = expand(&secret, "c hs traffic", &so_far);
        let server = Keys::new(&expand(&secret, "s hs traffic", &so_far));

        self.read_flight(&mut records, &server, &mut transcript)?;
        let so_far = transcript.finish();
        let finished = hmac(&expand(&client, "finished", b""), &[&so_far]);
        let mut message = vec![FINISHED, 0, 0, 48];
        message.extend_from_slice(&finished);
        let mut out = Keys::new(&client).seal(HANDSHAKE, message)?;
        let master = hmac(&expand(&secret, "derived", &sha384(b"")), &[&[0; HASH]]);
        let traffic = Keys::new(&expand(&master, "c ap traffic", &so_far));
        out.extend(traffic.seal(APPLICATION, line.to_vec())?);
        records.stream.write_all(&out)
    }

    fn shared(&self, share: &[u8]) -> io::Result<Vec<u8>> {
        let peer = PKey::public_key_from_raw_bytes(share, Id::X25519)?;
        let mut deriver = Deriver::new(&self.key)?;
        deriver.set_peer(&peer)?;
        Ok(deriver.derive_to_vec()?)
    }

    /// Everything up to the server's Finished goes into the transcript.
    fn read_flight(
        &self,
        records: &mut Records,
        keys: &Keys,
        transcript: &mut Sha384,
    ) -> io::Result<()> {
        let (mut flight, mut at, mut sequence) = (Vec::new(), 0, 0);
        loop {
            let (kind, sealed) = records.next()?;
            if kind == CHANGE_CIPHER_SPEC {
                continue;
            }
            flight.extend(keys.open(sequence, &sealed)?);
            sequence += 1;
            while let Some([kind, high, middle, low]) = flight.get(at..at + 4) {
                let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
                if flight.len() < at + 4 + length {
                    break;
                }
                let is_last = *kind == FINISHED;
                at += 4 + length;
                if is_last {
                    transcript.update(&flight[..at]);
                    return Ok(());
                }
            }
        }
    }
}

/// The records of a connection.
struct Records {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Bytes of the buffer that have been handed out.
    taken: usize,
}

impl Records {
    /// Type and content of the next one.
    fn next(&mut self) -> io::Result<(u8, Vec<u8>)> {
        loop {
            let rest = &self.buffer[self.taken..];
            if let Some([kind, _, _, high, low]) = rest.get(..HEADER) {
                let end = HEADER + usize::from(u16::from_be_bytes([*high, *low]));
                if let Some(content) = rest.get(HEADER..end) {
                    let found = (*kind, content.to_vec());
                    self.taken += end;
                    return Ok(found);
                }
            }
            let mut more = [0; 8192];
            let len = self.stream.read(&mut more)?;
            if len == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.buffer.extend_from_slice(&more[..len]);
        }
    }
}

/// The keys of one direction.
struct Keys {
    key: [u8; 32],
    iv: [u8; 12],
}

impl Keys {
    fn new(secret: &Hash) -> Self {
        Self { key: expand(secret, "key", b""), iv: expand(secret, "iv", b"") }
    }

    fn nonce(&self, sequence: u64) -> [u8; 12] {
        let mut nonce = self.iv;
        for (byte, other) in nonce[4..].iter_mut().zip(sequence.to_be_bytes()) {
            *byte ^= other;
        }
        nonce
    }

    /// The first record of this direction.
    fn seal(&self, kind: u8, mut content: Vec<u8>) -> io::Result<Vec<u8>> {
        content.push(kind);
        let mut out = header(APPLICATION, content.len() + TAG).to_vec();
        let (mut tag, nonce) = ([0; TAG], self.nonce(0));
        let cipher = Cipher::aes_256_gcm();
        let sealed = encrypt_aead(cipher, &self.key, Some(&nonce), &out, &content, &mut tag)?;
        out.extend(sealed);
        out.extend(tag);
        Ok(out)
    }

    /// The content of a record of the handshake, without its type.
    fn open(&self, sequence: u64, sealed: &[u8]) -> io::Result<Vec<u8>> {
        let header = header(APPLICATION, sealed.len());
        let (text, tag) = sealed.split_at(sealed.len().saturating_sub(TAG));
        let nonce = self.nonce(sequence);
        let cipher = Cipher::aes_256_gcm();
        let mut content = decrypt_aead(cipher, &self.key, Some(&nonce), &header, text, tag)?;
        match content.pop() {
            Some(HANDSHAKE) => Ok(content),
            kind => Err(io::Error::other(format!("a record of type {kind:?} in the handshake"))),
        }
    }
}

fn header(kind: u8, len: usize) -> [u8; HEADER] {
    let [high, low] = u16::try_from(len).expect("a record").to_be_bytes();
    [kind, 3, 3, high, low]
}

fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    [&header(kind, content.len()), content].concat()
}

/// A ClientHello as OpenSSL's, but for what it leaves to choose.
fn hello(public: &[u8]) -> Vec<u8> {
    let extension = |number: u8, content: &[u8]| {
        let len = u8::try_from(content.len()).expect("short");
        [&[0, number, 0, len], content].concat()
    };
    let extensions = [
        extension(43, &[2, 3, 4]),                // supported_versions: TLS 1.3
        extension(10, &[0, 2, 0, 0x1d]),          // supported_groups: x25519
        extension(13, &[0, 6, 8, 4, 4, 3, 8, 5]), // signature_algorithms: RSA-PSS, ECDSA
        extension(45, &[1, 1]),                   // psk_key_exchange_modes: tickets are welcome
        extension(51, &[&[0, 36, 0, 0x1d, 0, 32], public].concat()), // key_share
    ]
    .concat();
    let mut body = vec![3, 3];
    body.extend([7; 32]); // random
    body.push(0); // session id
    body.extend([0, 2, 0x13, 2]); // TLS_AES_256_GCM_SHA384
    body.extend([1, 0]); // no compression
    body.extend(u16::try_from(extensions.len()).expect("short").to_be_bytes());
    body.extend(extensions);
    let [_, high, middle, low] = u32::try_from(body.len()).expect("short").to_be_bytes();
    [&[1, high, middle, low], &body[..]].concat()
}

/// The server's X25519 share.
fn key_share(server_hello: &[u8]) -> Option<&[u8]> {
    // Type and length, version, random; then the session id.
    let mut at = 4 + 2 + 32;
    at += 1 + usize::from(*server_hello.get(at)?);
    // Cipher suite, compression, length of the extensions.
    at += 2 + 1 + 2;
    loop {
        let [high, low, high_len, low_len] = server_hello.get(at..at + 4)?.try_into().ok()?;
        let len = usize::from(u16::from_be_bytes([high_len, low_len]));
        let content = server_hello.get(at + 4..at + 4 + len)?;
        if [high, low] == [0, 51] {
            return content.strip_prefix(&[0, 0x1d, 0, 32]);
        }
        at += 4 + len;
    }
}

fn hmac(key: &Hash, parts: &[&[u8]]) -> Hash {
    /// Bytes of a block of SHA-384.
    const BLOCK: usize = 128;
    let pad = |byte: u8| {
        let mut pad = [byte; BLOCK];
        pad.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        let mut hash = Sha384::new();
        hash.update(&pad);
        hash
    };
    let (mut inner, mut outer) = (pad(0x36), pad(0x5c));
    parts.iter().for_each(|part| inner.update(part));
    outer.update(&inner.finish());
    outer.finish()
}

/// HKDF-Expand-Label.
fn expand<const N: usize>(secret: &Hash, label: &str, context: &[u8]) -> [u8; N] {
    let small = |len: usize| u8::try_from(len).expect("short");
    let lens = [0, small(N), small(label.len() + 6)];
    let whole =
        hmac(secret, &[&lens, b"tls13 ", label.as_bytes(), &[small(context.len())], context, &[1]]);
    let mut part = [0; N];
    part.copy_from_slice(&whole[..N]);
    part
}

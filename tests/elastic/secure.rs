//! HTTPS: a server with a certificate of our own making, that wants one of its client.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{SslAcceptor, SslFiletype, SslMethod, SslVerifyMode};
use openssl::symm::Cipher;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};

use super::config;
use crate::harness::bulk_server::spawn;
use crate::harness::daemon::{program, tempdir};
use crate::harness::{Daemon, send};

/// A key and a certificate for `name` with an address, signed by `issuer`, or by itself.
fn certificate(name: &str, issuer: Option<&(X509, PKey<Private>)>) -> (X509, PKey<Private>) {
    let key = PKey::from_rsa(Rsa::generate(2048).expect("a key")).expect("a key");
    let mut subject = X509NameBuilder::new().expect("a name");
    subject.append_entry_by_nid(Nid::COMMONNAME, name).expect("a name");
    let subject = subject.build();
    let mut builder = X509::builder().expect("a certificate");
    builder.set_version(2).expect("version");
    let serial = BigNum::from_u32(u32::try_from(name.len()).expect("short")).expect("a number");
    builder.set_serial_number(&serial.to_asn1_integer().expect("a number")).expect("serial");
    builder.set_subject_name(&subject).expect("subject");
    builder
        .set_issuer_name(issuer.map_or(&subject, |issuer| issuer.0.subject_name()))
        .expect("issuer");
    builder.set_pubkey(&key).expect("key");
    builder.set_not_before(&Asn1Time::days_from_now(0).expect("time")).expect("time");
    builder.set_not_after(&Asn1Time::days_from_now(2).expect("time")).expect("time");
    if issuer.is_none() {
        builder.append_extension(BasicConstraints::new().ca().build().expect("ca")).expect("ca");
    } else {
        let context = builder.x509v3_context(None, None);
        let names = SubjectAlternativeName::new().ip("127.0.0.1").build(&context).expect("names");
        builder.append_extension(names).expect("names");
    }
    builder.sign(issuer.map_or(&key, |issuer| &issuer.1), MessageDigest::sha256()).expect("signed");
    (builder.build(), key)
}

fn write(dir: &Path, name: &str, (certificate, key): &(X509, PKey<Private>)) {
    fs::write(dir.join(format!("{name}.pem")), certificate.to_pem().expect("PEM"))
        .expect("written");
    fs::write(dir.join(format!("{name}.key")), key.private_key_to_pem_pkcs8().expect("PEM"))
        .expect("written");
}

/// Takes one bulk request over TLS from a client with a certificate; returns its head, TLS version and cipher.
fn serve_once(dir: &Path) -> (u16, std::thread::JoinHandle<(String, String)>) {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).expect("TLS");
    acceptor.set_certificate_file(dir.join("server.pem"), SslFiletype::PEM).expect("certificate");
    acceptor.set_private_key_file(dir.join("server.key"), SslFiletype::PEM).expect("key");
    acceptor.set_ca_file(dir.join("ca.pem")).expect("ca");
    acceptor.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    let acceptor = acceptor.build();
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = listener.local_addr().expect("address").port();
    let thread = spawn(move || {
        loop {
            let (stream, _) = listener.accept().expect("a connection");
            let Ok(mut stream) = acceptor.accept(stream) else { continue };
            let ssl = stream.ssl();
            let cipher = ssl.current_cipher().map_or("", |cipher| cipher.name());
            let terms = format!("{} {cipher}", ssl.version_str());
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") {
                if stream.read(&mut byte).unwrap_or(0) == 0 {
                    break;
                }
                request.push(byte[0]);
            }
            let head = String::from_utf8(request).expect("ASCII");
            let length =
                |line: &str| line.strip_prefix("content-length: ").and_then(|n| n.parse().ok());
            let length = head.to_ascii_lowercase().lines().find_map(length).unwrap_or(0);
            stream.read_exact(&mut vec![0; length]).expect("the body");
            let reply = r#"{"errors":false,"items":[{"create":{"status":201}}]}"#;
            let answer =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{reply}", reply.len());
            stream.write_all(answer.as_bytes()).expect("written");
            if head.starts_with("POST") {
                return (head, terms);
            }
        }
    });
    (port, thread)
}

#[test]
fn both_ends_show_certificates() {
    let dir = tempdir();
    let authority = certificate("authority", None);
    write(dir.path(), "ca", &authority);
    write(dir.path(), "server", &certificate("server", Some(&authority)));
    let client = certificate("the client", Some(&authority));
    write(dir.path(), "client", &client);
    let locked =
        client.1.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"open sesame");
    fs::write(dir.path().join("client.key"), locked.expect("PEM")).expect("written");
    let (port, server) = serve_once(dir.path());
    let tls = r#"tls.caCert="{dir}/ca.pem" tls.myCert="{dir}/client.pem" tls.myPrivKey="{dir}/client.key"
        tls.keyPassphrase="open sesame" tls.tlsVersion="TLSv1.3" tls.cipherSuites="TLS_AES_128_GCM_SHA256"
        tls.keyExchangeGroups="P-256:X25519""#;
    let text = config(&format!("\"https://127.0.0.1:{port}\""), "", tls);
    let mut daemon = Daemon::start_program(&program(), &text, &["-d"], dir);
    let port = daemon.port("port");
    send::tcp(port, b"secret\n");
    let (head, terms) = server.join().expect("served");
    assert!(head.starts_with("POST /_bulk?"));
    assert_eq!(terms, "TLSv1.3 TLS_AES_128_GCM_SHA256");
    daemon.stop();
}

/// A server whose certificate nobody vouches for gets no document.
#[test]
fn a_stranger_is_refused() {
    let dir = tempdir();
    let authority = certificate("authority", None);
    write(dir.path(), "ca", &authority);
    let stranger = certificate("stranger", None);
    write(dir.path(), "other", &stranger);
    write(dir.path(), "server", &certificate("server", Some(&stranger)));
    let (port, _server) = serve_once(dir.path());
    let text = config(&format!("\"https://127.0.0.1:{port}\""), "", r#"tls.caCert="{dir}/ca.pem""#);
    // It would be tried for ever.
    let text = text.replace("queue.timeoutShutdown=\"120000\"", "queue.timeoutShutdown=\"10\"");
    let mut daemon = Daemon::start_program(&program(), &text, &["-d"], dir);
    let port = daemon.port("port");
    send::tcp(port, b"secret\n");
    daemon.wait_text("stderr", "certificate verify failed");
    daemon.stop_lossy();
}

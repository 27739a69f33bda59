//! Revocation asked by OCSP: of `openssl ocsp`, and of responders that answer late, wrongly or not at all.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use nix::sys::signal::Signal;
use openssl::ssl::SslVersion;

use super::client::{Client, Wire};
use super::{Site, counter, messages};
use crate::harness::bulk_server::{ClosedPort, spawn};
use crate::harness::daemon::reference;
use crate::harness::pki::{Identity, Wanted};
use crate::harness::{Stopped, send};

const CHECKED: &str =
    r#"streamDriver.authMode="x509/certvalid" streamDriver.TlsRevocationCheck="on""#;

/// Serial numbers that the responder knows.
const GOOD: u32 = 0x64;
const REVOKED: u32 = 0x65;
/// And one that it does not.
const UNKNOWN: u32 = 0x66;

/// A running `openssl ocsp`.
struct Responder {
    child: Child,
    url: String,
}

impl Responder {
    /// Answers in the name of the authority in `dir/NAME.pem`.
    fn start(dir: &Path, name: &str) -> Self {
        let index = "V\t491231235959Z\t\t64\tunknown\t/CN=x\n\
                     R\t491231235959Z\t251101000000Z,keyCompromise\t65\tunknown\t/CN=x\n";
        fs::write(dir.join("index"), index).expect("write");
        let mut child = Command::new("openssl")
            .args(["ocsp", "-port", "0", "-index", "index", "-nmin", "60"])
            .args(["-CA", &format!("{name}.pem"), "-rsigner", &format!("{name}.pem")])
            .args(["-rkey", &format!("{name}.key")])
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let accepts = output.lines().map_while(Result::ok).find(|line| line.starts_with("ACCEPT"));
        let line = accepts.expect("a port");
        let port = line.split([':', ' ']).find_map(|word| word.parse::<u16>().ok());
        let url = url(port.unwrap_or_else(|| panic!("{line}")));
        Self { child, url }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn url(port: u16) -> String {
    format!("http://localhost:{port}/status")
}

/// Takes questions, and answers each by `answer`, which gets the connection and the question's number.
fn responder(answer: impl Fn(TcpStream, usize) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let url = url(listener.local_addr().expect("address").port());
    spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            answer(stream, number);
        }
    });
    url
}

/// One that never answers; what it was asked on comes out of the channel.
fn silent() -> (String, Receiver<TcpStream>) {
    let (sender, receiver) = channel();
    let url = responder(move |stream, _| {
        let _ = sender.send(stream);
    });
    (url, receiver)
}

/// Reads a request: its header and its body.
fn request(stream: &TcpStream) -> Vec<u8> {
    let mut reader = BufReader::new(stream);
    let (mut header, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("read");
        header.extend_from_slice(line.as_bytes());
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("read");
    [header, body].concat()
}

/// What this responder says to that request.
fn ask(url: &str, request: &[u8]) -> Vec<u8> {
    let port = url.split([':', '/']).find_map(|word| word.parse().ok()).expect("a port");
    let mut stream = TcpStream::connect(("localhost", port)).expect("connect");
    stream.write_all(request).expect("write");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("read");
    answer
}

fn wanted(serial: u32, responders: &[&str]) -> Wanted<'static> {
    let responders = responders.iter().map(|url| (*url).to_owned()).collect();
    Wanted { serial, responders, ..Wanted::name("client") }
}

fn text(ended: &Stopped) -> String {
    ended.lines("own").join("\n")
}

#[test]
fn who_is_not_known_to_be_good_is_refused() {
    if reference() {
        return; // It reads answers by a call that OpenSSL 3.0 does not support, and lets in only who names no responder.
    }
    let site = Site::new();
    let responder = Responder::start(site.dir.path(), "ca");
    let here = responder.url.as_str();
    let nobody = ClosedPort::new();
    let dead = url(nobody.number());
    let issue = |wanted: Wanted<'_>| site.root.issue(&wanted);
    let list = Some("http://localhost/list");
    let authority = |serial| {
        let common_name = Some("authority");
        issue(Wanted { authority: true, common_name, ..wanted(serial, &[here]) })
    };
    let (good_authority, revoked_authority) = (authority(GOOD), authority(REVOKED));
    let clients = [
        ("good", issue(wanted(GOOD, &[here]))),
        ("no responder", issue(wanted(GOOD, &[]))),
        ("second", issue(wanted(GOOD, &[&dead, here]))),
        ("ftp, too", issue(wanted(GOOD, &["ftp://localhost/", here]))),
        ("good and list", issue(Wanted { revocation_list: list, ..wanted(GOOD, &[here]) })),
        ("below good", good_authority.issue(&wanted(1, &[]))),
        ("revoked", issue(wanted(REVOKED, &[here]))),
        ("unknown", issue(wanted(UNKNOWN, &[here]))),
        ("dead", issue(wanted(GOOD, &[&dead]))),
        ("https", issue(wanted(GOOD, &["https://localhost/"]))),
        ("only list", issue(Wanted { revocation_list: list, ..wanted(GOOD, &[]) })),
        ("below revoked", revoked_authority.issue(&wanted(1, &[]))),
    ];
    let welcome = &clients[..6];
    let (mut daemon, _) = site.start(&[CHECKED]);
    let port = daemon.port("port0");
    let versions = [("1.2", SslVersion::TLS1_2), ("1.3", SslVersion::TLS1_3)];
    for (name, identity) in &clients {
        for (suffix, version) in versions {
            let client = Client::new(Some(identity)).version(version).wire(Wire::Together);
            // Whether one that is refused notices is another matter.
            let _ = client.send(port, &format!("{name} {suffix}"));
        }
    }
    let ended = daemon.stop();
    let mut expected: Vec<_> = welcome
        .iter()
        .flat_map(|(name, _)| versions.map(|(suffix, _)| format!("<13>{name} {suffix}")))
        .collect();
    expected.sort_unstable();
    assert_eq!(messages(&ended), expected, "{}", text(&ended));
    assert_eq!(counter(&ended, "tls.handshakes.ok"), 12);
    assert_eq!(counter(&ended, "tls.handshakes.failed"), 12);
    assert_eq!(counter(&ended, "tls.handshakes.open"), 0);
    // What is known is not asked again: one of the two unknown and dead each time, the rest once.
    assert_eq!(counter(&ended, "tls.ocsp.queries"), 7 + 4, "{}", text(&ended));
    assert_eq!(counter(&ended, "tls.ocsp.failed"), 4);
    let own = text(&ended);
    for words in [
        "OCSP: Certificate status is REVOKED for: /CN=client (reason: keyCompromise)",
        "Certificate status is UNKNOWN",
        "OCSP: none of the responders that /CN=client names is asked by http",
        "CRL-only certificates can't be validated",
        "OCSP: no usable answer about /CN=client from http://localhost",
        "not permitted to talk to peer",
    ] {
        assert!(own.contains(words), "{words}: {own}");
    }
}

#[test]
fn answers_are_kept_until_hup() {
    if reference() {
        return; // It keeps them over HUP.
    }
    let site = Site::new();
    let responder = Responder::start(site.dir.path(), "ca");
    let good = site.root.issue(&wanted(GOOD, &[&responder.url]));
    let (mut daemon, _) = site.start(&[CHECKED]);
    let port = daemon.port("port0");
    let send = || Client::new(Some(&good)).send(port, "kept").expect("let in");
    (0..5).for_each(|_| send());
    daemon.signal(Signal::SIGHUP);
    daemon.wait_text("stderr", "input 'in0' has read its certificates again");
    (0..5).for_each(|_| send());
    let ended = daemon.stop();
    assert_eq!(messages(&ended).len(), 10);
    assert_eq!(counter(&ended, "tls.ocsp.queries"), 2);
    // Resumed sessions would come without their chain.
    assert_eq!(counter(&ended, "tls.handshakes.resumed"), 0);
}

#[test]
fn answers_that_prove_nothing_let_nobody_in() {
    if reference() {
        return; // It is asked by our requests.
    }
    let site = Site::new();
    let real = Responder::start(site.dir.path(), "ca");
    // An authority of the same name, which nobody trusts.
    Identity::root("test authority").write(site.dir.path(), "false");
    let forger = Responder::start(site.dir.path(), "false");
    let answer = |body: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    let canned = |bytes: Vec<u8>| {
        responder(move |mut stream, _| {
            request(&stream);
            let _ = stream.write_all(&bytes);
        })
    };
    let recorded = Arc::new(std::sync::OnceLock::new());
    let url_of_real = real.url.clone();
    let replaying = responder(move |mut stream, _| {
        let question = request(&stream);
        let answer = recorded.get_or_init(|| ask(&url_of_real, &question));
        let _ = stream.write_all(answer);
    });
    let endless = responder(|mut stream, _| {
        request(&stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[0; 4096]).is_ok() {}
    });
    let moved =
        format!("HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", real.url);
    let cases = [
        (forger.url.clone(), "OCSP response verification failed"),
        (canned(answer(b"")), "it is no OCSP response"),
        (canned(answer(b"\x30\x03\x0a\x01\x03")), "Response status: Try again later"),
        (canned(answer(b"\x30\x03\x0a\x01\x00")), "Failed to decode the basic OCSP response"),
        (canned(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec()), "404"),
        (canned(moved.into_bytes()), "302"),
        (canned(b"nonsense".to_vec()), "OCSP: no usable answer about"),
        (canned(Vec::new()), "OCSP: no usable answer about"),
        (endless, "OCSP: no usable answer about"),
        (replaying, "Nonce mismatch in OCSP response"),
    ];
    let known: Vec<_> =
        cases.iter().map(|(url, _)| site.root.issue(&wanted(GOOD, &[url]))).collect();
    let (mut daemon, _) = site.start(&[CHECKED]);
    let port = daemon.port("port0");
    for ((url, words), identity) in cases.iter().zip(&known) {
        if words.starts_with("Nonce") {
            // The first time it is the answer to the question.
            Client::new(Some(identity)).send(port, "first").expect("let in");
            daemon.signal(Signal::SIGHUP);
            daemon.wait_text("stderr", "input 'in0' has read its certificates again");
        }
        let send = || drop(Client::new(Some(identity)).send(port, url));
        send();
        daemon.wait(words, |dir| {
            let own = fs::read_to_string(dir.join("own")).unwrap_or_default();
            let is_told = own.contains(words) && own.contains(url);
            if !is_told {
                // On a slow machine there was no answer in time.
                send();
            }
            is_told.then_some(())
        });
    }
    assert_eq!(messages(&daemon.stop()), ["<13>first"]);
}

#[test]
fn a_responder_that_does_not_answer_delays_nobody_else() {
    if reference() {
        return; // It does.
    }
    for workers in [1, 2] {
        let site = Site::new();
        let responder = Responder::start(site.dir.path(), "ca");
        let (nowhere, asked) = silent();
        let good = site.root.issue(&wanted(GOOD, &[&responder.url]));
        let input = format!(r#"{CHECKED} workerThreads="{workers}""#);
        let slow: Vec<_> =
            (0..20).map(|number| site.root.issue(&wanted(1000 + number, &[&nowhere]))).collect();
        let (mut daemon, _) = site.start(&[&input]);
        let port = daemon.port("port0");
        let waiting: Vec<_> = slow
            .iter()
            .map(|identity| {
                let mut stream = Client::new(Some(identity)).connect(port).expect("handshake");
                stream.write_all(b"<13>smuggled\n").expect("write");
                stream
            })
            .collect();
        // As many as are asked at a time; all are held until the end.
        let held: Vec<_> = asked.iter().take(4).collect();
        for number in 0..20 {
            Client::new(Some(&good)).send(port, &format!("light {number:02}")).expect("let in");
        }
        // Nor does it delay the end.
        let ended = daemon.stop();
        drop((waiting, held));
        let expected: Vec<_> = (0..20).map(|number| format!("<13>light {number:02}")).collect();
        assert_eq!(messages(&ended), expected);
        assert_eq!(counter(&ended, "tls.handshakes.ok"), 20);
    }
}

#[test]
fn a_handshake_does_not_wait_longer_for_a_responder_than_for_its_peer() {
    if reference() {
        return; // It has no such limit.
    }
    let site = Site::new();
    let (nowhere, asked) = silent();
    let identity = site.root.issue(&wanted(GOOD, &[&nowhere]));
    let (mut daemon, _) = site.start(&[&format!(r#"{CHECKED} streamDriver.handshakeTimeout="1""#)]);
    let port = daemon.port("port0");
    let mut stream = Client::new(Some(&identity)).connect(port).expect("handshake");
    let _ = stream.write_all(b"<13>smuggled\n");
    let question = asked.recv().expect("a question");
    daemon.wait_text("own", "Handshake failed with a timeout");
    // The answer comes for nobody.
    drop(question);
    send::connect(port);
    let ended = daemon.stop();
    assert!(messages(&ended).is_empty());
    assert_eq!(counter(&ended, "tls.handshakes.open"), 0);
}

//! What peers may try: stop, dribble, talk before they are let in, strange certificates.

use std::io::{Read, Write};
use std::net::TcpStream;

use openssl::ssl::SslVersion;

use super::client::{Client, Wire, finish};
use super::{Site, counter, messages};
use crate::harness::pki::{Identity, Wanted};
use crate::harness::send;

/// The beginning of a TLS handshake: a record that announces more than it brings.
const HALF_A_HELLO: &[u8] = &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03];

/// A connection that stops in the midst of its handshake.
fn stopped(port: u16) -> TcpStream {
    let mut stream = send::connect(port);
    stream.write_all(HALF_A_HELLO).expect("write");
    stream
}

#[test]
fn who_stops_in_the_handshake_delays_nobody() {
    for workers in [1, 2] {
        let input = format!(r#"streamDriver.authMode="anon" workerThreads="{workers}""#);
        let (mut daemon, _) = Site::new().start(&[&input]);
        let port = daemon.port("port0");
        let silent: Vec<_> = (0..50).map(|_| stopped(port)).collect();
        for number in 0..20 {
            Client::new(None).send(port, &format!("light {number:02}")).expect("light sender");
        }
        drop(silent);
        let ended = daemon.stop();
        let expected: Vec<_> = (0..20).map(|number| format!("<13>light {number:02}")).collect();
        assert_eq!(messages(&ended), expected);
        assert_eq!(counter(&ended, "tls.handshakes.ok"), 20);
        assert_eq!(counter(&ended, "tls.handshakes.open"), 0);
    }
}

#[test]
fn a_handshake_has_a_deadline() {
    let input = r#"streamDriver.authMode="anon" streamDriver.handshakeTimeout="1""#;
    let (mut daemon, _) = Site::new().start(&[input]);
    let port = daemon.port("port0");
    // Here the client is through only when the server is; who needs more than a second for it tries again.
    let client = Client::new(None).version(SslVersion::TLS1_2);
    let mut late = 0;
    let open = loop {
        match client.connect(port) {
            Ok(open) => break open,
            Err(_) => late += 1,
        }
    };
    let mut silent = [stopped(port), send::connect(port)];
    for stream in &mut silent {
        // It ends; with a reset where the server has not read everything.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    // Who is through has all the time in the world.
    finish(open, b"<13>late\n").expect("an open session");
    daemon.wait_text("own", "Handshake failed with a timeout");
    let ended = daemon.stop();
    assert_eq!(messages(&ended), ["<13>late"]);
    assert_eq!(counter(&ended, "tls.handshakes.failed"), 2 + late);
}

#[test]
fn unfinished_handshakes_make_room() {
    // Once for the limit on handshakes, once for that on sessions.
    for limit in ["streamDriver.maxHandshakes", "maxSessions"] {
        let input = format!(r#"streamDriver.authMode="anon" {limit}="3""#);
        let (mut daemon, _) = Site::new().start(&[&input]);
        let port = daemon.port("port0");
        let silent: Vec<_> = (0..3).map(|_| stopped(port)).collect();
        // Refused with maxSessions until one of them is old enough.
        while Client::new(None).send(port, "through").is_err() {}
        drop(silent);
        let ended = daemon.stop();
        assert_eq!(messages(&ended), ["<13>through"], "{limit}");
    }
}

/// Of three peers that speak through `wire`, the one that is permitted gets its message in, with either version.
fn lets_in_who_is_known(site: Site, wire: Wire) {
    let known = site.root.issue(&Wanted::name("known"));
    let other = site.root.issue(&Wanted::name("other"));
    let (mut daemon, _) = site.start(&[r#"permittedPeer="known""#]);
    let port = daemon.port("port0");
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let client = |who| Client::new(who).version(version).wire(wire);
        client(Some(&known)).send(port, "known").expect("let in");
        // Whether the client notices is another matter.
        let _ = client(Some(&other)).send(port, "other");
        let _ = client(None).send(port, "nobody");
    }
    let ended = daemon.stop();
    assert_eq!(messages(&ended), ["<13>known", "<13>known"]);
    assert_eq!(counter(&ended, "tls.handshakes.failed"), 4);
}

#[test]
fn a_dribbled_handshake_is_a_handshake() {
    let site = Site::new();
    lets_in_who_is_known(site, Wire::Dribbled);
}

/// The last flight of the handshake and messages after it come in one piece: what follows must wait for the verdict.
#[test]
fn nothing_said_before_the_verdict_gets_in() {
    let site = Site::new();
    let other = site.root.issue(&Wanted::name("other"));
    let own = Identity::own(&Wanted::name("known"));
    let expired = site.root.issue(&Wanted { expired: true, ..Wanted::name("known") });
    let known = site.root.issue(&Wanted::name("known"));
    let (mut daemon, _) = site.start(&[r#"permittedPeer="known""#]);
    let port = daemon.port("port0");
    for who in [None, Some(&other), Some(&own), Some(&expired)] {
        for wire in [Wire::Together, Wire::AsTheyCome, Wire::Dribbled] {
            let client = Client::new(who).wire(wire);
            let Ok(mut stream) = client.connect(port) else { continue };
            let _ = stream.write_all(&b"<13>smuggled\n".repeat(1000));
            let _ = finish(stream, b"<13>smuggled, too\n");
        }
    }
    Client::new(Some(&known)).wire(Wire::Together).send(port, "known").expect("let in");
    let ended = daemon.stop();
    assert_eq!(messages(&ended), ["<13>known"]);
    assert_eq!(counter(&ended, "submitted"), 1);
    assert_eq!(counter(&ended, "bytes.received"), "<13>known\n".len());
}

/// The server's part of the handshake, 80 KB, does not fit the buffers of the sockets: it has to wait for room, and goes
/// on when there is some. (`strace` shows `EAGAIN` of sendto(2) in every handshake.)
#[test]
fn a_handshake_that_waits_for_room_lets_in_the_same() {
    let site = Site::new();
    let name = |number: usize| format!("{number:060}.example.org");
    let large = (0..1000).fold(Wanted::name("localhost"), |wanted, n| wanted.dns(&name(n)));
    site.root.issue(&large).write(site.dir.path(), "server");
    lets_in_who_is_known(site, Wire::Narrow);
}

#[test]
fn strange_certificates() {
    let site = Site::new();
    let many = (0..1000)
        .fold(Wanted::name("x"), |wanted, number| wanted.dns(&format!("host{number}.example.org")));
    let last = many.clone().dns("known.example.net");
    let long = Wanted::name("x").dns(&"a".repeat(64 * 1024)).dns("known.example.net");
    let nul = Wanted::name("x").dns("known.example.net\0.example.org");
    let nul_common = Wanted::name("known.example.net\0.example.org");
    let injected = Wanted::name("x\n<13>forged: line").dns("a\n<13>forged: line");
    let clients = [
        ("many", site.root.issue(&many)),
        ("last", site.root.issue(&last)),
        ("long", site.root.issue(&long)),
        ("nul", site.root.issue(&nul)),
        ("nul common", site.root.issue(&nul_common)),
        ("injected", site.root.issue(&injected)),
    ];
    let (mut daemon, _) = site.start(&[r#"permittedPeer=["known.example.net", "known.*.net"]"#]);
    let port = daemon.port("port0");
    for (name, identity) in &clients {
        for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
            let _ = Client::new(Some(identity)).version(version).send(port, name);
        }
    }
    let ended = daemon.stop();
    // OpenSSL makes no ticket of more than 64 KiB, which TLS 1.2 wants in the handshake.
    assert_eq!(messages(&ended), ["<13>last", "<13>last", "<13>long"]);
    let own = ended.lines("own");
    assert!(own.iter().all(|line| !line.starts_with("<13>forged")), "{own:#?}");
    assert!(own.iter().all(|line| line.len() < 3000), "{own:#?}");
}

/// Records of every size, from a client that never reads what the server sends.
#[test]
fn a_stream_of_records_large_and_small() {
    let input = r#"streamDriver.authMode="anon" starvationProtection.maxReads="5""#;
    let (mut daemon, _) = Site::new().start(&[input]);
    let port = daemon.port("port0");
    let mut stream = Client::new(None).connect(port).expect("handshake");
    let text: Vec<u8> =
        (0..100_000).flat_map(|number| format!("<13>message {number:06}\n").into_bytes()).collect();
    let mut rest = text.as_slice();
    let mut size = 1;
    while !rest.is_empty() {
        let (piece, left) = rest.split_at(size.min(rest.len()));
        stream.write_all(piece).expect("write");
        rest = left;
        size = size * 7 % 16_411;
    }
    finish(stream, b"").expect("end");
    let ended = daemon.stop();
    let expected: Vec<_> = (0..100_000).map(|number| format!("<13>message {number:06}")).collect();
    assert!(ended.lines("out") == expected, "{} lines", ended.lines("out").len());
    assert_eq!(counter(&ended, "bytes.received"), text.len());
}

/// Clients that only write, and close without reading: their last messages must not be lost for something the server
/// has sent them.
#[test]
fn who_only_writes_loses_nothing() {
    let (mut daemon, _) = Site::new().start(&[r#"streamDriver.authMode="anon""#]);
    let port = daemon.port("port0");
    for _ in 0..20 {
        let mut stream = Client::new(None).connect(port).expect("handshake");
        stream.write_all(&b"<13>to the last\n".repeat(20_000)).expect("write");
        // No goodbye: the socket is closed.
    }
    daemon.wait_lines("out", 400_000);
    assert_eq!(counter(&daemon.stop(), "submitted"), 400_000);
}

#[test]
fn what_is_no_tls_is_told_so() {
    let (mut daemon, _) = Site::new().start(&[r#"streamDriver.authMode="anon""#]);
    let port = daemon.port("port0");
    let mut plain = send::connect(port);
    plain.write_all(b"<13>plain text\n").expect("write");
    let _ = plain.read_to_end(&mut Vec::new());
    // A probe of the port is not worth a line.
    drop(send::connect(port));
    daemon.wait_text(
        "own",
        "Handshake failed with error code: 1 (SSL_ERROR_SSL), OpenSSL Error Stack: error:",
    );
    let ended = daemon.stop();
    assert!(messages(&ended).is_empty());
    let own = ended.lines("own");
    let told = own.iter().filter(|line| line.contains("Handshake failed")).count();
    assert_eq!(told, 1, "{own:#?}");
}

/// `$AllowedSender` of 2008, on this way in, and after HUP too.
#[test]
fn a_list_of_senders_holds_before_the_handshake() {
    if crate::harness::daemon::reference() {
        return; // `allowedSender` is new in 8.2608.
    }
    let input = r#"streamDriver.authMode="anon" allowedSender="192.0.2.0/24""#;
    let (mut daemon, _) = Site::new().start(&[input]);
    let port = daemon.port("port0");
    for round in 1..=2 {
        assert!(Client::new(None).send(port, "refused").is_err());
        daemon.signal(nix::sys::signal::Signal::SIGHUP);
        daemon.wait("HUP", |dir| {
            let told = std::fs::read_to_string(dir.join("stderr")).ok()?;
            (told.matches("has read its certificates again").count() == round).then_some(())
        });
    }
    let ended = daemon.stop();
    assert!(messages(&ended).is_empty());
    assert_eq!(counter(&ended, "sessions.refused"), 2);
    assert_eq!(counter(&ended, "tls.handshakes.failed"), 0, "none has begun");
}

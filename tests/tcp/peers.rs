//! Who a peer is behind a balancer, how many sessions it may have, and how long it may be silent: parameters of ours.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use nix::sys::signal::Signal;

use crate::harness::daemon::Daemon;
use crate::harness::{ledger, send};

fn start(input: &str) -> Daemon {
    Daemon::start(&format!(
        r#"global(net.enableDNS="off" processInternalMessages="on")
module(load="imtcp")
template(name="peer" type="string" string="%fromhost% %fromhost-ip% %fromhost-port%%msg%\n")
template(name="own" type="string" string="%msg%\n")
if $inputname == "rsyslogd" then {{ action(type="omfile" file="{{dir}}/own" template="own") stop }}
action(type="omfile" file="{{dir}}/out" template="peer")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{{dir}}/port" {input})
"#
    ))
}

const LINE: &[u8] = b"<13>Oct 11 22:14:15 h t: x\n";

fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("short").to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n".as_slice(), &[command, family], &length, body].concat()
}

#[test]
fn a_trusted_balancer_says_who_its_peer_is() {
    let proxy = "proxyProtocol=\"on\" trustedProxies=[\"127.0.0.0/8\", \"::1\"]";
    let mut daemon = start(&format!("{proxy} allowedSender=[\"192.0.2.0/24\", \"2001:db8::1\"]"));
    let port = daemon.port("port");
    let mut v6 = [0; 36];
    v6[..4].copy_from_slice(&[0x20, 1, 0xd, 0xb8]);
    v6[15] = 1;
    v6[33] = 9;
    let headers: [Vec<u8>; 4] = [
        b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 514\r\n".to_vec(),
        v2(0x21, 0x11, &[192, 0, 2, 2, 1, 1, 1, 1, 0, 7, 2, 2, 4, 0, 1, 0]),
        v2(0x21, 0x21, &v6),
        b"PROXY TCP4 203.0.113.1 198.51.100.1 1 514\r\n".to_vec(),
    ];
    for header in &headers {
        let whole = [header, LINE].concat();
        send::tcp(port, &whole);
        send::tcp_chunks(port, whole.chunks(1));
    }
    // The balancer's own connection, a stranger's words, a line that ends as loggen's does, and an end in the midst of a
    // header.
    send::tcp(port, &[&v2(0x20, 0, &[]), LINE].concat());
    send::tcp(port, LINE);
    send::tcp(port, &[b"PROXY TCP4 192.0.2.1 198.51.100.1 1 514\n", LINE].concat());
    send::tcp(port, b"PROXY TCP4 192");
    let stopped = daemon.stop();
    let line = |ip: &str, port: u16| format!("{ip} {ip} {port} x");
    let expected = [line("192.0.2.1", 56324), line("192.0.2.2", 7), line("2001:db8::1", 9)];
    let out = stopped.lines("out");
    assert_eq!(out, expected.iter().flat_map(|line| [line, line]).cloned().collect::<Vec<_>>());
    let own = stopped.lines("own").join("\n");
    for text in [
        "connection request from disallowed sender 203.0.113.1 (203.0.113.1:1) discarded",
        "does not begin with a PROXY protocol header: it begins with something else - closed",
        "does not begin with a PROXY protocol header: its line does not end with CR LF - closed",
    ] {
        assert!(own.contains(text), "{text}\n{own}");
    }
    let objects = ledger::parse(&stopped.stderr);
    let input = ledger::find(&objects, "imtcp(0)");
    assert_eq!((input.get("proxy.headers"), input.get("proxy.errors")), (9, 2));
    assert_eq!(input.get("sessions.refused"), 3);
}

#[test]
fn whoever_is_not_trusted_is_taken_for_what_it_is() {
    let mut daemon = start("proxyProtocol=\"on\" trustedProxies=\"192.0.2.1\"");
    let port = daemon.port("port");
    let peer = send::connect(port);
    let own = peer.local_addr().expect("address").port();
    (&peer).write_all(LINE).expect("write");
    send::finish(peer);
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("out"), [format!("127.0.0.1 127.0.0.1 {own} x")]);
}

/// Whether the daemon has closed the connection.
fn is_closed(mut stream: &TcpStream) -> bool {
    loop {
        match stream.read(&mut [0]) {
            Err(why) if why.kind() == ErrorKind::Interrupted => {}
            read => return matches!(read, Ok(0)),
        }
    }
}

#[test]
fn an_address_has_no_more_sessions_than_it_may() {
    let mut daemon = start("maxSessionsPerAddress=\"2\"");
    let port = daemon.port("port");
    let first = send::connect(port);
    let second = send::connect(port);
    (&second).write_all(LINE).expect("write");
    daemon.wait_lines("out", 1);
    assert!(is_closed(&send::connect(port)), "a third one");
    send::finish(first);
    send::tcp(port, LINE);
    daemon.wait_text("own", "127.0.0.1 has 2 sessions already - dropping incoming request");
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("out").len(), 2);
    let objects = ledger::parse(&stopped.stderr);
    let input = ledger::find(&objects, "imtcp(0)");
    assert_eq!((input.get("sessions.crowded"), input.get("sessions.opened")), (1, 3));
}

#[test]
fn who_is_silent_for_too_long_is_closed_and_what_it_sent_is_kept() {
    for workers in [1, 2] {
        let mut daemon = start(&format!("idleTimeout=\"1\" workerThreads=\"{workers}\""));
        let port = daemon.port("port");
        // What it sends is there before the daemon sees it at all.
        daemon.signal(Signal::SIGSTOP);
        let stream = send::connect(port);
        (&stream).write_all(&LINE[..LINE.len() - 1]).expect("write");
        daemon.signal(Signal::SIGCONT);
        assert!(is_closed(&stream));
        daemon.wait_lines("out", 1);
        let stopped = daemon.stop();
        let objects = ledger::parse(&stopped.stderr);
        assert_eq!(ledger::find(&objects, "imtcp(0)").get("sessions.timedout"), 1);
    }
}

//! A balancer's PROXY protocol header before the TLS handshake.

use openssl::ssl::SslVersion;

use super::Site;
use super::client::{Client, Wire};
use crate::harness::daemon::{program, reference};
use crate::harness::pki::Wanted;
use crate::harness::{Daemon, Stopped, ledger};

/// Version 2, TCP over IPv4, from 192.0.2.2 port 7.
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x02\x01\x01\x01\x01\0\x07\x02\x02";

fn start(site: Site, input: &str) -> Daemon {
    let config = format!(
        r#"global(net.enableDNS="off" processInternalMessages="on" defaultNetstreamDriver="ossl"
  defaultNetstreamDriverCAFile="{{dir}}/ca.pem" defaultNetstreamDriverCertFile="{{dir}}/server.pem"
  defaultNetstreamDriverKeyFile="{{dir}}/server.key")
module(load="imtcp" streamDriver.mode="1" permittedPeer="known")
template(name="peer" type="string" string="%fromhost-ip% %fromhost-port%%msg%\n")
template(name="own" type="string" string="%msg%\n")
if $inputname == "rsyslogd" then {{ action(type="omfile" file="{{dir}}/own" template="own") stop }}
action(type="omfile" file="{{dir}}/out" template="peer")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{{dir}}/port" {input})
"#
    );
    Daemon::start_program(&program(), &config, &["-d"], site.dir)
}

fn counts(ended: &Stopped) -> [usize; 4] {
    let objects = ledger::parse(&ended.stderr);
    let input = ledger::find(&objects, "imtcp(0)");
    ["proxy.headers", "proxy.errors", "tls.handshakes.ok", "tls.handshakes.failed"]
        .map(|name| input.get(name))
}

#[test]
fn the_handshake_begins_behind_the_header() {
    if reference() {
        return; // It has no such parameter.
    }
    let site = Site::new();
    let known = site.root.issue(&Wanted::name("known"));
    let other = site.root.issue(&Wanted::name("other"));
    let proxy = r#"proxyProtocol="on" trustedProxies="127.0.0.1" allowedSender="192.0.2.0/24""#;
    let mut daemon = start(site, proxy);
    let port = daemon.port("port");
    let mut expected = Vec::new();
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        for wire in [Wire::AsTheyCome, Wire::Dribbled, Wire::Together] {
            for (header, from) in [
                (&b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 514\r\n"[..], "192.0.2.1 56324"),
                (V2, "192.0.2.2 7"),
            ] {
                let client = |who| Client::new(who).version(version).wire(wire).header(header);
                let message = format!("t: {}", expected.len());
                client(Some(&known)).send(port, &message).expect("let in");
                expected.push(format!("{from} {}", expected.len()));
                // Who it is said to be does not make up for who it is.
                let _ = client(Some(&other)).send(port, "t: other");
            }
        }
    }
    // One whom the list does not have; one without header; one whose header is within the handshake.
    let stranger = b"PROXY TCP4 203.0.113.1 198.51.100.1 1 514\r\n";
    let client = || Client::new(Some(&known));
    assert!(client().header(stranger).send(port, "t: stranger").is_err());
    assert!(client().send(port, "t: no header").is_err());
    let ended = daemon.stop();
    assert_eq!(ended.lines("out"), expected);
    assert_eq!(counts(&ended), [25, 1, 12, 12]);
}

#[test]
fn a_strangers_header_is_no_handshake() {
    if reference() {
        return; // It has no such parameter.
    }
    let site = Site::new();
    let known = site.root.issue(&Wanted::name("known"));
    let mut daemon = start(site, r#"proxyProtocol="on" trustedProxies="192.0.2.1""#);
    let port = daemon.port("port");
    assert!(Client::new(Some(&known)).header(V2).send(port, "t: forged").is_err());
    Client::new(Some(&known)).send(port, "t: itself").expect("let in");
    let ended = daemon.stop();
    let out = ended.lines("out");
    assert!(
        matches!(&out[..], [line] if line.starts_with("127.0.0.1 ") && line.ends_with(" itself"))
    );
    assert_eq!(counts(&ended), [0, 0, 1, 1]);
}

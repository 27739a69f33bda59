//! omfwd over TLS: from one daemon to another.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;

use super::{Site, has, messages};
use crate::harness::daemon::Daemon;
use crate::harness::pki::{Identity, Wanted};
use crate::harness::{ledger, send};

/// A receiver that lets in who is called `sender`, and one that lets in everybody; and both ends' certificates beside
/// each other.
fn receiver() -> (Daemon, Identity, [u16; 2]) {
    let site = Site::new();
    site.root.issue(&Wanted::name("sender")).write(site.dir.path(), "sender");
    let (mut daemon, root) = site.start(&[
        r#"streamDriver.authMode="x509/name" permittedPeer="sender""#,
        r#"streamDriver.authMode="anon""#,
    ]);
    let ports = ["port0", "port1"].map(|name| daemon.port(name));
    (daemon, root, ports)
}

/// A daemon that sends what it receives with these actions, each a port and parameters. With the message goes its
/// action's number.
fn sender(certificates: &Path, actions: &[(u16, &str)]) -> Daemon {
    let certificates = certificates.display();
    let actions: String = (0..)
        .zip(actions)
        .map(|(number, (port, more))| {
            format!(
                r#"template(name="t{number}" type="string" string="<13>{number}%msg%")
action(type="omfwd" target="localhost" port="{port}" protocol="tcp" template="t{number}" name="action{number}"
       streamDriverMode="1" {more})
"#
            )
        })
        .collect();
    Daemon::start(&format!(
        r#"global(net.enableDNS="off" processInternalMessages="on"
  defaultNetstreamDriverCAFile="{certificates}/ca.pem" defaultNetstreamDriverCertFile="{certificates}/sender.pem"
  defaultNetstreamDriverKeyFile="{certificates}/sender.key" defaultNetstreamDriver="ossl")
module(load="imtcp" streamDriver.name="ptcp")
template(name="own" type="string" string="%msg%\n")
if $inputname == "rsyslogd" then {{ action(type="omfile" file="{{dir}}/own" template="own") stop }}
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{{dir}}/port")
{actions}action(type="omfile" file="{{dir}}/seen" template="own")
"#
    ))
}

#[test]
fn messages_arrive_from_whoever_is_let_in_at_whoever_is_asked_for() {
    let (mut receiver, _root, [named, anybody]) = receiver();
    let pem = fs::read(receiver.dir().join("server.pem")).expect("certificate");
    let certificate = openssl::x509::X509::from_pem(&pem).expect("PEM");
    let digest = certificate.digest(openssl::hash::MessageDigest::sha256()).expect("digest");
    let digest: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    let fingerprint = format!(
        r#"streamDriverAuthMode="x509/fingerprint" streamDriverPermittedPeers="SHA256:{}""#,
        digest.join(":")
    );
    let actions = [
        (named, ""),
        (named, r#"streamDriver="gtls" streamDriverAuthMode="x509/name""#),
        (named, r#"streamDriverPermittedPeers="other,local*" rebindInterval="2""#),
        (named, r#"streamDriverAuthMode="x509/certvalid" TCP_Framing="octet-counted""#),
        (named, &fingerprint),
        (anybody, r#"streamDriverAuthMode="anon" gnutlsPriorityString="MaxProtocol=TLSv1.2""#),
    ];
    let mut sender = sender(receiver.dir(), &actions);
    send::tcp(sender.port("port"), b"<13>a: 1\n<13>a: 2\n<13>a: 3\n");
    sender.wait_lines("seen", 3);
    sender.stop();
    receiver.wait_lines("out", 3 * actions.len());
    let expected: Vec<String> =
        (0..actions.len()).flat_map(|at| (1..=3).map(move |n| format!("<13>{at} {n}"))).collect();
    assert_eq!(messages(&receiver.stop()), expected);
}

/// Both drivers, without any certificate: mode `anon` on both ends.
#[test]
fn without_certificates_messages_are_encrypted_all_the_same() {
    for driver in ["ossl", "gtls"] {
        let tls = format!(
            r#"streamDriver.name="{driver}" streamDriver.mode="1" streamDriver.authMode="anon""#
        );
        let mut receiver = Daemon::start(&format!(
            r#"global(net.enableDNS="off")
module(load="imtcp")
template(name="raw" type="string" string="%msg%\n")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{{dir}}/port" {tls})
action(type="omfile" file="{{dir}}/out" template="raw")
"#
        ));
        let to = receiver.port("port");
        let mut sender = Daemon::start(&format!(
            r#"global(net.enableDNS="off")
module(load="imtcp")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{{dir}}/port")
action(type="omfwd" target="127.0.0.1" port="{to}" protocol="tcp" streamDriver="{driver}" streamDriverMode="1"
  streamDriverAuthMode="anon")
"#
        ));
        send::tcp(sender.port("port"), b"<13>Oct 11 22:14:15 h t: secret\n");
        assert_eq!(receiver.wait_lines("out", 1), b" secret\n", "{driver}");
        sender.stop();
        receiver.stop();
    }
}

#[test]
fn nothing_is_sent_to_the_wrong_server_and_that_is_told() {
    let (receiver, root, [named, _]) = receiver();
    Identity::root("another authority").write(receiver.dir(), "stranger");
    let stranger = receiver.dir().join("stranger.pem");
    let stranger = format!(r#"streamDriver.caFile="{}""#, stranger.display());
    let fingerprint = root.fingerprint("SHA1");
    let unknown = format!(
        r#"streamDriverAuthMode="x509/fingerprint" streamDriverPermittedPeers="{fingerprint}""#
    );
    let actions = [
        (named, r#"streamDriverPermittedPeers="other""#),
        (named, unknown.as_str()),
        (named, stranger.as_str()),
    ];
    let mut sender = sender(receiver.dir(), &actions);
    send::tcp(sender.port("port"), b"<13>a: 1\n");
    sender.wait_lines("seen", 1);
    for text in [
        "peer name not authorized, not permitted to talk to",
        "Fingerprint check failed, not permitted to talk to",
        "not permitted to talk to peer, certificate validation failed: ",
    ] {
        sender.wait_text("own", text);
    }
    let objects = ledger::parse(&sender.stop_lossy().stderr);
    for action in ["action0", "action1", "action2"] {
        assert_eq!(ledger::find(&objects, action).get("failed"), 1, "{action}");
    }
    assert_eq!(receiver.stop().lines("out"), [""; 0]);
}

#[test]
fn new_certificates_count_after_hup_and_a_bad_set_is_not_taken() {
    let (mut receiver, root, [named, _]) = receiver();
    let stranger = Identity::root("another authority").issue(&Wanted::name("sender"));
    let mut sender = sender(receiver.dir(), &[(named, r#"rebindInterval="1""#)]);
    let port = sender.port("port");
    send::tcp(port, b"<13>a: 1\n");
    receiver.wait_lines("out", 1);
    fs::write(receiver.dir().join("sender.pem"), "nonsense").expect("write");
    sender.signal(Signal::SIGHUP);
    sender.wait_text("own", "goes on with the certificates it had");
    send::tcp(port, b"<13>a: 2\n");
    receiver.wait_lines("out", 2);
    stranger.write(receiver.dir(), "sender");
    sender.signal(Signal::SIGHUP);
    sender.wait_text("stderr", "has read its certificates again");
    send::tcp(port, b"<13>a: 3\n");
    receiver.wait_text("own", "certificate validation failed");
    root.issue(&Wanted::name("sender")).write(receiver.dir(), "sender");
    drop(sender);
    assert_eq!(messages(&receiver.stop()), ["<13>0 1", "<13>0 2"]);
}

/// Debian's rsyslogd with its own driver. Its session tickets are never read by us, and nothing is lost for it.
#[test]
fn rsyslogd_receives_what_we_forward() {
    const MESSAGES: usize = 1000;
    let rsyslogd = "/usr/sbin/rsyslogd";
    if !has(rsyslogd) || !has("/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_ossl.so") {
        return;
    }
    let Site { root, dir } = Site::new();
    root.issue(&Wanted::name("sender")).write(dir.path(), "sender");
    let config = r#"global(net.enableDNS="off" defaultNetstreamDriverCAFile="{dir}/ca.pem"
  defaultNetstreamDriverCertFile="{dir}/server.pem" defaultNetstreamDriverKeyFile="{dir}/server.key")
module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="x509/name"
       permittedPeer="sender")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
template(name="raw" type="string" string="%rawmsg%\n")
action(type="omfile" file="{dir}/out" template="raw")
"#;
    let mut receiver = Daemon::start_program(rsyslogd.as_ref(), config, &[], dir);
    let port = receiver.port("port");
    let mut sender = sender(receiver.dir(), &[(port, r#"rebindInterval="100""#)]);
    let text: String = (0..MESSAGES).map(|n| format!("<13>a: {n:04}\n")).collect();
    send::tcp(sender.port("port"), text.as_bytes());
    sender.wait_lines("seen", MESSAGES);
    sender.stop();
    receiver.wait_lines("out", MESSAGES);
    let expected: Vec<_> = (0..MESSAGES).map(|n| format!("<13>0 {n:04}")).collect();
    assert_eq!(messages(&receiver.stop()), expected);
}

//! Certificates that change while the daemon runs, revocation, resumption.

use std::fs;
use std::io::{Read, Write};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::UNIX_EPOCH;

use nix::sys::signal::Signal;
use openssl::ssl::{Ssl, SslContext, SslMethod, SslSession, SslSessionCacheMode, SslStream};

use super::client::Client;
use super::settings::shown;
use super::{Site, counter, messages};
use crate::harness::pki::{Identity, Wanted};
use crate::harness::{Daemon, send};

/// HUP, and until it is done.
fn hup(daemon: &mut Daemon, says: &str) {
    daemon.signal(Signal::SIGHUP);
    daemon.wait_text("stderr", says);
}

#[test]
fn certificates_are_read_again_on_hup_and_a_bad_set_is_not_taken() {
    let (mut daemon, root) = Site::new().start(&[r#"streamDriver.authMode="anon""#]);
    let port = daemon.port("port0");
    assert_eq!(shown(port), "localhost");
    root.issue(&Wanted::name("second")).write(daemon.dir(), "server");
    hup(&mut daemon, "input 'in0' has read its certificates again");
    assert_eq!(shown(port), "second");

    // Another's key.
    let key = daemon.dir().join("server.key");
    let good = fs::read(&key).expect("key");
    Identity::own(&Wanted::name("other")).write(daemon.dir(), "other");
    fs::copy(daemon.dir().join("other.key"), &key).expect("copy");
    hup(&mut daemon, "Certificate and key are not usable together");
    assert_eq!(shown(port), "second");
    // No key at all.
    fs::write(&key, "nonsense").expect("write");
    hup(&mut daemon, "Error: Key '");
    assert_eq!(shown(port), "second");
    fs::write(&key, good).expect("write");
    Client::new(None).send(port, "still there").expect("send");
    assert_eq!(messages(&daemon.stop()), ["<13>still there"]);
}

/// What the page of counters says about the end of the certificate is what peers will see.
#[test]
fn the_end_of_the_certificate_is_told_and_told_anew_after_hup() {
    const COUNTER: &str = "tls.certificate.notafter.seconds";
    let now = UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
    let (daemon, _root) = Site::new().start(&[r#"streamDriver.authMode="anon""#]);
    assert!(counter(&daemon.stop(), COUNTER) as u64 > now);
    let (mut daemon, root) = Site::new().start(&[r#"streamDriver.authMode="anon""#]);
    let over = Wanted { expired: true, ..Wanted::name("over") };
    root.issue(&over).write(daemon.dir(), "server");
    hup(&mut daemon, "input 'in0' has read its certificates again");
    let end = counter(&daemon.stop(), COUNTER) as u64;
    assert!(end < now && end > now - 2 * 86_400, "{end}, now {now}");
}

/// A context that remembers the sessions it was given.
fn remembering(identity: &Identity) -> (SslContext, Arc<Mutex<Vec<SslSession>>>) {
    let mut builder = SslContext::builder(SslMethod::tls_client()).expect("context");
    builder.set_certificate(&identity.certificate).expect("certificate");
    builder.set_private_key(&identity.key).expect("key");
    builder.set_session_cache_mode(SslSessionCacheMode::CLIENT | SslSessionCacheMode::NO_INTERNAL);
    let sessions = Arc::<Mutex<Vec<SslSession>>>::default();
    let keep = Arc::clone(&sessions);
    builder.set_new_session_callback(move |_, session| keep.lock().expect("lock").push(session));
    (builder.build(), sessions)
}

/// Sends one message; whether the session was resumed.
#[allow(unsafe_code, reason = "the crate has no safe call for it")]
fn say(context: &SslContext, port: u16, session: Option<&SslSession>, text: &str) -> bool {
    let mut ssl = Ssl::new(context).expect("session");
    if let Some(session) = session {
        // SAFETY: the session was made with the same context.
        unsafe { ssl.set_session(session) }.expect("session");
    }
    let mut stream = SslStream::new(ssl, send::connect(port)).expect("stream");
    stream.connect().expect("handshake");
    stream.write_all(format!("<13>{text}\n").as_bytes()).expect("write");
    stream.shutdown().expect("shutdown");
    // Tickets come with the first read.
    let _ = stream.read(&mut [0; 64]);
    stream.ssl().session_reused()
}

#[test]
fn sessions_are_resumed_until_the_certificates_change() {
    let site = Site::new();
    let known = site.root.issue(&Wanted::name("known"));
    let (mut daemon, _) = site.start(&[r#"permittedPeer="known""#]);
    let port = daemon.port("port0");
    let (context, sessions) = remembering(&known);
    let last = || sessions.lock().expect("lock").last().cloned();
    assert!(!say(&context, port, None, "first"));
    let session = last().expect("a ticket");
    assert!(say(&context, port, Some(&session), "resumed"));
    hup(&mut daemon, "has read its certificates again");
    assert!(!say(&context, port, Some(&session), "anew"));
    let ended = daemon.stop();
    assert_eq!(messages(&ended), ["<13>anew", "<13>first", "<13>resumed"]);
    assert_eq!(counter(&ended, "tls.handshakes.resumed"), 1);
    assert_eq!(counter(&ended, "tls.handshakes.ok"), 3);
}

/// Lists of revoked certificates are made by the `openssl` command: its library has no call for it here.
#[test]
fn revoked_certificates_are_refused_and_the_list_is_read_again() {
    let site = Site::new();
    let revoke = |dir: &std::path::Path, root: &str, revoked: &[u32]| {
        let index: String = revoked
            .iter()
            .map(|n| format!("R\t491231235959Z\t201231235959Z\t{n:02X}\tunknown\t/CN=x\n"))
            .collect();
        fs::write(dir.join("index"), index).expect("write");
        fs::write(
            dir.join("crl.cnf"),
            "[ca]\ndefault_ca=a\n[a]\ndatabase=index\ndefault_md=sha256\n",
        )
        .expect("write");
        let made = Command::new("openssl")
            .args(["ca", "-gencrl", "-config", "crl.cnf", "-crldays", "1", "-out", "crl.pem"])
            .args(["-cert", &format!("{root}.pem"), "-keyfile", &format!("{root}.key")])
            .current_dir(dir)
            .output()
            .expect("openssl");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    revoke(site.dir.path(), "ca", &[7]);
    let good = site.root.issue(&Wanted { serial: 6, ..Wanted::name("good") });
    let bad = site.root.issue(&Wanted { serial: 7, ..Wanted::name("bad") });
    let input = r#"streamDriver.authMode="x509/certvalid" streamDriver.CRLFile="{dir}/crl.pem""#;
    let (mut daemon, _) = site.start(&[input]);
    let port = daemon.port("port0");
    let send = |who: &Identity, text: &str| Client::new(Some(who)).send(port, text);
    send(&good, "good").expect("let in");
    let _ = send(&bad, "bad");
    daemon.wait_text("own", "certificate revoked");
    revoke(daemon.dir(), "ca", &[6]);
    hup(&mut daemon, "has read its certificates again");
    let _ = send(&good, "good, revoked");
    send(&bad, "bad, pardoned").expect("let in");
    assert_eq!(messages(&daemon.stop()), ["<13>bad, pardoned", "<13>good"]);
}

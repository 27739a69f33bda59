//! imrawtcp over TLS, with OpenSSL's own client: section 6 of `spec/elastic-tcp.md`, and row 39 of its section 10.

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use openssl::symm::Cipher;
use tempfile::TempDir;

use crate::harness::daemon::{program, tempdir};
use crate::harness::pki::{Identity, Wanted};
use crate::harness::{Daemon, ledger, send};

/// Certificates of a server, of a client that its authority vouches for, and of a stranger.
struct Site {
    dir: TempDir,
    root: Identity,
}

const SERVER: &str = r#"tls.certificate="{dir}/server.pem" tls.key="{dir}/server.key""#;
const CA: &str = r#"tls.certificateAuthorities=["{dir}/ca.pem"]"#;

impl Site {
    fn new() -> Self {
        let (root, dir) = (Identity::root("our authority"), tempdir());
        root.write(dir.path(), "ca");
        root.issue(&Wanted::name("localhost")).write(dir.path(), "server");
        root.issue(&Wanted::name("known")).write(dir.path(), "known");
        Identity::root("another").issue(&Wanted::name("stranger")).write(dir.path(), "stranger");
        root.issue(&Wanted { expired: true, ..Wanted::name("old") }).write(dir.path(), "expired");
        Self { dir, root }
    }

    /// A daemon with this input.
    fn start(self, input: &str) -> Daemon {
        let text = format!(
            r#"global(net.enableDNS="off")
module(load="imrawtcp")
input(type="imrawtcp" name="in" address="127.0.0.1" port="0" listenPortFileName="{{dir}}/port" {input})
template(name="raw" type="string" string="%rawmsg%\n")
action(type="omfile" file="{{dir}}/out" template="raw")
"#
        );
        Daemon::start_program(&program(), &text, &["-d"], self.dir)
    }
}

/// Runs `openssl s_client` with these arguments and has it send `text`. One that is `welcome` then ends the connection;
/// for another one the daemon has to. Returns what it said.
pub(super) fn s_client(
    daemon: &Daemon,
    port: u16,
    args: &str,
    text: &[u8],
    welcome: bool,
) -> String {
    let dir = daemon.dir().display().to_string();
    let mut client = Command::new("openssl")
        .args(["s_client", "-no_ign_eof", "-connect", &format!("127.0.0.1:{port}")])
        .args(args.replace("{dir}", &dir).split_whitespace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl");
    let mut input = client.stdin.take().expect("stdin");
    // It may have been sent away already.
    let _ = input.write_all(text);
    let kept = (!welcome).then_some(input);
    let mut said = String::new();
    client.stdout.take().expect("stdout").read_to_string(&mut said).expect("text");
    client.stderr.take().expect("stderr").read_to_string(&mut said).expect("text");
    client.wait().expect("ended");
    drop(kept);
    said
}

fn show(name: &str) -> String {
    format!("-cert {{dir}}/{name}.pem -key {{dir}}/{name}.key")
}

/// Has clients with these arguments send their numbers; those that are `true` are let in, and nobody else.
fn check(site: Site, input: &str, clients: &[(&str, bool)]) {
    let mut daemon = site.start(input);
    let port = daemon.port("port");
    for (number, (args, welcome)) in clients.iter().enumerate() {
        s_client(&daemon, port, args, format!("{number}\n").as_bytes(), *welcome);
    }
    let mut expected: Vec<_> = clients
        .iter()
        .enumerate()
        .filter(|(_, (_, welcome))| *welcome)
        .map(|(number, _)| number.to_string())
        .collect();
    if !expected.is_empty() {
        daemon.wait_lines("out", expected.len());
    }
    let stopped = daemon.stop();
    let mut lines = if expected.is_empty() { Vec::new() } else { stopped.lines("out") };
    lines.sort_unstable();
    expected.sort_unstable();
    assert_eq!(lines, expected, "{input}\n{}", stopped.stderr);
    let objects = ledger::parse(&stopped.stderr);
    let counters = objects.iter().find(|object| object.origin == "imrawtcp").expect("counters");
    let failed = counters.get("tls.handshakes.failed");
    assert_eq!(failed, clients.len() - expected.len(), "{input}");
}

#[test]
fn clients_show_certificates_where_they_have_to() {
    let (known, stranger, expired) = (show("known"), show("stranger"), show("expired"));
    let all = |[nobody, known_in, stranger_in, expired_in]: [bool; 4]| {
        vec![
            ("", nobody),
            (known.as_str(), known_in),
            (stranger.as_str(), stranger_in),
            (expired.as_str(), expired_in),
        ]
    };
    for (input, welcome) in [
        ("", [true, true, true, true]),
        (CA, [false, true, false, false]),
        (&format!("{CA} tls.clientAuthentication=\"required\""), [false, true, false, false]),
        (&format!("{CA} tls.clientAuthentication=\"optional\""), [true, true, false, false]),
        (&format!("{CA} tls.clientAuthentication=\"none\""), [true, true, true, true]),
        (&format!("{CA} tls.verificationMode=\"certificate\""), [false, true, false, false]),
        (&format!("{CA} tls.verificationMode=\"none\""), [false, true, true, true]),
    ] {
        check(Site::new(), &format!("{SERVER} {input}"), &all(welcome));
        let older: Vec<_> =
            all(welcome).iter().map(|(args, ok)| (format!("-tls1_2 {args}"), *ok)).collect();
        let older: Vec<_> = older.iter().map(|(args, ok)| (args.as_str(), *ok)).collect();
        check(Site::new(), &format!("{SERVER} {input}"), &older);
    }
}

#[test]
fn a_pinned_authority_has_to_be_in_the_chain() {
    let known = show("known");
    let pin = |der: &[u8]| openssl::base64::encode_block(&openssl::sha::sha256(der));
    for of_key in [false, true] {
        let site = Site::new();
        let certificate = &site.root.certificate;
        let der = match of_key {
            true => certificate.public_key().expect("key").public_key_to_der(),
            false => certificate.to_der(),
        };
        let input = format!("{SERVER} {CA} tls.caSha256=[\"{}\"]", pin(&der.expect("DER")));
        check(site, &input, &[(&known, true), ("", false)]);
    }
    let input = format!("{SERVER} {CA} tls.caSha256=[\"{}\"]", pin(b"something else"));
    check(Site::new(), &input, &[(&known, false)]);
}

#[test]
fn versions_ciphers_and_curves_are_those_that_are_listed() {
    for (input, clients) in [
        (
            "",
            vec![
                ("-tls1_3", true),
                ("-tls1_2", true),
                ("-tls1_1 -cipher DEFAULT@SECLEVEL=0", false),
            ],
        ),
        (r#"tls.supportedProtocols=["TLSv1.2"]"#, vec![("-tls1_3", false), ("-tls1_2", true)]),
        (r#"tls.supportedProtocols=["TLSv1.3"]"#, vec![("-tls1_3", true), ("-tls1_2", false)]),
        (
            r#"tls.supportedProtocols=["TLSv1.1", "TLSv1.2"]"#,
            vec![
                ("-tls1_1 -cipher DEFAULT@SECLEVEL=0", true),
                ("-tls1_2", true),
                ("-tls1_3", false),
            ],
        ),
        (
            r#"tls.cipherSuites=["ECDHE-ECDSA-AES-256-GCM-SHA384"]"#,
            vec![
                ("-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256", false),
                ("-tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384", true),
                ("-tls1_3", true),
            ],
        ),
        (
            r#"tls.curveTypes=["P-384", "P-256"]"#,
            vec![("-groups X25519", false), ("-groups P-384", true)],
        ),
    ] {
        check(Site::new(), &format!("{SERVER} {input}"), &clients);
    }
}

#[test]
fn a_key_may_have_a_passphrase() {
    let locked = |site: &Site| {
        let key = Identity::own(&Wanted::name("localhost"));
        key.write(site.dir.path(), "server");
        let pem =
            key.key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"open sesame");
        fs::write(site.dir.path().join("server.key"), pem.expect("PEM")).expect("written");
    };
    let site = Site::new();
    locked(&site);
    check(site, &format!("{SERVER} tls.keyPassphrase=\"open sesame\""), &[("", true)]);
    for wrong in ["", "tls.keyPassphrase=\"open barley\""] {
        let site = Site::new();
        locked(&site);
        let mut daemon = site.start(&format!("{SERVER} {wrong}"));
        daemon.wait_text("stderr", "server.key' could not be accessed");
        daemon.stop();
    }
}

/// Counts, delimiters and long messages are the same within TLS; who speaks none is sent away.
#[test]
fn messages_are_cut_as_without_tls() {
    let mut daemon = Site::new().start(&format!("{SERVER} framing=\"rfc6587\""));
    let port = daemon.port("port");
    let long = "x".repeat(1 << 20);
    let text = format!("5 hello3 abcline\n{} {long}", long.len());
    s_client(&daemon, port, "", text.as_bytes(), true);
    daemon.wait_lines("out", 4);
    send::tcp_chunks(port, [&b"plain text\n"[..]]);
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("out"), ["hello", "abc", "line", &long]);
}

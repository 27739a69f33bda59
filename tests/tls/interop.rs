//! Other people's clients.

use std::io::Write;
use std::process::{Command, Stdio};

use super::{Site, has, messages};
use crate::harness::daemon::{Daemon, tempdir};
use crate::harness::pki::Wanted;

/// With `K` the client changes its keys in the midst of the stream, and asks the server to.
#[test]
fn openssl_s_client_with_new_keys() {
    let (mut daemon, _) = Site::new().start(&[r#"streamDriver.authMode="anon""#]);
    let port = daemon.port("port0");
    let told = std::fs::File::create(daemon.dir().join("told")).expect("create");
    let mut client = Command::new("openssl")
        .args(["s_client", "-tls1_3", "-connect", &format!("127.0.0.1:{port}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(told)
        .spawn()
        .expect("openssl");
    let mut input = client.stdin.take().expect("stdin");
    let mut say = |line: &str| input.write_all(line.as_bytes()).expect("write");
    // A command is one when it comes alone: each waits for what the one before it brought.
    say("<13>one\n");
    daemon.wait_lines("out", 1);
    say("K\n");
    daemon.wait_text("told", "KEYUPDATE");
    say("<13>two\n");
    daemon.wait_lines("out", 2);
    say("k\n");
    daemon.wait("the second KEYUPDATE", |dir| {
        let told = std::fs::read_to_string(dir.join("told")).ok()?;
        (told.matches("KEYUPDATE").count() == 2).then_some(())
    });
    say("<13>three\n");
    daemon.wait_lines("out", 3);
    drop(input);
    client.wait().expect("openssl ends");
    assert_eq!(messages(&daemon.stop()), ["<13>one", "<13>three", "<13>two"]);
}

/// syslog-ng's load generator over TCP and TLS, in both formats. (Its PROXY header ends in LF alone: it is none.)
#[test]
#[ignore = "needs loggen: scripts/test --slow"]
fn loggen_from_syslog_ng() {
    const NUMBER: usize = 5000;
    const CONNECTIONS: usize = 6;
    let plain = r#"streamDriver.mode="0" streamDriver.name="ptcp""#;
    let tls = r#"streamDriver.authMode="anon""#;
    let (mut daemon, _) = Site::new().start(&[plain, tls]);
    let runs: [(usize, &[&str]); 4] =
        [(0, &["--inet", "-S"]), (0, &["--inet", "-S", "-P"]), (1, &["-U"]), (1, &["-U", "-P"])];
    for (done, (input, options)) in runs.iter().enumerate() {
        let port = daemon.port(&format!("port{input}")).to_string();
        let loggen = std::env::var("LOGGEN").unwrap_or_else(|_| "loggen".to_owned());
        let status = Command::new(loggen)
            .args(["--quiet", "--rate=1000000", "--size=300"])
            .args([format!("--number={NUMBER}"), format!("--active-connections={CONNECTIONS}")])
            .args(*options)
            .args(["127.0.0.1", &port])
            .status()
            .expect("loggen");
        assert!(status.success(), "{options:?}: {status}");
        daemon.wait_lines("out", (done + 1) * CONNECTIONS * NUMBER);
    }
    let ended = daemon.stop();
    // Every connection's messages in their order, none lost and none twice.
    let mut next = std::collections::HashMap::new();
    for line in ended.lines("out") {
        let word = |name: &str| {
            let rest = line.split_once(name).unwrap_or_else(|| panic!("{line}")).1;
            rest.split(',').next().unwrap_or_default().to_owned()
        };
        let number: usize = word("seq: ").parse().expect("a number");
        let from = (word("thread: "), word("runid: "), line.starts_with("<38>1 "));
        let next: &mut usize = next.entry(from).or_default();
        // Two runs within a second have the same id.
        assert_eq!(number, *next % NUMBER, "{line}");
        *next += 1;
    }
    assert_eq!(next.values().sum::<usize>(), runs.len() * CONNECTIONS * NUMBER);
    assert!(next.values().all(|count| count.is_multiple_of(NUMBER)));
}

/// Debian's rsyslogd with its own driver, both sides with certificates.
#[test]
fn rsyslogd_forwards_to_us() {
    let rsyslogd = "/usr/sbin/rsyslogd";
    if !has(rsyslogd) || !has("/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_ossl.so") {
        return;
    }
    let site = Site::new();
    let client = site.root.issue(&Wanted::name("x").dns("client.example.net"));
    let dir = tempdir();
    client.write(dir.path(), "client");
    site.root.write(dir.path(), "ca");
    let (mut daemon, _) = site.start(&[r#"permittedPeer="client.example.net""#]);
    let port = daemon.port("port0");
    let config = format!(
        r#"global(net.enableDNS="off" defaultNetstreamDriverCAFile="{{dir}}/ca.pem"
  defaultNetstreamDriverCertFile="{{dir}}/client.pem" defaultNetstreamDriverKeyFile="{{dir}}/client.key")
module(load="imtcp")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{{dir}}/port")
template(name="raw" type="string" string="%rawmsg%\n")
action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" template="raw" StreamDriver="ossl"
  StreamDriverMode="1" StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="localhost")
"#
    );
    let mut sender = Daemon::start_program(rsyslogd.as_ref(), &config, &[], dir);
    let from = sender.port("port");
    let text: Vec<u8> =
        (0..1000).flat_map(|number| format!("<13>relayed {number:04}\n").into_bytes()).collect();
    crate::harness::send::tcp(from, &text);
    daemon.wait_lines("out", 1000);
    sender.stop();
    let expected: Vec<_> = (0..1000).map(|number| format!("<13>relayed {number:04}")).collect();
    assert_eq!(messages(&daemon.stop()), expected);
}

//! Modules that Debian's rsyslog does not have.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;

use nix::sys::signal::Signal;
use openssl::ssl::{SslAcceptor, SslMethod};

use crate::harness::daemon::{Daemon, reference};
use crate::harness::pki::{Identity, Wanted};
use crate::harness::{bulk_server, send};

/// A message that cannot be transformed is left as it is, and the next one is transformed; the parents of the output
/// are made; HUP reads a changed policy, and a broken one leaves the old one.
#[test]
fn mmjsontransform() {
    if reference() {
        return;
    }
    let dir = crate::harness::daemon::tempdir();
    let policy = dir.path().join("policy");
    fs::write(&policy, "map:\n  drop: [secret]\n").expect("the policy");
    let config = r#"global(net.enableDNS="off" processInternalMessages="on")
module(load="imtcp")
module(load="mmjsonparse")
module(load="mmjsontransform")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
template(name="t" type="string" string="%$!out!deep%\n")
template(name="own" type="string" string="%msg%\n")
if $inputname != "imtcp" then { action(type="omfile" file="{dir}/own" template="own") stop }
action(type="mmjsonparse" cookie="" container="$!in")
action(type="mmjsontransform" input="$!in" output="$!out!deep" policy="{dir}/policy")
action(type="omfile" file="{dir}/out" template="t")
"#;
    let program = crate::harness::daemon::program();
    let mut daemon = Daemon::start_program(&program, config, &["-d"], dir);
    let port = daemon.port("port");
    let send =
        |text: &str| send::tcp(port, format!("<13>Oct 11 22:14:15 h t: {text}\n").as_bytes());
    send(r#"{"a.b":1,"secret":2}"#);
    send(r#"{"a":1,"a.b":2}"#);
    send(r#"{"a.b":1,"a.c":2}"#);
    daemon.wait_lines("out", 3);
    fs::write(&policy, "mode: flatten\nmap:\n  rename: {a.b: x.y}\n").expect("the policy");
    let hup = |daemon: &mut Daemon, times: usize| {
        daemon.signal(Signal::SIGHUP);
        daemon.wait("HUP", |dir| {
            let own = fs::read_to_string(dir.join("own")).ok()?;
            (own.matches("was HUPed").count() == times).then_some(())
        });
    };
    hup(&mut daemon, 1);
    // The file is read behind the message about HUP.
    let text = "{ \"a.c\": 2, \"x.y\": 1 }";
    daemon.wait("the new policy", |dir| {
        send(r#"{"a.c":2,"a.b":1}"#);
        fs::read_to_string(dir.join("out")).ok()?.contains(text).then_some(())
    });
    fs::write(&policy, "mode: nonsense\n").expect("the policy");
    hup(&mut daemon, 2);
    daemon.wait_text("own", "keeping previous policy");
    let before = fs::read_to_string(daemon.dir().join("out")).expect("the file").lines().count();
    send(r#"{"a.b":3}"#);
    daemon.wait_text("out", "{ \"x.y\": 3 }");
    let stopped = daemon.stop();
    let out = stopped.lines("out");
    assert_eq!(out[..3], ["{ \"a\": { \"b\": 1 } }", "", "{ \"a\": { \"b\": 1, \"c\": 2 } }"]);
    assert!(out.len() > before);
    let own = stopped.lines("own").join("\n");
    assert!(own.contains("mmjsontransform: dotted path 'a.b' collides"), "{own}");
}

/// The answer's body whatever the status; 0 where nobody answers.
#[test]
fn http_request() {
    if reference() {
        return;
    }
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = server.local_addr().expect("an address").to_string();
    let nobody = bulk_server::ClosedPort::new();
    let served = bulk_server::spawn(move || {
        let mut paths = Vec::new();
        for status in ["200 OK", "404 Not Found"] {
            let (mut peer, _) = server.accept().expect("a request");
            let mut head = [0; 4096];
            let mut len = 0;
            while !head[..len].windows(4).any(|end| end == b"\r\n\r\n") {
                len += peer.read(&mut head[len..]).expect("the head");
            }
            let head = String::from_utf8_lossy(&head[..len]).into_owned();
            paths.push(head.lines().next().unwrap_or_default().to_owned());
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Length: 5\r\nConnection: close\r\n\r\nre\nly"
            );
            peer.write_all(answer.as_bytes()).expect("the answer");
        }
        paths
    });
    let config = r#"global(net.enableDNS="off" processInternalMessages="on")
module(load="imtcp")
module(load="fmhttp")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
template(name="t" type="string" string="[%$!a%][%$!b%][%$!c%][%$!d%]\n")
template(name="own" type="string" string="%msg%\n")
if $inputname != "imtcp" then { action(type="omfile" file="{dir}/own" template="own") stop }
set $!a = http_request("http://ADDRESS/one?h=" & $syslogtag);
set $!b = http_request("http://ADDRESS/two");
set $!c = http_request("http://CLOSED/three");
set $!d = http_request("file:///etc/passwd");
action(type="omfile" file="{dir}/out" template="t")
"#;
    let closed = format!("127.0.0.1:{}", nobody.number());
    let mut daemon = Daemon::start(&config.replace("ADDRESS", &address).replace("CLOSED", &closed));
    send::tcp(daemon.port("port"), b"<13>Oct 11 22:14:15 h t: x\n");
    daemon.wait_lines("out", 2);
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("out"), ["[re", "ly][re", "ly][0][0]"]);
    assert_eq!(served.join().expect("the server"), ["GET /one?h=t: HTTP/1.1", "GET /two HTTP/1.1"]);
    let own = stopped.lines("own").join("\n");
    assert!(
        own.contains(&format!("http_request to failed, URL: 'http://{closed}/three'")),
        "{own}"
    );
}

/// Over HTTPS the server's certificate must be one that the system's authorities vouch for, with the right name.
#[test]
fn http_request_over_https() {
    if reference() {
        return;
    }
    let dir = crate::harness::daemon::tempdir();
    let authority = Identity::root("authority");
    authority.write(dir.path(), "authority");
    let known = authority.issue(&Wanted::name("localhost").dns("localhost"));
    let unknown = Identity::own(&Wanted::name("localhost").dns("localhost"));
    let ports =
        [(known, true), (unknown, false)].map(|(identity, answers)| serve(&identity, answers));
    let config = r#"global(net.enableDNS="off" environment="SSL_CERT_FILE={dir}/authority.pem")
module(load="imtcp")
module(load="fmhttp")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
template(name="t" type="string" string="[%$!a%][%$!b%]\n")
set $!a = http_request("https://localhost:KNOWN/");
set $!b = http_request("https://localhost:OTHER/");
action(type="omfile" file="{dir}/out" template="t")
"#;
    let config =
        config.replace("KNOWN", &ports[0].to_string()).replace("OTHER", &ports[1].to_string());
    let program = crate::harness::daemon::program();
    let mut daemon = Daemon::start_program(&program, &config, &["-d"], dir);
    send::tcp(daemon.port("port"), b"<13>Oct 11 22:14:15 h t: x\n");
    daemon.wait_lines("out", 1);
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("out"), ["[secret][0]"]);
    assert!(stopped.stderr.contains("http_request to failed"), "{}", stopped.stderr);
}

/// A server for one connection; whether that comes to an answer.
fn serve(identity: &Identity, answers: bool) -> u16 {
    let mut acceptor =
        SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).expect("an acceptor");
    acceptor.set_certificate(&identity.certificate).expect("the certificate");
    acceptor.set_private_key(&identity.key).expect("the key");
    let acceptor = acceptor.build();
    let server = TcpListener::bind("localhost:0").expect("a port");
    let port = server.local_addr().expect("an address").port();
    bulk_server::spawn(move || {
        let (peer, _) = server.accept().expect("a connection");
        let Ok(mut peer) = acceptor.accept(peer) else { return assert!(!answers) };
        let mut head = [0; 4096];
        let mut len = 0;
        while !head[..len].windows(4).any(|end| end == b"\r\n\r\n") {
            match peer.read(&mut head[len..]) {
                Ok(more @ 1..) => len += more,
                _ => return assert!(!answers),
            }
        }
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret";
        peer.write_all(answer).expect("the answer");
    });
    port
}

/// DB2's lines through a running daemon, and what is no such line through the parser behind it.
#[test]
fn pmdb2diag() {
    if reference() {
        return;
    }
    let config = r#"global(net.enableDNS="off")
module(load="imtcp")
module(load="pmdb2diag")
parser(name="db2" type="pmdb2diag" levelPos="59" timePos="0")
template(name="t" type="string" string="%timereported:::date-rfc3339%|%syslogseverity-text%|%app-name%|%procid%|%msg%\n")
ruleset(name="r" parser=["db2", "rsyslog.rfc3164"]) { action(type="omfile" file="{dir}/out" template="t") }
input(type="imtcp" port="0" supportOctetCountedFraming="off" address="127.0.0.1" listenPortFileName="{dir}/port" ruleset="r")
"#;
    let mut line = b"2015-06-04-09.29.46.123456+120 I1234E482".to_vec();
    line.resize(59, b' ');
    line.extend_from_slice(b"Error");
    line.resize(69, b' ');
    line.extend_from_slice(b"PID     : 12345");
    line.resize(79 + 49, b' ');
    line.extend_from_slice(b"db2sysc rest");
    let text = String::from_utf8(line.clone()).expect("ASCII");
    line.extend_from_slice(b"\n<13>Oct 11 22:14:15 h t[7]: plain\n");
    let mut daemon = Daemon::start(config);
    send::tcp(daemon.port("port"), &line);
    daemon.wait_lines("out", 2);
    let stopped = daemon.stop();
    let out = stopped.lines("out");
    assert_eq!(out[0], format!("2015-06-04T09:29:46.123456+02:00|err|db2sysc|12345|{text}"));
    assert!(out[1].ends_with("|notice|t|7| plain"), "{}", out[1]);
}

/// `detect.headerless`: lines without a time go to a file, and to a ruleset of their own or nowhere.
#[test]
fn lines_without_a_header() {
    if reference() {
        return;
    }
    for (more, kept, apart) in
        [("", 4, 0), ("headerless.ruleset=\"apart\"", 2, 2), ("headerless.drop=\"on\"", 2, 0)]
    {
        let mut daemon = Daemon::start(&format!(
            r#"global(net.enableDNS="off")
module(load="imtcp")
template(name="t" type="string" string="%hostname%|%syslogtag%|%rawmsg%\n")
parser(name="lines" type="pmrfc3164" detect.headerless="on" headerless.errorfile="{{dir}}/errors"
       headerless.hostname="nobody" headerless.tag="line" {more})
ruleset(name="apart") {{ action(type="omfile" file="{{dir}}/apart" template="t") }}
ruleset(name="main" parser="lines") {{ action(type="omfile" file="{{dir}}/out" template="t") }}
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{{dir}}/port" ruleset="main")
*.* {{dir}}/default
"#
        ));
        let lines =
            [" blank", "<13>this is a line", "<13>Oct 11 22:14:15 h t: one", r#"<13>{"a":1}"#];
        send::tcp(daemon.port("port"), (lines.join("\n") + "\n").as_bytes());
        let stopped = daemon.stop_lossy();
        let shown =
            ["nobody|| blank", "this|is|<13>this is a line", "h|t:|<13>Oct 11 22:14:15 h t: one"];
        let out = stopped.lines("out");
        assert_eq!((out.len(), stopped.lines("apart").len()), (kept, apart), "{more}: {out:?}");
        let all = [stopped.lines("apart"), out].concat();
        let wanted = if kept + apart == 4 { &shown[..] } else { &shown[2..] };
        assert_eq!(all[..wanted.len()], *wanted, "{more}");
        assert_eq!(stopped.lines("errors"), lines[..2], "{more}");
        assert!(stopped.lines("default").is_empty(), "{more}");
    }
}

//! Parameters whose effect shows elsewhere than in messages: in the kernel's sockets, namespaces, queues.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::{Settings, raw};
use crate::harness::{Daemon, daemon, ledger, send};

/// What `ss` says of the server's sockets on this port.
fn sockets(options: &str, port: u16) -> String {
    let filter = format!("sport = :{port}");
    let output = Command::new("ss").args([options, &filter]).output().expect("ss, of iproute2");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn keep_alive_and_backlog_reach_the_kernel() {
    for (input, timer) in [
        ("", None),
        (
            r#"keepAlive="on" keepAlive.time="100" keepAlive.probes="3" keepAlive.interval="7""#,
            Some(100),
        ),
    ] {
        let input = format!(r#"{input} socketBacklog="17""#).leak();
        let mut daemon = Daemon::start(&Settings { input, ..Settings::default() }.config());
        let port = daemon.port("port");
        let listening = sockets("-ltnH", port);
        assert_eq!(listening.split_ascii_whitespace().nth(2), Some("17"), "{listening}");
        let mut peer = send::connect(port);
        peer.write_all(b"<13>a: b\n").expect("write");
        daemon.wait_lines("out", 1);
        let connected = sockets("-tnoH", port);
        // e.g. timer:(keepalive,1min39sec,0)
        let seconds = connected.split_once("timer:(keepalive,").map(|(_, rest)| {
            let text = rest.split(',').next().expect("a time");
            let (minutes, rest) = text.split_once("min").unwrap_or(("0", text));
            let seconds = rest.trim_end_matches("ms").trim_end_matches("sec").split('.').next();
            minutes.parse::<u64>().expect("minutes") * 60
                + seconds.and_then(|text| text.parse().ok()).unwrap_or(0)
        });
        assert!(
            match (seconds, timer) {
                (None, None) => true,
                (Some(left), Some(most)) => left <= most && left > most / 2,
                _ => false,
            },
            "{connected}"
        );
        drop(peer);
        daemon.stop();
    }
}

#[test]
fn listeners_beyond_the_limit_are_told() {
    let config = Settings { input: r#"maxListeners="1""#, ..Settings::default() }.config();
    let config = config.replace(r#"address="127.0.0.1""#, "");
    let mut daemon = Daemon::start(&config);
    let port = daemon.port("port");
    assert_eq!(sockets("-ltnH", port).lines().count(), 1);
    send::tcp(port, b"<13>a: b\n");
    let ended = daemon.stop();
    assert_eq!(raw(&ended), ["<13>a: b"]);
    if !daemon::reference() {
        assert!(ended.stderr.contains("maxListeners allows 1"), "{}", ended.stderr);
    }
}

/// A namespace that is deleted in the end.
struct Namespace(String);

impl Namespace {
    /// `None` where we may not make one.
    fn new() -> Option<Self> {
        let name = format!("sluice-{}", std::process::id());
        let made = Command::new("ip").args(["netns", "add", &name]).status().ok()?;
        made.success().then(|| Self(name))
    }

    fn run(&self, command: &[&str]) -> bool {
        let inside = ["netns", "exec", &self.0];
        Command::new("ip").args(inside).args(command).status().expect("ip").success()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

#[test]
fn the_listener_is_in_its_namespace_and_nowhere_else() {
    if daemon::reference() {
        return; // New in 8.2512.
    }
    let Some(namespace) = Namespace::new() else { return };
    assert!(namespace.run(&["ip", "link", "set", "lo", "up"]));
    let input = format!(r#"networkNamespace="{}""#, namespace.0).leak();
    let mut daemon = Daemon::start(&Settings { input, ..Settings::default() }.config());
    let port = daemon.port("port");
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "it is here, too");
    let say = format!("echo '<13>a: from within' >/dev/tcp/127.0.0.1/{port}");
    assert!(namespace.run(&["bash", "-c", &say]));
    daemon.wait_lines("out", 1);
    assert_eq!(raw(&daemon.stop()), ["<13>a: from within"]);

    let settings = Settings { input: r#"networkNamespace="none-such""#, ..Settings::default() };
    let ended = Daemon::start(&settings.config()).stop();
    let told = "netns_switch: could not open namespace 'none-such'";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    assert!(!Path::new(&ended.dir.path().join("port")).exists());
}

#[test]
fn each_limit_on_compressed_streams_is_the_configured_one() {
    if daemon::reference() {
        return; // New in 8.2606.
    }
    let zlib = |text: &[u8]| {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(text).expect("compress");
        encoder.finish().expect("compress")
    };
    let bomb = [b"<13>a: ".as_slice(), &b"x".repeat(300_000), b"\n"].concat();
    let ratio = "exceeded configured expansion ratio";
    let receive = "exceeded configured per-receive limit";
    for (limits, error) in [
        (r#"compression.maxExpansionRatio="100""#, Some(ratio)),
        (r#"compression.maxExpansionRatio="1000""#, None),
        (
            r#"compression.maxExpansionRatio="0" compression.maxDecompressedBytesPerReceive="102400""#,
            Some(receive),
        ),
        (
            r#"compression.maxExpansionRatio="0" compression.maxDecompressedBytesPerReceive="0""#,
            None,
        ),
    ] {
        let input = format!(r#"compression.mode="stream:always" {limits}"#).leak();
        let global = r#"maxMessageSize="400k""#;
        let mut daemon = Daemon::start(&Settings { input, global, ..Settings::default() }.config());
        send::tcp(daemon.port("port"), &zlib(&bomb));
        let ended = daemon.stop();
        let whole = raw(&ended).iter().any(|line| line.len() == bomb.len() - 1);
        assert_eq!(whole, error.is_none(), "{limits}");
        let own = ended.lines("own").join("\n");
        assert!(error.is_none_or(|error| own.contains(error)), "{limits}: {own}");
        let objects = ledger::parse(&ended.stderr);
        let errors = ledger::find(&objects, "imtcp(0)").get("decompression.errors");
        assert_eq!(errors, usize::from(error.is_some()), "{limits}");
    }
}

/// Row 39: the windows of all streams together.
#[test]
fn windows_of_zstd_streams_share_a_budget() {
    if daemon::reference() {
        return; // New in 8.2606.
    }
    let input = r#"compression.mode="stream:always" compression.driver="zstd"
  compression.maxTotalZstdWindowBytes="8388608""#;
    let mut daemon = Daemon::start(&Settings { input, ..Settings::default() }.config());
    let port = daemon.port("port");
    let stream = || {
        let mut encoder = zstd::Encoder::new(send::connect(port), 1).expect("encoder");
        // 2^23 bytes: all there is.
        let window = zstd::zstd_safe::CParameter::WindowLog(23);
        encoder.set_parameter(window).expect("a window");
        encoder
    };
    let mut first = stream();
    first.write_all(b"<13>a: first\n").expect("write");
    first.flush().expect("flush");
    daemon.wait_lines("out", 1);
    let mut second = stream();
    second.write_all(b"<13>a: second\n").expect("write");
    second.flush().expect("flush");
    daemon.wait_text("own", "zstd decoder window budget exhausted");
    send::finish(first.finish().expect("finish"));
    let mut third = stream();
    third.write_all(b"<13>a: third\n").expect("write");
    send::finish(third.finish().expect("finish"));
    assert_eq!(raw(&daemon.stop()), ["<13>a: first", "<13>a: third"]);
}

#[test]
fn times_without_a_zone_are_of_the_configured_one() {
    for (input, expected) in [
        ("", "10-11T22:14:15+00:00"),
        (r#"defaultTZ="-05:00""#, "10-11T22:14:15-05:00"),
        (r#"defaultTZ="+05:30""#, "10-11T22:14:15+05:30"),
    ] {
        let config = Settings { input, ..Settings::default() }.config();
        let config = config.replace("%rawmsg%", "%timereported:::date-rfc3339%");
        let mut daemon = Daemon::start(&config);
        send::tcp(daemon.port("port"), b"<13>Oct 11 22:14:15 host a: b\n");
        let out = raw(&daemon.stop());
        assert!(out.len() == 1 && out[0].ends_with(expected), "{input}: {out:?}");
    }
}

/// While the queue is above its light-delay mark, a peer is held up for a second at a time; without flow control it never
/// is, and the queue does with its messages what it does when it is full.
#[test]
fn peers_are_held_up_as_flow_control_says() {
    const HOLD: Duration = Duration::from_secs(1);
    let queue = format!(
        r#"main_queue(queue.size="1000" queue.lightDelayMark="10" queue.timeoutEnqueue="0"
        queue.timeoutShutdown="120000" {})"#,
        crate::queues::closed_window()
    );
    for flow in ["on", "off"] {
        let module = format!(r#"flowControl="{flow}""#).leak();
        let settings = Settings { module, ..Settings::default() };
        let mut daemon = Daemon::start(&format!("{queue}\n{}", settings.config()));
        let port = daemon.port("port");
        let mut sent = 0;
        // Returns when the daemon has put all of it into the queue.
        let mut load = |lines: usize| {
            let start = Instant::now();
            send::tcp(port, "<13>a: b\n".repeat(lines).as_bytes());
            sent += lines;
            start.elapsed()
        };
        load(10);
        match flow {
            "on" => assert!(load(1) >= HOLD),
            // However busy the machine is, some time it takes less.
            _ => while load(1) >= HOLD {},
        }
        if flow == "off" {
            load(2000);
        }
        let arrived = raw(&daemon.stop_lossy()).len();
        // The daemon's own messages have their share of the queue.
        let is_expected =
            if flow == "on" { arrived == sent } else { (500..=1000).contains(&arrived) };
        assert!(is_expected, "{flow}: {arrived} of {sent}");
    }
}

/// `net.ipprotocol` chooses the families that are bound where no address says more.
#[test]
fn families_are_those_that_are_wanted() {
    for (family, sockets_wanted) in [("unspecified", 2), ("ipv4-only", 1), ("ipv6-only", 1)] {
        let global = format!("net.ipprotocol=\"{family}\"").leak();
        let config = Settings { global, ..Settings::default() }.config();
        let mut daemon = Daemon::start(&config.replace(r#"address="127.0.0.1""#, ""));
        let port = daemon.port("port");
        let listening = sockets("-ltnH", port);
        assert_eq!(listening.lines().count(), sockets_wanted, "{family}: {listening}");
        let reached = std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        assert_eq!(reached, family != "ipv6-only", "{family}");
        let reached = std::net::TcpStream::connect((std::net::Ipv6Addr::LOCALHOST, port)).is_ok();
        assert_eq!(reached, family != "ipv4-only", "{family}");
        daemon.stop();
    }
}

/// Names in lists of senders are taken for their addresses, for patterns, or left out; refusals are told or not.
#[test]
fn names_in_lists_of_senders() {
    if daemon::reference() {
        return; // `allowedSender` is newer than Debian's
    }
    let by_name = r#"net.aclResolveHostname="off""#;
    let quiet = r#"net.permitACLWarning="off""#;
    for (dns, global, list, welcome, told) in [
        ("on", "", "localhost", true, false),
        ("on", by_name, "localhost", true, false),
        ("on", by_name, "*calhos?", true, false),
        ("on", by_name, "otherhost", false, true),
        ("off", "", "localhost", false, true),
        ("off", quiet, "192.0.2.1", false, false),
        ("off", "", "192.0.2.1", false, true),
    ] {
        let input = format!(r#"allowedSender=["{list}", "192.0.2.77"]"#).leak();
        let config = Settings { global, input, ..Settings::default() }.config();
        let enable = format!("net.enableDNS=\"{dns}\"");
        let mut daemon = Daemon::start(&config.replace("net.enableDNS=\"off\"", &enable));
        send::tcp(daemon.port("port"), b"<13>a: b\n");
        let ended = daemon.stop();
        assert_eq!(raw(&ended).len(), usize::from(welcome), "{global} {list}");
        let own = ended.lines("own").join("\n");
        let refusal = own.contains("connection request from disallowed sender");
        assert_eq!(refusal, told, "{global} {list}: {own}");
    }
}

/// What is no parameter of an input, or no value of one, and what becomes of the input then.
#[test]
fn wrong_values_are_told() {
    if daemon::reference() {
        return; // it says most of this later, when it starts
    }
    let dir = daemon::tempdir();
    let path = dir.path().join("conf");
    for (text, wanted) in [
        (
            r#"module(load="imtcp")"#,
            "imtcp: module loaded, but no listeners defined - no input will be gathered",
        ),
        (
            r#"module(load="imtcp") input(type="imtcp" port="10514" maxFrameSize="0")"#,
            "imtcp: invalid value for 'maxFrameSize' parameter given is 0, valid range is 1..200000000",
        ),
        (
            r#"module(load="imtcp") input(type="imtcp" port="10514" ruleset="none")"#,
            "imtcp: ruleset 'none' for port 10514 not found - using default ruleset instead",
        ),
        (
            r#"module(load="imtcp") input(type="imtcp" port="0")"#,
            "imtcp: port 0 and no port file set -> using port 514 instead",
        ),
        (
            r#"module(load="imtcp") input(type="imtcp" port="10514" defaultTZ="+05:30:00")"#,
            "defaultTZ",
        ),
        (
            r#"module(load="imudp")"#,
            "imudp: module loaded, but no listeners defined - no input will be gathered",
        ),
        (
            r#"module(load="imudp") input(type="imudp" port="10514" ruleset="none")"#,
            "imudp: ruleset 'none' for *:10514 not found - using default ruleset instead",
        ),
        (
            r#"module(load="imudp" schedulingPolicy="fifo") input(type="imudp" port="10514")"#,
            "imudp: scheduling policy set, but without priority - ignoring settings",
        ),
        (
            r#"module(load="imudp") input(type="imudp" port="10514" inputname="a" inputname.appendPort="on")"#,
            "imudp: deprecated parameter inputname used. Suggest to use name instead",
        ),
    ] {
        std::fs::write(&path, format!("{text}\n*.* /dev/null\n")).expect("write");
        let output = daemon::run(&["-N1", "-f", path.to_str().expect("UTF-8")]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(wanted), "{text}\n{said}");
    }
}

/// Only the YAML format has arrays without anything.
#[test]
fn an_empty_list_of_senders_is_told() {
    if daemon::reference() {
        return; // without YAML
    }
    let dir = daemon::tempdir();
    for module in ["imtcp", "imudp"] {
        let path = dir.path().join("conf.yaml");
        let text = format!(
            "modules:\n  - load: {module}\ninputs:\n  - type: {module}\n    port: \"10514\"\n    allowedSender: []\n"
        );
        std::fs::write(&path, text).expect("write");
        let output = daemon::run(&["-N1", "-f", path.to_str().expect("UTF-8")]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.contains(&format!("{module}: allowedSender array must not be empty")),
            "{said}"
        );
    }
}

//! omfwd end to end: from one daemon to another, in every way that messages go on the wire.

use crate::harness::daemon::Daemon;
use crate::harness::{ledger, send};

const RECEIVER: &str = r#"global(net.enableDNS="off")
module(load="imtcp")
module(load="imudp")
template(name="msg" type="string" string="%msg:2:$%\n")
action(type="omfile" file="{dir}/out" template="msg")
input(type="imudp" port="{udp}" address="127.0.0.1")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/plain" addtlFrameDelimiter="0")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/zlib" compression.mode="stream:always")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/zstd" compression.mode="stream:always"
      compression.driver="zstd")
"#;

const SENDER: &str = r#"global(net.enableDNS="off" processInternalMessages="on")
module(load="imtcp")
template(name="own" type="string" string="%msg%\n")
if $inputname == "rsyslogd" then { action(type="omfile" file="{dir}/own" template="own") stop }
action(type="omfile" file="{dir}/seen" template="own")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
"#;

/// An action that sends the number of a message and `name`; long enough to be compressed.
fn action(name: &str, port: u16, more: &str) -> String {
    let filler = "x".repeat(100);
    format!(
        r#"template(name="{name}" type="string" string="<13>tag: {name}%msg%{filler}")
action(type="omfwd" target="127.0.0.1" port="{port}" template="{name}" {more})
"#
    )
}

#[test]
fn messages_arrive_in_every_way_they_can_be_sent() {
    const MESSAGES: usize = 20;
    let mut receiver = Daemon::start(RECEIVER);
    let ports = ["plain", "zlib", "zstd"].map(|name| receiver.port(name));
    let [plain, zlib, zstd] = ports;
    let stream = r#"protocol="tcp" compression.mode="stream:always""#;
    let ways = [
        ("udp", receiver.udp_port(0), r#"protocol="udp""#.to_owned()),
        ("zipped-udp", receiver.udp_port(0), r#"protocol="udp" zipLevel="1""#.to_owned()),
        ("lines", plain, r#"protocol="tcp""#.to_owned()),
        ("zero", plain, r#"protocol="tcp" TCP_FrameDelimiter="0""#.to_owned()),
        ("counted", plain, r#"protocol="tcp" TCP_Framing="octet-counted""#.to_owned()),
        ("zipped", plain, r#"protocol="tcp" compression.mode="single""#.to_owned()),
        ("rebound", plain, r#"protocol="tcp" rebindInterval="7""#.to_owned()),
        ("zlib", zlib, stream.to_owned()),
        ("gathered", zlib, format!(r#"{stream} compression.stream.flushOnTXEnd="off""#)),
        ("zlib-rebound", zlib, format!(r#"{stream} rebindInterval="7""#)),
        ("zstd", zstd, format!(r#"{stream} compression.driver="zstd" zipLevel="3""#)),
    ];
    let actions: String = ways.iter().map(|(name, port, more)| action(name, *port, more)).collect();
    let mut sender = Daemon::start(&format!(
        "module(load=\"builtin:omfwd\" ioBuffer.maxSize=\"300\")\n{SENDER}{actions}"
    ));
    let text: String = (0..MESSAGES).map(|n| format!("<13>a: {n:02}\n")).collect();
    send::tcp(sender.port("port"), text.as_bytes());
    // What is gathered comes with the end of the connection.
    sender.wait_lines("seen", MESSAGES);
    sender.stop();
    receiver.wait_lines("out", ways.len() * MESSAGES);
    let lines = receiver.stop().lines("out");
    for (name, ..) in ways {
        let of_way: Vec<&str> = lines
            .iter()
            .filter_map(|line| line.strip_prefix(&format!("{name} "))?.get(..2))
            .collect();
        let expected: Vec<String> = (0..MESSAGES).map(|n| format!("{n:02}")).collect();
        assert_eq!(of_way, expected, "{name}");
    }
}

#[test]
fn the_rate_limit_is_told_and_counted() {
    let mut receiver = Daemon::start(RECEIVER);
    let limit = r#"protocol="tcp" rateLimit.interval="3600" rateLimit.burst="2""#;
    let port = receiver.port("plain");
    let mut sender = Daemon::start(&format!("{SENDER}{}", action("limited", port, limit)));
    send::tcp(sender.port("port"), b"<13>a: 1\n<13>a: 2\n<13>a: 3\n<13>a: 4\n<13>a: 5\n");
    sender.wait_lines("seen", 5);
    let told =
        format!("omfwd from <tcp:[127.0.0.1]:{port}>: begin to drop messages due to rate-limiting");
    sender.wait_text("own", &told);
    let objects = ledger::parse(&sender.stop().stderr);
    let target = ledger::find(&objects, &format!("TCP-127.0.0.1-{port}"));
    assert_eq!((target.get("messages.sent"), target.get("discarded.ratelimit")), (2, 3));
    receiver.wait_lines("out", 2);
    assert_eq!(receiver.stop().lines("out").len(), 2);
}

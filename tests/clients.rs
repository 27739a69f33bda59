//! `logger` of util-linux as sender, in every format and framing it has. (For TLS see `tls::interop`.)

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::harness::Daemon;

const CONFIG: &str = r#"global(net.enableDNS="off")
module(load="imtcp")
module(load="imudp")
template(name="t" type="string" string="%syslogfacility-text%.%syslogseverity-text% %programname% %procid%|%msg%\n")
if $inputname == "rsyslogd" then stop
action(type="omfile" file="{dir}/out" template="t")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
input(type="imudp" port="{udp}" address="127.0.0.1")
"#;

/// Has `logger` send each of these lines to this port.
fn log(port: u16, options: &[&str], lines: &str) {
    let mut logger = Command::new("logger")
        .args(["--server", "127.0.0.1", "--port", &port.to_string()])
        .args(["--priority", "daemon.warning", "--tag", "prog", "--id=4711"])
        .args(options)
        .stdin(Stdio::piped())
        .spawn()
        .expect("logger, of bsdutils");
    logger.stdin.take().expect("stdin").write_all(lines.as_bytes()).expect("write");
    assert!(logger.wait().expect("wait").success(), "{options:?}");
}

#[test]
fn logger_is_understood_in_every_format() {
    let mut daemon = Daemon::start(CONFIG);
    let (tcp, udp) = (daemon.port("port"), daemon.udp_port(0));
    let mut expected = Vec::new();
    for format in ["--rfc3164", "--rfc5424", "--rfc5424=notime"] {
        for (port, transport) in
            [(tcp, &["--tcp"][..]), (tcp, &["--tcp", "--octet-count"]), (udp, &["--udp"])]
        {
            let lines = format!("first {format} {transport:?}\n2 begins with a digit\n");
            log(port, &[&[format], transport].concat(), &lines);
            // What RFC 3164 puts before the text is a part of it.
            let blank = if format == "--rfc3164" { " " } else { "" };
            let line = |text: &str| format!("daemon.warning prog 4711|{blank}{text}");
            expected.extend(lines.lines().map(line));
            daemon.wait_lines("out", expected.len());
        }
    }
    assert_eq!(daemon.stop().lines("out"), expected);
}

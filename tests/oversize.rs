//! Messages longer than `maxMessageSize`: what becomes of them, what is logged, what the error file gets. The expected
//! lines are those of rsyslog 8.2610, but for the end of the stream, where that loses a record; Debian's 8.2302 does not
//! know `framing.delimiter.regex`.

use std::fs;

use crate::harness::daemon::{Daemon, reference};
use crate::harness::send;

const CONFIG: &str = r#"global(net.enableDNS="off" processInternalMessages="on" maxMessageSize="128"
  oversizemsg.errorfile="{dir}/errors" oversizemsg.input.mode="MODE" oversizemsg.report="REPORT")
module(load="imtcp")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/records" framing.delimiter.regex="^<[0-9]+>")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/lines")
template(name="t" type="string" string="%hostname%/%syslogtag%/%msg%\n")
if $inputname == "imtcp" then action(type="omfile" file="{dir}/out" template="t")
else action(type="omfile" file="{dir}/own" template="t")
"#;

/// A record longer than 128 bytes.
const LONG: &str = "<13>Oct 11 22:14:15 alpha app: 000000001 000000002 000000003 000000004 000000005 000000006 \
                    000000007 000000008 000000009 000000010 000000011 000000012";

/// Sends a record that is too long between two that are not; returns what came of them.
fn records(mode: &str, report: &str) -> (Vec<String>, String, String) {
    let mut daemon = Daemon::start(&CONFIG.replace("MODE", mode).replace("REPORT", report));
    let text =
        format!("<13>Oct 11 22:14:15 alpha app: a\n{LONG}\n<13>Oct 11 22:14:15 alpha app: b\n");
    send::tcp(daemon.port("records"), text.as_bytes());
    daemon.wait_text("out", "app:/ b");
    let stopped = daemon.stop();
    let read = |name| fs::read_to_string(stopped.dir.path().join(name)).unwrap_or_default();
    (stopped.lines("out"), read("own"), read("errors"))
}

#[test]
fn records_are_cut_split_or_taken() {
    if reference() {
        return;
    }
    let long = &LONG["<13>Oct 11 22:14:15 alpha app:".len()..];
    let (kept, rest) = long.split_at(128 - "<13>Oct 11 22:14:15 alpha app:".len());
    let [first, second] = [kept, long].map(|text| format!("alpha/app:/{text}"));
    // A piece has no header: what stands there is taken for one.
    let piece = "10/000000011/ 000000012".to_owned();
    assert_eq!(rest, "10 000000011 000000012");
    let cases = [
        ("truncate", vec![first.clone()]),
        ("split", vec![first, piece]),
        ("accept", vec![second.clone()]),
        ("nonsense", vec![second[..second.len() - rest.len()].to_owned()]),
    ];
    for (mode, expected) in cases {
        let (out, own, errors) = records(mode, "on");
        let mut all = vec!["alpha/app:/ a".to_owned()];
        all.extend(expected);
        all.push("alpha/app:/ b".to_owned());
        assert_eq!(out, all, "{mode}");
        let report = format!(
            "rsyslogd-2445:/message too long ({}) with configured size 128, begin of message is: {}",
            LONG.len(),
            &LONG[..80]
        );
        assert!(own.contains(&report), "{mode}: {own}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
        assert!(errors.starts_with(&format!(
            "{{ \"msg\": \"\", \"rawmsg\": \"{LONG}\", \"timereported\": \"2"
        )));
        assert!(errors.ends_with(
            "\"programname\": \"\", \"protocol-version\": \"0\", \"structured-data\": \"-\", \
             \"app-name\": \"-\", \"procid\": \"-\", \"msgid\": \"-\", \"uuid\": null, \"input\": \"imtcp\" }\n"
        ));
    }
    let (_, own, errors) = records("truncate", "off");
    assert!(!own.contains("too long") && errors.lines().count() == 1, "{own}{errors}");
}

/// What imtcp itself splits goes to the error file once for the first part.
#[test]
fn split_frames_are_written_to_the_error_file() {
    if reference() {
        return;
    }
    let mut daemon = Daemon::start(&CONFIG.replace("MODE", "truncate").replace("REPORT", "on"));
    let text = format!("{LONG}\n<13>Oct 11 22:14:15 alpha app: b\n");
    send::tcp(daemon.port("lines"), text.as_bytes());
    daemon.wait_text("out", "app:/ b");
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("out").len(), 3);
    let errors = stopped.lines("errors");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains(&format!("\"rawmsg\": \"{}\"", &LONG[..128])), "{errors:?}");
    assert!(!stopped.lines("own").join("\n").contains("too long"));
}

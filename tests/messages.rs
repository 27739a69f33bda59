//! From raw bytes to properties, end to end: the Consequences table of `spec/message-model.md` section 6.

use crate::harness::{Daemon, daemon::reference, send};

/// Bytes after the PRI, then the properties hostname, syslogtag and msg; `L` stands for the sender's address.
const AFTER_PRI: &[(&str, &str, &str, &str)] = &[
    ("Oct 11 22:14:15 host app[1]: hi", "host", "app[1]:", " hi"),
    ("Oct 11 22:14:15 app: hi", "L", "app:", " hi"),
    ("host app: hi", "host", "app:", " hi"),
    ("just text here", "just", "text", " here"),
    ("{\"a\":1}", "L", "", "{\"a\":1}"),
    ("Oct 11 22:14:15 host: hi", "L", "host:", " hi"),
    ("Oct 11 22:14:15 onlyhost", "onlyhost", "", ""),
    ("Oct 11 22:14:15", "L", "", ""),
    ("2024 Jan  2 03:04:05 h t x", "h", "t", " x"),
    ("Jan  2 2024 03:04:05.123: h t: x", "h", "t:", " x"),
    ("Oct 1 2:14:15 host tag", "host", "tag", ""),
    ("2024-01-02T03:04:05+02:00 h t: x\ty", "h", "t:", " x#011y"),
    ("1 bogus h a", "L", "", "bogus h a"),
    ("1 2024-01-02T03:04:05Z h a", "h", "a[]", ""),
    ("1 - h a - - - ", "h", "a", ""),
    ("1 2024-01-02T03:04:05Z h a p m [a b=\"\\]\"] msg", "h", "a[p]", "msg"),
    ("su/x: y", "L", "su/x:", " y"),
];

/// Complete messages, then pri, hostname, syslogtag, msg.
const WHOLE: &[(&str, &str, &str, &str, &str)] = &[
    ("<999>x y", "199", "L", "", "<999>x y"),
    ("<192>q r", "199", "L", "", "<192>q r"),
    ("no pri here", "13", "no", "pri", " here"),
    ("<034>q: r", "34", "L", "q:", " r"),
    ("<34>", "34", "L", "", ""),
    ("<0>k: x", "0", "L", "k:", " x"),
    ("<191>k: x", "191", "L", "k:", " x"),
];

const CONFIG: &str = r#"global(net.enableDNS="off")
module(load="imtcp")
template(name="t" type="string" string="%hostname%|%syslogtag%|%msg%|%pri%|%fromhost%\n")
template(name="more" type="string" string="%pri-text%|%programname%|%app-name%|%procid%|%msgid%|%structured-data%|%protocol-version%|%timereported:::date-rfc3339%|%rawmsg-after-pri%\n")
action(type="omfile" file="{dir}/out" template="t")
action(type="omfile" file="{dir}/more" template="more")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port" supportOctetCountedFraming="off")
"#;

/// Sends all lines on one connection and returns the lines of `out` and `more`.
fn properties(lines: &[String]) -> (Vec<String>, Vec<String>) {
    let mut daemon = Daemon::start(CONFIG);
    let port = daemon.port("port");
    let bytes: String = lines.iter().map(|line| format!("{line}\n")).collect();
    send::tcp(port, bytes.as_bytes());
    let stopped = daemon.stop();
    (stopped.lines("out"), stopped.lines("more"))
}

#[test]
fn consequences() {
    let here = |host: &str| host.replace('L', "127.0.0.1");
    let mut sent = Vec::new();
    let mut expected = Vec::new();
    for (bytes, host, tag, msg) in AFTER_PRI {
        sent.push(format!("<38>{bytes}"));
        expected.push(format!("{}|{tag}|{msg}|38|127.0.0.1", here(host)));
    }
    for (bytes, pri, host, tag, msg) in WHOLE {
        sent.push((*bytes).to_owned());
        // Both print the number of the invalid one as text.
        let pri = if *pri == "199" { "invld" } else { pri };
        expected.push(format!("{}|{tag}|{msg}|{pri}|127.0.0.1", here(host)));
    }
    let (got, _) = properties(&sent);
    for (index, (got, expected)) in got.iter().zip(&expected).enumerate() {
        assert_eq!(got, expected, "{:?}", sent[index]);
    }
    assert_eq!(got.len(), expected.len());
}

/// The remaining properties, for one message of each kind.
#[test]
fn other_properties() {
    let sent = [
        "<38>Oct 11 22:14:15 host su/x[77]: hi".to_owned(),
        "<165>1 2024-01-02T03:04:05.123+02:00 h a/b p m [x y=\"z\"] msg".to_owned(),
        "<165>1 2024-01-02T03:04:05Z h a".to_owned(),
        "<999>x y".to_owned(),
    ];
    let (_, got) = properties(&sent);
    let year = &got[0].split('|').nth(7).expect("timestamp")[..4];
    assert_eq!(
        got[0],
        format!(
            "auth.info|su|su|77|-|-|0|{year}-10-11T22:14:15+00:00|Oct 11 22:14:15 host su/x[77]: hi"
        )
    );
    assert_eq!(
        got[1],
        "local4.notice|a|a/b|p|m|[x y=\"z\"]|1|2024-01-02T03:04:05.123+02:00|1 2024-01-02T03:04:05.123+02:00 h a/b p m [x y=\"z\"] msg"
    );
    assert_eq!(got[2], "local4.notice|a|a||||1|2024-01-02T03:04:05Z|1 2024-01-02T03:04:05Z h a");
    assert!(got[3].starts_with("invld.debug||-|-|-|-|0|"), "{}", got[3]);
    assert!(got[3].ends_with("|x y"), "{}", got[3]);
}

/// Where 8.2610 and 8.2302 differ we follow the newer one.
#[test]
fn newer_than_debian() {
    if reference() {
        return;
    }
    let sent = ["<>x: y", "<1234>x: y"].map(str::to_owned);
    let (got, _) = properties(&sent);
    assert_eq!(got, ["127.0.0.1||<>x: y|invld|127.0.0.1", "127.0.0.1||<1234>x: y|invld|127.0.0.1"]);
}

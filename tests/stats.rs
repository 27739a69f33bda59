//! impstats: formats, files, messages, the ledger.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use crate::harness::daemon::{Daemon, Stopped, reference};
use crate::harness::{ledger, send};

/// A daemon that reports every second with these parameters, and has taken five messages.
fn daemon(parameters: &str) -> Daemon {
    let mut daemon = Daemon::start(&format!(
        r#"global(net.enableDNS="off")
module(load="impstats" interval="1" {parameters})
module(load="imtcp")
input(type="imtcp" port="0" address="127.0.0.1" name="a\"b/c" listenPortFileName="{{dir}}/port")
ruleset(name="stats") {{ action(name="stats" type="omfile" file="{{dir}}/messages") }}
action(name="out" type="omfile" file="{{dir}}/out")
"#
    ));
    let port = daemon.port("port");
    send::tcp(port, b"<13>Oct 11 22:14:15 h t: m\n".repeat(5).as_slice());
    daemon.wait_lines("out", 5);
    daemon
}

/// The lines of a file that contain `text`, in order.
fn lines(stopped: &Stopped, file: &str, text: &str) -> Vec<String> {
    stopped.lines(file).into_iter().filter(|line| line.contains(text)).collect()
}

/// Every line of the file has its time, and the last report stands at the end.
#[test]
fn legacy_lines_in_a_file() {
    let mut daemon = daemon(r#"log.syslog="off" log.file="{dir}/stats" bracketing="on""#);
    daemon.wait_text("stats", "END");
    let stopped = daemon.stop();
    let all = stopped.lines("stats");
    for line in &all {
        let (date, rest) = line.split_at(24);
        assert!(rest.starts_with(": "), "{line}");
        let words: Vec<_> = date.split_ascii_whitespace().collect();
        assert!(words.len() == 5 && words[3].len() == 8, "{line}");
    }
    assert!(all[0].ends_with(": BEGIN") && all[all.len() - 1].ends_with(": END"));
    let begins = lines(&stopped, "stats", ": BEGIN").len();
    assert_eq!(begins, lines(&stopped, "stats", ": END").len());
    if reference() {
        return;
    }
    let action = lines(&stopped, "stats", ": out: ");
    assert_eq!(action.len(), begins);
    let (processed, rest) = action[begins - 1].split_once(" batchesprocessed=").expect("counters");
    assert!(processed.ends_with(": out: origin=core.action processed=5"), "{processed}");
    assert!(
        rest.ends_with(
            " failed=0 suspended=0 suspended.duration=0 resumed=0 ratelimit.allowed=0 ratelimit.dropped=0 \
             ratelimit.paced=0 ratelimit.paced_usec=0 "
        ),
        "{rest}"
    );
    let input = lines(&stopped, "stats", ": a\"b/c(0): ");
    assert!(
        input[begins - 1].ends_with(
            ": a\"b/c(0): origin=imtcp submitted=5 bytes.received=135 bytes.decompressed=0 \
             decompression.errors=0 "
        ),
        "{input:?}"
    );
    assert_eq!(mode(stopped.dir.path(), "stats"), 0o600);
    // What is not the reference's stands in the ledger only.
    assert!(lines(&stopped, "stats", "sessions.opened").is_empty());
    let ledgers = lines(&stopped, "stats", ": ledger: origin=sluice ");
    assert!(
        ledgers[begins - 1].contains(" out.received=5 out.processed=5 out.queued=0 out.dropped=0 ")
    );
}

fn mode(dir: &Path, name: &str) -> u32 {
    fs::metadata(dir.join(name)).expect("there").permissions().mode() & 0o777
}

/// Names are escaped in JSON; what was counted since the last report is reported, and the rest is not lost.
#[test]
fn json_and_reset() {
    let mut daemon =
        daemon(r#"log.syslog="off" log.file="{dir}/stats" format="json" resetCounters="on""#);
    daemon.wait_text("stats", "\"a\\\"b\\/c(0)\"");
    send::tcp(daemon.port("port"), b"<13>Oct 11 22:14:15 h t: m\n".repeat(3).as_slice());
    daemon.wait_lines("out", 8);
    let stopped = daemon.stop();
    let submitted: Vec<u64> = lines(&stopped, "stats", "a\\\"b\\/c(0)")
        .iter()
        .filter_map(|line| line.split("\"submitted\": ").nth(1)?.split(',').next()?.parse().ok())
        .collect();
    assert_eq!(submitted.iter().sum::<u64>(), 8, "{submitted:?}");
    let queue = lines(&stopped, "stats", "\"main Q\"");
    let last = &queue[queue.len() - 1];
    assert!(!last.contains("\"maxqsize\": 0"), "a gauge is not reset: {last}");
    if !reference() {
        let objects = ledger::parse(&stopped.stderr);
        assert_eq!(ledger::find(&objects, "a\"b/c(0)").get("submitted"), 8, "the total stays");
    }
}

/// Messages go to the ruleset that was asked for, with the header that was.
#[test]
fn messages_of_a_ruleset() {
    let mut daemon = daemon(r#"ruleset="stats" facility="23" severity="7" bracketing="on""#);
    daemon.wait_text("messages", "END");
    let stopped = daemon.stop();
    let first = &stopped.lines("messages")[0];
    assert!(first.contains(" rsyslogd-pstats: BEGIN"), "{first}");
    assert_eq!(stopped.lines("out").len(), 5, "nothing in the default ruleset");
}

/// A file that was moved away is left alone after HUP.
#[test]
fn hup_makes_the_file_anew() {
    let mut daemon = daemon(r#"log.syslog="off" log.file="{dir}/stats""#);
    daemon.wait_lines("stats", 1);
    fs::rename(daemon.dir().join("stats"), daemon.dir().join("old")).expect("moved");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_lines("stats", 1);
    drop(daemon.stop());
}

/// Whoever reads a file that is replaced finds one whole report.
#[test]
fn a_replaced_file_is_always_complete() {
    let mut daemon = daemon(
        r#"log.syslog="off" log.file="{dir}/stats" log.file.overwrite="on" bracketing="on""#,
    );
    let read = |daemon: &mut Daemon| {
        daemon.wait("a report", |dir| fs::read_to_string(dir.join("stats")).ok())
    };
    let first = read(&mut daemon);
    daemon.wait("another report", |dir| {
        let text = fs::read_to_string(dir.join("stats")).ok()?;
        (text != first).then_some(())
    });
    for text in [first, read(&mut daemon)] {
        assert!(text.lines().next().is_some_and(|line| line.ends_with(": BEGIN")), "{text}");
        assert!(text.ends_with(": END\n"), "{text}");
        assert_eq!(text.matches(": BEGIN").count(), 1, "{text}");
    }
    assert_eq!(mode(daemon.dir(), "stats"), 0o600);
    let stopped = daemon.stop();
    let beside = fs::read_dir(stopped.dir.path()).expect("a directory");
    let left =
        beside.filter_map(Result::ok).filter(|f| f.file_name().to_string_lossy().contains(".tmp."));
    assert_eq!(left.count(), 0);
}

/// The last report comes however long the interval is.
#[test]
fn a_last_report_at_the_end() {
    let mut daemon = Daemon::start(
        r#"global(net.enableDNS="off")
module(load="impstats" interval="3600" log.syslog="off" log.file="{dir}/stats" format="zabbix")
module(load="imtcp")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
action(type="omfile" file="{dir}/out")
"#,
    );
    daemon.port("port");
    let stopped = daemon.stop();
    let all = stopped.lines("stats");
    assert_eq!(all.len(), 1, "{all:?}");
    if reference() {
        return; // Debian's knows no zabbix
    }
    let json = all[0].split_once(": ").expect("a time").1;
    assert!(serde_json::from_str::<serde_json::Value>(json).is_ok(), "{json}");
    for part in ["{ \"timedate\": \"", ", \"stats_dynstats\": [{ ", ", \"stats_imtcp_local\": [{ "]
    {
        assert_eq!(json.matches(part).count(), 1, "{part} in {json}");
    }
    assert!(json.ends_with("]}"), "{json}");
}

/// What cannot be written is said once, and nothing else suffers.
#[test]
fn a_file_that_cannot_be_written() {
    let mut daemon = daemon(r#"log.file="{dir}/missing/stats""#);
    daemon.wait_text("stderr", "impstats: cannot write stats file");
    daemon.wait_text("out", "rsyslogd-pstats: main Q");
    let stopped = daemon.stop();
    let said = stopped.stderr.matches("rsyslogd: impstats: cannot write stats file").count();
    assert_eq!(said, usize::from(!reference()), "{}", stopped.stderr);
}

/// A ruleset that is not there, a format that is none: said, and the daemon runs.
#[test]
fn wrong_parameters_are_said() {
    let daemon = daemon(r#"ruleset="none" format="xml" interval="0""#);
    let stopped = daemon.stop();
    for said in [
        "impstats: ruleset 'none' not found - using default ruleset instead",
        "impstats: invalid format xml",
        "duplicate parameter 'interval'",
    ] {
        assert!(stopped.stderr.contains(said), "{said}: {}", stopped.stderr);
    }
}

/// Inputs are reported module by module, as they were loaded, and those of a module in their own order.
#[test]
fn inputs_are_reported_in_the_order_of_their_modules() {
    for (modules, wanted) in [
        (["imtcp", "imudp"], ["a(", "c(", "b(", "d("]),
        (["imudp", "imtcp"], ["b(", "d(", "a(", "c("]),
    ] {
        let load = modules.map(|module| format!("module(load=\"{module}\")\n")).concat();
        let mut daemon = Daemon::start(&format!(
            r#"global(net.enableDNS="off")
module(load="impstats" interval="3600" log.syslog="off" log.file="{{dir}}/stats")
{load}
input(type="imtcp" name="a" port="0" address="127.0.0.1" listenPortFileName="{{dir}}/port")
input(type="imudp" name="b" port="{{udp}}" address="127.0.0.1")
input(type="imtcp" name="c" port="0" address="127.0.0.1" listenPortFileName="{{dir}}/other")
input(type="imudp" name="d" port="{{udp2}}" address="127.0.0.1")
action(type="omfile" file="{{dir}}/out")
"#
        ));
        daemon.port("port");
        let stats = String::from_utf8(daemon.stop().read("stats")).expect("UTF-8");
        let places = wanted.map(|name| stats.find(&format!(" {name}")).expect(name));
        assert!(places.is_sorted(), "{modules:?}\n{stats}");
    }
}

/// Three lines for each counter behind the time, and an empty one, as the reference has them.
#[test]
fn prometheus_lines_in_a_file() {
    if reference() {
        return; // Debian's does not know the format
    }
    let mut daemon = daemon(r#"log.syslog="off" log.file="{dir}/stats" format="prometheus""#);
    daemon.wait_text("stats", "\nout_processed_total 5\n");
    let stopped = daemon.stop();
    let text = String::from_utf8(stopped.read("stats")).expect("UTF-8");
    let dated = ": # HELP out_processed_total rsyslog stats: origin=\"core.action\" object=\"out\", counter=\"processed\"\n\
                 # TYPE out_processed_total counter\nout_processed_total 5\n\n";
    let at = text.find(dated).expect("as the reference's");
    assert_eq!(
        text[..at].rsplit('\n').next().map(str::len),
        Some("Fri Nov 20 07:39:41 2026".len())
    );
    let gauge = "# TYPE U__main_20_Q__maxqsize__total counter\n";
    assert!(text.contains(gauge), "gauges are not told from counters, as in the reference");
}

/// A file that is replaced is for node_exporter: promtool reads it.
#[test]
fn prometheus_as_a_file_that_is_replaced() {
    if reference() {
        return;
    }
    let mut daemon = daemon(
        r#"log.syslog="off" log.file="{dir}/stats" log.file.overwrite="on" format="prometheus""#,
    );
    daemon.wait("a report", |dir| fs::read(dir.join("stats")).ok());
    let stopped = daemon.stop();
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = promtool.spawn().expect("promtool, of Debian's package prometheus");
    child.stdin.take().expect("piped").write_all(&stopped.read("stats")).expect("taken");
    let checked = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    // It does not like the names, which are the reference's.
    assert!(!said.contains("parsing error"), "{said}");
}

/// Without messages a ruleset for them has no meaning; that is said.
#[test]
fn a_ruleset_without_messages() {
    let daemon = daemon(r#"log.syslog="off" ruleset="stats""#);
    let stopped = daemon.stop();
    assert!(!stopped.dir.path().join("messages").exists());
    assert_eq!(stopped.lines("out").len(), 5);
    let said = "impstats: log.syslog set to \"off\" but ruleset specified";
    assert_eq!(stopped.stderr.contains(said), !reference(), "{}", stopped.stderr);
}

/// A single worker is no object of its own.
#[test]
fn workers_are_objects_where_there_are_several() {
    for (threads, workers) in [(1, 0), (3, 3)] {
        let mut daemon = Daemon::start(&format!(
            r#"global(net.enableDNS="off")
module(load="impstats" interval="3600" log.syslog="off" log.file="{{dir}}/stats")
module(load="imtcp" workerThreads="{threads}")
input(type="imtcp" port="0" address="127.0.0.1" name="in" listenPortFileName="{{dir}}/port")
action(type="omfile" file="{{dir}}/out")
"#
        ));
        daemon.port("port");
        let stopped = daemon.stop();
        if !reference() {
            let found = (0..4).map(|n| lines(&stopped, "stats", &format!(": w{n}/in: ")).len());
            assert_eq!(found.sum::<usize>(), workers);
        }
    }
}

/// An endpoint that fails is told of, and gets the next report all the same.
#[test]
fn a_push_that_fails_is_followed_by_the_next() {
    if reference() {
        return; // Debian's cannot push
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let url = format!("http://{}/write", listener.local_addr().expect("an address"));
    let serve = move || {
        ["400 Bad Request", "500 Internal Server Error", "200 OK"].map(|status| {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("a request");
                head.extend(byte);
            }
            let head = String::from_utf8(head).expect("UTF-8").to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let mut body = vec![0; length.and_then(|n| n.parse().ok()).expect("a length")];
            stream.read_exact(&mut body).expect("a body");
            let answer =
                format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).expect("answered");
            (head, body.len())
        })
    };
    let (daemon, requests) = std::thread::scope(|scope| {
        let endpoint = scope.spawn(serve);
        let push = format!(r#"log.syslog="off" push.url="{url}" push.timeout.ms="60000""#);
        (daemon(&push), endpoint.join().expect("three requests"))
    });
    for (head, body) in &requests {
        assert!(head.starts_with("post /write http/1.1\r\n") && *body > 100, "{head}");
    }
    // The one at the end finds nobody.
    let stopped = daemon.stop();
    for said in [
        "impstats_push: HTTP 400 from remote endpoint",
        "impstats_push: HTTP 500 from remote endpoint",
        "impstats: push to remote endpoint failed (will retry next interval)",
    ] {
        assert!(stopped.stderr.contains(said), "{said}: {}", stopped.stderr);
    }
}

/// Senders that come and go are told of, in the reference's words.
#[test]
fn senders_that_come_and_go_are_told_of() {
    let mut daemon = Daemon::start(
        r#"global(net.enableDNS="off" senders.keepTrack="on" senders.reportNew="on" senders.reportGoneAway="on"
    senders.timeoutAfter="1" processInternalMessages="on")
module(load="imtcp")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
action(type="omfile" file="{dir}/out")
"#,
    );
    let port = daemon.port("port");
    send::tcp(port, b"<13>Oct 11 22:14:15 h t: m\n");
    daemon.wait_text("out", "new sender '127.0.0.1'");
    if !reference() {
        // The reference looks every ten minutes.
        daemon
            .wait_text("out", "removing sender '127.0.0.1' from connection table, last seen at 20");
    }
    daemon.stop();
}

/// What a round shows is read once: file and messages have the same numbers, also where reading resets them.
#[test]
fn one_snapshot_serves_all_outputs() {
    let mut daemon =
        daemon(r#"log.file="{dir}/stats" ruleset="stats" resetCounters="on" format="json""#);
    daemon.wait_text("messages", "resource-usage");
    let stopped = daemon.stop();
    let behind = |file: &str, mark: &str| -> Vec<String> {
        let all = stopped.lines(file).into_iter();
        all.filter_map(|line| Some(line.split_once(mark)?.1.to_owned())).collect()
    };
    let (file, messages) = (behind("stats", ": "), behind("messages", " rsyslogd-pstats: "));
    let count = |lines: &[String]| lines.iter().filter(|line| line.contains("utime")).count();
    assert!(count(&file) >= 2, "{file:?}");
    if reference() {
        return; // it reads twice, and its last messages may come too late
    }
    assert_eq!(file, messages);
}

//! imdiag from the outside: what rsyslog's test bench does with it.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use nix::sys::signal::Signal;

use crate::harness::daemon::{Daemon, program, reference, tempdir};
use crate::harness::send;

const CONFIG: &str = r#"module(load="../plugins/imdiag/.libs/imdiag" serverrun="0"
    listenportfilename="{dir}/diag.port" properterminationfile="{dir}/end" aborttimeout="600"
    mainmsgqueuetimeoutshutdown="60000" inputshutdowntimeout="60000")
template(name="line" type="string" string="%inputname% %fromhost% %fromhost-ip% %hostname% %syslogtag%%msg%\n")
:syslogtag, contains, "tag" action(type="omfile" file="{dir}/out" template="line"
    queue.type="LinkedList")
"#;

/// A client as the bench's own: a line out, a line in.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(daemon: &mut Daemon) -> Self {
        let port = daemon.port("diag.port");
        Self(BufReader::new(send::connect(port)))
    }

    fn ask(&mut self, request: &str) -> String {
        self.0.get_mut().write_all(format!("{request}\n").as_bytes()).expect("sent");
        let mut answer = String::new();
        self.0.read_line(&mut answer).expect("an answer");
        answer
    }
}

#[test]
fn the_bench_can_drive_the_daemon() {
    if reference() {
        return; // Debian's has no imdiag
    }
    let mut daemon = Daemon::start(CONFIG);
    let mut client = Client::connect(&mut daemon);
    assert_eq!(client.ask("injectmsg 0 3000"), "3000 messages injected\n");
    assert_eq!(
        client.ask("injectmsg literal <13>Mar  1 01:00:00 h tag: x"),
        "1 messages injected\n"
    );
    assert_eq!(client.ask("WaitMainQueueEmpty"), "mainqueue empty\n");
    // Whatever is in no queue has been written.
    let out = fs::read_to_string(daemon.dir().join("out")).expect("out");
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 3001);
    assert_eq!(lines[42], "imdiag 127.0.0.1 127.0.0.1 192.0.2.8 tag msgnum:00000042:");
    assert_eq!(lines[3000], "imdiag 127.0.0.1 127.0.0.1 h tag: x");

    fs::rename(daemon.dir().join("out"), daemon.dir().join("old")).expect("moved");
    daemon.signal(Signal::SIGHUP);
    assert!(client.ask("AwaitHUPComplete").contains("has completed ["));
    assert_eq!(client.ask("SetMainMsgQueueTimeoutShutdown 60000"), "OK\n");
    assert_eq!(client.ask("SetInputShutdownTimeout 60000"), "OK\n");
    assert_eq!(client.ask("injectmsg 7 1"), "1 messages injected\n");
    daemon.wait_lines("out", 1);

    let pid = daemon.pid();
    // The open connection holds nothing up.
    let stopped = daemon.stop();
    assert!(stopped.status.success());
    let end = stopped.lines("end");
    assert_eq!(end[0], "status=ok");
    assert!(end.contains(&format!("pid={pid}")), "{end:?}");
    for line in ["reason=normal", "signal=15", "phase=main-return", "queue.overall.size=0"] {
        assert!(end.contains(&line.to_owned()), "{line} in {end:?}");
    }
}

#[test]
fn an_unwritable_termination_file_fails_the_process() {
    if reference() {
        return;
    }
    let config = CONFIG.replace("{dir}/end", "{dir}/missing/end");
    let mut daemon = Daemon::start(&config);
    daemon.port("diag.port");
    daemon.signal(Signal::SIGTERM);
    let stopped = daemon.join();
    assert_eq!(stopped.status.code(), Some(1));
    assert!(stopped.stderr.contains("error writing proper termination file"), "{}", stopped.stderr);
}

#[test]
fn a_process_that_hangs_is_aborted() {
    if reference() {
        return;
    }
    let config = CONFIG.replace("aborttimeout=\"600\"", "aborttimeout=\"1\"");
    // On a slow machine that is before it is ready.
    let mut daemon = Daemon::spawn(&program(), &config, &["-d"], tempdir());
    let end = daemon.wait("the termination file", |dir| {
        let text = fs::read_to_string(dir.join("end")).ok()?;
        text.ends_with("queue.overall.size=0\n").then_some(text)
    });
    assert!(end.starts_with("status=error\nreason=timeoutGuard\n"), "{end}");
    assert!(end.contains("\nphase=timeoutguard-abort\n"), "{end}");
}

#[test]
fn reports_of_statistics_can_be_held_up() {
    if reference() {
        return;
    }
    let config = CONFIG.to_owned()
        + r#"
module(load="impstats" interval="1" log.file="{dir}/stats" log.syslog="off" resetCounters="off")
dyn_stats(name="by" maxCardinality="1")
ruleset(name="count") { set $.x = dyn_inc("by", $programname); }
if $syslogtag contains "tag" then call count
"#;
    let mut daemon = Daemon::start(&config);
    let mut client = Client::connect(&mut daemon);
    assert!(client.ask("AwaitStatsReport").starts_with("imdiag::error"));
    client.ask("BlockStatsReporting");
    client.ask("injectmsg 0 10");
    client.ask("WaitMainQueueEmpty");
    assert_eq!(client.ask("AwaitStatsReport block_again"), "stats reporting was unblocked\n");
    client.ask("injectmsg 0 5");
    client.ask("WaitMainQueueEmpty");
    assert_eq!(client.ask("AwaitStatsReport"), "stats reporting was unblocked\n");
    daemon.wait("two reports", |dir| {
        let text = fs::read_to_string(dir.join("stats")).ok()?;
        // Reports zero a bucket's counters even where resetCounters is off.
        let reports = text.lines().filter_map(|line| line.split_once("dynstats.bucket tag="));
        let mut counts = reports.map(|(_, count)| count.trim().to_owned());
        let first = counts.find(|count| count != "0")?;
        (first == "10" && counts.next()? == "5").then_some(())
    });
}

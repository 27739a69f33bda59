//! Queues: what they drop is counted, what they take arrives, whatever their parameters.

use std::process::Command;

use crate::harness::daemon::reference;
use crate::harness::{Daemon, Stopped, ledger, send};

/// A daemon with these queue parameters, TCP input, and a file of bare messages.
fn start(queue: &str) -> Daemon {
    let patient = "queue.timeoutShutdown=\"120000\"";
    let patient = if queue.contains("timeoutShutdown") { "" } else { patient };
    Daemon::start(&format!(
        r#"global(net.enableDNS="off")
main_queue({patient} {queue})
module(load="imtcp")
template(name="raw" type="string" string="%rawmsg%\n")
action(type="omfile" file="{{dir}}/out" template="raw")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{{dir}}/port")
"#
    ))
}

/// Sends `n` messages over one connection, every second one of severity 3, the others of severity 6.
fn load(daemon: &mut Daemon, n: usize) -> Vec<String> {
    let text = |number| format!("<{}>a: {number}", if number % 2 == 0 { 11 } else { 14 });
    let messages: Vec<String> = (0..n).map(text).collect();
    let port = daemon.port("port");
    send::tcp(port, (messages.join("\n") + "\n").as_bytes());
    messages
}

fn counter(stopped: &Stopped, name: &str) -> usize {
    let objects = ledger::parse(&stopped.stderr);
    ledger::find(&objects, "main Q").get(name)
}

/// The parameters of a window that is closed now and for the next hour.
pub(crate) fn closed_window() -> String {
    let date = Command::new("date").args(["-u", "+%H"]).output().expect("date").stdout;
    let hour: u32 = String::from_utf8_lossy(&date).trim().parse().expect("an hour");
    let [from, to] = [(hour + 2) % 24, (hour + 3) % 24];
    format!(r#"queue.dequeueTimeBegin="{from}" queue.dequeueTimeEnd="{to}""#)
}

/// Nothing is taken out outside the window; the end empties the queue all the same.
#[test]
fn window() {
    let mut daemon = start(&closed_window());
    let sent = load(&mut daemon, 100);
    assert!(!daemon.dir().join("out").exists(), "the window is closed");
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("out"), sent);
}

/// A full queue drops at once with `timeoutEnqueue` 0, and counts it.
#[test]
fn full() {
    if reference() {
        return; // it prints no counters
    }
    let window = closed_window();
    let mut daemon = start(&format!(r#"queue.size="10" queue.timeoutEnqueue="0" {window}"#));
    let sent = load(&mut daemon, 50);
    let stopped = daemon.stop_lossy();
    assert_eq!(stopped.lines("out"), sent[..10]);
    assert_eq!(counter(&stopped, "enqueued"), 50);
    assert_eq!((counter(&stopped, "discarded.full"), counter(&stopped, "maxqsize")), (40, 10));
    assert!(counter(&stopped, "full") > 0);
}

/// Above the discard mark unimportant messages are dropped and counted, whether they come or are there; important ones
/// are taken.
#[test]
fn discard_mark() {
    if reference() {
        return; // it prints no counters
    }
    let marks = r#"queue.size="1000" queue.discardMark="5" queue.discardSeverity="6""#;
    let mut daemon = start(&format!("{marks} {}", closed_window()));
    let sent = load(&mut daemon, 50);
    let stopped = daemon.stop_lossy();
    let written = stopped.lines("out");
    // What a worker had taken out before the mark was reached stays.
    let early = written.iter().position(|line| *line == sent[4]).expect("an important one");
    let important: Vec<_> = sent.iter().skip(4).step_by(2).cloned().collect();
    assert_eq!(written[early..], important);
    assert!(written[..early].iter().all(|line| sent[..4].contains(line)), "{written:?}");
    assert_eq!(counter(&stopped, "discarded.nf"), 50 - written.len());
}

/// As many unimportant messages as are above the mark go from the front: here those that came before it was reached.
#[test]
fn discard_mark_makes_room() {
    if reference() {
        return; // at its end it still waits for the smallest batch
    }
    let mut daemon = Daemon::start(
        r#"global(net.enableDNS="off")
module(load="imtcp")
template(name="raw" type="string" string="%rawmsg%\n")
ruleset(name="slow" queue.type="LinkedList" queue.size="200" queue.discardMark="20" queue.discardSeverity="6"
        queue.minDequeueBatchSize="30" queue.minDequeueBatchSize.timeout="600000" queue.dequeueBatchSize="1"
        queue.timeoutShutdown="120000") {
    action(type="omfile" file="{dir}/out" template="raw")
}
call slow
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
"#,
    );
    let sent = load(&mut daemon, 60);
    let stopped = daemon.stop_lossy();
    assert_eq!(stopped.lines("out"), sent.into_iter().step_by(2).collect::<Vec<_>>());
}

/// What cannot be processed in the time allowed is lost, counted, and said.
#[test]
fn shutdown_timeout() {
    if reference() {
        return; // it prints no counters
    }
    let mut daemon = start(
        r#"queue.timeoutShutdown="0" queue.dequeueBatchSize="1" queue.dequeueSlowdown="600000000""#,
    );
    load(&mut daemon, 50);
    daemon.wait_lines("out", 1);
    let stopped = daemon.stop_lossy();
    let written = stopped.lines("out").len();
    assert_eq!(counter(&stopped, "lost.shutdown"), 50 - written);
    assert!(written < 50, "a pause of ten minutes follows each message");
    let said = format!("main Q: {} messages lost at shutdown", 50 - written);
    assert!(stopped.stderr.contains(&said), "{}", stopped.stderr);
}

/// A queue much smaller than what comes holds the sender up, and loses nothing.
#[test]
fn back_pressure() {
    if reference() {
        return; // it prints no counters
    }
    let mut daemon = start(
        r#"queue.size="20" queue.dequeueBatchSize="7" queue.timeoutEnqueue="600000" queue.type="LinkedList""#,
    );
    let sent = load(&mut daemon, 5000);
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("out"), sent);
    assert!(counter(&stopped, "full") > 0);
    assert_eq!(counter(&stopped, "maxqsize"), 20);
}

/// Several workers share the work; each message is written once.
#[test]
fn workers() {
    let mut daemon = start(
        r#"queue.workerThreads="4" queue.workerThreadMinimumMessages="100" queue.dequeueBatchSize="50""#,
    );
    let mut sent = load(&mut daemon, 20_000);
    let stopped = daemon.stop();
    let mut out = stopped.lines("out");
    sent.sort_unstable();
    out.sort_unstable();
    assert_eq!(out, sent);
}

/// Every third message.
#[test]
fn sampling() {
    if reference() {
        return; // it prints no counters
    }
    let mut daemon = start(r#"queue.samplingInterval="3""#);
    let sent = load(&mut daemon, 30);
    let stopped = daemon.stop_lossy();
    let want: Vec<_> = sent.iter().skip(2).step_by(3).cloned().collect();
    assert_eq!(stopped.lines("out"), want);
    assert_eq!(counter(&stopped, "discarded.sampling"), 20);
}

/// A worker waits for a batch worth its while, until it has waited long enough.
#[test]
fn minimum_batch() {
    let settings =
        |ms| format!(r#"queue.minDequeueBatchSize="100" queue.minDequeueBatchSize.timeout="{ms}""#);
    let mut daemon = start(&settings(600_000));
    let mut sent = load(&mut daemon, 60);
    assert!(!daemon.dir().join("out").exists(), "60 messages are too few");
    sent.extend(load(&mut daemon, 60));
    daemon.wait_lines("out", 100);
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("out"), sent);

    let mut daemon = start(&settings(1));
    load(&mut daemon, 60);
    daemon.wait_lines("out", 60);
    daemon.stop();
}

/// Rulesets that hand on to each other through queues are emptied in that order, whatever the order in the file.
#[test]
fn chain_of_rulesets() {
    if reference() {
        return; // at the end its queues stop before those that feed them
    }
    let mut daemon = Daemon::start(
        r#"global(net.enableDNS="off")
module(load="imtcp")
template(name="raw" type="string" string="%rawmsg%\n")
ruleset(name="last" queue.type="LinkedList") { action(type="omfile" file="{dir}/out" template="raw") }
ruleset(name="first" queue.type="LinkedList") { call between }
ruleset(name="between") { call last }
ruleset(name="in") { call first }
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port" ruleset="in")
"#,
    );
    let sent = load(&mut daemon, 20_000);
    assert_eq!(daemon.stop().lines("out"), sent);
}

/// A queue that fills starts further workers, and says so.
#[test]
fn further_workers_are_told() {
    if reference() {
        return; // it says so on its way to the queue, which may be too late
    }
    let mut daemon = Daemon::start(&format!(
        r#"global(net.enableDNS="off" processInternalMessages="on" internalmsg.severity="7")
main_queue(queue.timeoutShutdown="120000" queue.workerThreads="2" queue.workerThreadMinimumMessages="10" {})
module(load="imtcp")
template(name="raw" type="string" string="%rawmsg%\n")
action(type="omfile" file="{{dir}}/out" template="raw")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{{dir}}/port")
"#,
        closed_window()
    ));
    load(&mut daemon, 100);
    let stopped = daemon.stop();
    let out = stopped.lines("out").join("\n");
    let told = "main Q: high activity - starting 1 additional worker thread(s), currently 1 active worker threads.";
    assert!(out.contains(told) || stopped.stderr.contains(told), "{out}\n{}", stopped.stderr);
}

//! What statistics and state files cost where there is much to tell, while messages come as fast as they are taken:
//! reports every second of ten thousand counters that scripts make, with a hundred thousand senders tracked and
//! written; the state file of a million senders.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::harness::Daemon;
use crate::meter::{Subject, pause};
use crate::report::{Bar, Metric};
use crate::scenarios::{Load, Run, Scenario, p99, probe_delays};
use crate::tcp;

pub(crate) const IMPSTATS: Scenario = Scenario {
    name: "impstats",
    title: "TCP, 2 connections flooding, a report each second of 10,000 counters, 100,000 senders tracked, their file \
            written every 5 seconds (ours)",
    metrics: &[
        Metric::new("CPU of the reports", "% of all").bar(Bar::AtMost(3.0)),
        Metric::new("p99 send to line in file", "ms").bar(Bar::AtMost(50.0)),
        Metric::new("CPU per message", "ns"),
    ],
    run: reports,
};

/// The reference has no such file that it can be compared with.
pub(crate) const SENDERS: Scenario = Scenario {
    name: "senders",
    title: "TCP, 2 connections flooding, the state file of 1,000,000 senders written each second (ours)",
    metrics: &[
        Metric::new("time until it stands", "s").bar(Bar::AtMost(2.0)),
        Metric::new("p99 send to line in file", "ms").bar(Bar::AtMost(50.0)),
        Metric::new("longest", "ms"),
        Metric::new("messages per second", "k"),
    ],
    run: state_file,
};

const COUNTERS: usize = 10_000;
const TRACKED: usize = 100_000;
const IN_FILE: usize = 1_000_000;

/// Only the probe's messages reach the file.
const CONFIG: &str = r#"global(net.enableDNS="off")
module(load="impstats" interval="1" log.syslog="off" log.file="{dir}/stats" format="json")
module(load="imtcp")
dyn_stats(name="counters" maxCardinality="10000")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
if $programname == "app" then { action(type="omfile" file="{dir}/out") stop }
set $.x = dyn_inc("counters", $programname);
"#;

const TRACK: &str = r#"module(load="omsendertrack")
action(type="omsendertrack" senderId="%hostname%" stateFile="{dir}/state" interval="5")
"#;

fn reports(program: &Path, load: Load) -> Run {
    let ours = program.file_name().is_some_and(|name| name != "rsyslogd");
    let config = if ours { format!("{CONFIG}{TRACK}") } else { CONFIG.to_owned() };
    let mut subject = Subject::start(program, &config);
    let block = block(TRACKED, |n| format!("h{n:06} a{:05}", n % COUNTERS));
    let before = (subject.daemon.cpu_time(), control(&subject.daemon, ours));
    let (sent, delays) = flood(&mut subject, &block, load);
    let all = subject.daemon.cpu_time() - before.0;
    let share = (control(&subject.daemon, ours) - before.1).as_secs_f64() / all.as_secs_f64();
    let each = all.as_secs_f64() * 1e9 / (sent * TRACKED).max(1) as f64;
    let mut failures = Vec::new();
    let tracked = fs::read(subject.daemon.dir().join("state")).unwrap_or_default();
    let tracked = memchr::memmem::find_iter(&tracked, b"{\"sender\":\"h").count();
    if ours && load.seconds > 5 && tracked != TRACKED {
        failures.push(format!("{tracked} senders in the state file, not {TRACKED}"));
    }
    let (dir, complaint) = subject.stop();
    failures.extend(complaint);
    let stats = fs::read_to_string(dir.path().join("stats")).unwrap_or_default();
    let full = stats.lines().rfind(|line| line.contains("\"a00000\": "));
    let counters = full.map_or(0, |line| line.matches("\"a").count());
    if counters != COUNTERS {
        failures.push(format!("{counters} counters in a report, not {COUNTERS}"));
    }
    Run { values: vec![share * 100.0, p99(delays), each], failures, overtaken: 0 }
}

/// Messages of 200 bytes with the host and the tag that `head` says.
fn block(messages: usize, head: impl Fn(usize) -> String) -> String {
    let message = |n| format!("{:x<199}\n", format!("<13>Oct 11 22:14:15 {}: ", head(n)));
    (0..messages).map(message).collect()
}

/// Sends `block` over two connections for the time of the load, and probes over a third one: how often the block was
/// sent, and how long each probe took to reach the file.
fn flood(subject: &mut Subject, block: &str, load: Load) -> (usize, Vec<Duration>) {
    let port = subject.daemon.port("port");
    let (floods, probe) = (tcp::connect(port, 2), tcp::connect(port, 1));
    let end = Instant::now() + Duration::from_secs(load.seconds);
    let output = subject.output();
    std::thread::scope(|scope| {
        let flood = scope.spawn(|| tcp::flood_until(floods, block.as_bytes(), end));
        let probe = probe.into_iter().next().expect("one");
        let _ = probe.set_nodelay(true);
        let delays = probe_delays(probe, &output, end);
        (flood.join().expect("flood"), delays)
    })
}

/// Only the probe's messages reach the file.
const SENDERS_CONFIG: &str = r#"global(net.enableDNS="off")
module(load="imtcp")
module(load="omsendertrack")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
if $programname == "app" then { action(type="omfile" file="{dir}/out") stop }
action(type="omsendertrack" senderId="%hostname%" stateFile="{dir}/state" interval="1")
"#;

fn state_file(program: &Path, load: Load) -> Run {
    if program.file_name().is_some_and(|name| name == "rsyslogd") {
        return Run {
            values: vec![f64::NAN; SENDERS.metrics.len()],
            failures: Vec::new(),
            overtaken: 0,
        };
    }
    let mut text = String::from("[\n");
    for n in 0..IN_FILE {
        let end = if n + 1 == IN_FILE { "" } else { "," };
        let _ = writeln!(
            text,
            "{{\"sender\":\"h{n:06}\",\"messages\":1,\"firstseen\":1,\"lastseen\":2}}{end}"
        );
    }
    text.push_str("]\n");
    let mut subject = Subject::start_in(program, SENDERS_CONFIG, |dir| {
        fs::write(dir.join("state"), text).expect("written");
    });
    // Every tenth of them sends.
    let block = block(IN_FILE / 10, |n| format!("h{:06} a", n * 10));
    let temporary = subject.daemon.dir().join("state.tmp");
    let done = AtomicBool::new(false);
    let ((sent, delays), mut writes) = std::thread::scope(|scope| {
        let writes = scope.spawn(|| times_there(&temporary, &done));
        let flooded = flood(&mut subject, &block, load);
        done.store(true, Ordering::Relaxed);
        (flooded, writes.join().expect("a watcher"))
    });
    let mut failures = Vec::new();
    if writes.is_empty() {
        failures.push("the state file was not written under load".to_owned());
    }
    writes.sort_unstable();
    let write = writes.last().map_or(f64::NAN, Duration::as_secs_f64);
    let longest = delays.iter().max().map_or(f64::NAN, |delay| delay.as_secs_f64() * 1e3);
    let rate = (sent * IN_FILE / 10) as f64 / load.seconds as f64 / 1e3;
    let (dir, complaint) = subject.stop();
    failures.extend(complaint);
    let kept = fs::read(dir.path().join("state")).unwrap_or_default();
    let kept = memchr::memmem::find_iter(&kept, b"{\"sender\":\"h").count();
    // A message that was cut by the end may have brought one more.
    if kept < IN_FILE {
        failures.push(format!("{kept} senders in the state file, not {IN_FILE}"));
    }
    Run { values: vec![write, p99(delays), longest, rate], failures, overtaken: 0 }
}

/// How long a file was there, each time, until `done`.
fn times_there(path: &Path, done: &AtomicBool) -> Vec<Duration> {
    let mut times = Vec::new();
    let mut since = None;
    while !done.load(Ordering::Relaxed) {
        match (path.exists(), since) {
            (true, None) => since = Some(Instant::now()),
            (false, Some(start)) => {
                times.push(Instant::now() - start);
                since = None;
            }
            _ => {}
        }
        pause(Duration::from_millis(1));
    }
    times
}

/// CPU time of the thread that reports and writes state files.
fn control(daemon: &Daemon, ours: bool) -> Duration {
    let name = if ours { "control\n" } else { "in:impstats\n" };
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.pid())).expect("threads");
    let of = tasks
        .filter_map(Result::ok)
        .map(|task| task.path())
        .filter(|task| fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm == name));
    let nanos = |task: std::path::PathBuf| {
        let text = fs::read_to_string(task.join("schedstat")).ok()?;
        text.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    Duration::from_nanos(of.filter_map(nanos).sum())
}

//! What statistics cost where there is much to tell: reports every second of ten thousand counters that scripts make,
//! with a hundred thousand senders tracked, while messages come as fast as they are taken.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::harness::Daemon;
use crate::meter::Subject;
use crate::report::{Bar, Metric};
use crate::scenarios::{Load, Run, Scenario, p99, probe_delays};
use crate::tcp;

pub(crate) const IMPSTATS: Scenario = Scenario {
    name: "impstats",
    title: "TCP, 2 connections flooding, a report each second of 10,000 counters, 100,000 senders tracked (ours)",
    metrics: &[
        Metric::new("CPU of the reports", "% of all").bar(Bar::AtMost(3.0)),
        Metric::new("p99 send to line in file", "ms").bar(Bar::AtMost(50.0)),
        Metric::new("CPU per message", "ns"),
    ],
    run,
};

const COUNTERS: usize = 10_000;
const SENDERS: usize = 100_000;

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
action(type="omsendertrack" senderId="%hostname%" stateFile="{dir}/state")
"#;

fn run(program: &Path, load: Load) -> Run {
    let ours = program.file_name().is_some_and(|name| name != "rsyslogd");
    let config = if ours { format!("{CONFIG}{TRACK}") } else { CONFIG.to_owned() };
    let mut subject = Subject::start(program, &config);
    let port = subject.daemon.port("port");
    let (floods, probe) = (tcp::connect(port, 2), tcp::connect(port, 1));
    let block: String = (0..SENDERS)
        .map(|n| {
            let head = format!("<13>Oct 11 22:14:15 h{n:06} a{:05}: ", n % COUNTERS);
            format!("{head:x<199}\n")
        })
        .collect();
    let before = (subject.daemon.cpu_time(), reports(&subject.daemon, ours));
    let end = Instant::now() + Duration::from_secs(load.seconds);
    let output = subject.output();
    let (sent, delays) = std::thread::scope(|scope| {
        let flood = scope.spawn(|| tcp::flood_until(floods, block.as_bytes(), end));
        let probe = probe.into_iter().next().expect("one");
        let _ = probe.set_nodelay(true);
        let delays = probe_delays(probe, &output, end);
        (flood.join().expect("flood"), delays)
    });
    let all = subject.daemon.cpu_time() - before.0;
    let share = (reports(&subject.daemon, ours) - before.1).as_secs_f64() / all.as_secs_f64();
    let each = all.as_secs_f64() * 1e9 / (sent * SENDERS).max(1) as f64;
    let (dir, complaint) = subject.stop();
    let mut failures: Vec<_> = complaint.into_iter().collect();
    let stats = fs::read_to_string(dir.path().join("stats")).unwrap_or_default();
    let full = stats.lines().rfind(|line| line.contains("\"a00000\": "));
    let counters = full.map_or(0, |line| line.matches("\"a").count());
    if counters != COUNTERS {
        failures.push(format!("{counters} counters in a report, not {COUNTERS}"));
    }
    Run { values: vec![share * 100.0, p99(delays), each], failures, overtaken: 0 }
}

/// CPU time of the thread that reports.
fn reports(daemon: &Daemon, ours: bool) -> Duration {
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

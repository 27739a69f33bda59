//! The scenarios of the performance table, each one run on one daemon.

use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::fcntl::{FallocateFlags, fallocate};

use crate::frames::{self, Framing};
use crate::meter::{Growth, Subject, pause, wait_until};
use crate::report::{Bar, Metric};
use crate::rules::{self, RULES};
use crate::{elastic, statistics, tcp, tls, udp};

/// How much of everything.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    /// Messages of a TCP run.
    pub(crate) messages: usize,
    /// Idle connections.
    idle: usize,
    /// Seconds of the timed scenarios: idle, fairness.
    pub(crate) seconds: u64,
    /// Seconds of one trial of the UDP search.
    trial: u64,
}

impl Load {
    pub(crate) const FULL: Self = Self { messages: 1_000_000, idle: 10_000, seconds: 10, trial: 2 };
    pub(crate) const QUICK: Self = Self { messages: 100_000, idle: 1_000, seconds: 2, trial: 1 };
}

/// One measured run.
pub(crate) struct Run {
    /// In the order of the scenario's metrics.
    pub(crate) values: Vec<f64>,
    /// Messages lost, damaged or out of order, connections broken, an unclean end.
    pub(crate) failures: Vec<String>,
    /// Messages written before an earlier one of their connection.
    pub(crate) overtaken: usize,
}

/// A row group of the performance table.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) metrics: &'static [Metric],
    pub(crate) run: fn(&Path, Load) -> Run,
}

const CPU: Metric = Metric::new("CPU per message", "ns").bar(Bar::Cost(7.0)).aim(Bar::Cost(12.0));
const RATE: Metric =
    Metric::new("messages per second", "k").bar(Bar::Speed(4.0)).aim(Bar::Speed(8.0));
const PEAK: Metric = Metric::new("peak memory", "MiB").bar(Bar::Cost(1.0)).aim(Bar::Cost(2.0));

const DATAGRAMS: &[Metric] = &[
    Metric::new("highest rate without loss", "k").bar(Bar::Speed(2.0)).aim(Bar::Speed(3.0)),
    Metric::new("CPU per message at 200 k/s", "ns").bar(Bar::Cost(4.0)).aim(Bar::Cost(6.0)),
    Metric::new("CPU per message at 50 k/s", "ns"),
    Metric::new("peak memory at the highest rate", "MiB").bar(Bar::Cost(1.0)).aim(Bar::Cost(2.0)),
];

/// All scenarios.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "tcp-1",
        title: "TCP, 1 connection, LF frames",
        metrics: &[CPU, RATE, PEAK],
        run: |program, load| stream(program, load, 1, Framing::Lf),
    },
    Scenario {
        name: "tcp-64",
        title: "TCP, 64 connections, LF frames",
        metrics: &[CPU, RATE, PEAK],
        run: |program, load| stream(program, load, 64, Framing::Lf),
    },
    Scenario {
        name: "octet-64",
        title: "TCP, 64 connections, octet-counted frames",
        metrics: &[CPU, RATE, PEAK],
        run: |program, load| stream(program, load, 64, Framing::OctetCount),
    },
    Scenario {
        name: "rules",
        title: "TCP, 4 connections, 30 selectors and property filters, 10 conditions, 5 files",
        metrics: &[
            Metric::new("CPU per message", "ns").bar(Bar::Cost(5.0)),
            Metric::new("messages per second", "k"),
            PEAK,
        ],
        run: rules,
    },
    Scenario {
        name: "udp",
        title: "UDP, 4 senders, paced, single datagrams",
        metrics: DATAGRAMS,
        run: |program, load| datagrams(program, load, udp::Shape::Single),
    },
    Scenario {
        name: "udp-trains",
        title: "UDP, 4 senders, paced, trains of 16 (UDP_SEGMENT)",
        metrics: DATAGRAMS,
        run: |program, load| datagrams(program, load, udp::Shape::Train),
    },
    Scenario {
        name: "idle",
        title: "TCP, 10,000 idle connections",
        metrics: &[
            Metric::new("resident memory", "MiB").bar(Bar::AtMost(30.0)).aim(Bar::AtMost(15.0)),
            Metric::new("CPU", "% of a core").bar(Bar::AtMost(1.0)),
            PEAK,
        ],
        run: idle,
    },
    Scenario {
        name: "fairness",
        title: "TCP, 4 connections flooding, one sends 10 messages/s",
        metrics: &[
            Metric::new("p99 send to line in file", "ms")
                .bar(Bar::AtMost(50.0))
                .aim(Bar::AtMost(10.0)),
            PEAK,
        ],
        run: fairness,
    },
    Scenario {
        name: "burst",
        title: "TCP, 1,000 simultaneous connects, 10 messages each",
        metrics: &[Metric::new("time until all lines stand", "ms"), PEAK],
        run: burst,
    },
    Scenario {
        name: "elastic-file",
        title: "TCP, 64 connections, to ECS documents in a file (reference: a JSON template of that size)",
        metrics: elastic::TO_FILE,
        run: elastic::file,
    },
    Scenario {
        name: "elastic-bulk",
        title: "TCP, 64 connections, to a local bulk sink (reference: omelasticsearch, documents of that size)",
        metrics: elastic::TO_SINK,
        run: elastic::bulk,
    },
    Scenario {
        name: "elastic-gzip",
        title: "the same, compressed (the reference does not)",
        metrics: elastic::TO_SINK,
        run: elastic::bulk_gzip,
    },
    statistics::IMPSTATS,
    statistics::SENDERS,
    tls::STREAM,
    tls::HANDSHAKES,
    tls::EC_HANDSHAKES,
    tls::IDLE,
    tls::STOPPED,
];

/// The configuration of most TCP runs: default template, default settings apart from `maxSessions`.
fn tcp_config(sessions: usize) -> String {
    tcp_input(sessions) + "action(type=\"omfile\" file=\"{dir}/out\")\n"
}

/// The input of every TCP run.
fn tcp_input(sessions: usize) -> String {
    format!(
        r#"global(net.enableDNS="off")
module(load="imtcp" maxSessions="{sessions}")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{{dir}}/port")
"#
    )
}

/// The configuration of the UDP run. The kernel's default buffer holds 280 datagrams: with it the scheduler would be
/// measured, not the daemon.
const UDP_CONFIG: &str = r#"global(net.enableDNS="off")
module(load="imudp")
input(type="imudp" port="{udp}" address="127.0.0.1" rcvbufSize="4m")
action(type="omfile" file="{dir}/out")
"#;

/// How long a file may stand still before the rest counts as lost.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

fn stream(program: &Path, load: Load, connections: usize, framing: Framing) -> Run {
    stream_through(&tcp_config(200), program, load, connections, framing).0
}

fn rules(program: &Path, load: Load) -> Run {
    const CONNECTIONS: usize = 4;
    let config = tcp_input(200) + RULES;
    let (mut run, dir) = stream_through(&config, program, load, CONNECTIONS, Framing::Lf);
    run.failures.extend(rules::check(dir.path(), CONNECTIONS, load.messages / CONNECTIONS));
    run
}

/// Sends all messages through a configuration that ends in the file `out`.
fn stream_through(
    config: &str,
    program: &Path,
    load: Load,
    connections: usize,
    framing: Framing,
) -> (Run, tempfile::TempDir) {
    let each = load.messages / connections;
    let frames: Vec<_> =
        (0..connections).map(|index| frames::render(framing, index, each)).collect();
    let mut subject = Subject::start(program, config);
    let streams = tcp::connect(subject.daemon.port("port"), connections);
    let messages = each * connections;
    let cpu_before = subject.daemon.cpu_time();
    let start = Instant::now();
    let mut growth = Growth::new(subject.output());
    let (_, end) = std::thread::scope(|scope| {
        scope.spawn(|| tcp::flood(streams, &frames));
        growth.wait(messages as u64, PATIENCE)
    });
    let cpu = subject.daemon.cpu_time() - cpu_before;
    let peak = mib(subject.daemon.status_field("VmHWM"));
    let values = vec![nanos_each(cpu, messages), thousands_per_second(messages, end - start), peak];
    let (dir, complaint) = subject.stop();
    let content = frames::check(&dir.path().join("out"), connections, each);
    let failures = content.failures.into_iter().chain(complaint).collect();
    (Run { values, failures, overtaken: content.overtaken }, dir)
}

fn datagrams(program: &Path, load: Load, shape: udp::Shape) -> Run {
    /// Lowest rate tried, messages per second.
    const LOWEST: usize = 50_000;
    /// Highest rate tried.
    const HIGHEST: usize = 3_000_000;
    let subject = Subject::start(program, UDP_CONFIG);
    let time = Duration::from_secs(load.trial);
    let senders = udp::Senders::new(subject.daemon.udp_port(0), shape);
    let mut growth = Growth::new(subject.output());
    // Messages arrived, and whether those were all.
    let mut send = |rate: usize| {
        let before = growth.lines();
        let (sent, reached) = senders.pace(rate, time);
        let (lines, _) = growth.wait(before + sent as u64, Duration::from_millis(500));
        // A rate the generator could not keep is not one the daemon has shown.
        (lines - before, lines - before == sent as u64 && reached > rate / 20 * 19)
    };
    let mut cost = |rate: usize| {
        let before = subject.daemon.cpu_time();
        let (arrived, complete) = send(rate);
        let cpu = subject.daemon.cpu_time() - before;
        (nanos_each(cpu, usize::try_from(arrived).expect("fits").max(1)), complete)
    };
    let (slow, complete) = cost(LOWEST);
    let (fast, _) = cost(4 * LOWEST);
    let highest = highest(LOWEST, HIGHEST, |rate| send(rate).1 || send(rate).1);
    let (_dir, complaint) = subject.stop();
    let mut failures: Vec<_> = complaint.into_iter().collect();
    let peak = peak_at(program, highest, time, shape, &mut failures);
    if !complete {
        failures.push(format!("lost messages at {LOWEST}/s"));
    }
    Run { values: vec![highest as f64 / 1e3, fast, slow, peak], failures, overtaken: 0 }
}

/// Peak memory of a fresh daemon at its highest rate: the search before has overloaded the other one.
fn peak_at(
    program: &Path,
    rate: usize,
    time: Duration,
    shape: udp::Shape,
    failures: &mut Vec<String>,
) -> f64 {
    let subject = Subject::start(program, UDP_CONFIG);
    let senders = udp::Senders::new(subject.daemon.udp_port(0), shape);
    let mut growth = Growth::new(subject.output());
    let (sent, _) = senders.pace(rate, time);
    growth.wait(sent as u64, Duration::from_millis(500));
    let peak = mib(subject.daemon.status_field("VmHWM"));
    failures.extend(subject.stop().1);
    peak
}

/// The highest rate between two limits that is `good`, in steps of 10 %: first in growing strides, then halving.
fn highest(lowest: usize, limit: usize, mut good: impl FnMut(usize) -> bool) -> usize {
    let next = |rate: &usize| Some(rate * 11 / 10);
    let grid: Vec<usize> =
        std::iter::successors(Some(lowest), next).take_while(|&rate| rate <= limit).collect();
    let (mut low, mut high, mut stride) = (0, grid.len(), 4);
    while high - low > 1 {
        let unlimited = high == grid.len();
        let probe =
            if unlimited { (low + stride).min(high - 1) } else { usize::midpoint(low, high) };
        stride *= 2;
        *(if good(grid[probe]) { &mut low } else { &mut high }) = probe;
    }
    grid[low]
}

fn idle(program: &Path, load: Load) -> Run {
    let mut subject = Subject::start(program, &tcp_config(load.idle * 2));
    let before = subject.descriptors();
    let streams = tcp::connect(subject.daemon.port("port"), load.idle);
    // The daemon may have closed a few of its own since it was ready.
    let expected = before + load.idle - 8;
    let accepted = wait_until(PATIENCE, || subject.descriptors() >= expected);
    // Let whatever accepting left behind settle before the clock starts.
    pause(Duration::from_secs(1));
    let cpu_before = subject.daemon.cpu_time();
    let start = Instant::now();
    pause(Duration::from_secs(load.seconds));
    let cpu = (subject.daemon.cpu_time() - cpu_before).as_secs_f64()
        / start.elapsed().as_secs_f64()
        * 100.0;
    let values = vec![
        mib(subject.daemon.status_field("VmRSS")),
        cpu,
        mib(subject.daemon.status_field("VmHWM")),
    ];
    let mut failures = Vec::new();
    if !accepted {
        failures.push(format!(
            "{} of {} connections accepted",
            subject.descriptors() - before,
            load.idle
        ));
    }
    drop(streams);
    failures.extend(subject.stop().1);
    Run { values, failures, overtaken: 0 }
}

fn fairness(program: &Path, load: Load) -> Run {
    /// Flood messages sent in one go.
    const BLOCK: usize = 640;
    let block = frames::render(Framing::Lf, 0, BLOCK);
    let mut subject = Subject::start(program, &tcp_config(200));
    let port = subject.daemon.port("port");
    let floods = tcp::connect(port, 4);
    let probe = tcp::connect(port, 1);
    let end = Instant::now() + Duration::from_secs(load.seconds);
    let output = subject.output();
    let (sent, delays) = std::thread::scope(|scope| {
        let flood = scope.spawn(|| tcp::flood_until(floods, &block, end));
        let probe = probe.into_iter().next().expect("one");
        let _ = probe.set_nodelay(true);
        let delays = probe_delays(probe, &output, end);
        (flood.join().expect("flood"), delays)
    });
    let peak = mib(subject.daemon.status_field("VmHWM"));
    let probes = delays.len();
    let expected = sent * BLOCK + probes;
    let mut growth = Growth::new(subject.output());
    let (lines, _) = growth.wait(expected as u64, PATIENCE);
    let mut failures: Vec<_> = subject.stop().1.into_iter().collect();
    if lines != expected as u64 {
        failures.push(format!("{lines} of {expected} messages arrived"));
    }
    Run { values: vec![p99(delays), peak], failures, overtaken: 0 }
}

/// The delay that 99 of 100 do not exceed, milliseconds.
pub(crate) fn p99(mut delays: Vec<Duration>) -> f64 {
    delays.sort_unstable();
    let index = delays.len().saturating_sub(delays.len() / 100 + 1);
    delays.get(index).map_or(f64::NAN, |delay| delay.as_secs_f64() * 1e3)
}

/// Sends ten messages a second until `end` and returns how long each took to appear in the file.
pub(crate) fn probe_delays(mut stream: impl Write, output: &Path, end: Instant) -> Vec<Duration> {
    let start = Instant::now();
    let mut tail = Tail { file: None, pending: Vec::new(), freed: 0 };
    let mut delays = Vec::new();
    while Instant::now() < end {
        let sequence = delays.len();
        let at = start + Duration::from_millis(100) * u32::try_from(sequence).expect("few");
        while Instant::now() < at {
            tail.skip(output);
            pause(Duration::from_millis(1));
        }
        let message = format!("{}\n", frames::message(PROBE, sequence));
        stream.write_all(message.as_bytes()).expect("the daemon keeps reading");
        let sent = Instant::now();
        let mark = format!("c={PROBE:06} n={sequence:010} ");
        wait_until(PATIENCE, || tail.contains(output, mark.as_bytes()));
        delays.push(sent.elapsed());
    }
    delays
}

/// The connection number of probes.
const PROBE: usize = 999_999;

/// The growing end of a file. What has been looked at is given back to the file system: a flood of gigabytes would
/// end in waiting for the disk, and the disk is not what fairness is about.
struct Tail {
    file: Option<std::fs::File>,
    pending: Vec<u8>,
    /// Bytes from the start that are a hole by now.
    freed: i64,
}

impl Tail {
    /// Moves to the end: nothing we look for can have been written yet.
    fn skip(&mut self, path: &Path) {
        if let Some(file) = self.open(path) {
            let _ = file.seek(std::io::SeekFrom::End(0));
        }
        self.pending.clear();
        self.free();
    }

    /// Whether what came since the last call contains `mark`, which may straddle two calls.
    fn contains(&mut self, path: &Path, mark: &[u8]) -> bool {
        let keep = self.pending.len().saturating_sub(mark.len());
        self.pending.drain(..keep);
        let mut pending = std::mem::take(&mut self.pending);
        if let Some(file) = self.open(path) {
            let _ = file.read_to_end(&mut pending);
        }
        self.pending = pending;
        self.free();
        memchr::memmem::find(&self.pending, mark).is_some()
    }

    /// Punches out what lies behind, but for the first page, which shows how long a line is.
    fn free(&mut self) {
        const PAGE: i64 = 4096;
        const STEP: i64 = 16 << 20;
        let Some(file) = &mut self.file else { return };
        let here = file.stream_position().unwrap_or(0);
        let here = i64::try_from(here).unwrap_or(0) / PAGE * PAGE;
        if here - self.freed > STEP {
            let start = self.freed.max(PAGE);
            let hole = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
            let _ = fallocate(&*file, hole, start, here - start);
            self.freed = here;
        }
    }

    fn open(&mut self, path: &Path) -> Option<&mut std::fs::File> {
        if self.file.is_none() {
            self.file = std::fs::File::options().read(true).write(true).open(path).ok();
        }
        self.file.as_mut()
    }
}

fn burst(program: &Path, load: Load) -> Run {
    let connections = load.idle / 10;
    let frames: Vec<_> =
        (0..connections).map(|index| frames::render(Framing::Lf, index, 10)).collect();
    let mut subject = Subject::start(program, &tcp_config(2000));
    let port = subject.daemon.port("port");
    let start = Instant::now();
    let mut failures = tcp::burst(port, &frames);
    let (_, end) = Growth::new(subject.output()).wait(connections as u64 * 10, PATIENCE);
    let values = vec![(end - start).as_secs_f64() * 1e3, mib(subject.daemon.status_field("VmHWM"))];
    let (dir, complaint) = subject.stop();
    let content = frames::check(&dir.path().join("out"), connections, 10);
    failures.extend(content.failures.into_iter().chain(complaint));
    Run { values, failures, overtaken: content.overtaken }
}

pub(crate) fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

pub(crate) fn nanos_each(time: Duration, messages: usize) -> f64 {
    time.as_nanos() as f64 / messages as f64
}

pub(crate) fn thousands_per_second(messages: usize, time: Duration) -> f64 {
    messages as f64 / time.as_secs_f64() / 1e3
}

//! imtcp over real loopback sockets, with a ruleset that collects what it gets.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::*;
use crate::inputs::{IpProtocol, raise_descriptor_limit};
use crate::limits;
use crate::message::{Batch, FlowControl, Name, Names, Pool, Submit};
use crate::param::Value;
use crate::stats::{self, Counter};
use crate::sync::lock;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(300);

/// A ruleset that keeps every message with its sender's port.
#[derive(Default)]
pub(super) struct Collector {
    messages: Mutex<Vec<(Vec<u8>, Vec<u8>)>>,
    changed: Condvar,
    pool: Arc<Pool>,
    /// Most bytes that a batch came with.
    batch_bytes: Counter,
}

impl Submit for Collector {
    fn submit(&self, batch: Batch, flow: FlowControl) {
        assert_eq!(flow, FlowControl::Light);
        assert!(!batch.is_empty());
        self.batch_bytes.raise(batch.bytes.len() as u64);
        let mut messages = self.messages.lock().unwrap();
        for record in &batch.records {
            let sender = &batch.senders[record.sender as usize];
            messages.push((batch.bytes.get(record.raw).to_vec(), sender.port.to_vec()));
        }
        self.changed.notify_all();
        self.pool.give(batch);
    }
}

impl Collector {
    /// Waits until `n` messages are there.
    fn wait_for(&self, n: usize) -> MutexGuard<'_, Vec<(Vec<u8>, Vec<u8>)>> {
        let deadline = Instant::now() + PATIENCE;
        let mut messages = self.messages.lock().unwrap();
        while messages.len() < n {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} of {n} messages", messages.len());
            messages = self.changed.wait_timeout(messages, left).unwrap().0;
        }
        messages
    }

    fn texts(&self, n: usize) -> Vec<String> {
        let text = |m: &(Vec<u8>, Vec<u8>)| String::from_utf8_lossy(&m.0).into_owned();
        self.wait_for(n).iter().map(text).collect()
    }
}

/// What the daemon lends the input.
pub(super) fn environment(collector: &Arc<Collector>, message_bytes: usize) -> InputEnv {
    let env = environment_of(Arc::clone(collector) as Arc<dyn Submit>);
    InputEnv { pool: Arc::clone(&collector.pool), message_bytes, ..env }
}

/// The same for any ruleset.
pub(super) fn environment_of(submit: Arc<dyn Submit>) -> InputEnv {
    InputEnv {
        submit,
        ruleset_found: true,
        pool: Arc::default(),
        names: None,
        stats: Arc::new(stats::Set::default()),
        tasks: Arc::default(),
        message_bytes: 8096,
        ip_protocol: IpProtocol::V4Only,
        hostname: crate::inputs::tests::hostname(b"h"),
        keeps_own_messages: false,
        access: Default::default(),
        parsers: Arc::default(),
        limits: Arc::default(),
        tls: Default::default(),
        secure: crate::param::SecureDefaults::Compatible,
    }
}

/// A port of the kernel's choice on the loopback, and these parameters beside the defaults.
pub(super) fn arguments(params: &[(&'static str, Value)]) -> Args {
    let mut args = Args::defaults(&[KIND.module.params]);
    args.set("port", Value::Str(b"0".to_vec()));
    args.set("address", Value::Str(b"127.0.0.1".to_vec()));
    for (name, value) in params {
        args.set(name, value.clone());
    }
    args
}

/// A running imtcp with one input.
struct Fixture {
    running: Box<dyn Running>,
    collector: Arc<Collector>,
    stats: Arc<stats::Set>,
    port: u16,
}

impl Fixture {
    /// Starts an input on a port of the kernel's choice with these parameters beside the defaults.
    fn start(params: &[(&'static str, Value)]) -> Self {
        Self::with_message_bytes(params, 8096)
    }

    fn with_message_bytes(params: &[(&'static str, Value)], message_bytes: usize) -> Self {
        Self::with(params, message_bytes, None)
    }

    fn with_names(params: &[(&'static str, Value)], names: Arc<dyn Names>) -> Self {
        Self::with(params, 8096, Some(names))
    }

    fn with(
        params: &[(&'static str, Value)],
        message_bytes: usize,
        names: Option<Arc<dyn Names>>,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port_file = dir.path().join("port");
        let collector = Arc::new(Collector::default());
        let env = InputEnv { names, ..environment(&collector, message_bytes) };
        let mut args = arguments(params);
        args.set("listenPortFileName", Value::Str(port_file.to_str().unwrap().into()));
        let (mut input, problems) = (KIND.build)(&Args::defaults(&[KIND.module.module_params]));
        assert_eq!(problems, []);
        assert_eq!(input.add(&args, &env), []);
        assert_eq!(input.open(), []);
        let running = input.start().unwrap();
        let port = std::fs::read_to_string(&port_file).unwrap().parse().unwrap();
        Self { running, collector, stats: env.stats, port }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn count(&self, name: &str) -> u64 {
        count(&self.stats, name)
    }

    /// Waits until a counter has reached `n`.
    fn wait_count(&self, name: &str, n: u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.count(name) < n {
            assert!(Instant::now() < deadline, "{name} is {}, not {n}", self.count(name));
            std::thread::yield_now();
        }
    }

    fn stop(self) -> Arc<Collector> {
        self.running.stop();
        self.running.join();
        self.collector
    }
}

/// Sum of a counter over all objects.
fn count(stats: &stats::Set, name: &str) -> u64 {
    stats.total(None, name)
}

fn int(n: i64) -> Value {
    Value::Int(n)
}

#[test]
fn lines_arrive_and_the_ledger_agrees() {
    for workers in [1, 2, 8] {
        let fixture = Fixture::start(&[("workerThreads", int(workers))]);
        let mut peer = fixture.connect();
        peer.write_all(b"<13>a: b\n10 <13>a: bcd<13>c: d").unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        assert_eq!(fixture.collector.texts(3), ["<13>a: b", "<13>a: bcd", "<13>c: d"]);
        assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0, "closed in return");
        fixture.wait_count("sessions.closed", 1);
        assert_eq!(fixture.count("sessions.open"), 0);
        assert_eq!(fixture.count("bytes.received"), 30);
        fixture.wait_count("submitted", 3);
        let port = peer.local_addr().unwrap().port().to_string();
        let collector = fixture.stop();
        assert!(collector.wait_for(3).iter().all(|m| m.1 == port.as_bytes()));
    }
}

#[test]
fn order_holds_within_each_of_100_connections() {
    for workers in [1, 2, 8] {
        // Few reads per turn make sessions change hands as often as possible.
        let fixture = Fixture::start(&[
            ("workerThreads", int(workers)),
            ("starvationProtection.maxReads", int(1)),
        ]);
        let peers: Vec<_> = (0..100).map(|_| fixture.connect()).collect();
        for round in 0..100 {
            for mut peer in &peers {
                let text: String =
                    (0..10).map(|n| format!("<13>t: {}\n", round * 10 + n)).collect();
                peer.write_all(text.as_bytes()).unwrap();
            }
        }
        let messages = fixture.collector.wait_for(100_000);
        let mut next: HashMap<&[u8], u32> = HashMap::new();
        for (text, port) in messages.iter() {
            let expected = next.entry(port).or_default();
            assert_eq!(String::from_utf8_lossy(text), format!("<13>t: {expected}"));
            *expected += 1;
        }
        assert_eq!(next.len(), 100);
        drop(messages);
        fixture.stop();
    }
}

fn is_closed(peer: &mut TcpStream) -> bool {
    // A reset is as good as the end: bytes of ours were unread.
    !matches!(peer.read(&mut [0; 1]), Ok(1..))
}

#[test]
fn a_session_too_many_is_closed_at_once_and_a_later_one_is_welcome() {
    let fixture = Fixture::start(&[("maxSessions", int(2))]);
    let first = fixture.connect();
    let _second = fixture.connect();
    fixture.wait_count("sessions.opened", 2);
    let mut third = fixture.connect();
    assert!(is_closed(&mut third));
    fixture.wait_count("sessions.rejected", 1);
    assert_eq!(fixture.count("sessions.open"), 2);

    drop(first);
    fixture.wait_count("sessions.closed", 1);
    let mut fourth = fixture.connect();
    fourth.write_all(b"<13>fourth\n").unwrap();
    assert_eq!(fixture.collector.texts(1), ["<13>fourth"]);
    assert_eq!(fixture.count("sessions.opened"), 3);
    fixture.stop();
}

#[test]
fn a_thousand_clients_connect_at_once_and_lose_nothing() {
    raise_descriptor_limit();
    for workers in [1, 2] {
        let fixture =
            Fixture::start(&[("maxSessions", int(1000)), ("workerThreads", int(workers))]);
        let peers: Vec<_> = (0..1000).map(|_| fixture.connect()).collect();
        for n in 0..10 {
            for mut peer in &peers {
                peer.write_all(format!("<13>{n}\n").as_bytes()).unwrap();
            }
        }
        drop(peers);
        assert_eq!(fixture.collector.wait_for(10_000).len(), 10_000);
        fixture.wait_count("sessions.closed", 1000);
        assert_eq!(fixture.count("sessions.rejected"), 0);
        fixture.stop();
    }
}

#[test]
fn idle_sessions_wake_nobody() {
    raise_descriptor_limit();
    let fixture = Fixture::start(&[("maxSessions", int(1001))]);
    let _idle: Vec<_> = (0..1000).map(|_| fixture.connect()).collect();
    let mut busy = fixture.connect();
    for n in 1..=100 {
        busy.write_all(b"<13>x\n").unwrap();
        drop(fixture.collector.wait_for(n));
    }
    fixture.wait_count("runs", 100);
    let (runs, empty) = (fixture.count("runs"), fixture.count("emptyread"));
    let stats = Arc::clone(&fixture.stats);
    fixture.stop();
    assert_eq!((runs, empty), (100, 0), "one turn for each message and none for the idle");
    assert_eq!(count(&stats, "sessions.closed"), 1001);
}

#[test]
fn a_flood_does_not_keep_others_waiting_and_is_cut_into_turns() {
    for (workers, max_reads) in [(1, 0), (1, 1), (2, 0), (2, 1)] {
        let fixture = Fixture::start(&[
            ("workerThreads", int(workers)),
            ("starvationProtection.maxReads", int(max_reads)),
        ]);
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                let mut peer = fixture.connect();
                let ended = &ended;
                scope.spawn(move || {
                    let line = [b'f'; 8000];
                    let flood = line.chunks(1000).flat_map(|l| [l, b"\n"].concat());
                    let flood: Vec<u8> = flood.collect();
                    while !ended.load(Ordering::Relaxed) {
                        peer.write_all(&flood).unwrap();
                    }
                });
            }
            let mut peer = fixture.connect();
            let port = peer.local_addr().unwrap().port().to_string();
            for n in 1..=20 {
                peer.write_all(b"<13>me too\n").unwrap();
                let deadline = Instant::now() + PATIENCE;
                let mut messages = fixture.collector.messages.lock().unwrap();
                let mut mine = 0;
                loop {
                    mine += messages.iter().filter(|m| m.1 == port.as_bytes()).count();
                    messages.clear();
                    if mine == 1 {
                        break;
                    }
                    assert!(mine == 0 && Instant::now() < deadline, "starved at message {n}");
                    messages = fixture.collector.changed.wait(messages).unwrap();
                }
            }
            if (workers, max_reads) == (2, 1) {
                fixture.wait_count("starvation_protect", 1);
            }
            ended.store(true, Ordering::Relaxed);
        });
        fixture.stop();
    }
}

#[test]
fn a_peer_that_speaks_tls_is_closed_without_a_message() {
    let fixture = Fixture::start(&[]);
    let mut hello = vec![0x16, 3, 1, 2, 0];
    hello.extend([b'\n'; 512]);

    let mut whole = fixture.connect();
    whole.write_all(&hello).unwrap();
    assert!(is_closed(&mut whole));

    // 0x0a0a is a possible length, and a line feed.
    let mut trickling = fixture.connect();
    trickling.set_nodelay(true).unwrap();
    for (n, byte) in [0x16, 3, 1, 0x0a, 0x0a].into_iter().enumerate() {
        trickling.write_all(&[byte]).unwrap();
        fixture.wait_count("bytes.received", 517 + n as u64 + 1);
    }
    assert!(is_closed(&mut trickling));

    // As a test of the other verdict: bytes held back are not lost.
    let mut plain = fixture.connect();
    plain.write_all(&[0x16, 3]).unwrap();
    fixture.wait_count("bytes.received", 524);
    plain.write_all(b"plain\n").unwrap();
    assert_eq!(fixture.collector.texts(1), ["\u{16}\u{3}plain"]);
    let mut short = fixture.connect();
    short.write_all(&[0x16, 3]).unwrap();
    drop(short);
    assert_eq!(fixture.collector.texts(2)[1], "\u{16}\u{3}");
    assert_eq!(fixture.count("framing.errors"), 2);
    fixture.stop();
}

#[test]
fn an_endless_line_is_cut_in_constant_memory() {
    const LEN: usize = 32 << 20;
    let fixture = Fixture::start(&[]);
    let mut peer = fixture.connect();
    let chunk = vec![b'A'; 1 << 20];
    for _ in 0..LEN / chunk.len() {
        peer.write_all(&chunk).unwrap();
    }
    drop(peer);
    let pieces = LEN.div_ceil(8096);
    let messages = fixture.collector.wait_for(pieces);
    assert_eq!(messages.iter().map(|m| m.0.len()).sum::<usize>(), LEN, "no byte is lost");
    assert!(messages.iter().rev().skip(1).all(|m| m.0.len() == 8096));
    drop(messages);
    fixture.wait_count("frames.oversize", pieces as u64 - 1);
    let collector = fixture.stop();
    assert!(collector.batch_bytes.get() <= limits::BATCH_BYTES as u64);
}

#[test]
fn a_message_larger_than_a_batch_passes() {
    let len = 3 * limits::BATCH_BYTES;
    let fixture = Fixture::with_message_bytes(&[("maxFrameSize", int(10_000_000))], len);
    let mut peer = fixture.connect();
    let text = "x".repeat(len);
    peer.write_all(format!("{text}\n{len} {text}<13>b\n").as_bytes()).unwrap();
    assert_eq!(fixture.collector.texts(3), [&text, &text, "<13>b"]);
    fixture.stop();
}

#[test]
fn the_stop_delivers_what_was_sent_and_waits_for_no_peer() {
    for workers in [1, 2] {
        let fixture = Fixture::start(&[
            ("workerThreads", int(workers)),
            ("starvationProtection.maxReads", int(0)),
        ]);
        let _idle = fixture.connect();
        let mut line = fixture.connect();
        line.write_all(b"<13>whole\n<13>unfinished").unwrap();
        drop(fixture.collector.wait_for(1));
        let mut counted = fixture.connect();
        counted.write_all(b"20 <13>lost").unwrap();
        fixture.wait_count("bytes.received", 35);
        let mut unread = fixture.connect();
        fixture.wait_count("sessions.opened", 4);
        unread.write_all(b"<13>last words").unwrap();
        let mut endless = fixture.connect();
        fixture.wait_count("sessions.opened", 5);
        // Ends when the other side has closed.
        let flood = move || while endless.write_all(&[b'\n'; 8192]).is_ok() {};
        let flood = crate::sys::process::spawn("flood", flood).unwrap();
        let stats = Arc::clone(&fixture.stats);
        let port = fixture.port;
        let mut texts = fixture.stop().texts(3);
        flood.join().unwrap();
        texts.sort();
        assert_eq!(texts, ["<13>last words", "<13>unfinished", "<13>whole"]);
        assert!(is_closed(&mut line));
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
        assert_eq!(count(&stats, "framing.errors"), 1, "the unfinished counted frame");
    }
}

#[test]
fn a_reset_connection_still_delivers_its_last_line() {
    let fixture = Fixture::start(&[]);
    let mut peer = fixture.connect();
    peer.write_all(b"<13>a: nolf").unwrap();
    fixture.wait_count("bytes.received", 11);
    socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
    assert_eq!(fixture.collector.texts(1), ["<13>a: nolf"]);
    fixture.wait_count("sessions.closed", 1);
    fixture.stop();
}

#[test]
fn descriptors_run_out_and_come_back() {
    use nix::sys::resource::{Resource, setrlimit};
    const CHILD: &str = "SLUICE_TEST_FEW_DESCRIPTORS";
    if std::env::var_os(CHILD).is_none() {
        // In a process of its own: the limit holds for all of one.
        let name = "inputs::tcp::tests::descriptors_run_out_and_come_back";
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env(CHILD, "1")
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
        return;
    }
    setrlimit(Resource::RLIMIT_NOFILE, 64, 64).unwrap();
    for workers in [1, 2] {
        let fixture = Fixture::start(&[("workerThreads", int(workers)), ("maxSessions", int(9))]);
        let null = || std::fs::File::open("/dev/null");
        let mut fill: Vec<_> = std::iter::from_fn(|| null().ok()).collect();
        fill.pop();
        let mut peer = fixture.connect();
        fixture.wait_count("sessions.failed", 1);
        peer.write_all(b"<13>patient\n").unwrap();
        assert_eq!(fixture.count("sessions.opened"), 0);
        fill.pop();
        assert_eq!(fixture.collector.texts(1), ["<13>patient"]);
        drop(fill);
        fixture.stop();
    }
}

#[test]
fn a_peer_that_sees_the_end_of_its_connection_may_open_the_next_one_in_order() {
    let fixture = Fixture::start(&[("workerThreads", int(8))]);
    for n in 0..500 {
        let mut peer = fixture.connect();
        peer.write_all(format!("<13>{n}").as_bytes()).unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        assert!(is_closed(&mut peer));
    }
    let expected: Vec<_> = (0..500).map(|n| format!("<13>{n}")).collect();
    assert_eq!(fixture.collector.texts(500), expected);
    fixture.stop();
}

/// A resolver that knows what it is told.
struct Told(Name);

impl Names for Told {
    fn name(&self, _: std::net::SocketAddr) -> Name {
        self.0.clone()
    }
}

#[test]
fn a_sender_that_is_not_on_the_list_is_refused() {
    let known = |name: &str| Name::Known(name.as_bytes().into());
    let rows = [
        ("127.0.0.0/8", Name::Unknown, true),
        ("127.0.0.2", known("good.example"), false),
        ("*.example", known("good.example"), true),
        ("*.example", known("bad.test"), false),
        ("*.example", Name::Unknown, false),
        ("*.example", Name::Pending, false),
    ];
    for workers in [1, 2] {
        for (entry, name, expected) in rows.clone() {
            let list = Value::Array(vec![entry.into()]);
            let params = [("workerThreads", int(workers)), ("allowedSender", list)];
            let fixture = Fixture::with_names(&params, Arc::new(Told(name.clone())));
            let mut peer = fixture.connect();
            peer.write_all(b"<13>x\n").unwrap_or_default();
            if expected {
                assert_eq!(fixture.collector.texts(1), ["<13>x"]);
            } else {
                assert!(is_closed(&mut peer), "{entry} {name:?}");
                fixture.wait_count("sessions.refused", 1);
            }
            let stats = Arc::clone(&fixture.stats);
            let collector = fixture.stop();
            assert_eq!(collector.wait_for(0).len(), usize::from(expected), "{entry} {name:?}");
            assert_eq!(count(&stats, "sessions.refused"), u64::from(!expected));
            assert_eq!(count(&stats, "sessions.opened"), count(&stats, "sessions.closed"));
        }
    }
}

/// Has no name at first, and says when it was asked.
struct Late(Mutex<Name>, Mutex<std::sync::mpsc::Sender<()>>);

impl Names for Late {
    fn name(&self, _: std::net::SocketAddr) -> Name {
        let _ = lock(&self.1).send(());
        lock(&self.0).clone()
    }
}

#[test]
fn a_peer_whose_name_is_late_is_judged_when_it_speaks() {
    for (name, is_allowed) in [("good.example", true), ("bad.test", false)] {
        let (asks, asked) = std::sync::mpsc::channel();
        let names = Arc::new(Late(Mutex::new(Name::Pending), Mutex::new(asks)));
        let list = Value::Array(vec!["*.example".into()]);
        let fixture = Fixture::with_names(&[("allowedSender", list)], Arc::<Late>::clone(&names));
        let mut peer = fixture.connect();
        asked.recv().unwrap();
        *lock(&names.0) = Name::Known(name.as_bytes().into());
        peer.write_all(b"<13>x\n").unwrap();
        if is_allowed {
            assert_eq!(fixture.collector.texts(1), ["<13>x"]);
        } else {
            assert!(is_closed(&mut peer));
        }
        let stats = Arc::clone(&fixture.stats);
        fixture.stop();
        assert_eq!(count(&stats, "sessions.refused"), u64::from(!is_allowed));
    }
}

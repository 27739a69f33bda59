//! imtcp over real loopback sockets, with a ruleset that collects what it gets.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::*;
use crate::inputs::IpProtocol;
use crate::message::{Batch, FlowControl, Pool, Submit};
use crate::param::Value;
use crate::stats;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A ruleset that keeps every message with its sender's port.
#[derive(Default)]
struct Collector {
    messages: Mutex<Vec<(Vec<u8>, Vec<u8>)>>,
    changed: Condvar,
    pool: Arc<Pool>,
}

impl Submit for Collector {
    fn submit(&self, batch: Batch, flow: FlowControl) {
        assert_eq!(flow, FlowControl::Light);
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
        let dir = tempfile::tempdir().unwrap();
        let port_file = dir.path().join("port");
        let collector = Arc::new(Collector::default());
        let stats = Arc::new(stats::Set::default());
        let env = InputEnv {
            submit: Arc::clone(&collector) as Arc<dyn Submit>,
            ruleset_found: true,
            pool: Arc::clone(&collector.pool),
            names: None,
            stats: Arc::clone(&stats),
            message_bytes,
            ip_protocol: IpProtocol::V4Only,
            hostname: b"h".as_slice().into(),
        };
        let mut args = Args::defaults(&[KIND.module.params]);
        args.set("port", Value::Str(b"0".to_vec()));
        args.set("address", Value::Str(b"127.0.0.1".to_vec()));
        args.set("listenPortFileName", Value::Str(port_file.to_str().unwrap().into()));
        for (name, value) in params {
            args.set(name, value.clone());
        }
        let (mut input, problems) = (KIND.build)(&Args::defaults(&[KIND.module.module_params]));
        assert_eq!(problems, []);
        assert_eq!(input.add(&args, &env), []);
        assert_eq!(input.open(), []);
        let running = input.start().unwrap();
        let port = std::fs::read_to_string(&port_file).unwrap().parse().unwrap();
        Self { running, collector, stats, port }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sum of a counter over all objects.
    fn count(&self, name: &str) -> u64 {
        let objects = self.stats.objects();
        let cells = objects.iter().flat_map(|object| &object.counters);
        cells.filter(|(n, ..)| *n == name).map(|(.., cell)| cell.get()).sum()
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

//! imrawtcp over real loopback sockets, with a ruleset that collects what it gets.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::super::tests::environment_of;
use super::*;
use crate::limits;
use crate::message::{Batch, Flags, FlowControl, Submit};
use crate::param::Value;
use crate::stats;

const PATIENCE: Duration = Duration::from_secs(300);

/// A ruleset that keeps texts, and batches while it is told to.
#[derive(Debug, Default)]
struct Rules {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    texts: Vec<(Vec<u8>, bool)>,
    keeps: bool,
    batches: Vec<Batch>,
}

impl Submit for Rules {
    fn submit(&self, batch: Batch, flow: FlowControl) {
        assert_eq!(flow, FlowControl::Light);
        let mut state = self.state.lock().unwrap();
        for record in &batch.records {
            assert!(!record.flags.has(Flags::NEEDS_PARSING));
            let text = batch.bytes.get(record.raw).to_vec();
            state.texts.push((text, record.flags.has(Flags::TRUNCATED)));
        }
        self.changed.notify_all();
        if state.keeps {
            state.batches.push(batch);
            return;
        }
        drop(state);
        drop(batch);
    }
}

struct Fixture {
    running: Box<dyn Running>,
    rules: Arc<Rules>,
    stats: Arc<stats::Set>,
    port: u16,
}

fn text(value: &str) -> Value {
    Value::Str(value.as_bytes().to_vec())
}

impl Fixture {
    fn start(params: &[(&'static str, Value)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port_file = dir.path().join("port");
        let rules = Arc::new(Rules::default());
        let env = environment_of(Arc::clone(&rules) as Arc<dyn Submit>);
        let mut args = Args::defaults(&[KIND.module.params]);
        args.set("port", text("0"));
        args.set("address", text("127.0.0.1"));
        args.set("listenPortFileName", text(port_file.to_str().unwrap()));
        for (name, value) in params {
            args.set(name, value.clone());
        }
        let (mut input, problems) = (KIND.build)(&Args::default());
        assert_eq!(problems, []);
        assert_eq!(input.add(&args, &env), []);
        assert_eq!(input.open(), []);
        let running = input.start().unwrap();
        let port = std::fs::read_to_string(&port_file).unwrap().parse().unwrap();
        Self { running, rules, stats: env.stats, port }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn count(&self, name: &str) -> u64 {
        self.stats.total(None, name)
    }

    /// Waits until `n` messages are there, and returns them.
    fn texts(&self, n: usize) -> Vec<(Vec<u8>, bool)> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.rules.state.lock().unwrap();
        while state.texts.len() < n {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} of {n} messages", state.texts.len());
            state = self.rules.changed.wait_timeout(state, left).unwrap().0;
        }
        state.texts.clone()
    }

    fn plain(&self, n: usize) -> Vec<String> {
        let line = |(text, cut): &(Vec<u8>, bool)| {
            assert!(!cut);
            String::from_utf8_lossy(text).into_owned()
        };
        self.texts(n).iter().map(line).collect()
    }

    /// Waits until a counter has come to `value`.
    fn wait_count(&self, name: &str, value: u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.count(name) < value {
            assert!(Instant::now() < deadline, "{name} is {}", self.count(name));
            std::thread::yield_now();
        }
    }

    fn stop(self) -> Arc<Rules> {
        self.running.stop();
        self.running.join();
        self.rules
    }
}

/// Until the peer closes; `false` if it resets the connection, which it does where bytes were left unread.
fn ends_well(mut stream: TcpStream) -> bool {
    stream.read_to_end(&mut Vec::new()).is_ok()
}

#[test]
fn lines_with_and_without_cr_and_the_rest_at_the_end() {
    let fixture = Fixture::start(&[]);
    let mut peer = fixture.connect();
    peer.write_all(b"<13>a\r\n\nb\x00\t\xff").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    assert!(ends_well(peer));
    assert_eq!(fixture.plain(3), ["<13>a", "", "b\0\t\u{fffd}"]);
    assert_eq!((fixture.count("submitted"), fixture.count("bytes.received")), (3, 12));
    fixture.wait_count("sessions.closed", 1);
    assert_eq!((fixture.count("sessions.opened"), fixture.count("sessions.open")), (1, 0));
    fixture.stop();
}

#[test]
fn what_is_no_frame_closes_the_connection_and_is_counted() {
    for (params, stream, texts) in [
        (vec![("framing", text("RFC6587"))], &b"2 ab2024-01-01 x\n"[..], vec!["ab"]),
        (vec![("maxMessageSize", Value::Size(10))], b"ok\n0123456789AB\nx\n", vec!["ok"]),
    ] {
        let fixture = Fixture::start(&params);
        let mut peer = fixture.connect();
        peer.write_all(stream).unwrap();
        ends_well(peer);
        assert_eq!(fixture.plain(1), texts);
        fixture.wait_count("sessions.closed", 1);
        assert_eq!(fixture.count("framing.errors"), 1);
        fixture.stop();
    }
}

#[test]
fn the_beginning_of_a_long_message_can_be_kept() {
    let params = [("maxMessageSize", Value::Size(10)), ("oversize", Value::Choice("truncate"))];
    let fixture = Fixture::start(&params);
    let mut peer = fixture.connect();
    peer.write_all(b"0123456789AB\nx\n").unwrap();
    drop(peer);
    let expected = [(b"0123456789".to_vec(), true), (b"x".to_vec(), false)];
    assert_eq!(fixture.texts(2), expected);
    assert_eq!((fixture.count("frames.oversize"), fixture.count("framing.errors")), (1, 0));
    fixture.stop();
}

/// Row 18: silence ends a connection, and what came of a message is lost and counted.
#[test]
fn a_silent_peer_is_closed() {
    let fixture = Fixture::start(&[("timeout", text("50ms"))]);
    let mut peers = 0;
    while fixture.rules.state.lock().unwrap().texts.is_empty() {
        let mut peer = fixture.connect();
        // May come too late on a busy machine: then another one tries.
        let _ = peer.write_all(b"one\nabc");
        ends_well(peer);
        peers += 1;
        fixture.wait_count("sessions.closed", peers);
    }
    // A peer that has said nothing at all, too.
    ends_well(fixture.connect());
    peers += 1;
    fixture.wait_count("sessions.closed", peers);
    assert_eq!(fixture.plain(1), ["one"]);
    assert_eq!(fixture.count("sessions.timedout"), peers);
    assert_eq!(fixture.count("frames.incomplete"), 1);
    assert_eq!(fixture.count("sessions.open"), 0);
    fixture.stop();
}

/// Row 18, the other half: a byte now and then keeps the connection, though the message takes longer than the limit.
#[test]
fn a_slow_peer_is_not_a_silent_one() {
    const LIMIT: Duration = Duration::from_millis(500);
    let fixture = Fixture::start(&[("timeout", text("500ms"))]);
    loop {
        let mut peer = fixture.connect();
        peer.set_read_timeout(Some(LIMIT / 10)).unwrap();
        let start = Instant::now();
        let mut last = start;
        let mut longest = Duration::ZERO;
        let mut bytes = 0;
        while start.elapsed() < LIMIT * 2 {
            let sent = peer.write_all(b"x");
            longest = longest.max(last.elapsed());
            last = Instant::now();
            let closed = sent.is_err() || peer.read(&mut [0]).is_ok();
            if closed {
                break;
            }
            bytes += 1;
        }
        // On a machine that is busy enough the peer itself is silent for too long, which says nothing about the daemon.
        if longest.max(last.elapsed()) >= LIMIT {
            continue;
        }
        peer.write_all(b"\n").unwrap();
        drop(peer);
        let seen = fixture.texts(1);
        assert_eq!(seen, [(vec![b'x'; bytes], false)]);
        fixture.stop();
        return;
    }
}

/// Row 19.
#[test]
fn a_connection_beyond_the_limit_waits_for_its_turn() {
    for workers in [1, 2] {
        let params = [("maxConnections", Value::Int(1)), ("workerThreads", Value::Int(workers))];
        let fixture = Fixture::start(&params);
        let mut first = fixture.connect();
        first.write_all(b"a\n").unwrap();
        fixture.texts(1);
        let mut others: Vec<_> = (0..3).map(|_| fixture.connect()).collect();
        for (number, other) in others.iter_mut().enumerate() {
            other.write_all(format!("b{number}\n").as_bytes()).unwrap();
        }
        first.write_all(b"c\n").unwrap();
        assert_eq!(fixture.plain(2), ["a", "c"]);
        assert_eq!(fixture.count("sessions.opened"), 1);
        drop(first);
        for (number, other) in others.into_iter().enumerate() {
            assert_eq!(fixture.plain(3 + number)[2 + number], format!("b{number}"));
            drop(other);
        }
        fixture.stop();
    }
}

#[test]
fn large_messages_keep_their_order_and_their_bytes() {
    for framing in ["delimiter", "rfc6587"] {
        let fixture = Fixture::start(&[("framing", text(framing))]);
        let mut peer = fixture.connect();
        let sizes = [10, 3 << 20, 0, 20 << 20, 100_000, 5, 300_000, 16_384, 16_385, 131_072];
        let letters = || (b'a'..=b'w').cycle();
        let texts: Vec<Vec<u8>> =
            sizes.iter().map(|size| letters().take(*size).collect()).collect();
        for text in &texts {
            if framing == "rfc6587" {
                peer.write_all(format!("{} ", text.len()).as_bytes()).unwrap();
            }
            peer.write_all(text).unwrap();
            if framing == "delimiter" {
                peer.write_all(b"\n").unwrap();
            }
        }
        drop(peer);
        let seen = fixture.texts(texts.len());
        for (seen, sent) in seen.iter().zip(&texts) {
            assert!(seen.0 == *sent && !seen.1, "{} bytes", sent.len());
        }
        fixture.wait_count("sessions.closed", 1);
        assert_eq!(fixture.count("memory.used"), 0);
        assert_eq!(fixture.count("submitted"), sizes.len() as u64);
        fixture.stop();
    }
}

/// The budget holds while messages are under way and while they wait in a queue, and everybody gets through.
#[test]
fn memory_of_large_messages_is_bounded_and_all_arrive() {
    const SIZE: usize = 1 << 20;
    const PEERS: u8 = 24;
    let budget = 4 * SIZE;
    let params = [
        ("maxMessageSize", Value::Size(SIZE as u64)),
        ("memoryBudget", Value::Size(budget as u64)),
    ];
    let fixture = Fixture::start(&params);
    fixture.rules.state.lock().unwrap().keeps = true;
    let port = fixture.port;
    let half = Arc::new(std::sync::Barrier::new(PEERS.into()));
    let peers: Vec<_> = (0..PEERS)
        .map(|number| {
            let half = Arc::clone(&half);
            crate::sys::process::spawn("peer", move || {
                let mut peer = TcpStream::connect(("127.0.0.1", port)).unwrap();
                let text = vec![b'a' + number; SIZE];
                peer.write_all(&text[..SIZE / 4]).unwrap();
                half.wait();
                peer.write_all(&text[SIZE / 4..]).unwrap();
                peer.write_all(b"\n").unwrap();
            })
            .unwrap()
        })
        .collect();
    // Each worker may have one receive in flight that was begun while there was room.
    let bound = (budget + 2 * limits::RECV_BYTES + usize::from(PEERS) * limits::LARGE_BYTES) as u64;
    let mut written = 0;
    while written < usize::from(PEERS) {
        assert!(fixture.count("memory.used") <= bound, "{}", fixture.count("memory.used"));
        let state = fixture.rules.state.lock().unwrap();
        let mut state =
            fixture.rules.changed.wait_timeout(state, Duration::from_millis(20)).unwrap().0;
        let batches = std::mem::take(&mut state.batches);
        drop(state);
        written += batches.iter().map(Batch::len).sum::<usize>();
    }
    peers.into_iter().for_each(|peer| peer.join().unwrap());
    assert!(fixture.count("memory.waits") > 0, "the budget was never used up");
    let texts = fixture.texts(PEERS.into());
    assert!(texts.iter().all(|(text, _)| text.len() == SIZE && text.iter().all(|c| *c == text[0])));
    assert_eq!(fixture.count("memory.used"), 0);
    fixture.stop();
}

/// A peer that we do not read, because there is no room, is not silent: it outlives the limit for silence.
#[test]
fn who_is_not_read_is_not_closed() {
    const SIZE: usize = 1 << 20;
    let params = [
        ("maxMessageSize", Value::Size(SIZE as u64)),
        ("memoryBudget", Value::Size(SIZE as u64)),
        ("timeout", text("100ms")),
    ];
    let fixture = Fixture::start(&params);
    fixture.rules.state.lock().unwrap().keeps = true;
    let message = [vec![b'x'; SIZE], b"\n".to_vec()].concat();
    // It is written off only when the ruleset lets go of it.
    let mut first = fixture.connect();
    first.write_all(&message).unwrap();
    fixture.texts(1);
    let mut second = fixture.connect();
    let writer = crate::sys::process::spawn("peer", move || {
        second.write_all(&message).unwrap();
        second
    });
    fixture.wait_count("memory.waits", 1);
    // Others are silent meanwhile, one after the other, until they are closed for that.
    let closed = fixture.count("sessions.timedout");
    for _ in 0..3 {
        ends_well(fixture.connect());
    }
    assert!(fixture.count("sessions.timedout") >= closed + 3);
    let mut state = fixture.rules.state.lock().unwrap();
    assert_eq!(state.texts.len(), 1);
    state.keeps = false;
    let batches = std::mem::take(&mut state.batches);
    drop(state);
    drop(batches);
    drop(writer.unwrap().join().unwrap());
    assert_eq!(fixture.texts(2)[1].0.len(), SIZE);
    assert_eq!(fixture.count("frames.incomplete"), 0);
    fixture.stop();
}

/// The end of the daemon makes messages of what has come without a delimiter.
#[test]
fn stopping_keeps_what_was_received() {
    let fixture = Fixture::start(&[]);
    let mut peer = fixture.connect();
    peer.write_all(b"one\nrest").unwrap();
    fixture.texts(1);
    let rules = fixture.stop();
    let texts: Vec<_> = rules.state.lock().unwrap().texts.iter().map(|t| t.0.clone()).collect();
    assert_eq!(texts, [b"one".to_vec(), b"rest".to_vec()]);
}

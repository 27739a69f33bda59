//! imuxsock over real sockets, where the sender is this very process.

use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::*;
use crate::inputs::IpProtocol;
use crate::inputs::tests::hostname;
use crate::message::{Batch, FlowControl, Submit};
use crate::param::{SecureDefaults, Value};

const PATIENCE: Duration = Duration::from_secs(300);

/// Host and raw text of each message.
#[derive(Default)]
struct Collect(Mutex<Vec<(String, String)>>, Condvar);

impl Submit for Collect {
    fn submit(&self, batch: Batch, _flow: FlowControl) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut all = self.0.lock().unwrap();
        for record in &batch.records {
            let sender = &batch.senders[usize::from(record.sender)];
            all.push((text(sender.fromhost()), text(batch.bytes.get(record.raw))));
        }
        self.1.notify_all();
    }
}

impl Collect {
    fn wait(&self, n: usize) -> Vec<(String, String)> {
        let deadline = Instant::now() + PATIENCE;
        let mut all = self.0.lock().unwrap();
        while all.len() < n {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} of {n} messages came", all.len());
            all = self.1.wait_timeout(all, left).unwrap().0;
        }
        all.clone()
    }
}

fn environment(queue: &Arc<Collect>) -> InputEnv {
    let submit: Arc<dyn Submit> = Arc::<Collect>::clone(queue);
    InputEnv {
        submit,
        ruleset_found: true,
        pool: Arc::default(),
        names: None,
        stats: Arc::new(stats::Set::default()),
        tasks: Arc::default(),
        message_bytes: 64,
        ip_protocol: IpProtocol::Unspecified,
        hostname: hostname(b"here"),
        keeps_own_messages: false,
        tls: Arc::default(),
        access: crate::net::access::Rules::default(),
        parsers: Arc::default(),
        limits: Arc::default(),
        secure: SecureDefaults::Compatible,
    }
}

fn unix() -> Unix {
    Unix {
        args: Args::defaults(&[MODULE.module_params]),
        sockets: Vec::new(),
        counters: Counters::new(&mut stats::Object::new("imuxsock", "imuxsock")),
        listeners: Vec::new(),
        problems: Vec::new(),
    }
}

fn socket(path: &std::path::Path, more: &[(&str, Value)]) -> Args {
    let mut args = Args::defaults(&[MODULE.params]);
    args.set("socket", Value::Str(path.to_str().unwrap().as_bytes().to_vec()));
    for (name, value) in more {
        args.set(name, value.clone());
    }
    args
}

#[test]
fn own_messages_are_dropped_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let queue = Arc::<Collect>::default();
    let [kept, dropped] = ["kept", "dropped"].map(|name| dir.path().join(name));
    let mut unix = unix();
    let counters = unix.counters.clone();
    let env = environment(&queue);
    assert_eq!(unix.add(&socket(&kept, &[]), &env), []);
    let drop_own = ("ignoreOwnMessages", Value::Bool(true));
    assert_eq!(unix.add(&socket(&dropped, &[drop_own]), &env), []);
    assert_eq!(unix.open(), []);
    let running = Box::new(unix).start().unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    sender.send_to(b"<13>t: x", &dropped).unwrap();
    sender.send_to(b"", &kept).unwrap();
    sender.send_to(&[b'x'; 70], &kept).unwrap();
    sender.send_to(b"<13>t: y", &kept).unwrap();
    let got = queue.wait(2);
    running.stop();
    running.join();
    let expected =
        [("here".to_owned(), "x".repeat(64)), ("here".to_owned(), "<13>t: y".to_owned())];
    assert_eq!(got, expected);
    let Counters { submitted, received, empty, truncated, own, .. } = counters;
    let counts = [submitted, received, empty, truncated, own].map(|counter| counter.get());
    assert_eq!(counts, [2, 4, 1, 1, 1]);
}

#[test]
fn a_new_host_name_is_taken_up() {
    let dir = tempfile::tempdir().unwrap();
    let queue = Arc::<Collect>::default();
    let path = dir.path().join("log");
    let env = environment(&queue);
    let mut unix = unix();
    assert_eq!(unix.add(&socket(&path, &[]), &env), []);
    assert_eq!(unix.open(), []);
    let running = Box::new(unix).start().unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    sender.send_to(b"<13>t: x", &path).unwrap();
    queue.wait(1);
    *crate::sync::lock(&env.hostname) = b"there".as_slice().into();
    sender.send_to(b"<13>t: y", &path).unwrap();
    let got = queue.wait(2);
    running.stop();
    running.join();
    assert_eq!((got[0].0.as_str(), got[1].0.as_str()), ("here", "there"));
}

#[test]
fn what_makes_no_sense_costs_the_socket() {
    let queue = Arc::<Collect>::default();
    let env = environment(&queue);
    let mut unix = unix();
    let texts =
        |problems: Vec<Problem>| problems.into_iter().map(|p| (p.text, p.code)).collect::<Vec<_>>();
    let none = texts(unix.add(&Args::defaults(&[MODULE.params]), &env));
    assert!(none[0].0.contains("set Socket=\"...\" for that input") && none[0].1 == Some(2211));
    let path = std::path::Path::new("/nowhere/log");
    let both = [("createPath", Value::Bool(true)), ("unlink", Value::Bool(false))];
    let both = texts(unix.add(&socket(path, &both), &env));
    assert!(both[0].0.contains("CreatePath=\"on\" cannot be combined with Unlink=\"off\""));
    let name = [("rateLimit.name", Value::Str(b"none".to_vec()))];
    let unknown = texts(unix.add(&socket(path, &name), &env));
    assert_eq!(unknown, [("ratelimit config 'none' not found".to_owned(), Some(3003))]);
    assert!(unix.sockets.is_empty());
    assert_eq!(unix.add(&socket(path, &[]), &env), []);
    let opened = texts(unix.open());
    assert_eq!(opened[0].0, "cannot create '/nowhere/log': No such file or directory");
    assert_eq!(opened[1].0, "imuxsock does not run because we could not acquire any socket ");
}

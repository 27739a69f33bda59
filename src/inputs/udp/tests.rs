//! imudp over real loopback sockets (`spec/imudp.md` section 10; rows that need a parser are end-to-end tests).

use std::io::Read as _;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use super::*;
use crate::inputs::IpProtocol;
use crate::message::{Batch, Flags, FlowControl, Name, Names, Pool, Submit};
use crate::net::access;
use crate::net::access::Verdict;
use crate::param::Value;
use crate::sys::process::Scheduling;

const PATIENCE: Duration = Duration::from_secs(300);

/// A message as the queue gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Got {
    raw: Vec<u8>,
    ip: String,
    port: String,
    fromhost: String,
    inputname: String,
    allowed: bool,
    truncated: bool,
    received: i64,
}

/// A queue that keeps everything, and is pressed the first few times it is asked.
#[derive(Default)]
struct Collect(Mutex<Vec<Got>>, Condvar, AtomicUsize);

impl Submit for Collect {
    fn submit(&self, batch: Batch, flow: FlowControl) {
        assert_eq!(flow, FlowControl::None);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut all = self.0.lock().unwrap();
        for record in &batch.records {
            assert!(record.flags.has(Flags::NEEDS_PARSING.with(Flags::PARSE_HOSTNAME)));
            let sender = &batch.senders[usize::from(record.sender)];
            all.push(Got {
                raw: batch.bytes.get(record.raw).to_vec(),
                ip: text(&sender.ip),
                port: text(&sender.port),
                fromhost: text(sender.fromhost()),
                inputname: text(&sender.input.name),
                allowed: !record.flags.has(Flags::CHECK_SENDER)
                    || sender.is_allowed(record.received),
                truncated: record.flags.has(Flags::TRUNCATED),
                received: record.received,
            });
        }
        self.1.notify_all();
    }

    fn is_pressed(&self, _: Duration) -> bool {
        let left = |n: usize| n.checked_sub(1);
        self.2.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_ok()
    }
}

impl Collect {
    /// All messages, once there are `n` at least.
    fn wait(&self, n: usize) -> Vec<Got> {
        let deadline = Instant::now() + PATIENCE;
        let mut all = self.0.lock().unwrap();
        while all.len() < n {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} of {n} messages came: {all:?}", all.len());
            all = self.1.wait_timeout(all, left).unwrap().0;
        }
        all.clone()
    }
}

fn words(values: &[&str]) -> Value {
    Value::Array(values.iter().map(|v| v.as_bytes().to_vec()).collect())
}

fn word(value: &str) -> Value {
    Value::Str(value.as_bytes().to_vec())
}

/// An imudp with a collecting queue.
struct Setup {
    module: Args,
    input: Args,
    env: InputEnv,
    queue: Arc<Collect>,
}

/// A running imudp.
struct Rig {
    queue: Arc<Collect>,
    env: InputEnv,
    addresses: Vec<SocketAddr>,
    names: Vec<String>,
    running: Option<Box<dyn Running>>,
}

impl Setup {
    fn new() -> Self {
        let queue = Arc::new(Collect::default());
        let mut input = Args::defaults(&[MODULE.params]);
        input.set("port", words(&["0"]));
        input.set("address", word("127.0.0.1"));
        let submit: Arc<dyn Submit> = Arc::<Collect>::clone(&queue);
        let env = InputEnv {
            submit,
            ruleset_found: true,
            pool: Arc::new(Pool::default()),
            names: None,
            stats: Arc::new(stats::Set::default()),
            tasks: Arc::default(),
            message_bytes: 8096,
            ip_protocol: IpProtocol::Unspecified,
            hostname: crate::inputs::tests::hostname(b"here"),
            keeps_own_messages: false,
            tls: Default::default(),
            access: access::Rules::default(),
            parsers: Arc::default(),
            limits: Arc::default(),
            secure: crate::param::SecureDefaults::Compatible,
        };
        Self { module: Args::defaults(&[MODULE.module_params]), input, env, queue }
    }

    fn module(mut self, name: &str, value: Value) -> Self {
        self.module.set(name, value);
        self
    }

    fn input(mut self, name: &str, value: Value) -> Self {
        self.input.set(name, value);
        self
    }

    /// The object after `build` and `add`, and everything that was wrong.
    fn configure(&self) -> (Udp, Vec<Problem>) {
        let mut problems = Vec::new();
        let settings = Settings::new(&self.module, &mut problems);
        let (statements, listeners) = (Vec::new(), Vec::new());
        let mut udp =
            Udp { settings, statements, listeners, stats: None, message_bytes: 0, given_up: false };
        problems.extend(udp.add(&self.input, &self.env));
        (udp, problems)
    }

    /// The texts of everything that is wrong, opening included.
    fn problems(&self) -> Vec<String> {
        let (mut udp, mut problems) = self.configure();
        problems.extend(udp.open());
        problems.into_iter().map(|p| p.text).collect()
    }

    /// Bound, not receiving yet.
    fn open(self) -> (Udp, Rig) {
        let (mut udp, problems) = self.configure();
        assert_eq!(problems, []);
        assert_eq!(udp.open(), []);
        let addresses = udp.listeners.iter().map(|l| l.socket.local_addr().unwrap()).collect();
        let names = udp.listeners.iter().map(|l| l.name.clone()).collect();
        let (queue, env) = (self.queue, self.env);
        (udp, Rig { queue, env, addresses, names, running: None })
    }

    fn start(self) -> Rig {
        let (udp, rig) = self.open();
        rig.start(udp)
    }
}

impl Rig {
    fn start(mut self, udp: Udp) -> Self {
        self.running = Some(Box::new(udp).start().unwrap());
        self
    }

    /// A socket that sends to the listener at `index`.
    fn sender(&self, index: usize) -> UdpSocket {
        let to = self.addresses[index];
        let socket = UdpSocket::bind((to.ip(), 0)).unwrap();
        socket.connect(to).unwrap();
        socket
    }

    fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
            running.join();
        }
    }

    /// The value of a counter, summed over all objects that have it.
    fn counter(&self, name: &str) -> u64 {
        self.env.stats.total(None, name)
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop();
    }
}

#[test]
fn every_datagram_is_one_message_with_its_bytes_untouched() {
    let texts: [&[u8]; 10] = [
        b"<13>a: b",
        b"<13>a: b\n",
        b"<13>a: b\n\n",
        b"<13>a: b\n\0",
        b"<13>a: b\r\n",
        b"<13>a\n<13>b\n",
        b"8 <13>a: b",
        b"<13>x\0y",
        b"\x80\xff\x7f\t",
        b"hello world",
    ];
    let mut rig = Setup::new().start();
    let sender = rig.sender(0);
    for text in texts {
        assert_eq!(sender.send(text).unwrap(), text.len());
    }
    let got = rig.queue.wait(texts.len());
    assert_eq!(got.iter().map(|g| g.raw.as_slice()).collect::<Vec<_>>(), texts);
    let port = sender.local_addr().unwrap().port().to_string();
    for message in &got {
        assert_eq!((message.ip.as_str(), message.port.as_str()), ("127.0.0.1", port.as_str()));
        assert_eq!((message.inputname.as_str(), message.truncated), ("imudp", false));
        assert!((clock_now() - message.received).abs() < 60_000_000);
    }
    rig.stop();
    assert_eq!(rig.names, ["imudp(127.0.0.1/0/IPv4)"]);
    assert_eq!((rig.counter("submitted"), rig.counter("msgs.received")), (10, 10));
    assert_eq!(rig.counter("disallowed") + rig.counter("kernel.drops") + rig.counter("empty"), 0);
}

fn clock_now() -> i64 {
    crate::sys::clock::now_usec()
}

#[test]
fn empty_datagrams_are_received_and_counted_but_make_no_message() {
    let mut rig = Setup::new().start();
    let sender = rig.sender(0);
    sender.send(b"").unwrap();
    sender.send(b"x").unwrap();
    assert_eq!(rig.queue.wait(1).len(), 1);
    rig.stop();
    let counted = ["msgs.received", "empty", "submitted"].map(|name| rig.counter(name));
    assert_eq!(counted, [2, 1, 1]);
}

#[test]
fn datagrams_wait_in_the_socket_while_the_rules_are_behind_and_it_has_room() {
    for (asked, sent) in [(3, 1), (usize::MAX, 2_000)] {
        let rig = Setup::new().start();
        rig.queue.2.store(asked, Ordering::Relaxed);
        let sender = rig.sender(0);
        for _ in 0..sent {
            sender.send(b"<13>a: b").unwrap();
        }
        rig.queue.wait(1);
        let left = rig.queue.2.load(Ordering::Relaxed);
        assert!(if asked == 3 { left == 0 } else { left < asked });
    }
}

#[test]
fn long_datagrams_are_cut_marked_and_counted() {
    let mut rig = Setup::new().start();
    let sender = rig.sender(0);
    for (length, kept, truncated) in [(8096, 8096, false), (8097, 8096, true), (9000, 8096, true)] {
        sender.send(&vec![b'x'; length]).unwrap();
        let last = rig.queue.wait(1).pop().unwrap();
        assert_eq!((last.raw.len(), last.truncated), (kept, truncated), "{length}");
        rig.queue.0.lock().unwrap().clear();
    }
    rig.stop();
    assert_eq!(rig.counter("truncated"), 2);
}

#[test]
fn the_largest_datagram_fits_a_large_message_size() {
    let mut setup = Setup::new();
    setup.env.message_bytes = 65_536;
    let rig = setup.start();
    rig.sender(0).send(&[b'x'; 65_507]).unwrap();
    let got = rig.queue.wait(1);
    assert_eq!((got[0].raw.len(), got[0].truncated), (65_507, false));
}

#[test]
fn each_port_is_a_listener_and_may_name_the_input() {
    let setup = Setup::new().input("port", words(&["0", "0"])).input("name", word("u"));
    let rig = setup.input("name.appendPort", Value::Bool(true)).start();
    assert_eq!(rig.names, ["u(127.0.0.1/0/IPv4)", "u(127.0.0.1/0/IPv4)"]);
    rig.sender(0).send(b"one").unwrap();
    rig.sender(1).send(b"two").unwrap();
    let got = rig.queue.wait(2);
    assert!(got.iter().all(|g| g.inputname == "u0"));
}

#[test]
fn no_address_binds_every_family() {
    let mut setup = Setup::new();
    setup.input = Args::defaults(&[MODULE.params]);
    setup.input.set("port", words(&["0"]));
    setup.env.ip_protocol = IpProtocol::V4Only;
    let rig = setup.start();
    assert_eq!(rig.names, ["imudp(*/0/IPv4)"]);
    let to = SocketAddr::from(([127, 0, 0, 1], rig.addresses[0].port()));
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"x", to).unwrap();
    assert_eq!(rig.queue.wait(1).len(), 1);
}

#[test]
fn ipv6_senders_show_their_address() {
    if UdpSocket::bind("[::1]:0").is_err() {
        return; // a machine without IPv6
    }
    let rig = Setup::new().input("address", word("::1")).start();
    assert_eq!(rig.names, ["imudp(::1/0/IPv6)"]);
    rig.sender(0).send(b"x").unwrap();
    assert_eq!(rig.queue.wait(1)[0].ip, "::1");
}

#[test]
fn the_port_file_holds_the_bare_number_and_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("port");
    std::fs::write(&path, "longer than a port number").unwrap();
    std::fs::remove_file(&path).unwrap();
    let (_udp, rig) = Setup::new().input("listenPortFileName", word(path.to_str().unwrap())).open();
    let mut text = String::new();
    std::fs::File::open(&path).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, rig.addresses[0].port().to_string());
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn the_port_file_must_be_a_plain_file_for_one_port_and_one_socket() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    std::os::unix::fs::symlink(path("target"), path("link")).unwrap();
    let refused = "imudp: listenPortFileName: refusing to write to non-regular file";
    for name in ["link", "."] {
        let setup = Setup::new().input("listenPortFileName", word(&path(name)));
        let problems = setup.problems();
        assert!(problems[0].starts_with(refused), "{problems:?}");
        assert_eq!(problems[1], "imudp: no listeners could be started, input not activated.");
    }
    assert!(!std::path::Path::new(&path("target")).exists());

    let setup = Setup::new().input("listenPortFileName", word(&path("p")));
    let problems = setup.input("port", words(&["0", "0"])).problems();
    assert_eq!(
        problems[0],
        "imudp: listenPortFileName cannot be used with multiple port values; use one input per port"
    );
    if UdpSocket::bind("[::1]:0").is_ok() {
        let problems = Setup::new()
            .input("listenPortFileName", word(&path("p")))
            .input("address", word("*"))
            .problems();
        assert_eq!(
            problems[0],
            "imudp: listenPortFileName requires exactly one bound socket, got 2; set address to \
             a single local address"
        );
    }
    assert!(!std::path::Path::new(&path("p")).exists());
}

#[test]
fn addresses_of_other_machines_are_bound_as_ip_free_bind_says() {
    let setup =
        |n| Setup::new().input("address", word("192.0.2.7")).input("ipFreeBind", Value::Int(n));
    let problems = setup(0).problems();
    assert!(problems[0].starts_with("imudp: 192.0.2.7:0: bind: "), "{problems:?}");
    assert_eq!(
        problems[1..],
        [
            "imudp: Could not create udp listener, ignoring port 0 bind-address 192.0.2.7.",
            "imudp: no listeners could be started, input not activated."
        ]
    );
    assert_eq!(setup(1).problems(), Vec::<String>::new());
    assert_eq!(setup(2).problems(), ["bound address 192.0.2.7 IP free"]);
}

/// Sockets of threads (`reusePort`) are bound where the first one is, and only that one is spoken of.
#[test]
fn a_problem_is_said_once_however_many_sockets_have_it() {
    let opened = |free_bind| {
        let setup = Setup::new().module("threads", Value::Int(4));
        let setup = setup.input("address", word("192.0.2.7"));
        let (mut udp, _) = setup.input("ipFreeBind", Value::Int(free_bind)).configure();
        udp.statements[0].binding.reuse_port = true;
        let said: Vec<_> = udp.open().into_iter().map(|problem| problem.text).collect();
        (said, udp.listeners)
    };
    let (said, listeners) = opened(2);
    assert_eq!(said, ["bound address 192.0.2.7 IP free"]);
    let threads: Vec<_> = listeners.iter().map(|listener| listener.thread).collect();
    assert_eq!(threads, [Some(0), Some(1), Some(2), Some(3)]);
    let place = |listener: &Listener| listener.socket.local_addr().ok();
    assert!(listeners.iter().all(|listener| place(listener) == place(&listeners[0])));

    let (said, listeners) = opened(0);
    assert!(listeners.is_empty());
    let once = |part: &str| said.iter().filter(|text| text.contains(part)).count() == 1;
    assert!(once("192.0.2.7:0: bind") && once("Could not create udp listener"), "{said:?}");
}

#[test]
fn ports_and_addresses_that_cannot_be() {
    for (port, why) in
        [("65536", "is not a number"), ("syslog", "is not a number"), ("-1", "is not")]
    {
        let problems = Setup::new().input("port", words(&[port])).problems();
        assert!(problems[0].contains(why), "{problems:?}");
        assert!(problems[1].contains("Could not create udp listener, ignoring port"));
    }
    let problems = Setup::new().input("address", word("no such host")).problems();
    assert!(problems[0].starts_with("imudp: address 'no such host': "), "{problems:?}");
}

#[test]
fn settings_out_of_range_are_reported_and_replaced() {
    let int = Value::Int;
    let cases: [(&str, Value, &str); 6] = [
        ("batchSize", int(0), "imudp: batchSize must be 1 to 1024, using 32"),
        ("batchSize", int(1025), "imudp: batchSize must be 1 to 1024, using 32"),
        (
            "threads",
            int(33),
            "imudp: configured for 33 worker threads, but maximum permitted is 32",
        ),
        (
            "schedulingPolicy",
            word("fifo"),
            "imudp: scheduling policy set, but without priority - ignoring settings",
        ),
        (
            "schedulingPriority",
            int(1),
            "imudp: scheduling priority set, but without policy - ignoring settings",
        ),
        ("timeRequery", int(0), ""),
    ];
    for (name, value, expected) in cases {
        let (udp, problems) = Setup::new().module(name, value).configure();
        let texts: Vec<_> = problems.iter().map(|p| p.text.as_str()).collect();
        assert_eq!(texts.join(""), expected);
        assert_eq!((udp.settings.batch_size, udp.settings.scheduling), (32, None));
    }
    let set = |policy: &str, priority| {
        let setup = Setup::new().module("schedulingPolicy", word(policy));
        let (udp, problems) = setup.module("schedulingPriority", int(priority)).configure();
        (udp.settings.scheduling, problems.into_iter().map(|p| p.text).collect::<String>())
    };
    assert_eq!(set("RR", 1), (Some((Scheduling::RoundRobin, 1)), String::new()));
    assert_eq!(
        set("fifo", 100).1,
        "imudp: scheduling priority 100 out of range (1 - 99) for scheduling policy 'fifo' - ignoring settings"
    );
    assert_eq!(set("best", 1).1, "imudp: invalid scheduling policy 'best' - ignoring setting");
}

#[test]
fn statements_that_contradict_themselves() {
    let both = Setup::new().input("name", word("a")).input("inputname", word("b"));
    let (udp, problems) = both.configure();
    assert_eq!(
        problems.iter().map(|p| (p.text.as_str(), p.warning)).collect::<Vec<_>>(),
        [
            ("imudp: deprecated parameter inputname used. Suggest to use name instead", false),
            ("imudp: name and inputname parameter specified - only one can be used", false)
        ]
    );
    assert!(udp.statements.is_empty());
    assert_eq!(
        udp.check()[0].text,
        "imudp: module loaded, but no listeners defined - no input will be gathered"
    );

    let huge = Setup::new().input("rcvbufSize", Value::Size((1 << 30) + 1));
    let (udp, problems) = huge.configure();
    assert_eq!(problems[0].text, "imudp: rcvbufsize maximum is 1 GiB, using default instead");
    assert_eq!(udp.statements[0].binding.receive_buffer_bytes, 0);
}

#[test]
fn the_receive_buffer_is_set() {
    let (udp, _rig) = Setup::new().input("rcvbufSize", Value::Size(20_000)).open();
    let socket = socket2::SockRef::from(&udp.listeners[0].socket);
    assert_eq!(socket.recv_buffer_size().unwrap(), 40_000);
}

#[test]
fn batch_size_and_requery_do_not_change_what_is_received() {
    for (batch_size, requery) in [(1, 0), (1, 1), (2, 3), (1024, 2)] {
        let setup = Setup::new().module("batchSize", Value::Int(batch_size));
        let (udp, rig) = setup.module("timeRequery", Value::Int(requery)).open();
        let sender = rig.sender(0);
        let texts: Vec<_> = (0..50_u8).map(|n| vec![b'm', n]).collect();
        for text in &texts {
            sender.send(text).unwrap();
        }
        let rig = rig.start(udp);
        let got = rig.queue.wait(texts.len());
        assert_eq!(got.iter().map(|g| g.raw.clone()).collect::<Vec<_>>(), texts);
        assert!(got.is_sorted_by_key(|g| g.received));
    }
}

#[test]
fn a_flooded_port_does_not_starve_another() {
    let setup = Setup::new().module("batchSize", Value::Int(1));
    let (udp, rig) = setup.input("port", words(&["0", "0"])).open();
    let flood = rig.sender(0);
    for _ in 0..100 {
        flood.send(b"flood").unwrap();
    }
    rig.sender(1).send(b"single").unwrap();
    let rig = rig.start(udp);
    let got = rig.queue.wait(101);
    let place = got.iter().position(|g| g.raw == b"single").unwrap();
    assert!(place <= 8, "{place}");
}

#[test]
fn several_threads_receive_everything_once() {
    const EACH: usize = 5_000;
    const WINDOW: usize = 50; // datagrams under way, so that the kernel has room for all
    let setup = Setup::new().module("threads", Value::Int(4));
    let mut rig = setup.input("port", words(&["0", "0"])).start();
    let senders: Vec<_> = (0..4).map(|n| rig.sender(n % 2)).collect();
    for round in 0..EACH / WINDOW {
        for sender in &senders {
            for n in 0..WINDOW {
                sender.send(format!("{}", round * WINDOW + n).as_bytes()).unwrap();
            }
        }
        rig.queue.wait((round + 1) * WINDOW * senders.len());
    }
    rig.stop();
    let mut got: Vec<_> = rig.queue.wait(4 * EACH).into_iter().map(|g| (g.port, g.raw)).collect();
    got.sort();
    got.dedup();
    assert_eq!(got.len(), 4 * EACH);
    let counted = ["submitted", "msgs.received"].map(|name| rig.counter(name));
    assert_eq!(counted, [20_000, 20_000]);
}

#[test]
fn what_the_sockets_hold_at_a_stop_is_received() {
    let (udp, rig) = Setup::new().open();
    let sender = rig.sender(0);
    for n in 0..50_u8 {
        sender.send(&[n]).unwrap();
    }
    let mut rig = rig.start(udp);
    rig.stop();
    assert_eq!(rig.queue.wait(0).len(), 50);
}

#[test]
fn a_stop_ends_a_flood() {
    let mut rig = Setup::new().module("threads", Value::Int(2)).start();
    let sender = rig.sender(0);
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = Arc::clone(&stop);
    let flood = process::spawn("flood", move || {
        while !seen.load(std::sync::atomic::Ordering::Relaxed) {
            // Refused once the socket is closed.
            let _ = sender.send(b"flood");
        }
    });
    rig.queue.wait(1000);
    rig.stop();
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    flood.unwrap().join().unwrap();
    assert_eq!(rig.counter("submitted"), rig.queue.wait(0).len() as u64);
}

#[test]
fn datagrams_that_the_kernel_drops_are_counted() {
    let (udp, rig) = Setup::new().input("rcvbufSize", Value::Size(1)).configure_quietly();
    if crate::sys::mmsg::dropped(&udp.listeners[0].socket).is_none() {
        return; // a kernel that does not tell
    }
    let sender = rig.sender(0);
    for _ in 0..1000 {
        sender.send(&[b'x'; 100]).unwrap();
    }
    let mut rig = rig.start(udp);
    rig.stop();
    let received = rig.queue.wait(0).len() as u64;
    assert_eq!(rig.counter("kernel.drops") + received, 1000);
    assert_eq!(rig.counter("msgs.received"), received);
}

impl Setup {
    /// As `open`, whatever problems there are.
    fn configure_quietly(self) -> (Udp, Rig) {
        let (mut udp, _) = self.configure();
        udp.open();
        let addresses = udp.listeners.iter().map(|l| l.socket.local_addr().unwrap()).collect();
        let (queue, env) = (self.queue, self.env);
        (udp, Rig { queue, env, addresses, names: Vec::new(), running: None })
    }
}

/// Every address is `Host.Example`.
struct OneName;

impl Names for OneName {
    fn name(&self, _addr: SocketAddr) -> Name {
        Name::Known(b"Host.Example".as_slice().into())
    }
}

#[test]
fn names_of_senders_are_lower_case_unless_told_otherwise() {
    for (preserve, expected) in [(false, "host.example"), (true, "Host.Example")] {
        let mut setup = Setup::new().module("preserveCase", Value::Bool(preserve));
        setup.env.names = Some(Arc::new(OneName));
        let rig = setup.start();
        rig.sender(0).send(b"x").unwrap();
        let got = rig.queue.wait(1);
        assert_eq!((got[0].fromhost.as_str(), got[0].ip.as_str()), (expected, "127.0.0.1"));
    }
}

#[test]
fn senders_that_are_not_allowed_are_counted_packet_by_packet() {
    type List = Option<&'static [&'static str]>;
    let lists: [(List, List, bool); 6] = [
        (None, Some(&["10.0.0.0/8"]), false),
        (Some(&["10.0.0.0/8"]), None, false),
        (Some(&["10.0.0.0/8"]), Some(&["127.0.0.0/8"]), true),
        (Some(&["127.0.0.1"]), Some(&["[::1]", "10.0.0.1"]), false),
        (None, Some(&["10.0.0.1", "127.0.0.1/32"]), true),
        (None, None, true),
    ];
    for (module, input, allowed) in lists {
        let mut setup = Setup::new();
        if let Some(list) = module {
            setup = setup.module("allowedSender", words(list));
        }
        if let Some(list) = input {
            setup = setup.input("allowedSender", words(list));
        }
        let (udp, rig) = setup.open();
        let sender = rig.sender(0);
        for _ in 0..3 {
            sender.send(b"x").unwrap();
        }
        let mut rig = rig.start(udp);
        rig.stop();
        let passed = if allowed { 3 } else { 0 };
        assert_eq!(rig.queue.wait(0).len(), passed, "{module:?} {input:?}");
        let counted = ["submitted", "disallowed", "msgs.received"].map(|name| rig.counter(name));
        assert_eq!(counted, [passed as u64, 3 - passed as u64, 3]);
    }
    let (udp, problems) = Setup::new().input("allowedSender", words(&[])).configure();
    assert_eq!(problems[0].text, "imudp: allowedSender array must not be empty");
    assert!(udp.statements.is_empty());
}

#[test]
fn the_legacy_list_counts_where_there_is_no_other() {
    for (module, expected) in [(None, "10.0.0.1"), (Some("127.0.0.1"), "127.0.0.1")] {
        let mut setup = Setup::new();
        setup.input.set_default("allowedSender", Some(words(&["10.0.0.0/8"])));
        if let Some(list) = module {
            setup = setup.module("allowedSender", words(&[list]));
        }
        let (udp, _) = setup.configure();
        let access = udp.statements[0].access.as_ref().unwrap();
        assert_eq!(access.check(expected.parse().unwrap()), Verdict::Allowed);
        assert_eq!(access.check("192.0.2.1".parse().unwrap()), Verdict::Refused);
    }
}

#[test]
fn senders_allowed_by_name_are_checked_by_who_takes_the_message() {
    for (pattern, allowed) in [("*.example", true), ("*.example.net", false)] {
        let mut setup = Setup::new().input("allowedSender", words(&[pattern]));
        setup.env.names = Some(Arc::new(OneName));
        let mut rig = setup.start();
        rig.sender(0).send(b"x").unwrap();
        assert_eq!(rig.queue.wait(1)[0].allowed, allowed, "{pattern}");
        rig.stop();
        assert_eq!(rig.counter("disallowed"), u64::from(!allowed));
    }
}

#[test]
fn the_table_has_every_parameter_asked_for() {
    assert_eq!(Setup::new().configure().1, []);
    assert_eq!(super::super::zone_offset(b"-05:00"), Some(-18_000));
    let tz = |text| Setup::new().input("defaultTZ", word(text)).configure();
    assert_eq!(tz("-05:00").0.statements[0].default_tz, Some(-18_000));
    assert_eq!(tz("nonsense").1.len(), 1);
}

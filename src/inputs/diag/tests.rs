//! Every command, without a socket.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::Timeout;
use super::*;
use crate::message::{Batch, Flags, Pool, Submit};
use crate::net::access;
use crate::sync::lock;

/// A daemon that is told what to answer.
#[derive(Default)]
struct Daemon {
    /// What `queued` returns, one after the other; then 0.
    queued: Mutex<Vec<usize>>,
    hups: AtomicUsize,
    timeouts: Mutex<Vec<(Timeout, Duration)>>,
    without_main: bool,
}

impl Control for Daemon {
    fn queued(&self) -> usize {
        lock(&self.queued).pop().unwrap_or(0)
    }
    fn hup_pending(&self) -> bool {
        self.hups.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok()
    }
    fn reloading(&self) -> bool {
        false
    }
    fn has_main_queue(&self) -> bool {
        !self.without_main
    }
    fn set_timeout(&self, which: Timeout, value: Duration) {
        lock(&self.timeouts).push((which, value));
    }
    fn enable_debug(&self) {}
}

#[derive(Default)]
struct Collect(Mutex<Vec<Batch>>);

impl Submit for Collect {
    fn submit(&self, batch: Batch, flow: FlowControl) {
        assert_eq!(flow, FlowControl::Full);
        lock(&self.0).push(batch);
    }
}

fn commands(daemon: Daemon) -> (Commands, Arc<Daemon>, Arc<Collect>) {
    let (daemon, collect) = (Arc::new(daemon), Arc::new(Collect::default()));
    let env = InputEnv {
        submit: Arc::<Collect>::clone(&collect),
        ruleset_found: true,
        pool: Arc::new(Pool::default()),
        names: None,
        stats: Arc::default(),
        tasks: Arc::default(),
        message_bytes: 100,
        ip_protocol: super::super::IpProtocol::Unspecified,
        hostname: crate::inputs::tests::hostname(b"here"),
        keeps_own_messages: false,
        parsers: Arc::default(),
        limits: Arc::default(),
        tls: Default::default(),
        access: access::Rules {
            dns: false,
            resolve_names: false,
            keep_unresolved: false,
            report: false,
        },
        secure: crate::param::SecureDefaults::Compatible,
    };
    let input = super::super::info(b"imdiag", None, true);
    let commands = Commands {
        env,
        control: Arc::<Daemon>::clone(&daemon),
        sender: Arc::new(Sender::local(input, b"127.0.0.1")),
        flow: FlowControl::Full,
        submitted: Arc::default(),
        gate: Arc::default(),
        looks: 0,
        stop: Interrupt::default(),
    };
    (commands, daemon, collect)
}

fn texts(collect: &Collect) -> Vec<String> {
    let mut texts = Vec::new();
    for batch in lock(&collect.0).iter() {
        for record in &batch.records {
            assert!(record.flags.has(Flags::NEEDS_PARSING.with(Flags::PARSE_HOSTNAME)));
            let sender = &batch.senders[usize::from(record.sender)];
            assert_eq!((&*sender.input.name, &*sender.ip), (&b"imdiag"[..], &b"127.0.0.1"[..]));
            texts.push(String::from_utf8(batch.bytes.get(record.raw).to_vec()).unwrap());
        }
    }
    texts
}

#[test]
fn answers() {
    let daemon = Daemon { queued: Mutex::new(vec![0, 0, 17, 5]), ..Daemon::default() };
    let (commands, daemon, _) = commands(daemon);
    daemon.hups.store(2, Ordering::Relaxed);
    let cases = [
        ("getmainmsgqueuesize", "5"),
        ("  GetMainMsgQueueSize", "17"),
        ("WaitMainQueueEmpty", "mainqueue empty"),
        ("AwaitLookupTableReload", "no pending lookup-table reloads found"),
        ("AwaitHUPComplete", "seen HUP request, looks like it has completed [12 tries]"),
        ("AwaitHUPComplete", "timeout - looks like_HUP has completed [10 tries]"),
        ("AwaitStatsReport", "imdiag::error : stats reporting was not blocked, bug?"),
        ("EnableDebug", "debug enabled"),
        ("SetMainMsgQueueTimeoutShutdown 10", "OK"),
        ("SetMainMsgQueueTimeoutEnqueue  20 \r", "OK"),
        ("SetInputShutdownTimeout 0", "OK"),
        ("SetDefaultActionQueueTimeoutShutdown 30", "OK"),
        ("SetDefaultActionQueueTimeoutEnqueue -1", "ERROR: invalid timeout value"),
        ("SetMainMsgQueueTimeoutShutdown", "ERROR: invalid timeout value"),
        ("SetMainMsgQueueTimeoutShutdown 5s", "ERROR: invalid timeout value"),
        ("SetSegDiskFault x", "ERROR: unsupported"),
        ("Sing a song", "unkown command 'sing'"),
        ("", "unkown command ''"),
    ];
    for (request, expected) in cases {
        assert_eq!(commands.run(request.as_bytes()).as_deref(), Some(expected), "{request}");
    }
    let milliseconds = Duration::from_millis;
    let expected = [
        (Timeout::MainShutdown, milliseconds(10)),
        (Timeout::MainEnqueue, milliseconds(20)),
        (Timeout::Inputs, milliseconds(0)),
    ];
    assert_eq!(*lock(&daemon.timeouts), expected);
}

#[test]
fn a_report_is_held_up_until_it_is_awaited() {
    let (commands, _, _) = commands(Daemon::default());
    let blocked = commands.run(b"blockStatsReporting");
    assert_eq!(blocked.as_deref(), Some("next stats reporting call will be blocked"));
    let gate = Arc::clone(&commands.gate);
    let reports = crate::sys::process::spawn("reports", move || {
        for _ in 0..2 {
            stats::Live::read(&*gate, stats::Purpose::Report);
            stats::Live::round_over(&*gate, stats::Purpose::Report);
        }
    });
    let reports = reports.unwrap();
    for request in ["AwaitStatsReport block_again", "AwaitStatsReport"] {
        let answer = commands.run(request.as_bytes());
        assert_eq!(answer.as_deref(), Some("stats reporting was unblocked"));
    }
    reports.join().unwrap();
}

#[test]
fn without_a_main_queue_its_timeouts_cannot_be_set() {
    let (commands, _, _) = commands(Daemon { without_main: true, ..Daemon::default() });
    let answer = commands.run(b"SetMainMsgQueueTimeoutEnqueue 1");
    assert_eq!(answer.as_deref(), Some("ERROR: main queue not yet initialized"));
    assert_eq!(commands.run(b"SetInputShutdownTimeout 1").as_deref(), Some("OK"));
}

#[test]
fn the_queues_must_be_found_empty_several_times_in_a_row() {
    let daemon = Daemon { queued: Mutex::new(vec![7, 0, 0, 1, 0, 2]), ..Daemon::default() };
    let (mut commands, daemon, _) = commands(daemon);
    commands.looks = 1;
    assert_eq!(commands.run(b"waitmainqueueempty").as_deref(), Some("mainqueue empty"));
    assert_eq!(*lock(&daemon.queued), [7]);
    assert_eq!(
        [None, Some("5"), Some("0"), Some("x"), Some("999")].map(commands::looks),
        [3, 5, 3, 3, 200]
    );
}

#[test]
fn messages_are_injected() {
    let (commands, _, collect) = commands(Daemon::default());
    let run = |request: &str| commands.run(request.as_bytes());
    assert_eq!(run("injectmsg 99 2 1").as_deref(), Some("2 messages injected"));
    assert_eq!(run("injectmsg literal  <1>a  b ").as_deref(), Some("1 messages injected"));
    assert_eq!(run("injectmsg 0 0").as_deref(), Some("0 messages injected"));
    for bad in ["injectmsg", "injectmsg 1", "injectmsg a 1", "injectmsg 1 1x", "injectmsg 1 1 -1"] {
        assert_eq!(run(bad), None, "{bad}");
    }
    let expected = [
        "<167>Mar  1 01:00:00 192.0.2.8 tag msgnum:00000099:",
        "<167>Mar  1 01:00:00 192.0.2.8 tag msgnum:00000100:",
        " <1>a  b ",
    ];
    assert_eq!(texts(&collect), expected);
    assert_eq!(run("injectmsg 1 5000").as_deref(), Some("5000 messages injected"));
    assert_eq!(texts(&collect).len(), 5003);
    assert_eq!(commands.submitted.get(), 5003);
    assert_eq!(
        run(&format!("injectmsg literal {}", "x".repeat(200))).as_deref(),
        Some("1 messages injected")
    );
    assert_eq!(texts(&collect).last().unwrap().len(), 100);
}

#[test]
fn a_second_listener_is_refused() {
    let mut args = Args::defaults(&[MODULE.module_params]);
    args.set("serverRun", crate::param::Value::Str(b"0".to_vec()));
    let (mut diag, problems) = build(&args);
    assert_eq!(problems, []);
    let (commands, _, _) = commands(Daemon::default());
    let problems = diag.add(&Args::defaults(&[MODULE.params]), &commands.env);
    let expected = "imdiag: only a single listener is supported, trying to add a second";
    assert_eq!(problems[0].text, expected);
}

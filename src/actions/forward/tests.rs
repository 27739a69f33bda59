//! What the tests of this folder share, and the settings.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use super::settings::{Compression, Framing, FreeBind, Settings};
use super::stream::{Format, Stream};
use super::{Counters, Forward, OutputLimiter, Pool, Worker, output, params};
use crate::actions::{OutputEnv, OutputWorker as _, testing};
use crate::message::Msg;
use crate::param::{Args, Problem, Value};
use crate::ratelimit::{Limits, Policy};
use crate::stats;
use crate::sys::socket::IpProtocol;
use crate::task::Tasks;
use crate::template;

/// TCP to nobody, with the defaults.
pub(super) fn settings() -> Settings {
    Settings {
        tcp: true,
        targets: vec![("127.0.0.1".to_owned(), "1".to_owned())],
        family: IpProtocol::default(),
        framing: Framing::Delimiter(b'\n'),
        compression: Compression::None,
        write_bytes: None,
        message_bytes: 8096,
        address: None,
        device: None,
        namespace: None,
        free_bind: FreeBind::Logged,
        rebind: 0,
        keep_alive: None,
        user_timeout: None,
        report_every: 0,
        resend_last: false,
        check: true,
        send_to_all: false,
        send_delay: Duration::ZERO,
        send_buffer: 0,
        resume_seconds: 30,
    }
}

/// An action with these settings.
pub(super) fn forward(settings: Settings) -> Arc<Forward> {
    let mut object = stats::Object::new("test", "omfwd");
    let counters = settings.targets.iter().map(|_| Counters::new(&mut object)).collect();
    Arc::new(Forward {
        name: "test".to_owned(),
        settings,
        template: template::builtin(b"RSYSLOG_FileFormat").expect("built in"),
        tls: None,
        limiter: None,
        counters,
    })
}

/// The settings, and what was said about them.
fn read(given: &[(&str, Value)]) -> (Result<Settings, Problem>, Vec<Problem>) {
    let mut args = Args::defaults(&[params::MODULE.params]);
    for (name, value) in given {
        args.set(name, value.clone());
    }
    let said = RefCell::new(Vec::new());
    let files = std::cell::RefCell::default();
    let env = OutputEnv {
        name: "test",
        files: &files,
        template: &|_| None,
        report: &|problem| said.borrow_mut().push(problem),
        stats: Arc::default(),
        tasks: &Tasks::default(),
        reentries: &Default::default(),
        message_bytes: 8096,
        ip_protocol: IpProtocol::default(),
        own_defaults: true,
        child_exits: Default::default(),
        secure: crate::param::SecureDefaults::Compatible,
        tls: &Default::default(),
        send_to_all: true,
    };
    let module = Args::defaults(&[params::MODULE.module_params]);
    let settings = Settings::new(&args, &module, &env);
    drop(env);
    (settings, said.into_inner())
}

fn array(items: &[&str]) -> Value {
    Value::Array(items.iter().map(|item| item.as_bytes().to_vec()).collect())
}

fn word(text: &str) -> Value {
    Value::Str(text.as_bytes().to_vec())
}

#[test]
fn targets_and_their_ports() {
    let (settings, said) = read(&[
        ("target", array(&["a", "b", "c"])),
        ("port", array(&["1", "2"])),
        ("protocol", word("TCP")),
    ]);
    let settings = settings.expect("sound");
    let shown: Vec<String> =
        settings.targets.iter().map(|(host, port)| format!("{host}:{port}")).collect();
    assert_eq!(shown, ["a:1", "b:2", "c:1"]);
    assert!(said[0].warning && said[0].text.contains("using port 1 as default"), "{said:?}");

    let (settings, said) = read(&[("target", array(&["a", "b"])), ("port", array(&["1", "2"]))]);
    assert_eq!(settings.expect("sound").targets.len(), 1, "UDP has one");
    assert_eq!(said.len(), 2, "two targets, then two ports for one: {said:?}");
    assert!(read(&[]).0.is_err_and(|problem| problem.text.contains("must be specified")));
}

#[test]
fn what_is_refused_and_what_is_ignored() {
    let target = ("target", array(&["a"]));
    let refused = [
        ("protocol", word("sctp"), "omfwd: invalid protocol \"sctp\""),
        ("TCP_Framing", word("x"), "omfwd: invalid framing \"x\""),
        ("TCP_FrameDelimiter", Value::Int(256), "tcp_frameDelimiter must be below 255 but is 256"),
        (
            "compression.mode",
            word("x"),
            "omfwd: invalid value for 'compression.mode' parameter (given is 'x')",
        ),
    ];
    for (name, value, text) in refused {
        let (settings, _) = read(&[target.clone(), (name, value)]);
        assert_eq!(settings.expect_err(name).text, text);
    }
    let tcp = ("protocol", word("tcp"));
    let (settings, said) = read(&[target, tcp, ("address", word("127.0.0.1"))]);
    assert_eq!((settings.expect("sound").address, said.len()), (None, 1));
}

/// What mode, level and driver come to.
fn compression(mode: &str, level: Option<i64>, driver: &str) -> Result<Compression, String> {
    let mut given = vec![("target", array(&["a"])), ("compression.driver", word(driver))];
    given.extend((!mode.is_empty()).then(|| ("compression.mode", word(mode))));
    given.extend(level.map(|level| ("zipLevel", Value::Int(level))));
    let (settings, _) = read(&given);
    settings.map(|settings| settings.compression).map_err(|problem| problem.text)
}

#[test]
fn the_command_line_sends_to_all_addresses_where_the_action_does_not_say() {
    let target = ("target", array(&["a"]));
    let (settings, _) = read(std::slice::from_ref(&target));
    assert!(settings.expect("sound").send_to_all);
    let (settings, _) = read(&[target, ("udp.sendToAll", Value::Bool(false))]);
    assert!(!settings.expect("sound").send_to_all);
}

#[test]
fn what_compression_comes_to() {
    let stream = |format, level| Compression::Stream(Stream { format, level, flush: true });
    for (mode, level, driver, wanted) in [
        ("", None, "zlib", Compression::None),
        ("none", None, "zlib", Compression::None),
        ("", Some(3), "zlib", Compression::Single(3)),
        ("none", Some(3), "zlib", Compression::Single(3)),
        ("", Some(11), "zlib", Compression::None),
        ("single", Some(-1), "zlib", Compression::None),
        ("single", None, "zlib", Compression::Single(9)),
        ("Stream:Always", None, "zlib", stream(Format::Zlib, 9)),
        ("stream:always", Some(0), "zlib", stream(Format::Zlib, 0)),
        ("stream:always", Some(3), "ZSTD", stream(Format::Zstd, 3)),
    ] {
        assert_eq!(compression(mode, level, driver), Ok(wanted), "{mode} {level:?} {driver}");
    }
    for (mode, level, driver, text) in [
        ("single", None, "lz4", "(given is 'lz4')"),
        ("single", None, "zstd", "is supported only with compression.mode"),
        ("stream:always", Some(0), "zstd", "requires non-zero zipLevel"),
    ] {
        let refused = compression(mode, level, driver).expect_err(text);
        assert!(refused.contains(text), "{refused}");
    }
}

#[test]
fn messages_beyond_the_rate_limit_are_counted_and_not_sent() {
    let mut object = stats::Object::new("test", "omfwd");
    let dropped = object.counter("discarded.ratelimit");
    let limits = Limits { interval: 3600, burst: 2, ..Limits::default() };
    let limiter = OutputLimiter::new(
        "omfwd".to_owned(),
        "tcp:[a]:1".to_owned(),
        Arc::new(Policy::inline(limits)),
        output::Counters::of_drops(Arc::clone(&dropped)),
    );
    let mut forward = forward(settings());
    Arc::get_mut(&mut forward).expect("ours alone").limiter = Some(limiter);
    let mut worker = Worker::new(forward, Pool::new(1));
    let (batch, env) = (testing::messages(&["a", "b", "c"]), testing::environment());
    for index in 0..3 {
        let msg = Msg::at(&batch, index, &env).expect("there");
        worker.push(&msg, &mut |why, _| panic!("lost: {why}")).expect("taken");
    }
    assert_eq!((worker.pending(), dropped.get()), (2, 1));
}

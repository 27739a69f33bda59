//! What the tests of this folder share, and the settings.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use super::settings::{Framing, FreeBind, Settings};
use super::{Counters, Forward, params};
use crate::actions::OutputEnv;
use crate::param::{Args, Problem, Value};
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
        zip_level: None,
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
    let mut counters = || Counters {
        bytes: object.counter("bytes.sent"),
        messages: object.counter("messages.sent"),
        connects: object.counter("num.connects"),
    };
    let counters = settings.targets.iter().map(|_| counters()).collect();
    Arc::new(Forward {
        settings,
        template: template::builtin(b"RSYSLOG_FileFormat").expect("built in"),
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
    };
    let settings = Settings::new(&args, &env);
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
    let (settings, said) = read(&[target.clone(), ("zipLevel", Value::Int(11))]);
    assert_eq!((settings.expect("sound").zip_level, said.len()), (None, 1));
    let (settings, _) = read(&[target.clone(), ("zipLevel", Value::Int(3))]);
    assert_eq!(settings.expect("sound").zip_level, Some(3));
    let (settings, _) = read(&[target.clone(), ("compression.mode", word("single"))]);
    assert_eq!(settings.expect("sound").zip_level, Some(9));
    let tcp = ("protocol", word("tcp"));
    let (settings, said) = read(&[target, tcp, ("address", word("127.0.0.1"))]);
    assert_eq!((settings.expect("sound").address, said.len()), (None, 1));
}

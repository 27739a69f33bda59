//! Nanoseconds per message of each stage between receive and write, beside the budget of DESIGN.md section 2:
//! `cargo bench --bench micro`. Medians of many rounds over a thousand 200-byte messages; then what loading a large
//! configuration and a large lookup table takes.

#![allow(clippy::print_stdout, reason = "a command line program")]

use std::cell::RefCell;
use std::hint::black_box;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice::actions::{OutputEnv, sendertrack};
use sluice::config::PropOp;
use sluice::config::ast::{Span, Variable};
use sluice::framing::{Decoder, Fault, Options, Sink};
use sluice::lookup::Lookup;
use sluice::message::timestamp::Zone;
use sluice::message::{Appender, Batch, Builder, Env, InputInfo, Msg, Pool, Sender};
use sluice::param::{Args, Value};
use sluice::parsers::ParserOptions;
use sluice::script::{Compiler, Filter, Scratch};
use sluice::task::Tasks;
use sluice::template::{Content, Options as TemplateOptions, Template};
use sluice::testing::parsers::{NETWORK, batch, parse_all};

/// Messages of one round: a batch.
const MESSAGES: usize = 1000;
/// Rounds of each bench.
const ROUNDS: usize = 1000;

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        // `cargo test --all-targets` runs benches without it: nothing to test here.
        return;
    }
    println!("{:<44} {:>8} {:>8}", "", "ns", "budget");
    framing();
    parse();
    filter();
    render();
    senders();
    lookup();
    configuration();
}

/// Prints the median time of a few runs of something that is done once; milliseconds.
fn report_once(name: &str, budget: u32, mut run: impl FnMut() -> Duration) {
    let mut times: Vec<Duration> = (0..5).map(|_| run()).collect();
    times.sort_unstable();
    println!("{name:<44} {:>5.0} ms {budget:>5} ms", times[2].as_secs_f64() * 1e3);
}

/// Prints the median time per message.
fn report(name: &str, budget: u32, mut round: impl FnMut() -> Duration) {
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| round()).collect();
    times.sort_unstable();
    let nanos = times[ROUNDS / 2].as_nanos() as f64 / MESSAGES as f64;
    println!("{name:<44} {nanos:>8.1} {budget:>8}");
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    black_box(work());
    start.elapsed()
}

/// A message of 200 bytes; `header` is what stands before the filler.
fn message(header: &str) -> Vec<u8> {
    let mut text = header.as_bytes().to_vec();
    text.resize(200, b'x');
    text
}

const RFC3164: &str = "<165>Oct 11 22:14:15 host-17.example.org app[1234]: ";
const RFC5424: &str =
    "<165>1 2024-01-02T03:04:05.123456+02:00 host-17.example.org app 1234 id [x y=\"z\"] ";

fn framing() {
    let lines = [message(RFC3164), b"\n".to_vec()].concat().repeat(MESSAGES);
    let counted = [b"200 ".to_vec(), message(RFC3164)].concat().repeat(MESSAGES);
    for (name, stream) in
        [("framing: LF, into records", &lines), ("framing: octet-counted, into records", &counted)]
    {
        let pool = Arc::new(Pool::default());
        let mut builder = Builder::new(Arc::clone(&pool));
        let sender = Arc::new(Sender::local(Arc::new(InputInfo::default()), b"sender"));
        report(name, 15, || {
            let start = builder.bytes().len();
            builder.bytes().append(stream);
            let time = timed(|| {
                builder.decode(start, |input, appender| {
                    let mut frames = Frames { appender, sender: &sender };
                    Decoder::default().feed(&Options::default(), input, &mut frames);
                });
            });
            let batch = builder.seal();
            assert_eq!(batch.len(), MESSAGES);
            pool.give(batch);
            time
        });
    }
}

/// What imtcp does with frames, less its counters.
struct Frames<'a, 'b> {
    appender: &'a mut Appender<'b>,
    sender: &'a Arc<Sender>,
}

impl Sink for Frames<'_, '_> {
    fn frame(&mut self, range: std::ops::Range<usize>, _oversize: bool) {
        self.appender.frame(range, 0, self.sender, NETWORK);
    }

    fn joined(&mut self, head: &[u8], _tail: std::ops::Range<usize>, _oversize: bool) {
        self.appender.joined(head, &[], 0, self.sender, NETWORK);
    }

    fn fault(&mut self, _fault: Fault) {}
}

/// A batch of a thousand messages.
fn sample(header: &str) -> Batch {
    let text = message(header);
    batch(std::iter::repeat_n(text.as_slice(), MESSAGES), NETWORK)
}

fn parse() {
    for (name, header) in [("parse: RFC 3164", RFC3164), ("parse: RFC 5424", RFC5424)] {
        let (mut batch, options) = (sample(header), ParserOptions::default());
        report(name, 50, || timed(|| parse_all(&mut batch, &options)));
    }
}

/// Runs `each` for every message of a parsed batch.
fn report_messages(name: &str, budget: u32, mut each: impl FnMut(&Msg<'_>)) {
    let mut batch = sample(RFC3164);
    parse_all(&mut batch, &ParserOptions::default());
    let env = env_of_bench();
    report(name, budget, || {
        timed(|| {
            for index in 0..batch.len() {
                each(&Msg::at(&batch, index, &env).expect("a message"));
            }
        })
    });
}

fn env_of_bench() -> Env {
    Env {
        now: 0,
        zone: Zone::UTC,
        hostname: b"here".to_vec().into(),
        uptime: 0,
        globals: Arc::default(),
    }
}

fn filter() {
    let mut scratch = Scratch::default();
    let mut mask = [0xff; 25];
    mask[4] = 0;
    let selector = Filter::selector(&mask);
    report_messages("rules: selector", 10, |msg| {
        black_box(selector.matches(msg, &mut scratch));
    });
    for (name, property, op, value) in [
        ("rules: :hostname, isequal, …", "hostname", PropOp::IsEqual, &b"host-18.example.org"[..]),
        ("rules: :programname, startswith, …", "programname", PropOp::StartsWith, b"app"),
        ("rules: :msg, contains, … (148 bytes, no match)", "msg", PropOp::Contains, b"needle"),
    ] {
        let mut compiler = Compiler::default();
        let property = Variable::Property(property.to_owned());
        let filter = Filter::property(&mut compiler, &property, op, false, value, Span::default());
        assert!(compiler.diagnostics.is_empty(), "{:?}", compiler.diagnostics);
        report_messages(name, 10, |msg| {
            black_box(filter.matches(msg, &mut scratch));
        });
    }
}

fn render() {
    let file_format = "%TIMESTAMP:::date-rfc3339% %HOSTNAME% %syslogtag%%msg:::sp-if-no-1st-sp%%msg:::drop-last-lf%\n";
    let traditional =
        "%TIMESTAMP% %HOSTNAME% %syslogtag%%msg:::sp-if-no-1st-sp%%msg:::drop-last-lf%\n";
    for (name, text) in [
        ("render: RSYSLOG_FileFormat", file_format),
        ("render: RSYSLOG_TraditionalFileFormat", traditional),
    ] {
        let content = Content::String { text: text.as_bytes(), legacy: false };
        let template = Template::compile("t", &content, TemplateOptions::default(), &mut |_, _| {})
            .expect("compiles");
        let mut out = Vec::new();
        report_messages(name, 60, |msg| {
            if out.len() > 1 << 18 {
                out.clear();
            }
            template.render(msg, &mut out);
        });
        black_box(&out);
    }
}

/// What omsendertrack adds to a message, and what a million senders cost.
fn senders() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut args = Args::defaults(&[sendertrack::KIND.module.params]);
    args.set("senderId", Value::Str(b"%hostname%".to_vec()));
    let path = dir.path().join("state").into_os_string().into_encoded_bytes();
    args.set("stateFile", Value::Str(path));
    let (files, tasks) = (RefCell::default(), Tasks::default());
    let env = OutputEnv {
        name: "bench",
        files: &files,
        template: &|_| None,
        report: &|problem| panic!("{problem:?}"),
        stats: Arc::default(),
        tasks: &tasks,
        reentries: &Default::default(),
        message_bytes: 8096,
        ip_protocol: sluice::sys::socket::IpProtocol::Unspecified,
        own_defaults: false,
        child_exits: Default::default(),
        secure: sluice::param::SecureDefaults::Compatible,
        tls: &Default::default(),
        send_to_all: false,
    };
    let before = resident_kib();
    let output = (sendertrack::KIND.build)(&args, &Args::default(), &env);
    let mut worker = output.map_err(|why| format!("{why:?}")).expect("an action").worker();
    let mut round = |hosts: &mut dyn Iterator<Item = usize>| {
        let texts: Vec<_> = hosts
            .take(MESSAGES)
            .map(|n| {
                message(&format!(
                    "<13>Oct 11 22:14:15 10.{}.{}.{} a: ",
                    n >> 16,
                    n >> 8 & 255,
                    n & 255
                ))
            })
            .collect();
        let mut batch = batch(texts.iter().map(Vec::as_slice), NETWORK);
        parse_all(&mut batch, &ParserOptions::default());
        let env = env_of_bench();
        timed(|| {
            for index in 0..batch.len() {
                let msg = Msg::at(&batch, index, &env).expect("a message");
                worker.push(&msg, &mut |_, _| {}).expect("taken");
            }
            worker.commit(&mut |_, _| {}).expect("counted");
        })
    };
    report("omsendertrack: one sender", 60, || round(&mut std::iter::repeat(0)));
    report("omsendertrack: 1,000 senders", 60, || round(&mut (0..1000)));
    // Far apart, so that no two messages find their sender in the cache.
    let spread = |n: usize| n.wrapping_mul(7919 * 1_000_003) % 1_000_000;
    let mut at = 0..;
    report("omsendertrack: a million new senders", 0, || round(&mut at.by_ref().map(spread)));
    let grown = resident_kib();
    let mut at = 0..;
    report("omsendertrack: a million known senders", 0, || round(&mut at.by_ref().map(spread)));
    for mut task in tasks.take() {
        task.start();
        let time = timed(|| task.run());
        println!(
            "omsendertrack: a million senders take {} MiB; their file {:.2} s and up to {} MiB more",
            (grown - before) / 1024,
            time.as_secs_f64(),
            (resident_peak_kib() - grown) / 1024
        );
    }
}

fn resident_kib() -> usize {
    status("VmRSS:")
}

fn resident_peak_kib() -> usize {
    status("VmHWM:")
}

fn status(field: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("field");
    line.trim().trim_end_matches(" kB").parse().expect("number")
}

/// A table of a hundred thousand texts, looked up in no order, and one of expressions, where a key that none of them
/// matches is compared with each.
fn lookup() {
    const ROWS: usize = 100_000;
    const EXPRESSIONS: usize = 1000;
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, kind: &str, rows: Vec<String>| {
        let text = format!(r#"{{"version":1,"type":"{kind}","table":[{}]}}"#, rows.join(","));
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("written");
        Lookup::new(name.to_owned(), path, false)
    };
    let key = |n: usize| format!("host-{n:06}.example.org");
    let row = |n| format!(r#"{{"index":"{}","value":"site {}"}}"#, key(n), n % 1000);
    let texts = write("texts", "string", (0..ROWS).map(row).collect());
    let load = |table: &Lookup| timed(|| assert!(table.load(&mut |problem| panic!("{problem:?}"))));
    report_once("lookup: load 100,000 texts", 500, || load(&texts));
    // Neighbours in this order are no neighbours in the table's file.
    let keys: Vec<_> = (0..ROWS).map(|n| key(n * 61_803 % ROWS)).collect();
    for (name, in_use) in [
        ("lookup: 100,000 texts, 1,000 of them in use", MESSAGES),
        ("lookup: 100,000 texts, all in turn", ROWS),
    ] {
        let mut rounds = keys[..in_use].chunks_exact(MESSAGES).cycle();
        report(name, 100, || {
            let keys = rounds.next().unwrap_or_default();
            timed(|| {
                for key in keys {
                    black_box(texts.with(|table| table.text(key.as_bytes()).len()));
                }
            })
        });
    }
    let row = |n| format!(r#"{{"regex":"^user-{n} [a-z]+","tag":"site {n}"}}"#);
    let expressions = write("expressions", "regex", (0..EXPRESSIONS).map(row).collect());
    load(&expressions);
    let mut keys = keys.iter().cycle();
    report("lookup: each of 1,000 expressions", 100, || {
        let key = keys.next().map_or(&b""[..], |key| key.as_bytes());
        timed(|| black_box(expressions.with(|table| table.text(key).len())))
    });
}

/// Ten thousand lines through `sluiced -N1`, from start to end.
fn configuration() {
    const LINES: usize = 10_000;
    let dir = tempfile::tempdir().expect("a directory");
    let block = |n: usize| {
        format!(
            r#"template(name="t{n}" type="string" string="%timestamp% %hostname% %msg% {n}\n")
# where the messages of program {n} go
local{}.*;mail.none /var/log/f{n};t{n}
:msg, contains, "word {n}" /var/log/g{n}
ruleset(name="r{n}") {{
    action(type="omfile" file="/var/log/h{n}" template="t{n}")
}}
if $programname == "prog{n}" and ($msg contains "x{n}" or $syslogseverity < {}) then {{
    set $!v{n} = "x" & $hostname;
    call r{n}
}}
"#,
            n % 8,
            n % 7
        )
    };
    let text: String = (0..).map(block).take(LINES / 10).collect();
    let path = dir.path().join("conf");
    std::fs::write(&path, text).expect("written");
    report_once("configuration: 10,000 lines", 300, || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluiced"));
        command.arg("-N1").arg("-f").arg(&path).stderr(Stdio::null());
        timed(|| assert!(command.status().expect("sluiced runs").success()))
    });
}

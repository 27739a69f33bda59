//! Documents: lines over TCP into a file of ECS documents, and into a bulk sink. The reference does what comes
//! nearest to it: syslog over TCP, its JSON template, its omelasticsearch.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::frames::{self, Framing};
use crate::meter::{Growth, Subject, wait_until};
use crate::report::{Bar, Metric};
use crate::scenarios::{Load, Run, mib, nanos_each, thousands_per_second};
use crate::tcp;

/// 300,000 messages/s per core.
pub(crate) const TO_FILE: &[Metric] = &[
    Metric::new("CPU per message", "ns").bar(Bar::AtMost(3333.0)),
    Metric::new("messages per second", "k"),
    Metric::new("peak memory", "MiB"),
];
/// 100,000 messages/s.
pub(crate) const TO_SINK: &[Metric] = &[
    Metric::new("CPU per message", "ns"),
    Metric::new("messages per second", "k").bar(Bar::AtLeast(100.0)),
    Metric::new("peak memory", "MiB"),
];

const CONNECTIONS: usize = 64;
/// Bytes of a document beside its message: what ours says about the machine, the peer and the data stream.
const OTHER_BYTES: usize = 800;
const PATIENCE: Duration = Duration::from_secs(60);

fn is_reference(program: &Path) -> bool {
    program.file_name().is_some_and(|name| name == "rsyslogd")
}

fn config(program: &Path, action: &str) -> String {
    let input = if is_reference(program) { "imtcp" } else { "imrawtcp" };
    let others = "x".repeat(OTHER_BYTES);
    format!(
        r#"global(net.enableDNS="off")
module(load="{input}")
module(load="omelasticsearch")
input(type="{input}" port="0" address="127.0.0.1" listenPortFileName="{{dir}}/port")
template(name="json" type="string" string="{{\"message\":\"%msg:::json%\",\"host\":\"%hostname:::json%\",\"others\":\"{others}\"}}")
template(name="line" type="string" string="{{\"message\":\"%msg:::json%\",\"host\":\"%hostname:::json%\",\"others\":\"{others}\"}}\n")
{action}
"#
    )
}

/// TCP to a file of documents.
pub(crate) fn file(program: &Path, load: Load) -> Run {
    let template = if is_reference(program) { "line" } else { "SLUICE_ECS" };
    let action = format!(r#"action(type="omfile" file="{{dir}}/out" template="{template}")"#);
    run(program, load, &action, |subject, messages, flood| {
        let mut growth = Growth::new(subject.output());
        std::thread::scope(|scope| {
            scope.spawn(flood);
            growth.wait(messages as u64, PATIENCE)
        })
    })
}

/// TCP to a local bulk sink, without compression.
pub(crate) fn bulk(program: &Path, load: Load) -> Run {
    bulk_with(program, load, 0)
}

/// The same, compressed.
pub(crate) fn bulk_gzip(program: &Path, load: Load) -> Run {
    bulk_with(program, load, 1)
}

fn bulk_with(program: &Path, load: Load, level: u32) -> Run {
    let (port, stored) = sink();
    let how = if is_reference(program) {
        r#"bulkMode="on" template="json" searchIndex="bench""#.to_owned()
    } else {
        format!(r#"dataStream="on" compressionLevel="{level}""#)
    };
    let action = format!(
        r#"action(type="omelasticsearch" server="127.0.0.1" serverport="{port}" {how} queue.type="LinkedList"
       queue.size="50000" queue.dequeueBatchSize="1600" queue.timeoutEnqueue="60000" action.resumeRetryCount="-1")"#
    );
    run(program, load, &action, |_, messages, flood| {
        std::thread::scope(|scope| {
            scope.spawn(flood);
            wait_until(PATIENCE, || stored.load(Ordering::Relaxed) >= messages as u64);
        });
        (stored.load(Ordering::Relaxed), Instant::now())
    })
}

fn run(
    program: &Path,
    load: Load,
    action: &str,
    wait: impl Fn(&Subject, usize, Flood<'_>) -> (u64, Instant),
) -> Run {
    let each = load.messages / CONNECTIONS;
    let messages = each * CONNECTIONS;
    let frames: Vec<_> =
        (0..CONNECTIONS).map(|index| frames::render(Framing::Lf, index, each)).collect();
    let mut subject = Subject::start(program, &config(program, action));
    let streams = tcp::connect(subject.daemon.port("port"), CONNECTIONS);
    let cpu_before = subject.daemon.cpu_time();
    let start = Instant::now();
    let flood: Flood<'_> = Box::new(|| tcp::flood(streams, &frames));
    let (arrived, end) = wait(&subject, messages, flood);
    let cpu = subject.daemon.cpu_time() - cpu_before;
    let peak = mib(subject.daemon.status_field("VmHWM"));
    let values = vec![nanos_each(cpu, messages), thousands_per_second(messages, end - start), peak];
    let mut failures: Vec<_> = subject.stop().1.into_iter().collect();
    if arrived != messages as u64 {
        failures.push(format!("{arrived} of {messages} documents arrived"));
    }
    Run { values, failures, overtaken: 0 }
}

type Flood<'a> = Box<dyn FnOnce() + Send + 'a>;

/// A server that takes every document and counts it.
fn sink() -> (u16, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = listener.local_addr().expect("address").port();
    let stored = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&stored);
    spawn(move || {
        for stream in listener.incoming().flatten() {
            let count = Arc::clone(&count);
            spawn(move || serve(&stream, &count));
        }
    });
    (port, stored)
}

fn spawn(run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().spawn(run).expect("a thread");
}

fn serve(mut stream: &TcpStream, count: &AtomicU64) {
    let mut reader = BufReader::with_capacity(1 << 16, stream);
    let (mut body, mut plain) = (Vec::new(), Vec::new());
    loop {
        let (mut len, mut packed, mut line) = (0, false, String::new());
        loop {
            line.clear();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let text = line.trim_end().to_ascii_lowercase();
            if text.is_empty() {
                break;
            }
            if let Some(value) = text.strip_prefix("content-length: ") {
                len = value.parse().expect("a length");
            }
            packed |= text == "content-encoding: gzip";
            if text.starts_with("expect:") {
                let _ = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
        }
        body.resize(len, 0);
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let mut text = &body;
        if packed {
            plain.clear();
            let read = flate2::read::GzDecoder::new(&*body).read_to_end(&mut plain);
            read.expect("gzip");
            text = &plain;
        }
        let documents = memchr::memchr_iter(b'\n', text).count() / 2;
        let items = vec![r#"{"create":{"status":201}}"#; documents].join(",");
        let reply = format!("{{\"errors\":false,\"items\":[{items}]}}");
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", reply.len());
        if stream.write_all(&[head.as_bytes(), reply.as_bytes()].concat()).is_err() {
            return;
        }
        count.fetch_add(documents as u64, Ordering::Relaxed);
    }
}

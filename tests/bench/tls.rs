//! TLS: the scenarios that need it, and the client side on OpenSSL.
//!
//! What a run sends is encrypted before the clock starts, so that the generator costs no more than without TLS.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use openssl::ssl::{Ssl, SslContext, SslMethod, SslSessionCacheMode, SslStream, SslVerifyMode};
use tempfile::TempDir;

use crate::frames::{self, Framing};
use crate::handshake::Client;
use crate::harness::pki::{Identity, Wanted};
use crate::meter::{Growth, Subject, pause, wait_until};
use crate::report::{Bar, Metric};
use crate::scenarios::{
    Load, PATIENCE, Run, Scenario, mib, nanos_each, p99, probe_delays, thousands_per_second,
};
use crate::tcp;

pub(crate) const STREAM: Scenario = Scenario {
    name: "tls-64",
    title: "TLS 1.3, 64 connections, LF frames, records of 4 KiB",
    metrics: &[
        Metric::new("CPU per message", "ns").bar(Bar::Cost(3.0)),
        Metric::new("messages per second", "k").bar(Bar::Speed(3.0)),
        Metric::new("peak memory", "MiB"),
    ],
    run: |program, load| stream(program, load, 64),
};

const OF_HANDSHAKES: &[Metric] = &[
    Metric::new("handshakes per second", "").bar(Bar::Speed(1.5)),
    Metric::new("CPU per handshake", "µs"),
];

pub(crate) const HANDSHAKES: Scenario = Scenario {
    name: "tls-handshakes",
    title: "TLS 1.3, full handshakes (RSA 2048), 4 clients one after the other each, a line each",
    metrics: OF_HANDSHAKES,
    run: |program, load| handshakes(program, load, "rsa"),
};

pub(crate) const EC_HANDSHAKES: Scenario = Scenario {
    name: "tls-handshakes-ec",
    title: "TLS 1.3, full handshakes (ECDSA P-256), otherwise the same",
    metrics: OF_HANDSHAKES,
    run: |program, load| handshakes(program, load, "ec"),
};

pub(crate) const IDLE: Scenario = Scenario {
    name: "tls-idle",
    title: "TLS 1.3, 2,000 idle sessions",
    metrics: &[Metric::new("resident memory", "MiB").bar(Bar::Cost(2.0))],
    run: idle,
};

pub(crate) const STOPPED: Scenario = Scenario {
    name: "tls-stopped",
    title: "TLS 1.3, 50 clients stopped in their handshake, one sends 10 messages/s",
    metrics: &[Metric::new("p99 send to line in file", "ms").bar(Bar::AtMost(50.0))],
    run: stopped,
};

/// The server's certificates and keys, `rsa` and `ec`, made once.
fn certificates() -> &'static Path {
    static DIR: OnceLock<TempDir> = OnceLock::new();
    let make = || {
        let dir = tempfile::Builder::new().prefix("sluice-bench-").tempdir().expect("temp dir");
        let root = Identity::root("bench");
        root.write(dir.path(), "ca");
        let server = |rsa| root.issue(&Wanted { rsa, ..Wanted::name("localhost") });
        server(true).write(dir.path(), "rsa");
        server(false).write(dir.path(), "ec");
        dir
    };
    DIR.get_or_init(make).path()
}

fn config(certificate: &str) -> String {
    let dir = certificates().display();
    format!(
        r#"global(net.enableDNS="off" defaultNetstreamDriverCAFile="{dir}/ca.pem"
  defaultNetstreamDriverCertFile="{dir}/{certificate}.pem" defaultNetstreamDriverKeyFile="{dir}/{certificate}.key")
module(load="imtcp" maxSessions="5000" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="anon")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{{dir}}/port")
action(type="omfile" file="{{dir}}/out")
"#
    )
}

/// A socket whose writes can be kept.
#[derive(Debug)]
struct Wire {
    stream: TcpStream,
    kept: Option<Vec<u8>>,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.kept {
            Some(kept) => {
                kept.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            None => self.stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn context() -> SslContext {
    let mut builder = SslContext::builder(SslMethod::tls_client()).expect("context");
    builder.set_verify(SslVerifyMode::NONE);
    builder.set_session_cache_mode(SslSessionCacheMode::OFF);
    builder.build()
}

fn connect(context: &SslContext, port: u16) -> io::Result<SslStream<Wire>> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let wire = Wire { stream, kept: None };
    let mut stream = SslStream::new(Ssl::new(context)?, wire)?;
    stream.connect().map_err(io::Error::other)?;
    Ok(stream)
}

fn stream(program: &Path, load: Load, connections: usize) -> Run {
    /// Bytes of one record.
    const RECORD: usize = 4096;
    let each = load.messages / connections;
    let mut subject = Subject::start(program, &config("rsa"));
    let port = subject.daemon.port("port");
    let context = context();
    let (mut sockets, mut sessions) = (Vec::new(), Vec::new());
    let mut bytes = Vec::new();
    for index in 0..connections {
        let mut stream = connect(&context, port).expect("handshake");
        stream.get_mut().kept = Some(Vec::new());
        for record in frames::render(Framing::Lf, index, each).chunks(RECORD) {
            stream.write_all(record).expect("encrypt");
        }
        let _ = stream.shutdown();
        bytes.push(stream.get_mut().kept.take().expect("kept"));
        sockets.push(stream.get_ref().stream.try_clone().expect("clone"));
        // The goodbye ends the stream. The socket stays open: closing it with something unread would be a reset.
        sessions.push(stream);
    }
    let messages = each * connections;
    let cpu_before = subject.daemon.cpu_time();
    let start = Instant::now();
    let mut growth = Growth::new(subject.output());
    let (_, end) = std::thread::scope(|scope| {
        scope.spawn(|| tcp::flood(sockets, &bytes));
        growth.wait(messages as u64, PATIENCE)
    });
    let cpu = subject.daemon.cpu_time() - cpu_before;
    drop(sessions);
    let peak = mib(subject.daemon.status_field("VmHWM"));
    let values = vec![nanos_each(cpu, messages), thousands_per_second(messages, end - start), peak];
    let (dir, complaint) = subject.stop();
    let content = frames::check(&dir.path().join("out"), connections, each);
    let failures = content.failures.into_iter().chain(complaint).collect();
    Run { values, failures, overtaken: content.overtaken }
}

fn handshakes(program: &Path, load: Load, certificate: &str) -> Run {
    /// Clients at a time.
    const CLIENTS: usize = 4;
    let mut subject = Subject::start(program, &config(certificate));
    let port = subject.daemon.port("port");
    let failed = Mutex::new((0, String::new()));
    let cpu_before = subject.daemon.cpu_time();
    let start = Instant::now();
    let end = start + Duration::from_secs(load.seconds);
    // How many lines each client has sent.
    let sent: Vec<usize> = std::thread::scope(|scope| {
        let run = |index| {
            let (client, mut sent, failed) = (Client::new(port), 0, &failed);
            move || {
                while Instant::now() < end {
                    let line = format!("{}\n", frames::message(index, sent));
                    match client.say(line.as_bytes()) {
                        Ok(()) => sent += 1,
                        Err(why) => {
                            let mut failed = failed.lock().expect("lock");
                            *failed = (failed.0 + 1, why.to_string());
                        }
                    }
                }
                sent
            }
        };
        let clients: Vec<_> = (0..CLIENTS).map(|index| scope.spawn(run(index))).collect();
        clients.into_iter().map(|client| client.join().expect("client")).collect()
    });
    let sent: usize = sent.into_iter().sum();
    // Only a handshake that is complete on both sides brings its line.
    let (done, end) = Growth::new(subject.output()).wait(sent as u64, Duration::from_secs(2));
    let cpu = subject.daemon.cpu_time() - cpu_before;
    let mut failures: Vec<_> = subject.stop().1.into_iter().collect();
    let (failed, why) = failed.into_inner().expect("lock");
    if failed > 0 || done != sent as u64 {
        let lines = format!("{done} of {sent} lines arrived");
        failures
            .push(format!("{failed} handshakes failed, the last one because of: {why}; {lines}"));
    }
    let (rate, each) = (done as f64 / (end - start).as_secs_f64(), sent.max(1));
    Run { values: vec![rate, nanos_each(cpu, each) / 1e3], failures, overtaken: 0 }
}

fn idle(program: &Path, _load: Load) -> Run {
    const SESSIONS: usize = 2000;
    let mut subject = Subject::start(program, &config("rsa"));
    let port = subject.daemon.port("port");
    let context = context();
    let mut failures = Vec::new();
    let mut streams = Vec::new();
    // Each says a line, as a sender does before it falls silent.
    for index in 0..SESSIONS {
        match connect(&context, port) {
            Ok(mut stream) => {
                let line = format!("{}\n", frames::message(index, 0));
                stream.write_all(line.as_bytes()).expect("write");
                streams.push(stream);
            }
            Err(why) => failures.push(format!("session {index}: {why}")),
        }
    }
    failures.truncate(3);
    Growth::new(subject.output()).wait(SESSIONS as u64, Duration::from_secs(10));
    pause(Duration::from_secs(1));
    let values = vec![mib(subject.daemon.status_field("VmRSS"))];
    drop(streams);
    failures.extend(subject.stop().1);
    Run { values, failures, overtaken: 0 }
}

fn stopped(program: &Path, load: Load) -> Run {
    const SILENT: usize = 50;
    let mut subject = Subject::start(program, &config("rsa"));
    let port = subject.daemon.port("port");
    // The head of a record that never comes.
    let silent: Vec<_> = tcp::connect(port, SILENT)
        .into_iter()
        .map(|mut stream| stream.write_all(&[0x16, 3, 1, 2, 0, 1]).map(|()| stream))
        .collect();
    wait_until(Duration::from_secs(1), || false);
    let end = Instant::now() + Duration::from_secs(load.seconds);
    let mut failures = Vec::new();
    let delays = match connect(&context(), port) {
        Ok(probe) => probe_delays(probe, &subject.output(), end),
        Err(why) => {
            failures.push(format!("the light sender was not let in: {why}"));
            Vec::new()
        }
    };
    drop(silent);
    failures.extend(subject.stop().1);
    Run { values: vec![p99(delays)], failures, overtaken: 0 }
}

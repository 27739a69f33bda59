//! The server over sockets: what it answers, and what it puts up with.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::*;
use crate::limits;
use crate::param::Value;
use crate::stats::Object;

/// A running server.
struct Bench {
    address: SocketAddr,
    stats: Arc<Set>,
    running: Option<RunningHttp>,
}

impl Bench {
    fn new() -> Self {
        let mut args = Args::defaults(&[super::super::MODULE.module_params]);
        args.set("http.listen", Value::Str(b"127.0.0.1:0".to_vec()));
        let mut http = Http::new(&args).expect("right").expect("wanted");
        http.open().expect("bound");
        let address = http.socket.as_ref().expect("bound").local_addr().expect("an address");
        let stats = Arc::new(Set::default());
        let running = http.start(Arc::clone(&stats)).expect("a thread");
        Self { address: address.as_socket().expect("TCP"), stats, running }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(300))).expect("set");
        stream
    }

    /// The answer to these bytes.
    fn ask(&self, request: &[u8]) -> String {
        let mut stream = self.connect();
        // It may be refused before all of it is sent.
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        String::from_utf8(answer).expect("UTF-8")
    }

    fn get(&self, target: &str) -> String {
        self.ask(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
            running.join();
        }
    }
}

fn status(answer: &str) -> &str {
    answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).unwrap_or(answer)
}

#[test]
fn every_path_answers() {
    let bench = Bench::new();
    let mut queue = Object::new("main Q", "core.queue");
    let size = queue.gauge("size");
    queue.gauge("size.high").set(8);
    queue.counter("enqueued");
    bench.stats.add(queue);
    for (path, kind, text) in [
        ("/", "text/html", "<title>sluice</title>"),
        ("/metrics", "text/plain; version=0.0.4", "sluice_core_queue_size{object=\"main Q\"} 0\n"),
        ("/stats.json", "application/json", "\"name\":\"main Q\""),
        ("/senders.json?top=5", "application/json", "\"tables\":[]"),
        ("/healthz", "text/plain", "\r\n\r\nok\n"),
        ("/readyz", "text/plain", "\r\n\r\nready\n"),
    ] {
        let answer = bench.get(path);
        assert_eq!(status(&answer), "200", "{answer}");
        assert!(
            answer.contains(&format!("Content-Type: {kind}")) && answer.contains(text),
            "{answer}"
        );
    }
    size.set(8);
    let answer = bench.get("/readyz");
    assert_eq!(status(&answer), "503");
    assert!(answer.contains("queue \"main Q\" holds 8 messages; its high mark is 8\n"), "{answer}");
    assert_eq!(status(&bench.get("/healthz")), "200");
}

#[test]
fn the_page_loads_nothing_from_elsewhere() {
    let answer = Bench::new().get("/");
    let page = answer.replace("http://www.w3.org/2000/svg", "");
    assert!(
        !page.contains("http:") && !page.contains("https:") && !page.contains("//cdn"),
        "{page}"
    );
    assert!(page.contains("Content-Security-Policy: default-src 'none';"));
    assert!(!page.contains("innerHTML"), "names of senders are text, never markup");
}

#[test]
fn paths_are_what_they_are() {
    let bench = Bench::new();
    for path in [
        "/nothing",
        "//",
        "/metrics/",
        "/../metrics",
        "/./metrics",
        "/%6detrics",
        "/metrics%00",
        "/Metrics",
        "*",
        "http://localhost/metrics",
        "/etc/passwd",
        "/../../../../etc/passwd",
        "/metrics#x",
    ] {
        assert_eq!(status(&bench.get(path)), "404", "{path}");
    }
}

#[test]
fn what_is_no_get_is_refused() {
    let bench = Bench::new();
    for (method, wanted) in [
        ("POST", "405"),
        ("HEAD", "405"),
        ("PUT", "405"),
        ("DELETE", "405"),
        ("CONNECT", "405"),
        ("BREW", "405"),
    ] {
        let answer =
            bench.ask(format!("{method} / HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
        assert_eq!(status(&answer), wanted, "{method}");
        assert!(answer.contains("\r\nAllow: GET\r\n"));
    }
    assert_eq!(status(&bench.ask(b"\x16\x03\x01\x02\x00")), "400");
    assert_eq!(status(&bench.ask(b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")), "421");
}

/// The whole answer arrives although the server has long closed its ears.
#[test]
fn a_huge_request_gets_its_answer() {
    let bench = Bench::new();
    let head = "GET / HTTP/1.1\r\nHost: localhost\r\nX: ";
    let request = format!("{head}{}", "x".repeat(20 * limits::HTTP_REQUEST_BYTES));
    assert_eq!(status(&bench.ask(request.as_bytes())), "431");
    let request = format!("{head}y\r\n{}\r\n", "a: b\r\n".repeat(1000));
    assert_eq!(status(&bench.ask(request.as_bytes())), "431");
}

#[test]
fn a_request_may_come_byte_by_byte_and_its_sender_may_close() {
    let bench = Bench::new();
    let mut stream = bench.connect();
    stream.set_nodelay(true).expect("set");
    for byte in b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" {
        stream.write_all(&[*byte]).expect("sent");
    }
    stream.shutdown(Shutdown::Write).expect("shut down");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert_eq!(status(&answer), "200");
    let stream = bench.connect();
    stream.shutdown(Shutdown::Write).expect("shut down");
    assert_eq!((&stream).read(&mut [0; 1]).expect("closed"), 0);
}

/// A thousand clients that say nothing keep nobody out, and cost no more than the limit allows.
#[test]
fn a_thousand_silent_connections_are_bounded() {
    crate::inputs::raise_descriptor_limit();
    let bench = Bench::new();
    let silent: Vec<_> = (0..1000).map(|_| bench.connect()).collect();
    assert_eq!(status(&bench.get("/healthz")), "200");
    // The first ones had to go, with a word; the last ones are still there.
    let mut answer = String::new();
    (&silent[0]).read_to_string(&mut answer).expect("closed");
    // 408 on a machine so slow that its time was up before.
    assert!(["503", "408"].contains(&status(&answer)), "{answer}");
    let open = silent.iter().filter(|stream| {
        stream.set_nonblocking(true).expect("set");
        stream.peek(&mut [0; 1]).is_err()
    });
    assert!(open.count() <= limits::HTTP_CONNECTIONS);
}

/// Slow clients are told that their time is up.
#[test]
fn a_slow_request_ends() {
    let bench = Bench::new();
    let mut slow = bench.connect();
    slow.write_all(b"GET / HT").expect("sent");
    let mut answer = String::new();
    slow.read_to_string(&mut answer).expect("an answer");
    assert_eq!(status(&answer), "408");
}

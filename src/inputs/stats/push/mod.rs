//! `push.url`: every report also goes to a Prometheus remote-write endpoint (`spec/impstats.md` section 6).
//!
//! ```text
//! readings ─series─► labels and values ─protobuf─► WriteRequest ─snappy─► one POST per batch
//! ```
//! It runs on the control thread, before the lines are written, for at most `push.timeout.ms` for each request.
//! What fails is said and not kept: the next report has newer values.

mod http;
mod protobuf;
mod series;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::Duration;

use self::http::Endpoint;
pub(super) use self::http::TlsFiles;
use self::series::{Label, Labels};
use crate::param::{Args, Problem};
use crate::stats::Reading;

/// The push.
pub(super) struct Push {
    endpoint: Endpoint,
    labels: Labels,
    /// Most series and bytes of one request; `None` is no limit.
    most_series: Option<usize>,
    most_bytes: Option<usize>,
}

impl Push {
    /// As `push.…` say; `None` where there is no `push.url`, or what it needs is not there.
    pub(super) fn new(args: &Args, problems: &mut Vec<Problem>) -> Option<Self> {
        let url = args.text("push.url")?;
        let limit = |name| args.count(name).filter(|limit| *limit > 0);
        let timeout = args.int("push.timeout.ms").and_then(|ms| u64::try_from(ms).ok());
        let mut problem = |name, text: String| problems.push(Problem::error(text).at(name));
        let mut fixed = Vec::new();
        for label in args.array("push.labels").unwrap_or_default() {
            match Label::parse(label) {
                Some(label) => fixed.push(label),
                None => problem(
                    "push.labels",
                    format!(
                        "impstats: push.labels: '{}' is not name=value - ignored",
                        String::from_utf8_lossy(label)
                    ),
                ),
            }
        }
        let file = |name| args.str(name).map(|path| PathBuf::from(OsStr::from_bytes(path)));
        let files = TlsFiles {
            ca: file("push.tls.cafile"),
            certificate: file("push.tls.certfile"),
            key: file("push.tls.keyfile"),
            insecure: args.bool("push.tls.insecureSkipVerify"),
        };
        let timeout = Duration::from_millis(timeout.unwrap_or_default().max(1));
        match Endpoint::new(&url, &files, timeout, &mut |problem| problems.push(problem)) {
            Ok(endpoint) => Some(Self {
                endpoint,
                labels: Labels {
                    fixed,
                    instance: args.bool("push.label.instance"),
                    job: args.str("push.label.job").unwrap_or_default().to_vec(),
                    origin: args.bool("push.label.origin"),
                    name: args.bool("push.label.name"),
                },
                most_series: limit("push.batch.maxSeries"),
                most_bytes: limit("push.batch.maxBytes"),
            }),
            Err(why) => {
                problems.push(why);
                let text = "impstats: disabling push due to TLS configuration error";
                problems.push(Problem::error(text).at("push.url"));
                None
            }
        }
    }

    /// Pushes what was read at `now`, milliseconds since the epoch, from the host of this name. The first request
    /// that fails is the last one.
    pub(super) fn push(&self, objects: &[Reading], host: &[u8], now: i64) {
        for batch in self.batches(objects, host, now) {
            let body = snap::raw::Encoder::new().compress_vec(&batch);
            let sent = body
                .map_err(|why| format!("impstats_push: {why}"))
                .and_then(|body| self.endpoint.post(&body));
            if let Err(why) = sent {
                log::error!("{why}");
                log::error!("impstats: push to remote endpoint failed (will retry next interval)");
                return;
            }
        }
    }

    /// The requests, each with as many series as one may have, at least one.
    fn batches(&self, objects: &[Reading], host: &[u8], now: i64) -> Vec<Vec<u8>> {
        let (mut batches, mut batch, mut count) = (Vec::new(), Vec::new(), 0);
        self.labels.series(objects, host, &mut |labels, value| {
            let one = protobuf::time_series(labels, value, now);
            let full = self.most_series.is_some_and(|most| count >= most)
                || self.most_bytes.is_some_and(|most| batch.len() + one.len() > most);
            if full && count > 0 {
                batches.push(std::mem::take(&mut batch));
                count = 0;
            }
            batch.extend_from_slice(&one);
            count += 1;
        });
        if count > 0 {
            batches.push(batch);
        }
        batches
    }
}

#[cfg(test)]
mod tests {
    use super::super::MODULE;
    use super::*;
    use crate::param::Value;
    use crate::stats::{Object, Purpose};
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::TcpListener;

    fn text(text: &str) -> Value {
        Value::Str(text.as_bytes().to_vec())
    }

    fn checked(given: &[(&'static str, Value)]) -> (Option<Push>, Vec<Problem>) {
        let mut args = Args::defaults(&[MODULE.module_params]);
        given.iter().for_each(|(name, value)| args.set(name, value.clone()));
        let mut problems = Vec::new();
        let push = Push::new(&args, &mut problems);
        (push, problems)
    }

    fn push(given: &[(&'static str, Value)]) -> (Option<Push>, Vec<String>) {
        let (push, problems) = checked(given);
        (push, problems.into_iter().map(|problem| problem.text).collect())
    }

    fn readings() -> Vec<Reading> {
        let mut object = Object::new("main Q", "core.queue");
        object.gauge("size").set(3);
        object.counter("enqueued").add(5);
        object.counter("lost.shutdown").add(1); // ours
        vec![object.read(Purpose::Look)]
    }

    /// What a mock server got: the head and the body, unpacked; it answers with `status`.
    fn served(listener: &TcpListener, status: &str) -> (String, Vec<u8>) {
        let (socket, _) = listener.accept().expect("a connection");
        let mut reader = BufReader::new(socket);
        let (mut head, mut line) = (String::new(), String::new());
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).expect("a line");
            head.push_str(&line);
        }
        let head = head.to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        let mut body = vec![0; length.and_then(|n| n.parse().ok()).expect("a length")];
        reader.read_exact(&mut body).expect("a body");
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        reader.get_mut().write_all(answer.as_bytes()).expect("answered");
        (head, snap::raw::Decoder::new().decompress_vec(&body).expect("snappy"))
    }

    #[test]
    fn a_report_is_posted_in_batches_until_one_fails() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = listener.local_addr().expect("an address");
        let given = [
            ("push.url", text(&format!("http://{address}/api/v1/write?x=1"))),
            ("push.batch.maxSeries", Value::Int(1)),
        ];
        let (push, problems) = push(&given);
        assert_eq!(problems, Vec::<String>::new());
        let push = push.expect("a push");
        let server = crate::sys::process::spawn("server", move || {
            let first = served(&listener, "204 No Content");
            let second = served(&listener, "500 Broken");
            (first, second, listener)
        });
        push.push(&readings(), b"here", 1000);
        let ((head, body), (_, second), _listener) =
            server.expect("a thread").join().expect("served");
        assert!(head.starts_with("post /api/v1/write?x=1 http/1.1\r\n"), "{head}");
        for header in [
            "content-type: application/x-protobuf\r\n",
            "content-encoding: snappy\r\n",
            "x-prometheus-remote-write-version: 0.1.0\r\n",
            "user-agent: rsyslog-impstats\r\n",
        ] {
            assert!(head.contains(header), "{header} in {head}");
        }
        let labels: [(&[u8], &[u8]); 3] = [
            (b"__name__", b"U__core_2E_queue__main_20_Q__size__total"),
            (b"instance", b"here"),
            (b"job", b"rsyslog"),
        ];
        assert_eq!(body, protobuf::time_series(&labels, 3.0, 1000));
        assert!(second.windows(8).any(|part| part == b"enqueued"));
        assert!(push.endpoint.post(b"").is_err(), "the server is gone");
    }

    #[test]
    fn what_does_not_go_together_is_said() {
        assert!(push(&[]).0.is_none());
        let (none, problems) = push(&[("push.url", text("ftp://x"))]);
        assert!(none.is_none() && problems[0].contains("http:// or https://"), "{problems:?}");
        let url = ("push.url", text("https://localhost/w"));
        let (none, problems) = push(&[url.clone(), ("push.tls.certfile", text("/c"))]);
        assert!(none.is_none());
        assert_eq!(
            problems,
            [
                "impstats: push.tls.certfile is set but push.tls.keyfile is missing",
                "impstats: disabling push due to TLS configuration error"
            ]
        );
        let insecure = ("push.tls.insecureSkipVerify", Value::Bool(true));
        for (url, said) in [
            (url, "TLS verification disabled"),
            (("push.url", text("http://localhost/w")), "TLS options will be ignored"),
        ] {
            let (some, problems) = checked(&[url, insecure.clone()]);
            assert!(some.is_some() && problems.len() == 1 && problems[0].text.contains(said));
            // It costs nothing.
            assert!(problems[0].warning);
        }
    }
}

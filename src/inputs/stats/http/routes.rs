//! Which path is what.

use std::sync::Arc;

use super::request::{Request, Status};
use super::{documents, metrics};
use crate::limits;
use crate::stats::{Purpose, Reading, Set};
use crate::sys::clock;

/// What is served.
pub(super) struct Routes {
    stats: Arc<Set>,
    /// Whether requests must be for an address.
    pub(super) checks_host: bool,
    /// Second since when there are counters.
    started: i64,
}

/// The page.
const PAGE: &str = include_str!("page.html");

/// Senders of each kind that are shown where the request does not say how many.
const TOP: usize = 20;

impl Routes {
    pub(super) fn new(stats: Arc<Set>, checks_host: bool) -> Self {
        Self { stats, checks_host, started: clock::now_secs() }
    }

    /// The whole answer.
    pub(super) fn answer(&self, request: &Request<'_>) -> Vec<u8> {
        let json = "application/json";
        match request.path {
            "/" => document(Status::Ok, "text/html; charset=utf-8", PAGE.as_bytes()),
            "/metrics" => {
                let text = metrics::text(&self.read(), self.started);
                document(Status::Ok, "text/plain; version=0.0.4; charset=utf-8", &text)
            }
            "/stats.json" => {
                let text = documents::stats(&self.read(), self.started, clock::now_usec());
                document(Status::Ok, json, &text)
            }
            "/senders.json" => {
                let most = request.number("top", TOP, limits::HTTP_SENDERS);
                let now = clock::now_secs();
                let tables = self.stats.senders().all();
                let reports: Vec<_> = tables.iter().map(|table| table.look(most, now)).collect();
                document(Status::Ok, json, &documents::senders(&reports, now))
            }
            "/healthz" => document(Status::Ok, TEXT, b"ok\n"),
            "/readyz" => match documents::obstacles(&self.read()).as_slice() {
                [] => document(Status::Ok, TEXT, b"ready\n"),
                obstacles => {
                    let text = format!("not ready\n{}\n", obstacles.join("\n"));
                    document(Status::Unavailable, TEXT, text.as_bytes())
                }
            },
            _ => answer(Status::NotFound),
        }
    }

    fn read(&self) -> Vec<Reading> {
        self.stats.read(Purpose::Look)
    }
}

const TEXT: &str = "text/plain; charset=utf-8";

/// The answer that is nothing but its status.
pub(super) fn answer(status: Status) -> Vec<u8> {
    document(status, TEXT, format!("{}\n", status.line()).as_bytes())
}

/// An answer with a body. The page may load nothing, be framed by nobody, and talk to this server only.
fn document(status: Status, kind: &str, body: &[u8]) -> Vec<u8> {
    let allow = if status == Status::MethodNotAllowed { "Allow: GET\r\n" } else { "" };
    let mut answer = format!(
        "HTTP/1.1 {}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{allow}Connection: close\r\n\
         Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\
         Content-Security-Policy: default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
         connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\r\n",
        status.line(),
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(body);
    answer
}

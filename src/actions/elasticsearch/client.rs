//! HTTP to one of several servers. Connections are kept and used again, as long as the server keeps them.
//!
//! Servers take turns, request by request, as the reference's do. One that did not answer, or said that it cannot serve,
//! is passed over for a while, unless all are in that state.

use std::time::{Duration, Instant};

use ureq::http::HeaderMap;
use ureq::{Agent, Body, Error, RequestBuilder};

use super::conf::Conf;
use crate::limits;
use crate::tls::http;

/// What a server answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// `Retry-After` in seconds; dates are not looked at.
    pub(super) retry_after: Option<Duration>,
}

/// One worker's connections.
pub(super) struct Client {
    agent: Agent,
    /// The present one.
    server: usize,
    /// Until when each server is passed over.
    away: Vec<Option<Instant>>,
    /// Requests on the present connections.
    requests: u64,
}

/// A request's body.
#[derive(Clone, Copy)]
pub(super) struct Payload<'a> {
    pub(super) body: &'a [u8],
    pub(super) kind: &'static str,
    pub(super) is_packed: bool,
}

impl Client {
    pub(super) fn new(conf: &Conf) -> Self {
        let away = vec![None; conf.target.servers.len()];
        Self { agent: agent(conf), server: 0, away, requests: 0 }
    }

    /// The URL of `path` on the present server, for messages.
    pub(super) fn url(&self, conf: &Conf, path: &str) -> String {
        let server = conf.target.servers.get(self.server);
        format!("{}{path}", server.map_or("", |server| &server.shown))
    }

    /// The present server has answered: another one gets the next request, if they take turns.
    pub(super) fn answered(&mut self, conf: &Conf) {
        self.set_away(None);
        if conf.target.balances {
            self.next_server(Instant::now);
        }
    }

    /// The present server does not serve: turns to another one.
    pub(super) fn failed(&mut self) {
        let now = Instant::now();
        self.set_away(Some(now + limits::SERVER_REST));
        self.next_server(|| now);
    }

    fn set_away(&mut self, until: Option<Instant>) {
        if let Some(place) = self.away.get_mut(self.server) {
            *place = until;
        }
    }

    /// Turns to the next server that is not passed over, or to the next one where all are.
    fn next_server(&mut self, now: impl FnOnce() -> Instant) {
        let count = self.away.len();
        if count < 2 {
            return;
        }
        let now = now();
        let order = |step: usize| (self.server + step) % count;
        let serves = |server: &usize| self.away.get(*server).is_none_or(|a| *a <= Some(now));
        self.server = (1..=count).map(order).find(serves).unwrap_or(order(1));
    }

    /// Whether the connections were closed because they had served long enough.
    pub(super) fn rebind(&mut self, conf: &Conf) -> bool {
        let due = conf.rebind.is_some_and(|most| self.requests >= most);
        if due {
            self.agent = agent(conf);
            self.requests = 0;
        }
        self.requests += 1;
        due
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// What kept the answer from coming, with the URL.
    pub(super) fn post(
        &self,
        conf: &Conf,
        path: &str,
        payload: Payload<'_>,
    ) -> Result<Answer, String> {
        let mut request = with_headers(conf, self.agent.post(self.real_url(conf, path)))
            .header("Content-Type", payload.kind);
        if payload.is_packed {
            request = request.header("Content-Encoding", "gzip");
        }
        let describe = |why| describe(&self.url(conf, path), &why);
        let response = request.send(payload.body).map_err(describe)?;
        let (parts, mut body) = response.into_parts();
        let body = read(&mut body).map_err(describe)?;
        Ok(Answer { status: parts.status.as_u16(), body, retry_after: retry_after(&parts.headers) })
    }

    fn real_url(&self, conf: &Conf, path: &str) -> String {
        let server = conf.target.servers.get(self.server);
        format!("{}{path}", server.map_or("", |server| &server.url))
    }

    /// Asks one server after the other for its health, and stays with the first that is well.
    ///
    /// # Errors
    /// What the last one said. `failed` is called for each.
    pub(super) fn check(&mut self, conf: &Conf, failed: impl Fn()) -> Result<(), String> {
        let mut last = String::new();
        for _ in 0..conf.target.servers.len() {
            let request = with_headers(conf, self.agent.get(self.real_url(conf, HEALTH)));
            let request = request.config().timeout_global(conf.connect_timeout).build();
            let status = request.call().and_then(|response| {
                let (parts, mut body) = response.into_parts();
                read(&mut body).map(|_| parts.status.as_u16())
            });
            let url = self.url(conf, HEALTH);
            last = match status {
                Ok(200..=299) => return Ok(()),
                // An API key that may only write may not ask for health; the server is there.
                Ok(401 | 403) if conf.streams => return Ok(()),
                Ok(status) => format!("omelasticsearch: {url}: status {status}"),
                Err(why) => describe(&url, &why),
            };
            failed();
            self.failed();
        }
        Err(last)
    }
}

const HEALTH: &str = "_cat/health";

fn agent(conf: &Conf) -> Agent {
    http::agent(conf.target.tls.clone(), |config| {
        config
            .accept("application/json")
            .proxy(conf.target.proxy.clone())
            .max_idle_age(conf.target.idle)
            .timeout_connect(conf.connect_timeout)
            .timeout_global(conf.request_timeout)
    })
}

fn with_headers<B>(conf: &Conf, request: RequestBuilder<B>) -> RequestBuilder<B> {
    let headers = conf.target.headers.iter();
    headers.fold(request, |request, (name, value)| request.header(name, value))
}

fn read(body: &mut Body) -> Result<Vec<u8>, Error> {
    body.with_config().limit(limits::REPLY_BYTES).read_to_vec()
}

fn describe(url: &str, why: &Error) -> String {
    format!("omelasticsearch: {url}: {why}")
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_are_away_are_passed_over() {
        let agent = http::agent(http::Options::default(), |config| config);
        let mut client = Client { agent, server: 0, away: vec![None; 3], requests: 0 };
        let now = Instant::now();
        let visit = |client: &mut Client| {
            client.next_server(|| now);
            client.server
        };
        assert_eq!([(); 4].map(|()| visit(&mut client)), [1, 2, 0, 1]);
        client.away[2] = Some(now + limits::SERVER_REST);
        assert_eq!([(); 3].map(|()| visit(&mut client)), [0, 1, 0]);
        client.away = vec![Some(now + limits::SERVER_REST); 3];
        assert_eq!([(); 3].map(|()| visit(&mut client)), [1, 2, 0], "all are");
        client.away = vec![Some(now); 3];
        assert_eq!([(); 3].map(|()| visit(&mut client)), [1, 2, 0], "they had their rest");
    }

    #[test]
    fn a_server_says_when_to_come_back() {
        for (value, seconds) in [("7", Some(7)), (" 120 ", Some(120)), ("soon", None)] {
            let mut headers = HeaderMap::new();
            headers.insert("Retry-After", value.parse().expect("a value"));
            assert_eq!(retry_after(&headers), seconds.map(Duration::from_secs), "{value}");
        }
    }
}

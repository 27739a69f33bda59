//! HTTP to one of several servers. Connections are kept and used again, as long as the server keeps them.

use std::time::Duration;

use ureq::http::HeaderMap;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector as _, TcpConnector};
use ureq::{Agent, Body, Error};

use super::conf::Conf;
use crate::limits;
use crate::tls::http as tls;

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
    server: usize,
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
        Self { agent: agent(conf), server: 0, requests: 0 }
    }

    /// The URL of `path` on the present server.
    pub(super) fn url(&self, conf: &Conf, path: &str) -> String {
        let base = conf.servers.get(self.server).map_or("", String::as_str);
        format!("{base}{path}")
    }

    /// Turns to the next server.
    pub(super) fn next_server(&mut self, conf: &Conf) {
        self.server = (self.server + 1) % conf.servers.len().max(1);
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
        let url = self.url(conf, path);
        let mut request = self.agent.post(&url).header("Content-Type", payload.kind);
        if payload.is_packed {
            request = request.header("Content-Encoding", "gzip");
        }
        if let Some(value) = &conf.authorization {
            request = request.header("Authorization", value);
        }
        let response = request.send(payload.body).map_err(|why| describe(&url, &why))?;
        let (parts, mut body) = response.into_parts();
        let body = read(&mut body).map_err(|why| describe(&url, &why))?;
        Ok(Answer { status: parts.status.as_u16(), body, retry_after: retry_after(&parts.headers) })
    }

    /// Asks one server after the other for its health, and stays with the first that is well.
    ///
    /// # Errors
    /// What the last one said. `failed` is called for each.
    pub(super) fn check(&mut self, conf: &Conf, failed: impl Fn()) -> Result<(), String> {
        let mut last = String::new();
        for _ in 0..conf.servers.len() {
            let url = self.url(conf, "_cat/health");
            let mut request = self.agent.get(&url);
            if let Some(value) = &conf.authorization {
                request = request.header("Authorization", value);
            }
            let request = request.config().timeout_global(conf.connect_timeout).build();
            let status = request.call().and_then(|response| {
                let (parts, mut body) = response.into_parts();
                read(&mut body).map(|_| parts.status.as_u16())
            });
            last = match status {
                Ok(200..=299) => return Ok(()),
                // An API key that may only write may not ask for health; the server is there.
                Ok(401 | 403) if conf.streams => return Ok(()),
                Ok(status) => format!("omelasticsearch: {url}: status {status}"),
                Err(why) => describe(&url, &why),
            };
            failed();
            self.next_server(conf);
        }
        Err(last)
    }
}

fn agent(conf: &Conf) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(concat!("sluice/", env!("CARGO_PKG_VERSION")))
        .accept("application/json")
        .max_redirects(0)
        .proxy(None)
        .timeout_connect(conf.connect_timeout)
        .timeout_global(conf.request_timeout)
        .build();
    let connector = TcpConnector::default().chain(tls::Tls::new(conf.tls.clone()));
    Agent::with_parts(config, connector, DefaultResolver::default())
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

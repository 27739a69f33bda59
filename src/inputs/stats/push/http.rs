//! Where reports go: one POST each, by the HTTP library, with TLS for `https://`.

use std::path::PathBuf;
use std::time::Duration;

use ureq::Agent;
use ureq::http::Uri;

use crate::limits;
use crate::param::Problem;
use crate::tls::http::{Options, agent};

/// `push.tls.…`
#[derive(Clone, Debug, Default)]
pub(in super::super) struct TlsFiles {
    pub(super) ca: Option<PathBuf>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) insecure: bool,
}

/// Where reports go.
pub(super) struct Endpoint {
    url: String,
    agent: Agent,
}

impl Endpoint {
    /// The endpoint of this URL, whose requests take as long as `timeout` at most. `note` takes what does not keep it
    /// from being used.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(super) fn new(
        url: &str,
        files: &TlsFiles,
        timeout: Duration,
        note: &mut dyn FnMut(Problem),
    ) -> Result<Self, Problem> {
        let wrong = || {
            let text = format!("impstats: push.url '{url}' is not http:// or https:// with a host");
            Problem::error(text).at("push.url")
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let url = format!("{}://{rest}", scheme.to_ascii_lowercase());
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let is_secure = uri.scheme_str() == Some("https");
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let has_host = uri.host().is_some_and(|host| !host.is_empty()) && !authority.contains('@');
        let has_port = authority.len() == uri.host().map_or(0, str::len) || uri.port().is_some();
        if !(is_secure || uri.scheme_str() == Some("http")) || !has_host || !has_port {
            return Err(wrong());
        }
        if is_secure {
            files.check()?;
        }
        if let Some(text) = files.remark(&url, is_secure) {
            note(Problem::warning(text).at(files.first_given()));
        }
        let agent = agent(files.options(), |config| {
            // The next report is far away.
            config
                .user_agent("rsyslog-impstats")
                .max_idle_connections(0)
                .timeout_global(Some(timeout))
        });
        Ok(Self { url, agent })
    }

    /// Posts a request.
    ///
    /// # Errors
    /// In the reference's words: the endpoint's refusal, or what went wrong on the way.
    pub(super) fn post(&self, body: &[u8]) -> Result<(), String> {
        let request = self
            .agent
            .post(&self.url)
            .header("Content-Type", "application/x-protobuf")
            .header("Content-Encoding", "snappy")
            .header("X-Prometheus-Remote-Write-Version", "0.1.0");
        let answer = request.send(body).and_then(|answer| {
            let (parts, mut body) = answer.into_parts();
            body.with_config().limit(limits::REPLY_BYTES).read_to_vec()?;
            Ok(parts.status.as_u16())
        });
        match answer.map_err(|why| format!("impstats_push: HTTP request failed: {why}"))? {
            200..=299 => Ok(()),
            status => Err(format!("impstats_push: HTTP {status} from remote endpoint")),
        }
    }
}

impl TlsFiles {
    /// The files and their parameters.
    fn files(&self) -> [(&'static str, &Option<PathBuf>); 3] {
        [(CA, &self.ca), (CERTIFICATE, &self.certificate), (KEY, &self.key)]
    }

    /// What makes them unusable.
    fn check(&self) -> Result<(), Problem> {
        let alone = |one: &'static str, other: &str| {
            Problem::error(format!("impstats: {one} is set but {other} is missing")).at(one)
        };
        match (&self.certificate, &self.key) {
            (Some(_), None) => return Err(alone(CERTIFICATE, KEY)),
            (None, Some(_)) => return Err(alone(KEY, CERTIFICATE)),
            _ => {}
        }
        for (name, path) in self.files().into_iter().filter_map(|(n, p)| Some((n, p.as_ref()?))) {
            std::fs::File::open(path).map_err(|why| {
                let path = path.display();
                Problem::error(format!("impstats: {name} '{path}' is not readable: {why}")).at(name)
            })?;
        }
        Ok(())
    }

    /// What is worth saying about them.
    fn remark(&self, url: &str, is_secure: bool) -> Option<String> {
        let is_given = self.insecure || self.files().iter().any(|(_, path)| path.is_some());
        if is_given && !is_secure {
            let text = "impstats: push.tls.* configured but push.url is not https; TLS options will be ignored";
            return Some(text.to_owned());
        }
        self.insecure.then(|| {
            format!("impstats: TLS verification disabled for push.url '{url}' (testing only)")
        })
    }

    fn first_given(&self) -> &'static str {
        let given = self.files().into_iter().find(|(_, path)| path.is_some());
        given.map_or(INSECURE, |(name, _)| name)
    }

    fn options(&self) -> Options {
        Options {
            authorities: self.ca.clone(),
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            takes_any: self.insecure,
            ..Options::default()
        }
    }
}

const CA: &str = "push.tls.cafile";
const CERTIFICATE: &str = "push.tls.certfile";
const KEY: &str = "push.tls.keyfile";
const INSECURE: &str = "push.tls.insecureSkipVerify";

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn endpoint(url: &str) -> Result<Endpoint, Problem> {
        Endpoint::new(url, &TlsFiles::default(), Duration::from_millis(20), &mut |_| ())
    }

    #[test]
    fn urls() {
        for url in ["http://h", "http://h:9090/api", "http://[::1]:9/a", "http://[::1]/a"] {
            assert_eq!(endpoint(url).map(|endpoint| endpoint.url).ok().as_deref(), Some(url));
        }
        let upper = endpoint("HTTPS://h/w?x=1").map(|endpoint| endpoint.url);
        assert_eq!(upper.ok().as_deref(), Some("https://h/w?x=1"));
        for url in ["h:80", "ftp://h", "http://", "http://h:x/", "http://u@h/", "http://h/a b"] {
            assert!(endpoint(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_server_that_does_not_answer_costs_no_more_than_the_timeout() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = listener.local_addr().expect("an address");
        let endpoint = endpoint(&format!("http://{address}/")).expect("an endpoint");
        let why = endpoint.post(b"x").expect_err("no answer");
        assert!(why.starts_with("impstats_push: HTTP request failed: timeout"), "{why}");
    }
}

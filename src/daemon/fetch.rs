//! What `http_request()` asks web servers with: one client for all rules, which keeps connections.

use std::sync::Arc;

use ureq::Agent;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector as _, TcpConnector};

use crate::limits;
use crate::script::functions::Fetch;
use crate::tls::http::{Options, Tls};

/// The client. It connects when it is asked.
pub(super) fn fetcher() -> Arc<Fetch> {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(concat!("sluice/", env!("CARGO_PKG_VERSION")))
        .max_redirects(0)
        .proxy(None)
        .timeout_global(Some(limits::SCRIPT_REQUEST_TIME))
        .build();
    let connector = TcpConnector::default().chain(Tls::new(Options::default()));
    let agent = Agent::with_parts(config, connector, DefaultResolver::default());
    Arc::new(move |url| {
        let response = agent.get(url).call().map_err(|why| why.to_string())?;
        let mut body = response.into_body();
        let body = body.with_config().limit(limits::SCRIPT_REPLY_BYTES).read_to_vec();
        body.map_err(|why| why.to_string())
    })
}

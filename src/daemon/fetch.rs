//! What `http_request()` asks web servers with: one client for all rules, which keeps connections.

use std::sync::Arc;

use crate::limits;
use crate::script::functions::Fetch;
use crate::tls::http::{Options, agent};

/// The client. It connects when it is asked.
pub(super) fn fetcher() -> Arc<Fetch> {
    let agent = agent(Options::default(), |config| {
        config.timeout_global(Some(limits::SCRIPT_REQUEST_TIME))
    });
    Arc::new(move |url| {
        let response = agent.get(url).call().map_err(|why| why.to_string())?;
        let mut body = response.into_body();
        let body = body.with_config().limit(limits::SCRIPT_REPLY_BYTES).read_to_vec();
        body.map_err(|why| why.to_string())
    })
}

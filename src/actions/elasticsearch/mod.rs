//! omelasticsearch: documents to Elasticsearch, one by one, in bulk, or into data streams.
//!
//! ```text
//! push: meta line, document ──► text |{"create":{…}}\n{…}\n{"create":{…}}\n{…}\n|
//! commit: text, a part of it at a time ──gzip──► POST /_bulk ──► a verdict per document
//!           │ 413, 400: halves, down to the one document at fault
//!           │ a server away: the next one; all away: the action suspends, and its queue fills
//!           └ 429, 5xx, also of single documents: they stay, and are sent again after a pause that grows
//! ```
//! A document stays in the worker until the cluster has answered for it, so it may arrive twice, but not never. In
//! data streams it has an id that no other has and that stays the same over all tries: the second one is then a
//! conflict, which counts as delivered.
//!
//! - `parameters`: the table; `conf`: a checked action; `target`: servers and what goes with each request.
//! - `bulk`: documents in the form of the request; `meta`: where each goes; `ids`: their ids.
//! - `client`: HTTP.
//! - `reply`: what the cluster says; `backoff`: when to try again; `errors`: the error file.
//! - `resubmit`: documents as messages again (`retryRuleset`).
//!
//! The place for disk queues: ids are made when a document enters the worker. A queue that outlives the process has
//! to keep them with its messages.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::string_slice)]

mod backoff;
mod bulk;
mod client;
mod conf;
mod errors;
mod ids;
mod meta;
mod parameters;
mod reply;
mod resubmit;
mod target;
mod worker;

use std::sync::Arc;

use self::conf::Conf;
use self::errors::ErrorFile;
use self::resubmit::Resubmit;
use self::worker::Worker;
use super::{Output, OutputEnv, OutputKind, OutputWorker};
use crate::param::{Args, Problem};
use crate::stats::{self, Counter};

/// The omelasticsearch module.
pub static KIND: OutputKind = OutputKind { module: &parameters::MODULE, build };

fn build(args: &Args, _: &Args, env: &OutputEnv<'_>) -> Result<Arc<dyn Output>, Vec<Problem>> {
    let conf = Conf::new(args, env)?;
    let errors = conf.error_file.clone().map(ErrorFile::new);
    let mut object = stats::Object::new("omelasticsearch", "omelasticsearch");
    let counters = Counters::new(&mut object);
    let resubmit = Resubmit::new(args, env, &mut object).map_err(|problem| vec![problem])?;
    env.stats.add(object);
    Ok(Arc::new(Elasticsearch { conf, errors, counters, resubmit }))
}

/// A configured action, shared by its workers.
struct Elasticsearch {
    conf: Conf,
    errors: Option<ErrorFile>,
    counters: Counters,
    /// Where documents go that the cluster did not store, instead of being sent again.
    resubmit: Option<Resubmit>,
}

impl Output for Elasticsearch {
    fn worker(self: Arc<Self>) -> Box<dyn OutputWorker> {
        Box::new(Worker::new(self))
    }

    fn hup(&self) -> usize {
        self.errors.as_ref().map_or(0, ErrorFile::reopen)
    }

    fn close(&self) -> usize {
        if let Some(resubmit) = &self.resubmit {
            resubmit.finish();
        }
        0
    }

    fn retries_forever(&self) -> bool {
        self.conf.streams
    }
}

/// The reference's counters.
struct Counters {
    submitted: Arc<Counter>,
    /// Documents of requests that no server answered, or could not serve.
    http_failed: Arc<Counter>,
    /// Requests that no server answered, or with an error status.
    request_failed: Arc<Counter>,
    check_failed: Arc<Counter>,
    /// Requests with documents that the cluster refused for good.
    refused: Arc<Counter>,
    success: Arc<Counter>,
    /// Replies that could not be understood.
    bad: Arc<Counter>,
    duplicate: Arc<Counter>,
    /// Documents that a data stream could not take, and its failure store did.
    diverted: Arc<Counter>,
    bad_argument: Arc<Counter>,
    rejection: Arc<Counter>,
    other: Arc<Counter>,
    rebinds: Arc<Counter>,
}

impl Counters {
    fn new(object: &mut stats::Object) -> Self {
        Self {
            submitted: object.counter("submitted"),
            http_failed: object.counter("failed.http"),
            request_failed: object.counter("failed.httprequests"),
            check_failed: object.counter("failed.checkConn"),
            refused: object.counter("failed.es"),
            success: object.counter("response.success"),
            bad: object.counter("response.bad"),
            duplicate: object.counter("response.duplicate"),
            diverted: object.counter("response.failurestore"),
            bad_argument: object.counter("response.badargument"),
            rejection: object.counter("response.bulkrejection"),
            other: object.counter("response.other"),
            rebinds: object.counter("rebinds"),
        }
    }
}

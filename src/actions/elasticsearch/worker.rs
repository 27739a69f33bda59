//! One thread's end of the action: documents wait here until the cluster has answered for them.

use std::io::Write as _;
use std::ops::Range;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::backoff::Backoff;
use super::bulk::{Bulk, Fate};
use super::client::{Answer, Client, Payload};
use super::errors::Pair;
use super::ids::Ids;
use super::meta;
use super::reply::{Items, Verdict, all_stored};
use super::resubmit::Resubmit;
use super::{Counters, Elasticsearch};
use crate::actions::{Failure, Lost, OutputWorker};
use crate::limits;
use crate::message::json::{self, Case};
use crate::message::{InputInfo, Json, Msg};
use crate::sys::machine;

/// One thread's end of the action.
pub(super) struct Worker {
    output: Arc<Elasticsearch>,
    client: Client,
    bulk: Bulk,
    ids: Ids,
    backoff: Backoff,
    /// The input of the last message, and the beginning of its meta lines.
    stream: Option<(Arc<InputInfo>, Vec<u8>)>,
    /// What the requests of the present commit have made of the documents.
    fates: Vec<Fate>,
    /// Kept for its storage: a compressed body.
    packed: Vec<u8>,
    /// Kept for its storage: a text made of a message, before it is escaped.
    scratch: Vec<u8>,
    /// Whether no server may be there: it is asked for its health first.
    is_in_doubt: bool,
}

/// What one request came to.
enum Outcome {
    /// Its documents have their fates, some of which may be to stay.
    Answered,
    /// It is too large, or one of its documents breaks it.
    Refused(u16),
    /// It is to be sent again: later, and how much later the server wants it.
    Later(String, Option<std::time::Duration>),
    /// There was no answer.
    Nothing(String),
}

impl Worker {
    pub(super) fn new(output: Arc<Elasticsearch>) -> Self {
        let client = Client::new(&output.conf);
        let (first, longest) = output.conf.pauses;
        let random = u64::from_ne_bytes(machine::random_bytes());
        let backoff = Backoff::new(first, longest, random);
        Self {
            output,
            client,
            bulk: Bulk::default(),
            ids: Ids::new(),
            backoff,
            stream: None,
            fates: Vec::new(),
            packed: Vec::new(),
            scratch: Vec::new(),
            is_in_doubt: false,
        }
    }

    /// Takes in a document for a data stream.
    fn push_to_stream(&mut self, msg: &Msg<'_>) {
        let Self { output, bulk, ids, stream, scratch, .. } = self;
        let conf = &output.conf;
        let input = &msg.sender().input;
        if !stream.as_ref().is_some_and(|(known, _)| Arc::ptr_eq(known, input)) {
            *stream = Some((Arc::clone(input), meta::of_stream(conf, input)));
        }
        let start = stream.as_ref().map_or(&[][..], |(_, start)| start);
        bulk.push(
            |out| meta::write_for_stream(conf, msg, (start, ids), scratch, out),
            |out| conf.template.render(msg, out),
        );
    }

    /// One request with these documents, or one document by itself.
    fn request(&mut self, range: Range<usize>, lost: &mut Lost<'_>) -> Outcome {
        let Self { output, client, bulk, packed, .. } = self;
        let (conf, counters) = (&output.conf, &output.counters);
        if client.rebind(conf) {
            counters.rebinds.add(1);
        }
        let path = meta::path(conf, bulk, range.start);
        let body = if conf.bulk { bulk.body(range.clone()) } else { bulk.document(range.start) };
        let is_packed = conf.gzip_level > 0 && pack(body, conf.gzip_level, packed);
        let payload = Payload {
            body: if is_packed { packed } else { body },
            kind: if conf.streams {
                "application/x-ndjson"
            } else {
                "application/json; charset=utf-8"
            },
            is_packed,
        };
        let answer = match client.post(conf, &path, payload) {
            Ok(answer) => answer,
            Err(why) => {
                counters.request_failed.add(1);
                counters.http_failed.add(range.len() as u64);
                return Outcome::Nothing(why);
            }
        };
        let url = client.url(conf, &path);
        match answer.status {
            200..=299 if conf.bulk => self.judge(range, &url, &answer, lost),
            200..=299 => {
                self.settle(range.start);
                Outcome::Answered
            }
            409 if !conf.bulk => {
                counters.duplicate.add(1);
                self.settle(range.start);
                Outcome::Answered
            }
            status if status == 400 || status == 413 || (!conf.bulk && is_final(status)) => {
                counters.request_failed.add(u64::from(conf.bulk));
                if range.len() == 1 {
                    self.write_request(range, &url, &answer.body);
                }
                Outcome::Refused(status)
            }
            status => {
                counters.request_failed.add(1);
                counters.http_failed.add(range.len() as u64);
                let advice = match status {
                    401 | 403 => "; check uid, pwd, apikey and what they may do",
                    404 => "; check server: this is no Elasticsearch, or a path is missing",
                    _ => "",
                };
                let text = format!("omelasticsearch: {url}: status {status}{advice}");
                Outcome::Later(text, answer.retry_after)
            }
        }
    }

    /// What the reply to a bulk request says about each document.
    fn judge(
        &mut self,
        range: Range<usize>,
        url: &str,
        answer: &Answer,
        lost: &mut Lost<'_>,
    ) -> Outcome {
        let output = Arc::clone(&self.output);
        let (conf, counters) = (&output.conf, &output.counters);
        if all_stored(&answer.body, range.len()) {
            if conf.retries {
                counters.success.add(range.len() as u64);
            }
            range.for_each(|index| self.settle(index));
            return Outcome::Answered;
        }
        let Some(items) = Items::parse(&answer.body, range.len()) else {
            counters.bad.add(1);
            let text =
                format!("omelasticsearch: {url}: the reply does not answer for every document");
            return Outcome::Later(text, None);
        };
        if (0..range.len()).any(|place| items.verdict(place) != Verdict::Stored)
            && let Some(resubmit) = &output.resubmit
        {
            self.hand_back(range, &items, resubmit, lost);
            return Outcome::Answered;
        }
        let mut failed = Vec::new();
        for (place, index) in range.clone().enumerate() {
            let verdict = items.verdict(place);
            // As the reference, which counts them only if it has to look at them.
            if conf.retries {
                counters.count(verdict);
            }
            counters.diverted.add(u64::from(items.is_diverted(place)));
            match verdict {
                Verdict::Stored | Verdict::Duplicate => self.settle(index),
                Verdict::Busy(_) if conf.retries => {}
                Verdict::Busy(status) | Verdict::Refused(status) => {
                    let reason = items.reason(place);
                    let text =
                        format!("omelasticsearch: document refused with status {status}: {reason}");
                    lost(&Failure::data(REFUSED, text), self.bulk.document(index));
                    self.settle(index);
                    failed.push(place);
                }
            }
        }
        counters.refused.add(u64::from(!failed.is_empty()));
        if let (Some(errors), false) = (&output.errors, failed.is_empty()) {
            let pair = |place: &usize| Pair {
                request: self.bulk.body(range.start + place..range.start + place + 1),
                reply: items.text(*place),
            };
            match (conf.error_only, conf.interleaved) {
                (true, interleaved) => {
                    errors.write_pairs(url, failed.iter().map(pair), interleaved);
                }
                (false, true) => {
                    errors.write_pairs(url, (0..range.len()).map(|at| pair(&at)), true);
                }
                (false, false) => self.write_request(range, url, &answer.body),
            }
        }
        Outcome::Answered
    }

    /// All documents of a request as messages again, for `retryRuleset`.
    fn hand_back(
        &mut self,
        range: Range<usize>,
        items: &Items,
        resubmit: &Resubmit,
        lost: &mut Lost<'_>,
    ) {
        let output = Arc::clone(&self.output);
        let counters = &output.counters;
        let mut round = resubmit.begin();
        for (place, index) in range.enumerate() {
            counters.count(items.verdict(place));
            let document = self.bulk.document(index);
            if !round.push(self.bulk.meta(index), document, items, place) {
                counters.bad.add(1);
                counters.refused.add(1);
                let text =
                    "omelasticsearch: document cannot go to retryRuleset: it is no JSON object";
                lost(&Failure::data(REFUSED, text), document);
            }
            self.settle(index);
        }
        round.submit();
    }

    /// The whole request to the error file.
    fn write_request(&self, range: Range<usize>, url: &str, reply: &[u8]) {
        let Some(errors) = &self.output.errors else { return };
        let text = || Json::Str(reply.into());
        let reply = json::parse_whole(reply, Case::Sensitive).unwrap_or_else(text);
        let single = !self.output.conf.bulk;
        let body = if single { self.bulk.document(range.start) } else { self.bulk.body(range) };
        errors.write_request(url, body, reply);
    }

    fn settle(&mut self, index: usize) {
        if let Some(fate) = self.fates.get_mut(index) {
            *fate = Fate::Done;
        }
    }

    /// Sends the documents of a range, in halves where the cluster takes no more at once.
    fn send(&mut self, range: Range<usize>, lost: &mut Lost<'_>) -> Result<(), Failure> {
        let mut left = vec![range];
        // Each server may fail once, and one connection may have been closed while it was idle.
        let mut tries = self.output.conf.target.servers.len() + 1;
        while let Some(range) = left.pop() {
            match self.request(range.clone(), lost) {
                Outcome::Answered => self.client.answered(&self.output.conf),
                Outcome::Refused(_) if range.len() > 1 => {
                    let middle = range.start + range.len() / 2;
                    left.push(middle..range.end);
                    left.push(range.start..middle);
                }
                Outcome::Refused(status) => {
                    let text = format!("omelasticsearch: document refused with status {status}");
                    self.output.counters.refused.add(1);
                    lost(&Failure::data(REFUSED, text), self.bulk.document(range.start));
                    self.settle(range.start);
                }
                Outcome::Later(text, asked) => {
                    self.client.failed();
                    return Err(self.failure(text, asked));
                }
                Outcome::Nothing(text) => {
                    tries -= 1;
                    self.client.failed();
                    if tries == 0 {
                        self.is_in_doubt = true;
                        return Err(self.failure(text, None));
                    }
                    left.push(range);
                }
            }
        }
        Ok(())
    }

    /// A failure that passes. The action's own interval counts unless documents are retried by us.
    fn failure(&mut self, text: String, asked: Option<std::time::Duration>) -> Failure {
        let failure = Failure::suspend(SUSPENDED, text);
        if self.output.conf.retries { failure.after(self.backoff.next(asked)) } else { failure }
    }

    /// Sends all documents once.
    fn send_all(&mut self, lost: &mut Lost<'_>) -> Result<(), Failure> {
        let count = self.bulk.len();
        self.fates.clear();
        self.fates.resize(count, Fate::Stays);
        let mut sent = Ok(());
        let mut first = 0;
        while first < count && sent.is_ok() {
            let conf = &self.output.conf;
            let some = if conf.bulk { self.bulk.fitting(first, conf.max_bytes) } else { 1 };
            sent = self.send(first..first + some, lost);
            first += some;
        }
        self.bulk.retain(&self.fates);
        if self.bulk.len() < count {
            // The cluster is there.
            self.backoff.reset();
        }
        sent
    }
}

impl OutputWorker for Worker {
    fn push(&mut self, msg: &Msg<'_>, _lost: &mut Lost<'_>) -> Result<(), Failure> {
        self.output.counters.submitted.add(1);
        if self.output.conf.streams {
            self.push_to_stream(msg);
            return Ok(());
        }
        let Self { output, bulk, scratch, .. } = self;
        let conf = &output.conf;
        let write = if conf.bulk { meta::write } else { meta::write_target };
        bulk.push(|out| write(conf, msg, scratch, out), |out| conf.template.render(msg, out));
        Ok(())
    }

    fn commit(&mut self, lost: &mut Lost<'_>) -> Result<(), Failure> {
        if self.bulk.len() > 0 {
            self.send_all(lost)?;
        }
        if self.bulk.len() > 0 {
            let text = format!(
                "omelasticsearch: the cluster could not take {} documents now; they are sent again",
                self.bulk.len()
            );
            return Err(self.failure(text, None));
        }
        self.bulk.clear(limits::BATCH_BYTES * 4);
        Ok(())
    }

    fn pending(&self) -> usize {
        self.bulk.len()
    }

    fn discard(&mut self, why: &Failure, lost: &mut Lost<'_>) {
        for index in 0..self.bulk.len() {
            lost(why, self.bulk.document(index));
        }
        self.bulk.clear(limits::BATCH_BYTES * 4);
    }

    fn resume(&mut self) -> Result<(), Failure> {
        if self.is_in_doubt {
            let Self { client, output, .. } = self;
            let failed = || output.counters.check_failed.add(1);
            if let Err(text) = client.check(&output.conf, failed) {
                return Err(self.failure(text, None));
            }
            self.is_in_doubt = false;
        }
        Ok(())
    }
}

/// Return code of a document that the cluster refused.
const REFUSED: u16 = 2218;
/// Return code of an action that cannot go on for now.
const SUSPENDED: u16 = 2007;

impl Counters {
    fn count(&self, verdict: Verdict) {
        let counter = match verdict {
            Verdict::Stored => &self.success,
            Verdict::Duplicate => &self.duplicate,
            Verdict::Busy(429) => &self.rejection,
            Verdict::Refused(400) => &self.bad_argument,
            Verdict::Busy(_) | Verdict::Refused(_) => &self.other,
        };
        counter.add(1);
    }
}

/// Whether a request for one document will not be answered otherwise another time. Of credentials, load and servers
/// that may change.
fn is_final(status: u16) -> bool {
    (400..500).contains(&status) && !matches!(status, 401 | 403 | 408 | 429)
}

/// Compresses a body. It is sent as it is where that fails.
fn pack(body: &[u8], level: u32, out: &mut Vec<u8>) -> bool {
    let mut storage = std::mem::take(out);
    storage.clear();
    let mut encoder = GzEncoder::new(storage, Compression::new(level));
    let written = encoder.write_all(body);
    match encoder.finish() {
        Ok(packed) => {
            *out = packed;
            written.is_ok()
        }
        Err(_) => false,
    }
}

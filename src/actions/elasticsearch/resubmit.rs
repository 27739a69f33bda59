//! `retryRuleset`: the documents of a request that had failures become messages again, and a ruleset decides what is
//! done about each (`spec/queues-actions.md` section 10).
//!
//! As with the reference all documents of the request go there, those that were stored as well: a ruleset tells them
//! apart by `$.omes!status`, and stops at what is done.

use std::sync::Arc;

use super::reply::Items;
use crate::actions::OutputEnv;
use crate::actions::reentry::Reentry;
use crate::message::json::{self, Case, Object};
use crate::message::vars::{Assign, Globals, Path};
use crate::message::{
    Builder, FlowControl, InputInfo, Json, Labels, Scope, Sender, Submit as _, Vars, pri,
};
use crate::param::{Args, Problem};
use crate::ratelimit::{Counters, Limiter};
use crate::stats::Object as StatsObject;
use crate::sys::clock;

/// The way back, with its limit.
pub(super) struct Resubmit {
    way: Arc<Reentry>,
    limiter: Option<Limiter>,
    sender: Arc<Sender>,
}

impl Resubmit {
    /// What `retryRuleset` and `rateLimit.*` come to. A ruleset that does not exist is reported and costs nothing but
    /// itself, as in the reference.
    ///
    /// # Errors
    /// The limit's name is not to be had: costs the action.
    pub(super) fn new(
        args: &Args,
        env: &OutputEnv<'_>,
        stats: &mut StatsObject,
    ) -> Result<Option<Self>, Problem> {
        const RULESET: &str = "retryRuleset";
        let Some(name) = args.text(RULESET) else { return Ok(None) };
        if !args.bool("retryFailures") {
            let text = "omelasticsearch: retryRuleset is given, but retryFailures is off - no retry ruleset will be used";
            (env.report)(Problem::warning(text).at(RULESET).help("set retryFailures=\"on\""));
            return Ok(None);
        }
        let Some(way) = env.reentries.into_ruleset(&name) else {
            let text = format!(
                "omelasticsearch: retryruleset '{name}' not found - no retry ruleset will be used"
            );
            (env.report)(Problem::error(text).code(NOT_FOUND).at(RULESET));
            return Ok(None);
        };
        let mut problems = Vec::new();
        let limits = env.reentries.limits();
        let policy = limits.of_input(NAME, args, &mut problems)?;
        problems.into_iter().for_each(env.report);
        let counters = Counters::new(stats);
        let limiter = Limiter::new(limits, policy, NAME.to_owned(), &Arc::default(), counters);
        let input = InputInfo {
            name: NAME.as_bytes().into(),
            default_tz: None,
            preserve_case: true,
            labels: Labels::default(),
        };
        let mut sender = Sender::local(Arc::new(input), b"");
        sender.ip = Box::default();
        Ok(Some(Self { way, limiter, sender: Arc::new(sender) }))
    }

    /// A batch of messages to be handed back.
    pub(super) fn begin(&self) -> Round<'_> {
        Round { resubmit: self, builder: Builder::new(Arc::default()), now: clock::now_usec() }
    }

    /// The end: what the limit still holds back is handed on, and what it dropped is told.
    pub(super) fn finish(&self) {
        if let Some(rest) = self.limiter.as_ref().and_then(Limiter::finish) {
            self.way.submit(rest, FlowControl::None);
        }
    }
}

/// Messages under way back.
pub(super) struct Round<'a> {
    resubmit: &'a Resubmit,
    builder: Builder,
    now: i64,
}

impl Round<'_> {
    /// Adds a document: what was sent, and the item of the reply with this number. Returns whether it could be made a
    /// message.
    pub(super) fn push(
        &mut self,
        meta: &[u8],
        document: &[u8],
        reply: &Items,
        item: usize,
    ) -> bool {
        let Some(Json::Object(tree)) = json::parse_whole(document, Case::Sensitive) else {
            return false;
        };
        let Some(outcome) = outcome(meta, reply, item) else { return false };
        let mut text = Vec::new();
        match tree.get(b"message", Case::Sensitive) {
            Some(message) => message.append_to(json::Style::Spaced, &mut text),
            None => text.extend_from_slice(document),
        }
        let mut vars = Vars::of_message(Json::Object(tree));
        let place = (Scope::Local, &Path::new(b"omes"));
        vars.assign(place, outcome, Assign::Replace, &Globals::default());
        self.builder.push_own((&text, TAG), pri::INVALID, self.now, &self.resubmit.sender);
        self.builder.set_vars(vars);
        if self.builder.is_full() {
            self.submit();
        }
        true
    }

    /// Hands on what was added.
    pub(super) fn submit(&mut self) {
        if self.builder.is_empty() {
            return;
        }
        let mut batch = self.builder.seal();
        if let Some(limiter) = &self.resubmit.limiter {
            limiter.apply(&mut batch);
        }
        self.resubmit.way.submit(batch, FlowControl::None);
    }
}

/// `$.omes`: the operation, what stood beside it in the request, and what the cluster said.
fn outcome(meta: &[u8], reply: &Items, item: usize) -> Option<Json> {
    let Some(Json::Object(meta)) = json::parse_whole(meta, Case::Sensitive) else { return None };
    let (operation, Json::Object(request)) = meta.iter().next()? else { return None };
    let mut outcome = Object::default();
    outcome.set(b"writeoperation", Json::text(operation), Case::Sensitive);
    let (_, response) = reply.operation(item)?;
    for (name, value) in request.iter().chain(response.iter()) {
        if outcome.get(name, Case::Sensitive).is_none() {
            outcome.set(name, value.clone(), Case::Sensitive);
        }
    }
    Some(Json::Object(outcome))
}

const NAME: &str = "omelasticsearch";
const TAG: &[u8] = b"omes";
/// Return code of a ruleset that does not exist.
const NOT_FOUND: u16 = 3003;

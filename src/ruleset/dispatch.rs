//! The consumer of a main or ruleset queue: parses each message and runs the rules on it at once, while it is
//! in the cache; commits all actions at the end of a batch.

use std::fs::File;
use std::io::Write as _;
use std::ops::Range;
use std::sync::Arc;

use super::call::{Job, Messages, Selections};
use super::program::{Op, Rules};
use super::round::{Hostname, Round};
use super::{ActionSet, Actions};
use crate::config::{ActionId, RulesetId};
use crate::limits;
use crate::message::vars::{Assign, Globals};
use crate::message::{Amendment, Batch, Env, Flags, Json, Msg, Path, Pool, Scope, TooLarge};
use crate::parsers::{self, Headerless, Outcome, Unparsable};
use crate::queue::{Commit, Consume, Consumers};
use crate::script::Scratch;
use crate::script::value::{Room, Value};
use crate::stats::{self, Counter, Tracked};

/// How many messages that no parser takes each worker logs; then it only counts them.
const UNPARSABLE_LOGGED: u32 = 1000;

/// What the workers of all rulesets share.
pub struct Surroundings {
    rules: Arc<Rules>,
    actions: Box<Actions>,
    pool: Arc<Pool>,
    hostname: Hostname,
    globals: Arc<Globals>,
    empty: Arc<Counter>,
    unparsable: Arc<Counter>,
    /// Where messages are counted by sender, if they are.
    senders: Option<Arc<Tracked>>,
}

impl Surroundings {
    /// Registers the counters of messages that are empty and of those that no parser takes:
    /// `parsers: origin=core.parser …`.
    #[must_use]
    pub fn new(
        rules: Arc<Rules>,
        actions: Box<Actions>,
        pool: Arc<Pool>,
        hostname: Hostname,
        globals: Arc<Globals>,
        stats: &stats::Set,
    ) -> Self {
        let mut object = stats::Object::new("parsers", "core.parser");
        let empty = object.counter("discarded.empty");
        let unparsable = object.counter("unparsable");
        stats.add(object);
        Self { rules, actions, pool, hostname, globals, empty, unparsable, senders: None }
    }

    /// Counts the messages of network inputs by sender.
    #[must_use]
    pub fn tracking(mut self, senders: Option<Arc<Tracked>>) -> Self {
        self.senders = senders;
        self
    }
}

/// Counts the messages of a batch by sender.
fn track(tracked: &Tracked, batch: &Batch) {
    let mut counts = vec![(0, 0); batch.senders.len()];
    for record in &batch.records {
        if let Some((messages, last)) = counts.get_mut(usize::from(record.sender)) {
            *messages += 1;
            *last = record.received / 1_000_000;
        }
    }
    let senders = batch.senders.iter().zip(counts).filter(|(sender, _)| sender.addr().is_some());
    let named = senders.map(|(sender, (messages, last))| (sender.fromhost(), messages, last));
    tracked.record(&named.collect::<Vec<_>>());
}

/// The consumers of a queue that holds [`Job`]s.
#[must_use]
pub fn consumers(surroundings: &Arc<Surroundings>) -> Consumers<Job> {
    let surroundings = Arc::clone(surroundings);
    Box::new(move |interrupt| {
        let actions = (surroundings.actions)(interrupt);
        Box::new(Worker::new(Arc::clone(&surroundings), actions))
    })
}

/// One worker thread's part.
struct Worker {
    shared: Arc<Surroundings>,
    round: Round,
    logged: u32,
    runner: Runner,
}

/// Runs rules.
struct Runner {
    rules: Arc<Rules>,
    state: State,
}

/// Everything that changes while a message is looked at.
struct State {
    scratch: Scratch,
    /// Where to go on after the present ruleset.
    callers: Vec<(RulesetId, usize)>,
    /// What is left of the `foreach` statements under way.
    loops: Vec<std::vec::IntoIter<Json>>,
    selections: Selections,
    actions: Box<dyn ActionSet>,
    /// What a modifier changes.
    change: Amendment,
}

/// Where a message is in its rules.
struct Place {
    ruleset: RulesetId,
    at: usize,
    calls: usize,
    /// A call was not made because there have been too many.
    refused: bool,
}

impl Place {
    fn start(ruleset: RulesetId) -> Self {
        Self { ruleset, at: 0, calls: 0, refused: false }
    }
}

impl Consume<Job> for Worker {
    fn consume(&mut self, job: &mut Job, range: Range<usize>) {
        self.round.begin();
        if let Messages::Called(frozen) = &job.messages
            && self.shared.rules.modifies(job.ruleset)
        {
            let own = Messages::Received(frozen.thaw());
            if let Messages::Called(frozen) = std::mem::replace(&mut job.messages, own) {
                frozen.recycle(&self.shared.pool);
            }
        }
        match &mut job.messages {
            Messages::Received(batch) => {
                for index in range {
                    if let Some(ruleset) = self.parse(batch, index, job.ruleset) {
                        self.run(batch, index, ruleset);
                    }
                }
            }
            Messages::Called(frozen) => {
                for place in range {
                    let Some(index) = frozen.records.get(place) else { break };
                    if let Some(msg) = frozen.msg(place, self.round.env()) {
                        // Where a message may be modified, the batch was copied before.
                        self.runner.state.begin(&msg);
                        let mut place = Place::start(job.ruleset);
                        let modifier = self.runner.walk(&mut place, *index, &msg);
                        debug_assert!(modifier.is_none());
                    }
                }
            }
        }
    }

    fn finish(&mut self, job: Job) {
        let pool = &self.shared.pool;
        if let (Some(senders), Messages::Received(batch)) = (&self.shared.senders, &job.messages) {
            track(senders, batch);
        }
        match job.messages {
            Messages::Received(batch) if self.runner.wants_batch() => {
                let batch = Arc::new(batch);
                self.runner.submit(&batch, pool);
                if let Some(batch) = Arc::into_inner(batch) {
                    pool.give(batch);
                }
            }
            Messages::Received(batch) => pool.give(batch),
            Messages::Called(frozen) => {
                if self.runner.wants_batch() {
                    self.runner.submit(&frozen.batch, pool);
                }
                frozen.recycle(pool);
            }
        }
    }

    fn commit(&mut self, extent: Commit) -> bool {
        self.round.end();
        self.runner.state.actions.commit(extent)
    }
}

impl Worker {
    fn new(shared: Arc<Surroundings>, actions: Box<dyn ActionSet>) -> Self {
        let round = Round::new(Arc::clone(&shared.hostname), Arc::clone(&shared.globals));
        let state = State {
            scratch: Scratch::default(),
            callers: Vec::new(),
            loops: Vec::new(),
            selections: Selections::default(),
            actions,
            change: Amendment::default(),
        };
        let runner = Runner { rules: Arc::clone(&shared.rules), state };
        Self { shared, round, logged: 0, runner }
    }

    /// Parses a message and returns the ruleset to run on it, if any.
    fn parse(&mut self, batch: &mut Batch, index: usize, ruleset: RulesetId) -> Option<RulesetId> {
        if !is_allowed(batch, index) {
            return None;
        }
        let rules = &*self.shared.rules;
        let options = &rules.rulesets.get(ruleset.0)?.parsers;
        if let Err(code) = parsers::unpack(batch, index, options) {
            log::error!(
                "Uncompression of a message failed with return code {code} - enable debug logging if you need \
                 further information. Message ignored."
            );
        }
        match parsers::parse(batch, index, options) {
            Outcome::Parsed => Some(ruleset),
            Outcome::Headerless(how) => {
                append_to_error_file(how, batch, index);
                let other = how.ruleset.as_deref().and_then(|name| rules.find(name));
                (!how.drop).then_some(other.unwrap_or(ruleset))
            }
            Outcome::Empty => {
                self.shared.empty.add(1);
                None
            }
            Outcome::Refused => {
                self.shared.unparsable.add(1);
                self.logged += 1;
                if self.logged <= UNPARSABLE_LOGGED {
                    let raw = batch.records.get(index).map(|record| batch.bytes.get(record.raw));
                    log::error!(code = 2160; "{}", Unparsable(raw.unwrap_or_default()));
                }
                Some(ruleset)
            }
        }
    }

    fn run(&mut self, batch: &mut Batch, index: usize, ruleset: RulesetId) {
        let env = self.round.env();
        let Some(msg) = Msg::at(batch, index, env) else { return };
        if !msg.record.flags.has(Flags::DISCARDED) {
            // A batch has fewer than 2³² records.
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            self.runner.state.begin(&msg);
            let mut place = Place::start(ruleset);
            if let Some(modifier) = self.runner.walk(&mut place, index, &msg) {
                self.runner.go_on(place, modifier, index, batch, env);
            }
        }
    }
}

/// Asks for the sender's name where that decides whether the message is taken. Not done by the input, because
/// the answer may have to be waited for.
fn is_allowed(batch: &Batch, index: usize) -> bool {
    let Some(record) = batch.records.get(index) else { return false };
    if !record.flags.has(Flags::CHECK_SENDER) {
        return true;
    }
    let sender = batch.senders.get(usize::from(record.sender));
    sender.is_some_and(|sender| sender.is_allowed(record.received))
}

impl Runner {
    /// Goes on from a modifier to the end.
    fn go_on(
        &mut self,
        mut place: Place,
        mut modifier: ActionId,
        mut index: u32,
        batch: &mut Batch,
        env: &Env,
    ) {
        loop {
            index = self.state.modify(modifier, index, batch, env);
            let Some(msg) = Msg::at(batch, index as usize, env) else { return };
            let Some(next) = self.walk(&mut place, index, &msg) else { return };
            modifier = next;
        }
    }

    /// Runs a ruleset, and those it calls, on a message for which [`State::begin`] was called: up to a modifier,
    /// which is left to the caller, or to the end.
    fn walk(&mut self, place: &mut Place, index: u32, msg: &Msg<'_>) -> Option<ActionId> {
        let Self { rules, state } = self;
        let Place { mut ruleset, mut at, .. } = *place;
        let mut ops = rules.ops(ruleset);
        loop {
            let Some(op) = ops.get(at) else {
                (ruleset, at) = state.callers.pop()?;
                ops = rules.ops(ruleset);
                continue;
            };
            at += 1;
            match op {
                Op::Unless(filter, otherwise) => {
                    if !filter.matches(msg, &mut state.scratch) {
                        at = *otherwise;
                    }
                }
                Op::Jump(to) => at = *to,
                Op::Action(id) => {
                    let suspended =
                        state.actions.push(*id, index, &msg.with_vars(&state.scratch.vars));
                    state.scratch.previous_suspended = suspended;
                }
                Op::Call(_) | Op::CallIndirect(_) => {
                    let Some(callee) = state.callee(rules, op, index, msg) else { continue };
                    if state.callers.len() < limits::CALL_DEPTH && place.calls < limits::CALLS {
                        place.calls += 1;
                        state.callers.push((ruleset, at));
                        (ruleset, at) = (callee, 0);
                        ops = rules.ops(ruleset);
                    } else if !std::mem::replace(&mut place.refused, true) {
                        // Once per message.
                        log_refused(rules, callee);
                    }
                }
                Op::Modify(id) => {
                    (place.ruleset, place.at) = (ruleset, at);
                    return Some(*id);
                }
                Op::Select(callee) => state.select(*callee, index, msg),
                Op::Assign(..) | Op::Remove(_) => state.change(op, msg),
                Op::Reload(lookup, stub) => lookup.request_reload(stub.as_deref()),
                Op::Each(collection, end) => {
                    let items = collection.with_value(msg, &mut state.scratch, items);
                    if items.is_empty() {
                        at = *end;
                    } else {
                        state.loops.push(items.into_iter());
                    }
                }
                Op::Next(variable, end) => {
                    if !state.next_item(variable, msg) {
                        at = *end;
                    }
                }
                Op::Stop => return None,
            }
        }
    }

    fn wants_batch(&self) -> bool {
        !self.state.selections.is_empty() || self.state.actions.wants_batch()
    }

    fn submit(&mut self, batch: &Arc<Batch>, pool: &Pool) {
        self.state.selections.submit(batch, &self.rules, pool);
        if self.state.actions.wants_batch() {
            self.state.actions.submit(batch);
        }
    }
}

impl State {
    fn begin(&mut self, msg: &Msg<'_>) {
        self.callers.clear();
        self.loops.clear();
        self.scratch.begin(msg);
        self.actions.begin();
    }

    /// The ruleset to be run here and now, if any.
    fn callee(&mut self, rules: &Rules, op: &Op, index: u32, msg: &Msg<'_>) -> Option<RulesetId> {
        let name = match op {
            Op::Call(callee) => return Some(*callee),
            Op::CallIndirect(name) => name,
            _ => return None,
        };
        let callee = name.with_value(msg, &mut self.scratch, |value| {
            let mut room = Room::default();
            let name = String::from_utf8_lossy(value.bytes(&mut room));
            let found = rules.find(&name);
            if found.is_none() {
                log::error!(
                    code = 2157;
                    "error: CALL_INDIRECT: ruleset '{name}' cannot be found, treating as NOP"
                );
            }
            found
        })?;
        if rules.queue(callee).is_some() {
            self.select(callee, index, msg);
            return None;
        }
        Some(callee)
    }

    fn select(&mut self, callee: RulesetId, index: u32, msg: &Msg<'_>) {
        self.selections.add(callee, index, &msg.with_vars(&self.scratch.vars));
    }

    /// Has the message modified; its new place in the batch.
    fn modify(&mut self, id: ActionId, index: u32, batch: &mut Batch, env: &Env) -> u32 {
        let Some(msg) = Msg::at(batch, index as usize, env) else { return index };
        let Self { scratch, actions, change, .. } = self;
        scratch.previous_suspended = actions.modify(id, &msg, &mut scratch.vars, change);
        batch.amend(index, change).unwrap_or_else(|TooLarge| {
            log::error!(
                "a message could not be modified: more than {} bytes were changed within a batch of messages",
                limits::AMENDED_BATCH_BYTES
            );
            index
        })
    }

    /// `set`, `reset` and `unset`.
    fn change(&mut self, op: &Op, msg: &Msg<'_>) {
        let globals = &msg.env.globals;
        match op {
            Op::Assign((scope, path), value, how) => {
                let value = value.with_value(msg, &mut self.scratch, |value| value.into_json());
                self.scratch.vars.assign((*scope, path), value, *how, globals);
            }
            Op::Remove((scope, path)) => self.scratch.vars.remove((*scope, path), globals),
            _ => {}
        }
    }

    /// The next round of the innermost loop; whether there is one.
    fn next_item(&mut self, (scope, path): &(Scope, Path), msg: &Msg<'_>) -> bool {
        let (vars, globals) = (&mut self.scratch.vars, &msg.env.globals);
        if let Some(item) = self.loops.last_mut().and_then(Iterator::next) {
            vars.assign((*scope, path), item, Assign::Replace, globals);
            return true;
        }
        self.loops.pop();
        vars.remove((*scope, path), globals);
        false
    }
}

/// What `foreach` goes through: the items of a list, the members of an object as `{ "key": …, "value": … }`.
fn items(value: Value<'_>) -> Vec<Json> {
    match value {
        Value::Json(Json::Array(items)) => items,
        Value::Json(Json::Object(object)) => {
            let item = |(name, value): (&[u8], &Json)| {
                let key = (b"key".as_slice().into(), Json::text(name));
                Json::Object(
                    [key, (b"value".as_slice().into(), value.clone())].into_iter().collect(),
                )
            };
            object.iter().map(item).collect()
        }
        _ => Vec::new(),
    }
}

#[cold]
fn log_refused(rules: &Rules, callee: RulesetId) {
    let name = rules.rulesets.get(callee.0).map_or("", |ruleset| &ruleset.name);
    log::error!(
        "ruleset call nesting limit of {} reached; call to ruleset '{name}' ignored to avoid runaway \
         recursion",
        limits::CALL_DEPTH
    );
}

/// `headerless.errorfile`: the raw text and LF. Opened each time, so that it can be moved away.
#[cold]
fn append_to_error_file(how: &Headerless, batch: &Batch, index: usize) {
    let Some(path) = how.error_file.as_deref() else { return };
    let Some(record) = batch.records.get(index) else { return };
    let line = [batch.bytes.get(record.raw), b"\n"].concat();
    let file = File::options().append(true).create(true).open(path);
    if let Err(why) = file.and_then(|mut file| file.write_all(&line)) {
        log::error!("pmrfc3164: could not write to headerless.errorfile '{path}': {why}");
    }
}

#[cfg(all(test, not(loom)))]
mod tests;

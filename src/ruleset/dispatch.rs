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
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{self, Receiver, Sender};

    use super::*;
    use crate::config::{PropOp, RulesetDecl, Span, Stmt};
    use crate::message::{Builder, FlowControl, InputInfo, Part, Submit, Vars};
    use crate::parsers::{Parser, ParserOptions, Rfc3164Options};
    use crate::queue::{Queue, Settings};
    use crate::ruleset::Inlet;
    use crate::script::Environment;

    /// What a worker's actions were told.
    #[derive(Debug, PartialEq, Eq)]
    enum Told {
        /// Action and MSG.
        Push(usize, String),
        /// Messages of a frozen batch.
        Submit(Vec<String>),
        Commit,
    }

    /// Actions that report; number 9 has a queue.
    struct Reporter {
        told: Sender<Told>,
        selected: Vec<u32>,
    }

    impl ActionSet for Reporter {
        fn begin(&mut self) {}
        /// Number 8 makes MSG longer.
        fn modify(
            &mut self,
            action: ActionId,
            msg: &Msg<'_>,
            _vars: &mut Vars,
            change: &mut Amendment,
        ) -> bool {
            if action.0 == 8 {
                change.set(Part::Msg, |out| out.extend([msg.msg(), b"!"].concat()));
            }
            false
        }

        fn push(&mut self, action: ActionId, index: u32, msg: &Msg<'_>) -> bool {
            if action.0 == 9 {
                self.selected.push(index);
                return false;
            }
            let text = String::from_utf8_lossy(msg.msg()).into_owned();
            self.told.send(Told::Push(action.0, text)).unwrap();
            false
        }
        fn wants_batch(&self) -> bool {
            !self.selected.is_empty()
        }
        fn submit(&mut self, batch: &Arc<Batch>) {
            let text = |index: u32| {
                let record = &batch.records[index as usize];
                String::from_utf8_lossy(batch.bytes.get(record.msg)).into_owned()
            };
            self.told.send(Told::Submit(self.selected.drain(..).map(text).collect())).unwrap();
        }
        fn commit(&mut self, _extent: Commit) -> bool {
            self.told.send(Told::Commit).unwrap();
            true
        }
    }

    /// A daemon in small: rulesets, those with a queue named `q…`, the main queue of type Direct.
    struct Rig {
        rules: Arc<Rules>,
        main: Arc<Queue<Job>>,
        pool: Arc<Pool>,
        told: Receiver<Told>,
        stats: stats::Set,
    }

    fn rig(rulesets: Vec<(&str, Vec<Stmt>, ParserOptions)>) -> Rig {
        let (decls, parsers): (Vec<_>, Vec<_>) = rulesets
            .into_iter()
            .map(|(name, body, parsers)| {
                let queue = name.starts_with('q').then(Default::default);
                let span = Span::default();
                let name = name.to_owned();
                (RulesetDecl { name, queue, parsers: Vec::new(), body, span }, parsers)
            })
            .unzip();
        let queued: Vec<bool> = decls.iter().map(|decl| decl.queue.is_some()).collect();
        let (rules, diagnostics) = Rules::compile(&decls, parsers, Environment::default());
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        let rules = Arc::new(rules);
        let (sender, told) = mpsc::channel();
        let sender = Mutex::new(sender);
        let actions: Box<Actions> = Box::new(move |_| {
            let told = sender.lock().unwrap().clone();
            Box::new(Reporter { told, selected: Vec::new() })
        });
        let pool = Arc::new(Pool::default());
        let stats = stats::Set::default();
        let hostname = Arc::new(Mutex::new(b"me".as_slice().into()));
        let shared = Arc::new(Surroundings::new(
            Arc::clone(&rules),
            actions,
            Arc::clone(&pool),
            hostname,
            Arc::default(),
            &stats,
        ));
        let queue = |name| {
            let settings = Settings::from_args(&crate::param::Args::defaults(&[
                crate::config::tables::QUEUE_ACTION, // type Direct
            ]));
            Arc::new(Queue::new(name, settings, consumers(&shared), &stats))
        };
        let main = queue("main Q");
        rules.connect(queued.into_iter().map(|own| own.then(|| queue("q"))).collect());
        Rig { rules, main, pool, told, stats }
    }

    impl Rig {
        fn submit(&self, ruleset: &str, texts: &[&str]) {
            let mut builder = Builder::new(Arc::clone(&self.pool));
            let info = Arc::new(InputInfo::default());
            let sender = Arc::new(crate::message::Sender::local(info, b"h"));
            for text in texts {
                let span = builder.bytes().append(text.as_bytes());
                let flags = Flags::NEEDS_PARSING.with(Flags::PARSE_HOSTNAME);
                builder.push(span, 0, &sender, flags);
            }
            let ruleset = self.rules.find(ruleset).unwrap();
            let inlet = Inlet { queue: Arc::clone(&self.main), ruleset };
            inlet.submit(builder.seal(), FlowControl::None);
        }

        /// What the actions were told, as text: `0: x`, `submit x y`, `commit`.
        fn told(&self) -> Vec<String> {
            let line = |told| match told {
                Told::Push(action, text) => format!("{action}: {}", text.trim()),
                Told::Submit(texts) => format!("submit{}", texts.concat()),
                Told::Commit => "commit".to_owned(),
            };
            self.told.try_iter().map(line).collect()
        }

        fn counter(&self, object: &str, name: &str) -> u64 {
            self.stats.total(Some(object), name)
        }
    }

    fn action(n: usize) -> Stmt {
        Stmt::Action(ActionId(n))
    }

    fn call(n: usize) -> Stmt {
        Stmt::Call(RulesetId(n))
    }

    fn when(needle: &str, then: Vec<Stmt>) -> Stmt {
        Stmt::PropFilter {
            property: crate::config::ast::Variable::Property("msg".into()),
            op: PropOp::Contains,
            negate: false,
            value: needle.into(),
            then,
            span: Span::default(),
        }
    }

    fn test(needle: &str) -> crate::config::Expr {
        use crate::config::ast::{CompareOp, Expr, ExprKind, Variable};
        let at = |kind| Box::new(Expr { kind, span: Span::default() });
        let msg = at(ExprKind::Variable(Variable::Property("msg".into())));
        let text = at(ExprKind::String(needle.into()));
        *at(ExprKind::Compare(CompareOp::Contains, msg, text))
    }

    fn defaults() -> ParserOptions {
        ParserOptions::default()
    }

    #[test]
    fn statements_run_in_order_and_stop_ends_the_callers_too() {
        let chain = Stmt::If {
            arms: vec![
                (test("a"), vec![action(0)]),
                (test("b"), vec![action(1), when("c", vec![Stmt::Stop])]),
            ],
            otherwise: vec![action(2)],
        };
        let rig = rig(vec![
            ("main", vec![call(1), action(3)], defaults()),
            ("sub", vec![chain, action(4)], defaults()),
        ]);
        rig.submit("main", &["<13>t: a", "<13>t: b", "<13>t: b c", "<13>t: x"]);
        assert_eq!(
            rig.told(),
            [
                "0: a", "4: a", "3: a", "1: b", "4: b", "3: b", "1: b c", "2: x", "4: x", "3: x",
                "commit"
            ]
        );
    }

    #[test]
    fn loops_run_for_each_item_and_stop_ends_all_of_them() {
        use crate::config::ast::{CompareOp, Expr, ExprKind, Variable};
        let at = |kind| Expr { kind, span: Span::default() };
        let text = |text: &str| at(ExprKind::String(text.into()));
        let each = |name: &[u8], items, body| {
            let args = vec![text(items), text(",")];
            let collection = at(ExprKind::Function { name: "split".into(), args });
            Stmt::Foreach { variable: (Scope::Local, Path::new(name)), collection, body }
        };
        let is_b = {
            let variable = Variable::Json { tree: Scope::Local, path: b"i".to_vec() };
            let variable = Box::new(at(ExprKind::Variable(variable)));
            at(ExprKind::Compare(CompareOp::Eq, variable, Box::new(text("b"))))
        };
        let until_b = Stmt::If { arms: vec![(is_b, vec![Stmt::Stop])], otherwise: Vec::new() };
        let inner = each(b"j", "x,y", vec![action(0)]);
        let outer = |items| each(b"i", items, vec![inner.clone(), call(1), until_b.clone()]);
        let rig = rig(vec![
            ("main", vec![outer("a,c"), outer("a,b,c"), action(2)], defaults()),
            ("sub", vec![each(b"i", "c", vec![]), action(1)], defaults()),
        ]);
        rig.submit("main", &["<13>t: m", "<13>t: n"]);
        // The ruleset has taken the loop's variable away, so that nothing stops it.
        let turn = ["0: ", "0: ", "1: "];
        let of = |msg: &str| {
            let turns = turn.repeat(5).into_iter().chain(["2: "]);
            turns.map(|told| told.to_owned() + msg).collect::<Vec<_>>()
        };
        assert_eq!(rig.told(), [of("m"), of("n"), vec!["commit".to_owned()]].concat());
    }

    #[test]
    fn selectors_and_constants() {
        let mask = |severity: u8| {
            let mut mask = [0; 25];
            mask[1] = 1 << severity;
            mask
        };
        let pri = |severity, then| Stmt::PriFilter { mask: mask(severity), then };
        let always = Stmt::PriFilter { mask: [0xff; 25], then: vec![action(2)] };
        let rig = rig(vec![(
            "main",
            vec![pri(5, vec![action(0)]), pri(6, vec![action(1), Stmt::Stop]), always],
            defaults(),
        )]);
        rig.submit("main", &["<13>t: notice", "<14>t: info"]);
        assert_eq!(rig.told(), ["0: notice", "2: notice", "1: info", "commit"]);
    }

    #[test]
    fn queued_rulesets_and_actions_get_their_messages_of_the_frozen_batch() {
        let rig = rig(vec![
            ("main", vec![when("a", vec![call(1), action(9)]), action(0)], defaults()),
            ("q", vec![action(1), action(9)], defaults()),
        ]);
        rig.submit("main", &["<13>t: a1", "<13>t: b", "<13>t: a2"]);
        assert_eq!(
            rig.told(),
            [
                "0: a1",
                "0: b",
                "0: a2", // as they come
                "1: a1",
                "1: a2",
                "submit a1 a2",
                "commit", // in the ruleset's queue
                "submit a1 a2",
                "commit"
            ]
        );
    }

    #[test]
    fn calls_that_never_return_are_cut_off() {
        let straight = rig(vec![("main", vec![action(0), call(0)], defaults())]);
        straight.submit("main", &["<13>t: x"]);
        assert_eq!(straight.told().len(), limits::CALL_DEPTH + 1 + 1);

        let branching = rig(vec![("main", vec![action(0), call(0), call(0)], defaults())]);
        branching.submit("main", &["<13>t: x"]);
        assert_eq!(branching.told().len(), limits::CALLS + 1 + 1);
    }

    #[test]
    fn empty_messages_and_those_that_no_parser_takes_are_counted() {
        let only_5424 = ParserOptions { chain: vec![Parser::Rfc5424], ..defaults() };
        let rig = rig(vec![("main", vec![action(0)], only_5424)]);
        rig.submit("main", &["", "<13>t: x", "<13>1 - h a p m - ok"]);
        assert_eq!(rig.told(), ["0: <13>t: x", "0: ok", "commit"]);
        assert_eq!(rig.counter("parsers", "discarded.empty"), 1);
        assert_eq!(rig.counter("parsers", "unparsable"), 1);
    }

    #[test]
    fn headerless_messages_go_where_the_parser_says() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("errors");
        let headerless = |drop| {
            let own = Rfc3164Options {
                headerless: Some(Headerless {
                    ruleset: Some("OTHER".into()),
                    error_file: Some(path.to_str().unwrap().into()),
                    drop,
                    ..Headerless::default()
                }),
                ..Rfc3164Options::default()
            };
            ParserOptions { chain: vec![Parser::Rfc3164(own)], ..defaults() }
        };
        for (drop, want) in
            [(false, vec!["1: x", "0: y", "commit"]), (true, vec!["0: y", "commit"])]
        {
            let rig = rig(vec![
                ("main", vec![action(0)], headerless(drop)),
                ("other", vec![action(1)], defaults()),
            ]);
            rig.submit("main", &["x:x", "<13>Jan  5 03:04:05 h t: y"]);
            assert_eq!(rig.told(), want);
        }
        let written = std::fs::read_to_string(&path).unwrap();
        assert!(written.lines().all(|line| line.starts_with('x')), "{written}");
        assert_eq!(written.lines().count(), 2);
    }
}

//! One user's limiter: what of a batch may pass.
//!
//! The order is the reference's: severity and window, repetition, source. A message is parsed here only where
//! that needs it, and then not again by the rules.

use std::sync::Arc;

use super::Kit;
use super::policy::{Limits, PerSource, Policy};
use super::reduction::{Repetition, Verdict};
use super::window::{self, Window};
use crate::message::{Batch, Env, Flags, Msg, Property};
use crate::parsers::{self, Outcome, ParserOptions};
use crate::ruleset::Round;
use crate::stats::{Counter, Object};
use crate::sync::{Mutex, lock};

/// What a limiter counts, in the object of its user.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Messages beyond the burst.
    limited: Arc<Counter>,
    /// Messages held back as repetitions.
    held: Arc<Counter>,
    /// Messages submitted in their place.
    told: Arc<Counter>,
    /// Messages beyond what their source may send.
    by_source: Arc<Counter>,
}

impl Counters {
    /// Registers them.
    #[must_use]
    pub fn new(object: &mut Object) -> Self {
        Self {
            limited: object.counter("discarded.ratelimit"),
            held: object.counter("repeated.held"),
            told: object.counter("repeated.told"),
            by_source: object.counter("discarded.persource"),
        }
    }
}

/// A limiter, shared by the threads of its user.
#[derive(Debug)]
pub struct Limiter {
    /// As messages name it.
    name: String,
    policy: Arc<Policy>,
    reduce: bool,
    parsers: Arc<ParserOptions>,
    counters: Counters,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    window: Window,
    repetition: Repetition,
    round: Round,
    /// For texts that are compared.
    scratch: Vec<u8>,
}

impl Limiter {
    /// A limiter for one user of `policy`; none where nothing is ever limited. Messages are parsed by `parsers`.
    #[must_use]
    pub fn new(
        kit: &Kit,
        policy: Arc<Policy>,
        name: String,
        parsers: &Arc<ParserOptions>,
        counters: Counters,
    ) -> Option<Self> {
        if policy.is_idle() && !kit.reduce {
            return None;
        }
        let state = State {
            window: Window::default(),
            repetition: Repetition::default(),
            round: Round::new(Arc::clone(&kit.hostname), Arc::clone(&kit.globals)),
            scratch: Vec::new(),
        };
        let (parsers, state) = (Arc::clone(parsers), Mutex::new(state));
        Some(Self { name, policy, reduce: kit.reduce, parsers, counters, state })
    }

    /// Takes out of the batch what may not pass, and puts in what is told about repetitions.
    pub fn apply(&self, batch: &mut Batch) {
        let limits = self.policy.limits();
        let sources = self.policy.sources();
        if limits.interval == 0 && !self.reduce && sources.is_none() {
            return;
        }
        let mut sources = sources.as_deref().map(PerSource::open);
        let mut state = lock(&self.state);
        state.round.begin();
        let mut passed = Vec::with_capacity(batch.records.len());
        for index in 0..batch.records.len() {
            if self.reduce || limits.severity > 0 {
                self.parse(batch, index);
            }
            if limits.interval > 0 && !self.is_within(&mut state, batch, index, limits) {
                self.counters.limited.add(1);
                continue;
            }
            if self.reduce {
                let State { repetition, round, .. } = &mut *state;
                match repetition.judge(batch, index, round.env()) {
                    Verdict::Held => {
                        self.counters.held.add(1);
                        continue;
                    }
                    Verdict::Passes(told) => {
                        self.counters.told.add(u64::from(told.is_some()));
                        passed.extend(told);
                    }
                }
            }
            if let Some(sources) = &mut sources {
                if sources.needs_parsing() && self.parse(batch, index) {
                    sources.count_parse();
                }
                let State { round, scratch, .. } = &mut *state;
                let msg = Msg::at(batch, index, round.env());
                if msg.is_some_and(|msg| !sources.admits(&msg, scratch)) {
                    self.counters.by_source.add(1);
                    continue;
                }
            }
            passed.extend(batch.records.get(index).copied());
        }
        state.repetition.keep(batch);
        state.round.end();
        drop(state);
        batch.records = passed;
    }

    /// The end: tells what was dropped and returns what is still to be submitted.
    pub fn finish(&self) -> Option<Batch> {
        let mut state = lock(&self.state);
        let rest = state.repetition.finish();
        self.counters.told.add(u64::from(rest.is_some()));
        let missed = state.window.take_missed();
        drop(state);
        super::tell_missed(&self.name, missed, self.policy.limits());
        rest
    }

    /// Parses a message; whether that was still to be done. What needs more than fields (a message that goes
    /// elsewhere, or nowhere) is left for the rules to parse.
    fn parse(&self, batch: &mut Batch, index: usize) -> bool {
        let Some(before) = batch.records.get(index).copied() else { return false };
        if !before.flags.has(Flags::NEEDS_PARSING) {
            return false;
        }
        let unpacked = parsers::unpack(batch, index, &self.parsers);
        if unpacked.is_ok()
            && matches!(parsers::parse(batch, index, &self.parsers), Outcome::Parsed)
        {
            return true;
        }
        if let Some(record) = batch.records.get_mut(index) {
            *record = before;
        }
        true
    }

    fn is_within(&self, state: &mut State, batch: &Batch, index: usize, limits: Limits) -> bool {
        let Some(record) = batch.records.get(index) else { return true };
        if limits.severity > 0 && i32::from(record.severity()) < limits.severity {
            return true;
        }
        let now = record.received.div_euclid(1_000_000);
        let missed = state.window.roll(limits.interval, now);
        super::tell_missed(&self.name, missed, limits);
        match state.window.admit(limits.burst) {
            window::Verdict::Passed => true,
            window::Verdict::Dropped { first } => {
                if first {
                    self.tell_begin(batch, index, state.round.env(), &mut state.scratch);
                }
                false
            }
        }
    }

    fn tell_begin(&self, batch: &Batch, index: usize, env: &Env, scratch: &mut Vec<u8>) {
        let Some(msg) = Msg::at(batch, index, env) else { return };
        let host = String::from_utf8_lossy(msg.hostname());
        let app = String::from_utf8_lossy(msg.property(&Property::AppName, scratch));
        super::tell_begin(&self.name, &format!("{host}:{app}"));
    }
}

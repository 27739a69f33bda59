//! One user's limiter: what of a batch may pass.
//!
//! The order is the reference's: severity and window, repetition, source. A message is parsed here only where
//! that needs it, and then not again by the rules.

use std::sync::Arc;

use super::Kit;
use super::policy::{Limits, PerSource, Policy};
use super::processes::Processes;
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
        Self::named(object, "discarded.ratelimit")
    }

    /// Registers them, what is beyond the burst under the name that its object has for it.
    #[must_use]
    pub fn named(object: &mut Object, limited: &'static str) -> Self {
        Self {
            limited: object.counter(limited),
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
    /// Instead of the policy's.
    severity: Option<i32>,
    parsers: Arc<ParserOptions>,
    counters: Counters,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    windows: Windows,
    repetition: Repetition,
    round: Round,
    /// For texts that are compared.
    scratch: Vec<u8>,
}

/// Who shares a window.
#[derive(Debug)]
enum Windows {
    All(Window),
    PerProcess(Processes),
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
            windows: Windows::All(Window::default()),
            repetition: Repetition::default(),
            round: Round::new(Arc::clone(&kit.hostname), Arc::clone(&kit.globals)),
            scratch: Vec::new(),
        };
        let (parsers, state) = (Arc::clone(parsers), Mutex::new(state));
        let (reduce, severity) = (kit.reduce, None);
        Some(Self { name, policy, reduce, severity, parsers, counters, state })
    }

    /// With this severity instead of the policy's.
    #[must_use]
    pub fn from_severity(mut self, severity: i32) -> Self {
        self.severity = Some(severity);
        self
    }

    /// With a window for each process of this machine that sends; `number` shows how many.
    #[must_use]
    pub fn per_process(self, number: Arc<Counter>) -> Self {
        lock(&self.state).windows = Windows::PerProcess(Processes::new(&self.name, number));
        self
    }

    fn limits(&self) -> Limits {
        let limits = self.policy.limits();
        Limits { severity: self.severity.unwrap_or(limits.severity), ..limits }
    }

    /// Takes out of the batch what may not pass, and puts in what is told about repetitions.
    pub fn apply(&self, batch: &mut Batch) {
        self.apply_to(batch, &[]);
    }

    /// The same for messages of which `pids` says which processes sent them, one by one; 0 is not known.
    pub fn apply_to(&self, batch: &mut Batch, pids: &[i32]) {
        let limits = self.limits();
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
            let pid = pids.get(index).copied().unwrap_or(0);
            if limits.interval > 0 && !self.is_within(&mut state, (batch, index), pid, limits) {
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
        match &mut state.windows {
            Windows::All(window) => {
                super::tell_missed(&self.name, window.take_missed(), self.limits());
            }
            Windows::PerProcess(processes) => processes.finish(self.limits()),
        }
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

    fn is_within(
        &self,
        state: &mut State,
        (batch, index): (&Batch, usize),
        pid: i32,
        limits: Limits,
    ) -> bool {
        let Some(record) = batch.records.get(index) else { return true };
        if limits.severity > 0 && i32::from(record.severity()) < limits.severity {
            return true;
        }
        let now = record.received.div_euclid(1_000_000);
        let State { windows, round, scratch, .. } = state;
        let (name, window) = match windows {
            Windows::All(window) => (self.name.as_str(), window),
            Windows::PerProcess(processes) => processes.of(pid, limits),
        };
        super::tell_missed(name, window.roll(limits.interval, now), limits);
        match window.admit(limits.burst) {
            window::Verdict::Passed => true,
            window::Verdict::Dropped { first } => {
                if first {
                    Self::tell_begin(name, (batch, index), round.env(), scratch);
                }
                false
            }
        }
    }

    fn tell_begin(name: &str, (batch, index): (&Batch, usize), env: &Env, scratch: &mut Vec<u8>) {
        let Some(msg) = Msg::at(batch, index, env) else { return };
        let host = String::from_utf8_lossy(msg.hostname());
        let app = String::from_utf8_lossy(msg.property(&Property::AppName, scratch));
        super::tell_begin(name, &format!("{host}:{app}"));
    }
}

//! What is known of certificates, and the threads that find out more.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use ureq::Agent;

use super::question::{Judged, Key, Question};
use crate::limits;
use crate::net::transport::Call;
use crate::stats::{Counter, Object};
use crate::sync::{Mutex, lock};
use crate::sys::process;
use crate::tls::http;

/// What an authority says of a certificate.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// It is not revoked.
    Good,
    /// It is, with the reference's return code, or that could not be found out; the words.
    Bad(Option<u16>, String),
}

/// Counters of questions.
#[derive(Debug)]
pub struct Cells {
    queries: Arc<Counter>,
    failed: Arc<Counter>,
}

impl Cells {
    /// Adds the counters to an input's object.
    #[must_use]
    pub fn new(object: &mut Object) -> Self {
        Self {
            queries: object.counter("tls.ocsp.queries"),
            failed: object.counter("tls.ocsp.failed"),
        }
    }
}

/// A question that was asked: by how many is no matter.
#[derive(Debug)]
pub(super) struct Lookup(Mutex<Stage>);

#[derive(Debug)]
enum Stage {
    /// Under way; whom to call then.
    Asked(Calls),
    /// Until then it may be relied on.
    Answered(Answer, Instant),
}

/// Whom to call.
#[derive(Default)]
struct Calls(Vec<Call>);

impl std::fmt::Debug for Calls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.len())
    }
}

impl Lookup {
    fn new() -> Self {
        Self(Mutex::new(Stage::Asked(Calls::default())))
    }

    /// The answer, if it has come.
    pub(super) fn answer(&self) -> Option<Answer> {
        match &*lock(&self.0) {
            Stage::Asked(_) => None,
            Stage::Answered(answer, _) => Some(answer.clone()),
        }
    }

    /// Makes the call when the answer comes, or at once where it has come.
    pub(super) fn when_answered(&self, call: Call) {
        let mut stage = lock(&self.0);
        if let Stage::Asked(calls) = &mut *stage {
            return calls.0.push(call);
        }
        drop(stage);
        call();
    }

    /// Until when it need not be asked again; `None` where it is being asked.
    fn until(&self) -> Option<Instant> {
        match &*lock(&self.0) {
            Stage::Asked(_) => None,
            Stage::Answered(_, until) => Some(*until),
        }
    }

    fn settle(&self, answer: Answer, until: Instant) {
        let before = std::mem::replace(&mut *lock(&self.0), Stage::Answered(answer, until));
        if let Stage::Asked(calls) = before {
            calls.0.into_iter().for_each(|call| call());
        }
    }
}

/// Asks responders, and remembers what they said.
#[derive(Clone, Debug)]
pub struct Checker(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    agent: Agent,
    cells: Cells,
}

#[derive(Default)]
struct State {
    known: HashMap<Key, Arc<Lookup>>,
    /// Questions that no thread has taken yet.
    waiting: VecDeque<Job>,
    /// The responder of each question that a thread is asking.
    asking: Vec<String>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("asking", &self.asking).finish_non_exhaustive()
    }
}

struct Job {
    question: Question,
    lookup: Arc<Lookup>,
}

impl Checker {
    /// Nothing is known, and no thread runs.
    #[must_use]
    pub fn new(cells: Cells) -> Self {
        let agent = http::agent(http::Options::default(), |config| {
            config
                .http_status_as_error(true)
                .accept("application/ocsp-response")
                .max_idle_connections(0)
                .timeout_global(Some(limits::OCSP_PATIENCE))
        });
        Self(Arc::new(Shared { state: Mutex::default(), agent, cells }))
    }

    /// Forgets all answers.
    pub fn forget(&self) {
        lock(&self.0.state).known.clear();
    }

    /// The answer to the question, or where it will be. Does not wait.
    pub(super) fn ask(&self, question: Question) -> Arc<Lookup> {
        let now = Instant::now();
        let mut state = lock(&self.0.state);
        if let Some(lookup) = state.known.get(&question.key)
            && lookup.until().is_none_or(|until| now < until)
        {
            return Arc::clone(lookup);
        }
        let lookup = Arc::new(Lookup::new());
        if !state.make_room(now) {
            drop(state);
            let text = "OCSP: too many certificates are being asked about".to_owned();
            lookup.settle(Answer::Bad(None, text), now);
            return lookup;
        }
        state.known.insert(question.key, Arc::clone(&lookup));
        state.waiting.push_back(Job { question, lookup: Arc::clone(&lookup) });
        let job = state.next();
        drop(state);
        if let Some(job) = job {
            self.start(job);
        }
        lookup
    }

    /// Has a thread ask this, and what it finds waiting afterwards.
    fn start(&self, job: Job) {
        let shared = Arc::clone(&self.0);
        // Where there is no thread to be had the job is dropped with its closure; those who wait for it must hear of it.
        let (lookup, key) = (Arc::clone(&job.lookup), job.question.key);
        let responder = job.question.responder().to_owned();
        let started = process::spawn("ocsp", move || {
            let mut next = Some(job);
            while let Some(job) = next {
                next = shared.work(&job);
            }
        });
        if let Err(why) = started {
            let answer = Answer::Bad(None, format!("OCSP: no thread to ask with: {why}"));
            self.0.settle(
                key,
                &lookup,
                &responder,
                Judged { answer, keep: std::time::Duration::ZERO },
            );
        }
    }
}

impl Shared {
    /// Asks, and returns what to ask next.
    fn work(&self, job: &Job) -> Option<Job> {
        self.cells.queries.add(1);
        let judged = job.question.ask(&self.agent);
        self.cells.failed.add(u64::from(matches!(judged.answer, Answer::Bad(None, _))));
        self.settle(job.question.key, &job.lookup, job.question.responder(), judged);
        lock(&self.state).next()
    }

    fn settle(&self, key: Key, lookup: &Arc<Lookup>, responder: &str, judged: Judged) {
        let until = Instant::now() + judged.keep;
        let mut state = lock(&self.state);
        if let Some(place) = state.asking.iter().position(|asked| asked == responder) {
            state.asking.swap_remove(place);
        }
        // It may have been forgotten, and asked again.
        if judged.keep.is_zero() && state.known.get(&key).is_some_and(|it| Arc::ptr_eq(it, lookup))
        {
            state.known.remove(&key);
        }
        drop(state);
        lookup.settle(judged.answer, until);
    }
}

impl State {
    /// The first question that may be asked now: it counts as being asked.
    fn next(&mut self) -> Option<Job> {
        if self.asking.len() >= limits::OCSP_THREADS {
            return None;
        }
        let is_free = |job: &Job| {
            let responder = job.question.responder();
            self.asking.iter().filter(|asked| *asked == responder).count()
                < limits::OCSP_PER_RESPONDER
        };
        let place = self.waiting.iter().position(is_free)?;
        let job = self.waiting.remove(place)?;
        self.asking.push(job.question.responder().to_owned());
        Some(job)
    }

    /// Whether there is room for one more answer; the oldest ones are given up for it.
    fn make_room(&mut self, now: Instant) -> bool {
        if self.known.len() < limits::OCSP_KNOWN {
            return true;
        }
        self.known.retain(|_, lookup| lookup.until().is_none_or(|until| now < until));
        if self.known.len() >= limits::OCSP_KNOWN {
            let answered = self.known.iter().filter_map(|(key, it)| Some((it.until()?, *key)));
            if let Some((_, soonest)) = answered.min() {
                self.known.remove(&soonest);
            }
        }
        self.known.len() < limits::OCSP_KNOWN
    }
}

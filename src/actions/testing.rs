//! What the tests of this folder share: messages, surroundings, and an output that fails on command.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::settings::{Gate, Settings};
use super::{Failure, Lost, Output, OutputWorker};
use crate::message::{Batch, Env, Flags, InputInfo, Msg, Record, Sender, Zone};

/// A batch of one message of this text.
pub(super) fn message(text: &str) -> Batch {
    messages(&[text])
}

/// A batch of these messages.
pub(super) fn messages(texts: &[&str]) -> Batch {
    let mut batch = Batch::default();
    let sender = Sender::local(Arc::new(InputInfo::default()), b"host");
    batch.senders.push(Arc::new(sender));
    for text in texts {
        let raw = batch.bytes.append(text.as_bytes());
        batch.records.push(Record::unparsed(raw, 0, 0, Flags::empty()));
    }
    batch
}

/// A round at the epoch.
pub(super) fn environment() -> Env {
    Env {
        now: 0,
        zone: Zone::UTC,
        hostname: b"host".as_slice().into(),
        uptime: 0,
        globals: Arc::default(),
    }
}

/// An action without options.
pub(super) fn settings() -> Settings {
    Settings {
        name: "test".into(),
        module: "script".into(),
        resume_retry_count: Some(0),
        resume_interval: 30,
        resume_interval_max: 1800,
        report_suspension: true,
        report_continuation: false,
        error_file: None,
        external_state: None,
        gate: Gate::default(),
        rate: None,
        commit_each: false,
    }
}

/// An output that keeps what is written, and fails as it is told to.
#[derive(Debug, Default)]
pub(super) struct Script(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    written: Vec<String>,
    /// For each coming commit: after how many messages it fails, or `None`.
    commits: VecDeque<Option<usize>>,
    pushes_fail: usize,
    /// What a commit that fails asks for.
    pause: Option<Duration>,
}

impl Script {
    /// What has been written so far.
    pub(super) fn written(&self) -> Vec<String> {
        self.lock().written.clone()
    }

    /// How the next commits go; those after them go well.
    pub(super) fn commits(&self, outcomes: &[Option<usize>]) {
        self.lock().commits = outcomes.iter().copied().collect();
    }

    /// The next `n` pushes fail.
    pub(super) fn pushes_fail(&self, n: usize) {
        self.lock().pushes_fail = n;
    }

    /// Commits that fail ask for this pause.
    pub(super) fn asks_for(&self, pause: Duration) {
        self.lock().pause = Some(pause);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Output for Script {
    fn worker(self: Arc<Self>) -> Box<dyn OutputWorker> {
        Box::new(Worker { script: self, pending: Vec::new() })
    }
}

struct Worker {
    script: Arc<Script>,
    pending: Vec<String>,
}

impl OutputWorker for Worker {
    fn push(&mut self, msg: &Msg<'_>, lost: &mut Lost<'_>) -> Result<(), Failure> {
        let mut state = self.script.lock();
        if state.pushes_fail > 0 {
            state.pushes_fail -= 1;
            return Err(Failure::suspend(2007, "no push now"));
        }
        match msg.msg() {
            b"bad" => lost(&Failure::data(2218, "a bad message"), msg.msg()),
            b"disable" => return Err(Failure::disable(2006, "never again")),
            text => self.pending.push(String::from_utf8_lossy(text).into_owned()),
        }
        Ok(())
    }

    fn commit(&mut self, _lost: &mut Lost<'_>) -> Result<(), Failure> {
        let mut state = self.script.lock();
        let outcome = state.commits.pop_front().flatten();
        let upto = outcome.unwrap_or(self.pending.len()).min(self.pending.len());
        state.written.extend(self.pending.drain(..upto));
        let pause = state.pause;
        let failure = Failure { pause, ..Failure::suspend(2007, "no commit now") };
        outcome.map_or(Ok(()), |_| Err(failure))
    }

    fn pending(&self) -> usize {
        self.pending.len()
    }

    fn discard(&mut self, why: &Failure, lost: &mut Lost<'_>) {
        for text in self.pending.drain(..) {
            lost(why, text.as_bytes());
        }
    }

    fn resume(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

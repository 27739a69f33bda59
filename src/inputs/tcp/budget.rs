//! The memory that an input's large messages may take, until they have left the daemon.
//!
//! ```text
//! 0                      common               limit = common + one longest message
//! |── any session's bytes ──|── one session's only: the first that found no room ──|
//! ```
//! A session whose unfinished message has grown beyond some kilobytes takes what it holds from the budget, and asks
//! before it receives more. Where there is no room it is not read: its peer has to wait. One session at a time may
//! go beyond `common`, so that all of them waiting for each other is impossible. What a message took is given back
//! when its batch is dropped, so messages in queues count too.
//!
//! A peer that holds bytes and does not go on is closed by the input's timeout; while others wait, a message must be
//! complete within that time.

use std::sync::Arc;

use super::server::Shared;
use crate::message::Held;
use crate::net::session::Token;
use crate::stats::Counter;
use crate::sync::{Mutex, lock};

/// The budget of one input.
#[derive(Debug)]
pub(super) struct Budget {
    common: usize,
    state: Mutex<State>,
    /// `memory.used`.
    used: Arc<Counter>,
}

#[derive(Debug, Default)]
struct State {
    used: usize,
    /// The lease that may exceed `common`.
    first: Option<u64>,
    /// Leases so far: their numbers.
    leases: u64,
    /// Sessions to be woken when there is room.
    waiting: Vec<Token>,
}

impl Budget {
    /// `limit` bytes for messages of up to `message_bytes`; `used` shows how many are taken.
    pub(super) fn new(limit: usize, message_bytes: usize, used: Arc<Counter>) -> Self {
        let common = limit.saturating_sub(message_bytes);
        Self { common, state: Mutex::default(), used }
    }

    /// Whether nothing should be received that may have to be kept.
    pub(super) fn is_short(&self) -> bool {
        usize::try_from(self.used.get()).is_ok_and(|used| used > self.common)
    }

    /// Whether sessions wait for room.
    pub(super) fn has_waiting(&self) -> bool {
        !lock(&self.state).waiting.is_empty()
    }

    /// Lets sessions wait that found no room; returns those that need not, because there is some by now.
    pub(super) fn wait(&self, sessions: impl Iterator<Item = Token>) -> Vec<Token> {
        let mut state = lock(&self.state);
        state.waiting.extend(sessions);
        if state.used < self.common || state.first.is_none() {
            return std::mem::take(&mut state.waiting);
        }
        Vec::new()
    }

    fn set(&self, state: &mut State, held: usize, wanted: usize) {
        state.used = (state.used + wanted).saturating_sub(held);
        self.used.set(state.used as u64);
    }
}

/// What one message holds.
pub(super) struct Lease {
    shared: Arc<Shared>,
    number: u64,
    held: usize,
}

impl Lease {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        let mut state = lock(&shared.budget.state);
        state.leases += 1;
        Self { shared: Arc::clone(shared), number: state.leases, held: 0 }
    }

    /// Whether it may come to `bytes`; it does then.
    pub(super) fn grow_to(&mut self, bytes: usize) -> bool {
        if bytes <= self.held {
            return true;
        }
        let budget = &self.shared.budget;
        let mut state = lock(&budget.state);
        let fits = (state.used + bytes).saturating_sub(self.held) <= budget.common;
        if !fits && *state.first.get_or_insert(self.number) != self.number {
            return false;
        }
        budget.set(&mut state, self.held, bytes);
        self.held = bytes;
        true
    }

    /// Makes it `bytes`, which are there already.
    pub(super) fn set(&mut self, bytes: usize) {
        let mut state = lock(&self.shared.budget.state);
        self.shared.budget.set(&mut state, self.held, bytes);
        self.held = bytes;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let budget = &self.shared.budget;
        let mut state = lock(&budget.state);
        budget.set(&mut state, self.held, 0);
        if state.first == Some(self.number) {
            state.first = None;
        }
        let woken = std::mem::take(&mut state.waiting);
        drop(state);
        if !woken.is_empty() {
            self.shared.resume(&woken);
        }
    }
}

impl Held for Lease {}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease").field("held", &self.held).finish_non_exhaustive()
    }
}

//! One thread's end of an action that modifies messages: its options, counters and suspension around a [`Modifier`].
//!
//! Unlike an output it has nothing to commit, and a failure costs no message: it goes on unmodified, and is counted.

use std::sync::Arc;

use super::action::Action;
use super::{Effect, Failure, Lost, Output, OutputWorker};
use crate::message::{Amendment, Msg, Vars};
use crate::modifiers::{Modifier, Subject};

/// One thread's end of a modifying action.
pub(super) struct Modifying {
    action: Arc<Action>,
    modifier: Box<dyn Modifier>,
    /// Second until which the modifier is left alone.
    until: Option<i64>,
    /// Messages since the counters were last brought up to date.
    taken: u64,
    failed: u64,
}

impl Modifying {
    pub(super) fn new(action: Arc<Action>, modifier: Box<dyn Modifier>) -> Self {
        Self { action, modifier, until: None, taken: 0, failed: 0 }
    }

    pub(super) fn action(&self) -> &Action {
        &self.action
    }

    /// Modifies a message that [`Action::admits`]. `false`: the action is suspended.
    pub(super) fn run(&mut self, msg: &Msg<'_>, vars: &mut Vars, change: &mut Amendment) -> bool {
        self.taken += 1;
        let now = msg.env.now.div_euclid(1_000_000);
        if self.until.is_some_and(|until| now < until) {
            self.failed += 1;
            return false;
        }
        match self.modifier.modify(&mut Subject { msg, vars, change }) {
            Ok(()) => {
                if self.until.take().is_some() {
                    self.action.resumed();
                }
                true
            }
            Err(failure) => {
                change.clear();
                self.failed += 1;
                self.suspend(&failure)
            }
        }
    }

    /// Whether the action is still there for the next message.
    #[cold]
    fn suspend(&mut self, failure: &Failure) -> bool {
        match failure.effect {
            Effect::Data => self.action.lost(failure, b""),
            Effect::Disable => {
                self.action.disable(failure);
                self.until = Some(i64::MAX);
            }
            Effect::Suspend => {
                log::error!(code = failure.code; "{failure}");
                self.action.report_outage();
                self.until = Some(self.action.suspend());
            }
        }
        failure.effect == Effect::Data
    }

    /// End of the batch: brings the counters up to date.
    pub(super) fn commit(&mut self) {
        let counters = &self.action.counters;
        counters.processed.add(self.taken);
        counters.batches.add(self.taken);
        counters.failed.add(self.failed);
        counters.written.add(self.taken - self.failed);
        (self.taken, self.failed) = (0, 0);
    }
}

/// What an [`Action`] that modifies has for an output.
pub struct NoOutput;

impl Output for NoOutput {
    fn worker(self: Arc<Self>) -> Box<dyn OutputWorker> {
        Box::new(Self)
    }
}

impl OutputWorker for NoOutput {
    fn push(&mut self, _msg: &Msg<'_>, _lost: &mut Lost<'_>) -> Result<(), Failure> {
        Ok(())
    }
}

//! Rulesets with a queue of their own: what waits in it, and the two ways into it, from an input ([`Inlet`])
//! and from a `call` (`Selections`).

use std::sync::Arc;
use std::time::Duration;

use super::program::Rules;
use crate::config::RulesetId;
use crate::message::{Batch, FlowControl, Msg, Pool, Submit};
use crate::queue::{Frozen, Queue, Selection, Work};

/// An element of the main queue or of a ruleset's queue.
#[derive(Debug)]
pub struct Job {
    /// What is to be run. The main queue serves all rulesets that have no queue.
    pub ruleset: RulesetId,
    /// For these messages.
    pub messages: Messages,
}

/// The messages of a [`Job`].
#[derive(Debug)]
pub enum Messages {
    /// From an input: one owner, still to be parsed.
    Received(Batch),
    /// From a `call` in another ruleset: parsed, shared.
    Called(Frozen),
}

impl Work for Job {
    fn len(&self) -> usize {
        match &self.messages {
            Messages::Received(batch) => batch.len(),
            Messages::Called(frozen) => frozen.len(),
        }
    }

    fn bytes(&self) -> u64 {
        match &self.messages {
            Messages::Received(batch) => batch.bytes(),
            Messages::Called(frozen) => frozen.bytes(),
        }
    }

    fn split_off(&mut self, at: usize) -> Self {
        let messages = match &mut self.messages {
            Messages::Received(batch) => Messages::Received(Work::split_off(batch, at)),
            Messages::Called(frozen) => Messages::Called(frozen.split_off(at)),
        };
        Self { ruleset: self.ruleset, messages }
    }

    fn retain(&mut self, keep: &mut dyn FnMut(usize, u8) -> bool) {
        match &mut self.messages {
            Messages::Received(batch) => batch.retain(keep),
            Messages::Called(frozen) => frozen.retain(keep),
        }
    }

    fn flow(&self) -> FlowControl {
        match &self.messages {
            Messages::Received(batch) => batch.flow,
            Messages::Called(frozen) => frozen.flow(),
        }
    }
}

/// Where an input's batches for one ruleset go: into its queue, or into the main queue.
pub struct Inlet {
    /// The queue.
    pub queue: Arc<Queue<Job>>,
    /// The ruleset.
    pub ruleset: RulesetId,
}

impl Submit for Inlet {
    fn submit(&self, mut batch: Batch, flow: FlowControl) {
        batch.flow = flow;
        let messages = Messages::Received(batch);
        self.queue.push(Job { ruleset: self.ruleset, messages }, flow);
    }

    fn is_pressed(&self, patience: Duration) -> bool {
        self.queue.is_pressed(patience)
    }
}

/// The messages of one batch that were called into rulesets with a queue.
#[derive(Debug, Default)]
pub(super) struct Selections {
    chosen: Vec<(RulesetId, Selection)>,
}

impl Selections {
    /// Adds a message. A message that is called twice in a row is there twice, as in the reference.
    pub(super) fn add(&mut self, ruleset: RulesetId, index: u32, msg: &Msg<'_>) {
        let known = self.chosen.iter().position(|(id, _)| *id == ruleset);
        let at = known.unwrap_or_else(|| {
            self.chosen.push((ruleset, Selection::default()));
            self.chosen.len() - 1
        });
        self.chosen[at].1.add(index, msg);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chosen.is_empty()
    }

    /// Sends all selections to their queues. A `call` is not held up by flow control.
    pub(super) fn submit(&mut self, batch: &Arc<Batch>, rules: &Rules, pool: &Pool) {
        for (ruleset, mut selection) in self.chosen.drain(..) {
            let frozen = selection.freeze(batch);
            match rules.queue(ruleset) {
                Some(queue) => {
                    let messages = Messages::Called(frozen);
                    queue.push(Job { ruleset, messages }, FlowControl::None);
                }
                // Cannot be: only rulesets with a queue are selected for, and all queues are connected.
                None => frozen.recycle(pool),
            }
        }
    }
}

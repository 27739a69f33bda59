//! Queues: bounded, in memory, between inputs and rules, and before asynchronous rulesets and actions.
//!
//! ```text
//! submitters ──push──► [ w w w w ] ──next──► worker threads: consume ≤ dequeueBatchSize messages, commit
//!      ▲                   │ size = waiting + taken by a worker and not yet committed
//!      └── held up at the marks, released by `done`
//! ```
//! - `frozen`: what waits in queues: batches, and selections of frozen ones.
//! - `settings`: the `queue.*` parameters and their corrections.
//! - `watermark`: what a fill level means: room, marks, wanted workers.
//! - `memory`: the queue proper: one lock, taken once per batch.
//! - `consumer`: worker threads, and the three phases of shutdown.
//!
//! Sizes count messages. A queue element is a [`Work`]: a whole batch or a selection of one, so a push costs
//! one lock however many messages it carries. A disk queue will stand beside `memory`, behind [`Queue`].

mod consumer;
mod frozen;
mod memory;
mod rhythm;
mod settings;
#[cfg(test)]
mod testing;
mod watermark;

use std::ops::Range;
use std::sync::Arc;

pub use consumer::{Interrupt, Queue};
pub use frozen::{Frozen, Selection};
pub use settings::{Settings, Type};

use crate::message::FlowControl;

/// Something that waits in a queue: one or more messages.
pub trait Work: Send + 'static {
    /// Number of messages.
    fn len(&self) -> usize;

    /// Whether there is no message.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sum of the raw message lengths.
    fn bytes(&self) -> u64;

    /// Keeps the first `at` messages and returns the rest.
    #[must_use]
    fn split_off(&mut self, at: usize) -> Self;

    /// Drops the messages for which `keep(index, severity)` says no.
    fn retain(&mut self, keep: &mut dyn FnMut(usize, u8) -> bool);

    /// How long the message's own input may be held up (`queue.takeFlowCtlFromMsg`).
    fn flow(&self) -> FlowControl;
}

/// What a worker thread does with work. Each worker has its own.
pub trait Consume<W>: Send {
    /// Processes the messages `range` of `work`. Their effects may stay buffered until [`Consume::commit`].
    fn consume(&mut self, work: &mut W, range: Range<usize>);

    /// Takes work back after its last message was consumed (or given up, because the queue is ending):
    /// hands it on to other queues, has its storage reused.
    fn finish(&mut self, work: W);

    /// Completes what was consumed so far. Returns whether all of it is complete.
    fn commit(&mut self, extent: Commit) -> bool;
}

/// How much a commit has to complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// `dequeueBatchSize` messages have been consumed since the last commit, and more of the same work follow:
    /// outputs with transactions complete theirs, others may go on collecting.
    Transactions,
    /// Everything.
    All,
}

/// Makes the consumer of a new worker thread. The interrupt is set when the thread has to come to an end.
pub type Consumers<W> = Box<dyn Fn(&Arc<Interrupt>) -> Box<dyn Consume<W>> + Send + Sync>;

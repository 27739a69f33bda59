//! Where inputs hand their batches: a queue, or the rules themselves (queue type Direct).

use std::time::Duration;

use super::batch::Batch;

/// How long a submitter may be held up when the queue fills (`spec/queues-actions.md` section 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlowControl {
    /// Never held up before the queue is full (UDP).
    #[default]
    None,
    /// Held up to a second above the light-delay mark (TCP).
    Light,
    /// Held up while above the full-delay mark (files).
    Full,
}

/// The receiving end of a ruleset, as inputs see it.
pub trait Submit: Send + Sync {
    /// Takes the batch. May block for flow control and while the queue is full; what cannot be taken is
    /// dropped and counted by the queue, never silently.
    fn submit(&self, batch: Batch, flow: FlowControl);

    /// For an input that can leave messages where they are for a moment: waits until less is in here than what
    /// inputs are paced at ([`limits::QUEUE_PACE`](crate::limits::QUEUE_PACE)), for at most `patience`. Whether there is
    /// still more than that.
    fn is_pressed(&self, patience: Duration) -> bool {
        let _ = patience;
        false
    }
}

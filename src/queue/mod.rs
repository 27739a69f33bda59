//! Queues: bounded, in memory, between inputs and rules, and before asynchronous rulesets and actions.
//!
//! ```text
//! submitters ──push──► [ w w w w ] ──next──► worker threads: consume ≤ dequeueBatchSize messages, commit
//!      ▲                   │ size = waiting + taken by a worker and not yet committed
//!      └── held up at the marks, released by `done`
//! ```
//! - [`settings`]: the `queue.*` parameters, their defaults per class, and their corrections.
//! - [`watermark`]: what a fill level means: room, marks, wanted workers.
//! - [`memory`]: the queue proper: one lock, taken once per batch.
//! - [`consumer`]: worker threads, and the three phases of shutdown.
//!
//! Sizes count messages. A queue element is a [`Work`]: a whole batch or a selection of one, so a push costs
//! one lock however many messages it carries. A disk queue will stand beside `memory`, behind [`Queue`].

pub mod consumer;
mod memory;
pub mod settings;
#[cfg(test)]
mod testing;
mod watermark;

use std::ops::Range;
use std::sync::Arc;

pub use consumer::{Interrupt, Queue};
pub use settings::{Class, Settings, Type};

use crate::message::{Batch, Flags, FlowControl, Record, Submit};

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

    /// Completes everything consumed so far: at most `dequeueBatchSize` messages since the last call.
    fn commit(&mut self);

    /// Takes back work of which every message has been committed (storage to be reused, batches to be
    /// handed on).
    fn finish(&mut self, work: W);
}

/// Makes the consumer of a new worker thread. The interrupt is set when the thread has to come to an end.
pub type Consumers<W> = Box<dyn Fn(&Arc<Interrupt>) -> Box<dyn Consume<W>> + Send + Sync>;

impl Work for Batch {
    fn len(&self) -> usize {
        Self::len(self)
    }

    fn bytes(&self) -> u64 {
        self.raw_bytes()
    }

    fn split_off(&mut self, at: usize) -> Self {
        Self::split_off(self, at)
    }

    fn retain(&mut self, keep: &mut dyn FnMut(usize, u8) -> bool) {
        let bytes = &self.bytes;
        let mut index = 0;
        self.records.retain(|record| {
            index += 1;
            keep(index - 1, severity(record, bytes.get(record.raw)))
        });
    }

    fn flow(&self) -> FlowControl {
        self.flow
    }
}

impl Submit for Queue<Batch> {
    fn submit(&self, mut batch: Batch, flow: FlowControl) {
        batch.flow = flow;
        self.push(batch, flow);
    }
}

/// The severity of a message that may not have been parsed yet. (The reference takes every unparsed message
/// for `debug`, so that `discardSeverity` there drops all of them.)
fn severity(record: &Record, raw: &[u8]) -> u8 {
    if !record.flags.has(Flags::NEEDS_PARSING) {
        return record.severity();
    }
    let Some(b'<') = raw.first() else { return record.severity() };
    let digits = raw.iter().skip(1).take(4).take_while(|b| b.is_ascii_digit());
    let pri = digits.fold(0_u32, |pri, digit| pri * 10 + u32::from(digit - b'0'));
    u8::try_from(pri).map_or(7, |pri| pri & 7)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Builder, InputInfo, Pool, Sender};

    #[test]
    fn a_batch_drops_by_the_severity_of_its_unparsed_text() {
        let pool = Arc::new(Pool::default());
        let mut builder = Builder::new(pool);
        let sender = Arc::new(Sender::local(Arc::new(InputInfo::default()), b"h"));
        for text in ["<0>emerg", "<15>debug", "no pri: notice", "<14>info", "<9999>invalid"] {
            let span = builder.bytes().append(text.as_bytes());
            builder.push(span, 0, &sender, Flags::NEEDS_PARSING);
        }
        let mut batch = builder.seal();
        let mut seen = Vec::new();
        Work::retain(&mut batch, &mut |index, severity| {
            seen.push((index, severity));
            severity < 6
        });
        assert_eq!(seen, [(0, 0), (1, 7), (2, 5), (3, 6), (4, 7)]);
        assert_eq!(batch.len(), 2);
    }
}

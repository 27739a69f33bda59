//! Actions with a queue of their own: the rules select messages of a frozen batch, other threads run the action.
//!
//! ```text
//! rules: select(record) … end of batch ──► Selection {Arc<Batch>, records} ──► queue ──► Consumer: push, commit
//! ```

use std::ops::Range;
use std::sync::Arc;

use super::retry::{Action, Runner};
use crate::message::{Batch, Env, FlowControl, Msg, Pool};
use crate::queue::{Consume, Consumers, Interrupt, Queue, Settings, Work};
use crate::stats;

/// Messages of a batch that nobody changes any more.
#[derive(Debug)]
pub struct Selection {
    batch: Arc<Batch>,
    /// Indices of the selected records.
    records: Vec<u32>,
}

/// Makes the environment of a round: reads the clock.
pub type Round = Arc<dyn Fn() -> Env + Send + Sync>;

impl Selection {
    /// These records of `batch`.
    #[must_use]
    pub fn new(batch: Arc<Batch>, records: Vec<u32>) -> Self {
        Self { batch, records }
    }
}

impl Work for Selection {
    fn len(&self) -> usize {
        self.records.len()
    }

    fn bytes(&self) -> u64 {
        let record = |&index: &u32| self.batch.records.get(index as usize);
        self.records.iter().filter_map(record).map(|record| u64::from(record.raw.len)).sum()
    }

    fn split_off(&mut self, at: usize) -> Self {
        let records = self.records.split_off(at.min(self.records.len()));
        Self { batch: Arc::clone(&self.batch), records }
    }

    fn retain(&mut self, keep: &mut dyn FnMut(usize, u8) -> bool) {
        let Self { batch, records } = self;
        let mut position = 0;
        records.retain(|&index| {
            position += 1;
            let severity = batch.records.get(index as usize).map_or(7, |record| record.severity());
            keep(position - 1, severity)
        });
    }

    fn flow(&self) -> FlowControl {
        self.batch.flow
    }
}

/// The queue of `action`, named as the reference names it. `pool` gets the storage of finished batches.
#[must_use]
pub fn queue(
    action: &Arc<Action>,
    settings: Settings,
    round: Round,
    pool: Arc<Pool>,
    stats: &stats::Set,
) -> Queue<Selection> {
    let name = format!("{} queue", action.settings().name);
    let action = Arc::clone(action);
    let consumers: Consumers<Selection> = Box::new(move |interrupt: &Arc<Interrupt>| {
        Box::new(Consumer {
            runner: Runner::new(Arc::clone(&action), Arc::clone(interrupt)),
            round: Arc::clone(&round),
            pool: Arc::clone(&pool),
        })
    });
    Queue::new(name, settings, consumers, stats)
}

/// What a worker thread of the queue does.
struct Consumer {
    runner: Runner,
    round: Round,
    pool: Arc<Pool>,
}

impl Consume<Selection> for Consumer {
    fn consume(&mut self, work: &mut Selection, range: Range<usize>) {
        let env = (self.round)();
        for &index in work.records.get(range).unwrap_or_default() {
            if let Some(msg) = Msg::at(&work.batch, index as usize, &env) {
                self.runner.push(&msg);
            }
        }
    }

    fn commit(&mut self) {
        self.runner.commit(true);
    }

    fn finish(&mut self, work: Selection) {
        if let Some(batch) = Arc::into_inner(work.batch) {
            self.pool.give(batch);
        }
    }
}

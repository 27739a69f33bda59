//! Actions with a queue of their own: the rules select messages of a frozen batch, other threads run the action.
//!
//! ```text
//! rules: select(record) … end of batch ──► Frozen {batch, records} ──► queue ──► Consumer: push, commit
//! ```

use std::ops::Range;
use std::sync::Arc;

use super::retry::{Action, Runner};
use crate::message::{Env, Msg, Pool};
use crate::queue::{Consume, Consumers, Frozen, Interrupt, Queue, Settings};
use crate::stats;

/// Makes the environment of a round: reads the clock.
pub type Round = Arc<dyn Fn() -> Env + Send + Sync>;

/// The queue of `action`, named as the reference names it. `pool` gets the storage of finished batches.
#[must_use]
pub fn queue(
    action: &Arc<Action>,
    settings: Settings,
    round: Round,
    pool: Arc<Pool>,
    stats: &stats::Set,
) -> Queue<Frozen> {
    let name = format!("{} queue", action.settings().name);
    let action = Arc::clone(action);
    let consumers: Consumers<Frozen> = Box::new(move |interrupt: &Arc<Interrupt>| {
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

impl Consume<Frozen> for Consumer {
    fn consume(&mut self, work: &mut Frozen, range: Range<usize>) {
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

    fn finish(&mut self, work: Frozen) {
        work.recycle(&self.pool);
    }
}

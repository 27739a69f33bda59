//! Actions with a queue of their own: the rules select messages of a frozen batch, other threads run the action.
//!
//! ```text
//! rules: select(record) … end of batch ──► Frozen {batch, records} ──► queue ──► Consumer: push, commit
//! ```

use std::ops::Range;
use std::sync::Arc;

use super::action::Action;
use super::retry::Runner;
use crate::message::Pool;
use crate::message::vars::Globals;
use crate::queue::{Commit, Consume, Consumers, Frozen, Interrupt, Queue, Settings};
use crate::ruleset::{Hostname, Round};
use crate::stats;

/// The queue of `action`, named as the reference names it. `hostname` is the machine's, `globals` are the variables
/// of the process, `pool` gets the storage of finished batches.
#[must_use]
pub fn queue(
    action: &Arc<Action>,
    settings: Settings,
    hostname: Hostname,
    globals: Arc<Globals>,
    pool: Arc<Pool>,
    stats: &stats::Set,
) -> Queue<Frozen> {
    let name = format!("{} queue", action.settings().name);
    let action = Arc::clone(action);
    let consumers: Consumers<Frozen> = Box::new(move |interrupt: &Arc<Interrupt>| {
        Box::new(Consumer {
            runner: Runner::new(Arc::clone(&action), Arc::clone(interrupt)),
            round: Round::new(Arc::clone(&hostname), Arc::clone(&globals)),
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
        self.round.begin();
        for place in range {
            if let Some(msg) = work.msg(place, self.round.env()) {
                self.runner.push(&msg);
            }
        }
    }

    fn commit(&mut self, extent: Commit) -> bool {
        self.round.end();
        let collects = extent == Commit::Transactions && self.runner.may_collect();
        if !collects {
            self.runner.commit(true);
        }
        !collects
    }

    fn finish(&mut self, work: Frozen) {
        work.recycle(&self.pool);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::settings;
    use crate::actions::testing::{Script, messages};
    use crate::config::tables;
    use crate::message::FlowControl;
    use crate::param::Args;

    struct Bench {
        script: Arc<Script>,
        queue: Queue<Frozen>,
        set: stats::Set,
    }

    fn bench(change: impl FnOnce(&mut settings::Settings)) -> Bench {
        let mut settings = crate::actions::testing::settings();
        change(&mut settings);
        let (script, set) = (Arc::new(Script::default()), stats::Set::default());
        let output = Arc::clone(&script);
        let action = Arc::new(Action::new(settings, output, &set));
        let mut settings = Settings::from_args(&Args::defaults(&[tables::QUEUE_ACTION]));
        settings.kind = crate::queue::Type::LinkedList;
        assert_eq!(settings.correct("test"), []);
        settings.timeout_shutdown = std::time::Duration::from_secs(60);
        let queue = queue(&action, settings, Arc::default(), Arc::default(), Arc::default(), &set);
        Bench { script, queue, set }
    }

    impl Bench {
        /// Hands over a batch of these texts, of which only every second is selected.
        fn push(&self, texts: &[&str]) {
            let batch = Arc::new(messages(texts));
            let records = (0..u32::try_from(texts.len()).expect("few")).step_by(2).collect();
            self.queue.push(Frozen { batch, records, vars: Vec::new() }, FlowControl::None);
        }

        fn count(&self, object: &str, counter: &str) -> u64 {
            self.set.total(Some(object), counter)
        }
    }

    #[test]
    fn selected_messages_reach_the_output_in_order() {
        let bench = bench(|_| ());
        bench.queue.start().expect("a thread");
        bench.push(&["a", "-", "b", "-", "c"]);
        bench.push(&["d", "-"]);
        assert_eq!(bench.queue.shutdown(), 0);
        assert_eq!(bench.script.written(), ["a", "b", "c", "d"]);
        assert_eq!(bench.count("test queue", "enqueued"), 4);
        assert_eq!((bench.count("test", "written"), bench.count("test", "failed")), (4, 0));
    }

    #[test]
    fn messages_wait_in_the_queue_while_the_output_is_suspended() {
        let bench = bench(|settings| {
            settings.resume_retry_count = None;
            settings.resume_interval = 0;
        });
        bench.script.commits(&[Some(0), Some(1), Some(0), Some(0)]);
        bench.queue.start().expect("a thread");
        bench.push(&["a", "-", "b", "-", "c"]);
        bench.push(&["d", "-", "e"]);
        assert_eq!(bench.queue.shutdown(), 0);
        assert_eq!(bench.script.written(), ["a", "b", "c", "d", "e"]);
        assert_eq!((bench.count("test", "failed"), bench.count("test", "suspended")), (0, 1));
    }
}

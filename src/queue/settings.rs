//! The `queue.*` parameters: typed, and corrected as the reference corrects them (`spec/queues-actions.md`
//! section 1). Their table, with the defaults of the three classes, is in `config::tables`.

use std::time::Duration;

use crate::limits;
use crate::param::{Args, Problem, Value};

/// How a queue keeps its elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// In memory, storage allocated at the start.
    FixedArray,
    /// In memory, storage grown on demand.
    LinkedList,
    /// No queue: the submitter does the work.
    Direct,
}

/// All settings of one queue. Counts are messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `queue.type`.
    pub kind: Type,
    /// `queue.size`.
    pub size: usize,
    /// `queue.dequeueBatchSize`: messages per commit.
    pub dequeue_batch: usize,
    /// A worker takes so many messages at once, or `dequeue_batch` if that is more; 1 where the batch size was
    /// given or a pause follows each batch.
    pub take: usize,
    /// `queue.minDequeueBatchSize`: a worker waits for so many messages.
    pub min_dequeue_batch: usize,
    /// `queue.minDequeueBatchSize.timeout`: but not longer than this.
    pub min_dequeue_timeout: Duration,
    /// `queue.workerThreads`: the most that run at once.
    pub workers: usize,
    /// `queue.workerThreadMinimumMessages`: a further worker for every so many messages; 0 is "not set".
    pub worker_messages: usize,
    /// `queue.highWatermark`: where a disk-assisted queue starts to write; 0 is "not set".
    pub high_watermark: usize,
    /// `queue.lowWatermark`: where it stops; 0 is "not set".
    pub low_watermark: usize,
    /// `queue.fullDelayMark`: inputs that can wait, wait from here on; 0 is off, `None`
    /// "not set".
    pub full_delay: Option<usize>,
    /// `queue.lightDelayMark`: inputs that can wait a little, wait from here on; 0 is off, `None` "not set".
    pub light_delay: Option<usize>,
    /// `queue.discardMark`: unimportant messages are dropped from here on; 0 is "not set".
    pub discard_mark: usize,
    /// `queue.discardSeverity`: which ones, as a severity number; 8 is none.
    pub discard_severity: u8,
    /// `queue.timeoutShutdown`: for emptying the queue at shutdown.
    pub timeout_shutdown: Duration,
    /// `queue.timeoutActionCompletion`: then for finishing the present batch.
    pub timeout_action: Duration,
    /// `queue.timeoutEnqueue`: how long a submitter waits for room.
    pub timeout_enqueue: Duration,
    /// `queue.timeoutWorkerThreadShutdown`: how long an additional worker stays idle; `None` (negative) is for ever.
    pub timeout_worker: Option<Duration>,
    /// `queue.dequeueSlowdown`: pause after each batch.
    pub slowdown: Duration,
    /// `queue.dequeueTimeBegin` and `queue.dequeueTimeEnd`, hours of the local day; an end of 25 is "always".
    pub window: (u8, u8),
    /// `queue.samplingInterval`: keep only every nth message; 0 keeps all.
    pub sampling: usize,
    /// `queue.takeFlowCtlFromMsg`: an action queue holds up as the message's input would be.
    pub flow_from_message: bool,
    /// Whether any of these but the type was given.
    pub given: bool,
    /// Which parameter was given that only the disk part of a queue has, without there being one.
    pub no_disk: Option<&'static str>,
}

/// What only a queue in memory with a disk part has.
const OF_DISK_PART: [&str; 3] =
    ["queue.diskQueueType", "queue.diskQueueAutoUpgrade", "queue.diskQueueIdleTimeout"];

impl Settings {
    /// The settings that `queue.*` arguments give. Follow with [`Settings::correct`].
    #[must_use]
    pub fn from_args(args: &Args) -> Self {
        let count = |name| count(args, name).unwrap_or(0);
        let millis = |name| Duration::from_millis(count(name) as u64);
        let byte = |name| u8::try_from(count(name)).unwrap_or(u8::MAX);
        Self {
            kind: match args.choice("queue.type") {
                Some("Direct") => Type::Direct,
                Some("LinkedList") => Type::LinkedList,
                // The disk types are refused before, as not implemented.
                _ => Type::FixedArray,
            },
            size: count("queue.size"),
            dequeue_batch: count("queue.dequeueBatchSize"),
            take: take(args),
            min_dequeue_batch: count("queue.minDequeueBatchSize"),
            min_dequeue_timeout: millis("queue.minDequeueBatchSize.timeout"),
            workers: count("queue.workerThreads"),
            worker_messages: count("queue.workerThreadMinimumMessages"),
            high_watermark: count("queue.highWatermark"),
            low_watermark: count("queue.lowWatermark"),
            full_delay: self::count(args, "queue.fullDelayMark"),
            light_delay: self::count(args, "queue.lightDelayMark"),
            discard_mark: count("queue.discardMark"),
            discard_severity: byte("queue.discardSeverity"),
            timeout_shutdown: millis("queue.timeoutShutdown"),
            timeout_action: millis("queue.timeoutActionCompletion"),
            timeout_enqueue: millis("queue.timeoutEnqueue"),
            timeout_worker: self::count(args, "queue.timeoutWorkerThreadShutdown")
                .map(|ms| Duration::from_millis(ms as u64)),
            slowdown: Duration::from_micros(count("queue.dequeueSlowdown") as u64),
            window: (byte("queue.dequeueTimeBegin"), byte("queue.dequeueTimeEnd")),
            sampling: count("queue.samplingInterval"),
            flow_from_message: args.bool("queue.takeFlowCtlFromMsg"),
            given: args.params().any(|param| param.name != "queue.type" && args.given(param.name)),
            no_disk: OF_DISK_PART
                .into_iter()
                .find(|name| args.given(name) && !args.given("queue.filename")),
        }
    }

    /// Replaces impossible values and fills in what depends on others. Returns the warnings and errors to
    /// log; the queue is usable in any case.
    pub fn correct(&mut self, name: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        problems.extend(self.no_disk.map(|param| {
            let text = "queue.diskQueueType, queue.diskQueueAutoUpgrade, and queue.diskQueueIdleTimeout apply only \
                        to FixedArray or LinkedList disk-assisted queues; ignoring these parameters";
            Problem::error(text).at(param).code(2207)
        }));
        if self.kind == Type::Direct {
            if self.given {
                problems.push(Problem::warning(format!(
                    "warning on queue '{name}': queue is in direct mode, but parameters have been \
                     set. These PARAMETERS cannot be applied and WILL BE IGNORED."
                )));
            }
            return problems;
        }
        self.size = self.size.max(1);
        self.workers = self.workers.max(1);
        let percent = |n: usize| self.size / 100 * n;
        if self.size < 100 {
            problems.push(Problem::warning(format!(
                "Note: queue.size=\"{}\" is very low and can lead to unpredictable results. See also \
                 https://www.rsyslog.com/lower-bound-for-queue-sizes/",
                self.size
            )).code(2186));
        }
        let mut low = |param, text: &str, value: usize, good: usize, bound: u8| {
            if value != 0 && value < good {
                let text = format!(
                    "queue \"{name}\": {text} is set quite low at {value}. You should only set it \
                     below {bound}% ({good}) if you have a good reason for this."
                );
                problems.push(Problem::warning(text).at(param).code(2357));
            }
        };
        low("queue.highWatermark", "high water mark", self.high_watermark, percent(60), 60);
        if self.workers > 1 {
            let text = "queue.workerThreadMinimumMessage";
            let param = "queue.workerThreadMinimumMessages";
            low(param, text, self.worker_messages, percent(10), 10);
        }
        low("queue.discardMark", "queue.discardMark", self.discard_mark, percent(80), 80);
        if self.discard_mark > self.size {
            problems.push(
                Problem::error(format!(
                    "error: queue \"{name}\": queue.discardMark {} is set larger than queue.size",
                    self.discard_mark
                ))
                .at("queue.discardMark")
                .code(1000),
            );
        }
        self.correct_watermarks(name, &mut problems);
        self.fill_in();
        problems
    }

    fn correct_watermarks(&mut self, name: &str, problems: &mut Vec<Problem>) {
        let advice = "In any case, we strongly recommend to review the queue definition and resolve \
                      inconsistencies to guarantee the config really matches your intent.";
        let nonzero = |n: usize, otherwise: usize| if n == 0 { otherwise } else { n };
        let wrong = self.high_watermark == 1 || self.high_watermark > self.size;
        if self.high_watermark == 0 || wrong {
            self.high_watermark = nonzero(self.size / 100 * 90, self.size);
        }
        if wrong {
            let text = format!(
                "queue \"{name}\": queue.highWaterMark is invalid (must be between 2 and queue size). \
                 It has been automatically adjusted to {}. {advice}",
                self.high_watermark
            );
            problems.push(Problem::warning(text).at("queue.highWatermark").code(2357));
        }
        let wrong = self.low_watermark == 1 || self.low_watermark > self.high_watermark;
        if self.low_watermark == 0 || wrong {
            self.low_watermark = nonzero(self.high_watermark * 7 / 10, 1);
        }
        if wrong {
            let text = format!(
                "queue \"{name}\": queue.lowWaterMark is invalid (must be between 2 and \
                 highWaterMark). It has been automatically adjusted to {}. {advice}",
                self.low_watermark
            );
            problems.push(Problem::warning(text).at("queue.lowWatermark").code(2357));
        }
    }

    fn fill_in(&mut self) {
        let size = self.size;
        let mark = |percent: usize| match size / 100 * percent {
            0 => (size - 1).max(1),
            mark => mark,
        };
        if self.worker_messages == 0 || self.worker_messages > size {
            self.worker_messages = (size / self.workers).max(1);
        }
        let delay = |given: Option<usize>, percent| match given {
            Some(0) => Some(size), // off: only a full queue holds up
            given => given.filter(|&m| m <= size).or(Some(mark(percent))),
        };
        self.full_delay = delay(self.full_delay, 97);
        self.light_delay = delay(self.light_delay, 70);
        if self.discard_mark == 0 || self.discard_mark > size {
            self.discard_mark = if size < 100 { size } else { mark(98) };
        }
        self.dequeue_batch = self.dequeue_batch.clamp(1, size);
    }
}

fn take(args: &Args) -> usize {
    let exact = args.given("queue.dequeueBatchSize") || args.given("queue.dequeueSlowdown");
    if exact { 1 } else { limits::TAKE_RECORDS }
}

/// A count or a size; `None` where it is not set or negative, which is the same.
fn count(args: &Args, name: &str) -> Option<usize> {
    match args.value(name)? {
        Value::Int(n) => usize::try_from(*n).ok(),
        Value::Size(n) => Some(usize::try_from(*n).unwrap_or(usize::MAX)),
        other => panic!("{name} is not a number but {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::settings;
    use super::*;
    use crate::config::tables;

    #[test]
    fn the_three_classes_fill_in_as_the_reference_documents() {
        // table, size, batch, workers, messages per worker, high, low, full delay, light delay, discard
        let table = [
            (tables::QUEUE_MAIN, [100_000, 256, 2, 40_000, 80_000, 20_000, 97_000, 70_000, 98_000]),
            (
                tables::QUEUE_RULESET,
                [50_000, 1024, 1, 50_000, 45_000, 31_500, 48_500, 35_000, 49_000],
            ),
        ];
        for (params, want) in table {
            let mut s = Settings::from_args(&Args::defaults(&[params]));
            assert!(s.correct("q").is_empty());
            let got = [
                s.size,
                s.dequeue_batch,
                s.workers,
                s.worker_messages,
                s.high_watermark,
                s.low_watermark,
                s.full_delay.unwrap(),
                s.light_delay.unwrap(),
                s.discard_mark,
            ];
            assert_eq!(got, want);
            assert_eq!((s.discard_severity, s.window), (8, (0, 25)));
            assert_eq!(s.timeout_shutdown, Duration::from_millis(1500));
        }
        let action = Settings::from_args(&Args::defaults(&[tables::QUEUE_ACTION]));
        assert_eq!((action.kind, action.size), (Type::Direct, 1000));
        assert_eq!(action.timeout_shutdown, Duration::from_millis(10));
    }

    #[test]
    fn a_direct_queue_says_that_it_has_no_use_for_parameters() {
        let mut args = Args::defaults(&[tables::QUEUE_ACTION]);
        args.set("queue.type", Value::Choice("Direct"));
        assert_eq!(Settings::from_args(&args).correct("q"), []);
        args.set("queue.size", Value::Size(10));
        let problems = Settings::from_args(&args).correct("q");
        assert!(problems[0].warning && problems[0].text.contains("WILL BE IGNORED"));
    }

    #[test]
    fn tiny_and_contradictory_queues_are_corrected() {
        let mut s = Settings { size: 1, ..settings() };
        assert_eq!(s.correct("q").len(), 1);
        assert_eq!((s.full_delay, s.light_delay), (Some(1), Some(1)));
        assert_eq!((s.discard_mark, s.dequeue_batch), (1, 1));

        let mut s = Settings {
            size: 1000,
            high_watermark: 5000,
            low_watermark: 1,
            discard_mark: 2000,
            light_delay: Some(0),
            full_delay: Some(0),
            ..settings()
        };
        let problems = s.correct("q");
        let warnings: Vec<bool> = problems.iter().map(|p| p.warning).collect();
        assert_eq!(warnings, [false, true, true], "{problems:?}");
        assert_eq!((s.high_watermark, s.low_watermark, s.discard_mark), (900, 630, 980));
        assert_eq!((s.full_delay, s.light_delay), (Some(1000), Some(1000)));
    }
}

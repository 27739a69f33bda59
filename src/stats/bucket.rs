//! Counters that come to be while messages flow: `dyn_stats()`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::{Counter, Live, Object, Purpose, Reading, Style, Value};

/// A named set of counters, each made when it is first counted up.
///
/// What nobody counts up in one to two periods of `life` is forgotten when the counters are read: at the end of
/// a period the counters become survivors, and survivors of the period before go. Counting a survivor up brings it
/// back with its value.
#[derive(Debug)]
pub struct Bucket {
    name: String,
    /// How many counters there may be, survivors included.
    limit: usize,
    life: Duration,
    /// Whether counters begin anew after each report, whatever `resetCounters` says.
    resettable: bool,
    metrics: RwLock<Metrics>,
    expires: Mutex<Instant>,
    own: Own,
    /// Nobody reads it, so it counts nothing.
    idle: bool,
    /// Times a counter was counted up; for who keeps a state file.
    operations: Option<Counter>,
}

#[derive(Debug, Default)]
struct Metrics {
    /// Where the counter of a name is.
    places: HashMap<Box<[u8]>, usize>,
    /// In the order in which they came.
    counters: Vec<(Box<[u8]>, Arc<Counter>)>,
    survivors: HashMap<Box<[u8]>, Arc<Counter>>,
}

/// What a bucket counts about itself.
#[derive(Debug)]
struct Own {
    overflow: Arc<Counter>,
    added: Arc<Counter>,
    nameless: Arc<Counter>,
    purged: Arc<Counter>,
    purges: Arc<Counter>,
}

/// No counter could be made: there are as many as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Bucket {
    /// A bucket without counters; `global` gets what it counts about itself. Every report zeroes its counters if
    /// they are `resettable`, none does if they are not.
    #[must_use]
    pub fn new(
        name: &str,
        limit: usize,
        life: Duration,
        resettable: bool,
        global: &mut Object,
        now: Instant,
    ) -> Self {
        let mut own = |what: &str| global.counter(format!("{name}.{what}"));
        let (overflow, added) = (own("ops_overflow"), own("new_metric_add"));
        let (nameless, purged) = (own("no_metric"), own("metrics_purged"));
        // Nothing is ever ignored here: the reference does that to a bucket that another thread is changing.
        let _ = own("ops_ignored");
        let own = Own { overflow, added, nameless, purged, purges: own("purge_triggered") };
        let (metrics, expires) = (RwLock::default(), Mutex::new(now + life));
        let (name, operations) = (name.to_owned(), None);
        Self { name, limit, life, resettable, metrics, expires, own, idle: false, operations }
    }

    /// Counts nothing, as it does where no module reports statistics.
    #[must_use]
    pub fn idle(self) -> Self {
        Self { idle: true, ..self }
    }

    /// The same with [`Self::operations`] counted.
    #[must_use]
    pub fn counting_operations(mut self) -> Self {
        self.operations = Some(Counter::default());
        self
    }

    /// Times a counter was counted up.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.operations.as_ref().map_or(0, Counter::get)
    }

    /// Adds a counter that a state file has.
    ///
    /// # Errors
    /// There would be too many counters.
    pub fn load(&self, metric: &[u8], value: u64) -> Result<(), Full> {
        let mut metrics = self.metrics.write().unwrap_or_else(PoisonError::into_inner);
        if metrics.find(metric).is_none() {
            if metrics.counters.len() >= self.limit {
                return Err(Full);
            }
            metrics.add(metric, Arc::default());
        }
        if let Some(counter) = metrics.find(metric) {
            counter.add(value);
        }
        Ok(())
    }

    /// Forgets all counters.
    pub fn clear(&self) {
        *self.metrics.write().unwrap_or_else(PoisonError::into_inner) = Metrics::default();
    }

    /// Calls `each` with every counter that is shown, and its value since the last reset.
    pub fn each(&self, mut each: impl FnMut(&[u8], u64)) {
        let mut values = Vec::new();
        while self.read_some(Purpose::Look, &mut values) {}
        values.iter().for_each(|value| each(&value.name, value.recent));
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Counts `metric` up by one.
    ///
    /// # Errors
    /// There would be too many counters.
    pub fn increment(&self, metric: &[u8]) -> Result<(), Full> {
        if self.idle {
            return Ok(());
        }
        if metric.is_empty() {
            self.own.nameless.add(1);
            return Ok(());
        }
        self.count_up(metric)?;
        if let Some(operations) = &self.operations {
            operations.add(1);
        }
        Ok(())
    }

    fn count_up(&self, metric: &[u8]) -> Result<(), Full> {
        let metrics = self.metrics.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = metrics.find(metric) {
            counter.add(1);
            return Ok(());
        }
        drop(metrics);
        let mut metrics = self.metrics.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have been faster.
        if let Some(counter) = metrics.find(metric) {
            counter.add(1);
            return Ok(());
        }
        let counter = match metrics.survivors.remove(metric) {
            // It has its place already. (The reference refuses it in a full bucket.)
            Some(survivor) => survivor,
            None if metrics.counters.len() + metrics.survivors.len() >= self.limit => {
                self.own.overflow.add(1);
                return Err(Full);
            }
            None => {
                self.own.added.add(1);
                Arc::default()
            }
        };
        counter.add(1);
        metrics.add(metric, counter);
        Ok(())
    }

    /// Ends a period if it is time.
    fn expire(&self, now: Instant) {
        let mut expires = self.expires.lock().unwrap_or_else(PoisonError::into_inner);
        if now < *expires {
            return;
        }
        *expires = now + self.life;
        drop(expires);
        log::info!("dynstats: bucket '{}' is being reset", self.name);
        let mut metrics = self.metrics.write().unwrap_or_else(PoisonError::into_inner);
        self.own.purged.add(metrics.survivors.len() as u64);
        self.own.purges.add(1);
        metrics.survivors = std::mem::take(&mut metrics.counters).into_iter().collect();
        metrics.places.clear();
    }

    fn read_at(&self, purpose: Purpose, now: Instant) -> Reading {
        let mut reading = Reading::new(self.name.clone(), "dynstats.bucket");
        reading.namespace = Some("values");
        // A few at a time, so that who adds a counter does not wait for all of them to be read. They keep their
        // places: only the report forgets counters.
        while self.read_some(purpose, &mut reading.values) {}
        if purpose != Purpose::Look {
            // Not before: what was counted since the last report is in this one.
            self.expire(now);
        }
        reading
    }

    /// Reads the next counters behind those in `values`; returns whether there were any.
    fn read_some(&self, purpose: Purpose, values: &mut Vec<Value>) -> bool {
        let metrics = self.metrics.read().unwrap_or_else(PoisonError::into_inner);
        let some = metrics.counters.iter().skip(values.len()).take(READ_AT_ONCE);
        let before = values.len();
        values.extend(some.map(|(name, counter)| Value {
            name: name.to_vec().into(),
            style: Style::Counter,
            is_ours: false,
            recent: match purpose {
                Purpose::Report | Purpose::Reset if self.resettable => counter.reset(),
                _ => counter.since_reset(),
            },
            total: counter.get(),
        }));
        values.len() > before
    }
}

impl Metrics {
    fn add(&mut self, metric: &[u8], counter: Arc<Counter>) {
        self.places.insert(metric.into(), self.counters.len());
        self.counters.push((metric.into(), counter));
    }

    fn find(&self, metric: &[u8]) -> Option<&Counter> {
        self.counters.get(*self.places.get(metric)?).map(|(_, counter)| &**counter)
    }
}

impl Live for Bucket {
    fn read(&self, purpose: Purpose) -> Reading {
        self.read_at(purpose, Instant::now())
    }
}

/// Counters that are read under one lock.
const READ_AT_ONCE: usize = 256;

#[cfg(test)]
mod tests {
    use super::super::report::{full, legacy};
    use super::*;

    const LIFE: Duration = Duration::from_secs(3600);

    #[test]
    fn counters_come_up_to_the_limit() {
        let mut global = Object::new("global", "dynstats");
        let bucket = Bucket::new("b", 2, LIFE, true, &mut global, Instant::now());
        for (metric, wanted) in
            [("x", Ok(())), ("y", Ok(())), ("x", Ok(())), ("z", Err(Full)), ("", Ok(()))]
        {
            assert_eq!(bucket.increment(metric.as_bytes()), wanted, "{metric}");
        }
        assert_eq!(full(&bucket.read(Purpose::Look)), "b: origin=dynstats.bucket x=2 y=1 ");
        assert_eq!(
            full(&global.read(Purpose::Look)),
            "global: origin=dynstats b.ops_overflow=1 b.new_metric_add=2 b.no_metric=1 \
             b.metrics_purged=0 b.ops_ignored=0 b.purge_triggered=0 "
        );
    }

    #[test]
    fn an_idle_bucket_counts_nothing_and_is_never_full() {
        let mut global = Object::new("global", "dynstats");
        let bucket = Bucket::new("b", 1, LIFE, true, &mut global, Instant::now()).idle();
        assert!(["x", "y", ""].iter().all(|metric| bucket.increment(metric.as_bytes()).is_ok()));
        assert_eq!(full(&bucket.read(Purpose::Look)), "b: origin=dynstats.bucket ");
    }

    #[test]
    fn resettable_counters_begin_anew_and_looking_changes_nothing() {
        for (resettable, second) in [(true, "x=0 y=1 "), (false, "x=2 y=1 ")] {
            let mut global = Object::new("global", "dynstats");
            let start = Instant::now();
            let bucket = Bucket::new("b", 1000, LIFE, resettable, &mut global, start);
            let read = |purpose| {
                let reading = bucket.read_at(purpose, start);
                let mut line = Vec::new();
                legacy::write(&reading, reading.values.iter(), &mut line);
                String::from_utf8_lossy(&line).into_owned()
            };
            assert_eq!((bucket.increment(b"x"), bucket.increment(b"x")), (Ok(()), Ok(())));
            for purpose in [Purpose::Look, Purpose::Report] {
                assert_eq!(read(purpose), "b: origin=dynstats.bucket x=2 ");
            }
            assert_eq!(bucket.increment(b"y"), Ok(()));
            assert_eq!(read(Purpose::Reset), format!("b: origin=dynstats.bucket {second}"));
            let _ = bucket.read_at(Purpose::Look, start + 9 * LIFE);
            assert_eq!(bucket.read_at(Purpose::Look, start).get("y"), Some(1), "still there");
        }
    }

    #[test]
    fn all_counters_of_a_large_bucket_are_read() {
        let mut global = Object::new("global", "dynstats");
        let bucket = Bucket::new("b", 1000, LIFE, true, &mut global, Instant::now());
        for metric in 0..1000 {
            assert_eq!(bucket.increment(metric.to_string().as_bytes()), Ok(()));
        }
        let values = bucket.read(Purpose::Reset).values;
        let names: Vec<_> = (0..1000).map(|metric| metric.to_string().into_bytes()).collect();
        assert!(values.iter().map(|value| &*value.name).eq(&names));
    }

    #[test]
    fn what_is_not_counted_up_is_forgotten_after_two_periods() {
        let mut global = Object::new("global", "dynstats");
        let start = Instant::now();
        let bucket = Bucket::new("b", 2, LIFE, true, &mut global, start);
        let read = |periods: u32| full(&bucket.read_at(Purpose::Report, start + LIFE * periods));
        let count = |metric: &str| bucket.increment(metric.as_bytes());
        assert_eq!((count("x"), count("y")), (Ok(()), Ok(())));
        // Survivors are not shown, but take their places.
        assert_eq!(read(1), "b: origin=dynstats.bucket x=1 y=1 ");
        assert_eq!(read(1), "b: origin=dynstats.bucket ");
        assert_eq!(count("z"), Err(Full));
        assert_eq!(count("y"), Ok(()));
        assert_eq!(read(2), "b: origin=dynstats.bucket y=2 ");
        assert_eq!(read(2), "b: origin=dynstats.bucket ");
        assert_eq!((count("y"), count("x")), (Ok(()), Ok(())));
        assert_eq!(read(2), "b: origin=dynstats.bucket y=3 x=1 ");
        assert!(full(&global.read(Purpose::Look)).contains("b.metrics_purged=1 "));
        assert!(full(&global.read(Purpose::Look)).contains("b.purge_triggered=2 "));
    }
}

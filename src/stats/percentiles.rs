//! Percentiles of values that scripts observe: `percentile_stats()`.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Counter, Live, Object, Purpose, Reading};
use crate::limits;

/// A named set of keys, each with the last values observed.
///
/// A report shows the percentiles that the report before has taken, and takes those of the values since. Smallest,
/// greatest, sum and number are those since the first value behind the last report that took any.
#[derive(Debug)]
pub struct Percentiles {
    name: String,
    /// Between a key and what is shown of it.
    delimiter: String,
    /// 0 to 100 each.
    percents: Box<[u8]>,
    /// How many values of a key are kept.
    window: usize,
    keys: Mutex<Keys>,
    added: Arc<Counter>,
    overflow: Arc<Counter>,
}

#[derive(Debug, Default)]
struct Keys {
    places: HashMap<Box<[u8]>, usize>,
    /// In the order in which they came.
    keys: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    name: Box<[u8]>,
    values: VecDeque<i64>,
    percentiles: Box<[i64]>,
    min: i64,
    max: i64,
    sum: i64,
    count: i64,
    /// The next value begins anew.
    reported: bool,
}

/// The key is too long, or there are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

impl Percentiles {
    /// A set without keys; `global` gets what it counts about itself.
    #[must_use]
    pub fn new(
        name: &str,
        delimiter: &str,
        percents: &[u8],
        window: usize,
        global: &mut Object,
    ) -> Self {
        Self {
            name: name.to_owned(),
            delimiter: delimiter.to_owned(),
            percents: percents.into(),
            window,
            keys: Mutex::default(),
            added: global.counter(format!("{name}.new_metric_add")),
            overflow: global.counter(format!("{name}.ops_overflow")),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes note of a value of `key`.
    ///
    /// # Errors
    /// There is no such key yet, and it cannot be made.
    pub fn observe(&self, key: &[u8], value: i64) -> Result<(), Refused> {
        let mut keys = self.lock();
        let place = match keys.places.get(key) {
            Some(place) => *place,
            None => self.add(&mut keys, key, value)?,
        };
        let Some(known) = keys.keys.get_mut(place) else { return Err(Refused) };
        if std::mem::take(&mut known.reported) {
            (known.min, known.max, known.sum, known.count) = (value, value, 0, 0);
        }
        known.min = known.min.min(value);
        known.max = known.max.max(value);
        known.sum = known.sum.wrapping_add(value);
        known.count += 1;
        if known.values.len() >= self.window {
            known.values.pop_front();
        }
        known.values.push_back(value);
        Ok(())
    }

    fn add(&self, keys: &mut Keys, key: &[u8], value: i64) -> Result<usize, Refused> {
        let place = keys.keys.len();
        if place >= limits::PERCENTILE_KEYS {
            self.overflow.add(1);
            return Err(Refused);
        }
        if key.len() + self.delimiter.len() + "window_count".len() > NAME_BYTES {
            return Err(Refused);
        }
        self.added.add(1);
        keys.places.insert(key.into(), place);
        keys.keys.push(Key {
            name: key.into(),
            values: VecDeque::new(),
            percentiles: vec![0; self.percents.len()].into(),
            min: value,
            max: value,
            sum: 0,
            count: 0,
            reported: false,
        });
        Ok(place)
    }

    fn lock(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Key {
    fn show(&self, percents: &[u8], delimiter: &str, reading: &mut Reading) {
        let mut gauge = |what: &str, value: i64| {
            let name = [&self.name, delimiter.as_bytes(), what.as_bytes()].concat();
            reading.gauge(name, value);
        };
        for (percent, value) in percents.iter().zip(&self.percentiles) {
            gauge(&format!("p{percent}"), *value);
        }
        gauge("window_min", self.min);
        gauge("window_max", self.max);
        gauge("window_sum", self.sum);
        gauge("window_count", self.count);
    }

    /// Takes the percentiles of the values that are there, and forgets those.
    fn take(&mut self, percents: &[u8]) {
        let values = self.values.make_contiguous();
        values.sort_unstable();
        for (percent, percentile) in percents.iter().zip(&mut self.percentiles) {
            let Some(value) = values.get(place(*percent, values.len())) else { return };
            *percentile = *value;
        }
        self.reported |= !values.is_empty();
        self.values.clear();
    }
}

/// Where among so many sorted values a percentile is. As inexact as the reference: of 100 values the 29th percentile is
/// the 28th.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "0 to the number of values, which is far below 2^52"
)]
fn place(percent: u8, values: usize) -> usize {
    (f64::from(percent) / 100.0 * values as f64 - 1.0).max(0.0) as usize
}

impl Live for Percentiles {
    fn read(&self, purpose: Purpose) -> Reading {
        let mut reading = Reading::new(self.name.clone(), "percentile.bucket");
        reading.namespace = Some("values");
        // One at a time, so that who observes a value does not wait for all of them to be sorted.
        let mut place = 0;
        while let Some(key) = self.lock().keys.get_mut(place) {
            key.show(&self.percents, &self.delimiter, &mut reading);
            if purpose != Purpose::Look {
                key.take(&self.percents);
            }
            place += 1;
        }
        reading
    }
}

/// Longest name of a counter.
const NAME_BYTES: usize = 127;

#[cfg(test)]
mod tests {
    use super::super::report::full;
    use super::*;

    #[test]
    fn a_report_shows_the_percentiles_of_the_one_before() {
        let mut global = Object::new("global", "percentile");
        let set = Percentiles::new("b", "|", &[50, 95, 0, 100], 10, &mut global);
        let observe = |values: &[i64]| {
            for value in values {
                assert_eq!(set.observe(b"k", *value), Ok(()));
            }
        };
        let read = || full(&set.read(Purpose::Report));
        assert_eq!(read(), "b: origin=percentile.bucket ");
        // The first two fall out of the window, but not out of the sum.
        observe(&[100, 200, 10, 9, 8, 7, 6, 5, 4, 3, 2, -1]);
        let window = "k|window_min=-1 k|window_max=200 k|window_sum=353 k|window_count=12 ";
        let start = "b: origin=percentile.bucket ";
        assert_eq!(read(), format!("{start}k|p50=0 k|p95=0 k|p0=0 k|p100=0 {window}"));
        let taken = "k|p50=5 k|p95=9 k|p0=-1 k|p100=10 ";
        assert_eq!(read(), format!("{start}{taken}{window}"));
        observe(&[7]);
        let looked = full(&set.read(Purpose::Look));
        assert_eq!(looked, full(&set.read(Purpose::Look)), "looking takes nothing");
        let window = "k|window_min=7 k|window_max=7 k|window_sum=7 k|window_count=1 ";
        assert_eq!(read(), format!("{start}{taken}{window}"));
        assert_eq!(read(), format!("{start}k|p50=7 k|p95=7 k|p0=7 k|p100=7 {window}"));
        assert_eq!(
            full(&global.read(Purpose::Look)),
            "global: origin=percentile b.new_metric_add=1 b.ops_overflow=0 "
        );
    }

    #[test]
    fn places_are_those_of_the_reference() {
        for (percent, values, wanted) in
            [(0, 7, 0), (50, 1, 0), (95, 20, 18), (100, 3, 2), (29, 100, 27)]
        {
            assert_eq!(place(percent, values), wanted, "{percent} of {values}");
        }
    }

    #[test]
    fn keys_are_bounded() {
        let mut global = Object::new("global", "percentile");
        let set = Percentiles::new("b", ".", &[50], 1, &mut global);
        assert_eq!(set.observe(&[b'k'; 115], 1), Err(Refused));
        assert_eq!(set.observe(&[b'k'; 114], 1), Ok(()));
        for key in 1..limits::PERCENTILE_KEYS {
            assert_eq!(set.observe(key.to_string().as_bytes(), 1), Ok(()));
        }
        assert_eq!(set.observe(b"one more", 1), Err(Refused));
        assert_eq!(set.observe(b"1", 1), Ok(()));
        assert!(full(&global.read(Purpose::Look)).contains("b.ops_overflow=1 "));
    }
}

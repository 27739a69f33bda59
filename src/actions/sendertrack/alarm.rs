//! Alarms about senders that fall silent, and about those that send too much.
//!
//! All senders are looked at every `alarm.interval` seconds. A state lasts from one look to the next, and is told
//! when it begins and when it ends; of each kind at most [`limits::SENDER_ALARMS`] by name, the others by number.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::counters::Counters;
use super::state;
use super::table::{Stat, Table, Watch};
use crate::limits;
use crate::sys::clock;
use crate::task::Task;

/// What looks at the senders of an action.
pub(super) struct Alarm {
    pub(super) table: Arc<Table>,
    pub(super) counters: Arc<Counters>,
    pub(super) settings: Settings,
    /// Name of the action, for messages.
    pub(super) action: String,
    /// When it looked last; and the wall clock when it began, since when silence counts.
    pub(super) looked: Instant,
    pub(super) began: i64,
}

/// What the configuration says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    /// Seconds without a message that are a silence.
    pub(super) silence: Option<i64>,
    /// Messages per second that are too many.
    pub(super) rate: Option<u64>,
    /// Time between two looks.
    pub(super) interval: Duration,
}

/// What one look has found: what is to be told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    /// Senders that are silent now.
    pub(super) silent: u64,
    /// Senders above the rate now.
    pub(super) flooding: u64,
    fell_silent: Told,
    came_back: Told,
    too_fast: Told,
    slower: Told,
}

/// Some senders by name with a number each, others by number only.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    named: Vec<(String, u64)>,
    more: u64,
}

impl Told {
    fn add(&mut self, name: &[u8], number: u64) {
        if self.named.len() < limits::SENDER_ALARMS {
            let mut shown = Vec::new();
            state::write_name(name.get(..NAME_BYTES).unwrap_or(name), &mut shown);
            self.named.push((String::from_utf8_lossy(&shown).into_owned(), number));
        } else {
            self.more += 1;
        }
    }

    fn len(&self) -> u64 {
        self.named.len() as u64 + self.more
    }

    /// One message per sender that has a name, and one for the others.
    fn tell(
        &self,
        level: log::Level,
        action: &str,
        what: impl Fn(u64) -> String,
        others: &dyn fmt::Display,
    ) {
        for (name, number) in &self.named {
            log::log!(level, "omsendertrack: {action}: sender \"{name}\" {}", what(*number));
        }
        if self.more > 0 {
            log::log!(level, "omsendertrack: {action}: {} more senders {others}", self.more);
        }
    }
}

impl Settings {
    /// Looks at all senders, `elapsed` after the look before. Silence counts since `began` at most: while the daemon
    /// was down nobody could be heard.
    pub(super) fn look(&self, table: &Table, now: i64, began: i64, elapsed: Duration) -> News {
        let mut news = News::default();
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
        table.watch(|name, stat, watch| {
            self.look_at(name, stat, watch, now, began, millis, &mut news);
        });
        news
    }

    #[allow(clippy::too_many_arguments, reason = "one call, right above")]
    fn look_at(
        &self,
        name: &[u8],
        stat: &Stat,
        watch: &mut Watch,
        now: i64,
        began: i64,
        millis: u64,
        news: &mut News,
    ) {
        if let Some(limit) = self.silence {
            let seconds = now.saturating_sub(stat.last.max(began));
            let silent = seconds > limit;
            news.silent += u64::from(silent);
            if silent != std::mem::replace(&mut watch.silent, silent) {
                let told = if silent { &mut news.fell_silent } else { &mut news.came_back };
                told.add(name, seconds.unsigned_abs());
            }
        }
        if let Some(limit) = self.rate {
            let messages = stat.messages.saturating_sub(watch.messages);
            let rate = messages.saturating_mul(1000) / millis;
            let flooding = rate > limit;
            news.flooding += u64::from(flooding);
            if flooding != std::mem::replace(&mut watch.flooding, flooding) {
                let told = if flooding { &mut news.too_fast } else { &mut news.slower };
                told.add(name, rate);
            }
        }
        watch.messages = stat.messages;
    }
}

impl Task for Alarm {
    fn interval(&self) -> Option<Duration> {
        Some(self.settings.interval)
    }

    fn start(&mut self) {
        // What a file says of earlier days is not what came since the last look.
        self.table.watch(|_, stat, watch| watch.messages = stat.messages);
        self.looked = Instant::now();
        self.began = clock::now_secs();
    }

    fn run(&mut self) {
        let now = Instant::now();
        let elapsed = now - std::mem::replace(&mut self.looked, now);
        let news = self.settings.look(&self.table, clock::now_secs(), self.began, elapsed);
        let Self { counters, settings, action, .. } = self;
        counters.silent.set(news.silent);
        counters.flooding.set(news.flooding);
        counters.silence_alarms.add(news.fell_silent.len());
        counters.rate_alarms.add(news.too_fast.len());
        news.tell(action, settings);
    }
}

impl News {
    fn tell(&self, action: &str, settings: &Settings) {
        use log::Level::{Info, Warn};
        let silence = settings.silence.unwrap_or_default();
        let rate = settings.rate.unwrap_or_default();
        self.fell_silent.tell(
            Warn,
            action,
            |seconds| format!("has been silent for {seconds} seconds"),
            &format_args!("have been silent for more than {silence} seconds"),
        );
        self.came_back.tell(Info, action, |_| "sends again".to_owned(), &"send again");
        self.too_fast.tell(
            Warn,
            action,
            |seen| format!("sends {seen} messages per second; more than {rate} are an alarm"),
            &format_args!("send more than {rate} messages per second"),
        );
        self.slower.tell(
            Info,
            action,
            |seen| format!("sends {seen} messages per second again"),
            &format_args!("send no more than {rate} messages per second again"),
        );
    }
}

/// Bytes of an id that a message shows.
const NAME_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::super::table::Tally;
    use super::*;

    fn send(table: &Table, name: &str, messages: usize, now: i64) {
        let mut tally = Tally::default();
        for _ in 0..messages {
            tally.add(table, |out| out.extend_from_slice(name.as_bytes()));
        }
        table.count(&mut tally, now);
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn silence_is_told_when_it_begins_and_when_it_ends() {
        let settings = Settings { silence: Some(10), rate: None, interval: SECOND };
        let table = Table::new(10);
        send(&table, "a", 1, 100);
        send(&table, "b", 1, 105);
        let look = |now, began| {
            let news = settings.look(&table, now, began, SECOND);
            let names = |told: &Told| {
                told.named.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>().join(",")
            };
            (news.silent, names(&news.fell_silent), names(&news.came_back))
        };
        let is = |silent: u64, fell: &str, back: &str| (silent, fell.to_owned(), back.to_owned());
        assert_eq!(look(110, 0), is(0, "", ""));
        assert_eq!(look(111, 108), is(0, "", ""), "nobody listened before 108");
        assert_eq!(look(111, 0), is(1, "a", ""));
        assert_eq!(look(112, 0), is(1, "", ""), "told once");
        send(&table, "a", 1, 115);
        assert_eq!(look(116, 0), is(1, "b", "a"));
        assert_eq!(look(90, 0), is(0, "", "b"), "a clock that was set back");
    }

    #[test]
    fn rates_are_those_since_the_look_before() {
        let settings = Settings { silence: None, rate: Some(10), interval: SECOND };
        let table = Table::new(10);
        let look = |millis| {
            let news = settings.look(&table, 0, 0, Duration::from_millis(millis));
            (news.flooding, news.too_fast.named, news.slower.named)
        };
        send(&table, "a", 20, 1);
        assert_eq!(look(2000), (0, vec![], vec![]), "10 per second is not above 10");
        send(&table, "a", 22, 1);
        assert_eq!(look(2000), (1, vec![("a".to_owned(), 11)], vec![]));
        send(&table, "a", 22, 1);
        assert_eq!(look(2000), (1, vec![], vec![]));
        table.change("a".as_bytes(), |stat| stat.messages = 0);
        assert_eq!(look(2000), (0, vec![], vec![("a".to_owned(), 0)]), "RESET");
    }

    #[test]
    fn names_are_bounded() {
        let settings = Settings { silence: Some(1), rate: None, interval: SECOND };
        let table = Table::new(1000);
        for n in 0..100 {
            send(&table, &format!("{n}{}", "x".repeat(1000)), 1, 0);
        }
        let news = settings.look(&table, 100, 0, SECOND);
        assert_eq!(news.fell_silent.named.len(), limits::SENDER_ALARMS);
        assert_eq!(news.fell_silent.len(), 100);
        assert!(news.fell_silent.named.iter().all(|(name, _)| name.len() == NAME_BYTES));
    }
}

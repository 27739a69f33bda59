//! The table for others to show: the senders with the most messages, and those that fell silent.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::table::{Stat, Table};
use crate::stats::senders::{Report, Row, Senders};

/// Seconds of silence worth showing where no alarm says how many.
const SILENCE: i64 = 300;

/// What shows the table of an action.
pub(super) struct Show {
    pub(super) table: Arc<Table>,
    /// The action's name.
    pub(super) action: String,
    /// `alarm.silence`.
    pub(super) silence: Option<i64>,
}

impl std::fmt::Debug for Show {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Show").field("action", &self.action).finish_non_exhaustive()
    }
}

impl Senders for Show {
    fn look(&self, most: usize, now: i64) -> Report {
        let silence = self.silence.unwrap_or(SILENCE);
        let (mut top, mut gone) = (Best::new(most), Best::new(most));
        let (mut senders, mut silent) = (0, 0);
        self.table.each(|name, stat| {
            senders += 1;
            top.offer(name, stat);
            if now.saturating_sub(stat.last) > silence {
                silent += 1;
                gone.offer(name, stat);
            }
        });
        let (name, top, gone) = (self.action.clone(), top.rows(), gone.rows());
        Report { name, senders, top, silent, gone, silence }
    }
}

/// Messages, id, first and last second.
type Ranked = (Reverse<u64>, Box<[u8]>, i64, i64);

/// The senders with the most messages of those offered.
struct Best {
    most: usize,
    /// Fewest messages first; then the id that is last in order.
    heap: BinaryHeap<Ranked>,
}

impl Best {
    fn new(most: usize) -> Self {
        Self { most, heap: BinaryHeap::new() }
    }

    fn offer(&mut self, name: &[u8], stat: &Stat) {
        let full = self.heap.len() >= self.most;
        let worst = self.heap.peek();
        if full && worst.is_none_or(|worst| (Reverse(stat.messages), name) >= (worst.0, &*worst.1))
        {
            return;
        }
        if full {
            self.heap.pop();
        }
        self.heap.push((Reverse(stat.messages), name.into(), stat.first, stat.last));
    }

    fn rows(self) -> Vec<Row> {
        let sorted = self.heap.into_sorted_vec().into_iter();
        sorted
            .map(|(Reverse(messages), sender, first, last)| Row { sender, messages, first, last })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_messages_come_first() {
        let table = Table::new(1000);
        for n in 0..100_u64 {
            let stat = Stat { messages: n / 2, first: 0, last: if n % 3 == 0 { 0 } else { 900 } };
            assert!(table.load(format!("s{n:02}").as_bytes(), stat));
        }
        let show = Show { table: Arc::new(table), action: "a".to_owned(), silence: None };
        let report = show.look(3, 1000);
        let names = |rows: &[Row]| {
            rows.iter()
                .map(|row| String::from_utf8_lossy(&row.sender).into_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&report.top), ["s98", "s99", "s96"]);
        assert_eq!(names(&report.gone), ["s99", "s96", "s93"]);
        assert_eq!((report.senders, report.silent, report.silence), (100, 34, 300));
        assert_eq!(show.look(0, 1000).top, []);
    }
}

//! Work for the tests of this folder: numbered messages with a severity.

use super::{Settings, Work};
use crate::message::FlowControl;
use crate::param::Args;

/// The defaults of a ruleset's queue, but that a worker takes one batch at a time.
pub(super) fn settings() -> Settings {
    let args = Args::defaults(&[crate::config::tables::QUEUE_RULESET]);
    Settings { take: 1, ..Settings::from_args(&args) }
}

/// Messages `(number, severity)` of ten bytes each.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Numbers(pub(super) Vec<(u32, u8)>);

impl Numbers {
    /// One message per number.
    pub(super) fn of(ids: std::ops::Range<u32>, severity: u8) -> Self {
        Self(ids.map(|id| (id, severity)).collect())
    }
}

impl Work for Numbers {
    fn len(&self) -> usize {
        self.0.len()
    }
    fn bytes(&self) -> u64 {
        10 * self.0.len() as u64
    }
    fn split_off(&mut self, at: usize) -> Self {
        Self(self.0.split_off(at))
    }
    fn retain(&mut self, keep: &mut dyn FnMut(usize, u8) -> bool) {
        let mut index = 0;
        self.0.retain(|message| {
            index += 1;
            keep(index - 1, message.1)
        });
    }
    fn flow(&self) -> FlowControl {
        FlowControl::Full
    }
}

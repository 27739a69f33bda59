//! omsendertrack: how many messages each sender has sent, and when, kept in a file.
//!
//! ```text
//! worker: render the id ─► Tally ─commit─► Table (shards) ─copy─► Keeper: state file, commands   (control thread)
//!                                                     └─────────► Alarm: silence, rates          (control thread)
//! ```
//! - `table`: the senders in memory; `state` their file; `keeper` reads and writes it.
//! - `commands`: what an administrator asks for on HUP; `alarm`: what senders do that somebody should know;
//!   `show`: what is shown of them over HTTP.
//!
//! Messages are only counted: nothing is written, lost or retried here, so the action is never suspended.

mod alarm;
mod commands;
mod counters;
mod keeper;
mod params;
mod show;
mod state;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::counters::Counters;
use self::table::{Table, Tally};
use super::{Failure, Lost, Output, OutputKind, OutputWorker};
use crate::message::Msg;
use crate::sys::clock;
use crate::template::Template;

/// The omsendertrack module.
pub static KIND: OutputKind = OutputKind { module: &params::MODULE, build: params::build };

struct SenderTrack {
    id: Arc<Template>,
    table: Arc<Table>,
    counters: Arc<Counters>,
}

impl Output for SenderTrack {
    fn worker(self: Arc<Self>) -> Box<dyn OutputWorker> {
        Box::new(Worker { output: self, tally: Tally::default() })
    }
}

struct Worker {
    output: Arc<SenderTrack>,
    tally: Tally,
}

impl OutputWorker for Worker {
    fn push(&mut self, msg: &Msg<'_>, _lost: &mut Lost<'_>) -> Result<(), Failure> {
        let SenderTrack { id, table, .. } = &*self.output;
        self.tally.add(table, |out| id.render(msg, out));
        Ok(())
    }

    fn commit(&mut self, _lost: &mut Lost<'_>) -> Result<(), Failure> {
        let SenderTrack { table, counters, .. } = &*self.output;
        let counted = table.count(&mut self.tally, clock::now_secs());
        counters.messages.add(counted.messages);
        counters.others.add(counted.others);
        Ok(())
    }

    fn is_transactional(&self) -> bool {
        false
    }

    fn pending(&self) -> usize {
        self.tally.len()
    }

    fn discard(&mut self, why: &Failure, lost: &mut Lost<'_>) {
        self.tally.each(|name, messages| (0..messages).for_each(|_| lost(why, name)));
        self.tally.clear();
    }

    fn resume(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

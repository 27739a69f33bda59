//! `Msg`: the only way templates, filters and actions see a message.

use std::sync::Arc;

use super::batch::Batch;
use super::record::{Field, Record, Span};
use super::sender::Sender;
use super::timestamp::Zone;
use super::vars::{Globals, Vars};

/// What is the same for all messages of one round of rule evaluation: the time, the zone, the host.
#[derive(Debug, Clone)]
pub struct Env {
    /// Wall clock of the round, microseconds since the epoch (`$now` and friends).
    pub now: i64,
    /// The local time zone.
    pub zone: Zone,
    /// `$myhostname`.
    pub hostname: Box<[u8]>,
    /// Seconds since boot (`$uptime`).
    pub uptime: u64,
    /// `$/`, and how variables are named and written.
    pub globals: Arc<Globals>,
}

/// A view of one message.
#[derive(Clone, Copy)]
pub struct Msg<'a> {
    /// The batch that holds the message.
    pub batch: &'a Batch,
    /// The message's record.
    pub record: &'a Record,
    /// The round's environment.
    pub env: &'a Env,
    /// The message's variables.
    pub vars: &'a Vars,
}

impl<'a> Msg<'a> {
    /// The message at `index` of `batch`, if there is one, with the variables its input has given it.
    #[must_use]
    pub fn at(batch: &'a Batch, index: usize, env: &'a Env) -> Option<Self> {
        let record = batch.record(index)?;
        Some(Self { batch, record, env, vars: batch.vars_of(record) })
    }

    /// The same message with these variables.
    #[must_use]
    pub fn with_vars<'v>(&self, vars: &'v Vars) -> Msg<'v>
    where
        'a: 'v,
    {
        Msg { vars, ..*self }
    }

    /// The complete message text, after sanitising.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.batch.bytes.get(self.record.raw)
    }

    /// The MSG part.
    #[must_use]
    pub fn msg(&self) -> &'a [u8] {
        self.batch.bytes.get(self.record.msg)
    }

    /// A header field's text.
    #[must_use]
    pub fn field(&self, field: Field) -> &'a [u8] {
        let start = self.record.raw.start + u32::from(field.start);
        self.batch.bytes.get(Span { start, len: u32::from(field.len) })
    }

    /// The message's origin.
    #[must_use]
    pub fn sender(&self) -> &'a Sender {
        // Invariant of `Batch`: every record's sender exists.
        &self.batch.senders[usize::from(self.record.sender)]
    }
}

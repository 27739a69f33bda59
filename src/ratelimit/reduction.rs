//! `$RepeatedMsgReduction`: messages that say the same as the one before are held back, and become
//! ` message repeated n times: [text]` when another one comes, or at the end.
//!
//! The same are MSG, host name, program name and process id. Of those held back the newest is kept, so that
//! what is shown in the end has its time; one alone is shown as it is.

use crate::message::{Batch, Env, Msg, Property, Record};

/// Bytes of the repeated text that are shown.
const SHOWN_BYTES: usize = 800;

/// What is known about the message before.
#[derive(Debug, Default)]
pub struct Repetition {
    last: Option<Last>,
    /// Messages held back since the last that passed.
    held: u64,
}

/// The message before.
#[derive(Debug)]
enum Last {
    /// In the batch being looked at, at this place.
    Here(usize),
    /// A copy, the only message of this batch.
    Copy(Box<Batch>),
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug)]
pub enum Verdict {
    /// It is held back.
    Held,
    /// It passes, after the record that tells about those held back before it, which lies in the same batch.
    Passes(Option<Record>),
}

impl Repetition {
    /// Judges the message at `index`, which is parsed. [`Repetition::keep`] must be called before the batch
    /// goes on.
    pub fn judge(&mut self, batch: &mut Batch, index: usize, env: &Env) -> Verdict {
        if self.repeats(batch, index, env) {
            self.held += 1;
            self.last = Some(Last::Here(index));
            return Verdict::Held;
        }
        let told = self.tell(batch);
        self.last = Some(Last::Here(index));
        Verdict::Passes(told)
    }

    /// Copies what is needed of the batch, which goes on.
    pub fn keep(&mut self, batch: &Batch) {
        if let Some(Last::Here(index)) = self.last {
            self.last = batch.single(index).map(|copy| Last::Copy(Box::new(copy)));
        }
    }

    /// The end: what is still to be told, as a batch of one message.
    pub fn finish(&mut self) -> Option<Batch> {
        let mut batch = Batch::default();
        let record = self.tell(&mut batch);
        self.last = None;
        batch.records.push(record?);
        Some(batch)
    }

    fn repeats(&self, batch: &Batch, index: usize, env: &Env) -> bool {
        let last = match &self.last {
            None => None,
            Some(Last::Here(place)) => Msg::at(batch, *place, env),
            Some(Last::Copy(copy)) => Msg::at(copy, 0, env),
        };
        let (Some(last), Some(msg)) = (last, Msg::at(batch, index, env)) else { return false };
        let same = |property| {
            let (mut a, mut b) = (Vec::new(), Vec::new());
            msg.property(property, &mut a) == last.property(property, &mut b)
        };
        msg.msg() == last.msg()
            && same(&Property::Hostname)
            && same(&Property::ProcId)
            && same(&Property::AppName)
    }

    /// The record about what was held back, its bytes in `batch`; the count begins anew.
    fn tell(&mut self, batch: &mut Batch) -> Option<Record> {
        let held = std::mem::take(&mut self.held);
        if held == 0 {
            return None;
        }
        let mut record = match self.last.as_ref()? {
            Last::Here(index) => *batch.records.get(*index)?,
            Last::Copy(copy) => batch.adopt(copy, 0)?,
        };
        if held > 1 {
            let msg = batch.bytes.get(record.msg);
            let mut text = format!(" message repeated {held} times: [").into_bytes();
            text.extend_from_slice(msg.get(..SHOWN_BYTES).unwrap_or(msg));
            text.push(b']');
            batch.replace_msg(&mut record, &text);
        }
        Some(record)
    }
}

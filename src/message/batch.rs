//! Messages travel in batches: one buffer of bytes, one list of records, few senders.
//!
//! ```text
//! bytes   |<13>Oct 11 22:14:15 h t: a\n<13>Oct 11 …\n<13>Oct ..|        spare        |
//!         ^ records[0].raw             ^ records[1].raw         ^ used               ^ capacity
//! ```
//! Invariants: every span of every record lies within `..used`; `senders[record.sender]` exists.
//! Three stages, three types: [`Builder`] (an input's worker appends) → [`Batch`] (one owner parses and
//! runs rules) → `Arc<Batch>` (frozen; several asynchronous actions read it).

use std::ops::Range;
use std::sync::{Arc, Mutex};

use super::copy::extent;
use super::record::{Flags, NO_VARS, Record, Span};
use super::sender::Sender;
use super::submit::FlowControl;
use super::vars::Vars;
use crate::limits;

/// The bytes of a batch: always initialised up to its capacity, used up to `used`.
#[derive(Debug, Default)]
pub struct Bytes {
    storage: Vec<u8>,
    used: usize,
}

impl Bytes {
    fn with_capacity(capacity: usize) -> Self {
        Self { storage: vec![0; capacity], used: 0 }
    }

    /// The used bytes.
    #[must_use]
    pub fn used(&self) -> &[u8] {
        self.storage.get(..self.used).unwrap_or_default()
    }

    /// How many bytes are used.
    #[must_use]
    pub fn len(&self) -> usize {
        self.used
    }

    /// Whether no byte is used.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// The bytes a span names; empty where it lies outside.
    #[must_use]
    pub fn get(&self, span: Span) -> &[u8] {
        self.storage.get(span.range()).unwrap_or_default()
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, span: Span) -> &mut [u8] {
        self.storage.get_mut(span.range()).unwrap_or_default()
    }

    /// Copies `text` to the end and returns its span. Grows where there is no room.
    pub fn append(&mut self, text: &[u8]) -> Span {
        let start = self.used;
        self.reserve(text.len());
        if let Some(room) = self.storage.get_mut(start..start + text.len()) {
            room.copy_from_slice(text);
        }
        self.used += text.len();
        Span::new(start, text.len())
    }

    /// Makes room for `n` more bytes.
    pub fn reserve(&mut self, n: usize) {
        let wanted = self.used + n;
        if wanted > self.storage.len() {
            self.storage.resize(wanted.max(self.storage.len() * 2), 0);
        }
    }

    /// The unused bytes, to be read into; then call [`Bytes::advance`].
    pub fn spare_mut(&mut self) -> &mut [u8] {
        self.storage.get_mut(self.used..).unwrap_or_default()
    }

    /// The used bytes, to read while writing into the unused ones; then call [`Bytes::advance`].
    pub fn used_and_spare_mut(&mut self) -> (&[u8], &mut [u8]) {
        let (used, spare) = self.storage.split_at_mut(self.used);
        (used, spare)
    }

    /// Copies the bytes a span names to the end and returns the copy's span.
    pub fn append_copy(&mut self, span: Span) -> Span {
        let len = self.get(span).len();
        self.reserve(len);
        let start = self.used;
        let (used, spare) = self.used_and_spare_mut();
        if let (Some(from), Some(to)) = (used.get(span.range()), spare.get_mut(..len)) {
            to.copy_from_slice(from);
        }
        self.used += len;
        Span::new(start, len)
    }

    /// Takes `n` bytes of the spare part as used.
    pub fn advance(&mut self, n: usize) {
        self.used = (self.used + n).min(self.storage.len());
    }

    /// Gives the used bytes from `len` on back: no record names them.
    pub fn truncate(&mut self, len: usize) {
        self.used = self.used.min(len);
    }
}

/// Messages with one owner: parsed and filtered in place.
#[derive(Debug, Default)]
pub struct Batch {
    /// Message texts.
    pub bytes: Bytes,
    /// One record per message.
    pub records: Vec<Record>,
    /// Origins, named by [`Record::sender`].
    pub senders: Vec<Arc<Sender>>,
    /// How the input wants to be held up; set by the queue that takes the batch.
    pub flow: FlowControl,
    /// Variables that messages came with, named by [`Record::vars`].
    pub vars: Vec<Vars>,
    /// Messages as modifiers have changed them.
    pub later: Vec<Record>,
    /// What is given back when the batch is gone.
    pub held: Option<Box<dyn Held>>,
}

/// What an input lends a batch, e.g. a part of its memory budget: dropped with the batch.
pub trait Held: std::fmt::Debug + Send + Sync {}

impl Batch {
    /// A batch of one message, with the message's own storage: the first `len` bytes of `text`.
    #[must_use]
    pub fn of_one(
        text: Vec<u8>,
        len: usize,
        received: i64,
        sender: Arc<Sender>,
        flags: Flags,
    ) -> Self {
        let used = len.min(text.len());
        Self {
            records: vec![Record::unparsed(Span::new(0, used), received, 0, flags)],
            bytes: Bytes { storage: text, used },
            senders: vec![sender],
            ..Self::default()
        }
    }

    /// Number of messages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The record at this place; those of changed messages come behind the others.
    #[must_use]
    pub fn record(&self, index: usize) -> Option<&Record> {
        match index.checked_sub(self.records.len()) {
            None => self.records.get(index),
            Some(later) => self.later.get(later),
        }
    }

    /// Sum of the raw message lengths (`size.enqueued` of a queue's counters).
    #[must_use]
    pub fn raw_bytes(&self) -> u64 {
        self.records.iter().map(|r| u64::from(r.raw.len)).sum()
    }

    /// The variables a message of this batch came with.
    #[must_use]
    pub fn vars_of(&self, record: &Record) -> &Vars {
        static NONE: Vars = Vars::NONE;
        self.vars.get(record.vars as usize).unwrap_or(&NONE)
    }

    /// A batch of its own for some of the messages, with these variables, one by one, or with those they came with.
    #[must_use]
    pub fn extract(&self, places: &[u32], vars: &[Vars]) -> Self {
        let mut copy = Self { senders: self.senders.clone(), flow: self.flow, ..Self::default() };
        for (i, place) in places.iter().enumerate() {
            let Some(record) = self.record(*place as usize) else { continue };
            let mut record = *record;
            let extent = copy.bytes.append(self.bytes.get(extent(&record)));
            let vars = vars.get(i).unwrap_or_else(|| self.vars_of(&record));
            record.vars = NO_VARS;
            if !vars.is_none() {
                record.vars = u32::try_from(copy.vars.len()).unwrap_or(NO_VARS);
                copy.vars.push(vars.clone());
            }
            let inside = record.msg.start.checked_sub(record.raw.start);
            match inside.filter(|at| at + record.msg.len <= extent.len) {
                Some(at) => record.msg.start = extent.start + at,
                None => record.msg = copy.bytes.append(self.bytes.get(record.msg)),
            }
            record.raw.start = extent.start;
            copy.records.push(record);
        }
        copy
    }

    /// Cuts the batch in two: `self` keeps the first `at` messages, the rest is copied out.
    /// Only for batches that no modifier has touched and only where a queue has room for a part.
    #[must_use]
    pub fn split_off(&mut self, at: usize) -> Self {
        let rest = self.records.split_off(at.min(self.records.len()));
        let mut bytes = Bytes::default();
        bytes.reserve(rest.iter().map(|r| extent(r).len as usize).sum());
        let records = rest
            .into_iter()
            .map(|mut record| {
                let msg_offset = record.msg.start.wrapping_sub(record.raw.start);
                record.raw.start = bytes.append(self.bytes.get(extent(&record))).start;
                record.msg.start = record.raw.start.wrapping_add(msg_offset);
                record
            })
            .collect();
        let (senders, vars) = (self.senders.clone(), self.vars.clone());
        Self { bytes, records, senders, flow: self.flow, vars, later: Vec::new(), held: None }
    }
}

/// A batch under construction; one worker appends to it.
#[derive(Debug)]
pub struct Builder {
    batch: Batch,
    pool: Arc<Pool>,
}

impl Builder {
    /// An empty builder with storage from `pool`.
    #[must_use]
    pub fn new(pool: Arc<Pool>) -> Self {
        Self { batch: pool.take(), pool }
    }

    /// The bytes, to read into and to append to.
    pub fn bytes(&mut self) -> &mut Bytes {
        &mut self.batch.bytes
    }

    /// Adds a message whose text is already in [`Builder::bytes`].
    pub fn push(&mut self, raw: Span, received: i64, sender: &Arc<Sender>, flags: Flags) {
        let index = self.sender_index(sender);
        self.push_from(raw, received, index, flags);
    }

    /// Adds a message from the sender at `index`, which [`Builder::sender_index`] gave since the last seal.
    pub fn push_from(&mut self, raw: Span, received: i64, index: u16, flags: Flags) {
        self.batch.records.push(Record::unparsed(raw, received, index, flags));
    }

    /// Finds messages in the used bytes from `start` on: `decode` sees them and appends what it finds.
    pub fn decode<R>(
        &mut self,
        start: usize,
        decode: impl FnOnce(&[u8], &mut Appender<'_>) -> R,
    ) -> R {
        let Batch { bytes, records, senders, .. } = &mut self.batch;
        let start = start.min(bytes.used);
        let (used, spare) = bytes.storage.split_at_mut(bytes.used);
        let mut appender = Appender {
            start,
            records,
            senders,
            spare_start: bytes.used,
            spare,
            appended: 0,
            overflow: Vec::new(),
        };
        let result = decode(used.get(start..).unwrap_or_default(), &mut appender);
        let Appender { appended, overflow, .. } = appender;
        bytes.used += appended;
        if !overflow.is_empty() {
            // Its spans count from the storage's end; the bytes in between stay unused.
            bytes.storage.extend_from_slice(&overflow);
            bytes.used = bytes.storage.len();
        }
        result
    }

    /// Adds a message made by the daemon itself, with its fields already set; `record.sender` is filled in.
    pub fn push_record(&mut self, mut record: Record, sender: &Arc<Sender>) {
        record.sender = self.sender_index(sender);
        self.batch.records.push(record);
    }

    /// Puts `sender` in the batch and returns its index, valid until the next seal. Ask only with a message
    /// at hand, so that a batch has no more senders than records. A caller whose senders alternate keeps
    /// the index: only the latest sender is recognised here.
    pub fn sender_index(&mut self, sender: &Arc<Sender>) -> u16 {
        sender_index(&mut self.batch.senders, sender)
    }

    /// Gives the message added last its variables.
    pub fn set_vars(&mut self, vars: Vars) {
        if let Some(record) = self.batch.records.last_mut() {
            record.vars = u32::try_from(self.batch.vars.len()).unwrap_or(NO_VARS);
            self.batch.vars.push(vars);
        }
    }

    /// Number of messages so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.len()
    }

    /// Whether there is no message yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Whether it is time to [`Builder::seal`]: enough records, or too little room for a receive.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.batch.len() >= limits::BATCH_RECORDS
            || self.batch.bytes.storage.len() - self.batch.bytes.used < limits::RECV_BYTES_MIN
    }

    /// Hands the batch out and starts a new one. A batch that uses little of its storage is copied into
    /// storage of its own size, so that a queue of small batches holds no large buffers.
    #[must_use]
    pub fn seal(&mut self) -> Batch {
        self.seal_copying_below(self.batch.bytes.storage.len() / 4)
    }

    /// The same for an input that is not paced, whose batches fill the queue when that falls behind: copied
    /// unless most of the storage is used.
    #[must_use]
    pub fn seal_dense(&mut self) -> Batch {
        self.seal_copying_below(self.batch.bytes.storage.len() / 4 * 3)
    }

    fn seal_copying_below(&mut self, least: usize) -> Batch {
        if self.batch.bytes.used < least {
            let small = Batch {
                bytes: Bytes {
                    storage: self.batch.bytes.used().to_vec(),
                    used: self.batch.bytes.used,
                },
                records: self.batch.records.clone(),
                senders: std::mem::take(&mut self.batch.senders),
                flow: FlowControl::default(),
                vars: std::mem::take(&mut self.batch.vars),
                later: Vec::new(),
                held: None,
            };
            self.batch.records.clear();
            self.batch.bytes.used = 0;
            return small;
        }
        std::mem::replace(&mut self.batch, self.pool.take())
    }
}

/// The index of `sender` in a batch's list; appended unless it was the last one.
fn sender_index(senders: &mut Vec<Arc<Sender>>, sender: &Arc<Sender>) -> u16 {
    if !senders.last().is_some_and(|last| Arc::ptr_eq(last, sender)) {
        senders.push(Arc::clone(sender));
    }
    // A builder is full at BATCH_RECORDS records, and a sender is pushed only with a record.
    u16::try_from(senders.len() - 1).unwrap_or(u16::MAX)
}

/// Appends messages to a builder while its bytes are being read ([`Builder::decode`]).
#[derive(Debug)]
pub struct Appender<'a> {
    start: usize,
    records: &'a mut Vec<Record>,
    senders: &'a mut Vec<Arc<Sender>>,
    spare_start: usize,
    spare: &'a mut [u8],
    appended: usize,
    /// What found no room in `spare`; lies behind it.
    overflow: Vec<u8>,
}

impl Appender<'_> {
    /// Adds a message that lies in the decoded bytes.
    pub fn frame(&mut self, at: Range<usize>, received: i64, sender: &Arc<Sender>, flags: Flags) {
        let raw = Span::new(self.start + at.start, at.len());
        self.push(raw, received, sender, flags);
    }

    /// Adds a message that is `head` followed by `tail`; both are copied.
    pub fn joined(
        &mut self,
        head: &[u8],
        tail: &[u8],
        received: i64,
        sender: &Arc<Sender>,
        flags: Flags,
    ) {
        let len = head.len() + tail.len();
        let room = self.spare.get_mut(self.appended..self.appended + len);
        let start = match room.and_then(|room| room.split_at_mut_checked(head.len())) {
            Some((first, second)) if self.overflow.is_empty() => {
                first.copy_from_slice(head);
                second.copy_from_slice(tail);
                let start = self.spare_start + self.appended;
                self.appended += len;
                start
            }
            _ => {
                let start = self.spare_start + self.spare.len() + self.overflow.len();
                self.overflow.extend_from_slice(head);
                self.overflow.extend_from_slice(tail);
                start
            }
        };
        self.push(Span::new(start, len), received, sender, flags);
    }

    fn push(&mut self, raw: Span, received: i64, sender: &Arc<Sender>, flags: Flags) {
        let index = sender_index(self.senders, sender);
        self.records.push(Record::unparsed(raw, received, index, flags));
    }
}

/// Batches with full-size storage, kept for reuse: last in, first out, so the warm one comes back.
#[derive(Debug, Default)]
pub struct Pool {
    free: Mutex<Vec<Batch>>,
}

impl Pool {
    /// A batch with [`limits::BATCH_BYTES`] of storage.
    pub fn take(&self) -> Batch {
        let reused = self.free.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop();
        reused.unwrap_or_else(|| Batch {
            bytes: Bytes::with_capacity(limits::BATCH_BYTES),
            records: Vec::with_capacity(limits::BATCH_RECORDS),
            senders: Vec::new(),
            flow: FlowControl::default(),
            vars: Vec::new(),
            later: Vec::new(),
            held: None,
        })
    }

    /// Gives a batch back. Storages of another size, and more than [`limits::POOL_STORAGES`], are freed.
    pub fn give(&self, mut batch: Batch) {
        if batch.bytes.storage.len() != limits::BATCH_BYTES {
            return;
        }
        batch.bytes.used = 0;
        batch.records.clear();
        // One receive of tiny messages makes a list of megabytes; the usual one stays below twice the limit.
        batch.records.shrink_to(2 * limits::BATCH_RECORDS);
        batch.senders.clear();
        batch.vars.clear();
        batch.later.clear();
        batch.later.shrink_to(2 * limits::BATCH_RECORDS);
        batch.held = None;
        let mut free = self.free.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if free.len() < limits::POOL_STORAGES {
            free.push(batch);
        }
    }
}

//! One thread's end of an omfile action: renders into lines of its own, writes them at commit.

use std::collections::HashMap;
use std::sync::Arc;

use super::path;
use super::stream::Stream;
use super::{Dynamic, FileOutput};
use crate::actions::lines::Lines;
use crate::actions::{Effect, Failure, Lost, OutputWorker};
use crate::message::Msg;

/// Bytes of rendered lines at which a worker does not wait for the end of the batch.
const LINES_BYTES: usize = 1024 * 1024;
/// Names of dynamic files a worker remembers, if the cache is not larger; with more it forgets them all.
const NAMES: usize = 1024;

/// Worker of an action with one fixed file.
pub(super) struct FixedWorker {
    output: Arc<FileOutput>,
    stream: Arc<Stream>,
    lines: Lines,
}

impl FixedWorker {
    pub(super) fn new(output: Arc<FileOutput>, stream: Arc<Stream>) -> Self {
        Self { output, stream, lines: Lines::default() }
    }
}

impl OutputWorker for FixedWorker {
    fn push(&mut self, msg: &Msg<'_>, lost: &mut Lost<'_>) -> Result<(), Failure> {
        if self.lines.text().len() >= LINES_BYTES {
            self.commit(lost)?;
        }
        let output = &self.output;
        self.lines.push(output.add_lf, |out| output.template.render(msg, out));
        Ok(())
    }

    fn commit(&mut self, lost: &mut Lost<'_>) -> Result<(), Failure> {
        if self.lines.is_empty() {
            return Ok(());
        }
        match self.stream.write(&mut self.lines) {
            // Until HUP makes a new file, its messages are lost; the action goes on.
            Err(failure) if failure.effect == Effect::Disable => {
                let failure = Failure { effect: Effect::Data, ..failure };
                self.discard(&failure, lost);
                Ok(())
            }
            other => other,
        }
    }

    fn is_transactional(&self) -> bool {
        false
    }

    fn pending(&self) -> usize {
        self.lines.len()
    }

    fn discard(&mut self, why: &Failure, lost: &mut Lost<'_>) {
        self.lines.drain(|line| lost(why, line));
    }

    fn resume(&mut self) -> Result<(), Failure> {
        match self.stream.resume() {
            Err(failure) if failure.effect == Effect::Disable => Ok(()),
            other => other,
        }
    }
}

/// Worker of an action whose files are named by a template.
pub(super) struct DynamicWorker {
    output: Arc<FileOutput>,
    dynamic: Arc<Dynamic>,
    slots: Slots,
    /// Slots with lines, in the order of their first line.
    active: Vec<usize>,
    /// Bytes of all lines.
    bytes: usize,
    requests: u64,
    /// A rendered line that is given up.
    scratch: Vec<u8>,
}

/// The lines of each file, by name.
#[derive(Default)]
struct Slots {
    slots: Vec<Slot>,
    index: HashMap<Box<[u8]>, usize>,
    /// The slot of the message before, and how often it was the right one.
    current: usize,
    level0: u64,
    /// The rendered name.
    name: Vec<u8>,
}

struct Slot {
    name: Box<[u8]>,
    lines: Lines,
}

impl Slots {
    /// The slot of the file `self.name`.
    ///
    /// # Errors
    /// The name leads out of its directory.
    fn find(&mut self, dynamic: &Dynamic) -> Result<usize, String> {
        if self.slots.get(self.current).is_some_and(|slot| *slot.name == *self.name) {
            self.level0 += 1;
        } else if let Some(&index) = self.index.get(self.name.as_slice()) {
            self.current = index;
        } else {
            if !dynamic.permit_escape {
                path::check(&self.name, dynamic.base.as_deref())?;
            }
            self.current = self.slots.len();
            self.index.insert(self.name.as_slice().into(), self.current);
            let name = self.name.as_slice().into();
            self.slots.push(Slot { name, lines: Lines::default() });
        }
        Ok(self.current)
    }
}

impl DynamicWorker {
    pub(super) fn new(output: Arc<FileOutput>, dynamic: Arc<Dynamic>) -> Self {
        Self {
            output,
            dynamic,
            slots: Slots::default(),
            active: Vec::new(),
            bytes: 0,
            requests: 0,
            scratch: Vec::new(),
        }
    }

    /// Writes the lines of one file. Those of a file that cannot be opened are lost, unless configured
    /// otherwise; so are those of a file at its size limit.
    fn write(&mut self, index: usize, lost: &mut Lost<'_>) -> Result<(), Failure> {
        let Slot { name, lines } = &mut self.slots.slots[index];
        let cache = &self.dynamic.cache;
        let Err(failure) = cache.get(name).write(lines) else { return Ok(()) };
        let cannot_open = matches!(failure.code, 2040 | 2433);
        let text = if failure.effect == Effect::Disable {
            failure.text
        } else if cannot_open && self.dynamic.do_not_suspend {
            cache.forget(name);
            let Failure { code, text, .. } = &failure;
            let name = String::from_utf8_lossy(name);
            format!(
                "{text}; Could not open dynamic file '{name}' [state -{code}] - discarding message"
            )
        } else {
            return Err(failure);
        };
        let failure = Failure::data(failure.code, text);
        lines.drain(|line| lost(&failure, line));
        Ok(())
    }

    /// Nothing is pending: brings the counters up to date and bounds what is kept for reuse.
    fn after_commit(&mut self) {
        let Slots { slots, index, level0, .. } = &mut self.slots;
        let room = LINES_BYTES / slots.len().max(1);
        for slot in self.active.drain(..) {
            slots[slot].lines.shrink(room);
        }
        self.bytes = 0;
        let counters = &self.dynamic.cache.counters;
        counters.requests.add(std::mem::take(&mut self.requests));
        counters.level0.add(std::mem::take(level0));
        if slots.len() > NAMES.max(2 * self.dynamic.cache.size()) {
            slots.clear();
            index.clear();
        }
    }
}

impl OutputWorker for DynamicWorker {
    fn push(&mut self, msg: &Msg<'_>, lost: &mut Lost<'_>) -> Result<(), Failure> {
        if self.bytes >= LINES_BYTES {
            self.commit(lost)?;
        }
        self.slots.name.clear();
        self.dynamic.template.render(msg, &mut self.slots.name);
        self.requests += 1;
        let template = &self.output.template;
        match self.slots.find(&self.dynamic) {
            Ok(index) => {
                let lines = &mut self.slots.slots[index].lines;
                if lines.is_empty() {
                    self.active.push(index);
                }
                let before = lines.text().len();
                lines.push(self.output.add_lf, |out| template.render(msg, out));
                self.bytes += lines.text().len() - before;
            }
            Err(blocked) => {
                self.scratch.clear();
                template.render(msg, &mut self.scratch);
                lost(&Failure::data(3000, blocked), &self.scratch);
            }
        }
        Ok(())
    }

    fn commit(&mut self, lost: &mut Lost<'_>) -> Result<(), Failure> {
        for position in 0..self.active.len() {
            if let Err(failure) = self.write(self.active[position], lost) {
                // What is written is done; the others stay.
                self.active.drain(..position);
                return Err(failure);
            }
        }
        self.after_commit();
        Ok(())
    }

    fn is_transactional(&self) -> bool {
        false
    }

    fn pending(&self) -> usize {
        self.active.iter().map(|&index| self.slots.slots[index].lines.len()).sum()
    }

    fn discard(&mut self, why: &Failure, lost: &mut Lost<'_>) {
        for &index in &self.active {
            self.slots.slots[index].lines.drain(|line| lost(why, line));
        }
        self.after_commit();
    }

    fn resume(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

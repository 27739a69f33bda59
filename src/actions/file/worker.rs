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
/// Names of dynamic files a worker remembers; more, and it forgets all those without lines.
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
    /// Index of each name in `slots`.
    names: HashMap<Box<[u8]>, usize>,
    slots: Vec<Slot>,
    /// Slots with lines, in the order of their first line.
    active: Vec<usize>,
    /// The slot of the message before.
    current: usize,
    /// The rendered name.
    name: Vec<u8>,
    /// Bytes of all lines.
    bytes: usize,
    requests: u64,
    level0: u64,
}

struct Slot {
    name: Box<[u8]>,
    lines: Lines,
}

impl DynamicWorker {
    pub(super) fn new(output: Arc<FileOutput>, dynamic: Arc<Dynamic>) -> Self {
        Self {
            output,
            dynamic,
            names: HashMap::new(),
            slots: Vec::new(),
            active: Vec::new(),
            current: 0,
            name: Vec::new(),
            bytes: 0,
            requests: 0,
            level0: 0,
        }
    }

    /// The slot of the file `self.name`.
    ///
    /// # Errors
    /// The name leads out of its directory.
    fn slot(&mut self) -> Result<usize, String> {
        if self.slots.get(self.current).is_some_and(|slot| *slot.name == *self.name) {
            self.level0 += 1;
            return Ok(self.current);
        }
        if let Some(&index) = self.names.get(self.name.as_slice()) {
            self.current = index;
            return Ok(index);
        }
        if !self.dynamic.permit_escape {
            path::check(&self.name, self.dynamic.base.as_deref())?;
        }
        let index = self.slots.len();
        self.names.insert(self.name.as_slice().into(), index);
        self.slots.push(Slot { name: self.name.as_slice().into(), lines: Lines::default() });
        self.current = index;
        Ok(index)
    }

    /// Writes the lines of one file. Those of a file that cannot be opened are lost, unless configured
    /// otherwise; so are those of a file at its size limit.
    fn write(&mut self, index: usize, lost: &mut Lost<'_>) -> Result<(), Failure> {
        let Slot { name, lines } = &mut self.slots[index];
        let cache = &self.dynamic.cache;
        let Err(failure) = cache.get(name).write(lines) else { return Ok(()) };
        let cannot_open = matches!(failure.code, 2040 | 2433);
        let text = if failure.effect == Effect::Disable {
            failure.text
        } else if cannot_open && self.dynamic.do_not_suspend {
            cache.forget(name);
            let name = String::from_utf8_lossy(name);
            let state = failure.code;
            let why = failure.text;
            format!(
                "{why}; Could not open dynamic file '{name}' [state -{state}] - discarding message"
            )
        } else {
            return Err(failure);
        };
        let failure = Failure::data(failure.code, text);
        lines.drain(|line| lost(&failure, line));
        Ok(())
    }

    fn after_commit(&mut self) {
        self.active.clear();
        self.bytes = 0;
        let counters = &self.dynamic.cache.counters;
        counters.requests.add(std::mem::take(&mut self.requests));
        counters.level0.add(std::mem::take(&mut self.level0));
        if self.slots.len() > NAMES {
            self.slots.clear();
            self.names.clear();
        }
    }
}

impl OutputWorker for DynamicWorker {
    fn push(&mut self, msg: &Msg<'_>, lost: &mut Lost<'_>) -> Result<(), Failure> {
        if self.bytes >= LINES_BYTES {
            self.commit(lost)?;
        }
        self.name.clear();
        self.dynamic.template.render(msg, &mut self.name);
        self.requests += 1;
        let output = Arc::clone(&self.output);
        let render = |out: &mut Vec<u8>| output.template.render(msg, out);
        match self.slot() {
            Ok(index) => {
                let lines = &mut self.slots[index].lines;
                if lines.is_empty() {
                    self.active.push(index);
                }
                let before = lines.text().len();
                lines.push(output.add_lf, render);
                self.bytes += lines.text().len() - before;
            }
            Err(blocked) => {
                let mut line = Vec::new();
                render(&mut line);
                lost(&Failure::data(3000, blocked), &line);
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

    fn pending(&self) -> usize {
        self.active.iter().map(|&index| self.slots[index].lines.len()).sum()
    }

    fn discard(&mut self, why: &Failure, lost: &mut Lost<'_>) {
        for &index in &self.active {
            self.slots[index].lines.drain(|line| lost(why, line));
        }
        self.after_commit();
    }

    fn resume(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

//! One thread's end of an omfile action: renders into its own lines, writes them at commit.

use std::sync::Arc;

use super::FileOutput;
use super::lines::Lines;
use crate::actions::{Effect, Failure, Lost, OutputWorker};
use crate::message::Msg;

/// Bytes of rendered lines at which a worker does not wait for the end of the batch.
const LINES_BYTES: usize = 1024 * 1024;

/// Worker of an action with one fixed file.
pub(super) struct Static {
    output: Arc<FileOutput>,
    lines: Lines,
}

impl Static {
    pub(super) fn new(output: Arc<FileOutput>) -> Self {
        Self { output, lines: Lines::default() }
    }
}

impl OutputWorker for Static {
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
        match self.output.target.write(&mut self.lines) {
            // Until HUP makes a new file, its messages are lost; the action goes on.
            Err(failure) if failure.effect == Effect::Disable => {
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
        self.output.target.resume()
    }
}

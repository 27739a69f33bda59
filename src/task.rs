//! Work that is done from time to time and may wait for a disk or a peer: statistics, state files.
//!
//! A module gives its [`Task`]s to the list it is lent while the daemon is built; the control thread
//! (`control::tasks`) runs them one after the other. No worker ever waits for it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Work for the control thread. All of it is done by that one thread, except `start`.
pub trait Task: Send {
    /// Time from one `run` to the next, at least a millisecond; asked for again after each call. `None`: never.
    fn interval(&self) -> Option<Duration>;

    /// The daemon starts: it has its final identity, and no message has come. The only call from another thread.
    fn start(&mut self) {}

    /// The interval is over.
    fn run(&mut self);

    /// HUP was sent.
    fn hup(&mut self) {}

    /// All inputs have ended; queues still take messages.
    fn inputs_ended(&mut self) {}

    /// All messages have been processed and all outputs are closed. The last call.
    fn stop(&mut self) {}
}

/// The tasks of a daemon that is being built.
#[derive(Default)]
pub struct Tasks(Mutex<Vec<Box<dyn Task>>>);

impl Tasks {
    /// Adds a task.
    pub fn add(&self, task: Box<dyn Task>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    /// Takes all tasks out, in the order in which they came.
    #[must_use]
    pub fn take(&self) -> Vec<Box<dyn Task>> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

//! Actions: each output file here is one `om…` module; `retry` holds the state machine around all of them.
//!
//! ```text
//! rules ── push(msg) ──► retry (state, once-only options) ──► OutputWorker.push: render into own buffer
//! end of batch ────────► retry ──► OutputWorker.commit: one write
//! ```

use std::sync::Arc;

use crate::message::Msg;
use crate::param::{Args, Module, Problem};
use crate::stats;
use crate::template::Template;

/// Why an output could not take a message or a batch (`spec/queues-actions.md` section 6.3).
#[derive(Debug)]
pub enum Failure {
    /// The output is not there now; try again later. The text says path or peer, errno and user id.
    Suspend(String),
    /// This message cannot be delivered, others can.
    Data(String),
    /// The output will never work again (until HUP or restart).
    Disable(String),
}

/// A configured output, shared by all threads that run its action.
pub trait Output: Send + Sync {
    /// The part one thread owns: its buffer, its transaction.
    fn worker(&self) -> Box<dyn OutputWorker>;
    /// HUP: close or reopen files. Must not wait for a write that is under way in another thread.
    fn hup(&self) {}
    /// Once a second from the control thread: idle closes, interval flushes. Must not block.
    fn tick(&self, _now_seconds: i64) {}
}

/// One thread's end of an output.
pub trait OutputWorker: Send {
    /// Renders `msg` into the worker's own buffer. Does no I/O where it can be left to `commit`.
    ///
    /// # Errors
    /// See [`Failure`]; the message is not taken then.
    fn push(&mut self, msg: &Msg<'_>) -> Result<(), Failure>;

    /// Writes out all pushed messages.
    ///
    /// # Errors
    /// See [`Failure`]; what was not written stays in the worker, and a later `commit` goes on with it.
    fn commit(&mut self) -> Result<(), Failure>;

    /// How many pushed messages are not written yet.
    fn pending(&self) -> usize;

    /// Drops what is pending; `dropped` is called with each dropped message's rendered text.
    fn discard(&mut self, dropped: &mut dyn FnMut(&[u8]));

    /// Whether the output works again after `Failure::Suspend`.
    ///
    /// # Errors
    /// Still not.
    fn resume(&mut self) -> Result<(), Failure>;
}

/// What the daemon lends an output when it is built.
#[derive(Clone)]
pub struct OutputEnv<'a> {
    /// Finds a template by name (exact case).
    pub template: &'a dyn Fn(&[u8]) -> Option<Arc<Template>>,
    /// Where the output registers counters of its own.
    pub stats: Arc<stats::Set>,
    /// `maxMessageSize`, bytes.
    pub message_bytes: usize,
}

/// Makes an output from its arguments and those of its `module()` statement.
pub type Build = fn(&Args, &Args, &OutputEnv<'_>) -> Result<Arc<dyn Output>, Vec<Problem>>;

/// An output module: its descriptor and its constructor.
#[derive(Clone, Copy)]
pub struct OutputKind {
    /// The parameter tables and documentation.
    pub module: &'static Module,
    /// Makes an instance: `build(action arguments, module arguments, environment)`.
    pub build: Build,
}

//! Actions: what is done with a message that the rules have chosen. Each `om…` module is a file or folder here.
//!
//! ```text
//! rules ── Set.push(msg) ─┬─► Runner (state, retries) ──► OutputWorker.push: render into a buffer of its own
//!                         │   end of batch ─────────────► OutputWorker.commit: one write
//!                         └─► the action's queue ──► Consumer ──► Runner, as above, in another thread
//! ```
//! - [`action`]: a configured action, shared by threads; [`settings`] its `action.*` parameters.
//! - [`retry`]: one thread's end of it, the state machine around the output.
//! - [`modify`]: the same for actions that modify messages.
//! - [`reentry`]: ways back into the rules.
//! - [`set`]: all actions, as one thread of the rules has them; [`queued`]: actions with a queue of their own.
//! - [`file`](mod@file), [`forward`], [`pipe`], [`users`], [`shell`], [`sendertrack`], [`stdout`], [`discard`]: the outputs.
//!
//! The ledger of an action is `pushed = written + lost`: an output hands every message it gives up to a
//! [`Lost`] sink, whatever the reason, and never drops one otherwise.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::message::Msg;
use crate::param::{Args, Module, Problem, SecureDefaults};
use crate::stats;
use crate::sys::children::Exits;
use crate::sys::socket::IpProtocol;
use crate::task::Tasks;
use crate::template::Template;
use crate::tls;

pub mod action;
pub mod discard;
pub mod elasticsearch;
mod error_file;
mod execute;
pub mod file;
pub mod forward;
mod gate;
mod lines;
pub mod modify;
pub mod pipe;
pub mod queued;
pub mod reentry;
pub mod retry;
pub mod sendertrack;
pub mod set;
pub mod settings;
pub mod shell;
pub mod stdout;
#[cfg(test)]
mod testing;
pub mod users;
mod watch;

/// What a failure means for the messages behind it (`spec/queues-actions.md` section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The output is not there now; try again later.
    Suspend,
    /// This message cannot be delivered, others can.
    Data,
    /// The output will never work again (until HUP or restart).
    Disable,
}

/// Why an output could not take a message or a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What it means for the action.
    pub effect: Effect,
    /// The reference's return code, absolute value.
    pub code: u16,
    /// For the operator: path or peer, error text, errno and user id.
    pub text: String,
    /// How long to wait before the next try, where the output knows better than `action.resumeInterval`.
    pub pause: Option<Duration>,
}

impl Failure {
    /// The output may come back.
    pub fn suspend(code: u16, text: impl Into<String>) -> Self {
        Self { effect: Effect::Suspend, code, text: text.into(), pause: None }
    }
    /// One message is at fault.
    pub fn data(code: u16, text: impl Into<String>) -> Self {
        Self { effect: Effect::Data, code, text: text.into(), pause: None }
    }
    /// The same, to be tried again after this time.
    #[must_use]
    pub fn after(mut self, pause: Duration) -> Self {
        self.pause = Some(pause);
        self
    }
    /// The output will not come back.
    pub fn disable(code: u16, text: impl Into<String>) -> Self {
        Self { effect: Effect::Disable, code, text: text.into(), pause: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Takes the messages an output gives up: why, and the rendered text. It counts and keeps the error file.
pub type Lost<'a> = dyn FnMut(&Failure, &[u8]) + 'a;

/// A configured output, shared by all threads that run its action.
pub trait Output: Send + Sync {
    /// The part one thread owns: its buffer, its transaction.
    fn worker(self: Arc<Self>) -> Box<dyn OutputWorker>;
    /// HUP: close or reopen files. Must not wait for a write that is under way in another thread.
    /// Returns how many files are concerned.
    fn hup(&self) -> usize {
        0
    }
    /// Once a second from the control thread: idle closes, interval flushes. Must not block.
    fn tick(&self, _now_seconds: i64) {}
    /// After the last worker has committed: writes out what is buffered beyond a commit. Returns how many
    /// messages, taken for written, could not be.
    fn close(&self) -> usize {
        0
    }
    /// Whether `action.resumeRetryCount` is -1 unless it is given.
    fn retries_forever(&self) -> bool {
        false
    }
}

/// One thread's end of an output. What is provided fits one that acts in `push` and keeps nothing; whoever gathers
/// messages writes `commit`, `pending` and `discard`.
pub trait OutputWorker: Send {
    /// Renders `msg` into the worker's own buffer. Does no I/O where it can be left to `commit`.
    /// A message that can never be delivered goes to `lost`, and the result is `Ok`.
    ///
    /// # Errors
    /// `Suspend` or `Disable`; the message is not taken then.
    fn push(&mut self, msg: &Msg<'_>, lost: &mut Lost<'_>) -> Result<(), Failure>;

    /// Writes out all pushed messages. Those that can never be delivered go to `lost`.
    ///
    /// # Errors
    /// `Suspend` or `Disable`; what was not written stays in the worker, and a later `commit` goes on
    /// exactly there.
    fn commit(&mut self, _lost: &mut Lost<'_>) -> Result<(), Failure> {
        Ok(())
    }

    /// Whether a commit is a transaction at the other end, whose size `dequeueBatchSize` bounds. If not, one
    /// commit may cover more, up to a batch as it was received: fewer and larger writes.
    fn is_transactional(&self) -> bool {
        true
    }

    /// How many pushed messages are neither written nor lost yet.
    fn pending(&self) -> usize {
        0
    }

    /// Gives up all pending messages because of `why`.
    fn discard(&mut self, _why: &Failure, _lost: &mut Lost<'_>) {}

    /// Whether the output works again after a suspension.
    ///
    /// # Errors
    /// Still not.
    fn resume(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

/// What the daemon lends an output when it is built.
#[derive(Clone)]
pub struct OutputEnv<'a> {
    /// The action's name.
    pub name: &'a str,
    /// Files that one action alone may use, of all actions built so far.
    pub files: &'a RefCell<Vec<PathBuf>>,
    /// Finds a template by name (exact case).
    pub template: &'a dyn Fn(&[u8]) -> Option<Arc<Template>>,
    /// Takes what is wrong with the arguments but does not keep the action from working.
    pub report: &'a dyn Fn(Problem),
    /// Where the output registers counters of its own.
    pub stats: Arc<stats::Set>,
    /// Takes work that the output wants done from time to time.
    pub tasks: &'a Tasks,
    /// Ways back into the rules.
    pub reentries: &'a reentry::Reentries,
    /// `maxMessageSize`, bytes.
    pub message_bytes: usize,
    /// `net.ipprotocol`: which addresses of a peer are used.
    pub ip_protocol: IpProtocol,
    /// Whether what the module sets for its actions does not count for this one.
    pub own_defaults: bool,
    /// `reportChildProcessExits`.
    pub child_exits: Exits,
    /// `compatibility.defaults.secure`.
    pub secure: SecureDefaults,
    /// What `global()` says about stream drivers.
    pub tls: &'a tls::settings::Defaults,
    /// `-A`: datagrams go to all addresses of their target.
    pub send_to_all: bool,
}

impl OutputEnv<'_> {
    /// The template an action names, as its `index`th.
    ///
    /// # Errors
    /// The reference's diagnostic for an unknown template.
    pub fn template_or_problem(&self, index: usize, name: &[u8]) -> Result<Arc<Template>, Problem> {
        (self.template)(name).ok_or_else(|| {
            let name = String::from_utf8_lossy(name);
            let text = format!(" Could not find template {index} '{name}' - action disabled");
            Problem::error(text).code(3003)
        })
    }
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

/// An operating system's error as operators need it: text, number, and who was refused.
pub(super) fn reason(error: &io::Error) -> String {
    let uid = nix::unistd::geteuid();
    match error.raw_os_error() {
        Some(number) => {
            let text = crate::sys::error::text(number);
            format!("{text} (errno {number}, uid {uid})")
        }
        None => format!("{error} (uid {uid})"),
    }
}

//! Message modifiers: actions that change the message for the rules behind them. Each `mm…` module is a file here.
//!
//! ```text
//! rules ── Op::Modify ─► actions::Set (options, counters) ─► Modifier.modify(subject)
//!                                       variables: changed at once │ texts, PRI, parsesuccess: an Amendment
//!                        rules go on with the new record ◄─────────┘
//! ```
//! A modifier runs where the rules run: what it changes is there for the next statement. The texts it replaces are
//! appended to the batch; the message as it was stays for queues that hold it.

use std::sync::Arc;

use crate::actions::Failure;
use crate::message::json::Case;
use crate::message::{Amendment, Msg, Path, Scope, Vars};
use crate::message::{Json, vars::Assign};
use crate::param::{Args, Module, Problem};
use crate::stats;
use crate::sys::children::Exits;
use crate::task::Tasks;

pub mod mmanon;
pub mod mmcount;
pub mod mmexternal;
pub mod mmfields;
pub mod mmjsonparse;
pub mod mmjsontransform;
pub mod mmpstrucdata;
pub mod mmrm1stspace;
pub mod mmsequence;
pub mod mmutf8fix;

/// A message that is being modified.
pub struct Subject<'a, 'm> {
    /// The message before this modifier. Its own `vars` are those it came with: look at [`Subject::vars`].
    pub msg: &'a Msg<'m>,
    /// Its variables now.
    pub vars: &'a mut Vars,
    /// What else is to be changed.
    pub change: &'a mut Amendment,
}

impl Subject<'_, '_> {
    /// Gives a variable a value, as `set` does. `false`: that is not possible.
    pub fn assign(&mut self, (scope, path): &(Scope, Path), value: Json) -> bool {
        self.vars.assign((*scope, path), value, Assign::Merge, &self.msg.env.globals)
    }

    /// How names of members compare.
    #[must_use]
    pub fn case(&self) -> Case {
        self.msg.env.globals.case
    }
}

/// One thread's end of a configured modifier.
pub trait Modifier: Send {
    /// Changes the message, or not.
    ///
    /// # Errors
    /// What keeps the modifier from its work; the message stays as it is.
    fn modify(&mut self, subject: &mut Subject<'_, '_>) -> Result<(), Failure>;
}

/// Makes a thread's end of a configured modifier.
pub type Make = Box<dyn Fn() -> Box<dyn Modifier> + Send + Sync>;

/// For modifiers that have nothing of a thread's own.
fn every_thread<M: Modifier + Clone + Sync + 'static>(modifier: M) -> Make {
    Box::new(move || Box::new(modifier.clone()))
}

/// What the daemon lends a modifier when it is built.
pub struct ModifierEnv<'a> {
    /// Takes what is wrong with the arguments but does not keep the modifier from working.
    pub report: &'a dyn Fn(Problem),
    /// Where the modifier registers counters of its own.
    pub stats: Arc<stats::Set>,
    /// Takes work that the modifier wants done from time to time.
    pub tasks: Arc<Tasks>,
    /// `maxMessageSize`, bytes.
    pub message_bytes: usize,
    /// `parser.permitSlashInProgramName`.
    pub slash_in_program_name: bool,
    /// `reportChildProcessExits`.
    pub child_exits: Exits,
}

/// A modifier module: its descriptor and its constructor.
#[derive(Clone, Copy)]
pub struct ModifierKind {
    /// The parameter tables and documentation.
    pub module: &'static Module,
    /// Makes an instance from the arguments of `action()`.
    pub build: fn(&Args, &ModifierEnv<'_>) -> Result<Make, Vec<Problem>>,
}

/// A string as the reference makes one: it ends before a NUL.
fn text(bytes: &[u8]) -> Json {
    let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    Json::text(bytes.get(..end).unwrap_or_default())
}

/// The variable that a parameter names: `$!name`, `$.name` or `$/name`, with or without the `$`.
fn variable(args: &Args, param: &'static str, module: &str) -> Result<(Scope, Path), Vec<Problem>> {
    let name = args.str(param).unwrap_or_default();
    Path::parse(name).ok_or_else(|| {
        let shown = String::from_utf8_lossy(name.strip_prefix(b"$").unwrap_or(name));
        let text = format!(
            "{module}: invalid {param} name '{shown}', name must start with either '$!', '$.', or '$/'"
        );
        vec![Problem::error(text).at(param).code(2058)]
    })
}

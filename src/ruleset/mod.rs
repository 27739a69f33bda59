//! Rulesets: what is done with each message, one after the other.
//!
//! ```text
//! config::Stmt ─program─► flat list of operations ─┐
//! Queue<Job> ─► dispatch::Worker: parse ─► run ────┴─► ActionSet.push … commit
//!                                          └─► call: selections for rulesets and actions with their own queue
//! ```
//! - [`program`]: statements as a flat list with jumps, so that running it needs no stack of its own.
//! - [`dispatch`]: the consumer of a main or ruleset queue.
//! - [`call`]: rulesets with a queue: jobs, and how they get there.
//! - [`oversize`]: messages longer than `maxMessageSize`, on their way from inputs.
//! - [`round`]: time, zone and host name of one batch.

pub mod call;
pub mod dispatch;
pub mod oversize;
pub mod program;
pub mod round;

use std::sync::Arc;

pub use call::{Inlet, Job, Messages};
pub use dispatch::{Surroundings, consumers};
pub use program::Rules;
pub use round::{Hostname, Round};

use crate::config::ActionId;
use crate::message::{Amendment, Batch, Msg, Vars};
use crate::queue::{Commit, Interrupt};

/// All actions, as one worker thread sees them.
pub trait ActionSet: Send {
    /// A new message begins: no action has run for it yet (`execOnlyWhenPreviousIsSuspended`).
    fn begin(&mut self);

    /// Hands the message to an action. `index` is its place in its batch, for actions that have a queue. Returns
    /// whether the last action that was to take this message is suspended (`previous_action_suspended()`).
    fn push(&mut self, action: ActionId, index: u32, msg: &Msg<'_>) -> bool;

    /// Has an action modify the message. Its variables are changed at once, all else is noted in `change`. Returns
    /// what [`ActionSet::push`] does.
    fn modify(
        &mut self,
        action: ActionId,
        msg: &Msg<'_>,
        vars: &mut Vars,
        change: &mut Amendment,
    ) -> bool;

    /// Whether messages of the present batch were chosen for actions that have a queue.
    fn wants_batch(&self) -> bool;

    /// The present batch, from now on frozen: goes to the queues of those actions. Comes before
    /// [`ActionSet::commit`], perhaps for several batches.
    fn submit(&mut self, batch: &Arc<Batch>);

    /// Completes what the other actions have been given. Returns whether all of it is complete.
    fn commit(&mut self, extent: Commit) -> bool;
}

/// Makes a new worker thread's end of all actions; the interrupt ends its waits for a suspended action.
pub type Actions = dyn Fn(&Arc<Interrupt>) -> Box<dyn ActionSet> + Send + Sync;

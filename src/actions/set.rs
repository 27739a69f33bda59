//! The actions of all rulesets, as one queue worker thread runs them.

use std::sync::Arc;

use super::action::Action;
use super::modify::Modifying;
use super::retry::Runner;
use crate::config::ActionId;
use crate::message::{Amendment, Batch, FlowControl, Msg, Vars};
use crate::modifiers::Make;
use crate::queue::{Commit, Frozen, Interrupt, Queue, Selection};
use crate::ruleset::ActionSet;

/// An action as the configuration made it, to be shared by all threads.
#[derive(Clone)]
pub struct Configured {
    /// The action.
    pub action: Arc<Action>,
    /// Its queue, unless it is of type `Direct`.
    pub queue: Option<Arc<Queue<Frozen>>>,
    /// What it does to messages, if it is no output.
    pub modifier: Option<Arc<Make>>,
}

/// One thread's ends of all actions.
pub struct Set {
    slots: Vec<Slot>,
    /// Actions with something to commit. They do it in the order of the configuration, as the reference does:
    /// where several write to one file, its lines are in that order.
    touched: Vec<usize>,
    /// Actions whose queue waits for messages of the present batch.
    selected: Vec<usize>,
    /// Whether the last action of the current message did not take it.
    previous_suspended: bool,
}

enum Slot {
    /// Could not be made; messages pass it by.
    Absent,
    Direct {
        runner: Runner,
        touched: bool,
        /// [`Action::is_conditional`], at hand.
        conditional: bool,
    },
    Modifier {
        modifying: Modifying,
        touched: bool,
    },
    Queued {
        action: Arc<Action>,
        queue: Arc<Queue<Frozen>>,
        selection: Selection,
    },
}

impl Set {
    /// A thread's ends of `actions`, `None` for those that could not be made; `interrupt` ends the thread's
    /// waits when the daemon stops.
    #[must_use]
    pub fn new(actions: &[Option<Configured>], interrupt: &Arc<Interrupt>) -> Self {
        let slot = |configured: &Option<Configured>| {
            let Some(configured) = configured else { return Slot::Absent };
            let action = Arc::clone(&configured.action);
            if let Some(make) = &configured.modifier {
                return Slot::Modifier {
                    modifying: Modifying::new(action, make()),
                    touched: false,
                };
            }
            match &configured.queue {
                None => {
                    let conditional = action.is_conditional();
                    let runner = Runner::new(action, Arc::clone(interrupt));
                    Slot::Direct { runner, touched: false, conditional }
                }
                Some(queue) => {
                    let selection = Selection::default();
                    Slot::Queued { action, queue: Arc::clone(queue), selection }
                }
            }
        };
        let slots = actions.iter().map(slot).collect();
        Self { slots, touched: Vec::new(), selected: Vec::new(), previous_suspended: false }
    }
}

impl ActionSet for Set {
    fn begin(&mut self) {
        self.previous_suspended = false;
    }

    fn push(&mut self, id: ActionId, index: u32, msg: &Msg<'_>) -> bool {
        match self.slots.get_mut(id.0) {
            Some(Slot::Direct { runner, touched, conditional })
                if !*conditional || runner.action().admits(msg, self.previous_suspended) =>
            {
                if !std::mem::replace(touched, true) {
                    self.touched.push(id.0);
                }
                self.previous_suspended = !runner.push(msg);
            }
            Some(Slot::Queued { action, selection, .. })
                if action.admits(msg, self.previous_suspended) =>
            {
                if selection.is_empty() {
                    self.selected.push(id.0);
                }
                selection.add(index, msg);
                self.previous_suspended = false;
            }
            _ => {}
        }
        self.previous_suspended
    }

    fn modify(
        &mut self,
        id: ActionId,
        msg: &Msg<'_>,
        vars: &mut Vars,
        change: &mut Amendment,
    ) -> bool {
        if let Some(Slot::Modifier { modifying, touched }) = self.slots.get_mut(id.0)
            && modifying.action().admits(msg, self.previous_suspended)
        {
            if !std::mem::replace(touched, true) {
                self.touched.push(id.0);
            }
            self.previous_suspended = !modifying.run(msg, vars, change);
        }
        self.previous_suspended
    }

    fn wants_batch(&self) -> bool {
        !self.selected.is_empty()
    }

    fn submit(&mut self, batch: &Arc<Batch>) {
        for id in self.selected.drain(..) {
            if let Some(Slot::Queued { action, queue, selection }) = self.slots.get_mut(id) {
                let frozen = selection.freeze(batch);
                action.count_queued(frozen.records.len() as u64);
                queue.push(frozen, FlowControl::None);
            }
        }
    }

    fn commit(&mut self, extent: Commit) -> bool {
        let slots = &mut self.slots;
        self.touched.sort_unstable();
        self.touched.retain(|&id| match slots.get_mut(id) {
            Some(Slot::Direct { runner, touched, .. }) => {
                *touched = extent == Commit::Transactions && runner.may_collect();
                if !*touched {
                    runner.commit(false);
                }
                *touched
            }
            Some(Slot::Modifier { modifying, touched }) => {
                modifying.commit();
                *touched = false;
                false
            }
            _ => false,
        });
        self.touched.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::settings::Settings;
    use crate::actions::testing::{Script, environment, messages, settings};
    use crate::stats;

    fn direct(change: impl FnOnce(&mut Settings), set: &stats::Set) -> (Configured, Arc<Script>) {
        let mut settings = settings();
        change(&mut settings);
        let script = Arc::new(Script::default());
        let output = Arc::clone(&script);
        let action = Arc::new(Action::new(settings, output, set));
        (Configured { action, queue: None, modifier: None }, script)
    }

    #[test]
    fn a_failover_action_gets_exactly_what_the_first_did_not_take() {
        let stats = stats::Set::default();
        let (first, primary) = direct(|settings| settings.commit_each = true, &stats);
        let backup = |settings: &mut Settings| settings.gate.when_previous_suspended = true;
        let (second, secondary) = direct(backup, &stats);
        let (third, tertiary) = direct(backup, &stats);
        let mut set = Set::new(&[Some(first), Some(second), Some(third)], &Arc::default());
        let (batch, env) = (messages(&["a", "b", "c"]), environment());
        primary.commits(&[None, Some(0), Some(0)]);
        for index in 0..3 {
            set.begin();
            let msg = Msg::at(&batch, index as usize, &env).expect("a message");
            for id in 0..3 {
                set.push(ActionId(id), index, &msg);
            }
        }
        assert!(set.commit(Commit::All));
        assert_eq!(primary.written(), ["a"]);
        assert_eq!(secondary.written(), ["b", "c"]);
        assert!(tertiary.written().is_empty(), "the second action was not suspended");
        assert!(!set.wants_batch());
    }
}

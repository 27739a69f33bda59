//! Ways back into the rules, for outputs that hand messages back. Outputs are built before the queues in front of
//! them, so a way is closed at first, and opened when these exist.

use std::cell::RefCell;
use std::sync::{Arc, OnceLock};

use crate::config::RulesetId;
use crate::message::{Batch, FlowControl, Submit};
use crate::ratelimit::Kit;

/// A way into one ruleset.
#[derive(Default)]
pub struct Reentry(OnceLock<Arc<dyn Submit>>);

impl Submit for Reentry {
    /// An output may run in the very thread that empties the ruleset's queue, so give no flow control but
    /// [`FlowControl::None`]: that waits for room no longer than the queue's `timeoutEnqueue`.
    fn submit(&self, batch: Batch, flow: FlowControl) {
        debug_assert!(self.0.get().is_some(), "outputs run only after the ways are open");
        if let Some(way) = self.0.get() {
            way.submit(batch, flow);
        }
    }
}

/// All ways that outputs ask for.
#[derive(Default)]
pub struct Reentries {
    /// Names of the rulesets.
    rulesets: Vec<String>,
    limits: Arc<Kit>,
    asked: RefCell<Vec<(RulesetId, Arc<Reentry>)>>,
}

impl Reentries {
    /// Ways into these rulesets; `limits` is what limits of what goes there are made of.
    #[must_use]
    pub fn new(rulesets: Vec<String>, limits: Arc<Kit>) -> Self {
        Self { rulesets, limits, asked: RefCell::default() }
    }

    /// What rate limits are made of.
    #[must_use]
    pub fn limits(&self) -> &Kit {
        &self.limits
    }

    /// The way into the ruleset of this name, unless there is none.
    #[must_use]
    pub fn into_ruleset(&self, name: &str) -> Option<Arc<Reentry>> {
        let known = self.rulesets.iter().position(|known| known.eq_ignore_ascii_case(name))?;
        let way = Arc::<Reentry>::default();
        self.asked.borrow_mut().push((RulesetId(known), Arc::clone(&way)));
        Some(way)
    }

    /// Opens all ways.
    pub fn open(&self, inlet: impl Fn(RulesetId) -> Arc<dyn Submit>) {
        for (ruleset, way) in self.asked.take() {
            // Each is opened once.
            let _ = way.0.set(inlet(ruleset));
        }
    }
}

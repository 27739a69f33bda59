//! What the daemon lets imdiag ask and change while it runs.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::globals::Globals;
use crate::actions::set::Configured;
use crate::config::RulesetId;
use crate::inputs::{Control, Timeout, internal};
use crate::lookup::Lookup;
use crate::queue::Queue;
use crate::ruleset::Job;
use crate::sync::lock;

/// The queues, and what can be changed.
pub(super) struct Handle {
    main: Arc<Queue<Job>>,
    queues: Vec<Arc<Queue<Job>>>,
    actions: Arc<[Option<Configured>]>,
    lookups: Box<[Arc<Lookup>]>,
    input_shutdown: Mutex<Duration>,
    /// HUP was sent and nobody has begun to process it. Set by the signal handler.
    hup_sent: Arc<AtomicBool>,
    /// How many HUPs are being processed.
    hup_busy: Arc<AtomicUsize>,
}

impl Handle {
    pub(super) fn new(
        globals: &Globals,
        main: &Arc<Queue<Job>>,
        queues: &[(RulesetId, Arc<Queue<Job>>)],
        actions: &Arc<[Option<Configured>]>,
        lookups: &[Arc<Lookup>],
    ) -> Self {
        Self {
            main: Arc::clone(main),
            queues: queues.iter().map(|(_, queue)| Arc::clone(queue)).collect(),
            actions: Arc::clone(actions),
            lookups: lookups.into(),
            input_shutdown: Mutex::new(globals.input_shutdown),
            hup_sent: Arc::default(),
            hup_busy: Arc::default(),
        }
    }

    /// `inputs.timeout.shutdown` as it is now.
    pub(super) fn input_shutdown(&self) -> Duration {
        *lock(&self.input_shutdown)
    }

    pub(super) fn hup_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.hup_sent)
    }

    /// All lookup tables.
    pub(super) fn lookups(&self) -> &[Arc<Lookup>] {
        &self.lookups
    }

    /// HUP is being processed until the guard is dropped.
    pub(super) fn begin_hup(&self) -> impl Send + 'static {
        // SeqCst, so that whoever sees `hup_sent` taken back sees `hup_busy` counted up.
        self.hup_busy.fetch_add(1, Ordering::SeqCst);
        self.hup_sent.store(false, Ordering::SeqCst);
        Busy(Arc::clone(&self.hup_busy))
    }
}

struct Busy(Arc<AtomicUsize>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Control for Handle {
    fn queued(&self) -> usize {
        // In the order in which messages flow, so that none slips through between two looks.
        let rulesets = self.main.len() + self.queues.iter().map(|queue| queue.len()).sum::<usize>();
        let actions = self.actions.iter().flatten().filter_map(|action| action.queue.as_ref());
        rulesets + actions.map(|queue| queue.len()).sum::<usize>()
    }

    fn hup_pending(&self) -> bool {
        self.hup_sent.load(Ordering::SeqCst) || self.hup_busy.load(Ordering::SeqCst) > 0
    }

    fn reloading(&self) -> bool {
        self.lookups.iter().any(|table| table.is_reloading())
    }

    fn has_main_queue(&self) -> bool {
        !self.main.is_direct()
    }

    fn set_timeout(&self, which: Timeout, value: Duration) {
        match which {
            Timeout::MainShutdown => self.main.set_timeout_shutdown(value),
            Timeout::MainEnqueue => self.main.set_timeout_enqueue(value),
            Timeout::Inputs => *lock(&self.input_shutdown) = value,
        }
    }

    fn enable_debug(&self) {
        internal::set_debug(true);
    }
}

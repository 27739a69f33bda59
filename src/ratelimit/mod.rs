//! Limits on how many messages are taken: per listener, per action, per source; and repeated messages as one.
//!
//! ```text
//! ratelimit() ─► Policy ◄─ HUP, watch: its YAML files are read again
//!                  ▲ shared
//! input ─► Limiter: batch ─► severity ─► window ─► repetition ─► source ─► what is left of the batch
//! ```
//! - [`window`]: so many messages in so many seconds.
//! - [`processes`]: the same for each process of this machine.
//! - [`sources`]: the same for each source of messages, in bounded memory.
//! - [`reduction`]: "message repeated n times".
//! - [`policy`]: what is allowed; [`file`](mod@file): how that stands in YAML; [`watch`]: when it is read again.
//! - [`limiter`]: all of it, applied to a batch: one lock per batch and none without a limit; [`output`]: the limit of
//!   an action.
//!
//! Messages are limited after they were received and before they are counted as `submitted`, as in the
//! reference. What is dropped has a counter each.

pub mod file;
pub mod limiter;
pub mod output;
pub mod policy;
pub mod processes;
pub mod reduction;
pub mod sources;
pub mod watch;
pub mod window;

use std::sync::Arc;

pub use limiter::{Counters, Limiter};
pub use policy::{Limits, Mode, Policy, Scope};

use crate::message::vars::Globals;
use crate::param::{Args, Problem};
use crate::ruleset::Hostname;

/// The reference's code of messages about limits.
const RATE_LIMITED: u16 = 2177;

/// Says that `limiter` drops messages of `source` from now on.
fn tell_begin(limiter: &str, source: &str) {
    log::info!(
        code = RATE_LIMITED, plain = true;
        "{limiter} from <{source}>: begin to drop messages due to rate-limiting"
    );
}

/// Says how many `limiter` has dropped in a window that is over.
fn tell_missed(limiter: &str, missed: u64, limits: Limits) {
    if missed > 0 {
        let Limits { interval, burst, .. } = limits;
        log::info!(
            code = RATE_LIMITED, plain = true;
            "{limiter}: {missed} messages lost due to rate-limiting ({burst} allowed within {interval} seconds)"
        );
    }
}

/// All that limiters are made of.
#[derive(Debug, Default)]
pub struct Kit {
    /// `ratelimit()` objects.
    policies: Vec<Arc<Policy>>,
    /// `$RepeatedMsgReduction`.
    reduce: bool,
    /// The local host name and the variables, for templates that name sources.
    hostname: Hostname,
    globals: Arc<Globals>,
}

impl Kit {
    /// A kit with these objects.
    #[must_use]
    pub fn new(
        policies: Vec<Arc<Policy>>,
        reduce: bool,
        hostname: Hostname,
        globals: Arc<Globals>,
    ) -> Self {
        Self { policies, reduce, hostname, globals }
    }

    /// The object of this name, for a user of `scope`.
    ///
    /// # Errors
    /// There is none, or it is for the other kind of user; in the reference's words. `user` is its module.
    pub fn find(&self, name: &str, scope: Scope, user: &str) -> Result<Arc<Policy>, Problem> {
        let Some(policy) = self.policies.iter().find(|policy| policy.name() == name) else {
            return Err(Problem::error(format!("ratelimit config '{name}' not found")).code(3003));
        };
        if policy.scope() != scope {
            let text = format!("ratelimit config '{name}' has incompatible scope for {user}");
            return Err(Problem::error(text).code(2046));
        }
        Ok(Arc::clone(policy))
    }

    /// What `rateLimit.interval`, `.burst` and `.name` of an input of `module` come to.
    ///
    /// # Errors
    /// The name is not to be had: costs the listener.
    pub fn of_input(
        &self,
        module: &str,
        args: &Args,
        problems: &mut Vec<Problem>,
    ) -> Result<Arc<Policy>, Problem> {
        const NAME: &str = "rateLimit.name";
        let inline = args.given("rateLimit.interval") || args.given("rateLimit.burst");
        let Some(name) = args.text(NAME) else {
            let number = |name| args.int(name).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
            let (interval, burst) = (number("rateLimit.interval"), number("rateLimit.burst"));
            return Ok(Arc::new(Policy::inline(Limits { interval, burst, ..Limits::default() })));
        };
        if inline {
            let text = format!(
                "{module}: ratelimit.name is mutually exclusive with ratelimit.interval and ratelimit.burst - \
                 using named ratelimit"
            );
            problems.push(Problem::error(text).code(2016).at(NAME));
        }
        self.find(&name, Scope::Input, module).map_err(|problem| problem.at(NAME).at_start())
    }

    /// What `action.ratelimit.name` of an action comes to.
    ///
    /// # Errors
    /// The name is not to be had, or messages would have to wait where nothing may: costs the action.
    pub fn of_action(
        &self,
        args: &Args,
        action: &str,
        is_direct: bool,
    ) -> Result<Option<Arc<Policy>>, Problem> {
        const NAME: &str = "action.ratelimit.name";
        let Some(name) = args.text(NAME) else { return Ok(None) };
        let policy =
            self.find(&name, Scope::Output, "action").map_err(|problem| problem.at(NAME))?;
        if is_direct {
            if policy.limits().mode == Mode::Pace {
                let text = format!(
                    "action '{action}': action.ratelimit.name='{name}' uses pace mode, which requires a \
                     non-direct action queue"
                );
                return Err(Problem::error(text).code(2046).at(NAME));
            }
            policy.forbid_pace();
        }
        Ok(Some(policy))
    }

    /// HUP: policy files are read again.
    pub fn hup(&self) {
        self.policies.iter().for_each(|policy| policy.reload("HUP"));
    }
}

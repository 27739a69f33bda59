//! impstats: all counters from time to time, as messages, into a file (`spec/impstats.md`).
//!
//! ```text
//! control thread: every `interval` ─► read all counters once ─► lines ─► file
//!                                                                 └────► messages
//! ```
//! It has no thread of its own but that of HTTP, and no worker waits for it: counters are read without a lock that a worker
//! holds for longer than to add a counter.
//!
//! - `parameters`: what it can be told; `settings`: what it was told.
//! - `reporter`: one round after the other.
//! - `file`, `messages`: where lines go.
//! - [`http`]: counters for whoever asks.
//! - `push`: to Prometheus. `resources`: the object `resource-usage`.

mod file;
pub mod http;
mod messages;
mod parameters;
mod push;
mod reporter;
mod resources;
mod settings;

use std::sync::Arc;

use self::http::{Http, RunningHttp};
pub use self::parameters::MODULE;
use self::reporter::Reporter;
use self::resources::Resources;
use self::settings::Settings;
use super::{Control, Input, InputEnv, InputKind, Running};
use crate::param::{Args, Problem};
use crate::stats::Set;

/// The module for the registry.
pub static KIND: InputKind = InputKind { module: &MODULE, build };

/// The module; its work is a task of the control thread.
struct Stats {
    settings: Option<Settings>,
    /// The ruleset that was asked for and is not there.
    missing_ruleset: Option<String>,
    /// The server, with what it is to show once that is known.
    http: Option<Http>,
    stats: Option<Arc<Set>>,
}

/// The part that runs.
struct RunningStats(Option<RunningHttp>);

fn build(args: &Args) -> (Box<dyn Input>, Vec<Problem>) {
    let mut problems = Vec::new();
    let settings = Settings::new(args, &mut problems);
    let http = Http::new(args).map_err(|problem| problems.push(problem)).ok().flatten();
    (
        Box::new(Stats { settings: Some(settings), missing_ruleset: None, http, stats: None }),
        problems,
    )
}

impl Input for Stats {
    fn lend(&mut self, env: &InputEnv, _control: &Arc<dyn Control>) {
        let Some(settings) = self.settings.take() else { return };
        if !env.ruleset_found && settings.syslog {
            self.missing_ruleset.clone_from(&settings.ruleset);
        }
        self.stats = Some(Arc::clone(&env.stats));
        env.stats.add_live("impstats", Arc::new(Resources));
        env.tasks.add(Box::new(Reporter::new(settings, env)));
    }

    fn add(&mut self, _args: &Args, _env: &InputEnv) -> Vec<Problem> {
        let text = "impstats has no inputs: it is configured where it is loaded";
        vec![Problem::error(text).help("write the parameters into module(load=\"impstats\")")]
    }

    fn check(&self) -> Vec<Problem> {
        let missing = self.missing_ruleset.iter().map(|name| {
            let text =
                format!("impstats: ruleset '{name}' not found - using default ruleset instead");
            Problem::error(text).at("ruleset")
        });
        missing.collect()
    }

    fn open(&mut self) -> Vec<Problem> {
        self.http.as_mut().and_then(|http| http.open().err()).into_iter().collect()
    }

    fn start(self: Box<Self>) -> std::io::Result<Box<dyn Running>> {
        let running = match (self.http, self.stats) {
            (Some(http), Some(stats)) => http.start(stats)?,
            _ => None,
        };
        Ok(Box::new(RunningStats(running)))
    }
}

impl Running for RunningStats {
    fn stop(&self) {
        self.0.iter().for_each(RunningHttp::stop);
    }

    fn join(self: Box<Self>) {
        self.0.into_iter().for_each(RunningHttp::join);
    }
}

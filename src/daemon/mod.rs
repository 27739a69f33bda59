//! Builds everything from a checked configuration, starts it, and stops it in reverse.
//!
//! ```text
//! Plan::build (touches nothing) ─► Plan::start: sockets, privileges, outputs → queues → inputs ─► Daemon
//! Daemon::stop: inputs → main queue → ruleset queues → action queues → outputs
//! ```

mod asked;
mod build;
mod fetch;
mod global_files;
mod globals;
mod handle;
mod script_counters;
mod templates;

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use self::build::Shop;
use self::globals::{Globals, Privileges};
use self::handle::Handle;
use self::templates::Templates;
use crate::actions::reentry::Reentries;
use crate::actions::set::Configured;
use crate::config::diagnostic::REFERENCE_VERSION;
use crate::config::{Config, Diagnostics, RulesetId};
use crate::control::notify::{Notify, Status};
use crate::control::tasks::ControlThread;
use crate::inputs::{Control, End, Farewell, Input, Running, internal};
use crate::lookup::Lookup;
use crate::message::{Names, Pool, Submit};
use crate::net::resolver::Resolver;
use crate::param::{Args, Problem};
use crate::queue::{Frozen, Queue};
use crate::ratelimit::Kit;
use crate::ruleset::oversize::{Bounded, Oversize};
use crate::ruleset::{Hostname, Inlet, Job};
use crate::stats;
use crate::sync::lock;
use crate::sys::{engine, error, process};
use crate::task::Tasks;

/// How long the last work of the control thread may take: a state file of many senders, on a slow disk.
const TASKS_PATIENCE: Duration = Duration::from_secs(30);

/// What the command line says beside the configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommandLine {
    /// The daemon stays in the foreground.
    pub foreground: bool,
    /// `-A`: datagrams of omfwd go to all addresses of their target.
    pub send_to_all: bool,
}

/// A daemon that only has to be started.
pub struct Plan {
    core: Core,
    inputs: Vec<Box<dyn Input>>,
    resolver: Option<Arc<Resolver>>,
    /// Where the daemon's own messages go.
    own: Arc<dyn Submit>,
    internal: internal::Settings,
    tasks: Arc<Tasks>,
}

/// What lives as long as the daemon.
struct Core {
    globals: Globals,
    globals_args: Args,
    stats: Arc<stats::Set>,
    hostname: Hostname,
    actions: Arc<[Option<Configured>]>,
    main: Arc<Queue<Job>>,
    /// Queues of rulesets, in the order of the configuration.
    queues: Vec<Arc<Queue<Job>>>,
    handle: Arc<Handle>,
    limits: Arc<Kit>,
    oversize: Arc<Oversize>,
}

/// A running daemon.
pub struct Daemon {
    core: Core,
    inputs: Vec<Box<dyn Running>>,
    control: ControlThread,
}

impl Plan {
    /// Builds from the configuration; what cannot be built is reported and left out.
    #[must_use]
    pub fn build(config: &Config, said: CommandLine, diagnostics: &mut Diagnostics) -> Self {
        let args = &config.globals.args;
        let globals = Globals::new(args, &config.directives.args, said);
        global_files::check(config, diagnostics);
        let stats = Arc::new(stats::Set::default());
        let tasks = Arc::new(Tasks::default());
        let pool = Arc::new(Pool::default());
        let hostname: Hostname = Arc::new(Mutex::new(globals::hostname(args)));
        let templates = Arc::new(Templates::build(config, globals.secure, diagnostics));
        let variables = Arc::new(globals.variables());
        let found = (&templates, &stats, &*tasks);
        let limits = Arc::new(build::limits(config, found, &hostname, &variables, diagnostics));
        let lookups = build::lookups(config, diagnostics);
        let (buckets, percentiles) = script_counters::build(config, &stats, &tasks, diagnostics);
        let rulesets = config.rulesets.iter().map(|decl| decl.name.clone()).collect();
        let reentries = Reentries::new(rulesets, Arc::clone(&limits));
        let shop = Shop {
            config,
            globals: &globals,
            templates: &templates,
            lookups: &lookups,
            buckets: &buckets,
            percentiles: &percentiles,
            stats: &stats,
            tasks: &tasks,
            asked: &asked::asked(config),
            reentries: &reentries,
            pool: &pool,
            hostname: &hostname,
            variables: &variables,
            limits: &limits,
        };
        shop.check_parsers(diagnostics);
        let actions: Arc<[Option<Configured>]> = shop.actions(diagnostics).into();
        let (main, queues) = shop.queues(&actions, diagnostics);
        let resolver = globals
            .dns
            .then(|| Arc::new(Resolver::new(globals.dns_ttl, globals.drops_forged, &stats)));
        let inlet = |ruleset: RulesetId| {
            let own = queues.iter().find(|(id, _)| *id == ruleset).map(|(_, queue)| queue);
            let queue = Arc::clone(own.unwrap_or(&main));
            Arc::new(Inlet { queue, ruleset }) as Arc<dyn Submit>
        };
        reentries.open(inlet);
        let names = resolver.clone().map(|resolver| resolver as Arc<dyn Names>);
        let handle = Arc::new(Handle::new(&globals, &main, &queues, &actions, &lookups));
        let control = Arc::<Handle>::clone(&handle) as Arc<dyn Control>;
        let oversize = globals::oversize(args);
        let oversize = Arc::new(Oversize::new(oversize, &hostname, &stats));
        let bounded = |ruleset| {
            let oversize = Arc::clone(&oversize);
            Arc::new(Bounded { oversize, next: inlet(ruleset) }) as Arc<dyn Submit>
        };
        let inputs = shop.inputs(&bounded, names, &control, diagnostics);
        let own = inlet(config.default_ruleset);
        let internal = globals::internal_settings(args, &config.directives.args, said.foreground);
        let globals_args = args.clone();
        let queues = queues.into_iter().map(|(_, queue)| queue).collect();
        let core = Core {
            globals,
            globals_args,
            stats,
            hostname,
            actions,
            main,
            queues,
            handle,
            limits,
            oversize,
        };
        Self { core, inputs, resolver, own, internal, tasks }
    }

    /// Whether TERM's little brothers INT and QUIT stop the daemon.
    #[must_use]
    pub fn permits_ctrl_c(&self) -> bool {
        self.core.globals.ctrl_c
    }

    /// Whether another identity is taken on, so that the pid file has to be written before.
    #[must_use]
    pub fn drops_privileges(&self) -> bool {
        let Privileges { user, group, .. } = self.core.globals.privileges;
        user.is_some() || group.is_some()
    }

    /// Whether HUP was sent: to be set by the signal handler.
    #[must_use]
    pub fn hup_flag(&self) -> Arc<AtomicBool> {
        self.core.handle.hup_flag()
    }

    /// Begins the file that tells how this run goes (`operatingStateFile`).
    pub fn begin_state_file(&self) {
        if let Some(path) = self.core.globals_args.str("operatingStateFile") {
            internal::operating_state::open(Path::new(OsStr::from_bytes(path)));
        }
    }

    /// Starts everything, and tells the service manager from time to time how it is: opens sockets, takes on the configured identity, then outputs, queues, inputs.
    ///
    /// # Errors
    /// What makes running pointless: no thread to be had, no change of identity, a queue that does not start.
    pub fn start(mut self, notify: &Notify) -> Result<Daemon, String> {
        process::set_environment(globals::environment(&self.core.globals_args));
        internal::configure(self.internal);
        let core = &self.core;
        if let Some(name) = core.globals_args.text("defaultOpensslEngine")
            && let Err(why) = engine::set_default(&name)
        {
            log::error!(code = 2086; "{why}");
        }
        if let Some(mask) = core.globals.umask {
            process::umask(mask);
        }
        if let Some(limit) = core.globals.open_files {
            raise_open_files(limit);
        }
        for problem in self.inputs.iter_mut().flat_map(|input| input.open()) {
            log_problem(&problem);
        }
        take_identity(core.globals.privileges)?;
        let thread = |e: io::Error| format!("could not start a thread: {e}");
        if let Some(resolver) = &self.resolver {
            resolver.start().map_err(thread)?;
        }
        if notify.is_wanted() {
            self.tasks.add(Box::new(Status::new(notify.clone(), Arc::clone(&core.stats))));
        }
        let control = ControlThread::start(self.tasks.take()).map_err(thread)?;
        core.start_queues().map_err(thread)?;
        let hostname = Arc::clone(&core.hostname);
        let pipeline = internal::Pipeline { main_queue: self.own, hostname };
        internal::start(pipeline, &core.stats).map_err(thread)?;
        let mut inputs = Vec::new();
        for input in self.inputs {
            inputs.push(input.start().map_err(thread)?);
        }
        if self.core.globals.status_messages {
            log::info!(code = 0; "{} start", origin());
        }
        log::debug!(code = 0, own = true; "rsyslogd fully started up and initialized - begin actual processing");
        Ok(Daemon { core: self.core, inputs, control })
    }
}

impl Core {
    /// Starts the queues from the outputs' end, so that each finds the next one running.
    fn start_queues(&self) -> io::Result<()> {
        for queue in self.action_queues() {
            queue.start()?;
        }
        for queue in &self.queues {
            queue.start()?;
        }
        self.main.start()
    }

    fn action_queues(&self) -> impl Iterator<Item = &Queue<Frozen>> {
        self.actions.iter().flatten().filter_map(|action| action.queue.as_deref())
    }
}

impl Daemon {
    /// HUP: outputs close their files, inputs read their certificates again, the host name is read again. Waits for no
    /// output.
    pub fn hup(&self) {
        let busy = self.core.handle.begin_hup();
        let actions = self.core.actions.iter().flatten();
        let files: usize = actions.map(|action| action.action.hup()).sum();
        log::debug!(
            "HUP: {files} output files closed; they are opened anew with their next message"
        );
        if self.core.globals.status_messages {
            log::info!(code = 0; "{} rsyslogd was HUPed", origin());
        }
        self.core.handle.lookups().iter().for_each(Lookup::hup);
        self.core.limits.hup();
        self.core.oversize.hup();
        self.inputs.iter().for_each(|input| input.hup());
        // Last, because it may ask a name server.
        let name = globals::hostname(&self.core.globals_args);
        *lock(&self.core.hostname) = name;
        self.control.hup(busy);
    }

    /// Once a second: idle files are closed, buffers flushed.
    pub fn tick(&self, now_seconds: i64) {
        for action in self.core.actions.iter().flatten() {
            action.action.tick(now_seconds);
        }
    }

    /// Stops everything in the order in which messages flow, so that each stage can hand on what it holds.
    /// What comes back is to be done as the last step of the process.
    #[must_use]
    pub fn stop(self, signal: i32) -> LastStep {
        internal::begin_shutdown();
        log::debug!(code = 0, own = true; "rsyslogd shutting down");
        let core = self.core;
        self.inputs.iter().for_each(|input| input.stop());
        for queue in core.queues.iter().chain([&core.main]) {
            queue.release();
        }
        // What the rules still hand over must not wait for an output that is not there.
        core.action_queues().for_each(Queue::release);
        let farewells = self.inputs.iter().filter_map(|input| input.farewell()).collect();
        let patience = core.handle.input_shutdown();
        join_inputs(self.inputs, patience);
        if !self.control.inputs_ended(patience) {
            log::warn!(
                "the control thread did not finish within {} ms, going on without it",
                patience.as_millis()
            );
        }
        if core.globals.status_messages {
            log::info!(code = 0; "{} exiting on signal {signal}.", origin());
        }
        internal::stop();
        // What does not get done in time is counted and logged by each queue.
        let mut left = core.main.shutdown();
        left += core.queues.iter().map(|queue| queue.shutdown()).sum::<usize>();
        left += core.action_queues().map(Queue::shutdown).sum::<usize>();
        for action in core.actions.iter().flatten() {
            action.action.close();
        }
        if !self.control.stop(TASKS_PATIENCE) {
            log::warn!("the control thread did not end within {} s", TASKS_PATIENCE.as_secs());
        }
        if log::log_enabled!(log::Level::Debug) {
            print_stats(&core.stats);
        }
        internal::operating_state::close();
        LastStep { end: End { signal, left }, farewells }
    }
}

/// What inputs have to do when nothing else is left to do.
pub struct LastStep {
    end: End,
    farewells: Vec<Farewell>,
}

impl LastStep {
    /// Does it.
    ///
    /// # Errors
    /// What failed; the process should end with a failure code.
    pub fn run(self) -> Result<(), String> {
        self.farewells.into_iter().try_for_each(|farewell| farewell(self.end))
    }
}

/// Waits for the inputs' threads, but not longer than `inputs.timeout.shutdown`.
fn join_inputs(inputs: Vec<Box<dyn Running>>, patience: Duration) {
    let (ended, wait) = mpsc::channel();
    let join = move || {
        inputs.into_iter().for_each(|input| input.join());
        // Nobody listens any more if it took too long.
        let _ = ended.send(());
    };
    let joined =
        process::spawn("join inputs", join).is_ok_and(|_| wait.recv_timeout(patience).is_ok());
    if !joined {
        log::warn!("inputs did not end within {} ms, going on without them", patience.as_millis());
    }
}

/// How the daemon's status messages begin.
fn origin() -> String {
    format!(
        "[origin software=\"rsyslogd\" swVersion=\"{REFERENCE_VERSION}\" x-pid=\"{}\" \
         x-info=\"https://www.rsyslog.com\"]",
        std::process::id()
    )
}

fn log_problem(problem: &Problem) {
    let text = &problem.text;
    match (problem.warning, problem.code) {
        (false, Some(code)) => log::error!(code = code; "{text}"),
        (false, None) => log::error!("{text}"),
        (true, Some(code)) => log::warn!(code = code; "{text}"),
        (true, None) => log::warn!("{text}"),
    }
}

fn raise_open_files(limit: u64) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Err(e) = setrlimit(Resource::RLIMIT_NOFILE, limit, limit) {
        let hard = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(_, hard)| hard);
        log::error!(
            code = 2116;
            "could not set process file limit to {limit} [current hard limit {hard}]: {}", error::text(e as i32)
        );
    }
}

/// `privdrop.*`: group first, while the right to change it is still there.
fn take_identity(privileges: Privileges) -> Result<(), String> {
    if let Some(group) = privileges.group {
        process::drop_to_group(group, privileges.keep_supplemental)?;
        log::info!("rsyslogd's groupid changed to {group}");
    }
    if let Some(user) = privileges.user {
        if let Some(warning) = process::drop_to_user(user)? {
            log::warn!("{warning}");
        }
        log::info!("rsyslogd's userid changed to {user}");
    }
    Ok(())
}

/// All counters, as `-d` shows them at the end.
fn print_stats(stats: &stats::Set) {
    let objects = stats.read(stats::Purpose::Look);
    let lines: String = objects.iter().map(|object| stats::report::full(object) + "\n").collect();
    internal::debug::write(lines.as_bytes());
}

//! What is allowed: a `ratelimit()` object, or the `rateLimit.interval` and `.burst` of one input.
//!
//! Users of an object share what it allows, and the state of its sources; each has a window of its own. Files
//! are read again on HUP, and with `policyWatch` some time after they have changed. A file that is not in order leaves
//! everything as it was.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::file::{self, PolicyFile, SourcesFile};
use super::sources::{Rules, Sources};
use super::watch::Watch;
use crate::limits;
use crate::message::{Msg, Property};
use crate::param::{Args, Problem};
use crate::stats::{self, Counter, Live, Object, Purpose, Reading};
use crate::sync::{Mutex, MutexGuard, lock};
use crate::task::Task;
use crate::template::Template;

/// Finds a template by its name, for as long as the daemon runs.
pub type Templates = Arc<dyn Fn(&[u8]) -> Option<Arc<Template>> + Send + Sync>;

/// Who uses a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Inputs.
    #[default]
    Input,
    /// Actions.
    Output,
}

impl Scope {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "input" => Some(Self::Input),
            "output" => Some(Self::Output),
            _ => None,
        }
    }
}

/// What an action does with a message beyond its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It is dropped.
    #[default]
    Drop,
    /// It waits.
    Pace,
}

impl Mode {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "drop" => Some(Self::Drop),
            "pace" => Some(Self::Pace),
            _ => None,
        }
    }
}

/// How many messages may pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Seconds of a window; 0 is no limit.
    pub interval: u32,
    /// Messages in a window.
    pub burst: u32,
    /// Messages of a smaller severity number are not limited; 0 and less limit all.
    pub severity: i32,
    /// What an action does beyond it.
    pub mode: Mode,
}

/// What is allowed.
pub struct Policy {
    name: String,
    scope: Scope,
    limits: Mutex<Limits>,
    sources: Mutex<Option<Arc<PerSource>>>,
    /// A user may not wait.
    pace_forbidden: Mutex<bool>,
    /// Whether `perSource` stands in the file of `policy`.
    sources_in_file: bool,
    /// Files of `policy` and `perSourcePolicy`.
    files: [Option<PathBuf>; 2],
    watch: Option<Watch>,
    templates: Templates,
    stats: Arc<stats::Set>,
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policy").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Policy {
    /// That of one input.
    #[must_use]
    pub fn inline(limits: Limits) -> Self {
        Self {
            name: String::new(),
            scope: Scope::Input,
            limits: Mutex::new(limits),
            sources: Mutex::default(),
            pace_forbidden: Mutex::default(),
            sources_in_file: false,
            files: [None, None],
            watch: None,
            templates: Arc::new(|_| None),
            stats: Arc::default(),
        }
    }

    /// That of a `ratelimit()` object.
    ///
    /// # Errors
    /// The object makes no sense; in the reference's words. There is no such object then.
    pub fn new(args: &Args, templates: Templates, stats: Arc<stats::Set>) -> Result<Self, Problem> {
        let name = args.text("name").unwrap_or_default();
        let path = |param| args.str(param).map(|path| PathBuf::from(OsStr::from_bytes(path)));
        let files = [path("policy"), path("perSourcePolicy")];
        let number = |param| args.int(param).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        let debounce = args.text("policyWatchDebounce").unwrap_or_default();
        let debounce = file::duration(&debounce).ok_or_else(|| {
            let text = format!("ratelimit: invalid policyWatchDebounce value '{debounce}'");
            Problem::error(text).code(2207).at("policyWatchDebounce").at_start()
        })?;
        let given = match &files[0] {
            None => PolicyFile::default(),
            Some(path) => file::policy(path).map_err(|why| invalid(why).at("policy"))?,
        };
        let scope = given.scope.unwrap_or_default();
        check(&name, &given, args, files[0].as_deref())?;
        let severity = args.int("severity").and_then(|n| i32::try_from(n).ok()).unwrap_or(-1);
        let limits = Limits {
            interval: given.interval.unwrap_or_else(|| number("interval")),
            burst: given.burst.unwrap_or_else(|| number("burst")),
            severity: given.severity.unwrap_or(severity),
            mode: given.mode.unwrap_or_default(),
        };
        let sources_in_file = given.sources.is_some();
        let sources = match (given.sources, &files[1]) {
            (Some(section), _) => section.enabled.then_some(section),
            // The file turns it on, even where `perSource` says "off".
            (None, Some(path)) => Some(SourcesFile {
                enabled: true,
                template: args.text("perSourceKeyTpl"),
                max_states: number("perSourceMaxStates"),
                top: number("perSourceTopN"),
                rules: file::source_rules(path)
                    .map_err(|why| invalid(why).at("perSourcePolicy"))?,
            }),
            _ => None,
        };
        let watch = args.bool("policyWatch").then(|| Watch::new(debounce, &files));
        let limits = Mutex::new(limits);
        let sources_now = Mutex::default();
        let policy = Self {
            name,
            scope,
            limits,
            sources: sources_now,
            pace_forbidden: Mutex::default(),
            sources_in_file,
            files,
            watch,
            templates,
            stats,
        };
        if let Some(section) = sources {
            policy
                .set_sources(section)
                .map_err(|text| Problem::error(text).code(2046).at("perSourceKeyTpl"))?;
        }
        Ok(policy)
    }

    /// The object's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who may use it.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// How many messages may pass, at present.
    #[must_use]
    pub fn limits(&self) -> Limits {
        *lock(&self.limits)
    }

    /// From now on no reload may make messages wait: an action without a queue uses it.
    pub(super) fn forbid_pace(&self) {
        *lock(&self.pace_forbidden) = true;
    }

    /// Whether it can never limit anything.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.name.is_empty() && self.limits().interval == 0
    }

    /// The limits of sources, where there are any at present.
    #[must_use]
    pub fn sources(&self) -> Option<Arc<PerSource>> {
        lock(&self.sources).clone()
    }

    /// Reads the files again because of `trigger`.
    pub fn reload(&self, trigger: &str) {
        let Self { name, files, .. } = self;
        for (path, what, reload) in [
            (&files[0], "policy", Self::reload_policy as fn(&Self, &Path, &str) -> _),
            (&files[1], "per-source policy", Self::reload_rules),
        ] {
            let Some(path) = path else { continue };
            let shown = path.display();
            match reload(self, path, trigger) {
                Ok(()) => log::info!(
                    code = 0;
                    "ratelimit: {trigger} reloaded {what} '{name}' from file '{shown}'"
                ),
                Err(why) => {
                    log::error!(code = 2046; "{why}");
                    log::error!(
                        code = 2046;
                        "ratelimit: {trigger} failed to reload {what} '{name}' from file '{shown}', keeping \
                         old values"
                    );
                }
            }
        }
    }

    /// What reads the files again some time after they have changed, where that is wanted.
    #[must_use]
    pub fn watching(self: &Arc<Self>) -> Option<Watching> {
        self.watch.is_some().then(|| Watching(Arc::clone(self)))
    }

    fn reload_policy(&self, path: &Path, trigger: &str) -> Result<(), String> {
        let given = file::policy(path)?;
        let rejected = |why: &str| {
            let kind = match self.scope {
                _ if why == "scope changed" => "",
                Scope::Input => "input ",
                Scope::Output => "output ",
            };
            let (name, shown) = (&self.name, path.display());
            format!(
                "ratelimit: {trigger} reload of {kind}policy '{name}' from file '{shown}' rejected because {why}"
            )
        };
        if given.scope.unwrap_or_default() != self.scope {
            return Err(rejected("scope changed"));
        }
        let mut limits = self.limits();
        match (self.scope, given.mode) {
            (Scope::Output, None) => return Err(rejected("mode is missing")),
            (Scope::Output, _) if given.interval.is_none() || given.burst.is_none() => {
                return Err(rejected("interval or burst is missing"));
            }
            (Scope::Output, _) if given.severity.is_some() || given.sources.is_some() => {
                return Err(rejected("severity and perSource are not supported"));
            }
            (Scope::Output, Some(Mode::Pace)) if given.burst == Some(0) => {
                return Err(rejected("pace mode requires burst greater than zero"));
            }
            (Scope::Output, Some(Mode::Pace)) if *lock(&self.pace_forbidden) => {
                return Err(rejected("a direct action uses this policy"));
            }
            (Scope::Output, Some(mode)) => limits.mode = mode,
            (Scope::Input, Some(_)) => return Err(rejected("output mode is set")),
            (Scope::Input, None) => {}
        }
        limits.interval = given.interval.unwrap_or(limits.interval);
        limits.burst = given.burst.unwrap_or(limits.burst);
        limits.severity = given.severity.unwrap_or(limits.severity);
        match given.sources {
            Some(section) if section.enabled => self.set_sources(section)?,
            Some(_) => *lock(&self.sources) = None,
            None if self.sources_in_file => *lock(&self.sources) = None,
            None => {}
        }
        *lock(&self.limits) = limits;
        Ok(())
    }

    fn reload_rules(&self, path: &Path, _trigger: &str) -> Result<(), String> {
        let rules = Arc::new(file::source_rules(path)?);
        if let Some(sources) = self.sources() {
            lock(&sources.settings).rules = rules;
        }
        Ok(())
    }

    /// Takes on the limits of sources; what is known of the sources stays.
    fn set_sources(&self, section: SourcesFile) -> Result<(), String> {
        let key = match &section.template {
            None => Key::Hostname,
            Some(template) => match (self.templates)(template.as_bytes()) {
                Some(found) => Key::of(template, found),
                None => {
                    let name = &self.name;
                    return Err(format!(
                        "ratelimit: perSourceKeyTpl '{template}' not found for '{name}'"
                    ));
                }
            },
        };
        let or_default = |n: u32, default: usize| match n {
            0 => default,
            n => usize::try_from(n).unwrap_or(default),
        };
        let settings = Settings {
            rules: Arc::new(section.rules),
            key,
            limit: or_default(section.max_states, limits::RATE_SOURCES),
            top: or_default(section.top, limits::RATE_SOURCES_TOP),
        };
        let mut sources = lock(&self.sources);
        if let Some(sources) = &*sources {
            *lock(&sources.settings) = settings;
            return Ok(());
        }
        let made = Arc::new(PerSource::new(&self.name, settings));
        self.stats.add_live("ratelimit", Arc::<PerSource>::clone(&made));
        *sources = Some(made);
        Ok(())
    }
}

/// Keeps an object up to date with its files.
#[derive(Debug)]
pub struct Watching(Arc<Policy>);

impl Task for Watching {
    fn interval(&self) -> Option<Duration> {
        self.0.watch.as_ref().map(Watch::interval)
    }

    fn run(&mut self) {
        let Policy { watch, files, .. } = &*self.0;
        if watch.as_ref().is_some_and(|watch| watch.is_due(Instant::now(), files)) {
            self.0.reload("watch");
        }
    }
}

/// The reference's code of a file or parameter that makes no sense.
fn invalid(text: String) -> Problem {
    Problem::error(text).code(2207)
}

/// What does not go together.
fn check(name: &str, given: &PolicyFile, args: &Args, path: Option<&Path>) -> Result<(), Problem> {
    const SOURCES: [&str; 5] =
        ["perSource", "perSourcePolicy", "perSourceKeyTpl", "perSourceMaxStates", "perSourceTopN"];
    let any = |params: &[&str]| params.iter().any(|param| args.given(param));
    let wrong = |text: String| Err(Problem::error(text).code(2046).at("policy"));
    if let (Some(_), Some(path), true) = (&given.sources, path, any(&SOURCES)) {
        return wrong(format!(
            "ratelimit: policy file '{}' contains perSource for '{name}'; do not mix it with legacy \
             perSource/perSourcePolicy/perSourceKeyTpl/maxStates/topN parameters",
            path.display()
        ));
    }
    if given.scope == Some(Scope::Output) {
        let what = if any(&["interval", "burst", "severity"]) || any(&SOURCES) {
            "must define limits only in the YAML policy file"
        } else if given.mode.is_none() {
            "must define mode in the YAML policy file"
        } else if given.interval.is_none() || given.burst.is_none() {
            "must define interval and burst in the YAML policy file"
        } else if given.severity.is_some() || given.sources.is_some() {
            "does not support severity or perSource in this version"
        } else if given.mode == Some(Mode::Pace) && given.burst == Some(0) {
            "pace mode requires burst greater than zero"
        } else {
            return Ok(());
        };
        return wrong(format!("ratelimit: output policy '{name}' {what}"));
    }
    if given.mode.is_some() {
        return wrong(format!("ratelimit: input policy '{name}' must not define output mode"));
    }
    if args.bool("perSource") && given.sources.is_none() && !args.given("perSourcePolicy") {
        let text = format!(
            "ratelimit: per-source rate limiting enabled but perSourcePolicy is missing for '{name}'"
        );
        return Err(Problem::error(text).code(2046).at("perSource"));
    }
    Ok(())
}

/// Limits for each source of messages.
#[derive(Debug)]
pub struct PerSource {
    /// The counters below.
    object: Object,
    settings: Mutex<Settings>,
    sources: Mutex<Sources>,
    allowed: Arc<Counter>,
    dropped: Arc<Counter>,
    evicted: Arc<Counter>,
    /// Keys that a template made, and messages parsed for their key.
    rendered: Arc<Counter>,
    parsed: Arc<Counter>,
    /// Sources kept; ours.
    kept: Arc<Counter>,
}

/// What can change at a reload.
#[derive(Debug)]
struct Settings {
    rules: Arc<Rules>,
    key: Key,
    /// Most sources kept.
    limit: usize,
    /// Sources shown that lost most.
    top: usize,
}

/// What tells sources apart.
#[derive(Clone, Debug)]
pub enum Key {
    /// The host name in the message.
    Hostname,
    /// What the template makes of the message, which must be parsed for it.
    Message(Arc<Template>),
    /// What the template makes of the message's sender alone.
    Sender(Arc<Template>),
}

impl Key {
    fn of(name: &str, template: Arc<Template>) -> Self {
        match template.needs_parsing() {
            _ if name == "RSYSLOG_PerSourceKey" => Self::Hostname,
            true => Self::Message(template),
            false => Self::Sender(template),
        }
    }
}

impl PerSource {
    fn new(name: &str, settings: Settings) -> Self {
        let mut object = Object::new(format!("ratelimit.{name}.per_source"), "ratelimit");
        Self {
            settings: Mutex::new(settings),
            sources: Mutex::default(),
            allowed: object.counter("per_source_allowed"),
            dropped: object.counter("per_source_dropped"),
            evicted: object.counter("per_source_evicted"),
            rendered: object.counter("per_source_key_tpl_evals"),
            parsed: object.counter("per_source_key_parse_evals"),
            kept: object.gauge("sources"),
            object,
        }
    }

    /// For a batch: locks the sources until it is dropped.
    pub(super) fn open(&self) -> Open<'_> {
        let settings = lock(&self.settings);
        let (rules, key, limit) =
            (Arc::clone(&settings.rules), settings.key.clone(), settings.limit);
        drop(settings);
        Open { owner: self, rules, key, limit, sources: lock(&self.sources) }
    }
}

/// The limits of sources, for one batch.
pub(super) struct Open<'a> {
    owner: &'a PerSource,
    rules: Arc<Rules>,
    key: Key,
    limit: usize,
    sources: MutexGuard<'a, Sources>,
}

impl Open<'_> {
    /// Whether a message must be parsed before its source is known.
    pub(super) fn needs_parsing(&self) -> bool {
        !matches!(self.key, Key::Sender(_))
    }

    /// A message was parsed for its key.
    pub(super) fn count_parse(&self) {
        self.owner.parsed.add(1);
    }

    /// Whether the message may pass; `scratch` is used for its key.
    pub(super) fn admits(&mut self, msg: &Msg<'_>, scratch: &mut Vec<u8>) -> bool {
        let owner = self.owner;
        let source = match &self.key {
            Key::Hostname => msg.property(&Property::Hostname, scratch),
            Key::Message(template) | Key::Sender(template) => {
                owner.rendered.add(u64::from(self.needs_parsing()));
                scratch.clear();
                template.render(msg, scratch);
                scratch
            }
        };
        if source.is_empty() {
            return true;
        }
        let now = msg.record.received.div_euclid(1_000_000);
        let outcome = self.sources.judge(source, now, &self.rules, self.limit);
        owner.kept.set(self.sources.len() as u64);
        owner.evicted.add(outcome.evicted);
        if outcome.allowed { &owner.allowed } else { &owner.dropped }.add(1);
        outcome.allowed
    }
}

impl Live for PerSource {
    fn read(&self, purpose: Purpose) -> Reading {
        let mut reading = self.object.read(purpose);
        let top = lock(&self.settings).top;
        for (rank, (key, dropped)) in (1..).zip(lock(&self.sources).worst(top)) {
            let name = format!("per_source_drop_{rank}_{}", metric(key)).into_bytes();
            reading.counter(name, dropped);
        }
        reading
    }
}

/// A source's name as a part of a counter's name.
fn metric(key: &[u8]) -> String {
    let harmless = |&b: &u8| match b {
        b if b.is_ascii_alphanumeric() || b == b'_' || b == b'-' => char::from(b),
        _ => '_',
    };
    key.iter().take(128).map(harmless).collect()
}

//! From a checked configuration to objects that only have to be started. Nothing outside is touched: `-N1` runs
//! all of this.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::globals::Globals;
use super::templates::Templates;
use crate::actions::action::Action;
use crate::actions::modify::NoOutput;
use crate::actions::reentry::Reentries;
use crate::actions::set::{Configured, Set};
use crate::actions::{self, OutputEnv};
use crate::config::{
    ActionDecl, ActionId, Config, Diagnostic, Diagnostics, InputDecl, ObjectArgs, RulesetDecl,
    RulesetId,
};
use crate::inputs::{Control, Input, InputEnv};
use crate::lookup::Lookup;
use crate::message::{Names, Pool, Submit, vars};
use crate::modifiers::{ModifierEnv, ModifierKind};
use crate::net::access::{self, Access};
use crate::param::{Args, Problem};
use crate::parsers::{Parser, ParserEnv, ParserOptions};
use crate::queue::{self, Queue, Type};
use crate::ratelimit::policy::Templates as Finder;
use crate::ratelimit::{Kit, Policy};
use crate::ruleset::{Actions, Hostname, Job, Rules, Surroundings, consumers};
use crate::script::Environment;
use crate::stats::tracked::{Housekeeping, Tracked};
use crate::stats::{Bucket, Percentiles};
use crate::task::Tasks;
use crate::{registry, stats};

/// Loads the lookup tables. One that cannot be loaded is there, and empty: a reload may mend it.
pub(super) fn lookups(config: &Config, diagnostics: &mut Diagnostics) -> Vec<Arc<Lookup>> {
    let mut tables = Vec::with_capacity(config.lookup_tables.len());
    for decl in &config.lookup_tables {
        let args = &decl.args.args;
        let path = PathBuf::from(OsStr::from_bytes(args.str("file").unwrap_or_default()));
        let lookup = Lookup::new(decl.name.clone(), path, args.bool("reloadOnHUP"));
        lookup.load(&mut |problem| diagnostics.push(decl.args.diagnose(&problem.at("file"))));
        tables.push(Arc::new(lookup));
    }
    tables
}

/// Makes what limits are made of: the `ratelimit()` objects that make sense, and `$RepeatedMsgReduction`.
pub(super) fn limits(
    config: &Config,
    (templates, stats, tasks): (&Arc<Templates>, &Arc<stats::Set>, &Tasks),
    hostname: &Hostname,
    variables: &Arc<vars::Globals>,
    diagnostics: &mut Diagnostics,
) -> Kit {
    let templates = Arc::clone(templates);
    let find: Finder = Arc::new(move |name| templates.find(name));
    let mut policies = Vec::with_capacity(config.ratelimits.len());
    for decl in &config.ratelimits {
        match Policy::new(&decl.args, Arc::clone(&find), Arc::clone(stats)) {
            Ok(policy) => {
                let policy = Arc::new(policy);
                if let Some(watching) = policy.watching() {
                    tasks.add(Box::new(watching));
                }
                policies.push(policy);
            }
            Err(problem) => diagnostics.push(decl.diagnose(&problem)),
        }
    }
    let reduce = config.directives.args.bool("RepeatedMsgReduction");
    Kit::new(policies, reduce, Arc::clone(hostname), Arc::clone(variables))
}

/// The main queue, and the queues of rulesets, callers first.
pub(super) type Queues = (Arc<Queue<Job>>, Vec<(RulesetId, Arc<Queue<Job>>)>);

/// What is lent to everything that is built.
pub(super) struct Shop<'a> {
    pub(super) config: &'a Config,
    pub(super) globals: &'a Globals,
    pub(super) templates: &'a Templates,
    pub(super) lookups: &'a [Arc<Lookup>],
    pub(super) buckets: &'a [Arc<Bucket>],
    pub(super) percentiles: &'a [Arc<Percentiles>],
    pub(super) stats: &'a Arc<stats::Set>,
    pub(super) tasks: &'a Arc<Tasks>,
    /// Actions whose fate rules ask for.
    pub(super) asked: &'a BTreeSet<ActionId>,
    pub(super) reentries: &'a Reentries,
    pub(super) pool: &'a Arc<Pool>,
    pub(super) hostname: &'a Hostname,
    pub(super) variables: &'a Arc<vars::Globals>,
    pub(super) limits: &'a Arc<Kit>,
}

impl Shop<'_> {
    /// Makes all actions. What cannot be made is `None`, and its statement does nothing.
    pub(super) fn actions(&self, diagnostics: &mut Diagnostics) -> Vec<Option<Configured>> {
        let files = RefCell::default();
        let indexes = 0..self.config.actions.len();
        indexes.map(|index| self.action(index, &files, diagnostics)).collect()
    }

    fn action(
        &self,
        index: usize,
        files: &RefCell<Vec<PathBuf>>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Configured> {
        let decl = &self.config.actions[index];
        if let Some(kind) = registry::modifier(decl.module.name) {
            return self.modifier(decl, kind, diagnostics);
        }
        let kind = registry::output(decl.module.name)?;
        let module_args = self.config.module_args(decl.module);
        let remarks = RefCell::new(Vec::new());
        let env = OutputEnv {
            name: &decl.name,
            files,
            template: &|name| self.templates.find(name),
            stats: Arc::clone(self.stats),
            tasks: self.tasks,
            reentries: self.reentries,
            message_bytes: self.globals.message_bytes,
            ip_protocol: self.globals.ip_protocol,
            own_defaults: decl.own_defaults,
            child_exits: self.globals.child_exits,
            secure: self.globals.secure,
            tls: &self.globals.tls,
            send_to_all: self.globals.send_to_all,
            report: &|problem| remarks.borrow_mut().push(problem),
        };
        let output = (kind.build)(&decl.args.args, &module_args.args, &env);
        report(&decl.args, remarks.into_inner(), diagnostics);
        let output = output.map_err(|problems| report(&decl.args, problems, diagnostics)).ok()?;
        let report_suspension = self.globals.report_suspension;
        let mut settings = actions::settings::Settings::new(
            &decl.core.args,
            &decl.name,
            decl.module,
            report_suspension,
        );
        settings.gate.mark_interval = self.mark_interval();
        settings.commit_each =
            self.next_is_failover(index) || self.asked.contains(&ActionId(index));
        if output.retries_forever() && !decl.core.args.given("action.resumeRetryCount") {
            settings.resume_retry_count = None;
        }
        let queue = queue_settings(&decl.queue, &decl.name, diagnostics);
        match self.limits.of_action(&decl.core.args, &decl.name, queue.kind == Type::Direct) {
            Ok(rate) => settings.rate = rate,
            Err(problem) => {
                report(&decl.core, vec![problem], diagnostics);
                return None;
            }
        }
        let action = Arc::new(Action::new(settings, output, self.stats));
        let settings = queue;
        let queue = (settings.kind != Type::Direct).then(|| {
            Arc::new(actions::queued::queue(
                &action,
                settings,
                Arc::clone(self.hostname),
                Arc::clone(self.variables),
                Arc::clone(self.pool),
                self.stats,
            ))
        });
        Some(Configured { action, queue, modifier: None })
    }

    fn modifier(
        &self,
        decl: &ActionDecl,
        kind: &ModifierKind,
        diagnostics: &mut Diagnostics,
    ) -> Option<Configured> {
        let remarks = RefCell::new(Vec::new());
        let globals = &self.config.globals.args;
        let env = ModifierEnv {
            report: &|problem| remarks.borrow_mut().push(problem),
            stats: Arc::clone(self.stats),
            tasks: Arc::clone(self.tasks),
            message_bytes: self.globals.message_bytes,
            slash_in_program_name: globals.bool("parser.permitSlashInProgramName"),
            child_exits: self.globals.child_exits,
        };
        let make = (kind.build)(&decl.args.args, &env);
        report(&decl.args, remarks.into_inner(), diagnostics);
        let make = make.map_err(|problems| report(&decl.args, problems, diagnostics)).ok()?;
        if decl.queue.args.choice("queue.type") != Some("Direct") {
            let text = format!(
                "action '{}' modifies messages for the rules behind it, so it runs with them and has no queue",
                decl.name
            );
            let problem = Problem::warning(text).at("queue.type").help("leave out queue.type");
            report(&decl.queue, vec![problem], diagnostics);
        }
        let mut settings = actions::settings::Settings::new(
            &decl.core.args,
            &decl.name,
            decl.module,
            self.globals.report_suspension,
        );
        settings.gate.mark_interval = self.mark_interval();
        let action = Arc::new(Action::new(settings, Arc::new(NoOutput), self.stats));
        Some(Configured { action, queue: None, modifier: Some(Arc::new(make)) })
    }

    /// Seconds between MARK messages, if the module is loaded and able to run; else the default.
    fn mark_interval(&self) -> i64 {
        let immark = self.config.modules.iter().find(|decl| decl.module.name == "immark");
        let interval = immark.and_then(|decl| decl.args.args.int("interval"));
        interval
            .filter(|&interval| interval > 0)
            .unwrap_or(actions::settings::MARK_INTERVAL_SECONDS)
    }

    /// Whether the next action runs only when this one is suspended, so that each message's fate must be known
    /// before the next action is asked.
    fn next_is_failover(&self, index: usize) -> bool {
        let next = self.config.actions.get(index + 1);
        next.is_some_and(|next| next.core.args.bool("action.execOnlyWhenPreviousIsSuspended"))
    }

    /// Compiles the rulesets and makes their queues: the main queue, and those of rulesets that have one.
    pub(super) fn queues(
        &self,
        actions: &Arc<[Option<Configured>]>,
        diagnostics: &mut Diagnostics,
    ) -> Queues {
        let decls = &self.config.rulesets;
        let parsers = decls.iter().map(|decl| self.parser_options(decl)).collect();
        let fetch = super::fetch::fetcher();
        let environment = Environment {
            fetch: Some(&fetch),
            template: &|name| self.templates.find(name),
            lookup: &|name| self.lookups.iter().find(|t| t.name().as_bytes() == name).cloned(),
            percentiles: &|name| {
                self.percentiles.iter().find(|set| set.name().as_bytes() == name).cloned()
            },
            loaded: &|module| {
                self.config.modules.iter().any(|decl| decl.module.name == module.name)
            },
            bucket: &|name| self.buckets.iter().find(|b| b.name().as_bytes() == name).cloned(),
        };
        let (rules, found) = Rules::compile(decls, parsers, environment);
        found.into_iter().for_each(|diagnostic| diagnostics.push(diagnostic));
        let rules = Arc::new(rules);
        let set: Box<Actions> = {
            let actions = Arc::clone(actions);
            Box::new(move |interrupt| Box::new(Set::new(&actions, interrupt)))
        };
        let shared = Surroundings::new(
            Arc::clone(&rules),
            set,
            Arc::clone(self.pool),
            Arc::clone(self.hostname),
            Arc::clone(self.variables),
            self.stats,
        );
        let shared = Arc::new(shared.tracking(self.tracked()));
        let mut queue = |object: &ObjectArgs, name: &str| {
            let settings = queue_settings(object, name, diagnostics);
            Arc::new(Queue::new(name, settings, consumers(&shared), self.stats))
        };
        let own: Vec<Option<Arc<Queue<Job>>>> = decls
            .iter()
            .map(|decl| decl.queue.as_ref().map(|object| queue(object, &decl.name)))
            .collect();
        let main = queue(&self.config.main_queue, "main Q");
        rules.connect(own.clone());
        let in_order = rules.callers_first().into_iter();
        (main, in_order.filter_map(|id| Some((id, own[id.0].clone()?))).collect())
    }

    /// Where messages are counted by sender (`senders.keepTrack`).
    fn tracked(&self) -> Option<Arc<Tracked>> {
        let settings = self.globals.senders?;
        let tracked = Arc::new(Tracked::new(settings));
        self.stats.add_live("core", Arc::<Tracked>::clone(&tracked));
        self.tasks.add(Box::new(Housekeeping(Arc::clone(&tracked))));
        Some(tracked)
    }

    /// How the messages of a ruleset are parsed: its `parser=`, or the default chain.
    fn parser_options(&self, decl: &RulesetDecl) -> ParserOptions {
        let chain = if decl.parsers.is_empty() {
            Parser::default_chain()
        } else {
            decl.parsers.iter().filter_map(|name| self.parser(name)).collect()
        };
        ParserOptions::new(&self.config.globals.args, chain)
    }

    fn parser(&self, name: &str) -> Option<Parser> {
        // Told where the objects are checked, once.
        let report = |_| {};
        let (globals, zones) = (&self.config.globals.args, &self.config.timezones[..]);
        let env = ParserEnv { globals, zones, report: &report };
        let mut kinds = registry::PARSERS.iter();
        if let Some(kind) = kinds.clone().find(|kind| kind.name == name) {
            return Some((kind.build)(&Args::defaults(&[kind.module.params]), &env));
        }
        let decl = self.config.parsers.iter().find(|decl| decl.name == name)?;
        let kind = kinds.find(|kind| kind.module.name == decl.module.name)?;
        Some((kind.build)(&decl.args.args, &env))
    }

    /// Says what is wrong with the `parser()` objects.
    pub(super) fn check_parsers(&self, diagnostics: &mut Diagnostics) {
        for decl in &self.config.parsers {
            let problems = RefCell::new(Vec::new());
            let report = |problem| problems.borrow_mut().push(problem);
            let (globals, zones) = (&self.config.globals.args, &self.config.timezones[..]);
            let env = ParserEnv { globals, zones, report: &report };
            let mut kinds = registry::PARSERS.iter();
            if let Some(kind) = kinds.find(|kind| kind.module.name == decl.module.name) {
                let _ = (kind.build)(&decl.args.args, &env);
            }
            problems.borrow_mut().extend(self.headerless_ruleset(&decl.args.args));
            self::report(&decl.args, problems.into_inner(), diagnostics);
        }
    }

    /// Says if there is no such ruleset as a parser is to send messages without header to.
    fn headerless_ruleset(&self, args: &Args) -> Option<Problem> {
        const NAME: &str = "headerless.ruleset";
        let name = args.param(NAME).and_then(|_| args.text(NAME))?;
        let mut known = self.config.rulesets.iter().map(|decl| &decl.name);
        if known.any(|known| known.eq_ignore_ascii_case(&name)) {
            return None;
        }
        let text = format!(
            "pmrfc3164: ruleset '{name}' not found, cannot route headerless messages, not assigning any ruleset \
             to these messages."
        );
        Some(Problem::error(text).code(3003).at(NAME))
    }

    /// Makes the inputs, those of one module together.
    pub(super) fn inputs(
        &self,
        inlet: &dyn Fn(RulesetId) -> Arc<dyn Submit>,
        names: Option<Arc<dyn Names>>,
        control: &Arc<dyn Control>,
        diagnostics: &mut Diagnostics,
    ) -> Vec<Box<dyn Input>> {
        let parsers = |id| Arc::new(self.parser_options(self.config.ruleset(id)));
        let mut inputs = Vec::new();
        self.check_allowed_senders(diagnostics);
        for decl in &self.config.modules {
            let Some(kind) = registry::input(decl.module.name) else { continue };
            let (mut input, problems) = (kind.build)(&decl.args.args);
            report(&decl.args, problems, diagnostics);
            let ruleset = self.module_ruleset(&decl.args.args);
            let env = InputEnv {
                submit: inlet(ruleset.unwrap_or(self.config.default_ruleset)),
                ruleset_found: ruleset.is_some(),
                pool: Arc::clone(self.pool),
                names: names.clone(),
                stats: Arc::clone(self.stats),
                tasks: Arc::clone(self.tasks),
                message_bytes: self.globals.message_bytes,
                ip_protocol: self.globals.ip_protocol,
                hostname: Arc::clone(self.hostname),
                keeps_own_messages: super::globals::keeps_own_messages(&self.config.globals.args),
                parsers: parsers(self.config.default_ruleset),
                limits: Arc::clone(self.limits),
                access: self.globals.access,
                tls: Arc::clone(&self.globals.tls),
                secure: self.globals.secure,
            };
            input.lend(&env, control);
            let own = self.config.inputs.iter().filter(|i| i.module.name == decl.module.name);
            for statement in own {
                let submit = inlet(statement.ruleset);
                let ruleset_found = self.found_ruleset(statement);
                let parsers = parsers(statement.ruleset);
                let env = InputEnv { submit, ruleset_found, parsers, ..env.clone() };
                let problems = input.add(&statement.args.args, &env);
                report(&statement.args, problems, diagnostics);
            }
            report(&decl.args, input.check(), diagnostics);
            inputs.push(input);
        }
        inputs
    }

    /// What is wrong with `$AllowedSender` lines, whether there is an input for them or not.
    fn check_allowed_senders(&self, diagnostics: &mut Diagnostics) {
        for line in &self.config.allowed_senders {
            let mut problems = access::malformed(&line.entries);
            // The list itself is made by the inputs.
            let _ = Access::new(&line.entries, self.globals.access, &mut problems);
            for problem in &problems {
                diagnostics.push(Diagnostic::from_problem(problem, line.span));
            }
        }
    }

    /// The ruleset that a `module()` statement names, or the default one; `None` if there is none of that name.
    fn module_ruleset(&self, args: &Args) -> Option<RulesetId> {
        let name = args.param("ruleset").and_then(|_| args.text("ruleset"));
        let Some(name) = name else { return Some(self.config.default_ruleset) };
        let known = self.config.rulesets.iter();
        known.map(|decl| &decl.name).position(|n| n.eq_ignore_ascii_case(&name)).map(RulesetId)
    }

    fn found_ruleset(&self, decl: &InputDecl) -> bool {
        let args = &decl.args.args;
        let name = args.param("ruleset").and_then(|_| args.text("ruleset"));
        name.is_none_or(|name| self.config.ruleset(decl.ruleset).name.eq_ignore_ascii_case(&name))
    }
}

/// The settings of a queue, with what is wrong about them reported.
fn queue_settings(
    object: &ObjectArgs,
    name: &str,
    diagnostics: &mut Diagnostics,
) -> queue::Settings {
    let mut settings = queue::Settings::from_args(&object.args);
    report(object, settings.correct(name), diagnostics);
    settings
}

/// Adds problems at the places of their parameters.
pub(super) fn report(object: &ObjectArgs, problems: Vec<Problem>, diagnostics: &mut Diagnostics) {
    for problem in &problems {
        diagnostics.push(object.diagnose(problem));
    }
}

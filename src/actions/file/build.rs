//! From the arguments of an omfile action to the objects that run it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use super::cache::Cache;
use super::open::Creation;
use super::pack;
use super::path;
use super::rotate::Rotation;
use super::stream::{Settings, Stream};
use super::{Dynamic, FileOutput, Target};
use crate::actions::{Output, OutputEnv};
use crate::param::{Args, Problem, SecureDefaults};
use crate::sys::children::Exits;

/// Default line template.
const TEMPLATE: &[u8] = b"RSYSLOG_FileFormat";
/// Minutes after which an unused dynamic file is closed.
const DYNAMIC_CLOSE_MINUTES: i64 = 10;

/// Makes the action.
pub(super) fn build(
    args: &Args,
    module: &Args,
    env: &OutputEnv<'_>,
) -> Result<Arc<dyn Output>, Vec<Problem>> {
    let given = Given { args, module, own_defaults: env.own_defaults };
    let mut problems = Vec::new();
    let name = args.str("template").unwrap_or(TEMPLATE);
    let template = env.template_or_problem(0, name).map_err(|why| problems.push(why)).ok();
    if args.int("zipLevel").is_some_and(|level| level > pack::LEVEL_MAX) {
        let text = format!("omfile: there is no zipLevel above {0}; it is {0}", pack::LEVEL_MAX);
        (env.report)(Problem::warning(text).at("zipLevel"));
    }
    let settings = Arc::new(settings(&given, (env.child_exits, env.secure)));
    let target = target(&given, env, &settings).map_err(|why| problems.push(why)).ok();
    let (Some(template), Some(target)) = (template, target) else { return Err(problems) };
    let default_minutes =
        if matches!(target, Target::Dynamic(_)) { DYNAMIC_CLOSE_MINUTES } else { 0 };
    let flush_interval = args.int("flushInterval").unwrap_or(1).max(1);
    Ok(Arc::new(FileOutput {
        template,
        add_lf: given.by(&["addLF"]).bool("addLF"),
        close_after: args.int("closeTimeout").unwrap_or(default_minutes).saturating_mul(60),
        flush_interval: if args.bool("asyncWriting") && settings.gather > 0 {
            flush_interval
        } else {
            0
        },
        settings,
        target,
        ticks: Mutex::default(),
    }))
}

fn target(
    given: &Given<'_>,
    env: &OutputEnv<'_>,
    settings: &Arc<Settings>,
) -> Result<Target, Problem> {
    let Given { args, module, .. } = *given;
    let mut size = args.int("dynaFileCacheSize").unwrap_or(10);
    if size < 1 {
        let text = format!("DynaFileCacheSize must be greater 0 ({size} given), changed to 1.");
        (env.report)(Problem::error(text).code(2207).at("dynaFileCacheSize"));
        size = 1;
    }
    let dynamic = args.str("dynaFile");
    let Some(name) = dynamic.or_else(|| args.str("file")).filter(|name| !name.is_empty()) else {
        let text = "omfile: either the \"file\" or \"dynafile\" parameter must be given";
        return Err(Problem::error(text).code(2207));
    };
    if name.iter().all(u8::is_ascii_whitespace) {
        let text = "omfile: \"file\" or \"dynafile\" parameter consist only of whitespace - this is not permitted";
        return Err(Problem::error(text).code(2207));
    }
    if dynamic.is_none() {
        let path = PathBuf::from(OsStr::from_bytes(name));
        return Ok(Target::Fixed(Arc::new(Stream::new(path, Arc::clone(settings)))));
    }
    if args.str("file").is_some() {
        let text = "omfile: both \"file\" and \"dynafile\" set, will use dynafile";
        (env.report)(Problem::error(text).at("file").code(2207));
    }
    let template = env.template_or_problem(1, name)?;
    if module.bool("dynafile.restrictTemplateType") && !template.is_inspectable() {
        let text = format!(
            "omfile: dynafile template '{}' uses a template type that cannot be safely inspected for path \
             traversal; use type=\"string\" or type=\"list\", or set module parameter \
             dynafile.restrictTemplateType=\"off\" to use the legacy template subject to the fallback path \
             guards",
            template.name
        );
        return Err(Problem::error(text).at("dynaFile").code(3000));
    }
    let permit = "dynafile.dangerousPermitPathEscape";
    // This one counts for all actions.
    let permit_escape = Given { own_defaults: false, ..*given }.by(&[permit]).bool(permit);
    if permit_escape {
        let text = format!(
            "omfile: {permit} permits dynafile paths to escape the configured base directory. This is \
             dangerous with untrusted message properties and can overwrite any file permitted by OS \
             permissions."
        );
        (env.report)(Problem::warning(text).at(permit));
    }
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    Ok(Target::Dynamic(Arc::new(Dynamic {
        cache: Cache::new(size, Arc::clone(settings), &template.name, &env.stats),
        base: path::base(template.leading_constant()),
        template,
        permit_escape,
        do_not_suspend: module.bool("dynafile.doNotSuspend"),
    })))
}

pub(super) fn settings(given: &Given<'_>, (exits, secure): (Exits, SecureDefaults)) -> Settings {
    let follow = given.by(&["followSymlinks"]);
    let follow_given = follow.given("followSymlinks");
    let args = given.args;
    let mode = |name| given.by(&[name]).int(name).and_then(|mode| u32::try_from(mode).ok());
    let limit = args.size("rotation.sizeLimit").filter(|&limit| limit > 0);
    let gather = if args.bool("flushOnTXEnd") { 0 } else { args.size("ioBufferSize").unwrap_or(0) };
    Settings {
        creation: Creation {
            file_mode: mode("fileCreateMode").unwrap_or(0o644),
            dir_mode: mode("dirCreateMode").unwrap_or(0o700),
            file_owner: (
                given.id("fileOwner", "fileOwnerNum"),
                given.id("fileGroup", "fileGroupNum"),
            ),
            dir_owner: (given.id("dirOwner", "dirOwnerNum"), given.id("dirGroup", "dirGroupNum")),
            dirs: args.bool("createDirs"),
            follow_symlinks: follow.bool("followSymlinks")
                && (follow_given || secure != SecureDefaults::Strict),
            warn_of_symlinks: !follow_given && secure == SecureDefaults::Warn,
            chown_failure_is_error: args.bool("failOnChOwnFailure"),
        },
        sync: args.bool("sync"),
        gather: usize::try_from(gather).unwrap_or(usize::MAX),
        rotation: limit.map(|limit| Rotation {
            limit,
            buffer: args.size("ioBufferSize").and_then(|n| usize::try_from(n).ok()).unwrap_or(4096),
            command: args.str("rotation.sizeLimitCommand").map(<[u8]>::to_vec),
            pass_file_name: args.bool("rotation.sizeLimitCommandPassFileName"),
            exits,
        }),
        zip: args.int("zipLevel").and_then(pack::level),
        generation: AtomicU64::new(0),
    }
}

/// The arguments of an action and of its `module()`, which gives defaults to actions that are objects.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    pub(super) args: &'a Args,
    pub(super) module: &'a Args,
    /// Nothing is taken from `module()`: the defaults of selector lines stand in `args` already.
    pub(super) own_defaults: bool,
}

impl<'a> Given<'a> {
    /// Where the value of `names`, which mean the same, comes from: the action if it gives one of them, else
    /// the module if that does, else the action's defaults.
    fn by(&self, names: &[&str]) -> &'a Args {
        let any = |args: &Args| names.iter().any(|name| args.given(name));
        if !self.own_defaults && !any(self.args) && any(self.module) {
            self.module
        } else {
            self.args
        }
    }

    /// A user or group id, by name or by number; the number counts where both are there.
    fn id(&self, name: &str, number: &str) -> Option<u32> {
        let args = self.by(&[name, number]);
        args.int(number).or_else(|| args.int(name)).and_then(|id| u32::try_from(id).ok())
    }
}

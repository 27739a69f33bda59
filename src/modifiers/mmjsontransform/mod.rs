//! mmjsontransform: an object whose members are named by dotted paths becomes objects in objects, or the other way.
//!
//! - `transform`: the two directions, and what cannot be told apart afterwards.
//! - `policy`: a file with members to be renamed and dropped before.
//!
//! In the reference a message that cannot be transformed ends the action for all messages behind it, and an output whose
//! parents are not there yet is such a message. Here it is one message, and parents are made.

mod policy;
mod transform;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use self::policy::Policy;
use super::{Make, Modifier, ModifierEnv, ModifierKind, Subject, every_thread};
use crate::actions::Failure;
use crate::message::json::{Case, Object};
use crate::message::{Json, Path, Scope};
use crate::param::{Args, Class, Kind, Module, Param, Problem};
use crate::ratelimit::file;

static MODULE: Module = Module {
    name: "mmjsontransform",
    class: Class::Modifier,
    builtin: false,
    summary: "Makes objects in objects of members with dots in their names, or such members of objects in objects.",
    module_params: &[],
    params: &[
        Param::new("input", Kind::Str, None, "Variable that is transformed; required."),
        Param::new(
            "output",
            Kind::Str,
            None,
            "Variable that gets the result and must not be there yet; required.",
        ),
        Param::new("mode", Kind::Str, Some("unflatten"), "unflatten or flatten."),
        Param::new(
            "policy",
            Kind::Str,
            None,
            "YAML file that may say mode, and under map which members to rename and to drop before. Read again on HUP.",
        ),
        Param::new(
            "policyWatch",
            Kind::Bool,
            Some("off"),
            "Read the file again when it changes, not only on HUP.",
        ),
        Param::new(
            "policyWatchDebounce",
            Kind::Str,
            Some("5s"),
            "How long a changed file must be left alone; with ms, s, m or h.",
        ),
    ],
    legacy_create: None,
    counters: &[],
    examples: &[r#"module(load="mmjsonparse")
module(load="mmjsontransform")
template(name="nested" type="string" string="%$!nested%\n")
action(type="mmjsonparse" cookie="" container="$!flat")
action(type="mmjsontransform" input="$!flat" output="$!nested")
action(type="omfile" file="/var/log/nested" template="nested")"#],
};

/// The mmjsontransform module.
pub static KIND: ModifierKind = ModifierKind { module: &MODULE, build };

/// The reference's codes: the input is no object; a value cannot be set.
const NO_OBJECT: u16 = 2309;
const NOT_SET: u16 = 2305;

/// What is made of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Unflatten,
    Flatten,
}

impl Mode {
    fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "" | "unflatten" => Some(Self::Unflatten),
            "flatten" => Some(Self::Flatten),
            _ => None,
        }
    }
}

fn error(param: &'static str, text: String) -> Vec<Problem> {
    vec![Problem::error(format!("mmjsontransform: {text}")).at(param).code(2207)]
}

fn build(args: &Args, env: &ModifierEnv<'_>) -> Result<Make, Vec<Problem>> {
    let (Some(input), Some(output)) = (args.text("input"), args.text("output")) else {
        let missing = if args.given("input") { "output" } else { "input" };
        return Err(error(missing, "both 'input' and 'output' parameters are required".into()));
    };
    if !input.starts_with('$') {
        return Err(error("input", format!("input name '{input}' must start with '$'")));
    }
    let Some(from) = Path::parse(input.as_bytes()) else {
        return Err(error("input", format!("invalid property '{input}'")));
    };
    let name = output.strip_prefix('$').unwrap_or(&output);
    let Some(to) = Path::parse(name.as_bytes()) else {
        let text = format!("output name '{name}' must start with '$!', '$.' or '$/'");
        return Err(error("output", text));
    };
    let mode = args.text("mode").unwrap_or_default();
    let Some(mode) = Mode::parse(&mode) else {
        let text = format!("mode '{mode}' is invalid; use 'unflatten' or 'flatten'");
        return Err(error("mode", text));
    };
    let policy = policy(args, env)?;
    let names = (input[1..].into(), name.into());
    Ok(every_thread(Transform { from, to, names, mode, policy }))
}

/// The policy, if there is one, which is kept up to date from now on.
fn policy(args: &Args, env: &ModifierEnv<'_>) -> Result<Option<Arc<Policy>>, Vec<Problem>> {
    let debounce = args.text("policyWatchDebounce").unwrap_or_default();
    let Some(debounce) = file::duration(&debounce) else {
        return Err(error("policyWatchDebounce", format!("invalid duration '{debounce}'")));
    };
    let watch = args.bool("policyWatch");
    let Some(path) = args.str("policy") else {
        if watch {
            let text = "mmjsontransform: policyWatch enabled but no policy file is configured";
            (env.report)(Problem::warning(text).at("policyWatch"));
        }
        return Ok(None);
    };
    if path.is_empty() {
        return Err(error("policy", "policy path must not be empty".into()));
    }
    let policy = Policy::load(PathBuf::from(OsStr::from_bytes(path)));
    let policy = policy.map(Arc::new).map_err(|why| {
        vec![Problem::error(format!("mmjsontransform: {why}")).at("policy").code(2425)]
    })?;
    env.tasks.add(Box::new(Arc::clone(&policy).reloading(watch.then_some(debounce))));
    Ok(Some(policy))
}

#[derive(Clone)]
struct Transform {
    from: (Scope, Path),
    to: (Scope, Path),
    /// The two variables, for messages.
    names: (Box<str>, Box<str>),
    mode: Mode,
    policy: Option<Arc<Policy>>,
}

impl Transform {
    /// What the object becomes.
    fn make(&self, object: &Object, case: Case) -> Result<Object, String> {
        let mut mode = self.mode;
        let prepared;
        let object = match &self.policy {
            None => object,
            Some(policy) => {
                let rules = policy.rules();
                mode = rules.mode.unwrap_or(mode);
                prepared = transform::prepare(object, &rules, case)?;
                &prepared
            }
        };
        match mode {
            Mode::Unflatten => transform::unflatten(object, case),
            Mode::Flatten => transform::flatten(object, case),
        }
    }
}

impl Modifier for Transform {
    fn modify(&mut self, subject: &mut Subject<'_, '_>) -> Result<(), Failure> {
        let (case, globals) = (subject.case(), &subject.msg.env.globals);
        let (scope, path) = &self.from;
        let made = subject.vars.with((*scope, path), globals, |value| match value {
            None => Ok(None),
            Some(Json::Object(object)) => {
                self.make(object, case).map(Some).map_err(|why| (NOT_SET, why))
            }
            Some(_) => Err((
                NO_OBJECT,
                format!("input '{}' does not reference a JSON object", self.names.0),
            )),
        });
        let failure = |(code, why)| Failure::data(code, format!("mmjsontransform: {why}"));
        let Some(made) = made.map_err(failure)? else { return Ok(()) };
        let (scope, path) = &self.to;
        let exists = subject.vars.with((*scope, path), globals, |value| value.is_some());
        let set = !exists && subject.assign(&self.to, Json::Object(made));
        if set {
            return Ok(());
        }
        let why = if exists { "already exists" } else { "cannot be set" };
        Err(failure((NOT_SET, format!("output '{}' {why}", self.names.1))))
    }
}

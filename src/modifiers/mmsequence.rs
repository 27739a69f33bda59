//! mmsequence: numbers messages, or gives them random numbers.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use super::{Make, Modifier, ModifierEnv, ModifierKind, Subject, every_thread};
use crate::actions::Failure;
use crate::message::{Json, Path, Scope};
use crate::param::{Args, Class, Kind, Module, Param, Problem};
use crate::sync::{Mutex, lock};

static MODULE: Module = Module {
    name: "mmsequence",
    class: Class::Modifier,
    builtin: false,
    summary: "Numbers messages.",
    module_params: &[],
    params: &[
        Param::new(
            "mode",
            Kind::Word,
            Some("instance"),
            "With instance, each action counts for itself; with key, all actions with the same key count together; \
             with random, numbers are random.",
        ),
        Param::new("from", Kind::Int { min: 0, max: i32::MAX as i64 }, Some("0"), "First number."),
        Param::new(
            "to",
            Kind::Int { min: 1, max: i32::MAX as i64 },
            Some("2147483647"),
            "Number that is not reached any more: counting begins anew before it.",
        ),
        Param::new(
            "step",
            Kind::Int { min: 0, max: i32::MAX as i64 },
            Some("1"),
            "From one number to the next.",
        ),
        Param::new("key", Kind::Word, Some(""), "Name of the count that actions share."),
        Param::new("var", Kind::Word, Some("$!mmsequence"), "Variable that gets the number."),
    ],
    legacy_create: None,
    counters: &[],
    examples: &[r#"module(load="mmsequence")
action(type="mmsequence" mode="instance" from="0" to="2" var="$.half")
if $.half == 0 then {
    action(type="omfile" file="/var/log/even")
} else {
    action(type="omfile" file="/var/log/odd")
}"#],
};

/// The mmsequence module.
pub static KIND: ModifierKind = ModifierKind { module: &MODULE, build };

/// The counts that are shared by key.
static SHARED: std::sync::Mutex<Option<HashMap<Vec<u8>, Count>>> = std::sync::Mutex::new(None);

type Count = Arc<Mutex<i64>>;

fn build(args: &Args, env: &ModifierEnv<'_>) -> Result<Make, Vec<Problem>> {
    let number = |name| args.int(name).unwrap_or_default();
    let (from, to, step) = (number("from"), number("to"), number("step"));
    let mode = args.str("mode").unwrap_or_default();
    let count = match mode {
        b"random" if to <= from => {
            let text = "mmsequence: with mode=\"random\", 'to' must be greater than 'from'";
            return Err(vec![Problem::error(text).at("to")]);
        }
        b"random" => None,
        b"key" => {
            let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let key = args.str("key").unwrap_or_default().to_vec();
            let fresh = || Arc::new(Mutex::new(to));
            let count = shared.get_or_insert_default().entry(key).or_insert_with(fresh);
            Some(Arc::clone(count))
        }
        b"instance" => Some(Arc::new(Mutex::new(to))),
        other => {
            let other = String::from_utf8_lossy(other);
            let text = format!("mmsequence: invalid mode '{other}' - ignored");
            (env.report)(Problem::error(text).at("mode").code(2311));
            Some(Arc::new(Mutex::new(to)))
        }
    };
    let keyed = mode == b"key";
    Ok(every_thread(Sequence { count, keyed, from, to, step, variable: target(args, env) }))
}

/// The variable, or the default one where the name makes no sense.
fn target(args: &Args, env: &ModifierEnv<'_>) -> (Scope, Path) {
    let name = args.str("var").unwrap_or_default();
    let shown = String::from_utf8_lossy(name);
    let wrong = if name.len() < 3 {
        format!("mmsequence: valid variable name should be at least 3 symbols long, got {shown}")
    } else if !name.starts_with(b"$") {
        format!("mmsequence: valid variable name should start with $,got {shown}")
    } else if let Some(target) = Path::parse(name) {
        return target;
    } else {
        format!("mmsequence: '{shown}' is no variable; they begin with '$!', '$.' or '$/'")
    };
    (env.report)(Problem::error(wrong).at("var").code(2086).help("$!mmsequence is used"));
    (Scope::Message, Path::new(b"mmsequence"))
}

#[derive(Clone)]
struct Sequence {
    /// The last number; none for random ones.
    count: Option<Count>,
    keyed: bool,
    from: i64,
    to: i64,
    step: i64,
    variable: (Scope, Path),
}

impl Modifier for Sequence {
    fn modify(&mut self, subject: &mut Subject<'_, '_>) -> Result<(), Failure> {
        let number = match &self.count {
            Some(count) => {
                let mut last = lock(count);
                let over = *last >= self.to - self.step || (self.keyed && *last < self.from);
                *last = if over { self.from } else { *last + self.step };
                *last
            }
            None => {
                let random = RandomState::new().hash_one(0) >> 2;
                let range = self.to - self.from;
                self.from + i64::try_from(random).unwrap_or(0).rem_euclid(range)
            }
        };
        subject.assign(&self.variable, Json::Int(number));
        Ok(())
    }
}

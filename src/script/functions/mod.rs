//! Functions of scripts (`spec/config-language.md` section 8). Each stands in a file with its kin, as one static
//! [`Function`]: what it is called, how many arguments it takes, examples that are tests, and how a call is
//! prepared. Names, patterns, templates and tables are looked up when the configuration is loaded; a message costs
//! one indirect call.

mod address;
mod cef;
mod convert;
mod dyn_stats;
mod env;
mod hash;
mod http;
mod json;
mod lookup;
mod pcre;
mod regex;
mod text;
mod time;
mod unflatten;

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher as _;
use std::ops::RangeInclusive;
use std::sync::Arc;

pub use self::http::Fetch;

use super::compile::Term;
use super::eval::Scratch;
use super::value::{Room, Value};
use crate::config::diagnostic::did_you_mean;
use crate::lookup::Lookup;
use crate::message::{Json, Msg};
use crate::param::{Module, Problem};
use crate::stats::{Bucket, Percentiles};
use crate::template::Template;

/// All functions, by family.
static FAMILIES: [&[Function]; 10] = [
    address::FUNCTIONS,
    cef::FUNCTIONS,
    convert::FUNCTIONS,
    dyn_stats::FUNCTIONS,
    env::FUNCTIONS,
    json::FUNCTIONS,
    lookup::FUNCTIONS,
    regex::FUNCTIONS,
    text::FUNCTIONS,
    time::FUNCTIONS,
];

/// Functions that have to be loaded, with their modules.
static LOADABLE: [(&Module, &[Function]); 4] = [
    (&hash::MODULE, hash::FUNCTIONS),
    (&http::MODULE, http::FUNCTIONS),
    (&pcre::MODULE, pcre::FUNCTIONS),
    (&unflatten::MODULE, unflatten::FUNCTIONS),
];

/// All functions.
pub fn all() -> impl Iterator<Item = &'static Function> {
    FAMILIES.iter().copied().flatten().chain(LOADABLE.iter().flat_map(|(_, functions)| *functions))
}

/// The modules that functions come with.
pub fn modules() -> impl Iterator<Item = &'static Module> {
    LOADABLE.iter().map(|(module, _)| *module)
}

/// The module without which there is no function of this name.
fn module_of(name: &str) -> Option<&'static Module> {
    let has = |functions: &[Function]| functions.iter().any(|function| function.name == name);
    LOADABLE.iter().find(|(_, functions)| has(functions)).map(|(module, _)| *module)
}

/// A function, as scripts see it.
#[derive(Debug)]
pub struct Function {
    /// As written; the case counts.
    pub name: &'static str,
    /// How many arguments it takes.
    pub args: RangeInclusive<usize>,
    /// One sentence.
    pub doc: &'static str,
    /// Expressions without message, and their values as text.
    pub examples: &'static [(&'static str, &'static str)],
    /// What runs.
    pub kind: Kind,
}

/// How a call comes to run.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// As it is.
    Plain(fn(&mut Call<'_, '_>, &mut Vec<u8>) -> Returned),
    /// After something about its arguments was looked up; the value where that fails.
    Prepare(fn(&Setup<'_>) -> Result<Run, String>, Otherwise),
}

/// The value of a call that cannot run.
#[derive(Clone, Copy, Debug)]
pub enum Otherwise {
    /// A number.
    Number(i64),
    /// A text.
    Text(&'static str),
    /// An argument, as text.
    Argument(usize),
}

/// What is wrong with a call, and the value that it has all the same.
#[derive(Debug)]
pub struct Faulty {
    /// At least one.
    pub problems: Vec<Problem>,
    /// A constant, or one of the arguments.
    pub value: Term,
}

impl From<Vec<Problem>> for Faulty {
    fn from(problems: Vec<Problem>) -> Self {
        Self { problems, value: Term::Number(0) }
    }
}

/// Runs a call. A text is appended to the buffer.
pub type Run = Box<dyn Fn(&mut Call<'_, '_>, &mut Vec<u8>) -> Returned + Send + Sync>;

/// What a function returns.
#[derive(Debug)]
pub enum Returned {
    /// A number.
    Number(i64),
    /// The text in the buffer.
    Text,
    /// A node of a tree.
    Json(Json),
}

impl From<bool> for Returned {
    fn from(truth: bool) -> Self {
        Self::Number(truth.into())
    }
}

/// What functions can refer to by name: lent by the daemon when a configuration is loaded.
#[derive(Clone, Copy)]
pub struct Environment<'e> {
    /// Finds a template.
    pub template: &'e dyn Fn(&[u8]) -> Option<Arc<Template>>,
    /// Finds a lookup table.
    pub lookup: &'e dyn Fn(&[u8]) -> Option<Arc<Lookup>>,
    /// Finds a bucket of counters.
    pub bucket: &'e dyn Fn(&[u8]) -> Option<Arc<Bucket>>,
    /// Finds a set of percentiles.
    pub percentiles: &'e dyn Fn(&[u8]) -> Option<Arc<Percentiles>>,
    /// Asks web servers.
    pub fetch: Option<&'e Arc<Fetch>>,
    /// Whether a module that functions come with is loaded.
    pub loaded: &'e dyn Fn(&Module) -> bool,
}

impl Default for Environment<'_> {
    /// There is nothing but functions.
    fn default() -> Self {
        Self {
            template: &|_| None,
            lookup: &|_| None,
            bucket: &|_| None,
            percentiles: &|_| None,
            fetch: None,
            loaded: &|_| true,
        }
    }
}

impl fmt::Debug for Environment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

/// A call while the configuration is loaded.
#[derive(Debug)]
pub struct Setup<'s> {
    /// The arguments, constants folded.
    pub args: &'s [Term],
    /// What can be looked up.
    pub environment: &'s Environment<'s>,
}

impl Setup<'_> {
    /// An argument that is a constant text.
    #[must_use]
    pub fn text(&self, index: usize) -> Option<&[u8]> {
        match self.args.get(index) {
            Some(Term::Text(text)) => Some(text),
            _ => None,
        }
    }
}

/// A call, ready to run.
pub struct Prepared {
    pub(super) args: Box<[Term]>,
    pub(super) run: Run,
    name: &'static str,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(self.name).field(&self.args).finish()
    }
}

/// Prepares a call.
///
/// # Errors
/// There is no such function, it takes another number of arguments, or what an argument names does not exist.
pub fn prepare(
    name: &str,
    args: Vec<Term>,
    environment: &Environment<'_>,
) -> Result<Prepared, Faulty> {
    let Some(function) = all().find(|function| function.name == name) else {
        let unknown = Problem::error(format!("function '{name}' not found"));
        let help = did_you_mean(name, all().map(|function| function.name));
        let unknown = help.into_iter().fold(unknown, Problem::help);
        return Err(vec![unknown, invalid(name)].into());
    };
    if let Some(module) = module_of(name).filter(|module| !(environment.loaded)(module)) {
        let unknown = Problem::error(format!("function '{name}' not found"));
        let help = format!("load it first: module(load=\"{}\")", module.name);
        return Err(vec![unknown.help(help), invalid(name)].into());
    }
    check_arity(function, args.len()).map_err(|problem| vec![problem, invalid(name)])?;
    let run = match function.kind {
        Kind::Plain(run) => Box::new(run),
        Kind::Prepare(prepare, otherwise) => match prepare(&Setup { args: &args, environment }) {
            Ok(run) => run,
            Err(why) => {
                let problems = vec![Problem::error(why)];
                return Err(Faulty { problems, value: otherwise.value(args) });
            }
        },
    };
    Ok(Prepared { args: args.into(), run, name: function.name })
}

impl Otherwise {
    fn value(self, args: Vec<Term>) -> Term {
        match self {
            Self::Number(n) => Term::Number(n),
            Self::Text(text) => Term::Text(text.as_bytes().into()),
            Self::Argument(index) => {
                let empty = || Term::Text(Box::default());
                let value = args.into_iter().nth(index).unwrap_or_else(empty);
                Term::Concat(Box::new((value, empty())))
            }
        }
    }
}

fn invalid(name: &str) -> Problem {
    Problem::error(format!("Invalid function {name}"))
}

fn check_arity(function: &Function, given: usize) -> Result<(), Problem> {
    let (min, max) = (*function.args.start(), *function.args.end());
    let wanted = match given {
        _ if function.args.contains(&given) => return Ok(()),
        _ if min == max => format!("{min}"),
        _ if given < min => format!("at least {min}"),
        _ => format!("at most {max}"),
    };
    let name = function.name;
    let text = format!("number of parameters for {name}() must be {wanted} but is {given}.");
    Err(Problem::error(text))
}

/// A call while it runs.
pub struct Call<'c, 'm> {
    pub(super) args: &'c [Term],
    /// The message; none while constants are folded.
    pub msg: Option<&'c Msg<'m>>,
    /// Variables, state and buffers of the thread.
    pub scratch: &'c mut Scratch,
}

impl Call<'_, '_> {
    /// How many arguments there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.args.len()
    }

    /// Whether there is no argument.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.args.is_empty()
    }

    /// Whether an argument is a text in the configuration.
    #[must_use]
    pub fn is_literal(&self, index: usize) -> bool {
        matches!(self.args.get(index), Some(Term::Text(_)))
    }

    /// Evaluates an argument.
    pub fn value<R>(&mut self, index: usize, look: impl FnOnce(&Value<'_>) -> R) -> R {
        let mut buffer = self.scratch.take();
        let result = match self.args.get(index) {
            Some(term) => look(&term.value(self.msg, self.scratch, &mut buffer)),
            None => look(&Value::Text(b"")),
        };
        self.scratch.give(buffer);
        result
    }

    /// Evaluates an argument as a number; and whether it is one.
    pub fn number(&mut self, index: usize) -> (i64, bool) {
        self.value(index, |value| value.number())
    }

    /// Evaluates an argument as a node of a tree.
    pub fn json(&mut self, index: usize) -> Json {
        self.value(index, |value| value.clone().into_json())
    }

    /// Evaluates an argument as a text.
    pub fn text<R>(&mut self, index: usize, look: impl FnOnce(&[u8]) -> R) -> R {
        self.value(index, |value| look(value.bytes(&mut Room::default())))
    }

    /// Evaluates the first arguments, all as texts.
    pub fn texts<const N: usize, R>(&mut self, look: impl FnOnce([&[u8]; N]) -> R) -> R {
        let mut texts = [const { Vec::new() }; N];
        for (index, text) in texts.iter_mut().enumerate() {
            *text = self.scratch.take();
            self.value(index, |value| value.append_to(text));
        }
        let result = look(texts.each_ref().map(Vec::as_slice));
        texts.into_iter().for_each(|text| self.scratch.give(text));
        result
    }
}

/// Random numbers of one thread, for nothing secret.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Default for Random {
    fn default() -> Self {
        Self(RandomState::new().hash_one(0) | 1)
    }
}

impl Random {
    /// The next number (xorshift64*).
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::tests::evaluate;

    #[test]
    fn names_are_unique_and_docs_are_sentences() {
        let mut names: Vec<_> = all().map(|function| function.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        for function in all() {
            assert!(function.doc.ends_with('.'), "{}", function.name);
            assert!(!function.examples.is_empty(), "{}", function.name);
        }
    }

    #[test]
    fn examples_hold() {
        for function in all() {
            for (expr, want) in function.examples {
                assert_eq!(evaluate(expr).as_deref(), Ok(*want), "{expr}");
            }
        }
    }

    #[test]
    fn arity_is_told_as_the_reference_does() {
        let table = [
            ("strlen()", "number of parameters for strlen() must be 1 but is 0."),
            ("wrap('a')", "number of parameters for wrap() must be at least 2 but is 1."),
            ("wrap(1,2,3,4)", "number of parameters for wrap() must be at most 3 but is 4."),
            ("strlenn('a')", "function 'strlenn' not found"),
            ("STRLEN('a')", "function 'STRLEN' not found"),
        ];
        for (expr, want) in table {
            let reported = evaluate(expr).expect_err(expr);
            assert!(reported.contains(want), "{reported}");
        }
    }
}

//! Parameters: the tables that describe them, the values they take, the checked arguments of an object.
//!
//! A module writes one `static` table of [`Param`]s; checking with did-you-mean, `--help`, the man pages and
//! the parameter reference are rendered from it. Defaults stand as configuration text and pass through the
//! same parser as a user's text, so the documented and the real default cannot differ.

mod parse;
mod problem;
pub mod yaml;

pub use parse::{
    FACILITIES, SEVERITIES, constant_number, group, number, size_unit, syslog_name, user,
};
pub use problem::{About, Problem, SecureDefaults, not_implemented};

/// What a parameter accepts (`spec/config-language.md` section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `on` or `off`, lower case.
    Bool,
    /// A number within `min..=max`.
    Int {
        /// Smallest accepted value.
        min: i64,
        /// Largest accepted value.
        max: i64,
    },
    /// Digits and an optional suffix: `k m g t p e` powers of 1024, `K M G T P E` powers of 1000.
    Size {
        /// Smallest accepted value, bytes.
        min: u64,
        /// Largest accepted value, bytes.
        max: u64,
    },
    /// A string without white space.
    Word,
    /// Exactly one character.
    Char,
    /// Any string.
    Str,
    /// `["a", "b"]`, or one string.
    Array,
    /// Four or five octal digits, the first `0`.
    FileMode,
    /// User name, resolved at load.
    User,
    /// Group name, resolved at load.
    Group,
    /// Facility name or number (0–24; the value is the number, not shifted).
    Facility,
    /// Severity name or number (0–7, or 8 for "none of them").
    Severity,
    /// One of these words, case-insensitive; the value is the word as written here.
    Choice(&'static [&'static str]),
    /// Accepted for old configurations; has no effect, and says so.
    Gone,
}

impl Kind {
    /// A number ≥ 0 (`nonneg`).
    pub const NONNEG: Self = Self::Int { min: 0, max: i64::MAX };
    /// A number ≥ 1 (`positive`).
    pub const POSITIVE: Self = Self::Int { min: 1, max: i64::MAX };
    /// Any number.
    pub const INT: Self = Self::Int { min: i64::MIN, max: i64::MAX };
    /// Any size.
    pub const SIZE: Self = Self::Size { min: 0, max: u64::MAX };
}

/// How far a parameter is supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// Obeyed.
    Full,
    /// Known to rsyslog, not yet here: giving it another value than the default is an error that says so.
    Missing,
    /// Obeyed, but deprecated: giving it warns with this advice.
    Deprecated(&'static str),
    /// Accepted; there is nothing here that it could change. Giving it warns, unless the value asks for what is done
    /// anyway.
    NoEffect {
        /// Why.
        reason: &'static str,
        /// The value that is done anyway, as configuration text; the default where there is none.
        always: Option<&'static str>,
    },
}

/// One row of a module's parameter table.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Name, as documented (matched without regard to case).
    pub name: &'static str,
    /// Other accepted spellings.
    pub aliases: &'static [&'static str],
    /// What it accepts.
    pub kind: Kind,
    /// Default, as configuration text; `None` is "not set".
    pub default: Option<&'static str>,
    /// One sentence: what it means, with the unit.
    pub doc: &'static str,
    /// The legacy `$` directive that sets it, without the `$`.
    pub legacy: Option<&'static str>,
    /// Another directive that does.
    pub legacy_alias: Option<&'static str>,
    /// Whether only a directive sets it.
    pub legacy_only: bool,
    /// Whether a directive may set it behind the module's `module()` object, too.
    pub legacy_always: bool,
    /// Whether what a directive sets is for the next object only.
    pub legacy_once: bool,
    /// Whether the object cannot exist without it.
    pub required: bool,
    /// The setting of the core that it stands for, where it is only another way to write one.
    pub sets: Option<CoreSetting>,
    /// How far it is supported.
    pub support: Support,
    /// Whether the reference takes a value out of range: here the default counts then, and a warning says so.
    pub lenient: bool,
    /// Whether the case of a [`Kind::Choice`] counts.
    pub exact: bool,
}

/// A setting of the core that a module's own parameter sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoreSetting {
    /// This parameter of `global()`.
    Global(&'static str),
    /// This parameter of the main queue, where no `main_queue()` object is given.
    MainQueue(&'static str),
}

impl Param {
    /// A fully supported optional parameter.
    #[must_use]
    pub const fn new(
        name: &'static str,
        kind: Kind,
        default: Option<&'static str>,
        doc: &'static str,
    ) -> Self {
        Self {
            name,
            aliases: &[],
            kind,
            default,
            doc,
            legacy: None,
            legacy_alias: None,
            legacy_only: false,
            legacy_always: false,
            legacy_once: false,
            required: false,
            sets: None,
            support: Support::Full,
            lenient: false,
            exact: false,
        }
    }

    /// A parameter without which the object is not created.
    #[must_use]
    pub const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        let mut param = Self::new(name, kind, None, doc);
        param.required = true;
        param
    }

    /// With its legacy directive (without `$`).
    #[must_use]
    pub const fn legacy(mut self, directive: &'static str) -> Self {
        self.legacy = Some(directive);
        self
    }

    /// With another legacy directive.
    #[must_use]
    pub const fn legacy_alias(mut self, directive: &'static str) -> Self {
        self.legacy_alias = Some(directive);
        self
    }

    /// Not to be written in an object.
    #[must_use]
    pub const fn legacy_only(mut self) -> Self {
        self.legacy_only = true;
        self
    }

    /// With its legacy directive, which may also stand behind the module's `module()` object.
    #[must_use]
    pub const fn legacy_always(mut self, directive: &'static str) -> Self {
        self.legacy_always = true;
        self.legacy(directive)
    }

    /// With its legacy directive, which is for the next object only.
    #[must_use]
    pub const fn legacy_once(mut self, directive: &'static str) -> Self {
        self.legacy_once = true;
        self.legacy(directive)
    }

    /// Another way to write a setting of the core.
    #[must_use]
    pub const fn sets(mut self, setting: CoreSetting) -> Self {
        self.sets = Some(setting);
        self
    }

    /// With other accepted spellings.
    #[must_use]
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// One whose range the reference does not check.
    #[must_use]
    pub const fn lenient(mut self) -> Self {
        self.lenient = true;
        self
    }

    /// One of whose words the case counts.
    #[must_use]
    pub const fn exact(mut self) -> Self {
        self.exact = true;
        self
    }

    /// Known to rsyslog but not implemented here yet.
    #[must_use]
    pub const fn missing(mut self) -> Self {
        self.support = Support::Missing;
        self
    }

    /// Obeyed but deprecated, with the advice to give.
    #[must_use]
    pub const fn deprecated(mut self, advice: &'static str) -> Self {
        self.support = Support::Deprecated(advice);
        self
    }

    /// Accepted without effect, with the reason.
    #[must_use]
    pub const fn no_effect(mut self, reason: &'static str) -> Self {
        self.support = Support::NoEffect { reason, always: None };
        self
    }

    /// Accepted; whatever is given, this value is what is done, for this reason.
    #[must_use]
    pub const fn always(mut self, value: &'static str, reason: &'static str) -> Self {
        self.support = Support::NoEffect { reason, always: Some(value) };
        self
    }

    /// Whether `name` is this parameter's name or an alias.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
            || self.aliases.iter().any(|a| a.eq_ignore_ascii_case(name))
    }
}

impl Param {
    /// The value of the words given.
    ///
    /// # Errors
    /// The reference's message.
    pub fn parse(&self, text: &[Vec<u8>]) -> Result<Value, String> {
        match self.kind.parse(self.name, text)? {
            Value::Choice(word) if self.exact && text != [word.as_bytes()] => Err(format!(
                "parameter '{}' has an invalid value, must be '{word}': the case of its letters counts",
                self.name.to_ascii_lowercase()
            )),
            value => Ok(value),
        }
    }
}

/// A checked value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Of [`Kind::Bool`].
    Bool(bool),
    /// Of [`Kind::Int`], [`Kind::Facility`], [`Kind::Severity`], [`Kind::FileMode`], [`Kind::User`], [`Kind::Group`].
    Int(i64),
    /// Of [`Kind::Size`].
    Size(u64),
    /// Of [`Kind::Word`], [`Kind::Str`], [`Kind::Char`].
    Str(Vec<u8>),
    /// Of [`Kind::Choice`]: the word as the table writes it.
    Choice(&'static str),
    /// Of [`Kind::Array`].
    Array(Vec<Vec<u8>>),
}

/// The checked arguments of one object: a value, or none, for each row of its tables.
///
/// Getters take the parameter's documented name; asking for a name that is in none of the tables, or for
/// another kind than the table says, is a programmer's error and panics (the tests of every module ask for all).
#[derive(Clone, Debug, Default)]
pub struct Args {
    rows: Vec<(&'static Param, Option<Value>, bool)>,
}

impl Args {
    /// All defaults of `tables`.
    ///
    /// # Panics
    /// When a default does not parse, which the table tests would have found.
    #[must_use]
    pub fn defaults(tables: &[&'static [Param]]) -> Self {
        let row = |param: &'static Param| {
            let value = param.default.map(|text| {
                let parsed = param.kind.parse(param.name, &[text.as_bytes().to_vec()]);
                parsed.unwrap_or_else(|why| panic!("default of {}: {why}", param.name))
            });
            (param, value, false)
        };
        Self { rows: tables.iter().flat_map(|t| t.iter()).map(row).collect() }
    }

    /// The table row of `name` (or alias), if there is one.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&'static Param> {
        self.rows.iter().map(|row| row.0).find(|p| p.is(name))
    }

    /// All table rows.
    pub fn params(&self) -> impl Iterator<Item = &'static Param> {
        self.rows.iter().map(|row| row.0)
    }

    /// Sets a value given by the user.
    pub fn set(&mut self, name: &str, value: Value) {
        let row = self.row_mut(name);
        row.1 = Some(value);
        row.2 = true;
    }

    /// Sets a value as if it were the default (inheritance from module(), legacy directives).
    pub fn set_default(&mut self, name: &str, value: Option<Value>) {
        let row = self.row_mut(name);
        if !row.2 {
            row.1 = value;
        }
    }

    /// Whether the user has given this parameter.
    #[must_use]
    pub fn given(&self, name: &str) -> bool {
        self.row(name).2
    }

    /// The value, given or default.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.row(name).1.as_ref()
    }

    /// Of a [`Kind::Bool`]; unset is `false`.
    #[must_use]
    pub fn bool(&self, name: &str) -> bool {
        matches!(self.value(name), Some(Value::Bool(true)))
    }

    /// Of a numeric kind.
    #[must_use]
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.value(name) {
            Some(Value::Int(n)) => Some(*n),
            None => None,
            Some(other) => panic!("{name} is not a number but {other:?}"),
        }
    }

    /// Of a numeric kind, as a count: a value outside `T` becomes the nearest one.
    #[must_use]
    pub fn count(&self, name: &str) -> Option<usize> {
        self.int(name).map(|n| usize::try_from(n.max(0)).unwrap_or(usize::MAX))
    }

    /// Of a [`Kind::Size`].
    #[must_use]
    pub fn size(&self, name: &str) -> Option<u64> {
        match self.value(name) {
            Some(Value::Size(n)) => Some(*n),
            None => None,
            Some(other) => panic!("{name} is not a size but {other:?}"),
        }
    }

    /// Of a string kind.
    #[must_use]
    pub fn str(&self, name: &str) -> Option<&[u8]> {
        match self.value(name) {
            Some(Value::Str(text)) => Some(text),
            Some(Value::Choice(word)) => Some(word.as_bytes()),
            None => None,
            Some(other) => panic!("{name} is not a string but {other:?}"),
        }
    }

    /// Of a string kind, for messages: invalid UTF-8 is replaced.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.str(name).map(|s| String::from_utf8_lossy(s).into_owned())
    }

    /// Of a [`Kind::Choice`].
    #[must_use]
    pub fn choice(&self, name: &str) -> Option<&'static str> {
        match self.value(name) {
            Some(Value::Choice(word)) => Some(word),
            None => None,
            Some(other) => panic!("{name} is not a choice but {other:?}"),
        }
    }

    /// Of a [`Kind::Array`].
    #[must_use]
    pub fn array(&self, name: &str) -> Option<&[Vec<u8>]> {
        match self.value(name) {
            Some(Value::Array(items)) => Some(items),
            None => None,
            Some(other) => panic!("{name} is not an array but {other:?}"),
        }
    }

    fn row(&self, name: &str) -> &(&'static Param, Option<Value>, bool) {
        let row = self.rows.iter().find(|row| row.0.is(name));
        row.unwrap_or_else(|| panic!("no parameter {name} in the object's tables"))
    }

    fn row_mut(&mut self, name: &str) -> &mut (&'static Param, Option<Value>, bool) {
        let row = self.rows.iter_mut().find(|row| row.0.is(name));
        row.unwrap_or_else(|| panic!("no parameter {name} in the object's tables"))
    }
}

/// What a module is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// `im…`
    Input,
    /// `om…`
    Output,
    /// `pm…`
    Parser,
    /// `mm…`
    Modifier,
    /// `fm…`
    Function,
}

/// The static descriptor every module file opens with.
#[derive(Clone, Copy, Debug)]
pub struct Module {
    /// Name without `builtin:`, e.g. `imtcp`, `omfile`.
    pub name: &'static str,
    /// What it is.
    pub class: Class,
    /// Whether it is there without `module(load=…)`.
    pub builtin: bool,
    /// One sentence.
    pub summary: &'static str,
    /// Parameters of `module(load="<name>" …)`.
    pub module_params: &'static [Param],
    /// Parameters of `input(type="<name>" …)`, `action(type=…)`, `parser(type=…)`; those of the core
    /// (`action.*`, `queue.*`) are in their own tables.
    pub params: &'static [Param],
    /// The legacy directive that creates an object with the settings given so far, and the parameter its
    /// argument goes to: `Some(("InputTCPServerRun", "port"))`.
    pub legacy_create: Option<(&'static str, &'static str)>,
    /// Counters: name and one sentence.
    pub counters: &'static [(&'static str, &'static str)],
    /// Complete configurations; each one must load.
    pub examples: &'static [&'static str],
}

//! What is to be said about a configuration by what is built from it.

/// What a finding about a configuration is about: reports sort by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum About {
    /// The text is wrong, or may not be meant.
    #[default]
    Mistake,
    /// What rsyslog has and this version has not.
    Missing,
    /// What is accepted and changes nothing here.
    NoEffect,
    /// What works, and is not as safe as it could be.
    Insecure,
    /// It only says once more that something was wrong: a consequence of the finding before it, shown without its place.
    FollowUp,
}

/// What becomes of defaults that are there for old configurations and are not safe (`compatibility.defaults.secure`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecureDefaults {
    /// The safe ones are taken.
    Strict,
    /// The old ones are taken.
    Compatible,
    /// The old ones are taken, and that is said.
    #[default]
    Warn,
}

impl SecureDefaults {
    /// The parameter's value.
    #[must_use]
    pub fn parse(word: &[u8]) -> Option<Self> {
        match word {
            b"strict" => Some(Self::Strict),
            b"backward-compatible" => Some(Self::Compatible),
            b"warn" => Some(Self::Warn),
            _ => None,
        }
    }

    /// What is to be said about an old default, if anything; in the reference's words.
    #[must_use]
    pub fn warning(self, detail: &str) -> Option<Problem> {
        let text = format!(
            "backward-compatible insecure default in use: {detail}; use \
             global(compatibility.defaults.secure=\"strict\") to enable the secure default"
        );
        let problem = Problem::warning(text).code(2207);
        (self == Self::Warn).then_some(Problem { about: About::Insecure, ..problem })
    }
}

/// The one sentence for everything that rsyslog has and this version has not.
#[must_use]
pub fn not_implemented(what: &str) -> String {
    format!("{what} is not implemented in this version of sluice")
}

/// Something wrong with an object that its own `build` found; `config` adds file, line and column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The parameter at fault; the position is taken from it.
    pub param: Option<&'static str>,
    /// The reference's wording where it has one.
    pub text: String,
    /// The reference's return code, shown as `[v… try https://www.rsyslog.com/e/<code> ]`.
    pub code: Option<u16>,
    /// What to write instead.
    pub help: Option<String>,
    /// A warning leaves the object in place and the configuration clean.
    pub warning: bool,
    /// What it is about.
    pub about: About,
    /// The reference finds it only when it starts: what `-N1` says of the configuration does not depend on it.
    pub at_start: bool,
}

impl Problem {
    /// An error of the object as a whole.
    #[must_use]
    pub fn error(text: impl Into<String>) -> Self {
        Self {
            param: None,
            text: text.into(),
            code: None,
            help: None,
            warning: false,
            about: About::Mistake,
            at_start: false,
        }
    }
    /// As one that the reference finds only when it starts.
    #[must_use]
    pub fn at_start(mut self) -> Self {
        self.at_start = true;
        self
    }
    /// rsyslog has this, and this version has not.
    #[must_use]
    pub fn missing(what: &str) -> Self {
        Self { about: About::Missing, ..Self::error(not_implemented(what)) }
    }
    /// A warning.
    #[must_use]
    pub fn warning(text: impl Into<String>) -> Self {
        Self { warning: true, ..Self::error(text) }
    }
    /// At this parameter.
    #[must_use]
    pub fn at(mut self, param: &'static str) -> Self {
        self.param = Some(param);
        self
    }
    /// With the reference's return code.
    #[must_use]
    pub fn code(mut self, code: u16) -> Self {
        self.code = Some(code);
        self
    }
    /// With advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

//! The policy file: which members are renamed and dropped before the transformation, and perhaps its direction.
//!
//! ```yaml
//! mode: unflatten
//! map:
//!   rename:
//!     old.name: new.name
//!   drop: [secret, nested.name]
//! ```
//! It is read again on HUP if it has changed, and where it is watched, once it has been left alone for a while. A file
//! that cannot be read or makes no sense leaves what was there.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Mode;
use crate::limits;
use crate::message::json::Case;
use crate::param::yaml::{Member, Node, Wrong};
use crate::ratelimit::watch::Watch;
use crate::sync::{Mutex, lock};
use crate::sys::files;
use crate::task::Task;

/// What the file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rules {
    /// `mode`.
    pub(super) mode: Option<Mode>,
    rename: Vec<(Name, Name)>,
    drop: Vec<Name>,
}

type Name = Box<[u8]>;

impl Rules {
    /// Reads the text of a policy. Of several rules for a member the first counts; keys that are not known are left
    /// out, as in the reference.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let tree = Node::parse(text, limits::POLICY_DEPTH).map_err(|wrong| match wrong {
            Wrong::Syntax(why) => format!("is no YAML: {why}"),
            Wrong::TooDeep(_) => "nests too deep".to_owned(),
        })?;
        let Some(tree) = tree else { return Ok(Self::default()) };
        let parse = |mode: &str| {
            Mode::parse(mode)
                .ok_or_else(|| format!("has invalid mode '{mode}'; use 'unflatten' or 'flatten'"))
        };
        let mut rules =
            Self { mode: tree.text_of("mode").map(parse).transpose()?, ..Self::default() };
        let Some(map) = tree.get("map") else { return Ok(rules) };
        for Member { key: from, value: to, .. } in
            map.get("rename").and_then(Node::members).unwrap_or_default()
        {
            let Some(to) = to.text() else {
                return Err(format!("has no name that '{from}' is renamed to"));
            };
            rules.rename.push((from.as_bytes().into(), to.as_bytes().into()));
        }
        for name in map.get("drop").and_then(Node::items).unwrap_or_default() {
            let Some(name) = name.text() else {
                return Err("has something else than names under drop".to_owned());
            };
            rules.drop.push(name.as_bytes().into());
        }
        Ok(rules)
    }

    /// Whether the member with this full name is dropped.
    pub(super) fn drops(&self, full: &[u8], case: Case) -> bool {
        self.drop.iter().any(|name| case.same(name, full))
    }

    /// What the member with this full name is renamed to.
    pub(super) fn target(&self, full: &[u8], case: Case) -> Option<&[u8]> {
        self.rename.iter().find(|(from, _)| case.same(from, full)).map(|(_, to)| &**to)
    }
}

/// A policy file and what it said last.
pub(super) struct Policy {
    files: [Option<PathBuf>; 2],
    rules: Mutex<Arc<Rules>>,
}

impl Policy {
    /// Reads the file.
    pub(super) fn load(path: PathBuf) -> Result<Self, String> {
        let rules = Mutex::new(Arc::new(read(&path)?));
        Ok(Self { files: [Some(path), None], rules })
    }

    pub(super) fn rules(&self) -> Arc<Rules> {
        Arc::clone(&lock(&self.rules))
    }

    /// What keeps it up to date; `watch`: how long a changed file must be left alone.
    pub(super) fn reloading(self: Arc<Self>, watch: Option<Duration>) -> Reloading {
        let changes = Watch::new(Duration::ZERO, &self.files);
        let watch = watch.map(|debounce| Watch::new(debounce, &self.files));
        Reloading { policy: self, changes, watch }
    }

    fn reload(&self, trigger: &str) {
        let Some(path) = &self.files[0] else { return };
        match read(path) {
            Ok(rules) => *lock(&self.rules) = Arc::new(rules),
            Err(why) => {
                log::error!("mmjsontransform: {why}");
                log::error!(
                    "mmjsontransform: failed to reload policy file '{}' during {trigger}, keeping previous policy",
                    path.display()
                );
            }
        }
    }
}

fn read(path: &std::path::Path) -> Result<Rules, String> {
    let shown = path.display();
    let bytes = files::read(path, limits::POLICY_BYTES)
        .map_err(|why| format!("unable to open policy file '{shown}': {why}"))?;
    let text = String::from_utf8(bytes)
        .map_err(|why| format!("policy file '{shown}' is not UTF-8: {why}"))?;
    Rules::parse(&text).map_err(|why| format!("policy file '{shown}' {why}"))
}

/// Reads the file again on HUP and, where that is wanted, when it changes.
pub(super) struct Reloading {
    policy: Arc<Policy>,
    changes: Watch,
    watch: Option<Watch>,
}

impl Task for Reloading {
    fn interval(&self) -> Option<Duration> {
        self.watch.as_ref().map(Watch::interval)
    }

    fn run(&mut self) {
        let is_due = |watch: &Watch| watch.is_due(Instant::now(), &self.policy.files);
        if self.watch.as_ref().is_some_and(is_due) {
            self.policy.reload("watch");
        }
    }

    fn hup(&mut self) {
        if self.changes.is_due(Instant::now(), &self.policy.files) {
            self.policy.reload("HUP");
        }
    }
}

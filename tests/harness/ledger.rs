//! The loss ledger: at the end of every test the counters `-d` prints must add up.
//!
//! Lines look like `name: origin=o a=1 b=2 ` (impstats' legacy format), one per object.

use std::collections::HashMap;

/// One statistics object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) name: String,
    pub(crate) origin: String,
    pub(crate) counters: HashMap<String, i64>,
}

impl Object {
    /// The value of counter `name`; 0 when the object has none.
    pub(crate) fn get(&self, name: &str) -> usize {
        let value = self.counters.get(name).copied().unwrap_or(0);
        value.try_into().unwrap_or_else(|_| panic!("{name} is negative: {self:?}"))
    }
}

/// The statistics objects among the lines of `stderr`.
pub(crate) fn parse(stderr: &str) -> Vec<Object> {
    stderr.lines().filter_map(parse_line).collect()
}

/// The object called `name`.
pub(crate) fn find<'a>(objects: &'a [Object], name: &str) -> &'a Object {
    let found = objects.iter().find(|object| object.name == name);
    found.unwrap_or_else(|| panic!("no statistics object {name} among {objects:#?}"))
}

/// Nothing the inputs took in may be unaccounted for.
pub(crate) fn check(stderr: &str) {
    let objects = parse(stderr);
    assert!(!objects.is_empty(), "no statistics at exit:\n{stderr}");
    for object in &objects {
        if object.origin == "core.queue" {
            assert_eq!(object.get("size"), 0, "left in the queue: {object:?}");
        }
    }
}

fn parse_line(line: &str) -> Option<Object> {
    let (name, rest) = line.split_once(": origin=")?;
    let mut words = rest.split_ascii_whitespace();
    let origin = words.next()?.to_owned();
    let mut counters = HashMap::new();
    for word in words {
        let (key, value) = word.split_once('=')?;
        counters.insert(key.to_owned(), value.parse().ok()?);
    }
    Some(Object { name: name.to_owned(), origin, counters })
}

#[test]
fn statistics_lines_are_told_from_others() {
    let objects = parse("start\nmain Q: origin=core.queue size=0 enqueued=5 \nx: origin=y z\n");
    assert_eq!(objects.len(), 1);
    assert_eq!((objects[0].name.as_str(), objects[0].get("enqueued")), ("main Q", 5));
}

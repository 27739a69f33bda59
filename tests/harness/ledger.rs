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

/// Nothing the inputs took in may be unaccounted for, and nothing may be lost:
///
/// ```text
/// received by workers = submitted + refused + limited  (imudp; who is refused by name is so when he is submitted)
/// received = submitted + refused + limited             (imuxsock)
/// submitted by inputs = enqueued in the main queue     (own messages may come on top)
/// enqueued = handed to actions; discarded = lost = left = 0
/// processed by an action = written + failed + limited
/// ```
pub(crate) fn check(stderr: &str) {
    let objects = parse(stderr);
    assert!(!objects.is_empty(), "no statistics at exit:\n{stderr}");
    let sum = |origins: &[&str], counters: &[&str]| {
        let chosen = objects.iter().filter(|object| origins.contains(&object.origin.as_str()));
        chosen
            .map(|object| counters.iter().map(|counter| object.get(counter)).sum::<usize>())
            .sum::<usize>()
    };
    assert_eq!(
        sum(&["imudp"], &["msgs.received", "repeated.told", "disallowed.byname"]),
        sum(&["imudp"], &["submitted", "disallowed", "empty"])
            + sum(&["imudp"], &["discarded.ratelimit", "discarded.persource", "repeated.held"]),
        "datagrams: {objects:#?}"
    );
    assert_eq!(
        sum(&["imuxsock"], &["msgs.received", "repeated.told"]),
        sum(&["imuxsock"], &["submitted", "empty", "discarded.own", "ratelimit.discarded"])
            + sum(&["imuxsock"], &["discarded.persource", "repeated.held"]),
        "local datagrams: {objects:#?}"
    );
    let discarded = ["ratelimit", "persource", "facility", "malformed"];
    let discarded = discarded.map(|why| sum(&["imklog", "imkmsg"], &[&format!("discarded.{why}")]));
    assert_eq!(
        sum(&["imklog", "imkmsg"], &["msgs.received", "repeated.told"]),
        sum(&["imklog", "imkmsg"], &["submitted", "repeated.held"])
            + discarded.iter().sum::<usize>(),
        "the kernel's log: {objects:#?}"
    );
    assert_eq!(
        sum(&["imtcp", "imrawtcp"], &["sessions.opened"]),
        sum(&["imtcp", "imrawtcp"], &["sessions.closed"]),
        "sessions: {objects:#?}"
    );
    let queues = |of_action: bool| {
        let action = move |object: &&Object| object.name.ends_with(" queue") == of_action;
        objects.iter().filter(|object| object.origin == "core.queue").filter(action)
    };
    for queue in queues(false).chain(queues(true)) {
        for counter in ["size", "discarded.full", "discarded.nf", "lost.shutdown"] {
            assert_eq!(queue.get(counter), 0, "{counter} of {queue:?}");
        }
    }
    let submitted = sum(
        &["imdiag", "imtcp", "imrawtcp", "imudp", "imuxsock", "imklog", "imkmsg", "immark"],
        &["submitted"],
    ) + sum(&["core.oversize"], &["split.added"]);
    let own = sum(&["core"], &["submitted"]);
    let enqueued: usize = queues(false).map(|queue| queue.get("enqueued")).sum();
    // A queue of type Direct holds nothing and counts nothing, as in the reference.
    let direct = enqueued == 0 && queues(false).all(|queue| queue.get("maxqsize") == 0);
    if direct {
        // Only the actions can tell.
    } else if queues(false).count() == 1 {
        assert!(
            [submitted, submitted + own].contains(&enqueued),
            "submitted {submitted}, own {own}, enqueued {enqueued}"
        );
    } else {
        // A `call` puts a message into a second queue.
        assert!(enqueued >= submitted, "submitted {submitted}, enqueued {enqueued}");
    }
    for action in objects.iter().filter(|object| object.origin == "core.action") {
        assert_eq!(
            action.get("processed"),
            action.get("written") + action.get("failed") + action.get("ratelimit.dropped"),
            "{action:?}"
        );
    }
    for queue in queues(true) {
        let action = find(&objects, queue.name.trim_end_matches(" queue"));
        assert_eq!(queue.get("enqueued"), action.get("processed"), "{queue:?} {action:?}");
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

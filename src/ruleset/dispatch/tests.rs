//! Messages through rules, with actions that report what they were told.

use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender};

use super::*;
use crate::config::{PropOp, RulesetDecl, Span, Stmt};
use crate::message::{Builder, FlowControl, InputInfo, Part, Submit, Vars};
use crate::parsers::{Parser, ParserOptions, Rfc3164Options};
use crate::queue::{Queue, Settings};
use crate::ruleset::Inlet;
use crate::script::Environment;

/// What a worker's actions were told.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    /// Action and MSG.
    Push(usize, String),
    /// Messages of a frozen batch.
    Submit(Vec<String>),
    Commit,
}

/// Actions that report; number 9 has a queue.
struct Reporter {
    told: Sender<Told>,
    selected: Vec<u32>,
}

impl ActionSet for Reporter {
    fn begin(&mut self) {}
    /// Number 8 makes MSG longer.
    fn modify(
        &mut self,
        action: ActionId,
        msg: &Msg<'_>,
        _vars: &mut Vars,
        change: &mut Amendment,
    ) -> bool {
        if action.0 == 8 {
            change.set(Part::Msg, |out| out.extend([msg.msg(), b"!"].concat()));
        }
        false
    }

    fn push(&mut self, action: ActionId, index: u32, msg: &Msg<'_>) -> bool {
        if action.0 == 9 {
            self.selected.push(index);
            return false;
        }
        let text = String::from_utf8_lossy(msg.msg()).into_owned();
        self.told.send(Told::Push(action.0, text)).unwrap();
        false
    }
    fn wants_batch(&self) -> bool {
        !self.selected.is_empty()
    }
    fn submit(&mut self, batch: &Arc<Batch>) {
        let text = |index: u32| {
            let record = &batch.records[index as usize];
            String::from_utf8_lossy(batch.bytes.get(record.msg)).into_owned()
        };
        self.told.send(Told::Submit(self.selected.drain(..).map(text).collect())).unwrap();
    }
    fn commit(&mut self, _extent: Commit) -> bool {
        self.told.send(Told::Commit).unwrap();
        true
    }
}

/// A daemon in small: rulesets, those with a queue named `q…`, the main queue of type Direct.
struct Rig {
    rules: Arc<Rules>,
    main: Arc<Queue<Job>>,
    pool: Arc<Pool>,
    told: Receiver<Told>,
    stats: stats::Set,
}

fn rig(rulesets: Vec<(&str, Vec<Stmt>, ParserOptions)>) -> Rig {
    let (decls, parsers): (Vec<_>, Vec<_>) = rulesets
        .into_iter()
        .map(|(name, body, parsers)| {
            let queue = name.starts_with('q').then(Default::default);
            let span = Span::default();
            let name = name.to_owned();
            (RulesetDecl { name, queue, parsers: Vec::new(), body, span }, parsers)
        })
        .unzip();
    let queued: Vec<bool> = decls.iter().map(|decl| decl.queue.is_some()).collect();
    let (rules, diagnostics) = Rules::compile(&decls, parsers, Environment::default());
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let rules = Arc::new(rules);
    let (sender, told) = mpsc::channel();
    let sender = Mutex::new(sender);
    let actions: Box<Actions> = Box::new(move |_| {
        let told = sender.lock().unwrap().clone();
        Box::new(Reporter { told, selected: Vec::new() })
    });
    let pool = Arc::new(Pool::default());
    let stats = stats::Set::default();
    let hostname = Arc::new(Mutex::new(b"me".as_slice().into()));
    let shared = Arc::new(Surroundings::new(
        Arc::clone(&rules),
        actions,
        Arc::clone(&pool),
        hostname,
        Arc::default(),
        &stats,
    ));
    let queue = |name| {
        let settings = Settings::from_args(&crate::param::Args::defaults(&[
            crate::config::tables::QUEUE_ACTION, // type Direct
        ]));
        Arc::new(Queue::new(name, settings, consumers(&shared), &stats))
    };
    let main = queue("main Q");
    rules.connect(queued.into_iter().map(|own| own.then(|| queue("q"))).collect());
    Rig { rules, main, pool, told, stats }
}

impl Rig {
    fn submit(&self, ruleset: &str, texts: &[&str]) {
        let mut builder = Builder::new(Arc::clone(&self.pool));
        let info = Arc::new(InputInfo::default());
        let sender = Arc::new(crate::message::Sender::local(info, b"h"));
        for text in texts {
            let span = builder.bytes().append(text.as_bytes());
            let flags = Flags::NEEDS_PARSING.with(Flags::PARSE_HOSTNAME);
            builder.push(span, 0, &sender, flags);
        }
        let ruleset = self.rules.find(ruleset).unwrap();
        let inlet = Inlet { queue: Arc::clone(&self.main), ruleset };
        inlet.submit(builder.seal(), FlowControl::None);
    }

    /// What the actions were told, as text: `0: x`, `submit x y`, `commit`.
    fn told(&self) -> Vec<String> {
        let line = |told| match told {
            Told::Push(action, text) => format!("{action}: {}", text.trim()),
            Told::Submit(texts) => format!("submit{}", texts.concat()),
            Told::Commit => "commit".to_owned(),
        };
        self.told.try_iter().map(line).collect()
    }

    fn counter(&self, object: &str, name: &str) -> u64 {
        self.stats.total(Some(object), name)
    }
}

fn action(n: usize) -> Stmt {
    Stmt::Action(ActionId(n))
}

fn call(n: usize) -> Stmt {
    Stmt::Call(RulesetId(n))
}

fn when(needle: &str, then: Vec<Stmt>) -> Stmt {
    Stmt::PropFilter {
        property: crate::config::ast::Variable::Property("msg".into()),
        op: PropOp::Contains,
        negate: false,
        value: needle.into(),
        then,
        span: Span::default(),
    }
}

fn test(needle: &str) -> crate::config::Expr {
    use crate::config::ast::{CompareOp, Expr, ExprKind, Variable};
    let at = |kind| Box::new(Expr { kind, span: Span::default() });
    let msg = at(ExprKind::Variable(Variable::Property("msg".into())));
    let text = at(ExprKind::String(needle.into()));
    *at(ExprKind::Compare(CompareOp::Contains, msg, text))
}

fn defaults() -> ParserOptions {
    ParserOptions::default()
}

#[test]
fn statements_run_in_order_and_stop_ends_the_callers_too() {
    let chain = Stmt::If {
        arms: vec![
            (test("a"), vec![action(0)]),
            (test("b"), vec![action(1), when("c", vec![Stmt::Stop])]),
        ],
        otherwise: vec![action(2)],
    };
    let rig = rig(vec![
        ("main", vec![call(1), action(3)], defaults()),
        ("sub", vec![chain, action(4)], defaults()),
    ]);
    rig.submit("main", &["<13>t: a", "<13>t: b", "<13>t: b c", "<13>t: x"]);
    assert_eq!(
        rig.told(),
        [
            "0: a", "4: a", "3: a", "1: b", "4: b", "3: b", "1: b c", "2: x", "4: x", "3: x",
            "commit"
        ]
    );
}

#[test]
fn loops_run_for_each_item_and_stop_ends_all_of_them() {
    use crate::config::ast::{CompareOp, Expr, ExprKind, Variable};
    let at = |kind| Expr { kind, span: Span::default() };
    let text = |text: &str| at(ExprKind::String(text.into()));
    let each = |name: &[u8], items, body| {
        let args = vec![text(items), text(",")];
        let collection = at(ExprKind::Function { name: "split".into(), args });
        Stmt::Foreach { variable: (Scope::Local, Path::new(name)), collection, body }
    };
    let is_b = {
        let variable = Variable::Json { tree: Scope::Local, path: b"i".to_vec() };
        let variable = Box::new(at(ExprKind::Variable(variable)));
        at(ExprKind::Compare(CompareOp::Eq, variable, Box::new(text("b"))))
    };
    let until_b = Stmt::If { arms: vec![(is_b, vec![Stmt::Stop])], otherwise: Vec::new() };
    let inner = each(b"j", "x,y", vec![action(0)]);
    let outer = |items| each(b"i", items, vec![inner.clone(), call(1), until_b.clone()]);
    let rig = rig(vec![
        ("main", vec![outer("a,c"), outer("a,b,c"), action(2)], defaults()),
        ("sub", vec![each(b"i", "c", vec![]), action(1)], defaults()),
    ]);
    rig.submit("main", &["<13>t: m", "<13>t: n"]);
    // The ruleset has taken the loop's variable away, so that nothing stops it.
    let turn = ["0: ", "0: ", "1: "];
    let of = |msg: &str| {
        let turns = turn.repeat(5).into_iter().chain(["2: "]);
        turns.map(|told| told.to_owned() + msg).collect::<Vec<_>>()
    };
    assert_eq!(rig.told(), [of("m"), of("n"), vec!["commit".to_owned()]].concat());
}

#[test]
fn selectors_and_constants() {
    let mask = |severity: u8| {
        let mut mask = [0; 25];
        mask[1] = 1 << severity;
        mask
    };
    let pri = |severity, then| Stmt::PriFilter { mask: mask(severity), then };
    let always = Stmt::PriFilter { mask: [0xff; 25], then: vec![action(2)] };
    let rig = rig(vec![(
        "main",
        vec![pri(5, vec![action(0)]), pri(6, vec![action(1), Stmt::Stop]), always],
        defaults(),
    )]);
    rig.submit("main", &["<13>t: notice", "<14>t: info"]);
    assert_eq!(rig.told(), ["0: notice", "2: notice", "1: info", "commit"]);
}

#[test]
fn queued_rulesets_and_actions_get_their_messages_of_the_frozen_batch() {
    let rig = rig(vec![
        ("main", vec![when("a", vec![call(1), action(9)]), action(0)], defaults()),
        ("q", vec![action(1), action(9)], defaults()),
    ]);
    rig.submit("main", &["<13>t: a1", "<13>t: b", "<13>t: a2"]);
    assert_eq!(
        rig.told(),
        [
            "0: a1",
            "0: b",
            "0: a2", // as they come
            "1: a1",
            "1: a2",
            "submit a1 a2",
            "commit", // in the ruleset's queue
            "submit a1 a2",
            "commit"
        ]
    );
}

#[test]
fn calls_that_never_return_are_cut_off() {
    let straight = rig(vec![("main", vec![action(0), call(0)], defaults())]);
    straight.submit("main", &["<13>t: x"]);
    assert_eq!(straight.told().len(), limits::CALL_DEPTH + 1 + 1);

    let branching = rig(vec![("main", vec![action(0), call(0), call(0)], defaults())]);
    branching.submit("main", &["<13>t: x"]);
    assert_eq!(branching.told().len(), limits::CALLS + 1 + 1);
}

#[test]
fn empty_messages_and_those_that_no_parser_takes_are_counted() {
    let only_5424 = ParserOptions { chain: vec![Parser::Rfc5424], ..defaults() };
    let rig = rig(vec![("main", vec![action(0)], only_5424)]);
    rig.submit("main", &["", "<13>t: x", "<13>1 - h a p m - ok"]);
    assert_eq!(rig.told(), ["0: <13>t: x", "0: ok", "commit"]);
    assert_eq!(rig.counter("parsers", "discarded.empty"), 1);
    assert_eq!(rig.counter("parsers", "unparsable"), 1);
}

#[test]
fn headerless_messages_go_where_the_parser_says() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("errors");
    let headerless = |drop| {
        let own = Rfc3164Options {
            headerless: Some(Headerless {
                ruleset: Some("OTHER".into()),
                error_file: Some(path.to_str().unwrap().into()),
                drop,
                ..Headerless::default()
            }),
            ..Rfc3164Options::default()
        };
        ParserOptions { chain: vec![Parser::Rfc3164(own)], ..defaults() }
    };
    for (drop, want) in [(false, vec!["1: x", "0: y", "commit"]), (true, vec!["0: y", "commit"])] {
        let rig = rig(vec![
            ("main", vec![action(0)], headerless(drop)),
            ("other", vec![action(1)], defaults()),
        ]);
        rig.submit("main", &["x:x", "<13>Jan  5 03:04:05 h t: y"]);
        assert_eq!(rig.told(), want);
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written.lines().all(|line| line.starts_with('x')), "{written}");
    assert_eq!(written.lines().count(), 2);
}

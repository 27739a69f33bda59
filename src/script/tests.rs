//! Filters as a configuration writes them, on one message; and the compiler against a plain evaluator.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::value::{Value, arithmetic};
use super::{Compiler, Environment, Filter, Scratch};
use crate::config::ast::{BinaryOp, CompareOp, Expr, ExprKind, Variable};
use crate::config::{Catalogue, Loader, Span, Stmt, load};
use crate::lookup::Lookup;
use crate::message::sample::Sample;
use crate::stats::{Bucket, Object, Percentiles};
use crate::template::{self, Template};

/// The message of `spec/config-language.md` section 19.
fn sample() -> Sample {
    Sample::rfc3164(35, "Jan  5 03:04:05", "host", "a/../b[1]:", "a", b" x:12 \"q\"  z/y")
}

/// One configuration file in memory.
struct Text(String);

impl Loader for Text {
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Ok(self.0.clone().into_bytes())
    }
    fn expand(&self, _: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }
    fn is_directory(&self, _: &Path) -> bool {
        false
    }
    fn current_directory(&self) -> PathBuf {
        PathBuf::new()
    }
    fn env(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

/// Whether the filter in front of `stop` in `text` matches the sample; `Err` with what was reported.
fn matches(text: &str) -> Result<bool, String> {
    let catalogue = Catalogue { modules: &[], templates: &["example"], parsers: &[] };
    let (config, diagnostics) = load("f", &Text(format!("{text}\n")), &catalogue);
    if diagnostics.has_errors() {
        return Err(format!("{diagnostics:?}"));
    }
    let mut compiler = Compiler::default();
    let filter = match config.rulesets[0].body.as_slice() {
        [] => return Ok(false),
        [Stmt::Stop] => return Ok(true),
        [Stmt::If { arms, .. }] => Filter::expression(&mut compiler, &arms[0].0),
        [Stmt::PriFilter { mask, .. }] => Filter::selector(mask),
        [Stmt::PropFilter { property, op, negate, value, span, .. }] => {
            Filter::property(&mut compiler, property, *op, *negate, value, *span)
        }
        other => return Err(format!("{other:?}")),
    };
    if let Some(diagnostic) = compiler.diagnostics.first() {
        return Err(format!("{diagnostic:?}"));
    }
    let (sample, mut scratch) = (sample(), Scratch::default());
    let first = filter.matches(&sample.msg(), &mut scratch);
    assert_eq!(filter.matches(&sample.msg(), &mut scratch), first, "buffers come back empty");
    Ok(first)
}

/// The text of an expression's value for the sample; `Err` with what was reported.
pub(super) fn evaluate(expr: &str) -> Result<String, String> {
    let catalogue = Catalogue { modules: &[], templates: &["example"], parsers: &[] };
    let text = format!("lookup_table(name=\"example\" file=\"f\")\nset $.result = {expr};\n");
    let (config, diagnostics) = load("f", &Text(text), &catalogue);
    if diagnostics.has_errors() {
        return Err(format!("{diagnostics:?}"));
    }
    let [Stmt::Set { value, .. }] = config.rulesets[0].body.as_slice() else {
        return Err(format!("{:?}", config.rulesets[0].body));
    };
    let empty = template::Content::String { text: b"", legacy: false };
    let options = template::Options::default();
    let template = Template::compile("example", &empty, options, &mut |_, _| {}).map(Arc::new);
    let template = |name: &[u8]| template.clone().filter(|_| name == b"example");
    let table = br#"{"version":1,"nomatch":"none","table":[{"index":"key","value":"value"},{"index":7,"value":"seven"}]}"#;
    let table = Arc::new(Lookup::of(table));
    let lookup = |name: &[u8]| (name == b"example").then(|| Arc::clone(&table));
    let mut global = Object::new("global", "dynstats");
    let buckets = Arc::new(Bucket::new(
        "example",
        1,
        Duration::from_secs(1),
        true,
        &mut global,
        Instant::now(),
    ));
    let bucket = |name: &[u8]| (name == b"example").then(|| Arc::clone(&buckets));
    let set = Arc::new(Percentiles::new("example", ".", &[50], 1, &mut global));
    let percentiles = |name: &[u8]| (name == b"example").then(|| Arc::clone(&set));
    let environment = Environment {
        fetch: None,
        loaded: &|_| true,
        template: &template,
        lookup: &lookup,
        bucket: &bucket,
        percentiles: &percentiles,
    };
    let mut compiler = Compiler { environment, diagnostics: Vec::new() };
    let term = compiler.value(value);
    if !compiler.diagnostics.is_empty() {
        return Err(format!("{:?}", compiler.diagnostics));
    }
    let (sample, mut scratch, mut out) = (sample(), Scratch::default(), Vec::new());
    term.with_value(&sample.msg(), &mut scratch, |value| value.append_to(&mut out));
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// Every expression, and its truth for the sample.
#[test]
fn expressions() {
    let table = [
        // spec/config-language.md section 19
        ("not $msg == 'x'", false),
        ("'007' == 7", true),
        ("'007' == '7'", false),
        ("010 + 0x10 == 24", true),
        ("\"12ab\" + 1 == 13", true),
        ("\"\" + 1 == 1", true),
        ("5/0 == 0", true),
        ("7 % 4 == 3", true),
        ("\"9\" < \"10\"", true),
        ("\"9a\" < \"10\"", false),
        ("\"a\" < \"B\"", false),
        ("1 or 0 and 0", false),
        ("\"foo\" == [\"bar\",\"foo\"]", true),
        ("\"foo\" != [\"bar\",\"foo\"]", false),
        ("\"FOObar\" startswith_i [\"x\",\"foo\"]", true),
        ("\"xx\" contains \"\"", true),
        ("\"abc\" == 0", false),
        ("\"\" == 0", true),
        ("\"a\" & 1 + 2 == 2", true),
        ("1 == 1 == 1", true),
        ("$syslogseverity-text == 'error'", true),
        // properties
        ("$hostname == 'host'", true),
        ("$hostname != 'host'", false),
        ("$hostname == ['x', 'host']", true),
        ("['x', 'host'] == $hostname", true),
        ("$hostname != ['x', 'y']", true),
        ("$programname == 'a' and $syslogtag == 'a/../b[1]:'", true),
        ("$msg contains 'x:12'", true),
        ("$msg contains 'X:12'", false),
        ("$msg contains_i 'X:12'", true),
        ("$msg contains ['nothing', '\"q\"']", true),
        ("$msg startswith ' x'", true),
        ("$msg startswith 'x'", false),
        ("$msg startswith_i ' X:12'", true),
        ("$hostname startswith_i 'HOSTS'", true),
        ("$hostname startswith_i 'OST'", false),
        ("$msg endswith ['a', 'z/y']", true),
        ("$rawmsg endswith $msg", true),
        ("$rawmsg contains $hostname & ' ' & $programname", true),
        ("$hostname & '/' & $syslogseverity == 'host/3'", true),
        // Properties are texts: 3 is '3', not '03', but 3.
        ("$syslogseverity == '3'", true),
        ("$syslogseverity == '03'", false),
        ("$syslogseverity == 3", true),
        ("$syslogseverity <= 4 and $syslogseverity >= 3", true),
        ("$syslogseverity + 1 == 4", true),
        ("10 > $syslogseverity", true),
        ("$syslogfacility-text == 'auth'", true),
        ("$syslogfacility == 4 and $pri == 35", true),
        ("$pri-text == 'auth.err'", true),
        ("prifilt('auth.warn')", true),
        ("prifilt('auth.crit')", false),
        ("$$myhostname == 'here'", true),
        ("$$now-unixtimestamp > 1", true),
        ("$timegenerated startswith 'Nov 20'", true),
        // truth
        ("$pri", true),
        ("$msg", false),
        ("not $msg", true),
        ("not ($hostname == 'host')", false),
        ("$hostname == 'x' or ($pri and not $msg)", true),
        ("-$pri < -34", true),
        // "0" and "00", once found by chance
        ("(0 == 1) contains_i (not $pri) & 0", false),
    ];
    for (expr, want) in table {
        assert_eq!(matches(&format!("if {expr} then stop")), Ok(want), "{expr}");
    }
}

/// Values that need variables; the last part of each is what counts.
#[test]
fn values() {
    let tree =
        r#"parse_json('{"s":"str","n":5,"nil":null,"o":{"k":[1,{"z":"w"}]},"q":"5"}', '$!')"#;
    let table = [
        ("$!nope == ''", "1"),
        ("$!nil == 0", "1"),
        ("$!q + 1 == '6'", "1"),
        ("$!q + 1 == 6", "1"),
        ("$!q + 1 contains '6'", "1"),
        ("$!q + 1 == ['6']", "1"),
        ("$!q == ['4', '5']", "1"),
        ("$!n == '05'", "0"),
        ("'05' == $!n", "1"),
        ("$!n < '10'", "1"),
        ("$!o == $.none", "0"),
        ("$!O!K[1]!z", "w"),
        ("$!o!k", "[ 1, { \"z\": \"w\" } ]"),
        ("$!o!k & 1", "[ 1, { \"z\": \"w\" } ]1"),
        ("strlen($!o!k)", "19"),
        ("exists($!nil) & exists($!o!k[1]) & exists($!o!k[2])", "010"),
        ("get_property($!o, 'k') == $!o!k", "1"),
        ("get_property($!o!k, 1) & script_error()", "{ \"z\": \"w\" }0"),
        ("append_json($!o!k, $!n)", "[ 1, { \"z\": \"w\" }, 5 ]"),
        ("append_json($!o, 'K', 'v')", "{ \"k\": \"v\" }"),
        ("(strlen($!s) == ['3', '4']) & (tolower($!s) == ['x', 'str'])", "11"),
        ("(strlen($!s) != ['4', '3']) & (strlen($!s) == ['4', '3'])", "01"),
    ];
    for (expr, want) in table {
        // All in one expression: what a function sets is there for what stands behind it.
        let got = evaluate(&format!("{tree} & ':' & ({expr})"));
        assert_eq!(got, Ok(format!("0:{want}")), "{expr}");
    }
}

#[test]
fn property_filters() {
    let table = [
        (":msg, contains, \"x:12\"", true),
        (":msg, contains, \"X:12\"", false),
        (":msg, contains, \"\"", true),
        (":msg, startswith, \" x\"", true),
        (":msg, startswith, \"x\"", false),
        (":msg, endswith, \"z/y\"", true),
        (":hostname, isequal, \"host\"", true),
        (":hostname, !isequal, \"host\"", false),
        (":hostname, isequal, \"hos\"", false),
        (":syslogtag, isequal, \"a/../b[1]:\"", true),
        (":programname, isequal, \"a\"", true),
        (":syslogseverity, isequal, \"3\"", true),
        (":msgid, isempty, \"\"", false),
        (":msgid, !isempty, \"\"", true),
        (":msg, regex, \"x:[0-9]*  *.q\"", true),
        (":msg, regex, \"x:[0-9]{2} \"", false),
        (":msg, ereregex, \"x:[0-9]{2} \"", true),
        (":msg, !ereregex, \"x:[0-9]{2} \"", false),
        (":msg, ereregex, \"^x\"", false),
        ("auth.err", true),
        ("auth.crit", false),
        ("*.*;auth.none", false),
        ("*.*", true),
    ];
    for (filter, want) in table {
        assert_eq!(matches(&format!("{filter} stop")), Ok(want), "{filter}");
    }
}

/// The definition: what `spec/config-language.md` section 6 says, without preparation and with allocation.
#[derive(Clone, Debug)]
enum Plain {
    Number(i64),
    Text(Vec<u8>),
}

impl Plain {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Number(n) => Value::Number(*n),
            Self::Text(text) => Value::Text(text),
        }
    }
    fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        self.value().append_to(&mut text);
        text
    }
    fn number(&self) -> i64 {
        self.value().number().0
    }
}

fn plain(expr: &Expr) -> Plain {
    let truth = |truth: bool| Plain::Number(truth.into());
    match &expr.kind {
        ExprKind::Number(n) => Plain::Number(*n),
        ExprKind::String(text) => Plain::Text(text.clone()),
        ExprKind::Array(items) => Plain::Text(items.first().cloned().unwrap_or_default()),
        ExprKind::Variable(Variable::Property(name)) => Plain::Text(match name.as_str() {
            "hostname" => b"host".to_vec(),
            "pri" => b"35".to_vec(),
            _ => b" x:12 \"q\"  z/y".to_vec(),
        }),
        ExprKind::Not(inner) => truth(plain(inner).number() == 0),
        ExprKind::Negate(inner) => Plain::Number(plain(inner).number().wrapping_neg()),
        ExprKind::And(all) => truth(all.iter().all(|one| plain(one).number() != 0)),
        ExprKind::Or(any) => truth(any.iter().any(|one| plain(one).number() != 0)),
        ExprKind::Binary(BinaryOp::Concat, left, right) => {
            Plain::Text([plain(left).text(), plain(right).text()].concat())
        }
        ExprKind::Binary(op, left, right) => {
            Plain::Number(arithmetic(*op, plain(left).number(), plain(right).number()))
        }
        ExprKind::Compare(op, left, right) => truth(plain_compare(*op, left, right)),
        other => panic!("not generated: {other:?}"),
    }
}

fn plain_compare(op: CompareOp, left: &Expr, right: &Expr) -> bool {
    use CompareOp::{
        Contains, ContainsI, EndsWith, Eq, Ge, Gt, Le, Lt, Ne, StartsWith, StartsWithI,
    };
    let equality = matches!(op, Eq | Ne);
    if let (true, ExprKind::Array(_), false) =
        (equality, &left.kind, matches!(right.kind, ExprKind::Array(_)))
    {
        return plain_compare(op, right, left);
    }
    let (l, mut r) = (plain(left), plain(right));
    if let (true, ExprKind::Array(items)) = (equality, &right.kind) {
        r = Plain::Text(items.iter().min().cloned().unwrap_or_default());
    }
    match (op, &right.kind, &l) {
        (Eq, ExprKind::Array(items), Plain::Text(text)) => return items.contains(text),
        (Ne, ExprKind::Array(items), Plain::Text(text)) => return !items.contains(text),
        (Eq, ..) => return l.value().equals(&r.value()),
        (Ne, ..) => return !l.value().equals(&r.value()),
        (Lt, ..) => return l.value().order(&r.value()).is_lt(),
        (Le, ..) => return l.value().order(&r.value()).is_le(),
        (Gt, ..) => return l.value().order(&r.value()).is_gt(),
        (Ge, ..) => return l.value().order(&r.value()).is_ge(),
        _ => {}
    }
    let text = l.text();
    let lower = text.to_ascii_lowercase();
    let needles = match &right.kind {
        ExprKind::Array(items) => items.clone(),
        _ => vec![r.text()],
    };
    let contains = |text: &[u8], needle: &[u8]| {
        needle.is_empty() || text.windows(needle.len()).any(|window| window == needle)
    };
    needles.iter().any(|needle| match op {
        Contains => contains(&text, needle),
        ContainsI => contains(&lower, &needle.to_ascii_lowercase()),
        StartsWith => text.starts_with(needle),
        StartsWithI => {
            let needle = needle.to_ascii_lowercase();
            lower.starts_with(&needle) || needle.starts_with(&lower)
        }
        EndsWith => text.ends_with(needle),
        _ => unreachable!("handled above"),
    })
}

fn expression() -> impl Strategy<Value = Expr> {
    let at = |kind| Expr { kind, span: Span::default() };
    let word = prop::sample::select(vec![
        "", "0", "1", "7", "007", "-5", "35", "host", "HOST", "x", "X:", "q", "3a", "z/y",
    ]);
    let word = word.prop_map(|word: &str| word.as_bytes().to_vec());
    let property = prop::sample::select(vec!["hostname", "pri", "msg"]);
    let leaf = prop_oneof![
        (-9_i64..40).prop_map(ExprKind::Number),
        word.clone().prop_map(ExprKind::String),
        prop::collection::vec(word, 1..4).prop_map(ExprKind::Array),
        property.prop_map(|name| ExprKind::Variable(Variable::Property(name.to_owned()))),
    ];
    leaf.prop_map(at).prop_recursive(4, 24, 3, move |inner| {
        use BinaryOp::{Add, Concat, Div, Mod, Mul, Sub};
        use CompareOp::{
            Contains, ContainsI, EndsWith, Eq, Ge, Gt, Le, Lt, Ne, StartsWith, StartsWithI,
        };
        let compare = prop::sample::select(vec![
            Eq,
            Ne,
            Lt,
            Le,
            Gt,
            Ge,
            Contains,
            ContainsI,
            StartsWith,
            StartsWithI,
            EndsWith,
        ]);
        let binary = prop::sample::select(vec![Add, Sub, Mul, Div, Mod, Concat]);
        let two = (inner.clone().prop_map(Box::new), inner.clone().prop_map(Box::new));
        prop_oneof![
            4 => (compare, two.clone()).prop_map(|(op, (l, r))| ExprKind::Compare(op, l, r)),
            2 => (binary, two).prop_map(|(op, (l, r))| ExprKind::Binary(op, l, r)),
            1 => inner.clone().prop_map(|one| ExprKind::Not(Box::new(one))),
            1 => inner.clone().prop_map(|one| ExprKind::Negate(Box::new(one))),
            1 => prop::collection::vec(inner.clone(), 2..4).prop_map(ExprKind::And),
            1 => prop::collection::vec(inner, 2..4).prop_map(ExprKind::Or),
        ]
        .prop_map(at)
    })
}

proptest! {
    #[test]
    fn compiled_and_plain_agree(expr in expression()) {
        let mut compiler = Compiler::default();
        let filter = Filter::expression(&mut compiler, &expr);
        prop_assert!(compiler.diagnostics.is_empty());
        let (sample, mut scratch) = (sample(), Scratch::default());
        let got = filter.matches(&sample.msg(), &mut scratch);
        prop_assert_eq!(got, plain(&expr).number() != 0);
    }
}

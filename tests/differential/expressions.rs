//! RainerScript expressions: every operator and function over values of every type.

use crate::messages::message;
use crate::random::Random;
use crate::round::{Item, Round, newer};
use crate::tree::Tree;

const GLOBAL: &str = r#"template(name="r" type="string" string="%$/n%|%$.r%<END>\n")
template(name="yes" type="string" string="%$/n%|yes<END>\n")
template(name="host" type="string" string="%hostname%-%syslogtag%")
set $!s = $msg;
set $!n = 17;
set $!neg = -4;
set $!digits = "42";
set $!empty = "";
set $.x = parse_json('{"a": 1, "b": ["x", "y", 3], "c": {"d": "e", "f": null}, "t": true, "g": 1.5, "s": "str"}', '$!o');
set $.x = parse_json('["foo", "bar", "Host", "10"]', '$!list');
set $.l = "Local";
set $.d!e = $hostname;
set $/g = "10";
"#;

/// How many of the following are JSON values, which Debian's compares in another way.
const JSON: usize = 11;

const VARIABLES: [&str; 44] = [
    "$!o",
    "$.d",
    "$!list",
    "$!",
    "$!o!b",
    "$!o!c",
    "$!o!a",
    "$!o!t",
    "$!o!g",
    "$!O!A",
    "$!o!b[2]",
    "$msg",
    "$msg",
    "$rawmsg",
    "$hostname",
    "$syslogtag",
    "$programname",
    "$procid",
    "$app-name",
    "$pri",
    "$fromhost-ip",
    "$inputname",
    "$structured-data",
    "$msgid",
    "$!s",
    "$!n",
    "$!neg",
    "$!digits",
    "$!empty",
    "$!missing",
    "$!o!b[0]",
    "$!o!b[7]",
    "$!o!c!d",
    "$!o!c!f",
    "$!o!s",
    "$!list[1]",
    "$.l",
    "$.d!e",
    "$.missing",
    "$/g",
    "$!N",
    "$pri-text",
    "$protocol-version",
    "$iut",
];

const STRINGS: [&str; 42] = [
    "",
    "a",
    "root",
    "Failed",
    "host",
    "HOST",
    "10",
    "7",
    "007",
    "-4",
    "42",
    "17",
    "12ab",
    "ab",
    " ",
    "app",
    "err",
    "info",
    "e",
    "str",
    "x",
    "foo",
    "bar",
    "0",
    "1",
    "-",
    "1.5",
    "true",
    "{\\\"a\\\":1}",
    "[1,2]",
    "\\\"",
    "\\\\",
    "\\n",
    "\\t",
    "\\x41",
    "\\101",
    "10.0.0.1",
    "192.168.1.10/24",
    "::1",
    "no",
    "off",
    "a,b,c",
];

/// Far below 2^31, as are all results: the reference compares, and takes the truth of, the lower half of larger ones.
const NUMBERS: [&str; 13] =
    ["0", "1", "2", "3", "7", "10", "17", "42", "010", "0x10", "255", "99999", "150716"];

/// A round of expressions.
pub(crate) fn round(random: &mut Random) -> Round {
    Round {
        global: GLOBAL.to_owned(),
        one_each: false,
        items: (0..350).map(|_| item(random)).collect(),
        messages: (0..120).map(|_| message(random)).collect(),
        ..Round::default()
    }
}

fn item(random: &mut Random) -> Item {
    let depth = 1 + random.below(4);
    let expression = expression(random, depth);
    let parts = if random.chance(50) {
        vec![
            Tree::text("set $.r = "),
            expression,
            Tree::text(";\naction(type=\"omfile\" file=\"{out}\" template=\"r\")\nunset $.r;"),
        ]
    } else {
        let negated = random.chance(15);
        vec![
            Tree::text("if "),
            Tree::text(if negated { "not (" } else { "" }),
            expression,
            Tree::text(if negated { ")" } else { "" }),
            Tree::text(" then action(type=\"omfile\" file=\"{out}\" template=\"yes\")"),
        ]
    };
    Item { text: Tree::Node("item", parts), shows_time: false }
}

/// Any expression.
pub(crate) fn expression(random: &mut Random, depth: usize) -> Tree {
    if depth == 0 {
        return leaf(random);
    }
    let inner = |random: &mut Random| {
        let depth = random.below(depth);
        expression(random, depth)
    };
    let parts = match random.below(20) {
        0..=5 => {
            let comparison = random.pick(&[
                "==",
                "!=",
                "<>",
                "<",
                "<=",
                ">",
                ">=",
                "contains",
                "contains_i",
                "startswith",
                "startswith_i",
                "==",
                "!=",
            ]);
            let comparison = if newer() && random.chance(8) { "endswith" } else { comparison };
            let left = inner(random);
            // To an array Debian's compares numbers as texts.
            let array = newer()
                && random.chance(15)
                && matches!(
                    comparison,
                    "==" | "contains" | "contains_i" | "startswith" | "startswith_i"
                );
            let right = if array { array_of_strings(random) } else { inner(random) };
            if matches!(comparison, "!=" | "<>") {
                // Where values differ the reference yields their difference: only its truth is compared.
                let [open, close] = ["not (not ((", ") ))"].map(Tree::text);
                let comparison = Tree::text(format!(") {comparison} ("));
                vec![open, left, comparison, right, close]
            } else {
                vec![left, Tree::text(format!(" {comparison} ")), right]
            }
        }
        6..=8 => {
            let operator = random.pick(&["+", "-", "*", "/", "%", "&", "&"]);
            let (left, right) = (inner(random), inner(random));
            match operator {
                "*" => {
                    let [open, times, close] = ["(((", ") * (", ")) % 99991)"].map(Tree::text);
                    vec![open, left, times, right, close]
                }
                "&" => vec![left, Tree::text(" & \"~\" & "), right],
                _ => vec![left, Tree::text(format!(" {operator} ")), right],
            }
        }
        9..=10 => {
            let operator = random.pick(&["and", "or"]);
            vec![inner(random), Tree::text(format!(" {operator} ")), inner(random)]
        }
        11 => vec![Tree::text("not "), inner(random)],
        12 => vec![Tree::text("-"), inner(random)],
        13 => vec![Tree::text("("), inner(random), Tree::text(")")],
        14..=18 => function(random, depth),
        _ => return leaf(random),
    };
    let node = Tree::Node("expression", parts);
    if random.chance(50) {
        return Tree::Node("expression", vec![Tree::text("("), node, Tree::text(")")]);
    }
    node
}

fn leaf(random: &mut Random) -> Tree {
    let text = match random.below(10) {
        0..=4 => random.pick(&VARIABLES[if newer() { 0 } else { JSON }..]).to_owned(),
        5..=6 => random.pick(&NUMBERS).to_owned(),
        _ => string(random),
    };
    Tree::Node("expression", vec![Tree::text(text)])
}

fn string(random: &mut Random) -> String {
    let text = random.pick(&STRINGS);
    if random.chance(50) {
        format!("'{}'", text.replace("\\\"", "\""))
    } else {
        format!("\"{text}\"")
    }
}

fn array_of_strings(random: &mut Random) -> Tree {
    let mut parts = vec![Tree::text("["), Tree::text(string(random))];
    for _ in 0..random.below(4) {
        parts.push(Tree::optional(Tree::text(format!(", {}", string(random)))));
    }
    parts.push(Tree::text("]"));
    Tree::Node("array", parts)
}

/// Calls: `@` is an expression, `<a~b>` one of the texts in it. Left out: what takes a random number or the clock,
/// what replaces an empty text, `get_property()` of what is not there, `script_error()` of a message before.
const CALLS: [&str; 31] = [
    "strlen(@)",
    "cstr(@)",
    "cnum(@)",
    "tolower(@)",
    "ltrim(@)",
    "rtrim(@)",
    "num2ipv4(@)",
    "(ip42num(@) % 65521)",
    "(ipv42num(@) % 65521)",
    "int2hex(@)",
    "getenv(@)",
    "is_time(@)",
    "substring(@, @, @)",
    "field(@, <32~58~','~' '~'a'~'oo'~\"\\n\"~'--'>, <1~2~3~0~9>)",
    "field(@, <32~58>, @)",
    "replace(@, <'o'~' '~'a'~'10'~'ab'~'.'~\"\\n\">, @)",
    "wrap(@, @)",
    "wrap(@, <'o'~' '~'a'~'10'>, @)",
    "re_match(@, <'[0-9]+'~'(a|ab)(c|bcd)(d*)'~'^ '~'root|x'~'x*'>)",
    "re_match_i(@, <'[[:upper:]]'~'ROOT'~'.*'>)",
    "re_extract(@, <'[0-9]+'~'(a|ab)(c|bcd)(d*)'~'([a-z]+) ([a-z]+)'~'x*'>, <0~0~1~2>, <0~1~2~3>, @)",
    "re_extract_i(@, <'[A-Z]+'~'(ROOT)|x'~'.*'>, <0~0~1>, <0~1~2>, @)",
    "exec_template(\"host\")",
    "prifilt(<'*.*'~'*.err'~'kern.*'~'mail,auth.=info'~'*.*;user.none'>)",
    "format_time(<0~17~1507165811~-1~@>, <'date-rfc3164'~'date-rfc3339'>)",
    "is_time(@, <'date-rfc3164'~'date-rfc3339'~'date-unix'>)",
    "parse_time(<'2017-10-05T01:10:11Z'~'2017-10-05T01:10:11.5+02:00'~'nope'~'2017-13-05T01:10:11Z'~'2017-10-05'>)",
    "parse_json(<'{\"a\":1}'~'[1,2'~'7'~'\"s\"'~''~'x'>, '$.pj')",
    "get_property(<$!o, 'a'~$!o, 'b'~$!o, 'c'~$!o!b, 0~$!list, 1~$!o!b, 2~$!o!c, 'd'>)",
    "exists(<$!o~$!o!a~$!missing~$!o!c!f~$.l~$/g~$!o!b~$.nope!x~$/nope~$!empty>)",
    "strlen(exec_template(\"host\"))",
];

/// The same, of what Debian's does not know and ends with.
const NEWER_CALLS: [&str; 6] = [
    "toupper(@)",
    "cbool(@)",
    "b64_decode(@)",
    "split(@, <','~' '~'a'~''~'oo'>)",
    "append_json(<$!list, 'x'~$!o, 'new', 1~$!o, 'a', $!list~$!o!b, $!o~$!missing, 1>)",
    "is_in_subnet(<'10.1.2.3'~$fromhost-ip~$hostname~'::1'~'x'>, <'10.0.0.0/8'~'127.0.0.0/8'~'::1/128'~'x'>)",
];

fn function(random: &mut Random, depth: usize) -> Vec<Tree> {
    let calls: &[&str] = if newer() && random.chance(20) { &NEWER_CALLS } else { &CALLS };
    let mut parts = Vec::new();
    let mut rest = random.pick(calls);
    while let Some(at) = rest.find(['@', '<']) {
        let (before, from) = rest.split_at(at);
        parts.push(Tree::text(before));
        let end = from.find('>').unwrap_or(0);
        let choices: Vec<&str> = from[1..end.max(1)].split('~').collect();
        let choice = if from.starts_with('@') { "@" } else { random.pick(&choices) };
        parts.push(if choice == "@" {
            let depth = random.below(depth);
            expression(random, depth)
        } else {
            Tree::text(choice)
        });
        rest = &from[if from.starts_with('@') { 1 } else { end + 1 }..];
    }
    parts.push(Tree::text(rest));
    parts
}

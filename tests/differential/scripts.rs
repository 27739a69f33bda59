//! Statements: assignments, loops, branches, calls and their order.

use crate::expressions::expression;
use crate::messages::message;
use crate::random::Random;
use crate::round::{Item, Round, newer};
use crate::tree::Tree;

const GLOBAL: &str = r#"template(name="host" type="string" string="%hostname%-%syslogtag%")
template(name="all" type="string" string="%$/n%|%$!% %$.%<END>\n")
ruleset(name="sub") {
  set $.sub = $.sub + 1;
  if $.sub > 1 then stop
  set $!sub = $hostname;
}
ruleset(name="stops") { stop }
ruleset(name="tags") { set $!tag = $syslogtag; set $.tags!x = $programname; }
"#;

const NAMES: [&str; 20] = [
    "$!a",
    "$!b",
    "$!a!b",
    "$!a!b!c",
    "$!list",
    "$!list[0]",
    "$!list[1]",
    "$.a",
    "$.b",
    "$.b!c",
    "$!A",
    "$!a!x",
    "$!o",
    "$!o!k",
    "$!o!list",
    "$!o!list[1]",
    "$!o!list[0]!k",
    "$.i!key",
    "$.i!value",
    "$!",
];

/// A round of scripts.
pub(crate) fn round(random: &mut Random) -> Round {
    Round {
        global: GLOBAL.to_owned(),
        one_each: true,
        items: (0..250).map(|_| item(random)).collect(),
        messages: (0..750).map(|_| message(random)).collect(),
        ..Round::default()
    }
}

fn item(random: &mut Random) -> Item {
    let mut parts = vec![Tree::text("unset $!;\nunset $.;\n")];
    if random.chance(60) {
        parts.push(Tree::optional(Tree::text(
            "set $.x = parse_json('{\"k\": 1, \"list\": [\"x\", {\"k\": \"v\"}, null, 3], \"s\": \"str\", \"e\": {}}', '$!o');\n",
        )));
    }
    block(&mut parts, random, 3);
    parts.push(Tree::text("action(type=\"omfile\" file=\"{out}\" template=\"all\")\n"));
    // `stop` in one item must not end the others: every message goes to one of them.
    let mut whole = vec![Tree::text("ruleset(name=\"{name}\") {\n")];
    whole.append(&mut parts);
    whole.push(Tree::text("}\n{guard}call {name}"));
    Item { text: Tree::Node("item", whole), shows_time: false }
}

fn block(parts: &mut Vec<Tree>, random: &mut Random, depth: usize) {
    for _ in 0..=random.below(5) {
        let statement = statement(random, depth);
        parts.push(Tree::optional(statement));
    }
}

fn statement(random: &mut Random, depth: usize) -> Tree {
    let name = |random: &mut Random| random.pick(&NAMES).to_owned();
    let braces = |parts: &mut Vec<Tree>, random: &mut Random| {
        // An empty block is a syntax error.
        parts.push(Tree::text("{\ncontinue\n"));
        block(parts, random, depth - 1);
        parts.push(Tree::text("}"));
    };
    let kind = if depth == 0 { random.below(12) } else { random.below(17) };
    let mut parts = Vec::new();
    match kind {
        0..=5 => {
            let keyword = random.pick(&["set", "set", "set", "reset"]);
            let value = value(random);
            parts.extend([
                Tree::text(format!("{keyword} {} = ", name(random))),
                value,
                Tree::text(";\n"),
            ]);
        }
        6 => parts.push(Tree::text(format!("unset {};\n", name(random)))),
        7 => parts.push(Tree::text(format!("call {}\n", random.pick(&["sub", "tags"])))),
        8 => {
            parts.push(Tree::text("call_indirect "));
            parts.push(Tree::text(random.pick(&["\"tags\"", "\"no\" & \"pe\"", "\"SUB\"", "$.b"])));
            parts.push(Tree::text(";\n"));
        }
        9 => parts.push(Tree::text("action(type=\"omfile\" file=\"{out}\" template=\"all\")\n")),
        10 => parts.push(Tree::text(random.pick(&["continue\n", "continue\n", "stop\n"]))),
        11 if !newer() => parts.push(Tree::text("continue\n")),
        11 => parts.push(Tree::text(format!(
            "set $.x = parse_json('{}', '{}');\n",
            random.pick(&[
                "{\"k\": [1, 2]}",
                "[{\"a\": 1}, \"b\"]",
                "7",
                "{",
                "{\"b\": {\"c\": 1}}",
                "null",
                "\"x\""
            ]),
            name(random)
        ))),
        12..=13 => {
            parts.push(Tree::text("if "));
            parts.push(expression(random, 1));
            parts.push(Tree::text(" then "));
            braces(&mut parts, random);
            if random.chance(40) {
                parts.push(Tree::text(" else "));
                braces(&mut parts, random);
            }
            parts.push(Tree::text("\n"));
        }
        14..=15 => {
            let over = random.pick(&["$!o", "$!o!list", "$!list", "$!a", "$!", "$.b", "$!o!s"]);
            // Left out: a loop whose variable is gone at its end, which ends the reference's work on the message.
            parts.push(Tree::text(format!("foreach ($.i{depth} in {over}) do ")));
            braces(&mut parts, random);
            parts.push(Tree::text("\n"));
        }
        _ => {
            parts.push(Tree::text(random.pick(&[
                "*.info ",
                ":msg, contains, \"a\" ",
                "kern,user.* ",
                "*.=err;mail.none ",
            ])));
            braces(&mut parts, random);
            parts.push(Tree::text("\n"));
        }
    }
    Tree::Node("statement", parts)
}

fn value(random: &mut Random) -> Tree {
    match random.below(6) {
        0..=1 => expression(random, 2),
        // Where something is there already, Debian's puts the members of an object into the root.
        2 | 4 if !newer() => expression(random, 1),
        2 => Tree::text(random.pick(&[
            "$!o",
            "$!o!list",
            "$.i1",
            "$.i1!value",
            "$.i2!value",
            "$.i3",
            "$!a",
            "$.b",
            "$!",
            "$!list",
        ])),
        3 => Tree::text(random.pick(&["\"text\"", "5", "$msg", "$hostname", "-1", "\"\""])),
        4 => {
            Tree::text(random.pick(&["[\"a\", \"b\"]", "$.", "$!o!e", "$!o!list[1]", "$!missing"]))
        }
        _ => expression(random, 1),
    }
}

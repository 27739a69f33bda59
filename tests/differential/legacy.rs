//! `$` directives, selectors and `&` as in old configurations: what one directive does to the actions behind it.

use crate::messages::message;
use crate::random::Random;
use crate::round::{Item, Round};
use crate::tree::Tree;

const GLOBAL: &str = r#"$template yes,"%$/n%|yes<END>\n"
$template text,"%$/n%|%syslogtag%%msg%<END>\n"
"#;

const DIRECTIVES: [&str; 12] = [
    "$ActionExecOnlyEveryNthTime 2",
    "$ActionExecOnlyEveryNthTime 3",
    "$ActionExecOnlyEveryNthTimeTimeout 0",
    "$ActionExecOnlyWhenPreviousIsSuspended off",
    "$ActionFileDefaultTemplate text",
    "$ActionFileDefaultTemplate yes",
    "$ActionQueueType Direct",
    "$actionresumeinterval 5",
    "$ACTIONWRITEALLMARKMESSAGES on",
    "$OMFileFlushOnTXEnd off",
    "$OMFileIOBufferSize 16k",
    "$ActionName x",
];

const FILTERS: [&str; 9] = [
    "*.*",
    "*.info",
    "kern,user.*",
    "*.=err;mail.none",
    "*.*;auth,user.none",
    ":msg, contains, \"a\"",
    ":hostname, !isequal, \"host\"",
    ":programname,startswith,\"s\"",
    "if $msg contains 'o' then",
];

/// A round of rulesets.
pub(crate) fn round(random: &mut Random) -> Round {
    Round {
        global: GLOBAL.to_owned(),
        one_each: true,
        items: (0..60).map(|_| item(random)).collect(),
        messages: (0..1200).map(|_| message(random)).collect(),
        ..Round::default()
    }
}

fn item(random: &mut Random) -> Item {
    let mut parts = vec![Tree::text("$RuleSet {name}\n$ActionFileDefaultTemplate yes\n")];
    let mut file = 0;
    for _ in 0..=random.below(6) {
        let mut statement = String::new();
        if random.chance(40) {
            statement = format!("{}\n", random.pick(&DIRECTIVES));
        } else {
            if random.chance(85) {
                statement.push_str(random.pick(&FILTERS));
                statement.push_str(random.pick(&[" ", "\t", "   "]));
            }
            for joined in 0..=random.below(4).saturating_sub(1) {
                if joined > 0 {
                    statement.push_str(random.pick(&["& ", "&", "$ActionResumeInterval 7\n& "]));
                }
                statement.push_str(&action(random, &mut file));
            }
        }
        parts.push(Tree::optional(Tree::text(statement)));
    }
    parts.push(Tree::text("*.* {out}\n$RuleSet RSYSLOG_DefaultRuleset\n{guard}call {name}"));
    Item { text: Tree::Node("item", parts), shows_time: false }
}

/// An action with a file of its own.
fn action(random: &mut Random, file: &mut usize) -> String {
    *file += 1;
    let text = random.pick(&[
        "{out}_",
        "-{out}_",
        "{out}_;text",
        "-{out}_;yes",
        ":omfile:{out}_;text",
        "stop",
        "~",
        "action(type=\"omfile\" file=\"{out}_\" template=\"text\")",
    ]);
    format!("{}\n", text.replace('_', &format!("_{file}")))
}

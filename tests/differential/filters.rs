//! Selectors and property filters, with chains of actions behind them.

use crate::messages::message;
use crate::random::Random;
use crate::round::{Item, Round, newer};
use crate::tree::Tree;

const GLOBAL: &str = r#"template(name="yes" type="string" string="%$/n%|yes<END>\n")
"#;

const FACILITIES: [&str; 34] = [
    "*",
    "*",
    "auth",
    "authpriv",
    "cron",
    "daemon",
    "kern",
    "lpr",
    "mail",
    "news",
    "ntp",
    "security",
    "syslog",
    "user",
    "uucp",
    "ftp",
    "audit",
    "local0",
    "local1",
    "local2",
    "local3",
    "local4",
    "local5",
    "local6",
    "local7",
    "KERN",
    "0",
    "8",
    "16",
    "console",
    "bsd_security",
    "mark",
    "invld",
    "nope",
];

const SEVERITIES: [&str; 24] = [
    "*", "*", "none", "alert", "crit", "debug", "emerg", "err", "error", "info", "notice", "panic",
    "warn", "warning", "0", "3", "7", "INFO", "Err", "8", "nope", "none", "info", "err",
];

const PROPERTIES: [&str; 24] = [
    "msg",
    "msg",
    "msg",
    "rawmsg",
    "hostname",
    "HOSTNAME",
    "source",
    "syslogtag",
    "programname",
    "app-name",
    "procid",
    "fromhost-ip",
    "pri",
    "pri-text",
    "syslogseverity",
    "syslogseverity-text",
    "syslogfacility-text",
    "structured-data",
    "msgid",
    "msg",
    "msg",
    "$year",
    "$bom",
    "$wday",
];

const VALUES: [&str; 25] = [
    "root",
    "a",
    "",
    " ",
    "Failed",
    "host",
    "app",
    "app:",
    "[0-9]",
    "^ ",
    "x$",
    "10.0.0.1",
    "\\\"",
    "q\\\"",
    "ab*c",
    "\\(a\\)",
    "(a|x)",
    "[[:digit:]]+",
    "err",
    "info",
    "17",
    "x/y",
    "k=v",
    "{ ",
    "}",
];

/// A round of filters.
pub(crate) fn round(random: &mut Random) -> Round {
    Round {
        global: GLOBAL.to_owned(),
        one_each: false,
        items: (0..350).map(|_| item(random)).collect(),
        messages: (0..400).map(|_| message(random)).filter(|message| valid_pri(message)).collect(),
        ..Round::default()
    }
}

/// The newer reference takes an invalid PRI for a facility of its own.
fn valid_pri(message: &[u8]) -> bool {
    let end = message.iter().position(|byte| *byte == b'>').unwrap_or(0);
    let digits = message.get(1..end).and_then(|digits| std::str::from_utf8(digits).ok());
    message.first() != Some(&b'<')
        || digits.is_some_and(|digits| digits.parse::<u8>().is_ok_and(|pri| pri < 192))
}

fn item(random: &mut Random) -> Item {
    let filter = match random.below(10) {
        0..=4 => selector(random),
        _ => property(random),
    };
    let action = random.pick(&[
        " {out};yes",
        " {out};yes",
        " -{out};yes",
        "\t{out};yes",
        " action(type=\"omfile\" file=\"{out}\" template=\"yes\")",
        " :omfile:{out};yes",
        " {out};yes\n& -{out}2;yes",
    ]);
    // What is no selector to the reference's lexer is an action, and no block may follow.
    let text = filter.to_string();
    let block = text.starts_with([':', '*']) || text.starts_with(|c: char| c.is_ascii_alphabetic());
    let block = block && (text.starts_with(':') || !text.contains(['8', '9', '_']));
    let action = if block && random.chance(20) { " {\n  {out};yes\n}" } else { action };
    Item { text: Tree::Node("item", vec![filter, Tree::text(action)]), shows_time: false }
}

fn selector(random: &mut Random) -> Tree {
    let mut parts = Vec::new();
    for index in 0..=random.below(4) {
        let mut names = random.pick(&FACILITIES).to_owned();
        // With anything but a letter in front it is an action, and writes files to odd places.
        if index == 0 && names.contains(|c: char| c.is_ascii_digit() || c == '_') {
            names = "kern".to_owned();
        }
        for _ in 0..random.below(5).saturating_sub(2) {
            names.push(',');
            names.push_str(random.pick(&FACILITIES));
        }
        // Where nothing was chosen before, Debian's has nothing to take away from.
        let modifiers: &[&str] = if newer() { &["", "", "", "=", "!", "!="] } else { &["", "="] };
        let modifier = random.pick(modifiers);
        let severity = random.pick(&SEVERITIES);
        let end = if index == 0 { "" } else { ";" };
        let one = Tree::text(format!("{end}{names}.{modifier}{severity}"));
        parts.push(if index == 0 { one } else { Tree::optional(one) });
    }
    Tree::Node("selector", parts)
}

fn property(random: &mut Random) -> Tree {
    let name = random.pick(&PROPERTIES);
    let operation = random.pick(&[
        "contains",
        "isequal",
        "startswith",
        "regex",
        "ereregex",
        "isempty",
        "contains",
        "isequal",
    ]);
    let operation = if newer() && random.chance(10) { "endswith" } else { operation };
    let not = if random.chance(20) { "!" } else { "" };
    let [blanks, more] = [(); 2].map(|()| random.pick(&["", " ", "  "]));
    Tree::text(format!(":{name},{blanks}{not}{operation},{more}\"{}\"", random.pick(&VALUES)))
}

//! Templates of all kinds over all properties, with random options.

use crate::messages::message;
use crate::random::Random;
use crate::round::{Item, Round, newer};
use crate::tree::Tree;

/// Settings of the parsers, of which a round takes some.
const SETTINGS: [&str; 9] = [
    r#"global(parser.escapeControlCharactersOnReceive="off")"#,
    r#"global(parser.spaceLFOnReceive="on")"#,
    r#"global(parser.escape8BitCharactersOnReceive="on")"#,
    r#"global(parser.escapeControlCharacterTab="off")"#,
    r#"global(parser.escapeControlCharactersCStyle="on")"#,
    r#"global(parser.dropTrailingLFOnReception="off")"#,
    r#"global(parser.permitSlashInProgramName="on")"#,
    r#"global(parser.controlCharacterEscapePrefix="^")"#,
    r#"global(compactJsonString="on")"#,
];

/// Variables that templates show.
const VARIABLES: &str = r#"set $!s = $msg;
set $!n = 17;
set $!o!a = "x/y \"q\"";
set $!o!b!c = $hostname;
set $.l = "lo cal";
set $.o!p = $syslogtag;
set $/g = "global";
"#;

/// Properties that have the same value in both runs.
const PROPERTIES: [&str; 36] = [
    "msg",
    "msg",
    "msg",
    "rawmsg",
    "rawmsg-after-pri",
    "hostname",
    "HOSTNAME",
    "source",
    "syslogtag",
    "programname",
    "app-name",
    "APP-NAME",
    "procid",
    "msgid",
    "structured-data",
    "protocol-version",
    "pri",
    "pri-text",
    "syslogfacility",
    "syslogfacility-text",
    "syslogseverity",
    "syslogpriority",
    "syslogpriority-text",
    "syslogseverity-text",
    "inputname",
    "fromhost",
    "fromhost-ip",
    "iut",
    "parsesuccess",
    "$!",
    "$!s",
    "$!n",
    "$!o",
    "$!o!b!c",
    "$.l",
    "$/g",
];

const TIMES: [&str; 2] = ["timereported", "timestamp"];

/// Left out: `rfc3164-buggyday`, which the reference takes for `rfc3164` if that was rendered before; `ordinal` and
/// `week`, which it gets wrong by twice the distance east of UTC.
const DATES: [&str; 20] = [
    "mysql",
    "pgsql",
    "rfc3164",
    "rfc3339",
    "unixtimestamp",
    "subseconds",
    "wdayname",
    "wday",
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "second",
    "tzoffshour",
    "tzoffsmin",
    "tzoffsdirection",
    "rfc3339",
    "rfc3164",
    "mysql",
];

const EXPRESSIONS: [&str; 22] = [
    "[0-9]+",
    "[a-z]*",
    "(a|ab)(c|bcd)(d*)",
    "root",
    "[^ ]+ ([^ ]+)",
    "^ ",
    "$",
    "x*",
    "([0-9]+).([0-9]+)",
    "from ([0-9.]+)",
    "\\([a-z]*\\)",
    "[[:alpha:]]+",
    "(",
    "a{1,3}",
    "\\.",
    ".",
    "(x)|(y)",
    "[]a]",
    "o\\{1,2\\}",
    "[ :]",
    "(.)(.)?(.)?(.)?$",
    "\\(.\\)\\1",
];

/// A round of templates.
pub(crate) fn round(random: &mut Random) -> Round {
    let mut global = String::new();
    if random.chance(50) {
        for setting in SETTINGS.iter().filter(|_| random.chance(25)).collect::<Vec<_>>() {
            global.push_str(setting);
            global.push('\n');
        }
    }
    if global.contains(SETTINGS[0]) {
        // The reference then loses control characters behind one that is escaped.
        global = global.replace(SETTINGS[2], "");
    }
    if !newer() {
        // Debian's leaves other control characters as they are then, and does not know the other one.
        global = global.replace(r#"global(parser.spaceLFOnReceive="on")"#, "");
        global = global.replace(r#"global(compactJsonString="on")"#, "");
    }
    // Not escaped behind a NUL, which always is: the reference loses them.
    let no_nul = global.contains(r#"OnReceive="off""#);
    global.push_str(VARIABLES);
    let mut messages: Vec<Vec<u8>> = (0..500).map(|_| message(random)).collect();
    if no_nul {
        messages.iter_mut().for_each(|message| message.retain(|byte| *byte != 0));
        messages.retain(|message| !message.is_empty());
    }
    let items = (0..300).map(|_| item(random)).collect();
    Round { global, items, messages, ..Round::default() }
}

fn item(random: &mut Random) -> Item {
    let mut shows_time = false;
    let template = match random.below(10) {
        0..=4 => string(random, &mut shows_time),
        5..=6 => legacy(random, &mut shows_time),
        _ => list(random, &mut shows_time),
    };
    let action = Tree::text("\naction(type=\"omfile\" file=\"{out}\" template=\"{name}\")");
    Item { text: Tree::Node("item", vec![template, action]), shows_time }
}

fn string(random: &mut Random, shows_time: &mut bool) -> Tree {
    let mut parts = vec![Tree::text("template(name=\"{name}\" type=\"string\"")];
    if random.chance(20) {
        let option = random.pick(&["sql", "stdsql", "casesensitive"]);
        parts.push(Tree::optional(Tree::text(format!(" option.{option}=\"on\""))));
    }
    parts.push(Tree::text(" string=\"%$/n%|"));
    body(&mut parts, random, shows_time, true);
    parts.push(Tree::text("<END>\\n\")"));
    Tree::Node("template", parts)
}

fn legacy(random: &mut Random, shows_time: &mut bool) -> Tree {
    let mut parts = vec![Tree::text("$template {name},\"%$/n%|")];
    body(&mut parts, random, shows_time, false);
    parts.push(Tree::text("<END>\\n\""));
    if random.chance(25) {
        let option = random.pick(&["sql", "stdsql", "casesensitive", "SQL", "nosql"]);
        parts.push(Tree::optional(Tree::text(format!(",{option}"))));
    }
    Tree::Node("template", parts)
}

/// Properties and constants of a template in a string; `new` in an object, whose strings know escapes themselves.
fn body(parts: &mut Vec<Tree>, random: &mut Random, shows_time: &mut bool, new: bool) {
    for _ in 0..=random.below(3) {
        if random.chance(40) {
            let constants: &[&str] = if new {
                &["x", " - ", "\\t", "\\\\", "\\\"", "\\101", "'", "{", ":", ",", "/", "ä"]
            } else {
                &[
                    "x", " - ", "\\t", "\\\\", "\\\"", "\\065", "\\n", "'", "{", ":", ",", "/",
                    "\\%", "\\q", "\\7",
                ]
            };
            parts.push(Tree::optional(Tree::text(random.pick(constants))));
        }
        let property = replacer(random, shows_time, new);
        parts.push(Tree::optional(property));
    }
}

/// `%name:from:to:options:name%`
fn replacer(random: &mut Random, shows_time: &mut bool, new: bool) -> Tree {
    let time = random.chance(15);
    *shows_time |= time;
    let name = random.pick(if time { &TIMES } else { &PROPERTIES });
    let mut parts = vec![Tree::text(format!("%{name}"))];
    let number = |random: &mut Random| match random.below(12) {
        0 => String::new(),
        1 => "0".to_owned(),
        2 => (50 + random.below(60)).to_string(),
        _ => (1 + random.below(20)).to_string(),
    };
    let to = |random: &mut Random| if random.chance(25) { "$".to_owned() } else { number(random) };
    let range = match random.below(10) {
        0..=3 => format!(":{}:{}", number(random), to(random)),
        4 => {
            let delimiter = random.pick(&["", ",32", ",58", ",44", ",9", ",47", ",61", ",46"]);
            let field = 1 + random.below(5);
            let (from, to) = match random.below(6) {
                0 if !delimiter.is_empty() => (format!(",{}", 1 + random.below(6)), String::new()),
                1 if !delimiter.is_empty() => {
                    let from = 1 + random.below(6);
                    let to = from + random.below(6);
                    (format!(",{from}"), format!(",{to}"))
                }
                _ => (String::new(), String::new()),
            };
            format!(":F{delimiter}{from}:{field}{to}")
        }
        5..=6 => {
            let expression = random.pick(&EXPRESSIONS);
            let expression =
                if new { expression.replace('\\', "\\\\") } else { expression.to_owned() };
            let kind = random.pick(&["ERE", "BRE", "ERE"]);
            let mode = random.pick(&["DFLT", "BLANK", "FIELD", "ZERO"]);
            // With a second match of a time the reference never ends.
            let skip = if time { "" } else { random.pick(&["", "", ",0", ",1", ",2"]) };
            format!(":R,{kind},{},{mode}{skip}:{expression}--end", random.below(4))
        }
        _ => "::".to_owned(),
    };
    if range != "::" || random.chance(70) {
        let from_end = Tree::text(range.clone());
        let mut options = Vec::new();
        for _ in 0..random.below(4) {
            options.push(option(random, time));
        }
        // Without an end the reference takes all memory there is.
        if range.ends_with(['$', ':']) {
            options.retain(|option| option != "fixed-width");
        }
        let field = random.chance(15);
        if options.is_empty() && !field {
            parts.push(from_end);
        } else {
            // Without the range the colons have to stay.
            parts.push(from_end);
            parts.push(Tree::text(":"));
            for (index, name) in options.iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                parts.push(Tree::optional(Tree::text(format!("{comma}{name}"))));
            }
            if field {
                parts.push(Tree::optional(Tree::text(":f name")));
            }
        }
    }
    parts.push(Tree::text("%"));
    Tree::Node("property", parts)
}

/// Whether a format shows parts of a second, which at UTC the reference takes for microseconds: .5 becomes .000005.
fn shows_fraction(date: &str) -> bool {
    matches!(date, "rfc3339" | "subseconds")
}

fn option(random: &mut Random, time: bool) -> String {
    if time && random.chance(70) {
        let date = random.pick(&DATES);
        // Debian's ends where there is no such day.
        let date = if date == "wdayname" && !newer() { "wday" } else { date };
        // No date-utc: another option may show the fraction.
        return format!("date-{date}");
    }
    let option = random.pick(&[
        "lowercase",
        "uppercase",
        "UPPERCASE",
        "sp-if-no-1st-sp",
        "compressspace",
        "escape-cc",
        "drop-cc",
        "space-cc",
        "drop-last-lf",
        "secpath-drop",
        "secpath-replace",
        "pos-end-relative",
        "fixed-width",
        "csv",
        "json",
        "jsonf",
        "jsonr",
        "jsonfr",
        "mandatory-field",
        "csv",
    ]);
    (if option == "secpath-replace" && !newer() { "secpath-drop" } else { option }).to_owned()
}

fn list(random: &mut Random, shows_time: &mut bool) -> Tree {
    let mut parts = vec![Tree::text("template(name=\"{name}\" type=\"list\"")];
    let json = random.chance(25);
    if json {
        // A list of JSON members has no place for the number of the message in front.
        parts.push(Tree::text(" option.jsonf=\"on\""));
    } else if random.chance(15) {
        let option = random.pick(&["sql", "stdsql"]);
        parts.push(Tree::optional(Tree::text(format!(" option.{option}=\"on\""))));
    }
    parts.push(Tree::text(") {\n"));
    if !json {
        parts.push(Tree::text("  property(name=\"$/n\") constant(value=\"|\")\n"));
    }
    for index in 0..=random.below(4) {
        let part = if random.chance(20) {
            constant(random, json, index)
        } else {
            property(random, shows_time, json, index)
        };
        parts.push(Tree::optional(Tree::Node("part", vec![part])));
    }
    if !json {
        parts.push(Tree::text("  constant(value=\"<END>\\n\")\n"));
    }
    parts.push(Tree::text("}"));
    if json {
        // The number comes in a line of its own.
        let numbered = "\ntemplate(name=\"{name}n\" type=\"string\" string=\"%$/n%|%$.json%<END>\\n\")\nset $.json = exec_template(\"{name}j\");";
        let mut text = String::new();
        Tree::Node("", parts.clone()).write(&mut text);
        let rename = |tree: Tree| match tree {
            Tree::Text(text) => Tree::Text(text.replace("{name}", "{name}j")),
            other => other,
        };
        let mut parts: Vec<Tree> = parts.into_iter().map(rename).collect();
        parts.push(Tree::text(numbered.replace("{name}n", "{name}")));
        return Tree::Node("template", parts);
    }
    Tree::Node("template", parts)
}

fn constant(random: &mut Random, json: bool, index: usize) -> Tree {
    let value = random.pick(&["x", " - ", "\\n", "\\\\", "\\\"", "a\\tb", "{", "", "/"]);
    let mut parts = vec![Tree::text(format!("  constant(value=\"{value}\""))];
    if json || random.chance(10) {
        parts.push(Tree::text(format!(" outname=\"c{index}\"")));
        if random.chance(50) {
            parts.push(Tree::optional(Tree::text(" format=\"jsonf\"")));
        }
    }
    parts.push(Tree::text(")\n"));
    Tree::Node("", parts)
}

fn property(random: &mut Random, shows_time: &mut bool, json: bool, index: usize) -> Tree {
    let time = random.chance(15);
    *shows_time |= time;
    let name = random.pick(if time { &TIMES } else { &PROPERTIES });
    let mut parts = vec![Tree::text(format!("  property(name=\"{name}\""))];
    let mut give = |name: &str, value: &str| {
        parts.push(Tree::optional(Tree::text(format!(" {name}=\"{value}\""))));
    };
    if json || random.chance(10) {
        let outname = if random.chance(20) { format!("o.p{index}") } else { format!("p{index}") };
        give("outname", &outname);
    }
    if time && random.chance(80) {
        let date = random.pick(&DATES);
        give("dateformat", if date == "wdayname" && !newer() { "wday" } else { date });
        if random.chance(15) && !shows_fraction(date) {
            give("date.inUTC", "on");
        }
    }
    part_of_value(random, time, &mut give);
    // An empty number is nothing at all in Debian's; of two slashes in a row it replaces one.
    let known = |all: &[&'static str], older: &[&'static str]| {
        if newer() { all.to_vec() } else { older.to_vec() }
    };
    let options = [
        (15, "caseconversion", vec!["lower", "upper"]),
        (15, "controlcharacters", vec!["escape", "space", "drop"]),
        (10, "securepath", known(&["drop", "replace"], &["drop"])),
        (if json { 40 } else { 25 }, "format", vec!["csv", "json", "jsonf", "jsonr", "jsonfr"]),
        (6, "droplastlf", vec!["on", "off"]),
        (8, "compressspace", vec!["on"]),
        (5, "mandatory", vec!["on"]),
        (8, "spifno1stsp", vec!["on"]),
        (
            if json { 30 } else { 3 },
            "datatype",
            known(&["string", "number", "bool", "auto"], &["bool", "auto"]),
        ),
        (if json { 25 } else { 3 }, "onempty", vec!["keep", "skip", "null"]),
    ];
    for (percent, name, values) in options {
        if random.chance(percent) {
            give(name, random.pick(&values));
        }
    }
    parts.push(Tree::text(")\n"));
    Tree::Node("", parts)
}

/// Positions, a field or an expression.
fn part_of_value(random: &mut Random, time: bool, give: &mut dyn FnMut(&str, &str)) {
    match random.below(8) {
        0 => {
            let from = 1 + random.below(9);
            give("position.from", &from.to_string());
            // Left out: an end counted from the end, and a width without end, for which the reference takes all
            // memory there is.
            let to = (from + random.below(12)).to_string();
            if random.chance(30) {
                give("fixedwidth=\"on\" position.to", &to);
            } else if random.chance(60) {
                give("position.to", &to);
            }
        }
        1 => {
            give("field.number", &(1 + random.below(4)).to_string());
            if random.chance(70) {
                give("field.delimiter", random.pick(&["32", "58", "44", "47"]));
            }
        }
        2 => {
            give("regex.expression", &random.pick(&EXPRESSIONS).replace('\\', "\\\\"));
            give("regex.type", random.pick(&["ERE", "BRE"]));
            if random.chance(50) {
                give("regex.nomatchmode", random.pick(&["DFLT", "BLANK", "FIELD", "ZERO"]));
            }
            if random.chance(50) {
                give("regex.submatch", &random.below(4).to_string());
            }
            if !time && random.chance(25) {
                give("regex.match", &random.below(3).to_string());
            }
        }
        _ => {}
    }
}

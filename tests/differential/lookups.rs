//! Lookup tables of every type, good and broken ones, and look-ups with keys of every type.

use std::fmt::Write as _;

use crate::messages::message;
use crate::random::Random;
use crate::round::{Item, Round};
use crate::tree::Tree;

const GLOBAL: &str = r#"template(name="r" type="string" string="%$/n%|%$.r%<END>\n")
set $!key = field($msg, 32, 2);
set $.x = parse_json('{"n": 7, "f": 1.5, "t": true, "l": [1, 2]}', '$!o');
"#;

const TABLES: usize = 40;

const KEYS: [&str; 16] = [
    "",
    "a",
    "A",
    "aa",
    "host",
    "app",
    "1",
    "2",
    "3",
    "7",
    "10",
    "-1",
    "7x",
    " 7",
    "4294967295",
    "\u{e4}",
];

const ASKED: [&str; 16] = [
    "$msg",
    "$!key",
    "$!key",
    "$hostname",
    "$procid",
    "$programname",
    "$pri",
    "$!o!n",
    "$!o!f",
    "$!o!l",
    "$!missing",
    "7",
    "-1",
    "4294967298",
    "\"7x\"",
    "\"a\"",
];

/// A round of look-ups.
pub(crate) fn round(random: &mut Random) -> Round {
    let mut global = String::new();
    let mut given = Vec::new();
    for number in 0..TABLES {
        given.push((format!(".table{number}"), table(random)));
        let _ =
            writeln!(global, "lookup_table(name=\"t{number}\" file=\"{{dir}}/.table{number}\")");
    }
    global.push_str(GLOBAL);
    Round {
        global,
        items: (0..200).map(|_| item(random)).collect(),
        messages: (0..80).map(|_| text(random)).collect(),
        given,
        ..Round::default()
    }
}

fn item(random: &mut Random) -> Item {
    let (number, key) = (random.below(TABLES), random.pick(&ASKED));
    Item {
        text: Tree::text(format!(
            "set $.r = lookup(\"t{number}\", {key});\naction(type=\"omfile\" file=\"{{out}}\" template=\"r\")\nunset $.r;"
        )),
        shows_time: false,
    }
}

fn text(random: &mut Random) -> Vec<u8> {
    if random.chance(30) {
        return message(random);
    }
    let (host, key) = (random.pick(&["host", "a", "10"]), random.pick(&KEYS));
    format!("<13>Jan  5 03:04:05 {host} app[{}]: {key}", random.pick(&["1", "7", "x"])).into_bytes()
}

/// The content of a table's file.
fn table(random: &mut Random) -> String {
    let kind = random.pick(&["string", "array", "sparseArray", "regex"]);
    let mut rows = Vec::new();
    for number in 0..random.below(12) {
        let value = scalar(random);
        rows.push(match kind {
            "regex" => {
                let regex = random.pick(&["^a", "[0-9]+$", "^$", "a|h", ".", "x*", "A", "^[a-z]$"]);
                format!("{{\"regex\": \"{regex}\", \"tag\": {value}}}")
            }
            "array" => format!("{{\"index\": {}, \"value\": {value}}}", number + 1),
            "sparseArray" => {
                let index = random.pick(&["0", "1", "3", "7", "\"7\"", "10", "12", "1.5", "\"x\""]);
                format!("{{\"value\": {value}, \"index\": {index}}}")
            }
            _ => format!("{{\"index\": {}, \"value\": {value}}}", scalar(random)),
        });
    }
    if random.chance(30) {
        rows.reverse();
    }
    let nomatch = random.pick(&["\"none\"", "\"\"", "7", "{\"x\": 1}", "1.50"]);
    let mut text = format!(
        "{{\"version\": {}, \"nomatch\": {nomatch}, \"type\": \"{kind}\", \"table\": [{}]}}",
        random.pick(&["1", "1", "1", "1", "1", "2", "\"1\""]),
        rows.join(", ")
    );
    if random.chance(5) {
        text.truncate(random.below(text.len()));
        // Not within a character.
        text.retain(|c| c.is_ascii());
    }
    text
}

fn scalar(random: &mut Random) -> String {
    if random.chance(75) {
        return format!("\"{}\"", random.pick(&KEYS));
    }
    random.pick(&["1", "7", "1.5", "2.50", "true", "{}", "{\"a\": 1}", "[1,2]", "-7"]).to_owned()
}

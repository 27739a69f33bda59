//! Message modifiers with random parameters over texts made for them.
//!
//! Left out is `mmrm1stspace`, with which the reference leaves a NUL behind.

use std::fmt::Write as _;

use crate::messages::message;
use crate::random::Random;
use crate::round::{Item, Round, newer};
use crate::tree::Tree;

const GLOBAL: &str = r#"module(load="mmjsonparse")
module(load="mmutf8fix")
module(load="mmfields")
module(load="mmpstrucdata")
module(load="mmanon")
template(name="all" type="string" string="%$/n%|%hostname%|%syslogtag%|%structured-data%|%parsesuccess%|%msg%|%$!%|%$.%|%rawmsg%<END>\n")
"#;

/// A modifier: type, parameters that may be given with their values, whether only 8.2610 has them.
type Modifier = (&'static str, &'static [(&'static str, &'static [&'static str])], bool);

const MODIFIERS: [Modifier; 9] = [
    (
        "mmjsonparse",
        &[
            ("cookie", &["", "@x:", "{", " "]),
            ("container", &["$!x", "!x", "$!a!b", "$.x"]),
            ("useRawMsg", &["on"]),
        ],
        false,
    ),
    ("mmjsonparse", &[("mode", &["find-json"]), ("max_scan_bytes", &["1", "5", "20"])], true),
    (
        "mmjsonparse",
        &[("mode", &["find-json"]), ("allow_trailing", &["off"]), ("container", &["$!x"])],
        true,
    ),
    (
        "mmutf8fix",
        &[("mode", &["utf-8", "controlcharacters"]), ("replacementChar", &["?", "x"])],
        false,
    ),
    ("mmutf8fix", &[("replacementSequence", &["<?>", "ab"])], true),
    (
        "mmfields",
        &[("separator", &[",", "|", ";", " ", "="]), ("jsonRoot", &["!x", "!a!b"])],
        false,
    ),
    ("mmpstrucdata", &[("jsonRoot", &["$!", "$!x"]), ("sd_name.lowercase", &["off"])], true),
    (
        "mmanon",
        &[
            ("ipv4.bits", &["1", "8", "16", "24", "31", "32"]),
            ("ipv4.mode", &["simple"]),
            ("ipv4.replaceChar", &["*", "0"]),
            ("ipv6.bits", &["8", "64", "96", "128"]),
            ("ipv6.enable", &["off"]),
            ("embeddedIpv4.bits", &["96", "100", "128"]),
        ],
        false,
    ),
    ("mmanon", &[("ipv4.enable", &["off"]), ("embeddedIpv4.enable", &["off"])], false),
];

/// A round of modifiers, each in a ruleset of its own.
pub(crate) fn round(random: &mut Random) -> Round {
    Round {
        global: GLOBAL.to_owned(),
        one_each: true,
        items: (0..80).map(|_| item(random)).collect(),
        messages: (0..1200).map(|_| text(random)).collect(),
        ..Round::default()
    }
}

fn item(random: &mut Random) -> Item {
    let (name, parameters) = loop {
        let (name, parameters, newer_only) = MODIFIERS[random.below(MODIFIERS.len())];
        if !newer_only || newer() {
            break (name, parameters);
        }
    };
    let mut parts = vec![Tree::text("ruleset(name=\"{name}\") {\n")];
    let before = random.pick(&["", "", "set $!x!old = 1;\n", "set $!a = \"old\";\n"]);
    parts.push(Tree::optional(Tree::text(before)));
    parts.push(Tree::text(format!("action(type=\"{name}\"")));
    for (name, values) in parameters {
        // Some parameters go only with the mode that stands first.
        if *name == "mode" || random.chance(40) {
            let mut given = String::new();
            let _ = write!(given, " {name}=\"{}\"", random.pick(values));
            let given = Tree::text(given);
            parts.push(if *name == "mode" { given } else { Tree::optional(given) });
        }
    }
    parts.push(Tree::text(
        ")\naction(type=\"omfile\" file=\"{out}\" template=\"all\")\n}\n{guard}call {name}",
    ));
    Item { text: Tree::Node("item", parts), shows_time: false }
}

/// A message with what modifiers look for.
fn text(random: &mut Random) -> Vec<u8> {
    let mut bytes = if random.chance(25) {
        message(random)
    } else {
        let data =
            random.pick(&["-", "[a b=\"c\"]", "[A B=\"\\\"\"][d]", "[x@1 y=\"\\]z\" y=\"2\"]"]);
        let head = [
            "<13>Jan  5 03:04:05 host app[7]:".to_owned(),
            format!("<13>1 2024-01-02T03:04:05Z h a p m {data} "),
        ];
        head[random.below(2)].clone().into_bytes()
    };
    let json = random.chance(50);
    if json {
        bytes.extend_from_slice(random.pick(&["@cee:", " @cee: ", " @x:", " ", "@cee"]).as_bytes());
    }
    for _ in 0..random.below(6) {
        let piece = if json { self::json(random, 0).into_bytes() } else { piece(random) };
        bytes.extend_from_slice(&piece);
        if json && random.chance(85) {
            break;
        }
    }
    bytes
}

fn piece(random: &mut Random) -> Vec<u8> {
    let pieces: [&[u8]; 30] = [
        b" ",
        b",",
        b"|",
        b";",
        b"=",
        b"a",
        b"bc d",
        b",,",
        b"\"",
        b":",
        b"port 22 ",
        b"10.0.0.1",
        b" 192.168.1.25",
        b"256.1.1.1",
        b"1.2.3",
        b"127.0.0.1.5",
        b" ::1",
        b"fe80::1%eth0",
        b"2001:db8:0:1:1:1:1:1",
        b"::ffff:1.2.3.4 ",
        b"1::2::3",
        b"1:2:3:4:5:6:7:8",
        b"\xc3\xa4",
        b"\xff",
        b"\xe2\x82",
        b"\xf0\x9f\x98\x80",
        b"\xed\xa0\x80",
        b"\xc0\x80",
        b"\x7f",
        b"\xf4\x90\x80\x80",
    ];
    random.pick(&pieces).to_vec()
}

/// JSON, or nearly.
fn json(random: &mut Random, depth: usize) -> String {
    const TEXTS: [&str; 10] = [
        "\"\"",
        "\"a\"",
        "\"x y\"",
        "\"\\u00e4\"",
        "\"\\n\\/\"",
        "\"\\\"\"",
        "'q'",
        "\"a",
        "\"A\"",
        "\"b\"",
    ];
    const OTHERS: [&str; 14] = [
        "0", "1", "-7", "1.5", "2.50", "1e3", "true", "false", "null", "[]", "{}", "01", "NaN", "x",
    ];
    match random.below(if depth < 3 { 8 } else { 4 }) {
        0 | 1 if depth > 0 => random.pick(&TEXTS).to_owned(),
        2 | 3 if depth > 0 => random.pick(&OTHERS).to_owned(),
        4 => {
            let values: Vec<String> =
                (0..random.below(4)).map(|_| json(random, depth + 1)).collect();
            format!("[{}]", values.join(random.pick(&[",", ", "])))
        }
        _ => {
            let mut members = Vec::new();
            for _ in 0..random.below(4) {
                let name = random.pick(&["\"a\"", "\"b\"", "\"A\"", "\"x\"", "\"a.b\"", "\"\""]);
                members.push(format!("{name}: {}", json(random, depth + 1)));
            }
            let end = random.pick(&["}", "}", "}", "}", "} ", "}x", ",}", ""]);
            format!("{{{}{end}", members.join(", "))
        }
    }
}

//! Rules about the source text that neither rustc nor clippy checks. Each rule is a function over a file, and
//! each has a test that shows what it catches.

use std::fs;
use std::path::{Path, PathBuf};

/// The folders and files of `src`, in the order of the data's way through them: the order of `mod` lines in lib.rs.
const ORDER: &[&str] = &[
    "manual",
    "cli",
    "config",
    "param",
    "registry",
    "limits",
    "message",
    "net",
    "tls",
    "inputs",
    "framing",
    "parsers",
    "queue",
    "lookup",
    "ratelimit",
    "script",
    "ruleset",
    "template",
    "modifiers",
    "actions",
    "stats",
    "task",
    "state_file",
    "control",
    "daemon",
    "sync",
    "sys",
    "testing",
];

/// Who may import whom: a module never names one of a higher rank. `testing` stands outside: it may name all
/// and nobody names it.
const RANKS: &[&[&str]] = &[
    &["sys", "sync", "limits", "task"],
    &["param", "stats", "message", "state_file"],
    &["framing", "parsers", "template", "config", "net", "queue", "lookup"],
    &["tls", "script"],
    &["ruleset", "ratelimit"],
    &["inputs", "modifiers", "actions"],
    &["registry"],
    &["daemon", "control"],
    &["cli", "main", "manual"],
];

/// Folders of modules that know nothing of each other.
const SIBLINGS: &[&str] = &["inputs", "modifiers", "actions"];

/// Lines of a file without its tests. More needs a reason here.
const LINES: usize = 600;
const LONG: &[(&str, &str)] =
    &[("src/config/tables.rs", "the parameter tables of the core objects")];

/// One rule: what is wrong with the file at this path.
type Rule = fn(&str, &str) -> Vec<String>;

const RULES: &[Rule] = &[file_head, no_unsafe, no_unfinished_marks, length, ranks, siblings];

#[test]
fn every_file_keeps_every_rule() {
    let mut complaints = Vec::new();
    for (path, text) in sources() {
        for rule in RULES {
            complaints.extend(rule(&path, &text).into_iter().map(|what| format!("{path}: {what}")));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn lib_lists_the_modules_in_order() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).expect("lib.rs");
    assert_eq!(out_of_order(&lib), Vec::<String>::new());
    assert_eq!(out_of_order("pub mod stats;\npub mod message;\n"), ["message stands after stats"]);
    assert_eq!(out_of_order("pub(crate) mod nonsense;\n"), ["nonsense has no place in the order"]);
}

fn out_of_order(lib: &str) -> Vec<String> {
    let names = lib.lines().filter_map(|line| line.split_once("mod ")?.1.strip_suffix(';'));
    let mut wrong = Vec::new();
    let mut last: Option<(usize, &str)> = None;
    for name in names {
        let Some(place) = ORDER.iter().position(|known| *known == name) else {
            wrong.push(format!("{name} has no place in the order"));
            continue;
        };
        match last {
            Some((before, other)) if before > place => {
                wrong.push(format!("{name} stands after {other}"));
            }
            _ => last = Some((place, name)),
        }
    }
    wrong
}

/// Every file says at its top what it is.
fn file_head(_path: &str, text: &str) -> Vec<String> {
    complain(!text.starts_with("//! "), "does not start with `//! `")
}

#[test]
fn file_head_is_required() {
    assert!(file_head("src/x.rs", "//! What it is.\n").is_empty());
    assert_eq!(file_head("src/x.rs", "use std::io;\n").len(), 1);
}

/// `unsafe` stays behind the fence of src/sys.
fn no_unsafe(path: &str, text: &str) -> Vec<String> {
    let fenced = path.starts_with("src/sys/") || is_test(path);
    // `unsafe-inline` is a word of its own, of a Content-Security-Policy.
    let names = |line: &str| words(&line.replace('-', "_")).any(|word| word == "unsafe");
    let found = code(text).any(names);
    complain(found && !fenced, "`unsafe` outside src/sys")
}

#[test]
fn unsafe_is_found_outside_sys() {
    assert_eq!(no_unsafe("src/net/x.rs", "let x = unsafe { y };").len(), 1);
    assert!(no_unsafe("src/sys/x.rs", "let x = unsafe { y };").is_empty());
    assert!(no_unsafe("src/net/x.rs", "// unsafe\n#![deny(unsafe_code)]").is_empty());
}

/// Nothing is left for later without a word in the open.
fn no_unfinished_marks(path: &str, text: &str) -> Vec<String> {
    if path == "tests/tidy.rs" {
        return Vec::new();
    }
    let marks =
        ["todo!", "unimplemented!", "dbg!(", "FIXME", "XXX", "TODO", "#[ignore]", "thread::sleep"];
    marks
        .iter()
        .filter(|mark| text.contains(**mark))
        .map(|mark| format!("contains {mark}"))
        .collect()
}

#[test]
fn unfinished_marks_are_found() {
    assert_eq!(no_unfinished_marks("x", "fn f() { todo!() }"), ["contains todo!"]);
    assert_eq!(no_unfinished_marks("x", "#[ignore]\nfn f() {}").len(), 1);
    assert!(no_unfinished_marks("x", "#[ignore = \"needs a network\"]").is_empty());
}

/// A file has one subject.
fn length(path: &str, text: &str) -> Vec<String> {
    let lines = without_tests(text).lines().count();
    let exempt = LONG.iter().any(|(long, _)| *long == path) || is_test(path);
    complain(
        lines > LINES && !exempt,
        &format!("{lines} lines without its tests; {LINES} is the limit"),
    )
}

#[test]
fn long_files_are_found() {
    let long = "x\n".repeat(LINES + 1);
    assert_eq!(length("src/x.rs", &long).len(), 1);
    assert!(length("src/x.rs", &format!("x\n#[cfg(test)]\nmod tests {{\n{long}}}\n")).is_empty());
    assert!(length("src/config/tables.rs", &long).is_empty());
}

/// Imports point downwards only.
fn ranks(path: &str, text: &str) -> Vec<String> {
    let Some(own) = module(path).and_then(rank) else { return Vec::new() };
    if is_test(path) {
        return Vec::new();
    }
    let upward = |name: &&str| *name == "testing" || rank(name).is_some_and(|rank| rank > own);
    imports(without_tests(text))
        .into_iter()
        .filter(upward)
        .map(|name| format!("imports crate::{name}, which stands above it"))
        .collect()
}

#[test]
fn upward_imports_are_found() {
    assert_eq!(ranks("src/net/x.rs", "use crate::inputs::Input;").len(), 1);
    assert_eq!(ranks("src/net/x.rs", "let x = crate::daemon::run();").len(), 1);
    assert_eq!(ranks("src/net/x.rs", "use crate::{limits, actions::Action};").len(), 1);
    assert_eq!(ranks("src/net/x.rs", "use crate::testing::model;").len(), 1);
    assert!(ranks("src/inputs/x.rs", "use crate::net::Listener;").is_empty());
    assert!(ranks("src/net/x.rs", "// see crate::inputs::x\n").is_empty());
    assert!(
        ranks("src/net/x.rs", "x\n#[cfg(test)]\nmod tests { use crate::inputs::x; }").is_empty()
    );
}

/// Deleting one input or action and its line in the registry leaves a program that compiles.
fn siblings(path: &str, text: &str) -> Vec<String> {
    let mut parts = path.trim_end_matches(".rs").split('/').skip(1);
    let (Some(folder), Some(own)) = (parts.next(), parts.next()) else { return Vec::new() };
    if !SIBLINGS.contains(&folder) || is_test(path) {
        return Vec::new();
    }
    let text: String = code(without_tests(text)).collect::<Vec<_>>().join("\n");
    let prefix = format!("crate::{folder}::");
    text.split(&prefix)
        .skip(1)
        .filter_map(|rest| words(rest).next())
        .filter(|name| *name != own && describes_itself(folder, name))
        .map(|name| format!("imports its sibling {folder}::{name}"))
        .collect()
}

/// Whether `src/FOLDER/NAME` is a module of the configuration, with a table of its own.
fn describes_itself(folder: &str, name: &str) -> bool {
    let base = root().join("src").join(folder).join(name);
    [base.with_extension("rs"), base.join("mod.rs")]
        .iter()
        .any(|path| fs::read_to_string(path).is_ok_and(|text| text.contains("static KIND: ")))
}

#[test]
fn sideways_imports_are_found() {
    assert_eq!(siblings("src/inputs/tcp/mod.rs", "use crate::inputs::udp::X;").len(), 1);
    let downwards = "use crate::inputs::tcp::X;\nuse crate::inputs::Input;";
    assert!(siblings("src/inputs/tcp/mod.rs", downwards).is_empty());
    assert!(siblings("src/net/tcp.rs", "use crate::net::udp::X;").is_empty());
}

fn complain(wrong: bool, what: &str) -> Vec<String> {
    wrong.then(|| what.to_owned()).into_iter().collect()
}

/// Names of the modules that `text` reaches by `crate::…`.
fn imports(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for line in code(text) {
        for rest in line.split("crate::").skip(1) {
            // `crate::{a, b::c}`: every word counts; those that are no modules have no rank.
            let end = if rest.starts_with('{') {
                rest.len()
            } else {
                rest.find("::").unwrap_or(rest.len())
            };
            names.extend(words(&rest[..end]));
        }
    }
    names
}

/// Lines that are not comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//"))
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The text before the first module of tests, which stand at the end.
fn without_tests(text: &str) -> &str {
    let starts = ["\n#[cfg(test)]\nmod ", "\n#[cfg(all(test", "\n#[cfg(all(loom, test"];
    let end = starts.iter().filter_map(|start| text.find(start)).min();
    &text[..end.unwrap_or(text.len())]
}

/// Files that are tests as a whole.
fn is_test(path: &str) -> bool {
    path.starts_with("tests/")
        || ["tests.rs", "testing.rs", "sample.rs", "models.rs"]
            .iter()
            .any(|name| path.ends_with(&format!("/{name}")))
        || path.starts_with("src/testing/")
}

/// The module of `src` a file belongs to.
fn module(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("src/")?;
    Some(rest.split('/').next()?.trim_end_matches(".rs"))
}

fn rank(module: &str) -> Option<usize> {
    RANKS.iter().position(|rank| rank.contains(&module))
}

/// Every Rust file of the repository, with its path from the root.
fn sources() -> Vec<(String, String)> {
    fn walk(dir: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).expect("directory").flatten() {
            let path = entry.path();
            if path.is_dir() {
                if !path.ends_with("target") {
                    walk(&path, files);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    walk(&root().join("src"), &mut files);
    walk(&root().join("tests"), &mut files);
    files.sort();
    let name =
        |path: &Path| path.strip_prefix(root()).expect("below").to_string_lossy().into_owned();
    files.iter().map(|path| (name(path), fs::read_to_string(path).expect("UTF-8"))).collect()
}

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

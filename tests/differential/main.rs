//! Random configurations and random messages through the real rsyslogd and through ours; what they write must be
//! equal, byte by byte.
//!
//! ```text
//! cargo test --test differential -- --ignored --nocapture
//! ```
//!
//! runs for a minute (`SECONDS=n`: that long) from a seed that is printed (`SEED=n` repeats a run, `ONLY=name` takes
//! one kind of rounds: `templates`, `expressions`, `filters`, `scripts`, `modifiers`, `lookups`, `legacy`, `framing`). A
//! round starts each daemon once, with a few hundred statements and a few hundred messages. What differs is cut down
//! to one statement and one message and printed as a case for `tests/conformance`. `REFERENCE=path` compares with
//! another rsyslogd, with `MODULES=path` as its module directory. Where `THIRD=path,modules`, another rsyslogd with its modules, agrees with ours, that is
//! printed but not counted.
//!
//! The reference is Debian's rsyslogd, or what these name: a built 8.2610 or newer, with which nothing is left out that
//! Debian's does not know: `modifiers` and `lookups` run only there. What [`known`] lists is told, but not counted.
//!
//! What the generators leave out on purpose is what [the changelog](../../CHANGELOG.md) lists as different on purpose,
//! what depends on the clock, and what makes the reference read stale memory.

#![allow(clippy::print_stdout, reason = "prints the seed and what differs")]

#[path = "../harness/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "shared with the end-to-end tests, which use all of it"
)]
mod harness;

mod expressions;
mod filters;
mod framing;
mod known;
mod legacy;
mod lookups;
mod messages;
mod modifiers;
mod random;
mod round;
mod scripts;
mod templates;
mod tree;

use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, setrlimit};
use nix::time::{ClockId, clock_gettime};
use random::Random;

/// Runs a round and describes up to so many differences.
type Kind = fn(&mut Random, usize) -> Vec<String>;

const KINDS: [(&str, Kind); 8] = [
    ("templates", |random, limit| templates::round(random).run(limit)),
    ("expressions", |random, limit| expressions::round(random).run(limit)),
    ("filters", |random, limit| filters::round(random).run(limit)),
    ("scripts", |random, limit| scripts::round(random).run(limit)),
    ("modifiers", |random, limit| modifiers::round(random).run(limit)),
    ("lookups", |random, limit| lookups::round(random).run(limit)),
    ("legacy", |random, limit| legacy::round(random).run(limit)),
    ("framing", framing::run),
];

/// Kinds in which Debian's differs too often, as cases for `tests/conformance` say.
const NEWER: [&str; 2] = ["modifiers", "lookups"];

/// Address space of each program, bytes.
const MEMORY: u64 = 3 << 29;

/// How many differences end a run.
const ENOUGH: usize = 12;

#[test]
#[ignore = "runs for a minute: scripts/test --slow"]
fn differential() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if !Path::new(&round::reference().program).exists() {
        println!("skipped: rsyslogd is not installed, so there is nothing to compare with");
        return;
    }
    let mut seed = number("SEED").unwrap_or_else(now);
    let only = std::env::var("ONLY").unwrap_or_default();
    let seconds = Duration::from_secs(number("SECONDS").unwrap_or(60));
    if std::env::var_os("SHOW").is_none() {
        // A program that ends is news, but not its whole configuration.
        std::panic::set_hook(Box::new(|_| {}));
    }
    // Some templates make the reference allocate for ever: it is to end, not the machine.
    setrlimit(Resource::RLIMIT_AS, MEMORY, MEMORY).expect("limit memory");
    let start = Instant::now();
    let (mut rounds, mut findings) = (0, 0);
    while start.elapsed() < seconds && findings < ENOUGH {
        let wanted =
            |name: &str| name.contains(only.as_str()) && (round::newer() || !NEWER.contains(&name));
        for (name, run) in KINDS.iter().filter(|(name, _)| wanted(name)) {
            println!("round {name}: SEED={seed} ONLY={name}");
            let found = run(&mut Random::new(seed), ENOUGH - findings.min(ENOUGH));
            findings += found.len();
            for finding in found {
                println!("{finding}\n");
            }
            rounds += 1;
        }
        seed += 1;
    }
    drop(std::panic::take_hook());
    println!("{rounds} rounds, {findings} differences");
    assert_eq!(findings, 0, "the programs differ, see above");
}

/// Seconds since the epoch.
fn now() -> u64 {
    clock_gettime(ClockId::CLOCK_REALTIME).map_or(0, |now| now.tv_sec().unsigned_abs())
}

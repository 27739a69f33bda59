//! The load generator and meter behind `scripts/bench`: the same work through two daemons, alternating,
//! printed as ratios beside the bar and the aim of each scenario.
//!
//! One run: a fresh daemon on a fresh directory, frames rendered beforehand, load, wait until the last line
//! stands in the file, read the daemon's own CPU clock and peak memory, check every line, stop. With two cores
//! the generator competes with the daemon, so cost is the daemon's CPU time and never the machine's.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line program")]

mod elastic;
mod frames;
mod handshake;
#[allow(dead_code, unused_imports, reason = "shared with the tests, which use more of it")]
#[path = "../harness/mod.rs"]
mod harness;
mod meter;
mod report;
mod rules;
mod scenarios;
mod statistics;
mod tcp;
mod tls;
mod udp;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use scenarios::{Load, SCENARIOS};

/// What the command line asked for.
struct Options {
    pairs: usize,
    only: Vec<String>,
    daemon: PathBuf,
    reference: Option<PathBuf>,
    load: Load,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if !args.iter().any(|arg| arg == "--bench") {
        // `cargo test --all-targets` runs benches without it: nothing to test here.
        return ExitCode::SUCCESS;
    }
    match parse(args.into_iter().filter(|arg| arg != "--bench")) {
        Ok(Some(options)) => run(&options),
        Ok(None) => {
            print!("{USAGE}");
            for scenario in SCENARIOS {
                println!("  {:<14} {}", scenario.name, scenario.title);
            }
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("bench: {message}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

const USAGE: &str = "\
Usage: scripts/bench [options]
  --pairs N          alternating pairs per scenario (default 5)
  --only NAME        only scenarios whose name starts with NAME (repeatable)
  --daemon PATH      the daemon to measure (default: the release build)
  --reference PATH   what to compare with (default /usr/sbin/rsyslogd; `none`: measure the daemon alone)
  --messages N       messages of a TCP run (default 1000000)
  --quick            one pair, a tenth of the messages, short waits: a check that all works, not a measurement
Files go to TMPDIR; a tmpfs (TMPDIR=/dev/shm) takes the disk's pauses out of the figures.
Scenarios:
";

fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options {
        pairs: 5,
        only: Vec::new(),
        daemon: env!("CARGO_BIN_EXE_sluiced").into(),
        reference: Some("/usr/sbin/rsyslogd".into()),
        load: Load::FULL,
    };
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--pairs" => options.pairs = number(&value()?)?,
            "--only" => options.only.push(value()?),
            "--daemon" => options.daemon = value()?.into(),
            "--reference" => {
                options.reference =
                    Some(value()?.into()).filter(|path: &PathBuf| path.as_os_str() != "none");
            }
            "--messages" => options.load.messages = number(&value()?)?,
            "--quick" => (options.pairs, options.load) = (1, Load::QUICK),
            "--help" | "-h" => return Ok(None),
            _ => return Err(format!("unknown option {arg}")),
        }
    }
    if options.pairs == 0 {
        return Err("--pairs must be at least 1".to_owned());
    }
    for name in &options.only {
        if !SCENARIOS.iter().any(|scenario| scenario.name.starts_with(name.as_str())) {
            return Err(format!("no scenario named {name}"));
        }
    }
    Ok(Some(options))
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("{text} is not a number"))
}

/// Runs the chosen scenarios; fails when a message was lost or a daemon misbehaved, never for a missed bar.
fn run(options: &Options) -> ExitCode {
    let mut failures = 0;
    for scenario in SCENARIOS {
        if !options.only.is_empty()
            && !options.only.iter().any(|name| scenario.name.starts_with(name.as_str()))
        {
            continue;
        }
        let mut pairs = Vec::new();
        for pair in 0..options.pairs {
            if std::io::stderr().is_terminal() {
                eprint!("{} {}/{}\r", scenario.name, pair + 1, options.pairs);
            }
            let subject = (scenario.run)(&options.daemon, options.load);
            let reference =
                options.reference.as_ref().map(|path| (scenario.run)(path, options.load));
            failures += subject.failures.len();
            pairs.push((subject, reference));
        }
        report::print(scenario, &pairs);
    }
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

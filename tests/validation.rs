//! `-N1` of rsyslogd and of ours over the same configurations: the same exit status, and what the reference says
//! first is among what we say.
//!
//! The configurations are those of the golden diagnostics. One that ends in `# differs: why` is only required to
//! be loaded by both without a crash; the reason says what is not the same.

#![allow(clippy::print_stdout, reason = "says when it is skipped")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::harness::daemon::{program, reference};

const RSYSLOGD: &str = "/usr/sbin/rsyslogd";

#[test]
fn validation() {
    if reference() {
        return; // it does crash on some of them
    }
    if !Path::new(RSYSLOGD).exists() {
        assert!(
            std::env::var_os("CI").is_none(),
            "{RSYSLOGD} is missing: install the package rsyslog"
        );
        println!("skipped: {RSYSLOGD} is not installed, so there is nothing to compare with");
        return;
    }
    // Those of the loader, and of modules that its own tests do not know.
    let directories = ["diagnostics", "modules"].map(|name| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
        fs::read_dir(path).expect("a directory of configurations")
    });
    let mut wrong = Vec::new();
    for entry in directories.into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "conf") {
            wrong.extend(compare(&path).err().map(|why| format!("{}: {why}", path.display())));
        }
    }
    wrong.sort();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn compare(path: &Path) -> Result<(), String> {
    let config = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let (theirs, ours) = (validate(Path::new(RSYSLOGD), path), validate(&program(), path));
    let code = ours.status.code().ok_or("ended by a signal")?;
    if config.lines().any(|line| line.starts_with("# differs: ")) {
        return Ok(());
    }
    if theirs.status.code() != Some(code) {
        return Err(format!("exit status {code}, the reference's {:?}", theirs.status.code()));
    }
    let ours = messages(&ours);
    match messages(&theirs).first() {
        Some(first) if !ours.contains(first) => Err(format!("not said: {first}\nbut {ours:#?}")),
        _ => Ok(()),
    }
}

fn validate(program: &Path, config: &Path) -> Output {
    let mut command = Command::new(program);
    command.args(["-N1", "-iNONE", "-f"]).arg(config).current_dir("/");
    command.output().expect("running the program")
}

/// The messages without version, code and line number: the reference's line is that of what it has read last.
fn messages(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines = text.lines().filter_map(|line| line.strip_prefix("rsyslogd: "));
    let own =
        lines.filter(|line| !line.starts_with("version ") && !line.starts_with("End of config"));
    own.map(|line| {
        let line = line.rsplit_once(" [v").map_or(line, |(line, _)| line).trim_end();
        match line.split_once(", on or before line ") {
            Some((file, rest)) => {
                format!("{file}{}", rest.trim_start_matches(|c: char| c.is_ascii_digit()))
            }
            None => line.to_owned(),
        }
    })
    .collect()
}

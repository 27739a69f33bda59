//! Whether a configuration passes `-N1`: 770 small ones, each with the exit status that rsyslogd 8.2610 has for it.
//!
//! They are a sample of 6,900 that were compared with it when this was written; where Debian's rsyslogd thinks
//! otherwise, 8.2610 counts.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::harness::daemon::{program, reference, tempdir};

/// What goes behind a configuration without an action.
const ACTION: &str = "\n*.* /x";

#[test]
fn verdicts() {
    if reference() {
        return; // another version, with other modules
    }
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/verdicts.txt");
    let table = std::fs::read_to_string(table).expect("the table");
    let rows: Vec<_> =
        table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(String::new()));
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (expected, text) = row.split_once(' ').expect("status and configuration");
                    let status = check(text);
                    if status != expected.parse().ok() {
                        let mut wrong = wrong.lock().expect("no panic elsewhere");
                        let _ = writeln!(wrong, "{status:?}, not {expected}: {text}");
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no panic elsewhere");
    assert!(wrong.is_empty(), "{wrong}");
}

fn check(text: &str) -> Option<i32> {
    let dir = tempdir();
    let action = if text.contains("/x") { "" } else { ACTION };
    let path = dir.path().join("c.conf");
    std::fs::write(&path, text.replace("\\n", "\n") + action + "\n").expect("a configuration");
    let mut command = Command::new(program());
    command.args(["-N1", "-f"]).arg(&path).current_dir(dir.path());
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("a check").code()
}

//! `sluiced --stats SOCKET`, once and with `--watch`: what a terminal gets.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::harness::daemon::{Daemon, program};
use crate::harness::send;

const CONFIG: &str = r#"global(net.enableDNS="off")
module(load="impstats" log.syslog="off" http.listen="{dir}/sock")
module(load="imtcp")
template(name="out" type="string" string="%msg%\n")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
action(type="omfile" name="out" file="{dir}/out" template="out")
"#;

fn daemon() -> Daemon {
    let mut daemon = Daemon::start(CONFIG);
    let port = daemon.port("port");
    send::tcp(port, "<13>Oct 11 22:14:15 h t: m\n".repeat(3).as_bytes());
    daemon.wait_lines("out", 3);
    daemon
}

fn stats(socket: &Path) -> Output {
    Command::new(program()).arg("--stats").arg(socket).output().expect("sluiced runs")
}

#[test]
fn a_table_is_printed() {
    let daemon = daemon();
    let socket = daemon.dir().join("sock");
    let asked = stats(&socket);
    assert!(asked.status.success());
    assert_eq!(String::from_utf8_lossy(&asked.stderr), "");
    let text = String::from_utf8(asked.stdout).expect("UTF-8");
    let rows: Vec<Vec<&str>> =
        text.lines().map(|line| line.split_ascii_whitespace().collect()).collect();
    let head =
        ["STAGE", "NAME", "RECEIVED", "PROCESSED", "QUEUED", "DROPPED", "DROPPED", "BECAUSE"];
    assert_eq!(rows[0], head);
    assert!(rows.contains(&vec!["input", "imtcp(0)", "3", "3", "0", "0", "-"]), "{text}");
    assert!(rows.iter().any(|row| row.starts_with(&["action", "out", "3"])), "{text}");
    assert!(!text.contains('\x1b'), "{text:?}");

    daemon.stop();
    let asked = stats(&socket);
    assert_eq!(asked.status.code(), Some(1));
    let said = String::from_utf8_lossy(&asked.stderr).into_owned();
    assert!(
        said.contains("sock: No such file or directory") && said.contains("http.listen="),
        "{said}"
    );
    assert!(asked.stdout.is_empty());
}

/// Each look clears the screen and shows rates from the second one on; the end of the daemon ends it, and is said.
#[test]
fn a_live_view_is_drawn_anew_until_the_daemon_is_gone() {
    let daemon = daemon();
    let mut command = Command::new(program());
    command.arg("--stats").arg(daemon.dir().join("sock")).arg("--watch");
    let mut watch =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("sluiced runs");
    let mut lines = BufReader::new(watch.stdout.take().expect("piped")).lines();
    let mut heads =
        lines.by_ref().map(|line| line.expect("text")).filter(|line| line.contains("STAGE"));
    let (first, second) = (heads.next().expect("a look"), heads.next().expect("another"));
    assert!(first.starts_with("\x1b[H\x1b[2JSTAGE") && !first.contains("PER SECOND"), "{first:?}");
    assert!(
        second.starts_with("\x1b[H\x1b[2JSTAGE") && second.contains("PER SECOND"),
        "{second:?}"
    );
    daemon.stop();
    assert_eq!(heads.filter(|head| !head.contains("PER SECOND")).count(), 0);
    assert_eq!(watch.wait().expect("it ends").code(), Some(1));
    let mut said = String::new();
    watch.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    assert!(said.contains("The daemon must run"), "{said}");
}

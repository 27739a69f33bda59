//! omsendertrack: state files, command files and alarms of a running daemon.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

use nix::sys::signal::Signal;
use nix::unistd::geteuid;

use crate::harness::daemon::{Daemon, Stopped, program, run, tempdir};
use crate::harness::{ledger, send};

const INPUT: &str = r#"global(net.enableDNS="off" processInternalMessages="on")
module(load="imtcp" workerThreads="8")
module(load="omsendertrack")
template(name="host" type="string" string="%hostname%")
template(name="own" type="string" string="%msg%\n")
if $inputname == "rsyslogd" then { action(type="omfile" file="{dir}/own" template="own") stop }
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
"#;

const STATE: &str = "[\n{\"sender\":\"h2\",\"messages\":5,\"firstseen\":1,\"lastseen\":2}\n]\n";

fn start(actions: &str) -> Daemon {
    Daemon::start(&format!("{INPUT}{actions}\n"))
}

fn message(host: &str) -> String {
    format!("<13>Oct 11 22:14:15 {host} a: b\n")
}

/// The senders of a state file with their messages.
fn senders(text: &[u8]) -> Vec<(String, u64)> {
    let text = std::str::from_utf8(text).expect("UTF-8");
    let line = |line: &str| {
        let (name, rest) = line.strip_prefix("{\"sender\":\"")?.split_once("\",\"messages\":")?;
        Some((name.to_owned(), rest.split_once(',')?.0.parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}

fn row(name: &str, messages: u64) -> (String, u64) {
    (name.to_owned(), messages)
}

/// The counters of the action, as `-d` prints them at the end.
fn counters(stopped: &Stopped) -> ledger::Object {
    let mut objects = ledger::parse(&stopped.stderr).into_iter();
    objects.find(|object| object.origin == "omsendertrack").expect("counters")
}

/// Edge case 1: the file is there after the first interval, in the reference only at the end.
#[test]
fn the_file_is_written_from_the_first_run_on() {
    let mut daemon = start(
        r#"action(type="omsendertrack" senderId="host" stateFile="{dir}/state" interval="1")"#,
    );
    let text = [message("h1").repeat(3), message("h2")].concat();
    send::tcp(daemon.port("port"), text.as_bytes());
    daemon.wait("both senders", |dir| {
        let found = senders(&fs::read(dir.join("state")).ok()?);
        (found == [row("h1", 3), row("h2", 1)]).then_some(())
    });
    let stopped = daemon.stop();
    let counters = counters(&stopped);
    assert_eq!((counters.get("messages"), counters.get("senders")), (4, 2));
    assert!(counters.get("writes") >= 2 && counters.get("write.errors") == 0);
}

/// Edge cases 2, 3, 24: a stop right after the start writes; counts go on.
#[test]
fn a_restart_goes_on_with_the_counts() {
    let config = r#"action(type="omsendertrack" senderId="%hostname%" stateFile="{dir}/state")"#;
    let daemon = start(config);
    let stopped = daemon.stop();
    assert_eq!(stopped.read("state"), b"[\n]\n");
    let mut dir = stopped.dir;
    for round in 1..3 {
        // What says that the daemon is ready must be of this one.
        fs::remove_file(dir.path().join("port")).expect("the port file");
        let config = format!("{INPUT}{config}\n");
        let mut daemon = Daemon::start_program(&program(), &config, &["-d"], dir);
        send::tcp(daemon.port("port"), message("h").as_bytes());
        let stopped = daemon.stop();
        assert_eq!(senders(&stopped.read("state")), [row("h", round)]);
        dir = stopped.dir;
    }
}

/// Edge case 18: eight workers, and every message counts.
#[test]
fn counts_are_exact() {
    let mut daemon = start(
        r#"action(type="omsendertrack" senderId="host" stateFile="{dir}/state" interval="1")"#,
    );
    let port = daemon.port("port");
    let text: String = (0..10_000).map(|n| message(&format!("h{}", n % 1000))).collect();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| send::tcp(port, text.as_bytes()));
        }
    });
    let stopped = daemon.stop();
    let found = senders(&stopped.read("state"));
    assert_eq!(found.len(), 1000);
    assert!(found.iter().all(|(_, messages)| *messages == 80), "{found:?}");
    assert!(found.is_sorted());
}

/// Edge cases 17 and 27: two tables are two, one called from two rulesets is one.
#[test]
fn tables_are_those_of_their_actions() {
    let mut daemon = start(
        r#"
ruleset(name="track") { action(type="omsendertrack" senderId="host" stateFile="{dir}/both") }
ruleset(name="other") { call track }
action(type="omsendertrack" senderId="host" stateFile="{dir}/all")
if $hostname == "h1" then action(type="omsendertrack" senderId="host" stateFile="{dir}/one")
call track
call other
"#,
    );
    let text = [message("h1").repeat(2), message("h2")].concat();
    send::tcp(daemon.port("port"), text.as_bytes());
    let stopped = daemon.stop();
    for (file, wanted) in [
        ("all", vec![row("h1", 2), row("h2", 1)]),
        ("one", vec![row("h1", 2)]),
        ("both", vec![row("h1", 4), row("h2", 2)]),
    ] {
        assert_eq!(senders(&stopped.read(file)), wanted, "{file}");
    }
}

/// Edge cases 19 to 23; the second action has no command file.
#[test]
fn commands_are_executed_on_hup() {
    let mut daemon = start(
        r#"action(type="omsendertrack" senderId="host" stateFile="{dir}/state" cmdFile="{dir}/commands" interval="1")
action(type="omsendertrack" senderId="host" stateFile="{dir}/other")"#,
    );
    let text = [message("h1").repeat(3), message("h2")].concat();
    send::tcp(daemon.port("port"), text.as_bytes());
    let is = |wanted: Vec<(String, u64)>| {
        move |dir: &Path| (senders(&fs::read(dir.join("state")).ok()?) == wanted).then_some(())
    };
    daemon.wait("both senders", is(vec![row("h1", 3), row("h2", 1)]));
    let commands = daemon.dir().join("commands");
    fs::write(&commands, "# c\ndelete h1\nGET *\nRESET \"h2\"\nbogus\n").expect("written");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_text("own", "omsendertrack: processed 3 command(s) from");
    daemon.wait("one sender without messages", is(vec![row("h2", 0)]));
    assert!(!commands.exists());

    std::os::unix::fs::symlink("/etc/passwd", &commands).expect("linked");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_text("own", "is not executed: it is a symbolic link");
    assert!(Path::new("/etc/passwd").exists() && commands.symlink_metadata().is_ok());

    fs::remove_file(&commands).expect("removed");
    fs::write(&commands, "DELETE *\r\n").expect("written");
    daemon.signal(Signal::SIGHUP);
    daemon.wait("no sender", |dir| (fs::read(dir.join("state")).ok()? == b"[\n]\n").then_some(()));
    let stopped = daemon.stop();
    let own = String::from_utf8(stopped.read("own")).expect("UTF-8");
    assert!(own.contains("sender=\"h2\" messages=1 firstseen="), "{own}");
    assert!(!own.contains("sender=\"h1\""), "{own}");
    assert!(own.contains("commands' line 5: unknown command 'bogus'"), "{own}");
    assert!(own.contains("commands', 1 error(s)"), "{own}");
    assert_eq!(own.matches("processed").count(), 2, "{own}");
    assert_eq!(senders(&stopped.read("other")), [row("h1", 3), row("h2", 1)]);
}

/// Edge case 15: no room for the file. Said once, counted each time, and no message suffers.
#[test]
fn a_file_that_cannot_be_written_holds_up_nothing() {
    let mut daemon = start(
        r#"action(type="omsendertrack" senderId="host" stateFile="{dir}/missing/state" interval="1")
action(type="omfile" file="{dir}/out" template="own")"#,
    );
    let port = daemon.port("port");
    daemon.wait_text("own", "omsendertrack: statefile '");
    send::tcp(port, message("h").as_bytes());
    daemon.wait_lines("out", 1);
    let directory = daemon.dir().join("missing");
    fs::create_dir(directory).expect("created");
    daemon.wait_text("own", "is written again");
    let stopped = daemon.stop();
    let own = String::from_utf8(stopped.read("own")).expect("UTF-8");
    assert_eq!(own.matches("is not written: cannot create").count(), 1, "{own}");
    assert_eq!(senders(&stopped.read("missing/state")), [row("h", 1)]);
    assert!(counters(&stopped).get("write.errors") >= 1);
}

/// Edge case 15, as it is met most: a daemon that has given up its privileges, and a directory that is another's.
#[test]
fn a_directory_that_is_read_only_holds_up_nothing() {
    const NOBODY: u32 = 65_534;
    let dir = tempdir();
    let directory = dir.path().join("theirs");
    fs::create_dir(&directory).expect("created");
    fs::write(directory.join("state"), STATE).expect("written");
    fs::set_permissions(&directory, Permissions::from_mode(0o555)).expect("set");
    let mut config = format!(
        "{INPUT}action(type=\"omsendertrack\" senderId=\"host\" stateFile=\"{{dir}}/theirs/state\" interval=\"1\")\n\
         action(type=\"omfile\" file=\"{{dir}}/out\" template=\"own\")\n"
    );
    // Who is not root has no privileges to give up: the mode is enough.
    let is_root = geteuid().is_root();
    if is_root {
        config.insert_str(0, &format!("$PrivDropToUserID {NOBODY}\n$PrivDropToGroupID {NOBODY}\n"));
        chown(dir.path(), Some(NOBODY), Some(NOBODY)).expect("given");
    }
    let mut daemon = Daemon::start_program(&program(), &config, &["-d"], dir);
    let user = if is_root { NOBODY } else { geteuid().as_raw() };
    daemon.wait_text("own", &format!("Permission denied (os error 13) (user id {user})"));
    send::tcp(daemon.port("port"), message("h2").as_bytes());
    daemon.wait_lines("out", 1);
    assert_eq!(fs::read_to_string(directory.join("state")).expect("there"), STATE);
    fs::set_permissions(&directory, Permissions::from_mode(0o777)).expect("set");
    daemon.wait_text("own", "is written again");
    let stopped = daemon.stop();
    let own = String::from_utf8(stopped.read("own")).expect("UTF-8");
    assert_eq!(own.matches("is not written: cannot create").count(), 1, "{own}");
    assert_eq!(senders(&stopped.read("theirs/state")), [row("h2", 6)]);
    assert!(counters(&stopped).get("write.errors") >= 1);
}

/// Edge cases 7 and 26: a corrupt file is set aside by the daemon, and only looked at by a check.
#[test]
fn a_corrupt_file_is_set_aside_and_not_by_a_check() {
    let dir = tempdir();
    let state = dir.path().join("state");
    fs::write(&state, "[\n{\"sender\":").expect("written");
    let action = r#"action(type="omsendertrack" senderId="host" stateFile="{dir}/state")"#;
    let config = format!("{INPUT}{action}\n");
    let path = dir.path().join("check");
    let text = config.replace("{dir}", dir.path().to_str().expect("UTF-8"));
    fs::write(&path, text).expect("written");
    let checked = run(&["-N1", "-f", path.to_str().expect("UTF-8")]);
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(
        checked.status.success() && said.contains("state' is corrupt: it ends before"),
        "{said}"
    );
    assert_eq!(fs::read_dir(dir.path()).expect("readable").count(), 2, "nothing else is there");

    let stopped = Daemon::start_program(&program(), &config, &["-d"], dir).stop();
    assert_eq!(stopped.read("state"), b"[\n]\n");
    let names = fs::read_dir(stopped.dir.path()).expect("readable").flatten();
    let aside = names.map(|entry| entry.path()).find(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("state.corrupt-"))
    });
    let aside = aside.expect("a file that was set aside");
    assert_eq!(fs::read(aside).expect("readable"), b"[\n{\"sender\":");
    let own = String::from_utf8(stopped.read("own")).expect("UTF-8");
    assert!(own.contains("was set aside as '"), "{own}");

    let missing = run(&["-N1", "-f", stopped.dir.path().join("check").to_str().expect("UTF-8")]);
    assert!(missing.status.success());
}

/// Edge cases 12, 13, 16: what cannot be an action.
#[test]
fn wrong_actions_are_refused() {
    let dir = tempdir();
    let path = dir.path().join("conf");
    for (action, wanted) in [
        (r#"action(type="omsendertrack")"#, "parameter 'statefile' required but not specified"),
        (
            r#"action(type="omsendertrack" stateFile="")"#,
            "omsendertrack: 'statefile' parameter is required",
        ),
        (
            r#"action(type="omsendertrack" stateFile="/s" interval="0")"#,
            "parameter 'interval' cannot be less than one (was 0)",
        ),
        (
            r#"action(type="omsendertrack" stateFile="/s" senderId="nosuch")"#,
            " Could not find template 0 'nosuch' - action disabled",
        ),
        (
            r#"action(type="omsendertrack" stateFile="/s") action(type="omsendertrack" stateFile="/../s")"#,
            "omsendertrack: statefile '/../s' already used by another action",
        ),
        ("*.* :omsendertrack:", "omsendertrack"),
    ] {
        let text = format!("module(load=\"omsendertrack\")\n{action}\n");
        fs::write(&path, text).expect("written");
        let checked = run(&["-N1", "-f", path.to_str().expect("UTF-8")]);
        let said = String::from_utf8_lossy(&checked.stderr);
        assert!(!checked.status.success() && said.contains(wanted), "{action}\n{said}");
    }
}

/// Edge cases 11, 12, 16: the rest runs.
#[test]
fn what_is_refused_costs_only_itself() {
    let mut daemon = start(
        r#"action(type="omsendertrack" senderId="nosuch" stateFile="{dir}/a")
action(type="omsendertrack" senderId="host" stateFile="")
action(type="omsendertrack" senderId="host" stateFile="{dir}/state")
action(type="omsendertrack" senderId="host" stateFile="{dir}/./state")
action(type="omfile" file="{dir}/out" template="own")"#,
    );
    send::tcp(daemon.port("port"), message("h").as_bytes());
    daemon.wait_lines("out", 1);
    let stopped = daemon.stop();
    assert_eq!(senders(&stopped.read("state")), [row("h", 1)]);
    assert!(!stopped.dir.path().join("a").exists());
}

/// Edge cases 8 and 9: whatever a message brings is a key that survives a restart.
#[test]
fn any_text_is_a_key() {
    let config = format!(
        "{INPUT}action(type=\"omsendertrack\" senderId=\"%msg%\" stateFile=\"{{dir}}/state\")\n\
         action(type=\"omfile\" file=\"{{dir}}/out\" template=\"own\")\n"
    );
    // A line feed ends a message; octet counting lets the others through.
    let long = "x".repeat(7000);
    let keys = [&b"a\"b\\c"[..], b"\x01\x1f\x7f", b"\xff\xfe", long.as_bytes()];
    let mut dir = tempdir();
    for round in 1..3_u64 {
        let mut daemon = Daemon::start_program(&program(), &config, &["-d"], dir);
        let port = daemon.port("port");
        for key in keys {
            let text = [b"<13>Oct 11 22:14:15 h t:", key].concat();
            send::tcp(port, &[format!("{} ", text.len()).as_bytes(), &text].concat());
        }
        daemon.wait_lines("out", keys.len() * usize::try_from(round).expect("small"));
        let stopped = daemon.stop();
        let state = stopped.read("state");
        let parsed: serde_json::Value = serde_json::from_slice(&state).expect("JSON");
        let rows = parsed.as_array().expect("an array");
        assert_eq!(rows.len(), keys.len(), "{}", String::from_utf8_lossy(&state));
        assert!(rows.iter().all(|row| row["messages"] == round), "{rows:?}");
        dir = stopped.dir;
        fs::remove_file(dir.path().join("port")).expect("there");
    }
}

#[test]
fn silence_and_floods_are_alarms() {
    let mut daemon = start(
        r#"action(type="omsendertrack" senderId="host" stateFile="{dir}/state" name="track"
    alarm.silence="1" alarm.rate="100" alarm.interval="1")"#,
    );
    let port = daemon.port("port");
    send::tcp(port, message("loud").repeat(1000).as_bytes());
    daemon.wait_text("own", "omsendertrack: track: sender \"loud\" sends ");
    daemon.wait_text("own", "omsendertrack: track: sender \"loud\" has been silent for ");
    send::tcp(port, message("loud").as_bytes());
    daemon.wait_text("own", "omsendertrack: track: sender \"loud\" sends again");
    let stopped = daemon.stop();
    let counters = counters(&stopped);
    assert!(
        counters.get("silence.alarms") >= 1 && counters.get("rate.alarms") == 1,
        "{counters:?}"
    );
}

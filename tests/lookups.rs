//! Lookup tables whose files change while the daemon runs.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::harness::daemon::{Daemon, program, tempdir};
use crate::harness::send;

const CONFIG: &str = r#"global(net.enableDNS="off" processInternalMessages="on")
module(load="imtcp")
lookup_table(name="table" file="{dir}/table")
lookup_table(name="fixed" file="{dir}/fixed" reloadOnHUP="off")
template(name="own" type="string" string="%msg%\n")
template(name="found" type="string" string="%$.table% %$.fixed%\n")
if $inputname == "rsyslogd" then { action(type="omfile" file="{dir}/own" template="own") stop }
if $msg == "reload" then { reload_lookup_table("table") stop }
if $msg == "reload or stub" then { reload_lookup_table("table", "stub") stop }
set $.table = lookup("table", "key");
set $.fixed = lookup("fixed", "key");
action(type="omfile" file="{dir}/out" template="found")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
"#;

fn write(path: &Path, value: &str) {
    let text = format!(r#"{{"version":1,"table":[{{"index":"key","value":"{value}"}}]}}"#);
    fs::write(path, text).expect("the table is written");
}

/// Each step changes the file, has it read, and looks at what messages get then.
#[test]
fn tables_are_read_again() {
    let dir = tempdir();
    write(&dir.path().join("table"), "one");
    write(&dir.path().join("fixed"), "one");
    let mut daemon = Daemon::start_program(&program(), CONFIG, &["-d"], dir);
    let port = daemon.port("port");
    let table = daemon.dir().join("table");
    let mut lines = 0;
    let mut look = |daemon: &mut Daemon| {
        send::tcp(port, b"<13>Oct 11 22:14:15 h t:look\n");
        lines += 1;
        daemon.wait_lines("out", lines);
    };
    look(&mut daemon);

    write(&table, "two");
    write(&daemon.dir().join("fixed"), "two");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_text("own", "lookup table 'table' reloaded from file");
    look(&mut daemon);

    write(&table, "three");
    send::tcp(port, b"<13>Oct 11 22:14:15 h t:reload or stub\n");
    daemon.wait("the second reload", |dir| {
        let own = fs::read_to_string(dir.join("own")).ok()?;
        (own.matches("lookup table 'table' reloaded").count() == 2).then_some(())
    });
    look(&mut daemon);

    fs::write(&table, "{").expect("the table is broken");
    send::tcp(port, b"<13>Oct 11 22:14:15 h t:reload\n");
    daemon.wait_text("own", "lookup table 'table' could not be reloaded from file");
    look(&mut daemon);
    send::tcp(port, b"<13>Oct 11 22:14:15 h t:reload or stub\n");
    daemon.wait_text("own", "lookup table 'table' stubbed with value 'stub'");
    look(&mut daemon);

    let stopped = daemon.stop();
    assert_eq!(stopped.lines("out"), ["one one", "two one", "three one", "three one", "stub one"]);
}

//! Counters that scripts count up.

use std::fs;

use crate::harness::daemon::{Daemon, program, reference, tempdir};
use crate::harness::{ledger, send};

/// Three counters and no more; what is too much is counted, too, and the script is told.
#[test]
fn dyn_inc_counts_up_to_the_limit() {
    if reference() {
        // It counts nothing unless impstats is loaded.
        return;
    }
    let mut daemon = Daemon::start(
        r#"global(net.enableDNS="off")
module(load="impstats" log.syslog="off")
module(load="imtcp")
dyn_stats(name="bucket" maxCardinality="3")
template(name="result" type="string" string="%$.result%\n")
set $.result = dyn_inc("bucket", $msg);
action(type="omfile" file="{dir}/out" template="result")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
"#,
    );
    let port = daemon.port("port");
    let metrics = ["a", "b", "a", "", "c", "d", "a"];
    let lines: String =
        metrics.map(|metric| format!("<13>Oct 11 22:14:15 h t:{metric}\n")).concat();
    send::tcp(port, lines.as_bytes());
    daemon.wait_lines("out", metrics.len());
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("out"), ["0", "0", "0", "0", "0", "-6", "0"]);
    let objects = ledger::parse(&stopped.stderr);
    let bucket = ledger::find(&objects, "bucket");
    assert_eq!(["a", "b", "c"].map(|metric| bucket.get(metric)), [3, 1, 1]);
    let global = ledger::find(&objects, "global");
    let own = ["ops_overflow", "new_metric_add", "no_metric"];
    assert_eq!(own.map(|what| global.get(&format!("bucket.{what}"))), [1, 3, 1]);
}

/// The values of each key; what is no number is not noted.
#[test]
fn percentile_observe_notes_values() {
    if reference() {
        return;
    }
    let mut daemon = Daemon::start(
        r#"global(net.enableDNS="off")
module(load="impstats" log.syslog="off")
module(load="imtcp")
percentile_stats(name="bucket" percentiles=["50"] windowsize="10" delimiter="|")
template(name="result" type="string" string="%$.result%\n")
set $.result = percentile_observe("bucket", $programname, $msg);
action(type="omfile" file="{dir}/out" template="result")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
"#,
    );
    let port = daemon.port("port");
    let values = ["3", "1", "x", "2"];
    let lines: String = values.map(|value| format!("<13>Oct 11 22:14:15 h t:{value}\n")).concat();
    send::tcp(port, lines.as_bytes());
    daemon.wait_lines("out", values.len());
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("out"), ["0"; 4]);
    let objects = ledger::parse(&stopped.stderr);
    let bucket = ledger::find(&objects, "bucket");
    let window = ["min", "max", "sum", "count"].map(|what| bucket.get(&format!("t|window_{what}")));
    assert_eq!(window, [1, 3, 6, 3]);
}

/// Counters with a state file go on where they were; those without begin anew.
#[test]
fn dyn_stats_are_kept_over_a_restart() {
    if reference() {
        return; // Debian's does not know how
    }
    let config = r#"global(net.enableDNS="off" workDirectory="{dir}")
module(load="impstats" log.syslog="off")
module(load="imtcp")
dyn_stats(name="kept/here" resettable="off" persistStateTimeInterval="3600")
dyn_stats(name="there" resettable="off" persistStateInterval="2" statefile.directory="{dir}/sub")
dyn_stats(name="forgotten" resettable="off")
set $.x = dyn_inc("kept/here", $msg);
set $.x = dyn_inc("there", $msg);
set $.x = dyn_inc("forgotten", $msg);
action(type="omfile" file="{dir}/out")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
"#;
    let mut dir = tempdir();
    fs::create_dir(dir.path().join("sub")).expect("created");
    for round in 1..3 {
        let mut daemon = Daemon::start_program(&program(), config, &["-d"], dir);
        let metrics = ["a", "b", "a"].map(|metric| format!("<13>Oct 11 22:14:15 h t:{metric}\n"));
        send::tcp(daemon.port("port"), metrics.concat().as_bytes());
        daemon.wait_lines("out", 3 * round);
        let stopped = daemon.stop();
        let objects = ledger::parse(&stopped.stderr);
        for (bucket, times) in [("kept/here", round), ("there", round), ("forgotten", 1)] {
            let bucket = ledger::find(&objects, bucket);
            assert_eq!(["a", "b"].map(|metric| bucket.get(metric)), [2 * times, times]);
        }
        for (file, name) in
            [("dynstats-state:kept_here", "kept\\/here"), ("sub/dynstats-state:there", "there")]
        {
            let wanted =
                format!("{{\"name\":\"{name}\",\"values\":{{\"a\":{},\"b\":{round}}}}}", 2 * round);
            assert_eq!(String::from_utf8_lossy(&stopped.read(file)), wanted, "{file}");
        }
        dir = stopped.dir;
        fs::remove_file(dir.path().join("port")).expect("there");
    }
}

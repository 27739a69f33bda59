//! Start, signals and the end: what an operator and systemd see of the daemon.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::daemon::{
    Daemon, is_watched, program, raise_descriptor_limit, reference, run, tempdir,
};
use crate::harness::{ledger, send};

const CONFIG: &str = r#"global(net.enableDNS="off" processInternalMessages="on")
module(load="imtcp" maxSessions="2000")
template(name="raw" type="string" string="%rawmsg%\n")
template(name="own" type="string" string="%msg%\n")
if $inputname == "rsyslogd" then { action(type="omfile" file="{dir}/own" template="own") stop }
action(type="omfile" file="{dir}/out" template="raw")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
"#;

/// TERM while senders press on: what the input submitted stands in the file, and the daemon ends cleanly.
#[test]
fn term_under_load_loses_nothing_accepted() {
    let mut daemon = Daemon::start(CONFIG);
    let port = daemon.port("port");
    let block: Vec<u8> =
        (0..1000).flat_map(|number| format!("<13>load: {number:04}\n").into_bytes()).collect();
    let stopped = std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut stream = send::connect(port);
                // Until the daemon is gone.
                while stream.write_all(&block).is_ok() {}
            });
        }
        daemon.wait("some load", |dir| {
            (fs::metadata(dir.join("out")).ok()?.len() > 1 << 20).then_some(())
        });
        daemon.stop()
    });
    let out = stopped.lines("out");
    let whole =
        |line: &&String| line.len() == "<13>load: 0000".len() && line.starts_with("<13>load: ");
    // At most the one message a connection was cut in may be short.
    assert!(out.iter().filter(|line| !whole(line)).count() <= 4);
    if !reference() {
        let objects = ledger::parse(&stopped.stderr);
        assert_eq!(ledger::find(&objects, "imtcp(0)").get("submitted"), out.len());
    }
}

/// HUP closes the file; the next message opens the name anew.
#[test]
fn hup_reopens_files() {
    let mut daemon = Daemon::start(CONFIG);
    let port = daemon.port("port");
    send::tcp(port, b"<13>before: x\n");
    daemon.wait_lines("out", 1);
    fs::rename(daemon.dir().join("out"), daemon.dir().join("out.1")).expect("rename");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_text("own", "HUPed");
    send::tcp(port, b"<13>after: x\n");
    daemon.wait_lines("out", 1);
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("out.1"), ["<13>before: x"]);
    assert_eq!(stopped.lines("out"), ["<13>after: x"]);
}

/// HUP again and again under load: every line whole, none lost, none twice.
#[test]
fn hup_under_load() {
    let mut daemon = Daemon::start(CONFIG);
    let port = daemon.port("port");
    let enough = AtomicBool::new(false);
    let sent = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut stream = send::connect(port);
            let mut sent = 0;
            while !enough.load(Ordering::Relaxed) {
                let lines: String = (sent..sent + 100).map(|n| format!("<13>n: {n}\n")).collect();
                stream.write_all(lines.as_bytes()).expect("write");
                sent += 100;
            }
            send::finish(stream);
            sent
        });
        for round in 0..10 {
            daemon.wait("a line", |dir| {
                fs::metadata(dir.join("out")).is_ok_and(|file| file.len() > 0).then_some(())
            });
            let aside = daemon.dir().join(format!("out.{round}"));
            fs::rename(daemon.dir().join("out"), aside).expect("rename");
            daemon.signal(Signal::SIGHUP);
        }
        enough.store(true, Ordering::Relaxed);
        sender.join().expect("the sender")
    });
    let dir = daemon.stop().dir;
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir.path()).expect("dir").flatten() {
        if entry.file_name().to_string_lossy().starts_with("out") {
            let text = fs::read_to_string(entry.path()).expect("text");
            numbers.extend(text.lines().map(|line| {
                line.strip_prefix("<13>n: ").expect("whole").parse::<usize>().expect("number")
            }));
        }
    }
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(0..sent), "{} lines of {sent}", numbers.len());
}

/// A thousand connections that say nothing cost nothing: in a second of silence less than a hundredth of it in CPU.
#[test]
fn idle_connections_cost_nothing() {
    raise_descriptor_limit();
    let mut daemon = Daemon::start(CONFIG);
    let port = daemon.port("port");
    let idle: Vec<_> = (0..1000).map(|_| send::connect(port)).collect();
    // All are accepted once the last one's message is in the file.
    (&idle[999]).write_all(b"<13>a: b\n").expect("write");
    daemon.wait_lines("out", 1);
    let used = || {
        let before = daemon.cpu_time();
        daemon.idle(Duration::from_secs(1));
        daemon.cpu_time() - before
    };
    let most = if is_watched() { Duration::MAX } else { Duration::from_millis(10) };
    // It may have something to do still; what costs something all the time does so in each of these seconds.
    assert!((0..10).any(|_| used() < most), "{:?} in a second", used());
    drop(idle);
    daemon.stop();
}

/// The pid file: decimal, no line end, gone at the end; a second daemon refuses to start beside the first.
#[test]
fn pid_file() {
    let daemon = Daemon::start(CONFIG);
    let path = daemon.dir().join("pid");
    assert_eq!(fs::read_to_string(&path).expect("pid file"), daemon.pid().to_string());
    let conf = daemon.dir().join("conf");
    for mode in [&["-n"][..], &[]] {
        let second = Command::new(program())
            .args(mode)
            .arg("-i")
            .arg(&path)
            .arg("-f")
            .arg(&conf)
            .output()
            .expect("run");
        assert_eq!(second.status.code(), Some(1));
        let said = String::from_utf8_lossy(&second.stderr);
        assert_eq!(said.matches("already exist").count(), 1, "{said}");
    }
    let stopped = daemon.stop();
    assert!(!stopped.dir.path().join("pid").exists());
}

/// A pid file whose process is gone is no obstacle.
#[test]
fn stale_pid_file() {
    let dir = tempdir();
    // The parent of this process cannot be a daemon of ours, so use a number no process can have.
    fs::write(dir.path().join("pid"), "4194305").expect("write");
    let mut daemon =
        Daemon::spawn(&program(), CONFIG, if reference() { &[] } else { &["-d"] }, dir);
    daemon.port("port");
    daemon.wait("its own pid file", |dir| {
        (fs::read_to_string(dir.join("pid")).ok()? != "4194305").then_some(())
    });
    daemon.stop();
}

/// Without `-n` the parent returns when the daemon is ready, and the daemon lives on.
#[test]
fn background() {
    let dir = tempdir();
    let conf = dir.path().join("conf");
    fs::write(&conf, CONFIG.replace("{dir}", dir.path().to_str().expect("UTF-8"))).expect("write");
    let status = Command::new(program())
        .arg("-i")
        .arg(dir.path().join("pid"))
        .arg("-f")
        .arg(&conf)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("run");
    assert!(status.success(), "{status}");
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).expect("file");
    let pid = Pid::from_raw(read("pid").parse().expect("pid"));
    send::tcp(read("port").parse().expect("port"), b"<13>a: b\n");
    kill(pid, Signal::SIGTERM).expect("TERM");
    crate::harness::daemon::wait_gone(dir.path(), "pid");
    assert_eq!(read("out"), "<13>a: b\n");
}

/// `-N1` prints what is wrong and says it with its exit status.
#[test]
fn configuration_check() {
    let dir = tempdir();
    let check = |text: &str| {
        let path = dir.path().join("check.conf");
        fs::write(&path, text).expect("write");
        let output = run(&["-N1", "-f", path.to_str().expect("UTF-8")]);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = check("*.* /dev/null\n");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("config validation run (level 1), master config "), "{said}");
    assert!(said.contains("End of config validation run. Bye."), "{said}");
    for (text, complaint) in [
        ("global(bogus=\"1\")\n*.* /dev/null\n", "parameter 'bogus' not known"),
        ("if $msg = 3 then {\n", "syntax error on token '='"),
        ("*.foo /dev/null\n*.* /dev/null\n", "unknown priority name \"foo\""),
        ("$FooBar on\n*.* /dev/null\n", "FooBar"),
        ("call nosuch\n*.* /dev/null\n", "ruleset 'nosuch' cannot be found"),
    ] {
        let (code, said) = check(text);
        assert_eq!(code, Some(1), "{text}{said}");
        assert!(said.contains(complaint), "{text}{said}");
        assert!(!said.contains("Bye."), "{text}{said}");
    }
    let missing = run(&["-N1", "-f", "/nonexistent/rsyslog.conf"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&missing.stderr)
            .contains("could not open config file '/nonexistent/rsyslog.conf'")
    );
}

/// Without an action nothing could be written: the daemon does not start.
#[test]
fn no_action_no_start() {
    let dir = tempdir();
    let path = dir.path().join("conf");
    fs::write(&path, "module(load=\"imtcp\")\n").expect("write");
    let output = run(&["-n", "-i", "NONE", "-f", path.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("there are no active actions configured"), "{said}");
}

#[test]
fn version_and_usage() {
    let version = run(&["-v"]);
    assert!(version.status.success());
    assert!(!version.stdout.is_empty());
    let unknown = run(&["-Z"]);
    assert_eq!(unknown.status.code(), Some(1));
    let extra = run(&["-n", "stray"]);
    assert_eq!(extra.status.code(), Some(1));
    if reference() {
        return;
    }
    assert!(String::from_utf8_lossy(&version.stdout).contains(env!("CARGO_PKG_VERSION")));
    assert_eq!(run(&["--version"]).stdout, version.stdout);
    let help = run(&["--help"]);
    assert!(help.status.success());
    let module = run(&["--help", "imtcp"]);
    assert!(module.status.success());
    assert!(String::from_utf8_lossy(&module.stdout).contains("maxSessions"));
    assert_ne!(run(&["--help", "nosuch"]).status.code(), Some(0));
}

/// `internalmsg.severity="debug"`: the daemon says when it is ready and when it ends.
#[test]
fn own_debug_messages() {
    if reference() {
        return; // Debian's says so with a TAG of its own making
    }
    let config = CONFIG.replace("global(", "global(internalmsg.severity=\"debug\" ");
    let daemon = Daemon::start_program(&program(), &config, &[], tempdir());
    let stopped = daemon.stop_lossy();
    let own = stopped.lines("own");
    let ready = "rsyslogd fully started up and initialized - begin actual processing";
    assert!(own.iter().any(|line| line == ready), "{own:?}");
    assert!(own.iter().any(|line| line == "rsyslogd shutting down"), "{own:?}");
}

/// `debug.onShutdown` writes debug output while the daemon stops, and not before; `debug.logFile` gets it.
#[test]
fn debug_output_of_the_end() {
    if reference() {
        return;
    }
    let config = r#"global(debug.onShutdown="on" debug.logFile="{dir}/debug")
module(load="imtcp")
input(type="imtcp" port="0" listenPortFileName="{dir}/port")
action(type="omfile" file="{dir}/out")
"#;
    let mut daemon = Daemon::start_program(&program(), config, &[], tempdir());
    let _ = daemon.port("port");
    assert_eq!(fs::read_to_string(daemon.dir().join("debug")).expect("the file"), "");
    let stopped = daemon.stop_lossy();
    let text = fs::read_to_string(stopped.dir.path().join("debug")).expect("the file");
    assert!(text.contains("main           : rsyslogd shutting down"), "{text}");
    assert!(text.contains("imtcp"), "no counters: {text}");
    // `$DebugLevel` is `-d`.
    let config = config.replace("global(debug.onShutdown=\"on\" ", "$DebugLevel 2\nglobal(");
    let daemon = Daemon::start_program(&program(), &config, &[], tempdir());
    let text = fs::read_to_string(daemon.dir().join("debug")).expect("the file");
    assert!(text.contains("fully started up"), "{text}");
    let _ = daemon.stop();
}

/// A file of the last run that has no end, as an empty one, is an error of the configuration.
#[test]
fn operating_state_without_an_end() {
    if reference() {
        return; // Debian's looks at the file only when it starts
    }
    for (state, status) in [("", 1), ("CLEAN CLOSE", 1), ("12345678: STATE CLEAN CLOSE\n", 0)] {
        let dir = tempdir();
        let (file, conf) = (dir.path().join("state"), dir.path().join("conf"));
        fs::write(&file, state).expect("write");
        let text = format!("global(operatingStateFile=\"{}\")\n*.* /x\n", file.display());
        fs::write(&conf, text).expect("write");
        let output = std::process::Command::new(program()).arg("-N1").arg("-f").arg(conf).output();
        let output = output.expect("a check");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{said}");
        assert_eq!(said.contains("error seeking to end of existing"), status == 1, "{said}");
        assert_eq!(fs::read_to_string(&file).expect("the file"), state, "only looked at");
    }
}

/// `operatingStateFile`: one that does not end well is kept, one that does is continued.
#[test]
fn operating_state() {
    if reference() {
        return;
    }
    let config = r#"global(operatingStateFile="{dir}/state")
module(load="imtcp")
input(type="imtcp" port="0" listenPortFileName="{dir}/port" ruleset="nosuch")
action(type="omfile" file="{dir}/out")
"#;
    let dir = tempdir();
    fs::write(dir.path().join("state"), "20200101-000000: STATE INITIALIZING 8\n").expect("write");
    let mut daemon = Daemon::start_program(&program(), config, &[], dir);
    let _ = daemon.port("port");
    let stopped = daemon.stop_lossy();
    let read = |name: &str| fs::read_to_string(stopped.dir.path().join(name)).expect("the file");
    assert!(read("state.previous").starts_with("20200101-000000: STATE INITIALIZING 8\n"));
    let state = read("state");
    let lines: Vec<_> =
        state.lines().map(|line| line.split_at("20261121-195022: ".len())).collect();
    assert!(lines.iter().all(|(time, _)| time.ends_with(": ")), "{state}");
    assert!(lines[0].1.starts_with("STATE INITIALIZING 8."), "{state}");
    let told = |what: &str| lines.iter().any(|(_, line)| line.contains(what));
    assert!(told("MSG   ") && told("ruleset 'nosuch'"), "{state}");
    assert_eq!(lines.last().expect("lines").1, "STATE CLEAN CLOSE");
    assert!(stopped.stderr.contains("this probably indicates an improper shutdown"));
}

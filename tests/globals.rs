//! `global()` parameters about the process itself: what it shows on standard error, how many files it may have open,
//! how long it keeps names, whether a user that is not known stops it.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::daemon::{Daemon, program, reference, run, tempdir, wait_gone};
use crate::harness::{Stopped, ledger, send};

/// A daemon with these global parameters and directives before everything else, that has had one connection with five
/// framing errors.
fn with_errors(globals: &str, directives: &str) -> Stopped {
    let config = format!(
        r#"{directives}global(net.enableDNS="off" processInternalMessages="on" {globals})
module(load="imtcp")
template(name="own" type="string" string="%msg%\n")
if $inputname == "rsyslogd" then action(type="omfile" file="{{dir}}/own" template="own")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{{dir}}/port")
"#
    );
    let mut daemon = Daemon::start_program(&program(), &config, &[], tempdir());
    send::tcp(daemon.port("port"), "0 <13>a: b\n".repeat(5).as_bytes());
    daemon.stop_lossy()
}

const ERROR: &str = "invalid octet count 0";
const ENOUGH: &str = "configured max number of error messages to stderr reached";

/// `errorMessagesToStderr.maxNumber`, `allMessagesToStderr`; in the foreground errors are always shown.
#[test]
fn messages_on_standard_error() {
    if reference() {
        return; // what it does not show uses the number up as well
    }
    for (globals, directives, errors, told) in [
        ("", "", 5, 0),
        ("", "$ErrorMessagesToStderr off\n", 5, 0),
        ("errorMessagesToStderr.maxNumber=\"3\"", "", 3, 1),
        ("errorMessagesToStderr.maxNumber=\"9\"", "", 5, 0),
    ] {
        let stopped = with_errors(globals, directives);
        let shown = |text: &str| stopped.stderr.matches(text).count();
        assert_eq!((shown(ERROR), shown(ENOUGH)), (errors, told), "{globals} {}", stopped.stderr);
        assert!(!stopped.stderr.contains("exiting on signal"), "{}", stopped.stderr);
        let logged = stopped.lines("own").iter().filter(|line| line.contains(ERROR)).count();
        assert_eq!(logged, 5, "the log has all of them");
    }
    let stopped = with_errors("allMessagesToStderr=\"on\"", "");
    for text in [ERROR, "] start", "fully started up", "shutting down", "exiting on signal 15."] {
        assert!(stopped.stderr.contains(text), "{text}: {}", stopped.stderr);
    }
}

/// `$ErrorMessagesToStderr off` keeps the start of a daemon in the background quiet about what fails then.
#[test]
fn a_start_in_the_background_can_be_quiet() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = taken.local_addr().expect("address").port();
    for (setting, shown) in [("on", true), ("off", false)] {
        let dir = tempdir();
        let path = |name: &str| dir.path().join(name);
        let text = format!(
            "$ErrorMessagesToStderr {setting}\nmodule(load=\"imtcp\")\n\
             input(type=\"imtcp\" port=\"{port}\" address=\"127.0.0.1\")\n*.* {}\n",
            path("out").display()
        );
        fs::write(path("conf"), text).expect("write");
        let output = Command::new(program())
            .args(["-i".as_ref(), path("pid").as_os_str(), "-f".as_ref(), path("conf").as_os_str()])
            .stdin(Stdio::null())
            .output()
            .expect("run");
        assert!(output.status.success(), "{output:?}");
        let pid = fs::read_to_string(path("pid")).expect("the pid file").parse().expect("a pid");
        kill(Pid::from_raw(pid), Signal::SIGTERM).expect("TERM");
        wait_gone(dir.path(), "pid");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.contains("Address already in use"), shown, "{setting}: {said}");
    }
}

/// `internalmsg.ratelimit.*`: what is beyond it is counted in one message.
#[test]
fn own_messages_are_limited() {
    let limit = r#"internalmsg.ratelimit.interval="3600" internalmsg.ratelimit.burst="3""#;
    let stopped = with_errors(limit, "");
    let own = stopped.lines("own");
    let errors = own.iter().filter(|line| line.contains(ERROR)).count();
    // The first is about the start.
    assert_eq!(errors, 2, "{own:?}");
    // The last is about the end, where the reference tells of another one.
    let lost = format!(
        "rsyslogd[internal_messages]: {} messages lost due to rate-limiting (3 allowed within 3600 seconds)",
        if reference() { 3 } else { 4 }
    );
    assert!(own.iter().any(|line| line.contains(&lost)) || reference(), "{own:?}");
}

/// `maxOpenFiles`; more than the system allows is an error that costs nothing else.
#[test]
fn the_number_of_open_files_is_limited() {
    if reference() {
        return; // Debian's knows only the directive
    }
    let limit = |setting: &str| {
        let config = format!("{setting}\n*.* {{dir}}/out\n");
        let daemon = Daemon::start_program(&program(), &config, &[], tempdir());
        let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.pid())).expect("limits");
        let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("a line");
        let numbers = line.split_ascii_whitespace().filter_map(|word| word.parse().ok());
        let stopped = daemon.stop_lossy();
        (numbers.collect::<Vec<u64>>(), stopped.stderr)
    };
    for setting in ["global(maxOpenFiles=\"123\")", "$MaxOpenFiles 123"] {
        assert_eq!(limit(setting).0, [123, 123], "{setting}");
    }
    // More than the kernel's own limit for one process.
    let most = fs::read_to_string("/proc/sys/fs/nr_open").expect("nr_open");
    let most: u64 = most.trim().parse().expect("a number");
    let (numbers, said) = limit(&format!("global(maxOpenFiles=\"{}\")", most + 1));
    assert!(numbers.iter().all(|number| *number <= most), "{numbers:?}");
    let hard = numbers.last().expect("a hard limit");
    let error =
        format!("could not set process file limit to {} [current hard limit {hard}]", most + 1);
    assert!(said.contains(&error), "{said}");
}

/// `security.abortOnIDResolutionFail`: on, which is the default, a name that is not known stops the start.
#[test]
fn an_unknown_user_stops_the_start_unless_told_otherwise() {
    for (setting, starts) in [("on", false), ("off", true)] {
        for unknown in [
            "$FileOwner no-such-user",
            "$DirGroup no-such-group",
            "$PrivDropToUser no-such-user",
            "action(type=\"omfile\" file=\"/dev/null\" fileOwner=\"no-such-user\")",
        ] {
            let text = format!(
                "global(security.abortOnIDResolutionFail=\"{setting}\")\n{unknown}\n*.* {{dir}}/out\n"
            );
            if starts {
                Daemon::start_program(&program(), &text, &[], tempdir()).stop_lossy();
                continue;
            }
            let ended = Daemon::spawn(&program(), &text, &[], tempdir()).join();
            assert_eq!(ended.status.code(), Some(1), "{unknown}");
            assert!(ended.stderr.contains("no-such-") || reference(), "{}", ended.stderr);
        }
    }
    // A check finds fault with it in either case.
    let dir = tempdir();
    let path = dir.path().join("conf");
    let text =
        "global(security.abortOnIDResolutionFail=\"off\")\n$FileOwner no-such-user\n*.* /a\n";
    fs::write(&path, text).expect("write");
    assert_eq!(run(&["-N1", "-f", path.to_str().expect("UTF-8")]).status.code(), Some(1));
}

/// `reverseLookup.cache.ttl.*`: names are asked for once, or again when they have become too old.
#[test]
fn names_are_kept_as_long_as_they_may_be() {
    if reference() {
        return; // it prints no counters
    }
    for (ttl, asked) in [
        ("", 1..=1),
        ("reverseLookup.cache.ttl.default=\"0\"", 1..=1),
        ("reverseLookup.cache.ttl.enable=\"on\"", 1..=1),
        // A connection asks as it is accepted, and when it has something to say.
        ("reverseLookup.cache.ttl.enable=\"on\" reverseLookup.cache.ttl.default=\"0\"", 3..=6),
    ] {
        let mut daemon = Daemon::start(&format!(
            "global({ttl})\nmodule(load=\"imtcp\")\n\
             input(type=\"imtcp\" port=\"0\" address=\"127.0.0.1\" listenPortFileName=\"{{dir}}/port\")\n\
             template(name=\"host\" type=\"string\" string=\"%fromhost%\\n\")\n\
             action(type=\"omfile\" file=\"{{dir}}/out\" template=\"host\")\n"
        ));
        let port = daemon.port("port");
        for connection in 1..=3 {
            send::tcp(port, b"<13>a: b\n");
            daemon.wait_lines("out", connection);
        }
        let stopped = daemon.stop();
        let objects = ledger::parse(&stopped.stderr);
        let resolver = ledger::find(&objects, "resolver");
        assert!(asked.contains(&resolver.get("asked")), "{ttl}: {}", resolver.get("asked"));
    }
}

/// `compatibility.defaults.secure="strict"`: no slash of a message gets into a file name, and what is wrong with the
/// configuration stops the start.
#[test]
fn the_safe_defaults_are_taken_where_they_are_wanted() {
    if reference() {
        return; // Debian's has no such parameter
    }
    let config = r#"global(net.enableDNS="off" compatibility.defaults.secure="strict")
module(load="imtcp")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
template(name="file" type="string" string="{dir}/d/%msg:2:$%")
template(name="text" type="string" string="%msg%\n")
action(type="omfile" dynaFile="file" template="text")
"#;
    let mut daemon = Daemon::start(config);
    send::tcp(daemon.port("port"), b"<13>t: plain\n<13>t: ../../up\n<13>t: ..\n<13>t: a/b\n");
    let stopped = daemon.stop();
    let mut names: Vec<_> = fs::read_dir(stopped.dir.path().join("d"))
        .expect("the directory")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    names.sort();
    assert_eq!(names, [".._.._up", "_.", "a_b", "plain"]);

    let window = "compression.mode=\"stream:always\" compression.driver=\"zstd\"";
    for (input, status) in [
        ("", 0),
        ("nosuch=\"x\"", 2),
        (window, 2),
        (&format!("{window} compression.maxTotalZstdWindowBytes=\"0\""), 2),
        (&format!("{window} compression.maxTotalZstdWindowBytes=\"8388608\""), 0),
    ] {
        let dir = tempdir();
        let path = dir.path().join("c.conf");
        let text = config.replace("address=", &format!("{input} address="));
        fs::write(&path, text).expect("a configuration");
        let found = run(&["-N1", "-f", path.to_str().expect("UTF-8")]);
        assert_eq!(found.status.code(), Some(status), "{input}");
    }
}

/// `reportChildProcessExits`: which ends of programs are told.
#[test]
fn ends_of_programs_are_told_as_wished() {
    if reference() {
        return; // Debian's says nothing of the programs behind ^
    }
    for (wish, told) in [("none", 0), ("errors", 1), ("all", 2)] {
        let config = format!(
            r#"global(net.enableDNS="off" processInternalMessages="on" reportChildProcessExits="{wish}")
module(load="imtcp")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{{dir}}/port")
template(name="own" type="string" string="%msg%\n")
if $inputname == "rsyslogd" then {{ action(type="omfile" file="{{dir}}/own" template="own") stop }}
if $msg contains "good" then ^/bin/true;own
if $msg contains "bad" then ^/bin/false;own
action(type="omfile" file="{{dir}}/rest" template="own")
"#
        );
        let mut daemon = Daemon::start(&config);
        send::tcp(daemon.port("port"), b"<13>t: good\n<13>t: bad\n");
        daemon.wait_lines("rest", 2);
        if told > 0 {
            daemon.wait_text("own", "exited with status 1");
        }
        let stopped = daemon.stop();
        let own = stopped.lines("own");
        let ends: Vec<_> = own.iter().filter(|line| line.contains("exited with status")).collect();
        assert_eq!(ends.len(), told, "{wish}: {own:?}");
        assert_eq!(ends.iter().filter(|line| line.contains("status 1")).count(), told.min(1));
    }
}

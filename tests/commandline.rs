//! Options and signals, as `spec/local-inputs.md` sections 6 and 7 list them.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use nix::sys::signal::Signal;
use nix::unistd::geteuid;

use crate::harness::daemon::{Daemon, is_watched, program, reference, run, tempdir};
use crate::harness::send;

const CONFIG: &str = r#"global(net.enableDNS="off" processInternalMessages="on" MORE)
module(load="imtcp")
template(name="raw" type="string" string="%rawmsg%\n")
template(name="own" type="string" string="%msg%\n")
if $inputname == "rsyslogd" then { action(type="omfile" file="{dir}/own" template="own") stop }
action(type="omfile" file="{dir}/out" template="raw")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
"#;

fn config(more: &str) -> String {
    CONFIG.replace("MORE", more)
}

/// A daemon in the foreground with these further options.
fn start(more: &str, args: &[&str]) -> Daemon {
    Daemon::start_program(&program(), &config(more), args, tempdir())
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

/// `-N1` on this configuration, with these further options.
fn check(text: &str, args: &[&str]) -> Output {
    let dir = tempdir();
    let path = dir.path().join("conf");
    fs::write(&path, text).expect("write");
    let path = path.to_str().expect("UTF-8");
    run(&[args, &["-N1", "-f", path]].concat())
}

#[test]
fn options_that_have_gone_leave_a_notice_and_are_ignored() {
    for (option, instead) in [
        ("-4", "net.ipprotocol"),
        ("-6", "net.ipprotocol"),
        ("-q", "net.aclAddHostnameOnFail"),
        ("-Q", "net.aclResolveHostname"),
        ("-w", "net.permitACLWarning"),
        ("-x", "net.enableDNS"),
        ("-u1", "parser.parseHostnameAndTag"),
    ] {
        let checked = check("*.* /dev/null\n", &[option]);
        assert!(checked.status.success(), "{option}");
        let said = said(&checked);
        assert!(said.contains("has gone away") || reference(), "{option}: {said}");
        // Debian's has a name of its own for one of them.
        let named = said.to_lowercase().contains(&instead.to_lowercase());
        assert!(named || reference(), "{option}: {said}");
    }
    for options in [&["-A"][..], &["-S", "127.0.0.1"], &["-M", "/a:/b"], &["-C"], &["-u2"], &["-d"]]
    {
        assert!(check("*.* /dev/null\n", options).status.success(), "{options:?}");
    }
}

#[test]
fn what_is_no_command_line_is_answered_with_usage() {
    for options in [&["-h"][..], &["-?"], &["-Z"], &["stray"], &["-f"]] {
        let output = run(options);
        assert_eq!(output.status.code(), Some(1), "{options:?}");
        assert!(said(&output).contains("usage: "), "{options:?}: {}", said(&output));
    }
}

/// `-N2` checks a part of a configuration; it need not have an action.
#[test]
fn a_part_of_a_configuration_is_checked_with_level_two() {
    let part = "$template t,\"%msg%\"\n";
    assert_eq!(check(part, &[]).status.code(), Some(1));
    let dir = tempdir();
    let path = dir.path().join("part.conf");
    fs::write(&path, part).expect("write");
    let with = |level: &str| run(&[level, "-f", path.to_str().expect("UTF-8")]);
    // The level is a set of bits, read as atoi(3) does.
    for (level, accepted) in
        [("-N2", true), ("-N3", true), ("-N6x", true), ("-N4", false), ("-N1x", false)]
    {
        let output = with(level);
        assert_eq!(output.status.success(), accepted, "{level}: {}", said(&output));
        assert!(said(&output).contains("config validation run"), "{level}: {}", said(&output));
    }
}

/// `-D` shows statements; `-o` writes the configuration with what it includes, which then says the same.
#[test]
fn a_configuration_is_shown_as_it_is_read() {
    if reference() {
        return; // it shows its grammar at work
    }
    let dir = tempdir();
    let path = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    fs::write(path("more.conf"), "local0.* /dev/null\n").expect("write");
    let text = format!("include(file=\"{}\")\n*.err /dev/null\n", path("more.conf"));
    fs::write(path("conf"), text).expect("write");
    let shown = run(&["-N1", "-D", "-f", &path("conf")]);
    assert!(shown.status.success());
    assert!(said(&shown).contains("PriFilter"), "{}", said(&shown));
    let merged = run(&["-N1", "-o", &path("merged"), "-f", &path("conf")]);
    assert!(merged.status.success(), "{}", said(&merged));
    let text = fs::read_to_string(path("merged")).expect("written");
    assert!(text.contains("local0.* /dev/null") && text.contains("*.err /dev/null"), "{text}");
    assert!(run(&["-N1", "-f", &path("merged")]).status.success());
}

/// A daemon works in `/`, unless `-C` or `-u2` keeps it where it was started.
#[test]
fn the_working_directory_is_the_root_unless_it_is_kept() {
    for (options, kept) in [(&[][..], false), (&["-C"], true), (&["-u2"], true)] {
        let daemon = start("", options);
        let works_in = fs::read_link(format!("/proc/{}/cwd", daemon.pid())).expect("a directory");
        let wanted = if kept { daemon.dir() } else { Path::new("/") };
        assert_eq!(works_in, wanted, "{options:?}");
        daemon.stop_lossy();
    }
}

/// `-d` alone keeps the daemon in the foreground, and `-iNONE` writes no pid file.
#[test]
fn debug_mode_stays_in_the_foreground() {
    if reference() {
        return; // its debug output goes elsewhere
    }
    let dir = tempdir();
    let path = dir.path().join("conf");
    let text = format!("*.* {}/out\n", dir.path().display());
    fs::write(&path, text).expect("write");
    let mut child = Command::new(program())
        .args(["-d", "-iNONE", "-f"])
        .arg(&path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start");
    let stderr = child.stderr.take().expect("piped");
    let started = std::io::BufRead::lines(std::io::BufReader::new(stderr))
        .map_while(Result::ok)
        .any(|line| line.contains("fully started up"));
    assert!(started && child.try_wait().expect("wait").is_none(), "it runs, as our child");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("fits"));
    nix::sys::signal::kill(pid, Signal::SIGINT).expect("kill");
    assert!(child.wait().expect("wait").success(), "INT ends it in debug mode");
    let left = fs::read_dir(dir.path()).expect("directory").count();
    assert!(left <= 2, "no pid file");
}

/// `-T`: all paths are below that directory.
#[test]
fn the_root_directory_can_be_another_one() {
    if !geteuid().is_root() {
        return; // chroot(2) is root's
    }
    let dir = tempdir();
    fs::write(dir.path().join("conf"), "*.* /out\n").expect("write");
    let root = dir.path().to_str().expect("UTF-8");
    let checked = run(&["-T", root, "-N1", "-f", "/conf"]);
    assert!(checked.status.success(), "{}", said(&checked));
    let missing = run(&["-T", "/nonexistent", "-N1", "-f", "/conf"]);
    assert_eq!(missing.status.code(), Some(1), "{}", said(&missing));
}

#[test]
fn an_unclean_configuration_need_not_start() {
    let text = "global(abortOnUncleanConfig=\"on\")\n$FooBar on\n*.* /dev/null\n";
    let dir = tempdir();
    let path = dir.path().join("conf");
    fs::write(&path, text).expect("write");
    let output = run(&["-n", "-iNONE", "-f", path.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    if !reference() {
        assert!(said(&output).contains("config is not clean"), "{}", said(&output));
    }
}

/// PIPE, XFSZ, TTIN, USR2-less USR1 and, outside of debug mode, INT and QUIT do not end the daemon, nor stop it.
#[test]
fn signals_that_mean_nothing_change_nothing() {
    let mut daemon = start("", &[]);
    let port = daemon.port("port");
    for signal in [
        Signal::SIGPIPE,
        Signal::SIGXFSZ,
        Signal::SIGTTIN,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGUSR1,
    ] {
        daemon.signal(signal);
        send::tcp(port, format!("<13>a: {signal}\n").as_bytes());
    }
    daemon.wait_lines("out", 6);
    let stopped = daemon.stop_lossy();
    assert_eq!(stopped.lines("out").len(), 6);
    assert!(stopped.lines("own").last().is_none_or(|line| line.contains("signal 15")));
}

/// `shutdown.enable.ctlc`: INT ends the daemon, and it says which signal that was.
#[test]
fn an_interrupt_ends_the_daemon_where_that_is_enabled() {
    let mut daemon = start("shutdown.enable.ctlc=\"on\"", &[]);
    send::tcp(daemon.port("port"), b"<13>a: b\n");
    daemon.wait_lines("out", 1);
    daemon.signal(Signal::SIGINT);
    let stopped = daemon.join();
    assert!(stopped.status.success());
    let own = stopped.lines("own").join("\n");
    assert!(own.contains("exiting on signal 2."), "{own}");
}

/// USR1 turns debug output on, and off again.
#[test]
fn debug_output_is_toggled() {
    if reference() {
        return; // it listens to USR1 in debug mode only
    }
    let mut daemon = start("", &[]);
    let mut hups = 0;
    for on in [true, false] {
        daemon.signal(Signal::SIGUSR1);
        // HUP is told, in debug output as well; it may overtake USR1.
        let is_as_wanted = (0..1000).any(|_| {
            let before = daemon.stderr().len();
            daemon.signal(Signal::SIGHUP);
            hups += 1;
            daemon.wait("HUP", |dir| {
                let own = fs::read_to_string(dir.join("own")).ok()?;
                (own.matches("HUPed").count() == hups).then_some(())
            });
            (daemon.stderr().len() > before) == on
        });
        assert!(is_as_wanted, "debug output is on: {on}");
    }
    daemon.stop_lossy();
}

/// A daemon that cannot end, since an output takes nothing, is ended by the fifth TERM.
#[test]
fn the_fifth_term_aborts() {
    if is_watched() {
        // ThreadSanitizer keeps signals for later, and of several that wait the handler gets one.
        return;
    }
    let dir = tempdir();
    let pipe = dir.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("mkfifo");
    // Somebody has it open, and does not read.
    let _keep = fs::OpenOptions::new().read(true).write(true).open(&pipe).expect("open");
    let queue =
        "main_queue(queue.timeoutShutdown=\"600000\" queue.timeoutActionCompletion=\"600000\")\n";
    let text =
        format!("{queue}{}", config("").replace("file=\"{dir}/out\"", "file=\"{dir}/pipe\""));
    let mut daemon = Daemon::start_program(&program(), &text, &[], dir);
    let mut stream = send::connect(daemon.port("port"));
    stream.write_all(&b"<13>a: 0123456789\n".repeat(20_000)).expect("write");
    send::finish(stream);
    for _ in 0..5 {
        daemon.signal(Signal::SIGTERM);
        // One that still waits would be one with the next.
        let waits = || {
            let status = format!("/proc/{}/status", daemon.pid());
            let status = fs::read_to_string(status).unwrap_or_default();
            let mut pending = status.lines().filter(|line| line.starts_with("ShdPnd:"));
            pending.any(|line| !line.ends_with("0000000000000000"))
        };
        while waits() {
            std::thread::yield_now();
        }
    }
    let ended = daemon.join();
    assert_eq!(ended.status.signal(), Some(Signal::SIGABRT as i32));
}

/// `privdrop.*`: what is written afterwards belongs to that user and group; the pid file is written before.
#[test]
fn rights_are_given_up_after_the_start() {
    if !geteuid().is_root() {
        return; // has none to give up
    }
    let dir = tempdir();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(dir.path(), mode).expect("chmod");
    let more = "privdrop.user.id=\"12345\" privdrop.group.id=\"23456\" privdrop.group.keepSupplemental=\"on\"";
    let mut daemon = Daemon::start_program(&program(), &config(more), &[], dir);
    send::tcp(daemon.port("port"), b"<13>a: b\n");
    daemon.wait_lines("out", 1);
    let owner = |name: &str| {
        let file = fs::metadata(daemon.dir().join(name)).expect("there");
        (file.uid(), file.gid())
    };
    assert_eq!((owner("out"), owner("pid")), ((12345, 23456), (0, 0)));
    assert_eq!((daemon.status_field("Uid"), daemon.status_field("Gid")), (12345, 23456));
    daemon.stop_lossy();
    let named = check(
        "global(privdrop.user.name=\"nobody\" privdrop.group.name=\"nogroup\")\n*.* /dev/null\n",
        &[],
    );
    assert!(named.status.success(), "{}", said(&named));
    let unknown = check("global(privdrop.user.name=\"no-such-user\")\n*.* /dev/null\n", &[]);
    assert!(said(&unknown).contains("no-such-user"), "{}", said(&unknown));
}

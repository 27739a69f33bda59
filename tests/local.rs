//! Messages of local programs and of the kernel end to end, where rsyslogd shows no file to compare with: who sent them, limits,
//! systemd's sockets, what becomes of the socket.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, id};

use nix::sys::signal::Signal;

use crate::harness::daemon::{Daemon, program, reference, tempdir};
use crate::harness::{ledger, send};

/// Messages to `out`, the daemon's own to `own`.
fn config(input: &str) -> String {
    format!(
        r#"global(net.enableDNS="off" processInternalMessages="on")
module(load="imuxsock" sysSock.use="off")
input(type="imuxsock" socket="{{dir}}/log" {input})
template(name="own" type="string" string="%msg%\n")
template(name="out" type="string" string="%syslogtag%|%msg%\n")
if $inputname == "rsyslogd" then {{ action(type="omfile" file="{{dir}}/own" template="own") stop }}
action(type="omfile" file="{{dir}}/out" template="out")
"#
    )
}

fn out_of(input: &str, datagrams: &[&[u8]]) -> Vec<String> {
    let mut daemon = Daemon::start(&config(input));
    send::unix(&daemon.dir().join("log"), datagrams);
    daemon.wait_lines("out", datagrams.len());
    daemon.stop().lines("out")
}

#[test]
fn what_is_known_of_a_sender_stands_behind_the_message() {
    let lines = out_of(r#"annotate="on""#, &[b"<13>tag: x", b"<13>tag: y\n"]);
    let exe = std::env::current_exe().expect("exe");
    for (line, text) in lines.iter().zip(["x", "y#012"]) {
        let head = format!("tag:| {text} @[_PID={} _UID={} _GID=", id(), nix::unistd::geteuid());
        assert!(line.starts_with(&head), "{line}");
        assert!(line.contains(&format!(" _EXE={} _CMDLINE=\"", exe.display())), "{line}");
        assert!(line.ends_with("\"]"), "{line}");
    }
}

#[test]
fn the_process_id_comes_from_the_kernel() {
    let lines =
        out_of(r#"usePidFromSystem="on""#, &[b"<13>tag: x", b"<13>tag[1]: y", b"<13>foo z"]);
    let pid = id();
    let expected = [format!("tag[{pid}]:| x"), format!("tag[{pid}]:| y"), format!("fo[{pid}]:| z")];
    assert_eq!(lines, expected);
}

/// Emergencies pass, another process has a limit of its own, and what was dropped is told.
#[test]
fn each_process_is_limited_by_itself() {
    let mut daemon = Daemon::start(&config(r#"rateLimit.interval="3600" rateLimit.burst="2""#));
    let log = daemon.dir().join("log");
    let datagrams: [&[u8]; 6] =
        [b"<13>t: 1", b"<13>t: 2", b"<13>t: 3", b"<0>t: 4", b"<14>t: 5", b"<9>t: 6"];
    send::unix(&log, &datagrams);
    daemon.wait_lines("out", 3);
    let other =
        Command::new("logger").arg("--socket").arg(&log).args(["-t", "other", "7"]).status();
    assert!(other.expect("logger, of bsdutils").success());
    daemon.wait_lines("out", 4);
    let pid = id();
    daemon.wait_text("own", &format!("imuxsock[pid: {pid}, name: /"));
    let stopped = daemon.stop();
    let lines = stopped.lines("out");
    assert_eq!(lines[..3], ["t:| 1", "t:| 2", "t:| 4"]);
    assert!(lines[3].starts_with("other:| 7"), "{lines:?}");
    let own = stopped.lines("own").join("\n");
    assert!(own.contains(":t>: begin to drop messages due to rate-limiting"), "{own}");
    if !reference() {
        let lost = ": 3 messages lost due to rate-limiting (2 allowed within 3600 seconds)";
        assert!(own.contains(lost), "{own}");
        let objects = ledger::parse(&stopped.stderr);
        let counters = ledger::find(&objects, "imuxsock");
        assert_eq!((counters.get("submitted"), counters.get("ratelimit.discarded")), (4, 3));
    }
}

/// The socket is systemd's: it is taken as it is, and left there.
#[test]
fn a_socket_of_systemd() {
    let dir = tempdir();
    let log = dir.path().join("log");
    let socket = UnixDatagram::bind(&log).expect("bind");
    send::unix(&log, &[b"<13>tag: before the start"]);
    let conf = dir.path().join("conf");
    let text = config("").replace("{dir}", dir.path().to_str().expect("UTF-8"));
    fs::write(&conf, text).expect("write");
    let mut child = Command::new("sh")
        .args(["-c", r#"exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@""#, "sh"])
        .arg(program())
        .args(["-n", "-iNONE", "-f"])
        .arg(&conf)
        .stdin(OwnedFd::from(socket.try_clone().expect("dup")))
        .spawn()
        .expect("start");
    let acquired =
        format!("imuxsock: Acquired UNIX socket '{}' (fd 3) from systemd.", log.display());
    let contains = |name: &str, text: &str| {
        let bytes = fs::read(dir.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).contains(text)
    };
    crate::harness::daemon::wait_lines_in(dir.path(), "out", 1);
    assert!(contains("out", "tag:| before the start"));
    crate::harness::daemon::wait_lines_in(dir.path(), "own", 1);
    assert!(contains("own", &acquired));
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("pid"));
    nix::sys::signal::kill(pid, Signal::SIGTERM).expect("kill");
    assert!(child.wait().expect("end").success());
    send::unix(&log, &[b"<13>tag: for the next one"]);
    let mut text = [0; 100];
    assert_eq!(socket.recv(&mut text).expect("kept open"), 25);
}

/// What was sent before the end is not lost; HUP changes nothing.
#[test]
fn what_waits_in_the_socket_at_the_end_is_taken() {
    let mut daemon = Daemon::start(&config(""));
    let log = daemon.dir().join("log");
    send::unix(&log, &[b"<13>tag: 1"]);
    daemon.wait_lines("out", 1);
    daemon.signal(Signal::SIGHUP);
    daemon.wait_text("own", "rsyslogd was HUPed");
    send::unix(&log, &[b"<13>tag: 2"]);
    daemon.wait_lines("out", 2);
    if reference() {
        return; // it closes the socket with what is in it
    }
    daemon.signal(Signal::SIGSTOP);
    send::unix(&log, &[b"<13>tag: 3", b"<13>tag: 4", b"", b"<13>tag: 5"]);
    daemon.signal(Signal::SIGTERM);
    daemon.signal(Signal::SIGCONT);
    let stopped = daemon.stop();
    let expected: Vec<_> = (1..=5).map(|n| format!("tag:| {n}")).collect();
    assert_eq!(stopped.lines("out"), expected);
    assert!(!stopped.dir.path().join("log").exists());
}

/// More than fits into the socket: the sender waits, and nothing is lost.
#[test]
fn a_flood_waits() {
    const COUNT: usize = 20_000;
    let mut daemon = Daemon::start(&config(""));
    let texts: Vec<_> = (0..COUNT).map(|n| format!("<13>tag: {n}")).collect();
    let datagrams: Vec<_> = texts.iter().map(String::as_bytes).collect();
    send::unix(&daemon.dir().join("log"), &datagrams);
    daemon.wait_lines("out", COUNT);
    let expected: Vec<_> = (0..COUNT).map(|n| format!("tag:| {n}")).collect();
    assert_eq!(daemon.stop().lines("out"), expected);
}

/// With unlink="off" what stands at the path stays, and that is said.
#[test]
fn a_path_that_is_taken() {
    let dir = tempdir();
    let _other = UnixDatagram::bind(dir.path().join("log")).expect("bind");
    let config = config(r#"unlink="off""#);
    let mut daemon = Daemon::start_program(&program(), &config, &[], dir);
    daemon.wait_text("own", "imuxsock does not run because we could not acquire any socket");
    let text = String::from_utf8(fs::read(daemon.dir().join("own")).expect("own")).expect("UTF-8");
    let first = text.lines().find(|line| line.contains("cannot create '")).expect("a line");
    assert!(first.contains("Address already in use"), "{first}");
    assert!(first.contains("/e/2176 ]"), "{first}");
}

/// A socket that another daemon has put in the place of ours is not removed.
#[test]
fn a_socket_of_another_daemon_stays() {
    if reference() {
        return; // it removes whatever is there
    }
    let daemon = Daemon::start(&config(""));
    let log = daemon.dir().join("log");
    fs::remove_file(&log).expect("remove");
    let _other = UnixDatagram::bind(&log).expect("bind");
    let stopped = daemon.stop_lossy();
    assert!(Path::exists(&stopped.dir.path().join("log")));
}

/// A symbolic link at the path is replaced, and what it points to is left alone.
#[test]
fn a_link_gives_way() {
    let dir = tempdir();
    fs::write(dir.path().join("target"), "kept").expect("write");
    std::os::unix::fs::symlink(dir.path().join("target"), dir.path().join("log")).expect("link");
    let mut daemon = Daemon::start_program(&program(), &config(""), &[], dir);
    send::unix(&daemon.dir().join("log"), &[b"<13>tag: x"]);
    daemon.wait_lines("out", 1);
    let stopped = daemon.stop_lossy();
    assert_eq!(stopped.read("target"), b"kept");
}

/// What user space writes to /dev/kmsg comes back with number, text and variables. Only root may write there.
#[test]
fn records_of_the_kernels_log() {
    use std::io::Write as _;
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let Ok(mut log) = fs::OpenOptions::new().write(true).open("/dev/kmsg") else {
        return; // a machine without it
    };
    let config = r#"global(net.enableDNS="off")
module(load="imkmsg" parseKernelTimestamp="off")
template(name="t" type="string" string="%pri%|%syslogtag%|%msg%|%$!msg%|%inputname%\n")
if $msg contains "sluice-MARK" then action(type="omfile" file="{dir}/out" template="t")
"#;
    let mark = format!("sluice-{}", id());
    let mut daemon = Daemon::start(&config.replace("sluice-MARK", &mark));
    // One call: each is a record.
    log.write_all(format!("<14>{mark}: hello\n").as_bytes()).expect("write");
    daemon.wait_lines("out", 1);
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("out"), [format!("14|kernel:|{mark}: hello|{mark}: hello|imkmsg")]);
}

/// Lines come through a named pipe as they are written, and the time is the kernel's where that is wanted.
#[test]
fn a_named_pipe_in_the_place_of_the_kernels_log() {
    use std::io::Write as _;
    if reference() {
        return; // it waits for the first writer before it goes on
    }
    let dir = tempdir();
    let path = dir.path().join("kmsg");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("mkfifo");
    let config = r#"global(net.enableDNS="off" processInternalMessages="on")
module(load="imklog" logPath="{dir}/kmsg" parseKernelTimestamp="on" rateLimitInterval="3600" rateLimitBurst="2")
template(name="t" type="string" string="%timereported:::date-rfc3339%|%msg%\n")
template(name="own" type="string" string="%msg%\n")
if $inputname == "rsyslogd" then { action(type="omfile" file="{dir}/own" template="own") stop }
action(type="omfile" file="{dir}/out" template="t")
"#;
    let mut daemon = Daemon::start_program(&program(), config, &["-d"], dir);
    let mut pipe = fs::OpenOptions::new().write(true).open(&path).expect("open");
    pipe.write_all(b"<6>[    1.000000] one\n<14>left out\n<6>tw").expect("write");
    daemon.wait_lines("out", 1);
    pipe.write_all(b"o\n<6>no LF").expect("write");
    daemon.wait_lines("out", 2);
    drop(pipe);
    daemon.wait_lines("out", 3);
    let mut pipe = fs::OpenOptions::new().write(true).open(&path).expect("open");
    pipe.write_all(b"<6>four\n").expect("write");
    daemon.wait_text("own", ":kernel>: begin to drop messages due to rate-limiting");
    let stopped = daemon.stop();
    let lines = stopped.lines("out");
    // The window of the first one is over when the second one comes, hours or days later by their times.
    let texts: Vec<_> = lines.iter().map(|line| line.split_once('|').expect("time").1).collect();
    assert_eq!(texts, [" one", "two", "no LF"]);
    let time = |line: &String| line.split_once('|').expect("time").0.to_owned();
    assert!(time(&lines[0]) < time(&lines[1]), "the machine is running for longer: {lines:?}");
    let objects = ledger::parse(&stopped.stderr);
    let counters = ledger::find(&objects, "imklog");
    let counts = ["msgs.received", "submitted", "discarded.facility", "discarded.ratelimit"];
    assert_eq!(counts.map(|name| counters.get(name)), [5, 3, 1, 1]);
}

//! What happens when an output is slow, stuck or broken: back-pressure, counted discards, retries, and a HUP that gets
//! through. A named pipe stands for a slow disk: who reads it is the test.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::harness::daemon::{DEADLINE, Daemon, program, reference, tempdir};
use crate::harness::{ledger, send};

const INPUTS: &str = r#"global(net.enableDNS="off" processInternalMessages="on")
module(load="imudp")
module(load="imtcp")
input(type="imudp" port="{udp}" address="127.0.0.1")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
template(name="raw" type="string" string="%rawmsg%\n")
template(name="own" type="string" string="%msg%\n")
if $inputname == "rsyslogd" then { action(type="omfile" file="{dir}/own" template="own") stop }
"#;

/// A daemon whose file `{dir}/pipe` is a named pipe, and the pipe's other end.
fn start_with_pipe(before: &str, after: &str) -> (Daemon, File) {
    let dir = tempdir();
    let path = dir.path().join("pipe");
    mkfifo(&path, Mode::from_bits_truncate(0o600)).expect("mkfifo");
    // Open for both, so that neither end waits for the other.
    let pipe = OpenOptions::new().read(true).write(true).open(&path).expect("open the pipe");
    let args: &[&str] = if reference() { &[] } else { &["-d"] };
    let config = format!("{before}{INPUTS}{after}");
    (Daemon::start_program(&program(), &config, args, dir), pipe)
}

const TO_PIPE: &str = r#"action(type="omfile" file="{dir}/pipe" template="raw")"#;

/// Reads the pipe until `lines` lines have come.
fn read_lines(pipe: &mut File, lines: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 1 << 16];
    let mut seen = 0;
    while seen < lines {
        let mut fds = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
        let ready = poll(&mut fds, PollTimeout::try_from(DEADLINE).expect("fits")).expect("poll");
        assert_eq!(ready, 1, "{seen} of {lines} lines came through the pipe");
        let read = pipe.read(&mut chunk).expect("read the pipe");
        seen += chunk[..read].iter().filter(|&&byte| byte == b'\n').count();
        bytes.extend_from_slice(&chunk[..read]);
    }
    bytes
}

/// Writes as much of `bytes` as the peer takes, until it has not taken any for a while.
fn write_until_blocked(stream: &TcpStream, bytes: &[u8]) -> usize {
    stream.set_nonblocking(true).expect("non-blocking");
    let mut written = 0;
    while written < bytes.len() {
        match (&mut &*stream).write(&bytes[written..]) {
            Ok(taken) => written += taken,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let mut fds = [PollFd::new(stream.as_fd(), PollFlags::POLLOUT)];
                if poll(&mut fds, PollTimeout::from(500_u16)).expect("poll") == 0 {
                    break;
                }
            }
            Err(error) => panic!("{error}"),
        }
    }
    stream.set_nonblocking(false).expect("blocking");
    written
}

/// A full queue stops the reading from TCP instead of dropping: the sender waits, and nothing is lost.
#[test]
fn back_pressure() {
    if reference() {
        return; // it gives a full queue up after a while
    }
    const LINES: usize = 400_000;
    let queue = "main_queue(queue.size=\"500\" queue.timeoutEnqueue=\"600000\" queue.timeoutShutdown=\"120000\" queue.workerThreads=\"1\")\n";
    let (mut daemon, mut pipe) = start_with_pipe(queue, TO_PIPE);
    let sent: Vec<u8> =
        (0..LINES).flat_map(|number| format!("<13>line: {number:040}\n").into_bytes()).collect();
    let stream = send::connect(daemon.port("port"));
    let taken = write_until_blocked(&stream, &sent);
    assert!(taken < sent.len(), "all {taken} bytes were taken though nothing could be written");
    let got = std::thread::scope(|scope| {
        let reader = scope.spawn(|| read_lines(&mut pipe, LINES));
        (&stream).write_all(&sent[taken..]).expect("write");
        send::finish(stream);
        reader.join().expect("reader")
    });
    assert!(got == sent, "{} bytes of {}", got.len(), sent.len());
    daemon.stop();
}

/// Datagrams that find the queue full are dropped, and every one of them counts.
#[test]
fn discards_are_counted() {
    if reference() {
        return; // prints no counters
    }
    let queue = "main_queue(queue.size=\"100\" queue.timeoutEnqueue=\"0\" queue.timeoutShutdown=\"120000\")\n";
    let stats = "module(load=\"impstats\" interval=\"1\" log.syslog=\"off\" log.file=\"{dir}/stats\" resetCounters=\"off\")\n";
    let (mut daemon, mut pipe) = start_with_pipe(&format!("{queue}{stats}"), TO_PIPE);
    let port = daemon.udp_port(0);
    // The pipe holds 64 KiB, the queue 100 messages, and the kernel drops what it has no room for. So some more come
    // with each report until one of them tells of a discard.
    let datagram = format!("<13>u: {}", "x".repeat(500));
    let mut sent = 0;
    daemon.wait("a discard", |dir| {
        send::udp(port, &[datagram.as_bytes(); 100]);
        sent += 100;
        let reports = fs::read_to_string(dir.join("stats")).unwrap_or_default();
        let mut counts = reports.split(" discarded.full=").skip(1);
        counts.any(|count| !count.starts_with("0 ")).then_some(())
    });
    let (stopped, written) = std::thread::scope(|scope| {
        let mut writer = pipe.try_clone().expect("clone");
        let reader = scope.spawn(move || {
            let mut bytes = Vec::new();
            let mut chunk = vec![0; 1 << 16];
            while !bytes.ends_with(b"end") {
                let read = pipe.read(&mut chunk).expect("read the pipe");
                bytes.extend_from_slice(&chunk[..read]);
            }
            bytes.iter().filter(|&&byte| byte == b'\n').count()
        });
        let stopped = daemon.stop_lossy();
        writer.write_all(b"end").expect("write");
        (stopped, reader.join().expect("reader"))
    });
    let objects = ledger::parse(&stopped.stderr);
    let queue = ledger::find(&objects, "main Q");
    let input =
        objects.iter().find(|object| object.name.starts_with("imudp(127.0.0.1")).expect("imudp");
    let own = ledger::find(&objects, "rsyslogd[internal_messages]").get("submitted");
    let enqueued = queue.get("enqueued");
    assert!(
        (input.get("submitted")..=input.get("submitted") + own).contains(&enqueued),
        "{input:?} {queue:?}"
    );
    let discarded = queue.get("discarded.full");
    assert!(discarded > 0 && written > 0, "{queue:?}");
    // What was not discarded was written, to the pipe or, the daemon's own messages, to their file.
    assert_eq!(written + stopped.lines("own").len() + discarded, enqueued, "{queue:?}");
    let received: usize = objects.iter().map(|object| object.get("msgs.received")).sum();
    assert_eq!(received, input.get("submitted"));
    // The kernel tells of its drops with the next datagram, so the last ones may be unknown.
    assert!(received + input.get("kernel.drops") <= sent, "{input:?}");
}

/// HUP reopens a file while another output is stuck.
#[test]
fn hup_gets_through_a_stuck_output() {
    if reference() {
        return; // its HUP waits for the stuck output
    }
    let actions = r#"action(type="omfile" file="{dir}/pipe" template="raw" queue.type="LinkedList" queue.size="100000")
action(type="omfile" file="{dir}/out" template="raw")"#;
    let (mut daemon, mut pipe) = start_with_pipe("", actions);
    let port = daemon.port("port");
    let lines: Vec<u8> =
        (0..5000).flat_map(|number| format!("<13>line: {number:040}\n").into_bytes()).collect();
    send::tcp(port, &lines);
    daemon.wait_lines("out", 5000);
    fs::rename(daemon.dir().join("out"), daemon.dir().join("out.1")).expect("rename");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_text("own", "HUPed");
    send::tcp(port, b"<13>after: x\n");
    daemon.wait_lines("out", 1);
    let got = read_lines(&mut pipe, 5001);
    assert_eq!(got.len(), lines.len() + "<13>after: x\n".len());
    assert_eq!(daemon.stop().lines("out"), ["<13>after: x"]);
}

/// A missing directory suspends the action; when it is there, the message that waited is written.
#[test]
fn retries_until_the_directory_is_there() {
    let action = r#"action(type="omfile" file="{dir}/sub/out" template="raw" createDirs="off" action.resumeRetryCount="-1" action.resumeInterval="1")"#;
    let mut daemon = Daemon::start(&format!("{INPUTS}{action}\n"));
    let port = daemon.port("port");
    send::tcp(port, b"<13>waits: x\n");
    // The daemon's own messages pass the same queue, which waits for the action: they are on standard error.
    daemon.wait_text("stderr", "sub/out");
    let sub = daemon.dir().join("sub");
    fs::create_dir(&sub).expect("mkdir");
    crate::harness::daemon::wait_lines_in(&sub, "out", 1);
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("sub/out"), ["<13>waits: x"]);
}

/// A full disk: an error with path and errno, a counted suspension, and the next action gets everything.
#[test]
fn full_disk() {
    let actions = r#"action(name="full" type="omfile" file="/dev/full" template="raw" action.resumeRetryCount="0")
action(type="omfile" file="{dir}/out" template="raw")"#;
    let mut daemon = Daemon::start(&format!("{INPUTS}{actions}\n"));
    let port = daemon.port("port");
    for _ in 0..3 {
        send::tcp(port, b"<13>a: b\n");
    }
    daemon.wait_lines("out", 3);
    let stopped = daemon.stop_lossy();
    assert_eq!(stopped.lines("out"), ["<13>a: b"; 3]);
    let said = format!("{}{}", stopped.stderr, stopped.lines("own").join("\n"));
    assert!(said.contains("/dev/full") && said.contains("No space left on device"), "{said}");
    if !reference() {
        let objects = ledger::parse(&stopped.stderr);
        let full = ledger::find(&objects, "full");
        assert_eq!(full.get("written"), 0, "{full:?}");
        assert!(full.get("failed") > 0 && full.get("suspended") > 0, "{full:?}");
    }
}

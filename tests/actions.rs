//! What actions do when things go wrong: full disks, missing directories, files that are stuck, failover.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;

use crate::harness::daemon::reference;
use crate::harness::{Daemon, Stopped, ledger, send};

/// TCP input and a template of the bare message; `{dir}/own` gets the daemon's own messages.
const HEAD: &str = r#"global(net.enableDNS="off" processInternalMessages="on")
module(load="imtcp")
template(name="own" type="string" string="%msg%\n")
template(name="raw" type="string" string="%rawmsg%\n")
module(load="builtin:omfile" template="raw")
if $inputname == "rsyslogd" then { action(type="omfile" file="{dir}/own" template="own") stop }
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
"#;

fn start(actions: &str) -> Daemon {
    Daemon::start(&format!("{HEAD}{actions}"))
}

/// `n` messages `<13>a: 0`, `<13>a: 1`, ….
fn numbered(n: usize) -> Vec<String> {
    (0..n).map(|number| format!("<13>a: {number}")).collect()
}

fn send_all(daemon: &mut Daemon, messages: &[String]) {
    let port = daemon.port("port");
    send::tcp(port, (messages.join("\n") + "\n").as_bytes());
}

/// processed, written, failed, suspended of the action `name`.
fn counters(stopped: &Stopped, name: &str) -> [usize; 4] {
    let objects = ledger::parse(&stopped.stderr);
    let action = ledger::find(&objects, name);
    ["processed", "written", "failed", "suspended"].map(|counter| action.get(counter))
}

/// A full disk: named with path, error, number and user; counted; the messages stand in the error file.
#[test]
fn full_disk() {
    if reference() {
        return; // it prints no counters, and gives up where ours goes on
    }
    let mut daemon = start(
        r#"action(name="full" type="omfile" file="/dev/full" action.resumeInterval="3600" action.errorfile="{dir}/errors")
action(name="other" type="omfile" file="{dir}/out")
"#,
    );
    send_all(&mut daemon, &numbered(500));
    daemon.wait_lines("out", 500);
    daemon.wait_text("own", "action 'full' suspended (module 'builtin:omfile'), next retry is ");
    // One more, while the action is suspended.
    send_all(&mut daemon, &numbered(1));
    let stopped = daemon.stop();
    assert_eq!(counters(&stopped, "full"), [501, 0, 501, 1]);
    assert_eq!(stopped.lines("out")[..500], numbered(500));
    let own = stopped.lines("own").join("\n");
    let uid = nix::unistd::geteuid();
    let reason = format!("OS error: No space left on device (errno 28, uid {uid})");
    assert!(own.contains("file '/dev/full'[") && own.contains(&reason), "{own}");
    let errors = stopped.lines("errors");
    assert_eq!(errors.len(), 501);
    let error = |status, number| {
        format!(r#"{{ "action": "full", "status": {status}, "template0": "<13>a: {number}\n" }}"#)
    };
    assert_eq!(errors[0], error(-2007, 0));
    assert_eq!(errors[500], error(0, 0));
}

/// With endless retries nothing is lost while the disk is full: it waits, and comes in order.
#[test]
fn full_disk_that_is_cleared() {
    if reference() {
        return; // it prints no counters, and gives up where ours goes on
    }
    let mut daemon = start(
        r#"action(name="full" type="omfile" file="{dir}/link" action.resumeRetryCount="-1"
action.resumeInterval="1" queue.type="LinkedList" queue.size="10000")
action(type="omfile" file="{dir}/out")
"#,
    );
    symlink("/dev/full", daemon.dir().join("link")).expect("linked");
    send_all(&mut daemon, &numbered(2000));
    daemon.wait_text("own", "write error");
    daemon.wait_lines("out", 2000);
    fs::remove_file(daemon.dir().join("link")).expect("removed");
    // The file is open: only HUP makes the daemon look at the name again.
    daemon.signal(Signal::SIGHUP);
    daemon.wait_lines("link", 2000);
    daemon.wait_text("own", "action 'full' resumed (module 'builtin:omfile')");
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("link"), numbered(2000));
    // Whether it counts as suspended depends on how soon the disk was cleared.
    assert_eq!(counters(&stopped, "full")[..3], [2000, 2000, 0]);
}

/// A directory that is not there and not to be made; it appears later.
#[test]
fn missing_directory() {
    if reference() {
        return; // it prints no counters, and gives up where ours goes on
    }
    let mut daemon = start(
        r#"action(name="sub" type="omfile" file="{dir}/sub/out" createDirs="off"
action.resumeRetryCount="-1" action.resumeInterval="1" queue.type="LinkedList")
"#,
    );
    send_all(&mut daemon, &numbered(10));
    daemon.wait_text("own", "/sub/out': open error: No such file or directory (errno 2, uid ");
    fs::create_dir(daemon.dir().join("sub")).expect("made");
    daemon.wait_lines("sub/out", 10);
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("sub/out"), numbered(10));
    assert_eq!(counters(&stopped, "sub")[..3], [10, 10, 0]);
}

/// A pipe that nobody reads holds up its own action only; HUP reopens the others' files meanwhile.
#[test]
fn hup_beside_a_stuck_output() {
    if reference() {
        return; // it prints no counters, and gives up where ours goes on
    }
    const LINES: usize = 20_000;
    let mut daemon = start(
        r#"action(name="stuck" type="omfile" file="{dir}/pipe" queue.type="LinkedList"
queue.size="100000")
action(type="omfile" file="{dir}/out")
"#,
    );
    let path = daemon.dir().join("pipe");
    nix::unistd::mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).expect("a pipe");
    let reader = std::thread::scope(|scope| {
        // Opening a pipe waits for its other end, and that comes with the first message.
        let reader = scope.spawn(|| fs::File::open(&path).expect("opened"));
        send_all(&mut daemon, &numbered(LINES));
        reader.join().expect("the reader")
    });
    daemon.wait_lines("out", LINES);
    fs::rename(daemon.dir().join("out"), daemon.dir().join("out.1")).expect("renamed");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_text("own", "HUPed");
    send_all(&mut daemon, &["<13>after: x".into()]);
    daemon.wait_lines("out", 1);
    // Now somebody reads; all is there. HUP has closed the pipe once, so another reader may be needed.
    let mut text = Vec::new();
    let drained = std::thread::scope(|scope| {
        let keep = fs::OpenOptions::new().read(true).write(true).open(&path).expect("kept open");
        let drain = scope.spawn(|| {
            let mut reader = reader;
            let mut chunk = [0; 65536];
            while text.iter().filter(|&&byte| byte == b'\n').count() < LINES + 1 {
                let n = reader.read(&mut chunk).expect("read");
                text.extend_from_slice(&chunk[..n]);
            }
        });
        drain.join().expect("drained");
        drop(keep);
        daemon.stop()
    });
    let expected = numbered(LINES).join("\n") + "\n<13>after: x\n";
    assert!(text == expected.into_bytes());
    assert_eq!(drained.lines("out"), ["<13>after: x"]);
    assert_eq!(counters(&drained, "stuck"), [LINES + 1, LINES + 1, 0, 0]);
}

/// The second action gets exactly what the first could not take.
#[test]
fn failover() {
    if reference() {
        return; // it prints no counters, and gives up where ours goes on
    }
    let mut daemon = start(
        r#"action(name="first" type="omfile" file="{dir}/link" action.resumeInterval="1000")
action(name="second" type="omfile" file="{dir}/backup"
action.execOnlyWhenPreviousIsSuspended="on")
"#,
    );
    send_all(&mut daemon, &numbered(3));
    daemon.wait_lines("link", 3);
    fs::remove_file(daemon.dir().join("link")).expect("removed");
    symlink("/dev/full", daemon.dir().join("link")).expect("linked");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_text("own", "HUPed");
    send_all(&mut daemon, &numbered(300));
    daemon.wait_lines("backup", 300);
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("backup"), numbered(300));
    assert_eq!(counters(&stopped, "first"), [303, 3, 300, 1]);
    assert_eq!(counters(&stopped, "second"), [300, 300, 0, 0]);
}

/// A size limit, as parameter and as output channel: lines stay whole, none is lost.
#[test]
fn size_limit() {
    if reference() {
        return; // it prints no counters, and gives up where ours goes on
    }
    let mut daemon = start(
        r#"action(type="omfile" file="{dir}/out" rotation.sizeLimit="1000"
rotation.sizeLimitCommand="{dir}/rotate {dir}")
$outchannel channel,{dir}/old,1000,{dir}/rotate {dir}/old
*.* :omfile:$channel;raw
"#,
    );
    // Called with the directory and the file, or with the file alone.
    let script = "#!/bin/sh\nfile=${2:-$1}\ncat \"$file\" >>\"$file.all\"\nrm \"$file\"\n";
    let path = daemon.dir().join("rotate");
    fs::write(&path, script).expect("written");
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("set");
    send_all(&mut daemon, &numbered(500));
    daemon.wait("all lines", |dir| {
        let lines =
            |name: &str| fs::read_to_string(dir.join(name)).map_or(0, |t| t.lines().count());
        (lines("out.all") + lines("out") == 500 && lines("old.all") + lines("old") == 500)
            .then_some(())
    });
    let stopped = daemon.stop();
    for name in ["out", "old"] {
        let mut lines = stopped.lines(&format!("{name}.all"));
        // The size is looked at once per `ioBufferSize`; how the lines fall on writes is up to the scheduler.
        assert!(!lines.is_empty(), "{name} was moved away");
        lines.extend(stopped.lines(name));
        assert_eq!(lines, numbered(500), "{name}");
    }
}

/// What is said of an action that is suspended again and again, as far as it is to be said.
#[test]
fn suspensions_are_reported_as_configured() {
    if reference() {
        return; // it retries each message
    }
    for (report, continuation, counts) in
        [("on", "off", 1..2), ("off", "off", 0..1), ("on", "on", 2..usize::MAX)]
    {
        let mut daemon = start(&format!(
            r#"action(name="full" type="omfile" file="/dev/full" action.resumeInterval="1"
    action.reportSuspension="{report}" action.reportSuspensionContinuation="{continuation}")
action(type="omfile" file="{{dir}}/out")
"#
        ));
        let port = daemon.port("port");
        let errors = |text: &str| text.matches("write error").count();
        // Until it has been tried three times: whenever that fails, the output says so.
        daemon.wait("three failures", |dir| {
            send::tcp(port, b"<13>a: b\n");
            let own = fs::read_to_string(dir.join("own")).unwrap_or_default();
            (errors(&own) >= 3).then_some(())
        });
        let stopped = daemon.stop();
        let own = stopped.lines("own").join("\n");
        let told =
            own.matches("action 'full' suspended (module 'builtin:omfile'), next retry").count();
        assert!(counts.contains(&told), "{report} {continuation}: {told}\n{own}");
    }
}

/// `action.resumeIntervalMax`: no pause is longer.
#[test]
fn no_pause_is_longer_than_the_longest() {
    if reference() {
        return; // it prints no counters
    }
    for (longest, pause) in [("", 1800), ("action.resumeIntervalMax=\"60\"", 60)] {
        let mut daemon = start(&format!(
            r#"action(name="full" type="omfile" file="/dev/full" action.resumeInterval="7200" {longest})
"#
        ));
        send_all(&mut daemon, &numbered(1));
        daemon
            .wait_text("own", "action 'full' suspended (module 'builtin:omfile'), next retry is ");
        let stopped = daemon.stop();
        let objects = ledger::parse(&stopped.stderr);
        assert_eq!(ledger::find(&objects, "full").get("suspended.duration"), pause, "{longest}");
    }
}

/// Files and directories that are made belong to whom they should; root may give them to anybody.
#[test]
fn owners_of_files_and_directories() {
    use std::os::unix::fs::MetadataExt as _;
    let root = nix::unistd::geteuid().is_root();
    let own = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    let (user, group) = if root { (12345, 23456) } else { own };
    let mut daemon = start(&format!(
        r#"action(type="omfile" file="{{dir}}/sub/deep/out" dirOwnerNum="{user}" dirGroupNum="{group}"
    fileOwnerNum="{user}" fileGroupNum="{group}" dirCreateMode="0755" fileCreateMode="0640")
action(type="omfile" file="{{dir}}/named/out" fileOwner="root" dirOwner="root" fileGroup="root" dirGroup="root"
    failOnChOwnFailure="off")
action(type="omfile" file="{{dir}}/out")
"#
    ));
    send_all(&mut daemon, &numbered(2));
    let stopped = daemon.stop();
    let owner = |name: &str| {
        let file = fs::metadata(stopped.dir.path().join(name)).expect(name);
        (file.uid(), file.gid())
    };
    for name in ["sub", "sub/deep", "sub/deep/out"] {
        assert_eq!(owner(name), (user, group), "{name}");
    }
    // Who may not give them to root keeps them, and writes all the same.
    for name in ["named", "named/out"] {
        assert_eq!(owner(name), if root { (0, 0) } else { own }, "{name}");
    }
    assert_eq!(stopped.lines("sub/deep/out"), numbered(2));
    assert_eq!(stopped.lines("named/out"), numbered(2));
}

/// A command that does not make room stops the file, which is said, until HUP.
#[test]
fn a_size_limit_command_that_does_not_help() {
    let mut daemon = start(
        r#"action(type="omfile" file="{dir}/full" rotation.sizeLimit="20" rotation.sizeLimitCommand="/bin/true")
action(type="omfile" file="{dir}/gone" rotation.sizeLimit="20" rotation.sizeLimitCommand="{dir}/no-such-command")
action(type="omfile" file="{dir}/out")
"#,
    );
    let port = daemon.port("port");
    let mut sent = 0;
    // The size is looked at before a write: how many messages are one is up to the scheduler.
    daemon.wait("both files are stopped", |dir| {
        send::tcp(port, b"<13>a: b\n");
        sent += 1;
        let own = fs::read_to_string(dir.join("own")).unwrap_or_default();
        let stopped = |name: &str| {
            let text = format!("file size limit cmd for file '{}'", dir.join(name).display());
            own.contains(&text)
        };
        (stopped("full") && stopped("gone")).then_some(())
    });
    send_all(&mut daemon, &numbered(3));
    let stopped = daemon.stop_lossy();
    let own = stopped.lines("own").join("\n");
    assert!(own.contains("did no resolve situation"), "{own}");
    for name in ["full", "gone"] {
        let lines = stopped.lines(name);
        assert!(!lines.is_empty() && lines.len() <= sent, "{name}: {lines:?} of {sent}");
    }
}

/// omstdout: each message a line, whether its template ends in one or not.
#[test]
fn lines_on_standard_output() {
    if reference() {
        return; // Debian's package comes without the module
    }
    let mut daemon = start(
        r#"module(load="omstdout")
template(name="bare" type="string" string="%rawmsg%")
action(type="omstdout" template="bare")
action(type="omstdout" template="raw")
action(type="omstdout" template="bare" ensureLFEnding="off")
"#,
    );
    send_all(&mut daemon, &numbered(2));
    let stopped = daemon.stop();
    assert_eq!(String::from_utf8_lossy(&stopped.read("stdout")).matches("<13>a: 0").count(), 3);
    let mut lines = stopped.lines("stdout");
    lines.sort_unstable();
    let [first, second] = ["<13>a: 0", "<13>a: 1"].map(str::to_owned);
    let joined = [first.clone(), second.clone()].concat();
    assert_eq!(lines, [first.clone(), first, joined, second.clone(), second]);
}

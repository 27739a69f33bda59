//! State files and outputs when the process is killed in the middle of a write, and when the disk is really full.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use nix::sys::statvfs::statvfs;

use crate::harness::daemon::{Daemon, program, tempdir, wait_lines_in};
use crate::harness::send;

const KILLED: &str = r#"global(net.enableDNS="off")
module(load="omsendertrack")
module(load="imtcp")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
action(type="omsendertrack" senderId="%hostname%" stateFile="{dir}/state" cmdFile="{dir}/commands")
"#;
/// So many that a file is written in several pieces.
const SENDERS: usize = 20_000;

/// Edge case 14 of `spec/omsendertrack.md`: whatever has been written of the next file when the process is killed, the
/// state file is a whole one. `rounds` times at least, and until a kill has come in the middle of a write.
fn kill(rounds: usize) {
    let mut dir = tempdir();
    let rows: Vec<_> = (0..SENDERS)
        .map(|n| {
            format!("{{\"sender\":\"h{n:05}\",\"messages\":1,\"firstseen\":1,\"lastseen\":1}}")
        })
        .collect();
    let text = format!("[\n{}\n]\n", rows.join(",\n"));
    fs::write(dir.path().join("state"), &text).expect("written");
    let mut torn = 0;
    for round in 0.. {
        if round >= rounds && torn > 0 {
            break;
        }
        let mut daemon = Daemon::start_program(&program(), KILLED, &[], dir);
        fs::write(daemon.dir().join("commands"), "FLUSH\n").expect("written");
        daemon.signal(Signal::SIGHUP);
        let old =
            fs::metadata(daemon.dir().join("state")).expect("there").modified().expect("a time");
        let wanted = (text.len() * (round % 12) / 10) as u64;
        daemon.wait("the file being written", |dir| {
            let written =
                fs::metadata(dir.join("state.tmp")).is_ok_and(|file| file.len() >= wanted);
            let done =
                fs::metadata(dir.join("state")).is_ok_and(|file| file.modified().ok() != Some(old));
            (written || done).then_some(())
        });
        daemon.signal(Signal::SIGKILL);
        let killed = daemon.join();
        let state = killed.read("state");
        let parsed: serde_json::Value = serde_json::from_slice(&state).expect("a whole file");
        assert_eq!(parsed.as_array().map(Vec::len), Some(SENDERS));
        torn += usize::from(killed.dir.path().join("state.tmp").exists());
        dir = killed.dir;
        for name in ["pid", "port"] {
            fs::remove_file(dir.path().join(name)).expect("there");
        }
    }
}

#[test]
fn a_kill_leaves_a_whole_state_file() {
    kill(12);
}

#[test]
#[ignore = "minutes: scripts/test --slow"]
fn a_thousand_kills_leave_a_whole_state_file() {
    kill(1000);
}

/// A small file system of its own; gone when dropped.
struct Disk(PathBuf);

impl Disk {
    /// `None`, and says so, where that is not allowed.
    fn mount(path: PathBuf) -> Option<Self> {
        fs::create_dir(&path).expect("a directory");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs"]).arg(&path);
        let mounted = mount.output().expect("mount, of Debian's package mount");
        if !mounted.status.success() {
            let why = String::from_utf8_lossy(&mounted.stderr).into_owned();
            let said =
                format!("skipped: mounting a file system that can be full needs root: {why}\n");
            // Past the harness, which shows nothing of a test that passes.
            let _ = std::io::stderr().write_all(said.as_bytes());
            return None;
        }
        Some(Self(path))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Takes all the room there is, and what temporary files of the daemon's take, too.
    fn fill(&self) {
        let mut filler = File::create(self.path("filler")).expect("created");
        loop {
            if let Err(error) = filler.write_all(&[0; 512]) {
                assert_eq!(error.kind(), ErrorKind::StorageFull);
                let is_temporary = |name: &OsStr| name.to_string_lossy().contains(".tmp");
                let mut files = fs::read_dir(&self.0).expect("a directory").flatten();
                let free = statvfs(&self.0).expect("statvfs").blocks_available();
                if free == 0 && !files.any(|file| is_temporary(&file.file_name())) {
                    return;
                }
            }
        }
    }

    fn free(&self) {
        fs::remove_file(self.path("filler")).expect("removed");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

const FULL: &str = r#"global(net.enableDNS="off" processInternalMessages="on" workDirectory="{dir}")
module(load="impstats" interval="1" log.syslog="off" log.file="{dir}/disk/stats")
module(load="omsendertrack")
module(load="imtcp")
dyn_stats(name="hosts" resettable="off" persistStateInterval="1" statefile.directory="{dir}/disk")
template(name="own" type="string" string="%msg%\n")
template(name="out" type="string" string="%msg:2:$%\n")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
if $inputname == "rsyslogd" then { action(type="omfile" file="{dir}/own" template="own") stop }
set $.x = dyn_inc("hosts", $hostname);
action(type="omsendertrack" senderId="%hostname%" stateFile="{dir}/disk/state" interval="1")
action(type="omfile" name="out" file="{dir}/disk/out" template="out" queue.type="linkedList"
       action.resumeRetryCount="-1" action.resumeInterval="1")
"#;

fn send_numbers(port: u16, numbers: std::ops::Range<usize>) {
    let line = |n| format!("<13>Oct 11 22:14:15 h{} t: message {n}\n", n % 200);
    let text: String = numbers.map(line).collect();
    send::tcp(port, text.as_bytes());
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Each of them says that there is no room, nothing stands still, and when there is room again nothing is missing.
#[test]
fn nothing_is_lost_when_the_disk_was_full() {
    let dir = tempdir();
    let Some(disk) = Disk::mount(dir.path().join("disk")) else { return };
    let mut daemon = Daemon::start_program(&program(), FULL, &["-d"], dir);
    let port = daemon.port("port");
    send_numbers(port, 0..10);
    wait_lines_in(&disk.0, "out", 10);
    disk.fill();
    send_numbers(port, 10..1000);
    for said in [
        "statefile '",
        "impstats: cannot write stats file",
        "dynstats-state:hosts' is not written",
        "action 'out' suspended",
    ] {
        daemon.wait_text("own", said);
    }
    disk.free();
    for said in ["/state' is written again", "hosts' is written again", "action 'out' resumed"] {
        daemon.wait_text("own", said);
    }
    wait_lines_in(&disk.0, "out", 1000);
    let before = lines(&disk.path("stats")).len();
    wait_lines_in(&disk.0, "stats", before + 1);
    let stopped = daemon.stop();
    let own = stopped.lines("own").join("\n");
    for (said, times) in [
        ("/disk/state' is not written: cannot ", 1),
        ("No space left on device (os error 28)", 3),
        ("/disk/state' is written again", 1),
        ("/disk/dynstats-state:hosts' is written again", 1),
    ] {
        assert_eq!(own.matches(said).count(), times, "{said}\n{own}");
    }
    let wanted: Vec<_> = (0..1000).map(|n| format!("message {n}")).collect();
    assert_eq!(lines(&disk.path("out")), wanted);
    let parse = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&fs::read(disk.path(name)).expect(name)).expect("JSON")
    };
    let state = parse("state");
    let counts = state.as_array().expect("an array").iter();
    assert_eq!(
        counts.map(|sender| sender["messages"].as_u64().expect("a count")).sum::<u64>(),
        1000
    );
    assert_eq!(parse("dynstats-state:hosts")["values"]["h7"], 5);
}

/// Each write is a gzip member of its own: nothing that is in the file can be cut off from its end by a kill, nor by what
/// a later daemon appends.
#[test]
fn a_compressed_file_is_whole_after_kills() {
    const CONFIG: &str = r#"global(net.enableDNS="off")
module(load="imtcp")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
template(name="raw" type="string" string="%msg%\n")
action(type="omfile" file="{dir}/out.gz" template="raw" zipLevel="6")
action(type="omfile" file="{dir}/out" template="raw")
"#;
    let mut dir = tempdir();
    for round in 0..3 {
        let mut daemon = Daemon::start_program(&program(), CONFIG, &[], dir);
        let port = daemon.port("port");
        for n in 0..3 {
            send::tcp(port, format!("<13>Oct 11 22:14:15 h t: {round}.{n}\n").as_bytes());
            daemon.wait_lines("out", round * 3 + n + 1);
            daemon.signal(Signal::SIGHUP);
        }
        daemon.signal(Signal::SIGKILL);
        let killed = daemon.join();
        let (packed, plain) = (killed.read("out.gz"), killed.read("out"));
        let mut text = Vec::new();
        flate2::read::MultiGzDecoder::new(&packed[..]).read_to_end(&mut text).expect("gzip");
        assert_eq!(String::from_utf8_lossy(&text), String::from_utf8_lossy(&plain));
        dir = killed.dir;
        for name in ["pid", "port"] {
            fs::remove_file(dir.path().join(name)).expect("there");
        }
    }
}

//! One running daemon in a directory of its own: start, wait for something, signal, stop.
//!
//! Readiness is the pid file: both programs write it after every socket is bound.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use nix::sys::signal::{Signal, kill};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use tempfile::TempDir;

/// How long anything may take before a test fails: only what hangs takes as long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(300);

/// What every configuration of ours begins with: the daemon, too, has time enough at its end, however slow the machine
/// is. A `main_queue()` has to say so itself. (rsyslogd sometimes waits for as long as it may.)
pub(crate) const PATIENT: &str = r#"global(default.ruleset.queue.timeoutShutdown="120000" default.action.queue.timeoutShutdown="120000"
       inputs.timeout.shutdown="120000")
$MainMsgQueueTimeoutShutdown 120000
"#;

/// The program under test.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("DAEMON").map_or_else(|| env!("CARGO_BIN_EXE_sluiced").into(), PathBuf::from)
}

/// Whether the program under test is the reference.
pub(crate) fn reference() -> bool {
    is_reference(&program())
}

/// Whether ThreadSanitizer watches the program (`scripts/test --races`): it needs memory and time for itself.
pub(crate) fn is_watched() -> bool {
    std::env::var_os("TSAN_OPTIONS").is_some()
}

/// Whether `program` is the reference, which has neither our counters nor our fixes.
fn is_reference(program: &Path) -> bool {
    program.file_name() == Some(OsStr::new("rsyslogd"))
}

/// A daemon in the foreground with its directory; killed when dropped without [`Daemon::stop`].
pub(crate) struct Daemon {
    dir: TempDir,
    program: PathBuf,
    child: Child,
    inotify: Inotify,
    #[allow(dead_code, reason = "the load generator reads it")]
    watch: WatchDescriptor,
    /// The other end is the daemon's standard input: this one hangs up when the daemon is gone.
    alive: UnixStream,
    /// Ports handed out, kept bound so that no other test gets them.
    _reserved: Vec<std::net::UdpSocket>,
    udp_ports: Vec<u16>,
}

/// What is left of a daemon that ended: its directory, its exit status, what it said.
pub(crate) struct Stopped {
    pub(crate) dir: TempDir,
    pub(crate) status: ExitStatus,
    pub(crate) stderr: String,
}

impl Daemon {
    /// Starts [`program`] and waits until it is ready. In `config`, `{dir}` is the test's directory and `{udp}`,
    /// `{udp2}` are free UDP ports on loopback.
    pub(crate) fn start(config: &str) -> Self {
        let program = program();
        let debug: &[&str] = if is_reference(&program) { &[] } else { &["-d"] };
        Self::start_program(&program, config, debug, tempdir())
    }

    /// As [`Daemon::start`], with everything chosen by the caller.
    pub(crate) fn start_program(program: &Path, config: &str, args: &[&str], dir: TempDir) -> Self {
        let mut daemon = Self::spawn(program, config, args, dir);
        daemon.wait("the pid file", |dir| dir.join("pid").exists().then_some(()));
        daemon
    }

    /// Starts without waiting for readiness: for configurations that must not come up.
    pub(crate) fn spawn(program: &Path, config: &str, args: &[&str], dir: TempDir) -> Self {
        let (reserved, udp_ports): (Vec<_>, Vec<_>) = (0..2).map(|_| reserve_udp()).unzip();
        let patient = if is_reference(program) { "" } else { PATIENT };
        let config = format!("{patient}{config}")
            .replace("{dir}", dir.path().to_str().expect("temp dir is UTF-8"))
            .replace("{udp}", &udp_ports[0].to_string())
            .replace("{udp2}", &udp_ports[1].to_string());
        let config_path = dir.path().join("conf");
        fs::write(&config_path, config).expect("write configuration");
        let inotify =
            Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).expect("inotify");
        let events = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MODIFY
            | AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_DELETE;
        let watch = inotify.add_watch(dir.path(), events).expect("watch");
        let (alive, stdin) = UnixStream::pair().expect("socketpair");
        let create = |name: &str| File::create(dir.path().join(name)).expect("create");
        let child = Command::new(program)
            .args(["-n", "-i"])
            .arg(dir.path().join("pid"))
            .arg("-f")
            .arg(&config_path)
            .args(args)
            .current_dir(dir.path())
            .env("TZ", "UTC")
            .stdin(std::os::fd::OwnedFd::from(stdin))
            .stdout(create("stdout"))
            .stderr(create("stderr"))
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()));
        let program = program.to_path_buf();
        Self { dir, program, child, inotify, watch, alive, _reserved: reserved, udp_ports }
    }

    /// Stops watching the directory: for measurements, where every event costs the daemon time. Only waiting for
    /// the end works afterwards.
    #[allow(dead_code, reason = "the load generator calls it")]
    pub(crate) fn unwatch(&self) {
        self.inotify.rm_watch(self.watch).expect("remove watch");
    }

    /// The test's directory.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The daemon's process id.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("pid fits"))
    }

    /// The number in port file `name`.
    pub(crate) fn port(&mut self, name: &str) -> u16 {
        self.wait(name, |dir| fs::read_to_string(dir.join(name)).ok()?.parse().ok())
    }

    /// The UDP port that stood for `{udp}` (0) or `{udp2}` (1).
    pub(crate) fn udp_port(&self, index: usize) -> u16 {
        self.udp_ports[index]
    }

    /// Blocks until `ready` yields a value; fails the test when the daemon dies or the deadline passes.
    pub(crate) fn wait<T>(&mut self, what: &str, mut ready: impl FnMut(&Path) -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(value) = ready(self.dir.path()) {
                return value;
            }
            if self.block(deadline) == Woken::Gone {
                // It may have produced what we wait for just before it ended.
                if let Some(value) = ready(self.dir.path()) {
                    return value;
                }
                self.fail(&format!("ended while waiting for {what}"));
            }
            if Instant::now() >= deadline {
                self.fail(&format!("timed out waiting for {what}"));
            }
        }
    }

    /// Waits until file `name` holds at least `lines` lines, and returns its bytes.
    pub(crate) fn wait_lines(&mut self, name: &str, lines: usize) -> Vec<u8> {
        self.wait(&format!("{lines} lines in {name}"), |dir| {
            let bytes = fs::read(dir.join(name)).ok()?;
            (bytes.iter().filter(|&&byte| byte == b'\n').count() >= lines).then_some(bytes)
        })
    }

    /// Waits until file `name` contains `text`.
    pub(crate) fn wait_text(&mut self, name: &str, text: &str) {
        self.wait(&format!("{text:?} in {name}"), |dir| {
            let bytes = fs::read(dir.join(name)).ok()?;
            String::from_utf8_lossy(&bytes).contains(text).then_some(())
        });
    }

    /// Peak resident memory so far.
    pub(crate) fn peak_memory_kib(&self) -> u64 {
        self.status_field("VmHWM")
    }

    /// A number from `/proc/PID/status`.
    pub(crate) fn status_field(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("status");
        let line = status.lines().find(|line| line.starts_with(field)).expect("field");
        line.split_ascii_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("number")
    }

    /// CPU time used so far by all threads of the daemon, ended ones included.
    pub(crate) fn cpu_time(&self) -> Duration {
        let clock = ClockId::pid_cpu_clock_id(self.pid()).expect("CPU clock of the daemon");
        clock_gettime(clock).expect("the daemon is alive").into()
    }

    /// Lets `time` pass: only for a test of what happens when nothing happens.
    pub(crate) fn idle(&self, time: Duration) {
        let deadline = Instant::now() + time;
        while Instant::now() < deadline {
            assert!(self.block(deadline) == Woken::Changed, "the daemon is gone");
        }
    }

    /// Sends `signal`.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("signal the daemon");
    }

    /// TERM, wait for the end, check the exit status and the loss ledger.
    pub(crate) fn stop(self) -> Stopped {
        let reference = is_reference(&self.program);
        let stopped = self.stop_lossy();
        if !reference {
            super::ledger::check(&stopped.stderr);
        }
        stopped
    }

    /// The same where losing messages is what the test is about: it checks the ledger itself.
    pub(crate) fn stop_lossy(self) -> Stopped {
        self.signal(Signal::SIGTERM);
        let stopped = self.join();
        assert!(stopped.status.success(), "{}\n{}", stopped.status, stopped.stderr);
        stopped
    }

    /// Waits for the daemon to end by itself.
    pub(crate) fn join(mut self) -> Stopped {
        let deadline = Instant::now() + DEADLINE;
        while self.block(deadline) == Woken::Changed {
            if Instant::now() >= deadline {
                self.fail("timed out waiting for the end");
            }
        }
        let status = self.child.wait().expect("wait for the daemon");
        let stderr = self.stderr();
        let empty = TempDir::new().expect("temp dir");
        Stopped { dir: std::mem::replace(&mut self.dir, empty), status, stderr }
    }

    /// What the daemon wrote to standard error so far.
    pub(crate) fn stderr(&self) -> String {
        let bytes = fs::read(self.dir.path().join("stderr")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Blocks until a file in the directory changes, the daemon ends or the deadline passes.
    fn block(&self, deadline: Instant) -> Woken {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut fds = [
            PollFd::new(self.inotify.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.alive.as_fd(), PollFlags::empty()),
        ];
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => panic!("poll: {error}"),
        }
        let gone = fds[1].any().unwrap_or(false);
        // The events themselves don't matter: every condition looks at the files.
        while self.inotify.read_events().is_ok_and(|events| !events.is_empty()) {}
        if gone { Woken::Gone } else { Woken::Changed }
    }

    fn fail(&self, what: &str) -> ! {
        let config = fs::read_to_string(self.dir.path().join("conf")).unwrap_or_default();
        let stderr = self.stderr();
        let tail = stderr.len().saturating_sub(4000);
        let tail = stderr.get(tail..).unwrap_or(&stderr);
        panic!(
            "{} {what}\n--- configuration\n{config}\n--- stderr\n{tail}",
            self.program.display()
        );
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Stopped {
    /// The bytes of file `name`; empty when the daemon never created it.
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        match fs::read(self.dir.path().join(name)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => panic!("{name}: {error}"),
        }
    }

    /// The lines of file `name`, as lossy text without their LF.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        String::from_utf8_lossy(&self.read(name)).lines().map(str::to_owned).collect()
    }
}

/// Runs the program to its end with `args`: `-N1`, `--version` and the like.
pub(crate) fn run(args: &[&str]) -> Output {
    Command::new(program()).args(args).output().expect("run the daemon")
}

/// Waits until `dir/name` is gone: the end of a daemon in the background.
pub(crate) fn wait_gone(dir: &Path, name: &str) {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC).expect("inotify");
    inotify.add_watch(dir, AddWatchFlags::IN_DELETE).expect("watch");
    while dir.join(name).exists() {
        let mut fds = [PollFd::new(inotify.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(DEADLINE).expect("fits");
        assert_ne!(poll(&mut fds, timeout).expect("poll"), 0, "{name} is still there");
        inotify.read_events().expect("events");
    }
}

/// Waits until `dir/name`, below a daemon's directory, holds at least `lines` lines.
pub(crate) fn wait_lines_in(dir: &Path, name: &str, lines: usize) {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC).expect("inotify");
    inotify.add_watch(dir, AddWatchFlags::IN_MODIFY).expect("watch");
    let count = || {
        let bytes = fs::read(dir.join(name)).unwrap_or_default();
        bytes.iter().filter(|&&byte| byte == b'\n').count()
    };
    while count() < lines {
        let mut fds = [PollFd::new(inotify.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(DEADLINE).expect("fits");
        assert_ne!(poll(&mut fds, timeout).expect("poll"), 0, "{name} has {} lines", count());
        inotify.read_events().expect("events");
    }
}

/// Room for thousands of connections, in this process and in the daemons it starts.
pub(crate) fn raise_descriptor_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("getrlimit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("setrlimit");
}

/// A directory for one test.
pub(crate) fn tempdir() -> TempDir {
    tempfile::Builder::new().prefix("sluice-").tempdir().expect("temp dir")
}

#[derive(PartialEq, Eq)]
enum Woken {
    Changed,
    Gone,
}

/// A free UDP port on loopback. The socket is bound first and made sharable afterwards, so the kernel picks a
/// port nobody has, and the daemon (which binds with `SO_REUSEADDR`) may join us on it and gets the datagrams.
fn reserve_udp() -> (std::net::UdpSocket, u16) {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("bind");
    socket2::SockRef::from(&socket).set_reuse_address(true).expect("SO_REUSEADDR");
    let port = socket.local_addr().expect("address").port();
    (socket, port)
}

//! The process and its threads: named threads, host name, identity, chroot, the way into the background.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, FromRawFd as _, OwnedFd};
use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::signal::{SigSet, SigmaskHow};
use nix::unistd::{self, ForkResult, Gid, Uid};

/// Bytes of stack of every thread. Rendering and rule evaluation recurse no deeper than `limits` allows.
const STACK_BYTES: usize = 1024 * 1024;

/// Starts a thread that no signal is delivered to, so that all of them reach the control thread.
/// `name` shows in `top -H` and in stack traces; the kernel keeps its first 15 bytes.
///
/// # Errors
/// When the kernel gives no further thread.
pub fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    // A thread inherits the mask, so it is set around the call and not inside the thread, where a
    // signal could come before it.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let thread = Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(body);
    before.thread_set_mask()?;
    thread
}

/// The kernel's host name, as it is (perhaps with a domain), or the reference's replacement for none.
#[must_use]
pub fn hostname() -> Vec<u8> {
    let mut name = [0_u8; 256]; // HOST_NAME_MAX is 64; the array's last byte stays NUL
    // SAFETY: the buffer is valid for the length given, which leaves one byte for the terminator.
    let rc = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len() - 1) };
    let len = name.iter().position(|&b| b == 0).unwrap_or(0);
    if rc != 0 || len == 0 { b"localhost-empty-hostname".to_vec() } else { name[..len].to_vec() }
}

/// Whole seconds since the machine was started.
#[must_use]
pub fn uptime_secs() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is valid for the call.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    u64::try_from(time.tv_sec).unwrap_or(0)
}

/// Sets environment variables. No thread may be running yet.
#[allow(clippy::disallowed_methods, reason = "this is where one thread only is made sure of")]
pub fn set_environment<'a>(variables: impl IntoIterator<Item = (&'a OsStr, &'a OsStr)>) {
    for (name, value) in variables {
        // SAFETY: the caller runs one thread only, so nobody reads the environment at the same time.
        unsafe { std::env::set_var(name, value) };
    }
}

/// A descriptor that becomes readable when the child ends.
///
/// # Errors
/// Those of pidfd_open(2); `Unsupported` before Linux 5.3.
pub fn descriptor(child: &Child) -> io::Result<OwnedFd> {
    // SAFETY: takes no pointer. pidfd_open(2): "the close-on-exec flag is set on the file descriptor".
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, child.id(), 0) };
    match i32::try_from(fd) {
        // SAFETY: the call has just made it, and nobody else knows it.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Whether there is such a process, of whatever user.
#[must_use]
pub fn is_alive(pid: i32) -> bool {
    use nix::errno::Errno;
    use nix::sys::signal::kill;
    pid > 0 && kill(unistd::Pid::from_raw(pid), None) != Err(Errno::ESRCH)
}

/// Effective user and group id.
#[must_use]
pub fn effective_ids() -> (u32, u32) {
    (unistd::geteuid().as_raw(), unistd::getegid().as_raw())
}

/// Replaces the file mode creation mask and returns the old one.
pub fn umask(mask: u32) -> u32 {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(mask)).bits()
}

/// Makes `root` the root and the current directory.
///
/// # Errors
/// Those of chroot(2) and chdir(2).
pub fn chroot(root: &Path) -> io::Result<()> {
    unistd::chroot(root)?;
    Ok(unistd::chdir("/")?)
}

/// Becomes group `gid` for good, of all threads. Supplemental groups go too, unless `keep_supplemental`.
///
/// # Errors
/// The step that failed, in the reference's words; the identity may be changed in part, so give up.
pub fn drop_to_group(gid: u32, keep_supplemental: bool) -> Result<(), String> {
    if !keep_supplemental {
        unistd::setgroups(&[]).map_err(|why| {
            format!(
                "could not remove supplemental group IDs via setgroups(): missing CAP_SETGID or \
                 insufficient privilege: {why}"
            )
        })?;
    }
    unistd::setgid(Gid::from_raw(gid)).map_err(|why| {
        format!(
            "could not set requested group id {gid} via setgid(): missing CAP_SETGID or \
             insufficient privilege: {why}"
        )
    })
}

/// Becomes user `uid` for good, of all threads, with that user's supplemental groups. Comes after
/// [`drop_to_group`]. `Ok` carries a warning where the supplemental groups could not be had.
///
/// # Errors
/// The user cannot be changed; in the reference's words.
pub fn drop_to_user(uid: u32) -> Result<Option<String>, String> {
    let warning = supplemental_groups(uid).err();
    unistd::setuid(Uid::from_raw(uid)).map_err(|why| {
        format!(
            "could not set requested user id {uid} via setuid(): missing CAP_SETUID or \
             insufficient privilege: {why}"
        )
    })?;
    Ok(warning)
}

fn supplemental_groups(uid: u32) -> Result<(), String> {
    let user = unistd::User::from_uid(Uid::from_raw(uid)).ok().flatten();
    let user = user.ok_or_else(|| format!("could not get username for userid '{uid}'"))?;
    let name = std::ffi::CString::new(user.name).map_err(|why| why.to_string())?;
    unistd::initgroups(&name, unistd::getgid()).map_err(|why| {
        format!(
            "could not initialize supplemental groups for user id {uid} via initgroups(): missing \
             CAP_SETUID or insufficient privilege: {why}"
        )
    })
}

/// Ends the process with abort(3) when TERM has come `times` times: whatever hangs, hangs no longer.
///
/// # Errors
/// When the handler cannot be installed.
pub fn abort_on_repeated_term(times: usize) -> io::Result<()> {
    static TERMS: AtomicUsize = AtomicUsize::new(0);
    let count = move || {
        // Relaxed: only the number counts.
        if TERMS.fetch_add(1, Ordering::Relaxed) + 1 >= times {
            // abort(3) is async-signal-safe (signal-safety(7)).
            std::process::abort();
        }
    };
    // SAFETY: the handler only touches an atomic and calls abort(3), both async-signal-safe.
    unsafe { signal_hook::low_level::register(libc::SIGTERM, count) }.map(drop)
}

/// How the kernel schedules a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduling {
    /// Real time; runs until it waits or a higher priority is ready.
    Fifo,
    /// Real time; shares with threads of the same priority.
    RoundRobin,
    /// The default.
    Other,
}

impl Scheduling {
    const fn policy(self) -> libc::c_int {
        match self {
            Self::Fifo => libc::SCHED_FIFO,
            Self::RoundRobin => libc::SCHED_RR,
            Self::Other => libc::SCHED_OTHER,
        }
    }

    /// Lowest and highest priority.
    #[must_use]
    pub fn priorities(self) -> (i32, i32) {
        // SAFETY: takes no pointer.
        let lowest = unsafe { libc::sched_get_priority_min(self.policy()) };
        // SAFETY: takes no pointer.
        (lowest, unsafe { libc::sched_get_priority_max(self.policy()) })
    }

    /// Schedules the calling thread so.
    ///
    /// # Errors
    /// Those of `pthread_setschedparam(3)`; without `CAP_SYS_NICE` it is `PermissionDenied`.
    pub fn apply(self, priority: i32) -> io::Result<()> {
        let parameters = libc::sched_param { sched_priority: priority };
        // SAFETY: takes no pointer.
        let thread = unsafe { libc::pthread_self() };
        // SAFETY: the thread is this one, and the parameters live through the call.
        let rc =
            unsafe { libc::pthread_setschedparam(thread, self.policy(), &raw const parameters) };
        if rc == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(rc)) }
    }
}

/// The two processes after [`fork`].
#[derive(Debug)]
pub enum Fork {
    /// The one the user started: waits for the daemon's word and exits.
    Parent(Startup),
    /// The daemon.
    Child(Readiness),
}

/// The parent's end of the pipe.
#[derive(Debug)]
pub struct Startup(OwnedFd);

/// The daemon's end of the pipe. Dropping it tells the parent that the daemon failed.
#[derive(Debug)]
pub struct Readiness(File);

/// Splits off a daemon in a session of its own, with standard input from `/dev/null`; standard output and
/// error stay until [`Readiness::ready`], for messages about the start. No thread may be running yet.
///
/// # Errors
/// Those of pipe(2), fork(2), setsid(2) and of opening `/dev/null`.
pub fn fork() -> io::Result<Fork> {
    let (read, write) = unistd::pipe2(OFlag::O_CLOEXEC)?;
    // SAFETY: the caller runs one thread only, so the child's memory is in a consistent state.
    match unsafe { unistd::fork() }? {
        ForkResult::Parent { .. } => Ok(Fork::Parent(Startup(read))),
        ForkResult::Child => {
            unistd::setsid()?;
            unistd::dup2_stdin(File::open("/dev/null")?)?;
            Ok(Fork::Child(Readiness(File::from(write))))
        }
    }
}

impl Startup {
    /// Waits until the daemon is ready.
    ///
    /// # Errors
    /// What the daemon said, or that it said nothing within `patience`.
    pub fn wait(self, patience: Duration) -> Result<(), String> {
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
        match nix::poll::poll(&mut fds, timeout) {
            Ok(0) => Err(format!(
                "child did not respond within startup timeout ({} seconds)",
                patience.as_secs()
            )),
            Ok(_) => {
                let mut word = Vec::new();
                let read = File::from(self.0).read_to_end(&mut word);
                match (read, word.as_slice()) {
                    (Ok(_), b"OK") => Ok(()),
                    (Ok(_), b"") => Err("the daemon ended before it was ready".to_owned()),
                    (Ok(_), text) => Err(String::from_utf8_lossy(text).into_owned()),
                    (Err(why), _) => Err(format!("error reading \"fork pipe\": {why}")),
                }
            }
            Err(why) => Err(format!("poll() failed: {why}")),
        }
    }
}

impl Readiness {
    /// Lets the parent exit with success and gives up its standard output and error.
    ///
    /// # Errors
    /// When `/dev/null` cannot be opened. The parent is told first.
    pub fn ready(mut self) -> io::Result<()> {
        self.0.write_all(b"OK")?;
        let null = File::options().write(true).open("/dev/null")?;
        unistd::dup2_stdout(null.as_fd())?;
        Ok(unistd::dup2_stderr(null.as_fd())?)
    }

    /// Lets the parent print `why` and exit with failure.
    pub fn failed(mut self, why: &str) {
        // A parent that is gone needs no word.
        let _ = self.0.write_all(why.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_named_and_take_no_signals() {
        let thread = spawn("a name", || {
            let mask = SigSet::thread_get_mask().unwrap();
            (std::thread::current().name().map(str::to_owned), mask)
        });
        let (name, mask) = thread.unwrap().join().unwrap();
        assert_eq!(name.as_deref(), Some("a name"));
        assert!(mask.contains(nix::sys::signal::Signal::SIGTERM));
        assert!(!SigSet::thread_get_mask().unwrap().contains(nix::sys::signal::Signal::SIGTERM));
    }

    #[test]
    fn the_parent_hears_the_daemons_word() {
        let pipe = || {
            let (read, write) = unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
            (Startup(read), Readiness(File::from(write)))
        };
        let patience = Duration::from_secs(20);
        let (parent, child) = pipe();
        child.failed("no such ruleset");
        assert_eq!(parent.wait(patience), Err("no such ruleset".to_owned()));

        let (parent, child) = pipe();
        drop(child);
        assert!(parent.wait(patience).unwrap_err().contains("ended before"));

        let (parent, mut child) = pipe();
        child.0.write_all(b"OK").unwrap();
        drop(child);
        assert_eq!(parent.wait(patience), Ok(()));

        let (parent, child) = pipe();
        let silent = parent.wait(Duration::ZERO).unwrap_err();
        assert_eq!(silent, "child did not respond within startup timeout (0 seconds)");
        drop(child);
    }

    #[test]
    fn the_machine_has_a_name_and_an_age() {
        assert!(!hostname().is_empty());
        assert!(!hostname().contains(&0));
        assert!(uptime_secs() > 0);
    }
}

//! How a socket is bound, or taken over from systemd, and how it goes.

use std::fs::DirBuilder;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _,
};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{FchmodatFlags, Mode, fchmodat};

use super::settings::Settings;
use crate::inputs::reason;
use crate::param::Problem;
use crate::sys::local;

/// The reference's code of a socket that cannot be made.
const NOT_CREATED: u16 = 2176;

/// Everybody may write to the log.
const MODE: u32 = 0o666;
/// Of directories that are made.
const DIRECTORY_MODE: u32 = 0o755;

/// Where programs send their messages.
const DEV_LOG: &str = "/dev/log";
/// Where journald sends them on to a syslog daemon.
const FROM_JOURNAL: &str = "/run/systemd/journal/syslog";

/// The system's log, where nothing else is configured.
pub(super) fn system_log() -> &'static Path {
    let journal = Path::new(FROM_JOURNAL);
    let is_socket = || journal.metadata().is_ok_and(|data| data.file_type().is_socket());
    if local::is_systemd_booted() && is_socket() { journal } else { Path::new(DEV_LOG) }
}

/// An open socket.
pub(super) struct Socket {
    socket: UnixDatagram,
    path: PathBuf,
    /// Whether datagrams come with what the kernel knows of them.
    pub(super) is_described: bool,
    owner: Owner,
}

/// Who removes the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// systemd, who keeps the socket open, too.
    Systemd,
    /// Nobody.
    Nobody,
    /// We, if this (device, number) is still what stands there.
    Us(u64, u64),
}

impl Socket {
    /// The socket as `settings` want it, and what is to be said about it; `None` where it cannot be had.
    pub(super) fn open(settings: &Settings, problems: &mut Vec<Problem>) -> Option<Self> {
        let path = settings.place();
        let shown = path.display();
        let mut opened = if let Some((socket, fd)) = local::passed_socket(path) {
            // Its last byte is a blank in rsyslogd's, too.
            log::info!("imuxsock: Acquired UNIX socket '{shown}' (fd {fd}) from systemd. ");
            let (path, owner) = (path.to_owned(), Owner::Systemd);
            Self { socket, path, is_described: false, owner }
        } else {
            match Self::bind(settings, path) {
                Ok(socket) => socket,
                Err(why) => {
                    problems.push(not_created(settings, path, &why));
                    return None;
                }
            }
        };
        if settings.needs_descriptions() {
            match local::describe_senders(&opened.socket) {
                Ok(()) => opened.is_described = true,
                Err((option, why)) => {
                    let text = format!("set {option} failed on '{shown}': {}", reason(&why));
                    problems.push(Problem::error(text));
                }
            }
        }
        Some(opened)
    }

    fn bind(settings: &Settings, path: &Path) -> io::Result<Self> {
        if settings.unlink {
            // What is not there need not be removed, and what cannot be shows when it is bound.
            let _ = std::fs::remove_file(path);
        }
        if settings.create_path
            && let Some(parent) = path.parent()
        {
            DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(parent)?;
        }
        let socket = UnixDatagram::bind(path)?;
        let data = path.symlink_metadata()?;
        let owner = if settings.unlink { Owner::Us(data.dev(), data.ino()) } else { Owner::Nobody };
        let bound = Self { socket, path: path.to_owned(), is_described: false, owner };
        if let Err(why) = open_to_all(path) {
            bound.close();
            return Err(why);
        }
        Ok(bound)
    }

    /// What it is bound to.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The end, before what it still holds is taken: nobody sends any more. Returns whether there may be something to
    /// take; what systemd keeps open is for who comes next.
    pub(super) fn close(&self) -> bool {
        match self.owner {
            Owner::Systemd => return false,
            Owner::Nobody => {}
            Owner::Us(device, number) => {
                let ours = |data: std::fs::Metadata| (data.dev(), data.ino()) == (device, number);
                if self.path.symlink_metadata().is_ok_and(ours) {
                    // Where the right to do so is gone, it stays, and the next start removes it.
                    let _ = std::fs::remove_file(&self.path);
                }
            }
        }
        // A datagram socket has no other way to say so; that it fails there is no reason for.
        let _ = self.socket.shutdown(Shutdown::Read);
        true
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Lets everybody write to the socket at `path`, and touches nothing that a symbolic link there points to.
fn open_to_all(path: &Path) -> io::Result<()> {
    let mode = Mode::from_bits_truncate(MODE);
    match fchmodat(AT_FDCWD, path, mode, FchmodatFlags::NoFollowSymlink) {
        // The C library needs /proc for that, which is not in every chroot.
        Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE))
        }
        done => Ok(done?),
    }
}

fn not_created(settings: &Settings, path: &Path, why: &io::Error) -> Problem {
    let shown = path.display();
    let text = if why.kind() == io::ErrorKind::AddrInUse && !settings.unlink {
        format!(
            "cannot create '{shown}': socket path already exists and Unlink=\"off\" prevents rsyslog from replacing \
             it; remove the stale socket or set Unlink=\"on\" if rsyslog should manage this socket: {}",
            reason(why)
        )
    } else {
        format!("cannot create '{shown}': {}", reason(why))
    };
    Problem::error(text).code(NOT_CREATED)
}

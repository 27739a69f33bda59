//! Where the server listens: a loopback address, another one where that is allowed, or a Unix socket.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// TCP.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl Address {
    /// Reads `address:port` or an absolute path. Any address but a loopback one needs `allowed`.
    pub(super) fn parse(text: &str, allowed: bool) -> Result<Self, String> {
        if text.starts_with('/') {
            return Ok(Self::Unix(text.into()));
        }
        let local = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
        let local = local.map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
        let Some(address) = local.or_else(|| text.parse().ok()) else {
            return Err(format!(
                "'{text}' is neither an address with a port, e.g. 127.0.0.1:9153 or [::1]:9153, nor the absolute path \
                 of a Unix socket"
            ));
        };
        if !address.ip().is_loopback() && !allowed {
            return Err(format!(
                "'{text}' is not a loopback address: everybody who can reach it could read the counters and the names \
                 of senders; set http.allow=\"on\" if that is meant"
            ));
        }
        Ok(Self::Tcp(address))
    }

    /// Whether requests must name an address and not a host: a page from elsewhere could point a name at loopback and
    /// let a browser here read the answers.
    pub(super) fn checks_host(&self) -> bool {
        matches!(self, Self::Tcp(address) if address.ip().is_loopback())
    }

    /// A listening socket that does not block.
    pub(super) fn bind(&self) -> io::Result<Socket> {
        let socket = match self {
            Self::Tcp(address) => {
                let socket = Socket::new(Domain::for_address(*address), Type::STREAM, None)?;
                socket.set_reuse_address(true)?;
                socket.bind(&(*address).into())?;
                socket
            }
            Self::Unix(path) => {
                remove_stale(path)?;
                let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
                socket.bind(&SockAddr::unix(path)?)?;
                fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
                socket
            }
        };
        socket.set_nonblocking(true)?;
        socket.listen(BACKLOG)?;
        Ok(socket)
    }

    /// Removes the Unix socket.
    pub(super) fn unlink(&self) {
        if let Self::Unix(path) = self {
            // After a privilege drop this may fail; the next start finds a stale socket and removes it.
            let _ = fs::remove_file(path);
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// Removes a socket that nobody listens on any more; anything else stays.
fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket = path.symlink_metadata().is_ok_and(|metadata| metadata.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == ErrorKind::ConnectionRefused;
    if is_socket && UnixStream::connect(path).is_err_and(refused) {
        return fs::remove_file(path);
    }
    Ok(())
}

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, allowed, wanted) in [
            ("127.0.0.1:9153", false, true),
            ("127.9.9.9:0", false, true),
            ("[::1]:9153", false, true),
            ("localhost:1", false, true),
            ("/run/sluice.http", false, true),
            ("0.0.0.0:9153", false, false),
            ("0.0.0.0:9153", true, true),
            ("[::]:9153", false, false),
            ("192.0.2.1:9153", false, false),
            ("9153", true, false),
            ("127.0.0.1", true, false),
            ("localhost:", true, false),
            ("example.org:80", true, false),
            ("run/sluice.http", true, false),
        ] {
            assert_eq!(Address::parse(text, allowed).is_ok(), wanted, "{text}");
        }
        assert!(Address::parse("127.0.0.1:1", false).is_ok_and(|address| address.checks_host()));
        assert!(Address::parse("0.0.0.0:1", true).is_ok_and(|address| !address.checks_host()));
    }

    #[test]
    fn a_stale_socket_is_replaced_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("s");
        let address = Address::Unix(path.clone());
        let first = address.bind().expect("bound");
        let again = address.bind().map_err(|error| error.kind());
        assert_eq!(again.map(drop), Err(ErrorKind::AddrInUse));
        drop(first);
        drop(address.bind().expect("bound"));
        address.unlink();
        fs::write(&path, "mine").expect("written");
        assert!(address.bind().is_err());
        assert_eq!(fs::read_to_string(&path).expect("there"), "mine");
    }
}

//! Listening TCP sockets: one per address that the configured name and port stand for, and the port file.
//!
//! Rules: `spec/imtcp.md` section 2.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use socket2::{Domain, Protocol, Socket, Type};

use crate::param::Problem;
use crate::sys::namespace;
use crate::sys::socket::{IpProtocol, SocketType, passive_addresses};

/// What to listen on.
#[derive(Clone, Debug)]
pub struct Spec<'a> {
    /// Host name or address; `None` for all of this machine.
    pub address: Option<&'a str>,
    /// Decimal port or service name.
    pub port: &'a str,
    /// Families to bind.
    pub family: IpProtocol,
    /// Connections the kernel may keep until they are accepted.
    pub backlog: i32,
    /// At most so many sockets.
    pub sockets: usize,
    /// Network namespace of the sockets, by name; `None` for the process's own.
    pub namespace: Option<&'a str>,
    /// Where the port goes in decimal when the kernel chose it.
    pub port_file: Option<&'a Path>,
}

/// The backlog the kernel is asked for when it refuses another.
const BACKLOG_RETRY: i32 = 32;
/// The reference's return code for a port that cannot be resolved.
const INVALID_PORT: u16 = 2076;
/// The reference's return code for sockets of which none could be bound.
const COULD_NOT_BIND: u16 = 2077;

/// Binds and listens. What comes back with the sockets is what went wrong beside them.
///
/// # Errors
/// No socket could be bound, or the port file not be written; in the reference's words, the port named.
pub fn open(spec: &Spec<'_>) -> Result<(Vec<TcpListener>, Vec<Problem>), Vec<Problem>> {
    match spec.namespace {
        None => bind(spec),
        Some(name) => namespace::within(name, || bind(spec))
            .unwrap_or_else(|why| Err(vec![Problem::error(why), not_created(spec)])),
    }
}

fn bind(spec: &Spec<'_>) -> Result<(Vec<TcpListener>, Vec<Problem>), Vec<Problem>> {
    let addresses = passive_addresses(spec.address, spec.port, spec.family, SocketType::Stream)
        .map_err(|why| {
            let port = spec.port;
            vec![
                Problem::error(format!("error querying port '{port}': {why}")).code(INVALID_PORT),
                not_created(spec),
            ]
        })?;
    let mut listeners = Vec::new();
    let mut problems = Vec::new();
    let mut chosen_port = None;
    for (number, mut address) in addresses.into_iter().enumerate() {
        if number >= spec.sockets {
            let (most, ip) = (spec.sockets, address.ip());
            problems.push(Problem::error(format!(
                "imtcp: no listener on {ip} port {}: maxListeners allows {most}",
                spec.port
            )));
            continue;
        }
        if let Some(port) = chosen_port {
            address.set_port(port);
        }
        match listen(address, spec.backlog) {
            Ok((listener, port)) => {
                if address.port() == 0 {
                    chosen_port = Some(port);
                }
                listeners.push(listener);
            }
            // A kernel without IPv6 is no misconfiguration.
            Err(why) if why.raw_os_error() == Some(libc::EAFNOSUPPORT) => {}
            Err(why) => {
                problems.push(Problem::error(format!(
                    "Error while binding tcp socket: {address}: {why}"
                )));
            }
        }
    }
    if listeners.is_empty() {
        problems.push(not_created(spec));
        return Err(problems);
    }
    if let (Some(port), Some(file)) = (chosen_port, spec.port_file) {
        // Without a newline, as scripts that read it expect.
        if let Err(why) = std::fs::write(file, port.to_string()) {
            let file = file.display();
            problems.push(Problem::error(format!(
                "ListenPortFileName: error while trying to open file '{file}': {why}"
            )));
            problems.push(not_created(spec));
            return Err(problems);
        }
    }
    Ok((listeners, problems))
}

/// Says that there is no listener, in the reference's words.
#[must_use]
pub fn not_created(spec: &Spec<'_>) -> Problem {
    let Spec { port, .. } = spec;
    let address = spec.address.unwrap_or("(null)");
    let namespace = spec.namespace.map_or_else(String::new, |name| format!(" namespace {name}"));
    Problem::error(format!(
        "Could not create tcp listener, ignoring port {port} bind-address {address}{namespace}."
    ))
    .code(COULD_NOT_BIND)
}

/// One listening socket and its port.
fn listen(address: SocketAddr, backlog: i32) -> io::Result<(TcpListener, u16)> {
    let domain = Domain::for_address(address);
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new(domain, kind, Some(Protocol::TCP))?;
    if domain == Domain::IPV6 {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog).or_else(|_| socket.listen(BACKLOG_RETRY))?;
    let listener = TcpListener::from(socket);
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(port: &str) -> Spec<'_> {
        Spec {
            address: None,
            port,
            family: IpProtocol::Unspecified,
            backlog: 25,
            sockets: 20,
            namespace: None,
            port_file: None,
        }
    }

    #[test]
    fn both_families_share_the_port_the_kernel_chose_and_the_file_has_its_digits() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("port");
        std::fs::write(&file, "something longer than a port").unwrap();
        let (listeners, problems) =
            open(&Spec { port_file: Some(&file), ..spec("0") }).expect("port 0 is free");
        assert_eq!(problems, []);
        let ports: Vec<_> = listeners.iter().map(|l| l.local_addr().unwrap().port()).collect();
        assert_eq!(ports.len(), 2);
        assert_eq!(ports[0], ports[1]);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), ports[0].to_string());
    }

    #[test]
    fn no_more_sockets_than_allowed() {
        let (listeners, problems) = open(&Spec { sockets: 1, ..spec("0") }).unwrap();
        assert_eq!((listeners.len(), problems.len()), (1, 1));
        assert!(problems[0].text.contains("maxListeners allows 1"));
    }

    #[test]
    fn one_family_only() {
        for (family, v4) in [(IpProtocol::V4Only, true), (IpProtocol::V6Only, false)] {
            let (listeners, _) = open(&Spec { family, ..spec("0") }).unwrap();
            assert!(listeners.iter().all(|l| l.local_addr().unwrap().is_ipv4() == v4));
            assert_eq!(listeners.len(), 1);
        }
    }

    #[test]
    fn a_taken_port_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port().to_string();
        let problems = open(&Spec { address: Some("127.0.0.1"), ..spec(&port) }).unwrap_err();
        assert!(problems[0].text.contains(&format!("127.0.0.1:{port}: Address")), "{problems:?}");
        let last =
            format!("Could not create tcp listener, ignoring port {port} bind-address 127.0.0.1.");
        assert_eq!(problems[1].text, last);
    }

    #[test]
    fn an_unknown_service_is_named() {
        let problems = open(&spec("no-such-service")).unwrap_err();
        assert!(problems[0].text.starts_with("error querying port 'no-such-service': "));
        assert_eq!(problems[0].code, Some(INVALID_PORT));
    }

    #[test]
    fn a_port_file_that_cannot_be_written_costs_the_listener() {
        let file = Path::new("/nonexistent/port");
        let problems = open(&Spec { port_file: Some(file), ..spec("0") }).unwrap_err();
        assert!(problems[0].text.contains("/nonexistent/port"));
    }

    #[test]
    fn a_namespace_that_does_not_exist_costs_the_listener() {
        let problems = open(&Spec { namespace: Some("no such"), ..spec("0") }).unwrap_err();
        assert!(problems[0].text.contains("could not open namespace 'no such'"), "{problems:?}");
        let last =
            "Could not create tcp listener, ignoring port 0 bind-address (null) namespace no such.";
        assert_eq!(problems[1].text, last);
    }
}

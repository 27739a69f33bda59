//! Network namespaces by name, as ip-netns(8) keeps them.

use std::fs::File;
use std::io;
use std::path::Path;
use std::thread;

use nix::sched::{CloneFlags, setns};

/// Where ip-netns(8) keeps namespaces: one file each.
const DIRECTORY: &str = "/var/run/netns";

/// Runs `body` in the network namespace `name`, on a thread of its own: the calling thread never leaves its
/// namespace and so cannot fail to return to it. Sockets stay in the namespace they were made in.
///
/// # Errors
/// In the reference's words: there is no such namespace, or the process lacks `CAP_SYS_ADMIN`.
pub fn within<T: Send>(name: &str, body: impl FnOnce() -> T + Send) -> Result<T, String> {
    let file = File::open(Path::new(DIRECTORY).join(name))
        .map_err(|why| format!("netns_switch: could not open namespace '{name}': {why}"))?;
    let enter =
        |why: io::Error| format!("netns_switch: could not change to namespace '{name}': {why}");
    thread::scope(|scope| {
        let inside = || {
            setns(file, CloneFlags::CLONE_NEWNET).map_err(|why| enter(why.into()))?;
            Ok(body())
        };
        let thread = thread::Builder::new().name("netns".to_owned());
        let thread = thread.spawn_scoped(scope, inside).map_err(enter)?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_namespace_that_does_not_exist_is_named() {
        let text = within("sluice no such", || ()).unwrap_err();
        assert!(text.starts_with("netns_switch: could not open namespace 'sluice no such': "));
    }

    /// Needs the right to make namespaces; without it there is nothing to test.
    #[test]
    fn a_socket_belongs_to_the_namespace_it_was_made_in() {
        let name = format!("sluice-test-{}", std::process::id());
        let netns = |verb| Command::new("ip").args(["netns", verb, &name]).output();
        if !netns("add").is_ok_and(|done| done.status.success()) {
            return;
        }
        let outside = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = outside.local_addr().unwrap();
        let inside = within(&name, || TcpListener::bind(port).is_ok());
        let again = TcpListener::bind(port);
        netns("delete").unwrap();
        assert_eq!(inside, Ok(true), "the port is free there");
        assert!(again.is_err(), "this thread has stayed outside");
    }
}

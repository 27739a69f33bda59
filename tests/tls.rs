//! TLS of imtcp end to end: row 40 of `spec/imtcp.md` and what peers may try.

mod client;
mod forward;
mod hostile;
mod interop;
mod matrix;
mod proxy;
mod reload;
mod revocation;
mod settings;
mod wrong;

use std::path::Path;

use tempfile::TempDir;

use crate::harness::daemon::{program, reference, tempdir};
use crate::harness::pki::{Identity, Wanted};
use crate::harness::{Daemon, Stopped};

/// A directory with the certificates of a server: `ca.pem`, `server.pem`, `server.key`.
struct Site {
    root: Identity,
    dir: TempDir,
}

impl Site {
    fn new() -> Self {
        let (root, dir) = (Identity::root("test authority"), tempdir());
        root.write(dir.path(), "ca");
        let server = Wanted::name("localhost").dns("localhost");
        root.issue(&server).write(dir.path(), "server");
        Self { root, dir }
    }

    /// Starts a daemon with these inputs, each `input(type="imtcp" … )`'s parameters; the first one's port is in
    /// `port0`. Raw messages go to `out`, the daemon's own to `own`.
    fn start(self, inputs: &[&str]) -> (Daemon, Identity) {
        let inputs: String = (0..)
            .zip(inputs)
            .map(|(number, input)| {
                format!(
                    "input(type=\"imtcp\" port=\"0\" address=\"127.0.0.1\" name=\"in{number}\"\n  \
                     listenPortFileName=\"{{dir}}/port{number}\" {input})\n"
                )
            })
            .collect();
        let config = format!(
            r#"global(net.enableDNS="off" processInternalMessages="on"
  defaultNetstreamDriverCAFile="{{dir}}/ca.pem" defaultNetstreamDriverCertFile="{{dir}}/server.pem"
  defaultNetstreamDriverKeyFile="{{dir}}/server.key" defaultNetstreamDriver="ossl")
main_queue(queue.workerThreads="1" queue.timeoutShutdown="120000")
module(load="imtcp" streamDriver.mode="1" maxSessions="1000")
template(name="raw" type="string" string="%rawmsg%\n")
template(name="own" type="string" string="%msg%\n")
if $inputname == "rsyslogd" then {{ action(type="omfile" file="{{dir}}/own" template="own") stop }}
action(type="omfile" file="{{dir}}/out" template="raw")
{inputs}"#
        );
        let debug: &[&str] = if reference() { &[] } else { &["-d"] };
        (Daemon::start_program(&program(), &config, debug, self.dir), self.root)
    }
}

/// The messages, sorted: connections are not in order among each other.
fn messages(stopped: &Stopped) -> Vec<String> {
    let mut lines = stopped.lines("out");
    lines.sort_unstable();
    lines
}

/// A counter of the first input.
fn counter(stopped: &Stopped, name: &str) -> usize {
    let objects = crate::harness::ledger::parse(&stopped.stderr);
    crate::harness::ledger::find(&objects, "in0(0)").get(name)
}

/// Whether a program is there to test with.
fn has(program: &str) -> bool {
    Path::new(program).exists()
}

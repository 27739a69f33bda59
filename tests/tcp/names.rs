//! What a peer's name does. The daemon runs with an `/etc/hosts` of its own, which says what 127.0.0.1 is called; where we
//! may not mount one, nothing is tested.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::harness::daemon::{Daemon, program, reference, tempdir};
use crate::harness::{Stopped, ledger, send};

/// Starts a daemon whose `/etc/hosts` is `hosts`, with parameters of `global()` and of both modules. `out` gets the name,
/// address and text of messages, `own` what the daemon says itself.
fn start(hosts: &str, global: &str, module: &str) -> Option<Daemon> {
    let may_mount = Command::new("unshare").args(["--mount", "true"]).status();
    if !may_mount.is_ok_and(|status| status.success()) {
        return None;
    }
    let (dir, program) = (tempdir(), program());
    fs::write(dir.path().join("hosts"), hosts).expect("write");
    // Called as the program is: the harness knows the reference by its name.
    let own = dir.path().join(program.file_name().expect("a file"));
    let (path, program) = (dir.path().display(), program.display());
    // Where the only name server is this machine, and it runs none, every other question is answered at once: no.
    fs::write(dir.path().join("resolv"), "nameserver 127.0.0.1\n").expect("write");
    let mount = r#"mount --bind "$0/hosts" /etc/hosts && mount --bind "$0/resolv" /etc/resolv.conf && exec "$@""#;
    let script =
        format!("#!/bin/sh\nexec unshare --mount sh -c '{mount}' {path} {program} \"$@\"\n");
    fs::write(&own, script).expect("write");
    fs::set_permissions(&own, fs::Permissions::from_mode(0o755)).expect("chmod");
    let config = format!(
        r#"global(processInternalMessages="on" {global})
module(load="imtcp" {module})
module(load="imudp" {module})
template(name="name" type="string" string="%fromhost% %fromhost-ip%%msg%\n")
template(name="own" type="string" string="%msg%\n")
if $inputname == "rsyslogd" then {{ action(type="omfile" file="{{dir}}/own" template="own") stop }}
action(type="omfile" file="{{dir}}/out" template="name")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{{dir}}/port")
input(type="imudp" port="{{udp}}" address="127.0.0.1")
"#
    );
    let debug: &[&str] = if reference() { &[] } else { &["-d"] };
    Some(Daemon::start_program(&own, &config, debug, dir))
}

const HOSTS: &str = "127.0.0.1 Host.Example\n";
const LINE: &[u8] = b"<13>Oct 11 22:14:15 h t: x\n";

/// Sends a line by TCP and, once that is there, one by UDP; returns what came of them.
fn send_both(mut daemon: Daemon) -> Vec<String> {
    send::tcp(daemon.port("port"), LINE);
    daemon.wait_lines("out", 1);
    send::udp(daemon.udp_port(0), &[LINE]);
    daemon.wait_lines("out", 2);
    daemon.stop().lines("out")
}

#[test]
fn names_keep_their_case_or_lose_it() {
    let (kept, lost) = ("Host.Example 127.0.0.1 x", "host.example 127.0.0.1 x");
    for (module, expected) in [
        ("", [kept, lost]),
        (r#"preserveCase="on""#, [kept, kept]),
        (r#"preserveCase="off""#, [lost, lost]),
    ] {
        let Some(daemon) = start(HOSTS, "", module) else { return };
        assert_eq!(send_both(daemon), expected, "{module}");
    }
}

#[test]
fn without_dns_a_peer_has_no_name() {
    let Some(daemon) = start(HOSTS, r#"net.enableDNS="off""#, "") else { return };
    assert_eq!(send_both(daemon), ["127.0.0.1 127.0.0.1 x"; 2]);
}

/// A name that reads like an address would let its owner pass for another.
#[test]
fn a_name_that_is_an_address_is_not_believed() {
    const FORGED: &str = "127.0.0.1 192.0.2.99\n";
    if reference() {
        return; // The same, but for a parenthesis that its message does not close.
    }
    let Some(mut daemon) = start(FORGED, "", "") else { return };
    let (port, udp) = (daemon.port("port"), daemon.udp_port(0));
    send::tcp(port, LINE);
    daemon.wait_lines("out", 1);
    send::udp(udp, &[LINE]);
    daemon.wait_lines("out", 2);
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("out"), ["127.0.0.1 127.0.0.1 x"; 2]);
    let told = r#"Malicious PTR record (message accepted, but used IP instead of PTR name: IP = "127.0.0.1" HOST = "192.0.2.99")"#;
    let own = stopped.lines("own").join("\n");
    assert!(own.contains(told), "{own}");
    assert_eq!(resolver(&stopped, ["asked", "kept", "forged"]), [1, 1, 0]);

    let drops = r#"dropMsgsWithMaliciousDNSPTRRecords="on""#;
    let Some(mut daemon) = start(FORGED, drops, "") else { return };
    let (port, udp) = (daemon.port("port"), daemon.udp_port(0));
    send::tcp(port, LINE);
    send::udp(udp, &[LINE]);
    let told = r#"Malicious PTR record, message dropped IP = "127.0.0.1" HOST = "192.0.2.99""#;
    daemon.wait_text("own", told);
    let stopped = daemon.stop_lossy();
    assert_eq!(stopped.lines("out"), [""; 0]);
    // The connection and the datagram.
    assert_eq!(resolver(&stopped, ["asked", "kept", "forged"]), [1, 1, 2]);
}

/// Counters of the resolver.
fn resolver<const N: usize>(stopped: &Stopped, names: [&str; N]) -> [usize; N] {
    let objects = ledger::parse(&stopped.stderr);
    names.map(|name| ledger::find(&objects, "resolver").get(name))
}

/// Lists of names: patterns are compared with the peer's name, plain names with the addresses that they have.
#[test]
fn lists_of_senders_may_hold_names() {
    if reference() {
        return; // `allowedSender` is new in 8.2608.
    }
    let patterns = r#"net.aclResolveHostname="off""#;
    let kept = r#"net.aclAddHostnameOnFail="on""#;
    let quiet = r#"net.permitACLWarning="off""#;
    for (list, global, is_allowed) in [
        ("*.example", "", true),
        ("h?st.EXAMPLE", "", true),
        ("*.other", "", false),
        ("*.other", quiet, false),
        // An address of it is that of the peer.
        ("alias.example", "", true),
        // As a pattern it is another name.
        ("alias.example", patterns, false),
        ("host.example", patterns, true),
        ("none.invalid", "", false),
        ("none.invalid", kept, false),
    ] {
        let hosts = format!("{HOSTS}127.0.0.1 alias.example\n");
        let Some(mut daemon) = start(&hosts, global, &format!("allowedSender=\"{list}\"")) else {
            return;
        };
        let (port, udp) = (daemon.port("port"), daemon.udp_port(0));
        if is_allowed {
            assert_eq!(send_both(daemon), ["Host.Example 127.0.0.1 x", "host.example 127.0.0.1 x"]);
            continue;
        }
        // It need not say anything to be closed.
        let mut refused = send::connect(port);
        assert_eq!(refused.read(&mut [0]).expect("end of stream"), 0, "{list}");
        send::udp(udp, &[LINE]);
        let stopped = daemon.stop();
        assert_eq!(stopped.lines("out"), [""; 0], "{list} {global}");
        let own = stopped.lines("own").join("\n");
        let objects = ledger::parse(&stopped.stderr);
        let listener = ledger::find(&objects, &format!("imudp(127.0.0.1/{udp}/IPv4)"));
        assert_eq!(listener.get("disallowed"), 1, "{list}");
        let is_told = own.contains("connection request from disallowed sender");
        assert_eq!(is_told, global != quiet, "{list} {global}: {own}");
    }
}

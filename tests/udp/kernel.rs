//! Parameters whose effect shows in the kernel: sockets, buffers, threads.

use std::fs;
use std::process::Command;

use nix::sys::signal::Signal;

use super::{INPUT, config};
use crate::harness::daemon::{Daemon, reference};
use crate::harness::{ledger, send};

/// What `ss` says of sockets with this local port.
fn sockets(options: &str, port: u16) -> String {
    let filter = format!("sport = :{port}");
    let output = Command::new("ss").args([options, &filter]).output().expect("ss, of iproute2");
    String::from_utf8(output.stdout).expect("text")
}

/// Policy and priority of each of the daemon's threads, as `sched_setscheduler(2)` takes them.
fn scheduling(daemon: &Daemon) -> Vec<(u32, u32)> {
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.pid())).expect("tasks");
    tasks
        .map(|task| {
            let stat = fs::read_to_string(task.expect("entry").path().join("stat")).expect("stat");
            // Behind the name, field 3 of proc_pid_stat(5) comes first; 40 is the priority, 41 the policy.
            let fields: Vec<_> = stat.rsplit(')').next().expect("fields").split(' ').collect();
            let number = |field: usize| fields[field - 2].trim().parse().expect("a number");
            (number(41), number(40))
        })
        .collect()
}

#[test]
fn threads_are_scheduled_as_configured() {
    let may = Command::new("chrt").args(["--rr", "7", "true"]).status();
    if !may.is_ok_and(|status| status.success()) {
        return;
    }
    for (module, expected) in [
        ("", None),
        (r#"schedulingPolicy="rr" schedulingPriority="7""#, Some((libc::SCHED_RR, 7))),
        (r#"schedulingPolicy="FIFO" schedulingPriority="3""#, Some((libc::SCHED_FIFO, 3))),
    ] {
        let mut daemon = Daemon::start(&config("", module, INPUT));
        send::udp(daemon.udp_port(0), &[b"<13>a: b"]);
        daemon.wait_lines("out", 1);
        let found: Vec<_> =
            scheduling(&daemon).into_iter().filter(|(policy, _)| *policy != 0).collect();
        let expected = expected.map(|(policy, n)| (u32::try_from(policy).expect("small"), n));
        assert_eq!(found, Vec::from_iter(expected), "{module}");
        daemon.stop();
    }
}

#[test]
fn a_socket_is_bound_to_its_device() {
    let missing = r#"input(type="imudp" port="{udp2}" address="127.0.0.1" device="nosuch0")"#;
    let input = format!("{INPUT} device=\"lo\"");
    let mut daemon = Daemon::start(&format!("{}{missing}\n", config("", "", &input)));
    let (port, other) = (daemon.udp_port(0), daemon.udp_port(1));
    let bound = sockets("-lunH", port);
    assert!(bound.contains(&format!("127.0.0.1%lo:{port}")), "{bound}");
    // The test holds this port; the daemon has no socket on it.
    assert_eq!(sockets("-lunH", other).lines().count(), 1);
    send::udp(port, &[b"<13>a: b"]);
    daemon.wait_lines("out", 1);
    let stopped = daemon.stop();
    let said = format!("{}{}", stopped.stderr, stopped.lines("own").join("\n"));
    assert!(said.contains("nosuch0") || said.contains("No such device"), "{said}");
}

#[test]
fn families_are_bound_as_configured() {
    for (family, addresses) in [
        ("unspecified", &["0.0.0.0", "[::]"][..]),
        ("ipv4-only", &["0.0.0.0"]),
        ("ipv6-only", &["[::]"]),
    ] {
        let tcp = r#"module(load="imtcp")
input(type="imtcp" port="0" listenPortFileName="{dir}/port")
"#;
        let global = format!("net.ipprotocol=\"{family}\"");
        let mut daemon =
            Daemon::start(&format!("{}{tcp}", config(&global, "", r#"port="{udp2}""#)));
        for (options, port) in [("-lunH", daemon.udp_port(1)), ("-ltnH", daemon.port("port"))] {
            let found = sockets(options, port);
            let any: Vec<_> = ["0.0.0.0", "[::]"]
                .into_iter()
                .filter(|address| found.contains(&format!(" {address}:{port} ")))
                .collect();
            assert_eq!(any, addresses, "{family}: {found}");
        }
        daemon.stop();
    }
}

/// The buffer that the kernel really gave is read back and told.
#[test]
fn the_receive_buffer_is_set_and_told() {
    let input = format!("{INPUT} rcvbufSize=\"100000\"");
    let daemon = Daemon::start(&config("", "", &input));
    let held = sockets("-lunmH", daemon.udp_port(0));
    // The kernel doubles what it is asked for.
    assert!(held.contains("rb200000"), "{held}");
    let stopped = daemon.stop();
    let said = format!("{}{}", stopped.stderr, stopped.lines("own").join("\n"));
    assert!(said.contains("actual os socket rcvbuf size"), "{said}");
}

/// What the kernel drops while nobody reads is counted, where the kernel tells.
#[test]
fn what_the_kernel_drops_is_counted() {
    const SENT: usize = 1000;
    if reference() {
        return; // It has no such counter.
    }
    let input = format!("{INPUT} rcvbufSize=\"1\"");
    let mut daemon = Daemon::start(&config("", "", &input));
    let port = daemon.udp_port(0);
    daemon.signal(Signal::SIGSTOP);
    send::udp(port, &[b"<13>a: b".as_slice(); SENT]);
    daemon.signal(Signal::SIGCONT);
    daemon.wait_lines("out", 1);
    let stopped = daemon.stop_lossy();
    let objects = ledger::parse(&stopped.stderr);
    let listener = ledger::find(&objects, &format!("imudp(127.0.0.1/{port}/IPv4)"));
    let worker = ledger::find(&objects, "imudp(w0)");
    assert_eq!(worker.get("called.recvmsg"), 0);
    // One call brought something, one found nothing more.
    assert!(worker.get("called.recvmmsg") >= 2, "{}", stopped.stderr);
    if listener.counters["kernel.drops.valid"] == 0 {
        return;
    }
    assert!(listener.get("kernel.drops") > 0, "{}", stopped.stderr);
    assert_eq!(listener.get("kernel.drops") + worker.get("msgs.received"), SENT);
}

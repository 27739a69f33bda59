//! imudp end to end: the edge-case table of `spec/imudp.md` section 10, row by row.

mod kernel;

use std::fs;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::bulk_server::spawn;
use crate::harness::daemon::{Daemon, reference};
use crate::harness::{ledger, send};

/// The configuration of most rows: raw messages to `out`, the daemon's own to `own`.
fn config(global: &str, module: &str, input: &str) -> String {
    format!(
        r#"global(net.enableDNS="off" processInternalMessages="on" {global})
module(load="imudp" {module})
template(name="raw" type="string" string="%rawmsg%\n")
template(name="own" type="string" string="%msg%\n")
if $inputname == "rsyslogd" then {{ action(type="omfile" file="{{dir}}/own" template="own") stop }}
action(type="omfile" file="{{dir}}/out" template="raw")
input(type="imudp" {input})
"#
    )
}

const INPUT: &str = r#"port="{udp}" address="127.0.0.1""#;

/// Sends each datagram, waits for the messages of all, stops and compares.
fn check(config: &str, datagrams: &[&[u8]], expected: &[&str]) {
    let mut daemon = Daemon::start(config);
    send::udp(daemon.udp_port(0), datagrams);
    daemon.wait_lines("out", expected.len());
    assert_eq!(daemon.stop().lines("out"), expected);
}

/// Rows 1–7, 10, 11: one datagram is one message, whatever is in it.
#[test]
fn datagrams() {
    let rows: &[(&[u8], &str)] = &[
        (b"<13>a: b", "<13>a: b"),
        (b"<13>a: b\n", "<13>a: b"),
        (b"<13>a: b\n\n", "<13>a: b#012"),
        (b"<13>a: b\0", "<13>a: b"),
        (b"<13>a: b\n\0", "<13>a: b"),
        (b"<13>a: b\r\n", "<13>a: b#015"),
        (b"<13>a\n<13>b\n", "<13>a#012<13>b"),
        (b"8 <13>a: b", "8 <13>a: b"),
        (b"<13>x\0y", "<13>x#000y"),
        (b"<13>x: \xc3\xa4\x7f\t.", "<13>x: \u{e4}\u{7f}#011."),
    ];
    let mut sent: Vec<&[u8]> = vec![b""];
    let mut expected = Vec::new();
    for (datagram, message) in rows {
        // An empty datagram is no message.
        sent.extend([*datagram, b""]);
        expected.push(*message);
    }
    check(&config("", "", INPUT), &sent, &expected);
}

/// Row 7, the counters: an empty datagram was received all the same.
#[test]
fn counters() {
    if reference() {
        return; // without impstats it counts nothing
    }
    let mut daemon = Daemon::start(&config("", "", INPUT));
    let port = daemon.udp_port(0);
    send::udp(port, &[b"", b"<13>a: b", b""]);
    send::udp(port, &[b"<13>last: x"]);
    daemon.wait_lines("out", 2);
    let objects = ledger::parse(&daemon.stop().stderr);
    let input = ledger::find(&objects, &format!("imudp(127.0.0.1/{port}/IPv4)"));
    assert_eq!((input.get("submitted"), input.get("disallowed")), (2, 0));
    assert_eq!(ledger::find(&objects, "imudp(w0)").get("msgs.received"), 4);
}

/// Row 8: the rest of a long datagram is gone; ours says so.
#[test]
fn truncated() {
    let long = format!("<13>long: {}", "x".repeat(9000 - 10));
    let mut daemon = Daemon::start(&config("", "", INPUT));
    send::udp(daemon.udp_port(0), &[long.as_bytes()]);
    daemon.wait_lines("out", 1);
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("out"), [&long[..8096]]);
    if !reference() {
        let truncated: usize =
            ledger::parse(&stopped.stderr).iter().map(|object| object.get("truncated")).sum();
        assert_eq!(truncated, 1, "{}", stopped.stderr);
    }
}

/// Row 9.
#[test]
fn largest_datagram() {
    let long = format!("<13>long: {}", "x".repeat(65507 - 10));
    check(&config(r#"maxMessageSize="64k""#, "", INPUT), &[long.as_bytes()], &[&long]);
}

/// Row 12: without PRI and header the first words become host and tag.
#[test]
fn no_header() {
    let config = config("", "", INPUT)
        .replace("%rawmsg%", "%pri% %hostname% %syslogtag%|%msg%|%fromhost-ip% %inputname%");
    let expected = ["13 hello world|| 127.0.0.1 imudp", "34 127.0.0.1 t:| x|127.0.0.1 imudp"];
    let expected = [expected[0].replace("|| ", "||"), expected[1].to_owned()];
    check(&config, &[b"hello world", b"<34>t: x"], &[&expected[0], &expected[1]]);
}

/// Row 13: every element of `port` is a listener of its own.
#[test]
fn several_ports() {
    let input = r#"port=["{udp}", "{udp2}"] address="127.0.0.1" name="u" name.appendPort="on""#;
    let config = config("", "", input).replace("%rawmsg%", "%inputname% %rawmsg%");
    let mut daemon = Daemon::start(&config);
    let (first, second) = (daemon.udp_port(0), daemon.udp_port(1));
    send::udp(first, &[b"<13>a: b"]);
    daemon.wait_lines("out", 1);
    send::udp(second, &[b"<13>c: d"]);
    daemon.wait_lines("out", 2);
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("out"), [format!("u{first} <13>a: b"), format!("u{second} <13>c: d")]);
    if !reference() {
        let objects = ledger::parse(&stopped.stderr);
        for port in [first, second] {
            assert_eq!(
                ledger::find(&objects, &format!("u(127.0.0.1/{port}/IPv4)")).get("submitted"),
                1
            );
        }
    }
}

/// Rows 14, 15, 37 of the TCP table: the port file (8.2606) wants exactly one socket and no symbolic link.
#[test]
fn port_file() {
    if reference() {
        return; // Debian's has no port file for imudp
    }
    let input = r#"port="0" address="127.0.0.1" listenPortFileName="{dir}/port""#;
    let mut daemon = Daemon::start(&config("", "", input));
    let port = daemon.port("port");
    send::udp(port, &[b"<13>a: b"]);
    daemon.wait_lines("out", 1);
    let stopped = daemon.stop();
    assert_eq!(stopped.read("port"), port.to_string().as_bytes());

    let both = r#"port="0" listenPortFileName="{dir}/port""#;
    let stopped = Daemon::start(&config("", "", both)).stop();
    let own = stopped.lines("own").join("\n");
    assert!(own.contains("listenPortFileName requires exactly one bound socket, got 2"), "{own}");

    let dir = crate::harness::daemon::tempdir();
    fs::write(dir.path().join("target"), "untouched").expect("write");
    std::os::unix::fs::symlink("target", dir.path().join("port")).expect("symlink");
    let program = crate::harness::daemon::program();
    let stopped = Daemon::start_program(&program, &config("", "", input), &["-d"], dir).stop();
    assert_eq!(stopped.read("target"), b"untouched");
}

/// Row 16: every packet of a sender that may not send counts.
#[test]
fn disallowed_sender() {
    if reference() {
        return; // `allowedSender` is new in 8.2608
    }
    let input = format!("{INPUT} allowedSender=[\"10.0.0.0/8\"]");
    let second = r#"input(type="imudp" port="{udp2}" address="127.0.0.1")"#;
    let mut daemon = Daemon::start(&format!("{}{second}\n", config("", "", &input)));
    let (denied, open) = (daemon.udp_port(0), daemon.udp_port(1));
    send::udp(denied, &[b"<13>a: b", b"<13>a: b", b"<13>a: b"]);
    daemon.wait_text("own", "UDP message from disallowed sender");
    send::udp(open, &[b"<13>c: d"]);
    daemon.wait_lines("out", 1);
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("out"), ["<13>c: d"]);
    let objects = ledger::parse(&stopped.stderr);
    assert_eq!(
        ledger::find(&objects, &format!("imudp(127.0.0.1/{denied}/IPv4)")).get("disallowed"),
        3
    );
}

/// Row 18: four threads, four senders, nothing doubled and nothing lost below the kernel's limit.
#[test]
fn several_threads() {
    /// Datagrams under way at once: fewer than the kernel's default buffer holds.
    const WINDOW: usize = 200;
    const ROUNDS: usize = 100;
    let mut daemon = Daemon::start(&config("", r#"threads="4""#, INPUT));
    let port = daemon.udp_port(0);
    let sockets: Vec<_> = (0..4).map(|_| UdpSocket::bind("127.0.0.1:0").expect("bind")).collect();
    let line = "<13>t: 00 000000\n".len();
    for round in 1..=ROUNDS {
        for index in 0..WINDOW {
            let message = format!("<13>t: {:02} {:06}", index % 4, (round - 1) * WINDOW + index);
            sockets[index % 4].send_to(message.as_bytes(), ("127.0.0.1", port)).expect("send");
        }
        let size = (round * WINDOW * line) as u64;
        daemon.wait("the window", |dir| {
            (fs::metadata(dir.join("out")).ok()?.len() >= size).then_some(())
        });
    }
    let stopped = daemon.stop();
    let mut lines = stopped.lines("out");
    lines.sort_unstable_by_key(|line| line[10..].to_owned());
    let numbers: Vec<usize> =
        lines.iter().map(|line| line[10..].parse().expect("number")).collect();
    assert_eq!(numbers, (0..WINDOW * ROUNDS).collect::<Vec<_>>());
    if !reference() {
        let objects = ledger::parse(&stopped.stderr);
        let received =
            |worker| ledger::find(&objects, &format!("imudp(w{worker})")).get("msgs.received");
        assert_eq!((0..4).map(received).sum::<usize>(), WINDOW * ROUNDS);
    }
}

/// Row 19: any batch size gives the same messages; sizes that would spin are refused.
#[test]
fn batch_sizes() {
    let datagrams: Vec<String> = (0..100).map(|number| format!("<13>n: {number}")).collect();
    let bytes: Vec<&[u8]> = datagrams.iter().map(String::as_bytes).collect();
    let expected: Vec<&str> = datagrams.iter().map(String::as_str).collect();
    for size in ["1", "1024"] {
        let module = format!("batchSize=\"{size}\" timeRequery=\"0\"");
        check(&config("", &module, INPUT), &bytes, &expected);
    }
    if !reference() {
        let mut daemon = Daemon::start(&config("", r#"batchSize="0""#, INPUT));
        daemon.wait_text("stderr", "batchSize");
        send::udp(daemon.udp_port(0), &bytes);
        daemon.wait_lines("out", bytes.len());
        daemon.stop();
    }
}

/// Row 21.
#[test]
fn ipv6() {
    let input = r#"port="{udp}" address="::1""#;
    let config = config("", "", input).replace("%rawmsg%", "%fromhost-ip% %rawmsg%");
    let mut daemon = Daemon::start(&config);
    let port = daemon.udp_port(0);
    let socket = UdpSocket::bind("[::1]:0").expect("bind");
    socket.send_to(b"<13>a: b", ("::1", port)).expect("send");
    daemon.wait_lines("out", 1);
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("out"), ["::1 <13>a: b"]);
    if !reference() {
        let objects = ledger::parse(&stopped.stderr);
        assert_eq!(ledger::find(&objects, &format!("imudp(::1/{port}/IPv6)")).get("submitted"), 1);
    }
}

/// Row 23: two names for one input are a mistake, and the input is dropped.
#[test]
fn two_names() {
    let broken = r#"input(type="imudp" port="{udp2}" address="127.0.0.1" name="a" inputname="b")"#;
    let mut daemon = Daemon::start(&format!("{}{broken}\n", config("", "", INPUT)));
    let (good, dropped) = (daemon.udp_port(0), daemon.udp_port(1));
    send::udp(dropped, &[b"<13>a: b"]);
    send::udp(good, &[b"<13>c: d"]);
    daemon.wait_lines("out", 1);
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("out"), ["<13>c: d"]);
    let said = format!("{}{}", stopped.stderr, stopped.lines("own").join("\n"));
    assert!(said.contains("inputname"), "{said}");
}

/// Row 24: an address that is not ours (TEST-NET-1).
#[test]
fn free_bind() {
    for (mode, bound, warned) in [("0", false, false), ("1", true, false), ("2", true, true)] {
        let foreign = format!(
            r#"input(type="imudp" port="{{udp2}}" address="192.0.2.7" ipFreeBind="{mode}")"#
        );
        let daemon = Daemon::start(&format!("{}{foreign}\n", config("", "", INPUT)));
        let port = format!(":{:04X} ", daemon.udp_port(1));
        let sockets = fs::read_to_string("/proc/net/udp").expect("/proc/net/udp");
        // 192.0.2.7 in the kernel's notation.
        let is_bound = sockets.lines().any(|line| line.contains(&format!("070200C0{port}")));
        assert_eq!(is_bound, bound, "mode {mode}");
        let stopped = daemon.stop();
        let said = format!("{}{}", stopped.stderr, stopped.lines("own").join("\n"));
        assert_eq!(said.contains("192.0.2.7 IP free"), warned, "mode {mode}: {said}");
        assert_eq!(said.contains("Could not create udp listener"), !bound, "mode {mode}: {said}");
    }
}

/// Row 25: beyond the limit the default holds, and the input runs.
#[test]
fn receive_buffer_too_large() {
    let input = format!("{INPUT} rcvbufSize=\"1073741825\"");
    let mut daemon = Daemon::start(&config("", "", &input));
    send::udp(daemon.udp_port(0), &[b"<13>a: b"]);
    daemon.wait_lines("out", 1);
    let stopped = daemon.stop();
    let said = format!("{}{}", stopped.stderr, stopped.lines("own").join("\n"));
    assert!(said.contains("rcvbufsize maximum is 1 GiB, using default instead"), "{said}");
}

/// Rows 26, 27: a flood on one port neither hides a datagram on another nor keeps the daemon from stopping.
#[test]
fn flood() {
    // Whatever does not fit into the queue waits in the kernel, or is dropped there.
    let queue = "main_queue(queue.timeoutEnqueue=\"600000\" queue.timeoutShutdown=\"120000\")";
    let second = r#"input(type="imudp" port="{udp2}" address="127.0.0.1")"#;
    let config = format!("{queue}\n{}{second}\n", config("", "", INPUT)).replace(
        r#"action(type="omfile" file="{dir}/out""#,
        r#":msg, contains, "needle" action(type="omfile" file="{dir}/out""#,
    );
    let mut daemon = Daemon::start(&config);
    let (flooded, quiet) = (daemon.udp_port(0), daemon.udp_port(1));
    let stop = Arc::new(AtomicBool::new(false));
    let flood = {
        let stop = Arc::clone(&stop);
        spawn(move || {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("bind");
            while !stop.load(Ordering::Relaxed) {
                socket.send_to(b"<13>flood: hay", ("127.0.0.1", flooded)).expect("send");
            }
        })
    };
    send::udp(quiet, &[b"<13>q: needle"]);
    daemon.wait_lines("out", 1);
    let stopped = daemon.stop();
    stop.store(true, Ordering::Relaxed);
    flood.join().expect("the flood");
    assert_eq!(stopped.lines("out"), ["<13>q: needle"]);
}

/// A socket for each thread, which the kernel deals senders out to.
#[test]
fn a_port_for_each_thread() {
    let input =
        format!("{INPUT} reusePort=\"on\" rateLimit.interval=\"600\" rateLimit.burst=\"50\"");
    let config = config("", "threads=\"3\"", &input);
    let mut daemon = Daemon::start(&config);
    let port = daemon.udp_port(0);
    for n in 0..60 {
        send::udp(port, &[format!("<13>a: {n}").as_bytes()]);
    }
    daemon.wait_lines("out", 50);
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("out").len(), 50, "one limit for all sockets");
    let objects = ledger::parse(&stopped.stderr);
    let received = |name: &str| ledger::find(&objects, name).get("msgs.received");
    let each = ["imudp(w0)", "imudp(w1)", "imudp(w2)"].map(received);
    assert_eq!(each.iter().sum::<usize>(), 60);
    assert!(each.iter().all(|&n| n > 0), "{each:?}");
    let listeners = objects.iter().filter(|o| o.origin == "imudp" && o.name.contains('/'));
    assert_eq!(listeners.count(), 1, "one object for all sockets");
}

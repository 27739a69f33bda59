//! Rows 33 to 42: many connections, limits, ports, workers.

use std::fs;
use std::io::Read;
use std::net::{Ipv6Addr, TcpStream};

use super::{Settings, raw};
use crate::harness::{Daemon, daemon, send};

/// Row 33: the third of two sessions is closed at once; when one has gone, the next one works.
#[test]
fn too_many_sessions() {
    let settings = Settings { input: r#"maxSessions="2""#, ..Settings::default() };
    if daemon::reference() {
        return; // Debian's reads the parameter and ignores it.
    }
    let mut daemon = Daemon::start(&settings.config());
    let port = daemon.port("port");
    let first = send::connect(port);
    let second = send::connect(port);
    let mut third = send::connect(port);
    assert_eq!(third.read(&mut [0]).expect("end of stream"), 0);
    daemon.wait_text("own", "too many tcp sessions - dropping incoming request");
    send::finish(first);
    send::tcp(port, b"<13>a: b\n");
    send::finish(second);
    let stopped = daemon.stop();
    assert_eq!(raw(&stopped), ["<13>a: b"]);
    let own = stopped.lines("own").join("\n");
    assert!(own.contains("failed to process incoming connection from 127.0.0.1:"), "{own}");
    assert!(own.contains("with error -2079"), "{own}");
}

/// Row 34: nothing is lost and every connection keeps its order, however many workers serve them.
#[test]
fn order_per_connection() {
    const CONNECTIONS: usize = 100;
    const FRAMES: usize = 1000;
    for workers in [1, 2, 8] {
        let module = match workers {
            1 => r#"workerThreads="1""#,
            2 => r#"workerThreads="2" starvationProtection.maxReads="1""#,
            _ => r#"workerThreads="8""#,
        };
        // Debian's knows no workers.
        let module = if daemon::reference() { "" } else { module };
        // One queue worker: two would overtake each other.
        let config = format!(
            "main_queue(queue.workerThreads=\"1\" queue.timeoutShutdown=\"120000\")\n{}",
            Settings { module, ..Settings::default() }.config()
        );
        let mut daemon = Daemon::start(&config);
        let port = daemon.port("port");
        std::thread::scope(|scope| {
            for sender in 0..4 {
                scope.spawn(move || {
                    let mut streams: Vec<(usize, TcpStream)> = (sender..CONNECTIONS)
                        .step_by(4)
                        .map(|index| (index, send::connect(port)))
                        .collect();
                    for round in 0..10 {
                        for (index, stream) in &mut streams {
                            let frames: String = (round * FRAMES / 10..(round + 1) * FRAMES / 10)
                                .map(|frame| format!("<13>c{index}: {frame}\n"))
                                .collect();
                            std::io::Write::write_all(stream, frames.as_bytes()).expect("write");
                        }
                    }
                    for (_, stream) in streams {
                        send::finish(stream);
                    }
                });
            }
        });
        let stopped = daemon.stop();
        let mut next = [0; CONNECTIONS];
        for line in raw(&stopped) {
            let (connection, frame) = line
                .strip_prefix("<13>c")
                .and_then(|rest| rest.split_once(": "))
                .expect("a message");
            let next = &mut next[connection.parse::<usize>().expect("number")];
            assert_eq!(
                frame.parse::<usize>().expect("number"),
                *next,
                "{workers} workers: c{connection}"
            );
            *next += 1;
        }
        assert!(next.iter().all(|&frames| frames == FRAMES), "{workers} workers: {next:?}");
    }
}

/// Row 35: who is not on the list is closed at once, and named.
#[test]
fn allowed_sender() {
    if daemon::reference() {
        return; // `allowedSender` is newer than Debian's
    }
    let settings = Settings { input: r#"allowedSender=["127.0.0.1"]"#, ..Settings::default() };
    let mut daemon = Daemon::start(&settings.config().replace(r#"address="127.0.0.1""#, ""));
    let port = daemon.port("port");
    let mut refused = TcpStream::connect((Ipv6Addr::LOCALHOST, port)).expect("connect over IPv6");
    assert_eq!(refused.read(&mut [0]).expect("end of stream"), 0);
    send::tcp(port, b"<13>a: b\n");
    let stopped = daemon.stop();
    assert_eq!(raw(&stopped), ["<13>a: b"]);
    let own = stopped.lines("own").join("\n");
    assert!(own.contains("connection request from disallowed sender ::1 (::1:"), "{own}");
    assert!(own.contains("with error -2063"), "{own}");
}

/// The list of the legacy directive is for inputs without one of their own.
#[test]
fn legacy_allowed_sender() {
    let config = Settings::default().config();
    let mut daemon = Daemon::start(&format!("$AllowedSender TCP, 10.0.0.0/8\n{config}"));
    let mut refused = send::connect(daemon.port("port"));
    assert_eq!(refused.read(&mut [0]).expect("end of stream"), 0);
    daemon.wait_text("own", "connection request from disallowed sender 127.0.0.1");
    assert_eq!(raw(&daemon.stop()), [""; 0]);
}

/// Opened and closed connections are reported where that is wanted.
#[test]
fn notices() {
    if daemon::reference() {
        return; // notifyOnConnectionOpen is newer than Debian's
    }
    let notify = r#"notifyOnConnectionOpen="on" notifyOnConnectionClose="on""#;
    let mut daemon = Daemon::start(&Settings { input: notify, ..Settings::default() }.config());
    send::tcp(daemon.port("port"), b"<13>a: b\n<13>c: d");
    let own = daemon.stop().lines("own").join("\n");
    let opened = "imtcp: connection established with host: 127.0.0.1 (127.0.0.1:";
    assert!(own.contains(opened), "{own}");
    assert!(own.contains("closed by remote peer 127.0.0.1:"), "{own}");
    assert!(own.contains("after 2 messages, 17 bytes."), "{own}");
}

/// Row 37: a dynamic port is written without a line end, and both families share it.
#[test]
fn dynamic_port() {
    let config = Settings::default().config().replace(r#"address="127.0.0.1""#, "");
    let mut daemon = Daemon::start(&config);
    let port = daemon.port("port");
    let text = fs::read_to_string(daemon.dir().join("port")).expect("port file");
    assert_eq!(text, port.to_string());
    send::tcp(port, b"<13>v4: x\n");
    let v6 = TcpStream::connect((Ipv6Addr::LOCALHOST, port)).expect("connect over IPv6");
    std::io::Write::write_all(&mut &v6, b"<13>v6: x\n").expect("write");
    send::finish(v6);
    assert_eq!(raw(&daemon.stop()), ["<13>v4: x", "<13>v6: x"]);
}

/// Row 42: an idle connection does not hold up the end.
#[test]
fn stops_with_idle_connections() {
    let mut daemon = Daemon::start(&Settings::default().config());
    let port = daemon.port("port");
    let idle: Vec<_> = (0..10).map(|_| send::connect(port)).collect();
    send::tcp(port, b"<13>a: b\n");
    assert_eq!(raw(&daemon.stop()), ["<13>a: b"]);
    drop(idle);
}

/// A name per input, and the properties a session gives its messages.
#[test]
fn properties() {
    let mut daemon = Daemon::start(
        r#"global(net.enableDNS="off")
module(load="imtcp")
template(name="all" type="string" string="%inputname% %fromhost% %fromhost-ip% %hostname% %syslogtag% %pri%\n")
ruleset(name="rs") { action(type="omfile" file="{dir}/out" template="all") }
input(type="imtcp" name="one" port="0" address="127.0.0.1" listenPortFileName="{dir}/one" ruleset="rs")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/two" ruleset="rs")
action(type="omfile" file="{dir}/default")
"#,
    );
    let (one, two) = (daemon.port("one"), daemon.port("two"));
    send::tcp(one, b"<34>Oct 11 22:14:15 h t: x\n");
    send::tcp(two, b"<34>t: x\n");
    let stopped = daemon.stop();
    assert_eq!(
        stopped.lines("out"),
        ["one 127.0.0.1 127.0.0.1 h t: 34", "imtcp 127.0.0.1 127.0.0.1 127.0.0.1 t: 34"]
    );
    assert_eq!(stopped.read("default"), b"");
}

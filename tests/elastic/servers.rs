//! Several servers, and what goes with each request: headers, parameters, a proxy.

use std::io::{BufRead as _, BufReader, Write as _, copy};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::{config, counter, start};
use crate::harness::bulk_server::{Answer, ClosedPort, Plan, Server, spawn};
use crate::harness::{Daemon, send};

fn list(ports: &[u16]) -> String {
    let servers: Vec<_> = ports.iter().map(|port| format!("\"127.0.0.1:{port}\"")).collect();
    format!("[{}]", servers.join(", "))
}

/// Sends documents one by one, each when the one before is stored; returns how many each server got.
fn one_by_one(servers: &[Server], documents: usize, action: &str) -> Vec<usize> {
    let ports: Vec<_> = servers.iter().map(|server| server.port).collect();
    let mut daemon = Daemon::start(&config(&list(&ports), "", action));
    let port = daemon.port("port");
    let counts = || servers.iter().map(Server::count).collect::<Vec<_>>();
    for number in 0..documents {
        let before = counts().iter().sum::<usize>();
        send::tcp(port, format!("line {number}\n").as_bytes());
        while counts().iter().sum::<usize>() == before {
            std::thread::yield_now();
        }
    }
    let stopped = daemon.stop();
    assert_eq!(counter(&stopped.stderr, "response.success"), documents);
    counts()
}

#[test]
fn servers_take_turns_unless_told_otherwise() {
    let servers = || [(); 3].map(|()| Server::start(Plan::default()));
    assert_eq!(one_by_one(&servers(), 6, ""), [2, 2, 2]);
    assert_eq!(one_by_one(&servers(), 3, r#"loadBalance="off""#), [3, 0, 0]);
}

/// What one could not take another one gets, and it is not asked again at once.
#[test]
fn another_server_takes_over() {
    let unwell = Plan { answers: vec![Answer::Status(503); 100], ..Plan::default() };
    let (unwell, well) = (Server::start(unwell), Server::start(Plan::default()));
    let away = ClosedPort::new();
    let ports = [away.number(), unwell.port, well.port];
    let mut daemon = Daemon::start(&config(&list(&ports), "", ""));
    let port = daemon.port("port");
    for number in 1..=10 {
        send::tcp(port, format!("line {number}\n").as_bytes());
        well.stored(number);
    }
    let stopped = daemon.stop();
    // Its turn comes every second time; on a slow machine it may have rested enough once or twice.
    let asked = unwell.count();
    assert!((1..4).contains(&asked), "{asked}");
    // What nobody answered, and what was answered with 503.
    let failed = counter(&stopped.stderr, "failed.http");
    assert!((asked + 1..8).contains(&failed), "{failed}");
}

/// All are away: one after the other is asked for its health, until one is well.
#[test]
fn servers_are_asked_for_their_health() {
    let (first, second) = (ClosedPort::new(), ClosedPort::new());
    let ports = [first.number(), second.number()];
    let mut daemon = Daemon::start(&config(&list(&ports), "", ""));
    let port = daemon.port("port");
    send::tcp(port, b"line\n");
    daemon.wait_text("stderr", "_cat/health");
    let server = Server::on(second, Plan::default());
    server.stored(1);
    let stopped = daemon.stop();
    assert!(counter(&stopped.stderr, "failed.checkConn") > 0);
}

#[test]
fn headers_and_parameters_go_with_every_request() {
    let server = Server::start(Plan::default());
    let action = r#"headers=["X-Tenant: blue", "Authorization: Bearer x"] parameters=["refresh=wait_for", "routing=a b"]
        timeout="1m""#;
    let (daemon, port) = start(&server, "", action);
    send::tcp(port, b"line\n");
    server.stored(1);
    daemon.stop();
    let request = &server.requests(1)[0];
    let query = "filter_path=errors,items.*.error,items.*.status,items.*.failure_store&timeout=1m&refresh=wait_for&routing=a%20b";
    assert_eq!(request.line, format!("POST /_bulk?{query} HTTP/1.1"));
    for (name, value) in [("x-tenant", "blue"), ("authorization", "Bearer x")] {
        assert_eq!(request.headers.get(name).map(String::as_str), Some(value));
    }
}

/// A proxy that joins every client with the server it asks for; returns the heads of its requests.
fn proxy() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = listener.local_addr().expect("address").port();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&heads);
    spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut reader = BufReader::new(client.try_clone().expect("a socket"));
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert!(reader.read_line(&mut head).expect("a line") > 0);
            }
            let target = head.split(' ').nth(1).expect("a target").to_owned();
            seen.lock().expect("lock").push(head);
            let mut server = TcpStream::connect(target).expect("connected");
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("written");
            let (mut out, mut to) =
                (server.try_clone().expect("a socket"), client.try_clone().expect("a socket"));
            spawn(move || {
                let _ = copy(&mut out, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
            spawn(move || {
                let _ = copy(&mut reader, &mut server);
                let _ = server.shutdown(Shutdown::Both);
            });
        }
    });
    (port, heads)
}

#[test]
fn requests_go_through_a_proxy() {
    let server = Server::start(Plan::default());
    let (proxy, heads) = proxy();
    let action = format!("proxyUrl=\"http://me:open%20sesame@127.0.0.1:{proxy}\"");
    let (daemon, port) = start(&server, "", &action);
    send::tcp(port, b"line\n");
    server.stored(1);
    daemon.stop();
    let heads = heads.lock().expect("lock");
    assert!(heads[0].starts_with(&format!("CONNECT 127.0.0.1:{} HTTP/1.1\r\n", server.port)));
    // me:open sesame
    assert!(heads[0].contains("Proxy-Authorization: Basic bWU6b3BlbiBzZXNhbWU=\r\n"));
}

//! Lines over TCP, documents to Elasticsearch: the whole way, with a cluster that is as bad as it can be.

mod inline_pem;
mod input_tls;
mod memory;
mod peers;
mod secure;
mod servers;
mod trouble;

use crate::harness::bulk_server::{Plan, Server};
use crate::harness::daemon::run;
use crate::harness::{Daemon, send};

/// imrawtcp into a data stream. `action` is added to the action's parameters.
pub(crate) fn config(server: &str, input: &str, action: &str) -> String {
    format!(
        r#"global(net.enableDNS="off")
module(load="imrawtcp")
module(load="omelasticsearch")
input(type="imrawtcp" address="127.0.0.1" port="0" listenPortFileName="{{dir}}/port" {input})
action(type="omelasticsearch" name="es" server={server} dataStream="on" backoff.init="5" backoff.max="20"
       errorFile="{{dir}}/refused" queue.type="LinkedList" queue.timeoutShutdown="120000" {action})
"#
    )
}

/// The same with one server.
pub(crate) fn start(server: &Server, input: &str, action: &str) -> (Daemon, u16) {
    let mut daemon =
        Daemon::start(&config(&format!("\"127.0.0.1:{}\"", server.port), input, action));
    let port = daemon.port("port");
    (daemon, port)
}

/// The sum of a counter over all objects.
pub(crate) fn counter(stderr: &str, name: &str) -> usize {
    crate::harness::ledger::parse(stderr).iter().map(|object| object.get(name)).sum()
}

#[test]
fn lines_become_documents_of_a_data_stream() {
    let server = Server::start(Plan::default());
    let input = r#"tags=["a"] dataset="app.log" namespace="test" pipeline="My-Pipe" preserveOriginalEvent="on""#;
    let (daemon, port) = start(&server, input, "");
    send::tcp(port, b"hello world\r\n\xff\x00\"\n");
    let stored = server.stored(2);
    daemon.stop();
    let meta = |id: &str| {
        format!(
            "{{\"create\":{{\"_index\":\"logs-app.log-test\",\"pipeline\":\"my-pipe\",\"_id\":\"{id}\"}}}}"
        )
    };
    for document in &stored {
        let id = document.id.clone().expect("an id");
        assert_eq!(id.len(), 20);
        assert_eq!(document.meta, meta(&id));
        assert_eq!(document.field("/tags").to_string(), r#"["preserve_original_event","a"]"#);
        assert_eq!(document.field("/event/dataset"), "app.log");
        assert_eq!(document.field("/source/ip"), "127.0.0.1");
    }
    assert_eq!(stored[0].message(), "hello world");
    assert_eq!(stored[1].message(), "\u{fffd}\0\"");
    let request = &server.requests(1)[0];
    assert_eq!(
        request.line,
        "POST /_bulk?filter_path=errors,items.*.error,items.*.status,items.*.failure_store HTTP/1.1"
    );
    for (name, value) in [
        ("content-type", "application/x-ndjson"),
        ("accept", "application/json"),
        ("content-encoding", "gzip"),
    ] {
        assert_eq!(request.headers.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(request.headers["user-agent"].starts_with("sluice/"));
}

#[test]
fn credentials_go_with_every_request() {
    for (action, expected) in [
        (r#"uid="u" pwd="p" compressionLevel="0""#, "Basic dTpw"),
        (r#"apikey="id:key" compressionLevel="0""#, "ApiKey aWQ6a2V5"),
    ] {
        let server = Server::start(Plan::default());
        let (daemon, port) = start(&server, "", action);
        send::tcp(port, b"x\n");
        server.stored(1);
        daemon.stop();
        let headers = &server.requests(1)[0].headers;
        assert_eq!(headers.get("authorization").map(String::as_str), Some(expected));
        assert!(!headers.contains_key("content-encoding"));
    }
}

/// What Elastic's syslog processor counts, under the name that its tag gives it.
#[test]
fn texts_read_as_syslog_are_counted() {
    let server = Server::start(Plan::default());
    for (input, name, expected) in [
        (r#"syslog="on" syslog.tag="edge""#, "processor.syslog.edge", [2, 1, 0]),
        (r#"syslog="on" syslog.field="event.original""#, "processor.syslog", [0, 3, 3]),
        (
            r#"syslog="on" syslog.field="other" syslog.ignoreFailure="on""#,
            "processor.syslog",
            [0, 0, 3],
        ),
        (
            r#"syslog="on" syslog.field="event.original" preserveOriginalEvent="on""#,
            "processor.syslog",
            [2, 1, 0],
        ),
    ] {
        let before = server.stored(0).len();
        let (daemon, port) = start(&server, input, "");
        send::tcp(port, b"<13>Oct 11 22:14:15 h a: x\nnone\n<13>1 - - - - - -\n");
        server.stored(before + 3);
        let stopped = daemon.stop();
        let objects = crate::harness::ledger::parse(&stopped.stderr);
        let object = crate::harness::ledger::find(&objects, name);
        assert_eq!(["success", "failure", "missing"].map(|what| object.get(what)), expected);
    }
}

#[test]
fn the_configuration_that_comes_along_is_valid() {
    let conf = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/elastic-tcp.conf");
    let output = run(&["-N1", "-f", conf]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The template serves other outputs and other inputs.
#[test]
fn documents_go_to_files_too() {
    let mut daemon = Daemon::start(
        r#"global(net.enableDNS="off")
module(load="imtcp")
input(type="imtcp" address="127.0.0.1" port="0" listenPortFileName="{dir}/port")
action(type="omfile" file="{dir}/out" template="SLUICE_ECS")
"#,
    );
    let port = daemon.port("port");
    send::tcp(port, b"<34>Oct 11 22:14:15 mymachine su[7]: 'su root' failed\n");
    let line = daemon.wait_lines("out", 1);
    daemon.stop();
    let document: serde_json::Value = serde_json::from_slice(&line).expect("JSON");
    assert_eq!(document["log"]["syslog"]["appname"], "su");
    assert_eq!(document["log"]["syslog"]["procid"], "7");
    assert_eq!(document["message"], "'su root' failed");
    assert_eq!(document["data_stream"]["dataset"], "tcp.generic");
}

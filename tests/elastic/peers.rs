//! The same configuration in Debian's rsyslogd and here: the same requests, byte by byte. It also shows that the bulk
//! server of these tests takes what a real client sends.

use std::path::Path;

use crate::harness::bulk_server::{Plan, Server};
use crate::harness::daemon::{program, tempdir};
use crate::harness::{Daemon, send};

const RSYSLOGD: &str = "/usr/sbin/rsyslogd";
const MODULE: &str = "/usr/lib/x86_64-linux-gnu/rsyslog/omelasticsearch.so";

/// What `daemon` sent, one message after the other, and its error file.
fn requests(daemon: &Path, action: &str) -> (Vec<(String, String)>, String) {
    let judge = |message: &str, _: usize| if message.contains("bad") { 400 } else { 201 };
    let server = Server::start(Plan { judge: Box::new(judge), ..Plan::default() });
    let text = format!(
        r#"global(net.enableDNS="off")
module(load="imtcp")
module(load="omelasticsearch")
input(type="imtcp" address="127.0.0.1" port="0" listenPortFileName="{{dir}}/port")
template(name="doc" type="string" string="{{\"message\":\"%msg:::json%\",\"host\":\"%hostname:::json%\"}}")
template(name="index" type="string" string="logs_%programname%")
template(name="id" type="string" string="id-%procid%-%msg:2:3%")
action(type="omelasticsearch" server="127.0.0.1" serverport="{}" bulkMode="on" template="doc" searchType="ev"
       errorFile="{{dir}}/errors" {action})
"#,
        server.port
    );
    let mut daemon = Daemon::start_program(daemon, &text, &[], tempdir());
    let port = daemon.port("port");
    for (count, text) in (1..).zip(["one \"quoted\" / text", "2\ttab", "bad", "four"]) {
        // One after the other, so that batches are the same.
        send::tcp(port, format!("<13>Oct 11 22:14:15 host app[{count}]: {text}\n").as_bytes());
        server.requests(count);
    }
    daemon.wait_lines("errors", 1);
    let stopped = daemon.stop_lossy();
    let errors = String::from_utf8(stopped.read("errors")).expect("UTF-8");
    let own = server.port.to_string();
    let sent = server
        .requests(4)
        .into_iter()
        .map(|request| (request.line, String::from_utf8(request.body).expect("UTF-8")));
    (sent.collect(), errors.replace(&own, "PORT"))
}

#[test]
fn requests_are_the_references() {
    if !Path::new(MODULE).exists() {
        assert!(std::env::var_os("CI").is_none(), "install rsyslog-elasticsearch");
        return;
    }
    for action in [
        r#"searchIndex="plain""#,
        r#"searchIndex="index" dynSearchIndex="on" errorOnly="on""#,
        r#"searchIndex="plain" writeOperation="create" bulkId="id" dynBulkId="on" errorOnly="on" interleaved="on""#,
        r#"searchIndex="plain" pipelineName="pipe" timeout="1m""#,
    ] {
        let ours = requests(&program(), action);
        let theirs = requests(Path::new(RSYSLOGD), action);
        assert_eq!(ours, theirs, "{action}");
    }
}

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
action(type="omelasticsearch" server="127.0.0.1" serverport="{}" template="doc" searchType="ev"
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

/// Whether there is something to compare with.
fn is_installed() -> bool {
    let found = Path::new(MODULE).exists();
    assert!(found || std::env::var_os("CI").is_none(), "install rsyslog-elasticsearch");
    found
}

#[test]
fn requests_are_the_references() {
    if !is_installed() {
        return;
    }
    for action in [
        r#"bulkMode="on" searchIndex="plain""#,
        r#"bulkMode="on" searchIndex="index" dynSearchIndex="on" errorOnly="on""#,
        r#"bulkMode="on" searchIndex="plain" writeOperation="create" bulkId="id" dynBulkId="on" errorOnly="on" interleaved="on""#,
        r#"bulkMode="on" searchIndex="plain" pipelineName="pipe" timeout="1m" interleaved="on""#,
        r#"searchIndex="plain" pipelineName="pipe" timeout="1m""#,
        r#"searchIndex="index" dynSearchIndex="on" writeOperation="create" bulkId="id" dynBulkId="on""#,
    ] {
        let ours = requests(&program(), action);
        let theirs = requests(Path::new(RSYSLOGD), action);
        assert_eq!(ours, theirs, "{action}");
    }
}

/// Which of three servers gets each of six documents, sent one after the other.
fn turns(daemon: &Path) -> Vec<usize> {
    let servers = [(); 3].map(|()| Server::start(Plan::default()));
    let list: Vec<_> =
        servers.iter().map(|server| format!("\"http://127.0.0.1:{}\"", server.port)).collect();
    let text = format!(
        r#"global(net.enableDNS="off")
module(load="imtcp")
module(load="omelasticsearch")
input(type="imtcp" address="127.0.0.1" port="0" listenPortFileName="{{dir}}/port")
template(name="doc" type="string" string="{{\"message\":\"%msg:::json%\"}}")
action(type="omelasticsearch" server=[{}] bulkMode="on" template="doc" searchIndex="x" searchType="ev")
"#,
        list.join(", ")
    );
    let mut daemon = Daemon::start_program(daemon, &text, &[], tempdir());
    let port = daemon.port("port");
    let mut counts = [0; 3];
    let mut turns = Vec::new();
    for number in 0..6 {
        send::tcp(port, format!("<13>Oct 11 22:14:15 host app: {number}\n").as_bytes());
        let turn = loop {
            let known = servers.each_ref().map(Server::count);
            if let Some(turn) = (0..3).find(|server| known[*server] > counts[*server]) {
                counts = known;
                break turn;
            }
            std::thread::yield_now();
        };
        turns.push(turn);
    }
    daemon.stop_lossy();
    turns
}

#[test]
fn servers_take_turns_as_the_references_do() {
    if !is_installed() {
        return;
    }
    assert_eq!(turns(&program()), turns(Path::new(RSYSLOGD)));
}

/// The counters of `daemon` after four documents, one of which is bad, with this action.
fn counters(daemon: &Path, action: &str) -> String {
    let judge = |message: &str, _: usize| if message.contains("bad") { 400 } else { 201 };
    let server = Server::start(Plan { judge: Box::new(judge), ..Plan::default() });
    let text = format!(
        r#"global(net.enableDNS="off")
module(load="impstats" interval="1" log.syslog="off" log.file="{{dir}}/stats")
module(load="imtcp")
module(load="omelasticsearch")
input(type="imtcp" address="127.0.0.1" port="0" listenPortFileName="{{dir}}/port" ruleset="in")
template(name="doc" type="string" string="{{\"message\":\"%msg:::json%\"}}")
ruleset(name="retry") {{ stop }}
ruleset(name="in") {{
  action(type="omelasticsearch" server="127.0.0.1" serverport="{}" template="doc" searchIndex="x" searchType="ev"
         action.resumeInterval="1" action.resumeRetryCount="-1" {action})
}}
"#,
        server.port
    );
    let mut daemon = Daemon::start_program(daemon, &text, &[], tempdir());
    let port = daemon.port("port");
    for (count, text) in (1..).zip(["one", "two", "bad", "four"]) {
        send::tcp(port, format!("<13>Oct 11 22:14:15 host app: {text}\n").as_bytes());
        server.requests(count);
    }
    // The second report with all four is of a time when the last answer has been looked at.
    let line = daemon.wait("counters", |dir| {
        let stats = std::fs::read_to_string(dir.join("stats")).unwrap_or_default();
        let lines =
            stats.lines().filter(|line| line.contains("origin=omelasticsearch submitted=4 "));
        lines.skip(1).last().map(str::to_owned)
    });
    daemon.stop_lossy();
    line.split_once(": omelasticsearch: ").map_or(line.clone(), |(_, counters)| counters.to_owned())
}

#[test]
fn counters_are_the_references() {
    if !is_installed() {
        return;
    }
    for action in
        [r#"bulkMode="on""#, r#"bulkMode="on" retryFailures="on" retryRuleset="retry""#, ""]
    {
        let ours = counters(&program(), action);
        assert_eq!(ours, counters(Path::new(RSYSLOGD), action), "{action}");
    }
}

/// What a retry ruleset of `daemon` is given for one request with every kind of failure.
fn handed_back(daemon: &Path) -> String {
    let judge = |message: &str, _: usize| match message {
        message if message.contains("bad") => 400,
        message if message.contains("busy") => 429,
        message if message.contains("gone") => 404,
        message if message.contains("ill") => 503,
        // The one without the field.
        "" => 400,
        _ => 201,
    };
    let server = Server::start(Plan { judge: Box::new(judge), ..Plan::default() });
    let text = format!(
        r#"global(net.enableDNS="off")
module(load="imtcp")
module(load="omelasticsearch")
template(name="doc" type="string" string="{{\"message\":\"%msg:::json%\",\"host\":\"%hostname:::json%\",\"n\":[1,2.50,null,true]}}")
template(name="bare" type="string" string="{{\"text\":\"%msg:::json%\"}}")
template(name="id" type="string" string="id-%procid%")
template(name="all" type="string" string="%msg%|%rawmsg%|%hostname%|%syslogtag%|%inputname%|%fromhost%|%fromhost-ip%|%pri%|%syslogfacility-text%|%syslogseverity%|%programname%|%app-name%|%procid%|%protocol-version%|%$.omes%|%$.omes!status%|%$.omes!error!type%|%$!%|%$!all-json%\n")
input(type="imtcp" address="127.0.0.1" port="0" listenPortFileName="{{dir}}/port" ruleset="in")
ruleset(name="retry") {{ action(type="omfile" file="{{dir}}/retry" template="all") }}
ruleset(name="in" queue.type="LinkedList" queue.minDequeueBatchSize="8" queue.minDequeueBatchSize.timeout="60000") {{
  if $msg contains "bare" then
    action(type="omelasticsearch" server="127.0.0.1" serverport="{port}" bulkMode="on" template="bare" searchIndex="plain" searchType="ev"
           retryFailures="on" retryRuleset="retry")
  else
    action(type="omelasticsearch" server="127.0.0.1" serverport="{port}" bulkMode="on" template="doc" searchType="ev"
           searchIndex="plain" writeOperation="create" bulkId="id" dynBulkId="on" retryFailures="on" retryRuleset="retry")
}}
"#,
        port = server.port
    );
    let mut daemon = Daemon::start_program(daemon, &text, &[], tempdir());
    let port = daemon.port("port");
    let texts =
        ["one \"q\" \\ / é", "busy", "bad", "dup", "dup", "gone", "ill", "bare bad"].into_iter();
    let line = |(id, text): (usize, &str)| {
        let id = if text == "dup" { 0 } else { id };
        format!("<13>Oct 11 22:14:15 host app[{id}]: {text}\n")
    };
    let lines: String = texts.enumerate().map(line).collect();
    send::tcp(port, lines.as_bytes());
    daemon.wait_lines("retry", 8);
    String::from_utf8(daemon.stop_lossy().read("retry")).expect("UTF-8")
}

#[test]
fn a_retry_ruleset_is_given_what_the_references_is() {
    if !is_installed() {
        return;
    }
    let ours = handed_back(&program());
    let theirs = handed_back(Path::new(RSYSLOGD));
    assert_eq!(ours, theirs);
}

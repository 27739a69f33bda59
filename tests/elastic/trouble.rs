//! Clusters that are busy, picky, slow or away. Rows 40 to 46 of `spec/elastic-tcp.md` section 10.

use std::collections::HashSet;

use super::{config, counter, start};
use crate::harness::bulk_server::{Answer, ClosedPort, Plan, Server, spawn};
use crate::harness::daemon::{program, tempdir};
use crate::harness::{Daemon, Stopped, send};

/// `count` lines `line 0` and so on.
fn lines(count: usize) -> Vec<u8> {
    (0..count).flat_map(|number| format!("line {number}\n").into_bytes()).collect()
}

/// Sends `count` lines to a daemon with this server, waits until they are stored, and stops.
fn deliver(server: &Server, count: usize, action: &str) -> Stopped {
    let (daemon, port) = start(server, "", action);
    send::tcp(port, &lines(count));
    server.stored(count);
    let stopped = daemon.stop();
    let stored = server.stored(count);
    let messages: HashSet<String> = stored.iter().map(|document| document.message()).collect();
    let expected: HashSet<String> = (0..count).map(|number| format!("line {number}")).collect();
    assert_eq!(messages, expected);
    assert_eq!(stored.len(), count, "a document was stored twice");
    stopped
}

#[test]
fn a_document_the_cluster_is_too_busy_for_is_sent_again_alone() {
    let judge =
        |message: &str, before: usize| if message == "line 5" && before < 3 { 429 } else { 201 };
    let server = Server::start(Plan { judge: Box::new(judge), ..Plan::default() });
    let stopped = deliver(&server, 10, "");
    assert_eq!(server.sent("line 5"), 4);
    assert_eq!(server.sent("line 4"), 1);
    assert_eq!(counter(&stopped.stderr, "response.bulkrejection"), 3);
    assert_eq!(stopped.read("refused"), b"");
}

#[test]
fn a_request_that_is_too_large_is_cut_in_halves() {
    let server = Server::start(Plan { most: 10, ..Plan::default() });
    let stopped = deliver(&server, 100, "");
    assert!(counter(&stopped.stderr, "failed.httprequests") > 0);
    assert_eq!(counter(&stopped.stderr, "response.success"), 100);
}

#[test]
fn a_document_that_is_too_large_by_itself_is_lost_and_kept_in_the_error_file() {
    let server = Server::start(Plan { most: 0, ..Plan::default() });
    let (daemon, port) = start(&server, "", "");
    send::tcp(port, &lines(3));
    server.requests(3);
    let stopped = daemon.stop();
    assert_eq!(counter(&stopped.stderr, "failed.es"), 3);
    let refused = String::from_utf8(stopped.read("refused")).expect("UTF-8");
    assert!((0..3).all(|number| refused.contains(&format!("line {number}"))), "{refused}");
}

/// HTTP 400 without items: the one document that breaks the request is found, and lost alone.
#[test]
fn a_request_that_is_refused_is_searched_for_the_document_at_fault() {
    const COUNT: usize = 50;
    let server = Server::start(Plan { poison: Some("line 17\""), ..Plan::default() });
    let (daemon, port) = start(&server, "", "");
    send::tcp(port, &lines(COUNT));
    let stored = server.stored(COUNT - 1);
    let stopped = daemon.stop();
    let messages: HashSet<String> = stored.iter().map(|document| document.message()).collect();
    assert_eq!((messages.len(), messages.contains("line 17")), (COUNT - 1, false));
    assert_eq!(counter(&stopped.stderr, "failed.es"), 1);
    let refused = String::from_utf8(stopped.read("refused")).expect("UTF-8");
    assert_eq!(refused.matches("line 17").count(), 1, "{refused}");
    assert!(refused.contains("as planned") && !refused.contains("line 16"), "{refused}");
}

/// Such a document is delivered, but not where it should be.
#[test]
fn documents_in_the_failure_store_are_counted() {
    let server = Server::start(Plan { divert: Some("line 3\""), ..Plan::default() });
    let stopped = deliver(&server, 5, "");
    assert_eq!(counter(&stopped.stderr, "response.success"), 5);
    assert_eq!(counter(&stopped.stderr, "response.failurestore"), 1);
    assert_eq!(stopped.read("refused"), b"");
}

/// A server that takes the documents and says nothing is given up after the time for a request.
#[test]
fn a_server_that_does_not_answer_is_not_waited_for() {
    let server = Server::start(Plan { answers: vec![Answer::Never], ..Plan::default() });
    let stopped = deliver(&server, 5, r#"indexTimeout="200""#);
    assert!(counter(&stopped.stderr, "failed.http") >= 1);
    assert!(counter(&stopped.stderr, "response.duplicate") >= 1, "what was stored is a conflict");
}

#[test]
fn a_document_the_cluster_refuses_goes_to_the_error_file() {
    let judge = |message: &str, _: usize| if message == "line 1" { 400 } else { 201 };
    let server = Server::start(Plan { judge: Box::new(judge), ..Plan::default() });
    let (daemon, port) = start(&server, "", "");
    send::tcp(port, &lines(3));
    server.stored(2);
    let stopped = daemon.stop();
    assert_eq!(server.sent("line 1"), 1);
    let error: serde_json::Value = serde_json::from_slice(&stopped.read("refused")).expect("JSON");
    let request = error["response"][0]["request"].as_str().expect("a request");
    assert!(
        request.starts_with("{\"create\":") && request.contains("\"message\":\"line 1\""),
        "{request}"
    );
    let reply = error["response"][0]["reply"].as_str().expect("a reply");
    assert!(reply.contains("document_parsing_exception"), "{reply}");
    assert_eq!(counter(&stopped.stderr, "response.badargument"), 1);
    assert_eq!(counter(&stopped.stderr, "failed.es"), 1);
}

#[test]
fn nothing_is_lost_or_doubled_while_the_cluster_is_unwell() {
    for answers in [
        vec![Answer::Status(503); 5],
        vec![Answer::Status(429), Answer::Status(502), Answer::Status(401)],
        vec![Answer::Silence, Answer::Usual],
        vec![Answer::Cut, Answer::Silence],
        vec![Answer::Garbage, Answer::Short],
        vec![Answer::Status(503), Answer::Trickle],
    ] {
        let what = format!("{answers:?}");
        let count = answers.len();
        let server = Server::start(Plan { answers, ..Plan::default() });
        deliver(&server, 20, "");
        assert!(server.requests(1).len() > count.min(1), "{what}");
    }
}

/// What was stored before the reply was lost is a conflict the second time, and counts as delivered.
#[test]
fn a_conflict_is_a_delivery() {
    let server = Server::start(Plan { answers: vec![Answer::Silence], ..Plan::default() });
    let stopped = deliver(&server, 5, "");
    assert_eq!(counter(&stopped.stderr, "response.duplicate"), 5);
    assert_eq!(counter(&stopped.stderr, "failed.httprequests"), 1);
    assert_eq!(counter(&stopped.stderr, "failed.http"), 5, "its documents");
}

/// Row 46: while nobody is there the queue fills, then the senders wait; nothing is lost.
#[test]
fn a_cluster_that_is_away_holds_up_the_senders() {
    const COUNT: usize = 20_000;
    let es = ClosedPort::new();
    let queues = r#"queue.size="1000" queue.timeoutEnqueue="600000" compressionLevel="0""#;
    let main = r#"main_queue(queue.size="2000" queue.timeoutEnqueue="600000" queue.timeoutShutdown="120000")
"#;
    let text = format!("{main}{}", config(&format!("\"127.0.0.1:{}\"", es.number()), "", queues));
    let mut daemon = Daemon::start(&text);
    let port = daemon.port("port");
    let sender = spawn(move || send::tcp(port, &lines(COUNT)));
    daemon.wait_text("stderr", "action 'es' suspended");
    let server = Server::on(es, Plan::default());
    let stored = server.stored(COUNT);
    sender.join().expect("sent");
    assert_eq!(stored.len(), COUNT);
    let stopped = daemon.stop();
    assert!(counter(&stopped.stderr, "resumed") > 0);
}

/// A cluster that stays away: the daemon stops after the time it is given, and says how much it could not deliver.
#[test]
fn what_cannot_be_delivered_before_the_end_is_told() {
    const COUNT: usize = 100;
    let nobody = ClosedPort::new();
    let text = config(&format!("\"127.0.0.1:{}\"", nobody.number()), "", "");
    let text = text.replace("timeoutShutdown=\"120000\"", "timeoutShutdown=\"100\"");
    assert!(text.contains("timeoutShutdown=\"100\""));
    let mut daemon = Daemon::start(&text);
    let port = daemon.port("port");
    send::tcp(port, &lines(COUNT));
    daemon.wait_text("stderr", "action 'es' suspended");
    let stopped = daemon.stop_lossy();
    let sum = |name| counter(&stopped.stderr, name);
    let objects = crate::harness::ledger::parse(&stopped.stderr);
    let failed = crate::harness::ledger::find(&objects, "es").get("failed");
    assert_eq!(failed + sum("lost.shutdown"), COUNT, "{}", stopped.stderr);
    assert_eq!(sum("response.success"), 0);
}

/// The way rsyslog's documentation does it: a ruleset looks at what the cluster said, and sends again what may be
/// stored another time.
#[test]
fn a_ruleset_decides_what_is_sent_again() {
    let judge = |message: &str, before: usize| match message {
        "bad" => 400,
        "busy" if before < 3 => 429,
        _ => 201,
    };
    let server = Server::start(Plan { judge: Box::new(judge), ..Plan::default() });
    let text = format!(
        r#"global(net.enableDNS="off")
module(load="imrawtcp")
module(load="omelasticsearch")
input(type="imrawtcp" address="127.0.0.1" port="0" listenPortFileName="{{dir}}/port" ruleset="send")
template(name="doc" type="list") {{ property(name="$!") }}
ruleset(name="send" queue.type="LinkedList") {{
  if strlen($.omes!status) > 0 then {{
    if $.omes!status == 200 or $.omes!status == 201 or ($.omes!status == 409 and $.omes!writeoperation == "create") then
      stop
    if $.omes!status == 400 then {{
      action(type="omfile" file="{{dir}}/refused" template="doc")
      stop
    }}
  }} else
    set $!message = $rawmsg;
  action(type="omelasticsearch" server="127.0.0.1:{}" bulkMode="on" searchIndex="x" writeOperation="create"
         template="doc" retryFailures="on" retryRuleset="send")
}}
"#,
        server.port
    );
    let mut daemon = Daemon::start(&text);
    let port = daemon.port("port");
    send::tcp(port, b"one\nbusy\nbad\ntwo\n");
    let stored = server.stored(3);
    daemon.wait_text("refused", "bad");
    daemon.stop();
    let mut messages: Vec<_> = stored.iter().map(|document| document.message()).collect();
    messages.sort();
    assert_eq!(messages, ["busy", "one", "two"]);
    assert_eq!((server.sent("busy"), server.sent("bad")), (4, 1));
}

/// What the limit of `retryRuleset` drops is counted.
#[test]
fn what_goes_to_the_retry_ruleset_is_limited() {
    let server = Server::start(Plan { judge: Box::new(|_, _| 400), ..Plan::default() });
    let text = format!(
        r#"global(net.enableDNS="off")
module(load="imrawtcp")
module(load="omelasticsearch")
input(type="imrawtcp" address="127.0.0.1" port="0" listenPortFileName="{{dir}}/port" ruleset="send")
template(name="doc" type="string" string="{{\"message\":\"%rawmsg:::json%\"}}")
ruleset(name="retry") {{ action(type="omfile" file="{{dir}}/retry" template="doc") }}
ruleset(name="send" queue.type="LinkedList" queue.minDequeueBatchSize="5" queue.minDequeueBatchSize.timeout="60000") {{
  action(type="omelasticsearch" server="127.0.0.1:{}" bulkMode="on" searchIndex="x" template="doc"
         retryFailures="on" retryRuleset="retry" rateLimit.interval="600" rateLimit.burst="2")
}}
"#,
        server.port
    );
    let mut daemon = Daemon::start_program(&program(), &text, &["-d"], tempdir());
    let port = daemon.port("port");
    send::tcp(port, b"1\n2\n3\n4\n5\n");
    daemon.wait_text("retry", "2");
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("retry"), [r#"{"message":"1"}"#, r#"{"message":"2"}"#]);
    assert_eq!(counter(&stopped.stderr, "discarded.ratelimit"), 3);
}

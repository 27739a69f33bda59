//! MARK messages end to end: what they look like, where they go, which actions leave them out.

use crate::harness::daemon::Daemon;
use crate::harness::ledger;

/// Messages to `out`, with what tells them from others.
const OUT: &str = r#"template(name="t" type="string" string="%pri%|%syslogtag%|%inputname%|%msg%\n")
action(type="omfile" file="{dir}/out" template="t")
"#;

#[test]
fn a_message_of_the_inputs_own() {
    let head = r#"global(net.enableDNS="off")
module(load="immark" interval="1" use.syslogCall="off" markMessageText="still here")
"#;
    let mut daemon = Daemon::start(&format!("{head}{OUT}"));
    daemon.wait_lines("out", 1);
    let stopped = daemon.stop();
    let lines = stopped.lines("out");
    assert_eq!(lines[0], "46|rsyslogd:|immark|still here");
    if !crate::harness::daemon::reference() {
        let objects = ledger::parse(&stopped.stderr);
        assert_eq!(ledger::find(&objects, "immark").get("submitted"), lines.len());
    }
}

#[test]
fn one_of_the_daemons_own_messages_by_default() {
    let head = r#"global(net.enableDNS="off" processInternalMessages="on")
$ModLoad immark
$MarkMessagePeriod 1
"#;
    let mut daemon = Daemon::start(&format!("{head}{OUT}"));
    daemon.wait_text("out", "46|rsyslogd:|rsyslogd|-- MARK --\n");
    daemon.stop();
}

/// The messages of impstats, which is asked first, keep the actions busy.
fn busy(interval: u8, call: &str, mark: &str) -> String {
    format!(
        r#"global(net.enableDNS="off" processInternalMessages="on")
module(load="impstats" interval="1")
module(load="immark" interval="{interval}" use.syslogCall="{call}" use.markFlag="{mark}")
template(name="t" type="string" string="%msg%\n")
action(type="omfile" file="{{dir}}/some" template="t" action.writeAllMarkMessages="off")
if $msg == "-- MARK --" then
    action(type="omfile" file="{{dir}}/idle" template="t" action.writeAllMarkMessages="off")
action(type="omfile" file="{{dir}}/all" template="t")
"#
    )
}

/// Whether an action that has just run took the message.
fn is_taken(interval: u8, call: &str, mark: &str) -> bool {
    let mut daemon = Daemon::start(&busy(interval, call, mark));
    daemon.wait_text("all", "-- MARK --\n");
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("idle")[0], "-- MARK --");
    stopped.lines("some").iter().any(|line| line == "-- MARK --")
}

#[test]
fn an_action_that_has_just_run_leaves_them_out() {
    assert!(!is_taken(4, "off", "on"));
    assert!(!is_taken(4, "on", "on"));
}

#[test]
fn without_the_flag_or_with_a_short_interval_it_does_not() {
    assert!(is_taken(4, "off", "off"));
    assert!(is_taken(1, "off", "on")); // half of it is no second
}

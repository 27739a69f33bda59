//! Modifiers that Debian's rsyslog does not have.

use std::fs;

use nix::sys::signal::Signal;

use crate::harness::daemon::{Daemon, reference};
use crate::harness::send;

/// A message that cannot be transformed is left as it is, and the next one is transformed; the parents of the output
/// are made; HUP reads a changed policy, and a broken one leaves the old one.
#[test]
fn mmjsontransform() {
    if reference() {
        return;
    }
    let dir = crate::harness::daemon::tempdir();
    let policy = dir.path().join("policy");
    fs::write(&policy, "map:\n  drop: [secret]\n").expect("the policy");
    let config = r#"global(net.enableDNS="off" processInternalMessages="on")
module(load="imtcp")
module(load="mmjsonparse")
module(load="mmjsontransform")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
template(name="t" type="string" string="%$!out!deep%\n")
template(name="own" type="string" string="%msg%\n")
if $inputname != "imtcp" then { action(type="omfile" file="{dir}/own" template="own") stop }
action(type="mmjsonparse" cookie="" container="$!in")
action(type="mmjsontransform" input="$!in" output="$!out!deep" policy="{dir}/policy")
action(type="omfile" file="{dir}/out" template="t")
"#;
    let program = crate::harness::daemon::program();
    let mut daemon = Daemon::start_program(&program, config, &["-d"], dir);
    let port = daemon.port("port");
    let send =
        |text: &str| send::tcp(port, format!("<13>Oct 11 22:14:15 h t: {text}\n").as_bytes());
    send(r#"{"a.b":1,"secret":2}"#);
    send(r#"{"a":1,"a.b":2}"#);
    send(r#"{"a.b":1,"a.c":2}"#);
    daemon.wait_lines("out", 3);
    fs::write(&policy, "mode: flatten\nmap:\n  rename: {a.b: x.y}\n").expect("the policy");
    let hup = |daemon: &mut Daemon, times: usize| {
        daemon.signal(Signal::SIGHUP);
        daemon.wait("HUP", |dir| {
            let own = fs::read_to_string(dir.join("own")).ok()?;
            (own.matches("was HUPed").count() == times).then_some(())
        });
    };
    hup(&mut daemon, 1);
    // The file is read behind the message about HUP.
    let text = "{ \"a.c\": 2, \"x.y\": 1 }";
    daemon.wait("the new policy", |dir| {
        send(r#"{"a.c":2,"a.b":1}"#);
        fs::read_to_string(dir.join("out")).ok()?.contains(text).then_some(())
    });
    fs::write(&policy, "mode: nonsense\n").expect("the policy");
    hup(&mut daemon, 2);
    daemon.wait_text("own", "keeping previous policy");
    let before = fs::read_to_string(daemon.dir().join("out")).expect("the file").lines().count();
    send(r#"{"a.b":3}"#);
    daemon.wait_text("out", "{ \"x.y\": 3 }");
    let stopped = daemon.stop();
    let out = stopped.lines("out");
    assert_eq!(out[..3], ["{ \"a\": { \"b\": 1 } }", "", "{ \"a\": { \"b\": 1, \"c\": 2 } }"]);
    assert!(out.len() > before);
    let own = stopped.lines("own").join("\n");
    assert!(own.contains("mmjsontransform: dotted path 'a.b' collides"), "{own}");
}

//! Rate limits: `ratelimit()` objects, their policy files, and what is told about drops.

use std::fs;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::harness::daemon::{Daemon, program, run, tempdir};
use crate::harness::ledger;
use crate::harness::send;

const CONFIG: &str = r#"global(net.enableDNS="off" processInternalMessages="on")
module(load="imtcp")
template(name="own" type="string" string="%msg%\n")
template(name="raw" type="string" string="%hostname%%msg%\n")
ratelimit(name="r" policy="{dir}/policy" WATCH)
if $inputname == "rsyslogd" then { action(type="omfile" file="{dir}/own" template="own") stop }
action(type="omfile" file="{dir}/out" template="raw")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port" rateLimit.name="r")
"#;

/// A daemon whose policy file holds `policy`.
fn start(policy: &str, watch: &str) -> Daemon {
    let dir = tempdir();
    fs::write(dir.path().join("policy"), policy).expect("policy");
    Daemon::start_program(&program(), &CONFIG.replace("WATCH", watch), &["-d"], dir)
}

/// Sends a message of each of these hosts.
fn send(daemon: &mut Daemon, hosts: &str) {
    let line = |host: char| format!("<13>Oct 11 22:14:15 {host} t: x\n");
    send::tcp(daemon.port("port"), hosts.chars().map(line).collect::<String>().as_bytes());
}

fn hosts(lines: &[String]) -> String {
    lines.iter().filter_map(|line| line.chars().next()).collect()
}

#[test]
fn sources_are_limited_one_by_one_and_a_reload_changes_how() {
    let policy = "perSource:\n  maxStates: 3\n  topN: 1\n  default: {max: 2, window: 1h}\n  overrides:\n    \
                  - {key: z, max: 1}\n";
    let mut daemon = start(policy, "");
    send(&mut daemon, "aaaabzzb");
    daemon.wait_lines("out", 5);
    // A broken file changes nothing.
    fs::write(daemon.dir().join("policy"), "perSource: {default: {max: x}}").expect("policy");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_text("own", "ratelimit: HUP failed to reload policy 'r' from file");
    send(&mut daemon, "abz");
    fs::write(daemon.dir().join("policy"), policy.replace("max: 2", "max: 4")).expect("policy");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_text("own", "ratelimit: HUP reloaded policy 'r' from file");
    send(&mut daemon, "abzaacde");
    let stopped = daemon.stop();
    assert_eq!(hosts(&stopped.lines("out")), "aabzbabacde");
    let objects = ledger::parse(&stopped.stderr);
    let sources = ledger::find(&objects, "ratelimit.r.per_source");
    let count = |name| sources.get(name);
    assert_eq!((count("per_source_allowed"), count("per_source_dropped")), (11, 8));
    assert_eq!((count("per_source_evicted"), count("sources")), (3, 3));
    assert_eq!(count("per_source_key_parse_evals"), 19);
    let input = ledger::find(&objects, "imtcp(0)");
    assert_eq!((input.get("submitted"), input.get("discarded.persource")), (11, 8));
}

#[test]
fn a_watched_policy_is_read_when_it_has_changed() {
    let mut daemon =
        start("interval: 3600\nburst: 1", "policyWatch=\"on\" policyWatchDebounce=\"200ms\"");
    send(&mut daemon, "aab");
    fs::write(daemon.dir().join("new"), "interval: 3600\nburst: 3\nseverity: 7").expect("policy");
    fs::rename(daemon.dir().join("new"), daemon.dir().join("policy")).expect("rename");
    daemon.wait_text("own", "ratelimit: watch reloaded policy 'r' from file");
    // Severity notice is more important than debug: no longer limited.
    send(&mut daemon, "cdef");
    send::tcp(daemon.port("port"), "<15>Oct 11 22:14:15 g t: x\n".repeat(3).as_bytes());
    let stopped = daemon.stop();
    assert_eq!(hosts(&stopped.lines("out")), "acdefgg");
}

#[test]
fn an_action_takes_what_its_limit_allows() {
    const CONFIG: &str = r#"global(net.enableDNS="off" processInternalMessages="on")
module(load="imtcp")
template(name="raw" type="string" string="%msg%\n")
ratelimit(name="few" policy="{dir}/few")
ratelimit(name="slow" policy="{dir}/slow")
if $inputname == "rsyslogd" then { action(type="omfile" file="{dir}/own" template="raw") stop }
action(name="few" type="omfile" file="{dir}/out" template="raw" action.ratelimit.name="few")
action(name="slow" type="omfile" file="{dir}/all" template="raw" action.ratelimit.name="slow" queue.type="LinkedList")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
"#;
    let dir = tempdir();
    let few = "scope: output\nmode: drop\ninterval: 3600\nburst: 3";
    let slow = "scope: output\nmode: pace\ninterval: 1\nburst: 4";
    fs::write(dir.path().join("few"), few).expect("policy");
    fs::write(dir.path().join("slow"), slow).expect("policy");
    let mut daemon = Daemon::start_program(&program(), CONFIG, &["-d"], dir);
    send(&mut daemon, "abcdefgh");
    daemon.wait_lines("all", 8);
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("out").len(), 3);
    let own = stopped.lines("own").join("\n");
    assert!(
        own.contains("action[few] from <few>: begin to drop messages due to rate-limiting"),
        "{own}"
    );
    let objects = ledger::parse(&stopped.stderr);
    let (few, slow) = (ledger::find(&objects, "few"), ledger::find(&objects, "slow"));
    assert_eq!((few.get("ratelimit.allowed"), few.get("ratelimit.dropped")), (3, 5));
    assert_eq!((slow.get("ratelimit.allowed"), slow.get("written")), (8, 8));
    assert!(slow.get("ratelimit.paced") >= 1 && slow.get("ratelimit.paced_usec") >= 1_000_000);
}

#[test]
fn what_makes_no_sense_is_an_error() {
    let dir = tempdir();
    let path = |name: &str| dir.path().join(name).display().to_string();
    for (name, text) in [
        ("out.yaml", "scope: output\nmode: drop\ninterval: 1\nburst: 1"),
        ("pace.yaml", "scope: output\nmode: pace\ninterval: 1\nburst: 1"),
        ("mode.yaml", "mode: drop"),
        ("source.yaml", "perSource: {default: {max: 1, window: 1}}"),
        ("bad.yaml", "interval: soon"),
    ] {
        fs::write(path(name), text).expect("policy");
    }
    let [out, pace, mode, source, bad] =
        ["out", "pace", "mode", "source", "bad"].map(|name| path(&format!("{name}.yaml")));
    let cases = [
        (input("rateLimit.name=\"x\""), "ratelimit config 'x' not found"),
        (
            format!("ratelimit(name=\"x\"){}", input("rateLimit.name=\"x\" rateLimit.burst=\"1\"")),
            "imtcp: ratelimit.name is mutually exclusive with ratelimit.interval and ratelimit.burst",
        ),
        (
            "ratelimit(name=\"x\") ratelimit(name=\"x\")".to_owned(),
            "ratelimit: duplicate name 'x' in current config set",
        ),
        (
            format!("ratelimit(name=\"x\" policy=\"{out}\"){}", input("rateLimit.name=\"x\"")),
            "ratelimit config 'x' has incompatible scope for imtcp",
        ),
        (
            format!("ratelimit(name=\"x\" policy=\"{mode}\")"),
            "ratelimit: input policy 'x' must not define output mode",
        ),
        (
            format!("ratelimit(name=\"x\" policy=\"{out}\" burst=\"1\")"),
            "ratelimit: output policy 'x' must define limits only in the YAML policy file",
        ),
        (
            format!("ratelimit(name=\"x\" policy=\"{source}\" perSource=\"on\")"),
            "do not mix it with legacy",
        ),
        (
            format!("ratelimit(name=\"x\" policy=\"{bad}\")"),
            "ratelimit: invalid interval value 'soon' in",
        ),
        (
            "ratelimit(name=\"x\" policy=\"/nonexistent\")".to_owned(),
            "ratelimit: error opening policy file",
        ),
        (
            "ratelimit(name=\"x\" perSource=\"on\")".to_owned(),
            "per-source rate limiting enabled but perSourcePolicy is missing for 'x'",
        ),
        (
            format!("ratelimit(name=\"x\" policy=\"{pace}\") {}", action("x")),
            "uses pace mode, which requires a non-direct action queue",
        ),
        (
            format!("ratelimit(name=\"x\") {}", action("x")),
            "ratelimit config 'x' has incompatible scope for action",
        ),
        (
            "ratelimit(name=\"x\" policyWatchDebounce=\"soon\")".to_owned(),
            "ratelimit: invalid policyWatchDebounce value 'soon'",
        ),
    ];
    for (text, expected) in cases {
        check(&dir, &text, expected);
    }
}

/// `-N1` of a configuration with `text` says `expected`, and that it is an error; of an input's limit that it cannot have
/// rsyslogd learns later, and of a debounce that is none it says nothing: those alone are none.
fn check(dir: &TempDir, text: &str, expected: &str) {
    let text = format!("module(load=\"imtcp\")\n{text}\n{}\n*.* /dev/null\n", input(""));
    let conf = dir.path().join("conf").display().to_string();
    fs::write(&conf, &text).expect("configuration");
    let output = run(&["-N1", "-f", &conf]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(expected), "{text}\n{said}");
    let later = [" not found", " incompatible scope for imtcp", "value 'soon'"]
        .iter()
        .any(|end| expected.ends_with(end));
    assert_eq!(output.status.code(), Some(i32::from(!later)), "{text}");
}

fn input(more: &str) -> String {
    format!("input(type=\"imtcp\" port=\"1\" {more})")
}

fn action(name: &str) -> String {
    format!("action(type=\"omfile\" file=\"/dev/null\" action.ratelimit.name=\"{name}\")")
}

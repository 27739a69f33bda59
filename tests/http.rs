//! impstats over HTTP: a running daemon asked by promtool, by probes, and by a browser.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::daemon::{DEADLINE, Daemon, program, run, tempdir};
use crate::harness::pki::{Identity, Wanted};
use crate::harness::send;

/// Every object that metrics are documented for.
const CONFIG: &str = r#"global(net.enableDNS="off")
module(load="impstats" log.syslog="off" http.listen="127.0.0.1:0" http.listenPortFileName="{dir}/http")
module(load="imtcp" workerThreads="4")
module(load="imrawtcp")
module(load="imudp")
module(load="omsendertrack")
dyn_stats(name="hosts")
template(name="host" type="string" string="%hostname%")
template(name="out" type="string" string="%hostname% %msg%\n")
set $.x = dyn_inc("hosts", $hostname);
action(type="omsendertrack" name="track" senderId="host" stateFile="{dir}/state" alarm.silence="60")
action(type="omfile" name="out" file="{dir}/out" template="out")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
input(type="imtcp" name="tls" port="0" address="127.0.0.1" listenPortFileName="{dir}/tls" streamDriver.name="ossl" streamDriver.mode="1"
      streamDriver.authMode="anon" streamDriver.caFile="{dir}/server.pem" streamDriver.certFile="{dir}/server.pem"
      streamDriver.keyFile="{dir}/server.key")
input(type="imrawtcp" name="raw" port="0" address="127.0.0.1" tls.certificate="{dir}/server.pem" tls.key="{dir}/server.key")
input(type="imudp" port="{udp}" address="127.0.0.1")
"#;

fn message(host: &str) -> String {
    format!("<13>Oct 11 22:14:15 {host} a: b\n")
}

fn get(port: u16, path: &str) -> String {
    ask(TcpStream::connect(("127.0.0.1", port)).expect("connect"), path)
}

/// The body of what a server answers with 200.
fn ask(stream: impl std::io::Read + std::io::Write, path: &str) -> String {
    let (head, body) = answer(stream, path);
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    body
}

/// Head and body of what a server answers.
fn answer(mut stream: impl std::io::Read + std::io::Write, path: &str) -> (String, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.to_owned(), body.to_owned())
}

/// A daemon with this configuration and a certificate.
fn start(config: &str) -> Daemon {
    let dir = tempdir();
    Identity::own(&Wanted::name("localhost")).write(dir.path(), "server");
    Daemon::start_program(&program(), config, &["-d"], dir)
}

/// A daemon that has taken messages of three hosts.
fn busy() -> (Daemon, u16) {
    let mut daemon = start(CONFIG);
    let (http, tcp) = (daemon.port("http"), daemon.port("port"));
    let text: String = (0..60).map(|n| message(&format!("h{}", n % 3))).collect();
    send::tcp(tcp, text.as_bytes());
    daemon.wait_lines("out", 60);
    // Lines are counted right after they are written.
    let deadline = Instant::now() + DEADLINE;
    let counted = "sluice_core_action_written_total{object=\"out\"} 60\n";
    while !get(http, "/metrics").contains(counted) {
        assert!(Instant::now() < deadline, "not counted: {}", get(http, "/metrics"));
    }
    (daemon, http)
}

/// All words that begin like our metrics.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_metric = |word: &&str| word.starts_with("sluice_") && !word.contains(char::is_uppercase);
    words.filter(is_metric).map(str::to_owned).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}

#[test]
fn metrics_are_an_exposition_and_those_that_are_documented() {
    let (daemon, port) = busy();
    let text = get(port, "/metrics");
    for line in [
        "sluice_core_action_written_total{object=\"out\"} 60\n",
        "sluice_omsendertrack_senders{object=\"track(omsendertrack)\"} ",
        "sluice_dynstats_bucket_value_total{object=\"hosts\",counter=\"h1\"} 20\n",
        "sluice_ledger_processed_total{stage=\"input\",object=\"imtcp(0)\"} 60\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let mut promtool = Command::new("promtool");
    promtool
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = promtool.spawn().expect("promtool, of Debian's package prometheus");
    child.stdin.take().expect("piped").write_all(text.as_bytes()).expect("taken");
    let checked = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(checked.status.success() && said.is_empty(), "{said}");

    let served = metrics(&text);
    for file in [
        "man/sluice-metrics.5",
        "conf/monitoring/sluice.rules.yml",
        "conf/monitoring/sluice-dashboard.json",
    ] {
        let named = metrics(&read(file));
        assert!(!named.is_empty());
        let unknown: Vec<_> = named.difference(&served).collect();
        assert!(unknown.is_empty(), "{file} names {unknown:?}");
    }
    let documented = metrics(&read("man/sluice-metrics.5"));
    let prefixes = ["sluice_omsendertrack_", "sluice_ledger_"];
    let silent: Vec<_> = served
        .difference(&documented)
        .filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)))
        .collect();
    assert!(silent.is_empty(), "not in sluice-metrics(5): {silent:?}");
    daemon.stop();
}

#[test]
fn alert_rules_are_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/monitoring");
    for args in [["check", "rules", "sluice.rules.yml"], ["test", "rules", "sluice.rules.test.yml"]]
    {
        let promtool = Command::new("promtool").args(args).current_dir(&folder).output();
        let checked = promtool.expect("promtool, of Debian's package prometheus");
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
}

#[test]
fn senders_and_health_are_answered() {
    let (daemon, port) = busy();
    let senders = get(port, "/senders.json?top=2");
    assert!(senders.contains("{\"name\":\"track\",\"senders\":3,\"silent\":"), "{senders}");
    assert_eq!(senders.matches("\"messages\":20,").count(), 2, "{senders}");
    assert_eq!(get(port, "/healthz"), "ok\n");
    assert_eq!(get(port, "/readyz"), "ready\n");
    assert!(
        get(port, "/stats.json").contains("\"name\":\"out\",\"received\":60,\"processed\":60,")
    );
    daemon.stop();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "nobody is there any more");
}

/// Who cannot deliver is not ready: an action that is suspended, one that tries without end, a queue that is full.
#[test]
fn a_daemon_that_cannot_deliver_is_not_ready() {
    let forward = |name: &str, more: &str| {
        format!(
            "action(type=\"omfwd\" name=\"{name}\" target=\"127.0.0.1\" port=\"1\" protocol=\"tcp\" {more}\n       \
             queue.type=\"LinkedList\" queue.size=\"100\" queue.timeoutEnqueue=\"0\"\n       \
             queue.timeoutShutdown=\"10\" queue.timeoutActionCompletion=\"10\")\n"
        )
    };
    let config = format!(
        "{CONFIG}{}{}",
        forward("gives-up", ""),
        forward("endless", "action.resumeRetryCount=\"-1\" action.resumeInterval=\"1\"")
    );
    let mut daemon = start(&config);
    let (http, tcp) = (daemon.port("http"), daemon.port("port"));
    send::tcp(tcp, message("h").repeat(1000).as_bytes());
    daemon.wait_lines("out", 1000);
    let ready = || answer(TcpStream::connect(("127.0.0.1", http)).expect("connect"), "/readyz");
    let wanted = [
        "action \"gives-up\" is suspended\n",
        "action \"endless\" is suspended\n",
        "queue \"endless queue\" holds 100 messages; its high mark is 90\n",
    ];
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let (head, body) = ready();
        if head.starts_with("HTTP/1.1 503 ") && wanted.iter().all(|line| body.contains(line)) {
            break;
        }
        assert!(Instant::now() < deadline, "{head}\n{body}");
    }
    daemon.stop_lossy();
}

#[test]
fn a_unix_socket_serves_and_goes_with_the_daemon() {
    let config =
        CONFIG.replace("127.0.0.1:0\" http.listenPortFileName=\"{dir}/http", "{dir}/http.sock");
    let daemon = start(&config);
    let path = daemon.dir().join("http.sock");
    assert_eq!(ask(UnixStream::connect(&path).expect("connect"), "/healthz"), "ok\n");
    let stopped = daemon.stop();
    assert!(!stopped.dir.path().join("http.sock").exists());
}

/// Who asks when there is no descriptor left waits, at no cost, and is answered when there is one again.
#[test]
fn without_a_descriptor_nobody_is_served_and_nothing_spins() {
    let (daemon, port) = busy();
    let limit = |soft: &str| {
        let pid = daemon.pid().to_string();
        let set =
            Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={soft}:")]).status();
        assert!(set.expect("prlimit, of Debian's package util-linux").success());
    };
    // Fewer than are open: no further one is possible.
    limit("3");
    let before = daemon.cpu_time();
    let waiting = TcpStream::connect(("127.0.0.1", port)).expect("the backlog takes it");
    daemon.idle(Duration::from_millis(500));
    let used = daemon.cpu_time() - before;
    assert!(used < Duration::from_millis(50), "{used:?}");
    limit("1024");
    assert_eq!(ask(waiting, "/healthz"), "ok\n");
    daemon.stop();
}

#[test]
fn only_loopback_is_served_unless_more_is_allowed() {
    let dir = tempdir();
    let path = dir.path().join("conf");
    for (parameters, wanted) in [
        (r#"http.listen="0.0.0.0:0""#, Some("is not a loopback address")),
        (r#"http.listen="9153""#, Some("is neither an address with a port")),
        (r#"http.listen="0.0.0.0:0" http.allow="on""#, None),
        (r#"http.listen="[::1]:0""#, None),
    ] {
        let text = format!("module(load=\"impstats\" {parameters})\n*.* /dev/null\n");
        fs::write(&path, text).expect("written");
        let checked = run(&["-N1", "-f", path.to_str().expect("UTF-8")]);
        let said = String::from_utf8_lossy(&checked.stderr);
        assert_eq!(checked.status.success(), wanted.is_none(), "{parameters}\n{said}");
        assert!(wanted.is_none_or(|wanted| said.contains(wanted)), "{said}");
    }
}

/// What a browser makes of the page: it draws what the daemon says, and says so when there is none.
#[test]
#[ignore = "needs chromium: scripts/test --slow"]
fn the_page_in_a_browser() {
    let (daemon, port) = busy();
    let page = browse(port);
    for text in [
        "<span id=\"state\" class=\"good\">ready</span>",
        "imtcp(0): ",
        ">h1<",
        "main Q",
        "w0/imtcp",
    ] {
        assert!(page.contains(text), "{text}\n{page}");
    }
    assert!(!page.contains("class=\"gone\""));

    // Somebody between the two, who is gone after a few requests.
    let between = TcpListener::bind("127.0.0.1:0").expect("bind");
    let near = between.local_addr().expect("an address").port();
    let relay = move || {
        let mut relayed = 0;
        while relayed < 6 {
            let (mut client, _) = between.accept().expect("a connection");
            let mut request = [0; 4096];
            let len = client.read(&mut request).expect("a request");
            // A browser opens connections that it may need.
            if len > 0 {
                let mut server = TcpStream::connect(("127.0.0.1", port)).expect("connect");
                server.write_all(&request[..len]).expect("sent");
                std::io::copy(&mut server, &mut client).expect("answered");
                relayed += 1;
            }
        }
    };
    let page = std::thread::scope(|scope| {
        scope.spawn(relay);
        browse(near)
    });
    for text in
        ["class=\"gone\"", "class=\"bad\">no answer from the daemon<", "what you see is from "]
    {
        assert!(page.contains(text), "{text}\n{page}");
    }
    daemon.stop();
}

/// What a page on this port has come to after ten seconds of a browser's own time, in a window of a phone's width.
fn browse(port: u16) -> String {
    let profile = tempdir();
    let browser = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"])
        .args(["--disable-background-networking", "--disable-component-update"])
        .args(["--window-size=390,1600", "--dump-dom", "--virtual-time-budget=10000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("http://127.0.0.1:{port}/"))
        .output();
    String::from_utf8_lossy(&browser.expect("chromium").stdout).into_owned()
}

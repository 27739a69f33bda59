//! Certificates and keys as PEM text in the configuration, and that keys are not shown.

use std::fs;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::input_tls::s_client;
use crate::harness::Daemon;
use crate::harness::daemon::{program, run, tempdir};
use crate::harness::pki::{Identity, Wanted};

fn configuration(input: &str) -> String {
    format!(
        r#"global(net.enableDNS="off")
module(load="imrawtcp")
input(type="imrawtcp" name="in" address="127.0.0.1" port="0" listenPortFileName="{{dir}}/port" {input})
template(name="raw" type="string" string="%rawmsg%\n")
action(type="omfile" file="{{dir}}/out" template="raw")
"#
    )
}

fn read(dir: &TempDir, name: &str) -> String {
    fs::read_to_string(dir.path().join(name)).expect("PEM")
}

/// The text in one line.
fn escaped(pem: &str) -> String {
    pem.replace('\n', "\\n")
}

/// Lines of base64 that are in `pem` and not in `other`.
fn body(pem: &str) -> Vec<&str> {
    pem.lines().filter(|line| !line.is_empty() && !line.starts_with("-----")).collect()
}

/// A server's and a client's certificate of one authority.
fn site() -> (Identity, TempDir) {
    let (root, dir) = (Identity::root("our authority"), tempdir());
    root.write(dir.path(), "ca");
    root.issue(&Wanted::name("localhost")).write(dir.path(), "server");
    root.issue(&Wanted::name("known")).write(dir.path(), "known");
    (root, dir)
}

#[test]
fn text_is_as_good_as_a_file() {
    let client =
        "-cert {dir}/known.pem -key {dir}/known.key -CAfile {dir}/ca.pem -verify_return_error";
    for one_line in [false, true] {
        let (_, dir) = site();
        let text = |name| match one_line {
            false => read(&dir, name),
            true => escaped(&read(&dir, name)),
        };
        let input = format!(
            "tls.certificate=\"{}\" tls.key=\"{}\" tls.certificateAuthorities=[\"{}\"]",
            text("server.pem"),
            text("server.key"),
            text("ca.pem")
        );
        fs::remove_file(dir.path().join("server.key")).expect("removed");
        let mut daemon = Daemon::start_program(&program(), &configuration(&input), &["-d"], dir);
        let port = daemon.port("port");
        s_client(&daemon, port, "", b"a stranger\n", false);
        s_client(&daemon, port, client, b"hello\n", true);
        daemon.wait_lines("out", 1);
        let stopped = daemon.stop();
        assert_eq!(stopped.lines("out"), ["hello"], "{}", stopped.stderr);
    }
}

/// HUP reads the certificate's file again; the key, in the configuration, stays, and fits no other certificate.
#[test]
fn hup_reads_files_and_leaves_text() {
    let (root, dir) = site();
    let key = read(&dir, "server.key");
    let input = format!("tls.certificate=\"{{dir}}/server.pem\" tls.key=\"{key}\"");
    let mut daemon = Daemon::start_program(&program(), &configuration(&input), &["-d"], dir);
    let port = daemon.port("port");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_text("stderr", "imrawtcp: input 'in' has read its certificates again");
    root.issue(&Wanted::name("other")).write(daemon.dir(), "server");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_text("stderr", "server.pem', 'PEM text of the configuration': ");
    s_client(&daemon, port, "-CAfile {dir}/ca.pem -verify_return_error", b"hello\n", true);
    daemon.wait_lines("out", 1);
    let stopped = daemon.stop();
    assert!(body(&key).iter().all(|line| !stopped.stderr.contains(line)), "{}", stopped.stderr);
}

/// Neither in what is said about a configuration, nor in the whole of it that `-o` writes, nor while it runs.
#[test]
fn keys_are_not_shown() {
    let (_, dir) = site();
    let key = read(&dir, "server.key");
    let certificate = read(&dir, "known.pem");
    let broken = key.replace(body(&key)[1], "");
    for (key, others) in [(key.clone(), ""), (broken, ""), (key, "lineDelimiter=\"\"")] {
        for text in [key.clone(), escaped(&key)] {
            // The parameter at fault stands in the line of the key.
            let input = format!(
                "{others} tls.certificate=\"{}\" tls.key=\"{text}\" tls.curveTypes=[\"P-255\"] nonsense=\"1\"",
                escaped(&certificate)
            );
            let conf = dir.path().join("conf");
            fs::write(&conf, configuration(&input)).expect("written");
            let whole = dir.path().join("whole");
            let paths = [&conf, &whole].map(|path| path.to_str().expect("UTF-8"));
            let output = run(&["-N1", "-f", paths[0], "-o", paths[1]]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.contains("nonsense"), "{said}");
            let whole = fs::read_to_string(&whole).expect("the whole configuration");
            assert!(whole.contains("tls.key=\"-----BEGIN") && whole.contains("*****"));
            for line in body(&key) {
                assert!(!said.contains(line) && !whole.contains(line), "{line}\n{said}\n{whole}");
            }
        }
    }
}

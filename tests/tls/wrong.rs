//! Combinations of parameters that make no sense: each is told where it stands, and what to write instead.

use std::fs;
use std::path::Path;

use crate::harness::daemon::{Daemon, reference, run, tempdir};

#[test]
fn every_wrong_combination_is_an_error_of_its_own() {
    if reference() {
        return; // It finds most of them when it starts, one at a time.
    }
    for file in ["tests/data/stream-driver", "tests/data/inputs"] {
        let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join(file).with_extension("expected");
        let output = run(&["-N1", "-iNONE", "-f", &format!("{file}.conf")]);
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8_lossy(&output.stderr);
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&expected, text.as_bytes()).expect("write");
        }
        let known = fs::read_to_string(expected).expect("read");
        assert_eq!(text, known, "UPDATE_EXPECT=1 rewrites it");
    }
}

/// Files are looked at when the daemon starts; an input that cannot have them is left out, the others go on.
#[test]
fn files_that_cannot_be_used_cost_their_input() {
    if reference() {
        return; // It goes on without them.
    }
    let mut daemon = Daemon::start_program(
        &crate::harness::daemon::program(),
        r#"global(net.enableDNS="off" processInternalMessages="on")
module(load="imtcp")
template(name="own" type="string" string="%msg%\n")
action(type="omfile" file="{dir}/own" template="own")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/secure" streamDriver.name="ossl"
  streamDriver.mode="1" streamDriver.authMode="anon" streamDriver.CertFile="{dir}/none.pem"
  streamDriver.KeyFile="{dir}/none.key")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
"#,
        &["-d"],
        tempdir(),
    );
    let port = daemon.port("port");
    crate::harness::send::tcp(port, b"<13>a: plain goes on\n");
    daemon.wait_text("own", "plain goes on");
    daemon.wait_text("own", "none.pem' could not be accessed.");
    daemon.wait_text("own", "No such file or directory");
    daemon
        .wait_text("own", "Could not create tcp listener, ignoring port 0 bind-address 127.0.0.1.");
    let ended = daemon.stop();
    assert!(!ended.dir.path().join("secure").exists());
}

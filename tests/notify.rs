//! What a service manager is told, over a socket of our own.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::daemon::{DEADLINE, program, reference, tempdir};

/// READY once it runs, WATCHDOG and STATUS meanwhile, STOPPING when the end begins.
#[test]
fn a_service_manager_is_told() {
    if reference() {
        return; // Debian's sends READY only, and its text is its own
    }
    let dir = tempdir();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("bind");
    socket.set_read_timeout(Some(DEADLINE)).expect("set");
    let config = format!("action(type=\"omfile\" file=\"{}/out\")\n", dir.path().display());
    fs::write(dir.path().join("conf"), config).expect("write");
    let mut child = Command::new(program())
        .args(["-n", "-iNONE", "-f"])
        .arg(dir.path().join("conf"))
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "200000")
        .spawn()
        .expect("start");
    let receive = || {
        let mut bytes = [0; 500];
        let len = loop {
            match socket.recv(&mut bytes) {
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                received => break received.expect("a datagram in time"),
            }
        };
        String::from_utf8_lossy(&bytes[..len]).into_owned()
    };
    assert_eq!(receive(), "READY=1\nSTATUS=Started");
    let until = |wanted: &str| {
        while !receive().starts_with(wanted) {}
    };
    until("WATCHDOG=1");
    until("STATUS=0 messages/s received, 0 written, 0 queued, 0 dropped since the start");
    until("WATCHDOG=1");
    kill(Pid::from_raw(i32::try_from(child.id()).expect("fits")), Signal::SIGTERM).expect("kill");
    until("STOPPING=1\nSTATUS=Emptying queues");
    assert!(child.wait().expect("wait").success());
}

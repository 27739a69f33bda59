//! imtcp end to end: the edge-case table of `spec/imtcp.md` section 12.

use crate::harness::{Daemon, send};

#[test]
fn two_lines() {
    let mut daemon = Daemon::start(
        r#"global(net.enableDNS="off")
module(load="imtcp")
template(name="raw" type="string" string="%rawmsg%\n")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
action(type="omfile" file="{dir}/out" template="raw")
"#,
    );
    let port = daemon.port("port");
    send::tcp(port, b"<13>a: b\n<13>c: d\n");
    let stopped = daemon.stop();
    assert_eq!(stopped.lines("out")[..2], ["<13>a: b", "<13>c: d"]);
}

//! Counters of ours beside the reference's: what is opened and how it ends, what is wrong with a stream, what workers do.

use std::io::Read as _;

use super::Settings;
use crate::harness::daemon::{Daemon, reference};
use crate::harness::{ledger, send};

#[test]
fn every_session_is_counted_by_how_it_ends() {
    if reference() {
        return; // It has no such counters.
    }
    let input = r#"maxSessions="2""#;
    let global = r#"maxMessageSize="128""#;
    let mut daemon = Daemon::start(&Settings { input, global, ..Settings::default() }.config());
    let port = daemon.port("port");
    // In good order, with three framing errors and two frames that are too long.
    send::tcp(port, b"<13>a: fine\n");
    send::tcp(port, b"0 <13>a: zero\n8X<13>a: b8 <13>");
    send::tcp(port, &[&b"<13>a: ".repeat(30), &b"\n200 <13>a: "[..], &b"x".repeat(194)].concat());
    // Broken: by a reset, and by what is no text.
    send::tcp_reset(port, b"<13>a: reset");
    daemon.wait_text("out", "a: reset");
    send::tcp(port, &[0x16, 3, 1, 2, 0, 1]);
    // Too many.
    let two = [send::connect(port), send::connect(port)];
    assert_eq!(send::connect(port).read(&mut [0]).expect("end of stream"), 0);
    two.into_iter().for_each(send::finish);
    let stopped = daemon.stop();
    let objects = ledger::parse(&stopped.stderr);
    let input = ledger::find(&objects, "imtcp(0)");
    for (name, expected) in [
        ("sessions.opened", 7),
        ("sessions.closed", 7),
        ("sessions.open", 0),
        ("sessions.broken", 2),
        ("sessions.timedout", 0),
        ("sessions.rejected", 1),
        ("sessions.refused", 0),
        ("sessions.failed", 0),
        // A count of zero, one without a blank, one that is cut off; and TLS.
        ("framing.errors", 4),
        ("frames.oversize", 2),
    ] {
        assert_eq!(input.get(name), expected, "{name}\n{}", stopped.stderr);
    }
    let workers = |name| {
        ["w0/imtcp", "w1/imtcp"].map(|w| ledger::find(&objects, w).get(name)).iter().sum::<usize>()
    };
    // Eight connections, and at least one call that found none.
    assert!(workers("accept") > 8);
    assert!(workers("runs") >= workers("read") && workers("read") >= 5, "{}", stopped.stderr);
}

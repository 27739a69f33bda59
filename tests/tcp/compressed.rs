//! Compressed streams (`compression.mode="stream:always"`).

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use crate::harness::daemon::{Daemon, is_watched};
use crate::harness::{ledger, send};

fn config(more: &str) -> String {
    format!(
        r#"global(net.enableDNS="off" processInternalMessages="on")
module(load="imtcp" compression.mode="stream:always" {more})
template(name="raw" type="string" string="%rawmsg%\n")
if $inputname == "rsyslogd" then {{ action(type="omfile" file="{{dir}}/own" template="raw") stop }}
action(type="omfile" file="{{dir}}/out" template="raw")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{{dir}}/port")
"#
    )
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn lines_arrive_when_the_sender_flushes_and_a_broken_stream_is_told_and_counted() {
    let mut daemon = Daemon::start(&config(""));
    let port = daemon.port("port");
    let mut encoder = ZlibEncoder::new(send::connect(port), Compression::fast());
    for n in 1..=3 {
        // The second begins with what makes a message of its own a compressed one.
        encoder.write_all(if n == 2 { b"zap\n" } else { b"<13>a: flushed\n" }).expect("write");
        encoder.flush().expect("flush");
        daemon.wait_lines("out", n);
    }
    encoder.write_all(b"8 <13>a: b<13>rest").expect("write");
    send::finish(encoder.finish().expect("finish"));
    let whole = zlib(b"<13>a: cut\n<13>half");
    send::tcp(port, &whole[..whole.len() - 2]);
    send::tcp(port, &[zlib(b"<13>a: more\n"), b"x".to_vec()].concat());
    send::tcp(port, b"<13>a: plain\n");
    send::tcp(port, b"");
    let stopped = daemon.stop();
    let out = stopped.lines("out");
    let flushed = "<13>a: flushed";
    let expected = [flushed, "zap", flushed, "<13>a: b", "<13>rest", "<13>a: cut", "<13>a: more"];
    assert_eq!(out, expected);
    let own = stopped.lines("own").join("\n");
    let errors = [
        "imtcp: detected truncated compressed stream from 127.0.0.1 (127.0.0.1:",
        "driver=zlib: zlib stream ended before trailer",
        "imtcp: received invalid compressed stream from 127.0.0.1 (127.0.0.1:",
        "driver=zlib: data after end of zlib stream",
        "driver=zlib: zlib inflate failed",
    ];
    for error in errors {
        assert!(own.contains(error), "{error}\n{own}");
    }
    let objects = ledger::parse(&stopped.stderr);
    let input = ledger::find(&objects, "imtcp(0)");
    assert_eq!((input.get("decompression.errors"), input.get("submitted")), (3, 7));
    assert_eq!(input.get("bytes.decompressed"), 15 + 4 + 15 + 18 + 19 + 12);
}

#[test]
fn a_bomb_costs_its_sender_the_session_and_nothing_else() {
    let mut daemon = Daemon::start(&config("compression.driver=\"zstd\""));
    let port = daemon.port("port");
    let bomb = zstd::bulk::compress(&vec![b'x'; 256 << 20], 3).expect("zstd");
    send::tcp(port, &bomb);
    send::tcp(port, &zstd::bulk::compress(b"<13>a: text\n", 3).expect("zstd"));
    let peak = daemon.peak_memory_kib();
    let stopped = daemon.stop();
    assert!(stopped.lines("out").last().is_some_and(|line| line == "<13>a: text"));
    let own = stopped.lines("own").join("\n");
    assert!(own.contains("decompressed bytes exceeded configured expansion ratio"), "{own}");
    assert!(peak < 60_000 || is_watched(), "{peak} KiB");
}

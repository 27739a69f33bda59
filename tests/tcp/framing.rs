//! Rows 1 to 32: what becomes of the bytes of one connection.

use super::{Settings, check, row};
use crate::harness::{Daemon, daemon, send};

/// Rows 1–6, 9–15, 27: default settings.
#[test]
fn defaults() {
    let rows = [
        row("<13>a: b\n<13>c: d\n", &["<13>a: b", "<13>c: d"]),
        row("8 <13>a: b9 <13>c: dd", &["<13>a: b", "<13>c: dd"]),
        row("10 <13>a: bcd<14>x: y\n10 <13>a: bcd", &["<13>a: bcd", "<14>x: y", "<13>a: bcd"]),
        row("10 <13>a: bcd\n10 <13>a: bcd\n", &["<13>a: bcd", "<13>a: bcd"]),
        row("0010 <13>a: bcd", &["<13>a: bcd"]),
        row("0 <13>a: b\n", &["<13>a: b"]),
        row("20 <13>a: x", &[]),
        row("123", &[]),
        row("<13>a: nolf", &["<13>a: nolf"]),
        row("\n\n<13>a: b\n\n", &["<13>a: b"]),
        row("<13>a: b\r\n", &["<13>a: b#015"]),
        row("<13>a: b\0c\0\n", &["<13>a: b#000c"]),
        row("13 <13>a: b\ncde\n<13>x: y\n", &["<13>a: b#012cde", "<13>x: y"]),
        row("<13>a: b\n <13>c: d\n", &["<13>a: b", " <13>c: d"]),
        row("", &[]),
        row("\n", &[]),
    ];
    let errors = [
        "imtcp imtcp: Framing Error in received TCP message from peer: (hostname) 127.0.0.1, (ip) 127.0.0.1",
        "invalid octet count 0.",
        "Incomplete frame at end of stream",
    ];
    check(Settings::default(), &rows, &errors);
}

/// Rows 7, 8, 22: a count that does not end in a blank counts all the same.
#[test]
fn counts_without_a_blank() {
    let swallowed = format!("01-01 hello\n{}", "x".repeat(3000));
    let rows = [
        row("5X<13>a: b\n", &["<13>a", ": b"]),
        row("7\n<13>a:b<13>rest: x\n", &["<13>a:b", "<13>rest: x"]),
        row(
            format!("2024-{swallowed}"),
            &[&swallowed[..2024].replace('\n', "#012"), &swallowed[2024..]],
        ),
    ];
    let errors = [
        "delimiter is not SP but has ASCII value 88.",
        "delimiter is not SP but has ASCII value 10.",
        "delimiter is not SP but has ASCII value 45.",
    ];
    check(Settings::default(), &rows, &errors);
}

/// Row 13, second half.
#[test]
fn drops_the_trailing_cr() {
    if daemon::reference() {
        return; // the parameter is newer than Debian's
    }
    let settings =
        Settings { global: r#"parser.dropTrailingCROnReception="on""#, ..Settings::default() };
    check(settings, &[row("<13>a: b\r\n", &["<13>a: b"])], &[]);
}

/// A line of `length` bytes in which every place can be told from its neighbours.
fn long(length: usize) -> String {
    let digits = (0..).flat_map(|index: usize| format!("{index:03}.").into_bytes());
    let body: Vec<u8> = b"<13>long: ".iter().copied().chain(digits).take(length).collect();
    String::from_utf8(body).expect("ASCII")
}

const SMALL: Settings = Settings { global: r#"maxMessageSize="128""#, module: "", input: "" };

/// Rows 16, 18, 19: an oversize frame comes in pieces; the reference loses a byte at every boundary.
#[test]
fn oversize_is_split() {
    let line = long(307);
    let pieces = [&line[..128], &line[128..256], &line[256..]];
    let reference = [&line[..128], &line[129..257], &line[258..]];
    let next = "<13>a: b";
    let with_next = |pieces: [&'static str; 3]| [pieces[0], pieces[1], pieces[2], next];
    let leak = |pieces: [&str; 3]| pieces.map(|piece| &*String::leak(piece.to_owned()));
    let (pieces, reference) = (with_next(leak(pieces)), with_next(leak(reference)));
    let edge = long(129);
    let rows = [
        row(format!("{line}\n{next}\n"), &pieces).but_reference(&reference),
        row(format!("307 {line}8 {next}"), &pieces).but_reference(&reference),
        row(format!("{edge}\n{next}\n"), &[&edge[..128], &edge[128..], next])
            .but_reference(&[&edge[..128], next]),
        row(format!("{}\n{next}\n", &edge[..128]), &[&edge[..128], next]),
    ];
    let errors =
        ["received oversize message from peer", "size is 307 bytes, max msg size is 128, "];
    check(SMALL, &rows, &errors);
}

/// Row 17: only the first piece is kept.
#[test]
fn oversize_is_cut() {
    let line = long(307);
    let next = "<13>a: b";
    let rows = [
        row(format!("{line}\n{next}\n"), &[&line[..128], next]),
        row(format!("307 {line}8 {next}"), &[&line[..128], next]),
        row(format!("{}\n{next}\n", long(129)), &[&line[..128], next]),
        row(format!("129 {}8 {next}", long(129)), &[&line[..128], next]),
    ];
    check(Settings { module: r#"discardTruncatedMsg="on""#, ..SMALL }, &rows, &[]);
}

/// Rows 20, 21: a count beyond `maxFrameSize` is text after all, and keeps its digits.
#[test]
fn frame_too_large() {
    let settings = Settings { module: r#"maxFrameSize="100""#, ..Settings::default() };
    let rows = [
        row("1005 <13>a: hello\n", &["1005<13>a: hello"]),
        row("101 <13>a: hello\n<13>c: d\n", &["101<13>a: hello", "<13>c: d"]),
    ];
    check(settings, &rows, &["frame too large: 1005, change to octet stuffing"]);
    let rows = [row("99999999999999999999 <13>a: z\n", &["99999999999999999999<13>a: z"])];
    check(Settings::default(), &rows, &["frame too large: 999999999, change to octet stuffing"]);
}

/// Row 23.
#[test]
fn octet_counting_off() {
    let settings = Settings { input: r#"supportOctetCountedFraming="off""#, ..Settings::default() };
    let rows = [row("8 <13>a: b\n2024-01-01 x\n", &["8 <13>a: b", "2024-01-01 x"])];
    check(settings, &rows, &[]);
}

/// Rows 24, 25.
#[test]
fn additional_delimiter() {
    let settings = Settings { module: r#"addtlFrameDelimiter="0""#, ..Settings::default() };
    let rows = [
        row("<13>a: b\0<13>c: d\0", &["<13>a: b", "<13>c: d"]),
        row("<13>a: b\n<13>c: d\0", &["<13>a: b", "<13>c: d"]),
        row("8 <13>a\0 b8 <13>c: d", &["<13>a#000 b", "<13>c: d"]),
    ];
    check(settings, &rows, &[]);
    let settings = Settings { module: r#"addtlFrameDelimiter="200""#, ..Settings::default() };
    let rows = [row(b"<13>a: b\xc8<13>c: d\n", &["<13>a: b", "<13>c: d"])
        .but_reference(&["<13>a: b\u{fffd}<13>c: d"])];
    check(settings, &rows, &[]);
}

/// Row 26.
#[test]
fn no_delimiter_at_all() {
    let settings = Settings { module: r#"disableLFDelimiter="on""#, ..Settings::default() };
    check(settings, &[row("<13>a\n<13>b", &["<13>a#012<13>b"])], &[]);
}

/// Row 27, second half.
#[test]
fn cisco_asa() {
    let settings = Settings { input: r#"framingFix.cisco.asa="on""#, ..Settings::default() };
    let rows = [row("<13>a: b\n <13>c: d\n   8 <13>a: b", &["<13>a: b", "<13>c: d", "<13>a: b"])];
    check(settings, &rows, &[]);
}

const MULTI_LINE: Settings = Settings { global: "", module: "", input: r#"multiLine="on""# };

/// Row 29.
#[test]
fn multi_line() {
    if daemon::reference() {
        return; // the parameter is newer than Debian's
    }
    let rows = [
        row("<13>a\n b\n<13>c\n", &["<13>a#012 b", "<13>c"]),
        row("<13>a\n<13>c\n", &["<13>a", "<13>c"]),
        row("<13>a\n b\n\n c\n<13>c", &["<13>a#012 b#012#012 c", "<13>c"]),
    ];
    check(MULTI_LINE, &rows, &[]);
}

/// Row 28: the last record stays back until more comes or the connection ends.
#[test]
fn multi_line_holds_the_last_record() {
    use std::io::Write as _;
    if daemon::reference() {
        return; // the parameter is newer than Debian's
    }
    let mut daemon = Daemon::start(&MULTI_LINE.config());
    let mut stream = send::connect(daemon.port("port"));
    stream.write_all(b"<13>a\n b\n<13>c\n").expect("write");
    let out = daemon.wait_lines("out", 1);
    assert_eq!(String::from_utf8_lossy(&out), "<13>a#012 b\n");
    send::finish(stream);
    assert_eq!(super::raw(&daemon.stop()), ["<13>a#012 b", "<13>c"]);
}

/// Row 30: the reference loses the last record of a connection, so the newer versions that know the parameter
/// would fail here on purpose.
#[test]
fn regex_delimiter() {
    if daemon::reference() {
        return;
    }
    let settings =
        Settings { input: r#"framing.delimiter.regex="^<[0-9]{2}>""#, ..Settings::default() };
    let rows = [
        row("<33>a\nb\n<33>c\n", &["<33>a#012b", "<33>c"]),
        row("no pri\n<33>a\n<3>b\n<33>c", &["no pri", "<33>a#012<3>b", "<33>c"]),
    ];
    check(settings, &rows, &[]);
}

/// Row 11, second half: a broken connection gives up what it had, as an orderly end does.
#[test]
fn reset() {
    let mut daemon = Daemon::start(&Settings::default().config());
    send::tcp_reset(daemon.port("port"), b"<13>a: nolf");
    daemon.wait_lines("out", 1);
    assert_eq!(super::raw(&daemon.stop()), ["<13>a: nolf"]);
}

/// Row 32: the reference since 8.2510 knows a TLS hello; Debian's does not.
#[test]
fn tls_hello() {
    if daemon::reference() {
        return;
    }
    let mut daemon = Daemon::start(&Settings::default().config());
    let port = daemon.port("port");
    let hello = [&[0x16, 3, 1, 2, 0][..], &[7; 512]].concat();
    for chunk in [hello.len(), 1, 3] {
        send::tcp_chunks(port, hello.chunks(chunk));
    }
    // Not a hello: the length is out of range.
    send::tcp(port, &[0x16, 3, 1, 0, 1, b'x', b'\n']);
    let stopped = daemon.stop();
    assert_eq!(super::raw(&stopped), ["#026#003#001#000#001x"]);
    let own = stopped.lines("own").join("\n");
    let hellos = own.matches("TLS handshake detected from 127.0.0.1").count();
    assert_eq!(hellos, 3, "{own}");
    assert!(own.contains("Tearing down TCP Session from 127.0.0.1"), "{own}");
}

/// Row 41: no delimiter for 128 MiB: pieces, and memory that does not grow with them.
#[test]
fn endless_line() {
    const BYTES: usize = 128 << 20;
    const MESSAGE: usize = 8096;
    // The queue's limit is one of messages; these are large ones.
    let queue = "main_queue(queue.size=\"1000\" queue.timeoutShutdown=\"120000\")";
    let config = format!("{queue}\n{}", Settings::default().config());
    let mut daemon = Daemon::start(&config);
    let chunk = vec![b'A'; 1 << 20];
    send::tcp_chunks(daemon.port("port"), std::iter::repeat_n(chunk.as_slice(), BYTES >> 20));
    daemon.wait("all pieces", |dir| {
        let size = std::fs::metadata(dir.join("out")).ok()?.len();
        // The reference loses a byte at every boundary.
        (size + (BYTES / MESSAGE) as u64 >= BYTES as u64).then_some(())
    });
    let peak = daemon.peak_memory_kib();
    let stopped = daemon.stop();
    let out = stopped.read("out");
    let pieces = out.iter().filter(|&&byte| byte == b'\n').count();
    if !daemon::reference() {
        assert_eq!((out.len() - pieces, pieces), (BYTES, BYTES.div_ceil(MESSAGE)));
        assert!(peak < 64 * 1024 || daemon::is_watched(), "{peak} KiB at the peak");
    }
}

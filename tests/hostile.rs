//! Known defects of this class of program, as cases: what a peer must not be able to do by what it sends.

use std::fs;

use nix::sys::signal::Signal;

use crate::harness::daemon::{Daemon, program, tempdir};
use crate::harness::send;

const CONFIG: &str = r#"global(net.enableDNS="off" processInternalMessages="on" internalmsg.ratelimit.burst="100000")
module(load="imtcp")
module(load="imudp")
template(name="raw" type="string" string="%pri% %rawmsg%\n")
if $inputname == "rsyslogd" then { action(type="omfile" file="{dir}/own" template="raw") stop }
action(type="omfile" file="{dir}/out" template="raw")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
input(type="imudp" port="{udp}" address="127.0.0.1")
"#;

/// The counts of CVE-2022-24903 (digits without end) and CVE-2018-16881 (a number that does not fit).
#[test]
fn octet_counts_of_any_length_and_size() {
    let mut daemon = Daemon::start(CONFIG);
    let port = daemon.port("port");
    let zeros = |n: usize| "0".repeat(n);
    let marker = "<13>a: alive";
    for count in ["2147483647", "2147483648", "4294967295", "4294967296", "9223372036854775808"] {
        // Too large for a frame: the line is delimited, with the count as a part of it.
        send::tcp(port, format!("{count} <13>a: b\n{marker}\n").as_bytes());
    }
    for digits in [1, 2, 9, 10, 19, 20, 100, 8095, 8096, 8097, 100_000] {
        // One digit a segment, then a blank, a line feed, or nothing.
        for end in [" <13>a: b\n", "\n", ""] {
            let text = "7".repeat(digits) + end;
            send::tcp_chunks(port, text.as_bytes().chunks(1));
        }
        // Leading zeros do not count.
        send::tcp(port, format!("{}{} {marker}", zeros(digits), marker.len()).as_bytes());
    }
    // Every length up to 400 on one connection; the decoder's test goes on to 100,000.
    let text: String = (0..400).map(|n| format!("{}{} {marker}", zeros(n), marker.len())).collect();
    send::tcp_chunks(port, text.as_bytes().chunks(1));
    let stopped = daemon.stop();
    let out = stopped.lines("out");
    let alive = out.iter().filter(|line| line.ends_with(&format!("13 {marker}"))).count();
    assert_eq!(alive, 5 + 11 + 400, "{} lines", out.len());
    for count in ["2147483647", "4294967296"] {
        // What is beyond 2,000,000,009 is read as far as it makes sense, as the reference does.
        assert!(out.iter().any(|line| line.contains(&format!("{count}<13>a: b"))), "{count}");
    }
    assert!(out.iter().all(|line| line.len() < 9000));
}

/// CVE-2014-3634: PRI beyond 191.
#[test]
fn every_pri_is_one_of_those_there_are() {
    let mut daemon = Daemon::start(CONFIG);
    let port = daemon.port("port");
    let mut lines = String::new();
    let big = [
        "1000",
        "65536",
        "2147483648",
        "4294967300",
        "10000000000000000000",
        "99999999999999999999",
    ];
    let numbers = (0..1000).map(|n: u32| n.to_string()).chain(big.map(str::to_owned));
    let mut sent = 0;
    for number in numbers {
        lines +=
            &format!("<{number}>a: b\n<0{number}>a: b\n<-{number}>a: b\n<{number}\n<{number}a>b\n");
        sent += 5;
    }
    for odd in ["<>a", "<", "<<", "<1", "< 1>a", "<1 >a", "<0x1>a", "<1><2>a", ">", "<\u{661}>a"] {
        lines += &format!("{odd}\n");
        sent += 1;
    }
    send::tcp(port, lines.as_bytes());
    let stopped = daemon.stop();
    let out = stopped.lines("out");
    assert_eq!(out.len(), sent);
    for line in out {
        let (pri, raw) = line.split_once(' ').expect("two words");
        let pri: u32 = if pri == "invld" { 199 } else { pri.parse().expect("a number or invld") };
        assert!(pri <= 191 || pri == 199, "{line}");
        let valid =
            raw.strip_prefix('<').and_then(|rest| rest.split_once('>')).map(|(number, _)| number);
        if let Some(number) = valid.filter(|n| n.len() <= 3).and_then(|n| n.parse::<u32>().ok()) {
            assert_eq!(pri, if number <= 191 { number } else { 199 }, "{line}");
        }
    }
}

/// CVE-2019-17041, CVE-2022-38725, CVE-2025-68383: headers that end anywhere.
#[test]
fn headers_that_end_at_any_byte() {
    let mut daemon = Daemon::start(CONFIG);
    let (port, udp) = (daemon.port("port"), daemon.udp_port(0));
    let headers: [&[u8]; 9] = [
        b"<34>Oct 11 22:14:15 mymachine su[77]: 'su root' failed",
        b"<34>Oct 11 2003 22:14:15.123456 mymachine su: x",
        b"<34>2003-10-11T22:14:15.003+23:59 mymachine su: x",
        b"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su 77 ID47 [a@1 b=\"c\\\"\\]\"][d@1] \xef\xbb\xbfx",
        b"<34>1 2003-10-11T22:14:15.999999-12:00 - - - - - x",
        b"<34>1 - - - - - [",
        b"<34>Oct  1 99:99:99 h t: x",
        b"<34>1 2003-10-11T22:14:15.0000000000000Z h a p m - x",
        b"z\x78\x9c\x33\x36\x06\x00\x00",
    ];
    let mut lines = Vec::new();
    let mut datagrams = Vec::new();
    for header in headers {
        for cut in 1..=header.len() {
            lines.extend_from_slice(&header[..cut]);
            lines.push(b'\n');
            datagrams.push(&header[..cut]);
        }
    }
    send::tcp(port, &lines);
    for some in datagrams.chunks(50) {
        send::udp(udp, some);
    }
    send::tcp(port, b"<13>a: alive\n");
    daemon.wait("the marker", |dir| {
        let out = fs::read(dir.join("out")).ok()?;
        String::from_utf8_lossy(&out).contains("a: alive").then_some(())
    });
    daemon.stop();
}

/// $AllowedSender of 2008: a list that is lost on one of the ways in.
#[test]
fn a_list_of_senders_holds_for_every_transport_after_hup_too() {
    let lists = [
        ("$AllowedSender TCP, 192.0.2.0/24\n$AllowedSender UDP, 192.0.2.0/24\n", "", ""),
        ("", "allowedSender=[\"192.0.2.0/24\", \"2001:db8::/32\"]", ""),
        ("", "", "allowedSender=[\"192.0.2.1\"]"),
    ];
    for (legacy, module, input) in lists {
        let config = CONFIG
            .replace("module(load=\"imtcp\")", &format!("{legacy}module(load=\"imtcp\" {module})"))
            .replace("module(load=\"imudp\")", &format!("module(load=\"imudp\" {module})"))
            .replace("address=\"127.0.0.1\"", &format!("address=\"127.0.0.1\" {input}"));
        let mut daemon = Daemon::start(&config);
        let (port, udp) = (daemon.port("port"), daemon.udp_port(0));
        for round in 1..=2 {
            send::tcp(port, b"<13>a: b\n");
            send::udp(udp, &[b"<13>a: b"]);
            daemon.wait("the refusal", |dir| {
                let own = fs::read_to_string(dir.join("own")).ok()?;
                let refused = |what: &str| own.matches(what).count();
                let tcp = refused("connection request from disallowed sender");
                // imudp tells about an address once a minute.
                (tcp >= round && refused("UDP message from disallowed sender") >= 1).then_some(())
            });
            daemon.signal(Signal::SIGHUP);
            daemon.wait("the end of HUP", |dir| {
                let own = fs::read_to_string(dir.join("own")).ok()?;
                (own.matches("rsyslogd was HUPed").count() >= round).then_some(())
            });
        }
        let stopped = daemon.stop();
        assert_eq!(stopped.lines("out"), [""; 0], "{config}");
    }
}

/// CVE-2025-12972 and its like: names in messages that are no names of files.
#[test]
fn names_in_messages_stay_below_their_directory() {
    const FILES: &str = r#"global(net.enableDNS="off")
module(load="imtcp")
template(name="path" type="string" string="{dir}/hosts/%hostname%/log")
template(name="raw" type="string" string="%msg%\n")
action(type="omfile" dynaFile="path" template="raw")
action(type="omfile" file="{dir}/out" template="raw")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/port")
"#;
    let dir = tempdir();
    fs::create_dir(dir.path().join("hosts")).expect("directory");
    let mut daemon = Daemon::start_program(&program(), FILES, &["-d"], dir);
    let port = daemon.port("port");
    let long = "h".repeat(4096);
    let names: [&[u8]; 12] = [
        b"../x",
        b"../../x",
        b"a/../../x",
        b"..",
        b".",
        b"/etc/x",
        b"a/b",
        b"a\0b",
        b"a\nb",
        b"..\0",
        b"%2e%2e/x",
        long.as_bytes(),
    ];
    let mut frames = Vec::new();
    for name in names {
        let text = [b"<13>1 - ".as_slice(), name, b" a - - - text"].concat();
        frames.extend_from_slice(format!("{} ", text.len()).as_bytes());
        frames.extend_from_slice(&text);
        let text = [b"<13>Oct 11 22:14:15 ".as_slice(), name, b" a: text"].concat();
        frames.extend_from_slice(format!("{} ", text.len()).as_bytes());
        frames.extend_from_slice(&text);
    }
    send::tcp(port, &frames);
    let stopped = daemon.stop_lossy();
    assert_eq!(stopped.lines("out").len(), 2 * names.len());
    let mut left: Vec<_> = fs::read_dir(stopped.dir.path())
        .expect("directory")
        .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned())
        .collect();
    left.sort();
    assert_eq!(left, ["conf", "hosts", "out", "port", "stderr", "stdout"]);
}

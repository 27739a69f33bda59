//! Many connections, each halfway through a large message: what that may cost is configured, and everybody gets through.

use std::io::{ErrorKind, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::counter;
use crate::harness::daemon::is_watched;
use crate::harness::{Daemon, send};

const SIZE: usize = 1 << 20;
const MIB: u64 = 1 << 20;

/// One peer and what it has sent of its message and the delimiter behind it.
struct Peer {
    stream: TcpStream,
    number: usize,
    sent: usize,
}

impl Peer {
    fn new(port: u16, number: usize) -> Self {
        let stream = send::connect(port);
        // What is not read has to be noticed here.
        socket2::SockRef::from(&stream).set_send_buffer_size(1 << 16).expect("SO_SNDBUF");
        stream.set_nonblocking(true).expect("O_NONBLOCK");
        Self { stream, number, sent: 0 }
    }

    /// The bytes of the message from `at` on, up to `end`, or fewer: `NNNN`, its letter, `NNNN`; and the delimiter.
    fn part(&self, at: usize, end: usize) -> Vec<u8> {
        let letter = b'a' + u8::try_from(self.number % 26).expect("small");
        let mark = format!("{:04}", self.number).into_bytes();
        match at {
            0..4 => mark[at..].to_vec(),
            _ if at < SIZE - 4 => vec![letter; (end.min(SIZE - 4) - at).min(1 << 16)],
            _ => [&mark[..], b"\n"].concat()[at - (SIZE - 4)..].to_vec(),
        }
    }

    /// Writes up to `end` as far as that is possible now.
    fn write(&mut self, end: usize) {
        while self.sent < end {
            match self.stream.write(&self.part(self.sent, end)) {
                Ok(n) => self.sent += n,
                Err(why) if why.kind() == ErrorKind::WouldBlock => return,
                Err(why) => panic!("peer {}: {why}", self.number),
            }
        }
    }
}

/// Has all peers write up to `end`, until they are there or until none could write for `patience` milliseconds. Returns
/// how many are not there.
fn write_all(peers: &mut [Peer], end: usize, patience: u16) -> usize {
    loop {
        let mut left: Vec<&mut Peer> = peers.iter_mut().filter(|peer| peer.sent < end).collect();
        let mut wanted: Vec<_> =
            left.iter().map(|peer| PollFd::new(peer.stream.as_fd(), PollFlags::POLLOUT)).collect();
        if wanted.is_empty() || poll(&mut wanted, PollTimeout::from(patience)).expect("poll") == 0 {
            return left.len();
        }
        let ready: Vec<bool> = wanted.iter().map(|fd| fd.any() == Some(true)).collect();
        drop(wanted);
        for (peer, _) in left.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
            peer.write(end);
        }
    }
}

/// `count` peers with `budget` MiB for their messages.
fn check(count: usize, budget: u64) {
    let mut daemon = Daemon::start(&format!(
        r#"global(net.enableDNS="off")
module(load="imrawtcp")
input(type="imrawtcp" address="127.0.0.1" port="0" listenPortFileName="{{dir}}/port"
      maxMessageSize="1m" memoryBudget="{budget}m" timeout="0")
template(name="ends" type="string" string="%rawmsg:1:5% %rawmsg:1048572:1048576% %$.length%\n")
set $.length = strlen($rawmsg);
action(type="omfile" file="{{dir}}/out" template="ends")
"#
    ));
    let port = daemon.port("port");
    let mut peers: Vec<_> = (0..count).map(|number| Peer::new(port, number)).collect();
    let idle = daemon.peak_memory_kib() * 1024;
    // Who is held up stays so until another one's message is complete, and nobody's is.
    let held_up = write_all(&mut peers, SIZE / 2, 500);
    assert!(held_up > count / 2, "only {held_up} of {count} are held up");
    assert_eq!(write_all(&mut peers, SIZE + 1, 60_000), 0, "peers that wait for ever");
    for peer in &peers {
        peer.stream.shutdown(Shutdown::Write).expect("shutdown");
    }
    daemon.wait_lines("out", count);
    // The beginnings of messages, up to 32 KiB of each connection, are not in the budget; 16 MiB for all else.
    let most = idle + (budget + 16) * MIB + count as u64 * 32 * 1024;
    let peak = daemon.peak_memory_kib() * 1024;
    assert!(peak <= most || is_watched(), "{} MiB, allowed are {}", peak / MIB, most / MIB);
    let stopped = daemon.stop();
    let mut lines = stopped.lines("out");
    lines.sort_unstable();
    let line = |number: usize| {
        let letter = char::from(b'a' + u8::try_from(number % 26).expect("small"));
        format!("{number:04}{letter} {letter}{number:04} {SIZE}")
    };
    let expected: Vec<_> = (0..count).map(line).collect();
    assert_eq!(lines, expected);
    assert!(counter(&stopped.stderr, "memory.waits") > 0);
    assert_eq!(counter(&stopped.stderr, "memory.used"), 0);
}

#[test]
fn messages_that_are_under_way_stay_within_the_budget() {
    check(150, 8);
}

#[test]
#[ignore = "moves a gigabyte: scripts/test --slow"]
fn a_thousand_messages_of_a_mebibyte_stay_within_the_budget() {
    check(1000, 64);
}

//! One datagram for each message.

use std::io;

use super::Forward;
use super::connect::Udp;
use super::worker::Transport;
use crate::actions::lines::Lines;
use crate::actions::{Failure, reason};
use crate::sys::clock;

/// The largest payload of an IPv4 datagram (RFC 768, RFC 791).
const DATAGRAM_BYTES: usize = 65_507;

/// The sockets of one thread.
#[derive(Default)]
pub(super) struct Datagrams {
    target: Option<Udp>,
    /// Datagrams since the sockets were opened.
    sent: u64,
}

impl Datagrams {
    /// Sends one message to the first address that takes it, or to all.
    fn send_one(&mut self, forward: &Forward, message: &[u8]) -> Result<(), Failure> {
        let settings = &forward.settings;
        if settings.rebind > 0 && self.sent >= settings.rebind {
            self.target = None;
        }
        self.open(forward)?;
        let Some(target) = &self.target else { return Ok(()) };
        let message = cut(message);
        let (mut taken, mut failed) = (false, None);
        for &address in &target.addresses {
            match fitting(message, |part| target.send(part, address)) {
                Ok(bytes) => {
                    taken = true;
                    forward.counters[0].bytes.add(bytes as u64);
                    if !settings.send_to_all {
                        break;
                    }
                }
                Err(error) => failed = Some(error),
            }
        }
        if let Some(error) = &failed {
            log::error!(code = 2354; "omfwd/udp: sendto() error: {}", reason(error));
            self.target = None;
        }
        if !taken {
            let error = failed.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into());
            let text = format!("omfwd: error sending via udp: {}", reason(&error));
            return Err(Failure::suspend(2354, text));
        }
        self.sent += 1;
        forward.counters[0].messages.add(1);
        Ok(())
    }
}

impl Transport for Datagrams {
    fn open(&mut self, forward: &Forward) -> Result<(), Failure> {
        if self.target.is_none() {
            let (host, port) = &forward.settings.targets[0];
            self.target = Some(Udp::open(&forward.settings, host, port)?);
            self.sent = 0;
        }
        Ok(())
    }

    fn send(&mut self, forward: &Forward, frames: &mut Lines) -> Result<(), Failure> {
        let (mut start, mut outcome) = (0, Ok(()));
        for &end in frames.ends() {
            outcome = self.send_one(forward, &frames.text()[start..end]);
            if outcome.is_err() {
                break;
            }
            start = end;
            clock::pause(forward.settings.send_delay);
        }
        if start > 0 {
            frames.advance(start);
        }
        outcome
    }
}

/// At most what a datagram can hold.
fn cut(message: &[u8]) -> &[u8] {
    if message.len() > DATAGRAM_BYTES {
        log::error!(
            code = 2394;
            "omfwd/udp: message is {} bytes long, but UDP can send at most {DATAGRAM_BYTES} bytes (by RFC limit) \
             - truncating message",
            message.len()
        );
    }
    message.get(..DATAGRAM_BYTES).unwrap_or(message)
}

/// Sends as much of `message` as the path takes: what the kernel calls too large is cut, step by step.
fn fitting(message: &[u8], send: impl Fn(&[u8]) -> io::Result<usize>) -> io::Result<usize> {
    let mut part = message;
    loop {
        match send(part) {
            Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) && part.len() > 512 => {
                let len = if part.len() > 1536 { part.len() - 1024 } else { 512 };
                log::error!(
                    code = 2394;
                    "omfwd/udp: send failed due to message being too large for this system. Message size was {} \
                     bytes. Truncating to {len} bytes and retrying.",
                    part.len()
                );
                part = &part[..len];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::super::settings::Settings;
    use super::super::tests::{forward, settings};
    use super::super::worker::Worker;
    use super::*;
    use crate::actions::OutputWorker as _;

    #[test]
    fn a_message_is_a_datagram() {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("socket");
        let port = socket.local_addr().expect("address").port().to_string();
        let targets = vec![("127.0.0.1".to_owned(), port)];
        let own = Some("127.0.0.1".to_owned());
        let settings = Settings { tcp: false, targets, address: own, rebind: 2, ..settings() };
        let mut worker = Worker::new(forward(settings), Datagrams::default());
        for text in ["one", "two", "three"] {
            worker.frames.push(false, |out| out.extend_from_slice(text.as_bytes()));
        }
        worker.commit(&mut |why, _| panic!("lost: {why}")).expect("sent");
        let mut buffer = [0; 100];
        for text in ["one", "two", "three"] {
            let taken = socket.recv(&mut buffer).expect("datagram");
            assert_eq!(buffer[..taken], *text.as_bytes());
        }
        assert_eq!(worker.forward.counters[0].messages.get(), 3);
        assert_eq!(worker.transport.sent, 1, "the socket is a new one after two");
    }

    #[test]
    fn a_message_goes_to_the_first_address_or_to_all() {
        let socket = || UdpSocket::bind(("127.0.0.1", 0)).expect("socket");
        for (send_to_all, reached) in [(false, 1), (true, 2)] {
            let targets = [socket(), socket()];
            let addresses = targets.iter().map(|socket| socket.local_addr().expect("address"));
            let target = Udp { addresses: addresses.collect(), v4: Some(socket()), v6: None };
            let mut datagrams = Datagrams { target: Some(target), sent: 0 };
            let forward = forward(Settings { tcp: false, send_to_all, ..settings() });
            datagrams.send_one(&forward, b"text").expect("sent");
            for socket in targets.iter().take(reached) {
                assert_eq!(socket.recv(&mut [0; 10]).expect("datagram"), 4);
            }
            assert_eq!(forward.counters[0].bytes.get(), 4 * reached as u64);
        }
    }

    #[test]
    fn what_is_too_large_is_cut() {
        assert_eq!(cut(&[b'x'; 70_000]).len(), DATAGRAM_BYTES);
        let most = |limit| {
            fitting(&[b'x'; 5000], |part| match part.len() {
                len if len > limit => Err(io::Error::from_raw_os_error(libc::EMSGSIZE)),
                len => Ok(len),
            })
        };
        assert_eq!(most(5000).expect("whole"), 5000);
        assert_eq!(most(1500).expect("cut"), 904);
        assert_eq!(most(2000).expect("cut"), 1928);
        assert!(most(100).is_err(), "nothing fits");
    }
}

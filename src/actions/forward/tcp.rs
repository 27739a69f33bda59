//! A pool of TCP connections, one to each target: messages go to those that work, turn by turn.
//!
//! ```text
//! lines: m0 m1 m2 m3 m4     two targets work: A gets m0 m2 m4, B gets m1 m3, one write each
//! B breaks after m1         m3 is left, and goes to A in the next turn; no target left: the action suspends
//! ```

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::os::fd::AsFd as _;
use std::sync::Arc;

use socket2::SockRef;

use super::{Forward, connect, frame};
use crate::actions::lines::Lines;
use crate::actions::{Failure, Lost, OutputWorker, reason};
use crate::message::Msg;
use crate::sys::clock;

pub(super) struct Worker {
    forward: Arc<Forward>,
    links: Vec<Link>,
    /// The target whose turn it is.
    turn: usize,
    lines: Lines,
    scratch: Vec<u8>,
    /// Messages since the connections were made.
    sent: u64,
    /// Connections that broke, for `conErrSkip`.
    broken: u64,
}

/// One target, as this thread has it.
#[derive(Default)]
struct Link {
    stream: Option<TcpStream>,
    /// Second before which it is not tried again while others work.
    resume_at: i64,
    /// With `resendLastMsgOnReconnect`: what was last written.
    last: Vec<u8>,
    /// Whether `last` is to be written again.
    resend: bool,
    /// What this turn sends: the frames, and for each its line and its end.
    buffer: Vec<u8>,
    ends: Vec<(usize, usize)>,
}

impl Worker {
    pub(super) fn new(forward: Arc<Forward>) -> Self {
        let links = forward.settings.targets.iter().map(|_| Link::default()).collect();
        let lines = Lines::default();
        Self { forward, links, turn: 0, lines, scratch: Vec::new(), sent: 0, broken: 0 }
    }

    /// Connects to what is not connected and due. While no target works, all are due: the action's retries
    /// make the pauses then.
    ///
    /// # Errors
    /// No target works; the last reason.
    fn connect(&mut self) -> Result<(), Failure> {
        let now = clock::now_secs();
        let any = self.links.iter().any(|link| link.stream.is_some());
        let mut failure = None;
        for (index, link) in self.links.iter_mut().enumerate() {
            if link.stream.is_some() || (any && now < link.resume_at) {
                continue;
            }
            let settings = &self.forward.settings;
            let (host, port) = &settings.targets[index];
            match connect::tcp(settings, host, port) {
                Ok(stream) => {
                    self.forward.counters[index].connects.add(1);
                    link.resend = settings.resend_last && !link.last.is_empty();
                    link.stream = Some(stream);
                }
                Err(why) => {
                    link.resume_at = now.saturating_add(settings.resume_seconds);
                    if settings.targets.len() > 1 {
                        log::error!(code = why.code; "{why}");
                    }
                    failure = Some(why);
                }
            }
        }
        match failure {
            Some(why) if self.links.iter().all(|link| link.stream.is_none()) => Err(why),
            _ => Ok(()),
        }
    }

    /// Drops all connections after `rebindInterval` messages.
    fn rebind(&mut self) {
        let every = self.forward.settings.rebind;
        if every > 0 && self.sent >= every {
            self.sent = 0;
            for link in &mut self.links {
                link.stream = None;
                link.resume_at = 0;
            }
        }
    }

    /// Deals the lines out to the targets that work.
    fn deal(&mut self) {
        let Self { links, lines, turn, .. } = self;
        let working: Vec<usize> =
            (0..links.len()).filter(|index| links[*index].stream.is_some()).collect();
        let mut start = 0;
        for (number, &end) in lines.ends().iter().enumerate() {
            let link = &mut links[working[*turn % working.len()]];
            link.buffer.extend_from_slice(&lines.text()[start..end]);
            link.ends.push((number, link.buffer.len()));
            *turn = (*turn + 1) % working.len();
            start = end;
        }
    }

    /// Writes what was dealt out; returns which lines are written.
    fn write(&mut self) -> Vec<bool> {
        let mut written = vec![false; self.lines.len()];
        for index in 0..self.links.len() {
            let settings = &self.forward.settings;
            let link = &mut self.links[index];
            let (taken, outcome) = link.write(settings.check);
            let whole = link.ends.partition_point(|(_, end)| *end <= taken);
            for (number, _) in &link.ends[..whole] {
                written[*number] = true;
            }
            if settings.resend_last && whole > 0 {
                let from = whole.checked_sub(2).map_or(0, |before| link.ends[before].1);
                link.last = link.buffer[from..link.ends[whole - 1].1].to_vec();
            }
            let counters = &self.forward.counters[index];
            counters.messages.add(whole as u64);
            counters.bytes.add(taken as u64);
            self.sent += whole as u64;
            link.buffer.clear();
            link.ends.clear();
            if let Err(error) = outcome {
                link.stream = None;
                self.report(index, &error);
            }
        }
        written
    }

    fn report(&mut self, index: usize, error: &io::Error) {
        let every = self.forward.settings.report_every.max(1);
        self.broken += 1;
        if !(self.broken - 1).is_multiple_of(every) {
            return;
        }
        let (host, port) = &self.forward.settings.targets[index];
        let what = if error.kind() == io::ErrorKind::UnexpectedEof {
            "remote server closed connection.".to_owned()
        } else {
            format!("we had a generic or IO error with the remote server: {}.", reason(error))
        };
        let skipped = if every > 1 {
            format!(" Note that the next {} connection error messages will be skipped.", every - 1)
        } else {
            String::new()
        };
        log::error!(
            code = 2027;
            "omfwd: {what} Server is {host}:{port}. This can be caused by the remote server or an interim system \
             like a load balancer or firewall. The connection is made anew when it is needed.{skipped}"
        );
    }

    /// Keeps only the lines that are not written.
    fn keep(&mut self, written: &[bool]) {
        if written.iter().all(|done| *done) {
            return self.lines.clear();
        }
        let mut left = Lines::default();
        let mut number = 0;
        self.lines.drain(|line| {
            if !written[number] {
                left.push(false, |out| out.extend_from_slice(line));
            }
            number += 1;
        });
        self.lines = left;
    }
}

impl Link {
    /// Writes the buffer; returns how much of it was taken.
    fn write(&mut self, check: bool) -> (usize, io::Result<()>) {
        let Some(stream) = &mut self.stream else { return (0, Ok(())) };
        if self.buffer.is_empty() {
            return (0, Ok(()));
        }
        if check && let Err(error) = still_open(stream) {
            return (0, Err(error));
        }
        if std::mem::take(&mut self.resend)
            && let Err(error) = stream.write_all(&self.last)
        {
            return (0, Err(error));
        }
        let mut taken = 0;
        while taken < self.buffer.len() {
            match stream.write(&self.buffer[taken..]) {
                Ok(0) => return (taken, Err(io::ErrorKind::WriteZero.into())),
                Ok(bytes) => taken += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (taken, Err(error)),
            }
        }
        (taken, Ok(()))
    }
}

/// Looks whether the peer has closed or reset the connection. Syslog servers send nothing, and what one sends
/// is not read.
fn still_open(stream: &TcpStream) -> io::Result<()> {
    let mut byte = [std::mem::MaybeUninit::uninit()];
    let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
    match SockRef::from(&stream.as_fd()).recv_with_flags(&mut byte, flags) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Ok(()),
    }
}

impl OutputWorker for Worker {
    fn push(&mut self, msg: &Msg<'_>, _lost: &mut Lost<'_>) -> Result<(), Failure> {
        let Self { forward, lines, scratch, .. } = self;
        lines.push(false, |out| {
            frame::append(&forward.settings, scratch, out, |text| {
                forward.template.render(msg, text);
            });
        });
        Ok(())
    }

    fn commit(&mut self, _lost: &mut Lost<'_>) -> Result<(), Failure> {
        self.rebind();
        // A connection that the peer has closed meanwhile is made anew at once; one that breaks again is not.
        let mut fruitless = 0;
        while !self.lines.is_empty() {
            self.connect()?;
            self.deal();
            let written = self.write();
            self.keep(&written);
            fruitless += usize::from(!written.contains(&true));
            if fruitless > 1 {
                let text = "omfwd: no working target servers in pool available, suspending action";
                return Err(Failure::suspend(2007, text));
            }
        }
        Ok(())
    }

    fn pending(&self) -> usize {
        self.lines.len()
    }

    fn discard(&mut self, why: &Failure, lost: &mut Lost<'_>) {
        self.lines.drain(|line| lost(why, line));
    }

    fn resume(&mut self) -> Result<(), Failure> {
        self.connect()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::TcpListener;

    use super::super::settings::Settings;
    use super::super::tests::{forward, settings};
    use super::*;

    fn listener() -> (TcpListener, (String, String)) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("listener");
        let port = listener.local_addr().expect("address").port();
        (listener, ("127.0.0.1".to_owned(), port.to_string()))
    }

    fn commit(worker: &mut Worker, lines: &[&str]) -> Result<(), Failure> {
        for line in lines {
            worker.lines.push(true, |out| out.extend_from_slice(line.as_bytes()));
        }
        worker.commit(&mut |why, _| panic!("lost: {why}"))
    }

    /// What the next connection carries, up to its end.
    fn received(listener: &TcpListener) -> String {
        let mut text = String::new();
        listener.accept().expect("connection").0.read_to_string(&mut text).expect("text");
        text
    }

    #[test]
    fn a_pool_shares_the_messages_and_survives_a_target() {
        let ((one, first), (two, second)) = (listener(), listener());
        let settings = Settings { targets: vec![first, second], ..settings() };
        let mut worker = Worker::new(forward(settings));
        commit(&mut worker, &["0", "1", "2", "3", "4"]).expect("sent");
        drop(two.accept().expect("connection"));
        drop(two);
        while worker.links[1].stream.as_ref().is_some_and(|stream| still_open(stream).is_ok()) {
            std::thread::yield_now();
        }
        commit(&mut worker, &["5", "6", "7"]).expect("one target is enough");
        assert_eq!(worker.forward.counters[0].messages.get(), 6);
        drop(worker);
        let mut lines: Vec<String> = received(&one).lines().map(str::to_owned).collect();
        lines.sort();
        assert_eq!(lines, ["0", "2", "4", "5", "6", "7"]);
    }

    #[test]
    fn nothing_is_lost_while_no_target_works() {
        let (listener, target) = listener();
        let port = target.1.clone();
        drop(listener);
        let mut worker = Worker::new(forward(Settings { targets: vec![target], ..settings() }));
        let failure = commit(&mut worker, &["a", "b"]).expect_err("nobody listens");
        assert!(failure.text.contains("Connection refused"), "{failure}");
        assert_eq!(worker.pending(), 2);
        let listener = TcpListener::bind(format!("127.0.0.1:{port}")).expect("the port again");
        worker.resume().expect("back");
        commit(&mut worker, &["c"]).expect("sent");
        drop(worker);
        assert_eq!(received(&listener), "a\nb\nc\n");
    }

    #[test]
    fn a_closed_connection_is_made_anew_and_may_repeat_its_last_message() {
        let (listener, target) = listener();
        let settings = Settings { targets: vec![target], resend_last: true, ..settings() };
        let mut worker = Worker::new(forward(settings));
        commit(&mut worker, &["a", "b"]).expect("sent");
        drop(listener.accept().expect("connection"));
        while worker.links[0].stream.as_ref().is_some_and(|stream| still_open(stream).is_ok()) {
            std::thread::yield_now();
        }
        commit(&mut worker, &["c"]).expect("sent");
        assert_eq!(worker.forward.counters[0].connects.get(), 2);
        drop(worker);
        assert_eq!(received(&listener), "b\nc\n");
    }

    #[test]
    fn rebinding_starts_a_connection() {
        let (listener, target) = listener();
        let settings = Settings { targets: vec![target], rebind: 2, ..settings() };
        let mut worker = Worker::new(forward(settings));
        for line in ["a", "b", "c"] {
            commit(&mut worker, &[line]).expect("sent");
        }
        drop(worker);
        assert_eq!([received(&listener), received(&listener)], ["a\nb\n", "c\n"]);
    }
}

//! A pool of TCP connections, one to each target: messages go to those that work, turn by turn.
//!
//! ```text
//! frames: m0 m1 m2 m3 m4    two targets work: A gets m0 m2 m4, B gets m1 m3, one write each
//! B breaks after m1         m3 is left, and goes to A in the next turn; no target left: the action suspends
//! ```

use std::io;

use super::connection::Connection;
use super::settings::Settings;
use super::worker::Transport;
use super::{Counters, Forward};
use crate::actions::lines::Lines;
use crate::actions::{Failure, reason};
use crate::sys::clock;

pub(super) struct Pool {
    /// In the order of the settings' targets.
    links: Vec<Link>,
    /// The target whose turn it is.
    turn: usize,
    /// Messages since the connections were made.
    sent: u64,
    /// Connections that broke, for `conErrSkip`.
    broken: u64,
}

/// One target, as this thread has it.
#[derive(Default)]
struct Link {
    connection: Option<Connection>,
    /// Second before which it is not tried again while others work.
    resume_at: i64,
    /// With `resendLastMsgOnReconnect`: what was last written.
    last: Vec<u8>,
    /// Whether `last` is to be written again.
    resend: bool,
    /// What this turn sends: the frames, and for each its number and its end.
    frames: Vec<u8>,
    ends: Vec<(usize, usize)>,
}

impl Pool {
    pub(super) fn new(targets: usize) -> Self {
        let links = (0..targets).map(|_| Link::default()).collect();
        Self { links, turn: 0, sent: 0, broken: 0 }
    }

    /// Drops all connections after `rebindInterval` messages.
    fn rebind(&mut self, forward: &Forward) {
        let every = forward.settings.rebind;
        if every > 0 && self.sent >= every {
            self.sent = 0;
            for index in 0..self.links.len() {
                self.close(forward, index);
                self.links[index].resume_at = 0;
            }
        }
    }

    /// Deals the frames out to the targets that work.
    fn deal(&mut self, frames: &Lines) {
        let Self { links, turn, .. } = self;
        let working: Vec<usize> =
            (0..links.len()).filter(|index| links[*index].connection.is_some()).collect();
        let mut start = 0;
        for (number, &end) in frames.ends().iter().enumerate() {
            let link = &mut links[working[*turn % working.len()]];
            link.frames.extend_from_slice(&frames.text()[start..end]);
            link.ends.push((number, link.frames.len()));
            *turn = (*turn + 1) % working.len();
            start = end;
        }
    }

    /// Writes what was dealt out; returns which frames are written.
    fn write(&mut self, forward: &Forward, frames: usize) -> Vec<bool> {
        let mut written = vec![false; frames];
        for index in 0..self.links.len() {
            let (whole, outcome) =
                self.links[index].write(&forward.settings, &forward.counters[index], &mut written);
            self.sent += whole as u64;
            if let Err(error) = outcome {
                self.links[index].connection = None;
                self.report(forward, index, &error);
            }
        }
        written
    }

    /// Closes a connection in order, if there is one.
    fn close(&mut self, forward: &Forward, index: usize) {
        let Some(connection) = self.links[index].connection.take() else { return };
        let (wire, outcome) = connection.close();
        forward.counters[index].bytes.add(wire as u64);
        if let Err(error) = outcome {
            self.report(forward, index, &error);
        }
    }

    fn report(&mut self, forward: &Forward, index: usize, error: &io::Error) {
        let every = forward.settings.report_every.max(1);
        self.broken += 1;
        if !(self.broken - 1).is_multiple_of(every) {
            return;
        }
        let (host, port) = &forward.settings.targets[index];
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
}

impl Transport for Pool {
    /// Connects to what is not connected and due. While no target works, all are due: the action's retries
    /// make the pauses then.
    fn open(&mut self, forward: &Forward) -> Result<(), Failure> {
        let now = clock::now_secs();
        let any = self.links.iter().any(|link| link.connection.is_some());
        let mut failure = None;
        for (index, link) in self.links.iter_mut().enumerate() {
            if link.connection.is_some() || (any && now < link.resume_at) {
                continue;
            }
            let settings = &forward.settings;
            let (host, port) = &settings.targets[index];
            match Connection::open(forward, host, port) {
                Ok(connection) => {
                    forward.counters[index].connects.add(1);
                    link.resend = settings.resend_last && !link.last.is_empty();
                    link.connection = Some(connection);
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
            Some(why) if self.links.iter().all(|link| link.connection.is_none()) => Err(why),
            _ => Ok(()),
        }
    }

    fn send(&mut self, forward: &Forward, frames: &mut Lines) -> Result<(), Failure> {
        self.rebind(forward);
        // A connection that the peer has closed meanwhile is made anew at once; one that breaks again is not.
        let mut fruitless = 0;
        while !frames.is_empty() {
            self.open(forward)?;
            self.deal(frames);
            let written = self.write(forward, frames.len());
            keep(frames, &written);
            fruitless += usize::from(!written.contains(&true));
            if fruitless > 1 {
                let text = "omfwd: no working target servers in pool available, suspending action";
                return Err(Failure::suspend(2007, text));
            }
        }
        Ok(())
    }

    fn close(&mut self, forward: &Forward) {
        (0..self.links.len()).for_each(|index| self.close(forward, index));
    }
}

/// Keeps only the frames that are not written.
fn keep(frames: &mut Lines, written: &[bool]) {
    if written.iter().all(|done| *done) {
        return frames.clear();
    }
    let mut left = Lines::default();
    let mut number = 0;
    frames.drain(|frame| {
        if !written[number] {
            left.push(false, |out| out.extend_from_slice(frame));
        }
        number += 1;
    });
    *frames = left;
}

impl Link {
    /// Writes the frames and marks those in `written` that are out; returns how many are.
    fn write(
        &mut self,
        settings: &Settings,
        counters: &Counters,
        written: &mut [bool],
    ) -> (usize, io::Result<()>) {
        let (taken, outcome) = self.send(settings, counters);
        let whole = self.ends.partition_point(|(_, end)| *end <= taken);
        for (number, _) in &self.ends[..whole] {
            written[*number] = true;
        }
        if settings.resend_last && whole > 0 {
            let from = whole.checked_sub(2).map_or(0, |before| self.ends[before].1);
            self.last = self.frames[from..self.ends[whole - 1].1].to_vec();
        }
        counters.messages.add(whole as u64);
        self.frames.clear();
        self.ends.clear();
        (whole, outcome)
    }

    /// Sends the frames; returns how much of them is gone.
    fn send(&mut self, settings: &Settings, counters: &Counters) -> (usize, io::Result<()>) {
        let Some(connection) = &mut self.connection else { return (0, Ok(())) };
        if self.frames.is_empty() {
            return (0, Ok(()));
        }
        if settings.check
            && let Err(error) = connection.check()
        {
            return (0, Err(error));
        }
        if std::mem::take(&mut self.resend) {
            let again = connection.send(&self.last, false);
            counters.bytes.add(again.wire as u64);
            if again.outcome.is_err() {
                return (0, again.outcome);
            }
        }
        let mut start = 0;
        while start < self.frames.len() {
            let end = piece(&self.ends, start, settings.write_bytes);
            let sent = connection.send(&self.frames[start..end], end == self.frames.len());
            counters.bytes.add(sent.wire as u64);
            start += sent.taken;
            if sent.outcome.is_err() {
                return (start, sent.outcome);
            }
        }
        (start, Ok(()))
    }
}

/// The end of what is written at once from `start` on: all, or as many frames as fit into `most` bytes, at least one.
fn piece(ends: &[(usize, usize)], start: usize, most: Option<usize>) -> usize {
    let most = most.unwrap_or(usize::MAX);
    let next = ends.partition_point(|(_, end)| *end <= start);
    let fits = ends.partition_point(|(_, end)| *end < start.saturating_add(most));
    ends[fits.max(next + 1) - 1].1
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::{SocketAddr, TcpListener};

    use socket2::{Domain, Socket, Type};

    use super::super::tests::{forward, settings};
    use super::super::worker::Worker;
    use super::*;
    use crate::actions::OutputWorker as _;

    fn listener() -> (TcpListener, (String, String)) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("listener");
        let port = listener.local_addr().expect("address").port();
        (listener, ("127.0.0.1".to_owned(), port.to_string()))
    }

    fn pool(settings: Settings) -> Worker<Pool> {
        let targets = settings.targets.len();
        Worker::new(forward(settings), Pool::new(targets))
    }

    fn is_open(worker: &mut Worker<Pool>, index: usize) -> bool {
        let connection = &mut worker.transport.links[index].connection;
        connection.as_mut().is_some_and(|connection| connection.check().is_ok())
    }

    fn commit(worker: &mut Worker<Pool>, lines: &[&str]) -> Result<(), Failure> {
        for line in lines {
            worker.frames.push(true, |out| out.extend_from_slice(line.as_bytes()));
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
        let mut worker = pool(settings);
        commit(&mut worker, &["0", "1", "2", "3", "4"]).expect("sent");
        drop(two.accept().expect("connection"));
        drop(two);
        while is_open(&mut worker, 1) {
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
        // A port that is ours, but at which nobody listens yet.
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("socket");
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        socket.bind(&any.into()).expect("port");
        let port = socket.local_addr().ok().and_then(|own| own.as_socket()).expect("own").port();
        let target = ("127.0.0.1".to_owned(), port.to_string());
        let mut worker = pool(Settings { targets: vec![target], ..settings() });
        let failure = commit(&mut worker, &["a", "b"]).expect_err("nobody listens");
        assert!(failure.text.contains("Connection refused"), "{failure}");
        assert_eq!(worker.pending(), 2);
        socket.listen(1).expect("listen");
        let listener = TcpListener::from(socket);
        worker.resume().expect("back");
        commit(&mut worker, &["c"]).expect("sent");
        drop(worker);
        assert_eq!(received(&listener), "a\nb\nc\n");
    }

    #[test]
    fn a_closed_connection_is_made_anew_and_may_repeat_its_last_message() {
        let (listener, target) = listener();
        let settings = Settings { targets: vec![target], resend_last: true, ..settings() };
        let mut worker = pool(settings);
        commit(&mut worker, &["a", "b"]).expect("sent");
        drop(listener.accept().expect("connection"));
        while is_open(&mut worker, 0) {
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
        let mut worker = pool(settings);
        for line in ["a", "b", "c"] {
            commit(&mut worker, &[line]).expect("sent");
        }
        drop(worker);
        assert_eq!([received(&listener), received(&listener)], ["a\nb\n", "c\n"]);
    }
}

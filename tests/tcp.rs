//! imtcp end to end: the edge-case table of `spec/imtcp.md` section 12, row by row.
//!
//! A row is bytes on a connection and the raw messages that come of them. Each is sent whole, byte by byte and
//! cut in two at every place, and must give the same messages each time. Rows that share a configuration
//! share a daemon; a marker message between them tells them apart in the file.

mod compressed;
mod counted;
mod framing;
mod names;
mod parameters;
mod peers;
mod sessions;

use crate::harness::{Daemon, Stopped, daemon, send};

/// What one row sends and what must come of it.
struct Row {
    sent: Vec<u8>,
    messages: Vec<String>,
    /// Where the reference loses or mangles something that we keep (marked BUG in the specification).
    reference: Option<Vec<String>>,
}

/// A row whose messages are the same for both daemons.
fn row(sent: impl AsRef<[u8]>, messages: &[&str]) -> Row {
    let messages = messages.iter().map(|&message| message.to_owned()).collect();
    Row { sent: sent.as_ref().to_vec(), messages, reference: None }
}

impl Row {
    /// What the reference makes of it instead.
    fn but_reference(mut self, messages: &[&str]) -> Self {
        self.reference = Some(messages.iter().map(|&message| message.to_owned()).collect());
        self
    }

    fn expected(&self) -> &[String] {
        match &self.reference {
            Some(messages) if daemon::reference() => messages,
            _ => &self.messages,
        }
    }
}

/// The parts of the configuration a group of rows changes.
#[derive(Clone, Copy, Default)]
struct Settings {
    global: &'static str,
    module: &'static str,
    input: &'static str,
}

impl Settings {
    /// Raw messages go to `out`, the daemon's own to `own`.
    fn config(self) -> String {
        let Self { global, module, input } = self;
        format!(
            r#"global(net.enableDNS="off" processInternalMessages="on" {global})
module(load="imtcp" {module})
template(name="raw" type="string" string="%rawmsg%\n")
template(name="own" type="string" string="%msg%\n")
if $inputname == "rsyslogd" then {{ action(type="omfile" file="{{dir}}/own" template="own") stop }}
action(type="omfile" file="{{dir}}/out" template="raw")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{{dir}}/port" {input})
"#
        )
    }
}

/// Sends every row in every way and compares; `errors` must stand among the daemon's own messages.
fn check(settings: Settings, rows: &[Row], errors: &[&str]) {
    /// Longest row that is cut at every place.
    const CUT_BYTES: usize = 64;
    let mut daemon = Daemon::start(&settings.config());
    let port = daemon.port("port");
    let mut expected = Vec::new();
    let mut send_and_mark = |row: &Row, how: &str, chunks: &mut dyn Iterator<Item = &[u8]>| {
        send::tcp_chunks(port, chunks);
        let mark = format!(
            "<13>=== {:?} {how}",
            String::from_utf8_lossy(&row.sent[..row.sent.len().min(40)])
        );
        // Every framing these rows configure still ends at the end of the connection.
        send::tcp(port, mark.as_bytes());
        expected.extend(row.expected().iter().cloned());
        expected.push(mark);
    };
    for row in rows {
        send_and_mark(row, "whole", &mut std::iter::once(row.sent.as_slice()));
        if row.sent.len() <= CUT_BYTES {
            send_and_mark(row, "byte by byte", &mut row.sent.chunks(1));
            for at in 1..row.sent.len() {
                let (head, tail) = row.sent.split_at(at);
                send_and_mark(row, &format!("cut at {at}"), &mut [head, tail].into_iter());
            }
        }
    }
    let stopped = daemon.stop();
    compare(&stopped.lines("out"), &expected);
    let own = stopped.lines("own").join("\n");
    for error in errors {
        assert!(own.contains(error), "{error:?} is not among the daemon's messages:\n{own}");
    }
}

/// Equality that shows the first row that differs instead of thousands of lines.
fn compare(got: &[String], expected: &[String]) {
    let same = got.iter().zip(expected).take_while(|(got, expected)| got == expected).count();
    if same == got.len() && same == expected.len() {
        return;
    }
    let around = |lines: &[String]| {
        let end = lines.len().min(same + 4);
        lines.get(same.saturating_sub(2)..end).unwrap_or_default().join("\n  ")
    };
    panic!(
        "first difference in line {same}\ngot:\n  {}\nexpected:\n  {}",
        around(got),
        around(expected)
    );
}

/// The raw messages of a daemon that stopped.
fn raw(stopped: &Stopped) -> Vec<String> {
    stopped.lines("out")
}

//! The messages of a run, rendered before the clock starts, and the check of what came out.
//!
//! A message is 200 bytes of RFC 3164 without its framing: header, connection number, sequence number, filler.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// Bytes of one message without framing.
pub(crate) const MESSAGE_BYTES: usize = 200;

/// How messages are told apart on a stream.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Lf,
    OctetCount,
    /// One message per datagram.
    None,
}

/// Message `sequence` of `connection`.
pub(crate) fn message(connection: usize, sequence: usize) -> String {
    let mut text = format!("<13>Oct 11 22:14:15 host app: c={connection:06} n={sequence:010} ");
    while text.len() < MESSAGE_BYTES {
        let letter = char::from(b'a' + u8::try_from(text.len() % 26).unwrap_or(0));
        text.push(letter);
    }
    text
}

/// `count` framed messages of `connection`, one after the other.
pub(crate) fn render(framing: Framing, connection: usize, count: usize) -> Vec<u8> {
    let mut out = String::with_capacity(count * (MESSAGE_BYTES + 4));
    for sequence in 0..count {
        let message = message(connection, sequence);
        let _ = match framing {
            Framing::Lf => writeln!(out, "{message}"),
            Framing::OctetCount => write!(out, "{} {message}", message.len()),
            Framing::None => write!(out, "{message}"),
        };
    }
    out.into_bytes()
}

/// What a file holds of the messages `0..each` of `connections` connections.
pub(crate) struct Content {
    /// Missing, doubled and damaged messages, in words; empty when all is well.
    pub(crate) failures: Vec<String>,
    /// Messages that stand before an earlier one of their connection. Two queue workers may do that, in both
    /// daemons, so it is told and is no failure.
    pub(crate) overtaken: usize,
}

/// Reads `path`, line by line.
pub(crate) fn check(path: &Path, connections: usize, each: usize) -> Content {
    let mut seen = vec![false; connections * each];
    let mut next = vec![0; connections];
    let (mut good, mut twice, mut foreign, mut overtaken) = (0, 0, 0, 0);
    each_line(path, |line| {
        let message = parse(line)
            .filter(|&(connection, sequence)| connection < connections && sequence < each);
        let Some((connection, sequence)) = message else {
            foreign += 1;
            return;
        };
        let slot = &mut seen[connection * each + sequence];
        *(if *slot { &mut twice } else { &mut good }) += 1;
        *slot = true;
        overtaken += usize::from(sequence < next[connection]);
        next[connection] = next[connection].max(sequence + 1);
    });
    let mut failures = Vec::new();
    if good != connections * each {
        failures.push(format!("{good} of {} messages arrived", connections * each));
    }
    if twice + foreign > 0 {
        failures.push(format!("{twice} doubled, {foreign} damaged lines"));
    }
    Content { failures, overtaken }
}

fn each_line(path: &Path, mut line: impl FnMut(&[u8])) {
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path).expect("open the output"));
    let mut buffer = Vec::new();
    while reader.read_until(b'\n', &mut buffer).expect("read the output") > 0 {
        line(&buffer);
        buffer.clear();
    }
}

/// Connection and sequence number of an undamaged line: `TIMESTAMP host app: c=… n=… filler`.
fn parse(line: &[u8]) -> Option<(usize, usize)> {
    let text = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let at = text.find(" host app: ")?;
    let body = text.get(at..)?;
    let connection = body.get(13..19)?.parse().ok()?;
    let sequence = body.get(22..32)?.parse().ok()?;
    let filler = body.get(33..)?;
    let intact = body.len() == MESSAGE_BYTES - HEADER_BYTES
        && filler.bytes().enumerate().all(|(index, byte)| byte == FILLER[(index + FILLER_AT) % 26]);
    intact.then_some((connection, sequence))
}

/// `<13>Oct 11 22:14:15`, which the file shows in another form.
const HEADER_BYTES: usize = 19;
const FILLER: &[u8; 26] = b"abcdefghijklmnopqrstuvwxyz";
/// Where the filler starts in the message.
const FILLER_AT: usize = HEADER_BYTES + 33;

//! `--stats`: asks a running daemon for its ledger and prints it as a table, once or every second.
//!
//! The daemon answers over HTTP where impstats has `http.listen`: a Unix socket or an address with a port.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::poll::{PollTimeout, poll};

use super::flags::StatsRequest;
use crate::message::json::{self, Case, Json};

/// How long the daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time between two looks with `--watch`, milliseconds.
const PAUSE_MSEC: u16 = 1000;
/// Bytes of an answer: far more than any number of counters needs.
const ANSWER_BYTES: u64 = 64 << 20;

/// A row of the ledger, as the daemon tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    stage: String,
    name: String,
    received: u64,
    processed: u64,
    queued: u64,
    dropped: Vec<(String, u64)>,
}

/// Prints the table, with `watch` for as long as the daemon answers.
///
/// # Errors
/// Why there is nothing to print.
pub(super) fn run(request: &StatsRequest) -> Result<(), String> {
    let mut last: Option<(Vec<Row>, Instant)> = None;
    loop {
        let now = Instant::now();
        let rows = fetch(&request.address).and_then(|answer| read(&answer)).map_err(|why| {
            format!(
                "{}: {why}\nThe daemon must run with module(load=\"impstats\" http.listen=\"{0}\").",
                request.address
            )
        })?;
        let before = last.as_ref().map(|(rows, then)| (&**rows, now - *then));
        let head = if request.watch { "\x1b[H\x1b[2J" } else { "" };
        let text = format!("{head}{}", table(&rows, before));
        let mut out = io::stdout().lock();
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() || !request.watch {
            return Ok(()); // a closed pipe is the reader's business
        }
        last = Some((rows, now));
        // Interrupted or over: either way it is time to look again.
        let _ = poll(&mut [], PollTimeout::from(PAUSE_MSEC));
    }
}

/// The answer to `GET /stats.json`.
fn fetch(address: &str) -> Result<Vec<u8>, String> {
    let text = |e: io::Error| e.to_string();
    if address.starts_with(['/', '.']) {
        let socket = UnixStream::connect(address).map_err(text)?;
        socket.set_read_timeout(Some(PATIENCE)).map_err(text)?;
        ask(socket)
    } else {
        let socket = TcpStream::connect(address).map_err(text)?;
        socket.set_read_timeout(Some(PATIENCE)).map_err(text)?;
        ask(socket)
    }
}

fn ask(mut socket: impl Read + Write) -> Result<Vec<u8>, String> {
    let request = b"GET /stats.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut answer = Vec::new();
    let asked =
        socket.write_all(request).and_then(|()| socket.take(ANSWER_BYTES).read_to_end(&mut answer));
    match asked {
        Ok(_) => Ok(answer),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
            Err(format!("no answer within {} s", PATIENCE.as_secs()))
        }
        Err(e) => Err(e.to_string()),
    }
}

/// The ledger in an answer.
fn read(answer: &[u8]) -> Result<Vec<Row>, String> {
    let end = memchr::memmem::find(answer, b"\r\n\r\n").ok_or("this is no HTTP server")?;
    let (head, body) = answer.split_at(end + 4);
    let status = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    if status.split(|&byte| byte == b' ').nth(1) != Some(b"200") {
        return Err(format!("the answer is {}", String::from_utf8_lossy(status)));
    }
    let Some(Json::Object(stats)) = json::parse_whole(body, Case::Sensitive) else {
        return Err("the answer is not complete".to_owned());
    };
    match stats.get(b"ledger", Case::Sensitive) {
        Some(Json::Array(rows)) => Ok(rows.iter().filter_map(row).collect()),
        _ => Err("the answer has no ledger: is this sluiced?".to_owned()),
    }
}

fn row(row: &Json) -> Option<Row> {
    let Json::Object(row) = row else { return None };
    let get = |name: &str| row.get(name.as_bytes(), Case::Sensitive);
    let number = |value: &Json| u64::try_from(value.number()).unwrap_or_default();
    let text = |name| match get(name) {
        Some(Json::Str(text)) => Some(printable(text)),
        _ => None,
    };
    let Some(Json::Object(dropped)) = get("dropped") else { return None };
    Some(Row {
        stage: text("stage")?,
        name: text("name")?,
        received: number(get("received")?),
        processed: number(get("processed")?),
        queued: number(get("queued")?),
        dropped: dropped.iter().map(|(name, value)| (printable(name), number(value))).collect(),
    })
}

/// Without what would move the cursor.
fn printable(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// One line for each row, columns aligned; with the rows of an earlier look, also the messages per second since.
fn table(rows: &[Row], before: Option<(&[Row], Duration)>) -> String {
    let numbers = |row: &Row| {
        let mut numbers = vec![row.received, row.processed, row.queued];
        numbers.push(row.dropped.iter().map(|(_, count)| count).sum());
        if let Some((before, time)) = before {
            let same = before.iter().find(|old| old.stage == row.stage && old.name == row.name);
            let new = row.received.saturating_sub(same.map_or(row.received, |old| old.received));
            let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
            numbers.push(new.saturating_mul(1000) / millis);
        }
        numbers
    };
    let mut heads = vec!["RECEIVED", "PROCESSED", "QUEUED", "DROPPED"];
    heads.extend(before.map(|_| "PER SECOND"));
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| numbers(row).iter().map(u64::to_string).collect()).collect();
    let widths: Vec<usize> = heads
        .iter()
        .enumerate()
        .map(|(column, head)| {
            let cells = cells.iter().filter_map(|cells| cells.get(column));
            cells.map(String::len).max().unwrap_or(0).max(head.len())
        })
        .collect();
    let name_width = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).max(4);
    let mut out = format!("{:<6}  {:<name_width$}", "STAGE", "NAME");
    for (head, width) in heads.iter().zip(&widths) {
        let _ = write!(out, "  {head:>width$}");
    }
    out.push_str("  DROPPED BECAUSE\n");
    for (row, cells) in rows.iter().zip(&cells) {
        let _ = write!(out, "{:<6}  {:<name_width$}", row.stage, row.name);
        for (cell, width) in cells.iter().zip(&widths) {
            let _ = write!(out, "  {cell:>width$}");
        }
        let reasons = row.dropped.iter().filter(|(_, count)| *count > 0);
        let reasons: Vec<_> = reasons.map(|(reason, count)| format!("{reason}={count}")).collect();
        let _ =
            writeln!(out, "  {}", if reasons.is_empty() { "-".into() } else { reasons.join(" ") });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"time\":1,\"objects\":[],\"ledger\":[\
        {\"stage\":\"input\",\"name\":\"imtcp(514)\",\"received\":1000,\"processed\":1000,\"queued\":0,\"dropped\":{}},\
        {\"stage\":\"queue\",\"name\":\"main\\u001b Q\",\"received\":1000,\"processed\":990,\"queued\":7,\
        \"dropped\":{\"discarded.full\":3,\"discarded.nf\":0}}]}\n";

    #[test]
    fn a_table_is_aligned_and_names_reasons() {
        let rows = read(ANSWER.as_bytes()).expect("rows");
        assert_eq!(
            table(&rows, None),
            "STAGE   NAME        RECEIVED  PROCESSED  QUEUED  DROPPED  DROPPED BECAUSE\n\
             input   imtcp(514)      1000       1000       0        0  -\n\
             queue   main? Q         1000        990       7        3  discarded.full=3\n"
        );
        let mut later = rows.clone();
        later[0].received += 500;
        let text = table(&later, Some((&rows, Duration::from_secs(2))));
        assert!(text.contains("PER SECOND"), "{text}");
        assert!(text.contains("1500       1000       0        0         250  -"), "{text}");
    }

    #[test]
    fn what_is_no_ledger_is_said() {
        let cases = [
            ("SSH-2.0\r\n", "this is no HTTP server"),
            ("HTTP/1.1 404 Not Found\r\n\r\n", "the answer is HTTP/1.1 404 Not Found"),
            ("HTTP/1.1 200 OK\r\n\r\n{\"a\":", "the answer is not complete"),
            ("HTTP/1.1 200 OK\r\n\r\n{}", "the answer has no ledger: is this sluiced?"),
        ];
        for (answer, expected) in cases {
            assert_eq!(read(answer.as_bytes()), Err(expected.to_owned()));
        }
    }

    #[test]
    fn a_daemon_that_is_not_there() {
        let request = StatsRequest { address: "/nonexistent".into(), watch: false };
        let why = run(&request).expect_err("nobody listens");
        assert!(why.starts_with("/nonexistent: No such file or directory"), "{why}");
        assert!(why.contains("http.listen=\"/nonexistent\""), "{why}");
    }
}

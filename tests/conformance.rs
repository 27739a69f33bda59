//! The same configuration and the same bytes through the real rsyslogd and through ours: every file either of
//! them writes must be equal, byte by byte, and have the same mode.
//!
//! A case is a file `tests/conformance/TOPIC/NAME.case`: what it shows, then sections that begin with `--- `:
//!
//! ```text
//! --- conf            configuration after the preamble below; `--- conf bare`: without the preamble
//! --- given NAME      a file that is there before the daemon starts; `{dir}` is replaced; no LF after its last line
//! --- needs root WHY  only run by root
//! --- tcp             one connection; every line gets its LF; C escapes are bytes; `--- tcp raw`: no LF added
//! --- udp             one datagram per line
//! --- unix NAME       the same to the Unix socket `NAME`
//! --- seen N          waits until N messages have passed
//! --- differs WHY     we don't follow Debian's 8.2302 here; the files below are compared with what stands here
//! --- file NAME       the content of `NAME` under `differs`, with escapes; `--- file NAME none`: not written
//! ```
//!
//! `CASE=text cargo test conformance` runs the cases whose path contains `text`; `SHOW=1` prints what the
//! reference wrote.

#![allow(
    clippy::print_stdout,
    reason = "says when it is skipped, and shows what the reference wrote"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::harness::daemon::{Daemon, PATIENT, program, reference, tempdir};
use crate::harness::send;

const RSYSLOGD: &str = "/usr/sbin/rsyslogd";

/// What every case begins with unless it says `bare`.
const PREAMBLE: &str = r#"global(net.enableDNS="off")
module(load="imudp")
module(load="imtcp")
input(type="imudp" port="{udp}" address="127.0.0.1")
input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{dir}/.port" supportOctetCountedFraming="off")
"#;

/// Goes after the preamble of a case that sends datagrams: the only way to see that all were taken before TERM.
const SEEN: &str = r#"template(name="seen" type="string" string="\n")
action(type="omfile" file="{dir}/.seen" template="seen")
"#;

/// Files of a directory: contents and permission bits.
type Files = BTreeMap<String, (Vec<u8>, u32)>;

enum Step {
    Tcp(Vec<u8>),
    Udp(Vec<Vec<u8>>),
    Unix(String, Vec<Vec<u8>>),
    Seen(usize),
}

struct Case {
    path: PathBuf,
    config: String,
    given: Vec<(String, String)>,
    needs_root: bool,
    steps: Vec<Step>,
    /// Why ours differs, and what it must write instead.
    differs: Option<BTreeMap<String, Option<Vec<u8>>>>,
}

#[test]
fn conformance() {
    if !Path::new(RSYSLOGD).exists() {
        assert!(
            std::env::var_os("CI").is_none(),
            "{RSYSLOGD} is missing: install the package rsyslog"
        );
        println!("skipped: {RSYSLOGD} is not installed, so there is nothing to compare with");
        return;
    }
    let filter = std::env::var("CASE").unwrap_or_default();
    let mut cases = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance"));
    cases.retain(|case| case.path.to_string_lossy().contains(&filter));
    assert!(!cases.is_empty(), "no case matches {filter:?}");
    cases.retain(|case| !case.needs_root || nix::unistd::geteuid().is_root());
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = std::panic::catch_unwind(|| case.run());
                    let failure = outcome.unwrap_or_else(|_| Err("panicked, see above".to_owned()));
                    if let Err(message) = failure {
                        failures
                            .lock()
                            .expect("lock")
                            .push(format!("{}\n{message}", case.path.display()));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("lock");
    assert!(
        failures.is_empty(),
        "{} of {} cases differ:\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n")
    );
}

impl Case {
    /// On a busy machine rsyslogd gives up at its end what is in its queues, or ends before its statistics have begun.
    /// So it may run several times, and more patiently then, until it says the same.
    fn run(&self) -> Result<(), String> {
        let ours = self.files(&program(), "", None);
        let mut outcome = self.judge(&self.files(Path::new(RSYSLOGD), "", None), &ours);
        for _ in 0..4 {
            if outcome.is_err() {
                let theirs = self.files(Path::new(RSYSLOGD), PATIENT, Some(&ours));
                outcome = self.judge(&theirs, &ours);
            }
        }
        outcome
    }

    fn judge(&self, theirs: &Files, ours: &Files) -> Result<(), String> {
        if std::env::var_os("SHOW").is_some() {
            let mut text = format!("{}\n", self.path.display());
            for (name, (bytes, mode)) in theirs {
                let _ = writeln!(text, "  {name} ({mode:o}):\n{}", String::from_utf8_lossy(bytes));
            }
            print!("{text}");
        }
        if theirs.values().all(|(bytes, _)| bytes.is_empty()) && self.differs.is_none() {
            return Err("the reference wrote nothing: the case shows nothing".to_owned());
        }
        if reference() && self.differs.is_some() {
            return Ok(());
        }
        self.compare(theirs, ours)
    }

    /// Whether there are queues behind the main queue.
    fn has_queues(&self) -> bool {
        let mut lines = self.config.lines().filter(|line| !line.starts_with('#'));
        lines.any(|line| line.contains("queue.type=\"LinkedList\""))
    }

    fn compare(&self, theirs: &Files, ours: &Files) -> Result<(), String> {
        let mut expected = theirs.clone();
        for (name, content) in self.differs.iter().flatten() {
            match content {
                Some(bytes) => {
                    let mode = expected.get(name).map_or(0o644, |(_, mode)| *mode);
                    expected.insert(name.clone(), (bytes.clone(), mode));
                }
                None => drop(expected.remove(name)),
            }
        }
        let mut message = String::new();
        let names: std::collections::BTreeSet<&String> =
            expected.keys().chain(ours.keys()).collect();
        for name in names {
            if expected.get(name) != ours.get(name) {
                let _ = write!(
                    message,
                    "  {name}\n{}{}",
                    show("expected", expected.get(name)),
                    show("ours", ours.get(name))
                );
            }
        }
        if message.is_empty() { Ok(()) } else { Err(message) }
    }

    /// Runs the case through one daemon, with `more` in front of its configuration, and collects what it wrote. With
    /// queues behind the main queue it is not stopped before it has written as much as the `other` did.
    fn files(&self, program: &Path, more: &str, other: Option<&Files>) -> Files {
        let dir = tempdir();
        for (name, text) in &self.given {
            let text = text.replace("{dir}", dir.path().to_str().expect("temp dir is UTF-8"));
            fs::write(dir.path().join(name), text).expect("write");
        }
        let args: &[&str] = if program == Path::new(RSYSLOGD) { &[] } else { &["-d"] };
        let mut daemon =
            Daemon::start_program(program, &format!("{more}{}", self.config), args, dir);
        let mut datagrams = 0;
        for step in &self.steps {
            match step {
                Step::Tcp(bytes) => send::tcp(daemon.port(".port"), bytes),
                Step::Udp(lines) => {
                    let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
                    send::udp(daemon.udp_port(0), &lines);
                    datagrams += lines.len();
                    daemon.wait_lines(".seen", datagrams);
                }
                Step::Seen(count) => {
                    datagrams += count;
                    daemon.wait_lines(".seen", datagrams);
                }
                Step::Unix(name, lines) => {
                    let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
                    send::unix(&daemon.dir().join(name), &lines);
                    datagrams += lines.len();
                    daemon.wait_lines(".seen", datagrams);
                }
            }
        }
        let other = other.filter(|_| self.has_queues() && self.differs.is_none());
        for (name, (bytes, _)) in other.into_iter().flatten() {
            daemon.wait(&format!("all of {name}"), |dir| {
                let len = fs::metadata(dir.join(name)).ok()?.len();
                (len >= bytes.len() as u64).then_some(())
            });
        }
        let stopped = daemon.stop();
        let mut files = Files::new();
        collect(stopped.dir.path(), "", &mut files);
        let dir = stopped.dir.path().to_str().expect("temp dir is UTF-8");
        for (bytes, _) in files.values_mut() {
            if let Ok(text) = std::str::from_utf8(bytes) {
                *bytes = text.replace(dir, "{dir}").into_bytes();
            }
        }
        for known in ["conf", "stdout", "stderr", ".port", ".seen"] {
            files.remove(known);
        }
        files
    }
}

fn show(whose: &str, file: Option<&(Vec<u8>, u32)>) -> String {
    match file {
        None => format!("    {whose}: no such file\n"),
        Some((bytes, mode)) => {
            let text = bytes.escape_ascii().to_string().replace("\\n", "\n      ");
            format!("    {whose} ({mode:o}):\n      {text}\n")
        }
    }
}

fn collect(dir: &Path, prefix: &str, files: &mut Files) {
    for entry in fs::read_dir(dir).expect("directory").flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let data = entry.metadata().expect("metadata");
        if data.is_dir() {
            files.insert(format!("{name}/"), (Vec::new(), data.permissions().mode() & 0o7777));
            collect(&entry.path(), &format!("{name}/"), files);
        } else {
            let is_socket = data.file_type().is_socket();
            let read = || fs::read(entry.path()).expect("file");
            let bytes = if is_socket { b"(a socket)".to_vec() } else { read() };
            files.insert(name, (bytes, data.permissions().mode() & 0o7777));
        }
    }
}

/// All cases under `dir`, in order of their paths.
fn load(dir: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for topic in fs::read_dir(dir).expect("tests/conformance").flatten() {
        for entry in fs::read_dir(topic.path()).expect("topic").flatten() {
            let text = fs::read_to_string(entry.path()).expect("case");
            cases.push(parse(entry.path(), &text));
        }
    }
    cases.sort_by(|a, b| a.path.cmp(&b.path));
    cases
}

fn parse(path: PathBuf, text: &str) -> Case {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let mut sections =
        format!("\n{text}").split("\n--- ").map(str::to_owned).collect::<Vec<_>>().into_iter();
    assert!(
        !sections.next().expect("text before").trim().is_empty(),
        "{}: say what it shows",
        path.display()
    );
    let mut case = Case {
        path,
        config: String::new(),
        given: Vec::new(),
        needs_root: false,
        steps: Vec::new(),
        differs: None,
    };
    let mut bare = false;
    for section in sections {
        let (head, body) = section.split_once('\n').unwrap_or((&section, ""));
        let words: Vec<&str> = head.split_ascii_whitespace().collect();
        match words[..] {
            ["conf", ref rest @ ..] => {
                bare = rest == ["bare"];
                case.config = format!("{body}\n");
            }
            ["given", name] => case.given.push((name.to_owned(), body.to_owned())),
            ["needs", "root", _, ..] => case.needs_root = true,
            ["tcp"] => case.steps.push(Step::Tcp(unescape(&format!("{body}\n")))),
            ["tcp", "raw"] => case.steps.push(Step::Tcp(unescape(&body.replace('\n', "")))),
            ["seen", count] => case.steps.push(Step::Seen(count.parse().expect("a number"))),
            ["unix", name] => {
                let lines = body.lines().map(unescape).collect();
                case.steps.push(Step::Unix(name.to_owned(), lines));
            }
            ["udp"] => case.steps.push(Step::Udp(body.lines().map(unescape).collect())),
            ["differs", _, ..] => case.differs = Some(BTreeMap::new()),
            ["file", name, ref rest @ ..] => {
                let content = (rest != ["none"]).then(|| unescape(&format!("{body}\n")));
                case.differs.get_or_insert_default().insert(name.to_owned(), content);
            }
            _ => panic!("{}: unknown section {head:?}", case.path.display()),
        }
    }
    let datagrams =
        case.steps.iter().any(|step| matches!(step, Step::Udp(_) | Step::Unix(..) | Step::Seen(_)));
    let seen = if datagrams { SEEN } else { "" };
    if !bare {
        case.config = format!("{PREAMBLE}{seen}{}", case.config);
    }
    case
}

/// C escapes: `\n \r \t \0 \\ \xHH`.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next().expect("a character after the backslash") {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'0' => 0,
            b'\\' => b'\\',
            b'x' => {
                let digits = [rest.next(), rest.next()].map(|digit| digit.expect("two digits"));
                u8::from_str_radix(std::str::from_utf8(&digits).expect("ASCII"), 16).expect("hex")
            }
            other => panic!("unknown escape \\{}", char::from(other)),
        });
    }
    bytes
}

#[test]
fn case_files_are_read_as_described() {
    let case = parse(
        PathBuf::from("x.case"),
        "Shows.\n--- conf bare\na\nb\n\n--- tcp\nx\\x41\ny\n--- tcp raw\n\\0z\n--- udp\np\nq\n--- differs why\n--- file f\nc\n--- file g none\n",
    );
    assert_eq!(case.config, "a\nb\n\n");
    assert!(matches!(&case.steps[..], [Step::Tcp(a), Step::Tcp(b), Step::Udp(c)]
        if a == b"xA\ny\n" && b == b"\0z" && c[..] == [b"p".to_vec(), b"q".to_vec()]));
    let differs = case.differs.expect("differs");
    assert_eq!((&differs["f"], &differs["g"]), (&Some(b"c\n".to_vec()), &None));
}

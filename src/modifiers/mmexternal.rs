//! mmexternal: a program that gets each message on a line and answers with a line of JSON: what is to be changed.
//!
//! The program runs as long as it answers. One that ends, says too much or takes too long is started anew with the next
//! message; the present one goes on unmodified.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, pipe2};

use super::{Make, Modifier, ModifierEnv, ModifierKind, Subject};
use crate::actions::Failure;
use crate::message::json::{self, Style};
use crate::message::{Json, Part, Path, Property, Scope, pri};
use crate::param::{Args, Class, Kind, Module, Param, Problem};
use crate::parsers;
use crate::sync::{Mutex, lock};
use crate::sys::children::Exits;
use crate::sys::process;

static MODULE: Module = Module {
    name: "mmexternal",
    class: Class::Modifier,
    builtin: false,
    summary: "Has a program modify messages.",
    module_params: &[],
    params: &[
        Param::required(
            "binary",
            Kind::Str,
            "Program and its arguments, separated by blanks; one that contains blanks stands in double quotes.",
        ),
        Param::new(
            "interface.input",
            Kind::Str,
            Some("msg"),
            "What the program gets: msg, rawmsg, or with fulljson all properties.",
        ),
        Param::new(
            "interface.output",
            Kind::Str,
            Some("json"),
            "What it answers: json, or none, and then it is not waited for.",
        ),
        Param::new("output", Kind::Str, None, "File that its answers are appended to."),
        Param::new(
            "responseTimeout",
            Kind::NONNEG,
            Some("0"),
            "Milliseconds that a program may take to read a message and to answer; 0 is without end.",
        ),
        Param::new(
            "forceSingleInstance",
            Kind::Bool,
            Some("off"),
            "Whether all threads share one running program.",
        ),
    ],
    legacy_create: None,
    counters: &[],
    examples: &[r#"module(load="mmexternal")
action(type="mmexternal" binary="/usr/local/bin/anonymise --strict" responseTimeout="1000")
action(type="omfile" file="/var/log/all")"#],
};

/// The mmexternal module.
pub static KIND: ModifierKind = ModifierKind { module: &MODULE, build };

fn build(args: &Args, env: &ModifierEnv<'_>) -> Result<Make, Vec<Problem>> {
    let invalid = |param: &'static str| {
        let shown = args.text(param).unwrap_or_default();
        let text = format!("mmexternal: invalid {param} parameter '{shown}'");
        vec![Problem::error(text).at(param).code(2401)]
    };
    let input = match args.str("interface.input").unwrap_or_default() {
        b"msg" => Property::Msg,
        b"rawmsg" => Property::RawMsg,
        b"fulljson" => Property::JsonMesg,
        _ => return Err(invalid("interface.input")),
    };
    let answers = match args.str("interface.output").unwrap_or_default() {
        b"json" => true,
        b"none" => false,
        _ => return Err(invalid("interface.output")),
    };
    let timeout = u64::try_from(args.int("responseTimeout").unwrap_or(0)).unwrap_or(0);
    let settings = Arc::new(Settings {
        command: words(args.str("binary").unwrap_or_default()),
        input,
        answers,
        output: args.str("output").map(|path| PathBuf::from(OsStr::from_bytes(path))),
        timeout: (timeout > 0).then(|| Duration::from_millis(timeout)),
        answer_bytes: env.message_bytes.max(ANSWER_BYTES_MIN),
        slash_in_program_name: env.slash_in_program_name,
        exits: env.child_exits,
    });
    let single = args.bool("forceSingleInstance");
    let shared: Arc<Mutex<Option<Running>>> = Arc::default();
    Ok(Box::new(move || {
        let program = if single { Arc::clone(&shared) } else { Arc::default() };
        Box::new(External { settings: Arc::clone(&settings), program, line: Vec::new() })
    }))
}

/// A program and its arguments.
fn words(text: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = text.splitn(2, |c| *c == b' ');
    let mut words = vec![parts.next().unwrap_or_default().to_vec()];
    let mut rest = parts.next().unwrap_or_default();
    while !rest.is_empty() {
        let (word, behind) = match rest.strip_prefix(b"\"") {
            Some(quoted) => {
                let end = memchr::memmem::find(quoted, b"\" ");
                let word = end.and_then(|end| quoted.get(..end));
                let word = word.unwrap_or(quoted.strip_suffix(b"\"").unwrap_or(quoted));
                (word, end.and_then(|end| quoted.get(end + 2..)))
            }
            None => {
                let end = memchr::memchr(b' ', rest).unwrap_or(rest.len());
                (rest.get(..end).unwrap_or(rest), rest.get(end + 1..))
            }
        };
        words.push(word.to_vec());
        rest = behind.unwrap_or_default();
    }
    words
}

struct Settings {
    /// The program, then its arguments.
    command: Vec<Vec<u8>>,
    input: Property,
    answers: bool,
    output: Option<PathBuf>,
    timeout: Option<Duration>,
    /// Longest answer.
    answer_bytes: usize,
    slash_in_program_name: bool,
    exits: Exits,
}

/// What an answer may have at least, bytes.
const ANSWER_BYTES_MIN: usize = 256;
/// How long a program may take to end once it is told to.
const PATIENCE: Duration = Duration::from_secs(1);

struct External {
    settings: Arc<Settings>,
    program: Arc<Mutex<Option<Running>>>,
    /// What the program gets.
    line: Vec<u8>,
}

impl Modifier for External {
    fn modify(&mut self, subject: &mut Subject<'_, '_>) -> Result<(), Failure> {
        let Self { settings, program, line } = self;
        line.clear();
        subject.msg.with_vars(subject.vars).write_property(&settings.input, line);
        line.push(b'\n');
        let mut program = lock(program);
        let until = settings.timeout.map(|timeout| Instant::now() + timeout);
        let mut again = false;
        loop {
            let running = match &mut *program {
                Some(running) => running,
                none => none.insert(settings.start()?),
            };
            match running.send(line, until) {
                Ok(()) => break,
                Err(error) if error.kind() == ErrorKind::TimedOut => {
                    let why = settings.too_late("did not read its input");
                    settings.warn(running, why.code, &why.text);
                    *program = None;
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::BrokenPipe && !again => {
                    settings.warn(running, 2119, "terminated; will be restarted");
                    *program = None;
                    again = true;
                }
                Err(error) => {
                    *program = None;
                    let text = format!("mmexternal: error sending message to program: {error}");
                    return Err(Failure::suspend(2119, text));
                }
            }
        }
        let Some(running) = program.as_mut().filter(|_| settings.answers) else { return Ok(()) };
        match running.answer(settings, until) {
            Ok(answer) => settings.apply(&answer, subject),
            Err(why) => {
                settings.warn(running, why.code, &why.text);
                *program = None;
            }
        }
        Ok(())
    }
}

/// A program that runs.
struct Running {
    child: Child,
    input: ChildStdin,
    /// Its standard output and standard error, if they are looked at.
    replies: Option<File>,
    /// Its name, and how its end is told.
    name: String,
    exits: Exits,
}

impl Settings {
    fn start(&self) -> Result<Running, Failure> {
        let (name, args) = self.command.split_first().map_or((&[][..], &[][..]), |(n, a)| (n, a));
        let failed = |error: io::Error| {
            let name = String::from_utf8_lossy(name);
            Failure::suspend(2119, format!("mmexternal: cannot run '{name}': {error}"))
        };
        let mut command = Command::new(OsStr::from_bytes(name));
        command.args(args.iter().map(|arg| OsStr::from_bytes(arg))).env_clear();
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut replies = None;
        if self.answers {
            let (reader, writer) = pipe2(OFlag::O_CLOEXEC).map_err(|e| failed(e.into()))?;
            command.stderr(writer.try_clone().map_err(failed)?).stdout(writer);
            replies = Some(reader.into());
        }
        let mut child = command.spawn().map_err(failed)?;
        let input = child.stdin.take().ok_or(ErrorKind::BrokenPipe.into()).map_err(failed)?;
        let unblocked = fcntl(&input, FcntlArg::F_SETFL(OFlag::O_NONBLOCK));
        let name = String::from_utf8_lossy(name).into_owned();
        let running = Running { child, input, replies, name, exits: self.exits };
        unblocked.map_err(|error| failed(error.into()))?;
        Ok(running)
    }

    #[cold]
    fn too_late(&self, what: &str) -> Failure {
        let text = format!(
            "{what} within timeout ({} ms); will be restarted and current message skipped",
            self.timeout.unwrap_or_default().as_millis()
        );
        Failure::data(2041, text)
    }

    #[cold]
    fn warn(&self, running: &Running, code: u16, what: &str) {
        let name = self.command.first().map(|name| String::from_utf8_lossy(name));
        let pid = running.child.id();
        log::warn!(code = code; "mmexternal: program '{}' (pid {pid}) {what}", name.unwrap_or_default());
    }

    /// Changes the message as the answer says.
    fn apply(&self, answer: &[u8], subject: &mut Subject<'_, '_>) {
        self.keep(answer);
        let answer = answer.strip_suffix(b"\n").unwrap_or(answer);
        if answer == b"{}" {
            return;
        }
        let Some(Json::Object(wanted)) = json::parse(answer, subject.case()).value else {
            let name = self.command.first().map(|name| String::from_utf8_lossy(name));
            let answer = String::from_utf8_lossy(answer);
            log::error!(
                code = 2438;
                "mmexternal: invalid reply '{answer}' from program '{}'", name.unwrap_or_default()
            );
            return;
        };
        let mut text = Vec::new();
        for (name, value) in wanted.iter().filter(|(_, value)| **value != Json::Null) {
            text.clear();
            value.append_to(Style::Spaced, &mut text);
            let end = memchr::memchr(0, &text).unwrap_or(text.len());
            text.truncate(end);
            self.set(name, value, &text, subject);
        }
    }

    fn set(&self, name: &[u8], value: &Json, text: &[u8], subject: &mut Subject<'_, '_>) {
        let change = &mut *subject.change;
        let old = change.pri().unwrap_or(subject.msg.record.pri);
        let part = match name {
            b"msg" => Part::Msg,
            b"rawmsg" => Part::Raw,
            b"syslogtag" => Part::Tag(parsers::program_len(text, self.slash_in_program_name)),
            b"procid" => Part::ProcId,
            b"msgid" => Part::MsgId,
            b"structured-data" => Part::StructuredData,
            b"hostname" | b"source" => Part::Hostname,
            b"pri" => {
                let wanted = u8::try_from(value.number()).ok().filter(|pri| *pri <= pri::MAX);
                return change.set_pri(wanted.unwrap_or(pri::INVALID));
            }
            b"syslogfacility" => {
                if let Some(facility) = u8::try_from(value.number()).ok().filter(|n| *n <= 24) {
                    change.set_pri(facility << 3 | old & 7);
                }
                return;
            }
            b"syslogseverity" => {
                if let Some(severity) = u8::try_from(value.number()).ok().filter(|n| *n <= 7) {
                    change.set_pri(old & !7 | severity);
                }
                return;
            }
            b"$!" => {
                subject.assign(&(Scope::Message, Path::new(b"")), value.clone());
                return;
            }
            b"fromhost" => return change.set_fromhost(text),
            b"fromhost-ip" => return change.set_fromhost_ip(text),
            _ => return,
        };
        change.set(part, |out| out.extend_from_slice(text));
    }

    /// Appends an answer to the file for them.
    fn keep(&self, answer: &[u8]) {
        let Some(path) = &self.output else { return };
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        if let Err(error) = file.and_then(|mut file| file.write_all(answer)) {
            log::error!("mmexternal: cannot write to '{}': {error}", path.display());
        }
    }
}

impl Running {
    /// Writes a line.
    fn send(&mut self, line: &[u8], until: Option<Instant>) -> io::Result<()> {
        let mut rest = line;
        while !rest.is_empty() {
            match self.input.write(rest) {
                Ok(len) => rest = rest.get(len..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if !wait(&[(self.input.as_fd(), PollFlags::POLLOUT)], until) {
                        return Err(ErrorKind::TimedOut.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Says how the program has ended.
    fn told(&mut self) {
        if let Ok(status) = self.child.wait() {
            self.exits.report(&self.name, self.child.id(), status);
        }
    }

    /// Reads a line.
    fn answer(&mut self, settings: &Settings, until: Option<Instant>) -> Result<Vec<u8>, Failure> {
        let mut answer = Vec::new();
        let mut chunk = [0; 4096];
        while answer.last() != Some(&b'\n') {
            if answer.len() + ANSWER_BYTES_MIN > settings.answer_bytes {
                let text = format!(
                    "returned a response longer than maxMessageSize ({} bytes); will be restarted and current \
                     message skipped",
                    settings.answer_bytes
                );
                return Err(Failure::data(3000, text));
            }
            let Some(replies) = &mut self.replies else { break };
            if until.is_some() && !wait(&[(replies.as_fd(), PollFlags::POLLIN)], until) {
                return Err(settings.too_late("did not respond"));
            }
            match replies.read(&mut chunk) {
                Ok(0) => {
                    let text = "terminated while returning a response; will be restarted and \
                                current message skipped";
                    return Err(Failure::data(2356, text));
                }
                Ok(len) => answer.extend_from_slice(chunk.get(..len).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(Failure::data(2356, format!("cannot be read from: {error}")));
                }
            }
        }
        Ok(answer)
    }
}

/// Waits until one of the descriptors is ready, at most until then; whether one is.
fn wait(descriptors: &[(BorrowedFd<'_>, PollFlags)], until: Option<Instant>) -> bool {
    let mut polled: Vec<_> = descriptors.iter().map(|&(fd, what)| PollFd::new(fd, what)).collect();
    loop {
        let left = until.map_or(PollTimeout::NONE, |until| {
            let left = until.saturating_duration_since(Instant::now());
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut polled, left) {
            Err(nix::errno::Errno::EINTR) => {}
            outcome => return outcome != Ok(0),
        }
    }
}

impl Drop for Running {
    /// Ends the program: asks it to, waits a moment, then insists.
    fn drop(&mut self) {
        let ended = |child: &mut Child| !matches!(child.try_wait(), Ok(None));
        if ended(&mut self.child) {
            return self.told();
        }
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let until = Some(Instant::now() + PATIENCE);
        // Without a descriptor of the process there is only the end of its answers to tell its end by, or the time.
        let process = process::descriptor(&self.child).ok();
        let mut chunk = [0; 4096];
        while !ended(&mut self.child) {
            let process = process.iter().map(|process| process.as_fd());
            let replies = self.replies.iter().map(|replies| replies.as_fd());
            let both: Vec<_> = process.chain(replies).map(|fd| (fd, PollFlags::POLLIN)).collect();
            if !wait(&both, until) {
                break;
            }
            // One that has much to say must be able to say it to come to its end.
            let said = self.replies.as_mut().filter(|replies| {
                wait(&[(replies.as_fd(), PollFlags::POLLIN)], Some(Instant::now()))
            });
            if said.is_some_and(|replies| !matches!(replies.read(&mut chunk), Ok(1..))) {
                self.replies = None;
            }
        }
        if !ended(&mut self.child) {
            let _ = self.child.kill();
        }
        self.told();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(command: &str, answers: bool, timeout: Option<u64>) -> Settings {
        Settings {
            command: words(command.as_bytes()),
            input: Property::Msg,
            answers,
            output: None,
            timeout: timeout.map(Duration::from_millis),
            answer_bytes: 8096,
            slash_in_program_name: false,
            exits: Exits::Errors,
        }
    }

    #[test]
    fn a_program_that_stops_reading_is_not_waited_for_longer_than_for_an_answer() {
        for answers in [false, true] {
            let settings = settings("/bin/sleep 1000", answers, Some(50));
            let mut running = settings.start().expect("started");
            // More than any pipe holds.
            let line = vec![b'x'; 4 << 20];
            let until = settings.timeout.map(|timeout| Instant::now() + timeout);
            let sent = running.send(&line, until).map_err(|error| error.kind());
            assert_eq!(sent, Err(ErrorKind::TimedOut));
        }
    }

    /// One that answers, and one that does not, may both clear up when they are told to end.
    #[test]
    fn a_program_has_time_to_end() {
        for answers in [false, true] {
            let dir = tempfile::tempdir().expect("a directory");
            let path = |name: &str| dir.path().join(name);
            let (ready, ended) = (path("ready"), path("ended"));
            let script = format!(
                "/bin/sh -c \"trap '/bin/echo x | /bin/cat | /bin/cat > {}; exit' TERM; : > {}; while read l; do :; done\"",
                ended.display(),
                ready.display()
            );
            let running = settings(&script, answers, None).start().expect("started");
            while !ready.exists() {
                std::thread::yield_now();
            }
            drop(running);
            assert_eq!(std::fs::read_to_string(ended).ok().as_deref(), Some("x\n"), "{answers}");
        }
    }

    /// One that ignores what it is told is killed.
    #[test]
    fn a_program_that_does_not_end_is_killed() {
        let dir = tempfile::tempdir().expect("a directory");
        let ready = dir.path().join("ready");
        let script = format!(
            "/bin/sh -c \"trap '' TERM; : > {}; while :; do read l || exec /bin/sleep 1000; done\"",
            ready.display()
        );
        let running = settings(&script, false, None).start().expect("started");
        while !ready.exists() {
            std::thread::yield_now();
        }
        let pid = Pid::from_raw(i32::try_from(running.child.id()).expect("fits"));
        drop(running);
        assert_eq!(kill(pid, None), Err(nix::errno::Errno::ESRCH), "gone and reaped");
    }

    #[test]
    fn command_lines() {
        let table: [(&str, &[&str]); 5] = [
            ("/bin/x", &["/bin/x"]),
            ("/bin/x a  b", &["/bin/x", "a", "", "b"]),
            ("/bin/x \"a b\" c", &["/bin/x", "a b", "c"]),
            ("/bin/x a \"b c\"", &["/bin/x", "a", "b c"]),
            ("/bin/x a\"b", &["/bin/x", "a\"b"]),
        ];
        for (text, want) in table {
            let got = words(text.as_bytes());
            assert!(got.iter().eq(want.iter().map(|word| word.as_bytes())), "{text}: {got:?}");
        }
    }
}

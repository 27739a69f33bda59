//! ompipe: messages into a named pipe (FIFO), one write each, so that those of several writers do not mix.
//!
//! As in the reference a message is written when the rules come to it, not at the end of the batch: actions that
//! share a pipe write in turn.
//!
//! The pipe is opened for reading and writing, so that it needs no reader to be there, and without waiting.
//! A full pipe suspends the action until it can be written to again.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Failure, Lost, Output, OutputEnv, OutputKind, OutputWorker, reason};
use crate::message::Msg;
use crate::param::{Args, Class, Kind, Module, Param, Problem};
use crate::template::Template;

static MODULE: Module = Module {
    name: "ompipe",
    class: Class::Output,
    builtin: true,
    summary: "Writes messages into a named pipe.",
    module_params: &[Param::new(
        "template",
        Kind::Word,
        None,
        "Template of actions that name none.",
    )],
    params: &[
        Param::required("pipe", Kind::Str, "Path of the pipe; it has to exist."),
        Param::new("template", Kind::Word, None, "Template of the messages (RSYSLOG_FileFormat)."),
        Param::new(
            "tryResumeReopen",
            Kind::Bool,
            Some("off"),
            "Open the pipe anew when a full one is still full at the next try.",
        ),
    ],
    legacy_create: None,
    counters: &[],
    examples: &[r#"*.err action(type="ompipe" pipe="/dev/xconsole")"#, "*.err |/dev/xconsole"],
};

/// The ompipe module.
pub static KIND: OutputKind = OutputKind { module: &MODULE, build };

fn build(args: &Args, module: &Args, env: &OutputEnv<'_>) -> Result<Arc<dyn Output>, Vec<Problem>> {
    let named = args.str("template").or_else(|| module.str("template"));
    let template = env.template_or_problem(0, named.unwrap_or(b"RSYSLOG_FileFormat"));
    let path = args.str("pipe").unwrap_or_default().to_vec();
    Ok(Arc::new(Pipe {
        template: template.map_err(|problem| vec![problem])?,
        path: PathBuf::from(std::ffi::OsString::from_vec(path)),
        reopen: args.bool("tryResumeReopen"),
        end: Mutex::new(None),
    }))
}

struct Pipe {
    template: Arc<Template>,
    path: PathBuf,
    reopen: bool,
    /// Open, and shared by all threads: two writers may not tear each other's messages.
    end: Mutex<Option<End>>,
}

/// The open pipe.
struct End {
    file: File,
    /// The rest of a message that the pipe took in part (only one longer than `PIPE_BUF`, see pipe(7)).
    torn: Vec<u8>,
}

impl Output for Pipe {
    fn worker(self: Arc<Self>) -> Box<dyn OutputWorker> {
        Box::new(Worker { pipe: self, text: Vec::new() })
    }
}

impl Pipe {
    fn open(&self) -> Result<End, Failure> {
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        let opened = OpenOptions::new().read(true).write(true).custom_flags(flags).open(&self.path);
        let file = opened.map_err(|error| {
            let path = self.path.display();
            Failure::suspend(
                2039,
                format!("Could not open output pipe '{path}':: {}", reason(&error)),
            )
        })?;
        Ok(End { file, torn: Vec::new() })
    }

    fn write(&self, text: &[u8]) -> Result<(), Failure> {
        let mut slot = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none() {
            *slot = Some(self.open()?);
        }
        let Some(end) = slot.as_mut() else { return Ok(()) };
        end.write(text).map_err(|error| {
            let path = self.path.display();
            if error.kind() == io::ErrorKind::WouldBlock {
                let text = format!("pipe '{path}' is full, its reader is behind");
                return Failure::suspend(2007, text);
            }
            *slot = None;
            Failure::suspend(3000, format!("write error on pipe {path}: {}", reason(&error)))
        })
    }
}

struct Worker {
    pipe: Arc<Pipe>,
    /// The message being written; kept for its memory.
    text: Vec<u8>,
}

impl OutputWorker for Worker {
    fn push(&mut self, msg: &Msg<'_>, _lost: &mut Lost<'_>) -> Result<(), Failure> {
        self.text.clear();
        self.pipe.template.render(msg, &mut self.text);
        self.pipe.write(&self.text)
    }

    fn resume(&mut self) -> Result<(), Failure> {
        let mut slot = self.pipe.end.lock().unwrap_or_else(PoisonError::into_inner);
        match slot.as_ref() {
            None => *slot = Some(self.pipe.open()?),
            Some(end) if !end.has_room() => {
                if self.pipe.reopen {
                    *slot = None;
                }
                return Err(still_full(&self.pipe.path));
            }
            Some(_) => {}
        }
        Ok(())
    }
}

fn still_full(path: &Path) -> Failure {
    Failure::suspend(2007, format!("pipe '{}' is still full", path.display()))
}

impl End {
    /// Writes a message behind what is left of the one before. What the pipe takes in part is taken.
    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        while !self.torn.is_empty() {
            let taken = self.file.write(&self.torn)?;
            self.torn.drain(..taken);
        }
        let taken = self.file.write(text)?;
        self.torn.extend_from_slice(text.get(taken..).unwrap_or_default());
        Ok(())
    }

    fn has_room(&self) -> bool {
        let mut wanted = [PollFd::new(self.file.as_fd(), PollFlags::POLLOUT)];
        matches!(poll(&mut wanted, PollTimeout::ZERO), Ok(1))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    fn pipe(path: &Path) -> Pipe {
        let template = crate::template::builtin(b"RSYSLOG_FileFormat").expect("built in");
        Pipe { template, path: path.to_owned(), reopen: true, end: Mutex::new(None) }
    }

    #[test]
    fn a_full_pipe_suspends_and_goes_on_where_it_stopped() {
        let dir = tempfile::tempdir().expect("directory");
        let path = dir.path().join("fifo");
        mkfifo(&path, Mode::S_IRWXU).expect("fifo");
        let mut reader = OpenOptions::new();
        let reader = reader.read(true).custom_flags(libc::O_NONBLOCK).open(&path);
        let mut reader = reader.expect("kept open, or the pipe loses what it holds");
        let pipe = pipe(&path);
        let mut sent = Vec::new();
        let line = |number: usize| {
            format!("{number:05} {}\n", "x".repeat(number * 37 % 9000)).into_bytes()
        };
        let mut number = 0;
        while pipe.write(&line(number)).is_ok() {
            sent.extend(line(number));
            number += 1;
        }
        let mut worker = Worker { pipe: Arc::new(pipe), text: Vec::new() };
        assert_eq!(worker.resume().expect_err("full").code, 2007);
        assert!(worker.pipe.end.lock().unwrap().is_none(), "to be opened anew");
        worker.resume().expect("opened");
        let mut got = vec![0; 1 << 20];
        let taken = reader.read(&mut got).expect("read");
        assert!(taken > 4096 && sent.starts_with(&got[..taken]), "in order and whole");
        worker.pipe.write(b"last\n").expect("room again");
        let taken = reader.read(&mut got).expect("read");
        assert_eq!(&got[..taken], b"last\n");
    }

    #[test]
    fn what_a_pipe_takes_in_part_is_completed() {
        let dir = tempfile::tempdir().expect("directory");
        let path = dir.path().join("fifo");
        mkfifo(&path, Mode::S_IRWXU).expect("fifo");
        let pipe = pipe(&path);
        let large = b"0123456789".repeat(20_000);
        pipe.write(&large).expect("in part");
        assert_eq!(pipe.write(b"next\n").expect_err("no room").code, 2007);
        let mut reader = File::open(&path).expect("reader");
        let mut got = Vec::new();
        while got.len() < large.len() + 5 {
            let mut some = vec![0; 50_000];
            let taken = reader.read(&mut some).expect("read");
            got.extend_from_slice(&some[..taken]);
            let _ = pipe.write(if got.len() < large.len() { b"next\n" } else { b"" });
        }
        assert!(got.starts_with(&large) && got[large.len()..].starts_with(b"next\n"));
    }

    #[test]
    fn a_missing_pipe_is_named() {
        let failure = pipe(Path::new("/nonexistent/fifo")).write(b"x").expect_err("no pipe");
        let text = "Could not open output pipe '/nonexistent/fifo':: No such file";
        assert!(failure.text.starts_with(text), "{failure}");
        assert_eq!(failure.code, 2039);
    }
}

//! omstdout: messages to standard output, for tests and for containers.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, PoisonError};

use super::lines::Lines;
use super::{Failure, Lost, Output, OutputEnv, OutputKind, OutputWorker};
use crate::message::Msg;
use crate::param::{Args, Class, Kind, Module, Param, Problem};
use crate::template::Template;

static MODULE: Module = Module {
    name: "omstdout",
    class: Class::Output,
    builtin: false,
    summary: "Writes messages to standard output.",
    module_params: &[],
    params: &[
        Param::new("ensureLFEnding", Kind::Bool, Some("on"), "End each message in LF.")
            .legacy("ActionOMStdoutEnsureLFEnding"),
        Param::new("template", Kind::Word, Some("RSYSLOG_FileFormat"), "Template of the messages."),
    ],
    legacy_create: None,
    counters: &[],
    examples: &[r#"module(load="omstdout")
action(type="omstdout" template="RSYSLOG_TraditionalFileFormat")"#],
};

/// The omstdout module.
pub static KIND: OutputKind = OutputKind { module: &MODULE, build };

fn build(args: &Args, _: &Args, env: &OutputEnv<'_>) -> Result<Arc<dyn Output>, Vec<Problem>> {
    let name = args.str("template").unwrap_or_default();
    let template = env.template_or_problem(0, name).map_err(|problem| vec![problem])?;
    // A duplicate of our own: std's handle buffers, and takes a lock for each write.
    let descriptor = io::stdout().as_fd().try_clone_to_owned();
    let file = descriptor.map(File::from).map_err(|error| {
        vec![Problem::error(format!("omstdout: standard output is not open: {error}"))]
    })?;
    Ok(Arc::new(Stdout { template, add_lf: args.bool("ensureLFEnding"), file: Mutex::new(file) }))
}

struct Stdout {
    template: Arc<Template>,
    add_lf: bool,
    file: Mutex<File>,
}

impl Output for Stdout {
    fn worker(self: Arc<Self>) -> Box<dyn OutputWorker> {
        Box::new(Worker { output: self, lines: Lines::default(), torn: Vec::new() })
    }
}

struct Worker {
    output: Arc<Stdout>,
    lines: Lines,
    /// The rest of a message that was written in part.
    torn: Vec<u8>,
}

impl OutputWorker for Worker {
    fn push(&mut self, msg: &Msg<'_>, _lost: &mut Lost<'_>) -> Result<(), Failure> {
        let output = &self.output;
        self.lines.push(output.add_lf, |out| output.template.render(msg, out));
        Ok(())
    }

    fn commit(&mut self, _lost: &mut Lost<'_>) -> Result<(), Failure> {
        let mut file = self.output.file.lock().unwrap_or_else(PoisonError::into_inner);
        write(&mut file, &mut self.lines, &mut self.torn).map_err(|error| {
            Failure::suspend(2027, format!("omstdout: cannot write to standard output: {error}"))
        })
    }

    fn pending(&self) -> usize {
        self.lines.len()
    }

    fn discard(&mut self, why: &Failure, lost: &mut Lost<'_>) {
        self.lines.drain(|line| lost(why, line));
    }

    fn resume(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

/// Writes the rest of the torn line and all lines, as far as possible.
fn write(file: &mut File, lines: &mut Lines, torn: &mut Vec<u8>) -> io::Result<()> {
    loop {
        while !torn.is_empty() {
            let written = retried(|| file.write(torn))?;
            torn.drain(..written);
        }
        if lines.is_empty() {
            return Ok(());
        }
        let written = retried(|| file.write(lines.text()))?;
        if let Some((line, done)) = lines.advance(written) {
            *torn = line.get(done..).unwrap_or_default().to_vec();
        }
    }
}

/// `write` until no signal interrupts it; nothing written is an error.
fn retried(mut write: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match write() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn what_is_cut_is_completed() {
        let (reader, writer) = UnixStream::pair().expect("sockets");
        reader.set_nonblocking(true).expect("set");
        writer.set_nonblocking(true).expect("set");
        let mut file = File::from(OwnedFd::from(writer));
        let (mut lines, mut torn, mut got) = (Lines::default(), Vec::new(), Vec::new());
        let text = "0123456789".repeat(30_000);
        for _ in 0..3 {
            lines.push(true, |out| out.extend_from_slice(text.as_bytes()));
        }
        while write(&mut file, &mut lines, &mut torn).is_err() {
            while let Ok(1..) = (&reader).take(50_000).read_to_end(&mut got) {}
        }
        while let Ok(1..) = (&reader).take(50_000).read_to_end(&mut got) {}
        assert!(got == format!("{text}\n").repeat(3).into_bytes());
    }
}

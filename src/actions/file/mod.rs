//! omfile: messages into files (`spec/queues-actions.md` section 7).
//!
//! ```text
//! push:   render into the worker's lines of that file          (no lock, no I/O)
//! commit: for each file with lines: Stream.write, one write(2) (the file's lock)
//! ```
//! [`stream`] is one file, [`cache`] the dynamic files that are open, [`worker`] one thread's lines,
//! [`path`] the check of dynamic names, [`open`] creation, [`rotate`] the size limit.

mod lines;
mod open;
mod params;
mod rotate;
mod stream;
mod worker;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Output, OutputEnv, OutputKind, OutputWorker};
use crate::param::{Args, Problem};
use crate::template::Template;
use open::Creation;
use rotate::Rotation;
use stream::{Settings, Stream};

/// Default line template.
const TEMPLATE: &[u8] = b"RSYSLOG_FileFormat";

/// The omfile module.
pub static KIND: OutputKind = OutputKind { module: &params::MODULE, build };

/// One omfile action.
struct FileOutput {
    template: Arc<Template>,
    add_lf: bool,
    settings: Arc<Settings>,
    target: Arc<Stream>,
}

impl Output for FileOutput {
    fn worker(self: Arc<Self>) -> Box<dyn OutputWorker> {
        Box::new(worker::Static::new(self))
    }

    fn hup(&self) {
        self.settings.generation.fetch_add(1, Ordering::Relaxed);
        self.target.close_if_idle();
    }

    fn close(&self) {
        self.target.close();
    }
}

/// The value of `name`: the action's, else the module's, else the default (which legacy directives set).
fn inherited<'a>(args: &'a Args, module: &'a Args, name: &str) -> &'a Args {
    if !args.given(name) && module.param(name).is_some() && module.given(name) {
        module
    } else {
        args
    }
}

fn build(args: &Args, module: &Args, env: &OutputEnv<'_>) -> Result<Arc<dyn Output>, Vec<Problem>> {
    let name = inherited(args, module, "template").str("template");
    let name = name.or_else(|| module.str("template")).unwrap_or(TEMPLATE);
    let template = env.template_or_problem(0, name).map_err(|problem| vec![problem])?;
    let Some(path) = args.str("file") else {
        let text = "omfile: either the \"file\" or \"dynafile\" parameter must be given";
        return Err(vec![Problem::error(text).code(2211)]);
    };
    let settings = Arc::new(settings(args, module));
    let path = PathBuf::from(OsStr::from_bytes(path));
    Ok(Arc::new(FileOutput {
        template,
        add_lf: inherited(args, module, "addLF").bool("addLF"),
        target: Arc::new(Stream::new(path, Arc::clone(&settings))),
        settings,
    }))
}

fn settings(args: &Args, module: &Args) -> Settings {
    let number = |name| inherited(args, module, name).int(name);
    let id = |name, numeric| {
        let value = number(numeric).or_else(|| number(name));
        value.and_then(|id| u32::try_from(id).ok())
    };
    let mode = |name| number(name).and_then(|mode| u32::try_from(mode).ok());
    let limit = args.size("rotation.sizeLimit").filter(|&limit| limit > 0);
    let gather = if args.bool("flushOnTXEnd") { 0 } else { args.size("ioBufferSize").unwrap_or(0) };
    Settings {
        creation: Creation {
            file_mode: mode("fileCreateMode").unwrap_or(0o644),
            dir_mode: mode("dirCreateMode").unwrap_or(0o700),
            file_owner: (id("fileOwner", "fileOwnerNum"), id("fileGroup", "fileGroupNum")),
            dir_owner: (id("dirOwner", "dirOwnerNum"), id("dirGroup", "dirGroupNum")),
            dirs: args.bool("createDirs"),
            follow_symlinks: inherited(args, module, "followSymlinks").bool("followSymlinks"),
            chown_failure_is_error: args.bool("failOnChOwnFailure"),
        },
        sync: args.bool("sync"),
        gather: usize::try_from(gather).unwrap_or(usize::MAX),
        rotation: limit.map(|limit| Rotation {
            limit,
            command: args.str("rotation.sizeLimitCommand").map(<[u8]>::to_vec),
            pass_file_name: args.bool("rotation.sizeLimitCommandPassFileName"),
        }),
        generation: AtomicU64::new(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Batch, Env, Flags, InputInfo, Msg, Record, Sender, Zone};
    use crate::stats;
    use crate::template::{Content, Options};

    fn batch(texts: &[&str]) -> Batch {
        let mut batch = Batch::default();
        let sender = Sender::local(Arc::new(InputInfo::default()), b"host");
        batch.senders.push(Arc::new(sender));
        for text in texts {
            let raw = batch.bytes.append(text.as_bytes());
            batch.records.push(Record::unparsed(raw, 0, 0, Flags::empty()));
        }
        batch
    }

    fn environment() -> Env {
        Env { now: 0, zone: Zone::UTC, hostname: b"host".as_slice().into(), uptime: 0 }
    }

    fn output(set: impl FnOnce(&mut Args)) -> Arc<dyn Output> {
        let module = Args::defaults(&[params::MODULE.module_params]);
        let mut args = Args::defaults(&[params::MODULE.params]);
        set(&mut args);
        let template = |name: &[u8]| {
            let content = Content::String { text: b"%msg%", legacy: false };
            let name = String::from_utf8_lossy(name);
            Template::compile(&name, &content, Options::default(), &mut Vec::new()).map(Arc::new)
        };
        let stats = Arc::new(stats::Set::default());
        let env = OutputEnv { template: &template, stats, message_bytes: 8096 };
        (KIND.build)(&args, &module, &env).expect("the action")
    }

    fn push_all(worker: &mut dyn OutputWorker, texts: &[&str]) -> Vec<String> {
        let mut lost = Vec::new();
        let mut sink = |_: &super::super::Failure, line: &[u8]| {
            lost.push(String::from_utf8_lossy(line).into_owned());
        };
        let (batch, env) = (batch(texts), environment());
        for index in 0..batch.len() {
            let msg = Msg::at(&batch, index, &env).expect("a message");
            worker.push(&msg, &mut sink).expect("pushed");
        }
        worker.commit(&mut sink).expect("committed");
        lost
    }

    #[test]
    fn a_static_file_gets_the_lines_and_hup_opens_it_anew() {
        use crate::param::Value;
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("sub/dir/out.log");
        let output = output(|args| {
            args.set("file", Value::Str(path.as_os_str().as_bytes().to_vec()));
        });
        let mut worker = Arc::clone(&output).worker();
        assert!(push_all(worker.as_mut(), &["one", "two"]).is_empty());
        assert_eq!(std::fs::read(&path).expect("the file"), b"one\ntwo\n");
        std::fs::rename(&path, dir.path().join("old")).expect("renamed");
        output.hup();
        push_all(worker.as_mut(), &["three"]);
        assert_eq!(std::fs::read(&path).expect("the file"), b"three\n");
        assert_eq!(worker.pending(), 0);
    }
}

//! omshell: runs a program for each message, the text as its one argument (`^program;template`).
//!
//! It has no `action()` form. The program runs while the action waits; what it returns does not matter.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::sync::Arc;

use super::execute::execute;
use super::{Failure, Lost, Output, OutputEnv, OutputKind, OutputWorker, reason};
use crate::message::Msg;
use crate::param::{Args, Class, Kind, Module, Param, Problem};
use crate::sys::children::Exits;
use crate::template::Template;

static MODULE: Module = Module {
    name: "omshell",
    class: Class::Output,
    builtin: true,
    summary: "Runs a program for each message.",
    module_params: &[],
    params: &[
        Param::required("program", Kind::Str, "The program; the message is its only argument."),
        Param::new(
            "template",
            Kind::Word,
            Some("RSYSLOG_TraditionalFileFormat"),
            "Template of the argument.",
        ),
    ],
    legacy_create: None,
    counters: &[],
    examples: &["*.emerg ^/usr/local/bin/page;RSYSLOG_TraditionalFileFormat"],
};

/// The omshell module.
pub static KIND: OutputKind = OutputKind { module: &MODULE, build };

fn build(args: &Args, _: &Args, env: &OutputEnv<'_>) -> Result<Arc<dyn Output>, Vec<Problem>> {
    let template = env.template_or_problem(0, args.str("template").unwrap_or_default());
    Ok(Arc::new(Shell {
        template: template.map_err(|problem| vec![problem])?,
        program: OsString::from_vec(args.str("program").unwrap_or_default().to_vec()),
        exits: env.child_exits,
    }))
}

struct Shell {
    template: Arc<Template>,
    program: OsString,
    exits: Exits,
}

impl Output for Shell {
    fn worker(self: Arc<Self>) -> Box<dyn OutputWorker> {
        Box::new(Worker { shell: self, text: Vec::new() })
    }
}

struct Worker {
    shell: Arc<Shell>,
    text: Vec<u8>,
}

impl OutputWorker for Worker {
    fn push(&mut self, msg: &Msg<'_>, lost: &mut Lost<'_>) -> Result<(), Failure> {
        self.text.clear();
        self.shell.template.render(msg, &mut self.text);
        // An argument ends at a NUL byte.
        let argument = self.text.split(|byte| *byte == 0).next().unwrap_or_default();
        let program = &self.shell.program;
        let argument = OsStr::from_bytes(argument).to_owned();
        if let Err(error) = execute(program, &[argument], self.shell.exits) {
            let name = program.to_string_lossy();
            let why = format!("Executing program '{name}' failed: {}", reason(&error));
            lost(&Failure::data(3000, why), &self.text);
        }
        Ok(())
    }
}

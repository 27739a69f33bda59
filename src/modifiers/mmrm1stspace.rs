//! mmrm1stspace: drops the blank at the start of MSG.

use super::{Make, Modifier, ModifierEnv, ModifierKind, Subject, every_thread};
use crate::actions::Failure;
use crate::message::Part;
use crate::param::{Args, Class, Module, Problem};

static MODULE: Module = Module {
    name: "mmrm1stspace",
    class: Class::Modifier,
    builtin: false,
    summary: "Drops the blank at the start of a text.",
    module_params: &[],
    params: &[],
    legacy_create: None,
    counters: &[],
    examples: &[r#"module(load="mmrm1stspace")
action(type="mmrm1stspace")
action(type="omfile" file="/var/log/all")"#],
};

/// The mmrm1stspace module.
pub static KIND: ModifierKind = ModifierKind { module: &MODULE, build };

fn build(_: &Args, _: &ModifierEnv<'_>) -> Result<Make, Vec<Problem>> {
    Ok(every_thread(RemoveFirstSpace))
}

#[derive(Clone)]
struct RemoveFirstSpace;

impl Modifier for RemoveFirstSpace {
    fn modify(&mut self, subject: &mut Subject<'_, '_>) -> Result<(), Failure> {
        if let Some(rest) = subject.msg.msg().strip_prefix(b" ") {
            subject.change.set(Part::Msg, |out| out.extend_from_slice(rest));
        }
        Ok(())
    }
}

//! omdiscard: the deprecated action `~`. The rules stop the message there; the action itself does nothing.

use std::sync::Arc;

use super::{Failure, Lost, Output, OutputEnv, OutputKind, OutputWorker};
use crate::message::Msg;
use crate::param::{Args, Class, Module, Problem};

static MODULE: Module = Module {
    name: "omdiscard",
    class: Class::Output,
    builtin: true,
    summary: "Discards messages (deprecated: use the statement stop).",
    module_params: &[],
    params: &[],
    legacy_create: None,
    counters: &[],
    examples: &["mail.* ~"],
};

/// The omdiscard module.
pub static KIND: OutputKind = OutputKind { module: &MODULE, build };

fn build(_: &Args, _: &Args, _: &OutputEnv<'_>) -> Result<Arc<dyn Output>, Vec<Problem>> {
    Ok(Arc::new(Discard))
}

struct Discard;

impl Output for Discard {
    fn worker(self: Arc<Self>) -> Box<dyn OutputWorker> {
        Box::new(Self)
    }
}

impl OutputWorker for Discard {
    fn push(&mut self, _msg: &Msg<'_>, _lost: &mut Lost<'_>) -> Result<(), Failure> {
        Ok(())
    }
}

//! mmfields: the parts of MSG between separators become the variables `f1`, `f2` and so on.

use super::{Make, Modifier, ModifierEnv, ModifierKind, Subject, every_thread, text, variable};
use crate::actions::Failure;
use crate::message::json::Object;
use crate::message::{Json, Path, Scope};
use crate::param::{Args, Class, Kind, Module, Param, Problem};

static MODULE: Module = Module {
    name: "mmfields",
    class: Class::Modifier,
    builtin: false,
    summary: "Makes variables of the fields of a text.",
    module_params: &[],
    params: &[
        Param::new("separator", Kind::Char, Some(","), "What stands between two fields."),
        Param::new("jsonRoot", Kind::Str, Some("!"), "Variable that the fields become members of."),
    ],
    legacy_create: None,
    counters: &[],
    examples: &[r#"module(load="mmfields")
template(name="third" type="string" string="%$!fields!f3%\n")
action(type="mmfields" separator="|" jsonRoot="!fields")
action(type="omfile" file="/var/log/third" template="third")"#],
};

/// The mmfields module.
pub static KIND: ModifierKind = ModifierKind { module: &MODULE, build };

fn build(args: &Args, _: &ModifierEnv<'_>) -> Result<Make, Vec<Problem>> {
    let separator = args.str("separator").and_then(|text| text.first()).copied().unwrap_or(b',');
    Ok(every_thread(Fields { separator, root: variable(args, "jsonRoot", "mmfields")? }))
}

#[derive(Clone)]
struct Fields {
    separator: u8,
    root: (Scope, Path),
}

impl Modifier for Fields {
    fn modify(&mut self, subject: &mut Subject<'_, '_>) -> Result<(), Failure> {
        let msg = subject.msg.msg();
        let fields = msg.strip_suffix(&[self.separator]).unwrap_or(msg);
        let mut fields: Vec<&[u8]> = fields.split(|c| *c == self.separator).collect();
        if msg.is_empty() {
            fields.clear();
        }
        let member =
            |(i, field): (usize, &&[u8])| (format!("f{}", i + 1).into_bytes().into(), text(field));
        let object: Object = fields.iter().enumerate().map(member).collect();
        subject.assign(&self.root, Json::Object(object));
        Ok(())
    }
}

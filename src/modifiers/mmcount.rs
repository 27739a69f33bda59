//! mmcount: gives a message of an application its number among those of the same severity, or with the same value of
//! a variable.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Make, Modifier, ModifierEnv, ModifierKind, Subject, every_thread};
use crate::actions::Failure;
use crate::limits;
use crate::message::json::Style;
use crate::message::{Json, Path, Property, Scope};
use crate::param::{Args, Class, Kind, Module, Param, Problem};
use crate::sync::{Mutex, lock};

static MODULE: Module = Module {
    name: "mmcount",
    class: Class::Modifier,
    builtin: false,
    summary: "Counts the messages of an application.",
    module_params: &[],
    params: &[
        Param::new("appname", Kind::Word, None, "Application whose messages are counted."),
        Param::new(
            "key",
            Kind::Word,
            None,
            "Variable by whose values messages are counted; without it they are counted by severity.",
        ),
        Param::new("value", Kind::Word, None, "Only value of the variable that is counted."),
    ],
    legacy_create: None,
    counters: &[],
    examples: &[r#"module(load="mmcount")
action(type="mmcount" appname="app" key="!user")
if $!mmcount == 10 then action(type="omfile" file="/var/log/tenth")"#],
};

/// The mmcount module.
pub static KIND: ModifierKind = ModifierKind { module: &MODULE, build };

fn build(args: &Args, _: &ModifierEnv<'_>) -> Result<Make, Vec<Problem>> {
    let Some(application) = args.str("appname") else {
        let text = "mmcount: action requires a appname";
        return Err(vec![Problem::error(text).help("add appname=\"…\"")]);
    };
    let key = args.str("key").map(|name| {
        Path::parse(name).ok_or_else(|| {
            let text = "mmcount: key must be a variable: its name begins with '!', '.' or '/'";
            vec![Problem::error(text).at("key")]
        })
    });
    Ok(every_thread(Count {
        application: application.into(),
        key: key.transpose()?,
        value: args.str("value").map(Box::from),
        counts: Arc::default(),
        text: Vec::new(),
    }))
}

#[derive(Clone)]
struct Count {
    application: Box<[u8]>,
    key: Option<(Scope, Path)>,
    value: Option<Box<[u8]>>,
    /// By severity digit, or by value.
    counts: Arc<Mutex<HashMap<Box<[u8]>, i64>>>,
    text: Vec<u8>,
}

impl Modifier for Count {
    fn modify(&mut self, subject: &mut Subject<'_, '_>) -> Result<(), Failure> {
        let msg = subject.msg;
        if *msg.property(&Property::AppName, &mut self.text) != *self.application {
            return Ok(());
        }
        self.text.clear();
        if let Some((scope, path)) = &self.key {
            let text = &mut self.text;
            let found = subject.vars.with((*scope, path), &msg.env.globals, |node| {
                node.map(|node| node.append_to(Style::Spaced, text)).is_some()
            });
            let counted = self.value.as_ref().is_none_or(|value| **value == *self.text);
            if !found || !counted {
                return Ok(());
            }
        } else {
            self.text.push(b'0' + msg.severity());
        }
        if let Some(count) = self.next() {
            subject.assign(&(Scope::Message, Path::new(b"mmcount")), Json::Int(count));
        }
        Ok(())
    }
}

impl Count {
    /// The next number for what `text` says, if there is room to keep it.
    fn next(&self) -> Option<i64> {
        let mut counts = lock(&self.counts);
        if let Some(count) = counts.get_mut(&*self.text) {
            *count += 1;
            return Some(*count);
        }
        if counts.len() >= limits::COUNTED_VALUES {
            return None;
        }
        counts.insert(self.text.as_slice().into(), 1);
        if counts.len() == limits::COUNTED_VALUES {
            log::warn!(
                "mmcount: {} values are counted, messages with others are not",
                limits::COUNTED_VALUES
            );
        }
        Some(1)
    }
}

//! Functions about what is around: the process, the rules, chance.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use super::{Function, Kind, Otherwise, Returned, Run, Setup};

/// The functions of this file.
pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "getenv",
        args: 1..=1,
        doc: "The value of an environment variable, or nothing.",
        examples: &[("getenv('SLUICE_HAS_NO_SUCH_VARIABLE')", ""), ("getenv('a=b')", "")],
        kind: Kind::Plain(|call, out| {
            let found = call.text(0, |name| std::env::var_os(OsStr::from_bytes(name)));
            out.extend_from_slice(found.unwrap_or_default().as_bytes());
            Returned::Text
        }),
    },
    Function {
        name: "random",
        args: 1..=1,
        doc: "A random number from 0 to one less than the argument without its sign; 0 for no number and for 0.",
        examples: &[("random(1)", "0"), ("random(0)", "0"), ("random('x')", "0")],
        kind: Kind::Plain(|call, _| {
            let limit = match call.number(0) {
                (limit, true) => limit.unsigned_abs(),
                (_, false) => 0,
            };
            // Any part of the number is as random as another; dropping a bit keeps it positive.
            let number = call.scratch.random.next() >> 1;
            let number = number.checked_rem(limit).unwrap_or(0);
            Returned::Number(i64::try_from(number).unwrap_or(0))
        }),
    },
    Function {
        name: "script_error",
        args: 0..=0,
        doc: "1 if the last function that can fail has failed, else 0.",
        examples: &[("is_time('nope') & script_error()", "01"), ("script_error()", "0")],
        kind: Kind::Plain(|call, _| Returned::from(call.scratch.error)),
    },
    Function {
        name: "previous_action_suspended",
        args: 0..=0,
        doc: "Whether the last action did not take the message because it is suspended.",
        examples: &[("previous_action_suspended()", "0")],
        kind: Kind::Plain(|call, _| Returned::from(call.scratch.previous_suspended)),
    },
    Function {
        name: "exec_template",
        args: 1..=1,
        doc: "The text that a template makes of the message; its name must be a constant.",
        examples: &[("exec_template('example')", "")],
        kind: Kind::Prepare(exec_template, Otherwise::Number(0)),
    },
];

fn exec_template(setup: &Setup<'_>) -> Result<Run, String> {
    let name = setup.text(0).ok_or("exec_template(): param 1 must be a constant string")?;
    let template = (setup.environment.template)(name).ok_or_else(|| {
        let name = String::from_utf8_lossy(name);
        format!("exec_template(): template '{name}' could not be found")
    })?;
    Ok(Box::new(move |call, out| {
        if let Some(msg) = call.msg {
            template.render(&msg.with_vars(&call.scratch.vars), out);
        }
        Returned::Text
    }))
}

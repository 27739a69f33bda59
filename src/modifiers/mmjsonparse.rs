//! mmjsonparse: JSON in the message becomes variables. Either behind a cookie at its start (`@cee:`), and nothing but
//! JSON then, or the first object found anywhere. Where there is none, the text becomes the variable `msg`.

use std::sync::Arc;

use super::{Make, Modifier, ModifierEnv, ModifierKind, Subject, every_thread, variable};
use crate::actions::Failure;
use crate::message::json::{self, Case, Object};
use crate::message::{Json, Path, Scope};
use crate::param::{Args, Class, Kind, Module, Param, Problem};
use crate::stats::{self, Counter};

static MODULE: Module = Module {
    name: "mmjsonparse",
    class: Class::Modifier,
    builtin: false,
    summary: "Makes variables of JSON in the message.",
    module_params: &[],
    params: &[
        Param::new(
            "cookie",
            Kind::Str,
            Some("@cee:"),
            "What stands before the JSON, behind white space.",
        ),
        Param::new(
            "container",
            Kind::Str,
            Some("$!"),
            "Variable that the JSON object is merged into.",
        ),
        Param::new(
            "useRawMsg",
            Kind::Bool,
            Some("off"),
            "Look at the complete message, not at its text only.",
        ),
        Param::new(
            "mode",
            Kind::Str,
            Some("cookie"),
            "With cookie, the message is the cookie and JSON; with find-json, the first object in it is taken.",
        ),
        Param::new(
            "max_scan_bytes",
            Kind::POSITIVE,
            Some("65536"),
            "Bytes of the message in which find-json looks for an object.",
        ),
        Param::new(
            "allow_trailing",
            Kind::Bool,
            Some("on"),
            "With find-json, other text than white space may follow the object.",
        ),
    ],
    legacy_create: None,
    counters: &[
        ("scan.attempted", "Messages in which find-json looked for an object."),
        ("scan.found", "Messages in which it found one."),
        ("scan.failed", "Messages whose object could not become a variable."),
        ("scan.truncated", "Messages in which it found none, or none within max_scan_bytes."),
    ],
    examples: &[
        r#"module(load="mmjsonparse")
action(type="mmjsonparse")
if $parsesuccess == "OK" then action(type="omfile" file="/var/log/structured")"#,
        r#"module(load="mmjsonparse")
action(type="mmjsonparse" mode="find-json" container="$!found" max_scan_bytes="4096")
action(type="omfile" file="/var/log/all")"#,
    ],
};

/// The mmjsonparse module.
pub static KIND: ModifierKind = ModifierKind { module: &MODULE, build };

fn build(args: &Args, env: &ModifierEnv<'_>) -> Result<Make, Vec<Problem>> {
    let find = match args.str("mode").unwrap_or_default() {
        b"cookie" => false,
        b"find-json" => true,
        other => {
            let other = String::from_utf8_lossy(other);
            let text =
                format!("mmjsonparse: invalid mode '{other}', must be 'cookie' or 'find-json'");
            return Err(vec![Problem::error(text).at("mode").code(2425)]);
        }
    };
    let container = variable(args, "container", "mmjsonparse")?;
    let mut object = stats::Object::new("mmjsonparse", "mmjsonparse");
    let counters = Counters {
        attempted: object.counter("scan.attempted"),
        found: object.counter("scan.found"),
        failed: object.counter("scan.failed"),
        truncated: object.counter("scan.truncated"),
    };
    env.stats.add(object);
    Ok(every_thread(JsonParse {
        cookie: args.str("cookie").unwrap_or_default().into(),
        container,
        whole: args.bool("useRawMsg"),
        find,
        scan_bytes: args.count("max_scan_bytes").unwrap_or(usize::MAX),
        allow_trailing: args.bool("allow_trailing"),
        counters,
    }))
}

#[derive(Clone)]
struct JsonParse {
    cookie: Box<[u8]>,
    container: (Scope, Path),
    whole: bool,
    find: bool,
    scan_bytes: usize,
    allow_trailing: bool,
    counters: Counters,
}

#[derive(Clone)]
struct Counters {
    attempted: Arc<Counter>,
    found: Arc<Counter>,
    failed: Arc<Counter>,
    truncated: Arc<Counter>,
}

impl Modifier for JsonParse {
    fn modify(&mut self, subject: &mut Subject<'_, '_>) -> Result<(), Failure> {
        let text = if self.whole { subject.msg.raw() } else { subject.msg.msg() };
        let found = if self.find {
            self.search(text, subject.case()).ok_or(text)
        } else {
            self.behind_cookie(text, subject.case())
        };
        let parsed = found.is_ok();
        subject.change.set_parsed(parsed);
        let object = found.unwrap_or_else(|text| {
            let member = (b"msg".as_slice().into(), super::text(text));
            Json::Object([member].into_iter().collect::<Object>())
        });
        let taken = subject.assign(&self.container, object);
        if parsed && self.find && !taken {
            self.counters.failed.add(1);
            subject.change.set_parsed(false);
        }
        Ok(())
    }
}

impl JsonParse {
    /// The object behind the cookie; else the text from where it was looked for.
    fn behind_cookie<'t>(&self, text: &'t [u8], case: Case) -> Result<Json, &'t [u8]> {
        let blanks = text.iter().take_while(|c| is_space(**c)).count();
        let text = text.get(blanks..).unwrap_or_default();
        let json = text.strip_prefix(&*self.cookie).filter(|_| !text.is_empty()).ok_or(text)?;
        let parsed = json::parse(json, case);
        match parsed.value {
            Some(object @ Json::Object(_)) if parsed.end == json.len() => Ok(object),
            _ => Err(json),
        }
    }

    /// The first object that is complete within the bytes to be searched.
    fn search(&self, text: &[u8], case: Case) -> Option<Json> {
        self.counters.attempted.add(1);
        let window = text.get(..self.scan_bytes).unwrap_or(text);
        for start in memchr::memchr_iter(b'{', window) {
            let parsed = json::parse(window.get(start..).unwrap_or_default(), case);
            let Some(object @ Json::Object(_)) = parsed.value else { continue };
            self.counters.found.add(1);
            let behind = text.get(start + parsed.end..).unwrap_or_default();
            let alone = behind.iter().all(|c| is_space(*c));
            return (self.allow_trailing || alone).then_some(object);
        }
        // As the reference counts: what ends in a brace may be cut off, too.
        if window.len() < text.len() || window.last().is_none_or(|c| *c == b'{') {
            self.counters.truncated.add(1);
        }
        None
    }
}

/// C's `isspace`.
fn is_space(c: u8) -> bool {
    matches!(c, b' ' | b'\t'..=b'\r')
}

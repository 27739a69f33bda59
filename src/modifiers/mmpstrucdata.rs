//! mmpstrucdata: RFC 5424 STRUCTURED-DATA becomes variables.

use super::{Make, Modifier, ModifierEnv, ModifierKind, Subject, every_thread, text, variable};
use crate::actions::Failure;
use crate::message::json::{Case, Object};
use crate::message::{Json, Path, Scope};
use crate::param::{Args, Class, Kind, Module, Param, Problem};

static MODULE: Module = Module {
    name: "mmpstrucdata",
    class: Class::Modifier,
    builtin: false,
    summary: "Makes variables of structured data.",
    module_params: &[],
    params: &[
        Param::new(
            "jsonRoot",
            Kind::Str,
            Some("$!"),
            "Variable that the container is a member of.",
        ),
        Param::new(
            "container",
            Kind::Str,
            Some("rfc5424-sd"),
            "Member whose members are the elements of the structured data.",
        ),
        Param::new(
            "maxStructuredDataSize",
            Kind::Size { min: 0, max: u64::MAX },
            None,
            "Bytes of structured data above which it is not looked at; maxMessageSize by default.",
        ),
        Param::new("sd_name.lowercase", Kind::Bool, Some("on"), "Write names in lower case."),
    ],
    legacy_create: None,
    counters: &[],
    examples: &[r#"module(load="mmpstrucdata")
template(name="sd" type="string" string="%$!rfc5424-sd%\n")
action(type="mmpstrucdata")
action(type="omfile" file="/var/log/sd" template="sd")"#],
};

/// The mmpstrucdata module.
pub static KIND: ModifierKind = ModifierKind { module: &MODULE, build };

fn build(args: &Args, env: &ModifierEnv<'_>) -> Result<Make, Vec<Problem>> {
    let root = variable(args, "jsonRoot", "mmpstrucdata")?;
    let container = args.str("container").unwrap_or_default();
    if container.is_empty() {
        let text = "mmpstrucdata: invalid empty container name";
        return Err(vec![Problem::error(text).at("container")]);
    }
    let limit = match args.size("maxStructuredDataSize") {
        None => env.message_bytes,
        Some(size @ 1..=0x7fff_ffff) => usize::try_from(size).unwrap_or(usize::MAX),
        Some(size) => {
            let text = match size {
                0 => "mmpstrucdata: maxStructuredDataSize must be greater than zero",
                _ => "mmpstrucdata: maxStructuredDataSize must not exceed INT_MAX",
            };
            return Err(vec![Problem::error(text).at("maxStructuredDataSize")]);
        }
    };
    let lower_case = args.bool("sd_name.lowercase");
    Ok(every_thread(StructuredData { root, container: container.into(), limit, lower_case }))
}

#[derive(Clone)]
struct StructuredData {
    root: (Scope, Path),
    container: Box<[u8]>,
    limit: usize,
    lower_case: bool,
}

impl Modifier for StructuredData {
    fn modify(&mut self, subject: &mut Subject<'_, '_>) -> Result<(), Failure> {
        let record = subject.msg.record;
        if record.sd.start == 0 {
            return Ok(());
        }
        let text = subject.msg.field(record.sd);
        let elements = if text == b"-" {
            Json::Null
        } else if text.len() > self.limit {
            log::error!(
                code = 2445;
                "mmpstrucdata: structured data size {} exceeds maxStructuredDataSize {} - not parsing",
                text.len(), self.limit
            );
            return Ok(());
        } else {
            let mut parser = Parser { text, at: 0, lower_case: self.lower_case };
            let Some(object) = parser.elements(subject.case()) else { return Ok(()) };
            Json::Object(object)
        };
        let member = (self.container.clone(), elements);
        subject.assign(&self.root, Json::Object([member].into_iter().collect()));
        Ok(())
    }
}

/// Reads `[name name="value" …]…`.
struct Parser<'t> {
    text: &'t [u8],
    at: usize,
    lower_case: bool,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn elements(&mut self, case: Case) -> Option<Object> {
        let mut elements = Object::default();
        while self.at < self.text.len() {
            self.take(b'[')?;
            let name = self.name();
            let mut params = Object::default();
            while self.peek()? != b']' {
                self.take(b' ')?;
                while self.peek() == Some(b' ') {
                    self.at += 1;
                }
                let name = self.name();
                self.take(b'=')?;
                self.take(b'"')?;
                let value = self.value()?;
                params.set(&name, text(&value), case);
            }
            self.at += 1;
            elements.set(&name, Json::Object(params), case);
        }
        Some(elements)
    }

    fn name(&mut self) -> Vec<u8> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let inside = |c: &&u8| !matches!(c, b'=' | b'"' | b']' | b' ');
        let mut name: Vec<u8> = rest.iter().take(NAME_BYTES).take_while(inside).copied().collect();
        self.at += name.len();
        if self.lower_case {
            name.make_ascii_lowercase();
        }
        name
    }

    /// The rest of a quoted value. A backslash before another byte than `"`, `]` and itself stays.
    fn value(&mut self) -> Option<Vec<u8>> {
        let mut value = Vec::new();
        loop {
            let byte = self.peek()?;
            self.at += 1;
            match (byte, self.peek()) {
                (b'"', _) => return Some(value),
                (b'\\', Some(next)) => {
                    if !matches!(next, b'"' | b'\\' | b']') {
                        value.push(b'\\');
                    }
                    value.push(next);
                    self.at += 1;
                }
                _ => value.push(byte),
            }
        }
    }
}

/// Longest name in RFC 5424; a longer one makes the structured data invalid.
const NAME_BYTES: usize = 32;

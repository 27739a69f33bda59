//! mmutf8fix: replaces bytes that are no valid UTF-8, or all that are not printable ASCII, in MSG, TAG and
//! STRUCTURED-DATA.

use super::{Make, Modifier, ModifierEnv, ModifierKind, Subject, every_thread};
use crate::actions::Failure;
use crate::message::{Part, Property};
use crate::param::{Args, Class, Kind, Module, Param, Problem};
use crate::parsers;

static MODULE: Module = Module {
    name: "mmutf8fix",
    class: Class::Modifier,
    builtin: false,
    summary: "Replaces invalid UTF-8 in messages.",
    module_params: &[],
    params: &[
        Param::new(
            "mode",
            Kind::Word,
            Some("utf-8"),
            "With utf-8, invalid sequences are replaced; with controlcharacters, all but printable ASCII.",
        ),
        Param::new(
            "replacementChar",
            Kind::Char,
            None,
            "What stands in for each replaced byte; a blank by default.",
        ),
        Param::new(
            "replacementSequence",
            Kind::Str,
            None,
            "The same where it is more than one byte, for example the replacement character of Unicode.",
        ),
    ],
    legacy_create: None,
    counters: &[],
    examples: &[
        r#"module(load="mmutf8fix")
action(type="mmutf8fix")
action(type="omfile" file="/var/log/all")"#,
        r#"module(load="mmutf8fix")
action(type="mmutf8fix" mode="controlcharacters" replacementChar="?")
action(type="omfile" file="/var/log/all")"#,
    ],
};

/// The mmutf8fix module.
pub static KIND: ModifierKind = ModifierKind { module: &MODULE, build };

fn build(args: &Args, env: &ModifierEnv<'_>) -> Result<Make, Vec<Problem>> {
    let ascii_only = match args.str("mode").unwrap_or_default() {
        b"utf-8" => false,
        b"controlcharacters" => true,
        other => {
            let other = String::from_utf8_lossy(other);
            let text = format!("mmutf8fix: invalid mode '{other}' - ignored");
            (env.report)(Problem::error(text).at("mode").code(2311));
            false
        }
    };
    let wrong = |text| Err(vec![Problem::error(text).at("replacementSequence").code(2046)]);
    let replacement = match (args.str("replacementChar"), args.str("replacementSequence")) {
        (_, Some(b"")) => return wrong("mmutf8fix: replacementSequence must not be empty"),
        (Some(_), Some(_)) => {
            return wrong(
                "mmutf8fix: replacementChar and replacementSequence are mutually exclusive",
            );
        }
        (one, sequence) => one.or(sequence).unwrap_or(b" "),
    };
    Ok(every_thread(Utf8Fix {
        ascii_only,
        replacement: replacement.into(),
        slash_in_program_name: env.slash_in_program_name,
        fixed: Vec::new(),
        tag: Vec::new(),
    }))
}

#[derive(Clone)]
struct Utf8Fix {
    ascii_only: bool,
    replacement: Box<[u8]>,
    slash_in_program_name: bool,
    fixed: Vec<u8>,
    tag: Vec<u8>,
}

impl Modifier for Utf8Fix {
    fn modify(&mut self, subject: &mut Subject<'_, '_>) -> Result<(), Failure> {
        let (msg, change) = (subject.msg, &mut *subject.change);
        if self.fix(msg.msg()) {
            change.set(Part::Msg, |out| out.extend_from_slice(&self.fixed));
        }
        let mut tag = std::mem::take(&mut self.tag);
        if self.fix(msg.property(&Property::SyslogTag, &mut tag)) {
            let program = parsers::program_len(&self.fixed, self.slash_in_program_name);
            change.set(Part::Tag(program), |out| out.extend_from_slice(&self.fixed));
        }
        self.tag = tag;
        if msg.record.sd.start != 0 && self.fix(msg.field(msg.record.sd)) {
            change.set(Part::StructuredData, |out| out.extend_from_slice(&self.fixed));
        }
        Ok(())
    }
}

impl Utf8Fix {
    /// Writes the text to `fixed` if there is something to replace.
    fn fix(&mut self, mut text: &[u8]) -> bool {
        let Self { ascii_only, replacement, fixed, .. } = self;
        fixed.clear();
        let mut changed = false;
        while !text.is_empty() {
            let good = if *ascii_only { printable(text) } else { valid(text) };
            let (good, rest) = text.split_at(good);
            fixed.extend_from_slice(good);
            let bad = if *ascii_only { rest.len().min(1) } else { invalid(rest) };
            (0..bad).for_each(|_| fixed.extend_from_slice(replacement));
            changed |= bad > 0;
            text = rest.get(bad..).unwrap_or_default();
        }
        changed
    }
}

/// Length of the printable ASCII that a text begins with.
fn printable(text: &[u8]) -> usize {
    text.iter().take_while(|c| matches!(c, b' '..=b'~')).count()
}

/// Length of the valid UTF-8 that a text begins with.
fn valid(text: &[u8]) -> usize {
    match std::str::from_utf8(text) {
        Ok(text) => text.len(),
        Err(error) => error.valid_up_to(),
    }
}

/// Length of the invalid sequence that a text begins with, as the reference sees it: what its first byte announces, as
/// far as it goes on with continuation bytes.
fn invalid(text: &[u8]) -> usize {
    let Some((first, rest)) = text.split_first() else { return 0 };
    let more = match first {
        0xc0..=0xdf => 1,
        0xe0..=0xef => 2,
        0xf0..=0xf7 => 3,
        _ => 0,
    };
    1 + rest.iter().take(more).take_while(|c| **c & 0xc0 == 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(ascii_only: bool, text: &[u8]) -> String {
        let mut fix = Utf8Fix {
            ascii_only,
            replacement: b"??".as_slice().into(),
            slash_in_program_name: false,
            fixed: Vec::new(),
            tag: Vec::new(),
        };
        let changed = fix.fix(text);
        assert_eq!(changed, fix.fixed != text);
        String::from_utf8(fix.fixed).expect("it is fixed")
    }

    #[test]
    fn each_byte_of_an_invalid_sequence_is_replaced() {
        let table: [(&[u8], &str); 9] = [
            ("aä€😀".as_bytes(), "aä€😀"),
            (b"a\x80b\xffc", "a??b??c"),
            (b"\xc3", "??"),
            (b"\xc3a", "??a"),
            (b"\xe2\x82a\xe2\x82", "????a????"),
            (b"\xc0\xaf", "????"),
            (b"\xed\xa0\x80", "??????"),
            (b"\xf4\x90\x80\x80", "????????"),
            (b"\xf8\x88\x80", "??????"),
        ];
        for (text, want) in table {
            assert_eq!(fixed(false, text), want, "{text:?}");
        }
        assert_eq!(fixed(true, "a\tä~\x7f".as_bytes()), "a??????~??");
    }

    proptest::proptest! {
        #[test]
        fn what_comes_out_is_valid(text: Vec<u8>) {
            fixed(false, &text);
            fixed(true, &text);
        }
    }
}

//! fmpcre: regular expressions as Perl has them. PCRE2 does the work; the reference has its predecessor, whose expressions
//! mean the same there.

use pcre2::bytes::{Regex, RegexBuilder};

use super::{Function, Kind, Otherwise, Returned, Run, Setup};
use crate::param::{Class, Module};

/// The module that this function comes with.
pub(super) static MODULE: Module = Module {
    name: "fmpcre",
    class: Class::Function,
    builtin: false,
    summary: "The function pcre_match().",
    module_params: &[],
    params: &[],
    legacy_create: None,
    counters: &[],
    examples: &[r#"module(load="fmpcre")
if pcre_match($msg, "(?i)user=(?!root)\\w+") then action(type="omfile" file="/var/log/users")"#],
};

/// The functions of this file.
pub(super) static FUNCTIONS: &[Function] = &[Function {
    name: "pcre_match",
    args: 2..=2,
    doc: "Whether an expression as Perl has them matches a text. It must be a constant; bytes are compared, not UTF-8. One that \
          takes too long (ten million steps) does not match.",
    examples: &[
        ("pcre_match('Error 17', '(?i)error \\\\d+')", "1"),
        ("pcre_match('user=root', 'user=(?!root)')", "0"),
        ("pcre_match('abab', '^(ab)\\\\1$')", "1"),
        ("pcre_match('ü', '^..$')", "1"),
    ],
    kind: Kind::Prepare(pcre_match, Otherwise::Number(0)),
}];

/// Bytes of the stack that a match may use.
const STACK_BYTES_MAX: usize = 1 << 20;

fn pcre_match(setup: &Setup<'_>) -> Result<Run, String> {
    let pattern = setup.text(1).ok_or("param 2 of pcre_match() must be a constant string")?;
    let regex = compile(up_to_nul(pattern))?;
    Ok(Box::new(move |call, _| {
        Returned::from(call.text(0, |text| regex.is_match(up_to_nul(text)).unwrap_or(false)))
    }))
}

fn compile(pattern: &[u8]) -> Result<Regex, String> {
    RegexBuilder::new()
        .jit_if_available(true)
        .max_jit_stack_size(Some(STACK_BYTES_MAX))
        .build(&spelled(pattern))
        .map_err(|why| {
            let why = why.to_string();
            let why = why.strip_prefix("PCRE2: error compiling pattern ").unwrap_or(&why);
            format!("pcre compilation failed {why}")
        })
}

/// The pattern as text: what is no UTF-8 byte by byte.
fn spelled(pattern: &[u8]) -> String {
    let mut text = String::with_capacity(pattern.len());
    for chunk in pattern.utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

/// Texts of the reference end at their first NUL.
fn up_to_nul(text: &[u8]) -> &[u8] {
    memchr::memchr(0, text).map_or(text, |nul| &text[..nul])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_any_bytes() {
        assert!(compile(b"^\xff[\xfe]$").unwrap().is_match(b"\xff\xfe").unwrap());
        let why = compile(b"a(b").unwrap_err();
        assert!(why.starts_with("pcre compilation failed at offset 3: "), "{why}");
    }

    #[test]
    fn an_expression_without_end_does_not_match() {
        let regex = compile(b"^(a+)+$").unwrap();
        let text = [b"a".repeat(40), b"b".to_vec()].concat();
        assert!(!regex.is_match(&text).unwrap_or(false));
    }
}

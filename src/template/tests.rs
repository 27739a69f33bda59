//! What templates make of messages. Expectations were taken from rsyslogd, or from `spec/` where it decides.

use super::*;
use crate::message::sample::Sample;

fn compile(text: &str, legacy: bool, options: Options) -> (Option<Template>, Vec<String>) {
    let content = Content::String { text: text.as_bytes(), legacy };
    let mut problems = Vec::new();
    let template = Template::compile("t", &content, options, &mut problems);
    (template, problems.into_iter().map(|problem| problem.text).collect())
}

fn render(template: &Template, sample: &Sample) -> String {
    let mut out = b"before|".to_vec();
    template.render(&sample.msg(), &mut out);
    let text = out.strip_prefix(b"before|").expect("only appends");
    text.escape_ascii().to_string().replace("\\\"", "\"").replace("\\'", "'").replace("\\\\", "\\")
}

fn string(text: &str, sample: &Sample) -> String {
    let (template, problems) = compile(text, false, Options::default());
    assert_eq!(problems, Vec::<String>::new(), "{text}");
    render(&template.expect("compiles"), sample)
}

/// The message of `spec/config-language.md` section 19.
fn vector() -> Sample {
    Sample::rfc3164(35, "Jan  5 03:04:05", "host", "a/../b[1]:", "a", b" x:12 \"q\"  z/y")
}

#[test]
fn built_in_templates() {
    let sample = vector();
    let text = |name: &str| render(&builtin(name.as_bytes()).expect(name), &sample);
    for name in BUILTIN_NAMES {
        assert_ne!(text(name), "", "{name}");
    }
    assert!(builtin(b"rsyslog_fileformat").is_none());
    assert_eq!(
        text("RSYSLOG_TraditionalFileFormat"),
        r#"Jan  5 03:04:05 host a/../b[1]: x:12 "q"  z/y\n"#
    );
    assert_eq!(
        text("RSYSLOG_FileFormat"),
        r#"2026-01-05T03:04:05+00:00 host a/../b[1]: x:12 "q"  z/y\n"#
    );
}

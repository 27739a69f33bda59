//! Policy files: YAML, as `ratelimit(policy=… perSourcePolicy=…)` names them.
//!
//! ```yaml
//! scope: input            # or output, which takes mode (drop, pace), interval and burst only
//! interval: 60
//! burst: 1000
//! severity: info
//! perSource:
//!   enabled: on
//!   keyTemplate: RSYSLOG_PerSourceKey
//!   maxStates: 10000
//!   topN: 10
//!   default: {max: 100, window: 10s}
//!   overrides:
//!     - {key: loud.example, max: 1000, window: 1m}
//! ```
//! A file for `perSourcePolicy` has `default` and `overrides` at the top. Unknown keys are ignored, as in the
//! reference; a value that makes no sense costs the file.

use std::path::Path;
use std::time::Duration;

use super::policy::{Mode, Scope};
use super::sources::{Allowance, Rules};
use crate::limits;
use crate::message::property::SEVERITIES;
use crate::param::yaml::{Kind, Node, Wrong};
use crate::sys::files;

/// What a file says; `None` where it says nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PolicyFile {
    /// `scope`.
    pub scope: Option<Scope>,
    /// `mode`.
    pub mode: Option<Mode>,
    /// `interval`, seconds.
    pub interval: Option<u32>,
    /// `burst`.
    pub burst: Option<u32>,
    /// `severity`.
    pub severity: Option<i32>,
    /// `perSource`.
    pub sources: Option<SourcesFile>,
}

/// The section `perSource`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SourcesFile {
    /// `enabled`.
    pub enabled: bool,
    /// `keyTemplate`.
    pub template: Option<String>,
    /// `maxStates`; 0 is the default.
    pub max_states: u32,
    /// `topN`; 0 is the default.
    pub top: u32,
    /// `default` and `overrides`.
    pub rules: Rules,
}

/// Reads the file of `policy=`.
///
/// # Errors
/// What is wrong with it, in the reference's words.
pub fn policy(path: &Path) -> Result<PolicyFile, String> {
    let shown = path.display();
    parse_policy(&read(path, "policy file")?, &shown.to_string())
}

/// Reads the file of `perSourcePolicy=`.
///
/// # Errors
/// What is wrong with it, in the reference's words.
pub fn source_rules(path: &Path) -> Result<Rules, String> {
    let shown = path.display().to_string();
    let tree = tree(&read(path, "per-source policy file")?, &shown)?;
    let missing =
        format!("ratelimit: per-source policy file {shown} missing default.max or default.window");
    rules(&tree, "", &shown)?.ok_or(missing)
}

fn read(path: &Path, what: &str) -> Result<String, String> {
    let failed = |why| format!("ratelimit: error opening {what} {}: {why}", path.display());
    let bytes = files::read(path, limits::POLICY_BYTES).map_err(failed)?;
    String::from_utf8(bytes)
        .map_err(|why| format!("ratelimit: {what} {} is not UTF-8: {why}", path.display()))
}

fn parse_policy(text: &str, shown: &str) -> Result<PolicyFile, String> {
    let tree = tree(text, shown)?;
    let invalid =
        |what: &str, value: &str| format!("ratelimit: invalid {what} value '{value}' in {shown}");
    let field = |name: &str| tree.text_of(name);
    let number = |name: &str| {
        let parse = |value| number(value).ok_or_else(|| invalid(name, value));
        field(name).map(parse).transpose()
    };
    let parse = |value| Scope::parse(value).ok_or_else(|| invalid("scope", value));
    let scope = field("scope").map(parse).transpose()?;
    let parse = |value| Mode::parse(value).ok_or_else(|| invalid("mode", value));
    let mode = field("mode").map(parse).transpose()?;
    let parse = |value| severity(value).ok_or_else(|| invalid("severity", value));
    let severity = field("severity").map(parse).transpose()?;
    let sources = tree.get("perSource").map(|section| sources(section, shown)).transpose()?;
    let (interval, burst) = (number("interval")?, number("burst")?);
    Ok(PolicyFile { scope, mode, interval, burst, severity, sources })
}

fn sources(section: &Node, shown: &str) -> Result<SourcesFile, String> {
    let invalid = |what: &str, value: &str| {
        format!("ratelimit: invalid perSource.{what} value '{value}' in {shown}")
    };
    let number = |name: &str| {
        let parse = |value| number(value).ok_or_else(|| invalid(name, value));
        section.text_of(name).map_or(Ok(0), parse)
    };
    let parse = |value: &str| switch(value).ok_or_else(|| invalid("enabled", value));
    let enabled = section.text_of("enabled").map_or(Ok(true), parse)?;
    let rules = match rules(section, "perSource ", shown)? {
        Some(rules) => rules,
        None if !enabled => Rules::default(),
        None => {
            return Err(format!(
                "ratelimit: policy file {shown} perSource section missing default.max or default.window"
            ));
        }
    };
    let template = section.text_of("keyTemplate").map(str::to_owned);
    Ok(SourcesFile {
        enabled,
        template,
        max_states: number("maxStates")?,
        top: number("topN")?,
        rules,
    })
}

/// `default` and `overrides`; `None` where the default is not complete.
fn rules(section: &Node, prefix: &str, shown: &str) -> Result<Option<Rules>, String> {
    let dotted = prefix.trim_end().to_owned() + if prefix.is_empty() { "" } else { "." };
    let max = |node: &Node, place: &str| {
        let invalid = |value| format!("ratelimit: invalid {place}.max value '{value}' in {shown}");
        node.text_of("max").map(|value| number(value).ok_or_else(|| invalid(value))).transpose()
    };
    let window = |node: &Node, place: &str| {
        let invalid =
            |value| format!("ratelimit: invalid {place}.window value '{value}' in {shown}");
        node.text_of("window").map(|value| seconds(value).ok_or_else(|| invalid(value))).transpose()
    };
    let mut complete = None;
    if let Some(default) = section.get("default") {
        let place = format!("{dotted}default");
        if let (Some(max), Some(window)) = (max(default, &place)?, window(default, &place)?) {
            complete = Some(Allowance { max, window });
        }
    }
    let mut rules = Rules { default: complete.unwrap_or_default(), ..Rules::default() };
    let Some(items) = section.get("overrides").and_then(Node::items) else {
        return Ok(complete.map(|_| rules));
    };
    if items.len() > limits::POLICY_OVERRIDES {
        let what = if prefix.is_empty() { "overrides" } else { "per-source overrides" };
        let most = limits::POLICY_OVERRIDES;
        return Err(format!("ratelimit: too many {what} in {shown} (max {most})"));
    }
    for item in items {
        let Some(key) = item.text_of("key") else {
            return Err(format!("ratelimit: per-source override missing key in {shown}"));
        };
        let place = format!("{prefix}override");
        let allowance = Allowance {
            max: max(item, &place)?.unwrap_or(rules.default.max),
            window: window(item, &place)?.unwrap_or(rules.default.window),
        };
        rules.overrides.insert(key.as_bytes().into(), allowance);
    }
    Ok(complete.map(|_| rules))
}

/// What the file holds; an empty one holds nothing, as an empty mapping.
fn tree(text: &str, shown: &str) -> Result<Node, String> {
    let tree = Node::parse(text, limits::POLICY_DEPTH).map_err(|wrong| match wrong {
        Wrong::Syntax(why) => {
            format!("ratelimit: yaml parser error in policy file {shown}: {why}")
        }
        Wrong::TooDeep(_) => format!("ratelimit: yaml nesting too deep in {shown}"),
    })?;
    Ok(tree.unwrap_or(Node { line: 1, kind: Kind::Map(Vec::new()) }))
}

fn number(text: &str) -> Option<u32> {
    text.trim_start().trim_start_matches('+').parse().ok()
}

fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "on" | "yes" | "true" | "1" => Some(true),
        "off" | "no" | "false" | "0" => Some(false),
        _ => None,
    }
}

/// A severity's number or name; −1 is none.
fn severity(text: &str) -> Option<i32> {
    let text = text.trim_start();
    match text.parse::<i32>() {
        Ok(number) => Some(number).filter(|number| (-1..=127).contains(number)),
        Err(_) => {
            let name = match text.to_ascii_lowercase().as_str() {
                "panic" => "emerg".to_owned(),
                "error" => "err".to_owned(),
                "warn" => "warning".to_owned(),
                other => other.to_owned(),
            };
            (0..).zip(SEVERITIES).find(|(_, known)| *known == name).map(|(number, _)| number)
        }
    }
}

/// A time such as `10`, `10s`, `5m`, `500ms`.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    milliseconds(text).map(|msec| Duration::from_millis(msec.into()))
}

fn milliseconds(text: &str) -> Option<u32> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let factor: u32 = match unit.trim_start() {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<u32>().ok()?.checked_mul(factor)
}

/// The same in whole seconds.
fn seconds(text: &str) -> Option<u32> {
    milliseconds(text).filter(|ms| ms % 1000 == 0).map(|ms| ms / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy() {
        let text = "scope: input\ninterval: 60\nburst: 5\nseverity: info\nunknown: {a: [1]}\nperSource:\n  \
                    maxStates: 7\n  topN: 3\n  keyTemplate: k\n  default: {max: 2, window: 1m}\n  overrides:\n    \
                    - key: a\n      max: 9\n    - {key: b, window: 5s}\n";
        let found = parse_policy(text, "f").unwrap();
        assert_eq!((found.scope, found.mode), (Some(Scope::Input), None));
        assert_eq!((found.interval, found.burst, found.severity), (Some(60), Some(5), Some(6)));
        let sources = found.sources.unwrap();
        assert!(sources.enabled);
        assert_eq!((sources.max_states, sources.top), (7, 3));
        assert_eq!(sources.template.as_deref(), Some("k"));
        let Rules { default, overrides } = sources.rules;
        assert_eq!(default, Allowance { max: 2, window: 60 });
        assert_eq!(overrides[b"a".as_slice()], Allowance { max: 9, window: 60 });
        assert_eq!(overrides[b"b".as_slice()], Allowance { max: 2, window: 5 });
    }

    #[test]
    fn mistakes_are_named() {
        let cases = [
            ("scope: here", "ratelimit: invalid scope value 'here' in f"),
            ("mode: stop", "ratelimit: invalid mode value 'stop' in f"),
            ("burst: -1", "ratelimit: invalid burst value '-1' in f"),
            ("interval: 1x", "ratelimit: invalid interval value '1x' in f"),
            ("severity: loud", "ratelimit: invalid severity value 'loud' in f"),
            ("severity: 128", "ratelimit: invalid severity value '128' in f"),
            (
                "perSource: {default: {max: 1}}",
                "ratelimit: policy file f perSource section missing default.max or default.window",
            ),
            (
                "perSource: {default: {max: 1, window: 100ms}}",
                "ratelimit: invalid perSource.default.window value '100ms' in f",
            ),
            (
                "perSource: {default: {max: 1, window: 1}, overrides: [{max: 1}]}",
                "ratelimit: per-source override missing key in f",
            ),
            ("perSource: {enabled: x}", "ratelimit: invalid perSource.enabled value 'x' in f"),
            (
                "a: &x 1\nb: *x",
                "ratelimit: yaml parser error in policy file f: aliases are not supported (line 2 col 4)",
            ),
            (
                "burst: 1\n---\nburst: 2\n",
                "ratelimit: yaml parser error in policy file f: a second document is not supported (line 2 col 1)",
            ),
            ("a: [[[[[[[[[1]]]]]]]]]", "ratelimit: yaml nesting too deep in f"),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_policy(text, "f").unwrap_err(), expected, "{text}");
        }
        let why = parse_policy("a: [1", "f").unwrap_err();
        assert!(why.starts_with("ratelimit: yaml parser error in policy file f: "), "{why}");
        assert_eq!(parse_policy("", "f"), Ok(PolicyFile::default()));
    }

    #[test]
    fn more_overrides_than_permitted_cost_the_file() {
        let item = "{key: a, max: 1},";
        let text = format!(
            "perSource: {{default: {{max: 1, window: 1}}, overrides: [{}]}}",
            item.repeat(limits::POLICY_OVERRIDES + 1)
        );
        let why = parse_policy(&text, "f").unwrap_err();
        assert_eq!(why, "ratelimit: too many per-source overrides in f (max 10000)");
    }

    #[test]
    fn times() {
        let cases = [
            ("5", Some(5000)),
            (" 5 s", Some(5000)),
            ("500ms", Some(500)),
            ("2m", Some(120_000)),
            ("1h", Some(3_600_000)),
            ("-1", None),
            ("5d", None),
            ("", None),
            ("5000000000", None),
            ("1194h", None),
        ];
        for (text, expected) in cases {
            assert_eq!(milliseconds(text), expected, "{text}");
        }
    }
}

//! Translations: their form, and that they say the same.

use super::super::tests::{CATALOGUE, Memory};
use super::super::{Diagnostics, load, read_tree};
use super::*;

fn memory(name: &str, text: &[u8]) -> Memory {
    let mut memory = Memory::default();
    memory.files.insert(name.into(), text.to_vec());
    memory
}

fn translated(name: &str, text: &[u8], format: Format) -> (String, Vec<String>) {
    let mut diagnostics = Diagnostics::default();
    let tree = read_tree(name, &memory(name, text), &mut diagnostics);
    assert!(!diagnostics.has_errors(), "{}", diagnostics.render());
    let (text, problems) = translate(&tree, format);
    let text = String::from_utf8(text).expect("UTF-8");
    (text, problems.into_iter().map(|(_, why)| why).collect())
}

const SCRIPT: &str = r#"
global(workDirectory="/tmp" environment=["a=b", "c=d"])
global(preserveFQDN="off" maxMessageSize="2k" compactJsonString="on")
main_queue(queue.size="2000")
module(load="imtcp")
input(type="imtcp" ruleset="r1" port="514")
template(name="t1" type="string" string="%msg%\n\t\"x\" \\ $ ä")
template(name="t2" type="list") { property(name="msg" format="json") constant(value="a\n") }
mail.*;*.err /var/log/mail;t1
& stop
:msg, !contains, "foo \"x\" a\\b" { action(type="omfile" file="/b") stop }
:msg,contains,"x" if $!x == 1 then stop
mail.info { if $!x == 1 then stop }
if $msg contains "x" and not ($!a == 1 or $.b == 'y$') and ($!c or $!d) then {
   set $!a = 1 + 2 * strlen($msg) - (3 - 4) % - $!b;
   reset $/g = "a" & 1 + 2 & ("b" & "c");
   action(type="omfile" template="t1" file="/c")
} else if prifilt("mail.*") then { call r1 } else { unset $!a; }
if ($msg == ["a", "b"]) == (1 < 2) then if exists($!x) then /one # two
ruleset(name="r1" queue.type="LinkedList") {
   # comment
   foreach ($.i in $!list) do { set $!x!y = $.i!z; }
   call_indirect $!r & "x";
   *.* action(type="omfile" file="/r")
   if $$now == 'a' then continue
   reload_lookup_table("l", "x")
}
ruleset(name="empty") { }
timezone(id="CET" offset="+01:00")
*.* -/last
& :omusrmsg:root,joe
mail.* ~
"#;

/// What the reference writes for this text, but for its mistakes: the template in a path, the comment in one, the
/// unescaped dollar sign, the lost second one, and a filter of properties in front of a condition, which it refuses.
const CANONICAL: &str = r#"global(environment=["a=b", "c=d"] workDirectory="/tmp" compactJsonString="on" maxMessageSize="2k" preserveFQDN="off")

main_queue(queue.size="2000")

module(load="imtcp")

input(type="imtcp" port="514" ruleset="r1")

template(name="t1" type="string" string="%msg%\n\t\"x\" \\ $ ä")

template(name="t2" type="list") {
  property(name="msg" format="json")
  constant(value="a\n")
}

timezone(id="CET" offset="+01:00")

# TRANSLATION WARNING: top-level statements normalized into explicit RSYSLOG_DefaultRuleset
# TRANSLATION WARNING: PRI selector normalized into if/prifilt() form
ruleset(name="RSYSLOG_DefaultRuleset") {
  mail.*;*.err action(type="omfile" file="/var/log/mail" template="t1")
  & stop
  :msg, !contains, "foo \"x\" a\\b" action(type="omfile" file="/b")
  & stop
  :msg,contains,"x" {
    if ($!x == 1) then {
      stop
    }
  }
  if prifilt("mail.info") then {
    if ($!x == 1) then {
      stop
    }
  }
  if ((($msg contains "x") and not (($!a == 1) or ($.b == "y\$"))) and ($!c or $!d)) then {
    set $!a = ((1 + (2 * strlen($msg))) - ((3 - 4) % -$!b));
    reset $/g = ((("a" & 1) + 2) & ("b" & "c"));
    action(type="omfile" file="/c" template="t1")
  } else {
    if prifilt("mail.*") then {
      call r1
    } else {
      unset $!a;
    }
  }
  if (($msg == ["a", "b"]) == (1 < 2)) then {
    if exists($!x) then {
      action(type="omfile" file="/one")
    }
  }
  *.* action(type="omfile" file="/last")
  & action(type="omusrmsg" users="root,joe")
  mail.* stop
}

ruleset(name="r1" queue.type="LinkedList") {
  foreach ($.i in $!list) do {
    set $!x!y = $.i!z;
  }
  call_indirect ($!r & "x");
  *.* action(type="omfile" file="/r")
  if ($$now == "a") then {
    continue
  }
  reload_lookup_table("l", "x")
}

ruleset(name="empty") {}

"#;

#[test]
fn rainerscript_has_the_canonical_form() {
    let (text, problems) = translated("c.conf", SCRIPT.as_bytes(), Format::RainerScript);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(text, CANONICAL);
}

/// What is translated says the same: it loads without more messages, and its translation is itself.
#[test]
fn there_and_back() {
    let loaded = |name: &str, text: &str| load(name, &memory(name, text.as_bytes()), &CATALOGUE);
    let (before, _) = loaded("c.conf", SCRIPT);
    for (format, name) in [(Format::RainerScript, "d.conf"), (Format::Yaml, "d.yaml")] {
        let (first, problems) = translated("c.conf", SCRIPT.as_bytes(), format);
        assert_eq!(problems, Vec::<String>::new());
        let (second, _) = translated(name, first.as_bytes(), format);
        let (third, _) = translated(name, second.as_bytes(), format);
        assert_eq!(third, second);
        let (after, found) = loaded(name, &first);
        assert!(!found.iter().any(|found| found.text.contains("syntax")), "{}", found.render());
        assert_eq!(spanless(&after), spanless(&before), "{first}");
    }
}

/// The rulesets and templates of a checked configuration without the places of their parts.
fn spanless(config: &super::super::Config) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for ruleset in &config.rulesets {
        parts.push(format!("{} {} statements", ruleset.name, ruleset.body.len()));
    }
    for template in &config.templates {
        parts.push(format!("{} {:?}", template.name, template.kind));
    }
    let mut actions: Vec<_> =
        config.actions.iter().map(|action| format!("{:?}", action.args.args)).collect();
    actions.iter_mut().for_each(|text| *text = text.replace(", true)", ", false)"));
    actions.sort();
    parts.extend(actions);
    parts.push(format!("{} inputs", config.inputs.len()));
    let mut text = parts.join("\n");
    while let Some(start) = text.find("Span {") {
        let end = text[start..].find('}').unwrap();
        text.replace_range(start..=start + end, "");
    }
    text.lines().map(str::to_owned).collect()
}

#[test]
fn what_has_no_translation_is_named() {
    let script = b"$FileOwner root\n*.* /a\xff\nglobal(localHostname=\"\xff\")\n";
    let (text, problems) = translated("c.conf", script, Format::Yaml);
    let expected = [
        "legacy $-directive '$FileOwner root' is not supported by the translator",
        "bytes that are not UTF-8 cannot be translated",
        "bytes that are not UTF-8 cannot be translated",
    ];
    assert_eq!(problems, expected, "{text}");
}

fn check(script: &str, rulesets: &str) {
    let (text, problems) = translated("c.conf", script.as_bytes(), Format::Yaml);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(text, format!("version: 2\n\nrulesets:\n{rulesets}"), "{script}");
}

#[test]
fn simple_rulesets_have_simple_forms() {
    const TOP: &str = "  # TRANSLATION WARNING: top-level statements normalized into explicit RSYSLOG_DefaultRuleset\n  \
                       - name: \"RSYSLOG_DefaultRuleset\"\n";
    let action = |file: &str, indent: &str| {
        format!("{indent}- type: \"omfile\"\n{indent}  file: \"{file}\"\n")
    };
    let one = action("/x", "      ");
    check("/x\n", &format!("{TOP}    actions:\n{one}"));
    let two = action("/y", "      ");
    check("/x\n& /y\n", &format!("{TOP}    actions:\n{one}{two}"));
    let script = "    script: |\n        action(type=\"omfile\" file=\"/x\")\n        action(type=\"omfile\" file=\"/y\")\n";
    check("/x\n/y\n", &format!("{TOP}{script}"));
    let filter = format!("    filter: \":msg,contains,\\\"x\\\"\"\n    actions:\n{one}");
    check(":msg,contains,\"x\" -/x\n", &format!("{TOP}{filter}"));
    check(
        "mail.info /x\nruleset(name=\"r\") {\n*.* { /x\n/y\n }\nmail.* /y\n }\nauth.* /y\n",
        &format!(
            "{TOP}    statements:\n      - if: \"prifilt('mail.info')\"\n        action:\n          type: \"omfile\"\n          \
             file: \"/x\"\n      - if: \"prifilt('auth.*')\"\n        action:\n          type: \"omfile\"\n          \
             file: \"/y\"\n  - name: \"r\"\n    statements:\n      - if: \"prifilt('*.*')\"\n        then:\n{}{}      \
             - if: \"prifilt('mail.*')\"\n        action:\n          type: \"omfile\"\n          file: \"/y\"\n",
            action("/x", "          "),
            action("/y", "          ")
        ),
    );
}

/// Control characters in a block would make it unreadable.
#[test]
fn what_yaml_cannot_hold_is_escaped() {
    check(
        "ruleset(name=\"r\\x01\") {\n:msg, contains, \"a\x01b\" stop\n}\n",
        "  - name: \"r\\x01\"\n    script: \"  :msg, contains, \\\"a\\x01b\\\" stop\\n\"\n",
    );
}

/// Chains that would nest too deeply are written as chains.
#[test]
fn long_chains_load_again() {
    let or = (0..1000).map(|n| format!("$msg == '{n}'")).collect::<Vec<_>>().join(" or ");
    let chain: String = (0..500).map(|n| format!("if $!a == {n} then /a\nelse ")).collect();
    let script = format!("if {or} then {{ /x\n }}\n{chain} /b\n");
    for format in [Format::RainerScript, Format::Yaml] {
        let name = if format == Format::Yaml { "c.yaml" } else { "c.conf" };
        let (first, _) = translated("c.conf", script.as_bytes(), format);
        assert_eq!(translated(name, first.as_bytes(), format).1, Vec::<String>::new());
    }
}

//! The worked examples and the edge cases of `spec/elastic-tcp.md`, and the documents' shape for any bytes.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::message::json::{Case, Json, Style};
use crate::message::labels::{Format, LogZone};
use crate::message::sample::Sample;
use crate::message::{Batch, InputInfo};
use crate::template::builtin;

/// 2026-08-01T12:00:00.123Z
const RECEIVED: i64 = 1_785_585_600_123_000;

fn labels(syslog: bool) -> Labels {
    let options = Syslog { zone: LogZone::Fixed(0), ..Syslog::default() };
    Labels { syslog: syslog.then_some(options), ..Labels::syslog("tcp") }
}

fn with_syslog(change: impl FnOnce(&mut Syslog)) -> Labels {
    let mut labels = labels(true);
    change(labels.syslog.as_mut().expect("on"));
    labels
}

fn render_from(peer: &str, text: &[u8], labels: Labels, flags: Flags) -> String {
    let mut sample = Sample::raw(text);
    let input = InputInfo { labels, ..InputInfo::default() };
    let sender = Sender::network(Arc::new(input), peer.parse().expect("an address"), None);
    let batch: &mut Batch = sample.batch();
    batch.senders[0] = Arc::new(sender);
    batch.records[0].received = RECEIVED;
    batch.records[0].flags = flags;
    let template = builtin(b"SLUICE_ECS").expect("built in");
    let mut out = Vec::new();
    template.render(&sample.msg(), &mut out);
    String::from_utf8(out).expect("UTF-8")
}

/// The document of a text from 10.0.0.5:51234.
fn render(text: impl AsRef<[u8]>, labels: Labels) -> String {
    render_from("10.0.0.5:51234", text.as_ref(), labels, Flags::empty())
}

fn parse(document: &str) -> Json {
    crate::message::json::parse_whole(document.as_bytes(), Case::Sensitive)
        .unwrap_or_else(|| panic!("not JSON: {document}"))
}

/// The value at this path (`a.b`; names with dots are not asked for), as JSON text.
fn field(document: &Json, path: &str) -> Option<String> {
    let found = path.split('.').try_fold(document, |node, name| match node {
        Json::Object(object) => object.get(name.as_bytes(), Case::Sensitive),
        _ => None,
    })?;
    Some(text(found))
}

fn text(value: &Json) -> String {
    let mut out = Vec::new();
    value.write(Style::Compact, &mut out);
    // The reference's library escapes slashes.
    String::from_utf8(out).expect("UTF-8").replace("\\/", "/")
}

/// Removes members that the specification's examples leave out.
fn without(document: &mut Json, paths: &[&str]) {
    for path in paths {
        let (parents, last) = path.rsplit_once('.').unwrap_or(("", path));
        let parent = parents.split('.').filter(|name| !name.is_empty()).try_fold(
            &mut *document,
            |node, name| match node {
                Json::Object(object) => object.get_mut(name.as_bytes(), Case::Sensitive),
                _ => None,
            },
        );
        if let Some(Json::Object(object)) = parent {
            object.remove(last.as_bytes(), Case::Sensitive);
        }
    }
}

fn sorted(value: &Json) -> String {
    match value {
        Json::Object(object) => {
            let member = |(name, value): (&[u8], &Json)| {
                format!("{:?}:{}", String::from_utf8_lossy(name), sorted(value))
            };
            let mut members: Vec<_> = object.iter().map(member).collect();
            members.sort();
            format!("{{{}}}", members.join(","))
        }
        other => text(other),
    }
}

#[test]
fn a_plain_line_byte_by_byte() {
    let document = render("hello world", labels(false));
    let expected = r#"{"@timestamp":"2026-08-01T12:00:00.123Z","message":"hello world","input":{"type":"tcp"},"log":{"source":{"address":"10.0.0.5:51234"}},"source":{"address":"10.0.0.5","ip":"10.0.0.5","port":51234},"data_stream":{"type":"logs","dataset":"tcp.generic","namespace":"default"},"event":{"dataset":"tcp.generic"},"ecs":{"version":"8.11.0"},"agent":{"#;
    assert!(document.starts_with(expected), "{document}");
}

#[test]
fn the_worked_examples() {
    let broken = r#"{"@timestamp":"2026-08-01T12:00:00.123Z","message":"hello world","input":{"type":"tcp"},"log":{"source":{"address":"10.0.0.5:51234"}},"source":{"address":"10.0.0.5","ip":"10.0.0.5","port":51234},"data_stream":{"type":"logs","dataset":"tcp.generic","namespace":"default"},"event":{"dataset":"tcp.generic"},"ecs":{"version":"8.11.0"},"error":{"message":"syslog failed to process field \"message\": parsing error at position 7: unexpected EOF"}}"#;
    let bsd = r#"{"@timestamp":"2026-10-11T22:14:15.000Z","message":"this is the message","tags":["preserve_original_event","a"],"event":{"dataset":"tcp.generic","original":"<13>Oct 11 22:14:15 test-host su[1024]: this is the message"},"log":{"source":{"address":"10.0.0.5:51234"},"syslog":{"priority":13,"facility":{"code":1,"name":"user-level"},"severity":{"code":5,"name":"Notice"},"hostname":"test-host","appname":"su","procid":"1024"}},"input":{"type":"tcp"},"data_stream":{"type":"logs","dataset":"tcp.generic","namespace":"default"},"ecs":{"version":"8.11.0"}}"#;
    let ietf = r#"{"@timestamp":"2003-10-11T22:14:15.003Z","message":"this is the message","log":{"source":{"address":"10.0.0.5:51234"},"syslog":{"priority":165,"facility":{"code":20,"name":"local4"},"severity":{"code":5,"name":"Notice"},"version":"1","hostname":"mymachine.example.com","appname":"evntslog","procid":"1024","msgid":"ID47","structured_data":{"exampleSDID@32473":{"iut":"3","eventSource":"Application"},"examplePriority@32473":{"class":"high"}}}},"event":{"dataset":"tcp.generic"},"input":{"type":"tcp"},"data_stream":{"type":"logs","dataset":"tcp.generic","namespace":"default"},"ecs":{"version":"8.11.0"}}"#;
    let reference = |year_rollover| {
        let labels = with_syslog(|options| options.year_rollover = year_rollover);
        Labels { tags: vec![b"a".as_slice().into()], preserve_original: true, ..labels }
    };
    let bsd_text = "<13>Oct 11 22:14:15 test-host su[1024]: this is the message";
    let ietf_text = r#"<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog 1024 ID47 [exampleSDID@32473 iut="3" eventSource="Application"][examplePriority@32473 class="high"] this is the message"#;
    let extras = ["agent", "host", "source", "event.created"];
    for (input, labels, extras, expected) in [
        ("hello world", labels(true), &extras[..2], broken),
        (bsd_text, reference(false), &extras[..], bsd),
        (ietf_text, labels(true), &extras[..], ietf),
    ] {
        let mut document = parse(&render(input, labels));
        without(&mut document, extras);
        assert_eq!(sorted(&document), sorted(&parse(expected)));
    }
    let rolled = parse(&render(bsd_text, reference(true)));
    assert_eq!(field(&rolled, "@timestamp").as_deref(), Some("\"2025-10-11T22:14:15.000Z\""));
    assert_eq!(field(&rolled, "event.created").as_deref(), Some("\"2026-08-01T12:00:00.123Z\""));
}

/// Rows 20 to 34 of section 10: paths and their values as JSON, `None` for absent ones.
#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn syslog_edge_cases() {
    const P: &str = "log.syslog.";
    let error =
        |what: &str| Some(format!("\"syslog failed to process field \\\"message\\\": {what}\""));
    let is = |value: &str| Some(value.to_owned());
    type Row<'a> = (&'a str, &'a [(&'a str, Option<String>)]);
    let rows: &[Row<'_>] = &[
        (
            "<13>Oct 11 22:14:15 test-host this is the message",
            &[
                ("message", is("\"this is the message\"")),
                ("log.syslog.appname", None),
                ("error", None),
            ],
        ),
        (
            "<123>Sep 01 02:03:04 hostname message",
            &[
                ("@timestamp", is("\"2025-09-01T02:03:04.000Z\"")),
                ("log.syslog.priority", is("123")),
                ("log.syslog.facility", is(r#"{"code":15,"name":"clock"}"#)),
            ],
        ),
        (
            "<13>2003-08-24T05:14:15.000003-07:00 test-host this is the message",
            &[("@timestamp", is("\"2003-08-24T12:14:15.000Z\""))],
        ),
        (
            "<13>1 - - - - - -",
            &[
                ("message", is("\"<13>1 - - - - - -\"")),
                ("@timestamp", is("\"2026-08-01T12:00:00.123Z\"")),
                ("log.syslog.priority", is("13")),
                ("log.syslog.version", is("\"1\"")),
                ("log.syslog.hostname", None),
                ("error", None),
            ],
        ),
        (
            "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \u{feff}'su root'",
            &[("message", is("\"'su root'\"")), ("log.syslog.msgid", is("\"ID47\""))],
        ),
        (
            "<192>Oct 11 22:14:15 test-host x",
            &[
                (
                    "error.message",
                    error(
                        "validation error at position 2: priority value out of range (expected 0..191)",
                    ),
                ),
                ("log.syslog.priority", None),
                ("log.syslog.hostname", is("\"test-host\"")),
                ("message", is("\"<192>Oct 11 22:14:15 test-host x\"")),
            ],
        ),
        (
            "<abc>Oct 11 22:14:15 test-host x",
            &[(
                "error.message",
                error(
                    "validation error at position 2: invalid priority: strconv.Atoi: parsing \\\"abc\\\": invalid syntax",
                ),
            )],
        ),
        (
            "<-1>Oct 11 22:14:15 test-host x",
            &[(
                "error.message",
                error(
                    "validation error at position 2: priority value out of range (expected 0..191)",
                ),
            )],
        ),
        (
            "13 Oct 11 22:14:15 test-host x",
            &[
                ("log.syslog.hostname", is("\"Oct\"")),
                ("message", is("\"13 Oct 11 22:14:15 test-host x\"")),
            ],
        ),
        (
            "<13> test-host x",
            &[("error.message", error("parsing error at position 5: unexpected EOF"))],
        ),
        (
            "<13>1 2003-08-24T05:14:15.000003-07:00 test-host su 1234 msg-",
            &[
                ("error.message", error("parsing error at position 62: unexpected EOF")),
                ("log.syslog.procid", is("\"1234\"")),
                ("log.syslog.msgid", None),
            ],
        ),
        (
            "<13>Oct 11 22:14:15 test-",
            &[
                ("error.message", error("parsing error at position 26: unexpected EOF")),
                ("@timestamp", is("\"2025-10-11T22:14:15.000Z\"")),
                ("log.syslog.hostname", None),
            ],
        ),
        (
            "<13>Foo 11 22:14:15 h x",
            &[(
                "error.message",
                error(
                    "validation error at position 5: parsing time \\\"Foo 11 22:14:15\\\" as \\\"Jan _2 15:04:05\\\": cannot parse \\\"Foo 11 22:14:15\\\" as \\\"Jan\\\"",
                ),
            )],
        ),
        (
            r#"<165>1 2003-10-11T22:14:15.003Z h a - - [a b="c\"d\\e\]f"]"#,
            &[("log.syslog.structured_data", is(r#"{"a":{"b":"c\"d\\e]f"}}"#))],
        ),
        (
            r#"<165>1 - h a - - [action:"Drop"; flags:"1"] msg"#,
            &[
                ("message", is(r#""[action:\"Drop\"; flags:\"1\"] msg""#)),
                ("log.syslog.structured_data", None),
            ],
        ),
        (
            "",
            &[
                ("message", is("\"\"")),
                ("error.message", error("parsing error at position 1: unexpected EOF")),
            ],
        ),
        (
            "<13>Feb 30 22:14:15 h x",
            &[
                ("log.syslog.hostname", is("\"h\"")),
                ("@timestamp", is("\"2026-08-01T12:00:00.123Z\"")),
            ],
        ),
    ];
    for (input, expected) in rows {
        let document = parse(&render(input, labels(true)));
        for (path, value) in *expected {
            assert_eq!(field(&document, path), *value, "{path} of {input}");
        }
    }
    // Row 27: where the first error is.
    let document = parse(&render("13 Oct 11 22:14:15 test-host x", labels(true)));
    let said = field(&document, "error.message").expect("an error");
    assert!(said.contains("validation error at position 1: parsing time"), "{said}");
    // Row 31.
    let forced = with_syslog(|options| options.format = Format::Rfc5424);
    let document = parse(&render("<165>A 2003-10-11T22:14:15.003Z h a - ID47 -", forced));
    let said = field(&document, "error.message").expect("an error");
    assert!(said.contains("validation error at position 6: invalid version"), "{said}");
    assert_eq!(field(&document, &format!("{P}msgid")).as_deref(), Some("\"ID47\""));
}

#[test]
fn options_of_the_input() {
    let text = "<13>Oct 11 22:14:15 h a: x";
    let at = |labels| field(&parse(&render(text, labels)), "@timestamp").expect("a time");
    let zone = with_syslog(|options| options.zone = LogZone::Fixed(7200));
    assert_eq!(at(zone), "\"2025-10-11T20:14:15.000Z\"");
    let keep = with_syslog(|options| options.overwrite_keys = false);
    let document = parse(&render(text, keep));
    assert_eq!(field(&document, "message"), Some(format!("\"{text}\"")));
    assert_eq!(field(&document, "@timestamp").as_deref(), Some("\"2026-08-01T12:00:00.123Z\""));
    assert_eq!(field(&document, "log.syslog.appname").as_deref(), Some("\"a\""));

    let missing = with_syslog(|options| options.field = "other".into());
    let document = parse(&render(text, missing));
    let said = field(&document, "error.message").expect("an error");
    assert_eq!(said, r#""syslog failed to process field \"other\": key not found""#);
    let ignored = with_syslog(|options| {
        options.field = "other".into();
        options.ignore_missing = true;
    });
    assert_eq!(field(&parse(&render(text, ignored)), "error"), None);
    let quiet = with_syslog(|options| options.ignore_failure = true);
    assert_eq!(field(&parse(&render("no syslog", quiet)), "error"), None);

    let nulls = Labels { keep_null: true, ..labels(true) };
    let document = parse(&render("<13>1 - - - - - - x", nulls));
    let log = field(&document, "log.syslog").expect("a header");
    assert!(
        log.ends_with(r#""hostname":null,"appname":null,"procid":null,"msgid":null}"#),
        "{log}"
    );
}

/// Rows 36 and 37, and others.
#[test]
fn tags_peers_and_control_bytes() {
    let preserve = Labels { preserve_original: true, ..labels(false) };
    let document = render(b"a\0\t\"\\\xff", preserve);
    assert!(
        document.contains(r#""message":"a\u0000\t\"\\\ufffd","tags":["preserve_original_event"],"#)
    );
    assert!(document.contains(r#""original":"a\u0000\t\"\\\ufffd""#));
    let forwarded = Labels { tags: vec![b"forwarded".as_slice().into()], ..labels(false) };
    assert_eq!(field(&parse(&render("x", forwarded)), "host"), None);
    assert!(field(&parse(&render("x", labels(false))), "host.os.type").is_some());
    let cut = render_from("10.0.0.5:1", b"x", labels(false), Flags::TRUNCATED);
    assert!(cut.contains(r#""tags":["truncated"]"#));
    let v6 = render_from("[fe80::1%1]:514", b"x", labels(false), Flags::empty());
    assert!(v6.contains(r#""log":{"source":{"address":"[fe80::1%lo]:514"}}"#), "{v6}");
    assert!(v6.contains(r#""ip":"fe80::1","port":514}"#), "{v6}");
}

/// Section 4.3: the names of all severities and facilities.
#[test]
fn priorities_have_their_names() {
    let severities = "Emergency,Alert,Critical,Error,Warning,Notice,Informational,Debug";
    let facilities = "kernel,user-level,mail,system,security/authorization,syslogd,line printer,network news,UUCP,clock,\
         security/authorization,FTP,NTP,log audit,log alert,clock,local0,local1,local2,local3,local4,local5,local6,local7";
    let pairs = facilities.split(',').flat_map(|f| severities.split(',').map(move |s| (f, s)));
    for (pri, (facility, severity)) in (0..192).zip(pairs) {
        let document = parse(&render(format!("<{pri}>Oct 11 22:14:15 h x"), labels(true)));
        let at = |path| field(&document, path).expect(path);
        assert_eq!(at("log.syslog.priority"), pri.to_string());
        let expected = format!(r#"{{"code":{},"name":"{facility}"}}"#, pri / 8);
        assert_eq!(at("log.syslog.facility"), expected);
        let expected = format!(r#"{{"code":{},"name":"{severity}"}}"#, pri % 8);
        assert_eq!(at("log.syslog.severity"), expected);
    }
}

/// Section 4.2, what is taken beside the forms of the RFCs, and section 4.4, several errors.
#[test]
fn lenient_forms() {
    for (text, path, value) in [
        ("<13>Oct    1 22:14:15 h x", "@timestamp", "\"2025-10-01T22:14:15.000Z\""),
        ("Oct 11 22:14:15 h a[b c]: x", "log.syslog.procid", "\"b c\""),
        ("Oct 11 22:14:15 h a[b c]: x", "log.syslog.hostname", "\"h\""),
        ("<13>Oct 11 22:14:15 h a: b: c", "message", "\"b: c\""),
        ("<13>Oct 11 22:14:15 h [1]: x", "message", "\"[1]: x\""),
        ("<007>Oct 11 22:14:15 h x", "log.syslog.priority", "7"),
        (
            "<192>Foo 11 22:14:15 h x",
            "error.message",
            "\"syslog failed to process field \\\"message\\\": validation error at position 2: priority value out of \
             range (expected 0..191); validation error at position 6: parsing time \\\"Foo 11 22:14:15\\\" as \
             \\\"Jan _2 15:04:05\\\": cannot parse \\\"Foo 11 22:14:15\\\" as \\\"Jan\\\"\"",
        ),
    ] {
        let document = parse(&render(text, labels(true)));
        assert_eq!(field(&document, path).as_deref(), Some(value), "{path} of {text}");
    }
    // RFC 5424's limits of lengths are not enforced.
    let long = "n".repeat(1000);
    let text = format!("<13>12 2003-10-11T22:14:15Z {long} {long} {long} {long} - x");
    let document = parse(&render(text, labels(true)));
    for name in ["hostname", "appname", "procid", "msgid"] {
        let found = field(&document, &format!("log.syslog.{name}"));
        assert_eq!(found, Some(format!("\"{long}\"")), "{name}");
    }
    assert_eq!(field(&document, "log.syslog.version").as_deref(), Some("\"12\""));
}

/// The document of this text at any time and place is the same, byte by byte.
#[test]
fn documents_of_syslog_byte_by_byte() {
    let labels =
        |of: Labels| Labels { tags: vec![b"a".as_slice().into()], preserve_original: true, ..of };
    let bsd = render("<13>Oct 11 22:14:15 test-host su[1024]: x", labels(with_syslog(|_| ())));
    let expected = r#"{"@timestamp":"2025-10-11T22:14:15.000Z","message":"x","tags":["preserve_original_event","a"],"input":{"type":"tcp"},"log":{"source":{"address":"10.0.0.5:51234"},"syslog":{"priority":13,"facility":{"code":1,"name":"user-level"},"severity":{"code":5,"name":"Notice"},"hostname":"test-host","appname":"su","procid":"1024"}},"source":{"address":"10.0.0.5","ip":"10.0.0.5","port":51234},"data_stream":{"type":"logs","dataset":"tcp.generic","namespace":"default"},"event":{"created":"2026-08-01T12:00:00.123Z","dataset":"tcp.generic","original":"<13>Oct 11 22:14:15 test-host su[1024]: x"},"ecs":{"version":"8.11.0"},"agent":{"#;
    assert!(bsd.starts_with(expected), "{bsd}");
    let none = render("x", labels(with_syslog(|_| ())));
    let expected = r#"{"@timestamp":"2026-08-01T12:00:00.123Z","message":"x","tags":["preserve_original_event","a"],"error":{"message":"syslog failed to process field \"message\": parsing error at position 2: unexpected EOF"},"input":{"type":"tcp"},"log":{"source":{"address":"10.0.0.5:51234"}},"source":{"address":"10.0.0.5","ip":"10.0.0.5","port":51234},"data_stream":{"type":"logs","dataset":"tcp.generic","namespace":"default"},"event":{"dataset":"tcp.generic","original":"x"},"ecs":{"version":"8.11.0"},"agent":{"#;
    assert!(none.starts_with(expected), "{none}");
}

/// Section 5: `agent.*` and `host.*`, of a machine of which all is known.
#[test]
fn agent_and_host() {
    let os = [
        ("NAME", "Debian GNU/Linux"),
        ("VERSION", "12 (bookworm)"),
        ("VERSION_CODENAME", "bookworm"),
        ("ID", "debian"),
    ];
    let machine = Machine {
        hostname: "h\"1".into(),
        architecture: "x86_64",
        id: "0123456789abcdef0123456789abcdef".into(),
        kernel: "6.1.0-18-amd64".into(),
        is_container: false,
        os: os.map(|(name, value)| (name.into(), value.into())).into(),
        addresses: vec!["192.0.2.1".into(), "2001:db8::1".into()],
        hardware: vec!["00-11-22-33-44-55".into()],
    };
    let (one, two) = (Document::new(&machine), Document::new(&machine));
    let host = r#","host":{"architecture":"x86_64","containerized":false,"hostname":"h\"1","id":"0123456789abcdef0123456789abcdef","ip":["192.0.2.1","2001:db8::1"],"mac":["00-11-22-33-44-55"],"name":"h\"1","os":{"type":"linux","codename":"bookworm","family":"debian","kernel":"6.1.0-18-amd64","name":"Debian GNU/Linux","platform":"debian","version":"12 (bookworm)"}}"#;
    assert_eq!(String::from_utf8_lossy(&one.host), host);
    let agent = |document: &Document| {
        let text = String::from_utf8_lossy(&document.agent).into_owned();
        parse(&format!("{{{}}}", &text[1..]))
    };
    let (one, two) = (agent(&one), agent(&two));
    let at = |path| field(&one, path).expect(path);
    assert_eq!((&*at("agent.name"), &*at("agent.type")), ("\"h\\\"1\"", "\"sluice\""));
    assert_eq!(at("agent.version"), format!("\"{}\"", env!("CARGO_PKG_VERSION")));
    assert_eq!(at("ecs.version"), "\"8.11.0\"");
    let same = |path| field(&one, path) == field(&two, path);
    assert!(
        same("agent.id") && !same("agent.ephemeral_id"),
        "the one of the machine, the other of the process"
    );
    assert!([at("agent.id"), at("agent.ephemeral_id")].iter().all(|id| id.len() == 38));
}

/// No object has a name twice: of those the parser would have left one.
fn check_names(text: &str, document: &serde_json::Value) {
    fn members(value: &serde_json::Value) -> usize {
        match value {
            serde_json::Value::Object(object) => {
                object.len() + object.values().map(members).sum::<usize>()
            }
            serde_json::Value::Array(items) => items.iter().map(members).sum(),
            _ => 0,
        }
    }
    let (mut colons, mut is_string, mut is_escaped) = (0, false, false);
    for c in text.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => is_string = !is_string,
            ':' if !is_string => colons += 1,
            _ => {}
        }
    }
    assert_eq!(members(document), colons, "{text}");
}

/// Names and texts that look like something else: they stay what they are, in their places.
#[test]
fn tricks_with_names_and_escapes() {
    for (text, message) in [
        (r#"{"@timestamp":"1970","message":"x"}"#, None),
        (r#"","message":"x","tags":["y"#, None),
        (r#"\ud800\u0000\x"#, None),
        ("\u{2028}\u{feff}\u{10ffff}", None),
        (
            r#"<13>1 - h a - - [@timestamp message="x" __proto__="y"][@timestamp message="z"] m"#,
            Some("m"),
        ),
        (
            "<13>1 - h a - - [a \u{ff}=\"x\" \u{fe}=\"y\"] m",
            Some("[a \u{ff}=\"x\" \u{fe}=\"y\"] m"),
        ),
        (r#"<13>1 - h a - - [a.b c.d="1" c="2"][a b="3"] m"#, Some("m")),
        (r#"<13>1 - h a - - [a\"b c="1"] m"#, Some(r#"[a\"b c="1"] m"#)),
        (r#"<13>1 - h a - - [a b="\ud800\\" b="\\\]"] m"#, Some("m")),
    ] {
        let rendered = render(text, labels(message.is_some()));
        let document: serde_json::Value = serde_json::from_str(&rendered).expect(&rendered);
        check_names(&rendered, &document);
        assert_eq!(document["message"], message.unwrap_or(text), "{text}");
        assert_eq!(document["@timestamp"], "2026-08-01T12:00:00.123Z");
        check_types(&parse(&rendered));
    }
}

/// Every member has the type its field is published with.
fn check_types(document: &Json) {
    fn walk(path: &str, value: &Json) {
        if path == "log.syslog.structured_data" {
            let Json::Object(elements) = value else { panic!("{path}") };
            for (_, element) in elements.iter() {
                let Json::Object(params) = element else { panic!("{path}") };
                assert!(params.iter().all(|(_, value)| matches!(value, Json::Str(_))));
            }
            return;
        }
        match value {
            Json::Object(object) => {
                for (name, value) in object.iter() {
                    let name = String::from_utf8_lossy(name);
                    let path =
                        if path.is_empty() { name.into_owned() } else { format!("{path}.{name}") };
                    walk(&path, value);
                }
            }
            Json::Array(items) => {
                assert!(["tags", "host.ip", "host.mac"].contains(&path), "{path}");
                assert!(items.iter().all(|item| matches!(item, Json::Str(_))), "{path}");
            }
            _ => {
                let kind = TYPES.iter().find(|(name, _)| *name == path);
                let (_, kind) = kind.unwrap_or_else(|| panic!("{path} is no field of ECS"));
                let fits = match *kind {
                    "long" => matches!(value, Json::Int(_)),
                    "boolean" => matches!(value, Json::Bool(_)),
                    "date" => matches!(value, Json::Str(text) if is_date(text)),
                    "ip" => matches!(value, Json::Str(text) if is_ip(text)),
                    _ => matches!(value, Json::Str(_)),
                };
                assert!(fits, "{path} is {value:?}, not {kind}");
            }
        }
    }
    walk("", document);
}

fn is_date(text: &[u8]) -> bool {
    text.len() == 24 && text.ends_with(b"Z") && Time::decode_rfc3339(text).is_some()
}

fn is_ip(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<std::net::IpAddr>().is_ok())
}

/// The field reference of ECS 8.11 and of the package `tcp`.
const TYPES: &[(&str, &str)] = &[
    ("@timestamp", "date"),
    ("message", "match_only_text"),
    ("error.message", "match_only_text"),
    ("input.type", "keyword"),
    ("log.source.address", "keyword"),
    ("log.syslog.priority", "long"),
    ("log.syslog.facility.code", "long"),
    ("log.syslog.facility.name", "keyword"),
    ("log.syslog.severity.code", "long"),
    ("log.syslog.severity.name", "keyword"),
    ("log.syslog.version", "keyword"),
    ("log.syslog.hostname", "keyword"),
    ("log.syslog.appname", "keyword"),
    ("log.syslog.procid", "keyword"),
    ("log.syslog.msgid", "keyword"),
    ("source.address", "keyword"),
    ("source.ip", "ip"),
    ("source.port", "long"),
    ("data_stream.type", "constant_keyword"),
    ("data_stream.dataset", "constant_keyword"),
    ("data_stream.namespace", "constant_keyword"),
    ("event.created", "date"),
    ("event.dataset", "keyword"),
    ("event.original", "keyword"),
    ("ecs.version", "keyword"),
    ("agent.ephemeral_id", "keyword"),
    ("agent.id", "keyword"),
    ("agent.name", "keyword"),
    ("agent.type", "keyword"),
    ("agent.version", "keyword"),
    ("host.architecture", "keyword"),
    ("host.containerized", "boolean"),
    ("host.hostname", "keyword"),
    ("host.id", "keyword"),
    ("host.name", "keyword"),
    ("host.os.codename", "keyword"),
    ("host.os.family", "keyword"),
    ("host.os.kernel", "keyword"),
    ("host.os.name", "keyword"),
    ("host.os.platform", "keyword"),
    ("host.os.type", "keyword"),
    ("host.os.version", "keyword"),
];

fn check_any(text: &[u8], syslog: bool, preserve_original: bool) {
    let labels = Labels { preserve_original, ..labels(syslog) };
    let rendered = render(text, labels);
    // Strictly valid, by a parser that is not ours.
    let strict: serde_json::Value = serde_json::from_str(&rendered).expect(&rendered);
    check_names(&rendered, &strict);
    if !syslog {
        let message = strict["message"].as_str().expect("a string");
        assert_eq!(message, expected_text(text));
    }
    check_types(&parse(&rendered));
}

/// What a text is after invalid bytes have become U+FFFD, one for each.
fn expected_text(text: &[u8]) -> String {
    let chunk = |chunk: std::str::Utf8Chunk<'_>| {
        format!("{}{}", chunk.valid(), "\u{fffd}".repeat(chunk.invalid().len()))
    };
    text.utf8_chunks().map(chunk).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_make_a_document(text: Vec<u8>, syslog: bool, preserve: bool) {
        check_any(&text, syslog, preserve);
    }

    #[test]
    fn anything_like_syslog_makes_a_document(
        parts in prop::collection::vec(prop::sample::select(PIECES), 0..20), preserve: bool,
    ) {
        check_any(&parts.concat(), true, preserve);
    }
}

const PIECES: &[&[u8]] = &[
    b"<13>",
    b"<192>",
    b"1 ",
    b"- ",
    b"Oct 11 22:14:15 ",
    b"2003-10-11T22:14:15.003Z ",
    b"host ",
    b"app[12]: ",
    b"[a b=\"c\"]",
    b"[a.b \xff=\"\\]\"]",
    b"[x",
    b"]",
    b"\\",
    b"\"",
    b"\xed\xa0\x80",
    b"\0",
    b" ",
    b"text",
    b":",
    b"Feb 30 25:61:61 ",
    b"9999-99-99T99:99:99Z ",
    b"\xef\xbb\xbf",
];

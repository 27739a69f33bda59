//! Every property of messages of each kind.

use super::*;
use crate::message::sample::Sample;

fn text(name: &str, sample: &Sample) -> String {
    let property = Property::parse(name.as_bytes()).expect(name);
    let mut scratch = b"left over".to_vec();
    let text = sample.msg().property(&property, &mut scratch).to_vec();
    let mut out = b"> ".to_vec();
    sample.msg().write_property(&property, &mut out);
    assert_eq!(out, [b"> ".as_slice(), &text].concat(), "{name}");
    text.escape_ascii().to_string()
}

#[test]
fn names() {
    let parse = |name: &str| Property::parse(name.as_bytes());
    for name in Property::names() {
        assert_eq!(parse(name), parse(&name.to_ascii_uppercase()), "{name}");
        assert!(parse(name).is_some_and(|p| !matches!(p, Property::Variable(..))), "{name}");
    }
    assert_eq!(parse("$!a!b"), Some(Property::Variable(Scope::Message, Path::new(b"a!b"))));
    assert_eq!(parse("!a"), parse("$!a"));
    assert_eq!(parse("$."), Some(Property::Variable(Scope::Local, Path::new(b""))));
    assert_eq!(parse("/x"), Some(Property::Variable(Scope::Global, Path::new(b"x"))));
    for name in ["", "$", "nope", "now", "msg ", "$msg", "$!all-json-"] {
        assert_eq!(parse(name).is_some(), name.starts_with("$!"), "{name}");
    }
}

#[test]
fn of_an_rfc3164_message() {
    let sample = Sample::rfc3164(35, "Jan  5 03:04:05", "host", "a/b[12]:", "a", b" x\xff");
    let rows = [
        ("msg", " x\\xff"),
        ("rawmsg", "<35>Jan  5 03:04:05 host a/b[12]: x\\xff"),
        ("rawmsg-after-pri", "Jan  5 03:04:05 host a/b[12]: x\\xff"),
        ("hostname", "host"),
        ("source", "host"),
        ("syslogtag", "a/b[12]:"),
        ("programname", "a"),
        ("app-name", "a"),
        ("procid", "12"),
        ("msgid", "-"),
        ("structured-data", "-"),
        ("protocol-version", "0"),
        ("pri", "35"),
        ("pri-text", "auth.err"),
        ("syslogfacility", "4"),
        ("syslogfacility-text", "auth"),
        ("syslogseverity", "3"),
        ("syslogpriority-text", "err"),
        ("timestamp", "Jan  5 03:04:05"),
        ("timereceived", "Nov 20 09:53:11"),
        ("inputname", "imtcp"),
        ("fromhost", "192.0.2.1"),
        ("fromhost-ip", "192.0.2.1"),
        ("fromhost-port", "514"),
        ("iut", "1"),
        ("parsesuccess", "FAIL"),
        ("$now", "2026-11-20"),
        ("$year", "2026"),
        ("$month", "11"),
        ("$day", "20"),
        ("$hour", "09"),
        ("$hhour", "01"),
        ("$qhour", "03"),
        ("$minute", "53"),
        ("$wday", "5"),
        ("$now-unixtimestamp", "1795168392"),
        ("$myhostname", "here"),
        ("$bom", "\\xef\\xbb\\xbf"),
        ("$uptime", "1409"),
        ("$!all-json", "{}"),
        ("$!all-json-plain", "{}"),
        ("$!x", ""),
    ];
    for (name, expected) in rows {
        assert_eq!(text(name, &sample), expected, "{name}");
    }
}

#[test]
fn system_times_have_a_local_and_a_utc_form() {
    let sample = Sample::raw(b"x").zone(14 * 3600 + 45 * 60);
    let rows = [
        ("$now", "2026-11-21", "2026-11-20"),
        ("$day", "21", "20"),
        ("$hour", "00", "09"),
        ("$minute", "38", "53"),
        ("$qhour", "02", "03"),
        ("$wday", "6", "5"),
    ];
    for (name, local, in_utc) in rows {
        assert_eq!(text(name, &sample), local, "{name}");
        assert_eq!(text(&format!("{name}-utc"), &sample), in_utc, "{name}-utc");
    }
}

#[test]
fn of_an_rfc5424_message() {
    let parts = ["2024-01-02T03:04:05Z", "h", "app/x", "p", "id", "[a b=\"c\"]", "m"];
    let sample = Sample::rfc5424(34, parts);
    let rows = [
        ("syslogtag", "app/x[p]"),
        ("app-name", "app/x"),
        ("procid", "p"),
        ("msgid", "id"),
        ("structured-data", "[a b=\\\"c\\\"]"),
        ("protocol-version", "1"),
        ("msg", "m"),
    ];
    for (name, expected) in rows {
        assert_eq!(text(name, &sample), expected, "{name}");
    }
    let dashes = Sample::rfc5424(34, ["2024-01-02T03:04:05Z", "h", "app", "-", "-", "-", ""]);
    assert_eq!(text("syslogtag", &dashes), "app");
    let empty = Sample::rfc5424(34, ["2024-01-02T03:04:05Z", "h", "app", "", "", "", ""]);
    for (name, expected) in [("syslogtag", "app[]"), ("procid", ""), ("structured-data", "")] {
        assert_eq!(text(name, &empty), expected, "{name}");
    }
    // The parser has stopped at the timestamp.
    let stopped = Sample::raw(b"<34>1 bogus").with(|record| record.version = 1);
    for (name, expected) in
        [("syslogtag", ""), ("app-name", ""), ("procid", "-"), ("structured-data", "-")]
    {
        assert_eq!(text(name, &stopped), expected, "{name}");
    }
}

#[test]
fn what_is_not_there() {
    let sample = Sample::raw(b"<999>x y").with(|record| record.pri = pri::INVALID);
    let rows = [
        ("pri", "invld"),
        ("pri-text", "invld.debug"),
        ("syslogfacility", "invld"),
        ("syslogfacility-text", "invld"),
        ("syslogseverity", "7"),
        ("hostname", "192.0.2.1"),
        ("syslogtag", ""),
        ("programname", ""),
        ("app-name", "-"),
        ("procid", "-"),
        ("rawmsg-after-pri", "x y"),
    ];
    for (name, expected) in rows {
        assert_eq!(text(name, &sample), expected, "{name}");
    }
    for (raw, expected) in
        [("<=", "<="), ("<>x", "<>x"), ("<1>", ""), ("", ""), ("<1234>", "<1234>")]
    {
        assert_eq!(text("rawmsg-after-pri", &Sample::raw(raw.as_bytes())), expected, "{raw}");
    }
    let open = Sample::rfc3164(13, "Jan  5 03:04:05", "h", "t[12:", "t", b" x");
    assert_eq!(text("procid", &open), "-");
    let parsed = Sample::raw(b"x").with(|record| record.flags.set(Flags::PARSE_OK));
    assert_eq!(text("parsesuccess", &parsed), "OK");
}

#[test]
fn the_message_as_json() {
    let sample = Sample::rfc3164(35, "Jan  5 03:04:05", "host", "a/b[1]:", "a", b" \"q\"\x01");
    let mut scratch = Vec::new();
    let json = sample.msg().property(&Property::JsonMesg, &mut scratch);
    let expected =
        r#"{ "msg": " \"q\"\u0001", "rawmsg": "<35>Jan  5 03:04:05 host a\/b[1]: \"q\"\u0001", "#
            .to_owned()
            + r#""timereported": "2026-01-05T03:04:05+00:00", "hostname": "host", "syslogtag": "a\/b[1]:", "#
            + r#""inputname": "imtcp", "fromhost": "192.0.2.1", "fromhost-ip": "192.0.2.1", "#
            + r#""fromhost-port": "514", "pri": "35", "syslogfacility": "4", "syslogseverity": "3", "#
            + r#""timegenerated": "2026-11-20T09:53:11.606468+00:00", "programname": "a", "#
            + r#""protocol-version": "0", "structured-data": "-", "app-name": "a", "procid": "1", "#
            + r#""msgid": "-", "uuid": null, "$!": null }"#;
    assert_eq!(String::from_utf8_lossy(json), expected);
    let sample = Sample::rfc5424(34, ["2024-01-02T03:04:05Z", "h", "a\"", "p/", "-", "-", ""]);
    let json = sample.msg().property(&Property::JsonMesg, &mut scratch);
    assert!(String::from_utf8_lossy(json).contains(r#""syslogtag": "a\"[p\/]""#));
}

#[test]
fn a_uuid_stays_with_its_message() {
    let (one, other) = (Sample::raw(b"x"), Sample::raw(b"x"));
    let uuid = text("uuid", &one);
    assert_eq!(uuid, text("uuid", &one));
    assert_ne!(uuid, text("uuid", &other));
    assert_eq!(uuid.len(), 32);
    assert!(uuid.bytes().all(|c| matches!(c, b'0'..=b'9' | b'A'..=b'F')), "{uuid}");
    assert_eq!(uuid.as_bytes()[12], b'4');
    assert!(matches!(uuid.as_bytes()[16], b'8' | b'9' | b'A' | b'B'), "{uuid}");
}

//! Messages through the chain of parsers: PRI, sanitising, both formats, and any bytes.

use super::*;
use crate::testing::parsers::{NETWORK, Parsed, batch, first, fuzz};

fn parsed(raw: &[u8], options: &ParserOptions) -> Parsed {
    let mut batch = batch([raw], NETWORK);
    let outcome = parse(&mut batch, 0, options);
    assert!(!matches!(outcome, Outcome::Refused));
    first(&batch)
}

fn with(own: Rfc3164Options) -> ParserOptions {
    ParserOptions { chain: vec![Parser::Rfc3164(own)], ..ParserOptions::default() }
}

/// Raw text, host name, TAG and MSG; `L` is the sender's name.
type Row = (&'static str, &'static str, &'static str, &'static str);

fn check(options: &ParserOptions, rows: &[Row]) {
    for (raw, host, tag, msg) in rows {
        let parsed = parsed(raw.as_bytes(), options);
        let got_host = parsed.host.unwrap_or(b"L".to_vec());
        let got = [got_host, parsed.tag, parsed.msg].map(|text| String::from_utf8(text).unwrap());
        assert_eq!(got, [*host, *tag, *msg], "{raw}");
    }
}

/// The table "Consequences" of `spec/message-model.md` section 6, and the heuristics of that section.
#[test]
fn rfc3164() {
    let rows = [
        ("<13>Oct 11 22:14:15 host app[1]: hi", "host", "app[1]:", " hi"),
        ("<13>Oct 11 22:14:15 app: hi", "L", "app:", " hi"),
        ("<13>host app: hi", "host", "app:", " hi"),
        ("<13>just text here", "just", "text", " here"),
        ("<13>{\"a\":1}", "L", "", "{\"a\":1}"),
        ("<13> \t [x] y", "L", "", " #011 [x] y"),
        ("<13>  [x] y", "L", "", "  [x] y"),
        ("<13>Oct 11 22:14:15 host: hi", "L", "host:", " hi"),
        ("<13>Oct 11 22:14:15 onlyhost", "onlyhost", "", ""),
        ("<13>Oct 11 22:14:15 onlyhost-", "onlyhost-", "", ""),
        ("<13>Oct 11 22:14:15", "L", "", ""),
        ("<13>Oct 11 22:14:15 ", "L", "", ""),
        ("<13> Oct 11 22:14:15 h t: x", "h", "t:", " x"),
        ("<13>  Oct 11 22:14:15 h t: x", "L", "", "  Oct 11 22:14:15 h t: x"),
        ("<13>2024 Jan  2 03:04:05 h t x", "h", "t", " x"),
        ("<13>Jan  2 2024 03:04:05.123: h t: x", "h", "t:", " x"),
        ("<13>Oct 1 2:14:15 host tag", "host", "tag", ""),
        ("<13>2024-01-02T03:04:05+02:00 h t: x\ty\n", "h", "t:", " x#011y"),
        ("<999>x y", "L", "", "<999>x y"),
        ("<192>q r", "L", "", "<192>q r"),
        ("<>q r", "L", "", "<>q r"),
        ("<0034>q r", "L", "", "<0034>q r"),
        ("no pri here", "no", "pri", " here"),
        ("<034>q: r", "L", "q:", " r"),
        ("<34>", "L", "", ""),
        ("\n", "L", "", ""),
        ("<13>h. t: x", "L", "h.", " t: x"),
        ("<13>h- t: x", "L", "h-", " t: x"),
        ("<13>h_1.a-b t: x", "h_1.a-b", "t:", " x"),
        ("<13>h@x t: x", "L", "h@x", " t: x"),
        ("<13>h/x t: x", "L", "h/x", " t: x"),
        ("<13>Oct 11 22:14:15 h  t: x", "h", "", " t: x"),
        ("<13>Oct 11 22:14:15 h :x", "h", ":", "x"),
        ("<13>Oct 11 22:14:15 h t:x", "h", "t:", "x"),
        ("8 <13>a: b", "8", "<13>a:", " b"),
    ];
    check(&ParserOptions::default(), &rows);
}

/// What is known of the last message's time must not decide about another text.
#[test]
fn one_time_after_another() {
    let base = Rfc3164Options::default;
    let year = Rfc3164Options { year_after_timestamp: true, ..base() };
    let rows = [
        (base(), ("<13>Oct 11 22:14:15 h t: x", "h", "t:", " x")),
        (base(), ("<13>Oct 11 22:14:15 2024 h t: x", "2024", "h", " t: x")),
        (year, ("<13>Oct 11 22:14:15 2024 h t: x", "h", "t:", " x")),
        (base(), ("<13>Oct 11 22:14:16 h t: x", "h", "t:", " x")),
        (base(), ("<13>Oct 11 22:14:66 h t: x", "Oct", "11", " 22:14:66 h t: x")),
        (base(), ("<13>Oct 11 2:14:15:", "L", "", "")),
        (base(), ("<13>Oct 11 2:14:15: h t: x", "h", "t:", " x")),
        (base(), ("<13>Oct 11 22:14:15:h t: x", "Oct", "11", " 22:14:15:h t: x")),
    ];
    for (options, row) in rows {
        check(&with(options), &[row]);
    }
}

#[test]
fn long_names() {
    let (host, tag) = ("h".repeat(511), "t".repeat(510));
    let default = ParserOptions::default();
    let got = parsed(format!("<13>{host} {tag}: x").as_bytes(), &default);
    assert_eq!(got.host, Some(host.clone().into_bytes()));
    assert_eq!(got.tag, format!("{tag}:").as_bytes());
    assert_eq!(got.program, tag.as_bytes());
    assert_eq!(got.msg, b" x");
    let got = parsed(format!("<13>{host}h {tag}t: x").as_bytes(), &default);
    assert_eq!(got.host, None);
    assert_eq!(got.tag, &host.as_bytes()[..510]);
    assert_eq!(got.msg, format!("hh {tag}t: x").as_bytes());
}

#[test]
fn rfc3164_options() {
    let base = Rfc3164Options::default;
    let brackets = Rfc3164Options { square_brackets_in_hostname: true, ..base() };
    let rows = [
        ("<13>Oct 11 22:14:15 [::1] t: x", "L", "[:", ":1] t: x"),
        ("<13>Oct 11 22:14:15 [10.0.0.1] t: x", "[10.0.0.1]", "t:", " x"),
        ("<13>Oct 11 22:14:15 [10.0.0.1]: x", "L", "[10.0.0.1]:", " x"),
        ("<13>Oct 11 22:14:15 [10.0.0.1]", "L", "[10.0.0.1]", ""),
        ("<13>Oct 11 22:14:15 [10.0.0.1", "[10.0.0.1", "", ""),
        ("<13>Oct 11 22:14:15 [10.0.0.1 t: x", "L", "[10.0.0.1", " t: x"),
        ("<13>Oct 11 22:14:15 [] t: x", "L", "[]", " t: x"),
        ("<13>Oct 11 22:14:15 []] t: x", "[]]", "t:", " x"),
        ("<13>Oct 11 22:14:15 h t: x", "h", "t:", " x"),
        ("<13>[10.0.0.1] t: x", "L", "", "[10.0.0.1] t: x"),
    ];
    check(&with(brackets), &rows);
    let slashes = Rfc3164Options { slashes_in_hostname: true, ..base() };
    check(&with(slashes), &[("<13>h/x t: x", "h/x", "t:", " x")]);
    let at_signs = Rfc3164Options { at_signs_in_hostname: true, ..base() };
    check(&with(at_signs), &[("<13>h@x t: x", "h@x", "t:", " x")]);
    let year = Rfc3164Options { year_after_timestamp: true, ..base() };
    let row = ("<13>Oct 11 22:14:15 2024 h t: x", "h", "t:", " x");
    check(&with(year), &[row]);
    check(&with(base()), &[("<13>Oct 11 22:14:15 2024 h t: x", "2024", "h", " t: x")]);
    let colon = Rfc3164Options { tag_ending_by_colon: true, ..base() };
    let rows = [
        ("<13>Oct 11 22:14:15 h t: x", "h", "t:", " x"),
        ("<13>Oct 11 22:14:15 h t x", "h", "-", " t x"),
        ("<13>Oct 11 22:14:15 h  x", "h", "-", "  x"),
        ("<13>Oct 11 22:14:15 h", "h", "-", ""),
        ("<13>t: x", "L", "t:", " x"),
        ("<13>!t x", "L", "-", "!t x"),
    ];
    check(&with(colon), &rows);
    let space = Rfc3164Options { remove_msg_first_space: true, ..base() };
    let rows = [
        ("<13>Oct 11 22:14:15 h t:  x", "h", "t:", " x"),
        ("<13> {x", "L", "", "{x"),
        ("<13>h t:x", "h", "t:", "x"),
    ];
    check(&with(space), &rows);
    let no_tag = ParserOptions { parse_hostname_and_tag: false, ..ParserOptions::default() };
    check(&no_tag, &[("<13>Oct 11 22:14:15 h t: x", "L", "", "h t: x")]);
}

#[test]
fn headerless() {
    let own = Headerless { hostname: Some(b"n/a".as_slice().into()), ..Headerless::default() };
    let on = |headerless| Rfc3164Options { headerless: Some(headerless), ..Default::default() };
    let rows = [
        ("this is not syslog", "this", "is", " not syslog"),
        ("<13>plain: text", "n/a", "plain:", " text"),
        ("<13>", "n/a", "", ""),
        ("<13>Oct 11 22:14:15 h t: x", "h", "t:", " x"),
        ("<13>{", "L", "", "{"),
    ];
    check(&with(on(own.clone())), &rows);
    check(&with(on(Headerless::default())), &[("a: b", "L", "a:", " b")]);
    let colon = Rfc3164Options { tag_ending_by_colon: true, ..on(own.clone()) };
    check(&with(colon), &[("a: b", "n/a", "a:", " b"), ("<13>/a b", "n/a", "-", "/a b")]);
    let silent = ParserOptions { parse_hostname_and_tag: false, ..with(on(own.clone())) };
    check(&silent, &[("a: b", "n/a", "headerless", "a: b")]);
    for drop in [false, true] {
        let options = with(on(Headerless { drop, ..own.clone() }));
        let mut batch = batch([&b"a b"[..]], NETWORK);
        let outcome = parse(&mut batch, 0, &options);
        assert!(matches!(outcome, Outcome::Headerless(how) if how.drop == drop));
        assert_eq!(batch.records[0].flags.has(Flags::DISCARDED), drop);
    }
}

/// Raw text, then HOSTNAME, APP-NAME, PROCID, MSGID, STRUCTURED-DATA and MSG.
#[test]
fn rfc5424() {
    let rows: &[(&str, [&str; 6])] = &[
        ("1 - h a - - - ", ["h", "a", "-", "-", "-", ""]),
        ("1 - h a p m - msg", ["h", "a", "p", "m", "-", "msg"]),
        ("1 - h a p m -  msg", ["h", "a", "p", "m", "-", " msg"]),
        ("1 - h a p m -msg", ["h", "a", "p", "m", "-", "msg"]),
        ("1 2024-01-02T03:04:05Z h a", ["h", "a", "", "", "", ""]),
        ("1 2024-01-02T03:04:05Z", ["", "-", "", "", "", ""]),
        ("1 2024-01-02T03:04:05Z  a", ["", "a", "", "", "", ""]),
        (r#"1 - h a p m [a b="\]"] msg"#, ["h", "a", "p", "m", r#"[a b="\]"]"#, "msg"]),
        (r#"1 - h a p m [a b="c"][d] msg"#, ["h", "a", "p", "m", r#"[a b="c"][d]"#, "msg"]),
        (r#"1 - h a p m [a b="c] d"] x"#, ["h", "a", "p", "m", r#"[a b="c]"#, r#"d"] x"#]),
        ("1 - h a p m [a]", ["h", "a", "p", "m", "[a]", ""]),
        ("1 - h a p m [a] ", ["h", "a", "p", "m", "[a]", ""]),
        ("1 - h a p m [a b", ["h", "a", "p", "m", "[a ", "b"]),
        ("1 - h a p m [a ", ["h", "a", "p", "m", "[a", ""]),
        ("1 - h a p m [", ["h", "a", "p", "m", "", "["]),
        (r"1 - h a p m [\]", ["h", "a", "p", "m", r"[\]", ""]),
        (r"1 - h a p m [a\", ["h", "a", "p", "m", "[a", r"\"]),
        ("1 - h a p m msg", ["h", "a", "p", "m", "m", "msg"]),
        ("1 - h  p m - msg", ["h", "-", "p", "m", "-", "msg"]),
        ("1 - h a p m - \u{feff}msg", ["h", "a", "p", "m", "-", "\u{feff}msg"]),
    ];
    for (raw, expected) in rows {
        let got = parsed(format!("<34>{raw}").as_bytes(), &ParserOptions::default());
        assert_eq!((got.pri, got.version), (34, 1));
        let [app, procid, msgid, sd] = got.fields;
        let got = [got.host.expect("set"), app, procid, msgid, sd, got.msg];
        assert_eq!(got.map(|text| String::from_utf8(text).unwrap()), *expected, "{raw}");
    }
}

/// After a bad timestamp nothing else is looked at; what does not begin with `1 ` is left to RFC 3164.
#[test]
fn rfc5424_given_up() {
    for (raw, msg) in [("1 bogus h a", "bogus h a"), ("1 ", ""), ("1 -", "-")] {
        let got = parsed(raw.as_bytes(), &ParserOptions::default());
        assert_eq!((got.version, got.host, got.timestamp), (1, None, None), "{raw}");
        assert_eq!(got.msg, msg.as_bytes());
    }
    for raw in ["1", "2 - h a", "1\t- h a", " 1 - h a"] {
        assert_eq!(parsed(raw.as_bytes(), &ParserOptions::default()).version, 0, "{raw}");
    }
    let only_5424 = ParserOptions { chain: vec![Parser::Rfc5424], ..Default::default() };
    let mut batch = batch([&b"<13>h t: x"[..]], NETWORK);
    assert!(matches!(parse(&mut batch, 0, &only_5424), Outcome::Refused));
    assert_eq!(first(&batch).msg, b"<13>h t: x");
}

#[test]
fn program_names() {
    let rows: &[(&[u8], &[u8])] = &[
        (b"<13>h su/x: y", b"su"),
        (b"<13>h app[1]: y", b"app"),
        (b"<13>h app: y", b"app"),
        (b"<13>h app y", b"app"),
        (b"<13>h a\x7fb: y", b"a"),
        (b"<13>h a\x80b: y", b"a"),
        (b"<13>h [1]: y", b""),
        (b"<13>h", b""),
        (b"1 - h app/x 1 - -", b"app"),
        (b"1 - h app[2] 1 - -", b"app"),
        (b"1 - h app", b"app"),
        (b"1 - h  1 - -", b"-"),
        (b"1 bogus", b""),
    ];
    for (raw, program) in rows {
        let got = parsed(raw, &ParserOptions::default());
        assert_eq!(got.program, *program, "{}", raw.escape_ascii());
    }
    let slash = ParserOptions { permit_slash_in_program_name: true, ..Default::default() };
    assert_eq!(parsed(b"<13>h su/x: y", &slash).program, b"su/x");
}

#[test]
fn flags() {
    let raw = &b"<13>Oct 11 22:14:15 h t: x"[..];
    let cases = [
        (NETWORK, Some("Oct 11 22:14:15 "), Some("h"), "t:"),
        (NETWORK.with(Flags::IGNORE_DATE), None, Some("h"), "t:"),
        (Flags::NEEDS_PARSING, Some("Oct 11 22:14:15 "), None, "h"),
        (NETWORK.with(Flags::INTERNAL), Some("Oct 11 22:14:15 "), None, ""),
    ];
    for (flags, timestamp, host, tag) in cases {
        let mut batch = batch([raw], flags);
        assert!(matches!(parse(&mut batch, 0, &ParserOptions::default()), Outcome::Parsed));
        let got = first(&batch);
        let text = |text: Option<Vec<u8>>| text.map(|text| String::from_utf8(text).unwrap());
        assert_eq!(text(got.timestamp).as_deref(), timestamp);
        assert_eq!(text(got.host).as_deref(), host);
        assert_eq!(got.tag, tag.as_bytes());
    }
    let mut done = batch([raw], Flags::empty());
    assert!(matches!(parse(&mut done, 0, &ParserOptions::default()), Outcome::Parsed));
    assert_eq!(first(&done).msg, raw);
    let mut empty = batch([&b""[..]], NETWORK);
    assert!(matches!(parse(&mut empty, 0, &ParserOptions::default()), Outcome::Empty));
}

/// Fields are 16 bits: what lies beyond is left out, and MSG is still right.
#[test]
fn headers_beyond_64_kib() {
    let app = "a".repeat(70_000);
    let got = parsed(format!("<13>1 - h {app} p m - x").as_bytes(), &ParserOptions::default());
    assert_eq!(got.fields, [b"", b"", b"", b""].map(|text: &[u8; 0]| text.to_vec()));
    assert_eq!((got.program.len(), &got.msg[..]), (0, &b"x"[..]));
    let zeros = "0".repeat(70_000);
    let raw = format!("<13>{zeros}2024-01-02T03:04:05Z h t: x");
    let got = parsed(raw.as_bytes(), &ParserOptions::default());
    assert_eq!((got.timestamp, got.host), (None, None));
    assert_eq!(got.msg, b" x");
}

#[test]
fn log_line() {
    let raw = [b'x'; 61];
    let start = "x".repeat(60);
    assert_eq!(
        Unparsable(&raw).to_string(),
        format!(
            "Error: one message could not be processed by any parser, message is being \
             discarded (start of raw msg: '{start}')"
        )
    );
}

proptest::proptest! {
    #[test]
    fn any_bytes(data: Vec<u8>) {
        fuzz(&data);
    }

    /// Every truncation of valid and nearly valid messages.
    #[test]
    fn truncations(
        options: [u8; 2],
        raw in proptest::sample::select(vec![
            r#"<34>1 2003-10-11T22:14:15.003Z host app 1 ID47 [a b="\]"][c] msg"#,
            "<34>1 2003-10-11T22:14:15.000003-07:00 h a - - - \u{feff}msg",
            "<165>Oct 11 22:14:15 host app[1234]: text\r\n",
            "<13>2024 Jan  2 03:04:05.123: [::1] t x\ty\0",
            "<13> Oct 11 22:14:15 2024 h@a/b t: x",
            "<13>  {\"a\": 1}",
        ]),
        flip: proptest::sample::Index,
        byte: u8,
    ) {
        let mut data = [&options[..], raw.as_bytes()].concat();
        for len in 0..=data.len() {
            fuzz(&data[..len]);
        }
        let at = flip.index(data.len());
        data[at] = byte;
        fuzz(&data);
    }
}

//! What templates make of messages. Expectations were taken from rsyslogd, or from `spec/` where it decides.

use proptest::prelude::*;

use super::*;
use crate::message::sample::Sample;
use crate::param::{Kind, Param, Value};

fn compile(text: &str, legacy: bool, options: Options) -> (Option<Template>, Vec<String>) {
    let content = Content::String { text: text.as_bytes(), legacy };
    let mut problems = Vec::new();
    let mut report = |_, problem: Problem| problems.push(problem.text);
    let template = Template::compile("t", &content, options, &mut report);
    (template, problems)
}

/// The rendered text; bytes that are no printable ASCII as C escapes.
fn render(template: &Template, sample: &Sample) -> String {
    let mut out = b"before|".to_vec();
    template.render(&sample.msg(), &mut out);
    let text = out.strip_prefix(b"before|").expect("rendering only appends");
    let shown = |c: &u8| match c {
        b' '..=b'~' => char::from(*c).to_string(),
        _ => c.escape_ascii().to_string(),
    };
    text.iter().map(shown).collect()
}

fn string(text: &str, sample: &Sample) -> String {
    let (template, problems) = compile(text, false, Options::default());
    assert_eq!(problems, Vec::<String>::new(), "{text}");
    render(&template.expect(text), sample)
}

/// The message of `spec/config-language.md` section 19.
fn vector() -> Sample {
    Sample::rfc3164(35, "Jan  5 03:04:05", "host", "a/../b[1]:", "a", b" x:12 \"q\"  z/y")
}

fn with_msg(msg: &[u8]) -> Sample {
    Sample::rfc3164(35, "Jan  5 03:04:05", "host", "t:", "t", msg)
}

fn empty_msg() -> Sample {
    Sample::rfc5424(14, ["2026-01-05T03:04:05.12Z", "h", "app", "-", "-", "-", ""])
}

fn check_built_in(rows: &[(&str, String)]) {
    for (name, expected) in rows {
        let template = builtin(name.as_bytes()).expect(name);
        assert_eq!(template.name, *name);
        assert_eq!(render(&template, &vector()), *expected, "{name}");
    }
}

#[test]
fn built_in_lines() {
    let line = "host a/../b[1]: x:12 \"q\"  z/y";
    let protocol = "<35>1 2026-01-05T03:04:05+00:00 host a 1 - -  x:12 \"q\"  z/y";
    let debug = "Debug line with all properties:\\nFROMHOST: '192.0.2.1', fromhost-ip: '192.0.2.1', \
                 HOSTNAME: 'host', PRI: 35,\\nsyslogtag 'a/../b[1]:', programname: 'a', APP-NAME: 'a', \
                 PROCID: '1', MSGID: '-',\\nTIMESTAMP: 'Jan  5 03:04:05', STRUCTURED-DATA: '-',\\n\
                 msg: ' x:12 \"q\"  z/y'\\nescaped msg: ' x:12 \"q\"  z/y'\\ninputname: imtcp rawmsg: \
                 '<35>Jan  5 03:04:05 host a/../b[1]: x:12 \"q\"  z/y'\\n$!:\\n$.:\\n$/:\\n\\n";
    let wall = "\\r\\n\\x07Message from syslogd@host at Nov 20 09:53:11 ...\\r\\n \
                a/../b[1]: x:12 \"q\"  z/y\\n\\r";
    check_built_in(&[
        ("RSYSLOG_TraditionalFileFormat", format!("Jan  5 03:04:05 {line}\\n")),
        ("RSYSLOG_SysklogdFileFormat", format!("Jan  5 03:04:05 {line}\\n")),
        ("RSYSLOG_FileFormat", format!("2026-01-05T03:04:05+00:00 {line}\\n")),
        ("RSYSLOG_TraditionalForwardFormat", format!("<35>Jan  5 03:04:05 {line}")),
        ("RSYSLOG_ForwardFormat", format!("<35>2026-01-05T03:04:05+00:00 {line}")),
        ("RSYSLOG_SyslogProtocol23Format", format!("{protocol}\\n")),
        ("RSYSLOG_SyslogRFC5424Format", protocol.to_owned()),
        ("RSYSLOG_DebugFormat", debug.to_owned()),
        ("RSYSLOG_PerSourceKey", "host".to_owned()),
        ("RSYSLOG_omudpspoofDfltSourceTpl", "192.0.2.1".to_owned()),
        (" StdOmSenderTrack-senderid", "192.0.2.1".to_owned()),
        (" WallFmt", wall.to_owned()),
        (" StdUsrMsgFmt", " a/../b[1]: x:12 \"q\"  z/y\\n\\r".to_owned()),
    ]);
    assert!(builtin(b"rsyslog_fileformat").is_none(), "names have their case");
    for name in BUILTIN_NAMES {
        assert!(builtin(name.as_bytes()).is_some(), "{name}");
    }
}

#[test]
fn built_in_records() {
    let insert = "insert into SystemEvents (Message, Facility, FromHost, Priority, DeviceReportedTime, \
                  ReceivedAt, InfoUnitID, SysLogTag) values (' x:12 \"q\"  z/y', 4, 'host', 3, ";
    let click_house = "INSERT INTO rsyslog.SystemEvents (severity, facility, timestamp, hostname, tag, \
                       message) VALUES (3, 4, '1767582245', 'host', 'a/../b[1]:', ' x:12 \"q\"  z/y')";
    let head = r#"{"message":" x:12 \"q\"  z\/y","fromhost":"host""#;
    let tail = r#""facility":"auth","priority":"err","timereported":"2026-01-05T03:04:05+00:00","#
        .to_owned()
        + r#""timegenerated":"2026-11-20T09:53:11.606468+00:00"}"#;
    check_built_in(&[
        (" StdDBFmt", format!("{insert}'20260105030405', '20261120095311', 1, 'a/../b[1]:')")),
        (
            " StdPgSQLFmt",
            format!("{insert}'2026-01-05 03:04:05', '2026-11-20 09:53:11', 1, 'a/../b[1]:')"),
        ),
        (" StdClickHouseFmt", click_house.to_owned()),
        (" StdJSONFmt", format!("{head},{tail}")),
        (" FullJSONFmt", format!(r#"{head},"programname":"a","procid":"1","msgid":"-",{tail}"#)),
    ]);
}

#[test]
fn an_empty_msg_has_a_blank_before_it_only_in_generated_lines() {
    let text = |name: &str| render(&builtin(name.as_bytes()).expect(name), &empty_msg());
    assert_eq!(text("RSYSLOG_FileFormat"), "2026-01-05T03:04:05.12Z h app \\n");
    assert_eq!(text("RSYSLOG_TraditionalForwardFormat"), "<14>Jan  5 03:04:05 h app ");
    assert_eq!(text("RSYSLOG_SysklogdFileFormat"), "Jan  5 03:04:05 h app\\n");
}

#[test]
fn forwarded_tags_have_32_characters() {
    let sample = Sample::rfc3164(13, "Jan  5 03:04:05", "h", &"t".repeat(40), "t", b" m");
    let text = |name: &str| render(&builtin(name.as_bytes()).expect(name), &sample);
    let cut = "t".repeat(32);
    assert_eq!(text("RSYSLOG_ForwardFormat"), format!("<13>2026-01-05T03:04:05+00:00 h {cut} m"));
    assert!(text("RSYSLOG_FileFormat").contains(&"t".repeat(40)));
}

#[test]
fn string_templates() {
    let rows = [
        ("%msg%", " x:12 \"q\"  z/y"),
        ("%MSG%|%Source%", " x:12 \"q\"  z/y|host"),
        ("%msg:1:3%", " x:"),
        ("%msg:3:$%", ":12 \"q\"  z/y"),
        ("%msg:5:2%", "x:12"), // swapped
        ("%msg:5%", " x:12"),  // swapped with 0
        ("%msg:0:0%", " x:12 \"q\"  z/y"),
        ("%msg:15:20%|%msg:14:20%|%msg:13:20%", "|y|/y"),
        ("%msg::3%", " x:"),
        ("%msg:5:2:pos-end-relative%", "  z/"),
        ("%msg:2:$:pos-end-relative%", " x:12 \"q\"  z/"),
        ("%msg:::csv%", "\" x:12 \"\"q\"\"  z/y\""),
        ("%msg:::json%", " x:12 \\\"q\\\"  z\\/y"),
        ("%msg:F,58:2%", "12 \"q\"  z/y"),
        ("%msg:F,58:1%|%msg:F,58:0%", " x|**FIELD NOT FOUND**"),
        ("%msg:F,9:3%|%msg:F:1%", "**FIELD NOT FOUND**| x:12 \"q\"  z/y"),
        ("%msg:F,9:3:csv%", "**FIELD NOT FOUND**"),
        ("%msg:F,32:4%|%msg:F,32+:4%", "|z/y"),
        ("%msg:F,32,2:3,3%", "q\""),
        ("%msg:R,ERE,1,FIELD:([0-9]+)--end%", "12"),
        ("%msg:R,ERE,0,DFLT,1:[0-9]--end%", "2"),
        ("%msg:R,BRE,1,DFLT:\\([0-9]\\)--end:uppercase%", "1"),
        ("%msg:R:q*--end%", ""),
        ("%msg:R,ERE,0,DFLT:none--end%", "**NO MATCH**"),
        ("%msg:R,ERE,0,DFLT:none--end:lowercase%", "**no match**"),
        ("%msg:R,ERE,0,BLANK:none--end%", ""),
        ("%msg:R,ERE,0,ZERO:none--end%", "0"),
        ("%msg:R,ERE,0,FIELD:none--end%", " x:12 \"q\"  z/y"),
        ("%msg:R,ERE,0,FIELD,2:[0-9]--end%", " x:12 \"q\"  z/y"),
        ("%msg:R,ERE,2,DFLT:(x)|(none)--end%", ""), // matched, but not by this group
        ("%msg:R,ERE,0,,1:[0-9]--end%", "2"),
        ("%msg:R,ERE,0,FIELD:(--end:json%", "**NO MATCH** **BAD REGULAR EXPRESSION**"),
        ("%syslogtag:::secpath-replace%", "a_.._b[1]:"),
        ("%syslogtag:::secpath-drop%", "a..b[1]:"),
        ("%$!none:::secpath-drop%|%$!none:::secpath-replace%", "_|_"),
        ("%syslogtag:3:4:secpath-drop%|%syslogtag:3:3:secpath-replace%", "_.|_"),
        ("%programname:1:10:fixed-width%|", "a         |"),
        ("%programname:2:10:fixed-width%|", "|"),
        ("%programname:1:$:fixed-width%|", "a|"),
        ("%msg:::jsonf:foo%", "\"foo\":\" x:12 \\\"q\\\"  z\\/y\""),
        ("%HOSTNAME:::jsonf%", "\"HOSTNAME\":\"host\""),
        ("%$!A!b:::jsonf%%$.C:::jsonf%%$/D:::jsonf%", "\"a!b\":\"\"\"c\":\"\"\"$/d\":\"\""),
        ("%msg:::compressspace%", " x:12 \"q\" z/y"),
        ("%msg:::sp-if-no-1st-sp%|%hostname:::sp-if-no-1st-sp,csv%", "|\" \""),
        ("%hostname:::uppercase%|%HOSTNAME:::UpperCase,lowercase%", "HOST|host"),
        ("%timereported:1:10:date-rfc3339%", "2026-01-05"),
        ("%timereported:::date-rfc3164-buggyday,uppercase%", "JAN 05 03:04:05"),
        ("%timegenerated:::date-subseconds%", "606468"),
        ("%timereported:::date-utc,date-rfc3339%", "2026-01-05T03:04:05.000000+00:00"),
        ("%msg:::mandatory-field%", " x:12 \"q\"  z/y"),
        ("a\\n\"b\"", "a\\n\"b\""), // no escapes of its own
        ("%hostname", "host"),      // the last % may be missing
        ("%hostname:::csv:name:x%%", "\"host\"x"),
    ];
    for (text, expected) in rows {
        let text = text.strip_suffix("x%%").map_or(text.to_owned(), |text| format!("{text}x"));
        assert_eq!(string(&text, &vector()), expected, "{text}");
    }
}

#[test]
fn values_that_change() {
    let sample = with_msg(b"a\x01b\x7f c\xff\n");
    let rows = [
        ("%msg:::escape-cc%", "a#001b#127 c\\xff#010"),
        ("%msg:::drop-cc%", "ab c\\xff"),
        ("%msg:::space-cc%", "a b  c\\xff "),
        ("%msg:::drop-cc,escape-cc%", "a#001b#127 c\\xff#010"), // the last one counts
        ("%msg:::drop-last-lf%", "a\\x01b\\x7f c\\xff"),
        ("%msg:::escape-cc,drop-last-lf%", "a#001b#127 c\\xff#010"),
        ("%msg:::space-cc,compressspace%", "a b c\\xff "),
        ("%msg:::json%", "a\\u0001b\\x7f c\\xff\\n"),
        ("%msg:::csv,lowercase%", "\"a\\x01b\\x7f c\\xff\\n\""),
    ];
    for (text, expected) in rows {
        assert_eq!(string(text, &sample), expected, "{text}");
    }
    let escaped = with_msg(b"\\\"\\q\\u12/\\");
    assert_eq!(string("%msg:::jsonr%", &escaped), "\\\"\\\\q\\u12\\/\\\\");
    assert_eq!(string("%msg:::jsonfr:n%", &escaped), "\"n\":\"\\\"\\\\q\\u12\\/\\\\\"");
    assert_eq!(string("%msg:::json%", &escaped), "\\\\\\\"\\\\q\\\\u12\\/\\\\");
}

#[test]
fn escapes_of_legacy_templates() {
    let text = |text: &str| {
        let (template, problems) = compile(text, true, Options::default());
        (render(&template.expect("there is one"), &vector()), problems)
    };
    let clean = |expected: &str| (expected.to_owned(), Vec::new());
    assert_eq!(text("\\101\\t%hostname%"), clean("ethost"));
    assert_eq!(text("\\n\\r\\\\\\%\\\"\\x41"), clean("\\n\\r\\%\"x41"));
    assert_eq!(text("\\300\\"), clean("\\xff"));
    let too_large = "template numeric escape value too large, using 255 as substitute";
    assert_eq!(text("\\99999999999"), ("\\xff".into(), vec![too_large.into()]));
    let unknown =
        ("a **INVALID PROPERTY NAME**".to_owned(), vec!["invalid property 'nope'".to_owned()]);
    assert_eq!(text("a %nope% b"), unknown);
}

const OBJECT: &str = "error processing template object";

/// Texts, whether there is a template all the same, and what is said about them.
const PROBLEMS: &[(&str, bool, &[&str])] = &[
    ("%nope%", false, &["invalid property 'nope'", OBJECT]),
    ("a%%b", false, &["invalid property ''", OBJECT]),
    (
        "%MyHostname%",
        false,
        &[
            "invalid property 'MyHostname'",
            "did you mean '$myhostname' instead of 'MyHostname'? \
             See also: https://www.rsyslog.com/rsyslog-info-1/",
            OBJECT,
        ],
    ),
    (
        "%msg:::foo,csv,json%",
        true,
        &[
            "template error: invalid field option 'foo' specified - ignored",
            "error: can only specify one option out of (json, jsonf, jsonr, jsonfr, csv) - json \
             ignored",
        ],
    ),
    (
        "%msg:R,XRE:a--end",
        true,
        &[
            "error: invalid regular expression type, rest of line XRE:a--end",
            "error: invalid character in frompos after \"R\", property: '%msg:R,XRE:a--end'",
        ],
    ),
    (
        "%msg:R,ERE,0,WHAT:a--end",
        true,
        &[
            "template t error: invalid regular expression type, rest of line WHAT:a--end",
            "error: invalid character in frompos after \"R\", property: \
             '%msg:R,ERE,0,WHAT:a--end'",
        ],
    ),
    ("%msg:Fx", true, &["error: invalid character in frompos after \"F\", property: '%msg:Fx'"]),
    (
        "%msg:F,x",
        true,
        &["error: invalid character in frompos after \"F,\", property: '%msg:F,x' - using 9 \
           (HT) as field delimiter"],
    ),
    (
        "%msg:F,300:1%",
        true,
        &["error: non-USASCII delimiter character value 300 in template - using 9 (HT) as \
           substitute"],
    ),
    (
        "%msg:F,99999999999:1%",
        true,
        &["error: delimiter value in template is too large - using 9 (HT) as substitute"],
    ),
    (
        "%msg:F,44x:1%",
        false,
        &[
            "error: invalid character 'x' in frompos after \"F,\", property: 'msg:F,44x:1%' be \
             sure to use DECIMAL character codes!",
            OBJECT,
        ],
    ),
    (
        "%msg:99999999999:1%",
        true,
        &["error: frompos value in template is too large - using 2147483647"],
    ),
];

#[test]
fn problems_of_string_templates() {
    for (text, works, expected) in PROBLEMS {
        let (template, problems) = compile(text, false, Options::default());
        assert_eq!(problems, *expected, "{text}");
        assert_eq!(template.is_some(), *works, "{text}");
    }
}

#[test]
fn an_unknown_option_leaves_the_rest_in_place() {
    let (template, _) = compile("%hostname:::foo,uppercase%", false, Options::default());
    assert_eq!(render(&template.expect("compiles"), &vector()), "HOST");
}

#[test]
fn escapes_of_whole_templates() {
    let sample = with_msg(b"it's \\ \"\"");
    let text = |text: &str, options| {
        let (template, problems) = compile(text, false, options);
        assert_eq!(problems, Vec::<String>::new());
        render(&template.expect("compiles"), &sample)
    };
    let none = Options::default();
    assert_eq!(text("'%msg%'", Options { sql: true, ..none }), "'it\\'s \\\\ \"\"'");
    assert_eq!(text("'%msg%'", Options { stdsql: true, ..none }), "'it''s \\ \"\"'");
    assert_eq!(text("\"%msg%\"", Options { json: true, ..none }), "\"it's \\\\ \\\"\\\"\"");
    // 8.2302 leaves a value alone that consists of nothing but such characters.
    assert_eq!(text("%msg:8:9%", Options { json: true, ..none }), "\\\"\\\"");
    assert_eq!(text("%msg:::csv%", Options { json: true, ..none }).matches("\\\"").count(), 6);
}

static PROPERTY: &[Param] = &[
    Param::new("name", Kind::Str, None, ""),
    Param::new("value", Kind::Str, None, ""),
    Param::new("outname", Kind::Str, None, ""),
    Param::new("dateformat", Kind::Str, None, ""),
    Param::new("date.inutc", Kind::Bool, None, ""),
    Param::new("caseconversion", Kind::Str, None, ""),
    Param::new("controlcharacters", Kind::Str, None, ""),
    Param::new("securepath", Kind::Str, None, ""),
    Param::new("format", Kind::Str, None, ""),
    Param::new("position.from", Kind::INT, None, ""),
    Param::new("position.to", Kind::INT, None, ""),
    Param::new("position.relativetoend", Kind::Bool, None, ""),
    Param::new("field.number", Kind::INT, None, ""),
    Param::new("field.delimiter", Kind::INT, None, ""),
    Param::new("regex.expression", Kind::Str, None, ""),
    Param::new("regex.type", Kind::Str, None, ""),
    Param::new("regex.nomatchmode", Kind::Str, None, ""),
    Param::new("regex.match", Kind::INT, None, ""),
    Param::new("regex.submatch", Kind::INT, None, ""),
    Param::new("droplastlf", Kind::Bool, None, ""),
    Param::new("compressspace", Kind::Bool, None, ""),
    Param::new("fixedwidth", Kind::Bool, None, ""),
    Param::new("spifno1stsp", Kind::Bool, None, ""),
    Param::new("omitifzero", Kind::Bool, None, ""),
    Param::new("datatype", Kind::Str, None, ""),
    Param::new("onempty", Kind::Str, None, ""),
];

/// The arguments of one object: `name=msg position.from=2`.
fn args(object: &str) -> Args {
    let mut args = Args::defaults(&[PROPERTY]);
    for (name, text) in object.split(' ').filter_map(|pair| pair.split_once('=')) {
        let value = match args.param(name).expect(name).kind {
            Kind::Bool => Value::Bool(text == "on"),
            Kind::Str => Value::Str(text.replace('_', " ").into_bytes()),
            _ => Value::Int(text.parse().expect(text)),
        };
        args.set(name, value);
    }
    args
}

/// Compiles a list of objects; those with a name are properties.
fn compile_list(objects: &str, options: Options) -> (Option<Template>, Vec<String>) {
    let all: Vec<Args> = objects.split("; ").map(args).collect();
    let element = |args| {
        if Args::given(args, "name") { Element::Property(args) } else { Element::Constant(args) }
    };
    let elements: Vec<Element<'_>> = all.iter().map(element).collect();
    let mut problems = Vec::new();
    let mut report = |_, problem: Problem| problems.push(problem.text);
    let template = Template::compile("t", &Content::List(&elements), options, &mut report);
    (template, problems)
}

fn list(objects: &str, options: Options) -> String {
    let (template, problems) = compile_list(objects, options);
    assert_eq!(problems, Vec::<String>::new(), "{objects}");
    render(&template.expect(objects), &vector())
}

#[test]
fn list_templates() {
    let rows = [
        ("name=msg position.from=2 position.to=-2", "x:12 \"q\"  z"),
        ("name=msg position.from=2 position.to=-40", ""),
        ("name=msg position.to=2", " x"),
        ("name=msg position.from=12", "z/y"),
        ("name=msg position.from=3 position.to=1 position.relativetoend=on", "z/y"),
        ("name=programname position.from=1 position.to=3 fixedwidth=on; value=|", "a  |"),
        ("name=msg field.number=2 field.delimiter=58", "12 \"q\"  z/y"),
        ("name=msg field.number=2", "**FIELD NOT FOUND**"),
        ("name=msg regex.expression=[0-9]+ regex.type=ERE", "12"),
        ("name=msg regex.expression=[0-9]\\+", "12"),
        ("name=msg regex.expression=none regex.nomatchmode=ZERO", "0"),
        ("name=msg regex.expression=[0-9] regex.match=1 regex.submatch=0", "2"),
        ("name=hostname caseconversion=upper", "HOST"),
        ("name=syslogtag securepath=replace", "a_.._b[1]:"),
        ("name=msg compressspace=on format=csv", "\" x:12 \"\"q\"\" z/y\""),
        ("name=hostname spifno1stsp=on", " "),
        ("name=timereported dateformat=rfc3339 date.inutc=on", "2026-01-05T03:04:05.000000+00:00"),
        ("name=$!x outname=y format=jsonf", "\"y\":\"\""),
        ("name=$!A!b format=jsonf", "\"a!b\":\"\""),
        ("name=$.x format=jsonf", "\"$.x\":\"\""),
        ("value=\\n\\x41\\101\\q\\\\", "\\nA\\101\\q\\"),
        ("value=c\"c outname=k/ format=jsonf", "\"k\\/\": \"c\\\"c\""),
        ("value=c outname=k", "c"),
    ];
    for (objects, expected) in rows {
        assert_eq!(list(objects, Options::default()), expected, "{objects}");
    }
    let sample = with_msg(b"\x01\x7f");
    let (template, _) = compile_list("name=msg controlcharacters=escape-octal", Options::default());
    assert_eq!(render(&template.expect("compiles"), &sample), "#001#177");
}

#[test]
fn json_data_types() {
    let rows = [
        ("name=pri datatype=number", "\"pri\":35"),
        ("name=pri datatype=auto", "\"pri\":35"),
        ("name=hostname datatype=auto", "\"hostname\":\"host\""),
        ("name=iut datatype=bool", "\"iut\":true"),
        ("name=protocol-version datatype=bool", "\"protocol-version\":false"),
        ("name=protocol-version datatype=number omitifzero=on", ""),
        ("name=protocol-version omitifzero=on", "\"protocol-version\":\"0\""),
        ("name=msg position.from=5 position.to=6 datatype=number", "\"msg\":2"), // trimmed
        ("name=$!e", "\"e\":\"\""),
        ("name=$!e datatype=number", "\"e\":0"),
        ("name=$!e datatype=bool", "\"e\":true"), // as the reference has it
        ("name=$!e datatype=auto", "\"e\":\"\""),
        ("name=$!e datatype=number onempty=null", "\"e\":null"),
        ("name=$!e onempty=skip", ""),
        ("name=msg position.from=1 position.to=1 onempty=null datatype=number", "\"msg\":null"),
    ];
    for (object, expected) in rows {
        assert_eq!(
            list(&format!("{object} format=jsonf"), Options::default()),
            expected,
            "{object}"
        );
    }
}

#[test]
fn json_objects() {
    let jsonf = Options { jsonf: true, ..Options::default() };
    let members = "name=msg format=jsonf outname=m; name=pri format=jsonf outname=n datatype=number; \
                   name=$!e format=jsonf onempty=null; value=cc outname=c format=jsonf; \
                   name=iut format=jsonf outname=b datatype=bool; name=$!x format=jsonf onempty=skip; \
                   name=iut format=jsonf outname=au datatype=auto";
    assert_eq!(
        list(members, jsonf),
        "{\"m\":\" x:12 \\\"q\\\"  z\\/y\", \"n\":35, \"e\":null, \"c\": \"cc\", \"b\":true, \
         \"au\":1}\\n"
    );
    assert_eq!(list("name=$!x", jsonf), "{}\\n");
    assert_eq!(list("value=a; name=hostname", jsonf), "{a, host}\\n");
}

#[test]
fn json_trees() {
    let tree = Options { jsonftree: true, ..Options::default() };
    let members = "name=pri format=jsonf outname=a.b.n datatype=number; value=v outname=c format=jsonf; \
                   name=hostname format=jsonf outname=a.h; name=$!x format=jsonf outname=e.x onempty=skip; \
                   name=iut format=jsonfr outname=a.b.i";
    assert_eq!(
        list(members, tree),
        "{\"a\": {\"b\": {\"n\":35, \"i\":\"1\"}, \"h\":\"host\"}, \"c\": \"v\"}\\n"
    );
    assert_eq!(list("name=$!x format=jsonf outname=a.b onempty=skip", tree), "{}\\n");
    let twice = "name=iut format=jsonf outname=a; name=pri format=jsonf outname=a";
    let (template, problems) = compile_list(twice, tree);
    let duplicate =
        "template 't': duplicate JSON key 'a' encountered; later definition takes precedence";
    assert_eq!(problems, [duplicate]);
    assert_eq!(render(&template.expect("compiles"), &vector()), "{\"a\":\"35\"}\\n");
}

#[test]
fn json_trees_that_are_none_stay_flat() {
    let tree = Options { jsonftree: true, ..Options::default() };
    let flat = "template 't' with option jsonftree has conflicting keys (e.g. 'a' and 'a.b'); \
                falling back to flat JSON output.";
    let rows = [
        (
            "name=iut format=jsonf outname=a; name=iut format=jsonf outname=a.b",
            "{\"a\":\"1\", \"a.b\":\"1\"}\\n",
        ),
        ("name=iut format=jsonf outname=a..b", "{\"a..b\":\"1\"}\\n"),
        ("name=iut format=jsonf outname=a; value=x", "{\"a\":\"1\", x}\\n"),
        ("name=iut", "{1}\\n"),
    ];
    for (objects, expected) in rows {
        let (template, problems) = compile_list(objects, tree);
        assert_eq!(problems, [flat], "{objects}");
        assert_eq!(render(&template.expect("compiles"), &vector()), expected, "{objects}");
    }
}

#[test]
fn problems_of_list_templates() {
    let rows = [
        ("name=nope", "invalid property 'nope'"),
        ("name=msg position.from=4 position.to=2", "position.to=2 is lower than postion.from=4 "),
        (
            "name=msg position.from=2 position.to=4 position.relativetoend=on",
            "position.to=4 is higher than postion.from=2 in 'relativeToEnd' mode ",
        ),
        (
            "name=msg position.from=2 position.relativetoend=on",
            "position.to=2000000000 is higher than postion.from=2 in 'relativeToEnd' mode ",
        ),
        (
            "name=msg field.number=1 regex.expression=a",
            "both field extraction and regex extraction specified - this is not possible, remove one",
        ),
        ("name=msg regex.expression=( regex.type=ERE", "error compiling regex '('"),
        (
            "name=msg regex.expression=a regex.match=10",
            "template t error: regex.match=10 is invalid (supported range 0..9)",
        ),
        (
            "name=msg regex.expression=a regex.submatch=-1",
            "template t error: regex.submatch=-1 is invalid (supported range 0..9)",
        ),
        (
            "value=x format=jsonf",
            "constant set to format jsonf, but outname not specified - aborting",
        ),
    ];
    for (object, expected) in rows {
        let (template, problems) = compile_list(object, Options::default());
        assert_eq!(problems, [expected, "error processing template object"], "{object}");
        assert!(template.is_none(), "{object}");
    }
}

#[test]
fn generators_and_subtrees() {
    let compile = |content: &Content<'_>| {
        let mut problems = Vec::new();
        let mut report = |_, problem: Problem| problems.push(problem.text);
        let template = Template::compile("t", content, Options::default(), &mut report);
        (template, problems.into_iter().next())
    };
    let (template, problem) = compile(&Content::Plugin(b"RSYSLOG_FileFormat"));
    assert_eq!(problem, None);
    let line = "2026-01-05T03:04:05+00:00 host a/../b[1]: x:12 \"q\"  z/y\\n";
    assert_eq!(render(&template.expect("compiles"), &vector()), line);
    let (template, problem) = compile(&Content::Plugin(b"nope"));
    let text = "template 't': error -2159 defining template via plugin (strgen) module";
    assert_eq!((template.is_none(), problem.as_deref()), (true, Some(text)));
    let (template, _) = compile(&Content::Subtree(b"$!a"));
    assert_eq!(render(&template.expect("compiles"), &vector()), "");
    let (template, problem) = compile(&Content::Subtree(b"$.a"));
    let text = "invalid subtree parameter, variable must start with '$!' but var name is '$.a'";
    assert_eq!((template.is_none(), problem.as_deref()), (true, Some(text)));
}

#[test]
fn what_outputs_ask_about_a_template() {
    let (template, _) = compile("/var/log/%hostname%", false, Options::default());
    let template = template.expect("compiles");
    assert_eq!(template.leading_constant(), b"/var/log/");
    assert!(!template.is_sql());
    assert!(builtin(b" StdDBFmt").expect("built in").is_sql());
    assert!(builtin(b" StdPgSQLFmt").expect("built in").is_sql());
}

proptest! {
    /// Any text is a template or a problem, and any message can be rendered with it.
    #[test]
    fn no_text_panics(
        parts in prop::collection::vec(
            prop_oneof![
                Just("%"), Just(":"), Just(","), Just("$"), Just("msg"), Just("syslogtag"),
                Just("timestamp"), Just("$!a"), Just("R"), Just("ERE"), Just("DFLT"), Just("--end"),
                Just("F"), Just("+"), Just("0"), Just("3"), Just("99999999999"), Just("[a-z]*"),
                Just("(x)?"), Just("\\"), Just("date-rfc3339"), Just("date-utc"), Just("csv"),
                Just("jsonf"), Just("jsonr"), Just("fixed-width"), Just("pos-end-relative"),
                Just("escape-cc"), Just("secpath-drop"), Just("compressspace"), Just("é"),
            ],
            0..24,
        ),
        msg in prop::collection::vec(any::<u8>(), 0..64),
        legacy: bool,
        option in 0..6,
    ) {
        let options = Options {
            sql: option == 1,
            stdsql: option == 2,
            json: option == 3,
            jsonf: option == 4,
            jsonftree: option == 5,
            case_sensitive: legacy,
            paths: Paths::Keep,
        };
        if let (Some(template), _) = compile(&parts.concat(), legacy, options) {
            for sample in [with_msg(&msg), Sample::raw(&msg), empty_msg()] {
                let mut out = Vec::new();
                template.render(&sample.msg(), &mut out);
            }
        }
    }

    /// Positions of any size cut any value somewhere.
    #[test]
    fn no_position_panics(from: i32, to in -1000..1000, from_end: bool, len in 0_usize..40) {
        let object = format!(
            "name=msg position.from={from} position.to={to} position.relativetoend={} fixedwidth=on",
            if from_end { "on" } else { "off" },
        );
        if let (Some(template), _) = compile_list(&object, Options::default()) {
            let mut out = Vec::new();
            template.render(&with_msg(&vec![b'x'; len]).msg(), &mut out);
            prop_assert!(out.len() <= 1040, "no longer than the range");
        }
    }
}

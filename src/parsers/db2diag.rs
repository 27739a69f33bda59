//! pmdb2diag: lines of DB2's diagnostic log, whose parts are found by their columns.
//!
//! ```text
//! 2015-06-04-09.29.46.123456+120 I1234E482                   Error     PID     : 12345      …      db2sysc rest
//! ^ timepos, as timeformat says, then fraction and minutes   ^ levelpos          ^ PROCID          ^ APP-NAME,
//!   east of UTC                                                                    pidstarttoprogstartshift behind it
//! ```
//! A PRI is not looked for, as in the reference: the facility stays invalid. The reference takes the byte before the
//! message for the begin of MSG; here MSG is the whole line. A time of which the format gives no date is left out.

use super::{Parser, ParserEnv, ParserKind};
use crate::message::pri::INVALID;
use crate::message::{Field, Flags, Record};
use crate::param::{Args, Class, Kind, Module, Param, Problem};
use crate::sys::strptime::{Broken, Format};

static MODULE: Module = Module {
    name: "pmdb2diag",
    class: Class::Parser,
    builtin: false,
    summary: "Parses lines of DB2's diagnostic log.",
    module_params: &[],
    params: &[
        Param::new("levelPos", COLUMN, Some("59"), "Column of the level, from 0."),
        Param::new("timePos", COLUMN, Some("0"), "Column of the time, from 0."),
        Param::new(
            "timeFormat",
            Kind::Str,
            Some("%Y-%m-%d-%H.%M.%S."),
            "Its format, as strptime(3) takes it, up to the character before the fraction of the second.",
        ),
        Param::new(
            "pidStartToProgStartShift",
            COLUMN,
            Some("49"),
            "Columns from the process id to the program's name.",
        ),
    ],
    legacy_create: None,
    counters: &[],
    examples: &[r#"module(load="pmdb2diag")
parser(name="db2" type="pmdb2diag" levelPos="59" timePos="0")
ruleset(name="r" parser=["db2", "rsyslog.rfc3164"]) {
    action(type="omfile" file="/var/log/db2")
}"#],
};

/// With a negative one the reference takes no message.
const COLUMN: Kind = Kind::Int { min: i32::MIN as i64, max: i32::MAX as i64 };

/// The pmdb2diag module.
pub static KIND: ParserKind =
    ParserKind { module: &MODULE, name: "db2.diag", instances: true, build };

fn build(args: &Args, env: &ParserEnv<'_>) -> Parser {
    let format = args.str("timeFormat").unwrap_or_default();
    if format.is_empty() {
        let text = "pmdb2diag: timeformat must not be empty";
        (env.report)(Problem::error(text).at("timeFormat").code(2016));
    }
    let column = |name| args.int(name).and_then(|n| usize::try_from(n).ok());
    Parser::Db2Diag(Db2Diag {
        columns: column("levelPos").zip(column("timePos")).zip(column("pidStartToProgStartShift")),
        format: Format::new(format),
    })
}

/// Where the parts of a line are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Db2Diag {
    /// Of level and time, and the way from process id to program; `None`: one of them is negative.
    columns: Option<((usize, usize), usize)>,
    format: Format,
}

/// Longest PROCID and APP-NAME.
const NAME_BYTES: usize = 127;

/// Parses `raw`; `None`: the message is none of these. Else the time as RFC 3339 writes it, if there is one.
pub fn parse(raw: &[u8], record: &mut Record, options: &Db2Diag) -> Option<Option<String>> {
    let ((level_at, time_at), shift) = options.columns?;
    let level = raw.get(level_at..).filter(|level| level.len() >= 4)?;
    let time = raw.get(time_at..).filter(|time| !time.is_empty())?;
    record.msg = record.raw;
    record.pri = INVALID;
    let (severity, len) = match level {
        [b'C', ..] => (0, "Critical".len()),
        [b'A', ..] => (1, "Alert".len()),
        [b'S', ..] => (2, "Severe".len()),
        [b'E', b'r', ..] => (3, "Error".len()),
        [b'E', ..] => (5, "Event".len()),
        [b'W', ..] => (4, "Warning".len()),
        [b'I', ..] => (6, "Info".len()),
        [b'D', ..] => (7, "Debug".len()),
        // Taken, but nothing more is known of it.
        _ => return Some(None),
    };
    record.pri = (24 << 3) | severity;
    let behind = level.get(len..)?;
    let time = read_time(time, &options.format);
    if time.is_some() {
        record.flags.set(Flags::HAS_TIMESTAMP);
    }
    // What is not there is not there: the message is taken all the same.
    let _ = names(raw, raw.len() - behind.len(), shift, record);
    Some(time)
}

/// Finds the process id behind the colon, and the program a number of columns behind that.
fn names(raw: &[u8], from: usize, shift: usize, record: &mut Record) -> Option<()> {
    let rest = |at: usize| raw.get(at..).unwrap_or_default();
    let colon = from + memchr::memchr(b':', rest(from))?;
    let pid = colon + 2;
    let len = memchr::memchr(b' ', rest(pid)).filter(|_| rest(colon).len() >= 3)?;
    // An empty one is none.
    record.procid = Field::new(pid, len.min(NAME_BYTES));
    let program = pid + shift;
    let rest = raw.get(program..).filter(|rest| !rest.is_empty())?;
    let len = memchr::memchr2(b' ', b'\\', rest).unwrap_or(rest.len()).min(NAME_BYTES);
    record.app = Field::new(program, len);
    Some(())
}

/// The time that `text` begins with, as RFC 3339 writes it.
fn read_time(text: &[u8], format: &Format) -> Option<String> {
    let (Broken { year, month, day, hour, minute, second }, len) = format.parse(text)?;
    let before = text.get(len.checked_sub(1)?).copied();
    // The format's last character has to stand there, which it need not where that is a blank.
    if before != format.last() || day == 0 || !(1..2100).contains(&year) || second > 60 {
        return None;
    }
    let rest = text.get(len..)?;
    let digits = rest.iter().take_while(|c| c.is_ascii_digit()).count();
    let fraction = std::str::from_utf8(rest.get(..digits.min(6))?).ok()?;
    let dot = if fraction.is_empty() { "" } else { "." };
    let (sign, minutes) = match rest.get(digits..)? {
        [sign @ (b'+' | b'-'), zone @ ..] => {
            let digits = zone.iter().take(4).take_while(|c| c.is_ascii_digit());
            let minutes = digits.fold(0_u32, |all, c| all * 10 + u32::from(c - b'0'));
            (char::from(*sign), minutes)
        }
        _ => ('+', 0),
    };
    let (zone_hour, zone_minute) = (minutes / 60, minutes % 60);
    (zone_hour < 24).then(|| {
        format!(
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{dot}{fraction}{sign}\
             {zone_hour:02}:{zone_minute:02}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Outcome, ParserOptions, parse};
    use super::*;
    use crate::testing::parsers::{NETWORK, batch, first};

    const TIME: &str = "2015-06-04-09.29.46.123456+120";

    /// A line as DB2 writes it.
    fn line(time: &str, level: &str, pid: &str, program: &str) -> String {
        let head = format!("{:59}{level:10}PID     : ", format!("{time} I1234567E482"));
        format!("{head}{pid:49}{program} rest of it")
    }

    /// Severity, time, PROCID, APP-NAME.
    fn parsed(chain: &str, text: &str) -> Option<(u8, String, String, String)> {
        let args = Args::defaults(&[MODULE.params]);
        let env = ParserEnv { globals: &Args::default(), zones: &[], report: &|_| {} };
        let mut options =
            ParserOptions { chain: vec![build(&args, &env)], ..ParserOptions::default() };
        if let (Parser::Db2Diag(own), "negative") = (&mut options.chain[0], chain) {
            own.columns = None;
        }
        let mut batch = batch([text.as_bytes()], NETWORK);
        if matches!(parse(&mut batch, 0, &options), Outcome::Refused) {
            return None;
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let found = first(&batch);
        assert_eq!((&found.msg, found.host), (&found.raw, None));
        let [app, procid, ..] = &found.fields;
        let time = text(&found.timestamp.unwrap_or_default());
        Some((found.pri, time, text(procid), text(app)))
    }

    /// Values from rsyslog 8.2610.
    #[test]
    fn as_the_reference_does() {
        let levels = [
            ("Error", 3),
            ("Event", 5),
            ("Severe", 2),
            ("Critical", 0),
            ("Alert", 1),
            ("Warning", 4),
            ("Info", 6),
            ("Debug", 7),
        ];
        let whole = "2015-06-04T09:29:46.123456+02:00";
        for (level, severity) in levels {
            let found = parsed("", &line(TIME, level, "12345", "db2sysc")).unwrap();
            assert_eq!(
                found,
                (192 + severity, whole.into(), "12345".into(), "db2sysc".into()),
                "{level}"
            );
        }
        let error = line(TIME, "Error", "12345", "db2sysc");
        let rows = [
            (line(TIME, "Nope", "12345", "db2sysc"), 199, "", "", ""),
            (format!("<34>{error}"), 199, "", "", ""),
            (line("bad time", "Error", "12345", "db2sysc"), 195, "", "12345", "db2sysc"),
            (line(TIME, "Error", "12345", "a\\b"), 195, whole, "12345", "a"),
            (error[..75].to_owned(), 195, whole, "", ""),
            (error[..100].to_owned(), 195, whole, "12345", ""),
            (error[..135].to_owned(), 195, whole, "12345", "db2sysc"),
        ];
        for (text, pri, time, pid, app) in rows {
            let found = parsed("", &text).unwrap();
            assert_eq!(found, (pri, time.into(), pid.into(), app.into()), "{text}");
        }
        let times = [
            ("2015-06-04-09.29.46.12-300", "2015-06-04T09:29:46.12-05:00"),
            ("2015-06-04-09.29.46.123456789+060", "2015-06-04T09:29:46.123456+01:00"),
            ("2015-06-04-09.29.46.123456-", "2015-06-04T09:29:46.123456-00:00"),
            ("2015-06-04-25.29.46.1+1", ""),
            // The reference makes the fraction up where there is no zone.
            ("2015-06-04-09.29.46.5", "2015-06-04T09:29:46.5+00:00"),
            ("2015-06-04-09.29.46.", "2015-06-04T09:29:46+00:00"),
            ("2015-06-04-09.29.46.5+9999", ""),
            ("2115-06-04-09.29.46.5+0", ""),
        ];
        for (time, expected) in times {
            assert_eq!(parsed("", &line(time, "Error", "1", "p")).unwrap().1, expected, "{time}");
        }
        let long = parsed("", &line(TIME, "Error", "1", &"x".repeat(200))).unwrap();
        assert_eq!(long.3, "x".repeat(127));
        for text in ["short", &error[..62]] {
            assert_eq!(parsed("", text), None, "{text}");
        }
        assert_eq!(parsed("negative", &error), None);
    }
}

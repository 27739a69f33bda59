//! Functions about times.

use std::io::Write as _;

use super::{Call, Function, Kind, Returned};
use crate::message::DateFormat;
use crate::message::timestamp::{Context, Time, Zone};

/// Seconds around the epoch that [`format_time`] writes; years beyond have more than five digits.
const SECONDS_MAX: i64 = 1_000_000_000_000;

/// Bytes of a text that is returned for not being a number.
const KEPT_BYTES: usize = 63;

/// The functions of this file.
pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "format_time",
        args: 2..=2,
        doc: "Seconds since the epoch as a time in UTC: date-rfc3164 or date-rfc3339.",
        examples: &[
            ("format_time(1507165811, 'date-rfc3339')", "2017-10-05T01:10:11Z"),
            ("format_time(1507165811, 'date-rfc3164')", "Oct  5 01:10:11"),
            ("format_time('1507165811', 'date-rfc3339')", "2017-10-05T01:10:11Z"),
            ("format_time('nope', 'date-rfc3339')", "nope"),
            ("format_time(1, 'date-unix')", "1"),
        ],
        kind: Kind::Plain(format_time),
    },
    Function {
        name: "parse_time",
        args: 1..=1,
        doc: "Seconds since the epoch of a time as RFC 3339 or RFC 3164, the latter in UTC and in the year that is \
              nearest; 0 and a script error for anything else.",
        examples: &[
            ("parse_time('2017-10-05T01:10:11Z')", "1507165811"),
            ("parse_time('2017-10-05T01:10:11.5+04:00')", "1507151411"),
            ("parse_time('nope') & script_error()", "01"),
            (
                "is_time('nope') & parse_time('2017-10-05T01:10:11Z') & script_error()",
                "015071658110",
            ),
        ],
        kind: Kind::Plain(|call, _| parse_time(call, false)),
    },
    Function {
        name: "parse_time_localtz",
        args: 1..=1,
        doc: "As parse_time(), RFC 3164 times being local.",
        examples: &[("parse_time_localtz('2017-10-05T01:10:11Z')", "1507165811")],
        kind: Kind::Plain(|call, _| parse_time(call, true)),
    },
    Function {
        name: "is_time",
        args: 1..=2,
        doc: "Whether a text is a time: of the format date-rfc3164, date-rfc3339 or date-unix, or of any of them.",
        examples: &[
            ("is_time('Oct  5 01:10:11')", "1"),
            ("is_time('2017-10-05T01:10:11Z')", "1"),
            ("is_time('2017-10-05T01:10:11Z', 'date-rfc3164')", "0"),
            ("is_time(1507165811, 'date-unix')", "1"),
            ("is_time('nope') & script_error()", "01"),
            ("is_time('12', 'date-mysql')", "0"),
        ],
        kind: Kind::Plain(is_time),
    },
];

fn format_time(call: &mut Call<'_, '_>, out: &mut Vec<u8>) -> Returned {
    let (epoch, is_number) = call.number(0);
    let written = is_number
        && (-SECONDS_MAX..=SECONDS_MAX).contains(&epoch)
        && call.text(1, |format| match format {
            b"date-rfc3164" => {
                DateFormat::Rfc3164.write(&Time::from_epoch(epoch), out);
                true
            }
            b"date-rfc3339" => {
                let Time { year, month, day, hour, minute, second, .. } = Time::from_epoch(epoch);
                // Writing to a Vec cannot fail.
                let _ =
                    write!(out, "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
                true
            }
            _ => false,
        });
    if !written {
        call.text(0, |text| out.extend_from_slice(text.get(..KEPT_BYTES).unwrap_or(text)));
    }
    Returned::Text
}

fn parse_time(call: &mut Call<'_, '_>, local: bool) -> Returned {
    let now = call.msg.map_or(0, |msg| msg.env.now.div_euclid(1_000_000));
    let zone = call.msg.map_or(Zone::UTC, |msg| msg.env.zone);
    let offset = if local { zone.offset_at(now) } else { 0 };
    let today = Time::from_epoch(now);
    let parsed = call.text(0, |text| {
        Time::decode_rfc3339(text).map(|(time, _)| time).or_else(|| {
            let time = rfc3164(text, offset)?;
            let year = year_of(time.month, &today);
            Some(Time { year, offset, ..time })
        })
    });
    call.scratch.error = parsed.is_none();
    // The reference knows no time before 1970.
    let parsed = parsed.filter(|time| (1970..=2100).contains(&time.year));
    Returned::Number(parsed.map_or(0, |time| time.to_epoch()))
}

fn rfc3164(text: &[u8], offset: i32) -> Option<Time> {
    let context = Context { year: 0, offset, year_after: false, zone_after: false };
    Time::decode_rfc3164(text, &context).map(|(time, _)| time)
}

/// The year that a month without one is in: in December, January belongs to the next; a month more than one
/// ahead, to the last.
fn year_of(month: u8, today: &Time) -> i32 {
    match (today.month, month) {
        (12, 1) => today.year + 1,
        (now, month) if month > now + 1 => today.year - 1,
        _ => today.year,
    }
}

fn is_time(call: &mut Call<'_, '_>, _: &mut Vec<u8>) -> Returned {
    let has_format = call.len() == 2;
    let is_number = call.number(0).1;
    let found = call.texts(|[text, format]| {
        let is = |name: &[u8]| !has_format || format == name;
        is(b"date-rfc3164") && rfc3164(text, 0).is_some()
            || is(b"date-rfc3339") && Time::decode_rfc3339(text).is_some()
            || is(b"date-unix") && is_number
    });
    call.scratch.error = !found;
    Returned::from(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_without_year_is_near_today() {
        let day = |year, month| Time { year, month, ..Time::from_epoch(0) };
        let table = [
            (12, day(2026, 1), 2025), // far ahead: the last one
            (2, day(2026, 1), 2026),
            (3, day(2026, 1), 2025),
            (1, day(2026, 12), 2027),
            (2, day(2026, 12), 2026),
            (12, day(2026, 11), 2026),
        ];
        for (month, today, want) in table {
            assert_eq!(year_of(month, &today), want, "{month} {today:?}");
        }
    }
}

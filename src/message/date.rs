//! Times as text: every `dateformat` of a template (`spec/message-model.md` section 7.2).
//!
//! Digits go straight to the output. A header time that already stands in the wanted format is copied.

use std::cell::{Cell, RefCell};
use std::ops::Range;

use super::record::Flags;
use super::timestamp::{Context, Sign, Time, Zone};
use super::view::Msg;

/// How a time is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DateFormat {
    /// `Mmm dd hh:mm:ss`, the day padded with a blank.
    #[default]
    Rfc3164,
    /// The same, the day padded with a zero.
    Rfc3164BuggyDay,
    /// `YYYY-MM-DDThh:mm:ss[.f](Z|±hh:mm)`, with the digits and the zone the time was given with.
    Rfc3339,
    /// `YYYYMMDDhhmmss`.
    MySql,
    /// `YYYY-MM-DD hh:mm:ss`.
    PgSql,
    /// Seconds since the epoch.
    UnixTimestamp,
    /// The digits of the fraction, `0` if there is none.
    Subseconds,
    /// `Sun` to `Sat`.
    WeekdayName,
    /// `0` (Sunday) to `6`.
    Weekday,
    /// Four digits.
    Year,
    /// Two digits.
    Month,
    /// Two digits.
    Day,
    /// Two digits.
    Hour,
    /// Two digits.
    Minute,
    /// Two digits.
    Second,
    /// Hours of the distance from UTC, two digits.
    ZoneHour,
    /// Minutes of the distance from UTC, two digits.
    ZoneMinute,
    /// `+` east of UTC, otherwise `-`; also `-` for `Z`.
    ZoneDirection,
    /// Day of the year, three digits.
    Ordinal,
    /// Week of the year, two digits; weeks begin on the weekday of 1 January.
    Week,
    /// ISO 8601 week, two digits.
    IsoWeek,
    /// The year that the ISO 8601 week belongs to.
    IsoWeekYear,
}

/// All formats by their names in `property(dateformat=…)`; string templates put `date-` in front.
const NAMES: [(&str, DateFormat); 22] = [
    ("rfc3164", DateFormat::Rfc3164),
    ("rfc3164-buggyday", DateFormat::Rfc3164BuggyDay),
    ("rfc3339", DateFormat::Rfc3339),
    ("mysql", DateFormat::MySql),
    ("pgsql", DateFormat::PgSql),
    ("unixtimestamp", DateFormat::UnixTimestamp),
    ("subseconds", DateFormat::Subseconds),
    ("wdayname", DateFormat::WeekdayName),
    ("wday", DateFormat::Weekday),
    ("year", DateFormat::Year),
    ("month", DateFormat::Month),
    ("day", DateFormat::Day),
    ("hour", DateFormat::Hour),
    ("minute", DateFormat::Minute),
    ("second", DateFormat::Second),
    ("tzoffshour", DateFormat::ZoneHour),
    ("tzoffsmin", DateFormat::ZoneMinute),
    ("tzoffsdirection", DateFormat::ZoneDirection),
    ("ordinal", DateFormat::Ordinal),
    ("week", DateFormat::Week),
    ("iso-week", DateFormat::IsoWeek),
    ("iso-week-year", DateFormat::IsoWeekYear),
];

impl DateFormat {
    /// The format of that name, in lower case.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        NAMES.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, format)| *format)
    }

    /// All names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }

    /// Appends `time` to `out`.
    pub fn write(self, time: &Time, out: &mut Vec<u8>) {
        match self {
            Self::Rfc3164 => out.extend_from_slice(&rfc3164(time, b' ')),
            Self::Rfc3164BuggyDay => out.extend_from_slice(&rfc3164(time, b'0')),
            Self::Rfc3339 => write_rfc3339(time, out),
            Self::MySql => {
                out.extend_from_slice(&four(time.year));
                let rest = [time.month, time.day, time.hour, time.minute, time.second];
                out.extend(rest.into_iter().flat_map(two));
            }
            Self::PgSql => out.extend_from_slice(&date_time(time, b' ')),
            Self::UnixTimestamp => write_decimal(unix(time), out),
            Self::Subseconds => write_fraction(time, time.precision.max(1), out),
            Self::WeekdayName => out.extend_from_slice(&name(WEEKDAYS, time.weekday())),
            Self::Weekday => out.push(b'0' + time.weekday()),
            Self::Year if !(1967..=2099).contains(&time.year) => {
                out.extend_from_slice(b"YEAR OUT OF RANGE(1967-2099)");
            }
            Self::Year => out.extend_from_slice(&four(time.year)),
            Self::Month => out.extend_from_slice(&two(time.month)),
            Self::Day => out.extend_from_slice(&two(time.day)),
            Self::Hour => out.extend_from_slice(&two(time.hour)),
            Self::Minute => out.extend_from_slice(&two(time.minute)),
            Self::Second => out.extend_from_slice(&two(time.second)),
            Self::ZoneHour => out.extend_from_slice(&two(zone(time).0)),
            Self::ZoneMinute => out.extend_from_slice(&two(zone(time).1)),
            Self::ZoneDirection => out.push(if time.sign == Sign::Plus { b'+' } else { b'-' }),
            Self::Ordinal => {
                out.push(b'0' + byte(time.ordinal() / 100));
                out.extend_from_slice(&two(byte(time.ordinal() % 100)));
            }
            Self::Week => out.extend_from_slice(&two(week(time))),
            Self::IsoWeek | Self::IsoWeekYear if !(1970..=2099).contains(&time.year) => {
                out.extend_from_slice(b"YEAR OUT OF RANGE(1970-2099)");
            }
            Self::IsoWeek => out.extend_from_slice(&two(iso_week(time).1)),
            Self::IsoWeekYear => out.extend_from_slice(&four(iso_week(time).0)),
        }
    }
}

impl Msg<'_> {
    /// The time the message arrived, in the local zone (`timegenerated`).
    #[must_use]
    pub fn received(&self) -> Time {
        local_time(self.record.received, &self.env.zone)
    }

    /// The time in the message's header, else the time it arrived (`timestamp`).
    #[must_use]
    pub fn reported(&self) -> Time {
        let text = self.timestamp_text();
        if let Some((time, _)) = Time::decode_rfc3339(text) {
            return time;
        }
        let received = self.received();
        let context = Context {
            year: received.year,
            offset: self.sender().input.default_tz.unwrap_or(received.offset),
            // Only where the parser has taken one into the field.
            year_after: true,
            zone_after: true,
        };
        Time::decode_rfc3164(text, &context).map_or(received, |(time, _)| time)
    }

    /// Appends the header's time, else the arrival time.
    pub fn write_reported(&self, format: DateFormat, out: &mut Vec<u8>) {
        let text = self.timestamp_text();
        match format {
            DateFormat::Rfc3339 => {
                if self.write_again(text, out) {
                    return;
                }
                if let Some(text) = canonical_rfc3164(text) {
                    return self.write_rfc3339_of(text, out);
                }
                if let Some(ready) = canonical_rfc3339(text) {
                    return out.extend_from_slice(ready);
                }
            }
            DateFormat::Rfc3164 => {
                if let Some(ready) = canonical_rfc3164(text) {
                    return out.extend_from_slice(ready);
                }
            }
            _ => {}
        }
        format.write(&self.reported(), out);
    }

    /// Messages of one second arrive in a row, so what was made of the last header time mostly serves again.
    /// Returns whether it did.
    fn write_again(&self, text: &[u8], out: &mut Vec<u8>) -> bool {
        LAST.with_borrow(|last| match last {
            Some(Rendered { key, received, made })
                if key.0 == text
                    && received.contains(&self.record.received)
                    && (key.1, key.2) == self.default_zone() =>
            {
                out.extend_from_slice(made);
                true
            }
            _ => false,
        })
    }

    /// Appends the header's time, which is `text`, as RFC 3339, and keeps that for the next messages.
    fn write_rfc3339_of(&self, text: &[u8; 15], out: &mut Vec<u8>) {
        let received = self.record.received;
        let start = out.len();
        DateFormat::Rfc3339.write(&self.reported(), out);
        let begin = received.saturating_sub(received.rem_euclid(QUARTER_HOUR_USEC));
        let received = begin..begin.saturating_add(QUARTER_HOUR_USEC);
        let made = out.get(start..).and_then(|made| made.try_into().ok());
        let (zone, default) = self.default_zone();
        let mut key = ([b' '; 16], zone, default);
        key.0[..text.len()].copy_from_slice(text);
        LAST.set(made.map(|made| Rendered { key, received, made }));
    }

    /// What the zone of a time without one depends on: the local zone's begin and offset, and the input's own.
    fn default_zone(&self) -> ((i64, i32), Option<i32>) {
        let zone = &self.env.zone;
        ((zone.from, zone.offset), self.sender().input.default_tz)
    }

    fn timestamp_text(&self) -> &[u8] {
        if self.record.flags.has(Flags::HAS_TIMESTAMP) {
            self.field(self.record.timestamp)
        } else {
            &[]
        }
    }
}

/// The civil time of `usec` microseconds since the epoch. Most messages ask for the second of the last one.
pub(super) fn local_time(usec: i64, zone: &Zone) -> Time {
    let second = usec.div_euclid(1_000_000);
    let key = (second, zone.from, zone.offset);
    let time = match SECOND.get() {
        Some((known, time)) if known == key => time,
        _ => {
            let time = Time::from_epoch_usec(usec, zone);
            SECOND.set(Some((key, time)));
            time
        }
    };
    Time { usec: u32::try_from(usec.rem_euclid(1_000_000)).unwrap_or(0), ..time }
}

/// An RFC 3164 time as RFC 3339, and all that its date, year and zone depend on.
struct Rendered {
    /// The time with a blank behind it, the local zone's begin and offset, and the input's own.
    key: ([u8; 16], (i64, i32), Option<i32>),
    /// The year and the zone change only at a whole quarter of an hour: this one's microseconds.
    received: Range<i64>,
    made: [u8; 25],
}

/// What was made last, behind what it was made of.
type Last<K, T> = Option<(K, T)>;

thread_local! {
    /// The last second this thread has made a civil time of: epoch second and zone, time.
    static SECOND: Cell<Last<(i64, i64, i32), Time>> = const { Cell::new(None) };
    /// The last RFC 3164 time this thread has written as RFC 3339.
    static LAST: RefCell<Option<Rendered>> = const { RefCell::new(None) };
}

const QUARTER_HOUR_USEC: i64 = 15 * 60 * 1_000_000;

/// `time` at UTC, as the `date-utc` option shows it: six digits of fraction, `+00:00`.
///
/// The reference takes a fraction of fewer digits for microseconds (.05 becomes .000005); here it keeps
/// its value.
#[must_use]
pub fn utc(time: &Time) -> Time {
    Time { precision: 6, ..time.to_utc() }
}

/// The part of a valid RFC 3164 header time that is already written the way it would be rendered.
fn canonical_rfc3164(text: &[u8]) -> Option<&[u8; 15]> {
    let (time, rest) = text.split_first_chunk::<15>()?;
    let named = time[0].is_ascii_uppercase()
        && time[1].is_ascii_lowercase()
        && time[2].is_ascii_lowercase();
    let shaped = time[3] == b' '
        && matches!(time[4], b' ' | b'1'..=b'3')
        && time[6] == b' '
        && time[9] == b':'
        && time[12] == b':'
        && time[13].is_ascii_digit()
        && time[14].is_ascii_digit();
    (named && shaped && matches!(rest, b"" | b" " | b":" | b": ")).then_some(time)
}

/// The part of a valid RFC 3339 header time that is already written the way it would be rendered: all
/// numbers with their full digits, no more than six of them in the fraction.
fn canonical_rfc3339(text: &[u8]) -> Option<&[u8]> {
    let text = text.strip_suffix(b" ").unwrap_or(text);
    let (time, rest) = text.split_first_chunk::<19>()?;
    let shaped = time[4] == b'-'
        && time[7] == b'-'
        && time[10] == b'T'
        && time[13] == b':'
        && time[16] == b':';
    let zone = match rest.strip_prefix(b".") {
        Some(rest) => {
            let digits = rest.iter().take_while(|c| c.is_ascii_digit()).count();
            (1..=6).contains(&digits).then(|| rest.get(digits..)).flatten()?
        }
        None => rest,
    };
    let zoned = matches!(zone, b"Z" | [b'+' | b'-', _, _, b':', _, _]);
    (shaped && zoned).then_some(text)
}

/// Seconds since the epoch in 32 bits without a sign, also of the first hours of 1970 in the east, as the reference
/// writes them; 0 for years that it does not convert.
fn unix(time: &Time) -> u64 {
    let seconds = if (1970..=2100).contains(&time.year) { time.to_epoch() } else { 0 };
    seconds.rem_euclid(1 << 32).unsigned_abs()
}

/// Hours and minutes of the distance from UTC.
fn zone(time: &Time) -> (u8, u8) {
    let minutes = time.offset.unsigned_abs() / 60;
    let small = |n: u32| u8::try_from(n).unwrap_or(0);
    (small(minutes / 60), small(minutes % 60))
}

fn week(time: &Time) -> u8 {
    let days_before = time.ordinal().saturating_sub(1);
    let new_year = Time { month: 1, day: 1, ..*time };
    byte(days_before.div_ceil(7)) + u8::from(time.weekday() < new_year.weekday())
}

/// Year and week by ISO 8601: the week of a day is that of its Thursday.
fn iso_week(time: &Time) -> (i32, u8) {
    let weekday = u16::from(if time.weekday() == 0 { 7 } else { time.weekday() });
    match (10 + time.ordinal()).saturating_sub(weekday) / 7 {
        0 => (time.year - 1, weeks(time, time.year - 1)),
        week if byte(week) > weeks(time, time.year) => (time.year + 1, 1),
        week => (time.year, byte(week)),
    }
}

/// Number of ISO 8601 weeks in `year`: 53 if its 31 December is a Thursday, or a Friday in a leap year.
fn weeks(time: &Time, year: i32) -> u8 {
    let last = Time { year, month: 12, day: 31, ..*time };
    let long = last.weekday() == 4 || (last.weekday() == 5 && last.ordinal() == 366);
    52 + u8::from(long)
}

fn byte(n: u16) -> u8 {
    u8::try_from(n).unwrap_or(0)
}

/// A time in the name of a file, UTC: `20260102T030405`.
#[must_use]
pub fn stamp(epoch_seconds: i64) -> String {
    let mut text = Vec::new();
    let time = Time::from_epoch_usec(epoch_seconds.saturating_mul(1_000_000), &Zone::UTC);
    DateFormat::Rfc3339.write(&time, &mut text);
    let text = text.iter().take(19).filter(|byte| !matches!(byte, b'-' | b':'));
    text.map(|byte| char::from(*byte)).collect()
}

/// Appends `n` in decimal.
pub fn write_decimal(mut n: u64, out: &mut Vec<u8>) {
    let mut digits = [0u8; 20];
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + u8::try_from(n % 10).unwrap_or(0);
        n /= 10;
        used += 1;
        if n == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - used..).unwrap_or_default());
}

fn two(n: u8) -> [u8; 2] {
    [b'0' + n / 10 % 10, b'0' + n % 10]
}

fn four(year: i32) -> [u8; 4] {
    let year = u16::try_from(year).unwrap_or(0) % 10_000;
    let [[a, b], [c, d]] = [two(byte(year / 100)), two(byte(year % 100))];
    [a, b, c, d]
}

/// The `index`th of some three-letter names.
fn name(names: &[u8], index: u8) -> [u8; 3] {
    let name = names.get(usize::from(index) * 3..).and_then(<[u8]>::first_chunk);
    name.copied().unwrap_or(*b"???")
}

fn date_time(time: &Time, between: u8) -> [u8; 19] {
    let [y1, y2, y3, y4] = four(time.year);
    let [[o1, o2], [d1, d2]] = [two(time.month), two(time.day)];
    let [[h1, h2], [m1, m2], [s1, s2]] = [two(time.hour), two(time.minute), two(time.second)];
    [y1, y2, y3, y4, b'-', o1, o2, b'-', d1, d2, between, h1, h2, b':', m1, m2, b':', s1, s2]
}

fn rfc3164(time: &Time, pad: u8) -> [u8; 15] {
    let [n1, n2, n3] = name(MONTHS, time.month.wrapping_sub(1));
    let [d1, d2] = two(time.day);
    let d1 = if d1 == b'0' { pad } else { d1 };
    let [[h1, h2], [m1, m2], [s1, s2]] = [two(time.hour), two(time.minute), two(time.second)];
    [n1, n2, n3, b' ', d1, d2, b' ', h1, h2, b':', m1, m2, b':', s1, s2]
}

fn write_rfc3339(time: &Time, out: &mut Vec<u8>) {
    out.extend_from_slice(&date_time(time, b'T'));
    if time.precision > 0 {
        out.push(b'.');
        write_fraction(time, time.precision, out);
    }
    if time.sign == Sign::Zulu {
        return out.push(b'Z');
    }
    let (hours, minutes) = zone(time);
    let [[h1, h2], [m1, m2]] = [two(hours), two(minutes)];
    let sign = if time.sign == Sign::Plus { b'+' } else { b'-' };
    out.extend_from_slice(&[sign, h1, h2, b':', m1, m2]);
}

/// The first `digits` of the fraction.
fn write_fraction(time: &Time, digits: u8, out: &mut Vec<u8>) {
    let pair = |n: u32| two(u8::try_from(n % 100).unwrap_or(0));
    let [[a, b], [c, d], [e, f]] =
        [pair(time.usec / 10_000), pair(time.usec / 100), pair(time.usec)];
    let all = [a, b, c, d, e, f];
    out.extend_from_slice(&all[..usize::from(digits.min(6))]);
}

const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
const WEEKDAYS: &[u8; 21] = b"SunMonTueWedThuFriSat";

/// As ctime(3), without a line's end: `Fri Nov  5 07:39:41 2026`. `pad` stands before a day of one digit.
pub fn write_ctime(time: &Time, pad: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&name(WEEKDAYS, time.weekday()));
    out.push(b' ');
    out.extend_from_slice(&rfc3164(time, pad));
    out.push(b' ');
    out.extend_from_slice(&four(time.year));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::sample::Sample;
    use crate::message::{Env, InputInfo, Zone};

    fn rendered(format: DateFormat, time: &Time) -> String {
        let mut out = Vec::new();
        format.write(time, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    fn reported(sample: &Sample, format: &str) -> String {
        let mut out = Vec::new();
        let format = DateFormat::parse(format.as_bytes()).expect(format);
        sample.msg().write_reported(format, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    fn at(text: &str) -> Time {
        Time::decode_rfc3339(text.as_bytes()).expect(text).0
    }

    #[test]
    fn every_format() {
        let time = at("2026-01-05T03:04:05.067+02:30");
        let expected = [
            ("rfc3164", "Jan  5 03:04:05"),
            ("rfc3164-buggyday", "Jan 05 03:04:05"),
            ("rfc3339", "2026-01-05T03:04:05.067+02:30"),
            ("mysql", "20260105030405"),
            ("pgsql", "2026-01-05 03:04:05"),
            ("unixtimestamp", "1767573245"),
            ("subseconds", "067"),
            ("wdayname", "Mon"),
            ("wday", "1"),
            ("year", "2026"),
            ("month", "01"),
            ("day", "05"),
            ("hour", "03"),
            ("minute", "04"),
            ("second", "05"),
            ("tzoffshour", "02"),
            ("tzoffsmin", "30"),
            ("tzoffsdirection", "+"),
            ("ordinal", "005"),
            ("week", "02"),
            ("iso-week", "02"),
            ("iso-week-year", "2026"),
        ];
        assert!(DateFormat::names().eq(expected.iter().map(|(name, _)| *name)));
        for (name, text) in expected {
            let format = DateFormat::parse(name.as_bytes()).expect(name);
            assert_eq!(rendered(format, &time), text, "{name}");
        }
        assert_eq!(DateFormat::parse(b"RFC3339"), None);
    }

    #[test]
    fn zones_and_fractions() {
        use DateFormat::{Rfc3339, Subseconds, ZoneDirection, ZoneHour};
        let rows = [
            (Rfc3339, "2026-12-31T23:59:60Z", "2026-12-31T23:59:60Z"),
            (Rfc3339, "2026-12-31T23:59:59.1234567-00:00", "2026-12-31T23:59:59.123456-00:00"),
            (Rfc3339, "0007-1-2T3:4:5-11:45", "0007-01-02T03:04:05-11:45"),
            (Subseconds, "2026-12-31T23:59:59Z", "0"),
            (Subseconds, "2026-12-31T23:59:59.0Z", "0"),
            (Subseconds, "2026-12-31T23:59:59.050Z", "050"),
            (ZoneDirection, "2026-12-31T23:59:59Z", "-"),
            (ZoneDirection, "2026-12-31T23:59:59+00:00", "+"),
            (ZoneHour, "2026-12-31T23:59:59-11:45", "11"),
        ];
        for (format, text, expected) in rows {
            assert_eq!(rendered(format, &at(text)), expected, "{format:?} {text}");
        }
        let shifted = utc(&at("2024-01-02T03:04:05.05+02:30"));
        assert_eq!(rendered(Rfc3339, &shifted), "2024-01-02T00:34:05.050000+00:00");
        assert_eq!(
            rendered(Rfc3339, &utc(&at("2024-03-01T00:00:00+00:01"))),
            "2024-02-29T23:59:00.000000+00:00"
        );
    }

    #[test]
    fn weeks_of_the_year() {
        // date, ordinal, week, ISO year and week
        let rows = [
            ("2024-12-31", "366", "53", "2025", "01"),
            ("2025-01-01", "001", "00", "2025", "01"),
            ("2025-12-28", "362", "53", "2025", "52"),
            ("2025-12-29", "363", "53", "2026", "01"),
            ("2027-01-01", "001", "00", "2026", "53"),
            ("2027-01-03", "003", "02", "2026", "53"),
            ("2027-01-04", "004", "02", "2027", "01"),
            ("2020-12-31", "366", "53", "2020", "53"),
            ("2023-01-01", "001", "00", "2022", "52"),
        ];
        for (date, ordinal, week, iso_year, iso_week) in rows {
            let time = at(&format!("{date}T00:00:00+14:00"));
            assert_eq!(rendered(DateFormat::Ordinal, &time), ordinal, "{date}");
            assert_eq!(rendered(DateFormat::Week, &time), week, "{date}");
            assert_eq!(rendered(DateFormat::IsoWeekYear, &time), iso_year, "{date}");
            assert_eq!(rendered(DateFormat::IsoWeek, &time), iso_week, "{date}");
        }
    }

    #[test]
    fn years_out_of_range() {
        let time = at("1966-01-01T00:00:00Z");
        assert_eq!(rendered(DateFormat::Year, &time), "YEAR OUT OF RANGE(1967-2099)");
        assert_eq!(rendered(DateFormat::IsoWeek, &time), "YEAR OUT OF RANGE(1970-2099)");
        assert_eq!(rendered(DateFormat::IsoWeekYear, &time), "YEAR OUT OF RANGE(1970-2099)");
        assert_eq!(rendered(DateFormat::UnixTimestamp, &time), "0");
        assert_eq!(rendered(DateFormat::PgSql, &time), "1966-01-01 00:00:00");
        let time = at("1970-01-01T00:00:00+04:00");
        assert_eq!(rendered(DateFormat::UnixTimestamp, &time), "4294952896");
    }

    #[test]
    fn header_times() {
        // timestamp in the header, as RFC 3164, as RFC 3339
        let rows = [
            ("Oct 11 22:14:15", "Oct 11 22:14:15", "2026-10-11T22:14:15+00:00"),
            ("Oct  1 22:14:15", "Oct  1 22:14:15", "2026-10-01T22:14:15+00:00"),
            ("Oct 01 22:14:15", "Oct  1 22:14:15", "2026-10-01T22:14:15+00:00"),
            ("oct 11 22:14:15", "Oct 11 22:14:15", "2026-10-11T22:14:15+00:00"),
            ("Oct 1 2:14:15", "Oct  1 02:14:15", "2026-10-01T02:14:15+00:00"),
            ("Oct 11 22:14:15:", "Oct 11 22:14:15", "2026-10-11T22:14:15+00:00"),
            ("Oct 11 22:14:1 ", "Oct 11 22:14:01", "2026-10-11T22:14:01+00:00"),
            ("Oct 11 22:14:1:", "Oct 11 22:14:01", "2026-10-11T22:14:01+00:00"),
            ("Oct 11 22:14:15.123", "Oct 11 22:14:15", "2026-10-11T22:14:15.123+00:00"),
            ("Jan  2 2024 03:04:05", "Jan  2 03:04:05", "2024-01-02T03:04:05+00:00"),
            ("Jan  2 03:04:05 2023 ", "Jan  2 03:04:05", "2023-01-02T03:04:05+00:00"),
            ("2024-01-02T03:04:05.5-03:00", "Jan  2 03:04:05", "2024-01-02T03:04:05.5-03:00"),
            ("2024-1-2T03:04:05Z", "Jan  2 03:04:05", "2024-01-02T03:04:05Z"),
            ("2024-01-02T03:04:05.1234567Z", "Jan  2 03:04:05", "2024-01-02T03:04:05.123456Z"),
        ];
        for (text, rfc3164, rfc3339) in rows {
            for behind in ["", " "] {
                let text = format!("{text}{behind}");
                let sample = Sample::rfc3164(13, &text, "h", "t:", "t", b" x");
                assert_eq!(reported(&sample, "rfc3164"), rfc3164, "{text:?}");
                assert_eq!(reported(&sample, "rfc3339"), rfc3339, "{text:?}");
            }
        }
        let none = Sample::raw(b"x");
        assert_eq!(reported(&none, "rfc3164"), "Nov 20 09:53:11");
        assert_eq!(reported(&none, "rfc3339"), "2026-11-20T09:53:11.606468+00:00");
        assert_eq!(reported(&none.zone(-12_600), "rfc3339"), "2026-11-20T06:23:11.606468-03:30");
    }

    #[test]
    fn the_last_text_serves_only_the_same_time_zone_and_year() {
        let sample = || Sample::rfc3164(13, "Dec 31 23:59:59", "h", "t:", "t", b" x");
        let text = |sample: &Sample| reported(sample, "rfc3339");
        assert_eq!(text(&sample()), "2026-12-31T23:59:59+00:00");
        assert_eq!(text(&sample()), "2026-12-31T23:59:59+00:00");
        assert_eq!(text(&sample().zone(3600)), "2026-12-31T23:59:59+01:00");
        let later = |days: i64| sample().with(|record| record.received += days * 86_400_000_000);
        assert_eq!(text(&later(42)), "2027-12-31T23:59:59+00:00");
        assert_eq!(text(&later(0)), "2026-12-31T23:59:59+00:00");
        let mut batch = crate::message::Batch::default();
        let input = InputInfo { default_tz: Some(-1800), ..InputInfo::default() };
        let origin = sample();
        let (record, raw) = (*origin.msg().record, origin.msg().raw().to_vec());
        batch.bytes.append(&raw);
        batch.records.push(record);
        batch.senders.push(crate::message::Sender::local(input.into(), b"h").into());
        let env = Env {
            now: 0,
            zone: Zone::UTC,
            hostname: Box::default(),
            uptime: 0,
            globals: std::sync::Arc::default(),
        };
        let mut out = Vec::new();
        let msg = Msg::at(&batch, 0, &env).expect("a message");
        msg.write_reported(DateFormat::Rfc3339, &mut out);
        assert_eq!(out, b"2026-12-31T23:59:59-00:30");
    }

    #[test]
    fn decimal_numbers() {
        for number in [0, 9, 10, 191, 18_446_744_073_709_551_615] {
            let mut out = Vec::new();
            write_decimal(number, &mut out);
            assert_eq!(String::from_utf8(out).expect("ASCII"), number.to_string());
        }
    }
}

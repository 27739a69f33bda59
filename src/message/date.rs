//! Times as text: every `dateformat` of a template (`spec/message-model.md` section 7.2).
//!
//! Digits go straight to the output. A header time that already stands in the wanted format is copied.

use super::record::Flags;
use super::timestamp::{Context, Sign, Time};
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
        let mut text = Text::default();
        match self {
            Self::Rfc3164 => text.rfc3164(time, b' '),
            Self::Rfc3164BuggyDay => text.rfc3164(time, b'0'),
            Self::Rfc3339 => text.rfc3339(time),
            Self::MySql => {
                text.year(time.year);
                [time.month, time.day, time.hour, time.minute, time.second]
                    .into_iter()
                    .for_each(|n| text.two(n));
            }
            Self::PgSql => text.date_time(time, b' '),
            Self::UnixTimestamp => return write_decimal(unix(time), out),
            Self::Subseconds if time.precision == 0 => text.push(b'0'),
            Self::Subseconds => text.fraction(time),
            Self::WeekdayName => text.three(WEEKDAYS, time.weekday()),
            Self::Weekday => text.push(b'0' + time.weekday()),
            Self::Year if !(1967..=2099).contains(&time.year) => {
                return out.extend_from_slice(b"YEAR OUT OF RANGE(1967-2099)");
            }
            Self::Year => text.year(time.year),
            Self::Month => text.two(time.month),
            Self::Day => text.two(time.day),
            Self::Hour => text.two(time.hour),
            Self::Minute => text.two(time.minute),
            Self::Second => text.two(time.second),
            Self::ZoneHour => text.two(zone(time).0),
            Self::ZoneMinute => text.two(zone(time).1),
            Self::ZoneDirection => text.push(if time.sign == Sign::Plus { b'+' } else { b'-' }),
            Self::Ordinal => {
                text.push(b'0' + byte(time.ordinal() / 100));
                text.two(byte(time.ordinal() % 100));
            }
            Self::Week => text.two(week(time)),
            Self::IsoWeek | Self::IsoWeekYear if !(1970..=2099).contains(&time.year) => {
                return out.extend_from_slice(b"YEAR OUT OF RANGE(1970-2099)");
            }
            Self::IsoWeek => text.two(iso_week(time).1),
            Self::IsoWeekYear => text.year(iso_week(time).0),
        }
        out.extend_from_slice(text.used());
    }
}

impl Msg<'_> {
    /// The time the message arrived, in the local zone (`timegenerated`).
    #[must_use]
    pub fn received(&self) -> Time {
        Time::from_epoch_usec(self.record.received, &self.env.zone)
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
            year_after: true, // only where the parser has taken one into the field
        };
        Time::decode_rfc3164(text, &context).map_or(received, |(time, _)| time)
    }

    /// Appends the header's time, else the arrival time.
    pub fn write_reported(&self, format: DateFormat, out: &mut Vec<u8>) {
        let text = self.timestamp_text();
        let ready = match format {
            DateFormat::Rfc3339 => canonical_rfc3339(text),
            DateFormat::Rfc3164 => canonical_rfc3164(text),
            _ => None,
        };
        match ready {
            Some(text) => out.extend_from_slice(text),
            None => format.write(&self.reported(), out),
        }
    }

    fn timestamp_text(&self) -> &[u8] {
        if self.record.flags.has(Flags::HAS_TIMESTAMP) {
            self.field(self.record.timestamp)
        } else {
            &[]
        }
    }
}

/// `time` at UTC, as the `date-utc` option shows it: six digits of fraction, `+00:00`.
///
/// The reference takes a fraction of fewer digits for microseconds (.05 becomes .000005); here it keeps
/// its value.
#[must_use]
pub fn utc(time: &Time) -> Time {
    Time { precision: 6, ..time.to_utc() }
}

/// The part of a valid RFC 3164 header time that is already written the way it would be rendered.
fn canonical_rfc3164(text: &[u8]) -> Option<&[u8]> {
    let (time, rest) = text.split_first_chunk::<15>()?;
    let month = time.first_chunk::<3>()?;
    let named = MONTHS.chunks_exact(3).any(|name| name == month);
    let shaped = time[3] == b' '
        && matches!(time[4], b' ' | b'1'..=b'3')
        && time[6] == b' '
        && time[9] == b':'
        && time[12] == b':';
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

/// Seconds since the epoch; 0 for years that the reference does not convert.
fn unix(time: &Time) -> u64 {
    if (1970..=2100).contains(&time.year) { u64::try_from(time.to_epoch()).unwrap_or(0) } else { 0 }
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
    byte((days_before + 6) / 7) + u8::from(time.weekday() < new_year.weekday())
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

/// A text under construction, no longer than the longest time.
#[derive(Default)]
struct Text {
    bytes: [u8; 32],
    len: usize,
}

impl Text {
    fn used(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn push(&mut self, c: u8) {
        if let Some(slot) = self.bytes.get_mut(self.len) {
            *slot = c;
            self.len += 1;
        }
    }

    fn two(&mut self, n: u8) {
        self.push(b'0' + n / 10 % 10);
        self.push(b'0' + n % 10);
    }

    fn year(&mut self, year: i32) {
        let year = u16::try_from(year).unwrap_or(0) % 10_000;
        self.two(byte(year / 100));
        self.two(byte(year % 100));
    }

    /// The `index`th of the three-letter names.
    fn three(&mut self, names: &[u8], index: u8) {
        let start = usize::from(index) * 3;
        for c in names.get(start..start + 3).unwrap_or_default() {
            self.push(*c);
        }
    }

    fn time(&mut self, time: &Time) {
        self.two(time.hour);
        self.push(b':');
        self.two(time.minute);
        self.push(b':');
        self.two(time.second);
    }

    fn date_time(&mut self, time: &Time, between: u8) {
        self.year(time.year);
        self.push(b'-');
        self.two(time.month);
        self.push(b'-');
        self.two(time.day);
        self.push(between);
        self.time(time);
    }

    fn rfc3164(&mut self, time: &Time, pad: u8) {
        self.three(MONTHS, time.month.saturating_sub(1));
        self.push(b' ');
        self.push(if time.day < 10 { pad } else { b'0' + time.day / 10 });
        self.push(b'0' + time.day % 10);
        self.push(b' ');
        self.time(time);
    }

    fn rfc3339(&mut self, time: &Time) {
        self.date_time(time, b'T');
        if time.precision > 0 {
            self.push(b'.');
            self.fraction(time);
        }
        if time.sign == Sign::Zulu {
            return self.push(b'Z');
        }
        let (hours, minutes) = zone(time);
        self.push(if time.sign == Sign::Plus { b'+' } else { b'-' });
        self.two(hours);
        self.push(b':');
        self.two(minutes);
    }

    fn fraction(&mut self, time: &Time) {
        let (high, rest) = (time.usec / 10_000 % 100, time.usec % 10_000);
        let start = self.len;
        for pair in [high, rest / 100, rest % 100] {
            self.two(u8::try_from(pair).unwrap_or(0));
        }
        self.len = start + usize::from(time.precision.min(6));
    }
}

const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
const WEEKDAYS: &[u8; 21] = b"SunMonTueWedThuFriSat";

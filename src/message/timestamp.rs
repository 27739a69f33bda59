//! Points in time as syslog writes them: decoding RFC 3164 and RFC 3339 texts, calendar arithmetic, zones.
//! No clock is read here, and nothing is formatted.
//!
//! The decoders accept what the reference accepts, one-digit days and hours, years before or behind the
//! day and all (`spec/message-model.md` section 7.1). The usual shape of each text is read at fixed
//! positions; everything else goes through a cursor. A parser calls them to find out how long a timestamp
//! is and throws the value away; a template calls them again on those bytes and gets the same answer.

const QUARTER_HOUR_SECONDS: i64 = 15 * 60;

/// The local time zone, as one offset with its span of validity and a way to ask for others.
#[derive(Clone, Copy, Debug)]
pub struct Zone {
    /// Seconds east of UTC within `from..until`.
    pub offset: i32,
    /// First second (epoch) for which `offset` is known to hold.
    pub from: i64,
    /// First second for which it is not known any more.
    pub until: i64,
    /// The offset at any other time (`sys::clock::local_offset`).
    pub lookup: fn(i64) -> i32,
}

impl Zone {
    /// UTC.
    pub const UTC: Self = Self { offset: 0, from: i64::MIN, until: i64::MAX, lookup: |_| 0 };

    /// The zone around `now` (epoch seconds). `lookup` is asked once; its answer holds for the quarter of an
    /// hour around `now`, because zones change their offset only at a whole quarter of an hour of UTC.
    #[must_use]
    pub fn at(now: i64, lookup: fn(i64) -> i32) -> Self {
        let from = now - now.rem_euclid(QUARTER_HOUR_SECONDS);
        Self { offset: lookup(now), from, until: from + QUARTER_HOUR_SECONDS, lookup }
    }

    /// Seconds east of UTC at `epoch` seconds.
    #[must_use]
    pub fn offset_at(&self, epoch: i64) -> i32 {
        if epoch >= self.from && epoch < self.until { self.offset } else { (self.lookup)(epoch) }
    }
}

/// How a time writes its distance from UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// As `Z`.
    Zulu,
    /// As `+hh:mm`.
    Plus,
    /// As `-hh:mm`; `-00:00` keeps its sign.
    Minus,
}

/// A point in time as it was written: a civil date and time with its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// 0–2100.
    pub year: i32,
    /// 1–12.
    pub month: u8,
    /// 1–31, also in shorter months.
    pub day: u8,
    /// 0–23.
    pub hour: u8,
    /// 0–59.
    pub minute: u8,
    /// 0–60.
    pub second: u8,
    /// Microseconds, 0–999999.
    pub usec: u32,
    /// Digits of the fraction that were written, 0–6.
    pub precision: u8,
    /// Seconds east of UTC.
    pub offset: i32,
    /// How `offset` was written.
    pub sign: Sign,
}

/// What an RFC 3164 time leaves out, and how to read it.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The year of the reception time.
    pub year: i32,
    /// Seconds east of UTC: the input's `defaultTZ`, else the local offset at the reception time.
    pub offset: i32,
    /// Whether a year may stand behind the time (`detect.YearAfterTimestamp`).
    pub year_after: bool,
    /// Whether an offset, as RFC 3339 has it, may stand behind the time: where a parser has put one there.
    pub zone_after: bool,
}

impl Time {
    /// The civil time of `usec` microseconds since the epoch, in `zone`.
    #[must_use]
    pub fn from_epoch_usec(usec: i64, zone: &Zone) -> Self {
        let epoch = usec.div_euclid(1_000_000);
        let offset = zone.offset_at(epoch);
        let time = Self::from_epoch(epoch.saturating_add(i64::from(offset)));
        Self {
            usec: small(usec.rem_euclid(1_000_000)),
            precision: 6,
            offset,
            sign: Sign::of(offset),
            ..time
        }
    }

    /// The civil time in UTC, without fraction, of `epoch` seconds since the epoch.
    #[must_use]
    pub fn from_epoch(epoch: i64) -> Self {
        let (year, month, day) = civil(epoch.div_euclid(DAY));
        let second: u32 = small(epoch.rem_euclid(DAY));
        Self {
            year,
            month,
            day,
            hour: small8(second / 3600),
            minute: small8(second / 60 % 60),
            second: small8(second % 60),
            usec: 0,
            precision: 0,
            offset: 0,
            sign: Sign::Plus,
        }
    }

    /// Seconds since the epoch.
    #[must_use]
    pub fn to_epoch(&self) -> i64 {
        let seconds = i64::from(self.hour) * 3600 + i64::from(self.minute) * 60;
        self.days() * DAY + seconds + i64::from(self.second) - i64::from(self.offset)
    }

    /// The same instant in UTC, written as `+00:00`.
    #[must_use]
    pub fn to_utc(&self) -> Self {
        Self { usec: self.usec, precision: self.precision, ..Self::from_epoch(self.to_epoch()) }
    }

    /// Day of the week, Sunday = 0.
    #[must_use]
    pub fn weekday(&self) -> u8 {
        small8(small((self.days() + 4).rem_euclid(7)))
    }

    /// Day of the year, from 1.
    #[must_use]
    pub fn ordinal(&self) -> u16 {
        let first = days(self.year, 1, 1);
        u16::try_from(self.days() - first + 1).unwrap_or(0)
    }

    /// Days since the epoch.
    fn days(&self) -> i64 {
        days(self.year, self.month, self.day)
    }

    /// The time in a message header, in either format, with the bytes it takes up.
    #[must_use]
    pub fn decode(text: &[u8], context: &Context) -> Option<(Self, usize)> {
        // Only the usual case of an RFC 3164 time begins with a letter.
        let letter = text.first().is_some_and(u8::is_ascii_alphabetic);
        let rfc3339 = if letter { None } else { Self::decode_rfc3339(text) };
        rfc3339.or_else(|| Self::decode_rfc3164(text, context))
    }

    /// An RFC 3339 time at the start of `text`, with the bytes it takes up, the blank behind it included.
    /// It must be followed by a blank or nothing.
    #[must_use]
    pub fn decode_rfc3339(text: &[u8]) -> Option<(Self, usize)> {
        let mut cursor = Cursor { text, at: 0 };
        let mut time = match rfc3339_fixed(text) {
            Some(time) => {
                cursor.at = 19;
                time
            }
            None => rfc3339_free(&mut cursor)?,
        };
        (time.usec, time.precision) = cursor.fraction();
        (time.offset, time.sign) = cursor.zone()?;
        cursor.end()?;
        Some((time, cursor.at))
    }

    /// An RFC 3164 time at the start of `text`, with the bytes it takes up, a colon and the blank behind it
    /// included. It must be followed by a blank or nothing; with a year in front, by a blank.
    #[must_use]
    pub fn decode_rfc3164(text: &[u8], context: &Context) -> Option<(Self, usize)> {
        match rfc3164_fixed(text) {
            Some(time) if text.get(15) == Some(&b' ') && !context.year_after => {
                let Context { year, offset, .. } = *context;
                Some((Self { year, offset, sign: Sign::of(offset), ..time }, 16))
            }
            _ => Self::decode_rfc3164_free(text, context),
        }
    }

    /// As [`Time::decode_rfc3164`], byte by byte.
    #[cold]
    fn decode_rfc3164_free(text: &[u8], context: &Context) -> Option<(Self, usize)> {
        let mut cursor = Cursor { text, at: 0 };
        let (mut time, year) = rfc3164_free(&mut cursor)?;
        (time.usec, time.precision) = cursor.fraction();
        let year_after = || context.year_after.then(|| cursor.year_after()).flatten();
        time.year = match year {
            Some(year) => year,
            None => match year_after() {
                Some(year) => {
                    cursor.at += 5;
                    year
                }
                None => context.year,
            },
        };
        (time.offset, time.sign) = match cursor.peek() {
            Some(b'+' | b'-') if context.zone_after => cursor.zone()?,
            _ => (context.offset, Sign::of(context.offset)),
        };
        if cursor.peek() == Some(b':') {
            cursor.at += 1;
        }
        // As in the reference, which counts the blank behind a leading year twice.
        if text.first().is_some_and(u8::is_ascii_digit) && cursor.peek().is_none() {
            return None;
        }
        cursor.end()?;
        Some((time, cursor.at))
    }
}

/// Places in an RFC 3164 time behind which a time zone may be named.
#[derive(Debug, PartialEq, Eq)]
pub struct WithZone {
    /// End of the time alone.
    pub end: usize,
    /// Name of the zone; empty if there is none.
    pub zone: std::ops::Range<usize>,
    /// Length with all that belongs to the time.
    pub len: usize,
}

/// Finds a time as [`Time::decode_rfc3164`] takes it, with or without the name of a zone.
#[must_use]
pub fn with_zone_name(text: &[u8]) -> Option<WithZone> {
    const NAME_BYTES: usize = 15;
    let mut cursor = Cursor { text, at: 0 };
    rfc3164_free(&mut cursor)?;
    cursor.fraction();
    let end = cursor.at;
    let mut zone = end..end;
    let rest = text.get(end..).unwrap_or_default();
    if let [b' ', name @ ..] = rest
        && rest.len() > 2
    {
        let inside = |c: &&u8| !matches!(c, b':' | b' ');
        let len = name.iter().take(NAME_BYTES).take_while(inside).count();
        zone = end + 1..end + 1 + len;
        cursor.at = zone.end;
    }
    if cursor.peek() == Some(b':') {
        cursor.at += 1;
    }
    cursor.end()?;
    Some(WithZone { end, zone, len: cursor.at })
}

impl Sign {
    fn of(offset: i32) -> Self {
        if offset < 0 { Self::Minus } else { Self::Plus }
    }
}

/// `YYYY-MM-DDThh:mm:ss` in its usual shape.
fn rfc3339_fixed(text: &[u8]) -> Option<Time> {
    let &[y1, y2, y3, y4, b'-', o1, o2, b'-', d1, d2, b'T', h1, h2, b':', m1, m2, b':', s1, s2] =
        text.first_chunk::<19>()?
    else {
        return None;
    };
    let century = i32::from(digits(y1, y2)?);
    let year = century * 100 + i32::from(digits(y3, y4)?);
    let (month, day) = (digits(o1, o2)?, digits(d1, d2)?);
    let fits = year < 2100 && (1..=12).contains(&month) && (1..=31).contains(&day);
    let time = clock(digits(h1, h2)?, digits(m1, m2)?, digits(s1, s2)?)?;
    // More digits would make it another number.
    let ends = !text.get(19).is_some_and(u8::is_ascii_digit);
    (fits && ends).then_some(Time { year, month, day, ..time })
}

/// The same with any number of digits in each number, none counting as 0.
fn rfc3339_free(cursor: &mut Cursor<'_>) -> Option<Time> {
    let year = i32::try_from(cursor.number()).ok().filter(|year| *year < 2100)?;
    cursor.expect(b'-')?;
    let month = cursor.number_to(1, 12)?;
    cursor.expect(b'-')?;
    let day = cursor.number_to(1, 31)?;
    cursor.expect(b'T')?;
    let hour = cursor.number_to(0, 23)?;
    Some(Time { year, month, day, ..cursor.minute_second(hour)? })
}

/// `hh:mm` of a zone in its usual shape, with a blank behind it.
fn zone_fixed(text: &[u8]) -> Option<(u8, u8)> {
    let &[h1, h2, b':', m1, m2, b' '] = text.first_chunk::<6>()? else { return None };
    let (hours, minutes) = (digits(h1, h2)?, digits(m1, m2)?);
    (hours <= 23 && minutes <= 59).then_some((hours, minutes))
}

/// `Mmm dd hh:mm:ss` in its usual shape, whatever follows.
fn rfc3164_fixed(text: &[u8]) -> Option<Time> {
    let &[n1, n2, n3, b' ', d1, d2, b' ', h1, h2, b':', m1, m2, b':', s1, s2] =
        text.first_chunk::<15>()?
    else {
        return None;
    };
    let month = month([n1, n2, n3])?;
    let day = digits(if d1 == b' ' { b'0' } else { d1 }, d2)?;
    let time = clock(digits(h1, h2)?, digits(m1, m2)?, digits(s1, s2)?)?;
    (1..=31).contains(&day).then_some(Time { month, day, ..time })
}

/// `[YYYY ]Mmm [ ]d [YYYY ]h:m:s`, each number with any number of digits; also the year, if there is one.
fn rfc3164_free(cursor: &mut Cursor<'_>) -> Option<(Time, Option<i32>)> {
    let mut year = None;
    if cursor.peek().is_some_and(|c| c.is_ascii_digit()) {
        let number = i32::try_from(cursor.number()).ok()?;
        year = Some(number).filter(|year| (1970..=2100).contains(year));
        year?;
        cursor.expect(b' ')?;
    }
    let month = month([cursor.next()?, cursor.next()?, cursor.next()?])?;
    cursor.expect(b' ')?;
    if cursor.peek() == Some(b' ') {
        cursor.at += 1;
    }
    let day = cursor.number_to(1, 31)?;
    cursor.expect(b' ')?;
    let mut hour = cursor.number();
    if year.is_none() && (1971..2100).contains(&hour) {
        year = i32::try_from(hour).ok();
        cursor.expect(b' ')?;
        hour = cursor.number();
    }
    let hour = u8::try_from(hour).ok().filter(|hour| *hour <= 23)?;
    Some((Time { month, day, ..cursor.minute_second(hour)? }, year))
}

/// A time of day on no particular date, if the numbers are in range.
fn clock(hour: u8, minute: u8, second: u8) -> Option<Time> {
    let time = Time { hour, minute, second, ..Time::from_epoch(0) };
    (hour <= 23 && minute <= 59 && second <= 60).then_some(time)
}

/// Two digits as a number.
fn digits(tens: u8, ones: u8) -> Option<u8> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| tens * 10 + ones)
}

/// An English month abbreviation, in any case.
fn month(name: [u8; 3]) -> Option<u8> {
    Some(match &name.map(|c| c | 0x20) {
        b"jan" => 1,
        b"feb" => 2,
        b"mar" => 3,
        b"apr" => 4,
        b"may" => 5,
        b"jun" => 6,
        b"jul" => 7,
        b"aug" => 8,
        b"sep" => 9,
        b"oct" => 10,
        b"nov" => 11,
        b"dec" => 12,
        _ => return None,
    })
}

/// A reading position in a text.
struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn expect(&mut self, wanted: u8) -> Option<()> {
        (self.next()? == wanted).then_some(())
    }

    /// A decimal number; no digit is 0. Stops short of overflow, as the reference does.
    fn number(&mut self) -> u32 {
        let mut number = 0;
        while let Some(digit) = self.peek().filter(|c| c.is_ascii_digit() && number < NUMBER_MAX) {
            number = number * 10 + u32::from(digit - b'0');
            self.at += 1;
        }
        number
    }

    /// A decimal number within bounds.
    fn number_to(&mut self, low: u8, high: u8) -> Option<u8> {
        u8::try_from(self.number()).ok().filter(|number| (low..=high).contains(number))
    }

    /// `:m:s` of a time of day.
    fn minute_second(&mut self, hour: u8) -> Option<Time> {
        self.expect(b':')?;
        let minute = self.number_to(0, 59)?;
        self.expect(b':')?;
        clock(hour, minute, self.number_to(0, 60)?)
    }

    /// Microseconds and number of digits of a fraction, 0 and 0 where none follows. Digits past the sixth
    /// are read and dropped.
    fn fraction(&mut self) -> (u32, u8) {
        if self.peek() != Some(b'.') {
            return (0, 0);
        }
        self.at += 1;
        let start = self.at;
        self.number();
        let digits = self.text.get(start..self.at).unwrap_or_default();
        let (mut usec, mut scale, mut precision) = (0, 1_000_000, 0);
        for digit in digits.iter().take(6) {
            usec = usec * 10 + u32::from(digit - b'0');
            scale /= 10;
            precision += 1;
        }
        (usec * scale, precision)
    }

    /// `Z`, `+hh:mm` or `-hh:mm`: seconds east of UTC.
    fn zone(&mut self) -> Option<(i32, Sign)> {
        let sign = match self.next()? {
            b'Z' => return Some((0, Sign::Zulu)),
            b'+' => Sign::Plus,
            b'-' => Sign::Minus,
            _ => return None,
        };
        let (hours, minutes) = match self.text.get(self.at..).and_then(zone_fixed) {
            Some(zone) => {
                self.at += 5;
                zone
            }
            None => {
                let hours = self.number_to(0, 23)?;
                self.expect(b':')?;
                (hours, self.number_to(0, 59)?)
            }
        };
        let offset = i32::from(hours) * 3600 + i32::from(minutes) * 60;
        Some((if sign == Sign::Plus { offset } else { -offset }, sign))
    }

    /// A year 2000–2099 behind a blank, with a blank or one last byte behind it.
    fn year_after(&self) -> Option<i32> {
        let rest = self.text.get(self.at..)?;
        let &[b' ', y1, y2, y3, y4, after] = rest.first_chunk::<6>()? else { return None };
        let year = i32::from(digits(y1, y2)?) * 100 + i32::from(digits(y3, y4)?);
        let apart = after == b' ' || rest.len() == 6;
        (apart && (2000..2100).contains(&year)).then_some(year)
    }

    /// The end of a timestamp: a blank, which is consumed, or the end of the text.
    fn end(&mut self) -> Option<()> {
        match self.next() {
            None | Some(b' ') => Some(()),
            Some(_) => None,
        }
    }
}

/// The civil date of a day since the epoch, in the proleptic Gregorian calendar. Years are counted from
/// March, so that the leap day comes last; 400 of them (an era) have 146,097 days.
fn civil(days: i64) -> (i32, u8, u8) {
    let days = days + DAYS_TO_EPOCH;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = i32::try_from(year + era * 400 + next).unwrap_or(i32::MAX);
    (year, small8(small(month)), small8(small(day)))
}

/// The inverse of [`civil`]; days past the end of a month run into the next.
fn days(year: i32, month: u8, day: u8) -> i64 {
    let (month, day) = (i64::from(month), i64::from(day));
    let (year, month) =
        if month > 2 { (i64::from(year), month - 3) } else { (i64::from(year) - 1, month + 9) };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let day = (153 * month + 2) / 5 + day - 1 + year * 365 + year / 4 - year / 100;
    era * 146_097 + day - DAYS_TO_EPOCH
}

/// A value known to fit, such as the remainder of a division.
fn small(n: i64) -> u32 {
    u32::try_from(n).unwrap_or(0)
}

/// As [`small`], for a byte.
fn small8(n: u32) -> u8 {
    u8::try_from(n).unwrap_or(0)
}

/// Seconds in a day.
const DAY: i64 = 86_400;
/// Days from 1 March of year 0 to the epoch.
const DAYS_TO_EPOCH: i64 = 719_468;
/// No further digit is taken once a number has reached this (`INT_MAX / 10 - 1` in the reference).
const NUMBER_MAX: u32 = 214_748_363;

#[cfg(test)]
mod tests;

//! A text read as syslog, as leniently as Elastic's syslog processor reads it (`spec/elastic-tcp.md` section 4).
//!
//! What was understood before something went wrong is kept, and every error is written down with its position.
//! Positions count bytes from 1; words are the reference's.

use std::io::Write as _;

use crate::message::Zone;
use crate::message::labels::{Format, LogZone};
use crate::message::timestamp::{Context, Time};
use crate::message::zoneinfo::Zoneinfo;

/// What a text says. Fields that are left out (`-`) are `None`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parsed<'t> {
    /// Microseconds since the epoch.
    pub(super) timestamp: Option<i64>,
    pub(super) pri: Option<u8>,
    pub(super) version: Option<&'t [u8]>,
    pub(super) hostname: Option<&'t [u8]>,
    pub(super) appname: Option<&'t [u8]>,
    pub(super) procid: Option<&'t [u8]>,
    pub(super) msgid: Option<&'t [u8]>,
    /// STRUCTURED-DATA with its brackets, not looked into.
    pub(super) structured: Option<&'t [u8]>,
    pub(super) message: Option<&'t [u8]>,
    /// Whether the header is RFC 5424's.
    pub(super) is_5424: bool,
}

/// What a text does not say about its time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock<'a> {
    /// When it was received, microseconds since the epoch.
    pub(super) received: i64,
    pub(super) zone: &'a LogZone,
    pub(super) local: &'a Zone,
    /// Whether a time without a year lies in the year before rather than more than a day ahead.
    pub(super) rolls_over: bool,
}

/// Reads `text`. Errors are appended to `errors`, where they begin at `begin` and are divided by `; `.
pub(super) fn parse<'t>(
    text: &'t [u8],
    format: Format,
    clock: &Clock<'_>,
    errors: &mut Vec<u8>,
    begin: usize,
) -> Parsed<'t> {
    let is_5424 = match format {
        Format::Rfc5424 => true,
        Format::Rfc3164 => false,
        Format::Auto => looks_like_5424(text),
    };
    let parsed = Parsed { is_5424, ..Parsed::default() };
    let mut reader = Reader { text, at: 0, errors, begin, clock, parsed };
    let end = if is_5424 { reader.rfc5424() } else { reader.rfc3164() };
    if end.is_none() {
        let position = reader.at + 1;
        reader.error(format_args!("parsing error at position {position}: unexpected EOF"));
    }
    reader.parsed
}

/// `<PRI>VERSION SP` and four digits or `-`.
fn looks_like_5424(text: &[u8]) -> bool {
    fn digits(text: &[u8], most: usize) -> Option<&[u8]> {
        let count = text.iter().take_while(|c| c.is_ascii_digit()).count();
        (1..=most).contains(&count).then(|| text.get(count..)).flatten()
    }
    let after = || {
        let rest = digits(text.strip_prefix(b"<")?, 3)?.strip_prefix(b">")?;
        digits(rest, 3)?.strip_prefix(b" ")
    };
    after().is_some_and(|rest| match rest {
        [b'-', ..] => true,
        _ => rest.len() >= 4 && rest.iter().take(4).all(u8::is_ascii_digit),
    })
}

struct Reader<'t, 'a> {
    text: &'t [u8],
    /// The next byte; where reading stops, the one that does not fit.
    at: usize,
    errors: &'a mut Vec<u8>,
    begin: usize,
    clock: &'a Clock<'a>,
    parsed: Parsed<'t>,
}

/// Reading steps return `None` where the text breaks off or does not fit.
impl<'t> Reader<'t, '_> {
    fn rfc3164(&mut self) -> Option<()> {
        if self.peek() == Some(b'<') {
            self.priority()?;
        }
        if self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.timestamp_rfc3339()?;
        } else {
            self.timestamp_bsd()?;
        }
        self.expect(b' ')?;
        self.parsed.hostname = self.word()?;
        self.expect(b' ')?;
        self.message_with_tag()
    }

    fn rfc5424(&mut self) -> Option<()> {
        self.priority()?;
        self.version()?;
        self.expect(b' ')?;
        match self.peek() {
            Some(b'-') => self.at += 1,
            _ => self.timestamp_rfc3339()?,
        }
        self.expect(b' ')?;
        self.parsed.hostname = self.word()?;
        self.expect(b' ')?;
        self.parsed.appname = self.word()?;
        self.expect(b' ')?;
        self.parsed.procid = self.word()?;
        self.expect(b' ')?;
        self.parsed.msgid = self.word()?;
        self.expect(b' ')?;
        self.parsed.structured = self.structured()?;
        if self.at < self.text.len() {
            self.expect(b' ')?;
            let rest = self.rest();
            let message = rest.strip_prefix("\u{feff}".as_bytes()).unwrap_or(rest);
            self.parsed.message = Some(message).filter(|message| !message.is_empty());
        }
        Some(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn rest(&self) -> &'t [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        let fits = self.peek() == Some(byte);
        self.at += usize::from(fits);
        fits.then_some(())
    }

    /// The bytes that `fits`, at least one; then something must follow.
    fn run(&mut self, fits: impl Fn(u8) -> bool) -> Option<&'t [u8]> {
        let rest = self.rest();
        let len = rest.iter().position(|c| !fits(*c)).unwrap_or(rest.len());
        self.at += len;
        (len > 0 && self.at < self.text.len()).then(|| rest.get(..len)).flatten()
    }

    /// A field of printable characters; `-` is none.
    fn word(&mut self) -> Option<Option<&'t [u8]>> {
        let word = self.run(|c| c.is_ascii_graphic())?;
        if self.peek() != Some(b' ') {
            return None;
        }
        Some(Some(word).filter(|word| *word != b"-"))
    }

    fn priority(&mut self) -> Option<()> {
        self.expect(b'<')?;
        let start = self.at;
        let value = self.run(|c| c.is_ascii_graphic() && c != b'>')?;
        self.expect(b'>')?;
        match integer(value) {
            Some(pri @ 0..=191) => self.parsed.pri = u8::try_from(pri).ok(),
            Some(_) => {
                self.invalid(start, format_args!("priority value out of range (expected 0..191)"));
            }
            None => {
                let value = String::from_utf8_lossy(value);
                self.invalid(
                    start,
                    format_args!(
                        "invalid priority: strconv.Atoi: parsing \"{value}\": invalid syntax"
                    ),
                );
            }
        }
        Some(())
    }

    fn version(&mut self) -> Option<()> {
        let start = self.at;
        let value = self.run(|c| c.is_ascii_graphic())?;
        match integer(value) {
            // The reference writes the number, and none for 0.
            Some(0) => {}
            Some(_) => self.parsed.version = Some(value),
            None => {
                let value = String::from_utf8_lossy(value);
                self.invalid(
                    start,
                    format_args!(
                        "invalid version, expected an integer: strconv.Atoi: parsing \"{value}\": invalid \
                         syntax"
                    ),
                );
            }
        }
        Some(())
    }

    fn timestamp_rfc3339(&mut self) -> Option<()> {
        const LAYOUT: &str = "2006-01-02T15:04:05.999999999Z07:00";
        let start = self.at;
        if !self.peek().is_some_and(|c| c.is_ascii_digit()) {
            return None;
        }
        let text = self.run(|c| c.is_ascii_alphanumeric() || b":.+-".contains(&c))?;
        match Time::decode_rfc3339(text).filter(|(time, _)| exists(time)) {
            Some((time, len)) if len == text.len() => self.set_time(&time),
            _ => self.bad_time(start, text, LAYOUT, "2006"),
        }
        Some(())
    }

    fn timestamp_bsd(&mut self) -> Option<()> {
        let start = self.at;
        self.run(|c| c.is_ascii_alphabetic())?;
        self.blanks()?;
        self.run(|c| c.is_ascii_digit())?;
        self.blanks()?;
        self.run(|c| c.is_ascii_digit())?;
        self.expect(b':')?;
        self.run(|c| c.is_ascii_digit())?;
        self.expect(b':')?;
        self.run(|c| c.is_ascii_digit())?;
        let text = self.text.get(start..self.at).unwrap_or_default();
        match bsd_time(text, self.clock) {
            Some(epoch) => self.parsed.timestamp = Some(epoch.saturating_mul(1_000_000)),
            None => self.bad_time(start, text, "Jan _2 15:04:05", "Jan"),
        }
        Some(())
    }

    fn blanks(&mut self) -> Option<()> {
        self.run(|c| c == b' ').map(|_| ())
    }

    fn set_time(&mut self, time: &Time) {
        let usec = time.to_epoch().checked_mul(1_000_000);
        self.parsed.timestamp = usec.map(|usec| usec + i64::from(time.usec));
    }

    /// `[TAG][[PID]]: ` and the rest, or all of it.
    fn message_with_tag(&mut self) -> Option<()> {
        let rest = self.rest();
        if rest.is_empty() {
            return None;
        }
        let (tag, pid, message) = tagged(rest).unwrap_or((None, None, rest));
        (self.parsed.appname, self.parsed.procid) = (tag, pid);
        let message = message.strip_prefix("\u{feff}".as_bytes()).unwrap_or(message);
        self.parsed.message = Some(message).filter(|message| !message.is_empty());
        self.at = self.text.len();
        Some(())
    }

    /// `-`, or groups in brackets, in which a backslash protects what follows it.
    fn structured(&mut self) -> Option<Option<&'t [u8]>> {
        if self.peek() == Some(b'-') {
            self.at += 1;
            return Some(None);
        }
        let start = self.at;
        while self.peek() == Some(b'[') {
            let open = self.at;
            loop {
                let found = memchr::memchr2(b']', b'\\', self.text.get(self.at..)?);
                let Some(place) = found else {
                    self.at = self.text.len();
                    return None;
                };
                self.at += place;
                if self.peek() == Some(b']') {
                    break;
                }
                self.at = (self.at + 2).min(self.text.len());
            }
            if self.at == open + 1 {
                return None; // nothing in it
            }
            self.at += 1;
        }
        (self.at > start).then(|| self.text.get(start..self.at))
    }

    fn bad_time(&mut self, start: usize, text: &[u8], layout: &str, element: &str) {
        let text = String::from_utf8_lossy(text);
        self.invalid(
            start,
            format_args!(
                "parsing time \"{text}\" as \"{layout}\": cannot parse \"{text}\" as \"{element}\""
            ),
        );
    }

    fn invalid(&mut self, start: usize, what: std::fmt::Arguments<'_>) {
        self.error(format_args!("validation error at position {}: {what}", start + 1));
    }

    fn error(&mut self, what: std::fmt::Arguments<'_>) {
        if self.errors.len() > self.begin {
            self.errors.extend_from_slice(b"; ");
        }
        let _ = write!(self.errors, "{what}"); // writing to a Vec does not fail
    }
}

/// Tag, process id and message.
type Tagged<'t> = (Option<&'t [u8]>, Option<&'t [u8]>, &'t [u8]);

fn tagged(text: &[u8]) -> Option<Tagged<'_>> {
    let tag_len = text.iter().position(|c| !c.is_ascii_graphic() || matches!(c, b':' | b'['))?;
    let (tag, rest) = text.split_at(tag_len);
    let (pid, message) = match rest.strip_prefix(b"[") {
        Some(inner) => {
            let end = memchr::memmem::find(inner, b"]: ")?;
            let (pid, rest) = inner.split_at(end);
            if pid.is_empty() || !pid.iter().all(|c| matches!(c, b' '..=b'~')) {
                return None;
            }
            (Some(pid), rest.get(3..)?)
        }
        None => (None, rest.strip_prefix(b": ")?),
    };
    (!tag.is_empty() && !message.is_empty()).then_some((Some(tag), pid, message))
}

/// Seconds since the epoch of `Mmm d hh:mm:ss`.
fn bsd_time(text: &[u8], clock: &Clock<'_>) -> Option<i64> {
    let received = clock.received.div_euclid(1_000_000);
    let year = Time::from_epoch(received.saturating_add(i64::from(clock.offset_at(received)))).year;
    // The decoder takes one blank, or two before a day of one digit.
    let mut tidy = [b' '; 16];
    let mut words = text.split(|c| *c == b' ').filter(|word| !word.is_empty());
    let (month, day, time) = (words.next()?, words.next()?, words.next()?);
    let place = |tidy: &mut [u8; 16], end: usize, word: &[u8]| {
        let start = end.checked_sub(word.len())?;
        tidy.get_mut(start..end)?.copy_from_slice(word);
        Some(())
    };
    if month.len() != 3 || day.len() > 2 || time.len() != 8 {
        return None;
    }
    place(&mut tidy, 3, month)?;
    place(&mut tidy, 6, day)?;
    place(&mut tidy, 15, time)?;
    let at = |year| {
        let context = Context { year, offset: 0, year_after: false, zone_after: false };
        let (time, _) = Time::decode_rfc3164(&tidy, &context)?;
        let local = exists(&time).then(|| time.to_epoch())?;
        let guess = local - i64::from(clock.offset_at(local));
        Some(local - i64::from(clock.offset_at(guess)))
    };
    let epoch = at(year)?;
    if clock.rolls_over && epoch > received.saturating_add(DAY) {
        // On 29 February of a leap year there may be no such day in the year before.
        return at(year - 1).or(Some(epoch));
    }
    Some(epoch)
}

/// Seconds that a time without a year may lie ahead.
const DAY: i64 = 86_400;

/// Whether the calendar has that day; the decoder takes 31 days for every month.
fn exists(time: &Time) -> bool {
    let same = Time::from_epoch(time.to_epoch() + i64::from(time.offset));
    same.day == time.day && time.second < 60
}

impl Clock<'_> {
    fn offset_at(&self, epoch: i64) -> i32 {
        match self.zone {
            LogZone::Local => self.local.offset_at(epoch),
            LogZone::Fixed(offset) => *offset,
            LogZone::Named(zone) => Zoneinfo::offset_at(zone, epoch),
        }
    }
}

/// A number with an optional sign; `None` also where it is too large for any use.
fn integer(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

//! The property replacer: one property on its way into the text (`spec/config-language.md` section 12.4).
//!
//! The order of the steps is fixed: fetch → select (field or expression) → positions → blank or nothing →
//! case → control characters → path → last LF → blanks → format. The first three only narrow a slice of the
//! message; a copy is made where the value changes, and the format is written straight to the output.

use std::cell::Cell;

use super::change::Change;
use super::format::Format;
use super::select::{Position, Select};
use crate::message::{DateFormat, Msg, Property, date};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A property that is no time.
    Property(Property),
    /// The header's time.
    Reported(DateFormat),
    /// The header's time, at UTC.
    ReportedUtc(DateFormat),
    /// The arrival time.
    Received(DateFormat),
    /// The arrival time, at UTC.
    ReceivedUtc(DateFormat),
}

impl Source {
    /// The source for `property`; times take `format` and are at UTC if `utc` is set.
    pub(super) fn new(property: Property, format: DateFormat, utc: bool) -> Self {
        match (property, utc) {
            (Property::Timestamp, false) => Self::Reported(format),
            (Property::Timestamp, true) => Self::ReportedUtc(format),
            (Property::TimeGenerated, false) => Self::Received(format),
            (Property::TimeGenerated, true) => Self::ReceivedUtc(format),
            (property, _) => Self::Property(property),
        }
    }

    /// Appends the value to `out`.
    pub(super) fn write(&self, msg: &Msg<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Property(property) => msg.write_property(property, out),
            Self::Reported(format) => msg.write_reported(*format, out),
            Self::ReportedUtc(format) => format.write(&date::utc(&msg.reported()), out),
            Self::Received(format) => format.write(&msg.received(), out),
            Self::ReceivedUtc(format) => format.write(&date::utc(&msg.received()), out),
        }
    }

    /// The value, made in `scratch` if need be.
    fn value<'s>(&self, msg: &Msg<'s>, scratch: &'s mut Vec<u8>) -> &'s [u8] {
        if let Self::Property(property) = self {
            return msg.property(property, scratch);
        }
        scratch.clear();
        self.write(msg, scratch);
        scratch
    }
}

/// A property with all its options.
#[derive(Debug)]
pub(super) struct Replacer {
    /// What is fetched.
    pub(super) source: Source,
    /// Which part of it is taken.
    pub(super) select: Select,
    /// Which bytes of that.
    pub(super) position: Option<Position>,
    /// How they change.
    pub(super) change: Change,
    /// How the result is written.
    pub(super) format: Format,
}

impl Replacer {
    /// The property as it is.
    pub(super) fn new(source: Source) -> Self {
        Self {
            source,
            select: Select::All,
            position: None,
            change: Change::default(),
            format: Format::Plain,
        }
    }

    /// Whether nothing but fetching is to be done.
    pub(super) fn is_identity(&self) -> bool {
        self.is_plain() && self.change == Change::default()
    }

    /// Whether this is a blank unless `property` is empty or begins with one.
    pub(super) fn is_blank_before(&self, property: &Property) -> bool {
        let blank = Change { blank_only: true, ..Change::default() };
        self.is_plain()
            && self.change == blank
            && matches!(&self.source, Source::Property(own) if own == property)
    }

    fn is_plain(&self) -> bool {
        matches!((&self.select, self.position, &self.format), (Select::All, None, Format::Plain))
    }

    /// Appends the text for `msg` to `out`.
    pub(super) fn write(&self, msg: &Msg<'_>, out: &mut Vec<u8>) {
        with_scratch(|[fetched, changed]| {
            let value = self.source.value(msg, fetched);
            let value = match self.select.apply(value) {
                Ok(value) => value,
                Err(failure) => return out.extend_from_slice(failure),
            };
            let (value, padding) = match self.position {
                Some(position) => position.cut(value),
                None => (value, 0),
            };
            if padding == 0 && self.change == Change::default() {
                return self.format.write(value, out);
            }
            changed.clear();
            changed.extend_from_slice(value);
            changed.resize(changed.len() + padding, b' ');
            self.change.apply(changed, fetched);
            self.format.write(changed, out);
        });
    }
}

thread_local! {
    /// Buffers of this thread, reused from message to message.
    static SCRATCH: Cell<[Vec<u8>; 2]> = const { Cell::new([const { Vec::new() }; 2]) };
}

/// Lends this thread's buffers. They are taken, not borrowed: fetching a host name may log, and where queues
/// are direct the log message is rendered before the name is there.
pub(super) fn with_scratch(use_them: impl FnOnce(&mut [Vec<u8>; 2])) {
    let mut buffers = SCRATCH.take();
    use_them(&mut buffers);
    SCRATCH.set(buffers);
}

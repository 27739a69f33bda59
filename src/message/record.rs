//! The fixed-size description of one message: offsets into its batch's bytes, never the bytes themselves.
//!
//! A record is 64 bytes, one cache line. `raw` and `msg` are absolute in the batch, so that a stage may
//! append a changed text at the end of the bytes and point to it; header fields are relative to `raw`.

/// An absolute range of a batch's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Length in bytes.
    pub len: u32,
}

impl Span {
    /// The range `start..start + len`; a caller passes offsets of a batch, which fit (`limits`).
    #[must_use]
    pub fn new(start: usize, len: usize) -> Self {
        let fit = |n: usize| u32::try_from(n).expect("a batch is smaller than 4 GiB");
        Self { start: fit(start), len: fit(len) }
    }

    /// As a range for slicing.
    #[must_use]
    pub fn range(self) -> std::ops::Range<usize> {
        let start = self.start as usize;
        start..start + self.len as usize
    }
}

/// A range relative to the start of [`Record::raw`]. `len == 0` is an empty field. It lies within the raw
/// message, or behind it where a parser has put a text there that the message does not contain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// First byte, relative to the raw message.
    pub start: u16,
    /// Length in bytes.
    pub len: u16,
}

impl Field {
    /// A field, or an empty one where it does not fit into 16 bits (`limits::HEADER_BYTES`).
    #[must_use]
    pub fn new(start: usize, len: usize) -> Self {
        let low = |n: usize| u16::from_le_bytes([n.to_le_bytes()[0], n.to_le_bytes()[1]]);
        // One look for both.
        if start | len > usize::from(u16::MAX) {
            return Self::default();
        }
        Self { start: low(start), len: low(len) }
    }
}

/// What is known about a record; a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u16);

impl Flags {
    /// The parser chain has still to run.
    pub const NEEDS_PARSING: Self = Self(1);
    /// The RFC 3164 parser looks for a host name (network inputs).
    pub const PARSE_HOSTNAME: Self = Self(1 << 1);
    /// The time in the header is replaced by the reception time.
    pub const IGNORE_DATE: Self = Self(1 << 2);
    /// A `-- MARK --` message.
    pub const MARK: Self = Self(1 << 3);
    /// One of the daemon's own messages.
    pub const INTERNAL: Self = Self(1 << 4);
    /// [`Record::timestamp`] holds a time; otherwise the reception time counts.
    pub const HAS_TIMESTAMP: Self = Self(1 << 5);
    /// [`Record::host`] holds the host name; otherwise it is the sender's name. An RFC 5424 message
    /// without it ended in a bad timestamp: its other fields are not empty but absent.
    pub const HAS_HOST: Self = Self(1 << 6);
    /// A module that reports success has parsed the message (`parsesuccess` is `OK`).
    pub const PARSE_OK: Self = Self(1 << 7);
    /// Cut to `maxMessageSize` by an input.
    pub const TRUNCATED: Self = Self(1 << 8);
    /// The message is empty, or its parser is to drop it: the rules skip it.
    pub const DISCARDED: Self = Self(1 << 9);
    /// `z`-prefixed single-message compression is not looked for (the stream was already decompressed).
    pub const NO_COMPRESSION: Self = Self(1 << 10);

    /// Whether the message is taken depends on the sender's name: ask `Sender::is_allowed`.
    pub const CHECK_SENDER: Self = Self(1 << 11);
    /// The parser read all fields from the bytes up to the first of MSG, and would again from the same bytes.
    pub const REPEATABLE: Self = Self(1 << 14);
    /// The first part of a message, or the whole of one, that the input met as longer than `maxMessageSize`: for
    /// `oversizemsg.errorfile`.
    pub const OVERSIZE: Self = Self(1 << 12);
    /// `maxMessageSize` does not count: the input has a limit of its own.
    pub const ANY_SIZE: Self = Self(1 << 13);

    /// No bit.
    #[must_use]
    pub const fn empty() -> Self {
        Self(0)
    }
    /// Both sets.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// Whether all bits of `other` are set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
    /// Those that are in both sets.
    #[must_use]
    pub const fn only(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
    /// Sets the bits of `other`.
    pub fn set(&mut self, other: Self) {
        self.0 |= other.0;
    }
    /// Clears the bits of `other`.
    pub fn clear(&mut self, other: Self) {
        self.0 &= !other.0;
    }
}

// No two of them share a bit.
const _: () = {
    let all = [
        Flags::NEEDS_PARSING,
        Flags::PARSE_HOSTNAME,
        Flags::IGNORE_DATE,
        Flags::MARK,
        Flags::INTERNAL,
        Flags::HAS_TIMESTAMP,
        Flags::HAS_HOST,
        Flags::PARSE_OK,
        Flags::TRUNCATED,
        Flags::DISCARDED,
        Flags::NO_COMPRESSION,
        Flags::CHECK_SENDER,
        Flags::REPEATABLE,
        Flags::OVERSIZE,
        Flags::ANY_SIZE,
    ];
    let (mut at, mut seen) = (0, Flags::empty());
    while at < all.len() {
        assert!(seen.only(all[at]).0 == 0);
        seen = seen.with(all[at]);
        at += 1;
    }
};

/// `Record::vars` of a message without variables.
pub const NO_VARS: u32 = u32::MAX;

/// One message, by offsets.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Record {
    /// The complete received message, after sanitising.
    pub raw: Span,
    /// The MSG part.
    pub msg: Span,
    /// Reception time, microseconds since the epoch.
    pub received: i64,
    /// Index into the batch's variables, or [`NO_VARS`].
    pub vars: u32,
    /// Index into the batch's senders.
    pub sender: u16,
    /// What is known about the record.
    pub flags: Flags,
    /// PRI value: 0–191, or 199 for an invalid one (`spec/message-model.md` section 3).
    pub pri: u8,
    /// 1 for RFC 5424, 0 otherwise.
    pub version: u8,
    /// Length of the program name: a prefix of `tag` (version 0) or of `app` (version 1).
    pub program_len: u16,
    /// The header's timestamp (see [`Flags::HAS_TIMESTAMP`]): the bytes `Time::decode` takes, with the colon and
    /// the blank that end it.
    pub timestamp: Field,
    /// HOSTNAME (see [`Flags::HAS_HOST`]).
    pub host: Field,
    /// TAG of an RFC 3164 message, with its colon.
    pub tag: Field,
    /// APP-NAME of an RFC 5424 message.
    pub app: Field,
    /// PROCID of an RFC 5424 message.
    pub procid: Field,
    /// MSGID of an RFC 5424 message.
    pub msgid: Field,
    /// STRUCTURED-DATA of an RFC 5424 message.
    pub sd: Field,
}

const _: () = assert!(size_of::<Record>() == 64);

impl Record {
    /// A record as an input makes it: raw text known, nothing parsed; MSG is the whole text.
    #[must_use]
    pub fn unparsed(raw: Span, received: i64, sender: u16, flags: Flags) -> Self {
        Self {
            raw,
            msg: raw,
            received,
            vars: NO_VARS,
            sender,
            flags,
            pri: 13,
            version: 0,
            program_len: 0,
            timestamp: Field::default(),
            host: Field::default(),
            tag: Field::default(),
            app: Field::default(),
            procid: Field::default(),
            msgid: Field::default(),
            sd: Field::default(),
        }
    }

    /// Severity, 0–7.
    #[must_use]
    pub fn severity(&self) -> u8 {
        self.pri & 7
    }

    /// Facility, 0–24 (24 is invalid).
    #[must_use]
    pub fn facility(&self) -> u8 {
        self.pri >> 3
    }
}

//! Points in time as syslog writes them: decoding RFC 3164 and RFC 3339 texts, calendar arithmetic, zones.
//! No clock is read here.

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

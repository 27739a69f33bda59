//! A zone of the tz database, from the content of its file (RFC 8536).
//!
//! Only the table of transitions is read, which Debian's files carry up to 2037; a file whose table ends while its
//! rule goes on (`slim` files) is refused rather than half obeyed.

use std::sync::Arc;

/// When a zone's distance from UTC changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zoneinfo {
    /// Seconds east of UTC before the first change.
    first: i32,
    /// Seconds since the epoch, and seconds east of UTC from then on; ascending.
    changes: Arc<[(i64, i32)]>,
}

impl Zoneinfo {
    /// Reads a file's content.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(file: &[u8]) -> Result<Self, &'static str> {
        const BROKEN: &str = "the file is not a time zone";
        let (first, rest) = Header::parse(file).ok_or(BROKEN)?;
        if first.version == 0 {
            return Err("the file has the old format of 32-bit times");
        }
        // The data of 32-bit times come first; what counts is a second header and what follows it.
        let second = rest.get(first.size(4)..).ok_or(BROKEN)?;
        let (header, data) = Header::parse(second).ok_or(BROKEN)?;
        let zone = header.changes(data).ok_or(BROKEN)?;
        let footer = data.get(header.size(8)..).unwrap_or_default();
        let last = zone.changes.last().map_or(i64::MIN, |change| change.0);
        // A rule with two commas is one with summer time.
        if footer.contains(&b',') && last < TABLE_TO {
            return Err("the file's table of transitions ends before 2037");
        }
        Ok(zone)
    }

    /// Seconds east of UTC at `epoch` seconds.
    #[must_use]
    pub fn offset_at(&self, epoch: i64) -> i32 {
        let after = self.changes.partition_point(|change| change.0 <= epoch);
        let current = after.checked_sub(1).and_then(|at| self.changes.get(at));
        current.map_or(self.first, |change| change.1)
    }
}

/// 2037-01-01: how far a table with summer time must go.
const TABLE_TO: i64 = 2_114_380_800;

struct Header {
    version: u8,
    /// UT indicators, standard indicators, leap seconds, transitions, types, bytes of names.
    counts: [usize; 6],
}

impl Header {
    fn parse(file: &[u8]) -> Option<(Self, &[u8])> {
        let rest = file.strip_prefix(b"TZif")?;
        let version = *rest.first()?;
        let mut counts = [0; 6];
        for (count, word) in counts.iter_mut().zip(rest.get(16..40)?.chunks_exact(4)) {
            *count = usize::try_from(u32::from_be_bytes(word.try_into().ok()?)).ok()?;
        }
        Some((Self { version, counts }, rest.get(40..)?))
    }

    /// Bytes of the data behind this header, with times of so many bytes.
    fn size(&self, time: usize) -> usize {
        let [ut, standard, leaps, transitions, types, names] = self.counts;
        transitions * (time + 1) + types * 6 + names + leaps * (time + 4) + standard + ut
    }

    fn changes(&self, data: &[u8]) -> Option<Zoneinfo> {
        let [.., transitions, types, _] = self.counts;
        let (times, rest) = data.split_at_checked(transitions * 8)?;
        let (indices, rest) = rest.split_at_checked(transitions)?;
        let types = rest.get(..types * 6)?;
        let offset = |index: u8| {
            let at = usize::from(index) * 6;
            Some(i32::from_be_bytes(types.get(at..at + 4)?.try_into().ok()?))
        };
        let change = |(time, index): (&[u8], &u8)| {
            Some((i64::from_be_bytes(time.try_into().ok()?), offset(*index)?))
        };
        let changes: Option<Arc<[_]>> = times.chunks_exact(8).zip(indices).map(change).collect();
        Some(Zoneinfo { first: offset(0)?, changes: changes? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn berlin_in_winter_and_in_summer() {
        let file = std::fs::read("/usr/share/zoneinfo/Europe/Berlin").expect("tzdata");
        let zone = Zoneinfo::parse(&file).expect("a zone");
        for (epoch, offset) in
            [(1_767_225_600, 3600), (1_782_864_000, 7200), (-3_000_000_000, 3208), (0, 3600)]
        {
            assert_eq!(zone.offset_at(epoch), offset, "{epoch}");
        }
        for len in 0..file.len() {
            let _ = Zoneinfo::parse(&file[..len]); // no panic
        }
        assert!(Zoneinfo::parse(b"no zone at all").is_err());
    }
}

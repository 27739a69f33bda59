//! The object `resource-usage`: what the process costs, as getrusage(2) says.

use std::fs;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

use crate::stats::{Live, Purpose, Reading};

/// The object.
#[derive(Debug)]
pub(super) struct Resources;

impl Live for Resources {
    fn read(&self, _purpose: Purpose) -> Reading {
        let mut reading = Reading::new("resource-usage", "impstats");
        // It cannot fail for the process itself; if it does, there is nothing to show.
        let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return reading };
        let mut gauge = |name: &'static str, value| reading.gauge(name.as_bytes(), value);
        gauge("utime", usage.user_time().num_microseconds());
        gauge("stime", usage.system_time().num_microseconds());
        gauge("maxrss", usage.max_rss());
        gauge("minflt", usage.minor_page_faults());
        gauge("majflt", usage.major_page_faults());
        gauge("inblock", usage.block_reads());
        gauge("oublock", usage.block_writes());
        gauge("nvcsw", usage.voluntary_context_switches());
        gauge("nivcsw", usage.involuntary_context_switches());
        gauge("openfiles", open_files());
        reading
    }
}

/// Entries of `/proc/self/fd`, with the one that reading it opens, as in the reference.
fn open_files() -> i64 {
    let entries = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    i64::try_from(entries).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_references_counters_in_its_order() {
        let reading = Resources.read(Purpose::Look);
        let names: Vec<_> = reading.values.iter().map(|value| &*value.name).collect();
        let expected: [&[u8]; 10] = [
            b"utime",
            b"stime",
            b"maxrss",
            b"minflt",
            b"majflt",
            b"inblock",
            b"oublock",
            b"nvcsw",
            b"nivcsw",
            b"openfiles",
        ];
        assert_eq!(names, expected);
        assert!(reading.get("maxrss") > Some(0) && reading.get("openfiles") > Some(2));
    }
}

//! Gives back the pages of program and libraries that only starting up needed.
//!
//! Whatever code or table is touched once stays in the resident memory of the process, with the 60 KiB around it that
//! the kernel maps along; linking and reading a configuration touch nearly all of it. These pages are clean copies of
//! the files, so that giving them back costs nothing: what is needed again is mapped again, from the page cache. A
//! daemon that forks gets the same from the kernel, which does not copy such mappings to the child.

use std::ffi::c_void;
use std::fs;
use std::ops::Range;

/// The mappings of program and libraries that nobody writes to: from files, read-only, private, and so far without a page
/// of their own.
#[derive(Debug)]
pub struct Mappings(Vec<Range<usize>>);

impl Mappings {
    /// Finds them. There are none where there is a second thread, which might load a library meanwhile, or where
    /// `/proc` does not tell.
    #[must_use]
    pub fn find() -> Self {
        let threads = fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
        let maps = fs::read_to_string("/proc/self/smaps").unwrap_or_default();
        Self(if threads == 1 { clean(&maps) } else { Vec::new() })
    }

    /// Unmaps their pages, also when there are other threads.
    pub fn release(&self) {
        for range in &self.0 {
            let start = std::ptr::with_exposed_provenance_mut::<c_void>(range.start);
            // SAFETY: these pages are mapped from a file, cannot be written and never were: the kernel reads the same
            // bytes again where they are touched. What was mapped when there was one thread stays so until the end: the
            // program, and the libraries it was linked to.
            unsafe { libc::madvise(start, range.len(), libc::MADV_DONTNEED) };
        }
    }
}

/// The mappings in the text of `smaps` that come from files, are read-only, private, and have no page of their own:
/// pages that were written before the mapping became read-only (relocations) would be lost.
fn clean(smaps: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut candidate = None;
    for line in smaps.lines() {
        if let Some(range) = mapping(line) {
            candidate = range;
        } else if let Some(bytes) = line.strip_prefix("Anonymous:")
            && bytes.trim() == "0 kB"
        {
            ranges.extend(candidate.take());
        }
    }
    ranges
}

/// `None`: the line does not begin a mapping; `Some(None)`: it begins one that is not from a file, read-only and private.
fn mapping(line: &str) -> Option<Option<Range<usize>>> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let number = |text| usize::from_str_radix(text, 16).ok();
    let range = number(start)?..number(end)?;
    let suits = matches!(words.next()?, "r--p" | "r-xp")
        && words.nth(3).is_some_and(|path| path.starts_with('/'));
    Some(suits.then_some(range))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_read_only_mappings_without_pages_of_their_own_are_given_back() {
        let smaps = "\
1000-3000 r-xp 00000000 fe:00 12  /usr/sbin/sluiced
Size:                  8 kB
Anonymous:             0 kB
3000-4000 r--p 00002000 fe:00 12  /usr/sbin/sluiced
Anonymous:             4 kB
4000-5000 rw-p 00003000 fe:00 12  /usr/sbin/sluiced
Anonymous:             0 kB
5000-6000 r--s 00003000 fe:00 12  /var/file
Anonymous:             0 kB
6000-7000 r--p 00000000 00:00 0
Anonymous:             0 kB
7000-8000 r-xp 00000000 00:00 0  [vdso]
Anonymous:             0 kB
8000-9000 r--p 00000000 fe:00 13  /usr/lib/libc.so.6
Anonymous:             0 kB
";
        assert_eq!(clean(smaps), [0x1000..0x3000, 0x8000..0x9000]);
    }

    #[test]
    fn the_program_goes_on_afterwards() {
        // Of a single-threaded process; here are the threads of other tests, which load no libraries.
        let mappings = Mappings(clean(&fs::read_to_string("/proc/self/smaps").unwrap()));
        mappings.release();
        let maps = fs::read_to_string("/proc/self/smaps").unwrap();
        assert!(!clean(&maps).is_empty(), "the program is mapped");
    }
}

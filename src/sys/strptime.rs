//! The C library's `strptime`: times in a format that the configuration gives. Reads no clock.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;

/// A format, without NUL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format(CString);

/// A time in its parts; what the format does not mention is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Year.
    pub year: i32,
    /// 1–12.
    pub month: i32,
    /// 1–31.
    pub day: i32,
    /// 0–23.
    pub hour: i32,
    /// 0–59.
    pub minute: i32,
    /// 0–61.
    pub second: i32,
}

/// Bytes of a text that are looked at.
const TEXT_BYTES: usize = 128;

impl Format {
    /// The format up to a NUL.
    #[must_use]
    pub fn new(format: &[u8]) -> Self {
        let end = format.iter().position(|byte| *byte == 0).unwrap_or(format.len());
        Self(CString::new(format.get(..end).unwrap_or_default()).unwrap_or_default())
    }

    /// Its last byte; `None` if it is empty.
    #[must_use]
    pub fn last(&self) -> Option<u8> {
        self.0.as_bytes().last().copied()
    }

    /// The time that `text` begins with, and how many bytes that takes.
    #[must_use]
    pub fn parse(&self, text: &[u8]) -> Option<(Broken, usize)> {
        let mut copy = [0_u8; TEXT_BYTES + 1];
        let len = text.len().min(TEXT_BYTES);
        copy.get_mut(..len)?.copy_from_slice(text.get(..len)?);
        let copy = CStr::from_bytes_until_nul(&copy).ok()?;
        let mut parts = MaybeUninit::<libc::tm>::zeroed();
        // SAFETY: both texts end in a NUL and outlive the call, the struct may be written; strptime keeps no pointer.
        // "The return value of the function is a pointer to the first character not processed", or NULL.
        let end = unsafe { libc::strptime(copy.as_ptr(), self.0.as_ptr(), parts.as_mut_ptr()) };
        if end.is_null() {
            return None;
        }
        // SAFETY: it was zeroed, so every field is initialised.
        let parts = unsafe { parts.assume_init() };
        let used = end.addr() - copy.as_ptr().addr();
        let broken = Broken {
            year: parts.tm_year.saturating_add(1900),
            month: parts.tm_mon + 1,
            day: parts.tm_mday,
            hour: parts.tm_hour,
            minute: parts.tm_min,
            second: parts.tm_sec,
        };
        Some((broken, used))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let format = Format::new(b"%Y-%m-%d-%H.%M.%S.");
        let (found, used) = format.parse(b"2015-06-04-09.29.46.123+120").unwrap();
        let expected = Broken { year: 2015, month: 6, day: 4, hour: 9, minute: 29, second: 46 };
        assert_eq!((found, used), (expected, 20));
        for text in [&b"2015-06-04-25.29.46.1"[..], b"", b"2015\0-06-04-09.29.46.", &[b'2'; 500]] {
            assert_eq!(format.parse(text), None);
        }
        assert_eq!(Format::new(b"%H\0x").last(), Some(b'H'));
        assert_eq!(Format::new(b"").last(), None);
    }
}

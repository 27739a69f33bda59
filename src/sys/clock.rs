//! The clocks: wall time and the local zone. The only readers of time outside tests; the data path reads
//! once per batch. For spans of time use `std::time::Instant`.

use std::mem::MaybeUninit;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::time::TimeSpec;

/// Wall clock, microseconds since the epoch.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "this is the function that others are sent to")]
pub fn now_usec() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// The kernel's clock, microseconds since the machine was started; it stands still while the machine sleeps.
#[must_use]
pub fn monotonic_usec() -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is valid for the call.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    #[allow(clippy::useless_conversion, reason = "not on machines of 32 bits")]
    let usec = i64::from(time.tv_sec) * 1_000_000 + i64::from(time.tv_nsec) / 1000;
    usec
}

/// Wall clock, whole seconds since the epoch.
#[must_use]
pub fn now_secs() -> i64 {
    now_usec() / 1_000_000
}

/// Waits for nothing but time, where that is what is wanted: rests of the data path are counted in microseconds.
/// A signal shortens the wait.
pub fn pause(time: Duration) {
    if !time.is_zero() {
        // No descriptors: only the time can end it, or a signal, which is no error here.
        let _ = nix::poll::ppoll(&mut [], Some(TimeSpec::from_duration(time)), None);
    }
}

/// The local zone's offset at `epoch` seconds, in seconds east of UTC; obeys `TZ`.
/// Costs a lock inside the C library: ask once per batch (`message::Zone` keeps the answer).
#[must_use]
pub fn local_offset(epoch: i64) -> i32 {
    let mut broken_down = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are valid for the call; localtime_r keeps neither.
    let filled = unsafe { libc::localtime_r(&raw const epoch, broken_down.as_mut_ptr()) };
    if filled.is_null() {
        return 0; // the year does not fit `int`
    }
    // SAFETY: localtime_r has filled the struct; it was zeroed before, so every field is initialised.
    let broken_down = unsafe { broken_down.assume_init() };
    i32::try_from(broken_down.tm_gmtoff).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_clock_is_after_2020_and_in_microseconds() {
        assert!(now_usec() > 1_577_836_800_000_000);
        assert!((now_secs() - now_usec() / 1_000_000).abs() <= 1);
    }

    #[test]
    fn offset_is_within_a_day_and_survives_absurd_times() {
        for epoch in [0, now_secs(), -1, i64::MAX, i64::MIN] {
            assert!(local_offset(epoch).abs() < 26 * 3600, "{epoch}");
        }
    }
}

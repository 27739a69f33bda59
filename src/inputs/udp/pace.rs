//! How long a receiving thread lets datagrams gather before it takes them.
//!
//! At some ten thousand datagrams a second a thread that waits for the next one is woken for nearly each, and
//! waking costs more than receiving. So it rests for a moment between two looks, as network cards do with their
//! interrupts. The rest is short in three ways: never more than [`REST_MAX`]; never more than a small part of the
//! receive buffer takes to fill at the present rate; and none at all in a stream too slow to bring [`WORTH`]
//! datagrams in that time, so that a message by itself is never delayed.

use std::net::UdpSocket;
use std::time::Duration;

use socket2::SockRef;

/// Longest rest, microseconds.
const REST_MAX: i64 = 1000;
/// Shortest rest: below it, falling asleep and waking up take as long.
const REST_MIN: i64 = 50;
/// Datagrams that a rest has to bring.
const WORTH: i64 = 8;
/// Microseconds over which the rate is measured.
const WINDOW: i64 = 1000;
/// One datagram per so many bytes of the receive buffer may gather. The kernel counts 768 bytes for a short one
/// and up to 2,304 for one that fills a packet, so that is a twentieth of the buffer, or a seventh.
const ROOM_BYTES: usize = 16 * 1024;

/// What a thread knows about the rate at which it receives.
#[derive(Debug)]
pub(super) struct Pace {
    /// Datagrams that may gather.
    room: i64,
    /// Begin of the present window.
    since: i64,
    /// Datagrams received in it.
    received: i64,
    rest: Option<Duration>,
}

impl Pace {
    /// For a thread that receives from these sockets.
    pub(super) fn new<'a>(sockets: impl Iterator<Item = &'a UdpSocket>) -> Self {
        // What cannot be asked is not trusted to hold anything.
        let buffer = |socket| SockRef::from(socket).recv_buffer_size().unwrap_or(0);
        Self::with_buffer(sockets.map(buffer).min().unwrap_or(0))
    }

    fn with_buffer(bytes: usize) -> Self {
        let room = i64::try_from(bytes / ROOM_BYTES).unwrap_or(i64::MAX);
        Self { room, since: 0, received: 0, rest: None }
    }

    /// How long datagrams that are there may be left where they are.
    pub(super) fn patience(&self) -> Duration {
        self.rest.unwrap_or(Duration::from_micros(REST_MIN.unsigned_abs()))
    }

    /// Nothing is left to be received at `now` (microseconds), after `received` more datagrams: how long to rest
    /// before the next look, if at all.
    pub(super) fn rest(&mut self, now: i64, received: usize) -> Option<Duration> {
        self.received += i64::try_from(received).unwrap_or(0);
        let time = now - self.since;
        if !(0..WINDOW).contains(&time) {
            self.rest = rest(self.received, time, self.room);
            (self.since, self.received) = (now, 0);
        }
        self.rest
    }
}

/// The rest where `received` datagrams have come in `time` microseconds.
fn rest(received: i64, time: i64, room: i64) -> Option<Duration> {
    let gather = |gathered: i64| gathered.saturating_mul(time).checked_div(received);
    let rest = gather(room)?.min(REST_MAX);
    let worth = rest >= REST_MIN && rest >= gather(WORTH)?;
    worth.then(|| Duration::from_micros(rest.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_is_let_gather_within_the_buffer() {
        // Bytes of the buffer, datagrams per second, microseconds of rest.
        let rows = [
            (8 << 20, 200_000, 1000),
            (8 << 20, 1_000_000, 512),
            (8 << 20, 8_000, 1000),
            (8 << 20, 7_000, 0),
            (8 << 20, 20_000_000, 0),
            (212_992, 200_000, 65),
            (212_992, 50_000, 260),
            (212_992, 300_000, 0),
            (65_536, 20_000, 0),
            (0, 100_000, 0),
        ];
        for (bytes, rate, micros) in rows {
            let mut pace = Pace::with_buffer(bytes);
            pace.rest(10_000_000, 5);
            let rest = pace.rest(10_002_000, rate / 500);
            assert_eq!(rest.map_or(0, |rest| rest.as_micros()), micros, "{bytes} {rate}");
        }
    }

    #[test]
    fn a_message_by_itself_is_not_kept() {
        let mut pace = Pace::with_buffer(8 << 20);
        // A burst after a pause, and what follows at once.
        assert_eq!(pace.rest(10_000_000, 1000), None);
        assert_eq!(pace.rest(10_000_100, 50), None);
        assert!(pace.rest(10_001_000, 50).is_some());
        // The next one comes much later; so does the clock that was set back.
        assert_eq!(pace.rest(11_000_000, 1), None);
        assert_eq!(pace.rest(9_000_000, 1), None);
    }
}

//! Tells systemd how the daemon is: `READY=1`, `STOPPING=1`, `WATCHDOG=1`, `STATUS=` (sd_notify(3)).
//!
//! Where no service manager asks for it (`NOTIFY_SOCKET`), nothing is sent. What cannot be sent is not sent: the
//! daemon runs with or without somebody who listens.

use std::env;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::stats::ledger::{self, Row, Stage};
use crate::stats::{Purpose, Set};
use crate::task::Task;

/// Time between two `STATUS=`.
const STATUS_INTERVAL: Duration = Duration::from_secs(5);

/// The way to the service manager, if there is one.
#[derive(Clone, Debug, Default)]
pub struct Notify {
    socket: Option<Arc<(UnixDatagram, SocketAddr)>>,
    watchdog: Option<Duration>,
}

impl Notify {
    /// As the environment says: `NOTIFY_SOCKET`, a path or an abstract name behind `@`; `WATCHDOG_USEC`, where
    /// `WATCHDOG_PID` is this process or not there.
    #[must_use]
    pub fn from_environment() -> Self {
        let text = |name| env::var(name).ok();
        let meant = text("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        let usec = text("WATCHDOG_USEC").filter(|_| meant);
        Self::new(text("NOTIFY_SOCKET").as_deref(), usec.as_deref())
    }

    fn new(socket: Option<&str>, watchdog_usec: Option<&str>) -> Self {
        let connected = socket.map(|name| {
            let address = match name.strip_prefix('@') {
                Some(name) => SocketAddr::from_abstract_name(name)?,
                None => SocketAddr::from_pathname(name)?,
            };
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            std::io::Result::Ok(Arc::new((socket, address)))
        });
        let socket = match connected.transpose() {
            Ok(socket) => socket,
            Err(why) => {
                log::warn!("NOTIFY_SOCKET cannot be used: {why} - systemd is not told anything");
                None
            }
        };
        let usec = watchdog_usec.and_then(|usec| usec.parse().ok()).filter(|usec| *usec > 0);
        Self { socket, watchdog: usec.map(Duration::from_micros) }
    }

    /// Whether somebody listens.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.socket.is_some()
    }

    /// All sockets are bound and all threads run.
    pub fn ready(&self) {
        self.send("READY=1\nSTATUS=Started");
    }

    /// The end has begun.
    pub fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=Emptying queues");
    }

    /// Time between two calls of [`Notify::alive`]: half of what the service manager waits for.
    #[must_use]
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.socket.as_ref().and(self.watchdog).map(|timeout| timeout / 2)
    }

    /// The main thread is alive.
    pub fn alive(&self) {
        if self.watchdog.is_some() {
            self.send("WATCHDOG=1");
        }
    }

    fn send(&self, text: &str) {
        if let Some((socket, address)) = self.socket.as_deref() {
            // A full or missing socket is the service manager's business.
            let _ = socket.send_to_addr(text.as_bytes(), address);
        }
    }
}

/// Sends `STATUS=` with the current rates.
pub struct Status {
    notify: Notify,
    stats: Arc<Set>,
    last: Option<(Instant, Sums)>,
}

/// Messages since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    received: u64,
    processed: u64,
    queued: u64,
    dropped: u64,
}

impl Status {
    /// Of the daemon with these counters.
    #[must_use]
    pub fn new(notify: Notify, stats: Arc<Set>) -> Self {
        Self { notify, stats, last: None }
    }
}

impl Task for Status {
    fn interval(&self) -> Option<Duration> {
        Some(STATUS_INTERVAL)
    }

    fn run(&mut self) {
        let now = Instant::now();
        let sums = Sums::of(&ledger::rows(&self.stats.read(Purpose::Look)));
        let (begin, before) = self.last.replace((now, sums)).unwrap_or((now, sums));
        self.notify.send(&format!("STATUS={}", sums.text(before, now - begin)));
    }
}

impl Sums {
    fn of(rows: &[Row]) -> Self {
        let of = |stage: Stage| rows.iter().filter(move |row| row.stage == stage);
        Self {
            received: of(Stage::Input).map(|row| row.received).sum(),
            processed: of(Stage::Action).map(|row| row.processed).sum(),
            queued: rows.iter().map(|row| row.queued).sum(),
            dropped: rows.iter().map(Row::dropped_total).sum(),
        }
    }

    /// What has happened in `time`.
    fn text(self, before: Self, time: Duration) -> String {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
        let rate = |now: u64, then: u64| now.saturating_sub(then).saturating_mul(1000) / millis;
        format!(
            "{} messages/s received, {} written, {} queued, {} dropped since the start",
            rate(self.received, before.received),
            rate(self.processed, before.processed),
            self.queued,
            self.dropped
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 200];
        let len = socket.recv(&mut bytes).expect("a datagram");
        String::from_utf8_lossy(&bytes[..len]).into_owned()
    }

    #[test]
    fn datagrams_to_a_path_and_to_an_abstract_name() {
        let dir = tempfile::tempdir().expect("made");
        let path = dir.path().join("notify");
        let by_path = UnixDatagram::bind(&path).expect("bound");
        let name = format!("sluice-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("an address");
        let abstract_name = UnixDatagram::bind_addr(&address).expect("bound");
        let names = [path.to_str().expect("UTF-8").to_owned(), format!("@{name}")];
        for (name, socket) in names.iter().zip([by_path, abstract_name]) {
            let notify = Notify::new(Some(name), Some("3000000"));
            assert_eq!(notify.watchdog_interval(), Some(Duration::from_millis(1500)));
            notify.ready();
            notify.alive();
            notify.stopping();
            let told = [(); 3].map(|()| receive(&socket));
            let expected =
                ["READY=1\nSTATUS=Started", "WATCHDOG=1", "STOPPING=1\nSTATUS=Emptying queues"];
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn nobody_listens() {
        let nobody = Notify::new(None, Some("3000000"));
        nobody.ready();
        assert_eq!((nobody.is_wanted(), nobody.watchdog_interval()), (false, None));
        let gone = Notify::new(Some("/nonexistent/socket"), None);
        gone.ready();
        assert_eq!(gone.watchdog_interval(), None);
        assert!(!Notify::new(Some(&"x".repeat(200)), None).is_wanted(), "no address");
    }

    #[test]
    fn rates() {
        let before = Sums { received: 100, processed: 90, queued: 10, dropped: 0 };
        let now = Sums { received: 600, processed: 390, queued: 7, dropped: 3 };
        assert_eq!(
            now.text(before, Duration::from_secs(2)),
            "250 messages/s received, 150 written, 7 queued, 3 dropped since the start"
        );
        assert!(now.text(now, Duration::ZERO).starts_with("0 messages/s received, 0 written"));
    }
}

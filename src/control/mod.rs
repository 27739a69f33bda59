//! Two threads that never touch a message. The main thread owns signals and a tick every second; the control
//! thread ([`tasks`]) does what may wait: statistics, state files.
//!
//! Everything the main thread calls on HUP or on a tick must not wait for an output: a file that is stuck in a
//! write closes itself when that write returns.

pub mod notify;
pub mod pidfile;
pub mod signals;
pub mod tasks;

use std::time::Duration;

use self::notify::Notify;
use self::signals::{Event, Signals};
use crate::daemon::Daemon;
use crate::inputs::internal;
use crate::sys::clock;

/// Time between two ticks.
const TICK: Duration = Duration::from_secs(1);

/// Serves signals and timers until one of them says stop; returns that signal's number.
///
/// # Errors
/// When waiting for signals fails.
pub fn run(signals: &mut Signals, daemon: &Daemon, notify: &Notify) -> std::io::Result<i32> {
    let tick = notify.watchdog_interval().map_or(TICK, |interval| interval.min(TICK));
    loop {
        notify.alive();
        for event in signals.wait(tick)? {
            match event {
                Event::Hup => daemon.hup(),
                Event::Stop(signal) => return Ok(signal),
                Event::ToggleDebug => internal::toggle_debug(),
                Event::Tick => daemon.tick(clock::now_secs()),
            }
        }
    }
}

//! The daemon's own messages: what goes through the `log` crate becomes a syslog message of facility syslog,
//! as rsyslogd's are (`spec/message-model.md` section 13).
//!
//! ```text
//! any thread ──log!──► standard error (errors)
//!                 └──► waiting (bounded) ──► thread "internal" ──► main queue, or /dev/log
//! ```
//! Who logs never waits: a full `waiting` drops and counts, and only the thread submits, so a full main queue
//! can hold up the thread but nobody else. Until the queue stands (`start`), messages are kept.
//!
//! Key `code` of a message is rsyslog's return code, shown in TAG and text; `code = 0` marks a message that
//! rsyslogd writes without any suffix (start, HUP, exit); key `plain` leaves the suffix off and the code in TAG. Key `kernel`
//! makes the facility kern, key `mark` makes it a MARK message. Key `quiet` keeps a message off standard error, where it
//! stands already. Levels below info go to standard error only, and only in debug mode; with key `own` a debug
//! record is a message, too, which `internalmsg.severity="debug"` lets through.

pub mod debug;
mod delivery;
pub mod operating_state;

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use log::{Level, LevelFilter};

use self::delivery::Worker;
use crate::config::diagnostic::suffix;
use crate::limits::MESSAGE_BYTES_DEFAULT;
use crate::message::Submit;
use crate::ruleset::Hostname;
use crate::stats;
use crate::sync::{Condvar, Mutex, lock, wait};
use crate::sys::{clock, process};

/// Messages that may wait for the thread.
const WAITING_MAX: usize = 1000;

/// The global parameters about own messages.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "they are independent parameters")]
pub struct Settings {
    /// `processInternalMessages`: through the main queue rather than to the system's log.
    pub process: bool,
    /// `internalmsg.ratelimit.interval`, seconds; 0 is no limit.
    pub interval: i64,
    /// `internalmsg.ratelimit.burst`: messages per interval.
    pub burst: u64,
    /// `internalmsg.severity`: messages of a higher number are dropped.
    pub severity: u8,
    /// `$ErrorMessagesToStderr`: whether errors are also written to standard error.
    pub errors_to_stderr: bool,
    /// `allMessagesToStderr`.
    pub all_to_stderr: bool,
    /// `errorMessagesToStderr.maxNumber`; `None` is no limit.
    pub stderr_max: Option<u64>,
    /// Runs in the foreground: errors are written to standard error whatever the parameters say.
    pub foreground: bool,
    /// `debug.logFile`: gets the debug output, too.
    pub debug_file: Option<PathBuf>,
    /// `$DebugLevel`: whether there is debug output; `None` leaves it as it is.
    pub debug: Option<bool>,
    /// `debug.onShutdown`: debug output from [`begin_shutdown`] on.
    pub debug_shutdown: bool,
}

impl Default for Settings {
    /// The reference's defaults; `RSYSLOG_DFLT_LOG_INTERNAL=1` in the environment turns `process` on.
    fn default() -> Self {
        let process = std::env::var_os("RSYSLOG_DFLT_LOG_INTERNAL").is_some_and(|v| v == "1");
        Self {
            process,
            interval: 60,
            burst: 100,
            severity: 6,
            errors_to_stderr: true,
            all_to_stderr: false,
            stderr_max: None,
            foreground: false,
            debug_file: None,
            debug: None,
            debug_shutdown: false,
        }
    }
}

/// What the thread hands messages to.
#[derive(Clone)]
pub struct Pipeline {
    /// The main queue.
    pub main_queue: Arc<dyn Submit>,
    /// The local host name.
    pub hostname: Hostname,
}

static INTERNAL: OnceLock<Internal> = OnceLock::new();

/// Takes the `log` crate's records from now on. Until [`configure`], errors go to standard error.
pub fn install(debug: bool) {
    let internal = INTERNAL.get_or_init(Internal::default);
    // Fails for the second of two calls, and the logger is there then.
    let _ = log::set_logger(internal);
    set_debug(debug);
}

/// Whether debug messages are written to standard error.
pub fn set_debug(on: bool) {
    if let Some(internal) = INTERNAL.get() {
        internal.debug.store(on, Ordering::Relaxed);
    }
    let own = INTERNAL.get().is_some_and(|internal| {
        let settings = &lock(&internal.state).settings;
        settings.severity >= 7 || settings.all_to_stderr
    });
    log::set_max_level(match (on, own) {
        (true, _) => LevelFilter::Trace,
        (false, true) => LevelFilter::Debug,
        (false, false) => LevelFilter::Info,
    });
}

/// Turns debug messages on or off (`SIGUSR1`).
pub fn toggle_debug() {
    if let Some(internal) = INTERNAL.get() {
        set_debug(!internal.debug.load(Ordering::Relaxed));
    }
}

/// Obeys the configuration from now on.
pub fn configure(settings: Settings) {
    if let Some(internal) = INTERNAL.get() {
        let file = settings.debug_file.clone();
        let debug = settings.debug;
        let mut state = lock(&internal.state);
        state.stderr_left = settings.stderr_max;
        state.settings = settings;
        drop(state);
        if let Some(path) = file
            && let Err(e) = debug::open(&path)
        {
            log::error!("debug log file '{}' could not be opened: {e}", path.display());
        }
        set_debug(debug.unwrap_or_else(|| internal.debug.load(Ordering::Relaxed)));
    }
}

/// The daemon is about to stop: `debug.onShutdown` turns debug output on.
pub fn begin_shutdown() {
    let internal = INTERNAL.get();
    if internal.is_some_and(|internal| lock(&internal.state).settings.debug_shutdown) {
        set_debug(true);
    }
}

/// Hands on what has been waiting and what is to come, from a thread of its own, until [`stop`].
///
/// # Errors
/// When the thread cannot be had.
pub fn start(pipeline: Pipeline, stats: &stats::Set) -> io::Result<()> {
    match INTERNAL.get() {
        Some(internal) => internal.start(pipeline, stats),
        None => Ok(()),
    }
}

/// Hands the last messages on and ends the thread; comes before the main queue is stopped. Later messages
/// only go to standard error.
pub fn stop() {
    if let Some(internal) = INTERNAL.get() {
        internal.stop();
    }
}

/// All of the daemon's logging.
#[derive(Default)]
struct Internal {
    state: Mutex<State>,
    /// There is something in `waiting`, or the end.
    work: Condvar,
    /// Flips without order against anything else.
    debug: AtomicBool,
}

#[derive(Default)]
struct State {
    settings: Settings,
    waiting: VecDeque<Entry>,
    /// Messages dropped because `waiting` was full, not yet told.
    lost: u64,
    /// Lines that may still be written to standard error.
    stderr_left: Option<u64>,
    /// No more messages are taken.
    is_closed: bool,
    thread: Option<JoinHandle<()>>,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    /// Of facility kern rather than syslog.
    kernel: bool,
    /// A MARK message.
    mark: bool,
    severity: u8,
    code: Option<u16>,
    /// With suffix, without control characters.
    text: String,
    /// Microseconds since the epoch.
    time: i64,
}

impl log::Log for Internal {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        // What the HTTP library says about each request is its own affair, and would make more requests.
        metadata.level() <= log::max_level() && !metadata.target().starts_with("ureq")
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let quiet = record.key_values().get("quiet".into()).is_some();
        let own = record.key_values().get("own".into()).is_some();
        let code = record.key_values().get("code".into()).and_then(|code| code.to_u64());
        if record.level() <= Level::Info && code != Some(0) {
            operating_state::message(&record.args().to_string());
        }
        let shown = match severity(record.level(), own) {
            Some(severity) => self.take(Entry::new(severity, record), quiet),
            None => false,
        };
        if !shown && self.debug.load(Ordering::Relaxed) {
            debug::logger().log(record);
        }
    }

    fn flush(&self) {}
}

/// `None` for what is for debugging only.
fn severity(level: Level, own: bool) -> Option<u8> {
    match level {
        Level::Error => Some(3),
        Level::Warn => Some(4),
        Level::Info => Some(6),
        Level::Debug if own => Some(7),
        Level::Debug | Level::Trace => None,
    }
}

impl Entry {
    fn new(severity: u8, record: &log::Record<'_>) -> Self {
        let code = record.key_values().get("code".into()).and_then(|code| code.to_u64());
        let mut text = record.args().to_string();
        match code {
            _ if record.key_values().get("plain".into()).is_some() => {}
            Some(0) => {}
            code => text += &suffix(code.and_then(|code| u16::try_from(code).ok())),
        }
        let code = code.filter(|&code| code != 0).and_then(|code| u16::try_from(code).ok());
        let kernel = record.key_values().get("kernel".into()).is_some();
        let mark = record.key_values().get("mark".into()).is_some();
        Self { kernel, mark, ..Self::plain(severity, code, &text) }
    }

    fn plain(severity: u8, code: Option<u16>, text: &str) -> Self {
        let printable = |c: char| if c.is_ascii_control() { ' ' } else { c };
        let mut text: String = text.chars().map(printable).collect();
        let end =
            (0..=MESSAGE_BYTES_DEFAULT).rev().find(|&n| text.is_char_boundary(n)).unwrap_or(0);
        text.truncate(end);
        Self { kernel: false, mark: false, severity, code, text, time: clock::now_usec() }
    }
}

impl Internal {
    /// Takes a message; returns whether it was shown on standard error (`quiet`: it has been, or need not be).
    fn take(&self, entry: Entry, quiet: bool) -> bool {
        let mut state = lock(&self.state);
        let (show, is_last) = if quiet { (false, false) } else { state.shows(entry.severity) };
        let line = if show { format!("rsyslogd: {}\n", entry.text) } else { String::new() };
        if state.waiting.len() < WAITING_MAX && !state.is_closed {
            state.waiting.push_back(entry);
            self.work.notify_one();
        } else if !state.is_closed {
            state.lost += 1;
        }
        drop(state);
        // Where nobody can be told, there is nobody to tell that.
        let _ = io::stderr().write_all(line.as_bytes());
        if is_last {
            let _ = io::stderr().write_all(
                b"rsyslogd: configured max number of error messages to stderr reached, further \
                  messages will not be output\nConsider adjusting\n    \
                  global(errorMessagesToStderr.maxNumber=\"xx\")\nif you want more.\n",
            );
        }
        show || quiet
    }

    fn start(&'static self, pipeline: Pipeline, stats: &stats::Set) -> io::Result<()> {
        let mut object = stats::Object::new("rsyslogd[internal_messages]", "core");
        let settings = lock(&self.state).settings.clone();
        let worker = Worker::new(settings, pipeline, &mut object);
        stats.add(object);
        let thread = process::spawn("internal", move || worker.run(self))?;
        let mut state = lock(&self.state);
        state.is_closed = false;
        state.thread = Some(thread);
        Ok(())
    }

    fn stop(&self) {
        let mut state = lock(&self.state);
        state.is_closed = true;
        let thread = state.thread.take();
        drop(state);
        self.work.notify_all();
        if let Some(thread) = thread {
            // The release build aborts on panic; in a test build the panic has been printed.
            let _ = thread.join();
        }
    }

    /// The next message and how many were lost before it; `None` at the end.
    fn next(&self) -> Option<(Entry, u64)> {
        let mut state = lock(&self.state);
        loop {
            if let Some(entry) = state.waiting.pop_front() {
                return Some((entry, std::mem::take(&mut state.lost)));
            }
            if state.is_closed {
                return None;
            }
            state = wait(&self.work, state);
        }
    }
}

impl State {
    /// Whether a message of this severity goes to standard error, and whether no more will after it.
    fn shows(&mut self, severity: u8) -> (bool, bool) {
        let settings = &self.settings;
        let enabled = settings.foreground || settings.errors_to_stderr || settings.all_to_stderr;
        if !enabled || !(settings.all_to_stderr || severity <= 3) {
            return (false, false);
        }
        match &mut self.stderr_left {
            None => (true, false),
            Some(0) => (false, false),
            Some(left) => {
                *left -= 1;
                (true, *left == 0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Batch, FlowControl};

    /// An `Internal` of a test's own, not that of the `log` crate.
    fn internal(settings: Settings) -> &'static Internal {
        let internal = Internal::default();
        lock(&internal.state).settings = settings;
        Box::leak(Box::new(internal))
    }

    fn quiet() -> Settings {
        Settings { errors_to_stderr: false, process: true, ..Settings::default() }
    }

    #[derive(Default)]
    struct Collect(Mutex<Vec<Batch>>);

    impl Submit for Collect {
        fn submit(&self, batch: Batch, _flow: FlowControl) {
            lock(&self.0).push(batch);
        }
    }

    /// Runs the messages through and returns the texts that came out.
    fn through(settings: Settings, entries: impl IntoIterator<Item = Entry>) -> Vec<String> {
        let queue = Arc::new(Collect::default());
        let internal = internal(settings);
        for entry in entries {
            internal.take(entry, false);
        }
        let main_queue: Arc<dyn Submit> = Arc::<Collect>::clone(&queue);
        let pipeline = Pipeline { main_queue, hostname: Hostname::default() };
        internal.start(pipeline, &stats::Set::default()).unwrap();
        internal.stop();
        let batches = lock(&queue.0);
        let text = |b: &Batch| String::from_utf8(b.bytes.get(b.records[0].raw).to_vec()).unwrap();
        batches.iter().map(text).collect()
    }

    fn entry(n: i64) -> Entry {
        Entry {
            kernel: false,
            mark: false,
            severity: 6,
            code: None,
            text: n.to_string(),
            time: n * 1_000_000,
        }
    }

    #[test]
    fn records_become_the_references_texts() {
        let record = |level, code: Option<u16>, text: &str| {
            let pairs = code.map(|code| [("code", code)]);
            let mut builder = log::Record::builder();
            if let Some(pairs) = &pairs {
                builder.key_values(pairs);
            }
            let args = format_args!("{text}");
            Entry::new(severity(level, false).unwrap(), &builder.args(args).build())
        };
        let error = record(Level::Error, Some(2079), "too many tcp sessions");
        assert_eq!(
            error.text,
            "too many tcp sessions [v8.2608.0 try https://www.rsyslog.com/e/2079 ]"
        );
        assert_eq!((error.severity, error.code), (3, Some(2079)));
        let info = record(Level::Info, None, "a\tb\nc\x7fd\u{e9}");
        assert_eq!((info.text.as_str(), info.code), ("a b c d\u{e9} [v8.2608.0]", None));
        let bare = record(Level::Info, Some(0), "[origin software=\"rsyslogd\"] start");
        assert_eq!((bare.text.as_str(), bare.code), ("[origin software=\"rsyslogd\"] start", None));
        let long = record(Level::Warn, None, &"\u{e9}".repeat(MESSAGE_BYTES_DEFAULT));
        assert_eq!((long.text.len(), long.severity), (MESSAGE_BYTES_DEFAULT, 4));
        assert_eq!(severity(Level::Debug, false), None);
        assert_eq!(severity(Level::Debug, true), Some(7));
    }

    #[test]
    fn early_messages_are_kept_in_order_and_all_handed_on_before_the_end() {
        let texts = through(quiet(), (0..50).map(entry));
        assert_eq!(texts, (0..50).map(|n| n.to_string()).collect::<Vec<_>>());
    }

    #[test]
    fn too_many_messages_are_dropped_and_counted() {
        let unlimited = Settings { interval: 0, ..quiet() };
        let texts = through(unlimited, (0..1010).map(entry));
        assert_eq!(texts.len(), WAITING_MAX + 1);
        assert_eq!(texts[0], "10 internal messages lost: too many were waiting");
        assert_eq!(texts[WAITING_MAX], "999");
    }

    #[test]
    fn the_rate_limit_tells_what_it_drops() {
        let limited = Settings { interval: 10, burst: 2, ..quiet() };
        let begin = "rsyslogd[internal_messages] from <:rsyslogd>: begin to drop messages due to rate-limiting";
        let lost = |n| {
            format!(
                "rsyslogd[internal_messages]: {n} messages lost due to rate-limiting (2 allowed \
                 within 10 seconds)"
            )
        };
        let cases: [(&[i64], Vec<String>); 4] = [
            (&[1, 2], vec!["1".into(), "2".into()]),
            (&[1, 2, 3, 11], vec!["1".into(), "2".into(), begin.into(), lost(2)]),
            (&[1, 2, 3, 12], vec!["1".into(), "2".into(), begin.into(), lost(1), "12".into()]),
            (&[5, 5, 5, 4], vec!["5".into(), "5".into(), begin.into(), lost(1), "4".into()]),
        ];
        for (times, expected) in cases {
            assert_eq!(through(limited.clone(), times.iter().map(|&n| entry(n))), expected);
        }
    }

    #[test]
    fn severities_above_the_limit_are_dropped() {
        let errors = Settings { severity: 3, ..quiet() };
        let entries = [3, 4, 6].map(|severity| Entry { severity, ..entry(i64::from(severity)) });
        assert_eq!(through(errors, entries), ["3"]);
    }

    #[test]
    fn standard_error_shows_errors_until_there_were_enough() {
        let shown = |settings: Settings, severities: &[u8]| {
            let mut state =
                State { stderr_left: settings.stderr_max, settings, ..State::default() };
            severities.iter().map(|&s| state.shows(s)).collect::<Vec<_>>()
        };
        let normal = Settings::default();
        assert_eq!(shown(normal.clone(), &[3, 4]), [(true, false), (false, false)]);
        let all = Settings { all_to_stderr: true, ..normal.clone() };
        assert_eq!(shown(all, &[6]), [(true, false)]);
        assert_eq!(shown(quiet(), &[3]), [(false, false)]);
        assert_eq!(shown(Settings { foreground: true, ..quiet() }, &[3]), [(true, false)]);
        let two = Settings { stderr_max: Some(2), ..normal };
        assert_eq!(
            shown(two, &[3, 4, 3, 3]),
            [(true, false), (false, false), (true, true), (false, false)]
        );
    }

    #[test]
    fn after_the_end_nothing_is_kept() {
        let internal = internal(quiet());
        internal.stop();
        internal.take(entry(1), false);
        assert_eq!(internal.next(), None);
    }
}

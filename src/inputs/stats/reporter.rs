//! One round after the other: all counters are read once, and every output of the round shows that.

use std::sync::Arc;
use std::time::Duration;

use super::file::LogFile;
use super::messages::Messages;
use super::push::Push;
use super::settings::Settings;
use crate::inputs::InputEnv;
use crate::message::Zone;
use crate::message::date::write_ctime;
use crate::message::timestamp::Time;
use crate::ruleset::Hostname;
use crate::stats::report::{Format, Round, exposition};
use crate::stats::{Purpose, Set, ledger};
use crate::sync::lock;
use crate::sys::clock;
use crate::task::Task;

/// The task.
pub(super) struct Reporter {
    interval: Duration,
    format: Format,
    purpose: Purpose,
    bracketing: bool,
    ledger: bool,
    /// The file is an exposition, without times before its lines.
    exposition: bool,
    file: Option<LogFile>,
    messages: Option<Messages>,
    push: Option<Push>,
    hostname: Hostname,
    stats: Arc<Set>,
}

impl Reporter {
    /// Reports as `settings` say, all objects that `env` lends.
    pub(super) fn new(settings: Settings, env: &InputEnv) -> Self {
        let Settings { overwrite, format, .. } = settings;
        Self {
            interval: settings.interval,
            format,
            purpose: if settings.reset { Purpose::Reset } else { Purpose::Report },
            bracketing: settings.bracketing,
            ledger: settings.ledger,
            exposition: overwrite && format == Format::Prometheus,
            file: settings.file.map(|path| LogFile::new(path, overwrite)),
            messages: settings.syslog.then(|| Messages::new(settings.pri, env)),
            push: settings.push,
            hostname: Arc::clone(&env.hostname),
            stats: Arc::clone(&env.stats),
        }
    }

    fn report(&mut self) {
        let now = clock::now_usec();
        let time = Time::from_epoch_usec(now, &Zone::at(now / 1_000_000, clock::local_offset));
        let mut objects = self.stats.read(self.purpose);
        if self.ledger {
            objects.push(ledger::object(&ledger::rows(&objects)));
        }
        let senders = self.stats.sender_counts(self.purpose);
        let round = Round { objects, senders, date: date(&time, b'0') };
        let date = date(&time, b' ');
        if let Some(push) = &self.push {
            let hostname = lock(&self.hostname).clone();
            push.push(&round.objects, &hostname, now / 1000);
        }
        // The file first: it waits for no queue.
        if let Some(file) = &mut self.file {
            let mut text = Vec::new();
            if self.exposition {
                exposition::write(&round.objects, &mut text);
            } else {
                lines(&round, self.format, self.bracketing, |line| {
                    text.extend_from_slice(date.as_bytes());
                    text.extend_from_slice(b": ");
                    text.extend_from_slice(line);
                    text.push(b'\n');
                });
            }
            file.write(&text);
        }
        if let Some(messages) = &mut self.messages {
            lines(&round, self.format, self.bracketing, |line| messages.push(line, now));
            messages.submit();
        }
    }
}

/// Hands over the lines of a round, with those around them.
fn lines(round: &Round, format: Format, bracketing: bool, mut line: impl FnMut(&[u8])) {
    if bracketing {
        line(b"BEGIN");
    }
    round.lines(format, &mut line);
    if bracketing {
        line(b"END");
    }
}

fn date(time: &Time, pad: u8) -> String {
    let mut text = Vec::new();
    write_ctime(time, pad, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

impl Task for Reporter {
    fn interval(&self) -> Option<Duration> {
        Some(self.interval)
    }

    fn run(&mut self) {
        self.report();
    }

    fn hup(&mut self) {
        if let Some(file) = &mut self.file {
            file.hup();
        }
    }

    /// The last report, as in the reference: queues still take it, and inputs count no more.
    fn inputs_ended(&mut self) {
        self.report();
    }
}

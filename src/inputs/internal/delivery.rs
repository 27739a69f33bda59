//! The thread that hands the daemon's messages on: rate limit, severity, and the ways out.

use std::os::unix::net::UnixDatagram;
use std::sync::Arc;

use super::{Entry, Internal, Pipeline, Settings};
use crate::message::date::DateFormat;
use crate::message::timestamp::Time;
use crate::message::{Batch, Field, Flags, FlowControl, Record, Sender, Submit, Zone};
use crate::ruleset::Hostname;
use crate::stats::{self, Counter};
use crate::sync::lock;
use crate::sys::clock;

/// Facility syslog, shifted.
const FACILITY: u8 = 5 << 3;
/// The reference's code of messages about its own rate limits.
const RATE_LIMITED: u16 = 2177;
/// Where messages go that do not pass the daemon's own rules.
const SYSTEM_LOG: &str = "/dev/log";

/// The thread.
pub(super) struct Worker {
    settings: Settings,
    counters: Counters,
    limit: Limit,
    outlet: Outlet,
}

struct Counters {
    submitted: Arc<Counter>,
    limited: Arc<Counter>,
    lost: Arc<Counter>,
    /// Not taken by the system's log, or there is none.
    failed: Arc<Counter>,
}

impl Counters {
    fn new(object: &mut stats::Object) -> Self {
        Self {
            submitted: object.counter("submitted"),
            limited: object.counter("discarded.ratelimit"),
            lost: object.counter("discarded.full"),
            failed: object.counter("failed"),
        }
    }
}

impl Worker {
    /// A worker that obeys `settings`; `object` gets its counters.
    pub(super) fn new(settings: Settings, pipeline: Pipeline, object: &mut stats::Object) -> Self {
        let counters = Counters::new(object);
        Self { settings, counters, limit: Limit::default(), outlet: Outlet::new(pipeline) }
    }

    /// Hands messages on until there are no more to come.
    pub(super) fn run(mut self, internal: &Internal) {
        while let Some((entry, lost)) = internal.next() {
            if lost > 0 {
                self.counters.lost.add(lost);
                let text = format!("{lost} internal messages lost: too many were waiting");
                self.deliver(Entry::plain(4, None, &text));
            }
            self.take(entry);
        }
        self.tell_missed();
    }

    /// Passes the message on within the rate limit.
    fn take(&mut self, entry: Entry) {
        let Settings { interval, burst, .. } = self.settings;
        if self.limit.is_over(interval, entry.time / 1_000_000) {
            self.tell_missed();
        }
        if self.limit.admit(interval, burst, entry.time / 1_000_000) {
            self.deliver(entry);
            return;
        }
        self.counters.limited.add(1);
        if self.limit.missed == 1 {
            let text = format!(
                "rsyslogd[internal_messages] from <{}:rsyslogd>: begin to drop messages due to \
                 rate-limiting",
                String::from_utf8_lossy(&lock(&self.outlet.hostname))
            );
            self.deliver(Entry::plain(6, Some(RATE_LIMITED), &text));
        }
    }

    fn tell_missed(&mut self) {
        let missed = std::mem::take(&mut self.limit.missed);
        if missed > 0 {
            let Settings { interval, burst, .. } = self.settings;
            let text = format!(
                "rsyslogd[internal_messages]: {missed} messages lost due to rate-limiting \
                 ({burst} allowed within {interval} seconds)"
            );
            self.deliver(Entry::plain(6, Some(RATE_LIMITED), &text));
        }
    }

    fn deliver(&mut self, entry: Entry) {
        if entry.severity > self.settings.severity {
            return;
        }
        let done = if self.settings.process {
            self.outlet.submit(entry);
            true
        } else {
            self.outlet.send(&entry)
        };
        if done { &self.counters.submitted } else { &self.counters.failed }.add(1);
    }
}

/// Lets `burst` messages through per interval, which begins with the first message.
#[derive(Default)]
struct Limit {
    begin: Option<i64>,
    done: u64,
    missed: u64,
}

impl Limit {
    /// Whether the interval has ended at `now` seconds, also by a clock that was set back; starts afresh.
    fn is_over(&mut self, interval: i64, now: i64) -> bool {
        let over = self.begin.is_some_and(|begin| !(begin..=begin + interval).contains(&now));
        if over {
            self.begin = None;
            self.done = 0;
        }
        over
    }

    fn admit(&mut self, interval: i64, burst: u64, now: i64) -> bool {
        self.begin.get_or_insert(now);
        let admitted = interval == 0 || self.done < burst;
        *(if admitted { &mut self.done } else { &mut self.missed }) += 1;
        admitted
    }
}

/// The ways out.
struct Outlet {
    main_queue: Arc<dyn Submit>,
    hostname: Hostname,
    sender: Arc<Sender>,
    system_log: Option<UnixDatagram>,
}

impl Outlet {
    fn new(pipeline: Pipeline) -> Self {
        let Pipeline { main_queue, hostname } = pipeline;
        let sender = sender(&lock(&hostname));
        // Without a socket to send from, or a system's log to send to, messages go nowhere, as with syslog(3), but counted.
        let system_log = UnixDatagram::unbound().ok();
        let system_log = system_log.filter(|socket| socket.set_nonblocking(true).is_ok());
        Self { main_queue, hostname, sender, system_log }
    }

    fn submit(&mut self, entry: Entry) {
        let hostname = lock(&self.hostname).clone();
        if *self.sender.fromhost() != *hostname {
            self.sender = sender(&hostname); // a HUP has found another name
        }
        let batch = entry.into_batch(&self.sender);
        let flow = batch.flow;
        self.main_queue.submit(batch, flow);
    }

    /// Whether the system's log has taken the message.
    fn send(&self, entry: &Entry) -> bool {
        let zone = Zone::at(entry.time / 1_000_000, clock::local_offset);
        let socket = self.system_log.as_ref();
        socket.is_some_and(|socket| socket.send_to(&entry.to_datagram(&zone), SYSTEM_LOG).is_ok())
    }
}

fn sender(hostname: &[u8]) -> Arc<Sender> {
    Arc::new(Sender::local(crate::inputs::info(b"rsyslogd", None, true), hostname))
}

impl Entry {
    fn pri(&self) -> u8 {
        if self.kernel { self.severity } else { FACILITY | self.severity }
    }

    /// The message with TAG and without header; TAG stands behind the text, so that `rawmsg` is the text.
    fn into_batch(self, sender: &Arc<Sender>) -> Batch {
        let mut batch = Batch { flow: FlowControl::Light, ..Batch::default() };
        let raw = batch.bytes.append(self.text.as_bytes());
        let program = match self.code {
            Some(code) => format!("rsyslogd-{code}"),
            None => "rsyslogd".to_owned(),
        };
        batch.bytes.append(program.as_bytes());
        batch.bytes.append(b":");
        let mut record = Record::unparsed(raw, self.time, 0, Flags::INTERNAL);
        if self.mark {
            record.flags.set(Flags::MARK);
        }
        record.pri = self.pri();
        record.tag = Field::new(self.text.len(), program.len() + 1);
        record.program_len = u16::try_from(program.len()).unwrap_or(u16::MAX);
        batch.records.push(record);
        batch.senders.push(Arc::clone(sender));
        batch
    }

    /// The datagram that syslog(3) would send.
    fn to_datagram(&self, zone: &Zone) -> Vec<u8> {
        let mut out = format!("<{}>", self.pri()).into_bytes();
        DateFormat::Rfc3164.write(&Time::from_epoch_usec(self.time, zone), &mut out);
        out.extend_from_slice(b" rsyslogd: ");
        out.extend_from_slice(self.text.as_bytes());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_tag_host_and_facility_and_its_text_as_rawmsg() {
        use crate::message::{Env, Msg};
        let sender = sender(b"here");
        for (code, tag, program) in
            [(None, "rsyslogd:", "rsyslogd"), (Some(2007), "rsyslogd-2007:", "rsyslogd-2007")]
        {
            let entry = Entry {
                kernel: false,
                mark: code.is_none(),
                severity: 3,
                code,
                text: "it broke".to_owned(),
                time: 7,
            };
            let batch = entry.into_batch(&sender);
            let env = Env {
                now: 7,
                zone: Zone::UTC,
                hostname: Box::default(),
                uptime: 0,
                globals: Arc::default(),
            };
            let msg = Msg::at(&batch, 0, &env).unwrap();
            assert_eq!((msg.raw(), msg.msg()), (b"it broke".as_slice(), b"it broke".as_slice()));
            let mut found = Vec::new();
            msg.write_tag(&mut found);
            assert_eq!(found, tag.as_bytes());
            let found = msg.field(Field { len: msg.record.program_len, ..msg.record.tag });
            assert_eq!(found, program.as_bytes());
            assert_eq!((msg.facility(), msg.severity(), msg.record.received), (5, 3, 7));
            assert_eq!(
                (msg.hostname(), &*msg.sender().ip),
                (b"here".as_slice(), b"127.0.0.1".as_slice())
            );
            assert_eq!(&*msg.sender().input.name, b"rsyslogd");
            assert!(!msg.record.flags.has(Flags::NEEDS_PARSING));
            assert_eq!(msg.record.flags.has(Flags::MARK), code.is_none());
        }
    }

    #[test]
    fn datagrams_for_the_system_log() {
        for (kernel, expected) in [
            (false, b"<44>Jan  2 00:00:00 rsyslogd: x y".as_slice()),
            (true, b"<4>Jan  2 00:00:00 rsyslogd: x y"),
        ] {
            let (code, text, time) = (Some(9), "x y".into(), 86_400_000_000);
            let entry = Entry { kernel, mark: false, severity: 4, code, text, time };
            assert_eq!(entry.to_datagram(&Zone::UTC), expected);
        }
    }
}

//! imtcp's counters: one object per input, one per worker of a pool (`spec/imtcp.md` section 9).
//!
//! Workers count in plain integers, a `Tally`, and add it to the shared cells once per batch.

use std::sync::Arc;

use super::conf::Conf;
use crate::ratelimit;
use crate::stats::{Counter, Object, Set};
use crate::tls::{self, transport};

/// What a worker counts between two submits.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) submitted: u64,
    pub(super) bytes: u64,
    pub(super) decompressed: u64,
    pub(super) broken_streams: u64,
    pub(super) oversize: u64,
    pub(super) errors: u64,
    pub(super) runs: u64,
    pub(super) reads: u64,
    pub(super) empty_reads: u64,
    pub(super) starved: u64,
    /// Messages that ended with their connection before they were complete.
    pub(super) incomplete: u64,
    /// Times a session was not read for want of memory.
    pub(super) short: u64,
}

/// The counters of an input.
pub(super) struct Cells {
    submitted: Arc<Counter>,
    bytes: Arc<Counter>,
    decompressed: Arc<Counter>,
    broken_streams: Arc<Counter>,
    oversize: Arc<Counter>,
    errors: Arc<Counter>,
    pub(super) opened: Arc<Counter>,
    pub(super) rejected: Arc<Counter>,
    pub(super) refused: Arc<Counter>,
    pub(super) failed: Arc<Counter>,
    pub(super) closed: Arc<Counter>,
    pub(super) open: Arc<Counter>,
    pub(super) limits: ratelimit::Counters,
    pub(super) timed_out: Arc<Counter>,
    pub(super) crowded: Arc<Counter>,
    pub(super) broken: Arc<Counter>,
    pub(super) proxied: Arc<Counter>,
    pub(super) not_proxied: Arc<Counter>,
    incomplete: Arc<Counter>,
    short: Arc<Counter>,
    pub(super) memory: Arc<Counter>,
    /// Set where there is a certificate.
    expiry: Option<Arc<Counter>>,
}

impl Cells {
    /// The cells, and with TLS those of handshakes.
    pub(super) fn new(
        conf: &Conf,
        stats: &Set,
        tls: Option<&tls::Store>,
    ) -> (Self, Option<transport::Cells>) {
        let mut object =
            Object::new(object_name(format!("{}({})", conf.name, conf.port)), conf.module);
        let raw = conf.is_raw();
        let submitted = object.counter("submitted");
        let bytes = object.counter("bytes.received");
        let stream =
            |object: &mut Object, name| if raw { Arc::default() } else { object.counter(name) };
        let decompressed = stream(&mut object, "bytes.decompressed");
        let broken_streams = stream(&mut object, "decompression.errors");
        let mut cells = Self {
            submitted,
            bytes,
            decompressed,
            broken_streams,
            opened: object.counter("sessions.opened"),
            closed: object.counter("sessions.closed"),
            rejected: object.counter("sessions.rejected"),
            refused: object.counter("sessions.refused"),
            failed: object.counter("sessions.failed"),
            open: object.gauge("sessions.open"),
            oversize: object.counter("frames.oversize"),
            errors: object.counter("framing.errors"),
            limits: ratelimit::Counters::new(&mut object),
            timed_out: object.counter("sessions.timedout"),
            crowded: stream(&mut object, "sessions.crowded"),
            broken: stream(&mut object, "sessions.broken"),
            proxied: stream(&mut object, "proxy.headers"),
            not_proxied: stream(&mut object, "proxy.errors"),
            incomplete: if raw { object.counter("frames.incomplete") } else { Arc::default() },
            short: if raw { object.counter("memory.waits") } else { Arc::default() },
            memory: if raw { object.gauge("memory.used") } else { Arc::default() },
            expiry: None,
        };
        let handshakes = tls.map(|store| transport::Cells::new(&mut object, store.settings()));
        if let Some(end) = tls.and_then(tls::Store::first_end) {
            let expiry = object.gauge("tls.certificate.notafter.seconds");
            expiry.set(end);
            cells.expiry = Some(expiry);
        }
        object.gauge("sessions.limit").set(conf.max_sessions as u64);
        stats.add(object);
        (cells, handshakes)
    }

    /// The certificates have been read again.
    pub(super) fn renewed(&self, store: &tls::Store) {
        if let (Some(expiry), Some(end)) = (&self.expiry, store.first_end()) {
            expiry.set(end);
        }
    }

    pub(super) fn add(&self, tally: &Tally) {
        self.submitted.add(tally.submitted);
        self.bytes.add(tally.bytes);
        self.decompressed.add(tally.decompressed);
        self.broken_streams.add(tally.broken_streams);
        self.oversize.add(tally.oversize);
        self.errors.add(tally.errors);
        self.incomplete.add(tally.incomplete);
        self.short.add(tally.short);
    }
}

/// The counters of one worker of a pool.
pub(super) struct WorkerCells {
    runs: Arc<Counter>,
    reads: Arc<Counter>,
    empty_reads: Arc<Counter>,
    starved: Arc<Counter>,
}

impl WorkerCells {
    /// The cells of worker `number`, and the one for accepts.
    pub(super) fn new(number: usize, conf: &Conf, stats: &Set) -> (Self, Arc<Counter>) {
        let mut object = Object::new(object_name(format!("w{number}/{}", conf.name)), conf.module);
        let cells = Self {
            runs: object.counter("runs"),
            reads: object.counter("read"),
            empty_reads: object.counter("emptyread"),
            starved: object.counter("starvation_protect"),
        };
        let accepts = object.counter("accept");
        stats.add(object);
        (cells, accepts)
    }

    pub(super) fn add(&self, tally: &Tally) {
        self.runs.add(tally.runs);
        self.reads.add(tally.reads);
        self.empty_reads.add(tally.empty_reads);
        self.starved.add(tally.starved);
    }
}

/// The reference keeps 63 bytes of an object's name.
fn object_name(mut name: String) -> String {
    let end = (0..=63.min(name.len())).rev().find(|&end| name.is_char_boundary(end));
    name.truncate(end.unwrap_or(0));
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(object_name("imtcp(514)".to_owned()), "imtcp(514)");
        assert_eq!(object_name("x".repeat(70)).len(), 63);
        assert_eq!(object_name("é".repeat(40)), "é".repeat(31));
    }
}

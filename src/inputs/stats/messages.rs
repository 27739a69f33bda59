//! `log.syslog`: each line is a message, with its header set and nothing to parse.

use std::sync::Arc;

use crate::inputs::{self, InputEnv};
use crate::message::{Builder, FlowControl, Sender, Submit};
use crate::stats::{Counter, Object};
use crate::sync::lock;

/// TAG of the messages.
const TAG: &[u8] = b"rsyslogd-pstats:";

/// Where messages go.
pub(super) struct Messages {
    pri: u8,
    queue: Arc<dyn Submit>,
    builder: Builder,
    sender: Arc<Sender>,
    submitted: Arc<Counter>,
}

impl Messages {
    /// Messages of this PRI, into the queue of `env`.
    pub(super) fn new(pri: u8, env: &InputEnv) -> Self {
        let mut object = Object::new("impstats", "core");
        let submitted = object.counter("submitted");
        env.stats.add(object);
        Self {
            pri,
            queue: Arc::clone(&env.submit),
            builder: Builder::new(Arc::clone(&env.pool)),
            sender: Arc::new(Sender::local(
                inputs::info(b"impstats", None, true),
                &lock(&env.hostname),
            )),
            submitted,
        }
    }

    /// Adds a message that was made at `now`, microseconds since the epoch. Waits for the queue where that is full.
    pub(super) fn push(&mut self, line: &[u8], now: i64) {
        self.builder.push_own((line, TAG), self.pri, now, &self.sender);
        if self.builder.is_full() {
            self.submit();
        }
    }

    /// Hands on what was pushed.
    pub(super) fn submit(&mut self) {
        if self.builder.is_empty() {
            return;
        }
        let batch = self.builder.seal();
        self.submitted.add(batch.len() as u64);
        self.queue.submit(batch, FlowControl::None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::IpProtocol;
    use crate::message::{Batch, Env, Field, Msg, Zone};
    use crate::sync::Mutex;

    #[derive(Default)]
    struct Collect(Mutex<Vec<Batch>>);

    impl Submit for Collect {
        fn submit(&self, batch: Batch, flow: FlowControl) {
            assert_eq!(flow, FlowControl::None);
            lock(&self.0).push(batch);
        }
    }

    fn environment(submit: Arc<dyn Submit>) -> InputEnv {
        InputEnv {
            tls: Arc::default(),
            submit,
            ruleset_found: true,
            pool: Arc::default(),
            names: None,
            stats: Arc::default(),
            tasks: Arc::default(),
            message_bytes: 8096,
            ip_protocol: IpProtocol::V4Only,
            hostname: inputs::tests::hostname(b"h"),
            keeps_own_messages: false,
            parsers: Arc::default(),
            limits: Arc::default(),
            access: Default::default(),
            secure: crate::param::SecureDefaults::Compatible,
        }
    }

    #[test]
    fn a_line_is_msg_and_rawmsg_and_the_header_is_the_references() {
        let collect = Arc::new(Collect::default());
        let env = environment(Arc::<Collect>::clone(&collect));
        let mut messages = Messages::new(46, &env);
        let long = [b'x'; 70_000];
        messages.push(b"main Q: size=0 ", 7);
        messages.push(&long, 8);
        messages.submit();
        messages.submit();
        let batches = lock(&collect.0);
        assert_eq!((batches.len(), batches[0].len()), (1, 2));
        let (hostname, globals) = (Box::default(), Arc::default());
        let now = Env { now: 7, zone: Zone::UTC, hostname, uptime: 0, globals };
        let expected: [(&[u8], usize); 2] = [(b"main Q: size=0 ", 15), (&long, 70_017)];
        for (index, (text, raw_len)) in expected.into_iter().enumerate() {
            let msg = Msg::at(&batches[0], index, &now).expect("a message");
            assert_eq!((msg.msg(), msg.raw().len()), (text, raw_len));
            let mut tag = Vec::new();
            msg.write_tag(&mut tag);
            assert_eq!(tag, TAG);
            let program = msg.field(Field { len: msg.record.program_len, ..msg.record.tag });
            assert_eq!(program, b"rsyslogd-pstats");
            assert_eq!((msg.facility(), msg.severity()), (5, 6));
            assert_eq!(msg.record.received, 7 + i64::try_from(index).expect("small"));
            assert_eq!((msg.hostname(), &*msg.sender().ip), (&b"h"[..], &b"127.0.0.1"[..]));
            assert_eq!(&*msg.sender().input.name, b"impstats");
        }
        drop(batches);
        assert_eq!(env.stats.total(Some("impstats"), "submitted"), 2);
    }
}

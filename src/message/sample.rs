//! Messages for tests, put together field by field.

use std::sync::Arc;

use super::{Batch, Env, Field, Flags, InputInfo, Msg, Record, Sender, Zone};

/// One message with its surroundings.
pub(crate) struct Sample {
    batch: Batch,
    env: Env,
}

/// 2026-11-20 09:53:11.606468 UTC, a Friday.
pub(crate) const RECEIVED: i64 = 1_795_168_391_606_468;

impl Sample {
    /// A message that no parser has touched, from 192.0.2.1 port 514 at [`RECEIVED`], processed half a
    /// second later.
    pub(crate) fn raw(raw: &[u8]) -> Self {
        let input = InputInfo { name: b"imtcp".as_slice().into(), ..InputInfo::default() };
        let sender = Sender::network(Arc::new(input), ([192, 0, 2, 1], 514).into(), None);
        let mut batch = Batch::default();
        let raw = batch.bytes.append(raw);
        batch.records.push(Record::unparsed(raw, RECEIVED, 0, Flags::empty()));
        batch.senders.push(Arc::new(sender));
        let hostname = b"here".as_slice().into();
        let env = Env {
            now: RECEIVED + 500_000,
            zone: Zone::UTC,
            hostname,
            uptime: 1409,
            globals: Arc::default(),
        };
        Self { batch, env }
    }

    /// `<pri>timestamp host tag` and MSG, where `tag` begins with `program`.
    pub(crate) fn rfc3164(
        pri: u8,
        timestamp: &str,
        host: &str,
        tag: &str,
        program: &str,
        msg: &[u8],
    ) -> Self {
        let header = format!("<{pri}>{timestamp} {host} {tag}");
        let mut sample = Self::raw(&[header.as_bytes(), msg].concat());
        let record = &mut sample.batch.records[0];
        let mut at = format!("<{pri}>").len();
        record.pri = pri;
        for (field, text) in
            [(&mut record.timestamp, timestamp), (&mut record.host, host), (&mut record.tag, tag)]
        {
            *field = Field::new(at, text.len());
            at += text.len() + 1;
        }
        record.program_len = u16::try_from(program.len()).expect("short");
        record.flags.set(Flags::HAS_TIMESTAMP.with(Flags::HAS_HOST));
        record.msg.start += u32::try_from(header.len()).expect("short");
        record.msg.len -= u32::try_from(header.len()).expect("short");
        sample
    }

    /// `<pri>1` and the seven parts of an RFC 5424 message.
    pub(crate) fn rfc5424(pri: u8, parts: [&str; 7]) -> Self {
        let [timestamp, host, app, procid, msgid, sd, msg] = parts;
        let header = format!("<{pri}>1 {timestamp} {host} {app} {procid} {msgid} {sd} ");
        let mut sample = Self::raw(format!("{header}{msg}").as_bytes());
        let record = &mut sample.batch.records[0];
        let mut at = format!("<{pri}>1 ").len();
        (record.pri, record.version) = (pri, 1);
        for (field, text) in [
            (&mut record.timestamp, timestamp),
            (&mut record.host, host),
            (&mut record.app, app),
            (&mut record.procid, procid),
            (&mut record.msgid, msgid),
            (&mut record.sd, sd),
        ] {
            *field = Field::new(at, text.len());
            at += text.len() + 1;
        }
        record.program_len = record.app.len;
        record.flags.set(Flags::HAS_TIMESTAMP.with(Flags::HAS_HOST));
        record.msg.start += u32::try_from(header.len()).expect("short");
        record.msg.len -= u32::try_from(header.len()).expect("short");
        sample
    }

    /// With another local zone, seconds east of UTC.
    pub(crate) fn zone(mut self, offset: i32) -> Self {
        self.env.zone = Zone { offset, ..Zone::UTC };
        self
    }

    /// With its record changed.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Record)) -> Self {
        change(&mut self.batch.records[0]);
        self
    }

    /// The batch, to be changed.
    pub(crate) fn batch(&mut self) -> &mut Batch {
        &mut self.batch
    }

    /// The message at this place.
    pub(crate) fn at(&self, index: usize) -> Msg<'_> {
        Msg::at(&self.batch, index, &self.env).expect("there is one")
    }

    /// The message.
    pub(crate) fn msg(&self) -> Msg<'_> {
        Msg::at(&self.batch, 0, &self.env).expect("there is one")
    }
}

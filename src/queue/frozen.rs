//! What waits in queues: batches with one owner, and selections of frozen ones.

use std::sync::Arc;

use super::Work;
use crate::message::{Batch, Bytes, Env, Flags, FlowControl, Msg, NO_VARS, Pool, Record, Vars};

/// Some messages of a batch that nobody changes any more.
#[derive(Clone, Debug)]
pub struct Frozen {
    /// The batch; other queues may hold it too.
    pub batch: Arc<Batch>,
    /// Which of its records, ascending.
    pub records: Vec<u32>,
    /// The variables of these messages when they were selected, one by one; nothing at all where none had any.
    pub vars: Vec<Vars>,
}

/// Messages of a batch that is still being processed, to become [`Frozen`].
#[derive(Debug, Default)]
pub struct Selection {
    records: Vec<u32>,
    vars: Vec<Vars>,
}

impl Selection {
    /// Whether there is no message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Adds a message, `index` being its place in its batch, with the variables that it has now.
    pub fn add(&mut self, index: u32, msg: &Msg<'_>) {
        if !msg.vars.is_none() || msg.record.vars != NO_VARS || !self.vars.is_empty() {
            self.vars.resize(self.records.len(), Vars::NONE);
            self.vars.push(msg.vars.clone());
        }
        self.records.push(index);
    }

    /// The selection of `batch`, which nobody changes any more; empty afterwards.
    pub fn freeze(&mut self, batch: &Arc<Batch>) -> Frozen {
        let Self { records, vars } = std::mem::take(self);
        Frozen { batch: Arc::clone(batch), records, vars }
    }
}

impl Frozen {
    /// Ends the use of the batch. The last user gives its storage back.
    pub fn recycle(self, pool: &Pool) {
        if let Some(batch) = Arc::into_inner(self.batch) {
            pool.give(batch);
        }
    }

    /// A copy of these messages that can be changed.
    #[must_use]
    pub fn thaw(&self) -> Batch {
        self.batch.extract(&self.records, &self.vars)
    }

    /// The message at this place of the selection.
    #[must_use]
    pub fn msg<'a>(&'a self, place: usize, env: &'a Env) -> Option<Msg<'a>> {
        let msg = Msg::at(&self.batch, *self.records.get(place)? as usize, env)?;
        Some(self.vars.get(place).map_or(msg, |vars| msg.with_vars(vars)))
    }

    fn record(&self, index: u32) -> Option<&Record> {
        self.batch.record(index as usize)
    }
}

impl Work for Frozen {
    fn len(&self) -> usize {
        self.records.len()
    }

    fn bytes(&self) -> u64 {
        let lengths = self.records.iter().filter_map(|&index| self.record(index));
        lengths.map(|record| u64::from(record.raw.len)).sum()
    }

    fn split_off(&mut self, at: usize) -> Self {
        let records = self.records.split_off(at.min(self.records.len()));
        let vars = self.vars.split_off(at.min(self.vars.len()));
        Self { batch: Arc::clone(&self.batch), records, vars }
    }

    fn retain(&mut self, keep: &mut dyn FnMut(usize, u8) -> bool) {
        let batch = &self.batch;
        let mut kept = Vec::with_capacity(self.records.len());
        let mut index = 0;
        self.records.retain(|&record| {
            index += 1;
            let record = batch.record(record as usize);
            kept.push(record.is_some_and(|record| keep(index - 1, severity(record, &batch.bytes))));
            kept[index - 1]
        });
        let mut kept = kept.into_iter();
        self.vars.retain(|_| kept.next().unwrap_or(false));
    }

    fn flow(&self) -> FlowControl {
        self.batch.flow
    }
}

impl Work for Batch {
    fn len(&self) -> usize {
        Self::len(self)
    }

    fn bytes(&self) -> u64 {
        self.raw_bytes()
    }

    fn split_off(&mut self, at: usize) -> Self {
        Self::split_off(self, at)
    }

    fn retain(&mut self, keep: &mut dyn FnMut(usize, u8) -> bool) {
        let mut index = 0;
        self.records.retain(|record| {
            index += 1;
            keep(index - 1, severity(record, &self.bytes))
        });
    }

    fn flow(&self) -> FlowControl {
        self.flow
    }
}

/// The severity of a message that may not have been parsed yet. (The reference takes every unparsed message
/// for `debug`, so that `discardSeverity` there drops all of them.)
fn severity(record: &Record, bytes: &Bytes) -> u8 {
    if !record.flags.has(Flags::NEEDS_PARSING) {
        return record.severity();
    }
    let Some((b'<', rest)) = bytes.get(record.raw).split_first() else {
        return record.severity();
    };
    let digits = rest.iter().take(4).take_while(|byte| byte.is_ascii_digit());
    let pri = digits.fold(0_u32, |pri, digit| pri * 10 + u32::from(digit - b'0'));
    u8::try_from(pri).map_or(7, |pri| pri & 7)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Builder, InputInfo, Sender};

    fn batch(texts: &[&str]) -> Batch {
        let mut builder = Builder::new(Arc::new(Pool::default()));
        let sender = Arc::new(Sender::local(Arc::new(InputInfo::default()), b"h"));
        for text in texts {
            let span = builder.bytes().append(text.as_bytes());
            builder.push(span, 0, &sender, Flags::NEEDS_PARSING);
        }
        builder.seal()
    }

    #[test]
    fn messages_are_dropped_by_the_severity_of_their_unparsed_text() {
        let texts = ["<0>emerg", "<15>debug", "no pri: notice", "<14>info", "<9999>invalid", ""];
        let want = [(0, 0), (1, 7), (2, 5), (3, 6), (4, 7), (5, 5)];
        let mut owned = batch(&texts);
        let mut frozen =
            Frozen { batch: Arc::new(batch(&texts)), records: (0..6).collect(), vars: Vec::new() };
        for work in 0..2 {
            let mut seen = Vec::new();
            let mut keep = |index, severity| {
                seen.push((index, severity));
                severity < 6
            };
            if work == 0 {
                owned.retain(&mut keep);
            } else {
                frozen.retain(&mut keep);
            }
            assert_eq!(seen, want);
        }
        assert_eq!((owned.len(), Work::bytes(&owned)), (3, 8 + 14));
        assert_eq!((frozen.len(), frozen.bytes()), (3, 8 + 14));
    }

    #[test]
    fn parts_keep_their_texts() {
        let texts = ["<1>a", "<2>bb", "<3>ccc"];
        let mut received = batch(&texts);
        let mut frozen =
            Frozen { batch: Arc::new(batch(&texts)), records: vec![0, 2], vars: Vec::new() };
        assert_eq!((frozen.split_off(1).bytes(), frozen.bytes()), (6, 4));

        let rest = received.split_off(1);
        let texts: Vec<_> = rest.records.iter().map(|record| rest.bytes.get(record.raw)).collect();
        assert_eq!(texts, [b"<2>bb".as_slice(), b"<3>ccc"]);
        assert_eq!((received.len(), received.split_off(5).len()), (1, 0));
    }

    #[test]
    fn variables_stay_with_their_messages() {
        use crate::message::json::{Json, Style};
        use crate::message::{Path, Scope, Zone};
        let env = Env {
            now: 0,
            zone: Zone::UTC,
            hostname: Box::default(),
            uptime: 0,
            globals: Arc::default(),
        };
        let batch = Arc::new(batch(&["<1>a", "<7>b", "<3>c", "<4>d"]));
        let mut selection = Selection::default();
        for index in 0..4 {
            let msg = Msg::at(&batch, index, &env).expect("a message");
            let vars = match index {
                0 => Vars::NONE,
                n => Vars::of_message(Json::Int(i64::try_from(n).expect("small"))),
            };
            selection.add(u32::try_from(index).expect("small"), &msg.with_vars(&vars));
        }
        let mut frozen = selection.freeze(&batch);
        assert!(selection.is_empty());
        frozen.retain(&mut |_, severity| severity != 7);
        let rest = frozen.split_off(2);
        let shown = |frozen: &Frozen| {
            let mut out = Vec::new();
            for place in 0..frozen.len() {
                let msg = frozen.msg(place, &env).expect("a message");
                out.extend_from_slice(msg.raw());
                if let Some(tree) = msg.vars.tree(Scope::Message) {
                    assert!(Path::new(b"").find(tree, env.globals.case).is_some());
                    tree.write(Style::Compact, &mut out);
                }
            }
            String::from_utf8(out).expect("ASCII")
        };
        assert_eq!((shown(&frozen), shown(&rest)), ("<1>a<3>c2".into(), "<4>d3".into()));
        // Without variables nothing is kept.
        selection.add(0, &Msg::at(&batch, 0, &env).expect("a message"));
        assert!(selection.freeze(&batch).vars.is_empty());
    }

    #[test]
    fn the_last_user_gives_the_storage_back() {
        let pool = Pool::default();
        let mut batch = pool.take();
        let storage = batch.bytes.spare_mut().as_ptr();
        let batch = Arc::new(batch);
        let first = Frozen { batch: Arc::clone(&batch), records: Vec::new(), vars: Vec::new() };
        let last = Frozen { batch, records: Vec::new(), vars: Vec::new() };
        first.recycle(&pool);
        let mut another = pool.take();
        assert_ne!(another.bytes.spare_mut().as_ptr(), storage);
        last.recycle(&pool);
        assert_eq!(pool.take().bytes.spare_mut().as_ptr(), storage);
    }
}

//! Messages longer than `maxMessageSize`, between an input and its queue: reported, written to
//! `oversizemsg.errorfile`, then cut, split or taken as they are (`spec/message-model.md` section 9).
//!
//! Most inputs cut while they read and hand over the pieces, marked [`Flags::OVERSIZE`]: those only go to the error
//! file. A batch without either passes after one look at its records.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::round::{Hostname, Round};
use crate::message::json::{Case, Style};
use crate::message::property::Property;
use crate::message::record::Span;
use crate::message::{Batch, Flags, FlowControl, Msg, Record, Submit, json, vars};
use crate::stats::{self, Counter};
use crate::sync::{Mutex, lock};

/// Code of the report.
const OVERSIZE: u16 = 2445;
/// Bytes of a message that the report shows.
const SHOWN: usize = 80;

/// `oversizemsg.…` of `global()`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `maxMessageSize`, bytes.
    pub limit: usize,
    /// `report`: whether each is logged.
    pub report: bool,
    /// `input.mode`.
    pub mode: Mode,
    /// `errorfile`: gets them as JSON, one line each.
    pub error_file: Option<PathBuf>,
}

/// What becomes of an oversize message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It loses what is too much.
    Truncate,
    /// It becomes several messages.
    Split,
    /// It stays as it is.
    Accept,
}

/// The settings, the error file and the counters, one for all inputs.
pub struct Oversize {
    settings: Settings,
    output: Mutex<Output>,
    /// HUP has come: the file is to be opened anew. A lock of its own, never held during I/O.
    stale: Mutex<bool>,
    counters: Counters,
}

struct Output {
    file: Option<File>,
    round: Round,
    line: Vec<u8>,
}

struct Counters {
    oversize: Arc<Counter>,
    /// Messages that are there because others were split: so many more than the inputs have submitted.
    added: Arc<Counter>,
    written: Arc<Counter>,
    failed: Arc<Counter>,
}

impl Oversize {
    /// Nothing is opened before the first such message.
    #[must_use]
    pub fn new(settings: Settings, hostname: &Hostname, stats: &stats::Set) -> Self {
        let mut object = stats::Object::new("oversize", "core.oversize");
        let counters = Counters {
            oversize: object.counter("messages"),
            added: object.counter("split.added"),
            written: object.counter("errorfile.written"),
            failed: object.counter("errorfile.failed"),
        };
        stats.add(object);
        // Its JSON is spaced, whatever `compactJsonString` says.
        let globals = Arc::new(vars::Globals::new(Case::Sensitive, Style::Spaced));
        let round = Round::new(Arc::clone(hostname), globals);
        let output = Mutex::new(Output { file: None, round, line: Vec::new() });
        Self { settings, output, stale: Mutex::default(), counters }
    }

    /// HUP: the file is opened again with the next message. Does not wait for a write that is stuck.
    pub fn hup(&self) {
        *lock(&self.stale) = true;
        if let Ok(mut output) = self.output.try_lock() {
            output.file = None;
        }
    }

    fn is_too_long(&self, record: &Record) -> bool {
        record.raw.len as usize > self.settings.limit && !record.flags.has(Flags::ANY_SIZE)
    }

    /// Whether there is anything to look at: without a branch for each record, since nearly always there is not.
    fn may_concern(&self, records: &[Record]) -> bool {
        let (longest, flags) =
            records.iter().fold((0, Flags::empty()), |(longest, flags), record| {
                (record.raw.len.max(longest), flags.with(record.flags))
            });
        longest as usize > self.settings.limit || flags.has(Flags::OVERSIZE)
    }

    fn concerns(&self, record: &Record) -> bool {
        record.flags.has(Flags::OVERSIZE) || self.is_too_long(record)
    }

    /// Does what the settings say to the batch's oversize messages.
    fn treat(&self, batch: &mut Batch) {
        for index in 0..batch.len() {
            let Some(record) = batch.records.get(index).filter(|record| self.concerns(record))
            else {
                continue;
            };
            if self.is_too_long(record) {
                self.counters.oversize.add(1);
                self.report(batch.bytes.get(record.raw));
            }
            self.write(batch, *record);
        }
        self.fit(&mut batch.records);
    }

    /// Cuts or splits the records that are too long.
    fn fit(&self, records: &mut Vec<Record>) {
        let limit = u32::try_from(self.settings.limit).unwrap_or(u32::MAX).max(1);
        let too_long = |record: &&mut Record| self.is_too_long(record);
        match self.settings.mode {
            Mode::Accept => {
                let whole = records.iter_mut().filter(too_long);
                whole.for_each(|record| record.flags.clear(Flags::TRUNCATED));
            }
            Mode::Truncate => {
                for record in records.iter_mut().filter(too_long) {
                    *record = record.section(0, limit);
                    record.flags.set(Flags::TRUNCATED);
                }
            }
            Mode::Split => {
                let all = std::mem::take(records);
                for mut record in all {
                    if !self.is_too_long(&record) {
                        records.push(record);
                        continue;
                    }
                    record.flags.clear(Flags::TRUNCATED);
                    let len = record.raw.len;
                    let starts = (0..len).step_by(limit as usize);
                    self.counters.added.add(starts.len() as u64 - 1);
                    records.extend(starts.map(|at| record.section(at, limit.min(len - at))));
                }
            }
        }
    }

    fn report(&self, raw: &[u8]) {
        if self.settings.report {
            let shown = String::from_utf8_lossy(raw.get(..SHOWN).unwrap_or(raw));
            log::warn!(
                code = OVERSIZE;
                "message too long ({}) with configured size {}, begin of message is: {shown}",
                raw.len(),
                self.settings.limit
            );
        }
    }

    /// Adds the message to the error file.
    fn write(&self, batch: &Batch, mut record: Record) {
        let Some(path) = &self.settings.error_file else { return };
        if record.flags.has(Flags::NEEDS_PARSING) {
            // What the reference shows of a message whose header has not been looked at.
            record.msg = Span::default();
            record.pri = 199;
        }
        let mut output = lock(&self.output);
        let Output { file, round, line } = &mut *output;
        if std::mem::take(&mut *lock(&self.stale)) {
            *file = None;
        }
        let opened = match file {
            Some(file) => Ok(file),
            None => {
                let mut options = OpenOptions::new();
                let opened = options.append(true).create(true).mode(0o660).open(path);
                opened.map(|opened| file.insert(opened))
            }
        };
        let done = opened.map_err(|e| ("opening", e)).and_then(|file| {
            round.begin();
            let vars = batch.vars_of(&record);
            compose(&Msg { batch, record: &record, env: round.env(), vars }, line);
            round.end();
            file.write_all(line).map_err(|e| ("writing", e))
        });
        match done {
            Ok(()) => self.counters.written.add(1),
            Err((what, e)) => {
                self.counters.failed.add(1);
                let path = path.display();
                log::error!("error {what} oversize message log file {path}: {e}");
            }
        }
    }
}

/// All properties as JSON, and once more the input's name, by its former key.
fn compose(msg: &Msg<'_>, line: &mut Vec<u8>) {
    line.clear();
    msg.write_property(&Property::JsonMesg, line);
    let whole = line.strip_suffix(b", \"$!\": null }").or_else(|| line.strip_suffix(b" }"));
    line.truncate(whole.map_or(0, <[u8]>::len));
    line.extend_from_slice(b", \"input\": \"");
    let mut name = Vec::new();
    msg.write_property(&Property::InputName, &mut name);
    json::escape(&name, line);
    line.extend_from_slice(b"\" }\n");
}

/// The way into a queue, past [`Oversize`].
pub struct Bounded {
    /// What is done with oversize messages.
    pub oversize: Arc<Oversize>,
    /// The way on.
    pub next: Arc<dyn Submit>,
}

impl Submit for Bounded {
    fn submit(&self, mut batch: Batch, flow: FlowControl) {
        if self.oversize.may_concern(&batch.records) {
            self.oversize.treat(&mut batch);
        }
        self.next.submit(batch, flow);
    }

    fn is_pressed(&self, patience: Duration) -> bool {
        self.next.is_pressed(patience)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::message::Sender;

    #[derive(Default)]
    struct Collect(Mutex<Vec<Batch>>);

    impl Submit for Collect {
        fn submit(&self, batch: Batch, _flow: FlowControl) {
            lock(&self.0).push(batch);
        }
    }

    /// What becomes of a message of 300 bytes and one of 100, and the error file's content.
    fn through(mode: Mode, flags: Flags) -> (Vec<String>, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("errors");
        let settings = Settings { limit: 128, report: false, mode, error_file: Some(path.clone()) };
        let stats = stats::Set::default();
        let oversize = Arc::new(Oversize::new(settings, &Hostname::default(), &stats));
        let queue = Arc::new(Collect::default());
        let next: Arc<dyn Submit> = Arc::<Collect>::clone(&queue);
        let way = Bounded { oversize, next };
        let mut batch = Batch::default();
        let long: String = ('a'..='z').cycle().take(300).collect();
        for text in [&long, &"-".repeat(100)] {
            let raw = batch.bytes.append(text.as_bytes());
            batch.records.push(Record::unparsed(raw, 0, 0, flags));
        }
        batch.senders.push(Arc::new(Sender::local(Arc::default(), b"here")));
        way.submit(batch, FlowControl::None);
        let batches = lock(&queue.0);
        let texts = batches[0].records.iter().map(|record| {
            assert_eq!(record.raw, record.msg);
            String::from_utf8(batches[0].bytes.get(record.raw).to_vec()).unwrap()
        });
        (texts.collect(), std::fs::read_to_string(path).unwrap_or_default())
    }

    #[test]
    fn cut_split_or_taken() {
        let long: String = ('a'..='z').cycle().take(300).collect();
        let short = "-".repeat(100);
        let (texts, errors) = through(Mode::Truncate, Flags::empty());
        assert_eq!(texts, [&long[..128], short.as_str()]);
        assert_eq!(errors.lines().count(), 1);
        assert!(errors.starts_with(&format!("{{ \"msg\": \"{long}\", \"rawmsg\": \"{long}\", ")));
        assert_eq!(
            through(Mode::Split, Flags::empty()).0,
            [&long[..128], &long[128..256], &long[256..], short.as_str()]
        );
        assert_eq!(through(Mode::Accept, Flags::empty()).0, [long.clone(), short.clone()]);
        let (texts, errors) = through(Mode::Truncate, Flags::ANY_SIZE);
        assert_eq!((texts, errors.as_str()), (vec![long, short], ""));
        let (_, errors) = through(Mode::Accept, Flags::NEEDS_PARSING.with(Flags::OVERSIZE));
        assert_eq!(errors.lines().count(), 2, "{errors}");
        assert!(errors.starts_with("{ \"msg\": \"\", \"rawmsg\": \"abc"), "{errors}");
        assert!(errors.contains("\"pri\": \"invld\", \"syslogfacility\": \"invld\""), "{errors}");
    }
}

//! The state file of a [`Bucket`]: its counters go on where they were when the daemon ended.
//!
//! `{"name":"bucket","values":{"metric":5}}`, on one line, as rsyslog writes it. It is read when the daemon is built;
//! the control thread writes it, looking once a second whether it is due, and at the end. What is no such file is set
//! aside, not overwritten.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Bucket, Counter};
use crate::limits;
use crate::message::date::write_decimal;
use crate::message::json::{self, Case, Json, Parsed};
use crate::param::Problem;
use crate::state_file::{StateFile, Unreadable};
use crate::task::Task;

/// When a state file is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// After so many operations.
    pub operations: Option<u64>,
    /// So long after the last time, if there were any.
    pub after: Option<Duration>,
}

/// Keeps the state file of a bucket.
pub struct BucketFile {
    bucket: Arc<Bucket>,
    file: StateFile,
    due: Due,
    /// Operations that are in the file.
    saved: u64,
    looked: Instant,
    /// State files written while the daemon runs.
    written: Arc<Counter>,
}

impl BucketFile {
    /// Reads the file of a bucket in `directory`; `report` gets what is wrong with it. Changes nothing outside.
    /// `written` counts the files written while the daemon runs.
    pub fn load(
        bucket: &Arc<Bucket>,
        directory: &Path,
        due: Due,
        written: Arc<Counter>,
        report: &mut dyn FnMut(Problem),
    ) -> Self {
        let (file, read) = StateFile::read(
            "dynstats: state file",
            path(directory, bucket.name()),
            MODE,
            limits::DYN_STATS_STATE_BYTES,
            |mut input| {
                let mut text = Vec::new();
                input.read_to_end(&mut text)?;
                fill(bucket, &text)
            },
        );
        match read {
            Ok(None | Some(0)) => {}
            Ok(Some(wrong)) => report(Problem::warning(format!(
                "{} has {wrong} values that are no counts or beyond maxCardinality; they were skipped",
                file.shown()
            ))),
            Err(why) => report(Problem::warning(why)),
        }
        Self { bucket: Arc::clone(bucket), file, due, saved: 0, looked: Instant::now(), written }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Writes the file; whether that was possible.
    fn save(&mut self) -> bool {
        if !self.file.is_replaceable() {
            return false;
        }
        let operations = self.bucket.operations();
        let text = text(&self.bucket);
        let saved = self.file.save(|out| out.write_all(&text));
        if saved {
            self.saved = operations;
        }
        saved
    }
}

impl Task for BucketFile {
    fn interval(&self) -> Option<Duration> {
        Some(LOOK)
    }

    fn start(&mut self) {
        self.file.set_aside();
    }

    fn run(&mut self) {
        let changed = self.bucket.operations().saturating_sub(self.saved);
        let by_count = self.due.operations.is_some_and(|limit| changed >= limit);
        let by_time = self.due.after.is_some_and(|after| self.looked.elapsed() >= after);
        if by_time || by_count {
            self.looked = Instant::now();
            if changed > 0 && self.save() {
                self.written.add(1);
            }
        }
    }

    fn stop(&mut self) {
        self.save();
    }
}

/// The state file of the bucket of this name.
fn path(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("dynstats-state:{}", name.replace('/', "_")))
}

/// Gives the bucket what its file says; returns how many values are no counts, or have no room.
fn fill(bucket: &Bucket, text: &[u8]) -> Result<u64, Unreadable> {
    let mut wrong = 0;
    let whole = members(text, &mut |name, value| match value {
        Json::Int(value) if *value >= 0 => {
            wrong += u64::from(bucket.load(name, value.unsigned_abs()).is_err());
        }
        _ => wrong += 1,
    });
    if whole.is_some() {
        return Ok(wrong);
    }
    bucket.clear();
    Err(Unreadable::Corrupt("is no JSON object with an object 'values'".to_owned()))
}

fn text(bucket: &Bucket) -> Vec<u8> {
    let mut out = b"{\"name\":\"".to_vec();
    json::escape(bucket.name().as_bytes(), &mut out);
    out.extend_from_slice(b"\",\"values\":{");
    let start = out.len();
    bucket.each(|metric, value| {
        out.extend_from_slice(if out.len() == start { b"\"" } else { b",\"" });
        json::escape(metric, &mut out);
        out.extend_from_slice(b"\":");
        write_decimal(value, &mut out);
    });
    out.extend_from_slice(b"}}");
    out
}

/// Calls `each` with the members of the object `values` of the object that `text` is. `None` if it is not such a one.
/// One pass: a [`json::Object`] would look for each name among all before it.
fn members(text: &[u8], each: &mut dyn FnMut(&[u8], &Json)) -> Option<()> {
    let mut found = false;
    let end = object(text, &mut |name, rest| {
        if name == b"values" && !found {
            found = true;
            return object(rest, &mut |name, rest| {
                let Parsed { value, end } = json::parse(rest, Case::Sensitive);
                each(name, &value?);
                Some(end)
            });
        }
        let Parsed { value, end } = json::parse(rest, Case::Sensitive);
        value.map(|_| end)
    })?;
    let rest = text.get(end..)?;
    (found && rest.trim_ascii().is_empty()).then_some(())
}

/// Goes through the object that `text` begins with; `member` gets each name and the text from its value on, and
/// returns where that ends. Returns where the object ends.
fn object(text: &[u8], member: &mut Member<'_>) -> Option<usize> {
    let blanks = |at: usize| {
        let rest = text.get(at..).unwrap_or_default();
        at + rest.iter().take_while(|c| c.is_ascii_whitespace()).count()
    };
    let mut at = blanks(0);
    if text.get(at) != Some(&b'{') {
        return None;
    }
    at = blanks(at + 1);
    if text.get(at) == Some(&b'}') {
        return Some(at + 1);
    }
    loop {
        let Parsed { value: Some(Json::Str(name)), end } =
            json::parse(text.get(at..)?, Case::Sensitive)
        else {
            return None;
        };
        at = blanks(at + end);
        if text.get(at) != Some(&b':') {
            return None;
        }
        at = blanks(at + 1);
        at = blanks(at + member(&name, text.get(at..)?)?);
        match text.get(at)? {
            b'}' => return Some(at + 1),
            b',' => at = blanks(at + 1),
            _ => return None,
        }
    }
}

type Member<'a> = dyn FnMut(&[u8], &[u8]) -> Option<usize> + 'a;

/// Mode of a new state file.
const MODE: u32 = 0o600;
/// How often it is looked whether the file is due.
const LOOK: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::super::Object;
    use super::*;
    use std::fs;

    fn bucket(name: &str, limit: usize) -> Arc<Bucket> {
        let life = Duration::from_secs(3600);
        let mut global = Object::new("global", "dynstats");
        let bucket = Bucket::new(name, limit, life, true, &mut global, Instant::now());
        Arc::new(bucket.counting_operations())
    }

    fn load(bucket: &Arc<Bucket>, dir: &Path, due: Due) -> (BucketFile, Vec<String>) {
        let mut said = Vec::new();
        let mut report = |problem: Problem| said.push(problem.text);
        let file = BucketFile::load(bucket, dir, due, Arc::default(), &mut report);
        (file, said)
    }

    #[test]
    fn counters_go_on_where_they_were() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = bucket("a/b", 10);
        for metric in [&b"x"[..], b"q\"\\/\n", b"\xff", b"x"] {
            assert_eq!(first.increment(metric), Ok(()));
        }
        let (mut file, said) = load(&first, dir.path(), Due::default());
        assert_eq!(said, [""; 0]);
        file.stop();
        let path = dir.path().join("dynstats-state:a_b");
        let written = fs::read(&path).expect("written");
        let wanted = b"{\"name\":\"a\\/b\",\"values\":{\"x\":2,\"q\\\"\\\\\\/\\n\":1,\"\xff\":1}}";
        assert_eq!(written, wanted);
        let second = bucket("a/b", 10);
        let (mut file, said) = load(&second, dir.path(), Due::default());
        assert_eq!((said, second.increment(b"x")), (vec![], Ok(())));
        file.stop();
        let written = fs::read(&path).expect("written");
        assert!(written.starts_with(b"{\"name\":\"a\\/b\",\"values\":{\"x\":3,"), "{written:?}");
    }

    #[test]
    fn files_are_read_or_set_aside() {
        for (text, wanted) in [
            ("{\"name\":\"b\",\"values\":{}}", Some((0, 0))),
            (" { \"values\" : { \"a\" : 7 , \"b\" : 1 } , \"name\" : \"b\" } \n", Some((2, 0))),
            ("{\"values\":{\"a\":\"7\",\"b\":-1,\"c\":1.5,\"d\":[1],\"e\":3}}", Some((1, 4))),
            ("{\"values\":{\"a\":1,\"b\":1,\"c\":1,\"d\":1}}", Some((3, 1))),
            ("{}", None),
            ("[]", None),
            ("", None),
            ("{\"values\":{\"a\":1}", None),
            ("{\"values\":{\"a\":1}}x", None),
            ("{\"values\":{\"a\":1 \"b\":2}}", None),
            ("{\"values\":{\"a\"", None),
            ("{\"values\":{\"a\":", None),
            ("{\"values\":7}", None),
        ] {
            let dir = tempfile::tempdir().expect("a directory");
            let path = dir.path().join("dynstats-state:b");
            fs::write(&path, text).expect("written");
            let bucket = bucket("b", 3);
            let (mut file, said) = load(&bucket, dir.path(), Due::default());
            let mut metrics = 0;
            bucket.each(|_, _| metrics += 1);
            assert_eq!(metrics, wanted.map_or(0, |(metrics, _)| metrics), "{text}");
            let spoken = wanted.is_none_or(|(_, skipped)| skipped > 0);
            assert_eq!(said.len(), usize::from(spoken), "{text} {said:?}");
            assert!(path.exists(), "only looked at");
            file.start();
            assert_eq!(path.exists(), wanted.is_some(), "{text}");
            file.stop();
            let files = fs::read_dir(dir.path()).expect("a directory").count();
            assert_eq!(files, if wanted.is_some() { 1 } else { 2 }, "{text}");
        }
    }

    #[test]
    fn a_file_is_due_after_operations_or_after_a_time() {
        let dir = tempfile::tempdir().expect("a directory");
        let counted = bucket("counted", 10);
        let due = Due { operations: Some(2), after: None };
        let (mut file, _) = load(&counted, dir.path(), due);
        let mut look = |metrics: &[&[u8]]| {
            metrics.iter().for_each(|metric| assert_eq!(counted.increment(metric), Ok(())));
            file.run();
            file.written.get()
        };
        assert_eq!((look(&[b"a"]), look(&[b"a"]), look(&[]), look(&[b"b"])), (0, 1, 1, 1));
        assert_eq!(look(&[b"b", b"c"]), 2);

        let timed = bucket("timed", 10);
        let due = Due { operations: None, after: Some(Duration::ZERO) };
        let (mut file, _) = load(&timed, dir.path(), due);
        file.run();
        assert_eq!(file.written.get(), 0, "nothing has changed");
        assert_eq!(timed.increment(b"a"), Ok(()));
        file.run();
        file.due.after = Some(Duration::MAX);
        assert_eq!(timed.increment(b"a"), Ok(()));
        file.run();
        assert_eq!(file.written.get(), 1);
    }

    #[test]
    fn what_cannot_be_written_is_tried_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let inner = dir.path().join("gone");
        let kept = bucket("b", 10);
        let due = Due { operations: Some(1), after: None };
        let (mut file, said) = load(&kept, &inner, due);
        assert_eq!((said, kept.increment(b"a")), (vec![], Ok(())));
        file.run();
        assert_eq!(file.written.get(), 0);
        fs::create_dir(&inner).expect("made");
        file.run();
        assert_eq!(file.written.get(), 1);
    }
}

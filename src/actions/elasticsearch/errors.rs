//! `errorFile`: what was sent and what the cluster said, for documents that it refused. The forms are the
//! reference's: the whole request as it is, two lists, or pairs; the latter two also of what failed alone.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::message::Json;
use crate::message::json::{Case, Object, Style};

/// The file, opened with the first document.
pub(super) struct ErrorFile {
    path: PathBuf,
    file: Mutex<Option<File>>,
}

/// A document as it was sent, and the reply's item.
pub(super) struct Pair<'a> {
    pub(super) request: &'a [u8],
    pub(super) reply: Vec<u8>,
}

impl ErrorFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, file: Mutex::default() }
    }

    /// The whole request and the whole reply.
    pub(super) fn write_request(&self, url: &str, body: &[u8], reply: Json) {
        let request = object([("url", string(url.as_bytes())), ("postdata", string(body))]);
        self.write(&object([("request", request), ("reply", reply)]));
    }

    /// Some of the documents with their replies.
    pub(super) fn write_pairs<'a>(
        &self,
        url: &str,
        pairs: impl Iterator<Item = Pair<'a>>,
        interleaved: bool,
    ) {
        let pairs = pairs.map(|pair| (string(pair.request), string(&pair.reply)));
        let url = ("url", string(url.as_bytes()));
        self.write(&if interleaved {
            let pairs =
                pairs.map(|(request, reply)| object([("request", request), ("reply", reply)]));
            object([url, ("response", Json::Array(pairs.collect()))])
        } else {
            let (requests, replies) = pairs.unzip();
            object([url, ("request", Json::Array(requests)), ("reply", Json::Array(replies))])
        });
    }

    fn write(&self, line: &Json) {
        let mut text = Vec::new();
        line.write(Style::Spaced, &mut text);
        text.push(b'\n');
        let mut slot = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none() {
            let opened = OpenOptions::new().append(true).create(true).mode(0o660).open(&self.path);
            *slot = opened.map_err(|why| self.complain(&why)).ok();
        }
        if let Some(Err(why)) = slot.as_mut().map(|file| file.write_all(&text)) {
            self.complain(&why);
        }
    }

    fn complain(&self, why: &std::io::Error) {
        log::error!("omelasticsearch: error file {}: {why}", self.path.display());
    }

    /// HUP. A write that is stuck keeps its file.
    pub(super) fn reopen(&self) -> usize {
        self.file.try_lock().is_ok_and(|mut file| file.take().is_some()).into()
    }
}

fn string(text: &[u8]) -> Json {
    Json::Str(text.into())
}

fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    let mut object = Object::default();
    for (name, value) in members {
        object.set(name.as_bytes(), value, Case::Sensitive);
    }
    Json::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Debian's rsyslogd 8.2302 wrote them.
    #[test]
    fn lines_are_the_references() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("errors");
        let file = ErrorFile::new(path.clone());
        let failed = || {
            [Pair { request: b"{\"m\":\"x\"}\n", reply: b"{\"status\":400}".to_vec() }].into_iter()
        };
        file.write_request("http://h:1/_bulk", b"{}\n", object([("errors", Json::Bool(true))]));
        file.write_pairs("http://h:1/_bulk", failed(), false);
        assert_eq!(file.reopen(), 1);
        file.write_pairs("http://h:1/_bulk", failed(), true);
        let expected = [
            r#"{ "request": { "url": "http:\/\/h:1\/_bulk", "postdata": "{}\n" }, "reply": { "errors": true } }"#,
            r#"{ "url": "http:\/\/h:1\/_bulk", "request": [ "{\"m\":\"x\"}\n" ], "reply": [ "{\"status\":400}" ] }"#,
            r#"{ "url": "http:\/\/h:1\/_bulk", "response": [ { "request": "{\"m\":\"x\"}\n", "reply": "{\"status\":400}" } ] }"#,
            "",
        ];
        assert_eq!(std::fs::read_to_string(&path).expect("the file"), expected.join("\n"));
    }
}

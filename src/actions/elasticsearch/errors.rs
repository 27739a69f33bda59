//! `errorFile`: what was sent and what the cluster said, for documents that it refused. The three forms are the
//! reference's: the whole request, only what failed as two lists, or as pairs.

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

/// A document that was refused: as it was sent, and the reply's item.
pub(super) struct Failed {
    pub(super) request: Vec<u8>,
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

    /// Only what failed.
    pub(super) fn write_failed(&self, url: &str, failed: &[Failed], interleaved: bool) {
        let url = ("url", string(url.as_bytes()));
        let line = if interleaved {
            let pair = |failed: &Failed| {
                object([("request", string(&failed.request)), ("reply", string(&failed.reply))])
            };
            object([url, ("response", Json::Array(failed.iter().map(pair).collect()))])
        } else {
            let list = |of: fn(&Failed) -> &[u8]| {
                Json::Array(failed.iter().map(|failed| string(of(failed))).collect())
            };
            let (requests, replies) =
                (list(|failed| &failed.request), list(|failed| &failed.reply));
            object([url, ("request", requests), ("reply", replies)])
        };
        self.write(&line);
    }

    fn write(&self, line: &Json) {
        let mut text = Vec::new();
        line.write(Style::Spaced, &mut text);
        text.push(b'\n');
        let mut slot = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none() {
            let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path);
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
        let failed =
            || Failed { request: b"{\"m\":\"x\"}\n".to_vec(), reply: b"{\"status\":400}".to_vec() };
        file.write_request("http://h:1/_bulk", b"{}\n", object([("errors", Json::Bool(true))]));
        file.write_failed("http://h:1/_bulk", &[failed()], false);
        assert_eq!(file.reopen(), 1);
        file.write_failed("http://h:1/_bulk", &[failed()], true);
        let expected = [
            r#"{ "request": { "url": "http:\/\/h:1\/_bulk", "postdata": "{}\n" }, "reply": { "errors": true } }"#,
            r#"{ "url": "http:\/\/h:1\/_bulk", "request": [ "{\"m\":\"x\"}\n" ], "reply": [ "{\"status\":400}" ] }"#,
            r#"{ "url": "http:\/\/h:1\/_bulk", "response": [ { "request": "{\"m\":\"x\"}\n", "reply": "{\"status\":400}" } ] }"#,
            "",
        ];
        assert_eq!(std::fs::read_to_string(&path).expect("the file"), expected.join("\n"));
    }
}

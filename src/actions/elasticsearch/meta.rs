//! Where each document goes: the line before it in a bulk request, or the URL of a request of its own. Blanks and all
//! as the reference writes them.

use std::borrow::Cow;

use super::bulk::Bulk;
use super::conf::{Conf, Text};
use super::ids::Ids;
use crate::message::json::escape_strict;
use crate::message::{InputInfo, Msg};

/// Path and query of a request, behind the server's URL.
pub(super) fn path<'a>(conf: &Conf, bulk: &'a Bulk, index: usize) -> Cow<'a, str> {
    if !conf.bulk {
        return String::from_utf8_lossy(bulk.meta(index));
    }
    let filter = "filter_path=errors,items.*.error,items.*.status,items.*.failure_store";
    let filter = conf.streams.then(|| filter.to_owned());
    let wait = conf.wait.as_ref().map(|wait| format!("timeout={wait}"));
    let more = Some(conf.target.query.clone()).filter(|query| !query.is_empty());
    let query: Vec<String> = [filter, wait, more].into_iter().flatten().collect();
    if query.is_empty() {
        return "_bulk".into();
    }
    format!("_bulk?{}", query.join("&")).into()
}

/// What is the same in all meta lines of an input's data stream.
pub(super) fn of_stream(conf: &Conf, input: &InputInfo) -> Vec<u8> {
    let mut out = Vec::new();
    if conf.index.is_none() {
        field(b"{\"create\":{\"_index\":\"", input.labels.data_stream().as_bytes(), &mut out);
    }
    out
}

/// A meta line of a data stream, which begins with `start`. `scratch` is kept for its storage.
pub(super) fn write_for_stream(
    conf: &Conf,
    msg: &Msg<'_>,
    (start, ids): (&[u8], &mut Ids),
    scratch: &mut Vec<u8>,
    out: &mut Vec<u8>,
) {
    match &conf.index {
        Some(index) => {
            field(b"{\"create\":{\"_index\":\"", text(index, msg, scratch), out);
        }
        None => out.extend_from_slice(start),
    }
    if let Some(pipeline) = &msg.sender().input.labels.pipeline {
        field(b",\"pipeline\":\"", pipeline.as_bytes(), out);
    } else if let Some(pipeline) = pipeline(conf, msg, scratch) {
        field(b",\"pipeline\":\"", pipeline, out);
    }
    if let Some(id) = &conf.id {
        field(b",\"_id\":\"", text(id, msg, scratch), out);
    } else if conf.own_ids {
        out.extend_from_slice(b",\"_id\":\"");
        ids.write(msg.record.received, out);
        out.push(b'"');
    }
    out.extend_from_slice(b"}}");
}

/// A meta line.
pub(super) fn write(conf: &Conf, msg: &Msg<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
    out.extend_from_slice(if conf.creates { b"{\"create\":{" } else { b"{\"index\":{" });
    let start = out.len();
    let mut member = |name: &[u8], text: &[u8]| {
        if out.len() > start {
            out.push(b',');
        }
        field(name, text, out);
    };
    if let Some(index) = &conf.index {
        member(b"\"_index\": \"", text(index, msg, scratch));
    }
    if let Some(kind) = &conf.kind {
        member(b"\"_type\":\"", text(kind, msg, scratch));
    }
    if let Some(parent) = &conf.parent {
        member(b"\"_parent\":\"", text(parent, msg, scratch));
    }
    if let Some(pipeline) = pipeline(conf, msg, scratch) {
        member(b"\"pipeline\":\"", pipeline);
    }
    if let Some(id) = &conf.id {
        member(b" \"_id\":\"", text(id, msg, scratch));
    }
    out.extend_from_slice(b"}}");
}

/// Path and query of a request with one document.
pub(super) fn write_target(conf: &Conf, msg: &Msg<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
    if let Some(index) = &conf.index {
        url_text(index, msg, scratch, out);
        out.push(b'/');
    }
    match &conf.kind {
        Some(kind) => url_text(kind, msg, scratch, out),
        None => out.extend_from_slice(b"_doc"),
    }
    let mut sign = b'?';
    let mut query = |name: &[u8], out: &mut Vec<u8>| {
        out.push(std::mem::replace(&mut sign, b'&'));
        out.extend_from_slice(name);
    };
    if let Some(name) = &conf.pipeline
        && pipeline(conf, msg, scratch).is_some()
    {
        query(b"pipeline=", out);
        url_text(name, msg, scratch, out);
    }
    if let Some(wait) = &conf.wait {
        query(b"timeout=", out);
        out.extend_from_slice(wait.as_bytes());
    }
    if let Some(parent) = &conf.parent {
        query(b"parent=", out);
        url_text(parent, msg, scratch, out);
    }
    if !conf.target.query.is_empty() {
        query(conf.target.query.as_bytes(), out);
    }
}

/// The text for this message, in `scratch` if it is made.
fn text<'t>(text: &'t Text, msg: &Msg<'_>, scratch: &'t mut Vec<u8>) -> &'t [u8] {
    match text {
        Text::Fixed(text) => text,
        Text::Made(template) => {
            scratch.clear();
            template.render(msg, scratch);
            scratch
        }
    }
}

fn pipeline<'t>(conf: &'t Conf, msg: &Msg<'_>, scratch: &'t mut Vec<u8>) -> Option<&'t [u8]> {
    let name = text(conf.pipeline.as_ref()?, msg, scratch);
    (!conf.skip_pipeline_if_empty || !name.is_empty()).then_some(name)
}

/// `"name":"` and a text.
fn field(name: &[u8], text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    escape_strict(text, out);
    out.push(b'"');
}

/// The text as a part of a URL. What no URL may contain is escaped, so that no message makes a request that cannot be
/// sent; in a text made of the message also what would lead elsewhere. A percent sign is taken for an escape.
fn url_text(of: &Text, msg: &Msg<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
    let special: &[u8] = if matches!(of, Text::Made(_)) { b"/?#&" } else { b"" };
    escape(text(of, msg, scratch), special, out);
}

/// The text as a name or a value of a query.
pub(super) fn escape_query(text: &[u8], out: &mut Vec<u8>) {
    escape(text, b"#%&+=", out);
}

/// Escapes what no URL may contain, and what is `special`.
fn escape(text: &[u8], special: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        if byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(byte) && !special.contains(byte) {
            out.push(*byte);
        } else {
            let hex =
                |half: u8| b"0123456789ABCDEF".get(usize::from(half)).copied().unwrap_or(b'0');
            out.extend([b'%', hex(byte >> 4), hex(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::sample::Sample;
    use crate::template::{Content, Options, Template};

    #[test]
    fn no_text_breaks_a_url() {
        let sample = Sample::raw(b"a b/../c?d=e&f#g\"\r\n\xff%41");
        let content = Content::String { text: b"%rawmsg%", legacy: false };
        let template = Template::compile("t", &content, Options::default(), &mut |_, _| {});
        let made = Text::Made(template.expect("compiles").into());
        // As a configuration writes the index <logs-{now/d}>, and one that is not escaped.
        let fixed = Text::Fixed(b"%3Clogs-%7Bnow%2Fd%7D%3E/a b".to_vec());
        for (text, expected) in [
            (made, &b"a%20b%2F..%2Fc%3Fd=e%26f%23g%22%0D%0A%FF%41"[..]),
            (fixed, b"%3Clogs-%7Bnow%2Fd%7D%3E/a%20b"),
        ] {
            let mut out = Vec::new();
            url_text(&text, &sample.msg(), &mut Vec::new(), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(expected));
        }
    }
}

//! What the cluster says to a bulk request: one verdict per document.

use crate::message::Json;
use crate::message::json::{self, Case, Object, Style};

/// What became of one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is stored.
    Stored,
    /// It was there already.
    Duplicate,
    /// The cluster could not take it now.
    Busy(i64),
    /// The cluster will never take it.
    Refused(i64),
}

/// Whether this is plainly the reply to a request with `count` documents that are all stored, which most replies are:
/// seen without taking it apart. Where it is not plain, [`Items`] has to tell.
pub(super) fn all_stored(reply: &[u8], count: usize) -> bool {
    // Within a JSON string the quotes would be escaped, so these are members.
    memchr::memmem::find(reply, b"\"errors\":false").is_some()
        && reply.starts_with(b"{")
        && reply.trim_ascii_end().ends_with(b"]}")
        && memchr::memmem::find(reply, b"\"failure_store\"").is_none()
        && memchr::memmem::find_iter(reply, b"\"status\":2").count() == count
        && memchr::memmem::find_iter(reply, b"\"status\":").count() == count
}

/// The items of a reply.
#[derive(Debug)]
pub(super) struct Items(Vec<Json>);

impl Items {
    /// Reads the reply to a request with `count` documents. `None` where it is not one.
    pub(super) fn parse(reply: &[u8], count: usize) -> Option<Self> {
        let Json::Object(mut reply) = json::parse_whole(reply, Case::Sensitive)? else {
            return None;
        };
        let Json::Array(items) =
            std::mem::replace(reply.get_mut(b"items", Case::Sensitive)?, Json::Null)
        else {
            return None;
        };
        let items = Self(items);
        let whole = items.0.len() == count && (0..count).all(|index| items.status(index).is_some());
        whole.then_some(items)
    }

    /// The verdict on a document.
    pub(super) fn verdict(&self, index: usize) -> Verdict {
        match self.status(index).unwrap_or(0) {
            200..=299 => Verdict::Stored,
            409 => Verdict::Duplicate,
            status @ (429 | 500..) => Verdict::Busy(status),
            status => Verdict::Refused(status),
        }
    }

    /// Whether the document is in the failure store of its data stream, which could not take it.
    pub(super) fn is_diverted(&self, index: usize) -> bool {
        let Some(Json::Object(item)) = self.item(index) else { return false };
        matches!(item.get(b"failure_store", Case::Sensitive), Some(Json::Str(text)) if **text == *b"used")
    }

    /// The operation that the item answers for, and its content.
    pub(super) fn operation(&self, index: usize) -> Option<(&[u8], &Object)> {
        let Json::Object(item) = self.0.get(index)? else { return None };
        match item.iter().next()? {
            (name, Json::Object(content)) => Some((name, content)),
            _ => None,
        }
    }

    /// The item's content as JSON text.
    pub(super) fn text(&self, index: usize) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(item) = self.item(index) {
            item.write(Style::Compact, &mut out);
        }
        out
    }

    /// Type and reason of the item's error, for the log: never the document.
    pub(super) fn reason(&self, index: usize) -> String {
        let text = |name: &[u8]| {
            let Json::Object(item) = self.item(index)? else { return None };
            match item.get(b"error", Case::Sensitive)? {
                Json::Object(error) => match error.get(name, Case::Sensitive)? {
                    Json::Str(text) => Some(String::from_utf8_lossy(text).into_owned()),
                    _ => None,
                },
                Json::Str(text) if name == b"reason" => {
                    Some(String::from_utf8_lossy(text).into_owned())
                }
                _ => None,
            }
        };
        [text(b"type"), text(b"reason")].into_iter().flatten().collect::<Vec<_>>().join(": ")
    }

    /// What stands behind `index` or `create`.
    fn item(&self, index: usize) -> Option<&Json> {
        let Json::Object(item) = self.0.get(index)? else { return None };
        item.iter().next().map(|(_, content)| content)
    }

    fn status(&self, index: usize) -> Option<i64> {
        let Json::Object(item) = self.item(index)? else { return None };
        match item.get(b"status", Case::Sensitive)? {
            Json::Int(status) => Some(*status),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        let reply = br#"{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"full"}}},{"create":{"status":400,"error":{"type":"document_parsing_exception","reason":"bad"}}},{"index":{"status":409}},{"index":{"status":503}}]}"#;
        let items = Items::parse(reply, 5).expect("a reply");
        let verdicts: Vec<_> = (0..5).map(|index| items.verdict(index)).collect();
        let expected = [
            Verdict::Stored,
            Verdict::Busy(429),
            Verdict::Refused(400),
            Verdict::Duplicate,
            Verdict::Busy(503),
        ];
        assert_eq!(verdicts, expected);
        assert_eq!(items.reason(2), "document_parsing_exception: bad");
        assert_eq!(items.reason(0), "");
    }

    #[test]
    fn documents_in_the_failure_store_are_stored() {
        let reply = br#"{"errors":false,"items":[{"create":{"status":201,"failure_store":"used"}},{"create":{"status":201,"failure_store":"not_applicable_or_unknown"}}]}"#;
        assert!(!all_stored(reply, 2), "it has to be looked into");
        let items = Items::parse(reply, 2).expect("a reply");
        assert_eq!([0, 1].map(|index| items.verdict(index)), [Verdict::Stored; 2]);
        assert_eq!([0, 1].map(|index| items.is_diverted(index)), [true, false]);
    }

    #[test]
    fn a_plain_success_is_seen_at_once() {
        let short =
            br#"{"errors":false,"items":[{"create":{"status":201}},{"create":{"status":201}}]}"#;
        let full = br#"{"took":3,"errors":false,"items":[{"index":{"_index":"a","_id":"\"status\":2","status":200}},{"index":{"_index":"a","_id":"x","status":201}}]}
"#;
        for reply in [&short[..], full] {
            assert!(all_stored(reply, 2), "{}", String::from_utf8_lossy(reply));
            assert!(!all_stored(reply, 1) && !all_stored(reply, 3));
            assert!(!all_stored(&reply[..reply.len() - 3], 2));
        }
        for reply in [
            &br#"{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":201}}]}"#[..],
            br#"{"errors":false,"items":[{"create":{"status":201}},{"create":{"status":409}}]}"#,
            br#"{"errors":false,"items":[{"create":{"status":201}},{"create":{}}]}"#,
            br#"<"errors":false "status":2 "status":2]}"#,
            b"",
        ] {
            assert!(!all_stored(reply, 2), "{}", String::from_utf8_lossy(reply));
        }
    }

    #[test]
    fn what_is_no_answer_for_all_is_none() {
        for reply in [
            &b""[..],
            b"<html>",
            b"{}",
            br#"{"items":[]}"#,
            br#"{"items":[{"create":{"status":201}}]}"#,
            br#"{"items":[{"create":{"status":201}},{"create":{}}]}"#,
            br#"{"items":[{"create":{"status":201}},{"create":{"status":"x"}}]}"#,
            br#"{"items":[{"create":{"status":201}},{"create":{"status":201}}]} x"#,
        ] {
            assert!(Items::parse(reply, 2).is_none(), "{}", String::from_utf8_lossy(reply));
        }
    }
}

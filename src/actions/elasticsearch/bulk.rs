//! Documents that wait to be answered for, in the form in which they are sent.
//!
//! ```text
//! text |{"create":{"_index":"a"}}\n{"m":1}\n{"create":{"_index":"a"}}\n{"m":2}\n|
//!       ^ item 0: meta            ^ document ^ item 1
//! ```
//! The whole text is a request's body as the bulk API wants it: "The final line of data must end with a newline
//! character \n."

use std::ops::Range;

/// The documents of one worker; their order is that of their messages.
#[derive(Debug, Default)]
pub(super) struct Bulk {
    text: Vec<u8>,
    items: Vec<Item>,
}

#[derive(Clone, Copy, Debug)]
struct Item {
    /// Where the meta line begins.
    start: usize,
    /// Where the document begins, and where it ends, before the line feed.
    document: (usize, usize),
}

/// What is known of an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was not answered for; it is to be sent again.
    #[default]
    Stays,
    /// It is delivered, or given up.
    Done,
}

impl Bulk {
    /// Appends a document: `meta` writes the line before it, without line feed, or nothing; `document` writes it.
    pub(super) fn push(
        &mut self,
        meta: impl FnOnce(&mut Vec<u8>),
        document: impl FnOnce(&mut Vec<u8>),
    ) {
        let start = self.text.len();
        meta(&mut self.text);
        if self.text.len() > start {
            self.text.push(b'\n');
        }
        let from = self.text.len();
        document(&mut self.text);
        if self.text.len() > from && self.text.last() == Some(&b'\n') {
            self.text.pop();
        }
        self.items.push(Item { start, document: (from, self.text.len()) });
        self.text.push(b'\n');
    }

    /// Number of documents.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// How many of the documents from `first` on fit into a body of `bytes`: at least one.
    pub(super) fn fitting(&self, first: usize, bytes: usize) -> usize {
        let rest = self.items.get(first..).unwrap_or_default();
        let begin = rest.first().map_or(0, |item| item.start);
        rest.partition_point(|item| item.document.1 + 1 - begin <= bytes).max(rest.len().min(1))
    }

    /// The body with these documents.
    pub(super) fn body(&self, range: Range<usize>) -> &[u8] {
        let start = self.items.get(range.start).map_or(self.text.len(), |item| item.start);
        let end = self.items.get(range.end).map_or(self.text.len(), |item| item.start);
        self.text.get(start..end).unwrap_or_default()
    }

    /// A document's meta line.
    pub(super) fn meta(&self, index: usize) -> &[u8] {
        let item = self.items.get(index);
        let span =
            item.map_or((0, 0), |item| (item.start, item.document.0.max(item.start + 1) - 1));
        self.text.get(span.0..span.1).unwrap_or_default()
    }

    /// One document, without its meta line.
    pub(super) fn document(&self, index: usize) -> &[u8] {
        let span = self.items.get(index).map_or((0, 0), |item| item.document);
        self.text.get(span.0..span.1).unwrap_or_default()
    }

    /// Forgets the documents whose fate is `Done`.
    pub(super) fn retain(&mut self, fates: &[Fate]) {
        let (mut kept, mut end) = (0, 0);
        for index in 0..self.items.len() {
            if fates.get(index) == Some(&Fate::Done) {
                continue;
            }
            let Some(item) = self.items.get(index).copied() else { break };
            let last = item.document.1 + 1;
            self.text.copy_within(item.start..last, end);
            let back = item.start - end;
            let moved =
                Item { start: end, document: (item.document.0 - back, item.document.1 - back) };
            if let Some(place) = self.items.get_mut(kept) {
                *place = moved;
            }
            end += last - item.start;
            kept += 1;
        }
        self.text.truncate(end);
        self.items.truncate(kept);
    }

    /// Forgets all documents; keeps up to `bytes` of memory.
    pub(super) fn clear(&mut self, bytes: usize) {
        self.text.clear();
        self.items.clear();
        self.text.shrink_to(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(documents: &[&str]) -> Bulk {
        let mut bulk = Bulk::default();
        for document in documents {
            bulk.push(
                |out| out.extend_from_slice(b"{}"),
                |out| out.extend_from_slice(document.as_bytes()),
            );
        }
        bulk
    }

    #[test]
    fn bodies_end_with_line_feeds_and_shrink() {
        let mut bulk = bulk(&["one", "two\n", "three", ""]);
        assert_eq!(bulk.body(0..4), b"{}\none\n{}\ntwo\n{}\nthree\n{}\n\n");
        assert_eq!(bulk.body(1..2), b"{}\ntwo\n");
        assert_eq!((bulk.document(1), bulk.document(3)), (&b"two"[..], &b""[..]));
        assert_eq!((bulk.fitting(0, 14), bulk.fitting(0, 13), bulk.fitting(2, 1)), (2, 1, 1));
        bulk.retain(&[Fate::Done, Fate::Stays, Fate::Done, Fate::Stays]);
        assert_eq!(bulk.body(0..2), b"{}\ntwo\n{}\n\n");
        assert_eq!(bulk.document(0), b"two");
        bulk.retain(&[Fate::Stays]);
        assert_eq!(bulk.len(), 2);
        bulk.retain(&[Fate::Done; 2]);
        assert_eq!((bulk.len(), bulk.body(0..0)), (0, &b""[..]));
    }
}

//! `option.jsonftree`: members with dotted names become objects within objects.

use super::program::{Entry, Op, write_members};
use crate::limits;
use crate::message::Msg;

/// A JSON object or a member that is none.
#[derive(Debug)]
pub(super) enum Node {
    /// Writes `"name":value`, or nothing. The first part is `"name":`, for texts that are written bare.
    Leaf(Box<[u8]>, Op),
    /// Named nodes, in the order they were first mentioned.
    Object {
        /// `"name": {`, or `{` at the root.
        head: Box<[u8]>,
        /// What is in it.
        children: Vec<Self>,
    },
}

/// A node under construction.
enum Draft {
    Leaf(Entry),
    Object(Vec<(Box<[u8]>, Self)>),
}

impl Node {
    /// Sorts `entries` into a tree.
    ///
    /// # Errors
    /// The entries, if one is no member of an object, or a name stands for both an object and another value.
    pub(super) fn build(entries: Vec<Entry>) -> Result<Self, Vec<Entry>> {
        if !fit(&entries) {
            return Err(entries);
        }
        let mut root = Vec::new();
        for entry in entries {
            let path = entry.member_name().map(<[u8]>::to_vec).unwrap_or_default();
            let mut members = &mut root;
            let mut names = path.split(|c| *c == b'.').peekable();
            while let Some(name) = names.next() {
                let known = members.iter().position(|(other, _): &(Box<[u8]>, _)| **other == *name);
                let index = known.unwrap_or_else(|| {
                    members.push((name.into(), Draft::Object(Vec::new())));
                    members.len() - 1
                });
                let draft = &mut members[index].1;
                if names.peek().is_none() {
                    *draft = Draft::Leaf(entry);
                    break;
                }
                match draft {
                    Draft::Object(inner) => members = inner,
                    Draft::Leaf(_) => unreachable!("`fit` refuses a leaf with members"),
                }
            }
        }
        Ok(Self::object(b"{".as_slice().into(), root))
    }

    fn object(head: Box<[u8]>, members: Vec<(Box<[u8]>, Draft)>) -> Self {
        let node = |(name, draft): (Box<[u8]>, Draft)| match draft {
            Draft::Leaf(entry) => {
                let head = [b"\"", &*name, b"\":"].concat();
                Self::Leaf(head.into(), entry.into_op(Some(&name)))
            }
            Draft::Object(members) => {
                let head = [b"\"", &*name, b"\": {"].concat();
                Self::object(head.into(), members)
            }
        };
        Self::Object { head, children: members.into_iter().map(node).collect() }
    }

    /// Appends the root object as a line.
    pub(super) fn write_document(&self, msg: &Msg<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        self.write(msg, out);
        if out.len() == start {
            out.extend_from_slice(b"{}");
        }
        out.push(b'\n');
    }

    /// Appends the node; an object without members is left out.
    fn write(&self, msg: &Msg<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Leaf(head, op) => {
                let start = out.len();
                op.write(msg, out);
                let bare = out.get(start..).unwrap_or_default();
                if !bare.is_empty() && !bare.starts_with(head) {
                    out.splice(start..start, head.iter().copied()); // **FIELD NOT FOUND**
                }
            }
            Self::Object { head, children } => {
                let start = out.len();
                out.extend_from_slice(head);
                if write_members(children, out, |child, out| child.write(msg, out)) {
                    out.push(b'}');
                } else {
                    out.truncate(start);
                }
            }
        }
    }
}

/// Whether all entries are members with usable names, and no name is both object and value.
fn fit(entries: &[Entry]) -> bool {
    let names: Vec<&[u8]> = entries.iter().filter_map(Entry::member_name).collect();
    let well_formed = |name: &&[u8]| {
        let mut parts = name.split(|c| *c == b'.');
        parts.clone().count() <= limits::NESTING_DEPTH && parts.all(|part| !part.is_empty())
    };
    let inside = |inner: &[u8], outer: &[u8]| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with(b"."))
    };
    names.len() == entries.len()
        && names.iter().all(well_formed)
        && !names.iter().any(|outer| names.iter().any(|inner| inside(inner, outer)))
}

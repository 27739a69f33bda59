//! YAML text to a tree of texts, lists and mappings that remember their lines.
//!
//! What YAML is, is the library's business; what it may be as a configuration, is decided here: no aliases (a few
//! bytes of them can stand for gigabytes), one document, and no deeper than [`limits::YAML_DEPTH`].

use saphyr_parser::{Event, Parser};

use crate::limits;

/// A value and the line it begins in, from 1.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) kind: Kind,
}

/// What there is in YAML.
#[derive(Debug)]
pub(super) enum Kind {
    /// Plain, quoted or a block.
    Text(String),
    List(Vec<Node>),
    Map(Vec<Member>),
}

/// A member of a mapping.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) key: String,
    /// Of the key.
    pub(super) line: usize,
    pub(super) value: Node,
}

/// A list or mapping that is not complete yet; of a mapping, the key whose value is to come.
enum Open {
    List(usize, Vec<Node>),
    Map(usize, Vec<Member>, Option<(String, usize)>),
}

impl Node {
    /// Reads a document; `None` where there is nothing in it.
    ///
    /// # Errors
    /// What is wrong, with its place.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, String> {
        let mut open: Vec<Open> = Vec::new();
        let mut root = None;
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|why| {
                let at = why.marker();
                format!("{} (line {} col {})", why.info(), at.line(), at.col() + 1)
            })?;
            let line = span.start.line();
            let wrong =
                |why: &str| Err(format!("{why} (line {line} col {})", span.start.col() + 1));
            let node = match event {
                Event::MappingStart(..) | Event::SequenceStart(..)
                    if open.len() >= limits::YAML_DEPTH =>
                {
                    return wrong(&format!("more than {} levels", limits::YAML_DEPTH));
                }
                Event::MappingStart(..) => {
                    open.push(Open::Map(line, Vec::new(), None));
                    continue;
                }
                Event::SequenceStart(..) => {
                    open.push(Open::List(line, Vec::new()));
                    continue;
                }
                Event::MappingEnd | Event::SequenceEnd => match open.pop() {
                    Some(Open::Map(line, members, _)) => Self { line, kind: Kind::Map(members) },
                    Some(Open::List(line, items)) => Self { line, kind: Kind::List(items) },
                    None => continue,
                },
                Event::Scalar(text, ..) => Self { line, kind: Kind::Text(text.into_owned()) },
                Event::Alias(_) => return wrong("aliases are not supported"),
                _ => continue,
            };
            match open.last_mut() {
                None if root.is_some() => return wrong("a second document is not supported"),
                None => root = Some(node),
                Some(Open::List(_, items)) => items.push(node),
                Some(Open::Map(_, members, key)) => match (key.take(), node) {
                    (Some((key, line)), value) => members.push(Member { key, line, value }),
                    (None, Self { line, kind: Kind::Text(text) }) => *key = Some((text, line)),
                    (None, _) => return wrong("expected scalar key in mapping"),
                },
            }
        }
        Ok(root)
    }

    /// The text; `None` for lists and mappings.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Option<&[Self]> {
        match &self.kind {
            Kind::List(items) => Some(items),
            Kind::Text(_) | Kind::Map(_) => None,
        }
    }

    /// The members of a mapping.
    pub(super) fn members(&self) -> Option<&[Member]> {
        match &self.kind {
            Kind::Map(members) => Some(members),
            Kind::Text(_) | Kind::List(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_know_their_lines() {
        let root =
            Node::parse("a: 1\nb:\n  - x\n  - {c: d}\ns: |\n  one\n  two\n").unwrap().unwrap();
        let members = root.members().unwrap();
        assert_eq!(
            members.iter().map(|m| (m.key.as_str(), m.line)).collect::<Vec<_>>(),
            [("a", 1), ("b", 2), ("s", 5)]
        );
        let items = members[1].value.items().unwrap();
        assert_eq!((items[0].text(), items[0].line), (Some("x"), 3));
        assert_eq!(items[1].members().unwrap()[0].value.text(), Some("d"));
        assert_eq!((members[2].value.text(), members[2].value.line), (Some("one\ntwo\n"), 6));
    }

    #[test]
    fn what_is_refused_says_where() {
        let wrong = |text: &str| Node::parse(text).unwrap_err();
        assert_eq!(wrong("a: &x 1\nb: *x\n"), "aliases are not supported (line 2 col 4)");
        assert_eq!(wrong("a: 1\n---\nb: 2\n"), "a second document is not supported (line 4 col 1)");
        let deep = "- ".repeat(100) + "x";
        assert_eq!(wrong(&deep), "more than 64 levels (line 1 col 129)");
        assert!(wrong(&"[".repeat(100_000)).contains("(line 1 col"));
        assert!(wrong("a: [1\nb").contains("(line "));
        assert!(Node::parse("# nothing\n").unwrap().is_none());
    }
}

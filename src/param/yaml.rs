//! YAML text to a tree of texts, lists and mappings that remember their lines: whole configurations, and the small
//! files that parameters name, such as policies.
//!
//! What YAML is, is the library's business; what it may be here, is decided in one place: one document, no aliases (a
//! few bytes of them can stand for gigabytes), keys that are texts, and no deeper than the reader permits.

use saphyr_parser::{Event, Parser};

/// A value and the line it begins in, from 1.
#[derive(Debug, PartialEq, Eq)]
pub struct Node {
    /// Of its first character.
    pub line: usize,
    /// What it is.
    pub kind: Kind,
}

/// What there is in YAML.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// Plain, quoted or a block; as it is written.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Keys and values, in order.
    Map(Vec<Member>),
}

/// A member of a mapping.
#[derive(Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub key: String,
    /// Of the key.
    pub line: usize,
    /// Its value.
    pub value: Node,
}

/// Why a text is no such tree.
#[derive(Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It is not YAML, or uses what is not supported; with the place.
    Syntax(String),
    /// Lists and mappings are nested deeper than permitted; with the place.
    TooDeep(String),
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Syntax(why) | Self::TooDeep(why)) = self;
        f.write_str(why)
    }
}

/// A list or mapping that is not complete yet; of a mapping, the key whose value is to come.
enum Open {
    List(usize, Vec<Node>),
    Map(usize, Vec<Member>, Option<(String, usize)>),
}

impl Node {
    /// Reads a document in which lists and mappings stand at most `levels` deep in each other; `None` where there is
    /// nothing in it.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str, levels: usize) -> Result<Option<Self>, Wrong> {
        let mut open: Vec<Open> = Vec::new();
        let mut root = None;
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|why| {
                let at = why.marker();
                Wrong::Syntax(placed(why.info(), at.line(), at.col()))
            })?;
            let line = span.start.line();
            let at_place = |why: &str| placed(why, line, span.start.col());
            let wrong = |why: &str| Err(Wrong::Syntax(at_place(why)));
            let node = match event {
                Event::MappingStart(..) | Event::SequenceStart(..) if open.len() >= levels => {
                    return Err(Wrong::TooDeep(at_place(&format!("more than {levels} levels"))));
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
                Event::DocumentStart(_) if root.is_some() => {
                    return wrong("a second document is not supported");
                }
                _ => continue,
            };
            match open.last_mut() {
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
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// The items of a list.
    #[must_use]
    pub fn items(&self) -> Option<&[Self]> {
        match &self.kind {
            Kind::List(items) => Some(items),
            Kind::Text(_) | Kind::Map(_) => None,
        }
    }

    /// The members of a mapping.
    #[must_use]
    pub fn members(&self) -> Option<&[Member]> {
        match &self.kind {
            Kind::Map(members) => Some(members),
            Kind::Text(_) | Kind::List(_) => None,
        }
    }

    /// A member's value; of several of that name, the last one's.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        let member = self.members()?.iter().rfind(|member| member.key == name)?;
        Some(&member.value)
    }

    /// The text of a member.
    #[must_use]
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.get(name)?.text()
    }
}

/// What is wrong, with its place; columns are counted from 0 by the library, from 1 by people.
fn placed(why: &str, line: usize, column: usize) -> String {
    format!("{why} (line {line} col {})", column + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<Node>, Wrong> {
        Node::parse(text, 64)
    }

    #[test]
    fn values_know_their_lines() {
        let root = parse("a: 1\nb:\n  - x\n  - {c: d}\ns: |\n  one\n  two\n").unwrap().unwrap();
        let members = root.members().unwrap();
        assert_eq!(
            members.iter().map(|m| (m.key.as_str(), m.line)).collect::<Vec<_>>(),
            [("a", 1), ("b", 2), ("s", 5)]
        );
        let items = members[1].value.items().unwrap();
        assert_eq!((items[0].text(), items[0].line), (Some("x"), 3));
        assert_eq!(items[1].text_of("c"), Some("d"));
        assert_eq!((members[2].value.text(), members[2].value.line), (Some("one\ntwo\n"), 6));
    }

    #[test]
    fn of_two_members_of_a_name_the_last_counts() {
        let root = parse("a: 1\nb: 2\na: 3\n").unwrap().unwrap();
        assert_eq!((root.text_of("a"), root.text_of("c")), (Some("3"), None));
    }

    #[test]
    fn what_is_refused_says_where() {
        let wrong = |text: &str| parse(text).unwrap_err().to_string();
        assert_eq!(wrong("a: &x 1\nb: *x\n"), "aliases are not supported (line 2 col 4)");
        assert_eq!(wrong("a: 1\n---\nb: 2\n"), "a second document is not supported (line 2 col 1)");
        assert_eq!(wrong("[a]: 1\n"), "expected scalar key in mapping (line 1 col 3)");
        let deep = "- ".repeat(100) + "x";
        assert_eq!(wrong(&deep), "more than 64 levels (line 1 col 129)");
        assert!(wrong(&"[".repeat(100_000)).contains("(line 1 col"));
        assert!(wrong("a: [1\nb").contains("(line "));
        assert!(parse("# nothing\n").unwrap().is_none());
    }
}

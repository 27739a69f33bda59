//! Small YAML files that parameters name, such as policies: texts, lists and mappings, nothing else.

use saphyr_parser::{Event, Parser};

use crate::limits;

/// A value.
#[derive(Debug, PartialEq, Eq)]
pub enum Node {
    /// A scalar, as it is written.
    Text(String),
    /// A list.
    Sequence(Vec<Self>),
    /// Keys and values, in order.
    Mapping(Vec<(String, Self)>),
}

/// Why a text is no such value.
#[derive(Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It is not YAML, or uses what is not supported.
    Syntax(String),
    /// Lists and mappings are nested deeper than [`limits::POLICY_DEPTH`].
    TooDeep,
}

/// A list or mapping that is not complete yet; of a mapping, the key whose value is to come.
enum Open {
    Sequence(Vec<Node>),
    Mapping(Vec<(String, Node)>, Option<String>),
}

impl Node {
    /// Reads a document; an empty one is an empty mapping.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let wrong = |why: &str| Wrong::Syntax(why.to_owned());
        let mut open: Vec<Open> = Vec::new();
        let mut root = None;
        for event in Parser::new_from_str(text) {
            let (event, _) = event.map_err(|why| wrong(&why.to_string()))?;
            let node = match event {
                Event::MappingStart(..) | Event::SequenceStart(..)
                    if open.len() >= limits::POLICY_DEPTH =>
                {
                    return Err(Wrong::TooDeep);
                }
                Event::MappingStart(..) => {
                    open.push(Open::Mapping(Vec::new(), None));
                    continue;
                }
                Event::SequenceStart(..) => {
                    open.push(Open::Sequence(Vec::new()));
                    continue;
                }
                Event::MappingEnd | Event::SequenceEnd => match open.pop() {
                    Some(Open::Mapping(members, _)) => Self::Mapping(members),
                    Some(Open::Sequence(items)) => Self::Sequence(items),
                    None => continue,
                },
                Event::Scalar(text, ..) => Self::Text(text.into_owned()),
                Event::Alias(_) => return Err(wrong("aliases are not supported")),
                _ => continue,
            };
            match open.last_mut() {
                None => root = root.or(Some(node)),
                Some(Open::Sequence(items)) => items.push(node),
                Some(Open::Mapping(members, key)) => match (key.take(), node) {
                    (Some(key), node) => members.push((key, node)),
                    (None, Self::Text(text)) => *key = Some(text),
                    (None, _) => return Err(wrong("a key must be a text")),
                },
            }
        }
        Ok(root.unwrap_or(Self::Mapping(Vec::new())))
    }

    /// The member of a mapping; of several, the last.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Mapping(members) = self else { return None };
        members.iter().rev().find(|(key, _)| key == name).map(|(_, node)| node)
    }

    /// The text of a member.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Self::Text(text)) => Some(text),
            _ => None,
        }
    }
}

//! Configuration text that remembers how it was put together, so that it can be cut down and stay well-formed.

/// A piece of text.
#[derive(Clone, Debug)]
pub(crate) enum Tree {
    /// As it is.
    Text(String),
    /// Can be left out.
    Optional(Box<Self>),
    /// Can be replaced by any part of it that has the same kind.
    Node(&'static str, Vec<Self>),
}

impl Tree {
    /// Text as it is.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Text that can be left out.
    pub(crate) fn optional(tree: Self) -> Self {
        Self::Optional(Box::new(tree))
    }

    /// Appends the text to `out`.
    pub(crate) fn write(&self, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(text),
            Self::Optional(tree) => tree.write(out),
            Self::Node(_, parts) => parts.iter().for_each(|part| part.write(out)),
        }
    }

    /// All trees that are one step smaller.
    pub(crate) fn smaller(&self) -> Vec<Self> {
        match self {
            Self::Text(_) => Vec::new(),
            Self::Optional(tree) => {
                let inner = tree.smaller().into_iter().map(Self::optional);
                std::iter::once(Self::text("")).chain(inner).collect()
            }
            Self::Node(kind, parts) => {
                let mut found = Vec::new();
                parts.iter().for_each(|part| part.collect(kind, &mut found));
                for (index, part) in parts.iter().enumerate() {
                    for smaller in part.smaller() {
                        let mut parts = parts.clone();
                        parts[index] = smaller;
                        found.push(Self::Node(kind, parts));
                    }
                }
                found
            }
        }
    }

    /// The topmost parts of that kind.
    fn collect(&self, wanted: &str, found: &mut Vec<Self>) {
        match self {
            Self::Text(_) => {}
            Self::Optional(tree) => tree.collect(wanted, found),
            Self::Node(kind, _) if *kind == wanted => found.push(self.clone()),
            Self::Node(_, parts) => parts.iter().for_each(|part| part.collect(wanted, found)),
        }
    }
}

impl std::fmt::Display for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        self.write(&mut text);
        f.write_str(&text)
    }
}

//! JSON variables: `$!` and `$.` of a message, `$/` of the process (`spec/config-language.md` sections 6.6, 7).
//!
//! A message's trees belong to whoever processes it, not to its batch: rules that run for a message set variables
//! in [`Vars`], and a queue that takes the message keeps a clone. Cloning copies nothing; what is shared is copied
//! when one of the holders changes it. A message without variables costs nothing.

use std::sync::Arc;

use super::json::{Case, Json, Object, Style};
use crate::limits;
use crate::sync::{Mutex, lock};

/// Which tree a variable lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `$!`: part of the message.
    Message,
    /// `$.`: for the time of its processing.
    Local,
    /// `$/`: shared by all messages.
    Global,
}

/// What a value does to the one that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assign {
    /// `set`: an object is merged into an object, and nothing else replaces an object.
    Merge,
    /// `reset`: the value is replaced.
    Replace,
}

/// Where in a tree: names one below the other, none for the tree itself. A name may end in an index (`a[0]`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(Box<[Box<[u8]>]>);

impl Path {
    /// A path as configurations write it behind the tree's sign: `a!b`.
    #[must_use]
    pub fn new(text: &[u8]) -> Self {
        let mut names: Vec<&[u8]> = text.split(|c| *c == b'!').collect();
        let last = names.pop().unwrap_or_default();
        names.retain(|name| !name.is_empty());
        if !text.is_empty() {
            names.push(last);
        }
        Self(names.into_iter().map(Box::from).collect())
    }

    /// The path of `$!name`, `$.name` or `$/name`, with or without the `$`.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<(Scope, Self)> {
        let (sign, path) = name.strip_prefix(b"$").unwrap_or(name).split_first()?;
        let scope = match sign {
            b'!' => Scope::Message,
            b'.' => Scope::Local,
            b'/' => Scope::Global,
            _ => return None,
        };
        Some((scope, Self::new(path)))
    }

    /// Whether it is the tree itself, as in `$!`.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes all names lower case.
    pub fn make_ascii_lowercase(&mut self) {
        self.0.iter_mut().for_each(|name| name.make_ascii_lowercase());
    }

    /// The node, unless there is none; `null` is none.
    #[must_use]
    pub fn find<'j>(&self, root: &'j Json, case: Case) -> Option<&'j Json> {
        let node = self.0.iter().try_fold(root, |node, name| step(node, name, case))?;
        (*node != Json::Null).then_some(node)
    }

    /// Gives the node a value. Does nothing, and says so, where the path leads through a value that is no object, or
    /// the assignment is not possible.
    fn assign(&self, root: &mut Option<Json>, value: Json, how: Assign, case: Case) -> bool {
        let Some((leaf, parents)) = self.0.split_last() else {
            match (root, value) {
                (Some(Json::Object(known)), Json::Object(value)) => known.merge(value, case),
                (Some(_), _) => return false,
                // Null is no tree: members can be set afterwards.
                (None, Json::Null) => {}
                (root, value) => *root = Some(value),
            }
            return true;
        };
        let mut node = root.get_or_insert_with(|| Json::Object(Object::default()));
        for name in parents {
            let Some(inner) = step_into(node, name, case) else { return false };
            node = inner;
        }
        if how == Assign::Merge
            && let Some(known) = step_mut(node, leaf, case)
            && let Json::Object(members) = known
        {
            let Json::Object(value) = value else { return false };
            members.merge(value, case);
            return true;
        }
        let Json::Object(parent) = node else { return false };
        parent.set(leaf, value, case);
        true
    }

    /// Removes the node.
    fn remove(&self, root: &mut Option<Json>, case: Case) {
        let Some((leaf, parents)) = self.0.split_last() else {
            *root = None;
            return;
        };
        let parent = root.as_mut().and_then(|root| {
            parents.iter().try_fold(root, |node, name| step_mut(node, name, case))
        });
        if let Some(Json::Object(parent)) = parent
            && parent.get(leaf, case).is_some_and(|value| *value != Json::Null)
        {
            parent.remove(leaf, case);
        }
    }
}

/// `a[0]` as `a` and 0.
fn indexed(name: &[u8]) -> Option<(&[u8], usize)> {
    let inner = name.strip_suffix(b"]")?;
    let open = memchr::memchr(b'[', inner)?;
    let index = std::str::from_utf8(inner.get(open + 1..)?).ok()?.parse().ok()?;
    Some((inner.get(..open)?, index))
}

/// The node of this name in an object, or in a list in it.
fn step<'j>(node: &'j Json, name: &[u8], case: Case) -> Option<&'j Json> {
    let Json::Object(object) = node else { return None };
    if name.len() > limits::VARIABLE_NAME_BYTES {
        return None;
    }
    if let Some((name, index)) = indexed(name)
        && let Some(Json::Array(items)) = object.get(name, case)
    {
        return items.get(index);
    }
    object.get(name, case)
}

fn step_mut<'j>(node: &'j mut Json, name: &[u8], case: Case) -> Option<&'j mut Json> {
    let Json::Object(object) = node else { return None };
    if name.len() > limits::VARIABLE_NAME_BYTES {
        return None;
    }
    if let Some((name, index)) = indexed(name)
        && matches!(object.get(name, case), Some(Json::Array(_)))
    {
        let Some(Json::Array(items)) = object.get_mut(name, case) else { return None };
        return items.get_mut(index);
    }
    object.get_mut(name, case)
}

/// The same, made an empty object where there is nothing.
fn step_into<'j>(node: &'j mut Json, name: &[u8], case: Case) -> Option<&'j mut Json> {
    if name.len() > limits::VARIABLE_NAME_BYTES {
        return None;
    }
    if step(node, name, case).is_none_or(|inner| *inner == Json::Null) {
        let Json::Object(object) = node else { return None };
        object.set(name, Json::Object(Object::default()), case);
        return object.get_mut(name, case);
    }
    step_mut(node, name, case)
}

/// The trees of one message.
#[derive(Clone, Debug, Default, PartialEq)]
struct Trees {
    message: Option<Json>,
    local: Option<Json>,
}

impl Trees {
    const EMPTY: Self = Self { message: None, local: None };
}

/// The variables of one message: `$!` and `$.`.
#[derive(Clone, Debug, Default)]
pub struct Vars(Option<Arc<Trees>>);

impl Vars {
    /// None at all.
    pub const NONE: Self = Self(None);

    /// Variables that come with a message.
    #[must_use]
    pub fn of_message(tree: Json) -> Self {
        Self(Some(Arc::new(Trees { message: Some(tree), local: None })))
    }

    /// Whether nothing was ever set.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.as_ref().is_none_or(|trees| **trees == Trees::EMPTY)
    }

    /// A tree: `$!`, or `$.` for every other scope.
    #[must_use]
    pub fn tree(&self, scope: Scope) -> Option<&Json> {
        let trees = self.0.as_ref()?;
        if scope == Scope::Message { trees.message.as_ref() } else { trees.local.as_ref() }
    }

    /// Forgets everything, but keeps the room unless it is shared.
    pub fn clear(&mut self) {
        match self.0.as_mut().map(Arc::get_mut) {
            None => {}
            Some(Some(trees)) => *trees = Trees::EMPTY,
            Some(None) => self.0 = None,
        }
    }

    fn tree_mut(&mut self, scope: Scope) -> &mut Option<Json> {
        let trees = Arc::make_mut(self.0.get_or_insert_default());
        if scope == Scope::Message { &mut trees.message } else { &mut trees.local }
    }

    /// Gives a variable a value. `false`: that is not possible, and nothing has changed.
    pub fn assign(
        &mut self,
        (scope, path): (Scope, &Path),
        value: Json,
        how: Assign,
        globals: &Globals,
    ) -> bool {
        match scope {
            Scope::Global => path.assign(&mut lock(&globals.tree), value, how, globals.case),
            scope => path.assign(self.tree_mut(scope), value, how, globals.case),
        }
    }

    /// Removes a variable and everything below it.
    pub fn remove(&mut self, (scope, path): (Scope, &Path), globals: &Globals) {
        match scope {
            Scope::Global => path.remove(&mut lock(&globals.tree), globals.case),
            scope if self.tree(scope).is_some() => {
                path.remove(self.tree_mut(scope), globals.case);
            }
            _ => {}
        }
    }

    /// Looks at a variable. For `$/`, the tree is locked meanwhile.
    pub fn with<R>(
        &self,
        (scope, path): (Scope, &Path),
        globals: &Globals,
        look: impl FnOnce(Option<&Json>) -> R,
    ) -> R {
        if scope == Scope::Global {
            let tree = lock(&globals.tree);
            return look(tree.as_ref().and_then(|root| path.find(root, globals.case)));
        }
        look(self.tree(scope).and_then(|root| path.find(root, globals.case)))
    }
}

/// What is the same for the variables of all messages, and the tree that all share.
#[derive(Debug, Default)]
pub struct Globals {
    /// How names compare.
    pub case: Case,
    /// How containers are written.
    pub style: Style,
    tree: Mutex<Option<Json>>,
}

impl Globals {
    /// An empty tree.
    #[must_use]
    pub fn new(case: Case, style: Style) -> Self {
        Self { case, style, tree: Mutex::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::json::parse_whole;

    fn json(text: &str) -> Json {
        match parse_whole(text.as_bytes(), Case::Insensitive) {
            Some(value) => value,
            None if text == "null" => Json::Null,
            None => Json::text(text.as_bytes()),
        }
    }

    fn show(vars: &Vars, scope: Scope) -> String {
        let mut out = Vec::new();
        if let Some(tree) = vars.tree(scope) {
            tree.write(Style::Compact, &mut out);
        }
        String::from_utf8(out).expect("UTF-8")
    }

    /// `spec/config-language.md` section 7: what is there, the assignment, and what is there then.
    #[test]
    fn assignments() {
        use Assign::{Merge, Replace};
        let table = [
            ("", "a", "x", Merge, r#"{"a":"x"}"#),
            ("", "a!b!c", "x", Merge, r#"{"a":{"b":{"c":"x"}}}"#),
            (r#"{"a":"x"}"#, "a!b", "y", Merge, r#"{"a":"x"}"#), // a parent that is no object
            (r#"{"a":"x"}"#, "a!b", "y", Replace, r#"{"a":"x"}"#),
            (r#"{"a":null}"#, "a!b", "y", Merge, r#"{"a":{"b":"y"}}"#),
            (
                r#"{"a":{"b":1,"c":2}}"#,
                "a",
                r#"{"c":3,"d":4}"#,
                Merge,
                r#"{"a":{"b":1,"c":3,"d":4}}"#,
            ),
            (r#"{"a":{"b":{"x":1}}}"#, "a", r#"{"b":{"y":2}}"#, Merge, r#"{"a":{"b":{"y":2}}}"#),
            (r#"{"a":{"b":1}}"#, "a", "x", Merge, r#"{"a":{"b":1}}"#), // refused
            (r#"{"a":{"b":1}}"#, "a", "[1]", Merge, r#"{"a":{"b":1}}"#),
            (r#"{"a":{"b":1}}"#, "a", "x", Replace, r#"{"a":"x"}"#),
            (r#"{"a":{"b":1}}"#, "a", r#"{"c":2}"#, Replace, r#"{"a":{"c":2}}"#),
            (r#"{"a":[1]}"#, "a", r#"{"c":2}"#, Merge, r#"{"a":{"c":2}}"#),
            (r#"{"Case":1}"#, "cASE", "v", Merge, r#"{"Case":"v"}"#),
            (r#"{"a":[{"k":1}]}"#, "a[0]!k", "x", Merge, r#"{"a":[{"k":"x"}]}"#),
            (r#"{"a":[1]}"#, "a[0]", "x", Merge, r#"{"a":[1],"a[0]":"x"}"#),
            (r#"{"a":1}"#, "", r#"{"b":2}"#, Merge, r#"{"a":1,"b":2}"#),
            ("", "", r#"{"b":2}"#, Merge, r#"{"b":2}"#),
            ("", "", "null", Merge, ""), // no tree, so that members can follow
        ];
        let globals = Globals::default();
        for (before, path, value, how, after) in table {
            let mut vars =
                if before.is_empty() { Vars::NONE } else { Vars::of_message(json(before)) };
            let path = Path::new(path.as_bytes());
            vars.assign((Scope::Message, &path), json(value), how, &globals);
            assert_eq!(show(&vars, Scope::Message), after, "{before} {path:?} {value} {how:?}");
        }
    }

    #[test]
    fn removals() {
        let table = [
            (r#"{"a":{"b":1,"c":2}}"#, "A!B", r#"{"a":{"c":2}}"#),
            (r#"{"a":{"b":1}}"#, "a", "{}"),
            (r#"{"a":1}"#, "b!c", r#"{"a":1}"#),
            (r#"{"a":1}"#, "a!b", r#"{"a":1}"#),
            (r#"{"a":[1]}"#, "a[0]", r#"{"a":[1]}"#),
            (r#"{"a":1}"#, "", ""),
        ];
        for (before, path, after) in table {
            let mut vars = Vars::of_message(json(before));
            vars.remove((Scope::Message, &Path::new(path.as_bytes())), &Globals::default());
            assert_eq!(show(&vars, Scope::Message), after, "{before} {path}");
        }
        let mut none = Vars::NONE;
        none.remove((Scope::Local, &Path::new(b"x")), &Globals::default());
        assert!(none.0.is_none(), "nothing was made for it");
    }

    #[test]
    fn lookups() {
        let globals = Globals::default();
        let vars = Vars::of_message(json(r#"{"A":{"b":[1,{"k":"v"},null]},"n":null,"x[1":2}"#));
        let table = [
            ("a!B[0]", "1"),
            ("a!b[1]!k", "\"v\""),
            ("a!!b[0]", "1"),
            ("a!b[2]", "-"),
            ("a!b[3]", "-"),
            ("a!b[-1]", "-"),
            ("n", "-"),
            ("x[1", "2"),
            ("a!", "-"),
            ("q", "-"),
        ];
        for (path, want) in table {
            let mut out = Vec::new();
            vars.with((Scope::Message, &Path::new(path.as_bytes())), &globals, |node| match node {
                Some(node) => node.write(Style::Compact, &mut out),
                None => out.push(b'-'),
            });
            assert_eq!(String::from_utf8_lossy(&out), want, "{path}");
        }
        let strict = Globals::new(Case::Sensitive, Style::Spaced);
        assert!(vars.with((Scope::Message, &Path::new(b"a")), &strict, |node| node.is_none()));
    }

    #[test]
    fn a_clone_does_not_see_later_changes_and_global_variables_are_everywhere() {
        let globals = Globals::default();
        let (path, mut vars) = (Path::new(b"a"), Vars::NONE);
        vars.assign((Scope::Local, &path), Json::Int(1), Assign::Merge, &globals);
        vars.assign((Scope::Global, &path), Json::Int(7), Assign::Merge, &globals);
        let kept = vars.clone();
        vars.assign((Scope::Local, &path), Json::Int(2), Assign::Merge, &globals);
        assert_eq!(show(&kept, Scope::Local), r#"{"a":1}"#);
        assert_eq!(show(&vars, Scope::Local), r#"{"a":2}"#);
        vars.clear();
        assert!(vars.is_none() && !kept.is_none());
        let seven = |node: Option<&Json>| node == Some(&Json::Int(7));
        assert!(vars.with((Scope::Global, &path), &globals, seven));
        vars.remove((Scope::Global, &path), &globals);
        assert!(!kept.with((Scope::Global, &path), &globals, seven));
    }
}

//! The statements of a ruleset: as a script, and in YAML as lists where they are simple enough.

use super::super::ast::{Parameter, Span, Stmt, StmtKind};
use super::script::{Script, legacy_action};
use super::sorted;

/// An action's parameters, sorted.
pub(super) type Action = Vec<Parameter>;

/// What a ruleset does.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// All of it, indented by two blanks.
    pub(super) script: Vec<u8>,
    /// Whether something was appended before.
    begun: bool,
    pub(super) form: Form,
}

/// How it is written in YAML.
#[derive(Debug, Default)]
pub(super) enum Form {
    /// `script:`
    #[default]
    Script,
    /// `actions:`
    Actions(Vec<Action>),
    /// `filter:` and `actions:`; a filter of properties, or a selector.
    Filter(Vec<u8>, Vec<Action>),
    /// `statements:` with a condition each.
    Statements(Vec<(Vec<u8>, Vec<Action>)>),
}

impl Body {
    /// Adds statements: all of a ruleset's, or one outside of rulesets with what `&` joins to it.
    pub(super) fn append(
        &mut self,
        statements: &[&Stmt],
        remarks: &mut Vec<String>,
        problems: &mut Vec<(Span, String)>,
    ) {
        let mut script = Script::new(1);
        statements.iter().for_each(|statement| script.statement(statement));
        self.script.append(&mut script.text);
        remarks.append(&mut script.remarks);
        problems.append(&mut script.problems);
        let before = std::mem::take(&mut self.form);
        self.form = if self.begun { more(before, statements) } else { Form::of(statements) };
        self.begun = true;
    }
}

impl Form {
    fn of(statements: &[&Stmt]) -> Self {
        if let Some(actions) = actions(statements.iter().copied()) {
            return Self::Actions(actions);
        }
        if let [statement] = statements
            && let StmtKind::PriFilter { selector: text, then }
            | StmtKind::PropFilter { text, then, .. } = &statement.kind
            && let Some(actions) = actions(then)
        {
            return Self::Filter(text.clone(), actions);
        }
        let conditional = statements.iter().map(|statement| selector_actions(statement));
        conditional.collect::<Option<_>>().map_or(Self::Script, Self::Statements)
    }
}

/// The form of what had `before`, with another statement behind it.
fn more(before: Form, statements: &[&Stmt]) -> Form {
    let mut list = match before {
        Form::Statements(list) => list,
        Form::Filter(selector, actions) if !selector.starts_with(b":") => {
            vec![(condition(&selector), actions)]
        }
        _ => return Form::Script,
    };
    match statements {
        [statement] => match selector_actions(statement) {
            Some(next) => list.push(next),
            None => return Form::Script,
        },
        _ => return Form::Script,
    }
    Form::Statements(list)
}

/// A selector as a condition, and its actions, if it has nothing else.
fn selector_actions(statement: &Stmt) -> Option<(Vec<u8>, Vec<Action>)> {
    let StmtKind::PriFilter { selector, then } = &statement.kind else { return None };
    Some((condition(selector), actions(then)?))
}

fn condition(selector: &[u8]) -> Vec<u8> {
    [b"prifilt('", selector, b"')"].concat()
}

/// The actions, if there is nothing else.
fn actions<'s>(statements: impl IntoIterator<Item = &'s Stmt>) -> Option<Vec<Action>> {
    let action = |statement: &Stmt| match &statement.kind {
        StmtKind::Action(object) => Some(sorted(&object.params).into_iter().cloned().collect()),
        StmtKind::LegacyAction(text) => legacy_action(text),
        _ => None,
    };
    statements.into_iter().map(action).collect()
}

//! Which actions `previous_action_suspended()` may ask about: their fate must be known before the rules go on, so each
//! message is committed by itself.

use std::collections::BTreeSet;

use crate::config::ast::ExprKind;
use crate::config::{ActionId, Config, Expr, RulesetId, Stmt};

/// Those actions.
pub(super) fn asked(config: &Config) -> BTreeSet<ActionId> {
    if !config.rulesets.iter().any(|ruleset| any_asks(&ruleset.body)) {
        return BTreeSet::new();
    }
    let count = config.rulesets.len();
    let mut walk =
        Walk { config, entered: vec![None; count], seen: Vec::new(), asked: BTreeSet::new() };
    // What a ruleset that calls itself is left with is known only when it has been gone through.
    loop {
        let before = (walk.entered.clone(), walk.asked.len());
        walk.seen = vec![false; count];
        for index in 0..count {
            walk.ruleset(RulesetId(index), &Last::new());
        }
        if before == (walk.entered.clone(), walk.asked.len()) {
            return walk.asked;
        }
    }
}

/// The actions that may have been the last one.
type Last = BTreeSet<ActionId>;

struct Walk<'c> {
    config: &'c Config,
    /// What each ruleset was entered with so far, and what it was left with.
    entered: Vec<Option<(Last, Last)>>,
    /// Which ones were gone through in this round.
    seen: Vec<bool>,
    asked: BTreeSet<ActionId>,
}

impl Walk<'_> {
    /// The last actions behind a ruleset. In a round it is gone through once, and again only for new ones.
    fn ruleset(&mut self, id: RulesetId, last: &Last) -> Last {
        let (mut all, left) = self.entered.get(id.0).cloned().flatten().unwrap_or_default();
        let seen = self.seen.get_mut(id.0).is_none_or(|seen| std::mem::replace(seen, true));
        if seen && last.is_subset(&all) {
            return left;
        }
        all.extend(last);
        if let Some(entry) = self.entered.get_mut(id.0) {
            *entry = Some((all.clone(), left));
        }
        let config = self.config;
        let left = self.block(&config.ruleset(id).body, all.clone());
        if let Some(entry) = self.entered.get_mut(id.0) {
            *entry = Some((all, left.clone()));
        }
        left
    }

    fn block(&mut self, statements: &[Stmt], mut last: Last) -> Last {
        for statement in statements {
            last = self.statement(statement, last);
        }
        last
    }

    fn statement(&mut self, statement: &Stmt, mut last: Last) -> Last {
        match statement {
            Stmt::Action(id) | Stmt::Modify(id) => Last::from([*id]),
            Stmt::If { arms, otherwise } => {
                let mut after = Last::new();
                for (condition, then) in arms {
                    self.expression(condition, &last);
                    after.extend(self.block(then, last.clone()));
                }
                after.extend(self.block(otherwise, last));
                after
            }
            Stmt::PriFilter { then, .. } | Stmt::PropFilter { then, .. } => {
                let inside = self.block(then, last.clone());
                last.extend(inside);
                last
            }
            Stmt::Call(id) => {
                let inside = self.ruleset(*id, &last);
                last.extend(inside);
                last
            }
            Stmt::CallIndirect(name) => {
                self.expression(name, &last);
                for index in 0..self.config.rulesets.len() {
                    let inside = self.ruleset(RulesetId(index), &last);
                    last.extend(inside);
                }
                last
            }
            Stmt::Set { value, .. } => {
                self.expression(value, &last);
                last
            }
            Stmt::Foreach { collection, body, .. } => {
                self.expression(collection, &last);
                // Every turn but the first begins with what the one before has left.
                loop {
                    let inside = self.block(body, last.clone());
                    if inside.is_subset(&last) {
                        return last;
                    }
                    last.extend(inside);
                }
            }
            Stmt::Unset(_) | Stmt::ReloadLookupTable { .. } | Stmt::Stop => last,
        }
    }

    fn expression(&mut self, expr: &Expr, last: &Last) {
        if asks(expr) {
            self.asked.extend(last);
        }
    }
}

fn any_asks(statements: &[Stmt]) -> bool {
    statements.iter().any(|statement| {
        let expressions: Vec<&Expr> = match statement {
            Stmt::If { arms, .. } => arms.iter().map(|(condition, _)| condition).collect(),
            Stmt::CallIndirect(expr)
            | Stmt::Set { value: expr, .. }
            | Stmt::Foreach { collection: expr, .. } => vec![expr],
            _ => Vec::new(),
        };
        expressions.into_iter().any(asks) || blocks(statement).any(any_asks)
    })
}

/// The blocks of a statement.
fn blocks(statement: &Stmt) -> impl Iterator<Item = &[Stmt]> {
    let (arms, block): (&[(Expr, Vec<Stmt>)], &[Stmt]) = match statement {
        Stmt::If { arms, otherwise } => (arms, otherwise),
        Stmt::PriFilter { then, .. } | Stmt::PropFilter { then, .. } => (&[], then),
        Stmt::Foreach { body, .. } => (&[], body),
        _ => (&[], &[]),
    };
    arms.iter().map(|(_, then)| then.as_slice()).chain([block])
}

fn asks(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Function { name, args } => {
            name == "previous_action_suspended" || args.iter().any(asks)
        }
        ExprKind::Not(inner) | ExprKind::Negate(inner) => asks(inner),
        ExprKind::And(operands) | ExprKind::Or(operands) => operands.iter().any(asks),
        ExprKind::Compare(_, left, right) | ExprKind::Binary(_, left, right) => {
            asks(left) || asks(right)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Catalogue, SystemLoader};
    use crate::{registry, template};

    /// Which of the actions `a0`, `a1`, … may be asked about.
    fn about(script: &str) -> Vec<usize> {
        let mut text = script.replace("ASK", "set $!s = previous_action_suspended();");
        for n in 0..9 {
            text =
                text.replace(&format!("a{n}"), &format!("action(type=\"omfile\" file=\"/{n}\")"));
        }
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("c.conf");
        std::fs::write(&path, text).expect("written");
        let modules: Vec<_> = registry::modules().collect();
        let catalogue =
            Catalogue { modules: &modules, templates: &template::BUILTIN_NAMES, parsers: &[] };
        let path = path.to_str().expect("UTF-8");
        let (config, diagnostics) = crate::config::load(path, &SystemLoader, &catalogue);
        assert!(!diagnostics.has_errors(), "{}", diagnostics.render());
        asked(&config).into_iter().map(|id| id.0).collect()
    }

    #[test]
    fn the_last_ones_before_a_question() {
        assert_eq!(about("a0 a1 ASK a2"), [1]);
        assert_eq!(about("a0 a1"), [0; 0]);
        assert_eq!(about("a0 if $msg == 'x' then { a1 a2 } ASK"), [0, 2]);
        assert_eq!(about("a0 if $msg == 'x' then { a1 } else { a2 } ASK"), [1, 2]);
        assert_eq!(about("a0 if previous_action_suspended() then a1 a2"), [0]);
        assert_eq!(about("ruleset(name=\"r\") { a0 ASK a1 } a2 call r ASK"), [0, 1, 2]);
        assert_eq!(about("ruleset(name=\"r\") { ASK } a0 a1 call r"), [1]);
        assert_eq!(
            about("ruleset(name=\"r\") { if $msg == 'x' then { a0 call r } ASK } a1 call r"),
            [0, 1]
        );
        assert_eq!(about("foreach ($.i in $!l) do { ASK a0 } a1"), [0]);
        assert_eq!(about("ruleset(name=\"r\") { a0 } foreach ($.i in $!l) do { ASK call r }"), [0]);
        assert_eq!(
            about("ruleset(name=\"r\") { if $msg == 'x' then { call r ASK } a0 } call r"),
            [0]
        );
    }
}

//! Statements and `action()`: checked, and simplified where an administrator can see it.

use super::args::{self, Left};
use super::ast::{self, Expr, ExprKind, Object, Span, StmtKind};
use super::check::{Checker, Reference};
use super::checked::{ActionDecl, ActionId, ObjectArgs, PropOp, RulesetId, Stmt};
use super::compatibility::Syntax;
use super::diagnostic::{Diagnostic, did_you_mean};
use super::fold::{self, Before};
use super::{expr, selector, tables};
use crate::message::vars::Assign;
use crate::message::{Path, Scope};
use crate::param::{Class, Module, Value};

/// Operations of property-based filters.
const OPERATIONS: [(&str, PropOp); 7] = [
    ("contains", PropOp::Contains),
    ("isequal", PropOp::IsEqual),
    ("isempty", PropOp::IsEmpty),
    ("startswith", PropOp::StartsWith),
    ("endswith", PropOp::EndsWith),
    ("regex", PropOp::Regex),
    ("ereregex", PropOp::EreRegex),
];

/// Actions that `&` joins, without a filter.
pub(super) struct Chain {
    /// How long the ruleset is with the first of them.
    end: usize,
    /// The second one.
    more: Option<Span>,
}

impl Checker<'_> {
    /// Checks a statement outside of `ruleset()`. Of a [`Chain`] there only the first action stays when another
    /// statement follows: the reference puts that in the place of the others.
    pub(super) fn top_statement(&mut self, stmt: ast::Stmt) {
        let ruleset = self.current_ruleset;
        let mut body = std::mem::take(&mut self.config.rulesets[ruleset.0].body);
        let (chained, span) = (stmt.chained, stmt.span);
        if chained {
            let chain = self.chains.get_mut(&ruleset);
            chain.map(|chain| chain.more.get_or_insert(span));
            self.statements(vec![stmt], &mut body);
        } else if matches!(stmt.kind, StmtKind::Directive(_)) {
            self.statements(vec![stmt], &mut body);
        } else {
            if let Some(Chain { end, more: Some(place) }) = self.chains.remove(&ruleset) {
                body.truncate(end);
                let text =
                    "of actions joined by '&' without a filter only the first one is executed";
                let help = "rsyslogd drops the others, too, where a statement follows: write them without '&'";
                self.diagnostics.push(Diagnostic::parsing(place, text).warning().help(help));
            }
            self.statements(vec![stmt], &mut body);
            self.chains.insert(ruleset, Chain { end: body.len(), more: None });
        }
        self.config.rulesets[ruleset.0].body = body;
    }

    /// Checks statements and appends what is left of them to `body`.
    pub(super) fn statements(&mut self, statements: Vec<ast::Stmt>, body: &mut Vec<Stmt>) {
        for stmt in statements {
            let ast::Stmt { kind, span, end_line, .. } = stmt;
            if matches!(body.last(), Some(Stmt::Stop)) && !matches!(kind, StmtKind::Directive(_)) {
                let text = "STOP is followed by unreachable statements!";
                self.diagnostics.push(Diagnostic::parsing(span, text).warning().code(2357));
                self.unreachable(kind, span, end_line);
                continue;
            }
            self.statement(kind, span, end_line, body);
        }
    }

    /// A statement that never runs is checked and dropped, and the ones behind it are, too.
    fn unreachable(&mut self, kind: StmtKind, span: Span, end_line: u32) {
        let mut dropped = Vec::new();
        self.statement(kind, span, end_line, &mut dropped);
    }

    fn block(&mut self, statements: Vec<ast::Stmt>) -> Vec<Stmt> {
        let mut body = Vec::with_capacity(statements.len());
        self.statements(statements, &mut body);
        body
    }

    fn statement(&mut self, kind: StmtKind, span: Span, end_line: u32, body: &mut Vec<Stmt>) {
        // What is not permitted is checked all the same, and left out.
        let mut dropped = Vec::new();
        match kind {
            StmtKind::If { arms, otherwise } => self.if_statement(arms, otherwise, body),
            StmtKind::PriFilter { selector, then } => {
                let permitted = self.permits(Syntax::Selector, &selector, span, end_line);
                self.pri_filter(&selector, then, span, if permitted { body } else { &mut dropped });
            }
            StmtKind::PropFilter { text, filter, then } => {
                let permitted = self.permits(Syntax::PropertyFilter, &text, span, end_line);
                let body = if permitted { body } else { &mut dropped };
                self.prop_filter(filter, then, span, end_line, body);
            }
            StmtKind::Action(object) => {
                let action = self.action(&object);
                body.extend(action.map(|id| self.action_statement(id)));
            }
            StmtKind::LegacyAction(text) => self.legacy_action(&text, span, end_line, body),
            StmtKind::Directive(directive) => self.directive(&directive),
            StmtKind::Stop => body.push(Stmt::Stop),
            StmtKind::Continue => {}
            StmtKind::Call(name) => {
                let name = String::from_utf8_lossy(&name).into_owned();
                body.push(Stmt::Call(RulesetId(self.calls.len())));
                self.calls.push(Reference { name, span });
            }
            StmtKind::CallIndirect(name) => {
                let name = self.folded(name);
                body.push(Stmt::CallIndirect(name));
            }
            StmtKind::Set { target, value, reset } => {
                let how = if reset { Assign::Replace } else { Assign::Merge };
                let value = self.folded(value);
                let target = self.target(target, "set", span);
                body.extend(target.map(|target| Stmt::Set { target, value, how }));
            }
            StmtKind::Unset(target) => {
                body.extend(self.target(target, "unset", span).map(Stmt::Unset));
            }
            StmtKind::Foreach { variable, collection, body: inner } => {
                let collection = self.folded(collection);
                let variable = self.target(variable, "foreach", span);
                let inner = self.block(inner);
                let foreach = |variable| Stmt::Foreach { variable, collection, body: inner };
                body.extend(variable.map(foreach));
            }
            StmtKind::ReloadLookupTable(args) => {
                body.extend(self.reload_lookup_table(args, span));
            }
        }
    }

    /// The variable a statement changes.
    fn target(
        &mut self,
        variable: ast::Variable,
        statement: &str,
        span: Span,
    ) -> Option<(Scope, Path)> {
        match variable {
            ast::Variable::Json { tree, path } => Some((tree, Path::new(&path))),
            ast::Variable::Property(name) => {
                let text = format!("invalid variable '{name}' in {statement} statement.");
                let help = "variables that can be set begin with $!, $. or $/";
                self.diagnostics.push(Diagnostic::parsing(span, text).help(help));
                None
            }
        }
    }

    /// Verified and simplified, with the names that stand before it.
    fn folded(&mut self, expr: Expr) -> Expr {
        let before = Before { templates: &self.templates, tables: &self.config.lookup_tables };
        fold::value(expr, &before, self.diagnostics)
    }

    fn if_statement(
        &mut self,
        arms: Vec<(Expr, Vec<ast::Stmt>)>,
        otherwise: Vec<ast::Stmt>,
        body: &mut Vec<Stmt>,
    ) {
        let mut kept = Vec::with_capacity(arms.len());
        let mut always = None;
        for (condition, then) in arms {
            let condition = self.folded(condition);
            let then = self.block(then);
            match condition {
                _ if always.is_some() => {}
                Expr { kind: ExprKind::Number(0), .. } => {}
                Expr { kind: ExprKind::Number(_), .. } => always = Some(then),
                condition => kept.push((condition, then)),
            }
        }
        let otherwise = self.block(otherwise);
        let otherwise = always.unwrap_or(otherwise);
        if kept.is_empty() {
            body.extend(otherwise);
            return;
        }
        if otherwise.is_empty() && kept.iter().all(|(_, then)| then.is_empty()) {
            return;
        }
        match (kept.as_mut_slice(), otherwise.is_empty()) {
            ([(Expr { kind: ExprKind::Pri(mask), .. }, then)], true) => {
                push_pri_filter(*mask, std::mem::take(then), body);
            }
            _ => body.push(Stmt::If { arms: kept, otherwise }),
        }
    }

    fn pri_filter(
        &mut self,
        selector: &[u8],
        then: Vec<ast::Stmt>,
        span: Span,
        body: &mut Vec<Stmt>,
    ) {
        let (mask, result) = selector::decode(selector);
        if let Err(bad) = result {
            let (word, known) = bad.word_and_known();
            let help = did_you_mean(word, known);
            self.diagnostics.push(Diagnostic::plain(span, bad.text()).maybe_help(help));
        }
        let then = self.block(then);
        push_pri_filter(mask, then, body);
    }

    fn prop_filter(
        &mut self,
        filter: ast::PropFilter,
        then: Vec<ast::Stmt>,
        span: Span,
        end_line: u32,
        body: &mut Vec<Stmt>,
    ) {
        let op = self.operation(&filter, end_line);
        let then = self.block(then);
        let written = &filter.property;
        let is_json = matches!(written.get(1), Some(b'!' | b'.' | b'/')) && written[0] == b'$';
        let property = if is_json {
            expr::variable(written)
        } else {
            ast::Variable::Property(String::from_utf8_lossy(written).into_owned())
        };
        let exists = fold::check_property(&property, filter.property_span, self.diagnostics);
        if !exists {
            self.diagnostics.set_line(end_line);
        }
        let Some(op) = op.filter(|_| exists && !then.is_empty()) else { return };
        body.push(Stmt::PropFilter {
            property,
            op,
            negate: filter.negate,
            value: filter.value,
            then,
            span,
        });
    }

    fn operation(&mut self, filter: &ast::PropFilter, end_line: u32) -> Option<PropOp> {
        let written = &filter.operation;
        let found =
            OPERATIONS.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(written));
        if found.is_none() {
            let shown = String::from_utf8_lossy(written);
            let sign = if filter.negate { "!" } else { "" };
            let text = format!("error: invalid compare operation '{sign}{shown}'");
            let help = did_you_mean(&shown, OPERATIONS.iter().map(|(name, _)| *name));
            let diagnostic = Diagnostic::parsing(filter.operation_span, text).line(end_line);
            self.diagnostics.push(diagnostic.maybe_help(help));
        }
        found.map(|(_, op)| *op)
    }

    /// `action(…)`; `None` if it is disabled or wrong.
    fn action(&mut self, object: &Object) -> Option<ActionId> {
        if args::is_disabled(object) {
            return None;
        }
        let action = self.checked_action(object);
        if action.is_none() {
            self.action_error(object.span, object.end_line);
        }
        action
    }

    /// The statement that runs an action.
    pub(super) fn action_statement(&self, id: ActionId) -> Stmt {
        match self.config.actions[id.0].module.class {
            Class::Modifier => Stmt::Modify(id),
            _ => Stmt::Action(id),
        }
    }

    /// The line the reference adds whenever an action comes to nothing.
    pub(super) fn action_error(&mut self, span: Span, line: u32) {
        let error = self.action_error_text(span, line);
        self.diagnostics.push(error.follow_up());
    }

    pub(super) fn action_error_text(&self, span: Span, line: u32) -> Diagnostic {
        let file = self
            .diagnostics
            .source(span)
            .map_or_else(String::new, |source| source.name().to_owned());
        let text = format!("errors occurred in file '{file}' around line {line}");
        Diagnostic::parsing(span, text).line(line)
    }

    fn checked_action(&mut self, object: &Object) -> Option<ActionId> {
        let (written, at) = args::word(object, "type", self.diagnostics)?;
        let module = self.loaded_module(&written, Class::Output, at)?;
        if tables::SELECTOR_ONLY_MODULES.contains(&module.name) {
            let text = format!("module name '{}' is unknown", String::from_utf8_lossy(&written));
            let help =
                format!("{} has no action() form, only that of a selector line", module.name);
            self.diagnostics.push(Diagnostic::plain(at, text).code(2209).help(help));
            return None;
        }
        let tables = [tables::ACTION, tables::QUEUE_ACTION, module.params];
        let beside = format!("module(load=\"{}\")", module.name);
        let beside = (module.module_params, beside.as_str());
        let checked = args::check_beside(object, tables, beside, self.diagnostics);
        let [core, mut queue, args] = match checked {
            Ok(checked) => checked,
            Err(Left::Disabled) => return None,
            Err(Left::Invalid) => {
                self.actions_counted += 1;
                return None;
            }
        };
        self.check_queue(&mut queue);
        let action = self.add_action(module, core, queue, args);
        self.object_actions.extend(action);
        action
    }

    /// Adds an action whose arguments are checked, unless its template does not exist.
    pub(super) fn add_action(
        &mut self,
        module: &'static Module,
        core: ObjectArgs,
        queue: ObjectArgs,
        mut args: ObjectArgs,
    ) -> Option<ActionId> {
        let number = self.actions_counted;
        self.actions_counted += 1;
        self.inherit_template(module, &mut args);
        if !self.template_exists(&args) {
            return None;
        }
        let prefix = if module.builtin { "builtin:" } else { "" };
        let default = || format!("action-{number}-{prefix}{}", module.name);
        let name = core.args.text("name").unwrap_or_else(default);
        if !self.action_names.insert(name.clone()) {
            let text = format!(
                "action: duplicate name '{name}' in current config set; impstats counters may be ambiguous"
            );
            self.diagnostics.push(Diagnostic::plain(core.place("name"), text).warning());
        }
        let id = ActionId(self.config.actions.len());
        let own_defaults = module.builtin && !self.module_objects.contains(module.name);
        self.config.actions.push(ActionDecl { module, name, args, core, queue, own_defaults });
        Some(id)
    }

    /// An action that names no template takes the one its module has at this point of the text: a later
    /// `$ActionFileDefaultTemplate` does not change it.
    fn inherit_template(&self, module: &'static Module, args: &mut ObjectArgs) {
        let has_template = |rows: &[crate::param::Param]| rows.iter().any(|row| row.is("template"));
        if !has_template(module.params) || !has_template(module.module_params) {
            return;
        }
        let module_args =
            self.loaded.get(module.name).map(|index| &self.config.modules[*index].args);
        if let Some(template) = module_args.and_then(|args| args.args.value("template")) {
            args.args.set_default("template", Some(template.clone()));
        }
    }

    fn template_exists(&mut self, args: &ObjectArgs) -> bool {
        // The reference numbers an action's templates; that of a dynamic file name is the second.
        for (number, param) in [(0, "template"), (1, "dynaFile")] {
            let Some(Value::Str(name)) =
                args.args.param(param).and_then(|_| args.args.value(param))
            else {
                continue;
            };
            if self.templates.contains(name) {
                continue;
            }
            let shown = String::from_utf8_lossy(name).into_owned();
            let text = format!(" Could not find template {number} '{shown}' - action disabled");
            let ours = self.config.templates.iter().map(|template| template.name.as_str());
            let known = ours.chain(self.catalogue.templates.iter().copied());
            let help = self.diagnostics.suggest(&shown, known);
            let help = help
                .unwrap_or_else(|| "a template must stand before the action that uses it".into());
            self.diagnostics.push(Diagnostic::plain(args.place(param), text).code(3003).help(help));
            return false;
        }
        true
    }
}

/// A filter that lets everything pass is replaced by its block, one without a block by nothing.
fn push_pri_filter(mask: ast::PriMask, then: Vec<Stmt>, body: &mut Vec<Stmt>) {
    if mask.iter().all(|bits| *bits == 0xff) {
        body.extend(then);
    } else if !then.is_empty() {
        body.push(Stmt::PriFilter { mask, then });
    }
}

/// Replaces the numbers of calls by those of rulesets, and removes calls that lead nowhere.
pub(super) fn resolve_calls(body: &mut Vec<Stmt>, rulesets: &[Option<RulesetId>]) {
    body.retain_mut(|stmt| {
        match stmt {
            Stmt::Call(id) => match rulesets.get(id.0).copied().flatten() {
                Some(ruleset) => *id = ruleset,
                None => return false,
            },
            Stmt::If { arms, otherwise } => {
                arms.iter_mut().for_each(|(_, then)| resolve_calls(then, rulesets));
                resolve_calls(otherwise, rulesets);
            }
            Stmt::PriFilter { then, .. }
            | Stmt::PropFilter { then, .. }
            | Stmt::Foreach { body: then, .. } => {
                resolve_calls(then, rulesets);
            }
            Stmt::Action(_)
            | Stmt::Modify(_)
            | Stmt::CallIndirect(_)
            | Stmt::Set { .. }
            | Stmt::Unset(_)
            | Stmt::ReloadLookupTable { .. }
            | Stmt::Stop => {}
        }
        true
    });
}

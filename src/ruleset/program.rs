//! Statements as a flat list of operations with jumps forward.
//!
//! ```text
//! if A then { x } else { y }      0 Unless(A) → 3
//! z                               1 Action(x)
//!                                 2 Jump → 4
//!                                 3 Action(y)
//!                                 4 Action(z)
//! ```
//! ```text
//! foreach ($.i in L) do { x }     0 Each(L) → 4
//! y                               1 Next($.i) → 4
//!                                 2 Action(x)
//!                                 3 Jump → 1
//!                                 4 Action(y)
//! ```
//! Invariant: every jump goes forward, at most to the end of the list, but for the one that ends a loop.

use std::sync::{Arc, OnceLock};

use super::call::Job;
use crate::config::{ActionId, Diagnostic, RulesetDecl, RulesetId, Stmt};
use crate::lookup::Lookup;
use crate::message::vars::Assign;
use crate::message::{Path, Scope};
use crate::parsers::ParserOptions;
use crate::queue::Queue;
use crate::script::{Compiler, Environment, Filter, Term};

/// One step.
#[derive(Debug)]
pub enum Op {
    /// Goes on at this place if the filter does not match.
    Unless(Filter, usize),
    /// Goes on at this place.
    Jump(usize),
    /// Runs an action.
    Action(ActionId),
    /// Has an action modify the message.
    Modify(ActionId),
    /// Runs a ruleset, then goes on here.
    Call(RulesetId),
    /// Selects the message for a ruleset that has a queue.
    Select(RulesetId),
    /// Runs or selects for the ruleset of that name.
    CallIndirect(Term),
    /// Gives a variable a value.
    Assign((Scope, Path), Term, Assign),
    /// Removes a variable.
    Remove((Scope, Path)),
    /// Has a lookup table read its file again, with the stub value for the case that it cannot.
    Reload(Arc<Lookup>, Option<Box<[u8]>>),
    /// Begins a loop over a copy of the value, or goes on at this place if there is nothing in it.
    Each(Term, usize),
    /// Gives the variable the loop's next item; or removes it, ends the loop and goes on at this place.
    Next((Scope, Path), usize),
    /// Ends the processing of the message, in the callers too.
    Stop,
}

/// A ruleset, ready to run.
#[derive(Debug)]
pub struct Ruleset {
    /// As first written.
    pub name: String,
    /// How its messages are parsed.
    pub parsers: ParserOptions,
    /// What is done with each message.
    pub ops: Box<[Op]>,
}

/// All rulesets of a configuration.
pub struct Rules {
    /// By [`RulesetId`].
    pub rulesets: Vec<Ruleset>,
    queues: OnceLock<Vec<Option<Arc<Queue<Job>>>>>,
}

impl Rules {
    /// Compiles the rulesets of a checked configuration; `parsers[i]` belongs to ruleset `i`. Functions refer to
    /// what is in `environment`.
    ///
    /// # Panics
    /// When there are not as many `parsers` as rulesets.
    #[must_use]
    pub fn compile(
        decls: &[RulesetDecl],
        parsers: Vec<ParserOptions>,
        environment: Environment<'_>,
    ) -> (Self, Vec<Diagnostic>) {
        assert_eq!(decls.len(), parsers.len(), "one set of parsers per ruleset");
        let mut compiler = Compiler { environment, diagnostics: Vec::new() };
        let rulesets = decls.iter().zip(parsers).map(|(decl, parsers)| {
            let mut body = Body { decls, compiler: &mut compiler, ops: Vec::new() };
            body.block(&decl.body);
            Ruleset { name: decl.name.clone(), parsers, ops: body.ops.into() }
        });
        let rulesets = rulesets.collect();
        (Self { rulesets, queues: OnceLock::new() }, compiler.diagnostics)
    }

    /// Tells which rulesets have a queue; once, before the first message. (The queues' workers run the rules,
    /// so the rules come first.)
    ///
    /// # Panics
    /// When called twice.
    pub fn connect(&self, queues: Vec<Option<Arc<Queue<Job>>>>) {
        assert!(self.queues.set(queues).is_ok(), "the queues are known already");
    }

    /// The operations of a ruleset.
    #[must_use]
    pub fn ops(&self, id: RulesetId) -> &[Op] {
        self.rulesets.get(id.0).map_or(&[], |ruleset| &ruleset.ops)
    }

    /// The queue of a ruleset.
    #[must_use]
    pub fn queue(&self, id: RulesetId) -> Option<&Arc<Queue<Job>>> {
        self.queues.get()?.get(id.0)?.as_ref()
    }

    /// All rulesets, each before those it calls: the order in which their queues can be ended without one
    /// handing messages to another that has ended. Where they call each other in a circle, some order.
    #[must_use]
    pub fn callers_first(&self) -> Vec<RulesetId> {
        let mut order = Vec::new();
        let mut seen = vec![false; self.rulesets.len()];
        // Depth first with a stack of our own; a ruleset is placed when all it calls are.
        let mut stack: Vec<(RulesetId, usize)> = Vec::new();
        for first in (0..self.rulesets.len()).rev() {
            stack.push((RulesetId(first), 0));
            while let Some((id, at)) = stack.pop() {
                if at == 0 && std::mem::replace(&mut seen[id.0], true) {
                    continue;
                }
                match self.ops(id).get(at) {
                    None => order.push(id),
                    Some(op) => {
                        stack.push((id, at + 1));
                        if let Op::Call(callee) | Op::Select(callee) = op
                            && !seen[callee.0]
                        {
                            stack.push((*callee, 0));
                        }
                    }
                }
            }
        }
        order.reverse();
        order
    }

    /// Whether messages may be modified in this ruleset or in one that it calls.
    #[must_use]
    pub fn modifies(&self, id: RulesetId) -> bool {
        let mut seen = vec![false; self.rulesets.len()];
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            if seen.get_mut(id.0).is_none_or(|seen| std::mem::replace(seen, true)) {
                continue;
            }
            for op in self.ops(id) {
                match op {
                    Op::Modify(_) => return true,
                    Op::Call(callee) => open.push(*callee),
                    Op::CallIndirect(_) => open.extend((0..self.rulesets.len()).map(RulesetId)),
                    _ => {}
                }
            }
        }
        false
    }

    /// The ruleset of that name, in any case.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<RulesetId> {
        let found = self.rulesets.iter().position(|r| r.name.eq_ignore_ascii_case(name));
        found.map(RulesetId)
    }
}

/// A ruleset under compilation.
struct Body<'a, 'e> {
    decls: &'a [RulesetDecl],
    compiler: &'a mut Compiler<'e>,
    ops: Vec<Op>,
}

impl Body<'_, '_> {
    fn block(&mut self, block: &[Stmt]) {
        for stmt in block {
            self.statement(stmt);
        }
    }

    fn statement(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::If { arms, otherwise } => {
                let mut to_end = Vec::new();
                for (expr, then) in arms {
                    let filter = Filter::expression(self.compiler, expr);
                    self.arm(filter, then, Some(&mut to_end));
                }
                self.block(otherwise);
                for jump in to_end {
                    self.ops[jump] = Op::Jump(self.ops.len());
                }
            }
            Stmt::PriFilter { mask, then } => self.arm(Filter::selector(mask), then, None),
            Stmt::PropFilter { property, op, negate, value, then, span } => {
                let filter = Filter::property(self.compiler, property, *op, *negate, value, *span);
                self.arm(filter, then, None);
            }
            Stmt::Action(id) => self.ops.push(Op::Action(*id)),
            Stmt::Modify(id) => self.ops.push(Op::Modify(*id)),
            Stmt::Call(id) if self.decls[id.0].queue.is_some() => {
                self.ops.push(Op::Select(*id));
            }
            Stmt::Call(id) => self.ops.push(Op::Call(*id)),
            Stmt::CallIndirect(name) => {
                let name = self.compiler.value(name);
                self.ops.push(Op::CallIndirect(name));
            }
            Stmt::Set { target, value, how } => {
                let value = self.compiler.value(value);
                self.ops.push(Op::Assign(target.clone(), value, *how));
            }
            Stmt::ReloadLookupTable { table, stub, span } => {
                match (self.compiler.environment.lookup)(table) {
                    Some(lookup) => {
                        self.ops.push(Op::Reload(lookup, stub.as_deref().map(Box::from)));
                    }
                    None => {
                        let table = String::from_utf8_lossy(table);
                        let text = format!("lookup table '{table}' not found");
                        self.compiler.diagnostics.push(Diagnostic::parsing(*span, text));
                    }
                }
            }
            Stmt::Unset(target) => self.ops.push(Op::Remove(target.clone())),
            Stmt::Foreach { variable, collection, body } => {
                let collection = self.compiler.value(collection);
                self.foreach(variable, collection, body);
            }
            Stmt::Stop => self.ops.push(Op::Stop),
        }
    }

    fn foreach(&mut self, variable: &(Scope, Path), collection: Term, body: &[Stmt]) {
        let each = self.ops.len();
        self.ops.push(Op::Stop); // its end is not known yet
        self.ops.push(Op::Stop);
        self.block(body);
        self.ops.push(Op::Jump(each + 1));
        let end = self.ops.len();
        self.ops[each] = Op::Each(collection, end);
        self.ops[each + 1] = Op::Next(variable.clone(), end);
    }

    /// A filter and its block; with `to_end`, a jump follows whose target is still to be filled in.
    fn arm(&mut self, filter: Filter, then: &[Stmt], to_end: Option<&mut Vec<usize>>) {
        let test = self.ops.len();
        let constant = filter.constant();
        if constant == Some(false) {
            // Still compiled, so that what is wrong in there is reported.
            self.block(then);
            self.ops.truncate(test);
            return;
        }
        if constant.is_none() {
            self.ops.push(Op::Unless(filter, 0));
        }
        self.block(then);
        if let Some(jumps) = to_end {
            jumps.push(self.ops.len());
            self.ops.push(Op::Jump(0));
        }
        let after = self.ops.len();
        if let Some(Op::Unless(_, target)) = self.ops.get_mut(test)
            && constant.is_none()
        {
            *target = after;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Span;

    #[test]
    fn rulesets_stand_before_those_they_call() {
        let call = |n: usize| Stmt::Call(RulesetId(n));
        let decl = |name: &str, body| RulesetDecl {
            name: name.to_owned(),
            queue: name.starts_with('q').then(Default::default),
            parsers: Vec::new(),
            body,
            span: Span::default(),
        };
        let decls = [
            decl("main", vec![call(2)]),
            decl("q last", Vec::new()),
            decl("between", vec![call(3), call(1)]),
            decl("q first", vec![call(1), call(4)]),
            decl("q circle", vec![call(5)]),
            decl("q back", vec![call(4), call(1)]),
            decl("alone", Vec::new()),
        ];
        let parsers = decls.iter().map(|_| ParserOptions::default()).collect();
        let (rules, _) = Rules::compile(&decls, parsers, Environment::default());
        let order = rules.callers_first();
        let place = |n: usize| order.iter().position(|id| id.0 == n).expect("each is there");
        assert_eq!(order.len(), decls.len());
        for (caller, callee) in [(0, 2), (2, 3), (3, 1), (3, 4), (5, 1), (2, 1)] {
            assert!(place(caller) < place(callee), "{caller} before {callee} in {order:?}");
        }
    }
}

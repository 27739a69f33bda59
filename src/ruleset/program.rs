//! Statements as a flat list of operations with jumps forward.
//!
//! ```text
//! if A then { x } else { y }      0 Unless(A) → 3
//! z                               1 Action(x)
//!                                 2 Jump → 4
//!                                 3 Action(y)
//!                                 4 Action(z)
//! ```
//! Invariant: every jump goes forward, at most to the end of the list.

use std::sync::{Arc, OnceLock};

use super::call::Job;
use crate::config::{ActionId, Diagnostic, RulesetDecl, RulesetId, Stmt};
use crate::parsers::ParserOptions;
use crate::queue::Queue;
use crate::script::{Compiler, Filter};

/// One step.
#[derive(Debug)]
pub enum Op {
    /// Goes on at this place if the filter does not match.
    Unless(Filter, usize),
    /// Goes on at this place.
    Jump(usize),
    /// Runs an action.
    Action(ActionId),
    /// Runs a ruleset, then goes on here.
    Call(RulesetId),
    /// Selects the message for a ruleset that has a queue.
    Select(RulesetId),
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
    /// Compiles the rulesets of a checked configuration; `parsers[i]` belongs to ruleset `i`.
    ///
    /// # Panics
    /// When there are not as many `parsers` as rulesets.
    #[must_use]
    pub fn compile(decls: &[RulesetDecl], parsers: Vec<ParserOptions>) -> (Self, Vec<Diagnostic>) {
        assert_eq!(decls.len(), parsers.len(), "one set of parsers per ruleset");
        let mut compiler = Compiler::default();
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

    /// The ruleset of that name, in any case.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<RulesetId> {
        let found = self.rulesets.iter().position(|r| r.name.eq_ignore_ascii_case(name));
        found.map(RulesetId)
    }
}

/// A ruleset under compilation.
struct Body<'a> {
    decls: &'a [RulesetDecl],
    compiler: &'a mut Compiler,
    ops: Vec<Op>,
}

impl Body<'_> {
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
            Stmt::Call(id) if self.decls[id.0].queue.is_some() => {
                self.ops.push(Op::Select(*id));
            }
            Stmt::Call(id) => self.ops.push(Op::Call(*id)),
            Stmt::Stop => self.ops.push(Op::Stop),
        }
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

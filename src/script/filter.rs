//! What stands before a block of statements: nothing but a condition, with the common selector apart.

use super::compile::{Compiler, Cond};
use super::eval::Scratch;
use crate::config::PropOp;
use crate::config::ast::{Expr, PriMask, Span, Variable};
use crate::message::Msg;

/// A filter: decides whether a block runs for a message.
#[derive(Debug)]
pub struct Filter(Cond);

impl Filter {
    /// `mail.*;auth.none`
    #[must_use]
    pub fn selector(mask: &PriMask) -> Self {
        Self(if mask.iter().all(|&bits| bits == 0xff) {
            Cond::Const(true)
        } else {
            Cond::Pri(Box::new(*mask))
        })
    }

    /// `:property, [!]operation, "value"`
    pub fn property(
        compiler: &mut Compiler<'_>,
        property: &Variable,
        op: PropOp,
        negate: bool,
        value: &[u8],
        span: Span,
    ) -> Self {
        let test = compiler.property_test(property, op, value, span);
        // Without the property nothing matches, negated or not.
        Self(test.map_or(Cond::Const(false), |test| test.negate_if(negate)))
    }

    /// `if <expression> then`
    pub fn expression(compiler: &mut Compiler<'_>, expr: &Expr) -> Self {
        Self(compiler.condition(expr))
    }

    /// Whether the block runs.
    pub fn matches(&self, msg: &Msg<'_>, scratch: &mut Scratch) -> bool {
        self.0.holds(Some(msg), scratch)
    }

    /// The filter's result where it is the same for all messages.
    #[must_use]
    pub fn constant(&self) -> Option<bool> {
        match self.0 {
            Cond::Const(truth) => Some(truth),
            _ => None,
        }
    }
}

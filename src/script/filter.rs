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
        compiler: &mut Compiler,
        property: &Variable,
        op: PropOp,
        negate: bool,
        value: &[u8],
        span: Span,
    ) -> Self {
        let errors = compiler.diagnostics.len();
        let cond = compiler.property_test(property, op, value, span);
        // What could not be compiled never matches, whatever stands before it.
        Self(cond.negate_if(negate && errors == compiler.diagnostics.len()))
    }

    /// `if <expression> then`
    pub fn expression(compiler: &mut Compiler, expr: &Expr) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ast::{CompareOp, ExprKind};
    use crate::message::{Batch, Builder, Env, Field, Flags, InputInfo, Pool, Sender, Zone};
    use std::sync::Arc;

    const TEXT: &str = "<35>Jan  5 03:04:05 host a/../b[1]: x:12 \"q\"  z/y";

    /// The message of `spec/config-language.md` section 19.
    fn batch() -> Batch {
        let mut builder = Builder::new(Arc::new(Pool::default()));
        let sender = Arc::new(Sender::local(Arc::new(InputInfo::default()), b"local"));
        let raw = builder.bytes().append(TEXT.as_bytes());
        builder.push(raw, 0, &sender, Flags::empty());
        let mut batch = builder.seal();
        let record = &mut batch.records[0];
        record.pri = 35;
        record.flags = Flags::HAS_HOST;
        record.host = Field::new(20, 4);
        record.tag = Field::new(25, 10);
        record.program_len = 1;
        record.msg.start += 35;
        record.msg.len -= 35;
        batch
    }

    fn env() -> Env {
        Env { now: 0, zone: Zone::UTC, hostname: b"me".as_slice().into(), uptime: 5 }
    }

    fn matches(filter: &Filter) -> bool {
        let (batch, env) = (batch(), env());
        let msg = Msg::at(&batch, 0, &env).unwrap();
        let mut scratch = Scratch::default();
        let first = filter.matches(&msg, &mut scratch);
        assert_eq!(filter.matches(&msg, &mut scratch), first, "buffers come back empty");
        first
    }

    #[test]
    fn property_filters() {
        use PropOp::{Contains, EndsWith, EreRegex, IsEmpty, IsEqual, Regex, StartsWith};
        let table: [(&str, PropOp, &str, bool); 17] = [
            ("msg", Contains, "x:12", true),
            ("msg", Contains, "X:12", false),
            ("msg", Contains, "", true),
            ("msg", StartsWith, " x", true),
            ("msg", StartsWith, "x", false),
            ("msg", EndsWith, "z/y", true),
            ("hostname", IsEqual, "host", true),
            ("hostname", IsEqual, "hos", false),
            ("syslogtag", IsEqual, "a/../b[1]:", true),
            ("programname", IsEqual, "a", true),
            ("syslogseverity", IsEqual, "3", true),
            ("pri-text", IsEqual, "auth.err", true),
            ("msgid", IsEmpty, "ignored", false),
            ("msg", Regex, "x:[0-9]\\{2\\} ", true),
            ("msg", Regex, "x:[0-9]{2} ", false),
            ("msg", EreRegex, "x:[0-9]{2} ", true),
            ("msg", EreRegex, "^x", false),
        ];
        for (name, op, value, want) in table {
            for negate in [false, true] {
                let mut compiler = Compiler::default();
                let property = Variable::Property(name.into());
                let span = Span::default();
                let filter =
                    Filter::property(&mut compiler, &property, op, negate, value.as_bytes(), span);
                assert!(compiler.diagnostics.is_empty());
                let got = matches(&filter);
                assert_eq!(got, want != negate, "{name} {op:?} {value:?} {negate}");
            }
        }
    }

    #[test]
    fn what_could_not_be_compiled_never_matches() {
        for negate in [false, true] {
            let mut compiler = Compiler::default();
            let property = Variable::Property("nope".into());
            let span = Span::default();
            let op = PropOp::IsEqual;
            let filter = Filter::property(&mut compiler, &property, op, negate, b"", span);
            assert_eq!((filter.constant(), compiler.diagnostics.len()), (Some(false), 1));
        }
    }

    #[test]
    fn selectors() {
        let mut mask = [0; 25];
        mask[4] = 0b0000_1111; // auth.err
        assert!(matches(&Filter::selector(&mask)));
        mask[4] = 0b0000_0111; // auth.crit
        assert!(!matches(&Filter::selector(&mask)));
        assert_eq!(Filter::selector(&[0xff; 25]).constant(), Some(true));
    }

    #[test]
    fn expressions_over_properties() {
        let at = |kind| Expr { kind, span: Span::default() };
        let property = |name: &str| at(ExprKind::Variable(Variable::Property(name.into())));
        let text = |text: &str| at(ExprKind::String(text.into()));
        let compare = |left, op, right| at(ExprKind::Compare(op, Box::new(left), Box::new(right)));
        let concat = |left, right| {
            let op = crate::config::ast::BinaryOp::Concat;
            at(ExprKind::Binary(op, Box::new(left), Box::new(right)))
        };
        let number = |n| at(ExprKind::Number(n));
        let not = |expr| at(ExprKind::Not(Box::new(expr)));
        let table = [
            // Properties are texts, so 3 is "3" but not "03".
            (compare(property("syslogseverity"), CompareOp::Eq, text("3")), true),
            (compare(property("syslogseverity"), CompareOp::Eq, text("03")), false),
            (compare(property("syslogseverity"), CompareOp::Eq, number(3)), true),
            (compare(number(10), CompareOp::Gt, property("syslogseverity")), true),
            (compare(property("hostname"), CompareOp::Eq, property("programname")), false),
            (compare(property("msg"), CompareOp::Contains, property("programname")), false),
            (compare(property("rawmsg"), CompareOp::EndsWith, property("msg")), true),
            (
                compare(
                    concat(property("hostname"), concat(text("/"), property("syslogseverity"))),
                    CompareOp::Eq,
                    text("host/3"),
                ),
                true,
            ),
            (
                compare(
                    concat(property("syslogfacility"), property("syslogseverity")),
                    CompareOp::Eq,
                    concat(property("syslogfacility"), text("3")),
                ),
                true,
            ),
            (compare(property("$myhostname"), CompareOp::Eq, text("me")), true),
            // not binds tightest: (not $msg) == "x" compares 1 with "x".
            (compare(not(property("msg")), CompareOp::Eq, text("x")), false),
            (compare(not(property("msg")), CompareOp::Eq, number(1)), true),
            (at(ExprKind::And(vec![property("pri"), not(property("msg"))])), true),
        ];
        for (index, (expr, want)) in table.into_iter().enumerate() {
            let mut compiler = Compiler::default();
            let filter = Filter::expression(&mut compiler, &expr);
            assert!(compiler.diagnostics.is_empty());
            assert_eq!(filter.constant(), None, "row {index}");
            assert_eq!(matches(&filter), want, "row {index}");
        }
    }
}

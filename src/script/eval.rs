//! Evaluation of compiled conditions and values. No allocation per message where only properties and texts are
//! looked at: composed texts go to buffers that the worker thread lends and gets back. Recursion is as deep as the
//! expression was nested, which the parser bounds.

use super::compile::{Cond, Term, TextTest};
use super::functions::{Call, Random, Returned};
use super::value::{Room, Value, arithmetic};
use crate::config::ast::CompareOp;
use crate::message::{Json, Msg, Vars};

/// What one worker thread needs for evaluation: the variables and the state of the message it is at, and buffers,
/// which come back empty.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The variables of the present message.
    pub vars: Vars,
    /// What `script_error()` returns: whether the last function that can fail did.
    pub error: bool,
    /// What `previous_action_suspended()` returns.
    pub previous_suspended: bool,
    pub(super) random: Random,
    /// For the frequent case, a property tested by itself.
    property: Vec<u8>,
    free: Vec<Vec<u8>>,
}

impl Scratch {
    /// Takes over the state of a message that processing begins for.
    pub fn begin(&mut self, msg: &Msg<'_>) {
        self.vars.clear();
        if !msg.vars.is_none() {
            self.vars.clone_from(msg.vars);
        }
        self.error = false;
        self.previous_suspended = false;
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        self.free.pop().unwrap_or_default()
    }

    pub(super) fn give(&mut self, mut buffer: Vec<u8>) {
        buffer.clear();
        self.free.push(buffer);
    }
}

impl Cond {
    /// Whether the condition holds for the message. Without a message only constants may be in it.
    pub fn holds(&self, msg: Option<&Msg<'_>>, scratch: &mut Scratch) -> bool {
        match self {
            Self::Const(truth) => *truth,
            Self::Pri(mask) => msg.is_some_and(|msg| {
                let bits = mask.get(usize::from(msg.record.facility())).copied().unwrap_or(0);
                bits >> msg.record.severity() & 1 == 1
            }),
            Self::Not(cond) => !cond.holds(msg, scratch),
            Self::All(conds) => conds.iter().all(|cond| cond.holds(msg, scratch)),
            Self::Any(conds) => conds.iter().any(|cond| cond.holds(msg, scratch)),
            Self::Text(term, test) => term.with_text(msg, scratch, |text| test.passes(text)),
            Self::Regex(term, regex) => term.with_text(msg, scratch, |text| regex.is_match(text)),
            Self::Compare(op, terms) => {
                let mut buffers = (scratch.take(), scratch.take());
                let left = terms.0.value(msg, scratch, &mut buffers.0);
                let right = terms.1.value(msg, scratch, &mut buffers.1);
                let result = compare(*op, &left, &right);
                scratch.give(buffers.0);
                scratch.give(buffers.1);
                result
            }
            Self::Among(term, first, test) => {
                let mut buffer = scratch.take();
                let result = match term.value(msg, scratch, &mut buffer) {
                    number @ Value::Number(_) => number.equals(&Value::Text(first)),
                    other => test.passes(other.bytes(&mut Room::default())),
                };
                scratch.give(buffer);
                result
            }
            Self::Exists(scope, path) => msg.is_some_and(|msg| {
                scratch.vars.with((*scope, path), &msg.env.globals, |node| node.is_some())
            }),
            Self::Truth(term) => {
                let mut buffer = scratch.take();
                let truth = term.value(msg, scratch, &mut buffer).is_true();
                scratch.give(buffer);
                truth
            }
        }
    }
}

impl Term {
    /// The value for the message. `buffer` is empty, and holds the text where it has to be composed.
    pub fn value<'a>(
        &'a self,
        msg: Option<&Msg<'a>>,
        scratch: &mut Scratch,
        buffer: &'a mut Vec<u8>,
    ) -> Value<'a> {
        match self {
            Self::Number(n) => Value::Number(*n),
            Self::Text(text) => Value::Text(text),
            Self::Property(property) => {
                Value::Text(msg.map_or(&[], |msg| msg.property(property, buffer)))
            }
            Self::Tree(property) => {
                if let Some(msg) = msg {
                    msg.with_vars(&scratch.vars).write_property(property, buffer);
                }
                Value::Text(buffer)
            }
            Self::Variable(scope, path) => {
                let Some(msg) = msg else { return Value::Text(b"") };
                let found =
                    scratch.vars.with((*scope, path), &msg.env.globals, |node| match node? {
                        // A tree that is one text stays JSON, as in the reference.
                        Json::Str(text) if !path.is_root() => {
                            buffer.extend_from_slice(text);
                            None
                        }
                        node => Some(node.copy()),
                    });
                found.map_or(Value::Text(buffer), Value::Json)
            }
            Self::Call(call) => {
                match (call.run)(&mut Call { args: &call.args, msg, scratch }, buffer) {
                    Returned::Number(n) => Value::Number(n),
                    Returned::Text => Value::Text(buffer),
                    Returned::Json(node) => Value::Json(node),
                }
            }
            Self::Truth(cond) => Value::Number(cond.holds(msg, scratch).into()),
            Self::Negate(term) => {
                Value::Number(term.value(msg, scratch, buffer).number().0.wrapping_neg())
            }
            Self::Arithmetic(op, terms) => {
                let left = terms.0.value(msg, scratch, buffer).number().0;
                let mut other = scratch.take();
                let right = terms.1.value(msg, scratch, &mut other).number().0;
                scratch.give(other);
                Value::Number(arithmetic(*op, left, right))
            }
            Self::Concat(terms) => {
                for term in [&terms.0, &terms.1] {
                    let mut part = scratch.take();
                    term.value(msg, scratch, &mut part).append_to(buffer);
                    scratch.give(part);
                }
                Value::Text(buffer)
            }
        }
    }

    /// Evaluates for the message and hands the value on.
    pub fn with_value<R>(
        &self,
        msg: &Msg<'_>,
        scratch: &mut Scratch,
        take: impl FnOnce(Value<'_>) -> R,
    ) -> R {
        let mut buffer = scratch.take();
        let result = take(self.value(Some(msg), scratch, &mut buffer));
        scratch.give(buffer);
        result
    }

    fn with_text(
        &self,
        msg: Option<&Msg<'_>>,
        scratch: &mut Scratch,
        test: impl FnOnce(&[u8]) -> bool,
    ) -> bool {
        if let (Self::Property(property), Some(msg)) = (self, msg) {
            return test(msg.property(property, &mut scratch.property));
        }
        let mut buffer = scratch.take();
        let result = test(self.value(msg, scratch, &mut buffer).bytes(&mut Room::default()));
        scratch.give(buffer);
        result
    }
}

fn compare(op: CompareOp, left: &Value<'_>, right: &Value<'_>) -> bool {
    let mut rooms = (Room::default(), Room::default());
    match op {
        CompareOp::Eq => left.equals(right),
        CompareOp::Ne => !left.equals(right),
        CompareOp::Lt => left.order(right).is_lt(),
        CompareOp::Le => left.order(right).is_le(),
        CompareOp::Gt => left.order(right).is_gt(),
        CompareOp::Ge => left.order(right).is_ge(),
        CompareOp::Contains => {
            let needle = right.bytes(&mut rooms.1);
            memchr::memmem::find(left.bytes(&mut rooms.0), needle).is_some()
        }
        CompareOp::ContainsI => {
            contains_no_case(left.bytes(&mut rooms.0), right.bytes(&mut rooms.1))
        }
        CompareOp::StartsWith => left.bytes(&mut rooms.0).starts_with(right.bytes(&mut rooms.1)),
        CompareOp::StartsWithI => {
            starts_with_no_case(left.bytes(&mut rooms.0), right.bytes(&mut rooms.1))
        }
        CompareOp::EndsWith => left.bytes(&mut rooms.0).ends_with(right.bytes(&mut rooms.1)),
    }
}

impl TextTest {
    /// Whether the text passes.
    #[must_use]
    pub fn passes(&self, text: &[u8]) -> bool {
        match self {
            Self::Equal(constant) => **constant == *text,
            Self::OneOf(sorted) => sorted.binary_search_by(|one| (**one).cmp(text)).is_ok(),
            Self::Contains(finders) => finders.iter().any(|one| one.find(text).is_some()),
            Self::ContainsNoCase(texts) => texts.iter().any(|one| contains_no_case(text, one)),
            Self::StartsWith(texts) => texts.iter().any(|one| text.starts_with(one)),
            Self::StartsWithNoCase(texts) => texts.iter().any(|one| starts_with_no_case(text, one)),
            Self::EndsWith(texts) => texts.iter().any(|one| text.ends_with(one)),
        }
    }
}

/// (The reference's string library also says yes where `text` is only the beginning of `prefix`, even an empty one.)
/// As the reference does it, a text that ends within the prefix counts, an empty one always.
fn starts_with_no_case(text: &[u8], prefix: &[u8]) -> bool {
    text.iter().zip(prefix).all(|(a, b)| a.eq_ignore_ascii_case(b))
}

/// Looks for `needle` at each place where its first byte stands, in either case.
fn contains_no_case(text: &[u8], needle: &[u8]) -> bool {
    let Some(&first) = needle.first() else { return true };
    let places = memchr::memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), text);
    places.into_iter().any(|at| {
        text.get(at..).is_some_and(|rest| {
            rest.get(..needle.len()).is_some_and(|head| head.eq_ignore_ascii_case(needle))
        })
    })
}

//! Templates: how a message becomes text.

use crate::message::Msg;

/// A compiled template.
#[derive(Debug)]
pub struct Template {
    /// The name, as actions refer to it.
    pub name: String,
}

impl Template {
    /// Appends the rendered text of `msg` to `out`.
    pub fn render(&self, msg: &Msg<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(msg.msg());
    }
}

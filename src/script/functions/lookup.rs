//! The function that looks a value up in a table.

use super::{Function, Kind, Otherwise, Returned, Run, Setup};
use crate::script::value::Room;

/// The functions of this file.
pub(super) static FUNCTIONS: &[Function] = &[Function {
    name: "lookup",
    args: 2..=2,
    doc: "The value a lookup table has for a key; the name of the table must be a constant.",
    examples: &[
        ("lookup('example', 'key')", "value"),
        ("lookup('example', 'Key')", "none"),
        ("lookup('example', 7)", "seven"),
        ("lookup('example', lookup('example', 7))", "none"),
    ],
    kind: Kind::Prepare(lookup, Otherwise::Text("TABLE-NOT-FOUND")),
}];

fn lookup(setup: &Setup<'_>) -> Result<Run, String> {
    let name = setup.text(0).ok_or("table name (param 1) of lookup() must be a constant string")?;
    let table = (setup.environment.lookup)(name).ok_or_else(|| {
        let name = String::from_utf8_lossy(name);
        format!("lookup table '{name}' not found (used in function: lookup)")
    })?;
    Ok(Box::new(move |call, out| {
        call.value(1, |key| {
            // A table that never could be read has nothing for any key.
            table.with(|table| {
                let found = match table.has_numbers() {
                    true => table.number(key.number().0),
                    false => table.text(key.bytes(&mut Room::default())),
                };
                out.extend_from_slice(found);
            });
        });
        Returned::Text
    }))
}

//! The function that counts up.

use super::{Function, Kind, Returned, Run, Setup};

/// The functions of this file.
pub(super) static FUNCTIONS: &[Function] = &[Function {
    name: "dyn_inc",
    args: 2..=2,
    doc: "Counts up a counter of a dyn_stats() object, which must be a constant; 0, or -1 if there would be too many \
          counters.",
    examples: &[("dyn_inc('example', 'key')", "0"), ("dyn_inc('example', '')", "0")],
    kind: Kind::Prepare(dyn_inc),
}];

fn dyn_inc(setup: &Setup<'_>) -> Result<Run, String> {
    let name = setup.text(0).ok_or(
        "dyn-stats bucket-name (param 1) of dyn-stats manipulating functions like dyn_inc must be a \
         constant string",
    )?;
    let bucket = (setup.environment.bucket)(name)
        .ok_or_else(|| format!("dyn-stats bucket '{}' not found", String::from_utf8_lossy(name)))?;
    Ok(Box::new(move |call, _| {
        let counted = call.text(1, |metric| bucket.increment(metric));
        Returned::Number(if counted.is_ok() { 0 } else { -1 })
    }))
}

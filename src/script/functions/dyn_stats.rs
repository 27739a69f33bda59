//! Functions that make statistics.

use super::{Function, Kind, Otherwise, Returned, Run, Setup};

/// The functions of this file.
pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "dyn_inc",
        args: 2..=2,
        doc: "Counts up a counter of a dyn_stats() object, which must be a constant; 0, or -6 if there would be too many \
          counters.",
        examples: &[("dyn_inc('example', 'key')", "0"), ("dyn_inc('example', '')", "0")],
        kind: Kind::Prepare(dyn_inc, Otherwise::Number(-1)),
    },
    Function {
        name: "percentile_observe",
        args: 3..=3,
        doc: "Takes note of a value of a key of a percentile_stats() object, which must be a constant; 0, or -2425 if \
          it cannot have that key. What is no number is not noted.",
        examples: &[
            ("percentile_observe('example', 'key', 5)", "0"),
            ("percentile_observe('example', 'key', 'x')", "0"),
        ],
        kind: Kind::Prepare(percentile_observe, Otherwise::Number(-1)),
    },
];

fn dyn_inc(setup: &Setup<'_>) -> Result<Run, String> {
    let name = setup.text(0).ok_or(
        "dyn-stats bucket-name (param 1) of dyn-stats manipulating functions like dyn_inc must be a \
         constant string",
    )?;
    let bucket = (setup.environment.bucket)(name)
        .ok_or_else(|| format!("dyn-stats bucket '{}' not found", String::from_utf8_lossy(name)))?;
    Ok(Box::new(move |call, _| {
        let counted = call.text(1, |metric| bucket.increment(metric));
        // The reference's code for what does not fit.
        Returned::Number(if counted.is_ok() { 0 } else { -6 })
    }))
}

fn percentile_observe(setup: &Setup<'_>) -> Result<Run, String> {
    let name = setup.text(0).ok_or(
        "percentile-stats bucket-name (param 1) of perctile-stats manipulating functions like \
         percentile_observe must be a constant string",
    )?;
    let percentiles = (setup.environment.percentiles)(name).ok_or_else(|| {
        format!("perctile-stats bucket '{}' not found", String::from_utf8_lossy(name))
    })?;
    Ok(Box::new(move |call, _| {
        let (value, true) = call.number(2) else {
            call.text(2, |text| {
                let text = String::from_utf8_lossy(text);
                log::error!(
                    code = 2207;
                    "rainerscript: percentile_obs - didn't get a valid number: {text}"
                );
            });
            return Returned::Number(0);
        };
        let noted = call.text(1, |key| percentiles.observe(key, value));
        // The reference's code for a key that is too long.
        Returned::Number(if noted.is_ok() { 0 } else { -2425 })
    }))
}

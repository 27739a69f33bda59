//! Functions that search with regular expressions (POSIX, extended). The expression must be a constant.

use super::{Call, Function, Kind, Otherwise, Returned, Run, Setup};
use crate::sys::regex::{Flavour, GROUPS_MAX, SharedRegex};

/// The functions of this file.
pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "re_match",
        args: 2..=2,
        doc: "Whether an expression matches a text.",
        examples: &[("re_match('abc', 'b|x')", "1"), ("re_match('abc', '^b')", "0")],
        kind: Kind::Prepare(|setup| matcher(setup, false), Otherwise::Number(0)),
    },
    Function {
        name: "re_match_i",
        args: 2..=2,
        doc: "Whether an expression matches a text in any case.",
        examples: &[("re_match_i('abc', 'BC$')", "1")],
        kind: Kind::Prepare(|setup| matcher(setup, true), Otherwise::Number(0)),
    },
    Function {
        name: "re_extract",
        args: 5..=5,
        doc: "What an expression matches in a text: which match (from 0), which group of it (0 is all), and what to \
              return otherwise.",
        examples: &[
            ("re_extract('a1b22', '([a-z])([0-9]+)', 1, 2, 'no')", "22"),
            ("re_extract('a1b22', '([a-z])([0-9]+)', 1, 0, 'no')", "b22"),
            ("re_extract('a1b22', '([a-z])([0-9]+)', 2, 0, 'no')", "no"),
            ("re_extract('a', '(x)|(a)', 0, 1, 'no')", "no"),
            ("re_extract('a', 'a', 0, 50, 'no')", "no"),
            ("re_extract('abcdefghijk', '(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)(k)', 0, 11, 'no')", "k"),
            ("re_extract('ab', 'x*', 1, 0, 'no')", ""),
            ("re_extract('ab', 'x*', 3, 0, 'no')", "no"),
        ],
        kind: Kind::Prepare(|setup| extractor(setup, false), Otherwise::Argument(4)),
    },
    Function {
        name: "re_extract_i",
        args: 5..=5,
        doc: "As re_extract(), in any case.",
        examples: &[("re_extract_i('aBC', 'bc', 0, 0, 'no')", "BC")],
        kind: Kind::Prepare(|setup| extractor(setup, true), Otherwise::Argument(4)),
    },
];

fn expression(setup: &Setup<'_>, any_case: bool) -> Result<SharedRegex, String> {
    let pattern = setup.text(1).ok_or("param 2 of re_match/extract() must be a constant string")?;
    SharedRegex::new(pattern, Flavour::Extended, any_case).map_err(|why| {
        let pattern = String::from_utf8_lossy(pattern);
        format!("cannot compile regex '{pattern}': {why}")
    })
}

fn matcher(setup: &Setup<'_>, any_case: bool) -> Result<Run, String> {
    let regex = expression(setup, any_case)?;
    Ok(Box::new(move |call, _| Returned::from(call.text(0, |text| regex.is_match(text)))))
}

fn extractor(setup: &Setup<'_>, any_case: bool) -> Result<Run, String> {
    let regex = expression(setup, any_case)?;
    Ok(Box::new(move |call, out| {
        if extract(&regex, call, out).is_none() {
            call.value(4, |default| default.append_to(out));
        }
        Returned::Text
    }))
}

fn extract(regex: &SharedRegex, call: &mut Call<'_, '_>, out: &mut Vec<u8>) -> Option<()> {
    let wanted = usize::try_from(call.number(2).0).ok()?;
    let group = usize::try_from(call.number(3).0).ok()?;
    call.text(0, |text| {
        let mut groups = [const { None }; GROUPS_MAX];
        let mut rest = text;
        for _ in 0..wanted {
            if !regex.captures(rest, &mut groups) {
                return None;
            }
            // A match of nothing does not move; the next one is looked for behind the next byte.
            let end = groups[0].as_ref().map_or(0, |all| all.end);
            rest = rest.get(end.max(1)..)?;
        }
        if !regex.captures(rest, &mut groups) {
            return None;
        }
        let range = groups.get(group)?.clone()?;
        out.extend_from_slice(rest.get(range)?);
        Some(())
    })
}
